"""The recurrent steps against central differences, Keras and scikit-learn."""

import keras
import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from llmcourse import steps

B, T, D, U = 3, 5, 2, 7


@pytest.fixture
def drawn():
    rng = np.random.default_rng(0)
    params = {"kernel": rng.normal(size=(D, U)), "recurrent_kernel": rng.normal(size=(U, U)) / 2}
    params["bias"] = rng.normal(size=U)
    mask = np.array([[True] * 5, [True, False, True, True, False], [False, True, True, False, False]])
    return rng.normal(size=(B, T, D)), rng.normal(size=(B, U)), params, mask


def test_states_equal_keras_with_a_mask(drawn):
    x, state, params, mask = drawn
    layer = keras.layers.SimpleRNN(U, return_sequences=True, dtype="float64")
    layer.build(x.shape)
    layer.set_weights([params["kernel"], params["recurrent_kernel"], params["bias"]])
    expected = keras.ops.convert_to_numpy(layer(x, initial_state=keras.ops.array(state), mask=keras.ops.array(mask)))
    found = steps.rnn_forward(x, state, params, mask)
    np.testing.assert_allclose(found[mask], expected[mask], atol=1e-9)
    np.testing.assert_array_equal(found[1, 1], found[1, 0])
    np.testing.assert_array_equal(found[2, 0], state[2])


@pytest.mark.parametrize("name", ["kernel", "recurrent_kernel", "bias", "x", "state"])
def test_gradients_equal_central_differences(drawn, name):
    x, state, params, mask = drawn
    upstream = np.random.default_rng(1).normal(size=(B, T, U))
    values = {**params, "x": x, "state": state}

    def loss():
        return float(np.sum(upstream * steps.rnn_forward(values["x"], values["state"], params, mask)))

    cache = {"x": x, "state": state, "mask": mask, "states": steps.rnn_forward(x, state, params, mask)}
    found = steps.rnn_backward(params, cache, upstream)[name]
    expected = np.empty_like(found)
    for place in np.ndindex(found.shape):
        kept = values[name][place]
        values[name][place] = kept + 1e-5
        above = loss()
        values[name][place] = kept - 1e-5
        expected[place] = (above - loss()) / 2e-5
        values[name][place] = kept
    assert np.abs(found - expected).max() / np.abs(expected).max() < 1e-7


def test_clipping_keeps_short_gradients_and_the_direction_of_long_ones():
    grads = {"a": np.array([[3.0]]), "b": np.array([0.0, 4.0])}
    same, norm = steps.clip_by_global_norm(grads, 5.0)
    assert norm == 5.0
    np.testing.assert_array_equal(same["b"], grads["b"])
    clipped, norm = steps.clip_by_global_norm(grads, 0.5)
    assert norm == 5.0
    np.testing.assert_allclose(clipped["a"], [[0.3]])
    np.testing.assert_array_equal(grads["a"], [[3.0]])
    nothing, norm = steps.clip_by_global_norm({"a": np.zeros(2)}, 1.0)
    assert norm == 0
    np.testing.assert_array_equal(nothing["a"], [0, 0])


def test_lstm_steps_equal_keras():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(B, T, D)).astype("float32")
    layer = keras.layers.LSTM(U, return_state=True, bias_initializer="random_normal")
    _, *expected = layer(x)
    weights = layer.get_weights()
    hidden = cell = np.zeros((B, U), "float32")
    for step in range(T):
        hidden, cell = steps.lstm_step(x[:, step], hidden, cell, *weights)
    np.testing.assert_allclose(hidden, expected[0], atol=1e-5)
    np.testing.assert_allclose(cell, expected[1], atol=1e-5)


@pytest.mark.parametrize("average", [None, "macro", "micro"])
def test_report_equals_scikit_learn(average):
    rng = np.random.default_rng(3)
    labels, predictions = rng.integers(0, 4, size=53), rng.integers(0, 6, size=53)  # nothing is of class 4, 5 or 6
    found = steps.classification_report(labels, predictions, num_classes=7)
    values = found if average is None else found[average]
    expected = precision_recall_fscore_support(labels, predictions, labels=range(7), average=average, zero_division=0)
    for name, column in zip(("precision", "recall", "f1"), expected[:3], strict=True):
        np.testing.assert_allclose(values[name], column)
    np.testing.assert_array_equal(found["support"], np.bincount(labels, minlength=7))
