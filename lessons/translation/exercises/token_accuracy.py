"""Exercise `token_accuracy`: what a right answer must do, and typical wrong ones."""

import numpy as np

from llmcourse.checking import accepted, criterion, expect, expect_close, expect_shape, mutant, mutants

from ..oracles import END, IMPORT, PAD, UNK, distinct_sizes


def draw_predictions(rng, share=0.6, lengths=None):
    """Draw targets (B, T) with padding and logits (B, T, V), of which about a share are right at real tokens."""
    count, length, size = distinct_sizes(rng, 3, low=4, high=11)
    lengths = rng.integers(1, length + 1, size=count) if lengths is None else np.array(lengths)
    length = max(length, int(lengths.max()))
    targets = rng.integers(1, size, size=(len(lengths), length)).astype(np.int32)
    targets[np.arange(length) >= lengths[:, None]] = PAD
    logits = rng.normal(size=(*targets.shape, size)).astype(np.float32)
    np.put_along_axis(logits, targets[..., None], -9.0, axis=-1)
    second = rng.uniform(size=targets.shape) < 0.5  # where the target is not the best it may be the second best
    values = np.where(second, logits.max(axis=-1) - 0.01, -9.0)
    values = np.where(rng.uniform(size=targets.shape) < share, 9.0, values).astype(np.float32)
    np.put_along_axis(logits, targets[..., None], values[..., None], axis=-1)
    return targets, logits


def share_right(targets, logits):
    real = targets != PAD
    return float((logits.argmax(axis=-1) == targets)[real].mean()) if real.any() else 0.0


def expect_accuracy(student, targets, logits, what):
    result = student.token_accuracy(targets, logits)
    expect_close(expect_shape(result, (), what=what), share_right(targets, logits), what=what)


@criterion(
    points=2,
    hints=[
        "Which token does the model choose at each position?",
        "The one with the largest logit: argmax over the last axis, (B, T, V) to (B, T). Compare it with the targets.",
        "`ops.equal(ops.cast(ops.argmax(logits, axis=-1), 'int32'), targets)`, then the mean as a float.",
    ],
)
def it_is_the_share_of_right_tokens(student, rng):
    """Without padding the result is the share of positions whose largest logit is that of the target."""
    for share, shift in ((0.7, 0), (0.2, 0), (0.5, -40), (0.5, 100)):
        count, length = distinct_sizes(rng, 2, low=4, high=11)
        targets, logits = draw_predictions(rng, share, [length] * count)
        targets, logits = targets[:, :length], logits[:, :length] + np.float32(shift)
        what = f"token_accuracy without padding, logits around {shift}"
        expect_accuracy(student, targets, logits, what)


@criterion(
    points=3,
    hints=[
        "What happens to your number if you append a hundred columns of padding?",
        "Nothing may happen: positions whose target is 0 count neither as right nor in the number of tokens.",
        "`right = ops.logical_and(real, ops.equal(guesses, targets))` with `real = ops.not_equal(targets, 0)`; cast both to float32, and divide their sums.",
    ],
)
def padding_does_not_count(student, rng):
    """Positions with target PAD (0) have no part in it, whatever the model says there and however many there are."""
    targets, logits = draw_predictions(rng)
    extra = int(rng.integers(3, 7))
    wider = np.pad(targets, ((0, 0), (0, extra)))
    for at_padding in (-9, 9):  # the model says something else there, or PAD
        longer = np.pad(logits, ((0, 0), (0, extra), (0, 0)))
        longer[wider == PAD, PAD] = at_padding
        expect_accuracy(student, wider, longer, "token_accuracy with padding")
    targets, logits = draw_predictions(rng, 1.0, [1])
    expect_accuracy(student, targets, logits, "token_accuracy of one real token, which is right,")


@criterion(
    points=2,
    hints=[
        "Is your result a mean over tokens, or a mean of the sentences' means?",
        "A sentence of nine tokens counts nine times as much as one of a single token: sum over the whole batch.",
    ],
)
def every_token_weighs_the_same(student, rng):
    """The mean is taken over all real tokens of the batch, not over sentences."""
    long = int(rng.integers(8, 12))
    targets, logits = draw_predictions(rng, 1.0, [long, 1, 2])
    for row in (1, 2):
        logits[row, :, PAD] = 20  # the short ones are wrong
    expect_accuracy(student, targets, logits, "token_accuracy of one long and two short sentences")


@criterion(
    hints=[
        "Is a prediction of PAD at a real token right, wrong, or left out?",
        "Wrong. Only the target says which positions are real; never look at the prediction for it.",
    ],
)
def only_the_targets_say_what_is_padding(student, rng):
    """A model that says PAD where a word is wanted is wrong there; END and UNK are tokens like others."""
    for special in (UNK, END, UNK, END):  # twice, lest a wrong way of counting gives the right share by chance
        targets, logits = draw_predictions(rng, 0.8)
        real = np.argwhere(targets != PAD)[1:]  # without the very first token, which is right
        for row, place in real[rng.permutation(len(real))[: max(1, len(real) // 3)]]:
            logits[row, place, PAD] = 30
        targets[0, 0] = special
        logits[0, 0] = 0
        logits[0, 0, special] = 40
        expect_accuracy(student, targets, logits, f"token_accuracy where a target is {special}")


@criterion(
    hints=[
        "How many real tokens does a batch of nothing but padding have?",
        "0 / 0 is nan. `ops.maximum(ops.sum(real), 1.0)` never is 0.",
    ],
)
def a_batch_of_padding_gives_zero(student, rng):
    """If all targets are padding the result is 0 and not nan."""
    targets, logits = draw_predictions(rng)
    expect_accuracy(student, 0 * targets, logits, "token_accuracy of nothing but padding")


COMPILED = """
import keras as _keras


def evaluate_with_metric(targets, logits):
    inputs = _keras.Input(logits.shape[1:])
    model = _keras.Model(inputs, _keras.layers.Identity()(inputs))
    nothing = lambda wanted, given: _keras.ops.sum(given) * 0.0
    model.compile(loss=nothing, metrics=[token_accuracy], jit_compile=False)
    try:
        if _keras.backend.backend() == "tensorflow":  # as with batches whose lengths differ
            import tensorflow as tf

            open_lengths = tf.TensorSpec([None, None], "int32"), tf.TensorSpec([None, None, logits.shape[-1]])
            tf.function(token_accuracy, input_signature=open_lengths).get_concrete_function()
        found = model.evaluate(logits, targets, batch_size=len(logits), verbose=0, return_dict=True)
        return float(next(value for name, value in found.items() if name != "loss"))
    except Exception as error:
        return f"{type(error).__name__}: {str(error).strip()[:200]}"
"""


@criterion(
    hints=[
        "Keras hands the targets over as floats, and compiles your function. What does 7.0 == 7 give in your code?",
        "Lengths may be open then: `targets.shape[1]` is None, `ops.shape(targets)[1]` is a number. Do you need it?",
        "Cast first, `targets = ops.cast(targets, 'int32')`, and use functions of `ops` instead of NumPy's throughout.",
    ],
)
def it_works_as_a_metric_of_fit(student, rng):
    """Targets may be floats such as 7.0, and Keras can compile it for any lengths, as `metrics=[token_accuracy]` asks."""
    targets, logits = draw_predictions(rng)
    own = np.asarray(student.token_accuracy(targets, logits))  # right or wrong, it must be the same for floats
    what = "token_accuracy for targets as floats, the same as for integers"
    expect_close(student.token_accuracy(targets.astype(np.float32), logits), own, what=what)
    student.define(COMPILED)
    received = student.evaluate_with_metric(targets, logits)
    required = f"as a metric of a compiled model, {float(own):.3f} for these targets and logits"
    fits = isinstance(received, float) and abs(received - float(own)) < 1e-4
    expect(fits, required=required, received=received)


@criterion(
    hints=[
        "Which integers do you compare? A vocabulary may have 50,000 tokens, and a batch thousands of them.",
        "int32 for the ids and float32 for the sums are large enough; int8, int16 or float16 are not.",
    ],
)
def large_vocabularies_and_batches_are_welcome(student, rng):
    """Ids above 65,000 are compared as they are, and thousands of tokens are counted."""
    targets = rng.integers(2_100, 4_000, size=(3, 7))
    targets[0, :2] = 2_304, 65_536  # which end with a byte of zeros, or two
    guesses = targets + rng.permutation(np.resize([0, 0, 1, 256, 65_536], targets.size)).reshape(targets.shape)
    logits = np.zeros((*targets.shape, 140_000), dtype=np.float32)
    np.put_along_axis(logits, guesses[..., None], 5.0, axis=-1)
    expect_accuracy(student, targets.astype(np.int32), logits, "token_accuracy with ids up to 140,000")
    targets, logits = draw_predictions(rng, 0.6, rng.integers(50, 90, size=60))
    expect_accuracy(student, targets, logits, f"token_accuracy of {(targets != PAD).sum():,} tokens")


# --- typical wrong answers, each with the criterion that must catch it ------------------------------------------------

ACCURACY = """
def token_accuracy(targets, logits):
    targets = ops.cast(targets, "int32")
    guesses = ops.cast(ops.argmax(logits, axis=-1), "int32")
    real = ops.not_equal(targets, 0)
    right = ops.logical_and(real, ops.equal(guesses, targets))
    return ops.sum(ops.cast(right, "float32")) / ops.maximum(ops.sum(ops.cast(real, "float32")), 1.0)
"""
REAL, RIGHT = "real = ops.not_equal(targets, 0)", "right = ops.logical_and(real, ops.equal(guesses, targets))"
RATIO = 'ops.sum(ops.cast(right, "float32")) / ops.maximum(ops.sum(ops.cast(real, "float32")), 1.0)'
mutant(fails="*", why="imports the answer", source=f"{IMPORT}token_accuracy\n")
mutants(
    ACCURACY,
    "it_is_the_share_of_right_tokens",
    [
        ("the number of right tokens", f"return {RATIO}", 'return ops.sum(ops.cast(right, "float32"))'),
        ("one number for each sentence", f"return {RATIO}", 'return ops.mean(ops.cast(right, "float32"), axis=-1)'),
        ("the share of wrong tokens", f"return {RATIO}", f"return 1.0 - {RATIO}"),
        (
            "argmax over the positions",
            "ops.argmax(logits, axis=-1)",
            "ops.argmax(logits, axis=1)[:, : targets.shape[1]]",
        ),
        ("in percent", f"return {RATIO}", f"return 100.0 * {RATIO}"),
        (
            "the share of sentences that are all right",
            f"return {RATIO}",
            'return ops.mean(ops.cast(ops.all(ops.equal(right, real), axis=1), "float32"))',
        ),
        ("logits below 0 are nothing", "ops.argmax(logits,", "ops.argmax(ops.relu(logits),"),
        ("exponentials of any logits", "ops.argmax(logits,", "ops.argmax(ops.exp(logits),"),
        ("the smallest logit", "ops.argmax(logits, axis=-1)", "ops.argmin(logits, axis=-1)"),
        (
            "the probability of the right token",
            f"return {RATIO}",
            "p = ops.take_along_axis(ops.softmax(logits), targets[:, :, None], axis=-1)[:, :, 0]\n"
            '    real = ops.cast(real, "float32")\n    return ops.sum(p * real) / ops.sum(real)',
        ),
        (
            "right if among the best two",
            "ops.equal(guesses, targets)",
            "ops.any(ops.equal(ops.top_k(logits, 2)[1], targets[:, :, None]), axis=-1)",
        ),
        (
            "shifts the targets once more",
            "ops.equal(guesses, targets)",
            "ops.equal(guesses, ops.roll(targets, -1, axis=1))",
        ),
    ],
)
mutants(
    ACCURACY,
    "padding_does_not_count",
    [
        ("padding counts like any token", REAL, "real = ops.ones_like(targets) > 0"),
        ("right padding counts as right", RIGHT, "right = ops.equal(guesses, targets)"),
        ("padding stays in the number of tokens", f"return {RATIO}", 'return ops.mean(ops.cast(right, "float32"))'),
        ("never divides by less than two", ", 1.0)", ", 2.0)"),
        ("END is taken for padding", REAL, "real = ops.not_equal(targets, 3)"),
        (
            "padding counts as right in both sums",
            RIGHT,
            "right = ops.logical_or(ops.logical_not(real), ops.equal(guesses, targets))",
        ),
        (
            "zeroes the logits at padding",
            REAL,
            "real = ops.ones_like(targets) > 0\n    guesses = guesses * ops.cast(ops.not_equal(targets, 0), 'int32')",
        ),
    ],
)
PER_SENTENCE = (
    """ops.sum(ops.cast(right, "float32"), axis=1) / ops.maximum(ops.sum(ops.cast(real, "float32"), axis=1), 1.0)"""
)
mutants(
    ACCURACY,
    "every_token_weighs_the_same",
    [
        ("the mean of the sentences' means", f"return {RATIO}", f"return ops.mean({PER_SENTENCE})"),
        ("the first sentence only", f"return {RATIO}", f"return ({PER_SENTENCE})[0]"),
        ("the median of the sentences", f"return {RATIO}", f"return ops.median({PER_SENTENCE})"),
        (
            "the mean of the positions' means",
            f"return {RATIO}",
            "return ops.mean(" + PER_SENTENCE.replace("axis=1", "axis=0") + ")",
        ),
    ],
)
mutants(
    ACCURACY,
    "only_the_targets_say_what_is_padding",
    [
        ("asks the guesses what is padding", REAL, "real = ops.not_equal(guesses, 0)"),
        (
            "leaves out positions where either is PAD",
            REAL,
            "real = ops.logical_and(ops.not_equal(targets, 0), ops.not_equal(guesses, 0))",
        ),
        ("reserved tokens do not count", REAL, "real = ops.greater(targets, 3)"),
        ("UNK does not count", REAL, "real = ops.greater(targets, 1)"),
        ("END does not count", REAL, "real = ops.logical_and(ops.not_equal(targets, 0), ops.not_equal(targets, 3))"),
        (
            "never looks at PAD among the logits",
            "ops.argmax(logits, axis=-1)",
            "ops.argmax(logits[:, :, 1:], axis=-1) + 1",
        ),
    ],
)
mutants(
    ACCURACY,
    "large_vocabularies_and_batches_are_welcome",
    [
        *((f"ids as {dtype}", ACCURACY, ACCURACY.replace("int32", dtype)) for dtype in ("uint8", "int16", "float16")),
        ("counts in half precision", RATIO, RATIO.replace("float32", "float16")),
        (
            "counts in a byte",
            "    return ",
            '    right, real = (ops.cast(ops.sum(ops.cast(x, "int32")), "uint8") for x in (right, real))\n    return ',
        ),
    ],
)
mutants(
    ACCURACY,
    "a_batch_of_padding_gives_zero",
    [
        (
            "0 divided by 0",
            'ops.maximum(ops.sum(ops.cast(real, "float32")), 1.0)',
            'ops.sum(ops.cast(real, "float32"))',
        ),
        (
            "1 for nothing but padding",
            f"return {RATIO}",
            'count = ops.sum(ops.cast(real, "float32"))\n'
            '    return ops.where(count > 0, ops.sum(ops.cast(right, "float32")) / ops.maximum(count, 1.0), 1.0)',
        ),
    ],
)
mutants(
    ACCURACY,
    "it_works_as_a_metric_of_fit",
    [
        (
            "NumPy inside",
            ACCURACY,
            """
def token_accuracy(targets, logits):
    targets, logits = np.asarray(targets).astype(int), np.asarray(logits)
    real = targets != 0
    return float((logits.argmax(axis=-1) == targets)[real].sum()) / max(1, int(real.sum()))
""",
        ),
        (
            "targets are not cast",
            '    targets = ops.cast(targets, "int32")\n',
            "    targets = ops.convert_to_tensor(targets)\n    assert 'int' in str(targets.dtype)\n",
        ),
        (
            "needs to know how long the sentences are",
            REAL,
            "real = ops.not_equal(ops.reshape(targets, (-1, int(logits.shape[1]))), 0)",
        ),
        (
            "an if on a tensor",
            f"    return {RATIO}",
            f"    if float(ops.sum(ops.cast(real, 'float32'))) == 0:\n        return 0.0\n    return {RATIO}",
        ),
        ("a Python float", f"return {RATIO}", f"return float({RATIO})"),
    ],
)

# --- right answers written otherwise ----------------------------------------------------------------------------------

accepted(
    "functions of TensorFlow",
    """
def token_accuracy(targets, logits):
    import tensorflow as tf

    targets = tf.cast(targets, tf.int64)
    real = tf.cast(targets != 0, tf.float32)
    right = tf.cast(tf.equal(tf.argmax(logits, axis=-1), targets), tf.float32) * real
    return tf.math.divide_no_nan(tf.reduce_sum(right), tf.reduce_sum(real))
""",
)
accepted(
    "the right logit is as large as the largest",
    """
def token_accuracy(targets, logits):
    ids = ops.cast(targets, "int32")
    logits = ops.convert_to_tensor(logits)
    mine = ops.take_along_axis(logits, ids[..., None], axis=-1)[..., 0]
    real = ops.cast(ids > 0, "float32")
    hits = real * ops.cast(mine >= ops.max(logits, axis=-1), "float32")
    return ops.sum(hits) / (ops.sum(real) + 1e-9)
""",
)
accepted(
    "all positions in one row, and top_k",
    """
def token_accuracy(targets, logits):
    wanted = ops.reshape(ops.cast(targets, "int32"), (-1,))
    best = ops.reshape(ops.top_k(logits, 1)[1], (-1,))
    weights = ops.cast(wanted > 0, "float32")
    hits = ops.sum(ops.where(ops.equal(best, wanted), weights, 0.0))
    return ops.divide_no_nan(hits, ops.sum(weights))
""",
)
accepted(
    "a masked mean by where",
    """
def token_accuracy(targets, logits):
    targets = ops.cast(targets, "int64")
    hits = ops.where(ops.equal(ops.cast(ops.argmax(logits, -1), "int64"), targets), 1.0, 0.0)
    count = ops.cast(ops.count_nonzero(targets), "float32")
    return ops.sum(ops.where(targets == 0, 0.0, hits)) / ops.where(count > 0, count, 1.0)
""",
)
