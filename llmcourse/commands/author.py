"""Commands for authors: build, new, bench."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from llmcourse.commands.console import LessonsOption, count, errors, out, progress_bar


def build(
    lesson: Annotated[str | None, typer.Option(help="Build one lesson only.", show_default=False)] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail where notebooks and lessons differ.")
    ] = False,
    lessons: LessonsOption = None,
    folder: Annotated[Path, typer.Option("--out", help="Where the notebooks go.")] = Path("notebooks"),
) -> None:
    """Write the student notebooks and the executed solutions from the lessons (for authors)."""
    from llmcourse.checking.lessons import load_lesson
    from llmcourse.checking.syllabus import load_syllabus
    from llmcourse.classroom.authoring import notebooks

    chosen = [entry.id for entry in load_syllabus(lessons) if lesson in (None, entry.id)]
    opened = [load_lesson(name, lessons) for name in chosen or [str(lesson)]]
    if check:
        differences = notebooks.check(opened, folder)
        for line in differences:
            errors.print(line, markup=False)
        out.print("Notebooks and lessons differ: run `llmcourse build`." if differences else "Notebooks match.")
        raise typer.Exit(int(bool(differences)))
    with progress_bar() as bar:
        task = bar.add_task("Building", total=None)
        notebooks.build(opened, folder, progress=lambda text: bar.update(task, description=text))
    out.print(f"{count(len(opened), 'lesson')} built in {folder}.", soft_wrap=True)


def new(
    id: Annotated[str, typer.Argument(help="Short name: lower-case letters, digits and _.")],
    title: Annotated[str | None, typer.Option(help="Title for readers.", show_default=False)] = None,
    lessons: LessonsOption = None,
) -> None:
    """Begin a lesson: its files with one small exercise, and its line in the syllabus (for authors)."""
    from llmcourse.classroom.authoring.scaffold import new_lesson
    from llmcourse.resources import lessons_folder

    path = new_lesson(id, lessons or lessons_folder(), title)
    command = ["llmcourse", "build", "--lesson", id, *(["--lessons", str(lessons)] if lessons else [])]
    text = f"Made {path}. Next: edit its files, then {shlex.join(command)}"
    out.print(text, markup=False, highlight=False, soft_wrap=True)


def bench(
    name: Annotated[
        str | None, typer.Argument(help="Which benchmark; without a name they are listed.", show_default=False)
    ] = None,
    arguments: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ARGUMENT]...", help="Its own, such as --help.", show_default=False),
    ] = None,
) -> None:
    """Run a benchmark and print its table (for authors, in a checkout of the sources)."""
    from llmcourse.commands.bench import list_benchmarks, run_benchmark

    if name is not None:
        raise typer.Exit(run_benchmark(name, arguments or []))
    for each, line in list_benchmarks().items():
        out.print(f"{each:20}{line}", markup=False, highlight=False, soft_wrap=True)
