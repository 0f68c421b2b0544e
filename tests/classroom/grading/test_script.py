"""Matching the cells of a notebook with the lesson's."""

import random

from llmcourse.classroom.grading.notebook_file import read_notebook
from llmcourse.classroom.grading.script import count_exercises, read_script, reference_script


def code(source):
    return {"cell_type": "code", "source": source, "metadata": {}, "outputs": [], "execution_count": None}


def script_of(classroom, notebook):
    return read_script(classroom.toy, read_notebook(classroom.write(notebook)).cells)


def answered(script):
    return [id for step in script.steps for id in step.exercises]


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
    assert script.remarks[0] == "double was found by the names that its cell defines"
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
    assert script.unanswered == ("shift",)


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


def test_one_cell_may_answer_several_exercises(classroom):
    notebook = classroom.notebook()
    everything = "\n".join(task.solution for task in classroom.toy.exercises.values())
    notebook["cells"] = [code(everything)]
    script = script_of(classroom, notebook)
    assert [step.exercises for step in script.steps if step.exercises] == [("double", "shift", "slope")]
    assert script.unanswered == ()


def test_cells_of_a_foreign_notebook_answer_nothing_by_their_position(classroom):
    count = sum(cell["cell_type"] == "code" for cell in classroom.empty["cells"])
    cells = [code(f"x{number} = {number}") for number in range(count)]
    script = script_of(classroom, {"nbformat": 4, "cells": cells})
    assert script.unanswered == ("double", "shift", "slope")
    assert count_exercises(classroom.toy, read_notebook(classroom.folder / "ada__toy.ipynb").cells) == 0


def test_exercises_are_counted_by_what_cells_are_or_define(classroom):
    def counted(notebook):
        return count_exercises(classroom.toy, read_notebook(classroom.write(notebook)).cells)

    notebook = classroom.notebook()
    assert counted(notebook) == 3
    assert counted({"nbformat": 4, "cells": [{**cell, "metadata": {}, "id": "x"} for cell in notebook["cells"]]}) == 3
    assert counted({"nbformat": 4, "cells": [code("def shift(x): pass"), code("class Line: pass"), code("y = 1")]}) == 2
