"""Time limits on a simulated clock: what counts is computing, however busy the machine is."""

import threading

import pytest

from llmcourse.checking import time_limit as module
from llmcourse.checking.time_limit import TimeLimitError, time_limit


class Clock:
    """A machine whose clock, computing time and timer a test moves."""

    def __init__(self):
        self.now = self.computed = 0.0
        self.due, self.handler = None, "the handler before"

    def signal(self, number, handler):
        before, self.handler = self.handler, handler
        return before

    def setitimer(self, which, seconds, again=0.0):
        self.due = self.now + seconds if seconds else None

    def pass_time(self, seconds, computing):
        """Let time pass by the clock, some of it computing, and ring the timer as often as it is due."""
        share, end = computing / seconds, self.now + seconds
        while self.due is not None and self.due <= end + 1e-9:
            self._advance(self.due, share)
            self.due = None
            self.handler(None, None)
        self._advance(end, share)

    def _advance(self, to, share):
        self.computed, self.now = self.computed + share * (to - self.now), to


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(module.time, "monotonic", lambda: clock.now)
    monkeypatch.setattr(module.time, "process_time", lambda: clock.computed)
    monkeypatch.setattr(module.signal, "signal", clock.signal)
    monkeypatch.setattr(module.signal, "setitimer", clock.setitimer)
    return clock


def test_computing_longer_than_allowed_is_stopped(clock):
    with pytest.raises(TimeLimitError, match="not finished after 7 seconds of computing"), time_limit(7):
        clock.pass_time(6.9, computing=6.9)
        clock.pass_time(0.2, computing=0.2)
    assert (clock.due, clock.handler) == (None, "the handler before")


def test_a_busy_machine_changes_nothing(clock):
    with time_limit(7):
        clock.pass_time(69, computing=6.9)
    with pytest.raises(TimeLimitError, match="of computing"), time_limit(7):
        clock.pass_time(60, computing=7.1)


def test_several_threads_are_not_stopped_before_the_clock_shows_as_much(clock):
    with time_limit(7):
        clock.pass_time(6.9, computing=60)


def test_what_sleeps_or_waits_is_stopped_by_the_clock(clock):
    with pytest.raises(TimeLimitError, match="not finished after 70 seconds by the clock"), time_limit(7):
        clock.pass_time(69, computing=0.1)
        clock.pass_time(2, computing=0)
    with pytest.raises(TimeLimitError, match="not finished after 11 seconds by the clock"), time_limit(7, by_clock=11):
        clock.pass_time(12, computing=0)


def test_a_limit_that_is_swallowed_comes_again_each_second(clock):
    rung = 0
    with time_limit(2):
        for _ in range(5):
            try:
                clock.pass_time(2 if not rung else 1, computing=2 if not rung else 1)
            except TimeLimitError:
                rung += 1
    assert rung == 5


def test_outside_the_main_thread_there_is_no_limit(clock):
    def work():
        with time_limit(1):
            assert clock.due is None

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def test_the_real_clock_stops_a_real_loop():
    with pytest.raises(TimeLimitError, match=r"not finished after 0\.2 seconds of computing"), time_limit(0.2):
        while True:
            pass
