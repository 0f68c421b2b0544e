# %% [markdown]
# # A neural network from scratch
#
# In the next two and a half hours you build a neural network that reads handwritten digits. You write every part of it
# yourself, in plain NumPy: the neurons, the loss, the gradients, the training. At the end you write the same network
# again, in three lines of Keras, and you will know exactly what those three lines do.
#
# **What you will be able to do**
#
# - say what a layer of neurons computes, with the shape of every array;
# - explain why a network needs a bend such as ReLU, and why classes are learned with softmax and cross-entropy;
# - derive backpropagation, write it for any number of layers, and *prove* to yourself that it is right;
# - train a network, choose its learning rate from a plot, and see when it only learns by heart;
# - build the same network in Keras and carry the weights over.
#
# **What you need:** Python, NumPy arrays (shapes, slices, `@` for the matrix product), and the derivative of a function
# of one variable with the chain rule. Nothing else: no earlier knowledge of machine learning, and no graphics card.
#
# | part | | minutes | exercise |
# | --- | --- | ---: | --- |
# | 1 | The digits | 5 | |
# | 2 | A neuron, and a layer of neurons | 15 | 1 `dense_forward` |
# | 3 | A bend in the line: ReLU | 10 | 2 `relu`, `relu_backward` |
# | 4 | One number for "how wrong": the loss | 10 | 3 `mse` |
# | 5 | Classes: softmax and cross-entropy | 25 | 4 `softmax_cross_entropy` |
# | 6 | Is this gradient right? | 15 | 5 `gradient_check` |
# | 7 | Backpropagation | 30 | 6 `mlp_backward` |
# | 8 | Downhill: gradient descent with momentum | 15 | 7 `sgd_step` |
# | 9 | Training on real digits | 15 | 8 `train_mlp` |
# | 10 | The same network in Keras | 10 | 9 `build_mlp` |
#
# **How it works.** Replace `raise NotImplementedError` by your code, run the cell, then run the `check` cell below it.
# It says what is right and what is not, and gives one hint more each time you ask. `check.reset("relu")` prints the
# code that you started from, and after three honest tries `check.solution("relu")` shows our answer.
#
# If you are stuck, go on: the package contains a tested version of every function that you are asked to write, and all
# later cells use that one, as `steps.relu`, `steps.mse` and so on. (The checks notice when an exercise calls its own tested
# version. They are right to.)
#
# **Letters.** In every shape, `N` is the number of samples, `D` the number of input features, `U` the number of units
# (neurons) of a layer, and `C` the number of classes. `(N, D)` is an array with N rows and D columns.

# %% tags=["nbval-ignore-output"]
import numpy as np

from llmcourse import lesson, plots, setup
from llmcourse.data import load_mnist
from llmcourse import steps

setup(seed=0)
check = lesson("mlp")

# %% [markdown]
# ## 1. The digits
#
# MNIST is a collection of digits that employees of the US Census Bureau and high-school students wrote by hand around
# 1990. Each image has 28 × 28 pixels. A pixel is a number from 0 (paper) to 255 (ink). We work with 5,000 of them:
#       4,000 to learn from and 1,000 to test with. The network never sees the test digits while it learns; only then
#       can they tell us what it has really learned.

# %% tags=["explore"]
digits = load_mnist("small")
print("training images:", digits.x_train.shape, digits.x_train.dtype, "  labels:", digits.y_train.shape)
print("test images:    ", digits.x_test.shape, digits.x_test.dtype, "  labels:", digits.y_test.shape)
plots.digits(digits.x_train[:30], digits.y_train[:30], title="Thirty of the 4,000 digits to learn from")

# %% [markdown]
# A network takes a plain list of numbers, so we lay the 28 rows of an image end to end: 28 · 28 = 784 numbers, its
# **features**. We also divide by 255, so that they lie between 0 and 1. All samples together are one array `x` of shape
# `(N, D)` with `D = 784`: **one sample in each row**.

# %% tags=["explore"]
x_train, y_train = digits.x_train.reshape(-1, 784) / 255, digits.y_train
x_test, y_test = digits.x_test.reshape(-1, 784) / 255, digits.y_test
print("x_train:", x_train.shape, x_train.dtype, "from", x_train.min(), "to", x_train.max())

# %% [markdown]
# > **Think first.** How would you write a program, without learning, that tells a 1 from a 7? Try to say the rule in
# > one sentence. Then look for a digit above that breaks your rule.
#
# The idea of this lesson: we do not write the rule. We write a formula with many adjustable numbers, the
# **parameters**, and a procedure that adjusts them until the formula gives the right answers.

# %% [markdown]
# ## 2. A neuron, and a layer of neurons
#
# A **neuron** multiplies each input by a **weight**, adds up the products, and adds one more number, its **bias**:
#
# $$z = x_1 w_1 + x_2 w_2 + \dots + x_D w_D + b$$
#
# A small example with three inputs:
#
# | | 1 | 2 | 3 | |
# | --- | ---: | ---: | ---: | --- |
# | input $x$ | 2 | −1 | 3 | |
# | weight $w$ | 0.5 | 2 | 1 | |
# | product | 1 | −2 | 3 | sum: 2 |
#
# With the bias $b = 0.5$ the neuron answers $z = 2 + 0.5 = 2.5$. A large positive weight says "this input speaks for
# it", a negative weight "this input speaks against it", and the bias says how easily the neuron answers with a large
# number whatever the input is. This function, products plus a constant, is called an **affine map**. (In the picture,
# ignore $g$ for a moment. It is the subject of part 3.)

# %% tags=["explore"]
plots.neuron()

# %% [markdown]
# ### From one neuron to a layer, from one sample to many
#
# A layer has $U$ neurons that all look at the same inputs. Put the weights of each neuron into one **column** of a
# matrix $W$ of shape $(D, U)$, and the biases into a vector $b$ of shape $(U,)$. Put each sample into one **row** of
# $X$ (`x` in the code), shape $(N, D)$. Then one matrix product computes everything at once:
#
# $$
# \underbrace{Z}_{(N,\,U)} = \underbrace{X}_{(N,\,D)}\;\underbrace{W}_{(D,\,U)} + \underbrace{b}_{(U,)}
# \qquad\text{entry by entry:}\qquad
# Z[n, u] = \sum_{d=1}^{D} X[n, d]\; W[d, u] + b[u]
# $$
#
# $Z[n, u]$ is the answer of neuron $u$ to sample $n$. The two inner sizes, $D$ and $D$, must agree and disappear; the
# outer ones, $N$ and $U$, stay. The bias has no sample index: NumPy lines up shapes from the right, so adding a `(U,)`
# array to an `(N, U)` array adds it to **every row**. That is exactly what we want, since the bias belongs to the
# neuron and not to the sample.
#
# Two samples, three features, two neurons (the first one is the neuron from above):
#
# $$
# \begin{pmatrix} 2 & -1 & 3 \\ 1 & 0 & 0 \end{pmatrix}
# \begin{pmatrix} 0.5 & 1 \\ 2 & 0 \\ 1 & -1 \end{pmatrix}
# + \begin{pmatrix} 0.5 & 10 \end{pmatrix}
# = \begin{pmatrix} 2 & -1 \\ 0.5 & 1 \end{pmatrix} + \begin{pmatrix} 0.5 & 10 \end{pmatrix}
# = \begin{pmatrix} 2.5 & 9 \\ 1 & 11 \end{pmatrix}
# $$

# %% [markdown]
# ### Exercise 1: a layer of neurons
#
# Write `dense_forward`. ("Dense" because every neuron is connected to every input. "Forward" because in part 7 we also
# go backward.) One line is enough.


# %% exercise="dense_forward" forbid=["llmcourse.steps.mlp.dense_forward"]
def dense_forward(x, weights, bias):
    """Compute what each neuron of a layer answers to each sample.

    Args:
        x: float array (N, D), one sample in each row.
        weights: float array (D, U), the weights of one neuron in each column.
        bias: float array (U,), one number for each neuron.

    Returns:
        Float array (N, U): row n, column u is the answer of neuron u to sample n.
    """
    ### BEGIN SOLUTION
    return x @ weights + bias
    ### END SOLUTION


# %% check="dense_forward"
check("dense_forward")

# %% [markdown]
# ### A look at what it did: ten neurons, no learning
#
# One layer can already read digits, if we choose its weights with a little thought. Let $m_c$ be the mean of all
# training images of class $c$, a blurred digit of shape $(784,)$. A new image $x$ should belong to the class whose mean
# is nearest, that is, whose squared distance is smallest. With $\lVert x \rVert^2$ for the sum of the squares of all
# entries and $x \cdot m$ for the sum of the products:
#
# $$
# \lVert x - m_c \rVert^2
# = \lVert x \rVert^2 - 2\,\bigl(\underbrace{x \cdot m_c - \tfrac12 \lVert m_c \rVert^2}_{z_c}\bigr)
# $$
#
# The first term is the same for all ten classes. So the nearest mean is the one with the largest $z_c$, and $z_c$ is
# the answer of a neuron with weights $w = m_c$ and bias $b = -\frac12\lVert m_c\rVert^2$. Ten classes, ten neurons, one
# affine map.

# %% tags=["explore"]
means = np.stack([x_train[y_train == c].mean(axis=0) for c in range(10)], axis=1)  # (784, 10)
bias = -0.5 * (means**2).sum(axis=0)  # (10,)
answers = steps.dense_forward(x_test, means, bias)  # (1000, 10); put your own dense_forward here
accuracy = (answers.argmax(axis=1) == y_test).mean()
print(f"share of test digits recognised: {accuracy:.2f}")
# Subtracting one vector from all ten columns changes no comparison, and shows what sets each class apart.
plots.weight_images(
    means - means.mean(axis=1, keepdims=True),
    columns=5,
    title="Ten neurons made of ten means",
)

# %% [markdown]
# Four of five digits, without any learning! Remember this number: everything that follows is about the fifth digit.
#
# **Common mistakes**
#
# - `weights @ x`: the samples are the rows, so `x` stands on the left.
# - A bias of shape `(U, 1)`. A `(U,)` array is added to every row; a `(U, 1)` array is not.
# - Two layers instead of one, with nothing between them. Why is that a mistake?
#
# > **Think first.** Put two affine maps one after the other: $Y = (X W_1 + b_1)\,W_2 + b_2$. What has been gained?
#
# <details>
# <summary>Answer</summary>
#
# Nothing. Multiply it out: $Y = X\,(W_1 W_2) + (b_1 W_2 + b_2)$. That is one affine map again, with the weights
# $W_1 W_2$ and the bias $b_1 W_2 + b_2$. However many affine maps you stack, one is enough to replace them all.
# Something has to stand between them that is not affine.
#
# </details>

# %% [markdown]
# ## 3. A bend in the line: ReLU
#
# Between two affine maps we put a function $g$ that is not affine, and apply it to every entry separately. It is called
# an **activation function**. Two of them have made history:
#
# $$
# \text{sigmoid:}\quad \sigma(z) = \frac{1}{1 + e^{-z}}, \quad \sigma'(z) = \sigma(z)\,\bigl(1 - \sigma(z)\bigr)
# \qquad\qquad
# \text{ReLU:}\quad \operatorname{relu}(z) = \max(z, 0), \quad
# \operatorname{relu}'(z) = \begin{cases} 1 & z > 0 \\ 0 & z < 0 \end{cases}
# $$
#
# ReLU ("rectified linear unit") is as simple as a bend can be: negative numbers become 0, all others stay.


# %% tags=["explore"]
def sigmoid(z):
    return 1 / (1 + np.exp(-z))


plots.activations(
    {
        "sigmoid": (sigmoid, lambda z: sigmoid(z) * (1 - sigmoid(z))),
        "ReLU": (steps.relu, lambda z: steps.relu_backward(np.ones_like(z), z)),
    }
)

# %% [markdown]
# Look at the derivatives. They decide how well a network learns, because the chain rule multiplies one of them for each
# layer.
#
# > **Think first.** The derivative of the sigmoid is at most 1/4. What is left of a derivative after it has come back
# > through ten layers of sigmoids?
#
# <details>
# <summary>Answer</summary>
#
# The ten sigmoids multiply it by at most $(1/4)^{10}$, which is less than one millionth. The first layers hardly learn
# anything; this is the *vanishing gradient*. The derivative of ReLU is exactly 1 wherever the unit is active, so there
# the gradient comes back undiminished. This is a main reason why ReLU has replaced the sigmoid inside networks.
#
# </details>
#
# ### The way back
#
# Learning runs through the network in both directions. Forward, ReLU is given $z$ and returns
# $a = \operatorname{relu}(z)$. From $a$ the rest of the network computes, in the end, a single number $J$, which says
# how wrong it is (the loss of part 4). Backward, ReLU is told how sensitive $J$ is to each entry of $a$. For one entry
# this is the derivative $\partial J/\partial a$; the round $\partial$ says that only this entry moves and all others
# are held still. The array of all of them has the shape of $a$ and is called the **upstream** gradient. ReLU must
# answer with the same for its own input, $\partial J/\partial z$.
#
# The chain rule says how. If $z$ moves a little, $a$ moves $\operatorname{relu}'(z)$ times as much, and $J$ moves
# $\partial J/\partial a$ times as much as that. Since each entry of $a$ depends only on the same entry of $z$:
#
# $$
# \underbrace{\frac{\partial J}{\partial z}}_{\text{shape of } z}
# = \underbrace{\frac{\partial J}{\partial a}}_{\text{upstream}} \;\odot\; \operatorname{relu}'(z)
# $$
#
# The sign $\odot$ means: multiply entry by entry (in NumPy simply `*`). A small example:
#
# | | | | | |
# | --- | ---: | ---: | ---: | ---: |
# | $z$ | −2 | 3 | 0.5 | 0 |
# | $\operatorname{relu}(z)$ | 0 | 3 | 0.5 | 0 |
# | upstream | 10 | 20 | −30 | 40 |
# | $\operatorname{relu}'(z)$ | 0 | 1 | 1 | 0 |
# | $\partial J/\partial z$ | 0 | 20 | −30 | 0 |
#
# So the gradient passes where $z > 0$ and stops elsewhere. Exactly at $z = 0$ there is no derivative; like most
# programs, we take 0 there. Note that the upstream gradient may well be negative: **where** it passes depends on $z$
# alone.

# %% [markdown]
# ### Exercise 2: ReLU, forward and backward
#
# Two tools: `np.maximum` compares two arrays, or an array and a number, entry by entry. And `z > 0` is an array of True
# and False, which count as 1 and 0 in a product.


# %% exercise="relu" names=["relu", "relu_backward"] forbid=["llmcourse.steps.mlp.relu", "llmcourse.steps.mlp.relu_backward"]
def relu(z):
    """Replace negative entries by zero and keep all others.

    Args:
        z: float array of any shape; it stays as it is.

    Returns:
        Float array of the same shape.
    """
    ### BEGIN SOLUTION
    return np.maximum(z, 0)
    ### END SOLUTION


def relu_backward(upstream, z):
    """Carry a gradient back through relu.

    Args:
        upstream: float array, the derivative of the loss by relu(z).
        z: float array of the same shape, what relu was given. Where z is exactly 0, the derivative counts as 0.

    Returns:
        Float array of the same shape, the derivative of the loss by z.
    """
    ### BEGIN SOLUTION
    return upstream * (z > 0)
    ### END SOLUTION


# %% check="relu"
check("relu")

# %% [markdown]
# ### A look at what it did: two bends solve what no line can
#
# "Exactly one of the two" (XOR) is the classic problem that one affine map cannot solve: no straight line separates the
# two classes below. Two ReLU units can, even with weights chosen by hand. Let $s = x_1 + x_2$, which is 0, 1 or 2. Then
#
# $$
# \operatorname{relu}(s) - 2\,\operatorname{relu}(s - 1)
# \quad\text{is}\quad 0,\; 1,\; 0 \quad\text{for}\quad s = 0,\; 1,\; 2 .
# $$

# %% tags=["explore"]
W1, b1 = np.array([[1.0, 1.0], [1.0, 1.0]]), np.array([0.0, -1.0])  # two hidden units: s and s - 1
W2, b2 = np.array([[1.0], [-2.0]]), np.array([0.0])  # one output: relu(s) - 2 relu(s - 1)


def exactly_one(points):
    """Say for each point (N, 2) whether the output is above one half: (N,)."""
    hidden = steps.relu(steps.dense_forward(points, W1, b1))
    return (steps.dense_forward(hidden, W2, b2)[:, 0] > 0.5).astype(int)


corners = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
plots.decision_regions(
    exactly_one,
    corners,
    np.array([0, 1, 1, 0]),
    class_names=["both or none", "exactly one"],
    title="Two ReLU units cut the plane twice",
)

# %% [markdown]
# An affine map, a bend, an affine map: this is already a **multilayer perceptron** (MLP), a neural network with one
# hidden layer. With enough hidden units it can come as close as you like to any continuous function on a bounded region
# (Goodfellow et al., section 6.4.1, tell the story of this theorem). The catch is to find the weights. Nobody can
# choose 100,000 of them by hand. From here on, the lesson is about finding them.
#
# **Common mistakes**
#
# - `np.max(z, 0)` instead of `np.maximum(z, 0)`: the first takes the largest entry of each column.
# - `z[z < 0] = 0; return z` changes the caller's array, and the value of $z$ that the way back needs is lost.
# - In the way back, asking for the sign of `upstream` instead of the sign of `z`.

# %% [markdown]
# ## 4. One number for "how wrong": the loss
#
# To improve, a network needs to know how wrong it is: one number, the **loss** $J$, small when it is right. For
# quantities (a price, a temperature), the usual choice is the **mean squared error**. With predictions $p$ and targets
# $t$ of the same shape, and $n$ entries in all (for shape $(N, U)$ that is $n = N \cdot U$):
#
# $$
# J = \frac{1}{n} \sum_{i=1}^{n} (p_i - t_i)^2
# \qquad\qquad
# \frac{\partial J}{\partial p_i} = \frac{2\,(p_i - t_i)}{n}
# $$
#
# The derivative follows in one step: only one of the $n$ terms contains $p_i$. All these derivatives together, arranged
# like $p$ itself, are the **gradient** of the loss with respect to the prediction. An example with $n = 2$:
#
# | | | | |
# | --- | ---: | ---: | --- |
# | prediction $p$ | 2.5 | 0.0 | |
# | target $t$ | 3.0 | −1.0 | |
# | difference $p - t$ | −0.5 | 1.0 | |
# | square | 0.25 | 1.0 | mean: $J = 0.625$ |
# | gradient $2(p-t)/n$ | −0.5 | 1.0 | |
#
# Read the gradient as advice. The first entry is negative: *raise* this prediction and the loss falls. The second is
# positive: *lower* this one. And it says how much: lower the second prediction by 0.01, and the loss falls by about
# $1.0 \cdot 0.01$.

# %% [markdown]
# ### Exercise 3: the mean squared error and its gradient


# %% exercise="mse" forbid=["llmcourse.steps.mlp.mse", "sklearn.metrics.mean_squared_error"]
def mse(prediction, target):
    """Compute the mean squared error and its gradient with respect to the prediction.

    Args:
        prediction: float array of any shape.
        target: float array of the same shape.

    Returns:
        A pair: the loss, one number, the mean over all entries; and the gradient, a float array of the same shape.
    """
    ### BEGIN SOLUTION
    difference = prediction - target
    loss = np.mean(difference**2)
    grad = 2 * difference / difference.size
    return loss, grad
    ### END SOLUTION


# %% check="mse"
check("mse")

# %% [markdown]
# ### A look at what it did: follow the advice
#
# We repeat three things: compute the loss, ask for the gradient, and move the prediction a little against it.

# %% tags=["explore"]
prediction, target = np.array([2.5, 0.0]), np.array([3.0, -1.0])
losses = []
for _ in range(12):
    loss, grad = steps.mse(prediction, target)
    losses.append(loss)
    prediction = prediction - 0.3 * grad
print("the prediction went to", prediction.round(2), "- the target is", target)
plots.learning_curves({"loss": losses}, xlabel="step", title="Each step against the gradient makes the loss smaller")

# %% [markdown]
# This is the whole idea of training. What is missing: the prediction is not free to move, only the *weights* are. Parts
# 6 and 7 carry the gradient back to them.
#
# **Common mistakes**
#
# - The sum instead of the mean: twice the data, twice the loss, and every learning rate must be chosen anew.
# - The mean in the loss but not in the gradient. Always ask: which $1/n$ stands in front of the loss? It stands in
#   front of the gradient too.
# - A prediction of shape `(N, 1)` and a target of shape `(N,)`. NumPy broadcasts the difference to `(N, N)` and says
#   nothing.

# %% [markdown]
# ## 5. Classes: softmax and cross-entropy
#
# A digit is not a quantity. To take a 5 for a 3 is not to be "two off", and 4 is not halfway between them. So the
# network gets **one output for each class**, $C$ of them. They are called **logits**, and they may be any real numbers.
# Softmax turns them into probabilities, positive and with sum 1:
#
# $$p_c = \frac{e^{z_c}}{\sum_{k=1}^{C} e^{z_k}}$$
#
# For the logits $z = (2,\; 1,\; 0.1)$: the exponentials are $7.39,\; 2.72,\; 1.11$, their sum is $11.21$, and so
# $p = (0.66,\; 0.24,\; 0.10)$.

# %% tags=["explore"]
plots.softmax_bars(np.array([2.0, 1.0, 0.1]))

# %% [markdown]
# Only **differences** between logits count: add the same number $m$ to all of them, and every exponential is multiplied
# by $e^m$, which cancels in the fraction. Remember this; it will save us in a moment.
#
# ### The loss: minus the logarithm of the right probability
#
# Let $y$ be the right class of a sample. The **cross-entropy** looks at one probability only, the one that the network
# gave to the right class ($\log$ is the natural logarithm, `np.log`):
#
# $$J = -\log p_y$$
#
# | $p_y$ | 1 | 0.9 | 0.5 | 0.1 | 0.01 | 0.0001 |
# | --- | ---: | ---: | ---: | ---: | ---: | ---: |
# | $-\log p_y$ | 0 | 0.11 | 0.69 | 2.30 | 4.61 | 9.21 |
#
# A network that is right and sure pays nothing; one that is wrong and sure pays a lot. (Why a logarithm? The
# probability of getting *all* samples right is the product of their probabilities $p_y$. The logarithm turns this
# product into a sum, and the sum into something that we can average over samples. To minimise the mean of $-\log p_y$
# is to make the labels that we have seen as likely as possible.)
#
# > **Think first.** A new network with ten classes knows nothing, and gives all of them about the same probability.
# > What is its loss?
#
# <details>
# <summary>Answer</summary>
#
# $-\log \frac{1}{10} = \log 10 \approx 2.30$. Keep this number in mind. If the loss of your untrained network is far
# from $\log C$, something is wrong before the training has begun.
#
# </details>
#
# ### Why not simply the squared error of the probabilities?
#
# Because the network that most needs to learn would learn least. Take two classes. Softmax gives the first one
# $p = e^{z_1} / (e^{z_1} + e^{z_2}) = 1 / (1 + e^{-(z_1 - z_2)})$, the sigmoid of the difference $z = z_1 - z_2$. Let
# the first class be the right one, so that $p$ should be 1:

# %% tags=["explore"]
plots.loss_shapes()

# %% [markdown]
# On the far left the network is wrong and sure of it. There the squared error is flat: its gradient is almost 0, and
# the network learns next to nothing from its worst mistakes. The gradient of the cross-entropy is close to −1 and pulls
# with full strength.
#
# ### The gradient
#
# Take one sample and write the loss with the definition of $p_y$:
#
# $$J = -\log \frac{e^{z_y}}{\sum_k e^{z_k}} = -z_y + \log \sum_k e^{z_k}$$
#
# Now take the derivative by the logit $z_c$. The first term gives $-1$ if $c$ is the right class and $0$ otherwise. The
# second gives, by the chain rule, $e^{z_c} / \sum_k e^{z_k}$, which is $p_c$ itself:
#
# $$
# \frac{\partial J}{\partial z_c} = p_c - [c = y]
# \qquad\text{where } [c = y] \text{ is 1 if } c = y \text{ and 0 otherwise.}
# $$
#
# "What you said, minus what is right." In the example above, with class 0 the right one, the gradient is
# $(0.66 - 1,\; 0.24,\; 0.10) = (-0.34,\; 0.24,\; 0.10)$: raise the first logit, lower the others. Its entries always
# sum to 0.
#
# With $N$ samples the loss is the **mean** over the samples. So every row gets a factor $1/N$. With the probabilities
# in an array $P$ of shape $(N, C)$:
#
# $$
# J = -\frac1N \sum_{n=1}^{N} \log P[n, y_n]
# \qquad\qquad
# \underbrace{\frac{\partial J}{\partial Z}}_{(N,\,C)} = \frac{P - Y}{N}
# $$
#
# Row $n$ of $Y$, shape $(N, C)$, has a 1 in column $y_n$ and 0 elsewhere. Such a row is called **one-hot**.
#
# ### Large logits, and how to survive them
#
# On a computer $e^{1000}$ is `inf`, and `inf / inf` is `nan`. At the other end $e^{-1000}$ is exactly 0, and $\log 0$
# is `-inf`. Both happen in real training, and one `nan` is enough to ruin every weight. Two steps make the loss safe
# for any logits:
#
# 1. **Subtract from each row its maximum** $m = \max_k z_k$. Only differences count, so nothing changes. But now the
#    largest exponential is $e^0 = 1$: none can overflow, and the sum is at least 1.
# 2. **Never take the logarithm of a probability.** Work the logarithm out on paper:
#
# $$\log p_c = (z_c - m) - \log \sum_{k} e^{z_k - m}$$
#
# The logarithm on the right is taken of a number from 1 to $C$, which is always safe. (The expression
# $m + \log\sum_k e^{z_k - m}$ is known as *log-sum-exp*.) The probabilities themselves are $p_c = e^{\log p_c}$.
#
# ### Two tools from NumPy
#
# `keepdims=True` keeps the summed axis as an axis of length 1, so that the result fits back onto the rows. And a pair
# of index arrays picks one entry from each row:

# %% tags=["explore"]
table = np.array([[10, 11, 12], [20, 21, 22]])  # (2, 3)
print(
    "one maximum for each row:", table.max(axis=1).shape, "and with keepdims:", table.max(axis=1, keepdims=True).shape
)
rows, columns = np.arange(2), np.array([2, 0])
print("column 2 of row 0, column 0 of row 1:", table[rows, columns])
table[rows, columns] -= 10  # the same two entries can be changed in place
print(table)

# %% [markdown]
# ### Exercise 4: softmax cross-entropy and its gradient


# %% exercise="softmax_cross_entropy" forbid=["llmcourse.steps.mlp.softmax_cross_entropy", "scipy.special.softmax", "scipy.special.log_softmax", "scipy.special.logsumexp", "sklearn.metrics.log_loss"]
def softmax_cross_entropy(logits, labels):
    """Compute the cross-entropy of the softmax of some logits, and its gradient with respect to the logits.

    Args:
        logits: float array (N, C), any numbers, also -10,000 or 10,000; it stays as it is.
        labels: integer array (N,), the right class of each sample, from 0 to C-1.

    Returns:
        A pair: the loss, one number, the mean over the N samples; and the gradient, a float array (N, C).
    """
    ### BEGIN SOLUTION
    shifted = logits - logits.max(axis=1, keepdims=True)  # (N, C), at most 0
    log_probs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    rows = np.arange(len(labels))
    loss = -log_probs[rows, labels].mean()
    grad_logits = np.exp(log_probs)
    grad_logits[rows, labels] -= 1
    return loss, grad_logits / len(labels)
    ### END SOLUTION


# %% check="softmax_cross_entropy"
check("softmax_cross_entropy")

# %% [markdown]
# ### A look at what it did

# %% tags=["explore"]
labels = np.array([0, 3, 9])
loss, grad = steps.softmax_cross_entropy(np.zeros((3, 10)), labels)
print(f"ten equal logits: loss {loss:.3f}, and log(10) is {np.log(10):.3f}")
loss, grad = steps.softmax_cross_entropy(np.array([[10000.0, -10000.0]]), np.array([1]))
print(f"wrong and very sure: loss {loss:.0f}, gradient {grad}")

# %% [markdown]
# **Common mistakes**
#
# - Softmax over the wrong axis. The probabilities of **one sample** sum to 1, so the sum runs over the columns,
#   `axis=1`.
# - One maximum for the whole array. A row whose logits are all far below it becomes a row of zeros, and its logarithm
#   is `-inf`.
# - `np.log(p + 1e-9)` as a remedy. It hides the `nan`, but the loss of a wrong and sure answer is cut off at about 21.
# - Forgetting $1/N$ in the gradient. The network still learns, just with a learning rate that
#   depends on the batch. That is why we now build a tool that finds such mistakes.

# %% [markdown]
# ## 6. Is this gradient right?
#
# A wrong gradient rarely crashes. Often the loss still falls, only more slowly, and you look for the fault for days.
# There is a simple and merciless test: **move one number a little, and see what the loss really does.**
#
# For a function $f$ of one number, with a small step $\varepsilon$ (epsilon):
#
# $$
# \text{one-sided: } f'(p) \approx \frac{f(p + \varepsilon) - f(p)}{\varepsilon}
# \qquad\qquad
# \text{central: } f'(p) \approx \frac{f(p + \varepsilon) - f(p - \varepsilon)}{2\,\varepsilon}
# $$
#
# Try it with $f(p) = p^3$ at $p = 2$, where $f'(p) = 3p^2 = 12$. With $\varepsilon = 0.1$ the one-sided difference
# gives $(9.261 - 8) / 0.1 = 12.61$, the central one $(9.261 - 6.859) / 0.2 = 12.01$. The error of the one-sided
# difference shrinks like $\varepsilon$, that of the central one like $\varepsilon^2$. We use the central one. But do
# not make $\varepsilon$ too small: then two almost equal numbers are subtracted, and the 16 digits of a float64 run
# out.

# %% tags=["explore"]
one_sided, central = [], []
for k in range(1, 13):
    epsilon = 1 / 10**k
    here, up, down = (p * p * p for p in (1.3, 1.3 + epsilon, 1.3 - epsilon))
    one_sided.append(abs((up - here) / epsilon - 3 * 1.3 * 1.3))
    central.append(abs((up - down) / (2 * epsilon) - 3 * 1.3 * 1.3))
plots.learning_curves(
    {"one-sided": one_sided, "central": central},
    xlabel="k",
    ylabel="error",
    logy=True,
    title="Error with epsilon = 1/10^k: too small drowns in rounding",
)

# %% [markdown]
# ### Many parameters
#
# Our networks keep their parameters in a dict of arrays, such as `{"W1": ..., "b1": ...}`, and their gradients in a
# dict with the same names and shapes. We go through **every entry of every array**, move this one entry up and down by
# $\varepsilon$, leave all others as they are, and compare the central difference $a$ with the entry $b$ of the
# gradient. As a measure we take the **relative error**,
#
# $$\text{error} = \frac{|a - b|}{\max\bigl(10^{-8},\; |a| + |b|\bigr)},$$
#
# because a difference of 0.001 is nothing next to 500 and everything next to 0.002. It is 0 if both agree, at most 1,
# and it is 1 if just one of them is 0, or if their signs differ. The $10^{-8}$ keeps the formula from dividing 0 by 0.
# The result of the whole test is the **largest** of these errors: one wrong entry is enough to make a gradient wrong.
#
# As a rule of thumb, in float64: below $10^{-6}$ the gradient is right; above $10^{-2}$ it is wrong; in between, look
# closer.
#
# ### Exercise 5: the gradient check
#
# `loss_fn` is a function: it takes a dict like `params` and returns the loss. Three tools that help:
# `for name, value in params.items()` goes through a dict; `for index in np.ndindex(value.shape)` goes through all index
# tuples of an array, and `value[index]` is one entry; `{**params, name: other}` is a new dict like `params`, but with
# `other` under this name.


# %% exercise="gradient_check" forbid=["llmcourse.steps.mlp.gradient_check", "scipy.optimize.check_grad", "scipy.optimize.approx_fprime"]
def gradient_check(loss_fn, params, grads, epsilon=1e-5):
    """Compare gradients with central differences, entry by entry.

    Args:
        loss_fn: function that maps a dict like params to the loss, a number.
        params: dict of float arrays; it is the same before and after.
        grads: dict with the same names and shapes, the gradients to check.
        epsilon: how far each entry is moved, up and down.

    Returns:
        The largest relative error of all entries, one number.
    """
    ### BEGIN SOLUTION
    largest = 0.0
    for name, value in params.items():
        for index in np.ndindex(value.shape):
            step = np.zeros_like(value)
            step[index] = epsilon
            up = loss_fn({**params, name: value + step})
            down = loss_fn({**params, name: value - step})
            numeric = (up - down) / (2 * epsilon)
            given = grads[name][index]
            error = abs(numeric - given) / max(1e-8, abs(numeric) + abs(given))
            largest = max(largest, error)
    return largest
    ### END SOLUTION


# %% check="gradient_check"
check("gradient_check")

# %% [markdown]
# ### A look at what it did: catch the missing 1/N

# %% tags=["explore"]
rng = np.random.default_rng(1)
params = {"logits": rng.normal(size=(5, 3))}
labels = np.array([0, 2, 1, 1, 0])


def loss_of(params):
    """Give only the loss, as the gradient check wants it."""
    return steps.softmax_cross_entropy(params["logits"], labels)[0]


_, right = steps.softmax_cross_entropy(params["logits"], labels)
for name, grad in {"right": right, "without 1/N": 5 * right, "without one-hot": right + np.eye(3)[labels] / 5}.items():
    error = steps.gradient_check(loss_of, params, {"logits": grad})
    print(f"{name:16s} largest relative error above 0.01: {error > 0.01}")

# %% [markdown]
# > **Think first.** This test needs nothing but the loss. Why do we not train with it, and forget about derivatives?
#
# <details>
# <summary>Answer</summary>
#
# It is far too slow. It computes the loss twice for **each** parameter. The network of part 9 has 101,770 parameters,
# so that would be 203,540 runs through the network for a single gradient. Backpropagation gets the same gradient for
# about the price of three such runs. The check is for small networks, before you trust the fast way.
#
# </details>
#
# **Common mistakes**
#
# - Moving an entry in place and not putting it back exactly. `+= epsilon` and then `-= epsilon` need not give the old
#   number, because of rounding.
# - Moving a whole array at once: that measures the sum of its gradients.
# - Checking with weights or inputs for which some $z$ is almost 0. The step may then cross the bend of a ReLU, and the
#   difference is neither the one slope nor the other. Draw other numbers and check again.
# - Checking only with layers of equal width. A transposed matrix can then go unnoticed, at least by its shape.

# %% [markdown]
# ## 7. Backpropagation
#
# Now the heart of the lesson. We number the layers $l = 1, 2, \dots, L$ and write the number as a lower index; in the
# code it is the digit in the name, so $W_1$ is `params["W1"]`. With $a_0 = X$, the samples, each layer computes
#
# $$
# z_l = a_{l-1}\, W_l + b_l \qquad\qquad a_l = g(z_l) \;\text{ for } l < L, \text{ with } g = \operatorname{relu}
# $$
#
# and the last one stops after the affine map: $z_L$ are the logits. Here is the network with $L = 2$, and, in the lower
# half, what we are going to derive.

# %% tags=["explore"]
plots.mlp_graph()

# %% [markdown]
# ### First with single numbers
#
# One sample, one unit in each layer, squared error. Everything is a single number: the input $a_0 = 2$, the parameters
# $w_1 = 3$, $b_1 = -1$, $w_2 = 0.5$, $b_2 = 1$, and the target $t = 3$. Forward:
#
# $$
# \begin{aligned}
# z_1 &= a_0 w_1 + b_1 = 2 \cdot 3 - 1 = 5 & a_1 &= \operatorname{relu}(z_1) = 5 \\
# z_2 &= a_1 w_2 + b_2 = 5 \cdot 0.5 + 1 = 3.5 & J &= (z_2 - t)^2 = 0.5^2 = 0.25
# \end{aligned}
# $$
#
# Backward, starting from the end:
#
# $$
# \begin{aligned}
# \frac{\partial J}{\partial z_2} &= 2\,(z_2 - t) = 1 &
# \frac{\partial J}{\partial w_2} &= \frac{\partial J}{\partial z_2} \cdot a_1 = 1 \cdot 5 = 5 \\[4pt]
# \frac{\partial J}{\partial z_1} &= \frac{\partial J}{\partial z_2} \cdot w_2 \cdot \operatorname{relu}'(z_1)
# = 1 \cdot 0.5 \cdot 1 = 0.5 &
# \frac{\partial J}{\partial w_1} &= \frac{\partial J}{\partial z_1} \cdot a_0 = 0.5 \cdot 2 = 1
# \end{aligned}
# $$
#
# Is it true? Move $w_1$ from 3 to 3.01. Then $z_1 = 5.02$, $z_2 = 3.51$ and $J = 0.2601$: the loss grew by 0.0101, and
# we predicted $1 \cdot 0.01$.
#
# See how the work is shared. To get to $w_1$ we used $\partial J/\partial z_2$, which we already had, and only added
# the factors between $z_2$ and $z_1$. This is the whole trick of backpropagation: **a recursion from the last layer to
# the first**. The quantity that is handed from layer to layer has a name, **delta**:
#
# $$\delta_l = \frac{\partial J}{\partial z_l}, \quad\text{an array with the shape of } z_l .$$

# %% [markdown]
# ### Through one affine map
#
# Now with arrays. Let $Z = A\,W + b$ with shapes $(N, U) = (N, D)\,(D, U) + (U,)$, and suppose that we know
# $\delta = \partial J/\partial Z$, shape $(N, U)$. We want the derivatives by $W$, $b$ and $A$. Entry by entry,
# $Z[n, u] = \sum_d A[n, d]\, W[d, u] + b[u]$. In each case ask: **which entries of $Z$ does this number touch, and with
# which factor?** Then add up over all of them; that is all the chain rule says.
#
# - $W[d, u]$ touches $Z[n, u]$ for every sample $n$, with the factor $A[n, d]$:
#   $\;\dfrac{\partial J}{\partial W[d, u]} = \sum_n A[n, d]\; \delta[n, u]$, which is $A^\top \delta$.
# - $b[u]$ touches $Z[n, u]$ for every sample $n$, with the factor 1:
#   $\;\dfrac{\partial J}{\partial b[u]} = \sum_n \delta[n, u]$, the sum of $\delta$ over the samples.
# - $A[n, d]$ touches $Z[n, u]$ for every unit $u$, with the factor $W[d, u]$:
#   $\;\dfrac{\partial J}{\partial A[n, d]} = \sum_u \delta[n, u]\; W[d, u]$, which is $\delta\, W^\top$.
#
# $$
# \underbrace{\frac{\partial J}{\partial W}}_{(D,\,U)} = \underbrace{A^\top}_{(D,\,N)} \underbrace{\delta}_{(N,\,U)}
# \qquad
# \underbrace{\frac{\partial J}{\partial b}}_{(U,)} = \sum_{n} \delta[n, :]
# \qquad
# \underbrace{\frac{\partial J}{\partial A}}_{(N,\,D)} = \underbrace{\delta}_{(N,\,U)}\; \underbrace{W^\top}_{(U,\,D)}
# $$
#
# You need not remember where the transposes go: each gradient has the shape of its array, and there is only one
# way to get it from the two factors.

# %% [markdown]
# ### The recursion of the deltas
#
# Through a ReLU we already know the way: multiply by $\operatorname{relu}'(z)$ (exercise 2). Put both together, and
# number the layers with care:
#
# $$
# \boxed{\;
# \begin{aligned}
# \delta_L &= \frac{\partial J}{\partial z_L} & &\text{from the loss, exercise 4}\\[4pt]
# \delta_l &= \bigl(\delta_{l+1}\, W_{l+1}^\top\bigr) \odot g'(z_l) & &\text{for } l = L-1, \dots, 2, 1\\[4pt]
# \frac{\partial J}{\partial W_l} &= a_{l-1}^\top\, \delta_l, \qquad
# \frac{\partial J}{\partial b_l} = \sum_n \delta_l[n, :] & &\text{for } l = L, \dots, 1
# \end{aligned}
# \;}
# $$
#
# Look at the indices, one by one. The way from $z_l$ to $z_{l+1}$ leads first through the activation $g$ **of layer
# $l$**, and then through the weights **of layer $l + 1$**. So $\delta_l$ contains $W_{l+1}$ and $g'(z_l)$. The gradient
# of $W_l$ contains what **went into** layer $l$, which is $a_{l-1}$. Many popular texts get one of these indices wrong,
# or stop after the last layer and leave out the recursion, which is the very point. You can always test a formula by
# its shapes. For a batch of 64 digits and the layers 784 → 128 → 10:
#
# | array | shape |
# | --- | --- |
# | $\delta_2$ | (64, 10) |
# | $\delta_2\, W_2^\top$ | (64, 10) (10, 128) → (64, 128) |
# | $g'(z_1)$, and so also $\delta_1$ | (64, 128) |
# | $a_0^\top \delta_1$, the gradient of $W_1$ | (784, 64) (64, 128) → (784, 128) |
#
# With $W_1$ in place of $W_2$ the product would not even exist. And where is the mean over the samples, the factor
# $1/N$? Already inside $\delta_L$, from the loss. It travels along. **Do not divide by $N$ again.**

# %% [markdown]
# ### Given: the way forward
#
# The way back needs $z_l$ and $a_{l-1}$ from the way forward. So `mlp_forward` keeps them in a second dict, the
# **cache**. Read it closely; you will need the names. (`steps.init_mlp`, also given, draws random parameters for given
# layer sizes.)


# %%
def mlp_forward(params, x):
    """Run the network: params {"W1": (D, U), "b1": (U,), ...} and x (N, D) -> logits (N, C), cache."""
    layers = len(params) // 2  # each layer has a W and a b
    activation = x
    cache = {"a0": x}
    for layer in range(1, layers + 1):
        z = steps.dense_forward(activation, params[f"W{layer}"], params[f"b{layer}"])
        cache[f"z{layer}"] = z
        if layer < layers:  # the last layer has no ReLU: its z are the logits
            activation = steps.relu(z)
            cache[f"a{layer}"] = activation
    return z, cache


# %% tags=["explore"]
params = steps.init_mlp((5, 4, 3), seed=0)  # D = 5 features, U = 4 hidden units, C = 3 classes
logits, cache = mlp_forward(params, np.ones((2, 5)))  # N = 2 samples
print("params:", {name: value.shape for name, value in params.items()})
print("cache: ", {name: value.shape for name, value in cache.items()})

# %% [markdown]
# ### Exercise 6: backpropagation
#
# Write the three lines of the box as a loop over the layers, from the last to the first. It should work for two layers
# and for any other number. You may use your own `relu_backward`, or the tested `steps.relu_backward`.


# %% exercise="mlp_backward" forbid=["llmcourse.steps.mlp.mlp_backward"]
def mlp_backward(params, cache, grad_logits):
    """Compute the gradient of every parameter by the recursion of the deltas.

    Args:
        params: dict {"W1": (D, U), "b1": (U,), ..., "WL": (U, C), "bL": (C,)} of float arrays, L layers in all.
        cache: dict from mlp_forward: "a0" (N, D) is x; "z1" and "a1" (N, U) are before and after the first ReLU; and so
            on, up to "zL" (N, C). None of these arrays may change.
        grad_logits: float array (N, C), the derivative of the loss by the logits (the mean over N is already in it).

    Returns:
        Dict with the same names and shapes as params, the derivative of the loss by each parameter.
    """
    ### BEGIN SOLUTION
    layers = len(params) // 2
    grads = {}
    delta = grad_logits  # delta_L, (N, C)
    for layer in range(layers, 0, -1):
        grads[f"W{layer}"] = cache[f"a{layer - 1}"].T @ delta
        grads[f"b{layer}"] = delta.sum(axis=0)
        if layer > 1:  # one layer back: the shape of z_(layer-1)
            delta = steps.relu_backward(delta @ params[f"W{layer}"].T, cache[f"z{layer - 1}"])
    return grads
    ### END SOLUTION


# %% check="mlp_backward"
check("mlp_backward")

# %% [markdown]
# ### A look at what it did: your two tools against each other
#
# A network with three layers, all of different widths, checked entry by entry.

# %% tags=["explore"]
rng = np.random.default_rng(3)
x, labels = rng.normal(size=(6, 5)), np.array([0, 1, 2, 2, 1, 0])
params = steps.init_mlp((5, 7, 4, 3), seed=3)


def network_loss(params):
    """Run the network forward and give the loss."""
    logits, _ = steps.mlp_forward(params, x)
    return steps.softmax_cross_entropy(logits, labels)[0]


logits, cache = steps.mlp_forward(params, x)
_, grad_logits = steps.softmax_cross_entropy(logits, labels)
grads = steps.mlp_backward(params, cache, grad_logits)
print("backpropagation is right:", steps.gradient_check(network_loss, params, grads) < 1e-6)
without_relu = {name: np.abs(value) if name.startswith("z") else value for name, value in cache.items()}
wrong = steps.mlp_backward(params, without_relu, grad_logits)  # every z looks positive: the ReLU's derivative is lost
print("still right without relu'(z):", steps.gradient_check(network_loss, params, wrong) < 1e-6)

# %% [markdown]
# **Common mistakes**
#
# - Multiplying $\delta_L$ by a ReLU derivative. There is no ReLU after the last layer.
# - Using $z_{l-1}$ in the gradient of $W_l$ where $a_{l-1}$ belongs: what went into the layer came *after* the ReLU.
# - Moving delta on to the next layer *before* the gradients of this layer are computed from it.
# - The mean over samples for the bias. It is a sum; the mean is already in $\delta_L$.
# - Forgetting the biases altogether. The network still learns a little, so only a gradient check will tell you.

# %% [markdown]
# ## 8. Downhill: gradient descent with momentum
#
# Imagine the loss as a landscape over the parameters. We stand somewhere on a slope, in thick fog. The gradient tells
# us which way is up, at this very place. So we take a small step the other way, look again, and repeat: **gradient
# descent**. With a parameter $p$, its gradient $g$ and the **learning rate** $\text{lr}$:
#
# $$p \leftarrow p - \text{lr} \cdot g$$
#
# How large is a good step? Take $f(p) = p^2$ with $g = 2p$, and start at $p = 1$:
#
# | learning rate | $p$ after 0, 1, 2, 3, ... steps | |
# | --- | --- | --- |
# | 0.01 | 1, 0.98, 0.96, 0.94, ... | creeps |
# | 0.3 | 1, 0.4, 0.16, 0.064, ... | arrives soon |
# | 1 | 1, −1, 1, −1, ... | jumps over the minimum for ever |
# | 1.1 | 1, −1.2, 1.44, −1.73, ... | flies away: it **diverges** |
#
# In a long narrow valley one learning rate cannot please both directions: what is right along the valley is too large
# across it. **Momentum** helps. Like a heavy ball, the parameters keep a share $m$ of their speed $v$, the
# **velocity**:
#
# $$v \leftarrow m \cdot v + g \qquad\qquad p \leftarrow p - \text{lr} \cdot v$$
#
# Across the valley the gradient changes its sign with every step, and the velocities cancel. Along the valley it always
# points the same way, and they add up. For a constant gradient, $v$ grows towards $g / (1 - m)$; with the usual
# $m = 0.9$ that is a step ten times as long. At the start $v = 0$, and with $m = 0$ we are back at plain gradient
# descent. Two numbers to follow along, with $\text{lr} = 0.1$, $m = 0.9$, $p = 1$, $v = 0$ and the gradient 2 in two
# steps: first $v = 2$, $p = 0.8$; then $v = 0.9 \cdot 2 + 2 = 3.8$, $p = 0.42$. Note that $p$ moves by the **new**
# velocity.

# %% [markdown]
# ### Exercise 7: one step of gradient descent with momentum
#
# Return **new** dicts with new arrays, and leave the given ones as they are.


# %% exercise="sgd_step" forbid=["llmcourse.steps.mlp.sgd_step"]
def sgd_step(params, grads, velocity, learning_rate, momentum):
    """Take one step of gradient descent with momentum.

    Args:
        params: dict of float arrays, with any names.
        grads: dict with the same names and shapes, the gradients.
        velocity: dict with the same names and shapes, the velocities so far.
        learning_rate: number, how far to go.
        momentum: number from 0 to less than 1, the share of the old velocity that is kept.

    Returns:
        A pair of new dicts: the new params and the new velocity. The given dicts and their arrays stay as they are.
    """
    ### BEGIN SOLUTION
    new_velocity = {name: momentum * velocity[name] + grads[name] for name in params}
    new_params = {name: value - learning_rate * new_velocity[name] for name, value in params.items()}
    return new_params, new_velocity
    ### END SOLUTION


# %% check="sgd_step"
check("sgd_step")

# %% [markdown]
# ### A look at what it did: a narrow valley


# %% tags=["explore"]
def valley(points):
    """Give the height of the valley at each point: (N, 2) -> (N,). It is 20 times as steep across as along."""
    return 0.5 * (points[:, 0] ** 2 + 20 * points[:, 1] ** 2)


def descend(learning_rate, momentum, steps=40):
    """Walk down from (-9, 1.5) and return all places visited: (steps + 1, 2)."""
    params = {"p": np.array([-9.0, 1.5])}
    velocity = {"p": np.zeros(2)}
    path = [params["p"]]
    for _ in range(steps):
        grads = {"p": params["p"] * np.array([1.0, 20.0])}
        params, velocity = steps.sgd_step(params, grads, velocity, learning_rate, momentum)
        path.append(params["p"])
    return np.array(path)


plots.descent_path(
    valley,
    {
        "plain, lr 0.02": descend(0.02, 0.0),
        "plain, lr 0.095": descend(0.095, 0.0),
        "momentum 0.8, lr 0.02": descend(0.02, 0.8),
    },
    minimum=(0.0, 0.0),
    title="Plain steps creep or zigzag; momentum adds up along the valley",
)

# %% [markdown]
# ### The learning rate on real digits
#
# Now you have all the parts. Forty steps of plain gradient descent on 500 digits, three times, with only the learning
# rate changed:


# %% tags=["explore"]
def forty_losses(learning_rate):
    """Train a small network for 40 steps on the first 500 digits and return the loss before each step."""
    params = steps.init_mlp((784, 32, 10), seed=0)
    velocity = {name: np.zeros_like(value) for name, value in params.items()}
    losses = []
    for _ in range(40):
        logits, cache = steps.mlp_forward(params, x_train[:500])
        loss, grad_logits = steps.softmax_cross_entropy(logits, y_train[:500])
        losses.append(loss)
        grads = steps.mlp_backward(params, cache, grad_logits)
        params, velocity = steps.sgd_step(params, grads, velocity, learning_rate, momentum=0.0)
    return losses


plots.learning_rates(
    {
        "too small: 0.01": forty_losses(0.01),
        "right: 0.3": forty_losses(0.3),
        "too large: 1.2": forty_losses(1.2),
    },
    xlabel="step",
)

# %% [markdown]
# Learn to recognise these three shapes. A curve that falls slowly and steadily asks for a larger learning rate. A curve
# that jumps up and down asks for a smaller one; here the first large steps even threw the network to a place from which
# it hardly finds its way back. In practice people try powers of ten (or of three), and take the largest rate that still
# trains calmly.
#
# **Common mistakes**
#
# - `params[name] -= ...` works in place. It changes the arrays of everybody who holds them.
# - Moving by the old velocity, or setting the velocity back to zero before each step; then there is no momentum.
# - A plus sign. The loss then climbs.

# %% [markdown]
# ## 9. Training on real digits
#
# Three more decisions, and then you train.
#
# **Where to start.** All weights zero would be fatal.
#
# > **Think first.** Why? Look at the recursion of the deltas with $W_2 = 0$ and $W_1 = 0$.
#
# <details>
# <summary>Answer</summary>
#
# With $W_2 = 0$ the delta of the hidden layer is $\delta_1 = (\delta_2 W_2^\top) \odot \dots = 0$, so $W_1$ does not
# move. With $W_1 = 0$ and $b_1 = 0$ all hidden units are 0, so the gradient of $W_2$, which is $a_1^\top \delta_2$, is
# 0 too. Only the last bias learns. More generally: units that start equal get equal gradients and stay equal for ever.
# Random weights break this symmetry.
#
# </details>
#
# How large should the random weights be? If they are too small, the signal dies out from layer to layer; if too large,
# it explodes. With $D$ inputs, a neuron adds up $D$ random terms, so the variance of its answer is $D$ times that of
# one term; and ReLU throws away half of it. The variance $2/D$ for the weights makes up for both (He et al., 2015).
# `steps.init_mlp((784, 128, 10), seed)`, which is given, does this, and sets the biases to 0.
#
# **How many samples for each step.** The gradient over all 4,000 digits is exact and expensive. The gradient over 64
# digits drawn at random is a good estimate, 60 times cheaper. So we shuffle the samples, cut them into
# **mini-batches**, and take one step for each. Once through all samples is one **epoch**; before each epoch we shuffle
# anew.
#
# **How long.** For this network and 4,000 digits, about 20 epochs.
#
# The whole procedure:
#
# 1. Draw the parameters; set all velocities to zero.
# 2. For each epoch: draw a random order of the samples (`rng.permutation(N)`). For each 64 of them in this order:
#    1. forward: logits and cache,
#    2. loss: the gradient with respect to the logits,
#    3. backward: the gradients of all parameters,
#    4. one step: new params, new velocity.
# 3. Return the params.
#
# ### Exercise 8: train a network
#
# Use your own functions, or the tested ones (`steps.mlp_forward`, `steps.softmax_cross_entropy`, `steps.mlp_backward`,
# `steps.sgd_step`). 128 hidden units, 20 epochs, batches of 64, learning rate 0.1 and momentum 0.9 are a good start. Take
# all random numbers from `rng = np.random.default_rng(seed)` and `steps.init_mlp(..., seed)`, so that the same seed gives
# the same network again.
#
# The check trains your network on the 4,000 digits, each slightly moved and dimmed, and with the ten classes renamed
# (so that nothing is gained by knowing MNIST by heart). Then it asks about 1,000 digits that the network has never
# seen. It wants 92 % of them. Training takes a few seconds.


# %% exercise="train_mlp" forbid=["llmcourse.steps.mlp.train_mlp", "sklearn.neural_network.MLPClassifier"]
def train_mlp(x, labels, seed):
    """Train a network with mini-batch gradient descent on the softmax cross-entropy.

    Args:
        x: float array (N, D) with entries from 0 to 1; D is 784 for the digits.
        labels: integer array (N,), the right classes, from 0 to C-1; the largest label that occurs is C-1.
        seed: integer; equal seeds give equal results.

    Returns:
        Dict {"W1": ..., "b1": ..., "W2": ..., "b2": ...} of the trained parameters, float arrays, so that
        mlp_forward(params, x) gives logits (N, C).
    """
    ### BEGIN SOLUTION
    classes = int(labels.max()) + 1
    params = steps.init_mlp((x.shape[1], 128, classes), seed)
    velocity = {name: np.zeros_like(value) for name, value in params.items()}
    rng = np.random.default_rng(seed)
    for _ in range(20):  # epochs
        order = rng.permutation(len(x))
        for start in range(0, len(x), 64):
            batch = order[start : start + 64]
            logits, cache = steps.mlp_forward(params, x[batch])
            _, grad_logits = steps.softmax_cross_entropy(logits, labels[batch])
            grads = steps.mlp_backward(params, cache, grad_logits)
            params, velocity = steps.sgd_step(params, grads, velocity, learning_rate=0.1, momentum=0.9)
    return params
    ### END SOLUTION


# %% check="train_mlp"
check("train_mlp")

# %% [markdown]
# ### A look at what it did
#
# The tested version can call a function after each epoch, so we can watch the loss on the digits it learns from and on
# those it has never seen.


# %% tags=["explore"]
def record_losses(sets):
    """Make empty lists, and a function for train_mlp that notes the loss on each set of digits after each epoch."""
    losses = {name: [] for name in sets}

    def note(epoch, params):
        for name, (x, labels) in sets.items():
            logits, _ = steps.mlp_forward(params, x)
            losses[name].append(steps.softmax_cross_entropy(logits, labels)[0])

    return losses, note


losses, note = record_losses({"training digits": (x_train, y_train), "test digits": (x_test, y_test)})
trained = steps.train_mlp(x_train, y_train, seed=0, on_epoch=note)
predicted = steps.predict(trained, x_test)
accuracy = (predicted == y_test).mean()
print(f"test accuracy >= 0.92: {accuracy >= 0.92}")
plots.learning_curves(losses, title="The loss while the network learns")

# %% [markdown]
# From four of five to about nineteen of twenty. Where does it still go wrong? Each row below is a true digit, each
# column an answer.

# %% tags=["explore"]
confusions = np.zeros((10, 10), dtype=int)
np.add.at(confusions, (y_test, predicted), 1)
plots.confusion_matrix(confusions)

# %% tags=["explore"]
wrong = np.flatnonzero(predicted != y_test)[:20]
plots.digits(digits.x_test[wrong], y_test[wrong], predicted[wrong], title="Would you have known them all?")

# %% [markdown]
# And what has it learned? Each hidden unit has 784 weights, one for each pixel, so we can look at them as images: what
# does this unit look for?

# %% tags=["explore"]
moved = np.abs(trained["W1"] - steps.init_mlp((784, 128, 10), seed=0)["W1"]).sum(axis=0)  # (128,)
most = np.argsort(moved)[::-1][:24]
plots.weight_images(trained["W1"][:, most], columns=8, title="The 24 hidden units whose weights have moved most")

# %% [markdown]
# Compare them with the ten means of part 2. These units do not look for whole digits, but for strokes in some places
# and against strokes in others, and the second layer puts such hints together. Towards the rim there is only the noise
# of the beginning: those pixels are always 0, so their gradient $a_0^\top \delta_1$ is 0 and their weights never move.
#
# ### Learning by heart
#
# What happens with only 100 digits? The same network has about a thousand parameters for each of them.

# %% tags=["explore"]
x_few, y_few = x_train[:100], y_train[:100]
losses, note = record_losses({"100 training digits": (x_few, y_few), "1,000 test digits": (x_test, y_test)})
memoriser = steps.train_mlp(x_few, y_few, seed=0, epochs=40, on_epoch=note)
print("all 100 training digits right:", (steps.predict(memoriser, x_few) == y_few).all())
print("test accuracy below 0.8:", (steps.predict(memoriser, x_test) == y_test).mean() < 0.8)
plots.learning_curves(losses, mark_lowest=True, title="Overfitting: the test loss turns upward")

# %% [markdown]
# The training loss goes to zero, and after a few epochs the test loss *rises*: the network becomes ever more certain,
# also of its mistakes. It has learned the hundred digits by heart. This is **overfitting**, and no look at the training
# loss will ever show it. Only data that was held out does.
#
# What helps: more data, above all. Stopping at the dot, where the held-out loss is lowest (*early stopping*). A smaller
# network, or a penalty on large weights (*weight decay*). One caution: once you have chosen anything by looking at some
# held-out data, you have used it up. In serious work one therefore keeps *two* held-out sets: a **validation** set for
# choosing, and a **test** set that is touched once, at the very end.
#
# **Common mistakes**
#
# - Shuffling `x` and `labels` separately: every image gets somebody else's label. Draw *one* order and use it for both.
# - Not shuffling at all. If the data comes sorted by class, the network forgets the first class while it learns the
#   last.
# - `rng.shuffle(x)` changes the caller's data.
# - Setting the velocity to zero in each step instead of once.

# %% [markdown]
# ## 10. The same network in Keras
#
# You have written a neural network without a library for neural networks. From now on you may use one with a good
# conscience. In Keras a network is a list of layers:
#
# - `keras.Input((D,))` says how many features a sample has. The number of samples stays open.
# - `keras.layers.Dense(U, activation="relu")` is your `dense_forward` followed by your `relu`. Its weights have the
#   shapes you know: `(D, U)`, which Keras calls *kernel*, and `(U,)`, the *bias*.
# - `keras.layers.Dense(C)` without an activation gives logits.
# - `keras.Sequential([...])` puts them one after the other.
#
# The derivatives, your `mlp_backward`, are made automatically by the same recursion. The output stays **without a
# softmax**: the loss takes the logits, for the reason you met in part 5. (In Keras that is
# `SparseCategoricalCrossentropy(from_logits=True)`; *sparse* because the labels are integers and not one-hot rows.)
#
# > **Think first.** How many parameters does the network 784 → 128 → 10 have?
#
# <details>
# <summary>Answer</summary>
#
# $784 \cdot 128 + 128$ in the first layer, $128 \cdot 10 + 10$ in the second: $100{,}480 + 1{,}290 = 101{,}770$. Nearly
# all of them are in the first layer.
#
# </details>
#
# ### Exercise 9: build the network
#
# 784 inputs, one hidden layer of `hidden_units` units with ReLU, 10 logits. Import keras inside the function or above
# it, as you like.


# %% exercise="build_mlp" forbid=["llmcourse.steps.mlp.build_mlp"]
def build_mlp(hidden_units):
    """Build the network 784 -> hidden_units -> 10 in Keras.

    Args:
        hidden_units: integer, number of units in the hidden layer, which has a ReLU.

    Returns:
        A keras.Model that maps (N, 784) to logits (N, 10), without a softmax.
    """
    ### BEGIN SOLUTION
    import keras

    return keras.Sequential(
        [
            keras.Input((784,)),
            keras.layers.Dense(hidden_units, activation="relu"),
            keras.layers.Dense(10),
        ]
    )
    ### END SOLUTION


# %% check="build_mlp"
check("build_mlp")

# %% [markdown]
# ### A look at what it did
#
# First we carry over the weights of the NumPy network that we trained in part 9. If both networks are the same
# function, they must give the same logits. (Keras computes in float32, with about seven digits, so a difference of
# 0.001 or less is rounding.)

# %% tags=["explore"]
import keras

model = steps.build_mlp(128)
model.set_weights([trained["W1"], trained["b1"], trained["W2"], trained["b2"]])
logits, _ = steps.mlp_forward(trained, x_test)
print("parameters:", f"{model.count_params():,}")
print("same logits as NumPy:", np.allclose(model.predict(x_test, verbose=0), logits, atol=1e-3))

# %% [markdown]
# Then we train a fresh one, with the same loss, the same optimizer and batches of the same size. `compile` and `fit`
# are your `train_mlp`. (Keras draws its first weights a little differently, after Glorot & Bengio, 2010.)

# %% tags=["explore"]
model = steps.build_mlp(128)
model.compile(
    optimizer=keras.optimizers.SGD(learning_rate=0.1, momentum=0.9),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)
model.fit(x_train, y_train, batch_size=64, epochs=10, verbose=0)
_, accuracy = model.evaluate(x_test, y_test, verbose=0)
print(f"test accuracy >= 0.92: {accuracy >= 0.92}")

# %% [markdown]
# **Common mistakes**
#
# - A softmax in the last layer *and* `from_logits=True`: softmax twice. It trains, but badly; Keras warns in some cases only.
# - Without `keras.Input` the model does not know its number of inputs yet, and has no weights before the first call.

# %% [markdown]
# ## What to take with you
#
# - A layer of neurons is one matrix product: $(N, D)\,(D, U) + (U,) \to (N, U)$. Without a bend between them, many
#   layers are one.
# - For classes: logits, softmax, cross-entropy. The gradient is $(P - Y)/N$. Subtract the row's maximum first.
# - Backpropagation is a recursion from the last layer to the first:
#   $\delta_l = (\delta_{l+1} W_{l+1}^\top) \odot g'(z_l)$. The gradients are $a_{l-1}^\top \delta_l$ and the sum of
#   $\delta_l$ over the samples.
# - Every gradient has the shape of its array. Test it against central differences before you trust it.
# - Training: shuffle, forward, loss, backward, step, again. $v \leftarrow m v + g$, then
#   $p \leftarrow p - \text{lr} \cdot v$.
# - The training loss cannot show overfitting. Held-out data can.
#
# `check.progress()` shows your points. In the next lesson the network learns to look at images as images: so far, you
# could shuffle the 784 pixels of all digits in the same way, and it would not notice.
#
# ### Further reading
#
# - D. E. Rumelhart, G. E. Hinton and R. J. Williams (1986): Learning representations by back-propagating errors.
#   *Nature* 323, 533–536. The four pages that made backpropagation widely known. Momentum is in them, too.
# - Y. LeCun, L. Bottou, Y. Bengio and P. Haffner (1998): Gradient-based learning applied to document recognition.
#   *Proceedings of the IEEE* 86(11), 2278–2324. Where MNIST comes from.
# - Y. LeCun, L. Bottou, G. B. Orr and K.-R. Müller (1998): Efficient BackProp. In: *Neural Networks: Tricks of the
#   Trade*, Springer, 9–50. Practical advice on inputs, weights and learning rates that still holds.
# - X. Glorot and Y. Bengio (2010): Understanding the difficulty of training deep feedforward neural networks.
#   *AISTATS*, PMLR 9, 249–256. Why signals fade, and how to choose the first weights.
# - K. He, X. Zhang, S. Ren and J. Sun (2015): Delving deep into rectifiers: surpassing human-level performance on
#   ImageNet classification. *ICCV*, 1026–1034. The variance $2/D$ for ReLU, in section 2.2.
# - B. T. Polyak (1964): Some methods of speeding up the convergence of iteration methods. *USSR Computational
#   Mathematics and Mathematical Physics* 4(5), 1–17. Momentum, under the name of the heavy ball.
# - I. Goodfellow, Y. Bengio and A. Courville (2016): *Deep Learning*, MIT Press, chapter 6. This lesson in the language
#   of a textbook; free to read at deeplearningbook.org.
