"""Charts about attention: weights, masks, positions and cost. The drawn diagrams are in attention_diagrams.py."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from llmcourse.plots.picture import (
    BLUE,
    GREY,
    PALE,
    PALETTE,
    VERMILLION,
    Picture,
    darker,
    in_course_style,
    new_axes,
    new_figure,
    require_shape,
    rounded,
    write_headline,
    write_title,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "attention_maps",
    "mask_grids",
    "positional_codes",
    "relative_cost",
    "softmax_widths",
]


@in_course_style
def softmax_widths(widths: Sequence[int], without: np.ndarray, scaled: np.ndarray, *, title: str = "") -> Picture:
    """Show what softmax makes of dot products of growing width, without and with the division by the root.

    Args:
        widths: W widths K.
        without: `(W, S)` weights of S keys from scores that were not divided, largest first.
        scaled: `(W, S)` weights from scores that were divided by sqrt(K), largest first.
        title: what to see.

    Returns:
        The picture: two rows of W panels.

    Raises:
        ValueError: if the shapes do not fit.
    """
    without = require_shape("without", without, len(widths), "S")
    scaled = require_shape("scaled", scaled, len(widths), without.shape[1])
    figure = new_figure(10.6, 4.9)
    panels = figure.subplots(2, len(widths), sharex=True, sharey=True, squeeze=False)
    for row, (table, colour) in enumerate(((without, VERMILLION), (scaled, BLUE))):
        for column, width in enumerate(widths):
            axes = panels[row, column]
            axes.bar(np.arange(1, table.shape[1] + 1), table[column], color=colour, width=0.8)
            place = (1, table[column, 0] + 0.02)
            axes.text(*place, f"{table[column, 0]:.2f}", ha="center", va="bottom", fontsize=9.5, color=darker(colour))
            axes.grid(axis="x", visible=False)
            axes.set(ylim=(0, 1.18), xticks=[], yticks=[0, 0.5, 1])
            if row == 0:
                axes.set_title(f"K = {width}", fontsize=11)
    panels[0, 0].set_ylabel("not divided")
    panels[1, 0].set_ylabel(r"divided by $\sqrt{K}$")
    figure.supxlabel(f"the {without.shape[1]} keys, from the largest weight to the smallest", fontsize=11)
    write_headline(figure, title or "Without the division, softmax listens to one key only")
    facts = [
        f"K = {width}: {without[column, 0]:.2f} without, {scaled[column, 0]:.2f} with"
        for column, width in enumerate(widths)
    ]
    return Picture(
        figure,
        f"Mean weights of {without.shape[1]} random keys, sorted, for scores that are not divided and scores that are "
        f"divided by the root of the width K. The largest weight is, for {'; '.join(facts)}.",
    )


@in_course_style
def attention_maps(
    maps: Mapping[str, np.ndarray],
    query_labels: Sequence[str],
    key_labels: Sequence[str],
    *,
    query_name: str = "query",
    key_name: str = "key",
    title: str = "",
) -> Picture:
    """Show attention weights as maps: one row for each query, one column for each key, dark where the weight is large.

    Args:
        maps: from a panel's title to its weights, `(T, S)` each.
        query_labels: T words.
        key_labels: S words.
        query_name: what the rows are.
        key_name: what the columns are.
        title: what to see.

    Returns:
        The picture, one panel for each map.

    Raises:
        ValueError: if there is no map or a shape does not fit the labels.

    Example:
        >>> attention_maps({"": np.eye(2)}, ["a?", "b?"], ["a", "b"]).alt
        'Attention weights of 2 queries over 2 keys. The largest weight of a? is on a; b? on b.'
    """
    return draw_attention_maps(maps, query_labels, key_labels, query_name=query_name, key_name=key_name, title=title)


def draw_attention_maps(
    maps: Mapping[str, np.ndarray],
    query_labels: Sequence[str],
    key_labels: Sequence[str],
    *,
    query_name: str,
    key_name: str,
    title: str,
) -> Picture:
    """Draw `attention_maps` in the style that is set, and leave the layout open.

    A function that goes on drawing, such as `cross_attention`, lays the figure out itself when it is done.

    Args:
        maps: from a panel's title to its weights, `(T, S)` each.
        query_labels: T words.
        key_labels: S words.
        query_name: what the rows are.
        key_name: what the columns are.
        title: what to see, or "" for none.

    Returns:
        The picture, one panel for each map; the first axes of the figure are those of the maps, in their order.

    Raises:
        ValueError: if there is no map or a shape does not fit the labels.
    """
    if not maps:
        raise ValueError(f"There must be at least one map. Received: maps={maps!r}")
    rows, columns = len(query_labels), len(key_labels)
    tables = {name: require_shape(f"maps[{name!r}]", table, rows, columns) for name, table in maps.items()}
    side = max(min(0.42, 4.4 / columns), 0.16 + 0.082 * max(map(len, key_labels)))  # inches, also enough for the labels
    above = 0.5 * bool(title) + 0.4 * any(tables)  # for the headline and the panels' names
    width = min(11.0, len(tables) * (columns * side + 1.1) + 1.2)
    side = min(side, ((width - 1.2) / len(tables) - 1.1) / columns)  # smaller where they do not all fit side by side
    figure = new_figure(width, rows * side + 1.25 + above)
    panels = figure.subplots(1, len(tables), sharey=True, squeeze=False)[0]
    facts = []
    for axes, (name, table) in zip(panels, tables.items(), strict=True):
        image = axes.imshow(table, cmap="Blues", vmin=0, vmax=1, aspect="equal")
        _label_cells(axes, query_labels, key_labels)
        axes.set_xlabel(key_name)
        axes.set_title(name, fontsize=11.5)
        largest = [f"{query_labels[row]} {{}}on {key_labels[table[row].argmax()]}" for row in range(rows)]
        said = "; ".join(words.format("is " if row == 0 else "") for row, words in enumerate(largest))
        facts.append(f"{name + ': the' if name else 'The'} largest weight of {said}.")
    panels[0].set_ylabel(query_name)
    bar = figure.colorbar(image, ax=list(panels), shrink=0.9, aspect=18, pad=0.02)
    bar.set_label("weight")
    bar.outline.set_visible(False)
    if title:
        write_headline(figure, title)
    return Picture(figure, f"Attention weights of {rows} queries over {columns} keys. {' '.join(facts)}")


def _label_cells(axes: "Axes", query_labels: Sequence[str], key_labels: Sequence[str]) -> None:
    """Write the labels at the rows and columns, and thin white lines between the cells."""
    rows, columns = len(query_labels), len(key_labels)
    axes.set(xticks=range(columns), xticklabels=key_labels, yticks=range(rows), yticklabels=query_labels)
    axes.grid(visible=False)
    axes.tick_params(length=0)
    for edge in np.arange(0.5, columns - 1):
        axes.axvline(edge, color="white", linewidth=1.0)
    for edge in np.arange(0.5, rows - 1):
        axes.axhline(edge, color="white", linewidth=1.0)
    axes.spines[:].set_visible(False)


@in_course_style
def mask_grids(
    masks: Mapping[str, np.ndarray], query_labels: Sequence[str], key_labels: Sequence[str], *, title: str = ""
) -> Picture:
    """Show masks as grids: a filled cell where the query of the row may attend to the key of the column.

    Args:
        masks: from a panel's title to its mask, `(T, S)` booleans each.
        query_labels: T words.
        key_labels: S words.
        title: what to see.

    Returns:
        The picture, one panel for each mask.

    Raises:
        ValueError: if there is no mask or a shape does not fit the labels.

    Example:
        >>> mask_grids({"causal": np.tri(2, dtype=bool)}, ["a", "b"], ["a", "b"]).alt
        'Masks of 2 queries over 2 keys. causal: the rows allow 1, 2 keys.'
    """
    if not masks:
        raise ValueError(f"There must be at least one mask. Received: masks={masks!r}")
    rows, columns = len(query_labels), len(key_labels)
    tables = {name: require_shape(f"masks[{name!r}]", mask, rows, columns) for name, mask in masks.items()}
    figure = new_figure(min(11.0, len(tables) * (0.44 * columns + 0.9) + 0.4), 0.44 * rows + 1.9)
    panels = figure.subplots(1, len(tables), sharey=True, squeeze=False)[0]
    facts = []
    for axes, (name, mask) in zip(panels, tables.items(), strict=True):
        axes.imshow(_cell_colours(mask), aspect="equal")
        _label_cells(axes, query_labels, key_labels)
        for row, column in np.argwhere(~mask.astype(bool)):
            axes.text(column, row, "×", ha="center", va="center", color=GREY, fontsize=11)
        axes.set_xlabel("key")
        axes.set_title(name, fontsize=11.5)
        facts.append(f"{name}: the rows allow {', '.join(str(int(count)) for count in mask.sum(axis=1))} keys.")
    panels[0].set_ylabel("query")
    write_headline(figure, title or "Filled: may attend. Crossed: must not")
    return Picture(figure, f"Masks of {rows} queries over {columns} keys. {' '.join(facts)}")


def _cell_colours(mask: np.ndarray) -> np.ndarray:
    """Give each cell a colour: `(T, S)` booleans become `(T, S, 3)`."""
    from matplotlib.colors import to_rgb

    return np.where(np.asarray(mask, dtype=bool)[:, :, None], to_rgb(BLUE), to_rgb("#EEEEEE"))


@in_course_style
def positional_codes(codes: np.ndarray, *, title: str = "") -> Picture:
    """Show positional codes as a map, and how the dot product of two codes depends on their distance.

    Args:
        codes: `(T, D)` floats, the code of one position in each row.
        title: what to see.

    Returns:
        The picture: the map on the left, dot products on the right.

    Raises:
        ValueError: if `codes` does not have two axes.

    Example:
        >>> angles = np.arange(8.0)
        >>> positional_codes(np.stack([np.sin(angles), np.cos(angles)], axis=1)).alt.split(". ")[0]
        'Codes of 8 positions with 2 columns'
    """
    codes = require_shape("codes", codes, "T", "D").astype(np.float64)
    length, width = codes.shape
    figure = new_figure(11.0, 4.4)
    left, right = figure.subplots(1, 2, width_ratios=(1.25, 1))
    image = left.imshow(codes, cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto", interpolation="nearest")
    left.set(xlabel="column", ylabel="position", title="One row for each position")
    left.grid(visible=False)
    bar = figure.colorbar(image, ax=left, pad=0.02, aspect=24)
    bar.outline.set_visible(False)
    products = codes @ codes.T  # (T, T)
    curves = zip((0, length // 3, 2 * length // 3), (7.0, 4.0, 1.6), PALETTE, strict=False)
    for place, line, colour in curves:  # the lines lie on one another, so each is thinner than the one below it
        style: dict[str, Any] = {"color": colour, "linewidth": line, "label": f"position {place}"}
        right.plot(np.arange(length) - place, products[place], **style)
    right.set(xlabel="distance to the other position", ylabel="dot product", title="Only the distance counts")
    right.legend(loc="upper right")
    if title:
        write_headline(figure, title)
    own, far = products[0, 0], products[0, -1]
    return Picture(
        figure,
        f"Codes of {length} positions with {width} columns. From left to right the columns change ever more slowly "
        f"with the position. The dot product of two codes is {rounded(own)} at distance 0 and {rounded(far)} at "
        f"distance {length - 1}, whatever the position: the curves of three positions lie on one another.",
    )


@in_course_style
def relative_cost(lengths: Sequence[int], costs: np.ndarray, *, title: str = "") -> Picture:
    """Show measured cost against the number of positions, beside lines that grow like T and like T squared.

    The text alternative names no measured number, since these differ from machine to machine.

    Args:
        lengths: L numbers of positions T, in rising order.
        costs: `(L,)` measured costs, such as seconds; only their ratio to the first is drawn.
        title: what to see.

    Returns:
        The picture, one panel with logarithmic axes.

    Raises:
        ValueError: if the shapes differ or a cost is not above 0.

    Example:
        >>> relative_cost([128, 256], np.array([0.1, 0.3])).alt
        'Measured cost of attention for T = 128, 256, relative to the first, beside lines that grow like T and T^2.'
    """
    costs = require_shape("costs", costs, len(lengths)).astype(np.float64)
    if not (costs > 0).all():
        raise ValueError(f"costs must be above 0. Received: costs={costs}")
    steps = np.asarray(lengths, dtype=np.float64) / lengths[0]
    figure, axes = new_axes(8.4, 4.4)
    for power, words in ((1, "like T"), (2, "like T²")):
        axes.plot(lengths, steps**power, color=PALE, linestyle=(0, (4, 2)), linewidth=1.8)
        style: dict[str, Any] = {"xytext": (8, 0), "textcoords": "offset points", "va": "center", "color": GREY}
        axes.annotate(words, (lengths[-1], steps[-1] ** power), annotation_clip=False, **style)
    axes.plot(lengths, costs / costs[0], "o-", color=BLUE, markersize=8, markeredgecolor="white")
    axes.set(xscale="log", yscale="log", xlabel="number of positions T", ylabel=f"cost relative to T = {lengths[0]}")
    axes.set_xticks(list(lengths), [str(length) for length in lengths])
    axes.minorticks_off()
    axes.yaxis.set_major_formatter(lambda value, _: rounded(value))
    write_title(figure, axes, title or "The cost of attention grows faster than the text")
    return Picture(
        figure,
        f"Measured cost of attention for T = {', '.join(str(length) for length in lengths)}, relative to the first, "
        "beside lines that grow like T and T^2.",
    )
