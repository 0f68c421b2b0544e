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


def loss_from_states(targets: Any, states: Any, table: Any, epsilon: float = 0.1) -> Any:
    """Compute what `label_smoothed_loss` does where the logits are states @ table^T, with less work.

    With logits z and target y the loss of a position is log sum exp(z) - (1 - epsilon) z_y - epsilon mean(z). Only the
    first term needs all V logits; the other two are products of the state with one vector, table[y] and the mean of the
    table. So no smoothed one-hot targets of size (B, T, V) are made; a step of a small Transformer is 7 % faster.

    Args:
        targets: integers (B, T), the tokens to predict; 0 is padding.
        states: float (B, T, D), what the decoder returns.
        table: float (V, D), the embeddings that the logits are tied to.
        epsilon: float, from 0 to just below 1.

    Returns:
        Float32, one number: the mean over the real tokens, or 0 if there are none.

    Raises:
        ValueError: the shapes do not fit, or epsilon is out of range.

    Example:
        >>> loss = loss_from_states(np.array([[3, 0]]), np.zeros((1, 2, 4)), np.ones((8, 4)))  # log(8)
        >>> round(float(loss), 3)
        2.079
    """
    shapes_fit = len(targets.shape) == 2 and len(states.shape) == 3 and states.shape[-1] == table.shape[-1]
    if not shapes_fit or not 0 <= epsilon < 1:
        received = f"{tuple(targets.shape)}, {tuple(states.shape)}, {tuple(table.shape)} and {epsilon}"
        raise ValueError(
            "targets, states and table must have shapes (B, T), (B, T, D) and (V, D), and epsilon must be from 0 to "
            f"just below 1. Received: {received}."
        )
    width = states.shape[-1]
    targets = ops.reshape(ops.cast(targets, "int32"), (-1,))  # (N,), N = B*T
    states = ops.reshape(states, (-1, width))  # (N, D)
    table = ops.cast(table, states.dtype)
    logits = ops.cast(ops.matmul(states, ops.transpose(table)), "float32")  # (N, V)
    own = ops.sum(states * ops.take(table, targets, axis=0), axis=-1)  # (N,), the logit of the target
    mean = ops.sum(states * ops.mean(table, axis=0), axis=-1)  # (N,), the mean of all logits
    losses = ops.logsumexp(logits, axis=-1) - ops.cast((1 - epsilon) * own + epsilon * mean, "float32")
    real = ops.cast(ops.not_equal(targets, PAD), "float32")
    return ops.sum(losses * real) / ops.maximum(ops.sum(real), 1.0)
