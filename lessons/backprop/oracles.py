"""What the exercises of the lesson `backprop` share: drawn inputs, and oracles in plain NumPy in float64."""

from itertools import pairwise

import numpy as np

from llmcourse.checking import expect


def distinct_sizes(rng, count, low=2, high=9):
    """Draw sizes that all differ, so that a swapped axis cannot go unnoticed."""
    return [int(size) for size in rng.choice(np.arange(low, high), size=count, replace=False)]


def cross_entropy(logits, labels):
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_probs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    rows = np.arange(len(labels))
    grad = np.exp(log_probs)
    grad[rows, labels] -= 1
    return -log_probs[rows, labels].mean(), grad / len(labels)


def forward(params, x):
    layers, cache, activation = len(params) // 2, {"a0": x}, x
    for layer in range(1, layers + 1):
        z = activation @ params[f"W{layer}"] + params[f"b{layer}"]
        cache[f"z{layer}"] = z
        if layer < layers:
            activation = np.maximum(z, 0)
            cache[f"a{layer}"] = activation
    return z, cache


def backward(params, cache, delta):
    grads = {}
    for layer in range(len(params) // 2, 0, -1):
        grads[f"W{layer}"], grads[f"b{layer}"] = cache[f"a{layer - 1}"].T @ delta, delta.sum(axis=0)
        if layer > 1:
            delta = (delta @ params[f"W{layer}"].T) * (cache[f"z{layer - 1}"] > 0)
    return grads


def loss_of(params, x, labels):
    return float(cross_entropy(forward(params, x)[0], labels)[0])


def draw_params(rng, sizes):
    """Draw params with the names of the lesson; the biases are not 0 either."""
    params = {}
    for layer, shape in enumerate(pairwise(sizes), start=1):
        params[f"W{layer}"], params[f"b{layer}"] = rng.normal(size=shape), rng.normal(size=shape[1])
    return params


def draw_network(rng, sizes, samples):
    """Draw a network with two layers, data and gradients that differences can measure.

    No z is near the bend of the ReLU, units are active and not, and each gradient is 0 or far above rounding.
    """
    while True:
        params, x = draw_params(rng, sizes), rng.normal(size=(samples, sizes[0]))
        labels = rng.integers(sizes[-1], size=samples)
        logits, cache = forward(params, x)
        delta = cross_entropy(logits, labels)[1]
        grads = backward(params, cache, delta)
        entries = np.abs(np.concatenate([value.ravel() for value in grads.values()]))
        measurable = np.abs(cache["z1"]).min() > 0.01 and entries[entries > 0].min() > 1e-3
        if measurable and 0.3 < (cache["z1"] > 0).mean() < 0.7:
            return params, x, labels, cache, delta, grads


def largest_error(first, second):
    """Give the largest relative error between two dicts of arrays, by the formula of the lesson."""
    return max(
        float((np.abs(first[name] - second[name]) / np.maximum(1e-8, np.abs(first[name]) + np.abs(second[name]))).max())
        for name in first
    )


def expect_dict(received, names, what):
    """Require a dict with exactly these names."""
    expect(isinstance(received, dict), required=f"{what} is a dict", received=received)
    wanted, have = ", ".join(sorted(names)), ", ".join(sorted(received))
    expect(set(received) == set(names), required=f"{what} has the names {wanted}", received=have or "an empty dict")
    return received


def expect_pair(received, what, words):
    """Require a tuple or list of two values."""
    fits = isinstance(received, tuple | list) and len(received) == 2
    expect(fits, required=f"{what} returns a pair: {words}", received=received)
    return received
