"""The trusted end of a connection to one worker: requests with a time limit, and why a worker was lost."""

import select
import signal
import time
from collections.abc import Callable
from contextlib import suppress

from llmcourse.checking.raised import StudentError
from llmcourse.checking.student import ConnectionLostError, read_reply
from llmcourse.checking.time_limit import PATIENCE
from llmcourse.checking.values import NotPlainError, encode
from llmcourse.classroom.sandbox import frames
from llmcourse.classroom.sandbox.forkserver import ForkServer, Usage, WorkerProcess
from llmcourse.classroom.sandbox.limits import Budget, Limits

GRACE = 3.0  # seconds between asking code to stop and ending its process


class Worker:
    """A connection to one process that holds a learner's code.

    `budget` is the time that its submission has left; a worker that goes on for another takes over the other's.

    Args:
        process: the worker's process.
        limits: what it may take.
        server: a fork server that serves this worker alone and ends with it.
    """

    def __init__(self, process: WorkerProcess, limits: Limits, server: ForkServer | None = None):
        self._process, self._limits, self._server = process, limits, server
        self._usage: Usage | None = None
        self.budget = Budget(limits.seconds)

    def execute(self, source: str, name: str, seconds: float) -> StudentError | None:
        """Run a cell.

        Returns:
            None where it ran, otherwise the error.

        Raises:
            ConnectionLostError: the cell ended the process, or had to be ended with it.
        """
        message = encode({"do": "execute", "source": source, "name": name})
        answer = self.request(message, _refuse, seconds)
        try:
            return read_reply(answer).get("raised")
        except NotPlainError:
            raise self._lost("sent something that is no answer") from None

    def request(self, message: bytes, serve: Callable[[bytes], bytes], seconds: float) -> bytes:
        """Send a request and return the reply, answering callbacks meanwhile.

        Args:
            message: the request.
            serve: answers a callback.
            seconds: of computing, `PATIENCE` times as many by the clock.

        Raises:
            ConnectionLostError: the process ended, or did not stop when its time was over and was ended.
        """
        if self.budget.over:
            self.end()
            raise ConnectionLostError("timeout", f"was stopped: {self.budget}")
        clock = _Clock(self._process, seconds, self.budget)
        try:
            times = frames.TIMES.pack(clock.seconds, clock.by_clock)
            frames.send(self._process.channel, frames.REQUEST, times + message, clock.patience())
            while True:
                kind, content = self._receive(clock)
                if kind == frames.REPLY:
                    return content
                if kind != frames.CALLBACK:
                    raise self._lost("sent something out of turn")
                answer = clock.serving(serve, content)
                if clock.is_over():
                    raise TimeoutError
                frames.send(self._process.channel, frames.ANSWER, answer, clock.patience())
        except TimeoutError:
            said = clock.explanation()
            self.budget.charge(clock.computed())
            self.end()
            late = self.budget.over
            raise ConnectionLostError("timeout", f"was stopped: {self.budget}" if late else said) from None
        except frames.ChannelClosedError:
            raise self._lost("") from None
        finally:
            if self._usage is None:
                self.budget.charge(clock.computed())

    def _receive(self, clock: "_Clock") -> tuple[bytes, bytes]:
        """Wait for a frame, and look from time to time how long the worker has been computing."""
        waiting = select.poll()
        waiting.register(self._process.channel, select.POLLIN)
        while not waiting.poll(1000 * clock.until_next_look()):
            if clock.is_over():
                raise TimeoutError
        return frames.receive(self._process.channel, clock.patience())

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
            self._usage = self._process.end()
            if self._server:
                self._server.close()
        return self._usage

    def interrupt(self) -> None:
        """Make a request that another thread waits for fail at once."""
        self._process.interrupt()


class _Clock:
    """Tells how long a worker has been at one request: `seconds` of computing are allowed, and `by_clock`."""

    def __init__(self, process: WorkerProcess, seconds: float, budget: Budget):
        self._process = process
        self.seconds = min(seconds, budget.computing)
        self.by_clock = min(PATIENCE * self.seconds, budget.by_clock)
        self._started, self._cpu, self._served = time.monotonic(), process.cpu_seconds(), 0.0

    def serving(self, serve: Callable[[bytes], bytes], content: bytes) -> bytes:
        """Answer a callback; what that takes counts as the learner's, as it does in the notebook."""
        before = time.thread_time()
        answer = serve(content)
        self._served += time.thread_time() - before
        return answer

    def elapsed(self) -> float:
        return time.monotonic() - self._started

    def computed(self) -> float:
        """Give the seconds of computing; where the system does not tell, those by the clock count as such."""
        elapsed, cpu = self.elapsed(), self._process.cpu_seconds()
        return elapsed if cpu is None or self._cpu is None else min(elapsed, cpu - self._cpu + self._served)

    def patience(self) -> float:
        """Give the seconds until the worker is waited for no more, whatever it does."""
        return max(0.1, self.by_clock + GRACE - self.elapsed())

    def until_next_look(self) -> float:
        return max(0.05, min(self.seconds + GRACE - self.computed(), self.patience()))

    def is_over(self) -> bool:
        if self.elapsed() < self.seconds:  # the usual case, known without asking the system
            return False
        late = self.elapsed() >= self.by_clock + GRACE or self.computed() >= self.seconds + GRACE
        return late or self._process.is_stopped()

    def explanation(self) -> str:
        if self._process.is_stopped():
            return "stopped its own process and was ended"
        if self.computed() >= self.seconds:
            return f"did not stop after {self.seconds:.3g} seconds of computing and was ended"
        return f"did not stop after {self.by_clock:.3g} seconds by the clock and was ended"


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
