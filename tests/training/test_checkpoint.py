import csv

import numpy as np
import pytest

from llmcourse.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from llmcourse.training.run import RunError

ROW = {"epoch": 1.0, "loss": 0.25}


def test_a_checkpoint_comes_back_bit_by_bit(tmp_path):
    arrays = {"model/000": np.array([[0.1, np.pi, -0.0]], np.float32), "optimizer/000": np.array(7, np.int64)}
    save_checkpoint(tmp_path, Checkpoint(arrays, [ROW], {"steps": 3.0, "loss": 0.1 + 0.2}))
    loaded = load_checkpoint(tmp_path)
    assert loaded.epoch == 1
    assert loaded.history == [ROW]
    assert loaded.meter == {"steps": 3.0, "loss": 0.1 + 0.2}
    assert loaded.arrays.keys() == arrays.keys()
    for name, array in arrays.items():
        assert loaded.arrays[name].dtype == array.dtype
        assert loaded.arrays[name].tobytes() == array.tobytes()


def test_the_history_is_a_table(tmp_path):
    save_checkpoint(tmp_path, Checkpoint({}, [ROW, {"epoch": 2.0, "loss": 1 / 3}]))
    with (tmp_path / "history.csv").open() as stream:
        assert list(csv.reader(stream)) == [["epoch", "loss"], ["1", "0.25"], ["2", "0.333333"]]


def test_before_the_first_epoch_there_is_no_checkpoint(tmp_path):
    assert load_checkpoint(tmp_path) is None


@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda data: b"", lambda data: b"\0" * 99])
def test_a_damaged_checkpoint_is_one_clear_error(tmp_path, damage):
    save_checkpoint(tmp_path, Checkpoint({"model/000": np.ones(5)}, [ROW]))
    path = tmp_path / "checkpoint.npz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(RunError, match=r"Received: .*checkpoint\.npz.*Delete that file"):
        load_checkpoint(tmp_path)


def test_a_write_that_fails_leaves_the_checkpoint_before_it(tmp_path, monkeypatch):
    save_checkpoint(tmp_path, Checkpoint({"model/000": np.ones(5)}, [ROW]))

    def fail(self, target):
        raise OSError("disk full")

    monkeypatch.setattr("pathlib.Path.replace", fail)
    with pytest.raises(RunError, match="disk full"):
        save_checkpoint(tmp_path, Checkpoint({"model/000": np.zeros(5)}, [ROW, ROW]))
    assert (load_checkpoint(tmp_path).arrays["model/000"] == 1).all()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint.npz", "history.csv"]
