"""The pen of the drawn diagrams: a sheet that measures inches, headings, boxes and arrows.

Positions and lengths are in inches from the lower left corner of the figure, so a diagram is laid out as with a ruler;
sizes of letters are in points, 72 to the inch.
"""

from typing import TYPE_CHECKING, Any

from llmcourse.plots.picture import darker, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["BACKWARD", "OPERATION", "PARAMETER", "VALUE", "Point", "arrow", "box", "heading", "sheet"]

Point = tuple[float, float]  # to the right and up, inches

VALUE, OPERATION, PARAMETER, BACKWARD = "#DCEBF6", "white", "#DDF1EA", "#FBE6D8"  # what a box is filled with


def sheet(width: float, height: float) -> tuple["Figure", "Axes"]:
    """Make a figure whose one pair of axes measures inches and is not visible.

    A diagram has nothing to scale, so a place on it should be the place on the page.

    Args:
        width: of the figure, inches.
        height: of the figure, inches.

    Returns:
        The figure and its axes, which fill it.
    """
    figure = new_figure(width, height, constrained=False)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(0, height))
    axes.axis("off")
    return figure, axes


def heading(axes: "Axes", at: Point, words: str, more: str, colour: str, *, stacked: bool = False) -> None:
    """Write a heading in bold and, beside or below it, what it adds.

    How wide the bold words are is known only when they are drawn, so the rest is placed relative to them.

    Args:
        axes: those of a `sheet`.
        at: the left end of the heading, at half its height, inches.
        words: the heading.
        more: what it adds, or "".
        colour: of both; it is darkened, so that it can be read on white.
        stacked: whether the addition stands below the heading instead of beside it.
    """
    bold = axes.text(*at, words, va="center", color=darker(colour), weight="bold", fontsize=12.5)
    corner, offset = ((0, 0), (0, -10)) if stacked else ((1, 0.5), (9, 0))
    more_style: dict[str, Any] = {"va": "center", "color": darker(colour), "fontsize": 11}
    axes.annotate(more, corner, xycoords=bold, xytext=offset, textcoords="offset points", **more_style)


def box(
    axes: "Axes",
    centre: Point,
    width: float,
    height: float,
    name: str,
    below: str = "",
    *,
    fill: str,
    edge: str,
    size: float = 11.5,
    below_size: float = 10,
) -> None:
    """Draw a rounded box with a name and, below it, a second line such as the shape.

    The letters are not made to fit: the box is as large as it is told to be.

    Args:
        axes: those of a `sheet`.
        centre: of the box, inches.
        width: of the box, inches.
        height: of the box, inches.
        name: what stands in it.
        below: the second line, or "": then the name stands in the middle.
        fill: the colour inside, such as `VALUE`, `OPERATION`, `PARAMETER` or `BACKWARD`.
        edge: the colour of the line around it.
        size: of the name's letters, points.
        below_size: of the second line's letters, points.
    """
    from matplotlib.patches import FancyBboxPatch

    corner = (centre[0] - width / 2, centre[1] - height / 2)
    style = "round,pad=0,rounding_size=0.09"
    axes.add_patch(FancyBboxPatch(corner, width, height, boxstyle=style, facecolor=fill, edgecolor=edge, linewidth=1.4))
    shift = 0.23 * height if below else 0.0
    axes.text(centre[0], centre[1] + shift, name, ha="center", va="center", fontsize=size)
    if below:
        axes.text(centre[0], centre[1] - shift, below, ha="center", va="center", fontsize=below_size)


def arrow(axes: "Axes", start: Point, end: Point, colour: str, *, bend: bool = False, dashed: bool = False) -> None:
    """Draw an arrow, straight or first down and then sideways.

    It begins and ends exactly where it is told to, so that it can touch the edge of a box.

    Args:
        axes: those of a `sheet`.
        start: where it begins, inches.
        end: where its head points, inches.
        colour: of line and head.
        bend: whether it goes down from its start and then sideways to its end.
        dashed: whether its line is thin and dashed.
    """
    properties = {
        "arrowstyle": "-|>,head_length=0.45,head_width=0.22",
        "color": colour,
        "linewidth": 1.3 if dashed else 1.9,
        "linestyle": (0, (3, 2)) if dashed else "-",
        "shrinkA": 0,
        "shrinkB": 0,
        "connectionstyle": "angle,angleA=-90,angleB=0,rad=6" if bend else "arc3",
    }
    axes.annotate("", xy=end, xytext=start, arrowprops=properties)
