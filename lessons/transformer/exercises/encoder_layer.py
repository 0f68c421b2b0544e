"""Exercise `encoder_layer`: what a right answer must do, and typical wrong ones."""

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
    draw,
    draw_padding,
    encode,
    expect_dropped_once,
    expect_mostly_unchanged,
)


def encoder_case(student, rng, silent=(), dropout=0.0):
    """Draw an encoder layer and x (B, S, D)."""
    drawn = DrawnLayer(student, rng, "EncoderLayer", silent, dropout)
    sentences, _, source = drawn.sizes
    return drawn, draw(rng, sentences, source, drawn.width) + 0.5


@criterion(
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
    training = expect_shape(
        drawn.layer(x, mask=mask, training=True), x.shape, what="layer(x, mask=mask, training=True)"
    )
    expect_close(training[real], np.asarray(result)[real], what="the real tokens in training, with dropout 0")


@criterion(
    hints=[
        "What does dropout act on: the sum, or what is added?",
        "The short cut must stay whole: x + dropout(y). And both halves need it, with training=training.",
    ],
)
def dropout_acts_on_what_is_added(student, rng):
    """In training, dropout acts on what each sub-layer adds and never on the short cut; otherwise it does nothing."""
    drawn, x = encoder_case(student, rng, dropout=0.999)
    expect_mostly_unchanged(drawn.layer(x, training=True), x, "layer(x, training=True)")
    for options in ({"training": False}, {}):
        expect_close(drawn.layer(x, **options), encode(x, drawn.weights), what="layer(x) in use")
    drawn, x = encoder_case(student, rng, ("self_attention",), dropout=0.5)
    added = encode(x, drawn.weights) - x
    expect_dropped_once(drawn.layer(x, training=True), x, added, 0.5, "layer(x, training=True)")


@criterion(
    hints=[
        "Does a gradient come back to x, through both halves, and to all weights?",
        "A step in NumPy, or behind ops.stop_gradient, gives right numbers, and nothing before it learns.",
    ],
)
def everything_can_learn(student, rng):
    """The gradient that comes back to x is right, and each weight of the layer gets one."""
    drawn = DrawnLayer(student, rng, "EncoderLayer")
    student.define(MAKE_OPEN)
    x, mask = draw(rng, 1, 3, drawn.width), np.array([[[[True, True, False]]]])
    expect_gradients(
        student,
        rng,
        "call_encoder",
        {"x": x},
        lambda x: encode(x, drawn.weights, mask),
        options={"layer": drawn.layer, "mask": mask},
        tolerance=1e-2,
    )
    expect_learning(student, drawn.layer, x, what="the layer", training=True)


@criterion(
    hints=[
        "Does your layer ask how long the sentences are, or remember something from one call to the next?",
        "In a model the length may be open; everything you need broadcasts. Keep nothing in self that a call computes.",
    ],
)
def lengths_may_be_open_and_change(student, rng):
    """In a model whose lengths are open, sentences of several lengths come out right, in training and in use."""
    drawn, _ = encoder_case(student, rng)
    student.define(MAKE_OPEN)
    model = student.make_open_model(drawn.layer, drawn.width, "encoder")
    for training in (True, False):
        for length in rng.choice(np.arange(2, 13), size=2, replace=False):
            x = draw(rng, 2, int(length), drawn.width)
            mask = draw_padding(rng, *x.shape[:2])[:, None, None, :]
            what = f"the model for {length} tokens with training={training}"
            expect_close(model([x, mask], training=training), encode(x, drawn.weights, mask), what=what, tolerance=1e-3)


# --- typical wrong answers, each with the criterion that must catch it ------------------------------------------------

ENCODER = """
class EncoderLayer(keras.layers.Layer):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.0):
        super().__init__()
        self.self_attention_norm = keras.layers.LayerNormalization(epsilon=1e-5)
        self.self_attention = layers.MultiHeadAttention(num_heads, d_model // num_heads)
        self.feed_forward_norm = keras.layers.LayerNormalization(epsilon=1e-5)
        self.feed_forward = layers.FeedForward(d_model, d_ff)
        self.dropout = keras.layers.Dropout(dropout)

    def build(self, x_shape):
        self.self_attention_norm.build(x_shape)
        self.self_attention.build(x_shape, x_shape)
        self.feed_forward_norm.build(x_shape)
        self.feed_forward.build(x_shape)

    def call(self, x, mask=None, training=None):
        y = self.self_attention_norm(x)
        y = self.self_attention(y, y, mask=mask)
        x = x + self.dropout(y, training=training)
        z = self.feed_forward(self.feed_forward_norm(x))
        return x + self.dropout(z, training=training)
"""
mutants(ENCODER, "*", [("imports the answer", ENCODER, "EncoderLayer = layers.EncoderLayer")])
mutants(
    ENCODER,
    "silent_sub_layers_leave_x_alone",
    [
        ("no short cut around the attention", SUM_1, "x = self.dropout(y, training=training)"),
        ("no short cut around the feed-forward network", SUM_2, "return self.dropout(z, training=training)"),
        (
            "post-norm, as in 2017",
            ENTER_1,
            "y = x",
            SUM_1,
            "x = self.self_attention_norm(x + self.dropout(y, training=training))",
            ENTER_2,
            "self.feed_forward(x)",
            SUM_2,
            "return self.feed_forward_norm(x + self.dropout(z, training=training))",
        ),
        ("a norm after the last sum", SUM_2, "return self.feed_forward_norm(x + self.dropout(z, training=training))"),
        ("the short cut starts behind the norm", ENTER_1, "x = y = self.self_attention_norm(x)"),
        ("adds x twice", SUM_2, "return x + x + self.dropout(z, training=training)"),
        ("returns what the second half adds to y", SUM_2, "return y + self.dropout(z, training=training)"),
        ("multiplies instead of adding", SUM_1, "x = x * self.dropout(y, training=training)"),
    ],
)
mutants(
    ENCODER,
    "attention_of_the_normalised_x_is_added",
    [
        ("no norm before the attention", ENTER_1, "y = x"),
        ("normalises the query only", ATTEND, "self.self_attention(y, x, mask=mask)"),
        ("normalises the value only", ATTEND, "self.self_attention(x, y, mask=mask)"),
        ("takes the other norm", ENTER_1, "y = self.feed_forward_norm(x)"),
        ("subtracts", SUM_1, "x = x - self.dropout(y, training=training)"),
        ("forgets the attention", ATTEND, "0 * y"),
    ],
)
mutants(
    ENCODER,
    "feed_forward_of_the_normalised_x_is_added",
    [
        ("no norm before the feed-forward network", ENTER_2, "self.feed_forward(x)"),
        ("one norm for both halves", ENTER_2, "self.feed_forward(self.self_attention_norm(x))"),
        ("returns after the attention", SUM_2, "return x"),
        (
            "runs the feed-forward network twice",
            ENTER_2,
            "self.feed_forward(self.feed_forward(self.feed_forward_norm(x)))",
        ),
    ],
)
mutants(
    ENCODER,
    "the_second_half_works_on_the_first_sum",
    [
        (
            "the feed-forward network reads what the attention found, without x",
            ENTER_2,
            "self.feed_forward(self.feed_forward_norm(y))",
        ),
        (
            "both halves side by side",
            ENTER_1,
            "first = x\n        y = self.self_attention_norm(x)",
            ENTER_2,
            "self.feed_forward(self.feed_forward_norm(first))",
        ),
        (
            "feed-forward first",
            f"        {ENTER_1}\n        y = {ATTEND}\n        {SUM_1}\n        z = {ENTER_2}\n        {SUM_2}",
            f"        z = {ENTER_2}\n        x = x + z\n        {ENTER_1}\n        y = {ATTEND}\n        return x + y",
        ),
        (
            "the second short cut starts from the first x",
            ENTER_1,
            "first = x\n        y = self.self_attention_norm(x)",
            SUM_2,
            "return first + self.dropout(z, training=training)",
        ),
    ],
)
mutants(
    ENCODER,
    "padding_has_no_influence",
    [
        ("does not hand on the mask", ATTEND, "self.self_attention(y, y)"),
        (
            "turns the mask round",
            ATTEND,
            "self.self_attention(y, y, mask=None if mask is None else ops.logical_not(mask))",
        ),
        (
            "a causal mask in the encoder",
            ATTEND,
            "self.self_attention(y, y, mask=layers.combine_masks(mask, layers.causal_mask(x.shape[1])))",
        ),
    ],
)
mutants(
    ENCODER,
    "dropout_acts_on_what_is_added",
    [
        ("dropout on the sum", SUM_1, "x = self.dropout(x + y, training=training)"),
        ("no dropout on what the attention adds", SUM_1, "x = x + y"),
        ("no dropout on what the feed-forward network adds", SUM_2, "return x + z"),
        ("dropout always on", SUM_2, "return x + self.dropout(z, training=True)"),
        (
            "dropout on by default",
            "        y = self.self_attention_norm(x)",
            "        training = training is not False\n        y = self.self_attention_norm(x)",
        ),
        (
            "dropout twice",
            SUM_2,
            "return x + self.dropout(self.dropout(z, training=training), training=training)",
        ),
        (
            "dropout at the entrance",
            ENTER_2,
            "self.feed_forward(self.dropout(self.feed_forward_norm(x), training=training))",
            SUM_2,
            "return x + z",
        ),
    ],
)
mutants(
    ENCODER,
    "padding_has_no_influence",
    [
        (
            "the mask in use only",
            "        y = self.self_attention_norm(x)\n",
            "        mask = None if training else mask\n        y = self.self_attention_norm(x)\n",
        )
    ],
)
mutants(
    ENCODER,
    "everything_can_learn",
    [
        ("cuts the way back through the attention", ATTEND, "ops.stop_gradient(self.self_attention(y, y, mask=mask))"),
        (
            "cuts the way back through the feed-forward network",
            ENTER_2,
            "ops.stop_gradient(self.feed_forward(self.feed_forward_norm(x)))",
        ),
        ("cuts the short cut", SUM_1, "x = ops.stop_gradient(x) + self.dropout(y, training=training)"),
    ],
)
mutants(
    ENCODER,
    "lengths_may_be_open_and_change",
    [
        (
            "asks for the length",
            ATTEND,
            "ops.reshape(self.self_attention(y, y, mask=mask), (-1, x.shape[1] * 1, x.shape[2]))",
        ),
        ("remembers the first mask", ATTEND, "self.self_attention(y, y, mask=self.__dict__.setdefault('kept', mask))"),
    ],
)

# --- right answers written otherwise ----------------------------------------------------------------------------------

CALL = ENCODER.index("    def call(")
accepted(
    "names for each half, two dropouts' worth of one layer",
    ENCODER[:CALL]
    + """
    def call(self, inputs, mask=None, training=None):
        normed = self.self_attention_norm(inputs)
        gathered = ops.add(inputs, self.dropout(self.self_attention(query=normed, value=normed, mask=mask), training=training))
        thought = self.feed_forward(self.feed_forward_norm(gathered))
        return ops.add(gathered, self.dropout(thought, training=training))
""",
)
accepted(
    "a helper for what both halves have in common, the key given too",
    ENCODER[:CALL]
    + """
    def call(self, x, mask=None, training=False):
        def half(x, norm, f):
            return x + self.dropout(f(norm(x)), training=training)

        x = half(x, self.self_attention_norm, lambda y: self.self_attention(y, y, key=y, mask=mask))
        return half(x, self.feed_forward_norm, self.feed_forward)
""",
)
accepted(
    "the weights asked for and dropped, a loop over the two halves",
    ENCODER[:CALL]
    + """
    def call(self, x, mask=None, training=None):
        halves = [
            (self.self_attention_norm, lambda y: self.self_attention(y, y, mask=mask, return_scores=True)[0]),
            (self.feed_forward_norm, lambda y: self.feed_forward(y)),
        ]
        for norm, work in halves:
            x = x + self.dropout(work(norm(x)), training=training)
        return x
""",
)
