"""`llmcourse translate`: lines read within bounds, translated in blocks, with complaints about what cannot be read."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from llmcourse.commands.console import errors
from llmcourse.models.limits import SourceLimits, too_long

BLOCK = 1_024  # lines that are sorted by length and translated together
SHOWN = 5  # complaints about single lines; the rest is counted
ROWS = 256  # hypotheses that are followed at a time: sentences that are translated together times the beam size
LONGEST_LINE = 64 * 1024  # bytes; a model reads some hundred


@dataclass(frozen=True)
class Line:
    """A line to translate; `complaint` says what of it was left out."""

    text: str
    complaint: str = ""


def read_lines(stream: BinaryIO) -> Iterator[Line]:
    """Read standard input line by line, never more of a line than a model could read.

    Args:
        stream: of bytes.

    Yields:
        The lines without their ends.

    Raises:
        ValueError: a line is not UTF-8.
    """
    number = 0
    while content := stream.readline(LONGEST_LINE):
        number += 1
        whole = content.endswith(b"\n") or len(content) < LONGEST_LINE
        rest = b"" if whole else stream.readline(LONGEST_LINE)
        cut = bool(rest.strip(b"\r\n"))
        while rest and not rest.endswith(b"\n"):
            rest = stream.readline(LONGEST_LINE)
        yield _line(content, cut, "utf-8-sig" if number == 1 else "utf-8", f"line {number:,}")


def read_text(argument: str) -> list[Line]:
    """Split a text from the command line into lines.

    Args:
        argument: as Python gives it: bytes that the terminal's encoding does not know became surrogates.

    Raises:
        ValueError: it is not UTF-8.
    """
    try:
        content = argument.encode()
    except UnicodeEncodeError:
        content = os.fsencode(argument)
    lines = content.splitlines() or [b""]
    return [_line(line[:LONGEST_LINE], len(line) > LONGEST_LINE, "utf-8", "the text") for line in lines]


def _line(content: bytes, cut: bool, encoding: str, place: str) -> Line:
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        if not (cut and error.end == len(content)):  # otherwise it was cut within a letter
            raise ValueError(
                f"What is translated must be UTF-8. Received: byte 0x{content[error.start]:02x} in {place}."
            ) from None
        text = content[: error.start].decode(encoding)
    complaint = f"It is longer than {LONGEST_LINE:,} bytes; the rest is left out." if cut else ""
    return Line(text.removesuffix("\n").removesuffix("\r"), complaint)


def _one_line(text: str) -> str:
    """Replace line ends, which a model may write, so that line n of the output belongs to line n of the input."""
    return text.replace("\r", " ").replace("\n", " ")


class Desk:
    """A loaded model at work, with the complaints about what it was given."""

    def __init__(self, folder: Path | None, beam: int, n_best: int | None, engine: str):
        from llmcourse.decoding.translate import Translator

        if engine == "keras":
            from llmcourse.models.saved import load_translator as load
        else:
            from llmcourse.serving.engine import load_engine as load  # type: ignore[assignment]

        model, self.tokenizer, card = load(folder)

        self.limits = SourceLimits.from_card(card)
        length = {"max_length": self.limits.max_length} if self.limits else {}
        self.translator: Any = Translator(model, self.tokenizer, **length)
        self.beam, self.n_best, self.line, self.complaints = beam, n_best, 0, 0

    def translate(self, lines: list[Line]) -> Iterator[str]:
        """Yield what is printed for some lines: an empty line for an empty one."""
        for number, line in enumerate(lines, start=self.line + 1):
            self._complain(number, line)
        texts = [line.text for line in lines]
        if self.n_best is None:
            together = max(1, min(64, ROWS // self.beam))
            found = self.translator.translate(texts, beam_size=self.beam, batch_size=together)
            yield from map(_one_line, found)
        else:
            for number, text in enumerate(texts, start=self.line + 1):
                yield from self._best(number, text, self.n_best) if text.strip() else [""]
        self.line += len(lines)

    def close(self) -> None:
        """Count the complaints that were not shown."""
        if self.complaints > SHOWN:
            errors.print(f"{self.complaints - SHOWN} more lines like these.")

    def _best(self, number: int, text: str, count: int) -> Iterator[str]:
        for translation, score in self.translator.n_best(text, count, beam_size=max(self.beam, count)):
            yield f"{number}\t{score:.3f}\t{_one_line(translation)}"

    def _about(self, text: str) -> str:
        """Say in what a text is unlike those the model learned from; without limits in the card, if it is too long."""
        if not text.strip():
            return ""
        if self.limits:
            return self.limits.complaint(text, self.tokenizer)
        return too_long(len(self.tokenizer.encode(text)), self.translator.max_length)

    def _complain(self, number: int, line: Line) -> None:
        complaint = f"{line.complaint} {self._about(line.text)}".strip()
        if complaint:
            self.complaints += 1
            if self.complaints <= SHOWN:
                errors.print(f"Line {number:,}: {complaint}", soft_wrap=True, markup=False)
