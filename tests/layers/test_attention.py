import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from llmcourse.layers import MultiHeadAttention, causal_mask, combine_masks, padding_mask, scaled_dot_product_attention

B, H, T, S, K, E, D = 2, 3, 5, 7, 11, 13, 17


def draw(*shape, seed=0, scale=1.0):
    return (scale * np.random.default_rng(seed).normal(size=shape)).astype("float32")


def oracle(query, key, value, mask):
    """The formula, one query at a time, in float64."""
    query, key, value = (np.asarray(x, dtype="float64") for x in (query, key, value))
    batch, heads, length, width = query.shape
    weights = np.zeros((batch, heads, length, key.shape[2]))
    mask = np.broadcast_to(True if mask is None else mask, weights.shape)
    for place in np.ndindex(batch, heads, length):
        scores = key[place[:2]] @ query[place] / np.sqrt(width)
        allowed = mask[place]
        if allowed.any():
            powers = np.where(allowed, np.exp(scores - scores[allowed].max()), 0)
            weights[place] = powers / powers.sum()
    return weights @ value, weights


def masks(source=S, target=T, heads=H):
    rng = np.random.default_rng(5)
    ids = np.where(np.arange(source) < np.array([[source - 2], [source - 1]]), 4, 0)
    padding = ops.convert_to_numpy(padding_mask(ids))
    causal = np.arange(target)[:, None] >= np.arange(source)[None, :]
    per_head = rng.random((B, heads, target, source)) < 0.6
    per_head[..., 0] = True
    return {
        "none": None,
        "padding": padding,
        "causal": causal[None, None],
        "both": padding & causal[None, None],
        "per head": per_head,
    }


@pytest.mark.backends
@pytest.mark.parametrize("kind", masks())
def test_attention_equals_the_oracle(kind):
    query, key, value = draw(B, H, T, K, seed=1), draw(B, H, S, K, seed=2), draw(B, H, S, E, seed=3)
    output, weights = scaled_dot_product_attention(query, key, value, masks()[kind])
    expected_output, expected_weights = oracle(query, key, value, masks()[kind])
    np.testing.assert_allclose(ops.convert_to_numpy(weights), expected_weights, atol=1e-5)
    np.testing.assert_allclose(ops.convert_to_numpy(output), expected_output, atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(data=st.data(), scale=st.sampled_from([0.1, 1.0, 30.0, 1e4]))
def test_each_row_of_weights_sums_to_one_or_is_zero_where_no_key_is_allowed(data, scale):
    seed = data.draw(st.integers(0, 10**6))
    mask = np.random.default_rng(seed).random((B, 1, T, S)) < data.draw(st.sampled_from([0.0, 0.2, 0.6, 1.0]))
    query, key = draw(B, H, T, K, seed=seed, scale=scale), draw(B, H, S, K, seed=seed + 1)
    _, weights = scaled_dot_product_attention(query, key, key, mask)
    weights = ops.convert_to_numpy(weights)
    assert (weights >= 0).all()
    assert (weights[~np.broadcast_to(mask, weights.shape)] == 0).all()
    np.testing.assert_allclose(weights.sum(axis=-1), np.broadcast_to(mask.any(axis=-1), (B, H, T)), atol=1e-5)


def test_one_key_gets_all_the_weight():
    _, weights = scaled_dot_product_attention(draw(B, H, T, K), draw(B, H, 1, K), draw(B, H, 1, E))
    np.testing.assert_array_equal(ops.convert_to_numpy(weights), np.ones((B, H, T, 1)))


def test_queries_and_keys_of_different_widths_are_refused():
    with pytest.raises(ValueError, match=r"\(B, H, T, K\).*Received: .*11.*13"):
        scaled_dot_product_attention(draw(B, H, T, 11), draw(B, H, S, 13), draw(B, H, S, E))


def both_layers(key_width=D, dropout=0.0, use_bias=True):
    """Ours and Keras' layer, with the same weights (biases too, which start at zero)."""
    ours, theirs = MultiHeadAttention(H, K, dropout, use_bias), keras.layers.MultiHeadAttention(H, K, use_bias=use_bias)
    ours.build((B, T, D), (B, S, D), (B, S, key_width))
    theirs.build((B, T, D), (B, S, D), (B, S, key_width))
    ours.set_weights([draw(*w.shape, seed=i, scale=0.4) for i, w in enumerate(ours.weights)])
    theirs.set_weights(ours.get_weights())
    return ours, theirs


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("return_scores", [False, True])
@pytest.mark.parametrize("kind", masks())
def test_the_layer_equals_that_of_keras(kind, return_scores, training):
    ours, theirs = both_layers()
    query, value, mask = draw(B, T, D, seed=1), draw(B, S, D, seed=2), masks()[kind]
    received = ours(query, value, mask=mask, return_scores=return_scores, training=training)
    their_mask = None if mask is None else np.broadcast_to(mask, (B, H, T, S))
    expected = theirs(query, value, attention_mask=their_mask, return_attention_scores=return_scores, training=training)
    for ours_part, their_part in zip(as_tuple(received), as_tuple(expected), strict=True):
        np.testing.assert_allclose(ops.convert_to_numpy(ours_part), ops.convert_to_numpy(their_part), atol=1e-5)


def as_tuple(result):
    return result if isinstance(result, tuple) else (result,)


@pytest.mark.backends
def test_the_layer_equals_that_of_keras_with_a_key_of_its_own_and_without_bias():
    ours, theirs = both_layers(key_width=19, use_bias=False)
    query, value, key = draw(B, T, D, seed=1), draw(B, S, D, seed=2), draw(B, S, 19, seed=3)
    received, expected = ours(query, value, key), theirs(query, value, key)
    np.testing.assert_allclose(ops.convert_to_numpy(received), ops.convert_to_numpy(expected), atol=1e-5)


def test_weights_copy_in_both_directions():
    ours, theirs = both_layers()
    shapes = [(D, H, K), (H, K)] * 3 + [(H, K, D), (D,)]
    assert [tuple(w.shape) for w in ours.weights] == [tuple(w.shape) for w in theirs.weights] == shapes
    theirs.set_weights([w + 1 for w in theirs.get_weights()])
    ours.set_weights(theirs.get_weights())
    for mine, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, other)


def test_kernels_start_with_the_variance_of_glorot():
    layer = MultiHeadAttention(4, 8)
    layer.build((None, None, 64), (None, None, 64))
    query, output = layer.query_kernel, layer.output_kernel
    assert np.std(query.numpy()) == pytest.approx(np.sqrt(2 / (64 + 32)), rel=0.05)
    assert np.std(output.numpy()) == pytest.approx(np.sqrt(2 / (64 + 32)), rel=0.05)
    assert not np.array_equal(layer.get_weights()[0], layer.get_weights()[2])


@pytest.mark.parametrize("return_scores", [False, True])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_a_changed_token_changes_nothing_before_it(dropout, return_scores):
    # Keras once dropped the causal mask with dropout on or scores returned: keras#23038.
    layer, _ = both_layers(dropout=dropout)
    x = draw(B, T, D, seed=1)

    def attend(x):
        restart_dropout(layer)
        result = layer(x, x, mask=causal_mask(T), return_scores=return_scores, training=dropout > 0)
        return [ops.convert_to_numpy(part) for part in as_tuple(result)]

    before = attend(x)
    for t in range(1, T):
        changed = x.copy()
        changed[:, t:] += 3.0
        after = attend(changed)
        np.testing.assert_allclose(after[0][:, :t], before[0][:, :t], atol=1e-6)
        assert np.abs(after[0][:, t] - before[0][:, t]).max() > 1e-2
        if return_scores:
            np.testing.assert_allclose(after[1][:, :, :t], before[1][:, :, :t], atol=1e-6)


def restart_dropout(layer):
    keras.utils.set_random_seed(0)  # PyTorch's dropout has no other seed
    for variable in layer.non_trainable_variables:
        if "seed" in variable.path:
            variable.assign(np.array([3, 5], dtype="uint32"))


def test_dropout_acts_on_the_weights_in_training_only():
    layer, _ = both_layers(dropout=0.5)
    x = draw(B, T, D)
    plain, trained = layer(x, x), layer(x, x, training=True)
    np.testing.assert_array_equal(ops.convert_to_numpy(plain), ops.convert_to_numpy(layer(x, x)))
    assert np.abs(ops.convert_to_numpy(plain) - ops.convert_to_numpy(trained)).max() > 1e-2


def test_padding_does_not_change_what_real_tokens_get():
    layer, _ = both_layers()
    query, value = draw(B, T, D, seed=1), draw(B, S, D, seed=2)
    padded = np.concatenate([value, draw(B, 3, D, seed=4, scale=50)], axis=1)
    ids = np.array([[4] * S + [0] * 3] * B)
    received = layer(query, padded, mask=padding_mask(ids))
    np.testing.assert_allclose(ops.convert_to_numpy(received), ops.convert_to_numpy(layer(query, value)), atol=1e-5)


@pytest.mark.backends
def test_a_fully_masked_row_has_zero_weights_a_finite_output_and_finite_gradients():
    layer, _ = both_layers()
    mask = np.ones((B, 1, T, S), dtype=bool)
    mask[0] = False
    mask[1, :, 2] = False
    output, weights = layer(draw(B, T, D), draw(B, S, D, seed=1), mask=mask, return_scores=True)
    weights, output = ops.convert_to_numpy(weights), ops.convert_to_numpy(output)
    assert (weights[0] == 0).all() and (weights[1, :, 2] == 0).all() and np.isfinite(output).all()
    np.testing.assert_allclose(weights[1].sum(axis=-1)[:, 3], 1, atol=1e-5)
    bias = layer.get_weights()[-1]  # nothing was attended to: of the output only the bias is left
    np.testing.assert_allclose(output[0], np.broadcast_to(bias, (T, D)), atol=1e-6)
    for name, gradient in gradients_through(layer, mask).items():
        assert np.isfinite(gradient).all(), name


def gradients_through(layer, mask):
    """How much each weight moves in one step of plain gradient descent, on any backend."""
    inputs = [keras.Input((T, D)), keras.Input((S, D)), keras.Input(mask.shape[1:], dtype="bool")]
    model = keras.Model(inputs, layer(inputs[0], inputs[1], mask=inputs[2]))
    model.compile(keras.optimizers.SGD(1.0), loss="mse", run_eagerly=keras.backend.backend() != "jax")
    before = [variable.numpy() for variable in layer.trainable_variables]
    model.train_on_batch([draw(B, T, D), draw(B, S, D, seed=1), mask], draw(B, T, D, seed=2))
    moved = {
        variable.path: variable.numpy() - old for variable, old in zip(layer.trainable_variables, before, strict=True)
    }
    assert any(np.abs(step).max() > 0 for step in moved.values())
    return moved


@pytest.mark.backends
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float16"])
def test_masks_hold_in_half_precision(policy):
    layer = MultiHeadAttention(H, K, dtype=policy)
    mask = combine_masks(causal_mask(T), padding_mask(np.array([[4, 5, 6, 0, 0], [0, 0, 4, 5, 6]])))
    x = draw(B, T, D, scale=20)
    output, weights = layer(x, x, mask=mask, return_scores=True)
    weights = ops.convert_to_numpy(ops.cast(weights, "float32"))
    allowed = np.broadcast_to(ops.convert_to_numpy(mask), weights.shape)
    assert (weights[~allowed] == 0).all()
    assert np.isfinite(ops.convert_to_numpy(ops.cast(output, "float32"))).all()
    np.testing.assert_allclose(weights.sum(axis=-1), allowed.any(axis=-1), atol=0.02)


def test_the_config_round_trips():
    layer = MultiHeadAttention(3, 5, dropout=0.2, use_bias=False, name="look", dtype="mixed_bfloat16")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert again.get_config() == layer.get_config()
    assert (again.num_heads, again.key_dim, again.dropout.rate, again.use_bias) == (3, 5, 0.2, False)


@pytest.mark.parametrize(("num_heads", "key_dim"), [(0, 5), (3, 0)])
def test_sizes_below_one_are_refused(num_heads, key_dim):
    with pytest.raises(ValueError, match=f"at least 1. Received: {num_heads} and {key_dim}"):
        MultiHeadAttention(num_heads, key_dim)
