import random
import textwrap

import numpy as np
import pytest

from llmcourse.checking.expectations import Failed, expect_unchanged
from llmcourse.checking.local import LocalConnection, undisturbed
from llmcourse.checking.raised import StudentError
from llmcourse.checking.student import Handle, Student
from llmcourse.checking.values import NotPlainError


def student_with(source, watch=(), seconds=20.0):
    namespace = {"__name__": "__main__"}
    exec(textwrap.dedent(source), namespace)
    return Student(LocalConnection(namespace), watch, seconds)


def test_a_call_returns_the_value_of_the_learners_function():
    student = student_with("def add(a, *, b): return a + b")
    np.testing.assert_array_equal(student.add(np.ones(3), b=np.arange(3.0)), [1, 2, 3])


def test_the_learner_gets_copies_so_the_criterion_keeps_its_own():
    student = student_with("def spoil(x):\n    x[:] = 0\n    return x")
    mine = np.ones(3)
    student.spoil(mine)
    np.testing.assert_array_equal(mine, np.ones(3))


def test_arguments_changed_in_place_are_named():
    student = student_with(
        """
        def step(params, grads, rate):
            params["W"] -= rate * grads["W"]
            return params
        """
    )
    student.step({"W": np.ones(3)}, {"W": np.ones(3)}, rate=0.5)
    with pytest.raises(Failed, match="`params` changed in place"):
        expect_unchanged(student)


def test_arguments_left_alone_are_not_named():
    student = student_with("def double(x): return 2 * x")
    student.double(np.array([1.0, np.nan]))
    expect_unchanged(student)


@pytest.mark.parametrize(
    ("body", "type_name", "message"),
    [
        ("raise ValueError('D must divide H')", "ValueError", "D must divide H"),
        ("raise SystemExit(3)", "SystemExit", "3"),
        ("return undefined", "NameError", "name 'undefined' is not defined"),
        ("return {1, 2}", "NotPlainError", "Received: set"),
    ],
)
def test_whatever_the_learner_raises_arrives_as_one_error(body, type_name, message):
    student = student_with(f"def f(x):\n    {body}")
    with pytest.raises(StudentError, match=message) as caught:
        student.f(1)
    assert caught.value.type_name == type_name


def test_a_missing_name_says_which():
    with pytest.raises(StudentError, match="relu is not defined: run the cell") as caught:
        student_with("").relu(1)
    assert (caught.value.cause, caught.value.subject) == ("missing", "relu")


def test_a_name_that_is_no_function_is_an_error():
    with pytest.raises(StudentError, match="must be a function or a class. Received: int"):
        student_with("relu = 3").relu(1)


def test_callbacks_reach_the_criterion_and_bring_errors_back():
    student = student_with(
        """
        def twice(fn, x): return fn(fn(x))
        def safe(fn):
            try:
                return fn()
            except RuntimeError as error:
                return str(error)
        """
    )
    assert student.twice(lambda x: x * 3, 2.0) == 18
    assert "ZeroDivisionError" in student.safe(lambda: 1 / 0)


def test_callbacks_are_counted(monkeypatch):
    monkeypatch.setattr("llmcourse.checking.student.MAX_CALLBACKS", 5)
    student = student_with("def many(fn): return [fn() for _ in range(6)]")
    with pytest.raises(StudentError, match="at most 5 times"):
        student.many(lambda: 1)


def test_objects_of_the_learners_classes_stay_there_behind_a_handle():
    student = student_with(
        """
        class Counter:
            def __init__(self, start): self.value = start
            def add(self, n):
                self.value += n
                return self.value
            def __call__(self): return -self.value
        """
    )
    counter = student.Counter(5)
    assert isinstance(counter, Handle)
    assert (counter.add(2), counter.add(n=3), counter()) == (7, 10, -10)
    with pytest.raises(StudentError, match="no method 'subtract'"):
        counter.subtract(1)


def test_a_handle_can_be_an_argument():
    student = student_with(
        """
        class Box:
            def __init__(self, x): self.x = x
        def unpack(box): return box.x
        """
    )
    assert student.unpack(student.Box(7)) == 7


def test_keras_models_stay_behind_a_handle():
    student = student_with(
        """
        from llmcourse.runtime import load_keras
        keras = load_keras()
        def build(units): return keras.Sequential([keras.Input((3,)), keras.layers.Dense(units)])
        """
    )
    model = student.build(5)
    weights = [np.arange(15.0).reshape(3, 5), np.ones(5)]
    model.set_weights(weights)
    assert model.count_params() == 20
    np.testing.assert_allclose(model(np.ones((2, 3), "float32")), np.ones((2, 3)) @ weights[0] + 1, rtol=1e-6)
    np.testing.assert_array_equal(model.get_weights()[0], weights[0])


def test_defined_helpers_see_the_learners_names_and_leave_no_trace():
    namespace = {"__name__": "__main__"}
    exec("def f(x): return x + 1", namespace)
    student = Student(LocalConnection(namespace))
    student.define("def twice(x): return f(f(x))")
    assert student.twice(1) == 3
    assert "twice" not in namespace


FORBIDDEN = ("llmcourse.steps.mlp.relu", "llmcourse.steps.mlp.relu_backward", "collections.Counter", "math.hypot")


@pytest.mark.parametrize(
    ("source", "entered"),
    [
        ("def f(x):\n    from llmcourse.steps import mlp\n    return mlp.relu(x)", {"llmcourse.steps.mlp.relu"}),
        ("from llmcourse.steps.mlp import relu as f", {"llmcourse.steps.mlp.relu"}),
        ("def f(x):\n    import collections\n    return dict(collections.Counter([x.size]))", None),
        ("import collections\ndef f(x): return len(collections.Counter('aab'))", {"collections.Counter"}),
        ("import math\ndef f(x): return math.hypot(3, 4)", {"math.hypot"}),
        ("def f(x): return abs(x)", set()),
    ],
)
def test_forbidden_functions_are_noticed_when_they_run(source, entered):
    student = student_with(source, watch=FORBIDDEN)
    try:
        student.f(np.ones(3))
    except StudentError as error:
        assert "keys of a dict" in error.message
    assert student._entered == ({"collections.Counter"} if entered is None else entered)


def test_an_endless_loop_that_swallows_everything_is_stopped():
    student = student_with(
        """
        def loop():
            while True:
                try:
                    while True:
                        pass
                except Exception:
                    pass
        """,
        seconds=0.2,
    )
    with pytest.raises(StudentError, match=r"not finished after 0\.2 seconds"):
        student.loop()


def test_reseeding_gives_the_learner_the_same_random_numbers():
    student = student_with("import random\nimport numpy as np\ndef draw(): return [random.random(), np.random.rand()]")
    student._reseed(3)
    first = student.draw()
    student._reseed(3)
    assert student.draw() == first


def test_a_check_leaves_random_states_and_standard_error_alone(capfd):
    import os

    random.seed(1)
    np.random.seed(1)
    before = random.getstate(), np.random.get_state()[1].tolist()
    with undisturbed() as printed:
        random.random()
        np.random.rand()
        print("seen")
        os.write(2, b"noise from below")
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before
    assert printed.getvalue() == "seen\n"
    assert capfd.readouterr().err == ""


def test_a_flood_of_prints_is_cut():
    with undisturbed() as printed:
        for _ in range(100):
            print("x" * 1000)
    assert len(printed.getvalue()) == 4000


def test_a_reply_that_is_no_reply_is_refused():
    class Liar:
        def request(self, message, serve, seconds):
            return b"nothing of the kind"

    with pytest.raises(NotPlainError):
        Student(Liar()).f(1)
