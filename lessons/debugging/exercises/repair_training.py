"""Exercise `repair_training`: what a right answer must do, and typical wrong ones."""

import numpy as np

from llmcourse.checking import (
    accepted,
    criterion,
    expect,
    expect_close,
    expect_equal,
    expect_gradients,
    expect_shape,
    mutants,
)

from ..oracles import (
    PAD,
    START,
    break_listing,
    causal,
    distinct_sizes,
    draw,
    draw_predictions,
    draw_sentences,
    smoothed_loss,
)


def draw_translation(rng):
    """Draw source ids (B, S) and target ids (B, T+1), both padded, all sizes different."""
    sentences, source, target = distinct_sizes(rng, 3, low=5, high=11)
    ids = draw_sentences(rng, sentences, source, vocabulary=50_000)
    ids[:, :-1] = np.where(ids[:, :-1] == START, 4, ids[:, :-1])
    return ids, draw_sentences(rng, sentences, target, vocabulary=50_000)


def call_masks(student, source, inputs):
    """Return the three masks as booleans (B, 1, rows, columns); None allows everything."""
    result = student.make_masks(source, inputs)
    fits = isinstance(result, tuple | list) and len(result) == 3
    expect(fits, required="make_masks returns three masks", received=result)
    (sentences, s), t = source.shape, inputs.shape[1]
    masks = []
    for mask, shape, words in zip(
        result, ((s, s), (t, t), (t, s)), ("encoder", "decoder", "cross-attention"), strict=True
    ):
        mask = np.ones((1, 1, 1, 1), dtype=bool) if mask is None else np.asarray(mask)
        fits = mask.dtype == bool and mask.ndim == 4
        received = f"shape {mask.shape}, dtype {mask.dtype}"
        expect(fits, required=f"the mask of the {words} is boolean with four axes", received=received)
        full = (sentences, 1, *shape)
        fits = all(have in (1, want) for have, want in zip(mask.shape, full, strict=True))
        expect(
            fits, required=f"the mask of the {words} broadcasts to (B, 1, T or S, S or T) = {full}", received=received
        )
        masks.append(np.broadcast_to(mask, full))
    return masks


@criterion(
    points=2,
    hints=[
        "Which of the three masks keeps a position from seeing the answer?",
        "The mask of the decoder's self-attention holds the causal mask: token t may see tokens up to t.",
        "`layers.combine_masks(layers.padding_mask(inputs), layers.causal_mask(inputs.shape[1]))`",
    ],
)
def the_decoder_does_not_see_the_future(student, rng):
    """The decoder's mask forbids every later position, and allows each real token up to the position itself."""
    source, target = draw_translation(rng)
    inputs = target[:, :-1]
    _, mask, _ = call_masks(student, source, inputs)
    late = np.broadcast_to(~causal(inputs.shape[1]), mask.shape)
    expect(not mask[late].any(), required="no position may attend to a later one", received=f"{mask[late].sum()} do")
    wanted = ~late & (inputs != PAD)[:, None, None, :]
    expect(mask[wanted].all(), required="real tokens up to the position are allowed", received="some are forbidden")


@criterion(
    hints=[
        "May a target token attend to padding among the inputs?",
        "The decoder's mask is causal AND allows real tokens only. Combine both.",
    ],
)
def padding_of_the_target_is_hidden(student, rng):
    """The decoder's mask forbids padding of the inputs as a key."""
    source, target = draw_translation(rng)
    inputs = target[:, :-1]
    _, mask, _ = call_masks(student, source, inputs)
    padding = np.broadcast_to((inputs == PAD)[:, None, None, :], mask.shape)
    expect(not mask[padding].any(), required="no attention to padding", received=f"{mask[padding].sum()} times allowed")


@criterion(
    points=2,
    hints=[
        "Who attends to the source? There are two of them.",
        "The encoder's self-attention and the decoder's cross-attention both need the padding mask of the source.",
        "`layers.padding_mask(source_ids)`, twice.",
    ],
)
def padding_of_the_source_is_hidden_from_both(student, rng):
    """The masks of the encoder and of the cross-attention allow exactly the real tokens of the source."""
    source, target = draw_translation(rng)
    encoder, _, cross = call_masks(student, source, target[:, :-1])
    for mask, words in ((encoder, "the encoder's mask"), (cross, "the cross-attention's mask")):
        expected = np.broadcast_to((source != PAD)[:, None, None, :], mask.shape)
        wrong = int((mask != expected).sum())
        expect(wrong == 0, required=f"{words} allows the real source tokens only", received=f"{wrong} wrong entries")


def call_batch(student, source, target):
    result = student.make_batch(source, target)
    fits = isinstance(result, tuple | list) and len(result) == 2
    expect(fits, required="make_batch returns a pair: x and y", received=result)
    return result


@criterion(
    points=2,
    hints=[
        "What is the right answer at the position of START?",
        "The labels are one place ahead of the inputs: all columns but the first.",
    ],
)
def the_labels_are_one_place_ahead(student, rng):
    """The labels are target_ids without their first column."""
    source, target = draw_translation(rng)
    expect_equal(call_batch(student, source, target)[1], target[:, 1:], what="the labels y")


@criterion(
    points=2,
    hints=[
        "How many inputs does an encoder-decoder model have?",
        "x is the pair (source_ids, inputs). The inputs begin with START and lack the last column.",
    ],
)
def fit_is_given_both_inputs(student, rng):
    """x is the pair of the source and of what the decoder is given, which begins with START."""
    source, target = draw_translation(rng)
    x = call_batch(student, source, target)[0]
    fits = isinstance(x, tuple | list) and len(x) == 2
    expect(fits, required="x is the pair (source_ids, inputs)", received=x)
    expect_equal(x[0], source, what="the first input, the source")
    expect_equal(x[1], target[:, :-1], what="the second input, given to the decoder")


@criterion(
    points=2,
    hints=[
        "Add the same number to all logits. Should the loss change?",
        "Logits are no probabilities: they may be negative or larger than 1. Softmax comes first.",
        "`log_probs = ops.log_softmax(logits)`",
    ],
)
def only_differences_between_logits_count(student, rng):
    """Adding a constant to all logits of a position does not change the loss."""
    labels, logits = draw_predictions(rng)
    before = expect_shape(student.sequence_loss(labels, logits), (), what="sequence_loss(labels, logits)")
    shifts = rng.uniform(-8, 8, size=(*labels.shape, 1)).astype(np.float32)
    after = student.sequence_loss(labels, logits + shifts)
    expect_close(after, before, what="the loss after a constant was added to the logits of each position")


@criterion(
    points=2,
    hints=[
        "Does it matter for the loss whether a word has the id 5 or the id 16?",
        "labels * log_probs is right for one-hot rows. For ids, pick the entry at the id's place.",
        "`ops.take_along_axis(log_probs, labels[:, :, None], axis=-1)[:, :, 0]`",
    ],
)
def the_numbers_of_the_tokens_do_not_matter(student, rng):
    """Renaming the tokens (ids and columns of the logits alike, PAD stays 0) does not change the loss."""
    labels, logits = draw_predictions(rng)
    before = expect_shape(student.sequence_loss(labels, logits), (), what="sequence_loss(labels, logits)")
    size = logits.shape[-1]
    new_ids = np.append(0, 1 + np.roll(np.arange(size - 1), int(rng.integers(1, size - 1)))).astype(np.int32)
    renamed = np.empty_like(logits)
    renamed[:, :, new_ids] = logits
    after = student.sequence_loss(new_ids[labels], renamed)
    expect_close(after, before, what="the loss after the tokens were renamed")


@criterion(
    points=2,
    hints=[
        "Carry out the padding test on the loss: append columns of padding.",
        "Padding counts neither in the sum nor in the number of tokens that you divide by.",
    ],
)
def padding_does_not_count(student, rng):
    """Neither more padding nor other logits at padding change the loss."""
    labels, logits = draw_predictions(rng)
    before = expect_shape(student.sequence_loss(labels, logits), (), what="sequence_loss(labels, logits)")
    moved = np.where((labels == PAD)[:, :, None], logits[:, :, ::-1] + draw(rng, *logits.shape), logits)
    expect_close(student.sequence_loss(labels, moved), before, what="the loss after the logits at padding were changed")
    wider = np.pad(labels, ((0, 0), (0, 4)))
    longer = np.concatenate([logits, draw(rng, len(logits), 4, logits.shape[2])], axis=1)
    expect_close(student.sequence_loss(wider, longer), before, what="the loss after more padding")


@criterion(
    points=2,
    hints=[
        "What is the loss of a model that gives all V tokens the same score?",
        "Minus the log-probability of the label, natural logarithm, the mean over the real tokens.",
    ],
)
def the_loss_is_the_cross_entropy_of_real_tokens(student, rng):
    """The loss is one number: the mean of -log p of the label over all real tokens; equal logits give log(V)."""
    labels, logits = draw_predictions(rng)
    expect_close(student.sequence_loss(labels, 0 * logits), np.log(logits.shape[-1]), what="the loss of equal logits")
    expected = smoothed_loss(labels, logits, 0.0)
    expect_close(student.sequence_loss(labels, logits), expected, what="sequence_loss(labels, logits)")
    labels = rng.integers(40_000, 50_000, size=(2, 3)).astype(np.int32)
    logits = draw(rng, 2, 3, 50_000)
    expected = smoothed_loss(labels, logits, 0.0)
    what = "the loss with 50,000 tokens"
    expect_close(student.sequence_loss(labels, logits), expected, what=what, tolerance=1e-3)


@criterion(
    hints=[
        "Can the model learn from your loss: does its gradient come back to the logits?",
        "A step in NumPy gives the right number and no gradient. Use keras.ops.",
    ],
)
def the_gradient_comes_back_to_the_logits(student, rng):
    """The gradient by the logits is right, and 0 at padding."""
    labels = np.array([[3, 1, 0], [2, 0, 0]], dtype=np.int32)
    student.define("def loss_of(logits, labels):\n    return sequence_loss(labels, logits)\n")
    expect_gradients(
        student,
        rng,
        "loss_of",
        {"logits": draw(rng, 2, 3, 4)},
        lambda logits: np.array(smoothed_loss(labels, logits, 0.0)),
        options={"labels": labels},
    )


# --- typical wrong answers, each with the criterion that must catch it ------------------------------------------------

TRAINING = """
def make_masks(source_ids, inputs):
    source_mask, memory_mask = layers.padding_mask(source_ids), layers.padding_mask(source_ids)
    future, padding = layers.causal_mask(inputs.shape[1]), layers.padding_mask(inputs)
    return source_mask, layers.combine_masks(future, padding), memory_mask


def make_batch(source_ids, target_ids):
    x = (source_ids, target_ids[:, :-1])
    y = target_ids[:, 1:]
    return x, y


def sequence_loss(labels, logits):
    labels = ops.cast(labels, "int32")
    log_probs = ops.log_softmax(logits)
    each = -ops.sum(ops.one_hot(labels, logits.shape[-1]) * log_probs, axis=-1)
    real = ops.cast(ops.not_equal(labels, 0), "float32")
    return ops.sum(each * real) / ops.maximum(ops.sum(real), 1.0)
"""
COMBINED = "layers.combine_masks(future, padding)"
TRAINING_FAULTS = (
    (
        "no causal mask",
        "the_decoder_does_not_see_the_future",
        "future, padding = layers.causal_mask(inputs.shape[1])",
        "future, padding = None",
    ),
    (
        "no padding mask",
        "padding_of_the_source_is_hidden_from_both",
        "layers.padding_mask(source_ids), layers.padding_mask(source_ids)",
        "None, None",
        ", layers.padding_mask(inputs)",
        ", None",
    ),
    ("the targets are not shifted", "the_labels_are_one_place_ahead", "y = target_ids[:, 1:]", "y = target_ids"),
    ("fit feeds one input", "fit_is_given_both_inputs", "x = (source_ids, target_ids[:, :-1])", "x = source_ids"),
    (
        "takes logits for probabilities",
        "only_differences_between_logits_count",
        "ops.log_softmax(logits)",
        "ops.log(ops.clip(logits, 1e-7, 1.0))",
    ),
    (
        "a one-hot loss on integer labels",
        "the_numbers_of_the_tokens_do_not_matter",
        "ops.one_hot(labels, logits.shape[-1])",
        'ops.cast(labels, "float32")[:, :, None]',
    ),
    (
        "the loss counts padding",
        "padding_does_not_count",
        "ops.sum(each * real) / ops.maximum(ops.sum(real), 1.0)",
        "ops.mean(each)",
    ),
)
mutants(
    TRAINING,
    "*",
    [
        (
            "imports the answer",
            '    labels = ops.cast(labels, "int32")\n',
            "    return losses.label_smoothed_loss(labels, logits, 0.0)\n",
        )
    ],
)
break_listing(TRAINING, TRAINING_FAULTS)
mutants(
    TRAINING,
    "the_decoder_does_not_see_the_future",
    [
        (
            "hides padding as a query, not as a key",
            COMBINED,
            "layers.combine_masks(future, ops.swapaxes(padding, 2, 3))",
        ),
        ("the causal mask turned round", COMBINED, "layers.combine_masks(ops.swapaxes(future, 2, 3), padding)"),
        (
            "a token does not see itself",
            COMBINED,
            "layers.combine_masks(ops.logical_not(ops.swapaxes(future, 2, 3)), padding)",
        ),
        ("True means forbidden", COMBINED, "ops.logical_not(layers.combine_masks(future, padding))"),
        ("what one of the two allows", COMBINED, "ops.logical_or(future, padding)"),
    ],
)
mutants(
    TRAINING,
    "padding_of_the_target_is_hidden",
    [
        ("no padding mask of the target", COMBINED, "future"),
    ],
)
mutants(
    TRAINING,
    "padding_of_the_source_is_hidden_from_both",
    [
        ("no mask in the cross-attention", "padding), memory_mask", "padding), None"),
        ("no mask in the encoder", "return source_mask,", "return None,"),
        ("the target's padding in the cross-attention", "padding), memory_mask", "padding), padding"),
        ("numbers instead of booleans", "padding), memory_mask", "padding), ops.cast(memory_mask, 'float32')"),
        ("masks with two axes", "return source_mask,", "return source_mask[:, 0, 0],"),
        ("True means padding", "return source_mask,", "return ops.logical_not(source_mask),"),
    ],
)
mutants(
    TRAINING,
    "the_labels_are_one_place_ahead",
    [
        ("the labels are the inputs", "y = target_ids[:, 1:]", "y = target_ids[:, :-1]"),
        ("rolls the labels round", "y = target_ids[:, 1:]", "y = np.roll(target_ids, -1, axis=1)"),
    ],
)
mutants(
    TRAINING,
    "fit_is_given_both_inputs",
    [
        (
            "the decoder is given the labels",
            "x = (source_ids, target_ids[:, :-1])",
            "x = (source_ids, target_ids[:, 1:])",
        ),
        (
            "the inputs in the other order",
            "x = (source_ids, target_ids[:, :-1])",
            "x = (target_ids[:, :-1], source_ids)",
        ),
        (
            "the decoder is given all of the target",
            "x = (source_ids, target_ids[:, :-1])",
            "x = (source_ids, target_ids)",
        ),
        ("a dict", "x = (source_ids, target_ids[:, :-1])", "x = {'source': source_ids, 'inputs': target_ids[:, :-1]}"),
    ],
)
mutants(
    TRAINING,
    "only_differences_between_logits_count",
    [("takes logits for log-probabilities", "ops.log_softmax(logits)", "logits")],
)
mutants(
    TRAINING,
    "padding_does_not_count",
    [
        (
            "padding counts in the number only",
            "ops.sum(each * real) / ops.maximum(ops.sum(real), 1.0)",
            "ops.mean(each * real)",
        ),
        ("padding counts in the sum only", "ops.sum(each * real) / ", "ops.sum(each) / "),
    ],
)
mutants(
    TRAINING,
    "the_loss_is_the_cross_entropy_of_real_tokens",
    [
        ("forgets the minus", "each = -ops.sum(", "each = ops.sum("),
        ("the sum instead of the mean", " / ops.maximum(ops.sum(real), 1.0)", ""),
        (
            "one loss for each token",
            "return ops.sum(each * real) / ops.maximum(ops.sum(real), 1.0)",
            "return each * real",
        ),
        (
            "the mean of the sentences' means",
            "return ops.sum(each * real) / ops.maximum(ops.sum(real), 1.0)",
            "return ops.mean(ops.sum(each * real, axis=1) / ops.maximum(ops.sum(real, axis=1), 1.0))",
        ),
    ],
)

mutants(
    TRAINING,
    "the_gradient_comes_back_to_the_logits",
    [
        ("log-probabilities in NumPy", "ops.log_softmax(logits)", "np.asarray(ops.log_softmax(logits))"),
        ("stops the gradient", "ops.log_softmax(logits)", "ops.stop_gradient(ops.log_softmax(logits))"),
    ],
)
mutants(
    TRAINING,
    "the_loss_is_the_cross_entropy_of_real_tokens",
    [("ids of 16 bits", 'ops.cast(labels, "int32")', 'ops.cast(labels, "int16")')],
)
mutants(
    TRAINING,
    "the_labels_are_one_place_ahead",
    [("ids of 16 bits", "y = target_ids[:, 1:]", "y = target_ids[:, 1:].astype('int16')")],
)

# --- right answers written otherwise ----------------------------------------------------------------------------------

accepted(
    "masks in NumPy, and the loss by take_along_axis",
    """
def make_masks(source_ids, inputs):
    source = (np.asarray(source_ids) != 0)[:, None, None, :]
    target = (np.asarray(inputs) != 0)[:, None, None, :] & np.tri(np.shape(inputs)[1], dtype=bool)[None, None]
    return source, target, source


def make_batch(source_ids, target_ids):
    return (source_ids, np.delete(target_ids, -1, axis=1)), np.delete(target_ids, 0, axis=1)


def sequence_loss(labels, logits):
    labels = ops.cast(labels, "int32")
    log_probs = logits - ops.logsumexp(logits, axis=-1, keepdims=True)
    right = ops.take_along_axis(log_probs, labels[..., None], axis=-1)[..., 0]
    real = ops.cast(labels > 0, "float32")
    return -ops.sum(right * real) / ops.maximum(ops.sum(real), 1)
""",
)
accepted(
    "log-sum-exp minus the right logit, and logical_and by hand",
    """
def make_masks(source_ids, inputs):
    length = inputs.shape[1]
    past = ops.reshape(ops.arange(length), (1, 1, length, 1)) >= ops.reshape(ops.arange(length), (1, 1, 1, length))
    mine = ops.logical_and(past, layers.padding_mask(inputs))
    return layers.padding_mask(source_ids), mine, layers.padding_mask(source_ids)


def make_batch(source_ids, target_ids):
    inputs, labels = steps_of(target_ids)
    return (source_ids, inputs), labels


def steps_of(ids):
    return ids[:, : ids.shape[1] - 1], ids[:, -(ids.shape[1] - 1) :]


def sequence_loss(labels, logits):
    labels = ops.cast(labels, "int32")
    right = ops.sum(logits * ops.one_hot(labels, logits.shape[-1]), axis=-1)
    each = ops.where(labels == 0, 0.0, ops.logsumexp(logits, axis=-1) - right)
    count = ops.cast(ops.count_nonzero(labels), "float32")
    return ops.sum(each) / ops.where(count > 0, count, 1.0)
""",
)
accepted(
    "the list of the real tokens' losses, in TensorFlow",
    """
def make_masks(source_ids, inputs):
    padding = layers.padding_mask(source_ids)
    return padding, layers.combine_masks(layers.padding_mask(inputs), layers.causal_mask(inputs.shape[1])), padding


def make_batch(source_ids, target_ids):
    return [(source_ids, target_ids[:, 0:-1]), target_ids[:, 1:]]


def sequence_loss(labels, logits):
    import tensorflow as tf

    labels = tf.cast(labels, tf.int32)
    each = -tf.gather(tf.nn.log_softmax(logits), labels, batch_dims=2)
    kept = tf.where(labels > 0, each, tf.zeros_like(each))
    return tf.math.divide_no_nan(tf.reduce_sum(kept), tf.reduce_sum(tf.cast(labels > 0, tf.float32)))
""",
)
