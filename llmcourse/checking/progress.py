"""What a learner has solved, kept in their own folder as one small JSON file."""

import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from llmcourse.files import write_atomically

FOLDER = ".llmcourse"
MAX_ATTEMPTS = 50
ONLY_NOW = "Progress is kept for this session only"


def progress_file() -> Path | None:
    """Find the file that keeps the progress; None where there is no place for one.

    The variable LLMCOURSE_PROGRESS names it, or is `off`. Otherwise it lies in the nearest folder `.llmcourse`
    upwards from here, which `llmcourse start` makes, and failing that in the home folder.
    """
    named = os.environ.get("LLMCOURSE_PROGRESS", "")
    if named:
        return None if named == "off" else Path(named).absolute()
    with suppress(OSError):  # the folder we stand in is gone
        here = Path.cwd()
        for folder in (here, *here.parents):
            if (folder / FOLDER).is_dir():
                return folder / FOLDER / "progress.json"
    try:
        return Path.home() / FOLDER / "progress.json"
    except RuntimeError:  # as in a container without HOME, for a user that the system does not know
        return None


class Progress:
    """Reads and writes the progress file; where it cannot be written, the progress is kept for this session only.

    Args:
        path: the file, or None to keep nothing.
        warning: what to tell the learner about it.
    """

    def __init__(self, path: Path | None, warning: str = ""):
        self.path, self.warning = path, warning
        self._memory: dict[str, Any] = {}
        self._told = ""

    @classmethod
    def find(cls) -> "Progress":
        """Open the progress file of the place where we are, and warn where there is none that was not switched off."""
        path = progress_file()
        if path is None and os.environ.get("LLMCOURSE_PROGRESS") != "off":
            return cls(None, f"{ONLY_NOW}: there is no home folder. `llmcourse start FOLDER` makes a place for it.")
        return cls(path)

    @property
    def described(self) -> str:
        """Say where the progress is kept."""
        if self.path is None:
            return self.warning or "Progress is switched off (LLMCOURSE_PROGRESS=off)"
        return f"Progress in {self.path}"

    def new_warning(self) -> str:
        """Return the warning once: it is true of every check, and enough said with the first."""
        told, self._told = self._told, self.warning
        return "" if told == self.warning else self.warning

    def read(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Return the records as {lesson: {exercise: record}}; a damaged file is set aside, never overwritten."""
        if self.path is None or self.warning:
            return self._memory
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            if not isinstance(content, dict) or not all(isinstance(value, dict) for value in content.values()):
                raise ValueError("not a table of lessons")
            return content
        except FileNotFoundError:
            return {}
        except ValueError:
            aside = self.path.with_suffix(f".damaged-{time.time_ns()}.json")
            self._try(lambda: self.path and self.path.replace(aside))
            return {}
        except OSError as error:
            self.warning = f"Progress cannot be read from {self.path}: {error.strerror}."
            return self._memory

    def record(
        self, lesson: str, exercise: str, *, points: float, max_points: float, attempt: str | None
    ) -> dict[str, Any]:
        """Note one check of an exercise.

        Args:
            lesson: the lesson's id.
            exercise: the exercise's id.
            points: points of this check.
            max_points: points of a full answer.
            attempt: a fingerprint of the code, or None where nothing was written yet.

        Returns:
            The exercise's record: `best`, `max_points`, `misses` (failed checks since the last full one), `attempts`
            (different wrong answers so far), `date` of the last check.
        """
        content = self.read()
        record = content.setdefault(lesson, {}).setdefault(exercise, {})
        solved = points >= max_points
        record["best"] = max(points, record.get("best", 0))
        record["max_points"] = max_points
        record["misses"] = 0 if solved else record.get("misses", 0) + 1
        attempts = record.setdefault("attempts", [])
        if attempt and not solved and attempt not in attempts:
            attempts.append(attempt)
            del attempts[:-MAX_ATTEMPTS]
        record["date"] = time.strftime("%Y-%m-%d")
        self._write(content)
        return record

    def _write(self, content: dict[str, Any]) -> None:
        self._memory = content
        path = self.path
        if path is not None and not self.warning:
            text = json.dumps(content, indent=1, sort_keys=True) + "\n"
            self._try(lambda: write_atomically(path, text))

    def _try(self, action: Any) -> None:
        try:
            action()
        except OSError as error:
            self.warning = f"{ONLY_NOW}: {self.path} cannot be written ({error.strerror})."
