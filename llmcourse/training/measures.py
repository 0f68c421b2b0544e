"""How good the answers of a classifier are, in the standard measures."""

from typing import Any

import numpy as np


def classification_scores(logits: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Compare the answers of a classifier on test samples with the truth.

    Args:
        logits: float (N, C), N at least 1; the largest one is the answer.
        labels: integers (N,), from 0 to C-1.

    Returns:
        As JSON can hold it: "test_accuracy" and "test_loss" (mean cross-entropy), the numbers "wrong" and "tested",
        lists with "precision", "recall", "f1" and "support" of each class (0 where nothing was found), and "confusion",
        whose rows are true classes and whose columns are predicted ones.

    Raises:
        ValueError: the shapes do not fit together.

    Example:
        >>> classification_scores(np.array([[2.0, 0.0], [1.0, 0.0], [0.0, 3.0]]), np.array([0, 1, 1]))["recall"]
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
    counts = {"wrong": int((predictions != labels).sum()), "tested": len(labels)}
    confusion = confusion_matrix(labels, predictions, labels=classes)
    names = ("precision", "recall", "f1", "support", "confusion")
    lists = {name: np.round(array, 6).tolist() for name, array in zip(names, (*each, confusion), strict=True)}
    return {"test_accuracy": accuracy, "test_loss": loss, **counts, **lists}


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
