"""What the exercises of the lesson `transformer` share: drawn inputs, and oracles in plain NumPy in float64."""

import numpy as np

from llmcourse.checking import expect, expect_shape

PAD, START, END = 0, 2, 3


def distinct_sizes(rng, count, low=2, high=9):
    """Draw sizes that all differ, so that a swapped axis cannot go unnoticed."""
    return [int(size) for size in rng.choice(np.arange(low, high), size=count, replace=False)]


def draw(rng, *shape, scale=1.0):
    return rng.normal(scale=scale, size=shape).astype(np.float32)


def draw_norm(rng, width):
    return [rng.uniform(0.5, 1.5, size=width).astype(np.float32), draw(rng, width, scale=0.3)]


def draw_attention(rng, width, heads):
    """Draw kernels and biases in the order query, key, value, output."""
    key_dim = width // heads
    weights = []
    for _ in range(3):
        weights += [draw(rng, width, heads, key_dim, scale=0.5), draw(rng, heads, key_dim, scale=0.3)]
    return [*weights, draw(rng, heads, key_dim, width, scale=0.5), draw(rng, width, scale=0.3)]


def draw_feed_forward(rng, width, hidden):
    return [
        draw(rng, width, hidden, scale=0.5),
        draw(rng, hidden, scale=0.3),
        draw(rng, hidden, width, scale=0.5),
        draw(rng, width, scale=0.3),
    ]


def draw_padding(rng, sentences, length):
    """Draw a boolean mask (B, S) with padding at the end of each sentence, after two real tokens or more if S > 2."""
    lengths = rng.integers(min(2, length - 1), length, size=sentences)
    return np.arange(length)[None, :] < lengths[:, None]


def as_float64(weights):
    return [np.asarray(value, dtype=np.float64) for value in weights]


def softmax(scores):
    exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def log_softmax(logits):
    shifted = np.asarray(logits, dtype=np.float64) - np.max(logits, axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def normalise(x, weights):
    gamma, beta = as_float64(weights)
    return gamma * (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(x.var(axis=-1, keepdims=True) + 1e-5) + beta


def feed_forward(x, weights):
    first, first_bias, second, second_bias = as_float64(weights)
    return np.maximum(x @ first + first_bias, 0) @ second + second_bias


def attend(query, value, weights, mask=None):
    """Compute multi-head attention of query (B, T, D) over value (B, S, D); the mask broadcasts to (B, H, T, S)."""
    wq, bq, wk, bk, wv, bv, wo, bo = as_float64(weights)
    q = np.einsum("btd,dhk->bhtk", query, wq) + bq[:, None, :]
    k = np.einsum("bsd,dhk->bhsk", value, wk) + bk[:, None, :]
    v = np.einsum("bsd,dhk->bhsk", value, wv) + bv[:, None, :]
    scores = np.einsum("bhtk,bhsk->bhts", q, k) / np.sqrt(wq.shape[-1])
    if mask is not None:
        scores = np.where(mask, scores, -np.inf)
    return np.einsum("bhts,bhsk,hkd->btd", softmax(scores), v, wo) + bo


def encode(x, weights, mask=None):
    """Compute an encoder layer (pre-norm)."""
    x = np.asarray(x, dtype=np.float64)
    y = normalise(x, weights["self_attention_norm"])
    x = x + attend(y, y, weights["self_attention"], mask)
    return x + feed_forward(normalise(x, weights["feed_forward_norm"]), weights["feed_forward"])


def decode(x, memory, weights, mask=None, memory_mask=None):
    """Compute a decoder layer (pre-norm)."""
    x, memory = np.asarray(x, dtype=np.float64), np.asarray(memory, dtype=np.float64)
    y = normalise(x, weights["self_attention_norm"])
    x = x + attend(y, y, weights["self_attention"], mask)
    y = normalise(x, weights["cross_attention_norm"])
    x = x + attend(y, memory, weights["cross_attention"], memory_mask)
    return x + feed_forward(normalise(x, weights["feed_forward_norm"]), weights["feed_forward"])


def causal(length):
    return np.tril(np.ones((length, length), dtype=bool))[None, None]


def smoothed_loss(targets, logits, epsilon):
    """Compute the loss from the definition: the whole distribution q, then the mean over real tokens."""
    targets = np.asarray(targets)
    log_probs, size = log_softmax(logits), np.shape(logits)[-1]
    q = np.full(log_probs.shape, epsilon / size)
    np.put_along_axis(q, targets[:, :, None], 1 - epsilon + epsilon / size, axis=-1)
    real = targets != PAD
    return float(-(q * log_probs).sum(axis=-1)[real].mean()) if real.any() else 0.0


MAKE_LAYER = """
def make_layer(kind, d_model, num_heads, d_ff, dropout, weights):
    layer = {"EncoderLayer": lambda *sizes: EncoderLayer(*sizes), "DecoderLayer": lambda *sizes: DecoderLayer(*sizes)}[
        kind
    ](d_model, num_heads, d_ff, dropout)
    shape = (None, None, d_model)
    layer.build(shape) if kind == "EncoderLayer" else layer.build(shape, shape)
    for name, values in weights.items():
        getattr(layer, name).set_weights(values)
    return layer
"""


ENCODER, DECODER = ("self_attention",), ("self_attention", "cross_attention")


MAKE_OPEN = """
def make_open_model(layer, width, kind):
    import keras

    x = keras.Input((None, width))
    mask = keras.Input((1, None, None) if kind == "decoder" else (1, 1, None), dtype="bool")
    if kind == "encoder":
        return keras.Model([x, mask], layer(x, mask=mask))
    memory, memory_mask = keras.Input((None, width)), keras.Input((1, 1, None), dtype="bool")
    return keras.Model([x, memory, mask, memory_mask], layer(x, memory, mask=mask, memory_mask=memory_mask))


def call_encoder(x, layer, mask):
    return layer(x, mask=mask)


def call_decoder(x, memory, layer, mask, memory_mask):
    return layer(x, memory, mask=mask, memory_mask=memory_mask)
"""


class DrawnLayer:
    """A layer of the learner with drawn weights, and the same weights here."""

    def __init__(self, student, rng, kind, silent=(), dropout=0.0):
        attentions = ENCODER if kind == "EncoderLayer" else DECODER
        heads, key_dim, sentences, target, source = distinct_sizes(rng, 5, high=8)
        self.width, self.sizes = heads * key_dim, (sentences, target, source)
        hidden = self.width + int(rng.integers(3, 9))
        self.weights = {name: draw_attention(rng, self.width, heads) for name in attentions}
        self.weights["feed_forward"] = draw_feed_forward(rng, self.width, hidden)
        for name in (*attentions, "feed_forward"):
            self.weights[f"{name}_norm"] = draw_norm(rng, self.width)
        for name in silent:  # what such a sub-layer returns is 0
            *others, kernel, bias = self.weights[name]
            self.weights[name] = [*others, 0 * kernel, 0 * bias]
        student.define(MAKE_LAYER)
        self.layer = student.make_layer(kind, self.width, heads, hidden, dropout, self.weights)


def expect_mostly_unchanged(result, x, what):
    """Require that nearly all entries of x came through a sub-layer whose findings were dropped."""
    expect_shape(result, x.shape, what=what)
    share = float((np.abs(np.asarray(result) - x) < 1e-5).mean())
    required = "where dropout deletes all that the sub-layers add, x itself comes through"
    expect(share > 0.85, required=required, received=f"{share:.0%} of the entries are those of x")


def expect_dropped_once(result, x, added, rate, what):
    """Require that of the numbers that are added to x each is dropped, or kept and divided by 1 - rate."""
    found = expect_shape(result, x.shape, what=what) - np.asarray(x, dtype=np.float64)
    kept = added / (1 - rate)
    wrong = (np.abs(found) > 1e-3) & (np.abs(found - kept) > 1e-3 * np.maximum(1, np.abs(kept)))
    required = f"what a sub-layer adds is dropped at a rate of {rate}, or divided by {1 - rate}, and nothing else is"
    expect(not wrong.any(), required=required, received=f"{wrong.sum()} of {wrong.size} numbers that are added differ")


def draw_sentences(rng, sentences, length, vocabulary=30):
    """Draw START, tokens, END and padding: (B, length), one sentence as long as it can be, the others shorter."""
    shorter = rng.integers(2, max(3, length - 2), size=sentences - 1)
    ids = np.zeros((sentences, length), dtype=np.int32)
    for row, end in enumerate(rng.permutation(np.append(shorter, length - 1))):
        ids[row, 0], ids[row, end] = START, END
        ids[row, 1:end] = rng.integers(4, vocabulary, size=end - 1)
    return ids


def draw_predictions(rng, padded=True):
    """Draw targets (B, T) with padding and logits (B, T, V)."""
    sentences, length, size = distinct_sizes(rng, 3, low=4, high=12)
    targets = rng.integers(1, size, size=(sentences, length)).astype(np.int32)
    if padded:
        targets = np.where(draw_padding(rng, sentences, length), targets, PAD)
    return targets, draw(rng, sentences, length, size, scale=1.5)


SUM_1, SUM_2 = "x = x + self.dropout(y, training=training)", "return x + self.dropout(z, training=training)"


ENTER_1, ENTER_2 = "y = self.self_attention_norm(x)", "self.feed_forward(self.feed_forward_norm(x))"


ATTEND = "self.self_attention(y, y, mask=mask)"
