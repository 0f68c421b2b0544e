"""Search: which of all possible targets the model scores highest."""

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops

from llmcourse.layers.masks import PAD

START, END = 2, 3  # the token ids before the first and after the last word


def greedy_decode(model: Any, source: Any, max_length: int) -> np.ndarray:
    """Write each target token by token, always taking the token with the highest score.

    The whole batch moves on together. A sentence is finished at its END, whatever the others do; what the model would
    say after that is replaced by padding. When all are finished the search stops.

    Args:
        model: a `Transformer`, or any callable that maps source ids (B, S) and target ids (B, T), both int32, to logits
            (B, T, V). A `Transformer` reads the source only once.
        source: integers (B, S), 0 is padding.
        max_length: int, the largest number of tokens to write, END included.

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
    source = np.asarray(source, dtype="int32")
    if source.ndim != 2 or max_length < 1:
        raise ValueError(
            "source must have shape (B, S) and max_length must be at least 1. "
            f"Received: shape {source.shape} and {max_length}."
        )
    score = scorer(model, source)
    target = np.full((len(source), max_length + 1), PAD, dtype="int32")
    target[:, 0] = START
    finished = np.zeros(len(source), dtype=bool)
    for length in range(1, max_length + 1):
        logits = ops.convert_to_numpy(score(target[:, :length]))  # (B, length, V)
        target[:, length] = np.where(finished, PAD, logits[:, -1].argmax(axis=-1))
        finished |= target[:, length] == END
        if finished.all():
            break
    return target[:, 1:]


def scorer(model: Any, source: np.ndarray) -> Callable[[np.ndarray], Any]:
    """Return the function from target ids (B, T) to logits (B, T, V); a `Transformer` encodes the source here, once."""
    if not hasattr(model, "encode"):
        return lambda target: model(source, target)
    memory = model.encode(source)
    return lambda target: model.decode(target, memory, source)
