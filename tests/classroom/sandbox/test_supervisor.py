"""Supervisors: limits on memory and processes, and nothing left behind."""

import sys
from pathlib import Path

import pytest

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


@linux
def test_memory_is_limited_on_the_heap_and_in_shared_pages(worker):
    assert worker.run("x = bytearray(2 * 2**30)").startswith("MemoryError")
    grow = "import mmap\nm = mmap.mmap(-1, 4 * 2**30)\nfor at in range(0, 4 * 2**30, 4096): m[at] = 1"
    assert worker.lost(grow, 5.0) == ("memory", "took more than 1 GB and was ended")


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
    assert worker.lost(eat, 5.0)[0] == "memory"


@linux
def test_too_many_processes_end_the_worker_and_all_of_them(worker):
    flood = """
import subprocess, time
started = [subprocess.Popen(["sleep", "60"]) for _ in range(80)]
time.sleep(5)
"""
    reason, said = worker.lost(flood, 6.0)
    assert (reason, said) == ("crashed", "started too many processes and was ended")


@linux
def test_processes_and_threads_left_running_are_gone_afterwards(sandbox, start, ended, detach):
    with start(sandbox) as worker:
        assert worker.run(detach) is None
        started = worker.student.started()
        assert all(Path(f"/proc/{pid}").exists() for pid in started)
    assert all(ended(pid) for pid in started)
