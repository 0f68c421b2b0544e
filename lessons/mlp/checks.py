"""What right answers of the lesson `mlp` must do. The oracles are plain NumPy in float64, written here."""

from itertools import pairwise

import numpy as np

from llmcourse.checking import criterion, expect, expect_close, expect_equal, expect_shape, expect_unchanged

# --- drawing inputs ---------------------------------------------------------------------------------------------------


def distinct_sizes(rng, count, low=2, high=9):
    """Draw sizes that all differ, so that a swapped axis cannot go unnoticed."""
    return [int(size) for size in rng.choice(np.arange(low, high), size=count, replace=False)]


def away_from_zero(rng, shape):
    """Draw numbers between 0.1 and 3 of both signs: none is near the bend of a ReLU, and at least one is negative."""
    z = rng.choice([-1.0, 1.0], size=shape) * rng.uniform(0.1, 3.0, size=shape)
    z.flat[: min(2, z.size)] = [-1.5, 2.5][: z.size]
    return z


# --- oracles ----------------------------------------------------------------------------------------------------------


def cross_entropy(logits, labels):
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_probs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    rows = np.arange(len(labels))
    grad = np.exp(log_probs)
    grad[rows, labels] -= 1
    return -log_probs[rows, labels].mean(), grad / len(labels)


def forward(params, x):
    layers, cache, activation = len(params) // 2, {"a0": x}, x
    for layer in range(1, layers + 1):
        z = activation @ params[f"W{layer}"] + params[f"b{layer}"]
        cache[f"z{layer}"] = z
        if layer < layers:
            activation = np.maximum(z, 0)
            cache[f"a{layer}"] = activation
    return z, cache


def backward(params, cache, delta):
    grads = {}
    for layer in range(len(params) // 2, 0, -1):
        grads[f"W{layer}"], grads[f"b{layer}"] = cache[f"a{layer - 1}"].T @ delta, delta.sum(axis=0)
        if layer > 1:
            delta = (delta @ params[f"W{layer}"].T) * (cache[f"z{layer - 1}"] > 0)
    return grads


def loss_of(params, x, labels):
    return float(cross_entropy(forward(params, x)[0], labels)[0])


def draw_params(rng, sizes):
    """Draw params with the names of the lesson; the biases are not 0 either."""
    params = {}
    for layer, shape in enumerate(pairwise(sizes), start=1):
        params[f"W{layer}"], params[f"b{layer}"] = rng.normal(size=shape), rng.normal(size=shape[1])
    return params


def draw_network(rng, sizes, samples):
    """Draw a network with two layers, data and gradients that differences can measure.

    No z is near the bend of the ReLU, units are active and not, and each gradient is 0 or far above rounding.
    """
    while True:
        params, x = draw_params(rng, sizes), rng.normal(size=(samples, sizes[0]))
        labels = rng.integers(sizes[-1], size=samples)
        logits, cache = forward(params, x)
        delta = cross_entropy(logits, labels)[1]
        grads = backward(params, cache, delta)
        entries = np.abs(np.concatenate([value.ravel() for value in grads.values()]))
        measurable = np.abs(cache["z1"]).min() > 0.01 and entries[entries > 0].min() > 1e-3
        if measurable and 0.3 < (cache["z1"] > 0).mean() < 0.7:
            return params, x, labels, cache, delta, grads


def largest_error(first, second):
    """Give the largest relative error between two dicts of arrays, by the formula of the lesson."""
    return max(
        float((np.abs(first[name] - second[name]) / np.maximum(1e-8, np.abs(first[name]) + np.abs(second[name]))).max())
        for name in first
    )


def expect_dict(received, names, what):
    """Require a dict with exactly these names."""
    expect(isinstance(received, dict), required=f"{what} is a dict", received=received)
    wanted, have = ", ".join(sorted(names)), ", ".join(sorted(received))
    expect(set(received) == set(names), required=f"{what} has the names {wanted}", received=have or "an empty dict")
    return received


def expect_pair(received, what, words):
    """Require a tuple or list of two values."""
    fits = isinstance(received, tuple | list) and len(received) == 2
    expect(fits, required=f"{what} returns a pair: {words}", received=received)
    return received


# --- exercise 1: dense_forward ----------------------------------------------------------------------------------------


@criterion(
    "dense_forward",
    hints=[
        "How many numbers should come out for N samples and U neurons, and how are they arranged?",
        "The matrix product (N, D) @ (D, U) has the shape (N, U): the inner sizes must agree and disappear.",
        "x stands on the left, weights on the right: x @ weights.",
    ],
)
def one_row_for_each_sample_and_one_column_for_each_neuron(student, rng):
    """For x (N, D) and weights (D, U) the result has the shape (N, U)."""
    n, d, u = distinct_sizes(rng, 3)
    result = student.dense_forward(rng.normal(size=(n, d)), rng.normal(size=(d, u)), rng.normal(size=u))
    expect_shape(result, (n, u), what="dense_forward(x, weights, bias)")


@criterion(
    "dense_forward",
    hints=[
        "Take the first row of x and the first column of weights: what is their sum of products?",
        "Each entry is the sum of products of a row of x with a column of weights, plus the bias of that column.",
        "`x @ weights` gives all sums of products; the bias is still missing. NumPy adds a (U,) array to every row.",
    ],
)
def each_answer_is_the_weighted_sum_plus_the_bias(student, rng):
    """Row n, column u is the sum over d of x[n, d] * weights[d, u], plus bias[u], and the inputs stay as they are."""
    n, d, u = distinct_sizes(rng, 3)
    for shape in ((n, d, u), (d, d, d)):  # square ones too: there no shape gives a mistake away
        x, weights, bias = rng.normal(size=shape[:2]), rng.normal(size=shape[1:]), rng.normal(size=shape[2])
        expected = np.einsum("nd,du->nu", x, weights) + bias
        expect_close(student.dense_forward(x, weights, bias), expected, what="dense_forward(x, weights, bias)")
        expect_unchanged(student)


@criterion(
    "dense_forward",
    hints=[
        "What is the shape of x for one sample, and what should be the shape of the result?",
        "One sample still is a row: (1, D) in, (1, U) out. Do not drop the axis of length 1.",
    ],
)
def a_single_sample_keeps_its_row(student, rng):
    """For one sample, x (1, D), the result has the shape (1, U)."""
    d, u = distinct_sizes(rng, 2)
    x, weights, bias = rng.normal(size=(1, d)), rng.normal(size=(d, u)), rng.normal(size=u)
    expect_close(student.dense_forward(x, weights, bias), x @ weights + bias, what="dense_forward for one sample")


# --- exercise 2: relu, relu_backward ----------------------------------------------------------------------------------


@criterion(
    "relu",
    hints=[
        "What should become of -1.5, and what of 2.5?",
        "Compare each entry with 0 and keep the larger of the two.",
        "`np.maximum(z, 0)` compares entry by entry. `np.max` is something else.",
    ],
)
def negative_entries_become_zero(student, rng):
    """Every negative entry of z becomes 0, every other entry stays, and z itself is not changed."""
    z = away_from_zero(rng, distinct_sizes(rng, 2, low=3))
    expect_close(student.relu(z), np.where(z < 0, 0, z), what="relu(z)")
    expect_unchanged(student)


@criterion(
    "relu",
    hints=[
        "Does your code count on z having exactly two axes?",
        "Write it for all entries at once, without loops: then it works for any shape.",
    ],
)
def arrays_of_any_shape_are_welcome(student, rng):
    """relu and relu_backward take arrays with one, two or three axes and keep their shape."""
    sizes = distinct_sizes(rng, 3)
    for shape in (sizes[:1], sizes):
        z, upstream = away_from_zero(rng, shape), rng.normal(size=shape)
        words = "one axis" if len(shape) == 1 else f"{len(shape)} axes"
        expect_close(student.relu(z), np.where(z < 0, 0, z), what=f"relu(z) for z with {words}")
        expected = np.where(z > 0, upstream, 0)
        expect_close(student.relu_backward(upstream, z), expected, what=f"relu_backward(upstream, z) with {words}")


@criterion(
    "relu",
    points=2,
    hints=[
        "Where z > 0, relu(z) is z. What is its slope there? And where z < 0?",
        "The chain rule multiplies the upstream gradient by the slope: by 1 where z > 0, by 0 where z < 0.",
        "`z > 0` is an array of True and False, and counts as 1 and 0. The sign of upstream plays no part.",
    ],
)
def the_gradient_passes_where_z_is_positive(student, rng):
    """relu_backward gives the upstream gradient where z > 0 and 0 where z < 0, and changes neither input."""
    shape = distinct_sizes(rng, 2, low=3)
    z, upstream = away_from_zero(rng, shape), rng.permutation(away_from_zero(rng, shape).ravel()).reshape(shape)
    expect_close(student.relu_backward(upstream, z), np.where(z > 0, upstream, 0), what="relu_backward(upstream, z)")
    expect_unchanged(student)


@criterion(
    "relu",
    hints=[
        "What does your code do where z is exactly 0?",
        "At 0 there is no slope. We agreed to take 0 there: the gradient passes only where z is greater than 0.",
    ],
)
def the_gradient_stops_at_exactly_zero(student, rng):
    """Where z is exactly 0, relu_backward gives 0."""
    z = away_from_zero(rng, distinct_sizes(rng, 2, low=3))
    z[rng.uniform(size=z.shape) < 0.4] = 0.0
    z[-1, -1] = 0.0
    upstream = rng.uniform(1, 2, size=z.shape)
    expect_close(student.relu_backward(upstream, z), np.where(z > 0, upstream, 0), what="relu_backward(upstream, z)")


# --- exercise 3: mse --------------------------------------------------------------------------------------------------


@criterion(
    "mse",
    hints=[
        "For the differences 1 and 3, the squares are 1 and 9. What is their mean?",
        "Subtract, square each entry, and take the mean over all entries, so that one number is left.",
        "With `difference = prediction - target`, the loss is `np.mean(difference**2)`.",
    ],
)
def the_loss_is_the_mean_of_the_squares(student, rng):
    """The loss is one number: the mean of (prediction - target) squared over all entries."""
    shape = distinct_sizes(rng, 2)
    prediction, target = rng.normal(size=shape), rng.normal(size=shape)
    result = expect_pair(student.mse(prediction, target), "mse", "the loss and the gradient")
    expect_close(result[0], np.square(target - prediction).sum() / target.size, what="the loss")


@criterion(
    "mse",
    points=2,
    hints=[
        "If a prediction is too large, should its entry of the gradient be positive or negative?",
        "The derivative of (p - t)**2 by p is 2 (p - t). And the loss is a mean, so a factor stands in front.",
        "Divide by the number of all entries, `difference.size`, not by the number of rows.",
    ],
)
def the_gradient_is_two_differences_over_the_count(student, rng):
    """The gradient has the prediction's shape and the entries 2 (prediction - target) / n; n counts all entries."""
    shape = distinct_sizes(rng, 2)
    prediction, target = rng.normal(size=shape), rng.normal(size=shape)
    result = expect_pair(student.mse(prediction, target), "mse", "the loss and the gradient")
    expect_close(result[1], 2 * (prediction - target) / np.prod(shape), what="the gradient")


@criterion(
    "mse",
    hints=[
        "Does your code count on two axes, or does it write into its inputs?",
        "`np.mean` without an axis takes the mean over all entries, however many axes there are.",
        "Build new arrays: `prediction - target` makes one, `prediction -= target` changes what you were given.",
    ],
)
def any_shape_works_and_the_inputs_stay(student, rng):
    """Arrays with one or three axes work as well, and neither input is changed."""
    sizes = distinct_sizes(rng, 3)
    for shape in (sizes[:1], sizes):
        prediction, target = rng.normal(size=shape), rng.normal(size=shape)
        result = expect_pair(student.mse(prediction, target), "mse", "the loss and the gradient")
        expect_unchanged(student)
        difference = prediction - target
        words = "one axis" if len(shape) == 1 else f"{len(shape)} axes"
        expect_close(result[0], np.square(difference).mean(), what=f"the loss for arrays with {words}")
        expect_close(result[1], 2 * difference / difference.size, what=f"the gradient for arrays with {words}")


# --- exercise 4: softmax_cross_entropy --------------------------------------------------------------------------------


def draw_logits(rng, samples=None):
    n, c = distinct_sizes(rng, 2, low=3)
    n = n if samples is None else samples
    return rng.normal(scale=2.0, size=(n, c)), rng.integers(c, size=n)


def call_cross_entropy(student, logits, labels):
    result = student.softmax_cross_entropy(logits, labels)
    return expect_pair(result, "softmax_cross_entropy", "the loss and the gradient")


@criterion(
    "softmax_cross_entropy",
    hints=[
        "For one sample: what is the probability of the right class, and minus its logarithm?",
        "Softmax over each row (axis=1), then pick from row n the column labels[n], then the mean over the rows.",
        "`log_probs[np.arange(len(labels)), labels]` picks one entry from each row; the loss is minus their mean.",
    ],
)
def the_loss_is_the_mean_of_minus_log_probability(student, rng):
    """The loss is one number: the mean over the samples of -log(probability of the right class), natural logarithm."""
    logits, labels = draw_logits(rng)
    expect_close(call_cross_entropy(student, logits, labels)[0], cross_entropy(logits, labels)[0], what="the loss")


@criterion(
    "softmax_cross_entropy",
    points=2,
    hints=[
        "What does each row of the gradient sum to, and which entry of a row is negative?",
        "The gradient is (P - Y) / N: the probabilities, minus 1 in the column of the right class, divided by N.",
        "Take the probabilities, do `grad[rows, labels] -= 1`, and do not forget to divide by the number of samples.",
    ],
)
def the_gradient_is_probability_minus_one_hot_over_n(student, rng):
    """The gradient is (softmax - one-hot label) / N, with the shape of the logits."""
    logits, labels = draw_logits(rng)
    expect_close(call_cross_entropy(student, logits, labels)[1], cross_entropy(logits, labels)[1], what="the gradient")


@criterion(
    "softmax_cross_entropy",
    hints=[
        "What is np.exp(10000), and what is np.log(0)?",
        "Subtract each row's maximum first, and write log(softmax) as shifted - log(sum(exp(shifted))).",
        "`np.log(np.exp(shifted).sum(axis=1, keepdims=True))` is safe without a small constant: the sum is at least 1.",
    ],
)
def huge_logits_give_exact_finite_results(student, rng):
    """Logits of 10,000 and of -10,000 give the exact loss and gradient, without nan and without inf."""
    logits, labels = draw_logits(rng)
    signs = rng.choice([-1.0, 1.0], size=logits.shape)
    signs[0, 0], signs[0, 1], labels[0] = 1.0, -1.0, 1  # at least one answer is wrong and very sure
    for huge in (1e4 * signs + logits, np.full_like(logits, -1e4)):
        loss, grad = call_cross_entropy(student, huge, labels)
        expected_loss, expected_grad = cross_entropy(huge, labels)
        expect_close(loss, expected_loss, what="the loss of logits near 10,000 and -10,000")
        expect_close(grad, expected_grad, what="the gradient for logits near 10,000 and -10,000")


@criterion(
    "softmax_cross_entropy",
    hints=[
        "Which maximum do you subtract: one for each row, or one for the whole array?",
        "A row far below the largest logit of the whole array would become zeros. Give each row its own maximum.",
        "`logits.max(axis=1, keepdims=True)` has the shape (N, 1) and fits onto the rows.",
    ],
)
def each_row_is_shifted_by_its_own_maximum(student, rng):
    """Adding a different constant to each row, however large, changes neither the loss nor the gradient."""
    logits, labels = draw_logits(rng)
    shifts = rng.permutation(np.linspace(-3000.0, 3000.0, len(logits)))[:, None]
    loss, grad = call_cross_entropy(student, logits + shifts, labels)
    expected_loss, expected_grad = cross_entropy(logits, labels)
    expect_close(loss, expected_loss, what="the loss after a constant was added to each row")
    expect_close(grad, expected_grad, what="the gradient after a constant was added to each row")


@criterion(
    "softmax_cross_entropy",
    hints=[
        "Do your shapes still fit with N = 1? Does your code write into logits?",
        "keepdims=True keeps (1, 1) from becoming (1,) or a number. And `shifted = logits - ...` makes a new array.",
    ],
)
def one_sample_works_and_the_logits_stay(student, rng):
    """A single sample gives a gradient of shape (1, C), and neither the logits nor the labels are changed."""
    logits, labels = draw_logits(rng, samples=1)
    loss, grad = call_cross_entropy(student, logits, labels)
    expect_unchanged(student)
    expected_loss, expected_grad = cross_entropy(logits, labels)
    expect_close(loss, expected_loss, what="the loss of one sample")
    expect_close(grad, expected_grad, what="the gradient for one sample")


# --- exercise 5: gradient_check ---------------------------------------------------------------------------------------


def draw_square_network(rng):
    """Draw a network whose hidden weights are square, so that a transposed matrix fits everywhere."""
    width, classes = distinct_sizes(rng, 2, low=2, high=5)
    return draw_network(rng, (width, width, classes), int(rng.integers(4, 7)))


def check_gradients(student, network, grads, epsilon=1e-5):
    params, x, labels, *_ = network
    error = student.gradient_check(lambda moved: loss_of(moved, x, labels), params, grads, epsilon)
    return float(expect_shape(error, (), what="gradient_check(...)"))


def expect_flagged(student, rng, spoil, words):
    """Spoil the gradients of a network, and require the error that the formula of the lesson gives for them."""
    expected = 0.0
    while expected < 0.1:
        network = draw_square_network(rng)
        wrong = spoil(network)
        expected = largest_error(network[5], wrong)
    expect_close(check_gradients(student, network, wrong), expected, what=f"the error of {words}", tolerance=1e-3)


@criterion(
    "gradient_check",
    hints=[
        "For right gradients the result should be almost 0. Which of the two numbers that you compare is wrong?",
        "Move one entry up by epsilon, all others as they were, and ask loss_fn. Then down. Divide by 2 epsilon.",
        "For each name and index: make a copy of the array with `copy[index] += epsilon`, and call "
        "`loss_fn({**params, name: copy})`.",
    ],
)
def right_gradients_have_almost_no_error(student, rng):
    """For the right gradients of a small network the result is one number below 1e-6."""
    network = draw_square_network(rng)
    error = check_gradients(student, network, network[5])
    expect(0 <= error < 1e-6, required="an error from 0 to 1e-6 for right gradients", received=error)


@criterion(
    "gradient_check",
    hints=[
        "If every gradient is N times too large, what is |a - b| / (|a| + |b|)?",
        "A relative error is needed: divide the difference by the sum of the two sizes.",
        "`abs(numeric - given) / max(1e-8, abs(numeric) + abs(given))`, for each entry.",
    ],
)
def a_missing_mean_is_flagged(student, rng):
    """Gradients without the factor 1/N have the relative error (N - 1) / (N + 1)."""

    def spoil(network):
        return {name: len(network[2]) * value for name, value in network[5].items()}

    expect_flagged(student, rng, spoil, "gradients without 1/N")


@criterion(
    "gradient_check",
    hints=[
        "Which entries are wrong if the derivative of ReLU was forgotten, and does your code look at them?",
        "Look at every entry of every array and keep the largest error that you have met.",
    ],
)
def a_missing_relu_derivative_is_flagged(student, rng):
    """Gradients made without the derivative of ReLU have a large error."""

    def spoil(network):
        params, _, _, cache, delta, _ = network
        return backward(params, {**cache, "z1": np.ones_like(cache["z1"])}, delta)

    expect_flagged(student, rng, spoil, "gradients without the derivative of ReLU")


@criterion(
    "gradient_check",
    hints=[
        "Do you compare each entry with the gradient at the same index?",
        "Compare entry by entry, `grads[name][index]`; sums or norms of whole arrays hide what is in the wrong place.",
    ],
)
def a_transposed_weight_gradient_is_flagged(student, rng):
    """A transposed weight gradient has a large error; in a square matrix only its values give it away."""
    expect_flagged(student, rng, lambda network: {**network[5], "W1": network[5]["W1"].T.copy()}, "a transposed W1")


@criterion(
    "gradient_check",
    hints=[
        "Does your loop also visit the biases?",
        "Go through all names of params. An array of shape (U,) has index tuples too; np.ndindex gives them.",
    ],
)
def a_forgotten_bias_is_flagged(student, rng):
    """A bias gradient that is all zeros has the error 1."""
    for name in ("b1", "b2"):
        expect_flagged(
            student, rng, lambda network, name=name: {**network[5], name: 0 * network[5][name]}, f"zeros as {name}"
        )


@criterion(
    "gradient_check",
    points=2,
    hints=[
        "If one entry of twenty is wrong, should the result be about the same as if all were right?",
        "Return the largest of all errors. Take care that a later, smaller one does not replace it.",
        "Start with `largest = 0.0` above both loops, and inside them `largest = max(largest, error)`.",
    ],
)
def one_wrong_entry_is_enough(student, rng):
    """The result is the largest error of all entries, wherever it is: one entry twice too large gives 1/3."""

    def spoil(network, name):
        wrong = network[5][name].copy()
        wrong[np.unravel_index(rng.choice(np.flatnonzero(wrong)), wrong.shape)] *= 2
        return {**network[5], name: wrong}

    for name in ("W1", "b2"):
        words = f"one entry of {name} that is twice too large"
        expect_flagged(student, rng, lambda network, name=name: spoil(network, name), words)


@criterion(
    "gradient_check",
    hints=[
        "With which arrays do you call loss_fn? Which of their entries differ from params, and by how much?",
        "Each call differs from params in one entry only, by +epsilon or -epsilon, and each entry moves both ways.",
        "The central difference is (loss with +epsilon - loss with -epsilon) / (2 * epsilon).",
    ],
)
def each_entry_moves_alone_and_both_ways(student, rng):
    """loss_fn sees each entry moved alone, by +epsilon and by -epsilon, and the central difference is taken."""
    rows, columns = distinct_sizes(rng, 2, high=4)
    params = {"W1": rng.uniform(1, 2, size=(rows, columns)), "b1": rng.uniform(1, 2, size=columns)}
    epsilon, calls = 0.01, []

    def loss_fn(moved):
        steps = {name: np.asarray(moved[name]) - value for name, value in params.items()}
        calls.append(
            [
                (name, *map(int, index), round(float(step[tuple(index)]), 9))
                for name, step in steps.items()
                for index in np.argwhere(np.abs(step) > 1e-9)
            ]
        )
        return float(sum(np.square(value).sum() for value in moved.values()))

    grads = {name: 2 * value for name, value in params.items()}
    error = float(expect_shape(student.gradient_check(loss_fn, params, grads, epsilon), (), what="gradient_check(...)"))
    most = max(map(len, calls), default=0)
    expect(most <= 1, required="at most one entry is moved when loss_fn is called", received=f"{most} entries at once")
    wanted = {
        (name, *index, side * epsilon)
        for name, value in params.items()
        for index in np.ndindex(value.shape)
        for side in (1, -1)
    }
    moves = {move for call in calls for move in call}
    required = f"{len(wanted)} different moves: each of {len(wanted) // 2} entries by +epsilon and by -epsilon"
    expect(
        moves == wanted, required=required, received=f"{len(moves & wanted)} of them, and {len(moves - wanted)} others"
    )
    required = "almost no error for a sum of squares, whose central difference is exact"
    expect(error < 1e-9, required=required, received=error)


@criterion(
    "gradient_check",
    hints=[
        "What is 0 / 0 in NumPy?",
        "A parameter without influence has the gradient 0 and the difference 0. The denominator must not become 0.",
        "`max(1e-8, abs(numeric) + abs(given))` keeps the denominator away from 0.",
    ],
)
def an_entry_without_influence_is_no_error(student, rng):
    """A parameter that the loss does not depend on, with gradient 0, has the error 0 and not nan."""
    used, unused = rng.normal(size=distinct_sizes(rng, 2, high=5)) + 3, rng.normal(size=3)
    grads = {"W1": 2 * used, "b1": np.zeros(3)}
    error = student.gradient_check(
        lambda moved: float(np.square(moved["W1"]).sum()), {"W1": used, "b1": unused}, grads, 1e-4
    )
    error = float(expect_shape(error, (), what="gradient_check(...)"))
    expect(0 <= error < 1e-6, required="an error of almost 0", received=error)


@criterion(
    "gradient_check",
    hints=[
        "After your function has run, are params and grads bit by bit what they were?",
        "`+= epsilon` and then `-= epsilon` need not give back the same number. Work on a copy.",
        "`moved = value.copy(); moved[index] += epsilon` leaves value alone.",
    ],
)
def params_and_grads_are_the_same_afterwards(student, rng):
    """After the check, params and grads are exactly, to the last bit, what they were before."""
    network = draw_network(rng, (4, 4, 3), int(rng.integers(4, 7)))
    check_gradients(student, network, network[5], epsilon=0.7)  # a large step: "and back" leaves rounding errors
    expect_unchanged(student)


# --- exercise 6: mlp_backward -----------------------------------------------------------------------------------------


def draw_two_layers(rng):
    samples, *sizes = distinct_sizes(rng, 4, low=3)
    return draw_network(rng, sizes, samples)


def call_backward(student, network):
    params, _, _, cache, delta, grads = network
    return expect_dict(student.mlp_backward(params, cache, delta), grads, "mlp_backward(...)")


@criterion(
    "mlp_backward",
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
    "mlp_backward",
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
    "mlp_backward",
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


@criterion(
    "mlp_backward",
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
    "mlp_backward",
    points=3,
    hints=[
        "How many layers does your code go through: two, or as many as params has?",
        "The number of layers is len(params) // 2. Loop from the last to the first and carry delta along.",
        "In `for layer in range(layers, 0, -1)`: first the two gradients; then, if layer > 1, the delta of layer - 1.",
    ],
)
def the_recursion_goes_on_through_more_layers(student, rng):
    """With one, three or four layers all gradients are right as well."""
    sizes = distinct_sizes(rng, 6, low=3, high=10)
    for count in (3, 4, 1):
        params, cache, delta, grads = draw_deep(rng, sizes[: count + 1], samples=sizes[5])
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
    "mlp_backward",
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


# --- exercise 7: sgd_step ---------------------------------------------------------------------------------------------


def draw_step(rng, names=("W1", "b1", "W2", "b2")):
    shapes = {name: distinct_sizes(rng, 2 if name[0] == "W" else 1) for name in names}
    return ({name: rng.normal(size=shape) for name, shape in shapes.items()} for _ in range(3))


def call_step(student, *arguments):
    names = arguments[0]
    result = expect_pair(student.sgd_step(*arguments), "sgd_step", "the new params and the new velocity")
    for received, what in zip(result, ("the first value", "the second value"), strict=True):
        expect_dict(received, names, what)
    return result


@criterion(
    "sgd_step",
    hints=[
        "What is left of the old velocity, and what is added to it?",
        "v becomes m * v + g. The learning rate plays no part in the velocity.",
        "`momentum * velocity[name] + grads[name]`, for each name.",
    ],
)
def the_velocity_keeps_a_share_and_adds_the_gradient(student, rng):
    """The new velocity is momentum * velocity + gradient, for each parameter."""
    params, grads, velocity = draw_step(rng)
    rate, momentum = rng.uniform(0.01, 0.2), rng.uniform(0.5, 0.95)
    _, new_velocity = call_step(student, params, grads, velocity, rate, momentum)
    for name in params:
        expected = momentum * velocity[name] + grads[name]
        expect_close(new_velocity[name], expected, what=f"the new velocity of {name}")


@criterion(
    "sgd_step",
    hints=[
        "Do the params move by the old or by the new velocity, and in which direction?",
        "First the new velocity, then p becomes p - lr * v with this new v.",
        "`value - learning_rate * new_velocity[name]`, for each name.",
    ],
)
def the_params_move_against_the_new_velocity(student, rng):
    """The new params are params - learning_rate * new velocity."""
    params, grads, velocity = draw_step(rng)
    rate, momentum = rng.uniform(0.01, 0.2), rng.uniform(0.5, 0.95)
    new_params, _ = call_step(student, params, grads, velocity, rate, momentum)
    for name, value in params.items():
        expected = value - rate * (momentum * velocity[name] + grads[name])
        expect_close(new_params[name], expected, what=f"the new {name}")


@criterion(
    "sgd_step",
    hints=[
        "With momentum 0, what should the new velocity be, and what the step?",
        "With momentum 0 the old velocity must not matter at all: the step is learning_rate times the gradient.",
    ],
)
def without_momentum_it_is_plain_gradient_descent(student, rng):
    """With momentum 0, the new params are params - learning_rate * gradient, whatever the old velocity was."""
    params, grads, velocity = draw_step(rng)
    rate = rng.uniform(0.01, 0.2)
    new_params, new_velocity = call_step(student, params, grads, velocity, rate, 0.0)
    for name, value in params.items():
        expect_close(new_params[name], value - rate * grads[name], what=f"the new {name} with momentum 0")
        expect_close(new_velocity[name], grads[name], what=f"the new velocity of {name} with momentum 0")


@criterion(
    "sgd_step",
    hints=[
        "Does your code name the parameters, such as W1 and b1, or does it go through the dict?",
        "A network may have three layers. Loop over the names of params.",
    ],
)
def every_parameter_takes_part_whatever_its_name(student, rng):
    """Dicts with other names, and with more of them, work as well."""
    names = [f"{kind}{layer}" for layer in range(1, int(rng.integers(4, 6))) for kind in "Wb"] + ["scale"]
    params, grads, velocity = draw_step(rng, names)
    new_params, new_velocity = call_step(student, params, grads, velocity, 0.1, 0.5)
    for name, value in params.items():
        expected = 0.5 * velocity[name] + grads[name]
        expect_close(new_velocity[name], expected, what=f"the new velocity of {name}")
        expect_close(new_params[name], value - 0.1 * expected, what=f"the new {name}")


@criterion(
    "sgd_step",
    hints=[
        "Are the dicts that were given to your function the same afterwards?",
        "`params[name] -= ...` writes into the given array. Compute new arrays and put them into new dicts.",
        "A dict comprehension makes a new dict: `{name: ... for name in params}`.",
    ],
)
def the_given_dicts_stay_as_they_were(student, rng):
    """params, grads and velocity are the same after the call as before."""
    params, grads, velocity = draw_step(rng)
    call_step(student, params, grads, velocity, 0.1, 0.9)
    expect_unchanged(student)


# --- exercise 8: train_mlp --------------------------------------------------------------------------------------------


def draw_clouds(rng, samples, noise=0.08):
    """Draw an easy problem, sorted by class: each class is a cloud of points around its own corner of a cube."""
    features, classes = int(rng.integers(12, 15)), int(rng.integers(4, 7))
    corners = np.zeros((classes, features))
    while min(np.abs(a - b).sum() for i, a in enumerate(corners) for b in corners[:i]) < 4:  # corners far apart
        corners = rng.integers(2, size=(classes, features))
    labels = np.sort(np.arange(samples) % classes)
    x = 0.15 + 0.7 * corners[labels] + rng.normal(scale=noise, size=(samples, features))
    return np.clip(x, 0, 1), labels


def draw_mixed_clouds(rng, samples):
    x, labels = draw_clouds(rng, samples)
    order = rng.permutation(samples)
    return x[order], labels[order]


def call_train(student, x, labels, seed):
    """Train, and require params that fit together from x to the classes."""
    params = student.train_mlp(x, labels, seed)
    expect(isinstance(params, dict), required="train_mlp(...) is a dict of params", received=params)
    layers = max(1, len(params) // 2)
    expect_dict(params, [f"{kind}{layer}" for layer in range(1, layers + 1) for kind in "Wb"], "train_mlp(...)")
    before = x.shape[1]
    for layer in range(1, layers + 1):
        weights = np.asarray(params[f"W{layer}"])
        fits = weights.ndim == 2 and weights.shape[0] == before and weights.dtype.kind == "f"
        required = f"W{layer} is a float array with {before} rows"
        expect(fits, required=required, received=f"shape {weights.shape}, dtype {weights.dtype}")
        before = weights.shape[1]
        expect_shape(params[f"b{layer}"], (before,), what=f"b{layer}")
        finite = np.isfinite(weights).all() and np.isfinite(np.asarray(params[f"b{layer}"])).all()
        expect(finite, required=f"W{layer} and b{layer} hold finite numbers", received="nan or inf: it diverged")
    classes = int(labels.max()) + 1
    expect(before == classes, required=f"{classes} logits, one for each class", received=f"{before} logits")
    return params


def share_right(params, x, labels):
    return float((forward(params, x)[0].argmax(axis=1) == labels).mean())


@criterion(
    "train_mlp",
    hints=[
        "Where do the number of inputs and the number of classes come from?",
        "Read them from the data: D is x.shape[1], and C is the largest label plus 1. Return the dict of params alone.",
        "`params = mlp.init_mlp((x.shape[1], 128, int(labels.max()) + 1), seed)`, and at the end `return params`.",
    ],
)
def the_params_fit_the_data(student, rng):
    """The result is a dict W1, b1, W2, b2 that leads from D features to C logits, for any D and C."""
    x, labels = draw_mixed_clouds(rng, 90)
    params = call_train(student, x, labels, int(rng.integers(2**31)))
    expect(len(params) >= 4, required="a hidden layer: W1, b1, W2 and b2", received=", ".join(params))


@criterion(
    "train_mlp",
    hints=[
        "Print the loss after each epoch: does it fall?",
        "Each step needs forward, loss, backward, sgd_step. Keep both that sgd_step returns: params and velocity.",
        "x and labels must be indexed with the same batch, `x[batch]` and `labels[batch]`.",
    ],
)
def an_easy_problem_is_learned(student, rng):
    """Clouds of points that lie far apart are told apart: at least 95 % of the samples are right."""
    x, labels = draw_mixed_clouds(rng, 480)
    share = share_right(call_train(student, x, labels, int(rng.integers(2**31))), x, labels)
    expect(share >= 0.95, required="at least 95 % of the samples right", received=f"{share:.1%}")


@criterion(
    "train_mlp",
    hints=[
        "In which order does your network see the samples? What if all samples of class 0 come first?",
        "Draw a new random order in each epoch, one order for x and labels together.",
        "`order = rng.permutation(len(x))`, and the batches are pieces of order.",
    ],
)
def samples_sorted_by_class_are_learned_too(student, rng):
    """Clouds that almost touch are learned too, at least 95 %, when the samples come sorted by class."""
    x, labels = draw_clouds(rng, 1920, noise=0.3)
    share = share_right(call_train(student, x, labels, int(rng.integers(2**31))), x, labels)
    expect(share >= 0.95, required="at least 95 % of the samples right", received=f"{share:.1%}")


@criterion(
    "train_mlp",
    hints=[
        "Where do your random numbers come from? Do they all depend on seed?",
        "Use `mlp.init_mlp(..., seed)` and one `rng = np.random.default_rng(seed)` for the order of the samples.",
    ],
)
def the_seed_decides_everything(student, rng):
    """The same seed gives exactly the same params again, and another seed gives others."""
    x, labels = draw_mixed_clouds(rng, 90)
    seed = int(rng.integers(2**30))
    first, again, other = (call_train(student, x, labels, number) for number in (seed, seed, seed + 1))
    for name in first:
        expect_equal(first[name].shape, again[name].shape, what=f"the shape of {name} with the same seed")
        expect(
            np.array_equal(first[name], again[name]),
            required=f"the same {name} from the same seed",
            received="different numbers",
        )
    expect(
        any(not np.array_equal(first[name], other[name]) for name in first),
        required="different params from another seed",
        received="the same ones",
    )


@criterion(
    "train_mlp",
    hints=[
        "Are x and labels the same after the training as before?",
        "`rng.shuffle(x)` moves the rows of the caller's array. Draw an order instead and index with it.",
    ],
)
def the_data_stays_as_it_was(student, rng):
    """x and labels are not changed, nor put into another order."""
    x, labels = draw_mixed_clouds(rng, 90)
    call_train(student, x, labels, int(rng.integers(2**31)))
    expect_unchanged(student)


def move_and_dim(images, rng):
    """Move each image by up to half a pixel in both directions, dim it a little, and lay it out: (N, 784) in [0, 1]."""
    images = images / 255.0
    for axis in (1, 2):
        shift = rng.uniform(-0.5, 0.5, size=(len(images), 1, 1))
        ahead, back = np.roll(images, 1, axis), np.roll(images, -1, axis)  # the rim of a digit is empty
        images = (1 - np.abs(shift)) * images + np.maximum(shift, 0) * ahead + np.maximum(-shift, 0) * back
    return (images * rng.uniform(0.8, 1.0, size=(len(images), 1, 1))).reshape(len(images), -1)


@criterion(
    "train_mlp",
    points=3,
    slow=True,
    hints=[
        "What share of the digits is right: 10 %, 90 %, or almost enough?",
        "About 10 %: the loss does not fall. About 90 %: is there a hidden layer? Nearly enough: more epochs.",
        "128 hidden units, 20 epochs, batches of 64, learning rate 0.1 and momentum 0.9 reach about 94 %.",
    ],
)
def at_least_92_percent_of_unseen_digits(student, rng):
    """After training on 4,000 digits, the network knows at least 92 % of 1,000 digits that it has never seen."""
    from llmcourse.data import load_mnist

    data, names = load_mnist("small"), rng.permutation(10)
    x, labels = move_and_dim(data.x_train, rng), names[data.y_train]
    params = call_train(student, x, labels, int(rng.integers(2**31)))
    share = share_right(params, move_and_dim(data.x_test, rng), names[data.y_test])
    expect(share >= 0.92, required="at least 92 % of 1,000 unseen digits", received=f"{share:.1%}")


# --- exercise 9: build_mlp --------------------------------------------------------------------------------------------


@criterion(
    "build_mlp",
    hints=[
        "How many weights and biases does each layer have?",
        "Two Dense layers, each with a bias; the first has hidden_units units, the second 10.",
        "`keras.Sequential([keras.Input((784,)), keras.layers.Dense(...), keras.layers.Dense(10)])`",
    ],
)
def the_parameters_are_as_many_as_they_should_be(student, rng):
    """The model has 784 U + U + 10 U + 10 parameters for U hidden units."""
    hidden = int(rng.integers(5, 40))
    count = student.build_mlp(hidden).count_params()
    expect_equal(count, 784 * hidden + hidden + hidden * 10 + 10, what=f"parameters for {hidden} hidden units")


@criterion(
    "build_mlp",
    hints=[
        "Does the model know its number of inputs as soon as it is built?",
        "Begin with keras.Input((784,)), then the hidden layer, then the layer with 10 outputs.",
    ],
)
def the_weights_have_the_shapes_of_the_numpy_network(student, rng):
    """The weights are W1 (784, U), b1 (U,), W2 (U, 10), b2 (10,), in this order, as soon as the model is built."""
    hidden = int(rng.integers(11, 40))
    shapes = [tuple(np.shape(value)) for value in student.build_mlp(hidden).get_weights()]
    expect_equal(shapes, [(784, hidden), (hidden,), (hidden, 10), (10,)], what="the shapes of model.get_weights()")


@criterion(
    "build_mlp",
    points=2,
    hints=[
        "Does the model give logits, or already probabilities? And what happens in the hidden layer?",
        "The hidden layer has activation='relu', the last layer has no activation at all: the loss takes the logits.",
        "`keras.layers.Dense(hidden_units, activation='relu')`, then `keras.layers.Dense(10)`.",
    ],
)
def its_logits_are_those_of_the_numpy_network(student, rng):
    """With the weights of a NumPy network copied over, the model gives the same logits to 1e-4."""
    hidden = int(rng.integers(5, 40))
    sizes = [(784, hidden), (hidden,), (hidden, 10), (10,)]
    weights = [rng.normal(scale=scale, size=size) for scale, size in zip((0.05, 0.3, 0.3, 1.0), sizes, strict=True)]
    params = dict(zip(("W1", "b1", "W2", "b2"), weights, strict=True))
    model = student.build_mlp(hidden)
    model.set_weights([value.astype(np.float32) for value in weights])
    for samples in (7, 1):
        x = rng.uniform(size=(samples, 784))
        expect_close(
            model(x.astype(np.float32)), forward(params, x)[0], what=f"model(x) for N = {samples}", tolerance=1e-4
        )
