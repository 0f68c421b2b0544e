"""Exercise `sgd_step`: what a right answer must do, and typical wrong ones."""

from llmcourse.checking import accepted, criterion, expect, expect_close, expect_unchanged, mutants

from ..oracles import distinct_sizes, expect_dict, expect_pair


def draw_step(rng, names=("W1", "b1", "W2", "b2")):
    shapes = {name: distinct_sizes(rng, 2 if name[0] == "W" else 1) for name in names}
    return ({name: rng.normal(size=shape) for name, shape in shapes.items()} for _ in range(3))


DRIVE = """
def names_that_share_memory(*given):
    results = [value for each in sgd_step(*given) for value in each.values()]
    arrays = {(place, name): value for place, each in enumerate(given[:3]) for name, value in each.items()}
    return sorted({
        ("params", "grads", "velocity")[place] + "[" + name + "]"
        for (place, name), value in arrays.items()
        if any(isinstance(result, np.ndarray) and np.shares_memory(result, value) for result in results)
    })
"""


def call_step(student, *arguments, **named):
    names = arguments[0]
    result = expect_pair(student.sgd_step(*arguments, **named), "sgd_step", "the new params and the new velocity")
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
    for rate, momentum in draw_settings(rng):
        _, new_velocity = call_step(student, params, grads, velocity, learning_rate=rate, momentum=momentum)
        for name in params:
            expected = momentum * velocity[name] + grads[name]
            expect_close(new_velocity[name], expected, what=f"the new velocity of {name}")


def draw_settings(rng):
    """Draw pairs of learning rate and momentum: usual ones and large ones."""
    yield rng.uniform(0.01, 0.2), rng.uniform(0.5, 0.95)
    yield rng.uniform(2, 5), rng.uniform(0.97, 0.999)


@criterion(
    hints=[
        "Do the params move by the old or by the new velocity, and in which direction?",
        "First the new velocity, then p becomes p - lr * v with this new v.",
        "`value - learning_rate * new_velocity[name]`, for each name.",
    ],
)
def the_params_move_against_the_new_velocity(student, rng):
    """The new params are params - learning_rate * new velocity, from velocities that are all 0 too."""
    params, grads, velocity = draw_step(rng)
    for rate, momentum in draw_settings(rng):
        for before in (velocity, {name: 0 * value for name, value in velocity.items()}):
            new_params, _ = call_step(student, params, grads, before, rate, momentum)
            for name, value in params.items():
                expected = value - rate * (momentum * before[name] + grads[name])
                expect_close(new_params[name], expected, what=f"the new {name}")


@criterion(
    hints=[
        "How large may a gradient, a velocity or a parameter be?",
        "Limit nothing: a gradient of 100,000 moves its parameter by learning_rate times 100,000.",
    ],
)
def large_numbers_are_not_limited(student, rng):
    """Gradients, velocities and params in the hundred thousands are taken as they are."""
    given = [{name: 1e5 * value for name, value in each.items()} for each in draw_step(rng)]
    params, grads, velocity = given
    new_params, new_velocity = call_step(student, params, grads, velocity, 0.1, 0.9)
    for name, value in params.items():
        expected = 0.9 * velocity[name] + grads[name]
        expect_close(new_velocity[name], expected, what=f"the new velocity of {name}")
        expect_close(new_params[name], value - 0.1 * expected, what=f"the new {name}")


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
    """Dicts with other names, with more of them, in another order, and arrays with three axes work as well."""
    names = [f"{kind}{layer}" for layer in range(1, int(rng.integers(4, 6))) for kind in "Wb"] + ["scale"]
    params, grads, velocity = draw_step(rng, names)
    for each in (params, grads, velocity):
        each["kernel"], each["W1"] = rng.normal(size=(2, 4, 3)), rng.normal(size=(3, 3))
        each["W2"] = rng.normal(size=(3, 3))
    grads = {name: grads[name] for name in rng.permutation(list(grads)).tolist()}
    velocity = {name: velocity[name] for name in reversed(velocity)}
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
    """params, grads and velocity are the same after the call as before, and no returned array is one of theirs."""
    params, grads, velocity = draw_step(rng)
    for rate, momentum in ((0.1, 0.9), (0.1, 0.0), (0.0, 0.9)):
        call_step(student, params, grads, velocity, rate, momentum)
        expect_unchanged(student)
        student.define(DRIVE)
        shared = student.names_that_share_memory(params, grads, velocity, rate, momentum)
        words = f"new arrays (learning rate {rate}, momentum {momentum})"
        expect(not shared, required=words, received=f"memory shared with {', '.join(shared)}")


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
        ("limits the momentum", MIX, "min(momentum, 0.95) * velocity[name] + grads[name]"),
        ("weights have momentum, biases have none", MIX, "momentum * (name[0] == 'W') * velocity[name] + grads[name]"),
        (
            "other names for the arguments",
            "velocity, learning_rate, momentum):",
            "velocity, lr, momentum):",
            "- learning_rate *",
            "- lr *",
        ),
        (
            "keeps velocities of its own",
            "momentum):",
            "momentum, kept={}):",
            "for name in params}\n    new_params",
            "for name in params}\n    new_velocity = kept.setdefault(str(sorted(params)), new_velocity)\n    new_params",
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
        ("limits the learning rate", "learning_rate * new", "min(learning_rate, 1.0) * new"),
        ("no step where all velocities are 0", MOVE, f"{MOVE} * any(each.any() for each in velocity.values())"),
        ("weight decay besides", MOVE, f"{MOVE} - 1e-4 * params[name]"),
        ("forgets the learning rate", "learning_rate * new", "new"),
        ("Nesterov's look ahead", MOVE, "params[name] - learning_rate * (grads[name] + momentum * new_velocity[name])"),
        ("returns the pair in the other order", "return new_params, new_velocity", "return new_velocity, new_params"),
    ],
)
mutants(
    STEP,
    "without_momentum_it_is_plain_gradient_descent",
    [
        ("keeps the whole old velocity", MIX, "velocity[name] + momentum * grads[name]"),
        ("takes 0 for not given", MIX, "(momentum or 0.9) * velocity[name] + grads[name]"),
    ],
)
mutants(
    STEP,
    "large_numbers_are_not_limited",
    [
        ("limits the gradients", MIX, "momentum * velocity[name] + np.clip(grads[name], -100, 100)"),
        ("limits the velocity", MIX, f"np.clip({MIX}, -1000, 1000)"),
        ("limits the params", MOVE, f"np.clip({MOVE}, -1000, 1000)"),
    ],
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
            "gradients by their place in the dict",
            "grads[name] for name in params",
            "grad for name, grad in zip(params, grads.values())",
        ),
        (
            "two axes at most",
            "grads[name] for name in params",
            "grads[name] for name in params if params[name].ndim < 3",
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

mutants(
    STEP,
    "the_given_dicts_stay_as_they_were",
    [
        ("hands on the gradients themselves without momentum", MIX, f"{MIX} if momentum else grads[name]"),
        ("hands on the params themselves where nothing moves", MOVE, f"{MOVE} if learning_rate else params[name]"),
        (
            "puts the new velocity into the old dict",
            "    return",
            "    velocity.update(new_velocity)\n    return",
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
accepted(
    "multiplied out, in the order of the gradients",
    """
def sgd_step(params, grads, velocity, learning_rate, momentum):
    moved = {k: params[k] - learning_rate * momentum * velocity[k] - learning_rate * g for k, g in grads.items()}
    return moved, dict((k, np.add(momentum * velocity[k], g)) for k, g in grads.items())
""",
)
