"""Train on the same sentences with five ways to write a Transformer: real target tokens per CPU second.

The work: batches of 64 sentence pairs of Multi30k (English to German, 8,000 joint pieces), drawn at random, 4+4 layers
of width 128, feed-forward 256, 4 heads, dropout 0.1. Each contestant trains as its own text does it:

    llmcourse, packed      what `llmcourse train translation` does: rows of several sentences, loss from states
    llmcourse, padded      the same model, each batch filled up to its longest sentence, loss from smoothed logits
    keras_hub              its TransformerEncoder and TransformerDecoder in the frame of our model, `train_on_batch`
    TensorFlow tutorial    "Neural machine translation with a Transformer and Keras": post-norm, each head as wide as
                           the model, as written there; and 32 wide, as in the paper
    keras.io               "English-to-Spanish translation with a sequence-to-sequence Transformer": learned positions,
                           heads as wide as the model, dropout 0.5 before the last layer, RMSprop

The peers are written here from their descriptions. Rounds are interleaved in an order that rotates; the unit is the CPU
time of all threads of the process.

    LLMCOURSE_DATA=DIR python benchmarks/training_speed.py         needs: pip install keras-hub
    LLMCOURSE_DATA=DIR python benchmarks/training_speed.py --variants     what each part of packing brings
"""

import argparse
import itertools
import os
import statistics
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any

import numpy as np

from llmcourse.runtime import available_cores, load_keras, setup

keras = load_keras()
import tensorflow as tf  # noqa: E402
from keras import ops  # noqa: E402

from llmcourse.data import Tokenizer, load_pairs  # noqa: E402
from llmcourse.layers import positional_encoding  # noqa: E402
from llmcourse.models.translator import Transformer  # noqa: E402
from llmcourse.training.losses import label_smoothed_loss, loss_from_states  # noqa: E402
from llmcourse.training.packing import ROW, PackedBatches  # noqa: E402

LAYERS, WIDTH, HIDDEN, HEADS, DROPOUT, PIECES, BATCH = 4, 128, 256, 4, 0.1, 8_000, 64
OURS = "llmcourse, packed"
Batch = tuple[np.ndarray, np.ndarray, np.ndarray]
Work = Callable[[], None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="rounds; medians are over these (default 7)")
    parser.add_argument("--batches", type=int, default=6, help="batches of 64 pairs in a round (default 6)")
    parser.add_argument("--variants", action="store_true", help="compare ways to pack, not peers")
    options = parser.parse_args()
    setup(seed=0)
    pairs = load_pairs("multi30k", "de", tokenized=True).train
    tokenizer = Tokenizer.train([*pairs.sources, *pairs.targets], PIECES)
    chosen = np.random.default_rng(0).permutation(len(pairs))[: options.batches * BATCH]
    sides = [[tokenizer.encode(side[place]) for place in chosen] for side in (pairs.sources, pairs.targets)]
    tokens = sum(len(target) + 1 for target in sides[1])
    works = variants(*sides) if options.variants else contestants(*sides)
    print(f"{available_cores()} cores, load {os.getloadavg()[0]:.1f}, {time.strftime('%Y-%m-%d')}, ", end="")
    print(
        f"TensorFlow {version('tensorflow')}, Keras {version('keras')}; {len(chosen)} pairs, {tokens:,} target tokens"
    )
    report(measure(works, options.rounds), tokens)


def contestants(sources: list[list[int]], targets: list[list[int]]) -> dict[str, Work]:
    """Build all contestants; each one trains once over the same pairs when it is called."""
    batches = []
    for start in range(0, len(sources), BATCH):
        source, target = (fill(side[start : start + BATCH]) for side in (sources, targets))
        inputs = np.pad(target, ((0, 0), (1, 0)), constant_values=2)[:, :-1]  # START in front
        inputs[(target == 0) | (inputs == 3)] = 0
        batches.append((source, inputs, target))
    works = {OURS: train_packed(sources, targets), "llmcourse, padded": train_padded(batches)}
    works["keras_hub"] = on_batches(hub_model(), label_smoothed_loss, batches)
    works["TensorFlow tutorial, heads of 128"] = on_batches(TutorialTransformer(WIDTH), masked_loss, batches)
    works["TensorFlow tutorial, heads of 32"] = on_batches(TutorialTransformer(WIDTH // HEADS), masked_loss, batches)
    works["keras.io"] = on_batches(keras_io_model(batches), masked_loss, batches, keras.optimizers.RMSprop())
    return works


def fill(rows: list[list[int]]) -> np.ndarray:
    """Make one array of ids with END, filled up with 0."""
    longest = max(map(len, rows)) + 1
    return np.array([[*row, 3] + [0] * (longest - 1 - len(row)) for row in rows], dtype="int32")


# --- ours ---


def make_ours(dropout: float = DROPOUT) -> Transformer:
    return Transformer(
        PIECES,
        PIECES,
        num_layers=LAYERS,
        d_model=WIDTH,
        num_heads=HEADS,
        d_ff=HIDDEN,
        dropout=dropout,
        tied_embeddings=True,
        shared_embeddings=True,
    )


def compile_step(model: Transformer, loss: Callable[..., Any], jit: bool = False) -> Any:
    """Compile a step of Adam on a batch, given as arrays, for batches of all lengths."""
    optimizer = keras.optimizers.Adam(1e-4, beta_2=0.98, epsilon=1e-9, global_clipnorm=1.0)
    optimizer.build(model.trainable_variables)

    def step(*batch: Any) -> Any:
        with tf.GradientTape() as tape:
            value = loss(*batch)
        optimizer.apply(tape.gradient(value, model.trainable_variables), model.trainable_variables)
        return value

    return tf.function(step, autograph=False, reduce_retracing=not jit, jit_compile=jit)


def train_packed(
    sources: list[list[int]],
    targets: list[list[int]],
    *,
    row: int = ROW,
    dropout: float = DROPOUT,
    jit: bool = False,
    smoothed_logits: bool = False,
) -> Work:
    """Train on packed rows, with as many tokens in a batch as 64 sentences have."""
    packed = list(PackedBatches(sources, targets, batch_tokens=1_024, max_length=64, row=row).epoch(0, 0))
    model = make_ours(dropout)

    def loss(source: Any, source_segments: Any, inputs: Any, labels: Any, target_segments: Any) -> Any:
        states = model.read(source, inputs, source_segments, target_segments, training=True)
        if smoothed_logits:
            return label_smoothed_loss(labels, model.score(states))
        return loss_from_states(labels, states, model.target_embedding.embeddings)

    step = compile_step(model, loss, jit)
    return lambda: run(step, packed)


def train_padded(batches: list[Batch]) -> Work:
    model = make_ours()
    step = compile_step(
        model, lambda source, inputs, labels: label_smoothed_loss(labels, model(source, inputs, training=True))
    )
    return lambda: run(step, batches)


def run(step: Any, batches: Any) -> None:
    for batch in batches:
        value = step(*map(tf.constant, batch))
    if not np.isfinite(float(value)):
        raise SystemExit("The loss must stay finite.")


def variants(sources: list[list[int]], targets: list[list[int]]) -> dict[str, Work]:
    """Take away or add one thing at a time."""
    changes: dict[str, dict[str, Any]] = {
        OURS: {},
        "rows of 64 in place of 32": {"row": 64},
        "loss from smoothed logits": {"smoothed_logits": True},
        "compiled by XLA": {"jit": True},
        "without dropout": {"dropout": 0.0},
    }
    return {name: train_packed(sources, targets, **change) for name, change in changes.items()}


# --- peers ---


def on_batches(model: Any, loss: Any, batches: list[Batch], optimizer: Any = None) -> Work:
    """Train as Keras does by itself: compile, then a call for each batch."""
    model.compile(optimizer or keras.optimizers.Adam(1e-4, beta_2=0.98, epsilon=1e-9), loss=loss)

    def work() -> None:
        for source, inputs, labels in batches:
            value = model.train_on_batch((source, inputs), labels)
        if not np.isfinite(value):
            raise SystemExit("The loss must stay finite.")

    return work


def masked_loss(labels: Any, logits: Any) -> Any:
    """Average the cross-entropy over real tokens, as the tutorial does."""
    losses = ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)
    real = ops.cast(ops.not_equal(labels, 0), losses.dtype)
    return ops.sum(losses * real) / ops.sum(real)


def hub_model() -> Any:
    """Put keras_hub's layers into the frame of our model."""
    from transformer_step import HUB, build_models

    options = {"vocabulary": PIECES, "layers": LAYERS, "d_model": WIDTH, "heads": HEADS, "d_ff": HIDDEN}
    return build_models(SimpleNamespace(**options, dropout=DROPOUT, no_hub=False))[HUB]  # type: ignore[arg-type]


class TutorialBlock(keras.layers.Layer):
    """Post-norm: each sub-layer's output is added to its input and normalised."""

    def __init__(self, key_dim: int, cross: bool, width: int, hidden: int, heads: int):
        super().__init__()
        self.own = keras.layers.MultiHeadAttention(heads, key_dim, dropout=DROPOUT)
        self.cross = keras.layers.MultiHeadAttention(heads, key_dim, dropout=DROPOUT) if cross else None
        self.network = keras.Sequential(
            [keras.layers.Dense(hidden, activation="relu"), keras.layers.Dense(width), keras.layers.Dropout(DROPOUT)]
        )
        self.norms = [keras.layers.LayerNormalization() for _ in range(3 if cross else 2)]
        self.supports_masking = True

    def call(self, x: Any, memory: Any = None) -> Any:
        x = self.norms[0](x + self.own(x, x, use_causal_mask=self.cross is not None))
        if self.cross is not None:
            x = self.norms[1](x + self.cross(x, memory))
        return self.norms[-1](x + self.network(x))


class TutorialTransformer(keras.Model):
    """The tutorial's model: tables with `mask_zero`, sinusoids, and a dense layer to the vocabulary."""

    def __init__(
        self,
        key_dim: int,
        pieces: int = PIECES,
        layers: int = LAYERS,
        width: int = WIDTH,
        hidden: int = HIDDEN,
        heads: int = HEADS,
    ):
        super().__init__()
        self.tables = [keras.layers.Embedding(pieces, width, mask_zero=True) for _ in range(2)]
        self.codes = positional_encoding(256, width)
        self.dropout = keras.layers.Dropout(DROPOUT)
        sizes = {"width": width, "hidden": hidden, "heads": heads}
        self.encoder = [TutorialBlock(key_dim, cross=False, **sizes) for _ in range(layers)]
        self.decoder = [TutorialBlock(key_dim, cross=True, **sizes) for _ in range(layers)]
        self.to_logits = keras.layers.Dense(pieces)

    def embed(self, table: Any, ids: Any) -> Any:
        x = table(ids)
        moved = x * x.shape[-1] ** 0.5 + self.codes[: ops.shape(ids)[1]]
        moved._keras_mask = x._keras_mask
        return self.dropout(moved)

    def call(self, inputs: Any) -> Any:
        source, target = inputs
        memory, x = self.embed(self.tables[0], source), self.embed(self.tables[1], target)
        for layer in self.encoder:
            memory = layer(memory)
        for layer in self.decoder:
            x = layer(x, memory)
        return self.to_logits(x)


def keras_io_model(batches: list[Batch]) -> Any:
    """Build the example's model, with as many layers as the others have."""
    longest = max(max(source.shape[1], inputs.shape[1]) for source, inputs, _ in batches)
    source, target = (keras.Input((None,), dtype="int32") for _ in range(2))

    def embed(ids: Any) -> Any:
        table = keras.layers.Embedding(PIECES, WIDTH, mask_zero=True)
        positions = keras.layers.Embedding(longest, WIDTH)
        return keras.layers.Add()([table(ids), positions(ops.cumsum(ops.ones_like(ids), axis=1) - 1)])

    def attend(x: Any, memory: Any, causal: bool = False) -> Any:
        found = keras.layers.MultiHeadAttention(HEADS, WIDTH)(x, memory, use_causal_mask=causal)
        return keras.layers.LayerNormalization()(x + found)

    def feed(x: Any) -> Any:
        found = keras.layers.Dense(WIDTH)(keras.layers.Dense(HIDDEN, activation="relu")(x))
        return keras.layers.LayerNormalization()(x + found)

    memory, x = embed(source), embed(target)
    for _ in range(LAYERS):
        memory = feed(attend(memory, memory))
    for _ in range(LAYERS):
        x = feed(attend(attend(x, x, causal=True), memory))
    return keras.Model([source, target], keras.layers.Dense(PIECES)(keras.layers.Dropout(0.5)(x)))


# --- measuring ---


def measure(works: Mapping[str, Work], rounds: int) -> dict[str, list[float]]:
    """Return the CPU seconds of each round for each contestant, after two that are not counted."""
    names = list(works)
    for name in names:
        for _ in range(2):  # the second compiles what the first saw only once
            works[name]()
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for index in range(rounds):
        shift = index % len(names)
        for name in itertools.chain(names[shift:], names[:shift]):
            start = time.process_time()
            works[name]()
            seconds[name].append(time.process_time() - start)
    return seconds


def report(seconds: Mapping[str, list[float]], tokens: int) -> None:
    """Print the table: medians over the rounds, and the median of the rounds' ratios to ours."""
    print("\n| | target tokens per CPU second | llmcourse, packed, is faster by a factor of (quartiles) |")
    print("| --- | ---: | ---: |")
    for name, values in seconds.items():
        ratios = [theirs / ours for theirs, ours in zip(values, seconds[OURS], strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
        ratio = "" if name == OURS else f"{middle:.2f} ({low:.2f} to {high:.2f})"
        print(f"| {name} | {tokens / statistics.median(values):,.0f} | {ratio} |")


if __name__ == "__main__":
    main()
