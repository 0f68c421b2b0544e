"""`check = lesson("mlp")`, `check("relu")`: what a learner meets in the notebook."""

import hashlib
import inspect
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from llmcourse.checking.lessons import Exercise, Lesson, load_lesson
from llmcourse.checking.local import LocalConnection, undisturbed
from llmcourse.checking.progress import Progress
from llmcourse.checking.report import GREEN, GREY, Result
from llmcourse.checking.run import run_exercise

HONEST_TRIES = 3


def lesson(lesson_id: str, namespace: dict[str, Any] | None = None, folder: Path | None = None) -> "Check":
    """Open the checks of a lesson for the notebook that calls this.

    Args:
        lesson_id: such as "mlp"; `llmcourse progress` lists them.
        namespace: where to look for the learner's functions; by default the caller's global names.
        folder: a folder of lessons in place of the built-in one.

    Returns:
        A `Check`: call it with the name of an exercise.

    Raises:
        ValueError: there is no such lesson.

    Example:
        >>> check = lesson("mlp")
        >>> check
        Checks of lesson "mlp": dense_forward, relu, ...
    """
    if namespace is None:
        namespace = sys._getframe(1).f_globals
    return Check(load_lesson(lesson_id, folder), namespace, Progress.find())


class Check:
    """Checks exercises of one lesson, counts tries, gives hints.

    Args:
        lesson: the lesson with its exercises and criteria.
        namespace: the notebook's names.
        progress: where results are kept.
    """

    def __init__(self, lesson: Lesson, namespace: dict[str, Any], progress: Progress):
        self._lesson, self._namespace, self._progress = lesson, namespace, progress

    def __call__(self, exercise: str) -> Result:
        """Check an exercise; never raises, whatever the learner's code does."""
        if exercise not in self._lesson.exercises:
            return self._show(Result(exercise, notice=self._unknown(exercise)))
        task = self._lesson.exercises[exercise]
        with undisturbed() as printed:
            outcomes = run_exercise(
                self._lesson.id, self._lesson.criteria[exercise], LocalConnection(self._namespace), forbid=task.forbid
            )
            result = Result(exercise, tuple(outcomes), printed=printed.getvalue())
            attempt = None if result.untouched else _fingerprint(self._namespace, task.names)
            record = self._progress.record(
                self._lesson.id, exercise, points=result.points, max_points=result.max_points, attempt=attempt
            )
            notices = [*result.remarks, self._progress.new_warning()]
            if not result.passed and len(record["attempts"]) >= HONEST_TRIES:
                notices.append(f'`check.solution("{exercise}")` shows a reference answer.')
            result = replace(result, hints_shown=max(0, record["misses"] - 1), notice=" ".join(filter(None, notices)))
        return self._show(result)

    def reset(self, exercise: str) -> None:
        """Print the code that the exercise's cell started with, to copy back."""
        task = self._lesson.exercises.get(exercise)
        print(task.starter.rstrip() if task else self._unknown(exercise))

    def solution(self, exercise: str) -> "Code | None":
        """Show the reference answer, once it is solved or after three different honest tries."""
        task = self._lesson.exercises.get(exercise)
        if task is None:
            print(self._unknown(exercise))
            return None
        record = self._progress.read().get(self._lesson.id, {}).get(exercise, {})
        tries = len(record.get("attempts", []))
        if record.get("best", -1) < record.get("max_points", 0) and tries < HONEST_TRIES:
            left = HONEST_TRIES - tries
            print(f"The reference appears after {left} more different {'try' if left == 1 else 'tries'} of your own.")
            return None
        return Code(task.solution.strip())

    def progress(self) -> "Table":
        """Show the points of every exercise of this lesson."""
        records = self._progress.read().get(self._lesson.id, {})
        return Table(
            self._lesson.title,
            {name: _points(task, records.get(name, {})) for name, task in self._lesson.exercises.items()},
        )

    def __repr__(self) -> str:
        return f'Checks of lesson "{self._lesson.id}": {", ".join(self._lesson.exercises)}'

    def _unknown(self, exercise: Any) -> str:
        names = ", ".join(self._lesson.exercises)
        return f"The name of an exercise is required: {names}. Received: {exercise!r}."

    def _show(self, result: Result) -> Result:
        if not _in_jupyter():
            sys.stdout.write(f"{result}\n")  # not print, which a learner may have assigned to
        return result


@dataclass(frozen=True)
class Code:
    """Shows Python code, highlighted where Jupyter can."""

    text: str

    def __repr__(self) -> str:
        return self.text

    def _repr_markdown_(self) -> str:
        return f"```python\n{self.text}\n```"


@dataclass(frozen=True)
class Table:
    """Shows the points of a lesson's exercises."""

    title: str
    points: Mapping[str, tuple[float, float]]

    def __repr__(self) -> str:
        rows = [f"{name:32s} {got:5g} / {full:g}" for name, (got, full) in self.points.items()]
        return "\n".join([self.title, *rows, f"{'together':32s} {self._sum(0):5g} / {self._sum(1):g}"])

    def _repr_html_(self) -> str:
        rows = "".join(_row(name, got, full) for name, (got, full) in self.points.items())
        return f"<table><caption>{self.title}</caption>{rows}{_row('together', self._sum(0), self._sum(1))}</table>"

    def _sum(self, index: int) -> float:
        return sum(pair[index] for pair in self.points.values())


def _row(name: str, got: float, full: float) -> str:
    share = round(100 * got / full) if full else 0
    colour = GREEN if share == 100 else GREY
    filled = f'<div style="width:{share}%;height:.8em;background:{colour}"></div>'
    bar = f'<div style="width:8em;background:#8884">{filled}</div>'
    return f'<tr><td style="text-align:left">{name}</td><td>{got:g} / {full:g}</td><td>{bar}</td></tr>'


def _points(task: Exercise, record: dict[str, Any]) -> tuple[float, float]:
    return record.get("best", 0), task.points


def _fingerprint(namespace: dict[str, Any], names: tuple[str, ...]) -> str:
    """Hash the source of the learner's functions, so that pressing the same check thrice counts as one try."""
    digest = hashlib.sha256()
    for name in names:
        thing = namespace.get(name)
        try:
            digest.update(inspect.getsource(thing).encode())  # type: ignore[arg-type]
        except (TypeError, OSError):
            code = getattr(thing, "__code__", None)
            digest.update(repr((code.co_code, code.co_consts, code.co_names) if code else type(thing)).encode())
    return digest.hexdigest()[:16]


def _in_jupyter() -> bool:
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")
