"""Exercise `label_smoothed_loss`: what a right answer must do, and typical wrong ones."""

import numpy as np

from llmcourse.checking import accepted, criterion, expect_close, expect_gradients, mutants

from ..oracles import PAD, distinct_sizes, draw, draw_predictions, smoothed_loss


@criterion(
    points=2,
    hints=[
        "With epsilon 0, which one entry of each row of log-probabilities counts?",
        "Minus the log-probability of the target, and the mean over all positions.",
        "`ops.take_along_axis(ops.log_softmax(logits), targets[:, :, None], axis=-1)[:, :, 0]`",
    ],
)
def without_smoothing_it_is_the_cross_entropy(student, rng):
    """With epsilon 0 and without padding, the loss is one number: the mean of -log p of the targets."""
    targets, logits = draw_predictions(rng, padded=False)
    result = student.label_smoothed_loss(targets, logits, 0.0)
    expect_close(result, smoothed_loss(targets, logits, 0.0), what="the loss with epsilon 0")


@criterion(
    points=2,
    hints=[
        "What share does the target keep, and what does each other token get?",
        "The target gets 1 - epsilon + epsilon / V, all others epsilon / V; the shares sum to 1.",
        "`-(1 - epsilon) * log_target - epsilon * ops.mean(log_probs, axis=-1)`",
    ],
)
def smoothing_shares_epsilon_among_all_tokens(student, rng):
    """The target has the weight 1 - epsilon + epsilon / V, each other token epsilon / V."""
    targets, logits = draw_predictions(rng, padded=False)
    epsilon = float(rng.uniform(0.5, 0.9))
    result = student.label_smoothed_loss(targets, logits, epsilon)
    expect_close(result, smoothed_loss(targets, logits, epsilon), what=f"the loss with epsilon {epsilon:.2f}")


@criterion(
    points=2,
    hints=[
        "If you append padding to a batch, what should happen to its loss?",
        "Padding must vanish from the sum and from the count: divide by the number of real tokens.",
        "`ops.sum(each * real) / ops.sum(real)` with `real = ops.cast(ops.not_equal(targets, 0), 'float32')`.",
    ],
)
def padding_counts_neither_above_nor_below(student, rng):
    """Positions whose target is 0 count neither in the sum nor in the number of tokens."""
    targets, logits = draw_predictions(rng)
    for epsilon in (0.0, 0.2):
        expected = smoothed_loss(targets, logits, epsilon)
        expect_close(student.label_smoothed_loss(targets, logits, epsilon), expected, what="the loss of a padded batch")
        extra = int(rng.integers(2, 5))
        wider = np.pad(targets, ((0, 0), (0, extra)))
        longer = np.concatenate([logits, draw(rng, len(logits), extra, logits.shape[2])], axis=1)
        expect_close(student.label_smoothed_loss(wider, longer, epsilon), expected, what="the loss after more padding")


@criterion(
    hints=[
        "Is your loss a mean over tokens, or a mean of the sentences' means?",
        "A sentence with five tokens counts five times as much as one with a single token.",
    ],
)
def every_token_weighs_the_same(student, rng):
    """The mean is taken over all real tokens of the batch, however they are spread over the sentences."""
    size, length = distinct_sizes(rng, 2, low=5, high=12)
    targets = rng.integers(1, size, size=(2, length)).astype(np.int32)
    targets[1, 1:] = PAD  # one long sentence and one single token
    logits = draw(rng, 2, length, size, scale=0.5)
    logits[0, np.arange(length), targets[0]] += 5
    logits[1, 0, targets[1, 0]] -= 5
    expected = smoothed_loss(targets, logits, 0.1)
    expect_close(student.label_smoothed_loss(targets, logits, 0.1), expected, what="the loss of a long and a short one")


@criterion(
    hints=[
        "What is the logarithm of a probability that is exactly 0?",
        "Never take log(softmax(...)); `ops.log_softmax(logits)` does both safely in one step.",
    ],
)
def huge_logits_give_a_finite_loss(student, rng):
    """Logits of 1,000 and of -1,000 give the exact finite loss."""
    targets, logits = draw_predictions(rng)
    huge = (1000 * rng.choice([-1.0, 1.0], size=logits.shape)).astype(np.float32)
    for epsilon in (0.0, 0.1):
        expected = smoothed_loss(targets, huge, epsilon)
        expect_close(student.label_smoothed_loss(targets, huge, epsilon), expected, what="the loss of huge logits")


@criterion(
    hints=[
        "Keras hands the targets over as floats. What does your code do with 7.0?",
        "Cast them first: `targets = ops.cast(targets, 'int32')`.",
    ],
)
def targets_may_come_as_floats(student, rng):
    """Targets such as 7.0, as `fit` passes them, give the same loss as the integer 7."""
    targets, logits = draw_predictions(rng)
    result = student.label_smoothed_loss(targets.astype(np.float32), logits, 0.1)
    expect_close(result, smoothed_loss(targets, logits, 0.1), what="the loss for targets as floats")


@criterion(
    hints=[
        "How many real tokens does a batch of nothing but padding have?",
        "Dividing by 0 gives nan. `ops.maximum(ops.sum(real), 1.0)` never does.",
    ],
)
def a_batch_of_padding_has_no_loss(student, rng):
    """If all targets are padding, the loss is 0 and not nan."""
    targets, logits = draw_predictions(rng)
    expect_close(student.label_smoothed_loss(0 * targets, logits, 0.1), 0.0, what="the loss of nothing but padding")


@criterion(
    hints=[
        "Can the network learn from your loss: does its gradient come back to the logits?",
        "Compute with ops.log_softmax on the logits themselves; NumPy gives the right number and no gradient.",
    ],
)
def the_gradient_comes_back_to_the_logits(student, rng):
    """The gradient by the logits is right, and 0 at padding."""
    targets = np.array([[3, 1, 0], [2, 0, 0]], dtype=np.int32)
    logits, epsilon = draw(rng, 2, 3, 4), float(rng.uniform(0.05, 0.3))
    student.define("def loss_of(logits, targets, epsilon):\n    return label_smoothed_loss(targets, logits, epsilon)\n")
    expect_gradients(
        student,
        rng,
        "loss_of",
        {"logits": logits},
        lambda logits: np.array(smoothed_loss(targets, logits, epsilon)),
        options={"targets": targets, "epsilon": epsilon},
    )


GRAPH = """
def loss_in_a_graph(targets, logits, epsilon):
    import tensorflow as tf

    kinds = [tf.TensorSpec((None, None), "float32"), tf.TensorSpec((None, None, logits.shape[-1]), "float32")]
    return tf.function(lambda t, z: label_smoothed_loss(t, z, epsilon), input_signature=kinds, autograph=False)(
        targets.astype("float32"), logits
    )
"""


@criterion(
    hints=[
        "`fit` compiles your loss before it knows the numbers. Does your code ask for one, with `if` or `float`?",
        "Use keras.ops throughout: `ops.maximum` or `ops.where` instead of `if`; sizes of a batch may be open.",
    ],
)
def it_can_be_compiled_by_fit(student, rng):
    """The loss works where Keras compiles it: sizes of the batch open, no numbers known in advance."""
    student.define(GRAPH)
    targets, logits = draw_predictions(rng)
    received = student.loss_in_a_graph(targets, logits, 0.2)
    expect_close(received, smoothed_loss(targets, logits, 0.2), what="the loss inside fit")


@criterion(
    hints=[
        "How many tokens can your integers count?",
        "A vocabulary may have 50,000 tokens: int32, not int16.",
    ],
)
def large_vocabularies_are_welcome(student, rng):
    """With 50,000 tokens, ids above 40,000 are counted rightly."""
    targets = rng.integers(40_000, 50_000, size=(2, 3)).astype(np.int32)
    targets[1, 2] = PAD
    logits = draw(rng, 2, 3, 50_000)
    expected = smoothed_loss(targets, logits, 0.1)
    expect_close(
        student.label_smoothed_loss(targets, logits, 0.1), expected, what="the loss with 50,000 tokens", tolerance=1e-3
    )


# --- typical wrong answers, each with the criterion that must catch it ------------------------------------------------

LOSS = """
def label_smoothed_loss(targets, logits, epsilon):
    targets = ops.cast(targets, "int32")
    size = logits.shape[-1]
    log_probs = ops.log_softmax(logits)
    q = (1 - epsilon) * ops.one_hot(targets, size) + epsilon / size
    each = -ops.sum(q * log_probs, axis=-1)
    real = ops.cast(ops.not_equal(targets, 0), "float32")
    return ops.sum(each * real) / ops.maximum(ops.sum(real), 1.0)
"""
Q, MEAN = (
    "(1 - epsilon) * ops.one_hot(targets, size) + epsilon / size",
    "ops.sum(each * real) / ops.maximum(ops.sum(real), 1.0)",
)
LOG = "ops.log_softmax(logits)"
mutants(
    LOSS,
    "*",
    [
        (
            "imports the answer",
            "    targets = ",
            "    return losses.label_smoothed_loss(targets, logits, epsilon)\n    targets = ",
        ),
        (
            "lets Keras do it",
            "    targets = ",
            "    q = ops.one_hot(targets, logits.shape[-1])\n"
            "    return keras.losses.CategoricalCrossentropy(True, epsilon)(q, logits)\n    targets = ",
        ),
    ],
)
mutants(
    LOSS,
    "without_smoothing_it_is_the_cross_entropy",
    [
        ("takes the logits for log-probabilities", LOG, "logits"),
        ("takes the logits for probabilities", LOG, "ops.log(ops.clip(logits, 1e-7, 1.0))"),
        ("forgets the minus", "-ops.sum(q", "ops.sum(q"),
        ("softmax over the positions", LOG, "ops.log_softmax(logits, axis=1)"),
        ("the sum instead of the mean", MEAN, "ops.sum(each * real)"),
        ("one loss for each sentence", MEAN, "ops.sum(each * real, axis=1) / ops.sum(real, axis=1)"),
        ("divides by the number of sentences", MEAN, "ops.sum(each * real) / logits.shape[0]"),
        ("the mean over the vocabulary", "-ops.sum(q * log_probs, axis=-1)", "-ops.mean(q * log_probs, axis=-1)"),
        ("logarithm to the base 2", LOG, "ops.log_softmax(logits) / 0.6931472"),
        (
            "shifts the targets once more",
            "targets = ops.cast(targets",
            "targets = ops.cast(ops.roll(targets, -1, axis=1)",
        ),
    ],
)
mutants(
    LOSS,
    "smoothing_shares_epsilon_among_all_tokens",
    [
        (
            "shares epsilon among the others only",
            Q,
            "(1 - epsilon - epsilon / (size - 1)) * ops.one_hot(targets, size) + epsilon / (size - 1)",
        ),
        ("the target keeps all", Q, "ops.one_hot(targets, size) + epsilon / size"),
        ("each other token gets epsilon", Q, "(1 - epsilon) * ops.one_hot(targets, size) + epsilon"),
        ("forgets to smooth", Q, "ops.one_hot(targets, size)"),
        ("not more than 0.3", "    size =", "    epsilon = min(epsilon, 0.3)\n    size ="),
        ("a fixed epsilon", Q, "0.9 * ops.one_hot(targets, size) + 0.05 / size"),
        ("smooths with the sum over the vocabulary", Q, "(1 - epsilon) * ops.one_hot(targets, size) + epsilon * size"),
    ],
)
mutants(
    LOSS,
    "padding_counts_neither_above_nor_below",
    [
        ("padding counts in the sum and in the number", MEAN, "ops.mean(each)"),
        ("padding counts in the number", MEAN, "ops.mean(each * real)"),
        ("padding counts in the sum", MEAN, "ops.sum(each) / ops.maximum(ops.sum(real), 1.0)"),
        ("masks UNK instead of PAD", "not_equal(targets, 0)", "not_equal(targets, 1)"),
        ("counts padding only", "not_equal(targets, 0)", "equal(targets, 0)"),
        (
            "smoothing brings padding back",
            "-ops.sum(q * log_probs, axis=-1)",
            "-ops.sum(q * log_probs, axis=-1) + epsilon * ops.sum(1 - ops.cast(targets != 0, 'float32'))",
        ),
    ],
)
mutants(
    LOSS,
    "every_token_weighs_the_same",
    [
        (
            "the mean of the sentences' means",
            MEAN,
            "ops.mean(ops.sum(each * real, axis=1) / ops.maximum(ops.sum(real, axis=1), 1.0))",
        ),
        (
            "the mean of the positions' means",
            MEAN,
            "ops.mean(ops.sum(each * real, axis=0) / ops.maximum(ops.sum(real, axis=0), 1.0))",
        ),
    ],
)
mutants(
    LOSS,
    "huge_logits_give_a_finite_loss",
    [
        ("the logarithm of the softmax", LOG, "ops.log(ops.softmax(logits))"),
        ("hides it with a small constant", LOG, "ops.log(ops.softmax(logits) + 1e-9)"),
        ("writes the softmax by hand", LOG, "logits - ops.log(ops.sum(ops.exp(logits), axis=-1, keepdims=True))"),
        ("clips the logits", LOG, "ops.log_softmax(ops.clip(logits, -50.0, 50.0))"),
    ],
)
mutants(
    LOSS,
    "targets_may_come_as_floats",
    [
        (
            "uses the targets as they come",
            'ops.cast(targets, "int32")',
            "ops.convert_to_tensor(targets)",
            "ops.one_hot(targets, size)",
            "ops.convert_to_tensor(np.eye(size, dtype='float32')[np.asarray(targets)])",
        )
    ],
)
mutants(
    LOSS,
    "a_batch_of_padding_has_no_loss",
    [("divides by 0 where there is nothing", "ops.maximum(ops.sum(real), 1.0)", "ops.sum(real)")],
)
mutants(
    LOSS,
    "the_gradient_comes_back_to_the_logits",
    [
        ("cuts the way back", LOG, "ops.stop_gradient(ops.log_softmax(logits))"),
        (
            "a loss in NumPy",
            "    return ops.sum",
            "    return ops.convert_to_tensor(np.array(ops.sum",
            "ops.maximum(ops.sum(real), 1.0)",
            "ops.maximum(ops.sum(real), 1.0)))",
        ),
    ],
)
mutants(LOSS, "large_vocabularies_are_welcome", [("ids of 16 bits", '"int32"', '"int16"')])

mutants(
    LOSS,
    "it_can_be_compiled_by_fit",
    [
        ("asks whether there is anything to count", f"return {MEAN}", f"return {MEAN} if ops.sum(real) > 0 else 0.0"),
        (
            "lists the real tokens by their number",
            f"return {MEAN}",
            "return sum(each[real > 0]) / max(1.0, float(ops.sum(real)))",
        ),
        (
            "needs to know the length",
            "    real = ",
            "    each = ops.reshape(each, (len(targets) * targets.shape[1],))\n    targets = ops.reshape(targets, (-1,))\n    real = ",
        ),
    ],
)

# --- right answers written otherwise ----------------------------------------------------------------------------------

accepted(
    "minus the log-probability of the target, and the mean of all, mixed",
    """
def label_smoothed_loss(targets, logits, epsilon):
    targets = ops.cast(targets, "int32")
    log_probs = logits - ops.logsumexp(logits, axis=-1, keepdims=True)
    right = ops.take_along_axis(log_probs, targets[..., None], axis=-1)[..., 0]
    each = (1 - epsilon) * right + epsilon * ops.mean(log_probs, axis=-1)
    real = ops.cast(targets > 0, "float32")
    return -ops.sum(ops.where(targets > 0, each, 0.0)) / ops.maximum(ops.sum(real), 1)
""",
)
accepted(
    "functions of TensorFlow",
    """
def label_smoothed_loss(targets, logits, epsilon):
    import tensorflow as tf

    targets = tf.cast(targets, tf.int32)
    log_probs = tf.nn.log_softmax(logits)
    hard = -tf.gather(log_probs, targets, batch_dims=2)
    soft = -tf.reduce_mean(log_probs, axis=-1)
    real = tf.cast(tf.not_equal(targets, 0), tf.float32)
    return tf.math.divide_no_nan(tf.reduce_sum(((1 - epsilon) * hard + epsilon * soft) * real), tf.reduce_sum(real))
""",
)
accepted(
    "the whole distribution from one_hot, where with a list of the real places",
    """
def label_smoothed_loss(targets, logits, epsilon):
    size = ops.shape(logits)[-1]
    ids = ops.reshape(ops.cast(targets, "int32"), (-1,))
    rows = ops.log_softmax(ops.reshape(logits, (-1, size)), axis=-1)
    q = ops.one_hot(ids, size) * (1.0 - epsilon) + epsilon / size
    weight = ops.cast(ids != 0, rows.dtype)
    total = ops.einsum("nv,nv,n->", q, rows, weight)
    return -total / (ops.sum(weight) + ops.cast(ops.all(ids == 0), rows.dtype))
""",
)
