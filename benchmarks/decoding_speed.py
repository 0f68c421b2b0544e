"""Translate the 1,000 test sentences of Multi30k with six ways to decode: sentences per CPU second.

All have the sizes of the given model (4+4 layers of width 128 or so) and batches of 100 sentences of similar length.
Ours and keras_hub's have its weights and write the same text. The tutorial's model and PyTorch's have random ones, with
which no sentence ends; for each batch they take as many steps as ours needed for it.

    numpy, keras           `llmcourse translate --engine ...`, greedy and with 4 beams
    keras_hub              its layers with their key/value cache, its GreedySampler and BeamSampler (4 beams)
    TensorFlow tutorial    greedy, without a cache: the whole model anew for each token, compiled
    PyTorch                nn.Transformer, greedy, without a cache

Slow contestants translate a part, spread evenly over all lengths. Rounds are interleaved; CPU time of all threads.

    LLMCOURSE_DATA=DIR python benchmarks/decoding_speed.py --model RUN [--torch PYTHON]     needs: pip install keras-hub

PYTHON: an interpreter that has PyTorch; without it that row is missing.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from llmcourse.runtime import available_cores, load_keras, setup

keras = load_keras()
import tensorflow as tf  # noqa: E402
from keras import ops  # noqa: E402

from llmcourse.data import load_pairs  # noqa: E402
from llmcourse.decoding import Translator  # noqa: E402
from llmcourse.models.saved import load_translator  # noqa: E402
from llmcourse.serving.engine import load_engine  # noqa: E402

BATCH, BEAM, START, END = 100, 4, 2, 3
PART = 200  # sentences of the slow contestants
GREEDY = "llmcourse, numpy"
Work = Callable[[], None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="the folder of a finished run on multi30k")
    parser.add_argument("--torch", help="a Python interpreter with PyTorch")
    parser.add_argument("--rounds", type=int, default=3, help="rounds; medians are over these (default 3)")
    options = parser.parse_args()
    setup(seed=0)
    engine, tokenizer, card = load_engine(options.model)
    model, _, _ = load_translator(options.model)
    limit = card["limits"]["max_length"]
    texts = list(load_pairs("multi30k", card["target"], tokenized=True).test.sources)
    part = texts[:: len(texts) // PART]
    batches, steps = cut(part, tokenizer, Translator(engine, tokenizer, limit).translate(part, beam_size=1))
    print(
        f"{available_cores()} cores, load {os.getloadavg()[0]:.1f}, {time.strftime('%Y-%m-%d')}; {len(texts):,} ",
        end="",
    )
    print(f"sentences, {len(part)} of them for keras_hub, the tutorial and PyTorch")

    settings = model.settings
    works: dict[str, dict[str, tuple[int, Work]]] = {"greedy": {}, f"{BEAM} beams": {}}
    for name, ours in (("numpy", engine), ("keras", model)):
        for kind, beam in (("greedy", 1), (f"{BEAM} beams", BEAM)):
            translator = Translator(ours, tokenizer, limit)
            works[kind][f"llmcourse, {name}"] = (len(texts), translate_with(translator, texts, beam))
    hub = HubModel(model)
    for kind, beam in (("greedy", 1), (f"{BEAM} beams", BEAM)):
        works[kind]["keras_hub"] = (len(part), hub.translate_all(batches, steps, beam))
    works["greedy"]["TensorFlow tutorial, no cache"] = (len(part), tutorial(settings, batches, steps))
    for kind, contestants in works.items():
        seconds = measure(contestants, options.rounds)
        if kind == "greedy" and options.torch:
            seconds["PyTorch, no cache"] = with_torch(options.torch, settings, batches, steps, options.rounds)
        report(kind, seconds, {name: count for name, (count, _) in contestants.items()}, len(part))


def cut(texts: list[str], tokenizer: Any, written: list[str]) -> tuple[list[np.ndarray], list[int]]:
    """Sort by length, and return arrays of ids and how many steps ours takes for each."""
    order = np.argsort([len(tokenizer.encode(text)) for text in texts], kind="stable")
    batches, steps = [], []
    for rows in np.array_split(order, -(-len(order) // BATCH)):
        batches.append(tokenizer.encode_batch([texts[row] for row in rows], 512))
        steps.append(max(len(tokenizer.encode(written[row])) + 1 for row in rows))
    return batches, steps


def translate_with(translator: Translator, texts: list[str], beam: int) -> Work:
    def work() -> None:
        translator.translate(texts, beam_size=beam, batch_size=BATCH)

    return work


class HubModel:
    """keras_hub's layers with the weights of our model, and a sampler around them."""

    def __init__(self, ours: Any):
        from transformer_step import HUB, build_models, parts_of_ours, parts_of_peer

        self.settings = ours.settings
        pieces, width = ours.settings["source_vocab_size"], ours.settings["d_model"]
        options = SimpleNamespace(
            vocabulary=pieces,
            layers=ours.settings["num_layers"],
            d_model=width,
            heads=ours.settings["num_heads"],
            d_ff=ours.settings["d_ff"],
            dropout=0.0,
            no_hub=False,
        )
        self.peer = build_models(options)[HUB]  # type: ignore[arg-type]
        self.peer((np.ones((1, 2), "int32"), np.ones((1, 2), "int32")))
        table = ops.convert_to_numpy(ours.target_embedding.embeddings)
        for embedding in self.peer.embeddings:
            embedding.set_weights([table])
        self.peer.to_logits.set_weights([table.T, np.zeros(pieces)])
        for mine, theirs in zip((ours.encoder, ours.decoder), self.peer.norms, strict=True):
            theirs.set_weights(mine.final_norm.get_weights())
        layers = zip(ours.encoder.layers + ours.decoder.layers, self.peer.encoder + self.peer.decoder, strict=True)
        for mine, theirs in layers:
            for part, other in zip(parts_of_ours(mine), parts_of_peer(theirs), strict=True):
                other.set_weights(part.get_weights())
        self.compiled = tf.function(self.translate)  # anew for each shape: its samplers need to know them

    def translate_all(self, batches: list[np.ndarray], steps: list[int], beam: int) -> Work:
        def work() -> None:
            for batch, count in zip(batches, steps, strict=True):
                self.compiled(tf.constant(batch), count + 1, beam)

        return work

    def translate(self, source: Any, length: int, beam: int) -> Any:
        """Write up to `length` tokens for each source (B, S)."""
        import keras_hub

        peer, layers, width = self.peer, self.settings["num_layers"], self.settings["d_model"]
        heads = self.settings["num_heads"]
        real = ops.not_equal(source, 0)
        x = peer.positions(peer.embeddings[0](source) * peer.scale)
        for layer in peer.encoder:
            x = layer(x, padding_mask=real)
        memory = ops.repeat(peer.norms[0](x), beam, axis=0)
        real = ops.repeat(real, beam, axis=0)
        rows, sources = ops.shape(source)[0], ops.shape(source)[1]
        own = ops.zeros((rows, layers, 2, length, heads, width // heads))
        cross = ops.zeros((rows, layers, 2, sources, heads, width // heads))

        def following(prompt: Any, cache: Any, index: Any) -> Any:
            place = index - 1
            newest = ops.slice(prompt, [0, place], [ops.shape(prompt)[0], 1])
            y = peer.positions(peer.embeddings[1](newest) * peer.scale, start=place)
            owns, crosses = [], []
            for number, layer in enumerate(peer.decoder):
                y, mine, other = layer(
                    y,
                    memory,
                    encoder_padding_mask=real,
                    self_attention_cache=cache[0][:, number],
                    self_attention_cache_update_index=place,
                    cross_attention_cache=cache[1][:, number],
                    cross_attention_cache_update_index=0,
                )
                owns.append(mine)
                crosses.append(other)
            logits = peer.to_logits(peer.norms[1](y))[:, 0]
            return logits, None, (ops.stack(owns, axis=1), ops.stack(crosses, axis=1))

        kind = keras_hub.samplers
        sampler = kind.GreedySampler() if beam == 1 else kind.BeamSampler(num_beams=beam)
        prompt = ops.concatenate([ops.full((rows, 1), START, "int32"), ops.zeros((rows, length - 1), "int32")], axis=1)
        return sampler(following, prompt, cache=(own, cross), index=1, stop_token_ids=[END])


def tutorial(settings: dict[str, Any], batches: list[np.ndarray], steps: list[int]) -> Work:
    """Write one token after the other with the whole model, encoder included, as the tutorial's Translator does."""
    from training_speed import TutorialTransformer

    names = ("d_model", "source_vocab_size", "num_layers", "d_model", "d_ff", "num_heads")
    model = TutorialTransformer(*(settings[name] for name in names))

    @tf.function(reduce_retracing=True)
    def translate(source: Any, count: Any) -> Any:
        written = tf.fill((tf.shape(source)[0], 1), START)
        for _ in tf.range(count):
            tf.autograph.experimental.set_loop_options(shape_invariants=[(written, tf.TensorShape([None, None]))])
            logits = model((source, written), training=False)[:, -1]
            written = tf.concat([written, tf.argmax(logits, -1, output_type=tf.int32)[:, None]], axis=1)
        return written

    def work() -> None:
        for batch, count in zip(batches, steps, strict=True):
            translate(tf.constant(batch), tf.constant(count))

    return work


def with_torch(python: str, settings: Any, batches: list[np.ndarray], steps: list[int], rounds: int) -> list[float]:
    """Let another interpreter do the same work, and return its CPU seconds."""
    sizes = [settings[name] for name in ("source_vocab_size", "d_model", "num_heads", "num_layers", "d_ff")]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "work.npz"
        arrays = {f"batch{place}": batch for place, batch in enumerate(batches)}
        np.savez(path, sizes=sizes, steps=steps, rounds=rounds, **arrays)  # type: ignore[arg-type]
        command = [python, str(Path(__file__).with_name("_decoding_torch.py")), str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"PyTorch is left out: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return []
    return [float(line) for line in done.stdout.split()]


def measure(works: dict[str, tuple[int, Work]], rounds: int) -> dict[str, list[float]]:
    """Return the CPU seconds of each round, after one that is not counted."""
    for _, work in works.values():
        work()
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for index in range(rounds):
        names = list(works)
        for name in names[index % len(names) :] + names[: index % len(names)]:
            start = time.process_time()
            works[name][1]()
            seconds[name].append(time.process_time() - start)
    return seconds


def report(kind: str, seconds: dict[str, list[float]], counts: dict[str, int], part: int) -> None:
    """Print a table: medians over the rounds, and how many times as many sentences the engine in NumPy translates."""
    speeds = {name: counts.get(name, part) / statistics.median(values) for name, values in seconds.items() if values}
    print(f"\n| {kind} | sentences per CPU second | numpy engine is faster by a factor of |")
    print("| --- | ---: | ---: |")
    for name, speed in speeds.items():
        print(f"| {name} | {speed:.1f} | {'' if name == GREEDY else f'{speeds[GREEDY] / speed:.1f}'} |")


if __name__ == "__main__":
    main()
