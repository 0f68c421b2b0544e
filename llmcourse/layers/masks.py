"""Masks: boolean tensors that say which query may attend to which key.

True means "may attend". A mask has four axes and broadcasts to (B, H, T, S), the shape of the attention weights, so one
mask serves all heads, and a causal mask all sentences.

Masks are always passed explicitly, as an argument, so that a reader sees where each one comes from and what shape it
has. Keras can also hang a mask of shape (B, S) on a tensor and pass it on unseen (`Embedding(mask_zero=True)`); the
layers here refuse such an implicit mask instead of using or losing it, and hang none on what they return.
"""

from typing import Any

import keras
from keras import ops

from llmcourse.data.token_ids import PAD


def padding_mask(ids: Any) -> Any:
    """Allow attention to real tokens only.

    Sentences of a batch differ in length; what fills them up must not change what is computed for the real tokens.

    Args:
        ids: integers (B, S), token ids; PAD = 0 marks padding.

    Returns:
        Boolean (B, 1, 1, S): the same for every head and every query.

    Raises:
        ValueError: `ids` does not have two axes.

    Example:
        >>> np.asarray(padding_mask(np.array([[5, 6, 0]]))).tolist()
        [[[[True, True, False]]]]
    """
    if len(ids.shape) != 2:
        raise ValueError(f"ids must have shape (B, S). Received: {tuple(ids.shape)}.")
    return ops.not_equal(ids, PAD)[:, None, None, :]


def causal_mask(length: Any) -> Any:
    """Allow each position to attend to itself and to earlier ones.

    The decoder learns to predict the next token; without this mask it would simply look it up.

    Args:
        length: int, the number T of positions.

    Returns:
        Boolean (1, 1, T, T), True on and below the diagonal.

    Source: Vaswani et al. (2017), Attention Is All You Need, section 3.2.3.

    Example:
        >>> np.asarray(causal_mask(2)).tolist()
        [[[[True, False], [True, True]]]]
    """
    positions = ops.arange(length)
    return (positions[:, None] >= positions[None, :])[None, None, :, :]


def segment_mask(query_segments: Any, key_segments: Any = None) -> Any:
    """Allow attention within a segment only: several sentences stand in one row and must not see each other.

    Args:
        query_segments: integers (B, T), which sentence of its row each position belongs to, from 1; 0 is padding.
        key_segments: integers (B, S), the same for the positions that may be attended to; `query_segments` by default.

    Returns:
        Boolean (B, 1, T, S), the same for every head; padding attends to nothing and is attended to by nothing.

    Raises:
        ValueError: the segments do not have two axes.

    Source: Krell et al. (2021), Efficient Sequence Packing without Cross-contamination.

    Example:
        >>> np.asarray(segment_mask(np.array([[1, 2, 0]]))).tolist()
        [[[[True, False, False], [False, True, False], [False, False, False]]]]
    """
    key_segments = query_segments if key_segments is None else key_segments
    if len(query_segments.shape) != 2 or len(key_segments.shape) != 2:
        received = f"{tuple(query_segments.shape)} and {tuple(key_segments.shape)}"
        raise ValueError(f"segments must have shapes (B, T) and (B, S). Received: {received}.")
    same = ops.equal(query_segments[:, :, None], key_segments[:, None, :])  # (B, T, S)
    return ops.logical_and(same, ops.not_equal(key_segments, PAD)[:, None, :])[:, None, :, :]


def combine_masks(*masks: Any) -> Any:
    """Allow what every one of the masks allows.

    Args:
        masks: booleans of four axes that broadcast to one another; None stands for a mask that allows everything.

    Returns:
        Boolean, the shape that the masks broadcast to, or None if all of them are None.
    """
    combined = None
    for mask in masks:
        if combined is None or mask is None:
            combined = mask if combined is None else combined
        else:
            combined = ops.logical_and(combined, mask)
    return combined


class ExplicitMasks(keras.layers.Layer):
    """A layer whose masks are arguments only."""

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> None:
        """Pass no mask on to the next layer, and refuse one that Keras hung on the input.

        Raises:
            ValueError: the input carries an implicit mask and none was passed explicitly.
        """
        for mask in keras.tree.flatten(previous_mask):
            if mask is not None and len(mask.shape) == 2:
                raise ValueError(
                    f"{self.name} takes its mask as an argument, such as padding_mask(ids), not hung on an input. "
                    f"Received: an input with a Keras mask of shape {tuple(mask.shape)}."
                )


def check_mask(mask: Any, shape: tuple[int | None, ...]) -> None:
    """Require a boolean mask that broadcasts to the shape of the attention weights.

    A mask of numbers is refused, since some libraries read 1 as "may attend" and others as "must not"; so is one of two
    or three axes, since broadcasting would read the batch axis as another one.

    Args:
        mask: what the caller passed.
        shape: (B, H, T, S); None where a length is not known yet.

    Raises:
        ValueError: the mask is not boolean, has another number of axes, or does not broadcast.
    """
    dtype = keras.backend.standardize_dtype(mask.dtype)
    if dtype != "bool":
        raise ValueError(f'mask must be boolean, True for "may attend". Received: a mask of dtype {dtype}.')
    received = tuple(mask.shape)
    fits = len(received) == len(shape) and all(
        given is None or wanted is None or given in (1, wanted) for given, wanted in zip(received, shape, strict=True)
    )
    if not fits:
        raise ValueError(
            f"mask must have {len(shape)} axes and broadcast to (B, H, T, S) = {shape}; a padding mask, for example, "
            f"has shape (B, 1, 1, S). Received: shape {received}."
        )
