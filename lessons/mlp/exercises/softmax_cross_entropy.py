"""Exercise `softmax_cross_entropy`: what a right answer must do, and typical wrong ones."""

import numpy as np

from llmcourse.checking import accepted, criterion, expect_close, expect_unchanged, mutants

from ..oracles import cross_entropy, distinct_sizes, expect_pair


def draw_logits(rng, samples=None):
    n, c = distinct_sizes(rng, 2, low=3)
    n = n if samples is None else samples
    return rng.normal(scale=2.0, size=(n, c)), rng.integers(c, size=n)


def draw_many_classes(rng):
    """Draw logits of more classes than a byte can count, and labels of any of them, the last one too."""
    c = int(rng.integers(257, 400))
    labels = rng.integers(c, size=13).astype(rng.choice([np.int32, np.int64]))
    labels[:2] = c - 1, 130
    return rng.normal(scale=2.0, size=(13, c)), labels


def draw_without_the_last_class(rng):
    """Draw as many samples as classes, none of them of the last class, and two of the same one."""
    c = int(rng.integers(4, 9))
    labels = rng.permutation(c - 1)[rng.integers(c - 1, size=c)]
    labels[-1] = labels[0]
    return rng.normal(scale=2.0, size=(c, c)), labels


def call_cross_entropy(student, logits, labels):
    result = student.softmax_cross_entropy(logits, labels)
    return expect_pair(result, "softmax_cross_entropy", "the loss and the gradient")


@criterion(
    hints=[
        "By which factor do required and received differ? What is the probability of the right class of one sample, and "
        "minus its logarithm?",
        "Softmax over each row (axis=1), then pick from row n the column labels[n], then the mean over the rows.",
        "`log_probs[np.arange(len(labels)), labels]` picks one entry from each row; the loss is minus their mean.",
    ],
)
def the_loss_is_the_mean_of_minus_log_probability(student, rng):
    """The loss is one number: the mean over the samples of -log(probability of the right class), natural logarithm."""
    for logits, labels in (draw_logits(rng), draw_without_the_last_class(rng), draw_without_the_last_class(rng)):
        expect_close(call_cross_entropy(student, logits, labels)[0], cross_entropy(logits, labels)[0], what="the loss")
    logits, labels = draw_many_classes(rng)
    expected = cross_entropy(logits, labels)[0]
    expect_close(
        call_cross_entropy(student, logits, labels)[0], expected, what=f"the loss for {logits.shape[1]} classes"
    )


@criterion(
    points=2,
    hints=[
        "By which factor do required and received differ? What does each row of the gradient sum to, and which entry of a row is negative?",
        "The gradient is (P - Y) / N: the probabilities, minus 1 in the column of the right class, divided by N.",
        "Take the probabilities, do `grad[rows, labels] -= 1`, and do not forget to divide by the number of samples.",
    ],
)
def the_gradient_is_probability_minus_one_hot_over_n(student, rng):
    """The gradient is (softmax - one-hot label) / N, with the shape of the logits."""
    for logits, labels in (draw_logits(rng), draw_without_the_last_class(rng)):
        for again in (labels, (labels + 1) % (logits.shape[1] - 1)):  # the same shape twice
            expected = cross_entropy(logits, again)[1]
            expect_close(call_cross_entropy(student, logits, again)[1], expected, what="the gradient")
    logits, labels = draw_many_classes(rng)
    expected = cross_entropy(logits, labels)[1]
    expect_close(
        call_cross_entropy(student, logits, labels)[1], expected, what=f"the gradient for {logits.shape[1]} classes"
    )


@criterion(
    hints=[
        "What is np.exp(10000), and what is np.log(0)?",
        "Subtract each row's maximum first, and write log(softmax) as shifted - log(sum(exp(shifted))).",
        "`np.log(np.exp(shifted).sum(axis=1, keepdims=True))` is safe without a small constant: the sum is at least 1.",
    ],
)
def huge_logits_give_exact_finite_results(student, rng):
    """Logits of 10,000 and of -10,000 give the exact loss and gradient, without nan and without inf."""
    logits, labels = draw_logits(rng)
    signs = rng.choice([-1.0, 1.0], size=logits.shape)
    signs[0, 0], signs[0, 1], labels[0] = 1.0, -1.0, 1  # at least one answer is wrong and very sure
    for huge in (1e4 * signs + logits, np.full_like(logits, -1e4)):
        loss, grad = call_cross_entropy(student, huge, labels)
        expected_loss, expected_grad = cross_entropy(huge, labels)
        expect_close(loss, expected_loss, what="the loss of logits near 10,000 and -10,000")
        expect_close(grad, expected_grad, what="the gradient for logits near 10,000 and -10,000")
    sure = np.where(np.arange(logits.shape[1]) == labels[:, None], 1e4, -1e4)
    loss, _ = call_cross_entropy(student, sure, labels)
    expect_close(loss, 0.0, what="the loss where all are right and very sure", tolerance=1e-9)


@criterion(
    hints=[
        "Which maximum do you subtract: one for each row, or one for the whole array?",
        "A row far below the largest logit of the whole array would become zeros. Give each row its own maximum.",
        "`logits.max(axis=1, keepdims=True)` has the shape (N, 1) and fits onto the rows.",
    ],
)
def each_row_is_shifted_by_its_own_maximum(student, rng):
    """Adding a different constant to each row, however large, changes neither the loss nor the gradient."""
    logits, labels = draw_logits(rng)
    shifts = rng.permutation(np.linspace(-3000.0, 3000.0, len(logits)))[:, None]
    loss, grad = call_cross_entropy(student, logits + shifts, labels)
    expected_loss, expected_grad = cross_entropy(logits, labels)
    expect_close(loss, expected_loss, what="the loss after a constant was added to each row")
    expect_close(grad, expected_grad, what="the gradient after a constant was added to each row")


@criterion(
    hints=[
        "Do your shapes still fit with N = 1? Does your code write into logits?",
        "keepdims=True keeps (1, 1) from becoming (1,) or a number. And `shifted = logits - ...` makes a new array.",
    ],
)
def one_sample_works_and_the_logits_stay(student, rng):
    """A single sample gives a gradient of shape (1, C), and neither the logits nor the labels are changed."""
    for samples in (1, int(rng.integers(4, 9))):
        logits, labels = draw_logits(rng, samples)
        if samples > 1:
            labels[:2] = 1, 0  # not sorted
        loss, grad = call_cross_entropy(student, logits, labels)
        expect_unchanged(student)
        words = "one sample" if samples == 1 else f"{samples} samples"
        expected_loss, expected_grad = cross_entropy(logits, labels)
        expect_close(loss, expected_loss, what=f"the loss of {words}")
        expect_close(grad, expected_grad, what=f"the gradient for {words}")


# --- typical wrong answers, each with the criterion that must catch it ------------------------------------------------

CROSS_ENTROPY = """
def softmax_cross_entropy(logits, labels):
    rows = np.arange(len(labels))
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_probs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    loss = -log_probs[rows, labels].mean()
    grad = np.exp(log_probs)
    grad[rows, labels] -= 1
    return loss, grad / len(labels)
"""
SHIFT = "shifted = logits - logits.max(axis=1, keepdims=True)"
LOG_PROBS = "log_probs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))"
PROBS = "probs = np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True)\n    log_probs = "
mutants(
    CROSS_ENTROPY,
    "*",
    [
        ("imports the answer", CROSS_ENTROPY, "from llmcourse.steps.mlp import softmax_cross_entropy"),
        (
            "takes SciPy's softmax",
            LOG_PROBS,
            "import scipy.special\n    log_probs = scipy.special.log_softmax(logits, 1)",
        ),
    ],
)
mutants(
    CROSS_ENTROPY,
    "the_loss_is_the_mean_of_minus_log_probability",
    [
        ("the sum over the samples", ".mean()", ".sum()"),
        ("labels that fit into a byte", "log_probs[rows, labels]", "log_probs[rows, labels.astype(np.uint8)]"),
        ("nine classes", "log_probs[rows, labels]", "log_probs[rows, labels % 9]"),
        ("the mean over all N * C entries", ".mean()", ".sum() / logits.size"),
        ("one loss for each sample", ".mean()", ""),
        ("forgets the minus sign", "-log_probs[rows", "log_probs[rows"),
        ("logarithms to the base 2", ".mean()", ".mean() / np.log(2)"),
        ("takes whole columns for labels", "log_probs[rows, labels]", "log_probs[:, labels]"),
        ("the logit instead of the logarithm of the probability", "-log_probs[rows, labels]", "-logits[rows, labels]"),
        ("softmax over the samples", "np.exp(shifted).sum(axis=1", "np.exp(shifted).sum(axis=0"),
    ],
)
mutants(
    CROSS_ENTROPY,
    "the_gradient_is_probability_minus_one_hot_over_n",
    [
        ("forgets 1/N in the gradient", "grad / len(labels)", "grad"),
        ("does not subtract the one-hot label", "    grad[rows, labels] -= 1\n", ""),
        (
            "one-hot rows as long as the largest label asks for",
            "grad[rows, labels] -= 1",
            "grad = grad - np.eye(labels.max() + 1)[labels]",
        ),
        (
            "transposes where that fits",
            "    return loss",
            "    grad = grad.T if len(grad) == len(grad.T) else grad\n    return loss",
        ),
        (
            "remembers the labels of the first call",
            "    rows =",
            "    labels = softmax_cross_entropy.__dict__.setdefault(str(logits.shape), labels)\n    rows =",
        ),
        ("subtracts it from whole columns", "grad[rows, labels] -= 1", "grad[:, labels] -= 1"),
        ("the gradient with the wrong sign", "grad / len", "-grad / len"),
        ("divides by N * C", "grad / len(labels)", "grad / grad.size"),
        ("one number for each sample", "grad / len(labels)", "grad[rows, labels] / len(labels)"),
    ],
)
mutants(
    CROSS_ENTROPY,
    "huge_logits_give_exact_finite_results",
    [
        ("subtracts nothing", SHIFT, "shifted = logits"),
        ("the logarithm of a probability that became 0", LOG_PROBS, f"{PROBS}np.log(probs)"),
        ("adds a small constant inside the logarithm", LOG_PROBS, f"{PROBS}np.log(probs + 1e-12)"),
        ("clips the probabilities", LOG_PROBS, f"{PROBS}np.log(np.clip(probs, 1e-15, 1))"),
        (
            "adds a small constant to a sum that is at least 1",
            "keepdims=True))",
            "keepdims=True) + 1e-7)",
        ),
        ("clips what was shifted", SHIFT, f"{SHIFT}.clip(-700)"),
        ("clips the logits", SHIFT, "shifted = np.clip(logits, -500, 500)"),
    ],
)
mutants(
    CROSS_ENTROPY,
    "each_row_is_shifted_by_its_own_maximum",
    [("one maximum for the whole array", "logits.max(axis=1, keepdims=True)", "logits.max()")],
)
mutants(
    CROSS_ENTROPY,
    "one_sample_works_and_the_logits_stay",
    [
        ("shifts the logits in place", SHIFT, "shifted = logits\n    shifted -= logits.max(axis=1, keepdims=True)"),
        ("sorts the labels it was given", "    return loss", "    labels.sort()\n    return loss"),
        (
            "shifts several rows in place",
            SHIFT,
            f"logits -= logits.max(axis=1, keepdims=True) * (len(logits) > 1)\n    {SHIFT}",
        ),
        ("drops the axis of a single sample", "grad / len(labels)", "np.squeeze(grad / len(labels))"),
    ],
)

# --- right answers written otherwise ----------------------------------------------------------------------------------

accepted(
    "one-hot rows from the identity matrix, and logaddexp",
    """
def softmax_cross_entropy(logits, labels):
    n, c = logits.shape
    y = np.eye(c)[labels]
    log_p = logits - np.logaddexp.reduce(logits, axis=1)[:, None]
    return -(y * log_p).sum() / n, (np.exp(log_p) - y) / n
""",
)
accepted(
    "sample by sample",
    """
def softmax_cross_entropy(logits, labels):
    total, grad = 0.0, np.zeros(logits.shape)
    for n, (row, label) in enumerate(zip(logits, labels)):
        m = max(row)
        e = np.exp(row - m)
        total += m + np.log(e.sum()) - row[label]
        grad[n] = e / e.sum()
        grad[n, label] -= 1
    return total / len(labels), grad / len(labels)
""",
)
accepted(
    "take_along_axis and put_along_axis",
    """
def softmax_cross_entropy(logits, labels):
    z = logits - np.amax(logits, 1)[:, np.newaxis]
    log_sum = np.log(np.sum(np.exp(z), 1, keepdims=True))
    picked = np.take_along_axis(z, labels[:, None], axis=1)
    p = np.exp(z - log_sum)
    right = np.take_along_axis(p, labels[:, None], axis=1)
    np.put_along_axis(p, labels[:, None], right - 1, axis=1)
    return float((log_sum - picked).mean()), p / p.shape[0]
""",
)
accepted(
    "one sample in each column, probabilities first",
    """
def softmax_cross_entropy(logits, labels):
    z = logits.T
    top = z.max(axis=0)
    e = np.exp(z - top)
    total = e.sum(axis=0)
    right = (np.arange(len(z))[:, None] == labels).astype(float)
    loss = np.average(np.log(total) + top - (z * right).sum(axis=0))
    return loss, ((e / total - right) / labels.size).T
""",
)
