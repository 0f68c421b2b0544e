"""Typical wrong answers of the lesson `mlp`; each must fail the criterion that it names.

Most are a right answer with one piece changed, as people do it.
"""

from llmcourse.checking import mutant, mutants

# --- exercise 1: dense_forward ----------------------------------------------------------------------------------------

DENSE = """
def dense_forward(x, weights, bias):
    return x @ weights + bias
"""
PIECE = "x @ weights + bias"
mutants("dense_forward", DENSE, "*", [("imports the answer", PIECE, "steps.dense_forward(x, weights, bias)")])
mutants(
    "dense_forward",
    DENSE,
    "one_row_for_each_sample_and_one_column_for_each_neuron",
    [
        ("transposes the weights", "weights +", "weights.T +"),
        ("one sample in each column", PIECE, "weights.T @ x.T + bias[:, None]"),
        ("answers for the first sample only", "x @", "x[0] @"),
        ("multiplies entry by entry", "@", "*"),
    ],
)
mutants(
    "dense_forward",
    DENSE,
    "each_answer_is_the_weighted_sum_plus_the_bias",
    [
        ("forgets the bias", " + bias", ""),
        ("subtracts the bias, as a threshold", "+ bias", "- bias"),
        ("one bias for each sample, where that fits", "+ bias", "+ (bias[:, None] if len(x) == len(bias) else bias)"),
        ("the first bias for all neurons", "+ bias", "+ bias[0]"),
        ("the mean over the inputs instead of the sum", "+ bias", "/ x.shape[1] + bias"),
        ("applies ReLU already", PIECE, "np.maximum(x @ weights + bias, 0)"),
        ("writes into the weights", "    return", "    weights *= 1.5\n    return"),
    ],
)
mutants(
    "dense_forward",
    DENSE,
    "a_single_sample_keeps_its_row",
    [("drops the axis of a single sample", PIECE, "np.squeeze(x @ weights + bias)")],
)

# --- exercise 2: relu, relu_backward ----------------------------------------------------------------------------------

RELU = """
def relu(z):
    return np.maximum(z, 0)


def relu_backward(upstream, z):
    return upstream * (z > 0)
"""
FORWARD, BACKWARD = "np.maximum(z, 0)", "upstream * (z > 0)"
mutants("relu", RELU, "*", [("imports the answer", RELU, "from llmcourse.steps.mlp import relu, relu_backward")])
mutants(
    "relu",
    RELU,
    "negative_entries_become_zero",
    [
        ("the step function: 1 instead of the value", FORWARD, "(z > 0).astype(z.dtype)"),
        ("the absolute value", FORWARD, "np.abs(z)"),
        ("np.max with an axis instead of np.maximum", FORWARD, "np.max(z, 0)"),
        ("a leaky ReLU", FORWARD, "np.where(z > 0, z, 0.01 * z)"),
        ("clips at 1 as well", FORWARD, "np.clip(z, 0, 1)"),
        ("writes into z", "    return np.maximum(z, 0)", "    z[z < 0] = 0\n    return z"),
    ],
)
mutants(
    "relu",
    RELU,
    "arrays_of_any_shape_are_welcome",
    [("counts on rows and columns", FORWARD, "np.array([[max(entry, 0) for entry in row] for row in z])")],
)
mutants(
    "relu",
    RELU,
    "the_gradient_passes_where_z_is_positive",
    [
        ("returns the slope and forgets upstream", BACKWARD, "(z > 0).astype(float)"),
        ("asks for the sign of upstream", BACKWARD, "upstream * (upstream > 0)"),
        ("lets only positive gradients pass", BACKWARD, "np.maximum(upstream, 0) * (z > 0)"),
        ("multiplies by relu(z) instead of its slope", BACKWARD, "upstream * np.maximum(z, 0)"),
        ("lets everything pass", BACKWARD, "upstream.copy()"),
        ("writes into upstream", f"    return {BACKWARD}", "    upstream[z <= 0] = 0\n    return upstream"),
    ],
)
mutants(
    "relu",
    RELU,
    "the_gradient_stops_at_exactly_zero",
    [
        ("passes at exactly 0", "z > 0", "z >= 0"),
        ("takes the slope 1/2 at exactly 0", BACKWARD, "upstream * np.heaviside(z, 0.5)"),
    ],
)

# --- exercise 3: mse --------------------------------------------------------------------------------------------------

MSE = """
def mse(prediction, target):
    difference = prediction - target
    loss = np.mean(difference**2)
    grad = 2 * difference / difference.size
    return loss, grad
"""
LOSS, GRAD = "np.mean(difference**2)", "2 * difference / difference.size"
mutants("mse", MSE, "*", [("imports the answer", MSE, "from llmcourse.steps.mlp import mse")])
mutants(
    "mse",
    MSE,
    "the_loss_is_the_mean_of_the_squares",
    [
        ("the sum instead of the mean", "np.mean", "np.sum"),
        ("half of it, as some books do", LOSS, "np.mean(difference**2) / 2"),
        ("the root of it", LOSS, "np.sqrt(np.mean(difference**2))"),
        ("the mean absolute error", LOSS, "np.mean(np.abs(difference))"),
        ("the square of the mean", LOSS, "np.mean(difference) ** 2"),
        ("one mean for each column", LOSS, "np.mean(difference**2, axis=0)"),
        ("returns the pair in the other order", "return loss, grad", "return grad, loss"),
    ],
)
mutants(
    "mse",
    MSE,
    "the_gradient_is_two_differences_over_the_count",
    [
        ("forgets the mean in the gradient", " / difference.size", ""),
        ("forgets the 2", "2 * difference /", "difference /"),
        ("divides by the rows only", "difference.size", "len(difference)"),
        ("the wrong sign", GRAD, "2 * (target - prediction) / difference.size"),
        ("the mean of the gradient, one number", GRAD, "np.mean(2 * difference)"),
        ("returns the loss only", "return loss, grad", "return loss"),
    ],
)
mutants(
    "mse",
    MSE,
    "any_shape_works_and_the_inputs_stay",
    [
        (
            "writes into the prediction",
            "difference = prediction - target",
            "difference = prediction\n    difference -= target",
        ),
        ("counts on two axes", "difference.size", "(prediction.shape[0] * prediction.shape[1])"),
    ],
)

# --- exercise 4: softmax_cross_entropy --------------------------------------------------------------------------------

CROSS_ENTROPY = """
def softmax_cross_entropy(logits, labels):
    rows = np.arange(len(labels))
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_probs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    loss = -log_probs[rows, labels].mean()
    grad = np.exp(log_probs)
    grad[rows, labels] -= 1
    return loss, grad / len(labels)
"""
SHIFT = "shifted = logits - logits.max(axis=1, keepdims=True)"
LOG_PROBS = "log_probs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))"
PROBS = "probs = np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True)\n    log_probs = "
mutants(
    "softmax_cross_entropy",
    CROSS_ENTROPY,
    "*",
    [
        ("imports the answer", CROSS_ENTROPY, "from llmcourse.steps.mlp import softmax_cross_entropy"),
        (
            "takes SciPy's softmax",
            LOG_PROBS,
            "import scipy.special\n    log_probs = scipy.special.log_softmax(logits, 1)",
        ),
    ],
)
mutants(
    "softmax_cross_entropy",
    CROSS_ENTROPY,
    "the_loss_is_the_mean_of_minus_log_probability",
    [
        ("the sum over the samples", ".mean()", ".sum()"),
        ("the mean over all N * C entries", ".mean()", ".sum() / logits.size"),
        ("one loss for each sample", ".mean()", ""),
        ("forgets the minus sign", "-log_probs[rows", "log_probs[rows"),
        ("logarithms to the base 2", ".mean()", ".mean() / np.log(2)"),
        ("takes whole columns for labels", "log_probs[rows, labels]", "log_probs[:, labels]"),
        ("the logit instead of the logarithm of the probability", "-log_probs[rows, labels]", "-logits[rows, labels]"),
        ("softmax over the samples", "np.exp(shifted).sum(axis=1", "np.exp(shifted).sum(axis=0"),
    ],
)
mutants(
    "softmax_cross_entropy",
    CROSS_ENTROPY,
    "the_gradient_is_probability_minus_one_hot_over_n",
    [
        ("forgets 1/N in the gradient", "grad / len(labels)", "grad"),
        ("does not subtract the one-hot label", "    grad[rows, labels] -= 1\n", ""),
        ("subtracts it from whole columns", "grad[rows, labels] -= 1", "grad[:, labels] -= 1"),
        ("the gradient with the wrong sign", "grad / len", "-grad / len"),
        ("divides by N * C", "grad / len(labels)", "grad / grad.size"),
        ("one number for each sample", "grad / len(labels)", "grad[rows, labels] / len(labels)"),
    ],
)
mutants(
    "softmax_cross_entropy",
    CROSS_ENTROPY,
    "huge_logits_give_exact_finite_results",
    [
        ("subtracts nothing", SHIFT, "shifted = logits"),
        ("the logarithm of a probability that became 0", LOG_PROBS, f"{PROBS}np.log(probs)"),
        ("adds a small constant inside the logarithm", LOG_PROBS, f"{PROBS}np.log(probs + 1e-12)"),
        ("clips the probabilities", LOG_PROBS, f"{PROBS}np.log(np.clip(probs, 1e-15, 1))"),
        ("clips the logits", SHIFT, "shifted = np.clip(logits, -500, 500)"),
    ],
)
mutants(
    "softmax_cross_entropy",
    CROSS_ENTROPY,
    "each_row_is_shifted_by_its_own_maximum",
    [("one maximum for the whole array", "logits.max(axis=1, keepdims=True)", "logits.max()")],
)
mutants(
    "softmax_cross_entropy",
    CROSS_ENTROPY,
    "one_sample_works_and_the_logits_stay",
    [
        ("shifts the logits in place", SHIFT, "shifted = logits\n    shifted -= logits.max(axis=1, keepdims=True)"),
        ("drops the axis of a single sample", "grad / len(labels)", "np.squeeze(grad / len(labels))"),
    ],
)

# --- exercise 5: gradient_check ---------------------------------------------------------------------------------------

CHECK = """
def gradient_check(loss_fn, params, grads, epsilon=1e-5):
    largest = 0.0
    for name, value in params.items():
        for index in np.ndindex(value.shape):
            moved = value.copy()
            moved[index] = value[index] + epsilon
            up = loss_fn({**params, name: moved})
            moved[index] = value[index] - epsilon
            down = loss_fn({**params, name: moved})
            a, b = (up - down) / (2 * epsilon), grads[name][index]
            error = abs(a - b) / max(1e-8, abs(a) + abs(b))
            largest = max(largest, error)
    return largest
"""
ERROR, LARGER = "error = abs(a - b) / max(1e-8, abs(a) + abs(b))", "largest = max(largest, error)"
NORMS = """
def gradient_check(loss_fn, params, grads, epsilon=1e-5):
    largest = 0.0
    for name, value in params.items():
        numeric = np.zeros_like(value)
        for index in np.ndindex(value.shape):
            step = np.zeros_like(value)
            step[index] = epsilon
            rise = loss_fn({**params, name: value + step}) - loss_fn({**params, name: value - step})
            numeric[index] = rise / (2 * epsilon)
        a, b = np.linalg.norm(numeric), np.linalg.norm(grads[name])
        largest = max(largest, np.linalg.norm(numeric - grads[name]) / max(1e-8, a + b))
    return largest
"""
mutants("gradient_check", CHECK, "*", [("imports the answer", CHECK, "from llmcourse.steps.mlp import gradient_check")])
mutants(
    "gradient_check",
    CHECK,
    "right_gradients_have_almost_no_error",
    [
        ("divides by epsilon instead of 2 epsilon", "(2 * epsilon)", "epsilon"),
    ],
)
mutants(
    "gradient_check",
    CHECK,
    "a_missing_mean_is_flagged",
    [
        ("the absolute error", ERROR, "error = abs(a - b)"),
        ("divides by the larger of the two, not by their sum", "abs(a) + abs(b)", "max(abs(a), abs(b))"),
    ],
)
mutants(
    "gradient_check",
    CHECK,
    "a_missing_relu_derivative_is_flagged",
    [("starts again with each array", "        for index", "        largest = 0.0\n        for index")],
)
mutants(
    "gradient_check",
    NORMS,
    "a_transposed_weight_gradient_is_flagged",
    [("compares only the sizes of whole arrays", "np.linalg.norm(numeric - grads[name])", "abs(a - b)")],
)
mutants(
    "gradient_check",
    CHECK,
    "a_forgotten_bias_is_flagged",
    [
        (
            "checks the weights only",
            "value in params.items():",
            "value in params.items():\n        if value.ndim < 2: continue",
        ),
        ("skips entries whose given gradient is 0", ERROR, f"{ERROR} if b else 0"),
    ],
)
mutants(
    "gradient_check",
    CHECK,
    "one_wrong_entry_is_enough",
    [
        ("the error of the last entry only", LARGER, "largest = error"),
        ("only the first entry of each array", "np.ndindex(value.shape)", "[(0,) * value.ndim]"),
        ("the mean of all errors", LARGER, "largest += error / sum(each.size for each in params.values())"),
        ("forgets the absolute value", ERROR, "error = (a - b) / max(1e-8, a + b)"),
    ],
)
mutant("gradient_check", fails="one_wrong_entry_is_enough", why="norms of arrays instead of entries", source=NORMS)
mutants(
    "gradient_check",
    CHECK,
    "each_entry_moves_alone_and_both_ways",
    [
        ("one-sided differences", "a, b = (up - down) / (2 * epsilon)", "a, b = (up - loss_fn(params)) / epsilon"),
        ("moves whole arrays at once", "moved[index] = value[index] + epsilon", "moved = value + epsilon"),
        ("ignores epsilon", "    largest = 0.0", "    largest, epsilon = 0.0, 1e-6"),
    ],
)
mutants(
    "gradient_check",
    CHECK,
    "an_entry_without_influence_is_no_error",
    [
        (
            "divides 0 by 0",
            ERROR,
            "error = np.maximum(largest, abs(a - b) / (abs(a) + abs(b)))\n            largest = error",
        )
    ],
)
mutants(
    "gradient_check",
    CHECK,
    "params_and_grads_are_the_same_afterwards",
    [
        ("moves in place and does not move back", "value.copy()", "value"),
        (
            "moves in place and back, with rounding",
            "moved = value.copy()",
            "value[index] += epsilon; value[index] -= epsilon; moved = value.copy()",
        ),
    ],
)

# --- exercise 6: mlp_backward -----------------------------------------------------------------------------------------

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
mutants(
    "mlp_backward", BACKPROP, "*", [("imports the answer", BACKPROP, "from llmcourse.steps.mlp import mlp_backward")]
)
mutants(
    "mlp_backward",
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
    "mlp_backward",
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
    "mlp_backward",
    BACKPROP,
    "the_first_layer_learns_through_the_relu",
    [
        ("forgets the derivative of ReLU", f" * {SLOPE}", ""),
        ("the weights of the wrong layer, as in some texts", 'params[f"W{layer}"].T', 'params[f"W{layer - 1}"].T'),
        ("the slope of the wrong layer, as in some texts", SLOPE, '(cache[f"z{layer}"] > 0)'),
        ("multiplies by relu(z) instead of its slope", SLOPE, 'cache[f"a{layer - 1}"]'),
        ("forgets the weights between", 'delta @ params[f"W{layer}"].T', "delta.sum(axis=1, keepdims=True)"),
    ],
)
mutants(
    "mlp_backward",
    BACKPROP,
    "central_differences_agree",
    [("the derivative of the sigmoid", SLOPE, 'cache[f"a{layer - 1}"] * (1 - cache[f"a{layer - 1}"])')],
)
mutants(
    "mlp_backward",
    BACKPROP,
    "the_recursion_goes_on_through_more_layers",
    [
        ("two layers, whatever there is", "layers = len(params) // 2", "layers = 2"),
        ("starts from the logits again in each layer", "(delta @ params", "(grad_logits @ params"),
    ],
)
mutants(
    "mlp_backward",
    BACKPROP,
    "one_sample_works_and_no_input_changes",
    [
        ("writes into grad_logits", START, "delta = grad_logits\n    delta *= 1 + 1e-12"),
        (
            "stores the slopes in the cache",
            "            delta = ",
            '            cache[f"z{layer - 1}"] = np.heaviside(cache[f"z{layer - 1}"], 0)\n            delta = ',
        ),
        ("drops the axis of a single sample", START, "delta = np.squeeze(grad_logits)"),
    ],
)

# --- exercise 7: sgd_step ---------------------------------------------------------------------------------------------

STEP = """
def sgd_step(params, grads, velocity, learning_rate, momentum):
    new_velocity = {name: momentum * velocity[name] + grads[name] for name in params}
    new_params = {name: params[name] - learning_rate * new_velocity[name] for name in params}
    return new_params, new_velocity
"""
MIX, MOVE = "momentum * velocity[name] + grads[name]", "params[name] - learning_rate * new_velocity[name]"
mutants("sgd_step", STEP, "*", [("imports the answer", STEP, "from llmcourse.steps.mlp import sgd_step")])
mutants(
    "sgd_step",
    STEP,
    "the_velocity_keeps_a_share_and_adds_the_gradient",
    [
        ("the learning rate inside the velocity", MIX, "momentum * velocity[name] + learning_rate * grads[name]"),
        ("a velocity that points downhill", MIX, "momentum * velocity[name] - grads[name]"),
        (
            "a weighted mean: (1 - m) times the gradient",
            MIX,
            "momentum * velocity[name] + (1 - momentum) * grads[name]",
        ),
        ("ignores the old velocity", MIX, "grads[name].copy()"),
        ("returns the old velocity", "return new_params, new_velocity", "return new_params, velocity"),
        ("returns the params only", "return new_params, new_velocity", "return new_params"),
    ],
)
mutants(
    "sgd_step",
    STEP,
    "the_params_move_against_the_new_velocity",
    [
        ("climbs: plus instead of minus", "params[name] - learning", "params[name] + learning"),
        ("moves by the old velocity", MOVE, "params[name] - learning_rate * velocity[name]"),
        ("moves by the gradient only", MOVE, "params[name] - learning_rate * grads[name]"),
        ("forgets the learning rate", "learning_rate * new", "new"),
        ("Nesterov's look ahead", MOVE, "params[name] - learning_rate * (grads[name] + momentum * new_velocity[name])"),
        ("returns the pair in the other order", "return new_params, new_velocity", "return new_velocity, new_params"),
    ],
)
mutants(
    "sgd_step",
    STEP,
    "without_momentum_it_is_plain_gradient_descent",
    [("keeps the whole old velocity", MIX, "velocity[name] + momentum * grads[name]")],
)
mutants(
    "sgd_step",
    STEP,
    "every_parameter_takes_part_whatever_its_name",
    [
        (
            "names the parameters in the code",
            "grads[name] for name in params",
            'grads[name] for name in ("W1", "b1", "W2", "b2")',
        ),
        (
            "forgets the biases",
            "new_velocity[name] for name in params",
            'new_velocity[name] for name in params if name[0] == "W"',
        ),
    ],
)
IN_PLACE = """
def sgd_step(params, grads, velocity, learning_rate, momentum):
    new_params, new_velocity = params, velocity
    for name in params:
        new_velocity[name] *= momentum
        new_velocity[name] += grads[name]
        new_params[name] -= learning_rate * new_velocity[name]
    return new_params, new_velocity
"""
mutants(
    "sgd_step",
    IN_PLACE,
    "the_given_dicts_stay_as_they_were",
    [
        ("updates in place", "= params, velocity", "= params, velocity"),
        ("copies the dicts, which share their arrays", "= params, velocity", "= dict(params), dict(velocity)"),
        (
            "copies the params and forgets the velocity",
            "= params, velocity",
            "= {k: v.copy() for k, v in params.items()}, velocity",
        ),
    ],
)

# --- exercise 8: train_mlp --------------------------------------------------------------------------------------------

TRAIN = """
def train_mlp(x, labels, seed):
    params = steps.init_mlp((x.shape[1], 128, int(labels.max()) + 1), seed)
    velocity = {name: np.zeros_like(value) for name, value in params.items()}
    rng = np.random.default_rng(seed)
    for _ in range(20):
        order = rng.permutation(len(x))
        for start in range(0, len(x), 64):
            batch = order[start : start + 64]
            logits, cache = steps.mlp_forward(params, x[batch])
            _, grad_logits = steps.softmax_cross_entropy(logits, labels[batch])
            grads = steps.mlp_backward(params, cache, grad_logits)
            params, velocity = steps.sgd_step(params, grads, velocity, 0.1, 0.9)
    return params
"""
SIZES, ORDER = "(x.shape[1], 128, int(labels.max()) + 1)", "order = rng.permutation(len(x))"
mutants("train_mlp", TRAIN, "*", [("imports the answer", TRAIN, "from llmcourse.steps.mlp import train_mlp")])
mutants(
    "train_mlp",
    TRAIN,
    "the_params_fit_the_data",
    [
        ("784 inputs and ten classes in the code", SIZES, "(784, 128, 10)"),
        ("one class too few", "int(labels.max()) + 1", "int(labels.max())"),
        ("returns params and velocity", "return params", "return params, velocity"),
        ("a learning rate so large that it diverges", "0.1, 0.9", "1e200, 0.9"),
    ],
)
mutants(
    "train_mlp",
    TRAIN,
    "an_easy_problem_is_learned",
    [
        ("throws the new params away", "params, velocity = steps.sgd", "_, velocity = steps.sgd"),
        ("climbs: a negative learning rate", "0.1, 0.9", "-0.001, 0.9"),
        ("a learning rate far too small", "0.1, 0.9", "1e-6, 0.9"),
        (
            "all weights zero at the start",
            "    velocity =",
            "    params = {k: 0 * v for k, v in params.items()}\n    velocity =",
        ),
        ("labels in another order than x", "labels[batch]", "labels[rng.permutation(batch)]"),
    ],
)
mutants(
    "train_mlp",
    TRAIN,
    "samples_sorted_by_class_are_learned_too",
    [
        ("does not shuffle", ORDER, "order = np.arange(len(x))"),
        ("learns from the first batch only", "order[start : start + 64]", "np.arange(64)"),
    ],
)
mutants(
    "train_mlp",
    TRAIN,
    "the_seed_decides_everything",
    [
        ("an order that the seed does not reach", "default_rng(seed)", "default_rng()"),
        ("the same seed for everybody", "    params = steps.init", "    seed = 0\n    params = steps.init"),
    ],
)
mutants(
    "train_mlp",
    TRAIN,
    "the_data_stays_as_it_was",
    [
        (
            "sorts the caller's data anew",
            "    for _",
            "    o = rng.permutation(len(x)); x[:], labels[:] = x[o], labels[o]\n    for _",
        )
    ],
)
mutants(
    "train_mlp",
    TRAIN,
    "at_least_92_percent_of_unseen_digits",
    [
        ("no hidden layer", "x.shape[1], 128,", "x.shape[1],"),
        ("one epoch", "range(20)", "range(1)"),
    ],
)

# --- exercise 9: build_mlp --------------------------------------------------------------------------------------------

MODEL = """
def build_mlp(hidden_units):
    import keras

    return keras.Sequential(
        [
            keras.Input((784,)),
            keras.layers.Dense(hidden_units, activation="relu"),
            keras.layers.Dense(10),
        ]
    )
"""
HIDDEN = 'keras.layers.Dense(hidden_units, activation="relu")'
mutants("build_mlp", MODEL, "*", [("imports the answer", MODEL, "from llmcourse.steps.mlp import build_mlp")])
mutants(
    "build_mlp",
    MODEL,
    "the_parameters_are_as_many_as_they_should_be",
    [
        ("no biases in the last layer", "Dense(10)", "Dense(10, use_bias=False)"),
        ("two hidden layers", HIDDEN, f"{HIDDEN}, {HIDDEN}"),
        ("always 128 hidden units", "Dense(hidden_units", "Dense(128"),
        ("a single output", "Dense(10)", "Dense(1)"),
        ("batch normalisation in between", HIDDEN, f"{HIDDEN}, keras.layers.BatchNormalization()"),
    ],
)
mutants(
    "build_mlp",
    MODEL,
    "the_weights_have_the_shapes_of_the_numpy_network",
    [("no Input, so no weights before the first call", "keras.Input((784,)),", "")],
)
mutants(
    "build_mlp",
    MODEL,
    "its_logits_are_those_of_the_numpy_network",
    [
        ("a softmax at the end", "Dense(10)", 'Dense(10, activation="softmax")'),
        ("a ReLU at the end", "Dense(10)", 'Dense(10, activation="relu")'),
        ("no activation in the hidden layer", ', activation="relu"', ""),
        ("sigmoid instead of ReLU", '"relu"', '"sigmoid"'),
        ("GELU instead of ReLU", '"relu"', '"gelu"'),
        ("scales the pixels a second time", HIDDEN, f"keras.layers.Rescaling(1 / 255), {HIDDEN}"),
        ("wants images of 28 by 28", "keras.Input((784,)),", "keras.Input((28, 28)), keras.layers.Flatten(),"),
    ],
)
