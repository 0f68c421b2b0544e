"""Exercise `dense_forward`: what a right answer must do, and typical wrong ones."""

import numpy as np

from llmcourse.checking import accepted, criterion, expect_close, expect_shape, expect_unchanged, mutants

from ..oracles import distinct_sizes


@criterion(
    hints=[
        "How many numbers should come out for N samples and U neurons, and how are they arranged?",
        "The matrix product (N, D) @ (D, U) has the shape (N, U): the inner sizes must agree and disappear.",
        "x stands on the left, weights on the right: x @ weights.",
    ],
)
def one_row_for_each_sample_and_one_column_for_each_neuron(student, rng):
    """For x (N, D) and weights (D, U) the result has the shape (N, U)."""
    n, d, u = distinct_sizes(rng, 3)
    result = student.dense_forward(rng.normal(size=(n, d)), rng.normal(size=(d, u)), rng.normal(size=u))
    expect_shape(result, (n, u), what="dense_forward(x, weights, bias)")


@criterion(
    hints=[
        "Take the first row of x and the first column of weights: what is their sum of products?",
        "Each entry is the sum of products of a row of x with a column of weights, plus the bias of that column.",
        "`x @ weights` gives all sums of products; the bias is still missing. NumPy adds a (U,) array to every row.",
    ],
)
def each_answer_is_the_weighted_sum_plus_the_bias(student, rng):
    """Row n, column u is the sum over d of x[n, d] * weights[d, u], plus bias[u], and the inputs stay as they are."""
    n, d, u = distinct_sizes(rng, 3)
    for shape in ((n, d, u), (n, d, u), (d, d, d)):  # the same shape again; in a square no shape gives a mistake away
        x, weights, bias = rng.normal(size=shape[:2]), rng.normal(size=shape[1:]), rng.normal(size=shape[2])
        bias[:2] = 1e-3, -1e-3
        expected = np.einsum("nd,du->nu", x, weights) + bias
        expect_close(student.dense_forward(x, weights, bias), expected, what="dense_forward(x, weights, bias)")
        expect_unchanged(student)


@criterion(
    hints=[
        "What is the shape of x for one sample, and what should be the shape of the result? And for one neuron?",
        "One sample still is a row: (1, D) in, (1, U) out. One neuron still is a column. Keep the axes of length 1.",
    ],
)
def a_single_sample_keeps_its_row(student, rng):
    """For one sample, x (1, D), the result has the shape (1, U), and for one neuron the shape (N, 1)."""
    n, d, u = distinct_sizes(rng, 3)
    for shape, words in (((1, d, u), "one sample"), ((n, d, 1), "one neuron"), ((n, 1, u), "one feature")):
        x, weights, bias = rng.normal(size=shape[:2]), rng.normal(size=shape[1:]), rng.normal(size=shape[2])
        expect_close(student.dense_forward(x, weights, bias), x @ weights + bias, what=f"dense_forward for {words}")


@criterion(
    hints=[
        "How large and how small may the answer of a neuron be?",
        "Any sum is a right answer, 100,000 as well as -100,000. Limit, round and change nothing.",
    ],
)
def large_answers_come_out_as_they_are(student, rng):
    """Answers and biases in the hundred thousands, of both signs, come out as they are."""
    n, d, u = distinct_sizes(rng, 3)
    x, weights = rng.normal(scale=1000, size=(n, d)), rng.normal(scale=1000, size=(d, u))
    bias = rng.choice([-1.0, 1.0], size=u) * rng.uniform(2e5, 9e5, size=u)
    bias[:2] = np.abs(bias[0]), -np.abs(bias[1])
    for samples in (x, 0 * x):
        what = "dense_forward for large numbers" if samples.any() else "dense_forward for x = 0 and large biases"
        expect_close(student.dense_forward(samples, weights, bias), samples @ weights + bias, what=what)


# --- typical wrong answers, each with the criterion that must catch it ------------------------------------------------

DENSE = """
def dense_forward(x, weights, bias):
    return x @ weights + bias
"""
PIECE = "x @ weights + bias"
mutants(DENSE, "*", [("imports the answer", PIECE, "steps.dense_forward(x, weights, bias)")])
mutants(
    DENSE,
    "one_row_for_each_sample_and_one_column_for_each_neuron",
    [
        ("transposes the weights", "weights +", "weights.T +"),
        ("one sample in each column", PIECE, "weights.T @ x.T + bias[:, None]"),
        ("answers for the first sample only", "x @", "x[0] @"),
        ("multiplies entry by entry", "@", "*"),
    ],
)
mutants(
    DENSE,
    "each_answer_is_the_weighted_sum_plus_the_bias",
    [
        ("forgets the bias", " + bias", ""),
        ("subtracts the bias, as a threshold", "+ bias", "- bias"),
        ("one bias for each sample, where that fits", "+ bias", "+ (bias[:, None] if len(x) == len(bias) else bias)"),
        ("the first bias for all neurons", "+ bias", "+ bias[0]"),
        ("the mean over the inputs instead of the sum", "+ bias", "/ x.shape[1] + bias"),
        ("applies ReLU already", PIECE, "np.maximum(x @ weights + bias, 0)"),
        ("writes into the weights", "    return", "    weights *= 1.5\n    return"),
        (
            "remembers the weights of the first call",
            f"(x, weights, bias):\n    return {PIECE}",
            "(x, weights, bias, kept={}):\n    return x @ kept.setdefault(weights.shape, weights) + bias",
        ),
        (
            "transposes the weights where they are square",
            "@ weights",
            "@ (weights.T if len(weights) == len(bias) else weights)",
        ),
        ("takes a small bias for 0", "+ bias", "+ bias * (np.abs(bias) > 0.01)"),
        ("whole numbers", PIECE, "np.rint(x @ weights + bias)"),
    ],
)
mutants(
    DENSE,
    "a_single_sample_keeps_its_row",
    [
        ("drops the axis of a single sample", PIECE, "np.squeeze(x @ weights + bias)"),
        (
            "drops the axis of a single neuron",
            PIECE,
            "(x @ weights + bias)[:, 0] if len(bias) == 1 else x @ weights + bias",
        ),
    ],
)
mutants(
    DENSE,
    "large_answers_come_out_as_they_are",
    [
        ("limits the answers", PIECE, "np.clip(x @ weights + bias, -1000, 1000)"),
        ("limits the biases", "+ bias", "+ np.clip(bias, -100, 100)"),
        ("half precision", PIECE, "(x @ weights + bias).astype(np.float16)"),
    ],
)

# --- right answers written otherwise ----------------------------------------------------------------------------------

accepted(
    "einsum",
    """
def dense_forward(x, weights, bias):
    return np.einsum("nd,du->nu", x, weights) + bias[None, :]
""",
)
accepted(
    "the bias as one more row of the weights",
    """
def dense_forward(x, weights, bias):
    ones = np.ones((x.shape[0], 1))
    return np.hstack([x, ones]).dot(np.vstack([weights, bias]))
""",
)
accepted(
    "loops over samples and neurons",
    """
def dense_forward(x, weights, bias):
    result = np.zeros((len(x), weights.shape[1]))
    for n, sample in enumerate(x):
        for u in range(weights.shape[1]):
            result[n, u] = bias[u] + sum(a * b for a, b in zip(sample, weights[:, u]))
    return result
""",
)
accepted(
    "all products at once, then their sum",
    """
def dense_forward(x, weights, bias):
    products = x[:, :, np.newaxis] * weights[np.newaxis]
    answers = products.sum(axis=1)
    answers += bias
    return answers
""",
)
