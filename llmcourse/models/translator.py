"""The encoder-decoder Transformer, from token ids to logits: the model that translates.

Vaswani et al. (2017), Attention Is All You Need.
"""

import math
from typing import Any

import keras
from keras import ops

from llmcourse.layers.masks import causal_mask, combine_masks, padding_mask, segment_mask
from llmcourse.layers.positional import PositionalEncoding
from llmcourse.layers.stacks import Decoder, Encoder


@keras.saving.register_keras_serializable(package="llmcourse")
class Transformer(keras.Model):
    """Map a source and the beginning of its target to scores for each next token of the target.

    In training the whole target is known, so all T positions are predicted in one pass (teacher forcing): position t
    sees the target up to t, thanks to the causal mask, and predicts t+1. Padding masks are computed from the ids.

    Args:
        source_vocab_size: int, V of the source.
        target_vocab_size: int, V of the target.
        num_layers: int, layers in the encoder, and as many in the decoder.
        d_model: int, even, the width D.
        num_heads: int, H; divides `d_model`.
        d_ff: int, the hidden units of each feed-forward sub-layer.
        dropout: float, the share of entries that training sets to zero: of embeddings, attention weights and what each
            sub-layer adds.
        activation: str, the activation in the feed-forward sub-layers.
        pre_norm: bool, the norm before each sub-layer (Xiong et al. 2020) or after each sum (Vaswani et al. 2017).
        tied_embeddings: bool, whether the logits are dot products with the target embeddings, one matrix for both uses
            (Press & Wolf 2017, Using the Output Embedding to Improve Language Models), or have a matrix of their own.
        shared_embeddings: bool, whether source and target look up their tokens in one table, which a joint vocabulary
            allows (Vaswani et al. 2017, section 3.4).

    Call arguments:
        source_ids: integers (B, S), 0 is padding.
        target_ids: integers (B, T), START first, 0 is padding. `model((source_ids, target_ids))` works as well, and so
            does a tuple with the two segments too: it is the form in which `fit((source_ids, target_ids), labels)`
            passes them.
        source_segments: None, or integers (B, S): several sources stand in a row, see `llmcourse.layers.segment_mask`.
        target_segments: None, or integers (B, T): their targets, each with the number of its source.
        return_scores: bool, whether to return the attention weights too.
        training: bool, whether dropout is on.

    Returns:
        The logits, float32 (B, T, V); with `return_scores` also a dict of lists, one entry for each layer: "encoder"
        (B, H, S, S), "decoder" (B, H, T, T) and "cross" (B, H, T, S).

    Raises:
        ValueError: a number is out of range; the target is missing; segments of one side only.

    Example:
        >>> model = Transformer(11, 13, num_layers=1, d_model=8, num_heads=2, d_ff=16)
        >>> tuple(model(np.array([[5, 7, 3]]), np.array([[2, 6]])).shape)
        (1, 2, 13)
    """

    def __init__(
        self,
        source_vocab_size: int,
        target_vocab_size: int,
        *,
        num_layers: int = 4,
        d_model: int = 128,
        num_heads: int = 4,
        d_ff: int = 512,
        dropout: float = 0.1,
        activation: str = "relu",
        pre_norm: bool = True,
        tied_embeddings: bool = False,
        shared_embeddings: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if min(source_vocab_size, target_vocab_size) < 1 or d_model % 2:
            raise ValueError(
                "vocabularies must have at least 1 token and d_model must be even. "
                f"Received: {source_vocab_size} and {target_vocab_size} tokens, d_model {d_model}."
            )
        if shared_embeddings and source_vocab_size != target_vocab_size:
            raise ValueError(
                "shared_embeddings needs one vocabulary for source and target. "
                f"Received: {source_vocab_size} and {target_vocab_size} tokens."
            )
        stack: dict[str, Any] = {
            "num_layers": num_layers,
            "d_model": d_model,
            "num_heads": num_heads,
            "d_ff": d_ff,
            "dropout": dropout,
            "activation": activation,
            "pre_norm": pre_norm,
        }
        own = {"source_vocab_size": source_vocab_size, "target_vocab_size": target_vocab_size}
        tables = {"tied_embeddings": tied_embeddings, "shared_embeddings": shared_embeddings}
        self.settings: dict[str, Any] = {**own, **stack, **tables}
        self.source_embedding = self._make_embedding("source_embedding", source_vocab_size)
        self.target_embedding = self.source_embedding
        if not shared_embeddings:
            self.target_embedding = self._make_embedding("target_embedding", target_vocab_size)
        self.positions = PositionalEncoding(name="positions", dtype=self.dtype_policy)
        self.dropout = keras.layers.Dropout(dropout, dtype=self.dtype_policy)
        self.encoder = Encoder(**stack, name="encoder", dtype=self.dtype_policy)
        self.decoder = Decoder(**stack, name="decoder", dtype=self.dtype_policy)
        self.to_logits = None
        if not tied_embeddings:
            self.to_logits = keras.layers.Dense(target_vocab_size, name="to_logits", dtype=self.dtype_policy)
        self.build()

    def _make_embedding(self, name: str, vocab_size: int) -> keras.layers.Embedding:
        # After multiplication by sqrt(d_model) the entries have variance 1, as large as the positional encoding; and
        # tied to the output, they give logits of variance 1.
        d_model = self.settings["d_model"]
        normal = keras.initializers.RandomNormal(stddev=d_model**-0.5)
        return keras.layers.Embedding(vocab_size, d_model, normal, name=name, dtype=self.dtype_policy)

    def build(self, source_ids_shape: Any = None, target_ids_shape: Any = None) -> None:
        """Make all weights; they do not depend on the lengths, so the model has them from the start."""
        width = (None, None, self.settings["d_model"])
        self.source_embedding.build((None, None))
        if self.target_embedding is not self.source_embedding:
            self.target_embedding.build((None, None))
        self.encoder.build(width)
        self.decoder.build(width, width)
        if self.to_logits is not None:
            self.to_logits.build(width)

    def call(
        self,
        source_ids: Any,
        target_ids: Any = None,
        source_segments: Any = None,
        target_segments: Any = None,
        return_scores: bool = False,
        training: bool | None = None,
    ) -> Any:
        """Encode the source, decode the target."""
        if target_ids is None:
            if not isinstance(source_ids, (tuple, list)) or len(source_ids) not in (2, 4):
                raise ValueError("The model needs source_ids and target_ids. Received: one input.")
            inputs = (*source_ids, source_segments, target_segments)
            source_ids, target_ids, source_segments, target_segments = inputs[:4]
        states, scores = self.read(
            source_ids, target_ids, source_segments, target_segments, return_scores=True, training=training
        )
        logits = self.score(states)
        return (logits, scores) if return_scores else logits

    def read(
        self,
        source_ids: Any,
        target_ids: Any,
        source_segments: Any = None,
        target_segments: Any = None,
        return_scores: bool = False,
        training: bool | None = None,
    ) -> Any:
        """Compute the states that `score` turns into logits: everything that a call does before its last product.

        Args:
            source_ids, target_ids, source_segments, target_segments, return_scores, training: as in a call.

        Returns:
            The states, float (B, T, D); with `return_scores` also the dict with "encoder", "decoder" and "cross".

        Raises:
            ValueError: segments of one side only.
        """
        if (source_segments is None) != (target_segments is None):
            raise ValueError("Segments are required for both sides or for none. Received: segments of one side.")
        memory, encoder_scores = self.encode(source_ids, source_segments, return_scores=True, training=training)
        states, scores = self._attend(target_ids, memory, source_ids, source_segments, target_segments, training)
        return (states, {"encoder": encoder_scores, **scores}) if return_scores else states

    def encode(
        self, source_ids: Any, segments: Any = None, return_scores: bool = False, training: bool | None = None
    ) -> Any:
        """Read the source once; decoding then uses the result for every token it writes.

        Args:
            source_ids: integers (B, S).
            segments: None, or integers (B, S), where several sources stand in a row.
            return_scores: bool, whether to return the attention weights too.
            training: bool, whether dropout is on.

        Returns:
            The memory, float (B, S, D); with `return_scores` also the weights of each layer, float (B, H, S, S).
        """
        x = self.embed(self.source_embedding, source_ids, training, segments=segments)
        mask = padding_mask(source_ids) if segments is None else segment_mask(segments)
        return self.encoder(x, mask=mask, return_scores=return_scores, training=training)

    def decode(
        self,
        target_ids: Any,
        memory: Any,
        source_ids: Any,
        return_scores: bool = False,
        training: bool | None = None,
    ) -> Any:
        """Score the next token at each position of the target.

        Args:
            target_ids: integers (B, T), START first.
            memory: float (B, S, D), from `encode`.
            source_ids: integers (B, S), for the padding mask of the memory.
            return_scores: bool, whether to return the attention weights too.
            training: bool, whether dropout is on.

        Returns:
            The logits, float32 (B, T, V); with `return_scores` also the dict with "decoder" and "cross".
        """
        states, scores = self._attend(target_ids, memory, source_ids, training=training)
        logits = self.score(states)
        return (logits, scores) if return_scores else logits

    def _attend(
        self,
        target_ids: Any,
        memory: Any,
        source_ids: Any,
        source_segments: Any = None,
        target_segments: Any = None,
        training: bool | None = None,
    ) -> tuple[Any, dict[str, Any]]:
        """Run the decoder: states (B, T, D), and the weights of its two attentions."""
        if target_segments is None:
            own, across = padding_mask(target_ids), padding_mask(source_ids)
        else:
            own, across = segment_mask(target_segments), segment_mask(target_segments, source_segments)
        mask = combine_masks(causal_mask(ops.shape(target_ids)[1]), own)  # (B, 1, T, T)
        x = self.embed(self.target_embedding, target_ids, training, segments=target_segments)
        x, own_scores, cross_scores = self.decoder(x, memory, mask, across, return_scores=True, training=training)
        return x, {"decoder": own_scores, "cross": cross_scores}

    def decode_next(
        self, ids: Any, position: Any, memory: list[tuple[Any, Any]], caches: Any, mask: Any, memory_mask: Any
    ) -> Any:
        """Score the token after each newest one, with the keys and values of all earlier tokens in the caches.

        A sentence may have several newest tokens: one for each of W beginnings that a search follows side by side. All
        stand at the same position; the mask says which places of the cache belong to the beginning of which.

        Args:
            ids: integers (B, W), the newest tokens.
            position: int, where they stand; 0 is the position of START.
            memory: a pair of keys and values for each layer, from `decoder.project_memory`.
            caches: one `KeyValueCache` for each layer; they take in the newest tokens.
            mask: boolean (B, 1, W, places), over the places of the cache.
            memory_mask: boolean (B, 1, 1, S), the padding mask of the source.

        Returns:
            The logits, float32 (B, W, V).
        """
        x = self.embed(self.target_embedding, ops.reshape(ids, (-1, 1)), start=position)  # (B*W, 1, D)
        x = ops.reshape(x, (-1, ops.shape(ids)[1], self.settings["d_model"]))  # (B, W, D)
        return self.score(self.decoder(x, memory, mask=mask, memory_mask=memory_mask, caches=caches))

    def score(self, x: Any) -> Any:
        """Turn what the decoder returns, float (B, T, D), into logits, float32 (B, T, V)."""
        if self.to_logits is None:
            logits = ops.matmul(x, ops.transpose(ops.cast(self.target_embedding.embeddings, x.dtype)))
        else:
            logits = self.to_logits(x)
        return ops.cast(logits, self.variable_dtype)  # the loss needs more digits than 16 bits have

    def embed(
        self,
        embedding: keras.layers.Embedding,
        ids: Any,
        training: bool | None = None,
        start: Any = 0,
        segments: Any = None,
    ) -> Any:
        """Look up the vectors of the tokens, scale them and add the positions: (B, T) becomes (B, T, D)."""
        x = embedding(ids) * math.sqrt(self.settings["d_model"])
        return self.dropout(self.positions(x, start=start, segments=segments), training=training)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal model."""
        return {**super().get_config(), **self.settings}
