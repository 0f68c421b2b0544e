"""What right answers of the lesson `cnn` must do. The oracles are plain NumPy in float64, written here."""

import numpy as np

from llmcourse.checking import criterion, expect, expect_close, expect_equal, expect_shape, expect_unchanged

# --- drawing inputs ---------------------------------------------------------------------------------------------------


def distinct_sizes(rng, count, low=2, high=9):
    """Draw sizes that all differ, so that a swapped axis cannot go unnoticed."""
    return [int(size) for size in rng.choice(np.arange(low, high), size=count, replace=False)]


def expect_pair(received, what, words):
    """Require a tuple or list of two values."""
    fits = isinstance(received, tuple | list) and len(received) == 2
    expect(fits, required=f"{what} returns a pair: {words}", received=received)
    return received


# --- exercise 1: prepare ----------------------------------------------------------------------------------------------


def draw_images(rng, highest=255):
    """Draw a few images of bytes, and labels among which some of the ten digits are missing."""
    count = int(rng.integers(4, 8))
    images = rng.integers(0, highest + 1, size=(count, 28, 28), dtype=np.uint8)
    return images, rng.choice(rng.choice(9, size=3, replace=False), size=count)


def call_prepare(student, images, labels):
    return expect_pair(student.prepare(images, labels), "prepare", "the images and the labels")


@criterion(
    "prepare",
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
    "prepare",
    hints=[
        "Which number stands for full ink, and what should it become?",
        "Divide by 255, whatever the largest pixel of these images is.",
        "Make the images float32 first: `images.astype(np.float32) / 255`.",
    ],
)
def the_pixels_are_divided_by_255(student, rng):
    """Every pixel is divided by 255, so that 0 stays 0 and 255 becomes 1, also where no pixel is that dark."""
    for highest in (255, int(rng.integers(100, 200))):
        images, labels = draw_images(rng, highest)
        x, _ = call_prepare(student, images, labels)
        expect_close(np.squeeze(np.asarray(x)), images / 255.0, what="the images", tolerance=1e-6)


@criterion(
    "prepare",
    hints=[
        "How many columns has the array of labels, if only three of the ten digits occur?",
        "Row n is all 0, with a 1 in column labels[n]. There are always ten columns.",
        "Row k of `np.eye(10)` is the one-hot row of class k, so `np.eye(10, dtype=np.float32)[labels]`.",
    ],
)
def the_labels_become_one_hot_rows(student, rng):
    """Row n of the labels (N, 10) has a 1 in column labels[n] and 0 elsewhere, for labels of any integer type."""
    images, labels = draw_images(rng)
    expected = (labels[:, None] == np.arange(10)).astype(float)
    for kind in (np.int64, np.uint8):
        _, y = call_prepare(student, images, labels.astype(kind))
        expect_close(y, expected, what=f"the labels, from {np.dtype(kind).name}")


@criterion(
    "prepare",
    hints=[
        "What is the dtype of the images, and of the labels, that you return?",
        "uint8 divided by 255 is float64 in NumPy, twice as large as what Keras computes with.",
        "`.astype(np.float32)` before the division; `np.eye(10, dtype=np.float32)` for the labels.",
    ],
)
def both_are_float32_and_the_inputs_stay(student, rng):
    """Images and labels are float32, and the arrays that were given are not changed."""
    images, labels = draw_images(rng)
    for array, what in zip(call_prepare(student, images, labels), ("the images", "the labels"), strict=True):
        expect_unchanged(student)
        dtype = np.asarray(array).dtype.name
        expect(dtype == "float32", required=f"{what} are float32", received=dtype)


# --- exercise 2: conv2d -----------------------------------------------------------------------------------------------


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
    "conv2d",
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
    "conv2d",
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
    for x, kernel in (draw_convolution(rng, kernel_sizes), equal_sizes):
        expected = convolve(x, kernel, 1, "valid")
        expect_close(student.conv2d(x, kernel, 1, "valid"), expected, what=words_for(kernel, 1, "valid"))


@criterion(
    "conv2d",
    hints=[
        "With stride 2, which row of the image does the second window begin in?",
        "Window number r begins in row r * stride. The size of the window stays the same.",
        "`x[:, i : i + (rows - 1) * stride + 1 : stride, ...]` takes every stride-th row, rows of them.",
    ],
)
def the_stride_moves_the_window_by_several_pixels(student, rng):
    """With stride 2 and 3 the window moves so many pixels each time, in both directions."""
    for stride in (2, 3):
        x, kernel = draw_convolution(rng, distinct_sizes(rng, 2, low=2, high=5))
        expected = convolve(x, kernel, stride, "valid")
        expect_close(student.conv2d(x, kernel, stride, "valid"), expected, what=words_for(kernel, stride, "valid"))


@criterion(
    "conv2d",
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
    "conv2d",
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
    "conv2d",
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


@criterion(
    "conv2d",
    hints=[
        "Does your code write into x or kernel? And what becomes of a batch of one image?",
        "Build a new array with np.zeros and add to that one. Do not drop axes of length 1.",
    ],
)
def one_image_works_and_the_inputs_stay(student, rng):
    """One image, one channel and one filter keep their axes of length 1, and x and kernel are not changed."""
    height, width = distinct_sizes(rng, 2, low=5, high=9)
    x, kernel = rng.normal(size=(1, height, width, 1)), rng.normal(size=(2, 3, 1, 1))
    for padding in ("valid", "same"):
        received = student.conv2d(x, kernel, 1, padding)
        expect_unchanged(student)
        expect_close(received, convolve(x, kernel, 1, padding), what=words_for(kernel, 1, padding))


# --- exercise 3: max_pool2d -------------------------------------------------------------------------------------------


def pool(x, size):
    count, height, width, channels = x.shape
    result = np.zeros((count, height // size, width // size, channels))
    for row in range(height // size):
        for column in range(width // size):
            square = x[:, row * size : (row + 1) * size, column * size : (column + 1) * size]
            result[:, row, column] = square.max(axis=(1, 2))
    return result


@criterion(
    "max_pool2d",
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
    "max_pool2d",
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
        for shift in (0.0, -9.0):
            x = rng.normal(size=(n, rows * size, columns * size, channels)) + shift
            expect_close(student.max_pool2d(x, size), pool(x, size), what=f"max_pool2d(x, {size})")


@criterion(
    "max_pool2d",
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
        x = rng.normal(size=(n, rows * size + int(more[0]), columns * size + int(more[1]), channels))
        x[:, rows * size :] += 100.0
        x[:, :, columns * size :] += 100.0
        what = f"max_pool2d(x, {size}) for images of {x.shape[1]} by {x.shape[2]}"
        expect_close(student.max_pool2d(x, size), pool(x, size), what=what)


@criterion(
    "max_pool2d",
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


# --- exercise 4: build_cnn --------------------------------------------------------------------------------------------


def draw_batch(rng, count):
    """Draw smooth bright shapes on black, as digits are: (count, 28, 28, 1), float32 from 0 to 1."""
    places = np.arange(28)
    middles, widths = rng.uniform(9, 18, size=(2, count, 1)), rng.uniform(2, 5, size=(2, count, 1))
    rows, columns = np.exp(-(((places - middles) / widths) ** 2))
    return (rows[:, :, None] * columns[:, None, :])[..., None].astype(np.float32)


def layers_of(model):
    """List all layers that a model's configuration names, also those of models inside it: (class, settings)."""
    found = []

    def walk(node):
        if isinstance(node, dict):
            if isinstance(node.get("class_name"), str) and isinstance(node.get("config"), dict):
                found.append((node["class_name"], node["config"]))
            for value in node.values():
                walk(value)
        elif isinstance(node, list | tuple):
            for value in node:
                walk(value)

    walk(model.get_config())
    return found


def spread(first, second):
    """Give the largest difference of two arrays of logits."""
    return float(np.abs(np.asarray(first, dtype=float) - np.asarray(second, dtype=float)).max())


@criterion(
    "build_cnn",
    hints=[
        "What is the shape of one image, and how many classes are there?",
        "Begin with keras.Input((28, 28, 1)); N stays open. End with a layer of 10 outputs.",
        "Before the last layer: `keras.layers.Flatten()`, then `keras.layers.Dense(10)`.",
    ],
)
def ten_logits_for_each_image(student, rng):
    """The model maps (N, 28, 28, 1) to (N, 10), for any N; logits may be negative and do not sum to 1."""
    model = student.build_cnn(0.3, True)
    for count in (int(rng.integers(20, 30)), 1):
        logits = expect_shape(
            model(draw_batch(rng, count), training=False), (count, 10), what=f"model(x) for N = {count}"
        )
        if count > 1:
            squashed = np.abs(np.asarray(logits).sum(axis=1) - 1).max() < 1e-3
            expect(not squashed, required="logits, without a softmax", received="rows that sum to 1")
            both = (logits < 0).any() and (logits > 0).any()
            expect(both, required="logits of both signs", received=f"from {logits.min():.3g} to {logits.max():.3g}")


@criterion(
    "build_cnn",
    hints=[
        "How many convolutions has your model, and what makes the image smaller?",
        "Two blocks or more, each a convolution, a ReLU, and pooling or a stride of 2.",
        "`Conv2D(16, 5, strides=2, padding='same')`, `BatchNormalization()`, `ReLU()`; then with `Conv2D(32, 3, ...)`.",
    ],
)
def two_convolutions_or_more(student, rng):
    """The model has at least two convolution layers, which halve the image or are followed by pooling."""
    found = layers_of(student.build_cnn(0.2, False))
    convolutions = [settings for name, settings in found if name.endswith("Conv2D")]
    expect(len(convolutions) >= 2, required="two convolution layers or more", received=f"{len(convolutions)}")
    strided = [settings for settings in convolutions if max(np.ravel(settings.get("strides", 1))) > 1]
    smaller = len(strided) + sum("Pooling" in name for name, _ in found)
    expect(smaller >= 2, required="a stride of 2, or pooling, in two places", received=f"{smaller}")


@criterion(
    "build_cnn",
    hints=[
        "Where are most of the parameters: in the convolutions or in the dense layers?",
        "Make the image smaller before Flatten, with strides or pooling, and leave out large dense layers.",
        "`model.summary()` shows the parameters of each layer.",
    ],
)
def at_most_300_000_parameters(student, rng):
    """The model has 300,000 parameters or fewer, and augmentation adds none."""
    plain, augmented = (student.build_cnn(0.2, augment).count_params() for augment in (False, True))
    expect(1000 <= plain <= 300_000, required="from 1,000 to 300,000 parameters", received=f"{plain:,}")
    expect_equal(augmented, plain, what="the number of parameters with augmentation")


@criterion(
    "build_cnn",
    points=2,
    hints=[
        "Call model(x, training=False) twice with the same images: are the logits the same?",
        "Dropout and augmentation must rest when the model is used. The layers of Keras do so; a Lambda layer with "
        "random numbers does not know what training is, and training=True inside the model makes it forget.",
        "Do not draw random numbers yourself; use keras.layers.Dropout and keras.layers.RandomTranslation.",
    ],
)
def the_same_images_get_the_same_logits(student, rng):
    """In use, with training=False, the same images always get the same logits; without augmentation, model(x) gives
    these as well.
    """
    model, x = student.build_cnn(0.5, True), draw_batch(rng, 5)
    first = model(x, training=False)
    model(draw_batch(rng, 3), training=False)
    expect_close(model(x, training=False), first, what="model(x, training=False), the second time", tolerance=1e-5)
    model = student.build_cnn(0.5, False)
    expect_close(model(x), model(x, training=False), what="model(x) without augmentation", tolerance=1e-5)


@criterion(
    "build_cnn",
    hints=[
        "Does the answer for one image depend on which other images are in the batch?",
        "In use, batch normalisation takes the averages that it has collected, not those of the batch.",
        "Leave this to keras.layers.BatchNormalization; do not compute means over the batch yourself.",
    ],
)
def each_image_is_judged_alone(student, rng):
    """In use, an image gets the same logits alone as among others."""
    model, x = student.build_cnn(0.2, True), draw_batch(rng, 7)
    together = np.asarray(model(x, training=False))
    for place in rng.choice(7, size=2, replace=False):
        alone = model(x[place : place + 1], training=False)
        expect_close(alone, together[place : place + 1], what="the logits of one image alone", tolerance=1e-4)


@criterion(
    "build_cnn",
    hints=[
        "What should dropout=0 do, and what dropout=0.5?",
        "keras.layers.Dropout(dropout), before the last Dense layer. It acts in training only.",
    ],
)
def dropout_acts_in_training_with_the_given_share(student, rng):
    """The model has a Dropout layer with the given share; it changes the logits in training, and with 0 it does not."""
    share, x = float(rng.uniform(0.3, 0.6)), draw_batch(rng, 5)
    model = student.build_cnn(share, False)
    rates = [settings.get("rate") for name, settings in layers_of(model) if "Dropout" in name]
    fits = any(rate is not None and abs(rate - share) < 1e-6 for rate in rates)
    expect(fits, required=f"a Dropout layer with the share {share:.2f}", received=f"shares {rates}")
    differs = spread(model(x, training=True), model(x, training=True)) > 1e-4
    expect(differs, required="other logits each time in training, with dropout", received="the same logits twice")
    model = student.build_cnn(0.0, False)
    same = spread(model(x, training=True), model(x, training=True)) < 1e-4
    expect(same, required="the same logits twice in training, with dropout 0 and no augmentation", received="others")


@criterion(
    "build_cnn",
    points=2,
    hints=[
        "What should happen to the images in training if augment is True, and what if it is False?",
        "Right after the Input: a layer such as keras.layers.RandomTranslation, only if augment is True.",
        "`if augment: layers.append(keras.layers.RandomTranslation(0.08, 0.08, fill_mode='constant'))`",
    ],
)
def augmentation_moves_the_images_in_training(student, rng):
    """With augment=True, images are moved a little in training; an empty image stays empty, and none is mirrored."""
    model, x = student.build_cnn(0.0, True), draw_batch(rng, 5)
    moved = spread(model(x, training=True), model(x, training=True)) > 1e-4
    expect(moved, required="other logits each time in training, with augmentation", received="the same logits twice")
    empty = np.zeros((5, 28, 28, 1), dtype=np.float32)
    still = spread(model(empty, training=True), model(empty, training=True)) < 1e-4
    expect(still, required="an empty image stays empty, wherever it is moved", received="noise in it")
    flips = [name for name, _ in layers_of(model) if "Flip" in name]
    expect(not flips, required="no mirror images: a mirrored digit is no digit", received=", ".join(flips))


@criterion(
    "build_cnn",
    hints=[
        "In which range are the pixels that the model is given?",
        "prepare has already divided by 255. Dividing a second time would leave almost nothing.",
    ],
)
def the_pixels_are_taken_as_they_come(student, rng):
    """The model takes pixels from 0 to 1: an image still counts, and nothing divides by 255 again."""
    names = {name: settings for name, settings in layers_of(student.build_cnn(0.2, True))}
    scale = float(np.min(names.get("Rescaling", {}).get("scale", 1)))
    expect(scale >= 0.1, required="pixels from 0 to 1 are not divided by 255 again", received=f"a scale of {scale:.3g}")
    shape = names.get("InputLayer", {}).get("batch_shape", (None, 28, 28, 1))
    expect_equal(tuple(shape[1:]), (28, 28, 1), what="the shape of one image")


# --- exercise 5: confusion_matrix -------------------------------------------------------------------------------------


def count_pairs(labels, predictions, classes):
    matrix = np.zeros((classes, classes), dtype=int)
    for truth, answer in zip(labels, predictions, strict=True):
        matrix[truth, answer] += 1
    return matrix


def draw_answers(rng, classes, samples):
    """Draw labels, and predictions most of which are right."""
    labels = rng.integers(classes, size=samples)
    return labels, np.where(rng.uniform(size=samples) < 0.6, labels, rng.integers(classes, size=samples))


@criterion(
    "confusion_matrix",
    hints=[
        "What shape has the table for C classes, and which numbers can stand in it?",
        "(C, C), with integers: they are counts.",
        "`np.zeros((num_classes, num_classes), dtype=int)` is the table before the first sample.",
    ],
)
def it_is_a_square_table_of_counts(student, rng):
    """The result has the shape (C, C) and holds integers that add up to the number of samples."""
    classes, samples = int(rng.integers(3, 8)), int(rng.integers(30, 60))
    received = student.confusion_matrix(*draw_answers(rng, classes, samples), classes)
    matrix = expect_shape(received, (classes, classes), what="confusion_matrix(...)")
    expect(matrix.dtype.kind in "iu", required="integers", received=f"dtype {matrix.dtype}")
    expect_equal(int(matrix.sum()), samples, what="the sum of all counts")


@criterion(
    "confusion_matrix",
    points=2,
    hints=[
        "A 4 that was taken for a 9: which row, which column?",
        "The row is the true class, the column is the predicted one: matrix[4, 9].",
        "`matrix[label, prediction] += 1` for each sample.",
    ],
)
def rows_are_true_classes_and_columns_predicted_ones(student, rng):
    """Row i, column j counts the samples of class i that were taken for class j."""
    classes = int(rng.integers(4, 8))
    labels, predictions = draw_answers(rng, classes, int(rng.integers(80, 120)))
    expected = count_pairs(labels, predictions, classes)
    expect_equal(student.confusion_matrix(labels, predictions, classes), expected, what="confusion_matrix(...)")


@criterion(
    "confusion_matrix",
    hints=[
        "What happens when the same pair occurs three times?",
        "With arrays as indices, `matrix[labels, predictions] += 1` adds 1 only once to each place.",
        "A loop over zip(labels, predictions) counts right, and so does np.add.at(matrix, (labels, predictions), 1).",
    ],
)
def a_pair_that_occurs_often_is_counted_often(student, rng):
    """The same mistake made k times counts k."""
    classes, often = int(rng.integers(3, 6)), int(rng.integers(5, 12))
    truth, answer = (int(one) for one in rng.choice(classes, size=2, replace=False))
    labels, predictions = np.full(often, truth), np.full(often, answer)
    expected = count_pairs(labels, predictions, classes)
    expect_equal(student.confusion_matrix(labels, predictions, classes), expected, what=f"{often} equal mistakes")


@criterion(
    "confusion_matrix",
    hints=[
        "How large is your table if class 9 never occurs?",
        "The size comes from num_classes, never from the data: classes without samples have rows of zeros.",
    ],
)
def classes_that_never_occur_keep_their_place(student, rng):
    """Classes that do not occur, among labels, predictions or both, have rows and columns of zeros."""
    classes = int(rng.integers(7, 11))
    labels, predictions = rng.integers(2, 4, size=11), rng.integers(3, 6, size=11)
    expected = count_pairs(labels, predictions, classes)
    expect_equal(student.confusion_matrix(labels, predictions, classes), expected, what=f"for {classes} classes")


@criterion(
    "confusion_matrix",
    hints=[
        "Does your code sort labels, or change them in another way?",
        "Only read from labels and predictions. They belong together by their order.",
    ],
)
def the_labels_and_predictions_stay(student, rng):
    """labels and predictions are not changed, and one sample alone works too."""
    for samples in (17, 1):
        labels, predictions = draw_answers(rng, 5, samples)
        received = student.confusion_matrix(labels, predictions, 5)
        expect_unchanged(student)
        expect_equal(received, count_pairs(labels, predictions, 5), what=f"for N = {samples}")


# --- exercise 6: precision_recall_f1 ----------------------------------------------------------------------------------


def measures(confusion):
    """Compute precision, recall and F1 of each class from the definitions, one class at a time."""
    rows = []
    for k in range(len(confusion)):
        right, predicted, true = float(confusion[k, k]), float(confusion[:, k].sum()), float(confusion[k].sum())
        precision, recall = right / predicted if predicted else 0.0, right / true if true else 0.0
        total = precision + recall
        rows.append([precision, recall, 2 * precision * recall / total if total else 0.0])
    return np.array(rows)


def draw_confusion(rng):
    """Draw counts in which precision and recall of a class differ clearly."""
    classes = int(rng.integers(4, 8))
    confusion = rng.integers(1, 12, size=(classes, classes)) + np.diag(rng.integers(5, 90, size=classes))
    confusion[rng.integers(classes)] *= 7  # a class with many samples: its row is large, and other columns suffer
    return confusion


def call_measures(student, confusion):
    received = student.precision_recall_f1(confusion)
    return expect_shape(received, (len(confusion), 3), what="precision_recall_f1(confusion)")


@criterion(
    "precision_recall_f1",
    hints=[
        "Of all samples that were called a 3, where in the matrix are they? And which of them are right?",
        "They are column 3, and the right one is on the diagonal. Precision divides by the sum of the column.",
        "`np.diag(confusion) / confusion.sum(axis=0)`.",
    ],
)
def precision_asks_how_many_answers_are_right(student, rng):
    """Column 0 is the precision: the share of the answers k that are right, the diagonal over the column's sum."""
    confusion = draw_confusion(rng)
    received = call_measures(student, confusion)
    expect_close(received[:, 0], measures(confusion)[:, 0], what="the precision of each class")


@criterion(
    "precision_recall_f1",
    hints=[
        "Of all true 3s, where in the matrix are they?",
        "They are row 3. Recall divides by the sum of the row: the share of true 3s that were found.",
        "`np.diag(confusion) / confusion.sum(axis=1)`.",
    ],
)
def recall_asks_how_many_of_a_class_are_found(student, rng):
    """Column 1 is the recall: the share of the true k that were found, the diagonal over the row's sum."""
    confusion = draw_confusion(rng)
    received = call_measures(student, confusion)
    expect_close(received[:, 1], measures(confusion)[:, 1], what="the recall of each class")


@criterion(
    "precision_recall_f1",
    points=2,
    hints=[
        "Precision 1 and recall 0.1: is F1 nearer to 0.55 or to 0.1?",
        "The harmonic mean 2 P R / (P + R) stays close to the smaller one. Here it is 0.18.",
        "`2 * precision * recall / (precision + recall)`. The accuracy plays no part.",
    ],
)
def f1_is_the_harmonic_mean(student, rng):
    """Column 2 is F1, the harmonic mean of the precision and the recall of the class."""
    confusion = draw_confusion(rng)
    received = call_measures(student, confusion)
    expect_close(received[:, 2], measures(confusion)[:, 2], what="F1 of each class")


@criterion(
    "precision_recall_f1",
    points=2,
    hints=[
        "What is the precision of a class that was never predicted, and the recall of one that never occurs?",
        "Each would be 0 divided by 0. We agreed on 0, without a NaN and without a warning.",
        "`np.divide(a, b, out=np.zeros(len(a)), where=b > 0)` leaves 0 wherever b is 0.",
    ],
)
def where_zero_would_divide_the_result_is_zero(student, rng):
    """A class without samples, without predictions, or without one right answer gets 0 where it would be 0/0."""
    confusion = draw_confusion(rng)
    never_true, never_predicted, never_right = rng.choice(len(confusion), size=3, replace=False)
    confusion[never_true], confusion[:, never_predicted], confusion[never_right, never_right] = 0, 0, 0
    for matrix, what in ((confusion, "precision, recall and F1"), (np.zeros((3, 3), dtype=int), "for an empty matrix")):
        received = call_measures(student, matrix)
        expect(np.isfinite(received).all(), required="no NaN and no infinity", received=received)
        expect_close(received, measures(matrix), what=what)


@criterion(
    "precision_recall_f1",
    hints=[
        "How many rows has your result for C classes, and what stands in a row?",
        "One row for each class, with three columns: np.stack([precision, recall, f1], axis=1).",
    ],
)
def each_class_has_a_row_and_the_matrix_stays(student, rng):
    """The result has the shape (C, 3) for any C, exact fractions, and the matrix is not changed."""
    for classes in (2, 3, 5):
        confusion = rng.integers(1, 9, size=(classes, classes))
        received = call_measures(student, confusion)
        expect_unchanged(student)
        expect_close(received, measures(confusion), what=f"the measures of {classes} classes")


# --- exercise 7: train_and_save ---------------------------------------------------------------------------------------

# Beside the learner's code: a model that is quick to train, one that reads digits, a place for the file.
HELPERS = """
import shutil
import tempfile
import warnings
from pathlib import Path

import keras

# NumPy 2 says this of Keras' own code whenever a model is saved; where warnings are errors, nothing could be saved.
warnings.filterwarnings("ignore", "__array__ implementation doesn't accept a copy keyword", DeprecationWarning)


def make_simple_model(size, classes):
    return keras.Sequential([keras.Input((size, size, 1)), keras.layers.Flatten(), keras.layers.Dense(classes)])


def make_digit_model():
    from llmcourse.models.cnn import build_small_cnn

    return build_small_cnn(dropout=0.3)


def make_path():
    return str(Path(tempfile.mkdtemp()) / "best.keras")


def load_again(path):
    if not Path(path).is_file():
        raise FileNotFoundError("train_and_save left no file at the given path")
    return keras.saving.load_model(path, compile=False)


def remove(path):
    shutil.rmtree(Path(path).parent)
"""


class Trained:
    """Trains a model on the learner's side, loads it again from its file, and cleans up."""

    def __init__(self, student, model, sets):
        self.student, self.model, self.sets = student, model, sets

    def __enter__(self):
        self.path = self.student.make_path()
        try:
            self.history = self.student.train_and_save(self.model, *self.sets, self.path)
            self.changed = list(self.student._changed)
            expect(isinstance(self.history, dict), required="a dict of lists of numbers", received=self.history)
            return self
        except BaseException:
            self.student.remove(self.path)
            raise

    def __exit__(self, *error):
        self.student.remove(self.path)

    def losses(self, name):
        """Give one list of the history as an array."""
        have = ", ".join(self.history) or "nothing"
        expect(name in self.history, required=f'the history has "{name}"', received=have)
        values = np.asarray(self.history[name], dtype=float)
        fits = values.ndim == 1 and len(values) >= 1 and np.isfinite(values).all()
        expect(fits, required=f'history["{name}"] has one finite number for each epoch', received=self.history[name])
        return values

    def reloaded_logits(self, x):
        return np.asarray(self.student.load_again(self.path)(x, training=False), dtype=float)


def cross_entropy(logits, one_hot):
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_probs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return float(-(one_hot * log_probs).sum(axis=1).mean())


def draw_small_sets(rng, mislabelled=0.0, samples=640):
    """Draw small images of a few patterns in noise: the four arrays of train_and_save, size and number of classes.

    Where a share of the labels for validation is wrong, a model that gets too sure of what it learns is punished: the
    validation loss falls at first and rises later, so that the best epoch is not the last one.
    """
    size, classes = int(rng.integers(5, 8)), int(rng.integers(4, 7))
    patterns = rng.integers(2, size=(classes, size, size, 1))
    labels = rng.integers(classes, size=2 * samples)
    noise = rng.normal(scale=0.2, size=(2 * samples, size, size, 1))
    x = np.clip(0.15 + 0.7 * patterns[labels] + noise, 0, 1).astype(np.float32)
    wrong = np.arange(2 * samples) >= samples + (1 - mislabelled) * samples
    labels = np.where(wrong, (labels + 1) % classes, labels)
    one_hot = np.eye(classes, dtype=np.float32)[labels]
    return (x[:samples], one_hot[:samples], x[samples:], one_hot[samples:]), size, classes


def train_small(student, rng, **settings):
    student.define(HELPERS)
    sets, size, classes = draw_small_sets(rng, **settings)
    return Trained(student, student.make_simple_model(size, classes), sets)


@criterion(
    "train_and_save",
    points=2,
    slow=True,
    hints=[
        "What does model.fit return, and what do we want? And what does the loss expect, logits or probabilities?",
        "fit returns a History object; its attribute history is the dict of lists. It has val_loss if fit is given "
        "validation_data, and accuracies if compile is given metrics=['accuracy']. The model gives logits; "
        "the loss must be told so.",
        "`loss=keras.losses.CategoricalCrossentropy(from_logits=True)`, and at the end `return history.history`.",
    ],
)
def the_history_tells_the_cross_entropy_of_each_epoch(student, rng):
    """The result is a dict with loss, accuracy, val_loss and val_accuracy, lists with one number for each epoch; the
    losses are the cross-entropy of the softmax of the logits.
    """
    with train_small(student, rng) as run:
        lengths = {name: len(run.losses(name)) for name in ("loss", "accuracy", "val_loss", "val_accuracy")}
        expect(len(set(lengths.values())) == 1, required="four lists of the same length", received=str(lengths))
        expect(not run.changed, required="the images and labels stay as they were", received=", ".join(run.changed))
        losses, loss = run.losses("val_loss"), cross_entropy(run.reloaded_logits(run.sets[2]), run.sets[3])
        near = np.abs(losses - loss).min() < 2e-3 * max(1.0, loss)
        required = f"a validation loss of {loss:.3f}, the cross-entropy of the saved model's logits, in some epoch"
        expect(near, required=required, received=f"losses from {losses.min():.3f} to {losses.max():.3f}")


@criterion(
    "train_and_save",
    points=3,
    slow=True,
    hints=[
        "If the validation loss rises from epoch 3 on, which weights should be in the file? And which in the model?",
        "Keep the weights of the epoch with the lowest validation loss, and put them back into the model before you "
        "save it. Keras has a callback that does this.",
        '`keras.callbacks.EarlyStopping(monitor="val_loss", patience=3, restore_best_weights=True)` in fit, then '
        "model.save(path).",
    ],
)
def the_file_and_the_model_hold_the_best_epoch(student, rng):
    """The file holds the whole model of the epoch with the lowest validation loss, and the model itself agrees with it:
    loaded again, it predicts identically.
    """
    with train_small(student, rng, mislabelled=0.9) as run:
        losses, x_val, y_val = run.losses("val_loss"), *run.sets[2:]
        expect(len(losses) >= 2, required="more than one epoch", received=f"{len(losses)}")
        logits = run.reloaded_logits(x_val)
        loss, best = cross_entropy(logits, y_val), float(losses.min())
        required = f"a saved model with the lowest validation loss, {best:.4f} in epoch {int(losses.argmin()) + 1}"
        expect(abs(loss - best) < 1e-4 * max(1.0, best), required=required, received=f"one with {loss:.4f}")
        expected = np.asarray(run.model(x_val, training=False), dtype=float)
        expect_close(logits, expected, what="the reloaded model's logits, beside the model's own", tolerance=1e-5)


@criterion(
    "train_and_save",
    slow=True,
    hints=[
        "Which images does your function learn from?",
        "The validation images only measure. Whoever learns from them cannot measure with them any more.",
        "`model.fit(x_train, y_train, validation_data=(x_val, y_val), ...)`",
    ],
)
def the_validation_images_are_never_learned(student, rng):
    """A class that occurs only among the validation images stays unknown to the model."""
    student.define(HELPERS)
    (x_train, y_train, x_val, y_val), size, classes = draw_small_sets(rng)
    known, secret = y_train.argmax(axis=1) > 0, y_val.argmax(axis=1) == 0
    x_val[secret] = 1 - x_val[secret]
    sets = (x_train[known], y_train[known], x_val, y_val)
    with Trained(student, student.make_simple_model(size, classes), sets) as run:
        run.losses("val_loss")
        share = float((run.reloaded_logits(x_val[secret]).argmax(axis=1) == 0).mean())
        learned = float((run.reloaded_logits(sets[0]).argmax(axis=1) == 0).mean())
        required = "the class that only validation images have is hardly ever answered"
        expect(max(share, learned) < 0.25, required=required, received=f"in {share:.0%} of its images")


def move_and_dim(images, rng):
    """Move each image by less than half a pixel in both directions and dim it a little: float32 (N, 28, 28, 1)."""
    images = images / 255.0
    for axis in (1, 2):
        shift = rng.uniform(-0.4, 0.4, size=(len(images), 1, 1))
        ahead, back = np.roll(images, 1, axis), np.roll(images, -1, axis)  # the rim of a digit is empty
        images = (1 - np.abs(shift)) * images + np.maximum(shift, 0) * ahead + np.maximum(-shift, 0) * back
    return (images * rng.uniform(0.8, 1.0, size=(len(images), 1, 1)))[..., None].astype(np.float32)


@criterion(
    "train_and_save",
    points=3,
    slow=True,
    hints=[
        "What share of the digits is right: 10 %, 90 %, or almost enough?",
        "About 10 %: does the loss fall? About 90 %: more epochs, or a better learning rate.",
        "Adam with learning rate 0.002, batches of 64 and 12 epochs reach about 97 %.",
    ],
)
def at_least_95_percent_of_unseen_digits(student, rng):
    """After training on 3,600 digits, the saved network knows at least 95 % of 1,000 that it has never seen."""
    from llmcourse.data import load_mnist

    student.define(HELPERS)
    data, names = load_mnist("small"), rng.permutation(10)
    x, y = move_and_dim(data.x_train, rng), np.eye(10, dtype=np.float32)[names[data.y_train]]
    with Trained(student, student.make_digit_model(), (x[:3600], y[:3600], x[3600:], y[3600:])) as run:
        predicted = run.reloaded_logits(move_and_dim(data.x_test, rng)).argmax(axis=1)
        share = float((predicted == names[data.y_test]).mean())
        expect(share >= 0.95, required="at least 95 % of 1,000 unseen digits", received=f"{share:.1%}")
