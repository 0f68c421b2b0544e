"""Find the notebooks of a class, and tell of each whose it is and which lesson it answers: one for each of both.

What a notebook itself says decides its lesson; names of files, folders and options only help where it says nothing.
"""

import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from llmcourse.classroom.grading.lessons import Lessons
from llmcourse.classroom.grading.names import FileName, NameReader, students_in_folders
from llmcourse.classroom.grading.notebook_file import NotebookFile, read_notebook

NO_EXERCISE = "holds no exercise of any lesson"


@dataclass(frozen=True)
class Submission:
    """A notebook file with the names of its student and its lesson; the lesson is "" where nothing tells it.

    `notebook` is what the file held when the class was read, or why it cannot be read; `remarks` say what was
    contradictory or left out.
    """

    student: str
    lesson: str
    path: Path
    notebook: NotebookFile | Exception = field(repr=False)
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Submissions:
    """The notebooks to grade, and one line for each other notebook that belongs to none of them."""

    found: tuple[Submission, ...]
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Candidate:
    """A submission before it is compared with the others.

    `named_by` is "folder", "file", or "" where nothing names its student. `foreign`: it holds no exercise of any
    lesson. `given`: the teacher named the file itself, and not a folder that holds it.
    """

    submission: Submission
    name: FileName
    named_by: str
    foreign: bool
    given: bool

    @property
    def key(self) -> tuple[str, ...]:
        """Give what is equal for notebooks of one student and lesson; where nothing names a student all differ."""
        if not self.named_by:
            return (_absolute(self.submission.path),)
        student = unicodedata.normalize("NFC", self.submission.student)
        # Folders were made by a system that tells Ada from ada; files are named by people, who may not.
        return student if self.named_by == "folder" else student.casefold(), self.submission.lesson

    @property
    def rank(self) -> tuple:
        """Order notebooks of one student and lesson: the one that counts first."""
        path, broken = self.submission.path, isinstance(self.submission.notebook, Exception)
        misnamed = self.name.lesson != self.submission.lesson
        copied = self.name.added != "" or path.stem != path.stem.lower()
        return broken, self.foreign, misnamed, copied, len(path.parts), str(path)


def find_submissions(paths: Iterable[Path], lessons: Lessons, lesson: str | None = None) -> Submissions:
    """Find and read the notebooks under some paths, each once, and choose one for each student and lesson.

    A folder that cannot be read becomes a submission, too, so that it gets a row that says so.

    Args:
        paths: a notebook, a folder of `<student>__<lesson>.ipynb`, a folder for each student, or nbgrader's
            `submitted/<student>/<lesson>/*.ipynb`.
        lessons: the lessons there are.
        lesson: taken for notebooks that do not say themselves which lesson they are.

    Raises:
        FileNotFoundError: a path is missing.
        PermissionError: a folder that was named cannot be read.
    """
    candidates: dict[str, _Candidate] = {}
    reader = NameReader(lessons.known)
    for root in paths:
        for candidate in _candidates(root, lessons, reader, lesson):
            candidates.setdefault(_absolute(candidate.submission.path), candidate)
    return _choose(list(candidates.values()))


def _candidates(root: Path, lessons: Lessons, reader: NameReader, lesson: str | None) -> list[_Candidate]:
    """Read the notebooks under one path."""
    read = {}
    for path in _notebooks(root):
        notebook, name = _open(path, given=path == root), reader.file(path.stem)
        read[path] = (notebook, name, *_lesson(path, notebook, name, lessons, reader, lesson))
    by_folder = (
        students_in_folders(root, {path: item[2] for path, item in read.items()}, reader) if root.is_dir() else {}
    )
    found = []
    for path, (notebook, name, chosen, foreign, remarks) in read.items():
        named_by = "folder" if path in by_folder else "file" if name.student else ""
        student = by_folder.get(path) or name.student or path.stem
        if named_by == "folder" and name.lesson and name.student.casefold() not in ("", student.casefold()):
            remarks = (*remarks, f"handed in by {student}, whatever its name says: {path.name}")
        if not named_by:
            remarks = (*remarks, "nothing names its student: neither a folder below the one graded, nor its own name")
        submission = Submission(student, chosen, path, notebook, remarks)
        found.append(_Candidate(submission, name, named_by, foreign, path == root))
    return found


def _lesson(
    path: Path,
    notebook: NotebookFile | Exception,
    name: FileName,
    lessons: Lessons,
    reader: NameReader,
    asked: str | None,
) -> tuple[str, bool, tuple[str, ...]]:
    """Tell the lesson of a notebook, whether it is foreign to the course, and what contradicts the lesson."""
    folder = path if os.path.isdir(path) else path.parent  # noqa: PTH112  (`is_dir` may raise)
    place = name.lesson or reader.lesson_of_folder(folder.name)
    guess = asked or place
    if isinstance(notebook, Exception):
        return guess, False, ()
    own, why = lessons.named_in(notebook), "its own metadata name"
    if not own:
        recognised = lessons.recognised_in(notebook)
        if not recognised:
            return guess, True, ()
        own, why = guess, "its exercises are of"
        if not recognised[guess]:
            (best, count), *others = recognised.most_common(2)
            own = "" if others and others[0][1] == count else best
    said = [
        f"{what} {other}"
        for what, other in (("--lesson says", asked), ("its place says", place))
        if other and own and other != own
    ]
    return own, False, (f"graded as {own}, which {why}; {' and '.join(said)}",) if said else ()


def _choose(candidates: list[_Candidate]) -> Submissions:
    """Keep one notebook for each student and lesson, and say in a line each what was left out and why."""
    chosen: dict[tuple[str, ...], _Candidate] = {}
    notes: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for item in sorted(candidates, key=lambda item: item.rank):
        if chosen.setdefault(item.key, item) is not item:
            second = f"is a second notebook for lesson {item.submission.lesson or '(none)'}"
            said = NO_EXERCISE if item.foreign else second
            notes[item.key].append(f"{item.submission.path.name} {said} and was not graded")
    left_out = []
    own = [key for key, item in chosen.items() if not item.foreign]
    for item in [item for item in chosen.values() if item.foreign and not item.given]:
        said = f"{NO_EXERCISE} and was not graded"
        beside = next((key for key in own if item.named_by and key[0] == item.key[0]), None)
        if beside:
            notes[beside].append(f"{item.submission.path.name} {said}")
        elif own and not item.name.lesson and item.named_by != "folder":
            left_out.append(f"{item.submission.path} {said}")
        else:
            continue
        del chosen[item.key]
    found = [item for item in candidates if chosen.get(item.key) is item]
    return Submissions(
        tuple(replace(item.submission, remarks=(*item.submission.remarks, *notes[item.key])) for item in found),
        tuple(left_out),
    )


def _open(path: Path, given: bool) -> NotebookFile | Exception:
    try:
        return read_notebook(path, follow_link=given)
    except Exception as error:  # told in the submission's own row
        return error


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
            if name.lower().endswith(".ipynb") and not name.startswith("."):
                yield Path(folder, name)
    for error in closed:
        if Path(error.filename) == root:
            raise PermissionError(f"A folder that you may read is required. Received: {root} ({error.strerror}).")
        yield Path(error.filename)


def _absolute(path: Path) -> str:
    return os.path.normpath(path.absolute())  # follows no links: names are what the teacher sees
