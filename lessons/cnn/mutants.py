"""Typical wrong answers of the lesson `cnn`; each must fail the criterion that it names.

Most are a right answer with one piece changed, as people do it.
"""

from llmcourse.checking import mutant, mutants

# --- exercise 1: prepare ----------------------------------------------------------------------------------------------

PREPARE = """
def prepare(images, labels):
    x = images[..., np.newaxis].astype(np.float32) / 255
    y = np.eye(10, dtype=np.float32)[labels]
    return x, y
"""
X, Y = "images[..., np.newaxis].astype(np.float32) / 255", "np.eye(10, dtype=np.float32)[labels]"
mutants("prepare", PREPARE, "*", [("imports the answer", PREPARE, "from llmcourse.steps.cnn import prepare")])
mutants(
    "prepare",
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
    "prepare",
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
    "prepare",
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
    "prepare",
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

# --- exercise 2: conv2d -----------------------------------------------------------------------------------------------

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
    "conv2d",
    CONV,
    "*",
    [("imports the answer", CONV, "from llmcourse.steps.cnn import conv2d"), ("asks Keras", CONV, KERAS)],
)
mutants(
    "conv2d",
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
    "conv2d",
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
    "conv2d",
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
    "conv2d",
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
    "conv2d",
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
    "conv2d",
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
    "conv2d",
    CONV,
    "one_image_works_and_the_inputs_stay",
    [
        ("drops axes of length 1", "return result", "return np.squeeze(result)"),
        ("writes into the kernel", "    result =", "    kernel /= 1 + 1e-9\n    result ="),
        ("writes into the image", "    result = np.zeros", "    x[..., 0] += 1e-9\n    result = np.zeros"),
    ],
)

# --- exercise 3: max_pool2d -------------------------------------------------------------------------------------------

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
mutants("max_pool2d", POOL, "*", [("imports the answer", POOL, "from llmcourse.steps.cnn import max_pool2d")])
mutant("max_pool2d", fails="each_square_becomes_one_value", why="squares that overlap", source=OVERLAP)
mutant("max_pool2d", fails="one_image_works_and_x_stays", why="collects the largest in x itself", source=IN_PLACE)
mutants(
    "max_pool2d",
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
    "max_pool2d",
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
    "max_pool2d",
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
    "max_pool2d",
    POOL,
    "one_image_works_and_x_stays",
    [("drops axes of length 1", "axis=(2, 4))", "axis=(2, 4)).squeeze()")],
)

# --- exercise 4: build_cnn --------------------------------------------------------------------------------------------

MODEL = """
def build_cnn(dropout, augment):
    import keras
    from keras import layers

    stack = [keras.Input((28, 28, 1))]
    if augment:
        stack.append(layers.RandomTranslation(0.08, 0.08, fill_mode="constant"))
    for filters, size in ((16, 5), (32, 3)):
        stack.append(layers.Conv2D(filters, size, strides=2, padding="same", use_bias=False))
        stack.append(layers.BatchNormalization(momentum=0.9))
        stack.append(layers.ReLU())
    stack.append(layers.Flatten())
    stack.append(layers.Dropout(dropout))
    stack.append(layers.Dense(10))
    return keras.Sequential(stack)
"""
ALWAYS = """
def build_cnn(dropout, augment):
    import keras
    from keras import layers

    image = keras.Input((28, 28, 1))
    x = layers.RandomTranslation(0.08, 0.08, fill_mode="constant")(image) if augment else image
    for filters in (16, 32):
        x = layers.Conv2D(filters, 3, strides=2, padding="same")(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        x = layers.ReLU()(x)
    x = layers.Dropout(dropout)(layers.Flatten()(x))
    return keras.Model(image, layers.Dense(10)(x))
"""
MOVE = 'layers.RandomTranslation(0.08, 0.08, fill_mode="constant")'
mutants(
    "build_cnn",
    MODEL,
    "*",
    [
        (
            "imports the answer",
            MODEL,
            "def build_cnn(dropout, augment):\n"
            "    from llmcourse.models.cnn import build_small_cnn\n\n"
            "    return build_small_cnn(dropout=dropout)",
        ),
        (
            "imports the classic one",
            MODEL,
            "def build_cnn(dropout, augment):\n"
            "    from llmcourse.models.cnn import build_classic_cnn\n\n"
            "    return build_classic_cnn(dropout)",
        ),
    ],
)
mutants(
    "build_cnn",
    MODEL,
    "ten_logits_for_each_image",
    [
        ("a softmax at the end", "Dense(10)", 'Dense(10, activation="softmax")'),
        ("a ReLU at the end", "Dense(10)", 'Dense(10, activation="relu")'),
        ("a sigmoid at the end", "Dense(10)", 'Dense(10, activation="sigmoid")'),
        ("one output", "Dense(10)", "Dense(1)"),
        ("forgets Flatten: logits for each pixel", "    stack.append(layers.Flatten())\n", ""),
        ("returns the list of layers", "return keras.Sequential(stack)", "return stack"),
    ],
)
mutants(
    "build_cnn",
    MODEL,
    "two_convolutions_or_more",
    [
        ("one convolution", "((16, 5), (32, 3))", "((16, 5),)"),
        (
            "dense layers only",
            'stack.append(layers.Conv2D(filters, size, strides=2, padding="same", use_bias=False))',
            "stack.append(layers.Dense(filters))",
        ),
        ("never makes the image smaller", "strides=2", "strides=1"),
    ],
)
mutants(
    "build_cnn",
    MODEL,
    "at_most_300_000_parameters",
    [
        (
            "a large dense layer",
            "layers.Dropout(dropout))",
            'layers.Dropout(dropout))\n    stack.append(layers.Dense(512, activation="relu"))',
        ),
        ("hundreds of filters", "((16, 5), (32, 3))", "((128, 5), (256, 3))"),
    ],
)
mutants(
    "build_cnn",
    ALWAYS,
    "the_same_images_get_the_same_logits",
    [
        (
            "dropout by hand, which does not know that it is in use",
            "layers.Dropout(dropout)(layers.Flatten()(x))",
            "layers.Lambda(lambda t: keras.random.dropout(t, dropout))(layers.Flatten()(x))",
        ),
        ("dropout also in use", "(layers.Flatten()(x))", "(layers.Flatten()(x), training=True)"),
        (
            "batch normalisation by the batch, also in use",
            "BatchNormalization(momentum=0.9)(x)",
            "BatchNormalization(momentum=0.9)(x, training=True)",
        ),
        (
            "augmentation by hand, also in use",
            'layers.RandomTranslation(0.08, 0.08, fill_mode="constant")(image)',
            "layers.Lambda(lambda t: keras.ops.roll(t, keras.random.randint((), -2, 3), axis=1))(image)",
        ),
    ],
)
mutants(
    "build_cnn",
    ALWAYS,
    "each_image_is_judged_alone",
    [
        (
            "normalises by the batch by hand, also in use",
            "layers.BatchNormalization(momentum=0.9)(x)",
            "(x - keras.ops.mean(x, axis=(0, 1, 2))) / (keras.ops.std(x, axis=(0, 1, 2)) + 0.001)",
        )
    ],
)
mutants(
    "build_cnn",
    MODEL,
    "dropout_acts_in_training_with_the_given_share",
    [
        ("forgets dropout", "    stack.append(layers.Dropout(dropout))\n", ""),
        ("always one half", "Dropout(dropout)", "Dropout(0.5)"),
        ("the share that is kept", "Dropout(dropout)", "Dropout(1 - dropout)"),
        ("noise instead of dropout", "Dropout(dropout)", "GaussianNoise(dropout)"),
        (
            "dropout on the logits too, always",
            "layers.Dense(10))",
            "layers.Dense(10))\n    stack.append(layers.Dropout(0.2))",
        ),
        ("augments always", "if augment:", "if True:"),
    ],
)
mutants(
    "build_cnn",
    MODEL,
    "augmentation_moves_the_images_in_training",
    [
        ("never augments", "if augment:", "if False:"),
        ("augments when it should not", "if augment:", "if not augment:"),
        (
            "mirror images",
            "stack.append(" + MOVE,
            'stack.append(layers.RandomFlip("horizontal"))\n        stack.append(' + MOVE,
        ),
        ("noise on the pixels", MOVE, "layers.GaussianNoise(0.3)"),
        ("builds the layer and does not use it", "stack.append(" + MOVE + ")", MOVE),
    ],
)
mutants(
    "build_cnn",
    MODEL,
    "the_pixels_are_taken_as_they_come",
    [
        (
            "divides by 255 a second time",
            "stack = [keras.Input((28, 28, 1))]",
            "stack = [keras.Input((28, 28, 1)), layers.Rescaling(1 / 255)]",
        ),
        ("no channel axis", "keras.Input((28, 28, 1))]", "keras.Input((28, 28)), layers.Reshape((28, 28, 1))]"),
    ],
)

# --- exercise 5: confusion_matrix -------------------------------------------------------------------------------------

CONFUSION = """
def confusion_matrix(labels, predictions, num_classes):
    matrix = np.zeros((num_classes, num_classes), dtype=int)
    for label, prediction in zip(labels, predictions):
        matrix[label, prediction] += 1
    return matrix
"""
PAIR, TABLE = "matrix[label, prediction]", "np.zeros((num_classes, num_classes), dtype=int)"
LOOP = "    for label, prediction in zip(labels, predictions):\n        matrix[label, prediction] += 1\n"
mutants(
    "confusion_matrix",
    CONFUSION,
    "*",
    [
        ("imports the answer", CONFUSION, "from llmcourse.steps.cnn import confusion_matrix"),
        (
            "asks scikit-learn",
            CONFUSION,
            "def confusion_matrix(labels, predictions, num_classes):\n"
            "    import sklearn.metrics\n\n"
            "    return sklearn.metrics.confusion_matrix(labels, predictions, labels=range(num_classes))",
        ),
    ],
)
mutants(
    "confusion_matrix",
    CONFUSION,
    "it_is_a_square_table_of_counts",
    [
        ("shares instead of counts", "return matrix", "return matrix / matrix.sum(axis=1, keepdims=True)"),
        ("floats", "dtype=int", "dtype=float"),
        ("begins with ones", "np.zeros", "np.ones"),
        ("counts mistakes only", "        matrix[label", "        if label != prediction: matrix[label"),
        ("counts right answers only", "        matrix[label", "        if label == prediction: matrix[label"),
        ("one number for each class", "return matrix", "return np.diag(matrix)"),
        ("a row more, for classes from 1", TABLE, "np.zeros((num_classes + 1, num_classes + 1), dtype=int)"),
    ],
)
mutants(
    "confusion_matrix",
    CONFUSION,
    "rows_are_true_classes_and_columns_predicted_ones",
    [
        ("rows are predictions", PAIR, "matrix[prediction, label]"),
        ("counts both ways", "        matrix[label", "        matrix[prediction, label] += 1\n        matrix[label"),
        ("sorts the predictions", "zip(labels, predictions)", "zip(labels, sorted(predictions))"),
        ("counts the classes from 1", PAIR, "matrix[label - 1, prediction - 1]"),
        ("does not count the last sample", "zip(labels, predictions)", "zip(labels[:-1], predictions)"),
    ],
)
mutants(
    "confusion_matrix",
    CONFUSION,
    "a_pair_that_occurs_often_is_counted_often",
    [
        ("index arrays count each pair once", LOOP, "    matrix[labels, predictions] += 1\n"),
        ("notes that a pair occurs, not how often", "] += 1", "] = 1"),
        ("goes through a set of pairs", "zip(labels, predictions)", "set(zip(labels.tolist(), predictions.tolist()))"),
    ],
)
mutants(
    "confusion_matrix",
    CONFUSION,
    "classes_that_never_occur_keep_their_place",
    [
        ("the size from the labels", TABLE, "np.zeros((max(labels.max(), predictions.max()) + 1,) * 2, dtype=int)"),
        (
            "leaves out classes without samples",
            "return matrix",
            "keep = (matrix.sum(axis=0) + matrix.sum(axis=1)) > 0\n    return matrix[keep][:, keep]",
        ),
    ],
)
mutants(
    "confusion_matrix",
    CONFUSION,
    "the_labels_and_predictions_stay",
    [
        (
            "sorts both in place",
            "    matrix = np",
            "    labels.sort(); predictions.sort()\n    matrix = np",
        )
    ],
)

# --- exercise 6: precision_recall_f1 ----------------------------------------------------------------------------------

MEASURES = """
def precision_recall_f1(confusion):
    def divide(a, b):
        return np.divide(a, b, out=np.zeros(len(a)), where=b > 0)

    right = np.diag(confusion)
    precision = divide(right, confusion.sum(axis=0))
    recall = divide(right, confusion.sum(axis=1))
    f1 = divide(2 * precision * recall, precision + recall)
    return np.stack([precision, recall, f1], axis=1)
"""
DIVIDE = "np.divide(a, b, out=np.zeros(len(a)), where=b > 0)"
F1 = "divide(2 * precision * recall, precision + recall)"
PRECISION, RECALL = "divide(right, confusion.sum(axis=0))", "divide(right, confusion.sum(axis=1))"
ACCURACY = "confusion.trace() / max(1, confusion.sum())"
SKLEARN = """
def precision_recall_f1(confusion):
    from sklearn.metrics import precision_recall_fscore_support

    classes = len(confusion)
    labels, predictions = np.repeat(np.indices(confusion.shape).reshape(2, -1), confusion.ravel(), axis=1)
    return np.stack(
        precision_recall_fscore_support(labels, predictions, labels=range(classes), zero_division=0)[:3], axis=1
    )
"""
mutants(
    "precision_recall_f1",
    MEASURES,
    "*",
    [
        ("imports the answer", MEASURES, "from llmcourse.steps.cnn import precision_recall_f1"),
        ("asks scikit-learn", MEASURES, SKLEARN),
    ],
)
mutants(
    "precision_recall_f1",
    MEASURES,
    "precision_asks_how_many_answers_are_right",
    [
        ("precision and recall exchanged", "[precision, recall, f1]", "[recall, precision, f1]"),
        ("divides by all samples", PRECISION, "right / max(1, confusion.sum())"),
        (
            "the accuracy of each class against the rest",
            PRECISION,
            "1 - (confusion.sum(axis=0) + confusion.sum(axis=1) - 2 * right) / max(1, confusion.sum())",
        ),
        ("one precision for all classes", PRECISION, f"np.full(len(right), {ACCURACY})"),
        ("right over wrong", PRECISION, "divide(right, confusion.sum(axis=0) - right)"),
        ("percent", "[precision, recall, f1]", "[100 * precision, recall, f1]"),
    ],
)
mutants(
    "precision_recall_f1",
    MEASURES,
    "recall_asks_how_many_of_a_class_are_found",
    [
        (
            "recall judges the negatives",
            RECALL,
            "divide(c := confusion.sum() - confusion.sum(axis=0) - confusion.sum(axis=1) + right, "
            "c + confusion.sum(axis=0) - right)",
        ),
        ("the share that was not found", RECALL, "1 - divide(right, confusion.sum(axis=1))"),
        ("rows and columns together", RECALL, "divide(right, confusion.sum(axis=0) + confusion.sum(axis=1) - right)"),
        ("takes the columns for both", "confusion.sum(axis=1)", "confusion.sum(axis=0)"),
        ("rounds", "[precision, recall, f1]", "[precision, recall.round(2), f1]"),
    ],
)
mutants(
    "precision_recall_f1",
    MEASURES,
    "f1_is_the_harmonic_mean",
    [
        ("the arithmetic mean", F1, "(precision + recall) / 2"),
        ("the mean of accuracy and recall", F1, f"({ACCURACY} + recall) / 2"),
        ("the geometric mean", F1, "np.sqrt(precision * recall)"),
        ("forgets the 2", "divide(2 * precision", "divide(precision"),
        ("the smaller of the two", F1, "np.minimum(precision, recall)"),
        ("the harmonic mean of accuracy and recall", F1, f"divide(2 * (a := {ACCURACY}) * recall, a + recall)"),
        ("accuracy plus recall as one number", F1, f"{ACCURACY} + recall"),
    ],
)
mutants(
    "precision_recall_f1",
    MEASURES,
    "where_zero_would_divide_the_result_is_zero",
    [
        ("divides 0 by 0", DIVIDE, "np.asarray(a) / b"),
        ("1 instead of 0", "np.zeros(len(a))", "np.ones(len(a))"),
        ("leaves what was in memory", "out=np.zeros(len(a))", "out=np.full(len(a), 0.5)"),
        (
            "counts of at least 1 in every cell",
            "    def divide",
            "    confusion = np.maximum(confusion, 1)\n    def divide",
        ),
        ("minus 1 where there is nothing", "np.zeros(len(a))", "np.full(len(a), -1.0)"),
    ],
)
mutants(
    "precision_recall_f1",
    MEASURES,
    "each_class_has_a_row_and_the_matrix_stays",
    [
        ("a column for each class", ", axis=1)\n", ", axis=0)\n"),
        ("the mean over the classes", "axis=1)\n", "axis=1).mean(axis=0)\n"),
        ("a small constant below every fraction", DIVIDE, "a / (b + 1e-6)"),
        ("scales the matrix in place", "    right =", "    confusion *= 2\n    right ="),
        (
            "whole numbers",
            "np.stack([precision, recall, f1], axis=1)",
            "np.stack([precision, recall, f1], axis=1).astype(int)",
        ),
    ],
)

# --- exercise 7: train_and_save ---------------------------------------------------------------------------------------

TRAIN = """
def train_and_save(model, x_train, y_train, x_val, y_val, path):
    import keras

    model.compile(
        optimizer=keras.optimizers.Adam(0.003),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,
    )
    best = keras.callbacks.EarlyStopping(monitor="val_loss", patience=3, restore_best_weights=True)
    history = model.fit(
        x_train,
        y_train,
        validation_data=(x_val, y_val),
        batch_size=64,
        epochs=6,
        callbacks=[best],
        verbose=0,
    )
    model.save(path)
    return history.history
"""
FIT = "    history = model.fit("
CHECKPOINT = 'ModelCheckpoint(path, monitor="val_loss", save_best_only=True)'
SHORT = TRAIN.replace("epochs=6", "epochs=2")
IMPORTED = """
def train_and_save(model, x_train, y_train, x_val, y_val, path):
    from llmcourse.steps.cnn import train_and_save as answer

    return answer(model, x_train, y_train, x_val, y_val, path, epochs=2)
"""
mutant("train_and_save", fails="*", why="imports the answer", source=IMPORTED)
mutants(
    "train_and_save",
    SHORT,
    "the_history_tells_the_cross_entropy_of_each_epoch",
    [
        ("returns the History object", "history.history", "history"),
        ("returns the losses only", "history.history", 'history.history["val_loss"]'),
        ("no validation", "        validation_data=(x_val, y_val),\n", ""),
        ("no accuracy", '        metrics=["accuracy"],\n', ""),
    ],
)
mutants(
    "train_and_save",
    SHORT,
    "the_history_tells_the_cross_entropy_of_each_epoch",
    [
        ("does not say that they are logits", "from_logits=True", ""),
        ("the loss for class numbers", "keras.losses.Categorical", "keras.losses.SparseCategorical"),
        ("squared error", "keras.losses.CategoricalCrossentropy(from_logits=True)", "keras.losses.MeanSquaredError()"),
    ],
)
mutants(
    "train_and_save",
    TRAIN,
    "the_file_and_the_model_hold_the_best_epoch",
    [
        ("saves the last epoch", "callbacks=[best]", "callbacks=[]"),
        ("stops early and keeps the last weights", ", restore_best_weights=True", ""),
        ("the best training loss", '"val_loss"', '"loss"'),
        ("saves before it trains", FIT, f"    model.save(path)\n    path += '.keras'\n{FIT}"),
        ("saves nothing", "    model.save(path)\n", ""),
        (
            "weights without the structure",
            "model.save(path)",
            'model.save_weights(path.replace("keras", "weights.h5"))',
        ),
    ],
)
mutants(
    "train_and_save",
    TRAIN.replace("    model.save(path)\n", ""),
    "the_file_and_the_model_hold_the_best_epoch",
    [
        (
            "the best epoch in the file and the last one in the model",
            'EarlyStopping(monitor="val_loss", patience=3, restore_best_weights=True)',
            CHECKPOINT,
        )
    ],
)
mutants(
    "train_and_save",
    TRAIN.replace("epochs=6", "epochs=12"),
    "the_validation_images_are_never_learned",
    [
        (
            "trains on both sets",
            "        x_train,\n        y_train,\n",
            "        np.concatenate([x_train, x_val]),\n        np.concatenate([y_train, y_val]),\n",
        ),
        ("the two sets exchanged", "        x_train,\n        y_train,\n", "        x_val,\n        y_val,\n"),
    ],
)
mutants(
    "train_and_save",
    SHORT,
    "at_least_95_percent_of_unseen_digits",
    [
        ("one epoch", "epochs=2", "epochs=1"),
        ("a learning rate far too small", "Adam(0.003)", "Adam(1e-6)"),
        ("a learning rate far too large", "Adam(0.003)", "Adam(3.0)"),
    ],
)
