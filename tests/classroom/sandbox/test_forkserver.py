"""The fork server: what it lets through, and what it does when a learner's code attacks it."""

import signal
import socket
import sys

import pytest

from llmcourse.classroom.sandbox import forkserver
from llmcourse.classroom.sandbox.forkserver import ForkServer, SandboxError, Usage, WorkerProcess
from llmcourse.classroom.sandbox.pool import Sandbox

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


def test_the_environment_of_the_teacher_stays_outside(monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("LLMCOURSE_DATA", "kept")
    found = forkserver._environment(3)
    assert "AWS_SECRET_ACCESS_KEY" not in found
    assert (found["LLMCOURSE_DATA"], found["TF_NUM_INTRAOP_THREADS"], found["OMP_NUM_THREADS"]) == ("kept", "3", "1")


@linux
def test_a_process_that_its_supervisor_cannot_end_any_more_is_ended_by_the_fork_server(sandbox, start, ended, detach):
    with start(sandbox) as worker:
        worker.run(detach)
        started = worker.student.started()
        worker.lost("os.kill(os.getppid(), 9)\ntime.sleep(5)", 2.0)
    assert all(ended(pid) for pid in started)


@linux
def test_a_stopped_supervisor_holds_nothing_up_for_long(sandbox, start, ended, detach, monkeypatch):
    monkeypatch.setattr(forkserver, "END_SECONDS", 0.5)
    with start(sandbox) as worker:
        worker.run(detach)
        started = worker.student.started()
        worker.lost("os.kill(os.getppid(), signal.SIGSTOP)\nos._exit(0)", 1.0)
    assert all(ended(pid) for pid in started)


@linux
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_fork_server_that_is_killed_or_stopped_is_replaced(number, start, light, monkeypatch):
    monkeypatch.setattr(forkserver, "FORK_SECONDS", 4.0)
    attack = f"""
import os
server = int(open(f"/proc/{{os.getppid()}}/stat").read().rpartition(")")[2].split()[1])
os.kill(server, {int(number)})
def answer(): return 5
"""
    with Sandbox(warm=True) as sandbox:
        with start(sandbox) as worker:
            assert worker.run(attack) is None
            assert worker.student.answer() == 5  # this submission has a supervisor of its own and goes on
        for _ in range(2):
            with start(sandbox) as worker:
                assert worker.run("x = 1") is None


def test_a_fork_server_that_cannot_load_says_why(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "no_such_backend")
    server = ForkServer(1, warm=True)
    with pytest.raises(SandboxError, match="ended: .*no_such_backend"):
        server.wait_until_ready()
    server.close()


@pytest.mark.parametrize(
    "report",
    [
        b"",
        b"{",
        b"5\n",
        b"[1, 2]\n",
        b'{"reason": "", "status": 0}\n',
        b'{"reason": "", "status": 0, "cpu": 1, "peak": 2, "more": 3}',
        b'{"reason": ["memory"], "status": 0, "cpu": 1.0, "peak": 2}\n',
        b'{"reason": "", "status": "0", "cpu": 1.0, "peak": 2}\n',
        b'{"reason": "", "status": 0, "cpu": NaN, "peak": 2}\n',
        b'{"reason": "", "status": 0, "cpu": 1e999, "peak": 2}\n',
        b'{"reason": "", "status": 0, "cpu": -1, "peak": 2}\n',
        b'{"reason": "", "status": 0, "cpu": 1' + b"0" * 400 + b', "peak": 2}\n',
        b"[" * 60_000,
    ],
)
def test_a_forged_report_counts_as_none_or_says_what_it_may(report):
    usage = Usage.read(report)
    assert usage == Usage() or usage == Usage("", 0, 1.0, 2)


def test_a_true_report_is_understood():
    report = b'{"reason": "memory", "status": -9, "cpu": 1.5, "peak": 7}\n'
    assert Usage.read(report) == Usage("memory", -9, 1.5, 7)
    assert Usage.read(report.replace(b"-9", b"null")) == Usage("memory", None, 1.5, 7)


@pytest.mark.parametrize("told", [b"[1]\n", b'{"supervisor": -1, "worker": 5}\n', b'{"supervisor": 7}\n', b"\n", b""])
def test_a_supervisor_that_names_no_processes_is_none(told):
    (report, theirs), (channel, other) = socket.socketpair(), socket.socketpair()
    with theirs, other:
        theirs.sendall(told)
        theirs.shutdown(socket.SHUT_WR)
        with pytest.raises(SandboxError, match="does not answer"):
            WorkerProcess(report, channel)
