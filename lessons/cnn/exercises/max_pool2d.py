"""Exercise `max_pool2d`: what a right answer must do, and typical wrong ones."""

import numpy as np

from llmcourse.checking import accepted, criterion, expect_close, expect_shape, expect_unchanged, mutant, mutants

from ..oracles import distinct_sizes


def pool(x, size):
    count, height, width, channels = x.shape
    result = np.zeros((count, height // size, width // size, channels))
    for row in range(height // size):
        for column in range(width // size):
            square = x[:, row * size : (row + 1) * size, column * size : (column + 1) * size]
            result[:, row, column] = square.max(axis=(1, 2))
    return result


@criterion(
    hints=[
        "How many squares of 2 by 2 fit into 6 by 8 pixels without overlapping?",
        "height // size rows of squares and width // size columns; N and the channels stay.",
        "`x.reshape(N, rows, size, columns, size, channels)` gives every square two axes of its own.",
    ],
)
def each_square_becomes_one_value(student, rng):
    """For sizes that fit, the result has the shape (N, height/size, width/size, channels)."""
    size = int(rng.integers(2, 5))
    n, channels, rows, columns = distinct_sizes(rng, 4)
    x = rng.normal(size=(n, rows * size, columns * size, channels))
    what = f"max_pool2d(x, {size}) for images of {rows * size} by {columns * size}"
    expect_shape(student.max_pool2d(x, size), (n, rows, columns, channels), what=what)


@criterion(
    points=2,
    hints=[
        "What is the largest value of the square at the top left, in the first channel?",
        "Take the maximum over the two axes that lie inside a square, and over no other.",
        "After the reshape to (N, rows, size, columns, size, channels): `.max(axis=(2, 4))`.",
    ],
)
def it_is_the_largest_value_of_the_square_in_each_channel(student, rng):
    """Each value is the largest of its square, separately for each image and channel, also where all are negative."""
    for size in (2, 3):
        n, channels, rows, columns = distinct_sizes(rng, 4, low=2, high=7)
        for shift in (0.0, -9.0, -1e6):
            x = rng.normal(size=(n, rows * size, columns * size, channels)) + shift
            expect_close(student.max_pool2d(x, size), pool(x, size), what=f"max_pool2d(x, {size})")


@criterion(
    hints=[
        "What does your code do with 7 rows and size 2?",
        "Three squares fit; the last row fills none and is dropped. The same for columns.",
        "First cut: `x[:, : rows * size, : columns * size]`.",
    ],
)
def leftover_rows_and_columns_are_dropped(student, rng):
    """Rows at the bottom and columns at the right that fill no square are left out."""
    for size in (2, 3, 4):
        n, channels, rows, columns = distinct_sizes(rng, 4, low=2, high=6)
        more = rng.integers(1, size, size=2)
        for down, right in (more, (more[0], 0), (0, more[1])):
            x = rng.normal(size=(n, rows * size + int(down), columns * size + int(right), channels))
            x[:, rows * size :] += 100.0
            x[:, :, columns * size :] += 100.0
            what = f"max_pool2d(x, {size}) for images of {x.shape[1]} by {x.shape[2]}"
            expect_close(student.max_pool2d(x, size), pool(x, size), what=what)


@criterion(
    hints=[
        "Does your code write into x, or count on more than one image or channel?",
        "Build a new array; keep axes of length 1; and size 1 changes nothing at all.",
    ],
)
def one_image_works_and_x_stays(student, rng):
    """One image with one channel keeps both axes, size 1 gives the image back, and x is not changed."""
    height, width = distinct_sizes(rng, 2, low=4, high=9)
    x = rng.normal(size=(1, height, width, 1))
    for size in (1, 2):
        received = student.max_pool2d(x, size)
        expect_unchanged(student)
        expect_close(received, pool(x, size), what=f"max_pool2d(x, {size})")


# --- typical wrong answers, each with the criterion that must catch it ------------------------------------------------

POOL = """
def max_pool2d(x, size):
    count, height, width, channels = x.shape
    rows, columns = height // size, width // size
    x = x[:, : rows * size, : columns * size]
    return x.reshape(count, rows, size, columns, size, channels).max(axis=(2, 4))
"""
CUT = "    x = x[:, : rows * size, : columns * size]\n"
OVERLAP = """
def max_pool2d(x, size):
    rows, columns = x.shape[1] - size + 1, x.shape[2] - size + 1
    return np.stack([x[:, i : i + rows, j : j + columns] for i in range(size) for j in range(size)]).max(axis=0)
"""
IN_PLACE = """
def max_pool2d(x, size):
    rows, columns = x.shape[1] // size, x.shape[2] // size
    result = x[:, : rows * size : size, : columns * size : size]
    for i in range(size):
        for j in range(size):
            np.maximum(result, x[:, i : rows * size : size, j : columns * size : size], out=result)
    return result
"""
mutants(POOL, "*", [("imports the answer", POOL, "from llmcourse.steps.cnn import max_pool2d")])
mutant(fails="each_square_becomes_one_value", why="squares that overlap", source=OVERLAP)
mutant(fails="one_image_works_and_x_stays", why="collects the largest in x itself", source=IN_PLACE)
mutants(
    POOL,
    "each_square_becomes_one_value",
    [
        ("one value for the whole image", "axis=(2, 4)", "axis=(1, 2, 3, 4)"),
        ("the largest channel too", "axis=(2, 4)", "axis=(2, 4, 5)"),
        ("rows only", "axis=(2, 4))", "axis=2).reshape(count, rows, width, channels)"),
        ("always squares of 2 by 2", "    rows, columns", "    size = 2\n    rows, columns"),
        ("keeps the axes of the square", "axis=(2, 4)", "axis=(2, 4), keepdims=True"),
    ],
)
mutants(
    POOL,
    "it_is_the_largest_value_of_the_square_in_each_channel",
    [
        ("the mean", ".max(axis", ".mean(axis"),
        ("the sum", ".max(axis", ".sum(axis"),
        (
            "the first value, without looking at the others",
            "x.reshape(count, rows, size, columns, size, channels).max(axis=(2, 4))",
            "x[:, ::size, ::size]",
        ),
        ("the largest size, whatever the sign", "return x.reshape", "return np.abs(x).reshape"),
        ("a maximum that begins at 0", "axis=(2, 4)", "axis=(2, 4), initial=0"),
        (
            "squares of rows that are far apart",
            "rows, size, columns, size, channels).max(axis=(2, 4))",
            "size, rows, size, columns, channels).max(axis=(1, 3))",
        ),
        ("the same value in all channels", "axis=(2, 4))", "axis=(2, 4, 5))[..., None] * np.ones(channels)"),
        ("the largest of all images", "axis=(2, 4))", "axis=(0, 2, 4))[None] * np.ones((count, 1, 1, 1))"),
    ],
)
mutants(
    POOL,
    "leftover_rows_and_columns_are_dropped",
    [
        ("counts on sizes that fit", CUT, ""),
        ("drops at the top and at the left", CUT, "    x = x[:, height - rows * size :, width - columns * size :]\n"),
        (
            "pads with zeros and keeps the rest",
            "    rows, columns = height // size, width // size\n" + CUT,
            "    rows, columns = -(-height // size), -(-width // size)\n"
            "    x = np.pad(x, [(0, 0), (0, rows * size - height), (0, columns * size - width), (0, 0)])\n",
        ),
        ("drops leftover rows and not columns", ", : columns * size]", "]"),
    ],
)
mutants(
    POOL,
    "one_image_works_and_x_stays",
    [("drops axes of length 1", "axis=(2, 4))", "axis=(2, 4)).squeeze()")],
)

# --- right answers written otherwise ----------------------------------------------------------------------------------

accepted(
    "the largest of shifted slices",
    """
def max_pool2d(x, size):
    h, w = x.shape[1] // size * size, x.shape[2] // size * size
    parts = [x[:, i:h:size, j:w:size] for i in range(size) for j in range(size)]
    return np.maximum.reduce(parts)
""",
)
accepted(
    "loops over the squares",
    """
def max_pool2d(x, size):
    n, h, w, c = x.shape
    out = np.full((n, h // size, w // size, c), -np.inf)
    for r in range(h // size):
        for k in range(w // size):
            out[:, r, k] = np.amax(x[:, r * size : r * size + size, k * size : k * size + size], axis=(1, 2))
    return out
""",
)
accepted(
    "first the rows, then the columns",
    """
def max_pool2d(x, size):
    rows, columns = divmod(x.shape[1], size)[0], divmod(x.shape[2], size)[0]
    x = np.stack([x[:, i : rows * size : size] for i in range(size)]).max(0)
    return np.stack([x[:, :, j : columns * size : size] for j in range(size)]).max(0)
""",
)
accepted(
    "windows as a view, every size-th of them",
    """
def max_pool2d(x, size):
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(1, 2))
    return windows[:, ::size, ::size].max(axis=(-2, -1))
""",
)
accepted(
    "edges where the squares begin",
    """
def max_pool2d(x, size):
    height, width = x.shape[1] - x.shape[1] % size, x.shape[2] - x.shape[2] % size
    rows = np.maximum.reduceat(x[:, :height, :width], np.arange(0, height, size), axis=1)
    return np.maximum.reduceat(rows, np.arange(0, width, size), axis=2).astype(np.float32)
""",
)
mutants(
    POOL,
    "it_is_the_largest_value_of_the_square_in_each_channel",
    [("a maximum that begins at -1000", "axis=(2, 4)", "axis=(2, 4), initial=-1000")],
)
mutants(
    POOL,
    "leftover_rows_and_columns_are_dropped",
    [
        (
            "cuts the rows only where the columns do not fit, too",
            CUT,
            "    x = x[:, : rows * size, : columns * size] if width % size else x\n",
        ),
        (
            "cuts in two steps and forgets one",
            CUT,
            "    x = x[:, : rows * size] if height % size else x\n",
        ),
    ],
)
mutants(
    POOL,
    "one_image_works_and_x_stays",
    [
        ("sorts the pixels in place", "    x = x[:, : rows", "    x.sort(axis=1)\n    x = x[:, : rows"),
        ("halves for size 1", "    rows, columns", "    size = max(size, 2)\n    rows, columns"),
    ],
)
