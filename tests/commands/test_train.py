"""`llmcourse train` and `llmcourse evaluate` as a learner types them."""

import json
import shutil
import subprocess
import sys

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from llmcourse.commands import train as commands
from llmcourse.commands.train import evaluate, train
from llmcourse.tasks import TASKS
from llmcourse.training.progress import Progress
from llmcourse.training.run import RunError

# Keras converts its variables for NumPy 2 in the old way while it saves a model.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

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
    return folder, call("train", "digits", "--out", folder, "--epochs", 2, "--seed", 5)


def test_training_says_how_good_it_is_and_one_line_for_each_epoch(finished):
    folder, result = finished
    scores = json.loads((folder / "scores.json").read_text())
    assert f"Test accuracy {scores['test_accuracy']:.2%}: {scores['wrong']} of 1,000 wrong." in result.stdout
    assert "model_card.md" in result.stdout
    lines = [line for line in result.stderr.splitlines() if "epoch" in line]
    assert [line.split()[:3] for line in lines] == [["50%", "epoch", "1/2"], ["100%", "epoch", "2/2"]]
    for line in lines:
        for words in ("loss ", "accuracy ", "val_loss ", "val_accuracy ", " images/s", ":0", " left"):
            assert words in line
    assert "Testing: test digits, 1,000 of 1,000" in result.stderr
    assert scores["test_accuracy"] > 0.9
    config = json.loads((folder / "config.json").read_text())
    assert (config["task"], config["seed"], config["epochs"]) == ("digits", 5, 2)


def test_a_finished_run_says_so(finished):
    folder, first = finished
    result = call("train", "digits", "--out", folder, "--epochs", 2, "--seed", 5)
    assert "is finished; there is nothing to do" in result.output
    assert "Test accuracy" in result.output
    assert "finished" not in first.output


def test_a_folder_with_another_run_is_refused(finished):
    with pytest.raises(RunError, match=r"seed 6 \(the folder has 5\)"):
        call("train", "digits", "--out", finished[0], "--epochs", 2, "--seed", 6)


@pytest.mark.parametrize("option", [[], ["--model"]])
def test_evaluate_shows_every_class_and_draws_the_confusions(finished, option):
    folder, _ = finished
    scores = json.loads((folder / "scores.json").read_text())
    (folder / "confusion.png").unlink(missing_ok=True)
    result = call("evaluate", *option, folder)
    assert f"Test accuracy {scores['test_accuracy']:.2%}: {scores['wrong']} of 1,000 wrong" in result.stdout
    assert "Testing: test digits" in result.stderr
    for label in range(10):
        assert f"{scores['f1'][label]:.4f}" in result.stdout
    assert "confusion.png" in result.stdout
    assert (folder / "confusion.png").stat().st_size > 10_000


def test_evaluate_needs_one_finished_run(tmp_path, finished):
    with pytest.raises(RunError, match=r"without config\.json"):
        call("evaluate", tmp_path)
    for wrong in ([], [tmp_path, "--model", tmp_path]):
        assert call("evaluate", *wrong).exit_code == 2
    shutil.copy(finished[0] / "config.json", tmp_path)
    with pytest.raises(RunError, match=r"without model\.keras"):
        call("evaluate", tmp_path)
    (tmp_path / "model.keras").write_bytes((finished[0] / "model.keras").read_bytes()[:5000])
    with pytest.raises(RunError, match="A whole model is required"):
        call("evaluate", tmp_path)
    (tmp_path / "config.json").write_text('{"task": "chess", "format": 2}')
    with pytest.raises(ValueError, match="Received: 'chess'"):
        call("evaluate", tmp_path)
    (tmp_path / "config.json").write_text('{"task": "cnn", "data": "small"}')
    with pytest.raises(RunError, match="which an older version made"):
        call("evaluate", tmp_path)


def test_every_task_is_a_command_with_its_own_options():
    listed = call("train", "--help").output
    for name in TASKS:
        assert name in listed
        assert "--out" in call("train", name, "--help").output
    digits = call("train", "digits", "--help").output
    for words in ("--data", "small|full", "--recipe", "--seed", "--epochs", "Seconds, or minutes for accuracy."):
        assert words in digits
    translation = call("train", "translation", "--help").output
    for words in ("--data", "--target", "--minutes", "--vocab-size", "--tokenized"):
        assert words in translation
    assert "--no-tokenized" not in translation
    assert "--model" in call("evaluate", "--help").output


def test_what_is_no_task_and_what_is_no_choice_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"must be one of digits, translation\. Received: 'poems'"):
        call("train", "poems", "--out", tmp_path)
    for name in ("digits", "cnn"):  # the second is what the task was called before
        said = call("train", name, "--out", tmp_path, "--data", "medium").stderr
        assert "'medium' is not one of 'small', 'full'" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["digits", "--epochs", "0"], "epochs must be from 1"),
        (["digits", "--epochs", "1000000000000"], "epochs must be from 1"),
        (["digits", "--seed", "-1"], "seed must be from 0"),
        (["translation", "--minutes", "nan"], "minutes must be above 0"),
        (["translation", "--vocab-size", "1000000000"], "vocab_size must be from"),
    ],
)
def test_numbers_out_of_range_are_refused_before_anything_is_made(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        call("train", *arguments, "--out", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_that_the_user_stops_says_how_it_goes_on(tmp_path, monkeypatch):
    from llmcourse.training import engine

    def stop(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(engine, "fit", stop)
    result = call("train", "digits", "--out", tmp_path)
    assert result.exit_code == 130
    assert "Stopped. The same command goes on from the last checkpoint" in result.stderr


def moment(share, epoch_ended=False):
    return Progress(share, 1, None, {"loss": 0.25}, 1234.5, "points", 61.2, {"val_loss": 0.125}, epoch_ended)


def test_within_a_long_epoch_there_is_one_line_in_a_minute(monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr(commands.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(commands, "errors", Console(stderr=True, highlight=False))
    lines = commands._Lines()
    for second in range(0, 200, 7):
        now[0] = float(second)
        lines.move(moment(second / 200))
    written = capsys.readouterr().err.splitlines()
    assert [line.split()[0] for line in written] == ["32%", "63%", "94%"]
    assert written[0] == "32%  epoch 1  loss 0.25  val_loss 0.125  1,234 points/s  0:01:01 left"


def test_in_a_terminal_a_bar_shows_the_same_words():
    import io

    from rich.progress import Progress as Bars

    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=200, highlight=False)
    with Bars(*commands.COLUMNS, console=console) as bars:
        bar = commands._Bar(bars)
        bar.move(moment(0.5))
        bar.tell("test", 3, 7)
    assert "1,234 points/s  0:01:01 left" in stream.getvalue()
    assert "3 of 7" in stream.getvalue()


def test_importing_the_commands_loads_no_framework_and_no_task():
    loaded = "any(m in sys.modules for m in ('keras', 'tensorflow', 'sklearn', 'llmcourse.tasks.digits'))"
    code = f"import sys, llmcourse.commands.train; sys.exit({loaded})"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
