"""Exercise `build_mlp`: what a right answer must do, and typical wrong ones."""

import numpy as np

from llmcourse.checking import accepted, criterion, expect_close, expect_equal, mutants

from ..oracles import forward


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
        ("scales the pixels a second time", HIDDEN, f"keras.layers.Rescaling(1 / 255), {HIDDEN}"),
        ("wants images of 28 by 28", "keras.Input((784,)),", "keras.Input((28, 28)), keras.layers.Flatten(),"),
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
