"""The encoder and the decoder: several layers one upon another.

Vaswani et al. (2017), Attention Is All You Need, section 3.1. With pre-norm the short cuts add up unnormalised from the
first layer to the last, so one final norm follows (Xiong et al. 2020); with post-norm every layer ends in a norm.
"""

from typing import Any

import keras
from keras import ops

from llmcourse.layers.masks import ExplicitMasks
from llmcourse.layers.transformer import NORM_EPSILON, DecoderLayer, EncoderLayer


class Stack(ExplicitMasks):
    """What encoder and decoder share: the layers, and the final norm.

    Args:
        num_layers: int, how many layers.
        d_model, num_heads, d_ff, dropout, activation, pre_norm: settings of each layer, see `TransformerLayer`.

    Raises:
        ValueError: a number is out of range.
    """

    layer_class: type[keras.layers.Layer]

    def __init__(
        self,
        num_layers: int,
        d_model: int,
        num_heads: int,
        d_ff: int,
        dropout: float = 0.1,
        activation: str = "relu",
        pre_norm: bool = True,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if num_layers < 1:
            raise ValueError(f"num_layers must be at least 1. Received: {num_layers}.")
        self.settings: dict[str, Any] = {
            "d_model": d_model,
            "num_heads": num_heads,
            "d_ff": d_ff,
            "dropout": dropout,
            "activation": activation,
            "pre_norm": pre_norm,
        }
        self.layers = [
            self.layer_class(**self.settings, name=f"layer_{index}", dtype=self.dtype_policy)
            for index in range(num_layers)
        ]
        self.final_norm = None
        if pre_norm:
            norm = keras.layers.LayerNormalization(epsilon=NORM_EPSILON, name="final_norm", dtype=self.dtype_policy)
            self.final_norm = norm

    def finish(self, x: Any) -> Any:
        """Normalise what the last layer returns, where the layers themselves do not."""
        return x if self.final_norm is None else self.final_norm(x)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal stack."""
        return {**super().get_config(), "num_layers": len(self.layers), **self.settings}


@keras.saving.register_keras_serializable(package="llmcourse")
class Encoder(Stack):
    """Read the source: each layer's output is the next one's input.

    Args:
        num_layers: int, how many layers.
        d_model, num_heads, d_ff, dropout, activation, pre_norm: settings of each layer, see `TransformerLayer`.

    Call arguments:
        x: float (B, S, D), embeddings with positions.
        mask: boolean that broadcasts to (B, H, S, S), usually the padding mask of the source, or None.
        return_scores: bool, whether to return the attention weights too.
        training: bool, whether dropout is on.

    Returns:
        The memory, float (B, S, D); with `return_scores` also a list of each layer's weights, float (B, H, S, S).

    Source: Vaswani et al. (2017), Attention Is All You Need, section 3.1.
    """

    layer_class = EncoderLayer

    def build(self, x_shape: Any) -> None:
        """Make the weights of all layers."""
        for layer in self.layers:
            layer.build(x_shape)
        if self.final_norm is not None:
            self.final_norm.build(x_shape)

    def call(self, x: Any, mask: Any = None, return_scores: bool = False, training: bool | None = None) -> Any:
        """Run the layers in turn."""
        scores = []
        for layer in self.layers:
            x, layer_scores = layer(x, mask=mask, return_scores=True, training=training)
            scores.append(layer_scores)
        x = self.finish(x)
        return (x, scores) if return_scores else x


@keras.saving.register_keras_serializable(package="llmcourse")
class Decoder(Stack):
    """Write the target: each layer looks at the memory anew.

    Args:
        num_layers: int, how many layers.
        d_model, num_heads, d_ff, dropout, activation, pre_norm: settings of each layer, see `TransformerLayer`.

    Call arguments:
        x: float (B, T, D), embeddings with positions.
        memory: float (B, S, D), the output of the encoder, or what `project_memory` has made of it.
        mask: boolean that broadcasts to (B, H, T, T): the causal mask, combined with the padding mask of the target.
        memory_mask: boolean that broadcasts to (B, H, T, S), usually the padding mask of the source, or None.
        return_scores: bool, whether to return the attention weights too.
        training: bool, whether dropout is on.
        caches: None, or one `KeyValueCache` for each layer: x then holds the newest tokens only.

    Returns:
        Float (B, T, D); with `return_scores` also two lists of each layer's weights: of the self-attention, float
        (B, H, T, T), and of the cross-attention, float (B, H, T, S).

    Source: Vaswani et al. (2017), Attention Is All You Need, section 3.1.
    """

    layer_class = DecoderLayer

    def build(self, x_shape: Any, memory_shape: Any) -> None:
        """Make the weights of all layers."""
        for layer in self.layers:
            layer.build(x_shape, memory_shape)
        if self.final_norm is not None:
            self.final_norm.build(x_shape)

    def call(
        self,
        x: Any,
        memory: Any,
        mask: Any = None,
        memory_mask: Any = None,
        return_scores: bool = False,
        training: bool | None = None,
        caches: Any = None,
    ) -> Any:
        """Run the layers in turn; all of them see the same memory."""
        self_scores, cross_scores = [], []
        memories = memory if isinstance(memory, list) else [memory] * len(self.layers)
        options = {"mask": mask, "memory_mask": memory_mask, "return_scores": True, "training": training}
        for layer, seen, cache in zip(self.layers, memories, caches or [None] * len(self.layers), strict=True):
            x, own, cross = layer(x, seen, **options, cache=cache)
            self_scores.append(own)
            cross_scores.append(cross)
        x = self.finish(x)
        return (x, self_scores, cross_scores) if return_scores else x

    def project_memory(self, memory: Any) -> list[tuple[Any, Any]]:
        """Project the memory to the keys and values of each layer's cross-attention, once for all tokens to come.

        Args:
            memory: float (B, S, D), the output of the encoder.

        Returns:
            A pair of keys and values for each layer, float (B, H, S, K) each.
        """
        pairs = [layer.cross_attention.project_keys_and_values(memory) for layer in self.layers]
        # With mixed precision the weights have 32 bits outside of a layer's call.
        return [(ops.cast(keys, self.compute_dtype), ops.cast(values, self.compute_dtype)) for keys, values in pairs]
