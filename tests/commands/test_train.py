"""`llmcourse train` and `llmcourse evaluate` as a learner types them."""

import json

import pytest
import typer
from typer.testing import CliRunner

from llmcourse.commands.train import evaluate, train
from llmcourse.training.runs import RunError

pytestmark = [  # see test_cnn.py
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

app = typer.Typer()
app.add_typer(train, name="train")
app.command()(evaluate)


def call(*arguments):
    result = CliRunner().invoke(app, [str(item) for item in arguments], env={"COLUMNS": "200", "NO_COLOR": "1"})
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "digits"
    return folder, call("train", "cnn", "--out", folder, "--epochs", 2, "--seed", 5)


def test_training_says_how_good_it_is_and_shows_how_it_goes(finished):
    folder, result = finished
    scores = json.loads((folder / "scores.json").read_text())
    assert f"Test accuracy {scores['test_accuracy']:.2%}" in result.output
    assert "model_card.md" in result.output
    for words in ("epoch 2/2", "loss", "accuracy", "images/s"):
        assert words in result.stderr
    assert scores["test_accuracy"] > 0.9
    config = json.loads((folder / "config.json").read_text())
    assert (config["task"], config["seed"], config["settings"]["epochs"]) == ("cnn", 5, 2)


def test_a_finished_run_says_so(finished):
    folder, first = finished
    result = call("train", "cnn", "--out", folder, "--epochs", 2, "--seed", 5)
    assert "is finished; there is nothing to do" in result.output
    assert "finished" not in first.output


def test_a_folder_with_another_run_is_refused(finished):
    with pytest.raises(RunError, match=r"data 'full' \(the folder has 'small'\)"):
        call("train", "cnn", "--out", finished[0], "--epochs", 2, "--seed", 5, "--data", "full")


@pytest.mark.parametrize("option", [[], ["--model"]])
def test_evaluate_shows_every_class_and_draws_the_confusions(finished, option):
    folder, _ = finished
    scores = json.loads((folder / "scores.json").read_text())
    (folder / "confusion.png").unlink(missing_ok=True)
    result = call("evaluate", *option, folder)
    assert f"Accuracy {scores['test_accuracy']:.2%}: {scores['wrong']} of 1,000 wrong" in result.output
    for label in range(10):
        assert f"{scores['f1'][label]:.4f}" in result.output
    assert (folder / "confusion.png").stat().st_size > 10_000


def test_evaluate_needs_one_finished_run(tmp_path, finished):
    with pytest.raises(RunError, match=r"without config\.json"):
        call("evaluate", tmp_path)
    for wrong in ([], [tmp_path, "--model", tmp_path]):
        assert call("evaluate", *wrong).exit_code == 2
    (tmp_path / "config.json").write_text('{"task": "cnn", "data": "small"}')
    with pytest.raises(RunError, match=r"without model\.keras"):
        call("evaluate", tmp_path)
    (tmp_path / "model.keras").write_bytes((finished[0] / "model.keras").read_bytes()[:5000])
    with pytest.raises(RunError, match="A whole model is required"):
        call("evaluate", tmp_path)
    (tmp_path / "config.json").write_text('{"task": "chess"}')
    with pytest.raises(RunError, match="Received: 'chess'"):
        call("evaluate", tmp_path)


def test_help_names_every_option():
    output = call("train", "cnn", "--help").output
    for option in ("--data", "--recipe", "--out", "--seed", "--epochs"):
        assert option in output
    assert "cnn" in call("train", "--help").output
    assert "--model" in call("evaluate", "--help").output


def test_importing_the_commands_loads_no_framework():
    import subprocess
    import sys

    loaded = "any(m in sys.modules for m in ('keras', 'tensorflow', 'sklearn'))"
    code = f"import sys, llmcourse.commands.train; sys.exit({loaded})"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
