import csv
import errno
import json

import numpy as np
import pytest

from llmcourse.training.runs import (
    Checkpoint,
    RunError,
    finish_run,
    load_checkpoint,
    open_run,
    read_config,
    read_scores,
    save_checkpoint,
    writing,
)

CONFIG = {"task": "cnn", "seed": 3, "settings": {"epochs": 5, "filters": (2, 3)}}
ROW = {"epoch": 1.0, "loss": 0.25}


def test_a_new_folder_is_made_and_claimed(tmp_path):
    assert not open_run(tmp_path / "deep" / "run", CONFIG)
    assert read_config(tmp_path / "deep" / "run") == json.loads(json.dumps(CONFIG))


def test_the_same_configuration_may_come_again_and_learns_when_it_is_finished(tmp_path):
    open_run(tmp_path, CONFIG)
    assert not open_run(tmp_path, CONFIG)
    finish_run(tmp_path, {"test_accuracy": 0.75})
    assert open_run(tmp_path, CONFIG)
    assert read_scores(tmp_path) == {"test_accuracy": 0.75}


def test_another_configuration_is_refused_and_says_what_differs(tmp_path):
    open_run(tmp_path, CONFIG)
    other = CONFIG | {"settings": {"epochs": 7, "filters": (2, 3)}, "data": "full"}
    with pytest.raises(RunError) as caught:
        open_run(tmp_path, other)
    message = str(caught.value)
    assert "settings.epochs 7 (the folder has 5)" in message
    assert "data 'full' (the folder has 'nothing')" in message
    assert "filters" not in message
    assert "seed" not in message
    assert read_config(tmp_path)["settings"]["epochs"] == 5


def test_a_folder_of_somebody_elses_files_is_refused_and_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(RunError, match=r"Received: .* with thesis\.tex"):
        open_run(tmp_path, CONFIG)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_in_place_of_the_folder_is_one_clear_error(tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(RunError, match="A folder is required"):
        open_run(tmp_path / "run", CONFIG)


def test_a_checkpoint_comes_back_bit_by_bit(tmp_path):
    arrays = {"model/000": np.array([[0.1, np.pi, -0.0]], np.float32), "optimizer/000": np.array(7, np.int64)}
    save_checkpoint(tmp_path, Checkpoint(arrays, [ROW]))
    loaded = load_checkpoint(tmp_path)
    assert loaded.epoch == 1
    assert loaded.history == [ROW]
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


def test_a_folder_without_a_run_and_a_damaged_configuration_are_one_clear_error_each(tmp_path):
    with pytest.raises(RunError, match=r"without config\.json"):
        read_config(tmp_path)
    with pytest.raises(RunError, match="Required: a finished run"):
        read_scores(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(RunError, match=r"a readable config\.json"):
        read_config(tmp_path)


def test_what_the_file_system_refuses_is_one_clear_error(tmp_path):
    with pytest.raises(RunError, match=r"Space on the disk is required.*the same command goes on"), writing(tmp_path):
        raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(RunError, match=r"can be written to is required.*Permission denied"), writing(tmp_path):
        raise OSError(errno.EACCES, "Permission denied")


def test_a_folder_where_nothing_can_be_made_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"A folder that can be written to is required.*--out"):
        open_run(tmp_path / "file" / "run", CONFIG)
