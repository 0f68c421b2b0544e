"""Results of a class: a row for each submission, the JSON file, the table."""

import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from llmcourse import __version__
from llmcourse.checking.run import Outcome, readable
from llmcourse.classroom.sandbox.pool import ISOLATION
from llmcourse.files import write_atomically

COLOURS = {"ok": "green", "invalid": "red", "crashed": "red", "memory": "yellow", "timeout": "yellow"}
WRITE_SECONDS = 1.0


@dataclass(frozen=True)
class ExerciseResult:
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
    status: str = "ok"
    exercises: tuple[ExerciseResult, ...] = ()
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
        """Sum the points of a full answer; 0 where the lesson is not known."""
        return sum(exercise.max_points for exercise in self.exercises)

    def as_json(self) -> dict[str, Any]:
        """Give the row as plain data for the JSON file."""
        return {
            "student": in_one_line(self.student),
            "lesson": in_one_line(self.lesson),
            "score": self.score,
            "max_score": self.max_score,
            "status": self.status,
            "message": in_one_line(self.message),
            "remarks": [in_one_line(remark) for remark in self.remarks],
            "seconds": round(self.seconds, 3),
            "cpu_seconds": round(self.cpu_seconds, 3),
            "isolation": self.isolation,
            "isolation_says": ISOLATION[self.isolation],
            "path": in_one_line(self.path),
            "exercises": [_exercise(item) for item in self.exercises],
        }


def _exercise(item: ExerciseResult) -> dict[str, Any]:
    criteria = [_criterion(outcome) for outcome in item.outcomes]
    return {"id": item.id, "points": item.points, "max_points": item.max_points, "criteria": criteria}


def in_one_line(text: str, limit: int = 2000) -> str:
    """Make a text of unknown origin readable, its line breaks visible: in a table they would look like rows."""
    return readable(text, limit).replace("\n", "\\n")


def _criterion(outcome: Outcome) -> dict[str, Any]:
    passed, written = outcome.passed, outcome.status != "todo"
    return {
        "name": outcome.name,
        "title": outcome.title,
        "points": outcome.points,
        "max_points": outcome.max_points,
        "status": outcome.status,
        "hint": outcome.hints[0] if outcome.hints and written and not passed else "",
        "error": "" if passed else f"required: {outcome.required}; received: {outcome.received}",
    }


class ResultsFile:
    """Keeps the JSON file up to date while a class is graded: whenever it is read it is whole, in a fixed order.

    Where it cannot be written meanwhile, `error` says why and the next row tries again.

    Args:
        path: the file, or None to write none.
        order: the paths of all submissions.
        left_out: a line for each notebook that is no submission.

    Raises:
        OSError: the file cannot be written; known before the work, not after it.
        ValueError: the path is something else than a file.
    """

    def __init__(self, path: Path | None, order: Sequence[Path], left_out: Sequence[str] = ()):
        self.path, self.order, self.error = path, [str(item) for item in order], ""
        self._left_out = [in_one_line(line) for line in left_out]
        self._rows: dict[str, Row] = {}
        self._texts: dict[str, str] = {}
        self._lock, self._written = threading.Lock(), 0.0
        if path:
            if path.exists() and not path.is_file():
                raise ValueError(f"--json must name a file. Received: {path}, which is something else.")
            trial = path.with_name(f".{path.name}.trial")  # what the file holds from an earlier run stays until then
            write_atomically(trial, "").unlink()

    @property
    def rows(self) -> list[Row]:
        """List the rows so far, in the order of the submissions."""
        return [self._rows[name] for name in self.order if name in self._rows]

    def add(self, row: Row) -> None:
        """Take a row; write the file if the last time is a second ago or nothing is missing."""
        with self._lock:
            self._rows[row.path] = row
            self._texts[row.path] = json.dumps(row.as_json(), indent=1, ensure_ascii=False, allow_nan=False)
            if len(self._rows) == len(self.order) or time.monotonic() - self._written > WRITE_SECONDS:
                self._write()

    def close(self) -> None:
        """Write what was not written yet."""
        with self._lock:
            if self._rows:
                self._write()

    def _write(self) -> None:
        if self.path is None:
            return
        complete = len(self._rows) == len(self.order)
        head = {"llmcourse": __version__, "complete": complete, "left_out": self._left_out}
        rows = ",\n".join(self._texts[name] for name in self.order if name in self._texts)
        try:
            write_atomically(self.path, f'{json.dumps(head)[:-1]}, "results": [\n{rows}\n]}}\n')
            self.error = ""
        except OSError as error:
            self.error = f"{self.path} could not be written: {error.strerror or error}"
        self._written = time.monotonic()


def table(rows: Sequence[Row]) -> Table:
    """Lay the rows out for a terminal."""
    laid_out = Table(title=f"{len(rows)} {'submission' if len(rows) == 1 else 'submissions'}")
    for heading in ("student", "lesson", "score", "status", "seconds", "remark"):
        laid_out.add_column(heading, justify="right" if heading in ("score", "seconds") else "left")
    for row in rows:
        score = f"{row.score:g} / {row.max_score:g}" if row.exercises else "-"
        remark = "; ".join(filter(None, (row.message, *row.remarks)))
        laid_out.add_row(
            Text(in_one_line(row.student, 60)),
            Text(in_one_line(row.lesson, 60)),
            score,
            Text(row.status, COLOURS[row.status]),
            f"{row.seconds:.1f}",
            Text(in_one_line(remark, 300)),
        )
    return laid_out
