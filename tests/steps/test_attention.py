import keras
import numpy as np
import pytest

from llmcourse.steps.attention import merge_heads, softmax, split_heads


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_softmax_sums_to_one_along_any_axis(axis):
    scores = np.random.default_rng(0).normal(size=(2, 3, 5)).astype("float32")
    odds = np.exp(scores.astype("float64"))
    np.testing.assert_allclose(softmax(scores, axis), odds / odds.sum(axis=axis, keepdims=True), atol=1e-6)


@pytest.mark.backends
def test_softmax_survives_huge_scores():
    scores = np.array([[1e4, -1e4, 0.0], [-1e4, -1e4, -1e4]], dtype="float32")
    np.testing.assert_allclose(softmax(scores), [[1, 0, 0], [1 / 3, 1 / 3, 1 / 3]], atol=1e-6)


@pytest.mark.backends
def test_each_head_gets_its_own_piece():
    x = np.random.default_rng(0).normal(size=(2, 5, 21)).astype("float32")
    heads = split_heads(x, 3)
    assert tuple(heads.shape) == (2, 3, 5, 7)
    for head in range(3):
        np.testing.assert_array_equal(np.asarray(heads)[:, head], x[:, :, 7 * head : 7 * (head + 1)])
    np.testing.assert_array_equal(merge_heads(heads), x)


@pytest.mark.parametrize("num_heads", [0, 2, 5, 22])
def test_a_width_that_cannot_be_shared_out_is_refused(num_heads):
    with pytest.raises(ValueError, match="Received: 21"):
        split_heads(np.zeros((2, 5, 21), "float32"), num_heads)


def test_sizes_may_be_unknown_in_a_model():
    class ThereAndBack(keras.layers.Layer):
        def call(self, x):
            return merge_heads(split_heads(x, 3))

    inputs = keras.Input((None, 6))
    model = keras.Model(inputs, ThereAndBack()(inputs))
    x = np.random.default_rng(0).normal(size=(7, 5, 6)).astype("float32")
    np.testing.assert_array_equal(model.predict(x, verbose=0), x)
