"""A multilayer perceptron in plain NumPy, and the same network in Keras.

The network of the lesson `mlp`, for any number of layers l = 1 ... L. The layer's index is the digit in a key:

    params   {"W1": (D, U), "b1": (U,), ..., "WL": (U, C), "bL": (C,)}
    cache    {"a0": (N, D), "z1": (N, U), "a1": (N, U), ..., "zL": (N, C)}

    z_l = a_(l-1) W_l + b_l;   a_0 = x;   a_l = relu(z_l) for l < L;   z_L are the logits
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras

Params = dict[str, np.ndarray]


def dense_forward(x: np.ndarray, weights: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Compute the affine map of a layer of neurons, `x @ weights + bias`.

    One matrix product serves all samples and all neurons at once.

    Args:
        x: float (N, D), one sample in each row.
        weights: float (D, U), one neuron in each column.
        bias: float (U,), one number for each neuron.

    Returns:
        Float (N, U).

    Raises:
        ValueError: the shapes do not fit together.
    """
    fits = x.ndim == 2 and weights.ndim == 2 and x.shape[1] == weights.shape[0] and bias.shape == weights.shape[1:]
    if not fits:
        raise ValueError(
            "x, weights and bias must have shapes (N, D), (D, U) and (U,). "
            f"Received: {x.shape}, {weights.shape} and {bias.shape}."
        )
    return x @ weights + bias


def relu(z: np.ndarray) -> np.ndarray:
    """Replace negative entries by zero.

    Between two affine maps this bend is what lets a network draw more than straight lines.

    Args:
        z: float array of any shape.

    Returns:
        Float array of the same shape.

    Source: Glorot, Bordes & Bengio (2011), Deep Sparse Rectifier Neural Networks.
    """
    return np.maximum(z, 0)


def relu_backward(upstream: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Carry a gradient back through `relu`: it passes where z > 0 and stops elsewhere.

    The slope is 1 where z > 0 and 0 where z < 0; at exactly 0, where there is none, this takes 0.

    Args:
        upstream: float array, the derivative of the loss by `relu(z)`.
        z: float array of the same shape, what `relu` was given.

    Returns:
        Float array of the same shape, the derivative of the loss by `z`.
    """
    return upstream * (z > 0)


def mse(prediction: np.ndarray, target: np.ndarray) -> tuple[float, np.ndarray]:
    """Compute the mean squared error and its derivative by the prediction.

    The mean runs over all entries, so neither the number of samples nor of outputs changes the size of a typical loss.

    Args:
        prediction: float array of any shape.
        target: float array of the same shape.

    Returns:
        The loss, and its gradient, a float array of the same shape.

    Raises:
        ValueError: the shapes differ; NumPy would broadcast (N, 1) against (N,) to (N, N) without a word.
    """
    if prediction.shape != target.shape:
        raise ValueError(
            f"prediction and target must have the same shape. Received: {prediction.shape} and {target.shape}."
        )
    difference = prediction - target
    return float(np.mean(difference**2)), 2 * difference / difference.size


def softmax_cross_entropy(logits: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
    """Compute the mean of -log(probability of the right class) and its derivative by the logits.

    Both are computed together from shifted logits: no exponential overflows and no logarithm meets a zero.

    Args:
        logits: float (N, C), any real numbers.
        labels: integers (N,), from 0 to C-1.

    Returns:
        The loss, and its gradient, float (N, C): (softmax - one-hot label) / N.

    Raises:
        ValueError: the shapes do not fit, or a label is outside 0 ... C-1.

    Source: Goodfellow, Bengio & Courville (2016), Deep Learning, sections 4.1 and 6.2.2.3.
    """
    if logits.ndim != 2 or labels.shape != logits.shape[:1]:
        raise ValueError(
            f"logits and labels must have shapes (N, C) and (N,). Received: {logits.shape} and {labels.shape}."
        )
    count, classes = logits.shape
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(f"labels must be from 0 to {classes - 1}. Received: {labels.min()} to {labels.max()}.")
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_probs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    rows = np.arange(count)
    grad_logits = np.exp(log_probs)
    grad_logits[rows, labels] -= 1
    return float(-log_probs[rows, labels].mean()), grad_logits / count


def gradient_check(loss_fn: Callable[[Params], float], params: Params, grads: Params, epsilon: float = 1e-5) -> float:
    """Compare gradients with central differences of the loss, entry by entry.

    Backpropagation is easy to get slightly wrong, and a slightly wrong gradient often still trains; this finds out.

    Args:
        loss_fn: maps a dict like `params` to a number.
        params: float64 arrays by name; they stay as they are.
        grads: the gradients to check, an array of the same shape for each name.
        epsilon: how far each entry is moved up and down.

    Returns:
        The largest relative error, max |a-b| / max(1e-8, |a|+|b|): near 0 where the gradients are right, up to 1.
    """
    largest = 0.0
    for name, value in params.items():
        for index in np.ndindex(value.shape):
            step = np.zeros_like(value)
            step[index] = epsilon
            rise = loss_fn({**params, name: value + step}) - loss_fn({**params, name: value - step})
            numeric, given = float(rise) / (2 * epsilon), float(grads[name][index])
            largest = max(largest, abs(numeric - given) / max(1e-8, abs(numeric) + abs(given)))
    return largest


def init_mlp(sizes: Sequence[int], seed: int) -> Params:
    """Draw the weights of a network from normal distributions and set its biases to zero.

    The variance 2 / (number of inputs) keeps signals equally strong through layers of ReLU units.

    Args:
        sizes: number of inputs, of units in each hidden layer, and of classes, such as (784, 128, 10).
        seed: equal seeds give equal weights.

    Returns:
        Params with float64 arrays: W1 (sizes[0], sizes[1]), b1 (sizes[1],), and so on.

    Raises:
        ValueError: fewer than two sizes, or one below 1.

    Source: He, Zhang, Ren & Sun (2015), Delving Deep into Rectifiers, section 2.2.
    """
    if len(sizes) < 2 or min(sizes) < 1:
        raise ValueError(f"sizes must be two or more numbers of at least 1. Received: {tuple(sizes)}.")
    rng = np.random.default_rng(seed)
    params = {}
    for layer, (fan_in, fan_out) in enumerate(pairwise(sizes), start=1):
        params[f"W{layer}"] = rng.normal(0, np.sqrt(2 / fan_in), size=(fan_in, fan_out))
        params[f"b{layer}"] = np.zeros(fan_out)
    return params


def mlp_forward(params: Params, x: np.ndarray) -> tuple[np.ndarray, Params]:
    """Run the network and keep what the way back will need.

    Args:
        params: as from `init_mlp`.
        x: float (N, D).

    Returns:
        The logits (N, C), and the cache: "a0" is x, "z1" and "a1" are before and after the first ReLU, and so on up to
        "zL", the logits again.
    """
    layers = len(params) // 2
    activation = x
    cache = {"a0": x}
    for layer in range(1, layers + 1):
        z = dense_forward(activation, params[f"W{layer}"], params[f"b{layer}"])
        cache[f"z{layer}"] = z
        if layer < layers:
            activation = relu(z)
            cache[f"a{layer}"] = activation
    return z, cache


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


def predict(params: Params, x: np.ndarray) -> np.ndarray:
    """Name the class with the largest logit for each sample.

    Args:
        params: as from `train_mlp`.
        x: float (N, D).

    Returns:
        Integers (N,).
    """
    logits, _ = mlp_forward(params, x)
    return logits.argmax(axis=1)


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
