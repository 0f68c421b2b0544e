"""Gradients through code under check: right ones pass, cut ones and wrong ones are said."""

import numpy as np
import pytest

from llmcourse.checking.expectations import Failed
from llmcourse.checking.gradients import expect_gradients, expect_learning, numeric_gradients
from llmcourse.checking.local import LocalConnection
from llmcourse.checking.student import Student

ARRAYS = {"x": np.array([[0.5, -1.5, 2.0], [1.0, 0.25, -0.75]], dtype=np.float32), "y": np.ones((2, 3), np.float32) * 3}


def learner(source):
    namespace = {"__name__": "__main__"}
    exec(f"import numpy as np\nfrom keras import ops\nimport keras\n{source}", namespace)
    return Student(LocalConnection(namespace))


def oracle(x, y):
    return x * x * y


def check(source):
    expect_gradients(learner(source), np.random.default_rng(3), "f", ARRAYS, oracle)


def test_numeric_gradients_are_those_of_the_formula():
    upstream = np.arange(6.0).reshape(2, 3)
    found = numeric_gradients(oracle, ARRAYS, upstream)
    np.testing.assert_allclose(found["x"], 2 * ARRAYS["x"] * ARRAYS["y"] * upstream, atol=1e-8)
    np.testing.assert_allclose(found["y"], ARRAYS["x"] ** 2 * upstream, atol=1e-8)


@pytest.mark.parametrize("result", ["x * x * y", "(ops.square(x) * y, 'more')", "ops.multiply(x, ops.multiply(y, x))"])
def test_right_gradients_pass(result):
    check(f"def f(x, y):\n    return {result}")


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ("ops.stop_gradient(x * x * y)", "back to x"),
        ("ops.stop_gradient(x * x) * y", "back to x"),
        ("x * x * ops.stop_gradient(y)", "back to y"),
        ("ops.convert_to_tensor(np.array(x) ** 2 * np.array(y))", "back to x"),
        ("ops.stop_gradient(x) * x * y", "the gradient with respect to x"),
    ],
)
def test_cut_and_wrong_gradients_are_said(result, said):
    with pytest.raises(Failed) as caught:
        check(f"def f(x, y):\n    return {result}")
    assert said in caught.value.required or said in str(caught.value)


def test_each_variable_must_learn():
    source = """
class Layer(keras.layers.Layer):
    def build(self, shape):
        self.a, self.b = self.add_weight(shape=(3,), name="a"), self.add_weight(shape=(3,), name="b")

    def call(self, x):
        return x * self.a + RIGHT


def make():
    layer = Layer()
    layer.build((None, 3))
    return layer
"""
    right, wrong = (learner(source.replace("RIGHT", part)) for part in ("self.b", "ops.stop_gradient(self.b + 0)"))
    expect_learning(right, right.make(), ARRAYS["x"], what="the layer")
    with pytest.raises(Failed, match="b"):
        expect_learning(wrong, wrong.make(), ARRAYS["x"], what="the layer")
