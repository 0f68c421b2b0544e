"""One step of a search: the best next tokens after each of the beginnings that it follows.

A search follows W beginnings of each sentence side by side (W is 1 for greedy search). There are two ways to score what
follows: `CachedSteps` passes only the newest tokens through a `Transformer`; `PlainSteps` passes whole beginnings
through any model. Both answer the same, so a search does not know which one it uses.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from llmcourse.decoding.cache import KeyValueCache
from llmcourse.decoding.compiled import run_compiled
from llmcourse.layers.masks import PAD, padding_mask

BLOCK = 16  # positions by which a cache grows: few shapes, and little room that is not used

Best = tuple[np.ndarray, np.ndarray]  # log-probabilities and tokens


class PlainSteps:
    """Score the beginnings as a whole, with any model.

    Args:
        model: a `Transformer`, or any callable that maps source ids (B, S) and target ids (B, T), both int32, to logits
            (B, T, V).
        source: int32 (B, S).
        width: int, W, how many beginnings of each sentence are followed.
        count: int, how many next tokens are wanted for each beginning.
    """

    def __init__(self, model: Any, source: np.ndarray, width: int, count: int):
        self.model = model
        self.count = count
        self.source = np.repeat(source, width, axis=0)  # (B*W, S)
        self.written = np.zeros((len(source), width, 0), dtype="int32")
        self.memory = None
        if hasattr(model, "encode"):
            self.memory = ops.repeat(ops.convert_to_tensor(model.encode(source)), width, axis=0)

    def advance(self, tokens: np.ndarray, parents: np.ndarray) -> Best:
        """Append one token to each beginning and find the best ones to come next.

        Args:
            tokens: int32 (B, W), the newest token of each beginning.
            parents: integers (B, W), which of the former W beginnings each one continues.

        Returns:
            Log-probabilities, float32 (B, W, C), largest first, and their tokens, int32 (B, W, C); C is `count`, or V
            where that is smaller.
        """
        former = np.take_along_axis(self.written, parents[:, :, None], axis=1)
        self.written = np.concatenate([former, tokens[:, :, None]], axis=2)
        batch, width, length = self.written.shape
        target = self.written.reshape(batch * width, length)
        if self.memory is None:
            best = best_next(ops.convert_to_tensor(self.model(self.source, target))[:, -1], self.count)
        else:
            inputs = tuple(ops.convert_to_tensor(x) for x in (target, self.memory, self.source))
            best = run_compiled(decode_last, self.model, inputs, count=self.count)
        log_probs, ids = to_numpy(best)  # (B*W, C)
        return log_probs.reshape(batch, width, -1), ids.reshape(batch, width, -1)

    def keep(self, rows: np.ndarray) -> None:
        """Go on with some sentences of the batch only, by their numbers `rows`."""
        width = self.written.shape[1]
        self.written = self.written[rows]
        copies = (rows[:, None] * width + np.arange(width)).ravel()
        self.source = self.source[copies]
        if self.memory is not None:
            self.memory = ops.take(self.memory, copies, axis=0)


class CachedSteps:
    """Score with a `Transformer` that sees the newest tokens only, and a cache for what it computed before.

    The W beginnings of a sentence share one cache: position t fills W places, and a mask tells each beginning which
    place at each position is its own. So nothing has to be copied when several beginnings continue the same one, and
    the source's keys and values serve all W.

    Args:
        model: a `Transformer`.
        source: int32 (B, S).
        width: int, W, how many beginnings of each sentence are followed.
        count: int, how many next tokens are wanted for each beginning.
    """

    def __init__(self, model: Any, source: np.ndarray, width: int, count: int):
        self.model = model
        self.count = count
        ids = ops.convert_to_tensor(source)
        self.memory = run_compiled(read_source, model, (ids,))
        self.memory_mask = padding_mask(ids)
        keys = self.memory[0][0]  # (B, H, S, K)
        batch, heads, _, key_dim = keys.shape
        dtype = keras.backend.standardize_dtype(keys.dtype)
        self.caches = [KeyValueCache.empty(batch, heads, BLOCK * width, key_dim, dtype) for _ in self.memory]
        self.own = np.zeros((batch, width, 0), dtype="int64")  # the place of each beginning's token at each position
        self.real = np.zeros((batch, 0), dtype=bool)  # whether the token at a place is not padding

    def advance(self, tokens: np.ndarray, parents: np.ndarray) -> Best:
        """Append one token to each beginning and find the best ones to come next; as in `PlainSteps`."""
        batch, width, position = self.own.shape
        if position and position % BLOCK == 0:
            for cache in self.caches:
                cache.grow(BLOCK * width)
        former = np.take_along_axis(self.own, parents[:, :, None], axis=1)
        newest = np.broadcast_to(position * width + np.arange(width), (batch, width))
        self.own = np.concatenate([former, newest[:, :, None]], axis=2)
        self.real = np.concatenate([self.real, tokens != PAD], axis=1)
        state = [(cache.keys, cache.values) for cache in self.caches]
        arrays = (tokens, np.int32(position), self._mask())
        inputs = (*(ops.convert_to_tensor(x) for x in arrays), self.memory_mask, self.memory, state)
        best, state = run_compiled(decode_newest, self.model, inputs, count=self.count)
        self.caches = [KeyValueCache(keys, values, (position + 1) * width) for keys, values in state]
        return to_numpy(best)

    def _mask(self) -> np.ndarray:
        """Allow each beginning its own places: boolean (B, 1, W, places)."""
        mask = np.zeros((*self.own.shape[:2], self.caches[0].places), dtype=bool)
        np.put_along_axis(mask, self.own, True, axis=2)
        mask[:, :, : self.real.shape[1]] &= self.real[:, None]
        return mask[:, None]

    def keep(self, rows: np.ndarray) -> None:
        """Go on with some sentences of the batch only, by their numbers `rows`."""
        self.memory = [(ops.take(keys, rows, axis=0), ops.take(values, rows, axis=0)) for keys, values in self.memory]
        self.memory_mask = ops.take(self.memory_mask, rows, axis=0)
        for cache in self.caches:
            cache.keep(rows)
        self.own, self.real = self.own[rows], self.real[rows]


# Each of the next three functions is compiled as one piece.


def read_source(model: Any, source: Any) -> Any:
    """Encode the source (B, S) and project it to the keys and values of each decoder layer."""
    return model.decoder.project_memory(model.encode(source))


def decode_newest(
    model: Any, tokens: Any, position: Any, mask: Any, memory_mask: Any, memory: Any, state: Any, count: int
) -> Any:
    """Score what follows the newest tokens; return the best ones, and the caches' new keys and values."""
    caches = [KeyValueCache(keys, values, position * ops.shape(tokens)[1]) for keys, values in state]
    logits = model.decode_next(tokens, position, memory, caches, mask, memory_mask)  # (B, W, V)
    return best_next(logits, count), [(cache.keys, cache.values) for cache in caches]


def decode_last(model: Any, target: Any, memory: Any, source: Any, count: int) -> Any:
    """Score all positions of the target and return the best tokens to follow the last one."""
    return best_next(model.decode(target, memory, source)[:, -1], count)


def best_next(logits: Any, count: int) -> tuple[Any, Any]:
    """Find the tokens with the highest logits: (..., V) becomes log-probabilities and tokens, (..., C) each."""
    highest, tokens = ops.top_k(logits, min(count, logits.shape[-1]))
    return highest - ops.logsumexp(logits, axis=-1, keepdims=True), tokens


def to_numpy(best: tuple[Any, Any]) -> Best:
    """Turn log-probabilities and tokens into arrays.

    Raises:
        ValueError: the model's scores are not numbers.
    """
    log_probs, tokens = (ops.convert_to_numpy(part) for part in best)
    if np.isnan(log_probs).any():
        raise ValueError("The logits of the model must be numbers. Received: NaN.")
    return log_probs, tokens.astype("int32")
