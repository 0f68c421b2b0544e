import doctest
import errno
import json

import numpy as np
import pytest

from llmcourse.training import run
from llmcourse.training.run import (
    RunError,
    finish_run,
    hash_data,
    open_run,
    read_config,
    read_scores,
    read_task,
    writing,
)

CONFIG = {"task": "line", "seed": 3, "settings": {"epochs": 5, "filters": (2, 3)}}


def test_a_new_folder_is_made_and_claimed(tmp_path):
    assert not open_run(tmp_path / "deep" / "run", CONFIG)
    assert read_config(tmp_path / "deep" / "run") == json.loads(json.dumps({"format": 2, **CONFIG}))


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


def test_the_example_of_the_docstring_is_right():
    assert doctest.testmod(run).failed == 0


@pytest.mark.parametrize(
    "parts",
    [
        (["a", "b"], ["c"]),
        (["a"], ["b", "c"]),
        (["ab"], ["c"]),
        (["a\0b"], ["c"]),
        (np.arange(6),),
        (np.arange(6).reshape(2, 3),),
        (np.arange(6, dtype=np.int32),),
        (np.arange(6)[::-1],),
    ],
)
def test_a_hash_is_the_same_for_the_same_data_only(parts):
    others = [
        (["a", "b"], ["d"]),
        (["a", "b", "c"],),
        (np.arange(1, 7),),
        (np.arange(6).reshape(3, 2),),
        (np.arange(6.0),),
    ]
    assert hash_data(*parts) == hash_data(*parts)
    assert hash_data(*parts) not in [hash_data(*other) for other in others]


def test_all_the_data_that_differ_are_named_and_settings_come_first(tmp_path):
    marks = {"training": "1", "validation": "2", "test": "3"}
    open_run(tmp_path, CONFIG | {"data_sha256": marks})
    assert not open_run(tmp_path, CONFIG | {"data_sha256": marks})
    with pytest.raises(RunError, match=r"other data, which differ in test and in training\. Bring back"):
        open_run(tmp_path, CONFIG | {"data_sha256": marks | {"training": "5", "test": "6"}})
    with pytest.raises(RunError, match=r"Required: seed 5 \(the folder has 3\)\. Choose"):
        open_run(tmp_path, CONFIG | {"seed": 5, "data_sha256": marks | {"test": "6"}})


@pytest.mark.parametrize(("found", "word"), [({}, "an older"), ({"format": 1}, "an older"), ({"format": 3}, "a newer")])
def test_a_folder_of_another_version_is_refused(tmp_path, found, word):
    (tmp_path / "config.json").write_text(json.dumps(CONFIG | found))
    for use in (lambda: open_run(tmp_path, CONFIG), lambda: read_task(tmp_path)):
        with pytest.raises(RunError, match=f"format 2.* is required. Received: .* which {word} version made"):
            use()


def test_the_task_of_a_run_and_of_a_model_folder_is_read(tmp_path):
    open_run(tmp_path / "run", CONFIG)
    assert read_task(tmp_path / "run") == "line"
    (tmp_path / "config.json").write_text(json.dumps({"task": "curve", "format": 1, "card": {}}))
    assert read_task(tmp_path) == "curve"
