"""The command `llmcourse`: its subcommands, each from the file of its group, and the end of every error."""

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


@app.callback(invoke_without_command=True)
def main(version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False) -> None:
    """Say the version where that is asked for."""
    if version:
        out.print(__version__)
        raise typer.Exit


def run() -> None:
    """Start the command; an error that names its cause is shown without a traceback."""
    write_any_letter()
    try:
        app()
    except (ValueError, OSError, RuntimeError) as error:
        errors.print("[red]Error:[/] " + escape(str(error)), soft_wrap=True)
        raise SystemExit(2) from None
