"""Finding notebooks, reading damaged ones, and matching their cells with the lesson's."""

import json
import os
import random

import pytest

from llmcourse.classroom.grading import submissions
from llmcourse.classroom.grading.script import read_script, reference_script
from llmcourse.classroom.grading.submissions import InvalidSubmissionError, Submission, find_submissions, read_notebook

KNOWN = ("mlp", "cnn")


def place(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("{}")


def found(paths, **options):
    return [(item.student, item.lesson, item.path.name) for item in find_submissions(paths, KNOWN, **options)]


# --- finding ----------------------------------------------------------------------------------------------------------


def test_a_flat_folder_names_student_and_lesson_in_the_file(tmp_path):
    place(tmp_path, "ada__mlp.ipynb", "grace_hopper__02_cnn.ipynb", "a__b__mlp.ipynb", "notes.txt", ".hidden.ipynb")
    assert found([tmp_path]) == [
        ("a__b", "mlp", "a__b__mlp.ipynb"),
        ("ada", "mlp", "ada__mlp.ipynb"),
        ("grace_hopper", "cnn", "grace_hopper__02_cnn.ipynb"),
    ]


def test_nbgraders_folders_name_student_and_lesson(tmp_path):
    place(
        tmp_path,
        "submitted/ada/mlp/01_mlp.ipynb",
        "submitted/ada/mlp/.ipynb_checkpoints/01_mlp-checkpoint.ipynb",
        "submitted/grace/cnn/renamed.ipynb",
        "submitted/alan/week_1/01_mlp.ipynb",
    )
    wanted = [("ada", "mlp", "01_mlp.ipynb"), ("alan", "mlp", "01_mlp.ipynb"), ("grace", "cnn", "renamed.ipynb")]
    assert found([tmp_path / "submitted"]) == wanted
    assert found([tmp_path]) == wanted
    assert found([tmp_path / "submitted" / "ada"]) == wanted[:1]


def test_a_folder_is_the_same_from_inside(tmp_path, monkeypatch):
    place(tmp_path, "submitted/ada/mlp/01_mlp.ipynb")
    monkeypatch.chdir(tmp_path / "submitted" / "ada")
    assert found([submissions.Path()]) == [("ada", "mlp", "01_mlp.ipynb")]


def test_a_single_notebook_and_a_lesson_for_all(tmp_path):
    place(tmp_path, "homework.ipynb", "01_mlp.ipynb")
    assert found([tmp_path / "homework.ipynb"]) == [("homework", "", "homework.ipynb")]
    assert found([tmp_path / "01_mlp.ipynb"]) == [("01_mlp", "mlp", "01_mlp.ipynb")]
    assert found([tmp_path], lesson="cnn")[1] == ("homework", "cnn", "homework.ipynb")


def test_a_notebook_named_twice_is_graded_once_and_two_of_one_student_both(tmp_path):
    place(tmp_path, "ada__mlp.ipynb", "again/ada__mlp.ipynb")
    assert len(found([tmp_path, tmp_path / "ada__mlp.ipynb", tmp_path / "again" / ".."])) == 2


def test_a_path_that_is_missing_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere, which does not exist"):
        find_submissions([tmp_path / "nowhere"], KNOWN)


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


def test_a_folder_that_cannot_be_read_becomes_a_submission(tmp_path, monkeypatch):
    place(tmp_path, "submitted/ada/mlp/01_mlp.ipynb", "submitted/grace/mlp/01_mlp.ipynb")
    closed(tmp_path / "submitted" / "ada" / "mlp", monkeypatch)
    both = find_submissions([tmp_path / "submitted"], KNOWN)
    assert [(item.student, item.path.name) for item in both] == [("grace", "01_mlp.ipynb"), ("ada", "mlp")]
    with pytest.raises(InvalidSubmissionError, match="the folder cannot be read"):
        read_notebook(both[1].path)
    (tmp_path / "submitted" / "ada" / "mlp").chmod(0o700)


def test_the_folder_that_was_named_must_be_readable(tmp_path, monkeypatch):
    closed(tmp_path, monkeypatch)
    with pytest.raises(PermissionError, match="A folder that you may read is required"):
        find_submissions([tmp_path], KNOWN)
    tmp_path.chmod(0o700)


# --- reading ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "a notebook is a JSON file. Received: something else"),
        (b"{", "a notebook is a JSON file"),
        (b"\x89PNG\r\n\x1a\n\0\xff", "a notebook is a JSON file"),
        (b"[" * 200_000, "nested too deeply"),
        (b"[1, 2]", "Received: other JSON"),
        (b'{"cells": []}', "Received: other JSON"),
        (b'{"nbformat": 3, "worksheets": []}', "notebook format 4 is required. Received: format 3"),
        (b'{"nbformat": "' + b"9" * 999 + b'"}', "Received: format '999"),
        (b'{"nbformat": 4}', "a notebook has a list of cells"),
        (b'{"nbformat": 4, "cells": {"a": 1}}', "a notebook has a list of cells"),
    ],
)
def test_what_is_no_notebook_says_why(tmp_path, content, said):
    path = tmp_path / "ada__mlp.ipynb"
    path.write_bytes(content)
    with pytest.raises(InvalidSubmissionError) as caught:
        read_notebook(path)
    assert said in str(caught.value)
    assert len(str(caught.value)) < 300


def test_cells_of_strange_types_count_as_empty(tmp_path):
    path = tmp_path / "ada__mlp.ipynb"
    cells = [
        5,
        {"cell_type": "code", "source": 3, "metadata": [], "id": 7},
        {"cell_type": "code", "source": ["x = 1\n", 2, "y = 2"], "metadata": {"tags": "explore", "nbgrader": 3}},
        {"cell_type": "markdown", "source": "text"},
        {"cell_type": "code"},
    ]
    path.write_text(json.dumps({"nbformat": 4, "cells": cells, "metadata": {"llmcourse": {"lesson": "mlp"}}}))
    notebook = read_notebook(path)
    assert [cell.source for cell in notebook.cells] == ["", "x = 1\ny = 2", ""]
    assert [cell.tags for cell in notebook.cells] == [(), (), ()]
    assert notebook.cells[1].about("nbgrader", "grade_id") == ""
    assert notebook.lesson == "mlp"


def test_a_byte_order_mark_does_no_harm(tmp_path):
    path = tmp_path / "ada__mlp.ipynb"
    path.write_bytes(b"\xef\xbb\xbf" + b'{"nbformat": 4, "cells": []}')
    assert read_notebook(path).cells == ()


def test_a_file_may_have_a_certain_size_and_so_many_entries(tmp_path, monkeypatch):
    path = tmp_path / "ada__mlp.ipynb"
    path.write_text('{"nbformat": 4, "cells": [' + "{}," * 500 + "{}]}")
    assert read_notebook(path).cells == ()
    monkeypatch.setattr(submissions, "MAX_CODE", 2**20)
    large = tmp_path / "large.ipynb"
    large.write_text(json.dumps({"nbformat": 4, "cells": [{"cell_type": "code", "source": "é" * 2**20}]}))
    with pytest.raises(InvalidSubmissionError, match="1 MB of code. Received: 2 MB"):
        read_notebook(large)
    monkeypatch.setattr(submissions, "MAX_ITEMS", 1000)
    with pytest.raises(InvalidSubmissionError, match="1,000 entries; clear its outputs. Received: up to 1,004"):
        read_notebook(path)
    monkeypatch.setattr(submissions, "MAX_BYTES", 2**10)
    with pytest.raises(InvalidSubmissionError, match="clear its outputs"):
        read_notebook(path)


def test_links_pipes_and_folders_are_no_notebooks(tmp_path):
    place(tmp_path, "grace__mlp.ipynb")
    (tmp_path / "ada__mlp.ipynb").symlink_to(tmp_path / "grace__mlp.ipynb")
    os.mkfifo(tmp_path / "alan__mlp.ipynb")
    (tmp_path / "emmy__mlp.ipynb").mkdir()
    said = {"ada": "a symbolic link", "alan": "a pipe", "emmy": "cannot be read", "none": "cannot be read"}
    for student, words in said.items():
        with pytest.raises(InvalidSubmissionError, match=words):
            read_notebook(tmp_path / f"{student}__mlp.ipynb")
    with pytest.raises(InvalidSubmissionError, match="other JSON"):  # the teacher's own link is followed
        read_notebook(tmp_path / "ada__mlp.ipynb", follow_link=True)
    assert find_submissions([tmp_path / "ada__mlp.ipynb"], KNOWN) == [
        Submission("ada", "mlp", tmp_path / "ada__mlp.ipynb", named=True)
    ]


# --- matching ---------------------------------------------------------------------------------------------------------


def script_of(classroom, notebook):
    return read_script(classroom.toy, read_notebook(classroom.write(notebook)).cells)


def answered(script):
    return [step.exercise for step in script.steps if step.exercise]


def test_the_reference_runs_its_given_cells_and_its_answers_and_nothing_else(classroom):
    script = script_of(classroom, classroom.notebook())
    expected = reference_script(classroom.toy, "double", classroom.toy.exercises["double"].solution)
    assert [step.source.strip() for step in script.steps] == [step.source.strip() for step in expected.steps[:-1]]
    assert answered(script) == ["double", "shift", "slope"]
    assert script.remarks == ()


def test_without_any_metadata_names_tell_which_answer_it_is(classroom):
    notebook = classroom.notebook(double="def double(x) return x", shift="shift = lambda x: x + 7")
    for number, cell in enumerate(notebook["cells"]):
        cell.update(metadata={}, id=f"c{number}")
    script = script_of(classroom, notebook)
    assert answered(script) == ["double", "shift", "slope"]
    assert script.remarks[0] == "double was found by the names that it defines"
    assert len(script.steps) == 5


def test_an_answer_of_another_name_is_found_by_its_position(classroom):
    notebook = classroom.notebook(shift="def verschiebe(x): return x + 7")
    for cell in notebook["cells"]:
        cell["metadata"] = {}
        cell.pop("id")
    script = script_of(classroom, notebook)
    assert answered(script) == ["double", "shift", "slope"]
    assert "shift was found by its position" in script.remarks


def test_a_call_is_no_answer(classroom):
    notebook = classroom.notebook(before="print(shift)\nshift(3)\nassert shift == 3")
    notebook["cells"] = [cell for cell in notebook["cells"] if cell.get("id") != "toy-shift"]
    script = script_of(classroom, notebook)
    assert answered(script) == ["double", "slope"]
    assert "shift was not found" in script.remarks


def test_missing_given_cells_are_put_back_where_they_were(classroom):
    notebook = classroom.notebook()
    notebook["cells"] = [cell for cell in notebook["cells"] if "OFFSET = 7" not in cell["source"]]
    sources = [step.source.strip() for step in script_of(classroom, notebook).steps]
    assert sources.index("OFFSET = 7") == 1
    notebook["cells"] = [cell for cell in notebook["cells"] if "import numpy" not in cell["source"]]
    script = script_of(classroom, notebook)
    assert [step.source.strip()[:12] for step in script.steps[:2]] == ["import numpy", "OFFSET = 7"]
    assert sum("was taken from the release" in remark for remark in script.remarks) == 2


def test_edited_given_cells_run_as_submitted(classroom):
    notebook = classroom.notebook()
    for cell in notebook["cells"]:
        if "OFFSET = 7" in cell["source"]:
            cell["source"] = "OFFSET = 5"
    script = script_of(classroom, notebook)
    assert [step.source for step in script.steps].count("OFFSET = 5") == 1
    assert script.remarks == ()


def test_demonstrations_and_checks_are_left_out_however_they_look(classroom):
    notebook = classroom.notebook(after='check( "double" )')
    notebook["cells"].append({"cell_type": "code", "source": "1 / 0", "metadata": {"tags": ["explore"]}})
    for cell in notebook["cells"]:
        if "from_the_demonstration" in cell["source"]:
            cell.update(source="edited = 1", metadata={})
    script = script_of(classroom, notebook)
    assert len(script.steps) == 5
    assert script.shows("edited")
    assert not script.shows("missing")


def test_a_cell_that_is_there_twice_runs_twice(classroom):
    notebook = classroom.notebook()
    notebook["cells"] += [cell for cell in notebook["cells"] if cell.get("id") == "toy-shift"]
    script = script_of(classroom, notebook)
    assert answered(script) == ["double", "shift", "slope", "shift"]
    assert "shift was found 2 times; all run in order" in script.remarks


def test_cells_in_any_order_are_all_matched(classroom):
    notebook = classroom.notebook()
    random.Random(5).shuffle(notebook["cells"])
    assert sorted(answered(script_of(classroom, notebook))) == ["double", "shift", "slope"]


def test_matching_takes_time_in_proportion_to_the_cells(classroom):
    notebook = classroom.notebook(before="\n" * 200_000 + "x = 1" + " " * 200_000)
    extra = [{"cell_type": "code", "source": f"x{number} = 1", "metadata": {}} for number in range(20_000)]
    notebook["cells"] += extra
    script = script_of(classroom, notebook)
    assert len(script.steps) == 20_006
    assert not script.shows("x5")
