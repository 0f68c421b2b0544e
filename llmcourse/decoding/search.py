"""Search: which of all possible targets the model scores highest."""

from collections.abc import Callable
from typing import Any

import numpy as np

from llmcourse.data.token_ids import END, PAD, START
from llmcourse.decoding.memory import require_memory

Choose = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]  # see `write_targets`


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
        ValueError: `source` does not have two axes, `max_length` is below 1, or the memory is too small.

    Source: Sutskever, Vinyals & Le (2014), Sequence to Sequence Learning with Neural Networks, section 3.2.

    Example:
        >>> counts_on = lambda source, target: np.eye(9)[np.asarray(target) + 1]
        >>> greedy_decode(counts_on, np.array([[5, 6]]), max_length=4).tolist()
        [[3, 0, 0, 0]]
    """

    def take_best(log_probs: np.ndarray, tokens: np.ndarray, running: np.ndarray) -> np.ndarray:
        return tokens[:, 0]

    return write_targets(model, check_source(source, max_length), max_length, 1, take_best, use_cache=use_cache)


def write_targets(
    model: Any, source: np.ndarray, max_length: int, count: int, choose: Choose, *, use_cache: bool = True
) -> np.ndarray:
    """Write each target token by token until all have ended: the loop that greedy search and sampling share.

    The two differ only in which of the next tokens they take, so that is an argument.

    Args:
        model: as in `greedy_decode`.
        source: int32 (B, S), 0 is padding.
        max_length: int, at least 1, the largest number of tokens to write, END included.
        count: int, among how many of the most probable next tokens is chosen; C is this number, or V where that is
            smaller.
        choose: takes the log-probabilities (rows, C), largest first, their tokens (rows, C), and the numbers (rows,) of
            the sentences that they belong to, and returns one token for each, integers (rows,).
        use_cache: bool, whether a `Transformer` keeps the keys and values of the tokens written so far.

    Returns:
        int32 (B, max_length): the tokens after START, up to and with END, then PAD.
    """
    target = np.full((len(source), max_length + 1), PAD, dtype="int32")
    target[:, 0] = START
    require_memory(model, source.shape, 1, max_length)
    steps = start_steps(model, source, 1, count, use_cache)
    running = np.arange(len(source))  # the sentences that still go through the model
    for length in range(1, max_length + 1 if len(source) else 0):
        newest = target[running, length - 1, None]  # (rows, 1)
        log_probs, tokens = (part[:, 0] for part in steps.advance(newest, np.zeros_like(newest)))  # (rows, C)
        finished = (target[running, :length] == END).any(axis=1)
        target[running, length] = np.where(finished, PAD, choose(log_probs, tokens, running))
        finished |= target[running, length] == END
        if finished.all():
            break
        running = drop_finished(steps, running, finished)
    return target[:, 1:]


def start_steps(model: Any, source: np.ndarray, width: int, count: int, use_cache: bool) -> Any:
    """Choose how the best next tokens are found: a model of NumPy brings its own steps, Keras' models have two ways.

    Returns:
        An object with the methods `advance` and `keep` of `llmcourse.decoding.advance.PlainSteps`.
    """
    if hasattr(model, "start_steps"):
        return model.start_steps(source, width, count)
    from llmcourse.decoding.advance import CachedSteps, PlainSteps

    kind = CachedSteps if use_cache and hasattr(model, "decode_next") else PlainSteps
    return kind(model, source, width, count)


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
