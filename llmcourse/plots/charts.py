"""Charts that explain an idea: activation functions, losses, softmax, and the path of gradient descent."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from llmcourse.plots.picture import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    PALETTE,
    SKY,
    VERMILLION,
    Picture,
    darker,
    in_course_style,
    new_axes,
    new_figure,
    require_shape,
    rounded,
    write_headline,
    write_title,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["activations", "descent_path", "loss_shapes", "softmax_bars"]

Elementwise = Callable[[np.ndarray], np.ndarray]


@in_course_style
def activations(functions: Mapping[str, tuple[Elementwise, Elementwise]], *, title: str = "") -> Picture:
    """Draw activation functions and their derivatives over [-5, 5], one panel for each.

    The derivative is what a delta is multiplied with on its way back, so where it is near 0 nothing is learned.

    Args:
        functions: from a name to the function and its derivative; each maps `(M,)` floats to `(M,)` floats.
        title: what to see.

    Returns:
        The picture, one panel for each function.

    Raises:
        ValueError: if there is no function or one of them changes the shape.

    Example:
        >>> activations({"square": (np.square, lambda z: 2 * z)}).alt.split(". ")[1]
        'square: values from 0 to 25, derivative at most 10 and 10 at z = 5.'
    """
    if not functions:
        raise ValueError(f"There must be at least one function. Received: functions={functions!r}")
    z = np.linspace(-5.0, 5.0, 1001)  # (M,)
    figure = new_figure(min(11.0, max(3.5 * len(functions), 5.6)), 4.0)
    panels = figure.subplots(1, len(functions), squeeze=False)[0]
    facts = []
    for axes, (name, (function, derivative)) in zip(panels, functions.items(), strict=True):
        y = require_shape(f"{name}(z)", function(z), z.size)
        slope = require_shape(f"derivative of {name}", derivative(z), z.size)
        axes.axhline(0, color=GREY, linewidth=0.8)
        axes.axvline(0, color=GREY, linewidth=0.8)
        axes.plot(z, y, color=BLUE, label="function")
        axes.plot(z, _cut_at_jumps(slope), color=VERMILLION, linestyle=(0, (4, 1.6)), label="derivative")
        axes.set(title=name, xlabel="input z", xlim=(-5, 5))
        facts.append(
            f"{name}: values from {rounded(y.min())} to {rounded(y.max())}, derivative at most {rounded(slope.max())} "
            f"and {rounded(slope[-1])} at z = 5."
        )
    panels[0].set_ylabel("value")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    title = title or "Where the derivative is near 0, nothing is learned"
    write_headline(figure, title)
    return Picture(figure, f"Functions and their derivatives for z from -5 to 5. {' '.join(facts)}")


def _cut_at_jumps(y: np.ndarray) -> np.ndarray:
    """Break a curve where it jumps, so that a step is not drawn as a steep line."""
    jumps = np.append(np.abs(np.diff(y)) > 0.2 * (np.ptp(y) or 1.0), False)
    return np.where(jumps, np.nan, y)


@in_course_style
def loss_shapes() -> Picture:
    """Show why classes are learned with cross-entropy and not with squared error.

    The network's answer is p = sigmoid(z) and the right answer is 1. Far on the left it is wrong and sure of it: there
    the squared error is flat, so its gradient is nearly 0, while the gradient of the cross-entropy stays close to -1.

    Returns:
        The picture: both losses on the left, their derivatives with respect to the logit z on the right.
    """
    z = np.linspace(-8.0, 8.0, 801)  # (M,)
    p = 1 / (1 + np.exp(-z))
    losses = {"squared error": ((1 - p) ** 2, -2 * (1 - p) ** 2 * p), "cross-entropy": (np.logaddexp(0, -z), p - 1)}

    figure = new_figure(10.0, 4.3)
    panels = figure.subplots(1, 2, sharex=True)
    for name, colour in (("cross-entropy", BLUE), ("squared error", VERMILLION)):
        for axes, y in zip(panels, losses[name], strict=True):
            axes.plot(z, y, color=colour, label=name)
    for axes, top in zip(panels, (8.5, 0.25), strict=True):
        axes.axvspan(-8, -3, color=SKY, alpha=0.16, linewidth=0)
        axes.set(xlim=(-8, 8), xlabel="logit z of the right class", ylim=(-0.3 if top > 1 else -1.1, top))
    panels[0].set(ylabel="loss", title="The loss: squared error goes flat")
    panels[1].set(ylabel="derivative of the loss with respect to z", title="Its gradient: almost 0, or close to −1")
    bold = {"weight": "bold", "fontsize": 11}
    panels[0].text(-4.6, 5.6, "cross-entropy", color=darker(BLUE), **bold)
    panels[0].text(-7.7, 1.45, "squared error", color=darker(VERMILLION), **bold)
    panels[1].text(-7.7, -0.92, "cross-entropy", color=darker(BLUE), **bold)
    panels[1].text(-7.7, -0.13, "squared error", color=darker(VERMILLION), **bold)
    panels[0].text(-5.5, 8.3, "wrong and sure", ha="center", va="top", color=GREY)
    panels[1].text(-5.5, 0.22, "wrong and sure", ha="center", va="top", color=GREY)

    at = int(np.argmin(np.abs(z + 6)))
    facts = [f"{name} {rounded(loss[at])} with gradient {rounded(slope[at])}" for name, (loss, slope) in losses.items()]
    return Picture(
        figure,
        "Losses of p = sigmoid(z) when the right answer is 1, and their gradients. "
        f"At z = -6, where the network is wrong and sure: {facts[0]}; {facts[1]}. "
        "The gradient of the squared error vanishes there, that of the cross-entropy does not.",
    )


@in_course_style
def softmax_bars(logits: np.ndarray, *, class_names: list[str] | None = None, title: str = "") -> Picture:
    """Show the logits of one sample and the probabilities that softmax makes of them.

    Args:
        logits: `(C,)` floats.
        class_names: C names; "0", "1" and so on if None.
        title: what to see.

    Returns:
        The picture: logits on the left, probabilities on the right.

    Raises:
        ValueError: if the logits are not a vector or there are not C names.

    Example:
        >>> softmax_bars(np.array([0.0, 1.0]), class_names=["no", "yes"]).alt.split(". ")[1]
        'The largest logit is 1 for class yes, which gets the probability 0.73.'
    """
    logits = require_shape("logits", logits, "C").astype(np.float64)
    names = class_names if class_names is not None else [str(index) for index in range(logits.size)]
    require_shape("class_names", names, logits.size)
    odds = np.exp(logits - logits.max())
    probabilities = odds / odds.sum()

    figure = new_figure(9.0, max(2.4, 0.34 * logits.size + 1.3))
    panels = figure.subplots(1, 2, sharey=True)
    rows, best = np.arange(logits.size), int(np.argmax(logits))
    colours = [BLUE if row == best else SKY for row in rows]
    for axes, values, label in zip(panels, (logits, probabilities), ("logit", "probability"), strict=True):
        bars = axes.barh(rows, values, color=colours, height=0.7)
        axes.bar_label(bars, [rounded(value).replace("-", "−") for value in values], padding=4, fontsize=10)
        axes.grid(axis="y", visible=False)
        axes.margins(x=0.22)
        axes.set(xlabel=label, yticks=rows, yticklabels=names)
    panels[0].axvline(0, color=GREY, linewidth=0.8)
    panels[0].set(ylabel="class", title="Logits: any numbers")
    panels[0].invert_yaxis()
    panels[1].set_title("Softmax: positive, with sum 1")
    if title:
        write_headline(figure, title)
    return Picture(
        figure,
        f"Logits of {logits.size} classes and their softmax. The largest logit is {rounded(logits[best])} for class "
        f"{names[best]}, which gets the probability {rounded(probabilities[best])}.",
    )


@in_course_style
def descent_path(
    loss: Elementwise,
    paths: Mapping[str, np.ndarray],
    *,
    minimum: tuple[float, float] | None = None,
    limits: tuple[float, float, float, float] | None = None,
    title: str = "",
) -> Picture:
    """Draw the paths that optimizers take over the contour lines of a loss with two parameters.

    Args:
        loss: maps points `(M, 2)` to their losses `(M,)`.
        paths: from a label to the points that were visited, `(steps, 2)`; points that are not finite are left out.
        minimum: where the loss is smallest, marked with a star; or None.
        limits: left, right, bottom and top edge; chosen so that all paths are inside if None.
        title: what to see.

    Returns:
        The picture, one panel.

    Raises:
        ValueError: if there is no path, or a path or the result of `loss` has another shape.

    Example:
        >>> path = np.array([[3.0, 4.0], [0.0, 1.0]])
        >>> descent_path(lambda points: np.square(points).sum(axis=1), {"descent": path}).alt.split(". ")[1]
        'descent takes the loss from 25 to 1 in 1 steps.'
    """
    if not paths:
        raise ValueError(f"There must be at least one path. Received: paths={paths!r}")
    points = {label: require_shape(f"paths[{label!r}]", path, "steps", 2) for label, path in paths.items()}
    left, right, bottom, top = limits or _surround([*points.values()], minimum)
    first, second = np.meshgrid(np.linspace(left, right, 201), np.linspace(bottom, top, 201))
    grid = np.stack([first.ravel(), second.ravel()], axis=1)  # (201 * 201, 2)
    height = require_shape("loss(points)", loss(grid), len(grid)).reshape(first.shape)

    figure, axes = new_axes(8.6, 4.9)
    # Quantiles of the grid's losses: the lines lie evenly over the picture, also where the loss is steep.
    levels = np.unique(np.quantile(height, np.linspace(0.01, 0.97, 14)))
    axes.contour(first, second, height, levels=levels, colors="#B8B8B8", linewidths=0.9)
    for (label, path), colour in zip(points.items(), PALETTE, strict=False):
        axes.plot(path[:, 0], path[:, 1], ".-", color=colour, linewidth=1.6, markersize=7, label=label, zorder=3)
    _mark(axes, points, minimum)
    axes.set(xlim=(left, right), ylim=(bottom, top), xlabel="first parameter", ylabel="second parameter")
    write_title(figure, axes, title or "Each dot is one step; grey lines join points of equal loss")
    axes.grid(visible=False)
    figure.legend(loc="outside lower center", ncols=min(4, len(points) + 2))
    return Picture(figure, _describe_paths(loss, points))


def _surround(paths: list[np.ndarray], minimum: tuple[float, float] | None) -> tuple[float, float, float, float]:
    points = np.concatenate([path[np.isfinite(path).all(axis=1)] for path in paths])
    if minimum is not None:
        points = np.concatenate([points, [minimum]])
    if not len(points):
        raise ValueError("A path must hold at least one finite point. Received: only NaN and infinity")
    low, high = points.min(axis=0), points.max(axis=0)
    pad = 0.12 * np.maximum(high - low, 1e-3 + 0.1 * np.abs(high).max())
    return (*(float(edge) for edge in (low[0] - pad[0], high[0] + pad[0], low[1] - pad[1], high[1] + pad[1])),)  # type: ignore[return-value]


def _mark(axes: "Axes", points: Mapping[str, np.ndarray], minimum: tuple[float, float] | None) -> None:
    starts = np.unique(np.stack([path[0] for path in points.values()]), axis=0)  # (different starts, 2)
    axes.plot(
        starts[:, 0], starts[:, 1], "s", color=INK, markersize=9, markeredgecolor="white", label="start", zorder=4
    )
    if minimum is not None:
        axes.plot(*minimum, "*", color=ORANGE, markersize=18, markeredgecolor=INK, label="minimum", zorder=4)


def _describe_paths(loss: Elementwise, points: Mapping[str, np.ndarray]) -> str:
    facts = []
    for label, path in points.items():
        start, end = (float(value) for value in loss(path[[0, -1]]))
        if np.isfinite(end):
            facts.append(f"{label} takes the loss from {rounded(start)} to {rounded(end)} in {len(path) - 1} steps.")
        else:
            facts.append(f"{label} diverges from the loss {rounded(start)}.")
    return f"Paths over the contour lines of a loss with two parameters. {' '.join(facts)}"
