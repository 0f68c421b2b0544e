"""The picture that every plot returns, and the one visual style of the course.

A picture carries its text alternative wherever it goes: into the notebook, the exported page and the report. What a
learner who cannot see the figure reads is therefore written once, beside the code that draws it.
"""

import base64
import html
import io
import os
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

import numpy as np

from llmcourse.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Picture"]

# The palette of Okabe and Ito (2008): people with any common form of colour blindness can tell these apart.
BLUE, VERMILLION, GREEN = "#0072B2", "#D55E00", "#009E73"
ORANGE, PURPLE, SKY = "#E69F00", "#CC79A7", "#56B4E9"
PALETTE = (BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY)
INK, GREY, PALE = "#222222", "#666666", "#D9D9D9"
PATCH: dict[str, Any] = {"facecolor": "white", "edgecolor": "none", "pad": 1.5, "alpha": 0.85}  # behind words on lines

PNG_DPI = 150  # pixels per inch of the file; the page shows 100, so that text stays sharp on a dense screen
PAGE_DPI = 100

STYLE: dict[str, Any] = {
    "figure.dpi": PNG_DPI,
    "figure.facecolor": "white",
    "figure.constrained_layout.h_pad": 0.1,
    "figure.constrained_layout.w_pad": 0.1,
    "font.family": "DejaVu Sans",  # comes with matplotlib, so the same bytes come out on every machine
    "font.size": 11,
    "text.color": INK,
    "axes.titlesize": 12.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.labelsize": 11,
    "axes.labelcolor": INK,
    "axes.edgecolor": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.8,
    "lines.linewidth": 2.2,
    "lines.solid_capstyle": "round",
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
    "legend.frameon": False,
    "legend.fontsize": 10.5,
    "svg.hashsalt": "llmcourse",  # the ids in an SVG file are random without it
}

Parameters = ParamSpec("Parameters")


@contextmanager
def course_style() -> Iterator[None]:
    """Draw in the style of the course, whatever the learner has set, and leave the learner's settings as they were."""
    from matplotlib import style

    with style.context(STYLE, after_reset=True):
        yield


@dataclass(frozen=True, eq=False)
class Picture:
    """Show a figure together with its text alternative.

    Notebooks, exported pages and reports all take both from here, so no figure of the course is without words.

    Args:
        figure: the matplotlib figure.
        alt: what a sighted reader learns from the figure, in one to three sentences.

    Raises:
        ValueError: if `alt` is blank.
    """

    figure: "Figure" = field(repr=False)
    alt: str

    def __post_init__(self) -> None:
        if not self.alt.strip():
            raise ValueError(f"A picture needs a text alternative of at least one sentence. Received: alt={self.alt!r}")

    def to_png(self) -> bytes:
        """Render the figure as PNG bytes, the same on every call."""
        return self._render("png", dpi=PNG_DPI, metadata={"Software": None})

    def to_base64(self) -> str:
        """Render the figure as PNG and encode it as base64 text without line breaks."""
        return base64.b64encode(self.to_png()).decode("ascii")

    def to_html(self) -> str:
        """Write the figure as one `<img>` element that holds its own data, with the text alternative escaped."""
        alt = html.escape(self.alt, quote=True)
        return f'<img alt="{alt}" width="{self._page_width()}" src="data:image/png;base64,{self.to_base64()}">'

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the figure into a file, completely or not at all.

        Args:
            path: where to; the suffix `.png` or `.svg` chooses the format. Missing folders above it are made.

        Returns:
            The path of the file.

        Raises:
            ValueError: if the suffix is another one.
            OSError: if the place cannot be written; the file is then as it was before.
        """
        path = Path(path)
        if path.suffix not in {".png", ".svg"}:
            raise ValueError(f"A picture is saved as .png or .svg. Received: path={str(path)!r}")
        svg = {"Date": None, "Creator": None, "Title": self.alt}
        content = self.to_png() if path.suffix == ".png" else self._render("svg", dpi=PAGE_DPI, metadata=svg)
        return write_atomically(path, content)

    def _render(self, kind: str, *, dpi: int, metadata: dict[str, str | None]) -> bytes:
        stream = io.BytesIO()
        with course_style():
            self.figure.savefig(stream, format=kind, dpi=dpi, metadata=metadata)
        return stream.getvalue()

    def _page_width(self) -> int:
        return round(self.figure.get_figwidth() * PAGE_DPI)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, str], dict[str, Any]]:
        data = {"image/png": self.to_base64(), "text/plain": self.alt}
        return data, {"image/png": {"alt": self.alt, "width": self._page_width()}}


def in_course_style(draw: Callable[Parameters, Picture]) -> Callable[Parameters, Picture]:
    """Wrap a drawing function so that everything it creates takes the style of the course and stays where it is."""

    @wraps(draw)
    def styled(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Picture:
        with course_style():
            picture = draw(*args, **kwargs)
            # The layout is computed once and kept: computed anew for each file, it would move by parts of a pixel.
            picture.figure.draw_without_rendering()
            picture.figure.set_layout_engine("none")
            return picture

    return styled


def new_figure(width: float, height: float, *, constrained: bool = True) -> "Figure":
    """Make an empty figure of the given size in inches, without pyplot, so that nothing keeps it alive."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained" if constrained else None)


def new_axes(width: float, height: float) -> tuple["Figure", "Axes"]:
    """Make a figure of the given size in inches with one pair of axes."""
    figure = new_figure(width, height)
    return figure, figure.add_subplot()


def write_title(figure: "Figure", axes: "Axes", title: str) -> None:
    """Write the title of a figure with one panel, on several lines if it is too long for one."""
    axes.set_title(fitted(title, figure.get_figwidth() - 0.9))


def write_headline(figure: "Figure", title: str) -> None:
    """Write the title of a figure with several panels, in line with its left edge."""
    text = fitted(title, figure.get_figwidth() - 0.3)
    figure.suptitle(text, x=0.012, ha="left", fontsize=STYLE["axes.titlesize"], weight="bold")


def fitted(title: str, inches: float) -> str:
    """Break a title into lines of the given width; a bold letter of this size is about 0.11 inches wide."""
    return textwrap.fill(title, max(12, int(inches / 0.112)))


def darker(colour: str) -> str:
    """Darken a colour so that text in it has enough contrast on white."""
    from matplotlib.colors import to_hex, to_rgb

    red, green, blue = to_rgb(colour)
    return to_hex((0.72 * red, 0.72 * green, 0.72 * blue))


def rounded(number: float) -> str:
    """Write a number with two significant digits, so that it is the same on every CPU.

    Numbers below 1e-4 and from 1e6 on are written with a power of ten, all others as plain decimals.
    """
    if not np.isfinite(number):
        return "not a number" if np.isnan(number) else "infinity"
    short = float(f"{number:.1e}")  # two significant digits
    if short == 0:
        return "0"
    if not 1e-4 <= abs(short) < 1e6:
        return f"{short:.1e}".replace(".0e", "e")
    decimals = max(0, 1 - int(np.floor(np.log10(abs(short)))))
    text = f"{short:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def plural(count: int, noun: str) -> str:
    """Write a count with its noun: '1 image', '2 images'."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def require_shape(name: str, array: Any, *shape: int | str) -> np.ndarray:
    """Turn an argument into an array and check its shape at the boundary.

    Args:
        name: how the caller calls the argument.
        array: the argument.
        *shape: the sizes required; a text such as "N" stands for any size but zero.

    Returns:
        The argument as an array.

    Raises:
        ValueError: if it has another shape.
    """
    result = np.asarray(array)
    required = ", ".join(str(size) for size in shape) + ("," if len(shape) == 1 else "")
    fits = result.ndim == len(shape) and all(
        have > 0 if isinstance(want, str) else have == want for have, want in zip(result.shape, shape, strict=True)
    )
    if not fits:
        raise ValueError(f"{name} must have the shape ({required}). Received: {name}.shape={result.shape}")
    return result
