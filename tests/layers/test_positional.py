import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from llmcourse.layers import PositionalEncoding, positional_encoding, segment_positions


def oracle(length, d_model):
    code = np.zeros((length, d_model))
    for position in range(length):
        for column in range(d_model):
            angle = position / 10000 ** ((column - column % 2) / d_model)
            code[position, column] = np.cos(angle) if column % 2 else np.sin(angle)
    return code


@pytest.mark.backends
@pytest.mark.parametrize(("length", "d_model"), [(1, 2), (11, 6), (53, 14)])
def test_values_are_those_of_the_formula(length, d_model):
    code = ops.convert_to_numpy(positional_encoding(length, d_model))
    assert code.dtype == np.float32
    np.testing.assert_allclose(code, oracle(length, d_model), atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(shift=st.integers(0, 60))
def test_a_shift_is_one_linear_map_for_all_positions(shift):
    code = ops.convert_to_numpy(positional_encoding(90, 10)).astype("float64")
    linear_map = np.linalg.pinv(code[:20]) @ code[shift : shift + 20]
    np.testing.assert_allclose(code[:29] @ linear_map, code[shift : shift + 29], atol=5e-3)


@pytest.mark.backends
def test_a_start_continues_the_sequence():
    whole = ops.convert_to_numpy(positional_encoding(11, 6))
    np.testing.assert_allclose(ops.convert_to_numpy(positional_encoding(4, 6, start=7)), whole[7:], atol=1e-6)


@pytest.mark.parametrize("d_model", [7, 0, -2])
def test_an_odd_width_is_refused(d_model):
    with pytest.raises(ValueError, match=f"even.*Received: {d_model}"):
        positional_encoding(3, d_model)


def test_the_layer_adds_the_codes():
    x = np.random.default_rng(0).normal(size=(2, 11, 6)).astype("float32")
    received = ops.convert_to_numpy(PositionalEncoding()(x))
    np.testing.assert_allclose(received, x + oracle(11, 6), atol=1e-5)


def test_half_precision_keeps_the_positions_exact_until_they_are_added():
    # 257 has no bfloat16 of its own: positions counted in 16 bits would collide.
    layer = PositionalEncoding(dtype="mixed_bfloat16")
    received = ops.convert_to_numpy(ops.cast(layer(np.zeros((1, 301, 6), dtype="float32")), "float32"))
    np.testing.assert_allclose(received[0], oracle(301, 6), atol=5e-3)


def test_the_config_round_trips():
    layer = PositionalEncoding(name="places")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert isinstance(again, PositionalEncoding) and again.name == "places"


@pytest.mark.backends
def test_positions_begin_anew_in_each_segment():
    segments = np.array([[1, 1, 1, 2, 2, 0, 0], [1, 2, 2, 2, 3, 3, 0]])
    received = ops.convert_to_numpy(segment_positions(segments))
    assert received.tolist() == [[0, 1, 2, 0, 1, 0, 1], [0, 0, 1, 2, 0, 1, 0]]
    x = np.random.default_rng(0).normal(size=(2, 7, 6)).astype("float32")
    added = ops.convert_to_numpy(PositionalEncoding()(x, segments=segments))
    np.testing.assert_allclose(added, x + oracle(7, 6)[received], atol=1e-5)
