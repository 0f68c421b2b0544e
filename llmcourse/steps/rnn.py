"""Recurrent networks in NumPy, solved: a state that is handed on, its gradients through time, and honest scores."""

import math
from typing import Any

import numpy as np

Array = np.ndarray
Arrays = dict[str, np.ndarray]


def rnn_forward(x: Array, state: Array, params: Arrays, mask: Array) -> Array:
    """Read a sequence step by step: each state is computed from the input and the state before it.

    `state_t = tanh(x_t @ kernel + state_{t-1} @ recurrent_kernel + bias)`; where the mask is False, at padding, the
    state stays what it was.

    Args:
        x: float (B, T, D).
        state: float (B, U), the state before the first step.
        params: "kernel" (D, U), "recurrent_kernel" (U, U) and "bias" (U,).
        mask: boolean (B, T), True at real steps.

    Returns:
        The states after each step, float (B, T, U).

    Source: Elman (1990), Finding Structure in Time.
    """
    states = np.empty((*x.shape[:2], state.shape[-1]), x.dtype)
    for step in range(x.shape[1]):
        fresh = np.tanh(x[:, step] @ params["kernel"] + state @ params["recurrent_kernel"] + params["bias"])  # (B, U)
        state = np.where(mask[:, step, None], fresh, state)
        states[:, step] = state
    return states


def rnn_backward(params: Arrays, cache: Arrays, upstream: Array) -> Arrays:
    """Send the gradient of a loss back through time, from the last step to the first.

    Args:
        params: as in `rnn_forward`.
        cache: "x" (B, T, D), "state" (B, U), "mask" (B, T), and the "states" (B, T, U) that `rnn_forward` returned.
        upstream: float (B, T, U), the gradient with respect to each of the states, as if it were used nowhere else.

    Returns:
        The gradients "kernel", "recurrent_kernel", "bias", "x" and "state", each with the shape of what it belongs to.

    Source: Werbos (1990), Backpropagation Through Time: What It Does and How to Do It.
    """
    x, states, mask = cache["x"], cache["states"], cache["mask"]
    grads = {name: np.zeros_like(value) for name, value in {**params, "x": x}.items()}
    carried = np.zeros_like(cache["state"])  # (B, U): what later steps ask of this state
    for step in reversed(range(x.shape[1])):
        before = states[:, step - 1] if step else cache["state"]  # (B, U)
        total = upstream[:, step] + carried
        inner = np.where(mask[:, step, None], total * (1 - states[:, step] ** 2), 0)  # (B, U), before the tanh
        grads["kernel"] += x[:, step].T @ inner
        grads["recurrent_kernel"] += before.T @ inner
        grads["bias"] += inner.sum(axis=0)
        grads["x"][:, step] = inner @ params["kernel"].T
        carried = np.where(mask[:, step, None], inner @ params["recurrent_kernel"].T, total)
    return {**grads, "state": carried}


def clip_by_global_norm(grads: Arrays, max_norm: float) -> tuple[Arrays, float]:
    """Shorten all gradients by one factor where together they are too long, so that their direction stays.

    Args:
        grads: arrays by name; they are not changed.
        max_norm: float, above 0, the largest length that is allowed.

    Returns:
        The gradients, and their length before: the square root of the sum of all squares.

    Source: Pascanu, Mikolov & Bengio (2013), On the Difficulty of Training Recurrent Neural Networks.

    Example:
        >>> clipped, norm = clip_by_global_norm({"w": np.array([3.0, 0.0]), "b": np.array([4.0])}, max_norm=1.0)
        >>> norm, clipped["w"].round(3).tolist(), clipped["b"].round(3).tolist()
        (5.0, [0.6, 0.0], [0.8])
    """
    norm = math.sqrt(sum(float(np.sum(np.square(grad, dtype=np.float64))) for grad in grads.values()))
    factor = max_norm / norm if norm > max_norm else 1.0
    return {name: grad * factor for name, grad in grads.items()}, norm


def lstm_step(
    x: Array, hidden: Array, cell: Array, kernel: Array, recurrent_kernel: Array, bias: Array
) -> tuple[Array, Array]:
    """Take one step of an LSTM: gates decide what the cell forgets, takes in and shows.

    Args:
        x: float (B, D).
        hidden: float (B, U), what the step before showed.
        cell: float (B, U), the memory.
        kernel: float (D, 4U), the columns of the input gate, the forget gate, the candidate and the output gate, in
            Keras' order.
        recurrent_kernel: float (U, 4U), in the same order.
        bias: float (4U,), in the same order.

    Returns:
        The new hidden state and the new cell, float (B, U) each.

    Source: Hochreiter & Schmidhuber (1997), Long Short-Term Memory; the forget gate: Gers et al. (2000).
    """
    gates = np.split(x @ kernel + hidden @ recurrent_kernel + bias, 4, axis=-1)  # four times (B, U)
    take, forget, show = (_sigmoid(gates[place]) for place in (0, 1, 3))
    cell = forget * cell + take * np.tanh(gates[2])
    return show * np.tanh(cell), cell


def classification_report(labels: Array, predictions: Array, num_classes: int) -> dict[str, Any]:
    """Count how well each class is found: precision, recall, F1, and their means.

    Precision is the share of right ones among the samples that were given a class, recall among those that have it, and
    F1 is the harmonic mean of the two. What would divide by zero is 0.

    Args:
        labels: integers (N,), the truth.
        predictions: integers (N,).
        num_classes: int, C.

    Returns:
        A dict: "precision", "recall" and "f1", float (C,); "support", int (C,), how many samples have each class;
        "macro" and "micro", dicts of floats "precision", "recall" and "f1": the mean over the classes, and the same
        quantities with the counts of all classes added up, which is the accuracy.

    Example:
        >>> classification_report(np.array([0, 0, 1]), np.array([0, 1, 1]), num_classes=3)["f1"].round(3).tolist()
        [0.667, 0.667, 0.0]
    """
    hits = np.bincount(labels[labels == predictions], minlength=num_classes)  # (C,)
    support, given = (np.bincount(values, minlength=num_classes) for values in (labels, predictions))
    scores = _scores(hits, given, support)
    macro = {name: float(values.mean()) for name, values in scores.items()}
    micro = {name: float(value) for name, value in _scores(hits.sum(), given.sum(), support.sum()).items()}
    return {**scores, "support": support, "macro": macro, "micro": micro}


def _scores(hits: Any, given: Any, support: Any) -> dict[str, Any]:
    precision, recall = hits / np.maximum(given, 1), hits / np.maximum(support, 1)
    return {"precision": precision, "recall": recall, "f1": 2 * hits / np.maximum(given + support, 1)}


def _sigmoid(x: Array) -> Array:
    return 0.5 * (1 + np.tanh(x / 2))  # exp(-x) would overflow
