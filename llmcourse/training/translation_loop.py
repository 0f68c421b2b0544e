"""The loop of a translation run: steps, checkpoints by the clock, averaged weights, and BLEU after each epoch."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from llmcourse.training import runs
from llmcourse.training.batching import Batch, BucketedBatches
from llmcourse.training.loop import TrainingDivergedError, read_state, write_state
from llmcourse.training.runs import Checkpoint
from llmcourse.training.schedules import rise_and_fall

if TYPE_CHECKING:
    from llmcourse.models.translator import Transformer
    from llmcourse.training.translation import TranslationConfig

CHECKPOINT_SECONDS = 120.0
REPORT_SECONDS = 0.5
AVERAGE_EVERY = 10  # steps: a hundredth of the cost, and no difference for an average over hundreds of steps
Validate = Callable[["Transformer"], tuple[float, float]]
AVERAGE, BEST, METER = "average", "best", "meter"  # prefixes in a checkpoint


@dataclass(frozen=True)
class Moment:
    """Say how far a run is, for a progress bar.

    Args:
        progress: from 0 to 1.
        epoch: the current epoch, from 1.
        epochs: of the whole run, or None where the clock ends it.
        loss: mean over the last steps.
        tokens_per_second: target tokens, in the last steps.
        bleu: on the validation pairs after the last whole epoch, or None.
    """

    progress: float
    epoch: int
    epochs: int | None
    loss: float
    tokens_per_second: float
    bleu: float | None


@dataclass
class Meter:
    """Count within an epoch."""

    step: int = 0
    loss: float = 0.0
    tokens: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0


def fit(
    config: "TranslationConfig",
    model: "Transformer",
    batches: BucketedBatches,
    validate: Validate,
    folder: Path,
    on_progress: Callable[[Moment], object] | None = None,
) -> Sequence[Mapping[str, float]]:
    """Run the steps that are still missing; the model then has the averaged weights of the epoch with the best BLEU.

    Args:
        config: what to do.
        model: with its first weights.
        batches: to train with.
        validate: returns loss and BLEU of the model on the validation pairs; called after each epoch.
        folder: with the checkpoint, if there is one.
        on_progress: called about twice a second.

    Returns:
        A row of measurements for each epoch.

    Raises:
        TrainingDivergedError: the loss or a weight is not a finite number any more.
        RunError: a checkpoint cannot be written or read.
    """
    loop = _Loop(config, model, batches, folder, on_progress)
    while not loop.finished:
        loop.train_epoch()
        loop.end_epoch(validate)
    model.set_weights(loop.best)
    return loop.history


def make_train_step(model: "Transformer", optimizer: Any, label_smoothing: float) -> Callable[..., Any]:
    """Build a training step that is traced once for batches of every shape.

    Args:
        model: of token ids (B, S) and (B, T) to logits (B, T, V).
        optimizer: of Keras.
        label_smoothing: see `label_smoothed_loss`.

    Returns:
        A function of sources, inputs, labels (int32) and the learning rate, that returns the loss.
    """
    import tensorflow as tf

    from llmcourse.training.losses import label_smoothed_loss

    weights = model.trainable_variables
    optimizer.build(weights)  # before tracing: halves the time it takes
    ids = tf.TensorSpec((None, None), tf.int32)

    @tf.function(input_signature=[ids, ids, ids, tf.TensorSpec((), tf.float32)])
    def train_step(sources: Any, inputs: Any, labels: Any, rate: Any) -> Any:
        optimizer.learning_rate.assign(rate)
        with tf.GradientTape() as tape:
            loss = label_smoothed_loss(labels, model((sources, inputs), training=True), label_smoothing)
        optimizer.apply(tape.gradient(loss, weights), weights)
        return loss

    train_step.get_concrete_function()  # traced here, so that it is not counted as training time
    return train_step


class _Loop:
    """A run between two of its moments: everything that a checkpoint keeps, and what is built from it."""

    def __init__(
        self,
        config: "TranslationConfig",
        model: "Transformer",
        batches: BucketedBatches,
        folder: Path,
        on_progress: Callable[[Moment], object] | None,
    ):
        import keras

        self.config, self.model, self.batches = config, model, batches
        self.folder, self.on_progress = folder, on_progress
        self.optimizer = keras.optimizers.Adam(beta_2=0.98, epsilon=1e-9, global_clipnorm=1.0)
        self.train_step = make_train_step(model, self.optimizer, config.settings.label_smoothing)
        self.history: list[Mapping[str, float]] = []
        self.meter = Meter()
        self.average = self.best = model.get_weights()
        self._restore(runs.load_checkpoint(folder))
        self.mark, self.cpu_mark = time.perf_counter(), time.process_time()
        self.saved = self.reported = self.mark
        self.recent_loss, self.recent_tokens, self.recent_steps = 0.0, 0, 0

    @property
    def steps(self) -> int:
        """Count the steps of the run."""
        return int(sum(row["steps"] for row in self.history)) + self.meter.step

    @property
    def elapsed(self) -> float:
        """Count the seconds of the run, interruptions left out."""
        return sum(row["seconds"] for row in self.history) + self.meter.seconds

    @property
    def progress(self) -> float:
        if self.config.minutes is not None:
            return min(1.0, self.elapsed / (60 * self.config.minutes))
        return min(1.0, self.steps / (len(self.batches) * (self.config.epochs or 1)))

    @property
    def finished(self) -> bool:
        return self.progress >= 1 and self.meter.step == 0 and bool(self.history)

    def train_epoch(self) -> None:
        """Take the steps of an epoch that are missing, or as many as there is time for."""
        settings = self.config.settings
        for batch in self.batches.epoch(self.config.seed, len(self.history), self.meter.step):
            if self.progress >= 1 and self.meter.step:
                break
            rate = rise_and_fall(self.progress, settings.peak_rate, settings.warmup)
            loss = float(self.train_step(batch.sources, batch.inputs, batch.labels, np.float32(rate)))
            if not np.isfinite(loss):
                raise self._diverged(f"loss {loss}")
            self._count(batch, loss)
            if self.steps % AVERAGE_EVERY == 0:
                self._move_average()
            if self.mark - self.saved > CHECKPOINT_SECONDS:
                self.save()
            if self.mark - self.reported > REPORT_SECONDS:
                self._report()

    def end_epoch(self, validate: Validate) -> None:
        """Measure the averaged weights, keep them if they are the best so far, and save the state."""
        if self.recent_steps:
            self._report()
        speed = self.meter.tokens / max(self.meter.seconds, 1e-9)  # before validation, which takes time too
        self._move_average()
        last = self.model.get_weights()
        self.model.set_weights(self.average)
        loss, bleu = validate(self.model)
        self.model.set_weights(last)
        if bleu >= max((row["val_bleu"] for row in self.history), default=0.0):  # of equals the later one
            self.best = self.average  # a new list after each step of the average
        self._take_time()
        meter = self.meter
        self.history.append(
            {
                "epoch": len(self.history) + 1.0,
                "steps": float(meter.step),
                "loss": meter.loss / max(1, meter.step),
                "val_loss": loss,
                "val_bleu": bleu,
                "tokens_per_second": speed,
                "seconds": meter.seconds,
                "cpu_seconds": meter.cpu_seconds,
            }
        )
        self.meter = Meter()
        self.save()

    def save(self) -> None:
        """Write the checkpoint, unless a weight is not a finite number."""
        arrays = read_state(self.model, self.optimizer)
        arrays |= runs.numbered(AVERAGE, self.average) | runs.numbered(BEST, self.best)
        if not all(np.isfinite(array).all() for array in arrays.values()):
            raise self._diverged("weights that are not finite")
        arrays |= {f"{METER}/{item.name}": np.array(getattr(self.meter, item.name)) for item in fields(Meter)}
        runs.save_checkpoint(self.folder, Checkpoint(arrays, self.history))
        self.saved = time.perf_counter()

    def _restore(self, checkpoint: Checkpoint | None) -> None:
        if checkpoint is None:
            return
        arrays = checkpoint.arrays
        write_state(self.model, self.optimizer, arrays)
        self.average, self.best = checkpoint.numbered(AVERAGE), checkpoint.numbered(BEST)
        self.history = list(checkpoint.history)
        self.meter = Meter(**{item.name: arrays[f"{METER}/{item.name}"].item() for item in fields(Meter)})

    def _count(self, batch: Batch, loss: float) -> None:
        tokens = batch.tokens
        self.meter.step += 1
        self.meter.loss += loss
        self.meter.tokens += tokens
        self.recent_loss += loss
        self.recent_tokens += tokens
        self.recent_steps += 1
        self._take_time()

    def _take_time(self) -> None:
        now, cpu_now = time.perf_counter(), time.process_time()
        self.meter.seconds += now - self.mark
        self.meter.cpu_seconds += cpu_now - self.cpu_mark
        self.mark, self.cpu_mark = now, cpu_now

    def _move_average(self) -> None:
        """Move the average towards the weights: fast at first, so that the random beginning is soon forgotten."""
        updates = self.steps // AVERAGE_EVERY
        keep = min(1 - AVERAGE_EVERY / max(AVERAGE_EVERY, self.config.settings.average_steps), updates / (updates + 9))
        self.average = [
            old * keep + new * (1 - keep) for old, new in zip(self.average, self.model.get_weights(), strict=True)
        ]

    def _report(self) -> None:
        now = time.perf_counter()
        if self.on_progress:
            speed = self.recent_tokens / max(now - self.reported, 1e-9)
            bleu = self.history[-1]["val_bleu"] if self.history else None
            loss = self.recent_loss / self.recent_steps
            epoch = len(self.history) + 1
            self.on_progress(Moment(self.progress, epoch, self.config.epochs, loss, speed, bleu))
        self.reported = now
        self.recent_loss, self.recent_tokens, self.recent_steps = 0.0, 0, 0

    def _diverged(self, received: str) -> TrainingDivergedError:
        """Put the averaged weights of the last checkpoint into the model, and say what happened."""
        good = runs.load_checkpoint(self.folder)
        where = f"{received} in epoch {len(self.history) + 1}, step {self.meter.step + 1}"
        advice = f"A lower peak rate than {self.config.settings.peak_rate:g} helps"
        message = f"A finite loss and finite weights are required. Received: {where}. {advice}."
        if good is None:
            return TrainingDivergedError(f"{message} This was before the first checkpoint.")
        self.model.set_weights(good.numbered(AVERAGE))
        return TrainingDivergedError(f"{message} The last good weights are those of the checkpoint.")
