"""Gradients through learners' code: do they flow, and are they right?

A function or layer in NumPy, or one behind `stop_gradient`, gives right numbers and learns nothing. The gradients are
computed beside the learner's code, by Keras' backend, and compared here with central differences of a NumPy oracle.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from llmcourse.checking.expectations import expect, expect_close
from llmcourse.checking.student import Student

_SOURCE = """
def _gradients_of(_name, _arrays, _upstream, _options):
    import keras
    import numpy as np

    def total(tensors):
        result = globals()[_name](**dict(zip(_arrays, tensors)), **_options)
        result = result[0] if isinstance(result, (tuple, list)) else result
        return keras.ops.sum(keras.ops.cast(result, "float32") * _upstream)

    if keras.backend.backend() == "jax":
        import jax

        found = jax.grad(total)([jax.numpy.asarray(array) for array in _arrays.values()])
    else:
        import tensorflow as tf

        tensors = [tf.convert_to_tensor(array) for array in _arrays.values()]
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            result = tf.convert_to_tensor(total(tensors))
        found = tape.gradient(result, tensors)
    return {name: None if grad is None else np.asarray(grad) for name, grad in zip(_arrays, found)}


def _silent_variables(_layer, _args, _options):
    import keras

    variables = _layer.trainable_variables
    if keras.backend.backend() == "jax":
        import jax

        def total(values):
            with keras.StatelessScope(list(zip(variables, values))):
                result = _layer(*_args, **_options)
            return keras.ops.sum(result[0] if isinstance(result, (tuple, list)) else result)

        found = [grad if grad.any() else None for grad in jax.grad(total)([each.value for each in variables])]
    else:
        import tensorflow as tf

        with tf.GradientTape() as tape:
            result = _layer(*_args, **_options)
            total = tf.reduce_sum(tf.convert_to_tensor(result[0] if isinstance(result, (tuple, list)) else result))
        found = tape.gradient(total, [each.value for each in variables])
    return [each.path for each, grad in zip(variables, found) if grad is None], len(variables)
"""


def numeric_gradients(
    function: Callable[..., np.ndarray], arrays: Mapping[str, np.ndarray], upstream: np.ndarray, step: float = 1e-5
) -> dict[str, np.ndarray]:
    """Compute the gradients of sum(function(**arrays) * upstream) by central differences, in float64."""
    exact = {name: np.array(array, dtype=np.float64) for name, array in arrays.items()}
    found = {}
    for name, array in exact.items():
        found[name] = np.zeros_like(array)
        for index in np.ndindex(array.shape):
            sides = []
            for side in (step, -step):
                moved = array.copy()
                moved[index] += side
                sides.append(float((function(**{**exact, name: moved}) * upstream).sum()))
            found[name][index] = (sides[0] - sides[1]) / (2 * step)
    return found


def expect_gradients(
    student: Student,
    rng: np.random.Generator,
    name: str,
    arrays: Mapping[str, np.ndarray],
    oracle: Callable[..., np.ndarray],
    *,
    options: Mapping[str, Any] | None = None,
    tolerance: float = 2e-3,
) -> None:
    """Require that a gradient flows through a function of the learner's to each of its inputs, and that it is right.

    Args:
        student: the learner's side.
        rng: draws by what the result is weighed.
        name: of the learner's function, or of one that the criterion has defined; of a pair the first value counts.
        arrays: float32 inputs by the names of the parameters; few entries, since each is moved twice.
        oracle: computes the result in NumPy from the same names.
        options: further arguments of the learner's function.
        tolerance: as in `expect_close`.
    """
    exact = {key: np.asarray(array, dtype=np.float64) for key, array in arrays.items()}
    upstream = rng.normal(size=oracle(**exact).shape)
    student.define(_SOURCE)
    found = student._gradients_of(name, dict(arrays), upstream.astype(np.float32), dict(options or {}))
    expected = numeric_gradients(oracle, arrays, upstream)
    for key, value in expected.items():
        required = f"a gradient flows from the result of {name} back to {key}"
        expect(found[key] is not None, required=required, received="none: the way back is cut")
        scale = max(1.0, float(np.abs(value).max()))
        expect_close(found[key] / scale, value / scale, what=f"the gradient with respect to {key}", tolerance=tolerance)


def expect_learning(student: Student, layer: Any, *args: Any, what: str, **options: Any) -> None:
    """Require that a gradient flows to each trainable variable of a layer or model.

    Args:
        student: the learner's side.
        layer: a handle.
        args: inputs of its call.
        what: names the layer in the message.
        options: further arguments of its call.
    """
    student.define(_SOURCE)
    silent, count = student._silent_variables(layer, list(args), options)
    required = f"a gradient flows to each of the {count} variables of {what}"
    expect(count > 0, required=f"{what} has variables to learn", received="none")
    expect(not silent, required=required, received=f"none to {', '.join(map(str, silent[:3]))}")
