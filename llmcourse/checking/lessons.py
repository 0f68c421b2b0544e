"""Read a lesson: its cells, exercises and criteria, from the files of its folder.

The notebook builder reads lessons to write notebooks; beside the learner the same reading gives `check.reset`,
`check.solution` and the functions that an exercise forbids.
"""

import ast
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from llmcourse.checking.cells import RawCell, read_cells
from llmcourse.checking.criteria import Answer, Criterion
from llmcourse.checking.exercises import FOLDER, exercise_files, load_exercises
from llmcourse.checking.syllabus import Entry, LessonError, load_syllabus
from llmcourse.resources import lessons_folder

TEXT = "lesson.py"
STUB = "raise NotImplementedError  # your code here"
CLASS_STUB = "pass  # your code here"  # a class body runs at once: raising there would stop "Run All"
BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"

_NEARLY_A_MARK = re.compile(r"\b(begin|end)\s+solution\b", re.IGNORECASE)
_LONGEST_CELL_ID = 64  # set by the notebook format


@dataclass(frozen=True)
class Cell:
    """One cell of lesson.py; the source of an exercise's cell still holds the solution between its markers.

    `exercise` names the exercise that the cell states, `check` the exercise that it checks.
    """

    kind: Literal["markdown", "code"]
    source: str
    id: str
    exercise: str | None = None
    check: str | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Exercise:
    """What a learner writes: the names it must define, the cell as they get it and as we solve it.

    `points` is what the notebook's own check can give; criteria that only the grader runs come on top.
    """

    id: str
    names: tuple[str, ...]
    forbid: tuple[str, ...]
    starter: str
    solution: str
    points: float


@dataclass(frozen=True)
class Lesson:
    """A whole lesson, read and checked."""

    id: str
    number: int
    title: str
    minutes: int
    prerequisites: tuple[str, ...]
    folder: Path
    cells: tuple[Cell, ...]
    exercises: Mapping[str, Exercise]
    criteria: Mapping[str, tuple[Criterion, ...]]
    answers: Mapping[str, tuple[Answer, ...]]


def load_lesson(id: str, folder: Path | str | None = None) -> Lesson:
    """Read one lesson and check that its files fit together.

    A lesson whose files did not change since the last call is returned from memory.

    Args:
        id: the lesson's id, as the syllabus lists it.
        folder: holds syllabus.toml and the lessons' folders; by default the course's own lessons.

    Raises:
        LessonError: the lesson is unknown, a file is missing, or its files contradict each other.
        ValueError: an exercise's file does not run.
    """
    root = (Path(folder) if folder is not None else lessons_folder()).absolute()
    entries = {entry.id: entry for entry in load_syllabus(root)}
    if id not in entries:
        raise LessonError(f"The lesson must be one of {', '.join(entries) or '(none listed)'}. Received: {id!r}.")
    folder = root / id
    if not (folder / TEXT).is_file():
        raise LessonError(f"{folder} must hold {TEXT}. Received: no such file.")
    files = [folder / TEXT, *exercise_files(folder)]
    stamp = tuple((path.name, path.stat().st_mtime_ns, path.stat().st_size) for path in files)
    return _load(entries[id], folder, stamp)


@lru_cache(maxsize=32)
def _load(entry: Entry, folder: Path, stamp: tuple) -> Lesson:
    """Read the files; `stamp` is only part of the cache's key."""
    raw_cells = read_cells(folder / TEXT)
    declared = load_exercises(folder, _require_files(raw_cells, folder))
    criteria = {id: tuple(item.criteria) for id, item in declared.items()}
    cells: list[Cell] = []
    exercises: dict[str, Exercise] = {}
    stated: dict[str, RawCell] = {}
    for raw in raw_cells:
        cell = _cell(raw, entry.id, taken={cell.id for cell in cells})
        if cell.exercise:
            if cell.exercise in exercises:
                raise raw.error(f"every exercise must have its own id. Received: {cell.exercise!r} a second time.", -1)
            exercises[cell.exercise] = _exercise(raw, cell.exercise, criteria[cell.exercise])
            stated[cell.exercise] = raw
        elif cell.check:
            _require_check(raw, cell, exercises, cells)
        cells.append(cell)
    for id in exercises.keys() - {cell.check for cell in cells}:
        raise stated[id].error(f'an exercise must have a check cell below it: # %% check="{id}". Received: none.', -1)
    for path in exercise_files(folder):
        if path.stem not in exercises and path.parent.name == FOLDER:
            raise LessonError(f"{path}: an exercise of {TEXT} must have this name. Received: none.")
    return Lesson(
        **vars(entry),
        folder=folder,
        cells=tuple(cells),
        exercises=MappingProxyType(exercises),
        criteria=MappingProxyType(criteria),
        answers=MappingProxyType({id: tuple(item.answers) for id, item in declared.items()}),
    )


def _require_files(cells: Sequence[RawCell], folder: Path) -> list[str]:
    """List the exercises that the text states, each of which must have its file."""
    stated = {cell.metadata["exercise"]: cell for cell in cells if cell.metadata.get("exercise")}
    for id, cell in stated.items():
        if not (folder / FOLDER / f"{id}.py").is_file():
            raise cell.error(f"an exercise must have a file {FOLDER}/{id}.py. Received: none.", -1)
    return list(stated)


def _cell(raw: RawCell, lesson_id: str, taken: set[str]) -> Cell:
    exercise, check = raw.metadata.get("exercise"), raw.metadata.get("check")
    if exercise and check:
        raise raw.error("one cell is an exercise or its check, not both. Received: both.", -1)
    if not exercise:
        if raw.metadata.keys() & {"names", "forbid"}:
            raise raw.error('names and forbid need exercise="..." beside them. Received: none.', -1)
        for number, line in enumerate(raw.source.splitlines()):
            if _NEARLY_A_MARK.search(line):
                raise raw.error(f'solution markers need a cell with exercise="...". Received: {line.strip()}', number)
    if exercise or check:
        id = f"{lesson_id}-{exercise or check}" + ("-check" if check else "")
        if len(id) > _LONGEST_CELL_ID:
            raise raw.error(f"a cell's id may have {_LONGEST_CELL_ID} characters. Received: {id!r}.", -1)
    else:  # from the content, so that the ids of other cells stay when one is inserted
        stem = f"{lesson_id}-{raw.kind}-{hashlib.sha256(raw.source.encode()).hexdigest()[:8]}"
        repeats = (f"{stem}-{count}" for count in range(2, 1000))
        id = stem if stem not in taken else next(name for name in repeats if name not in taken)
    kind: Literal["markdown", "code"] = "markdown" if raw.kind == "markdown" else "code"
    return Cell(kind, raw.source, id, exercise, check, tuple(raw.metadata.get("tags", ())))


def _require_check(raw: RawCell, cell: Cell, exercises: Mapping[str, Exercise], above: list[Cell]) -> None:
    if cell.check not in exercises:
        raise raw.error(f"a check must name an exercise above it. Received: {cell.check!r}.", -1)
    if cell.check in {other.check for other in above}:
        raise raw.error(f"an exercise has one check cell. Received: a second one for {cell.check!r}.", -1)
    body = _parse(raw, raw.source, "a check cell").body
    match body[-1]:
        case ast.Expr(ast.Call(func=ast.Name("check"), args=[ast.Constant(said), *_])) if said == cell.check:
            return
    raise raw.error(f'a check cell must end with check("{cell.check}"). Received: {raw.source.splitlines()[-1]}')


def _exercise(raw: RawCell, id: str, criteria: tuple[Criterion, ...]) -> Exercise:
    if all(item.hidden for item in criteria):
        raise raw.error(
            f"an exercise needs a criterion that is not hidden. Received: {len(criteria)} hidden and no other.", -1
        )
    starter, solution = _split_solution(raw)
    names = tuple(raw.metadata.get("names") or [id])
    missing = [name for name in names if name not in _defined_names(_parse(raw, raw.source, "the solution"))]
    if missing:
        raise raw.error(f"an exercise's cell must define {', '.join(names)}. Received: no {', '.join(missing)}.")
    forbid = tuple(raw.metadata.get("forbid", ()))
    return Exercise(id, names, forbid, starter, solution, sum(item.points for item in criteria if not item.hidden))


def _split_solution(raw: RawCell) -> tuple[str, str]:
    """Return an exercise's cell as the learner gets it, and as we solve it."""
    starter: dict[int, str] = {}  # by their place in the cell
    solution: list[str] = []
    stubs: list[int] = []
    opened = None
    for number, line in enumerate(raw.source.splitlines()):
        mark = line.strip()
        if mark in (BEGIN, END):
            if (mark == BEGIN) != (opened is None):
                raise raw.error(f"each '{BEGIN}' needs one '{END}' below it. Received: '{mark}' out of turn.", number)
            if mark == BEGIN:
                stubs.append(number)
                starter[number] = line.replace(BEGIN, STUB)
            opened = number if mark == BEGIN else None
        elif _NEARLY_A_MARK.search(line):
            raise raw.error(f"markers are written '{BEGIN}' and '{END}'. Received: {mark}", number)
        else:
            solution.append(line)
            if opened is None:
                starter[number] = line
    if opened is not None:
        raise raw.error(f"'{BEGIN}' needs '{END}' below it. Received: none in this cell.", opened)
    if not stubs:
        raise raw.error(f"an exercise must hold a solution after '{BEGIN}'. Received: no marker.")
    return _soften_class_stubs(raw, starter, stubs), "\n".join(solution)


def _soften_class_stubs(raw: RawCell, starter: dict[int, str], stubs: list[int]) -> str:
    """Write `pass` instead of `raise` where a stub is not inside a function and would stop the whole notebook."""
    places = list(starter)
    tree = _parse(raw, "\n".join(starter.values()), "the student's copy", places)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    for place in stubs:
        line = places.index(place) + 1
        if not any(node.lineno <= line <= (node.end_lineno or 0) for node in functions):
            starter[place] = starter[place].replace(STUB, CLASS_STUB)
    return "\n".join(starter.values())


def _parse(raw: RawCell, source: str, what: str, places: Sequence[int] = ()) -> ast.Module:
    """Parse a cell's source; `places` are its lines' places in the cell where lines were left out."""
    try:
        return ast.parse(source)
    except SyntaxError as error:
        line, text = (error.lineno or 1) - 1, (error.text or "").strip()
        offset = (places[line] if line < len(places) else places[-1]) if places else line
        raise raw.error(f"{what} must be valid Python. Received: {error.msg}: {text}", offset) from error


def _defined_names(tree: ast.Module) -> set[str]:
    """List the names that a cell defines at its top level."""
    found: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)}
    return found
