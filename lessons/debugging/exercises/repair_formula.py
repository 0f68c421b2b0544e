"""Exercise `repair_formula`: what a right answer must do, and typical wrong ones."""

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

from ..oracles import as_float64, break_listing, causal, distinct_sizes, draw, draw_padding, softmax


def attention_inputs(rng, sizes=None):
    """Draw x (B, T, D), memory (B, S, D) and the three weights; sizes are B, T, S, D, K, E."""
    b, t, s, d, k, e = distinct_sizes(rng, 6) if sizes is None else sizes
    return [draw(rng, *shape) for shape in ((b, t, d), (b, s, d), (d, k), (d, k), (d, e))]


def square_inputs(rng):
    """Draw inputs as in the article: all sizes equal but B, so that no shape gives a fault away."""
    size = int(rng.integers(4, 7))
    return attention_inputs(rng, (int(rng.integers(2, 4)), *[size] * 5))


def formula(x, memory, w_query, w_key, w_value, allowed=None):
    """Compute scores, weights, values and the output of one head."""
    x, memory, w_query, w_key, w_value = as_float64([x, memory, w_query, w_key, w_value])
    scores = (x @ w_query) @ np.swapaxes(memory @ w_key, 1, 2) / np.sqrt(w_key.shape[1])
    weights = softmax(scores if allowed is None else np.where(allowed, scores, -np.inf))
    return scores, weights, memory @ w_value, weights @ (memory @ w_value)


def call_attention(student, inputs, **options):
    """Call the learner's function and require the pair of output and weights."""
    result = student.repaired_attention(*inputs, **options)
    fits = isinstance(result, tuple | list) and len(result) == 2
    expect(fits, required="repaired_attention returns a pair: the output and the weights", received=result)
    x, memory, _, _, w_value = inputs
    output = expect_shape(result[0], (*x.shape[:2], w_value.shape[1]), what="the output")
    weights = expect_shape(result[1], (*x.shape[:2], memory.shape[1]), what="the weights")
    return np.asarray(output, dtype=np.float64), np.asarray(weights, dtype=np.float64)


@criterion(
    hints=[
        "Add up a row of the weights of the listing. What should the sum be?",
        "Weights of a mean are positive and sum to 1 over the keys. Which function makes such numbers of scores?",
        "`weights = ops.softmax(scores, axis=-1)`",
    ],
)
def the_weights_of_each_query_sum_to_one(student, rng):
    """The weights are positive and sum to 1 over the keys."""
    _, weights = call_attention(student, square_inputs(rng))
    expect(weights.min() >= 0, required="weights that are not negative", received=float(weights.min()))
    expect_close(weights.sum(axis=-1), np.ones(weights.shape[:2]), what="the sum of each row", tolerance=1e-4)


@criterion(
    hints=[
        "Are the tokens of the queries rows or columns? And those of the keys?",
        "Write (B, T, K) or (B, K, S) beside each line. What are the rows of `key` in the listing?",
        "`key = ops.matmul(memory, w_key)`, (B, S, K): one token in each row, like the queries.",
    ],
)
def queries_and_keys_have_one_token_in_each_row(student, rng):
    """For each query, the keys are ranked by the dot products of the query's row with the rows of the keys."""
    inputs = square_inputs(rng)
    _, weights = call_attention(student, inputs)
    ranking = np.argsort(np.argsort(formula(*inputs)[0], axis=-1), axis=-1)
    expect_equal(np.argsort(np.argsort(weights, axis=-1), axis=-1), ranking, what="the rank of each key for each query")


@criterion(
    hints=[
        "Take the weights that come out and average the values yourself: is that the output?",
        "Row t of the output is the mean of the rows of value, weighed with row t of the weights.",
        "`ops.matmul(weights, value)`: (B, T, S) times (B, S, E). Nothing needs to be transposed.",
    ],
)
def the_output_is_the_mean_of_the_values(student, rng):
    """The output is weights @ value, where value = memory @ w_value has one token in each row."""
    inputs = square_inputs(rng)
    output, weights = call_attention(student, inputs)
    expect_close(output, weights @ formula(*inputs)[2], what="the output", tolerance=1e-3)


@criterion(
    hints=[
        "Make a shape table with six different sizes. At which line does it break?",
        "(B, T, K) times (B, K, S) gives (B, T, S), and (B, T, S) times (B, S, E) gives (B, T, E).",
    ],
)
def six_different_sizes_fit_together(student, rng):
    """With six different sizes the output has the shape (B, T, E), and the weights (B, T, S)."""
    call_attention(student, attention_inputs(rng))


def allow(real, length=None):
    """Make the oracle's mask (B, T or 1, S) from the real tokens (B, S), and from the causal rule."""
    return real[:, None, :] if length is None else real[:, None, :] & causal(length)[0]


@criterion(
    hints=[
        "What is the weight of a masked key?",
        "A masked score becomes -1e9 before the softmax; then its weight is 0.",
    ],
)
def padding_gets_no_weight(student, rng):
    """With a mask, keys that are padding get no weight."""
    inputs = square_inputs(rng)
    real = draw_padding(rng, *inputs[1].shape[:2])
    _, weights = call_attention(student, inputs, mask=real)
    hidden = np.broadcast_to(~allow(real), weights.shape)
    expect(weights[hidden].max() < 1e-6, required="no weight on padding", received=float(weights[hidden].max()))


@criterion(
    points=2,
    hints=[
        "What happens to the padding mask when causal=True?",
        "One variable holds first one mask and then the other. A key must be allowed by both.",
        "Apply the two one after the other, or combine them with `ops.logical_and`.",
    ],
)
def padding_stays_hidden_when_the_future_is_hidden_too(student, rng):
    """With causal=True a query gives no weight to later tokens, and with a mask in addition none to padding either."""
    inputs = square_inputs(rng)
    inputs[1] = inputs[0]
    length = inputs[0].shape[1]
    for real in (None, rng.permutation(draw_padding(rng, len(inputs[0]), length)[:, ::-1])):  # padding at the start
        options = {} if real is None else {"mask": real}
        _, weights = call_attention(student, inputs, causal=True, **options)
        everything = np.ones(inputs[0].shape[:2], dtype=bool)
        hidden = np.broadcast_to(~allow(everything if real is None else real, length), weights.shape)
        if real is not None:  # a query before its first real token has no allowed key: nothing is said about it
            hidden = hidden & ~hidden.all(axis=-1, keepdims=True)
        words = "no weight on later tokens" + ("" if real is None else " and none on padding")
        expect(weights[hidden].max() < 1e-6, required=words, received=float(weights[hidden].max()))


@criterion(
    points=2,
    hints=[
        "Compare with the formula of the last lesson, factor by factor.",
        "softmax(Q K^T / sqrt(K)) V, with Q = x W_Q, K = memory W_K and V = memory W_V.",
    ],
)
def it_is_the_formula_of_attention(student, rng):
    """Output and weights are those of softmax(Q K^T / sqrt(K)) V, without masks, with one, and with both."""
    inputs = attention_inputs(rng)
    real = draw_padding(rng, *inputs[1].shape[:2])
    square = [inputs[0], inputs[0], *inputs[2:]]
    real_square = draw_padding(rng, *inputs[0].shape[:2])
    for words, arrays, options, allowed in (
        ("without masks", inputs, {}, None),
        ("with a mask", inputs, {"mask": real}, allow(real)),
        ("with both masks", square, {"mask": real_square, "causal": True}, allow(real_square, square[0].shape[1])),
    ):
        output, weights = call_attention(student, arrays, **options)
        expected = formula(*arrays, allowed)
        expect_close(weights, expected[1], what=f"the weights {words}", tolerance=1e-4)
        expect_close(output, expected[3], what=f"the output {words}", tolerance=1e-4)


@criterion(
    hints=[
        "Could the three weights learn anything through your attention?",
        "A step in NumPy, or behind ops.stop_gradient, gives right numbers, and nothing before it learns. Use keras.ops.",
    ],
)
def everything_can_learn(student, rng):
    """Gradients come back from the output to x, to memory and to the three weights, and they are right."""
    arrays = attention_inputs(rng, (1, 2, 3, 3, 2, 2))
    names = "x", "memory", "w_query", "w_key", "w_value"
    expect_gradients(
        student,
        rng,
        "repaired_attention",
        dict(zip(names, arrays, strict=True)),
        lambda **arrays: formula(**arrays)[3],
    )


# --- typical wrong answers, each with the criterion that must catch it ------------------------------------------------

FORMULA = """
def repaired_attention(x, memory, w_query, w_key, w_value, mask=None, causal=False):
    query = ops.matmul(x, w_query)
    key = ops.matmul(memory, w_key)
    value = ops.matmul(memory, w_value)
    scores = ops.matmul(query, ops.swapaxes(key, 1, 2)) / w_key.shape[1] ** 0.5
    if mask is not None:
        mask = mask[:, None, :]
    if causal:
        length = x.shape[1]
        future = ops.arange(length)[None, :, None] >= ops.arange(length)[None, None, :]
        mask = future if mask is None else ops.logical_and(future, mask)
    if mask is not None:
        scores = ops.where(mask, scores, -1e9)
    weights = ops.softmax(scores, axis=-1)
    return ops.matmul(weights, value), weights
"""
# Each fault of the listing: what it is, the criterion that finds it, the right piece and the broken one.
FORMULA_FAULTS = (
    ("no softmax", "the_weights_of_each_query_sum_to_one", "ops.softmax(scores, axis=-1)", "scores"),
    (
        "the value matrix is transposed",
        "the_output_is_the_mean_of_the_values",
        "ops.matmul(weights, value)",
        "ops.matmul(weights, ops.swapaxes(value, 1, 2))",
    ),
    (
        "one mask for two things",
        "padding_stays_hidden_when_the_future_is_hidden_too",
        "mask = future if mask is None else ops.logical_and(future, mask)",
        "mask = future",
    ),
    (
        "rows and columns mixed",
        "queries_and_keys_have_one_token_in_each_row",
        "key = ops.matmul(memory, w_key)",
        "key = ops.matmul(ops.transpose(w_key), ops.swapaxes(memory, 1, 2))",
    ),
)
mutants(
    FORMULA,
    "*",
    [
        (
            "imports the answer",
            "    query = ",
            "    mask = None if mask is None else mask[:, None, None, :]\n"
            "    mask = layers.combine_masks(mask, layers.causal_mask(x.shape[1])) if causal else mask\n"
            "    parts = (ops.matmul(x, w_query), ops.matmul(memory, w_key), ops.matmul(memory, w_value))\n"
            "    found = layers.scaled_dot_product_attention(*(part[:, None] for part in parts), mask)\n"
            "    return found[0][:, 0], found[1][:, 0]\n"
            "    query = ",
        )
    ],
)
break_listing(FORMULA, FORMULA_FAULTS)
SOFTMAX = "ops.softmax(scores, axis=-1)"
mutants(
    FORMULA,
    "the_weights_of_each_query_sum_to_one",
    [
        ("softmax over the queries", SOFTMAX, "ops.softmax(scores, axis=1)"),
        ("divides by the sum of the scores", SOFTMAX, "scores / ops.sum(scores, axis=-1, keepdims=True)"),
        ("sigmoid instead of softmax", SOFTMAX, "ops.sigmoid(scores)"),
    ],
)
mutants(
    FORMULA,
    "queries_and_keys_have_one_token_in_each_row",
    [
        (
            "exchanges queries and keys",
            "ops.matmul(query, ops.swapaxes(key, 1, 2))",
            "ops.matmul(key, ops.swapaxes(query, 1, 2))",
        ),
        ("transposes the weights of the keys", "ops.matmul(memory, w_key)", "ops.matmul(memory, ops.transpose(w_key))"),
    ],
)
mutants(
    FORMULA,
    "six_different_sizes_fit_together",
    [("asks the memory with itself", "ops.matmul(x, w_query)", "ops.matmul(memory, w_query)")],
)
mutants(
    FORMULA,
    "padding_gets_no_weight",
    [
        ("turns the mask round", "ops.where(mask, scores, -1e9)", "ops.where(mask, -1e9, scores)"),
        ("0 instead of a very small score", "ops.where(mask, scores, -1e9)", "ops.where(mask, scores, 0.0)"),
        ("forgets the mask", "        mask = mask[:, None, :]", "        mask = None"),
        ("masks the queries", "mask[:, None, :]", "mask[:, :, None]"),
    ],
)
mutants(
    FORMULA,
    "padding_stays_hidden_when_the_future_is_hidden_too",
    [
        ("allows what one of the two allows", "ops.logical_and(future, mask)", "ops.logical_or(future, mask)"),
        (
            "the causal mask only without padding",
            "future if mask is None else ops.logical_and(future, mask)",
            "future if mask is None else mask",
        ),
        ("hides the past", "[None, :, None] >= ", "[None, :, None] <= "),
        ("never causal", "    if causal:", "    if causal and mask is None and False:"),
    ],
)
mutants(
    FORMULA,
    "it_is_the_formula_of_attention",
    [
        ("no scale", " / w_key.shape[1] ** 0.5", ""),
        ("divides by K", "w_key.shape[1] ** 0.5", "w_key.shape[1]"),
        ("scales with D", "w_key.shape[1] ** 0.5", "w_key.shape[0] ** 0.5"),
        ("a hard maximum", SOFTMAX, "ops.one_hot(ops.argmax(scores, axis=-1), scores.shape[-1])"),
        ("a token does not see itself", " >= ", " > "),
    ],
)

mutants(
    FORMULA,
    "everything_can_learn",
    [
        ("the softmax in NumPy", SOFTMAX, "ops.convert_to_tensor(np.asarray(ops.softmax(scores, axis=-1)))"),
        ("stops the gradient of the weights", SOFTMAX, "ops.stop_gradient(ops.softmax(scores, axis=-1))"),
        (
            "stops the gradient of the keys",
            "key = ops.matmul(memory, w_key)",
            "key = ops.stop_gradient(ops.matmul(memory, w_key))",
        ),
    ],
)

# --- right answers written otherwise ----------------------------------------------------------------------------------

accepted(
    "products summed by broadcasting, each query with each key",
    """
def repaired_attention(x, memory, w_query, w_key, w_value, mask=None, causal=False):
    query, key, value = (ops.matmul(a, b) for a, b in ((x, w_query), (memory, w_key), (memory, w_value)))
    scores = ops.sum(query[:, :, None, :] * key[:, None, :, :], axis=-1) / query.shape[-1] ** 0.5
    padding = None if mask is None else mask[:, None, None, :]
    allowed = layers.combine_masks(padding, layers.causal_mask(x.shape[1]) if causal else None)
    weights = ops.softmax(scores if allowed is None else ops.where(allowed[:, 0], scores, -1e9), axis=-1)
    return ops.sum(weights[..., None] * value[:, None, :, :], axis=2), weights
""",
)
accepted(
    "einsum, and a bias for what is forbidden",
    """
def repaired_attention(x, memory, w_query, w_key, w_value, mask=None, causal=False):
    q, k = ops.einsum("btd,dk->btk", x, w_query), ops.einsum("bsd,dk->bsk", memory, w_key)
    scores = ops.einsum("btk,bsk->bts", q, k) / np.sqrt(w_query.shape[-1]).astype("float32")
    if mask is not None:
        scores = scores + (1.0 - ops.cast(mask, "float32"))[:, None, :] * -1e9
    if causal:
        rows, columns = ops.arange(x.shape[1])[:, None], ops.arange(memory.shape[1])[None, :]
        scores = scores + ops.cast(columns > rows, "float32") * -1e9
    scores = scores - ops.max(scores, axis=-1, keepdims=True)
    odds = ops.exp(scores)
    weights = odds / ops.sum(odds, axis=-1, keepdims=True)
    return ops.einsum("bts,bse->bte", weights, ops.einsum("bsd,de->bse", memory, w_value)), weights
""",
)
accepted(
    "one mask from ones, cut down step by step",
    """
def repaired_attention(x, memory, w_query, w_key, w_value, mask=None, causal=False):
    query, key, value = x @ ops.convert_to_tensor(w_query), memory @ ops.convert_to_tensor(w_key), memory @ ops.convert_to_tensor(w_value)
    scores = query @ ops.transpose(key, (0, 2, 1)) * key.shape[-1] ** -0.5
    allowed = ops.ones_like(scores, dtype="bool")
    if mask is not None:
        allowed = ops.logical_and(allowed, ops.expand_dims(mask, 1))
    if causal:
        allowed = ops.logical_and(allowed, np.tri(x.shape[1], memory.shape[1], dtype=bool)[None])
    weights = ops.softmax(ops.where(allowed, scores, -1e9), axis=-1)
    return ops.matmul(weights, value), weights
""",
)
