"""Finding the notebooks of a class: whose each is, which lesson it answers, and which one counts."""

import json
import os

import pytest

from llmcourse.classroom.grading.lessons import Lessons
from llmcourse.classroom.grading.notebook_file import InvalidSubmissionError
from llmcourse.classroom.grading.submissions import Path, find_submissions

EXERCISES = {"mlp": "relu", "cnn": "conv2d"}


@pytest.fixture(scope="module")
def lessons():
    return Lessons()


def notebook(lesson="mlp", cells=None):
    """A notebook that names its lesson; without one it holds only the given cells."""
    content = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"llmcourse": {"lesson": lesson}} if lesson else {}}
    sources = cells if cells is not None else [f"def {EXERCISES[lesson]}(z): return z"]
    return content | {"cells": [{"cell_type": "code", "metadata": {}, "source": source} for source in sources]}


FOREIGN = notebook("", ["print(1)"])
STRIPPED = notebook("", ["def relu(z): return z"])


def place(folder, *names, content=None):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content if isinstance(content, str) else json.dumps(content or notebook()))


@pytest.fixture
def found(lessons):
    """List (student, lesson, path) of what is found, in order."""

    def look(*paths, lesson=None):
        result = find_submissions(paths, lessons, lesson)
        return [(item.student, item.lesson, item.path.name) for item in result.found]

    return look


@pytest.fixture
def remarks(lessons):
    def look(*paths, lesson=None):
        return [remark for item in find_submissions(paths, lessons, lesson).found for remark in item.remarks]

    return look


def students(rows):
    return [student for student, _, _ in rows]


# --- whose it is ------------------------------------------------------------------------------------------------------


def test_a_flat_folder_names_student_and_lesson_in_the_file(tmp_path, found):
    place(tmp_path, "ada__mlp.ipynb", "a__b__mlp.ipynb", "notes.txt", ".hidden.ipynb")
    place(tmp_path, "grace_hopper__02_cnn.ipynb", content=notebook("cnn"))
    assert found(tmp_path) == [
        ("a__b", "mlp", "a__b__mlp.ipynb"),
        ("ada", "mlp", "ada__mlp.ipynb"),
        ("grace_hopper", "cnn", "grace_hopper__02_cnn.ipynb"),
    ]


@pytest.mark.parametrize(
    "name",
    [
        "anna__mlp (1).ipynb",
        "anna__mlp(2).ipynb",
        "anna__mlp-2.ipynb",
        "anna__mlp_2.ipynb",
        "anna__mlp-Copy1.ipynb",
        "anna__mlp - Copy (3).ipynb",
        "anna__mlp copy.ipynb",
        "anna__mlp-checkpoint.ipynb",
        "anna__01_mlp (1).ipynb",
        "anna__mlp_final.ipynb",
        "anna__MLP.IPYNB",
        "Copy of anna__mlp.ipynb",
        "anna_01_mlp.ipynb",
        "anna-mlp-1.ipynb",
        "anna mlp.ipynb",
    ],
)
def test_what_a_download_adds_to_a_name_belongs_to_nobodys_name(tmp_path, found, name):
    place(tmp_path, name)
    assert found(tmp_path) == [("anna", "mlp", name)]
    assert found(tmp_path / name) == [("anna", "mlp", name)]


@pytest.mark.parametrize("name", ["anna__maria.ipynb", "anna.ipynb", "mlpanna.ipynb", "anna__mlpx.ipynb"])
def test_a_name_that_ends_with_no_lesson_is_a_students(tmp_path, found, name):
    place(tmp_path, name)
    assert found(tmp_path) == [(name.removesuffix(".ipynb"), "mlp", name)]


def test_a_name_of_any_length_is_read_at_once(tmp_path, found):
    name = "a" + "_1" * 100 + "__mlp" + " (1)" * 8 + "!.ipynb"
    place(tmp_path, name)
    assert len(found(tmp_path)) == 1


def test_nbgraders_folders_name_the_student(tmp_path, found):
    place(
        tmp_path,
        "submitted/ada/mlp/01_mlp.ipynb",
        "submitted/ada/mlp/.ipynb_checkpoints/01_mlp-checkpoint.ipynb",
        "submitted/alan/week_1/01_mlp.ipynb",
        "submitted/mallory/mlp/victim__mlp.ipynb",
    )
    place(tmp_path, "submitted/grace/cnn/renamed.ipynb", content=notebook("cnn"))
    wanted = [
        ("ada", "mlp", "01_mlp.ipynb"),
        ("alan", "mlp", "01_mlp.ipynb"),
        ("grace", "cnn", "renamed.ipynb"),
        ("mallory", "mlp", "victim__mlp.ipynb"),
    ]
    assert found(tmp_path / "submitted") == wanted
    assert found(tmp_path) == wanted
    (tmp_path / "submitted").rename(tmp_path / "collected")
    assert students(found(tmp_path / "collected"))[0] == "ada"


def test_the_folder_that_was_handed_in_decides(tmp_path, found, remarks):
    place(tmp_path, "submitted/mallory/mlp/victim__mlp.ipynb", "submitted/victim/mlp/01_mlp.ipynb")
    assert students(found(tmp_path / "submitted")) == ["mallory", "victim"]
    assert remarks(tmp_path) == ["handed in by mallory, whatever its name says: victim__mlp.ipynb"]
    place(tmp_path, "week1/mallory/victim__mlp.ipynb", "week1/victim/victim__mlp.ipynb")
    assert students(found(tmp_path / "week1")) == ["mallory", "victim"]


@pytest.mark.parametrize("file", ["01_mlp.ipynb", "homework.ipynb", "Untitled.ipynb", "inner/01_mlp.ipynb"])
@pytest.mark.parametrize("form", ["{}_assignsubmission_file_", "{}"])
def test_a_folder_for_each_student_names_them_and_nothing_above_does(tmp_path, found, form, file):
    names = ["Anna A_11", "Ben B_12", "Ben B_13"]
    place(tmp_path, *[f"course/week1/{form.format(name)}/{file}" for name in names])
    assert students(found(tmp_path / "course" / "week1")) == names
    assert students(found(tmp_path / "course")) == names
    assert students(found(tmp_path)) == names


def test_moodles_names_without_folders_name_the_student(tmp_path, found):
    place(tmp_path, "Anna A_11_assignsubmission_file_01_mlp.ipynb", "Ben B_12_assignsubmission_file_x.ipynb")
    assert students(found(tmp_path)) == ["Anna A_11", "Ben B_12"]


def test_a_folder_that_only_collects_notebooks_names_nobody(tmp_path, found):
    place(tmp_path, "class/week1/ada__mlp.ipynb", "class/week1/grace__mlp.ipynb")
    place(tmp_path, "class/week2/ada__cnn.ipynb", content=notebook("cnn"))
    wanted = [
        ("ada", "mlp", "ada__mlp.ipynb"),
        ("grace", "mlp", "grace__mlp.ipynb"),
        ("ada", "cnn", "ada__cnn.ipynb"),
    ]
    assert found(tmp_path / "class") == found(tmp_path) == wanted


def test_groups_of_students_are_not_taken_for_one_student(tmp_path, found):
    place(tmp_path, "red/ada/01_mlp.ipynb", "red/alan/01_mlp.ipynb", "blue/grace/01_mlp.ipynb")
    assert students(found(tmp_path)) == ["blue", "red/ada", "red/alan"]


@pytest.mark.parametrize("inside", ["submitted/ada", "submitted/ada/mlp", "submitted/ada/mlp/01_mlp.ipynb"])
def test_the_folder_given_and_those_above_it_name_nobody(tmp_path, found, remarks, inside, monkeypatch):
    place(tmp_path, "submitted/ada/mlp/01_mlp.ipynb")
    assert found(tmp_path / inside) == [("01_mlp", "mlp", "01_mlp.ipynb")]
    said = ["nothing names its student: neither a folder below the one graded, nor its own name"]
    assert remarks(tmp_path / inside) == said
    if not inside.endswith("ipynb"):
        monkeypatch.chdir(tmp_path / inside)
        assert found(Path()) == [("01_mlp", "mlp", "01_mlp.ipynb")]


def test_notebooks_that_nothing_names_stay_apart(tmp_path, found):
    place(tmp_path, "ada/mlp/01_mlp.ipynb", "grace/mlp/01_mlp.ipynb", "mails/01_mlp.ipynb", "mails/01_mlp (1).ipynb")
    assert len(found(*sorted(tmp_path.glob("*/mlp/*.ipynb")))) == 2
    assert len(found(tmp_path / "mails")) == 2


def test_a_notebook_named_twice_is_graded_once(tmp_path, found):
    place(tmp_path, "ada__mlp.ipynb")
    assert len(found(tmp_path, tmp_path / "ada__mlp.ipynb", tmp_path / ".." / tmp_path.name)) == 1


# --- which lesson it answers ------------------------------------------------------------------------------------------


def test_what_a_notebook_says_decides_its_lesson(tmp_path, found, remarks):
    place(tmp_path, "ada__cnn.ipynb")
    assert found(tmp_path) == [("ada", "mlp", "ada__cnn.ipynb")]
    assert remarks(tmp_path) == ["graded as mlp, which its own metadata name; its place says cnn"]
    assert found(tmp_path, lesson="cnn") == [("ada", "mlp", "ada__cnn.ipynb")]
    assert "--lesson says cnn and its place says cnn" in remarks(tmp_path, lesson="cnn")[0]
    assert remarks(tmp_path, lesson="mlp") == ["graded as mlp, which its own metadata name; its place says cnn"]


def test_cells_that_name_a_lesson_count_where_the_notebook_does_not(tmp_path, found):
    content = notebook("", ["x = 1"])
    content["cells"][0]["metadata"] = {"llmcourse": {"lesson": "cnn", "exercise": "conv2d"}}
    place(tmp_path, "ada__mlp.ipynb", content=content)
    assert found(tmp_path) == [("ada", "cnn", "ada__mlp.ipynb")]


def test_without_metadata_ids_and_names_tell_the_lesson(tmp_path, found, remarks):
    place(tmp_path, "ada.ipynb", "grace__cnn.ipynb", "alan__mlp.ipynb", content=STRIPPED)
    assert [lesson for _, lesson, _ in found(tmp_path)] == ["mlp", "mlp", "mlp"]
    assert remarks(tmp_path) == ["graded as mlp, which its exercises are of; its place says cnn"]


def test_a_lesson_that_nothing_in_the_notebook_contradicts_may_be_given(tmp_path, found):
    place(tmp_path, "ada.ipynb", content="{")
    assert found(tmp_path, lesson="cnn") == [("ada", "cnn", "ada.ipynb")]
    assert found(tmp_path) == [("ada", "", "ada.ipynb")]


def test_an_unknown_lesson_in_the_metadata_is_none(tmp_path, found):
    content = notebook("", ["def relu(z): return z"]) | {"metadata": {"llmcourse": {"lesson": "rnn_of_next_year"}}}
    place(tmp_path, "ada__mlp.ipynb", content=content)
    assert found(tmp_path) == [("ada", "mlp", "ada__mlp.ipynb")]


# --- which one counts -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "second",
    ["anna__mlp (1).ipynb", "anna__mlp-checkpoint.ipynb", "Anna__mlp.ipynb", "anna__MLP.ipynb", "anna__mlp-2.ipynb"],
)
def test_of_two_notebooks_the_better_named_one_counts_and_the_other_is_said(tmp_path, found, remarks, second):
    place(tmp_path, "anna__mlp.ipynb", second)
    assert found(tmp_path) == [("anna", "mlp", "anna__mlp.ipynb")]
    assert remarks(tmp_path) == [f"{second} is a second notebook for lesson mlp and was not graded"]


@pytest.mark.parametrize(
    "second", ["Untitled.ipynb", "01_mlp-Copy1.ipynb", "01_MLP.ipynb", "old/01_mlp.ipynb", "x.ipynb"]
)
def test_of_two_notebooks_in_a_students_folder_one_counts(tmp_path, found, remarks, second):
    place(tmp_path, "submitted/anna/mlp/01_mlp.ipynb", f"submitted/anna/mlp/{second}")
    assert found(tmp_path) == [("anna", "mlp", "01_mlp.ipynb")]
    assert remarks(tmp_path) == [f"{Path(second).name} is a second notebook for lesson mlp and was not graded"]


def test_two_lessons_of_a_student_are_two_submissions(tmp_path, found):
    place(tmp_path, "anna/01_mlp.ipynb", "ben/01_mlp.ipynb")
    place(tmp_path, "anna/02_cnn.ipynb", content=notebook("cnn"))
    assert [row[:2] for row in found(tmp_path)] == [("anna", "mlp"), ("anna", "cnn"), ("ben", "mlp")]


def test_a_damaged_or_foreign_notebook_never_counts_before_a_whole_one(tmp_path, found):
    place(tmp_path, "anna__mlp.ipynb", content="{")
    place(tmp_path, "ben__mlp.ipynb", content=FOREIGN)
    place(tmp_path, "anna__mlp (1).ipynb", "ben__mlp (1).ipynb")
    assert found(tmp_path) == [("anna", "mlp", "anna__mlp (1).ipynb"), ("ben", "mlp", "ben__mlp (1).ipynb")]


def test_a_foreign_notebook_beside_a_submission_is_said_and_has_no_row(tmp_path, found, remarks, lessons):
    place(tmp_path, "flat/anna__mlp.ipynb", "each/anna/01_mlp.ipynb", "each/ben/01_mlp.ipynb")
    place(tmp_path, "flat/Untitled.ipynb", "each/anna/Untitled.ipynb", content=FOREIGN)
    said = "holds no exercise of any lesson and was not graded"
    for lesson in (None, "mlp"):
        assert found(tmp_path / "flat", lesson=lesson) == [("anna", "mlp", "anna__mlp.ipynb")]
        left_out = find_submissions([tmp_path / "flat"], lessons, lesson).left_out
        assert left_out == (f"{tmp_path / 'flat' / 'Untitled.ipynb'} {said}",)
        assert students(found(tmp_path / "each", lesson=lesson)) == ["anna", "ben"]
        assert remarks(tmp_path / "each", lesson=lesson) == [f"Untitled.ipynb {said}"]


def test_a_foreign_notebook_that_is_all_a_student_handed_in_has_a_row(tmp_path, found):
    place(tmp_path, "each/anna/01_mlp.ipynb", "flat/cleo__mlp.ipynb")
    place(tmp_path, "each/ben/Untitled.ipynb", "flat/dora__mlp.ipynb", content=FOREIGN)
    assert students(found(tmp_path / "each")) == ["anna", "ben"]
    assert students(found(tmp_path / "flat")) == ["cleo", "dora"]
    assert found(tmp_path / "each" / "ben" / "Untitled.ipynb") == [("Untitled", "", "Untitled.ipynb")]


# --- what cannot be read ----------------------------------------------------------------------------------------------


def test_a_path_that_is_missing_is_an_error(tmp_path, found):
    with pytest.raises(FileNotFoundError, match="nowhere, which does not exist"):
        found(tmp_path / "nowhere")


def closed(folder, monkeypatch):
    """Close a folder; root may read everything, so there the system is asked to refuse."""
    if os.geteuid():
        folder.chmod(0)
        return
    scandir = os.scandir

    def refuse(path="."):
        if os.fspath(path) == os.fspath(folder):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)


def test_a_folder_that_cannot_be_read_becomes_a_submission(tmp_path, monkeypatch, lessons):
    place(tmp_path, "submitted/ada/mlp/01_mlp.ipynb", "submitted/grace/mlp/01_mlp.ipynb")
    closed(tmp_path / "submitted" / "ada" / "mlp", monkeypatch)
    both = find_submissions([tmp_path / "submitted"], lessons).found
    assert [(item.student, item.lesson, item.path.name) for item in both] == [
        ("grace", "mlp", "01_mlp.ipynb"),
        ("ada", "mlp", "mlp"),
    ]
    assert isinstance(both[1].notebook, InvalidSubmissionError)
    assert "the folder cannot be read" in str(both[1].notebook)
    (tmp_path / "submitted" / "ada" / "mlp").chmod(0o700)


def test_the_folder_that_was_named_must_be_readable(tmp_path, monkeypatch, found):
    closed(tmp_path, monkeypatch)
    with pytest.raises(PermissionError, match="A folder that you may read is required"):
        found(tmp_path)
    tmp_path.chmod(0o700)


def test_a_link_counts_only_where_the_teacher_named_it(tmp_path, lessons):
    place(tmp_path, "grace__mlp.ipynb")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "ada__mlp.ipynb").symlink_to(tmp_path / "grace__mlp.ipynb")
    (inside,) = find_submissions([tmp_path / "in"], lessons).found
    assert "a symbolic link" in str(inside.notebook)
    (named,) = find_submissions([tmp_path / "in" / "ada__mlp.ipynb"], lessons).found
    assert (named.student, named.notebook.lessons) == ("ada", ("mlp",))
