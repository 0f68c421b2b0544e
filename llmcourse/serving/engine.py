"""A trained Transformer in NumPy: it answers before a deep-learning library would have been imported.

The whole forward pass of an encoder-decoder model stands here once, from token ids to logits, as the lessons build it
up: embedding and positions, attention in heads, the feed-forward network, short cuts and norms, the key/value cache.
The search around it is the one of `llmcourse.decoding`, which asks any model for the best next tokens.

Vaswani et al. (2017), Attention Is All You Need.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from llmcourse.data.token_ids import PAD
from llmcourse.models.saved import ModelFolderError, read_translator

if TYPE_CHECKING:
    from llmcourse.data.tokenizer import Tokenizer

Array = np.ndarray
NORM_EPSILON = 1e-5
FEW = 64  # so many best tokens are found quicker one after the other
ACTIVATIONS: dict[str, Callable[[Array], Array]] = {"relu": lambda x: np.maximum(x, 0, out=x)}  # in place


def softmax(scores: Array) -> Array:
    """Turn scores into weights that sum to 1 over the last axis."""
    odds = scores - scores.max(axis=-1, keepdims=True)
    np.exp(odds, out=odds)
    odds /= odds.sum(axis=-1, keepdims=True)
    return odds


def positional_encoding(length: int, width: int, start: int = 0) -> Array:
    """Compute the codes of positions: float32 (T, D), a sine and a cosine of each of D/2 speeds."""
    angles = np.arange(start, start + length)[:, None] * 10_000.0 ** (-np.arange(0, width, 2) / width)  # (T, D/2)
    return np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(length, width).astype(np.float32)


@dataclass(frozen=True)
class Affine:
    """A matrix (inputs, outputs) and a bias (outputs,), or none."""

    kernel: Array
    bias: Array | None

    def __call__(self, x: Array) -> Array:
        """Map the last axis: (..., inputs) becomes (..., outputs)."""
        y = x.reshape(-1, x.shape[-1]) @ self.kernel  # one large product, where (B, T, inputs) would make B small ones
        if self.bias is not None:
            y += self.bias
        return y.reshape(*x.shape[:-1], y.shape[-1])


@dataclass(frozen=True)
class Norm:
    """Layer normalisation: mean 0 and variance 1 over the last axis, then a learned scale and shift, (D,) each."""

    gamma: Array
    beta: Array

    def __call__(self, x: Array) -> Array:
        """Normalise each vector by itself: (..., D) stays (..., D)."""
        y = x - x.mean(axis=-1, keepdims=True)
        variance = np.einsum("...d,...d->...", y, y)[..., None] / np.float32(x.shape[-1])
        y /= np.sqrt(variance + np.float32(NORM_EPSILON))
        y *= self.gamma
        y += self.beta
        return y


@dataclass(frozen=True)
class Attention:
    """Multi-head attention: a soft lookup in each of H heads.

    The maps to queries, keys and values stand side by side, a matrix (D, 3D) and a bias (3D,): one product of that
    size is quicker than three.
    """

    kernel: Array
    bias: Array
    output: Affine
    heads: int

    def project(self, x: Array, first: int = 0, last: int = 3) -> Array:
        """Map (B, T, D) to queries, keys and values, or some of the three: (parts, B, H, T, K)."""
        batch, length, width = x.shape
        columns = slice(first * width, last * width)
        y = Affine(self.kernel[:, columns], self.bias[columns])(x)  # (B, T, parts * D)
        return y.reshape(batch, length, last - first, self.heads, width // self.heads).transpose(2, 0, 3, 1, 4)

    def attend(self, queries: Array, keys: Array, values: Array, mask: Array | None) -> Array:
        """Average values by how well their keys answer each query.

        Args:
            queries: float32 (B, H, T, K).
            keys: float32 (B, H, S, K).
            values: float32 (B, H, S, K).
            mask: boolean that broadcasts to (B, H, T, S), True for "may attend", or None.

        Returns:
            Float32 (B, T, D).
        """
        batch, heads, length, width = queries.shape
        scores = queries @ keys.swapaxes(-1, -2)  # (B, H, T, S)
        scores *= np.float32(1 / math.sqrt(width))
        weights = softmax(scores if mask is None else np.where(mask, scores, np.float32(-1e9)))
        found = (weights @ values).swapaxes(1, 2)  # (B, T, H, K)
        return self.output(found.reshape(batch, length, heads * width))


@dataclass(frozen=True)
class SubLayer:
    """What attention or the feed-forward network needs around it: a norm, and a short cut."""

    work: Any
    norm: Norm
    pre_norm: bool

    def __call__(self, x: Array, work: Callable[[Array], Array]) -> Array:
        """Add what the work finds to x, with the norm before the work or after the sum."""
        y = work(self.norm(x) if self.pre_norm else x)
        y += x
        return y if self.pre_norm else self.norm(y)


class NumpyTransformer:
    """The encoder-decoder Transformer of `llmcourse.models`, for use only: no gradients, no dropout.

    Args:
        settings: the model's sizes, as config.json of a model folder has them.
        arrays: the weights in the order of the Keras model's `weights`.

    Raises:
        ValueError: an activation that is not known here, or weights that do not fit the sizes.

    Example:
        >>> model, tokenizer, card = load_engine()  # doctest: +SKIP
        >>> Translator(model, tokenizer).translate(["Thank you."])  # doctest: +SKIP
        ['谢谢你。']
    """

    def __init__(self, settings: Mapping[str, Any], arrays: Iterator[Array]):
        if settings["activation"] not in ACTIVATIONS:
            known = ", ".join(ACTIVATIONS)
            raise ValueError(f"activation must be one of {known}. Received: {settings['activation']!r}.")
        self.settings = dict(settings)
        self.bend = ACTIVATIONS[settings["activation"]]
        self._arrays = arrays
        width, pre_norm, layers = settings["d_model"], settings["pre_norm"], range(settings["num_layers"])
        self.source_table = self._take(settings["source_vocab_size"], width)
        self.target_table = self.source_table
        if not settings["shared_embeddings"]:
            self.target_table = self._take(settings["target_vocab_size"], width)
        self.encoder = [self._sub_layers("own", "network") for _ in layers]
        self.encoder_norm = self._norm() if pre_norm else None
        self.decoder = [self._sub_layers("own", "cross", "network") for _ in layers]
        self.decoder_norm = self._norm() if pre_norm else None
        if settings["tied_embeddings"]:
            self.to_logits = Affine(np.ascontiguousarray(self.target_table.T), None)
        else:
            self.to_logits = self._affine(width, settings["target_vocab_size"])
        if next(arrays, None) is not None:
            raise ValueError("the model has more weights than its sizes ask for")

    @classmethod
    def of(cls, model: Any) -> "NumpyTransformer":
        """Take the sizes and the present weights of a Keras model: it then translates faster.

        Args:
            model: a `llmcourse.models.translator.Transformer`; it may go on learning, the copy stays as it is.
        """
        return cls(model.settings, iter(model.get_weights()))

    # --- weights, in the order in which Keras keeps them ---

    def _take(self, *shape: int) -> Array:
        array = next(self._arrays, None)
        if array is None or array.shape != shape:
            received = "none" if array is None else f"shape {array.shape}"
            raise ValueError(f"a weight of shape {shape} is required. Received: {received}")
        return array

    def _affine(self, inputs: int, outputs: int) -> Affine:
        return Affine(self._take(inputs, outputs), self._take(outputs))

    def _norm(self) -> Norm:
        width = self.settings["d_model"]
        return Norm(self._take(width), self._take(width))

    def _attention(self) -> Attention:
        width, heads = self.settings["d_model"], self.settings["num_heads"]
        split = heads, width // heads
        kernels, biases = zip(*((self._take(width, *split), self._take(*split)) for _ in range(3)), strict=True)
        kernel, bias = np.stack(kernels, axis=1), np.stack(biases)  # (D, 3, H, K) and (3, H, K)
        output = Affine(self._take(*split, width).reshape(width, width), self._take(width))
        return Attention(kernel.reshape(width, -1), bias.ravel(), output, heads)

    def _network(self) -> Callable[[Array], Array]:
        width, hidden = self.settings["d_model"], self.settings["d_ff"]
        widen, narrow = self._affine(width, hidden), self._affine(hidden, width)
        return lambda x: narrow(self.bend(widen(x)))

    def _sub_layers(self, *names: str) -> dict[str, SubLayer]:
        made = {}
        for name in names:
            work = self._network() if name == "network" else self._attention()
            made[name] = SubLayer(work, self._norm(), self.settings["pre_norm"])
        return made

    # --- the forward pass ---

    def embed(self, table: Array, ids: Array, start: int = 0) -> Array:
        """Look up the vectors of the tokens, scale them and add the positions: (B, T) becomes (B, T, D)."""
        width = table.shape[1]
        return table[ids] * np.float32(math.sqrt(width)) + positional_encoding(ids.shape[1], width, start)

    def encode(self, source: Array) -> Array:
        """Read the sources (B, S); return the memory (B, S, D)."""
        mask = (source != PAD)[:, None, None, :]
        x = self.embed(self.source_table, source)
        for layer in self.encoder:
            own, network = layer["own"], layer["network"]

            def look_around(y: Array, work: Attention = own.work) -> Array:
                queries, keys, values = work.project(y)
                return work.attend(queries, keys, values, mask)

            x = own(x, look_around)
            x = network(x, network.work)
        return x if self.encoder_norm is None else self.encoder_norm(x)

    def project_memory(self, memory: Array) -> list[Array]:
        """Project the memory to the keys and values of each decoder layer, once for all tokens to come."""
        return [layer["cross"].work.project(memory, 1) for layer in self.decoder]

    def decode(
        self,
        x: Array,
        memory: list[Array],
        memory_mask: Array,
        remember: Callable[[int, Array], Array],
        mask: Array | None,
    ) -> Array:
        """Run the decoder layers and score the next tokens.

        Args:
            x: float32 (R, T, D), embedded tokens; R is B, or a multiple of it: several beginnings of each sentence.
            memory: the keys and values of the source for each layer, (2, B, H, S, K).
            memory_mask: boolean (B, 1, 1, S), the source without its padding.
            remember: takes the number of a layer and its new keys and values, (2, R, H, T, K); returns all that may be
                attended to, (2, R, H, all, K).
            mask: boolean that broadcasts to (R, H, T, all), or None.

        Returns:
            The logits, float32 (R, T, V).
        """
        for number, (layer, seen) in enumerate(zip(self.decoder, memory, strict=True)):
            own, cross, network = layer["own"], layer["cross"], layer["network"]

            def look_back(y: Array, work: Attention = own.work, number: int = number) -> Array:
                found = work.project(y)
                keys, values = remember(number, found[1:])
                return work.attend(found[0], keys, values, mask)

            def look_at_source(y: Array, work: Attention = cross.work, seen: Array = seen) -> Array:
                together = y.reshape(len(memory_mask), -1, y.shape[-1])  # all beginnings of a sentence ask one memory
                [queries], (keys, values) = work.project(together, 0, 1), seen
                return work.attend(queries, keys, values, memory_mask).reshape(y.shape)

            x = own(x, look_back)
            x = cross(x, look_at_source)
            x = network(x, network.work)
        return self.to_logits(x if self.decoder_norm is None else self.decoder_norm(x))

    def __call__(self, source: Array, target: Array) -> Array:
        """Score the next token at each position of whole targets, as the Keras model does: (B, T, V)."""
        source, target = np.asarray(source), np.asarray(target)
        mask = np.tri(target.shape[1], dtype=bool) & (target != PAD)[:, None, None, :]
        return self.decode(
            self.embed(self.target_table, target),
            self.project_memory(self.encode(source)),
            (source != PAD)[:, None, None, :],
            lambda number, new: new,
            mask,
        )

    def start_steps(self, source: Array, width: int, count: int) -> "Steps":
        """Begin a search that follows `width` beginnings of each sentence; see `llmcourse.decoding.advance`."""
        return Steps(self, source, width, count)


class Steps:
    """One search over a batch: W beginnings of each of B sentences, with their keys and values so far.

    Args:
        model: the model.
        source: integers (B, S), 0 is padding.
        width: W, how many beginnings of each sentence are followed.
        count: how many next tokens are wanted for each beginning.
    """

    def __init__(self, model: NumpyTransformer, source: Array, width: int, count: int):
        self.model, self.width, self.count, self.position = model, width, count, 0
        self.memory = model.project_memory(model.encode(source))
        self.memory_mask = (source != PAD)[:, None, None, :]
        self.caches: list[Array] = []  # keys and values of each layer, (2, B*W, H, T, K)
        self.real = np.zeros((len(source) * width, 0), dtype=bool)  # the earlier tokens that are not padding

    def advance(self, tokens: Array, parents: Array) -> tuple[Array, Array]:
        """Append one token to each beginning and find the best ones to come next.

        Args:
            tokens: integers (B, W), the newest token of each beginning.
            parents: integers (B, W), which of the former W beginnings each one continues.

        Returns:
            Log-probabilities, float32 (B, W, C), largest first, and their tokens, int32 (B, W, C).

        Raises:
            ValueError: the model's scores are not numbers.
        """
        rows = (np.arange(len(parents))[:, None] * self.width + parents).ravel()
        newest = tokens.reshape(-1, 1)  # (B*W, 1)
        self.real = np.concatenate([self.real[rows], newest != PAD], axis=1)
        stay = (parents == np.arange(self.width)).all()  # each beginning continues the one in its own place
        grown: list[Array] = []

        def remember(number: int, new: Array) -> Array:
            if self.caches:
                former = self.caches[number] if stay else self.caches[number][:, rows]
                new = np.concatenate([former, new], axis=3)
            grown.append(new)
            return new

        x = self.model.embed(self.model.target_table, newest, self.position)
        mask = None if self.real.all() else self.real[:, None, None, :]
        logits = self.model.decode(x, self.memory, self.memory_mask, remember, mask)[:, 0]  # (B*W, V)
        self.caches, self.position = grown, self.position + 1
        return tuple(part.reshape(*parents.shape, -1) for part in best_next(logits, self.count))  # type: ignore[return-value]

    def keep(self, rows: Array) -> None:
        """Go on with some sentences of the batch only, by their numbers `rows`."""
        stay = (rows[:, None] * self.width + np.arange(self.width)).ravel()
        self.memory = [seen[:, rows] for seen in self.memory]
        self.caches = [cache[:, stay] for cache in self.caches]
        self.memory_mask, self.real = self.memory_mask[rows], self.real[stay]


def best_next(logits: Array, count: int) -> tuple[Array, Array]:
    """Find the tokens with the highest logits: (R, V) becomes log-probabilities and tokens, (R, C) each.

    Raises:
        ValueError: the logits are not numbers.
    """
    top = logits.max(axis=-1, keepdims=True)
    if np.isnan(top).any():
        raise ValueError("The logits of the model must be numbers. Received: NaN.")
    total = top + np.log(np.exp(logits - top).sum(axis=-1, keepdims=True))
    rows, count = np.arange(len(logits))[:, None], min(count, logits.shape[-1])
    if count <= FEW:
        left, tokens = logits.copy(), np.empty((len(logits), count), dtype=np.int32)
        for place in range(count):
            tokens[:, place] = left.argmax(axis=-1)
            left[rows, tokens[:, place, None]] = -np.inf
    else:
        tokens = np.sort(np.argpartition(-logits, count - 1, axis=-1)[:, :count], axis=-1)
        order = np.argsort(-logits[rows, tokens], axis=-1, kind="stable")
        tokens = tokens[rows, order].astype(np.int32)
    return logits[rows, tokens] - total, tokens


def load_engine(folder: Path | None = None) -> "tuple[NumpyTransformer, Tokenizer, dict[str, Any]]":
    """Read a model folder without Keras; no code in its files can run.

    Args:
        folder: as `llmcourse.models.saved.save_translator` wrote it, or the folder of a training run; None for the
            small English-Chinese model inside the package.

    Returns:
        The model, its tokenizer, and the card's facts.

    Raises:
        ModelFolderError: the folder is missing or half written, of another version, or its files do not belong
            together.
    """
    files = read_translator(folder)
    try:
        model = NumpyTransformer(files.settings, iter(files.arrays().values()))
    except Exception as error:  # NumPy and zipfile raise many unrelated types for what does not fit
        raise ModelFolderError(
            f"A model and weights that fit are required. Received: {files.folder}, {error}."
        ) from None
    return model, files.tokenizer, files.card
