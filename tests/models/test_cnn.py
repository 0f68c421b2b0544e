"""The convolutional networks: shapes, sizes, what changes in training, and a look at each layer."""

import subprocess
import sys

import numpy as np
import pytest

from llmcourse.models.cnn import build_classic_cnn, build_small_cnn

BUILDERS = [build_small_cnn, build_classic_cnn]


def test_import_loads_no_framework():
    code = "import sys, llmcourse.models.cnn; sys.exit(any(m in sys.modules for m in ('keras', 'tensorflow')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("build", BUILDERS)
def test_the_outputs_are_logits_one_for_each_class(build):
    model = build(classes=7, input_shape=(23, 19, 2))
    images = np.random.default_rng(0).uniform(size=(5, 23, 19, 2)).astype(np.float32)
    logits = np.asarray(model(images))
    assert logits.shape == (5, 7)
    assert (logits < 0).any()
    assert np.abs(logits.sum(axis=1) - 1).min() > 1e-3


def test_the_numbers_of_parameters_are_those_of_the_docstrings():
    small, classic = build_small_cnn(), build_classic_cnn()
    assert small.count_params() == 25 * 16 + 9 * 16 * 32 + 9 * 32 * 64 + 4 * (16 + 32 + 64) + 1024 * 10 + 10 == 34_138
    assert classic.count_params() == 225_034
    assert small.input_shape == classic.input_shape == (None, 28, 28, 1)


def test_a_stride_of_2_halves_height_and_width_and_1_keeps_them():
    model = build_small_cnn((2, 3, 5), strides=(2, 1, 2))
    shapes = [layer.output.shape[1:] for layer in model.layers if layer.__class__.__name__ == "Conv2D"]
    assert shapes == [(14, 14, 2), (14, 14, 3), (7, 7, 5)]


def test_the_normalisation_forgets_the_first_steps_within_a_short_training():
    model = build_small_cnn((2,), strides=(2,))
    (norm,) = (layer for layer in model.layers if layer.__class__.__name__ == "BatchNormalization")
    assert norm.momentum == 0.9


@pytest.mark.parametrize("build", BUILDERS)
def test_dropout_acts_in_training_only(build):
    model = build(dropout=0.5)
    images = np.random.default_rng(0).uniform(size=(3, 28, 28, 1)).astype(np.float32)
    np.testing.assert_array_equal(model(images), model(images))
    assert np.abs(np.asarray(model(images, training=True)) - np.asarray(model(images, training=True))).max() > 1e-3


@pytest.mark.parametrize("build", BUILDERS)
def test_the_configuration_makes_the_same_network(build):
    import keras

    model = build(dropout=0.25)
    copy = keras.Sequential.from_config(model.get_config())
    copy.set_weights(model.get_weights())
    images = np.random.default_rng(0).uniform(size=(3, 28, 28, 1)).astype(np.float32)
    np.testing.assert_array_equal(model(images), copy(images))


@pytest.mark.parametrize(
    "wrong",
    [
        {"filters": ()},
        {"filters": (2, 0, 3)},
        {"strides": (2, 2)},
        {"strides": (2, 0, 2)},
        {"dropout": 1.0},
        {"dropout": -0.1},
    ],
)
def test_wrong_numbers_are_refused(wrong):
    with pytest.raises(ValueError, match="Received: "):
        build_small_cnn(**wrong)
    if "dropout" in wrong:
        with pytest.raises(ValueError, match="Received: "):
            build_classic_cnn(**wrong)
