"""What the exercises of the lesson `mlp` share: drawn inputs, and oracles in plain NumPy in float64."""

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


def draw_params(rng, sizes):
    """Draw params with the names of the lesson; the biases are not 0 either."""
    params = {}
    for layer, shape in enumerate(pairwise(sizes), start=1):
        params[f"W{layer}"], params[f"b{layer}"] = rng.normal(size=shape), rng.normal(size=shape[1])
    return params


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
