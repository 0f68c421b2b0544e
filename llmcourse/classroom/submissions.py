"""Find the notebooks of a class and read each as a list of steps to run, however damaged it is."""

import ast
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmcourse.checking.lessons import Cell, Lesson

MAX_BYTES = 300 * 2**20
_NUMBER = re.compile(r"^\d+_")
_CHECK = re.compile(r"check\(\s*[\"'](\w+)[\"']\s*\)\s*")


class InvalidSubmissionError(ValueError):
    """Says why a notebook cannot be graded at all."""


@dataclass(frozen=True)
class Submission:
    """A notebook file with the names of its student and its lesson; the lesson is "" where nothing tells it."""

    student: str
    lesson: str
    path: Path


@dataclass(frozen=True)
class Step:
    """One cell to run: `exercise` names the exercise that it answers, if it answers one."""

    source: str
    name: str
    exercise: str | None = None


@dataclass(frozen=True)
class Script:
    """What a notebook comes to: the steps in order, and remarks on what had to be guessed or was missing."""

    steps: tuple[Step, ...]
    remarks: tuple[str, ...] = ()

    def without(self, skipped: Iterable[int]) -> Iterator[tuple[int, Step]]:
        """Yield the steps with their numbers, but for the skipped ones."""
        left_out = set(skipped)
        return ((number, step) for number, step in enumerate(self.steps) if number not in left_out)


def find_submissions(paths: Iterable[Path], known: Iterable[str], lesson: str | None = None) -> list[Submission]:
    """List the notebooks under some paths.

    Args:
        paths: a notebook, a folder of `<student>__<lesson>.ipynb`, or nbgrader's
        `submitted/<student>/<lesson>/*.ipynb`. known: ids of the lessons there are.
        lesson: taken for every notebook, whatever its name says.

    Raises:
        FileNotFoundError, PermissionError: a path is missing, or cannot be read.
    """
    found = []
    lessons = set(known)
    for root in paths:
        for path in _notebooks(root):
            student, named = _names(root, path, lessons)
            found.append(Submission(student, lesson or named, path))
    return found


def _notebooks(root: Path) -> list[Path]:
    if not root.exists():
        raise FileNotFoundError(
            f"A notebook or a folder of notebooks is required. Received: {root}, which does not exist."
        )
    if root.is_file():
        return [root]
    try:
        next(root.iterdir(), None)
    except PermissionError:
        raise PermissionError(f"A folder that you may read is required. Received: {root}.") from None
    return sorted(
        path
        for path in root.rglob("*.ipynb")
        if not any(part.startswith(".") for part in path.parts[len(root.parts) :])
    )


def _names(root: Path, path: Path, known: set[str]) -> tuple[str, str]:
    """Tell student and lesson from a notebook's place and name."""
    stem = path.stem
    if "__" in stem:
        student, _, lesson = stem.rpartition("__")
        return student, _NUMBER.sub("", lesson)
    own = _NUMBER.sub("", stem)
    folders = path.resolve().parts[:-1]
    if root.is_dir() and len(folders) >= 2 and len(path.relative_to(root).parts) >= 2:
        lesson = folders[-1] if folders[-1] in known or own not in known else own
        return folders[-2], lesson
    return stem, own if own in known else ""


def read_cells(path: Path) -> list[dict[str, Any]]:
    """Read the code cells of a notebook file as {"source": text, "metadata": dict}, and nothing that outputs hold.

    Raises:
        InvalidSubmissionError: the file cannot be read, is no JSON, or no notebook of format 4.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise InvalidSubmissionError(f"a notebook may have {MAX_BYTES >> 20} MB. Received: {size >> 20} MB.")
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise InvalidSubmissionError(f"the file cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise InvalidSubmissionError(f"a notebook is a JSON file. Received: something else ({error}).") from None
    if not isinstance(content, dict) or "nbformat" not in content:
        raise InvalidSubmissionError("a notebook has cells and the number of its format. Received: other JSON.")
    if content["nbformat"] != 4:
        raise InvalidSubmissionError(f"notebook format 4 is required. Received: format {content['nbformat']!r:.20}.")
    if not isinstance(content.get("cells"), list):
        raise InvalidSubmissionError("a notebook has a list of cells. Received: none.")
    return [
        _plain_cell(cell) for cell in content["cells"] if isinstance(cell, dict) and cell.get("cell_type") == "code"
    ]


def _plain_cell(cell: dict[str, Any]) -> dict[str, Any]:
    source, metadata = cell.get("source", ""), cell.get("metadata")
    if isinstance(source, list):
        source = "".join(part for part in source if isinstance(part, str))
    return {
        "source": source if isinstance(source, str) else "",
        "metadata": metadata if isinstance(metadata, dict) else {},
        "id": cell.get("id"),
    }


def lesson_in_metadata(path: Path) -> str:
    """Read the lesson's id from a notebook's own metadata; "" where it does not say."""
    try:
        named = json.loads(path.read_bytes())["metadata"]["llmcourse"]["lesson"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return ""
    return named if isinstance(named, str) else ""


def read_script(lesson: Lesson, cells: list[dict[str, Any]]) -> Script:
    """Match the cells of a submission with the lesson's and list what to run, in the submission's order.

    An answer is found by the exercise's id in the metadata, then by the names that it defines, then by its position.
    Check cells and demonstrations are left out. Cells that the release gave and that are missing come first, from the
    release.
    """
    roles = [_role(lesson, cell) for cell in cells]
    remarks = []
    for role, cell in zip(roles, cells, strict=True):
        if role.exercise is None and not role.left_out:
            role.exercise = _by_names(lesson, cell["source"], {other.exercise for other in roles})
            if role.exercise:
                remarks.append(f"{role.exercise} was found by the names that it defines")
    remarks += _by_position(lesson, cells, roles)
    given = [cell for cell in lesson.cells if _is_given(cell)]
    present = {_squeeze(cell["source"]) for cell in cells} | {cell["id"] for cell in cells}
    absent = [cell for cell in given if _squeeze(cell.source) not in present and cell.id not in present]
    remarks += [f"the given cell {cell.id} was missing and was taken from the release" for cell in absent]
    answered = [role.exercise for role in roles if role.exercise]
    remarks += [f"{id} was not found" for id in lesson.exercises if id not in answered]
    remarks += [
        f"{id} was found {answered.count(id)} times; all run in order"
        for id in dict.fromkeys(answered)
        if answered.count(id) > 1
    ]
    steps = [Step(cell.source, f"<{cell.id}>") for cell in absent]
    for number, (role, cell) in enumerate(zip(roles, cells, strict=True), start=1):
        if not role.left_out:
            steps.append(Step(plain_python(cell["source"]), f"<cell {number}>", role.exercise))
    return Script(tuple(steps), tuple(remarks))


@dataclass
class _Role:
    exercise: str | None = None
    left_out: bool = False


def _role(lesson: Lesson, cell: dict[str, Any]) -> _Role:
    """Tell what a cell is for from its metadata or from text that the release holds word for word."""
    own = cell["metadata"].get("llmcourse")
    own = own if isinstance(own, dict) else {}
    grader = cell["metadata"].get("nbgrader")
    grade_id = grader.get("grade_id") if isinstance(grader, dict) else None
    tags = cell["metadata"].get("tags")
    release = {_squeeze(other.source): other for other in lesson.cells if other.kind == "code"}
    same = release.get(_squeeze(cell["source"]))
    called = _CHECK.fullmatch(cell["source"].strip())
    if (
        own.get("check") in lesson.exercises
        or str(grade_id).endswith("-check")
        or (called and called[1] in lesson.exercises)
        or (isinstance(tags, list) and "explore" in tags)
        or (same and "explore" in same.tags)
    ):
        return _Role(left_out=True)
    for id in lesson.exercises:
        if own.get("exercise") == id or grade_id == f"{lesson.id}-{id}" or cell["id"] == f"{lesson.id}-{id}":
            return _Role(exercise=id)
    return _Role()


def _by_names(lesson: Lesson, source: str, taken: set[str | None]) -> str | None:
    try:
        body = ast.parse(plain_python(source)).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    defined = {node.name for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    for id, task in lesson.exercises.items():
        if id not in taken and defined & set(task.names):
            return id
    return None


def _by_position(lesson: Lesson, cells: list[dict[str, Any]], roles: list[_Role]) -> list[str]:
    """Give exercises that are still open the cells at their places, where no cell was added or removed."""
    release = [cell for cell in lesson.cells if cell.kind == "code"]
    if len(release) != len(cells):
        return []
    remarks, answered = [], {role.exercise for role in roles}
    for ours, role in zip(release, roles, strict=True):
        if ours.exercise and ours.exercise not in answered and role.exercise is None and not role.left_out:
            role.exercise = ours.exercise
            remarks.append(f"{ours.exercise} was found by its position")
    return remarks


def _is_given(cell: Cell) -> bool:
    return cell.kind == "code" and not cell.exercise and not cell.check and "explore" not in cell.tags


def _squeeze(source: str) -> str:
    return "\n".join(line.rstrip() for line in source.strip().splitlines())


def plain_python(source: str) -> str:
    """Take out what only IPython understands, magic, shell commands and help; other lines keep their numbers."""
    lines = source.splitlines()
    first = next((line.strip() for line in lines if line.strip()), "")
    if first.startswith("%%") and first.split()[0] not in ("%%time", "%%timeit", "%%capture", "%%prun"):
        return ""
    return "\n".join(_plain_line(line) for line in lines)


def _plain_line(line: str) -> str:
    text = line.strip()
    if text.startswith(("%", "!", "?")) or (text.endswith("?") and re.fullmatch(r"[\w.]+\?{1,2}", text)):
        return line[: len(line) - len(line.lstrip())] + "pass"
    return line
