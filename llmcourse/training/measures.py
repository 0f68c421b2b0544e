"""How good the answers of a classifier are, in the standard measures."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Measured:
    """Hold what a classifier did on labelled samples.

    Args:
        loss: mean cross-entropy.
        accuracy: share of right answers, from 0 to 1.
        confusion: integers (C, C), rows are true classes and columns predicted ones.
        precision: float (C,), share of right answers among those that name the class.
        recall: float (C,), share of the class's samples that were found.
        f1: float (C,), harmonic mean of the two; 0 where both are 0.
        support: integers (C,), how many samples each class has.
    """

    loss: float
    accuracy: float
    confusion: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    support: np.ndarray

    def scores(self) -> dict[str, Any]:
        """Collect the numbers that are worth keeping, as JSON can hold them."""
        classes = {name: np.round(getattr(self, name), 6).tolist() for name in ("precision", "recall", "f1", "support")}
        wrong = int(self.confusion.sum() - np.trace(self.confusion))
        head = {
            "test_accuracy": self.accuracy,
            "test_loss": self.loss,
            "wrong": wrong,
            "tested": int(self.support.sum()),
        }
        return {**head, **classes, "confusion": self.confusion.tolist()}


def measure(logits: np.ndarray, labels: np.ndarray) -> Measured:
    """Compare the answers of a classifier with the truth.

    Args:
        logits: float (N, C), N at least 1; the largest one is the answer.
        labels: integers (N,), from 0 to C-1.

    Returns:
        Loss, accuracy, and precision, recall and F1 of each class.

    Raises:
        ValueError: the shapes do not fit together.

    Example:
        >>> measured = measure(np.array([[2.0, 0.0], [1.0, 0.0], [0.0, 3.0]]), np.array([0, 1, 1]))
        >>> measured.recall.tolist()
        [1.0, 0.5]
    """
    if logits.ndim != 2 or labels.shape != logits.shape[:1] or not len(labels):
        raise ValueError(
            "logits and labels must have the shapes (N, C) and (N,), N at least 1. "
            f"Received: {logits.shape} and {labels.shape}."
        )
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

    loss, accuracy = loss_and_accuracy(logits, labels)
    classes, predictions = np.arange(logits.shape[1]), logits.argmax(axis=1)  # (C,), (N,)
    each = precision_recall_fscore_support(labels, predictions, labels=classes, zero_division=0)
    confusion = confusion_matrix(labels, predictions, labels=classes)
    return Measured(loss, accuracy, confusion, *each)


def loss_and_accuracy(logits: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Compute the two numbers that are wanted after each epoch: mean cross-entropy and share of right answers.

    Args:
        logits: float (N, C), N at least 1.
        labels: integers (N,), from 0 to C-1.

    Returns:
        Loss and accuracy.
    """
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    losses = np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(labels)), labels]  # (N,)
    return float(losses.mean()), float((logits.argmax(axis=1) == labels).mean())
