"""What the exercises of the lesson `debugging` share: drawn inputs, oracles in NumPy, and a way to break listings."""

import numpy as np

from llmcourse.checking import expect, mutant, replace_once
from llmcourse.checking.raised import StudentError

PAD, START, END = 0, 2, 3


def distinct_sizes(rng, count, low=2, high=9):
    """Draw sizes that all differ, so that a swapped axis cannot go unnoticed."""
    return [int(size) for size in rng.choice(np.arange(low, high), size=count, replace=False)]


def draw(rng, *shape, scale=1.0):
    return rng.normal(scale=scale, size=shape).astype(np.float32)


def draw_norm(rng, width):
    return [rng.uniform(0.5, 1.5, size=width).astype(np.float32), draw(rng, width, scale=0.3)]


def draw_attention(rng, width, heads):
    """Draw kernels and biases in the order query, key, value, output."""
    key_dim = width // heads
    weights = []
    for _ in range(3):
        weights += [draw(rng, width, heads, key_dim, scale=0.5), draw(rng, heads, key_dim, scale=0.3)]
    return [*weights, draw(rng, heads, key_dim, width, scale=0.5), draw(rng, width, scale=0.3)]


def draw_feed_forward(rng, width, hidden):
    return [
        draw(rng, width, hidden, scale=0.5),
        draw(rng, hidden, scale=0.3),
        draw(rng, hidden, width, scale=0.5),
        draw(rng, width, scale=0.3),
    ]


def draw_padding(rng, sentences, length):
    """Draw a boolean mask (B, S) with padding at the end of each sentence, after two real tokens or more if S > 2."""
    lengths = rng.integers(min(2, length - 1), length, size=sentences)
    return np.arange(length)[None, :] < lengths[:, None]


def as_float64(weights):
    return [np.asarray(value, dtype=np.float64) for value in weights]


def softmax(scores):
    exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def log_softmax(logits):
    shifted = np.asarray(logits, dtype=np.float64) - np.max(logits, axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def normalise(x, weights):
    gamma, beta = as_float64(weights)
    return gamma * (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(x.var(axis=-1, keepdims=True) + 1e-5) + beta


def feed_forward(x, weights):
    first, first_bias, second, second_bias = as_float64(weights)
    return np.maximum(x @ first + first_bias, 0) @ second + second_bias


def attend(query, value, weights, mask=None):
    """Compute multi-head attention of query (B, T, D) over value (B, S, D); the mask broadcasts to (B, H, T, S)."""
    wq, bq, wk, bk, wv, bv, wo, bo = as_float64(weights)
    q = np.einsum("btd,dhk->bhtk", query, wq) + bq[:, None, :]
    k = np.einsum("bsd,dhk->bhsk", value, wk) + bk[:, None, :]
    v = np.einsum("bsd,dhk->bhsk", value, wv) + bv[:, None, :]
    scores = np.einsum("bhtk,bhsk->bhts", q, k) / np.sqrt(wq.shape[-1])
    if mask is not None:
        scores = np.where(mask, scores, -np.inf)
    return np.einsum("bhts,bhsk,hkd->btd", softmax(scores), v, wo) + bo


def encode(x, weights, mask=None):
    """Compute an encoder layer (pre-norm)."""
    x = np.asarray(x, dtype=np.float64)
    y = normalise(x, weights["self_attention_norm"])
    x = x + attend(y, y, weights["self_attention"], mask)
    return x + feed_forward(normalise(x, weights["feed_forward_norm"]), weights["feed_forward"])


def decode(x, memory, weights, mask=None, memory_mask=None):
    """Compute a decoder layer (pre-norm)."""
    x, memory = np.asarray(x, dtype=np.float64), np.asarray(memory, dtype=np.float64)
    y = normalise(x, weights["self_attention_norm"])
    x = x + attend(y, y, weights["self_attention"], mask)
    y = normalise(x, weights["cross_attention_norm"])
    x = x + attend(y, memory, weights["cross_attention"], memory_mask)
    return x + feed_forward(normalise(x, weights["feed_forward_norm"]), weights["feed_forward"])


def causal(length):
    return np.tril(np.ones((length, length), dtype=bool))[None, None]


def smoothed_loss(targets, logits, epsilon):
    """Compute the loss from the definition: the whole distribution q, then the mean over real tokens."""
    targets = np.asarray(targets)
    log_probs, size = log_softmax(logits), np.shape(logits)[-1]
    q = np.full(log_probs.shape, epsilon / size)
    np.put_along_axis(q, targets[:, :, None], 1 - epsilon + epsilon / size, axis=-1)
    real = targets != PAD
    return float(-(q * log_probs).sum(axis=-1)[real].mean()) if real.any() else 0.0


def positional(length, width):
    angles = np.arange(length)[:, None] / 10000.0 ** (np.arange(0, width, 2) / width)
    return np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(length, width)


TOO_STRICT = (
    "Your probe must also let healthy ones pass. Which of its conditions is stricter than what is asked for?",
    "Leave your conditions out one by one. Exact comparisons are too strict: rounding moves numbers a little.",
)


def expect_verdicts(student, rng, probe, patients):
    """Require that a probe tells sick from healthy: True for the healthy patients, False for the others, in any order.

    Args:
        student: the learner's side.
        rng: draws the order.
        probe: the name of the learner's function.
        patients: for each whether it is healthy, what it does in words, and the probe's arguments.
    """
    verdicts = {}
    for place in rng.permutation(len(patients)):
        try:
            verdicts[place] = getattr(student, probe)(*patients[place][2])
        except StudentError as error:
            if error.cause in ("stub", "missing"):
                raise
            verdicts[place] = error
    for place in sorted(
        verdicts, key=lambda place: (not patients[place][0], place)
    ):  # one that is too strict is said first
        (healthy, words, _), verdict = patients[place], verdicts[place]
        required = f"{probe} returns {healthy} for {'a healthy one' if healthy else 'a sick one'}: {words}"
        hints = TOO_STRICT if healthy else ()
        if isinstance(verdict, StudentError):
            expect(False, required=required, received=verdict.with_line, hints=hints)
        expect(isinstance(verdict, bool | np.bool_), required=f"{probe} returns True or False", received=verdict)
        expect(bool(verdict) == healthy, required=required, received=str(verdict), hints=hints)


def draw_sentences(rng, sentences, length, vocabulary=30):
    """Draw START, tokens, END and padding: (B, length), one sentence as long as it can be, the others shorter."""
    shorter = rng.integers(2, max(3, length - 2), size=sentences - 1)
    ids = np.zeros((sentences, length), dtype=np.int32)
    for row, end in enumerate(rng.permutation(np.append(shorter, length - 1))):
        ids[row, 0], ids[row, end] = START, END
        ids[row, 1:end] = rng.integers(4, vocabulary, size=end - 1)
    return ids


def draw_predictions(rng, padded=True):
    """Draw targets (B, T) with padding and logits (B, T, V)."""
    sentences, length, size = distinct_sizes(rng, 3, low=4, high=12)
    targets = rng.integers(1, size, size=(sentences, length)).astype(np.int32)
    if padded:
        targets = np.where(draw_padding(rng, sentences, length), targets, PAD)
    return targets, draw(rng, sentences, length, size, scale=1.5)


def break_listing(healthy, faults):
    """Declare the broken listing, each fault left alone, and each fault repaired while the others stay."""

    def broken(kept):
        return replace_once(healthy, *(text for _, _, *pieces in kept for text in pieces))

    for fault in faults:
        mutant(fails=fault[1], why=f"the broken listing as it stands: {fault[0]}", source=broken(faults))
        mutant(fails=fault[1], why=f"left alone: {fault[0]}", source=broken([fault]))
        others = [other for other in faults if other is not fault]
        mutant(fails=others[0][1], why=f"repairs only this: {fault[0]}", source=broken(others))
