"""Turn lessons into notebooks: the learner's copy, the executed solution, and the source that nbgrader releases."""

import difflib
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from llmcourse.checking.lessons import Cell, Lesson
from llmcourse.checking.syllabus import load_syllabus
from llmcourse.classroom.authoring.execute import run_notebook
from llmcourse.files import write_atomically

# Without the kernel's Python version, which would differ from machine to machine.
_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "name": "python",
        "pygments_lexer": "ipython3",
    },
}
_FORMAT_MINOR = 5  # the first with cell ids
_MOST_DIFF_LINES = 24


def student_notebook(lesson: Lesson) -> NotebookNode:
    """Make the learner's copy: solutions removed, no outputs, with the metadata that nbgrader needs.

    Explore cells use the learner's own functions, so they may fail while an exercise is not done; the standard tag
    `raises-exception` lets "Run All" go on after them.
    """
    sources = {id: exercise.starter for id, exercise in lesson.exercises.items()}
    return _notebook(lesson, sources, for_students=True)


def source_notebook(lesson: Lesson) -> NotebookNode:
    """Make nbgrader's source: the learner's copy with the solutions between their markers, which nbgrader removes."""
    return _notebook(lesson, {}, for_students=True)


def solution_notebook(lesson: Lesson) -> NotebookNode:
    """Make the solved notebook, without outputs: the solutions in place and no markers."""
    sources = {id: exercise.solution for id, exercise in lesson.exercises.items()}
    return _notebook(lesson, sources, for_students=False)


def notebook_name(lesson_id: str, number: int) -> str:
    """Give the name of a lesson's notebook: its number in the syllabus, then its id."""
    return f"{number:02d}_{lesson_id}.ipynb"


def notebook_text(notebook: NotebookNode) -> str:
    """Write a notebook as JSON with sorted keys, the same on every machine, with a newline at the end.

    Raises:
        nbformat.ValidationError: the notebook breaks the notebook format.
    """
    nbformat.validate(notebook)
    return nbformat.v4.writes(notebook) + "\n"


def build(
    lessons: Iterable[Lesson], out: Path, *, execute: bool = True, progress: Callable[[str], None] | None = None
) -> None:
    """Write the notebooks of some lessons, and remove notebooks that no lesson of the syllabus owns.

    A notebook is complete or not written at all: where a solution fails, both notebooks of its lesson stay as they
    were.

    Args:
        lessons: the lessons to write; others of the same syllabus keep their notebooks.
        out: the folder `notebooks`; gets `student/` and `solutions/`.
        execute: runs the solutions; otherwise they are written without outputs.
        progress: told in a few words what is done next.

    Raises:
        ExecutionError: a cell of a solution failed.
    """
    lessons, say = list(lessons), progress or (lambda text: None)
    for lesson in lessons:
        student, solution = dict(_wanted(lesson)).items()
        if execute:
            say(f"running {solution[0]}")
            own_lessons = {"LLMCOURSE_LESSONS": str(lesson.folder.parent.resolve())}
            solution = (solution[0], run_notebook(solution[1], name=solution[0], environment=own_lessons))
        for name, notebook in (student, solution):
            say(f"writing {name}")
            write_atomically(out / name, notebook_text(notebook))
    for path in _stale(lessons, out):
        say(f"removing {path.relative_to(out)}")
        path.unlink()


def check(lessons: Iterable[Lesson], out: Path) -> list[str]:
    """Compare the notebooks on disk with their lessons, without executing anything.

    Everything counts except the outputs and execution counts of solutions; a student notebook may hold none.

    Args:
        lessons: the lessons to look at.
        out: the folder `notebooks`.

    Returns:
        One readable difference each, with file, cell and a short diff; empty where all is in order.
    """
    lessons = list(lessons)
    found = [line for lesson in lessons for name, wanted in _wanted(lesson) for line in _compare(out, name, wanted)]
    return found + [f"{path.relative_to(out)}: no lesson owns this notebook" for path in _stale(lessons, out)]


def _wanted(lesson: Lesson) -> Iterator[tuple[str, NotebookNode]]:
    """Give the two notebooks of a lesson with their names below the folder `notebooks`."""
    name = notebook_name(lesson.id, lesson.number)
    yield f"student/{name}", student_notebook(lesson)
    yield f"solutions/{name}", solution_notebook(lesson)


def _stale(lessons: list[Lesson], out: Path) -> list[Path]:
    """List the notebooks that belong to no lesson of the syllabi that the lessons come from."""
    entries = [entry for root in {lesson.folder.parent for lesson in lessons} for entry in load_syllabus(root)]
    owned = {notebook_name(entry.id, entry.number) for entry in entries}
    paths = [path for kind in ("student", "solutions") for path in sorted((out / kind).glob("*.ipynb"))]
    return [path for path in paths if owned and path.name not in owned]


def _notebook(lesson: Lesson, sources: dict[str, str], *, for_students: bool) -> NotebookNode:
    """Build a notebook; `sources` replaces the text of exercise cells."""
    cells = [_header(lesson, generated=not for_students)]
    for cell in lesson.cells:
        source = sources.get(cell.exercise or "", cell.source)
        make = new_markdown_cell if cell.kind == "markdown" else new_code_cell
        cells.append(make(source, id=cell.id, metadata=_cell_metadata(lesson, cell, for_students)))
    metadata = {**_METADATA, "llmcourse": {"lesson": lesson.id}}
    return new_notebook(cells=cells, metadata=nbformat.from_dict(metadata), nbformat_minor=_FORMAT_MINOR)


def _header(lesson: Lesson, *, generated: bool) -> NotebookNode:
    comment = f"<!-- Generated from lessons/{lesson.id}/lesson.py, do not edit here. -->\n\n" if generated else ""
    text = f"{comment}**Lesson {lesson.number}: {lesson.title}** (about {lesson.minutes} minutes)"
    return new_markdown_cell(text, id=f"{lesson.id}-lesson-header")


def _cell_metadata(lesson: Lesson, cell: Cell, for_students: bool) -> NotebookNode:
    metadata: dict = {}
    tags = list(cell.tags)
    if for_students and "explore" in tags and "raises-exception" not in tags:
        tags.append("raises-exception")
    if tags:
        metadata["tags"] = tags
    if cell.exercise:
        names = list(lesson.exercises[cell.exercise].names)
        metadata["llmcourse"] = {"lesson": lesson.id, "exercise": cell.exercise, "names": names}
    elif cell.check:
        metadata["llmcourse"] = {"lesson": lesson.id, "check": cell.check}
    if for_students and (cell.exercise or cell.check):
        metadata["nbgrader"] = _nbgrader_metadata(lesson, cell)
    return nbformat.from_dict(metadata)


def _nbgrader_metadata(lesson: Lesson, cell: Cell) -> dict:
    """Describe a cell as nbgrader's schema 3 does: an exercise is solved, its locked check gives points."""
    common = {"cell_type": "code", "grade_id": cell.id, "schema_version": 3, "task": False}
    if cell.exercise:
        return {**common, "grade": False, "locked": False, "solution": True}
    points = lesson.exercises[cell.check or ""].points
    return {**common, "grade": True, "locked": True, "points": points, "solution": False}


def _compare(out: Path, name: str, wanted: NotebookNode) -> Iterator[str]:
    try:
        text = (out / name).read_text(encoding="utf-8")
        present = nbformat.v4.reads(text)
        have, want = _cell_lines(present), _cell_lines(wanted)
    except FileNotFoundError:
        yield f"{name}: is missing"
        return
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        yield f"{name}: is not a notebook ({type(error).__name__}: {error})"
        return
    differences = list(_cell_differences(have, want))
    if frame := _diff(_frame_lines(present), _frame_lines(wanted)):
        differences.insert(0, f"the notebook's own metadata\n{frame}")
    if not differences and name.startswith("student/") and text != notebook_text(wanted):
        differences = ["holds outputs or is written in another way"]
    for difference in differences:
        yield f"{name}: {difference}"


def _cell_lines(notebook: NotebookNode) -> list[tuple[str, list[str]]]:
    """Give each cell as its id and the lines that count: its type, its metadata, its source."""
    return [
        (
            str(cell.get("id")),
            [f"{cell.cell_type} {json.dumps(cell.metadata, sort_keys=True)}", *cell.source.splitlines()],
        )
        for cell in notebook.cells
    ]


def _frame_lines(notebook: NotebookNode) -> list[str]:
    frame = {key: value for key, value in notebook.items() if key != "cells"}
    return json.dumps(frame, sort_keys=True, indent=1).splitlines()


def _cell_differences(have: list[tuple[str, list[str]]], want: list[tuple[str, list[str]]]) -> Iterator[str]:
    """Align the cells by their ids and describe where they differ."""
    matcher = difflib.SequenceMatcher(None, [id for id, _ in have], [id for id, _ in want], autojunk=False)
    for _, first, last, start, stop in matcher.get_opcodes():
        both = min(last - first, stop - start)
        for (old_id, old), (new_id, new) in zip(have[first:last], want[start:stop], strict=False):
            if (old_id, old) != (new_id, new):
                label = f"cell {new_id}" if old_id == new_id else f"cell {old_id}, now {new_id}"
                yield f"{label}\n{_diff(old, new)}".rstrip()
        for id, lines in have[first + both : last]:
            yield f"cell {id} is not in the lesson\n{_diff(lines, [])}"
        for id, lines in want[start + both : stop]:
            yield f"cell {id} is missing\n{_diff([], lines)}"


def _diff(old: list[str], new: list[str]) -> str:
    lines = list(difflib.unified_diff(old, new, "notebook", "lesson", lineterm="", n=1))
    rest = len(lines) - _MOST_DIFF_LINES
    return "\n".join(lines[:_MOST_DIFF_LINES] + ([f"... and {rest} lines more"] if rest > 0 else []))
