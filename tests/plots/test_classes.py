from collections.abc import Callable

import numpy as np
import pytest

from llmcourse.plots import Picture, confusion_matrix, decision_regions

MATRIX = np.array([[7, 2, 0], [1, 11, 5], [0, 0, 3]])
X = np.array([[-2.0, 0.0], [-1.0, 3.0], [1.0, 0.0], [2.0, 3.0], [3.0, 1.0]])


def right_half(points: np.ndarray) -> np.ndarray:
    return (points[:, 0] > 0).astype(int)


def test_confusion_matrix_names_accuracy_and_the_worst_confusion(expect_readable: Callable[[Picture], None]) -> None:
    picture = confusion_matrix(MATRIX, ["ant", "bee", "cat"])
    assert picture.alt == (
        "Confusion matrix of 29 samples in 3 classes: accuracy 0.72. "
        "The most frequent confusion: bee taken for cat, 5 times."
    )
    assert picture.figure.axes[0].get_ylabel() == "true class"
    expect_readable(picture)


def test_each_count_stands_in_its_cell_with_true_classes_as_rows() -> None:
    axes = confusion_matrix(MATRIX).figure.axes[0]
    cells = {text.get_position(): text.get_text() for text in axes.texts}
    for (row, column), count in np.ndenumerate(MATRIX):
        assert cells[(column, row)] == str(count)
    assert axes.get_ylim()[0] > axes.get_ylim()[1], "the first row is at the top"
    assert [text.get_text() for text in axes.texts[9:]] == ["78%", "65%", "100%", "recall"]


def test_colour_shows_the_share_of_the_true_class_without_the_diagonal() -> None:
    shares = confusion_matrix(MATRIX).figure.axes[0].collections[0].get_array().reshape(3, 3)
    assert np.ma.getmaskarray(shares).tolist() == np.eye(3, dtype=bool).tolist()
    assert shares[1, 2] == pytest.approx(5 / 17)


def test_confusion_matrix_without_mistakes_and_with_an_empty_class() -> None:
    picture = confusion_matrix(np.diag([3, 0, 5]))
    assert picture.alt.endswith("accuracy 1. No class was taken for another.")
    assert "none" in [text.get_text() for text in picture.figure.axes[0].texts]


def test_ten_classes_with_large_counts_are_readable(expect_readable: Callable[[Picture], None]) -> None:
    matrix = np.full((10, 10), 102) + np.diag(np.full(10, 900))
    matrix[7, 2] = 132
    picture = confusion_matrix(matrix)
    assert picture.alt.endswith("7 taken for 2, about 130 times.")
    expect_readable(picture)


@pytest.mark.parametrize(
    ("matrix", "names"),
    [
        (np.ones((2, 3)), None),
        (np.ones(4), None),
        (np.zeros((3, 3)), None),
        (np.array([[3, -1], [0, 2]]), None),
        (MATRIX, ["one", "two"]),
    ],
)
def test_confusion_matrix_refuses_what_is_none(matrix: np.ndarray, names: list[str] | None) -> None:
    with pytest.raises(ValueError, match="Received: "):
        confusion_matrix(matrix, names)


def test_decision_regions_count_the_samples_on_their_own_side(expect_readable: Callable[[Picture], None]) -> None:
    picture = decision_regions(right_half, X, np.array([0, 0, 1, 1, 0]))
    assert picture.alt.startswith("The plane divided into the regions of 2 classes, with 5 samples over it.")
    assert picture.alt.endswith("region of their own class is 0.8.")
    lines = {line.get_label(): line.get_xydata().tolist() for line in picture.figure.axes[0].lines}
    assert lines["wrong side"] == [[3.0, 1.0]]
    assert lines["class 1"] == [[1.0, 0.0], [2.0, 3.0]]
    expect_readable(picture)


def test_decision_regions_take_scores_as_well_as_classes() -> None:
    def scores(points: np.ndarray) -> np.ndarray:
        return np.stack([-points[:, 0], points[:, 0]], axis=1)

    labels = np.array([0, 0, 1, 1, 1])
    assert decision_regions(scores, X, labels).to_png() == decision_regions(right_half, X, labels).to_png()


@pytest.mark.parametrize(
    ("predict", "x", "labels"),
    [
        (right_half, X.T, np.zeros(5)),
        (right_half, X, np.zeros(3, dtype=int)),
        (lambda points: points[:2, 0] > 0, X, np.zeros(5, dtype=int)),
        (right_half, X, np.array([0, 1, 2, 3, 6])),
    ],
)
def test_decision_regions_refuse_wrong_shapes(predict: Callable, x: np.ndarray, labels: np.ndarray) -> None:
    with pytest.raises(ValueError, match="Received: "):
        decision_regions(predict, x, labels)


def test_confusion_bytes_are_the_same_twice() -> None:
    assert confusion_matrix(MATRIX).to_png() == confusion_matrix(MATRIX).to_png()
