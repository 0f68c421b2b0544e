"""`llmcourse demo`: right and wrong answers judged, a network trained on real digits, and a page that shows both."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path

import numpy as np
from rich.table import Table
from threadpoolctl import threadpool_limits

from llmcourse import steps
from llmcourse.checking.criteria import Answer
from llmcourse.checking.lessons import Lesson
from llmcourse.checking.report import Result
from llmcourse.checking.run import PUBLIC_SEED
from llmcourse.classroom.authoring.answers import AnswerChecker, caught, known_answers
from llmcourse.classroom.grading.attempts import grade_script
from llmcourse.classroom.grading.script import reference_script
from llmcourse.classroom.sandbox.pool import Limits, Sandbox
from llmcourse.data import load_mnist
from llmcourse.files import write_atomically
from llmcourse.plots import Picture, confusion_matrix, digits, learning_curves, weight_images
from llmcourse.runtime import available_cores

EPOCHS = 20
HIDDEN_UNITS = 128
SINGLE = ("reference", "empty")  # of these an exercise has one
Step = Callable[[int, int], object]


@dataclass(frozen=True)
class Judged:
    """One known answer with what the checks said of it."""

    answer: Answer
    result: Result
    caught: bool
    notebook_points: float = 0.0

    @property
    def as_expected(self) -> bool:
        """Tell whether the grader judged it as it must, and the notebook's own checks alike."""
        return self.caught and self.points == self.notebook_points

    @property
    def exercise(self) -> str:
        """Name the exercise."""
        return self.answer.exercise

    @property
    def kind(self) -> str:
        """Say "reference", "empty", "accepted" or "mutant"."""
        return self.answer.kind

    @property
    def points(self) -> float:
        """Count the points earned."""
        return self.result.points

    @property
    def max_points(self) -> float:
        """Count the points of a full answer."""
        return self.result.max_points


@dataclass(frozen=True)
class Training:
    """A trained network: accuracies from 0 to 1 and the pictures of how it went."""

    train_accuracy: float
    test_accuracy: float
    pictures: tuple[tuple[str, Picture], ...]


def check_answers(lesson: Lesson, step: Step) -> list[Judged]:
    """Grade the known answers of a lesson, right and wrong ones, as a class is graded, in processes of their own.

    The notebook's own checks run after it, with the same numbers, and must give the same points.

    Args:
        lesson: the lesson.
        step: moves a progress bar, as `step(done, total)`.

    Returns:
        One row for each known answer.
    """
    checker, answers, jobs = AnswerChecker(lesson), known_answers(lesson), available_cores()

    def judge(answer: Answer) -> Judged:
        script = reference_script(lesson, answer.exercise, answer.source)
        grading = grade_script(lesson, script, sandbox, PUBLIC_SEED, Limits(), only=[answer.exercise])
        (graded,) = grading.results()
        result = Result(answer.exercise, graded.outcomes, hints_shown=1)
        return Judged(answer, result, caught(answer, list(graded.outcomes)))

    judged = []
    # One thread each: on small matrices a second one costs more than it brings, and the workers have the cores.
    with threadpool_limits(1), Sandbox(threads=1) as sandbox, ThreadPoolExecutor(jobs) as pool:
        for count, row in enumerate(pool.map(judge, answers), start=1):
            judged.append(row)
            step(count, len(answers))
    # Only now, since a check in this process sets what all its threads share: settings, the folder, warnings.
    return [replace(row, notebook_points=sum(each.points for each in checker.check(row.answer))) for row in judged]


def answers_table(lesson: Lesson, judged: Sequence[Judged]) -> Table:
    """Lay out for a terminal what the checks said, one line for each exercise."""
    table = Table("exercise", title=f"Lesson {lesson.id}: {lesson.title}")
    for heading in ("reference", "empty", "right answers passed", "mutants caught"):
        table.add_column(heading, justify="right")
    for name in lesson.exercises:
        mine = [row for row in judged if row.exercise == name]
        points = {
            row.kind: f"{row.points:g} / {row.max_points:g}" for row in mine if row.kind in ("reference", "empty")
        }
        judged_right = [[row.as_expected for row in mine if row.kind == kind] for kind in ("accepted", "mutant")]
        shares = [f"{sum(each)} of {len(each)}" for each in judged_right]
        table.add_row(name, points["reference"], points["empty"], *shares)
    return table


def train_on_digits(step: Step, seed: int = 0) -> Training:
    """Train the NumPy network of the first lessons on 4,000 real digits and try it on 1,000 others.

    Args:
        step: called as `step(done, total)` after each epoch.
        seed: for the first weights and the order of the digits.

    Returns:
        Accuracies and pictures: curves, digits with predictions, confusion matrix, weights.
    """
    data = load_mnist("small")
    x_train, x_test = (images.reshape(len(images), -1) / 255.0 for images in (data.x_train, data.x_test))  # (N, 784)
    curves: dict[str, list[float]] = {"training digits": [], "digits never seen": []}

    def measure(epoch: int, params: dict[str, np.ndarray]) -> None:
        for name, x, labels in (("training digits", x_train, data.y_train), ("digits never seen", x_test, data.y_test)):
            logits, _ = steps.mlp_forward(params, x)
            curves[name].append(float(steps.softmax_cross_entropy(logits, labels)[0]))
        step(epoch, EPOCHS)

    params = steps.train_mlp(x_train, data.y_train, seed, hidden=(HIDDEN_UNITS,), epochs=EPOCHS, on_epoch=measure)
    predictions = steps.predict(params, x_test)  # (N,)
    counts = np.zeros((10, 10), dtype=int)
    np.add.at(counts, (data.y_test, predictions), 1)
    wrong = np.flatnonzero(predictions != data.y_test)[:10]
    some = np.concatenate([np.flatnonzero(predictions == data.y_test)[:20], wrong])
    pictures = (
        ("Learning", learning_curves(curves, ylabel="cross-entropy")),
        ("Digits and predictions", digits(data.x_test[some], data.y_test[some], predictions[some])),
        ("Which digits are taken for which", confusion_matrix(counts)),
        ("What the first layer looks for", weight_images(params["W1"][:, :32])),
    )
    train_accuracy = float((steps.predict(params, x_train) == data.y_train).mean())
    return Training(train_accuracy, float((predictions == data.y_test).mean()), pictures)


def write_report(folder: Path, lesson: Lesson, judged: Sequence[Judged], training: Training) -> Path:
    """Write the report, one HTML file that needs nothing else, and return its path."""
    from jinja2 import Environment, select_autoescape

    source = files("llmcourse").joinpath("commands", "demo.html.j2").read_text(encoding="utf-8")
    template = Environment(autoescape=select_autoescape(default=True), trim_blocks=True, lstrip_blocks=True)
    page = template.from_string(source).render(lesson=lesson, judged=judged, training=training)
    return write_atomically(folder / "index.html", page)
