"""Measure how cost grows: tokens per CPU second and peak memory of training and of translating, one factor at a time.

Training is a compiled step of our Transformer (Keras, Adam, smoothed loss); tokens are those of source and target.
Translating is a beam search with the engine in NumPy; tokens are those that are written, while the source is as long.
Weights are random and no sentence ends early, so only the sizes count: 2 + 2 layers, 4 heads, feed-forward twice
d_model, vocabulary 2,000. While one factor varies the others are d_model 128, length 32, batch 32 and beam 4.

Each cell is a process of its own, so that its peak of resident memory is its own; "of it the work" is what it rose by
after everything was imported. The first step or search is not counted. Run: python benchmarks/growth.py
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np

from llmcourse.runtime import available_cores

USUAL = {"d_model": 128, "length": 32, "batch": 32, "beam": 4}
VALUES = {
    "d_model": [64, 128, 256, 512],
    "length": [16, 32, 64, 128, 256],
    "batch": [8, 32, 64, 128, 256],
    "beam": [1, 2, 4, 8, 16],
}
FACTORS = {"training": ["d_model", "length", "batch"], "translating": list(VALUES)}
VOCABULARY, LAYERS, HEADS = 2_000, 2, 4
MIB = 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=1.0, help="CPU seconds to measure each cell for (default 1)")
    parser.add_argument("--only", choices=list(FACTORS), help="one half of the tables (default both)")
    parser.add_argument("--plot", type=Path, help="save the curves, log-log, as a PNG")
    parser.add_argument("--cell", nargs=2, help=argparse.SUPPRESS)  # what a process of its own is asked for
    options = parser.parse_args()
    if options.cell:
        print(json.dumps(measure(options.cell[0], json.loads(options.cell[1]), options.seconds)))
        return
    print(f"{available_cores()} cores, NumPy {np.__version__}, {time.strftime('%Y-%m-%d')}")
    found: dict[tuple[str, str, int], list[float]] = {}
    for work in [options.only] if options.only else FACTORS:
        for factor in FACTORS[work]:
            print(f"\n| {work}: {factor} | tokens per CPU second | peak memory, MiB | of it the work |")
            print("| ---: | ---: | ---: | ---: |")
            for value in VALUES[factor]:
                sizes = json.dumps(USUAL | {factor: value})
                speed, peak, rise = found[work, factor, value] = in_a_process(work, sizes, options.seconds)
                print(f"| {value} | {speed:,.0f} | {peak:,.0f} | {rise:,.0f} |", flush=True)
    if options.plot:
        save_plot(found, options.plot)


@cache  # the usual sizes stand in each table
def in_a_process(work: str, sizes: str, seconds: float) -> list[float]:
    """Measure one cell in a process of its own."""
    command = [sys.executable, __file__, "--seconds", str(seconds), "--cell", work, sizes]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.splitlines()[-1])


def measure(work: str, sizes: dict[str, int], seconds: float) -> tuple[float, float, float]:
    """Return tokens per CPU second, the peak of memory in MiB, and its rise."""
    rng = np.random.default_rng(0)
    shape = sizes["batch"], sizes["length"]
    source, target = rng.integers(4, VOCABULARY, (2, *shape), dtype="int32")
    settings = {
        "num_layers": LAYERS,
        "d_model": sizes["d_model"],
        "num_heads": HEADS,
        "d_ff": 2 * sizes["d_model"],
        "activation": "relu",
        "pre_norm": True,
        "tied_embeddings": True,
        "shared_embeddings": True,
        "source_vocab_size": VOCABULARY,
        "target_vocab_size": VOCABULARY,
    }
    prepare = prepare_training if work == "training" else prepare_translating
    run, start = prepare(settings, source, target, sizes["beam"])
    run()
    times, clock = 0, time.process_time()
    while times == 0 or time.process_time() - clock < seconds:
        run()
        times += 1
    tokens = source.size * (2 if work == "training" else 1)
    return times * tokens / (time.process_time() - clock), peak_memory(), peak_memory() - start


def peak_memory() -> float:
    """Return the peak of this process's resident memory so far, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024) / MIB


def prepare_training(
    settings: dict, source: np.ndarray, target: np.ndarray, beam: int
) -> tuple[Callable[[], object], float]:
    """Return a function that takes one step, and the memory before there was a model."""
    from llmcourse.runtime import load_keras

    keras = load_keras()
    from llmcourse.models.translator import Transformer
    from llmcourse.training.losses import label_smoothed_loss

    start = peak_memory()
    model = Transformer(**settings)
    model.compile(keras.optimizers.Adam(1e-4), loss=label_smoothed_loss)
    return lambda: model.train_on_batch((source, target), target), start


def prepare_translating(
    settings: dict, source: np.ndarray, target: np.ndarray, beam: int
) -> tuple[Callable[[], object], float]:
    """Return a function that searches one batch, and the memory before there was a model."""
    from llmcourse.data.token_ids import END
    from llmcourse.decoding import beam_search
    from llmcourse.serving.engine import NumpyTransformer

    start = peak_memory()
    rng = np.random.default_rng(1)
    weights = [(0.1 * rng.normal(size=shape)).astype("float32") for shape in shapes_of(settings)]
    weights[0][END] = 0  # never the best token, so all targets become equally long
    model = NumpyTransformer(settings, iter(weights))
    return lambda: beam_search(model, source, source.shape[1], beam_size=beam), start


def shapes_of(settings: dict) -> list[tuple[int, ...]]:
    """List the shapes of the weights of a pre-norm model with one table, in Keras' order."""
    width, hidden, heads = settings["d_model"], settings["d_ff"], settings["num_heads"]
    norm = [(width,), (width,)]
    attention = [(width, heads, width // heads), (heads, width // heads)] * 3 + [
        (heads, width // heads, width),
        (width,),
    ]
    network = [(width, hidden), (hidden,), (hidden, width), (width,)]
    encoder = settings["num_layers"] * (attention + norm + network + norm) + norm
    decoder = settings["num_layers"] * (2 * (attention + norm) + network + norm) + norm
    return [(settings["source_vocab_size"], width), *encoder, *decoder]


def save_plot(found: dict[tuple[str, str, int], list[float]], path: Path) -> None:
    """Draw speed and memory against each factor, both axes logarithmic."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 7), layout="constrained")
    works = list(dict.fromkeys(work for work, _, _ in found))
    axes = figure.subplots(len(works), 2, squeeze=False)
    for row, work in zip(axes, works, strict=True):
        for place, label in enumerate(("tokens per CPU second", "peak memory, MiB")):
            for factor in FACTORS[work]:
                points = [(value, found[work, factor, value][place]) for value in VALUES[factor]]
                row[place].loglog(*zip(*points, strict=True), marker="o", label=factor)
            row[place].set(title=f"{work}: {label}", xlabel="value of the factor")
            row[place].legend()
    figure.savefig(path)


if __name__ == "__main__":
    main()
