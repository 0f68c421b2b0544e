"""Exercise `build_mlp`: what a right answer must do, and typical wrong ones."""

import numpy as np

from llmcourse.checking import accepted, criterion, expect, expect_close, expect_equal, mutants
from llmcourse.checking.gradients import expect_learning

from ..oracles import forward

DRIVE = """
def what_the_model_has(model, x):
    model(x, training=True)
    return [
        [list(each.shape) for each in model.trainable_variables],
        len(model.losses),
        sum(getattr(each, "constraint", None) is not None for each in model.trainable_variables),
    ]
"""
NAMES = ("W1", "b1", "W2", "b2")


def draw_weights(rng, hidden):
    sizes = [(784, hidden), (hidden,), (hidden, 10), (10,)]
    return [rng.normal(scale=scale, size=size) for scale, size in zip((0.05, 0.3, 0.3, 1.0), sizes, strict=True)]


@criterion(
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
    weights = draw_weights(rng, hidden)
    params = dict(zip(NAMES, weights, strict=True))
    model = student.build_mlp(hidden)
    model.set_weights([value.astype(np.float32) for value in weights])
    for samples in (7, 1):
        x = rng.uniform(size=(samples, 784))
        for scale, words in ((1, ""), (-1, " and negative inputs"), (1000, " and inputs up to 1,000")):
            what, expected = f"model(x) for N = {samples}{words}", forward(params, scale * x)[0] / abs(scale)
            logits = np.asarray(model((scale * x).astype(np.float32))) / abs(scale)
            expect_close(logits, expected, what=what, tolerance=1e-4)


@criterion(
    hints=[
        "Does your model compute something else while it is trained?",
        "Dropout, noise and batch normalisation behave in another way during training. This network has none of them.",
    ],
)
def training_and_prediction_are_the_same_function(student, rng):
    """With training=True the model gives the same logits as without."""
    hidden = int(rng.integers(5, 40))
    weights = draw_weights(rng, hidden)
    model, x = student.build_mlp(hidden), rng.uniform(size=(9, 784))
    model.set_weights([value.astype(np.float32) for value in weights])
    expected = forward(dict(zip(NAMES, weights, strict=True)), x)[0]
    for training in (True, False):
        logits = model(x.astype(np.float32), training=training)
        expect_close(logits, expected, what=f"model(x, training={training})", tolerance=1e-4)


@criterion(
    hints=[
        "With which weights does your model begin, and can all of them be trained?",
        "The initializers that Keras takes by itself are random. A layer with trainable=False never learns.",
        "No regularizer, no constraint, nothing that stops gradients: two plain Dense layers. Build new ones in each call.",
    ],
)
def all_four_arrays_can_learn(student, rng):
    """All four arrays are trained and nothing is added to the loss; each model has random weights of its own."""
    hidden = int(rng.integers(11, 40))
    model, other = student.build_mlp(hidden), student.build_mlp(hidden)
    for name, value in zip(("W1", "W2"), model.get_weights()[::2], strict=True):
        different = len(np.unique(np.asarray(value), axis=1).T)
        required = f"{name} begins with random numbers, another column for each unit"
        expect(different == np.shape(value)[1], required=required, received=f"{different} different columns")
    x = rng.uniform(size=(40, 784)).astype(np.float32)
    student.define(DRIVE)
    shapes, losses, constraints = student.what_the_model_has(model, x)
    expect_equal(shapes, [[784, hidden], [hidden], [hidden, 10], [10]], what="the shapes of model.trainable_variables")
    expect(losses == 0, required="no term that is added to the loss", received=f"{losses} of them")
    expect(constraints == 0, required="no constraint on the weights", received=f"{constraints} of them")
    expect_learning(student, model, x, what="the model")
    model.set_weights([value.astype(np.float32) for value in draw_weights(rng, hidden)])
    same = all(np.array_equal(a, b) for a, b in zip(model.get_weights(), other.get_weights(), strict=True))
    expect(not same, required="a new model in each call of build_mlp", received="the same one again")


# --- typical wrong answers, each with the criterion that must catch it ------------------------------------------------

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
mutants(MODEL, "*", [("imports the answer", MODEL, "from llmcourse.steps.backprop import build_mlp")])
mutants(
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
    MODEL,
    "the_weights_have_the_shapes_of_the_numpy_network",
    [("no Input, so no weights before the first call", "keras.Input((784,)),", "")],
)
mutants(
    MODEL,
    "its_logits_are_those_of_the_numpy_network",
    [
        ("a softmax at the end", "Dense(10)", 'Dense(10, activation="softmax")'),
        ("a ReLU at the end", "Dense(10)", 'Dense(10, activation="relu")'),
        ("no activation in the hidden layer", ', activation="relu"', ""),
        ("sigmoid instead of ReLU", '"relu"', '"sigmoid"'),
        ("GELU instead of ReLU", '"relu"', '"gelu"'),
        ("a ReLU that saturates", '"relu"', '"relu6"'),
        ("limits the inputs", HIDDEN, f"keras.layers.Lambda(lambda x: keras.ops.clip(x, 0, 1)), {HIDDEN}"),
        ("limits the logits", "Dense(10)", "Dense(10, activation=lambda z: keras.ops.clip(z, -50, 50))"),
        ("normalises the hidden units", HIDDEN, f"{HIDDEN}, keras.layers.UnitNormalization()"),
        ("scales the pixels a second time", HIDDEN, f"keras.layers.Rescaling(1 / 255), {HIDDEN}"),
        ("wants images of 28 by 28", "keras.Input((784,)),", "keras.Input((28, 28)), keras.layers.Flatten(),"),
    ],
)

mutants(
    MODEL,
    "training_and_prediction_are_the_same_function",
    [
        ("dropout", HIDDEN, f"{HIDDEN}, keras.layers.Dropout(0.5)"),
        ("noise", HIDDEN, f"keras.layers.GaussianNoise(0.1), {HIDDEN}"),
    ],
)
mutants(
    MODEL,
    "all_four_arrays_can_learn",
    [
        ("weights that are all zero", 'activation="relu"', 'activation="relu", kernel_initializer="zeros"'),
        ("logits that all begin alike", "Dense(10)", 'Dense(10, kernel_initializer="ones")'),
        ("a hidden layer that is not trained", 'activation="relu"', 'activation="relu", trainable=False'),
        ("a penalty on the weights", 'activation="relu"', 'activation="relu", kernel_regularizer="l2"'),
        ("a penalty on the hidden units", 'activation="relu"', 'activation="relu", activity_regularizer="l2"'),
        ("weights that cannot be negative", 'activation="relu"', 'activation="relu", kernel_constraint="non_neg"'),
        ("cuts the way back", '"relu"', "lambda z: keras.ops.stop_gradient(keras.ops.relu(z))"),
        (
            "one model for all calls",
            "(hidden_units):",
            "(hidden_units, made={}):",
            "return keras.Sequential(",
            "return made.setdefault(hidden_units, keras.Sequential(",
            "        ]\n    )",
            "        ]\n    ))",
        ),
    ],
)

# --- right answers written otherwise ----------------------------------------------------------------------------------

accepted(
    "the functional interface",
    """
import keras

def build_mlp(hidden_units):
    inputs = keras.Input(shape=(784,))
    hidden = keras.layers.Dense(hidden_units)(inputs)
    hidden = keras.layers.ReLU()(hidden)
    return keras.Model(inputs, keras.layers.Dense(10)(hidden))
""",
)
accepted(
    "layers added one by one, with names",
    """
from keras import Sequential, layers

def build_mlp(hidden_units):
    model = Sequential(name="mlp")
    model.add(layers.InputLayer(shape=(784,)))
    model.add(layers.Dense(units=hidden_units, activation="linear", name="hidden"))
    model.add(layers.Activation("relu"))
    model.add(layers.Dense(units=10, activation=None, name="logits"))
    return model
""",
)
accepted(
    "built by its input shape, with another initializer",
    """
import keras

def build_mlp(hidden_units):
    model = keras.Sequential([
        keras.layers.Dense(hidden_units, keras.ops.relu, kernel_initializer="he_normal"),
        keras.layers.Dense(10),
    ])
    model.build((None, 784))
    return model
""",
)
accepted(
    "a subclass that is called once",
    """
import keras

class Network(keras.Model):
    def __init__(self, units):
        super().__init__()
        self.hidden, self.last = keras.layers.Dense(units), keras.layers.Dense(10)

    def call(self, x):
        return self.last(keras.ops.maximum(self.hidden(x), 0))

def build_mlp(hidden_units):
    model = Network(hidden_units)
    model(np.zeros((1, 784), dtype="float32"))
    return model
""",
)
