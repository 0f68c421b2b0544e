"""The functions of the second lesson: against plain loops, against Keras and against scikit-learn."""

import doctest
import subprocess
import sys

import numpy as np
import pytest

from llmcourse.steps import cnn as convolution

# NumPy 2 says this of Keras' own code whenever a model is saved.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

N, CHANNELS, F = 2, 3, 5


@pytest.fixture
def rng():
    return np.random.default_rng(20)


def test_import_loads_no_framework():
    code = (
        "import sys, llmcourse.steps.cnn;"
        "sys.exit(any(name in sys.modules for name in ('keras', 'tensorflow', 'sklearn')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_doctests_pass():
    assert doctest.testmod(convolution).failed == 0


def test_prepare_scales_adds_a_channel_and_writes_one_hot_rows(rng):
    images = rng.integers(0, 200, size=(3, 7, 5), dtype=np.uint8)
    before = images.copy()
    x, y = convolution.prepare(images, np.array([9, 0, 4], dtype=np.uint8))
    assert x.shape == (3, 7, 5, 1) and x.dtype == y.dtype == np.float32
    np.testing.assert_allclose(x[..., 0] * 255, images, atol=1e-4)
    assert y.tolist() == [[0] * 9 + [1], [1] + [0] * 9, [0] * 4 + [1] + [0] * 5]
    np.testing.assert_array_equal(images, before)


@pytest.mark.parametrize(
    ("images", "labels", "words"),
    [
        (np.zeros((3, 7, 5)), np.zeros(3, dtype=int), "uint8"),
        (np.zeros((3, 7, 5, 1), dtype=np.uint8), np.zeros(3, dtype=int), "N, height, width"),
        (np.zeros((3, 7, 5), dtype=np.uint8), np.zeros(2, dtype=int), r"Received.*\(2,\)"),
        (np.zeros((2, 7, 5), dtype=np.uint8), np.array([0, 10]), "from 0 to 9.*Received: 0 to 10"),
        (np.zeros((2, 7, 5), dtype=np.uint8), np.array([0, -1]), "Received: -1 to 0"),
    ],
)
def test_prepare_refuses_what_is_not_bytes_with_labels(images, labels, words):
    with pytest.raises(ValueError, match=words):
        convolution.prepare(images, labels)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("window", [(1, 1), (2, 3), (3, 2), (4, 5), (5, 4)])
def test_conv2d_is_the_convolution_of_keras(rng, padding, stride, window):
    from llmcourse.runtime import load_keras

    keras = load_keras()
    for height, width in ((7, 11), (8, 9), (5, 6)):
        x = rng.normal(size=(N, height, width, CHANNELS)).astype(np.float32)
        kernel = rng.normal(size=(*window, CHANNELS, F)).astype(np.float32)
        expected = np.asarray(keras.ops.conv(x, kernel, strides=stride, padding=padding, data_format="channels_last"))
        result = convolution.conv2d(x, kernel, stride, padding)
        assert result.dtype == np.float32
        np.testing.assert_allclose(result, expected, atol=1e-4)


def test_conv2d_is_the_sum_of_products_under_each_window(rng):
    x, kernel = rng.normal(size=(N, 7, 11, CHANNELS)), rng.normal(size=(2, 3, CHANNELS, F))
    result = convolution.conv2d(x, kernel, stride=2)
    for row in range(3):
        for column in range(5):
            window = x[:, 2 * row : 2 * row + 2, 2 * column : 2 * column + 3]
            expected = np.einsum("nijd,ijdf->nf", window, kernel)
            np.testing.assert_allclose(result[:, row, column], expected, atol=1e-12)


@pytest.mark.parametrize(
    ("x", "kernel", "more", "words"),
    [
        ((2, 7, 5), (3, 3, 1, 2), {}, "N, height, width, channels"),
        ((2, 7, 5, 3), (3, 3, 2, 5), {}, r"Received: \(2, 7, 5, 3\) and \(3, 3, 2, 5\)"),
        ((2, 7, 5, 3), (3, 3, 3, 5), {"stride": 0}, "stride must be at least 1"),
        ((2, 7, 5, 3), (3, 3, 3, 5), {"padding": "full"}, "Received: stride=1, padding='full'"),
        ((2, 7, 5, 3), (3, 6, 3, 5), {}, r"must fit into the image.*Received: \(3, 6\) in \(7, 5\)"),
    ],
)
def test_conv2d_names_what_does_not_fit(x, kernel, more, words):
    with pytest.raises(ValueError, match=words):
        convolution.conv2d(np.zeros(x), np.zeros(kernel), **more)


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_max_pool2d_is_the_pooling_of_keras(rng, size):
    from llmcourse.runtime import load_keras

    x = (rng.normal(size=(N, 7, 11, CHANNELS)) - 9).astype(np.float32)  # all negative: a padded zero would win
    expected = np.asarray(load_keras().ops.max_pool(x, size, data_format="channels_last"))
    np.testing.assert_array_equal(convolution.max_pool2d(x, size), expected)


@pytest.mark.parametrize(("shape", "size"), [((7, 11, 3), 2), ((2, 7, 11, 3), 8), ((2, 7, 11, 3), 0)])
def test_max_pool2d_refuses_what_it_cannot_pool(shape, size):
    with pytest.raises(ValueError, match=rf"Received: .* and size={size}"):
        convolution.max_pool2d(np.zeros(shape), size)


def draw_answers(rng, classes, samples):
    return rng.integers(classes, size=samples), rng.integers(classes, size=samples)


def test_confusion_matrix_is_that_of_scikit_learn(rng):
    from sklearn import metrics

    labels, predictions = draw_answers(rng, 5, 211)
    labels[labels == 3] = 1  # class 3 never occurs
    expected = metrics.confusion_matrix(labels, predictions, labels=range(7))
    result = convolution.confusion_matrix(labels, predictions, 7)
    assert result.dtype.kind == "i"
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize(
    ("labels", "predictions"), [([0, 1], [0, 1, 1]), ([[0, 1]], [[0, 1]]), ([0, 3], [0, 1]), ([0, 1], [0, -1])]
)
def test_confusion_matrix_refuses_labels_that_do_not_fit(labels, predictions):
    with pytest.raises(ValueError, match="Received"):
        convolution.confusion_matrix(np.array(labels), np.array(predictions), 3)


def test_precision_recall_f1_are_those_of_scikit_learn(rng):
    from sklearn import metrics

    for samples in (3, 11, 211):  # with few samples many a fraction is 0/0
        labels, predictions = draw_answers(rng, 7, samples)
        expected = metrics.precision_recall_fscore_support(labels, predictions, labels=range(7), zero_division=0)
        result = convolution.precision_recall_f1(convolution.confusion_matrix(labels, predictions, 7))
        np.testing.assert_allclose(result, np.stack(expected[:3], axis=1), atol=1e-12)


@pytest.mark.parametrize("shape", [(3,), (3, 2), (2, 3, 3)])
def test_precision_recall_f1_wants_a_square(shape):
    with pytest.raises(ValueError, match=r"shape \(C, C\). Received"):
        convolution.precision_recall_f1(np.ones(shape, dtype=int))


@pytest.fixture
def problem(rng):
    """Draw four patterns in noise; many labels for validation are wrong, so that the best epoch is not the last."""
    patterns, labels = rng.integers(2, size=(4, 5, 7, 1)), rng.integers(4, size=640)
    x = (patterns[labels] + rng.normal(scale=0.2, size=(640, 5, 7, 1))).astype(np.float32)
    labels[320:510] = (labels[320:510] + 1) % 4
    y = np.eye(4, dtype=np.float32)[labels]
    return x[:320], y[:320], x[320:], y[320:]


def linear_model(seed=0):
    from llmcourse.runtime import load_keras

    keras = load_keras()
    keras.utils.set_random_seed(seed)
    return keras.Sequential([keras.Input((5, 7, 1)), keras.layers.Flatten(), keras.layers.Dense(4)])


def test_train_and_save_keeps_the_best_epoch(problem, tmp_path):
    model, path = linear_model(), tmp_path / "best.keras"
    history = convolution.train_and_save(model, *problem, path, epochs=30, learning_rate=0.01, patience=4)
    losses = history["val_loss"]
    assert set(history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert len({len(values) for values in history.values()}) == 1 and np.argmin(losses) + 5 == len(losses) < 30
    import keras

    loaded = keras.saving.load_model(path)
    x, y = problem[2:]
    np.testing.assert_array_equal(loaded(x), model(x))
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    assert float(loss(y, loaded(x))) == pytest.approx(min(losses), abs=1e-5)


def test_train_and_save_refuses_a_wrong_name_and_missing_labels(problem, tmp_path):
    with pytest.raises(ValueError, match="must end with .keras"):
        convolution.train_and_save(linear_model(), *problem, tmp_path / "best.h5")
    x_train, y_train, x_val, y_val = problem
    with pytest.raises(ValueError, match="each image must have a label"):
        convolution.train_and_save(linear_model(), x_train, y_train[:7], x_val, y_val, tmp_path / "best.keras")


def test_gradients_of_convolution_and_pooling_match_central_differences():
    from llmcourse.steps import cnn
    from llmcourse.steps.backprop import gradient_check

    rng = np.random.default_rng(11)
    params = {"x": rng.normal(size=(2, 5, 7, 3)), "kernel": rng.normal(size=(3, 2, 3, 4))}
    upstream = rng.normal(size=cnn.conv2d(**params).shape)
    grads = dict(zip(("x", "kernel"), cnn.conv2d_backward(upstream, **params), strict=True))
    assert gradient_check(lambda p: (cnn.conv2d(p["x"], p["kernel"]) * upstream).sum(), params, grads) < 1e-6
    x = {"x": rng.normal(size=(2, 5, 7, 3))}
    upstream = rng.normal(size=(2, 2, 3, 3))
    grads = {"x": cnn.max_pool2d_backward(upstream, x["x"], 2)}
    assert gradient_check(lambda p: (cnn.max_pool2d(p["x"], 2) * upstream).sum(), x, grads) < 1e-6
    assert not grads["x"][:, 4:].any()
    assert not grads["x"][:, :, 6:].any()
    with pytest.raises(ValueError, match=r"must have the shape \(2, 3, 6, 4\)"):
        cnn.conv2d_backward(upstream, **params)
