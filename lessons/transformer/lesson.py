# %% [markdown]
# # The Transformer, encoder and decoder
#
# In this lesson you put attention to work. You build the two kinds of layers that the Transformer is made of,
# train a small one until it copies, reverses and sorts sequences that it has never seen, and look inside to see how it
# does it.
#
# **What you will be able to do**
#
# - draw an encoder layer and a decoder layer, with the shape on every arrow, and write both;
# - say what the decoder may see in training and in use, and why both give the same result;
# - write the loss and the learning rate that Transformers are trained with;
# - let a trained model write, token by token, and say how good it is.
#
# **What you need:** the lesson `attention`: queries, keys and values, masks (True means "may attend"), heads, the
# positional encoding. From `mlp` and `backprop`: softmax, cross-entropy, gradient descent.
#
# | part | | minutes | exercise |
# | --- | --- | ---: | --- |
# | 1 | From a sequence to a sequence | 10 | |
# | 2 | The encoder layer | 30 | 1 `EncoderLayer` |
# | 3 | The decoder layer | 30 | 2 `DecoderLayer` |
# | 4 | The model, and teaching it: the shift by one | 20 | 3 `shift_targets` |
# | 5 | The loss: smooth, and deaf to padding | 20 | 4 `label_smoothed_loss` |
# | 6 | The learning rate: warm-up | 10 | 5 `noam_schedule` |
# | 7 | Writing: greedy decoding | 20 | 6 `greedy_decode` |
# | 8 | Copy, reverse, sort | 30 | |
#
# As always: replace `raise NotImplementedError` by your code, run the cell, then run the `check` below it. Later cells
# use the tested versions of the package, so you can go on even if you are stuck.
#
# **Letters.** `B` sentences in a batch, `T` tokens of the target, `S` tokens of the source, `D` the width of the model
# (`d_model` in the code), `H` heads, `K = D / H` the width of one head, `V` tokens in the vocabulary.

# %% tags=["nbval-ignore-output"]
import numpy as np

from llmcourse import lesson, plots, setup

setup(seed=0)
check = lesson("transformer")

import keras
import tensorflow as tf
from keras import ops

from llmcourse import layers
from llmcourse.decoding import greedy_decode as tested_greedy_decode
from llmcourse.models.translator import Transformer
from llmcourse.training import losses
from llmcourse import steps

# %% [markdown]
# ## 1. From a sequence to a sequence
#
# A translation turns one sequence into another, of a different length, in a different order, with different words. The
# Transformer (Vaswani et al., 2017) does this with two stacks of layers:
#
# - The **encoder** reads the whole source at once. For each source token it makes one vector that says what this token
#   means *here*, among its neighbours. These vectors, shape `(B, S, D)`, are called the **memory**.
# - The **decoder** writes the target, one token after the other. At each position it looks at what has been written so
#   far and at the memory, and gives one score for each token of the vocabulary: the **logits** of the next token.
#
# Four token ids have a fixed meaning:
#
# | id | name | |
# | ---: | --- | --- |
# | 0 | PAD | fills short sentences up, so that a batch is one array; means nothing |
# | 1 | UNK | a word that the vocabulary does not know |
# | 2 | START | begins each target; the decoder needs something to start from |
# | 3 | END | ends each target; the decoder says it to stop |
#
# Here is the whole model. Do not try to understand all of it now: we go through it box by box, and come back.

# %% tags=["explore"]
plots.transformer_graph()

# %% [markdown]
# > **Think first.** The encoder sees all of its sequence at once; the decoder must not. Why the difference?
#
# <details>
# <summary>Answer</summary>
#
# The source is given completely before the first word is written, so there is nothing to hide. The target is what the
# decoder is asked to produce. If position $t$ could see token $t + 1$ while it learns to predict exactly that token, it
# would learn to look it up, and in real use, where there is nothing to look up yet, it would be lost.
#
# </details>

# %% [markdown]
# ## 2. The encoder layer
#
# Attention lets tokens exchange information. But it only ever *averages* values. So each layer has a second part that
# works on each position by itself, the **feed-forward network** (FFN): an affine map to more units (two to four times
# $D$), a ReLU, an affine map back to $D$. "First gather, then think."
#
# $$
# \operatorname{FFN}(x) = \operatorname{relu}(x W_1 + b_1)\, W_2 + b_2
# \qquad (B, S, D) \to (B, S, \text{d\_ff}) \to (B, S, D)
# $$
#
# Attention and feed-forward network are called the **sub-layers**. Around each of them stand two helpers.
#
# **The short cut** (*residual connection*; He et al., 2016). The sub-layer does not replace $x$; what it finds is
# *added* to $x$. So a sub-layer only has to learn a correction, and the gradient has a road from the loss to the first
# layer on which nothing can make it vanish: the derivative of $x + f(x)$ is $1 + f'(x)$. This is also why everything
# has width $D$: only equal shapes can be added.
#
# **The norm** (*layer normalisation*; Ba et al., 2016). Each vector of $D$ numbers is shifted to mean 0 and scaled to
# variance 1; then each column is multiplied by a learned number $\gamma$ and a learned $\beta$ is added. In contrast to
# batch normalisation, each token is normalised by itself, so a token's result never depends on the other sentences of
# the batch, nor on padding:
#
# $$
# \operatorname{norm}(x) = \gamma \odot \frac{x - \operatorname{mean}(x)}{\sqrt{\operatorname{var}(x) + \varepsilon}}
# + \beta \qquad\text{mean and variance over the last axis, } \varepsilon = 10^{-5}
# $$
#
# Where does the norm stand? In 2017 it stood after the sum (*post-norm*), and such models need a careful start. Today
# it mostly stands at the entrance of the sub-layer (*pre-norm*), which leaves the short cut free of obstacles and
# trains much more calmly (Xiong et al., 2020). We use pre-norm:
#
# $$
# \boxed{\;
# \begin{aligned}
# x' &= x + \operatorname{attention}\bigl(\text{query} = n_1,\; \text{value} = n_1\bigr), &
# n_1 &= \operatorname{norm}_1(x) \\
# x'' &= x' + \operatorname{FFN}(n_2), & n_2 &= \operatorname{norm}_2(x')
# \end{aligned}
# \;}
# $$
#
# Every array here has the shape $(B, S, D)$. In the encoder, query, key and value are the same array: the tokens
# attend to each other. That is **self-attention**. The key is not mentioned because our layer takes the value as key
# if none is given.
#
# One number to follow along, with $D = 2$ and one token $x = (1, 3)$: its mean is 2 and its variance 1, so with
# $\gamma = 1$, $\beta = 0$ the norm is $(-1, 1)$. If the attention answers $(0.5, 0)$, then $x' = (1.5, 3)$, not
# $(-0.5, 1)$: the short cut starts **before** the norm.
#
# **Dropout** is the last helper. In training, it sets a random share of the numbers to zero (and scales up the others),
# so that the network cannot rely on any single one. It acts on **what the sub-layer adds**, never on the short cut:
# $x' = x + \operatorname{dropout}(\operatorname{attention}(\dots))$.

# %% [markdown]
# ### Exercise 1: the encoder layer
#
# `__init__` and `build` are given: they make the sub-layers and their weights. You write `call`, four or five lines.
# You have
#
# - `self.self_attention(query, value, mask=mask)`, the tested layer of the last lesson; query and value `(B, S, D)`;
# - `self.feed_forward(x)`, two affine maps with a ReLU between them;
# - `self.self_attention_norm(x)` and `self.feed_forward_norm(x)`;
# - `self.dropout(x, training=training)`, which does nothing unless `training` is True.


# %% exercise="encoder_layer" names=["EncoderLayer"] forbid=["llmcourse.layers.EncoderLayer"]
class EncoderLayer(keras.layers.Layer):
    """Let each source token gather from all source tokens, then work on what it gathered."""

    def __init__(self, d_model, num_heads, d_ff, dropout=0.0):
        super().__init__()
        self.self_attention_norm = keras.layers.LayerNormalization(epsilon=1e-5)
        self.self_attention = layers.MultiHeadAttention(num_heads, d_model // num_heads)
        self.feed_forward_norm = keras.layers.LayerNormalization(epsilon=1e-5)
        self.feed_forward = layers.FeedForward(d_model, d_ff)
        self.dropout = keras.layers.Dropout(dropout)

    def compute_mask(self, *inputs):
        return None  # masks are passed openly, as arguments; Keras has none to hand on

    def build(self, x_shape):
        self.self_attention_norm.build(x_shape)
        self.self_attention.build(x_shape, x_shape)
        self.feed_forward_norm.build(x_shape)
        self.feed_forward.build(x_shape)

    def call(self, x, mask=None, training=None):
        """Run self-attention, then the feed-forward network, each with its norm before and its short cut around it.

        Args:
            x: float tensor (B, S, D).
            mask: boolean tensor (B, 1, 1, S), True for source tokens that may be attended to; or None.
            training: whether dropout is on.

        Returns:
            Float tensor (B, S, D).
        """
        ### BEGIN SOLUTION
        y = self.self_attention_norm(x)
        y = self.self_attention(y, y, mask=mask)
        x = x + self.dropout(y, training=training)
        y = self.feed_forward(self.feed_forward_norm(x))
        return x + self.dropout(y, training=training)
        ### END SOLUTION


# %% check="encoder_layer"
check("encoder_layer")

# %% [markdown]
# ### A look at what it did: the short cut keeps a deep stack alive
#
# 24 feed-forward networks in a row, as they are before training, once with short cuts and once without. We send in
# eight vectors and ask how much of the **gradient** is left on its way back from the output, where it is 1, to the input
# of each of them. With short cuts each network adds only 0.3 times its answer, as if it had been drawn smaller; with the
# whole answer the sums grow from layer to layer, and the gradient with them. (`tf.GradientTape` writes down what is computed
# inside its `with`, and then goes back through it, as your `Value` did in the lesson `backprop`.)
#
# > **Predict, then run.** How much is left after 24 layers without short cuts: a half, a hundredth, a ten-thousandth, less?
# > Then change 0.3 to 1 and run again.


# %% tags=["explore"]
def gradient_sizes(with_short_cut, depth=24, d_model=32):
    """Measure the mean size of the gradient at the input of each sub-layer, relative to that at the output."""
    keras.utils.set_random_seed(1)
    networks = [layers.FeedForward(d_model, 64) for _ in range(depth)]
    x = keras.random.normal((1, 8, d_model), seed=1)
    states = []
    with tf.GradientTape() as tape:
        tape.watch(x)
        for network in networks:
            states.append(x)
            x = x + 0.3 * network(x) if with_short_cut else network(x)
        total = ops.sum(x * keras.random.normal((1, 8, d_model), seed=2))
    sizes = [float(ops.mean(ops.abs(grad))) for grad in tape.gradient(total, [*states, x])]
    return [size / sizes[-1] for size in sizes]


plots.learning_curves(
    {"with short cuts": gradient_sizes(True), "without": gradient_sizes(False)},
    xlabel="layer",
    ylabel="relative gradient",
    logy=True,
    title="Without short cuts, hardly any gradient reaches the first layers",
)

# %% [markdown]
# **Common mistakes.** Forgetting to hand on the mask: nothing fails; the model just attends to padding, and the same
# sentence gets different results in different batches. One norm for both sub-layers: each has its own $\gamma$ and
# $\beta$.

# %% [markdown]
# ## 3. The decoder layer
#
# The decoder layer has **three** sub-layers, each again with its norm and its short cut:
#
# 1. **Masked self-attention.** The target tokens attend to each other, but each only to itself and to earlier ones:
#    the causal mask.
# 2. **Cross-attention.** Here source and target meet. The **queries** come from the decoder ("what do I need to know
#    to write the next word?"), **keys and values** come from the memory ("here is what the source says").
# 3. **Feed-forward**, as in the encoder.
#
# $$
# \boxed{\;
# \begin{aligned}
# x' &= x + \operatorname{self\text{-}attention}(\text{query} = n_1,\; \text{value} = n_1,\; \text{mask}), &
# n_1 &= \operatorname{norm}_1(x) \\
# x'' &= x' + \operatorname{cross\text{-}attention}(\text{query} = n_2,\; \text{value} = \text{memory},\;
# \text{memory\_mask}), & n_2 &= \operatorname{norm}_2(x') \\
# x''' &= x'' + \operatorname{FFN}(n_3), & n_3 &= \operatorname{norm}_3(x'')
# \end{aligned}
# \;}
# $$
#
# | array | shape |
# | --- | --- |
# | $x$, $x'$, $x''$, $x'''$ and all $n$ | $(B, T, D)$ |
# | memory | $(B, S, D)$ |
# | mask of the self-attention: causal, and no padding of the target | $(B, 1, T, T)$ |
# | weights of the self-attention | $(B, H, T, T)$ |
# | memory mask: no padding of the source | $(B, 1, 1, S)$ |
# | weights of the cross-attention | $(B, H, T, S)$ |
#
# The output always has as many rows as there are **queries**. That is how a source of $S$ tokens can become a target of
# $T$ tokens. The memory is not normalised again: the encoder ends with a norm, see the picture above.
# The memory mask is not causal: the source is complete from the beginning, and the first word of a translation may
# depend on its last word.

# %% tags=["explore"]
source_ids, target_ids = np.array([[7, 8, 9, 0]]), np.array([[2, 9, 8, 7, 0]])
mask = layers.combine_masks(layers.causal_mask(5), layers.padding_mask(target_ids))
memory_mask = ops.broadcast_to(layers.padding_mask(source_ids), (1, 1, 5, 4))
print("mask:", tuple(mask.shape), "  memory mask:", tuple(layers.padding_mask(source_ids).shape))
plots.mask_grids(
    {"self-attention": ops.convert_to_numpy(mask)[0, 0]},
    ["START", "9", "8", "7", "PAD"],
    ["START", "9", "8", "7", "PAD"],
    title="What the decoder's self-attention allows: earlier tokens, and no padding",
)

# %% tags=["explore"]
plots.mask_grids(
    {"cross-attention": ops.convert_to_numpy(memory_mask)[0, 0]},
    ["START", "9", "8", "7", "PAD"],
    ["7", "8", "9", "PAD"],
    title="What the cross-attention allows: all of the source but its padding",
)

# %% [markdown]
# ### Exercise 2: the decoder layer
#
# The masks are given to you, ready to use. Take care which attention gets which.


# %% exercise="decoder_layer" names=["DecoderLayer"] forbid=["llmcourse.layers.DecoderLayer"]
class DecoderLayer(keras.layers.Layer):
    """Let each target token gather from earlier target tokens, then from the source, then work on what it gathered."""

    def __init__(self, d_model, num_heads, d_ff, dropout=0.0):
        super().__init__()
        self.self_attention_norm = keras.layers.LayerNormalization(epsilon=1e-5)
        self.self_attention = layers.MultiHeadAttention(num_heads, d_model // num_heads)
        self.cross_attention_norm = keras.layers.LayerNormalization(epsilon=1e-5)
        self.cross_attention = layers.MultiHeadAttention(num_heads, d_model // num_heads)
        self.feed_forward_norm = keras.layers.LayerNormalization(epsilon=1e-5)
        self.feed_forward = layers.FeedForward(d_model, d_ff)
        self.dropout = keras.layers.Dropout(dropout)

    def compute_mask(self, *inputs):
        return None  # masks are passed openly, as arguments; Keras has none to hand on

    def build(self, x_shape, memory_shape):
        self.self_attention_norm.build(x_shape)
        self.self_attention.build(x_shape, x_shape)
        self.cross_attention_norm.build(x_shape)
        self.cross_attention.build(x_shape, memory_shape)
        self.feed_forward_norm.build(x_shape)
        self.feed_forward.build(x_shape)

    def call(self, x, memory, mask=None, memory_mask=None, training=None):
        """Run self-attention, cross-attention and the feed-forward network, each with its norm and its short cut.

        Args:
            x: float tensor (B, T, D).
            memory: float tensor (B, S, D), what the encoder returned.
            mask: boolean tensor (B, 1, T, T) for the self-attention; or None.
            memory_mask: boolean tensor (B, 1, 1, S) for the cross-attention; or None.
            training: whether dropout is on.

        Returns:
            Float tensor (B, T, D).
        """
        ### BEGIN SOLUTION
        y = self.self_attention_norm(x)
        y = self.self_attention(y, y, mask=mask)
        x = x + self.dropout(y, training=training)
        y = self.cross_attention(self.cross_attention_norm(x), memory, mask=memory_mask)
        x = x + self.dropout(y, training=training)
        y = self.feed_forward(self.feed_forward_norm(x))
        return x + self.dropout(y, training=training)
        ### END SOLUTION


# %% check="decoder_layer"
check("decoder_layer")

# %% [markdown]
# ### A look at what it did: what depends on what
#
# We change one input token at a time and mark all outputs that change. Left: target token $j$ moves, which positions
# $t$ of the output notice it? Right: the same for the tokens of the source.

# %% tags=["explore"]
keras.utils.set_random_seed(2)
layer = layers.DecoderLayer(8, 2, 16, dropout=0.0)
x, memory = np.random.default_rng(0).normal(size=(2, 1, 5, 8)).astype("float32")
causal = layers.causal_mask(5)
base = ops.convert_to_numpy(layer(x, memory, mask=causal))


def noticed(which):
    """Say for each output position t and input position j whether t notices that j has changed: (T, T)."""
    found = np.zeros((5, 5))
    for j in range(5):
        moved = {"x": x.copy(), "memory": memory.copy()}
        moved[which][0, j] = moved[which][0, j, ::-1]  # another vector; a constant shift would vanish in the norm
        changed = ops.convert_to_numpy(layer(moved["x"], moved["memory"], mask=causal))
        found[:, j] = np.abs(changed - base)[0].max(axis=-1) > 1e-6
    return found > 0


plots.mask_grids(
    {"target token moves": noticed("x"), "source token moves": noticed("memory")},
    [f"output {t}" for t in range(5)],
    [str(j) for j in range(5)],
    title="Position t depends on target tokens up to t, and on the whole source",
)

# %% [markdown]
# You have just carried out a **leak test**. Remember it: it finds in a second what no learning curve shows.

# %% [markdown]
# ## 4. The model, and teaching it: the shift by one
#
# Now look at the big picture again, from the bottom to the top.
#
# | step | shape |
# | --- | --- |
# | source ids | $(B, S)$ |
# | embedding: each id becomes a learned vector, times $\sqrt{D}$ | $(B, S, D)$ |
# | plus the positional encoding | $(B, S, D)$ |
# | encoder layers, one after the other, and a last norm: the **memory** | $(B, S, D)$ |
# | target ids | $(B, T)$ |
# | embedding (another table!) times $\sqrt{D}$, plus positions | $(B, T, D)$ |
# | decoder layers, each of which looks at the memory, and a last norm | $(B, T, D)$ |
# | affine map to the **logits** of the next token | $(B, T, V)$ |
#
# Why the factor $\sqrt{D}$? The entries of the positional encoding are of size 1. The package draws embeddings with a
# variance of $1/D$; without the factor the positions would drown the words. (Keras' own `Embedding` draws them between
# −0.05 and 0.05, whatever $D$ is, and even with the factor the positions dominate at first. The table is learned, so it
# takes longer, and works.) And why a last norm? With pre-norm,
# the short cuts add up from layer to layer and nobody has normalised the sum.
#
# `Transformer` in the package is exactly this. It makes all three masks itself, from the ids. With `return_scores=True` it
# also returns the attention weights: a dictionary with the keys `"encoder"`, `"decoder"` (its self-attention) and `"cross"`,
# each a list with one array for each layer:

# %% tags=["explore"]
model = Transformer(11, 13, num_layers=2, d_model=16, num_heads=4, d_ff=32, dropout=0.0)
source_ids = np.array([[5, 6, 7, 3], [8, 9, 3, 0]])  # B = 2, S = 4
target_ids = np.array([[2, 5, 6, 7, 8], [2, 9, 4, 0, 0]])  # T = 5
logits, weights = model(source_ids, target_ids, return_scores=True)
print("memory:", tuple(model.encode(source_ids).shape), "  logits:", tuple(logits.shape))
print({name: tuple(scores[0].shape) for name, scores in weights.items()}, "for each of the layers")

# %% [markdown]
# ### Teacher forcing
#
# In use, the decoder writes one token, appends it to what it has written, and is asked again: $T$ calls for $T$ tokens.
# In training we know the right target. So we put all of it in at once, and ask at **every position** for the next token.
# One call gives $T$ predictions. That is **teacher forcing**: whatever the model would have said, the next position
# sees the *right* token before it, not its own guess. The causal mask makes sure that position $t$ sees no more than
# it would see in use.
#
# So the same sentence is used twice, shifted by one place:

# %% tags=["explore"]
plots.target_shift(["START", "the", "cat", "sleeps", "END"])

# %% [markdown]
# The ids of one sentence, `START ... END`, have $T + 1$ entries. The **inputs** are all but the last one, the
# **targets** are all but the first one: $T$ each. In a batch with padding this is done with columns, for all sentences
# alike:
#
# $$
# \begin{pmatrix} 2 & 7 & 8 & 9 & 3 \\ 2 & 5 & 3 & 0 & 0 \end{pmatrix}
# \;\to\;
# \text{inputs} \begin{pmatrix} 2 & 7 & 8 & 9 \\ 2 & 5 & 3 & 0 \end{pmatrix},\quad
# \text{targets} \begin{pmatrix} 7 & 8 & 9 & 3 \\ 5 & 3 & 0 & 0 \end{pmatrix}
# $$
#
# In the short sentence an END remains among the inputs. It does no harm: the target at its place is PAD, and the loss
# of the next part does not count padding.
#
# ### Exercise 3: shift the targets


# %% exercise="shift_targets"
def shift_targets(ids):
    """Split target sentences into what the decoder is given and what it should answer.

    Args:
        ids: integer array (B, T+1); each row is START, the tokens, END, and PAD up to the common length.

    Returns:
        A pair of integer arrays (B, T): the inputs, which begin with START, and the targets, one place ahead.
    """
    ### BEGIN SOLUTION
    return ids[:, :-1], ids[:, 1:]
    ### END SOLUTION


# %% check="shift_targets"
check("shift_targets")

# %% [markdown]
# **Common mistake.** No shift: inputs and targets are the same array. The model learns to copy its input, the loss falls
# to 0 at once, and in use it repeats START for ever. If a loss is too good to be true, look here first.

# %% [markdown]
# ## 5. The loss: smooth, and deaf to padding
#
# At each position the model gives $V$ logits $z$, and the target is one token id $y$. That is the cross-entropy of the
# first lesson, $-\log p_y$. Two things are new.
#
# **Padding does not count.** Where the target is PAD there is nothing to learn. These positions must vanish from the
# sum *and* from the count. If we divided by all $B \cdot T$ positions, the same sentence would weigh less in a batch
# with a long neighbour. With $m = 1$ at real tokens and $m = 0$ at padding:
#
# $$
# J = \frac{\sum_{b,t} m_{b,t}\, \ell_{b,t}}{\sum_{b,t} m_{b,t}}
# $$
#
# **Label smoothing** (Szegedy et al., 2016). The cross-entropy is never satisfied: it pulls the right logit up and up,
# until the model is absolutely sure of everything. But in translation there are often several good words. So we ask for
# a little less: of the whole probability 1 we share out $\varepsilon$ equally among all $V$ tokens, and leave the rest
# with the target:
#
# $$
# q_v = \begin{cases} 1 - \varepsilon + \varepsilon / V & v = y \\ \varepsilon / V & \text{otherwise} \end{cases}
# \qquad\qquad
# \ell = -\sum_{v=1}^{V} q_v \log p_v
# $$
#
# | $V = 4$, $\varepsilon = 0.1$, $y = 2$ | 0 | 1 | 2 | 3 | sum |
# | --- | ---: | ---: | ---: | ---: | ---: |
# | $q$ | 0.025 | 0.025 | 0.925 | 0.025 | 1 |
#
# Since all the other $q_v$ are equal, this simplifies. With the mean of the log-probabilities over the vocabulary:
#
# $$
# \ell = -(1 - \varepsilon) \log p_y \;-\; \varepsilon \cdot \frac1V \sum_{v=1}^{V} \log p_v
# $$
#
# With $\varepsilon = 0$ it is the plain cross-entropy. Note that a smoothed loss never becomes 0; its lowest value is
# reached when $p = q$.

# %% [markdown]
# ### Exercise 4: the label-smoothed loss
#
# Write it with `keras.ops`, so that Keras can take its derivative. Useful: `ops.log_softmax(logits)` computes
# $\log p$ safely, over the last axis; `ops.one_hot(ids, V)` has the shape `(B, T, V)`;
# `ops.take_along_axis(x, ids[:, :, None], axis=-1)` picks one entry from each row of the last axis, shape `(B, T, 1)`;
# `ops.cast(x, "float32")`, `ops.not_equal`, `ops.sum`, `ops.mean`, `ops.maximum`. Keras hands the targets over as
# floats (such as 7.0); cast them to `"int32"` first.


# %% exercise="label_smoothed_loss" forbid=["llmcourse.training.losses.label_smoothed_loss", "keras.losses.CategoricalCrossentropy", "keras.losses.SparseCategoricalCrossentropy", "keras.losses.categorical_crossentropy", "keras.losses.sparse_categorical_crossentropy", "keras.ops.categorical_crossentropy", "keras.ops.sparse_categorical_crossentropy"]
def label_smoothed_loss(targets, logits, epsilon):
    """Compute the mean cross-entropy between smoothed targets and the model's distribution.

    Args:
        targets: tensor (B, T), the token ids to predict, as integers or as floats; 0 is padding.
        logits: float tensor (B, T, V), before any softmax.
        epsilon: number from 0 to less than 1, the share that is spread over all V tokens.

    Returns:
        One number: the mean over the positions whose target is not padding (0 if there are none).
    """
    ### BEGIN SOLUTION
    targets = ops.cast(targets, "int32")
    log_probs = ops.log_softmax(logits)  # (B, T, V)
    log_target = ops.take_along_axis(log_probs, targets[:, :, None], axis=-1)[:, :, 0]  # (B, T)
    each = -(1 - epsilon) * log_target - epsilon * ops.mean(log_probs, axis=-1)
    real = ops.cast(ops.not_equal(targets, 0), "float32")
    return ops.sum(each * real) / ops.maximum(ops.sum(real), 1.0)
    ### END SOLUTION


# %% check="label_smoothed_loss"
check("label_smoothed_loss")

# %% [markdown]
# ### A look at what it did: how sure should one be?
#
# Two tokens, one of them is right. The curves show the loss against the lead of the right logit over the other one.
# Without smoothing, more is always better. With it, there is a lowest point: too sure is punished.

# %% tags=["explore"]
gaps = np.arange(-2, 9)  # the right logit minus the other one
curves = {}
for epsilon in (0.0, 0.1, 0.3):
    pairs = np.stack([np.zeros_like(gaps), gaps], axis=-1)[:, None, :]  # (11, 1, 2); id 1 is the right token
    curves[f"epsilon {epsilon:.1f}"] = [
        float(losses.label_smoothed_loss(np.array([[1]]), pair[None], epsilon)) for pair in pairs.astype("float32")
    ]
plots.learning_curves(
    curves,
    xlabel="lead of the right logit",
    first=-2,
    mark_lowest=True,
    title="With label smoothing, being too sure is punished",
)

# %% [markdown]
# **Common mistakes.** The mean of each sentence's mean: a short sentence then weighs as much as a long one; we count
# **tokens**. And $\varepsilon/(V-1)$ for the other tokens: both conventions exist; ours is the one above.

# %% [markdown]
# ## 6. The learning rate: warm-up
#
# At the beginning everything is random: the attention weights, the embeddings, and Adam's estimates of how large the
# gradients are. Large steps would then lead anywhere. So the learning rate **warms up**: it rises in a straight line
# for some steps, and then falls slowly, as $1/\sqrt{\text{step}}$:
#
# $$
# \text{rate}(s) = D^{-1/2} \cdot \min\bigl(s^{-1/2},\; s \cdot w^{-3/2}\bigr)
# \qquad s = 1, 2, 3, \dots \quad w = \text{warm-up steps}
# $$
#
# People call it the *Noam* schedule, after one of the authors. The two terms are equal at $s = w$, where the rate is at
# its peak, $(D\,w)^{-1/2}$. An example with $D = 4$, $w = 4$:
#
# | step $s$ | 1 | 2 | 4 | 9 | 16 |
# | --- | ---: | ---: | ---: | ---: | ---: |
# | $s^{-1/2}$ | 1 | 0.71 | 0.5 | 0.33 | 0.25 |
# | $s\,w^{-3/2}$ | 0.125 | 0.25 | 0.5 | 1.125 | 2 |
# | rate | 0.0625 | 0.125 | **0.25** | 0.17 | 0.125 |
#
# Wide models get smaller rates, because $D^{-1/2}$ stands in front. With pre-norm, warm-up is less critical than it was
# in 2017; but it costs nothing, and it forgives a learning rate that is a little too large.
#
# ### Exercise 5: the schedule
#
# `step` may be one number or an array of them; so no `if step < warmup_steps`. `np.minimum(a, b)` takes the smaller one
# entry by entry.


# %% exercise="noam_schedule" forbid=["llmcourse.steps.transformer.noam_schedule", "llmcourse.steps.transformer.NoamSchedule"]
def noam_schedule(step, d_model, warmup_steps):
    """Compute the learning rate of a step: a straight rise, then a fall with one over the square root.

    Args:
        step: number or array of any shape, counted from 1.
        d_model: integer, the width of the model.
        warmup_steps: integer, the step with the largest rate.

    Returns:
        The rate, a number or an array of the shape of step.
    """
    ### BEGIN SOLUTION
    step = np.asarray(step, dtype="float64")
    return d_model**-0.5 * np.minimum(step**-0.5, step * warmup_steps**-1.5)
    ### END SOLUTION


# %% check="noam_schedule"
check("noam_schedule")

# %% tags=["explore"]
numbers = np.arange(1, 1201)
schedules = {
    f"D = {d_model}, {warmup_steps} warm-up steps": np.asarray(steps.noam_schedule(numbers, d_model, warmup_steps))
    for d_model, warmup_steps in ((64, 100), (64, 400), (512, 400))
}
plots.learning_curves(
    schedules,
    xlabel="step",
    ylabel="learning rate",
    title="Schedules: more warm-up lowers the peak, and so does a wider model",
)

# %% [markdown]
# Keras counts steps from 0, where $0^{-1/2}$ is infinite. So the package's `NoamSchedule`, which we give to Adam below,
# adds 1.

# %% [markdown]
# ## 7. Writing: greedy decoding
#
# A trained model gives scores for the next token. To write a sentence, we start with START and repeat: ask the model,
# take the token with the highest score at the **last** position, append it, until it is END. This is **greedy**
# decoding. (A later lesson looks further ahead, with beam search.)
#
# A batch of sentences is decoded together, so the bookkeeping deserves care:
#
# | | column 0 | 1 | 2 | 3 | 4 |
# | --- | ---: | ---: | ---: | ---: | ---: |
# | sentence 0 | START | 9 | 8 | 7 | END |
# | sentence 1 | START | 5 | END | PAD | PAD |
#
# - Sentence 1 is **finished** at its END. What the model says for it after that is replaced by PAD.
# - When all sentences are finished, we stop: more calls would be wasted.
# - At the latest we stop after `max_length` tokens, END included. A sentence that has not come to its END by then simply
#   has none.
# - START is not part of the result.
#
# ### Exercise 6: greedy decoding
#
# `model` is any function: it takes source ids `(B, S)` and target ids `(B, T)` and returns logits `(B, T, V)`, for
# any `T` from 1. Work with NumPy arrays here; `np.asarray(...)` makes one of a tensor. In this exercise, call the model
# once for each new token, with everything that has been written so far.


# %% exercise="greedy_decode" forbid=["llmcourse.decoding.greedy_decode", "llmcourse.decoding.search.greedy_decode"]
def greedy_decode(model, source, max_length):
    """Write a target for each source, token by token, always taking the token with the highest score.

    Args:
        model: function of source ids (B, S) and target ids (B, T), both integer arrays, that returns logits (B, T, V).
        source: integer array (B, S); it stays as it is.
        max_length: integer, the largest number of tokens to write, END included; at least 1.

    Returns:
        Integer array (B, max_length): the tokens after START, up to and with END (3), then PAD (0).
    """
    ### BEGIN SOLUTION
    target = np.zeros((len(source), max_length + 1), dtype="int32")
    target[:, 0] = 2  # START
    finished = np.zeros(len(source), dtype=bool)
    for length in range(1, max_length + 1):
        logits = np.asarray(model(source, target[:, :length]))  # (B, length, V)
        target[:, length] = np.where(finished, 0, logits[:, -1].argmax(axis=-1))
        finished |= target[:, length] == 3
        if finished.all():
            break
    return target[:, 1:]
    ### END SOLUTION


# %% check="greedy_decode"
check("greedy_decode")

# %% [markdown]
# ## 8. Copy, reverse, sort
#
# Now we train. Three tasks in one model: the first token of the source says what to do with the digits behind it.
#
# | source | target |
# | --- | --- |
# | `COPY 5 1 9 1` | `START 5 1 9 1 END` |
# | `REVERSE 5 1 9 1` | `START 1 9 1 5 END` |
# | `SORT 5 1 9 1` | `START 1 1 5 9 END` |
#
# Four to eight digits, so there are more than 300 million possible questions. We train on 20,000 of them and test
# on 600 that do not occur among those. An answer counts only if it is right **from START to END**: one wrong digit and
# the sentence is wrong.


# %% tags=["explore"]
TASKS = {"copy": 4, "reverse": 5, "sort": 6}  # token ids; the digits 0 to 9 are the ids 7 to 16
RULES = {4: lambda digits: digits, 5: lambda digits: digits[::-1], 6: np.sort}


def draw_questions(count, seed, known=()):
    """Draw questions and answers: source ids (N, 9) and target ids (N, 10); none of them is in `known`."""
    rng, known = np.random.default_rng(seed), set(known)
    source, target = np.zeros((count, 9), dtype="int32"), np.zeros((count, 10), dtype="int32")
    for row in range(count):
        while True:
            task, digits = int(rng.integers(4, 7)), rng.integers(7, 17, size=int(rng.integers(4, 9)))
            if (task, *digits.tolist()) not in known:
                break
        source[row, : len(digits) + 1] = [task, *digits]
        target[row, : len(digits) + 2] = [2, *RULES[task](digits), 3]
    return source, target


def as_questions(source):
    """List the questions as tuples without padding."""
    return [tuple(row[row > 0].tolist()) for row in source]


source_train, target_train = draw_questions(20_000, seed=1)
source_test, target_test = draw_questions(600, seed=2, known=as_questions(source_train))
print("source:", source_train.shape, "  target:", target_train.shape)
print("a question and its answer:", source_train[0], target_train[0])
print("test questions that are training questions:", len({*as_questions(source_test)} & {*as_questions(source_train)}))

# %% [markdown]
# ### Your own pieces, assembled
#
# Before we train for long, put together what *you* wrote: your two layers, your shift, your loss, your decoder. Around them
# only embeddings, positions and masks are needed. If one of your exercises is still open, set `use_mine = False`.
#
# And ask the first two of the three questions of the lesson `backprop`: is the first loss near $\ln V$, here
# $\ln 17 \approx 2.83$? And can the network learn one batch by heart? (`tf.function` translates the function below it, when it
# is called for the first time, into one TensorFlow program, which runs much faster than line by line.)

# %% tags=["explore", "nbval-ignore-output"]
use_mine = True
Encoder, Decoder = (EncoderLayer, DecoderLayer) if use_mine else (layers.EncoderLayer, layers.DecoderLayer)
own_loss = label_smoothed_loss if use_mine else losses.label_smoothed_loss
own_decode = greedy_decode if use_mine else tested_greedy_decode


class SmallTransformer(keras.Model):
    """Two encoder layers and two decoder layers between embeddings and logits."""

    def __init__(self, vocabulary=17, d_model=48, num_heads=4, d_ff=96):
        super().__init__()
        self.source_table = keras.layers.Embedding(vocabulary, d_model)
        self.target_table = keras.layers.Embedding(vocabulary, d_model)
        self.positions = layers.PositionalEncoding()
        self.encoder = [Encoder(d_model, num_heads, d_ff) for _ in range(2)]
        self.decoder = [Decoder(d_model, num_heads, d_ff) for _ in range(2)]
        self.encoder_norm, self.decoder_norm = keras.layers.LayerNormalization(), keras.layers.LayerNormalization()
        self.to_logits = keras.layers.Dense(vocabulary)

    def call(self, source_ids, target_ids, training=None):
        memory_mask = layers.padding_mask(source_ids)  # (B, 1, 1, S)
        mask = layers.combine_masks(layers.padding_mask(target_ids), layers.causal_mask(target_ids.shape[1]))
        memory = self.positions(self.source_table(source_ids) * 48**0.5)  # (B, S, D)
        for layer in self.encoder:
            memory = layer(memory, mask=memory_mask, training=training)
        memory = self.encoder_norm(memory)
        x = self.positions(self.target_table(target_ids) * 48**0.5)  # (B, T, D)
        for layer in self.decoder:
            x = layer(x, memory, mask=mask, memory_mask=memory_mask, training=training)
        return self.to_logits(self.decoder_norm(x))  # (B, T, V)


keras.utils.set_random_seed(3)
mine, optimizer = SmallTransformer(), keras.optimizers.Adam(0.002)
batch, inputs, wanted = source_train[:32], target_train[:32, :-1], target_train[:32, 1:]  # your shift_targets


@tf.function
def one_step():
    """Take one step on the one batch: forward, loss, gradients, update."""
    with tf.GradientTape() as tape:
        loss = own_loss(wanted, mine(batch, inputs, training=True), 0.0)
    optimizer.apply(tape.gradient(loss, mine.trainable_variables), mine.trainable_variables)
    return loss


own_losses = [float(own_loss(wanted, mine(batch, inputs), 0.0))]
optimizer.build(mine.trainable_variables)
own_losses += [float(one_step()) for _ in range(250)]
answers = np.asarray(own_decode(mine, batch, 9))
print(f"first loss {own_losses[0]:.2f}, ln(17) is {np.log(17):.2f}; after 250 steps {own_losses[-1]:.3f}")
print("sentences of the batch written exactly right:", (answers == wanted).all(axis=1).mean().round(2))
plots.learning_curves({"one batch": own_losses}, xlabel="step", logy=True, title="One batch, learned by heart")

# %% [markdown]
# The first loss is some tenths above $\ln V$: the logits of a fresh network are not quite alike, and whoever is sure without a
# reason pays. Every number in it went through your own code.
#
# ### The long training
#
# The same sizes. Adam, the schedule of part 6 (times 0.3: for a width as small as 48 the formula's own peak is so high that
# the loss jumps), the loss of part 5, batches of 128, ten epochs. At the end, the weights are replaced by their running
# mean over about the last hundred steps (`use_ema=True`): the steps still jump to and fro a little, the mean does not. Adam
# forgets the size of old gradients a little faster than by default (`beta_2=0.98` in place of 0.999), as in the paper. Note
# what `fit` is given: **two** inputs, the source and the shifted target, and the targets. `fit((a, b), y)` calls
# `model((a, b))`, with one argument that is a pair; the package's `Transformer` takes both forms. `Watch` is a callback: Keras
# calls its `on_epoch_end` after each epoch. It takes about a minute.


# %% tags=["explore"]
def share_exactly_right(model, source, target):
    """Decode all sources and compare whole sentences: one boolean for each."""
    written = tested_greedy_decode(model, source, max_length=target.shape[1] - 1)
    return (written == target[:, 1:]).all(axis=1)


class Watch(keras.callbacks.Callback):
    """Note after each epoch how many of 200 unseen questions are answered exactly right, task by task."""

    def __init__(self):
        super().__init__()
        self.shares = {name: [] for name in TASKS}

    def on_epoch_end(self, epoch, logs=None):
        right = share_exactly_right(self.model, source_test[:200], target_test[:200])
        for name, token in TASKS.items():
            self.shares[name].append(right[source_test[:200, 0] == token].mean())


def training_loss(targets, logits):
    """Leave epsilon at 0: these tasks have one right answer."""
    return losses.label_smoothed_loss(targets, logits, 0.0)


keras.utils.set_random_seed(0)
model = Transformer(17, 17, num_layers=2, d_model=48, num_heads=4, d_ff=96, dropout=0.0)
model.compile(
    optimizer=keras.optimizers.Adam(
        steps.NoamSchedule(48, 100, factor=0.3), beta_2=0.98, use_ema=True, ema_momentum=0.99
    ),
    loss=training_loss,
)
watch = Watch()
inputs_train, labels_train = target_train[:, :-1], target_train[:, 1:]  # your shift_targets
history = model.fit((source_train, inputs_train), labels_train, batch_size=128, epochs=10, verbose=0, callbacks=[watch])
right = share_exactly_right(model, source_test, target_test)
print(f"parameters: {model.count_params():,}")
print("at least 99 % of 600 unseen questions exactly right:", right.mean() >= 0.99)

# %% tags=["explore", "nbval-ignore-output"]
plots.learning_curves(watch.shares, ylabel="share of unseen questions exactly right", title="From guessing to knowing")

# %% [markdown]
# (These are the shares before the mean is taken, hence the ups and downs.)
#
# ### Inside: the cross-attention
#
# How does it reverse? We ask for the weights of the cross-attention: for each token that is being written (rows), which
# source tokens does it look at (columns)? We average over the heads, and show the layer with the sharper weights.

# %% tags=["explore", "nbval-ignore-output"]
digits = [3, 1, 4, 1, 5, 9, 2, 6]
names = [str(digit) for digit in digits]
question = np.array([[TASKS["reverse"], *(digit + 7 for digit in digits)]])
answer = np.array([[2, *(digit + 7 for digit in reversed(digits))]])
_, weights = model(question, answer, return_scores=True)
means = [ops.convert_to_numpy(ops.mean(scores, axis=1))[0] for scores in weights["cross"]]  # (1, H, T, S) -> (T, S)
sharpest = max(means, key=lambda scores: scores.max(axis=-1).mean())
written = zip(["START", *reversed(names)], [*reversed(names), "END"], strict=True)
plots.attention_maps(
    {"": sharpest},
    [f"{before} → {after}" for before, after in written],
    ["task", *names],
    query_name="last token → next token",
    key_name="source",
    title="Reversing: from the last digit to the first",
)

# %% [markdown]
# The diagonal runs from the upper right to the lower left: of the *digits*, the model looks most at the last one to write
# the first token, and so on. Nobody has told it so. Some weight also lies on the task token, which says which way to go. Look at
# the two 1s: they are the same token, and yet the model looks at the right one of the two each time, because the positional
# encoding tells them apart.
# (To sort, it looks at *all* digits of one value, wherever they are: change the task token above and the answer
# accordingly.)

# %% [markdown]
# ### How good is it really?
#
# A number needs something to be compared with. What does the simplest program score on these questions, one that copies the
# digits whatever the task is? And over what is counted: over tokens, or over whole sentences?
#
# > **Predict, then run.** For which tasks will the copier be right now and then?

# %% tags=["explore", "nbval-ignore-output"]
written = tested_greedy_decode(model, source_test, max_length=9)
copied = np.zeros_like(written)
for row, question in enumerate(source_test):
    length = int((question > 0).sum())
    copied[row, :length] = [*question[1:length], 3]
for name, token in TASKS.items():
    mine = source_test[:, 0] == token
    answers, wanted = (written[mine], copied[mine]), target_test[mine, 1:]
    shares = [(answer == wanted).all(axis=1).mean() for answer in answers]
    tokens = [(answer == wanted)[wanted > 0].mean() for answer in answers]
    print(f"{name:8s} model {shares[0]:.1%} of sentences, {tokens[0]:.1%} of tokens", end="   ")
    print(f"copier {shares[1]:.1%} of sentences, {tokens[1]:.1%} of tokens")

# %% [markdown]
# The copier is perfect at copying, of course, and right by luck where the digits happen to be sorted already. (A palindrome
# would do for reversing, but is rare.)
# By tokens it looks far better than by sentences: END and some digits stand in the right place anyway. A model with 99 % of
# all tokens right, if its mistakes were independent, would have only $0.99^9 \approx 91$ % of sentences of nine tokens right.

# %% [markdown]
# ## What to take with you
#
# - A layer gathers (attention) and thinks (feed-forward). Pre-norm: $x + f(\operatorname{norm}(x))$; the short cut
#   starts before the norm.
# - The decoder layer has three sub-layers. In the cross-attention the queries come from the decoder, keys and values
#   from the memory. As many rows come out as there are queries.
# - Teacher forcing: inputs are `ids[:, :-1]`, targets `ids[:, 1:]`, and the causal mask makes it honest.
# - The loss takes logits and integer ids, counts real tokens only, and may be smoothed.
# - Warm up; then fall with $1/\sqrt{\text{step}}$.
#
# `check.progress()` shows your points. In the next lesson you find the faults of other people's Transformers; after that, this
# very model learns to translate real sentences.
#
# ### Further reading
#
# - A. Vaswani, N. Shazeer, N. Parmar, J. Uszkoreit, L. Jones, A. N. Gomez, Ł. Kaiser and I. Polosukhin (2017): Attention
#   is all you need. *NeurIPS* 30. The Transformer; section 3.1 is this lesson's parts 2 and 3, section 5.3 the schedule.
# - R. Xiong, Y. Yang, D. He, K. Zheng, S. Zheng, C. Xing, H. Zhang, Y. Lan, L. Wang and T.-Y. Liu (2020): On layer
#   normalization in the Transformer architecture. *ICML*, PMLR 119, 10524–10533. Why pre-norm needs less warm-up.
# - J. L. Ba, J. R. Kiros and G. E. Hinton (2016): Layer normalization. arXiv:1607.06450.
# - K. He, X. Zhang, S. Ren and J. Sun (2016): Deep residual learning for image recognition. *CVPR*, 770–778. The short
#   cut.
# - C. Szegedy, V. Vanhoucke, S. Ioffe, J. Shlens and Z. Wojna (2016): Rethinking the Inception architecture for computer
#   vision. *CVPR*, 2818–2826. Label smoothing, in section 7.
# - I. Sutskever, O. Vinyals and Q. V. Le (2014): Sequence to sequence learning with neural networks. *NeurIPS* 27.
#   Encoder and decoder, before attention.
