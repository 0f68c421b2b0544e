"""Exercise `decoder_layer`: what a right answer must do, and typical wrong ones."""

import numpy as np

from llmcourse.checking import (
    accepted,
    criterion,
    expect_close,
    expect_gradients,
    expect_learning,
    expect_shape,
    mutants,
)

from ..oracles import (
    ATTEND,
    ENTER_1,
    ENTER_2,
    MAKE_OPEN,
    SUM_1,
    SUM_2,
    DrawnLayer,
    causal,
    decode,
    draw,
    draw_padding,
    expect_dropped_once,
    expect_mostly_unchanged,
)


def decoder_case(student, rng, silent=(), dropout=0.0, square=False):
    """Draw a decoder layer, x (B, T, D) and memory (B, S, D)."""
    drawn = DrawnLayer(student, rng, "DecoderLayer", silent, dropout)
    sentences, target, source = drawn.sizes
    source = target if square else source
    return drawn, draw(rng, sentences, target, drawn.width) + 0.5, draw(rng, sentences, source, drawn.width) - 0.3


@criterion(
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
    points=2,
    hints=[
        "There are two masks and two attentions. Which belongs to which?",
        "`mask` goes to the self-attention, `memory_mask` to the cross-attention; neither is needed twice.",
    ],
)
def each_attention_gets_its_own_mask(student, rng):
    """`mask` rules the self-attention alone, `memory_mask` the cross-attention alone, also where S = T."""
    drawn, x, memory = decoder_case(student, rng, square=True)
    real = draw_padding(rng, *x.shape[:2])
    real[0] = True  # the sentences have different masks
    mask = causal(x.shape[1]) & real[:, None, None, :]
    memory_mask = draw_padding(rng, *memory.shape[:2])[:, None, None, :]
    for words, masks in (
        ("mask=mask", {"mask": mask}),
        ("memory_mask=memory_mask", {"memory_mask": memory_mask}),
        ("both masks", {"mask": mask, "memory_mask": memory_mask}),
    ):
        expected = decode(x, memory, drawn.weights, **masks)
        expect_close(drawn.layer(x, memory, **masks), expected, what=f"layer(x, memory) with {words}")


@criterion(
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
    for options in ({"training": False}, {}):
        expect_close(drawn.layer(x, memory, **options), expected, what="layer(x, memory) in use")
    drawn, x, memory = decoder_case(student, rng, ("self_attention", "feed_forward"), dropout=0.5)
    added = decode(x, memory, drawn.weights) - x
    expect_dropped_once(drawn.layer(x, memory, training=True), x, added, 0.5, "layer(x, memory, training=True)")


@criterion(
    hints=[
        "Does a gradient come back to x and to the memory, and to all weights?",
        "The encoder learns only what comes back through the memory. Cut nothing with ops.stop_gradient or NumPy.",
    ],
)
def everything_can_learn(student, rng):
    """The gradients that come back to x and to the memory are right, and each weight of the layer gets one."""
    drawn = DrawnLayer(student, rng, "DecoderLayer")
    student.define(MAKE_OPEN)
    x, memory = draw(rng, 1, 2, drawn.width), draw(rng, 1, 3, drawn.width)
    masks = {"mask": causal(2), "memory_mask": np.array([[[[True, True, False]]]])}
    expect_gradients(
        student,
        rng,
        "call_decoder",
        {"x": x, "memory": memory},
        lambda x, memory: decode(x, memory, drawn.weights, **masks),
        options={"layer": drawn.layer, **masks},
        tolerance=1e-2,
    )
    expect_learning(student, drawn.layer, x, memory, what="the layer", training=True)


@criterion(
    hints=[
        "Does your layer ask how long the sentences are, or treat training otherwise than use?",
        "In a model both lengths may be open. The masks hold in training as they do in use.",
    ],
)
def lengths_may_be_open_and_change(student, rng):
    """In a model whose lengths are open, several lengths of source and target come out right, in training and in use."""
    drawn, _, _ = decoder_case(student, rng)
    student.define(MAKE_OPEN)
    model = student.make_open_model(drawn.layer, drawn.width, "decoder")
    for training in (True, False):
        for _ in range(2):
            target, source = (int(size) for size in rng.choice(np.arange(2, 13), size=2, replace=False))
            x, memory = draw(rng, 2, target, drawn.width), draw(rng, 2, source, drawn.width)
            masks = {"mask": np.repeat(causal(target), 2, axis=0)}
            masks["memory_mask"] = draw_padding(rng, 2, source)[:, None, None, :]
            result = model([x, memory, *masks.values()], training=training)
            what = f"the model for T = {target} and S = {source} with training={training}"
            expect_close(result, decode(x, memory, drawn.weights, **masks), what=what, tolerance=1e-3)


# --- typical wrong answers, each with the criterion that must catch it ------------------------------------------------

DECODER = """
class DecoderLayer(keras.layers.Layer):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.0):
        super().__init__()
        self.self_attention_norm = keras.layers.LayerNormalization(epsilon=1e-5)
        self.self_attention = layers.MultiHeadAttention(num_heads, d_model // num_heads)
        self.cross_attention_norm = keras.layers.LayerNormalization(epsilon=1e-5)
        self.cross_attention = layers.MultiHeadAttention(num_heads, d_model // num_heads)
        self.feed_forward_norm = keras.layers.LayerNormalization(epsilon=1e-5)
        self.feed_forward = layers.FeedForward(d_model, d_ff)
        self.dropout = keras.layers.Dropout(dropout)

    def build(self, x_shape, memory_shape):
        self.self_attention_norm.build(x_shape)
        self.self_attention.build(x_shape, x_shape)
        self.cross_attention_norm.build(x_shape)
        self.cross_attention.build(x_shape, memory_shape)
        self.feed_forward_norm.build(x_shape)
        self.feed_forward.build(x_shape)

    def call(self, x, memory, mask=None, memory_mask=None, training=None):
        first = x
        y = self.self_attention_norm(x)
        y = self.self_attention(y, y, mask=mask)
        x = x + self.dropout(y, training=training)
        second = x
        c = self.cross_attention(self.cross_attention_norm(x), memory, mask=memory_mask)
        x = x + self.dropout(c, training=training)
        z = self.feed_forward(self.feed_forward_norm(x))
        return x + self.dropout(z, training=training)
"""
CROSS = "self.cross_attention(self.cross_attention_norm(x), memory, mask=memory_mask)"
SUM_C = "x = x + self.dropout(c, training=training)"
mutants(DECODER, "*", [("imports the answer", DECODER, "DecoderLayer = layers.DecoderLayer")])
mutants(
    DECODER,
    "three_silent_sub_layers_leave_x_alone",
    [
        ("no short cut around the cross-attention", SUM_C, "x = self.dropout(c, training=training)"),
        ("no short cut around the self-attention", SUM_1, "x = self.dropout(y, training=training)"),
        ("no short cut around the feed-forward network", SUM_2, "return self.dropout(z, training=training)"),
        ("a norm after the last sum", SUM_2, "return self.feed_forward_norm(x + self.dropout(z, training=training))"),
        ("the memory takes the place of the short cut", SUM_C, "x = memory + self.dropout(c, training=training)"),
        ("the short cut starts behind the norm", ENTER_1, "x = y = self.self_attention_norm(x)"),
    ],
)
mutants(
    DECODER,
    "the_target_attends_to_itself",
    [
        ("the self-attention asks the memory", ATTEND, "self.self_attention(y, memory)"),
        ("normalises the query only", ATTEND, "self.self_attention(y, x, mask=mask)"),
        ("no norm before the self-attention", ENTER_1, "y = x"),
        ("takes the norm of the cross-attention", ENTER_1, "y = self.cross_attention_norm(x)"),
    ],
)
mutants(
    DECODER,
    "the_decoder_asks_and_the_memory_answers",
    [
        ("the memory asks and the target answers", CROSS, "self.cross_attention(memory, self.cross_attention_norm(x))"),
        (
            "a second self-attention",
            CROSS,
            "self.cross_attention(self.cross_attention_norm(x), self.cross_attention_norm(x))",
        ),
        (
            "normalises the memory too",
            CROSS,
            "self.cross_attention(self.cross_attention_norm(x), self.cross_attention_norm(memory), mask=memory_mask)",
        ),
        ("no norm before the cross-attention", CROSS, "self.cross_attention(x, memory, mask=memory_mask)"),
        (
            "uses the weights of the self-attention again",
            CROSS,
            "self.self_attention(self.cross_attention_norm(x), memory, mask=memory_mask)",
        ),
        ("no cross-attention at all", SUM_C, ""),
        (
            "takes the memory as value and the target as key",
            CROSS,
            "self.cross_attention(self.cross_attention_norm(x), memory, ops.flip(memory, 1), mask=memory_mask)",
        ),
    ],
)
mutants(
    DECODER,
    "the_feed_forward_network_is_added_too",
    [
        ("returns after the cross-attention", SUM_2, "return x"),
        ("no norm before the feed-forward network", ENTER_2, "self.feed_forward(x)"),
        ("takes the norm of the cross-attention", ENTER_2, "self.feed_forward(self.cross_attention_norm(x))"),
    ],
)
mutants(
    DECODER,
    "each_sub_layer_works_on_the_last_sum",
    [
        ("the third short cut starts from x", SUM_2, "return first + self.dropout(z, training=training)"),
        ("the third short cut starts from the first sum", SUM_2, "return second + self.dropout(z, training=training)"),
        (
            "the cross-attention asks with x as it came in",
            "self.cross_attention_norm(x)",
            "self.cross_attention_norm(first)",
        ),
        ("the second short cut starts from x", SUM_C, "x = first + self.dropout(c, training=training)"),
        ("the feed-forward network reads the first sum", "self.feed_forward_norm(x)", "self.feed_forward_norm(second)"),
        (
            "cross-attention before self-attention",
            f"        {ENTER_1}\n        y = {ATTEND}\n        {SUM_1}\n"
            f"        second = x\n        c = {CROSS}\n        {SUM_C}\n",
            f"        c = {CROSS}\n        {SUM_C}\n        {ENTER_1}\n        y = {ATTEND}\n        {SUM_1}\n",
        ),
    ],
)
mutants(
    DECODER,
    "no_position_sees_a_later_token",
    [
        ("does not hand on the causal mask", ATTEND, "self.self_attention(y, y)"),
        ("no mask in training", ATTEND, "self.self_attention(y, y, mask=None if training else mask)"),
        (
            "turns the mask round",
            ATTEND,
            "self.self_attention(y, y, mask=None if mask is None else ops.logical_not(mask))",
        ),
        (
            "transposes the mask",
            ATTEND,
            "self.self_attention(y, y, mask=None if mask is None else ops.swapaxes(mask, 2, 3))",
        ),
    ],
)
mutants(
    DECODER,
    "each_attention_gets_its_own_mask",
    [
        (
            "the mask of the first sentence for all",
            "        first = x\n",
            "        first = x\n        mask = None if mask is None else mask[:1]\n",
        ),
        ("the masks are exchanged", "mask=mask", "mask=memory_mask", "memory, mask=memory_mask", "memory, mask=mask"),
        ("does not hand on the memory mask", "memory, mask=memory_mask", "memory"),
        ("the causal mask rules the cross-attention", "memory, mask=memory_mask", "memory, mask=mask"),
        (
            "both masks in the cross-attention",
            "memory, mask=memory_mask",
            "memory, mask=layers.combine_masks(mask, memory_mask)",
        ),
        (
            "both masks in the self-attention",
            "(y, y, mask=mask)",
            "(y, y, mask=layers.combine_masks(mask, memory_mask))",
        ),
        (
            "always a causal mask of its own",
            "(y, y, mask=mask)",
            "(y, y, mask=layers.combine_masks(mask, layers.causal_mask(x.shape[1])))",
        ),
    ],
)
mutants(
    DECODER,
    "dropout_acts_on_all_that_is_added",
    [
        ("dropout on the second sum", SUM_C, "x = self.dropout(x + c, training=training)"),
        ("no dropout on what the cross-attention adds", SUM_C, "x = x + c"),
        (
            "dropout on the memory, too",
            "        first = x\n",
            "        first = x\n        memory = self.dropout(memory, training=training)\n",
        ),
        (
            "dropout on by default",
            "        first = x\n",
            "        first = x\n        training = training is not False\n",
        ),
        ("no dropout on what the feed-forward network adds", SUM_2, "return x + z"),
        ("dropout always on", SUM_1, "x = x + self.dropout(y, training=True)"),
    ],
)
mutants(
    DECODER,
    "everything_can_learn",
    [
        (
            "the memory is a constant: the encoder never learns",
            CROSS,
            CROSS.replace("memory, mask", "ops.stop_gradient(memory), mask"),
        ),
        (
            "cuts the way back through the self-attention",
            ATTEND,
            "ops.stop_gradient(self.self_attention(y, y, mask=mask))",
        ),
    ],
)
mutants(
    DECODER,
    "lengths_may_be_open_and_change",
    [
        (
            "the memory's mask in use only",
            CROSS,
            CROSS.replace("mask=memory_mask", "mask=None if training else memory_mask"),
        ),
        ("the causal mask in use only", ATTEND, "self.self_attention(y, y, mask=None if training else mask)"),
        (
            "asks for the length of the source",
            CROSS,
            CROSS.replace("memory, mask", "ops.reshape(memory, (-1, memory.shape[1] * 1, memory.shape[2])), mask"),
        ),
    ],
)

# --- right answers written otherwise ----------------------------------------------------------------------------------

CALL = DECODER.index("    def call(")
accepted(
    "three sums in three lines",
    DECODER[:CALL]
    + """
    def call(self, x, memory, mask=None, memory_mask=None, training=None):
        n = self.self_attention_norm(x)
        x += self.dropout(self.self_attention(n, n, mask=mask), training=training)
        x += self.dropout(self.cross_attention(self.cross_attention_norm(x), memory, mask=memory_mask), training=training)
        return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)), training=training)
""",
)
accepted(
    "a helper, and keys given by name",
    DECODER[:CALL]
    + """
    def add(self, x, found, training):
        return ops.add(x, self.dropout(found, training=training))

    def call(self, target, memory, mask=None, memory_mask=None, training=False):
        normed = self.self_attention_norm(target)
        target = self.add(target, self.self_attention(query=normed, value=normed, key=normed, mask=mask), training)
        asked = self.cross_attention(query=self.cross_attention_norm(target), value=memory, key=memory, mask=memory_mask)
        target = self.add(target, asked, training)
        return self.add(target, self.feed_forward(self.feed_forward_norm(target)), training)
""",
)
accepted(
    "a list of steps",
    DECODER[:CALL]
    + """
    def call(self, x, memory, mask=None, memory_mask=None, training=None):
        steps_of_the_layer = (
            (self.self_attention_norm, lambda y: self.self_attention(y, y, mask=mask)),
            (self.cross_attention_norm, lambda y: self.cross_attention(y, memory, memory, memory_mask)),
            (self.feed_forward_norm, self.feed_forward),
        )
        for norm, work in steps_of_the_layer:
            x = x + self.dropout(work(norm(x)), training=training)
        return x
""",
)
