"""The tree of commands as typer reads it: the subcommands, each from the file of its group."""

from collections.abc import Callable
from typing import Annotated

import typer

from llmcourse import __version__
from llmcourse.commands import author, learn, teach, train, use

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
        from llmcourse.commands.console import out

        out.print(__version__)
        raise typer.Exit
