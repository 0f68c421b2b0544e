"""What training makes small: how badly the model predicts the next token, for real tokens only."""

from typing import Any

from keras import ops

from llmcourse.layers.masks import PAD


def label_smoothed_loss(targets: Any, logits: Any, epsilon: float = 0.1) -> Any:
    """Compute the mean cross-entropy between smoothed targets and the model's distribution.

    A little probability for every other token keeps the model from being ever more sure of itself: the target gets
    1 - epsilon + epsilon/V, each other token epsilon/V. With epsilon 0 this is the plain cross-entropy. Padding has no
    part in it, neither in the sum nor in the count, so a batch's loss does not depend on how far it was filled up.

    Args:
        targets: integers (B, T), the tokens to predict; 0 is padding.
        logits: float (B, T, V), before any softmax.
        epsilon: float, from 0 to just below 1.

    Returns:
        Float32, one number: the mean over the real tokens, or 0 if there are none.

    Raises:
        ValueError: the shapes do not fit, or epsilon is out of range.

    Source: Szegedy et al. (2016), Rethinking the Inception Architecture, section 7; Vaswani et al. (2017), section 5.4.

    Example:
        >>> loss = label_smoothed_loss(np.array([[3, 0]]), np.zeros((1, 2, 8)))  # log(8): eight equal chances
        >>> round(float(loss), 3)
        2.079
    """
    if len(logits.shape) != 3 or len(targets.shape) != 2 or not 0 <= epsilon < 1:
        raise ValueError(
            "targets and logits must have shapes (B, T) and (B, T, V), and epsilon must be from 0 to just below 1. "
            f"Received: {tuple(targets.shape)}, {tuple(logits.shape)} and {epsilon}."
        )
    targets = ops.cast(targets, "int32")  # `fit` hands them over as floats
    vocab_size = logits.shape[-1]
    smoothed = (1 - epsilon) * ops.one_hot(targets, vocab_size, dtype="float32") + epsilon / vocab_size  # (B, T, V)
    losses = ops.categorical_crossentropy(smoothed, ops.cast(logits, "float32"), from_logits=True)  # (B, T)
    real = ops.cast(ops.not_equal(targets, PAD), "float32")
    return ops.sum(losses * real) / ops.maximum(ops.sum(real), 1.0)
