import numpy as np
import pytest

from llmcourse.models.cnn import build_small_cnn
from llmcourse.runtime import load_keras
from llmcourse.training.loop import make_predict, make_train_steps, read_state, write_state

STEPS, B, HEIGHT, WIDTH, C = 3, 5, 11, 13, 7


@pytest.fixture(scope="module")
def keras():
    return load_keras()


@pytest.fixture
def model(keras):
    keras.utils.set_random_seed(2)
    return build_small_cnn((2, 3), dropout=0.4, strides=(2, 1), input_shape=(HEIGHT, WIDTH, 1), classes=C)


@pytest.fixture
def batches():
    rng = np.random.default_rng(5)
    images = rng.integers(0, 256, (STEPS, B, HEIGHT, WIDTH), dtype=np.uint8)
    return images, rng.integers(C, size=(STEPS, B)), np.full(STEPS, 0.01, np.float32)


def test_many_steps_in_one_call_are_the_steps_one_by_one(keras, model, batches):
    optimizer = keras.optimizers.Adam()
    train_steps = make_train_steps(model, optimizer, batch_size=B)
    start = read_state(model, optimizer)
    loss, accuracy = train_steps(*batches)
    together = read_state(model, optimizer)
    write_state(model, optimizer, start)
    alone = [train_steps(*(part[step : step + 1] for part in batches)) for step in range(STEPS)]
    np.testing.assert_allclose(loss, np.mean([one[0] for one in alone]), rtol=1e-6)
    np.testing.assert_allclose(accuracy, np.mean([one[1] for one in alone]), rtol=1e-6)
    for name, array in read_state(model, optimizer).items():
        np.testing.assert_array_equal(array, together[name], err_msg=name)
        if name.startswith("optimizer") or "model/000" in name:
            assert (array != start[name]).any() or array.size == 1, name


def test_the_loss_is_the_cross_entropy_of_smoothed_labels(keras, model, batches):
    images, labels, rates = (part[:1] for part in batches)
    model.layers[-2].rate = 0  # dropout would hide what the loss is computed from
    logits = np.asarray(model(images[0][..., None].astype(np.float32) / 255, training=True)).astype(np.float64)
    log_probability = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    targets = np.full((B, C), 0.2 / C)
    targets[np.arange(B), labels[0]] += 0.8
    train_steps = make_train_steps(model, keras.optimizers.SGD(), batch_size=B, label_smoothing=0.2)
    loss, accuracy = train_steps(images, labels, rates)
    np.testing.assert_allclose(loss, -(targets * log_probability).sum(axis=1).mean(), rtol=1e-5)
    np.testing.assert_allclose(accuracy, np.mean(logits.argmax(axis=1) == labels[0]))


def test_each_step_takes_its_own_rate(keras, model, batches):
    images, labels, _ = batches
    optimizer = keras.optimizers.SGD()
    train_steps = make_train_steps(model, optimizer, batch_size=B)
    before = read_state(model, optimizer)
    train_steps(images, labels, np.zeros(STEPS, np.float32))
    np.testing.assert_array_equal(read_state(model, optimizer)["model/000"], before["model/000"])
    train_steps(images, labels, np.array([0, 0, 0.5], np.float32))
    assert (read_state(model, optimizer)["model/000"] != before["model/000"]).any()
    assert float(optimizer.learning_rate.numpy()) == 0.5


def test_predictions_do_not_depend_on_the_batches(model, monkeypatch):
    images = np.random.default_rng(3).integers(0, 256, (11, HEIGHT, WIDTH), dtype=np.uint8)
    expected = np.asarray(model(images[..., None].astype(np.float32) / 255))
    monkeypatch.setattr("llmcourse.training.loop.PREDICT_BATCH", 3)
    predict = make_predict(model)
    np.testing.assert_allclose(predict(images), expected, atol=1e-5)
    assert predict(images[:0]).shape == (0, C)


def test_state_of_another_network_is_refused(keras, model):
    other = build_small_cnn((2, 5), dropout=0.4, strides=(2, 1), input_shape=(HEIGHT, WIDTH, 1), classes=C)
    with pytest.raises(ValueError, match=r"must have the shape .* Received: \("):
        write_state(model, keras.optimizers.Adam(), read_state(other, keras.optimizers.Adam()))
    with pytest.raises(ValueError, match="Received: nothing"):
        write_state(model, keras.optimizers.Adam(), {})
