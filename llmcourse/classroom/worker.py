"""The untrusted side of grading: started with `-m`, never imported.

One process, the keeper, loads the libraries once and forks a worker for each submission. A worker executes the
learner's cells and answers calls; it holds no criteria, no expected values and no seed. The keeper ends workers and
everything that they left running.
"""

import contextlib
import ctypes
import gc
import json
import os
import resource
import select
import signal
import socket
import sys
import time
import types
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmcourse.classroom import wire

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
MAX_PROCESSES, MAX_OPEN_FILES, MAX_FILE_BYTES = 100, 512, 200 * 2**20
WATCH_SECONDS, TREE_SECONDS = 0.1, 1.0
PAGE = resource.getpagesize()


@dataclass
class Child:
    """A running worker: its limit of memory in bytes, and why it was ended where the keeper did that."""

    pid: int
    memory: int
    reason: str = ""
    ended: dict[str, Any] | None = field(default=None)


class Keeper:
    """Forks workers on request, watches them, and ends them.

    Args:
        control: the socket to the grader; when it closes, everything ends.
    """

    def __init__(self, control: socket.socket):
        self.control = control
        self.children: dict[int, Child] = {}
        self.tree_looked_at = 0.0

    def run(self) -> None:
        """Serve until the grader is gone."""
        while True:
            self._watch()
            waiting = WATCH_SECONDS if any(child.ended is None for child in self.children.values()) else None
            if not select.select([self.control], [], [], waiting)[0]:
                continue
            message, handles, _, _ = socket.recv_fds(self.control, 65536, 1)
            if not message:
                break
            command = json.loads(message)
            reply = self._fork(command, handles[0]) if command["do"] == "fork" else self._answer(command)
            self.control.sendall(json.dumps(reply).encode() + b"\n")
        for pid in list(self.children):
            self._end(pid)

    def _answer(self, command: dict) -> dict:
        if command["do"] == "end":
            return self._end(command["pid"])
        self._reap()
        child = self.children.get(command["pid"])
        return {"alive": child is not None and child.ended is None}

    def _fork(self, command: dict, handle: int) -> dict:
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                self.control.close()
                live_as_worker(command, handle)
                status = 0
            finally:
                os._exit(status)
        os.close(handle)
        self.children[pid] = Child(pid, command["memory"])
        return {"pid": pid}

    def _watch(self) -> None:
        """End workers that hold too much memory or too many processes."""
        self._reap()
        living = [child for child in self.children.values() if child.ended is None]
        for child in living:
            if _resident(child.pid) > child.memory:
                self._kill(child, "memory")
        if living and time.monotonic() - self.tree_looked_at > TREE_SECONDS:
            self.tree_looked_at = time.monotonic()
            parents = _parents()
            for child in living:
                family = _descendants(child.pid, parents)
                if sum(_resident(pid) for pid in family) > child.memory:
                    self._kill(child, "memory")
                elif len(family) > MAX_PROCESSES:
                    self._kill(child, "processes")

    def _kill(self, child: Child, reason: str) -> None:
        child.reason = child.reason or reason
        for pid in _descendants(child.pid, _parents()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _end(self, pid: int) -> dict:
        child = self.children.get(pid)
        if child is None:
            return {"reason": "", "status": 0, "cpu": 0.0}
        if child.ended is None:
            self._kill(child, "")
            self._wait(child)
        self._kill_strays()
        del self.children[pid]
        return child.ended or {}

    def _reap(self) -> None:
        for child in self.children.values():
            if child.ended is None:
                self._wait(child, os.WNOHANG)

    def _wait(self, child: Child, options: int = 0) -> None:
        pid, status, usage = os.wait4(child.pid, options)
        if pid:
            cpu = usage.ru_utime + usage.ru_stime
            code = os.waitstatus_to_exitcode(status)
            child.ended = {"reason": child.reason, "status": code, "cpu": cpu, "peak": usage.ru_maxrss}

    def _kill_strays(self) -> None:
        """End what a worker detached from itself: orphans become children of the keeper, which is their subreaper."""
        for _ in range(50):
            known = {child.pid for child in self.children.values() if child.ended is None}
            strays = [pid for pid, parent in _parents().items() if parent == os.getpid() and pid not in known]
            for pid in strays:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, 0)
            if not strays:
                return


def live_as_worker(command: dict, handle: int) -> None:
    """Turn the forked process into a worker and answer the grader until it closes the channel."""
    os.setsid()
    _die_with_parent()
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    channel = socket.socket(fileno=handle)
    _limit(command["memory"])
    os.umask(0o077)
    os.chdir(command["folder"])
    os.environ.update(HOME=command["folder"], TMPDIR=command["folder"], LLMCOURSE_PROGRESS="off")
    serve(channel)


def serve(channel: socket.socket) -> None:
    """Execute cells and answer calls, one request after the other."""
    from llmcourse.checking.local import LocalConnection

    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    _leave_out_the_checks()
    connection = LocalConnection(vars(module))

    def ask(message: bytes) -> bytes:
        wire.send(channel, wire.CALLBACK, message)
        return wire.receive(channel)[1]

    while True:
        try:
            _, content = wire.receive(channel)
        except wire.ChannelClosedError:
            return
        seconds = int.from_bytes(content[:4], "little") / 1000
        wire.send(channel, wire.REPLY, connection.request(content[4:], ask, seconds))


def _leave_out_the_checks() -> None:
    """Put an idle `lesson` in the place of the real one: here the criteria are run from outside."""
    from llmcourse import checking

    class Idle:
        def __getattr__(self, name: str) -> Any:
            return lambda *args, **kwargs: None

        def __call__(self, *args: Any, **kwargs: Any) -> None:
            return None

    checking.lesson = lambda *args, **kwargs: Idle()  # type: ignore[assignment]


def _limit(memory: int) -> None:
    """Limit what a worker may take; the address space stays free, since TensorFlow reserves more than it uses."""
    limits = {"RLIMIT_CORE": 0, "RLIMIT_FSIZE": MAX_FILE_BYTES, "RLIMIT_NOFILE": MAX_OPEN_FILES}
    if sys.platform == "linux":  # counts the heap; the keeper's own is part of it after a fork
        limits["RLIMIT_DATA"] = memory + _data_bytes()
    for name, value in limits.items():
        kind = getattr(resource, name)
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))


def _data_bytes() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) * 1024
    return 0


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _become_subreaper() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)


def _resident(pid: int) -> int:
    """Read the resident bytes of a process; 0 where the system does not say."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
    except (OSError, ValueError, IndexError):
        return 0


def _parents() -> dict[int, int]:
    """Map every process of this machine to its parent; empty where there is no /proc."""
    return dict(_read_parents())


def _read_parents() -> Iterator[tuple[int, int]]:
    for entry in os.scandir("/proc") if sys.platform == "linux" else ():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                # The name in the middle may hold spaces and brackets: what counts comes after the last one.
                fields = Path(entry.path, "stat").read_text(errors="replace").rpartition(")")[2].split()
                yield int(entry.name), int(fields[1])


def _descendants(pid: int, parents: dict[int, int]) -> list[int]:
    """List a process and all below it, the process itself first."""
    found = [pid]
    for member in found:
        found += [child for child, parent in parents.items() if parent == member]
    return found


def main() -> None:
    """Run the keeper on the control socket whose number is the first argument; `warm` loads the libraries first."""
    control = socket.socket(fileno=int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the grader's to handle; it closes the socket
    _become_subreaper()
    if sys.argv[2] == "warm":
        # Imported and never used before the fork: what starts threads or touches a GPU happens in the workers.
        from llmcourse.runtime import import_libraries

        import_libraries()
        gc.collect()
        gc.freeze()  # keeps the collector from writing to pages that all workers share
    control.sendall(b'{"ready": true}\n')
    Keeper(control).run()


if __name__ == "__main__":
    main()
