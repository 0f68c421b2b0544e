"""Commands for people with a text: translate."""

import sys
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from llmcourse.commands.console import errors, require_within


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
    from llmcourse.commands.translate import BLOCK, Desk, read_lines, read_text
    from llmcourse.decoding.memory import LARGEST_BEAM

    require_within("--beam", beam, 1, LARGEST_BEAM)
    require_within("--n-best", n_best, 1, LARGEST_BEAM)
    typed = text == "-" and sys.stdin.isatty()
    if typed:
        errors.print("Write a line and press Enter; Ctrl-D ends.")
    desk = Desk(model, beam, n_best, engine)
    lines = read_lines(sys.stdin.buffer) if text == "-" else iter(read_text(text))
    size = 1 if typed or text != "-" else BLOCK
    while block := list(islice(lines, size)):
        for line in desk.translate(block):
            print(line, flush=size == 1)
    desk.close()
