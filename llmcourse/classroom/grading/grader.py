"""The trusted side of grading: run the criteria against a worker that holds the learner's code, and give points."""

import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from llmcourse.classroom.grading.attempts import grade_script, lost_outcome
from llmcourse.classroom.grading.lessons import Lessons
from llmcourse.classroom.grading.notebook_file import InvalidSubmissionError
from llmcourse.classroom.grading.results import ExerciseResult, Row
from llmcourse.classroom.grading.script import read_script
from llmcourse.classroom.grading.submissions import Submission
from llmcourse.classroom.sandbox.limits import Limits
from llmcourse.classroom.sandbox.pool import Sandbox

BESIDE = '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'  # as in Jupyter, where `!ls` finds one


def grade_class(
    submissions: Collection[Submission],
    lessons: Lessons,
    seed: str,
    *,
    jobs: int = 1,
    threads: int = 1,
    limits: Limits = Limits(),  # noqa: B008  (frozen)
    isolation: str = "basic",
    done: Callable[[Row], object] = lambda row: None,
) -> list[Row]:
    """Grade submissions, several at a time; one that breaks gets its own row and never stops the others.

    Args:
        submissions: the notebooks, read before any learner's code runs, which could change the others' files.
        lessons: the lessons that they answer.
        seed: the class's secret, from which all random numbers of the criteria come.
        jobs: how many at a time.
        threads: how many threads TensorFlow may use for each.
        limits: what one submission may take.
        isolation: "basic".
        done: told each row as soon as it is there.

    Returns:
        One row for each submission, in their order.

    Raises:
        SandboxError: no learner's code can be run at all.
        ValueError: a lesson that a notebook belongs to cannot be read.
    """
    stopped = threading.Event()

    def one(submission: Submission) -> Row:
        row = grade_submission(submission, lessons, sandbox, seed, limits)
        if not stopped.is_set():  # otherwise it was broken off, and says nothing about the submission
            done(row)
        return row

    for id in {submission.lesson for submission in submissions} & set(lessons.known):
        lessons[id]
    with ThreadPoolExecutor(jobs) as pool, Sandbox(isolation, threads) as sandbox:
        sandbox.wait_until_ready()
        try:
            return list(pool.map(one, submissions))
        except BaseException:  # above all the teacher's Ctrl-C
            stopped.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def grade_submission(submission: Submission, lessons: Lessons, sandbox: Sandbox, seed: str, limits: Limits) -> Row:
    """Grade one notebook; whatever is wrong with it, the answer is a row.

    Args:
        submission: the notebook, whose it is and which lesson it answers.
        lessons: the lessons.
        sandbox: starts the workers.
        seed: the class's secret.
        limits: what it may take.

    Returns:
        The row, with no points where it could not be graded.
    """
    start = time.monotonic()
    row = Row(
        submission.student,
        submission.lesson,
        str(submission.path),
        remarks=submission.remarks,
        isolation=sandbox.isolation,
    )
    try:
        row = _grade(row, submission, lessons, sandbox, seed, limits)
    except InvalidSubmissionError as error:
        row = replace(row, status="invalid", message=str(error), exercises=_nothing(row.lesson, lessons, str(error)))
    except Exception as error:
        said = f"the grader itself failed: {type(error).__name__}: {error}"
        row = replace(row, status="crashed", message=said, exercises=_nothing(row.lesson, lessons, said))
    return replace(row, seconds=time.monotonic() - start)


def _grade(row: Row, submission: Submission, lessons: Lessons, sandbox: Sandbox, seed: str, limits: Limits) -> Row:
    notebook = submission.notebook
    if isinstance(notebook, Exception):
        raise notebook
    if row.lesson not in lessons.known:
        if not lessons.recognised_in(notebook):
            raise InvalidSubmissionError("it holds no exercise of any lesson.")
        raise InvalidSubmissionError(
            f"the lesson must be one of {', '.join(lessons.known)}, named by the notebook itself, by its file "
            f"(student__lesson.ipynb) or by --lesson. Received: {row.lesson!r}."
        )
    lesson = lessons[row.lesson]
    script = read_script(lesson, notebook.cells)
    if not lessons.named_in(notebook) and len(script.unanswered) == len(lesson.exercises):
        raise InvalidSubmissionError(f"it holds no exercise of lesson {lesson.id}, nor of another one.")
    grading = grade_script(lesson, script, sandbox, seed, limits, files={f"{lesson.id}.ipynb": BESIDE})
    around = dict.fromkeys(outcome.remark for item in grading.results() for outcome in item.outcomes if outcome.remark)
    return replace(
        row,
        status=grading.status,
        exercises=tuple(grading.results()),
        message="; ".join(grading.messages),
        remarks=(*row.remarks, *script.remarks, *grading.not_found(), *grading.remarks, *around),
        cpu_seconds=grading.cpu,
    )


def _nothing(lesson: str, lessons: Lessons, why: str) -> tuple[ExerciseResult, ...]:
    """Give no points for every exercise of a lesson; nothing at all where the lesson is not known or cannot be read."""
    try:
        exercises = lessons[lesson].criteria.items()
    except Exception:  # the row tells what is wrong already
        return ()
    return tuple(ExerciseResult(id, tuple(lost_outcome(item, why) for item in criteria)) for id, criteria in exercises)
