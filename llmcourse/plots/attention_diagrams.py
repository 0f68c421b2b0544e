"""Drawn diagrams of attention: the lookup in a soft dictionary, and multi-head attention with every shape."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from llmcourse.plots.drawing import BACKWARD, OPERATION, PARAMETER, VALUE, Point, arrow, box, heading, sheet
from llmcourse.plots.picture import (
    BLUE,
    GREEN,
    GREY,
    VERMILLION,
    Picture,
    in_course_style,
    require_shape,
    rounded,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["attention_lookup", "multi_head_graph"]


@in_course_style
def attention_lookup(
    names: Sequence[str], scores: np.ndarray, weights: np.ndarray, values: np.ndarray, output: float
) -> Picture:
    """Draw attention as a lookup in a soft dictionary: every entry answers, each with its weight.

    Args:
        names: S words, the entries.
        scores: `(S,)` floats, how well each key answers the query.
        weights: `(S,)` floats, the softmax of the scores.
        values: `(S,)` floats, what the entries hold.
        output: the weighted mean of the values.

    Returns:
        The picture, without axes.

    Raises:
        ValueError: if the sizes differ.
    """
    count = len(names)
    scores = require_shape("scores", scores, count)
    weights, values = require_shape("weights", weights, count), require_shape("values", values, count)
    figure, axes = sheet(11.0, 1.7 + 0.72 * count)
    top, middle = 0.45 + 0.72 * count, 0.45 + 0.36 * count
    for x, words, formula in (
        (0.95, "query", "$q$   (K,)"),
        (3.0, "keys", "(S, K)"),
        (4.95, "scores", r"$q \cdot k_s$   (S,)"),
        (6.7, "weights", "softmax   (S,)"),
        (8.5, "values", "(S, E)"),
        (10.2, "output", "(E,)"),
    ):
        axes.text(x, top + 0.78, words, ha="center", va="center", weight="bold", fontsize=12.5)
        axes.text(x, top + 0.46, formula, ha="center", va="center", fontsize=10.5, color=GREY)
    box(axes, (0.95, middle), 1.3, 0.7, "what is", "looked for", fill=VALUE, edge=BLUE, size=10.5, below_size=10.5)
    box(axes, (10.2, middle), 1.2, 0.7, rounded(output), "weighted mean", fill=BACKWARD, edge=VERMILLION, size=14)
    largest = float(weights.max())
    for row, name in enumerate(names):
        y = top - 0.36 - 0.72 * row
        strength = 0.6 + 3.4 * float(weights[row]) / largest
        arrow(axes, (1.6, middle + 0.3 * (y - middle)), (2.3, y), BLUE)
        box(axes, (3.0, y), 1.4, 0.46, name, fill=VALUE, edge=BLUE)
        arrow(axes, (3.7, y), (4.5, y), GREY)
        axes.text(4.95, y, _signed(scores[row]), ha="center", va="center", fontsize=12)
        arrow(axes, (5.4, y), (6.0, y), GREY)
        axes.barh(y, 0.8 * weights[row] / largest, left=6.1, height=0.3, color=GREEN)
        axes.text(6.2 + 0.8 * weights[row] / largest, y, f"{weights[row]:.2f}", va="center", fontsize=10.5)
        axes.text(7.8, y, "×", ha="center", va="center", fontsize=12, color=GREY)
        box(axes, (8.5, y), 0.9, 0.46, _signed(values[row]), fill=PARAMETER, edge=GREEN)
        axes.plot([8.95, 9.6], [y, middle + 0.3 * (y - middle)], color=VERMILLION, linewidth=strength)
    entries = ", ".join(
        f"{name} with score {_signed(score)}, weight {weight:.2f} and value {_signed(value)}"
        for name, score, weight, value in zip(names, scores, weights, values, strict=True)
    )
    return Picture(
        figure,
        "A query is compared with every key. The scores become weights by softmax, and the output is the weighted mean "
        f"of all values: {entries}. The output is {rounded(output)}.",
    )


@in_course_style
def multi_head_graph() -> Picture:
    """Draw multi-head attention from the three inputs to the output, with the shape on every arrow.

    Returns:
        The picture, without axes.
    """
    figure, axes = sheet(11.4, 5.2)
    heading(axes, (0.25, 4.92), "Multi-head attention", "one wide projection, cut into H heads that work alone", BLUE)
    rows = (("query", 3.35, "T", "Q"), ("key", 2.15, "S", "M"), ("value", 0.95, "S", "V"))
    for name, y, length, letter in rows:
        box(axes, (0.72, y), 0.96, 0.62, name, f"(B, {length}, D)", fill=VALUE, edge=BLUE)
        arrow(axes, (1.2, y), (1.5, y), BLUE)
        box(axes, (2.08, y), 1.16, 0.62, f"$W_{letter},\\ b_{letter}$", "(D, H, K)", fill=PARAMETER, edge=GREEN)
        _labelled_arrow(axes, (2.66, y), (3.6, y), f"(B, {length}, H·K)")
        box(axes, (3.98, y), 0.76, 0.5, "split", fill=OPERATION, edge=GREY)
        _labelled_arrow(axes, (4.36, y), (5.3, y), f"(B, H, {length}, K)")
    middle = 2.15
    box(axes, (6.05, middle), 1.5, 3.02, "", fill=OPERATION, edge=GREY)
    words = "in each head\nby itself:\n\nsoftmax of\n$QM^{\\mathrm{T}}/\\sqrt{K}$,\nmasked,\ntimes $V$"
    axes.text(6.05, middle, words, ha="center", va="center", fontsize=11, linespacing=1.4)
    box(axes, (6.05, 4.32), 2.3, 0.36, "mask   (B or 1, 1, T, S)", fill=VALUE, edge=BLUE, size=10)
    arrow(axes, (6.05, 4.14), (6.05, 3.66), BLUE)
    arrow(axes, (6.05, 0.64), (6.05, 0.36), BLUE)
    axes.text(6.05, 0.2, "weights   (B, H, T, S)", ha="center", va="center", fontsize=10)
    _labelled_arrow(axes, (6.8, middle), (7.72, middle), "(B, H, T, K)")
    box(axes, (8.12, middle), 0.8, 0.5, "merge", fill=OPERATION, edge=GREY)
    _labelled_arrow(axes, (8.52, middle), (9.4, middle), "(B, T, H·K)")
    box(axes, (9.9, middle), 1.0, 0.62, "$W_O,\\ b_O$", "(H, K, D)", fill=PARAMETER, edge=GREEN)
    arrow(axes, (10.4, middle), (10.62, middle), BLUE)
    axes.text(10.98, middle + 0.12, "output", ha="center", va="center", fontsize=10.5, weight="bold")
    axes.text(10.98, middle - 0.14, "(B, T, D)", ha="center", va="center", fontsize=9.5)
    return Picture(
        figure,
        "Multi-head attention. query (B, T, D), key (B, S, D) and value (B, S, D) are each projected with a kernel "
        "(D, H, K) and a bias to (B, T, H·K) or (B, S, H·K) and split into heads: (B, H, T, K), (B, H, S, K), "
        "(B, H, S, K). In each head by itself: softmax of Q M^T / sqrt(K) under a mask (B or 1, 1, T, S) gives weights "
        "(B, H, T, S), and these times V give (B, H, T, K). The heads are merged to (B, T, H·K), and a last kernel "
        "(H, K, D) with a bias gives the output (B, T, D).",
    )


def _labelled_arrow(axes: "Axes", start: Point, end: Point, shape: str) -> None:
    arrow(axes, start, end, BLUE)
    axes.text((start[0] + end[0]) / 2 - 0.04, start[1] + 0.15, shape, ha="center", va="center", fontsize=9)


def _signed(number: float) -> str:
    return rounded(float(number)).replace("-", "−")
