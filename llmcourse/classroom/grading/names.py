"""What the place of a notebook says about it: whose it is, and which lesson it might be.

A student's name comes from below the folder that is graded, never from that folder itself or above it. Where folders
name the students a file's own name does not count, since the student chose it.
"""

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

NBGRADERS_FOLDER = "submitted"
_MOODLE = re.compile(r"(?P<student>.+_\d+)_assignsubmission_file_?(?P<rest>.*)")
_COPY_OF = re.compile(r"^(copy of|kopie von|copie de|copia de)\s+", re.IGNORECASE)
_UNTITLED = re.compile(r"untitled\d*(-copy\d*|-checkpoint)*", re.IGNORECASE)
# What browsers, Jupyter, file managers and people add to the name of a copy.
_ADDED = (
    r"(?![a-z0-9])(?P<added>(?>(?:[\s._-]|\(\d+\)|\d{1,3}(?!\d)|copy|kopie|copie|copia|checkpoint|final|new|neu|v)*))"
)


@dataclass(frozen=True)
class FileName:
    """What the name of a file says: a student and a lesson, "" where it names none, and what was added to a copy."""

    student: str
    lesson: str = ""
    added: str = ""


class NameReader:
    """Reads names of files and folders.

    Args:
        known: ids of the lessons there are.
    """

    def __init__(self, known: Iterable[str]):
        longest_first = sorted(known, key=len, reverse=True)
        lesson = rf"(?:\d{{1,2}}[_-])?(?P<lesson>{'|'.join(map(re.escape, longest_first)) or '(?!)'})"
        self._forms = [
            re.compile(form, re.IGNORECASE | re.DOTALL)
            for form in (
                rf"(?P<student>.+)__{lesson}(?P<added>(?:[^a-z0-9].*)?)",
                rf"(?P<student>){lesson}{_ADDED}",
                rf"(?P<student>.+?)[\s_.-]+{lesson}{_ADDED}",
            )
        ]

    def file(self, stem: str) -> FileName:
        """Read a file's name without its extension."""
        if moodle := _MOODLE.fullmatch(stem):
            inner = self.file(moodle["rest"]) if moodle["rest"] else FileName("")
            return FileName(moodle["student"], inner.lesson, inner.added)
        stem = _COPY_OF.sub("", stem)
        for form in self._forms:
            if match := form.fullmatch(stem):
                return FileName(match["student"].strip(), match["lesson"].lower(), match["added"])
        return FileName("" if _UNTITLED.fullmatch(stem) else stem)

    def lesson_of_folder(self, name: str) -> str:
        """Give the lesson that a folder is named after, "" where it is named after none."""
        match = self._forms[1].fullmatch(name)
        return match["lesson"].lower() if match and not match["added"] else ""


def students_in_folders(root: Path, lessons: Mapping[Path, str], reader: NameReader) -> dict[Path, str]:
    """Tell whose the notebooks below a folder are, as far as the folders between say it.

    Known forms are `submitted/STUDENT/ASSIGNMENT` of nbgrader, `STUDENT/LESSON`, and Moodle's
    `NAME_NUMBER_assignsubmission_file_`. Otherwise it is the first folder in which the notebooks differ; a folder that
    only collects notebooks of several students (`week1/ada__mlp.ipynb`) names none of them.

    Args:
        root: the folder.
        lessons: the notebooks below it with their lessons.
        reader: reads names.

    Returns:
        The students' names; a notebook whose folders name nobody is left out.
    """
    found: dict[Path, str] = {}
    unclear: dict[Path, tuple[str, ...]] = {}
    for path in lessons:
        folders = path.relative_to(root).parts[: None if os.path.isdir(path) else -1]  # noqa: PTH112  (never raises)
        student, rest = _known_form(root.absolute().name, folders, reader)
        if student:
            found[path] = student
        elif rest:
            unclear[path] = rest
    if not _are_collections(unclear, lessons, reader):
        found |= _first_difference(unclear, lessons)
    return found


def _known_form(root: str, folders: tuple[str, ...], reader: NameReader) -> tuple[str, tuple[str, ...]]:
    """Give the student where the folders have a known form, and otherwise the folders that may name one."""
    for folder in folders:
        if moodle := _MOODLE.fullmatch(folder):
            return moodle["student"], ()
    inside = folders[folders.index(NBGRADERS_FOLDER) + 1 :] if NBGRADERS_FOLDER in folders else folders
    nbgrader = root == NBGRADERS_FOLDER or inside != folders
    kept = inside
    while kept and reader.lesson_of_folder(kept[-1]):
        kept = kept[:-1]
    if kept and (nbgrader or kept != inside):
        return kept[0] if nbgrader else kept[-1], ()
    return "", kept


def _are_collections(unclear: Mapping[Path, tuple[str, ...]], lessons: Mapping[Path, str], reader: NameReader) -> bool:
    """Tell whether folders only collect notebooks whose own names tell the students."""
    names = {path: reader.file(path.stem) for path in lessons}
    named = {path: name.student.casefold() for path, name in names.items() if name.student and name.lesson}
    if not unclear or not unclear.keys() <= named.keys():
        return False
    if any(named[path] in map(str.casefold, folders) for path, folders in unclear.items()):
        return False  # the folders are the students'
    students: dict[Path, set[str]] = defaultdict(set)
    places: dict[str, set[Path]] = defaultdict(set)
    for path, student in named.items():
        students[path.parent].add(student)
        places[student].add(path.parent)
    return any(len(names) > 1 for names in students.values()) or any(len(found) > 1 for found in places.values())


def _first_difference(unclear: Mapping[Path, tuple[str, ...]], lessons: Mapping[Path, str]) -> dict[Path, str]:
    """Name students after the first folder in which notebooks differ, and after further ones where two would be one."""
    folders = dict(unclear)
    while len({names[0] for names in folders.values()}) == 1 and all(len(names) > 1 for names in folders.values()):
        folders = {path: names[1:] for path, names in folders.items()}
    deepest = max(map(len, folders.values()), default=1)
    students = {path: names[0] for path, names in folders.items()}
    for depth in range(1, deepest):
        below = defaultdict(set)
        for path, names in folders.items():
            below[students[path], lessons[path]].add(names[depth] if len(names) > depth else "")
        gone = {student for (student, lesson), inner in below.items() if lesson and len(inner) > 1 and "" not in inner}
        students = {
            path: "/".join(folders[path][: depth + 1]) if student in gone else student
            for path, student in students.items()
        }
    return students
