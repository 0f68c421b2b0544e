"""Train on MNIST beside two named peers: processor seconds to an accuracy, the best accuracy, and how cost grows.

The peers are written here from their published descriptions and trained with `model.fit`:

    keras.io     "simple MNIST convnet": Conv32, pool, Conv64, pool, dropout .5, dense; Adam, batch 128, 15 epochs
    classic      Conv32, pool, Conv64, pool, Dense128, dense; Adam, batch 64

Every training runs in a process of its own with the same number of threads, and all contestants of a row take turns,
seed by seed, so that a busy machine slows all of them. The unit is the CPU second of all threads of the process, from
before the model is built to after its last step, with compilation; importing Keras and loading the digits count for
nobody. All train on the first 55,000 digits. A peer's test accuracy is taken after each epoch outside of the clock, and
its time is that of the first epoch that reaches the mark. Ours runs for a number of epochs that was fixed beforehand on
the last 5,000 training digits, which are held out; its checkpoints and validation are inside the clock, and the test
set is read once.

    LLMCOURSE_DATA=DIR python benchmarks/mnist.py                     all rows but the best, 3 seeds
    LLMCOURSE_DATA=DIR python benchmarks/mnist.py --rows best --seeds 0
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from llmcourse.data import load_mnist
from llmcourse.runtime import available_cores, load_keras
from llmcourse.tasks.digits.task import Digits
from llmcourse.training.engine import build_model, train
from llmcourse.training.loop import fit
from llmcourse.training.measures import loss_and_accuracy
from llmcourse.training.steps import TrainSteps

EPOCHS_990 = 2  # fixed on the held-out digits, as is the number of epochs of each recipe
PEER_EPOCHS = {"keras.io": 15, "classic": 8}
MARKS = (0.990, 0.994)
BATCHES = (32, 64, 128, 256, 512, 1024)
SIZES = (5_000, 10_000, 20_000, 40_000, 60_000)
GROWTH_IMAGES, GROWTH_BATCH = 20_000, 128
LOOPS = (
    "model.fit",
    "model.fit, 16 steps a call",
    "model.fit, XLA",
    "our loop, 1 step a call",
    "our loop, 50 steps a call",
)
CONTESTANTS = {  # by row
    "speed": ("ours 99.0", "ours 99.4", "classic", "keras.io"),
    "small": ("ours small", "keras.io small"),
    "best": ("ours best",),
}


def main() -> None:
    options = read_options()
    if options.worker:
        print(json.dumps(WORKERS[options.worker[0]](*options.worker[1:])))
        return
    print_header(options)
    for row in options.rows:
        if row in TABLES:
            TABLES[row](options)
            continue
        names = tuple(name for name in CONTESTANTS[row] if name.startswith(tuple(options.only)))
        results: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
        for seed in options.seeds:
            for name in turned(names, seed):
                results[name].append(in_process(options, "train", name, str(seed)))
                print(f"  {name}, seed {seed}: {results[name][-1]}", file=sys.stderr, flush=True)
        print("\n| contestant | what | result |\n| --- | --- | --- |")
        for name, runs in results.items():
            print_contestant(name, runs)
    print(f"\nThis benchmark used {resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime:.0f} CPU seconds.")


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    rows = [*CONTESTANTS, *TABLES]
    parser.add_argument(
        "--rows", nargs="+", choices=rows, default=["speed", "small", "growth"], help="default: all but best"
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="one training each (default: 0 1 2)")
    parser.add_argument("--only", nargs="+", default=[""], help="contestants whose names begin so (default: all)")
    parser.add_argument("--threads", type=int, default=1, help="threads of each training (default: 1)")
    parser.add_argument("--worker", nargs="+", help=argparse.SUPPRESS)
    return parser.parse_args()


def turned(names: tuple[str, ...], seed: int) -> tuple[str, ...]:
    """Let another contestant begin with each seed."""
    first = seed % max(1, len(names))
    return names[first:] + names[:first]


def in_process(options: argparse.Namespace, *work: str) -> Any:
    """Do one piece of work in a process of its own."""
    threads = str(options.threads)
    limits = {name: threads for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")}
    command = [sys.executable, __file__, "--worker", *work]
    done = subprocess.run(command, env={**os.environ, **limits}, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


# What runs in the processes: each returns what JSON can hold.


def train_one(name: str, seed: str) -> dict[str, Any]:
    load_keras()
    kind, _, part = name.partition(" ")
    if kind == "ours":
        return train_best(int(seed)) if part == "best" else train_ours(part, int(seed))
    return train_peer(kind, "small" if part else "full", int(seed))


def train_ours(part: str, seed: int) -> dict[str, Any]:
    data, recipe = ("small", "best") if part == "small" else ("full", "fast")
    task = Digits.configure(data=data, recipe=recipe, epochs=EPOCHS_990 if part == "99.0" else None, seed=seed)
    test = task.digits  # loaded before the clock starts
    with tempfile.TemporaryDirectory() as folder:
        start = time.process_time()
        task.prepare(Path(folder))
        model = build_model(task)
        outcome = fit(task, model, Path(folder))
        seconds = time.process_time() - start
    _, accuracy = loss_and_accuracy(task.predict(model, test.x_test), test.y_test)
    held_out = outcome.validation["val_accuracy"]
    return {"seconds": [seconds], "accuracy": [accuracy], "held_out": held_out, "epochs": task.config.epochs}


def train_best(seed: int) -> dict[str, Any]:
    task = Digits.configure(data="full", recipe="best", seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        start = time.process_time()
        scores = train(task, Path(folder))
        seconds = time.process_time() - start
    held_out, accuracy = scores["validation"]["val_accuracy"], scores["test_accuracy"]
    return {"seconds": [seconds], "accuracy": [accuracy], "held_out": held_out, "epochs": task.config.epochs}


def train_peer(name: str, data: str, seed: int) -> dict[str, Any]:
    keras = load_keras()
    keras.utils.set_random_seed(seed)
    images, labels = Digits.configure(data=data).training  # type: ignore[arg-type]
    test = load_mnist(data)  # type: ignore[arg-type]
    x, x_test = (part[..., None].astype(np.float32) / 255 for part in (images, test.x_test))
    y = keras.utils.to_categorical(labels, 10)
    clock = time.process_time()
    model = build_peer(keras, name)
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    batch, spent = 128 if name == "keras.io" else 64, 0.0
    seconds: list[float] = []
    accuracy: list[float] = []
    while len(seconds) < PEER_EPOCHS[name]:
        model.fit(x, y, batch_size=batch, epochs=1, verbose=0)
        spent += time.process_time() - clock
        predictions = model.predict(x_test, batch_size=1_000, verbose=0).argmax(axis=1)
        seconds.append(spent)
        accuracy.append(float((predictions == test.y_test).mean()))
        clock = time.process_time()
    return {"seconds": seconds, "accuracy": accuracy, "epochs": PEER_EPOCHS[name]}


def build_peer(keras: Any, name: str) -> Any:
    layers, stack = keras.layers, [keras.Input((28, 28, 1))]
    for filters in (32, 64):
        stack += [layers.Conv2D(filters, 3, activation="relu"), layers.MaxPooling2D(2)]
    stack.append(layers.Flatten())
    stack.append(layers.Dropout(0.5) if name == "keras.io" else layers.Dense(128, activation="relu"))
    return keras.Sequential([*stack, layers.Dense(10, activation="softmax")])


class OneStep(Digits):
    steps_per_call = 1


def make_epoch(kind: type[Digits], images: np.ndarray, labels: np.ndarray, size: int) -> Any:
    """Build our network, and a function that trains it once with images uint8 (N, 28, 28) and labels (N,)."""
    from llmcourse.models.cnn import build_small_cnn

    steps = TrainSteps(kind.configure(), build_small_cnn(), load_keras().optimizers.Adam())
    batches = [(images[first : first + size], labels[first : first + size]) for first in range(0, len(images), size)]

    def epoch() -> None:
        for first in range(0, len(batches), kind.steps_per_call):
            call = batches[first : first + kind.steps_per_call]
            steps(call, np.full(len(call), 1e-3, np.float32))

    return epoch


def train_growth(images: str, batch_size: str) -> dict[str, float]:
    """Train our network for one epoch on that many images, after one that compiles and warms up."""
    keras, size = load_keras(), int(batch_size)
    keras.utils.set_random_seed(0)
    data, count = load_mnist("full"), int(images) // size * size
    x, y = data.x_train[:count], data.y_train[:count]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    epoch = make_epoch(Digits, x, y, size)
    epoch()  # compiles
    start = time.process_time()
    epoch()
    seconds, peak = time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"speed": count / seconds, "seconds": seconds, "peak": peak / 1024, "before": before / 1024}


def train_loop(kind: str) -> dict[str, float]:
    """Train our network for one epoch in one of the ways that Keras and TensorFlow offer."""
    from llmcourse.models.cnn import build_small_cnn

    if "XLA" in kind:
        import keras  # without deterministic operations, under which Keras switches XLA off
    else:
        keras = load_keras()
    data, size = load_mnist("full"), GROWTH_BATCH
    keras.utils.set_random_seed(0)
    number = GROWTH_IMAGES // size
    x, y = data.x_train[: number * size], data.y_train[: number * size]
    if kind.startswith("model.fit"):
        model, optimizer = build_small_cnn(), keras.optimizers.Adam()
        pixels, per_call = x[..., None].astype(np.float32) / 255, 16 if "16" in kind else 1
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        how = {"steps_per_execution": per_call, "jit_compile": "XLA" in kind}
        model.compile(optimizer, loss, metrics=["accuracy"], **how)

        def epoch() -> None:
            model.fit(pixels, y, batch_size=size, epochs=1, verbose=0)
    else:
        epoch = make_epoch(Digits if "50" in kind else OneStep, x, y, size)

    epoch()  # compiles
    start = time.process_time()
    epoch()
    return {"speed": number * size / (time.process_time() - start)}


WORKERS: dict[str, Any] = {"train": train_one, "growth": train_growth, "loop": train_loop}


# What is printed: tables in Markdown.


def print_header(options: argparse.Namespace) -> None:
    packages = ", ".join(f"{name} {version(name)}" for name in ("tensorflow", "keras", "numpy"))
    print(f"`{' '.join(['python', 'benchmarks/mnist.py', *sys.argv[1:]])}`, {datetime.now(UTC):%Y-%m-%d}")
    print(f"{available_cores()} cores ({cpu_model()}), {options.threads} thread(s) for each training, {packages},")
    print(f"Python {platform.python_version()}; mean (lowest to highest) over the seeds {options.seeds}")


def cpu_model() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def print_contestant(name: str, runs: list[dict[str, Any]]) -> None:
    epochs, final = runs[0]["epochs"], [run["accuracy"][-1] for run in runs]
    line(name, f"test accuracy after {epochs} epochs", spread([100 * value for value in final], "%", 2))
    line(name, f"CPU seconds for {epochs} epochs", spread([run["seconds"][-1] for run in runs], "s", 1))
    if "held_out" in runs[0]:
        line(name, "accuracy on held-out digits", spread([100 * run["held_out"] for run in runs], "%", 2))
    elif "small" not in name:
        for mark in MARKS:
            reached = [first_reached(run, mark) for run in runs]
            times = [seconds for seconds in reached if seconds is not None]
            text = spread(times, "s", 1) if times else ""
            missed = f"not reached by {len(runs) - len(times)} of {len(runs)}" if len(times) < len(runs) else ""
            line(name, f"CPU seconds to {mark:.1%} test accuracy", ", ".join(filter(None, (text, missed))))


def first_reached(run: dict[str, Any], mark: float) -> float | None:
    pairs = zip(run["seconds"], run["accuracy"], strict=True)
    return next((seconds for seconds, accuracy in pairs if accuracy >= mark), None)


def spread(values: list[float], unit: str, digits: int) -> str:
    mean = f"{statistics.mean(values):.{digits}f} {unit}"
    return mean if len(values) == 1 else f"{mean} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def line(*cells: str) -> None:
    print(f"| {' | '.join(cells)} |", flush=True)


def print_growth(options: argparse.Namespace) -> None:
    print("\n| images | batch | images per CPU second | CPU seconds an epoch | peak memory | of it the training |")
    print("| --- | --- | --- | --- | --- | --- |")
    settings = [(GROWTH_IMAGES, size) for size in BATCHES] + [(count, GROWTH_BATCH) for count in SIZES]
    for images, batch in settings:
        found = in_process(options, "growth", str(images), str(batch))
        memory = (f"{found['peak']:,.0f} MiB", f"{found['peak'] - found['before']:,.0f} MiB")
        line(f"{images:,}", f"{batch:,}", f"{found['speed']:,.0f}", f"{found['seconds']:.2f}", *memory)


def print_loops(options: argparse.Namespace) -> None:
    print("\n| training loop | images per CPU second |\n| --- | --- |")
    found: dict[str, list[float]] = {kind: [] for kind in LOOPS}
    for seed in options.seeds:
        for kind in turned(LOOPS, seed):
            found[kind].append(in_process(options, "loop", kind)["speed"])
    for kind, speeds in found.items():
        line(kind, f"{statistics.mean(speeds):,.0f} ({min(speeds):,.0f} to {max(speeds):,.0f})")


TABLES = {"growth": print_growth, "loop": print_loops}

if __name__ == "__main__":
    main()
