"""The learner's side in the same process: what a check needs so that it never disturbs the work in a notebook."""

import contextlib
import io
import os
from collections.abc import Callable, Iterator
from typing import Any

from llmcourse.checking.host import Host
from llmcourse.checking.raised import as_plain, describe_error
from llmcourse.checking.surroundings import kept
from llmcourse.checking.time_limit import TimeLimitError, time_limit
from llmcourse.checking.values import encode

PRINTED_LIMIT = 4000  # characters of the learner's own prints that a report shows


class LocalConnection:
    """Carries requests to a `Host` in this process, through the same bytes as to a worker.

    Args:
        namespace: the notebook's names.
        host: the class that finds and calls the learner's functions.
    """

    def __init__(self, namespace: dict[str, Any], host: type[Host] = Host):
        self._host = host(namespace)

    def request(
        self, message: bytes, serve: Callable[[bytes], bytes], seconds: float, by_clock: float | None = None
    ) -> bytes:
        """Answer a request within a time limit, as `time_limit` understands it."""
        try:
            with time_limit(seconds, by_clock):
                return self._host.answer(message, serve)
        except TimeLimitError as error:
            return encode({"raised": as_plain(describe_error(error, self._host.namespace))})


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
