"""What the tests of the lessons' prose share: numbers in the text are held against the outputs they describe."""

import re

import nbformat
import pytest

from llmcourse.checking.syllabus import load_syllabus
from llmcourse.classroom.authoring.notebooks import notebook_name


class Executed:
    """An executed solution notebook, whose text and outputs can be asked for numbers.

    said = notebook.said(r"reads (\\d+\\.\\d) % of the digits")
    assert said == notebook.shown(r"test accuracy: (\\d+\\.\\d) %")
    """

    def __init__(self, path):
        cells = nbformat.read(path, as_version=4).cells
        self.prose = "\n\n".join(_unwrapped(cell.source) for cell in cells if cell.cell_type == "markdown")
        outputs = [output for cell in cells if cell.cell_type == "code" for output in cell.outputs]
        self.output = "\n".join(_text(output) for output in outputs)

    def said(self, pattern):
        """Read the number that the text says; the pattern fits once, a line break counts as a space."""
        return _number(pattern, self.prose, "the text")

    def shown(self, pattern):
        """Read the number that an output shows: printed text, or the words of a figure."""
        return _number(pattern, self.output, "the outputs")


def _unwrapped(source):
    return re.sub(r"(?<!\n)\n(?!\n)", " ", source)


def _text(output):
    if output.output_type == "stream":
        return output.text
    return output.get("data", {}).get("text/plain", "")


def _number(pattern, text, where):
    found = re.findall(pattern, text)
    assert len(found) == 1, f"{pattern!r} must fit once in {where}. Received: {len(found)} times."
    return float(found[0].replace(",", ""))


@pytest.fixture(scope="session")
def executed(root):
    """Open the executed solution of a lesson by its id."""
    numbers = {entry.id: entry.number for entry in load_syllabus()}

    def open_notebook(lesson_id):
        return Executed(root / "notebooks" / "solutions" / notebook_name(lesson_id, numbers[lesson_id]))

    return open_notebook
