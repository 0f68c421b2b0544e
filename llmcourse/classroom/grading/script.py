"""What a notebook comes to: its cells matched with the lesson's, and listed as steps to run."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from llmcourse.checking.lessons import Cell, Lesson
from llmcourse.classroom.grading.notebook_file import CodeCell

_CHECK = re.compile(r"check\(\s*[\"'](\w+)[\"']\s*\)\s*")
_DEFINED = re.compile(r"^(?:async[ \t]+)?(?:def|class)[ \t]+(\w+)|^(\w+)[ \t]*(?::[^=\n]*)?=(?!=)", re.MULTILINE)
_NO_PYTHON = re.compile(r"\s*%%(?!(?:time|capture|prun)\b)")  # such a cell is a file, a page, a script
_MOST_SHOWN = 2**20


@dataclass(frozen=True)
class Step:
    """One cell to run, and the exercises that it answers."""

    source: str
    name: str
    exercises: tuple[str, ...] = ()


@dataclass(frozen=True)
class Script:
    """The steps of a notebook in their order.

    `remarks` say what had to be guessed or was missing; `unanswered` are the exercises that no cell seems to answer;
    `demonstrations` is the text of the cells that are not run.
    """

    steps: tuple[Step, ...]
    remarks: tuple[str, ...] = ()
    unanswered: tuple[str, ...] = ()
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
    steps = [
        Step(solutions.get(cell.exercise or "", cell.source), f"<{cell.id}>", (cell.exercise,) if cell.exercise else ())
        for cell in cells
    ]
    return Script((*steps, Step(answer, f"<answer to {exercise}>", (exercise,))))


def read_script(lesson: Lesson, cells: Sequence[CodeCell]) -> Script:
    """Match the cells of a submission with the lesson's and list what to run, in the submission's order.

    A cell is known by what its metadata say, by its id, by text that the release holds word for word, then by the
    names that it defines, then by its position; one cell may answer several exercises. Check cells and demonstrations
    are left out. Cells that the release gave and that are missing are put back where they were.
    """
    matched = _match_by_identity(lesson, cells)
    answers, remarks = _answers(lesson, cells, matched)
    found = Counter(id for ids in answers for id in ids)
    remarks += [f"{id} was found {count} times; all run in order" for id, count in found.items() if count > 1]
    missing = _missing(lesson, matched)
    steps = [Step(cell.source, f"<{cell.id}>") for cell in missing.get(-1, [])]
    for number, (cell, ours) in enumerate(zip(cells, matched, strict=True)):
        if ours is None or ours.exercise or _is_given(ours):
            steps.append(Step(cell.source, f"<cell {number + 1}>", answers[number]))
        steps += [Step(cell.source, f"<{cell.id}>") for cell in missing.get(number, [])]
    remarks += [f"{cell.id} was missing and was taken from the release" for group in missing.values() for cell in group]
    shown = [cell.source for cell in lesson.cells if "explore" in cell.tags]
    shown += [cell.source for cell, ours in zip(cells, matched, strict=True) if ours and "explore" in ours.tags]
    unanswered = tuple(id for id in lesson.exercises if id not in found)
    return Script(tuple(steps), tuple(remarks), unanswered, "\n".join(shown)[:_MOST_SHOWN])


def count_exercises(lesson: Lesson, cells: Sequence[CodeCell]) -> int:
    """Count the exercises of a lesson that some cells answer, known by what they say they are or define."""
    answers, _ = _answers(lesson, cells, _match_by_identity(lesson, cells), by_position=False)
    return len({id for ids in answers for id in ids})


def _defined_names(source: str) -> list[str]:
    if _NO_PYTHON.match(source):
        return []
    return [first or second for first, second in _DEFINED.findall(source)]


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


def _match_by_identity(lesson: Lesson, cells: Sequence[CodeCell]) -> list[Cell | None]:
    """Find for each cell of a submission the lesson's cell that it says it is, or whose text it holds word for word."""
    release = [cell for cell in lesson.cells if cell.kind == "code"]
    known = {cell.id: cell for cell in release}
    texts = {_squeeze(cell.source): cell for cell in release}
    own_demonstration = Cell("code", "", "", tags=("explore",))
    matched: list[Cell | None] = []
    for cell in cells:
        ours = known.get(_named_id(lesson, cell, known)) or texts.get(_squeeze(cell.source))
        left_out = "explore" in cell.tags or _CHECK.fullmatch(cell.source.strip())
        matched.append(ours or (own_demonstration if left_out else None))
    return matched


def _answers(
    lesson: Lesson, cells: Sequence[CodeCell], matched: Sequence[Cell | None], by_position: bool = True
) -> tuple[list[tuple[str, ...]], list[str]]:
    """List for each cell the exercises that it answers, one cell may answer several, and say what was guessed."""
    answers: list[tuple[str, ...]] = [(cell.exercise,) if cell and cell.exercise else () for cell in matched]
    open_names = {name: id for id, task in lesson.exercises.items() if (id,) not in answers for name in task.names}
    remarks: list[str] = []
    found: set[str] = set()
    for number, cell in enumerate(cells):
        if open_names and (matched[number] is None or answers[number]):
            names = _defined_names(cell.source)
            own = dict.fromkeys(open_names[name] for name in names if name in open_names)
            answers[number] += tuple(own)
            remarks += [f"{id} was found by the names that its cell defines" for id in own if id not in found]
            found |= own.keys()
    release = [cell for cell in lesson.cells if cell.kind == "code"]
    if by_position and len(release) == len(cells) and any(matched):
        answered = {id for ids in answers for id in ids}
        for number, ours in enumerate(release):
            if ours.exercise and ours.exercise not in answered and not answers[number] and matched[number] is None:
                answers[number] = (ours.exercise,)
                remarks.append(f"{ours.exercise} was found by its position")
    return answers, remarks


def _named_id(lesson: Lesson, cell: CodeCell, known: dict[str, Cell]) -> str:
    """Read which cell of the lesson a cell says it is: in the course's own metadata, in nbgrader's, by its id."""
    exercise, checked = cell.about("llmcourse", "exercise"), cell.about("llmcourse", "check")
    named = (f"{lesson.id}-{exercise}", f"{lesson.id}-{checked}-check", cell.about("nbgrader", "grade_id"), cell.id)
    return next((id for id in named if id in known), "")


def _is_given(cell: Cell) -> bool:
    return cell.kind == "code" and not cell.exercise and not cell.check and "explore" not in cell.tags


def _squeeze(source: str) -> str:
    return "\n".join(line.rstrip() for line in source.strip().splitlines())
