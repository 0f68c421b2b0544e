# %% [markdown]
# # Attention: a soft dictionary
#
# Every large language model, every good translation program, is built from one operation: **attention**. It is a lookup
# in a dictionary, made soft so that it can learn. In this lesson you write all of it, down to the layer that Keras
# offers as `MultiHeadAttention`, and your layer gives the same numbers as Keras' to the last digit that matters.
#
# **What you will be able to do**
#
# - explain attention as a lookup, with the shape of every tensor;
# - say why the scores are divided by a square root, and show what happens without it;
# - write the masks that hide padding and the future, and know the three ways to get them wrong;
# - write multi-head attention, count its parameters, and say what it costs as a text grows longer;
# - tell a network that does not know about order in which order its tokens stand (tokens are the pieces that a text is cut
#   into, such as words).
#
# **What you need:** the lessons `mlp` and `backprop` (layers as matrix products, softmax, what it means to train), NumPy's
# broadcasting (shapes are lined up from the right, and an axis of length 1 fits any length), and for one exercise the
# idea of a Python class with `self`.
#
# | part | | minutes | exercise |
# | --- | --- | ---: | --- |
# | 1 | A dictionary that answers with a mixture | 15 | |
# | 2 | From scores to weights, in `keras.ops` | 20 | 1 `softmax` |
# | 3 | Why the scores are divided by a root | 10 | |
# | 4 | Scaled dot-product attention | 25 | 2 `scaled_dot_product_attention` |
# | 5 | Masks: who may attend to what | 20 | 3 `padding_mask`, `causal_mask`, `combine_masks` |
# | 6 | From an average of the past to attention, in one sentence | 15 | |
# | 7 | Several heads | 15 | 4 `split_heads`, `merge_heads` |
# | 8 | Multi-head attention | 50 | 5 `MultiHeadAttention` |
# | 9 | Where am I? Positions | 35 | 6 `positional_encoding` |
# | 10 | What it costs | 10 | |
#
# **If you are stuck, go on.** All later cells use the tested versions from the package: `layers.padding_mask`,
# `layers.scaled_dot_product_attention` and so on, and `steps.softmax`, `steps.split_heads`, `steps.merge_heads`. In an
# exercise you may use your own functions from above, or the tested versions of those (but not of the one you are
# writing).
#
# **Letters.** `B` sentences in a batch, `T` queries, `S` keys (source), `H` heads, `K` width of a query or key in one
# head, `E` width of a value, `D` width of the model (the length of the vector that stands for one word).

# %% tags=["nbval-ignore-output"]
import math
import time

import numpy as np

from llmcourse import lesson, plots, setup

setup(seed=0)
check = lesson("attention")

import keras
from keras import ops

from llmcourse import layers
from llmcourse import steps

# %% [markdown]
# ## 1. A dictionary that answers with a mixture
#
# A Python dictionary answers a **query** in two steps. It compares the query with its **keys**, and returns the
# **value** of the one key that is equal:
#
# ```python
# price = {"cherry": 8, "banana": 2, "lemon": 4, "olive": 9}
# price["cherry"]      # 8
# price["apricot"]     # KeyError
# ```
#
# All or nothing. This has two drawbacks for a network that is to learn. First, a query that is *almost* right gets
# nothing. Second, there is no derivative: change the query a little, and the answer does not change at all, or it
# jumps. Gradient descent has nothing to go by.
#
# A **soft dictionary** compares the query with *all* keys, gives each entry a weight, and answers with the weighted
# mean of *all* values. Queries and keys are no longer words but vectors of the same width $K$, and "how well does this
# key answer this query" is their **dot product**: multiply entry by entry, add up. It is large where the two vectors
# point the same way.
#
# Let us describe fruit by $K = 2$ numbers, how sweet and how sour they are:
#
# | entry | key (sweet, sour) | value: price |
# | --- | --- | ---: |
# | cherry | ( 1,  1) | 8 |
# | banana | ( 1, −1) | 2 |
# | lemon | (−1,  1) | 4 |
# | olive | (−1, −1) | 9 |
#
# The query $q = (2, 1)$ asks: "what does something rather sweet and a little sour cost?" Three steps answer it.
#
# 1. **Scores:** the dot product of $q$ with each key. For the cherry $2 \cdot 1 + 1 \cdot 1 = 3$; for all four
#    $(3,\; 1,\; -1,\; -3)$.
# 2. **Weights:** softmax of the scores, positive numbers with sum 1: $(0.86,\; 0.12,\; 0.02,\; 0.00)$.
# 3. **Output:** the mean of the values with these weights,
#    $0.86 \cdot 8 + 0.12 \cdot 2 + 0.02 \cdot 4 + 0.00 \cdot 9 \approx 7.2$.

# %% tags=["explore"]
fruit = ["cherry", "banana", "lemon", "olive"]
fruit_keys = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]], dtype="float32")  # (S, K) = (4, 2)
prices = np.array([8, 2, 4, 9], dtype="float32")  # (S,)
question = np.array([2, 1], dtype="float32")  # (K,)

scores = fruit_keys @ question  # (S,)
weights = np.exp(scores) / np.exp(scores).sum()
plots.attention_lookup(fruit, scores, weights, prices, weights @ prices)

# %% [markdown]
# The answer is a little below the price of cherries, because a little banana is mixed in. And everything is smooth now:
# a small change of the query, of a key or of a value changes the answer by a little. So all three can be *learned*, and
# in a network they are: query, key and value are made from the words of a text by layers like those of the lesson `mlp`.
#
# > **Think first.** What must the query be so that the soft dictionary becomes the ordinary one, and its answer comes as
# > near to 8 as you like?
#
# <details>
# <summary>Answer</summary>
#
# It must point to the cherry, and be long. For $q = (20, 10)$ the scores are ten times as far apart, $(30,\; 10,\; -10,\; -30)$,
# and softmax gives the cherry 0.999999998. Exactly 8 is never reached, since no weight is ever quite 0. A long query is a
# sure one. With $q = (0, 0)$, on the other hand, all scores
# are equal and the answer is the plain mean of all prices, 5.75: a query that asks for nothing. Between the two lies
# everything that attention can do.
#
# </details>

# %% [markdown]
# ## 2. From scores to weights, in `keras.ops`
#
# From here on we compute with `keras.ops`. It has nearly the same functions as NumPy, but works on **tensors**: arrays
# that may live on a graphics card, whose gradients Keras works out for you, and which can be compiled for speed. The
# same code runs on TensorFlow, JAX and PyTorch.
#
# | NumPy | keras.ops | |
# | --- | --- | --- |
# | `np.exp(x)`, `np.sin(x)` | `ops.exp(x)`, `ops.sin(x)` | entry by entry |
# | `x.max(axis=1, keepdims=True)` | `ops.max(x, axis=1, keepdims=True)` | likewise `ops.sum` |
# | `a @ b` | `ops.matmul(a, b)` | the last two axes are matrices, all others are a batch |
# | `np.where(mask, a, b)` | `ops.where(mask, a, b)` | `a` where the mask is True, elsewhere `b` |
# | `x.reshape(...)`, `x.transpose(...)` | `ops.reshape(x, ...)`, `ops.transpose(x, ...)` | |
# | `x.shape` | `ops.shape(x)` | also right while Keras builds a model whose sizes are still open |
#
# About the last row: before it computes with numbers, Keras first runs your code with placeholders, tensors without numbers,
# some of whose sizes are `None`: "not known yet". `x.shape` shows these `None`s; `ops.shape(x)` gives what the size will be.
#
# Three differences matter:
#
# - The functions **take** NumPy arrays or tensors and **return** tensors. `ops.convert_to_numpy(x)` leads back to
#   NumPy. The checks hand your functions NumPy arrays of type float32, and take tensors back.
# - A tensor cannot be changed in place: `x[0] = 1` is an error. Make a new one.
# - Keras computes in **float32**, NumPy by default in float64. Beware of `np.sqrt(8)`: it is a float64 number of
#   NumPy's, and a float32 array divided by it becomes float64. `math.sqrt(8)` is a plain Python number and changes no
#   type.

# %%
x = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], dtype="float32")  # (2, 3)
doubled = ops.multiply(x, 2)
print("a tensor:", ops.is_tensor(doubled), "  back in NumPy:", ops.convert_to_numpy(doubled).tolist())
print("sum over axis 0:", ops.convert_to_numpy(ops.sum(x, axis=0)).tolist())
print("sum over axis 1:", ops.convert_to_numpy(ops.sum(x, axis=1)).tolist())
print("float32 array / np.sqrt(8) is", (x / np.sqrt(8)).dtype, " but / math.sqrt(8) is", (x / math.sqrt(8)).dtype)

# %% [markdown]
# ### Softmax along any axis
#
# You know softmax from the lesson `mlp`. For scores $s_1, \dots, s_S$:
#
# $$
# w_i = \frac{e^{s_i}}{\sum_{j=1}^{S} e^{s_j}} = \frac{e^{s_i - m}}{\sum_{j=1}^{S} e^{s_j - m}}
# \qquad\text{for any number } m
# $$
#
# The second form, with $m$ the largest of the scores, is the safe one: no exponential is larger than $e^0 = 1$, and the
# sum is at least 1. (In float32, $e^{89}$ is already infinity.)
#
# What is new: attention's scores have four axes, and softmax runs along **one** of them. An axis is counted from the
# left (0, 1, 2, 3) or, with a minus sign, from the right: −1 is the last. Along the chosen axis the weights sum to 1;
# each of the other places has a softmax of its own, **with a maximum of its own**.
#
# ### Exercise 1: softmax
#
# Two lines are enough. Do not forget `keepdims=True`.


# %% exercise="softmax" forbid=["llmcourse.steps.attention.softmax", "llmcourse.layers.attention_weights", "keras.ops.softmax", "keras.ops.log_softmax", "keras.activations.softmax", "keras.activations.log_softmax", "keras.layers.Softmax", "scipy.special.softmax", "scipy.special.log_softmax", "tensorflow.nn.softmax", "tensorflow.nn.log_softmax"]
def softmax(scores, axis=-1):
    """Turn scores into weights: positive numbers that sum to 1 along one axis.

    Args:
        scores: float32 array or tensor of any shape, any numbers, also -10,000 or 10,000.
        axis: integer, the axis along which the weights sum to 1; negative numbers count from the right.

    Returns:
        Float tensor of the same shape.
    """
    ### BEGIN SOLUTION
    odds = ops.exp(scores - ops.max(scores, axis=axis, keepdims=True))
    return odds / ops.sum(odds, axis=axis, keepdims=True)
    ### END SOLUTION


# %% check="softmax"
check("softmax")

# %% [markdown]
# **Common mistakes**
#
# - No `keepdims`. The sum of a `(2, 3)` array over axis 1 has the shape `(2,)`, which does not fit back; and if it
#   happens to fit, as with `(3, 3)`, everything is divided by the wrong sums and nobody complains.
# - One maximum for the whole array. A row that lies far below it becomes 0/0.

# %% [markdown]
# ## 3. Why the scores are divided by a root
#
# So far the scores were plain dot products. The paper that made attention famous (Vaswani et al., 2017) divides them by
# $\sqrt{K}$, where $K$ is the width of queries and keys. Why?
#
# Suppose the entries of $q$ and $k$ are independent random numbers with mean 0 and variance 1, as they roughly are in a
# fresh network. (*Independent*: knowing some of them tells nothing about the others. The *variance* is the mean of the squared
# distances from the mean; its root, the *standard deviation*, says how far from the mean the numbers typically lie.) Then
# each product $q_i k_i$ has mean 0 and variance 1, and the dot product is a sum of $K$ of them. Variances of independent
# numbers add up:
#
# $$
# \operatorname{Var}(q \cdot k) = \operatorname{Var}\Bigl(\sum_{i=1}^{K} q_i k_i\Bigr) = K
# \qquad\Longrightarrow\qquad
# \text{the scores are typically as large as } \sqrt{K},
# \qquad
# \operatorname{Var}\Bigl(\frac{q \cdot k}{\sqrt K}\Bigr) = 1 .
# $$
#
# With $K = 1024$, typical scores are ±32 instead of ±1. What does softmax make of that? Let us ask 400 random queries,
# each with 8 random keys, and sort the weights of each.


# %% tags=["explore"]
def mean_weights(width, divisor, rng):
    """Sort the weights of 8 random keys, largest first, and average over 400 random queries: (8,)."""
    query, key = rng.normal(size=(400, 1, width)), rng.normal(size=(400, 8, width))
    scores = (query * key).sum(axis=-1) / divisor  # (400, 8)
    weights = ops.convert_to_numpy(steps.softmax(scores, axis=-1))
    return np.sort(weights, axis=-1)[:, ::-1].mean(axis=0)


widths = [4, 16, 64, 256, 1024]
without = np.array([mean_weights(width, 1.0, np.random.default_rng(0)) for width in widths])
scaled = np.array([mean_weights(width, math.sqrt(width), np.random.default_rng(0)) for width in widths])
plots.softmax_widths(widths, without, scaled)

# %% [markdown]
# Without the division, a wide network starts with a *hard* dictionary: one key gets everything, and which one is
# chance. That would be a bad place to start learning from, for the derivative of a weight by its own score is
#
# $$\frac{\partial w_i}{\partial s_i} = w_i\,(1 - w_i),$$
#
# which is close to 0 as soon as $w_i$ is close to 1 or 0. The softmax is **saturated**, and hardly any gradient comes
# back to queries and keys. (Remember the sigmoid of the lesson `mlp`; it is the same illness.) With the division, the
# picture is the same at every width: all keys have a say, and training decides which of them deserve more.
#
# > **Think first.** Why not divide by $K$ itself, to be on the safe side?
#
# <details>
# <summary>Answer</summary>
#
# Then the scores have the standard deviation $\sqrt K / K = 1/\sqrt K$. For large $K$ all scores are nearly equal, all
# weights are nearly $1/S$, and the network starts with a plain mean of everything. That is not as bad as saturation,
# but the dictionary has become blurred, and queries and keys must grow very large before they can single anything out.
#
# </details>

# %% [markdown]
# ## 4. Scaled dot-product attention
#
# Now for many queries at once. Put the $T$ queries into the rows of a matrix $Q$, the $S$ keys into the rows of $M$
# (for "matching"; the letter $K$ is taken by the width), and the $S$ values, each of width $E$, into the rows of $V$:
#
# $$
# \underbrace{W}_{(T,\,S)} = \operatorname{softmax}\Bigl(\frac{\overbrace{Q}^{(T,\,K)}\;\overbrace{M^\top}^{(K,\,S)}}{\sqrt{K}}\Bigr)
# \qquad\qquad
# \underbrace{O}_{(T,\,E)} = \underbrace{W}_{(T,\,S)}\;\underbrace{V}_{(S,\,E)}
# $$
#
# Row $t$ of $W$ belongs to query $t$: it says how much this query takes from each of the $S$ entries. So the softmax
# runs along the **keys**, the last axis, and every *row* sums to 1. (The columns need not sum to anything: a popular
# entry may be looked up by many queries, an unpopular one by none.)
#
# There are $B$ sentences in a batch, and in part 7 each sentence gets $H$ heads. Both are simply axes in front, which
# `ops.matmul` carries along:
#
# | tensor | shape |
# | --- | --- |
# | `query` | `(B, H, T, K)` |
# | `key` | `(B, H, S, K)`; with the last two axes exchanged, `ops.swapaxes(key, -1, -2)`: `(B, H, K, S)` |
# | scores, weights | `(B, H, T, S)` |
# | `value` | `(B, H, S, E)` |
# | output | `(B, H, T, E)` |
#
# ### Some keys are forbidden
#
# Often a query must not look at all entries: a sentence has been filled up with padding, or the entry lies in the
# future. A **mask** says so: booleans, **True means "may attend"**, of a shape that broadcasts to the scores, `(B, H,
# T, S)`. Two steps:
#
# 1. *Before* the softmax, replace the scores of forbidden keys by a number so small that its exponential is 0, such as
#    $-10^9$. What is left sums to 1 by itself.
# 2. *After* the softmax, set the weights of forbidden keys to exactly 0.
#
# The second step looks superfluous. It is not, if a query may attend to **no key at all**. Then all its scores are
# $-10^9$, all are equal, and softmax spreads the weight evenly over keys that are all forbidden. With step 2 such a row
# is all zeros, and so is its output. (With $-\infty$ instead of $-10^9$ it would be even worse: $-\infty - (-\infty)$
# is NaN, "not a number", which spreads from there through the whole network.)
#
# In code both steps are `ops.where(mask, x, number)`, which takes `x` where the mask is True and the number elsewhere.
#
# > **Think first.** Why not just multiply the weights by the mask after the softmax, and be done?
#
# <details>
# <summary>Answer</summary>
#
# Because the rest would no longer sum to 1. If the forbidden keys had 70 % of the weight, the output would shrink to
# less than a third of its size, and how much it shrinks would depend on keys that the query must not even see.
#
# </details>

# %% [markdown]
# ### Exercise 2: scaled dot-product attention
#
# Use your `softmax`, `steps.softmax` or `ops.softmax`. Without a mask (`mask=None`) every query may attend to every
# key.


# %% exercise="scaled_dot_product_attention" forbid=["llmcourse.layers.scaled_dot_product_attention", "llmcourse.layers.attention_weights", "llmcourse.layers.MultiHeadAttention", "keras.layers.MultiHeadAttention", "keras.layers.Attention", "keras.ops.dot_product_attention", "keras.ops.nn.dot_product_attention"]
def scaled_dot_product_attention(query, key, value, mask=None):
    """Look up each query: average the values, each weighed by how well its key answers the query.

    Args:
        query: float32 (B, H, T, K), what is looked for.
        key: float32 (B, H, S, K), what each entry is found by.
        value: float32 (B, H, S, E), what each entry holds.
        mask: booleans that broadcast to (B, H, T, S), True for "may attend", or None.

    Returns:
        A pair: the output (B, H, T, E) and the weights (B, H, T, S). A query that may attend to no key gets zeros.
    """
    ### BEGIN SOLUTION
    scores = ops.matmul(query, ops.swapaxes(key, -1, -2)) / math.sqrt(key.shape[-1])  # (B, H, T, S)
    if mask is not None:
        scores = ops.where(mask, scores, -1e9)
    weights = steps.softmax(scores, axis=-1)
    if mask is not None:
        weights = ops.where(mask, weights, 0.0)
    return ops.matmul(weights, value), weights
    ### END SOLUTION


# %% check="scaled_dot_product_attention"
check("scaled_dot_product_attention")

# %% [markdown]
# ### A look at what it did
#
# The fruit again, now with three queries at once. The second one is long, and so very sure; the third one may not look
# at the cherry.

# %% tags=["explore"]
questions = np.array([[2, 1], [20, 10], [2, 1]], dtype="float32")[None, None]  # (B, H, T, K) = (1, 1, 3, 2)
allowed = np.array([[1, 1, 1, 1], [1, 1, 1, 1], [0, 1, 1, 1]], dtype=bool)[None, None]  # (1, 1, 3, 4)
found, weights = layers.scaled_dot_product_attention(
    questions, fruit_keys[None, None], prices[None, None, :, None], allowed
)
print("prices:", [f"{price:.1f}" for price in ops.convert_to_numpy(found)[0, 0, :, 0]])
plots.attention_maps(
    {"": ops.convert_to_numpy(weights)[0, 0]},
    ["rather sweet", "very sure", "no cherry"],
    fruit,
    title="Three queries, four keys",
)

# %% [markdown]
# The first answer is 6.7 and not the 7.2 of part 1: dividing by $\sqrt 2$ has made the scores smaller and the mixture a
# little softer. The last row gives the cherry nothing, and the other three share its weight.
#
# **Common mistakes**
#
# - The softmax over the queries (`axis=-2`): then each *key* hands out a total weight of 1, and a query may end up with
#   nothing.
# - The root of the wrong width. It is the width of a query in *one head*, the last axis of `query`: not the number of
#   keys, and not the width of the whole model.
# - `ops.transpose(key)` reverses *all* axes; you want to exchange the last two.
# - An error about `double` and `float` tensors: some number of NumPy's, such as `np.sqrt(8)`, has made float64 of your
#   scores. Use `math.sqrt`.
# - The mask the wrong way round. Libraries disagree: in PyTorch's `nn.MultiheadAttention` a boolean mask says True for
#   "must *not* attend". Here, as in Keras, True means "may".

# %% [markdown]
# ## 5. Masks: who may attend to what
#
# Two masks are needed again and again.
#
# **Padding.** Sentences have different lengths, but a batch is one array of token ids, integers that stand for words.
# Shorter sentences are filled up with the id **0**, which stands for no word:
#
# | | | | | | |
# | --- | ---: | ---: | ---: | ---: | ---: |
# | "the cat sat down" | 7 | 4 | 9 | 5 | 0 |
# | "cats sleep" | 8 | 6 | 0 | 0 | 0 |
#
# No query may attend to padding. From `ids (B, S)` the padding mask is True where the id is not 0 (`ops.not_equal(a,
# b)` compares entry by entry). It is about *keys*, the same for all heads and all queries, so its shape is `(B, 1, 1,
# S)`: each sentence has its own, and the two axes of length 1 stand for "any head" and "any query". `x[:, None, None,
# :]` puts such axes in.
#
# **The future.** A model that writes a text word by word is trained to guess the next word from those before it. If it
# could see the next word, it would just copy it and learn nothing. So position $t$ may attend to position $s$ only if
# $s \le t$: to the past and to **itself**. The causal mask of $T$ positions has the shape `(1, 1, T, T)`: rows are
# queries, columns are keys, and it is True on and below the diagonal. It is the same for all sentences and all heads.
#
# To get it, compare positions with positions. `ops.arange(T)` is $0, 1, \dots, T-1$; as a column, shape `(T, 1)`, it
# holds the query's place, as a row, shape `(1, T)`, the key's; broadcasting compares each with each.
#
# **Both.** A query may attend only where *all* masks allow it: `ops.logical_and`. Shapes `(B, 1, 1, S)` and `(1, 1, T,
# S)` broadcast to `(B, 1, T, S)`. A mask of `None` stands for "no restriction" and drops out.
#
# ### Exercise 3: three functions about masks


# %% exercise="masks" names=["padding_mask", "causal_mask", "combine_masks"] forbid=["llmcourse.layers.padding_mask", "llmcourse.layers.causal_mask", "llmcourse.layers.combine_masks"]
def padding_mask(ids):
    """Allow attention to real tokens only.

    Args:
        ids: integers (B, S), token ids; 0 is padding.

    Returns:
        Booleans (B, 1, 1, S), True where the key is a real token.
    """
    ### BEGIN SOLUTION
    return ops.not_equal(ids, 0)[:, None, None, :]
    ### END SOLUTION


def causal_mask(length):
    """Allow each position to attend to itself and to earlier ones.

    Args:
        length: integer, the number T of positions.

    Returns:
        Booleans (1, 1, T, T); row t, column s is True if position t may attend to position s.
    """
    ### BEGIN SOLUTION
    positions = ops.arange(length)
    return (positions[:, None] >= positions[None, :])[None, None, :, :]
    ### END SOLUTION


def combine_masks(*masks):
    """Allow what every one of the masks allows.

    Args:
        masks: any number of masks: booleans whose shapes broadcast to one another, or None for "no restriction".

    Returns:
        Booleans of the shape that the masks broadcast to; None if there is no mask or all of them are None.
    """
    ### BEGIN SOLUTION
    combined = None
    for mask in masks:
        if mask is not None:
            combined = mask if combined is None else ops.logical_and(combined, mask)
    return combined
    ### END SOLUTION


# %% check="masks"
check("masks")

# %% [markdown]
# ### A look at what it did

# %% tags=["explore"]
ids = np.array([[7, 4, 9, 5, 0]])  # (B, S) = (1, 5)
words = ["the", "cat", "sat", "down", "(pad)"]
padding, causal = layers.padding_mask(ids), layers.causal_mask(5)
both = layers.combine_masks(padding, causal)
print("shapes:", tuple(padding.shape), "and", tuple(causal.shape), "give", tuple(both.shape))
plots.mask_grids(
    {
        name: np.broadcast_to(ops.convert_to_numpy(mask), (1, 1, 5, 5))[0, 0]
        for name, mask in (("padding", padding), ("causal", causal), ("both", both))
    },
    words,
    words,
)

# %% [markdown]
# The row of the padding itself still has allowed keys. That does no harm: what is computed for padding is thrown away,
# and nobody attends to it.
#
# The real test of a mask is not how it looks but what it *does*: **change something forbidden, and nothing that is not
# allowed to see it may change.**

# %% tags=["explore"]
rng = np.random.default_rng(0)
text = rng.normal(size=(1, 1, 5, 8)).astype("float32")  # (B, H, T, K): five words
changed = text.copy()
changed[:, :, 3] += 1  # another fourth word
before, _ = layers.scaled_dot_product_attention(text, text, text, causal)
after, _ = layers.scaled_dot_product_attention(changed, changed, changed, causal)
moved = np.abs(ops.convert_to_numpy(after - before)).max(axis=(0, 1, 3)) > 1e-6
print("outputs that moved:", [word for word, has_moved in zip(words, moved, strict=True) if has_moved])

# %% [markdown]
# Only the fourth word and those after it. This *leak test* finds more faults in such networks than any plot; in a later
# lesson you will use it on networks that are broken.
#
# **Common mistakes**
#
# - A causal mask without the diagonal (`>` instead of `>=`). The first position may then attend to nothing at all.
# - The padding mask with the shape `(B, 1, S, 1)`: it silences *queries* instead of keys.
# - A mask of 0.0 and 1.0 that somebody adds to the scores. Masks are booleans, here and everywhere in this course.

# %% [markdown]
# ## 6. From an average of the past to attention, in one sentence
#
# Let us watch the whole idea grow on one sentence of $T = 8$ words. Each word is described by $D = 4$ numbers that we
# choose by hand, so that they can be read: is it a **noun**, a **verb**, **plural**, and a last one that is always 1. In a
# real network such numbers are learned, and nobody can read them.

# %% tags=["explore"]
sentence = ["the", "cat", "that", "chased", "the", "mice", "was", "tired"]
noun, verb, plural = [1, 0, 0, 1], [0, 1, 0, 1], [1, 0, 1, 1]
other = [0, 0, 0, 1]
text = np.array([other, noun, other, verb, other, plural, verb, other], dtype="float32")  # (T, D) = (8, 4)

lower = np.tril(np.ones((8, 8), dtype="float32"))  # row t: 1 for the words up to t
average = lower / lower.sum(axis=1, keepdims=True)  # each row sums to 1
print("of the words up to 'was', this share is a noun:", (average @ text)[6, 0].round(2))

# %% [markdown]
# **Step 1: the average of the past.** Row $t$ of a lower triangular matrix adds up the words up to $t$; divided by their
# number it is their mean. One matrix product, $(T, T)\,(T, D)$, gives every word a summary of what came before it. It is a
# poor one: each word counts alike.
#
# **Step 2: the same matrix as a masked softmax.** Take scores that are all 0, forbid the future with $-10^9$, and take the
# softmax along each row. Equal scores give equal weights:

# %% tags=["explore"]
scores = np.where(ops.convert_to_numpy(layers.causal_mask(8))[0, 0], np.zeros((8, 8), dtype="float32"), -1e9)
print("the masked softmax of zeros is that average:", np.allclose(ops.convert_to_numpy(steps.softmax(scores)), average))

# %% [markdown]
# So averaging the past is attention whose scores say nothing. **Step 3** is to let the words choose. Each word makes a query
# and a key from its own numbers, by a matrix each. The verb *was* looks for its subject: a noun, and not a plural one. So
# let a verb ask with 4 for "noun" and −4 for "plural", and let every word answer with what it is:

# %% tags=["explore"]
W_query = np.array([[0, 0], [4, -4], [0, 0], [0, 0]], dtype="float32")  # (D, K) = (4, 2): only verbs ask
W_key = np.array([[1, 0], [0, 0], [0, 1], [0, 0]], dtype="float32")  # (4, 2): am I a noun, am I plural
query, key = text @ W_query, text @ W_key  # (T, K) each
found, weights = layers.scaled_dot_product_attention(
    query[None, None], key[None, None], text[None, None], layers.causal_mask(8)
)
weights = ops.convert_to_numpy(weights)[0, 0]  # (T, S)
print("'was' gives 'cat' the weight", weights[6, 1].round(2), "and 'mice'", weights[6, 5].round(2))
plots.attention_maps({"": weights}, sentence, sentence, title="Verbs look for a noun that is not plural")

# %% [markdown]
# Words that ask for nothing (their query is 0) still take the average of their past. *was* takes most of what it gets from
# *cat*, five words away, and little from *mice*, which is nearer. Nothing in the formula knows grammar; two small matrices
# do, and matrices can be learned.
#
# > **Change this, predict, run.** Let verbs ask with +4 for "plural". What does *was* find now, and *chased*?
#
# <details>
# <summary>Answer</summary>
#
# *was* finds *mice*: noun and plural both count for it, so its score is twice that of *cat*. *chased* still finds *cat*:
# the mask hides the mice, which come later.
#
# </details>

# %% [markdown]
# ## 7. Several heads
#
# One softmax gives one set of weights: one question per word. But a word has many questions. In "the cat that chased
# the mice was tired", the word "was" wants to know its subject (the cat, and *one* of them) *and* what comes after it.
# A mean over both answers would be a blur. (Part 9 has a task that one head cannot solve and two can.)
#
# So attention is done $H$ times side by side, each time with queries, keys and values of its own. One such lookup is a
# **head**. To keep the cost the same, the width $D$ is shared out: each head works with pieces of width $K = D / H$.
#
# | head | takes the columns |
# | --- | --- |
# | 0 | $0$ to $K - 1$ |
# | 1 | $K$ to $2K - 1$ |
# | ... | |
# | $H - 1$ | $(H-1)K$ to $D - 1$ |
#
# In code we cut each vector into $H$ pieces, and then move the heads forward, beside the batch:
#
# $$
# (B,\; T,\; D) \;\xrightarrow{\text{reshape}}\; (B,\; T,\; H,\; D/H) \;\xrightarrow{\text{exchange axes 1 and 2}}\; (B,\; H,\; T,\; D/H)
# $$
#
# `ops.reshape` leaves the numbers in their order and only sets the commas anew, so it cuts a long vector into
# consecutive pieces. It does *not* exchange axes: that is the work of `ops.transpose(x, (0, 2, 1, 3))`, which says for
# each new axis which old one it is. A tiny example with $T = 2$ words of width $D = 4$ and $H = 2$ heads:

# %%
x = np.array([[[11, 12, 13, 14], [21, 22, 23, 24]]], dtype="float32")  # (B, T, D) = (1, 2, 4); word 1 and word 2
pieces = ops.reshape(x, (1, 2, 2, 2))  # (B, T, H, K)
print("head 0 should get:", ops.convert_to_numpy(ops.transpose(pieces, (0, 2, 1, 3)))[0, 0].tolist())
print(
    "reshape alone gives it:", ops.convert_to_numpy(ops.reshape(x, (1, 2, 2, 2)))[0, 0].tolist(), " one word, cut up!"
)

# %% [markdown]
# ### Exercise 4: split and merge
#
# `merge_heads` is the exact inverse: what was split comes back unchanged. Use `ops.shape(x)` for the sizes; it is right
# also when Keras builds a model for any number of sentences of any length (there `x.shape[0]` and `x.shape[1]` are
# `None`). If $D$ cannot be divided by $H$, `raise ValueError(...)` with both numbers in the message: an error that is
# found early is a cheap one.


# %% exercise="split_heads" names=["split_heads", "merge_heads"] forbid=["llmcourse.steps.attention.split_heads", "llmcourse.steps.attention.merge_heads"]
def split_heads(x, num_heads):
    """Cut each vector into equal pieces, one for each head.

    Args:
        x: float32 (B, T, D).
        num_heads: integer, H.

    Returns:
        Tensor (B, H, T, D/H): head h holds the h-th piece of each vector.

    Raises:
        ValueError: D is not a multiple of H.
    """
    ### BEGIN SOLUTION
    batch, length, d_model = ops.shape(x)
    if d_model % num_heads != 0:
        raise ValueError(f"The width must be a multiple of num_heads. Received: {d_model} and {num_heads}.")
    pieces = ops.reshape(x, (batch, length, num_heads, d_model // num_heads))  # (B, T, H, D/H)
    return ops.transpose(pieces, (0, 2, 1, 3))
    ### END SOLUTION


def merge_heads(x):
    """Put the pieces of each vector side by side again; undoes split_heads.

    Args:
        x: float32 (B, H, T, K).

    Returns:
        Tensor (B, T, H*K).
    """
    ### BEGIN SOLUTION
    batch, heads, length, width = ops.shape(x)
    return ops.reshape(ops.transpose(x, (0, 2, 1, 3)), (batch, length, heads * width))
    ### END SOLUTION


# %% check="split_heads"
check("split_heads")

# %% [markdown]
# **Common mistakes**
#
# - `ops.reshape(x, (B, H, T, K))` in one go. The shape is right, nothing warns, and each head gets a jumble of half the
#   words. Networks even learn something with it, only badly. (A check that looks at shapes alone lets it pass. Yours
#   does not.)
# - Merging without the second transpose: the same fault on the way back.

# %% [markdown]
# ## 8. Multi-head attention
#
# Where do the heads get queries, keys and values of their own? From **projections**: affine maps of the same inputs,
# one for each of the three, learned like every other layer. And one more at the end mixes what the heads have found.


# %% tags=["explore"]
plots.multi_head_graph()

# %% [markdown]
# For inputs `query (B, T, D)`, `key (B, S, D)` and `value (B, S, D)`:
#
# 1. **Project:** $Q = X_Q W_Q + b_Q$ with the shape $(B, T, H \cdot K)$. Likewise for key and value:
#    $(B, S, H \cdot K)$.
# 2. **Split** each into heads: $(B, H, T, K)$ and $(B, H, S, K)$.
# 3. **Attend**, all heads at once: $(B, H, T, K)$.
# 4. **Merge** the heads: $(B, T, H \cdot K)$.
# 5. **Project** to the output: $(B, T, H \cdot K)\,(H \cdot K,\, D) + (D,) \to (B, T, D)$.
#
# Three ways to use it have names. *Self-attention*: all three inputs are the same text, and every word looks at every
# word. *Causal* self-attention: the same under a causal mask. *Cross-attention*: the queries come from one text (a
# translation in the making), keys and values from another (the original); there $T \ne S$. Key and value nearly always
# come from the same tensor, so the key may be left out and is then the value.
#
# ### The variables, as Keras keeps them
#
# We take over Keras' shapes and order, so that weights can be copied in both directions:
#
# | | kernel | bias |
# | --- | --- | --- |
# | query | `(D, H, K)` | `(H, K)` |
# | key | `(D, H, K)` | `(H, K)` |
# | value | `(D, H, K)` | `(H, K)` |
# | output | `(H, K, D)` | `(D,)` |
#
# A kernel `(D, H, K)` is the matrix `(D, H*K)` whose columns have been cut into heads: `ops.reshape(kernel, (D, H *
# K))` gives the matrix, and the same works for the biases and for the output. Then everything is `ops.matmul`, your
# `split_heads` and your `merge_heads`. (If you know `ops.einsum`: `"btd,dhk->bhtk"` projects and splits in one step.
# Both are welcome.)
#
# > **Think first.** How many parameters does the layer have for $D = 512$ and $H = 8$ heads of width $K = 64$? And with
# > a single head of width 512?
#
# <details>
# <summary>Answer</summary>
#
# Each of the four kernels has $D \cdot H \cdot K = 512 \cdot 512 = 262{,}144$ weights, the biases have $3 \cdot 512 +
# 512$: together $4 \cdot 262{,}144 + 2{,}048 = 1{,}050{,}624$. In general $4 D H K + 3 H K + D$. With one head of width
# 512 it is exactly the same number: heads cost no parameters, they only share out the width. And nothing in it depends
# on $T$ or $S$: the same layer reads short and long texts.
#
# </details>
#
# > **Think first.** One of the eight variables changes nothing, whatever numbers it holds. Which?
#
# <details>
# <summary>Answer</summary>
#
# The bias of the key. It adds the same vector $b$ to every key, so the scores of a query $q$ all grow by the same
# number $q \cdot b$, and softmax does not notice. It is there only because the three projections are made in the same
# way.
#
# </details>
#
# ### Exercise 5: the layer
#
# A layer of your own is a class made from `keras.layers.Layer` with three methods. `__init__` keeps the settings.
# `build` is called once, at the first call, when the widths of the inputs are known, and makes the variables. `call`
# computes. The first two are given (and `compute_mask`, a formality that keeps Keras from passing our mask on to the
# next layer); write `call`.


# %% exercise="MultiHeadAttention" forbid=["llmcourse.layers.MultiHeadAttention", "keras.layers.MultiHeadAttention", "keras.layers.GroupQueryAttention", "keras.layers.Attention"]
class MultiHeadAttention(keras.layers.Layer):
    """Attend in several heads, each with projections of its own, and mix what they found.

    Args:
        num_heads: integer, H.
        key_dim: integer, the width K of each head.
    """

    def __init__(self, num_heads, key_dim, **kwargs):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.key_dim = key_dim

    def build(self, query_shape, value_shape, key_shape=None):
        """Make the variables: kernel and bias for query, key, value and output, in this order."""
        heads = (self.num_heads, self.key_dim)  # (H, K)
        key_shape = value_shape if key_shape is None else key_shape
        self.query_kernel = self.add_weight(shape=(query_shape[-1], *heads), name="query_kernel")  # (D, H, K)
        self.query_bias = self.add_weight(shape=heads, initializer="zeros", name="query_bias")  # (H, K)
        self.key_kernel = self.add_weight(shape=(key_shape[-1], *heads), name="key_kernel")
        self.key_bias = self.add_weight(shape=heads, initializer="zeros", name="key_bias")
        self.value_kernel = self.add_weight(shape=(value_shape[-1], *heads), name="value_kernel")
        self.value_bias = self.add_weight(shape=heads, initializer="zeros", name="value_bias")
        self.output_kernel = self.add_weight(shape=(*heads, query_shape[-1]), name="output_kernel")  # (H, K, D)
        self.output_bias = self.add_weight(shape=query_shape[-1:], initializer="zeros", name="output_bias")  # (D,)

    def compute_mask(self, inputs, previous_mask=None):
        """Tell Keras that the mask ends here: it belongs to this layer's scores, not to what comes out."""

    def call(self, query, value, key=None, mask=None, return_scores=False):
        """Attend.

        Args:
            query: float32 (B, T, D).
            value: float32 (B, S, D).
            key: float32 (B, S, D); None means that it is the value.
            mask: booleans that broadcast to (B, H, T, S), True for "may attend", or None.
            return_scores: whether to return the weights too.

        Returns:
            The output (B, T, D); if return_scores is True a pair, the output and the weights (B, H, T, S).
        """
        ### BEGIN SOLUTION
        key = value if key is None else key
        width = self.num_heads * self.key_dim  # H * K

        def to_heads(x, kernel, bias):
            projected = ops.matmul(x, ops.reshape(kernel, (-1, width))) + ops.reshape(bias, (width,))
            return steps.split_heads(projected, self.num_heads)

        query_heads = to_heads(query, self.query_kernel, self.query_bias)  # (B, H, T, K)
        key_heads = to_heads(key, self.key_kernel, self.key_bias)  # (B, H, S, K)
        value_heads = to_heads(value, self.value_kernel, self.value_bias)  # (B, H, S, K)
        found, weights = layers.scaled_dot_product_attention(query_heads, key_heads, value_heads, mask)
        merged = steps.merge_heads(found)  # (B, T, H*K)
        output = ops.matmul(merged, ops.reshape(self.output_kernel, (width, -1))) + self.output_bias
        return (output, weights) if return_scores else output
        ### END SOLUTION


# %% check="MultiHeadAttention"
check("MultiHeadAttention")

# %% [markdown]
# ### A look at what it did: the same numbers as Keras
#
# Copy the weights of Keras' layer into ours, and compare on two texts of different lengths.

# %% tags=["explore"]
target_text = rng.normal(size=(2, 3, 12)).astype("float32")  # (B, T, D)
source_text = rng.normal(size=(2, 5, 12)).astype("float32")  # (B, S, D)
theirs, ours = keras.layers.MultiHeadAttention(3, 4), layers.MultiHeadAttention(3, 4)
for layer in (theirs, ours):
    layer(target_text, source_text)  # the first call makes the variables
ours.set_weights(theirs.get_weights())
difference = ops.max(ops.abs(theirs(target_text, source_text) - ours(target_text, source_text)))
print("same output:", bool(difference < 1e-5))
print("parameters:", ours.count_params(), "=", 4 * 12 * 3 * 4 + 3 * 3 * 4 + 12)

# %% [markdown]
# ### And it learns: a dictionary that was never programmed
#
# Now the proof that this is a dictionary. Each sample is a small dictionary of letters and digits in random order, such
# as `c: 7, a: 2, k: 1`, filled up with padding, and three questions, such as `a?`. The network has to answer with the
# digit. It knows nothing about letters: each is a random vector at first (an *embedding*: a table with one learned row
# for each letter). All it has is one layer of attention with a single head, and a `Dense` layer that turns what was
# found into logits for the digits. Letters are numbered 1 to 26 and digits 1 to 10 (the digit plus 1), 0 is padding.
# (`keras.Input` stands for a tensor that is still to come, and `keras.Model(inputs, outputs)` makes a model of all that
# lies between the two. `Adam` is gradient descent that finds a good step for each weight by itself, from the gradients it
# has seen: it needs less care than `SGD`.)


# %% tags=["explore"]
def draw_dictionaries(count, rng, entries=8, questions=3):
    """Draw dictionaries of 4 to 8 entries: questions (N, T), letters (N, S), digits (N, S), answers (N, T)."""
    letters = np.argsort(rng.uniform(size=(count, 26)), axis=1)[:, :entries] + 1  # all different
    digits = rng.integers(1, 11, size=(count, entries))
    sizes = rng.integers(4, entries + 1, size=(count, 1))
    real = np.arange(entries) < sizes  # (N, S)
    asked = (rng.uniform(size=(count, questions)) * sizes).astype(int)  # which entry each question is about
    answers = np.take_along_axis(digits, asked, axis=1)
    return np.take_along_axis(letters, asked, axis=1), letters * real, digits * real, answers


def build_dictionary(width=32):
    """Build the model: a letter finds its digit by attention."""
    asked, letters, digits = (keras.Input((None,), dtype="int32") for _ in range(3))
    letter_vectors = keras.layers.Embedding(27, width)
    digit_vectors = keras.layers.Embedding(11, width)
    found, weights = layers.MultiHeadAttention(num_heads=1, key_dim=width)(
        query=letter_vectors(asked),
        key=letter_vectors(letters),
        value=digit_vectors(digits),
        mask=layers.padding_mask(letters),
        return_scores=True,
    )
    logits = keras.layers.Dense(11)(found)
    return keras.Model([asked, letters, digits], logits), keras.Model([asked, letters, digits], weights)


keras.utils.set_random_seed(0)
model, weights_model = build_dictionary()
model.compile(
    optimizer=keras.optimizers.Adam(0.005),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)
*inputs, answers = draw_dictionaries(5000, np.random.default_rng(1))
history = model.fit(inputs, answers, batch_size=64, epochs=8, verbose=0)
*unseen, unseen_answers = draw_dictionaries(1000, np.random.default_rng(2))
_, accuracy = model.evaluate(unseen, unseen_answers, verbose=0)
print(f"questions about unseen dictionaries answered: at least 99 %: {accuracy >= 0.99}")

# %% tags=["explore"]
letter = " abcdefghijklmnopqrstuvwxyz"
sample = [part[:1] for part in unseen]
asked, letters, digits = (part[0] for part in sample)
plots.attention_maps(
    {"": ops.convert_to_numpy(weights_model(sample))[0, 0]},
    [f"{letter[one]}?" for one in asked],
    [f"{letter[one]}: {digit - 1}" if one else "(pad)" for one, digit in zip(letters, digits, strict=True)],
    query_name="question",
    key_name="entry",
    title="The network has learned to look up",
)

# %% [markdown]
# Each question finds its own letter, in whatever place it stands, in dictionaries that the network has never seen;
# padding gets nothing. Nobody told it to compare letters. It has made queries and keys so that equal letters have large
# dot products, because that made the loss small.

# %% [markdown]
# ## 9. Where am I? Positions
#
# > **Think first.** Shuffle the words of a sentence. What happens to the output of self-attention (without a causal
# > mask)?
#
# <details>
# <summary>Answer</summary>
#
# The outputs are shuffled in the same way, and nothing else. Each output is a weighted mean over a *set* of entries,
# and a mean does not ask for the order. To such a network "dog bites man" and "man bites dog" are the same.
#
# </details>
#
# The remedy: to the vector of each word we *add* a vector that says where the word stands. For a model of width $D$
# (even) and position $p = 0, 1, 2, \dots$ it is made of $D/2$ pairs of columns. Pair $i = 0, 1, \dots, D/2 - 1$ is a
# sine and a cosine of one speed $\omega_i$:
#
# $$
# \omega_i = \frac{1}{10000^{\,2i/D}}
# \qquad\qquad
# \text{column } 2i:\; \sin(p\,\omega_i)
# \qquad
# \text{column } 2i + 1:\; \cos(p\,\omega_i)
# $$
#
# Think of the hands of $D/2$ clocks. The first hand turns by one radian at every step, the last one hardly moves, and
# together they tell the time precisely, just as the hands for seconds, minutes and hours do. For $D = 4$ the speeds are
# $1$ and $1/100$:
#
# | position | $\sin p$ | $\cos p$ | $\sin(p/100)$ | $\cos(p/100)$ |
# | ---: | ---: | ---: | ---: | ---: |
# | 0 | 0 | 1 | 0 | 1 |
# | 1 | 0.841 | 0.540 | 0.010 | 1.000 |
# | 2 | 0.909 | −0.416 | 0.020 | 1.000 |
#
# Why just this? Because to go $n$ positions further is to turn each hand by the angle $n\,\omega_i$, *whatever the
# position was*:
#
# $$
# \begin{pmatrix} \sin((p+n)\,\omega) \\ \cos((p+n)\,\omega) \end{pmatrix}
# =
# \begin{pmatrix} \cos(n\omega) & \sin(n\omega) \\ -\sin(n\omega) & \cos(n\omega) \end{pmatrix}
# \begin{pmatrix} \sin(p\,\omega) \\ \cos(p\,\omega) \end{pmatrix}
# $$
#
# A shift is one fixed matrix, and a projection can learn a matrix. So "the word two places before me" is something that
# a head can ask for.
#
# ### Exercise 6: the positions
#
# The pairs are *interleaved*: sine, cosine, sine, cosine. One way is to compute the sines and the cosines, `(T, D/2)`
# each, put them side by side on a new last axis with `ops.stack([..., ...], axis=-1)`, `(T, D/2, 2)`, and reshape to
# `(T, D)`. `ops.arange(start, stop, step, dtype="float32")` counts in steps. An odd width leaves a sine without its
# cosine: raise a `ValueError`.


# %% exercise="positional_encoding" forbid=["llmcourse.layers.positional_encoding", "llmcourse.layers.PositionalEncoding", "keras_hub.layers.SinePositionEncoding"]
def positional_encoding(length, d_model):
    """Compute the code of each position.

    Args:
        length: integer, the number T of positions.
        d_model: integer, even, the width D.

    Returns:
        Float32 tensor (T, D): sines in the even columns, cosines in the odd ones.

    Raises:
        ValueError: d_model is odd.
    """
    ### BEGIN SOLUTION
    if d_model % 2 != 0:
        raise ValueError(f"d_model must be even. Received: {d_model}.")
    positions = ops.arange(length, dtype="float32")  # (T,)
    speeds = 10000 ** (-ops.arange(0, d_model, 2, dtype="float32") / d_model)  # (D/2,)
    angles = positions[:, None] * speeds[None, :]  # (T, D/2)
    pairs = ops.stack([ops.sin(angles), ops.cos(angles)], axis=-1)  # (T, D/2, 2)
    return ops.reshape(pairs, (length, d_model))
    ### END SOLUTION


# %% check="positional_encoding"
check("positional_encoding")

# %% [markdown]
# ### A look at what it did

# %% tags=["explore"]
codes = ops.convert_to_numpy(layers.positional_encoding(64, 32))  # (T, D)
plots.positional_codes(codes, title="From fast hands on the left to slow ones on the right")

# %% [markdown]
# On the right: the dot product of two codes depends only on the distance of the two positions, and it is largest at
# distance 0. (Each pair contributes $\sin a \sin b + \cos a \cos b = \cos(a - b)$.) Attention compares by dot products,
# so it can feel distances.
#
# Does a network use it? The task: at each place of a row of random digits, say which digit stood **two places before**.
# One layer of attention, one head, a causal mask; once with positions, once without.


# %% tags=["explore"]
def train_look_back(with_positions, length=12, width=32):
    """Train one head to look back two places; give the accuracy on unseen rows, and the weights (T, T) for one."""
    ids = keras.Input((length,), dtype="int32")
    x = keras.layers.Embedding(10, width)(ids)
    if with_positions:
        x = layers.PositionalEncoding()(x)
    found, weights = layers.MultiHeadAttention(num_heads=1, key_dim=width)(
        x, x, mask=layers.causal_mask(length), return_scores=True
    )
    model = keras.Model(ids, keras.layers.Dense(10)(found[:, 2:]))  # the first two places have nothing to look at
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss=loss, metrics=["accuracy"])
    rows = np.random.default_rng(3).integers(10, size=(9000, length))
    model.fit(rows[:8000], rows[:8000, :-2], batch_size=64, epochs=4, verbose=0)
    _, accuracy = model.evaluate(rows[8000:], rows[8000:, :-2], verbose=0)
    return accuracy, ops.convert_to_numpy(keras.Model(ids, weights)(rows[8000:8001]))[0, 0]


keras.utils.set_random_seed(0)
accuracy_with, weights_with = train_look_back(True)
accuracy_without, weights_without = train_look_back(False)
print(f"with positions: at least 99 % right: {accuracy_with >= 0.99}")
print(f"without positions: less than half right: {accuracy_without < 0.5}")

# %% tags=["explore"]
best = weights_with[2:].argmax(axis=-1)  # for the places 2 to 11, which have something to look back at
print("each place looks most at the place two before:", (best == np.arange(10)).all())
plots.attention_maps(
    {"": weights_with[2:]},
    [str(place) for place in range(2, 12)],
    [str(place) for place in range(12)],
    query_name="place that looks",
    key_name="place it looks at",
    title="A head that has learned to look back two places",
)

# %% [markdown]
# With positions, the head has learned the shift by two, the same for every place and whatever the digits are. It is not
# a hard lookup: the neighbours get something too. But as long as two places before weighs most, the last layer knows
# the answer, the loss is small, and nothing pushes the weights any further. Without positions the head sees only a set
# of digits, and cannot do much better than to guess a digit that occurs in it.

# %% [markdown]
# ### Why heads are plural
#
# Now two questions at once: at each place of a row of random digits, say which digit stood **two** places before, and which
# stood **five** places before. Everything is as above, but the `Dense` layer answers both. One head of width 32, or two
# heads of width 16 each: the same number of parameters.
#
# > **Predict, then run.** What will the one head do: answer both questions half right, or one of them?


# %% tags=["explore"]
def train_two_questions(num_heads, length=12, width=32):
    """Train one layer to look back two and five places; give the share of right answers to each question."""
    ids = keras.Input((length,), dtype="int32")
    x = layers.PositionalEncoding()(keras.layers.Embedding(10, width)(ids))
    found = layers.MultiHeadAttention(num_heads=num_heads, key_dim=width // num_heads)(
        x, x, mask=layers.causal_mask(length)
    )
    logits = keras.layers.Reshape((length - 5, 2, 10))(keras.layers.Dense(20)(found[:, 5:]))  # (B, T-5, 2, 10)
    model = keras.Model(ids, logits)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss=loss)
    rows = np.random.default_rng(3).integers(10, size=(9000, length))
    asked = np.stack([rows[:, 3:-2], rows[:, :-5]], axis=-1)  # two before, five before: (9000, T-5, 2)
    model.fit(rows[:8000], asked[:8000], batch_size=64, epochs=4, verbose=0)
    given = model.predict(rows[8000:], verbose=0).argmax(axis=-1)
    return (given == asked[8000:]).mean(axis=(0, 1))


for num_heads in (1, 2):
    keras.utils.set_random_seed(0)
    share = np.sort(train_two_questions(num_heads))
    chance = share[0] < 0.15
    print(f"heads: {num_heads}   one question at least 99 %: {share[1] >= 0.99}   the other by chance: {chance}")

# %% [markdown]
# One head answers one of the two questions perfectly, and guesses the other: one in ten is chance. It has *one* set of
# weights for each word. If it spread them over two places, the `Dense` layer would get a mixture and could not tell which
# digit stood where. Two heads look at two places, and what they find stands in different columns, so both questions are
# answered. More heads buy no parameters; they buy questions.

# %% [markdown]
# **Common mistakes**
#
# - The exponent with the column's number instead of the pair's, so that sine and cosine of a pair have different
#   speeds. It looks fine in a plot, but a shift is no longer a rotation.
# - All sines first and then all cosines. Some programs do this; it works as well, but it is another encoding, and
#   weights trained with one are useless with the other.
# - Positions that start at 1. Here they start at 0.

# %% [markdown]
# ## 10. What it costs
#
# The scores are a table with $T \cdot S$ entries for each head, each a dot product of $K$ numbers. Over all heads, with
# $H \cdot K = D$:
#
# | | grows like | |
# | --- | --- | --- |
# | time for scores and output | $T \cdot S \cdot D$ | quadratic in the length when $S = T$ |
# | time for the four projections | $(T + S) \cdot D^2$ | linear in the length |
# | memory for the weights | $H \cdot T \cdot S$ | quadratic |
# | memory for everything else | $(T + S) \cdot D$ | linear |
#
# > **Think first.** A layer with 8 heads reads a text of 10,000 tokens. How much memory do its weights take in float32,
# > four bytes each?
#
# <details>
# <summary>Answer</summary>
#
# $8 \cdot 10{,}000 \cdot 10{,}000 \cdot 4$ bytes are 3.2 GB, for one layer and one text. Twice the length takes four
# times as much. This is why the length of a text was for years the narrowest place of language models, and why clever
# programs (such as FlashAttention, Dao et al., 2022) never write the whole table down.
#
# </details>
#
# We measure it: the time of one call with one sentence and four heads of width 16, relative to the time for 128
# positions. On a fast machine the short texts are dominated by the overhead of the call; towards the right the square
# takes over.


# %% tags=["explore", "nbval-ignore-output"]
def seconds(length, repeats=5):
    """Measure the fastest of a few calls of causal self-attention."""
    x = np.random.default_rng(0).normal(size=(1, 4, length, 16)).astype("float32")  # (B, H, T, K)
    mask = layers.causal_mask(length)
    layers.scaled_dot_product_attention(x, x, x, mask)  # the first call is slower
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        output, _ = layers.scaled_dot_product_attention(x, x, x, mask)
        ops.convert_to_numpy(output)  # wait for the result
        taken.append(time.perf_counter() - start)
    return min(taken)


lengths = [128, 256, 512, 1024, 2048]
plots.relative_cost(lengths, np.array([seconds(length) for length in lengths]))

# %% [markdown]
# ## What to take with you
#
# - Attention is a soft dictionary: $\operatorname{softmax}(Q M^\top / \sqrt K)\, V$. Each query takes a weighted mean
#   of all values; the weights of a query sum to 1 over the keys.
# - The root keeps the scores at a size of about 1, whatever the width, so that the softmax is not saturated when
#   learning begins.
# - Masks are booleans, True means "may attend". They act on the scores *before* the softmax; a query without any key
#   gets zeros. Padding masks have the shape $(B, 1, 1, S)$, causal masks $(1, 1, T, T)$.
# - Heads share out the width and look for different things at the same time. They cost no parameters: there are
#   $4 D H K + 3 H K + D$ in all.
# - `reshape` does not exchange axes.
# - Attention knows no order. Sines and cosines of many speeds, added to the vectors, tell it the place, and a shift
#   becomes one matrix.
# - The cost grows with the square of the length.
#
# `check.progress()` shows your points. In the next lesson these parts become the *Transformer*, the network behind today's
# language models; later you will repair some that are broken in just the places that you have now got right.
#
# ### Further reading
#
# - D. Bahdanau, K. Cho and Y. Bengio (2015): Neural machine translation by jointly learning to align and translate.
#   *ICLR*. Where attention began: a translator that looks back at the source words.
# - A. Vaswani, N. Shazeer, N. Parmar, J. Uszkoreit, L. Jones, A. N. Gomez, Ł. Kaiser and I. Polosukhin (2017):
#   Attention is all you need. *NeurIPS*. Sections 3.2 (attention, heads) and 3.5 (positions) are this lesson; footnote
#   4 is the argument for the root.
# - J. S. Bridle (1990): Probabilistic interpretation of feedforward classification network outputs. In:
#   *Neurocomputing*, Springer, 227–236. The name "softmax".
# - P. Shaw, J. Uszkoreit and A. Vaswani (2018): Self-attention with relative position representations. *NAACL*,
#   464–468. Distances instead of places.
# - J. Su et al. (2024): RoFormer: Enhanced Transformer with rotary position embedding. *Neurocomputing* 568. The
#   rotation of part 9, applied to queries and keys themselves; most of today's language models do it this way.
# - T. Dao, D. Y. Fu, S. Ermon, A. Rudra and C. Ré (2022): FlashAttention: Fast and memory-efficient exact attention
#   with IO-awareness. *NeurIPS*.
