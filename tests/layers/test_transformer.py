import keras
import numpy as np
import pytest
from keras import ops

from llmcourse.layers import Decoder, DecoderLayer, Encoder, EncoderLayer, FeedForward, causal_mask, padding_mask

B, T, S, D, H, F = 2, 3, 5, 14, 7, 11


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def randomise(layer, *shapes):
    """Build the layer and give every weight, biases and norms too, a value of its own."""
    layer.build(*shapes)
    layer.set_weights([0.4 * draw(*w.shape, seed=i) + 0.1 for i, w in enumerate(layer.weights)])
    return layer


def encoder_layer(**settings):
    return randomise(EncoderLayer(D, H, F, **{"dropout": 0.0, **settings}), (B, S, D))


def decoder_layer(**settings):
    return randomise(DecoderLayer(D, H, F, **{"dropout": 0.0, **settings}), (B, T, D), (B, S, D))


def source_mask():
    return padding_mask(np.array([[4, 5, 6, 0, 0], [4, 5, 6, 7, 0]]))


def close(received, expected, atol=1e-5):
    np.testing.assert_allclose(ops.convert_to_numpy(received), ops.convert_to_numpy(expected), atol=atol)


# An oracle in NumPy, float64, written from the paper's formulas.


def norm(x, gamma, beta):
    centred = x - x.mean(axis=-1, keepdims=True)
    return gamma * centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5) + beta


def attend(query, value, mask, wq, bq, wk, bk, wv, bv, wo, bo):
    joined = np.zeros_like(query)
    for head in range(H):
        q, k, v = (x @ w[:, head] + b[head] for x, w, b in ((query, wq, bq), (value, wk, bk), (value, wv, bv)))
        scores = q @ k.transpose(0, 2, 1) / np.sqrt(D // H)
        powers = np.where(mask, np.exp(scores - scores.max(axis=-1, keepdims=True)), 0)
        joined += powers / powers.sum(axis=-1, keepdims=True) @ v @ wo[head]
    return joined + bo


def feed_forward(x, w1, b1, w2, b2):
    return np.maximum(x @ w1 + b1, 0) @ w2 + b2


def block(x, sublayer, norm_weights, pre_norm):
    if pre_norm:
        return x + sublayer(norm(x, *norm_weights))
    return norm(x + sublayer(x), *norm_weights)


@pytest.mark.backends
@pytest.mark.parametrize("pre_norm", [True, False])
def test_the_encoder_layer_equals_the_oracle(pre_norm):
    layer, x, mask = encoder_layer(pre_norm=pre_norm), draw(B, S, D), source_mask()
    w = [np.asarray(weight, dtype="float64") for weight in layer.get_weights()]
    allowed = ops.convert_to_numpy(mask)[:, 0]
    y = block(x.astype("float64"), lambda h: attend(h, h, allowed, *w[:8]), w[8:10], pre_norm)
    y = block(y, lambda h: feed_forward(h, *w[10:14]), w[14:16], pre_norm)
    close(layer(x, mask=mask), y, atol=1e-4)


@pytest.mark.backends
@pytest.mark.parametrize("pre_norm", [True, False])
def test_the_decoder_layer_equals_the_oracle(pre_norm):
    layer, x, memory = decoder_layer(pre_norm=pre_norm), draw(B, T, D), draw(B, S, D, seed=1)
    w = [np.asarray(weight, dtype="float64") for weight in layer.get_weights()]
    allowed, causal = ops.convert_to_numpy(source_mask())[:, 0], np.tril(np.ones((T, T), dtype=bool))
    y = block(x.astype("float64"), lambda h: attend(h, h, causal, *w[:8]), w[8:10], pre_norm)
    y = block(y, lambda h: attend(h, memory, allowed, *w[10:18]), w[18:20], pre_norm)
    y = block(y, lambda h: feed_forward(h, *w[20:24]), w[24:26], pre_norm)
    close(layer(x, memory, mask=causal_mask(T), memory_mask=source_mask()), y, atol=1e-4)


@pytest.mark.parametrize("training", [False, True])
def test_scores_are_returned_beside_the_same_output(training):
    encoder, decoder, x, memory = encoder_layer(), decoder_layer(), draw(B, T, D), draw(B, S, D, seed=1)
    y, scores = encoder(memory, mask=source_mask(), return_scores=True, training=training)
    close(y, encoder(memory, mask=source_mask(), training=training))
    assert scores.shape == (B, H, S, S)
    masks = {"mask": causal_mask(T), "memory_mask": source_mask()}
    z, own, cross = decoder(x, memory, **masks, return_scores=True, training=training)
    close(z, decoder(x, memory, **masks, training=training))
    assert own.shape == (B, H, T, T) and cross.shape == (B, H, T, S)
    assert (ops.convert_to_numpy(own) * np.triu(np.ones((T, T)), 1) == 0).all()
    assert (ops.convert_to_numpy(cross)[0, :, :, 3:] == 0).all()


@pytest.mark.parametrize("return_scores", [False, True])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_a_changed_token_changes_nothing_before_it_in_the_decoder(dropout, return_scores):
    decoder = randomise(Decoder(2, D, H, F, dropout=dropout), (B, T, D), (B, S, D))
    x, memory = draw(B, T, D), draw(B, S, D, seed=1)

    def decode(x):
        keras.utils.set_random_seed(0)
        for variable in decoder.non_trainable_variables:  # dropout begins anew, the same each time
            variable.assign(np.array([3, 5], dtype="uint32"))
        masks = {"mask": causal_mask(T), "memory_mask": source_mask()}
        result = decoder(x, memory, **masks, return_scores=return_scores, training=dropout > 0)
        return ops.convert_to_numpy(result[0] if return_scores else result)

    before = decode(x)
    for t in range(1, T):
        changed = x.copy()
        changed[:, t:] += draw(B, T - t, D, seed=9)
        after = decode(changed)
        np.testing.assert_allclose(after[:, :t], before[:, :t], atol=1e-5)
        assert np.abs(after[:, t] - before[:, t]).max() > 1e-2


@pytest.mark.backends
def test_dropout_is_on_in_training_only():
    layer, x = encoder_layer(dropout=0.4), draw(B, S, D)
    close(layer(x), layer(x))
    first, second = (ops.convert_to_numpy(layer(x, training=True)) for _ in range(2))
    assert np.abs(first - second).max() > 1e-2


@pytest.mark.parametrize("pre_norm", [True, False])
def test_stacks_run_their_layers_in_turn_and_end_normalised(pre_norm):
    encoder = randomise(Encoder(2, D, H, F, 0.0, pre_norm=pre_norm), (B, S, D))
    decoder = randomise(Decoder(3, D, H, F, 0.0, pre_norm=pre_norm), (B, T, D), (B, S, D))
    x, target = draw(B, S, D), draw(B, T, D, seed=1)
    y, z = x, target
    for layer in encoder.layers:
        y = layer(y, mask=source_mask())
    memory, scores = encoder(x, mask=source_mask(), return_scores=True)
    assert (encoder.final_norm is not None) == pre_norm and len(scores) == 2
    close(memory, encoder.final_norm(y) if pre_norm else y)
    for layer in decoder.layers:
        z = layer(z, memory, mask=causal_mask(T), memory_mask=source_mask())
    result, own, cross = decoder(target, memory, mask=causal_mask(T), memory_mask=source_mask(), return_scores=True)
    close(result, decoder.final_norm(z) if pre_norm else z)
    assert len(own) == len(cross) == 3


def test_padding_changes_nothing_for_real_tokens():
    layer, x = encoder_layer(), draw(B, S, D)
    padded = np.concatenate([x, 9 * draw(B, 2, D, seed=1)], axis=1)
    mask = padding_mask(np.array([[4] * S + [0] * 2] * B))
    close(ops.convert_to_numpy(layer(padded, mask=mask))[:, :S], layer(x))


@pytest.mark.parametrize(
    "layer",
    [
        FeedForward(6, 11, "gelu", name="work"),
        EncoderLayer(6, 3, 11, 0.2, "gelu", False, dtype="mixed_bfloat16"),
        DecoderLayer(6, 3, 11, dropout=0.3, pre_norm=True),
        Encoder(2, 6, 3, 11, 0.2, "gelu", False),
        Decoder(2, 6, 3, 11, dropout=0.3),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_the_config_round_trips(layer):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert type(again) is type(layer) and again.get_config() == layer.get_config()
    shape = (2, 5, 6)
    shapes = (shape, shape) if "Decoder" in type(layer).__name__ else (shape,)
    layer.build(*shapes), again.build(*shapes)
    assert [w.shape for w in again.weights] == [w.shape for w in layer.weights]


def test_impossible_sizes_are_refused():
    with pytest.raises(ValueError, match="multiple of num_heads. Received: 14 and 3"):
        EncoderLayer(14, 3, 11)
    with pytest.raises(ValueError, match="num_layers must be at least 1. Received: 0"):
        Encoder(0, 14, 7, 11)
