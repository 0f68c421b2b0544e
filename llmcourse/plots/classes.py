"""What a classifier gets right and wrong: the confusion matrix, and its regions in the plane."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from llmcourse.plots.picture import (
    GREY,
    INK,
    PALETTE,
    Picture,
    in_course_style,
    new_axes,
    plural,
    require_shape,
    rounded,
    write_title,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["confusion_matrix", "decision_regions"]


@in_course_style
def confusion_matrix(matrix: np.ndarray, class_names: Sequence[str] | None = None, *, title: str = "") -> Picture:
    """Show how often each true class was taken for each class, with the mistakes in colour.

    Right answers are many and would drown the rest, so the diagonal stays grey, and the colour shows for each true
    class the share of its samples that went wrong in that way. The last column is the recall: the share that was found.

    Args:
        matrix: `(C, C)` counts; rows are true classes, columns are predicted classes.
        class_names: C names; "0", "1" and so on if None.
        title: what to see; the accuracy if empty.

    Returns:
        The picture, C rows and C columns.

    Raises:
        ValueError: if the matrix is not square, holds a negative number or only zeros, or there are not C names.

    Example:
        >>> confusion_matrix(np.array([[7, 3], [0, 10]]), ["cat", "dog"]).alt.split(": ", maxsplit=1)[1]
        'accuracy 0.85. The most frequent confusion: cat taken for dog, 3 times.'
    """
    matrix = require_shape("matrix", matrix, "C", "C")
    classes = matrix.shape[0]
    require_shape("matrix", matrix, classes, classes)
    if matrix.min() < 0 or matrix.sum() == 0:
        raise ValueError(
            f"matrix must hold counts, not all of them 0. Received: sum {matrix.sum()}, least {matrix.min()}"
        )
    names = list(class_names) if class_names is not None else [str(index) for index in range(classes)]
    require_shape("class_names", names, classes)
    totals = matrix.sum(axis=1)
    shares = matrix / np.maximum(totals, 1)[:, None]  # (C, C), each row sums to 1
    accuracy = rounded(np.trace(matrix) / matrix.sum())

    figure, axes = new_axes(max(6.0, 0.62 * classes + 2.6), 0.52 * classes + 1.7)
    ticks = np.arange(classes)
    mistakes = np.where(np.eye(classes, dtype=bool), np.nan, shares)
    top = max(0.02, float(np.nan_to_num(mistakes).max()))
    axes.set_facecolor("#EFEFEF")  # shows through on the diagonal
    look: dict[str, Any] = {"cmap": "Oranges", "vmin": 0, "vmax": top, "edgecolors": "white", "linewidth": 1.5}
    cells = axes.pcolormesh(ticks, ticks, mistakes, shading="nearest", **look)
    _write_counts(axes, matrix, mistakes > 0.65 * top)
    for row in range(classes):
        found = f"{shares[row, row]:.0%}" if totals[row] else "none"
        axes.text(classes - 0.4, row, found, ha="left", va="center", color=GREY, fontsize=10)
    axes.text(classes - 0.4, -0.58, "recall", ha="left", va="bottom", color=GREY, fontsize=10)
    axes.set(xticks=ticks, yticks=ticks, xticklabels=names, yticklabels=names)
    axes.set(xlabel="predicted class", ylabel="true class")
    write_title(figure, axes, title or f"Accuracy {accuracy}; mistakes in colour")
    axes.invert_yaxis()
    axes.tick_params(length=0)
    if max(len(str(name)) for name in names) > 5:
        axes.tick_params(axis="x", rotation=25)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(cells, ax=axes, format=lambda share, _: f"{share:.1%}", pad=0.02, aspect=25)
    bar.set_label("share of the true class")
    bar.outline.set_visible(False)
    return Picture(figure, _describe_confusions(matrix, names, accuracy))


def _write_counts(axes: "Axes", matrix: np.ndarray, dark: np.ndarray) -> None:
    for (row, column), count in np.ndenumerate(matrix):
        colour = "white" if dark[row, column] else (INK if count else "#B5B5B5")
        weight = "bold" if row == column else "normal"
        axes.text(column, row, f"{count:g}", ha="center", va="center", color=colour, weight=weight, fontsize=10)


def _describe_confusions(matrix: np.ndarray, names: list[str], accuracy: str) -> str:
    alt = f"Confusion matrix of {matrix.sum():g} samples in {len(names)} classes: accuracy {accuracy}."
    wrong = matrix * (1 - np.eye(len(names), dtype=matrix.dtype))
    if not wrong.any():
        return f"{alt} No class was taken for another."
    row, column = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
    times = ("about " if wrong.max() >= 100 else "") + rounded(wrong.max())
    return f"{alt} The most frequent confusion: {names[row]} taken for {names[column]}, {times} times."


@in_course_style
def decision_regions(
    predict: Callable[[np.ndarray], np.ndarray],
    x: np.ndarray,
    labels: np.ndarray,
    *,
    class_names: Sequence[str] | None = None,
    title: str = "",
) -> Picture:
    """Show which class a network answers at each place of the plane, with the samples over it.

    Args:
        predict: maps points `(M, 2)` to class numbers `(M,)`, or to logits or probabilities `(M, C)`.
        x: `(N, 2)` floats, the samples.
        labels: `(N,)` integers from 0, their true classes; at most 6 classes.
        class_names: C names; "class 0", "class 1" and so on if None.
        title: what to see; the share of samples in their own region if empty.

    Returns:
        The picture, one panel.

    Raises:
        ValueError: if a shape is wrong or there are more than 6 classes.

    Example:
        >>> picture = decision_regions(lambda x: x[:, 0] > 0, np.array([[-1.0, 0.0], [1.0, 2.0]]), np.array([0, 1]))
        >>> picture.alt.endswith("The share of samples in the region of their own class is 1.")
        True
    """
    x = require_shape("x", x, "N", 2)
    labels = require_shape("labels", labels, len(x))
    low, high = x.min(axis=0), x.max(axis=0)
    pad = 0.12 * np.maximum(high - low, 1e-9)
    sides = [np.linspace(start, stop, 301) for start, stop in zip(low - pad, high + pad, strict=True)]
    first, second = np.meshgrid(*sides)
    grid = np.stack([first.ravel(), second.ravel()], axis=1)  # (301 * 301, 2)
    regions = _classes(predict, grid).reshape(first.shape)
    guess = _classes(predict, x)
    classes = int(max(labels.max(), regions.max(), guess.max())) + 1
    if classes > len(PALETTE):
        raise ValueError(f"There must be at most {len(PALETTE)} classes. Received: {classes} classes")
    names = list(class_names) if class_names is not None else [f"class {index}" for index in range(classes)]
    require_shape("class_names", names, classes)
    inside = rounded(float(np.mean(guess == labels)))

    figure, axes = new_axes(8.0, 5.0)
    edges = np.arange(classes + 1) - 0.5
    axes.contourf(first, second, regions, levels=edges, colors=PALETTE[:classes], alpha=0.22)
    for index, (name, marker) in enumerate(zip(names, "osD^vP", strict=False)):
        mine = x[labels == index]
        style = {"color": PALETTE[index], "markeredgecolor": "white", "markeredgewidth": 0.7, "markersize": 7}
        axes.plot(mine[:, 0], mine[:, 1], marker, label=name, **style)  # type: ignore[arg-type]
    missed = x[guess != labels]
    if len(missed):
        axes.plot(missed[:, 0], missed[:, 1], "o", mfc="none", mec=INK, mew=1.3, markersize=12, label="wrong side")
    axes.set(xlim=(sides[0][0], sides[0][-1]), ylim=(sides[1][0], sides[1][-1]))
    axes.set(xlabel="first feature", ylabel="second feature")
    write_title(figure, axes, title or f"Background: the network's answer. Accuracy: {inside}")
    axes.grid(visible=False)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return Picture(
        figure,
        f"The plane divided into the regions of {classes} classes, with {plural(len(x), 'sample')} over it. "
        f"The share of samples in the region of their own class is {inside}.",
    )


def _classes(predict: Callable[[np.ndarray], np.ndarray], points: np.ndarray) -> np.ndarray:
    """Ask for the class of each point, whether `predict` answers with classes or with scores."""
    answer = np.asarray(predict(points))
    if answer.ndim == 2:
        answer = require_shape("predict(points)", answer, len(points), "C").argmax(axis=1)  # (M, C) -> (M,)
    return require_shape("predict(points)", answer, len(points)).astype(int)
