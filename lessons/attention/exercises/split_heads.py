"""Exercise `split_heads`: what a right answer must do, and typical wrong ones."""

import numpy as np

from llmcourse.checking import (
    accepted,
    criterion,
    expect,
    expect_close,
    expect_gradients,
    expect_raises,
    expect_shape,
    mutants,
)

from ..oracles import distinct_sizes, draw


def draw_heads(rng):
    """Draw sizes B, T, H, K that all differ; the width is H * K."""
    return distinct_sizes(rng, 4)


@criterion(
    hints=[
        "Which axis should the heads be on, and how wide is a piece?",
        "First reshape to (B, T, H, D/H), then exchange axes 1 and 2.",
        "`ops.transpose(pieces, (0, 2, 1, 3))`",
    ],
)
def heads_stand_beside_the_batch(student, rng):
    """split_heads turns (B, T, D) into (B, H, T, D/H)."""
    b, t, h, k = draw_heads(rng)
    expect_shape(student.split_heads(draw(rng, b, t, h * k), h), (b, h, t, k), what=f"split_heads(x, {h})")


@criterion(
    points=2,
    hints=[
        "Look at one word: which of its numbers should head 0 get, and which did it get?",
        "Reshape cuts each vector into pieces, (B, T, H, D/H). A reshape straight to (B, H, T, D/H) mixes words.",
        "`ops.reshape(x, (batch, length, num_heads, d_model // num_heads))`, then the transpose.",
    ],
)
def each_head_gets_its_piece_of_every_word(student, rng):
    """Head h holds columns h*K to (h+1)*K - 1 of every word, with K = D/H, in their order."""
    for b, t, h, k in (draw_heads(rng), draw_heads(rng), (3, 3, 3, 3)):
        x = draw(rng, b, t, h * k)
        expected = np.stack([x[:, :, head * k : (head + 1) * k] for head in range(h)], axis=1)
        expect_close(student.split_heads(x, h), expected, what=f"split_heads(x, {h})", tolerance=0)


@criterion(
    points=2,
    hints=[
        "Go back the way you came: which step of split_heads came last?",
        "First exchange axes 1 and 2 back, so that a word's pieces are neighbours; then reshape.",
        "`ops.reshape(ops.transpose(x, (0, 2, 1, 3)), (batch, length, heads * width))`",
    ],
)
def merging_puts_the_pieces_side_by_side(student, rng):
    """merge_heads turns (B, H, T, K) into (B, T, H*K): columns h*K to (h+1)*K - 1 come from head h."""
    for b, t, h, k in (draw_heads(rng), draw_heads(rng), (3, 3, 3, 3)):
        x = draw(rng, b, h, t, k)
        expected = np.concatenate([x[:, head] for head in range(h)], axis=-1)
        expect_close(student.merge_heads(x), expected, what="merge_heads(x)", tolerance=0)


@criterion(
    hints=[
        "What is left if you split and then merge? Are the numbers the same, or only nearly?",
        "Nothing may be computed with the numbers: both functions only move them.",
    ],
)
def splitting_and_merging_gives_everything_back(student, rng):
    """merge_heads(split_heads(x, H)) is exactly x, for one head, for one column in each head, and in between."""
    b, t, h, k = draw_heads(rng)
    x = draw(rng, b, t, h * k)
    for heads in (h, 1, h * k):
        again = student.merge_heads(student.split_heads(x, heads))
        expect_close(again, x, what=f"merge_heads(split_heads(x, {heads}))", tolerance=0)


@criterion(
    hints=[
        "Can 10 columns be shared out among 4 heads?",
        "Ask for the remainder, `d_model % num_heads`, and raise a ValueError where it is not 0.",
        '`raise ValueError(f"... Received: {d_model} and {num_heads}.")`',
    ],
)
def a_width_that_cannot_be_shared_out_is_an_error(student, rng):
    """If D is not a multiple of H, split_heads raises a ValueError whose message names D and H."""
    heads = int(rng.integers(3, 8))
    width = heads * int(rng.integers(2, 6)) + int(rng.integers(1, heads))
    # an even number of numbers in all, so that a careless reshape finds them a place
    x = draw(rng, 2 * heads, 3, width)
    with expect_raises("ValueError", what=f"split_heads of width {width} into {heads} heads"):
        student.split_heads(x, heads)
    student.define(
        "def message_of_split_heads(x, heads):\n"
        "    try:\n"
        "        split_heads(x, heads)\n"
        "    except ValueError as error:\n"
        "        return str(error)\n"
    )
    message = student.message_of_split_heads(x, heads)
    named = isinstance(message, str) and str(width) in message and str(heads) in message
    expect(named, required=f"a message with the numbers {width} and {heads}", received=message)


@criterion(
    hints=[
        "While Keras compiles a model, the batch size and the length are not known yet. What is x.shape[0] then?",
        "x.shape[0] and x.shape[1] are None there. `ops.shape(x)` gives something that reshape can use.",
        "`batch, length, d_model = ops.shape(x)`",
    ],
)
def batch_size_and_length_may_be_open(student, rng):
    """Both functions work inside a Keras model whose batch size and length are not known yet."""
    student.define(
        """
import keras

class ThereAndBack(keras.layers.Layer):
    def __init__(self, num_heads):
        super().__init__()
        self.num_heads = num_heads

    def call(self, x):
        return merge_heads(split_heads(x, self.num_heads))

class Heads(keras.layers.Layer):
    def call(self, x):
        return merge_heads(x)

def make_models(num_heads, width):
    inputs, heads = keras.Input((None, num_heads * width)), keras.Input((num_heads, None, width))
    return keras.Model(inputs, ThereAndBack(num_heads)(inputs)), keras.Model(heads, Heads()(heads))
"""
    )
    _, _, h, k = draw_heads(rng)
    there_and_back, merge = student.make_models(h, k)
    for _ in range(2):
        b, t = distinct_sizes(rng, 2)
        x = draw(rng, b, t, h * k)
        expect_close(there_and_back(x), x, what="split and merged inside a model", tolerance=0)
        pieces = draw(rng, b, h, t, k)
        expected = np.concatenate([pieces[:, head] for head in range(h)], axis=-1)
        expect_close(merge(pieces), expected, what="merged inside a model", tolerance=0)


@criterion(
    hints=[
        "Does a gradient come back through both functions?",
        "Both only move numbers: with ops.reshape and ops.transpose the gradient moves back by itself.",
    ],
)
def gradients_move_back(student, rng):
    """The gradient comes back through both functions to the place where each number came from."""
    x = draw(rng, 2, 3, 4)

    def split(x):
        return np.stack([x[:, :, :2], x[:, :, 2:]], axis=1)

    expect_gradients(student, rng, "split_heads", {"x": x}, split, options={"num_heads": 2})
    expect_gradients(
        student, rng, "merge_heads", {"x": split(x)}, lambda x: np.concatenate([x[:, 0], x[:, 1]], axis=-1)
    )


# --- typical wrong answers, each with the criterion that must catch it ------------------------------------------------

HEADS = """
def split_heads(x, num_heads):
    batch, length, d_model = ops.shape(x)
    if d_model % num_heads != 0:
        raise ValueError(f"The width must be a multiple of num_heads. Received: {d_model} and {num_heads}.")
    pieces = ops.reshape(x, (batch, length, num_heads, d_model // num_heads))
    return ops.transpose(pieces, (0, 2, 1, 3))


def merge_heads(x):
    batch, heads, length, width = ops.shape(x)
    exchanged = ops.transpose(x, (0, 2, 1, 3))
    return ops.reshape(exchanged, (batch, length, heads * width))
"""
PIECES = "ops.reshape(x, (batch, length, num_heads, d_model // num_heads))"
ERROR = 'raise ValueError(f"The width must be a multiple of num_heads. Received: {d_model} and {num_heads}.")'
mutants(
    HEADS,
    "*",
    [("imports the answer", HEADS, "from llmcourse.steps.attention import merge_heads, split_heads")],
)
mutants(
    HEADS,
    "heads_stand_beside_the_batch",
    [
        ("forgets the transpose", "ops.transpose(pieces, (0, 2, 1, 3))", "pieces"),
        ("the heads in front of the batch", "(pieces, (0, 2, 1, 3))", "(pieces, (2, 0, 1, 3))"),
        ("positions last", "(pieces, (0, 2, 1, 3))", "(pieces, (0, 2, 3, 1))"),
        (
            "confuses heads with the width of a head",
            PIECES,
            "ops.reshape(x, (batch, length, d_model // num_heads, num_heads))",
        ),
        ("a list of pieces", "ops.transpose(pieces, (0, 2, 1, 3))", "ops.split(x, num_heads, axis=-1)"),
        (
            "batch and heads in one axis",
            "ops.transpose(pieces, (0, 2, 1, 3))",
            "ops.reshape(ops.transpose(pieces, (0, 2, 1, 3)), (batch * num_heads, length, -1))",
        ),
    ],
)
mutants(
    HEADS,
    "each_head_gets_its_piece_of_every_word",
    [
        (
            "reshapes in one go",
            "ops.transpose(pieces, (0, 2, 1, 3))",
            "ops.reshape(x, (batch, num_heads, length, d_model // num_heads))",
        ),
        (
            "each head takes every H-th column",
            "    return ops.transpose(pieces, (0, 2, 1, 3))",
            "    pieces = ops.reshape(x, (batch, length, d_model // num_heads, num_heads))\n"
            "    return ops.transpose(pieces, (0, 3, 1, 2))",
        ),
        (
            "the heads in reverse order",
            "ops.transpose(pieces, (0, 2, 1, 3))",
            "ops.flip(ops.transpose(pieces, (0, 2, 1, 3)), axis=1)",
        ),
        (
            "every head gets the first piece",
            "ops.transpose(pieces, (0, 2, 1, 3))",
            "ops.repeat(ops.transpose(pieces, (0, 2, 1, 3))[:, :1], num_heads, axis=1)",
        ),
        (
            "reverses all axes of a transposed tensor",
            "ops.transpose(pieces, (0, 2, 1, 3))",
            "ops.reshape(ops.transpose(pieces, (2, 0, 1, 3)), (batch, num_heads, length, -1))",
        ),
    ],
)
mutants(
    HEADS,
    "merging_puts_the_pieces_side_by_side",
    [
        ("merges without the transpose", "exchanged = ops.transpose(x, (0, 2, 1, 3))", "exchanged = x"),
        (
            "interleaves the heads",
            "exchanged = ops.transpose(x, (0, 2, 1, 3))",
            "exchanged = ops.transpose(x, (0, 2, 3, 1))",
        ),
        ("adds the heads up", "ops.reshape(exchanged, (batch, length, heads * width))", "ops.sum(x, axis=1)"),
        ("the mean over the heads", "ops.reshape(exchanged, (batch, length, heads * width))", "ops.mean(x, axis=1)"),
        (
            "the batch and the positions exchanged",
            "exchanged = ops.transpose(x, (0, 2, 1, 3))",
            "exchanged = ops.transpose(x, (2, 0, 1, 3))",
        ),
        ("does not merge", "ops.reshape(exchanged, (batch, length, heads * width))", "exchanged"),
    ],
)
mutants(
    HEADS,
    "splitting_and_merging_gives_everything_back",
    [
        (
            "scales the pieces",
            "ops.transpose(pieces, (0, 2, 1, 3))",
            "ops.transpose(pieces, (0, 2, 1, 3)) / num_heads**0.5",
        ),
        (
            "drops the axis of a single head",
            "ops.transpose(pieces, (0, 2, 1, 3))",
            "ops.squeeze(ops.transpose(pieces, (0, 2, 1, 3)), axis=1 if num_heads == 1 else ())",
        ),
    ],
)
mutants(
    HEADS,
    "a_width_that_cannot_be_shared_out_is_an_error",
    [
        ("does not ask", "d_model % num_heads != 0", "False"),
        ("asks the wrong way round", "d_model % num_heads != 0", "num_heads % d_model == 0"),
        ("an assertion instead of a ValueError", ERROR, "raise AssertionError(f'{d_model} and {num_heads}')"),
        ("prints instead of raising", ERROR, "print('does not fit')"),
        ("returns None instead of raising", ERROR, "return None"),
        ("a message without the numbers", ERROR, "raise ValueError('The width must be a multiple of the heads.')"),
        ("cuts the rest off", ERROR, "x = x[..., : d_model // num_heads * num_heads]"),
        ("a TypeError", "raise ValueError(f", "raise TypeError(f"),
    ],
)
mutants(
    HEADS,
    "batch_size_and_length_may_be_open",
    [
        (
            "needs to know the length",
            "batch, length, d_model = ops.shape(x)",
            "batch, (length, d_model) = ops.shape(x)[0], map(int, x.shape[1:])",
        ),
        (
            "needs to know the length on the way back",
            "batch, heads, length, width = ops.shape(x)",
            "batch, (heads, length, width) = ops.shape(x)[0], map(int, x.shape[1:])",
        ),
        ("takes x.shape[0]", "batch, length, d_model = ops.shape(x)", "batch, length, d_model = x.shape"),
        ("goes through NumPy", "ops.transpose(pieces, (0, 2, 1, 3))", "np.transpose(np.asarray(pieces), (0, 2, 1, 3))"),
        (
            "takes x.shape[0] on the way back",
            "batch, heads, length, width = ops.shape(x)",
            "batch, heads, length, width = map(int, x.shape)",
        ),
    ],
)

# --- right answers written otherwise ----------------------------------------------------------------------------------

accepted(
    "minus one in reshape for what is open",
    """
def split_heads(x, num_heads):
    width = x.shape[-1]
    if width % num_heads:
        raise ValueError(f"{width} columns cannot be shared out among {num_heads} heads")
    x = ops.reshape(x, (ops.shape(x)[0], -1, num_heads, width // num_heads))
    return ops.swapaxes(x, 1, 2)


def merge_heads(x):
    heads, width = x.shape[1], x.shape[3]
    return ops.reshape(ops.swapaxes(x, 1, 2), (ops.shape(x)[0], -1, heads * width))
""",
)
accepted(
    "pieces cut out and stacked, side by side again",
    """
def split_heads(x, num_heads):
    x = ops.convert_to_tensor(x)
    if x.shape[2] % num_heads != 0:
        raise ValueError("D must be a multiple of H, but they are %d and %d" % (x.shape[2], num_heads))
    return ops.stack(ops.split(x, num_heads, axis=-1), axis=1)


def merge_heads(x):
    x = ops.convert_to_tensor(x)
    return ops.concatenate([x[:, head] for head in range(x.shape[1])], axis=-1)
""",
)
accepted(
    "einsum in place of the transpose",
    """
def split_heads(x, num_heads):
    quotient, rest = divmod(int(x.shape[-1]), num_heads)
    if rest > 0:
        raise ValueError(f"cannot split {x.shape[-1]} into {num_heads}")
    b, t = ops.shape(x)[0], ops.shape(x)[1]
    return ops.einsum("bthk->bhtk", ops.reshape(x, (b, t, num_heads, quotient)))


def merge_heads(x):
    b, h, t, k = ops.shape(x)
    return ops.reshape(ops.einsum("bhtk->bthk", x), (b, t, h * k))
""",
)
mutants(
    HEADS,
    "gradients_move_back",
    [
        (
            "cuts the way back",
            "return ops.transpose(pieces, (0, 2, 1, 3))",
            "return ops.stop_gradient(ops.transpose(pieces, (0, 2, 1, 3)))",
        ),
        (
            "cuts the way back when it merges",
            "return ops.reshape(exchanged",
            "return ops.reshape(ops.stop_gradient(exchanged)",
        ),
    ],
)
accepted(
    "one slice for each head, and all sizes by name",
    """
def split_heads(x, num_heads):
    *_, width = x.shape
    each = width // num_heads
    if each * num_heads != width:
        raise ValueError(f"D = {width} is not a multiple of H = {num_heads}.")
    return ops.stack([x[..., head * each : (head + 1) * each] for head in range(num_heads)], axis=-3)


def merge_heads(x):
    size = ops.shape(x)
    turned = ops.moveaxis(x, -3, -2)
    return ops.reshape(turned, (size[0], size[2], size[1] * size[3]))
""",
)
