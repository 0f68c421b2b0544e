"""Exercise `prepare`: what a right answer must do, and typical wrong ones."""

import numpy as np

from llmcourse.checking import accepted, criterion, expect, expect_close, expect_shape, expect_unchanged, mutants


def expect_pair(received, what, words):
    """Require a tuple or list of two values."""
    fits = isinstance(received, tuple | list) and len(received) == 2
    expect(fits, required=f"{what} returns a pair: {words}", received=received)
    return received


def draw_images(rng, highest=255):
    """Draw a few images of bytes, and labels among which some of the ten digits are missing."""
    count = int(rng.integers(4, 8))
    images = rng.integers(0, highest + 1, size=(count, 28, 28), dtype=np.uint8)
    labels = rng.choice(rng.choice(9, size=2, replace=False), size=count)
    labels[rng.integers(count)] = 9
    return images, labels


def call_prepare(student, images, labels):
    return expect_pair(student.prepare(images, labels), "prepare", "the images and the labels")


@criterion(
    hints=[
        "How many axes has a stack of grey images, and which one is missing for a convolution?",
        "The channel axis comes last and has length 1: (N, 28, 28) becomes (N, 28, 28, 1).",
        "`images[..., np.newaxis]` adds an axis of length 1 at the end.",
    ],
)
def the_images_get_a_channel_axis(student, rng):
    """The images (N, 28, 28) become (N, 28, 28, 1), each pixel in its place; one image alone works as well."""
    images, labels = draw_images(rng)
    for count in (len(images), 1):
        x, _ = call_prepare(student, images[:count], labels[:count])
        expect_shape(x, (count, 28, 28, 1), what="the images")
        order = np.argsort(np.asarray(x)[..., 0].ravel(), kind="stable")
        sorted_pixels = images[:count].ravel()[order]
        expect(
            bool((np.diff(sorted_pixels.astype(int)) >= 0).all()),
            required="each pixel stays in its place, and more ink is a larger number",
            received="other pixels in some places",
        )


@criterion(
    hints=[
        "Which number stands for full ink, and what should it become?",
        "Divide by 255, whatever the largest pixel of these images is.",
        "Make the images float32 first: `images.astype(np.float32) / 255`.",
    ],
)
def the_pixels_are_divided_by_255(student, rng):
    """Every pixel is divided by 255, so that 0 stays 0 and 255 becomes 1, also where no pixel is that dark."""
    for highest in (255, int(rng.integers(100, 200)), 1):
        images, labels = draw_images(rng, highest)
        x, _ = call_prepare(student, images, labels)
        expect_close(np.squeeze(np.asarray(x)), images / 255.0, what="the images", tolerance=1e-6)


@criterion(
    hints=[
        "How many columns has the array of labels, if only three of the ten digits occur?",
        "Row n is all 0, with a 1 in column labels[n]. There are always ten columns.",
        "Row k of `np.eye(10)` is the one-hot row of class k, so `np.eye(10, dtype=np.float32)[labels]`.",
    ],
)
def the_labels_become_one_hot_rows(student, rng):
    """Row n of the labels (N, 10) has a 1 in column labels[n] and 0 elsewhere, for labels of any integer type."""
    images, labels = draw_images(rng)
    for kind, these in ((np.int64, labels), (np.uint8, labels % 8)):
        expected = (these[:, None] == np.arange(10)).astype(float)
        _, y = call_prepare(student, images, these.astype(kind))
        expect_close(y, expected, what=f"the labels, from {np.dtype(kind).name}")
    labels = np.concatenate(
        [rng.permutation(10), rng.integers(10, size=300)]
    )  # all ten, and more than a byte can count
    _, y = call_prepare(student, np.zeros((len(labels), 28, 28), dtype=np.uint8), labels.astype(np.uint8))
    expect_close(y, labels[:, None] == np.arange(10), what="the labels, where all ten occur")


@criterion(
    hints=[
        "What is the dtype of the images, and of the labels, that you return?",
        "uint8 divided by 255 is float64 in NumPy, twice as large as what Keras computes with.",
        "`.astype(np.float32)` before the division; `np.eye(10, dtype=np.float32)` for the labels.",
    ],
)
def both_are_float32_and_the_inputs_stay(student, rng):
    """Images and labels are float32, and the arrays that were given are not changed."""
    images, labels = draw_images(rng)
    for kind in (np.int64, np.uint8):
        prepared = call_prepare(student, images, labels.astype(kind))
        expect_unchanged(student)
        for array, what in zip(prepared, ("the images", "the labels"), strict=True):
            dtype = np.asarray(array).dtype.name
            expect(dtype == "float32", required=f"{what} are float32", received=dtype)


# --- typical wrong answers, each with the criterion that must catch it ------------------------------------------------

PREPARE = """
def prepare(images, labels):
    x = images[..., np.newaxis].astype(np.float32) / 255
    y = np.eye(10, dtype=np.float32)[labels]
    return x, y
"""
X, Y = "images[..., np.newaxis].astype(np.float32) / 255", "np.eye(10, dtype=np.float32)[labels]"
mutants(PREPARE, "*", [("imports the answer", PREPARE, "from llmcourse.steps.cnn import prepare")])
mutants(
    PREPARE,
    "the_images_get_a_channel_axis",
    [
        ("no channel axis", "[..., np.newaxis]", ""),
        ("the channel axis first", "[..., np.newaxis]", "[:, np.newaxis]"),
        ("lays the pixels end to end, as for the MLP", "images[..., np.newaxis]", "images.reshape(len(images), -1)"),
        ("three equal channels", "images[..., np.newaxis]", "np.stack([images] * 3, axis=-1)"),
        ("rows and columns exchanged", "images[..., np.newaxis]", "images.transpose(0, 2, 1)[..., np.newaxis]"),
        ("ink becomes paper", X, f"1 - {X}"),
        ("drops the axis of a single image", X, f"np.squeeze({X})[..., np.newaxis]"),
        ("returns the images only", "return x, y", "return x"),
    ],
)
mutants(
    PREPARE,
    "the_pixels_are_divided_by_255",
    [
        ("does not scale", " / 255", ""),
        ("divides by 256", "/ 255", "/ 256"),
        ("divides by the largest pixel that occurs", "/ 255", "/ images.max()"),
        ("from -1 to 1", "/ 255", "/ 127.5 - 1"),
        ("mean 0 and standard deviation 1", X, f"{X}\n    x = (x - x.mean()) / x.std()"),
        ("only black and white", "/ 255", "> 127"),
        ("divides whole numbers", "/ 255", "// 255"),
        ("divides twice", "/ 255", "/ 255 / 255"),
    ],
)
mutants(
    PREPARE,
    "the_labels_become_one_hot_rows",
    [
        ("leaves the labels as numbers", Y, "labels.astype(np.float32)"),
        ("as many columns as classes that occur", "np.eye(10", "np.eye(int(labels.max()) + 1"),
        ("one column for each value that occurs", Y, "(labels[:, None] == np.unique(labels)).astype(np.float32)"),
        ("one-hot columns", Y, f"{Y}.T"),
        ("counts the classes from 1", "[labels]", "[labels - 1]"),
        ("sorts the labels", "[labels]", "[np.sort(labels)]"),
        ("smooths the labels", Y, f"0.9 * {Y} + np.float32(0.01)"),
    ],
)
mutants(
    PREPARE,
    "both_are_float32_and_the_inputs_stay",
    [
        ("images as float64", ".astype(np.float32)", ""),
        ("labels as float64", "np.eye(10, dtype=np.float32)", "np.eye(10)"),
        ("labels as integers", "np.eye(10, dtype=np.float32)", "np.eye(10, dtype=int)"),
        ("half precision", "astype(np.float32)", "astype(np.float16)"),
        ("writes into the images", "    y =", "    images[images < 20] = 0\n    y ="),
    ],
)

# --- right answers written otherwise ----------------------------------------------------------------------------------

accepted(
    "comparison with all ten class numbers",
    """
def prepare(images, labels):
    x = np.expand_dims(images, -1).astype("float32") / np.float32(255)
    return x, (labels[:, None] == np.arange(10)).astype("float32")
""",
)
accepted(
    "zeros, and ones put in",
    """
def prepare(images, labels):
    x = np.array(images, dtype=np.float32).reshape(*images.shape, 1)
    x *= 1 / 255
    y = np.zeros((len(labels), 10), dtype=np.float32)
    y[np.arange(len(labels)), labels] = 1
    return [x, y]
""",
)
accepted(
    "Keras' own one-hot, and division in float64 first",
    """
def prepare(images, labels):
    import keras

    x = (images[:, :, :, None] / 255.0).astype(np.float32)
    return x, keras.utils.to_categorical(labels, num_classes=10).astype(np.float32)
""",
)
mutants(PREPARE, "the_labels_become_one_hot_rows", [("nine classes", "[labels]", "[labels % 9]")])
accepted(
    "tensors of Keras instead of arrays",
    """
def prepare(images, labels):
    import keras

    x = keras.ops.expand_dims(keras.ops.cast(images, "float32"), axis=-1) / 255
    return x, keras.ops.one_hot(labels, 10, dtype="float32")
""",
)
accepted(
    "one image and one label after the other",
    """
def prepare(images, labels):
    x = np.empty((len(images), 28, 28, 1), np.float32)
    y = np.zeros((len(labels), 10), np.float32)
    for n in range(len(images)):
        x[n, :, :, 0] = np.true_divide(images[n], 255, dtype=np.float32)
        y[n, int(labels[n])] = 1.0
    return x, y
""",
)
mutants(
    PREPARE,
    "the_labels_become_one_hot_rows",
    [
        ("knows no class above 7", "[labels]", "[np.minimum(labels, 7)]"),
        ("takes 6 for 9", "[labels]", "[np.where(labels == 6, 9, labels)]"),
        (
            "ones in every row where a class occurs",
            Y,
            f"np.maximum(0 * {Y}, np.eye(10, dtype=np.float32)[labels].max(axis=0))",
        ),
        ("255 for the right class", Y, f"255 * {Y}"),
    ],
)
mutants(
    PREPARE,
    "the_pixels_are_divided_by_255",
    [
        ("scales each image by itself", "/ 255", "/ images.max(axis=(1, 2))[:, None, None, None]"),
        ("divides only what looks like bytes", "/ 255", "/ (255 if images.max() > 1 else 1)"),
        ("rounds to three places", X, f"({X}).round(3)"),
    ],
)
mutants(
    PREPARE,
    "both_are_float32_and_the_inputs_stay",
    [
        ("doubles in NumPy's division", X, "images[..., np.newaxis] / 255.0"),
        ("sorts the labels in place and back", "    y =", "    labels[:] = labels[::-1]\n    y ="),
    ],
)
