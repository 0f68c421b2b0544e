"""Exercise `build_cnn`: what a right answer must do, and typical wrong ones."""

import numpy as np

from llmcourse.checking import accepted, criterion, expect, expect_close, expect_equal, expect_shape, mutants


def draw_batch(rng, count):
    """Draw smooth bright shapes on black, as digits are: (count, 28, 28, 1), float32 from 0 to 1."""
    places = np.arange(28)
    middles, widths = rng.uniform(9, 18, size=(2, count, 1)), rng.uniform(2, 5, size=(2, count, 1))
    rows, columns = np.exp(-(((places - middles) / widths) ** 2))
    return (rows[:, :, None] * columns[:, None, :])[..., None].astype(np.float32)


LAYERS = """
import keras


def layers_of_model(model):
    found = []

    def plain(value):
        if isinstance(value, (list, tuple)):
            return [plain(each) for each in value]
        return value if isinstance(value, (int, float, str)) else None

    def walk(part):
        own = part._layers if isinstance(part, keras.Sequential) else getattr(part, "operations", None)
        if own is None:  # a class of the learner's: what it does between its layers cannot be seen
            found.append(["own class", {}])
            own = part._flatten_layers(include_self=False, recursive=False)
        for operation in own:
            if hasattr(operation, "_flatten_layers") and hasattr(operation, "count_params") and hasattr(operation, "fit"):
                walk(operation)
                continue
            try:
                settings = {key: plain(value) for key, value in operation.get_config().items()}
            except Exception:
                settings = {}
            found.append([type(operation).__name__, settings])

    walk(model)
    return found
"""
BENDS = ("relu", "elu", "gelu", "silu", "swish", "tanh", "sigmoid", "mish", "maximum", "activation", "softplus")


def build(student, dropout, augment):
    """Build the learner's model, and call it once, so that a model of a class of its own knows its weights."""
    model = student.build_cnn(dropout, augment)
    model(np.zeros((1, 28, 28, 1), dtype=np.float32), training=False)
    return model


def layers_of(student, model):
    """List all layers and operations of a model, also those of models inside it: (class, settings)."""
    student.define(LAYERS)
    return [(name, settings) for name, settings in student.layers_of_model(model)]


def spread(first, second):
    """Give the largest difference of two arrays of logits."""
    return float(np.abs(np.asarray(first, dtype=float) - np.asarray(second, dtype=float)).max())


@criterion(
    hints=[
        "What is the shape of one image, and how many classes are there?",
        "Begin with keras.Input((28, 28, 1)); N stays open. End with a layer of 10 outputs.",
        "Before the last layer: `keras.layers.Flatten()`, then `keras.layers.Dense(10)`.",
    ],
)
def ten_logits_for_each_image(student, rng):
    """The model maps (N, 28, 28, 1) to (N, 10), for any N; logits may be negative and do not sum to 1."""
    model = build(student, 0.3, True)
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
    hints=[
        "How many convolutions has your model, and what makes the image smaller?",
        "Two blocks or more, each a convolution, a ReLU, and pooling or a stride of 2.",
        "`Conv2D(16, 5, strides=2, padding='same')`, `BatchNormalization()`, `ReLU()`; then with `Conv2D(32, 3, ...)`.",
    ],
)
def two_convolutions_or_more(student, rng):
    """The model has at least two convolution layers, and is smaller than the image before its last layer."""
    found = layers_of(student, build(student, 0.2, False))
    convolutions = [settings for name, settings in found if name.endswith("Conv2D")]
    expect(len(convolutions) >= 2, required="two convolution layers or more", received=f"{len(convolutions)}")
    strided = any(np.max(settings.get("strides", 1)) > 1 for settings in convolutions)
    smaller = strided or any("Pooling" in name for name, _ in found) or any(name == "own class" for name, _ in found)
    expect(smaller, required="a stride or pooling that makes the image smaller", received="neither")


@criterion(
    hints=[
        "What stands between your two convolutions?",
        "Two convolutions with nothing between them are one: both are affine. Put a ReLU after each.",
        "`keras.layers.ReLU()` after each convolution or its normalisation, or `activation='relu'` inside Conv2D.",
    ],
)
def a_bend_follows_the_convolutions(student, rng):
    """The model is not affine: a ReLU, or another bend, stands between the convolutions and after them."""
    model = build(student, 0.0, False)
    a, b = draw_batch(rng, 4), draw_batch(rng, 4)
    zero = np.zeros_like(a)
    together, alone = model(a + b, training=False), (model(each, training=False) for each in (a, b, zero))
    first, second, nothing = (np.asarray(each, dtype=float) for each in alone)
    bent = spread(np.asarray(together, dtype=float) + nothing, first + second)
    required = "a model that is not affine: f(a + b) + f(0) differs from f(a) + f(b)"
    expect(bent > 1e-4, required=required, received=f"a difference of {bent:.2g}")
    found = layers_of(student, model)
    if not any(name == "own class" for name, _ in found):
        bends = sum(
            any(
                word in f"{name} {settings.get('activation')}".lower().replace("activation linear", "")
                for word in BENDS
            )
            for name, settings in found
        )
        expect(bends >= 2, required="a bend, such as ReLU, after each of two convolutions or more", received=f"{bends}")


@criterion(
    hints=[
        "Where are most of the parameters: in the convolutions or in the dense layers?",
        "Make the image smaller before Flatten, with strides or pooling, and leave out large dense layers.",
        "`model.summary()` shows the parameters of each layer.",
    ],
)
def at_most_300_000_parameters(student, rng):
    """The model has 300,000 parameters or fewer, and augmentation adds none."""
    plain, augmented = (build(student, 0.2, augment).count_params() for augment in (False, True))
    expect(1000 <= plain <= 300_000, required="from 1,000 to 300,000 parameters", received=f"{plain:,}")
    expect_equal(augmented, plain, what="the number of parameters with augmentation")


@criterion(
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
    hints=[
        "What should dropout=0 do, and what dropout=0.5?",
        "keras.layers.Dropout(dropout), before the last Dense layer. It acts in training only.",
    ],
)
def dropout_acts_in_training_with_the_given_share(student, rng):
    """The model has a Dropout layer with the given share; it changes the logits in training, and with 0 it does not."""
    share, x = float(rng.uniform(0.3, 0.6)), draw_batch(rng, 5)
    model = student.build_cnn(share, False)
    rates = [settings.get("rate") for name, settings in layers_of(student, model) if "Dropout" in name]
    fits = any(rate is not None and abs(rate - share) < 1e-6 for rate in rates)
    expect(fits, required=f"a Dropout layer with the share {share:.2f}", received=f"shares {rates}")
    differs = spread(model(x, training=True), model(x, training=True)) > 1e-4
    expect(differs, required="other logits each time in training, with dropout", received="the same logits twice")
    model = student.build_cnn(0.0, False)
    same = spread(model(x, training=True), model(x, training=True)) < 1e-4
    expect(same, required="the same logits twice in training, with dropout 0 and no augmentation", received="others")


@criterion(
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
    moved = spread(model(x, training=True), model(x, training=True)) > 1e-6  # a mean over all places moves little
    expect(moved, required="other logits each time in training, with augmentation", received="the same logits twice")
    empty = np.zeros((5, 28, 28, 1), dtype=np.float32)
    still = spread(model(empty, training=True), model(empty, training=True)) < 1e-4
    expect(still, required="an empty image stays empty, wherever it is moved", received="noise in it")
    found = layers_of(student, model)
    flips = [name for name, _ in found if "Flip" in name]
    expect(not flips, required="no mirror images: a mirrored digit is no digit", received=", ".join(flips))
    for name, setting, most in (
        ("Rotation", "factor", 0.1),
        ("Translation", "height_factor", 0.25),
        ("Translation", "width_factor", 0.25),
        ("Zoom", "height_factor", 0.3),
    ):
        for layer, settings in found:
            if name in layer and settings.get(setting) is not None:
                size = float(np.abs(settings[setting]).max())
                required = f"images that are still the same digits: a {setting} of at most {most} in {layer}"
                expect(size <= most, required=required, received=size)


@criterion(
    hints=[
        "In which range are the pixels that the model is given?",
        "prepare has already divided by 255. Dividing a second time would leave almost nothing.",
    ],
)
def the_pixels_are_taken_as_they_come(student, rng):
    """The model takes pixels from 0 to 1: an image still counts, and nothing divides by 255 again."""
    found = layers_of(student, build(student, 0.2, True))
    scale = min(
        [float(np.min(settings.get("scale", 1))) for name, settings in found if name == "Rescaling"], default=1.0
    )
    expect(scale >= 0.1, required="pixels from 0 to 1 are not divided by 255 again", received=f"a scale of {scale:.3g}")
    name, settings = found[0]
    shape = settings.get("batch_shape") if name == "InputLayer" else None
    expect_equal(tuple((shape or (None, 28, 28, 1))[1:]), (28, 28, 1), what="the shape of one image")


# --- typical wrong answers, each with the criterion that must catch it ------------------------------------------------

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
mutants(
    MODEL,
    "a_bend_follows_the_convolutions",
    [
        ("no activation", "        stack.append(layers.ReLU())\n", ""),
        ("pooling, but no activation", "strides=2,", "strides=1,", "layers.ReLU()", "layers.MaxPooling2D(2)"),
        ("an activation that does nothing", "layers.ReLU()", 'layers.Activation("linear")'),
    ],
)
mutants(
    MODEL,
    "augmentation_moves_the_images_in_training",
    [
        ("turns images upside down", MOVE, "layers.RandomRotation(0.5)"),
        ("moves them out of sight", MOVE, 'layers.RandomTranslation(0.5, 0.5, fill_mode="constant")'),
    ],
)

# --- right answers written otherwise ----------------------------------------------------------------------------------

accepted(
    "blocks that are models themselves",
    """
import keras
from keras import layers

def block(inputs, filters):
    return keras.Sequential(
        [keras.Input(inputs), layers.Conv2D(filters, 3, padding="same", activation="relu"), layers.MaxPooling2D(2)]
    )

def build_cnn(dropout, augment):
    image = keras.Input((28, 28, 1))
    x = layers.RandomRotation(0.03, fill_mode="constant")(image) if augment else image
    x = block((28, 28, 1), 12)(x)
    x = block((14, 14, 12), 24)(x)
    return keras.Model(image, layers.Dense(10)(layers.Dropout(dropout)(layers.Flatten()(x))))
""",
)
accepted(
    "a class of its own",
    """
import keras

class Net(keras.Model):
    def __init__(self, dropout, augment):
        super().__init__()
        self.move = keras.layers.RandomTranslation(0.1, 0.1, fill_mode="constant") if augment else None
        self.first = keras.layers.Conv2D(8, 5, strides=2, padding="same")
        self.second = keras.layers.Conv2D(16, 3, strides=2, padding="same")
        self.drop, self.flat, self.out = keras.layers.Dropout(dropout), keras.layers.Flatten(), keras.layers.Dense(10)

    def call(self, x, training=None):
        if self.move is not None:
            x = self.move(x, training=training)
        x = keras.ops.relu(self.first(x))
        x = keras.ops.relu(self.second(x))
        return self.out(self.drop(self.flat(x), training=training))

def build_cnn(dropout, augment):
    return Net(dropout, augment)
""",
)
accepted(
    "two convolutions and one pooling by four",
    """
def build_cnn(dropout, augment):
    import keras
    L = keras.layers
    moves = [L.RandomZoom(0.1, fill_mode="constant"), L.RandomTranslation(0.1, 0.1, fill_mode="constant")]
    return keras.Sequential([
        keras.Input(shape=(28, 28, 1)), *(moves if augment else []),
        L.Conv2D(8, 3, activation="relu"), L.Conv2D(16, 3, activation="relu"), L.MaxPooling2D(4),
        L.Flatten(), L.Dropout(dropout), L.Dense(10),
    ])
""",
)
accepted(
    "the second one with a stride only, GELU, and the mean over all places",
    """
import keras

def build_cnn(dropout, augment):
    inputs = keras.Input((28, 28, 1))
    x = inputs
    if augment:
        x = keras.layers.RandomTranslation(0.05, 0.05, fill_mode="constant")(x)
    x = keras.layers.Conv2D(16, 3, activation="gelu")(x)
    x = keras.activations.gelu(keras.layers.Conv2D(32, 3, 2)(x))
    x = keras.layers.SpatialDropout2D(dropout)(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(10)(x))
""",
)
