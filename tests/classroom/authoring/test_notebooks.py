import json
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from llmcourse.checking.lessons import load_lesson
from llmcourse.classroom.authoring.execute import ExecutionError, private_traces, run_notebook
from llmcourse.classroom.authoring.notebooks import (
    build,
    check,
    notebook_name,
    notebook_text,
    solution_notebook,
    source_notebook,
    student_notebook,
)

LESSON = """\
# %% [markdown]
# # Doubling
#
# $y = 2x$, für alle

# %%
from llmcourse import lesson

check = lesson("tiny")

# %% exercise="double" names=["double", "halve"]
def double(x):
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION


def halve(x):
    ### BEGIN SOLUTION
    return x / 2
    ### END SOLUTION

# %% check="double"
check("double")

# %% exercise="Pair"
class Pair:
    ### BEGIN SOLUTION
    size = 2
    ### END SOLUTION

# %% check="Pair"
check("Pair")

# %% tags=["explore"]
print("double of 7:", double(7))

# %% tags=["nbval-ignore-output"]
print("the end")
"""

EXERCISES = {
    "double": '''
from llmcourse.checking import criterion, expect_close


@criterion(points=2, hints=["Add x to itself."])
def twice_as_much(student, rng):
    """Twice."""
    expect_close(student.double(7.0), 14.0)


@criterion(points=3)
def half_as_much(student, rng):
    """Half."""
    expect_close(student.halve(7.0), 3.5)


@criterion(points=11, hidden=True)
def large_numbers_too(student, rng):
    """Large."""
    expect_close(student.double(1e5), 2e5)
''',
    "Pair": '''
from llmcourse.checking import criterion, expect_close, mutant


@criterion(points=5)
def a_pair_holds_two(student, rng):
    """Two."""
    student.define("def size():\\n    return Pair.size")
    expect_close(student.size(), 2)


mutant(fails="*", why="three", source="class Pair:\\n    size = 3")
''',
}


def entry(id):
    return f'[[lesson]]\nid = "{id}"\ntitle = "About {id}"\nminutes = 13\nprerequisites = []\n\n'


@pytest.fixture
def folder(tmp_path: Path, write_lesson) -> Path:
    folder = tmp_path / "lessons"
    write_lesson(folder / "tiny", LESSON, EXERCISES)
    (folder / "syllabus.toml").write_text(entry("other") + entry("tiny"))
    return folder


@pytest.fixture
def lesson(folder):
    return load_lesson("tiny", folder)


def by_id(notebook):
    return {cell.id: cell for cell in notebook.cells}


ALL = [student_notebook, solution_notebook, source_notebook]


@pytest.mark.parametrize("make", ALL)
def test_notebook_is_valid_with_unique_ids_and_fixed_metadata(lesson, make):
    notebook = make(lesson)
    nbformat.validate(notebook)
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids) == 9
    assert notebook.metadata.kernelspec == {"display_name": "Python 3", "language": "python", "name": "python3"}
    assert "version" not in notebook.metadata.language_info
    assert notebook.metadata.llmcourse == {"lesson": "tiny"}


def test_first_cell_says_number_title_and_minutes(lesson):
    text = "**Lesson 2: About tiny** (about 13 minutes)"
    comment = "<!-- Generated from lessons/tiny/lesson.py, do not edit here. -->\n\n"
    assert student_notebook(lesson).cells[0].source == text
    assert solution_notebook(lesson).cells[0].source == comment + text


@pytest.mark.parametrize("make", ALL)
def test_other_cells_are_as_in_the_lesson(lesson, make):
    cells = make(lesson).cells[1:]
    for made, cell in zip(cells, lesson.cells, strict=True):
        assert (made.id, made.cell_type) == (cell.id, cell.kind)
        assert cell.exercise or made.source == cell.source


def test_copies_differ_in_the_exercise_cells_only_by_the_solution(lesson):
    student, solution, source = (by_id(make(lesson))["tiny-double"].source for make in ALL)
    stub = "    raise NotImplementedError  # your code here"
    assert student == f"def double(x):\n{stub}\n\n\ndef halve(x):\n{stub}"
    assert solution == "def double(x):\n    return 2 * x\n\n\ndef halve(x):\n    return x / 2"
    assert source.count("### BEGIN SOLUTION") == source.count("### END SOLUTION") == 2 and "return 2 * x" in source


def test_student_copy_holds_no_solution_and_no_output(lesson):
    text = notebook_text(student_notebook(lesson))
    assert not any(secret in text for secret in ("SOLUTION", "2 * x", "x / 2", "size = 2"))
    assert all(
        cell.outputs == [] and cell.execution_count is None for cell in json_cells(text) if cell.cell_type == "code"
    )


def json_cells(text):
    return nbformat.reads(text, as_version=4).cells


@pytest.mark.parametrize("make", [student_notebook, source_notebook])
def test_nbgrader_accepts_its_metadata(lesson, make):
    v3 = pytest.importorskip("nbgrader.nbgraderformat.v3")
    notebook = make(lesson)
    validator = v3.MetadataValidatorV3()
    validator.validate_nb(notebook)
    cells = {id: cell.metadata.nbgrader for id, cell in by_id(notebook).items() if "nbgrader" in cell.metadata}
    assert list(cells) == ["tiny-double", "tiny-double-check", "tiny-Pair", "tiny-Pair-check"]
    common = {"cell_type": "code", "schema_version": 3, "task": False}
    exercise = {**common, "grade_id": "tiny-double", "grade": False, "solution": True, "locked": False}
    assert cells["tiny-double"] == exercise
    checked = {**common, "grade_id": "tiny-double-check", "grade": True, "solution": False, "locked": True, "points": 5}
    assert cells["tiny-double-check"] == checked


def test_nbgrader_clears_the_source_and_keeps_a_run_going(lesson):
    preprocessors = pytest.importorskip("nbgrader.preprocessors")
    cleared, _ = preprocessors.ClearSolutions().preprocess(source_notebook(lesson), {})
    source = by_id(cleared)["tiny-double"].source
    assert "SOLUTION" not in source and "return 2 * x" not in source and source.count("NotImplementedError") == 2


def test_own_metadata_name_lesson_exercise_and_names(lesson):
    for make in ALL:
        cells = by_id(make(lesson))
        wanted = {"lesson": "tiny", "exercise": "double", "names": ["double", "halve"]}
        assert cells["tiny-double"].metadata.llmcourse == wanted
        assert cells["tiny-Pair-check"].metadata.llmcourse == {"lesson": "tiny", "check": "Pair"}
    assert "nbgrader" not in by_id(solution_notebook(lesson))["tiny-double"].metadata


def test_only_explore_cells_of_the_student_copy_may_raise(lesson):
    tags = [cell.metadata.tags for cell in student_notebook(lesson).cells if "tags" in cell.metadata]
    assert tags == [["explore", "raises-exception"], ["nbval-ignore-output"]]
    tags = [cell.metadata.tags for cell in solution_notebook(lesson).cells if "tags" in cell.metadata]
    assert tags == [["explore"], ["nbval-ignore-output"]]


def test_texts_are_byte_identical_in_another_process(lesson, folder):
    code = (
        "import sys; from llmcourse.checking.lessons import load_lesson\n"
        "from llmcourse.classroom.authoring.notebooks import *\n"
        "lesson = load_lesson('tiny', sys.argv[1])\n"
        "for make in (student_notebook, solution_notebook, source_notebook):\n"
        "    sys.stdout.buffer.write(notebook_text(make(lesson)).encode())"
    )
    moved = folder.parent / "elsewhere"
    shutil.copytree(folder, moved)
    done = subprocess.run([sys.executable, "-c", code, str(moved)], capture_output=True, check=True)
    assert done.stdout.decode() == "".join(notebook_text(make(lesson)) for make in ALL)
    assert done.stdout.endswith(b"}\n") and "für alle".encode() in done.stdout


def test_build_writes_both_copies_and_executes_the_solution(lesson, tmp_path):
    said: list[str] = []
    out = tmp_path / "notebooks"
    build([lesson], out, progress=said.append)
    name = notebook_name("tiny", 2)
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*.*")) == [
        "solutions/02_tiny.ipynb", "student/02_tiny.ipynb",
    ]  # fmt: skip
    assert said == [f"running solutions/{name}", f"writing student/{name}", f"writing solutions/{name}"]
    assert (out / "student" / name).read_text(encoding="utf-8") == notebook_text(student_notebook(lesson))
    solution = nbformat.read(out / "solutions" / name, as_version=4)
    cells = by_id(solution)
    assert [cell.execution_count for cell in solution.cells if cell.cell_type == "code"] == [1, 2, 3, 4, 5, 6, 7]
    assert cells["tiny-double-check"].outputs[0].data["text/plain"] == "5"
    assert cells["tiny-Pair-check"].outputs[0].data["text/plain"] == "5"
    assert solution.cells[-2].outputs[0].text == "double of 7: 14\n"
    assert private_traces(solution) == []
    assert check([lesson], out) == []


def test_untouched_student_copy_runs_to_the_end(lesson, folder):
    run = run_notebook(student_notebook(lesson), environment={"LLMCOURSE_LESSONS": str(folder)})
    cells = by_id(run)
    assert cells["tiny-double-check"].outputs[0].data["text/plain"] == "0"
    assert cells["tiny-Pair-check"].outputs[0].data["text/plain"] == "0"
    assert run.cells[-2].outputs[-1].ename == "NotImplementedError"
    assert run.cells[-1].outputs[0].text == "the end\n"


def test_failed_solution_leaves_the_old_notebooks(lesson, folder, tmp_path):
    build([lesson], tmp_path / "out", execute=False)
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*.ipynb")}
    path = folder / "tiny" / "lesson.py"
    path.write_text(LESSON.replace("# %%\nfrom", '# %%\nraise OSError("disk full")\nfrom'), encoding="utf-8")
    with pytest.raises(ExecutionError, match=r"solutions/02_tiny\.ipynb, cell tiny-code-\w+ .*: OSError: disk full"):
        build([load_lesson("tiny", folder)], tmp_path / "out")
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*.*") if path.is_file()} == before


@pytest.fixture
def built(lesson, tmp_path):
    out = tmp_path / "notebooks"
    build([lesson], out, execute=False)
    return out


def test_build_removes_only_notebooks_that_no_lesson_owns(lesson, built):
    for name in ("01_other.ipynb", "03_gone.ipynb", "02_other.ipynb"):
        shutil.copy(built / "student/02_tiny.ipynb", built / "solutions" / name)
    assert check([lesson], built) == [
        "solutions/02_other.ipynb: no lesson owns this notebook",
        "solutions/03_gone.ipynb: no lesson owns this notebook",
    ]
    build([lesson], built, execute=False)
    assert sorted(path.name for path in (built / "solutions").iterdir()) == ["01_other.ipynb", "02_tiny.ipynb"]


def change(path, function):
    notebook = nbformat.read(path, as_version=4)
    function(notebook)
    path.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")


def only(differences):
    assert len(differences) == 1, differences
    return differences[0]


def test_check_ignores_outputs_of_solutions_only(lesson, built):
    def fill(notebook):
        notebook.cells[2].outputs = [nbformat.v4.new_output("stream", text="2")]
        notebook.cells[2].execution_count = 3

    change(built / "solutions/02_tiny.ipynb", fill)
    assert check([lesson], built) == []
    change(built / "student/02_tiny.ipynb", fill)
    assert only(check([lesson], built)) == "student/02_tiny.ipynb: holds outputs or is written in another way"


def test_check_reports_an_inserted_cell(lesson, built):
    extra = nbformat.v4.new_code_cell("print(11)", id="extra")
    change(built / "student/02_tiny.ipynb", lambda notebook: notebook.cells.insert(4, extra))
    text = only(check([lesson], built))
    assert text.startswith("student/02_tiny.ipynb: cell extra is not in the lesson\n") and "-print(11)" in text


def test_check_reports_a_missing_cell(lesson, built):
    change(built / "student/02_tiny.ipynb", lambda notebook: notebook.cells.pop(4))
    text = only(check([lesson], built))
    assert text.startswith("student/02_tiny.ipynb: cell tiny-double-check is missing\n") and '+check("double")' in text


def test_check_shows_what_changed_in_the_lesson(lesson, built, folder):
    path = folder / "tiny" / "lesson.py"
    path.write_text(LESSON.replace("return 2 * x", "return x + x"), encoding="utf-8")
    text = only(check([load_lesson("tiny", folder)], built))
    assert text.startswith("solutions/02_tiny.ipynb: cell tiny-double\n")
    assert "-    return 2 * x\n+    return x + x" in text


def test_check_shows_a_changed_text_as_one_difference(lesson, built, folder):
    path = folder / "tiny" / "lesson.py"
    path.write_text(LESSON.replace("für alle", "for all"), encoding="utf-8")
    student, solution = check([load_lesson("tiny", folder)], built)
    assert student.startswith("student/02_tiny.ipynb: cell tiny-markdown-") and ", now tiny-markdown-" in student
    assert "-$y = 2x$, für alle\n+$y = 2x$, for all" in student and solution.startswith("solutions/")


def test_check_reports_changed_metadata(lesson, built):
    change(built / "student/02_tiny.ipynb", lambda notebook: notebook.cells[4].metadata.nbgrader.update(points=7))
    assert '"points": 7' in only(check([lesson], built))
    change(built / "student/02_tiny.ipynb", lambda notebook: notebook.cells[4].metadata.nbgrader.update(points=5))
    assert check([lesson], built) == []
    change(built / "solutions/02_tiny.ipynb", lambda notebook: notebook.metadata.language_info.update(version="3.11"))
    text = only(check([lesson], built))
    assert "solutions/02_tiny.ipynb: the notebook's own metadata" in text and '"version": "3.11"' in text


def test_check_reports_missing_and_broken_files(lesson, built):
    (built / "student/02_tiny.ipynb").unlink()
    (built / "solutions/02_tiny.ipynb").write_text('{"cells": [')
    student, solution = check([lesson], built)
    assert student == "student/02_tiny.ipynb: is missing"
    assert solution.startswith("solutions/02_tiny.ipynb: is not a notebook (JSONDecodeError")
    (built / "solutions/02_tiny.ipynb").write_text(json.dumps({"cells": [3], "metadata": {}}))
    assert "is not a notebook" in check([lesson], built)[1]


def test_long_differences_are_cut(lesson, built):
    def lengthen(notebook):
        notebook.cells[4].source = "\n".join(str(number) for number in range(97))

    change(built / "student/02_tiny.ipynb", lengthen)
    lines = only(check([lesson], built)).splitlines()
    assert len(lines) < 30 and lines[-1].startswith("... and ") and lines[-1].endswith(" lines more")
