"""The trusted end of a worker: code that does not stop, that ends its process, that writes on the socket itself."""

import sys

import numpy as np
import pytest

from llmcourse.checking.criteria import Criterion
from llmcourse.checking.raised import StudentError
from llmcourse.checking.run import run_criterion
from llmcourse.checking.student import ConnectionLostError
from llmcourse.checking.values import encode
from llmcourse.classroom.sandbox import channel, forkserver

KEYS = ("type_name", "message", "line", "ancestors", "cause", "subject")
linux = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


def test_a_callback_reaches_the_criterions_function_and_its_errors_come_back(worker):
    worker.run("def apply(f, x): return f(x) + 1")
    student = worker.student
    assert student.apply(lambda x: 3 * x, 2.0) == 7.0
    with pytest.raises(StudentError, match="TypeError"):
        student.apply(lambda: 3, 2.0)
    assert student.apply(lambda x: x, 2.0) == 3.0


def test_a_callback_with_bytes_that_are_no_message_is_refused(worker):
    student = worker.student
    assert b"error" in student._serve(b"\0" * 20)
    assert b"error" in student._serve(encode([1, 2]))


def test_code_that_hangs_is_stopped_and_its_worker_goes_on(worker):
    assert worker.run("while True: pass", 0.3).startswith("TimeLimitError: not finished after 0.3 seconds of computing")
    assert worker.run("x = 1") is None


@pytest.mark.parametrize(
    "source",
    [
        "def spin():\n    while True: pass\nwhile True:\n    try: spin()\n    except BaseException: pass",
        "import signal\nsignal.signal(signal.SIGALRM, signal.SIG_IGN)\nwhile True: pass",
        "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\nwhile True: pass",
        "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)",
        "sum(range(10**12))",
    ],
    ids=["swallows interrupts", "ignores the alarm", "blocks signals", "stops itself", "computes below Python"],
)
def test_code_that_resists_is_ended(worker, source):
    reason, said = worker.lost(source)
    assert reason == "timeout"
    what = "stopped its own process" if "SIGSTOP" in source else "did not stop after 0.5 seconds of computing"
    assert said == f"{what} and was ended"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import os\nos._exit(3)", "exit status 3"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "signal SIGKILL"),
        ("import ctypes\nctypes.string_at(0)", "signal SIGSEGV"),
        ("import os\nos.closerange(0, 4096)", "ended its process"),
        ("import sys\nsys.setrecursionlimit(10**9)\ndef f(_): return [*map(f, [0])]\nf(0)", "signal SIGSEGV"),
        ("import os\nos.kill(os.getppid(), 9)\nimport time\ntime.sleep(5)", "and the one that watches it"),
    ],
    ids=[
        "exits",
        "kills itself",
        "segmentation fault",
        "closes all files",
        "overflows the stack",
        "kills its supervisor",
    ],
)
def test_code_that_ends_its_process_is_told_so(worker, source, said):
    reason, message = worker.lost(source, 2.0)
    assert reason == "crashed"
    assert said in message


FIND_CHANNEL = """
import os, socket, stat
handles = [int(name) for name in os.listdir("/proc/self/fd")]
sockets = []
for handle in handles:
    try:
        if stat.S_ISSOCK(os.fstat(handle).st_mode): sockets.append(handle)
    except OSError: pass
(channel,) = sockets
"""


@linux
@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("os.write(channel, b'hello, grader')", "ended its process"),
        ("os.write(channel, b'Q' + bytes(8))", "sent something out of turn and was ended"),
        ("os.write(channel, b'R' + (2**62).to_bytes(8, 'little'))", "ended its process"),
        ("os.write(channel, b'R' + (5).to_bytes(8, 'little') + b'wrong')", "sent something that is no answer"),
    ],
)
def test_a_learner_who_writes_on_its_socket_loses_the_worker(worker, source, said):
    reason, message = worker.lost(FIND_CHANNEL + source, 2.0)
    assert reason == "crashed"
    assert said in message


@linux
def test_frames_out_of_turn_in_a_check_fail_it(worker):
    forge = "def f(x):\n    os.write(channel, b'R' + (5).to_bytes(8, 'little') + b'wrong')\n    return x"
    worker.run(FIND_CHANNEL + forge)
    with pytest.raises(TypeError):
        worker.student.f(1.0)


def test_the_whole_submission_has_a_time_too(worker):
    worker.worker.budget.computing = 0.4
    assert "not finished after 0.4 seconds of computing" in worker.run("while True: pass", 5.0)
    with pytest.raises(ConnectionLostError, match="whole submission took more than 30 seconds of computing"):
        worker.run("x = 1")


def test_code_that_sleeps_is_stopped_by_the_clock(worker, monkeypatch):
    monkeypatch.setattr(channel, "PATIENCE", 2.0)
    assert "not finished after 0.6 seconds by the clock" in worker.run("import time\ntime.sleep(600)", 0.3)
    deaf = "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\ntime.sleep(600)"
    assert worker.lost(deaf, 0.3) == ("timeout", "did not stop after 0.6 seconds by the clock and was ended")


def test_time_that_is_not_spent_computing_does_not_count(worker):
    assert worker.run("import time\ntime.sleep(1.5)", 1.0) is None
    assert worker.worker.budget.computing > 29.0


def test_a_machine_that_does_not_tell_the_computing_time_is_served_by_the_clock(worker, monkeypatch):
    monkeypatch.setattr(forkserver, "state_and_cpu_seconds", lambda pid: ("", None))
    deaf = "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\nwhile True: pass"
    assert worker.lost(deaf, 0.3)[0] == "timeout"


REPLIES = {
    "text": np.array(["raised", "value"]),
    "an array of numbers": np.arange(3.0),
    "a number": 5,
    "a list": ["raised"],
    "nothing": None,
    "an empty dict": {},
    "an error in three parts": {"raised": ["ValueError", "no", ""]},
    "an error of numbers": {"raised": dict.fromkeys(KEYS, 5)},
    "an error of arrays": {"raised": dict.fromkeys(KEYS, np.array(["x"]))},
    "an error without ancestors": {"raised": dict.fromkeys(KEYS, "x")},
    "names that are numbers": {"value": 1, "entered": 5},
    "names that are text": {"value": 1, "changed": "abc"},
}


@pytest.mark.parametrize("name", REPLIES)
def test_a_reply_of_any_shape_loses_the_worker_or_fails_the_criterion(worker, monkeypatch, name):
    monkeypatch.setattr(worker.worker, "request", lambda *rest: encode(REPLIES[name]))
    assert worker.lost("x = 1") == ("crashed", "sent something that is no answer and was ended")
    item = Criterion("double", "it_doubles", lambda student, rng: student.double(3), 2, ("Which?",))
    outcome = run_criterion("toy", item, worker.student, "0")
    assert (outcome.points, outcome.status) == (0, "failed")
