"""Exercise `build_cnn`: what a right answer must do, and typical wrong ones."""

import numpy as np

from llmcourse.checking import (
    accepted,
    criterion,
    expect,
    expect_close,
    expect_equal,
    expect_learning,
    expect_shape,
    mutants,
)
from llmcourse.checking.raised import StudentError


def draw_batch(rng, count):
    """Draw smooth bright shapes on black, as digits are: (count, 28, 28, 1), float32 from 0 to 1."""
    places = np.arange(28)
    middles, widths = rng.uniform(9, 18, size=(2, count, 1)), rng.uniform(2, 5, size=(2, count, 1))
    rows, columns = np.exp(-(((places - middles) / widths) ** 2))
    return (rows[:, :, None] * columns[:, None, :])[..., None].astype(np.float32)


# Beside the learner's code: what happens in a model is noted while it computes, however it is built and nested.
TRACE = """
from contextlib import contextmanager

import keras
import numpy as np

CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.SeparableConv2D, keras.layers.DepthwiseConv2D)


@contextmanager
def watching_layers(note):
    \"\"\"Hand each layer's call to note(layer, compute, inputs), which gives the result.\"\"\"
    original = keras.layers.Layer.__call__

    def call(self, *args, **kwargs):
        if isinstance(self, keras.Model) or not args:
            return original(self, *args, **kwargs)
        return note(self, lambda: original(self, *args, **kwargs), args[0])

    keras.layers.Layer.__call__ = call
    try:
        yield
    finally:
        keras.layers.Layer.__call__ = original


def plain(value):
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return value if isinstance(value, (int, float, str)) else None


def is_a_model(model):
    return isinstance(model, keras.Model)


def layers_in_use(model, x, training):
    \"\"\"List the layers that work when the model computes: classes, settings, shapes of what goes in and comes out.\"\"\"
    found = {}

    def note(layer, compute, inputs):
        result = compute()
        try:
            settings = {key: plain(value) for key, value in layer.get_config().items()}
        except Exception:
            settings = {}
        found[id(layer)] = {
            "name": type(layer).__name__,
            "classes": [base.__name__ for base in type(layer).__mro__],
            "convolution": isinstance(layer, CONVOLUTIONS),
            "learns": all(any(weight is each for each in model.trainable_variables) for weight in layer.weights),
            "settings": settings,
            "before": list(getattr(inputs, "shape", ())),
            "after": list(getattr(result, "shape", ())),
        }
        return result

    with watching_layers(note):
        model(x, training=training)
    return list(found.values())


def what_the_first_convolution_gets(model, x, training):
    seen = []

    def note(layer, compute, inputs):
        if isinstance(layer, CONVOLUTIONS):
            seen.append(np.array(inputs))
        return compute()

    with watching_layers(note):
        model(x, training=training)
    return seen[0] if seen else None


def bends_after_convolutions(model, x, seed):
    \"\"\"Tell for each convolution whether what follows, up to the next one or to the end, is bent.

    Its result is replaced by 0, a, b and a + b, the same at all places (so that pooling changes nothing), and all other
    convolutions give what they gave before. Where the rest is affine, f(a) + f(b) = f(0) + f(a + b).
    \"\"\"
    usual = []

    def keep(layer, compute, inputs):
        result = compute()
        if isinstance(layer, CONVOLUTIONS):
            usual.append((layer, result))
        return result

    with watching_layers(keep):
        model(x, training=False)

    def follow(place, values):
        calls, reached = [], []

        def replace(layer, compute, inputs):
            if not isinstance(layer, CONVOLUTIONS):
                return compute()
            calls.append(layer)
            if len(calls) > place + 1:
                reached.append(np.array(inputs, dtype=float).ravel())
            if len(calls) != place + 1:
                return usual[len(calls) - 1][1]
            shape = usual[place][1].shape
            return keras.ops.convert_to_tensor(np.broadcast_to(values[:, None, None, :], shape).astype("float32"))

        with watching_layers(replace):
            reached.append(np.array(model(x, training=False), dtype=float).ravel())
        return reached

    rng, found = np.random.default_rng(seed), []
    for place, (layer, result) in enumerate(usual):
        first, second = 3 * rng.normal(size=(2, result.shape[0], result.shape[-1]))
        none, a, b, both = (follow(place, each) for each in (0 * first, first, second, first + second))
        activation = getattr(layer, "activation", None)
        line = np.linspace(-3, 3, 13).astype("float32")
        own = activation is not None and np.ptp(np.diff(np.array(activation(keras.ops.convert_to_tensor(line))))) > 1e-3
        bent, used = [], False
        for zero, one, two, sum_ in zip(none, a, b, both):
            size = max(np.abs(one - zero).max(), np.abs(two - zero).max())
            if size > 1e-6:
                used = True
                bent.append(np.abs(sum_ + zero - one - two).max() > 1e-3 * size)
        found.append([type(layer).__name__, bool(own) or (used and all(bent))])
    return found


def learn_one_batch(model, x, y):
    \"\"\"Compile the model and train it for one step, as fit does; give its answer to the images.\"\"\"
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss=loss, jit_compile=False)
    model.fit(x, y, batch_size=len(x), epochs=1, verbose=0)
    return model.predict(x, verbose=0)
"""
THREE_SPOTS = np.zeros((28, 28), dtype=np.float32)  # a picture that differs from its mirror image, however it is turned
THREE_SPOTS[9:13, 9:13], THREE_SPOTS[9:13, 15:19], THREE_SPOTS[15:19, 10:14] = 1.0, 0.7, 0.4


def build(student, dropout, augment):
    """Build the learner's model, and call it once, so that a model of a class of its own knows its weights."""
    model = student.build_cnn(dropout, augment)
    model(np.zeros((1, 28, 28, 1), dtype=np.float32), training=False)
    return model


def layers_of(student, model, training=False):
    """List the layers that work when the model computes, also those of models and layers inside it."""
    student.define(TRACE)
    return student.layers_in_use(model, np.zeros((2, 28, 28, 1), dtype=np.float32), training)


def moments(picture):
    """Give where the three spots are, how large and how turned their triangle is, its handedness, and their pixels."""
    ink = (picture - picture.min()) / np.ptp(picture)
    rows, columns = np.indices(picture.shape)
    z, spots = columns + 1j * rows, ink > 0.2
    place = z[spots].mean()
    size = float(np.sqrt((np.abs(z[spots] - place) ** 2).mean()))
    first, second, third = ((ink**power * z).sum() / (ink**power).sum() for power in (1, 2, 4))  # towards the darkest
    handedness = ((second - first).conjugate() * (third - first)).imag
    return place, size, np.angle(third - place), handedness, spots


def expect_the_same_digit(pictures):
    """Require that the three spots are moved, turned or zoomed a little, and never mirrored or far away."""
    place, size, angle, hand, spots = moments(THREE_SPOTS)
    required = "images that are still the same digits"
    expect(all(np.ptp(picture) > 1e-3 for picture in pictures), required=required, received="an empty image")
    found = [moments(picture) for picture in pictures]
    moved = sum((each[4] != spots).sum() > 0.03 * spots.sum() for each in found)
    words = "images that are moved, turned or zoomed before the first convolution"
    expect(4 * moved >= len(pictures), required=words, received=f"{moved} of {len(pictures)} are")
    for here, large, turned, handed, _ in found:
        way, degrees = here - place, abs(np.degrees(np.angle(np.exp(1j * (turned - angle)))))
        far = max(abs(way.real), abs(way.imag))
        expect(far < 8.5, required=f"{required}: moved by at most 7 of 28 pixels", received=f"moved by {far:.0f}")
        mirrored = handed * hand <= 0
        expect(not mirrored, required="no mirror images: a mirrored digit is no digit", received="a mirrored image")
        expect(degrees < 65, required=f"{required}: turned by at most 36 degrees", received=f"by {degrees:.0f}")
        zoomed = large / size
        expect(0.5 < zoomed < 1.9, required=f"{required}: zoomed by at most 30 %", received=f"{zoomed:.2f} as large")


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
    """The result is a keras.Model from (N, 28, 28, 1) to (N, 10), for any N; logits may be negative and do not sum to 1."""
    model = build(student, 0.3, True)
    student.define(TRACE)
    expect(student.is_a_model(model), required="a keras.Model", received=repr(model))
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
    model = build(student, 0.2, False)
    found = layers_of(student, model)
    convolutions = [layer for layer in found if layer["convolution"]]
    expect(len(convolutions) >= 2, required="two convolution layers or more", received=f"{len(convolutions)}")
    steps = any(np.max(layer["settings"].get("strides", 1)) > 1 for layer in convolutions)
    pools = any("Pooling" in name for layer in found for name in layer["classes"])
    last = [layer["before"] for layer in found if "Dense" in layer["classes"]][-1:]
    flat = bool(last) and last[0][-1] <= np.prod(convolutions[-1]["after"][1:]) / 2
    required = "a stride or pooling that makes the image smaller"
    expect(steps or pools or flat, required=required, received="neither")


@criterion(
    hints=[
        "What stands between your two convolutions?",
        "Two convolutions with nothing between them are one: both are affine. Put a ReLU after each.",
        "`keras.layers.ReLU()` after each convolution or its normalisation, or `activation='relu'` inside Conv2D.",
    ],
)
def a_bend_follows_the_convolutions(student, rng):
    """The model is not affine: a ReLU, or another bend, follows each convolution, before the next one and at the end."""
    model = build(student, 0.0, False)
    a, b = draw_batch(rng, 4), draw_batch(rng, 4)
    zero = np.zeros_like(a)
    together, alone = model(a + b, training=False), (model(each, training=False) for each in (a, b, zero))
    first, second, nothing = (np.asarray(each, dtype=float) for each in alone)
    bent = spread(np.asarray(together, dtype=float) + nothing, first + second)
    required = "a model that is not affine: f(a + b) + f(0) differs from f(a) + f(b)"
    expect(bent > 1e-4, required=required, received=f"a difference of {bent:.2g}")
    student.define(TRACE)
    found = student.bends_after_convolutions(model, draw_batch(rng, 3), int(rng.integers(2**31)))
    straight = [f"number {place} of {len(found)}" for place, (_, bent) in enumerate(found, start=1) if not bent]
    unbent = [place for place, (name, bent) in enumerate(found, start=1) if not bent and "Depthwise" not in name]
    bends = len(found) - len(straight)
    required = "a bend, such as ReLU, after each convolution, before the next one and at the end"
    expect(bends >= 2 and not unbent, required=required, received=f"none after {', '.join(straight) or 'a second one'}")


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
    for augment in (True, False):
        model = student.build_cnn(share, augment)
        found = layers_of(student, model, training=True)
        rates = [
            layer["settings"].get("rate") for layer in found if any("Dropout" in name for name in layer["classes"])
        ]
        fits = any(rate is not None and abs(rate - share) < 1e-6 for rate in rates)
        required = f"a Dropout layer with the share {share:.2f}, with augment={augment}"
        expect(fits, required=required, received=f"shares {rates}")
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
    first = model(x, training=True)
    moved = max(spread(model(x, training=True), first) for _ in range(4))
    expect(
        moved > 1e-6, required="other logits each time in training, with augmentation", received="the same logits twice"
    )
    empty = np.zeros((5, 28, 28, 1), dtype=np.float32)
    still = spread(model(empty, training=True), model(empty, training=True)) < 1e-4
    expect(still, required="an empty image stays empty, wherever it is moved", received="noise in it")
    found = layers_of(student, model, training=True)
    flips = [layer["name"] for layer in found if "Flip" in layer["name"]]
    expect(not flips, required="no mirror images: a mirrored digit is no digit", received=", ".join(flips))
    pictures = np.broadcast_to(THREE_SPOTS[:, :, None], (12, 28, 28, 1)).copy()
    seen = [student.what_the_first_convolution_gets(model, pictures, True) for _ in range(4)]
    if all(each is not None and each.shape == pictures.shape for each in seen):
        expect_the_same_digit(np.concatenate(seen)[..., 0])
    for name, setting, most in (
        ("Rotation", "factor", 0.1),
        ("Translation", "height_factor", 0.25),
        ("Translation", "width_factor", 0.25),
        ("Zoom", "height_factor", 0.3),
    ):
        for layer, settings in ((each["name"], each["settings"]) for each in found):
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
    model = build(student, 0.2, True)
    student.define(TRACE)
    seen = student.what_the_first_convolution_gets(model, draw_batch(rng, 4), False)
    if seen is not None:
        width = float(np.ptp(seen))
        required = "the first convolution gets pixels about as they are, not divided by 255 again"
        expect(0.1 <= width <= 10, required=required, received=f"pixels that differ by {width:.3g} at most")
    student.define("def shape_of_images(model):\n    return getattr(model, 'input_shape', None)\n")
    try:
        shape = student.shape_of_images(model)
    except StudentError:  # a class of the learner's may have none
        shape = None
    if isinstance(shape, tuple | list):
        fits = len(shape) == 4 and all(a in (None, b) for a, b in zip(shape[1:], (28, 28, 1), strict=True))
        expect(fits, required="images of shape (28, 28, 1)", received=f"images of shape {tuple(shape[1:])}")


@criterion(
    points=2,
    hints=[
        "Would `fit` change every weight of your network? And does each call build a network of its own?",
        "Use layers and functions of Keras only: NumPy, stop_gradient and trainable=False keep weights from learning. In "
        "a class of your own, `call(self, x, training=None)` passes `training=training` on to its layers.",
        "Make all layers inside build_cnn, not outside of it.",
    ],
)
def every_weight_can_learn(student, rng):
    """The network can be compiled and trained, a gradient flows to each weight, and each call builds a new network."""
    x, classes = draw_batch(rng, 8), rng.integers(10, size=8)
    model, other = build(student, 0.2, True), build(student, 0.2, True)
    still = [layer["name"] for layer in layers_of(student, model) if layer["convolution"] and not layer["learns"]]
    expect(not still, required="convolutions that learn", received=f"{', '.join(still)} with weights that stay")
    expect_learning(student, model, x, what="the network", training=True)
    before, beside = model.get_weights(), other.get_weights()
    logits = student.learn_one_batch(model, x, np.eye(10, dtype=np.float32)[classes])
    expect_close(model(x, training=False), logits, what="model(x, training=False), beside model.predict(x)")
    moved = any(not np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    expect(moved, required="weights that change in training", received="the same weights")
    alone = all(np.array_equal(a, b) for a, b in zip(beside, other.get_weights(), strict=True))
    expect(alone, required="a new network for each call", received="two that share their weights")


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
MIRROR = """
import keras

class Mirror(keras.layers.Layer):
    def call(self, x, training=None):
        if not training:
            return x
        chosen = keras.random.uniform((keras.ops.shape(x)[0], 1, 1, 1)) < 0.5
        return keras.ops.where(chosen, keras.ops.flip(x, axis=2), x)

def build_cnn"""
NO_MODEL = """
import keras

class Net(keras.layers.Layer):
    def __init__(self, parts):
        super().__init__()
        self.parts = parts

    def call(self, x, training=None):
        for part in self.parts:
            x = part(x, training=training) if "Random" in type(part).__name__ else part(x)
        return x

def build_cnn"""
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
mutants(
    MODEL,
    "every_weight_can_learn",
    [
        (
            "one network for all calls",
            "def build_cnn(dropout, augment):",
            "MADE = {}\n\n\ndef build_cnn(dropout, augment):",
            "    return keras.Sequential(stack)",
            "    return MADE.setdefault((dropout, augment), keras.Sequential(stack))",
        ),
        (
            "a first layer that stays as it is",
            "    return keras.Sequential(stack)",
            "    model = keras.Sequential(stack)\n    model.layers[1 if augment else 0].trainable = False\n    return model",
        ),
        (
            "a network that stays as it is",
            "    return keras.Sequential(stack)",
            "    model = keras.Sequential(stack)\n    model.trainable = False\n    return model",
        ),
    ],
)
mutants(
    ALWAYS,
    "every_weight_can_learn",
    [("cuts the way back to the convolutions", "layers.Flatten()(x)", "keras.ops.stop_gradient(layers.Flatten()(x))")],
)
mutants(
    ALWAYS,
    "a_bend_follows_the_convolutions",
    [
        (
            "a ReLU after the last one only",
            "        x = layers.ReLU()(x)\n",
            "        x = layers.ReLU()(x) if filters > 16 else x\n",
        ),
        (
            "a ReLU after the first one only",
            "        x = layers.ReLU()(x)\n",
            "        x = layers.ReLU()(x) if filters < 32 else x\n",
        ),
        (
            "a bend on the images instead",
            "    for filters in",
            "    x = layers.ReLU()(layers.ReLU()(x))\n    for filters in",
            "        x = layers.ReLU()(x)\n",
            "",
        ),
        ("makes the ReLU and does not use it", "        x = layers.ReLU()(x)\n", "        layers.ReLU()(x)\n"),
    ],
)
mutants(
    ALWAYS,
    "the_pixels_are_taken_as_they_come",
    [
        (
            "divides by 255 by hand",
            "    image = keras.Input((28, 28, 1))\n",
            "    image = keras.Input((28, 28, 1))\n    inputs = image\n",
            "else image",
            "else image\n    x = x / 255",
        ),
        ("makes bytes of the pixels again", "else image", "else image\n    x = 255 * x"),
    ],
)
mutants(
    ALWAYS,
    "augmentation_moves_the_images_in_training",
    [
        ("changes the contrast and moves nothing", MOVE, "layers.RandomContrast(0.5)"),
        ("turns by up to a quarter turn", MOVE, 'layers.RandomRotation(0.25, fill_mode="constant")'),
        (
            "mirrors half of the images by hand",
            "else image",
            "else image\n    x = Mirror()(x) if augment else x",
            "def build_cnn",
            MIRROR,
        ),
        (
            "moves what the first convolution has found",
            MOVE + "(image) if augment else image",
            "image",
            "        x = layers.ReLU()(x)\n",
            f"        x = layers.ReLU()(x)\n        x = {MOVE}(x) if augment else x\n",
        ),
        ("noise in the place of images", MOVE, "layers.SpatialDropout2D(0.5)"),
    ],
)
mutants(
    MODEL,
    "dropout_acts_in_training_with_the_given_share",
    [
        (
            "dropout only without augmentation",
            "    stack.append(layers.Dropout(dropout))\n",
            "    if not augment:\n        stack.append(layers.Dropout(dropout))\n",
        ),
        (
            "a dropout that always rests",
            "layers.Dropout(dropout)",
            "Resting(dropout)",
            "def build_cnn",
            "import keras\n\nclass Resting(keras.layers.Dropout):\n    def call(self, inputs, training=False):\n        return inputs\n\ndef build_cnn",
        ),
    ],
)
mutants(
    MODEL,
    "ten_logits_for_each_image",
    [
        (
            "a layer in place of a model",
            "    return keras.Sequential(stack)",
            "    return Net(stack[1:])",
            "def build_cnn",
            NO_MODEL,
        ),
        ("the logarithms of probabilities", "Dense(10)", 'Dense(10, activation="log_softmax")'),
    ],
)
accepted(
    "a layer of its own as block, which holds convolution, normalisation and activation",
    """
import keras
from keras import layers, ops

class Block(layers.Layer):
    def __init__(self, filters, size, **kwargs):
        super().__init__(**kwargs)
        self.convolution = layers.Conv2D(filters, size, padding="same", use_bias=False)
        self.normalisation = layers.BatchNormalization(momentum=0.9)

    def call(self, x, training=None):
        z = self.normalisation(self.convolution(x), training=training)
        return ops.max_pool(ops.maximum(z, 0), 2)

def build_cnn(dropout, augment):
    moves = keras.Sequential([layers.RandomTranslation(0.07, 0.07), layers.RandomRotation(0.02)])
    image = keras.Input((28, 28, 1), name="image")
    x = moves(image) if augment else image
    for filters in (12, 24, 48):
        x = Block(filters, 3)(x)
    return keras.Model(image, layers.Dense(10)(layers.Dropout(dropout)(layers.Flatten()(x))))
""",
)
accepted(
    "a residual block whose ReLU comes after the sum, for images of any size",
    """
import keras
from keras import layers

def build_cnn(dropout, augment):
    image = keras.Input((None, None, 1))
    x = image
    if augment:
        x = layers.RandomZoom((-0.15, 0.15), (-0.15, 0.15), fill_mode="constant")(x)
    x = layers.Conv2D(16, 5, strides=2, padding="same")(x)
    x = layers.LeakyReLU(negative_slope=0.1)(x)
    y = layers.Conv2D(16, 3, padding="same", activation="tanh")(x)
    y = layers.Conv2D(16, 3, padding="same")(y)
    x = layers.PReLU(shared_axes=[1, 2])(layers.add([x, y]))
    x = layers.AveragePooling2D(2)(x)
    x = layers.SeparableConv2D(32, 3, activation=keras.ops.elu)(x)
    x = layers.GlobalMaxPooling2D()(x)
    x = layers.Dropout(rate=dropout)(x)
    return keras.Model(inputs=image, outputs=layers.Dense(10, name="logits")(x))
""",
)
accepted(
    "model.add, an activation layer, pixels from -1 to 1",
    """
import keras

def build_cnn(dropout, augment):
    model = keras.Sequential()
    model.add(keras.Input((28, 28, 1)))
    if augment:
        model.add(keras.layers.RandomRotation(0.05, fill_mode="nearest"))
        model.add(keras.layers.RandomTranslation((-0.1, 0.1), (-0.1, 0.1), fill_mode="nearest"))
    model.add(keras.layers.Rescaling(2.0, offset=-1.0))
    for filters in (32, 32):
        model.add(keras.layers.Conv2D(filters, (3, 3), padding="valid"))
        model.add(keras.layers.Activation("relu"))
        model.add(keras.layers.MaxPool2D((2, 2)))
    model.add(keras.layers.Dropout(dropout))
    model.add(keras.layers.Flatten())
    model.add(keras.layers.Dense(64, activation="relu"))
    model.add(keras.layers.Dense(10))
    return model
""",
)
mutants(
    MODEL,
    "every_weight_can_learn",
    [
        (
            "a class that does not pass on whether it is in training, so that predict moves the images",
            "    return keras.Sequential(stack)",
            "    return Net(stack[1:])",
            "def build_cnn",
            """import keras

class Net(keras.Model):
    def __init__(self, parts):
        super().__init__()
        self.inner = keras.Sequential(parts)

    def call(self, x):
        return self.inner(x)

def build_cnn""",
        )
    ],
)
