"""A limit on how long a learner's code may compute: its own CPU time counts, so a busy machine changes no verdict."""

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType

PATIENCE = 10.0  # so many times the seconds of computing may pass by the clock, for code that sleeps or waits


class TimeLimitError(BaseException):
    """Stops code that runs too long; no `except Exception` of the learner's swallows it."""


@contextlib.contextmanager
def time_limit(seconds: float, by_clock: float | None = None) -> Iterator[None]:
    """Raise TimeLimitError in the block when its time is over, and again each second after, should it be swallowed.

    Code that computes on several threads uses more CPU time than the clock shows; it is never stopped before the clock
    shows `seconds`, too. Where the system has no timers, and outside the main thread, there is no limit.

    Args:
        seconds: of CPU time of this process.
        by_clock: seconds by the clock, for code that sleeps or waits; by default `PATIENCE` times `seconds`.
    """
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return
    limit = PATIENCE * seconds if by_clock is None else by_clock
    computed, started = time.process_time(), time.monotonic()

    def look(number: int, frame: FrameType | None) -> None:
        left, left_by_clock = seconds + computed - time.process_time(), limit + started - time.monotonic()
        if min(left, left_by_clock) > 0:
            signal.setitimer(signal.ITIMER_REAL, max(0.01, min(left, left_by_clock)))
            return
        signal.setitimer(signal.ITIMER_REAL, 1.0)
        if left <= 0:
            raise TimeLimitError(
                f"not finished after {seconds:g} seconds of computing; is there a loop that never ends?"
            )
        raise TimeLimitError(f"not finished after {limit:g} seconds by the clock; does it sleep or wait for something?")

    before = signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, max(0.001, min(seconds, limit)))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
