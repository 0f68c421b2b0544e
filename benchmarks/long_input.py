"""Find from how many lines on the Keras model translates quicker than the engine in NumPy, start included.

Each cell is a process of its own, `llmcourse translate --engine E --beam B -`, fed with that many different lines of
Tatoeba's training part (read by the packaged model). Both engines take turns. Run: python benchmarks/long_input.py
"""

import argparse
import resource
import statistics
import subprocess
import sys
import time

from llmcourse.data import load_pairs
from llmcourse.runtime import available_cores

ENGINES = ("numpy", "keras")


def seconds(engine: str, beam: int, lines: list[str]) -> tuple[float, float]:
    """Measure the wall and CPU seconds of a translation from the start of the process to its end."""
    code = "from llmcourse.commands.app import run; run()"
    command = [sys.executable, "-c", code, "translate", "--engine", engine, "--beam", str(beam), "-"]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, input="\n".join(lines).encode(), capture_output=True, check=True)
    after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - start
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured (default 3)")
    parser.add_argument("--lines", type=int, nargs="+", default=[1, 10, 100, 1_000], help="(default 1 10 100 1000)")
    parser.add_argument("--beams", type=int, nargs="+", default=[1, 4], help="(default 1 4)")
    arguments = parser.parse_args()

    texts = list(dict.fromkeys(load_pairs("tatoeba-cmn").train.sources))
    print(f"{available_cores()} cores, {arguments.rounds} rounds in turn, {time.strftime('%Y-%m-%d')}, medians\n")
    print("| lines | beam | numpy: wall s | CPU s | keras: wall s | CPU s | numpy takes less CPU by a factor of |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for lines in arguments.lines:
        for beam in arguments.beams:
            found: dict[str, list[tuple[float, float]]] = {engine: [] for engine in ENGINES}
            for _ in range(arguments.rounds):
                for engine in ENGINES:
                    found[engine].append(seconds(engine, beam, texts[:lines]))
            (wall, cpu), (other_wall, other_cpu) = (
                map(statistics.median, zip(*found[engine], strict=True)) for engine in ENGINES
            )
            row = f"{lines:,} | {beam} | {wall:.2f} | {cpu:.2f} | {other_wall:.2f} | {other_cpu:.2f}"
            print(f"| {row} | {other_cpu / cpu:.1f} |", flush=True)


if __name__ == "__main__":
    main()
