"""Results of a class as a JSON file and as a table."""

import json
import threading
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table
from rich.text import Text

from llmcourse import __version__
from llmcourse.classroom.grading import Row
from llmcourse.files import write_atomically

COLOURS = {"ok": "green", "invalid": "red", "crashed": "red", "memory": "yellow", "timeout": "yellow"}


class Sheet:
    """Keeps the JSON file up to date while a class is graded: after each row it is complete, in the submissions' order.

    Args:
        path: the file, or None to write none.
        order: the paths of all submissions.
    """

    def __init__(self, path: Path | None, order: Sequence[Path]):
        self.path, self.order = path, [str(item) for item in order]
        self._rows: dict[str, Row] = {}
        self._lock = threading.Lock()
        if path:
            self._write()  # a place that cannot be written is known before the work, not after it

    def add(self, row: Row) -> None:
        """Take a row and write the file anew."""
        with self._lock:
            self._rows[row.path] = row
            if self.path:
                self._write()

    def _write(self) -> None:
        rows = [self._rows[name].as_json() for name in self.order if name in self._rows]
        content = {"llmcourse": __version__, "complete": len(rows) == len(self.order), "results": rows}
        assert self.path is not None
        write_atomically(self.path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def table(rows: Sequence[Row]) -> Table:
    """Lay the rows out for a terminal."""
    sheet = Table(title=f"{len(rows)} graded" if len(rows) != 1 else "1 graded")
    for heading in ("student", "lesson", "score", "status", "seconds", "remark"):
        sheet.add_column(heading, justify="right" if heading in ("score", "seconds") else "left")
    for row in rows:
        score = f"{row.score:g} / {row.max_score:g}" if row.exercises else "-"
        remark = row.message or "; ".join(row.remarks)
        sheet.add_row(
            Text(row.student),
            Text(row.lesson),
            score,
            Text(row.status, COLOURS[row.status]),
            f"{row.seconds:.1f}",
            Text(remark),
        )
    return sheet
