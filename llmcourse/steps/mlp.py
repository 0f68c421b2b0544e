"""A multilayer perceptron in plain NumPy, forward: layers, losses, and the network made of them.

The network of the lesson `mlp`, for any number of layers l = 1 ... L. The layer's index is the digit in a key:

    params   {"W1": (D, U), "b1": (U,), ..., "WL": (U, C), "bL": (C,)}
    cache    {"a0": (N, D), "z1": (N, U), "a1": (N, U), ..., "zL": (N, C)}

    z_l = a_(l-1) W_l + b_l;   a_0 = x;   a_l = relu(z_l) for l < L;   z_L are the logits
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

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
