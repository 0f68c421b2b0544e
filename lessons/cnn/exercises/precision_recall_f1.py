"""Exercise `precision_recall_f1`: what a right answer must do, and typical wrong ones."""

import numpy as np

from llmcourse.checking import accepted, criterion, expect, expect_close, expect_shape, expect_unchanged, mutants


def measures(confusion):
    """Compute precision, recall and F1 of each class from the definitions, one class at a time."""
    rows = []
    for k in range(len(confusion)):
        right, predicted, true = float(confusion[k, k]), float(confusion[:, k].sum()), float(confusion[k].sum())
        precision, recall = right / predicted if predicted else 0.0, right / true if true else 0.0
        total = precision + recall
        rows.append([precision, recall, 2 * precision * recall / total if total else 0.0])
    return np.array(rows)


def draw_confusion(rng):
    """Draw counts in which precision and recall of a class differ clearly."""
    classes = int(rng.integers(4, 8))
    confusion = rng.integers(1, 12, size=(classes, classes)) + np.diag(rng.integers(5, 90, size=classes))
    confusion[rng.integers(classes)] *= 7  # a class with many samples: its row is large, and other columns suffer
    return confusion


def call_measures(student, confusion):
    received = student.precision_recall_f1(confusion)
    return expect_shape(received, (len(confusion), 3), what="precision_recall_f1(confusion)")


@criterion(
    hints=[
        "Of all samples that were called a 3, where in the matrix are they? And which of them are right?",
        "They are column 3, and the right one is on the diagonal. Precision divides by the sum of the column.",
        "`np.diag(confusion) / confusion.sum(axis=0)`.",
    ],
)
def precision_asks_how_many_answers_are_right(student, rng):
    """Column 0 is the precision: the share of the answers k that are right, the diagonal over the column's sum."""
    for factor in (1, 5000):  # few samples, and many
        confusion = factor * draw_confusion(rng)
        received = call_measures(student, confusion)
        expect_close(received[:, 0], measures(confusion)[:, 0], what="the precision of each class")


@criterion(
    hints=[
        "Of all true 3s, where in the matrix are they?",
        "They are row 3. Recall divides by the sum of the row: the share of true 3s that were found.",
        "`np.diag(confusion) / confusion.sum(axis=1)`.",
    ],
)
def recall_asks_how_many_of_a_class_are_found(student, rng):
    """Column 1 is the recall: the share of the true k that were found, the diagonal over the row's sum."""
    for factor in (1, 5000):
        confusion = factor * draw_confusion(rng)
        received = call_measures(student, confusion)
        expect_close(received[:, 1], measures(confusion)[:, 1], what="the recall of each class")


@criterion(
    points=2,
    hints=[
        "Precision 1 and recall 0.1: is F1 nearer to 0.55 or to 0.1?",
        "The harmonic mean 2 P R / (P + R) stays close to the smaller one. Here it is 0.18.",
        "`2 * precision * recall / (precision + recall)`. The accuracy plays no part.",
    ],
)
def f1_is_the_harmonic_mean(student, rng):
    """Column 2 is F1, the harmonic mean of the precision and the recall of the class."""
    for factor in (1, 5000):
        confusion = factor * draw_confusion(rng)
        received = call_measures(student, confusion)
        expect_close(received[:, 2], measures(confusion)[:, 2], what="F1 of each class")


@criterion(
    points=2,
    hints=[
        "What is the precision of a class that was never predicted, and the recall of one that never occurs?",
        "Each would be 0 divided by 0. We agreed on 0, without a NaN and without a warning.",
        "`np.divide(a, b, out=np.zeros(len(a)), where=b > 0)` leaves 0 wherever b is 0.",
    ],
)
def where_zero_would_divide_the_result_is_zero(student, rng):
    """A class without samples, without predictions, or without one right answer gets 0 where it would be 0/0."""
    confusion = draw_confusion(rng)
    never_true, never_predicted, never_right = rng.choice(len(confusion), size=3, replace=False)
    confusion[never_true], confusion[:, never_predicted], confusion[never_right, never_right] = 0, 0, 0
    wrong = confusion - np.diag(np.diag(confusion))  # not a single right answer
    for matrix, what in (
        (confusion, "precision, recall and F1"),
        (wrong, "the measures of a matrix without right answers"),
        (np.zeros((3, 3), dtype=int), "the measures of an empty matrix"),
    ):
        received = call_measures(student, matrix)
        expect(np.isfinite(received).all(), required="no NaN and no infinity", received=received)
        expect_close(received, measures(matrix), what=what)


@criterion(
    hints=[
        "How many rows has your result for C classes, and what stands in a row?",
        "One row for each class, with three columns: np.stack([precision, recall, f1], axis=1).",
    ],
)
def each_class_has_a_row_and_the_matrix_stays(student, rng):
    """The result has the shape (C, 3) for any C, exact fractions, and the matrix is not changed."""
    for classes in (2, 3, 5, 12, 1):
        confusion = rng.integers(1, 9, size=(classes, classes))
        received = call_measures(student, confusion)
        expect_unchanged(student)
        expect_close(received, measures(confusion), what=f"the measures of {classes} classes")


# --- typical wrong answers, each with the criterion that must catch it ------------------------------------------------

MEASURES = """
def precision_recall_f1(confusion):
    def divide(a, b):
        return np.divide(a, b, out=np.zeros(len(a)), where=b > 0)

    right = np.diag(confusion)
    precision = divide(right, confusion.sum(axis=0))
    recall = divide(right, confusion.sum(axis=1))
    f1 = divide(2 * precision * recall, precision + recall)
    return np.stack([precision, recall, f1], axis=1)
"""
DIVIDE = "np.divide(a, b, out=np.zeros(len(a)), where=b > 0)"
F1 = "divide(2 * precision * recall, precision + recall)"
PRECISION, RECALL = "divide(right, confusion.sum(axis=0))", "divide(right, confusion.sum(axis=1))"
ACCURACY = "confusion.trace() / max(1, confusion.sum())"
SKLEARN = """
def precision_recall_f1(confusion):
    from sklearn.metrics import precision_recall_fscore_support

    classes = len(confusion)
    labels, predictions = np.repeat(np.indices(confusion.shape).reshape(2, -1), confusion.ravel(), axis=1)
    return np.stack(
        precision_recall_fscore_support(labels, predictions, labels=range(classes), zero_division=0)[:3], axis=1
    )
"""
mutants(
    MEASURES,
    "*",
    [
        ("imports the answer", MEASURES, "from llmcourse.steps.cnn import precision_recall_f1"),
        ("asks scikit-learn", MEASURES, SKLEARN),
    ],
)
mutants(
    MEASURES,
    "precision_asks_how_many_answers_are_right",
    [
        ("precision and recall exchanged", "[precision, recall, f1]", "[recall, precision, f1]"),
        ("divides by all samples", PRECISION, "right / max(1, confusion.sum())"),
        (
            "the accuracy of each class against the rest",
            PRECISION,
            "1 - (confusion.sum(axis=0) + confusion.sum(axis=1) - 2 * right) / max(1, confusion.sum())",
        ),
        ("one precision for all classes", PRECISION, f"np.full(len(right), {ACCURACY})"),
        ("right over wrong", PRECISION, "divide(right, confusion.sum(axis=0) - right)"),
        ("percent", "[precision, recall, f1]", "[100 * precision, recall, f1]"),
    ],
)
mutants(
    MEASURES,
    "recall_asks_how_many_of_a_class_are_found",
    [
        (
            "recall judges the negatives",
            RECALL,
            "divide(c := confusion.sum() - confusion.sum(axis=0) - confusion.sum(axis=1) + right, "
            "c + confusion.sum(axis=0) - right)",
        ),
        ("the share that was not found", RECALL, "1 - divide(right, confusion.sum(axis=1))"),
        ("rows and columns together", RECALL, "divide(right, confusion.sum(axis=0) + confusion.sum(axis=1) - right)"),
        ("takes the columns for both", "confusion.sum(axis=1)", "confusion.sum(axis=0)"),
        ("rounds", "[precision, recall, f1]", "[precision, recall.round(2), f1]"),
    ],
)
mutants(
    MEASURES,
    "f1_is_the_harmonic_mean",
    [
        ("the arithmetic mean", F1, "(precision + recall) / 2"),
        ("the mean of accuracy and recall", F1, f"({ACCURACY} + recall) / 2"),
        ("the geometric mean", F1, "np.sqrt(precision * recall)"),
        ("forgets the 2", "divide(2 * precision", "divide(precision"),
        ("the smaller of the two", F1, "np.minimum(precision, recall)"),
        ("the harmonic mean of accuracy and recall", F1, f"divide(2 * (a := {ACCURACY}) * recall, a + recall)"),
        ("accuracy plus recall as one number", F1, f"{ACCURACY} + recall"),
    ],
)
mutants(
    MEASURES,
    "where_zero_would_divide_the_result_is_zero",
    [
        ("divides 0 by 0", DIVIDE, "np.asarray(a) / b"),
        ("1 instead of 0", "np.zeros(len(a))", "np.ones(len(a))"),
        ("leaves what was in memory", "out=np.zeros(len(a))", "out=np.full(len(a), 0.5)"),
        (
            "counts of at least 1 in every cell",
            "    def divide",
            "    confusion = np.maximum(confusion, 1)\n    def divide",
        ),
        ("minus 1 where there is nothing", "np.zeros(len(a))", "np.full(len(a), -1.0)"),
    ],
)
mutants(
    MEASURES,
    "each_class_has_a_row_and_the_matrix_stays",
    [
        ("a column for each class", ", axis=1)\n", ", axis=0)\n"),
        ("the mean over the classes", "axis=1)\n", "axis=1).mean(axis=0)\n"),
        ("a small constant below every fraction", DIVIDE, "a / (b + 1e-6)"),
        ("scales the matrix in place", "    right =", "    confusion *= 2\n    right ="),
        (
            "whole numbers",
            "np.stack([precision, recall, f1], axis=1)",
            "np.stack([precision, recall, f1], axis=1).astype(int)",
        ),
    ],
)

# --- right answers written otherwise ----------------------------------------------------------------------------------

accepted(
    "errors of division silenced, nan turned into 0",
    """
def precision_recall_f1(confusion):
    with np.errstate(divide="ignore", invalid="ignore"):
        p = np.nan_to_num(confusion.diagonal() / confusion.sum(0))
        r = np.nan_to_num(confusion.diagonal() / confusion.sum(1))
        return np.column_stack([p, r, np.nan_to_num(2 * p * r / (p + r))])
""",
)
accepted(
    "class by class in plain Python",
    """
def ratio(a, b):
    return a / b if b else 0.0

def precision_recall_f1(confusion):
    rows = []
    for k in range(len(confusion)):
        right = int(confusion[k, k])
        p, r = ratio(right, int(confusion[:, k].sum())), ratio(right, int(confusion[k].sum()))
        rows.append([p, r, ratio(2 * p * r, p + r)])
    return np.array(rows, dtype=float)
""",
)
accepted(
    "F1 from the counts: twice the right ones over row plus column",
    """
def precision_recall_f1(confusion):
    right, column, row = np.diagonal(confusion), confusion.sum(axis=0), confusion.sum(axis=1)
    return np.array([right / np.maximum(column, 1), right / np.maximum(row, 1), 2 * right / np.maximum(column + row, 1)]).T
""",
)
accepted(
    "where, with a divisor of 1 in place of 0",
    """
def precision_recall_f1(confusion):
    matrix = confusion.astype(float)
    table = np.zeros((matrix.shape[0], 3))
    for column, totals in enumerate((matrix.sum(axis=0), matrix.sum(axis=1))):
        table[:, column] = np.where(totals == 0, 0, np.diag(matrix) / np.where(totals == 0, 1, totals))
    total = table[:, 0] + table[:, 1]
    table[:, 2] = 2 * table[:, 0] * table[:, 1] / np.where(total == 0, 1, total)
    return table
""",
)
accepted(
    "counts of right answers, false alarms and misses",
    """
def precision_recall_f1(confusion):
    rows = []
    for k, row in enumerate(confusion.tolist()):
        hits, missed = row[k], sum(row) - row[k]
        alarms = sum(other[k] for other in confusion.tolist()) - hits
        p = hits and hits / (hits + alarms)
        r = hits and hits / (hits + missed)
        rows.append((p, r, 2 / (1 / p + 1 / r) if hits else 0))
    return np.array(rows, dtype=np.float64)
""",
)
mutants(
    MEASURES,
    "precision_asks_how_many_answers_are_right",
    [
        ("counts in two bytes", "    right =", "    confusion = confusion.astype(np.int16)\n    right ="),
        (
            "the mean over the classes for each",
            "divide(right, confusion.sum(axis=0))",
            "np.full(len(right), divide(right, confusion.sum(axis=0)).mean())",
        ),
    ],
)
mutants(
    MEASURES,
    "f1_is_the_harmonic_mean",
    [
        ("F2, which counts recall more", F1, "divide(5 * precision * recall, 4 * precision + recall)"),
        (
            "from the mean precision and the mean recall",
            F1,
            "np.full(len(right), divide(2 * (p := precision.mean(keepdims=True)) * (r := recall.mean(keepdims=True)), p + r)[0])",
        ),
    ],
)
mutants(
    MEASURES,
    "where_zero_would_divide_the_result_is_zero",
    [
        (
            "thinks of the precision only",
            "recall = divide(right, confusion.sum(axis=1))",
            "recall = right / confusion.sum(axis=1)",
        ),
        ("thinks of precision and recall, not of F1", F1, "2 * precision * recall / (precision + recall)"),
        ("leaves out classes without samples", "axis=1)\n", "axis=1)[confusion.sum(axis=1) > 0]\n"),
    ],
)
mutants(
    MEASURES,
    "each_class_has_a_row_and_the_matrix_stays",
    [
        ("clears the diagonal", "    return np.stack", "    np.fill_diagonal(confusion, 0)\n    return np.stack"),
        ("drops the row of a single class", "axis=1)\n", "axis=1).squeeze()\n"),
    ],
)
