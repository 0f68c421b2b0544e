"""Workers to try code in, and what tells whether their processes are gone."""

import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from llmcourse.checking.student import ConnectionLostError, Student
from llmcourse.classroom.sandbox.limits import Limits

LIMITS = Limits(cell_seconds=2.0, seconds=30.0, memory=2**30)

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


class Probe:
    """A worker that cells are tried in."""

    def __init__(self, worker):
        self.worker = worker

    @property
    def student(self):
        return Student(self.worker)

    def run(self, source, seconds=2.0):
        """Run a cell; the error in one line, or None."""
        error = self.worker.execute(source, "<cell 1>", seconds)
        return error and error.with_line

    def lost(self, source, seconds=0.5):
        """Run a cell that costs the worker, and tell why."""
        with pytest.raises(ConnectionLostError) as caught:
            self.run(source, seconds)
        return caught.value.reason, str(caught.value)


@pytest.fixture
def start(short):
    """Start a worker in a sandbox."""

    @contextmanager
    def started(sandbox, **options):
        with sandbox.worker(LIMITS, **options) as worker:
            yield Probe(worker)

    return started


@pytest.fixture
def worker(sandbox, start):
    with start(sandbox) as worker:
        yield worker


@pytest.fixture
def ended():
    """Wait until a process is gone, or only waits to be collected."""

    def wait(pid, seconds=60.0):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                    return True
            except (FileNotFoundError, ProcessLookupError):
                return True
            time.sleep(0.02)
        return False

    return wait


@pytest.fixture
def detach():
    """A cell that leaves a thread, a process in a session of its own and a daemon running; `started()` lists them."""
    return DETACH
