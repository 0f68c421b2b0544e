"""Both directions between llmcourse and nbgrader: its own commands take our source, and we grade its folders."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from llmcourse.checking.lessons import load_lesson
from llmcourse.classroom.authoring.release import write_course
from llmcourse.commands.app import app

PARTIAL = "lets everything pass"  # a mutant of mlp's relu that earns 1 of 5 points


def llmcourse(*arguments):
    result = CliRunner().invoke(app, [str(item) for item in arguments], env={"COLUMNS": "200", "NO_COLOR": "1"})
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def nbgrader(folder, *arguments):
    """Run a command of nbgrader's in its course folder; it looks for alembic on the path."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = [sys.executable, "-m", "nbgrader", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=os.environ | {"PATH": path}, capture_output=True, text=True, timeout=1200
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def exercise(cell):
    return cell["metadata"].get("llmcourse", {}).get("exercise")


def submit(course, lesson, student, answers):
    """Put a copy of what nbgrader released, with answers in it, where nbgrader collects it.

    The demonstrations are left out, as a learner may do: nbgrader would run them, for most of its time.
    """
    (released,) = (course / "release" / lesson.id).glob("*.ipynb")
    notebook = json.loads(released.read_text())
    for cell in notebook["cells"]:
        cell["source"] = answers.get(exercise(cell), "".join(cell["source"]))
    notebook["cells"] = [cell for cell in notebook["cells"] if "explore" not in cell["metadata"].get("tags", [])]
    folder = course / "submitted" / student / lesson.id
    folder.mkdir(parents=True)
    (folder / released.name).write_text(json.dumps(notebook))


# --- the source -------------------------------------------------------------------------------------------------------


def test_release_writes_sources_and_a_configuration(tmp_path, lessons):
    output = llmcourse("release", "toy", "--out", tmp_path / "course", "--lessons", lessons).output
    assert "nbgrader generate_assignment toy" in output
    notebook = json.loads((tmp_path / "course" / "source" / "toy" / "01_toy.ipynb").read_text())
    (double,) = [cell for cell in notebook["cells"] if exercise(cell) == "double"]
    assert "### BEGIN SOLUTION\n" in "".join(double["source"])
    assert double["metadata"]["nbgrader"]["solution"] is True
    config = (tmp_path / "course" / "nbgrader_config.py").read_text()
    compile(config, "nbgrader_config.py", "exec")
    assert "timeout = 600" in config


def test_a_second_release_keeps_the_configuration_and_edited_notebooks(tmp_path, toy):
    write_course([toy], tmp_path)
    (tmp_path / "nbgrader_config.py").write_text("mine = 1")
    assert [path.name for path in write_course([toy], tmp_path)] == ["01_toy.ipynb"]
    assert (tmp_path / "nbgrader_config.py").read_text() == "mine = 1"
    source = tmp_path / "source" / "toy" / "01_toy.ipynb"
    source.write_text("edited")
    with pytest.raises(FileExistsError, match="Move it away"):
        write_course([toy], tmp_path)
    assert source.read_text() == "edited"


def test_an_unknown_lesson_is_not_released(tmp_path, lessons):
    with pytest.raises(ValueError, match="must be one of toy. Received: 'rnn'"):
        llmcourse("release", "rnn", "--out", tmp_path / "course", "--lessons", lessons)
    assert not (tmp_path / "course").exists()


# --- nbgrader's own commands ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """Release mlp through llmcourse and nbgrader."""
    folder = tmp_path_factory.mktemp("course")
    assert llmcourse("release", "mlp", "--out", folder).exit_code == 0
    nbgrader(folder, "generate_assignment", "mlp")
    return folder


@pytest.mark.slow
def test_what_nbgrader_releases_is_the_student_notebook(course, root):
    released = json.loads((course / "release" / "mlp" / "01_mlp.ipynb").read_text())
    ours = json.loads((root / "notebooks" / "student" / "01_mlp.ipynb").read_text())
    assert [(cell["id"], "".join(cell["source"])) for cell in released["cells"]] == [
        (cell["id"], "".join(cell["source"])) for cell in ours["cells"]
    ]
    locked = [cell for cell in released["cells"] if cell["metadata"].get("nbgrader", {}).get("locked")]
    assert len(locked) == len(load_lesson("mlp").exercises)
    assert all("checksum" in cell["metadata"]["nbgrader"] for cell in locked)


@pytest.mark.slow
def test_nbgraders_validation_finds_every_exercise_open_and_nothing_else_wrong(course):
    output = nbgrader(course, "validate", str(course / "release" / "mlp" / "01_mlp.ipynb"))
    assert output.count("The following cell failed") == len(load_lesson("mlp").exercises)
    assert "has changed" not in output
    assert "not recognized" not in output


@pytest.mark.slow
def test_nbgrader_gives_the_points_that_llmcourse_gives(course, tmp_path):
    from nbgrader.api import Gradebook

    lesson = load_lesson("mlp")
    (mutant,) = [item for item in lesson.answers["relu"] if item.why == PARTIAL]
    solutions = {id: task.solution for id, task in lesson.exercises.items()}
    partial = lesson.exercises["relu"].solution + "\n\n" + mutant.source
    submit(course, lesson, "ada", solutions)
    submit(course, lesson, "empty", {})
    submit(course, lesson, "grace", solutions | {"relu": partial})
    nbgrader(course, "autograde", "mlp")
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}", "llmcourse") as gradebook:
        theirs = {
            student: {
                grade.cell.name.removeprefix("mlp-").removesuffix("-check"): grade.score
                for notebook in gradebook.find_submission("mlp", student).notebooks
                for grade in notebook.grades
            }
            for student in ("ada", "empty", "grace")
        }
    result = llmcourse("grade", course / "submitted", "--json", tmp_path / "out.json", "--seed-file", tmp_path / "seed")
    rows = json.loads((tmp_path / "out.json").read_text())["results"]
    ours = {row["student"]: {item["id"]: item["points"] for item in row["exercises"]} for row in rows}
    full = sum(task.points for task in lesson.exercises.values())
    assert result.exit_code == 0
    assert ours == theirs
    assert {student: sum(points.values()) for student, points in theirs.items()} == {
        "ada": full,
        "empty": 0,
        "grace": full - 4,
    }
