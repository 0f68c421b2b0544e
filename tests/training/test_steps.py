"""Compiled steps, one by one and many in a call, and the numbers that they change."""

import numpy as np
import pytest

from llmcourse.runtime import load_keras
from llmcourse.training.steps import TrainSteps, gather, read_state, shapes, write_state
from llmcourse.training.task import Task

STEPS, B, D, U = 3, 5, 7, 2


class Squares(Task):
    """Any network of floats (B, D) that comes near to floats (B, U)."""

    name = "squares"

    def loss(self, model, batch):
        import tensorflow as tf

        inputs, targets = batch
        error = model(inputs, training=True) - targets
        return {"loss": tf.reduce_mean(error**2), "largest": tf.reduce_max(tf.abs(error))}


class Several(Squares):
    steps_per_call = STEPS


class AnyShape(Squares):
    dynamic_shapes = True


@pytest.fixture(scope="module")
def keras():
    return load_keras()


def build(keras, units=U):
    keras.utils.set_random_seed(2)
    layers = keras.layers
    stack = [keras.Input((D,)), layers.Dense(11), layers.BatchNormalization(), layers.Dropout(0.4), layers.Dense(units)]
    return keras.Sequential(stack)


def draw(*sizes):
    rng = np.random.default_rng(5)
    return [tuple(rng.normal(size=(size, width)).astype(np.float32) for width in (D, U)) for size in sizes]


RATES = np.array([0.01, 0.02, 0.03], np.float32)


def test_many_steps_in_one_call_are_the_steps_one_by_one(keras):
    ends, found = [], []
    for kind in (Several, Squares):
        model, optimizer = build(keras), keras.optimizers.Adam()
        steps, start = TrainSteps(kind(), model, optimizer), read_state(model, optimizer)
        calls = gather(draw(*[B] * STEPS), 0, kind.steps_per_call)
        means = [steps(call, RATES[place : place + len(call)]) for place, call in enumerate(calls)]
        found.append({name: np.mean([mean[name] for mean in means]) for name in means[0]})
        ends.append(read_state(model, optimizer))
        assert len(means) == (1 if kind is Several else STEPS)
    assert found[0] == pytest.approx(found[1], rel=1e-6)
    changed = 0
    for name, array in ends[0].items():
        np.testing.assert_array_equal(array, ends[1][name], err_msg=name)
        changed += (array != start[name]).any()
    assert changed >= len(ends[0]) - 2  # a layer's seed generator and the like may stand still


def test_each_step_takes_its_own_rate(keras):
    model, optimizer = build(keras), keras.optimizers.SGD()
    steps = TrainSteps(Several(), model, optimizer)
    before = model.get_weights()
    steps(draw(B, B), np.zeros(2, np.float32))
    np.testing.assert_array_equal(model.get_weights()[0], before[0])
    steps(draw(B, B), np.array([0, 0.5], np.float32))
    assert (model.get_weights()[0] != before[0]).any()
    assert float(optimizer.learning_rate.numpy()) == 0.5


def test_frozen_weights_stay(keras):
    model, optimizer = build(keras), keras.optimizers.SGD()
    model.layers[0].trainable = False
    before = model.get_weights()
    TrainSteps(Squares(), model, optimizer)(draw(B), RATES[:1])
    after = model.get_weights()
    np.testing.assert_array_equal(after[0], before[0])
    assert (after[-2] != before[-2]).any()


def test_each_shape_is_compiled_once_and_dynamic_shapes_only_once(keras):
    for kind, expected in ((Squares, [True, False, True]), (AnyShape, [True, False, False])):
        steps = TrainSteps(kind(), build(keras), keras.optimizers.SGD())
        batches = draw(B, B, 11)
        assert [steps.compile(batch) for batch in batches] == expected
        assert all(np.isfinite(steps([batch], RATES[:1])["loss"]) for batch in batches)


def test_a_call_takes_neighbours_of_one_shape_and_ends_in_the_same_places_for_a_run_that_goes_on():
    batches = draw(*[B] * 4, *[3] * 5, *[B] * 4)
    whole = [[shapes(batch)[0][0] for batch in call] for call in gather(batches, 0, 5)]
    assert whole == [[B] * 4, [3], [3] * 4, [B], [B] * 3]
    for done in (4, 5, 9):
        rest = list(gather(batches[done:], done, 5))
        assert [len(call) for call in rest] == [len(call) for call in whole][-len(rest) :]


def test_batches_may_be_arrays_tuples_or_dicts():
    x, y = draw(3)[0]
    assert shapes(x) == [(3, D)]
    assert shapes({"x": x, "rest": (y, x)}) == [(3, U), (3, D), (3, D)]
    assert [Squares().count(batch) for batch in (x, (x, y), {"x": (x, y)})] == [3, 3, 3]


def test_state_of_another_network_is_refused(keras):
    model, other = build(keras), build(keras, units=3)
    with pytest.raises(ValueError, match=r"must have the shape .* Received: \("):
        write_state(model, keras.optimizers.Adam(), read_state(other, keras.optimizers.Adam()))
    with pytest.raises(ValueError, match="Received: nothing"):
        write_state(model, keras.optimizers.Adam(), {})
