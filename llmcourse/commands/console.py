"""What commands share that draw: where they write, the bar that shows how far they are, an option."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

if TYPE_CHECKING:
    from rich.progress import Progress


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


def progress_bar() -> "Progress":
    """Make a bar on standard error."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=errors)


def step(bar: "Progress", text: str) -> Callable[[int, int], None]:
    """Return a function (done, total) that moves a new line of the bar."""
    task = bar.add_task(text, total=None)
    return lambda done, total: bar.update(task, completed=done, total=total)
