"""Exercise `mlp_forward`: what a right answer must do, and typical wrong ones."""

from llmcourse.checking import accepted, criterion, expect_close, expect_unchanged, mutants

from ..oracles import distinct_sizes, draw_params, expect_dict, expect_pair, forward


def draw(rng, layers):
    samples, *sizes = distinct_sizes(rng, layers + 2, low=2, high=layers + 8)
    return draw_params(rng, sizes), rng.normal(size=(samples, sizes[0]))


def call_forward(student, params, x):
    return expect_pair(student.mlp_forward(params, x), "mlp_forward", "the logits and the cache")


@criterion(
    points=2,
    hints=[
        "What goes into the second layer: z1, or what ReLU makes of it?",
        "z1 = x W1 + b1, a1 = relu(z1), z2 = a1 W2 + b2: these are the logits.",
        "`z = steps.dense_forward(activation, params[f'W{layer}'], params[f'b{layer}'])`, then `activation = steps.relu(z)`.",
    ],
)
def two_layers_give_the_logits(student, rng):
    """With two layers, the first value is relu(x W1 + b1) W2 + b2, float (N, C)."""
    params, x = draw(rng, 2)
    expect_close(call_forward(student, params, x)[0], forward(params, x)[0], what="the logits of two layers")
    for scale in (1e4, 1e-3):
        expected = forward(params, scale * x)[0]
        expect_close(call_forward(student, params, scale * x)[0], expected, what=f"the logits for x times {scale:g}")
    width, classes = distinct_sizes(rng, 2)
    for _ in range(2):  # other params of the same shapes
        params, x = draw_params(rng, (width, width, classes)), rng.normal(size=(width, width))
        expected, what = forward(params, x)[0], f"the logits of {width} samples with W1 square"
        expect_close(call_forward(student, params, x)[0], expected, what=what)


@criterion(
    hints=[
        "Has your last layer a ReLU?",
        "Logits may be negative: after the last affine map comes nothing.",
        "`if layer < layers:` before the ReLU.",
    ],
)
def logits_may_be_negative(student, rng):
    """There is no ReLU after the last layer."""
    params, x = draw(rng, 2)
    params["b2"] = params["b2"] - 50.0
    expect_close(call_forward(student, params, x)[0], forward(params, x)[0], what="logits far below 0")


@criterion(
    points=2,
    hints=[
        "How many layers does your code go through: two, or as many as params has?",
        "Each layer has a W and a b, so there are len(params) // 2 of them, numbered from 1.",
        "`for layer in range(1, len(params) // 2 + 1):`",
    ],
)
def any_number_of_layers_works(student, rng):
    """With one, three, five and eleven layers the logits are right as well."""
    for layers in (1, 3, 5, 11):
        params, x = draw(rng, layers)
        words = "one layer" if layers == 1 else f"{layers} layers"
        expect_close(call_forward(student, params, x)[0], forward(params, x)[0], what=f"the logits of {words}")


@criterion(
    points=2,
    hints=[
        "Which names does the text above the exercise give for two layers? Is there an a2?",
        "a0 is x; z1 and a1 are before and after the first ReLU; the last entry is zL, without an a.",
        "`cache[f'z{layer}'] = z` in each layer, and `cache[f'a{layer}'] = activation` below the ReLU.",
    ],
)
def the_cache_keeps_what_the_way_back_needs(student, rng):
    """The second value is a dict: "a0" is x, then "z1", "a1" and so on, up to "zL", the logits."""
    for layers in (2, 4, 2, 1):  # nothing is left over from an earlier call
        params, x = draw(rng, layers)
        x = x[: 1 + int(rng.integers(2))]
        _, expected = forward(params, x)
        _, cache = call_forward(student, params, x)
        for name, value in expect_dict(cache, expected, "the cache").items():
            expect_close(value, expected[name], what=f'cache["{name}"] of {layers} layer{"s"[: layers - 1]}')


@criterion(
    hints=[
        "Do you write into x or into params?",
        "`z += bias` and `z[z < 0] = 0` change an array that somebody else may still need. Make new ones.",
    ],
)
def one_sample_works_and_the_inputs_stay(student, rng):
    """A single sample gives logits (1, C), and neither x nor params change."""
    params, x = draw(rng, 3)
    for samples, words in ((x, f"{len(x)} samples"), (x[:1], "one sample")):
        result = call_forward(student, params, samples)
        expect_unchanged(student)
        expect_close(result[0], forward(params, samples)[0], what=f"the logits of {words}")


# --- typical wrong answers, each with the criterion that must catch it ------------------------------------------------

FORWARD = """
def mlp_forward(params, x):
    layers = len(params) // 2
    activation = x
    cache = {"a0": x}
    for layer in range(1, layers + 1):
        z = activation @ params[f"W{layer}"] + params[f"b{layer}"]
        cache[f"z{layer}"] = z
        if layer < layers:
            activation = np.maximum(z, 0)
            cache[f"a{layer}"] = activation
    return z, cache
"""
mutants(FORWARD, "*", [("imports the answer", FORWARD, "from llmcourse.steps.mlp import mlp_forward")])
mutants(
    FORWARD,
    "two_layers_give_the_logits",
    [
        ("no ReLU at all", "np.maximum(z, 0)", "z"),
        ("the absolute value in place of ReLU", "np.maximum(z, 0)", "np.abs(z)"),
        ("forgets the biases", ' + params[f"b{layer}"]', ""),
        (
            "keeps the params of the first call",
            "(params, x):\n",
            "(params, x, kept={}):\n    params = kept.setdefault((x.shape, len(params)), params)\n",
        ),
        ("a ReLU that saturates", "np.maximum(z, 0)", "np.clip(z, 0, 100)"),
        ("brings x to a size of its own", "activation = x\n", "activation = x / max(1, abs(x).max() / 50)\n"),
        (
            "one bias for each sample, where that fits",
            ' + params[f"b{layer}"]',
            ' + (params[f"b{layer}"].reshape(-1, 1) if len(x) == len(params[f"b{layer}"]) else params[f"b{layer}"])',
        ),
        (
            "a softmax at the end",
            "    return z, cache",
            "    e = np.exp(z)\n    return e / e.sum(1, keepdims=True), cache",
        ),
        ("returns the cache first", "return z, cache", "return cache, z"),
        ("returns the logits only", "return z, cache", "return z"),
    ],
)
mutants(
    FORWARD,
    "logits_may_be_negative",
    [("a ReLU after the last layer too", "return z, cache", "return np.maximum(z, 0), cache")],
)
mutants(
    FORWARD,
    "any_number_of_layers_works",
    [
        ("two layers, whatever there is", "layers = len(params) // 2", "layers = 2"),
        (
            "no ReLU in the layers between",
            "layer < layers:",
            "layer < 2:",
            "np.maximum(z, 0)",
            "np.maximum(z, 0) if layer == 1 else z",
        ),
        ("as many layers as arrays", "len(params) // 2", "len(params)"),
        ("reads one digit of the names", "len(params) // 2", "max(int(name[1]) for name in params)"),
    ],
)
mutants(
    FORWARD,
    "the_cache_keeps_what_the_way_back_needs",
    [
        ("forgets the samples", '{"a0": x}', "{}"),
        (
            "z after the ReLU",
            '        cache[f"z{layer}"] = z\n',
            '        cache[f"z{layer}"] = np.maximum(z, 0) if layer < layers else z\n',
        ),
        ("an a for the last layer too", "    return z", '    cache[f"a{layers}"] = z\n    return z'),
        ("a is z: before the ReLU", 'cache[f"a{layer}"] = activation', 'cache[f"a{layer}"] = z'),
        ("an a where there is one layer", "layer < layers:", "layer < layers or layers == 1:"),
        (
            "one cache for all calls",
            "(params, x):",
            "(params, x, cache={}):",
            'cache = {"a0": x}',
            'cache["a0"] = x',
        ),
        ("drops the axis of a single sample in a0", '{"a0": x}', '{"a0": np.squeeze(x)}'),
        ("keeps one array and changes it", "np.maximum(z, 0)", "np.maximum(z, 0, out=z)"),
    ],
)
mutants(
    FORWARD,
    "one_sample_works_and_the_inputs_stay",
    [
        ("drops the axis of a single sample", "return z, cache", "return np.squeeze(z), cache"),
        (
            "writes into x where there are several",
            "    activation = x\n",
            "    activation = x\n    x += 1e-9 * (len(x) > 1)\n",
        ),
        ("writes into x", "    activation = x\n", "    activation = x\n    x -= 1e-9\n"),
        ("adds the bias into the params", "        z =", '        params[f"b{layer}"] += 0.0001\n        z ='),
    ],
)

# --- right answers written otherwise ----------------------------------------------------------------------------------

accepted(
    "with the tested layers, from a list of pairs",
    """
def mlp_forward(params, x):
    pairs = [(params[f"W{l}"], params[f"b{l}"]) for l in range(1, len(params) // 2 + 1)]
    cache, out = {"a0": x}, x
    for l, (weights, bias) in enumerate(pairs, start=1):
        out = steps.dense_forward(out, weights, bias)
        cache[f"z{l}"] = out
        if l != len(pairs):
            out = steps.relu(out)
            cache[f"a{l}"] = out
    return out, cache
""",
)
accepted(
    "the last layer after the loop",
    """
def mlp_forward(params, x):
    cache, last = {"a0": x.copy()}, len(params) // 2
    for l in range(1, last):
        cache["z%d" % l] = np.dot(cache["a%d" % (l - 1)], params["W%d" % l]) + params["b%d" % l]
        cache["a%d" % l] = np.clip(cache["z%d" % l], 0, None)
    cache["z%d" % last] = np.dot(cache["a%d" % (last - 1)], params["W%d" % last]) + params["b%d" % last]
    return cache["z%d" % last], cache
""",
)
accepted(
    "while there is another layer",
    """
def mlp_forward(params, x):
    cache = dict(a0=x)
    l = 1
    while f"W{l}" in params:
        z = np.einsum("nd,du->nu", cache[f"a{l - 1}"], params[f"W{l}"])
        z = z + params[f"b{l}"]
        cache[f"z{l}"] = z
        if f"W{l + 1}" in params:
            cache[f"a{l}"] = z * (z > 0)
        l += 1
    return z, cache
""",
)
accepted(
    "a function that calls itself for the next layer",
    """
def mlp_forward(params, x):
    def layer(l, a):
        z = np.matmul(a, params[f"W{l}"])
        z += params[f"b{l}"]
        if f"W{l + 1}" not in params:
            return z, {f"z{l}": z}
        out = np.where(z > 0, z, 0.0)
        logits, rest = layer(l + 1, out)
        return logits, {f"z{l}": z, f"a{l}": out, **rest}

    logits, rest = layer(1, x)
    return [logits, {"a0": x, **rest}]
""",
)
