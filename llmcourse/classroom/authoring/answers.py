"""Check known answers of a lesson, the reference, the empty copy and the mutants, in this process.

These answers are our own. Submissions of learners never run this way.
"""

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from llmcourse.checking.criteria import Mutant, load_mutants
from llmcourse.checking.host import execute
from llmcourse.checking.lessons import Exercise, Lesson
from llmcourse.checking.local import LocalConnection, undisturbed
from llmcourse.checking.run import PUBLIC_SEED, Outcome, run_exercise


@dataclass(frozen=True)
class Answer:
    """One known answer to one exercise: `kind` is "reference", "empty" or "mutant"."""

    kind: str
    exercise: str
    source: str
    why: str = ""
    fails: str = ""

    @property
    def title(self) -> str:
        """Say in a few words what this answer is."""
        return {"reference": "the reference", "empty": "nothing written"}.get(self.kind, self.why)


def known_answers(lesson: Lesson) -> list[Answer]:
    """List for each exercise the reference, the empty copy and every mutant."""
    mutants: dict[str, list[Mutant]] = {}
    for item in load_mutants(lesson.folder / "mutants.py"):
        mutants.setdefault(item.exercise, []).append(item)
    return [answer for task in lesson.exercises.values() for answer in _answers(task, mutants.get(task.id, []))]


def _answers(task: Exercise, mutants: list[Mutant]) -> Iterator[Answer]:
    yield Answer("reference", task.id, task.solution)
    yield Answer("empty", task.id, task.starter)
    for item in mutants:
        yield Answer("mutant", task.id, item.source, item.why, item.fails)


class AnswerChecker:
    """Runs the criteria of a lesson's exercises on known answers.

    Every cell but the exercise's own is the reference's; those run once, when the checker is made.

    Args:
        lesson: the lesson.
    """

    def __init__(self, lesson: Lesson):
        self.lesson = lesson
        self._reference: dict[str, Any] = {"__name__": "__main__"}
        for cell in lesson.cells:
            if cell.kind == "code" and not cell.check and "explore" not in cell.tags:
                source = lesson.exercises[cell.exercise].solution if cell.exercise else cell.source
                with contextlib.redirect_stdout(io.StringIO()):
                    execute(source, self._reference, f"<{cell.id}>")

    def check(self, answer: Answer, seed: str = PUBLIC_SEED) -> list[Outcome]:
        """Check one answer.

        Args:
            answer: what stands in the exercise's cell.
            seed: where the criteria draw their random numbers from.

        Returns:
            One outcome for each criterion, hidden ones included.
        """
        task, namespace = self.lesson.exercises[answer.exercise], dict(self._reference)
        with undisturbed():
            execute(answer.source, namespace, f"<{answer.kind} {task.id}>")
            connection = LocalConnection(namespace)
            return run_exercise(
                self.lesson.id, self.lesson.criteria[task.id], connection, seed=seed, forbid=task.forbid, hidden=True
            )


def caught(answer: Answer, outcomes: list[Outcome]) -> bool:
    """Tell whether the criteria judged an answer as they must: full marks, none, or the mutant's criterion failed."""
    if answer.kind == "reference":
        return all(outcome.passed for outcome in outcomes)
    if answer.kind == "empty" or answer.fails == "*":
        return not any(outcome.points for outcome in outcomes)
    return any(outcome.name == answer.fails and not outcome.passed for outcome in outcomes)
