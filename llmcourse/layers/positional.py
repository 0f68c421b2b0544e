"""Positions: attention itself does not know the order of the tokens, so the order is added to the embeddings."""

import math
from typing import Any

import keras
from keras import ops


def positional_encoding(length: Any, d_model: int, start: Any = 0) -> Any:
    """Compute the sinusoidal code of each position.

    Column 2i is sin(position / 10000^(2i / d_model)) and column 2i+1 the cosine of the same angle. Each pair of columns
    is a clock hand with its own speed, so a shift of all positions is a rotation: one linear map, the same everywhere.

    Args:
        length: int, the number T of positions.
        d_model: int, even, the width D.
        start: int, the first position; decoding token by token continues where it stopped.

    Returns:
        Float32 (T, D).

    Raises:
        ValueError: `d_model` is odd or below 2.

    Source: Vaswani et al. (2017), Attention Is All You Need, section 3.5.

    Example:
        >>> np.asarray(positional_encoding(2, d_model=2)).astype(float).round(2).tolist()
        [[0.0, 1.0], [0.84, 0.54]]
    """
    if d_model < 2 or d_model % 2:
        raise ValueError(f"d_model must be an even number of at least 2. Received: {d_model}.")
    positions = ops.cast(start + ops.arange(length), "float32")
    speeds = ops.exp(ops.arange(0, d_model, 2, dtype="float32") * (-math.log(10000.0) / d_model))  # (D/2,)
    angles = positions[:, None] * speeds[None, :]  # (T, D/2)
    pairs = ops.stack([ops.sin(angles), ops.cos(angles)], axis=-1)  # (T, D/2, 2)
    return ops.reshape(pairs, (-1, d_model))


def segment_positions(segments: Any) -> Any:
    """Count positions from 0 in each segment of a row, as if its sentence stood alone.

    A position is how many earlier places of the row belong to the same segment.

    Args:
        segments: integers (B, T), see `segment_mask`.

    Returns:
        Int32 (B, T).

    Example:
        >>> np.asarray(segment_positions(np.array([[1, 1, 1, 2, 2]]))).tolist()
        [[0, 1, 2, 0, 1]]
    """
    places = ops.arange(ops.shape(segments)[1])
    earlier = places[:, None] > places[None, :]  # (T, T)
    same = ops.equal(segments[:, :, None], segments[:, None, :])  # (B, T, T)
    return ops.sum(ops.cast(ops.logical_and(same, earlier), "int32"), axis=-1)


@keras.saving.register_keras_serializable(package="llmcourse")
class PositionalEncoding(keras.layers.Layer):
    """Add the code of its position to each vector; nothing is learned, and no length is the longest.

    Call arguments:
        x: float (B, T, D), D even.
        start: int, the position of the first vector.
        segments: None, or integers (B, T), see `segment_mask`: positions then begin anew in each segment.

    Returns:
        Float (B, T, D).

    Raises:
        ValueError: D is odd.

    Source: Vaswani et al. (2017), Attention Is All You Need, section 3.5.
    """

    def call(self, x: Any, start: Any = 0, segments: Any = None) -> Any:
        """Compute the codes of T positions and add them."""
        codes = ops.cast(positional_encoding(ops.shape(x)[1], x.shape[-1], start), x.dtype)
        return x + (codes if segments is None else ops.take(codes, segment_positions(segments), axis=0))
