"""The walls of `basic` isolation: what a learner's code does to its process, to those above it, and to the class."""

import os
import signal
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from llmcourse.checking.student import ConnectionLostError, Student, StudentError
from llmcourse.checking.values import encode
from llmcourse.classroom.sandbox import forkserver as keepers
from llmcourse.classroom.sandbox import frames as wire
from llmcourse.classroom.sandbox import pool as walls
from llmcourse.classroom.sandbox.forkserver import Keeper, SandboxError
from llmcourse.classroom.sandbox.pool import Limits, Sandbox, remove_folder

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
LIMITS = Limits(cell_seconds=2.0, seconds=30.0, memory=2**30)


@pytest.fixture
def worker(sandbox, short):
    with sandbox.worker(LIMITS) as worker:
        yield worker


def run(worker, source, seconds=2.0):
    return worker.execute(source, "<cell 1>", seconds)


def lost(worker, source, seconds=0.5):
    with pytest.raises(ConnectionLostError) as caught:
        run(worker, source, seconds)
    return caught.value.reason, str(caught.value)


def ended(pid, seconds=3.0):
    """Wait until a process is gone, or only waits to be collected."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.02)
    return False


# --- what a worker is -------------------------------------------------------------------------------------------------


def test_cells_share_their_names_and_errors_come_back_with_their_line(worker):
    assert run(worker, "x = 5") is None
    error = run(worker, "y = x\nz = y / 0")
    assert error == "ZeroDivisionError: division by zero (line 2 of <module>: z = y / 0)"
    assert Student(worker).double is not None
    run(worker, "def triple(values):\n    return 3 * values")
    np.testing.assert_array_equal(Student(worker).triple(np.arange(5.0)), 3 * np.arange(5.0))


def test_a_worker_has_a_private_folder_that_is_gone_afterwards(sandbox, short):
    with sandbox.worker(LIMITS) as worker:
        run(worker, "import os, tempfile\ndef place(): return [os.getcwd(), os.environ['HOME'], tempfile.gettempdir()]")
        run(worker, "open('left.txt', 'w').write('here')")
        places = Student(worker).place()
        assert len(set(places)) == 1
        folder = Path(places[0])
        assert (folder / "left.txt").exists()
        assert folder.stat().st_mode & 0o077 == 0
    assert not folder.exists()


def test_a_worker_sees_no_secret_of_the_teacher(worker, monkeypatch):
    run(worker, "import os, sys\ndef seen(): return [sorted(os.environ), sys.argv, open('/proc/self/cmdline').read()]")
    names, arguments, line = Student(worker).seen()
    assert not {name for name in names if any(word in name for word in ("_SEED", "TOKEN", "PYTEST", "SECRET"))}
    assert "seed" not in " ".join(arguments) + line.lower()


def test_the_environment_of_the_teacher_stays_outside(monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("LLMCOURSE_DATA", "kept")
    found = keepers._environment(3)
    assert "AWS_SECRET_ACCESS_KEY" not in found
    assert (found["LLMCOURSE_DATA"], found["TF_NUM_INTRAOP_THREADS"], found["OMP_NUM_THREADS"]) == ("kept", "3", "1")


def test_the_libraries_are_there_without_being_imported_again(worker):
    run(worker, "import sys\nloaded = sorted({'keras', 'tensorflow', 'matplotlib'} & set(sys.modules))")
    run(worker, "def loaded_before(): return loaded")
    assert Student(worker).loaded_before() == ["keras", "matplotlib", "tensorflow"]


def test_the_notebooks_own_checks_are_idle_in_a_worker(worker):
    idle = "from llmcourse import lesson\ncheck = lesson('mlp')\nshown = check('relu')\ncheck.progress()"
    assert run(worker, idle) is None
    run(worker, "def what(): return shown")
    assert Student(worker).what() is None


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("%matplotlib inline\nx = 2", 2),
        ("!ls\nx = 3", 3),
        ("x = 5\nx?", 5),
        ("%%time\nx = 7", 7),
        ("%time x = 11", 11),
        ("files = !ls\nx = len(files)", 0),
        ("%%bash\necho x\nx=1", None),
        ("display(1)\nget_ipython().run_line_magic('matplotlib', 'inline')\nx = 13", 13),
        ('x = """\n% no magic\n! neither\nwhy?\n"""', "\n% no magic\n! neither\nwhy?\n"),
        ("x = (17\n     % 10)", 7),
    ],
)
def test_what_only_ipython_understands_does_no_harm(worker, source, value):
    run(worker, "x = None\ndef what(): return x")
    assert run(worker, source) is None
    assert Student(worker).what() == value


def test_a_syntax_error_is_pythons_own(worker):
    assert run(worker, "%matplotlib inline\ndef f(:\n    pass").startswith("SyntaxError: ")
    assert "<cell 1>, line 1" in run(worker, "def f(:\n    pass")


def test_a_callback_reaches_the_criterions_function_and_its_errors_come_back(worker):
    run(worker, "def apply(f, x): return f(x) + 1")
    student = Student(worker)
    assert student.apply(lambda x: 3 * x, 2.0) == 7.0
    with pytest.raises(StudentError, match="TypeError"):
        student.apply(lambda: 3, 2.0)
    assert student.apply(lambda x: x, 2.0) == 3.0


def test_a_callback_with_bytes_that_are_no_message_is_refused(worker):
    student = Student(worker)
    assert b"error" in student._serve(b"\0" * 20)
    assert b"error" in student._serve(encode([1, 2]))


def test_libraries_that_were_loaded_before_the_fork_compute_after_it(worker):
    run(worker, "import numpy as np, keras\nones = np.ones((301, 301), 'float32')")
    run(worker, "def products(): return [float((ones @ ones)[1, 2]), float(keras.ops.matmul(ones, ones)[1, 2])]", 10.0)
    assert Student(worker).products() == [301.0, 301.0]


# --- code that does not stop, or stops too much -----------------------------------------------------------------------


def test_code_that_hangs_is_stopped_and_its_worker_goes_on(worker):
    assert run(worker, "while True: pass", 0.3).startswith("TimeLimitError: not finished after 0.3 seconds")
    assert run(worker, "x = 1") is None


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
    reason, said = lost(worker, source)
    assert reason == "timeout"
    assert "did not stop after 0.5 seconds and was ended" in said


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
    ids=["exits", "kills itself", "segmentation fault", "closes all files", "overflows the stack", "kills its guard"],
)
def test_code_that_ends_its_process_is_told_so(worker, source, said):
    reason, message = lost(worker, source, 2.0)
    assert reason == "crashed"
    assert said in message


def test_sys_exit_and_keyboard_interrupt_are_errors_like_others(worker):
    assert run(worker, "import sys\nsys.exit(3)") == "SystemExit: 3 (line 2 of <module>: sys.exit(3))"
    assert run(worker, "raise KeyboardInterrupt").startswith("KeyboardInterrupt")
    assert run(worker, "x = 1") is None


def test_an_error_that_cannot_be_shown_is_still_an_error(worker):
    source = "class E(Exception):\n    def __str__(self): raise ValueError\nraise E"
    assert run(worker, source).startswith("E: (its message cannot be shown: ValueError)")


def test_what_is_printed_goes_nowhere(worker, capfd):
    loud = "import sys, os\nprint('x' * 200_000_000)\nprint('y', file=sys.stderr)\nos.write(2, b'z')"
    assert run(worker, loud) is None
    assert run(worker, "input()").startswith("EOFError")
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")


@linux
def test_memory_is_limited_on_the_heap_and_in_shared_pages(worker):
    assert run(worker, "x = bytearray(2 * 2**30)").startswith("MemoryError")
    grow = "import mmap\nm = mmap.mmap(-1, 4 * 2**30)\nfor at in range(0, 4 * 2**30, 4096): m[at] = 1"
    assert lost(worker, grow, 5.0) == ("memory", "took more than 1 GB and was ended")


@linux
def test_memory_of_processes_counts_together(worker):
    eat = """
import os, time
for _ in range(5):
    if not os.fork():
        x = b"x" * (300 * 2**20)
        time.sleep(30)
time.sleep(5)
"""
    assert lost(worker, eat, 5.0)[0] == "memory"


@linux
def test_too_many_processes_end_the_worker_and_all_of_them(worker):
    flood = """
import subprocess, time
started = [subprocess.Popen(["sleep", "60"]) for _ in range(80)]
time.sleep(5)
"""
    reason, said = lost(worker, flood, 6.0)
    assert (reason, said) == ("crashed", "started too many processes and was ended")


def test_files_may_not_grow_without_end(worker):
    source = "f = open('big', 'wb')\nf.truncate(10**9)"
    assert "File too large" in run(worker, source)


# --- what stays behind ------------------------------------------------------------------------------------------------

DETACH = """
import os, signal, subprocess, sys, threading, time
threading.Thread(target=lambda: time.sleep(60)).start()
quiet = "import os, time; [os.setsid() for _ in [0] if os.getpid() != os.getsid(0)]; time.sleep(60)"
plain = subprocess.Popen([sys.executable, "-c", quiet], start_new_session=True)
reading, writing = os.pipe()
if not os.fork():                 # a daemon: twice forked, in a session of its own, deaf to signals
    os.setsid()
    if os.fork():
        os._exit(0)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    os.write(writing, str(os.getpid()).encode())
    time.sleep(60)
    os._exit(0)
os.wait()
daemon = int(os.read(reading, 20))
def started(): return [plain.pid, daemon, os.getpid(), os.getppid()]
"""


@linux
def test_processes_and_threads_left_running_are_gone_afterwards(sandbox, short):
    with sandbox.worker(LIMITS) as worker:
        assert run(worker, DETACH) is None
        started = Student(worker).started()
        assert all(Path(f"/proc/{pid}").exists() for pid in started)
    assert all(ended(pid) for pid in started)


@linux
def test_a_process_that_its_guard_cannot_end_any_more_is_ended_by_the_keeper(sandbox, short):
    with sandbox.worker(LIMITS) as worker:
        run(worker, DETACH)
        started = Student(worker).started()
        lost(worker, "os.kill(os.getppid(), 9)\ntime.sleep(5)", 2.0)
    assert all(ended(pid) for pid in started)


@linux
def test_a_stopped_guard_holds_nothing_up_for_long(sandbox, short, monkeypatch):
    monkeypatch.setattr(keepers, "END_SECONDS", 0.5)
    with sandbox.worker(LIMITS) as worker:
        run(worker, DETACH)
        started = Student(worker).started()
        lost(worker, "os.kill(os.getppid(), signal.SIGSTOP)\nos._exit(0)", 1.0)
    assert all(ended(pid) for pid in started)


@linux
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_keeper_that_is_killed_or_stopped_is_replaced(number, short, light, monkeypatch):
    monkeypatch.setattr(keepers, "FORK_SECONDS", 0.7)
    attack = f"""
import os
keeper = int(open(f"/proc/{{os.getppid()}}/stat").read().rpartition(")")[2].split()[1])
os.kill(keeper, {int(number)})
def answer(): return 5
"""
    with Sandbox(warm=True) as sandbox:
        with sandbox.worker(LIMITS) as worker:
            assert run(worker, attack) is None
            assert Student(worker).answer() == 5  # this submission has a guard of its own and goes on
        for _ in range(2):
            with sandbox.worker(LIMITS) as worker:
                assert run(worker, "x = 1") is None


@pytest.fixture
def memory_folder(tmp_path):
    """A folder in memory where there is one: removing 1,200 folders from a disk takes seconds."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else tmp_path) as folder:
        yield Path(folder)


def test_a_folder_is_removed_however_deep_it_is_and_whatever_its_rights(memory_folder):
    private = memory_folder / "private"
    private.mkdir()
    before = Path.cwd()
    try:
        os.chdir(private)
        for _ in range(1200):
            Path("inner").mkdir()
            os.chdir("inner")
    finally:
        os.chdir(before)
    (private / "closed").mkdir()
    (private / "closed" / "file").write_text("")
    (private / "closed").chmod(0)
    (memory_folder / "outside").mkdir()
    (private / "link").symlink_to(memory_folder / "outside")
    remove_folder(private)
    assert [path.name for path in memory_folder.iterdir()] == ["outside"]


# --- the line between both sides --------------------------------------------------------------------------------------

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
def test_a_learner_who_writes_on_the_line_loses_the_worker(worker, source, said):
    reason, message = lost(worker, FIND_CHANNEL + source, 2.0)
    assert reason == "crashed"
    assert said in message


@linux
def test_frames_out_of_turn_in_a_check_fail_it(worker):
    forge = "def f(x):\n    os.write(channel, b'R' + (5).to_bytes(8, 'little') + b'wrong')\n    return x"
    run(worker, FIND_CHANNEL + forge)
    with pytest.raises(TypeError):
        Student(worker).f(1.0)


def test_a_frame_that_trickles_in_is_not_waited_for():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"R" + (100).to_bytes(8, "little") + b"x")
        stop = threading.Event()

        def trickle():
            while not stop.wait(0.05):
                theirs.sendall(b"x")

        thread = threading.Thread(target=trickle)
        thread.start()
        with pytest.raises(TimeoutError):
            wire.receive(ours, 0.3)
        stop.set()
        thread.join()


def test_one_who_does_not_read_is_not_waited_for():
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(TimeoutError):
        wire.send(ours, wire.REQUEST, bytes(2**23), 0.2)


@pytest.mark.parametrize("sent", [b"X" + bytes(8), b"R" + (wire.MAX_FRAME + 1).to_bytes(8, "little"), b"R123"])
def test_what_is_no_frame_closes_the_line(sent):
    ours, theirs = socket.socketpair()
    with ours:
        theirs.sendall(sent)
        theirs.close()
        with pytest.raises(wire.ChannelClosedError):
            wire.receive(ours, 1.0)


def test_frames_come_back_as_they_were_sent():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for content in (b"", b"x", bytes(range(256)) * 7):
            wire.send(ours, wire.CALLBACK, content, 1.0)
            assert wire.receive(theirs, 1.0) == (wire.CALLBACK, content)


def test_the_whole_submission_has_a_time_too(worker):
    worker.deadline = time.monotonic() + 0.4
    assert "not finished after 0.4 seconds" in run(worker, "while True: pass", 5.0)
    with pytest.raises(ConnectionLostError, match="whole submission took longer than 30 seconds"):
        run(worker, "x = 1")


# --- what cannot be had -----------------------------------------------------------------------------------------------


def test_an_isolation_that_is_not_there_is_an_error():
    with pytest.raises(ValueError, match="isolation must be one of basic. Received: 'none'"):
        Sandbox("none")


def test_a_keeper_that_cannot_load_says_why(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "no_such_backend")
    keeper = Keeper(1, warm=True)
    with pytest.raises(SandboxError, match="ended: .*no_such_backend"):
        keeper.wait_until_ready()
    keeper.close()


def test_a_sandbox_that_was_closed_starts_nothing(light, short):
    sandbox = Sandbox(warm=True)
    sandbox.close()
    with pytest.raises(SandboxError), sandbox.worker(LIMITS):
        pass


def test_without_a_loaded_process_each_worker_starts_from_nothing(short):
    with Sandbox(warm=False) as sandbox:
        sandbox.wait_until_ready()
        for _ in range(2):
            with sandbox.worker(LIMITS) as worker:
                run(worker, "import sys\ndef loaded(): return 'keras' in sys.modules")
                assert Student(worker).loaded() is False


def test_files_in_the_folder_of_the_teacher_are_not_imported(short, tmp_path, monkeypatch):
    (tmp_path / "numpy.py").write_text("raise SystemExit('handed in')")
    monkeypatch.chdir(tmp_path)
    with Sandbox(warm=False) as sandbox, sandbox.worker(LIMITS) as worker:
        assert run(worker, "import numpy\nnumpy.zeros(3)") is None


def test_every_report_says_what_is_not_walled_off():
    for word in ("your files", "network", "other processes"):
        assert word in walls.ISOLATION["basic"]
