"""`llmcourse train` and `llmcourse evaluate`: networks trained and tried from the command line.

A new task adds a command to `train` and its function to `EVALUATIONS`.
"""

import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
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
    from llmcourse.training.runs import SCORES

    config = cnn_config(data.value, recipe.value, seed)
    if epochs:
        config = replace(config, settings=replace(config.settings, epochs=epochs))
    already = (folder / SCORES).exists()
    with _stoppable("after the last whole epoch"), _training_bar(_DIGITS_COLUMNS, _digits_fields) as on_steps:
        scores = train_cnn(config, folder, on_steps=on_steps, command=_command())
    if already:
        out.print(f"The run in {folder} is finished; there is nothing to do.", soft_wrap=True)
    out.print(f"Test accuracy {scores['test_accuracy']:.2%} after {scores['cpu_seconds']:,} s of processor time.")
    out.print(f"Model card: {folder / 'model_card.md'}", soft_wrap=True)


@train.command()
def translation(
    folder: Annotated[Path, typer.Option("--out", help="The folder of the run: new, empty, or with the same run.")],
    data: Annotated[
        str, typer.Option(help="phrases, multi30k, tatoeba-cmn, or a file with two columns and a tab between them.")
    ] = "phrases",
    target: Annotated[
        str | None, typer.Option(help="The language to translate into: zh, de or fr.", show_default=False)
    ] = None,
    minutes: Annotated[float | None, typer.Option(help="How long to train, by the clock.", show_default=False)] = None,
    epochs: Annotated[
        int | None, typer.Option(help="How often each pair is seen, in place of --minutes.", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Another seed gives other first weights and another order.")] = 0,
    vocab_size: Annotated[
        int | None, typer.Option(help="More or fewer tokens than usual for the data.", show_default=False)
    ] = None,
    tokenized: Annotated[
        bool, typer.Option("--tokenized", help="Multi30k in lower case and tokenised, as papers report it.")
    ] = False,
) -> None:
    """Train a Transformer that translates and write model, scores, curves and model card."""
    from llmcourse.training.runs import SCORES
    from llmcourse.training.translation import train_translation, translation_config

    changes = {} if vocab_size is None else {"vocab_size": vocab_size, "vocab_may_shrink": False}
    settings = {"tokenized": tokenized, "minutes": minutes, "epochs": epochs, "seed": seed, **changes}
    config = translation_config(data, target, **settings)  # type: ignore[arg-type]
    already = (folder / SCORES).exists()
    with (
        _stoppable("from the last checkpoint, which is some minutes old at most"),
        _training_bar(_TRANSLATION_COLUMNS, _translation_fields) as on_progress,
    ):
        scores = train_translation(config, folder, on_progress=on_progress, command=_command())
    if already:
        out.print(f"The run in {folder} is finished; there is nothing to do.", soft_wrap=True)
    _print_scores(scores)
    out.print(f"Model card: {folder / 'model' / 'model_card.md'}", soft_wrap=True)
    out.print(f'Try it: llmcourse translate --model {folder} "..."', soft_wrap=True)


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


def _evaluate_translation(folder: Path) -> None:
    from llmcourse.training.translation_scores import evaluate_translation

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors) as bar:
        lines: dict[str, Any] = {}

        def move(name: str, done: int, total: int) -> None:
            if name not in lines:
                lines[name] = bar.add_task(f"Translating: {name}", total=total)
            bar.update(lines[name], completed=done, total=total)

        scores = evaluate_translation(folder, move)
    _print_scores(scores)


def _print_scores(scores: Mapping[str, Any]) -> None:
    from llmcourse.training.translation_report import score_rows

    table = Table(title=f"Beam search with {scores['beam_size']} beams")
    for heading in ("pairs", "sentences", "BLEU", "chrF", "exact match"):
        table.add_column(heading, justify="left" if heading == "pairs" else "right")
    for row in score_rows(scores):
        table.add_row(*row)
    out.print(table)
    for measure, name in (("BLEU", "bleu_signature"), ("chrF", "chrf_signature")):
        out.print(f"{measure}: {scores['test'][name]}", soft_wrap=True, highlight=False, style="dim")


EVALUATIONS: Mapping[str, Callable[[Path], None]] = {"cnn": _evaluate_cnn, "translation": _evaluate_translation}

_DIGITS_COLUMNS = (
    TextColumn("loss {task.fields[loss]:.4f}  accuracy {task.fields[accuracy]:.2%}"),
    TextColumn("{task.fields[speed]:,.0f} images/s"),
)
_TRANSLATION_COLUMNS = (
    TextColumn("loss {task.fields[loss]:.3f}  BLEU {task.fields[bleu]}"),
    TextColumn("{task.fields[speed]:,.0f} tokens/s"),
)


def _digits_fields(moment: Any) -> tuple[float, dict[str, Any]]:
    epoch = f"{moment.epoch}/{moment.epochs}"
    fields = {"epoch": epoch, "loss": moment.loss, "accuracy": moment.accuracy, "speed": moment.images_per_second}
    return moment.step / moment.steps, fields


def _translation_fields(moment: Any) -> tuple[float, dict[str, Any]]:
    epoch = f"{moment.epoch}/{moment.epochs}" if moment.epochs else f"{moment.epoch}"
    bleu = "-" if moment.bleu is None else f"{moment.bleu:.1f}"
    return moment.progress, {"epoch": epoch, "loss": moment.loss, "bleu": bleu, "speed": moment.tokens_per_second}


def _command() -> str:
    return shlex.join(["llmcourse", *sys.argv[1:]])


@contextmanager
def _stoppable(where: str) -> Iterator[None]:
    """Say how a run that the user stopped goes on."""
    try:
        yield
    except KeyboardInterrupt:
        errors.print(f"Stopped. The same command goes on {where}.", soft_wrap=True)
        raise typer.Exit(130) from None


@contextmanager
def _training_bar(
    columns: Sequence[TextColumn], read: Callable[[Any], tuple[float, dict[str, Any]]]
) -> Iterator[Callable[[Any], None]]:
    """Show measurements, speed and time left while a run goes on; `read` takes a moment apart into share and fields."""
    first = (TextColumn("epoch {task.fields[epoch]}"), BarColumn())
    with Progress(*first, *columns, TimeRemainingColumn(), console=errors) as bar:
        task = None

        def move(moment: Any) -> None:
            nonlocal task
            share, fields = read(moment)
            if task is None:
                # A run that goes on starts where it is: the time left is not guessed from a jump.
                task = bar.add_task("", total=1.0, completed=share, **fields)  # type: ignore[arg-type]
            bar.update(task, completed=share, **fields)

        yield move
