"""Attention: a soft dictionary, in which each query takes a weighted mean of all values.

Vaswani et al. (2017), Attention Is All You Need, section 3.2. The path through the code is the same whether or not the
weights are asked for and whether or not dropout is on, so no mask can be lost on one of several paths.
"""

import math
from typing import Any

import keras
from keras import ops

from llmcourse.layers.masks import ExplicitMasks, check_mask

# Added to the scores of forbidden keys: e to this power is 0, and float16, whose largest number is 65504, can hold it.
_NEVER = {"float16": -3e4}
_NEVER_OTHERWISE = -1e9


def attention_weights(query: Any, key: Any, mask: Any = None) -> Any:
    """Compute how much each query attends to each key: softmax(Q K^T / sqrt(K)).

    A dot product of K independent terms of variance 1 has variance K; dividing by sqrt(K) keeps the softmax out of the
    region where it is flat and hardly any gradient passes.

    Args:
        query: float (B, H, T, K).
        key: float (B, H, S, K).
        mask: boolean that broadcasts to (B, H, T, S), True for "may attend", or None: every query may attend to
            every key.

    Returns:
        Float (B, H, T, S). Each row sums to 1, or is all zeros where the mask allows the query no key.

    Raises:
        ValueError: the shapes do not fit, or the mask is not boolean.
    """
    if query.shape[-1] != key.shape[-1] or len(query.shape) != len(key.shape):
        raise ValueError(
            "query and key must have shapes (B, H, T, K) and (B, H, S, K). "
            f"Received: {tuple(query.shape)} and {tuple(key.shape)}."
        )
    scaled_query = query * (1 / math.sqrt(query.shape[-1]))  # cheaper than scaling all the scores
    scores = ops.matmul(scaled_query, ops.swapaxes(key, -1, -2))  # (B, H, T, S)
    if mask is None:
        return softmax_over_keys(scores)
    check_mask(mask, tuple(scores.shape))
    dtype = keras.backend.standardize_dtype(scores.dtype)
    penalty = ops.cast(ops.where(mask, 0.0, _NEVER.get(dtype, _NEVER_OTHERWISE)), dtype)  # as small as the mask is
    some_key_allowed = ops.cast(ops.any(mask, axis=-1, keepdims=True), dtype)  # without one, the row becomes zero
    return softmax_over_keys(scores + penalty) * some_key_allowed


def softmax_over_keys(scores: Any) -> Any:
    """Turn each row of scores (B, H, T, S) into weights that are positive and sum to 1."""
    if scores.shape[-1] == 1:  # a single key gets all the weight; Keras would warn of a softmax that has no choice
        return ops.exp(scores - scores)
    return ops.softmax(scores)


def scaled_dot_product_attention(query: Any, key: Any, value: Any, mask: Any = None) -> tuple[Any, Any]:
    """Look up each query: average the values, each weighed by how well its key answers the query.

    Args:
        query: float (B, H, T, K), what is looked for.
        key: float (B, H, S, K), what each entry is found by.
        value: float (B, H, S, E), what each entry holds.
        mask: boolean that broadcasts to (B, H, T, S), True for "may attend", or None.

    Returns:
        The output, float (B, H, T, E), and the weights, float (B, H, T, S).

    Raises:
        ValueError: the shapes do not fit, or the mask is not boolean.

    Source: Vaswani et al. (2017), Attention Is All You Need, equation 1.

    Example:
        >>> key = np.eye(2, dtype="float32")[None, None]
        >>> output, weights = scaled_dot_product_attention(100 * key, key, key)
        >>> np.asarray(weights).round(3).tolist()
        [[[[1.0, 0.0], [0.0, 1.0]]]]
    """
    weights = attention_weights(query, key, mask)
    return ops.matmul(weights, value), weights


@keras.saving.register_keras_serializable(package="llmcourse")
class MultiHeadAttention(ExplicitMasks):
    """Attend several times at once, each head with projections of its own, and join what the heads found.

    One head can follow one relation between words; several heads follow several, for the price of one wide head. Call
    order and variables (query, key, value, output: each kernel, then bias) are those of Keras' layer of the same name,
    so `ours.set_weights(theirs.get_weights())` works in both directions.

    Args:
        num_heads: int, H.
        key_dim: int, the width K of each head; usually d_model / num_heads.
        dropout: float, the share of weights that training sets to zero.
        use_bias: bool, whether the four projections add a bias.

    Call arguments:
        query: float (B, T, D).
        value: float (B, S, D), or the pair that `project_keys_and_values` has made of it.
        key: float (B, S, D); `value` by default.
        mask: boolean that broadcasts to (B, H, T, S), True for "may attend", or None.
        return_scores: bool, whether to return the weights too.
        training: bool, whether dropout is on.
        cache: None, or a `KeyValueCache` with the keys and values of earlier calls, which the queries may attend to as
            well; S then counts all places of the cache.

    Returns:
        The output, float (B, T, D); with `return_scores` also the weights before dropout, float (B, H, T, S).

    Raises:
        ValueError: a number is out of range; the mask does not fit.

    Source: Vaswani et al. (2017), Attention Is All You Need, section 3.2.2.
    """

    def __init__(self, num_heads: int, key_dim: int, dropout: float = 0.0, use_bias: bool = True, **kwargs: Any):
        super().__init__(**kwargs)
        if num_heads < 1 or key_dim < 1:
            raise ValueError(f"num_heads and key_dim must be at least 1. Received: {num_heads} and {key_dim}.")
        self.num_heads = num_heads
        self.key_dim = key_dim
        self.use_bias = use_bias
        self.dropout = keras.layers.Dropout(dropout, dtype=self.dtype_policy)

    def build(self, query_shape: Any, value_shape: Any, key_shape: Any = None) -> None:
        """Make kernel and bias of the four projections, in the order and with the shapes of Keras' layer."""
        heads = (self.num_heads, self.key_dim)
        d_model = (query_shape[-1],)
        self.query_kernel, self.query_bias = self._add_projection("query", d_model, heads)
        self.key_kernel, self.key_bias = self._add_projection("key", (key_shape or value_shape)[-1:], heads)
        self.value_kernel, self.value_bias = self._add_projection("value", value_shape[-1:], heads)
        self.output_kernel, self.output_bias = self._add_projection("output", heads, d_model)

    def _add_projection(self, name: str, inputs: tuple[int, ...], outputs: tuple[int, ...]) -> tuple[Any, Any]:
        # The kernel is a matrix from all inputs to all outputs, D to H*K, and drawn as one: Glorot & Bengio (2010),
        # Understanding the difficulty of training deep feedforward neural networks. From its three axes alone, Keras'
        # initializers would count D*(H + K) inputs and outputs together and draw far too small numbers.
        limit = math.sqrt(6 / (math.prod(inputs) + math.prod(outputs)))
        uniform = keras.initializers.RandomUniform(-limit, limit)
        kernel = self.add_weight((*inputs, *outputs), uniform, name=f"{name}_kernel")
        bias = self.add_weight(outputs, "zeros", name=f"{name}_bias") if self.use_bias else None
        return kernel, bias

    def call(
        self,
        query: Any,
        value: Any,
        key: Any = None,
        mask: Any = None,
        return_scores: bool = False,
        training: bool | None = None,
        cache: Any = None,
    ) -> Any:
        """Project to the heads, attend in each, and project what they found back to the width of the model."""
        query_heads = swap_heads(project(query, self.query_kernel, self.query_bias))  # (B, H, T, K)
        projected = value if isinstance(value, tuple) else self.project_keys_and_values(value, key)
        key_heads, value_heads = projected if cache is None else cache.update(*projected)  # (B, H, S, K)
        weights = attention_weights(query_heads, key_heads, mask)  # (B, H, T, S)
        found = ops.matmul(self.dropout(weights, training=training), value_heads)  # (B, H, T, K)
        output = project(swap_heads(found), self.output_kernel, self.output_bias, axes=2)  # (B, T, D)
        return (output, weights) if return_scores else output

    def project_keys_and_values(self, value: Any, key: Any = None) -> tuple[Any, Any]:
        """Project to the keys and values of each head; they depend on no query, so those of a source serve all queries.

        Args:
            value: float (B, S, D).
            key: float (B, S, D); `value` by default.

        Returns:
            The keys and the values, float (B, H, S, K) each.
        """
        key = value if key is None else key
        key_heads = swap_heads(project(key, self.key_kernel, self.key_bias))  # (B, H, S, K)
        value_heads = swap_heads(project(value, self.value_kernel, self.value_bias))  # (B, H, S, K)
        return key_heads, value_heads

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "key_dim": self.key_dim,
            "dropout": self.dropout.rate,
            "use_bias": self.use_bias,
        }


def project(x: Any, kernel: Any, bias: Any, axes: int = 1) -> Any:
    """Multiply the last axes of x with the first axes of the kernel, (B, T, D) with (D, H, K), and add the bias."""
    y = ops.tensordot(x, kernel, axes)  # all B*T vectors in one matrix product
    return y if bias is None else y + bias


def swap_heads(x: Any) -> Any:
    """Exchange the axes of positions and heads: (B, T, H, K) becomes (B, H, T, K), and the other way round."""
    return ops.transpose(x, (0, 2, 1, 3))
