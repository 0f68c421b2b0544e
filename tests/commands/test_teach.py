"""What teachers type: release; `grade` with its results is tested in tests/classroom/grading/test_results.py."""

import shlex

import pytest

from llmcourse.runtime import available_cores


def test_release_gives_commands_that_can_be_copied(tmp_path, call):
    folder = tmp_path / "my course" / "graded"
    last = call("release", "mlp", "cnn", "--out", folder).output.splitlines()[-1]
    commands = [shlex.split(part) for part in last.removeprefix("Next: ").split(" && ")]
    assert commands == [["cd", str(folder)], *(["nbgrader", "generate_assignment", name] for name in ("mlp", "cnn"))]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--jobs", 0),
        ("--jobs", 4 * available_cores() + 1),
        ("--timeout", "0.5"),
        ("--timeout", "nan"),
        ("--timeout", "inf"),
    ],
)
def test_numbers_out_of_bounds_are_named_with_the_bounds(tmp_path, call, option, value):
    with pytest.raises(ValueError, match=rf"{option} must be from 1 to .* Received: {value}\."):
        call("grade", tmp_path, option, value)


def test_a_class_without_notebooks_is_one_clear_error(tmp_path, call):
    with pytest.raises(ValueError, match=r"Notebooks are required. Received: no \.ipynb file"):
        call("grade", tmp_path)
    with pytest.raises(ValueError, match="--lesson must be one of mlp.* Received: 'rnn'"):
        call("grade", tmp_path, "--lesson", "rnn")
