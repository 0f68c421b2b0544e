"""Exercise `conv2d_backward`: what a right answer must do, and typical wrong ones."""

import numpy as np

from llmcourse.checking import accepted, criterion, expect, expect_close, expect_shape, expect_unchanged, mutants

from ..oracles import distinct_sizes


def gradients(upstream, x, kernel):
    """Collect every share one by one, over places of the result and of the kernel."""
    grad_x, grad_kernel = np.zeros(x.shape), np.zeros(kernel.shape)
    _, rows, columns, _ = upstream.shape
    for r in range(rows):
        for c in range(columns):
            window, here = x[:, r : r + kernel.shape[0], c : c + kernel.shape[1]], upstream[:, r, c]
            grad_kernel += np.einsum("nijd,nf->ijdf", window, here)
            grad_x[:, r : r + kernel.shape[0], c : c + kernel.shape[1]] += np.einsum("ijdf,nf->nijd", kernel, here)
    return grad_x, grad_kernel


def draw(rng, kh, kw):
    n, channels, filters, height, width = distinct_sizes(rng, 5, low=2, high=9)
    height, width = height + kh, width + kw
    x, kernel = rng.normal(size=(n, height, width, channels)), rng.normal(size=(kh, kw, channels, filters))
    return rng.normal(size=(n, height - kh + 1, width - kw + 1, filters)), x, kernel


def draw_several(rng, kernels):
    """Draw for each size of a kernel; then with as many filters as channels, with large numbers, and a single window."""
    drawn = [draw(rng, *sizes) for sizes in kernels]
    equal = rng.normal(size=(2, 3, 3, 3)), rng.normal(size=(2, 5, 5, 3)), rng.normal(size=(3, 3, 3, 3))
    large = tuple(100 * each for each in drawn[0])
    whole = rng.normal(size=(2, 1, 1, 4)), rng.normal(size=(2, 4, 3, 2)), rng.normal(size=(4, 3, 2, 4))
    return [*drawn, equal, large, whole]


def call(student, upstream, x, kernel):
    received = student.conv2d_backward(upstream, x, kernel)
    fits = isinstance(received, tuple | list) and len(received) == 2
    expect(fits, required="a pair: the gradients by x and by kernel", received=received)
    return received


@criterion(
    hints=[
        "Which shapes have x and kernel? Their gradients have the same.",
        "Begin with two arrays of zeros, of the shapes of x and kernel, and add shares to them.",
        "`np.zeros(x.shape), np.zeros(kernel.shape)`, and return both, that of x first.",
    ],
)
def each_gradient_has_the_shape_of_its_array(student, rng):
    """The result is a pair: the gradient by x, with the shape of x, and that by kernel, with the shape of kernel."""
    upstream, x, kernel = draw(rng, 3, 2)
    grad_x, grad_kernel = call(student, upstream, x, kernel)
    expect_shape(grad_x, x.shape, what="the gradient by x")
    expect_shape(grad_kernel, kernel.shape, what="the gradient by kernel")


@criterion(
    points=2,
    hints=[
        "Which pixels were multiplied by kernel[i, j], and by which place of the result does each of them count?",
        "They are the slice `x[:, i : i + rows, j : j + columns]`: the weight collects pixel times upstream over all of it.",
        "`grad_kernel[i, j] = np.einsum('nrcd,nrcf->df', window, upstream)`",
    ],
)
def each_weight_collects_from_all_places(student, rng):
    """The gradient of kernel[i, j, d, f] is the sum of x[n, r+i, c+j, d] * upstream[n, r, c, f] over n, r and c."""
    for upstream, x, kernel in draw_several(rng, ((3, 2), (1, 4), (1, 1))):
        kh, kw = kernel.shape[:2]
        received = call(student, upstream, x, kernel)[1]
        expect_close(received, gradients(upstream, x, kernel)[1], what=f"the gradient by a kernel of {kh} by {kw}")


@criterion(
    points=2,
    hints=[
        "A pixel lies under several windows. How many shares does it get?",
        "Add up: `+=` on a slice of grad_x, for each place (i, j) of the kernel.",
        "`grad_x[:, i : i + rows, j : j + columns] += upstream @ kernel[i, j].T`",
    ],
)
def each_pixel_collects_from_all_windows(student, rng):
    """The gradient of a pixel adds up upstream times weight over all windows in which it lay, and all filters."""
    for upstream, x, kernel in draw_several(rng, ((2, 3), (4, 1), (1, 1))):
        kh, kw = kernel.shape[:2]
        received = call(student, upstream, x, kernel)[0]
        expect_close(
            received, gradients(upstream, x, kernel)[0], what=f"the gradient by x, with a kernel of {kh} by {kw}"
        )


@criterion(
    hints=["Does your code work with one image, and do you write into what you are given?", "Add to new arrays."]
)
def one_image_works_and_the_inputs_stay(student, rng):
    """A single image works, and upstream, x and kernel stay as they are."""
    upstream, x, kernel = draw(rng, 2, 2)
    upstream, x = upstream[:1], x[:1]
    received, expected = call(student, upstream, x, kernel), gradients(upstream, x, kernel)
    expect_unchanged(student)
    expect_close(received[0], expected[0], what="the gradient by x of one image")
    expect_close(received[1], expected[1], what="the gradient by kernel of one image")


# --- typical wrong answers, each with the criterion that must catch it ------------------------------------------------

BACK = """
def conv2d_backward(upstream, x, kernel):
    kh, kw = kernel.shape[:2]
    rows, columns = upstream.shape[1:3]
    grad_x, grad_kernel = np.zeros(x.shape), np.zeros(kernel.shape)
    for i in range(kh):
        for j in range(kw):
            window = x[:, i : i + rows, j : j + columns]
            grad_kernel[i, j] = np.einsum("nrcd,nrcf->df", window, upstream)
            grad_x[:, i : i + rows, j : j + columns] += upstream @ kernel[i, j].T
    return grad_x, grad_kernel
"""
WEIGHT, PIXEL = 'np.einsum("nrcd,nrcf->df", window, upstream)', "upstream @ kernel[i, j].T"
mutants(BACK, "*", [("imports the answer", BACK, "from llmcourse.steps.cnn import conv2d_backward")])
mutants(
    BACK,
    "each_gradient_has_the_shape_of_its_array",
    [
        ("that of kernel first", "return grad_x, grad_kernel", "return grad_kernel, grad_x"),
        ("the gradient by kernel only", "return grad_x, grad_kernel", "return grad_kernel"),
        (
            "transposed for each place",
            "np.zeros(kernel.shape)\n",
            "np.zeros((kh, kw, kernel.shape[3], kernel.shape[2]))\n",
            "nrcf->df",
            "nrcf->fd",
        ),
    ],
)
mutants(
    BACK,
    "each_weight_collects_from_all_places",
    [
        ("the mean over the images", WEIGHT, f"{WEIGHT} / len(x)"),
        ("the mean over the places", WEIGHT, f"{WEIGHT} / (rows * columns)"),
        ("the wrong window", "window = x[:, i : i + rows, j : j + columns]", "window = x[:, :rows, :columns]"),
        ("flips the kernel", "grad_kernel[i, j] =", "grad_kernel[kh - 1 - i, kw - 1 - j] ="),
        ("the first image only", '"nrcd,nrcf->df", window, upstream', '"nrcd,nrcf->df", window[:1], upstream[:1]'),
    ],
)
mutants(
    BACK,
    "each_pixel_collects_from_all_windows",
    [
        ("sets instead of adding", "columns] += upstream", "columns] = upstream"),
        ("flips the kernel on the way back", "kernel[i, j].T", "kernel[kh - 1 - i, kw - 1 - j].T"),
        ("the first filter only", PIXEL, "upstream[..., :1] @ kernel[i, j].T[:1]"),
        ("every share to the top left", "grad_x[:, i : i + rows, j : j + columns] +=", "grad_x[:, :rows, :columns] +="),
    ],
)
mutants(
    BACK,
    "one_image_works_and_the_inputs_stay",
    [
        (
            "adds into x",
            "grad_x, grad_kernel = np.zeros(x.shape), np.zeros(kernel.shape)",
            "grad_x, grad_kernel = x, np.zeros(kernel.shape)\n    x = x.copy()\n    grad_x[:] = 0",
        ),
        ("drops the axis of a single image", "return grad_x, grad_kernel", "return np.squeeze(grad_x), grad_kernel"),
    ],
)

# --- right answers written otherwise ----------------------------------------------------------------------------------

accepted(
    "over the places of the result",
    """
def conv2d_backward(upstream, x, kernel):
    kh, kw = kernel.shape[0], kernel.shape[1]
    dx, dk = np.zeros_like(x), np.zeros_like(kernel)
    for r in range(upstream.shape[1]):
        for c in range(upstream.shape[2]):
            dk += np.tensordot(x[:, r : r + kh, c : c + kw], upstream[:, r, c], axes=(0, 0))
            dx[:, r : r + kh, c : c + kw] += np.tensordot(upstream[:, r, c], kernel, axes=(1, 3))
    return dx, dk
""",
)
accepted(
    "windows as a view, and the gradient by x as a convolution with the kernel turned round",
    """
def conv2d_backward(upstream, x, kernel):
    kh, kw = kernel.shape[:2]
    windows = np.lib.stride_tricks.sliding_window_view(x, (kh, kw), axis=(1, 2))  # (N, rows, columns, channels, kh, kw)
    grad_kernel = np.einsum("nrcdij,nrcf->ijdf", windows, upstream)
    around = np.pad(upstream, [(0, 0), (kh - 1, kh - 1), (kw - 1, kw - 1), (0, 0)])
    return steps.conv2d(around, kernel[::-1, ::-1].transpose(0, 1, 3, 2)), grad_kernel
""",
)
accepted(
    "matrix products of flattened slices, in a list",
    """
def conv2d_backward(upstream, x, kernel):
    n, rows, columns, filters = upstream.shape
    flat = upstream.reshape(-1, filters)
    dx, dk = 0.0 * x, np.empty(kernel.shape)
    for i, j in np.ndindex(kernel.shape[:2]):
        part = x[:, i : i + rows, j : j + columns, :].reshape(-1, x.shape[3])
        dk[i, j] = part.T.dot(flat)
        dx[:, i : i + rows, j : j + columns, :] += flat.dot(kernel[i, j].T).reshape(n, rows, columns, -1)
    return [dx, dk]
""",
)
mutants(
    BACK,
    "each_weight_collects_from_all_places",
    [("small gradients only", "    kh, kw =", "    upstream = np.clip(upstream, -10, 10)\n    kh, kw =")],
)
mutants(
    BACK,
    "each_pixel_collects_from_all_windows",
    [
        (
            "channels and filters exchanged, where that fits",
            PIXEL,
            "upstream @ (kernel[i, j] if kernel.shape[2] == kernel.shape[3] else kernel[i, j].T)",
        ),
        ("the mean over the windows of a pixel", "    return grad_x,", "    grad_x /= kh * kw\n    return grad_x,"),
        ("the mean over the images", "    return grad_x,", "    grad_x /= len(x)\n    return grad_x,"),
    ],
)
mutants(
    BACK,
    "one_image_works_and_the_inputs_stay",
    [("scales the upstream gradient in place", "    kh, kw =", "    upstream *= 1 + 1e-9\n    kh, kw =")],
)
