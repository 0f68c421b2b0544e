"""The secret seed of a class."""

import threading

import pytest

from llmcourse.classroom.grading import seed as seeds
from llmcourse.classroom.grading.seed import class_seed


def test_a_seed_is_drawn_once_and_kept_for_the_owner_only(tmp_path):
    path = tmp_path / "deep" / "seed"
    seed = class_seed(path)
    assert len(seed) == 64
    assert path.stat().st_mode & 0o777 == 0o600
    assert class_seed(path) == seed
    assert [item.name for item in path.parent.iterdir()] == ["seed"]
    assert class_seed(tmp_path / "other") != seed


def test_a_seed_that_others_may_read_is_refused(tmp_path):
    class_seed(tmp_path / "seed")
    (tmp_path / "seed").chmod(0o640)
    with pytest.raises(PermissionError, match="mode 640. Run: chmod 600"):
        class_seed(tmp_path / "seed")


@pytest.mark.parametrize("text", ["", "12", "x" * 64, "ab" * 33, "é" * 64])
def test_a_file_with_other_text_is_no_seed(tmp_path, text):
    path = tmp_path / "seed"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(ValueError, match="64 hexadecimal digits"):
        class_seed(path)


def test_a_folder_is_no_seed(tmp_path):
    with pytest.raises(OSError):
        class_seed(tmp_path)


def test_two_runs_that_draw_at_once_agree(tmp_path, monkeypatch):
    seeds_found, barrier, real = [], threading.Barrier(2), seeds._draw

    def draw_together(path):
        barrier.wait()
        return real(path)

    monkeypatch.setattr(seeds, "_draw", draw_together)
    threads = [threading.Thread(target=lambda: seeds_found.append(class_seed(tmp_path / "seed"))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(seeds_found)) == 1
    assert [item.name for item in tmp_path.iterdir()] == ["seed"]


def test_a_full_disk_leaves_no_half_seed(tmp_path, monkeypatch):
    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(seeds.os, "link", full)
    with pytest.raises(OSError, match="No space"):
        class_seed(tmp_path / "seed")
    assert list(tmp_path.iterdir()) == []
