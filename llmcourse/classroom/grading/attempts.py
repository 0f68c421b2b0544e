"""One submission on its way through grading: worker after worker, until each exercise has its outcomes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from llmcourse.checking.criteria import Criterion
from llmcourse.checking.lessons import Lesson
from llmcourse.checking.raised import StudentError
from llmcourse.checking.run import Outcome, failed_outcome, readable, run_exercise
from llmcourse.checking.student import ConnectionLostError
from llmcourse.classroom.grading.results import ExerciseResult
from llmcourse.classroom.grading.script import Script, Step
from llmcourse.classroom.sandbox.limits import Budget, Limits
from llmcourse.classroom.sandbox.pool import Sandbox, Worker

WORST_FIRST = ("memory", "timeout", "crashed", "ok")
STATUS_OF = {"time": "timeout", "memory": "memory"}  # of a submission, by the cause of an error


def lost_outcome(item: Criterion, why: str) -> Outcome:
    """Give no points for a criterion that could not be tried; hints would be about something else."""
    return replace(failed_outcome(item, "error", item.requirement or item.title, why), hints=())


def grade_script(
    lesson: Lesson,
    script: Script,
    sandbox: Sandbox,
    seed: str,
    limits: Limits,
    only: Iterable[str] | None = None,
    files: Mapping[str, str] = MappingProxyType({}),
) -> "Grading":
    """Run a script in a worker and check its exercises (or `only` some of them).

    Args:
        lesson: whose criteria are checked.
        script: the cells to run.
        sandbox: starts the workers.
        seed: the class's secret.
        limits: what the submission may take.
        only: ids of exercises.
        files: names and texts of files that lie beside the learner's code.

    Raises:
        SandboxError: no process can be started.
    """
    grading = Grading(lesson, script, seed, limits, list(only or lesson.exercises))
    while grading.pending:
        with sandbox.worker(limits, files) as worker:
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
    pending: list[str]  # exercises without outcomes
    outcomes: dict[str, list[Outcome]] = field(default_factory=dict)
    lost: set[int] = field(default_factory=set)  # numbers of steps
    errors: dict[str, StudentError] = field(default_factory=dict)  # exercise: the error that its cell raised
    reasons: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    cpu: float = 0.0
    budget: Budget | None = None  # the first worker's; those that go on for it take it over

    @property
    def status(self) -> str:
        """Name the worst thing that happened."""
        return min(self.reasons, key=WORST_FIRST.index, default="ok")

    def results(self) -> list[ExerciseResult]:
        """Give the exercises in the order of the lesson."""
        return [ExerciseResult(id, tuple(self.outcomes[id])) for id in self.lesson.exercises if id in self.outcomes]

    def not_found(self) -> list[str]:
        """Say which exercises the notebook lacks: no cell seems to answer them, and none defined their names."""
        missing = [id for id in self.script.unanswered if all(map(_is_missing, self.outcomes.get(id, ())))]
        if len(missing) == len(self.lesson.exercises):
            return [f"no exercise of lesson {self.lesson.id} was found"]
        return [f"{id} was not found" for id in missing if id in self.outcomes]

    def attempt(self, worker: Worker) -> None:
        """Go as far as one worker goes: all steps, then the exercises that are still pending."""
        self.budget = worker.budget = self.budget or worker.budget
        self.errors, self.remarks = {}, []
        for number, step in self.script.without(self.lost):
            try:
                error = worker.execute(step.source, step.name, self.limits.cell_seconds)
            except ConnectionLostError as lost:
                self._lose(lost, step.exercises, step.name.strip("<>"), {number})
                return
            if error:
                self._note_error(step, error)
        while self.pending:
            id = self.pending[0]
            task, criteria = self.lesson.exercises[id], self.lesson.criteria[id]
            try:
                outcomes = run_exercise(
                    self.lesson.id, criteria, worker, seed=self.seed, forbid=task.forbid, hidden=True
                )
            except ConnectionLostError as lost:
                # A cell that answers other exercises, too, runs again: it did not end the worker.
                self._lose(lost, (id,), id, {n for n, step in enumerate(self.script.steps) if step.exercises == (id,)})
                return
            self.pending.remove(id)
            self.outcomes[id] = [self._explain(id, outcome) for outcome in outcomes]
            for outcome in outcomes:
                self._note_limit(outcome.raised)

    def _lose(self, lost: ConnectionLostError, ids: Iterable[str], place: str, steps: set[int]) -> None:
        """Take all points of the exercises that ended the worker; of all that are pending where no time is left."""
        self.lost |= steps
        self.reasons.append(lost.reason)
        self.messages.append(f"{place} {lost}")
        over = self.budget is not None and self.budget.over
        for gone in [id for id in self.pending if over or id in ids]:
            self.pending.remove(gone)
            why = f"this exercise {lost}" if gone == place else f"{place} {lost}"
            self.outcomes[gone] = [lost_outcome(item, why) for item in self.lesson.criteria[gone]]

    def _note_error(self, step: Step, error: StudentError) -> None:
        self._note_limit(error)
        self.errors |= dict.fromkeys(step.exercises, error)
        if not step.exercises:
            self.remarks.append(f"{step.name.strip('<>')} failed: {readable(error.with_line, 200)}")

    def _note_limit(self, error: StudentError | None) -> None:
        if error and error.cause in STATUS_OF:
            self.reasons.append(STATUS_OF[error.cause])

    def _explain(self, id: str, outcome: Outcome) -> Outcome:
        """Say why a name is missing: its cell failed, or only a demonstration defines it, and those are not run."""
        error = outcome.raised
        if error is None or error.cause not in ("missing", "undefined"):
            return outcome
        received, status = outcome.received, outcome.status
        if error.cause == "missing":
            received = readable(f"{error.subject} is not defined anywhere in this notebook")
            if id in self.errors:
                received, status = readable(f"the cell failed: {self.errors[id].with_line}"), "error"
        if self.script.shows(error.subject):
            name = readable(error.subject)
            received = f"{received}. Only a demonstration cell defines {name}, and the grader does not run those."
        return replace(outcome, received=received, status=status)


def _is_missing(outcome: Outcome) -> bool:
    return outcome.raised is not None and outcome.raised.cause == "missing"
