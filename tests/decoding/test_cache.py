import doctest

import keras
import numpy as np
import pytest
from keras import ops

from llmcourse.decoding import KeyValueCache, cache
from llmcourse.layers import Decoder, MultiHeadAttention, causal_mask, padding_mask

B, H, T, S, K, D = 2, 3, 7, 5, 11, 13


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def randomise(layer, *shapes):
    layer.build(*shapes)
    layer.set_weights([0.4 * draw(*w.shape, seed=i) + 0.1 for i, w in enumerate(layer.weights)])
    return layer


def close(received, expected, atol=1e-5):
    np.testing.assert_allclose(ops.convert_to_numpy(received), ops.convert_to_numpy(expected), atol=atol)


def filled(places, length):
    return (np.arange(places) < length)[None, None, None]


def test_the_example_of_the_docstring_is_right():
    assert doctest.testmod(cache, extraglobs={"np": np}) == doctest.TestResults(failed=0, attempted=3)


def test_one_token_at_a_time_attends_as_all_tokens_at_once_do():
    layer, x = randomise(MultiHeadAttention(H, K), (B, T, D), (B, T, D)), draw(B, T, D)
    cache = KeyValueCache.empty(B, H, 10, K)
    expected = ops.convert_to_numpy(layer(x, x, mask=causal_mask(T)))
    for t in range(T):
        now = x[:, t : t + 1]
        close(layer(now, now, mask=filled(10, t + 1), cache=cache), expected[:, t : t + 1])
    assert cache.length == T


def test_keys_and_values_projected_before_serve_as_the_value_does():
    layer, query, value = (
        randomise(MultiHeadAttention(H, K), (B, T, D), (B, S, D)),
        draw(B, T, D),
        draw(B, S, D, seed=1),
    )
    mask = padding_mask(np.array([[4, 5, 6, 0, 0], [4, 5, 6, 7, 0]]))
    pair = layer.project_keys_and_values(value)
    assert [tuple(part.shape) for part in pair] == [(B, H, S, K)] * 2
    close(layer(query, pair, mask=mask), layer(query, value, mask=mask))
    key = draw(B, S, D, seed=2)
    close(layer(query, layer.project_keys_and_values(value, key)), layer(query, value, key))


@pytest.mark.backends
@pytest.mark.parametrize("pre_norm", [True, False])
def test_a_decoder_with_caches_and_projected_memory_returns_what_it_does_without(pre_norm):
    decoder = randomise(Decoder(2, 12, H, 17, 0.0, pre_norm=pre_norm), (B, T, 12), (B, S, 12))
    x, memory = draw(B, T, 12), draw(B, S, 12, seed=1)
    memory_mask = padding_mask(np.array([[4, 5, 6, 0, 0], [4, 5, 6, 7, 0]]))
    expected, own, cross = decoder(x, memory, mask=causal_mask(T), memory_mask=memory_mask, return_scores=True)
    caches = [KeyValueCache.empty(B, H, T, 4) for _ in range(2)]
    for start, stop in ((0, 3), (3, 5), (5, 7)):  # several tokens at a time
        mask = causal_mask(T)[:, :, start:stop]
        received, own_now, cross_now = decoder(
            x[:, start:stop],
            decoder.project_memory(memory),
            mask=mask,
            memory_mask=memory_mask,
            caches=caches,
            return_scores=True,
        )
        close(received, expected[:, start:stop])
        for layer in range(2):
            close(own_now[layer], own[layer][:, :, start:stop])
            close(cross_now[layer], cross[layer][:, :, start:stop])


def test_the_projected_memory_has_the_precision_of_the_layers():
    decoder = randomise(Decoder(2, 12, H, 17, dtype="mixed_bfloat16"), (B, T, 12), (B, S, 12))
    pairs = decoder.project_memory(ops.cast(draw(B, S, 12), "bfloat16"))
    assert {keras.backend.standardize_dtype(part.dtype) for pair in pairs for part in pair} == {"bfloat16"}


def test_a_cache_grows_and_keeps_what_it_holds():
    cache = KeyValueCache.empty(B, H, 2, K)
    keys, values = draw(B, H, 5, K), draw(B, H, 5, K, seed=1)
    cache.update(keys[:, :, :2], values[:, :, :2])
    with pytest.raises(ValueError, match=r"places for 2 \+ 3 tokens; call grow first. Received: 2 places"):
        cache.update(keys[:, :, 2:], values[:, :, 2:])
    cache.grow(4)
    all_keys, all_values = cache.update(keys[:, :, 2:], values[:, :, 2:])
    assert (cache.places, cache.length) == (6, 5)
    close(all_keys[:, :, :5], keys)
    close(all_values[:, :, :5], values)
    assert (ops.convert_to_numpy(all_keys)[:, :, 5:] == 0).all()


def test_a_cache_keeps_some_sentences_of_a_batch():
    keys, values = draw(5, H, 2, K), draw(5, H, 2, K, seed=1)
    cache = KeyValueCache(keys, values, 2)
    cache.keep(np.array([4, 1]))
    close(cache.keys, keys[[4, 1]])
    close(cache.values, values[[4, 1]])
