"""Train a task in a folder, and evaluate what came out: everything that all tasks have in common.

task = Digits.configure(data="full", seed=0)
scores = train(task, Path("runs/digits"))
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmcourse.files import write_atomically
from llmcourse.runtime import make_reproducible
from llmcourse.training import run
from llmcourse.training.card import draw_curves, model_card
from llmcourse.training.loop import Outcome, TrainingDivergedError, fit
from llmcourse.training.progress import OnProgress
from llmcourse.training.run import RunError
from llmcourse.training.steps import require_tensorflow
from llmcourse.training.task import Task, Tell

if TYPE_CHECKING:
    import keras

MODEL, LAST_GOOD, CARD = "model", "last_good", "model_card.md"


def train(
    task: Task,
    folder: Path,
    *,
    on_progress: OnProgress | None = None,
    tell: Tell | None = None,
    command: str = "",
) -> Mapping[str, Any]:
    """Train as configured, or go on where a killed run stopped, and write model, scores, curves and model card.

    The state is saved every two minutes and after each epoch. A run by epochs gives the same result, number by number,
    however often it was interrupted. The test data are scored once, when training is over and the weights are chosen.

    Args:
        task: what is trained.
        folder: of the run; a folder that holds anything else is refused.
        on_progress: called about twice a second while training goes on.
        tell: called as tell(what, done, total) while the test data are scored.
        command: what a reader of the model card types to repeat the run.

    Returns:
        The scores, as in scores.json; at once if the run is finished.

    Raises:
        DataError: the data cannot be used.
        RunError: the folder holds something else, cannot be written, or its files are damaged.
        TrainingDivergedError: the loss or a weight is not a finite number any more.
    """
    require_tensorflow()
    wanted = {"task": task.name, **asdict(task.config), run.DATA: dict(task.fingerprints())}
    if (folder / run.CONFIG).exists() and run.open_run(folder, wanted):
        return run.read_scores(folder)
    task.prepare(folder)
    run.open_run(folder, wanted)  # only now: settings that the data cannot serve leave no trace
    with run.writing(folder):
        task.save_inputs(folder)
    model = build_model(task)
    try:
        outcome = fit(task, model, folder, on_progress)
    except TrainingDivergedError as error:
        if not (folder / run.CHECKPOINT).exists():
            raise
        kept = task.save(model, folder / LAST_GOOD)
        raise TrainingDivergedError(f"{error} Those weights are kept in {kept}.") from None
    path = task.save(model, folder / MODEL)
    found = task.score(task.load(folder / MODEL), tell or _silent)  # as it was stored, so scored as it will be used
    scores = {**found, **_how_it_went(outcome), "parameters": model.count_params()}
    text = _write_card(task, folder, scores, outcome.history, command)
    task.describe(model, path, scores, text)
    run.finish_run(folder, scores)
    return scores


def build_model(task: Task) -> "keras.Model":
    """Build the network of a run, with first weights drawn from its seed."""
    make_reproducible(task.config.seed)
    return task.build_model()


def evaluate(kind: type[Task], folder: Path, tell: Tell | None = None) -> Mapping[str, Any]:
    """Load the model of a finished run, or of a model folder, and score it again on the test data.

    Args:
        kind: the task of the run.
        folder: of the run, or of its model.
        tell: as in `train`.

    Returns:
        The scores, and "data_checked": whether the folder says with which data its model was trained.

    Raises:
        DataError: the data cannot be used.
        RunError: there is no model, it was trained with other data, or the files are damaged.
    """
    record = run.read_config(folder)
    card = record.get("card")  # the folder of a model alone: its card tells of its data
    if card is None:
        run.require_format(folder, record)
    known, path = (record, folder / MODEL) if card is None else (card, folder)
    missing = [name for name in kind.data_options if name not in known]
    if missing:
        raise RunError(f"A model that names its data is required. Received: {folder} without {', '.join(missing)}.")
    require_tensorflow()
    task = kind.configure(**{name: known[name] for name in kind.data_options})
    checked = run.DATA in known
    if checked:
        run.require_same_data(folder, task.fingerprints(), known[run.DATA])
    scores = task.score(task.load(path), tell or _silent)
    _save_pictures(folder, kind.report(scores).pictures)
    return {**scores, "data_checked": checked}


def _silent(what: str, done: int, total: int) -> None:
    """Tell nobody."""


def _how_it_went(outcome: Outcome) -> dict[str, Any]:
    rows = outcome.history
    return {
        "weights": outcome.weights,
        "validation": {name: round(value, 6) for name, value in outcome.validation.items()},
        "epochs": len(rows),
        "steps": int(sum(row["steps"] for row in rows)),
        "seconds": round(sum(row["seconds"] for row in rows), 1),
        "cpu_seconds": round(sum(row["cpu_seconds"] for row in rows), 1),
    }


def _write_card(task: Task, folder: Path, scores: Mapping[str, Any], history: Any, command: str) -> str:
    """Draw the pictures, write the model card, and return its text."""
    report = task.report(scores)
    pictures = {**draw_curves(history), **report.pictures}
    _save_pictures(folder, pictures)
    text = model_card(
        task.about(scores),
        report,
        scores,
        asdict(task.config),
        command=command,
        packages=task.packages,
        pictures=pictures,
    )
    with run.writing(folder):
        write_atomically(folder / CARD, text)
    return text


def _save_pictures(folder: Path, pictures: Mapping[str, Any]) -> None:
    with run.writing(folder):
        for name, picture in pictures.items():
            picture.save(folder / f"{name}.png")
