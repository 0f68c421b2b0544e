"""The trusted end of a connection to one worker: requests with a time limit, and why a worker was lost."""

import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from llmcourse.checking.student import ConnectionLostError
from llmcourse.checking.values import NotPlainError, decode, encode
from llmcourse.classroom.sandbox import frames as wire
from llmcourse.classroom.sandbox.forkserver import Keeper, Line, Usage

GRACE = 3.0  # seconds between asking code to stop and ending its process


@dataclass(frozen=True)
class Limits:
    """What one submission may take: seconds for a cell and altogether, bytes of memory."""

    cell_seconds: float = 60.0
    seconds: float = 600.0
    memory: int = 4 * 2**30


class Worker:
    """A connection to one process that holds a learner's code.

    `deadline`, a time of `time.monotonic`, ends every request; it is set when the worker stands ready.
    """

    def __init__(self, line: Line, limits: Limits, keeper: Keeper | None = None):
        self._line, self._limits, self._keeper = line, limits, keeper
        self._usage: Usage | None = None
        self.deadline = time.monotonic() + limits.seconds

    def execute(self, source: str, name: str, seconds: float) -> str | None:
        """Run a cell.

        Returns:
            None where it ran, otherwise the error in one line.

        Raises:
            ConnectionLostError: the cell ended the process, or had to be ended with it.
        """
        message = encode({"do": "execute", "source": source, "name": name})
        answer = self.request(message, _refuse, seconds)
        try:
            reply = decode(answer)
            if "raised" not in reply:
                return None
            kind, text, line = (str(part)[:2000] for part in reply["raised"])
        except (NotPlainError, TypeError, ValueError):
            raise self._lost("sent something that is no answer") from None
        return f"{kind}: {text}" + (f" ({line})" if line else "")

    def request(self, message: bytes, serve: Callable[[bytes], bytes], seconds: float) -> bytes:
        """Send a request and return the reply, answering callbacks meanwhile.

        Raises:
            ConnectionLostError: the process ended, or did not stop when its time was over and was ended.
        """
        seconds = min(seconds, self.deadline - time.monotonic())
        if seconds <= 0:
            self.end()
            raise ConnectionLostError("timeout", self._too_long())
        deadline = time.monotonic() + seconds + GRACE
        channel, budget = self._line.channel, max(1, round(seconds * 1000)).to_bytes(4, "little")
        try:
            wire.send(channel, wire.REQUEST, budget + message, seconds + GRACE)
            while True:
                kind, content = wire.receive(channel, deadline - time.monotonic())
                if kind == wire.REPLY:
                    return content
                if kind != wire.CALLBACK:
                    raise self._lost("sent something out of turn")
                wire.send(channel, wire.ANSWER, serve(content), max(0.1, deadline - time.monotonic()))
        except TimeoutError:
            self.end()
            late = time.monotonic() > self.deadline
            said = self._too_long() if late else f"did not stop after {seconds:.3g} seconds and was ended"
            raise ConnectionLostError("timeout", said) from None
        except wire.ChannelClosedError:
            raise self._lost("") from None

    def _too_long(self) -> str:
        return f"was stopped: the whole submission took longer than {self._limits.seconds:g} seconds"

    def _lost(self, offence: str) -> ConnectionLostError:
        """End the process and say why it is lost."""
        usage = self.end()
        if usage.reason == "memory":
            return ConnectionLostError("memory", f"took more than {self._limits.memory / 2**30:.3g} GB and was ended")
        if usage.reason == "processes":
            return ConnectionLostError("crashed", "started too many processes and was ended")
        if offence:
            return ConnectionLostError("crashed", f"{offence} and was ended")
        return ConnectionLostError("crashed", f"ended its process ({_explain(usage.status)})")

    def end(self) -> Usage:
        """End the process with all that it started; safe to call again."""
        if self._usage is None:
            self._usage = self._line.end()
            if self._keeper:
                self._keeper.close()
        return self._usage

    def interrupt(self) -> None:
        """Make a request that another thread waits for fail at once."""
        self._line.interrupt()


def _refuse(message: bytes) -> bytes:
    return encode({"error": "A cell has nothing to call back to."})


def _explain(status: int | None) -> str:
    if status is None:
        return "and the one that watches it"
    if status >= 0:
        return f"exit status {status}"
    with suppress(ValueError):
        return f"signal {signal.Signals(-status).name}"
    return f"signal {-status}"
