"""The notebooks that learners and readers get: complete, executed, free of answers and of traces of this machine."""

import ast

import nbformat
import pytest

from llmcourse.checking.lessons import load_lesson
from llmcourse.checking.syllabus import load_syllabus
from llmcourse.classroom.authoring import notebooks
from llmcourse.classroom.authoring.execute import private_traces, run_notebook
from llmcourse.classroom.authoring.notebooks import notebook_name

ENTRIES = load_syllabus()
LESSONS = [pytest.param(entry, id=entry.id) for entry in ENTRIES]


def read(root, kind, entry):
    return nbformat.read(root / "notebooks" / kind / notebook_name(entry.id, entry.number), as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def draws(cell):
    """Tell whether a cell ends with a picture of the course's."""
    last = ast.parse(cell.source).body[-1]
    return isinstance(last, ast.Expr) and ast.unparse(last).startswith("plots.")


def test_notebooks_match_their_lessons(root):
    assert notebooks.check([load_lesson(entry.id) for entry in ENTRIES], root / "notebooks") == []


@pytest.mark.parametrize("entry", LESSONS)
def test_every_cell_of_a_solution_was_executed_in_order(root, entry):
    counts = [cell.execution_count for cell in code_cells(read(root, "solutions", entry))]
    assert counts == list(range(1, len(counts) + 1))


@pytest.mark.parametrize("entry", LESSONS)
def test_every_check_of_a_solution_passed(root, entry):
    lesson = load_lesson(entry.id)
    cells = {
        cell.metadata.llmcourse.check: cell for cell in code_cells(read(root, "solutions", entry)) if _checks(cell)
    }
    assert set(cells) == set(lesson.exercises)
    for name, cell in cells.items():
        (output,) = cell.outputs
        assert float(output.data["text/plain"]) == lesson.exercises[name].points
        assert "all right" in output.data["text/html"]
        assert "The notebook assigned to" not in output.data["text/html"]
        assert "hides Python's function" not in output.data["text/html"]


def _checks(cell):
    return "check" in cell.metadata.get("llmcourse", {})


@pytest.mark.parametrize("entry", LESSONS)
def test_every_figure_is_there_with_words(root, entry):
    drawing = [cell for cell in code_cells(read(root, "solutions", entry)) if draws(cell)]
    assert len(drawing) >= (1 if entry.id == "debugging" else 4)  # a lesson of probes answers with yes and no
    for cell in drawing:
        picture = cell.outputs[-1]
        assert len(picture.data["image/png"]) > 5000, cell.id
        assert len(picture.metadata["image/png"]["alt"]) > 40, cell.id
        assert picture.data["text/plain"] == picture.metadata["image/png"]["alt"]


@pytest.mark.parametrize("entry", LESSONS)
def test_solutions_hold_no_error_and_nothing_private(root, entry):
    notebook = read(root, "solutions", entry)
    assert private_traces(notebook) == []
    for output in (output for cell in code_cells(notebook) for output in cell.outputs):
        assert output.output_type != "error"
        assert output.get("name") != "stderr", output.text


@pytest.mark.parametrize("entry", LESSONS)
def test_student_notebooks_hold_no_answer_and_no_output(root, entry):
    lesson, cells = load_lesson(entry.id), code_cells(read(root, "student", entry))
    assert all(not cell.outputs and cell.execution_count is None for cell in cells)
    by_exercise = {cell.metadata.get("llmcourse", {}).get("exercise"): cell for cell in cells}
    for name, exercise in lesson.exercises.items():
        given = by_exercise[name].source
        answer = set(exercise.solution.splitlines()) - set(exercise.starter.splitlines())
        assert answer
        assert not [line for line in answer if line.strip() and line in given.splitlines()]
        assert "NotImplementedError" in given
        assert "SOLUTION" not in given


@pytest.mark.slow
@pytest.mark.parametrize("entry", LESSONS)
def test_run_all_of_an_untouched_student_notebook_goes_to_the_end(root, entry):
    notebook = read(root, "student", entry)
    # Demonstrations may fail there, and train for minutes what the solution notebook trains, too: it is run by nbval.
    notebook.cells = [cell for cell in notebook.cells if "explore" not in cell.metadata.get("tags", [])]
    executed = run_notebook(notebook, name=entry.id)
    cells = code_cells(executed)
    assert all(cell.execution_count for cell in cells)
    for cell in cells:
        if _checks(cell):
            assert cell.outputs[0].data["text/plain"] == "0"
        for output in cell.outputs:
            assert output.output_type != "error", cell.source
