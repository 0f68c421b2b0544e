"""The trusted ends of a sandbox's processes: the fork server, and each worker with its supervisor."""

import json
import math
import os
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from dataclasses import dataclass

from llmcourse.classroom.sandbox.processes import STOPPED, kill, state_and_cpu_seconds

LOAD_SECONDS, FORK_SECONDS, END_SECONDS = 300.0, 30.0, 10.0
MAX_REPORT = 2**16
_KEPT = (  # beginnings of the names of environment variables that a worker may see
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
)
# NumPy's products are small here: a second thread triples the CPU time, since it waits for work without sleeping.
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
_THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


class SandboxError(RuntimeError):
    """Says that no process for learners' code can be started, and why."""


@dataclass(frozen=True)
class Usage:
    """How a worker ended: what it took too much of ("" if nothing), exit status, CPU seconds, peak resident bytes.

    Where its supervisor was ended, too, the status is None and the rest 0.
    """

    reason: str = ""
    status: int | None = None
    cpu: float = 0.0
    peak: int = 0

    @classmethod
    def read(cls, report: bytes) -> "Usage":
        """Understand a supervisor's report; one that no supervisor wrote counts as none."""
        try:
            told = json.loads(report)
            reason, status, cpu, peak = told["reason"], told["status"], float(told["cpu"]), told["peak"]
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            return cls()
        known = reason in ("", "memory", "processes") and type(peak) is int and isinstance(status, int | None)
        return cls(reason, status, cpu, peak) if known and 0 <= cpu < math.inf else cls()


class ForkServer:
    """The process that loads the libraries and forks.

    Args:
        threads: how many threads TensorFlow may use.
        warm: load the libraries before the first fork.
    """

    def __init__(self, threads: int, warm: bool):
        self._control, theirs = socket.socketpair()
        self._lock, self._ready = threading.RLock(), False
        self._words = tempfile.TemporaryFile()  # noqa: SIM115  (closed in `close`)
        mode = "warm" if warm else "cold"
        with theirs:
            self._process = subprocess.Popen(
                # -P: a file called numpy.py in the folder that the teacher stands in is not imported.
                [sys.executable, "-P", "-m", "llmcourse.classroom.sandbox.worker", str(theirs.fileno()), mode],
                pass_fds=[theirs.fileno()],
                env=_environment(threads),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._words,
                start_new_session=True,
            )

    def wait_until_ready(self) -> None:
        """Wait until the libraries are loaded.

        Raises:
            SandboxError: the process ended meanwhile, or takes more than five minutes.
        """
        with self._lock:
            if self._ready:
                return
            try:
                self._control.settimeout(LOAD_SECONDS)
                self._ready = self._control.recv(64) == b"ready\n"
            except OSError as error:
                raise SandboxError(f"The process that starts workers does not answer: {error}.") from None
            if not self._ready:
                raise SandboxError(f"The process that starts workers ended: {self._last_words()}")

    def fork(self, folder: str, memory: int) -> "WorkerProcess":
        """Start a supervisor and its worker.

        Raises:
            SandboxError: the fork server is gone or does not answer.
        """
        self.wait_until_ready()
        request = json.dumps({"folder": folder, "memory": memory}).encode()
        (report, supervisors), (channel, workers) = socket.socketpair(), socket.socketpair()
        with supervisors, workers:
            try:
                with self._lock:
                    socket.send_fds(self._control, [request], [supervisors.fileno(), workers.fileno()])
            except OSError as error:
                report.close()
                channel.close()
                raise SandboxError(f"The process that starts workers is gone: {error}.") from None
        return WorkerProcess(report, channel)

    def close(self, patience: float = END_SECONDS) -> None:
        """End the process; supervisors that still run see for themselves that nobody wants them any more."""
        with suppress(OSError):
            self._control.shutdown(socket.SHUT_RDWR)  # wakes a thread that waits for it
        self._control.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(patience if self._ready else 0)  # what still loads has forked nothing
        self._process.kill()
        self._process.wait()
        self._words.close()

    def _last_words(self) -> str:
        self._words.seek(0)
        lines = self._words.read().decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "without a word.")


class WorkerProcess:
    """A worker and its supervisor, seen from the grader: `channel` is the socket that leads to the worker.

    Args:
        report: the socket on which the supervisor tells of the worker.
        channel: the socket to the worker.

    Raises:
        SandboxError: no supervisor answers.
    """

    def __init__(self, report: socket.socket, channel: socket.socket):
        self.channel, self._report = channel, report
        report.settimeout(FORK_SECONDS)
        try:
            first, _, self._told = report.recv(4096).partition(b"\n")
            started = json.loads(first)
            self._supervisor, self._worker = (_process_number(started[key]) for key in ("supervisor", "worker"))
        except (OSError, ValueError, TypeError, KeyError):
            report.close()
            channel.close()
            raise SandboxError("The process that starts workers does not answer.") from None

    def cpu_seconds(self) -> float | None:
        """Read the CPU time that the worker took so far; None where the system does not say."""
        return state_and_cpu_seconds(self._worker)[1]

    def is_stopped(self) -> bool:
        """Tell whether the worker was stopped, or ended, so that it can never answer."""
        return state_and_cpu_seconds(self._worker)[0] in STOPPED

    def end(self) -> Usage:
        """Let the supervisor end the worker with all that it started, and read its report."""
        self.channel.close()
        with suppress(OSError):  # where the supervisor ended already, its report is there to be read
            self._report.shutdown(socket.SHUT_WR)
        try:
            self._report.settimeout(END_SECONDS)
            while len(self._told) < MAX_REPORT and (part := self._report.recv(4096)):
                self._told += part
        except TimeoutError:  # a learner's code stopped the supervisor: the fork server clears away what it leaves
            kill(self._supervisor)
        except OSError:
            pass
        self._report.close()
        return Usage.read(self._told)

    def interrupt(self) -> None:
        """Break the connection, from any thread."""
        with suppress(OSError):
            self.channel.shutdown(socket.SHUT_RDWR)


def _process_number(told: object) -> int:
    """Accept the number of one process: 0 and less, and 1, would name whole groups, and the whole machine."""
    if type(told) is not int or not 1 < told < 2**31:
        raise ValueError(f"The number of a process is required. Received: {told!r:.40}.")
    return told


def _environment(threads: int) -> dict[str, str]:
    """Keep what the libraries need and leave the rest of the teacher's environment out."""
    kept = {name: value for name, value in os.environ.items() if name.startswith(_KEPT)}
    fixed = {"PYTHONHASHSEED": "0", "MPLBACKEND": "agg", "LLMCOURSE_PROGRESS": "off", "TF_CPP_MIN_LOG_LEVEL": "3"}
    return kept | dict.fromkeys(_ONE_THREAD, "1") | dict.fromkeys(_THREADS, str(threads)) | fixed
