"""Exercise `MultiHeadAttention`: what a right answer must do, and typical wrong ones."""

import numpy as np

from llmcourse.checking import (
    accepted,
    criterion,
    expect,
    expect_close,
    expect_equal,
    expect_gradients,
    expect_learning,
    expect_shape,
    mutants,
)

from ..oracles import TOLERANCE, attend, distinct_sizes, draw, draw_mask, expect_pair

# Where an earlier exercise may be at fault, and not this one.
EARLIER = (
    "If you use functions of your own from above: try layers.scaled_dot_product_attention, steps.split_heads and "
    "steps.merge_heads in their place. If it is right then, mend your earlier one."
)


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
    hints=[
        EARLIER,
        "How wide is what the heads have found together, and how wide must the output be?",
        "Project, split, attend, merge, project: the last step leads from H*K back to D.",
        "The output kernel (H, K, D) is the matrix (H*K, D): `ops.reshape(self.output_kernel, (H * K, -1))`.",
    ],
)
def the_output_has_the_shape_of_the_query(student, rng):
    """For query (B, T, D) and value (B, S, D) the layer returns one tensor (B, T, D)."""
    sizes, query, value = draw_layer_inputs(rng)
    for heads, width in ((sizes["H"], sizes["K"]), (1, sizes["K"]), (sizes["H"], 1)):
        layer = student.MultiHeadAttention(num_heads=heads, key_dim=width)
        expect_shape(layer(query, value), query.shape, what="layer(query, value)")
    received = student.MultiHeadAttention(2, 3)(query[:1, :1], value[:1, :1])
    expect_shape(received, (1, 1, sizes["D"]), what="layer(query, value) for one query and one key")


@criterion(
    points=3,
    hints=[
        EARLIER,
        "Print the shape after each of the five steps. Is each of the eight variables used, each in its place?",
        "Project the query with its own kernel and bias, and so on; split; attend; merge; project and add the bias.",
        "`ops.matmul(x, ops.reshape(kernel, (-1, H * K))) + ops.reshape(bias, (H * K,))`, then split_heads, for each.",
    ],
)
def the_numbers_are_those_of_keras(student, rng):
    """With Keras' weights copied, the output is Keras' output to 1e-4, for several sizes, one head and D = H * K too."""
    for heads, width in ((None, None), (None, None), (1, 5), (2, 3), (6, 1)):
        sizes, query, value = draw_layer_inputs(rng)
        if heads is not None:
            sizes.update(H=heads, K=width, D=6)
            query, value = (draw(rng, *part.shape[:2], 6) for part in (query, value))
        layer, variables = make_layer(student, rng, sizes, query, value)
        expected, _ = multi_head(variables, query, value)
        expect_close(layer(query, value), expected, what="layer(query, value)", tolerance=TOLERANCE)


@criterion(
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
    points=2,
    hints=[
        EARLIER,
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
        (draw_mask(rng, b, 1, t, s), value, "under a mask for each sentence"),
        (draw_mask(rng, b, 1, 1, s), value, "under a padding mask"),
        (draw_mask(rng, b, h, t, s), value, "under a full mask"),
        (causal, query, "under a causal mask"),
    ):
        expected = multi_head(variables, query, other, mask=mask)
        expect_close(layer(query, other, mask=mask), expected[0], what=f"the output {words}", tolerance=TOLERANCE)
        expect_scores(layer(query, other, mask=mask, return_scores=True), expected, words)


@criterion(
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
    hints=[
        EARLIER,
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


@criterion(
    hints=[
        EARLIER,
        "Does a gradient come back to the inputs, and to all eight variables?",
        "A step in NumPy, or behind ops.stop_gradient, gives right numbers, and nothing before it learns.",
    ],
)
def everything_can_learn(student, rng):
    """Gradients flow to query, value and key, and to all eight variables, with and without a mask."""
    sizes = {"B": 1, "T": 2, "S": 3, "H": 2, "K": 2, "D": 3}
    query, value, key = draw(rng, 1, 2, 3), draw(rng, 1, 3, 3), draw(rng, 1, 3, 3)
    layer, variables = make_layer(student, rng, sizes, query, value)
    student.define(
        "def call_layer(query, value, key, layer, mask):\n    return layer(query, value, key=key, mask=mask)\n"
    )
    for mask in (None, np.array([[[[True, True, False], [True, False, True]]]])):
        expect_gradients(
            student,
            rng,
            "call_layer",
            {"query": query, "value": value, "key": key},
            lambda query, value, key, mask=mask: multi_head(variables, query, value, key, mask)[0],
            options={"layer": layer, "mask": mask},
        )
    expect_learning(student, layer, query, value, what="the layer")


@criterion(
    hints=[
        EARLIER,
        "While Keras compiles a model, the lengths T and S may be open. Does your call ask for them as numbers?",
        "Leave them to split_heads, which takes ops.shape(x); the widths are known from the variables.",
    ],
)
def lengths_may_be_open_and_change(student, rng):
    """In a model for any lengths the layer gives the same numbers, in training and in inference, call after call."""
    sizes, query, value = draw_layer_inputs(rng)
    student.define(OPEN)
    model = student.make_open_model(sizes["H"], sizes["K"], sizes["D"])
    variables = draw_variables(rng, sizes)
    model.set_weights(variables)
    for training in (False, True):
        for _ in range(2):
            b, t, s = distinct_sizes(rng, 3)
            query, value = draw(rng, b, t, sizes["D"]), draw(rng, b, s, sizes["D"])
            mask = draw_mask(rng, b, 1, 1, s)
            expected, _ = multi_head(variables, query, value, mask=mask)
            what = f"the output for T = {t} and S = {s} with training={training}"
            expect_close(model([query, value, mask], training=training), expected, what=what, tolerance=TOLERANCE)


OPEN = """
def make_open_model(heads, width, d_model):
    import keras

    query, value = keras.Input((None, d_model)), keras.Input((None, d_model))
    mask = keras.Input((1, 1, None), dtype="bool")
    layer = MultiHeadAttention(num_heads=heads, key_dim=width)
    return keras.Model([query, value, mask], layer(query, value, mask=mask))
"""


# --- typical wrong answers, each with the criterion that must catch it ------------------------------------------------

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
HEADS_IN = "layers.scaled_dot_product_attention(query_heads, key_heads, value_heads"
ATTEND = f"{HEADS_IN}, mask)"
MERGE, BIAS = "steps.merge_heads(found)", "        output = output + self.output_bias\n"
RETURN = "return (output, weights) if return_scores else output"
mutants(
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
mutants(
    LAYER,
    "everything_can_learn",
    [
        ("cuts the way back at the weights", ATTEND, f"{HEADS_IN}, mask)\n        found = ops.stop_gradient(found)"),
        (
            "cuts the way back to the key",
            "to_heads(key, self.key_kernel,",
            "to_heads(ops.stop_gradient(key), self.key_kernel,",
        ),
        (
            "projects by a constant",
            "to_heads(value, self.value_kernel,",
            "to_heads(value, ops.stop_gradient(self.value_kernel + 0),",
        ),
    ],
)
mutants(
    LAYER,
    "lengths_may_be_open_and_change",
    [
        (
            "asks for the length as a number",
            MERGE,
            "ops.reshape(ops.transpose(found, (0, 2, 1, 3)), (-1, query.shape[1], width))",
        ),
        (
            "a mask in inference only",
            "return_scores=False):",
            "return_scores=False, training=False):\n        mask = None if training else mask",
        ),
        (
            "remembers the first mask",
            "        key = value if",
            "        self.first = getattr(self, 'first', mask)\n        mask = self.first\n        key = value if",
        ),
    ],
)

# --- right answers written otherwise ----------------------------------------------------------------------------------

CALL = LAYER.index("    def call(")
accepted(
    "einsum for the projections, in one step with the split",
    LAYER[:CALL]
    + """
    def call(self, query, value, key=None, mask=None, return_scores=False):
        if key is None:
            key = value
        q = ops.einsum("btd,dhk->bhtk", query, self.query_kernel) + self.query_bias[:, None, :]
        k = ops.einsum("bsd,dhk->bhsk", key, self.key_kernel) + self.key_bias[:, None, :]
        v = ops.einsum("bsd,dhk->bhsk", value, self.value_kernel) + self.value_bias[:, None, :]
        found, weights = layers.scaled_dot_product_attention(q, k, v, mask)
        output = ops.einsum("bhtk,hkd->btd", found, self.output_kernel) + self.output_bias
        if return_scores:
            return output, weights
        return output
""",
)
accepted(
    "each head in a loop of its own, added up",
    LAYER[:CALL]
    + """
    def call(self, query, value, key=None, mask=None, return_scores=False):
        key = value if key is None else key
        output, all_weights = self.output_bias, []
        for h in range(self.num_heads):
            q = query @ self.query_kernel[:, h] + self.query_bias[h]
            k = key @ self.key_kernel[:, h] + self.key_bias[h]
            v = value @ self.value_kernel[:, h] + self.value_bias[h]
            mine = mask if mask is None or mask.shape[1] == 1 else mask[:, h : h + 1]
            found, weights = layers.scaled_dot_product_attention(q[:, None], k[:, None], v[:, None], mine)
            output = output + found[:, 0] @ self.output_kernel[h]
            all_weights.append(weights[:, 0])
        return (output, ops.stack(all_weights, axis=1)) if return_scores else output
""",
)
accepted(
    "tensordot and transposes, attention written out",
    LAYER[:CALL]
    + """
    def heads_of(self, x, kernel, bias):
        return ops.transpose(ops.tensordot(x, kernel, axes=1) + bias, (0, 2, 1, 3))

    def call(self, query, value, key=None, mask=None, return_scores=False):
        q = self.heads_of(query, self.query_kernel, self.query_bias)
        k = self.heads_of(value if key is None else key, self.key_kernel, self.key_bias)
        v = self.heads_of(value, self.value_kernel, self.value_bias)
        scores = ops.matmul(q / math.sqrt(self.key_dim), ops.swapaxes(k, -1, -2))
        weights = ops.softmax(scores if mask is None else ops.where(mask, scores, -1e9), axis=-1)
        if mask is not None:
            weights = ops.where(mask, weights, 0.0)
        merged = ops.transpose(ops.matmul(weights, v), (0, 2, 1, 3))
        output = ops.tensordot(merged, self.output_kernel, axes=2) + self.output_bias
        return (output, weights) if return_scores else output
""",
)
