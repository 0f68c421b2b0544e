"""Training runs as curves can show them: where a run diverges, which range fits all runs, what to say in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from llmcourse.plots.picture import PALETTE, require_shape, rounded

__all__ = ["Curves", "Run", "describe_runs", "opening", "read_runs", "visible_part", "y_limits"]

Curves = Mapping[str, Sequence[float] | np.ndarray]


@dataclass(frozen=True)
class Run:
    """Hold one curve as far as it can be drawn, and how it is drawn.

    Args:
        label: the learner's name of the run.
        x: `(steps,)` integers, the numbers of the steps.
        y: `(steps,)` floats, all finite; if the run passed the ceiling, the last value is the first one above it.
        lost: the step at which the run had diverged, or None.
        colour: of the line and its label.
        dashes: the style of the line.
    """

    label: str
    x: np.ndarray
    y: np.ndarray
    lost: int | None
    colour: str
    dashes: str


def read_runs(curves: Curves, *, first: int, ceiling: float, logy: bool) -> list[Run]:
    """Check the curves and end each where it diverges: at a value that is not finite or is above the ceiling."""
    if not curves:
        raise ValueError(f"There must be at least one curve. Received: curves={curves!r}")
    runs = []
    for place, (label, values) in enumerate(curves.items()):
        y = require_shape(f"curves[{label!r}]", values, "steps").astype(np.float64)
        bad = np.flatnonzero(~np.isfinite(y) | (y > ceiling))
        end = int(bad[0]) if bad.size else y.size
        lost = first + end if bad.size else None
        if bad.size and np.isfinite(y[end]):
            end += 1  # the line leads to the first value above the ceiling
        if logy and np.any(y[:end] <= 0):
            raise ValueError(f"A logarithmic axis needs values above 0. Received: {y[:end].min()} in curve {label!r}")
        colour, dashes = PALETTE[place % len(PALETTE)], "-" if place < len(PALETTE) else "--"
        runs.append(Run(label, first + np.arange(end), y[:end], lost, colour, dashes))
    return runs


def y_limits(runs: list[Run], *, logy: bool) -> tuple[float, float]:
    """Choose the vertical range from the runs that stay, with room above for a run that leaves."""
    calm = [run.y for run in runs if run.lost is None]
    starts = np.array([run.y[0] for run in runs if run.lost is not None and run.y.size])
    if calm:  # a run may be lost before its first value is written down: it must not stretch the axis
        starts = starts[starts <= 3 * np.abs(np.concatenate(calm)).max()]
    values = np.concatenate([*calm, starts])
    if not values.size:
        return (0.1, 1.0) if logy else (0.0, 1.0)
    low, high = float(values.min()), float(values.max())
    leaving = len(calm) < len(runs)
    if not calm:
        high += 9 * abs(high)
    if logy:
        return low / 1.3, high * (4.0 if leaving else 1.3)
    span = (high - low) or abs(high) or 1.0
    floor = 0.0 if 0 <= low < 0.3 * high else low - 0.06 * span
    return floor, high + (0.18 if leaving else 0.06) * span


def visible_part(run: Run, high: float, *, logy: bool) -> tuple[np.ndarray, np.ndarray]:
    """Cut a run that diverges where it crosses the upper edge, because numbers near 1e300 cannot be drawn."""
    above = np.flatnonzero(run.y > high)
    if run.lost is None or not above.size:
        return run.x, run.y
    out = int(above[0])
    if out == 0:
        return run.x[:1], np.array([high])
    heights = np.array([run.y[out - 1], high, run.y[out]])
    before, edge, after = np.log(heights) if logy else heights
    crossing = run.x[out - 1] + (edge - before) / (after - before)
    return np.append(run.x[:out], crossing), np.append(run.y[:out], high)


def opening(xlabel: str, ylabel: str) -> str:
    """Say which curves these are: "Loss against epoch"."""
    return f"{ylabel[:1].upper()}{ylabel[1:]} against {xlabel}"


def describe_runs(runs: list[Run], xlabel: str, ylabel: str) -> str:
    """Say in words what the curves show."""
    return " ".join([f"{opening(xlabel, ylabel)}.", *(_describe(run, xlabel) for run in runs)])


def _describe(run: Run, xlabel: str) -> str:
    if run.lost is not None:
        return f"{run.label}: diverged at {xlabel} {run.lost}."
    start, end, best = run.y[0], run.y[-1], int(np.argmin(run.y))
    text = f"{run.label}: from {rounded(start)} at {xlabel} {run.x[0]} to {rounded(end)} at {xlabel} {run.x[-1]}"
    if run.y[best] < 0.95 * min(start, end):
        text += f", lowest {rounded(run.y[best])} at {xlabel} {run.x[best]}"
    return f"{text}."
