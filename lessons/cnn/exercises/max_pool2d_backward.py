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


def draw(rng, size, down=0, right=0, shift=0.0):
    n, channels, rows, columns = distinct_sizes(rng, 4, low=2, high=7)
    x = rng.normal(size=(n, rows * size + down, columns * size + right, channels)) + shift
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
    for size, shift, factor in ((2, 0.0, 1.0), (3, -5.0, 1.0), (2, -1e4, 100.0), (4, 50.0, 1.0)):
        upstream, x = draw(rng, size, shift=shift)
        upstream = factor * upstream
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
    more = rng.integers(1, size, size=2)
    for down, right in (more, (more[0], 0), (0, more[1])):
        upstream, x = draw(rng, size, int(down), int(right))
        x[:, x.shape[1] - down :] += 100.0  # they would win, if anybody asked them
        x[:, :, x.shape[2] - right :] += 100.0
        received = student.max_pool2d_backward(upstream, x, size)
        what = f"max_pool2d_backward(upstream, x, {size}) for images of {x.shape[1]} by {x.shape[2]}"
        expect_close(received, gradient(upstream, x, size), what=what)


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
accepted(
    "one index for each square, and put_along_axis",
    """
def max_pool2d_backward(upstream, x, size):
    n, rows, columns, channels = upstream.shape
    squares = x[:, : rows * size, : columns * size].reshape(n, rows, size, columns, size, channels)
    squares = squares.transpose(0, 1, 3, 5, 2, 4).reshape(n, rows, columns, channels, size * size)
    grad = np.zeros(squares.shape)
    np.put_along_axis(grad, squares.argmax(axis=-1)[..., None], upstream[..., None], axis=-1)
    grad = grad.reshape(n, rows, columns, channels, size, size).transpose(0, 1, 4, 2, 5, 3)
    grad = grad.reshape(n, rows * size, columns * size, channels)
    return np.pad(grad, [(0, 0), (0, x.shape[1] - rows * size), (0, x.shape[2] - columns * size), (0, 0)])
""",
)
mutants(
    BACK,
    "the_largest_of_each_square_gets_the_gradient",
    [
        ("small gradients only", "    grad = np.zeros", "    shares = np.clip(shares, -10, 10)\n    grad = np.zeros"),
        ("divided by the number of pixels", "    return grad", "    return grad / size**2"),
        ("the mean over the images", "    return grad", "    return grad / len(x)"),
        ("a 0 wins over negative values", "steps.max_pool2d(x, size)", "np.maximum(steps.max_pool2d(x, size), 0)"),
    ],
)
mutants(
    BACK,
    "what_was_dropped_gets_zero",
    [
        (
            "the leftover rows at the top",
            "grad[:, :rows, :columns] = shares",
            "grad[:, x.shape[1] - rows :, x.shape[2] - columns :] = shares",
        )
    ],
)
mutants(
    BACK,
    "one_image_works_and_the_inputs_stay",
    [("scales the upstream gradient in place", "    pooled = steps", "    upstream *= 1 + 1e-9\n    pooled = steps")],
)
