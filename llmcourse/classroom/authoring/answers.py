"""Check known answers of a lesson, the reference, the empty copy, accepted ones and mutants, in this process.

These answers are our own. Submissions of learners never run this way.
"""

import contextlib
import io
from collections.abc import Sequence
from typing import Any

from llmcourse.checking.criteria import Answer, Criterion
from llmcourse.checking.host import execute
from llmcourse.checking.lessons import Exercise, Lesson
from llmcourse.checking.local import LocalConnection, undisturbed
from llmcourse.checking.run import PUBLIC_SEED, Outcome, run_exercise


def known_answers(lesson: Lesson) -> list[Answer]:
    """List for each exercise the reference, the empty copy, every accepted answer and every mutant."""
    return [answer for id, task in lesson.exercises.items() for answer in (*_own(task), *lesson.answers[id])]


def _own(task: Exercise) -> tuple[Answer, Answer]:
    return Answer("reference", task.id, task.solution), Answer("empty", task.id, task.starter)


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

    def check(
        self, answer: Answer, seed: str = PUBLIC_SEED, criteria: Sequence[Criterion] | None = None
    ) -> list[Outcome]:
        """Check one answer.

        Args:
            answer: what stands in the exercise's cell.
            seed: where the criteria draw their random numbers from.
            criteria: some of the exercise's; by default all of them, hidden ones included.

        Returns:
            One outcome for each criterion.
        """
        task, namespace = self.lesson.exercises[answer.exercise], dict(self._reference)
        chosen = self.lesson.criteria[task.id] if criteria is None else criteria
        with undisturbed():
            execute(answer.source, namespace, f"<{answer.kind} {task.id}>")
            connection = LocalConnection(namespace)
            return run_exercise(self.lesson.id, chosen, connection, seed=seed, forbid=task.forbid, hidden=True)


def caught(answer: Answer, outcomes: list[Outcome]) -> bool:
    """Tell whether the criteria judged an answer as they must: full marks, none, or the mutant's criterion failed."""
    if answer.kind in ("reference", "accepted"):
        return all(outcome.passed for outcome in outcomes)
    if answer.kind == "empty" or answer.fails == "*":
        return not any(outcome.points for outcome in outcomes)
    return any(outcome.name == answer.fails and not outcome.passed for outcome in outcomes)
