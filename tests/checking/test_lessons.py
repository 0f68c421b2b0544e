import re
import subprocess
import sys
from pathlib import Path

import pytest

from llmcourse.checking.lessons import load_lesson
from llmcourse.checking.syllabus import LessonError, load_syllabus
from llmcourse.resources import lessons_folder, student_notebooks_folder

SYLLABUS = """\
[[lesson]]
id = "first"
title = "The first"
minutes = 11
prerequisites = []

[[lesson]]
id = "tiny"
title = "A tiny lesson"
minutes = 7
prerequisites = ["first"]
"""

LESSON = '''\
# %% [markdown]
# # Tiny
#
# copy $x$ and go on

# %%
# copy the weights
import math

# %% exercise="relu" names=["relu", "relu_backward"] forbid=["llmcourse.steps.mlp.relu", "math.fabs"]
def relu(z):
    """Cut at zero.

    # %% this line only looks like a cell
    """
    ### BEGIN SOLUTION
    return max(z, 0.0)
    ### END SOLUTION


def relu_backward(upstream, z):
    scale = 1.0
    ### BEGIN SOLUTION
    if z <= 0:
        scale = 0.0
    ### END SOLUTION
    return scale * upstream


# %% check="relu"
check("relu")

# %% exercise="Counter"
class Counter:
    """Count."""

    ### BEGIN SOLUTION
    start = 5

    def step(self):
        return self.start + 1
    ### END SOLUTION

# %% check="Counter"
check("Counter")

# %% tags=["explore", "nbval-ignore-output"]
print(relu(3.0))

# %% tags=["explore"]
print(relu(3.0))

# %%
print(relu(3.0))
'''

EXERCISES = {
    "relu": '''
from llmcourse.checking import criterion, expect, mutant


@criterion(points=2, hints=["one", "two"])
def positive_entries_stay(student, rng):
    """Stay."""
    expect(student.relu(3.0) == 3.0, required="3", received="other")


@criterion(points=3, hidden=True)
def negative_entries_become_zero(student, rng):
    """Zero."""
    expect(student.relu(-3.0) == 0.0, required="0", received="other")


mutant(fails="positive_entries_stay", why="zero", source="def relu(z):\\n    return 0.0")
''',
    "Counter": '''
from llmcourse.checking import criterion, expect


@criterion(points=5)
def it_counts(student, rng):
    """Count."""
    expect(True, required="a", received="b")
''',
}


@pytest.fixture(autouse=True)
def no_other_lessons(monkeypatch):
    monkeypatch.delenv("LLMCOURSE_LESSONS", raising=False)


@pytest.fixture
def folder(tmp_path: Path, write_lesson) -> Path:
    (tmp_path / "syllabus.toml").write_text(SYLLABUS)
    write_lesson(tmp_path / "tiny", LESSON, EXERCISES)
    return tmp_path


def rewrite(folder: Path, old: str, new: str, name: str = "lesson.py") -> None:
    path = folder / "tiny" / name
    text = path.read_text()
    assert text.count(old) == 1, f"{old!r} must occur once"
    path.write_text(text.replace(old, new))


def test_lesson_carries_the_syllabus_entry(folder):
    lesson = load_lesson("tiny", folder)
    assert (lesson.id, lesson.number, lesson.title, lesson.minutes) == ("tiny", 2, "A tiny lesson", 7)
    assert lesson.prerequisites == ("first",)
    assert lesson.folder == folder / "tiny"


def test_cells_keep_their_order_kind_text_and_tags(folder):
    cells = load_lesson("tiny", folder).cells
    assert [cell.kind for cell in cells] == ["markdown"] + ["code"] * 8
    assert cells[0].source == "# Tiny\n\ncopy $x$ and go on"
    assert cells[1].source == "# copy the weights\nimport math"
    assert [(cell.exercise, cell.check) for cell in cells[2:6]] == [
        ("relu", None), (None, "relu"), ("Counter", None), (None, "Counter"),
    ]  # fmt: skip
    assert [cell.tags for cell in cells[6:]] == [("explore", "nbval-ignore-output"), ("explore",), ()]


def test_exercise_names_forbid_and_points_are_read(folder):
    exercises = load_lesson("tiny", folder).exercises
    assert list(exercises) == ["relu", "Counter"]
    assert exercises["relu"].names == ("relu", "relu_backward")
    assert exercises["relu"].forbid == ("llmcourse.steps.mlp.relu", "math.fabs")
    assert (exercises["Counter"].names, exercises["Counter"].forbid) == (("Counter",), ())
    assert [exercise.points for exercise in exercises.values()] == [2, 5]


def test_criteria_are_grouped_by_exercise_in_file_order(folder):
    criteria = load_lesson("tiny", folder).criteria
    assert [item.name for item in criteria["relu"]] == ["positive_entries_stay", "negative_entries_become_zero"]
    assert [item.hidden for item in criteria["relu"]] == [False, True]


def test_starter_has_a_stub_for_each_block_at_its_indentation(folder):
    starter = load_lesson("tiny", folder).exercises["relu"].starter
    assert starter.count("    raise NotImplementedError  # your code here\n") == 2
    assert "return max" not in starter and "SOLUTION" not in starter
    assert starter.endswith("raise NotImplementedError  # your code here\n    return scale * upstream")


def test_starter_functions_raise_only_when_they_are_called(folder):
    namespace: dict = {}
    exec(load_lesson("tiny", folder).exercises["relu"].starter, namespace)
    with pytest.raises(NotImplementedError):
        namespace["relu_backward"](1.0, 2.0)


def test_class_level_block_becomes_a_stub_that_lets_the_class_be_defined(folder):
    starter = load_lesson("tiny", folder).exercises["Counter"].starter
    assert starter == 'class Counter:\n    """Count."""\n\n    pass  # your code here'


def test_solution_is_the_cell_without_markers(folder):
    namespace: dict = {}
    exercises = load_lesson("tiny", folder).exercises
    exec(exercises["relu"].solution + "\n" + exercises["Counter"].solution, namespace)
    assert (namespace["relu"](-3.0), namespace["relu_backward"](7.0, -3.0), namespace["Counter"]().step()) == (
        0.0,
        0.0,
        6,
    )
    assert "SOLUTION" not in exercises["relu"].solution


def test_cell_ids_are_valid_unique_and_named_after_exercises(folder):
    ids = [cell.id for cell in load_lesson("tiny", folder).cells]
    assert ids[2:6] == ["tiny-relu", "tiny-relu-check", "tiny-Counter", "tiny-Counter-check"]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", id) for id in ids)
    assert ids[7:] == [f"{ids[6]}-2", f"{ids[6]}-3"]  # equal sources


def test_inserted_cell_leaves_the_other_ids(folder):
    before = [cell.id for cell in load_lesson("tiny", folder).cells]
    rewrite(folder, '# %% check="relu"', '# %% [markdown]\n# A new remark.\n\n# %% check="relu"')
    after = [cell.id for cell in load_lesson("tiny", folder).cells]
    assert [id for id in after if id in before] == before
    assert len(after) == len(before) + 1


def test_lesson_is_cached_until_a_file_changes(folder):
    first = load_lesson("tiny", folder)
    assert load_lesson("tiny", folder) is first
    rewrite(folder, "copy $x$", "keep $x$")
    assert load_lesson("tiny", folder).cells[0].source.endswith("keep $x$ and go on")


FORBID = 'forbid=["llmcourse.steps.mlp.relu", "math.fabs"]'
COUNTER = '# %% exercise="Counter"'
CLASS_BLOCK = LESSON[LESSON.index("    ### BEGIN SOLUTION\n    start") : LESSON.index('\n\n# %% check="Counter"')]
COUNTER_CHECK = '# %% check="Counter"'

MISTAKES = {  # what is replaced, by what, the text that begins in the line to be named, a part of the message
    "end without begin": (
        "    ### BEGIN SOLUTION\n    ret", "    ret", "    ### END SOLUTION\n\n\ndef", "'### END SOLUTION' out of turn"
    ),
    "begin inside a block": ("    if z <= 0:", "### BEGIN SOLUTION", "### BEGIN SOLUTION\n      ", "out of turn"),
    "block never closed": ("  scale = 0.0\n    ### END SOLUTION", "", "    ### BEGIN SOLUTION\n    if", "none in this"),
    "misspelled marker": ("    ### BEGIN SOLUTION\n    if", "    # begin solution\n    if", "# begin", "are written"),
    "marker outside an exercise": ("import math", "#END SOLUTION", "#END", 'need a cell with exercise="..."'),
    "exercise without a marker": (CLASS_BLOCK, "    start = 5", "class Counter", "must hold a solution"),
    "solution does not parse": ("max(z, 0.0)", "max((z, 0.0)", "    return max", "the solution must be valid Python"),
    "starter does not parse": ("    return scale", "      + 1", "      + 1", "the student's copy must be valid Python"),
    "name not defined": ("def relu_backward", "def backward", "def relu(z)", "Received: no relu_backward"),
    "exercise twice": (COUNTER, '# %% exercise="relu"', '# %% exercise="relu"\n', "Received: 'relu' a second time"),
    "exercise is no name": (COUNTER, '# %% exercise="2 many"', "# %% exercise=\"2", "exercise must be a Python name"),
    "no check cell": (COUNTER_CHECK, "# %%", COUNTER, "must have a check cell below it"),
    "check of the unknown": (COUNTER_CHECK, '# %% check="count"', '# %% check="count"', "Received: 'count'"),
    "second check": (COUNTER_CHECK, '# %%  check="relu"', '# %%  check="relu"', "one check cell"),
    "check cell checks another": ('check("Counter")', 'check("count")', 'check("count")', 'must end with check("Cou'),
    "forbid is a string": (FORBID, 'forbid="math.fabs"', '# %% exercise="relu"', "forbid must be a list of strings"),
    "forbid holds a number": (FORBID, "forbid=[3]", '# %% exercise="relu"', "strings. Received: [3]"),
    "names is a string": ('names=["relu", "relu_backward"]', 'names="relu"', '# %% exercise="relu"', "names must"),
    "misspelled key": (COUNTER, '# %% exercize="Counter"', "# %% exercize", "Received: exercize"),
    "value without quotes": (COUNTER, "# %% exercise=Counter", "# %% exercise=C", "Received: exercise=Counter"),
    "exercise and check": (COUNTER, COUNTER + ' check="relu"', COUNTER, "not both"),
    "names without exercise": (COUNTER, '# %% names=["Counter"]', "# %% names", 'need exercise="..." beside them'),
    "raw cell": ("# %%\n# copy", "# %% [raw]\n# copy", "# %% [raw]", "must be Markdown or code"),
    "empty cell": ("# %%\nprint(relu(3.0))\n", "# %% \n", "# %% \n", "not empty"),
    "text before the first cell": ("# %% [markdown]\n", "import os\n# %% [markdown]\n", "import os", "must begin with"),
    "no criterion": ("Counter", "Total", '# %% exercise="Total"', 'must have a file exercises/Total.py'),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_in_the_lesson_is_named_with_its_line(folder, mistake):
    old, new, place, message = MISTAKES[mistake]
    path = folder / "tiny" / "lesson.py"
    assert LESSON.count(old) == 1 or mistake == "no criterion"
    text = LESSON.replace(old, new)
    assert text.count(place) == 1
    path.write_text(text)
    with pytest.raises(LessonError) as caught:
        load_lesson("tiny", folder)
    line = text[: text.index(place)].count("\n") + 1
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert message in str(caught.value)


def test_file_of_an_unknown_exercise_is_named(folder):
    (folder / "tiny" / "exercises" / "Timer.py").write_text(EXERCISES["Counter"])
    with pytest.raises(LessonError, match=r"tiny/exercises/Timer\.py: an exercise of lesson\.py must have this name"):
        load_lesson("tiny", folder)


def test_exercise_with_only_hidden_criteria_is_refused(folder):
    rewrite(folder, "points=5", "points=5, hidden=True", "exercises/Counter.py")
    with pytest.raises(LessonError, match="Received: 1 hidden"):
        load_lesson("tiny", folder)


def test_missing_text_is_named(folder):
    (folder / "tiny" / "lesson.py").unlink()
    with pytest.raises(LessonError, match=r"must hold lesson\.py\. Received: no such file"):
        load_lesson("tiny", folder)


def test_missing_exercise_is_named_with_the_line_of_its_cell(folder):
    (folder / "tiny" / "exercises" / "Counter.py").unlink()
    line = LESSON.splitlines().index('# %% exercise="Counter"') + 1
    with pytest.raises(LessonError, match=rf"lesson\.py:{line}: .*exercises/Counter\.py\. Received: none"):
        load_lesson("tiny", folder)


def test_a_changed_oracle_counts_at_once(folder):
    rewrite(folder, "points=5", "points=FIVE", "exercises/Counter.py")
    rewrite(folder, "from llmcourse", "from ..oracles import FIVE\nfrom llmcourse", "exercises/Counter.py")
    for value in (5, 17):
        (folder / "tiny" / "oracles.py").write_text(f"FIVE = {value}\n")
        assert load_lesson("tiny", folder).exercises["Counter"].points == value
    assert not [name for name in sys.modules if name.startswith("llmcourse.lessons")]


def test_unknown_lesson_is_answered_with_the_known_ones(folder):
    with pytest.raises(LessonError, match=r"must be one of first, tiny\. Received: 'third'"):
        load_lesson("third", folder)


def test_syllabus_numbers_come_from_its_order(folder):
    first, tiny = load_syllabus(folder)
    assert (first.id, first.number, first.prerequisites) == ("first", 1, ())
    assert (tiny.id, tiny.number, tiny.prerequisites, tiny.minutes) == ("tiny", 2, ("first",), 7)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("minutes = 7", "minutes = 7\nlength = 3", "lesson 2: needs exactly id, title, minutes, prerequisites"),
        ("minutes = 7\n", "", "lesson 2: needs exactly"),
        ("minutes = 7", 'minutes = "7"', "lesson 2: minutes must be of type int. Received: '7'"),
        ("minutes = 7", "minutes = true", "minutes must be of type int"),
        ("minutes = 7", "minutes = 0", "minutes above 0"),
        ("A tiny lesson", " ", "needs a title"),
        ('"tiny"', '"first"', "new in the list. Received: 'first'"),
        ('"tiny"', '"Tiny"', "id must be lower-case letters"),
        ('["first"]', '["tiny"]', r"lessons further up in the list. Received: \['tiny'\]"),
        ('["first"]', '"first"', "prerequisites must be of type list"),
        (
            '[[lesson]]\nid = "tiny"',
            '[[lessons]]\nid = "tiny"',
            r"must hold only \[\[lesson\]\] tables. Received: lessons",
        ),
        ('"first"]', "first]", "must be a TOML file"),
    ],
)
def test_mistake_in_the_syllabus_is_a_clear_error(folder, old, new, message):
    assert SYLLABUS.count(old) == 1
    (folder / "syllabus.toml").write_text(SYLLABUS.replace(old, new))
    with pytest.raises(LessonError, match=message):
        load_syllabus(folder)


def test_missing_syllabus_is_a_clear_error(tmp_path):
    with pytest.raises(LessonError, match=r"must hold syllabus\.toml, the list of lessons"):
        load_syllabus(tmp_path)


def test_course_lessons_are_found_without_a_folder():
    assert (lessons_folder() / "syllabus.toml").is_file()
    assert load_syllabus()[0].id == "mlp"


def test_environment_variable_names_another_folder_of_lessons(folder, monkeypatch):
    monkeypatch.setenv("LLMCOURSE_LESSONS", str(folder))
    assert load_lesson("tiny").title == "A tiny lesson"
    monkeypatch.setenv("LLMCOURSE_LESSONS", str(folder / "tiny"))
    with pytest.raises(FileNotFoundError, match="LLMCOURSE_LESSONS must name a folder with syllabus"):
        lessons_folder()


@pytest.mark.parametrize("place", ["inside the package", "beside the package"])
def test_resources_are_found_in_a_wheel_and_in_a_checkout(tmp_path, monkeypatch, place):
    package = tmp_path / "llmcourse"
    root = package if place == "inside the package" else tmp_path
    (root / "notebooks" / "student").mkdir(parents=True)
    package.mkdir(exist_ok=True)
    monkeypatch.setattr("llmcourse.resources.files", lambda name: package)
    with pytest.raises(FileNotFoundError, match=r"needs its folder notebooks/student with \*\.ipynb in it"):
        student_notebooks_folder()
    (root / "notebooks" / "student" / "01_mlp.ipynb").touch()
    (tmp_path / "pyproject.toml").touch()
    assert student_notebooks_folder() == root / "notebooks" / "student"


def test_folders_beside_an_installed_package_are_not_ours(tmp_path, monkeypatch):
    (tmp_path / "lessons").mkdir()
    (tmp_path / "lessons" / "syllabus.toml").touch()
    monkeypatch.setattr("llmcourse.resources.files", lambda name: tmp_path / "llmcourse")
    with pytest.raises(FileNotFoundError, match="needs its folder lessons"):
        lessons_folder()


def test_import_loads_no_notebook_tools_and_no_framework():
    heavy = ["jupytext", "nbformat", "nbclient", "keras", "tensorflow", "sklearn", "llmcourse.models", "llmcourse.data"]
    code = f"import sys, llmcourse.checking.lessons; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
