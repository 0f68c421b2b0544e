"""Exercise `conv2d`: what a right answer must do, and typical wrong ones."""

import numpy as np

from llmcourse.checking import accepted, criterion, expect_close, expect_shape, expect_unchanged, mutants

from ..oracles import distinct_sizes


def convolve(x, kernel, stride, padding):
    """Compute a convolution as the definition says: for each output, the sum over a window."""
    (count, *sizes, _), (kh, kw, _, filters) = x.shape, kernel.shape
    out, start = [], []
    for size, length in zip(sizes, (kh, kw), strict=True):
        if padding == "same":
            out.append(-(-size // stride))
            start.append(-(max((out[-1] - 1) * stride + length - size, 0) // 2))
        else:
            out.append((size - length) // stride + 1)
            start.append(0)
    result = np.zeros((count, *out, filters))
    for row in range(out[0]):
        for column in range(out[1]):
            for i in range(kh):
                for j in range(kw):
                    y, z = start[0] + row * stride + i, start[1] + column * stride + j
                    if 0 <= y < sizes[0] and 0 <= z < sizes[1]:
                        result[:, row, column] += x[:, y, z] @ kernel[i, j]
    return result


def draw_convolution(rng, kernel_sizes, low=7, high=12):
    n, channels, filters = distinct_sizes(rng, 3, low=2, high=6)
    height, width = distinct_sizes(rng, 2, low=low, high=high)
    return rng.normal(size=(n, height, width, channels)), rng.normal(size=(*kernel_sizes, channels, filters))


def words_for(kernel, stride, padding):
    return f'conv2d with a kernel of {kernel.shape[0]} by {kernel.shape[1]}, stride {stride}, "{padding}"'


@criterion(
    hints=[
        "A window of 3 slides over 7 pixels: how many places are there?",
        "There are (height - kh) // stride + 1 places from top to bottom, and as many results; likewise for the width.",
        "Begin with `result = np.zeros((N, rows, columns, F))` and fill it.",
    ],
)
def the_result_has_one_value_for_each_window_and_filter(student, rng):
    """For "valid" the result has the shape (N, (height-kh)//stride + 1, (width-kw)//stride + 1, F)."""
    for stride in (1, 2, 3):
        kh, kw = distinct_sizes(rng, 2, low=2, high=5)
        x, kernel = draw_convolution(rng, (kh, kw))
        shape = (len(x), (x.shape[1] - kh) // stride + 1, (x.shape[2] - kw) // stride + 1, kernel.shape[3])
        expect_shape(student.conv2d(x, kernel, stride, "valid"), shape, what=words_for(kernel, stride, "valid"))


@criterion(
    points=2,
    hints=[
        "Take one image, one channel and one filter: what is the value at the top left?",
        "Multiply what lies under the window by the kernel entry by entry; add up over rows, columns and channels.",
        "For each place (i, j) of the kernel: `x[:, i:i+rows, j:j+columns] @ kernel[i, j]` has shape "
        "(N, rows, columns, F). Add these up.",
    ],
)
def each_value_is_the_sum_of_products_under_the_window(student, rng):
    """With stride 1 and "valid", each value is the sum of window times kernel over rows, columns and channels."""
    kernel_sizes = distinct_sizes(rng, 2, low=2, high=5)
    equal_sizes = (rng.normal(size=(2, 5, 5, 3)), rng.normal(size=(3, 3, 3, 3)))  # no shape gives a mistake away
    large = tuple(100 * each for each in draw_convolution(rng, kernel_sizes))
    for x, kernel in (draw_convolution(rng, kernel_sizes), equal_sizes, large):
        expected = convolve(x, kernel, 1, "valid")
        expect_close(student.conv2d(x, kernel, 1, "valid"), expected, what=words_for(kernel, 1, "valid"))


@criterion(
    hints=[
        "Which stride and which padding does your function take if nothing is said?",
        'The first line of the function says it: `stride=1, padding="valid"`. Leave it as it was.',
    ],
)
def stride_and_padding_may_be_left_out(student, rng):
    """Where nothing is said the stride is 1 and the padding "valid"; both can also be given by name."""
    x, kernel = draw_convolution(rng, distinct_sizes(rng, 2, low=2, high=5))
    for stride, padding, options in (
        (1, "valid", {}),
        (2, "valid", {"stride": 2}),
        (1, "same", {"padding": "same"}),
    ):
        received = student.conv2d(x, kernel, **options)
        given = ", ".join(["x", "kernel", *(f"{name}={value!r}" for name, value in options.items())])
        expect_close(received, convolve(x, kernel, stride, padding), what=f"conv2d({given})")


@criterion(
    hints=[
        "With stride 2, which row of the image does the second window begin in?",
        "Window number r begins in row r * stride. The size of the window stays the same.",
        "`x[:, i : i + (rows - 1) * stride + 1 : stride, ...]` takes every stride-th row, rows of them.",
    ],
)
def the_stride_moves_the_window_by_several_pixels(student, rng):
    """With a stride of 2 or more the window moves so many pixels each time, in both directions, also beyond its own size."""
    for stride in (2, 3, 5):
        x, kernel = draw_convolution(rng, distinct_sizes(rng, 2, low=2, high=5))
        expected = convolve(x, kernel, stride, "valid")
        expect_close(student.conv2d(x, kernel, stride, "valid"), expected, what=words_for(kernel, stride, "valid"))


@criterion(
    hints=[
        'How many zeros does a window of 3 need at each rim, so that "same" gives as many values as pixels?',
        "With stride 1 and an odd kernel: kh // 2 rows of zeros at the top and at the bottom, kw // 2 columns.",
        '`np.pad(x, [(0, 0), (top, bottom), (left, right), (0, 0)])` adds zeros; then go on as for "valid".',
    ],
)
def same_padding_keeps_the_size_for_odd_kernels(student, rng):
    """With "same", stride 1 and odd kernels, zeros are added around, and the result is as large as the image."""
    for kernel_sizes in ((3, 5), (5, 3), (1, 3)):
        x, kernel = draw_convolution(rng, kernel_sizes)
        expected = convolve(x, kernel, 1, "same")
        expect_close(student.conv2d(x, kernel, 1, "same"), expected, what=words_for(kernel, 1, "same"))


@criterion(
    hints=[
        "A kernel of 4 needs 3 rows of zeros in all. Where does the odd one go?",
        "total // 2 of them at the top and at the left, the rest, total - total // 2, at the bottom and at the right.",
    ],
)
def even_kernels_get_the_odd_zero_at_the_end(student, rng):
    """With "same" and even kernels, the row or column that is left over is added at the bottom or at the right."""
    for kernel_sizes in ((2, 4), (4, 2), (3, 2)):
        x, kernel = draw_convolution(rng, kernel_sizes)
        expected = convolve(x, kernel, 1, "same")
        expect_close(student.conv2d(x, kernel, 1, "same"), expected, what=words_for(kernel, 1, "same"))


@criterion(
    points=2,
    hints=[
        'With "same" and stride 2, how many values come from 7 pixels? And which pixel does the last window need?',
        "There are ceil(height / stride) windows. The last one ends at (rows - 1) * stride + kh; what is missing there "
        "is the number of zeros in all. It is never below 0.",
        "`rows = -(-height // stride)` rounds up, and `total = max((rows - 1) * stride + kh - height, 0)`.",
    ],
)
def same_padding_with_a_stride_adds_only_what_is_missing(student, rng):
    """With "same" and stride 2 or 3 the result has ceil(size / stride) rows, with only as many zeros as needed."""
    for stride in (2, 3):
        for kernel_sizes in ((3, 5), (4, 2), (1, 1)):
            for size in range(6, 6 + stride):  # every remainder of the size by the stride
                x = rng.normal(size=(2, size, size + 4, 3))
                kernel = rng.normal(size=(*kernel_sizes, 3, 2))
                received = student.conv2d(x, kernel, stride, "same")
                what = f"{words_for(kernel, stride, 'same')}, image {size} by {size + 4}"
                expect_close(received, convolve(x, kernel, stride, "same"), what=what)
    for height, width in ((1, 1), (2, 3)):  # images smaller than the kernel
        x, kernel = rng.normal(size=(2, height, width, 3)), rng.normal(size=(5, 4, 3, 2))
        for stride in (1, 2):
            received = student.conv2d(x, kernel, stride, "same")
            what = f"{words_for(kernel, stride, 'same')}, image {height} by {width}"
            expect_close(received, convolve(x, kernel, stride, "same"), what=what)


@criterion(
    hints=[
        "Does your code write into x or kernel? And what becomes of a batch of one image?",
        "Build a new array with np.zeros and add to that one. Do not drop axes of length 1.",
    ],
)
def one_image_works_and_the_inputs_stay(student, rng):
    """One image, one channel, one filter and one place keep their axes of length 1; x and kernel are not changed."""
    height, width = distinct_sizes(rng, 2, low=5, high=9)
    x, kernel = rng.normal(size=(1, height, width, 1)), rng.normal(size=(2, 3, 1, 1))
    for padding in ("valid", "same"):
        received = student.conv2d(x, kernel, 1, padding)
        expect_unchanged(student)
        expect_close(received, convolve(x, kernel, 1, padding), what=words_for(kernel, 1, padding))
    kernel = rng.normal(size=(height, width, 1, 3))
    what = "conv2d with a kernel as large as the image"
    expect_close(student.conv2d(x, kernel, 1, "valid"), convolve(x, kernel, 1, "valid"), what=what)


# --- typical wrong answers, each with the criterion that must catch it ------------------------------------------------

CONV = """
def conv2d(x, kernel, stride=1, padding="valid"):
    (count, height, width, _), (kh, kw, _, filters) = x.shape, kernel.shape
    if padding == "same":
        rows, columns = -(-height // stride), -(-width // stride)
        down = max((rows - 1) * stride + kh - height, 0)
        across = max((columns - 1) * stride + kw - width, 0)
        top, left = down // 2, across // 2
        x = np.pad(x, [(0, 0), (top, down - top), (left, across - left), (0, 0)])
    else:
        rows, columns = (height - kh) // stride + 1, (width - kw) // stride + 1
    result = np.zeros((count, rows, columns, filters))
    for i in range(kh):
        for j in range(kw):
            window = x[:, i : i + (rows - 1) * stride + 1 : stride, j : j + (columns - 1) * stride + 1 : stride]
            result += window @ kernel[i, j]
    return result
"""
WINDOW = "x[:, i : i + (rows - 1) * stride + 1 : stride, j : j + (columns - 1) * stride + 1 : stride]"
SIMPLE = "x[:, i : i + rows, j : j + columns]"
KERAS = """
def conv2d(x, kernel, stride=1, padding="valid"):
    import keras

    return np.asarray(keras.ops.conv(x, kernel, strides=stride, padding=padding))
"""
mutants(
    CONV,
    "*",
    [("imports the answer", CONV, "from llmcourse.steps.cnn import conv2d"), ("asks Keras", CONV, KERAS)],
)
mutants(
    CONV,
    "the_result_has_one_value_for_each_window_and_filter",
    [
        (
            "one window too few",
            "(height - kh) // stride + 1, (width - kw) // stride + 1",
            "(height - kh) // stride, (width - kw) // stride",
        ),
        ("rounds up, as if there were zeros", "(height - kh) // stride + 1,", "-(-height // stride),"),
        ("kh for both directions", "(width - kw)", "(width - kh)"),
        ("always as large as the image", 'if padding == "same":', "if True:"),
        ("one result for each channel", "filters))", "filters, x.shape[3]))"),
        ("adds up the filters", "return result", "return result.sum(axis=-1)"),
        ("the filters first", "return result", "return result.transpose(0, 3, 1, 2)"),
    ],
)
mutants(
    CONV,
    "each_value_is_the_sum_of_products_under_the_window",
    [
        ("flips the kernel, as mathematicians do", "kernel[i, j]", "kernel[kh - 1 - i, kw - 1 - j]"),
        ("flips it from left to right", "kernel[i, j]", "kernel[i, kw - 1 - j]"),
        ("the mean instead of the sum", "return result", "return result / (kh * kw)"),
        ("forgets the channels but the first", "window @ kernel[i, j]", "window[..., :1] @ kernel[i, j][:1]"),
        ("the first filter for all", "kernel[i, j]", "kernel[i, j][:, :1]"),
        ("the last place of the kernel only", "result +=", "result ="),
        ("stops one place early", "range(kw)", "range(kw - 1)"),
        ("a ReLU at the end", "return result", "return np.maximum(result, 0)"),
        (
            "channels and filters exchanged, where that fits",
            "window @ kernel[i, j]",
            "window @ (kernel[i, j].T if kernel.shape[2] == filters else kernel[i, j])",
        ),
    ],
)
mutants(
    CONV,
    "the_stride_moves_the_window_by_several_pixels",
    [
        ("the stride only changes the size", WINDOW, SIMPLE),
        ("the stride in one direction only", "j + (columns - 1) * stride + 1 : stride]", "j + columns]"),
        (
            "stretches the kernel as well",
            "x[:, i : i + (rows",
            "x[:, i * stride % (height - kh + 1) : i * stride % (height - kh + 1) + (rows",
        ),
        ("ignores the stride", "    (count, height", "    stride = 1\n    (count, height"),
    ],
)
mutants(
    CONV,
    "same_padding_keeps_the_size_for_odd_kernels",
    [
        ("ignores the padding", 'if padding == "same":', "if False:"),
        ("repeats the rim instead of zeros", "(0, 0)])", '(0, 0)], mode="edge")'),
        ("mirrors the image at the rim", "(0, 0)])", '(0, 0)], mode="reflect")'),
        ("pads with ones", "(0, 0)])", "(0, 0)], constant_values=1)"),
        ("all zeros at the end", "down // 2, across // 2", "0, 0"),
        (
            "rows and columns exchanged",
            "(top, down - top), (left, across - left)",
            "(left, across - left), (top, down - top)",
        ),
    ],
)
mutants(
    CONV,
    "even_kernels_get_the_odd_zero_at_the_end",
    [
        ("the odd zero at the beginning", "down // 2, across // 2", "-(-down // 2), -(-across // 2)"),
        (
            "kh // 2 zeros at the beginning, whatever kh is",
            "down // 2, across // 2",
            "min(kh // 2, down), min(kw // 2, across)",
        ),
    ],
)
mutants(
    CONV,
    "same_padding_with_a_stride_adds_only_what_is_missing",
    [
        ("rounds down", "-(-height // stride), -(-width // stride)", "height // stride, width // stride"),
        ("as many zeros as for stride 1", "(rows - 1) * stride + kh - height, 0)", "kh - 1, 0)"),
        (
            "a negative number of zeros",
            "max((rows - 1) * stride + kh - height, 0)",
            "(rows - 1) * stride + kh - height",
        ),
        (
            "every stride-th result of stride 1",
            "    (count, height",
            '    if padding == "same" and stride > 1:\n'
            "        return conv2d(x, kernel, 1, padding)[:, ::stride, ::stride]\n"
            "    (count, height",
        ),
    ],
)
mutants(
    CONV,
    "one_image_works_and_the_inputs_stay",
    [
        ("drops axes of length 1", "return result", "return np.squeeze(result)"),
        ("writes into the kernel", "    result =", "    kernel /= 1 + 1e-9\n    result ="),
        ("writes into the image", "    result = np.zeros", "    x[..., 0] += 1e-9\n    result = np.zeros"),
    ],
)

# --- right answers written otherwise ----------------------------------------------------------------------------------

accepted(
    "windows as a view",
    """
def conv2d(x, kernel, stride=1, padding="valid"):
    kh, kw, _, _ = kernel.shape
    if padding == "same":
        pads = []
        for n, k in zip(x.shape[1:3], (kh, kw)):
            t = max((int(np.ceil(n / stride)) - 1) * stride + k - n, 0)
            pads.append((t // 2, t - t // 2))
        x = np.pad(x, ((0, 0), *pads, (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (kh, kw), axis=(1, 2))[:, ::stride, ::stride]
    return np.einsum("nrcdij,ijdf->nrcf", windows, kernel)
""",
)
accepted(
    "over the places of the result",
    """
def conv2d(x, kernel, stride=1, padding="valid"):
    n, h, w, _ = x.shape
    kh, kw, _, f = kernel.shape
    rows, cols = 1 + (h - kh) // stride, 1 + (w - kw) // stride
    if padding != "valid":
        rows, cols = (h + stride - 1) // stride, (w + stride - 1) // stride
        th, tw = max(0, (rows - 1) * stride + kh - h), max(0, (cols - 1) * stride + kw - w)
        bigger = np.zeros((n, h + th, w + tw, x.shape[3]))
        bigger[:, th // 2 : th // 2 + h, tw // 2 : tw // 2 + w] = x
        x = bigger
    out = np.empty((n, rows, cols, f))
    for r in range(rows):
        for c in range(cols):
            out[:, r, c] = np.tensordot(x[:, r * stride : r * stride + kh, c * stride : c * stride + kw], kernel, axes=3)
    return out
""",
)
accepted(
    "all windows as rows of one matrix",
    """
def pad_sides(n, k, stride):
    missing = max((-(-n // stride) - 1) * stride + k - n, 0)
    return missing // 2, missing - missing // 2

def conv2d(x, kernel, stride=1, padding="valid"):
    kh, kw, channels, filters = kernel.shape
    if padding == "same":
        x = np.pad(x, [(0, 0), pad_sides(x.shape[1], kh, stride), pad_sides(x.shape[2], kw, stride), (0, 0)])
    tops, lefts = range(0, x.shape[1] - kh + 1, stride), range(0, x.shape[2] - kw + 1, stride)
    rows = [x[:, t : t + kh, l : l + kw].reshape(len(x), -1) for t in tops for l in lefts]
    out = np.stack(rows, axis=1) @ kernel.reshape(-1, filters)
    return out.reshape(len(x), len(tops), len(lefts), filters)
""",
)
accepted(
    "every pair of places by itself, in float32 at the end",
    """
def conv2d(x, kernel, stride=1, padding="valid"):
    def starts(size, length):
        if padding == "valid":
            return list(range(0, size - length + 1, stride))
        many = (size - 1) // stride + 1
        first = max(0, stride * (many - 1) + length - size) // 2
        return [stride * index - first for index in range(many)]

    tops, lefts = starts(x.shape[1], kernel.shape[0]), starts(x.shape[2], kernel.shape[1])
    result = np.zeros((x.shape[0], len(tops), len(lefts), kernel.shape[3]))
    for r, top in enumerate(tops):
        for c, left in enumerate(lefts):
            above, before = max(0, -top), max(0, -left)
            window = x[:, max(0, top) : top + kernel.shape[0], max(0, left) : left + kernel.shape[1]]
            part = kernel[above : above + window.shape[1], before : before + window.shape[2]]
            result[:, r, c] = np.einsum("nijd,ijdf->nf", window, part)
    return result.astype(np.float32)
""",
)
mutants(
    CONV,
    "stride_and_padding_may_be_left_out",
    [
        ("stride 2 where nothing is said", "stride=1,", "stride=2,"),
        ("zeros where nothing is said", 'padding="valid"):', 'padding="same"):'),
        (
            "other names for the arguments",
            'def conv2d(x, kernel, stride=1, padding="valid"):',
            'def conv2d(x, kernel, strides=1, pad="valid"):\n    stride, padding = strides, pad',
        ),
        ("both must be given", 'stride=1, padding="valid"', "stride, padding"),
    ],
)
mutants(
    CONV,
    "each_value_is_the_sum_of_products_under_the_window",
    [("keeps the pixels small", "    result = np.zeros", "    x = np.clip(x, -10, 10)\n    result = np.zeros")],
)
mutants(
    CONV,
    "same_padding_with_a_stride_adds_only_what_is_missing",
    [
        (
            "no more zeros than pixels",
            "    top, left = down // 2",
            "    down, across = min(down, height), min(across, width)\n        top, left = down // 2",
        )
    ],
)
mutants(
    CONV,
    "the_stride_moves_the_window_by_several_pixels",
    [
        (
            "a stride no larger than the kernel",
            "    (count, height",
            "    stride = min(stride, *kernel.shape[:2])\n    (count, height",
        )
    ],
)
mutants(
    CONV,
    "one_image_works_and_the_inputs_stay",
    [("drops a single place", "return result", "return result[:, 0] if rows == columns == 1 else result")],
)
