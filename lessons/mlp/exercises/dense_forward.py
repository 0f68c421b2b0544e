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
    for shape in ((n, d, u), (d, d, d)):  # square ones too: there no shape gives a mistake away
        x, weights, bias = rng.normal(size=shape[:2]), rng.normal(size=shape[1:]), rng.normal(size=shape[2])
        expected = np.einsum("nd,du->nu", x, weights) + bias
        expect_close(student.dense_forward(x, weights, bias), expected, what="dense_forward(x, weights, bias)")
        expect_unchanged(student)


@criterion(
    hints=[
        "What is the shape of x for one sample, and what should be the shape of the result?",
        "One sample still is a row: (1, D) in, (1, U) out. Do not drop the axis of length 1.",
    ],
)
def a_single_sample_keeps_its_row(student, rng):
    """For one sample, x (1, D), the result has the shape (1, U)."""
    d, u = distinct_sizes(rng, 2)
    x, weights, bias = rng.normal(size=(1, d)), rng.normal(size=(d, u)), rng.normal(size=u)
    expect_close(student.dense_forward(x, weights, bias), x @ weights + bias, what="dense_forward for one sample")


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
    ],
)
mutants(
    DENSE,
    "a_single_sample_keeps_its_row",
    [("drops the axis of a single sample", PIECE, "np.squeeze(x @ weights + bias)")],
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
