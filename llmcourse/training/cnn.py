"""Train a convolutional network on digits, in a folder that a killed run goes on from.

config = cnn_config("full", "fast", seed=0)
scores = train_cnn(config, Path("runs/digits"))
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from llmcourse.data import load_mnist
from llmcourse.models.cnn import build_small_cnn
from llmcourse.runtime import load_keras, make_reproducible
from llmcourse.training import runs
from llmcourse.training.augmentation import deform_images, shift_images
from llmcourse.training.loop import (
    TrainingDivergedError,
    TrainSteps,
    make_predict,
    make_train_steps,
    read_state,
    require_tensorflow,
    write_state,
)
from llmcourse.training.measures import loss_and_accuracy, measure
from llmcourse.training.recipes import HELD_OUT, CnnConfig
from llmcourse.training.report import save_model, write_report
from llmcourse.training.runs import Checkpoint
from llmcourse.training.schedules import one_cycle

if TYPE_CHECKING:
    import keras

TASK = "cnn"
CHUNK = 50  # steps between two moves of the progress bar
LAST_GOOD = "last_good.keras"
AVERAGE = "average"  # prefix of the averaged weights in a checkpoint


@dataclass(frozen=True)
class Moment:
    """Say how far a run is, for a progress bar.

    Args:
        step: steps done, in all epochs.
        steps: steps of the whole run.
        epoch: the current epoch, from 1.
        epochs: of the whole run.
        loss: mean over the last steps.
        accuracy: share of right answers in the last steps.
        images_per_second: in the last steps.
    """

    step: int
    steps: int
    epoch: int
    epochs: int
    loss: float
    accuracy: float
    images_per_second: float


@dataclass(frozen=True, eq=False)
class Digits:
    """Hold the digits of a run: images uint8 (N, 28, 28) and labels int64 (N,), to train with and to choose with."""

    x_train: np.ndarray
    y_train: np.ndarray
    x_val: np.ndarray
    y_val: np.ndarray


def load_digits(data: str) -> Digits:
    """Load the training digits and hold out the last of them; the test digits are not touched.

    Args:
        data: "small" or "full".

    Returns:
        3,500 and 500 digits, or 55,000 and 5,000.
    """
    digits, held_out = load_mnist(data), HELD_OUT[data]  # type: ignore[arg-type]
    x, y = digits.x_train, digits.y_train
    return Digits(x[:-held_out], y[:-held_out], x[-held_out:], y[-held_out:])


def train_cnn(
    config: CnnConfig, folder: Path, *, on_steps: Callable[[Moment], object] | None = None, command: str = ""
) -> Mapping[str, Any]:
    """Train as configured, or go on where a killed run stopped, and write model, scores, pictures and model card.

    The result is the same, number by number, however often the run was interrupted: the state is saved after
    each epoch, and each epoch draws its random numbers from the seed and its own number. The test digits are read once,
    when training is over and the weights are chosen.

    Args:
        config: what to do.
        folder: of the run; a folder that holds anything else is refused.
        on_steps: called every few steps.
        command: what a reader of the model card types to repeat the run.

    Returns:
        The scores, as in scores.json; at once if the run is finished.

    Raises:
        RunError: the folder holds something else, or its files are damaged.
        TrainingDivergedError: the loss or a weight is not a finite number any more.
    """
    require_tensorflow()
    if runs.open_run(folder, {"task": TASK, **asdict(config)}):
        return runs.read_scores(folder)
    digits = load_digits(config.data)
    model, checkpoint = fit_cnn(config, digits, folder, on_steps)
    chosen = _choose_weights(model, checkpoint, digits)
    save_model(model, folder)
    test = load_mnist(config.data)  # type: ignore[arg-type]
    measured = measure(make_predict(model)(test.x_test), test.y_test)
    scores = {**measured.scores(), **chosen, **_totals(checkpoint.history), "parameters": model.count_params()}
    write_report(folder, config, checkpoint.history, measured, scores, command)
    runs.finish_run(folder, scores)
    return scores


def fit_cnn(
    config: CnnConfig, digits: Digits, folder: Path, on_steps: Callable[[Moment], object] | None = None
) -> tuple["keras.Model", Checkpoint]:
    """Build the network and run the epochs that are still missing, with a checkpoint after each.

    Args:
        config: what to do.
        digits: to train with, and to measure with after each epoch.
        folder: with the checkpoint, if there is one.
        on_steps: called every few steps.

    Returns:
        The model with the weights of the last epoch, and the last checkpoint.

    Raises:
        ValueError: a batch larger than the digits to train with.
        TrainingDivergedError: the loss or a weight is not a finite number any more.
    """
    keras, settings = load_keras(), config.settings
    if settings.batch_size > len(digits.x_train):
        raise ValueError(
            f"batch_size must be at most {len(digits.x_train)}, the digits to train with. "
            f"Received: {settings.batch_size}."
        )
    make_reproducible(config.seed)
    model = build_small_cnn(settings.filters, settings.dropout, strides=settings.strides)
    optimizer = keras.optimizers.Adam()
    checkpoint = runs.load_checkpoint(folder) or Checkpoint(read_state(model, optimizer))
    write_state(model, optimizer, checkpoint.arrays)
    smoothing = settings.label_smoothing
    train_steps = make_train_steps(model, optimizer, batch_size=settings.batch_size, label_smoothing=smoothing)
    predict = make_predict(model)
    while checkpoint.epoch < settings.epochs:
        started, cpu_started = time.perf_counter(), time.process_time()
        row = _train_epoch(config, digits, checkpoint.epoch, train_steps, on_steps)
        state = read_state(model, optimizer)
        if not all(np.isfinite(value).all() for value in [np.array(row["loss"]), *state.values()]):
            write_state(model, optimizer, checkpoint.arrays)
            raise _diverged(row["loss"], checkpoint.epoch, save_model(model, folder, LAST_GOOD), settings.peak_rate)
        row["val_loss"], row["val_accuracy"] = loss_and_accuracy(predict(digits.x_val), digits.y_val)
        row |= {"seconds": time.perf_counter() - started, "cpu_seconds": time.process_time() - cpu_started}
        state |= _average(model, checkpoint, max(0, settings.epochs - settings.averaged_epochs))
        checkpoint = Checkpoint(state, [*checkpoint.history, {"epoch": checkpoint.epoch + 1.0, **row}])
        runs.save_checkpoint(folder, checkpoint)
    return model, checkpoint


def _diverged(loss: float, epoch: int, path: Path, peak_rate: float) -> TrainingDivergedError:
    return TrainingDivergedError(
        f"A finite loss and finite weights are required. Received: loss {loss} in epoch {epoch + 1}. "
        f"The weights after epoch {epoch} are kept in {path}. A lower peak rate than {peak_rate} helps."
    )


def _train_epoch(
    config: CnnConfig, digits: Digits, epoch: int, train_steps: TrainSteps, on_steps: Callable[[Moment], object] | None
) -> dict[str, float]:
    """Show the network all digits once, in an order and in places that depend on the seed and the epoch alone."""
    settings, size = config.settings, config.settings.batch_size
    steps = len(digits.x_train) // size  # the few digits left over are others in each epoch
    rates = one_cycle(steps * settings.epochs, settings.peak_rate, settings.warmup)[epoch * steps :][:steps]
    rng = np.random.default_rng([config.seed, epoch])
    order = rng.permutation(len(digits.x_train))[: steps * size]
    images = digits.x_train[order]
    if settings.deformation:
        images = deform_images(images, rng, settings.deformation)
    else:
        images = shift_images(images, rng, settings.shift)
    images = images.reshape(steps, size, *images.shape[1:])  # (N, height, width) -> (steps, B, height, width)
    labels = digits.y_train[order].reshape(steps, size)
    losses, accuracies = np.zeros(steps), np.zeros(steps)
    for start in range(0, steps, CHUNK):
        chunk, began = slice(start, min(start + CHUNK, steps)), time.perf_counter()
        loss, accuracy = (float(value) for value in train_steps(images[chunk], labels[chunk], rates[chunk]))
        losses[chunk], accuracies[chunk] = loss, accuracy
        if not np.isfinite(loss):
            break
        if on_steps:
            speed = (chunk.stop - start) * size / (time.perf_counter() - began)
            done = epoch * steps + chunk.stop
            on_steps(Moment(done, steps * settings.epochs, epoch + 1, settings.epochs, loss, accuracy, speed))
    return {"loss": losses.mean(), "accuracy": accuracies.mean(), "learning_rate": float(rates.max())}


def _average(model: "keras.Model", checkpoint: Checkpoint, first: int) -> dict[str, np.ndarray]:
    """Go on with the mean of the weights after each epoch from `first` (counted from 0) on."""
    count = checkpoint.epoch - first
    if count < 0:
        return {}
    weights = model.get_weights()
    means = checkpoint.numbered(AVERAGE) or weights
    pairs = zip(means, weights, strict=True)
    return runs.numbered(AVERAGE, [mean + (new - mean) / (count + 1) for mean, new in pairs])


def _choose_weights(model: "keras.Model", checkpoint: Checkpoint, digits: Digits) -> dict[str, Any]:
    """Leave in the model the last or the averaged weights, whichever has the lower loss on the held-out digits."""
    candidates = {
        "last": model.get_weights(),
        "averaged": checkpoint.numbered(AVERAGE),
    }
    predict, found = make_predict(model), {}
    for name, weights in candidates.items():
        model.set_weights(weights)
        found[name] = loss_and_accuracy(predict(digits.x_val), digits.y_val)
    best = min(found, key=lambda name: found[name][0])
    model.set_weights(candidates[best])
    return {"weights": best, "validation_loss": found[best][0], "validation_accuracy": found[best][1]}


def _totals(history: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: round(sum(row[name] for row in history), 1) for name in ("seconds", "cpu_seconds")}
