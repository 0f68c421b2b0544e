"""`llmcourse translate`: one sentence, or standard input line by line."""

import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

errors = Console(stderr=True, highlight=False, markup=False)
BLOCK = 1_024  # lines that are sorted by length and translated together
SHOWN = 5  # complaints about single lines; the rest is counted


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
) -> None:
    """Translate a text, one line for each line.

    Examples: llmcourse translate "Where is the station?"

    llmcourse translate --model runs/multi30k - < english.txt > german.txt
    """
    if beam < 1:
        raise ValueError(f"--beam must be at least 1. Received: {beam}.")
    if n_best is not None and n_best < 1:
        raise ValueError(f"--n-best must be at least 1. Received: {n_best}.")
    if text == "-" and sys.stdin.isatty():
        errors.print("Write a line and press Enter; Ctrl-D ends.")
    desk = _Desk(model, beam, n_best)
    size = 1 if text != "-" or sys.stdin.isatty() else BLOCK
    lines = iter(read_lines(sys.stdin.buffer) if text == "-" else text.splitlines() or [""])
    while block := list(islice(lines, size)):
        for line in desk.translate(block):
            print(line, flush=size == 1)
    desk.close()


def read_lines(stream: Iterable[bytes]) -> Iterator[str]:
    """Decode standard input line by line.

    Args:
        stream: lines of bytes.

    Yields:
        The lines without their ends.

    Raises:
        ValueError: a line is not UTF-8.
    """
    for number, line in enumerate(stream, start=1):
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(
                f"Standard input must be UTF-8. Received: byte 0x{line[error.start]:02x} in line {number:,}."
            ) from None
        yield text.removesuffix("\n").removesuffix("\r")


def _one_line(text: str) -> str:
    """Replace line ends, which a model may write, so that line n of the output belongs to line n of the input."""
    return text.replace("\r", " ").replace("\n", " ")


class _Desk:
    """A loaded model at work, with the complaints about what it was given."""

    def __init__(self, folder: Path | None, beam: int, n_best: int | None):
        from llmcourse.models.limits import SourceLimits
        from llmcourse.models.saved import load_translator

        model, self.tokenizer, card = load_translator(folder)
        from llmcourse.decoding.translate import Translator

        self.limits = SourceLimits.from_card(card)
        length = {"max_length": self.limits.max_length} if self.limits else {}
        self.translator: Any = Translator(model, self.tokenizer, **length)
        self.beam, self.n_best, self.line, self.complaints = beam, n_best, 0, 0

    def translate(self, lines: list[str]) -> Iterator[str]:
        """Yield what is printed for some lines: an empty line for an empty one."""
        for number, line in enumerate(lines, start=self.line + 1):
            self._complain(number, line)
        if self.n_best is None:
            yield from map(_one_line, self.translator.translate(lines, beam_size=self.beam))
        else:
            for number, line in enumerate(lines, start=self.line + 1):
                yield from self._best(number, line, self.n_best) if line.strip() else [""]
        self.line += len(lines)

    def close(self) -> None:
        """Count the complaints that were not shown."""
        if self.complaints > SHOWN:
            errors.print(f"{self.complaints - SHOWN} more lines like these.")

    def _best(self, number: int, line: str, count: int) -> Iterator[str]:
        for translation, score in self.translator.n_best(line, count, beam_size=max(self.beam, count)):
            yield f"{number}\t{score:.3f}\t{_one_line(translation)}"

    def _complain(self, number: int, line: str) -> None:
        complaint = self.limits.complaint(line, self.tokenizer) if self.limits and line.strip() else ""
        if complaint:
            self.complaints += 1
            if self.complaints <= SHOWN:
                errors.print(f"Line {number:,}: {complaint}", soft_wrap=True)
