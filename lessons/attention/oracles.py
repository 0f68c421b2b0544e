"""What the exercises of the lesson `attention` share: drawn inputs, and oracles in plain NumPy in float64."""

import numpy as np

from llmcourse.checking import expect

TOLERANCE = 1e-4


def distinct_sizes(rng, count, low=2, high=9):
    """Draw sizes that all differ, so that a swapped axis cannot go unnoticed."""
    return [int(size) for size in rng.choice(np.arange(low, high), size=count, replace=False)]


def draw(rng, *shape, scale=1.0):
    return rng.normal(scale=scale, size=shape).astype(np.float32)


def draw_mask(rng, *shape):
    """Draw a mask that allows each query at least one key and forbids it at least one."""
    mask = rng.uniform(size=shape) < 0.5
    order = np.argsort(rng.uniform(size=shape), axis=-1)
    first, second = order[..., :1], order[..., 1:2]  # two different keys of each query
    np.put_along_axis(mask, first, True, axis=-1)
    np.put_along_axis(mask, second, False, axis=-1)
    return mask


def softmax(scores, axis=-1):
    odds = np.exp(scores - scores.max(axis=axis, keepdims=True))
    return odds / odds.sum(axis=axis, keepdims=True)


def scores_of(query, key):
    return np.einsum("bhtk,bhsk->bhts", query.astype(np.float64), key.astype(np.float64))


def attend(query, key, value, mask=None):
    scores = scores_of(query, key) / np.sqrt(query.shape[-1])
    if mask is None:
        weights = softmax(scores)
    else:
        mask = np.broadcast_to(mask, scores.shape)
        weights = np.where(mask, softmax(np.where(mask, scores, -1e9)), 0.0)
    return np.einsum("bhts,bhse->bhte", weights, value.astype(np.float64)), weights


def expect_pair(received, what, words):
    """Require a tuple or list of two values."""
    fits = isinstance(received, tuple | list) and len(received) == 2
    expect(fits, required=f"{what} returns a pair: {words}", received=received)
    return received
