"""Workers with private folders."""

import os
import sys
import tempfile
from pathlib import Path

import pytest

from llmcourse.classroom.sandbox import pool
from llmcourse.classroom.sandbox.forkserver import SandboxError
from llmcourse.classroom.sandbox.pool import Sandbox, remove_folder

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


def test_a_worker_has_a_private_folder_that_is_gone_afterwards(sandbox, start, ended):
    with start(sandbox) as worker:
        worker.run("import os, tempfile\ndef place(): return [os.getcwd(), os.environ['HOME'], tempfile.gettempdir()]")
        worker.run("open('left.txt', 'w').write('here')")
        places = worker.student.place()
        assert len(set(places)) == 1
        folder = Path(places[0])
        assert (folder / "left.txt").exists()
        assert folder.stat().st_mode & 0o077 == 0
    assert not folder.exists()


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


def test_an_isolation_that_is_not_there_is_an_error():
    with pytest.raises(ValueError, match="isolation must be one of basic. Received: 'none'"):
        Sandbox("none")


def test_a_sandbox_that_was_closed_starts_nothing(light, start):
    sandbox = Sandbox(warm=True)
    sandbox.close()
    with pytest.raises(SandboxError), start(sandbox):
        pass


def test_without_a_loaded_process_each_worker_starts_from_nothing(start):
    with Sandbox(warm=False) as sandbox:
        sandbox.wait_until_ready()
        for _ in range(2):
            with start(sandbox) as worker:
                worker.run("import sys\ndef loaded(): return 'keras' in sys.modules")
                assert worker.student.loaded() is False


def test_files_in_the_folder_of_the_teacher_are_not_imported(start, tmp_path, monkeypatch):
    (tmp_path / "numpy.py").write_text("raise SystemExit('handed in')")
    monkeypatch.chdir(tmp_path)
    with Sandbox(warm=False) as sandbox, start(sandbox) as worker:
        assert worker.run("import numpy\nnumpy.zeros(3)") is None


def test_every_report_says_what_is_not_isolated():
    for word in ("your files", "network", "other processes"):
        assert word in pool.ISOLATION["basic"]
