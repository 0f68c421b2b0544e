import doctest

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from llmcourse.steps import transformer as warmup
from llmcourse.steps.transformer import NoamSchedule, noam_schedule
from llmcourse.training import losses
from llmcourse.training.losses import label_smoothed_loss, loss_from_states

B, T, V = 2, 5, 7
TARGETS = np.array([[3, 6, 1, 0, 0], [5, 2, 4, 3, 0]])


@pytest.mark.parametrize(("module", "examples"), [(losses, 4), (warmup, 1)])
def test_the_examples_of_the_docstrings_are_right(module, examples):
    assert doctest.testmod(module, extraglobs={"np": np}) == doctest.TestResults(failed=0, attempted=examples)


def draw(*shape, seed=0, scale=1.0):
    return (scale * np.random.default_rng(seed).normal(size=shape)).astype("float32")


def oracle(targets, logits, epsilon):
    """The definition, token by token: the cross-entropy between smoothed target and softmax."""
    losses = []
    for row, position in zip(*np.nonzero(targets), strict=True):
        scores = logits[row, position].astype("float64")
        log_probs = scores - scores.max() - np.log(np.exp(scores - scores.max()).sum())
        smoothed = np.full(logits.shape[-1], epsilon / logits.shape[-1])
        smoothed[targets[row, position]] += 1 - epsilon
        losses.append(-(smoothed * log_probs).sum())
    return np.mean(losses)


@pytest.mark.backends
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), epsilon=st.sampled_from([0.0, 0.1, 0.5]), scale=st.sampled_from([0.1, 1.0, 100.0]))
def test_the_loss_equals_the_oracle(seed, epsilon, scale):
    logits = draw(B, T, V, seed=seed, scale=scale)
    received = float(label_smoothed_loss(TARGETS, logits, epsilon))
    assert received == pytest.approx(oracle(TARGETS, logits, epsilon), rel=1e-4, abs=1e-5)


def test_padding_counts_neither_in_the_sum_nor_in_the_mean():
    logits = draw(B, T, V)
    longer = np.concatenate([logits, draw(B, 3, V, seed=1, scale=50)], axis=1)
    padded = float(label_smoothed_loss(np.pad(TARGETS, ((0, 0), (0, 3))), longer))
    assert padded == pytest.approx(float(label_smoothed_loss(TARGETS, logits)), rel=1e-6)


def test_a_batch_of_padding_alone_has_loss_zero():
    assert float(label_smoothed_loss(np.zeros((B, T), dtype="int32"), draw(B, T, V))) == 0


def test_huge_logits_stay_finite():
    assert np.isfinite(float(label_smoothed_loss(TARGETS, draw(B, T, V, scale=1e6))))


@pytest.mark.backends
def test_half_precision_logits_are_taken_to_float32():
    loss = label_smoothed_loss(TARGETS, ops.cast(draw(B, T, V), "bfloat16"))
    assert keras.backend.standardize_dtype(loss.dtype) == "float32"


@pytest.mark.backends
def test_the_gradient_is_softmax_minus_smoothed_target_over_the_number_of_real_tokens():
    model = keras.Sequential([keras.Input((T,)), keras.layers.Embedding(11, V)])
    table, ids = draw(11, V), np.arange(B * T).reshape(B, T)  # each position has logits of its own
    model.set_weights([table])
    model.compile(keras.optimizers.SGD(1.0), loss=label_smoothed_loss, jit_compile=keras.backend.backend() == "jax")
    model.train_on_batch(ids, TARGETS)
    logits = table[ids].astype("float64")
    probs = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    smoothed = 0.9 * np.eye(V)[TARGETS] + 0.1 / V
    expected = (probs - smoothed) * (TARGETS != 0)[..., None] / np.count_nonzero(TARGETS)
    np.testing.assert_allclose((table - model.get_weights()[0])[ids], expected, atol=1e-5)


@pytest.mark.parametrize(
    ("targets", "logits", "epsilon"),
    [
        (TARGETS[0], draw(B, T, V), 0.1),
        (TARGETS, draw(B, V), 0.1),
        (TARGETS, draw(B, T, V), 1.0),
        (TARGETS, draw(B, T, V), -0.1),
    ],
)
def test_what_does_not_fit_is_refused(targets, logits, epsilon):
    with pytest.raises(ValueError, match=f"Received: .* and {epsilon}"):
        label_smoothed_loss(targets, logits, epsilon)


@pytest.mark.parametrize(("d_model", "warmup"), [(4, 4), (128, 400), (512, 4000)])
def test_the_learning_rate_rises_in_a_line_and_falls_with_the_root(d_model, warmup):
    steps = np.array([1, 2, warmup // 2, warmup, warmup + 1, 4 * warmup])
    received = ops.convert_to_numpy(noam_schedule(steps, d_model, warmup))
    expected = [d_model**-0.5 * min(step**-0.5, step * warmup**-1.5) for step in steps.tolist()]
    np.testing.assert_allclose(received, expected, rtol=1e-5)
    assert float(noam_schedule(warmup, d_model, warmup)) == pytest.approx((d_model * warmup) ** -0.5, rel=1e-5)


@pytest.mark.parametrize(("d_model", "warmup"), [(0, 4), (4, 0)])
def test_a_schedule_needs_a_width_and_a_warmup(d_model, warmup):
    with pytest.raises(ValueError, match=f"Received: {d_model} and {warmup}"):
        noam_schedule(1, d_model, warmup)


def test_an_optimizer_takes_the_schedule_from_step_one():
    schedule = NoamSchedule(8, warmup_steps=3, factor=2.0)
    optimizer = keras.optimizers.SGD(schedule)
    rates = []
    for _ in range(5):
        rates.append(float(ops.convert_to_numpy(optimizer.learning_rate)))
        optimizer.iterations.assign_add(1)
    expected = 2 * ops.convert_to_numpy(noam_schedule(np.arange(1, 6), 8, 3))
    np.testing.assert_allclose(rates, expected, rtol=1e-5)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(schedule))
    assert again.get_config() == schedule.get_config() == {"d_model": 8, "warmup_steps": 3, "factor": 2.0}


@pytest.mark.backends
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), epsilon=st.sampled_from([0.0, 0.1, 0.5]), scale=st.sampled_from([0.1, 1.0, 10.0]))
def test_the_loss_from_states_equals_the_oracle(seed, epsilon, scale):
    states, table = draw(B, T, 6, seed=seed, scale=scale), draw(V, 6, seed=seed + 1)
    received = float(loss_from_states(TARGETS, states, table, epsilon))
    assert received == pytest.approx(oracle(TARGETS, states @ table.T, epsilon), rel=1e-4, abs=1e-4)


def test_the_loss_from_states_has_the_gradients_of_the_loss_of_the_logits():
    import tensorflow as tf

    states, table = tf.Variable(draw(B, T, 6)), tf.Variable(draw(V, 6, seed=1))
    found = []
    for loss in (
        lambda: loss_from_states(TARGETS, states, table),
        lambda: label_smoothed_loss(TARGETS, ops.matmul(states, ops.transpose(table))),
    ):
        with tf.GradientTape() as tape:
            value = loss()
        found.append([tf.convert_to_tensor(gradient).numpy() for gradient in tape.gradient(value, [states, table])])
    for mine, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-6)


def test_the_loss_from_states_of_padding_alone_is_zero():
    assert float(loss_from_states(np.zeros((B, T), dtype="int32"), draw(B, T, 6), draw(V, 6))) == 0


@pytest.mark.parametrize(
    ("targets", "states", "table", "epsilon"),
    [((2, 5), (2, 5, 6), (7, 5), 0.1), ((10,), (2, 5, 6), (7, 6), 0.1), ((2, 5), (2, 5, 6), (7, 6), 1.0)],
)
def test_states_that_do_not_fit_are_refused(targets, states, table, epsilon):
    with pytest.raises(ValueError, match=r"\(B, T\), \(B, T, D\) and \(V, D\).*Received"):
        loss_from_states(np.ones(targets, dtype="int32"), np.ones(states), np.ones(table), epsilon)
