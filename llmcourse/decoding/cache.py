"""The key/value cache: what attention has computed for the tokens written so far, kept for those to come.

Without it, each new token makes the decoder work through the whole beginning again: T tokens cost 1 + 2 + ... + T
passes through the layers. With it, each token passes once. Only its query is used up at once; its keys and values stay.
"""

from typing import Any

import numpy as np
from keras import ops


class KeyValueCache:
    """Keep the keys and values of one attention layer.

    The arrays have more places than are filled, since arrays of one shape can go through one compiled function again
    and again. A mask must therefore exclude the places that are still empty.

    Args:
        keys: float (B, H, places, K).
        values: float (B, H, places, K).
        length: int, how many of the places are filled.

    Source: Shazeer (2019), Fast Transformer Decoding: One Write-Head is All You Need, section 2.4, describes attention
        with such a cache, one token at a time.

    Example:
        >>> cache = KeyValueCache.empty(1, 1, 3, 1)
        >>> keys, values = cache.update(np.full((1, 1, 2, 1), 5, "float32"), np.full((1, 1, 2, 1), 7, "float32"))
        >>> np.asarray(keys).ravel().tolist(), np.asarray(values).ravel().tolist(), cache.length
        ([5.0, 5.0, 0.0], [7.0, 7.0, 0.0], 2)
    """

    def __init__(self, keys: Any, values: Any, length: Any = 0):
        self.keys = keys
        self.values = values
        self.length = length

    @classmethod
    def empty(cls, batch: int, num_heads: int, places: int, key_dim: int, dtype: str = "float32") -> "KeyValueCache":
        """Make a cache of zeros, (batch, num_heads, places, key_dim), none of them filled."""
        zeros = ops.zeros((batch, num_heads, places, key_dim), dtype=dtype)
        return cls(zeros, zeros)

    @property
    def places(self) -> int:
        """How many tokens fit in."""
        return self.keys.shape[2]

    def update(self, keys: Any, values: Any) -> tuple[Any, Any]:
        """Take in the keys and values of new tokens, and return those of all tokens.

        Args:
            keys: float (B, H, T, K), of T new tokens.
            values: float (B, H, T, K).

        Returns:
            All keys and all values, float (B, H, places, K) each.

        Raises:
            ValueError: there are fewer than T empty places.
        """
        new = ops.shape(keys)[2]
        if isinstance(self.length, int) and self.length + new > self.places:
            raise ValueError(
                f"The cache must have places for {self.length} + {new} tokens; call grow first. "
                f"Received: {self.places} places."
            )
        self.keys = ops.slice_update(self.keys, (0, 0, self.length, 0), keys)
        self.values = ops.slice_update(self.values, (0, 0, self.length, 0), values)
        self.length = self.length + new
        return self.keys, self.values

    def grow(self, places: int) -> None:
        """Add empty places at the end."""
        batch, num_heads, _, key_dim = self.keys.shape
        zeros = ops.zeros((batch, num_heads, places, key_dim), dtype=self.keys.dtype)
        self.keys = ops.concatenate([self.keys, zeros], axis=2)
        self.values = ops.concatenate([self.values, zeros], axis=2)

    def keep(self, rows: np.ndarray) -> None:
        """Keep only some sentences of the batch, in the order of their numbers `rows`, integers (rows,)."""
        self.keys = ops.take(self.keys, rows, axis=0)
        self.values = ops.take(self.values, rows, axis=0)
