"""What all commands share: where they write, the bar that shows how far they are, options, bounds of numbers."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


class _Console(Console):
    """Draws tables with letters that the stream can hold."""

    @property
    def encoding(self) -> str:
        """Name the encoding of the stream that is written to."""
        return (getattr(self.file, "encoding", None) or "utf-8").lower()


out = _Console()
errors = _Console(stderr=True, highlight=False)

LessonsOption = Annotated[
    Path | None, typer.Option("--lessons", help="A folder of lessons in place of the built-in one.", show_default=False)
]


def write_any_letter() -> None:
    """Let both streams take every letter: in UTF-8, or with ? for what PYTHONIOENCODING's encoding does not have.

    A translation is worth nothing in ASCII, which is what some containers and old terminals declare by default.
    """
    encoding = None if os.environ.get("PYTHONIOENCODING", "").split(":")[0] else "utf-8"
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a stream in its place, such as a test's, may not have it
            stream.reconfigure(encoding=encoding, errors="replace")


def progress_bar() -> Progress:
    """Make a bar on standard error."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=errors)


def step(bar: Progress, text: str) -> Callable[[int, int], None]:
    """Return a function (done, total) that moves a new line of the bar."""
    task = bar.add_task(text, total=None)
    return lambda done, total: bar.update(task, completed=done, total=total)


def require_within(option: str, value: float | None, lowest: float, highest: float, why: str = "") -> None:
    """Refuse a number out of bounds, also one that is none; None is an option that was not given.

    Raises:
        ValueError: names the option, its bounds and what was received.
    """
    if value is not None and not lowest <= value <= highest:
        reason = f" ({why})" if why else ""
        raise ValueError(f"{option} must be from {lowest:,g} to {highest:,g}{reason}. Received: {value}.")


def count(number: int, word: str) -> str:
    """Say a number with its noun."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
