"""Gradients by hand, by differences and by a graph against each other; training; the same network in Keras."""

import doctest

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmcourse.steps import backprop, mlp
from llmcourse.steps.backprop import Value

N, D, U, C = 7, 5, 3, 2


@pytest.fixture
def rng():
    return np.random.default_rng(20)


def network(rng, sizes):
    """Draw params, with biases too, and an input whose hidden pre-activations all keep clear of the kink at 0."""
    while True:
        params = {name: rng.normal(size=value.shape) for name, value in mlp.init_mlp(sizes, 0).items()}
        x = rng.normal(size=(N, sizes[0]))
        _, cache = mlp.mlp_forward(params, x)
        if all(np.abs(cache[f"z{layer}"]).min() > 0.01 for layer in range(1, len(sizes) - 1)):
            return params, x, cache


@pytest.mark.parametrize("sizes", [(D, C), (D, U, C), (D, 11, U, C)])
def test_mlp_backward_matches_central_differences_at_every_depth(rng, sizes):
    params, x, cache = network(rng, sizes)
    upstream = rng.normal(size=(N, C))
    grads = backprop.mlp_backward(params, cache, upstream)
    assert {name: value.shape for name, value in grads.items()} == {name: value.shape for name, value in params.items()}
    assert backprop.gradient_check(lambda p: (mlp.mlp_forward(p, x)[0] * upstream).sum(), params, grads) < 1e-6


@pytest.mark.parametrize("fault", ["scaled", "no relu", "transposed", "no bias"])
def test_gradient_check_flags_wrong_gradients(rng, fault):
    params, x, cache = network(rng, (D, U, U, C))
    upstream = rng.normal(size=(N, C))
    before = {name: value.copy() for name, value in params.items()}
    grads = backprop.mlp_backward(params, cache, upstream)
    if fault == "scaled":
        grads = {name: N * value for name, value in grads.items()}
    elif fault == "no relu":
        linear = {name: np.abs(value) if name[0] == "z" else value for name, value in cache.items()}
        grads = backprop.mlp_backward(params, linear, upstream)
    elif fault == "transposed":
        grads["W2"] = grads["W2"].T
    else:
        grads["b1"] = np.zeros_like(grads["b1"])
    assert backprop.gradient_check(lambda p: (mlp.mlp_forward(p, x)[0] * upstream).sum(), params, grads) > 0.1
    for name, value in params.items():
        np.testing.assert_array_equal(value, before[name])


def test_sgd_step_follows_the_momentum_rule_and_changes_no_input():
    params, grads, velocity = ({"W1": np.full((2, 3), value), "b1": np.full(3, value)} for value in (1.0, 0.5, 2.0))
    new_params, new_velocity = backprop.sgd_step(params, grads, velocity, learning_rate=0.1, momentum=0.9)
    for name in params:
        np.testing.assert_allclose(new_velocity[name], 0.9 * 2 + 0.5)
        np.testing.assert_allclose(new_params[name], 1 - 0.1 * 2.3)
        assert (params[name] == 1).all()
        assert (grads[name] == 0.5).all()
        assert (velocity[name] == 2).all()


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 2**31 - 1))
def test_train_mlp_learns_what_no_straight_line_can(seed):
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, size=(211, 2))
    labels = (np.hypot(*x.T) > 0.7).astype(int)  # inside or outside a circle
    epochs = []
    params = backprop.train_mlp(
        x, labels, seed, hidden=(17,), epochs=60, on_epoch=lambda epoch, _: epochs.append(epoch)
    )
    assert (mlp.predict(params, x) == labels).mean() > 0.9
    assert epochs == list(range(1, 61))


def test_train_mlp_depends_on_the_seed_alone(rng):
    x, labels = rng.uniform(size=(31, D)), rng.integers(C, size=31)
    first, again, other = (backprop.train_mlp(x, labels, seed, hidden=(U,), epochs=2) for seed in (3, 3, 4))
    for name, value in first.items():
        np.testing.assert_array_equal(value, again[name])
        assert (value != other[name]).any()
    assert first["W2"].shape == (U, labels.max() + 1)


def test_build_mlp_is_the_same_network_in_keras(rng):
    model = backprop.build_mlp(11, inputs=D, classes=C)
    assert model.count_params() == D * 11 + 11 + 11 * C + C
    params = {name: rng.normal(size=value.shape) for name, value in mlp.init_mlp((D, 11, C), 0).items()}
    model.set_weights(list(params.values()))
    x = rng.normal(size=(N, D))
    np.testing.assert_allclose(model(x.astype(np.float32)), mlp.mlp_forward(params, x)[0], atol=1e-4)


def test_doctests_pass():
    assert doctest.testmod(backprop).failed == 0


@pytest.mark.parametrize("where", ["gradient", "loss"])
def test_gradient_check_takes_what_is_no_number_for_wrong(where):
    def loss(params):
        return float("nan") if where == "loss" else (params["w"] ** 2).sum()

    grads = {"w": np.array([float("nan"), 4.0] if where == "gradient" else [2.0, 4.0])}
    assert np.isnan(backprop.gradient_check(loss, {"w": np.array([1.0, 2.0])}, grads))


def test_values_reproduce_the_lessons_numbers():
    a, w1, b1, w2, b2, t = map(Value, (2, 3, -1, 0.5, 1, 3))
    difference = (a * w1 + b1).relu() * w2 + b2 + t * -1
    loss = difference * difference
    loss.backward()
    assert (loss.data, w2.grad, w1.grad, b1.grad, b2.grad, a.grad) == (0.25, 5.0, 1.0, 0.5, 1.0, 1.5)


def test_values_give_the_gradients_of_the_numpy_network(rng):
    params, x, cache = network(rng, (D, U, C))
    upstream = rng.normal(size=(N, C))
    values = {name: np.vectorize(Value)(value) for name, value in params.items()}
    hidden = np.vectorize(Value.relu)(x @ values["W1"] + values["b1"])
    ((hidden @ values["W2"] + values["b2"]) * upstream).sum().backward()
    for name, expected in backprop.mlp_backward(params, cache, upstream).items():
        np.testing.assert_allclose(np.vectorize(lambda value: value.grad)(values[name]), expected, atol=1e-12)


def test_a_value_used_often_adds_up_and_long_sums_are_no_trouble():
    x = Value(1.5)
    (x * x * x + 2 * x).backward()
    assert x.grad == pytest.approx(3 * 1.5**2 + 2)
    total = x
    for _ in range(5000):
        total = total + x
    total.backward()
    total.backward()  # a second call gives the same again
    assert x.grad == 5001
    assert Value(0.0).relu().data == 0
