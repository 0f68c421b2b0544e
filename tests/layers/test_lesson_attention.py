"""The NumPy oracle that checks the lesson's layer agrees with Keras' own layer."""

import keras
import numpy as np
import pytest

from llmcourse.checking.lessons import load_lesson


@pytest.mark.parametrize("masked", [False, True])
def test_the_oracle_of_the_lesson_is_keras_multi_head_attention(masked):
    criterion = load_lesson("attention").criteria["MultiHeadAttention"][0]
    oracle = criterion.function.__globals__
    rng = np.random.default_rng(0)
    sizes = {"D": 13, "H": 3, "K": 5}
    query, value, key = (rng.normal(size=(2, length, 13)).astype("float32") for length in (7, 11, 11))
    layer = keras.layers.MultiHeadAttention(num_heads=3, key_dim=5)
    layer(query, value, key)
    variables = oracle["draw_variables"](rng, sizes)
    layer.set_weights(variables)
    mask = oracle["draw_mask"](rng, 2, 1, 7, 11) if masked else None
    attention_mask = None if mask is None else np.broadcast_to(mask, (2, 3, 7, 11))
    expected = layer(query, value, key, attention_mask=attention_mask, return_attention_scores=True)
    received = oracle["multi_head"](variables, query, value, key, mask)
    for ours, theirs in zip(received, expected, strict=True):
        np.testing.assert_allclose(ours, keras.ops.convert_to_numpy(theirs), atol=1e-5)
