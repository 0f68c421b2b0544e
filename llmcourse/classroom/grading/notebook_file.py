"""Read from a notebook file what counts, however damaged it is."""

import json
import math
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MAX_BYTES, MAX_CODE = 300 * 2**20, 2 * 2**20  # of the file, and of what its code cells hold
MAX_ITEMS = 10_000_000  # of the JSON; each takes some 64 bytes once it is read


class InvalidSubmissionError(ValueError):
    """Says why a notebook cannot be graded at all."""


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
    """The code cells of a notebook, and the lessons that its own metadata and those of its cells name."""

    cells: tuple[CodeCell, ...]
    lessons: tuple[str, ...] = ()


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
    except InvalidSubmissionError:
        raise
    except OSError as error:
        what = "folder" if os.path.isdir(path) else "file"  # noqa: PTH112  (`is_dir` may raise)
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
        raise InvalidSubmissionError(f"a notebook may have {_mb(MAX_CODE)} of code. Received: {_mb(size)}.")
    named = [CodeCell("", _dict(content.get("metadata"))), *found]
    lessons = dict.fromkeys(cell.about("llmcourse", "lesson") for cell in named)  # the notebook's own first
    return NotebookFile(found, tuple(filter(None, lessons)))


def _read(path: Path, follow_link: bool) -> bytes:
    if path.is_symlink() and not follow_link:
        raise InvalidSubmissionError("a notebook is a file of its own. Received: a symbolic link.")
    about = path.stat()
    if not stat.S_ISREG(about.st_mode) and not stat.S_ISDIR(about.st_mode):
        raise InvalidSubmissionError("a notebook is a file. Received: a pipe, a device or a socket.")
    if about.st_size > MAX_BYTES:
        raise InvalidSubmissionError(
            f"a notebook may have {_mb(MAX_BYTES)}; clear its outputs. Received: {_mb(about.st_size)}."
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


def _mb(size: int) -> str:
    """Write a size in MB, rounded up, so that what is too much also reads as more."""
    return f"{math.ceil(size / 2**20 * 100) / 100:g} MB"
