"""Figures about decoding: a beam search as a tree, what the key/value cache saves, and quality against beam size."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from llmcourse.plots.curves import learning_curves
from llmcourse.plots.drawing import BACKWARD, OPERATION, PARAMETER, VALUE, box, heading, sheet
from llmcourse.plots.picture import (
    BLUE,
    GREEN,
    GREY,
    PALETTE,
    VERMILLION,
    Picture,
    darker,
    in_course_style,
    new_axes,
    require_shape,
    rounded,
    write_title,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["beam_tree", "bleu_by_beam_size", "token_times"]

Step = tuple[np.ndarray, np.ndarray, np.ndarray]  # prefixes (P, L), candidates (P, V), kept (P, V)
Ids = tuple[int, ...]

STEP, ROW, WIDTH, HEIGHT = 1.9, 0.62, 1.05, 0.46  # inches: between columns and rows, and the size of a box
LEFT, BOTTOM, ABOVE = 0.75, 0.55, 1.0  # inches: centre of the first box, centre of the lowest, room for the headings


@dataclass(frozen=True)
class _Branch:
    """One continuation: the tokens after START, the probability of all of them, and what became of it."""

    ids: Ids
    probability: float
    kept: bool


@in_course_style
def beam_tree(
    steps: Sequence[Step],
    words: Sequence[str],
    *,
    best: Sequence[int] | None = None,
    end: int = 3,
    shown: int = 3,
    title: str = "",
) -> Picture:
    """Draw a beam search as a tree: what each step kept, what it dropped, and how probable each beginning was.

    Args:
        steps: for each step its prefixes, integers (P, L) that begin with START; the log-probability of every
            continuation as a whole, (P, V); and which continuations were kept, booleans (P, V).
        words: V names of the tokens.
        best: the ids of the sentence that was chosen, without START, to be drawn in another colour; or None.
        end: the id of END; what ends is not continued and is drawn in another colour.
        shown: how many dropped continuations to draw in each step, the most probable ones.
        title: what to see.

    Returns:
        The picture, without axes.

    Raises:
        ValueError: if there is no step or a shape does not fit.

    Example:
        >>> log_probs = np.log(np.array([[0.6, 0.3, 0.1]]))
        >>> kept = np.array([[True, True, False]])
        >>> beam_tree([(np.array([[2]]), log_probs, kept)], ["a", "b", "c"]).alt
        'Tree of a beam search. Step 1 keeps a (0.6), b (0.3); it drops c (0.1).'
    """
    if not steps:
        raise ValueError(f"There must be at least one step. Received: steps={steps!r}")
    columns: list[list[_Branch]] = []
    for step in steps:
        columns.append(_read_step(step, len(words), columns[-1] if columns else [], shown))
    rows = max(map(len, columns))
    top = BOTTOM + ROW * (rows - 1) + HEIGHT / 2 + ABOVE
    figure, axes = sheet(max(6.6, LEFT + STEP * len(columns) + 0.85), top + 0.05)
    heading(axes, (0.25, top - 0.25), title or "Kept and dropped beginnings, with their probabilities", "", BLUE)
    places: dict[Ids, tuple[float, float]] = {(): (LEFT, BOTTOM + ROW * (rows - 1) / 2)}
    box(axes, places[()], WIDTH, HEIGHT, "START", fill=OPERATION, edge=GREY, size=10.5)
    chosen = {tuple(best[:length]) for length in range(len(best) + 1)} if best is not None else set()
    for number, column in enumerate(columns, start=1):
        x = LEFT + STEP * number
        axes.text(x, top - 0.62, f"step {number}", ha="center", va="center", fontsize=10, color=GREY)
        for row, branch in enumerate(column):
            y = BOTTOM + ROW * ((rows + len(column)) / 2 - 1 - row)
            places[branch.ids] = (x, y)
            _draw_branch(axes, branch, places, words, branch.ids in chosen, branch.ids[-1] == end)
    return Picture(figure, _describe_tree(columns, words, best))


def _read_step(step: Step, vocabulary: int, before: list[_Branch], shown: int) -> list[_Branch]:
    """Find the continuations that are drawn, in the order of the prefixes that they continue, likely ones first."""
    prefixes = require_shape("prefixes", step[0], "P", "L")
    totals = require_shape("candidates", step[1], len(prefixes), vocabulary).astype(np.float64)
    kept = require_shape("kept", step[2], len(prefixes), vocabulary).astype(bool)
    possible = np.isfinite(totals)
    dropped = sorted(np.argwhere(possible & ~kept).tolist(), key=lambda place: -totals[tuple(place)])[:shown]
    drawn = [*np.argwhere(possible & kept).tolist(), *dropped]
    order = {branch.ids: place for place, branch in enumerate(before)}
    branches = [
        _Branch((*prefixes[row, 1:].tolist(), token), float(np.exp(totals[row, token])), bool(kept[row, token]))
        for row, token in drawn
    ]
    return sorted(branches, key=lambda branch: (order.get(branch.ids[:-1], 0), -branch.probability))


def _draw_branch(
    axes: "Axes",
    branch: _Branch,
    places: dict[Ids, tuple[float, float]],
    words: Sequence[str],
    chosen: bool,
    ends: bool,
) -> None:
    """Draw one box and the line that leads to it."""
    x, y = places[branch.ids]
    from_x, from_y = places.get(branch.ids[:-1], places[()])
    fill, edge = (VALUE, BLUE) if branch.kept else (OPERATION, "#BBBBBB")
    if branch.kept and ends:
        fill, edge = PARAMETER, GREEN
    if chosen:
        fill, edge = (fill if ends else BACKWARD), VERMILLION
    style: dict[str, Any] = {"color": edge, "linewidth": 2.6 if chosen else 1.5, "zorder": 2 if chosen else 1}
    if not branch.kept:
        style |= {"linestyle": (0, (3, 2)), "linewidth": 1.1}
    axes.plot([from_x + WIDTH / 2, x - WIDTH / 2], [from_y, y], solid_capstyle="butt", **style)
    name = words[branch.ids[-1]]
    size = {"size": min(10.5, 10.5 * 10 / max(1, len(name))), "below_size": 8.5}
    box(axes, (x, y), WIDTH, HEIGHT, name, rounded(branch.probability), fill=fill, edge=edge, **size)
    if not branch.kept:
        across: dict[str, Any] = {"color": GREY, "linewidth": 1.0, "zorder": 5}
        axes.plot([x + WIDTH / 2 + 0.06, x + WIDTH / 2 + 0.2], [y - 0.07, y + 0.07], **across)
        axes.plot([x + WIDTH / 2 + 0.06, x + WIDTH / 2 + 0.2], [y + 0.07, y - 0.07], **across)


def _describe_tree(columns: list[list[_Branch]], words: Sequence[str], best: Sequence[int] | None) -> str:
    parts = ["Tree of a beam search."]
    for number, column in enumerate(columns, start=1):
        kept, dropped = (
            [
                f"{' '.join(words[token] for token in branch.ids)} ({rounded(branch.probability)})"
                for branch in sorted(column, key=lambda branch: -branch.probability)
                if branch.kept == which
            ]
            for which in (True, False)
        )
        drops = f"; it drops {', '.join(dropped)}" if dropped else ""
        parts.append(f"Step {number} keeps {', '.join(kept) or 'nothing'}{drops}.")
    if best is not None:
        parts.append(f"Chosen: {' '.join(words[token] for token in best)}.")
    return " ".join(parts)


@in_course_style
def token_times(milliseconds: Mapping[str, np.ndarray], *, title: str = "") -> Picture:
    """Show how long each further token takes, with and without a key/value cache.

    The text alternative names no measured number, since these differ from machine to machine.

    Args:
        milliseconds: from a label such as "with cache" to the time of each token, `(T,)` each.
        title: what to see.

    Returns:
        The picture, one panel.

    Raises:
        ValueError: if there is no curve or one does not have one axis.

    Example:
        >>> token_times({"with cache": [2.0, 2.1], "without": [2.0, 3.9]}).alt
        'Milliseconds of each token while a sentence is written, token 1 to 2: with cache; without.'
    """
    headline = title or "Without a cache each token takes longer than the one before"
    picture = learning_curves(milliseconds, "token", "milliseconds for this token", title=headline)
    last = max(len(times) for times in milliseconds.values())
    return Picture(
        picture.figure,
        f"Milliseconds of each token while a sentence is written, token 1 to {last}: {'; '.join(milliseconds)}.",
    )


@in_course_style
def bleu_by_beam_size(
    beam_sizes: Sequence[int], scores: Mapping[str, np.ndarray], *, ylabel: str = "BLEU", title: str = ""
) -> Picture:
    """Show how good the translations are for beams of several sizes.

    Args:
        beam_sizes: N sizes, at least 1, in rising order; the axis is logarithmic, since they usually double.
        scores: from a label, such as a length penalty, to the scores, `(N,)` each; at most six.
        ylabel: which score.
        title: what to see.

    Returns:
        The picture, one panel.

    Raises:
        ValueError: if there are no scores, too many, or a shape does not fit; if the sizes do not rise from 1 or more.

    Example:
        >>> bleu_by_beam_size([1, 4], {"alpha 1": [31.0, 33.2]}).alt
        'BLEU against beam size 1, 4. alpha 1: 31.0, 33.2.'
    """
    if not 1 <= len(scores) <= len(PALETTE) or not len(beam_sizes):
        raise ValueError(f"There must be beam sizes and 1 to {len(PALETTE)} lines. Received: scores={dict(scores)!r}")
    if beam_sizes[0] < 1 or (np.diff(beam_sizes) <= 0).any():
        raise ValueError(f"beam_sizes must rise from 1 or more. Received: beam_sizes={list(beam_sizes)}")
    tables = {name: require_shape(f"scores[{name!r}]", line, len(beam_sizes)) for name, line in scores.items()}
    figure, axes = new_axes(8.4, 4.4)
    for (name, line), colour in zip(tables.items(), PALETTE, strict=False):
        axes.plot(beam_sizes, line, "o-", color=colour, markersize=7.5, markeredgecolor="white", label=name)
        top = int(np.argmax(line))
        style: dict[str, Any] = {"xytext": (0, 9), "textcoords": "offset points", "ha": "center", "fontsize": 10}
        axes.annotate(f"{line[top]:.1f}", (beam_sizes[top], line[top]), color=darker(colour), **style)
    axes.set_xscale("log", base=2)
    axes.set_xticks(list(beam_sizes), [str(size) for size in beam_sizes])
    axes.minorticks_off()
    axes.margins(y=0.18)
    axes.set(xlabel="beam size (1 is greedy search)", ylabel=ylabel)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    write_title(figure, axes, title or f"{ylabel} against the size of the beam")
    said = " ".join(f"{name}: {', '.join(f'{score:.1f}' for score in line)}." for name, line in tables.items())
    return Picture(figure, f"{ylabel} against beam size {', '.join(map(str, beam_sizes))}. {said}")
