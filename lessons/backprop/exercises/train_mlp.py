"""Exercise `train_mlp`: what a right answer must do, and typical wrong ones."""

import numpy as np

from llmcourse.checking import (
    accepted,
    criterion,
    expect,
    expect_close,
    expect_equal,
    expect_shape,
    expect_unchanged,
    mutants,
)

from ..oracles import backward, cross_entropy, expect_dict, forward


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
        "`params = steps.init_mlp((x.shape[1], 128, int(labels.max()) + 1), seed)`, and at the end `return params`.",
    ],
)
def the_params_fit_the_data(student, rng):
    """The result is a dict W1, b1, W2, b2 that leads from D features to C logits, for any D and C."""
    x, labels = draw_mixed_clouds(rng, 90)
    kept = labels != 1  # a class that does not occur is a class all the same
    params = call_train(student, x[kept], labels[kept], int(rng.integers(2**31)))
    expect(len(params) >= 4, required="a hidden layer: W1, b1, W2 and b2", received=", ".join(params))


def watch(student, x, labels, seed, *epochs):
    """Train, for the default number of epochs if none is given; note the rows and the params of each step."""
    noted = []

    def note(batch, params):
        noted.append((np.asarray(batch), {name: np.array(value, dtype=float) for name, value in params.items()}))

    trained = student.train_mlp(x, labels, seed, *epochs, on_step=note)
    required = "on_step is called after each step"
    expect(bool(noted), required=required, received="no call")
    for batch, params in noted:
        plain = batch.ndim == 1 and batch.dtype.kind in "iu" and isinstance(params, dict)
        expect(plain, required=f"{required}, as on_step(batch, params)", received=f"batch of shape {batch.shape}")
    for name, value in noted[-1][1].items():
        what = f"{name} of the result, which is that after the last step"
        expect_close(expect_dict(trained, noted[-1][1], "train_mlp(...)")[name], value, what=what)
    return noted


def neighbours(order):
    """Give the pairs of samples that follow each other, whichever comes first."""
    return {frozenset(pair) for pair in zip(order.tolist(), order[1:].tolist(), strict=False)}


@criterion(
    points=2,
    hints=[
        "How many rows has each batch, and which rows come in which epoch?",
        "In each epoch the order is drawn anew, and cut into pieces of 64; the last piece holds what is left.",
        "`order = rng.permutation(len(x))` stands inside the loop over the epochs, and "
        "`batch = order[start : start + 64]` inside the loop over `start`.",
    ],
)
def each_epoch_shows_every_sample_once_in_a_new_order(student, rng):
    """In each of the epochs, 20 by default, every sample is in one batch of at most 64, and the order is drawn anew."""
    for samples, epochs in ((int(rng.integers(130, 190)), 3), (128, 2)):
        require_epochs(student, rng, samples, epochs)
    x, labels = draw_mixed_clouds(rng, 70)
    noted = watch(student, x, labels, int(rng.integers(2**31)))
    expect_equal(len(noted), 40, what="the number of steps with 70 samples and epochs not given")


def require_epochs(student, rng, samples, epochs):
    x, labels = draw_mixed_clouds(rng, samples)
    noted = watch(student, x, labels, int(rng.integers(2**31)), epochs)
    steps = -(-samples // 64)
    expect_equal(len(noted), steps * epochs, what=f"the number of steps in {epochs} epochs with {samples} samples")
    sizes = [len(batch) for batch, _ in noted[:steps]]
    expect_equal(sizes, [64] * (steps - 1) + [samples - 64 * (steps - 1)], what="the sizes of the batches of an epoch")
    orders = [
        np.concatenate([batch for batch, _ in noted[start : start + steps]])
        for start in range(0, steps * epochs, steps)
    ]
    for order in orders:
        received = f"{len(np.unique(order))} different ones of {samples}"
        expect(
            np.array_equal(np.sort(order), np.arange(samples)), required="every row once in an epoch", received=received
        )
    different = len({order.tobytes() for order in orders}) == epochs
    expect(different, required="another order in each epoch", received="the same one again")
    known = neighbours(np.arange(samples))
    for order in orders:
        share = len(known & neighbours(order)) / (samples - 1)
        received = f"{share:.0%} of the samples stand beside the same one as in x or in an earlier epoch"
        expect(share < 0.25, required="a random order, not the old one moved or turned round", received=received)
        known |= neighbours(order)
    batches = [frozenset(batch.tolist()) for batch, _ in noted]
    required = "batches of other samples in each epoch"
    expect(len(set(batches)) == len(batches), required=required, received="the same batches in another order")


@criterion(
    points=2,
    hints=[
        "What does sgd_step return, and what do you do with both?",
        "The velocity of a step is needed in the next one: `params, velocity = sgd_step(params, grads, velocity, ...)`.",
        "Velocities are zero once, before the first epoch; learning rate 0.1, momentum 0.9; on_step comes after the step.",
    ],
)
def each_step_moves_every_weight_with_its_velocity(student, rng):
    """Each step is p - 0.1 v with v = 0.9 v + g, g the gradient of its own batch, for all params and in all epochs."""
    x, labels = draw_mixed_clouds(rng, int(rng.integers(130, 190)))
    seed = int(rng.integers(2**31))
    noted = watch(student, x, labels, seed, 3)
    drawn = expect_dict(student.train_mlp(x, labels, seed, 0), noted[0][1], "train_mlp(..., epochs=0)")
    start = {name: np.array(value, dtype=float) for name, value in drawn.items()}
    noted = [(noted[0][0], start), (noted[0][0], start), *noted]  # no velocity before the first step
    for (_, first), (_, second), (batch, third) in zip(noted, noted[1:], noted[2:], strict=False):
        logits, cache = forward(second, x[batch])
        grads = backward(second, cache, cross_entropy(logits, labels[batch])[1])
        for name, grad in grads.items():
            expected = 0.9 * (second[name] - first[name]) - 0.1 * grad
            moved = third[name] - second[name]
            expect_close(moved, expected, what=f"how far {name} moves in a step", tolerance=1e-5)


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
        "Use `steps.init_mlp(..., seed)` and one `rng = np.random.default_rng(seed)` for the order of the samples.",
    ],
)
def the_seed_decides_everything(student, rng):
    """The same seed gives exactly the same params again; another seed gives other first weights and another order."""
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
    drawn, others = (student.train_mlp(x, labels, number, 0)["W1"] for number in (seed, seed + 1))
    expect(not np.array_equal(drawn, others), required="other first weights from another seed", received="the same W1")
    mine, theirs = (watch(student, x, labels, number, 1)[0][0] for number in (seed, seed + 1))
    expect(not np.array_equal(mine, theirs), required="another order from another seed", received="the same batch")


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
def train_mlp(x, labels, seed, epochs=20, on_step=None):
    params = steps.init_mlp((x.shape[1], 128, int(labels.max()) + 1), seed)
    velocity = {name: np.zeros_like(value) for name, value in params.items()}
    rng = np.random.default_rng(seed)
    for _ in range(epochs):
        order = rng.permutation(len(x))
        for start in range(0, len(x), 64):
            batch = order[start : start + 64]
            logits, cache = steps.mlp_forward(params, x[batch])
            _, grad_logits = steps.softmax_cross_entropy(logits, labels[batch])
            grads = steps.mlp_backward(params, cache, grad_logits)
            params, velocity = steps.sgd_step(params, grads, velocity, 0.1, 0.9)
            if on_step:
                on_step(batch, params)
    return params
"""
SIZES, ORDER = "(x.shape[1], 128, int(labels.max()) + 1)", "order = rng.permutation(len(x))"
mutants(TRAIN, "*", [("imports the answer", TRAIN, "from llmcourse.steps.backprop import train_mlp")])
mutants(
    TRAIN,
    "the_params_fit_the_data",
    [
        ("784 inputs and ten classes in the code", SIZES, "(784, 128, 10)"),
        ("counts the classes that occur", "int(labels.max()) + 1", "len(np.unique(labels))"),
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
        ("the same first weights for every seed", f"{SIZES}, seed", f"{SIZES}, 0"),
        ("the same order for every seed", "default_rng(seed)", "default_rng(0)"),
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
        ("one epoch", "epochs=20", "epochs=1"),
    ],
)
mutants(
    TRAIN,
    "each_epoch_shows_every_sample_once_in_a_new_order",
    [
        (
            "one order for all epochs",
            "    for _ in range(epochs):\n        order = rng.permutation(len(x))\n",
            "    order = rng.permutation(len(x))\n    for _ in range(epochs):\n",
        ),
        (
            "moves the order on in each epoch",
            "    for _ in range(epochs):\n        order = rng.permutation(len(x))\n",
            "    order = rng.permutation(len(x))\n    for _ in range(epochs):\n        order = np.roll(order, 7)\n",
        ),
        (
            "the same batches in another order",
            "    for _ in range(epochs):\n        order = rng.permutation(len(x))\n",
            "    order = rng.permutation(len(x))\n    for _ in range(epochs):\n",
            "range(0, len(x), 64)",
            "rng.permutation(np.arange(0, len(x), 64))",
        ),
        ("three epochs by default", "epochs=20", "epochs=3"),
        ("ten epochs at most", "range(epochs)", "range(min(epochs, 10))"),
        (
            "returns the params before the last step",
            "            params, velocity",
            "            old = params\n            params, velocity",
            "return params",
            "return old",
        ),
        ("an empty batch at the end, where all are full", "range(0, len(x), 64)", "range(0, len(x) + 1, 64)"),
        ("the first batch once more", "range(0, len(x), 64)", "[*range(0, len(x), 64), 0]"),
        ("draws each batch anew", "order[start : start + 64]", "rng.integers(len(x), size=64)"),
        ("leaves the last samples out", "range(0, len(x), 64)", "range(0, len(x) - 63, 64)"),
        ("twenty epochs, whatever is asked for", "range(epochs)", "range(20)"),
        ("all samples in one batch", "order[start : start + 64]", "order"),
        ("never calls on_step", "            if on_step:\n                on_step(batch, params)\n", ""),
        (
            "the generator starts again in each epoch",
            "        order =",
            "        rng = np.random.default_rng(seed)\n        order =",
        ),
    ],
)
mutants(
    TRAIN,
    "each_step_moves_every_weight_with_its_velocity",
    [
        ("forgets the velocity", "params, velocity = steps.sgd", "params, _ = steps.sgd"),
        (
            "velocities start at zero in each epoch",
            "        order =",
            "        velocity = {name: 0 * value for name, value in params.items()}\n        order =",
        ),
        ("velocities begin with the params", "np.zeros_like(value)", "value.copy()"),
        ("a learning rate that shrinks", "0.1, 0.9", "0.1 * 0.99**_, 0.9"),
        (
            "weight decay besides",
            "            params, velocity",
            "            grads = {k: g + 1e-3 * params[k] for k, g in grads.items()}\n            params, velocity",
        ),
        (
            "limits the gradients",
            "            params, velocity",
            "            grads = {k: np.clip(g, -0.01, 0.01) for k, g in grads.items()}\n            params, velocity",
        ),
        ("no momentum", "0.1, 0.9", "0.1, 0.0"),
        ("a learning rate of its own", "0.1, 0.9", "0.05, 0.9"),
        (
            "the biases never move",
            "            params, velocity",
            "            grads = {k: g if k[0] == 'W' else 0 * g for k, g in grads.items()}\n            params, velocity",
        ),
        (
            "the first layer never moves",
            "            params, velocity",
            "            grads['W1'] = 0 * grads['W1']\n            params, velocity",
        ),
        ("labels of other samples", "labels[batch]", "labels[batch[::-1]]"),
        (
            "on_step sees the params before the step",
            "            params, velocity = steps.sgd_step(params, grads, velocity, 0.1, 0.9)\n            if on_step:\n                on_step(batch, params)\n",
            "            if on_step:\n                on_step(batch, {k: v - 0.1 * grads[k] for k, v in params.items()})\n            params, velocity = steps.sgd_step(params, grads, velocity, 0.1, 0.9)\n",
        ),
    ],
)

# --- right answers written otherwise ----------------------------------------------------------------------------------

accepted(
    "all by hand, in place, with a hidden layer of 100",
    """
def train_mlp(x, labels, seed, epochs=20, on_step=None):
    rng = np.random.default_rng(seed)
    count, d = x.shape
    c = labels.max() + 1
    p = {"W1": rng.normal(size=(d, 100)) * np.sqrt(2 / d), "b1": np.zeros(100)}
    p |= {"W2": rng.normal(size=(100, c)) * np.sqrt(2 / 100), "b2": np.zeros(c)}
    v = {k: np.zeros(a.shape) for k, a in p.items()}
    for epoch in range(epochs):
        order = rng.permutation(count)
        for rows in np.split(order, range(64, count, 64)):
            a = x[rows]
            h = a @ p["W1"] + p["b1"]
            r = np.where(h > 0, h, 0)
            z = r @ p["W2"] + p["b2"]
            e = np.exp(z - z.max(1, keepdims=True))
            d2 = (e / e.sum(1, keepdims=True) - np.eye(c)[labels[rows]]) / len(rows)
            d1 = (d2 @ p["W2"].T) * (h > 0)
            for k, g in {"W2": r.T @ d2, "b2": d2.sum(0), "W1": a.T @ d1, "b1": d1.sum(0)}.items():
                v[k] = 0.9 * v[k] + g
                p[k] = p[k] - 0.1 * v[k]
            if on_step is not None:
                on_step(rows, dict(p))
    return p
""",
)
accepted(
    "two hidden layers, a list of the rows, and shuffled in place",
    """
def train_mlp(x, labels, seed, epochs=20, on_step=None):
    sizes = (x.shape[1], 96, 48, len(set(range(int(max(labels)) + 1))))
    params = steps.init_mlp(sizes, seed)
    velocity = {k: 0.0 * v for k, v in params.items()}
    rng, order = np.random.default_rng([seed, 1]), np.arange(len(x))
    for _ in range(epochs):
        rng.shuffle(order)
        first = 0
        while first < len(order):
            batch = order[first : first + 64].copy()
            first += 64
            logits, cache = steps.mlp_forward(params, x[batch])
            grads = steps.mlp_backward(params, cache, steps.softmax_cross_entropy(logits, labels[batch])[1])
            params, velocity = steps.sgd_step(params, grads, velocity, momentum=0.9, learning_rate=0.1)
            (on_step or (lambda batch, params: None))([int(row) for row in batch], params)
    return params
""",
)
accepted(
    "batches from a generator",
    """
def batches(rng, count, epochs):
    for _ in range(epochs):
        order = rng.choice(count, size=count, replace=False)
        yield from (order[start : start + 64] for start in range(0, count, 64))

def train_mlp(x, labels, seed, epochs=20, on_step=None):
    params = steps.init_mlp([x.shape[1], 128, labels.max() + 1], seed)
    velocity = dict.fromkeys(params, 0.0)
    for batch in batches(np.random.default_rng(seed + 7), len(labels), epochs):
        logits, cache = steps.mlp_forward(params, np.take(x, batch, axis=0))
        _, delta = steps.softmax_cross_entropy(logits, np.take(labels, batch))
        params, velocity = steps.sgd_step(params, steps.mlp_backward(params, cache, delta), velocity, 0.1, 0.9)
        if on_step:
            on_step(batch, params)
    return params
""",
)
