"""Exercise `mse`: what a right answer must do, and typical wrong ones."""

import numpy as np

from llmcourse.checking import accepted, criterion, expect_close, expect_unchanged, mutants

from ..oracles import distinct_sizes, expect_pair


def draw_pairs(rng, shape):
    """Draw predictions and targets: near each other, far apart, and equal in every entry."""
    for scale in (1.0, 1e5, 0.0):
        target = rng.normal(size=shape)
        yield target + scale * rng.normal(size=shape), target


@criterion(
    hints=[
        "By which factor do required and received differ? For the differences 1 and 3, the squares are 1 and 9. What is their mean?",
        "Subtract, square each entry, and take the mean over all entries, so that one number is left.",
        "With `difference = prediction - target`, the loss is `np.mean(difference**2)`.",
    ],
)
def the_loss_is_the_mean_of_the_squares(student, rng):
    """The loss is one number: the mean of (prediction - target) squared over all entries."""
    shape = distinct_sizes(rng, 2)
    for prediction, target in draw_pairs(rng, shape):
        result = expect_pair(student.mse(prediction, target), "mse", "the loss and the gradient")
        expect_close(result[0], np.square(target - prediction).sum() / target.size, what="the loss")


@criterion(
    points=2,
    hints=[
        "By which factor do required and received differ? If a prediction is too large, should its entry of the gradient be positive or negative?",
        "The derivative of (p - t)**2 by p is 2 (p - t). And the loss is a mean, so a factor stands in front.",
        "Divide by the number of all entries, `difference.size`, not by the number of rows.",
    ],
)
def the_gradient_is_two_differences_over_the_count(student, rng):
    """The gradient has the prediction's shape and the entries 2 (prediction - target) / n; n counts all entries."""
    shape = distinct_sizes(rng, 2)
    for prediction, target in draw_pairs(rng, shape):
        result = expect_pair(student.mse(prediction, target), "mse", "the loss and the gradient")
        expect_close(result[1], 2 * (prediction - target) / np.prod(shape), what="the gradient")


@criterion(
    hints=[
        "Does your code count on two axes, drop an axis of length 1, or write into its inputs?",
        "`np.mean` without an axis takes the mean over all entries, however many axes there are.",
        "Build new arrays: `prediction - target` makes one, `prediction -= target` changes what you were given.",
    ],
)
def any_shape_works_and_the_inputs_stay(student, rng):
    """Arrays with one or three axes, or with axes of length 1, work as well, and neither input is changed."""
    sizes = distinct_sizes(rng, 3)
    for shape in (sizes[:1], sizes, [sizes[0], 1], [1, sizes[0]], [1]):
        prediction, target = rng.normal(size=shape), rng.normal(size=shape)
        result = expect_pair(student.mse(prediction, target), "mse", "the loss and the gradient")
        expect_unchanged(student)
        difference = prediction - target
        words = f"arrays of shape {tuple(shape)}"
        expect_close(result[0], np.square(difference).mean(), what=f"the loss for {words}")
        expect_close(result[1], 2 * difference / difference.size, what=f"the gradient for {words}")


# --- typical wrong answers, each with the criterion that must catch it ------------------------------------------------

MSE = """
def mse(prediction, target):
    difference = prediction - target
    loss = np.mean(difference**2)
    grad = 2 * difference / difference.size
    return loss, grad
"""
LOSS, GRAD = "np.mean(difference**2)", "2 * difference / difference.size"
mutants(MSE, "*", [("imports the answer", MSE, "from llmcourse.steps.mlp import mse")])
mutants(
    MSE,
    "the_loss_is_the_mean_of_the_squares",
    [
        ("the sum instead of the mean", "np.mean", "np.sum"),
        ("half of it, as some books do", LOSS, "np.mean(difference**2) / 2"),
        ("the root of it", LOSS, "np.sqrt(np.mean(difference**2))"),
        ("the mean absolute error", LOSS, "np.mean(np.abs(difference))"),
        ("the square of the mean", LOSS, "np.mean(difference) ** 2"),
        ("limits the differences", LOSS, "np.mean(np.clip(difference, -100, 100) ** 2)"),
        (
            "the absolute difference where it is large",
            LOSS,
            "np.mean(np.minimum(difference**2, 100 * abs(difference)))",
        ),
        ("one mean for each column", LOSS, "np.mean(difference**2, axis=0)"),
        ("returns the pair in the other order", "return loss, grad", "return grad, loss"),
    ],
)
mutants(
    MSE,
    "the_gradient_is_two_differences_over_the_count",
    [
        ("forgets the mean in the gradient", " / difference.size", ""),
        ("forgets the 2", "2 * difference /", "difference /"),
        ("divides by the rows only", "difference.size", "len(difference)"),
        ("limits the gradient", GRAD, "np.clip(2 * difference / difference.size, -1, 1)"),
        ("divides by a loss that is 0", GRAD, "2 * difference / difference.size * (loss / loss)"),
        ("the wrong sign", GRAD, "2 * (target - prediction) / difference.size"),
        ("the mean of the gradient, one number", GRAD, "np.mean(2 * difference)"),
        ("returns the loss only", "return loss, grad", "return loss"),
    ],
)
mutants(
    MSE,
    "any_shape_works_and_the_inputs_stay",
    [
        (
            "writes into the prediction",
            "difference = prediction - target",
            "difference = prediction\n    difference -= target",
        ),
        ("drops axes of length 1", GRAD, "np.squeeze(2 * difference / difference.size)"),
        ("counts on two axes", "difference.size", "(prediction.shape[0] * prediction.shape[1])"),
    ],
)

# --- right answers written otherwise ----------------------------------------------------------------------------------

accepted(
    "a scalar product",
    """
def mse(prediction, target):
    d = (prediction - target).ravel()
    return d @ d / d.size, (d * (2 / d.size)).reshape(prediction.shape)
""",
)
accepted(
    "a list as the pair, the difference the other way round",
    """
def mse(prediction, target):
    n = np.prod(prediction.shape)
    return [np.power(target - prediction, 2).sum() / n, -2.0 / n * (target - prediction)]
""",
)
accepted(
    "entry by entry",
    """
def mse(prediction, target):
    loss, grad = 0.0, np.empty(prediction.shape)
    for index in np.ndindex(prediction.shape):
        difference = prediction[index] - target[index]
        loss += difference**2 / prediction.size
        grad[index] = 2 * difference / prediction.size
    return loss, grad
""",
)
accepted(
    "one axis after the other",
    """
def mse(prediction, target):
    difference = np.subtract(prediction, target)
    loss = difference * difference
    for _ in range(difference.ndim):
        loss = loss.mean(axis=-1)
    return np.asarray(loss), difference / (0.5 * difference.size)
""",
)
