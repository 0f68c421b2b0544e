import doctest

import keras
import numpy as np
import pytest
from keras import ops

from llmcourse.layers import (
    EncoderLayer,
    MultiHeadAttention,
    attention,
    causal_mask,
    combine_masks,
    masks,
    padding_mask,
    positional,
    segment_mask,
)


@pytest.mark.parametrize("module", [masks, attention, positional])
def test_the_examples_of_the_docstrings_are_right(module):
    results = doctest.testmod(module, extraglobs={"np": np})
    assert results.failed == 0 and results.attempted >= 1


@pytest.mark.backends
def test_padding_mask_is_true_for_real_tokens():
    mask = ops.convert_to_numpy(padding_mask(np.array([[5, 6, 0, 0, 0], [7, 8, 9, 1, 0]])))
    assert mask.shape == (2, 1, 1, 5) and mask.dtype == bool
    assert mask[:, 0, 0].sum(axis=1).tolist() == [2, 4]
    assert mask[0, 0, 0].tolist() == [True, True, False, False, False]


def test_padding_mask_requires_two_axes():
    with pytest.raises(ValueError, match=r"shape \(B, S\). Received: \(3,\)"):
        padding_mask(np.array([1, 2, 0]))


@pytest.mark.backends
@pytest.mark.parametrize("length", [1, 2, 7])
def test_causal_mask_allows_each_position_and_the_earlier_ones(length):
    mask = ops.convert_to_numpy(causal_mask(length))
    assert mask.dtype == bool
    np.testing.assert_array_equal(mask, np.tril(np.ones((1, 1, length, length), dtype=bool)))


@pytest.mark.backends
def test_combined_masks_allow_what_all_allow():
    padding = padding_mask(np.array([[4, 0, 0], [4, 5, 0]]))
    combined = ops.convert_to_numpy(combine_masks(None, causal_mask(3), None, padding))
    expected = np.tril(np.ones((3, 3), dtype=bool)) & ops.convert_to_numpy(padding)
    np.testing.assert_array_equal(combined, expected)
    assert combined.shape == (2, 1, 3, 3)


def test_no_masks_combine_to_none():
    assert combine_masks() is None
    assert combine_masks(None, None) is None


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.ones((2, 1, 1, 5), dtype="float32"), "boolean.*dtype float32"),
        (np.ones((2, 1, 1, 5), dtype="int32"), "boolean.*dtype int32"),
        (np.ones((2, 5), dtype=bool), r"4 axes.*Received: shape \(2, 5\)"),
        (np.ones((2, 3, 5), dtype=bool), r"4 axes.*Received: shape \(2, 3, 5\)"),
        (np.ones((1, 1, 5, 3), dtype=bool), r"broadcast.*Received: shape \(1, 1, 5, 3\)"),
    ],
)
def test_a_mask_of_another_kind_is_refused(mask, message):
    query, value = np.ones((2, 3, 7), dtype="float32"), np.ones((2, 5, 7), dtype="float32")
    with pytest.raises(ValueError, match=message):
        MultiHeadAttention(2, 3)(query, value, mask=mask)


@pytest.mark.filterwarnings("ignore:Layer .* was passed an input with a mask")
def test_an_implicit_mask_of_keras_is_refused_and_not_lost():
    x = keras.layers.Embedding(11, 6, mask_zero=True)(np.array([[3, 4, 0]]))
    with pytest.raises(ValueError, match="Received: shape"):
        EncoderLayer(6, 2, 5)(x)
    with pytest.raises(ValueError, match="Received: an input with a Keras mask"):
        MultiHeadAttention(2, 3)(x, x)


def test_no_mask_is_hung_on_the_output():
    x = np.ones((2, 3, 6), dtype="float32")
    y = EncoderLayer(6, 2, 5)(x, mask=padding_mask(np.array([[3, 4, 0], [3, 0, 0]])))
    assert getattr(y, "_keras_mask", None) is None


@pytest.mark.backends
def test_a_segment_mask_keeps_sentences_apart_and_padding_alone():
    queries, keys = np.array([[1, 1, 2, 0]]), np.array([[1, 2, 2, 0, 0]])
    mask = ops.convert_to_numpy(segment_mask(queries, keys))
    assert mask.shape == (1, 1, 4, 5) and mask.dtype == bool
    for place, query in enumerate(queries[0]):
        assert mask[0, 0, place].tolist() == [bool(query == key != 0) for key in keys[0]]


def test_segments_require_two_axes():
    with pytest.raises(ValueError, match=r"shapes \(B, T\) and \(B, S\). Received: \(3,\) and \(3,\)"):
        segment_mask(np.array([1, 2, 0]))
