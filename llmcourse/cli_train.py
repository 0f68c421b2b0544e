"""`llmcourse train` and `llmcourse evaluate`: networks trained and tried from the command line.

A new task adds a command to `train` and its function to `EVALUATIONS`.
"""

import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

train = typer.Typer(help="Train a network in a folder; the same command goes on with a run that was stopped.")
out = Console()
errors = Console(stderr=True, highlight=False)


class Data(StrEnum):
    """Name a set of digits."""

    small = "small"
    full = "full"


class RecipeChoice(StrEnum):
    """Name a recipe."""

    fast = "fast"
    best = "best"


@train.callback(no_args_is_help=True)
def tasks() -> None:
    """Train a network in a folder; the same command goes on with a run that was stopped."""


@train.command()
def cnn(
    folder: Annotated[Path, typer.Option("--out", help="The folder of the run: new, empty, or with the same run.")],
    data: Annotated[Data, typer.Option(help="4,000 digits from the installation, or all 60,000.")] = Data.small,
    recipe: Annotated[RecipeChoice, typer.Option(help="Seconds, or minutes for accuracy.")] = RecipeChoice.fast,
    seed: Annotated[int, typer.Option(min=0, help="Another seed gives other first weights and another order.")] = 0,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="More or fewer epochs than the recipe has.", show_default=False)
    ] = None,
) -> None:
    """Train a convolutional network on digits and write model, scores, curves, confusion matrix and model card."""
    from dataclasses import replace

    from llmcourse.training.cnn import train_cnn
    from llmcourse.training.recipes import cnn_config

    config = cnn_config(data.value, recipe.value, seed)
    if epochs:
        config = replace(config, settings=replace(config.settings, epochs=epochs))
    command = shlex.join(["llmcourse", *sys.argv[1:]])
    already = (folder / "scores.json").exists()
    try:
        with _training_bar() as on_steps:
            scores = train_cnn(config, folder, on_steps=on_steps, command=command)
    except KeyboardInterrupt:
        errors.print("Stopped. The same command goes on after the last whole epoch.")
        raise typer.Exit(130) from None
    if already:
        out.print(f"The run in {folder} is finished; there is nothing to do.", soft_wrap=True)
    out.print(f"Test accuracy {scores['test_accuracy']:.2%} after {scores['cpu_seconds']:,} s of processor time.")
    out.print(f"Model card: {folder / 'model_card.md'}", soft_wrap=True)


def evaluate(
    folder: Annotated[Path | None, typer.Argument(help="The folder of a finished run.", show_default=False)] = None,
    model: Annotated[Path | None, typer.Option(help="The same folder, as an option.", show_default=False)] = None,
) -> None:
    """Try the model of a finished run on test data that it has never seen."""
    from llmcourse.training.runs import RunError, read_config

    chosen = folder or model
    if chosen is None or (folder and model):
        raise typer.BadParameter("give the folder of one finished run: llmcourse evaluate DIR")
    task = read_config(chosen).get("task", "nothing")
    if task not in EVALUATIONS:
        raise RunError(f"The task must be one of {', '.join(EVALUATIONS)}. Received: {task!r} in {chosen}.")
    EVALUATIONS[task](chosen)


def _evaluate_cnn(folder: Path) -> None:
    from llmcourse.training.evaluation import evaluate_cnn
    from llmcourse.training.report import CONFUSION, class_rows

    scores = evaluate_cnn(folder)
    table = Table(title=f"{scores['tested']:,} test digits")
    for heading in ("class", "precision", "recall", "F1", "digits"):
        table.add_column(heading, justify="right")
    for row in class_rows(scores):
        table.add_row(*row)
    out.print(table)
    out.print(f"Accuracy {scores['test_accuracy']:.2%}: {scores['wrong']:,} of {scores['tested']:,} wrong.")
    out.print(f"Confusion matrix: {folder / CONFUSION}", soft_wrap=True)


EVALUATIONS: Mapping[str, Callable[[Path], None]] = {"cnn": _evaluate_cnn}


@contextmanager
def _training_bar() -> Iterator[Callable[[Any], None]]:
    """Show loss, accuracy, speed and time left while a run goes on."""
    columns = (
        TextColumn("epoch {task.fields[epoch]}"),
        BarColumn(),
        TextColumn("loss {task.fields[loss]:.4f}  accuracy {task.fields[accuracy]:.2%}"),
        TextColumn("{task.fields[speed]:,.0f} images/s"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=errors) as bar:
        task = None

        def move(moment: Any) -> None:
            nonlocal task
            fields = {
                "epoch": f"{moment.epoch}/{moment.epochs}",
                "loss": moment.loss,
                "accuracy": moment.accuracy,
                "speed": moment.images_per_second,
            }
            if task is None:
                # A run that goes on starts where it is: the time left is not guessed from a jump.
                task = bar.add_task("", total=moment.steps, completed=moment.step, **fields)
            bar.update(task, completed=moment.step, **fields)

        yield move
