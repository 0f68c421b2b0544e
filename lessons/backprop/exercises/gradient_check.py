"""Exercise `gradient_check`: what a right answer must do, and typical wrong ones."""

import numpy as np

from llmcourse.checking import (
    accepted,
    criterion,
    expect,
    expect_close,
    expect_shape,
    expect_unchanged,
    mutant,
    mutants,
)

from ..oracles import backward, distinct_sizes, draw_network, largest_error, loss_of


def draw_square_network(rng):
    """Draw a network whose hidden weights are square, so that a transposed matrix fits everywhere."""
    width, classes = distinct_sizes(rng, 2, low=2, high=5)
    return draw_network(rng, (width, width, classes), int(rng.integers(4, 7)))


def check_gradients(student, network, grads, *epsilon):
    params, x, labels, *_ = network
    error = student.gradient_check(lambda moved: loss_of(moved, x, labels), params, grads, *epsilon)
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
    hints=[
        "Do you compare each entry with the gradient at the same index?",
        "Compare entry by entry, `grads[name][index]`; sums or norms of whole arrays hide what is in the wrong place.",
    ],
)
def a_transposed_weight_gradient_is_flagged(student, rng):
    """A transposed weight gradient has a large error; in a square matrix only its values give it away."""
    expect_flagged(student, rng, lambda network: {**network[5], "W1": network[5]["W1"].T.copy()}, "a transposed W1")


@criterion(
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
    points=2,
    hints=[
        "If one entry of twenty is wrong, should the result be about the same as if all were right?",
        "Return the largest of all errors. Take care that a later, smaller one does not replace it.",
        "Start with `largest = 0.0` above both loops, and inside them `largest = np.maximum(largest, error)`.",
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
    hints=[
        "With which arrays do you call loss_fn? Which of their entries differ from params, and by how much?",
        "Each call differs from params in one entry only, by +epsilon or -epsilon, and each entry moves both ways.",
        "The central difference is (loss with +epsilon - loss with -epsilon) / (2 * epsilon).",
    ],
)
def each_entry_moves_alone_and_both_ways(student, rng):
    """loss_fn sees each entry moved alone, by +epsilon and by -epsilon, and the central difference is taken."""
    for epsilon in (0.01, None):
        require_single_moves(student, rng, epsilon)


def require_single_moves(student, rng, given):
    """Note what loss_fn sees under an epsilon, None for the default, and compare it with what it should see."""
    rows, columns = distinct_sizes(rng, 2, high=4)
    params = {"W1": rng.uniform(1, 2, size=(rows, columns)), "b1": rng.uniform(1, 2, size=columns)}
    epsilon, calls = given or 1e-5, []
    words = "" if given else " (epsilon is 1e-5 where none is given)"

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
    result = student.gradient_check(loss_fn, params, grads, *([given] if given else []))
    error = float(expect_shape(result, (), what="gradient_check(...)"))
    most = max(map(len, calls), default=0)
    expect(most <= 1, required="at most one entry is moved when loss_fn is called", received=f"{most} entries at once")
    wanted = {
        (name, *index, side * epsilon)
        for name, value in params.items()
        for index in np.ndindex(value.shape)
        for side in (1, -1)
    }
    moves = {move for call in calls for move in call}
    required = f"{len(wanted)} different moves: each of {len(wanted) // 2} entries by +epsilon and by -epsilon{words}"
    expect(
        moves == wanted, required=required, received=f"{len(moves & wanted)} of them, and {len(moves - wanted)} others"
    )
    required = "almost no error for a sum of squares, whose central difference is exact"
    expect(error < (1e-9 if given else 1e-7), required=required, received=error)


@criterion(
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
    hints=[
        "Which names, how many axes and how many entries does your code expect? And how small may a gradient be?",
        "Take each gradient by its name, go through np.ndindex(value.shape), and leave no entry out.",
        "The floor in the denominator is max(1e-8, ...): it replaces a smaller sum and is not added to it.",
    ],
)
def any_names_axes_and_sizes_follow_the_formula(student, rng):
    """Other names, three axes, gradients in another order of names, and tiny gradients: the error is that of the formula."""
    shape = rng.permutation([2, 3, 4]).tolist()
    for name, slope, factor in (("kernel", 1e-4, 2.0), ("gain", 2e-9, 3.0), ("other", 3.0, 1.0)):
        params = {"kernel": rng.normal(size=shape), "gain": rng.normal(size=2), "other": rng.normal(size=shape)}
        slopes = {key: slope * rng.uniform(1, 1.2, size=value.shape) for key, value in params.items()}
        wrong = {key: slopes[key].copy() for key in reversed(slopes)}
        wrong[name].flat[-1] *= factor

        def loss_fn(moved, slopes=slopes):
            return float(sum((value * moved[key]).sum() for key, value in slopes.items()))

        what = (
            f"the error where the last of {wrong[name].size} gradients, about {slope:g}, is {factor:g} times too large"
        )
        error = float(expect_shape(student.gradient_check(loss_fn, params, wrong), (), what=what))
        expect_close(error, largest_error(slopes, wrong), what=what, tolerance=1e-3)


@criterion(
    points=2,
    hints=[
        "What is max(0.1, float('nan'))? And is nan < 1e-6?",
        "Every comparison with nan is False, so max() and `if error > largest` walk past it. np.maximum hands it on.",
        "`largest = np.maximum(largest, error)`, or `np.max` of a list of all errors.",
    ],
)
def what_is_no_number_is_never_called_right(student, rng):
    """Where the loss or one entry of the gradients is nan or inf, the result is nan or inf, never a small error."""
    params, x, labels, _, _, grads = draw_square_network(rng)
    places = [("W1", (0, 0), np.nan), ("b2", (-1,), np.nan), ("W2", (0, 1), np.inf), ("b1", (0,), -np.inf)]
    for name, place, value in places:
        wrong = {**grads, name: grads[name].copy()}
        wrong[name][place] = value
        error = student.gradient_check(lambda moved: loss_of(moved, x, labels), params, wrong)
        received = float(expect_shape(error, (), what="gradient_check(...)"))
        expect(not np.isfinite(received), required=f"nan or inf, as one entry of {name} is {value}", received=received)
    for value in (float("nan"), float("inf")):
        error = student.gradient_check(lambda moved, value=value: value, params, grads)
        received = float(expect_shape(error, (), what="gradient_check(...)"))
        expect(not np.isfinite(received), required=f"nan or inf for a loss that is {value}", received=received)


@criterion(
    hints=[
        "After your function has run, are params and grads bit by bit what they were?",
        "`+= epsilon` and then `-= epsilon` need not give back the same number. Work on a copy.",
        "`moved = value.copy(); moved[index] += epsilon` leaves value alone.",
    ],
)
def params_and_grads_are_the_same_afterwards(student, rng):
    """After the check, params and grads are exactly, to the last bit, what they were before."""
    network = draw_network(rng, (4, 4, 3), int(rng.integers(4, 7)))
    check_gradients(student, network, network[5], 0.7)  # a large step: "and back" leaves rounding errors
    expect_unchanged(student)


# --- typical wrong answers, each with the criterion that must catch it ------------------------------------------------

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
            largest = np.maximum(largest, error)
    return largest
"""
ERROR, LARGER = "error = abs(a - b) / max(1e-8, abs(a) + abs(b))", "largest = np.maximum(largest, error)"
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
mutants(CHECK, "*", [("imports the answer", CHECK, "from llmcourse.steps.backprop import gradient_check")])
mutants(
    CHECK,
    "right_gradients_have_almost_no_error",
    [
        ("divides by epsilon instead of 2 epsilon", "(2 * epsilon)", "epsilon"),
        ("a step so small that rounding drowns the difference", "epsilon=1e-5", "epsilon=1e-13"),
    ],
)
mutants(
    CHECK,
    "a_missing_mean_is_flagged",
    [
        ("the absolute error", ERROR, "error = abs(a - b)"),
        ("divides by the larger of the two, not by their sum", "abs(a) + abs(b)", "max(abs(a), abs(b))"),
    ],
)
mutants(
    CHECK,
    "a_missing_relu_derivative_is_flagged",
    [("starts again with each array", "        for index", "        largest = 0.0\n        for index")],
)
mutants(
    NORMS,
    "a_transposed_weight_gradient_is_flagged",
    [("compares only the sizes of whole arrays", "np.linalg.norm(numeric - grads[name])", "abs(a - b)")],
)
mutants(
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
    CHECK,
    "one_wrong_entry_is_enough",
    [
        ("the error of the last entry only", LARGER, "largest = error"),
        ("only the first entry of each array", "np.ndindex(value.shape)", "[(0,) * value.ndim]"),
        ("the mean of all errors", LARGER, "largest += error / sum(each.size for each in params.values())"),
        ("forgets the absolute value", ERROR, "error = (a - b) / max(1e-8, a + b)"),
    ],
)
mutant(fails="one_wrong_entry_is_enough", why="norms of arrays instead of entries", source=NORMS)
mutants(
    CHECK,
    "each_entry_moves_alone_and_both_ways",
    [
        ("one-sided differences", "a, b = (up - down) / (2 * epsilon)", "a, b = (up - loss_fn(params)) / epsilon"),
        ("moves whole arrays at once", "moved[index] = value[index] + epsilon", "moved = value + epsilon"),
        ("ignores epsilon", "    largest = 0.0", "    largest, epsilon = 0.0, 1e-6"),
        ("another epsilon where none is given", "epsilon=1e-5", "epsilon=1e-4"),
    ],
)
FLOOR = "max(1e-8, abs(a) + abs(b))"
mutants(
    CHECK,
    "any_names_axes_and_sizes_follow_the_formula",
    [
        ("a smaller floor", FLOOR, "max(1e-12, abs(a) + abs(b))"),
        ("a larger floor", FLOOR, "max(1e-4, abs(a) + abs(b))"),
        ("adds the floor", FLOOR, "(1e-8 + abs(a) + abs(b))"),
        ("leaves small gradients out", LARGER, f"{LARGER} if abs(a) + abs(b) > 1e-6 else largest"),
        ("takes what is nearly equal for equal", ERROR, f"{ERROR} * (abs(a - b) > 1e-3)"),
        ("the first twenty entries only", "np.ndindex(value.shape)", "list(np.ndindex(value.shape))[:20]"),
        ("weights and biases only", LARGER, f"{LARGER} if name[0] in 'Wb' else largest"),
        ("two axes at most", "np.ndindex(value.shape)", "np.ndindex(value.shape[:2])"),
        (
            "gradients by their place in the dict",
            "name, value in params.items()",
            "(name, value), grad in zip(params.items(), grads.values())",
            "grads[name][index]",
            "(grad if grad.shape == value.shape else grads[name])[index]",
        ),
    ],
)
mutants(
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
mutants(
    CHECK,
    "what_is_no_number_is_never_called_right",
    [
        ("max() walks past a nan", LARGER, "largest = max(largest, error)"),
        (
            "asks for nan in the gradients and in the loss, but not for inf",
            LARGER,
            "largest = np.inf if np.isnan(b) or np.isnan(up) else max(largest, error)",
        ),
        ("asks for nan in the gradients only", LARGER, "largest = np.inf if b != b else max(largest, error)"),
        ("so does a comparison", LARGER, "largest = error if error > largest else largest"),
        ("skips what is no number", LARGER, "largest = largest if error != error else max(largest, error)"),
        ("the largest of those that are numbers", LARGER, "largest = np.nanmax([largest, error])"),
        ("forgets a nan at the next entry", LARGER, "largest = largest if error <= largest else error"),
        ("puts 0 in its place", ERROR, f"{ERROR}; error = np.nan_to_num(error)"),
    ],
)

# --- right answers written otherwise ----------------------------------------------------------------------------------

accepted(
    "all errors in one list",
    """
def gradient_check(loss_fn, params, grads, epsilon=1e-5):
    errors = []
    for name in params:
        for index, entry in np.ndenumerate(params[name]):
            losses = []
            for sign in (+1, -1):
                copy = {key: np.array(value) for key, value in params.items()}
                copy[name][index] = entry + sign * epsilon
                losses.append(loss_fn(copy))
            slope = (losses[0] - losses[1]) / (2 * epsilon)
            errors.append(np.abs(slope - grads[name][index]) / np.maximum(1e-8, np.abs(slope) + np.abs(grads[name][index])))
    return np.max(errors)
""",
)
accepted(
    "whole arrays of differences, compared at the end",
    """
def numeric_gradient(loss_fn, params, name, epsilon):
    flat = params[name].ravel()
    result = np.empty(flat.size)
    for i in range(flat.size):
        unit = epsilon * np.eye(flat.size)[i]
        up, down = ((flat + side * unit).reshape(params[name].shape) for side in (1, -1))
        result[i] = (loss_fn(params | {name: up}) - loss_fn(params | {name: down})) / epsilon / 2
    return result


def gradient_check(loss_fn, params, grads, epsilon=1e-5):
    a = np.concatenate([numeric_gradient(loss_fn, params, name, epsilon) for name in params])
    b = np.concatenate([grads[name].ravel() for name in params])
    return float((abs(a - b) / np.clip(abs(a) + abs(b), 1e-8, None)).max())
""",
)
accepted(
    "moves in place, puts the old number back, and calls what is no number infinitely wrong",
    """
def gradient_check(loss_fn, params, grads, epsilon=1e-5):
    worst = 0.0
    moved = {name: value.copy() for name, value in params.items()}
    for name, value in moved.items():
        for index in np.ndindex(*value.shape):
            old = value[index]
            value[index] = old + epsilon
            up = loss_fn(moved)
            value[index] = old - epsilon
            down = loss_fn(moved)
            value[index] = old
            a, b = (up - down) / (2 * epsilon), grads[name][index]
            error = abs(a - b) / max(1e-8, abs(a) + abs(b))
            if not np.isfinite(error):
                return float("inf")
            worst = max(worst, error)
    return worst
""",
)
