# %% [markdown]
# # Backpropagation: how a network learns
#
# The network of the lesson `mlp` answers, but nobody has told it yet what its weights should be. Here it learns them. You
# carry the gradient from the loss back to every weight, first by hand, then by a small engine of your own that does it for
# any formula; you *prove* to yourself that both are right; and you walk downhill until the network reads digits. At the
# end you write the same network again, in three lines of Keras, and you know exactly what those three lines do.
#
# **What you will be able to do**
#
# - test any gradient against differences of the loss;
# - derive backpropagation, and write it for any number of layers;
# - explain what "automatic differentiation" is, having written it;
# - train a network, choose its learning rate from a plot, and see when it only learns by heart;
# - build the same network in Keras and carry the weights over.
#
# **What you need:** the lesson `mlp`: layers, ReLU and the way back through it, softmax cross-entropy and its gradient,
# `mlp_forward` and its cache.
#
# | part | | minutes | exercise |
# | --- | --- | ---: | --- |
# | 1 | Is this gradient right? | 35 | 1 `gradient_check` |
# | 2 | Backpropagation | 45 | 2 `mlp_backward` |
# | 3 | Gradients by themselves | 45 | 3 `Value` |
# | 4 | Downhill: gradient descent with momentum | 25 | 4 `sgd_step` |
# | 5 | Training on real digits | 55 | 5 `train_mlp` |
# | 6 | The same network in Keras | 20 | 6 `build_mlp` |
#
# **Letters.** As before: `N` samples, `D` input features, `U` units of a layer, `C` classes; $J$ is the loss. The tested
# version of each function, those of the lesson `mlp` too, is in `steps`.

# %% tags=["nbval-ignore-output"]
import numpy as np

from llmcourse import lesson, plots, setup, steps
from llmcourse.data import load_mnist

setup(seed=0)
check = lesson("backprop")

import keras

# %%
digits = load_mnist("small")
x_train, y_train = digits.x_train.reshape(-1, 784) / 255, digits.y_train  # (4000, 784), (4000,)
x_test, y_test = digits.x_test.reshape(-1, 784) / 255, digits.y_test  # (1000, 784), (1000,)

# %% [markdown]
# ## 1. Is this gradient right?
#
# Before we derive any gradient, we build the tool that tests it. A wrong gradient rarely crashes. Often the loss still falls, only more slowly, and you look for the fault for days.
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
# ### Exercise 1: the gradient check
#
# `loss_fn` is a function: it takes a dict like `params` and returns the loss. Three tools that help:
# `for name, value in params.items()` goes through a dict; `for index in np.ndindex(value.shape)` goes through all index
# tuples of an array, and `value[index]` is one entry; `{**params, name: other}` is a new dict like `params`, but with
# `other` under this name. One trap: a gradient or a loss may be `nan`, "not a number", and nothing is further from right.
# Python's `max(0.0, nan)` is 0.0, since every comparison with `nan` is False; `np.maximum(0.0, nan)` is `nan`.


# %% exercise="gradient_check" forbid=["llmcourse.steps.backprop.gradient_check", "scipy.optimize.check_grad", "scipy.optimize.approx_fprime"]
def gradient_check(loss_fn, params, grads, epsilon=1e-5):
    """Compare gradients with central differences, entry by entry.

    Args:
        loss_fn: function that maps a dict like params to the loss, a number.
        params: dict of float arrays; it is the same before and after.
        grads: dict with the same names and shapes, the gradients to check.
        epsilon: how far each entry is moved, up and down.

    Returns:
        The largest relative error of all entries, one number; nan or inf where the loss or a gradient is no number.
    """
    ### BEGIN SOLUTION
    largest = 0.0
    for name, value in params.items():
        for index in np.ndindex(value.shape):
            step = np.zeros_like(value)
            step[index] = epsilon
            up = loss_fn({**params, name: value + step})
            down = loss_fn({**params, name: value - step})
            numeric = (float(up) - float(down)) / (2 * epsilon)
            given = float(grads[name][index])
            error = abs(numeric - given) / max(1e-8, abs(numeric) + abs(given))
            largest = np.maximum(largest, error)  # max() would walk past a nan
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
# It is far too slow. It computes the loss twice for **each** parameter. The network of part 5 has 101,770 parameters,
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
# ## 2. Backpropagation
#
# Now the heart of the lesson. Remember the way forward: with $a_0 = X$, the samples, each layer $l$ computes
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
# which factor?** Then add up over all of them. This is the chain rule for several variables: if a number reaches the loss
# in several ways, each way brings its product of factors, and the products are added.
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
# Through a ReLU we already know the way: multiply by $\operatorname{relu}'(z)$. Put both together, and
# number the layers with care:
#
# $$
# \boxed{\;
# \begin{aligned}
# \delta_L &= \frac{\partial J}{\partial z_L} & &\text{from the loss}\\[4pt]
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
# its shapes. For a **batch** of 64 digits, the samples that go through the network together, and the layers 784 → 128 → 10:
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
# ### What is there already
#
# The way back needs $z_l$ and $a_{l-1}$ from the way forward. `mlp_forward` keeps them in its second result, the cache:

# %% tags=["explore"]
params = steps.init_mlp((5, 4, 3), seed=0)  # D = 5 features, U = 4 hidden units, C = 3 classes
logits, cache = steps.mlp_forward(params, np.ones((2, 5)))  # N = 2 samples
print("params:", {name: value.shape for name, value in params.items()})
print("cache: ", {name: value.shape for name, value in cache.items()})

# %% [markdown]
# ### Exercise 2: backpropagation
#
# Write the three lines of the box as a loop over the layers, from the last to the first. It should work for two layers
# and for any other number. You may use your own `relu_backward`, or the tested `steps.relu_backward`.


# %% exercise="mlp_backward" forbid=["llmcourse.steps.backprop.mlp_backward"]
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
# ## 3. Gradients by themselves
#
# You derived the gradients of one kind of network. Must one do that again for every new formula? No. A formula is made of
# single operations, sums, products, bends; each operation knows its own derivatives; and the chain rule puts them together
# in always the same way. So a program can do it. This is **automatic differentiation**, and it is why nobody writes
# `mlp_backward` by hand any more. You write it now, in thirty lines, for single numbers.
#
# ### A number that remembers where it came from
#
# A `Value` holds a number, `data`, and a place for a derivative, `grad`. If it was computed from others, it also holds its
# **inputs**, each with the **local derivative**: how much does my data move if this input moves by a little?
#
# | operation | `data` | inputs with their local derivatives |
# | --- | --- | --- |
# | $a + b$ | $a + b$ | $(a,\; 1)$, $(b,\; 1)$ |
# | $a \cdot b$ | $a \cdot b$ | $(a,\; b)$, $(b,\; a)$ |
# | $\operatorname{relu}(a)$ | $\max(a, 0)$ | $(a,\; 1 \text{ if } a > 0 \text{ else } 0)$ |
#
# Take the single numbers of part 2 again: $J = (a_1 w_2 + b_2 - t)^2$ with $a_1 = \operatorname{relu}(a_0 w_1 + b_1)$. The
# way forward builds a graph: $a_0$ and $w_1$ lead to their product, the product and $b_1$ to $z_1$, and so on up to $J$.
#
# ### The way back
#
# `J.backward()` sets the `grad` of $J$ itself to 1 and then hands shares from each value on to its inputs:
#
# $$\text{input.grad} \mathrel{+}= \text{local derivative} \cdot \text{value.grad}$$
#
# Two things are easy to get wrong.
#
# - **Add, do not set.** In $x \cdot x + x$ the number $x$ is used three times; each use brings a share, and the derivative
#   $2x + 1$ is their sum.
# - **Wait for all shares.** A value may hand its `grad` on only when all shares of it have arrived. So the order matters:
#   first the values that nobody else waits for. Such an order is called **topological**. To get one: make a list in which
#   each value stands *after* all its inputs, and go through it from the end.
#
# The list is made by a function that visits a value: if it was visited before, it returns at once; else it visits the
# inputs first and then appends the value itself to the list. A set remembers who was visited, so that a value with a
# thousand ways to it is still visited once.
#
# > **Think first.** In $u = x + x$, $y = u \cdot u + u$: in which order are $y$, $u \cdot u$, $u$, $x$ handled, and what
# > goes wrong if $u$ hands its `grad` on right after the sum has given it a share?
#
# <details>
# <summary>Answer</summary>
#
# $y$, then $u \cdot u$, then $u$, then $x$. If $u$ went right after $y$, it would hand on the share 1 from the sum, and
# the shares from $u \cdot u$ would come too late: $x$ would get 2 in place of $2\,(2u + 1)$.
#
# </details>
#
# ### Exercise 3: a value with a way back
#
# `__add__` and `__mul__` are what Python calls for `a + b` and `a * b`. `__init__` is given. (Inside a method you may define
# a function, here `visit`, that calls itself.)


# %% exercise="Value" forbid=["llmcourse.steps.backprop.Value"]
class Value:
    """A number that remembers what it was computed from."""

    def __init__(self, data, inputs=()):
        """Hold a number, and pairs (input, local derivative) of the Values that it was computed from."""
        self.data, self.grad = float(data), 0.0
        self.inputs = tuple(inputs)

    def __add__(self, other):
        """Return the sum of two Values as a new Value."""
        ### BEGIN SOLUTION
        return Value(self.data + other.data, [(self, 1.0), (other, 1.0)])
        ### END SOLUTION

    def __mul__(self, other):
        """Return the product of two Values as a new Value."""
        ### BEGIN SOLUTION
        return Value(self.data * other.data, [(self, other.data), (other, self.data)])
        ### END SOLUTION

    def relu(self):
        """Return a new Value: this one where it is positive, otherwise 0; the derivative at exactly 0 counts as 0."""
        ### BEGIN SOLUTION
        return Value(max(self.data, 0.0), [(self, 1.0 if self.data > 0 else 0.0)])
        ### END SOLUTION

    def backward(self):
        """Set grad of this Value to 1, and add to grad of all Values it was made of the derivative of this one by them."""
        ### BEGIN SOLUTION
        order, visited = [], set()

        def visit(value):
            if value not in visited:
                visited.add(value)
                for each, _ in value.inputs:
                    visit(each)
                order.append(value)  # after its inputs

        visit(self)
        self.grad = 1.0
        for value in reversed(order):
            for each, derivative in value.inputs:
                each.grad += derivative * value.grad
        ### END SOLUTION


# %% check="Value"
check("Value")

# %% [markdown]
# ### A look at what it did: the numbers of part 2, and a whole network
#
# First the single numbers. In part 2 we found $J = 0.25$, $\partial J/\partial w_2 = 5$, $\partial J/\partial w_1 = 1$.

# %% tags=["explore"]
a0, w1, b1, w2, b2, t = map(steps.Value, (2, 3, -1, 0.5, 1, 3))  # put your own Value here
difference = (a0 * w1 + b1).relu() * w2 + b2 + t * steps.Value(-1)
J = difference * difference
J.backward()
print("J:", J.data, "  by w2:", w2.grad, "  by w1:", w1.grad, "  by b1:", b1.grad, "  by b2:", b2.grad)

# %% [markdown]
# Then a network with arrays. NumPy can hold any objects in an array and computes with their `+` and `*`, so the code of the
# way forward stays as it is. Every entry of every array becomes a `Value`:

# %% tags=["explore"]
rng = np.random.default_rng(4)
params, x = steps.init_mlp((5, 4, 3), seed=4), rng.normal(size=(2, 5))
upstream = rng.normal(size=(2, 3))  # some numbers by which the logits are weighed
wrap, gradient_of = np.vectorize(steps.Value), np.vectorize(lambda value: value.grad)

values = {name: wrap(array) for name, array in params.items()}
hidden = np.vectorize(steps.Value.relu)(wrap(x) @ values["W1"] + values["b1"])  # (2, 4)
total = ((hidden @ values["W2"] + values["b2"]) * wrap(upstream)).sum()
total.backward()

_, cache = steps.mlp_forward(params, x)
by_hand = steps.mlp_backward(params, cache, upstream)
for name in params:
    print(f"{name}: Value and backpropagation agree:", np.allclose(gradient_of(values[name]), by_hand[name]))
print("the gradient of W1:")
print(gradient_of(values["W1"]).round(3))

# %% [markdown]
# The same gradients, and nobody derived anything. What you wrote by hand has one advantage left: it handles whole arrays at
# a time. TensorFlow, JAX and PyTorch do exactly what your `Value` does, with arrays in place of numbers, and with a few
# hundred operations in place of three.
#
# > **Change this, predict, run.** Give `x` two rows that are equal. What do you expect of the gradients?
#
# <details>
# <summary>Answer</summary>
#
# They still agree, of course. Each row gets other weights from `upstream`, so the gradient of `W1` is the sum of two
# shares that have the same pattern of zeros: the same hidden units are active for both rows.
#
# </details>
#
# **Common mistakes**
#
# - `=` in place of `+=`: a number that is used twice forgets its first share.
# - Handing on shares while walking through the graph from the result, without an order. In a plain chain it works, and
#   in a network with a unit that is used twice it is wrong.
# - Walking along *every way* from the result to an input. In a deep network there are more ways than atoms.

# %% [markdown]
# ## 4. Downhill: gradient descent with momentum
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
# Across the valley the gradient points now to one side and now to the other, and its shares in the velocity cancel. Along
# the valley it always points the same way, and they add up. For a constant gradient, $v$ grows towards $g / (1 - m)$; with the usual
# $m = 0.9$ that is a step ten times as long. At the start $v = 0$, and with $m = 0$ we are back at plain gradient
# descent. Two numbers to follow along, with $\text{lr} = 0.1$, $m = 0.9$, $p = 1$, $v = 0$ and the gradient 2 in two
# steps: first $v = 2$, $p = 0.8$; then $v = 0.9 \cdot 2 + 2 = 3.8$, $p = 0.42$. Note that $p$ moves by the **new**
# velocity.

# %% [markdown]
# ### Exercise 4: one step of gradient descent with momentum
#
# Return **new** dicts with new arrays, and leave the given ones as they are.


# %% exercise="sgd_step" forbid=["llmcourse.steps.backprop.sgd_step"]
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


def descend(learning_rate, momentum, count=40):
    """Walk down from (-9, 1.5) and return all places visited: (count + 1, 2)."""
    params = {"p": np.array([-9.0, 1.5])}
    velocity = {"p": np.zeros(2)}
    path = [params["p"]]
    for _ in range(count):
        grads = {"p": params["p"] * np.array([1.0, 20.0])}
        params, velocity = steps.sgd_step(params, grads, velocity, learning_rate, momentum)
        path.append(params["p"])
    return np.array(path)


plots.descent_path(
    valley,
    {
        "plain, lr 0.02": descend(0.02, 0.0),
        "plain, lr 0.095": descend(0.095, 0.0),
        "momentum 0.5, lr 0.095": descend(0.095, 0.5),
    },
    minimum=(0.0, 0.0),
    title="Plain steps creep or zigzag; momentum adds up along the valley",
)

# %% tags=["explore"]
for learning_rate, momentum in ((0.02, 0.0), (0.095, 0.0), (0.11, 0.0), (0.095, 0.5)):
    left = np.abs(descend(learning_rate, momentum)[-1]).max()
    print(f"lr {learning_rate}, momentum {momentum}: after 40 steps {left:.0e} from the minimum")

# %% [markdown]
# With 0.02 the plain steps creep. 0.095 is nearly the best rate that plain descent can have here: across the valley it
# zigzags, along it goes on well; a little more, 0.11, and it flies away across. Momentum takes the same rate and comes
# out ten thousand times closer.
#
# > **Change this, predict, run.** What will momentum 0.9 do with the rate 0.095? More of a good thing?
#
# <details>
# <summary>Answer</summary>
#
# It overshoots: the ball is so heavy that it rolls up the other side and swings to and fro. After 40 steps it is further
# from the minimum than with 0.5. In the long valleys of real networks 0.9 is the usual choice.
#
# </details>

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
# it hardly finds its way back. In practice people try rates on a **logarithmic grid**, each about three times the one
# before, and take the largest that still trains calmly. Let us do that: the loss after forty steps, for eight rates.
#
# > **Predict, then run.** Where on the grid is the best rate, and what happens to its right?

# %% tags=["explore"]
grid = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0]
curves = {rate: forty_losses(rate) for rate in grid}
for rate, losses in curves.items():
    end = "above 1.5" if losses[-1] > 1.5 else "from 1 to 1.5" if losses[-1] > 1 else "below 1"
    print(f"rate {rate:5}: at first {losses[0]:.1f}, at most {max(losses):4.1f}, after forty steps {end}")
best = min(curves, key=lambda rate: curves[rate][-1])
print("the best of them:", best)

# %% [markdown]
# On the left the loss falls too slowly. On the right it first jumps up, at 3.0 to above 80, and has hardly come down again
# after forty steps. The best rate lies a little before this edge. One look at such a table saves days.
#
# **Common mistakes**
#
# - `params[name] -= ...` works in place. It changes the arrays of everybody who holds them.
# - Moving by the old velocity, or setting the velocity back to zero before each step; then there is no momentum.
# - A plus sign. The loss then climbs.

# %% [markdown]
# ## 5. Training on real digits
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
# `steps.init_mlp((784, 128, 10), seed)` draws random weights of the right size, with the variance $2/D$, and sets the
# biases to 0.
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
# ### Exercise 5: train a network
#
# Use your own functions, or the tested ones (`steps.mlp_forward`, `steps.softmax_cross_entropy`, `steps.mlp_backward`,
# `steps.sgd_step`). Batches of 64, learning rate 0.1 and momentum 0.9; one hidden layer of 128 units is a good start. Take
# all random numbers from `rng = np.random.default_rng(seed)` and `steps.init_mlp(..., seed)`, so that the same seed gives
# the same network again. After each step, call `on_step(batch, params)` if there is one: who calls `train_mlp` can then
# watch the training, and so can the check.
#
# The check trains your network on the 4,000 digits, each slightly moved and dimmed, and with the ten classes renamed
# (so that nothing is gained by knowing MNIST by heart). Then it asks about 1,000 digits that the network has never
# seen. It wants 92 % of them. Training takes a few seconds.


# %% exercise="train_mlp" forbid=["llmcourse.steps.backprop.train_mlp", "sklearn.neural_network.MLPClassifier"]
def train_mlp(x, labels, seed, epochs=20, on_step=None):
    """Train a network with mini-batch gradient descent on the softmax cross-entropy.

    In each epoch the samples come in a new random order, in batches of 64, of which the last one may be smaller. Each step
    has the learning rate 0.1 and the momentum 0.9; the velocity is zero before the first step of all.

    Args:
        x: float array (N, D) with entries from 0 to 1; D is 784 for the digits.
        labels: integer array (N,), the right classes, from 0 to C-1; the largest label that occurs is C-1.
        seed: integer; equal seeds give equal results.
        epochs: integer, how often each sample is seen; with 0 the params are those drawn at the start.
        on_step: None, or a function that is called after each step with two arguments: the rows of x that were in its
            batch, an integer array, and the params after it.

    Returns:
        Dict {"W1": ..., "b1": ..., "W2": ..., "b2": ...} of the trained parameters, float arrays, so that
        mlp_forward(params, x) gives logits (N, C).
    """
    ### BEGIN SOLUTION
    classes = int(labels.max()) + 1
    params = steps.init_mlp((x.shape[1], 128, classes), seed)
    velocity = {name: np.zeros_like(value) for name, value in params.items()}
    rng = np.random.default_rng(seed)
    for _ in range(epochs):
        order = rng.permutation(len(x))
        for start in range(0, len(x), 64):
            batch = order[start : start + 64]
            logits, cache = steps.mlp_forward(params, x[batch])
            _, grad_logits = steps.softmax_cross_entropy(logits, labels[batch])
            grads = steps.mlp_backward(params, cache, grad_logits)
            params, velocity = steps.sgd_step(params, grads, velocity, learning_rate=0.1, momentum=0.9)
            if on_step:
                on_step(batch, params)
    return params
    ### END SOLUTION


# %% check="train_mlp"
check("train_mlp")

# %% [markdown]
# ### Before you train for long: three questions
#
# A long training is easy to start and sad to throw away. These three questions take seconds, and find most mistakes.
#
# 1. **Is the first loss near $\log C$?** (Lesson `mlp`.)
# 2. **Can the network learn one batch by heart?** A network with 101,770 parameters must be able to get 64 digits right,
#    all of them, with a loss near 0. If it cannot, a gradient is wrong, or labels and images do not belong together.
# 3. **Do the two curves tell a plausible story?** The loss on the digits that it learns from, and on others.
#
# Below, `steps.predict(params, x)` gives for each sample the class with the largest logit.
#
# > **Predict, then run.** What happens to question 2 if the labels are drawn at random, so that there is nothing to
# > understand?

# %% tags=["explore"]
few, labels = x_train[:64], y_train[:64]
params = steps.init_mlp((784, 128, 10), seed=0)
print(f"1. first loss {steps.softmax_cross_entropy(steps.mlp_forward(params, few)[0], labels)[0]:.1f}, log(10) is 2.3")
random_labels = np.random.default_rng(6).integers(10, size=64)
for what, wanted in {"true labels": labels, "random labels": random_labels}.items():
    learned = steps.train_mlp(few, wanted, seed=0, epochs=150)
    share = (steps.predict(learned, few) == wanted).mean()
    print(f"2. one batch by heart, {what}: {share:.0%} right after 150 steps")

# %% [markdown]
# <details>
# <summary>Answer</summary>
#
# It learns random labels by heart just as well. So question 2 says that the machinery works, and nothing about
# understanding. Only question 3 can: a network that learned random labels knows one digit in ten of those it has not seen.
#
# </details>

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
# Compare them with the ten means of the lesson `mlp`. These units do not look for whole digits, but for strokes in some places
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
# ## 6. The same network in Keras
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
# softmax**: the loss takes the logits, for the reason you met in the lesson `mlp`. (In Keras that is
# `SparseCategoricalCrossentropy(from_logits=True)`; *sparse* because the labels are integers and not one-hot rows.)
#
# ### Exercise 6: build the network
#
# 784 inputs, one hidden layer of `hidden_units` units with ReLU, 10 logits. The first cell of this lesson has imported
# `keras`.


# %% exercise="build_mlp" forbid=["llmcourse.steps.backprop.build_mlp"]
def build_mlp(hidden_units):
    """Build the network 784 -> hidden_units -> 10 in Keras.

    Args:
        hidden_units: integer, number of units in the hidden layer, which has a ReLU.

    Returns:
        A keras.Model that maps (N, 784) to logits (N, 10), without a softmax.
    """
    ### BEGIN SOLUTION
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
# First we carry over the weights of the NumPy network that we trained in part 5. If both networks are the same
# function, they must give the same logits. (Keras computes in float32, with about seven digits, so a difference of
# 0.001 or less is rounding.)

# %% tags=["explore"]
model = steps.build_mlp(128)
model.set_weights([trained["W1"], trained["b1"], trained["W2"], trained["b2"]])
logits, _ = steps.mlp_forward(trained, x_test)
print("parameters:", f"{model.count_params():,}")
print("same logits as NumPy:", np.allclose(model.predict(x_test, verbose=0), logits, atol=1e-3))

# %% [markdown]
# Then we train a fresh one, with the same loss, the same **optimizer** (the rule by which the gradients move the params;
# yours is `sgd_step`) and batches of the same size. `compile` and `fit`
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
# - A softmax in the last layer *and* `from_logits=True`: softmax twice. The gradients become small and
#   the network learns slowly. Keras on TensorFlow notices it inside `fit`, warns, and takes the logits from before the
#   softmax; do not count on it elsewhere.
# - Without `keras.Input` the model does not know its number of inputs yet, and has no weights before the first call.

# %% [markdown]
# ## What to take with you
#
# - Backpropagation is a recursion from the last layer to the first:
#   $\delta_l = (\delta_{l+1} W_{l+1}^\top) \odot g'(z_l)$. The gradients are $a_{l-1}^\top \delta_l$ and the sum of
#   $\delta_l$ over the samples.
# - Every gradient has the shape of its array. Test it against central differences before you trust it.
# - Automatic differentiation is the same recursion over a graph of single operations: note the inputs and the local
#   derivatives on the way forward, and add up shares on the way back.
# - Before you train for long: is the first loss $\log C$? Can the network learn one batch by heart? Which rate of a
#   logarithmic grid is best?
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
# - A. G. Baydin, B. A. Pearlmutter, A. A. Radul and J. M. Siskind (2018): Automatic differentiation in machine learning: a
#   survey. *Journal of Machine Learning Research* 18(153), 1–43. What part 3 is the beginning of.
# - Y. LeCun, L. Bottou, G. B. Orr and K.-R. Müller (1998): Efficient BackProp. In: *Neural Networks: Tricks of the
#   Trade*, Springer, 9–50. Practical advice on inputs, weights and learning rates that still holds.
# - X. Glorot and Y. Bengio (2010): Understanding the difficulty of training deep feedforward neural networks.
#   *AISTATS*, PMLR 9, 249–256. Why signals fade, and how to choose the first weights.
# - B. T. Polyak (1964): Some methods of speeding up the convergence of iteration methods. *USSR Computational
#   Mathematics and Mathematical Physics* 4(5), 1–17. Momentum, under the name of the heavy ball.
# - I. Goodfellow, Y. Bengio and A. Courville (2016): *Deep Learning*, MIT Press, chapter 6. This lesson in the language
#   of a textbook; free to read at deeplearningbook.org.
