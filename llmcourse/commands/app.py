"""The command `llmcourse`; each subcommand is a few lines that call into the package."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from llmcourse import __version__
from llmcourse.commands import train as cli_train
from llmcourse.commands import use as cli_translate

app = typer.Typer(
    help="A deep-learning course in graded notebooks, from an MLP in NumPy to a Transformer that translates.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
out = Console()
errors = Console(stderr=True, highlight=False)

LessonsOption = Annotated[
    Path | None, typer.Option("--lessons", help="A folder of lessons in place of the built-in one.", show_default=False)
]


app.add_typer(cli_train.train, name="train")
app.command()(cli_train.evaluate)
app.command()(cli_translate.translate)


@app.callback(invoke_without_command=True)
def main(version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False) -> None:
    """Say the version where that is asked for."""
    if version:
        out.print(__version__)
        raise typer.Exit


@app.command()
def start(
    folder: Annotated[Path, typer.Argument(help="Where your copy of the notebooks goes.")] = Path("llmcourse-work"),
    browser: Annotated[bool, typer.Option(help="Open JupyterLab when the copy is made.")] = True,
) -> None:
    """Copy the notebooks into a folder of yours and open JupyterLab there; existing work is never overwritten."""
    from llmcourse.commands.start import copy_notebooks, open_lab

    new, kept = copy_notebooks(folder)
    out.print(f"{len(new)} new {_plural(len(new), 'notebook')} in {folder}, {len(kept)} kept as they are.")
    if browser:
        raise typer.Exit(open_lab(folder))
    out.print(f"Open them with: jupyter lab {folder}")


@app.command()
def progress(lessons: LessonsOption = None) -> None:
    """Show your points in every exercise, read from the folder you stand in."""
    from llmcourse.checking.lessons import load_lesson
    from llmcourse.checking.progress import Progress as Records
    from llmcourse.checking.progress import progress_file
    from llmcourse.checking.syllabus import load_syllabus

    path = progress_file()
    records = Records(path).read()
    table = Table(title=f"Progress in {path}" if path else "Progress is switched off (LLMCOURSE_PROGRESS=off)")
    for heading in ("lesson", "exercise", "points", "last check"):
        table.add_column(heading, justify="right" if heading == "points" else "left")
    got = full = 0.0
    for entry in load_syllabus(lessons):
        for name, task in load_lesson(entry.id, lessons).exercises.items():
            record = records.get(entry.id, {}).get(name, {})
            best = record.get("best", 0)
            got, full = got + best, full + task.points
            style = "green" if best >= task.points else "" if best else "dim"
            table.add_row(entry.id, name, f"{best:g} / {task.points:g}", record.get("date", "not yet"), style=style)
        table.add_section()
    table.add_row("together", "", f"{got:g} / {full:g}", "", style="bold")
    out.print(table)


@app.command()
def demo(
    folder: Annotated[Path, typer.Option("--out", help="Where the report goes.")] = Path("demo"),
    lesson: Annotated[str, typer.Option(help="Which lesson's answers are checked.")] = "mlp",
    lessons: LessonsOption = None,
) -> None:
    """Check right and wrong answers of a lesson, train on real digits, and write a report to look at."""
    from llmcourse.checking.lessons import load_lesson
    from llmcourse.commands.demo import check_answers, train_on_digits, write_report

    opened = load_lesson(lesson, lessons)
    with _bar() as bar:
        rows = check_answers(opened, _step(bar, f"Grading answers of {lesson}"))
        training = train_on_digits(_step(bar, "Training on 4,000 digits"))
    out.print(_answers_table(opened, rows))
    path = write_report(folder, opened, rows, training)
    right = sum(row.as_expected for row in rows)
    out.print(f"{right} of {len(rows)} answers judged as they must be.")
    out.print(f"Test accuracy on 1,000 digits never seen in training: {training.test_accuracy:.1%}.")
    out.print(f"Report: {path}")
    if right < len(rows):
        raise typer.Exit(1)


@app.command()
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
        typer.Option(min=1, help="How many notebooks at a time; by default one for each core.", show_default=False),
    ] = None,
    timeout: Annotated[
        float,
        typer.Option(min=1, help="Seconds of computing that one submission may take; ten times as many by the clock."),
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
    from llmcourse.classroom.grading import results
    from llmcourse.classroom.grading.grader import grade_class
    from llmcourse.classroom.grading.lessons import Lessons
    from llmcourse.classroom.grading.seed import class_seed
    from llmcourse.classroom.grading.submissions import find_submissions
    from llmcourse.classroom.sandbox.limits import Limits
    from llmcourse.classroom.sandbox.pool import ISOLATION
    from llmcourse.runtime import available_cores

    course = Lessons(lessons)
    if lesson not in (None, *course.known):
        raise ValueError(f"--lesson must be one of {', '.join(course.known)}. Received: {lesson!r}.")
    notebooks = find_submissions(paths, course, lesson)
    submissions = notebooks.found
    if not submissions:
        raise ValueError(f"Notebooks are required. Received: no .ipynb file in {', '.join(map(str, paths))}.")
    file = results.ResultsFile(json_file, [submission.path for submission in submissions], notebooks.left_out)
    seed, jobs = class_seed(seed_file), jobs or available_cores()
    if os.name == "posix" and os.geteuid() == 0:
        errors.print("You are root, and so is the learners' code: for a real class use an account that owns little.")
    with _bar() as bar:
        task = bar.add_task("Grading", total=len(submissions))

        def done(row: Any) -> None:
            file.add(row)
            bar.advance(task)

        stopped = False
        try:
            grade_class(
                submissions,
                course,
                seed,
                jobs=jobs,
                threads=max(1, available_cores() // jobs),
                limits=Limits(seconds=timeout),
                isolation=isolation,
                done=done,
            )
        except KeyboardInterrupt:
            stopped = True
        file.close()
    out.print(results.table(file.rows))
    for line in notebooks.left_out:
        out.print(results.in_one_line(line), markup=False, highlight=False)
    out.print(f"Isolation {ISOLATION[isolation]}.", style="dim", highlight=False)
    if json_file and not file.error:
        out.print(f"Results: {json_file}", markup=False)
    if file.error:
        errors.print(f"Error: {file.error}", markup=False)
    if stopped:
        errors.print(f"Stopped after {len(file.rows)} of {len(submissions)}.")
        raise typer.Exit(130)
    raise typer.Exit(int(bool(file.error) or any(row.status != "ok" for row in file.rows)))


@app.command()
def release(
    chosen: Annotated[list[str], typer.Argument(metavar="LESSON...", help="Which lessons.")],
    folder: Annotated[Path, typer.Option("--out", help="The folder of the nbgrader course.")],
    lessons: LessonsOption = None,
) -> None:
    """Write the sources of an nbgrader course: source/LESSON/*.ipynb and nbgrader_config.py."""
    from llmcourse.checking.lessons import load_lesson
    from llmcourse.classroom.authoring.release import write_course

    for path in write_course([load_lesson(name, lessons) for name in chosen], folder):
        out.print(f"Wrote {path}", markup=False)
    out.print(f"Next, in {folder}: nbgrader generate_assignment {' or '.join(chosen)}", markup=False)


@app.command()
def doctor() -> None:
    """Say what this machine has, versions, devices, data, memory, isolation, and what to do about each problem."""
    from llmcourse.commands.doctor import examine

    table = Table(show_header=False, box=None, pad_edge=False)
    findings = examine()
    for finding in findings:
        table.add_row("[green]ok[/]" if finding.ok else "[yellow]look[/]", finding.name, finding.text)
        if not finding.ok:
            table.add_row("", "", f"[bold]{finding.advice}[/]")
    out.print(table)
    raise typer.Exit(int(any(finding.serious for finding in findings)))


@app.command()
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
    opened = [load_lesson(name, lessons) for name in chosen] if chosen else [load_lesson(str(lesson), lessons)]
    if check:
        differences = notebooks.check(opened, folder)
        for line in differences:
            errors.print(line, markup=False)
        out.print("Notebooks and lessons differ: run `llmcourse build`." if differences else "Notebooks match.")
        raise typer.Exit(int(bool(differences)))
    with _bar() as bar:
        task = bar.add_task("Building", total=None)
        notebooks.build(opened, folder, progress=lambda text: bar.update(task, description=text))
    out.print(f"{len(opened)} {_plural(len(opened), 'lesson')} built in {folder}.")


@app.command()
def new(
    id: Annotated[str, typer.Argument(help="Short name: lower-case letters, digits and _.")],
    title: Annotated[str | None, typer.Option(help="Title for readers.", show_default=False)] = None,
    lessons: LessonsOption = None,
) -> None:
    """Begin a lesson: its three files with one small exercise, and its line in the syllabus (for authors)."""
    from llmcourse.classroom.authoring.scaffold import new_lesson
    from llmcourse.resources import lessons_folder

    path = new_lesson(id, lessons or lessons_folder(), title)
    out.print(f"Made {path}. Next: edit its three files, then `llmcourse build --lesson {id}`.")


def run() -> None:
    """Start the command; an error that names its cause is shown without a traceback."""
    try:
        app()
    except (ValueError, OSError, RuntimeError) as error:
        errors.print("[red]Error:[/] " + escape(str(error)), soft_wrap=True)
        raise SystemExit(2) from None


def _bar() -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=errors,
    )


def _step(bar: Progress, text: str) -> Any:
    """Return a function (done, total) that moves a new line of the progress bar."""
    task = bar.add_task(text, total=None)
    return lambda done, total: bar.update(task, completed=done, total=total)


def _answers_table(lesson: Any, rows: Any) -> Table:
    table = Table(title=f"Lesson {lesson.id}: {lesson.title}")
    for heading, justify in (
        ("exercise", "left"),
        ("reference", "right"),
        ("empty", "right"),
        ("mutants caught", "right"),
    ):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    for name in lesson.exercises:
        mine = [row for row in rows if row.exercise == name]
        points = {row.kind: f"{row.points:g} / {row.max_points:g}" for row in mine if row.kind != "mutant"}
        mutants = [row.as_expected for row in mine if row.kind == "mutant"]
        table.add_row(name, points["reference"], points["empty"], f"{sum(mutants)} of {len(mutants)}")
    return table


def _plural(count: int, word: str) -> str:
    return word if count == 1 else f"{word}s"
