"""The command `llmcourse`: its subcommands, each from the file of its group, and the end of every error."""

import os
import sys
from collections.abc import Callable
from typing import Annotated

import typer
from rich.markup import escape

from llmcourse import __version__
from llmcourse.commands import author, learn, teach, train, use
from llmcourse.commands.console import errors, out, write_any_letter

app = typer.Typer(
    help="A deep-learning course in graded notebooks, from an MLP in NumPy to a Transformer that translates.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(train.train, name="train")
COMMANDS: tuple[Callable[..., None], ...] = (
    *(learn.start, learn.progress, learn.demo, learn.doctor),
    *(train.evaluate, use.translate),
    *(teach.grade, teach.release),
    *(author.build, author.new),
)
for command in COMMANDS:
    app.command()(command)
app.command(context_settings={"allow_interspersed_args": False})(author.bench)  # words after a benchmark are its own


@app.callback(invoke_without_command=True)
def main(version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False) -> None:
    """Say the version where that is asked for."""
    if version:
        out.print(__version__)
        raise typer.Exit


def run() -> None:
    """Start the command; an error that names its cause is shown without a traceback."""
    write_any_letter()
    if sys.argv[1:2] in (["translate"], ["train"], ["evaluate"]):
        # The engine's products are small: on a busy machine two threads take five times the time. Before NumPy.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        app()
    except MemoryError:
        advice = "Take fewer or shorter lines at a time, or a smaller model or beam."
        errors.print(f"[red]Error:[/] this takes more memory than there is. {advice}", soft_wrap=True)
        raise SystemExit(2) from None
    except (ValueError, OSError, RuntimeError) as error:
        errors.print("[red]Error:[/] " + escape(str(error)), soft_wrap=True)
        raise SystemExit(2) from None
