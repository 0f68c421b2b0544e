"""The functions of the first lesson: values against plain loops, gradients against central differences."""

import doctest
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from llmcourse.steps import backprop, mlp

N, D, U, C = 7, 5, 3, 2


@pytest.fixture
def rng():
    return np.random.default_rng(20)


def away_from_zero(rng, shape):
    return rng.choice([-1, 1], size=shape) * rng.uniform(0.1, 2, size=shape)


def test_import_loads_no_framework():
    code = (
        "import sys, llmcourse.steps.mlp; sys.exit(any(m in sys.modules for m in ('keras', 'tensorflow', 'sklearn')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_doctests_pass():
    assert doctest.testmod(mlp).failed == 0


def test_dense_forward_is_a_weighted_sum_for_each_neuron(rng):
    x, weights, bias = rng.normal(size=(N, D)), rng.normal(size=(D, U)), rng.normal(size=U)
    expected = [[sum(x[n, d] * weights[d, u] for d in range(D)) + bias[u] for u in range(U)] for n in range(N)]
    np.testing.assert_allclose(mlp.dense_forward(x, weights, bias), expected, atol=1e-12)


@pytest.mark.parametrize(
    "shapes", [((N, D), (U, D), (U,)), ((N, D), (D, U), (1, U)), ((D,), (D, U), (U,)), ((N, D), (D, U), ())]
)
def test_dense_forward_names_the_shapes_that_do_not_fit(shapes):
    with pytest.raises(ValueError, match=r"\(N, D\), \(D, U\) and \(U,\).*Received"):
        mlp.dense_forward(*(np.zeros(shape) for shape in shapes))


@given(arrays(np.float64, (3, 5), elements=st.floats(-1e6, 1e6)))
def test_relu_is_the_larger_of_entry_and_zero(z):
    result = mlp.relu(z)
    assert (result >= 0).all()
    np.testing.assert_array_equal(result - mlp.relu(-z), z)


def test_relu_backward_is_the_derivative_and_zero_at_zero(rng):
    z, upstream = away_from_zero(rng, (N, D)), rng.normal(size=(N, D))
    slope = (mlp.relu(z + 1e-6) - mlp.relu(z - 1e-6)) / 2e-6
    np.testing.assert_allclose(mlp.relu_backward(upstream, z), upstream * slope, atol=1e-8)
    assert mlp.relu_backward(np.ones(1), np.zeros(1)) == 0


@pytest.mark.parametrize("shape", [(N,), (N, C), (2, 3, 5)])
def test_mse_and_its_gradient(rng, shape):
    prediction, target = rng.normal(size=shape), rng.normal(size=shape)
    loss, grad = mlp.mse(prediction, target)
    assert loss == pytest.approx(
        sum((a - b) ** 2 for a, b in zip(prediction.flat, target.flat, strict=True)) / target.size
    )
    assert backprop.gradient_check(lambda p: mlp.mse(p["y"], target)[0], {"y": prediction}, {"y": grad}) < 1e-6


def test_mse_refuses_to_broadcast():
    with pytest.raises(ValueError, match=r"same shape.*\(7, 1\) and \(7,\)"):
        mlp.mse(np.zeros((7, 1)), np.zeros(7))


def test_softmax_cross_entropy_and_its_gradient(rng):
    logits, labels = rng.normal(size=(N, C)), rng.integers(C, size=N)
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    loss, grad = mlp.softmax_cross_entropy(logits, labels)
    assert loss == pytest.approx(np.mean([-np.log(probs[n, labels[n]]) for n in range(N)]))
    np.testing.assert_allclose(grad, (probs - np.eye(C)[labels]) / N, atol=1e-12)
    error = backprop.gradient_check(lambda p: mlp.softmax_cross_entropy(p["z"], labels)[0], {"z": logits}, {"z": grad})
    assert error < 1e-6


@given(
    arrays(np.float64, (5, 3), elements=st.floats(-1e4, 1e4)),
    arrays(np.int64, 5, elements=st.integers(0, 2)),
    st.floats(-1e4, 1e4),
)
def test_softmax_cross_entropy_is_stable_and_ignores_a_common_shift(logits, labels, shift):
    loss, grad = mlp.softmax_cross_entropy(logits, labels)
    assert np.isfinite(loss)
    assert loss >= 0
    np.testing.assert_allclose(grad.sum(axis=1), 0, atol=1e-12)
    assert mlp.softmax_cross_entropy(logits + shift, labels)[0] == pytest.approx(loss, abs=1e-8)


def test_softmax_cross_entropy_rejects_bad_labels():
    with pytest.raises(ValueError, match=r"0 to 1\. Received: 0 to 2"):
        mlp.softmax_cross_entropy(np.zeros((2, 2)), np.array([0, 2]))
    with pytest.raises(ValueError, match=r"\(N, C\) and \(N,\)"):
        mlp.softmax_cross_entropy(np.zeros((2, 2)), np.eye(2, dtype=int))


def test_mlp_forward_keeps_what_the_way_back_needs(rng):
    params = mlp.init_mlp((D, U, C), 2)
    x = rng.normal(size=(N, D))
    logits, cache = mlp.mlp_forward(params, x)
    shapes = {name: value.shape for name, value in cache.items()}
    assert shapes == {"a0": (N, D), "z1": (N, U), "a1": (N, U), "z2": (N, C)}
    np.testing.assert_allclose(logits, np.maximum(x @ params["W1"], 0) @ params["W2"], atol=1e-12)


def test_init_mlp_keeps_the_size_of_signals(rng):
    params = mlp.init_mlp((211, 401, 307), 0)
    _, cache = mlp.mlp_forward(params, rng.normal(size=(53, 211)))
    assert 0.9 < np.mean(cache["z2"] ** 2) / np.mean(cache["z1"] ** 2) < 1.1
    assert not params["b1"].any()
    np.testing.assert_array_equal(params["W1"], mlp.init_mlp((211, 401, 307), 0)["W1"])
    assert (params["W1"] != mlp.init_mlp((211, 401, 307), 1)["W1"]).all()
    with pytest.raises(ValueError, match="two or more"):
        mlp.init_mlp((5,), 0)
