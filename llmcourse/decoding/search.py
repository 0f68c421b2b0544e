"""Search: which of all possible targets the model scores highest."""

from typing import Any

import numpy as np

from llmcourse.decoding.advance import start_steps
from llmcourse.layers.masks import PAD

START, END = 2, 3  # the token ids before the first and after the last word


def greedy_decode(model: Any, source: Any, max_length: int, *, use_cache: bool = True) -> np.ndarray:
    """Write each target token by token, always taking the token with the highest score.

    The whole batch moves on together. A sentence is finished at its END, whatever the others do; what the model would
    say after that is replaced by padding. When all are finished the search stops.

    Args:
        model: a `Transformer`, or any callable that maps source ids (B, S) and target ids (B, T), both int32, to logits
            (B, T, V). A `Transformer` reads the source only once.
        source: integers (B, S), 0 is padding.
        max_length: int, the largest number of tokens to write, END included.
        use_cache: bool, whether a `Transformer` keeps the keys and values of the tokens written so far instead of
            computing them again for each new token. The result is the same.

    Returns:
        Integers (B, max_length): the tokens after START, up to and with END, then PAD. A sentence that did not come to
        its END has none.

    Raises:
        ValueError: `source` does not have two axes, or `max_length` is below 1.

    Source: Sutskever, Vinyals & Le (2014), Sequence to Sequence Learning with Neural Networks, section 3.2.

    Example:
        >>> counts_on = lambda source, target: np.eye(9)[np.asarray(target) + 1]
        >>> greedy_decode(counts_on, np.array([[5, 6]]), max_length=4).tolist()
        [[3, 0, 0, 0]]
    """
    source = check_source(source, max_length)
    target = np.full((len(source), max_length + 1), PAD, dtype="int32")
    target[:, 0] = START
    steps = start_steps(model, source, 1, 1, use_cache)
    running = np.arange(len(source))  # the sentences that still go through the model
    for length in range(1, max_length + 1 if len(source) else 0):
        newest = target[running, length - 1, None]  # (B, 1)
        _, best = steps.advance(newest, np.zeros_like(newest))
        finished = (target[running, :length] == END).any(axis=1)
        target[running, length] = np.where(finished, PAD, best[:, 0, 0])
        finished |= target[running, length] == END
        if finished.all():
            break
        running = drop_finished(steps, running, finished)
    return target[:, 1:]


def check_source(source: Any, max_length: int) -> np.ndarray:
    """Return the source as int32 (B, S).

    Raises:
        ValueError: it does not have two axes, or `max_length` is below 1.
    """
    source = np.asarray(source, dtype="int32")
    if source.ndim != 2 or max_length < 1:
        raise ValueError(
            "source must have shape (B, S) and max_length must be at least 1. "
            f"Received: shape {source.shape} and {max_length}."
        )
    return source


def drop_finished(steps: Any, running: np.ndarray, finished: np.ndarray) -> np.ndarray:
    """Take finished sentences out of the batch once they are half of it, and return the numbers of those that stay.

    Args:
        steps: `CachedSteps` or `PlainSteps`, with as many sentences as `running`.
        running: integers (rows,), the numbers of the sentences in the whole batch.
        finished: booleans (rows,).

    Returns:
        Integers (rows left,).
    """
    if 2 * finished.sum() < len(finished):  # copying the caches for a few sentences would cost more than it saves
        return running
    stay = np.flatnonzero(~finished)
    steps.keep(stay)
    return running[stay]
