"""Run the criteria of one exercise against a connection to the learner's code."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from llmcourse.checking.criteria import Criterion
from llmcourse.checking.expectations import Failed, show
from llmcourse.checking.raised import StudentError
from llmcourse.checking.student import Connection, ConnectionLostError, Student
from llmcourse.checking.surroundings import describe
from llmcourse.checking.values import NotPlainError

PUBLIC_SEED = "0"
_ESCAPE_CODES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|[@-Z^_])")  # colours, titles, moves


@dataclass(frozen=True)
class Outcome:
    """How one criterion went: the points earned, and what was required and received where it failed."""

    name: str
    title: str
    points: float
    max_points: float
    requirement: str = ""
    required: str = ""
    received: str = ""
    hints: tuple[str, ...] = ()
    remark: str = ""  # on the notebook around the answer
    status: str = "passed"  # or "failed", "todo" (not written yet), "error" (the learner's code raised)
    raised: StudentError | None = field(default=None, compare=False)

    @property
    def passed(self) -> bool:
        """Tell whether the criterion is met."""
        return self.status == "passed"


def run_exercise(
    lesson_id: str,
    criteria: Iterable[Criterion],
    connection: Connection,
    *,
    seed: str = PUBLIC_SEED,
    forbid: tuple[str, ...] = (),
    hidden: bool = False,
) -> list[Outcome]:
    """Check one exercise.

    Args:
        lesson_id: which lesson; with `seed`, exercise and criterion it fixes the random numbers.
        criteria: the exercise's criteria.
        connection: reaches the learner's code.
        seed: "0" in the notebook, secret in the grader.
        forbid: dotted names of functions that the learner must write instead of calling.
        hidden: also run the criteria that are for the grader only.

    Returns:
        One outcome for each criterion. Where a forbidden function was entered none of them earns points.
    """
    chosen = [item for item in criteria if hidden or not item.hidden]
    all_slow = all(item.slow for item in chosen)
    outcomes, entered = [], set()
    for item in chosen:
        watch = forbid if all_slow or not item.slow else ()  # the hook slows training down, and the cheap calls suffice
        student = Student(connection, watch, item.seconds_allowed)
        outcome = run_criterion(lesson_id, item, student, seed)
        overwritten, in_the_way = describe(student._surroundings)
        remark = f"{overwritten} {'' if outcome.passed else in_the_way}".strip()
        outcomes.append(replace(outcome, remark=remark))
        entered |= student._entered
    if entered:
        required = "write this one yourself"
        received = f"your code calls {', '.join(sorted(entered))}"
        outcomes = [replace(failed_outcome(item, "failed", required, received), hints=()) for item in chosen]
    return outcomes


def run_criterion(lesson_id: str, item: Criterion, student: Student, seed: str) -> Outcome:
    """Check one criterion; whatever the learner's code does, the answer is an outcome.

    Raises:
        ConnectionLostError: the process that ran the learner's code is gone.
    """
    rng = criterion_rng(seed, lesson_id, item)
    try:
        student._reseed(int(rng.integers(2**31)))
        item.function(student, rng)
    except Failed as failure:
        outcome = failed_outcome(item, "failed", failure.required, failure.received)
        return replace(outcome, hints=failure.hints or outcome.hints)
    except StudentError as error:
        return _raised_outcome(item, error)
    except NotPlainError as error:
        return failed_outcome(item, "failed", item.requirement or item.title, str(error))
    except ConnectionLostError:
        raise
    except Exception as error:  # a value that the criterion could not even compare
        received = f"{_shown(student._last_value)} ({type(error).__name__}: {error})"
        return failed_outcome(item, "failed", item.requirement or item.title, received)
    return Outcome(item.name, item.title, item.points, item.points, item.requirement)


def criterion_rng(seed: str, lesson_id: str, item: Criterion) -> np.random.Generator:
    """Make the criterion's own random generator; equal seeds give equal numbers on every machine."""
    digest = hashlib.sha256(f"{seed}|{lesson_id}|{item.exercise}|{item.name}".encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "little")))


def failed_outcome(item: Criterion, status: str, required: str, received: Any) -> Outcome:
    """Make the outcome of a criterion that is not met."""
    required, received = readable(required), readable(without_codes(str(received)))
    return Outcome(
        item.name, item.title, 0, item.points, item.requirement, required, received, item.hints, status=status
    )


def _raised_outcome(item: Criterion, error: StudentError) -> Outcome:
    """Make the outcome of a criterion whose call raised: what is missing is said plainly, anything else is quoted."""
    if error.cause == "stub":
        required, received = "your code in place of `raise NotImplementedError`", f"{error.subject} is not written yet"
    elif error.cause == "missing":
        required, received = "your code in the cell of this exercise", error.message
    else:
        required, received = item.requirement or item.title, error.with_line
    status = "todo" if error.cause in ("stub", "missing") else "error"
    return replace(failed_outcome(item, status, required, received), raised=error)


def without_codes(text: str) -> str:
    """Leave out what only a terminal understands: the colours of Keras' messages, titles, moves of the cursor."""
    return _ESCAPE_CODES.sub("", text[:10_000])


def readable(text: str, limit: int = 2000) -> str:
    """Shorten a text of unknown origin and escape what a terminal or a file could stumble over."""
    kept = text if len(text) <= limit else text[: limit - 1] + "…"
    return "".join(letter if letter.isprintable() or letter == "\n" else ascii(letter)[1:-1] for letter in kept)


def _shown(value: Any) -> str:
    try:
        return show(value)
    except Exception:  # such as text with code points that do not exist
        return f"a {type(value).__name__} that cannot be shown"
