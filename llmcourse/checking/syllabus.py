"""The syllabus: the one list of lessons, whose order gives the numbers in the notebooks' names."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmcourse.resources import lessons_folder

_ENTRY_TYPES = {"id": str, "title": str, "minutes": int, "prerequisites": list}
_LESSON_ID = re.compile(r"[a-z][a-z0-9_]{0,39}")


class LessonError(ValueError):
    """Says what is wrong in a lesson's files, with the file and, where there is one, the line."""


@dataclass(frozen=True)
class Entry:
    """One lesson as the syllabus lists it; its number is its place in the list, from 1."""

    id: str
    number: int
    title: str
    minutes: int
    prerequisites: tuple[str, ...]


def is_lesson_id(text: str) -> bool:
    """Tell whether a text can name a lesson: at most 40 lower-case letters, digits and _, a letter first."""
    return bool(_LESSON_ID.fullmatch(text))


def load_syllabus(folder: Path | str | None = None) -> tuple[Entry, ...]:
    """Read the list of lessons, in the order of the course.

    Args:
        folder: holds syllabus.toml; by default the course's own lessons.

    Raises:
        LessonError: the file is missing, or says something that a list of lessons cannot say.
    """
    path = (Path(folder) if folder is not None else lessons_folder()) / "syllabus.toml"
    try:
        return parse_syllabus(path.read_text(encoding="utf-8"), path)
    except FileNotFoundError:
        raise LessonError(
            f"{path.parent} must hold syllabus.toml, the list of lessons. Received: no such file."
        ) from None


def parse_syllabus(text: str, path: Path) -> tuple[Entry, ...]:
    """Understand the text of a syllabus; `path` is named in the errors.

    Raises:
        LessonError: as `load_syllabus`.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise LessonError(f"{path} must be a TOML file. Received: {error}") from error
    rows = document.pop("lesson", [])
    if document or not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise LessonError(
            f"{path} must hold only [[lesson]] tables. Received: {', '.join(document) or 'lesson = ...'}."
        )
    entries: dict[str, Entry] = {}
    for number, row in enumerate(rows, start=1):
        entry = _entry(f"{path}, lesson {number}", number, row, known=list(entries))
        entries[entry.id] = entry
    return tuple(entries.values())


def _entry(place: str, number: int, row: dict[str, Any], known: list[str]) -> Entry:
    if row.keys() != _ENTRY_TYPES.keys():
        raise LessonError(f"{place}: needs exactly {', '.join(_ENTRY_TYPES)}. Received: {', '.join(row) or 'nothing'}.")
    for key, kind in _ENTRY_TYPES.items():
        if type(row[key]) is not kind:
            raise LessonError(f"{place}: {key} must be of type {kind.__name__}. Received: {row[key]!r}.")
    if not is_lesson_id(row["id"]) or row["id"] in known:
        raise LessonError(
            f"{place}: id must be lower-case letters, digits and _, and new in the list. Received: {row['id']!r}."
        )
    if not row["title"].strip() or row["minutes"] <= 0:
        raise LessonError(f"{place}: needs a title and minutes above 0. Received: {row['title']!r}, {row['minutes']}.")
    strangers = [item for item in row["prerequisites"] if item not in known]
    if strangers:
        raise LessonError(f"{place}: prerequisites must name lessons further up in the list. Received: {strangers}.")
    return Entry(row["id"], number, row["title"], row["minutes"], tuple(row["prerequisites"]))
