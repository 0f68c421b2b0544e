"""Diagrams of convolution: the sliding window step by step, padding and stride, and how far a value sees."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from llmcourse.plots.picture import (
    BLUE,
    GREY,
    INK,
    PALE,
    VERMILLION,
    Picture,
    darker,
    in_course_style,
    new_figure,
    plural,
    require_shape,
    rounded,
    write_headline,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["convolution_steps", "padding_and_stride", "receptive_field"]

BLUE_TO_RED = "RdBu_r"  # centred at zero, as in the pictures of weights


@in_course_style
def convolution_steps(
    image: np.ndarray, kernel: np.ndarray, places: Sequence[tuple[int, int]], *, title: str = ""
) -> Picture:
    """Show the convolution of one image step by step: window, kernel, sum of products, and the map filled so far.

    Args:
        image: `(height, width)` floats.
        kernel: `(kh, kw)` floats.
        places: row and column of the upper left corner of each window to show, in the order in which it gets there.
        title: what to see.

    Returns:
        The picture, a row for each place; stride 1 and no padding.

    Raises:
        ValueError: if a shape is wrong, there is no place, or a window does not fit into the image.

    Example:
        >>> convolution_steps(np.eye(4), np.ones((2, 2)), [(0, 0), (1, 2)]).alt.split(". ", maxsplit=1)[1]
        'Window at row 0, column 0: sum of products 2. Window at row 1, column 2: sum of products 1.'
    """
    image = require_shape("image", image, "height", "width").astype(np.float64)
    kernel = require_shape("kernel", kernel, "kh", "kw").astype(np.float64)
    rows, columns = image.shape[0] - kernel.shape[0] + 1, image.shape[1] - kernel.shape[1] + 1
    if not places or any(not (0 <= row < rows and 0 <= column < columns) for row, column in places):
        raise ValueError(f"Each window must lie inside the image, and there must be one. Received: places={places}")
    windows = np.lib.stride_tricks.sliding_window_view(image, kernel.shape)  # (rows, columns, kh, kw)
    result = (windows * kernel).sum(axis=(2, 3))
    limit = float(np.abs(result).max()) or 1.0

    figure = new_figure(11.0, 2.45 * len(places) + 0.75)
    grid = figure.subplots(len(places), 4, width_ratios=(1.0, 1.05, 1.05, 1.0), squeeze=False)
    for number, ((row, column), panels) in enumerate(zip(places, grid, strict=True)):
        _show_window(panels[0], image, (row, column), kernel.shape)
        _show_numbers(panels[1], windows[row, column], cmap="Greys", limits=(0.0, 2.4), sign=r"$\odot$")
        largest = float(np.abs(kernel).max()) or 1.0
        _show_numbers(panels[2], kernel, cmap=BLUE_TO_RED, limits=(-2 * largest, 2 * largest), sign="$=$")
        _show_filled(panels[3], result, (row, column), limit)
        if number == 0:
            for axes, words in zip(panels, ("the image", "under the window", "the kernel", "the result"), strict=True):
                axes.set_title(words, loc="center", fontsize=11)
    write_headline(figure, title or "Multiply what lies under the window by the kernel, add up, move on")
    facts = [f"Window at row {r}, column {c}: sum of products {rounded(result[r, c])}." for r, c in places]
    return Picture(
        figure,
        f"Convolution of an image of {image.shape[0]} by {image.shape[1]} pixels with a kernel of {kernel.shape[0]} by "
        f"{kernel.shape[1]}. {' '.join(facts)}",
    )


def _show_window(axes: "Axes", image: np.ndarray, place: tuple[int, int], size: tuple[int, ...]) -> None:
    axes.imshow(image, cmap="gray_r", vmin=min(0.0, image.min()), vmax=image.max() or 1.0)
    _outline(axes, place, size, VERMILLION)
    without_ticks(axes)


def _show_numbers(axes: "Axes", values: np.ndarray, *, cmap: str, limits: tuple[float, float], sign: str) -> None:
    """Show a small array as cells with their numbers, and the sign that leads on to the next panel."""
    axes.imshow(values, cmap=cmap, vmin=limits[0], vmax=limits[1])
    for (row, column), value in np.ndenumerate(values):
        axes.text(column, row, _short(value), ha="center", va="center", fontsize=11, color=INK)
    axes.text(1.1, 0.5, sign, transform=axes.transAxes, ha="center", va="center", fontsize=18)
    axes.set_xticks(np.arange(values.shape[1] - 1) + 0.5)
    axes.set_yticks(np.arange(values.shape[0] - 1) + 0.5)
    axes.grid(color="white", linewidth=1.5)
    axes.set_axisbelow(False)
    without_ticks(axes, keep_ticks=True)


def _short(value: float) -> str:
    """Write a number with at most two decimals."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _show_filled(axes: "Axes", result: np.ndarray, place: tuple[int, int], limit: float) -> None:
    """Show the map up to this place; what comes later is still empty."""
    known = np.arange(result.size).reshape(result.shape) <= np.ravel_multi_index(place, result.shape)
    axes.set_facecolor("#F0F0F0")
    axes.imshow(np.where(known, result, np.nan), cmap=BLUE_TO_RED, vmin=-limit, vmax=limit)
    _outline(axes, place, (1, 1), INK)
    words = f"sum: {result[place]:.2f}"
    axes.text(
        0.5, -0.06, words, transform=axes.transAxes, ha="center", va="top", color=darker(VERMILLION), weight="bold"
    )
    without_ticks(axes)


def _outline(axes: "Axes", place: tuple[int, int], size: tuple[int, ...], colour: str) -> None:
    from matplotlib.patches import Rectangle

    corner = (place[1] - 0.5, place[0] - 0.5)
    axes.add_patch(Rectangle(corner, size[1], size[0], fill=False, edgecolor=colour, linewidth=2.2))


def without_ticks(axes: "Axes", *, keep_ticks: bool = False) -> None:
    """Leave only a thin frame around an image."""
    if not keep_ticks:
        axes.set(xticks=[], yticks=[])
        axes.grid(visible=False)
    axes.tick_params(length=0, labelbottom=False, labelleft=False)
    axes.spines[:].set_visible(True)
    axes.spines[:].set(color=PALE, linewidth=0.8)


@in_course_style
def padding_and_stride(size: int, kernel: int, *, title: str = "") -> Picture:
    """Draw the windows over a row of pixels for "valid" and "same" with strides 1 and 2, and the zeros that are added.

    One direction is enough to see where windows begin; an image has two of them.

    Args:
        size: number of pixels, 1 or more.
        kernel: pixels in a window, from 1 to `size`.
        title: what to see.

    Returns:
        The picture, a panel for each of the four settings.

    Raises:
        ValueError: if the window is larger than the row.

    Example:
        >>> padding_and_stride(7, 4).alt.split(". ")[-1]
        'same, stride 2: 4 results, 1 zero before and 2 after.'
    """
    if not 1 <= kernel <= size:
        raise ValueError(f"kernel must be from 1 to size. Received: size={size}, kernel={kernel}")
    settings = [(padding, stride) for padding in ("valid", "same") for stride in (1, 2)]
    plans = [_plan(size, kernel, padding, stride) for padding, stride in settings]
    widest = max(before + size + after for _, before, after in plans)
    tallest = [max(count for count, _, _ in row) for row in (plans[:2], plans[2:])]
    figure = new_figure(10.6, 0.26 * sum(tallest) + 2.6)
    panels = figure.subplots(2, 2, height_ratios=[count + 1.8 for count in tallest]).ravel()
    facts = []
    for place, (axes, (padding, stride), (count, before, after)) in enumerate(
        zip(panels, settings, plans, strict=True)
    ):
        _draw_windows(axes, size, kernel, stride, (count, before, after))
        axes.set(xlim=(-1.6, widest + 0.6), ylim=(tallest[place // 2] + 0.6, -0.7))
        axes.set_title(f'"{padding}", stride {stride}: {plural(count, "result")}', fontsize=11.5)
        zeros = f"{plural(before, 'zero')} before and {after} after" if before + after else "no zeros"
        facts.append(f"{padding}, stride {stride}: {plural(count, 'result')}, {zeros}.")
    write_headline(figure, title or "Each bar is one window; dashed cells are zeros that padding adds")
    opening = f"Windows of {plural(kernel, 'pixel')} over a row of {plural(size, 'pixel')}."
    return Picture(figure, f"{opening} {' '.join(facts)}")


def _plan(size: int, kernel: int, padding: str, stride: int) -> tuple[int, int, int]:
    """Give the number of results and of zeros before and after."""
    if padding == "valid":
        return (size - kernel) // stride + 1, 0, 0
    count = -(-size // stride)
    total = max((count - 1) * stride + kernel - size, 0)
    return count, total // 2, total - total // 2


def _draw_windows(axes: "Axes", size: int, kernel: int, stride: int, plan: tuple[int, int, int]) -> None:
    from matplotlib.patches import Rectangle

    count, before, after = plan
    for cell in range(before + size + after):
        inside = before <= cell < before + size
        style: dict[str, Any] = {"facecolor": "#DCEBF6" if inside else "white", "linewidth": 1.3}
        style |= {"edgecolor": BLUE if inside else GREY, "linestyle": "-" if inside else (0, (2, 1.5))}
        axes.add_patch(Rectangle((cell, -0.5), 0.94, 0.94, **style))
        words = f"$x_{{{cell - before}}}$" if inside else "0"
        axes.text(cell + 0.47, -0.03, words, ha="center", va="center", fontsize=10, color=INK if inside else GREY)
    for number in range(count):
        start, y = number * stride, number + 1.05
        axes.add_patch(Rectangle((start + 0.06, y - 0.26), kernel - 0.18, 0.52, facecolor=darker(VERMILLION)))
        axes.text(
            start + kernel / 2 - 0.03, y, str(number), ha="center", va="center_baseline", fontsize=9.5, color="white"
        )
    axes.axis("off")


@in_course_style
def receptive_field(layers: Sequence[tuple[str, int, int]], size: int, *, title: str = "") -> Picture:
    """Draw what one value of the last layer depends on in each layer before it, and in the image.

    Args:
        layers: from the image on, for each layer its name, the side of its window, and its stride; no padding.
        size: height and width of the image.
        title: what to see.

    Returns:
        The picture, a square grid for the image and for each layer.

    Raises:
        ValueError: if there is no layer, or the image is too small for them.

    Example:
        >>> receptive_field([("conv", 3, 1), ("pool", 2, 2), ("conv", 3, 1)], size=14).alt.split(". ")[1]
        'The values see, layer by layer, 3 by 3, 4 by 4, 8 by 8 pixels of the image'
    """
    sizes, seen, jump = [size], [1], 1
    for _, kernel, stride in layers:
        sizes.append((sizes[-1] - kernel) // stride + 1)
        seen.append(seen[-1] + (kernel - 1) * jump)
        jump *= stride
    if len(layers) < 1 or min(sizes) < 1:
        raise ValueError(f"There must be a layer, and room for each. Received: layers={list(layers)}, sizes {sizes}")
    lit = [(sizes[-1] // 2, sizes[-1] // 2)]  # first and last lit cell; one in the last layer, then back to the image
    for _, kernel, stride in reversed(layers):
        lit.insert(0, (lit[0][0] * stride, lit[0][1] * stride + kernel - 1))

    figure = new_figure(11.0, 1.7 + 10.0 / len(sizes))
    panels = figure.subplots(1, len(sizes))
    names = ["the image", *(f"{name} {kernel} × {kernel}" for name, kernel, _ in layers)]
    for place, (axes, count, (start, stop)) in enumerate(zip(panels, sizes, lit, strict=True)):
        cells = np.zeros((count, count))
        cells[start : stop + 1, start : stop + 1] = 1
        _draw_cells(axes, cells)
        second_line = f"stride {layers[place - 1][2]}" if place else ""
        axes.set_title(f"{names[place]}\n{second_line}", loc="center", fontsize=10.5)
        below = f"{count} × {count}\n" + (f"sees {seen[place]} × {seen[place]}" if place else "")
        axes.text(0.5, -0.05, below, transform=axes.transAxes, ha="center", va="top", fontsize=10.5, linespacing=1.5)
    write_headline(figure, title or "One value in the last layer, and everything that it depends on")
    steps = ", ".join(f"{side} by {side}" for side in seen[1:])
    return Picture(
        figure,
        f"An image of {size} by {size} pixels and {plural(len(layers), 'layer')}: {', '.join(names[1:])}. "
        f"The values see, layer by layer, {steps} pixels of the image. "
        "One value of the last layer is marked, with all that it depends on before it.",
    )


def _draw_cells(axes: "Axes", cells: np.ndarray) -> None:
    from matplotlib.colors import ListedColormap

    look: dict[str, Any] = {"cmap": ListedColormap(["#DCEBF6", VERMILLION]), "edgecolors": "white", "linewidth": 0.8}
    axes.pcolormesh(cells, vmin=0, vmax=1, **look)
    axes.set(aspect="equal", ylim=(len(cells), 0))
    axes.axis("off")
