"""Exercise `probe_training`: masks, batches and losses, healthy and sick, that a probe must tell apart."""

import numpy as np

from llmcourse.checking import accepted, criterion, mutants

from ..oracles import PAD, causal, expect_verdicts, log_softmax, softmax


def make_masks(source_ids, inputs):
    source, inputs = np.asarray(source_ids), np.asarray(inputs)
    padding = (source != PAD)[:, None, None, :]
    return padding, causal(inputs.shape[1]) & (inputs != PAD)[:, None, None, :], padding


def make_batch(source_ids, target_ids):
    target_ids = np.asarray(target_ids)
    return (np.asarray(source_ids), target_ids[:, :-1]), target_ids[:, 1:]


def sequence_loss(labels, logits):
    labels, logits = np.asarray(labels).astype(int), np.asarray(logits)
    each = -np.take_along_axis(log_softmax(logits), labels[:, :, None], axis=-1)[:, :, 0]
    return float(each[labels != PAD].mean())


def patient(healthy, words, masks=make_masks, batch=make_batch, loss=sequence_loss):
    return healthy, words, [masks, batch, loss]


def masks_in_full(source_ids, inputs):
    """Make the same masks in another way, as lists of the layers' own type."""
    inputs, source_ids = np.asarray(inputs), np.asarray(source_ids)
    length = inputs.shape[1]
    mask = np.zeros((len(inputs), 1, length, length), dtype=bool)
    for b, t, j in np.ndindex(len(inputs), length, length):
        mask[b, 0, t, j] = j <= t and inputs[b, j] != PAD
    return [np.reshape(source_ids > 0, (len(source_ids), 1, 1, -1)), mask, (source_ids > 0)[:, np.newaxis, np.newaxis]]


def batch_in_lists(source_ids, target_ids):
    target_ids = np.asarray(target_ids)
    return [[np.asarray(source_ids), np.delete(target_ids, -1, axis=1)], np.delete(target_ids, 0, axis=1)]


class ShakyLoss:
    """A loss that takes float32 only, as Keras does, and the last digits of which are not always the same."""

    def __init__(self):
        self.rng = np.random.default_rng(1)

    def __call__(self, labels, logits):
        if np.asarray(logits).dtype != np.float32:
            raise TypeError(f"logits must be float32. Received: {np.asarray(logits).dtype}.")
        return np.float32(sequence_loss(labels, logits) * (1 + 1e-6 * self.rng.normal()))


def summed_loss(labels, logits):
    """Compute the same from the odds."""
    labels, logits = np.asarray(labels).astype(int), np.asarray(logits, dtype=np.float64)
    top = logits.max(axis=-1, keepdims=True)
    total = 0.0
    for b, t in zip(*np.nonzero(labels), strict=True):
        total += np.log(np.exp(logits[b, t] - top[b, t]).sum()) + top[b, t, 0] - logits[b, t, labels[b, t]]
    return np.asarray(total / np.count_nonzero(labels))


HEALTHY = [
    patient(True, "with NumPy's own operations"),
    patient(True, "the loss takes and returns float32, its last digits are not always the same", loss=ShakyLoss()),
    patient(True, "lists in place of tuples, written with loops", masks_in_full, batch_in_lists, summed_loss),
]


def sick_masks(words, change):
    """Make a patient with sick masks; change takes the three right ones and both ids."""

    def masks(source_ids, inputs):
        source_ids, inputs = np.asarray(source_ids), np.asarray(inputs)
        return change(*make_masks(source_ids, inputs), source_ids, inputs)

    return patient(False, words, masks=masks)


@criterion(
    points=2,
    hints=[
        "Call make_masks with ids that contain padding. Which entries must be True?",
        "A source and a target of different lengths, two sentences or more with padding at different places: then the "
        "three masks are fully known. Compare each of them.",
    ],
)
def sick_masks_are_found(student, rng):
    """The probe tells healthy trainings from those whose masks show too much, or hide too much."""
    patients = [
        sick_masks("no masks at all", lambda encoder, decoder, cross, source, inputs: (None, None, None)),
        sick_masks(
            "no causal mask",
            lambda encoder, decoder, cross, source, inputs: (
                encoder,
                np.broadcast_to((inputs != PAD)[:, None, None, :], decoder.shape),
                cross,
            ),
        ),
        sick_masks(
            "the causal mask turned round",
            lambda encoder, decoder, cross, source, inputs: (encoder, np.swapaxes(decoder, 2, 3), cross),
        ),
        sick_masks(
            "a token does not see itself",
            lambda encoder, decoder, cross, source, inputs: (
                encoder,
                decoder & ~np.eye(inputs.shape[1], dtype=bool),
                cross,
            ),
        ),
        sick_masks(
            "padding of the target is seen",
            lambda encoder, decoder, cross, source, inputs: (
                encoder,
                np.broadcast_to(causal(inputs.shape[1]), decoder.shape),
                cross,
            ),
        ),
        sick_masks(
            "the encoder sees padding", lambda encoder, decoder, cross, source, inputs: (encoder | True, decoder, cross)
        ),
        sick_masks(
            "the cross-attention sees padding",
            lambda encoder, decoder, cross, source, inputs: (encoder, decoder, cross | True),
        ),
        sick_masks(
            "True means forbidden", lambda encoder, decoder, cross, source, inputs: (~encoder, ~decoder, ~cross)
        ),
        sick_masks(
            "the cross-attention has the target's padding",
            lambda encoder, decoder, cross, source, inputs: (encoder, decoder, (inputs != PAD)[:, None, None, :]),
        ),
        sick_masks(
            "all sentences have the mask of the first one",
            lambda encoder, decoder, cross, source, inputs: tuple(
                np.broadcast_to(mask[:1], mask.shape) for mask in (encoder, decoder, cross)
            ),
        ),
        sick_masks(
            "the cross-attention may not look ahead",
            lambda encoder, decoder, cross, source, inputs: (
                encoder,
                decoder,
                cross & np.tri(inputs.shape[1], source.shape[1], dtype=bool),
            ),
        ),
    ]
    expect_verdicts(student, rng, "probe_training", [*patients, HEALTHY[0], HEALTHY[2]])


def sick_batch(words, make):
    return patient(
        False, words, batch=lambda source_ids, target_ids: make(np.asarray(source_ids), np.asarray(target_ids))
    )


@criterion(
    points=2,
    hints=[
        "For a target that you choose yourself, what must the decoder be given, and what must it answer?",
        "Three arrays are known: the source, the inputs without the last column, the labels without the first one. Take "
        "more than one sentence.",
    ],
)
def sick_batches_are_found(student, rng):
    """The probe tells healthy trainings from those in which fit is given the wrong inputs or labels."""
    patients = [
        sick_batch("the labels are not shifted", lambda source, target: ((source, target[:, :-1]), target[:, :-1])),
        sick_batch("only one input", lambda source, target: (source, target[:, 1:])),
        sick_batch("as in the article", lambda source, target: (source, target)),
        sick_batch(
            "the labels are rolled round",
            lambda source, target: ((source, target[:, :-1]), np.roll(target, 1, 1)[:, 1:]),
        ),
        sick_batch("the decoder is given the answer", lambda source, target: ((source, target[:, 1:]), target[:, 1:])),
        sick_batch("shifted the wrong way", lambda source, target: ((source, target[:, 1:]), target[:, :-1])),
        sick_batch("a sentence is dropped, not a column", lambda source, target: ((source, target[:-1]), target[1:])),
        sick_batch("both inputs exchanged", lambda source, target: ((target[:, :-1], source), target[:, 1:])),
        sick_batch("all of the target is given", lambda source, target: ((source, target), target[:, 1:])),
        sick_batch("shifted by two", lambda source, target: ((source, target[:, :-2]), target[:, 2:])),
        sick_batch(
            "the source is shifted, too", lambda source, target: ((source[:, :-1], target[:, :-1]), target[:, 1:])
        ),
        sick_batch(
            "the target in place of the source", lambda source, target: ((target, target[:, :-1]), target[:, 1:])
        ),
    ]
    expect_verdicts(student, rng, "probe_training", [*patients, HEALTHY[1], HEALTHY[2]])


def sick_loss(words, compute):
    """Make a patient with a sick loss; compute takes labels, logits and which labels are real."""

    def loss(labels, logits):
        labels, logits = np.asarray(labels).astype(int), np.asarray(logits, dtype=np.float64)
        return float(compute(labels, logits, labels != PAD))

    return patient(False, words, loss=loss)


def pick(table, labels):
    return np.take_along_axis(table, labels[:, :, None], axis=-1)[:, :, 0]


@criterion(
    points=2,
    hints=[
        "For which logits do you know the loss? Think of a model that knows nothing, and of one that knows everything.",
        "Nothing known: ln V. Everything known: 0. Other numbers at padding: no change. A number added to all logits: no "
        "change. Two sentences of different lengths: every token counts the same.",
        "Any of that may be true by luck for special logits: take drawn ones, and compute the mean over the tokens from the "
        "losses of the single sentences.",
    ],
)
def sick_losses_are_found(student, rng):
    """The probe tells healthy trainings from those whose loss is not the mean cross-entropy of the real tokens."""

    def clipped(labels, logits, real):
        return -pick(np.log(np.clip(logits, 1e-7, 1.0)), labels)[real].mean()

    def by_number(labels, logits, real):
        return -(labels[:, :, None] * log_softmax(logits)).sum(axis=-1)[real].mean()

    def by_sentence(labels, logits, real):
        each = -pick(log_softmax(logits), labels) * real
        return (each.sum(axis=1) / np.maximum(real.sum(axis=1), 1)).mean()

    def other_label(labels, logits, real):
        return -pick(log_softmax(logits), np.roll(labels, 1, axis=1))[real].mean()

    patients = [
        sick_loss("logits are taken for probabilities", clipped),
        sick_loss("each token counts as often as its number says", by_number),
        sick_loss("padding counts", lambda labels, logits, real: -pick(log_softmax(logits), labels).mean()),
        sick_loss(
            "padding counts in the number of tokens",
            lambda labels, logits, real: -(pick(log_softmax(logits), labels) * real).mean(),
        ),
        sick_loss(
            "padding counts in the sum",
            lambda labels, logits, real: -pick(log_softmax(logits), labels).sum() / real.sum(),
        ),
        sick_loss(
            "the sum over the tokens", lambda labels, logits, real: -pick(log_softmax(logits), labels)[real].sum()
        ),
        sick_loss("the mean of the sentences' means", by_sentence),
        sick_loss("no minus", lambda labels, logits, real: pick(log_softmax(logits), labels)[real].mean()),
        sick_loss(
            "softmax twice", lambda labels, logits, real: -pick(log_softmax(softmax(logits)), labels)[real].mean()
        ),
        sick_loss(
            "logits are taken for log-probabilities",
            lambda labels, logits, real: -pick(logits, labels)[real].mean(),
        ),
        sick_loss("each position is asked for the label of the one before it", other_label),
        sick_loss(
            "logarithms to the base 2",
            lambda labels, logits, real: -pick(log_softmax(logits), labels)[real].mean() / np.log(2),
        ),
        sick_loss("it is NaN", lambda labels, logits, real: np.nan),
    ]
    expect_verdicts(student, rng, "probe_training", [*patients, HEALTHY[0], HEALTHY[1]])


@criterion(
    points=2,
    hints=[
        "Which of your conditions is stricter than what is asked for? Try them one by one.",
        "Compare numbers with a tolerance, 1e-4 or so; lists are as good as tuples.",
    ],
)
def healthy_trainings_pass(student, rng):
    """The probe says True for healthy trainings, however they are written, and False for the one of the article."""
    article = patient(
        False,
        "the one of the article",
        masks=lambda source_ids, inputs: (None, None, None),
        batch=lambda source_ids, target_ids: (np.asarray(source_ids), np.asarray(target_ids)),
        loss=lambda labels, logits: float(
            -(np.asarray(labels)[:, :, None] * np.log(np.clip(np.asarray(logits), 1e-7, 1.0))).sum(axis=-1).mean()
        ),
    )
    expect_verdicts(student, rng, "probe_training", [article, *HEALTHY])


# --- typical wrong answers, each with the criterion that must catch it ------------------------------------------------

PROBE = """
def probe_training(make_masks, make_batch, sequence_loss):
    source = np.array([[6, 9, 3, 0], [7, 4, 5, 3], [8, 3, 0, 0]])
    target = np.array([[2, 4, 3, 0, 0, 0], [2, 9, 8, 10, 5, 3], [2, 7, 6, 3, 0, 0]])
    inputs, labels = target[:, :-1], target[:, 1:]
    result = ask(make_batch, source, target)
    if result is None or len(result) != 2 or len(result[0]) != 2:
        return False
    x, y = result
    if not (np.array_equal(x[0], source) and np.array_equal(x[1], inputs) and np.array_equal(y, labels)):
        return False
    seen = (source > 0)[:, None, None, :]
    mine = (inputs > 0)[:, None, None, :] & np.tri(5, dtype=bool)
    masks = ask(make_masks, source, inputs)
    if masks is None or len(masks) != 3:
        return False
    if not (np.array_equal(masks[0], seen) and np.array_equal(masks[1], mine) and np.array_equal(masks[2], seen)):
        return False
    logits = np.random.default_rng(3).normal(size=(3, 5, 11)).astype("float32")
    wanted = np.log(np.exp(logits).sum(axis=-1)) - np.take_along_axis(logits, labels[:, :, None], -1)[:, :, 0]
    first = ask(sequence_loss, labels, logits)
    higher = ask(sequence_loss, labels, logits + 5)
    if first is None or higher is None:
        return False
    return bool(abs(first - wanted[labels > 0].mean()) < 1e-4 and abs(first - higher) < 1e-4)
"""
MASKS, BATCHES, LOSSES = "sick_masks_are_found", "sick_batches_are_found", "sick_losses_are_found"
HEALTHY_PASS = "healthy_trainings_pass"
LAST = "abs(first - wanted[labels > 0].mean()) < 1e-4"
mutants(
    PROBE,
    "*",
    [
        ("always says healthy", "    source = ", "    return True\n    source = "),
        ("always says sick", "    source = ", "    return False\n    source = "),
        ("looks at the name", "    source = ", "    return make_masks.__name__ != 'article_masks'\n    source = "),
        ("returns a list of verdicts", "return bool(abs", "return [True, True, bool(0)] or bool(abs"),
        ("sick and healthy turned round", "return bool(abs(first", "return not bool(abs(first"),
        ("imports the answer", "wanted[labels > 0].mean()", "float(losses.label_smoothed_loss(labels, logits, 0.0))"),
    ],
)
mutants(
    PROBE,
    MASKS,
    [
        (
            "never looks at the masks",
            "if not (np.array_equal(masks[0], seen) and np.array_equal(masks[1], mine) and np.array_equal(masks[2], seen)):",
            "if False:",
        ),
        (
            "looks at the decoder's mask only",
            "np.array_equal(masks[0], seen) and ",
            "",
            " and np.array_equal(masks[2], seen)",
            "",
        ),
        ("looks at the masks of the source only", " and np.array_equal(masks[1], mine)", ""),
        (
            "a source without padding",
            "[[6, 9, 3, 0], [7, 4, 5, 3], [8, 3, 0, 0]]",
            "[[6, 9, 5, 3], [7, 4, 5, 3], [8, 8, 5, 3]]",
        ),
        (
            "a target without padding",
            "[[2, 4, 3, 0, 0, 0], [2, 9, 8, 10, 5, 3], [2, 7, 6, 3, 0, 0]]",
            "[[2, 4, 6, 7, 7, 3], [2, 9, 8, 10, 5, 3], [2, 7, 6, 6, 4, 3]]",
        ),
        (
            "compares the first sentence only",
            "masks = ask(make_masks, source, inputs)",
            "masks = ask(make_masks, source[:1], inputs[:1])",
            "np.array_equal(masks[0], seen)",
            "np.array_equal(masks[0], seen[:1])",
            "np.array_equal(masks[1], mine)",
            "np.array_equal(masks[1], mine[:1])",
            "np.array_equal(masks[2], seen)",
            "np.array_equal(masks[2], seen[:1])",
        ),
        ("counts what is allowed", "np.array_equal(masks[1], mine)", "np.sum(masks[1]) == mine.sum()"),
        (
            "looks at the future only, in the decoder's mask",
            "np.array_equal(masks[1], mine)",
            "not np.any(np.asarray(masks[1]) & ~np.tri(5, dtype=bool))",
        ),
    ],
)
mutants(
    PROBE,
    BATCHES,
    [
        (
            "never looks at the batch",
            "if not (np.array_equal(x[0], source) and np.array_equal(x[1], inputs) and np.array_equal(y, labels)):",
            "if False:",
        ),
        ("looks at the labels only", "np.array_equal(x[0], source) and np.array_equal(x[1], inputs) and ", ""),
        ("looks at the inputs only", " and np.array_equal(y, labels)", ""),
        ("never looks at the source", "np.array_equal(x[0], source) and ", ""),
        (
            "START is enough",
            "np.array_equal(x[1], inputs)",
            "np.all(np.asarray(x[1])[:, 0] == 2)",
        ),
        (
            "looks at the shapes only",
            "np.array_equal(x[1], inputs) and np.array_equal(y, labels)",
            "np.shape(x[1]) == inputs.shape == np.shape(y)",
        ),
    ],
)
mutants(
    PROBE,
    LOSSES,
    [
        ("never looks at the loss", LAST + " and abs(first - higher) < 1e-4", "True"),
        ("adds a number to the logits, and nothing else", LAST + " and ", ""),
        (
            "knows nothing: ln V, and nothing else",
            LAST,
            "abs(float(sequence_loss(labels, 0 * logits)) - np.log(11)) < 1e-4",
        ),
        (
            "a target without padding",
            "[[2, 4, 3, 0, 0, 0], [2, 9, 8, 10, 5, 3], [2, 7, 6, 3, 0, 0]]",
            "[[2, 4, 6, 7, 7, 3], [2, 9, 8, 10, 5, 3], [2, 7, 6, 6, 4, 3]]",
            "ask(make_masks, source, inputs)",
            "[seen, mine, seen]",
        ),
        (
            "one sentence in the loss",
            "ask(sequence_loss, labels, logits)",
            "ask(sequence_loss, labels[2:], logits[2:])",
            "ask(sequence_loss, labels, logits + 5)",
            "ask(sequence_loss, labels[2:], logits[2:] + 5)",
            "wanted[labels > 0].mean()",
            "wanted[2][labels[2] > 0].mean()",
        ),
        ("a large tolerance", LAST, "abs(first - wanted[labels > 0].mean()) < 2"),
        (
            "NaN is no deviation",
            "return bool(abs(first - wanted[labels > 0].mean()) < 1e-4",
            "return bool(not abs(first - wanted[labels > 0].mean()) > 1e-4",
            "abs(first - higher) < 1e-4",
            "True",
        ),
        ("lets errors through", "return bool(abs", "sequence_loss(labels[0], logits)\n    return bool(abs"),
    ],
)
mutants(
    PROBE,
    HEALTHY_PASS,
    [
        ("logits as float64", '.astype("float32")', ""),
        ("too strict: equal to the last digit", LAST, "abs(first - wanted[labels > 0].mean()) < 1e-12"),
        ("wants tuples", "result is None or", "type(result) is not tuple or"),
        ("wants the loss to be a float", "if first is None", "if type(first) is not float"),
        (
            "wants padding to see nothing",
            "np.tri(5, dtype=bool)",
            "np.tri(5, dtype=bool) & (inputs > 0)[:, None, :, None]",
        ),
        ("counts padding itself", "wanted[labels > 0].mean()", "wanted.mean()"),
        ("wants a smoothed loss", "wanted[labels > 0].mean()", "wanted[labels > 0].mean() * 0.9"),
        ("expects more tokens of the target", "np.array_equal(x[1], inputs)", "np.array_equal(x[1], target)"),
    ],
)

# --- right answers written otherwise ----------------------------------------------------------------------------------

accepted(
    "what must not move and what must: properties of the loss, and a loop over the masks' entries",
    """
def probe_training(make_masks, make_batch, sequence_loss):
    rng = np.random.default_rng(8)
    source = rng.integers(4, 20, size=(4, 6))
    target = rng.integers(4, 20, size=(4, 9))
    target[:, 0] = 2
    for row, (s, t) in enumerate([(6, 9), (3, 4), (5, 6), (1, 3)]):
        source[row, s:], target[row, t - 1], target[row, t:] = 0, 3, 0
    try:
        (given, inputs), labels = make_batch(source, target)
        given, inputs, labels = np.asarray(given), np.asarray(inputs), np.asarray(labels)
        if given.shape != (4, 6) or inputs.shape != (4, 8) or labels.shape != (4, 8):
            return False
        if (given != source).any() or (inputs[:, 1:] != labels[:, :-1]).any() or (inputs[:, 0] != 2).any():
            return False
        if (labels[:, -1] != target[:, -1]).any() or (inputs != target[:, :8]).any():
            return False
        first, second, third = (np.asarray(mask) for mask in make_masks(source, inputs))
        for b in range(4):
            for t in range(8):
                for j in range(8):
                    if bool(second[b, 0, t, j]) != (j <= t and inputs[b, j] != 0):
                        return False
            for j in range(6):
                if bool(first[b, 0, 0, j]) != (source[b, j] != 0) or bool(third[b, 0, 0, j]) != (source[b, j] != 0):
                    return False
        if first.shape[2] != 1 or third.shape[2] != 1:
            return False

        def loss(labels, logits):
            return float(sequence_loss(labels, logits.astype("float32")))

        def near(a, b):
            return abs(a - b) < 1e-3

        logits = rng.normal(size=(4, 8, 20))
        whole = loss(labels, logits)
        alone = [loss(labels[b : b + 1], logits[b : b + 1]) for b in range(4)]
        counts = (labels > 0).sum(axis=1)
        noisy = np.where((labels == 0)[..., None], logits + 7 * rng.normal(size=logits.shape), logits)
        sure = np.where(np.arange(20) == labels[..., None], 40.0, 0.0)
        odds = np.exp(logits[0, :1])
        one = -np.log(odds[0, labels[0, 0]] / odds.sum())
        return bool(
            near(whole, np.dot(counts, alone) / counts.sum())
            and near(whole, loss(labels, logits + rng.normal(size=(4, 8, 1))))
            and near(whole, loss(labels, noisy))
            and near(loss(labels, sure), 0)
            and near(loss(labels, 0 * logits), np.log(20))
            and near(loss(labels[:1, :1], logits[:1, :1]), one)
        )
    except Exception:
        return False
""",
)
accepted(
    "three small probes, one after the other",
    """
SOURCE = np.array([[4, 5, 6, 7, 3], [8, 9, 3, 0, 0]], dtype="int32")
TARGET = np.array([[2, 9, 3, 0, 0, 0, 0], [2, 5, 6, 7, 8, 4, 3]], dtype="int32")


def _batch(make_batch):
    x, y = make_batch(SOURCE, TARGET)
    wanted = [SOURCE.tolist(), TARGET[:, :6].tolist(), TARGET[:, 1:].tolist()]
    return len(x) == 2 and [np.asarray(item).tolist() for item in (*x, y)] == wanted


def _masks(make_masks):
    inputs = TARGET[:, :6]
    padding = layers.padding_mask(SOURCE)
    wanted = padding, layers.combine_masks(layers.causal_mask(6), layers.padding_mask(inputs)), padding
    found = make_masks(ops.convert_to_tensor(SOURCE), ops.convert_to_tensor(inputs))
    return all(np.array_equal(a, np.asarray(b)) for a, b in zip(found, wanted, strict=True))


def _loss(sequence_loss):
    logits = np.sin(np.arange(2 * 6 * 10)).reshape(2, 6, 10).astype("float32") * 3
    labels = TARGET[:, 1:]
    wanted = float(keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=0, reduction="sum")(labels, logits))
    return abs(float(sequence_loss(labels, logits)) - wanted / np.count_nonzero(labels)) < 1e-4


def probe_training(make_masks, make_batch, sequence_loss):
    for probe, patient in ((_batch, make_batch), (_masks, make_masks), (_loss, sequence_loss)):
        try:
            if not probe(patient):
                return False
        except Exception:
            return False
    return True
""",
)
accepted(
    "floats as labels, a bool of NumPy, and the loss from its own formula",
    """
def probe_training(make_masks, make_batch, sequence_loss):
    targets = [[2, 7, 7, 5, 3], [2, 3, 0, 0, 0], [2, 4, 3, 0, 0]]
    sources = [[4, 3, 0, 0, 0, 0], [5, 6, 7, 8, 9, 3], [6, 5, 3, 0, 0, 0]]
    batch = ask(make_batch, np.array(sources), np.array(targets))
    masks = ask(make_masks, np.array(sources), np.array(targets)[:, :-1])
    if batch is None or masks is None or any(mask is None for mask in masks):
        return np.False_
    x, labels = batch
    if len(x) != 2:
        return np.False_
    right = np.array_equal(x[0], sources) & np.array_equal(x[1], [row[:-1] for row in targets])
    right = right & np.array_equal(labels, [row[1:] for row in targets])
    padding = np.not_equal(sources, 0).reshape(3, 1, 1, 6)
    mine = np.tril(np.repeat(np.not_equal(x[1], 0)[:, None, None, :], 4, axis=2))
    right = right and all(np.array_equal(a, b) for a, b in zip(masks, (padding, mine, padding)))
    if not right:
        return np.False_
    logits = 4 * np.random.default_rng(0).random((3, 4, 12), dtype="float32")
    found = ask(sequence_loss, np.asarray(labels, dtype="float32"), logits)
    odds, total, count = np.exp(logits), 0.0, 0
    for b, row in enumerate(targets):
        for t, token in enumerate(row[1:]):
            total, count = (total - np.log(odds[b, t, token] / odds[b, t].sum()), count + 1) if token else (total, count)
    return np.bool_(found is not None and np.isclose(found, total / count, atol=1e-4))
""",
)
