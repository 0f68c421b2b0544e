"""Steps of gradient descent, compiled, and all the numbers that they change.

On a CPU a step of a small network takes some milliseconds, and calling TensorFlow from Python for each adds a third to
that. A loop that TensorFlow runs by itself takes a third less processor time than `model.fit`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from llmcourse.runtime import load_keras
from llmcourse.training.run import RunError
from llmcourse.training.task import Task

if TYPE_CHECKING:
    import keras


def require_tensorflow() -> None:
    """Load Keras and make sure that it computes with TensorFlow, whose compiled loops the trainings use.

    Raises:
        RunError: Keras computes with something else.
    """
    backend = load_keras().backend.backend()
    if backend != "tensorflow":
        raise RunError(
            "Training needs Keras with the TensorFlow backend; set KERAS_BACKEND=tensorflow. "
            f"Received: the {backend} backend."
        )


class TrainSteps:
    """Take one or several steps in one call of TensorFlow.

    Args:
        task: its loss is made smaller.
        model: its trainable variables change.
        optimizer: its learning rate is set before each step.
    """

    def __init__(self, task: Task, model: "keras.Model", optimizer: "keras.Optimizer"):
        import tensorflow as tf

        weights = model.trainable_variables
        optimizer.build(weights)  # before tracing: halves the time it takes

        def train_step(batch: Any, rate: Any) -> dict[str, Any]:
            optimizer.learning_rate.assign(rate)
            with tf.GradientTape() as tape:
                found = dict(task.loss(model, batch))
            optimizer.apply(tape.gradient(found["loss"], weights), weights)
            return found

        self._step = tf.function(train_step, autograph=False, jit_compile=task.jit_compile or None)
        self._dynamic, self._several = task.dynamic_shapes, task.steps_per_call > 1
        self._compiled: dict[Any, Any] = {}

    def compile(self, batch: Any) -> bool:
        """Compile the steps for batches of this shape; return whether that was new, since it takes seconds."""
        key = self._key(batch)
        if key in self._compiled:
            return False
        self._compiled[key] = self._compile_several(batch) if self._several else self._compile_one(batch)
        return True

    def __call__(self, batches: Sequence[Any], rates: np.ndarray) -> dict[str, float]:
        """Take a step for each batch.

        Args:
            batches: arrays, or tuples or dicts of arrays, all of the same shapes; only one where the task takes one
                step in a call.
            rates: float32 (steps,), the learning rates.

        Returns:
            The means over the steps of what the loss of the task returns.
        """
        import tensorflow as tf

        self.compile(batches[0])
        steps = self._compiled[self._key(batches[0])]
        if self._several:
            found = steps(tf.nest.map_structure(lambda *parts: np.stack(parts), *batches), rates)
        else:
            found = steps(batches[0], rates[0])
        return {name: float(value) for name, value in found.items()}

    def _key(self, batch: Any) -> Any:
        return () if self._dynamic else tuple(shapes(batch))

    def _compile_one(self, batch: Any) -> Any:
        import tensorflow as tf

        specs = tf.nest.map_structure(self._spec, batch)
        return self._step.get_concrete_function(specs, tf.TensorSpec((), tf.float32))

    def _compile_several(self, batch: Any) -> Any:
        import tensorflow as tf

        step = self._compile_one(batch)
        names = list(step.structured_outputs)

        def train_steps(batches: Any, rates: Any) -> dict[str, Any]:
            totals = dict.fromkeys(names, 0.0)
            for index in tf.range(tf.shape(rates)[0]):
                found = self._step(tf.nest.map_structure(lambda part: part[index], batches), rates[index])  # noqa: B023
                totals = {name: totals[name] + found[name] for name in names}
            count = tf.cast(tf.shape(rates)[0], tf.float32)
            return {name: total / count for name, total in totals.items()}

        specs = tf.nest.map_structure(self._spec, batch)
        stacked = tf.nest.map_structure(lambda spec: tf.TensorSpec((None, *spec.shape), spec.dtype), specs)
        return tf.function(train_steps).get_concrete_function(stacked, tf.TensorSpec((None,), tf.float32))

    def _spec(self, part: np.ndarray) -> Any:
        import tensorflow as tf

        return tf.TensorSpec((None,) * part.ndim if self._dynamic else part.shape, part.dtype)


def gather(batches: Iterable[Any], first: int, most: int) -> Iterator[list[Any]]:
    """Gather the batches of each call: neighbours of equal shapes, as many as fit before the next multiple of `most`.

    Where a call ends depends on the place in the epoch alone, so a run that goes on cuts it in the same places.

    Args:
        batches: those of an epoch that are left.
        first: the index of the first of them in the epoch.
        most: the largest number in a call.

    Yields:
        Lists of batches.
    """
    call: list[Any] = []
    for place, batch in enumerate(batches, start=first):
        if call and (place % most == 0 or shapes(call[0]) != shapes(batch)):
            yield call
            call = []
        call.append(batch)
    if call:
        yield call


def shapes(batch: Any) -> list[tuple[int, ...]]:
    """List the shapes of the arrays of a batch."""
    import tensorflow as tf

    return [part.shape for part in tf.nest.flatten(batch)]


def read_state(model: "keras.Model", optimizer: "keras.Optimizer") -> dict[str, np.ndarray]:
    """Copy every number that training changes: weights, statistics, states of random layers, moments, step count."""
    return {name: variable.numpy().copy() for name, variable in _variables(model, optimizer).items()}


def write_state(model: "keras.Model", optimizer: "keras.Optimizer", arrays: Mapping[str, np.ndarray]) -> None:
    """Put back what `read_state` copied; further entries of `arrays` are ignored.

    Raises:
        ValueError: an array is missing or has another shape.
    """
    for name, variable in _variables(model, optimizer).items():
        array = arrays.get(name)
        if array is None or array.shape != tuple(variable.shape):
            received = "nothing" if array is None else array.shape
            raise ValueError(f"{name} must have the shape {tuple(variable.shape)}. Received: {received}.")
        variable.assign(array)


def _variables(model: "keras.Model", optimizer: "keras.Optimizer") -> dict[str, Any]:
    optimizer.build(model.trainable_variables)
    parts = {"model": model.variables, "optimizer": optimizer.variables}
    return {f"{part}/{index:03d}": variable for part, found in parts.items() for index, variable in enumerate(found)}
