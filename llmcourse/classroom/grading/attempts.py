"""One submission on its way through grading: worker after worker, until each exercise has its outcomes."""

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from llmcourse.checking.criteria import Criterion
from llmcourse.checking.lessons import Lesson
from llmcourse.checking.run import Outcome, failed_outcome, readable, run_exercise
from llmcourse.checking.student import ConnectionLostError
from llmcourse.classroom.grading.results import Graded
from llmcourse.classroom.grading.script import Script, Step
from llmcourse.classroom.sandbox.pool import Limits, Sandbox, Worker

WORST_FIRST = ("memory", "timeout", "crashed", "ok")
_UNDEFINED = re.compile(r"NameError: (?:name '(\w+)'|(\w+)) is not defined")


def lost_outcome(item: Criterion, why: str) -> Outcome:
    """Give no points for a criterion that could not be tried."""
    return failed_outcome(item, "error", item.requirement or item.title, why)


def grade_script(
    lesson: Lesson,
    script: Script,
    sandbox: Sandbox,
    seed: str,
    limits: Limits,
    only: Iterable[str] | None = None,
) -> "Grading":
    """Run a script in a worker and check its exercises (or `only` some of them).

    Raises:
        SandboxError: no process can be started.
    """
    grading = Grading(lesson, script, seed, limits, list(only or lesson.exercises))
    while grading.open:
        with sandbox.worker(limits) as worker:
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
    lost: set[int] = field(default_factory=set)  # numbers of steps
    errors: dict[str, str] = field(default_factory=dict)  # exercise: the error that its cell raised
    reasons: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    cpu: float = 0.0
    deadline: float | None = None  # set when the first worker stands ready

    @property
    def status(self) -> str:
        """Name the worst thing that happened."""
        return min(self.reasons, key=WORST_FIRST.index, default="ok")

    def graded(self) -> list[Graded]:
        """Give the exercises in the order of the lesson."""
        return [Graded(id, tuple(self.outcomes[id])) for id in self.lesson.exercises if id in self.outcomes]

    def attempt(self, worker: Worker) -> None:
        """Go as far as one worker goes: all steps, then the exercises that are still open."""
        self.deadline = worker.deadline = self.deadline or worker.deadline
        self.errors, self.remarks = {}, []
        for number, step in self.script.without(self.lost):
            try:
                error = worker.execute(step.source, step.name, self.limits.cell_seconds)
            except ConnectionLostError as lost:
                self._lose(lost, step.exercise, step.name.strip("<>"), {number})
                return
            if error:
                self._note_error(step, error)
        while self.open:
            id = self.open[0]
            task, criteria = self.lesson.exercises[id], self.lesson.criteria[id]
            try:
                outcomes = run_exercise(
                    self.lesson.id, criteria, worker, seed=self.seed, forbid=task.forbid, hidden=True
                )
            except ConnectionLostError as lost:
                steps = {number for number, step in enumerate(self.script.steps) if step.exercise == id}
                self._lose(lost, id, id, steps)
                return
            self.open.remove(id)
            self.outcomes[id] = [self._explain(id, outcome) for outcome in outcomes]
            for outcome in outcomes:
                self._note_limit(outcome.received)

    def _lose(self, lost: ConnectionLostError, id: str | None, place: str, steps: set[int]) -> None:
        """Take all points of the exercise that ended the worker; of all that are open where no time is left."""
        self.lost |= steps
        self.reasons.append(lost.reason)
        self.messages.append(f"{place} {lost}")
        over = self.deadline is not None and time.monotonic() >= self.deadline
        for gone in [item for item in self.open if over or item == id]:
            self.open.remove(gone)
            why = f"this exercise {lost}" if gone == id else f"{place} {lost}"
            self.outcomes[gone] = [lost_outcome(item, why) for item in self.lesson.criteria[gone]]

    def _note_error(self, step: Step, error: str) -> None:
        self._note_limit(error)
        if step.exercise:
            self.errors[step.exercise] = error
        else:
            self.remarks.append(f"{step.name.strip('<>')} failed: {readable(error, 200)}")

    def _note_limit(self, received: str) -> None:
        if received.startswith("TimeLimitError"):
            self.reasons.append("timeout")
        if received.startswith("MemoryError"):
            self.reasons.append("memory")

    def _explain(self, id: str, outcome: Outcome) -> Outcome:
        """Say why a name is missing: its cell failed, or only a demonstration defines it, and those are not run."""
        received, status = outcome.received, outcome.status
        if id in self.errors and received.startswith("MissingNameError"):
            received, status = readable(f"the cell failed: {self.errors[id]}"), "error"
        match = _UNDEFINED.search(received)
        name = (match[1] or match[2]) if match else ""
        if name and self.script.shows(name):
            received = f"{received}. Only a demonstration cell defines {name}, and the grader does not run those."
        return replace(outcome, received=received, status=status)
