"""Exercise `max_pool2d_backward`: what a right answer must do, and typical wrong ones."""

import numpy as np

from llmcourse.checking import accepted, criterion, expect_close, expect_shape, expect_unchanged, mutants

from ..oracles import distinct_sizes


def gradient(upstream, x, size):
    grad = np.zeros(x.shape)
    for n, row, column, channel in np.ndindex(upstream.shape):
        square = x[n, row * size : (row + 1) * size, column * size : (column + 1) * size, channel]
        i, j = np.unravel_index(square.argmax(), square.shape)
        grad[n, row * size + i, column * size + j, channel] = upstream[n, row, column, channel]
    return grad


def draw(rng, size, rest=0):
    n, channels, rows, columns = distinct_sizes(rng, 4, low=2, high=7)
    x = rng.normal(size=(n, rows * size + rest, columns * size + rest, channels)) + rng.choice([0.0, -5.0])
    return rng.normal(size=(n, rows, columns, channels)), x


@criterion(
    points=2,
    hints=[
        "Which of the four values of a square does the result depend on?",
        "Only on the largest. It gets the whole gradient of its square, and the other three get 0.",
        "Repeat the pooled values over their squares, and compare with x: True where the largest stands.",
    ],
)
def the_largest_of_each_square_gets_the_gradient(student, rng):
    """In each square and channel, the place of the largest value gets the gradient, all others get 0."""
    for size in (2, 3):
        upstream, x = draw(rng, size)
        received = student.max_pool2d_backward(upstream, x, size)
        expect_shape(received, x.shape, what=f"max_pool2d_backward(upstream, x, {size})")
        expect_close(received, gradient(upstream, x, size), what=f"max_pool2d_backward(upstream, x, {size})")


@criterion(
    hints=[
        "Which shape has the result if x has 7 rows and size is 2?",
        "The shape of x: the seventh row took part in nothing, and its gradient is 0.",
        "Begin with `np.zeros(x.shape)` and fill only the rows and columns that belong to a square.",
    ],
)
def what_was_dropped_gets_zero(student, rng):
    """Rows and columns that fill no square get the gradient 0; the result has the shape of x."""
    size = int(rng.integers(3, 5))
    upstream, x = draw(rng, size, rest=int(rng.integers(1, size)))
    received = student.max_pool2d_backward(upstream, x, size)
    expect_close(received, gradient(upstream, x, size), what=f"max_pool2d_backward with leftover rows, size {size}")


@criterion(hints=["Do you write into x or upstream?", "Make a new array for the result."])
def one_image_works_and_the_inputs_stay(student, rng):
    """A single image works, squares of one pixel hand everything on, and the inputs stay as they are."""
    for size in (1, 2):
        upstream, x = draw(rng, size)
        received = student.max_pool2d_backward(upstream[:1], x[:1], size)
        expect_unchanged(student)
        expect_close(received, gradient(upstream[:1], x[:1], size), what=f"the gradient of one image, size {size}")


# --- typical wrong answers, each with the criterion that must catch it ------------------------------------------------

BACK = """
def max_pool2d_backward(upstream, x, size):
    pooled = steps.max_pool2d(x, size)
    rows, columns = pooled.shape[1] * size, pooled.shape[2] * size
    largest = pooled.repeat(size, axis=1).repeat(size, axis=2)
    shares = upstream.repeat(size, axis=1).repeat(size, axis=2)
    grad = np.zeros(x.shape)
    grad[:, :rows, :columns] = shares * (x[:, :rows, :columns] == largest)
    return grad
"""
mutants(BACK, "*", [("imports the answer", BACK, "from llmcourse.steps.cnn import max_pool2d_backward")])
mutants(
    BACK,
    "the_largest_of_each_square_gets_the_gradient",
    [
        ("everybody gets it", " * (x[:, :rows, :columns] == largest)", ""),
        ("shared out evenly", " * (x[:, :rows, :columns] == largest)", " / size**2"),
        ("times the value", "== largest)", "== largest) * largest"),
        ("where x is positive, as for ReLU", "== largest)", "== largest) * (largest > 0)"),
        (
            "tiles instead of repeating",
            "upstream.repeat(size, axis=1).repeat(size, axis=2)",
            "np.tile(upstream, (1, size, size, 1))",
        ),
        ("the largest over all channels", "pooled.repeat", "pooled.max(axis=3, keepdims=True).repeat"),
        ("the smallest", "steps.max_pool2d(x, size)", "-steps.max_pool2d(-x, size)"),
        ("the shape of the result", "return grad", "return upstream"),
    ],
)
mutants(
    BACK,
    "what_was_dropped_gets_zero",
    [
        ("the shape without the leftover rows", "return grad", "return grad[:, :rows, :columns]"),
        ("ones where nothing was pooled", "np.zeros(x.shape)", "np.ones(x.shape)"),
    ],
)
mutants(
    BACK,
    "one_image_works_and_the_inputs_stay",
    [
        ("writes into x", "grad = np.zeros(x.shape)", "grad, x = x, x.copy()\n    grad[:] = 0"),
        ("drops the axis of a single image", "return grad", "return np.squeeze(grad)"),
    ],
)

# --- right answers written otherwise ----------------------------------------------------------------------------------

accepted(
    "loops and argmax",
    """
def max_pool2d_backward(upstream, x, size):
    grad = np.zeros_like(x)
    for n in range(upstream.shape[0]):
        for r in range(upstream.shape[1]):
            for c in range(upstream.shape[2]):
                for d in range(upstream.shape[3]):
                    square = x[n, r * size : (r + 1) * size, c * size : (c + 1) * size, d]
                    i, j = divmod(int(np.argmax(square)), size)
                    grad[n, r * size + i, c * size + j, d] += upstream[n, r, c, d]
    return grad
""",
)
accepted(
    "squares on axes of their own",
    """
def max_pool2d_backward(upstream, x, size):
    n, rows, columns, channels = upstream.shape
    grad = np.zeros(x.shape)
    squares = x[:, : rows * size, : columns * size].reshape(n, rows, size, columns, size, channels)
    top = squares == squares.max(axis=(2, 4), keepdims=True)
    shares = np.where(top, upstream[:, :, None, :, None, :], 0)
    grad[:, : rows * size, : columns * size] = shares.reshape(n, rows * size, columns * size, channels)
    return grad
""",
)
accepted(
    "one place of the square after the other",
    """
def max_pool2d_backward(upstream, x, size):
    pooled, grad = steps.max_pool2d(x, size), x * 0
    height, width = pooled.shape[1] * size, pooled.shape[2] * size
    for i in range(size):
        for j in range(size):
            here = x[:, i:height:size, j:width:size]
            grad[:, i:height:size, j:width:size] = upstream * (here >= pooled)
    return grad
""",
)
