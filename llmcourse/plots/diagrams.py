"""Drawn diagrams: one neuron and its layer, and the computation graph of a two-layer network.

Positions are in inches from the lower left corner of the figure, as in drawing.py.
"""

from typing import TYPE_CHECKING

from llmcourse.plots.drawing import BACKWARD, OPERATION, PARAMETER, VALUE, Point, arrow, box, heading, sheet
from llmcourse.plots.picture import BLUE, GREEN, GREY, PATCH, VERMILLION, Picture, darker, in_course_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["mlp_graph", "neuron"]


@in_course_style
def mlp_graph() -> Picture:
    """Draw the computation graph of a two-layer perceptron, with every shape and the deltas flowing back.

    The upper half is the forward pass. The lower half is the chain rule as a recursion: each delta is the derivative of
    the loss with respect to a z, and is made from the delta of the layer after it (Rumelhart, Hinton, Williams, 1986).

    Returns:
        The picture, without axes.
    """
    figure, axes = sheet(11.0, 5.5)
    _forward(axes, row=3.55, above=4.58)
    _backward(axes, row=2.05, below=0.72)
    return Picture(
        figure,
        "Computation graph of a two-layer network. "
        "Forward: x (N, D), affine with W1 (D, U) and b1 (U,), z1 (N, U), ReLU, a1 (N, U), affine with W2 (U, C) and "
        "b2 (C,), logits z2 (N, C), softmax cross-entropy with labels (N,), loss (scalar). "
        "Backward: delta2 = (softmax(z2) - Y) / N (N, C), then delta1 = (delta2 W2^T) * relu'(z1) (N, U); gradients "
        "dW2 = a1^T delta2 (U, C), db2 = column sums of delta2 (C,), dW1 = x^T delta1 (D, U), "
        "db1 = column sums of delta1 (U,).",
    )


def _forward(axes: "Axes", row: float, above: float) -> None:
    """Draw values and operations in one row, labels and parameters above it."""
    heading(axes, (0.29, 5.2), "Forward pass", "from left to right: each box is computed from those before it", BLUE)
    for x, name, shape in (
        (0.72, "$x$", "(N, D)"),
        (3.12, "$z_1$", "(N, U)"),
        (5.2, "$a_1$", "(N, U)"),
        (7.52, "logits $z_2$", "(N, C)"),
        (10.38, "loss", "scalar"),
    ):
        box(axes, (x, row), 0.86, 0.66, name, shape, fill=VALUE, edge=BLUE)
    for x, width, name, formula in (
        (1.95, 0.8, "affine", "$x\\,W_1 + b_1$"),
        (4.16, 0.7, "ReLU", r"$\max(z_1, 0)$"),
        (6.36, 0.8, "affine", "$a_1 W_2 + b_2$"),
        (9.02, 1.22, "softmax\ncross-entropy", "mean over N"),
    ):
        box(axes, (x, row), width, 0.5, name, fill=OPERATION, edge=GREY, size=10)
        axes.text(x, row - 0.4, formula, ha="center", va="center", fontsize=9.5, color=GREY)
    for left, right in ((1.15, 1.55), (2.35, 2.69), (3.55, 3.81), (4.51, 4.77), (5.63, 5.96), (6.76, 7.09)):
        arrow(axes, (left, row), (right, row), BLUE)
    arrow(axes, (7.95, row), (8.41, row), BLUE)
    arrow(axes, (9.63, row), (9.95, row), BLUE)
    for x, layer, shapes in ((1.95, 1, ("(D, U)", "(U,)")), (6.36, 2, ("(U, C)", "(C,)"))):
        for side, letter, shape in ((-0.48, "W", shapes[0]), (0.48, "b", shapes[1])):
            box(axes, (x + side, above), 0.86, 0.58, f"${letter}_{layer}$", shape, fill=PARAMETER, edge=GREEN)
            arrow(axes, (x + side * 0.6, above - 0.29), (x + side * 0.35, row + 0.25), GREEN)
    box(axes, (9.02, above), 0.96, 0.58, "labels", "(N,)", fill=VALUE, edge=BLUE)
    arrow(axes, (9.02, above - 0.29), (9.02, row + 0.25), BLUE)


def _backward(axes: "Axes", row: float, below: float) -> None:
    """Draw the deltas in one row, the gradients below it, and what both take over from the forward pass."""
    heading(axes, (0.88, row + 0.62), "Backward pass", "from right to left", VERMILLION, stacked=True)
    delta = r"$\delta_2 = (\mathrm{softmax}(z_2) - Y)\,/\,N$"
    box(axes, (8.25, row), 2.5, 0.66, delta, "(N, C)", fill=BACKWARD, edge=VERMILLION)
    delta = r"$\delta_1 = (\delta_2\,W_2^{\mathrm{T}}) \odot \mathrm{relu}^{\prime}(z_1)$"
    box(axes, (3.72, row), 2.5, 0.66, delta, "(N, U)", fill=BACKWARD, edge=VERMILLION)
    for x, layer, before, shapes in ((2.6, 1, "x", ("(D, U)", "(U,)")), (7.25, 2, "a_1", ("(U, C)", "(C,)"))):
        weight = rf"$\mathrm{{d}}W_{layer} = {before}^{{\mathrm{{T}}}}\,\delta_{layer}$   {shapes[0]}"
        bias = rf"$\mathrm{{d}}b_{layer}$ = column sums of $\delta_{layer}$   {shapes[1]}"
        box(axes, (x, below), 3.1, 0.84, weight, bias, fill=BACKWARD, edge=VERMILLION, below_size=11.5)
    arrow(axes, (10.38, 3.22), (9.5, row), VERMILLION, bend=True)
    arrow(axes, (7.0, row), (4.97, row), VERMILLION)
    axes.text(
        6.1, row + 0.15, "through $W_2$ and ReLU", ha="center", va="center", fontsize=9.5, color=darker(VERMILLION)
    )
    for x in (3.12, 7.52):
        arrow(axes, (x, row - 0.33), (x, below + 0.42), VERMILLION)
        arrow(axes, (x, 3.22), (x, row + 0.33), GREY, dashed=True)
    arrow(axes, (0.72, 3.22), (1.05, below), GREY, bend=True, dashed=True)
    arrow(axes, (5.2, 3.22), (5.7, below), GREY, bend=True, dashed=True)
    notes = "$Y$: the labels as rows\nof 0 and 1, (N, C)\ndashed: kept from\nthe forward pass"
    axes.text(9.1, below, notes, va="center", fontsize=9.5, color=GREY, linespacing=1.45)


@in_course_style
def neuron() -> Picture:
    """Draw one neuron, and below it a whole layer of them as a matrix product with its shapes.

    The highlighted row, column and cell are the one neuron above, so the two halves say the same.

    Returns:
        The picture, without axes.
    """
    figure, axes = sheet(10.0, 5.4)
    heading(axes, (0.3, 5.1), "One neuron", "weighs its inputs, adds a bias and applies an activation function", BLUE)
    _one_neuron(axes, middle=3.72)
    heading(
        axes,
        (0.3, 2.42),
        "A layer of U neurons",
        "does this for N samples at once; orange: one neuron and one sample",
        VERMILLION,
    )
    _whole_layer(axes, middle=1.28)
    return Picture(
        figure,
        "One neuron: the inputs x1, x2 and x3 are multiplied by the weights w1, w2 and w3, summed with the bias b to "
        "z, and the activation function g makes the output a = g(z). "
        "A layer does this for N samples and U neurons at once: x @ W + b = z with the shapes "
        "(N, D) @ (D, U) + (U,) -> (N, U); one row of x, one column of W and one entry of b make one cell of z.",
    )


def _one_neuron(axes: "Axes", middle: float) -> None:
    for number, y in ((1, middle + 0.8), (2, middle), (3, middle - 0.8)):
        box(axes, (1.0, y), 0.6, 0.5, f"$x_{number}$", fill=VALUE, edge=BLUE, size=13)
        arrow(axes, (1.3, y), (3.42, middle + 0.22 * (y - middle)), GREEN)
        at = (2.0, y - 0.33 * 0.78 * (y - middle))
        axes.text(
            *at,
            f"$w_{number}$",
            ha="center",
            va="center",
            fontsize=13,
            color=darker(GREEN),
            bbox=PATCH | {"pad": 3, "alpha": 1},
        )
    box(axes, (3.8, middle), 0.76, 0.62, r"$\sum$", fill=OPERATION, edge=GREY, size=13)
    box(axes, (3.8, middle + 0.88), 0.6, 0.42, "$b$", fill=PARAMETER, edge=GREEN, size=13)
    arrow(axes, (3.8, middle + 0.67), (3.8, middle + 0.31), GREEN)
    arrow(axes, (4.18, middle), (5.75, middle), BLUE)
    axes.text(4.95, middle + 0.17, "$z$", ha="center", va="center", fontsize=13, color=darker(BLUE))
    axes.text(3.3, middle - 0.62, "$z = x_1 w_1 + x_2 w_2 + x_3 w_3 + b$", va="center", fontsize=12)
    box(axes, (6.45, middle), 1.4, 0.62, "activation $g$", fill=OPERATION, edge=GREY)
    axes.text(6.45, middle - 0.62, "such as ReLU", ha="center", va="center", fontsize=10, color=GREY)
    arrow(axes, (7.15, middle), (8.0, middle), BLUE)
    box(axes, (8.6, middle), 1.2, 0.62, "$a = g(z)$", fill=VALUE, edge=BLUE, size=13)


def _whole_layer(axes: "Axes", middle: float) -> None:
    """Draw x @ W + b = z as grids of cells for N = 4, D = 3, U = 5 and highlight what makes one cell of z."""
    row, column = 1, 3
    grids = (
        (1.2, "$x$", "(N, D)", (4, 3), [(row, index) for index in range(3)]),
        (3.3, "$W$", "(D, U)", (3, 5), [(index, column) for index in range(3)]),
        (5.6, "$b$", "(U,)", (1, 5), [(0, column)]),
        (8.1, "$z$", "(N, U)", (4, 5), [(row, column)]),
    )
    for x, name, shape, size, lit in grids:
        _cells(axes, (x, middle), size, lit, fill=PARAMETER if name in {"$W$", "$b$"} else VALUE)
        axes.text(x, middle + 0.75, name, ha="center", va="center", fontsize=13)
        axes.text(x, 0.3, shape, ha="center", va="center", fontsize=12, family="DejaVu Sans Mono")
    for x, sign, code in ((2.15, r"$\times$", "@"), (4.45, "$+$", "+"), (6.85, "$=$", "->")):
        axes.text(x, middle, sign, ha="center", va="center", fontsize=15)
        axes.text(x, 0.3, code, ha="center", va="center", fontsize=12, family="DejaVu Sans Mono")


def _cells(axes: "Axes", centre: Point, size: tuple[int, int], lit: list[tuple[int, int]], *, fill: str) -> None:
    from matplotlib.patches import Rectangle

    side, (rows, columns) = 0.27, size
    left, top = centre[0] - columns * side / 2, centre[1] + rows * side / 2
    for place in range(rows * columns):
        row, column = divmod(place, columns)
        colour = VERMILLION if (row, column) in lit else fill
        corner = (left + column * side, top - (row + 1) * side)
        axes.add_patch(Rectangle(corner, side, side, facecolor=colour, edgecolor="white", linewidth=1.5))
