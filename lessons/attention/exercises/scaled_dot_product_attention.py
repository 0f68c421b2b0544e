"""Exercise `scaled_dot_product_attention`: what a right answer must do, and typical wrong ones."""

import numpy as np

from llmcourse.checking import (
    accepted,
    criterion,
    expect,
    expect_close,
    expect_gradients,
    expect_shape,
    expect_unchanged,
    mutants,
)

from ..oracles import TOLERANCE, attend, distinct_sizes, draw, draw_mask, expect_pair, scores_of

NEAR = 0.02  # how near a wrong formula's weights may come before they count as the right ones


def draw_attention(rng, scale=1.0):
    """Draw query (B, H, T, K), key (B, H, S, K) and value (B, H, S, E), all six sizes different.

    The scores are about as large as 1 after the division, so that no softmax is saturated.
    """
    b, h, t, s, k, e = distinct_sizes(rng, 6, high=10)
    return draw(rng, b, h, t, k, scale=scale), draw(rng, b, h, s, k, scale=scale), draw(rng, b, h, s, e)


def call_attention(student, query, key, value, mask=None):
    """Call the learner's attention and require a pair of the right shapes."""
    arguments = (query, key, value) if mask is None else (query, key, value, mask)
    result = student.scaled_dot_product_attention(*arguments)
    expect_unchanged(student)
    output, weights = expect_pair(result, "scaled_dot_product_attention", "the output and the weights")
    batch, heads, length, _ = query.shape
    output = expect_shape(output, (batch, heads, length, value.shape[-1]), what="the output")
    weights = expect_shape(weights, (batch, heads, length, key.shape[2]), what="the weights")
    return output.astype(np.float64), weights.astype(np.float64)


@criterion(
    hints=[
        "Write down the shape of every step. Which axes must agree in query times key?",
        "`ops.matmul(query, ops.swapaxes(key, -1, -2))` gives (B, H, T, S), and that times value gives (B, H, T, E).",
        "Return both, the output first: `return ops.matmul(weights, value), weights`.",
    ],
)
def output_and_weights_have_their_shapes(student, rng):
    """The result is a pair: the output (B, H, T, E) and the weights (B, H, T, S), also where some of them are 1."""
    call_attention(student, *draw_attention(rng))
    query, key, value = draw_attention(rng)
    call_attention(student, query[:1, :, :1], key[:1, :, :1], value[:1, :, :1])
    call_attention(student, query[:, :1], key[:, :1], value[:, :1, :, :1])
    call_attention(student, query[..., :1], key[..., :1], value)


@criterion(
    hints=[
        "What do the weights of one query sum to in your code? And the weights that one key receives?",
        "Over which axis does the softmax run: the queries or the keys?",
        "`axis=-1`: the last axis of the scores (B, H, T, S) runs over the keys.",
    ],
)
def the_weights_of_each_query_sum_to_one(student, rng):
    """For each query the weights are positive and sum to 1 over the keys."""
    _, weights = call_attention(student, *draw_attention(rng))
    expect((weights >= 0).all(), required="no weight is negative", received=f"a weight of {weights.min():.3g}")
    sums = weights.sum(axis=-1)
    expect_close(sums, np.ones_like(sums), what="the sum of a query's weights over the keys", tolerance=TOLERANCE)


@criterion(
    hints=[
        "Is there any key with a weight of exactly 0, although nothing forbids it?",
        "A soft dictionary listens to all keys. Use softmax, not the position of the largest score.",
    ],
)
def every_allowed_key_has_a_say(student, rng):
    """Without a mask, and with scores of ordinary size, every key gets some weight and none gets all of it."""
    for _ in range(3):
        query, key, value = draw_attention(rng, scale=0.7)
        _, weights = call_attention(student, query, key, value)
        expect(
            weights.min() > 1e-5, required="every weight is above 0.00001", received=f"a weight of {weights.min():.3g}"
        )
        expect(
            weights.max() < 0.9999, required="every weight is below 0.9999", received=f"a weight of {weights.max():.3g}"
        )


def steepness(student, rng):
    """Measure how much further apart the weights' logarithms are than the dot products: 1 / sqrt(K) where all is right.

    Yields the width K and the factor for three sets of sizes.
    """
    for _ in range(3):
        query, key, value = draw_attention(rng, scale=0.8)
        _, weights = call_attention(student, query, key, value)
        expect((weights > 0).all(), required="every weight is above 0", received=f"a weight of {weights.min():.3g}")
        logs, dots = np.log(weights), scores_of(query, key)
        logs, dots = (part - part.mean(axis=-1, keepdims=True) for part in (logs, dots))
        yield query.shape[-1], float((logs * dots).sum() / (dots * dots).sum())


@criterion(
    hints=[
        "How large are the scores for wide queries, with K = 1,000 entries, and what does softmax make of them?",
        "Divide the scores before the softmax.",
        "`scores / math.sqrt(key.shape[-1])`",
    ],
)
def the_scores_are_divided_before_the_softmax(student, rng):
    """The scores that go into the softmax are smaller than the dot products."""
    for width, factor in steepness(student, rng):
        required = f"dot products of width K = {width} are divided before the softmax"
        expect(factor < 0.9, required=required, received=f"scores {factor:.2f} times as large as the dot products")


@criterion(
    hints=[
        "By what are your scores divided: by the width, by its root, or by something else?",
        "The variance of the dot product is K, so its typical size is the square root of K.",
        "K is the last axis of query and key, in one head: `math.sqrt(key.shape[-1])`.",
    ],
)
def the_divisor_is_the_root_of_the_width(student, rng):
    """The scores are the dot products divided by the square root of K, the last axis of query and key."""
    for width, factor in steepness(student, rng):
        right = abs(factor * np.sqrt(width) - 1) < NEAR
        divisor = "something that is not positive" if factor <= 0 else f"{1 / factor:.3g}"
        expect(
            right, required=f"for K = {width} a division by {np.sqrt(width):.3g}", received=f"a division by {divisor}"
        )


@criterion(
    points=2,
    hints=[
        "Are the weights right? Then look at how they meet the values.",
        "Row t of the output is the sum over s of weights[t, s] times row s of value: a matrix product.",
        "`ops.matmul(weights, value)`: (B, H, T, S) times (B, H, S, E).",
    ],
)
def the_output_is_the_weighted_mean_of_the_values(student, rng):
    """Output and weights are right for three sets of sizes, and where all sizes are equal and no shape gives help."""
    inputs = [draw_attention(rng) for _ in range(3)] + [tuple(draw(rng, 4, 4, 4, 4) for _ in range(3))]
    for query, key, value in inputs:
        output, weights = call_attention(student, query, key, value)
        expected = attend(query, key, value)
        expect_close(weights, expected[1], what="the weights", tolerance=TOLERANCE)
        expect_close(output, expected[0], what="the output", tolerance=TOLERANCE)


@criterion(
    points=2,
    hints=[
        "Which keys get weight in your code: those where the mask is True, or the others?",
        "True means 'may attend'. Where the mask is False, the score becomes a very small number.",
        "`ops.where(mask, scores, -1e9)`, before the softmax.",
    ],
)
def forbidden_keys_get_no_weight(student, rng):
    """Where the mask is False the weight is exactly 0; where it is True it is above 0."""
    for _ in range(3):
        query, key, value = draw_attention(rng, scale=0.7)
        mask = draw_mask(rng, *scores_of(query, key).shape)
        _, weights = call_attention(student, query, key, value, mask)
        expect(
            (weights[~mask] == 0).all(),
            required="a weight of exactly 0 where the mask is False",
            received=np.max(weights[~mask]),
        )
        expect(
            (weights[mask] > 1e-6).all(),
            required="a weight above 0 where the mask is True",
            received=np.min(weights[mask]),
        )


@criterion(
    hints=[
        "What do the weights of a query sum to when some of its keys are forbidden?",
        "Change the scores before the softmax; then the weights of the allowed keys sum to 1 by themselves.",
        "`ops.where(mask, scores, -1e9)` first, then the softmax.",
    ],
)
def the_allowed_keys_share_the_whole_weight(student, rng):
    """With a mask, the weights of the allowed keys still sum to 1, in the proportions that they have without it."""
    query, key, value = draw_attention(rng)
    mask = draw_mask(rng, *scores_of(query, key).shape)
    output, weights = call_attention(student, query, key, value, mask)
    sums = weights.sum(axis=-1)
    expect_close(sums, np.ones_like(sums), what="the sum of a query's weights", tolerance=TOLERANCE)
    expected = attend(query, key, value, mask)
    expect_close(weights, expected[1], what="the weights", tolerance=TOLERANCE)
    expect_close(output, expected[0], what="the output", tolerance=TOLERANCE)
    query, key, mask = draw_tempting(rng, query, key)
    output, weights = call_attention(student, query, key, value, mask)
    expected = attend(query, key, value, mask)
    words = "where forbidden keys have far larger scores"
    expect_close(weights, expected[1], what=f"the weights {words}", tolerance=TOLERANCE)
    expect_close(output, expected[0], what=f"the output {words}", tolerance=TOLERANCE)


def draw_tempting(rng, query, key):
    """Draw a query and keys of which the forbidden ones match far better than the allowed ones, and the mask."""
    mask = draw_mask(rng, *query.shape[:2], 1, key.shape[2])
    direction = query[..., :1, :] / np.linalg.norm(query[..., :1, :], axis=-1, keepdims=True)
    query = np.repeat(direction, query.shape[2], axis=2) * np.float32(np.sqrt(query.shape[-1]))
    key = np.where(np.swapaxes(mask, -1, -2), 0 * direction, 30 * direction) + 0.3 * key  # scores near 0 and near 30
    return query, key.astype(np.float32), mask


@criterion(
    hints=[
        "Does a gradient come back to query, key and value, through every step of your code?",
        "A step in NumPy or behind ops.stop_gradient gives right numbers, and the network learns nothing through it.",
    ],
)
def gradients_come_back_to_query_key_and_value(student, rng):
    """The gradients of the output by query, key and value are right, with and without a mask, never nan."""
    b, h, t, k, e = (int(size) for size in rng.permutation([1, 2, 2, 3, 3]))
    s = int(rng.integers(2, 4))
    arrays = {"query": draw(rng, b, h, t, k), "key": draw(rng, b, h, s, k), "value": draw(rng, b, h, s, e)}
    mask = rng.uniform(size=(b, h, t, s)) < 0.7
    mask[0, 0, 0] = False  # a query without any key: its gradients are 0, not nan
    for allowed in (None, mask):
        expect_gradients(
            student,
            rng,
            "scaled_dot_product_attention",
            arrays,
            lambda query, key, value, allowed=allowed: attend(query, key, value, allowed)[0],
            options={} if allowed is None else {"mask": allowed},
        )


@criterion(
    hints=[
        "While Keras compiles a model, lengths may be open: what is `key.shape[-2]` then?",
        "The only number that you need is the width K, the last axis of key, and that is always known. Everything else "
        "broadcasts.",
    ],
)
def lengths_may_be_open(student, rng):
    """The function works in a model for sentences of any number and length, and one model reads several lengths."""
    heads, width = distinct_sizes(rng, 2)
    student.define(OPEN)
    model = student.make_open_model(heads, width)
    for _ in range(2):
        b, t, s = distinct_sizes(rng, 3)
        query, key, value = draw(rng, b, heads, t, width), draw(rng, b, heads, s, width), draw(rng, b, heads, s, width)
        mask = draw_mask(rng, b, 1, 1, s)
        expected = attend(query, key, value, mask)[0]
        what = f"the output of a model with open lengths, for T = {t} and S = {s}"
        expect_close(model([query, key, value, mask]), expected, what=what, tolerance=TOLERANCE)


OPEN = """
def make_open_model(heads, width):
    import keras

    class Attend(keras.layers.Layer):
        def call(self, inputs):
            return scaled_dot_product_attention(*inputs)[0]

    query, key, value = (keras.Input((heads, None, width)) for _ in range(3))
    inputs = [query, key, value, keras.Input((1, 1, None), dtype="bool")]
    return keras.Model(inputs, Attend()(inputs))
"""


@criterion(
    hints=[
        "If a forbidden key has the score 500 and the allowed ones -500, is your number still far below all of them?",
        "The number in place of a forbidden score must be far below any real score, such as -1e9.",
        "Replace the score instead of adding something to it: `ops.where(mask, scores, -1e9)`.",
    ],
)
def even_a_perfect_match_stays_forbidden(student, rng):
    """Forbidden keys get no weight even if their scores are hundreds above all others."""
    query, key, value = draw_attention(rng)
    mask = draw_mask(rng, *query.shape[:2], 1, key.shape[2])
    direction = query[..., :1, :] / np.linalg.norm(query[..., :1, :], axis=-1, keepdims=True)
    query = np.repeat(direction, query.shape[2], axis=2) * np.float32(60)  # all queries ask for the same
    key = np.where(np.swapaxes(mask, -1, -2), -20 * direction, 20 * direction) + 0.01 * key
    key = key.astype(np.float32)
    _, weights = call_attention(student, query, key, value, mask)
    forbidden = weights[~np.broadcast_to(mask, weights.shape)]
    expect((forbidden == 0).all(), required="a weight of 0 for every forbidden key", received=np.max(forbidden))
    expected = attend(query, key, value, mask)[1]
    expect_close(weights, expected, what="the weights of the allowed keys beside them", tolerance=10 * TOLERANCE)


@criterion(
    points=2,
    hints=[
        "If every key is forbidden, what does softmax make of equal scores? And of minus infinity everywhere?",
        "With -1e9 everywhere the weights come out equal. Set forbidden weights to 0 after the softmax, too.",
        "`weights = ops.where(mask, weights, 0.0)`, and use -1e9, not minus infinity.",
    ],
)
def a_query_without_any_key_gets_zeros(student, rng):
    """A query that may attend to no key has weights and an output of 0, not nan; the other queries are right."""
    query, key, value = draw_attention(rng)
    mask = draw_mask(rng, *scores_of(query, key).shape)
    mask[:, :, int(rng.integers(query.shape[2]))] = False
    output, weights = call_attention(student, query, key, value, mask)
    expected = attend(query, key, value, mask)
    expect_close(weights, expected[1], what="the weights", tolerance=TOLERANCE)
    expect_close(output, expected[0], what="the output", tolerance=TOLERANCE)


@criterion(
    hints=[
        "A padding mask has the shape (B, 1, 1, S). Does your code count on the full shape?",
        "ops.where broadcasts by itself: axes of length 1 fit any length. Nothing needs to be repeated or reshaped.",
    ],
)
def masks_broadcast(student, rng):
    """Masks of shape (B, 1, 1, S), (1, 1, T, S), (B, 1, T, S), (B, H, 1, S) and (T, S) serve all that they leave out."""
    query, key, value = draw_attention(rng)
    (batch, heads, length, _), source = query.shape, key.shape[2]
    shapes = (batch, 1, 1, source), (1, 1, length, source), (batch, 1, length, source), (batch, heads, 1, source)
    for shape in (*shapes, (length, source)):
        mask = draw_mask(rng, *shape)
        output, weights = call_attention(student, query, key, value, mask)
        expected = attend(query, key, value, mask)
        expect_close(weights, expected[1], what=f"the weights for a mask {shape}", tolerance=TOLERANCE)
        expect_close(output, expected[0], what=f"the output for a mask {shape}", tolerance=TOLERANCE)


# --- typical wrong answers, each with the criterion that must catch it ------------------------------------------------

ATTENTION = """
def scaled_dot_product_attention(query, key, value, mask=None):
    scores = ops.matmul(query, ops.swapaxes(key, -1, -2))
    scores = scores / math.sqrt(key.shape[-1])
    if mask is not None:
        scores = ops.where(mask, scores, -1e9)
    weights = ops.softmax(scores, axis=-1)
    if mask is not None:
        weights = ops.where(mask, weights, 0.0)
    output = ops.matmul(weights, value)
    return output, weights
"""
SCALE, SOFT = "math.sqrt(key.shape[-1])", "ops.softmax(scores, axis=-1)"
BEFORE, AFTER = "scores = ops.where(mask, scores, -1e9)", "weights = ops.where(mask, weights, 0.0)"
# From the first line about the mask to the last.
BOTH = f"{BEFORE}\n    weights = {SOFT}\n    if mask is not None:\n        {AFTER}"
mutants(
    ATTENTION,
    "*",
    [
        ("imports the answer", ATTENTION, "from llmcourse.layers import scaled_dot_product_attention"),
        ("imports half of the answer", SOFT, "layers.attention_weights(query, key, mask)"),
        (
            "takes Keras' function",
            "ops.matmul(weights, value)",
            "ops.swapaxes(ops.dot_product_attention(*[ops.swapaxes(query, 1, 2)] * 3), 1, 2)",
        ),
    ],
)
mutants(
    ATTENTION,
    "output_and_weights_have_their_shapes",
    [
        ("returns the output only", "return output, weights", "return output"),
        ("returns the pair in the other order", "return output, weights", "return weights, output"),
        ("does not transpose the keys", "ops.swapaxes(key, -1, -2)", "key"),
        ("transposes all axes of the keys", "ops.swapaxes(key, -1, -2)", "ops.transpose(key)"),
        (
            "keys times queries",
            "ops.matmul(query, ops.swapaxes(key, -1, -2))",
            "ops.matmul(key, ops.swapaxes(query, -1, -2))",
        ),
        (
            "transposes the values, too",
            "ops.matmul(weights, value)",
            "ops.matmul(weights, ops.swapaxes(value, -1, -2))",
        ),
        ("takes the mean over the heads", "return output, weights", "return ops.mean(output, axis=1), weights"),
    ],
)
mutants(
    ATTENTION,
    "the_weights_of_each_query_sum_to_one",
    [
        ("softmax over the queries", SOFT, "ops.softmax(scores, axis=-2)"),
        ("softmax over the heads", SOFT, "ops.softmax(scores, axis=1)"),
        ("softmax over the batch", SOFT, "ops.softmax(scores, axis=0)"),
        ("no softmax at all", SOFT, "scores"),
        (
            "one softmax over queries and keys",
            SOFT,
            "ops.reshape(ops.softmax(ops.reshape(scores, (*scores.shape[:2], -1))), scores.shape)",
        ),
        ("sigmoid instead of softmax", SOFT, "ops.sigmoid(scores)"),
    ],
)
mutants(
    ATTENTION,
    "every_allowed_key_has_a_say",
    [
        ("a hard maximum", SOFT, "ops.one_hot(ops.argmax(scores, axis=-1), scores.shape[-1], dtype='float32')"),
        ("softmax of scores a hundred times too large", SOFT, "ops.softmax(100 * scores, axis=-1)"),
        (
            "keeps only the two best keys",
            SOFT,
            "ops.softmax(ops.where(scores >= ops.sort(scores)[..., -2:-1], scores, -1e9))",
        ),
    ],
)
mutants(
    ATTENTION,
    "the_scores_are_divided_before_the_softmax",
    [
        ("no scale", f"    scores = scores / {SCALE}\n", ""),
        ("multiplies by the root", f"scores / {SCALE}", f"scores * {SCALE}"),
        (
            "divides the output instead of the scores",
            f"    scores = scores / {SCALE}\n    if",
            "    value = value / key.shape[-1] ** 0.5\n    if",
        ),
    ],
)
mutants(
    ATTENTION,
    "the_divisor_is_the_root_of_the_width",
    [
        ("divides by the width", SCALE, "key.shape[-1]"),
        ("the root of the number of keys", SCALE, "math.sqrt(key.shape[-2])"),
        ("the root of the width of the whole model", SCALE, "math.sqrt(key.shape[-1] * key.shape[1])"),
        ("the root of the width of the values", SCALE, "math.sqrt(value.shape[-1])"),
        ("a fixed 8, as in the paper's example", SCALE, "8"),
        ("divides twice", f"scores / {SCALE}", f"scores / {SCALE} / {SCALE}"),
        ("takes -QK for QK", "ops.matmul(query,", "-ops.matmul(query,"),
    ],
)
mutants(
    ATTENTION,
    "the_output_is_the_weighted_mean_of_the_values",
    [
        (
            "the keys for the values, where that fits",
            "ops.matmul(weights, value)",
            "ops.matmul(weights, key if key.shape == value.shape else value)",
        ),
        (
            "divides the output by the number of keys",
            "ops.matmul(weights, value)",
            "ops.matmul(weights, value) / key.shape[-2]",
        ),
        ("scales the output, too", "ops.matmul(weights, value)", f"ops.matmul(weights, value) / {SCALE}"),
        (
            "the value of the best key only",
            "ops.matmul(weights, value)",
            "ops.take_along_axis(value, ops.argmax(weights, axis=-1)[..., None], axis=2)",
        ),
        (
            "adds the query, where that fits",
            "ops.matmul(weights, value)",
            "ops.matmul(weights, value) + (query if query.shape == value.shape else 0)",
        ),
    ],
)
mutants(
    ATTENTION,
    "forbidden_keys_get_no_weight",
    [
        (
            "an inverted mask",
            "    if mask is not None:\n        scores",
            "    if mask is not None:\n        mask = ops.logical_not(mask)\n        scores",
        ),
        (
            "True for 'must not', as in PyTorch",
            BEFORE,
            f"{BEFORE.replace('scores, -1e9', '-1e9, scores')}; mask = ops.logical_not(mask)",
        ),
        ("ignores the mask", "    scores = ops.matmul", "    mask = None\n    scores = ops.matmul"),
        (
            "a score of 0 for forbidden keys",
            BEFORE,
            "scores = ops.where(mask, scores, 0.0); mask = ops.ones_like(mask)",
        ),
        (
            "adds the mask as a number",
            BEFORE,
            "scores = scores + ops.cast(mask, 'float32'); mask = ops.ones_like(mask)",
        ),
        (
            "multiplies the scores by the mask",
            BEFORE,
            "scores = scores * ops.cast(mask, 'float32'); mask = ops.ones_like(mask)",
        ),
        ("a large positive number", "-1e9", "1e9"),
    ],
)
mutants(
    ATTENTION,
    "the_allowed_keys_share_the_whole_weight",
    [
        ("multiplies by the mask after the softmax and leaves it at that", f"        {BEFORE}\n", "        pass\n"),
        (
            "divides by the number of allowed keys",
            AFTER,
            f"{AFTER} / ops.sum(ops.cast(mask, 'float32'), axis=-1, keepdims=True)",
        ),
    ],
)
mutants(
    ATTENTION,
    "even_a_perfect_match_stays_forbidden",
    [
        (
            "a mask value of -10, too small",
            BOTH,
            f"scores = ops.where(mask, scores, -10.0)\n    weights = {SOFT}",
        ),
        (
            "adds -100 to forbidden scores",
            BOTH,
            f"scores = scores - 100 * (1 - ops.cast(mask, 'float32'))\n    weights = {SOFT}",
        ),
        (
            "a mask value of -300",
            BOTH,
            f"scores = ops.where(mask, scores, -300.0)\n    weights = {SOFT}",
        ),
    ],
)
mutants(
    ATTENTION,
    "a_query_without_any_key_gets_zeros",
    [
        (
            "minus infinity, which gives nan",
            BOTH,
            f"scores = ops.where(mask, scores, -np.inf)\n    weights = {SOFT}",
        ),
        ("leaves equal weights on forbidden keys", f"    if mask is not None:\n        {AFTER}\n", ""),
        (
            "multiplies nan by 0",
            BOTH,
            f"scores = ops.where(mask, scores, -np.inf)\n    weights = {SOFT}\n"
            "    if mask is not None:\n        weights = weights * ops.cast(mask, 'float32')",
        ),
        ("normalises again, 0 by 0", AFTER, f"{AFTER}; weights = weights / ops.sum(weights, axis=-1, keepdims=True)"),
        (
            "replaces nan in the weights only",
            f"{AFTER}\n    output = ops.matmul(weights, value)",
            f"output = ops.matmul(weights, value); {AFTER}\n    else:\n        output = ops.matmul(weights, value)",
        ),
    ],
)
mutants(
    ATTENTION,
    "masks_broadcast",
    [
        ("indexes the scores with the mask", BEFORE, "scores = np.array(scores); scores[~np.asarray(mask)] = -1e9"),
        ("counts on the full shape", BEFORE, "scores = ops.where(ops.reshape(mask, scores.shape), scores, -1e9)"),
        (
            "takes the mask of the first sentence for all",
            BEFORE,
            "mask = mask if mask.shape == tuple(scores.shape) else mask[:1]; " + BEFORE,
        ),
    ],
)
mutants(
    ATTENTION,
    "the_allowed_keys_share_the_whole_weight",
    [
        (
            "softmax first, then zero, and normalised with a small constant",
            f"    if mask is not None:\n        {BOTH}\n",
            f"    weights = {SOFT}\n    if mask is not None:\n        weights = ops.where(mask, weights, 0.0)\n"
            "        weights = weights / (ops.sum(weights, axis=-1, keepdims=True) + 1e-9)\n",
        ),
    ],
)
mutants(
    ATTENTION,
    "gradients_come_back_to_query_key_and_value",
    [
        ("cuts the way back to query and key", "return output", "return ops.matmul(ops.stop_gradient(weights), value)"),
        (
            "attends in NumPy",
            "ops.matmul(weights, value)",
            "ops.convert_to_tensor(np.matmul(np.array(weights), np.array(value)))",
        ),
        ("the key is a constant", "ops.swapaxes(key, -1, -2)", "ops.stop_gradient(ops.swapaxes(key, -1, -2))"),
    ],
)
mutants(
    ATTENTION,
    "lengths_may_be_open",
    [
        (
            "spreads the mask over lengths that it asks for",
            BEFORE,
            "scores = ops.where(ops.broadcast_to(mask, tuple(scores.shape)), scores, -1e9)",
        ),
        (
            "asks how many keys there are",
            "    output =",
            "    weights = ops.reshape(weights, (-1, *weights.shape[1:]))\n    output =",
        ),
    ],
)

# --- right answers written otherwise ----------------------------------------------------------------------------------

accepted(
    "einsum, and a mask that is added as a bias",
    """
def scaled_dot_product_attention(query, key, value, mask=None):
    scores = ops.einsum("bhtk,bhsk->bhts", query, key) * (query.shape[-1] ** -0.5)
    if mask is None:
        weights = ops.softmax(scores)
    else:
        allowed = ops.cast(mask, "float32")
        weights = ops.softmax(scores * allowed + (allowed - 1.0) * 1e9, axis=-1) * allowed
    return ops.einsum("bhts,bhse->bhte", weights, value), weights
""",
)
accepted(
    "the query is divided before the product; exponentials of the allowed keys, a safe denominator",
    """
def scaled_dot_product_attention(query, key, value, mask=None):
    query = ops.convert_to_tensor(query) / math.sqrt(query.shape[-1])
    scores = query @ ops.transpose(key, (0, 1, 3, 2))
    mask = ops.ones_like(scores, dtype="bool") if mask is None else ops.logical_and(mask, ops.ones_like(scores, "bool"))
    top = ops.max(ops.where(mask, scores, -1e9), axis=-1, keepdims=True)
    odds = ops.where(mask, ops.exp(ops.minimum(scores - top, 0.0)), 0.0)
    total = ops.sum(odds, axis=-1, keepdims=True)
    weights = odds / ops.where(total > 0, total, 1.0)
    return weights @ ops.convert_to_tensor(value), weights
""",
)
accepted(
    "a list as the pair, and multiplication by the mask at the end",
    """
def scaled_dot_product_attention(query, key, value, mask=None):
    s = ops.divide(ops.matmul(query, ops.moveaxis(key, -1, -2)), math.sqrt(ops.shape(key)[-1]))
    if mask is None:
        w = steps.softmax(s)
        return [ops.matmul(w, value), w]
    w = steps.softmax(ops.where(mask, s, ops.full_like(s, -1e30)))
    w = ops.multiply(w, ops.cast(mask, w.dtype))
    return [ops.matmul(w, value), w]
""",
)
accepted(
    "scores of minus infinity, safe since a query without any key is treated by itself",
    """
def scaled_dot_product_attention(query, key, value, mask=None):
    scores = ops.matmul(query, ops.swapaxes(key, -2, -1)) * (1 / math.sqrt(query.shape[-1]))
    if mask is None:
        weights = ops.exp(scores - ops.logsumexp(scores, axis=-1, keepdims=True))
    else:
        some = ops.any(mask, axis=-1, keepdims=True)
        safe = ops.where(ops.logical_or(mask, ops.logical_not(some)), scores, -float("inf"))
        weights = ops.where(mask, ops.softmax(safe, axis=-1), 0.0)
    return ops.matmul(weights, value), weights
""",
)
mutants(
    ATTENTION,
    "gradients_come_back_to_query_key_and_value",
    [
        (
            "right weights, and a gradient of nan where no key is allowed",
            BOTH,
            "odds = ops.exp(scores) * (1.0 if mask is None else ops.cast(mask, 'float32'))\n"
            "    weights = odds / ops.sum(odds, axis=-1, keepdims=True)\n"
            "    if mask is not None:\n        weights = ops.where(ops.isnan(weights), 0.0, weights)",
        ),
        ("the value is a constant", "ops.matmul(weights, value)", "ops.matmul(weights, ops.stop_gradient(value + 0))"),
    ],
)
mutants(
    ATTENTION,
    "masks_broadcast",
    [
        (
            "takes the axis of the heads away",
            BEFORE,
            "mask = mask[:, :1]; " + BEFORE,
        ),
        ("counts on four axes", BEFORE, "mask = ops.transpose(mask, (0, 1, 2, 3)); " + BEFORE),
        (
            "takes two axes for sentences and keys",
            BEFORE,
            "mask = mask if len(mask.shape) == 4 else mask[:, None, None, :]; " + BEFORE,
        ),
    ],
)
mutants(
    ATTENTION,
    "output_and_weights_have_their_shapes",
    [
        ("drops axes of length 1", "return output, weights", "return ops.squeeze(output), ops.squeeze(weights)"),
        (
            "drops the axis of a single head",
            "return output, weights",
            "return output, weights[:, 0] if key.shape[1] == 1 else weights",
        ),
    ],
)
mutants(
    ATTENTION,
    "forbidden_keys_get_no_weight",
    [
        ("a tiny weight for forbidden keys", AFTER, "weights = ops.where(mask, weights, 1e-7)"),
        (
            "the mask for the first head only",
            BEFORE,
            "mask = ops.concatenate([mask[:, :1], ops.ones_like(mask[:, 1:])], axis=1); " + BEFORE,
        ),
    ],
)
mutants(
    ATTENTION,
    "the_allowed_keys_share_the_whole_weight",
    [
        (
            "the largest score of all keys, forbidden ones too",
            SOFT,
            "ops.exp(scores - ops.max(ops.matmul(query, ops.swapaxes(key, -1, -2)) / math.sqrt(key.shape[-1]), "
            "axis=-1, keepdims=True))\n"
            "    weights = weights / (ops.sum(weights, axis=-1, keepdims=True) + 1e-9)",
        ),
    ],
)
accepted(
    "minus infinity, and 0 in place of nan",
    """
def scaled_dot_product_attention(query, key, value, mask=None):
    scores = ops.matmul(query, ops.swapaxes(key, -1, -2)) / key.shape[-1] ** 0.5
    if mask is not None:
        scores = ops.where(mask, scores, -np.inf)
    weights = ops.softmax(scores)
    weights = ops.where(ops.isnan(weights), 0.0, weights)
    return ops.matmul(weights, value), weights
""",
)
