"""The training loop: many steps of gradient descent in one call, and predictions in batches.

On a CPU a step of a small network takes some milliseconds, and calling TensorFlow from Python for each adds a third to
that. A loop that TensorFlow runs by itself, with the images as bytes until a batch needs them, takes a third less
processor time than `model.fit`.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from llmcourse.runtime import load_keras
from llmcourse.training.runs import RunError

if TYPE_CHECKING:
    import keras


class TrainingDivergedError(RuntimeError):
    """Training left the numbers that can be computed with; the message says where, and which weights are kept."""


TrainSteps = Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[Any, Any]]
PREDICT_BATCH = 1_000


def make_train_steps(
    model: "keras.Model", optimizer: "keras.Optimizer", *, batch_size: int, label_smoothing: float = 0.0
) -> TrainSteps:
    """Build a function that takes as many training steps as it is given batches.

    Args:
        model: from float (B, height, width, 1) to logits (B, C).
        optimizer: of Keras; its learning rate is set before each step.
        batch_size: B.
        label_smoothing: e; the true class gets the probability 1 - e + e/C and all others e/C, so that the network
            stops growing its logits for digits it knows (Szegedy et al., 2016).

    Returns:
        A function of images uint8 (steps, B, height, width), labels int (steps, B) and rates float32 (steps,), which
        returns the mean loss and the share of right answers, two scalar tensors.
    """
    import keras
    import tensorflow as tf

    height, width, _ = model.input_shape[1:]
    classes = model.output_shape[-1]
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=label_smoothing)
    weights = model.trainable_variables
    optimizer.build(weights)

    def train_step(images: Any, labels: Any, rate: Any) -> tuple[Any, Any]:
        optimizer.learning_rate.assign(rate)
        with tf.GradientTape() as tape:
            logits = model(pixels(images), training=True)  # (B, C)
            value = loss(tf.one_hot(labels, classes), logits)
        optimizer.apply(tape.gradient(value, weights), weights)
        right = tf.equal(tf.argmax(logits, axis=-1, output_type=labels.dtype), labels)  # (B,)
        return value, tf.reduce_mean(tf.cast(right, tf.float32))

    @tf.function(
        input_signature=[
            tf.TensorSpec((None, batch_size, height, width), tf.uint8),
            tf.TensorSpec((None, batch_size), tf.int64),
            tf.TensorSpec((None,), tf.float32),
        ]
    )
    def train_steps(images: Any, labels: Any, rates: Any) -> tuple[Any, Any]:
        steps = tf.shape(rates)[0]
        losses, accuracies = 0.0, 0.0
        for step in tf.range(steps):
            value, accuracy = train_step(images[step], labels[step], rates[step])
            losses, accuracies = losses + value, accuracies + accuracy
        count = tf.cast(steps, tf.float32)
        return losses / count, accuracies / count

    return train_steps


def make_predict(model: "keras.Model") -> Callable[[np.ndarray], np.ndarray]:
    """Build a function from images uint8 (N, height, width) to logits float32 (N, C), a thousand images at a time."""
    import tensorflow as tf

    height, width, _ = model.input_shape[1:]
    classes = model.output_shape[-1]

    @tf.function(input_signature=[tf.TensorSpec((None, height, width), tf.uint8)])
    def forward(images: Any) -> Any:
        return model(pixels(images), training=False)

    def predict(images: np.ndarray) -> np.ndarray:
        batches = [images[start : start + PREDICT_BATCH] for start in range(0, len(images), PREDICT_BATCH)]
        return np.concatenate([np.empty((0, classes), np.float32), *(forward(batch).numpy() for batch in batches)])

    return predict


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


def pixels(images: Any) -> Any:
    """Turn bytes (B, height, width) into float32 (B, height, width, 1) in [0, 1]."""
    import tensorflow as tf

    return tf.cast(images, tf.float32)[..., None] / 255


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
