# %% [markdown]
# # Debugging a Transformer: probe and repair
#
# On the web you find many articles that explain the Transformer with a listing. Many of them are wrong, and few readers
# notice: the code runs, shapes come out, the loss even falls. In this lesson you learn to find such faults by **probing**,
# not by staring. Three listings, in the style of popular articles, are your patients. They are our own, but each fault in
# them has been met in the wild.
#
# **What you will be able to do**
#
# - say what a healthy attention, a healthy Transformer and a healthy training must do, whatever their weights are;
# - write a probe for it, a function that tells the sick from the healthy;
# - find and cure the faults of somebody else's Transformer;
# - say which faults a learning curve does not show.
#
# **What you need:** the lesson `transformer`: its two kinds of layers, the three masks, the shift by one, the loss. You will
# write some of it again, so it also serves as a test of what you remember after a week.
#
# | part | | minutes | exercise |
# | --- | --- | ---: | --- |
# | 1 | What a probe is | 15 | |
# | 2 | The formula | 60 | 1 `probe_formula`, 2 `repair_formula` |
# | 3 | The layers | 80 | 3 `probe_layers`, 4 `repair_layers` |
# | 4 | The training | 55 | 5 `probe_training`, 6 `repair_training` |
# | 5 | What a learning curve does not show | 15 | |
#
# For each listing you first write a probe, and then the cure. Your probe is tried on patients that you have never seen,
# healthy and sick ones. As always: replace `raise NotImplementedError` by your code, run the cell, then run the `check`
# below it.
#
# **Letters.** As in the lesson `transformer`: `B` sentences in a batch, `T` tokens of the target, `S` tokens of the source,
# `D` the width of the model, `H` heads, `V` tokens in the vocabulary. New: `K` is the width of queries and keys, `E` the width
# of values.

# %% tags=["nbval-ignore-output"]
import warnings

import numpy as np

from llmcourse import lesson, plots, setup

setup(seed=0)
check = lesson("debugging")

import keras
from keras import ops

from llmcourse import layers
from llmcourse.decoding import greedy_decode
from llmcourse.models.translator import Transformer
from llmcourse.training import losses

# %% [markdown]
# ## 1. What a probe is
#
# A probe asks for a **property**: something that holds for every healthy patient, however it is written and whatever its
# weights are. You need not know the right numbers. Two kinds of questions belong together:
#
# - **What must not move?** Change the last token of the target: no *earlier* output may move (leak test). Append padding:
#   no output of a real token may move (padding test).
# - **What must move?** Change what ought to matter (a token, an order), and see whether it does.
#
# A healthy patient also fits all sizes. The authors of broken listings like examples in which all sizes are equal; there,
# a transposed matrix fits everywhere. So let all your sizes **differ**.


# %%
def ask(patient, *arguments, **options):
    """Call a patient; return what it answers, or None where it raises an error."""
    try:
        return patient(*arguments, **options)
    except Exception:  # a sick one may raise anything
        return None


def draw_arrays(rng, b, t, s, d, k, e):
    """Draw x (B, T, D), memory (B, S, D), w_query (D, K), w_key (D, K) and w_value (D, E)."""
    shapes = (b, t, d), (b, s, d), (d, k), (d, k), (d, e)
    return [rng.normal(scale=0.5, size=shape).astype("float32") for shape in shapes]


def movement(model, ids, changed_ids):
    """Measure how far the logits of each position move between two pairs (source_ids, target_ids); NaN for an error."""
    before, after = ask(model, *ids), ask(model, *changed_ids)
    if before is None or np.shape(before) != np.shape(after):
        return np.full(np.shape(ids[1]), np.nan)  # NaN is neither smaller nor larger than any number
    return np.abs(np.asarray(after) - np.asarray(before)).max(axis=-1)  # (B, T)


# %% [markdown]
# **A whole probe, as an example.** Some encoder normalises over all sentences of the batch. Which property does that
# break? What is found for a sentence must not depend on its neighbours. So: ask about three sentences together and
# about the first one alone, and compare.


# %% tags=["explore"]
def probe_neighbours(encoder) -> bool:
    """Tell whether what an encoder (B, S, D) -> (B, S, D) finds for a sentence is independent of its neighbours."""
    x = np.random.default_rng(0).normal(size=(3, 5, 7)).astype("float32")
    together, alone = ask(encoder, x), ask(encoder, x[:1])
    if together is None or alone is None:
        return False
    return np.shape(together) == x.shape and bool(np.abs(together[:1] - alone).max() < 1e-4)


print("norm of each token:    ", probe_neighbours(lambda x: x - x.mean(axis=-1, keepdims=True)))
print("norm over the batch:   ", probe_neighbours(lambda x: x - x.mean(axis=0, keepdims=True)))
print("fits one size only:    ", probe_neighbours(lambda x: x @ np.eye(8)))
print("the answer is always 0:", probe_neighbours(lambda x: 0 * x))

# %% [markdown]
# All sizes differ. The comparison allows for rounding: `< 1e-4`, not `==`. A patient's error means sick; only the call
# of the patient stands inside `ask`, so a slip of your own still shows. And it is tried on healthy and sick patients. The
# last line shows its limit: a probe finds only what it asks for.
#
# > **Predict, then run.** Which question would find the last patient, whose answer is always 0? And which one an encoder
# > that takes the mean of all tokens of the sentence, `lambda x: x + x.mean(axis=1, keepdims=True)`: is it sick? Add your
# > question to the probe and try both.
#
# <details>
# <summary>Answer</summary>
#
# "Do the numbers move when the sentence itself is changed?" finds the one that always answers 0: ask about `x[:1]` and about
# `2 * x[:1]`, and require that something moves. The mean over the tokens of *its own* sentence is healthy, as far as
# neighbours go: attention does something like that, too.
#
# </details>

# %% [markdown]
# ## 2. The formula
#
# From an article that explains attention "in twenty lines, with a 4 × 4 example". The author promises: `x` `(B, T, D)`
# asks, `memory` `(B, S, D)` answers; the three weights are `(D, K)`, `(D, K)` and `(D, E)`; `mask` `(B, S)` is True at
# the real tokens of `memory`; `causal=True` (only if `x` is `memory`) also hides the future.


# %% tags=["explore"]
def article_attention(x, memory, w_query, w_key, w_value, mask=None, causal=False):
    """Broken. Attend once, in one head; return the output and the weights."""
    query = ops.matmul(x, w_query)
    key = ops.matmul(ops.transpose(w_key), ops.swapaxes(memory, 1, 2))  # project the keys
    value = ops.matmul(memory, w_value)
    scores = ops.matmul(query, ops.swapaxes(key, 1, 2)) / w_key.shape[1] ** 0.5
    if mask is not None:
        mask = mask[:, None, :]
    if causal:
        length = x.shape[1]
        mask = ops.arange(length)[None, :, None] >= ops.arange(length)[None, None, :]
    if mask is not None:
        scores = ops.where(mask, scores, -1e9)
    weights = scores  # large score, large weight
    return ops.matmul(weights, ops.swapaxes(value, 1, 2)), weights


output, weights = article_attention(*draw_arrays(np.random.default_rng(0), 1, 4, 4, 4, 4, 4))
print("the author's 4 x 4:", tuple(output.shape), tuple(weights.shape))

# %% [markdown]
# ### Exercise 1: probe the formula
#
# The calls are given; you look at what comes back. Useful: `np.tri(5, dtype=bool)` is True on and below the diagonal;
# `mask[:, None, :]` has the shape `(B, 1, S)`.


# %% exercise="probe_formula" names=["probe_attention"] forbid=["llmcourse.layers.scaled_dot_product_attention", "llmcourse.layers.attention_weights", "llmcourse.layers.MultiHeadAttention", "keras.layers.MultiHeadAttention", "keras.layers.Attention", "keras.ops.dot_product_attention"]
def probe_attention(attention) -> bool:
    """Tell whether an attention is healthy.

    Healthy means, for all sizes, with and without a mask and causal=True, up to rounding (1e-4): the output is
    (B, T, E), the weights are (B, T, S); a query's weights are not negative and sum to 1; keys that it may not attend to
    have the weight 0, the others more; of two of those, the one with the larger dot product of query and key has the
    larger weight; the output is the mean of the values, memory @ w_value, with these weights. All of this holds
    for queries that may attend to at least one key; about others nothing is said.

    Args:
        attention: function (x, memory, w_query, w_key, w_value, mask=None, causal=False) as in the article; it returns
            the output and the weights, or raises an error if it is sick.

    Returns:
        True if it is healthy, False if not.
    """
    x, memory, w_query, w_key, w_value = draw_arrays(np.random.default_rng(0), 2, 3, 5, 7, 4, 6)
    real = np.array([[True, False, True, True, False], [True, True, False, True, True]])
    for asks, mask, causal in ((x, None, False), (x, real, False), (memory, None, True), (memory, real, True)):
        found = ask(attention, asks, memory, w_query, w_key, w_value, mask=mask, causal=causal)
        if found is None:
            return False
        output, weights = (np.asarray(item) for item in found)
        ### BEGIN SOLUTION
        allowed = np.ones((2, asks.shape[1], 5), dtype=bool)  # (B, T, S)
        if mask is not None:
            allowed &= mask[:, None, :]
        if causal:
            allowed &= np.tri(5, dtype=bool)
        if output.shape != (2, asks.shape[1], 6) or weights.shape != allowed.shape:
            return False
        products = (asks @ w_query) @ np.swapaxes(memory @ w_key, 1, 2)
        better = products[..., :, None] > products[..., None, :]  # (B, T, S, S): of two keys, which one fits better?
        better &= allowed[..., :, None] & allowed[..., None, :]
        right = (
            np.allclose(weights.sum(axis=-1), 1, atol=1e-4)
            and (np.abs(weights[~allowed]) < 1e-6).all()
            and (weights[allowed] > 0).all()
            and (weights[..., :, None] > weights[..., None, :])[better].all()
            and np.allclose(output, weights @ (memory @ w_value), atol=1e-4)
        )
        if not right:
            return False
        ### END SOLUTION
    return True


# %% check="probe_formula"
check("probe_formula")

# %% tags=["explore"]
print("the article's attention is healthy:", probe_attention(article_attention))

# %% [markdown]
# ### Exercise 2: repair the formula
#
# Copy the body of the listing into the cell below and repair it. There are four faults. Write down the shape of every
# line as you go; ask of every array: are the tokens its rows or its columns? In the end, your probe must call it healthy.


# %% exercise="repair_formula" names=["repaired_attention"] forbid=["llmcourse.layers.scaled_dot_product_attention", "llmcourse.layers.attention_weights", "llmcourse.layers.MultiHeadAttention", "keras.layers.MultiHeadAttention", "keras.layers.Attention", "keras.ops.dot_product_attention"]
def repaired_attention(x, memory, w_query, w_key, w_value, mask=None, causal=False):
    """Attend once, in one head, with keras.ops, so that everything can learn.

    Args:
        x: float tensor (B, T, D), the tokens that ask.
        memory: float tensor (B, S, D), the tokens that answer.
        w_query: float tensor (D, K).
        w_key: float tensor (D, K).
        w_value: float tensor (D, E).
        mask: boolean tensor (B, S), True at the tokens of memory that may be attended to; or None.
        causal: whether each token may only attend to itself and to earlier ones as well; then T = S.

    Returns:
        The output (B, T, E) and the weights (B, T, S).
    """
    ### BEGIN SOLUTION
    query = ops.matmul(x, w_query)  # (B, T, K), one token in each row
    key = ops.matmul(memory, w_key)  # (B, S, K)
    value = ops.matmul(memory, w_value)  # (B, S, E)
    scores = ops.matmul(query, ops.swapaxes(key, 1, 2)) / w_key.shape[1] ** 0.5  # (B, T, S)
    if mask is not None:
        scores = ops.where(mask[:, None, :], scores, -1e9)
    if causal:
        positions = ops.arange(x.shape[1])
        scores = ops.where(positions[:, None] >= positions[None, :], scores, -1e9)
    weights = ops.softmax(scores, axis=-1)
    return ops.matmul(weights, value), weights
    ### END SOLUTION


# %% check="repair_formula"
check("repair_formula")

# %% tags=["explore"]
print("your attention is healthy:", probe_attention(repaired_attention))

# %% [markdown]
# <details>
# <summary>The four faults (after you have found them)</summary>
#
# 1. **No softmax.** The weights are raw scores, and a masked score of −1,000,000,000 becomes an enormous weight.
# 2. **The value matrix is transposed.** $(B, T, S)$ times $(B, E, S)$ mixes columns of the values where it should mix
#    tokens. With $S = E$ nobody notices.
# 3. **One variable for two masks.** The causal mask *replaces* the padding mask. The two must be combined.
# 4. **Rows and columns mixed.** The keys have one token in each *column*; then they are transposed once more, as if they
#    had been rows.
#
# </details>

# %% [markdown]
# ## 3. The layers
#
# From an article that builds "the whole Transformer in fifty lines". The author's example has 8 tokens in the source, 8
# in the target, 8 words in each vocabulary, and `d_model = 8`. Masks are not its subject: it only knows sentences
# without padding, and its causal mask is right.


# %% tags=["explore"]
class ArticleTransformer(keras.Model):
    """Broken. One encoder layer, one decoder layer (pre-norm)."""

    def __init__(self, source_vocab_size, target_vocab_size, d_model, num_heads, d_ff):
        super().__init__()
        self.d_model = d_model
        self.embedding = keras.layers.Embedding(source_vocab_size, d_model)
        self.positions = layers.PositionalEncoding()
        self.encoder_attention_norm = keras.layers.LayerNormalization(epsilon=1e-5)
        self.encoder_attention = layers.MultiHeadAttention(num_heads, key_dim=d_model)
        self.encoder_feed_forward_norm = keras.layers.LayerNormalization(epsilon=1e-5)
        self.encoder_feed_forward = layers.FeedForward(target_vocab_size, d_ff)
        self.encoder_norm = keras.layers.LayerNormalization(epsilon=1e-5)
        self.self_attention_norm = keras.layers.LayerNormalization(epsilon=1e-5)
        self.self_attention = layers.MultiHeadAttention(num_heads, key_dim=d_model)
        self.feed_forward_norm = keras.layers.LayerNormalization(epsilon=1e-5)
        self.feed_forward = layers.FeedForward(target_vocab_size, d_ff)
        self.decoder_norm = keras.layers.LayerNormalization(epsilon=1e-5)
        self.to_logits = keras.layers.Dense(target_vocab_size)

    def call(self, source_ids, target_ids):
        source = ops.one_hot(source_ids, self.d_model)  # tokens become vectors
        target = ops.one_hot(target_ids, self.d_model)

        x = source
        y = self.encoder_attention(self.encoder_attention_norm(x), target)
        x = x + y
        x = x + self.encoder_feed_forward(self.encoder_feed_forward_norm(x))
        memory = self.encoder_norm(x)

        x = target
        causal = layers.causal_mask(x.shape[1])
        y = self.self_attention(memory, self.self_attention_norm(x), mask=causal)  # self-attention
        x = x + y
        x = x + y
        return self.to_logits(self.decoder_norm(x))


rng = np.random.default_rng(0)
ids = rng.integers(4, 8, size=(2, 8)), rng.integers(4, 8, size=(2, 8))
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Keras suspects something, too; what does it say without this line?
    print("the author's sizes:", tuple(ArticleTransformer(8, 8, 8, 2, 16)(*ids).shape))

# %% [markdown]
# ### Exercise 3: probe the layers
#
# Now the patient is a whole model with weights that you do not know: you choose ids and look at the logits, with
# `movement` for instance. It returns for each position how far its logits moved, shape `(B, T)`, and NaN, which fulfils no
# comparison, where the patient raised an error. Which ids you choose matters, too: a large one is a word like any other.


# %% exercise="probe_layers" names=["probe_model"]
def probe_model(model, source_vocab_size, target_vocab_size) -> bool:
    """Tell whether an encoder-decoder model is healthy.

    Healthy means, for sentences without padding, whatever their lengths S and T: the logits are
    (B, T, target_vocab_size); those before a target token do not hear of it; those at its position and all later ones
    do, and all logits hear of each token of the source; no word stands for another; and the order of the tokens counts.
    So if one word is replaced by another, or two different tokens change places, then in the source every position hears
    of it, and in the target all positions after both do. Rounding moves a logit by less than 1e-5. A position hears of a
    change if at least one of its logits moves by more than 1e-4.

    Args:
        model: function of source_ids (B, S) and target_ids (B, T), integer arrays; it returns logits, or raises an
            error if it is sick.
        source_vocab_size: integer, 12 or more; use the ids from 1 to source_vocab_size - 1 (0 is padding).
        target_vocab_size: the same for the target.

    Returns:
        True if it is healthy, False if not.
    """
    ### BEGIN SOLUTION
    last_source, last_target = source_vocab_size - 1, target_vocab_size - 1
    for s, t in ((4, 6), (5, 3)):
        source, target = last_source - 1 - np.arange(s)[None], last_target - 1 - np.arange(t)[None]  # large ids
        if np.shape(ask(model, source, target)) != (1, t, target_vocab_size):
            return False
        sources = [np.where(np.arange(s) == place, last_source, source) for place in range(s)]
        for changed in [*sources, source[:, [1, 0, *range(2, s)]]]:  # the last one: two tokens swapped
            if not (movement(model, (source, target), (changed, target)) > 1e-4).all():
                return False
        for place in range(t):
            changed = np.where(np.arange(t) == place, last_target, target)
            moved = movement(model, (source, target), (source, changed))[0]
            if not ((moved[:place] < 1e-4).all() and (moved[place:] > 1e-4).all()):
                return False
        swapped = target[:, [1, 0, *range(2, t)]]
        if not movement(model, (source, target), (source, swapped))[0, -1] > 1e-4:
            return False
    return True
    ### END SOLUTION


# %% check="probe_layers"
check("probe_layers")

# %% tags=["explore"]
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    for sizes in ((12, 12, 12), (13, 17, 8)):
        print("the article's model is healthy:", probe_model(ArticleTransformer(*sizes, 2, 16), *sizes[:2]))
healthy = Transformer(13, 17, num_layers=1, d_model=8, num_heads=2, d_ff=16, dropout=0.0)
print("the package's model is healthy:", probe_model(healthy, 13, 17))

# %% [markdown]
# From outside you cannot see everything. Is each head as wide as it should be? Count an attention's parameters: $4 (D^2 +
# D)$. Does every sub-layer take part? Set its weights to zero, and see whether the logits move.
#
# ### Exercise 4: repair the layers
#
# There are seven faults, some of them in several places. Write the repaired class, and use your probe as you go. This is
# what it should compute, from the lesson `transformer`; every array keeps its shape, $(B, S, D)$ in the encoder and
# $(B, T, D)$ in the decoder:
#
# $$
# \begin{aligned}
# x' &= x + \operatorname{attention}(n_1,\, n_1), & x'' &= x' + \operatorname{FFN}(n_2), &
# \text{memory} &= \operatorname{norm}(x'') && \text{(encoder)} \\
# x' &= x + \operatorname{attention}(n_1,\, n_1,\, \text{causal}), & x'' &= x' + \operatorname{attention}(n_2,\, \text{memory}), &
# x''' &= x'' + \operatorname{FFN}(n_3) && \text{(decoder)}
# \end{aligned}
# $$
#
# Each $n_i$ is the norm of the sum before it, with a norm of its own; $x$ is the embedding of the ids plus the positions; the
# logits come from the norm of the decoder's last sum. The checks look at the sub-layers by name: `self_attention`,
# `cross_attention` and `feed_forward`, each with its `..._norm`, in the decoder, all others as in the listing (embeddings as you
# like). Whether you multiply embeddings by $\sqrt{D}$ is up to you.


# %% exercise="repair_layers" names=["RepairedTransformer"] forbid=["llmcourse.models.translator.Transformer", "llmcourse.layers.EncoderLayer", "llmcourse.layers.DecoderLayer"]
class RepairedTransformer(keras.Model):
    """Map a source and the beginning of its target to logits: one encoder layer, one decoder layer (pre-norm).

    Required, for all sizes and for sentences without padding: it computes what the formulas above say. All that
    `probe_model` asks for holds, and each sub-layer has an influence on the logits.

    Args:
        source_vocab_size, target_vocab_size: integers, how many tokens the two languages have.
        d_model: integer, the width D of all vectors between embeddings and logits; a multiple of num_heads.
        num_heads: integer, into how many heads each attention divides this width.
        d_ff: integer, the width inside the feed-forward networks.
    """

    def __init__(self, source_vocab_size, target_vocab_size, d_model, num_heads, d_ff):
        super().__init__()
        ### BEGIN SOLUTION
        key_dim = d_model // num_heads
        self.source_embedding = keras.layers.Embedding(source_vocab_size, d_model)
        self.target_embedding = keras.layers.Embedding(target_vocab_size, d_model)
        self.positions = layers.PositionalEncoding()
        self.scale = d_model**0.5
        self.encoder_attention_norm = keras.layers.LayerNormalization(epsilon=1e-5)
        self.encoder_attention = layers.MultiHeadAttention(num_heads, key_dim)
        self.encoder_feed_forward_norm = keras.layers.LayerNormalization(epsilon=1e-5)
        self.encoder_feed_forward = layers.FeedForward(d_model, d_ff)
        self.encoder_norm = keras.layers.LayerNormalization(epsilon=1e-5)
        self.self_attention_norm = keras.layers.LayerNormalization(epsilon=1e-5)
        self.self_attention = layers.MultiHeadAttention(num_heads, key_dim)
        self.cross_attention_norm = keras.layers.LayerNormalization(epsilon=1e-5)
        self.cross_attention = layers.MultiHeadAttention(num_heads, key_dim)
        self.feed_forward_norm = keras.layers.LayerNormalization(epsilon=1e-5)
        self.feed_forward = layers.FeedForward(d_model, d_ff)
        self.decoder_norm = keras.layers.LayerNormalization(epsilon=1e-5)
        self.to_logits = keras.layers.Dense(target_vocab_size)
        ### END SOLUTION

    def call(self, source_ids, target_ids):
        """Encode the source, decode the target.

        Args:
            source_ids: integer tensor (B, S).
            target_ids: integer tensor (B, T).

        Returns:
            The logits, float tensor (B, T, target_vocab_size).
        """
        ### BEGIN SOLUTION
        x = self.positions(self.source_embedding(source_ids) * self.scale)  # (B, S, D)
        y = self.encoder_attention_norm(x)
        x = x + self.encoder_attention(y, y)
        x = x + self.encoder_feed_forward(self.encoder_feed_forward_norm(x))
        memory = self.encoder_norm(x)

        x = self.positions(self.target_embedding(target_ids) * self.scale)  # (B, T, D)
        y = self.self_attention_norm(x)
        x = x + self.self_attention(y, y, mask=layers.causal_mask(x.shape[1]))
        x = x + self.cross_attention(self.cross_attention_norm(x), memory)
        x = x + self.feed_forward(self.feed_forward_norm(x))
        return self.to_logits(self.decoder_norm(x))
        ### END SOLUTION


# %% check="repair_layers"
check("repair_layers")

# %% tags=["explore"]
print("your model is healthy:", probe_model(RepairedTransformer(13, 17, 8, 2, 16), 13, 17))

# %% [markdown]
# <details>
# <summary>The seven faults (after you have found them)</summary>
#
# 1. **`key_dim` is `d_model`.** H heads cost H times as much. It should be `d_model / num_heads`.
# 2. **The feed-forward networks end as wide as the vocabulary.** Their result is added to $x$, so it must be $D$ wide.
# 3. **The encoder attends from its input to the target.** It reads the answer.
# 4. **The "self-attention" asks with the memory and answers with the target, and there is no cross-attention.** Rows
#    come out as many as there are source tokens.
# 5. **The third short cut adds the wrong tensor, and the third sub-layer is missing.** `feed_forward` is made and never
#    called.
# 6. **One embedding for two vocabularies, and never applied.** One-hot vectors work only while no vocabulary is larger
#    than $D$.
# 7. **The positional encoding is never applied.** A sentence becomes a bag of words.
#
# </details>

# %% [markdown]
# ## 4. The training
#
# From an article about "training your own translator". The model is a healthy `Transformer`; what is broken stands
# around it: the masks, what is given to `fit`, and the loss.


# %% tags=["explore"]
def article_masks(source_ids, inputs):
    """Broken. Return the masks of the encoder, of the decoder's self-attention and of its cross-attention."""
    return None, None, None  # Keras makes the masks itself


def article_batch(source_ids, target_ids):
    """Broken. Return x and y for model.fit(x, y); target_ids are START ... END, padded."""
    return source_ids, target_ids


def article_loss(labels, logits):
    """Broken. Return the mean loss of a batch."""
    labels = ops.cast(labels, "float32")[:, :, None]
    log_probs = ops.log(ops.clip(logits, 1e-7, 1.0))
    return ops.mean(-ops.sum(labels * log_probs, axis=-1))


guess = np.zeros((1, 5, 17), dtype="float32")  # logits that know nothing
nothing = float(article_loss(np.array([[7, 8, 3, 0, 0]]), guess))
print(f"the loss of a model that knows nothing: {nothing:.1f} instead of {np.log(17):.2f}")

# %% [markdown]
# ### Exercise 5: probe the training
#
# The patient consists of three functions, and is healthy if all three are. Of masks and batches you can say every entry, if
# you choose the ids; of the loss, look for logits for which you know what must come out, or what must not move. The masks
# have four axes and are True where attending is allowed, as in the lesson `attention`.


# %% exercise="probe_training" forbid=["llmcourse.training.losses.label_smoothed_loss"]
def probe_training(make_masks, make_batch, sequence_loss) -> bool:
    """Tell whether the functions around the training of a Transformer are healthy.

    Healthy means that all three keep the promises below, up to rounding (1e-4) in the loss. A sick one may raise an
    error. Source and target ids are integer arrays (B, S) and (B, T+1), a target is START ... END; both are padded with
    0 at the end.

    Args:
        make_masks: function of source_ids and of inputs (B, T), what the decoder is given. It returns three masks: of
            the encoder's self-attention (B, 1, 1, S), of the decoder's self-attention (B, 1, T, T), of the
            cross-attention (B, 1, 1, S). No query may attend to padding, and no target token to later ones; all else
            is allowed.
        make_batch: function of source_ids and target_ids. It returns x and y for fit: x is the pair of source_ids and
            inputs (B, T), y are the labels (B, T); at each position, the label is the token that comes next.
        sequence_loss: function of labels (B, T) and logits (B, T, V), float32. It returns the mean cross-entropy
            (natural logarithm) of all real tokens, one number.

    Returns:
        True if all three are healthy, False if not.
    """
    ### BEGIN SOLUTION
    source = np.array([[5, 6, 3, 0, 0], [7, 8, 9, 5, 3]])
    target = np.array([[2, 5, 6, 7, 8, 9, 3], [2, 6, 3, 0, 0, 0, 0]])
    inputs, labels = target[:, :-1], target[:, 1:]
    batch, masks = ask(make_batch, source, target), ask(make_masks, source, inputs)
    if batch is None or masks is None or len(batch) != 2 or len(batch[0]) != 2 or len(masks) != 3:
        return False
    padding = (source != 0)[:, None, None, :]
    own = (inputs != 0)[:, None, None, :] & np.tri(6, dtype=bool)
    for found, wanted in zip(
        (*batch[0], batch[1], *masks), (source, inputs, labels, padding, own, padding), strict=True
    ):
        if not np.array_equal(found, wanted):
            return False

    logits = np.random.default_rng(0).normal(size=(2, 6, 11)).astype("float32")
    right = np.arange(11) == labels[:, :, None]
    real = labels != 0
    elsewhere = np.where(real[:, :, None], logits, logits[:, :, ::-1])
    losses_of = [
        ask(sequence_loss, labels, z) for z in (logits, logits + 5, elsewhere, 0 * logits, right * np.float32(30))
    ]
    alone = [ask(sequence_loss, labels[b : b + 1], logits[b : b + 1]) for b in range(2)]
    if any(loss is None for loss in losses_of + alone):
        return False
    per_token = np.dot(alone, real.sum(axis=1)) / real.sum()
    return bool(np.allclose(losses_of, [per_token, per_token, per_token, np.log(11), 0], atol=1e-4))
    ### END SOLUTION


# %% check="probe_training"
check("probe_training")

# %% tags=["explore"]
print("the article's training is healthy:", probe_training(article_masks, article_batch, article_loss))

# %% [markdown]
# ### Exercise 6: repair the training
#
# There are seven faults. Write the three functions anew, and probe them. `layers.padding_mask(ids)`,
# `layers.causal_mask(length)` and `layers.combine_masks(first, second)` may be used. The loss is that of the lesson
# `transformer` with $\varepsilon = 0$; useful: `ops.log_softmax(logits)`, `ops.take_along_axis(x, ids[:, :, None], axis=-1)`,
# `ops.cast`, `ops.not_equal`, `ops.sum`, `ops.maximum`. `make_batch` works with NumPy arrays.


# %% exercise="repair_training" names=["make_masks", "make_batch", "sequence_loss"] forbid=["llmcourse.training.losses.label_smoothed_loss"]
def make_masks(source_ids, inputs):
    """Make the three masks of a Transformer from the ids.

    Args:
        source_ids: integer tensor (B, S); 0 is padding.
        inputs: integer tensor (B, T), what the decoder is given; 0 is padding.

    Returns:
        Three boolean tensors, True for "may attend": the mask of the encoder's self-attention (B, 1, 1, S), of the
        decoder's self-attention (B, 1, T, T), and of the cross-attention (B, 1, 1, S).
    """
    ### BEGIN SOLUTION
    source_mask = layers.padding_mask(source_ids)
    target_mask = layers.combine_masks(layers.padding_mask(inputs), layers.causal_mask(inputs.shape[1]))
    return source_mask, target_mask, source_mask
    ### END SOLUTION


def make_batch(source_ids, target_ids):
    """Make x and y for model.fit(x, y), where the model is called as model((source_ids, inputs)).

    Args:
        source_ids: integer array (B, S).
        target_ids: integer array (B, T+1), START ... END in each row, padded.

    Returns:
        The pair (x, y): x is itself the pair (source_ids, inputs), and y are the labels (B, T).
    """
    ### BEGIN SOLUTION
    return (source_ids, target_ids[:, :-1]), target_ids[:, 1:]
    ### END SOLUTION


def sequence_loss(labels, logits):
    """Compute the mean cross-entropy of the real tokens, with keras.ops, so that Keras can take its derivative.

    Args:
        labels: integer tensor (B, T), token ids; 0 is padding.
        logits: float tensor (B, T, V), before any softmax.

    Returns:
        One number.
    """
    ### BEGIN SOLUTION
    log_probs = ops.log_softmax(logits)  # (B, T, V)
    labels = ops.cast(labels, "int32")
    each = -ops.take_along_axis(log_probs, labels[:, :, None], axis=-1)[:, :, 0]  # (B, T)
    real = ops.cast(ops.not_equal(labels, 0), "float32")
    return ops.sum(each * real) / ops.maximum(ops.sum(real), 1.0)
    ### END SOLUTION


# %% check="repair_training"
check("repair_training")

# %% tags=["explore"]
print("your training is healthy:", probe_training(make_masks, make_batch, sequence_loss))

# %% [markdown]
# <details>
# <summary>The seven faults (after you have found them)</summary>
#
# 1. **No causal mask.** The model reads the answer. The loss becomes wonderful, the translations do not.
# 2. **No padding mask.** Padding is attended to, so results depend on the neighbours in the batch. (Keras makes such
#    masks only for layers that ask for it.)
# 3. **The targets are not shifted.** Each position is asked for the token that it is given.
# 4. **`fit` feeds one input.** The decoder gets nothing to start from.
# 5. **Logits taken for probabilities.** Clipping makes all negative logits the same, and all above 1; no gradient is left.
# 6. **A one-hot formula for integer labels.** The sum of `labels * log_probs` is the cross-entropy if the labels are
#    one-hot rows. With ids, token 16 counts sixteen times as much, and for *every* word of the vocabulary.
# 7. **Padding counts** in the mean.
#
# </details>
#
# Two more things that articles leave out are no faults in the strict sense. Without the factor $\sqrt{D}$ learning takes
# longer. And without warm-up many models still train, in particular with pre-norm; deep post-norm models often do not.

# %% [markdown]
# ## 5. What a learning curve does not show
#
# Would you have noticed these faults without a probe? We train three small Transformers to reverse a row of five letters: a
# healthy one; one whose decoder has no causal mask, so that every position sees the token that it is asked for; and one whose
# targets are not shifted, so that it is asked for the token that it is given. Then each of them writes the answers to 200
# questions that it has not seen.
#
# > **Predict, then run.** Which of the three has the lowest loss after 300 steps? Which one writes the most right answers?


# %% tags=["explore", "nbval-ignore-output"]
class LeakyTransformer(Transformer):
    """A Transformer whose decoder may look ahead."""

    def decode(self, target_ids, memory, source_ids, return_scores=False, training=None):
        x = self.embed(self.target_embedding, target_ids, training)
        x, own, cross = self.decoder(x, memory, mask=layers.padding_mask(target_ids), return_scores=True)
        return (self.score(x), {"decoder": own, "cross": cross}) if return_scores else self.score(x)


def as_target(source):
    """Give the answers: START, the letters from the last to the first, END."""
    ends = np.full((len(source), 1), 3, dtype="int32")
    return np.concatenate([ends - 1, source[:, ::-1], ends], axis=1)


def plain_loss(labels, logits):
    """Compute the cross-entropy without smoothing."""
    return losses.label_smoothed_loss(labels, logits, 0.0)


LETTERS = "abcdefgh"  # ids 4 to 11
every = np.stack(np.meshgrid(*[np.arange(4, 12, dtype="int32")] * 5), axis=-1).reshape(-1, 5)  # all 8**5 questions
every = np.random.default_rng(0).permutation(every)
known, questions = every[:9600], every[-200:]
target, curves, written = as_target(known), {}, {}
for name, kind, labels in (
    ("healthy", Transformer, target[:, 1:]),
    ("no causal mask", LeakyTransformer, target[:, 1:]),
    ("no shift", Transformer, target[:, :-1]),
):
    keras.utils.set_random_seed(1)
    model = kind(12, 12, num_layers=1, d_model=32, num_heads=2, d_ff=64, dropout=0.0)
    model.compile(keras.optimizers.Adam(0.004), plain_loss)
    curves[name] = []
    for rows in np.split(np.arange(9600), 10):  # a round: 30 steps
        done = model.fit((known[rows], target[rows, :-1]), labels[rows], batch_size=32, verbose=0, shuffle=False)
        curves[name].append(done.history["loss"][0])
    written[name] = greedy_decode(model, questions, max_length=6, use_cache=False)

print("question:", " ".join(LETTERS[id - 4] for id in questions[0]), "\n")
for name, answers in written.items():
    right = (answers == as_target(questions)[:, 1:]).all(axis=1).mean()
    words = " ".join({2: "START", 3: "END"}.get(int(id)) or LETTERS[id - 4] for id in answers[0] if id)
    print(f"{name:14s} last loss {curves[name][-1]:.4f}   right answers {right:4.0%}   writes: {words}")
plots.learning_curves(
    curves, xlabel="round of 30 steps", ylabel="loss", logy=True, title="A leak does not show in the learning curve"
)

# %% [markdown]
# The curve of the leaking model looks like that of the healthy one, and that of the model without the shift falls fastest of
# all. Neither of the two writes a single right answer. In training they read what they were asked for; in use there
# is nothing to read. The model without the shift repeats what it is given, START, for ever. Data that were held back do not
# help either: their loss is computed in the same way, and looks as fine.
#
# So: probe before you train, and judge a model by what it *writes*.
#
# > **Change this, predict, run.** Give the healthy model's decoder the answer instead of the inputs: `target[rows, 1:]` in
# > place of `target[rows, :-1]`. Which of the three curves will it follow, and what will it write first?
#
# <details>
# <summary>Answer</summary>
#
# Position $t$ is then given the very token that it is asked for, as in the model without the shift: the loss falls as fast. In
# use it is given START first, which it has never met in training, so what it writes first is a matter of luck; then it repeats
# that.
#
# </details>

# %% [markdown]
# ## What to take with you
#
# - A probe asks for a property that holds for every healthy patient, whatever its weights: what must not move, what must move,
#   which sums are known.
# - Let all sizes differ, take more than one sentence, large ids, padding at different places, and compare with a tolerance.
# - Try a probe on healthy *and* on sick patients. One that always says "sick" finds every fault.
# - The leak test and the padding test take a second. A learning curve shows neither fault.
# - The usual suspects: no softmax, a mask that replaces another one, no cross-attention, a feed-forward network as wide as the
#   vocabulary, no positions, targets that are not shifted, padding that counts.
#
# `check.progress()` shows your points. In the next lesson a healthy Transformer learns to translate real sentences.
#
# ### Further reading
#
# - A. Karpathy (2019): A recipe for training neural networks. karpathy.github.io/2019/04/25/recipe. How to grow a training step
#   by step, and what to check at each of them.
# - M. T. Ribeiro, T. Wu, C. Guestrin and S. Singh (2020): Beyond accuracy: behavioral testing of NLP models with CheckList.
#   *ACL*, 4902–4912. Probes for trained models: what must not move, what must.
# - T. Y. Chen, S. C. Cheung and S. M. Yiu (1998): Metamorphic testing: a new approach for generating next test cases. Technical
#   report HKUST-CS98-01. Testing without knowing the right answer.
