"""The parts of the Transformer, each tested against an independent implementation.

All of it is written in `keras.ops`, so it runs on the TensorFlow, JAX and PyTorch backends of Keras.
"""

from llmcourse.layers.attention import MultiHeadAttention, attention_weights, scaled_dot_product_attention
from llmcourse.layers.masks import PAD, causal_mask, combine_masks, padding_mask, segment_mask
from llmcourse.layers.positional import PositionalEncoding, positional_encoding, segment_positions
from llmcourse.layers.stacks import Decoder, Encoder
from llmcourse.layers.transformer import DecoderLayer, EncoderLayer, FeedForward

__all__ = [
    "PAD",
    "Decoder",
    "DecoderLayer",
    "Encoder",
    "EncoderLayer",
    "FeedForward",
    "MultiHeadAttention",
    "PositionalEncoding",
    "attention_weights",
    "causal_mask",
    "combine_masks",
    "padding_mask",
    "positional_encoding",
    "scaled_dot_product_attention",
    "segment_mask",
    "segment_positions",
]
