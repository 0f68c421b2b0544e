"""Exercise `repair_layers`: what a right answer must do, and typical wrong ones."""

import numpy as np

from llmcourse.checking import (
    accepted,
    criterion,
    expect,
    expect_close,
    expect_equal,
    expect_learning,
    expect_shape,
    mutants,
)

from ..oracles import (
    as_float64,
    break_listing,
    causal,
    decode,
    distinct_sizes,
    draw,
    draw_attention,
    draw_feed_forward,
    draw_norm,
    encode,
    normalise,
    positional,
)


def draw_ids(rng, sentences, length, vocabulary, low=4):
    return rng.integers(low, vocabulary, size=(sentences, length)).astype(np.int32)


PROBES = """
import keras as _keras
import numpy as _numpy


def _logits(model, source, target):
    return _numpy.asarray(model(source, target))


def make_model(source_vocab, target_vocab, d_model, num_heads, d_ff, source=None, target=None, weights=None):
    model = RepairedTransformer(source_vocab, target_vocab, d_model, num_heads, d_ff)
    model.built = True  # the sub-layers build themselves when called; Keras would trace the whole model before
    if source is not None:
        model(source, target)
    for name, values in (weights or {}).items():
        if name.endswith("_embedding"):  # whatever their names: each has as many rows as its vocabulary has tokens
            layer, = [table for table in _tables(model) if table.input_dim == len(values[0])]
        else:
            layer = getattr(model, name)
        layer.set_weights(values)
    return model


def _tables(model):
    return [layer for layer in model._flatten_layers() if isinstance(layer, _keras.layers.Embedding)]


def attention_sizes(model):
    return [[layer.num_heads, layer.key_dim] for layer in model._flatten_layers() if hasattr(layer, "key_dim")]


def table_sizes(model):
    return [[layer.input_dim, layer.output_dim] for layer in _tables(model)]


def widths(model, d_model):
    zeros = _numpy.zeros((1, 2, d_model), dtype="float32")
    return [_numpy.shape(getattr(model, name)(zeros))[-1] for name in ("encoder_feed_forward", "feed_forward")]


def scale_layer(model, name, factor):
    layer = getattr(model, name)
    layer.set_weights([value * factor for value in layer.get_weights()])


def shift_tables(model, which):
    table = _tables(model)[which]
    values = table.get_weights()[0]
    table.set_weights([values + _numpy.sin(_numpy.arange(values.size)).reshape(values.shape)])
"""


class Patient:
    """A model of the learner with the author's sizes (source = target = V = D), so that one fault hides no other."""

    def __init__(self, student, rng, **sizes):
        student.define(PROBES)
        self.student, size = student, 8
        self.sizes = {"source_vocab": size, "target_vocab": size, "d_model": size, "S": size, "T": size} | sizes
        self.source = np.array([rng.permutation(np.arange(size))[: self.sizes["S"]]], dtype=np.int32)
        self.target = np.array([rng.permutation(np.arange(size))[: self.sizes["T"]]], dtype=np.int32)
        vocabularies = self.sizes["source_vocab"], self.sizes["target_vocab"]
        self.model = student.make_model(*vocabularies, self.sizes["d_model"], 2, 24, self.source, self.target)

    def logits(self, source=None, target=None):
        """Ask the model; require (1, T, V)."""
        source = self.source if source is None else source
        target = self.target if target is None else target
        shape = (*target.shape, self.sizes["target_vocab"])
        return np.asarray(expect_shape(self.model(source, target), shape, what="model(source_ids, target_ids)"))

    def change(self, ids, place):
        """Return ids with another token at one place."""
        other = ids.copy()
        other[0, place] = (other[0, place] + 3) % 8
        return other


def expect_moved(before, after, words, places=None):
    """Require that the logits moved, at each of the places (all by default)."""
    moved = np.abs(after - before)[0].max(axis=-1) > 1e-5
    places = range(len(moved)) if places is None else places
    still = [place for place in places if not moved[place]]
    expect(not still, required=words, received=f"no change at position {still[0]}" if still else "")


@criterion(
    hints=[
        "How wide is one head, if H of them together are as wide as the model?",
        "key_dim is the width of one head, K = D / H. Count the parameters of an attention: 4 (D D + D).",
        "`layers.MultiHeadAttention(num_heads, d_model // num_heads)`, everywhere.",
    ],
)
def the_heads_share_the_width_of_the_model(student, rng):
    """In every attention, the heads together are as wide as the model: num_heads * key_dim = d_model."""
    student.define(PROBES)
    heads, key_dim, vocabulary = distinct_sizes(rng, 3, low=2, high=7)
    d_model = 2 * heads * key_dim
    model = student.make_model(vocabulary + 5, vocabulary + 9, d_model, heads, 17)
    found = student.attention_sizes(model)
    expect(found, required="at least one attention layer, made in __init__", received="none")
    for number, key_dim in found:
        expect_equal((number, key_dim), (heads, d_model // heads), what="(num_heads, key_dim) of an attention")


@criterion(
    hints=[
        "The feed-forward network's result is added to x. How wide must it be?",
        "FeedForward(d_model, d_ff) returns D numbers for each token. Only to_logits is as wide as the vocabulary.",
    ],
)
def the_feed_forward_networks_return_to_the_width(student, rng):
    """encoder_feed_forward and feed_forward return vectors of the width d_model, whatever the vocabulary."""
    student.define(PROBES)
    heads, key_dim, vocabulary = distinct_sizes(rng, 3, low=2, high=7)
    d_model = 2 * heads * key_dim
    model = student.make_model(vocabulary + d_model, vocabulary + d_model + 3, d_model, heads, 17)
    expect_equal(list(student.widths(model, d_model)), [d_model] * 2, what="the widths of the feed-forward networks")


@criterion(
    points=2,
    slow=True,
    hints=[
        "Carry out the leak test. The causal mask is right, and still something leaks: on which way?",
        "Whatever the encoder sees reaches every position of the decoder. It may see the source only.",
        "`y = self.encoder_attention_norm(x)` and `self.encoder_attention(y, y)`",
    ],
)
def no_position_knows_a_later_target_token(student, rng):
    """Changing a token of the target changes no logits before it: neither the decoder nor the encoder may see it."""
    patient = Patient(student, rng)
    before = patient.logits()
    place = int(rng.integers(3, 8))
    after = patient.logits(target=patient.change(patient.target, place))
    words = f"the logits before position {place} after target token {place} was changed"
    expect_close(after[:, :place], before[:, :place], what=words)


@criterion(
    points=2,
    slow=True,
    hints=[
        "Make a shape table with S = 8, T = 6. Has an attention as many rows as there are queries, or keys?",
        "In the self-attention the target asks the target. In the cross-attention the target asks the memory.",
    ],
)
def source_and_target_may_differ_in_length(student, rng):
    """For S source tokens and T target tokens there are T rows of logits, whichever of the two is longer."""
    patient, shorter = Patient(student, rng), int(rng.integers(3, 7))
    patient.logits(source=patient.source[:, :shorter])
    patient.logits(target=patient.target[:, :shorter])


@criterion(
    points=2,
    slow=True,
    hints=[
        "Change one source token: which logits should move?",
        "All of them: each position asks the whole memory, through the cross-attention.",
        "`x = x + self.cross_attention(self.cross_attention_norm(x), memory)`",
    ],
)
def every_position_hears_of_every_source_token(student, rng):
    """Changing any token of the source moves the logits at every position of the target."""
    patient = Patient(student, rng)
    before = patient.logits()
    for place in rng.choice(8, size=2, replace=False):
        after = patient.logits(source=patient.change(patient.source, place))
        expect_moved(before, after, f"all logits move when source token {place} is changed")


@criterion(
    slow=True,
    hints=[
        "Change an early target token: which later logits should move?",
        "All later ones: each position asks the target up to itself.",
    ],
)
def every_position_hears_of_the_tokens_before_it(student, rng):
    """Changing a token of the target moves the logits at its own position and at all later ones."""
    patient = Patient(student, rng)
    before = patient.logits()
    place = int(rng.integers(0, 4))
    after = patient.logits(target=patient.change(patient.target, place))
    words = f"all logits from position {place} on move when target token {place} is changed"
    expect_moved(before, after, words, range(place, 8))


@criterion(
    points=2,
    slow=True,
    hints=[
        "Which sub-layers are made in __init__ and never called?",
        "The decoder's third sub-layer is its feed-forward network, with its norm.",
        "`x = x + self.feed_forward(self.feed_forward_norm(x))`",
    ],
)
def the_third_sub_layer_takes_part(student, rng):
    """The weights of feed_forward and of its norm matter: change them, and the logits move."""
    patient = Patient(student, rng)
    before = patient.logits()
    for name in ("feed_forward", "feed_forward_norm"):
        student.scale_layer(patient.model, name, 2.0)
        after = patient.logits()
        expect_moved(before, after, f"the logits move when the weights of {name} are changed")
        before = after


@criterion(
    points=2,
    slow=True,
    hints=[
        "Set the weights of feed_forward to 0. What should the logits still depend on?",
        "The third short cut carries the sum that the cross-attention has made, not an older x.",
    ],
)
def the_third_short_cut_carries_the_second_sum(student, rng):
    """With a silent feed_forward, the logits still depend on the source and on the earlier target tokens."""
    patient = Patient(student, rng)
    student.scale_layer(patient.model, "feed_forward", 0.0)
    before = patient.logits()
    after = patient.logits(source=patient.change(patient.source, int(rng.integers(8))))
    expect_moved(before, after, "with a silent feed_forward, all logits still move when the source is changed")
    after = patient.logits(target=patient.change(patient.target, 0))
    expect_moved(before, after, "with a silent feed_forward, all logits still move when target token 0 is changed")


@criterion(
    hints=[
        "How many embeddings does a model need that reads one language and writes another?",
        "Two: one with source_vocab_size rows, one with target_vocab_size rows, both d_model wide.",
    ],
)
def each_vocabulary_has_its_own_table(student, rng):
    """There are two embeddings: one with a vector for each source token, one with a vector for each target token."""
    student.define(PROBES)
    source, target = (int(size) for size in rng.choice(np.arange(20, 40), size=2, replace=False))
    model = student.make_model(source, target, 8, 2, 17)
    expect_equal(
        sorted(student.table_sizes(model)), sorted([[source, 8], [target, 8]]), what="the sizes of the embeddings"
    )


@criterion(
    points=2,
    slow=True,
    hints=[
        "Change the weights of the embedding: do the logits move?",
        "A layer that is only made does nothing. It has to be called with the ids.",
        "Call one table with source_ids and the other with target_ids, in place of the one-hot vectors.",
    ],
)
def the_embeddings_are_applied(student, rng):
    """The tables matter: change one, and the logits move; and ids beyond d_model are tokens like any other."""
    student.define(PROBES)
    source, target = (rng.permutation(np.arange(10, 30))[:4].astype(np.int32)[None] for _ in range(2))
    model = student.make_model(30, 30, 8, 2, 24, source, target)
    before = np.asarray(expect_shape(model(source, target), (1, 4, 30), what="model(source_ids, target_ids)"))
    other = source.copy()
    other[0, 1] = 10 + (other[0, 1] - 10 + 7) % 20
    expect_moved(before, np.asarray(model(other, target)), "all logits move when one source token is changed")
    for which in range(2):
        student.shift_tables(model, which)
        after = np.asarray(model(source, target))
        expect_moved(before, after, "the logits move when the numbers in an embedding are changed")
        before = after


@criterion(
    points=2,
    slow=True,
    hints=[
        "Give it the same token at every position: does it tell them apart? Swap two source tokens: what moves?",
        "Attention knows no order. The positional encoding has to be added to both embeddings.",
        "`self.positions(...)` takes (B, T, D) and adds the code of each position; call it for source and target.",
    ],
)
def the_order_of_the_tokens_counts(student, rng):
    """Swapping two source tokens moves the logits, and equal target tokens get different logits at each place."""
    patient = Patient(student, rng)
    before = patient.logits()
    swapped = patient.source.copy()
    first, second = rng.choice(8, size=2, replace=False)
    swapped[0, [first, second]] = swapped[0, [second, first]]
    words = "the logits move when two source tokens are swapped"
    expect_moved(before, patient.logits(source=swapped), words)
    same = patient.logits(np.full_like(patient.source, 5), np.full_like(patient.target, 6))
    spread = np.abs(same[0, 1:] - same[0, :1]).max(axis=-1)
    words = "different logits at different positions for a target of eight equal tokens"
    expect(bool((spread > 1e-5).all()), required=words, received="the same logits at two positions")


def transform(source, target, weights, scale):
    """Compute the whole model, with the names of the exercise."""
    renamed = {
        "self_attention_norm": weights["encoder_attention_norm"],
        "self_attention": weights["encoder_attention"],
        "feed_forward_norm": weights["encoder_feed_forward_norm"],
        "feed_forward": weights["encoder_feed_forward"],
    }
    width = weights["encoder_norm"][0].shape[0]
    x = scale * as_float64(weights["source_embedding"])[0][source] + positional(source.shape[1], width)
    memory = normalise(encode(x, renamed), weights["encoder_norm"])
    x = scale * as_float64(weights["target_embedding"])[0][target] + positional(target.shape[1], width)
    x = normalise(decode(x, memory, weights, causal(target.shape[1])), weights["decoder_norm"])
    kernel, bias = as_float64(weights["to_logits"])
    return x @ kernel + bias


@criterion(
    points=3,
    hints=[
        "Compare your call line by line with the formulas above the exercise. Is each norm that you make also called?",
        "Norm before each sub-layer, the sum with x from before the norm, encoder_norm and decoder_norm at the end.",
    ],
)
def the_logits_are_those_of_the_formulas(student, rng):
    """With given weights and sizes that all differ, the logits are those of the formulas (with or without sqrt(D))."""
    student.define(PROBES)
    heads, half, sentences, source_length, target_length = distinct_sizes(rng, 5, low=2, high=7)
    width, hidden = 2 * half * heads, 2 * half * heads + 5
    sizes = int(rng.integers(10, 15)), int(rng.integers(16, 21))
    source = draw_ids(rng, sentences, source_length, sizes[0], low=1)  # no padding, as the text promises
    target = draw_ids(rng, sentences, target_length, sizes[1], low=1)
    weights = {"source_embedding": [draw(rng, sizes[0], width)], "target_embedding": [draw(rng, sizes[1], width)]}
    for name in ("encoder_attention", "self_attention", "cross_attention"):
        weights[name] = draw_attention(rng, width, heads)
        weights[f"{name}_norm"] = draw_norm(rng, width)
    for name in ("encoder_feed_forward", "feed_forward"):
        weights[name] = draw_feed_forward(rng, width, hidden)
        weights[f"{name}_norm"] = draw_norm(rng, width)
    weights |= {"encoder_norm": draw_norm(rng, width), "decoder_norm": draw_norm(rng, width)}
    weights["to_logits"] = [draw(rng, width, sizes[1], scale=0.5), draw(rng, sizes[1])]
    tables = student.table_sizes(student.make_model(*sizes, width, heads, hidden))
    expect_equal(sorted(tables), sorted([size, width] for size in sizes), what="the sizes of the embeddings")
    model = student.make_model(*sizes, width, heads, hidden, source, target, weights)
    received = expect_shape(model(source, target), (*target.shape, sizes[1]), what="model(source_ids, target_ids)")
    plain, scaled = (transform(source, target, weights, scale) for scale in (1.0, width**0.5))
    nearer = min((plain, scaled), key=lambda expected: float(np.abs(np.asarray(received) - expected).max()))
    expect_close(received, nearer, what="model(source_ids, target_ids)", tolerance=1e-3)


@criterion(
    slow=True,
    hints=[
        "Does a gradient come back from the logits to every weight, the source's embedding included?",
        "A step in NumPy, or behind ops.stop_gradient, gives right numbers, and nothing before it learns.",
    ],
)
def everything_can_learn(student, rng):
    """A gradient comes back from the logits to each weight of the model."""
    patient = Patient(student, rng, S=5, T=4)
    expect_learning(student, patient.model, patient.source, patient.target, what="the model")


# --- typical wrong answers, each with the criterion that must catch it ------------------------------------------------

MODEL = """
class RepairedTransformer(keras.Model):
    def __init__(self, source_vocab_size, target_vocab_size, d_model, num_heads, d_ff):
        super().__init__()
        self.d_model = d_model
        heads, self_heads = d_model // num_heads, d_model // num_heads
        self.source_embedding = keras.layers.Embedding(source_vocab_size, d_model)
        self.target_embedding = keras.layers.Embedding(target_vocab_size, d_model)
        self.positions = layers.PositionalEncoding()
        self.encoder_attention_norm = keras.layers.LayerNormalization(epsilon=1e-5)
        self.encoder_attention = layers.MultiHeadAttention(num_heads, heads)
        self.encoder_feed_forward_norm = keras.layers.LayerNormalization(epsilon=1e-5)
        self.encoder_feed_forward = layers.FeedForward(d_model, d_ff)
        self.encoder_norm = keras.layers.LayerNormalization(epsilon=1e-5)
        self.self_attention_norm = keras.layers.LayerNormalization(epsilon=1e-5)
        self.self_attention = layers.MultiHeadAttention(num_heads, self_heads)
        self.cross_attention_norm = keras.layers.LayerNormalization(epsilon=1e-5)
        self.cross_attention = layers.MultiHeadAttention(num_heads, self_heads)
        self.feed_forward_norm = keras.layers.LayerNormalization(epsilon=1e-5)
        self.feed_forward = layers.FeedForward(d_model + 0, d_ff)
        self.decoder_norm = keras.layers.LayerNormalization(epsilon=1e-5)
        self.to_logits = keras.layers.Dense(target_vocab_size)

    def call(self, source_ids, target_ids):
        source = self.source_embedding(source_ids)
        target = self.target_embedding(target_ids)
        source = self.positions(source)
        target = self.positions(target)

        x = source
        y = self.encoder_attention_norm(x)
        y = self.encoder_attention(y, y)
        x = x + y
        x = x + self.encoder_feed_forward(self.encoder_feed_forward_norm(x))
        memory = self.encoder_norm(x)

        x = target
        causal = layers.causal_mask(x.shape[1])
        y = self.self_attention_norm(x)
        y = self.self_attention(y, y, mask=causal)
        x = x + y
        first = x
        y = self.cross_attention(self.cross_attention_norm(x), memory)
        x = x + y
        x = x + self.feed_forward(self.feed_forward_norm(x))
        return self.to_logits(self.decoder_norm(x))
"""
THIRD = "        x = x + self.feed_forward(self.feed_forward_norm(x))\n"
MODEL_FAULTS = (
    (
        "key_dim is d_model",
        "the_heads_share_the_width_of_the_model",
        "heads, self_heads = d_model // num_heads, d_model // num_heads",
        "heads, self_heads = d_model, d_model",
    ),
    (
        "the feed-forward networks are as wide as the vocabulary",
        "the_feed_forward_networks_return_to_the_width",
        "self.encoder_feed_forward = layers.FeedForward(d_model, d_ff)",
        "self.encoder_feed_forward = layers.FeedForward(target_vocab_size, d_ff)",
        "layers.FeedForward(d_model + 0, d_ff)",
        "layers.FeedForward(target_vocab_size, d_ff)",
    ),
    (
        "the encoder attends to the target",
        "no_position_knows_a_later_target_token",
        "self.encoder_attention(y, y)",
        "self.encoder_attention(y, target)",
    ),
    (
        "the self-attention asks with the memory, and there is no cross-attention",
        "source_and_target_may_differ_in_length",
        "self.self_attention(y, y, mask=causal)",
        "self.self_attention(memory, y, mask=causal)",
        "        y = self.cross_attention(self.cross_attention_norm(x), memory)\n        x = x + y\n",
        "",
    ),
    (
        "the third short cut adds the wrong tensor, and the third sub-layer is missing",
        "the_third_sub_layer_takes_part",
        THIRD,
        "        x = x + y\n",
    ),
    (
        "one embedding for two vocabularies, never applied",
        "the_embeddings_are_applied",
        "        self.target_embedding = keras.layers.Embedding(target_vocab_size, d_model)\n",
        "",
        "self.source_embedding(source_ids)",
        "ops.one_hot(source_ids, self.d_model)",
        "self.target_embedding(target_ids)",
        "ops.one_hot(target_ids, self.d_model)",
    ),
    (
        "the positional encoding is never applied",
        "the_order_of_the_tokens_counts",
        "        source = self.positions(source)\n",
        "",
        "        target = self.positions(target)\n",
        "",
    ),
)
mutants(
    MODEL,
    "*",
    [
        (
            "imports the answer",
            MODEL,
            "class RepairedTransformer(keras.Model):\n"
            "    def __init__(self, source_vocab_size, target_vocab_size, d_model, num_heads, d_ff):\n"
            "        super().__init__()\n"
            "        sizes = dict(num_layers=1, d_model=d_model, num_heads=num_heads, d_ff=d_ff, dropout=0.0)\n"
            "        self.inside = Transformer(source_vocab_size, target_vocab_size, **sizes)\n"
            "        self.encoder_feed_forward = self.inside.encoder.layers[0].feed_forward\n"
            "        self.feed_forward = self.inside.decoder.layers[0].feed_forward\n"
            "        self.feed_forward_norm = self.inside.decoder.layers[0].feed_forward_norm\n\n"
            "    def call(self, source_ids, target_ids):\n"
            "        return self.inside(source_ids, target_ids)\n",
        )
    ],
)
break_listing(MODEL, MODEL_FAULTS)
mutants(
    MODEL,
    "the_heads_share_the_width_of_the_model",
    [
        (
            "repairs key_dim in the encoder only",
            "d_model // num_heads, d_model // num_heads",
            "d_model // num_heads, d_model",
        )
    ],
)
mutants(
    MODEL,
    "the_feed_forward_networks_return_to_the_width",
    [
        (
            "repairs the width in the encoder only",
            "FeedForward(d_model + 0, d_ff)",
            "FeedForward(target_vocab_size, d_ff)",
        )
    ],
)
mutants(
    MODEL,
    "no_position_knows_a_later_target_token",
    [
        ("loses the causal mask", "(y, y, mask=causal)", "(y, y)"),
        ("the causal mask turned round", "(y, y, mask=causal)", "(y, y, mask=ops.swapaxes(causal, 2, 3))"),
    ],
)
mutants(
    MODEL,
    "source_and_target_may_differ_in_length",
    [
        (
            "the memory asks in the cross-attention",
            "(self.cross_attention_norm(x), memory)",
            "(memory, self.cross_attention_norm(x))",
        ),
        (
            "adds the memory instead of asking it",
            "y = self.cross_attention(self.cross_attention_norm(x), memory)",
            "y = memory",
        ),
        (
            "a causal mask over the source",
            "(self.cross_attention_norm(x), memory)",
            "(self.cross_attention_norm(x), memory, mask=causal)",
        ),
    ],
)
mutants(
    MODEL,
    "every_position_hears_of_every_source_token",
    [
        (
            "a second self-attention in place of the cross-attention",
            "(self.cross_attention_norm(x), memory)",
            "(self.cross_attention_norm(x), x, mask=causal)",
        ),
        (
            "no cross-attention at all",
            "        y = self.cross_attention(self.cross_attention_norm(x), memory)\n        x = x + y\n",
            "",
        ),
    ],
)
mutants(
    MODEL,
    "every_position_hears_of_the_tokens_before_it",
    [
        ("no self-attention in the decoder", "y = self.self_attention(y, y, mask=causal)", "y = 0 * y"),
        (
            "each token sees itself only",
            "(y, y, mask=causal)",
            "(y, y, mask=ops.logical_and(causal, ops.swapaxes(causal, 2, 3)))",
        ),
    ],
)
mutants(
    MODEL,
    "the_third_sub_layer_takes_part",
    [
        (
            "the third sub-layer without its norm",
            "self.feed_forward(self.feed_forward_norm(x))",
            "self.feed_forward(x)",
        ),
        (
            "the encoder's feed-forward network again",
            "self.feed_forward(self.feed_forward_norm(x))",
            "self.encoder_feed_forward(self.encoder_feed_forward_norm(x))",
        ),
    ],
)
mutants(
    MODEL,
    "the_third_short_cut_carries_the_second_sum",
    [
        (
            "the third short cut starts from the first sum",
            THIRD,
            "        x = first + self.feed_forward(self.feed_forward_norm(x))\n",
        ),
        ("no third short cut", THIRD, "        x = self.feed_forward(self.feed_forward_norm(x))\n"),
        (
            "the third short cut carries the target as it came in",
            THIRD,
            "        x = target + self.feed_forward(self.feed_forward_norm(x))\n",
        ),
    ],
)
mutants(
    MODEL,
    "each_vocabulary_has_its_own_table",
    [
        (
            "two tables of the source's size",
            "Embedding(target_vocab_size, d_model)",
            "Embedding(source_vocab_size, d_model)",
        ),
        (
            "one table for both",
            "        self.target_embedding = keras.layers.Embedding(target_vocab_size, d_model)\n",
            "        self.target_embedding = self.source_embedding\n",
        ),
    ],
)
mutants(
    MODEL,
    "the_embeddings_are_applied",
    [
        (
            "applies the source's embedding only",
            "self.target_embedding(target_ids)",
            "ops.one_hot(target_ids, self.d_model)",
        ),
        (
            "applies the target's embedding only",
            "self.source_embedding(source_ids)",
            "ops.one_hot(source_ids, self.d_model)",
        ),
    ],
)
mutants(
    MODEL,
    "the_order_of_the_tokens_counts",
    [
        ("positions for the source only", "        target = self.positions(target)\n", ""),
        ("positions for the target only", "        source = self.positions(source)\n", ""),
    ],
)
mutants(
    MODEL,
    "the_logits_are_those_of_the_formulas",
    [
        ("forgets the encoder's last norm", "memory = self.encoder_norm(x)", "memory = x"),
        ("forgets the decoder's last norm", "self.to_logits(self.decoder_norm(x))", "self.to_logits(x)"),
        ("the raw x as value in the encoder", "self.encoder_attention(y, y)", "self.encoder_attention(y, x)"),
        (
            "no short cut in the encoder",
            "        x = x + self.encoder_feed_forward(",
            "        x = self.encoder_feed_forward(",
        ),
        (
            "a softmax at the end",
            "return self.to_logits(self.decoder_norm(x))",
            "return ops.softmax(self.to_logits(self.decoder_norm(x)))",
        ),
        (
            "exchanges the two tables' scales",
            "source = self.source_embedding(source_ids)",
            "source = self.source_embedding(source_ids) / self.d_model**0.5",
        ),
    ],
)

mutants(
    MODEL,
    "everything_can_learn",
    [
        (
            "stops the gradient of the memory",
            "memory = self.encoder_norm(x)",
            "memory = ops.stop_gradient(self.encoder_norm(x))",
        ),
        (
            "looks the words up in NumPy",
            "source = self.source_embedding(source_ids)",
            "source = ops.convert_to_tensor(np.asarray(self.source_embedding(source_ids)))",
        ),
    ],
)

# --- right answers written otherwise ----------------------------------------------------------------------------------

CALL = MODEL.index("    def call(")
accepted(
    "with padding masks, although nothing asks for them, and the factor sqrt(D)",
    MODEL[:CALL]
    + """
    def call(self, source_ids, target_ids):
        seen = layers.padding_mask(source_ids)
        x = self.positions(self.source_embedding(source_ids) * self.d_model**0.5)
        y = self.encoder_attention_norm(x)
        x = x + self.encoder_attention(y, y, mask=seen)
        memory = self.encoder_norm(x + self.encoder_feed_forward(self.encoder_feed_forward_norm(x)))

        x = self.positions(self.target_embedding(target_ids) * self.d_model**0.5)
        mask = layers.combine_masks(layers.causal_mask(target_ids.shape[1]), layers.padding_mask(target_ids))
        y = self.self_attention_norm(x)
        x = x + self.self_attention(y, y, mask=mask)
        x = x + self.cross_attention(self.cross_attention_norm(x), memory, mask=seen)
        x = x + self.feed_forward(self.feed_forward_norm(x))
        return self.to_logits(self.decoder_norm(x))
""",
)
accepted(
    "encode and decode as methods of their own",
    MODEL[:CALL]
    + """
    def encode(self, ids):
        x = self.positions(self.source_embedding(ids))
        normed = self.encoder_attention_norm(x)
        x = ops.add(x, self.encoder_attention(query=normed, value=normed))
        x = ops.add(x, self.encoder_feed_forward(self.encoder_feed_forward_norm(x)))
        return self.encoder_norm(x)

    def decode(self, ids, memory):
        x = self.positions(self.target_embedding(ids))
        normed = self.self_attention_norm(x)
        x = ops.add(x, self.self_attention(normed, normed, normed, layers.causal_mask(ids.shape[1])))
        x = ops.add(x, self.cross_attention(self.cross_attention_norm(x), memory, memory))
        return self.decoder_norm(ops.add(x, self.feed_forward(self.feed_forward_norm(x))))

    def call(self, source_ids, target_ids):
        return self.to_logits(self.decode(target_ids, self.encode(source_ids)))
""",
)
accepted(
    "a helper for norm, work and sum; the tables have other names",
    MODEL[:CALL].replace("source_embedding", "words_read").replace("target_embedding", "words_written")
    + """
    def call(self, source_ids, target_ids):
        def around(x, norm, work):
            return x + work(norm(x))

        causal = ops.tril(ops.ones((1, 1, target_ids.shape[1], target_ids.shape[1]), dtype="bool"))
        memory = self.positions(self.words_read(source_ids))
        memory = around(memory, self.encoder_attention_norm, lambda y: self.encoder_attention(y, y))
        memory = self.encoder_norm(around(memory, self.encoder_feed_forward_norm, self.encoder_feed_forward))
        x = self.positions(self.words_written(target_ids))
        x = around(x, self.self_attention_norm, lambda y: self.self_attention(y, y, mask=causal))
        x = around(x, self.cross_attention_norm, lambda y: self.cross_attention(y, memory))
        return self.to_logits(self.decoder_norm(around(x, self.feed_forward_norm, self.feed_forward)))
""",
)
