"""The trusted side of grading: run the criteria against a worker that holds the learner's code, and give points."""

import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from llmcourse.checking.lessons import Lesson, load_lesson
from llmcourse.checking.syllabus import load_syllabus
from llmcourse.classroom.grading.attempts import grade_script, lost_outcome
from llmcourse.classroom.grading.results import Graded, Row
from llmcourse.classroom.grading.script import read_script, reference_script
from llmcourse.classroom.grading.submissions import InvalidSubmissionError, NotebookFile, Submission, read_notebook
from llmcourse.classroom.sandbox.pool import Limits, Sandbox

__all__ = ["Shelf", "grade_class", "grade_script", "grade_submission", "reference_script"]


class Shelf:
    """Keeps the lessons as they were when first read: a learner's code that changes their files changes nothing.

    Args:
        folder: a folder of lessons in place of the built-in one.
    """

    def __init__(self, folder: Path | None = None):
        self.known = [entry.id for entry in load_syllabus(folder)]
        self._folder, self._lock = folder, threading.Lock()
        self._lessons: dict[str, Lesson] = {}

    def __getitem__(self, id: str) -> Lesson:
        with self._lock:
            if id not in self._lessons:
                self._lessons[id] = load_lesson(id, self._folder)
            return self._lessons[id]


def grade_class(
    submissions: Collection[Submission],
    seed: str,
    *,
    jobs: int = 1,
    threads: int = 1,
    limits: Limits = Limits(),  # noqa: B008  (frozen)
    isolation: str = "basic",
    lessons: Path | None = None,
    done: Callable[[Row], object] = lambda row: None,
) -> list[Row]:
    """Grade submissions, several at a time; one that breaks gets its own row and never stops the others.

    Args:
        submissions: the notebooks.
        seed: the class's secret, from which all random numbers of the criteria come.
        jobs: how many at a time.
        threads: how many threads TensorFlow may use for each.
        limits: what one submission may take.
        isolation: "basic".
        lessons: a folder of lessons in place of the built-in one.
        done: told each row as soon as it is there.

    Returns:
        One row for each submission, in their order.

    Raises:
        SandboxError: no learner's code can be run at all.
        ValueError: the list of lessons, or a lesson that a file names, cannot be read.
    """
    stopped = threading.Event()

    def one(submission: Submission, notebook: NotebookFile | Exception) -> Row:
        row = grade_submission(submission, sandbox, seed, limits, shelf, notebook)
        if not stopped.is_set():  # otherwise it was broken off, and says nothing about the submission
            done(row)
        return row

    shelf = Shelf(lessons)
    for id in {submission.lesson for submission in submissions} & set(shelf.known):
        shelf[id]
    with ThreadPoolExecutor(jobs) as pool, Sandbox(isolation, threads) as sandbox:
        # Before any learner's code runs, which could change the others' files; meanwhile the libraries load.
        notebooks = [_open(submission) for submission in submissions]
        sandbox.wait_until_ready()
        try:
            return list(pool.map(one, submissions, notebooks))
        except BaseException:  # above all the teacher's Ctrl-C
            stopped.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _open(submission: Submission) -> NotebookFile | Exception:
    try:
        return read_notebook(submission.path, follow_link=submission.named)
    except Exception as error:  # told in the submission's own row
        return error


def grade_submission(
    submission: Submission,
    sandbox: Sandbox,
    seed: str,
    limits: Limits,
    shelf: Shelf,
    notebook: NotebookFile | Exception | None = None,
) -> Row:
    """Grade one notebook; whatever is wrong with it, the answer is a row.

    Args:
        submission: where it lies and whose it is.
        sandbox: starts the workers.
        seed: the class's secret.
        limits: what it may take.
        shelf: the lessons.
        notebook: what the file holds, or why that cannot be read; by default it is read now.

    Returns:
        The row, with no points where it could not be graded.
    """
    start = time.monotonic()
    row = Row(submission.student, submission.lesson, str(submission.path), isolation=sandbox.isolation)
    try:
        row = _grade(row, notebook or _open(submission), sandbox, seed, limits, shelf)
    except InvalidSubmissionError as error:
        row = replace(row, status="invalid", message=str(error), exercises=_nothing(row.lesson, shelf, str(error)))
    except Exception as error:
        said = f"the grader itself failed: {type(error).__name__}: {error}"
        row = replace(row, status="crashed", message=said, exercises=_nothing(row.lesson, shelf, said))
    return replace(row, seconds=time.monotonic() - start)


def _grade(
    row: Row, notebook: NotebookFile | Exception, sandbox: Sandbox, seed: str, limits: Limits, shelf: Shelf
) -> Row:
    if isinstance(notebook, Exception):
        raise notebook
    row = replace(row, lesson=row.lesson or notebook.lesson)
    if row.lesson not in shelf.known:
        raise InvalidSubmissionError(
            f"the lesson must be one of {', '.join(shelf.known)}, named by the file (student__lesson.ipynb) or by "
            f"--lesson. Received: {row.lesson!r}."
        )
    lesson = shelf[row.lesson]
    script = read_script(lesson, notebook.cells)
    grading = grade_script(lesson, script, sandbox, seed, limits)
    around = dict.fromkeys(outcome.remark for item in grading.graded() for outcome in item.outcomes if outcome.remark)
    return replace(
        row,
        status=grading.status,
        exercises=tuple(grading.graded()),
        message="; ".join(grading.messages),
        remarks=(*script.remarks, *grading.remarks, *around),
        cpu_seconds=grading.cpu,
    )


def _nothing(lesson: str, shelf: Shelf, why: str) -> tuple[Graded, ...]:
    """Give no points for every exercise of a lesson; nothing at all where the lesson is not known or cannot be read."""
    try:
        exercises = shelf[lesson].criteria.items()
    except (ValueError, OSError):
        return ()
    return tuple(Graded(id, tuple(lost_outcome(item, why) for item in criteria)) for id, criteria in exercises)
