"""Find the notebooks of a class, and read what counts from each file, however damaged it is."""

import json
import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MAX_BYTES, MAX_CODE = 300 * 2**20, 2 * 2**20  # of the file, and of what its code cells hold
MAX_ITEMS = 10_000_000  # of the JSON; each takes some 64 bytes once it is read
_NUMBER = re.compile(r"^\d+_")


class InvalidSubmissionError(ValueError):
    """Says why a notebook cannot be graded at all."""


@dataclass(frozen=True)
class Submission:
    """A notebook file with the names of its student and its lesson; the lesson is "" where nothing tells it.

    `named`: the teacher named the file itself, and not a folder that holds it.
    """

    student: str
    lesson: str
    path: Path
    named: bool = False


@dataclass(frozen=True)
class CodeCell:
    """A code cell as its file holds it; what is not of the right type counts as absent."""

    source: str
    metadata: dict[str, Any]
    id: str = ""

    @property
    def tags(self) -> tuple[str, ...]:
        """List the cell's tags."""
        tags = self.metadata.get("tags")
        return tuple(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else ()

    def about(self, owner: str, key: str) -> str:
        """Read a text such as metadata["nbgrader"]["grade_id"]; "" where there is none."""
        inner = self.metadata.get(owner)
        text = inner.get(key) if isinstance(inner, dict) else None
        return text if isinstance(text, str) else ""


@dataclass(frozen=True)
class NotebookFile:
    """The code cells of a notebook, and the lesson that its own metadata name, "" where they name none."""

    cells: tuple[CodeCell, ...]
    lesson: str = ""


def find_submissions(paths: Iterable[Path], known: Iterable[str], lesson: str | None = None) -> list[Submission]:
    """List the notebooks under some paths, each once.

    A folder that cannot be read becomes a submission, too, so that it gets a row that says so.

    Args:
        paths: a notebook, a folder of `<student>__<lesson>.ipynb`, or nbgrader's
            `submitted/<student>/<lesson>/*.ipynb`.
        known: ids of the lessons there are.
        lesson: taken for every notebook, whatever its name says.

    Raises:
        FileNotFoundError: a path is missing.
        PermissionError: a folder that was named cannot be read.
    """
    found: dict[str, Submission] = {}
    lessons = set(known)
    for root in paths:
        for path in _notebooks(root):
            student, named = _names(root, path, lessons)
            found.setdefault(_absolute(path), Submission(student, lesson or named, path, path == root))
    return list(found.values())


def _notebooks(root: Path) -> Iterator[Path]:
    if not root.exists():
        raise FileNotFoundError(
            f"A notebook or a folder of notebooks is required. Received: {root}, which does not exist."
        )
    if not root.is_dir():
        yield root
        return
    closed: list[OSError] = []
    for folder, inner, names in os.walk(root, onerror=closed.append):
        inner[:] = sorted(name for name in inner if not name.startswith("."))
        for name in sorted(names):
            if name.endswith(".ipynb") and not name.startswith("."):
                yield Path(folder, name)
    for error in closed:
        if Path(error.filename) == root:
            raise PermissionError(f"A folder that you may read is required. Received: {root} ({error.strerror}).")
        yield Path(error.filename)


def _names(root: Path, path: Path, known: set[str]) -> tuple[str, str]:
    """Tell student and lesson from a notebook's place and name."""
    if path.is_dir():  # it cannot be read; that it is the lesson's or the student's shows in its name alone
        return (path.parent.name, path.name) if path.name in known else (path.name, "")
    stem = path.stem
    if "__" in stem:
        student, _, lesson = stem.rpartition("__")
        return student, _NUMBER.sub("", lesson)
    own = _NUMBER.sub("", stem)
    above = Path(_absolute(path)).parts[:-1]
    deep = len(path.relative_to(root).parts) if root.is_dir() else 0
    if deep >= 2 and len(above) >= 2:
        lesson = above[-1] if above[-1] in known or own not in known else own
        return above[-2], lesson
    return stem, own if own in known else ""


def _absolute(path: Path) -> str:
    return os.path.normpath(path.absolute())  # follows no links: names are what the teacher sees


def read_notebook(path: Path, *, follow_link: bool = False) -> NotebookFile:
    """Read a notebook file, and nothing that its outputs hold.

    Args:
        path: the file.
        follow_link: read what a symbolic link points to; a learner's link could point to another's work.

    Raises:
        InvalidSubmissionError: the file cannot be read, is no JSON, or no notebook of format 4.
    """
    try:
        content = json.loads(_read(path, follow_link))
    except OSError as error:
        what = "folder" if path.is_dir() else "file"
        raise InvalidSubmissionError(f"the {what} cannot be read: {error.strerror or error}.") from None
    except RecursionError:
        raise InvalidSubmissionError("a notebook is a JSON file. Received: one that is nested too deeply.") from None
    except ValueError as error:
        raise InvalidSubmissionError(f"a notebook is a JSON file. Received: something else ({error}).") from None
    if not isinstance(content, dict) or "nbformat" not in content:
        raise InvalidSubmissionError("a notebook has cells and the number of its format. Received: other JSON.")
    if content["nbformat"] != 4:
        raise InvalidSubmissionError(f"notebook format 4 is required. Received: format {content['nbformat']!r:.20}.")
    if not isinstance(content.get("cells"), list):
        raise InvalidSubmissionError("a notebook has a list of cells. Received: none.")
    cells = [cell for cell in content["cells"] if isinstance(cell, dict) and cell.get("cell_type") == "code"]
    found = tuple(map(_code_cell, cells))
    size = sum(len(cell.source.encode("utf-8", "surrogatepass")) for cell in found)
    if size > MAX_CODE:
        raise InvalidSubmissionError(f"a notebook may have {MAX_CODE >> 20} MB of code. Received: {size >> 20} MB.")
    whole = CodeCell("", _dict(content.get("metadata")))
    return NotebookFile(found, whole.about("llmcourse", "lesson"))


def _read(path: Path, follow_link: bool) -> bytes:
    if path.is_symlink() and not follow_link:
        raise InvalidSubmissionError("a notebook is a file of its own. Received: a symbolic link.")
    about = path.stat()
    if not stat.S_ISREG(about.st_mode) and not stat.S_ISDIR(about.st_mode):
        raise InvalidSubmissionError("a notebook is a file. Received: a pipe, a device or a socket.")
    if about.st_size > MAX_BYTES:
        raise InvalidSubmissionError(
            f"a notebook may have {MAX_BYTES >> 20} MB; clear its outputs. Received: {about.st_size >> 20} MB."
        )
    raw = path.read_bytes()
    items = raw.count(b",") + raw.count(b"[") + raw.count(b"{")
    if items > MAX_ITEMS:
        raise InvalidSubmissionError(
            f"a notebook may have {MAX_ITEMS:,} entries; clear its outputs. Received: up to {items:,}."
        )
    return raw


def _code_cell(cell: dict[str, Any]) -> CodeCell:
    source, id = cell.get("source", ""), cell.get("id")
    if isinstance(source, list):
        source = "".join(part for part in source if isinstance(part, str))
    text = source if isinstance(source, str) else ""
    return CodeCell(text, _dict(cell.get("metadata")), id if isinstance(id, str) else "")


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
