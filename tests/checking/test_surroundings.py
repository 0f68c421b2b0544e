"""A check depends on the answer alone, whatever the notebook did to the libraries, and leaves all as it was."""

import builtins
import os
import random
import sys
import time
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from threadpoolctl import threadpool_info

from llmcourse.checking import expect_close, expect_equal
from llmcourse.checking.criteria import Criterion
from llmcourse.checking.local import LocalConnection, undisturbed
from llmcourse.checking.run import run_exercise
from llmcourse.checking.surroundings import describe, kept, prepare

ANSWER = """
import math, random, time
import numpy as np

def draw(n):
    random.seed(n)
    np.random.seed(n)
    start = time.time()
    values = np.random.default_rng(n).normal(size=n)
    return [sum(values.tolist()), math.exp(0.0), abs(start) > 0]
"""


def in_its_way(student, rng):
    """draw(7) is three numbers."""
    total, one, positive = student.draw(7)
    expect_close(total, np.random.default_rng(7).normal(size=7).sum())
    expect_close(one, 1.0)
    expect_equal(positive, True)


def outcome(source, function=in_its_way, inside=undisturbed):
    """Check the answer in a notebook that ran `source` first."""
    names = {"__name__": "__main__"}
    exec(ANSWER, names)
    exec(source, names)
    item = Criterion("draw", function.__name__, function, 2, ())
    with inside():
        (result,) = run_exercise("toy", [item], LocalConnection(names))
    return result


@pytest.fixture
def put_back():
    """Undo what a test's notebook assigns."""
    with kept():
        yield


@pytest.mark.parametrize("inside", [undisturbed, kept])
@pytest.mark.parametrize(
    ("slip", "name"),
    [
        ("np.random.seed = 42", "np.random.seed"),
        ("random.seed = 1", "random.seed"),
        ("np.random.default_rng = np.random.RandomState(0)", "np.random.default_rng"),
        ("del np.random.default_rng", "np.random.default_rng"),
        ("time.time = 0.0", "time.time"),
        ("math.exp = lambda x: 7.0", "math.exp"),
        ("np.random.get_state = random.getstate = None", "random.getstate"),
        ("import keras; keras.utils.set_random_seed = 1", "keras.utils.set_random_seed"),
        ("import keras; keras.config.set_floatx = 'float32'", "keras.config.set_floatx"),
        ("import tensorflow as tf; tf.random.set_seed = 3", "tf.random.set_seed"),
        ("import builtins; builtins.abs = 3", "abs"),
        ("np.random = 5", "np.random"),
        ("np.pi = 3", "np.pi"),
    ],
)
def test_what_was_assigned_to_counts_for_nothing_and_is_named(put_back, slip, name, inside):
    result = outcome(slip, inside=inside)
    assert result.points == 2, result.received
    assert name in result.remark
    assert "assigned to" in result.remark


def test_the_notebook_keeps_what_it_assigned(put_back):
    outcome("np.random.seed = 42\ndel math.tau\nbuiltins = __import__('builtins'); builtins.round = None")
    assert np.random.seed == 42
    assert builtins.round is None
    assert "tau" not in vars(sys.modules["math"])


def test_nothing_is_said_of_a_notebook_that_assigned_to_nothing():
    result = outcome("np.mine = random.mine = 3; time.tzset(); time.tzname = time.tzname + ()")
    del np.mine, random.mine
    assert (result.points, result.remark) == (2, "")


@pytest.mark.parametrize("name", ["sum", "abs"])
def test_names_that_hide_pythons_own_are_named_where_the_answer_uses_them(name):
    result = outcome(f"{name} = 0\nid = 5\nprint = ...")
    assert result.status == "error"
    assert result.remark == f"In the notebook {name} is a value of its own, which hides Python's function."
    assert outcome("id = 5\nmax = np.max\nprint = ...").remark == ""
    inner = outcome("sum = 0\nclass Adder:\n    def add(self): return [sum(x) for x in ()]\ndraw = None")
    assert "sum is a value" in inner.remark


def test_helpers_of_a_criterion_see_pythons_own_functions():
    def with_a_helper(student, rng):
        student.define("def count():\n    return len(list(range(max(3, abs(-5))))) + len(draw(2))")
        expect_close(student.count(), 8)

    assert outcome("list = max = range = len = 0", with_a_helper).points == 2


SETTINGS = [
    ('np.seterr(all="raise")', lambda: np.geterr()["over"], "warn"),
    ("np.set_printoptions(precision=1, threshold=5)", lambda: np.get_printoptions()["precision"], 8),
    ('warnings.simplefilter("error")', lambda: warnings.filters[0][0] == "error", False),
    ('keras.config.set_floatx("float64")', keras.config.floatx, "float32"),
    ('keras.config.set_image_data_format("channels_first")', keras.config.image_data_format, "channels_last"),
    ("keras.config.set_epsilon(1e-3)", keras.config.epsilon, 1e-7),
    ('keras.config.set_dtype_policy("float64")', lambda: keras.config.dtype_policy().name, "float32"),
    ('keras.config.set_dtype_policy("mixed_bfloat16")', lambda: keras.config.dtype_policy().name, "float32"),
    ("keras.config.set_max_epochs(1)", keras.config.max_epochs, None),
    ("tf.config.run_functions_eagerly(True)", tf.config.functions_run_eagerly, False),
    ("sys.setrecursionlimit(10**6)", sys.getrecursionlimit, 3000),
]


@pytest.mark.parametrize(("change", "read", "wanted"), SETTINGS, ids=[row[0] for row in SETTINGS])
def test_settings_are_the_courses_in_each_criterion_and_the_learners_afterwards(put_back, change, read, wanted):
    seen = []

    def look(student, rng):
        seen.append(read())
        student.draw(2)

    names = {"__name__": "__main__"}
    libraries = "import sys, warnings, keras, numpy as np, tensorflow as tf"
    exec(f"{libraries}\n{ANSWER}\ndef draw(n):\n    {change}", names)  # the answer changes it, too
    names["draw"](0)
    theirs = read()
    criteria = [Criterion("draw", f"look_{number}", look, 1, ()) for number in range(2)]
    with undisturbed():
        run_exercise("toy", criteria, LocalConnection(names))
    assert seen == [wanted, wanted]
    assert read() == theirs != wanted


def test_the_folder_is_the_same_in_each_criterion_and_afterwards(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    seen = []

    def move(student, rng):
        seen.append(str(Path.cwd()))
        student.draw(2)

    names = {"__name__": "__main__", "draw": lambda n: os.chdir("/")}
    with undisturbed():
        run_exercise("toy", [Criterion("draw", f"move_{n}", move, 1, ()) for n in range(3)], LocalConnection(names))
    assert seen[0] == seen[1] == str(Path.cwd()) == str(tmp_path)


def test_random_numbers_go_on_where_they_were():
    random.seed(3)
    np.random.seed(3)
    expected = random.random(), np.random.rand()
    random.seed(3)
    np.random.seed(3)
    outcome("")
    assert (random.random(), np.random.rand()) == expected


def test_a_check_computes_on_one_thread():
    seen = []

    def look(student, rng):
        seen.extend(entry["num_threads"] for entry in threadpool_info() if entry["user_api"] == "blas")

    outcome("", look)
    assert seen and set(seen) == {1}


@pytest.mark.parametrize(
    "found", [None, 3, [], {"overwritten": 3}, {"overwritten": [3, "a b", "x" * 99, "a.b\n"], "hidden": None}]
)
def test_a_worker_cannot_make_remarks_of_its_own(found):
    assert describe(found) == ("", "")


def test_many_names_are_counted():
    assert "a, b, c and 2 more;" in describe({"overwritten": ["a", "b", "c", "d", "e"]})[0]


def test_looking_takes_little_time():
    names = {"__name__": "__main__"}
    start = time.process_time()
    for _ in range(20):
        prepare(names)
    assert (time.process_time() - start) / 20 < 0.1  # seconds of the processor; measured 0.001
