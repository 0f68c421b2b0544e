"""Exercise `mlp_backward`: what a right answer must do, and typical wrong ones."""

import numpy as np

from llmcourse.checking import accepted, criterion, expect, expect_close, expect_shape, expect_unchanged, mutants

from ..oracles import backward, distinct_sizes, draw_network, draw_params, expect_dict, forward, largest_error, loss_of


def draw_two_layers(rng):
    samples, *sizes = distinct_sizes(rng, 4, low=3)
    return draw_network(rng, sizes, samples)


def call_backward(student, network):
    params, _, _, cache, delta, grads = network
    return expect_dict(student.mlp_backward(params, cache, delta), grads, "mlp_backward(...)")


@criterion(
    hints=[
        "Which names and shapes does params have? The result has the same ones.",
        "The gradient of W2 is made of a1 (N, U) and delta2 (N, C). Which product of the two has the shape (U, C)?",
        "Two lines for each layer: `grads[f'W{layer}'] = ...` and `grads[f'b{layer}'] = ...`. Return grads at the end.",
    ],
)
def every_parameter_gets_a_gradient_of_its_shape(student, rng):
    """The result is a dict with the names of params, and each gradient has the shape of its parameter."""
    network = draw_two_layers(rng)
    grads = call_backward(student, network)
    for name, value in network[0].items():
        expect_shape(grads[name], value.shape, what=f"the gradient of {name}")


@criterion(
    hints=[
        "Nothing comes between the logits and the loss: so what is delta of the last layer?",
        "delta_L is grad_logits itself. The gradient of W2 uses what went into layer 2: a1.",
        "`cache['a1'].T @ grad_logits`, and for the bias the sum over the samples, axis=0. The mean is already in it.",
    ],
)
def the_last_layer_learns_from_the_logits(student, rng):
    """The gradient of W2 is a1 transposed times delta2, that of b2 is the sum of delta2 over the samples."""
    network = draw_two_layers(rng)
    grads = call_backward(student, network)
    for name in ("W2", "b2"):
        expect_close(grads[name], network[5][name], what=f"the gradient of {name}")


@criterion(
    points=2,
    hints=[
        "How does delta come from layer 2 to layer 1? Which weights lie between z1 and z2, and which activation?",
        "delta_1 = (delta_2 W_2^T) times relu'(z_1), entry by entry. Check that each factor has the shape (N, U).",
        "`delta = relu_backward(delta @ params['W2'].T, cache['z1'])`, then the two gradients as for layer 2, with a0.",
    ],
)
def the_first_layer_learns_through_the_relu(student, rng):
    """The gradients of W1 and b1 are made of delta1 = (delta2 W2^T) * relu'(z1)."""
    network = draw_two_layers(rng)
    grads = call_backward(student, network)
    for name in ("W1", "b1"):
        expect_close(grads[name], network[5][name], what=f"the gradient of {name}")
    width, classes, samples = distinct_sizes(rng, 3, low=3)
    params = draw_params(rng, (width, width, classes))  # W1 is square
    _, cache = forward(params, rng.normal(size=(samples, width)))
    cache["z1"].flat[:2] = 0.0, 1e-4
    cache["z1"][-1] = 0.0  # the slope at exactly 0 counts as 0
    cache["a1"] = np.maximum(cache["z1"], 0)
    delta = rng.normal(size=(samples, classes))
    grads = student.mlp_backward(params, cache, delta)
    for name, value in backward(params, cache, delta).items():
        expect_close(grads[name], value, what=f"the gradient of {name} where some z are exactly 0")


@criterion(
    hints=[
        "How large may a gradient be, how many samples may there be, and may a layer have a single unit?",
        "Limit, round and drop nothing: each gradient is the plain product, with the shape of its parameter.",
    ],
)
def large_gradients_many_samples_and_single_units_are_no_exception(student, rng):
    """Large gradients come out as they are, with many samples, with square weights and with one unit in each layer."""
    width, samples = int(rng.integers(4, 8)), int(rng.integers(70, 90))
    for sizes, count in (((width, width, width, width), samples), ((3, 1, 1), 5), ((1, 1, 1), 1), ((3, 1, 1), 5)):
        params, cache, delta, _ = draw_deep(rng, sizes, count)
        delta = 1e4 * delta
        grads = backward(params, cache, delta)
        received = expect_dict(student.mlp_backward(params, cache, delta), grads, "mlp_backward(...)")
        for name, value in grads.items():
            what = f"the gradient of {name} for layers of {', '.join(map(str, sizes))} and N = {count}"
            expect_close(received[name], value, what=what)


@criterion(
    points=3,
    hints=[
        "Run your own gradient check: which of the arrays has the large error?",
        "If only W1 and b1 are wrong, look at how delta goes from layer 2 to layer 1. If all are, look at delta_L.",
        "If all errors are alike, a factor is wrong: the mean over N is already in grad_logits.",
    ],
)
def central_differences_agree(student, rng):
    """Every gradient agrees with the central difference of the loss; the largest relative error is below 1e-6."""
    network = draw_two_layers(rng)
    params, x, labels, *_ = network
    numeric, epsilon = {}, 1e-5
    for name, value in params.items():
        numeric[name] = np.zeros_like(value)
        for index in np.ndindex(value.shape):
            step = np.zeros_like(value)
            step[index] = epsilon
            up, down = (loss_of({**params, name: value + side * step}, x, labels) for side in (1, -1))
            numeric[name][index] = (up - down) / (2 * epsilon)
    grads = call_backward(student, network)
    for name, value in params.items():
        given = expect_shape(grads[name], value.shape, what=f"the gradient of {name}")
        error = largest_error({name: np.asarray(given, dtype=np.float64)}, {name: numeric[name]})
        expect(error < 1e-6, required=f"a largest relative error below 1e-6 for {name}", received=error)


@criterion(
    points=3,
    hints=[
        "How many layers does your code go through: two, or as many as params has?",
        "The number of layers is len(params) // 2. Loop from the last to the first and carry delta along.",
        "In `for layer in range(layers, 0, -1)`: first the two gradients; then, if layer > 1, the delta of layer - 1.",
    ],
)
def the_recursion_goes_on_through_more_layers(student, rng):
    """With one, three, four or eleven layers all gradients are right as well."""
    sizes = distinct_sizes(rng, 13, low=3, high=17)
    for count in (3, 11, 4, 1):
        params, cache, delta, grads = draw_deep(rng, sizes[: count + 1], samples=sizes[-1])
        received = expect_dict(student.mlp_backward(params, cache, delta), grads, f"mlp_backward with {count} layers")
        for name, value in grads.items():
            expect_close(received[name], value, what=f"the gradient of {name} in a network of {count} layers")


def draw_deep(rng, sizes, samples):
    """Draw a network of any depth, its cache, a delta for its logits and the gradients."""
    params = draw_params(rng, sizes)
    logits, cache = forward(params, rng.normal(size=(samples, sizes[0])))
    delta = rng.normal(size=logits.shape)
    return params, cache, delta, backward(params, cache, delta)


@criterion(
    hints=[
        "Do your shapes still fit with N = 1? Do you write into the cache, into params or into grad_logits?",
        "If delta is grad_logits, `delta *= ...` changes grad_logits. `delta = delta * ...` makes a new array.",
    ],
)
def one_sample_works_and_no_input_changes(student, rng):
    """A single sample gives the right gradients, and params, cache and grad_logits stay as they are."""
    for samples in (1, int(rng.integers(2, 6))):
        params, cache, delta, grads = draw_deep(rng, distinct_sizes(rng, 3), samples)
        received = expect_dict(student.mlp_backward(params, cache, delta), grads, "mlp_backward(...)")
        expect_unchanged(student)
        for name, value in grads.items():
            words = "one sample" if samples == 1 else f"{samples} samples"
            expect_close(received[name], value, what=f"the gradient of {name} for {words}")


# --- typical wrong answers, each with the criterion that must catch it ------------------------------------------------

BACKPROP = """
def mlp_backward(params, cache, grad_logits):
    layers = len(params) // 2
    grads = {}
    delta = grad_logits
    for layer in range(layers, 0, -1):
        grads[f"W{layer}"] = cache[f"a{layer - 1}"].T @ delta
        grads[f"b{layer}"] = delta.sum(axis=0)
        if layer > 1:
            delta = (delta @ params[f"W{layer}"].T) * (cache[f"z{layer - 1}"] > 0)
    return grads
"""
SLOPE, START = '(cache[f"z{layer - 1}"] > 0)', "delta = grad_logits"
WEIGHTS, BIAS = 'cache[f"a{layer - 1}"].T @ delta', "delta.sum(axis=0)"
mutants(BACKPROP, "*", [("imports the answer", BACKPROP, "from llmcourse.steps.backprop import mlp_backward")])
mutants(
    BACKPROP,
    "every_parameter_gets_a_gradient_of_its_shape",
    [
        ("a bias gradient of shape (1, U)", BIAS, "delta.sum(axis=0, keepdims=True)"),
        ("transposed weight gradients", WEIGHTS, 'delta.T @ cache[f"a{layer - 1}"]'),
        ("forgets the biases", f'        grads[f"b{{layer}}"] = {BIAS}\n', ""),
        ("stops after the last layer", "range(layers, 0, -1)", "range(layers, 1, -1)"),
        ("what comes out of the layer, not what went in", 'cache[f"a{layer - 1}"]', 'cache[f"z{layer}"]'),
    ],
)
mutants(
    BACKPROP,
    "the_last_layer_learns_from_the_logits",
    [
        ("a ReLU derivative after the last layer", START, 'delta = grad_logits * (cache[f"z{layers}"] > 0)'),
        ("divides by N a second time", START, "delta = grad_logits / len(grad_logits)"),
        ("the mean over the samples for the bias", BIAS, "delta.mean(axis=0)"),
        ("z instead of a", WEIGHTS, 'cache[f"z{layer - 1}" if layer > 1 else "a0"].T @ delta'),
    ],
)
mutants(
    BACKPROP,
    "the_first_layer_learns_through_the_relu",
    [
        ("forgets the derivative of ReLU", f" * {SLOPE}", ""),
        ("the weights of the wrong layer, as in some texts", 'params[f"W{layer}"].T', 'params[f"W{layer - 1}"].T'),
        ("the slope of the wrong layer, as in some texts", SLOPE, '(cache[f"z{layer}"] > 0)'),
        ("multiplies by relu(z) instead of its slope", SLOPE, 'cache[f"a{layer - 1}"]'),
        ("passes at exactly 0", SLOPE, '(cache[f"z{layer - 1}"] >= 0)'),
        ("stops where z is small", SLOPE, '(cache[f"z{layer - 1}"] > 0.001)'),
        ("a leaky slope", SLOPE, 'np.where(cache[f"z{layer - 1}"] > 0, 1, 0.01)'),
        ("forgets the weights between", 'delta @ params[f"W{layer}"].T', "delta.sum(axis=1, keepdims=True)"),
    ],
)
mutants(
    BACKPROP,
    "central_differences_agree",
    [("the derivative of the sigmoid", SLOPE, 'cache[f"a{layer - 1}"] * (1 - cache[f"a{layer - 1}"])')],
)
mutants(
    BACKPROP,
    "the_recursion_goes_on_through_more_layers",
    [
        ("two layers, whatever there is", "layers = len(params) // 2", "layers = 2"),
        ("reads one digit of the names", "len(params) // 2", "max(int(name[1]) for name in params)"),
        ("one dict for all calls", "grad_logits):", "grad_logits, grads={}):", "    grads = {}\n", ""),
        ("starts from the logits again in each layer", "(delta @ params", "(grad_logits @ params"),
    ],
)
mutants(
    BACKPROP,
    "large_gradients_many_samples_and_single_units_are_no_exception",
    [
        (
            "keeps the params of the first call",
            "grad_logits):\n",
            "grad_logits, kept={}):\n    params = kept.setdefault((cache['a0'].shape, len(params)), params)\n",
        ),
        ("limits delta", START, "delta = np.clip(grad_logits, -10, 10)"),
        ("limits the gradients", WEIGHTS, f"np.clip({WEIGHTS}, -1000, 1000)"),
        ("drops axes of length 1", WEIGHTS, f"np.squeeze({WEIGHTS})"),
        ("the bias of a single unit as a number", BIAS, "np.squeeze(delta.sum(axis=0))"),
        ("the first 64 samples only", WEIGHTS, 'cache[f"a{layer - 1}"][:64].T @ delta[:64]'),
        (
            "does not transpose weights that are square",
            'params[f"W{layer}"].T)',
            'params[f"W{layer}"].reshape(len(params[f"b{layer}"]), -1))',
        ),
        ("half precision", WEIGHTS, f"({WEIGHTS}).astype(np.float16)"),
    ],
)
mutants(
    BACKPROP,
    "one_sample_works_and_no_input_changes",
    [
        (
            "takes the arrays out of the cache",
            WEIGHTS,
            'cache.pop(f"a{layer - 1}").T @ delta',
        ),
        ("writes into grad_logits", START, "delta = grad_logits\n    delta *= 1 + 1e-12"),
        (
            "stores the slopes in the cache",
            "            delta = ",
            '            cache[f"z{layer - 1}"] = np.heaviside(cache[f"z{layer - 1}"], 0)\n            delta = ',
        ),
        ("drops the axis of a single sample", START, "delta = np.squeeze(grad_logits)"),
    ],
)

# --- right answers written otherwise ----------------------------------------------------------------------------------

accepted(
    "einsum, and the deltas in a dict of their own",
    """
def mlp_backward(params, cache, grad_logits):
    last = max(int(name[1:]) for name in params)
    deltas = {last: grad_logits}
    for l in reversed(range(1, last)):
        deltas[l] = np.einsum("nc,uc->nu", deltas[l + 1], params[f"W{l + 1}"])
        deltas[l] = np.where(cache[f"z{l}"] > 0, deltas[l], 0.0)
    grads = {f"W{l}": np.einsum("nd,nu->du", cache[f"a{l - 1}"], delta) for l, delta in deltas.items()}
    grads.update({f"b{l}": np.einsum("nu->u", delta) for l, delta in deltas.items()})
    return grads
""",
)
accepted(
    "a function that calls itself for the layer before",
    """
def mlp_backward(params, cache, grad_logits):
    def layer(l, delta):
        if l == 0:
            return {}
        below = (delta @ params[f"W{l}"].T) * (cache[f"a{l - 1}"] > 0)
        mine = {f"W{l}": np.dot(delta.T, cache[f"a{l - 1}"]).T, f"b{l}": np.ones(len(delta)) @ delta}
        return {**layer(l - 1, below), **mine}

    return layer(len(params) // 2, grad_logits)
""",
)
accepted(
    "samples one by one, with the tested relu_backward",
    """
def mlp_backward(params, cache, grad_logits):
    grads = {name: np.zeros(value.shape) for name, value in params.items()}
    layers = len(params) // 2
    for n in range(grad_logits.shape[0]):
        delta = grad_logits[n]
        for l in range(layers, 0, -1):
            grads[f"W{l}"] += np.outer(cache[f"a{l - 1}"][n], delta)
            grads[f"b{l}"] += delta
            if l > 1:
                delta = steps.relu_backward(params[f"W{l}"] @ delta, cache[f"z{l - 1}"][n])
    return grads
""",
)
accepted(
    "all deltas in a list, then all gradients",
    """
def mlp_backward(params, cache, grad_logits):
    count = sum(name.startswith("W") for name in params)
    deltas = [grad_logits]
    for l in range(count, 1, -1):
        below = np.matmul(deltas[0], np.transpose(params[f"W{l}"]))
        below[cache[f"z{l - 1}"] <= 0] = 0
        deltas.insert(0, below)
    weights = {f"W{l}": np.tensordot(cache[f"a{l - 1}"], delta, axes=(0, 0)) for l, delta in enumerate(deltas, 1)}
    return {name: weights.get(name, deltas[int(name[1:]) - 1].sum(0)) for name in params}
""",
)
