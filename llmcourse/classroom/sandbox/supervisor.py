"""Watches one worker with everything that it starts, and ends it as a whole.

Three kinds of process, each below the one before: the fork server holds the loaded libraries, a supervisor belongs to
one submission, and its worker runs the learner's code. Only what stands below its supervisor can belong to a
submission, so nothing that a learner detaches is ever blamed on another, or left behind.
"""

import contextlib
import ctypes
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from llmcourse.classroom.sandbox.processes import descendants, kill, parents, proportional_bytes, resident_bytes

MAX_PROCESSES = 64
LOOK_SECONDS, TREE_SECONDS = 0.1, 0.5  # how often the worker is looked at, and the worker with all it started
END_SECONDS = 5.0
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


def serve_forks(control: socket.socket, work: Callable[[dict[str, Any], int], None]) -> None:
    """Fork a supervisor for each request of the grader; end when the grader is gone.

    Args:
        control: brings requests, each with two sockets: the supervisor's to the grader, and the worker's.
        work: what a worker does, given the request and the number of its socket.
    """
    become_subreaper()
    supervisors: set[int] = set()
    while True:
        ready = select.select([control], [], [], TREE_SECONDS if supervisors else None)[0]
        _clear_away(supervisors)
        if not ready:
            continue
        message, handles, _, _ = socket.recv_fds(control, 65536, 2)
        if not message:
            break
        report, channel = handles
        supervisors.add(_fork(partial(_supervise, control, json.loads(message), report, channel, work)))
        for handle in handles:
            os.close(handle)
    started = time.monotonic()  # each supervisor sees for itself that the grader is gone
    while supervisors and time.monotonic() - started < END_SECONDS:
        time.sleep(0.02)
        _clear_away(supervisors)


def _clear_away(supervisors: set[int]) -> None:
    """Forget supervisors that ended, and kill what a supervisor left behind that was itself killed."""
    failed = False
    for _ in range(200):
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                failed = failed or ended[1] != 0
                supervisors.discard(ended[0])
        if not failed:
            return
        orphans = {pid for pid, parent in parents().items() if parent == os.getpid()} - supervisors
        if not orphans:
            return
        for pid in orphans:
            kill(pid)
        time.sleep(0.005)


def _supervise(
    fork_servers: socket.socket,
    request: dict[str, Any],
    report_handle: int,
    channel_handle: int,
    work: Callable[[dict, int], None],
) -> None:
    """Start a worker, say so, watch it, end it with all it started, and report."""
    fork_servers.close()
    become_subreaper()
    report, supervisor = socket.socket(fileno=report_handle), os.getpid()
    started, go = os.pipe()

    def begin() -> None:
        report.close()
        os.close(go)
        os.setsid()
        if sys.platform == "linux":
            _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        os.read(started, 1)  # the grader knows both processes before any code of a learner runs
        os.close(started)
        if os.getppid() == supervisor:  # otherwise the supervisor ended before the line above
            work(request, channel_handle)

    usage = _Usage(_fork(begin))
    os.close(channel_handle)
    os.close(started)
    report.sendall(json.dumps({"supervisor": supervisor, "worker": usage.worker}).encode() + b"\n")
    os.close(go)
    reason = _watch(report, usage, request["memory"])
    _end_tree(usage)
    told = {"reason": reason, "status": usage.status, "cpu": usage.cpu, "peak": usage.peak}
    with contextlib.suppress(OSError):
        report.sendall(json.dumps(told).encode() + b"\n")


@dataclass
class _Usage:
    """What is known of a worker and of the processes it left to its supervisor."""

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


def _watch(report: socket.socket, usage: _Usage, memory: int) -> str:
    """Wait until the worker ended, the grader is done with it, or it took too much; say what it took too much of."""
    looked = time.monotonic()
    while usage.status is None and not select.select([report], [], [], LOOK_SECONDS)[0]:
        usage.reap()
        if resident_bytes(usage.worker) > memory:
            return "memory"
        if time.monotonic() - looked > TREE_SECONDS:
            looked = time.monotonic()
            tree = descendants(os.getpid())
            if len(tree) > MAX_PROCESSES:
                return "processes"
            # The exact sum is slow to read.
            if sum(map(resident_bytes, tree)) > memory and sum(map(proportional_bytes, tree)) > memory:
                return "memory"
    return ""


def _end_tree(usage: _Usage) -> None:
    """Kill everything below this process, again and again, since what is killed may just have started something."""
    if usage.status is None:  # its number still is its own
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(usage.worker, signal.SIGKILL)
    started = time.monotonic()
    while time.monotonic() - started < END_SECONDS:
        tree = descendants(os.getpid())
        for pid in {*tree, *([usage.worker] if usage.status is None else [])}:
            kill(pid)
        usage.reap()
        if not tree and usage.status is not None:
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


def become_subreaper() -> None:
    """Let processes below this one become its children when their parents end (Linux)."""
    if sys.platform == "linux":
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None).prctl(option, value)
