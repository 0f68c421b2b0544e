import subprocess
import sys
from pathlib import Path

import pytest

from llmcourse.checking.lessons import load_lesson
from llmcourse.checking.syllabus import LessonError, load_syllabus
from llmcourse.classroom.authoring.answers import AnswerChecker, caught, known_answers
from llmcourse.classroom.authoring.notebooks import build, check
from llmcourse.classroom.authoring.scaffold import new_lesson

SYLLABUS = """\
# A comment at the top.

[[lesson]]
id = "mlp"   # a comment beside
title = 'single quotes'
minutes = 150
prerequisites = []
# A comment at the end, without a newline after it."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "syllabus.toml").write_text(SYLLABUS, encoding="utf-8")
    return tmp_path


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_new_lesson_loads_with_its_title_at_the_end_of_the_syllabus(folder):
    assert new_lesson("moving_on", folder, 'Smoothing "curves" für alle \\ 🙂') == folder / "moving_on"
    lesson = load_lesson("moving_on", folder)
    assert (lesson.number, lesson.title, lesson.minutes) == (2, 'Smoothing "curves" für alle \\ 🙂', 30)
    assert lesson.cells[0].source.startswith('# Smoothing "curves" für alle')
    assert list(lesson.exercises) == ["moving_average"]
    assert len(lesson.criteria["moving_average"][0].hints) == 3


def test_syllabus_keeps_every_character_it_had(folder):
    new_lesson("first", folder)
    new_lesson("second", folder)
    assert (folder / "syllabus.toml").read_text(encoding="utf-8").startswith(SYLLABUS + "\n\n[[lesson]]\n")
    assert [(entry.id, entry.title) for entry in load_syllabus(folder)][1:] == [
        ("first", "First"),
        ("second", "Second"),
    ]


def test_folder_without_a_syllabus_gets_one(tmp_path):
    new_lesson("first", tmp_path)
    assert [entry.id for entry in load_syllabus(tmp_path)] == ["first"]
    assert sorted(contents(tmp_path)) == ["first/exercises/moving_average.py", "first/lesson.py", "syllabus.toml"]


def test_reference_passes_empty_copy_earns_nothing_and_mutants_are_caught(folder, monkeypatch):
    new_lesson("averages", folder)
    monkeypatch.setenv("LLMCOURSE_LESSONS", str(folder))
    monkeypatch.setenv("LLMCOURSE_PROGRESS", "off")
    monkeypatch.setattr(
        "llmcourse.setup", lambda seed: None, raising=False
    )  # needs TensorFlow, which nothing here uses
    lesson = load_lesson("averages", folder)
    checker, answers = AnswerChecker(lesson), known_answers(lesson)
    assert [answer.kind for answer in answers] == ["reference", "empty", "accepted", "mutant", "mutant"]
    for seed in range(20):
        assert all(caught(answer, checker.check(answer, str(seed))) for answer in answers)


@pytest.mark.parametrize("name", ["lesson.py", "exercises/moving_average.py"])
def test_files_are_formatted_and_linted_as_a_lesson_of_the_project(folder, name):
    root = Path(__file__).parents[3]
    text = (new_lesson("averages", folder) / name).read_bytes()
    place = ["--no-cache", "--stdin-filename", str(root / "lessons" / "averages" / name), "-"]
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, *place], input=text, capture_output=True, cwd=root
        )
        assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()


@pytest.mark.slow  # starts TensorFlow in a kernel
def test_solution_notebook_runs(folder):
    new_lesson("averages", folder)
    lesson = load_lesson("averages", folder)
    build([lesson], folder / "notebooks")
    assert check([lesson], folder / "notebooks") == []
    text = (folder / "notebooks" / "solutions" / "02_averages.ipynb").read_text(encoding="utf-8")
    assert "smoothed: [7. 6. 5. 4. 3.]" in text and "2 / 2 points" in text


@pytest.mark.parametrize("id", ["", "Upper", "2nd", "with-dash", "a b", "../up", "ümlaut", "_x", "a" * 41])
def test_bad_id_is_refused(folder, id):
    with pytest.raises(ValueError, match="id must be lower-case letters"):
        new_lesson(id, folder)
    assert contents(folder) == {"syllabus.toml": SYLLABUS.encode()}


@pytest.mark.parametrize("title", ["", " ", "two\nlines", "a \x7f"])
def test_bad_title_is_refused(folder, title):
    with pytest.raises(ValueError, match="title must be one line of text"):
        new_lesson("averages", folder, title)
    assert contents(folder) == {"syllabus.toml": SYLLABUS.encode()}


def test_existing_lesson_is_refused(folder):
    with pytest.raises(ValueError, match=r"Received: 'mlp', which .*syllabus\.toml lists"):
        new_lesson("mlp", folder)
    (folder / "draft").mkdir()
    with pytest.raises(ValueError, match=r"Received: 'draft', and .*draft exists"):
        new_lesson("draft", folder)
    assert contents(folder) == {"syllabus.toml": SYLLABUS.encode()}


def test_missing_folder_and_broken_syllabus_are_refused(folder):
    with pytest.raises(FileNotFoundError, match="must exist"):
        new_lesson("averages", folder / "nowhere")
    (folder / "syllabus.toml").write_text("[[lesson]")
    with pytest.raises(LessonError, match="must be a TOML file"):
        new_lesson("averages", folder)
    assert list(contents(folder)) == ["syllabus.toml"]


@pytest.mark.parametrize("step", ["write_text", "rename", "replace"])
def test_failure_at_any_step_leaves_nothing_behind(folder, monkeypatch, step):
    original = getattr(Path, step)

    def fail(path, *args, **kwargs):
        if step == "write_text" and path.name == "lesson.py":
            return original(path, *args, **kwargs)
        raise OSError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, step, fail)
        with pytest.raises(OSError, match="No space left"):
            new_lesson("averages", folder)
    assert contents(folder) == {"syllabus.toml": SYLLABUS.encode()}
    assert [path.name for path in folder.iterdir()] == ["syllabus.toml"]
    new_lesson("averages", folder)
