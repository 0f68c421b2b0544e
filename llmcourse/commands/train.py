"""`llmcourse train` and `llmcourse evaluate`: networks trained and tried from the command line.

The tasks and their options come from `llmcourse.tasks`; nothing here knows a single one.
"""

import inspect
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_type_hints

import typer
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from llmcourse.commands.console import errors, out
from llmcourse.tasks import TASKS, load_task

if TYPE_CHECKING:
    from llmcourse.training.card import Report
    from llmcourse.training.progress import Progress as Moment
    from llmcourse.training.task import Task

FolderOption = Annotated[Path, typer.Option("--out", help="The folder of the run: new, empty, or with the same run.")]
FORMER_NAMES = {"cnn": "digits"}
LINE_SECONDS = 60.0  # between two lines within an epoch, where there is no terminal
COLUMNS = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[text]}"))


class TaskCommands(typer.core.TyperGroup):
    """List the tasks, and make the command of one when it is asked for: no other task is imported."""

    def list_commands(self, ctx: Any) -> list[str]:
        """List the names of the tasks."""
        return list(TASKS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Make the command that trains a task; an unknown name is an error that lists those there are."""
        return make_command(FORMER_NAMES.get(cmd_name, cmd_name))


train = typer.Typer(cls=TaskCommands)


@train.callback(no_args_is_help=True)
def tasks() -> None:
    """Train a network in a folder; the same command goes on with a run that was stopped."""


def make_command(name: str) -> Any:
    """Make the command that trains a task, with the options that its `configure` takes."""
    task = load_task(name)

    def command(folder: Path, **options: Any) -> None:
        _train(task.configure(**options), folder)

    hints = get_type_hints(task.configure, include_extras=True)
    found = [_option(each, hints[each.name]) for each in inspect.signature(task.configure).parameters.values()]
    first = inspect.Parameter("folder", inspect.Parameter.KEYWORD_ONLY, annotation=FolderOption)
    command.__signature__ = inspect.Signature([first, *found])  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in (first, *found)}
    command.__doc__ = (inspect.getdoc(task) or "").partition("\n")[0]
    app = typer.Typer(add_completion=False)
    app.command(name)(command)
    return typer.main.get_command(app)


def _option(parameter: inspect.Parameter, hint: Any) -> inspect.Parameter:
    """Turn a parameter annotated as `Annotated[type, "help"]` into an option of the command."""
    kind, text = get_args(hint)
    name = parameter.name.strip("_").replace("_", "-")  # a word of Python, such as from, is written with _ at its end
    names = [f"--{name}"]  # named, so that a switch has no opposite
    option = typer.Option(*names, help=text, show_default=parameter.default is not None)
    return parameter.replace(annotation=Annotated[kind, option])


def _train(task: "Task", folder: Path) -> None:
    from llmcourse.training import engine
    from llmcourse.training.run import SCORES

    already = (folder / SCORES).exists()
    with _stoppable(), _watch() as watcher:
        command = shlex.join(["llmcourse", *sys.argv[1:]])
        scores = engine.train(task, folder, on_progress=watcher.move, tell=watcher.tell, command=command)
    if already:
        out.print(f"The run in {folder} is finished; there is nothing to do.", soft_wrap=True)
    _print_report(task.report(scores))
    out.print(f"{scores['cpu_seconds']:,} s of processor time. Model card: {folder / engine.CARD}", soft_wrap=True)
    if words := task.try_it(folder):
        out.print(f"Try it: {shlex.join(words)}", soft_wrap=True, markup=False, highlight=False)


def evaluate(
    folder: Annotated[Path | None, typer.Argument(help="The folder of a finished run.", show_default=False)] = None,
    model: Annotated[Path | None, typer.Option(help="The same folder, as an option.", show_default=False)] = None,
) -> None:
    """Try the model of a finished run on test data that it has never seen."""
    from llmcourse.training import engine, run

    chosen = folder or model
    if chosen is None or (folder and model):
        raise typer.BadParameter("give the folder of one finished run: llmcourse evaluate DIR")
    kind = load_task(run.read_task(chosen))
    with _watch() as watcher:
        scores = engine.evaluate(kind, chosen, watcher.tell)
    report = kind.report(scores)
    _print_report(report)
    for name in report.pictures:
        out.print(f"Picture: {chosen / name}.png", soft_wrap=True)
    if not scores["data_checked"]:
        errors.print("The folder does not say with which data its model was trained: test sentences may be among them.")


def _print_report(report: "Report") -> None:
    for content in report.tables:
        table = Table(title=content.title)
        for place, heading in enumerate(content.headings):
            table.add_column(heading, justify="right" if place else "left")
        for row in content.rows:
            table.add_row(*row)
        out.print(table)
    out.print(report.summary, soft_wrap=True, markup=False)


@contextmanager
def _stoppable() -> Iterator[None]:
    """Say how a run that the user stopped goes on."""
    try:
        yield
    except KeyboardInterrupt:
        errors.print("Stopped. The same command goes on from the last checkpoint, two minutes old at most.")
        raise typer.Exit(130) from None


@contextmanager
def _watch() -> Iterator["_Bar | _Lines"]:
    """Show how a run goes: as a bar in a terminal, as lines in a file."""
    if not errors.is_terminal:
        yield _Lines()
        return
    with Progress(*COLUMNS, console=errors) as bar:
        yield _Bar(bar)


class _Bar:
    """A bar for training, and one for each part that is scored."""

    def __init__(self, bar: Progress):
        self.bar = bar
        self.tasks: dict[str, Any] = {}

    def move(self, moment: "Moment") -> None:
        self._update("Training", moment.share, 1.0, _words(moment))

    def tell(self, what: str, done: int, total: int) -> None:
        self._update(f"Testing: {what}", done, total, f"{done:,} of {total:,}")

    def _update(self, name: str, done: float, total: float, text: str) -> None:
        if name not in self.tasks:
            self.tasks[name] = self.bar.add_task(name, total=total, text=text)
        self.bar.update(self.tasks[name], completed=done, text=text)


class _Lines:
    """A line for each epoch, and for each minute within a long one."""

    def __init__(self) -> None:
        self.last = time.monotonic()

    def move(self, moment: "Moment") -> None:
        self._write(f"{moment.share:.0%}  {_words(moment)}", moment.epoch_ended)

    def tell(self, what: str, done: int, total: int) -> None:
        self._write(f"Testing: {what}, {done:,} of {total:,}", done in (0, total))

    def _write(self, text: str, now: bool) -> None:
        if now or time.monotonic() - self.last > LINE_SECONDS:
            errors.print(text, soft_wrap=True, markup=False)
            self.last = time.monotonic()


def _words(moment: "Moment") -> str:
    """Say where a run is: "epoch 2/15  loss 0.2134  val_loss 0.3021  9,120 images/s  0:01:05 left"."""
    epoch = f"epoch {moment.epoch}" + (f"/{moment.epochs}" if moment.epochs else "")
    values = [f"{name} {value:.4g}" for name, value in {**moment.means, **moment.validation}.items()]
    seconds = moment.seconds_left
    left = [] if seconds is None else [f"{timedelta(seconds=round(seconds))} left"]
    return "  ".join([epoch, *values, f"{moment.speed:,.0f} {moment.unit}/s", *left])
