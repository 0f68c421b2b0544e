"""Exercise `sgd_step`: what a right answer must do, and typical wrong ones."""

from llmcourse.checking import accepted, criterion, expect_close, expect_unchanged, mutants

from ..oracles import distinct_sizes, expect_dict, expect_pair


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


# --- typical wrong answers, each with the criterion that must catch it ------------------------------------------------

STEP = """
def sgd_step(params, grads, velocity, learning_rate, momentum):
    new_velocity = {name: momentum * velocity[name] + grads[name] for name in params}
    new_params = {name: params[name] - learning_rate * new_velocity[name] for name in params}
    return new_params, new_velocity
"""
MIX, MOVE = "momentum * velocity[name] + grads[name]", "params[name] - learning_rate * new_velocity[name]"
mutants(STEP, "*", [("imports the answer", STEP, "from llmcourse.steps.backprop import sgd_step")])
mutants(
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
    STEP,
    "without_momentum_it_is_plain_gradient_descent",
    [("keeps the whole old velocity", MIX, "velocity[name] + momentum * grads[name]")],
)
mutants(
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

# --- right answers written otherwise ----------------------------------------------------------------------------------

accepted(
    "a loop that fills two empty dicts",
    """
def sgd_step(params, grads, velocity, learning_rate, momentum):
    new_params, new_velocity = {}, {}
    for name in velocity:
        new_velocity[name] = np.add(np.multiply(velocity[name], momentum), grads[name])
        new_params[name] = np.subtract(params[name], np.multiply(new_velocity[name], learning_rate))
    return new_params, new_velocity
""",
)
accepted(
    "in place, but on copies",
    """
import copy

def sgd_step(params, grads, velocity, learning_rate, momentum):
    params, velocity = copy.deepcopy(params), copy.deepcopy(velocity)
    for name, v in velocity.items():
        v *= momentum
        v += grads[name]
        params[name] -= learning_rate * v
    return params, velocity
""",
)
accepted(
    "one function for a single parameter, and a list as the pair",
    """
def one(p, g, v, rate, m):
    v = v * m + g
    return p - v * rate, v

def sgd_step(params, grads, velocity, learning_rate, momentum):
    both = {k: one(params[k], grads[k], velocity[k], learning_rate, momentum) for k in params.keys()}
    return [{k: pair[0] for k, pair in both.items()}, {k: pair[1] for k, pair in both.items()}]
""",
)
