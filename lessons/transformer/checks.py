"""What right answers of the lesson `transformer` must do. The oracles are plain NumPy in float64, written here."""

import numpy as np

from llmcourse.checking import (
    criterion,
    expect,
    expect_close,
    expect_equal,
    expect_shape,
    expect_unchanged,
)

PAD, START, END = 0, 2, 3

# --- drawing inputs ---------------------------------------------------------------------------------------------------


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


def draw_ids(rng, sentences, length, vocabulary, low=4):
    return rng.integers(low, vocabulary, size=(sentences, length)).astype(np.int32)


# --- oracles ----------------------------------------------------------------------------------------------------------


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


# --- exercises 1 and 2: encoder_layer, decoder_layer ------------------------------------------------------------------

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


def encoder_case(student, rng, silent=(), dropout=0.0):
    """Draw an encoder layer and x (B, S, D)."""
    drawn = DrawnLayer(student, rng, "EncoderLayer", silent, dropout)
    sentences, _, source = drawn.sizes
    return drawn, draw(rng, sentences, source, drawn.width) + 0.5


def decoder_case(student, rng, silent=(), dropout=0.0, square=False):
    """Draw a decoder layer, x (B, T, D) and memory (B, S, D)."""
    drawn = DrawnLayer(student, rng, "DecoderLayer", silent, dropout)
    sentences, target, source = drawn.sizes
    source = target if square else source
    return drawn, draw(rng, sentences, target, drawn.width) + 0.5, draw(rng, sentences, source, drawn.width) - 0.3


def expect_mostly_unchanged(result, x, what):
    """Require that nearly all entries of x came through a sub-layer whose findings were dropped."""
    expect_shape(result, x.shape, what=what)
    share = float((np.abs(np.asarray(result) - x) < 1e-5).mean())
    required = "where dropout deletes all that the sub-layers add, x itself comes through"
    expect(share > 0.85, required=required, received=f"{share:.0%} of the entries are those of x")


@criterion(
    "encoder_layer",
    hints=[
        "If a sub-layer answers 0 everywhere, what should come out?",
        "Each sub-layer's answer is added to the x that was there before its norm.",
        "`x = x + self.dropout(y, training=training)`, twice; nothing happens to x after the last sum.",
    ],
)
def silent_sub_layers_leave_x_alone(student, rng):
    """If attention and feed-forward return 0, the layer returns x itself: short cuts around both, no norm after."""
    drawn, x = encoder_case(student, rng, silent=("self_attention", "feed_forward"))
    expect_close(drawn.layer(x), x, what="layer(x) with silent sub-layers")


@criterion(
    "encoder_layer",
    points=2,
    hints=[
        "What goes into the attention as query, and what as value?",
        "Both are the normalised x. The sum is taken with x as it was before the norm.",
        "`y = self.self_attention_norm(x)`, then `y = self.self_attention(y, y, mask=mask)`, then `x = x + ...`.",
    ],
)
def attention_of_the_normalised_x_is_added(student, rng):
    """With a silent feed-forward network the result is x + attention(n, n) with n = norm(x)."""
    drawn, x = encoder_case(student, rng, silent=("feed_forward",))
    expect_close(drawn.layer(x), encode(x, drawn.weights), what="layer(x) with a silent feed-forward network")


@criterion(
    "encoder_layer",
    points=2,
    hints=[
        "Which of the two norms stands before the feed-forward network?",
        "x + feed_forward(feed_forward_norm(x)), where x is what came out of the first half.",
    ],
)
def feed_forward_of_the_normalised_x_is_added(student, rng):
    """With a silent attention the result is x + FFN(n) with n = norm(x), the norm of the feed-forward network."""
    drawn, x = encoder_case(student, rng, silent=("self_attention",))
    expect_close(drawn.layer(x), encode(x, drawn.weights), what="layer(x) with a silent attention")


@criterion(
    "encoder_layer",
    points=2,
    hints=[
        "Which half comes first? And what does the second half start from?",
        "First attention, then feed-forward, and the second half works on the sum that the first half made.",
    ],
)
def the_second_half_works_on_the_first_sum(student, rng):
    """The whole layer is x' = x + attention(norm(x)), then x'' = x' + FFN(norm(x'))."""
    drawn, x = encoder_case(student, rng)
    expect_close(drawn.layer(x), encode(x, drawn.weights), what="layer(x)")


@criterion(
    "encoder_layer",
    points=2,
    hints=[
        "What becomes of `mask` in your code?",
        "The attention takes it as `mask=mask`. True means that a token may be attended to.",
    ],
)
def padding_has_no_influence(student, rng):
    """With the mask (B, 1, 1, S), what stands at the masked positions does not change the results of the others."""
    drawn, x = encoder_case(student, rng)
    real = draw_padding(rng, *x.shape[:2])
    mask = real[:, None, None, :]
    result = expect_shape(drawn.layer(x, mask=mask), x.shape, what="layer(x, mask=mask)")
    expect_close(result[real], encode(x, drawn.weights, mask)[real], what="the real tokens of layer(x, mask=mask)")
    moved = np.where(real[:, :, None], x, draw(rng, *x.shape))
    again = expect_shape(drawn.layer(moved, mask=mask), x.shape, what="layer(x, mask=mask)")
    expect_close(again[real], np.asarray(result)[real], what="the real tokens after the padding was changed")


@criterion(
    "encoder_layer",
    hints=[
        "What does dropout act on: the sum, or what is added?",
        "The short cut must stay whole: x + dropout(y). And both halves need it, with training=training.",
    ],
)
def dropout_acts_on_what_is_added(student, rng):
    """In training, dropout acts on what each sub-layer adds and never on the short cut; otherwise it does nothing."""
    drawn, x = encoder_case(student, rng, dropout=0.999)
    expect_mostly_unchanged(drawn.layer(x, training=True), x, "layer(x, training=True)")
    expect_close(drawn.layer(x, training=False), encode(x, drawn.weights), what="layer(x, training=False)")


@criterion(
    "decoder_layer",
    hints=[
        "If all three sub-layers answer 0, what should come out?",
        "Three short cuts, each around one sub-layer, and nothing after the last sum.",
    ],
)
def three_silent_sub_layers_leave_x_alone(student, rng):
    """If all three sub-layers return 0, the layer returns x itself, also when source and target differ in length."""
    drawn, x, memory = decoder_case(student, rng, silent=("self_attention", "cross_attention", "feed_forward"))
    expect_close(drawn.layer(x, memory), x, what="layer(x, memory) with silent sub-layers")


@criterion(
    "decoder_layer",
    points=2,
    hints=[
        "Who asks whom in the first sub-layer?",
        "The target asks the target: query and value are both the normalised x. The memory has no part in it.",
    ],
)
def the_target_attends_to_itself(student, rng):
    """With the other two silent, the result is x + self-attention(n, n, mask) with n = norm(x)."""
    drawn, x, memory = decoder_case(student, rng, silent=("cross_attention", "feed_forward"))
    mask = causal(x.shape[1])
    expected = decode(x, memory, drawn.weights, mask)
    expect_close(drawn.layer(x, memory, mask=mask), expected, what="layer(x, memory, mask=mask), self-attention alone")


@criterion(
    "decoder_layer",
    points=2,
    hints=[
        "Where do the queries of the cross-attention come from, and where keys and values?",
        "The decoder asks, the memory answers: query is the normalised x, value the memory as it is.",
        "`self.cross_attention(self.cross_attention_norm(x), memory, mask=memory_mask)`",
    ],
)
def the_decoder_asks_and_the_memory_answers(student, rng):
    """With the other two silent, the result is x + cross-attention(query norm(x), value memory)."""
    drawn, x, memory = decoder_case(student, rng, silent=("self_attention", "feed_forward"))
    expected = decode(x, memory, drawn.weights)
    expect_close(drawn.layer(x, memory), expected, what="layer(x, memory), cross-attention alone")


@criterion(
    "decoder_layer",
    hints=[
        "What is left of the third sub-layer in your code?",
        "x + feed_forward(feed_forward_norm(x)), as in the encoder.",
    ],
)
def the_feed_forward_network_is_added_too(student, rng):
    """With both attentions silent, the result is x + FFN(norm(x))."""
    drawn, x, memory = decoder_case(student, rng, silent=("self_attention", "cross_attention"))
    expected = decode(x, memory, drawn.weights)
    expect_close(drawn.layer(x, memory), expected, what="layer(x, memory), feed-forward network alone")


@criterion(
    "decoder_layer",
    points=2,
    hints=[
        "What does each sub-layer start from, and which x does its short cut carry?",
        "Self-attention, cross-attention, feed-forward: each starts from the sum that the one before has made.",
    ],
)
def each_sub_layer_works_on_the_last_sum(student, rng):
    """The whole layer: self-attention, then cross-attention, then FFN, each on the sum made before it."""
    drawn, x, memory = decoder_case(student, rng)
    mask = causal(x.shape[1])
    expected = decode(x, memory, drawn.weights, mask)
    expect_close(drawn.layer(x, memory, mask=mask), expected, what="layer(x, memory, mask=mask)")


@criterion(
    "decoder_layer",
    points=2,
    hints=[
        "Carry out the leak test: change the last target token. Which outputs move?",
        "The self-attention takes `mask=mask`; `mask` already holds the causal mask.",
    ],
)
def no_position_sees_a_later_token(student, rng):
    """With a causal mask, changing a target token changes no output before it, in training too."""
    drawn, x, memory = decoder_case(student, rng)
    mask, place = causal(x.shape[1]), int(rng.integers(1, x.shape[1]))
    moved = x.copy()
    moved[:, place:] = draw(rng, *moved[:, place:].shape)  # the norm would take a constant shift out again
    for training in (False, True):
        before, after = (drawn.layer(each, memory, mask=mask, training=training) for each in (x, moved))
        before, after = (expect_shape(each, x.shape, what="layer(x, memory, mask=mask)") for each in (before, after))
        words = f"the outputs before position {place} after the tokens from {place} on were changed"
        expect_close(after[:, :place], before[:, :place], what=words)


@criterion(
    "decoder_layer",
    points=2,
    hints=[
        "There are two masks and two attentions. Which belongs to which?",
        "`mask` goes to the self-attention, `memory_mask` to the cross-attention; neither is needed twice.",
    ],
)
def each_attention_gets_its_own_mask(student, rng):
    """`mask` rules the self-attention alone, `memory_mask` the cross-attention alone, also where S = T."""
    drawn, x, memory = decoder_case(student, rng, square=True)
    mask = causal(x.shape[1])
    memory_mask = draw_padding(rng, *memory.shape[:2])[:, None, None, :]
    for words, masks in (
        ("mask=mask", {"mask": mask}),
        ("memory_mask=memory_mask", {"memory_mask": memory_mask}),
        ("both masks", {"mask": mask, "memory_mask": memory_mask}),
    ):
        expected = decode(x, memory, drawn.weights, **masks)
        expect_close(drawn.layer(x, memory, **masks), expected, what=f"layer(x, memory) with {words}")


@criterion(
    "decoder_layer",
    hints=[
        "Does dropout act on the sum, or on what is added? And how often?",
        "x + dropout(y) three times, with training=training.",
    ],
)
def dropout_acts_on_all_that_is_added(student, rng):
    """In training, dropout acts on what each of the three sub-layers adds, never on a short cut."""
    drawn, x, memory = decoder_case(student, rng, dropout=0.999)
    expect_mostly_unchanged(drawn.layer(x, memory, training=True), x, "layer(x, memory, training=True)")
    expected = decode(x, memory, drawn.weights)
    expect_close(drawn.layer(x, memory, training=False), expected, what="layer(x, memory, training=False)")


# --- exercise 3: shift_targets ----------------------------------------------------------------------------------------


def draw_sentences(rng, sentences, length, vocabulary=30):
    """Draw START, tokens, END and padding: (B, length), one sentence as long as it can be, the others shorter."""
    shorter = rng.integers(2, max(3, length - 2), size=sentences - 1)
    ids = np.zeros((sentences, length), dtype=np.int32)
    for row, end in enumerate(rng.permutation(np.append(shorter, length - 1))):
        ids[row, 0], ids[row, end] = START, END
        ids[row, 1:end] = rng.integers(4, vocabulary, size=end - 1)
    return ids


def call_shift(student, ids):
    result = student.shift_targets(ids)
    fits = isinstance(result, tuple | list) and len(result) == 2
    expect(fits, required="shift_targets returns a pair: inputs and targets", received=result)
    return result


@criterion(
    "shift_targets",
    hints=[
        "How many tokens does each of the two have, if a sentence has T + 1?",
        "One column less, in both; every sentence stays.",
    ],
)
def both_lose_one_column_and_no_sentence(student, rng):
    """For ids (B, T+1) both results have the shape (B, T), in this order: inputs, targets."""
    sentences, length = distinct_sizes(rng, 2, low=4)
    inputs, targets = call_shift(student, draw_sentences(rng, sentences, length))
    expect_shape(inputs, (sentences, length - 1), what="the inputs")
    expect_shape(targets, (sentences, length - 1), what="the targets")


@criterion(
    "shift_targets",
    hints=[
        "What is the decoder given first of all?",
        "The inputs are all columns but the last: `ids[:, :-1]`.",
    ],
)
def the_inputs_begin_with_start(student, rng):
    """The inputs are all columns but the last one."""
    ids = draw_sentences(rng, *distinct_sizes(rng, 2, low=4))
    expect_equal(call_shift(student, ids)[0], ids[:, :-1], what="the inputs")


@criterion(
    "shift_targets",
    points=2,
    hints=[
        "At the position of START, what should the decoder answer?",
        "The targets are all columns but the first: each is the token that comes next.",
    ],
)
def the_targets_are_one_place_ahead(student, rng):
    """The targets are all columns but the first one, so that each is what follows the input at its place."""
    ids = draw_sentences(rng, *distinct_sizes(rng, 2, low=4))
    expect_equal(call_shift(student, ids)[1], ids[:, 1:], what="the targets")


@criterion(
    "shift_targets",
    hints=[
        "Does your code write into ids, or expect a certain length?",
        "Two slices are enough. A slice copies nothing and changes nothing.",
    ],
)
def any_length_works_and_the_ids_stay(student, rng):
    """A single empty sentence (START, END) works as well, and ids is not changed."""
    for ids in (np.array([[START, END]], dtype=np.int32), draw_sentences(rng, *distinct_sizes(rng, 2, low=4))):
        inputs, targets = call_shift(student, ids)
        expect_unchanged(student)
        expect_equal(inputs, ids[:, :-1], what="the inputs")
        expect_equal(targets, ids[:, 1:], what="the targets")


# --- exercise 4: label_smoothed_loss ----------------------------------------------------------------------------------


def draw_predictions(rng, padded=True):
    """Draw targets (B, T) with padding and logits (B, T, V)."""
    sentences, length, size = distinct_sizes(rng, 3, low=4, high=12)
    targets = rng.integers(1, size, size=(sentences, length)).astype(np.int32)
    if padded:
        targets = np.where(draw_padding(rng, sentences, length), targets, PAD)
    return targets, draw(rng, sentences, length, size, scale=1.5)


@criterion(
    "label_smoothed_loss",
    points=2,
    hints=[
        "With epsilon 0, which one entry of each row of log-probabilities counts?",
        "Minus the log-probability of the target, and the mean over all positions.",
        "`ops.take_along_axis(ops.log_softmax(logits), targets[:, :, None], axis=-1)[:, :, 0]`",
    ],
)
def without_smoothing_it_is_the_cross_entropy(student, rng):
    """With epsilon 0 and without padding, the loss is one number: the mean of -log p of the targets."""
    targets, logits = draw_predictions(rng, padded=False)
    result = student.label_smoothed_loss(targets, logits, 0.0)
    expect_close(result, smoothed_loss(targets, logits, 0.0), what="the loss with epsilon 0")


@criterion(
    "label_smoothed_loss",
    points=2,
    hints=[
        "What share does the target keep, and what does each other token get?",
        "The target gets 1 - epsilon + epsilon / V, all others epsilon / V; the shares sum to 1.",
        "`-(1 - epsilon) * log_target - epsilon * ops.mean(log_probs, axis=-1)`",
    ],
)
def smoothing_shares_epsilon_among_all_tokens(student, rng):
    """The target has the weight 1 - epsilon + epsilon / V, each other token epsilon / V."""
    targets, logits = draw_predictions(rng, padded=False)
    epsilon = float(rng.uniform(0.1, 0.4))
    result = student.label_smoothed_loss(targets, logits, epsilon)
    expect_close(result, smoothed_loss(targets, logits, epsilon), what=f"the loss with epsilon {epsilon:.2f}")


@criterion(
    "label_smoothed_loss",
    points=2,
    hints=[
        "If you append padding to a batch, what should happen to its loss?",
        "Padding must vanish from the sum and from the count: divide by the number of real tokens.",
        "`ops.sum(each * real) / ops.sum(real)` with `real = ops.cast(ops.not_equal(targets, 0), 'float32')`.",
    ],
)
def padding_counts_neither_above_nor_below(student, rng):
    """Positions whose target is 0 count neither in the sum nor in the number of tokens."""
    targets, logits = draw_predictions(rng)
    for epsilon in (0.0, 0.2):
        expected = smoothed_loss(targets, logits, epsilon)
        expect_close(student.label_smoothed_loss(targets, logits, epsilon), expected, what="the loss of a padded batch")
        extra = int(rng.integers(2, 5))
        wider = np.pad(targets, ((0, 0), (0, extra)))
        longer = np.concatenate([logits, draw(rng, len(logits), extra, logits.shape[2])], axis=1)
        expect_close(student.label_smoothed_loss(wider, longer, epsilon), expected, what="the loss after more padding")


@criterion(
    "label_smoothed_loss",
    hints=[
        "Is your loss a mean over tokens, or a mean of the sentences' means?",
        "A sentence with five tokens counts five times as much as one with a single token.",
    ],
)
def every_token_weighs_the_same(student, rng):
    """The mean is taken over all real tokens of the batch, however they are spread over the sentences."""
    size, length = distinct_sizes(rng, 2, low=5, high=12)
    targets = rng.integers(1, size, size=(2, length)).astype(np.int32)
    targets[1, 1:] = PAD  # one long sentence and one single token
    logits = draw(rng, 2, length, size, scale=0.5)
    logits[0, np.arange(length), targets[0]] += 5
    logits[1, 0, targets[1, 0]] -= 5
    expected = smoothed_loss(targets, logits, 0.1)
    expect_close(student.label_smoothed_loss(targets, logits, 0.1), expected, what="the loss of a long and a short one")


@criterion(
    "label_smoothed_loss",
    hints=[
        "What is the logarithm of a probability that is exactly 0?",
        "Never take log(softmax(...)); `ops.log_softmax(logits)` does both safely in one step.",
    ],
)
def huge_logits_give_a_finite_loss(student, rng):
    """Logits of 1,000 and of -1,000 give the exact finite loss."""
    targets, logits = draw_predictions(rng)
    huge = (1000 * rng.choice([-1.0, 1.0], size=logits.shape)).astype(np.float32)
    for epsilon in (0.0, 0.1):
        expected = smoothed_loss(targets, huge, epsilon)
        expect_close(student.label_smoothed_loss(targets, huge, epsilon), expected, what="the loss of huge logits")


@criterion(
    "label_smoothed_loss",
    hints=[
        "Keras hands the targets over as floats. What does your code do with 7.0?",
        "Cast them first: `targets = ops.cast(targets, 'int32')`.",
    ],
)
def targets_may_come_as_floats(student, rng):
    """Targets such as 7.0, as `fit` passes them, give the same loss as the integer 7."""
    targets, logits = draw_predictions(rng)
    result = student.label_smoothed_loss(targets.astype(np.float32), logits, 0.1)
    expect_close(result, smoothed_loss(targets, logits, 0.1), what="the loss for targets as floats")


@criterion(
    "label_smoothed_loss",
    hints=[
        "How many real tokens does a batch of nothing but padding have?",
        "Dividing by 0 gives nan. `ops.maximum(ops.sum(real), 1.0)` never does.",
    ],
)
def a_batch_of_padding_has_no_loss(student, rng):
    """If all targets are padding, the loss is 0 and not nan."""
    targets, logits = draw_predictions(rng)
    expect_close(student.label_smoothed_loss(0 * targets, logits, 0.1), 0.0, what="the loss of nothing but padding")


# --- exercise 5: noam_schedule ----------------------------------------------------------------------------------------


def rate(step, d_model, warmup_steps):
    step = np.asarray(step, dtype=np.float64)
    return d_model**-0.5 * np.minimum(step**-0.5, step * float(warmup_steps) ** -1.5)


def expect_rates(received, step, d_model, warmup_steps, what):
    """Compare rates by their ratio to the right ones, since they are small numbers."""
    expected = rate(step, d_model, warmup_steps)
    received = np.asarray(expect_shape(received, expected.shape, what=what), dtype=np.float64)
    expect_close(received / expected, np.ones_like(expected), what=f"{what}, divided by the right one", tolerance=1e-5)


def draw_schedule(rng):
    return int(rng.choice([16, 48, 64, 100, 512])), int(rng.integers(20, 4000))


@criterion(
    "noam_schedule",
    hints=[
        "During warm-up, which of the two terms is the smaller one?",
        "step * warmup_steps**-1.5, times d_model**-0.5: a straight line through 0.",
    ],
)
def the_rate_rises_in_a_straight_line(student, rng):
    """Before the warm-up ends, the rate is d_model**-0.5 * step * warmup_steps**-1.5."""
    d_model, warmup_steps = draw_schedule(rng)
    for step in (1, int(rng.integers(2, warmup_steps))):
        received = student.noam_schedule(step, d_model, warmup_steps)
        expect_rates(received, step, d_model, warmup_steps, f"the rate of step {step} of {warmup_steps} warm-up steps")


@criterion(
    "noam_schedule",
    hints=[
        "After warm-up, which of the two terms is the smaller one?",
        "step**-0.5, times d_model**-0.5. Take the minimum of both terms, not the maximum.",
    ],
)
def after_that_it_falls_with_the_root(student, rng):
    """After the warm-up the rate is (d_model * step)**-0.5."""
    d_model, warmup_steps = draw_schedule(rng)
    for factor in (2, 9):
        step = factor * warmup_steps + int(rng.integers(10))
        received = student.noam_schedule(step, d_model, warmup_steps)
        expect_rates(received, step, d_model, warmup_steps, f"the rate of step {step}, after {warmup_steps} of warm-up")


@criterion(
    "noam_schedule",
    hints=[
        "Where do the two terms meet, and how large are they there?",
        "At step = warmup_steps both are warmup_steps**-0.5.",
    ],
)
def the_peak_is_where_the_warm_up_ends(student, rng):
    """At step = warmup_steps the rate is (d_model * warmup_steps)**-0.5, and on both sides of it the rate is lower."""
    d_model, warmup_steps = draw_schedule(rng)
    steps = (warmup_steps - 1, warmup_steps, warmup_steps + 1)
    before, peak, after = (student.noam_schedule(step, d_model, warmup_steps) for step in steps)
    expect_rates(peak, warmup_steps, d_model, warmup_steps, "the rate at the peak")
    expect(before < peak > after, required="lower rates on both sides of the peak", received=(before, peak, after))


@criterion(
    "noam_schedule",
    hints=[
        "Does your code work for an array of steps?",
        "`min` compares single numbers; `np.minimum` compares entry by entry. An `if` cannot compare a whole array.",
    ],
)
def many_steps_at_once_are_welcome(student, rng):
    """For an array of steps, integers or floats, the result is an array of the same shape."""
    d_model, warmup_steps = draw_schedule(rng)
    for kind in (np.int64, np.float32):
        steps = rng.integers(1, 3 * warmup_steps, size=distinct_sizes(rng, 2)).astype(kind)
        received = student.noam_schedule(steps, d_model, warmup_steps)
        expect_rates(received, steps, d_model, warmup_steps, "the rates of an array of steps")
        expect_unchanged(student)


# --- exercise 6: greedy_decode ----------------------------------------------------------------------------------------


class Speaker:
    """A trusted model that says a fixed sentence for each source; it notes what it is asked.

    The next token depends on the whole target so far: whoever feeds it something else hears something else.
    """

    def __init__(self, rng, lengths, vocabulary=23, noise=True):
        self.vocabulary, self.calls = vocabulary, []
        self.rng = np.random.default_rng(int(rng.integers(2**31)))
        self.source = rng.permutation(np.arange(4, 4 + 3 * len(lengths)).reshape(len(lengths), 3)).astype(np.int32)
        self.sentences = {}
        for row, length in zip(self.source, lengths, strict=True):  # END is the token number `length`
            words = rng.integers(4, vocabulary, size=40)
            words[length - 1 :] = np.where(np.arange(len(words[length - 1 :])) == 0, END, words[length - 1 :])
            self.sentences[tuple(row.tolist())] = words

    def __call__(self, source, target):
        source, target = np.asarray(source), np.asarray(target)
        self.calls.append((source.copy(), target.copy()))
        logits = self.rng.normal(size=(*target.shape, self.vocabulary))
        for row, ids in enumerate(source):
            words = self.sentences.get(tuple(ids.tolist()))
            for place in range(target.shape[1]):
                started = target[row, 0] == START
                wanted = words[place] if words is not None and started else 1
                logits[row, place, wanted] += 12
        return logits.astype(np.float32)

    def expected(self, max_length):
        """Return what greedy decoding writes: (B, max_length)."""
        rows = np.array([self.sentences[tuple(ids.tolist())][:max_length] for ids in self.source])
        after = np.cumsum(rows == END, axis=1) - (rows == END) > 0
        return np.where(after, PAD, rows)


def call_decode(student, speaker, max_length):
    return student.greedy_decode(speaker, speaker.source, max_length)


@criterion(
    "greedy_decode",
    hints=[
        "How many columns should the result have? Does START belong to it?",
        "As many as max_length; START is what you begin with and is cut off at the end.",
        "Make an array of zeros (B, max_length + 1) with START in its first column; return `target[:, 1:]`.",
    ],
)
def the_result_has_max_length_columns(student, rng):
    """The result has the shape (B, max_length) and holds integers, also when all sentences end early."""
    count, max_length = distinct_sizes(rng, 2, low=3)
    speaker = Speaker(rng, rng.integers(2, max_length, size=count))
    result = expect_shape(call_decode(student, speaker, max_length), (count, max_length), what="greedy_decode(...)")
    expect(result.dtype.kind in "iu", required="an array of integers", received=f"dtype {result.dtype}")


@criterion(
    "greedy_decode",
    points=2,
    hints=[
        "Which position of the logits speaks about the next token?",
        "The last one: `logits[:, -1]`, shape (B, V). The largest entry of each row is the next token.",
        "`target[:, length] = logits[:, -1].argmax(axis=-1)`, for length = 1, 2, ..., max_length.",
    ],
)
def each_token_is_the_best_of_the_last_position(student, rng):
    """Each new token is the one with the highest score at the last position, for each sentence by itself."""
    count, max_length = distinct_sizes(rng, 2, low=4)
    speaker = Speaker(rng, [30] * count)  # nobody comes to an end
    expect_equal(call_decode(student, speaker, max_length), speaker.expected(max_length), what="greedy_decode(...)")


@criterion(
    "greedy_decode",
    points=2,
    hints=[
        "What does the model say for a sentence that is already finished, and who listens to it?",
        "Remember for each sentence whether it is finished, and write PAD for it from then on.",
        "`np.where(finished, 0, best)`, and after each step `finished |= target[:, length] == 3`.",
    ],
)
def each_sentence_stops_at_its_own_end(student, rng):
    """Each sentence keeps its tokens up to and with END; behind it there is only PAD, while the others go on."""
    max_length = int(rng.integers(7, 11))
    lengths = rng.choice(np.arange(1, max_length + 1), size=5, replace=False)
    speaker = Speaker(rng, lengths)
    expect_equal(call_decode(student, speaker, max_length), speaker.expected(max_length), what="greedy_decode(...)")


@criterion(
    "greedy_decode",
    hints=[
        "With which target do you call the model first, and how does it grow?",
        "First with START alone, (B, 1); then with one column more in each call: START and all that was written.",
        "`model(source, target[:, :length])`",
    ],
)
def the_model_sees_start_and_all_that_was_written(student, rng):
    """Call number t gives the model the whole source, and START followed by the t - 1 tokens written so far."""
    count, max_length = distinct_sizes(rng, 2, low=4)
    speaker = Speaker(rng, [30] * count)
    call_decode(student, speaker, max_length)
    written = np.concatenate([np.full((count, 1), START), speaker.expected(max_length)], axis=1)
    expect(speaker.calls, required="the model is called", received="no call")
    for number, (source, target) in enumerate(speaker.calls, start=1):
        expect_equal(source, speaker.source, what=f"the source of call {number}")
        expect_equal(target, written[:, :number], what=f"the target of call {number}")


@criterion(
    "greedy_decode",
    hints=[
        "How often is the model called if all sentences have three tokens and max_length is 50?",
        "As soon as all are finished, leave the loop: `if finished.all(): break`.",
    ],
)
def it_stops_when_all_are_finished(student, rng):
    """The model is called as often as the longest sentence has tokens, END included, and not once more."""
    lengths = rng.choice(np.arange(2, 8), size=4, replace=False)
    for max_length in (int(max(lengths)) + 9, int(max(lengths)) - 1):
        speaker = Speaker(rng, lengths)
        call_decode(student, speaker, max_length)
        calls = min(int(max(lengths)), max_length)
        words = f"{calls} calls for sentences of up to {max(lengths)} tokens and max_length {max_length}"
        expect(len(speaker.calls) == calls, required=words, received=f"{len(speaker.calls)} calls")


@criterion(
    "greedy_decode",
    hints=[
        "What if END is the very last token that fits, or one too late?",
        "max_length counts the tokens after START, END included. A sentence that is cut off has no END.",
    ],
)
def end_may_be_the_last_token_that_fits(student, rng):
    """A sentence with exactly max_length tokens keeps its END; a longer one is cut off without END; one is enough."""
    for max_length in (int(rng.integers(4, 9)), 1):
        speaker = Speaker(rng, [max_length, max_length + 1, max(1, max_length - 1)])
        expect_equal(
            call_decode(student, speaker, max_length),
            speaker.expected(max_length),
            what=f"greedy_decode(..., max_length={max_length})",
        )


@criterion(
    "greedy_decode",
    hints=["Do you write into source?", "Write into an array of your own; source belongs to the caller."],
)
def the_source_stays_and_one_sentence_is_enough(student, rng):
    """A batch of one sentence works as well, and source is not changed."""
    speaker = Speaker(rng, [int(rng.integers(2, 6))])
    max_length = int(rng.integers(6, 9))
    result = call_decode(student, speaker, max_length)
    expect_unchanged(student)
    expect_equal(result, speaker.expected(max_length), what="greedy_decode for one sentence")


# --- exercise 7: repair_formula ---------------------------------------------------------------------------------------


def attention_inputs(rng, sizes=None):
    """Draw x (B, T, D), memory (B, S, D) and the three weights; sizes are B, T, S, D, K, E."""
    b, t, s, d, k, e = distinct_sizes(rng, 6) if sizes is None else sizes
    return [draw(rng, *shape) for shape in ((b, t, d), (b, s, d), (d, k), (d, k), (d, e))]


def square_inputs(rng):
    """Draw inputs as in the article: all sizes equal but B, so that no shape gives a fault away."""
    size = int(rng.integers(4, 7))
    return attention_inputs(rng, (int(rng.integers(2, 4)), *[size] * 5))


def formula(x, memory, w_query, w_key, w_value, allowed=None):
    """Compute scores, weights, values and the output of one head."""
    x, memory, w_query, w_key, w_value = as_float64([x, memory, w_query, w_key, w_value])
    scores = (x @ w_query) @ np.swapaxes(memory @ w_key, 1, 2) / np.sqrt(w_key.shape[1])
    weights = softmax(scores if allowed is None else np.where(allowed, scores, -np.inf))
    return scores, weights, memory @ w_value, weights @ (memory @ w_value)


def call_attention(student, inputs, **options):
    """Call the learner's function and require the pair of output and weights."""
    result = student.repaired_attention(*inputs, **options)
    fits = isinstance(result, tuple | list) and len(result) == 2
    expect(fits, required="repaired_attention returns a pair: the output and the weights", received=result)
    x, memory, _, _, w_value = inputs
    output = expect_shape(result[0], (*x.shape[:2], w_value.shape[1]), what="the output")
    weights = expect_shape(result[1], (*x.shape[:2], memory.shape[1]), what="the weights")
    return np.asarray(output, dtype=np.float64), np.asarray(weights, dtype=np.float64)


@criterion(
    "repair_formula",
    hints=[
        "Add up a row of the weights of the listing. What should the sum be?",
        "Weights of a mean are positive and sum to 1 over the keys. Which function makes such numbers of scores?",
        "`weights = ops.softmax(scores, axis=-1)`",
    ],
)
def the_weights_of_each_query_sum_to_one(student, rng):
    """The weights are positive and sum to 1 over the keys."""
    _, weights = call_attention(student, square_inputs(rng))
    expect(weights.min() >= 0, required="weights that are not negative", received=float(weights.min()))
    expect_close(weights.sum(axis=-1), np.ones(weights.shape[:2]), what="the sum of each row", tolerance=1e-4)


@criterion(
    "repair_formula",
    hints=[
        "Are the tokens of the queries rows or columns? And those of the keys?",
        "Write (B, T, K) or (B, K, S) beside each line. What are the rows of `key` in the listing?",
        "`key = ops.matmul(memory, w_key)`, (B, S, K): one token in each row, like the queries.",
    ],
)
def queries_and_keys_have_one_token_in_each_row(student, rng):
    """For each query, the keys are ranked by the dot products of the query's row with the rows of the keys."""
    inputs = square_inputs(rng)
    _, weights = call_attention(student, inputs)
    ranking = np.argsort(np.argsort(formula(*inputs)[0], axis=-1), axis=-1)
    expect_equal(np.argsort(np.argsort(weights, axis=-1), axis=-1), ranking, what="the rank of each key for each query")


@criterion(
    "repair_formula",
    hints=[
        "Take the weights that come out and average the values yourself: is that the output?",
        "Row t of the output is the mean of the rows of value, weighed with row t of the weights.",
        "`ops.matmul(weights, value)`: (B, T, S) times (B, S, E). Nothing needs to be transposed.",
    ],
)
def the_output_is_the_mean_of_the_values(student, rng):
    """The output is weights @ value, where value = memory @ w_value has one token in each row."""
    inputs = square_inputs(rng)
    output, weights = call_attention(student, inputs)
    expect_close(output, weights @ formula(*inputs)[2], what="the output", tolerance=1e-3)


@criterion(
    "repair_formula",
    hints=[
        "Make a shape table with six different sizes. At which line does it break?",
        "(B, T, K) times (B, K, S) gives (B, T, S), and (B, T, S) times (B, S, E) gives (B, T, E).",
    ],
)
def six_different_sizes_fit_together(student, rng):
    """With six different sizes the output has the shape (B, T, E), and the weights (B, T, S)."""
    call_attention(student, attention_inputs(rng))


def allow(real, length=None):
    """Make the oracle's mask (B, T or 1, S) from the real tokens (B, S), and from the causal rule."""
    return real[:, None, :] if length is None else real[:, None, :] & causal(length)[0]


@criterion(
    "repair_formula",
    hints=[
        "What is the weight of a masked key?",
        "A masked score becomes -1e9 before the softmax; then its weight is 0.",
    ],
)
def padding_gets_no_weight(student, rng):
    """With a mask, keys that are padding get no weight."""
    inputs = square_inputs(rng)
    real = draw_padding(rng, *inputs[1].shape[:2])
    _, weights = call_attention(student, inputs, mask=real)
    hidden = np.broadcast_to(~allow(real), weights.shape)
    expect(weights[hidden].max() < 1e-6, required="no weight on padding", received=float(weights[hidden].max()))


@criterion(
    "repair_formula",
    points=2,
    hints=[
        "What happens to the padding mask when causal=True?",
        "One variable holds first one mask and then the other. A key must be allowed by both.",
        "Apply the two one after the other, or combine them with `ops.logical_and`.",
    ],
)
def padding_stays_hidden_when_the_future_is_hidden_too(student, rng):
    """With causal=True a query gives no weight to later tokens, and with a mask in addition none to padding either."""
    inputs = square_inputs(rng)
    inputs[1] = inputs[0]
    length = inputs[0].shape[1]
    for real in (None, rng.permutation(draw_padding(rng, len(inputs[0]), length)[:, ::-1])):  # padding at the start
        options = {} if real is None else {"mask": real}
        _, weights = call_attention(student, inputs, causal=True, **options)
        everything = np.ones(inputs[0].shape[:2], dtype=bool)
        hidden = np.broadcast_to(~allow(everything if real is None else real, length), weights.shape)
        if real is not None:  # a query before its first real token has no allowed key: nothing is said about it
            hidden = hidden & ~hidden.all(axis=-1, keepdims=True)
        words = "no weight on later tokens" + ("" if real is None else " and none on padding")
        expect(weights[hidden].max() < 1e-6, required=words, received=float(weights[hidden].max()))


@criterion(
    "repair_formula",
    points=2,
    hints=[
        "Compare with the formula of the last lesson, factor by factor.",
        "softmax(Q K^T / sqrt(K)) V, with Q = x W_Q, K = memory W_K and V = memory W_V.",
    ],
)
def it_is_the_formula_of_attention(student, rng):
    """Output and weights are those of softmax(Q K^T / sqrt(K)) V, without masks, with one, and with both."""
    inputs = attention_inputs(rng)
    real = draw_padding(rng, *inputs[1].shape[:2])
    square = [inputs[0], inputs[0], *inputs[2:]]
    real_square = draw_padding(rng, *inputs[0].shape[:2])
    for words, arrays, options, allowed in (
        ("without masks", inputs, {}, None),
        ("with a mask", inputs, {"mask": real}, allow(real)),
        ("with both masks", square, {"mask": real_square, "causal": True}, allow(real_square, square[0].shape[1])),
    ):
        output, weights = call_attention(student, arrays, **options)
        expected = formula(*arrays, allowed)
        expect_close(weights, expected[1], what=f"the weights {words}", tolerance=1e-4)
        expect_close(output, expected[3], what=f"the output {words}", tolerance=1e-4)


# --- exercise 8: repair_layers ----------------------------------------------------------------------------------------

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
        getattr(model, name).set_weights(values)
    return model


def attention_sizes(model):
    return [[layer.num_heads, layer.key_dim] for layer in model._flatten_layers() if hasattr(layer, "key_dim")]


def table_sizes(model):
    return [
        [layer.input_dim, layer.output_dim]
        for layer in model._flatten_layers()
        if isinstance(layer, _keras.layers.Embedding)
    ]


def widths(model, d_model):
    zeros = _numpy.zeros((1, 2, d_model), dtype="float32")
    return [_numpy.shape(getattr(model, name)(zeros))[-1] for name in ("encoder_feed_forward", "feed_forward")]


def scale_layer(model, name, factor):
    layer = getattr(model, name)
    layer.set_weights([value * factor for value in layer.get_weights()])


def shift_tables(model, which):
    tables = [layer for layer in model._flatten_layers() if isinstance(layer, _keras.layers.Embedding)]
    table = tables[which]
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
    "repair_layers",
    hints=[
        "How wide is one head, if H of them together are as wide as the model?",
        "key_dim is the width of one head, K = D / H. Count the parameters of an attention: 4 (D D + D).",
        "`keras.layers.MultiHeadAttention(num_heads, d_model // num_heads)`, everywhere.",
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
    "repair_layers",
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
    "repair_layers",
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
    "repair_layers",
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
    "repair_layers",
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
    "repair_layers",
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
    "repair_layers",
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
    "repair_layers",
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
    "repair_layers",
    hints=[
        "How many embeddings does a model need that reads one language and writes another?",
        "Two: source_embedding with source_vocab_size rows, target_embedding with target_vocab_size rows.",
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
    "repair_layers",
    points=2,
    slow=True,
    hints=[
        "Change the weights of the embedding: do the logits move?",
        "A layer that is only made does nothing. It has to be called with the ids.",
        "`self.source_embedding(source_ids)` and `self.target_embedding(target_ids)`, in place of the one-hot vectors.",
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
    "repair_layers",
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


def positional(length, width):
    angles = np.arange(length)[:, None] / 10000.0 ** (np.arange(0, width, 2) / width)
    return np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(length, width)


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
    "repair_layers",
    points=3,
    hints=[
        "Compare your call line by line with the two boxes of parts 2 and 3.",
        "Norm before each sub-layer, the sum with x from before the norm, encoder_norm and decoder_norm at the end.",
    ],
)
def the_logits_are_those_of_the_two_boxes(student, rng):
    """With given weights and sizes that all differ, the logits are those of the formulas (with or without sqrt(D))."""
    student.define(PROBES)
    heads, half, sentences, source_length, target_length = distinct_sizes(rng, 5, low=2, high=7)
    width, hidden = 2 * half * heads, 2 * half * heads + 5
    sizes = int(rng.integers(10, 15)), int(rng.integers(16, 21))
    source = draw_ids(rng, sentences, source_length, sizes[0], low=0)
    target = draw_ids(rng, sentences, target_length, sizes[1], low=0)
    weights = {"source_embedding": [draw(rng, sizes[0], width)], "target_embedding": [draw(rng, sizes[1], width)]}
    for name in ("encoder_attention", "self_attention", "cross_attention"):
        weights[name] = draw_attention(rng, width, heads)
        weights[f"{name}_norm"] = draw_norm(rng, width)
    for name in ("encoder_feed_forward", "feed_forward"):
        weights[name] = draw_feed_forward(rng, width, hidden)
        weights[f"{name}_norm"] = draw_norm(rng, width)
    weights |= {"encoder_norm": draw_norm(rng, width), "decoder_norm": draw_norm(rng, width)}
    weights["to_logits"] = [draw(rng, width, sizes[1], scale=0.5), draw(rng, sizes[1])]
    model = student.make_model(*sizes, width, heads, hidden, source, target, weights)
    received = expect_shape(model(source, target), (*target.shape, sizes[1]), what="model(source_ids, target_ids)")
    plain, scaled = (transform(source, target, weights, scale) for scale in (1.0, width**0.5))
    nearer = min((plain, scaled), key=lambda expected: float(np.abs(np.asarray(received) - expected).max()))
    expect_close(received, nearer, what="model(source_ids, target_ids)", tolerance=1e-3)


# --- exercise 9: repair_training --------------------------------------------------------------------------------------


def draw_translation(rng):
    """Draw source ids (B, S) and target ids (B, T+1), both padded, all sizes different."""
    sentences, source, target = distinct_sizes(rng, 3, low=5, high=11)
    ids = draw_sentences(rng, sentences, source)
    ids[:, :-1] = np.where(ids[:, :-1] == START, 4, ids[:, :-1])
    return ids, draw_sentences(rng, sentences, target)


def call_masks(student, source, inputs):
    """Return the three masks as booleans (B, 1, rows, columns); None allows everything."""
    result = student.make_masks(source, inputs)
    fits = isinstance(result, tuple | list) and len(result) == 3
    expect(fits, required="make_masks returns three masks", received=result)
    (sentences, s), t = source.shape, inputs.shape[1]
    masks = []
    for mask, shape, words in zip(
        result, ((s, s), (t, t), (t, s)), ("encoder", "decoder", "cross-attention"), strict=True
    ):
        mask = np.ones((1, 1, 1, 1), dtype=bool) if mask is None else np.asarray(mask)
        fits = mask.dtype == bool and mask.ndim == 4
        received = f"shape {mask.shape}, dtype {mask.dtype}"
        expect(fits, required=f"the mask of the {words} is boolean with four axes", received=received)
        full = (sentences, 1, *shape)
        fits = all(have in (1, want) for have, want in zip(mask.shape, full, strict=True))
        expect(
            fits, required=f"the mask of the {words} broadcasts to (B, 1, T or S, S or T) = {full}", received=received
        )
        masks.append(np.broadcast_to(mask, full))
    return masks


@criterion(
    "repair_training",
    points=2,
    hints=[
        "Which of the three masks keeps a position from seeing the answer?",
        "The mask of the decoder's self-attention holds the causal mask: token t may see tokens up to t.",
        "`layers.combine_masks(layers.padding_mask(inputs), layers.causal_mask(inputs.shape[1]))`",
    ],
)
def the_decoder_does_not_see_the_future(student, rng):
    """The decoder's mask forbids every later position, and allows each real token up to the position itself."""
    source, target = draw_translation(rng)
    inputs = target[:, :-1]
    _, mask, _ = call_masks(student, source, inputs)
    late = np.broadcast_to(~causal(inputs.shape[1]), mask.shape)
    expect(not mask[late].any(), required="no position may attend to a later one", received=f"{mask[late].sum()} do")
    wanted = ~late & (inputs != PAD)[:, None, None, :]
    expect(mask[wanted].all(), required="real tokens up to the position are allowed", received="some are forbidden")


@criterion(
    "repair_training",
    hints=[
        "May a target token attend to padding among the inputs?",
        "The decoder's mask is causal AND allows real tokens only. Combine both.",
    ],
)
def padding_of_the_target_is_hidden(student, rng):
    """The decoder's mask forbids padding of the inputs as a key."""
    source, target = draw_translation(rng)
    inputs = target[:, :-1]
    _, mask, _ = call_masks(student, source, inputs)
    padding = np.broadcast_to((inputs == PAD)[:, None, None, :], mask.shape)
    expect(not mask[padding].any(), required="no attention to padding", received=f"{mask[padding].sum()} times allowed")


@criterion(
    "repair_training",
    points=2,
    hints=[
        "Who attends to the source? There are two of them.",
        "The encoder's self-attention and the decoder's cross-attention both need the padding mask of the source.",
        "`layers.padding_mask(source_ids)`, twice.",
    ],
)
def padding_of_the_source_is_hidden_from_both(student, rng):
    """The masks of the encoder and of the cross-attention allow exactly the real tokens of the source."""
    source, target = draw_translation(rng)
    encoder, _, cross = call_masks(student, source, target[:, :-1])
    for mask, words in ((encoder, "the encoder's mask"), (cross, "the cross-attention's mask")):
        expected = np.broadcast_to((source != PAD)[:, None, None, :], mask.shape)
        wrong = int((mask != expected).sum())
        expect(wrong == 0, required=f"{words} allows the real source tokens only", received=f"{wrong} wrong entries")


def call_batch(student, source, target):
    result = student.make_batch(source, target)
    fits = isinstance(result, tuple | list) and len(result) == 2
    expect(fits, required="make_batch returns a pair: x and y", received=result)
    return result


@criterion(
    "repair_training",
    points=2,
    hints=[
        "What is the right answer at the position of START?",
        "The labels are one place ahead of the inputs: all columns but the first.",
    ],
)
def the_labels_are_one_place_ahead(student, rng):
    """The labels are target_ids without their first column."""
    source, target = draw_translation(rng)
    expect_equal(call_batch(student, source, target)[1], target[:, 1:], what="the labels y")


@criterion(
    "repair_training",
    points=2,
    hints=[
        "How many inputs does an encoder-decoder model have?",
        "x is the pair (source_ids, inputs). The inputs begin with START and lack the last column.",
    ],
)
def fit_is_given_both_inputs(student, rng):
    """x is the pair of the source and of what the decoder is given, which begins with START."""
    source, target = draw_translation(rng)
    x = call_batch(student, source, target)[0]
    fits = isinstance(x, tuple | list) and len(x) == 2
    expect(fits, required="x is the pair (source_ids, inputs)", received=x)
    expect_equal(x[0], source, what="the first input, the source")
    expect_equal(x[1], target[:, :-1], what="the second input, given to the decoder")


@criterion(
    "repair_training",
    points=2,
    hints=[
        "Add the same number to all logits. Should the loss change?",
        "Logits are no probabilities: they may be negative or larger than 1. Softmax comes first.",
        "`log_probs = ops.log_softmax(logits)`",
    ],
)
def only_differences_between_logits_count(student, rng):
    """Adding a constant to all logits of a position does not change the loss."""
    labels, logits = draw_predictions(rng)
    before = expect_shape(student.sequence_loss(labels, logits), (), what="sequence_loss(labels, logits)")
    shifts = rng.uniform(-8, 8, size=(*labels.shape, 1)).astype(np.float32)
    after = student.sequence_loss(labels, logits + shifts)
    expect_close(after, before, what="the loss after a constant was added to the logits of each position")


@criterion(
    "repair_training",
    points=2,
    hints=[
        "Does it matter for the loss whether a word has the id 5 or the id 16?",
        "labels * log_probs is right for one-hot rows. For ids, pick the entry at the id's place.",
        "`ops.take_along_axis(log_probs, labels[:, :, None], axis=-1)[:, :, 0]`",
    ],
)
def the_numbers_of_the_tokens_do_not_matter(student, rng):
    """Renaming the tokens (ids and columns of the logits alike, PAD stays 0) does not change the loss."""
    labels, logits = draw_predictions(rng)
    before = expect_shape(student.sequence_loss(labels, logits), (), what="sequence_loss(labels, logits)")
    size = logits.shape[-1]
    new_ids = np.append(0, 1 + np.roll(np.arange(size - 1), int(rng.integers(1, size - 1)))).astype(np.int32)
    renamed = np.empty_like(logits)
    renamed[:, :, new_ids] = logits
    after = student.sequence_loss(new_ids[labels], renamed)
    expect_close(after, before, what="the loss after the tokens were renamed")


@criterion(
    "repair_training",
    points=2,
    hints=[
        "Carry out the padding test on the loss: append columns of padding.",
        "Padding counts neither in the sum nor in the number of tokens that you divide by.",
    ],
)
def padding_does_not_count(student, rng):
    """Neither more padding nor other logits at padding change the loss."""
    labels, logits = draw_predictions(rng)
    before = expect_shape(student.sequence_loss(labels, logits), (), what="sequence_loss(labels, logits)")
    moved = np.where((labels == PAD)[:, :, None], logits[:, :, ::-1] + draw(rng, *logits.shape), logits)
    expect_close(student.sequence_loss(labels, moved), before, what="the loss after the logits at padding were changed")
    wider = np.pad(labels, ((0, 0), (0, 4)))
    longer = np.concatenate([logits, draw(rng, len(logits), 4, logits.shape[2])], axis=1)
    expect_close(student.sequence_loss(wider, longer), before, what="the loss after more padding")


@criterion(
    "repair_training",
    points=2,
    hints=[
        "What is the loss of a model that gives all V tokens the same score?",
        "Minus the log-probability of the label, natural logarithm, the mean over the real tokens.",
    ],
)
def the_loss_is_the_cross_entropy_of_real_tokens(student, rng):
    """The loss is one number: the mean of -log p of the label over all real tokens; equal logits give log(V)."""
    labels, logits = draw_predictions(rng)
    expect_close(student.sequence_loss(labels, 0 * logits), np.log(logits.shape[-1]), what="the loss of equal logits")
    expected = smoothed_loss(labels, logits, 0.0)
    expect_close(student.sequence_loss(labels, logits), expected, what="sequence_loss(labels, logits)")
