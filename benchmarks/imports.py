"""Time `import llmcourse` beside `import keras`: what a command or the teacher's trusted process saves by loading late.

Each import runs in a fresh Python, in turn, so that both see the same machine. Run: python benchmarks/imports.py
"""

import argparse
import statistics
import subprocess
import sys
import time

from llmcourse.runtime import available_cores

STATEMENTS = ("import llmcourse", "import llmcourse.checking", "import keras")


def seconds(statement: str) -> float:
    """Time one import, without the start of Python itself."""
    code = f"import time; start = time.perf_counter(); {statement}; print(time.perf_counter() - start)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(result.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="how often each import is timed (default 5)")
    rounds = parser.parse_args().rounds
    times: dict[str, list[float]] = {statement: [] for statement in STATEMENTS}
    for statement in STATEMENTS:  # not counted: fills the disk cache
        seconds(statement)
    for _ in range(rounds):
        for statement in STATEMENTS:
            times[statement].append(seconds(statement))
    print(f"{available_cores()} cores, Python {sys.version.split()[0]}, {rounds} rounds, {time.strftime('%Y-%m-%d')}\n")
    print("| statement | median s | min | max | against keras |")
    print("| --- | --- | --- | --- | --- |")
    peer = statistics.median(times["import keras"])
    for statement, values in times.items():
        median = statistics.median(values)
        print(f"| `{statement}` | {median:.3f} | {min(values):.3f} | {max(values):.3f} | {median / peer:.4f} |")


if __name__ == "__main__":
    main()
