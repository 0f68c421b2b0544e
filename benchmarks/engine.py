"""Time the engine in NumPy beside the Keras model: one sentence from a cold start, and many sentences.

A cold start is a new process, from the command to the answer. Many sentences are translated by both engines in turn in
one process, after one sentence each that is not counted. Run: python benchmarks/engine.py
"""

import argparse
import statistics
import subprocess
import sys
import time

from llmcourse.data import load_pairs
from llmcourse.decoding import Translator
from llmcourse.models.limits import SourceLimits
from llmcourse.models.saved import load_translator
from llmcourse.runtime import available_cores
from llmcourse.serving.engine import load_engine

LOADERS = {"numpy": load_engine, "keras": load_translator}


def cold(engine: str) -> float:
    """Measure the wall seconds of `llmcourse translate` for one sentence."""
    code = "from llmcourse.commands.app import run; run()"
    command = [sys.executable, "-c", code, "translate", "--engine", engine, "Where is the station?"]
    start = time.perf_counter()
    subprocess.run(command, capture_output=True, check=True)
    return time.perf_counter() - start


def show(title: str, unit: str, values: dict[str, list[float]], larger_is_better: bool) -> None:
    """Print a row: the medians, and how many times as good the engine in NumPy is in each round."""
    ratios = [mine / theirs for mine, theirs in zip(values["numpy"], values["keras"], strict=True)]
    better = sorted(ratio if larger_is_better else 1 / ratio for ratio in ratios)
    medians = " | ".join(f"{statistics.median(values[engine]):.2f}" for engine in LOADERS)
    print(f"| {title}, {unit} | {medians} | {statistics.median(better):.2f} ({better[0]:.2f} to {better[-1]:.2f}) |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured (default 5)")
    parser.add_argument("--sentences", type=int, default=300, help="how many are translated (default 300)")
    parser.add_argument("--data", default="phrases", help="whose test sentences: phrases or tatoeba-cmn")
    arguments = parser.parse_args()

    print(f"{available_cores()} cores, {arguments.rounds} rounds in turn, {time.strftime('%Y-%m-%d')}\n")
    print("| | numpy | keras | numpy is better by a factor of (lowest to highest) |")
    print("| --- | ---: | ---: | ---: |")
    starts: dict[str, list[float]] = {engine: [] for engine in LOADERS}
    for _ in range(arguments.rounds):
        for engine in LOADERS:
            starts[engine].append(cold(engine))
    show("one sentence from a cold start", "s", starts, larger_is_better=False)

    target = {"target": "zh"} if arguments.data == "phrases" else {}
    texts = list(load_pairs(arguments.data, **target).test.sources[: arguments.sentences])
    translators = {}
    for engine, load in LOADERS.items():
        model, tokenizer, card = load()
        limits = SourceLimits.from_card(card)
        translators[engine] = Translator(model, tokenizer, limits.max_length if limits else 128)
    found = {}
    for beam in (1, 4):
        speeds: dict[str, list[float]] = {engine: [] for engine in LOADERS}
        for translator in translators.values():
            translator.translate(texts[:1], beam_size=beam)
        for _ in range(arguments.rounds):
            for engine, translator in translators.items():
                start = time.process_time()
                found[engine] = translator.translate(texts, beam_size=beam)
                speeds[engine].append(len(texts) / (time.process_time() - start))
        show(f"{len(texts)} sentences, beam {beam}", "sentences per CPU second", speeds, larger_is_better=True)
        same = sum(mine == theirs for mine, theirs in zip(found["numpy"], found["keras"], strict=True))
        print(f"beam {beam}: {same} of {len(texts)} translations are the same", file=sys.stderr)


if __name__ == "__main__":
    main()
