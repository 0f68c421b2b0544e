"""What a lesson declares: criteria with points and hints, and mutants, wrong answers that a criterion must catch."""

import math
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from llmcourse.checking.student import Student

_registry: list[Any] | None = None
_one_file_at_a_time = threading.RLock()  # the grader loads lessons from several threads


@dataclass(frozen=True)
class Criterion:
    """One thing that a right answer must do.

    `hidden` criteria run only in the grader; `slow` ones train something and take seconds.
    """

    exercise: str
    name: str
    function: Callable[[Student, np.random.Generator], None]
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
class Mutant:
    """A typical wrong answer: `source` replaces the exercise's cell, and the criterion named `fails` must catch it.

    `fails="*"` means that no criterion may pass.
    """

    exercise: str
    fails: str
    why: str
    source: str


def criterion(
    exercise: str, *, points: float = 1, hints: Sequence[str] = (), hidden: bool = False, slow: bool = False
) -> Callable[[Callable[[Student, np.random.Generator], None]], Callable[[Student, np.random.Generator], None]]:
    """Declare a criterion of an exercise; the decorated function raises where the answer falls short.

    Args:
        exercise: id of the exercise in lesson.py.
        points: what passing it earns, more than 0.
        hints: shown one by one, from a question to nearly the code.
        hidden: runs only in the grader.
        slow: trains something; allowed 120 seconds instead of 10.
    """
    if not 0 < points < math.inf:  # also not NaN
        raise ValueError(f"points must be more than 0 and finite. Received: {points}.")
    if isinstance(hints, str):
        raise TypeError("hints must be a list of strings. Received: one string.")

    def declare(
        function: Callable[[Student, np.random.Generator], None],
    ) -> Callable[[Student, np.random.Generator], None]:
        _register(Criterion(exercise, function.__name__, function, points, tuple(hints), hidden, slow))
        return function

    return declare


def mutant(exercise: str, *, fails: str, why: str, source: str) -> None:
    """Declare a typical wrong answer of an exercise, and the criterion that must catch it.

    Args:
        exercise: id of the exercise in lesson.py.
        fails: name of the criterion that must fail; "*" where all must.
        why: the fault in words.
        source: the wrong exercise cell; names that it leaves out are taken from the reference.
    """
    _register(Mutant(exercise, fails, why, source.strip() + "\n"))


def mutants(exercise: str, right: str, fails: str, faults: Iterable[Sequence[str]]) -> None:
    """Declare several mutants of one criterion, each a right answer with pieces of it replaced, as people go wrong.

    Args:
        exercise: id of the exercise in lesson.py.
        right: source of a right answer.
        fails: name of the criterion that must fail for all of them; "*" where all must.
        faults: for each mutant the fault in words, then a piece of `right` and its replacement, or several such pairs.

    Raises:
        ValueError: a piece does not occur exactly once, or has no replacement.
    """
    for why, *pieces in faults:
        mutant(exercise, fails=fails, why=why, source=replace_once(right, *pieces))


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


def load_criteria(path: Path) -> dict[str, tuple[Criterion, ...]]:
    """Run a lesson's checks.py and return its criteria by exercise, in the order of the file.

    Raises:
        ValueError: the file does not run, holds no criterion, or two criteria share a name.
    """
    found: dict[str, tuple[Criterion, ...]] = {}
    names: set[str] = set()
    for item in _run(path, Criterion):
        if item.name in names:
            raise ValueError(f"{path}: every criterion must have its own name. Received: {item.name} twice.")
        names.add(item.name)
        found[item.exercise] = (*found.get(item.exercise, ()), item)
    return found


def load_mutants(path: Path) -> tuple[Mutant, ...]:
    """Run a lesson's mutants.py and return its mutants in the order of the file."""
    return tuple(_run(path, Mutant))


def _register(item: Criterion | Mutant) -> None:
    if _registry is not None:
        _registry.append(item)


def _run(path: Path, kind: type) -> list[Any]:
    """Run a declaration file and collect what it registers."""
    global _registry
    with _one_file_at_a_time:
        previous, _registry = _registry, []
        try:
            source = path.read_text(encoding="utf-8")
            exec(compile(source, str(path), "exec"), {"__name__": f"llmcourse.lessons.{path.parent.name}.{path.stem}"})
            found = [item for item in _registry if isinstance(item, kind)]
        except Exception as error:
            raise ValueError(f"{path} must run without an error. Received: {type(error).__name__}: {error}") from error
        finally:
            _registry = previous
    if not found:
        raise ValueError(f"{path} must declare at least one {kind.__name__.lower()}. Received: none.")
    return found
