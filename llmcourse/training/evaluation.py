"""Evaluate the model of a finished run again, from its file alone."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmcourse.data import load_mnist
from llmcourse.plots import confusion_matrix
from llmcourse.runtime import load_keras
from llmcourse.training.loop import make_predict
from llmcourse.training.measures import measure
from llmcourse.training.report import CONFUSION, MODEL
from llmcourse.training.runs import RunError, read_config


def evaluate_cnn(folder: Path) -> Mapping[str, Any]:
    """Load the model of a run, try it on the test digits, and draw the confusion matrix anew.

    Args:
        folder: of a finished run.

    Returns:
        The measures by name, as in scores.json.

    Raises:
        RunError: there is no run in the folder, it is not finished, or its files are damaged.
    """
    config, path = read_config(folder), folder / MODEL
    if not path.exists():
        raise RunError(f"A finished run is required. Received: {folder} without {MODEL}; train it to its end first.")
    keras = load_keras()
    try:
        model = keras.models.load_model(path)
    except Exception as error:  # zipfile, h5py and Keras raise many unrelated types for a damaged file
        raise RunError(f"A whole model is required. Received: {path}, {type(error).__name__}: {error}") from None
    digits = load_mnist(config["data"])
    measured = measure(make_predict(model)(digits.x_test), digits.y_test)
    confusion_matrix(measured.confusion).save(folder / CONFUSION)
    return measured.scores()
