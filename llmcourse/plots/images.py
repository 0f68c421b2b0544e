"""Pictures made of many small images: digits with their labels, and the weights of a layer."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from llmcourse.plots.picture import (
    GREEN,
    GREY,
    PALE,
    VERMILLION,
    Picture,
    darker,
    fitted,
    in_course_style,
    new_axes,
    plural,
    require_shape,
    rounded,
    write_headline,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

__all__ = ["digits", "weight_images"]


@in_course_style
def digits(
    images: np.ndarray,
    labels: np.ndarray | None = None,
    predictions: np.ndarray | None = None,
    *,
    columns: int = 10,
    title: str = "",
) -> Picture:
    """Show images in a grid, with the label of each or with what a network took it for.

    A wrong prediction is marked by a frame, by colour and by words ("3, not 5"), so nobody needs to see the colour.

    Args:
        images: `(N, height, width)`, integers or floats; larger is darker, and the smallest value, or zero, is white.
        labels: `(N,)` true classes, or None.
        predictions: `(N,)` predicted classes, or None.
        columns: images in one row; 10 are readable in a notebook, with more the captions get smaller.
        title: what to see; made from the data if empty.

    Returns:
        The picture, N images in rows of `columns`.

    Raises:
        ValueError: if a shape is wrong or `columns` is below 1.

    Example:
        >>> digits(np.zeros((2, 28, 28)), labels=[5, 0], predictions=[3, 0]).alt
        '2 images in 1 row of up to 2. Predictions, row by row: 3, 0. Wrong: image 1 taken for 3, not 5.'
    """
    images = require_shape("images", images, "N", "height", "width").astype(np.float64)
    count = len(images)
    truth = None if labels is None else require_shape("labels", labels, count)
    guess = None if predictions is None else require_shape("predictions", predictions, count)
    shown = truth if guess is None else guess
    wrong = np.flatnonzero(truth != guess) if truth is not None and guess is not None else np.array([], dtype=int)

    grid = _grid(images, columns, below=0.0 if shown is None else 0.28)
    figure, axes = grid.open_figure(title or _digits_title(count, truth, guess, len(wrong)))
    _tiles(axes, grid, images, limits=(min(0.0, images.min()), images.max()), cmap="gray_r")
    for index in range(count if shown is not None else 0):
        if index in wrong and truth is not None and guess is not None:
            _caption(axes, grid, index, f"{guess[index]}, not {truth[index]}", darker(VERMILLION), bold=True)
            _frame(axes, grid, index, VERMILLION, linewidth=2.4)
        elif shown is not None:
            judged = truth is not None and guess is not None
            _caption(axes, grid, index, str(shown[index]), darker(GREEN) if judged else GREY)
    return Picture(figure, _digits_alt(grid, truth, guess, wrong))


@in_course_style
def weight_images(
    weights: np.ndarray, *, shape: tuple[int, int] = (28, 28), columns: int = 8, title: str = ""
) -> Picture:
    """Show what each unit of a layer looks for, as one image for each unit; kernels of a convolution are such units.

    The colour map is centred at zero: ink where a pixel is red pushes the unit up, ink where it is blue pushes it down,
    and white does not matter to it.

    Args:
        weights: `(D, U)` floats, one column for each unit.
        shape: height and width of an image; their product is D.
        columns: images in one row.
        title: what to see; a sentence that fits any layer if empty.

    Returns:
        The picture, U images in rows of `columns`.

    Raises:
        ValueError: if D is not height times width or `columns` is below 1.

    Example:
        >>> weight_images(np.array([[0.5], [0.0], [-0.25], [1.0]]), shape=(2, 2)).alt
        'Weights as 1 image of 2 by 2 pixels, from -0.25 to 1.'
    """
    height, width = shape
    weights = require_shape("weights", weights, height * width, "U")
    images = weights.T.reshape(-1, height, width)  # (D, U) -> (U, height, width)
    # A few extreme weights would make all others look white, so the scale ends where 99.5 % of the weights lie.
    limit = float(np.quantile(np.abs(weights), 0.995)) or 1.0

    grid = _grid(images, columns, below=0.0)
    title = title or "Each unit looks for a pattern: red counts for it, blue against it"
    figure, axes = grid.open_figure(title, extra=0.9)
    tiles = _tiles(axes, grid, images, limits=(-limit, limit), cmap="RdBu_r")
    bar = figure.colorbar(tiles, ax=axes, shrink=min(1.0, 3.0 / grid.rows), aspect=16, pad=0.02, extend="both")
    bar.set_label("weight")
    bar.outline.set_visible(False)
    return Picture(figure, _weights_alt(images))


@dataclass(frozen=True)
class _Grid:
    """Where each image lies, in pixels of the images."""

    count: int
    columns: int
    height: int
    width: int
    below: float  # room for a caption under each row

    @property
    def rows(self) -> int:
        return -(-self.count // self.columns)

    @property
    def inches(self) -> float:
        """The width of one image on the page: all columns fit a notebook, and few images do not grow large."""
        return min(0.9, 10.4 / (1.16 * self.columns))

    def corner(self, index: int) -> tuple[float, float]:
        """Return left and top of an image."""
        row, column = divmod(index, self.columns)
        return column * 1.16 * self.width, row * (1.16 * self.height + self.below)

    def open_figure(self, title: str, extra: float = 0.0) -> tuple["Figure", "Axes"]:
        """Make a figure that the grid and its title fill, with `extra` inches of room at the right."""
        margin = 0.08 * self.width
        across = (1.16 * self.columns - 0.16) * self.width + 2 * margin
        down = self.rows * (1.16 * self.height + self.below) - 0.16 * self.height + 2 * margin
        scale = self.inches / self.width
        page = max(across * scale + 0.3 + extra, 4.2)
        lines = 1 + fitted(title, page - 0.3).count("\n")
        figure, axes = new_axes(page, down * scale + 0.35 + 0.21 * lines)
        write_headline(figure, title)
        axes.set(xlim=(-margin, across - margin), ylim=(down - margin, -margin), aspect="equal", anchor="NW")
        axes.axis("off")
        return figure, axes


def _grid(images: np.ndarray, columns: int, below: float) -> _Grid:
    if columns < 1:
        raise ValueError(f"columns must be at least 1. Received: columns={columns}")
    count, height, width = images.shape
    return _Grid(count, min(columns, count), height, width, below * height)


def _tiles(axes: "Axes", grid: _Grid, images: np.ndarray, *, limits: tuple[float, float], cmap: str) -> "AxesImage":
    """Draw all images on one pair of axes (a pair for each image would take seconds), and frame them lightly."""
    edges = axes.axis()
    for index, image in enumerate(images):
        left, top = grid.corner(index)
        extent = (left, left + grid.width, top + grid.height, top)
        tile = axes.imshow(image, cmap=cmap, vmin=limits[0], vmax=limits[1], extent=extent, interpolation="nearest")
        _frame(axes, grid, index, PALE, linewidth=0.8)
    axes.axis(edges)
    return tile


def _frame(axes: "Axes", grid: _Grid, index: int, colour: str, *, linewidth: float) -> None:
    left, top = grid.corner(index)
    right, bottom = left + grid.width, top + grid.height
    xs, ys = [left, right, right, left, left], [top, top, bottom, bottom, top]
    axes.plot(xs, ys, color=colour, linewidth=linewidth, solid_joinstyle="miter", clip_on=False)


def _caption(axes: "Axes", grid: _Grid, index: int, words: str, colour: str, *, bold: bool = False) -> None:
    """Write under an image what it is, or what it was taken for."""
    left, top = grid.corner(index)
    place = (left + grid.width / 2, top + 1.07 * grid.height)
    size = min(10.5, 12.5 * grid.inches)
    axes.text(*place, words, ha="center", va="top", fontsize=size, color=colour, weight="bold" if bold else "normal")


def _digits_title(count: int, truth: np.ndarray | None, guess: np.ndarray | None, wrong: int) -> str:
    if guess is None:
        return plural(count, "image") + ("" if truth is None else " with their labels")
    if truth is None:
        return f"{plural(count, 'image')} and what the network took them for"
    return f"{count - wrong} of {plural(count, 'prediction')} right" + (", wrong ones framed" if wrong else "")


def _digits_alt(grid: _Grid, truth: np.ndarray | None, guess: np.ndarray | None, wrong: np.ndarray) -> str:
    alt = f"{plural(grid.count, 'image')} in {plural(grid.rows, 'row')} of up to {grid.columns}."
    shown = truth if guess is None else guess
    if shown is not None and grid.count <= 40:
        alt += f" {'Labels' if guess is None else 'Predictions'}, row by row: {', '.join(str(one) for one in shown)}."
    if truth is None or guess is None:
        return alt
    if not len(wrong):
        return f"{alt} All predictions are right."
    named = [f"image {index + 1} taken for {guess[index]}, not {truth[index]}" for index in wrong[:6]]
    more = [f"and {len(wrong) - 6} more"] if len(wrong) > 6 else []
    return f"{alt} Wrong: {'; '.join(named + more)}."


def _weights_alt(images: np.ndarray) -> str:
    units, height, width = images.shape
    alt = (
        f"Weights as {plural(units, 'image')} of {height} by {width} pixels, "
        f"from {rounded(images.min())} to {rounded(images.max())}."
    )
    if min(height, width) < 8:
        return alt
    size = np.abs(images).mean(axis=0)  # (U, height, width) -> (height, width)
    middle = size[height // 4 : -(height // 4), width // 4 : -(width // 4)].mean()
    rim = np.ones(size.shape, dtype=bool)
    rim[2:-2, 2:-2] = False
    return (
        f"{alt} The mean size of a weight is {rounded(middle)} in the middle "
        f"and {rounded(size[rim].mean())} in the outermost two pixels."
    )
