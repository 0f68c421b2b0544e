"""Time a training step of the encoder-decoder Transformer beside two others that compute the same function.

The three models differ only in their encoder and decoder layers: ours, those of keras_hub, and layers written on
`keras.layers.MultiHeadAttention`. Embeddings, positions, logits, loss and optimizer are shared code. All start from the
same weights and must give the same logits before anything is timed. Dropout acts in the same places in all three.

Rounds are interleaved: in each one every model takes the same number of steps, in an order that rotates, so that a busy
machine slows all of them. The unit is tokens per CPU second: real tokens of source and target (no packing, padding is
not counted), by the CPU time of all threads of the process.

    python benchmarks/transformer_step.py            needs: pip install keras-hub
    python benchmarks/transformer_step.py --jit      with XLA
"""

import argparse
import math
import statistics
import time
from importlib.metadata import version
from typing import Any

import numpy as np

from llmcourse.runtime import available_cores, load_keras, setup

keras = load_keras()
from keras import ops  # noqa: E402

from llmcourse.layers import PositionalEncoding  # noqa: E402
from llmcourse.layers.transformer import NORM_EPSILON  # noqa: E402
from llmcourse.models.translator import Transformer  # noqa: E402
from llmcourse.training.losses import label_smoothed_loss  # noqa: E402

OURS, HUB, KERAS = "llmcourse", "keras_hub", "keras MultiHeadAttention"


def main() -> None:
    options = read_options()
    setup(seed=0, precision=options.precision)
    source, target, labels = make_batch(options)
    tokens = int((source != 0).sum() + (labels != 0).sum())
    models = build_models(options)
    check_equal(models, source, target)
    for model in models.values():
        optimizer = keras.optimizers.Adam(1e-4)
        model.compile(optimizer, loss=label_smoothed_loss, jit_compile=options.jit)
        model.optimizer.build(model.trainable_variables)  # before tracing: halves the time it takes
        take_steps(model, source, target, labels, steps=3)  # traces the graph, fills the caches
    print(f"{available_cores()} cores, TensorFlow {version('tensorflow')}, keras-hub {version_of_hub(models)}")
    print(f"{options.layers}+{options.layers} layers, d_model {options.d_model}, d_ff {options.d_ff}, ", end="")
    print(f"{options.heads} heads, vocabulary {options.vocabulary}, dropout {options.dropout}, ", end="")
    print(f"{options.precision}, XLA {'on' if options.jit else 'off'}")
    print(f"batch {source.shape[0]}, source {source.shape[1]}, target {target.shape[1]}, {tokens} real tokens a step")
    report(measure(models, (source, target, labels), options), tokens, options.steps)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").split("\n\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15, help="rounds; medians are over these")
    parser.add_argument("--steps", type=int, default=4, help="training steps of each model in a round")
    parser.add_argument("--batch", type=int, default=64, help="sentence pairs in a batch")
    parser.add_argument("--length", type=int, default=32, help="longest source; sentences have half to all of it")
    parser.add_argument("--vocabulary", type=int, default=4000, help="tokens of source and of target")
    parser.add_argument("--layers", type=int, default=4, help="layers of the encoder, and as many of the decoder")
    parser.add_argument("--d-model", type=int, default=128, help="width of the model")
    parser.add_argument("--d-ff", type=int, default=256, help="hidden units of the feed-forward sub-layers")
    parser.add_argument("--heads", type=int, default=4, help="attention heads")
    parser.add_argument("--dropout", type=float, default=0.1, help="share of entries that training sets to zero")
    parser.add_argument("--precision", default="float32", help="float32, mixed_bfloat16 or mixed_float16")
    parser.add_argument("--jit", action="store_true", help="compile the steps with XLA")
    parser.add_argument("--no-hub", action="store_true", help="leave keras_hub out")
    return parser.parse_args()


def make_batch(options: argparse.Namespace) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw sentences of different lengths: source (B, S), target (B, T) from START on, labels (B, T) up to END."""
    rng = np.random.default_rng(0)
    source = rng.integers(4, options.vocabulary, size=(options.batch, options.length))
    words = rng.integers(4, options.vocabulary, size=(options.batch, options.length - 2))
    lengths = rng.integers(options.length // 2, options.length - 1, size=options.batch)
    source[np.arange(options.length) >= lengths[:, None]] = 0
    places = np.arange(words.shape[1] + 1)
    target = np.where(places <= lengths[:, None], np.insert(words, 0, 2, axis=1), 0)
    labels = np.where(places < lengths[:, None], np.append(words, np.full((options.batch, 1), 3), axis=1), 0)
    labels[np.arange(options.batch), lengths] = 3
    return source.astype("int32"), target.astype("int32"), labels.astype("int32")


class KerasBlock(keras.layers.Layer):
    """A pre-norm encoder layer or, with `cross=True`, decoder layer on Keras' own attention layer."""

    def __init__(self, options: argparse.Namespace, cross: bool, **kwargs: Any):
        super().__init__(**kwargs)
        self.cross = cross
        self.attentions = []
        self.attention_norms = []
        for _ in range(2 if cross else 1):
            key_dim = options.d_model // options.heads
            self.attentions.append(keras.layers.MultiHeadAttention(options.heads, key_dim, dropout=options.dropout))
            self.attention_norms.append(keras.layers.LayerNormalization(epsilon=NORM_EPSILON))
        self.hidden = keras.layers.Dense(options.d_ff, activation="relu")
        self.out = keras.layers.Dense(options.d_model)
        self.norm = keras.layers.LayerNormalization(epsilon=NORM_EPSILON)
        self.dropout = keras.layers.Dropout(options.dropout)
        self.supports_masking = True

    def call(
        self, x: Any, memory: Any = None, padding: Any = None, source_padding: Any = None, training: bool | None = None
    ) -> Any:
        y = self.attention_norms[0](x)
        y = self.attentions[0](y, y, attention_mask=padding[:, None, :], use_causal_mask=self.cross)
        x = x + self.dropout(y)
        if self.cross:
            y = self.attention_norms[1](x)
            x = x + self.dropout(self.attentions[1](y, memory, attention_mask=source_padding[:, None, :]))
        return x + self.dropout(self.out(self.hidden(self.norm(x))))


class Peer(keras.Model):
    """The frame of our Transformer around the layers of others."""

    def __init__(self, options: argparse.Namespace, encoder: list[Any], decoder: list[Any], hub: bool):
        super().__init__()
        self.hub = hub
        self.scale = math.sqrt(options.d_model)
        self.embeddings = [keras.layers.Embedding(options.vocabulary, options.d_model) for _ in range(2)]
        self.positions = PositionalEncoding()
        self.dropout = keras.layers.Dropout(options.dropout)
        self.encoder, self.decoder = encoder, decoder
        self.norms = [keras.layers.LayerNormalization(epsilon=NORM_EPSILON) for _ in range(2)]
        self.to_logits = keras.layers.Dense(options.vocabulary)

    def call(self, inputs: Any, training: bool | None = None) -> Any:  # without `training`, fit turns dropout off
        source, target = inputs
        source_real, target_real = ops.not_equal(source, 0), ops.not_equal(target, 0)
        x = self.dropout(self.positions(self.embeddings[0](source) * self.scale))
        for layer in self.encoder:
            x = layer(x, padding_mask=source_real) if self.hub else layer(x, padding=source_real)
        memory = self.norms[0](x)
        x = self.dropout(self.positions(self.embeddings[1](target) * self.scale))
        for layer in self.decoder:
            if self.hub:
                x = layer(x, memory, decoder_padding_mask=target_real, encoder_padding_mask=source_real)
            else:
                x = layer(x, memory, padding=target_real, source_padding=source_real)
        return ops.cast(self.to_logits(self.norms[1](x)), "float32")


def build_models(options: argparse.Namespace) -> dict[str, Any]:
    """Build the three models."""
    models: dict[str, Any] = {
        OURS: Transformer(
            options.vocabulary,
            options.vocabulary,
            num_layers=options.layers,
            d_model=options.d_model,
            num_heads=options.heads,
            d_ff=options.d_ff,
            dropout=options.dropout,
        )
    }
    if not options.no_hub:
        import keras_hub

        settings = {"dropout": options.dropout, "normalize_first": True, "layer_norm_epsilon": NORM_EPSILON}
        encoder, decoder = (
            [kind(options.d_ff, options.heads, **settings) for _ in range(options.layers)]
            for kind in (keras_hub.layers.TransformerEncoder, keras_hub.layers.TransformerDecoder)
        )
        models[HUB] = Peer(options, encoder, decoder, hub=True)
    encoder, decoder = ([KerasBlock(options, cross) for _ in range(options.layers)] for cross in (False, True))
    models[KERAS] = Peer(options, encoder, decoder, hub=False)
    return models


def check_equal(models: dict[str, Any], source: np.ndarray, target: np.ndarray) -> None:
    """Give all models the same weights and require the same logits at all real positions."""
    ours = models[OURS]
    rng = np.random.default_rng(1)
    ours.set_weights([w + rng.normal(scale=0.03, size=w.shape) for w in ours.get_weights()])  # biases too must count
    expected = ops.convert_to_numpy(ours((source, target)))[target != 0]
    for name, model in models.items():
        if model is ours:
            continue
        model((source, target))
        copy_weights(ours, model)
        received = ops.convert_to_numpy(model((source, target)))[target != 0]
        difference = float(np.abs(received - expected).max())
        print(f"{name}: {model.count_params():,} parameters as ours; logits differ by {difference:.1e} at most")
        tolerance = 1e-4 if ours.compute_dtype == "float32" else 0.2
        if model.count_params() != ours.count_params() or difference > tolerance:
            raise SystemExit(f"{name} must compute the same function as {OURS}. Received: another result.")


def copy_weights(ours: Any, peer: Any) -> None:
    """Copy our weights part by part: within a layer by kind, since the layers differ in the order of their parts."""
    ours_source, ours_target = ours.source_embedding, ours.target_embedding
    for mine, theirs in zip((ours_source, ours_target), peer.embeddings, strict=True):
        theirs.set_weights(mine.get_weights())
    for mine, theirs in zip((ours.encoder, ours.decoder), peer.norms, strict=True):
        theirs.set_weights(mine.final_norm.get_weights())
    peer.to_logits.set_weights(ours.to_logits.get_weights())
    for mine, theirs in zip(ours.encoder.layers + ours.decoder.layers, peer.encoder + peer.decoder, strict=True):
        for part, other in zip(parts_of_ours(mine), parts_of_peer(theirs), strict=True):
            other.set_weights(part.get_weights())


def parts_of_ours(layer: Any) -> list[Any]:
    cross = [layer.cross_attention, layer.cross_attention_norm] if hasattr(layer, "cross_attention") else []
    feed_forward = layer.feed_forward
    own = [layer.self_attention, layer.self_attention_norm]
    return [*own, *cross, feed_forward.hidden, feed_forward.output_projection, layer.feed_forward_norm]


def parts_of_peer(layer: Any) -> list[Any]:
    if isinstance(layer, KerasBlock):
        pairs = zip(layer.attentions, layer.attention_norms, strict=True)
        return [*(part for pair in pairs for part in pair), layer.hidden, layer.out, layer.norm]
    cross = []
    if getattr(layer, "_cross_attention_layer", None) is not None:
        cross = [layer._cross_attention_layer, layer._cross_attention_layer_norm]
    dense = [layer._feedforward_intermediate_dense, layer._feedforward_output_dense]
    own = [layer._self_attention_layer, layer._self_attention_layer_norm]
    return [*own, *cross, *dense, layer._feedforward_layer_norm]


def take_steps(model: Any, source: np.ndarray, target: np.ndarray, labels: np.ndarray, steps: int) -> float:
    """Train on the batch and return the CPU seconds of all threads."""
    start = time.process_time()
    for _ in range(steps):
        loss = model.train_on_batch((source, target), labels)
    seconds = time.process_time() - start
    if not np.isfinite(loss):
        raise SystemExit(f"The loss must stay finite. Received: {loss}.")
    return seconds


def measure(models: dict[str, Any], batch: tuple[Any, Any, Any], options: argparse.Namespace) -> dict[str, list[float]]:
    """Return the CPU seconds of each round for each model."""
    seconds: dict[str, list[float]] = {name: [] for name in models}
    names = list(models)
    for index in range(options.rounds):
        shift = index % len(names)
        for name in names[shift:] + names[:shift]:
            seconds[name].append(take_steps(models[name], *batch, steps=options.steps))
    return seconds


def report(seconds: dict[str, list[float]], tokens: int, steps: int) -> None:
    """Print the table: medians over the rounds, and the median of the rounds' ratios to ours."""
    print("\n| layers | ms CPU per step | tokens per CPU second | ours is faster by a factor of (quartiles) |")
    print("| --- | --- | --- | --- |")
    for name, values in seconds.items():
        step = statistics.median(values) / steps
        ratios = sorted(theirs / ours for theirs, ours in zip(values, seconds[OURS], strict=True))
        low, middle, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
        ratio = "" if name == OURS else f"{middle:.2f} ({low:.2f} to {high:.2f})"
        print(f"| {name} | {1000 * step:.0f} | {tokens / step:,.0f} | {ratio} |")


def version_of_hub(models: dict[str, Any]) -> str:
    return version("keras-hub") if HUB in models else "left out"


if __name__ == "__main__":
    main()
