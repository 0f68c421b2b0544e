"""Sampling: draw the target by chance, as probable as the model says, instead of searching for the best one."""

import math
from typing import Any

import numpy as np

from llmcourse.decoding.search import check_source, write_targets


def sample_decode(
    model: Any, source: Any, max_length: int, *, temperature: float = 1.0, top_k: int | None = None, seed: int = 0
) -> np.ndarray:
    """Write each target token by token, each drawn by chance.

    Text without one right answer, such as a story, becomes dull and repeats itself when only the best tokens are taken.
    The temperature divides the logits: below 1 the probable tokens become more probable still, above 1 less so.

    Args:
        model: a `Transformer`, or any callable that maps source ids (B, S) and target ids (B, T), both int32, to logits
            (B, T, V).
        source: integers (B, S), 0 is padding.
        max_length: int, the largest number of tokens to write, END included.
        temperature: float, above 0.
        top_k: int, from how many of the most probable tokens to draw, or None: from all.
        seed: int, where the chance begins; the same seed draws the same targets.

    Returns:
        Integers (B, max_length): the tokens after START, up to and with END, then PAD.

    Raises:
        ValueError: a number is out of range, or `source` does not have two axes.

    Source: Fan, Lewis & Dauphin (2018), Hierarchical Neural Story Generation, section 5.4, for top-k.

    Example:
        >>> counts_on = lambda source, target: 99 * np.eye(9)[np.asarray(target) + 1]
        >>> sample_decode(counts_on, np.array([[5, 6]]), max_length=4).tolist()
        [[3, 0, 0, 0]]
    """
    source = check_source(source, max_length)
    if not 0 < temperature < math.inf or (top_k is not None and top_k < 1):
        raise ValueError(
            "temperature must be above 0, and top_k at least 1 or None. "
            f"Received: temperature {temperature}, top_k {top_k}."
        )
    chance = np.random.default_rng(seed)

    def draw(log_probs: np.ndarray, tokens: np.ndarray, running: np.ndarray) -> np.ndarray:
        # The largest of log p + noise is a draw from p, if the noise has Gumbel's distribution. All sentences get their
        # noise, so that what is drawn for one does not depend on which others have ended.
        noise = chance.gumbel(size=(len(source), tokens.shape[1]))[running]
        drawn = (log_probs.astype("float64") / temperature + noise).argmax(axis=1)
        return tokens[np.arange(len(tokens)), drawn]

    return write_targets(model, source, max_length, top_k or ALL, draw)


ALL = 2**31 - 1  # more tokens than any vocabulary has
