"""Figures about writing and judging sentences: distributions of the next token, and the n-grams that BLEU finds."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from llmcourse.plots.drawing import sheet
from llmcourse.plots.picture import (
    BLUE,
    GREEN,
    GREY,
    PALE,
    SKY,
    Picture,
    darker,
    in_course_style,
    new_figure,
    require_shape,
    rounded,
    write_headline,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ngram_matches", "token_distributions"]


@in_course_style
def token_distributions(
    words: Sequence[str], distributions: Mapping[str, np.ndarray], *, ylabel: str = "next token", title: str = ""
) -> Picture:
    """Draw several distributions over the same tokens side by side, as bars with their probabilities.

    Args:
        words: V tokens, in the order in which they are drawn from top to bottom.
        distributions: from a panel's title to its probabilities, `(V,)` each.
        ylabel: what the rows are.
        title: what to see.

    Returns:
        The picture, one panel for each distribution.

    Raises:
        ValueError: if there is no distribution, or one of them does not have V entries.

    Example:
        >>> token_distributions(["a", "b"], {"fair": np.array([0.5, 0.5])}).alt.split(". ")[1]
        'fair: the most likely is a with 0.5, and 2 of 2 are possible.'
    """
    if not distributions:
        raise ValueError(f"There must be at least one distribution. Received: distributions={distributions!r}")
    shares = {name: require_shape(name, values, len(words)) for name, values in distributions.items()}
    figure = new_figure(min(11.0, 1.6 + 2.35 * len(shares)), max(2.6, 0.34 * len(words) + 1.4))
    panels = figure.subplots(1, len(shares), sharex=True, sharey=True, squeeze=False)[0]
    rows, facts = np.arange(len(words)), []
    for axes, (name, values) in zip(panels, shares.items(), strict=True):
        best, possible = int(np.argmax(values)), int((values > 0).sum())
        bars = axes.barh(rows, values, color=[BLUE if row == best else SKY for row in rows], height=0.7)
        labels = [f"{value:.2f}" if value > 0 else "–" for value in values]
        axes.bar_label(bars, labels, padding=4, fontsize=9.5)
        axes.grid(axis="y", visible=False)
        axes.set(title=name, xlabel="probability", xlim=(0, 1.22), xticks=(0, 0.5, 1))
        facts.append(
            f"{name}: the most likely is {words[best]} with {rounded(values[best])}, "
            f"and {possible} of {len(words)} are possible."
        )
    panels[0].set(ylabel=ylabel, yticks=rows, yticklabels=words)
    panels[0].invert_yaxis()
    if title:
        write_headline(figure, title)
    return Picture(figure, f"Distributions over {len(words)} tokens. {' '.join(facts)}")


@in_course_style
def ngram_matches(hypothesis: str, reference: str, *, max_n: int = 4) -> Picture:
    """Draw every n-gram of a hypothesis as a bar under its words, green where the reference has it too.

    It shows what BLEU sees, and what it does not: longer runs of words, but neither meaning nor long-range order.

    Args:
        hypothesis: tokens separated by white space.
        reference: tokens separated by white space.
        max_n: the longest n-grams; the hypothesis must have at least as many tokens.

    Returns:
        The picture, without axes. An n-gram counts as found at most as often as the reference has it.

    Raises:
        ValueError: if the hypothesis has fewer than `max_n` tokens or there are no n-grams to draw.

    Example:
        >>> ngram_matches("the the cat", "the cat sleeps", max_n=2).alt.split(". ")[1]
        'Found are 2 of 3 tokens and 1 of 2 runs of 2.'
    """
    tokens = hypothesis.split()
    if not 1 <= max_n <= len(tokens):
        raise ValueError(
            f"The hypothesis must have at least max_n tokens, and max_n must be at least 1. Received: {len(tokens)} "
            f"tokens and max_n={max_n}"
        )
    lanes = max_n * (max_n + 1) // 2
    left, step, lane = 1.35, min(1.15, 8.2 / len(tokens)), 0.2
    figure, axes = sheet(left + step * len(tokens) + 1.2, 1.05 + lane * lanes + 0.2 * max_n)
    top = axes.get_ylim()[1]
    axes.text(0.2, top - 0.3, "reference", va="center", color=GREY)
    axes.text(left, top - 0.3, reference, va="center", color=GREY)
    axes.text(0.2, top - 0.75, "hypothesis", va="center", weight="bold")
    for place, token in enumerate(tokens):
        axes.text(left + step * (place + 0.5), top - 0.75, token, ha="center", va="center", weight="bold", fontsize=11)
    y, facts = top - 1.1, []
    for n in range(1, max_n + 1):
        found = _found(tokens, reference.split(), n)
        for place, is_found in enumerate(found):
            _bar(axes, (left + step * place, y - lane * (place % n)), step * n, lane, is_found)
        middle = y - lane * (n - 1) / 2
        name = "tokens" if n == 1 else f"runs of {n}"
        axes.text(0.2, middle, name, va="center", fontsize=10.5)
        axes.text(
            left + step * len(tokens) + 0.18,
            middle,
            f"{sum(found)} of {len(found)}",
            va="center",
            color=darker(GREEN),
            weight="bold",
        )
        facts.append(f"{sum(found)} of {len(found)} {name}")
        y -= lane * n + 0.2
    listed = ", ".join(facts[:-1]) + " and " + facts[-1] if len(facts) > 1 else facts[0]
    return Picture(
        figure,
        f"The n-grams of the hypothesis: {hypothesis}, looked up in the reference: {reference}. Found are {listed}.",
    )


def _found(tokens: Sequence[str], reference: Sequence[str], n: int) -> list[bool]:
    """Say for each n-gram of the hypothesis, from left to right, whether the reference still has one to match it."""
    left = Counter(tuple(reference[start : start + n]) for start in range(len(reference) - n + 1))
    found = []
    for start in range(len(tokens) - n + 1):
        gram = tuple(tokens[start : start + n])
        found.append(left[gram] > 0)
        left[gram] -= 1
    return found


def _bar(axes: "Axes", start: tuple[float, float], width: float, lane: float, is_found: bool) -> None:
    from matplotlib.patches import FancyBboxPatch

    pad = 0.05
    box = FancyBboxPatch(
        (start[0] + pad, start[1] - 0.32 * lane),
        width - 2 * pad,
        0.64 * lane,
        boxstyle="round,pad=0,rounding_size=0.05",
        facecolor=GREEN if is_found else PALE,
        edgecolor="none",
    )
    axes.add_patch(box)
