"""Translate English into Chinese: the packaged model beside a plain peer that trains for the same processor time.

The peer is written here from its published description, keras.io's "English-to-Spanish translation with a
sequence-to-sequence Transformer": words as tokens (at most the 15,000 most frequent), one encoder and one decoder
layer after the post-norm pattern, width 256, 8 heads of that width, feed-forward 2,048, learned positions, dropout 0.5
before the last layer, RMSprop, batches of 64, 20 words a sentence, greedy decoding. Chinese has no spaces, so each
character is a token, and 40 of them make a sentence. It learns from the same pairs of Tatoeba as the packaged model and
keeps the epoch with the lowest validation loss. Both translate the same 1,000 test sentences, which neither has seen.

    LLMCOURSE_DATA=DIR python benchmarks/translation.py               for as long as the packaged model was trained
    LLMCOURSE_DATA=DIR python benchmarks/translation.py --cpu-seconds 60
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from llmcourse.data import load_pairs
from llmcourse.runtime import available_cores, load_keras

WIDTH, HIDDEN, HEADS, WORDS = 256, 2_048, 8, 15_000
SOURCE_LENGTH, TARGET_LENGTH, BATCH = 20, 40, 64
COLD_STARTS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cpu-seconds", type=float, help="for the peer (default: what the packaged model took)")
    options = parser.parse_args()
    from llmcourse.decoding.translate import Translator
    from llmcourse.models.saved import load_translator

    model, tokenizer, card = load_translator()
    budget = options.cpu_seconds or float(card["scores"]["cpu_seconds"])
    print(f"{datetime.now(UTC):%Y-%m-%d}, {available_cores()} cores, load {os.getloadavg()[0]:.1f}, ", end="")
    print(f"tensorflow {version('tensorflow')}, keras {version('keras')}, Python {platform.python_version()}\n")
    pairs = load_pairs("tatoeba-cmn")
    rows = {}
    start = time.process_time()
    ours = Translator(model, tokenizer).translate(pairs.test.sources)
    rows["packaged model, beam 4"] = (
        model.count_params(),
        card["scores"]["cpu_seconds"],
        time.process_time() - start,
        ours,
    )
    start = time.process_time()
    ours = Translator(model, tokenizer).translate(pairs.test.sources, beam_size=1)
    rows["packaged model, greedy"] = (
        model.count_params(),
        card["scores"]["cpu_seconds"],
        time.process_time() - start,
        ours,
    )
    rows["keras.io-style, greedy"] = run_peer(pairs, budget)
    print_table(rows, pairs.test.targets)
    seconds = [cold_start() for _ in range(COLD_STARTS)]
    print(
        f'\n`llmcourse translate "Where is the station?"`: median {statistics.median(seconds):.1f} s of {COLD_STARTS}'
    )


def print_table(rows: dict[str, tuple[Any, ...]], references: tuple[str, ...]) -> None:
    import sacrebleu

    bleu, chrf = sacrebleu.BLEU(tokenize="zh"), sacrebleu.CHRF()
    print("| model | parameters | training, CPU s | translating 1,000, CPU s | BLEU (zh) | chrF | exactly right |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name, (parameters, training, spent, written) in rows.items():
        scores = [metric.corpus_score(written, [list(references)]).score for metric in (bleu, chrf)]
        exact = np.mean([one == other for one, other in zip(written, references, strict=True)])
        print(f"| {name} | {parameters:,} | {training:,.0f} | {spent:.1f} | ", end="")
        print(f"{scores[0]:.1f} | {scores[1]:.1f} | {exact:.1%} |")
    print(f"\n{bleu.get_signature()}\n{chrf.get_signature()}")


def cold_start() -> float:
    """Measure one command from the shell to its answer, in wall seconds."""
    command = [Path(sys.executable).with_name("llmcourse"), "translate", "Where is the station?"]
    start = time.perf_counter()
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert answer.strip(), "the command gave no translation"
    return time.perf_counter() - start


# The peer


def run_peer(pairs: Any, budget: float) -> tuple[int, float, float, list[str]]:
    keras = load_keras()
    keras.utils.set_random_seed(0)
    read, write = make_vectorizers(keras, pairs.train)
    model = build_peer(keras, read.vocabulary_size(), write.vocabulary_size())
    spent = train_peer(keras, model, budget, [prepare(read, write, split) for split in (pairs.train, pairs.validation)])
    start = time.process_time()
    written = greedy(model, np.asarray(read(list(pairs.test.sources))), write.get_vocabulary())
    return model.count_params(), spent, time.process_time() - start, written


def make_vectorizers(keras: Any, split: Any) -> tuple[Any, Any]:
    read = keras.layers.TextVectorization(WORDS, output_sequence_length=SOURCE_LENGTH)
    read.adapt(list(split.sources))
    write = keras.layers.TextVectorization(
        WORDS, standardize=None, split="character", output_sequence_length=TARGET_LENGTH + 1
    )
    write.adapt([framed(text) for text in split.targets])
    return read, write


def framed(text: str) -> str:
    return f"\x02{text}\x03"  # one character each for START and END


def prepare(read: Any, write: Any, split: Any) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    source = np.asarray(read(list(split.sources)))
    target = np.asarray(write([framed(text) for text in split.targets]))
    return (source, target[:, :-1]), target[:, 1:]


def build_peer(keras: Any, source_words: int, target_words: int) -> Any:
    layers = keras.layers

    def attend(query: Any, value: Any, **options: Any) -> Any:
        found = layers.MultiHeadAttention(HEADS, WIDTH)(query, value, **options)
        return layers.LayerNormalization()(query + found)

    def think(x: Any) -> Any:
        y = layers.Dense(WIDTH)(layers.Dense(HIDDEN, activation="relu")(x))
        return layers.LayerNormalization()(x + y)

    def embed(ids: Any, words: int, length: int) -> Any:
        tokens = layers.Embedding(words, WIDTH)(ids)
        places = layers.Embedding(length, WIDTH)(keras.ops.broadcast_to(keras.ops.arange(length), (1, length)))
        return layers.Add()([tokens, places])

    source = keras.Input((SOURCE_LENGTH,), dtype="int64")
    target = keras.Input((TARGET_LENGTH,), dtype="int64")
    source_real = keras.ops.not_equal(source, 0)[:, None, :]
    memory = embed(source, source_words, SOURCE_LENGTH)
    memory = think(attend(memory, memory, attention_mask=source_real))
    x = embed(target, target_words, TARGET_LENGTH)
    x = attend(x, x, use_causal_mask=True)
    x = think(attend(x, memory, attention_mask=source_real))
    return keras.Model((source, target), layers.Dense(target_words)(layers.Dropout(0.5)(x)))


def train_peer(keras: Any, model: Any, budget: float, data: list[Any]) -> float:
    """Train until the budget of CPU seconds is spent, and go back to the epoch with the lowest validation loss."""
    (x, y), validation = data
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=0)
    model.compile("rmsprop", loss)
    best, weights, spent = float("inf"), model.get_weights(), 0.0
    while spent < budget:
        start = time.process_time()
        history = model.fit(x, y, batch_size=BATCH, epochs=1, validation_data=validation, verbose=0).history
        spent += time.process_time() - start
        print(f"  {spent:6.0f} s, validation loss {history['val_loss'][0]:.3f}", file=sys.stderr, flush=True)
        if history["val_loss"][0] < best:
            best, weights = history["val_loss"][0], model.get_weights()
    model.set_weights(weights)
    return spent


def greedy(model: Any, source: np.ndarray, vocabulary: list[str]) -> list[str]:
    start, end = vocabulary.index("\x02"), vocabulary.index("\x03")
    target = np.zeros((len(source), TARGET_LENGTH), dtype="int64")
    target[:, 0] = start
    for place in range(TARGET_LENGTH - 1):
        for first in range(0, len(source), BATCH):
            part = slice(first, first + BATCH)
            logits = model((source[part], target[part]), training=False)[:, place]
            target[part, place + 1] = np.asarray(logits).argmax(axis=-1)
    return ["".join(vocabulary[token] for token in until(row[1:], end)) for row in target]


def until(ids: np.ndarray, end: int) -> list[int]:
    tokens = ids.tolist()
    return tokens[: tokens.index(end)] if end in tokens else tokens


if __name__ == "__main__":
    main()
