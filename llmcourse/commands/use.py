"""Commands for people with a text: translate."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Engine(StrEnum):
    """What computes a translation."""

    NUMPY = "numpy"
    KERAS = "keras"


def translate(
    text: Annotated[
        str, typer.Argument(metavar="[TEXT | -]", help="What to translate; - reads standard input, line by line.")
    ] = "-",
    model: Annotated[
        Path | None,
        typer.Option(help="A model folder or a run; by default the English-Chinese model inside.", show_default=False),
    ] = None,
    beam: Annotated[int, typer.Option(help="Beam size: 1 is quick, 4 is better.")] = 4,
    n_best: Annotated[
        int | None,
        typer.Option(help="The best N translations of each line: line number, score, text.", show_default=False),
    ] = None,
    engine: Annotated[
        Engine, typer.Option(help="numpy answers within a second; keras loads the libraries of the training first.")
    ] = Engine.NUMPY,
) -> None:
    """Translate a text, one line for each line.

    Examples: llmcourse translate "Where is the station?"

    llmcourse translate --model runs/multi30k - < english.txt > german.txt
    """
    from llmcourse.commands.translate import translate as answer

    answer(text, model, beam, n_best, engine.value)
