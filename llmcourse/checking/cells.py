"""Split a lesson's source into cells, each with its metadata and the line where it begins."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmcourse.checking.syllabus import LessonError

_CELL_KEYS = {"exercise", "names", "forbid", "check", "tags"}
_CELL_MARK = re.compile(r"\s*#\s*%%(\s|%|$)")


@dataclass(frozen=True)
class RawCell:
    """A cell before it is understood, with the place of its source's first line."""

    path: Path
    line: int
    kind: str
    source: str
    metadata: dict[str, Any] = field(default_factory=dict)

    def error(self, message: str, offset: int = 0) -> LessonError:
        """Make an error that names the file and the line, `offset` lines into the cell."""
        return LessonError(f"{self.path}:{self.line + offset}: {message}")


def read_cells(path: Path) -> list[RawCell]:
    """Split lesson.py with jupytext, and find for each cell the line where its source begins."""
    import jupytext  # here, not above: it takes longer to import than the rest of the package's checking side

    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    first = next((line for line in lines if line.strip()), "")
    if not _CELL_MARK.match(first):
        raise LessonError(f"{path}:1: must begin with a cell, '# %%' or '# %% [markdown]'. Received: {first!r}.")
    form = {"extension": ".py", "format_name": "percent", "comment_magics": False}  # comments such as "# copy" stay
    found, position = [], 0
    for cell in jupytext.reads(text, fmt=form).cells:
        mark = next(index for index in range(position, len(lines)) if _CELL_MARK.match(lines[index]))
        position = mark + 1 + len(cell.source.splitlines())  # what looks like a mark inside a string is stepped over
        source = cell.source.strip("\n")
        blank = len(cell.source) - len(cell.source.lstrip("\n"))
        metadata = {
            key: value for key, value in cell.metadata.items() if key not in ("lines_to_next_cell", "cell_marker")
        }
        found.append(RawCell(path, mark + 2 + blank, cell.cell_type, source, metadata))
        _require_plain_metadata(found[-1])
    return found


def _require_plain_metadata(raw: RawCell) -> None:
    if raw.kind not in ("markdown", "code") or not raw.source.strip():
        raise raw.error(
            f"a cell must be Markdown or code, and not empty. Received: {raw.kind}, {raw.source[:40]!r}.", -1
        )
    unknown = raw.metadata.keys() - (_CELL_KEYS if raw.kind == "code" else {"tags"})
    if unknown:
        said = raw.metadata.get("incorrectly_encoded_metadata") or ", ".join(sorted(unknown))
        raise raw.error(
            f'a cell may say {", ".join(sorted(_CELL_KEYS))}, written as key="value". Received: {said}.', -1
        )
    for key in ("exercise", "check"):
        if key in raw.metadata and not _is_name(raw.metadata[key]):
            raise raw.error(f"{key} must be a Python name. Received: {raw.metadata[key]!r}.", -1)
    for key in ("names", "forbid", "tags"):
        value = raw.metadata.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            raise raw.error(f"{key} must be a list of strings. Received: {value!r}.", -1)


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and value.isascii() and value.isidentifier()
