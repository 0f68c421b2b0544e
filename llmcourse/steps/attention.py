"""The small steps inside attention that the layers take in one go, each as a function of its own.

The lesson `attention` writes them one by one. `MultiHeadAttention` calls none of them: there, softmax comes from Keras
and splitting the heads is part of the projection.
"""

from typing import Any

from keras import ops


def softmax(scores: Any, axis: int = -1) -> Any:
    """Turn scores into shares: positive numbers that sum to 1 along one axis.

    The largest score is subtracted first. Only differences count, so nothing changes, and no exponential can overflow.

    Args:
        scores: float tensor of any shape, any finite numbers.
        axis: int, the axis along which the shares sum to 1.

    Returns:
        Float tensor of the same shape.

    Source: Bridle (1990), Probabilistic Interpretation of Feedforward Classification Network Outputs.

    Example:
        >>> ops.convert_to_numpy(softmax(ops.zeros(2))).tolist()
        [0.5, 0.5]
    """
    scores = ops.convert_to_tensor(scores)
    odds = ops.exp(scores - ops.max(scores, axis=axis, keepdims=True))
    return odds / ops.sum(odds, axis=axis, keepdims=True)


def split_heads(x: Any, num_heads: int) -> Any:
    """Cut each vector into equal pieces, one for each head.

    With the heads beside the batch, one matrix product serves all heads.

    Args:
        x: tensor (B, T, D); B and T may be unknown while a model is compiled.
        num_heads: int, H; divides D.

    Returns:
        Tensor (B, H, T, D/H): head h holds the h-th piece of each vector.

    Raises:
        ValueError: D cannot be shared out equally.

    Source: Vaswani et al. (2017), Attention Is All You Need, section 3.2.2.

    Example:
        >>> x = ops.convert_to_tensor([[[0.0, 1.0, 2.0, 3.0]]])
        >>> ops.convert_to_numpy(split_heads(x, num_heads=2)).tolist()
        [[[[0.0, 1.0]], [[2.0, 3.0]]]]
    """
    batch, length, d_model = ops.shape(x)
    if num_heads < 1 or d_model % num_heads:
        raise ValueError(f"The width must be a multiple of num_heads. Received: {d_model} and {num_heads}.")
    pieces = ops.reshape(x, (batch, length, num_heads, d_model // num_heads))  # (B, T, H, D/H)
    return ops.transpose(pieces, (0, 2, 1, 3))


def merge_heads(x: Any) -> Any:
    """Put the pieces of each vector side by side again; undoes `split_heads`.

    Args:
        x: tensor (B, H, T, K).

    Returns:
        Tensor (B, T, H*K).

    Source: Vaswani et al. (2017), Attention Is All You Need, section 3.2.2.

    Example:
        >>> heads = ops.convert_to_tensor([[[[0.0, 1.0]], [[2.0, 3.0]]]])
        >>> ops.convert_to_numpy(merge_heads(heads)).tolist()
        [[[0.0, 1.0, 2.0, 3.0]]]
    """
    batch, heads, length, width = ops.shape(x)
    return ops.reshape(ops.transpose(x, (0, 2, 1, 3)), (batch, length, heads * width))
