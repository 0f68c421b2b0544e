"""Exercise `relu`: what a right answer must do, and typical wrong ones."""

import numpy as np

from llmcourse.checking import accepted, criterion, expect_close, expect_unchanged, mutant, mutants

from ..oracles import distinct_sizes


def away_from_zero(rng, shape):
    """Draw numbers between 0.1 and 3 of both signs: none is near the bend of a ReLU, and at least one is negative."""
    z = rng.choice([-1.0, 1.0], size=shape) * rng.uniform(0.1, 3.0, size=shape)
    z.flat[: min(4, z.size)] = [-1.5, 2.5, rng.uniform(300, 9e4), -rng.uniform(300, 9e4)][: z.size]  # large ones too
    return z


def tiny_and_huge(rng, shape):
    """Draw numbers of both signs from a billionth to a hundred billions."""
    z = rng.choice([-1.0, 1.0], size=shape) * 10 ** rng.uniform(-9, 11, size=shape)
    z.flat[:6] = [-1e-9, 1e-9, -2e-5, 3e-5, -4e10, 4e10]
    return z


@criterion(
    hints=[
        "What should become of -1.5, and what of 2.5?",
        "Compare each entry with 0 and keep the larger of the two.",
        "`np.maximum(z, 0)` compares entry by entry. `np.max` is something else.",
    ],
)
def negative_entries_become_zero(student, rng):
    """Every negative entry of z becomes 0, every other entry stays, and z itself is not changed."""
    shape = distinct_sizes(rng, 2, low=3)
    for z in (away_from_zero(rng, shape), tiny_and_huge(rng, shape), rng.uniform(-0.1, 0.1, size=shape)):
        expect_close(student.relu(z), np.where(z < 0, 0, z), what="relu(z)")
        expect_unchanged(student)


@criterion(
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
    for each in (z, rng.permutation(z), tiny_and_huge(rng, shape)):
        expected = np.where(each > 0, upstream, 0)
        expect_close(student.relu_backward(upstream, each), expected, what="relu_backward(upstream, z)")
        expect_unchanged(student)
    z = away_from_zero(rng, shape)
    student.relu(-z)  # what relu was given last is no concern of relu_backward
    expected = np.where(z > 0, upstream, 0)
    expect_close(student.relu_backward(upstream, z), expected, what="relu_backward(upstream, z) after relu(-z)")
    huge = tiny_and_huge(rng, shape)
    expected = np.where(z > 0, huge, 0)
    expect_close(student.relu_backward(huge, z), expected, what="relu_backward(upstream, z) with huge upstream")


@criterion(
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


# --- typical wrong answers, each with the criterion that must catch it ------------------------------------------------

RELU = """
def relu(z):
    return np.maximum(z, 0)


def relu_backward(upstream, z):
    return upstream * (z > 0)
"""
FORWARD, BACKWARD = "np.maximum(z, 0)", "upstream * (z > 0)"
mutants(RELU, "*", [("imports the answer", RELU, "from llmcourse.steps.mlp import relu, relu_backward")])
mutants(
    RELU,
    "negative_entries_become_zero",
    [
        ("the step function: 1 instead of the value", FORWARD, "(z > 0).astype(z.dtype)"),
        ("the absolute value", FORWARD, "np.abs(z)"),
        ("np.max with an axis instead of np.maximum", FORWARD, "np.max(z, 0)"),
        ("a leaky ReLU", FORWARD, "np.where(z > 0, z, 0.01 * z)"),
        ("clips at 1 as well", FORWARD, "np.clip(z, 0, 1)"),
        ("clips at 3", FORWARD, "np.clip(z, 0, 3)"),
        ("clips at 100", FORWARD, "np.minimum(np.maximum(z, 0), 100)"),
        ("whole numbers", FORWARD, "np.maximum(z, 0).astype(int)"),
        ("clips at a million", FORWARD, "np.clip(z, 0, 1e6)"),
        ("half precision", FORWARD, "np.maximum(z, 0).astype(np.float16)"),
        ("stops small entries too", FORWARD, "np.where(z > 0.05, z, 0)"),
        ("a smooth bend", FORWARD, "np.log1p(np.exp(z))"),
        ("writes into z", "    return np.maximum(z, 0)", "    z[z < 0] = 0\n    return z"),
    ],
)
mutants(
    RELU,
    "arrays_of_any_shape_are_welcome",
    [("counts on rows and columns", FORWARD, "np.array([[max(entry, 0) for entry in row] for row in z])")],
)
mutants(
    RELU,
    "the_gradient_passes_where_z_is_positive",
    [
        ("stops where z is large, like a ReLU that saturates", BACKWARD, "upstream * ((z > 0) & (z < 6))"),
        ("returns the slope and forgets upstream", BACKWARD, "(z > 0).astype(float)"),
        ("asks for the sign of upstream", BACKWARD, "upstream * (upstream > 0)"),
        ("lets only positive gradients pass", BACKWARD, "np.maximum(upstream, 0) * (z > 0)"),
        ("multiplies by relu(z) instead of its slope", BACKWARD, "upstream * np.maximum(z, 0)"),
        ("lets everything pass", BACKWARD, "upstream.copy()"),
        ("stops where z is small", "z > 0", "z > 0.01"),
        ("takes what is nearly 0 for 0", BACKWARD, "np.where(np.isclose(z, 0), 0, upstream * (z > 0))"),
        ("limits the gradient", BACKWARD, "np.clip(upstream, -1e6, 1e6) * (z > 0)"),
        ("a leaky slope", BACKWARD, "np.where(z > 0, upstream, 0.01 * upstream)"),
        ("writes into upstream", f"    return {BACKWARD}", "    upstream[z <= 0] = 0\n    return upstream"),
    ],
)
mutant(
    fails="the_gradient_passes_where_z_is_positive",
    why="takes the z that relu was given last",
    source="""
last = {}

def relu(z):
    last[z.shape] = z
    return np.maximum(z, 0)


def relu_backward(upstream, z):
    return upstream * (last.get(z.shape, z) > 0)
""",
)
mutants(
    RELU,
    "the_gradient_stops_at_exactly_zero",
    [
        ("passes at exactly 0", "z > 0", "z >= 0"),
        ("takes the slope 1/2 at exactly 0", BACKWARD, "upstream * np.heaviside(z, 0.5)"),
    ],
)

# --- right answers written otherwise ----------------------------------------------------------------------------------

accepted(
    "np.where",
    """
def relu(z):
    return np.where(z > 0, z, 0.0)

def relu_backward(upstream, z):
    return np.where(z > 0, upstream, 0.0)
""",
)
accepted(
    "half of z plus its absolute value, and the slope from the sign",
    """
def relu(z):
    return (z + np.abs(z)) / 2

def relu_backward(upstream, z):
    return upstream * np.heaviside(z, 0)
""",
)
accepted(
    "copies that are changed in place",
    """
def relu(z):
    out = z.copy()
    out[out < 0] = 0
    return out

def relu_backward(upstream, z):
    grad = np.array(upstream, dtype=float)
    grad[z <= 0] = 0
    return grad
""",
)
accepted(
    "one entry after the other, whatever the shape",
    """
def relu(z):
    return np.array([entry if entry > 0 else 0.0 for entry in z.ravel()]).reshape(z.shape)

def relu_backward(upstream, z):
    grad = np.zeros(z.shape)
    for index in np.ndindex(*z.shape):
        if relu(z[index]) > 0:
            grad[index] = upstream[index]
    return grad
""",
)
