"""The walls around the untrusted side: start workers, talk to them within limits, end them as a whole."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmcourse.checking.student import ConnectionLostError
from llmcourse.checking.values import decode, encode
from llmcourse.classroom import wire

GRACE = 3.0  # seconds between asking code to stop and ending its process
START_SECONDS = 300
ISOLATION = {
    "basic": (
        "basic: own process and private folder, limits on time, memory, processes and file size; the file system "
        "stays readable, the network reachable, and other processes of the same user within reach"
    )
}
_KEPT = (
    "PATH",
    "LANG",
    "LC_",
    "TZ",
    "LD_LIBRARY_PATH",
    "DYLD_",
    "LLMCOURSE_",
    "KERAS_BACKEND",
    "CUDA_",
    "SSL_CERT",
    "OPENBLAS_",
    "TF_",
    "PYTHONPATH",
    "VIRTUAL_ENV",
)  # beginnings of the names of environment variables that a worker may see


@dataclass(frozen=True)
class Limits:
    """What one submission may take: seconds for a cell and altogether, bytes of memory."""

    cell_seconds: float = 60.0
    seconds: float = 600.0
    memory: int = 4 * 2**30


@dataclass(frozen=True)
class Usage:
    """How a worker ended: why the keeper ended it ("" if it did not), exit status, CPU seconds, peak resident bytes."""

    reason: str = ""
    status: int = 0
    cpu: float = 0.0
    peak: int = 0


class Sandbox:
    """Makes workers, each for one submission.

    On Linux one process loads the libraries once and forks every worker in milliseconds. Elsewhere, where forking
    after the import is not safe, each worker starts from nothing.

    Args:
        isolation: "basic".
        threads: how many threads the libraries of one worker may use.
        warm: fork from a loaded process; by default where that is safe.

    Raises:
        ValueError: an isolation that cannot be had.
    """

    def __init__(self, isolation: str = "basic", threads: int = 1, warm: bool | None = None):
        if isolation not in ISOLATION:
            raise ValueError(f"isolation must be one of {', '.join(ISOLATION)}. Received: {isolation!r}.")
        if os.name != "posix":
            raise ValueError("Grading needs Linux, macOS or WSL. Received: a system without POSIX processes.")
        self.isolation, self._threads = isolation, threads
        self._warm = sys.platform == "linux" if warm is None else warm
        self._keeper = _Keeper(threads, warm=True) if self._warm else None

    @contextmanager
    def worker(self, limits: Limits) -> Iterator["Worker"]:
        """Give a worker with a private folder; whatever it left running or written is gone afterwards."""
        folder = tempfile.mkdtemp(prefix="llmcourse-")
        keeper = self._keeper or _Keeper(self._threads, warm=False)
        worker = None
        try:
            worker = Worker(keeper, Path(folder), limits)
            yield worker
        finally:
            if worker:
                worker.end()
            if keeper is not self._keeper:
                keeper.close()
            shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """End the process that forks the workers, and with it all of them."""
        if self._keeper:
            self._keeper.close()

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(self, *details: object) -> None:
        self.close()


class Worker:
    """A connection to one process that holds a learner's code."""

    def __init__(self, keeper: "_Keeper", folder: Path, limits: Limits):
        self.limits, self._keeper = limits, keeper
        self._channel, theirs = socket.socketpair()
        with theirs:
            self._pid = keeper.fork(theirs, str(folder), limits.memory)
        self._usage: Usage | None = None

    def execute(self, source: str, name: str, seconds: float) -> str | None:
        """Run a cell.

        Returns:
            None where it ran, otherwise the error in one line.

        Raises:
            ConnectionLostError: the cell ended the process, or had to be ended with it.
        """
        message = encode({"do": "execute", "source": source, "name": name})
        reply = decode(self.request(message, lambda callback: b"", seconds))
        if isinstance(reply, dict) and "raised" in reply:
            kind, text, line = (str(part)[:2000] for part in reply["raised"])
            return f"{kind}: {text}" + (f" ({line})" if line else "")
        return None

    def request(self, message: bytes, serve: Callable[[bytes], bytes], seconds: float) -> bytes:
        """Send a request and return the reply, answering callbacks meanwhile.

        Raises:
            ConnectionLostError: the process ended, or did not stop when its time was over and was ended.
        """
        deadline = time.monotonic() + seconds + GRACE
        budget = min(round(seconds * 1000), 2**32 - 1).to_bytes(4, "little")
        try:
            wire.send(self._channel, wire.REQUEST, budget + message, seconds + GRACE)
            while True:
                kind, content = wire.receive(self._channel, deadline - time.monotonic(), self._alive)
                if kind == wire.REPLY:
                    return content
                if kind != wire.CALLBACK:
                    raise wire.ChannelClosedError("received a frame out of turn")
                wire.send(self._channel, wire.ANSWER, serve(content), max(0.1, deadline - time.monotonic()))
        except TimeoutError:
            self.end()
            raise ConnectionLostError("timeout", f"did not stop after {seconds:g} seconds and was ended") from None
        except wire.ChannelClosedError:
            usage = self.end()
            if usage.reason == "memory":
                size = f"{self.limits.memory / 2**30:g} GB"
                raise ConnectionLostError("memory", f"took more than {size} of memory and was ended") from None
            if usage.reason == "processes":
                raise ConnectionLostError("crashed", "started too many processes and was ended") from None
            raise ConnectionLostError("crashed", f"ended the process ({_explain(usage.status)})") from None

    def end(self) -> Usage:
        """End the process with all that it started; safe to call again."""
        if self._usage is None:
            self._channel.close()
            self._usage = self._keeper.end(self._pid)
        return self._usage

    def _alive(self) -> bool:
        return self._keeper.alive(self._pid)


class _Keeper:
    """The trusted end of the process that forks workers; one command at a time, from any thread."""

    def __init__(self, threads: int, warm: bool):
        self._control, theirs = socket.socketpair()
        self._lock, self._buffer, self._warm = threading.Lock(), b"", warm
        command = [sys.executable, "-m", "llmcourse.classroom.worker", str(theirs.fileno()), "warm" if warm else "cold"]
        with theirs:
            self._process = subprocess.Popen(
                command,
                pass_fds=[theirs.fileno()],
                env=_environment(threads),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE if warm else subprocess.DEVNULL,
                start_new_session=True,
            )
        self._control.settimeout(START_SECONDS)
        self._ready = False

    def fork(self, channel: socket.socket, folder: str, memory: int) -> int:
        command = {"do": "fork", "folder": folder, "memory": memory}
        return int(self._command(command, [channel.fileno()])["pid"])

    def alive(self, pid: int) -> bool:
        return bool(self._command({"do": "alive", "pid": pid})["alive"])

    def end(self, pid: int) -> Usage:
        try:
            return Usage(**self._command({"do": "end", "pid": pid}))
        except ConnectionError:  # the keeper is gone, and its workers with it
            return Usage()

    def close(self) -> None:
        with self._lock:
            self._control.close()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=10)
            self._process.kill()
            self._process.wait()
            if self._process.stderr:
                self._process.stderr.close()

    def _command(self, command: dict[str, Any], handles: list[int] | None = None) -> dict[str, Any]:
        with self._lock:
            if not self._ready:
                self._read_line()
                self._ready = True
            try:
                socket.send_fds(self._control, [json.dumps(command).encode()], handles or [])
            except OSError as error:
                raise ConnectionError(f"The process that starts workers is gone: {error}.") from None
            return json.loads(self._read_line())

    def _read_line(self) -> bytes:
        while b"\n" not in self._buffer:
            try:
                part = self._control.recv(65536)
            except OSError as error:
                raise ConnectionError(f"The process that starts workers does not answer: {error}.") from None
            if not part:
                raise ConnectionError(f"The process that starts workers ended: {self._last_words()}")
            self._buffer += part
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def _last_words(self) -> str:
        text = self._process.stderr.read().decode(errors="replace").strip() if self._process.stderr else ""
        return text.splitlines()[-1] if text else "without a word."


def _environment(threads: int) -> dict[str, str]:
    """Keep what the libraries need and leave the rest of the teacher's environment out."""
    kept = {name: value for name, value in os.environ.items() if name.startswith(_KEPT)}
    count = str(threads)
    caps = (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "TF_NUM_INTRAOP_THREADS",
        "TF_NUM_INTEROP_THREADS",
    )
    fixed = {"PYTHONHASHSEED": "0", "MPLBACKEND": "agg", "LLMCOURSE_PROGRESS": "off", "TF_CPP_MIN_LOG_LEVEL": "3"}
    return kept | dict.fromkeys(caps, count) | fixed


def _explain(status: int) -> str:
    return f"signal {-status}" if status < 0 else f"exit status {status}"
