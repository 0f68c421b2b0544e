# %% [markdown]
# # A neural network from scratch
#
# In this lesson you build a neural network that looks at handwritten digits and answers with ten probabilities. You write
# every part of it yourself, in plain NumPy: the neurons, the bend between them, the loss that says how wrong an answer
# is. At the end the whole network answers, and answers nonsense, because nobody has told it yet what its weights should
# be. How it learns them is the subject of the next lesson, `backprop`, which begins where this one ends.
#
# **What you will be able to do**
#
# - say what a layer of neurons computes, with the shape of every array;
# - explain why a network needs a bend such as ReLU, and carry a derivative back through it;
# - explain why classes are learned with softmax and cross-entropy, and compute both safely;
# - run a network of any depth forward, and tell from its first loss whether it is put together rightly.
#
# **What you need:** Python, NumPy arrays (shapes, slices, `@` for the matrix product), and the derivative of a function
# of one variable with the chain rule. Nothing else: no earlier knowledge of machine learning, and no graphics card.
#
# | part | | minutes | exercise |
# | --- | --- | ---: | --- |
# | 1 | The digits | 10 | |
# | 2 | A neuron, and a layer of neurons | 25 | 1 `dense_forward` |
# | 3 | A bend in the line: ReLU | 30 | 2 `relu`, `relu_backward` |
# | 4 | One number for "how wrong": the loss | 20 | 3 `mse` |
# | 5 | Classes: softmax and cross-entropy | 45 | 4 `softmax_cross_entropy` |
# | 6 | The whole network, forward | 30 | 5 `mlp_forward` |
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

from llmcourse import lesson, plots, setup, steps
from llmcourse.data import load_mnist

setup(seed=0)
check = lesson("mlp")

# %% [markdown]
# ## 1. The digits
#
# MNIST is a collection of digits that employees of the US Census Bureau and high-school students wrote by hand around
# 1990. Each image has 28 × 28 pixels. A pixel is a number from 0 (paper) to 255 (ink). We work with 5,000 of them: 4,000
# to learn from and 1,000 to test with. A network never sees the test digits while it learns; only then can they tell us
# what it has really learned.

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
# <details>
# <summary>Answer</summary>
#
# Perhaps: "a 7 has a horizontal stroke at the top". Then look at a 1 with a serif, or at a 7 whose stroke slopes. Every
# rule of this kind has exceptions, and the exceptions have exceptions.
#
# </details>
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
# Write `dense_forward`. ("Dense" because every neuron is connected to every input. "Forward" because in the next
# lesson we also go backward.) One line is enough.


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
# layer. A network learns from the derivatives of one number, which says how wrong it is, by all the numbers that it
# depends on. Arranged in arrays like those numbers, these derivatives are called the **gradient**.
#
# > **Think first.** The derivative of the sigmoid is at most 1/4. What is left of a derivative after it has come back
# > through ten layers of sigmoids?
#
# <details>
# <summary>Answer</summary>
#
# The ten sigmoids multiply it by at most $(1/4)^{10}$, which is less than one millionth. The first layers hardly learn
# anything; this is the *vanishing gradient*. The derivative of ReLU is exactly 1 wherever the unit is active (where
# $z > 0$), so there the gradient comes back undiminished. This is a main reason why ReLU has replaced the sigmoid inside networks.
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
# **hidden layer**. Hidden are the units between the input and the output, here $s$ and $s - 1$ after the bend: their
# numbers are neither given nor asked for. With enough hidden units it can come as close as you like to any continuous function on a bounded region
# (Goodfellow et al., section 6.4.1, tell the story of this theorem). The catch is to find the weights. Nobody can
# choose 100,000 of them by hand. What follows prepares for finding them.
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
# like $p$ itself, are the gradient of the loss with respect to the prediction. An example with $n = 2$:
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
# We repeat three things: compute the loss, ask for the gradient, and move the prediction a little against it. How far is
# decided by a factor, here 0.3, the **learning rate**: the prediction moves by 0.3 times the gradient.

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
# This is the whole idea of training. What is missing: the prediction is not free to move, only the *weights* are. The
# next lesson carries the gradient back to them.
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
# - Forgetting $1/N$ in the gradient. A network still learns then, just with steps that depend on how many samples it is
#   shown at a time. The next lesson begins with a tool that finds such mistakes.

# %% [markdown]
# ## 6. The whole network, forward
#
# All the parts are there; now we put them together. We number the layers $l = 1, 2, \dots, L$ and write the number as a
# lower index; in the code it is the digit in a name, so $W_1$ is `params["W1"]`. With $a_0 = X$, the samples, each layer
# computes
#
# $$
# z_l = a_{l-1}\, W_l + b_l \qquad\qquad a_l = g(z_l) \;\text{ for } l < L, \text{ with } g = \operatorname{relu}
# $$
#
# and the last one stops after the affine map: $z_L$ are the logits. A network that reads digits, with one hidden layer of
# 128 units, has $L = 2$ and the shapes
#
# | array | shape | |
# | --- | --- | --- |
# | $a_0 = X$ | (N, 784) | the samples |
# | $W_1$, $b_1$ | (784, 128), (128,) | |
# | $z_1$, $a_1 = \operatorname{relu}(z_1)$ | (N, 128) | the hidden units |
# | $W_2$, $b_2$ | (128, 10), (10,) | |
# | $z_2$ | (N, 10) | the logits |
#
# > **Think first.** How many parameters is that?
#
# <details>
# <summary>Answer</summary>
#
# $784 \cdot 128 + 128$ in the first layer, $128 \cdot 10 + 10$ in the second: $100{,}480 + 1{,}290 = 101{,}770$. Nearly
# all of them are in the first layer.
#
# </details>
#
# Learning will need every $z_l$ and every $a_l$ again, on the way back. So the function returns two things: the logits,
# and a dict with all of them, the **cache**. For two layers it has the names `"a0"`, `"z1"`, `"a1"` and `"z2"`: `"a0"` is
# the input, and there is no `"a2"`, since nothing comes after the last affine map.

# %% [markdown]
# ### Exercise 5: the way forward
#
# `params` is a dict of arrays, such as `{"W1": ..., "b1": ..., "W2": ..., "b2": ...}`. Each layer brings two of them, so
# there are `len(params) // 2` layers. `f"W{layer}"` is the name `"W1"` if `layer` is 1. Use your own functions, or the
# tested `steps.dense_forward` and `steps.relu`.


# %% exercise="mlp_forward" forbid=["llmcourse.steps.mlp.mlp_forward"]
def mlp_forward(params, x):
    """Run the network, and keep what the way back will need.

    Args:
        params: dict {"W1": (D, U), "b1": (U,), ..., "WL": (U, C), "bL": (C,)} of float arrays, L layers in all.
        x: float array (N, D), one sample in each row.

    Returns:
        A pair: the logits, a float array (N, C); and the cache, a dict: "a0" is x; "z1" and "a1" (N, U) are before and
        after the first ReLU; and so on, up to "zL" (N, C), the logits again.
    """
    ### BEGIN SOLUTION
    layers = len(params) // 2
    activation = x
    cache = {"a0": x}
    for layer in range(1, layers + 1):
        z = steps.dense_forward(activation, params[f"W{layer}"], params[f"b{layer}"])
        cache[f"z{layer}"] = z
        if layer < layers:  # the last layer has no ReLU: its z are the logits
            activation = steps.relu(z)
            cache[f"a{layer}"] = activation
    return z, cache
    ### END SOLUTION


# %% check="mlp_forward"
check("mlp_forward")

# %% [markdown]
# ### A look at what it did: a network that knows nothing
#
# Where do the weights come from? For now from chance. If they are too small, the signal dies out from layer to layer; if
# too large, it explodes. The measure for it is the **variance**: the mean squared distance from the mean; its root is the
# standard deviation. With $D$ inputs a neuron adds up $D$ random terms, so the variance of its answer is $D$ times that
# of one term; and ReLU throws away half of it. Weights with mean 0 and variance $2/D$ make up for both (He et al.,
# 2015). `steps.init_mlp`, which is given, draws them, and sets the biases to 0.
#
# > **Predict, then run.** What share of the digits will such a network know, and what will its loss be? Then change the
# > factor 1.0 below to 10 and to 0.1: which of the two numbers moves, and why?
#
# <details>
# <summary>Answer</summary>
#
# With ten classes and no knowledge, about one in ten. The loss: about $\log 10 \approx 2.30$ if the probabilities were
# all alike. They are not quite, so it is a little more: whoever is sure without a reason pays. With weights ten times as
# large the network is very sure of its nonsense, and the loss is huge. With weights ten times as small all logits are
# nearly 0 and the loss is 2.30 almost exactly; the share of right answers stays a matter of luck.
#
# </details>

# %% tags=["explore"]
factor = 1.0
params = {name: factor * value for name, value in steps.init_mlp((784, 128, 10), seed=0).items()}
logits, cache = steps.mlp_forward(params, x_train)
loss, _ = steps.softmax_cross_entropy(logits, y_train)
accuracy = (logits.argmax(axis=1) == y_train).mean()
print("shapes:", {name: value.shape for name, value in cache.items()})
print(f"loss {loss:.2f}, and log(10) is {np.log(10):.2f}; share of digits that it knows: {accuracy:.2f}")
some = steps.mlp_forward(params, x_test[:1])[0]
plots.softmax_bars(some[0])

# %% [markdown]
# This is the first check of every network, before any training: **the first loss must be near $\log C$.** If it is far
# above, the weights are too large, or the labels do not belong to the samples, or a softmax was taken twice. If it is far
# below, the network has seen the answers.
#
# ### The signal on its way through ten layers
#
# Ten layers of 100 units each, fed with random numbers: how large are the activations in each layer? The curves show the
# root of the mean square of $a_l$, for weights of variance $2/D$, and for weights that are 0.7 and 1.5 times as large.
#
# > **Predict, then run.** By which factor does the signal shrink or grow in each layer?

# %% tags=["explore"]
noise = np.random.default_rng(5).normal(size=(200, 100))
sizes = {}
for scale in (0.7, 1.0, 1.5):
    weights = {name: scale * value for name, value in steps.init_mlp((100,) * 11 + (10,), seed=1).items()}
    _, kept = steps.mlp_forward(weights, noise)
    sizes[f"{scale} times"] = [float(np.sqrt((kept[f"a{layer}"] ** 2).mean())) for layer in range(1, 11)]
plots.learning_curves(sizes, xlabel="layer", ylabel="size of a", logy=True, title="Too small fades, too large explodes")

# %% [markdown]
# <details>
# <summary>Answer</summary>
#
# By the factor itself, about: 0.7 in each layer leaves $0.7^{10} \approx 0.03$ of the signal after ten layers, and 1.5 makes
# it $1.5^{10} \approx 58$ times as large. (The plot shows 51, since chance has a hand in it.) Gradients come back through the same weights, so they fade or explode in the same
# way.
#
# </details>
#
# **Common mistakes**
#
# - A ReLU after the last layer. Then no logit can be negative, and no class can be ruled out.
# - `z` in the next layer in place of `a`: the bend is computed and never used.
# - Writing into an array that stands in the cache: the way back will then use other numbers than the way forward did.

# %% [markdown]
# ## What to take with you
#
# - A layer of neurons is one matrix product: $(N, D)\,(D, U) + (U,) \to (N, U)$. Without a bend between them, many
#   layers are one.
# - A loss is one number, and its gradient says for each entry which way is better, and by how much.
# - For classes: logits, softmax, cross-entropy. The gradient is $(P - Y)/N$. Subtract the row's maximum first.
# - The first loss of a network that knows nothing is about $\log C$.
#
# `check.progress()` shows your points. In the next lesson, `backprop`, the network learns: the gradient goes back from the
# loss to every single weight.
#
# ### Further reading
#
# - I. Goodfellow, Y. Bengio and A. Courville (2016): *Deep Learning*, MIT Press, chapter 6. This lesson in the language
#   of a textbook; free to read at deeplearningbook.org.
# - Y. LeCun, L. Bottou, Y. Bengio and P. Haffner (1998): Gradient-based learning applied to document recognition.
#   *Proceedings of the IEEE* 86(11), 2278–2324. Where MNIST comes from.
# - X. Glorot, A. Bordes and Y. Bengio (2011): Deep sparse rectifier neural networks. *AISTATS*, PMLR 15, 315–323. Why
#   ReLU took over.
# - K. He, X. Zhang, S. Ren and J. Sun (2015): Delving deep into rectifiers: surpassing human-level performance on
#   ImageNet classification. *ICCV*, 1026–1034. The variance $2/D$ for ReLU, in section 2.2.
