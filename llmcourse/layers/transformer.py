"""The encoder and the decoder of the Transformer, from the sub-layers up.

Vaswani et al. (2017), Attention Is All You Need, section 3. The norm stands before each sub-layer (pre-norm, the
default: it trains without a long warm-up, see Xiong et al. (2020), On Layer Normalization in the Transformer
Architecture) or after each sum (post-norm, as in 2017). Dropout acts on the attention weights and on what each
sub-layer adds.
"""

from typing import Any

import keras

from llmcourse.layers.attention import MultiHeadAttention
from llmcourse.layers.masks import ExplicitMasks

NORM_EPSILON = 1e-5  # under the root of the variance, so that a constant vector is not divided by zero


@keras.saving.register_keras_serializable(package="llmcourse")
class FeedForward(keras.layers.Layer):
    """Transform each position by itself, with one hidden layer: what attention has gathered is worked on here.

    Args:
        d_model: int, the width D of input and output.
        d_ff: int, the number of hidden units, usually two to four times `d_model`.
        activation: str, the activation of the hidden units.

    Call arguments:
        x: float (B, T, D).

    Returns:
        Float (B, T, D).

    Source: Vaswani et al. (2017), Attention Is All You Need, section 3.3.
    """

    def __init__(self, d_model: int, d_ff: int, activation: str = "relu", **kwargs: Any):
        super().__init__(**kwargs)
        self.hidden = keras.layers.Dense(d_ff, activation=activation, name="hidden", dtype=self.dtype_policy)
        self.output_projection = keras.layers.Dense(d_model, name="output", dtype=self.dtype_policy)

    def build(self, x_shape: Any) -> None:
        """Make the two weight matrices."""
        self.hidden.build(x_shape)
        self.output_projection.build((*x_shape[:-1], self.hidden.units))

    def call(self, x: Any) -> Any:
        """Widen, bend, and return to the width of the model."""
        return self.output_projection(self.hidden(x))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {
            **super().get_config(),
            "d_model": self.output_projection.units,
            "d_ff": self.hidden.units,
            "activation": keras.activations.serialize(self.hidden.activation),
        }


class TransformerLayer(ExplicitMasks):
    """What encoder and decoder layers share: their settings, and the short cut and the norm around each sub-layer.

    Args:
        d_model: int, the width D.
        num_heads: int, H; divides `d_model`.
        d_ff: int, the hidden units of the feed-forward sub-layer.
        dropout: float, the share of entries that training sets to zero.
        activation: str, the activation in the feed-forward sub-layer.
        pre_norm: bool, the norm before each sub-layer (True) or after each sum (False).

    Raises:
        ValueError: `d_model` cannot be shared out among the heads.
    """

    def __init__(
        self,
        d_model: int,
        num_heads: int,
        d_ff: int,
        dropout: float = 0.1,
        activation: str = "relu",
        pre_norm: bool = True,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if num_heads < 1 or d_model % num_heads:
            raise ValueError(f"d_model must be a multiple of num_heads. Received: {d_model} and {num_heads}.")
        self.pre_norm = pre_norm
        self.settings: dict[str, Any] = {
            "d_model": d_model,
            "num_heads": num_heads,
            "d_ff": d_ff,
            "dropout": dropout,
            "activation": activation,
            "pre_norm": pre_norm,
        }
        self.dropout = keras.layers.Dropout(dropout, dtype=self.dtype_policy)

    def enter(self, norm: keras.layers.Layer, x: Any) -> Any:
        """Return what the sub-layer is to work on: the normalised x with pre-norm, otherwise x itself."""
        return norm(x) if self.pre_norm else x

    def leave(self, norm: keras.layers.Layer, x: Any, y: Any, training: bool | None) -> Any:
        """Add what the sub-layer found to its input x, so that each sub-layer only has to learn a correction."""
        total = x + self.dropout(y, training=training)
        return total if self.pre_norm else norm(total)

    def make_attention(self, name: str) -> MultiHeadAttention:
        """Make an attention sub-layer whose heads together are as wide as the model."""
        num_heads, d_model = self.settings["num_heads"], self.settings["d_model"]
        return MultiHeadAttention(
            num_heads, d_model // num_heads, self.settings["dropout"], name=name, dtype=self.dtype_policy
        )

    def make_feed_forward(self, name: str) -> FeedForward:
        """Make the feed-forward sub-layer."""
        settings = self.settings
        return FeedForward(
            settings["d_model"], settings["d_ff"], settings["activation"], name=name, dtype=self.dtype_policy
        )

    def make_norm(self, name: str) -> keras.layers.LayerNormalization:
        """Make the layer normalisation that belongs to one sub-layer."""
        return keras.layers.LayerNormalization(epsilon=NORM_EPSILON, name=name, dtype=self.dtype_policy)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), **self.settings}


@keras.saving.register_keras_serializable(package="llmcourse")
class EncoderLayer(TransformerLayer):
    """Let each source token gather from all source tokens, then work on what it gathered.

    Args:
        d_model, num_heads, d_ff, dropout, activation, pre_norm: see `TransformerLayer`.

    Call arguments:
        x: float (B, S, D).
        mask: boolean that broadcasts to (B, H, S, S), usually the padding mask of the source, or None.
        return_scores: bool, whether to return the attention weights too.
        training: bool, whether dropout is on.

    Returns:
        Float (B, S, D); with `return_scores` also the weights, float (B, H, S, S).

    Source: Vaswani et al. (2017), Attention Is All You Need, section 3.1.
    """

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.self_attention = self.make_attention("self_attention")
        self.self_attention_norm = self.make_norm("self_attention_norm")
        self.feed_forward = self.make_feed_forward("feed_forward")
        self.feed_forward_norm = self.make_norm("feed_forward_norm")

    def build(self, x_shape: Any) -> None:
        """Make the weights of the two sub-layers and their norms."""
        self.self_attention.build(x_shape, x_shape)
        self.self_attention_norm.build(x_shape)
        self.feed_forward.build(x_shape)
        self.feed_forward_norm.build(x_shape)

    def call(self, x: Any, mask: Any = None, return_scores: bool = False, training: bool | None = None) -> Any:
        """Run self-attention, then the feed-forward sub-layer, each with short cut and norm."""
        y = self.enter(self.self_attention_norm, x)
        y, scores = self.self_attention(y, y, mask=mask, return_scores=True, training=training)
        x = self.leave(self.self_attention_norm, x, y, training)

        y = self.feed_forward(self.enter(self.feed_forward_norm, x))
        x = self.leave(self.feed_forward_norm, x, y, training)
        return (x, scores) if return_scores else x


@keras.saving.register_keras_serializable(package="llmcourse")
class DecoderLayer(TransformerLayer):
    """Let each target token gather from earlier target tokens, then from the source, then work on what it gathered.

    Args:
        d_model, num_heads, d_ff, dropout, activation, pre_norm: see `TransformerLayer`.

    Call arguments:
        x: float (B, T, D).
        memory: float (B, S, D), the output of the encoder, or the pair of its keys and values, projected before by
            `cross_attention.project_keys_and_values`.
        mask: boolean that broadcasts to (B, H, T, T) for the self-attention: the causal mask, combined with the padding
            mask of the target. No causal mask is added here: what you pass is what counts.
        memory_mask: boolean that broadcasts to (B, H, T, S) for the cross-attention: the padding mask of the source.
        return_scores: bool, whether to return the attention weights too.
        training: bool, whether dropout is on.
        cache: None, or the `KeyValueCache` of the self-attention: x then holds the newest tokens only.

    Returns:
        Float (B, T, D); with `return_scores` also the weights of the self-attention, float (B, H, T, T), and of the
        cross-attention, float (B, H, T, S).

    Source: Vaswani et al. (2017), Attention Is All You Need, section 3.1.
    """

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.self_attention = self.make_attention("self_attention")
        self.self_attention_norm = self.make_norm("self_attention_norm")
        self.cross_attention = self.make_attention("cross_attention")
        self.cross_attention_norm = self.make_norm("cross_attention_norm")
        self.feed_forward = self.make_feed_forward("feed_forward")
        self.feed_forward_norm = self.make_norm("feed_forward_norm")

    def build(self, x_shape: Any, memory_shape: Any) -> None:
        """Make the weights of the three sub-layers and their norms."""
        self.self_attention.build(x_shape, x_shape)
        self.self_attention_norm.build(x_shape)
        self.cross_attention.build(x_shape, memory_shape)
        self.cross_attention_norm.build(x_shape)
        self.feed_forward.build(x_shape)
        self.feed_forward_norm.build(x_shape)

    def call(
        self,
        x: Any,
        memory: Any,
        mask: Any = None,
        memory_mask: Any = None,
        return_scores: bool = False,
        training: bool | None = None,
        cache: Any = None,
    ) -> Any:
        """Run self-attention, cross-attention and the feed-forward sub-layer, each with short cut and norm."""
        y = self.enter(self.self_attention_norm, x)
        y, self_scores = self.self_attention(y, y, mask=mask, return_scores=True, training=training, cache=cache)
        x = self.leave(self.self_attention_norm, x, y, training)

        y = self.enter(self.cross_attention_norm, x)
        y, cross_scores = self.cross_attention(y, memory, mask=memory_mask, return_scores=True, training=training)
        x = self.leave(self.cross_attention_norm, x, y, training)

        y = self.feed_forward(self.enter(self.feed_forward_norm, x))
        x = self.leave(self.feed_forward_norm, x, y, training)
        return (x, self_scores, cross_scores) if return_scores else x
