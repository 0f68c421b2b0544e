"""A small lesson and what grades it, shared by the tests of the grader."""

import copy
import json

import pytest

from llmcourse.checking.criteria import Criterion
from llmcourse.checking.lessons import load_lesson
from llmcourse.classroom.authoring.notebooks import solution_notebook, student_notebook
from llmcourse.classroom.grading.grader import grade_submission
from llmcourse.classroom.grading.lessons import Lessons
from llmcourse.classroom.grading.notebook_file import read_notebook
from llmcourse.classroom.grading.submissions import Submission
from llmcourse.classroom.sandbox import channel, pool
from llmcourse.classroom.sandbox.limits import Limits
from llmcourse.classroom.sandbox.pool import Sandbox

LESSON = '''
# %% [markdown]
# # Toys

# %%
import numpy as np
from llmcourse import lesson
check = lesson("toy")

# %%
OFFSET = 7

# %% exercise="double" forbid=["operator.mul", "fractions.Fraction.limit_denominator"]
def double(x):
    """Return 2 x."""
    ### BEGIN SOLUTION
    return x + x
    ### END SOLUTION

# %% check="double"
check("double")

# %% tags=["explore"]
from_the_demonstration = 11
print(double(3))

# %% exercise="shift"
def shift(x):
    """Return x + OFFSET."""
    ### BEGIN SOLUTION
    return x + OFFSET
    ### END SOLUTION

# %% check="shift"
check("shift")

# %% exercise="slope" names=["slope", "Line"]
class Line:
    """A line through 0."""

    def __init__(self, steepness):
        self.steepness = steepness

    def predict(self, x):
        """Return steepness x."""
        ### BEGIN SOLUTION
        return self.steepness * x
        ### END SOLUTION

def slope(function, x):
    """Return the slope of a function at x."""
    ### BEGIN SOLUTION
    return (function(x + 1e-3) - function(x - 1e-3)) / 2e-3
    ### END SOLUTION

# %% check="slope"
check("slope")
'''
EXERCISES = {
    "double": '''
from llmcourse.checking import criterion, expect_close, expect_unchanged, mutant


@criterion(points=2, hints=["What is twice 3?", "Use `2 * x`."])
def the_result_is_twice_the_input(student, rng):
    """double(x) is twice x."""
    x = rng.normal(size=(3, 5))
    expect_close(student.double(x), 2 * x, what="double(x)")
    expect_unchanged(student)


@criterion(hints=["Look at 0."])
def zero_stays_zero(student, rng):
    """double(0) is 0."""
    expect_close(student.double(0.0), 0.0, what="double(0.0)")


mutant(fails="zero_stays_zero", why="adds 2", source="def double(x): return x + 2")
mutant(fails="the_result_is_twice_the_input", why="triples", source="def double(x): return 3 * x")
mutant(fails="the_result_is_twice_the_input", why="writes into the given array", source="""
def double(x):
    x *= 2
    return x
""")
mutant(fails="*", why="imports the answer", source="""
def double(x):
    from fractions import Fraction
    Fraction(1, 3).limit_denominator(2)
    return 2 * x
""")
''',
    "shift": '''
from llmcourse.checking import criterion, expect_close, mutant


@criterion(points=2)
def the_result_is_shifted(student, rng):
    """shift(x) is x + 7."""
    x = rng.normal(size=7)
    expect_close(student.shift(x), x + 7, what="shift(x)")


mutant(fails="*", why="shifts the other way", source="def shift(x): return x - OFFSET")
''',
    "slope": '''
from llmcourse.checking import criterion, expect, expect_close, mutant


@criterion(points=3)
def a_parabola_has_the_slope_2x(student, rng):
    """The slope of x**2 is 2 x."""
    x = float(rng.normal())
    expect_close(student.slope(lambda at: at**2, x), 2 * x, what="slope(f, x)", tolerance=1e-5)


@criterion(points=1)
def a_line_predicts(student, rng):
    """Line(s).predict(x) is s x."""
    x = rng.normal(size=5)
    expect_close(student.Line(3.0).predict(x), 3 * x, what="Line(3).predict(x)")


@criterion(points=0.5, hidden=True)
def the_random_numbers_are_seeded(student, rng):
    """A line has one slope, and equal seeds draw equal numbers; only the grader runs this."""
    expect_close(student.slope(lambda at: 5 * at + 1, float(rng.normal())), 5.0, tolerance=1e-5)
    helper = "def draw():\\n    import random\\n    return random.random()"
    student._reseed(5)
    student.define(helper)
    first, second = student.draw(), student.draw()
    student._reseed(5)
    student.define(helper)
    expect(student.draw() == first != second, required="the same number again", received=first)


mutant(fails="a_line_predicts", why="no line", source="""
class Line:
    def __init__(self, steepness): self.steepness = steepness
    def predict(self, x): return x
""")
mutant(fails="a_parabola_has_the_slope_2x", why="no slope", source="def slope(f, x): return f(x)")
''',
}

FULL = 9.5
SEED = "5eed" * 16


@pytest.fixture(scope="session")
def lessons(tmp_path_factory, write_lesson):
    folder = tmp_path_factory.mktemp("lessons")
    write_lesson(folder / "toy", LESSON, EXERCISES)
    entry = '[[lesson]]\nid = "toy"\ntitle = "Toy"\nminutes = 5\nprerequisites = []\n'
    (folder / "syllabus.toml").write_text(entry)
    return folder


@pytest.fixture(scope="session")
def toy(lessons):
    return load_lesson("toy", lessons)


@pytest.fixture(scope="session")
def sandbox():
    with Sandbox(threads=2) as sandbox:
        yield sandbox


@pytest.fixture
def light(monkeypatch):
    """Let fork servers that are started during a test load no libraries, so that they are there at once."""
    real = pool.ForkServer
    monkeypatch.setattr(pool, "ForkServer", lambda threads, warm: real(threads, warm=False))


@pytest.fixture
def short(monkeypatch):
    """Let code that hangs be ended after one second of computing, and after half a second more where it resists."""
    monkeypatch.setattr(Criterion, "seconds_allowed", 1.0)
    monkeypatch.setattr(channel, "GRACE", 0.5)
    return Limits(cell_seconds=1.0, seconds=30.0, memory=2**30)


class Class:
    """Writes notebooks of a class and grades them."""

    def __init__(self, request, toy, lessons, folder, limits):
        self.request, self.toy, self.lessons, self.folder, self.limits = request, toy, Lessons(lessons), folder, limits
        self.reference = json.loads(json.dumps(solution_notebook(toy)))
        self.empty = json.loads(json.dumps(student_notebook(toy)))

    def notebook(self, **answers):
        """Make the reference's notebook with other answers to some exercises, and cells `before` and `after` it."""
        notebook = copy.deepcopy(self.empty)
        for cell in notebook["cells"]:
            id = cell["metadata"].get("llmcourse", {}).get("exercise")
            if id:
                cell["source"] = answers.get(id, self.toy.exercises[id].solution)
        for name, place in (("before", 0), ("after", len(notebook["cells"]))):
            if name in answers:
                notebook["cells"].insert(place, code(answers[name]))
        return notebook

    def write(self, notebook, name="ada__toy.ipynb"):
        path = self.folder / name
        path.write_text(notebook if isinstance(notebook, str) else json.dumps(notebook))
        return path

    def grade(self, notebook=None, seed=SEED, lesson="toy", limits=None, **answers):
        """Grade a notebook, its text, its path, or the one that these answers make."""
        path = notebook
        if notebook is None or isinstance(notebook, str | dict):
            path = self.write(self.notebook(**answers) if notebook is None else notebook)
        sandbox = self.request.getfixturevalue("sandbox")
        return grade_submission(
            self.submission(path, lesson=lesson), self.lessons, sandbox, seed, limits or self.limits
        )

    def submission(self, path, student="ada", lesson="toy"):
        """Read a notebook that was found."""
        try:
            return Submission(student, lesson, path, read_notebook(path))
        except ValueError as error:
            return Submission(student, lesson, path, error)

    def points(self, row):
        return {item.id: item.points for item in row.exercises}


def code(source, **metadata):
    return {"cell_type": "code", "source": source, "metadata": metadata, "outputs": [], "execution_count": None}


@pytest.fixture
def classroom(request, toy, lessons, tmp_path, short):
    return Class(request, toy, lessons, tmp_path, short)
