"""Drawn diagrams of the Transformer: the whole model with its shapes, and the shift by one between input and target.

Positions are in inches from the lower left corner of the figure, as in drawing.py.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from llmcourse.plots.drawing import BACKWARD, OPERATION, PARAMETER, VALUE, Point, arrow, box, heading, sheet
from llmcourse.plots.picture import BLUE, GREEN, GREY, VERMILLION, Picture, in_course_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["target_shift", "transformer_graph"]

WIDTH = 2.6  # of a box in the two towers
BASE, BLOCK = 2.45, 1.9  # where the first sub-layer begins, and how high one is


@in_course_style
def transformer_graph() -> Picture:
    """Draw the encoder and the decoder from the ids to the logits, with the shape on every arrow.

    Pre-norm: the short cut leaves before the norm and is added after the sub-layer (Vaswani et al., 2017, figure 1;
    Xiong et al., 2020, figure 1b).

    Returns:
        The picture, without axes.
    """
    figure, axes = sheet(11.0, 11.0)
    encoder, decoder = 2.9, 8.0
    heading(axes, (0.3, 10.7), "Encoder", "reads the source, once", BLUE)
    heading(axes, (5.9, 10.7), "Decoder", "scores the next token everywhere", VERMILLION)
    for x, side, ids, shape, blocks in ((encoder, -1, "source ids", "S", 2), (decoder, 1, "target ids", "T", 3)):
        _entrance(axes, x, side, ids, shape)
        _frame(axes, x, side, blocks)
    _sub_layer(axes, (encoder, BASE), -1, "self-attention", "mask  (B, 1, 1, S)", "S")
    _sub_layer(axes, (encoder, BASE + BLOCK), -1, "feed-forward", "D → d_ff → D", "S", last=True)
    _sub_layer(axes, (decoder, BASE), 1, "masked self-attention", "mask  (B, 1, T, T)", "T")
    _sub_layer(axes, (decoder, BASE + BLOCK), 1, "cross-attention", "mask  (B, 1, 1, S)", "T")
    _sub_layer(axes, (decoder, BASE + 2 * BLOCK), 1, "feed-forward", "D → d_ff → D", "T", last=True)
    _memory(axes, encoder, decoder)
    top = BASE + 3 * BLOCK + 0.25
    box(axes, (decoder, top + 0.2), WIDTH, 0.36, "final norm", fill=PARAMETER, edge=GREEN, size=10.5)
    _step(axes, decoder, top + 0.38, top + 0.82, "(B, T, D)")
    box(axes, (decoder, top + 1.0), WIDTH, 0.36, "affine map", fill=PARAMETER, edge=GREEN, size=10.5)
    _step(axes, decoder, top + 1.18, top + 1.62, "(B, T, V)")
    box(axes, (decoder, top + 1.8), WIDTH, 0.36, "logits of the next token", fill=BACKWARD, edge=VERMILLION, size=10.5)
    return Picture(figure, _ALT)


_ALT = (
    "The Transformer from bottom to top. Encoder: source ids (B, S), embedding times sqrt(D), plus the positions "
    "(S, D), gives (B, S, D). Then layers, each made of two sub-layers: norm, self-attention with mask (B, 1, 1, "
    "S), and norm, feed-forward. Around each a short cut leaves before the norm and is added after the sub-layer; "
    "all arrays are (B, S, D). A final norm makes the memory (B, S, D). Decoder: target ids (B, T), embedding times "
    "sqrt(D), plus the positions (T, D), gives (B, T, D). Then layers, each made of three sub-layers with norm and "
    "short cut: masked self-attention with mask (B, 1, T, T); cross-attention with mask (B, 1, 1, S), whose queries "
    "come from the decoder and whose keys and values are the memory; feed-forward. All arrays are (B, T, D). A "
    "final norm and an affine map give the logits of the next token (B, T, V)."
)


def _entrance(axes: "Axes", x: float, side: int, ids: str, length: str) -> None:
    """Draw the way from the ids to the sum of embeddings and positions."""
    box(axes, (x, 0.35), WIDTH, 0.36, ids, fill=VALUE, edge=BLUE, size=10.5)
    _step(axes, x, 0.53, 0.95, f"(B, {length})")
    box(axes, (x, 1.13), WIDTH, 0.36, r"embedding, times $\sqrt{D}$", fill=PARAMETER, edge=GREEN, size=10.5)
    _step(axes, x, 1.31, 1.74, f"(B, {length}, D)")
    _plus(axes, (x, 1.87))
    box(axes, (x + side * 1.75, 1.87), 1.5, 0.46, "positions", f"({length}, D)", fill=VALUE, edge=BLUE, size=10)
    arrow(axes, (x + side * 1.0, 1.87), (x + side * 0.14, 1.87), BLUE)
    axes.plot([x, x], [2.0, BASE], color=BLUE, linewidth=1.9)
    axes.text(x + 0.1, 2.22, f"(B, {length}, D)", va="center", fontsize=9.5)


def _sub_layer(axes: "Axes", at: Point, side: int, name: str, below: str, length: str, last: bool = False) -> None:
    """Draw norm, sub-layer and sum on top of each other, and the short cut at one side."""
    x, y = at
    shape = f"(B, {length}, D)"
    _step(axes, x, y, y + 0.28, "")
    box(axes, (x, y + 0.43), WIDTH, 0.3, "norm", fill=PARAMETER, edge=GREEN, size=10)
    _step(axes, x, y + 0.58, y + 0.88, shape if name != "cross-attention" else f"queries {shape}")
    box(axes, (x, y + 1.12), WIDTH, 0.48, name, below, fill=OPERATION, edge=GREY, size=11, below_size=9)
    _step(axes, x, y + 1.36, y + 1.53, "")
    _plus(axes, (x, y + 1.66))
    if last:  # the arrow leaves the frame
        arrow(axes, (x, y + 1.79), (x, y + BLOCK + 0.27), BLUE)
    else:
        axes.plot([x, x], [y + 1.79, y + BLOCK], color=BLUE, linewidth=1.9)
    axes.text(x + (0.1 if last else 0.18), y + (1.98 if last else 1.8), shape, va="center", fontsize=9.5)
    outside = x + side * (WIDTH / 2 + 0.3)
    axes.plot([x, outside, outside], [y + 0.08, y + 0.08, y + 1.66], color=VERMILLION, linewidth=1.9)
    arrow(axes, (outside, y + 1.66), (x + side * 0.14, y + 1.66), VERMILLION)
    _sideways(axes, (outside + side * 0.13, y + 0.9), f"short cut  {shape}")


def _memory(axes: "Axes", encoder: float, decoder: float) -> None:
    """Draw the encoder's final norm and the way of its result into the cross-attention."""
    top, into = BASE + 2 * BLOCK + 0.25, BASE + BLOCK + 1.12
    box(axes, (encoder, top + 0.2), WIDTH, 0.36, "final norm", fill=PARAMETER, edge=GREEN, size=10.5)
    between = 5.12
    axes.plot(
        [encoder, encoder, between, between], [top + 0.38, top + 0.85, top + 0.85, into], color=BLUE, linewidth=1.9
    )
    arrow(axes, (between, into), (decoder - WIDTH / 2, into), BLUE)
    axes.text(encoder + 0.1, top + 1.02, "memory  (B, S, D)", va="center", fontsize=10.5, weight="bold")
    axes.text(between + 0.1, into + 0.5, "keys and values\n(B, S, D)", va="center", fontsize=9.5, linespacing=1.3)


def _frame(axes: "Axes", x: float, side: int, blocks: int) -> None:
    """Frame what is repeated from layer to layer."""
    from matplotlib.patches import FancyBboxPatch

    left = x - 1.45 if side > 0 else x - 2.1
    height = blocks * BLOCK - 0.1
    style = "round,pad=0,rounding_size=0.15"
    frame = FancyBboxPatch(
        (left, BASE - 0.02), 3.55, height, boxstyle=style, facecolor="#F7F7F7", edgecolor=GREY, linestyle="--", zorder=0
    )
    axes.add_patch(frame)
    middle = BASE + height / 2 if side < 0 else BASE + 2.5 * BLOCK  # beside the decoder, above the memory's arrow
    _sideways(axes, (x - side * 1.63, middle), "one layer, repeated")


def _sideways(axes: "Axes", centre: Point, words: str) -> None:
    axes.text(*centre, words, rotation=90, ha="center", va="center", fontsize=9, color=GREY)


def _step(axes: "Axes", x: float, start: float, end: float, shape: str) -> None:
    """Draw an arrow upward with the shape beside it."""
    arrow(axes, (x, start), (x, end), BLUE)
    if shape:
        axes.text(x + 0.1, (start + end) / 2 - 0.02, shape, va="center", fontsize=9.5)


def _plus(axes: "Axes", centre: Point) -> None:
    from matplotlib.patches import Circle

    axes.add_patch(Circle(centre, 0.13, facecolor="white", edgecolor=VERMILLION, linewidth=1.6, zorder=3))
    axes.text(*centre, "+", ha="center", va="center", fontsize=12, zorder=4)


@in_course_style
def target_shift(tokens: Sequence[str]) -> Picture:
    """Draw a sentence twice, as what the decoder is given and as what it should answer, one place apart.

    Args:
        tokens: the T + 1 words of the sentence, from START to END.

    Returns:
        The picture, without axes.

    Raises:
        ValueError: if there are fewer than two tokens.

    Example:
        >>> target_shift(["START", "hi", "END"]).alt
        'Inputs and targets of a sentence, one place apart: START is answered by hi; hi is answered by END.'
    """
    if len(tokens) < 2:
        raise ValueError(f"There must be at least two tokens. Received: {list(tokens)!r}")
    count, step = len(tokens) - 1, 1.55
    figure, axes = sheet(max(6.4, 1.75 + step * count), 3.0)
    for y, words, shape, colour, note in (
        (0.85, tokens[:-1], "ids[:, :-1]", BLUE, "inputs"),
        (2.05, tokens[1:], "ids[:, 1:]", VERMILLION, "targets"),
    ):
        axes.text(0.2, y + 0.12, note, va="center", weight="bold", fontsize=11.5)
        axes.text(0.2, y - 0.14, shape, va="center", fontsize=9.5, family="DejaVu Sans Mono", color=GREY)
        for place, word in enumerate(words):
            fill = VALUE if colour == BLUE else BACKWARD
            box(axes, (2.2 + step * place, y), 1.2, 0.5, word, fill=fill, edge=colour)
    for place in range(count):
        arrow(axes, (2.2 + step * place, 1.1), (2.2 + step * place, 1.8), GREEN)
        axes.text(2.2 + step * place, 0.35, f"t = {place}", ha="center", va="center", fontsize=10, color=GREY)
    axes.text(
        0.2, 2.72, "Position t sees the inputs up to t and answers the token after it", va="center", fontsize=10.5
    )
    pairs = "; ".join(f"{before} is answered by {after}" for before, after in pairwise(tokens))
    return Picture(figure, f"Inputs and targets of a sentence, one place apart: {pairs}.")
