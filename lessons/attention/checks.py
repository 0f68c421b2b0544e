"""What right answers of the lesson `attention` must do. The oracles are plain NumPy in float64, written here.

Results are float32, also where a learner's code reached float64 on the way, so every comparison allows 1e-4.
"""

import numpy as np

from llmcourse.checking import criterion, expect, expect_close, expect_equal, expect_raises, expect_shape

TOLERANCE = 1e-4
NEAR = 0.02  # how near a wrong formula's weights may come before they count as the right ones

# --- drawing inputs ---------------------------------------------------------------------------------------------------


def distinct_sizes(rng, count, low=2, high=9):
    """Draw sizes that all differ, so that a swapped axis cannot go unnoticed."""
    return [int(size) for size in rng.choice(np.arange(low, high), size=count, replace=False)]


def draw(rng, *shape, scale=1.0):
    return rng.normal(scale=scale, size=shape).astype(np.float32)


def draw_attention(rng, scale=1.0):
    """Draw query (B, H, T, K), key (B, H, S, K) and value (B, H, S, E), all six sizes different.

    The scores are about as large as 1 after the division, so that no softmax is saturated.
    """
    b, h, t, s, k, e = distinct_sizes(rng, 6, high=10)
    return draw(rng, b, h, t, k, scale=scale), draw(rng, b, h, s, k, scale=scale), draw(rng, b, h, s, e)


def draw_mask(rng, *shape):
    """Draw a mask that allows each query at least one key and forbids it at least one."""
    mask = rng.uniform(size=shape) < 0.5
    order = np.argsort(rng.uniform(size=shape), axis=-1)
    first, second = order[..., :1], order[..., 1:2]  # two different keys of each query
    np.put_along_axis(mask, first, True, axis=-1)
    np.put_along_axis(mask, second, False, axis=-1)
    return mask


# --- oracles ----------------------------------------------------------------------------------------------------------


def softmax(scores, axis=-1):
    odds = np.exp(scores - scores.max(axis=axis, keepdims=True))
    return odds / odds.sum(axis=axis, keepdims=True)


def scores_of(query, key):
    return np.einsum("bhtk,bhsk->bhts", query.astype(np.float64), key.astype(np.float64))


def attend(query, key, value, mask=None):
    scores = scores_of(query, key) / np.sqrt(query.shape[-1])
    if mask is None:
        weights = softmax(scores)
    else:
        mask = np.broadcast_to(mask, scores.shape)
        weights = np.where(mask, softmax(np.where(mask, scores, -1e9)), 0.0)
    return np.einsum("bhts,bhse->bhte", weights, value.astype(np.float64)), weights


def multi_head(variables, query, value, key=None, mask=None):
    """Give output (B, T, D) and weights (B, H, T, S) from the eight variables in Keras' order."""
    query_kernel, query_bias, key_kernel, key_bias, value_kernel, value_bias, output_kernel, output_bias = (
        np.asarray(variable, dtype=np.float64) for variable in variables
    )

    def to_heads(x, kernel, bias):
        return np.einsum("btd,dhk->bhtk", x.astype(np.float64), kernel) + bias[:, None, :]

    key = value if key is None else key
    found, weights = attend(
        to_heads(query, query_kernel, query_bias),
        to_heads(key, key_kernel, key_bias),
        to_heads(value, value_kernel, value_bias),
        mask,
    )
    return np.einsum("bhtk,hkd->btd", found, output_kernel) + output_bias, weights


def positions(length, d_model):
    pair = np.arange(d_model) // 2
    angles = np.arange(length)[:, None] / 10000 ** (2 * pair / d_model)
    return np.where(np.arange(d_model) % 2 == 0, np.sin(angles), np.cos(angles))


# --- shared expectations ----------------------------------------------------------------------------------------------


def expect_pair(received, what, words):
    """Require a tuple or list of two values."""
    fits = isinstance(received, tuple | list) and len(received) == 2
    expect(fits, required=f"{what} returns a pair: {words}", received=received)
    return received


def expect_mask(received, expected, what):
    """Require a mask: booleans of the expected shape and values."""
    array = expect_shape(received, expected.shape, what=what)
    expect(array.dtype == np.bool_, required=f"{what} holds booleans", received=f"dtype {array.dtype}")
    wrong = np.argwhere(array != expected)
    if len(wrong):
        place = tuple(wrong[0])
        where = f"{what}[{', '.join(map(str, place))}]"
        more = f"; {len(wrong)} of {expected.size} entries differ"
        expect(False, required=f"{where} is {expected[place]}", received=f"{array[place]}{more}")


def call_attention(student, query, key, value, mask=None):
    """Call the learner's attention and require a pair of the right shapes."""
    arguments = (query, key, value) if mask is None else (query, key, value, mask)
    result = student.scaled_dot_product_attention(*arguments)
    output, weights = expect_pair(result, "scaled_dot_product_attention", "the output and the weights")
    batch, heads, length, _ = query.shape
    output = expect_shape(output, (batch, heads, length, value.shape[-1]), what="the output")
    weights = expect_shape(weights, (batch, heads, length, key.shape[2]), what="the weights")
    return output.astype(np.float64), weights.astype(np.float64)


# --- exercise 1: softmax ----------------------------------------------------------------------------------------------


@criterion(
    "softmax",
    points=2,
    hints=[
        "For two equal scores, which weights should come out? And for the scores 0 and log(3)?",
        "The exponential of each score, divided by the sum of the exponentials along the axis.",
        "`odds / ops.sum(odds, axis=axis, keepdims=True)`, where odds are the exponentials.",
    ],
)
def weights_are_exponentials_over_their_sum(student, rng):
    """Each weight is the exponential of its score divided by the sum of all exponentials; without an axis, the last."""
    for _ in range(3):
        scores = draw(rng, *distinct_sizes(rng, 2, low=3))
        expect_close(
            student.softmax(scores), softmax(scores.astype(np.float64)), what="softmax(scores)", tolerance=1e-5
        )


@criterion(
    "softmax",
    hints=[
        "Which axis do your maximum and your sum run along?",
        "Pass `axis=axis` on to ops.max and to ops.sum; -1 is only what is taken if nothing is said.",
        "With `keepdims=True` the sum keeps an axis of length 1 in its place, and fits back whatever the axis is.",
    ],
)
def any_axis_can_be_chosen(student, rng):
    """The weights sum to 1 along the chosen axis, counted from the left or from the right, for four axes or one."""
    scores = draw(rng, *distinct_sizes(rng, 4))
    for axis in (*range(4), -2, -4):
        expected = softmax(scores.astype(np.float64), axis)
        expect_close(student.softmax(scores, axis), expected, what=f"softmax(scores, {axis})", tolerance=1e-5)
    square = draw(rng, 4, 4)  # here no shape gives a wrong axis away
    expect_close(
        student.softmax(square, 0), softmax(square.astype(np.float64), 0), what="softmax(scores, 0)", tolerance=1e-5
    )
    vector = draw(rng, 5)
    expect_close(
        student.softmax(vector, 0), softmax(vector.astype(np.float64), 0), what="softmax of one axis", tolerance=1e-5
    )


@criterion(
    "softmax",
    hints=[
        "What is ops.exp(10000.0)? And what is infinity divided by infinity?",
        "Subtract the largest score first: only differences count, and no exponential is larger than 1 then.",
        "`ops.exp(scores - ops.max(scores, axis=axis, keepdims=True))`",
    ],
)
def huge_scores_give_right_finite_weights(student, rng):
    """Scores of 10,000 and -10,000 give the right weights, without nan."""
    signs = rng.choice([-1.0, 1.0], size=distinct_sizes(rng, 2, low=3))
    scores = (1e4 * signs + rng.integers(0, 3, size=signs.shape)).astype(np.float32)
    expect_close(student.softmax(scores), softmax(scores.astype(np.float64)), what="softmax(scores)", tolerance=2e-3)


@criterion(
    "softmax",
    hints=[
        "If one row of scores lies far below another, what are the exponentials of its distances to the top one?",
        "Each row (each place along the other axes) needs the maximum of its own.",
        "ops.max needs the same axis as ops.sum, and keepdims=True.",
    ],
)
def each_row_is_shifted_by_its_own_maximum(student, rng):
    """Rows of very different height, such as around 0 and around -2,000, each get their own exact weights."""
    rows, columns = distinct_sizes(rng, 2, low=3)
    scores = draw(rng, rows, columns) + (-2000 * rng.permutation(rows)[:, None]).astype(np.float32)
    expect_close(student.softmax(scores), softmax(scores.astype(np.float64)), what="softmax(scores)", tolerance=1e-3)


@criterion(
    "softmax",
    hints=[
        "Which library makes your result, NumPy or keras.ops?",
        "NumPy's functions give arrays, through which no gradient can flow. Use ops.exp, ops.max and ops.sum.",
    ],
)
def the_result_is_a_tensor(student, rng):
    """The result is a tensor, so that Keras can carry gradients through it."""
    student.define(
        "import keras\n\n"
        "def softmax_gives_a_tensor(scores):\n    return keras.ops.is_tensor(softmax(scores, axis=-1))\n"
    )
    scores = draw(rng, *distinct_sizes(rng, 2))
    expect(student.softmax_gives_a_tensor(scores), required="softmax(scores) is a tensor", received="something else")


# --- exercise 2: scaled_dot_product_attention -------------------------------------------------------------------------


@criterion(
    "scaled_dot_product_attention",
    hints=[
        "Write down the shape of every step. Which axes must agree in query times key?",
        "`ops.matmul(query, ops.swapaxes(key, -1, -2))` gives (B, H, T, S), and that times value gives (B, H, T, E).",
        "Return both, the output first: `return ops.matmul(weights, value), weights`.",
    ],
)
def output_and_weights_have_their_shapes(student, rng):
    """The result is a pair: the output (B, H, T, E) and the weights (B, H, T, S)."""
    call_attention(student, *draw_attention(rng))


@criterion(
    "scaled_dot_product_attention",
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
    "scaled_dot_product_attention",
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
    "scaled_dot_product_attention",
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
    "scaled_dot_product_attention",
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
    "scaled_dot_product_attention",
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
    "scaled_dot_product_attention",
    points=2,
    hints=[
        "Which keys get weight in your code: those where the mask is True, or the others?",
        "True means 'may attend'. Where the mask is False, the score becomes a very small number.",
        "`ops.where(mask, scores, -1e9)`, before the softmax.",
    ],
)
def forbidden_keys_get_no_weight(student, rng):
    """Where the mask is False the weight is 0; where it is True it is above 0."""
    for _ in range(3):
        query, key, value = draw_attention(rng, scale=0.7)
        mask = draw_mask(rng, *scores_of(query, key).shape)
        _, weights = call_attention(student, query, key, value, mask)
        expect(
            (weights[~mask] <= 1e-6).all(),
            required="a weight of 0 where the mask is False",
            received=np.max(weights[~mask]),
        )
        expect(
            (weights[mask] > 1e-6).all(),
            required="a weight above 0 where the mask is True",
            received=np.min(weights[mask]),
        )


@criterion(
    "scaled_dot_product_attention",
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


@criterion(
    "scaled_dot_product_attention",
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
    expect((forbidden <= 1e-6).all(), required="a weight of 0 for every forbidden key", received=np.max(forbidden))


@criterion(
    "scaled_dot_product_attention",
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
    "scaled_dot_product_attention",
    hints=[
        "A padding mask has the shape (B, 1, 1, S). Does your code count on the full shape?",
        "ops.where broadcasts by itself: axes of length 1 fit any length. Nothing needs to be repeated or reshaped.",
    ],
)
def masks_broadcast(student, rng):
    """Masks of shape (B, 1, 1, S), (1, 1, T, S) and (B, 1, T, S) serve all heads, queries or sentences."""
    query, key, value = draw_attention(rng)
    (batch, _, length, _), source = query.shape, key.shape[2]
    for shape in ((batch, 1, 1, source), (1, 1, length, source), (batch, 1, length, source)):
        mask = draw_mask(rng, *shape)
        output, weights = call_attention(student, query, key, value, mask)
        expected = attend(query, key, value, mask)
        expect_close(weights, expected[1], what=f"the weights for a mask {shape}", tolerance=TOLERANCE)
        expect_close(output, expected[0], what=f"the output for a mask {shape}", tolerance=TOLERANCE)


# --- exercise 3: masks ------------------------------------------------------------------------------------------------


def draw_ids(rng):
    """Draw token ids (B, S): the real ones from 1 on, with 1, 2 and 3 among them, then padding."""
    batch, source = distinct_sizes(rng, 2, low=4)
    ids = rng.integers(1, 50, size=(batch, source)).astype(np.int32)
    ids[:, 0], ids[0, 1], ids[1, 1] = 2, 1, 3
    lengths = rng.integers(2, source, size=(batch, 1))
    lengths[-1] = source  # one sentence is not padded
    return np.where(np.arange(source) < lengths, ids, 0).astype(np.int32)


@criterion(
    "masks",
    hints=[
        "Is your mask True for real tokens, or for padding?",
        "True means 'may attend', so it is True where the id is not 0. Only 0 is padding; 1, 2 and 3 are not.",
        "`ops.not_equal(ids, 0)`",
    ],
)
def real_tokens_may_be_attended_to(student, rng):
    """padding_mask is True exactly where the id is not 0, and holds booleans."""
    ids = draw_ids(rng)
    received = student.padding_mask(ids)
    array = np.asarray(received)
    fits = isinstance(received, np.ndarray) and array.size == ids.size
    expect(fits, required=f"padding_mask(ids) is an array with {ids.size} entries", received=received)
    expect(array.dtype == np.bool_, required="padding_mask(ids) holds booleans", received=f"dtype {array.dtype}")
    expect_mask(array.reshape(ids.shape), ids != 0, "padding_mask(ids), without the axes of length 1,")


@criterion(
    "masks",
    hints=[
        "The mask must broadcast to (B, H, T, S). Where do B and S stand in it?",
        "It is about keys, which are the last axis: (B, 1, 1, S).",
        "`[:, None, None, :]` puts two axes of length 1 in the middle.",
    ],
)
def the_padding_mask_has_one_row_for_all_heads_and_queries(student, rng):
    """padding_mask(ids) has the shape (B, 1, 1, S)."""
    ids = draw_ids(rng)
    expect_mask(student.padding_mask(ids), (ids != 0)[:, None, None, :], "padding_mask(ids)")


@criterion(
    "masks",
    points=2,
    hints=[
        "Row t is the query, column s the key. May position 0 see position 1? And the other way round?",
        "True where the key's place is at most the query's: on and below the diagonal.",
        "`positions[:, None] >= positions[None, :]` with `positions = ops.arange(length)`",
    ],
)
def each_position_sees_itself_and_the_past(student, rng):
    """Row t, column s of causal_mask is True exactly if s is at most t; the shape is (1, 1, T, T)."""
    for length in (*distinct_sizes(rng, 2, low=3), 1):
        expect_mask(student.causal_mask(length), np.tri(length, dtype=bool)[None, None], f"causal_mask({length})")


@criterion(
    "masks",
    points=2,
    hints=[
        "If one mask says yes and another says no, what must come out?",
        "A query may attend only where all masks allow it. Shapes that broadcast need no care.",
        "Go through the masks and apply ops.logical_and to the result so far and the next one.",
    ],
)
def a_key_is_allowed_where_all_masks_allow_it(student, rng):
    """combine_masks gives True exactly where all its masks, one, two or three of them, are True."""
    batch, heads, length, source = distinct_sizes(rng, 4, low=3)
    shapes = [(batch, 1, 1, source), (1, 1, length, source), (batch, heads, length, source)]
    masks = [rng.uniform(size=shape) < 0.7 for shape in shapes]
    for count in (2, 3, 1):
        expected = masks[0]
        for mask in masks[1:count]:
            expected = expected & mask
        expect_mask(
            student.combine_masks(*masks[:count]), expected, f"combine_masks of {count} mask{'s' * (count > 1)}"
        )


@criterion(
    "masks",
    hints=[
        "What does your code do with a mask that is None?",
        "None stands for 'no restriction': leave it out. If nothing is left, return None.",
    ],
)
def none_stands_for_no_restriction(student, rng):
    """Masks that are None drop out, wherever they stand; if all of them are None the result is None."""
    batch, source = distinct_sizes(rng, 2)
    mask, other = rng.uniform(size=(batch, 1, 1, source)) < 0.5, rng.uniform(size=(1, 1, 1, source)) < 0.5
    for masks, expected, words in (
        ((None, mask), mask, "(None, mask)"),
        ((mask, None), mask, "(mask, None)"),
        ((mask, None, other), mask & other, "(mask, None, other)"),
    ):
        expect_mask(student.combine_masks(*masks), expected, f"combine_masks{words}")
    expect_equal(student.combine_masks(None, None), None, what="combine_masks(None, None)")


# --- exercise 4: split_heads, merge_heads -----------------------------------------------------------------------------


def draw_heads(rng):
    """Draw sizes B, T, H, K that all differ; the width is H * K."""
    return distinct_sizes(rng, 4)


@criterion(
    "split_heads",
    hints=[
        "Which axis should the heads be on, and how wide is a piece?",
        "First reshape to (B, T, H, D/H), then exchange axes 1 and 2.",
        "`ops.transpose(pieces, (0, 2, 1, 3))`",
    ],
)
def heads_stand_beside_the_batch(student, rng):
    """split_heads turns (B, T, D) into (B, H, T, D/H)."""
    b, t, h, k = draw_heads(rng)
    expect_shape(student.split_heads(draw(rng, b, t, h * k), h), (b, h, t, k), what=f"split_heads(x, {h})")


@criterion(
    "split_heads",
    points=2,
    hints=[
        "Look at one word: which of its numbers should head 0 get, and which did it get?",
        "Reshape cuts each vector into pieces, (B, T, H, D/H). A reshape straight to (B, H, T, D/H) mixes words.",
        "`ops.reshape(x, (batch, length, num_heads, d_model // num_heads))`, then the transpose.",
    ],
)
def each_head_gets_its_piece_of_every_word(student, rng):
    """Head h holds columns h*K to (h+1)*K - 1 of every word, with K = D/H, in their order."""
    for b, t, h, k in (draw_heads(rng), draw_heads(rng), (3, 3, 3, 3)):
        x = draw(rng, b, t, h * k)
        expected = np.stack([x[:, :, head * k : (head + 1) * k] for head in range(h)], axis=1)
        expect_close(student.split_heads(x, h), expected, what=f"split_heads(x, {h})", tolerance=0)


@criterion(
    "split_heads",
    points=2,
    hints=[
        "Go back the way you came: which step of split_heads came last?",
        "First exchange axes 1 and 2 back, so that a word's pieces are neighbours; then reshape.",
        "`ops.reshape(ops.transpose(x, (0, 2, 1, 3)), (batch, length, heads * width))`",
    ],
)
def merging_puts_the_pieces_side_by_side(student, rng):
    """merge_heads turns (B, H, T, K) into (B, T, H*K): columns h*K to (h+1)*K - 1 come from head h."""
    for b, t, h, k in (draw_heads(rng), draw_heads(rng), (3, 3, 3, 3)):
        x = draw(rng, b, h, t, k)
        expected = np.concatenate([x[:, head] for head in range(h)], axis=-1)
        expect_close(student.merge_heads(x), expected, what="merge_heads(x)", tolerance=0)


@criterion(
    "split_heads",
    hints=[
        "What is left if you split and then merge? Are the numbers the same, or only nearly?",
        "Nothing may be computed with the numbers: both functions only move them.",
    ],
)
def splitting_and_merging_gives_everything_back(student, rng):
    """merge_heads(split_heads(x, H)) is exactly x, for one head, for one column in each head, and in between."""
    b, t, h, k = draw_heads(rng)
    x = draw(rng, b, t, h * k)
    for heads in (h, 1, h * k):
        again = student.merge_heads(student.split_heads(x, heads))
        expect_close(again, x, what=f"merge_heads(split_heads(x, {heads}))", tolerance=0)


@criterion(
    "split_heads",
    hints=[
        "Can 10 columns be shared out among 4 heads?",
        "Ask for the remainder, `d_model % num_heads`, and raise a ValueError where it is not 0.",
        '`raise ValueError(f"... Received: {d_model} and {num_heads}.")`',
    ],
)
def a_width_that_cannot_be_shared_out_is_an_error(student, rng):
    """If D is not a multiple of H, split_heads raises a ValueError whose message names D and H."""
    heads = int(rng.integers(3, 8))
    width = heads * int(rng.integers(2, 6)) + int(rng.integers(1, heads))
    # an even number of numbers in all, so that a careless reshape finds them a place
    x = draw(rng, 2 * heads, 3, width)
    with expect_raises("ValueError", what=f"split_heads of width {width} into {heads} heads"):
        student.split_heads(x, heads)
    student.define(
        "def message_of_split_heads(x, heads):\n"
        "    try:\n"
        "        split_heads(x, heads)\n"
        "    except ValueError as error:\n"
        "        return str(error)\n"
    )
    message = student.message_of_split_heads(x, heads)
    named = isinstance(message, str) and str(width) in message and str(heads) in message
    expect(named, required=f"a message with the numbers {width} and {heads}", received=message)


@criterion(
    "split_heads",
    hints=[
        "While Keras compiles a model, the batch size is not known yet. What is x.shape[0] then?",
        "x.shape[0] is None there. `ops.shape(x)` gives something that reshape can use.",
        "`batch, length, d_model = ops.shape(x)`",
    ],
)
def the_batch_size_may_be_open(student, rng):
    """Both functions work inside a Keras model whose batch size is not known yet."""
    student.define(
        """
import keras

class ThereAndBack(keras.layers.Layer):
    def __init__(self, num_heads):
        super().__init__()
        self.num_heads = num_heads

    def call(self, x):
        return merge_heads(split_heads(x, self.num_heads))

def through_a_model(x, num_heads):
    inputs = keras.Input(x.shape[1:])
    return keras.Model(inputs, ThereAndBack(num_heads)(inputs))(x)
"""
    )
    b, t, h, k = draw_heads(rng)
    x = draw(rng, b, t, h * k)
    expect_close(student.through_a_model(x, h), x, what="split and merged inside a model", tolerance=0)


# --- exercise 5: MultiHeadAttention -----------------------------------------------------------------------------------


def draw_layer_inputs(rng):
    """Draw sizes, query (B, T, D) and value (B, S, D), with numbers that leave no softmax saturated."""
    b, t, s, h, k = distinct_sizes(rng, 5)
    d = int(rng.choice([size for size in range(5, 13) if size not in (b, t, s, h, k, h * k)]))
    return {"B": b, "T": t, "S": s, "H": h, "K": k, "D": d}, draw(rng, b, t, d), draw(rng, b, s, d)


def draw_variables(rng, sizes):
    """Draw the eight variables in Keras' order; the biases are not 0 either."""
    d, h, k = sizes["D"], sizes["H"], sizes["K"]
    shapes = [(d, h, k), (h, k)] * 3 + [(h, k, d), (d,)]
    return [draw(rng, *shape, scale=0.5 if len(shape) < 3 else 1 / np.sqrt(d)) for shape in shapes]


def make_layer(student, rng, sizes, query, value):
    """Create the learner's layer, let the first call build it, and give it the drawn variables."""
    layer = student.MultiHeadAttention(num_heads=sizes["H"], key_dim=sizes["K"])
    layer(query, value)
    variables = draw_variables(rng, sizes)
    received = [tuple(np.shape(value)) for value in layer.get_weights()]
    wanted = [value.shape for value in variables]
    expect(received == wanted, required=f"the variables that build makes, of shapes {wanted}", received=received)
    layer.set_weights(variables)
    return layer, variables


def expect_scores(received, expected, words):
    """Require the pair of output and weights that return_scores=True asks for."""
    output, weights = expect_pair(received, "call(..., return_scores=True)", "the output and the weights")
    expect_close(weights, expected[1], what=f"the weights {words}", tolerance=TOLERANCE)
    expect_close(output, expected[0], what=f"the output {words}", tolerance=TOLERANCE)


@criterion(
    "MultiHeadAttention",
    hints=[
        "How wide is what the heads have found together, and how wide must the output be?",
        "Project, split, attend, merge, project: the last step leads from H*K back to D.",
        "The output kernel (H, K, D) is the matrix (H*K, D): `ops.reshape(self.output_kernel, (H * K, -1))`.",
    ],
)
def the_output_has_the_shape_of_the_query(student, rng):
    """For query (B, T, D) and value (B, S, D) the layer returns one tensor (B, T, D)."""
    sizes, query, value = draw_layer_inputs(rng)
    layer = student.MultiHeadAttention(num_heads=sizes["H"], key_dim=sizes["K"])
    expect_shape(layer(query, value), query.shape, what="layer(query, value)")


@criterion(
    "MultiHeadAttention",
    points=3,
    hints=[
        "Print the shape after each of the five steps. Is each of the eight variables used, each in its place?",
        "Project the query with its own kernel and bias, and so on; split; attend; merge; project and add the bias.",
        "`ops.matmul(x, ops.reshape(kernel, (-1, H * K))) + ops.reshape(bias, (H * K,))`, then split_heads, for each.",
    ],
)
def the_numbers_are_those_of_keras(student, rng):
    """With Keras' weights copied, the output is Keras' output to 1e-4, for three sets of sizes."""
    for _ in range(3):
        sizes, query, value = draw_layer_inputs(rng)
        layer, variables = make_layer(student, rng, sizes, query, value)
        expected, _ = multi_head(variables, query, value)
        expect_close(layer(query, value), expected, what="layer(query, value)", tolerance=TOLERANCE)


@criterion(
    "MultiHeadAttention",
    points=2,
    hints=[
        "What does your code do with the argument key? And what if it is None?",
        "Scores come from query and key; what is averaged is the value. Without a key, the value is the key too.",
        "`key = value if key is None else key`, and mind the order of the arguments: query, value, key.",
    ],
)
def a_key_of_its_own_is_used_for_the_scores(student, rng):
    """With a key that is not the value, the scores come from the key and the mean is taken of the value."""
    sizes, query, value = draw_layer_inputs(rng)
    layer, variables = make_layer(student, rng, sizes, query, value)
    key = draw(rng, *value.shape)
    expected, _ = multi_head(variables, query, value, key)
    expect_close(layer(query, value, key), expected, what="layer(query, value, key)", tolerance=TOLERANCE)
    expect_close(layer(query, value, key=key), expected, what="layer(query, value, key=key)", tolerance=TOLERANCE)


@criterion(
    "MultiHeadAttention",
    points=2,
    hints=[
        "Does the mask reach the attention, also when the scores are returned?",
        "Pass the mask on to scaled_dot_product_attention as it is: (B, 1, 1, S) broadcasts to (B, H, T, S) by itself.",
    ],
)
def masks_hold_with_and_without_scores(student, rng):
    """Padding, causal and full masks hold, whether or not the scores are returned."""
    sizes, query, value = draw_layer_inputs(rng)
    layer, variables = make_layer(student, rng, sizes, query, value)
    b, h, t, s = (sizes[letter] for letter in "BHTS")
    causal = np.tri(t, dtype=bool)[None, None]
    for mask, other, words in (
        (draw_mask(rng, b, 1, 1, s), value, "under a padding mask"),
        (draw_mask(rng, b, h, t, s), value, "under a full mask"),
        (causal, query, "under a causal mask"),
    ):
        expected = multi_head(variables, query, other, mask=mask)
        expect_close(layer(query, other, mask=mask), expected[0], what=f"the output {words}", tolerance=TOLERANCE)
        expect_scores(layer(query, other, mask=mask, return_scores=True), expected, words)


@criterion(
    "MultiHeadAttention",
    hints=[
        "Does the layer return one thing or two, and when?",
        "With return_scores=True a pair, the output (B, T, D) first, then the weights (B, H, T, S) of each head.",
        "`return (output, weights) if return_scores else output`",
    ],
)
def the_weights_of_each_head_come_on_request(student, rng):
    """With return_scores=True the layer returns the output and the weights (B, H, T, S), after the softmax."""
    sizes, query, value = draw_layer_inputs(rng)
    layer, variables = make_layer(student, rng, sizes, query, value)
    expect_scores(layer(query, value, return_scores=True), multi_head(variables, query, value), "without a mask")


@criterion(
    "MultiHeadAttention",
    hints=[
        "What does one head contribute if all others are silenced?",
        "Each head has a softmax of its own. Split before attending, and merge after it.",
        "split_heads takes (B, T, H*K); the attention then works on (B, H, T, K), not on (B, T, H*K).",
    ],
)
def heads_work_alone(student, rng):
    """If only one head's part of the output kernel is not 0, the output depends on this head alone."""
    sizes, query, value = draw_layer_inputs(rng)
    layer, variables = make_layer(student, rng, sizes, query, value)
    chosen = int(rng.integers(sizes["H"]))
    variables[6][np.arange(sizes["H"]) != chosen] = 0
    layer.set_weights(variables)
    alone = [part[:, [chosen]] if part.ndim == 3 else part[[chosen]] for part in variables[:6]]
    expected, _ = multi_head([*alone, variables[6][[chosen]], variables[7]], query, value)
    expect_close(layer(query, value), expected, what=f"the output of head {chosen} alone", tolerance=TOLERANCE)


@criterion(
    "MultiHeadAttention",
    hints=[
        "Does your call make new variables or layers? How many parameters should there be?",
        "build has made all variables. call only computes with them: 4 D H K + 3 H K + D numbers.",
    ],
)
def it_has_the_parameters_of_keras_and_no_more(student, rng):
    """After two calls the layer has 4 D H K + 3 H K + D parameters."""
    sizes, query, value = draw_layer_inputs(rng)
    layer = student.MultiHeadAttention(num_heads=sizes["H"], key_dim=sizes["K"])
    layer(query, value)
    layer(query, value)
    d, inner = sizes["D"], sizes["H"] * sizes["K"]
    expect_equal(layer.count_params(), 4 * d * inner + 3 * inner + d, what="layer.count_params()")


# --- exercise 6: positional_encoding ----------------------------------------------------------------------------------


def draw_length_and_width(rng):
    return int(rng.integers(5, 40)), 2 * int(rng.integers(3, 12))


@criterion(
    "positional_encoding",
    hints=[
        "How many rows for T positions, and how many columns?",
        "One row for each position, one column for each sine or cosine: (T, D).",
        "`ops.reshape(pairs, (length, d_model))`",
    ],
)
def one_row_for_each_position(student, rng):
    """The result has the shape (T, D), also for a single position and for the width 2."""
    length, width = draw_length_and_width(rng)
    for size in ((length, width), (1, width), (length, 2)):
        expect_shape(student.positional_encoding(*size), size, what=f"positional_encoding{size}")


@criterion(
    "positional_encoding",
    hints=[
        "At position 0 all angles are 0. What are sin(0) and cos(0), and in which columns?",
        "Positions count from 0. Even columns are sines, odd columns cosines: row 0 is 0, 1, 0, 1, ...",
        "`ops.stack([ops.sin(angles), ops.cos(angles)], axis=-1)` puts each sine beside its cosine; then reshape.",
    ],
)
def the_first_position_is_zeros_and_ones_in_turn(student, rng):
    """Row 0 is 0, 1, 0, 1, ...: sines in even columns, cosines in odd ones."""
    length, width = draw_length_and_width(rng)
    received = expect_shape(student.positional_encoding(length, width), (length, width), what="positional_encoding")
    expected = np.arange(width) % 2
    expect_close(received[0], expected, what=f"row 0 of positional_encoding({length}, {width})", tolerance=TOLERANCE)


@criterion(
    "positional_encoding",
    points=2,
    hints=[
        "Compare your row 1 with the formula for a small width, such as 4: sin 1, cos 1, sin 0.01, cos 0.01.",
        "Pair i has the speed 10000 to the power of -2i/D. `ops.arange(0, d_model, 2)` counts 0, 2, 4, ...: 2i.",
        "`angles = positions[:, None] * speeds[None, :]` with `speeds = 10000 ** (-ops.arange(0, D, 2) / D)`.",
    ],
)
def every_value_follows_the_formula(student, rng):
    """Columns 2i and 2i+1 of row p are sine and cosine of p / 10000^(2i/D), for three sets of sizes."""
    for _ in range(3):
        length, width = draw_length_and_width(rng)
        received = student.positional_encoding(length, width)
        what = f"positional_encoding({length}, {width})"
        expect_close(received, positions(length, width), what=what, tolerance=TOLERANCE)


@criterion(
    "positional_encoding",
    hints=[
        "Do the two columns of a pair turn at the same speed?",
        "Sine and cosine of one pair share their angle. The exponent counts pairs, not columns.",
        "Compute the angles once, (T, D/2), and take both the sine and the cosine of them.",
    ],
)
def a_shift_turns_each_pair_by_one_angle(student, rng):
    """Going n positions further turns each pair of columns by the angle n / 10000^(2i/D), wherever one stands."""
    length, width = draw_length_and_width(rng)
    received = expect_shape(student.positional_encoding(length, width), (length, width), what="positional_encoding")
    codes, shift = received.astype(np.float64), int(rng.integers(1, 4))
    angles = shift / 10000 ** (np.arange(0, width, 2) / width)
    sine, cosine = codes[:-shift, 0::2], codes[:-shift, 1::2]
    turned = np.empty_like(codes[:-shift])
    turned[:, 0::2] = np.cos(angles) * sine + np.sin(angles) * cosine
    turned[:, 1::2] = np.cos(angles) * cosine - np.sin(angles) * sine
    expect_close(codes[shift:], turned, what=f"the code {shift} positions further", tolerance=10 * TOLERANCE)


@criterion(
    "positional_encoding",
    hints=[
        "What does your code do with a width of 7?",
        "Ask for the remainder, `d_model % 2`, and raise a ValueError where it is not 0.",
    ],
)
def an_odd_width_is_an_error(student, rng):
    """An odd d_model raises a ValueError."""
    length, width = draw_length_and_width(rng)
    with expect_raises("ValueError", what=f"positional_encoding({length}, {width + 1})"):
        student.positional_encoding(length, width + 1)
