"""Pictures of what a convolutional network answers: its feature maps, and the mistakes of which it is sure."""

from collections.abc import Sequence

import numpy as np

from llmcourse.plots.convolution import BLUE_TO_RED, without_ticks
from llmcourse.plots.picture import (
    GREEN,
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

__all__ = ["confident_errors", "feature_maps"]


@in_course_style
def feature_maps(
    image: np.ndarray,
    maps: np.ndarray,
    kernels: np.ndarray,
    *,
    names: Sequence[str] | None = None,
    title: str = "",
) -> Picture:
    """Show an image, some kernels, and below each kernel where it answers in the image.

    Args:
        image: `(height, width)` floats.
        maps: `(height', width', F)` floats, what each kernel answered; below 0 counts as 0, as after a ReLU.
        kernels: `(kh, kw, F)` floats.
        names: F names; "filter 0" and so on if None.
        title: what to see.

    Returns:
        The picture, the image at the left and a column for each filter.

    Raises:
        ValueError: if a shape is wrong or there are not F names.

    Example:
        >>> feature_maps(np.eye(4), np.ones((3, 3, 2)), np.ones((2, 2, 2)), names=["a", "b"]).alt.split(". ")[1]
        'Share of places where each answers: a 1, b 1.'
    """
    image = require_shape("image", image, "height", "width")
    maps = np.maximum(require_shape("maps", maps, "height'", "width'", "F"), 0)
    filters = maps.shape[2]
    kernels = require_shape("kernels", kernels, "kh", "kw", filters)
    labels = list(names) if names is not None else [f"filter {index}" for index in range(filters)]
    require_shape("names", labels, filters)
    limit, top = float(np.abs(kernels).max()) or 1.0, float(maps.max()) or 1.0

    figure = new_figure(min(11.0, 1.5 * filters + 3.4), 3.9)
    grid = figure.add_gridspec(2, filters + 1, width_ratios=[1.7, *[1.0] * filters], height_ratios=(0.8, 1.0))
    whole = figure.add_subplot(grid[:, 0])
    whole.imshow(image, cmap="gray_r", vmin=min(0.0, image.min()), vmax=image.max() or 1.0)
    whole.set_title("the image", loc="center", fontsize=11)
    without_ticks(whole)
    for index, label in enumerate(labels):
        above, below = figure.add_subplot(grid[0, index + 1]), figure.add_subplot(grid[1, index + 1])
        above.imshow(kernels[..., index], cmap=BLUE_TO_RED, vmin=-1.5 * limit, vmax=1.5 * limit)
        above.set_title(label, loc="center", fontsize=11)
        below.imshow(maps[..., index], cmap="Blues", vmin=0, vmax=top)
        for axes in (above, below):
            without_ticks(axes)
    write_headline(figure, title or "Kernels (red counts for, blue against), and where they answer")
    shares = ", ".join(f"{label} {rounded(float((maps[..., i] > 0).mean()))}" for i, label in enumerate(labels))
    return Picture(
        figure,
        f"An image, {plural(filters, 'kernel')} and their feature maps. Share of places where each answers: {shares}.",
    )


@in_course_style
def confident_errors(
    images: np.ndarray, labels: np.ndarray, probabilities: np.ndarray, *, count: int = 10, title: str = ""
) -> Picture:
    """Show the wrong answers of which a network is surest, with the probability of its answer and of the right one.

    Args:
        images: `(N, height, width)`.
        labels: `(N,)` integers, the true classes.
        probabilities: `(N, C)` floats, rows that sum to 1.
        count: how many at most.
        title: what to see.

    Returns:
        The picture, the surest mistake first, in rows of five.

    Raises:
        ValueError: if a shape is wrong, or there is no mistake to show.

    Example:
        >>> confident_errors(np.eye(3)[None], np.array([0]), np.array([[0.25, 0.75]])).alt
        'The 1 surest of 1 mistake among 1 image. 1, not 0: probability 0.75.'
    """
    images = require_shape("images", images, "N", "height", "width")
    labels = require_shape("labels", labels, len(images))
    probabilities = require_shape("probabilities", probabilities, len(images), "C")
    answers, rows = probabilities.argmax(axis=1), np.arange(len(images))
    wrong = np.flatnonzero(answers != labels)
    if not len(wrong):
        raise ValueError(f"There must be a wrong answer. Received: {len(images)} right ones")
    sure = probabilities[rows, answers]
    chosen = wrong[np.argsort(-sure[wrong], kind="stable")][:count]

    columns = min(5, len(chosen))
    lines = -(-len(chosen) // columns)
    figure = new_figure(max(4.6, 2.05 * columns), 2.6 * lines + 0.5)
    panels = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes, index in zip(panels, chosen, strict=False):
        axes.imshow(images[index], cmap="gray_r")
        without_ticks(axes)
        axes.text(
            0.5,
            -0.04,
            f"says {answers[index]}: {sure[index]:.0%}",
            transform=axes.transAxes,
            ha="center",
            va="top",
            color=darker(VERMILLION),
            weight="bold",
        )
        says = f"is {labels[index]}: {probabilities[index, labels[index]]:.0%}"
        axes.text(0.5, -0.17, says, transform=axes.transAxes, ha="center", va="top", color=darker(GREEN))
    for axes in panels[len(chosen) :]:
        axes.axis("off")
    write_headline(figure, title or "The surest mistakes: what the network says, and what it should say")
    facts = [f"{answers[i]}, not {labels[i]}: probability {rounded(sure[i])}" for i in chosen[:6]]
    return Picture(
        figure,
        f"The {len(chosen)} surest of {plural(len(wrong), 'mistake')} among {plural(len(images), 'image')}. "
        f"{'; '.join(facts)}.",
    )
