"""What an exercise's file declares: criteria with points and hints, and known answers, right ones and wrong ones."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from llmcourse.checking.student import Student

Function = Callable[[Student, np.random.Generator], None]


@dataclass(frozen=True)
class Criterion:
    """One thing that a right answer must do.

    `hidden` criteria run only in the grader; `slow` ones train something and take seconds.
    """

    exercise: str
    name: str
    function: Function
    points: float
    hints: tuple[str, ...]
    hidden: bool = False
    slow: bool = False

    @property
    def title(self) -> str:
        """Give the name in words: `weights_are_a_distribution` reads "weights are a distribution"."""
        return self.name.replace("_", " ")

    @property
    def requirement(self) -> str:
        """Give the requirement in the learner's words: the function's docstring."""
        return " ".join((self.function.__doc__ or "").split())

    @property
    def seconds_allowed(self) -> float:
        """Give the time after which the learner's code is stopped."""
        return 120.0 if self.slow else 10.0


@dataclass(frozen=True)
class Answer:
    """A known answer of an exercise: `source` stands in the place of its cell.

    `kind` is "reference" or "empty" for the lesson's own two, "accepted" for a right answer written otherwise, "mutant"
    for a typical wrong one, which the criterion named `fails` must catch; `fails="*"` means that no criterion may pass.
    """

    kind: str
    exercise: str
    source: str
    why: str = ""
    fails: str = ""

    @property
    def title(self) -> str:
        """Say in a few words what this answer is."""
        return {"reference": "the reference", "empty": "nothing written"}.get(self.kind, self.why)


class Declarations:
    """Collects what the file of one exercise declares while it runs.

    Args:
        exercise: the exercise's id, which is the file's name.
    """

    current: "Declarations | None" = None  # of the file that is being loaded; at other times nothing is collected

    def __init__(self, exercise: str):
        self.exercise = exercise
        self.criteria: list[Criterion] = []
        self.answers: list[Answer] = []


def criterion(
    *, points: float = 1, hints: Sequence[str] = (), hidden: bool = False, slow: bool = False
) -> Callable[[Function], Function]:
    """Declare a criterion of the exercise; the decorated function raises where the answer falls short.

    Args:
        points: what passing it earns, more than 0.
        hints: shown one by one, from a question to nearly the code.
        hidden: runs only in the grader.
        slow: trains something; allowed 120 seconds instead of 10.
    """
    if not 0 < points < math.inf:  # also not NaN
        raise ValueError(f"points must be more than 0 and finite. Received: {points}.")
    if isinstance(hints, str):
        raise TypeError("hints must be a list of strings. Received: one string.")

    def declare(function: Function) -> Function:
        file = Declarations.current
        if file:
            if function.__name__ in {item.name for item in file.criteria}:
                raise ValueError(f"every criterion must have its own name. Received: {function.__name__} twice.")
            name = function.__name__
            file.criteria.append(Criterion(file.exercise, name, function, points, tuple(hints), hidden, slow))
        return function

    return declare


def accepted(why: str, source: str) -> None:
    """Declare a right answer that is written otherwise than the reference; no criterion may fail it.

    Args:
        why: what is different, in words.
        source: the exercise's cell; names that it leaves out are taken from the reference.
    """
    _note("accepted", source, why)


def mutant(*, fails: str, why: str, source: str) -> None:
    """Declare a typical wrong answer, and the criterion that must catch it.

    Args:
        fails: name of the criterion that must fail; "*" where all must.
        why: the fault in words.
        source: the wrong exercise cell; names that it leaves out are taken from the reference.
    """
    _note("mutant", source, why, fails)


def mutants(right: str, fails: str, faults: Iterable[Sequence[str]]) -> None:
    """Declare several mutants of one criterion, each a right answer with pieces of it replaced, as people go wrong.

    Args:
        right: source of a right answer.
        fails: name of the criterion that must fail for all of them; "*" where all must.
        faults: for each mutant the fault in words, then a piece of `right` and its replacement, or several such pairs.

    Raises:
        ValueError: a piece does not occur exactly once, or has no replacement.
    """
    for why, *pieces in faults:
        mutant(fails=fails, why=why, source=replace_once(right, *pieces))


def replace_once(source: str, *pieces: str) -> str:
    """Replace pieces of a source one after the other.

    Args:
        source: any text.
        pieces: a piece, its replacement, the next piece, and so on.

    Returns:
        The text with all of them replaced.

    Raises:
        ValueError: a piece does not occur exactly once when its turn comes, or has no replacement.
    """
    for piece, replacement in zip(pieces[::2], pieces[1::2], strict=True):
        if source.count(piece) != 1:
            raise ValueError(f"A piece must occur exactly once. Received: {piece!r}, {source.count(piece)} times.")
        source = source.replace(piece, replacement)
    return source


def _note(kind: str, source: str, why: str, fails: str = "") -> None:
    file = Declarations.current
    if file:
        file.answers.append(Answer(kind, file.exercise, source.strip() + "\n", why, fails))
