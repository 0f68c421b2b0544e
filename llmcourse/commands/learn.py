"""Commands for learners: start, progress, demo, doctor."""

import shlex
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from llmcourse.commands.console import LessonsOption, count, errors, out, progress_bar, step


def start(
    folder: Annotated[Path, typer.Argument(help="Where your copy of the notebooks goes.")] = Path("llmcourse-work"),
    browser: Annotated[bool, typer.Option(help="Open JupyterLab when the copy is made.")] = True,
) -> None:
    """Copy the notebooks into a folder of yours and open JupyterLab there; existing work is never overwritten."""
    from llmcourse.commands.start import copy_notebooks, lab_command, open_lab, shadows

    new, kept = copy_notebooks(folder)
    out.print(f"{count(len(new), 'new notebook')} in {folder}, {len(kept)} kept as they are.", soft_wrap=True)
    for path, module in shadows(folder):
        errors.print(f"Rename {path}: notebooks there would import it in place of the module {module}.", soft_wrap=True)
    if browser:
        raise typer.Exit(open_lab(folder))
    out.print(f"Open them with: {shlex.join(lab_command(folder))}", soft_wrap=True, markup=False, highlight=False)


def progress(lessons: LessonsOption = None) -> None:
    """Show your points in every exercise, read from the folder you stand in."""
    from llmcourse.checking.lessons import load_lesson
    from llmcourse.checking.progress import Progress
    from llmcourse.checking.syllabus import load_syllabus

    kept = Progress.find()
    records = kept.read()
    opened = [load_lesson(entry.id, lessons) for entry in load_syllabus(lessons)]
    table = Table("lesson", "exercise", title=kept.described)
    table.add_column("points", justify="right")
    table.add_column("last check")
    for lesson in opened:
        for name, task in lesson.exercises.items():
            record = records.get(lesson.id, {}).get(name, {})
            best = record.get("best", 0)
            style = "green" if best >= task.points else "" if best else "dim"
            table.add_row(lesson.id, name, f"{best:g} / {task.points:g}", record.get("date", "not yet"), style=style)
        table.add_section()
    got = sum(records.get(lesson.id, {}).get(name, {}).get("best", 0) for lesson in opened for name in lesson.exercises)
    full = sum(task.points for lesson in opened for task in lesson.exercises.values())
    table.add_row("together", "", f"{got:g} / {full:g}", "", style="bold")
    out.print(table)


def demo(
    folder: Annotated[Path, typer.Option("--out", help="Where the report goes.")] = Path("demo"),
    lesson: Annotated[str, typer.Option(help="Which lesson's answers are checked.")] = "mlp",
    lessons: LessonsOption = None,
) -> None:
    """Check right and wrong answers of a lesson, train on real digits, and write a report to look at."""
    from llmcourse.checking.lessons import load_lesson
    from llmcourse.commands.demo import answers_table, check_answers, train_on_digits, write_report

    opened = load_lesson(lesson, lessons)
    with progress_bar() as bar:
        rows = check_answers(opened, step(bar, f"Grading answers of {lesson}"))
        training = train_on_digits(step(bar, "Training on 4,000 digits"))
    out.print(answers_table(opened, rows))
    path = write_report(folder, opened, rows, training)
    right = sum(row.as_expected for row in rows)
    out.print(f"{right} of {len(rows)} answers judged as they must be.")
    out.print(f"Test accuracy on 1,000 digits never seen in training: {training.test_accuracy:.1%}.")
    out.print(f"Report: {path}", soft_wrap=True)
    raise typer.Exit(int(right < len(rows)))


def doctor() -> None:
    """Say what this machine has, versions, devices, data, memory, isolation, and what to do about each problem."""
    from llmcourse.commands.doctor import examine, findings_table

    findings = examine()
    out.print(findings_table(findings))
    raise typer.Exit(int(any(finding.serious for finding in findings)))
