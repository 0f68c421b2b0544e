"""Gradients by hand, by differences and by a graph, and training: the network of `steps/mlp.py`, and the same in Keras.

Params and cache are those of that file.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from llmcourse.steps.mlp import Params, init_mlp, mlp_forward, relu_backward, softmax_cross_entropy

if TYPE_CHECKING:
    import keras


def gradient_check(loss_fn: Callable[[Params], float], params: Params, grads: Params, epsilon: float = 1e-5) -> float:
    """Compare gradients with central differences of the loss, entry by entry.

    Backpropagation is easy to get slightly wrong, and a slightly wrong gradient often still trains; this finds out.

    Args:
        loss_fn: maps a dict like `params` to a number.
        params: float64 arrays by name; they stay as they are.
        grads: the gradients to check, an array of the same shape for each name.
        epsilon: how far each entry is moved up and down.

    Returns:
        The largest relative error, max |a-b| / max(1e-8, |a|+|b|): near 0 where the gradients are right, up to 1; nan
        where the loss or a gradient is no number.
    """
    largest = 0.0
    for name, value in params.items():
        for index in np.ndindex(value.shape):
            step = np.zeros_like(value)
            step[index] = epsilon
            rise = loss_fn({**params, name: value + step}) - loss_fn({**params, name: value - step})
            numeric, given = float(rise) / (2 * epsilon), float(grads[name][index])
            error = abs(numeric - given) / max(1e-8, abs(numeric) + abs(given))
            largest = float(np.maximum(largest, error))  # max() would forget a nan
    return largest


def mlp_backward(params: Params, cache: Params, grad_logits: np.ndarray) -> Params:
    """Compute the gradient of every parameter by the recursion of deltas.

    delta_l, the derivative of the loss by z_l, starts at the logits and moves one layer back at a time, so that each
    factor of the chain rule is computed once.

    Args:
        params: as from `init_mlp`.
        cache: from `mlp_forward` with the same params.
        grad_logits: float (N, C), the derivative of the loss by the logits.

    Returns:
        One gradient for each parameter, with its name and shape.

    Source: Rumelhart, Hinton & Williams (1986), Learning representations by back-propagating errors.
    """
    layers = len(params) // 2
    grads = {}
    delta = grad_logits  # delta_L, (N, C)
    for layer in range(layers, 0, -1):
        grads[f"W{layer}"] = cache[f"a{layer - 1}"].T @ delta
        grads[f"b{layer}"] = delta.sum(axis=0)
        if layer > 1:
            delta = relu_backward(delta @ params[f"W{layer}"].T, cache[f"z{layer - 1}"])  # delta_(layer-1)
    return grads


class Value:
    """A number that remembers what it was computed from, so that a gradient can find its way back.

    Each operation notes its inputs and the local derivative by each of them. `backward` goes through this graph from
    the result to the inputs, and adds up for each number: derivative of the result by what was made of it, times the
    local derivative. This is automatic differentiation in reverse mode, which TensorFlow, JAX and PyTorch do with
    whole arrays.

    Args:
        data: the number.
        inputs: pairs of a Value and the derivative by it; empty for a number that was given.

    Example:
        >>> x = Value(3.0)
        >>> (x * x + x).backward()
        >>> x.grad
        7.0

    Source: Linnainmaa (1976), Taylor expansion of the accumulated rounding error; Baydin et al. (2018), Automatic
    differentiation in machine learning: a survey.
    """

    def __init__(self, data: float, inputs: "Sequence[tuple[Value, float]]" = ()):
        self.data, self.grad = float(data), 0.0
        self.inputs = tuple(inputs)

    def __add__(self, other: "Value | float") -> "Value":
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data + other.data, [(self, 1.0), (other, 1.0)])

    def __mul__(self, other: "Value | float") -> "Value":
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data * other.data, [(self, other.data), (other, self.data)])

    __radd__, __rmul__ = __add__, __mul__

    def relu(self) -> "Value":
        """Replace a negative number by zero; the slope at exactly 0 counts as 0."""
        return Value(max(self.data, 0.0), [(self, 1.0 if self.data > 0 else 0.0)])

    def backward(self) -> None:
        """Set `grad` of every number that this one was made of to the derivative of this one by it."""
        order: list[Value] = []
        seen: set[Value] = set()
        waiting = [(self, False)]
        while waiting:  # inputs first; a stack in place of a recursion, so that long sums are no trouble
            value, done = waiting.pop()
            if done:
                order.append(value)
            elif value not in seen:
                seen.add(value)
                waiting += [(value, True), *((each, False) for each, _ in value.inputs)]
        for value in order:
            value.grad = 0.0
        self.grad = 1.0
        for value in reversed(order):
            for each, derivative in value.inputs:
                each.grad += derivative * value.grad


def sgd_step(
    params: Params, grads: Params, velocity: Params, learning_rate: float, momentum: float
) -> tuple[Params, Params]:
    """Take one step of gradient descent with momentum: v = m*v + g, then p = p - lr*v.

    New dicts are returned and the given ones stay as they are, so that a step can be repeated, compared or undone.

    Args:
        params: arrays by name.
        grads: an array of the same shape for each name.
        velocity: an array of the same shape for each name; zeros before the first step.
        learning_rate: how far to go.
        momentum: share of the old velocity that is kept, from 0 (plain gradient descent) to just below 1.

    Returns:
        The new params and the new velocity.

    Source: Polyak (1964), Some methods of speeding up the convergence of iteration methods.
    """
    new_velocity = {name: momentum * velocity[name] + grads[name] for name in params}
    new_params = {name: value - learning_rate * new_velocity[name] for name, value in params.items()}
    return new_params, new_velocity


def train_mlp(
    x: np.ndarray,
    labels: np.ndarray,
    seed: int,
    *,
    hidden: Sequence[int] = (128,),
    epochs: int = 20,
    batch_size: int = 64,
    learning_rate: float = 0.1,
    momentum: float = 0.9,
    on_epoch: Callable[[int, Params], None] | None = None,
) -> Params:
    """Train a classifier with mini-batch gradient descent on the softmax cross-entropy.

    Args:
        x: float (N, D), entries best between 0 and 1.
        labels: integers (N,), from 0 to C-1; the largest one gives C.
        seed: for the first weights and the order of the samples; equal seeds give equal results.
        hidden: units in each hidden layer.
        epochs: how often every sample is seen.
        batch_size: samples in each step.
        learning_rate: see `sgd_step`.
        momentum: see `sgd_step`.
        on_epoch: called with the epoch, from 1, and the params after it, for learning curves.

    Returns:
        The trained params; `mlp_forward(params, x)` gives logits.
    """
    x = np.asarray(x, dtype=np.float64)
    params = init_mlp((x.shape[1], *hidden, int(labels.max()) + 1), seed)
    velocity = {name: np.zeros_like(value) for name, value in params.items()}
    rng = np.random.default_rng(seed)
    for epoch in range(1, epochs + 1):
        order = rng.permutation(len(x))
        for start in range(0, len(x), batch_size):
            batch = order[start : start + batch_size]
            logits, cache = mlp_forward(params, x[batch])
            _, grad_logits = softmax_cross_entropy(logits, labels[batch])
            grads = mlp_backward(params, cache, grad_logits)
            params, velocity = sgd_step(params, grads, velocity, learning_rate, momentum)
        if on_epoch:
            on_epoch(epoch, params)
    return params


def build_mlp(hidden_units: int, inputs: int = 784, classes: int = 10) -> "keras.Model":
    """Build the network with one hidden layer in Keras; its outputs are logits, without a softmax.

    Logits let the loss combine softmax and logarithm stably: `SparseCategoricalCrossentropy(from_logits=True)`.

    Args:
        hidden_units: units in the hidden layer, with ReLU.
        inputs: number of input features.
        classes: number of outputs.

    Returns:
        A model from (N, inputs) to (N, classes); its weights are W1, b1, W2, b2 in this order.
    """
    import keras

    return keras.Sequential(
        [
            keras.Input((inputs,)),
            keras.layers.Dense(hidden_units, activation="relu"),
            keras.layers.Dense(classes),
        ]
    )
