"""One run of `llmcourse grade`: which notebooks, how they are graded, and what is said of it at the end."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rich.table import Table

from llmcourse.classroom.grading import results
from llmcourse.classroom.grading.grader import grade_class
from llmcourse.classroom.grading.lessons import Lessons
from llmcourse.classroom.grading.seed import class_seed
from llmcourse.classroom.grading.submissions import find_submissions
from llmcourse.classroom.sandbox.limits import Limits
from llmcourse.classroom.sandbox.pool import ISOLATION

STOPPED = 130  # the exit status of a program that Ctrl-C ended


class Session:
    """Finds the notebooks of a class, grades them, and keeps what is there when it is stopped.

    Args:
        paths: notebooks and folders of notebooks.
        lesson: taken for notebooks that do not say it themselves.
        lessons: a folder of lessons in place of the built-in one.
        json_file: where the results go, too.

    Raises:
        ValueError: the lesson is unknown, or there is no notebook.
        OSError: a path cannot be read, or the results cannot be written.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        *,
        lesson: str | None = None,
        lessons: Path | None = None,
        json_file: Path | None = None,
    ):
        self._lessons = Lessons(lessons)
        if lesson not in (None, *self._lessons.known):
            raise ValueError(f"--lesson must be one of {', '.join(self._lessons.known)}. Received: {lesson!r}.")
        notebooks = find_submissions(paths, self._lessons, lesson)
        self.submissions, self._left_out = notebooks.found, notebooks.left_out
        if not self.submissions:
            raise ValueError(f"Notebooks are required. Received: no .ipynb file in {', '.join(map(str, paths))}.")
        places = [submission.path for submission in self.submissions]
        self.file = results.ResultsFile(json_file, places, self._left_out)
        self._isolation, self._stopped = "", False

    def run(
        self,
        seed_file: Path,
        *,
        jobs: int,
        threads: int,
        seconds: float,
        isolation: str,
        step: Callable[[int, int], object],
    ) -> None:
        """Grade all, until Ctrl-C.

        Args:
            seed_file: holds the class's secret seed.
            jobs: how many notebooks at a time.
            threads: how many threads TensorFlow may use for each.
            seconds: what one submission may take.
            isolation: how far the learners' code is walled off.
            step: called as `step(done, total)`.

        Raises:
            OSError: the seed cannot be read or made.
            SandboxError: no learner's code can be run at all.
        """

        def done(row: results.Row) -> None:
            self.file.add(row)
            step(len(self.file.rows), len(self.submissions))

        self._isolation = isolation
        try:
            grade_class(
                self.submissions,
                self._lessons,
                class_seed(seed_file),
                jobs=jobs,
                threads=threads,
                limits=Limits(seconds=seconds),
                isolation=isolation,
                done=done,
            )
        except KeyboardInterrupt:
            self._stopped = True
        self.file.close()

    def table(self) -> Table:
        """Lay the results out for a terminal."""
        return results.table(self.file.rows)

    def remarks(self) -> Iterator[str]:
        """Say which notebooks do not count, how the code was walled off and where the results are."""
        yield from map(results.in_one_line, self._left_out)
        yield f"Isolation {ISOLATION[self._isolation]}."
        if self.file.path and not self.file.error:
            yield f"Results: {self.file.path}"

    def complaints(self) -> Iterator[str]:
        """Say what went wrong with the run itself."""
        if self.file.error:
            yield f"Error: {self.file.error}"
        if self._stopped:
            yield f"Stopped after {len(self.file.rows)} of {len(self.submissions)}."

    @property
    def exit_status(self) -> int:
        """Give 0 where every notebook was graded, 1 where some could not be graded in full, 130 after Ctrl-C."""
        if self._stopped:
            return STOPPED
        return int(bool(self.file.error) or any(row.status != "ok" for row in self.file.rows))
