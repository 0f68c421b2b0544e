"""Exercise `train_mlp`: what a right answer must do, and typical wrong ones."""

import numpy as np

from llmcourse.checking import criterion, expect, expect_equal, expect_shape, expect_unchanged, mutants

from ..oracles import expect_dict, forward


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


# --- typical wrong answers, each with the criterion that must catch it ------------------------------------------------

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
mutants(TRAIN, "*", [("imports the answer", TRAIN, "from llmcourse.steps.mlp import train_mlp")])
mutants(
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
    TRAIN,
    "samples_sorted_by_class_are_learned_too",
    [
        ("does not shuffle", ORDER, "order = np.arange(len(x))"),
        ("learns from the first batch only", "order[start : start + 64]", "np.arange(64)"),
    ],
)
mutants(
    TRAIN,
    "the_seed_decides_everything",
    [
        ("an order that the seed does not reach", "default_rng(seed)", "default_rng()"),
        ("the same seed for everybody", "    params = steps.init", "    seed = 0\n    params = steps.init"),
    ],
)
mutants(
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
    TRAIN,
    "at_least_92_percent_of_unseen_digits",
    [
        ("no hidden layer", "x.shape[1], 128,", "x.shape[1],"),
        ("one epoch", "range(20)", "range(1)"),
    ],
)
