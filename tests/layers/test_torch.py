"""Encoder and decoder layer beside PyTorch's, with copied weights; skipped where torch is absent."""

import numpy as np
import pytest
from keras import ops

from llmcourse.layers import DecoderLayer, EncoderLayer, causal_mask, padding_mask

torch = pytest.importorskip("torch")
B, T, S, D, H, F = 2, 5, 7, 12, 3, 11


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def assign(parameter, value):
    assert tuple(parameter.shape) == value.shape
    parameter.data = torch.tensor(np.array(value)).to(parameter.device)


def copy_attention(theirs, weights):
    wq, bq, wk, bk, wv, bv, wo, bo = weights
    assign(theirs.in_proj_weight, np.concatenate([w.reshape(D, D).T for w in (wq, wk, wv)]))
    assign(theirs.in_proj_bias, np.concatenate([b.reshape(D) for b in (bq, bk, bv)]))
    assign(theirs.out_proj.weight, wo.reshape(D, D).T)
    assign(theirs.out_proj.bias, bo)


def copy_norm(theirs, weights):
    assign(theirs.weight, weights[0])
    assign(theirs.bias, weights[1])


def copy_feed_forward(theirs, weights):
    assign(theirs.linear1.weight, weights[0].T)
    assign(theirs.linear1.bias, weights[1])
    assign(theirs.linear2.weight, weights[2].T)
    assign(theirs.linear2.bias, weights[3])


def randomise(layer, *shapes):
    layer.build(*shapes)
    layer.set_weights([0.4 * draw(*w.shape, seed=i) + 0.1 for i, w in enumerate(layer.weights)])
    return layer.get_weights()


def settings(norm_first, activation):
    return {"dropout": 0.0, "activation": activation, "batch_first": True, "norm_first": norm_first}


@pytest.mark.backends
@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("norm_first", [True, False])
def test_the_encoder_layer_equals_that_of_pytorch(norm_first, activation):
    ours = EncoderLayer(D, H, F, 0.0, activation, norm_first)
    theirs = torch.nn.TransformerEncoderLayer(D, H, F, **settings(norm_first, activation))
    weights = randomise(ours, (B, S, D))
    copy_attention(theirs.self_attn, weights[:8])
    copy_norm(theirs.norm1, weights[8:10])
    copy_feed_forward(theirs, weights[10:14])
    copy_norm(theirs.norm2, weights[14:])
    x, ids = draw(B, S, D), np.array([[4, 5, 6, 7, 0, 0, 0], [4, 5, 6, 7, 8, 0, 0]])
    expected = theirs(torch.tensor(x), src_key_padding_mask=torch.tensor(ids == 0))
    received = ops.convert_to_numpy(ours(x, mask=padding_mask(ids)))
    np.testing.assert_allclose(received, expected.detach().numpy(), atol=2e-5)


@pytest.mark.backends
@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("norm_first", [True, False])
def test_the_decoder_layer_equals_that_of_pytorch(norm_first, activation):
    ours = DecoderLayer(D, H, F, 0.0, activation, norm_first)
    theirs = torch.nn.TransformerDecoderLayer(D, H, F, **settings(norm_first, activation))
    weights = randomise(ours, (B, T, D), (B, S, D))
    copy_attention(theirs.self_attn, weights[:8])
    copy_norm(theirs.norm1, weights[8:10])
    copy_attention(theirs.multihead_attn, weights[10:18])
    copy_norm(theirs.norm2, weights[18:20])
    copy_feed_forward(theirs, weights[20:24])
    copy_norm(theirs.norm3, weights[24:])
    x, memory = draw(B, T, D), draw(B, S, D, seed=1)
    ids = np.array([[4, 5, 6, 7, 0, 0, 0], [4, 5, 6, 7, 8, 0, 0]])
    expected = theirs(
        torch.tensor(x),
        torch.tensor(memory),
        tgt_mask=torch.tensor(np.triu(np.ones((T, T), dtype=bool), 1)),
        memory_key_padding_mask=torch.tensor(ids == 0),
    )
    received = ours(x, memory, mask=causal_mask(T), memory_mask=padding_mask(ids))
    np.testing.assert_allclose(ops.convert_to_numpy(received), expected.detach().numpy(), atol=2e-5)
