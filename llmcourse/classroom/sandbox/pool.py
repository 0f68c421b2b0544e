"""Workers with private folders: started when a submission needs one, ended as a whole."""

import os
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType

from llmcourse.classroom.sandbox.channel import Worker
from llmcourse.classroom.sandbox.forkserver import ForkServer, SandboxError
from llmcourse.classroom.sandbox.limits import Limits

__all__ = ["ISOLATION", "Limits", "Sandbox", "SandboxError", "Worker", "remove_folder"]

ISOLATION = {
    "basic": (
        "basic: own process and private folder; limits on time, memory, processes and file size. Not walled off: the "
        "code runs as you, so it can read and change your files, reach the network and end your other processes"
    )
}


class Sandbox:
    """Makes workers, each for one submission.

    On Linux one process loads the libraries once and forks every worker in milliseconds. Elsewhere, where forking
    after the import is not safe, each worker starts from nothing.

    Args:
        isolation: "basic".
        threads: how many threads TensorFlow may use in one worker.
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
        self._lock = threading.Lock()
        self._closed = False
        self._workers: set[Worker] = set()
        self._server = ForkServer(threads, warm=True) if self._warm else None

    def wait_until_ready(self) -> None:
        """Wait until the libraries are loaded.

        Raises:
            SandboxError: they cannot be; the message has the last words of the process.
        """
        if self._server:
            self._server.wait_until_ready()

    @contextmanager
    def worker(self, limits: Limits, files: Mapping[str, str] = MappingProxyType({})) -> Iterator[Worker]:
        """Give a worker with a private folder; whatever it left running, and the folder, is gone afterwards.

        Args:
            limits: what it may take.
            files: names and texts of files that its folder holds.

        Raises:
            SandboxError: no process can be started.
        """
        folder = tempfile.mkdtemp(prefix="llmcourse-")
        worker = None
        try:
            for name, text in files.items():
                Path(folder, name).write_text(text, encoding="utf-8")
            worker = self._start(folder, limits)
            yield worker
        finally:
            if worker:
                worker.end()
                with self._lock:
                    self._workers.discard(worker)
            remove_folder(Path(folder))

    def _start(self, folder: str, limits: Limits) -> Worker:
        if not self._warm:
            return self._known(_start_cold(self._threads, folder, limits))
        server = self._current()
        try:
            return self._known(Worker(server.fork(folder, limits.memory), limits))
        except SandboxError:  # a learner's code ended or stopped the fork server
            with self._lock:
                if self._server is server:
                    self._server = None
                    server.close(patience=0)
        return self._known(Worker(self._current().fork(folder, limits.memory), limits))

    def _current(self) -> ForkServer:
        with self._lock:
            if self._closed:
                raise SandboxError("Grading was stopped.")
            self._server = self._server or ForkServer(self._threads, warm=True)
            return self._server

    def _known(self, worker: Worker) -> Worker:
        with self._lock:
            self._workers.add(worker)
            if self._closed:  # meanwhile
                worker.interrupt()
        return worker

    def close(self) -> None:
        """End all workers and the process that forks them; grading in other threads fails at once."""
        with self._lock:
            self._closed = True
            for worker in self._workers:
                worker.interrupt()
        if self._server:
            self._server.close()

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(self, *details: object) -> None:
        self.close()


def _start_cold(threads: int, folder: str, limits: Limits) -> Worker:
    server = ForkServer(threads, warm=False)
    try:
        return Worker(server.fork(folder, limits.memory), limits, server)
    except SandboxError:
        server.close(patience=0)
        raise


def remove_folder(folder: Path) -> None:
    """Remove a folder, however deep it is and whatever rights a learner's code took away.

    Each folder inside is first moved up to the top: no path gets long, no call goes deep, and the time grows with the
    number of folders only.
    """
    top = Path(tempfile.mkdtemp(prefix="llmcourse-", dir=folder.parent))
    with suppress(OSError):
        waiting = [folder.rename(top / "0")]
        moved = 0
        while waiting:
            inner = waiting.pop()
            inner.chmod(0o700)
            for entry in list(os.scandir(inner)):
                if entry.is_dir(follow_symlinks=False):
                    moved += 1
                    Path(entry.path).chmod(0o700)  # a folder without rights cannot be moved
                    waiting.append(Path(entry.path).rename(top / str(moved)))
                else:
                    Path(entry.path).unlink()
            inner.rmdir()
        top.rmdir()
