"""The loop of every run: steps, checkpoints by the clock, averaged weights, and validation after each epoch."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from llmcourse.training import averaging, checkpoint
from llmcourse.training.checkpoint import Checkpoint
from llmcourse.training.progress import Clock, Meter, OnProgress, Progress
from llmcourse.training.steps import TrainSteps, gather, read_state, write_state
from llmcourse.training.task import Task

if TYPE_CHECKING:
    import keras

CHECKPOINT_SECONDS = 120.0
REPORT_SECONDS = 0.5
AVERAGE, BEST = "average", "best"  # prefixes in a checkpoint
VALIDATION = "val_"  # prefix of what `validate` measures


class TrainingDivergedError(RuntimeError):
    """Training left the numbers that can be computed with; the message says where, and which weights are kept."""


@dataclass(frozen=True)
class Outcome:
    """Say how a run went.

    Args:
        weights: which ones were chosen: "epoch 7", or "last" or "averaged" where only the end competes.
        epoch: the number of the epoch that they come from.
        validation: what was measured with them.
        history: a row of measurements for each epoch.
    """

    weights: str
    epoch: int
    validation: Mapping[str, float]
    history: Sequence[Mapping[str, float]]


def fit(task: Task, model: "keras.Model", folder: Path, on_progress: OnProgress | None = None) -> Outcome:
    """Run the steps that are still missing, and leave in the model the weights that validation chooses.

    Args:
        task: what is trained.
        model: with its first weights.
        folder: with the checkpoint, if there is one.
        on_progress: called about twice a second, and after each epoch.

    Returns:
        How it went.

    Raises:
        TrainingDivergedError: the loss, a weight or the monitor is not a finite number any more; the model then has
            the weights of the last checkpoint.
        RunError: a checkpoint cannot be written or read.
    """
    loop = _Loop(task, model, folder, on_progress)
    while not loop.finished:
        loop.train_epoch()
        loop.end_epoch()
    return loop.choose()


class _Loop:
    """A run between two of its steps: everything that a checkpoint keeps, and what is built from it."""

    def __init__(self, task: Task, model: "keras.Model", folder: Path, on_progress: OnProgress | None):
        self.task, self.model, self.folder, self.on_progress = task, model, folder, on_progress
        self.policy, self.every = task.averaging, max(averaging.EVERY, task.steps_per_call)
        if self.policy.epochs and task.config.epochs is None:
            raise ValueError("An average over the last epochs needs a run by epochs. Received: a run by minutes.")
        self.optimizer = task.build_optimizer()
        self.train_steps = TrainSteps(task, model, self.optimizer)
        self.history: list[Mapping[str, float]] = []
        self.meter, self.recent, self.clock = Meter(), Meter(), Clock()
        self.average = model.get_weights() if self.policy.steps or self.policy.epochs else []
        self.best = [] if self.policy.epochs else model.get_weights()
        self._restore(checkpoint.load_checkpoint(folder))
        self.began = self.saved = self.reported = time.perf_counter()
        self.began_at = self.progress

    @property
    def steps(self) -> int:
        """Count the steps of the run."""
        return int(sum(row["steps"] for row in self.history)) + self.meter.steps

    @property
    def progress(self) -> float:
        config = self.task.config
        if config.minutes is None:
            return self._share(self.steps)
        elapsed = sum(row["seconds"] for row in self.history) + self.meter.totals["seconds"]
        return min(1.0, elapsed / (60 * config.minutes))

    @property
    def finished(self) -> bool:
        return self.progress >= 1 and not self.meter.steps and bool(self.history)

    def train_epoch(self) -> None:
        """Take the steps of an epoch that are missing, or as many as there is time for."""
        first = self.meter.steps
        batches_left = self.task.batches(len(self.history), first)
        for batches in gather(batches_left, first, self.task.steps_per_call):
            if self.progress >= 1 and self.meter.steps:
                break
            self._compile(batches[0])
            rates = self._rates(len(batches))
            means = self.train_steps(batches, rates)
            if not math.isfinite(means["loss"]):
                raise self._diverged(f"loss {means['loss']}", rates[-1])
            self._count(batches, means)
            if self.policy.steps and self.steps // self.every > (self.steps - len(batches)) // self.every:
                self._move_average()
            now = time.perf_counter()
            if now - self.saved > CHECKPOINT_SECONDS:
                self.save()
            if now - self.reported > REPORT_SECONDS:
                self._report(self.recent)

    def end_epoch(self) -> None:
        """Measure the weights, keep them if they are the best so far, and save the state."""
        ended, speed = self.meter, self.meter.speed  # before validation, which takes time too
        self._move_average()
        measured = self.average if self.policy.steps else self.model.get_weights()
        validation = self._validate(measured)
        if not self.policy.epochs and self._is_best(validation[self.task.monitor]):
            self.best = measured
        ended.add(self.clock.lap())
        row = {"epoch": len(self.history) + 1.0, "steps": float(ended.steps), **ended.means, **validation}
        row |= {"learning_rate": float(self.optimizer.learning_rate), f"{self.task.unit}_per_second": speed}
        self.history.append(row | {name: ended.totals[name] for name in ("seconds", "cpu_seconds")})
        self.meter = Meter()
        self.save()
        self._report(ended, speed)

    def choose(self) -> Outcome:
        """Put the weights that validation chooses into the model."""
        monitor, choose_best = self.task.monitor, max if self.task.mode == "max" else min
        if self.policy.epochs:
            ends = {"last": self.model.get_weights(), "averaged": self.average}
            found = {name: self._validate(weights) for name, weights in ends.items()}
            name = choose_best(ends, key=lambda name: found[name][monitor])
            number, weights, validation = len(self.history), ends[name], found[name]
        else:
            values = [row[monitor] for row in self.history]
            number = len(values) - values[::-1].index(choose_best(values))  # of equals the later one
            name, weights, validation = f"epoch {number}", self.best, _measured(self.history[number - 1])
        self.model.set_weights(weights)
        return Outcome(name, number, validation, self.history)

    def save(self) -> None:
        """Write the checkpoint, unless a number in it is not finite."""
        arrays = read_state(self.model, self.optimizer)
        arrays |= checkpoint.numbered(AVERAGE, self.average) | checkpoint.numbered(BEST, self.best)
        if not all(np.isfinite(array).all() for array in arrays.values()):
            raise self._diverged("weights that are not finite", self.optimizer.learning_rate)
        checkpoint.save_checkpoint(self.folder, Checkpoint(arrays, self.history, self.meter.totals))
        self.saved = time.perf_counter()

    def _restore(self, saved: Checkpoint | None) -> None:
        if saved is not None:
            write_state(self.model, self.optimizer, saved.arrays)
            self.average, self.best = saved.numbered(AVERAGE), saved.numbered(BEST)
            self.history, self.meter = list(saved.history), Meter(dict(saved.meter))

    def _compile(self, batch: Any) -> None:
        """Compile the steps for a batch of a new shape, which counts neither as training nor for the time left."""
        self.meter.add(self.clock.lap())
        if self.train_steps.compile(batch):
            self.began += self.clock.lap()["seconds"]

    def _share(self, steps: int) -> float:
        return min(1.0, steps / (self.task.steps_per_epoch * (self.task.config.epochs or 1)))

    def _rates(self, count: int) -> np.ndarray:
        """Compute the learning rates of the next steps: float32 (count,)."""
        numbers = range(self.steps, self.steps + count)
        by_clock = self.progress if self.task.config.minutes else None  # the same for all steps of a call
        shares = [self._share(number) if by_clock is None else by_clock for number in numbers]
        return np.array(list(map(self.task.learning_rate, numbers, shares)), np.float32)

    def _count(self, batches: Sequence[Any], means: Mapping[str, float]) -> None:
        found = {name: mean * len(batches) for name, mean in means.items()} | self.clock.lap()
        found |= {"steps": len(batches), "units": sum(map(self.task.count, batches))}
        self.meter.add(found)
        self.recent.add(found)

    def _move_average(self) -> None:
        if self.policy.steps:
            share = self.policy.share_after_steps(self.steps, self.every)
        else:
            share = self.policy.share_after_epoch(len(self.history) + 1, self.task.config.epochs or 1)
        if self.average:  # a new list, so that the best one stays
            self.average = averaging.mix(self.average, self.model.get_weights(), share)

    def _validate(self, weights: Sequence[np.ndarray]) -> Mapping[str, float]:
        """Measure some weights, and leave in the model those that were there."""
        present = self.model.get_weights()
        self.model.set_weights(weights)
        found = self.task.validate(self.model)
        self.model.set_weights(present)
        if not math.isfinite(found[self.task.monitor]):
            received = f"{self.task.monitor} {found[self.task.monitor]}"
            raise self._diverged(received, self.optimizer.learning_rate)
        return found

    def _is_best(self, value: float) -> bool:
        earlier = [row[self.task.monitor] for row in self.history]
        return all(value >= other if self.task.mode == "max" else value <= other for other in earlier)

    def _report(self, meter: Meter, speed: float | None = None) -> None:
        """Tell how far the run is: of the last steps, or of the epoch that has just ended with this speed."""
        now, ended = time.perf_counter(), speed is not None
        if self.on_progress:
            validation = _measured(self.history[-1]) if self.history else {}
            self.on_progress(
                Progress(
                    share=self.progress,
                    epoch=len(self.history) + (not ended),
                    epochs=self.task.config.epochs,
                    means=meter.means,
                    speed=meter.speed if speed is None else speed,
                    unit=self.task.unit,
                    seconds_left=self._seconds_left(now),
                    validation=validation,
                    epoch_ended=ended,
                )
            )
        self.reported, self.recent = now, Meter()

    def _seconds_left(self, now: float) -> float | None:
        minutes, progress = self.task.config.minutes, self.progress
        if minutes is not None:
            return (1 - progress) * 60 * minutes
        done = progress - self.began_at
        return (now - self.began) * (1 - progress) / done if done > 0 else None

    def _diverged(self, received: str, rate: Any) -> TrainingDivergedError:
        """Put the weights of the last checkpoint into the model, and say what happened."""
        good = checkpoint.load_checkpoint(self.folder)
        where = f"{received} in epoch {len(self.history) + 1}, step {self.meter.steps + 1}"
        advice = f"A lower learning rate than {float(rate):.3g} helps"
        message = f"A finite loss and finite weights are required. Received: {where}. {advice}."
        if good is None:
            return TrainingDivergedError(f"{message} This was before the first checkpoint.")
        write_state(self.model, self.optimizer, good.arrays)
        if self.policy.steps:
            self.model.set_weights(good.numbered(AVERAGE))
        return TrainingDivergedError(f"{message} The last good weights are those of the checkpoint.")


def _measured(row: Mapping[str, float]) -> dict[str, float]:
    """Pick what was measured with the validation data."""
    return {name: value for name, value in row.items() if name.startswith(VALIDATION)}
