"""Curves of a training run: one panel with labelled lines, or one panel for each run."""

from typing import TYPE_CHECKING, Any

import numpy as np

from llmcourse.plots.picture import (
    PALE,
    PALETTE,
    PATCH,
    Picture,
    darker,
    in_course_style,
    new_axes,
    new_figure,
    rounded,
    write_headline,
    write_title,
)
from llmcourse.plots.runs import Curves, Run, describe_runs, opening, read_runs, visible_part, y_limits

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["learning_curves", "learning_rates"]


@in_course_style
def learning_curves(
    curves: Curves,
    xlabel: str = "epoch",
    ylabel: str = "loss",
    *,
    logy: bool = False,
    first: int = 1,
    ceiling: float = float("inf"),
    mark_lowest: bool = False,
    title: str = "",
) -> Picture:
    """Show how a number changes during training, each line labelled where it ends.

    A run that diverges is drawn until it leaves the others and is marked there, so that it does not flatten them.

    Args:
        curves: from a label to the values after each step, `(steps,)` each; the lengths may differ.
        xlabel: what a step is.
        ylabel: what is measured.
        logy: whether the vertical axis is logarithmic; values must then be above 0.
        first: the number of the first step.
        ceiling: a run that has a value above this one, NaN or infinity counts as diverged from there on.
        mark_lowest: whether a dot marks the lowest value of a curve that rises again: where an overfitting network
            should have been stopped.
        title: what to see.

    Returns:
        The picture, one panel.

    Raises:
        ValueError: if there is no curve, a curve is not one-dimensional, or `logy` meets a value of 0 or less.

    Example:
        >>> learning_curves({"training": [2.3, 0.4, 0.2]}).alt
        'Loss against epoch. training: from 2.3 at epoch 1 to 0.2 at epoch 3.'
    """
    runs = read_runs(curves, first=first, ceiling=ceiling, logy=logy)
    figure, axes = new_axes(8.4, 4.4)
    _set_axes(axes, runs, logy)
    axes.set(xlabel=xlabel, ylabel=_with_scale(ylabel, logy))
    write_title(figure, axes, title or opening(xlabel, ylabel))
    for run in runs:
        _draw(axes, run)
        if mark_lowest and run.lost is None:
            _mark_lowest(axes, run)
    _mark_diverged(axes, runs)
    calm = [run for run in runs if run.lost is None]
    if len(calm) <= len(PALETTE):
        _label_ends(figure, axes, calm)
    else:
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return Picture(figure, describe_runs(runs, xlabel, ylabel))


@in_course_style
def learning_rates(
    curves: Curves,
    xlabel: str = "epoch",
    ylabel: str = "loss",
    *,
    logy: bool = False,
    first: int = 1,
    ceiling: float = float("inf"),
    title: str = "",
) -> Picture:
    """Show the same training with several learning rates, one panel for each, the others behind it in grey.

    Side by side, the eye compares the shapes: a rate too small crawls, a rate too large jumps about or diverges.

    Args:
        curves: from a label such as "too small: 0.001" to the values after each step, `(steps,)` each.
        xlabel: what a step is.
        ylabel: what is measured.
        logy: whether the vertical axis is logarithmic; values must then be above 0.
        first: the number of the first step.
        ceiling: a run that has a value above this one, NaN or infinity counts as diverged from there on.
        title: what to see.

    Returns:
        The picture, one panel for each curve.

    Raises:
        ValueError: as for `learning_curves`.

    Example:
        >>> learning_rates({"right": [2.3, 0.4], "too large": [3.1, float("nan")]}).alt
        'Loss against epoch. right: from 2.3 at epoch 1 to 0.4 at epoch 2. too large: diverged at epoch 2.'
    """
    runs = read_runs(curves, first=first, ceiling=ceiling, logy=logy)
    figure = new_figure(min(11.0, max(3.5 * len(runs), 5.6)), 3.8)
    panels = figure.subplots(1, len(runs), sharex=True, sharey=True, squeeze=False)[0]
    for axes, run in zip(panels, runs, strict=True):
        _set_axes(axes, runs, logy)
        for other in runs:
            if other is not run:
                _draw(axes, other, faint=True)
        _draw(axes, run)
        _mark_diverged(axes, [run], words="diverged")
        axes.set_title(run.label, color=darker(run.colour), fontsize=11.5)
        axes.set_xlabel(xlabel)
    panels[0].set_ylabel(_with_scale(ylabel, logy))
    write_headline(figure, title or "The learning rate decides how training goes")
    return Picture(figure, describe_runs(runs, xlabel, ylabel))


def _set_axes(axes: "Axes", runs: list[Run], logy: bool) -> None:
    """Set the ranges and the kind of the axes; steps are whole numbers."""
    steps = np.concatenate([run.x for run in runs if run.x.size] or [np.array([0, 1])])
    pad = 0.02 * max(1, int(steps.max() - steps.min()))
    low, high = y_limits(runs, logy=logy)
    if logy:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(lambda value, _: rounded(value))
        few = high / low < 200  # with few powers of ten on the axis, 2 and 5 get labels too
        axes.yaxis.set_minor_formatter(lambda value, _: rounded(value) if few and f"{value:e}"[0] in "25" else "")
    axes.set(xlim=(steps.min() - pad, steps.max() + pad), ylim=(low, high))
    axes.locator_params(axis="x", integer=True, nbins=8)


def _visible(axes: "Axes", run: Run) -> tuple[np.ndarray, np.ndarray]:
    return visible_part(run, axes.get_ylim()[1], logy=axes.get_yscale() == "log")


def _draw(axes: "Axes", run: Run, *, faint: bool = False) -> None:
    x, y = _visible(axes, run)
    colour, width = (PALE, 1.4) if faint else (run.colour, 2.2)
    marker = "o" if len(x) == 1 else ""
    style: dict[str, Any] = {"linestyle": run.dashes, "marker": marker, "zorder": 2 if faint else 3, "clip_on": False}
    axes.plot(x, y, color=colour, linewidth=width, label=run.label, **style)


def _mark_diverged(axes: "Axes", runs: list[Run], words: str = "") -> None:
    """Put a cross and a word where a run leaves the picture."""
    left, right = axes.get_xlim()
    for place, run in enumerate(run for run in runs if run.lost is not None):
        x, y = _visible(axes, run)
        at = (x[-1], y[-1]) if x.size else (left, axes.get_ylim()[1])
        axes.plot(*at, "X", color=run.colour, markersize=10, markeredgecolor="white", clip_on=False, zorder=5)
        early = at[0] < left + 0.6 * (right - left)
        axes.annotate(
            words or f"{run.label} (diverged)",
            at,
            xytext=(10 if early else -10, -4 - 16 * place),
            textcoords="offset points",
            ha="left" if early else "right",
            va="top",
            color=darker(run.colour),
            weight="bold",
            bbox=PATCH,  # other lines may pass here
            zorder=6,
        )


def _mark_lowest(axes: "Axes", run: Run) -> None:
    """Put a dot and the value where a curve is lowest, unless that is where it begins or ends."""
    best = int(np.argmin(run.y))
    if 0 < best < len(run.y) - 1:
        at = (run.x[best], run.y[best])
        axes.plot(*at, "o", color=run.colour, markersize=9, markeredgecolor="white", zorder=4)
        style: dict[str, Any] = {
            "ha": "center",
            "va": "top",
            "color": darker(run.colour),
            "fontsize": 10,
            "bbox": PATCH,
        }
        axes.annotate(f"lowest: {rounded(at[1])}", at, xytext=(0, -9), textcoords="offset points", **style)


def _label_ends(figure: "Figure", axes: "Axes", runs: list[Run]) -> None:
    """Write each label to the right of its line's end and push apart labels that would overlap."""
    notes = [
        axes.annotate(
            run.label,
            (run.x[-1], run.y[-1]),
            xytext=(11, 0),
            textcoords="offset points",
            va="center",
            color=darker(run.colour),
            weight="bold",
            annotation_clip=False,
        )
        for run in runs
    ]
    figure.draw_without_rendering()  # the layout decides where the ends are
    point = figure.dpi / 72
    wanted = np.array([axes.transData.transform((run.x[-1], run.y[-1]))[1] / point for run in runs])
    for note, move in zip(notes, _spread(wanted, gap=15.0) - wanted, strict=True):
        note.set_position((11, float(move)))


def _spread(wanted: np.ndarray, gap: float) -> np.ndarray:
    """Move heights apart until neighbours differ by at least `gap`, each as little as possible."""
    order, heights = np.argsort(wanted, kind="stable"), np.sort(wanted)
    for _ in range(200):
        short = gap - np.diff(heights)
        if not np.any(short > 1e-3):
            break
        push = np.maximum(short, 0) / 2
        heights[:-1] -= push
        heights[1:] += push
    result = np.empty_like(heights)
    result[order] = heights
    return result


def _with_scale(ylabel: str, logy: bool) -> str:
    return f"{ylabel} (logarithmic axis)" if logy else ylabel
