"""Watches one worker with everything that it starts, and ends it as a whole.

Three kinds of process, each below the one before: the keeper holds the loaded libraries, a guard belongs to one
submission, and its worker runs the learner's code. Only what stands below its guard can belong to a submission, so
nothing that a learner detaches is ever blamed on another, or left behind.
"""

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

MAX_PROCESSES = 64
LOOK_SECONDS, FAMILY_SECONDS = 0.1, 0.5  # how often the worker is looked at, and the worker with all it started
END_SECONDS = 5.0
_PAGE = resource.getpagesize()
_DIE_WITH_PARENT, _ADOPT_ORPHANS = 1, 36  # numbers of prctl


def keep(control: socket.socket, live: Callable[[dict[str, Any], int], None]) -> None:
    """Fork a guard for each request of the grader; end when the grader is gone.

    Args:
        control: brings requests, each with two sockets: the guard's own line to the grader, and the worker's.
        live: what a worker does, given the request and the number of its socket.
    """
    adopt_orphans()
    guards: set[int] = set()
    while True:
        ready = select.select([control], [], [], FAMILY_SECONDS if guards else None)[0]
        _clear_away(guards)
        if not ready:
            continue
        message, handles, _, _ = socket.recv_fds(control, 65536, 2)
        if not message:
            break
        line, channel = handles
        guards.add(_fork(partial(_guard, control, json.loads(message), line, channel, live)))
        for handle in handles:
            os.close(handle)
    started = time.monotonic()  # each guard sees for itself that the grader is gone
    while guards and time.monotonic() - started < END_SECONDS:
        time.sleep(0.02)
        _clear_away(guards)


def _clear_away(guards: set[int]) -> None:
    """Forget guards that ended, and kill what a guard left behind that was itself killed."""
    failed = False
    for _ in range(200):
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                failed = failed or ended[1] != 0
                guards.discard(ended[0])
        if not failed:
            return
        orphans = {pid for pid, parent in _parents().items() if parent == os.getpid()} - guards
        if not orphans:
            return
        for pid in orphans:
            _kill(pid)
        time.sleep(0.005)


def _guard(
    keepers: socket.socket, request: dict[str, Any], control_handle: int, handle: int, live: Callable[[dict, int], None]
) -> None:
    """Start a worker, say so, watch it, end it with all it started, and report."""
    keepers.close()
    adopt_orphans()
    control, guard = socket.socket(fileno=control_handle), os.getpid()
    control.sendall(json.dumps({"guard": guard}).encode() + b"\n")

    def work() -> None:
        control.close()
        os.setsid()
        if sys.platform == "linux":
            _prctl(_DIE_WITH_PARENT, signal.SIGKILL)
        if os.getppid() == guard:  # otherwise the guard ended before the line above
            live(request, handle)

    tally = _Tally(_fork(work))
    os.close(handle)
    reason = _watch(control, tally, request["memory"])
    _end_family(tally)
    report = {"reason": reason, "status": tally.status, "cpu": tally.cpu, "peak": tally.peak}
    with contextlib.suppress(OSError):
        control.sendall(json.dumps(report).encode() + b"\n")


@dataclass
class _Tally:
    """What is known of a worker and of the processes it left to its guard."""

    worker: int
    status: int | None = None
    cpu: float = 0.0
    peak: int = 0

    def reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
                if not pid:
                    return
                self.cpu += usage.ru_utime + usage.ru_stime
                self.peak = max(self.peak, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024))
                if pid == self.worker:
                    self.status = os.waitstatus_to_exitcode(status)


def _watch(control: socket.socket, tally: _Tally, memory: int) -> str:
    """Wait until the worker ended, the grader is done with it, or it took too much; say what it took too much of."""
    looked = time.monotonic()
    while tally.status is None and not select.select([control], [], [], LOOK_SECONDS)[0]:
        tally.reap()
        if _resident(tally.worker) > memory:
            return "memory"
        if time.monotonic() - looked > FAMILY_SECONDS:
            looked = time.monotonic()
            family = _below(os.getpid())
            if len(family) > MAX_PROCESSES:
                return "processes"
            if sum(map(_resident, family)) > memory and sum(map(_share, family)) > memory:  # the exact one is slow
                return "memory"
    return ""


def _end_family(tally: _Tally) -> None:
    """Kill everything below this process, again and again, since what is killed may just have started something."""
    if tally.status is None:  # its number still is its own
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(tally.worker, signal.SIGKILL)
    started = time.monotonic()
    while time.monotonic() - started < END_SECONDS:
        family = _below(os.getpid())
        for pid in {*family, *([tally.worker] if tally.status is None else [])}:
            _kill(pid)
        tally.reap()
        if not family and tally.status is not None:
            return
        time.sleep(0.005)


def _fork(work: Callable[[], None]) -> int:
    """Do some work in a new process, which then leaves without running anything that this process prepared."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        work()
        status = 0
    finally:
        os._exit(status)


def adopt_orphans() -> None:
    """Let processes below this one become its children when their parents end (Linux)."""
    if sys.platform == "linux":
        _prctl(_ADOPT_ORPHANS, 1)


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None).prctl(option, value)


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def _resident(pid: int) -> int:
    """Read the resident bytes of a process; 0 where the system does not say."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    except (OSError, ValueError, IndexError):
        return 0


def _share(pid: int) -> int:
    """Read a process's share of the memory in use: pages that several hold count in parts."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return _resident(pid)


def _parents() -> dict[int, int]:
    """Map every process of this machine to its parent; empty where there is no /proc."""
    found = {}
    for entry in os.scandir("/proc") if sys.platform == "linux" else ():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                # The name in the middle may hold spaces and brackets: what counts comes after the last one.
                fields = Path(entry.path, "stat").read_text(errors="replace").rpartition(")")[2].split()
                found[int(entry.name)] = int(fields[1])
    return found


def _below(pid: int) -> list[int]:
    """List all processes below one."""
    children: dict[int, list[int]] = {}
    for child, parent in _parents().items():
        children.setdefault(parent, []).append(child)
    found = [pid]
    for member in found:
        found += children.get(member, [])
    return found[1:]
