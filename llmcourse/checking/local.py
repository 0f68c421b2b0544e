"""The learner's side in the same process: what a check needs so that it never disturbs the work in a notebook."""

import contextlib
import io
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from llmcourse.checking.host import Host
from llmcourse.checking.surroundings import kept
from llmcourse.checking.values import encode

PRINTED_LIMIT = 4000  # characters of the learner's own prints that a report shows


class TimeLimitError(BaseException):
    """Stops code that runs too long; no `except Exception` of the learner's swallows it."""


class LocalConnection:
    """Carries requests to a `Host` in this process, through the same bytes as to a worker.

    Args:
        namespace: the notebook's names.
        host: the class that finds and calls the learner's functions.
    """

    def __init__(self, namespace: dict[str, Any], host: type[Host] = Host):
        self._host = host(namespace)

    def request(self, message: bytes, serve: Callable[[bytes], bytes], seconds: float) -> bytes:
        """Answer a request within a time limit (where the system has timers; elsewhere without)."""
        try:
            with time_limit(seconds):
                return self._host.answer(message, serve)
        except TimeLimitError as error:
            return encode({"raised": ["TimeLimitError", str(error), ""]})


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeLimitError in the block after so many seconds, and again each second after, should it be swallowed."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise TimeLimitError(f"not finished after {seconds:g} seconds; is there a loop that never ends?")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def undisturbed() -> Iterator[io.StringIO]:
    """Run a check so that the notebook is left as it was; what the learner's code prints goes to the yielded buffer.

    Random states, settings and functions of the libraries come back afterwards, and nothing reaches standard error,
    also not from below Python (nbgrader gives 0 points for any byte there).
    """
    printed = _Bounded()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed), _silent_descriptor(2), kept():
        yield printed


class _Bounded(io.StringIO):
    """Keeps the beginning of what is written, so that a flood of prints costs nothing."""

    def write(self, text: str) -> int:
        super().write(text[: max(0, PRINTED_LIMIT - self.tell())])
        return len(text)


@contextlib.contextmanager
def _silent_descriptor(descriptor: int) -> Iterator[None]:
    try:
        saved = os.dup(descriptor)
    except OSError:  # closed: nothing to silence
        yield
        return
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, descriptor)
    os.close(null)
    try:
        yield
    finally:
        os.dup2(saved, descriptor)
        os.close(saved)
