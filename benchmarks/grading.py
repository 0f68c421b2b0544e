"""Seconds per submission: `llmcourse grade` beside an unmodified `nbgrader autograde`, interleaved in one run.

    python benchmarks/grading.py                     # 10 and 100 submissions, 3 rounds: takes an hour or so
    python benchmarks/grading.py --sizes 10 --rounds 1

The submissions are the released notebook of a lesson with answers in it: the reference, the empty copy and a mutant in
turn. Both commands get the same files. `nbgrader autograde` runs every cell of a notebook, demonstrations too, in a
kernel of its own; `llmcourse grade` runs the answers and the criteria.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from llmcourse.checking.lessons import Lesson, load_lesson
from llmcourse.classroom.authoring.release import write_course
from llmcourse.runtime import available_cores

COMMANDS = Path(sys.executable).parent


@dataclass(frozen=True)
class Cost:
    """Wall and CPU seconds of a command with all processes it waited for."""

    wall: float
    cpu: float


def main() -> None:
    arguments = parse()
    lesson = load_lesson(arguments.lesson)
    with tempfile.TemporaryDirectory(prefix="llmcourse-benchmark-") as folder:
        course = Path(folder)
        prepare(course, lesson, {1, arguments.nbgrader, *arguments.sizes} - {0})
        costs: dict[tuple[str, int], list[Cost]] = {}
        for number in range(arguments.rounds):
            for name, size, command in commands(lesson, arguments.sizes, arguments.nbgrader):
                cost = run(command, course)
                costs.setdefault((name, size), []).append(cost)
                said = f"round {number + 1}: {name}, {size}: {cost.wall:.1f} s wall, {cost.cpu:.1f} s CPU"
                print(said, file=sys.stderr, flush=True)
    report({key: middle(values) for key, values in costs.items()}, arguments)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lesson", default="mlp", help="whose notebook is graded (mlp)")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10, 100], help="how many submissions (10 100)")
    parser.add_argument("--rounds", type=int, default=3, help="the table shows the medians of so many rounds (3)")
    parser.add_argument("--nbgrader", type=int, default=10, help="how many nbgrader grades; 0 leaves it out (10)")
    return parser.parse_args()


def prepare(course: Path, lesson: Lesson, sizes: set[int]) -> None:
    """Release the lesson with nbgrader and hand in notebooks, in a folder for each size of class."""
    write_course([lesson], course)
    run([COMMANDS / "nbgrader", "generate_assignment", lesson.id], course)
    (released,) = (course / "release" / lesson.id).glob("*.ipynb")
    solutions = {id: task.solution for id, task in lesson.exercises.items()}
    mutants = cycle([answer for answers in lesson.answers.values() for answer in answers if answer.kind == "mutant"])
    for number in range(max(sizes)):
        answers = (solutions, {}, None)[number % 3]
        if answers is None:
            mutant = next(mutants)
            answers = solutions | {mutant.exercise: f"{solutions[mutant.exercise]}\n\n{mutant.source}"}
        notebook = json.loads(released.read_text(encoding="utf-8"))
        for cell in notebook["cells"]:
            cell["source"] = answers.get(cell["metadata"].get("llmcourse", {}).get("exercise"), cell["source"])
        for size in sizes:
            if number < size:
                folder = course / class_folder(size) / f"student{number:03d}" / lesson.id
                folder.mkdir(parents=True)
                (folder / released.name).write_text(json.dumps(notebook), encoding="utf-8")


def class_folder(size: int) -> str:
    return f"class_of_{size}"


def commands(lesson: Lesson, sizes: list[int], beside: int) -> list[tuple[str, int, list]]:
    """List what is timed in a round."""
    found = []
    for size in sorted({1, *sizes}):
        for jobs in sorted({1, available_cores()}) if size > 1 else [1]:
            grade = [COMMANDS / "llmcourse", "grade", class_folder(size), "--jobs", str(jobs)]
            found.append((f"llmcourse grade --jobs {jobs}", size, grade))
        if size == min(sizes) and beside:
            options = ["--force", f"--CourseDirectory.submitted_directory={class_folder(beside)}"]
            found.append(("nbgrader autograde", beside, [COMMANDS / "nbgrader", "autograde", lesson.id, *options]))
    return found


def run(command: list, folder: Path) -> Cost:
    """Run a command in a folder and count the seconds that it and its children take."""
    path = f"{COMMANDS}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "LLMCOURSE_PROGRESS": "off"}
    with tempfile.TemporaryFile() as words:
        start = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=words, stderr=words)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - start
        words.seek(0)
        if process.returncode > (command[1] == "grade"):  # 1: some notebooks could not be graded in full
            raise SystemExit(f"{' '.join(map(str, command))} failed:\n{words.read().decode(errors='replace')}")
    return Cost(wall, usage.ru_utime + usage.ru_stime)


def middle(costs: list[Cost]) -> Cost:
    return Cost(statistics.median(cost.wall for cost in costs), statistics.median(cost.cpu for cost in costs))


def report(costs: dict[tuple[str, int], Cost], arguments: argparse.Namespace) -> None:
    """Print the table; a later submission costs what comes on top of a class of one, which pays for the start."""
    cores = available_cores()
    said = f"Lesson {arguments.lesson}, {cores} cores, medians of {arguments.rounds} rounds, seconds"
    print(
        f"{said}\n\n| command | submissions | wall, all | wall, each | CPU, each | wall, each later | CPU, each later |"
    )
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    first = costs["llmcourse grade --jobs 1", 1]
    for (name, size), cost in costs.items():
        later = [""] * 2
        if size > 1 and "nbgrader" not in name:
            later = [f"{(cost.wall - first.wall) / (size - 1):.2f}", f"{(cost.cpu - first.cpu) / (size - 1):.2f}"]
        each = (f"{cost.wall / size:.2f}", f"{cost.cpu / size:.2f}")
        print(f"| `{name}` | {size} | {cost.wall:.1f} | {' | '.join((*each, *later))} |")
    theirs = costs.get(("nbgrader autograde", arguments.nbgrader))
    ours = costs.get(("llmcourse grade --jobs 1", arguments.nbgrader))
    if theirs and ours:
        wall, cpu = theirs.wall / ours.wall, theirs.cpu / ours.cpu
        print(f"\nnbgrader autograde / llmcourse grade --jobs 1, the same {arguments.nbgrader}: ", end="")
        print(f"{wall:.1f} times the wall time, {cpu:.1f} times the CPU time.")


if __name__ == "__main__":
    main()
