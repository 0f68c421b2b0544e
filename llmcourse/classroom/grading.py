"""The trusted side of grading: run the criteria against a worker that holds the learner's code, and give points."""

import re
import time
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from llmcourse.checking.lessons import Lesson, load_lesson
from llmcourse.checking.run import Outcome, failed_outcome, run_exercise
from llmcourse.checking.student import ConnectionLostError
from llmcourse.checking.syllabus import LessonError, load_syllabus
from llmcourse.classroom.sandbox import ISOLATION, Limits, Sandbox, Worker
from llmcourse.classroom.submissions import (
    InvalidSubmissionError,
    Script,
    Step,
    Submission,
    lesson_in_metadata,
    plain_python,
    read_cells,
    read_script,
)

WORST_FIRST = ("invalid", "memory", "timeout", "crashed", "ok")
_UNDEFINED = re.compile(r"NameError: name '(\w+)' is not defined")


@dataclass(frozen=True)
class Graded:
    """The outcomes of one exercise."""

    id: str
    outcomes: tuple[Outcome, ...]

    @property
    def points(self) -> float:
        """Sum the points earned."""
        return sum(outcome.points for outcome in self.outcomes)

    @property
    def max_points(self) -> float:
        """Sum the points of a full answer."""
        return sum(outcome.max_points for outcome in self.outcomes)


@dataclass(frozen=True)
class Row:
    """The result of one submission.

    `status` is "ok", or the worst thing that happened: "crashed", "timeout", "memory", "invalid". `seconds` is wall
    time, `cpu_seconds` the worker's.
    """

    student: str
    lesson: str
    path: str
    status: str
    exercises: tuple[Graded, ...] = ()
    message: str = ""
    remarks: tuple[str, ...] = ()
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    isolation: str = "basic"

    @property
    def score(self) -> float:
        """Sum the points earned."""
        return sum(exercise.points for exercise in self.exercises)

    @property
    def max_score(self) -> float:
        """Sum the points of a full answer."""
        return sum(exercise.max_points for exercise in self.exercises)

    def as_json(self) -> dict[str, Any]:
        """Give the row as plain data for the JSON file."""
        plain = {key: value for key, value in asdict(self).items() if key != "exercises"}
        plain["isolation_says"] = ISOLATION[self.isolation]
        exercises = [
            {
                "id": item.id,
                "points": item.points,
                "max_points": item.max_points,
                "criteria": [_criterion(o) for o in item.outcomes],
            }
            for item in self.exercises
        ]
        rounded = {"seconds": round(self.seconds, 3), "cpu_seconds": round(self.cpu_seconds, 3)}
        return plain | rounded | {"score": self.score, "max_score": self.max_score, "exercises": exercises}


def _criterion(outcome: Outcome) -> dict[str, Any]:
    passed = outcome.passed
    return {
        "name": outcome.name,
        "title": outcome.title,
        "points": outcome.points,
        "max_points": outcome.max_points,
        "status": outcome.status,
        "hint": "" if passed or not outcome.hints else outcome.hints[0],
        "error": "" if passed else f"required: {outcome.required}; received: {outcome.received}",
    }


def grade_class(
    submissions: Collection[Submission],
    seed: str,
    *,
    jobs: int = 1,
    threads: int = 1,
    limits: Limits = Limits(),  # noqa: B008  (frozen)
    isolation: str = "basic",
    lessons: Path | None = None,
    done: Callable[[Row], object] = lambda row: None,
) -> list[Row]:
    """Grade submissions, several at a time; one that breaks gets its own row and never stops the others.

    Args:
        submissions: the notebooks.
        seed: the class's secret, from which all random numbers of the criteria come.
        jobs: how many at a time.
        threads: how many threads the libraries may use for each.
        limits: what one submission may take.
        isolation: "basic".
        lessons: a folder of lessons in place of the built-in one.
        done: told each row as soon as it is there.

    Returns:
        One row for each submission, in their order.
    """

    def one(submission: Submission) -> Row:
        row = grade_submission(submission, sandbox, seed, limits, lessons)
        done(row)
        return row

    with Sandbox(isolation, threads) as sandbox, ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(one, submissions))


def grade_submission(
    submission: Submission, sandbox: Sandbox, seed: str, limits: Limits, lessons: Path | None = None
) -> Row:
    """Grade one notebook; whatever is wrong with it, the answer is a row."""
    start = time.monotonic()
    name = submission.lesson
    try:
        cells = read_cells(submission.path)
        known = [entry.id for entry in load_syllabus(lessons)]
        name = name or lesson_in_metadata(submission.path)
        if name not in known:
            raise InvalidSubmissionError(
                f"the lesson must be one of {', '.join(known)}, named by the file (student__lesson.ipynb) or --lesson. "
                f"Received: {name!r}."
            )
        lesson = load_lesson(name, lessons)
        script = read_script(lesson, cells)
    except (InvalidSubmissionError, LessonError) as error:
        return _row(submission, name, "invalid", start, message=str(error), isolation=sandbox.isolation)
    grading = grade_script(lesson, script, sandbox, seed, limits)
    explained = _explain_demonstrations(lesson, cells, grading.graded())
    return _row(
        submission,
        name,
        grading.status,
        start,
        exercises=explained,
        message="; ".join(grading.messages),
        remarks=script.remarks,
        cpu_seconds=grading.cpu,
        isolation=sandbox.isolation,
    )


def _row(submission: Submission, lesson: str, status: str, start: float, **rest: Any) -> Row:
    seconds = time.monotonic() - start
    return Row(submission.student, lesson, str(submission.path), status, seconds=seconds, **rest)


def reference_script(lesson: Lesson, exercise: str, answer: str) -> Script:
    """Make the script of the reference notebook with another answer to one exercise."""
    steps = []
    for cell in lesson.cells:
        if cell.kind == "code" and not cell.check and "explore" not in cell.tags:
            solved = lesson.exercises[cell.exercise].solution if cell.exercise else cell.source
            source = answer if cell.exercise == exercise else solved
            steps.append(Step(plain_python(source), f"<{cell.id}>", cell.exercise))
    return Script(tuple(steps))


def grade_script(
    lesson: Lesson,
    script: Script,
    sandbox: Sandbox,
    seed: str,
    limits: Limits,
    only: Iterable[str] | None = None,
) -> "Grading":
    """Run a script in a worker and check its exercises (or `only` some of them)."""
    grading = Grading(lesson, script, seed, limits, list(only or lesson.exercises))
    with ExitStack() as workers:
        while not grading.finished:
            worker = workers.enter_context(sandbox.worker(limits))
            grading.attempt(worker)
            grading.cpu += worker.end().cpu
    return grading


@dataclass
class Grading:
    """One submission on its way through grading.

    A step or an exercise that ends the worker is noted in `lost` and left out when everything else is run again in a
    new one, so that it costs its own points only.
    """

    lesson: Lesson
    script: Script
    seed: str
    limits: Limits
    open: list[str]
    outcomes: dict[str, list[Outcome]] = field(default_factory=dict)
    lost: dict[int, str] = field(default_factory=dict)  # number of a step: how it ended the worker
    errors: dict[str, str] = field(default_factory=dict)  # exercise: the error that its cell raised
    reasons: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    cpu: float = 0.0
    start: float = field(default_factory=time.monotonic)

    @property
    def finished(self) -> bool:
        """Tell whether every exercise has its outcomes."""
        return not self.open

    @property
    def status(self) -> str:
        """Name the worst thing that happened."""
        return min(self.reasons, key=WORST_FIRST.index, default="ok")

    def graded(self) -> list[Graded]:
        """Give the exercises in the order of the lesson."""
        return [Graded(id, tuple(self.outcomes[id])) for id in self.lesson.exercises if id in self.outcomes]

    def attempt(self, worker: Worker) -> None:
        """Go as far as one worker goes: all steps, then the exercises that are still open."""
        for number, step in self.script.without(self.lost):
            try:
                error = worker.execute(step.source, step.name, self._seconds(self.limits.cell_seconds))
            except ConnectionLostError as lost:
                self._lose(lost, step.exercise, f"cell {step.name.strip('<>').removeprefix('cell ')}")
                self.lost[number] = str(lost)
                return
            if error and step.exercise:
                self.errors[step.exercise] = error
                self._note(error)
        while self.open:
            id = self.open[0]
            try:
                outcomes = self._check(id, worker)
            except ConnectionLostError as lost:
                self._lose(lost, id, id)
                self.lost |= {number: str(lost) for number, step in enumerate(self.script.steps) if step.exercise == id}
                return
            self.open.remove(id)
            self.outcomes[id] = [self._with_cell_error(id, outcome) for outcome in outcomes]
            for outcome in outcomes:
                self._note(outcome.received)

    def _check(self, id: str, worker: Worker) -> list[Outcome]:
        task, criteria = self.lesson.exercises[id], self.lesson.criteria[id]
        if self._seconds(1) <= 0:
            raise ConnectionLostError("timeout", f"the submission took longer than {self.limits.seconds:g} seconds")
        return run_exercise(self.lesson.id, criteria, worker, seed=self.seed, forbid=task.forbid, hidden=True)

    def _lose(self, lost: ConnectionLostError, id: str | None, place: str) -> None:
        """Take all points of the exercise that ended the worker."""
        self.reasons.append(lost.reason)
        self.messages.append(f"{place}: {lost}")
        if id in self.open:
            self.open.remove(id)
            self.outcomes[id] = [
                failed_outcome(item, "error", item.requirement or item.title, f"this exercise {lost}")
                for item in self.lesson.criteria[id]
            ]

    def _with_cell_error(self, id: str, outcome: Outcome) -> Outcome:
        """Say why a name is missing where the cell that should define it failed."""
        if id in self.errors and outcome.received.startswith("MissingNameError"):
            return Outcome(**vars(outcome) | {"status": "error", "received": f"the cell failed: {self.errors[id]}"})
        return outcome

    def _note(self, received: str) -> None:
        if received.startswith("TimeLimitError"):
            self.reasons.append("timeout")
        if received.startswith("MemoryError"):
            self.reasons.append("memory")

    def _seconds(self, wanted: float) -> float:
        return min(wanted, self.limits.seconds - (time.monotonic() - self.start))


def _explain_demonstrations(lesson: Lesson, cells: list[dict[str, Any]], exercises: list[Graded]) -> tuple[Graded, ...]:
    """Add a sentence where an answer uses a name that only a demonstration cell defines, since those are not run."""
    release = "\n".join(cell.source for cell in lesson.cells if "explore" in cell.tags)
    own = "\n".join(cell["source"] for cell in cells if "explore" in (cell["metadata"].get("tags") or ()))
    shown = release + "\n" + own

    def explain(outcome: Outcome) -> Outcome:
        match = _UNDEFINED.search(outcome.received)
        if not match or not re.search(rf"^\s*(?:def |class )?{match[1]}\b.*[=:(]", shown, re.MULTILINE):
            return outcome
        note = f"{outcome.received}. Only a demonstration cell defines {match[1]}, and the grader does not run those."
        return Outcome(**vars(outcome) | {"received": note})

    return tuple(Graded(item.id, tuple(explain(outcome) for outcome in item.outcomes)) for item in exercises)
