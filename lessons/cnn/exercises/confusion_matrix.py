"""Exercise `confusion_matrix`: what a right answer must do, and typical wrong ones."""

import numpy as np

from llmcourse.checking import accepted, criterion, expect, expect_equal, expect_shape, expect_unchanged, mutants


def count_pairs(labels, predictions, classes):
    matrix = np.zeros((classes, classes), dtype=int)
    for truth, answer in zip(labels, predictions, strict=True):
        matrix[truth, answer] += 1
    return matrix


def expect_counts(received, labels, predictions, classes, what):
    """Require the right table; where it is wrong, name the first entry that differs."""
    expected = count_pairs(labels, predictions, classes)
    matrix = expect_shape(received, expected.shape, what=what)
    wrong = np.argwhere(matrix != expected)
    if len(wrong):
        row, column = wrong[0]
        required = f"{what}: {expected[row, column]} in row {row}, column {column}"
        more = f"; {len(wrong)} of {expected.size} entries differ"
        expect(False, required=required, received=f"{matrix[row, column]}{more}")


def draw_answers(rng, classes, samples):
    """Draw labels, and predictions most of which are right."""
    labels = rng.integers(classes, size=samples)
    return labels, np.where(rng.uniform(size=samples) < 0.6, labels, rng.integers(classes, size=samples))


@criterion(
    hints=[
        "What shape has the table for C classes, and which numbers can stand in it?",
        "(C, C), with integers: they are counts.",
        "`np.zeros((num_classes, num_classes), dtype=int)` is the table before the first sample.",
    ],
)
def it_is_a_square_table_of_counts(student, rng):
    """The result has the shape (C, C) and holds integers that add up to the number of samples."""
    classes, samples = int(rng.integers(3, 8)), int(rng.integers(30, 60))
    received = student.confusion_matrix(*draw_answers(rng, classes, samples), classes)
    matrix = expect_shape(received, (classes, classes), what="confusion_matrix(...)")
    expect(matrix.dtype.kind in "iu", required="integers", received=f"dtype {matrix.dtype}")
    expect_equal(int(matrix.sum()), samples, what="the sum of all counts")


@criterion(
    points=2,
    hints=[
        "A 4 that was taken for a 9: which row, which column?",
        "The row is the true class, the column is the predicted one: matrix[4, 9].",
        "`matrix[label, prediction] += 1` for each sample.",
    ],
)
def rows_are_true_classes_and_columns_predicted_ones(student, rng):
    """Row i, column j counts the samples of class i that were taken for class j, for labels of any integer type."""
    for classes, kind in ((10, np.uint8), (int(rng.integers(11, 15)), np.int64), (int(rng.integers(20, 30)), np.int32)):
        labels, predictions = draw_answers(rng, classes, int(rng.integers(400, 600)))
        received = student.confusion_matrix(labels.astype(kind), predictions.astype(kind), classes)
        expect_counts(received, labels, predictions, classes, f"the table of {classes} classes")


@criterion(
    hints=[
        "What happens when the same pair occurs three times?",
        "With arrays as indices, `matrix[labels, predictions] += 1` adds 1 only once to each place.",
        "A loop over zip(labels, predictions) counts right, and so does np.add.at(matrix, (labels, predictions), 1).",
    ],
)
def a_pair_that_occurs_often_is_counted_often(student, rng):
    """The same mistake made k times counts k."""
    classes, often = int(rng.integers(3, 6)), int(rng.integers(5, 12))
    truth, answer = (int(one) for one in rng.choice(classes, size=2, replace=False))
    labels, predictions = np.full(often, truth), np.full(often, answer)
    received = student.confusion_matrix(labels, predictions, classes)
    expect_counts(received, labels, predictions, classes, f"{often} equal mistakes")
    for often in (
        int(rng.integers(300, 400)),
        int(rng.integers(66_000, 70_000)),
    ):  # more than one or two bytes can count
        labels, predictions = np.full(often, truth), np.full(often, answer)
        received = student.confusion_matrix(labels, predictions, classes)
        expect_counts(received, labels, predictions, classes, f"{often:,} equal mistakes")


@criterion(
    hints=[
        "How large is your table if class 9 never occurs?",
        "The size comes from num_classes, never from the data: classes without samples have rows of zeros.",
    ],
)
def classes_that_never_occur_keep_their_place(student, rng):
    """Classes that do not occur, among labels, predictions or both, have rows and columns of zeros."""
    classes = int(rng.integers(7, 11))
    labels, predictions = rng.integers(2, 4, size=11), rng.integers(3, 6, size=11)
    received = student.confusion_matrix(labels, predictions, classes)
    expect_counts(received, labels, predictions, classes, f"the table of {classes} classes")


@criterion(
    hints=[
        "Does your code sort labels, or change them in another way?",
        "Only read from labels and predictions. They belong together by their order.",
    ],
)
def the_labels_and_predictions_stay(student, rng):
    """labels and predictions are not changed, and one sample alone works too."""
    for samples in (17, 1):
        labels, predictions = draw_answers(rng, 5, samples)
        received = student.confusion_matrix(labels, predictions, 5)
        expect_unchanged(student)
        expect_counts(received, labels, predictions, 5, f"the table of {samples} samples")


# --- typical wrong answers, each with the criterion that must catch it ------------------------------------------------

CONFUSION = """
def confusion_matrix(labels, predictions, num_classes):
    matrix = np.zeros((num_classes, num_classes), dtype=int)
    for label, prediction in zip(labels, predictions):
        matrix[label, prediction] += 1
    return matrix
"""
PAIR, TABLE = "matrix[label, prediction]", "np.zeros((num_classes, num_classes), dtype=int)"
LOOP = "    for label, prediction in zip(labels, predictions):\n        matrix[label, prediction] += 1\n"
mutants(
    CONFUSION,
    "*",
    [
        ("imports the answer", CONFUSION, "from llmcourse.steps.cnn import confusion_matrix"),
        (
            "asks scikit-learn",
            CONFUSION,
            "def confusion_matrix(labels, predictions, num_classes):\n"
            "    import sklearn.metrics\n\n"
            "    return sklearn.metrics.confusion_matrix(labels, predictions, labels=range(num_classes))",
        ),
    ],
)
mutants(
    CONFUSION,
    "it_is_a_square_table_of_counts",
    [
        ("shares instead of counts", "return matrix", "return matrix / matrix.sum(axis=1, keepdims=True)"),
        ("floats", "dtype=int", "dtype=float"),
        ("begins with ones", "np.zeros", "np.ones"),
        ("counts mistakes only", "        matrix[label", "        if label != prediction: matrix[label"),
        ("counts right answers only", "        matrix[label", "        if label == prediction: matrix[label"),
        ("one number for each class", "return matrix", "return np.diag(matrix)"),
        ("a row more, for classes from 1", TABLE, "np.zeros((num_classes + 1, num_classes + 1), dtype=int)"),
    ],
)
mutants(
    CONFUSION,
    "rows_are_true_classes_and_columns_predicted_ones",
    [
        ("rows are predictions", PAIR, "matrix[prediction, label]"),
        ("counts both ways", "        matrix[label", "        matrix[prediction, label] += 1\n        matrix[label"),
        ("sorts the predictions", "zip(labels, predictions)", "zip(labels, sorted(predictions))"),
        ("counts the classes from 1", PAIR, "matrix[label - 1, prediction - 1]"),
        ("does not count the last sample", "zip(labels, predictions)", "zip(labels[:-1], predictions)"),
    ],
)
mutants(
    CONFUSION,
    "a_pair_that_occurs_often_is_counted_often",
    [
        ("index arrays count each pair once", LOOP, "    matrix[labels, predictions] += 1\n"),
        ("notes that a pair occurs, not how often", "] += 1", "] = 1"),
        ("goes through a set of pairs", "zip(labels, predictions)", "set(zip(labels.tolist(), predictions.tolist()))"),
    ],
)
mutants(
    CONFUSION,
    "classes_that_never_occur_keep_their_place",
    [
        ("the size from the labels", TABLE, "np.zeros((max(labels.max(), predictions.max()) + 1,) * 2, dtype=int)"),
        (
            "leaves out classes without samples",
            "return matrix",
            "keep = (matrix.sum(axis=0) + matrix.sum(axis=1)) > 0\n    return matrix[keep][:, keep]",
        ),
    ],
)
mutants(
    CONFUSION,
    "the_labels_and_predictions_stay",
    [
        (
            "sorts both in place",
            "    matrix = np",
            "    labels.sort(); predictions.sort()\n    matrix = np",
        )
    ],
)
mutants(
    CONFUSION,
    "a_pair_that_occurs_often_is_counted_often",
    [("counts in bytes", "dtype=int", "dtype=np.uint8")],
)
mutants(
    CONFUSION,
    "rows_are_true_classes_and_columns_predicted_ones",
    [("nine classes", PAIR, "matrix[label % 9, prediction % 9]")],
)

# --- right answers written otherwise ----------------------------------------------------------------------------------

accepted(
    "one number for each pair, and bincount",
    """
def confusion_matrix(labels, predictions, num_classes):
    pairs = num_classes * labels.astype(np.int64) + predictions
    return np.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)
""",
)
accepted(
    "a loop over the samples",
    """
def confusion_matrix(labels, predictions, num_classes):
    table = [[0] * num_classes for _ in range(num_classes)]
    for truth, answer in zip(labels, predictions):
        table[truth][answer] += 1
    return np.array(table)
""",
)
accepted(
    "a product of one-hot rows",
    """
def confusion_matrix(labels, predictions, num_classes):
    rows = np.eye(num_classes, dtype=np.int64)
    return rows[labels].T @ rows[predictions]
""",
)
accepted(
    "one class after the other, counted by comparing",
    """
def confusion_matrix(labels, predictions, num_classes):
    classes = range(num_classes)
    return np.array([[np.count_nonzero((labels == i) & (predictions == j)) for j in classes] for i in classes])
""",
)
accepted(
    "a sparse matrix of ones",
    """
from collections import Counter

def confusion_matrix(labels, predictions, num_classes):
    table = np.zeros([num_classes] * 2, dtype=np.uint32)
    for (truth, answer), often in Counter(zip(labels.tolist(), predictions.tolist())).items():
        table[truth][answer] = often
    return table
""",
)
mutants(
    CONFUSION,
    "a_pair_that_occurs_often_is_counted_often",
    [
        ("counts in two bytes", "dtype=int", "dtype=np.int16"),
        ("counts in two bytes without a sign", "dtype=int", "dtype=np.uint16"),
        ("counts to a thousand", "return matrix", "return np.minimum(matrix, 1000)"),
    ],
)
mutants(
    CONFUSION,
    "rows_are_true_classes_and_columns_predicted_ones",
    [
        ("ten classes at most", PAIR, "matrix[min(label, 9), min(prediction, 9)]"),
        (
            "numbers the pairs in bytes",
            LOOP,
            "    pairs = (labels * num_classes + predictions).astype(np.uint8)\n"
            "    matrix = np.bincount(pairs, minlength=num_classes**2)[: num_classes**2].reshape(matrix.shape)\n",
        ),
        ("the transposed table", "return matrix", "return matrix.T"),
        ("the same on both sides of the diagonal", "return matrix", "return (matrix + matrix.T) // 2"),
    ],
)
mutants(
    CONFUSION,
    "classes_that_never_occur_keep_their_place",
    [("the size from what occurs", TABLE, "np.zeros((len(np.unique(labels)),) * 2, dtype=int)")],
)
