"""Exercise `softmax`: what a right answer must do, and typical wrong ones."""

import numpy as np

from llmcourse.checking import accepted, criterion, expect, expect_close, expect_gradients, expect_unchanged, mutants

from ..oracles import distinct_sizes, draw, softmax


@criterion(
    points=2,
    hints=[
        "For two equal scores, which weights should come out? And for the scores 0 and log(3)?",
        "The exponential of each score, divided by the sum of the exponentials along the axis.",
        "`odds / ops.sum(odds, axis=axis, keepdims=True)`, where odds are the exponentials.",
    ],
)
def weights_are_exponentials_over_their_sum(student, rng):
    """Each weight is the exponential of its score divided by the sum of all exponentials; without an axis, the last."""
    for _ in range(3):
        scores = draw(rng, *distinct_sizes(rng, 2, low=3))
        expect_close(
            student.softmax(scores), softmax(scores.astype(np.float64)), what="softmax(scores)", tolerance=1e-5
        )


@criterion(
    hints=[
        "Which axis do your maximum and your sum run along?",
        "Pass `axis=axis` on to ops.max and to ops.sum; -1 is only what is taken if nothing is said.",
        "With `keepdims=True` the sum keeps an axis of length 1 in its place, and fits back whatever the axis is.",
    ],
)
def any_axis_can_be_chosen(student, rng):
    """The weights sum to 1 along the chosen axis, counted from the left or from the right, for any number of axes."""
    scores = draw(rng, *distinct_sizes(rng, 4))
    for axis in (*range(4), -2, -4):
        expected = softmax(scores.astype(np.float64), axis)
        expect_close(student.softmax(scores, axis), expected, what=f"softmax(scores, {axis})", tolerance=1e-5)
    square = draw(rng, 4, 4)  # here no shape gives a wrong axis away
    expect_close(
        student.softmax(square, 0), softmax(square.astype(np.float64), 0), what="softmax(scores, 0)", tolerance=1e-5
    )
    for shape, axis in (((5,), 0), ((2, 3, 4), 1), ((2, 3, 4), -3), ((3, 1), -1), ((2, 3, 1, 2, 2), 1)):
        scores = draw(rng, *shape)
        received = student.softmax(scores, axis=axis)
        expect_unchanged(student)
        expected = softmax(scores.astype(np.float64), axis)
        expect_close(received, expected, what=f"softmax of shape {shape}, axis={axis}", tolerance=1e-5)


@criterion(
    hints=[
        "What is ops.exp(10000.0)? And what is infinity divided by infinity?",
        "Subtract the largest score first: only differences count, and no exponential is larger than 1 then.",
        "`ops.exp(scores - ops.max(scores, axis=axis, keepdims=True))`",
    ],
)
def huge_scores_give_right_finite_weights(student, rng):
    """Scores of 10,000 and -10,000 give the right weights, without nan."""
    signs = rng.choice([-1.0, 1.0], size=distinct_sizes(rng, 2, low=3))
    scores = (1e4 * signs + rng.integers(0, 3, size=signs.shape)).astype(np.float32)
    expect_close(student.softmax(scores), softmax(scores.astype(np.float64)), what="softmax(scores)", tolerance=2e-3)
    scores = draw(rng, *signs.shape)
    scores[:, 0] = -1e9  # as attention writes it for a key that is forbidden
    expected = softmax(scores.astype(np.float64))
    expect_close(student.softmax(scores), expected, what="softmax(scores) with scores of -1e9", tolerance=1e-5)


@criterion(
    hints=[
        "If one row of scores lies far below another, what are the exponentials of its distances to the top one?",
        "Each row (each place along the other axes) needs the maximum of its own.",
        "ops.max needs the same axis as ops.sum, and keepdims=True.",
    ],
)
def each_row_is_shifted_by_its_own_maximum(student, rng):
    """Rows of very different height, such as around 0 and around -2,000, each get their own exact weights."""
    rows, columns = distinct_sizes(rng, 2, low=3)
    scores = draw(rng, rows, columns) + (-2000 * rng.permutation(rows)[:, None]).astype(np.float32)
    expect_close(student.softmax(scores), softmax(scores.astype(np.float64)), what="softmax(scores)", tolerance=1e-3)


@criterion(
    hints=[
        "Which library makes your result, NumPy or keras.ops?",
        "NumPy's functions give arrays, through which no gradient can flow. Use ops.exp, ops.max and ops.sum.",
    ],
)
def the_result_is_a_tensor(student, rng):
    """The result is a tensor, so that Keras can carry gradients through it."""
    student.define(
        "import keras\n\n"
        "def softmax_gives_a_tensor(scores):\n    return keras.ops.is_tensor(softmax(scores, axis=-1))\n"
    )
    scores = draw(rng, *distinct_sizes(rng, 2))
    expect(student.softmax_gives_a_tensor(scores), required="softmax(scores) is a tensor", received="something else")


@criterion(
    hints=[
        "Can a learner who changes the scores a little see the weights move, through every step of your code?",
        "The gradient must come back through the exponential and through the sum. Which step cuts the way?",
        "Use ops.exp, ops.max and ops.sum on the scores themselves, without NumPy and without ops.stop_gradient around them.",
    ],
)
def gradients_come_back_to_the_scores(student, rng):
    """The gradient that comes back to the scores is that of softmax, along any axis."""
    for axis in (-1, 0):
        scores = draw(rng, *distinct_sizes(rng, 2, low=3, high=6))
        expect_gradients(
            student,
            rng,
            "softmax",
            {"scores": scores},
            lambda scores, axis=axis: softmax(scores, axis),
            options={"axis": axis},
        )


OPEN = """
def make_softmax_model(axis):
    import keras

    class Softmax(keras.layers.Layer):
        def call(self, scores):
            return softmax(scores, axis=axis)

    scores = keras.Input((None, None))
    return keras.Model(scores, Softmax()(scores))
"""


@criterion(
    hints=[
        "While Keras compiles a model, the sizes may be open. Does your code ask for them as numbers?",
        "ops.max and ops.sum need no sizes: with `keepdims=True` everything fits by itself.",
    ],
)
def sizes_may_be_open(student, rng):
    """The function works in a model whose sizes are open, for one shape after another."""
    student.define(OPEN)
    for axis in (-1, 1):
        model = student.make_softmax_model(axis)
        for _ in range(2):
            scores = draw(rng, *distinct_sizes(rng, 3))
            expected = softmax(scores.astype(np.float64), axis)
            what = f"softmax(scores, axis={axis}) in a model, for the shape {scores.shape}"
            expect_close(model(scores), expected, what=what, tolerance=1e-5)


# --- typical wrong answers, each with the criterion that must catch it ------------------------------------------------

SOFTMAX = """
def softmax(scores, axis=-1):
    highest = ops.max(scores, axis=axis, keepdims=True)
    odds = ops.exp(scores - highest)
    total = ops.sum(odds, axis=axis, keepdims=True)
    return odds / total
"""
HIGHEST, TOTAL = "ops.max(scores, axis=axis, keepdims=True)", "ops.sum(odds, axis=axis, keepdims=True)"
mutants(
    SOFTMAX,
    "*",
    [
        ("imports the answer", SOFTMAX, "from llmcourse.steps.attention import softmax"),
        ("takes Keras' softmax", "odds / total", "ops.softmax(scores, axis=axis)"),
        ("takes Keras' activation", "odds / total", "keras.activations.softmax(ops.convert_to_tensor(scores), axis)"),
        ("takes Keras' layer", "odds / total", "keras.layers.Softmax(axis=axis)(scores)"),
        ("the exponential of Keras' log_softmax", "odds / total", "ops.exp(ops.log_softmax(scores, axis=axis))"),
        (
            "takes SciPy's softmax",
            "    return odds / total",
            "    import scipy.special\n    return ops.convert_to_tensor(scipy.special.softmax(scores, axis))",
        ),
        (
            "takes TensorFlow's softmax",
            "    return odds / total",
            "    import tensorflow as tf\n    return tf.nn.softmax(scores, axis)",
        ),
    ],
)
mutants(
    SOFTMAX,
    "weights_are_exponentials_over_their_sum",
    [
        ("forgets the exponential", "ops.exp(scores - highest)", "scores"),
        ("forgets to divide", "odds / total", "odds"),
        ("divides by the largest instead of the sum", "ops.sum(odds", "ops.max(odds"),
        ("the mean instead of the sum", "ops.sum(odds", "ops.mean(odds"),
        ("powers of 2 instead of e", "ops.exp(scores - highest)", "2 ** (scores - highest)"),
        ("the sum over everything", TOTAL, "ops.sum(odds)"),
        ("returns logarithms", "odds / total", "ops.log(odds / total)"),
        ("adds a small constant to be safe", "odds / total", "odds / (total + 1e-2)"),
        ("rounds to a hard maximum", "odds / total", "ops.cast(ops.equal(scores, highest), 'float32')"),
        ("forgets keepdims in the sum", TOTAL, "ops.sum(odds, axis=axis)"),
    ],
)
mutants(
    SOFTMAX,
    "any_axis_can_be_chosen",
    [
        ("always the last axis in the sum", TOTAL, "ops.sum(odds, axis=-1, keepdims=True)"),
        (
            "always the last axis",
            "    highest",
            "    axis = -1\n    highest",
        ),
        ("always the first axis for a chosen one", "    highest", "    axis = axis if axis < 0 else 0\n    highest"),
        ("counts the axis from the wrong end", "    highest", "    axis = axis if axis == -1 else -axis\n    highest"),
    ],
)
mutants(
    SOFTMAX,
    "huge_scores_give_right_finite_weights",
    [
        ("subtracts nothing", "scores - highest", "scores"),
        ("subtracts the mean", HIGHEST, "ops.mean(scores, axis=axis, keepdims=True)"),
        ("subtracts the smallest", HIGHEST, "ops.min(scores, axis=axis, keepdims=True)"),
        ("adds the largest", "scores - highest", "scores + highest"),
        ("clips the scores", "ops.exp(scores - highest)", "ops.exp(ops.clip(scores, -80, 80))"),
    ],
)
mutants(
    SOFTMAX,
    "each_row_is_shifted_by_its_own_maximum",
    [("one maximum for the whole array", HIGHEST, "ops.max(scores)")],
)
mutants(
    SOFTMAX,
    "the_result_is_a_tensor",
    [
        (
            "computes in NumPy",
            SOFTMAX,
            """
def softmax(scores, axis=-1):
    odds = np.exp(scores - np.max(scores, axis=axis, keepdims=True))
    return odds / odds.sum(axis=axis, keepdims=True)
""",
        ),
        ("goes back to NumPy at the end", "odds / total", "ops.convert_to_numpy(odds / total)"),
    ],
)
mutants(
    SOFTMAX,
    "gradients_come_back_to_the_scores",
    [
        ("cuts the way back", "odds / total", "ops.stop_gradient(odds / total)"),
        ("cuts the way through the sum", "odds / total", "odds / ops.stop_gradient(total)"),
        ("through NumPy and back", "odds / total", "ops.convert_to_tensor(np.array(odds) / np.array(total))"),
    ],
)

# --- right answers written otherwise ----------------------------------------------------------------------------------

accepted(
    "the exponential of the scores minus log-sum-exp",
    """
def softmax(scores, axis=-1):
    return ops.exp(scores - ops.logsumexp(scores, axis=axis, keepdims=True))
""",
)
accepted(
    "the axis moved to the end and back",
    """
def softmax(scores, axis=-1):
    moved = ops.moveaxis(ops.convert_to_tensor(scores), axis, -1)
    moved = ops.exp(moved - ops.amax(moved, axis=-1)[..., None])
    moved = ops.divide(moved, ops.sum(moved, axis=-1)[..., None])
    return ops.moveaxis(moved, -1, axis)
""",
)
accepted(
    "no gradient through the maximum, which cancels",
    """
def softmax(scores, axis=-1):
    scores = ops.cast(scores, "float32")
    top = ops.stop_gradient(ops.max(scores, axis=axis, keepdims=True))
    odds = ops.power(math.e, ops.subtract(scores, top))
    return odds * ops.reciprocal(ops.sum(odds, axis=axis, keepdims=True))
""",
)
accepted(
    "exponentials taken twice, every argument by its place",
    """
def softmax(scores, axis=-1):
    scores = ops.convert_to_tensor(scores, dtype="float32")
    rest = scores - ops.max(scores, axis, True)
    return ops.divide(ops.exp(rest), ops.sum(ops.exp(rest), axis, True))
""",
)
mutants(
    SOFTMAX,
    "sizes_may_be_open",
    [
        (
            "repeats the sum as often as there are scores",
            "odds / total",
            "odds / ops.repeat(total, scores.shape[axis], axis=axis)",
        ),
        ("lays the sizes down", "    highest", "    scores = ops.reshape(scores, tuple(scores.shape))\n    highest"),
    ],
)
mutants(
    SOFTMAX,
    "any_axis_can_be_chosen",
    [
        (
            "subtracts in place",
            "    highest",
            "    if isinstance(scores, np.ndarray):\n"
            "        scores -= scores.max(axis=axis, keepdims=True)\n    highest",
        ),
        (
            "knows two or four axes only",
            "    highest",
            "    axis = axis if len(scores.shape) in (2, 4) else -1\n    highest",
        ),
    ],
)
mutants(
    SOFTMAX,
    "huge_scores_give_right_finite_weights",
    [
        ("adds a small constant to be safe from 0", "total\n", "(total + 1e-3)\n"),
    ],
)
mutants(
    SOFTMAX,
    "weights_are_exponentials_over_their_sum",
    [("half precision", "odds / total", "ops.cast(ops.cast(odds, 'float16') / ops.cast(total, 'float16'), 'float32')")],
)
