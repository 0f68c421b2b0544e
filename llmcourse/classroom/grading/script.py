"""What a notebook comes to: its cells matched with the lesson's, and listed as steps to run."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from llmcourse.checking.lessons import Cell, Lesson
from llmcourse.classroom.grading.submissions import CodeCell

_CHECK = re.compile(r"check\(\s*[\"'](\w+)[\"']\s*\)\s*")
_DEFINED = re.compile(r"^(?:async[ \t]+)?(?:def|class)[ \t]+(\w+)|^(\w+)[ \t]*(?::[^=\n]*)?=(?!=)", re.MULTILINE)
_MOST_SHOWN = 2**20


@dataclass(frozen=True)
class Step:
    """One cell to run: `exercise` names the exercise that it answers, if it answers one."""

    source: str
    name: str
    exercise: str | None = None


@dataclass(frozen=True)
class Script:
    """The steps of a notebook in their order.

    `remarks` say what had to be guessed or was missing; `demonstrations` is the text of the cells that are not run.
    """

    steps: tuple[Step, ...]
    remarks: tuple[str, ...] = ()
    demonstrations: str = ""

    def without(self, skipped: Iterable[int]) -> Iterator[tuple[int, Step]]:
        """Yield the steps with their numbers, but for the skipped ones."""
        left_out = set(skipped)
        return ((number, step) for number, step in enumerate(self.steps) if number not in left_out)

    def shows(self, name: str) -> bool:
        """Tell whether a cell that is not run defines a name."""
        name = re.escape(name)
        place = rf"\b(?:def|class|import|as|for)[ \t]+{name}\b|^[ \t]*{name}\b[^\n=]*=[^=]"
        return re.search(place, self.demonstrations, re.MULTILINE) is not None


def reference_script(lesson: Lesson, exercise: str, answer: str) -> Script:
    """Make the script of the reference notebook with another answer to one exercise.

    The answer comes last, so names of its exercise that it does not define are the reference's.
    """
    solutions = {id: task.solution for id, task in lesson.exercises.items()}
    cells = [cell for cell in lesson.cells if cell.exercise or _is_given(cell)]
    steps = [Step(solutions.get(cell.exercise or "", cell.source), f"<{cell.id}>", cell.exercise) for cell in cells]
    return Script((*steps, Step(answer, f"<answer to {exercise}>", exercise)))


def read_script(lesson: Lesson, cells: Sequence[CodeCell]) -> Script:
    """Match the cells of a submission with the lesson's and list what to run, in the submission's order.

    A cell is known by what its metadata say, by its id, by text that the release holds word for word, then by the
    names that it defines, then by its position. Check cells and demonstrations are left out. Cells that the release
    gave and that are missing are put back where they were.
    """
    matched, remarks = _match(lesson, cells)
    found = Counter(cell.exercise for cell in matched if cell and cell.exercise)
    remarks += [f"{id} was not found" for id in lesson.exercises if id not in found]
    remarks += [f"{id} was found {count} times; all run in order" for id, count in found.items() if count > 1]
    missing = _missing(lesson, matched)
    steps = [Step(cell.source, f"<{cell.id}>") for cell in missing.get(-1, [])]
    for number, (cell, ours) in enumerate(zip(cells, matched, strict=True)):
        if ours is None or ours.exercise or _is_given(ours):
            steps.append(Step(cell.source, f"<cell {number + 1}>", ours.exercise if ours else None))
        steps += [Step(cell.source, f"<{cell.id}>") for cell in missing.get(number, [])]
    remarks += [f"{cell.id} was missing and was taken from the release" for group in missing.values() for cell in group]
    shown = [cell.source for cell in lesson.cells if "explore" in cell.tags]
    shown += [cell.source for cell, ours in zip(cells, matched, strict=True) if ours and "explore" in ours.tags]
    return Script(tuple(steps), tuple(remarks), "\n".join(shown)[:_MOST_SHOWN])


def _missing(lesson: Lesson, matched: list[Cell | None]) -> dict[int, list[Cell]]:
    """List the given cells that a submission lacks, by the number of the cell after which they belong; -1: first."""
    places = {cell.id: number for number, cell in reversed(list(enumerate(matched))) if cell}
    missing: dict[int, list[Cell]] = {}
    last = -1
    for ours in lesson.cells:
        last = max(last, places.get(ours.id, -1))
        if _is_given(ours) and ours.id not in places:
            missing.setdefault(last, []).append(ours)
    return missing


def _match(lesson: Lesson, cells: Sequence[CodeCell]) -> tuple[list[Cell | None], list[str]]:
    """Find for each cell of a submission the lesson's cell that it stands for, and say what was guessed."""
    release = [cell for cell in lesson.cells if cell.kind == "code"]
    known = {cell.id: cell for cell in release}
    texts = {_squeeze(cell.source): cell for cell in release}
    own_demonstration = Cell("code", "", "", tags=("explore",))
    matched: list[Cell | None] = []
    for cell in cells:
        ours = known.get(_named_id(lesson, cell, known)) or texts.get(_squeeze(cell.source))
        left_out = "explore" in cell.tags or _CHECK.fullmatch(cell.source.strip())
        matched.append(ours or (own_demonstration if left_out else None))
    answers = {name: known[f"{lesson.id}-{id}"] for id, task in lesson.exercises.items() for name in task.names}
    answered = {cell.exercise for cell in matched if cell}
    remarks = []

    def guess(number: int, ours: Cell, by: str) -> None:
        if matched[number] is None and ours.exercise not in answered:
            matched[number] = ours
            answered.add(ours.exercise)
            remarks.append(f"{ours.exercise} was found by {by}")

    for number, cell in enumerate(cells):
        names = [first or second for first, second in _DEFINED.findall(cell.source)] if not matched[number] else []
        for name in filter(answers.__contains__, names):
            guess(number, answers[name], "the names that it defines")
    if len(release) == len(cells):
        for number, ours in enumerate(release):
            if ours.exercise:
                guess(number, ours, "its position")
    return matched, remarks


def _named_id(lesson: Lesson, cell: CodeCell, known: dict[str, Cell]) -> str:
    """Read which cell of the lesson a cell says it is: in the course's own metadata, in nbgrader's, by its id."""
    exercise, checked = cell.about("llmcourse", "exercise"), cell.about("llmcourse", "check")
    named = (f"{lesson.id}-{exercise}", f"{lesson.id}-{checked}-check", cell.about("nbgrader", "grade_id"), cell.id)
    return next((id for id in named if id in known), "")


def _is_given(cell: Cell) -> bool:
    return cell.kind == "code" and not cell.exercise and not cell.check and "explore" not in cell.tags


def _squeeze(source: str) -> str:
    return "\n".join(line.rstrip() for line in source.strip().splitlines())
