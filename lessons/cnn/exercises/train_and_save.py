"""Exercise `train_and_save`: what a right answer must do, and typical wrong ones."""

import numpy as np

from llmcourse.checking import accepted, criterion, expect, expect_close, mutant, mutants

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


def make_normalised_model(size, classes):
    layers = [keras.layers.Flatten(), keras.layers.BatchNormalization(momentum=0.9), keras.layers.Dropout(0.1)]
    return keras.Sequential([keras.Input((size, size, 1)), *layers, keras.layers.Dense(classes)])


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


def train_small(student, rng, normalised=False, **settings):
    student.define(HELPERS)
    sets, size, classes = draw_small_sets(rng, **settings)
    model = (student.make_normalised_model if normalised else student.make_simple_model)(size, classes)
    before = [np.asarray(value) for value in model.get_weights()]
    run = Trained(student, model, sets)
    run.before = before
    return run


@criterion(
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
    losses are the cross-entropy of the softmax of the logits, and every weight has moved.
    """
    with train_small(student, rng) as run:
        lengths = {name: len(run.losses(name)) for name in ("loss", "accuracy", "val_loss", "val_accuracy")}
        expect(len(set(lengths.values())) == 1, required="four lists of the same length", received=str(lengths))
        expect(not run.changed, required="the images and labels stay as they were", received=", ".join(run.changed))
        losses, loss = run.losses("val_loss"), cross_entropy(run.reloaded_logits(run.sets[2]), run.sets[3])
        after = [np.asarray(value) for value in run.model.get_weights()]
        still = sum(np.array_equal(first, last) for first, last in zip(run.before, after, strict=True))
        expect(still == 0, required="all weights of the model have moved", received=f"{still} of {len(after)} have not")
        near = np.abs(losses - loss).min() < 2e-3 * max(1.0, loss)
        required = f"a validation loss of {loss:.3f}, the cross-entropy of the saved model's logits, in some epoch"
        expect(near, required=required, received=f"losses from {losses.min():.3f} to {losses.max():.3f}")


@criterion(
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
    """The file holds the whole model of the epoch with the lowest validation loss, also what its layers collect in
    training; the model itself predicts identically; and the history has the accuracies.
    """
    for wrong in (0.9, 0.0):  # the validation loss soon rises, or falls for long
        with train_small(student, rng, normalised=True, mislabelled=wrong) as run:
            expect_the_best_epoch(run)
        if wrong:
            shares, trained = run.losses("val_accuracy"), run.losses("accuracy")
            required = 'history["accuracy"] is that of the training images, which are known better than wrong labels'
            received = f"{trained[-1]:.3f}, and {shares[-1]:.3f} for the others"
            expect(trained[-1] > shares[-1], required=required, received=received)


def expect_the_best_epoch(run):
    """Require that the file and the model hold the epoch with the lowest validation loss, and its accuracy is noted."""
    losses, x_val, y_val = run.losses("val_loss"), *run.sets[2:]
    expect(len(losses) >= 2, required="more than one epoch", received=f"{len(losses)}")
    logits = run.reloaded_logits(x_val)
    loss, best, epoch = cross_entropy(logits, y_val), float(losses.min()), int(losses.argmin())
    required = f"a saved model with the lowest validation loss, {best:.4f} in epoch {epoch + 1}"
    expect(abs(loss - best) < 1e-4 * max(1.0, best), required=required, received=f"one with {loss:.4f}")
    expected = np.asarray(run.model(x_val, training=False), dtype=float)
    expect_close(logits, expected, what="the reloaded model's logits, beside the model's own", tolerance=1e-5)
    share, shares = float((logits.argmax(axis=1) == y_val.argmax(axis=1)).mean()), run.losses("val_accuracy")
    required = (
        f'history["val_accuracy"] is {share:.3f} in the best epoch, the share of x_val that the saved model knows'
    )
    expect(abs(shares[epoch] - share) < 0.01, required=required, received=f"{shares[epoch]:.3f}")


@criterion(
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


# --- typical wrong answers, each with the criterion that must catch it ------------------------------------------------

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
mutant(fails="*", why="imports the answer", source=IMPORTED)
mutants(
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
    SHORT,
    "the_history_tells_the_cross_entropy_of_each_epoch",
    [
        ("does not say that they are logits", "from_logits=True", ""),
        ("the loss for class numbers", "keras.losses.Categorical", "keras.losses.SparseCategorical"),
        ("squared error", "keras.losses.CategoricalCrossentropy(from_logits=True)", "keras.losses.MeanSquaredError()"),
    ],
)
mutants(
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
    SHORT,
    "at_least_95_percent_of_unseen_digits",
    [
        ("one epoch", "epochs=2", "epochs=1"),
        ("a learning rate far too small", "Adam(0.003)", "Adam(1e-6)"),
        ("a learning rate far too large", "Adam(0.003)", "Adam(3.0)"),
    ],
)
mutants(
    SHORT,
    "the_history_tells_the_cross_entropy_of_each_epoch",
    [
        (
            "leaves the last layer as it is",
            "    model.compile(",
            "    model.layers[-1].trainable = False\n    model.compile(",
        )
    ],
)

# --- right answers written otherwise ----------------------------------------------------------------------------------

accepted(
    "one epoch after the other, the best weights kept by hand",
    """
def train_and_save(model, x_train, y_train, x_val, y_val, path):
    import keras

    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.003), loss, metrics=["accuracy"], jit_compile=False)
    history, best, kept = {"loss": [], "accuracy": [], "val_loss": [], "val_accuracy": []}, float("inf"), None
    for _ in range(6):
        rows = model.fit(x_train, y_train, batch_size=64, epochs=1, validation_data=(x_val, y_val), verbose=0).history
        for name in history:
            history[name] += rows[name]
        if history["val_loss"][-1] < best:
            best, kept = history["val_loss"][-1], model.get_weights()
    model.set_weights(kept)
    model.save(path)
    return history
""",
)
accepted(
    "a checkpoint in the file, loaded back into the model",
    """
def train_and_save(model, x_train, y_train, x_val, y_val, path):
    import keras

    model.compile(
        optimizer=keras.optimizers.AdamW(0.003),
        loss=lambda truth, logits: keras.losses.categorical_crossentropy(truth, logits, from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,
    )
    weights = path.replace(".keras", ".best.weights.h5")
    keep = keras.callbacks.ModelCheckpoint(weights, monitor="val_loss", save_best_only=True, save_weights_only=True)
    history = model.fit(x_train, y_train, 64, 6, 0, callbacks=[keep], validation_data=(x_val, y_val))
    model.load_weights(weights)
    model.save(path)
    return dict(history.history)
""",
)
accepted(
    "a callback of its own",
    """
import keras

class KeepBest(keras.callbacks.Callback):
    lowest, weights = None, None

    def on_epoch_end(self, epoch, logs=None):
        if self.lowest is None or logs["val_loss"] < self.lowest:
            self.lowest = logs["val_loss"]
            self.weights = [value.copy() for value in self.model.get_weights()]

    def on_train_end(self, logs=None):
        self.model.set_weights(self.weights)

def train_and_save(model, x_train, y_train, x_val, y_val, path):
    model.compile(
        "adam", keras.losses.CategoricalCrossentropy(from_logits=True), metrics=["accuracy"], jit_compile=False
    )
    model.optimizer.learning_rate = 0.003
    record = model.fit(
        x_train, y_train, batch_size=50, epochs=6, validation_data=(x_val, y_val), callbacks=[KeepBest()], verbose=0
    )
    keras.saving.save_model(model, path)
    return record.history
""",
)
mutants(
    TRAIN,
    "the_file_and_the_model_hold_the_best_epoch",
    [
        (
            "the epoch with the best accuracy",
            'EarlyStopping(monitor="val_loss",',
            'EarlyStopping(monitor="accuracy", mode="max",',
        ),
        ("improvements by a whole only", "patience=3,", "patience=3, min_delta=1.0,"),
        ("the epoch with the highest validation loss", "patience=3,", 'patience=3, mode="max",'),
        (
            "the two accuracies exchanged",
            "    return history.history",
            '    found = history.history\n    found["accuracy"], found["val_accuracy"] = found["val_accuracy"], found["accuracy"]\n    return found',
        ),
        (
            "the two losses exchanged",
            "    return history.history",
            '    found = history.history\n    found["loss"], found["val_loss"] = found["val_loss"], found["loss"]\n    return found',
        ),
        (
            "measures on a part of the training images",
            "        validation_data=(x_val, y_val),\n",
            "        validation_split=0.2,\n",
        ),
        (
            "measures on the training images",
            "validation_data=(x_val, y_val)",
            "validation_data=(x_train, y_train)",
        ),
        (
            "saves a copy that has not been trained",
            "    model.save(path)",
            "    keras.models.clone_model(model).save(path)",
        ),
        (
            "goes on training after the best epoch",
            "    model.save(path)",
            "    model.fit(x_train, y_train, epochs=1, verbose=0)\n    model.save(path)",
        ),
    ],
)
KEEPS = """
import keras

def train_and_save(model, x_train, y_train, x_val, y_val, path):
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.003), loss, metrics=["accuracy"], jit_compile=False)
    history, best, kept = {"loss": [], "accuracy": [], "val_loss": [], "val_accuracy": []}, float("inf"), None
    for _ in range(6):
        rows = model.fit(x_train, y_train, batch_size=64, epochs=1, validation_data=(x_val, y_val), verbose=0).history
        for name in history:
            history[name] += rows[name]
        if history["val_loss"][-1] < best:
            best, kept = history["val_loss"][-1], [np.array(each) for each in model.weights]
    for variable, value in zip(model.weights, kept):
        variable.assign(value)
    model.save(path)
    return history
"""
accepted("all variables kept and assigned one by one", KEEPS)
mutants(
    KEEPS,
    "the_file_and_the_model_hold_the_best_epoch",
    [
        (
            "forgets the running averages of the best epoch",
            "[np.array(each) for each in model.weights]",
            "[np.array(each) for each in model.trainable_weights]",
            "zip(model.weights, kept)",
            "zip(model.trainable_weights, kept)",
        ),
        (
            "measures the validation loss as in training",
            "        for name in history:",
            '        rows["val_loss"] = [float(loss(y_val, model(x_val, training=True)))]\n        for name in history:',
        ),
        (
            "keeps the variables themselves, which go on changing",
            "[np.array(each) for each in model.weights]",
            "list(model.weights)",
        ),
        ("keeps the last epoch", "< best", "< float('inf')"),
    ],
)
mutants(
    TRAIN.replace("epochs=6", "epochs=12"),
    "the_validation_images_are_never_learned",
    [
        (
            "learns the validation images at the end",
            "    model.save(path)",
            "    model.fit(x_val, y_val, epochs=3, verbose=0)\n    model.save(path)",
        ),
    ],
)
accepted(
    "class numbers and their own loss, SGD, and a learning rate that falls",
    """
def train_and_save(model, x_train, y_train, x_val, y_val, path):
    import keras

    model.compile(
        optimizer=keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,
    )
    stop = keras.callbacks.EarlyStopping("val_loss", patience=4, restore_best_weights=True)
    rate = keras.callbacks.ReduceLROnPlateau(monitor="val_loss", patience=2)
    sets = (x_val, y_val.argmax(axis=1))
    record = model.fit(
        x_train, y_train.argmax(axis=1), 32, epochs=10, verbose=0, callbacks=[rate, stop], validation_data=sets
    )
    model.save(path)
    return {name: record.history[name] for name in ("loss", "accuracy", "val_loss", "val_accuracy")}
""",
)
accepted(
    "a loop over batches, with a tape",
    """
import keras
import tensorflow as tf

def train_and_save(model, x_train, y_train, x_val, y_val, path):
    optimizer, loss = keras.optimizers.Adam(0.003), keras.losses.CategoricalCrossentropy(from_logits=True)
    optimizer.build(model.trainable_variables)
    history, kept, rng = {"loss": [], "accuracy": [], "val_loss": [], "val_accuracy": []}, None, np.random.default_rng(0)

    @tf.function
    def step(x, y):
        with tf.GradientTape() as tape:
            value = loss(y, model(x, training=True))
        gradients = tape.gradient(value, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables))

    def measure(x, y):
        logits = np.concatenate([model(x[i : i + 400], training=False) for i in range(0, len(x), 400)])
        return float(loss(y, logits)), float((logits.argmax(axis=1) == y.argmax(axis=1)).mean())

    for _ in range(6):
        order = rng.permutation(len(x_train) // 40 * 40)
        for part in order.reshape(-1, 40):
            step(tf.constant(x_train[part]), tf.constant(y_train[part]))
        for first, x, y in (("", x_train, y_train), ("val_", x_val, y_val)):
            value, share = measure(x, y)
            history[first + "loss"].append(value)
            history[first + "accuracy"].append(share)
        if history["val_loss"][-1] == min(history["val_loss"]):
            kept = model.get_weights()
    model.set_weights(kept)
    model.save(path)
    return history
""",
)
