"""Typical wrong answers of the lesson `attention`; each must fail the criterion that it names.

Most are a right answer with one piece changed, as people do it.
"""

from llmcourse.checking import mutants

# --- exercise 1: softmax ----------------------------------------------------------------------------------------------

SOFTMAX = """
def softmax(scores, axis=-1):
    highest = ops.max(scores, axis=axis, keepdims=True)
    odds = ops.exp(scores - highest)
    total = ops.sum(odds, axis=axis, keepdims=True)
    return odds / total
"""
HIGHEST, TOTAL = "ops.max(scores, axis=axis, keepdims=True)", "ops.sum(odds, axis=axis, keepdims=True)"
mutants(
    "softmax",
    SOFTMAX,
    "*",
    [
        ("imports the answer", SOFTMAX, "from llmcourse.steps.attention import softmax"),
        ("takes Keras' softmax", "odds / total", "ops.softmax(scores, axis=axis)"),
        ("takes Keras' activation", "odds / total", "keras.activations.softmax(ops.convert_to_tensor(scores), axis)"),
        ("takes Keras' layer", "odds / total", "keras.layers.Softmax(axis=axis)(scores)"),
        ("the exponential of Keras' log_softmax", "odds / total", "ops.exp(ops.log_softmax(scores, axis=axis))"),
        (
            "takes SciPy's softmax",
            "    return odds / total",
            "    import scipy.special\n    return ops.convert_to_tensor(scipy.special.softmax(scores, axis))",
        ),
        (
            "takes TensorFlow's softmax",
            "    return odds / total",
            "    import tensorflow as tf\n    return tf.nn.softmax(scores, axis)",
        ),
    ],
)
mutants(
    "softmax",
    SOFTMAX,
    "weights_are_exponentials_over_their_sum",
    [
        ("forgets the exponential", "ops.exp(scores - highest)", "scores"),
        ("forgets to divide", "odds / total", "odds"),
        ("divides by the largest instead of the sum", "ops.sum(odds", "ops.max(odds"),
        ("the mean instead of the sum", "ops.sum(odds", "ops.mean(odds"),
        ("powers of 2 instead of e", "ops.exp(scores - highest)", "2 ** (scores - highest)"),
        ("the sum over everything", TOTAL, "ops.sum(odds)"),
        ("returns logarithms", "odds / total", "ops.log(odds / total)"),
        ("adds a small constant to be safe", "odds / total", "odds / (total + 1e-2)"),
        ("rounds to a hard maximum", "odds / total", "ops.cast(ops.equal(scores, highest), 'float32')"),
        ("forgets keepdims in the sum", TOTAL, "ops.sum(odds, axis=axis)"),
    ],
)
mutants(
    "softmax",
    SOFTMAX,
    "any_axis_can_be_chosen",
    [
        ("always the last axis in the sum", TOTAL, "ops.sum(odds, axis=-1, keepdims=True)"),
        (
            "always the last axis",
            "    highest",
            "    axis = -1\n    highest",
        ),
        ("always the first axis for a chosen one", "    highest", "    axis = axis if axis < 0 else 0\n    highest"),
        ("counts the axis from the wrong end", "    highest", "    axis = axis if axis == -1 else -axis\n    highest"),
    ],
)
mutants(
    "softmax",
    SOFTMAX,
    "huge_scores_give_right_finite_weights",
    [
        ("subtracts nothing", "scores - highest", "scores"),
        ("subtracts the mean", HIGHEST, "ops.mean(scores, axis=axis, keepdims=True)"),
        ("subtracts the smallest", HIGHEST, "ops.min(scores, axis=axis, keepdims=True)"),
        ("adds the largest", "scores - highest", "scores + highest"),
        ("clips the scores", "ops.exp(scores - highest)", "ops.exp(ops.clip(scores, -80, 80))"),
    ],
)
mutants(
    "softmax",
    SOFTMAX,
    "each_row_is_shifted_by_its_own_maximum",
    [("one maximum for the whole array", HIGHEST, "ops.max(scores)")],
)
mutants(
    "softmax",
    SOFTMAX,
    "the_result_is_a_tensor",
    [
        (
            "computes in NumPy",
            SOFTMAX,
            """
def softmax(scores, axis=-1):
    odds = np.exp(scores - np.max(scores, axis=axis, keepdims=True))
    return odds / odds.sum(axis=axis, keepdims=True)
""",
        ),
        ("goes back to NumPy at the end", "odds / total", "ops.convert_to_numpy(odds / total)"),
    ],
)

# --- exercise 2: scaled_dot_product_attention -------------------------------------------------------------------------

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
NAME = "scaled_dot_product_attention"
SCALE, SOFT = "math.sqrt(key.shape[-1])", "ops.softmax(scores, axis=-1)"
BEFORE, AFTER = "scores = ops.where(mask, scores, -1e9)", "weights = ops.where(mask, weights, 0.0)"
# From the first line about the mask to the last.
BOTH = f"{BEFORE}\n    weights = {SOFT}\n    if mask is not None:\n        {AFTER}"
mutants(
    NAME,
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
    NAME,
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
    NAME,
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
    NAME,
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
    NAME,
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
    NAME,
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
    NAME,
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
    NAME,
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
    NAME,
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
    NAME,
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
    NAME,
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
    NAME,
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

# --- exercise 3: masks ------------------------------------------------------------------------------------------------

MASKS = """
def padding_mask(ids):
    return ops.not_equal(ids, 0)[:, None, None, :]


def causal_mask(length):
    positions = ops.arange(length)
    return (positions[:, None] >= positions[None, :])[None, None, :, :]


def combine_masks(*masks):
    combined = None
    for mask in masks:
        if mask is not None:
            combined = mask if combined is None else ops.logical_and(combined, mask)
    return combined
"""
REAL, PAST = "ops.not_equal(ids, 0)", "(positions[:, None] >= positions[None, :])"
AND = "ops.logical_and(combined, mask)"
mutants(
    "masks",
    MASKS,
    "*",
    [("imports the answer", MASKS, "from llmcourse.layers import causal_mask, combine_masks, padding_mask")],
)
mutants(
    "masks",
    MASKS,
    "real_tokens_may_be_attended_to",
    [
        ("True for padding", "ops.not_equal(ids", "ops.equal(ids"),
        ("takes UNK, START and END for padding, too", REAL, "ops.greater(ids, 3)"),
        ("takes 1 for padding, too", REAL, "ops.greater(ids, 1)"),
        ("numbers instead of booleans", REAL, "ops.cast(ops.not_equal(ids, 0), 'float32')"),
        ("a mask to be added to the scores", REAL, "(-1e9 * ops.cast(ops.equal(ids, 0), 'float32'))"),
        ("the ids themselves", REAL, "ops.convert_to_tensor(ids)"),
        (
            "forgets to return",
            "return ops.not_equal(ids, 0)[:, None, None, :]",
            "ops.not_equal(ids, 0)[:, None, None, :]",
        ),
    ],
)
mutants(
    "masks",
    MASKS,
    "the_padding_mask_has_one_row_for_all_heads_and_queries",
    [
        ("without the axes of length 1", "[:, None, None, :]\n\n\ndef causal", "\n\n\ndef causal"),
        ("silences queries instead of keys", f"{REAL}[:, None, None, :]", f"{REAL}[:, None, :, None]"),
        ("one axis only, as Keras' own layer takes it", f"{REAL}[:, None, None, :]", f"{REAL}[:, None, :]"),
        ("sentences on the wrong axis", f"{REAL}[:, None, None, :]", f"{REAL}[None, None, :, :]"),
        ("axes at the end", f"{REAL}[:, None, None, :]", f"{REAL}[:, :, None, None]"),
    ],
)
mutants(
    "masks",
    MASKS,
    "each_position_sees_itself_and_the_past",
    [
        ("without the diagonal", ">=", ">"),
        ("the future instead of the past", ">=", "<="),
        ("the wrong half, without the diagonal", ">=", "<"),
        ("everything but the position itself", ">=", "!="),
        ("numbers instead of booleans", PAST, "ops.tril(ops.ones((length, length)))"),
        ("the shape (T, T)", f"{PAST}[None, None, :, :]", PAST),
        ("the shape (1, T, T)", f"{PAST}[None, None, :, :]", f"{PAST}[None, :, :]"),
        ("one position too many", "ops.arange(length)", "ops.arange(length + 1)"),
        ("only the position before and itself", PAST, f"({PAST} & (positions[:, None] <= positions[None, :] + 1))"),
    ],
)
mutants(
    "masks",
    MASKS,
    "a_key_is_allowed_where_all_masks_allow_it",
    [
        ("or instead of and", "ops.logical_and", "ops.logical_or"),
        ("exactly one of them", "ops.logical_and", "ops.logical_xor"),
        ("adds the masks", AND, "ops.cast(combined, 'int32') + ops.cast(mask, 'int32')"),
        ("multiplies them to numbers", AND, "ops.cast(combined, 'float32') * ops.cast(mask, 'float32')"),
        ("the last mask wins", AND, "mask"),
        ("the first mask wins", AND, "combined"),
        ("two masks only", "for mask in masks:", "for mask in masks[:2]:"),
        ("returns in the loop", "    return combined", "            return combined"),
    ],
)
mutants(
    "masks",
    MASKS,
    "none_stands_for_no_restriction",
    [
        (
            "stops at the first None",
            "        if mask is not None:\n            combined",
            "        if mask is None:\n            break\n        else:\n            combined",
        ),
        (
            "None makes the whole None",
            "        if mask is not None:\n            combined",
            "        if mask is None:\n            return None\n        else:\n            combined",
        ),
        (
            "does not think of None",
            "        if mask is not None:\n            combined",
            "        if True:\n            combined",
        ),
        ("True if all are None", "    return combined", "    return True if combined is None else combined"),
        (
            "None means that nothing is allowed",
            "        if mask is not None:\n            combined",
            "        if mask is None:\n            mask = False\n        if True:\n            combined",
        ),
    ],
)

# --- exercise 4: split_heads, merge_heads -----------------------------------------------------------------------------

HEADS = """
def split_heads(x, num_heads):
    batch, length, d_model = ops.shape(x)
    if d_model % num_heads != 0:
        raise ValueError(f"The width must be a multiple of num_heads. Received: {d_model} and {num_heads}.")
    pieces = ops.reshape(x, (batch, length, num_heads, d_model // num_heads))
    return ops.transpose(pieces, (0, 2, 1, 3))


def merge_heads(x):
    batch, heads, length, width = ops.shape(x)
    exchanged = ops.transpose(x, (0, 2, 1, 3))
    return ops.reshape(exchanged, (batch, length, heads * width))
"""
PIECES = "ops.reshape(x, (batch, length, num_heads, d_model // num_heads))"
ERROR = 'raise ValueError(f"The width must be a multiple of num_heads. Received: {d_model} and {num_heads}.")'
mutants(
    "split_heads",
    HEADS,
    "*",
    [("imports the answer", HEADS, "from llmcourse.steps.attention import merge_heads, split_heads")],
)
mutants(
    "split_heads",
    HEADS,
    "heads_stand_beside_the_batch",
    [
        ("forgets the transpose", "ops.transpose(pieces, (0, 2, 1, 3))", "pieces"),
        ("the heads in front of the batch", "(pieces, (0, 2, 1, 3))", "(pieces, (2, 0, 1, 3))"),
        ("positions last", "(pieces, (0, 2, 1, 3))", "(pieces, (0, 2, 3, 1))"),
        (
            "confuses heads with the width of a head",
            PIECES,
            "ops.reshape(x, (batch, length, d_model // num_heads, num_heads))",
        ),
        ("a list of pieces", "ops.transpose(pieces, (0, 2, 1, 3))", "ops.split(x, num_heads, axis=-1)"),
        (
            "batch and heads in one axis",
            "ops.transpose(pieces, (0, 2, 1, 3))",
            "ops.reshape(ops.transpose(pieces, (0, 2, 1, 3)), (batch * num_heads, length, -1))",
        ),
    ],
)
mutants(
    "split_heads",
    HEADS,
    "each_head_gets_its_piece_of_every_word",
    [
        (
            "reshapes in one go",
            "ops.transpose(pieces, (0, 2, 1, 3))",
            "ops.reshape(x, (batch, num_heads, length, d_model // num_heads))",
        ),
        (
            "each head takes every H-th column",
            "    return ops.transpose(pieces, (0, 2, 1, 3))",
            "    pieces = ops.reshape(x, (batch, length, d_model // num_heads, num_heads))\n"
            "    return ops.transpose(pieces, (0, 3, 1, 2))",
        ),
        (
            "the heads in reverse order",
            "ops.transpose(pieces, (0, 2, 1, 3))",
            "ops.flip(ops.transpose(pieces, (0, 2, 1, 3)), axis=1)",
        ),
        (
            "every head gets the first piece",
            "ops.transpose(pieces, (0, 2, 1, 3))",
            "ops.repeat(ops.transpose(pieces, (0, 2, 1, 3))[:, :1], num_heads, axis=1)",
        ),
        (
            "reverses all axes of a transposed tensor",
            "ops.transpose(pieces, (0, 2, 1, 3))",
            "ops.reshape(ops.transpose(pieces, (2, 0, 1, 3)), (batch, num_heads, length, -1))",
        ),
    ],
)
mutants(
    "split_heads",
    HEADS,
    "merging_puts_the_pieces_side_by_side",
    [
        ("merges without the transpose", "exchanged = ops.transpose(x, (0, 2, 1, 3))", "exchanged = x"),
        (
            "interleaves the heads",
            "exchanged = ops.transpose(x, (0, 2, 1, 3))",
            "exchanged = ops.transpose(x, (0, 2, 3, 1))",
        ),
        ("adds the heads up", "ops.reshape(exchanged, (batch, length, heads * width))", "ops.sum(x, axis=1)"),
        ("the mean over the heads", "ops.reshape(exchanged, (batch, length, heads * width))", "ops.mean(x, axis=1)"),
        (
            "the batch and the positions exchanged",
            "exchanged = ops.transpose(x, (0, 2, 1, 3))",
            "exchanged = ops.transpose(x, (2, 0, 1, 3))",
        ),
        ("does not merge", "ops.reshape(exchanged, (batch, length, heads * width))", "exchanged"),
    ],
)
mutants(
    "split_heads",
    HEADS,
    "splitting_and_merging_gives_everything_back",
    [
        (
            "scales the pieces",
            "ops.transpose(pieces, (0, 2, 1, 3))",
            "ops.transpose(pieces, (0, 2, 1, 3)) / num_heads**0.5",
        ),
        (
            "drops the axis of a single head",
            "ops.transpose(pieces, (0, 2, 1, 3))",
            "ops.squeeze(ops.transpose(pieces, (0, 2, 1, 3)), axis=1 if num_heads == 1 else ())",
        ),
    ],
)
mutants(
    "split_heads",
    HEADS,
    "a_width_that_cannot_be_shared_out_is_an_error",
    [
        ("does not ask", "d_model % num_heads != 0", "False"),
        ("asks the wrong way round", "d_model % num_heads != 0", "num_heads % d_model == 0"),
        ("an assertion instead of a ValueError", ERROR, "raise AssertionError(f'{d_model} and {num_heads}')"),
        ("prints instead of raising", ERROR, "print('does not fit')"),
        ("returns None instead of raising", ERROR, "return None"),
        ("a message without the numbers", ERROR, "raise ValueError('The width must be a multiple of the heads.')"),
        ("cuts the rest off", ERROR, "x = x[..., : d_model // num_heads * num_heads]"),
        ("a TypeError", "raise ValueError(f", "raise TypeError(f"),
    ],
)
mutants(
    "split_heads",
    HEADS,
    "the_batch_size_may_be_open",
    [
        ("takes x.shape[0]", "batch, length, d_model = ops.shape(x)", "batch, length, d_model = x.shape"),
        ("goes through NumPy", "ops.transpose(pieces, (0, 2, 1, 3))", "np.transpose(np.asarray(pieces), (0, 2, 1, 3))"),
        (
            "takes x.shape[0] on the way back",
            "batch, heads, length, width = ops.shape(x)",
            "batch, heads, length, width = map(int, x.shape)",
        ),
    ],
)

# --- exercise 5: MultiHeadAttention -----------------------------------------------------------------------------------

LAYER = """
class MultiHeadAttention(keras.layers.Layer):
    def __init__(self, num_heads, key_dim, **kwargs):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.key_dim = key_dim

    def build(self, query_shape, value_shape, key_shape=None):
        heads = (self.num_heads, self.key_dim)
        key_shape = value_shape if key_shape is None else key_shape
        self.query_kernel = self.add_weight(shape=(query_shape[-1], *heads), name="query_kernel")
        self.query_bias = self.add_weight(shape=heads, initializer="zeros", name="query_bias")
        self.key_kernel = self.add_weight(shape=(key_shape[-1], *heads), name="key_kernel")
        self.key_bias = self.add_weight(shape=heads, initializer="zeros", name="key_bias")
        self.value_kernel = self.add_weight(shape=(value_shape[-1], *heads), name="value_kernel")
        self.value_bias = self.add_weight(shape=heads, initializer="zeros", name="value_bias")
        self.output_kernel = self.add_weight(shape=(*heads, query_shape[-1]), name="output_kernel")
        self.output_bias = self.add_weight(shape=query_shape[-1:], initializer="zeros", name="output_bias")

    def compute_mask(self, inputs, previous_mask=None):
        return None

    def call(self, query, value, key=None, mask=None, return_scores=False):
        key = value if key is None else key
        width = self.num_heads * self.key_dim

        def to_heads(x, kernel, bias):
            projected = ops.matmul(x, ops.reshape(kernel, (-1, width))) + ops.reshape(bias, (width,))
            return steps.split_heads(projected, self.num_heads)

        query_heads = to_heads(query, self.query_kernel, self.query_bias)
        key_heads = to_heads(key, self.key_kernel, self.key_bias)
        value_heads = to_heads(value, self.value_kernel, self.value_bias)
        found, weights = layers.scaled_dot_product_attention(query_heads, key_heads, value_heads, mask)
        merged = steps.merge_heads(found)
        output = ops.matmul(merged, ops.reshape(self.output_kernel, (width, -1)))
        output = output + self.output_bias
        return (output, weights) if return_scores else output
"""
MULTI = "MultiHeadAttention"
HEADS_IN = "layers.scaled_dot_product_attention(query_heads, key_heads, value_heads"
ATTEND = f"{HEADS_IN}, mask)"
MERGE, BIAS = "steps.merge_heads(found)", "        output = output + self.output_bias\n"
RETURN = "return (output, weights) if return_scores else output"
mutants(
    MULTI,
    LAYER,
    "*",
    [
        ("imports the answer", LAYER, "from llmcourse.layers import MultiHeadAttention"),
        ("takes Keras' layer", LAYER, "MultiHeadAttention = keras.layers.MultiHeadAttention"),
        (
            "inherits from Keras' layer",
            LAYER,
            "class MultiHeadAttention(keras.layers.MultiHeadAttention):\n    pass\n",
        ),
        (
            "a layer that wraps Keras' layer",
            LAYER,
            """
class MultiHeadAttention(keras.layers.Layer):
    def __init__(self, num_heads, key_dim, **kwargs):
        super().__init__(**kwargs)
        self.inner = keras.layers.MultiHeadAttention(num_heads, key_dim)

    def call(self, query, value, key=None, mask=None, return_scores=False):
        return self.inner(query, value, key, attention_mask=mask, return_attention_scores=return_scores)
""",
        ),
    ],
)
mutants(
    MULTI,
    LAYER,
    "the_output_has_the_shape_of_the_query",
    [
        ("forgets the output projection", "ops.matmul(merged, ops.reshape(self.output_kernel, (width, -1)))", "merged"),
        ("always returns the pair", RETURN, "return output, weights"),
        ("forgets to return", RETURN, "output"),
        ("does not merge", MERGE, "found"),
        (
            "query and value exchanged",
            "        key = value if key is None",
            "        query, value = value, query\n        key = value if key is None",
        ),
    ],
)
mutants(
    MULTI,
    LAYER,
    "the_numbers_are_those_of_keras",
    [
        ("forgets the biases of the projections", " + ops.reshape(bias, (width,))", ""),
        ("forgets the bias of the output", BIAS, ""),
        (
            "scales a second time",
            "layers.scaled_dot_product_attention(query_heads,",
            "layers.scaled_dot_product_attention(query_heads / self.key_dim**0.5,",
        ),
        ("merges without the transpose", MERGE, "ops.reshape(found, (*ops.shape(query)[:2], width))"),
        (
            "splits without the transpose",
            "steps.split_heads(projected, self.num_heads)",
            "ops.reshape(projected, (ops.shape(x)[0], self.num_heads, -1, self.key_dim))",
        ),
        ("projects keys with the query's kernel", "to_heads(key, self.key_kernel,", "to_heads(key, self.query_kernel,"),
        (
            "projects values with the key's kernel",
            "to_heads(value, self.value_kernel,",
            "to_heads(value, self.key_kernel,",
        ),
        ("the key's bias for the values", "self.value_kernel, self.value_bias)", "self.value_kernel, self.key_bias)"),
        (
            "does not project the values",
            "to_heads(value, self.value_kernel, self.value_bias)",
            "to_heads(value, ops.ones_like(self.value_kernel), self.value_bias)",
        ),
        (
            "adds the query as a residual",
            "output = output + self.output_bias",
            "output = output + self.output_bias + query",
        ),
        (
            "averages the heads",
            MERGE,
            "steps.merge_heads(ops.repeat(ops.mean(found, axis=1, keepdims=True), self.num_heads, axis=1))",
        ),
        (
            "heads and width of a head exchanged in the output",
            MERGE,
            "ops.reshape(ops.transpose(found, (0, 2, 3, 1)), (*ops.shape(query)[:2], width))",
        ),
        (
            "keys and values exchanged in the attention",
            ATTEND,
            "layers.scaled_dot_product_attention(query_heads, value_heads, key_heads, mask)",
        ),
        ("an activation between", MERGE, "ops.relu(steps.merge_heads(found))"),
    ],
)
mutants(
    MULTI,
    LAYER,
    "a_key_of_its_own_is_used_for_the_scores",
    [
        ("ignores the key", "key = value if key is None else key", "key = value"),
        ("the query as the key", "key = value if key is None else key", "key = value if key is None else value"),
        (
            "takes the arguments for query, key, value",
            "        key = value if key is None",
            "        if key is not None:\n            value, key = key, value\n        key = value if key is None",
        ),
        ("averages the key", "to_heads(value, self.value_kernel,", "to_heads(key, self.value_kernel,"),
    ],
)
mutants(
    MULTI,
    LAYER,
    "masks_hold_with_and_without_scores",
    [
        ("forgets the mask", ATTEND, f"{HEADS_IN})"),
        (
            "loses the mask when scores are returned, as Keras once did",
            ATTEND,
            f"{HEADS_IN}, None if return_scores else mask)",
        ),
        (
            "loses the mask when no scores are returned",
            ATTEND,
            f"{HEADS_IN}, mask if return_scores else None)",
        ),
        (
            "an inverted mask",
            ATTEND,
            f"{HEADS_IN}, None if mask is None else ops.logical_not(mask))",
        ),
        (
            "adds an axis to the mask",
            ATTEND,
            f"{HEADS_IN}, None if mask is None else mask[:, None])",
        ),
        (
            "hides the values instead of the scores",
            ATTEND,
            f"{HEADS_IN} if mask is None or mask.shape[2] > 1 "
            "else ops.where(ops.swapaxes(mask, 2, 3), value_heads, 0.0))",
        ),
    ],
)
mutants(
    MULTI,
    LAYER,
    "the_weights_of_each_head_come_on_request",
    [
        ("never returns the weights", RETURN, "return output"),
        ("returns the pair in the other order", RETURN, "return (weights, output) if return_scores else output"),
        ("the weights of the first head only", RETURN, "return (output, weights[:, 0]) if return_scores else output"),
        (
            "the mean of the weights over the heads",
            RETURN,
            "return (output, ops.mean(weights, axis=1)) if return_scores else output",
        ),
        (
            "scores before the softmax",
            RETURN,
            "return (output, ops.matmul(query_heads, ops.swapaxes(key_heads, -1, -2))) if return_scores else output",
        ),
        ("what the heads found, not their weights", RETURN, "return (output, found) if return_scores else output"),
        (
            "weights with the queries last",
            RETURN,
            "return (output, ops.swapaxes(weights, -1, -2)) if return_scores else output",
        ),
    ],
)
mutants(
    MULTI,
    LAYER,
    "heads_work_alone",
    [
        (
            "one softmax for all heads together",
            ATTEND,
            "layers.scaled_dot_product_attention(\n"
            "            *(steps.merge_heads(part)[:, None] for part in (query_heads, key_heads, value_heads)), mask\n"
            "        )\n        found = steps.split_heads(found[:, 0], self.num_heads)",
        ),
        (
            "attends over the heads instead of the positions",
            ATTEND,
            "layers.scaled_dot_product_attention(*[ops.swapaxes(query_heads, 1, 2)] * 3)\n"
            "        found = ops.swapaxes(found, 1, 2)",
        ),
    ],
)
mutants(
    MULTI,
    LAYER,
    "it_has_the_parameters_of_keras_and_no_more",
    [
        (
            "makes a new Dense layer in call",
            "output = ops.matmul(merged, ops.reshape(self.output_kernel, (width, -1)))",
            "self.dense = keras.layers.Dense(query.shape[-1])\n        output = self.dense(merged)",
        ),
        (
            "no bias for the keys, which softmax ignores",
            '        self.key_bias = self.add_weight(shape=heads, initializer="zeros", name="key_bias")\n',
            "        self.key_bias = ops.zeros(heads)\n",
        ),
    ],
)

# --- exercise 6: positional_encoding ----------------------------------------------------------------------------------

POSITIONS = """
def positional_encoding(length, d_model):
    if d_model % 2 != 0:
        raise ValueError(f"d_model must be even. Received: {d_model}.")
    positions = ops.arange(length, dtype="float32")
    speeds = 10000 ** (-ops.arange(0, d_model, 2, dtype="float32") / d_model)
    angles = positions[:, None] * speeds[None, :]
    pairs = ops.stack([ops.sin(angles), ops.cos(angles)], axis=-1)
    return ops.reshape(pairs, (length, d_model))
"""
PLACE = "positional_encoding"
PAIRS, EVEN = "ops.stack([ops.sin(angles), ops.cos(angles)], axis=-1)", 'ops.arange(0, d_model, 2, dtype="float32")'
mutants(
    PLACE,
    POSITIONS,
    "*",
    [
        ("imports the answer", POSITIONS, "from llmcourse.layers import positional_encoding"),
        (
            "calls the finished layer",
            "    return ops.reshape(pairs, (length, d_model))",
            "    return layers.PositionalEncoding()(ops.zeros((1, length, d_model)))[0]",
        ),
    ],
)
mutants(
    PLACE,
    POSITIONS,
    "one_row_for_each_position",
    [
        (
            "one column for each position",
            "ops.reshape(pairs, (length, d_model))",
            "ops.transpose(ops.reshape(pairs, (length, d_model)))",
        ),
        ("does not reshape", "ops.reshape(pairs, (length, d_model))", "pairs"),
        ("sines only, half the width", "ops.reshape(pairs, (length, d_model))", "ops.sin(angles)"),
        ("an axis for the batch", "ops.reshape(pairs, (length, d_model))", "ops.reshape(pairs, (1, length, d_model))"),
        ("one position too many", "    positions =", "    length = length + 1\n    positions ="),
        (
            "drops the axis of a single position",
            "ops.reshape(pairs, (length, d_model))",
            "ops.squeeze(ops.reshape(pairs, (length, d_model)))",
        ),
    ],
)
mutants(
    PLACE,
    POSITIONS,
    "the_first_position_is_zeros_and_ones_in_turn",
    [
        ("cosines first", "[ops.sin(angles), ops.cos(angles)]", "[ops.cos(angles), ops.sin(angles)]"),
        ("all sines first and then all cosines", PAIRS, "ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1)"),
        ("stacks on the wrong axis", "ops.cos(angles)], axis=-1)", "ops.cos(angles)], axis=1)"),
        ("sines everywhere", "ops.cos(angles)]", "ops.sin(angles)]"),
        ("positions from 1", 'ops.arange(length, dtype="float32")', 'ops.arange(1, length + 1, dtype="float32")'),
        ("the angles themselves", PAIRS, "ops.stack([angles, angles], axis=-1)"),
        ("shifts the waves up", PAIRS, f"0.5 + 0.5 * {PAIRS}"),
    ],
)
mutants(
    PLACE,
    POSITIONS,
    "every_value_follows_the_formula",
    [
        ("1000 instead of 10000", "10000 **", "1000 **"),
        ("a plus in the exponent", "(-ops.arange", "(ops.arange"),
        ("i instead of 2i in the exponent", f"(-{EVEN} / d_model)", f"(-{EVEN} / (2 * d_model))"),
        ("divides by D/2", f"(-{EVEN} / d_model)", f"(-{EVEN} / (d_model / 2))"),
        (
            "divides by D - 2, so that the last pair reaches 10000",
            f"(-{EVEN} / d_model)",
            f"(-{EVEN} / max(1, d_model - 2))",
        ),
        ("turns by whole revolutions", "positions[:, None] * speeds", "2 * math.pi * positions[:, None] * speeds"),
        ("in degrees", "positions[:, None] * speeds", "math.pi / 180 * positions[:, None] * speeds"),
        (
            "positions between 0 and 1",
            'ops.arange(length, dtype="float32")',
            'ops.arange(length, dtype="float32") / length',
        ),
        ("the same speed for all pairs", "speeds[None, :]", "(0 * speeds + 1)[None, :]"),
        ("speeds that fall evenly", f"10000 ** (-{EVEN} / d_model)", f"1 - {EVEN} / d_model"),
    ],
)
mutants(
    PLACE,
    POSITIONS,
    "a_shift_turns_each_pair_by_one_angle",
    [
        (
            "a speed for each column instead of each pair",
            f"    pairs = {PAIRS}",
            '    slower = 10000 ** (-(ops.arange(0, d_model, 2, dtype="float32") + 1) / d_model)\n'
            "    pairs = ops.stack([ops.sin(angles), ops.cos(positions[:, None] * slower[None, :])], axis=-1)",
        ),
        ("random numbers", f"pairs = {PAIRS}", "pairs = keras.random.normal((length, d_model // 2, 2))"),
        ("sine and minus cosine", "ops.cos(angles)]", "1 - ops.cos(angles)]"),
    ],
)
mutants(
    PLACE,
    POSITIONS,
    "an_odd_width_is_an_error",
    [
        (
            "does not ask",
            '    if d_model % 2 != 0:\n        raise ValueError(f"d_model must be even. Received: {d_model}.")\n',
            "",
        ),
        ("an assertion instead of a ValueError", "raise ValueError(f", "raise AssertionError(f"),
        ("asks about the length", "d_model % 2", "(d_model - 1) * length * 2 % 2"),
        ("makes it even", 'raise ValueError(f"d_model must be even. Received: {d_model}.")', "d_model = d_model + 1"),
        ("refuses the even ones", "d_model % 2 != 0", "d_model % 2 == 0"),
    ],
)
