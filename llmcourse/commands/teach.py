"""Commands for teachers: grade, release."""

import os
import shlex
from pathlib import Path
from typing import Annotated

import typer

from llmcourse.commands.console import LessonsOption, errors, out, progress_bar, require_within, step

LONGEST_TIMEOUT = 24 * 60 * 60
JOBS_PER_CORE = 4  # each takes up to a gigabyte of memory, and more of them than cores gain little


def grade(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH",
            help="Notebooks, folders of STUDENT__LESSON.ipynb, a folder for each student, or nbgrader's submitted.",
        ),
    ],
    lesson: Annotated[
        str | None, typer.Option(help="The lesson, where a notebook does not say it itself.", show_default=False)
    ] = None,
    seed_file: Annotated[
        Path,
        typer.Option(help="Holds the class's secret seed; drawn and made readable for you only where it is missing."),
    ] = Path(".llmcourse/seed"),
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write all results here.", show_default=False)
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(help="How many notebooks at a time; by default one for each core.", show_default=False),
    ] = None,
    timeout: Annotated[
        float, typer.Option(help="Seconds of computing that one submission may take; ten times as many by the clock.")
    ] = 600,
    isolation: Annotated[str, typer.Option(help="How far the learners' code is walled off: basic.")] = "basic",
    lessons: LessonsOption = None,
) -> None:
    """Grade notebooks of a class, each in a process of its own.

    Example: llmcourse grade submitted --json results.json

    With the same seed file every student gets the same secret questions.

    Ends with 0 when every notebook was graded, 1 when some could not be graded
    in full, 2 when nothing was done, 130 when you stopped it.
    """
    from llmcourse.classroom.grading.session import Session
    from llmcourse.runtime import available_cores

    cores = available_cores()
    require_within("--jobs", jobs, 1, JOBS_PER_CORE * cores, f"{JOBS_PER_CORE} for each core")
    require_within("--timeout", timeout, 1, LONGEST_TIMEOUT, "seconds; at most a day")
    session = Session(paths, lesson=lesson, lessons=lessons, json_file=json_file)
    if os.name == "posix" and os.geteuid() == 0:
        errors.print("You are root, and so is the learners' code: for a real class use an account that owns little.")
    jobs = jobs or cores
    with progress_bar() as bar:
        session.run(
            seed_file,
            jobs=jobs,
            threads=max(1, cores // jobs),
            seconds=timeout,
            isolation=isolation,
            step=step(bar, "Grading"),
        )
    out.print(session.table())
    for line in session.remarks():
        out.print(line, markup=False, highlight=False, soft_wrap=True)
    for line in session.complaints():
        errors.print(line, markup=False, soft_wrap=True)
    raise typer.Exit(session.exit_status)


def release(
    chosen: Annotated[list[str], typer.Argument(metavar="LESSON...", help="Which lessons.")],
    folder: Annotated[Path, typer.Option("--out", help="The folder of the nbgrader course.")],
    lessons: LessonsOption = None,
) -> None:
    """Write the sources of an nbgrader course: source/LESSON/*.ipynb and nbgrader_config.py."""
    from llmcourse.checking.lessons import load_lesson
    from llmcourse.classroom.authoring.release import write_course

    for path in write_course([load_lesson(name, lessons) for name in chosen], folder):
        out.print(f"Wrote {path}", markup=False, soft_wrap=True)
    commands = [["cd", str(folder)], *(["nbgrader", "generate_assignment", name] for name in chosen)]
    out.print(f"Next: {' && '.join(map(shlex.join, commands))}", markup=False, highlight=False, soft_wrap=True)
