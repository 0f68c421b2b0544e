"""The trusted ends of the processes of a sandbox: the keeper, which forks, and the line to each worker's guard."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from dataclasses import dataclass

LOAD_SECONDS, FORK_SECONDS, END_SECONDS = 300.0, 30.0, 10.0
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

    Where its guard was ended, too, the status is None and the rest 0.
    """

    reason: str = ""
    status: int | None = None
    cpu: float = 0.0
    peak: int = 0


class Keeper:
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

    def fork(self, folder: str, memory: int) -> "Line":
        """Start a guard and its worker.

        Raises:
            SandboxError: the keeper is gone or does not answer.
        """
        self.wait_until_ready()
        request = json.dumps({"folder": folder, "memory": memory}).encode()
        (control, guards_control), (channel, workers_channel) = socket.socketpair(), socket.socketpair()
        with guards_control, workers_channel:
            try:
                with self._lock:
                    socket.send_fds(self._control, [request], [guards_control.fileno(), workers_channel.fileno()])
            except OSError as error:
                control.close()
                channel.close()
                raise SandboxError(f"The process that starts workers is gone: {error}.") from None
        return Line(control, channel)

    def close(self, patience: float = END_SECONDS) -> None:
        """End the process; guards that still run see for themselves that nobody wants them any more."""
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


class Line:
    """Two sockets: `channel` leads to the worker, the other one to its guard.

    Raises:
        SandboxError: no guard answers.
    """

    def __init__(self, control: socket.socket, channel: socket.socket):
        self.channel, self._control = channel, control
        control.settimeout(FORK_SECONDS)
        try:
            first, _, self._said = control.recv(4096).partition(b"\n")
            self._guard = int(json.loads(first)["guard"])
        except (OSError, ValueError):
            control.close()
            channel.close()
            raise SandboxError("The process that starts workers does not answer.") from None

    def end(self) -> Usage:
        """Let the guard end the worker with all that it started, and read its report."""
        self.channel.close()
        with suppress(OSError):  # where the guard ended already, its report is there to be read
            self._control.shutdown(socket.SHUT_WR)
        try:
            self._control.settimeout(END_SECONDS)
            while part := self._control.recv(4096):
                self._said += part
        except TimeoutError:  # a learner's code stopped the guard: the keeper clears away what it leaves
            with suppress(ProcessLookupError, PermissionError):
                os.kill(self._guard, signal.SIGKILL)
        except OSError:
            pass
        self._control.close()
        return Usage(**json.loads(self._said)) if self._said.endswith(b"\n") else Usage()

    def interrupt(self) -> None:
        """Break the connection, from any thread."""
        with suppress(OSError):
            self.channel.shutdown(socket.SHUT_RDWR)


def _environment(threads: int) -> dict[str, str]:
    """Keep what the libraries need and leave the rest of the teacher's environment out."""
    kept = {name: value for name, value in os.environ.items() if name.startswith(_KEPT)}
    fixed = {"PYTHONHASHSEED": "0", "MPLBACKEND": "agg", "LLMCOURSE_PROGRESS": "off", "TF_CPP_MIN_LOG_LEVEL": "3"}
    return kept | dict.fromkeys(_ONE_THREAD, "1") | dict.fromkeys(_THREADS, str(threads)) | fixed
