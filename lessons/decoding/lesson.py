# %% [markdown]
# # Decoding: from probabilities to sentences
#
# A translator does not write sentences. It gives, for every beginning of a sentence, the probabilities of the next
# token; somebody has to make a sentence of them. How that is done decides whether a good model writes well, and how
# long you wait for it. In this lesson you write beam search, the cache that makes every language model fast, sampling
# with a temperature, and BLEU, the score by which translations have been judged for twenty years. Then you see through
# it.
#
# **What you will be able to do**
#
# - say why greedy decoding misses likely sentences, and write beam search, which finds more of them;
# - explain why a *better* search can give *worse* translations, and what a length penalty does about it;
# - write a key/value cache, decode with it, and say what it saves, and what it costs;
# - draw from a model with temperature and top-k, and say when drawing is better than searching;
# - compute BLEU by hand and in code, to the last digit of the standard tool;
# - read a BLEU score without being fooled: tokenisation, signature, paraphrases, negations.
#
# **What you need:** the lesson *The Transformer* (greedy decoding, causal masks), the lesson on *translation*
# (subwords, a trained translator), softmax and logarithms.
#
# | part | | minutes | exercise |
# | --- | --- | ---: | --- |
# | 1 | The likeliest sentence | 10 | |
# | 2 | Beam search | 40 | 1 `beam_search` |
# | 3 | Length, and the curse of the beam | 10 | |
# | 4 | Nothing twice: the key/value cache | 60 | 2 `KeyValueCache`, 3 `greedy_decode_cached` |
# | 5 | Drawing instead of searching | 25 | 4 `sample` |
# | 6 | How good is a translation? Counting n-grams | 20 | 5 `ngram_precisions` |
# | 7 | BLEU | 15 | 6 `corpus_bleu` |
# | 8 | What the scores do not see, and what may be luck | 25 | |
#
# **If you are stuck, go on.** All later cells use the tested versions from the package: `steps.beam_search`,
# `steps.sample` and so on.
#
# **Letters.** `B` rows of a batch, `H` heads, `K` width of a query or key in one head, `E` width of a value, `T`
# tokens written so far (in the probability and the score of a sentence: all its tokens after START, END included), `D`
# width of the model, `V` tokens in the vocabulary, and new: `P` beginnings of sentences (*prefixes*) that a search
# works on at the same time, each of `L` tokens.

# %% tags=["nbval-ignore-output"]
import time
from collections import Counter

import numpy as np
import sacrebleu

from llmcourse import lesson, plots, setup

setup(seed=0)
check = lesson("decoding")

from llmcourse import steps
from llmcourse.data import load_pairs
from llmcourse.decoding import Translator, greedy_decode
from llmcourse.layers import padding_mask
from llmcourse.models.saved import load_translator

# %% [markdown]
# ## 1. The likeliest sentence
#
# Given a source $x$, the decoder tells us $p(y_t \mid y_1 \dots y_{t-1}, x)$: how likely each token is as the next one.
# By the product rule, this gives every sentence $y = (y_1, \dots, y_T)$, whose last token is END, a probability:
#
# $$
# p(y \mid x) = \prod_{t=1}^{T} p(y_t \mid y_1 \dots y_{t-1}, x)
# \qquad\qquad
# \log p(y \mid x) = \sum_{t=1}^{T} \log p(y_t \mid y_1 \dots y_{t-1}, x)
# $$
#
# We add logarithms instead of multiplying probabilities. A product of two hundred probabilities of a hundredth is
# $10^{-400}$, which a computer rounds to 0; the sum of their logarithms is −921, which is no trouble at all. Since the
# logarithm grows with its argument, the likeliest sentence is the one with the **largest log-probability** (the one
# nearest to 0, for all of them are negative).
#
# A small model to hold in the hand. It translates one German sentence, *"Es tut mir leid."* (I am sorry; word by word:
# it does me sorrow). It has read too many dictionaries, and likes to begin with "it". The next word depends on the last
# one only, so the whole model is a table. Our real translators are such functions, too, only with longer memories.

# %%
NEXT = {  # after the word on the left, each of these words follows with this probability
    "START": {"it": 0.5, "I": 0.4, "sorry": 0.1},
    "it": {"hurts": 0.4, "does": 0.35, "makes": 0.25},
    "hurts": {"me": 0.6, "END": 0.4},
    "does": {"me": 0.7, "END": 0.3},
    "makes": {"me": 1.0},
    "me": {"END": 0.6, "sorry": 0.4},
    "I": {"am": 0.9, "feel": 0.1},
    "am": {"sorry": 0.9, "END": 0.1},
    "feel": {"sorry": 0.8, "END": 0.2},
    "sorry": {"END": 0.9, "me": 0.1},
}
WORDS = ["PAD", "UNK", "START", "END", "I", "it", "sorry", "am", "feel", "hurts", "does", "makes", "me"]
TABLE = np.array([[NEXT.get(last, {}).get(word, 0.0) for word in WORDS] for last in WORDS])  # (V, V) = (13, 13)


def next_word(prefixes):
    """Give the log-probabilities (P, V) of the next word for each of the prefixes (P, L); impossible words get -inf."""
    with np.errstate(divide="ignore"):  # log(0) is -inf, and that is meant
        return np.log(TABLE[np.asarray(prefixes)[:, -1]])


def text(ids):
    """Write ids as words, without START and END."""
    return " ".join(WORDS[token] for token in ids if token > 3)


# %% [markdown]
# A model is asked about several prefixes in one call. They are the rows of one array, so all of them have the same
# length. What may follow after `START it`, and what after `START I`?

# %%
prefixes = np.array([[2, 5], [2, 4]])  # (P, L) = (2, 2)
for prefix, row in zip(prefixes, np.exp(next_word(prefixes)), strict=True):
    print(text(prefix), "->", {WORDS[token]: round(float(row[token]), 2) for token in np.flatnonzero(row)})

# %% [markdown]
# ### Greedy is short-sighted
#
# Greedy decoding, which you wrote for the Transformer, takes the likeliest word each time:

# %%
written, probability = [2], 1.0
while written[-1] != 3:
    chances = np.exp(next_word([written]))[0]  # (V,)
    written.append(int(chances.argmax()))
    probability *= chances.max()
    print(f"{text(written):14s} probability {probability:.3f}")

# %% [markdown]
# "It hurts me", with probability 0.072. And what does the model really believe? We multiply along another path:
# *I* 0.4, *am* 0.9, *sorry* 0.9, END 0.9: together **0.29**, four times as likely. Greedy decoding never looked that
# way: "it" was a little better than "I" at the first step, and what came of it showed only later.
#
# > **Think first.** Then why not compute the probability of *all* sentences and take the best? How many sentences of
# > 20 tokens are there with a vocabulary of 6,000?
#
# <details>
# <summary>Answer</summary>
#
# $6000^{20} \approx 3.7 \cdot 10^{75}$. The visible universe has about $10^{80}$ atoms. For a model whose next word
# depends on the last word only, as in our table, there is a clever way around (dynamic programming). A Transformer
# looks at the whole prefix, and no way around is known.
#
# </details>

# %% [markdown]
# ## 2. Beam search
#
# The remedy is modest: keep not one prefix but the best few, say $k$. This is **beam search**, $k$ is the **beam
# size**, and the prefixes that are kept are the beam. One step:
#
# 1. Ask the model about all $P$ open prefixes at once: log-probabilities of shape $(P, V)$.
# 2. **Candidates.** Each prefix can go on with each token. A candidate's total is the total of its prefix plus the
#    log-probability of the token: again a table of shape $(P, V)$.
# 3. **Keep the $k$ best of all $P \cdot V$ candidates.** Not the best of each prefix! If all the best ones go on from
#    the same prefix, the other prefixes die out. Candidates with probability 0 (total $-\infty$) are never kept.
# 4. **Set the finished ones aside.** A candidate that ends with END is a sentence. It is remembered with its score and
#    leaves the search; nothing is ever written behind END. The others are the open prefixes of the next step.
#
# Stop when nothing is open any more, or after `max_length` tokens. What is still open then counts as finished too, only
# without an END. Of all finished sentences, return the $k$ best.
#
# With our table and $k = 2$, in probabilities, kept candidates in bold (the picture below the exercise rounds to two digits):
#
# | step | kept | thrown away |
# | ---: | --- | --- |
# | 1 | **it 0.50**, **I 0.40** | sorry 0.10 |
# | 2 | **I am 0.36**, **it hurts 0.20** | it does 0.175, it makes 0.125, I feel 0.04 |
# | 3 | **I am sorry 0.324**, **it hurts me 0.12** | it hurts END 0.08, I am END 0.036 |
# | 4 | **I am sorry END 0.29**, **it hurts me END 0.072** | it hurts me sorry 0.048, I am sorry me 0.032 |
#
# After step 4 nothing is open. The winner is the right one, and it was only second after the first step.
#
# ### The score
#
# Sentences of different lengths compete at the end, and every further token makes a log-probability smaller. So the
# score divides by the length to the power of $\alpha$, the **length penalty** (part 3 says more about it):
#
# $$
# \text{score}(y) = \frac{\log p(y \mid x)}{T^{\alpha}}
# \qquad \text{here } T = \text{number of tokens after START, END included}
# $$
#
# With $\alpha = 0$ it is the log-probability itself, with $\alpha = 1$ the mean log-probability of a token.
#
# | sentence | $p$ | $\log p$ | $T$ | score, $\alpha = 0$ | score, $\alpha = 1$ |
# | --- | ---: | ---: | ---: | ---: | ---: |
# | I am sorry END | 0.292 | −1.23 | 4 | **−1.23** | **−0.31** |
# | it hurts END | 0.080 | −2.53 | 3 | −2.53 | −0.84 |
# | it hurts me END | 0.072 | −2.63 | 4 | −2.63 | −0.66 |
#
# Within one step all candidates have the same length, so for choosing the beam the totals are enough.

# %% [markdown]
# ### Exercise 1: beam search
#
# Three tools for step 3: `np.argsort(-candidates, axis=None)` lists the places of *all* entries of a table, best
# first, counted row by row (place 7 of a table with 5 columns is row 1, column 2); `np.unravel_index(places,
# candidates.shape)` turns such places into a pair of arrays, rows and columns; and `np.column_stack([prefixes[rows],
# tokens])` appends a column to an array. But lists and loops over the candidates are welcome as well.
#
# Call `step_fn` once for each step, with all open prefixes in one array, as you would with a real model.


# %% exercise="beam_search" forbid=["llmcourse.steps.decoding.beam_search", "llmcourse.decoding.beam_search", "llmcourse.decoding.search.beam_search", "llmcourse.decoding.beam.beam_search"]
def beam_search(step_fn, beam_size, alpha, max_length):
    """Search for the sentences with the best scores, keeping beam_size candidates in each step.

    Args:
        step_fn: function of prefixes, an integer array (P, L) whose rows begin with START (2), that returns the
            log-probabilities of the next token, a float array (P, V); -inf means impossible.
        beam_size: integer, at least 1.
        alpha: number, 0 or more; the score is the log-probability / length**alpha.
        max_length: integer, at least 1, the largest number of tokens after START, END included.

    Returns:
        List of at most beam_size pairs (ids, score), best score first: ids is the list of tokens after START, with END
        (3) as the last one if the sentence came to its end.
    """
    ### BEGIN SOLUTION
    prefixes, totals, finished = np.array([[2]]), np.zeros(1), []
    for length in range(1, max_length + 1):
        candidates = totals[:, None] + step_fn(prefixes)  # (P, V)
        best = np.argsort(-candidates, axis=None)[:beam_size]
        rows, tokens = np.unravel_index(best, candidates.shape)
        possible = np.isfinite(candidates[rows, tokens])
        rows, tokens = rows[possible], tokens[possible]
        prefixes, totals = np.column_stack([prefixes[rows], tokens]), candidates[rows, tokens]
        closed = (tokens == 3) | (length == max_length)
        for ids, total in zip(prefixes[closed], totals[closed], strict=True):
            finished.append((ids[1:].tolist(), float(total / length**alpha)))
        prefixes, totals = prefixes[~closed], totals[~closed]
        if len(prefixes) == 0:
            break
    return sorted(finished, key=lambda pair: pair[1], reverse=True)[:beam_size]
    ### END SOLUTION


# %% check="beam_search"
check("beam_search")

# %% [markdown]
# ### A look at what it did: the search as a tree

# %% tags=["explore"]
seen = []  # the tested version can report each step: its prefixes, the totals of all candidates, and which it kept
found = steps.beam_search(next_word, beam_size=2, alpha=1.0, max_length=6, on_step=lambda *step: seen.append(step))
for ids, score in found:  # put your own beam_search above, without on_step
    print(f"{score:6.2f}  {text(ids)}")
plots.beam_tree(seen, WORDS, best=found[0][0], title="A beam of 2 keeps the runner-up, and the runner-up wins")

# %% [markdown]
# Each box shows the probability of the whole beginning. Greedy decoding keeps one box in each step, the upper one, and
# is lost after the very first step.
#
# Does a wider beam find more? There are few sentences here, so we can look at all of them: with a beam of 1,000 nothing
# is ever thrown away. (Those that have no END after six tokens are cut off; they count too.)

# %% tags=["explore"]
everything = steps.beam_search(next_word, beam_size=1000, alpha=0.0, max_length=6)
ended = sum(ids[-1] == 3 for ids, _ in everything)
print(f"beginnings of at most 6 tokens: {len(everything)}, of which {ended} come to their END")
for size in (1, 2, 5):
    found = steps.beam_search(next_word, size, alpha=0.0, max_length=6)
    ranks = [1 + [ids for ids, _ in everything].index(ids) for ids, _ in found]
    print(f"a beam of {size} finds the sentences that are really number", ranks)

# %% [markdown]
# **Common mistakes**
#
# - The best $k$ continuations of *each* prefix. The beam then grows from step to step.
# - The best *one* of each prefix: $k$ greedy searches side by side, which never exchange anything.
# - Writing on behind END, or returning at the first END: another sentence may still come out better.
# - Multiplying logarithms, or forgetting the total of the prefix.
# - Calling the model for one prefix after the other. The result is the same, and it takes $k$ times as long.
#
# > **Think first.** Our search goes on until nothing is open. But with $k \ge 2$ there nearly always is something to go
# > on with, however unlikely, so it mostly runs up to `max_length`. When could it stop earlier without missing
# > anything?
#
# <details>
# <summary>Answer</summary>
#
# Totals only fall, since a log-probability is never above 0. An open prefix with total $s < 0$ can therefore end with a
# score of at most $s / \text{max\_length}^\alpha$. If that is below the worst of the $k$ best finished scores for every
# open prefix, the search is over. With $\alpha = 0$ it simply means: the best open total is below the $k$-th best
# finished one. (The checks welcome a search that stops like this. The package's does.)
#
# </details>

# %% [markdown]
# ## 3. Length, and the curse of the beam
#
# A wider beam finds sentences with higher probability. Then the translations must get better and better? Let us see
# what happens with a model that has a small fault of real ones: it is never quite sure of the next word (there are many
# ways to say a thing), and it gives END a chance of 2 % at every step, also where END makes no sense. After seven words
# END is right, and has 70 %.


# %% tags=["explore"]
def unsure_model(seed, words=26, right_length=7):
    """Make a model that is unsure of its words: log-probabilities (P, V) from prefixes (P, L)."""

    def step_fn(prefixes):
        logits = np.stack([np.random.default_rng([seed, *row]).normal(scale=1.5, size=words) for row in prefixes])
        end = 0.7 if prefixes.shape[1] > right_length else 0.02
        with np.errstate(divide="ignore"):
            chances = np.zeros((len(prefixes), words + 4))
            chances[:, 4:] = (1 - end) * np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
            chances[:, 3] = end
            return np.log(chances)

    return step_fn


beam_sizes = range(1, 21)
lengths = {
    f"alpha = {alpha}": [
        np.mean([len(steps.beam_search(unsure_model(seed), size, alpha, 20)[0][0]) - 1 for seed in range(20)])
        for size in beam_sizes
    ]
    for alpha in (0, 1)
}
print("words with a beam of 1 and of 20, without a length penalty:", lengths["alpha = 0"][0], lengths["alpha = 0"][-1])
plots.learning_curves(
    lengths,
    xlabel="beam size",
    ylabel="words in the best sentence",
    title="The better the search, the shorter the sentence: 20 sources with 7 words each",
)

# %% [markdown]
# With a beam of 16, every sentence is **empty**: END at once. And the search is not to blame. The empty sentence has
# the probability 0.02; a sentence of seven words, each with a probability of a quarter or so, has
# $0.25^7 \cdot 0.7 \approx 0.00004$. The empty sentence *is* the likeliest one. A narrow beam does not find it, because
# END was not among the best few words of the first step. So a bad search hid a fault of the model.
#
# This is no toy problem. Stahlberg and Byrne (2019) searched exactly, with a good Transformer for English and German,
# and found that for more than half of all sentences the likeliest translation is the empty one. And in practice,
# translations get better up to a beam of 4 to 30, depending on the languages, and then **worse** (Koehn and Knowles,
# 2017): the **beam search curse**. One reason is the bias towards short sentences that you see here. Another: the
# longer a search looks, the more odd sentences it finds that the model likes by accident.
#
# The length penalty works against this bias: with $\alpha = 1$ the empty sentence has the score
# $(\log 0.02) / 1 = -3.9$, and the sentence of seven words $(\log 0.00004) / 8 = -1.3$, which is better. Usual values lie
# between 0.6 and 1; on validation data one tries a few. (Wu et al., 2016, divide by $((5 + T)/6)^\alpha$ instead, which is
# gentler to short sentences. The idea is the same.)
#
# > **Think first.** What would go wrong with $\alpha = 3$?
#
# <details>
# <summary>Answer</summary>
#
# $\log p$ grows about like $-T$, so the score is about $-1/T^2$: the longer the better. The search would prefer
# sentences that ramble on to `max_length`.
#
# </details>

# %% [markdown]
# ## 4. Nothing twice: the key/value cache
#
# Your `greedy_decode` handed the model everything that had been written, and took one row of logits from the result.
# To write token number $T$, the decoder computed queries, keys, values and attention for all $T$ positions, of which
# $T - 1$ had been computed in the step before already, $T - 2$ also in the one before that, and so on. (From here on,
# $T$ counts the tokens written so far.)
#
# > **Think first.** Is it the same each time? Could the keys and values of position 3 change when a tenth token is
# > appended?
#
# <details>
# <summary>Answer</summary>
#
# No. In a decoder everything that happens at position 3 depends on the positions up to 3 only: that is what the causal
# mask is for, and what the leak test has shown. So in every layer the vector at position 3, and with it its key and its
# value, stays the same for ever. In an *encoder* it would change: there, every token sees the later ones.
#
# </details>
#
# So remember the keys and values, layer by layer: the **key/value cache**. When a new token comes, compute *its* query,
# key and value alone, put key and value behind those that are there, and attend with one query to all of them:
#
# $$
# \underbrace{q}_{(B,\,H,\,1,\,K)} \quad
# \underbrace{\text{keys}}_{(B,\,H,\,T,\,K)} \quad
# \underbrace{\text{values}}_{(B,\,H,\,T,\,E)}
# \qquad\Longrightarrow\qquad
# \underbrace{\operatorname{softmax}\bigl(q\;\text{keys}^\top / \sqrt K\bigr)\;\text{values}}_{(B,\,H,\,1,\,E)}
# $$
#
# No causal mask is needed for a single new token: all that is in the cache lies in its past. And no query is ever
# remembered, since an old query is never asked again. In the picture, filled cells are scores that are computed in the
# step in which the sixth token is written:

# %% tags=["explore"]
causal = np.tri(6, dtype=bool)
plots.mask_grids(
    {"without a cache": causal, "with a cache": causal & (np.arange(6) == 5)[:, None]},
    [f"query {t}" for t in range(6)],
    [str(s) for s in range(6)],
    title="The step for the sixth token: all of it again, or one new row",
)

# %% [markdown]
# | | without | with a cache |
# | --- | --- | --- |
# | projections for one new token | $T \cdot 4 D^2$ | $4 D^2$ |
# | feed-forward network for one new token, of the usual width $4 D$ | $T \cdot 8 D^2$ | $8 D^2$ |
# | scores and output for one new token | $T^2 \cdot D$ | $T \cdot D$ |
# | scores and output for a whole text grow like | $T^3 \cdot D$ | $T^2 \cdot D$ |
# | numbers to remember in each layer | | $2 \cdot B \cdot T \cdot D$ |
#
# The price is memory. A large language model with 32 layers of width 4096 that has written 4096 tokens keeps
# $2 \cdot 32 \cdot 4096 \cdot 4096$ numbers, in half precision (2 bytes for each number) 2.1 GB, *for one text*. How many texts such a model
# can write at the same time is a question of memory.
#
# Two more things belong to it. The keys and values of the **cross-attention** come from the source and never change at
# all: compute them once. And in a **beam search** each row of the batch is a prefix. After a step, row 0 may go on
# from what was row 2, and so may row 1: then the cache must be put into the same order, or the prefixes will remember
# somebody else's past. This is the classic bug of fast decoders: nothing fails, the sentences are just a little worse.

# %% [markdown]
# ### Exercise 2: the cache of one layer
#
# `np.concatenate([a, b], axis=2)` puts arrays one behind the other along the axis of the positions. `a[rows]` with a
# list of integers takes rows of the first axis, in that order, also one row several times.


# %% exercise="KeyValueCache" forbid=["llmcourse.steps.decoding.KeyValueCache", "llmcourse.decoding.cache.KeyValueCache", "llmcourse.layers.KeyValueCache"]
class KeyValueCache:
    """Remember the keys and values of all positions that one attention layer has seen so far."""

    def __init__(self):
        """Begin with nothing."""
        ### BEGIN SOLUTION
        self.keys = None
        self.values = None
        ### END SOLUTION

    def update(self, key, value):
        """Add new positions behind those that are there.

        Args:
            key: float array (B, H, new, K), the keys of one new position, or of several at once. The caller may write
                something else into its array afterwards; what is remembered must not change by that.
            value: float array (B, H, new, E), their values.

        Returns:
            The keys (B, H, T, K) and the values (B, H, T, E) of all T positions so far, in the order in which they came.
        """
        ### BEGIN SOLUTION
        if self.keys is None:
            self.keys, self.values = np.array(key), np.array(value)
        else:
            self.keys = np.concatenate([self.keys, key], axis=2)
            self.values = np.concatenate([self.values, value], axis=2)
        return self.keys, self.values
        ### END SOLUTION

    def reorder(self, rows):
        """Let row b of the batch go on from what was row rows[b]; it is only called after an update.

        Args:
            rows: list of integers, each from 0 to B-1. A row may occur several times or not at all, and there may be
                more or fewer rows than before.
        """
        ### BEGIN SOLUTION
        self.keys, self.values = self.keys[rows], self.values[rows]
        ### END SOLUTION


# %% check="KeyValueCache"
check("KeyValueCache")

# %% [markdown]
# ### A look at what it did: the same numbers, sooner
#
# One layer of self-attention, width 256, eight heads. First: is it the same? Then the time for one more token, when so
# many are there already.

# %% tags=["explore"]
rng = np.random.default_rng(0)
D, H = 256, 8
w_query, w_key, w_value = rng.normal(size=(3, D, D)) / np.sqrt(D)


def to_heads(x, weights):
    """Project and split: (B, T, D) to (B, H, T, K)."""
    return (x @ weights).reshape(len(x), -1, H, D // H).transpose(0, 2, 1, 3)


def attend(query, keys, values):
    """Attend causally; the last query belongs to the last key."""
    scores = query @ keys.swapaxes(-1, -2) / np.sqrt(keys.shape[-1])  # (B, H, T, S)
    queries, total = scores.shape[-2:]
    if queries > 1:
        scores = np.where(np.tri(queries, total, total - queries, dtype=bool), scores, -np.inf)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True) @ values


def all_again(x):
    """Compute the attention of the last position from the vectors of all positions: (B, T, D) to (B, H, 1, K)."""
    return attend(to_heads(x, w_query), to_heads(x, w_key), to_heads(x, w_value))[:, :, -1:]


def one_more(x, cache):
    """Compute the same from the last vector alone, and from what the cache remembers."""
    new = x[:, -1:]
    return attend(to_heads(new, w_query), *cache.update(to_heads(new, w_key), to_heads(new, w_value)))


x = rng.normal(size=(1, 12, D))
cache = steps.KeyValueCache()  # put your own KeyValueCache here
same = [np.allclose(all_again(x[:, :t]), one_more(x[:, :t], cache)) for t in range(1, 13)]
print("12 tokens one by one, each the same as without a cache:", all(same))


# %% tags=["explore", "nbval-ignore-output"]
def token_times(step, tokens=320):
    """Measure how many milliseconds the attention of each further token takes: (T,)."""
    x, taken = rng.normal(size=(1, tokens, D)), []
    for t in range(1, tokens + 1):
        start = time.perf_counter()
        step(x[:, :t])
        taken.append(1000 * (time.perf_counter() - start))
    return np.array(taken)


def fastest(make_step, repeats=3):
    """Repeat the measurement from the beginning, take the fastest time of each token, and the median of neighbours."""
    times = np.min([token_times(make_step()) for _ in range(repeats)], axis=0)
    return np.array([np.median(times[max(0, t - 7) : t + 8]) for t in range(len(times))])


def with_cache():
    """Begin with an empty cache."""
    cache = steps.KeyValueCache()
    return lambda x: one_more(x, cache)


milliseconds = {"without a cache": fastest(lambda: all_again), "with a cache": fastest(with_cache)}
print(
    "320 tokens, with a cache at least five times as fast:",
    5 * milliseconds["with a cache"].sum() < milliseconds["without a cache"].sum(),
)
plots.token_times(milliseconds, title="Without a cache, each token takes longer than the one before")

# %% [markdown]
# ### Your `greedy_decode`, with the cache
#
# One attention layer is not yet a translator. In your `greedy_decode` the model was one function, and each step handed
# it the source and all that had been written. Now the model is two functions:
#
# - `read_source(source)` reads the sentences once and returns the **caches**: the keys and values of the source, and
#   an empty `KeyValueCache` for each layer of the decoder.
# - `score_next(tokens, position, caches)` takes the newest token of each sentence, $(B, 1)$, and returns the logits of
#   the next one, $(B, V)$, and the caches, to which the new keys and values have been added. Who gets only one token
#   cannot count how many came before, so `position` says where it stands: START at 0, the first word at 1.
#
# Which arrays the caches are made of does not matter to the loop: it hands on what it was given.
#
# > **Think first.** Some sentences of the batch end early. Their rows still go through the model, with a PAD or some
# > other token, and their caches fill up with its keys and values. Does that disturb the other sentences?
#
# <details>
# <summary>Answer</summary>
#
# No. Attention mixes positions, never rows of the batch. What is computed for a sentence behind its END is thrown
# away. It costs time, however: the package takes finished sentences out of the batch when they are half of it.
#
# </details>
#
# ### Exercise 3: greedy decoding with the cache
#
# Take your `greedy_decode` from the lesson *The Transformer*, if you like; most of it stays. The tokens that are
# written must stay the same, too.


# %% exercise="greedy_decode_cached" forbid=["llmcourse.steps.decoding.greedy_decode_cached", "llmcourse.decoding.greedy_decode", "llmcourse.decoding.search.greedy_decode", "llmcourse.decoding.search.write_targets"]
def greedy_decode_cached(read_source, score_next, source, max_length):
    """Write each target token by token, and give the model only the newest token of each sentence.

    The sentences are read once, and score_next is called once in each step, for all sentences together. When all of
    them have ended, it is not called any more.

    Args:
        read_source: function of the source (B, S) that returns fresh caches for these sentences.
        score_next: function of the newest tokens, integers (B, 1), of their position, an integer that is 0 for START,
            and of the caches; it returns the logits of the next token, (B, V), and the caches for the next step.
        source: integers (B, S), 0 is padding; it stays as it is.
        max_length: integer, at least 1, the largest number of tokens after START, END included.

    Returns:
        Integers (B, max_length): the tokens after START (2), up to and with END (3), then PAD (0). A sentence that has
        not ended after max_length tokens has no END.
    """
    ### BEGIN SOLUTION
    target = np.zeros((len(source), max_length + 1), dtype="int32")
    target[:, 0] = 2
    finished = np.zeros(len(source), dtype=bool)
    caches = read_source(source)
    for position in range(max_length):
        newest = target[:, position, None]  # (B, 1)
        logits, caches = score_next(newest, position, caches)  # (B, V)
        target[:, position + 1] = np.where(finished, 0, np.argmax(logits, axis=-1))
        finished |= target[:, position + 1] == 3
        if finished.all():
            break
    return target[:, 1:]
    ### END SOLUTION


# %% check="greedy_decode_cached"
check("greedy_decode_cached")

# %% [markdown]
# ### A look at what it did: a real translator writes with your cache
#
# The package contains a Transformer with three encoder and three decoder layers, which was trained on English and
# Chinese sentences. Its decoder takes any cache with your method `update`. So we put it together: your loop, your cache,
# the real model. Of the package's model we use two methods: `decoder.project_memory(memory)` computes the keys and values of
# the source for each decoder layer, once; `decode_next(tokens, position, ...)` passes only the newest tokens through the
# decoder, and each layer hands their keys and values to the `update` of its cache. Without a cache it would be the same loop, with caches that remember nothing but the tokens
# themselves and pass all of them through the decoder again.

# %% tags=["explore"]
decode, Cache = steps.greedy_decode_cached, steps.KeyValueCache  # put your own two here
model, tokenizer, _ = load_translator()
sentences = list(load_pairs("phrases", target="zh").test.sources)


def read_source(source):
    """Encode the sentences, project them to keys and values for each decoder layer, and begin with empty caches."""
    memory = model.decoder.project_memory(model.encode(source))
    return memory, padding_mask(source), [Cache() for _ in memory]


def score_next(tokens, position, caches):
    """Pass the newest tokens through the decoder; the cache of each layer takes in their keys and values."""
    memory, memory_mask, layers = caches
    logits = model.decode_next(tokens, position, memory, layers, mask=None, memory_mask=memory_mask)  # (B, 1, V)
    return logits[:, 0], caches


def read_only(source):
    """Encode and project the sentences in the same way; nothing is written yet."""
    return source, model.decoder.project_memory(model.encode(source)), np.zeros((len(source), 0), dtype="int32")


def score_all_again(tokens, position, caches):
    """Pass everything that has been written through the decoder once more."""
    source, memory, written = caches
    written = np.concatenate([written, tokens], axis=1)  # (B, T)
    return model.decode(written, memory, source)[:, -1], (source, memory, written)


source = tokenizer.encode_batch(sentences[:5], 40)
with_cache, without = (
    decode(*functions, source, 30) for functions in ((read_source, score_next), (read_only, score_all_again))
)
for sentence, ids in zip(sentences, with_cache.tolist(), strict=False):
    print(f"{sentence}  ->  {tokenizer.decode(ids)}")
print("token for token the same without a cache:", np.array_equal(with_cache, without))
print("and the same as the package writes:", np.array_equal(with_cache, greedy_decode(model, source, 30)))

# %% [markdown]
# Now the time. We translate 256 sentences together, so that not all of it goes to Python. END is forbidden, so that all
# of them go on to the last token, and we look at the clock after each one, from the moment when the source has been read.
#
# > **Think first.** How does the time grow with the length? Twice as many tokens: how many times as long does it take
# > with the cache, and how many times as long without? Is there something in a step that the cache does not save?
#
# <details>
# <summary>Answer</summary>
#
# With the cache each step passes one token of each sentence through the decoder: twice as many tokens take twice as
# long, and the curve is nearly a straight line. (The new query looks at ever more keys, but for short texts that is
# little beside the projections.) Without it, step $T$ passes $T$ tokens through, and $T$ steps together
# $1 + 2 + \dots + T = T(T + 1)/2$: twice as many tokens come to four times the work.
#
# But a step also has a price that does not depend on $T$: Python calls some hundreds of small operations one after the
# other. So at the beginning both curves rise alike, and only where arithmetic takes most of the time does the one
# without a cache bend upwards. The larger the model and the batch, the sooner it does.
#
# </details>


# %% tags=["explore", "nbval-ignore-output"]
def clock(read, score, source, length):
    """Write exactly so many tokens, and measure after how many seconds each of them was there: (length,)."""
    seconds = []

    def read_and_start(source):
        caches = read(source)
        seconds.append(time.perf_counter())
        return caches

    def score_without_end(tokens, position, caches):
        logits, caches = score(tokens, position, caches)
        logits = np.where(np.arange(logits.shape[-1]) == 3, -np.inf, logits)
        seconds.append(time.perf_counter())
        return logits, caches

    decode(read_and_start, score_without_end, source, length)
    return np.array(seconds[1:]) - seconds[0]


source, length = tokenizer.encode_batch(sentences[:256], 40), 24
seconds = {
    "without a cache": clock(read_only, score_all_again, source, length),
    "with a cache": clock(read_source, score_next, source, length),
}
print(
    f"tokens of each sentence that go through the decoder: {length} with a cache, {length * (length + 1) // 2} without"
)
for name, times in seconds.items():
    marks = ", ".join(f"{times[count - 1]:.1f} s for {count}" for count in (6, 12, 24))
    print(
        f"{name}: {marks} tokens; the second half takes {(times[23] - times[11]) / times[11]:.1f} times as long as the first"
    )
print(f"with a cache it is {seconds['without a cache'][-1] / seconds['with a cache'][-1]:.1f} times as fast")
plots.learning_curves(
    seconds,
    xlabel="tokens written",
    ylabel="seconds",
    title="The real model: a straight line with a cache, a curve that bends upwards without",
)

# %% [markdown]
# If every step cost the same, the second half of the text would take as long as the first: a ratio of 1. If all of the
# time were arithmetic, the second half would take 2.8 times as long without a cache ($13 + \dots + 24$ tokens against
# $1 + \dots + 12$). Where do your two numbers lie? This text is short and the model small. Large language models write
# thousands of tokens, and nobody runs them without a cache.
#
# **Common mistakes**
#
# - Concatenating along the wrong axis. Along the heads, the batch or the width the shapes fit as well.
# - The list of remembered arrays as a class attribute, or as a default argument: all layers then share one cache.
# - A cache that survives the sentence. Begin each source with a fresh one.
# - With a cache, the new token stands at position $T - 1$ and not at position 0. Add the right positional encoding.

# %% [markdown]
# ## 5. Drawing instead of searching
#
# For a translation there are few right answers, and the likeliest sentence is a good bet. For a story, a dialogue, a
# poem, it is not: the likeliest text is the dullest one, and long texts found by search end in loops ("I don't know. I
# don't know. I don't know."; Holtzman et al., 2020). People do not say the likeliest thing all the time. So one
# **draws** the next token by chance, with the probabilities of the model: likely ones often, unlikely ones rarely.
#
# Two knobs tame the chance.
#
# **Temperature** $\tau$. Divide the logits $z$ by it before the softmax:
#
# $$
# p_v = \frac{e^{z_v/\tau}}{\sum_{u} e^{z_u/\tau}}
# $$
#
# | | $z = 2$ | $z = 1$ | $z = 0$ | |
# | --- | ---: | ---: | ---: | --- |
# | $\tau = 0.5$ | 0.87 | 0.12 | 0.02 | cold: the favourite nearly always |
# | $\tau = 1$ | 0.67 | 0.24 | 0.09 | as the model says |
# | $\tau = 2$ | 0.51 | 0.31 | 0.19 | hot: nearly everything is possible |
#
# For $\tau \to 0$ only the largest logit is left: greedy decoding, and that is what we let $\tau = 0$ mean. For
# $\tau \to \infty$ all tokens become equally likely.
#
# **Top-k.** A vocabulary has thousands of tokens that do not fit at all. Each has a tiny probability, but together they
# have some percent, and one of them in every sentence ruins it. So only the $k$ tokens with the largest logits may be
# drawn. The others get probability 0, and the probabilities of those that are left are scaled up so that they sum to 1
# again. (*Top-p*, or nucleus sampling, cuts where the likeliest tokens together have reached a share $p$. The same
# idea, with a limit that moves.)
#
# In the picture, `steps.distribution(logits, temperature, top_k)` gives the probabilities with which `sample`, your next
# exercise, will draw.

# %% tags=["explore"]
guesses = ["sorry", "sad", "unwell", "late", "lost", "Napoleon"]
logits = np.array([3.0, 2.0, 1.3, 0.8, 0.2, -1.5])
panels = {f"temperature {tau}": steps.distribution(logits, tau) for tau in (0.5, 1.0, 2.0)}
panels["temperature 1.0, top 3"] = steps.distribution(logits, 1.0, top_k=3)
plots.token_distributions(
    guesses, panels, ylabel="I am ...", title="What temperature and top-k make of the same logits"
)

# %% [markdown]
# ### Exercise 4: draw the next token
#
# `rng = np.random.default_rng(seed)` makes a generator, and `rng.choice(V, p=probabilities)` draws one number from 0 to
# $V - 1$. The probabilities must sum to 1. Use one generator for all rows, so that each row has luck of its own.
#
# Beware of large logits: subtract the maximum of each row first, as in every softmax. For the $k$ largest entries of
# each row, `np.sort(logits, axis=1)` sorts the rows, smallest first. A logit of $-\infty$ means that the token is
# impossible; no row is without a possible one. (No two finite logits of a row will be equal.)


# %% exercise="sample" forbid=["llmcourse.steps.decoding.sample", "llmcourse.steps.decoding.distribution", "llmcourse.decoding.sample", "llmcourse.decoding.sample_decode", "keras.random.categorical", "tensorflow.random.categorical"]
def sample(logits, temperature, top_k, seed):
    """Draw one token for each row of logits.

    Args:
        logits: float array (B, V); it stays as it is. A logit may be -inf, which means impossible; at least one of each
            row is finite.
        temperature: number, 0 or more; the logits are divided by it, and 0 means: take the largest one.
        top_k: integer, at least 1: only the top_k largest logits of each row may be drawn (all, if V is not larger);
            None means all.
        seed: integer; equal seeds give equal tokens.

    Returns:
        Integer array (B,), one token for each row.
    """
    ### BEGIN SOLUTION
    if temperature == 0:
        return logits.argmax(axis=1)
    shifted = logits - logits.max(axis=1, keepdims=True)  # (B, V)
    if top_k is not None and top_k < logits.shape[1]:
        least = np.sort(shifted, axis=1)[:, -top_k][:, None]  # (B, 1), the smallest one that may be drawn
        shifted = np.where(shifted >= least, shifted, -np.inf)
    odds = np.exp(shifted / temperature)
    probabilities = odds / odds.sum(axis=1, keepdims=True)
    rng = np.random.default_rng(seed)
    return np.array([rng.choice(len(row), p=row) for row in probabilities])
    ### END SOLUTION


# %% check="sample"
check("sample")

# %% [markdown]
# ### A look at what it did: one model, three moods
#
# We draw fifty translations from our little table, word by word, at three temperatures, and list the five most
# frequent. (Logarithms of probabilities serve as logits: softmax turns them back into the probabilities.)
#
# > **Predict, then run.** At which temperature does *it hurts me*, the answer of greedy decoding, come most often? And will
# > *sorry*, one word of probability 0.09, come more often or less when it gets hotter?


# %% tags=["explore"]
def draw_sentence(temperature, seed):
    """Draw one sentence from the table, word by word."""
    written = [2]
    while written[-1] != 3 and len(written) < 10:
        token = steps.sample(next_word([written]), temperature, None, seed=100 * seed + len(written))
        written.append(int(token[0]))
    return text(written)


for temperature in (0.3, 1.0, 3.0):
    drawn = Counter(draw_sentence(temperature, seed) for seed in range(50))
    print(f"temperature {temperature}:", ", ".join(f"{count} x {words}" for words, count in drawn.most_common(5)))

# %% [markdown]
# In the limit of cold, the drawing is greedy decoding, short sight included: at temperature 0.1 *it hurts me* comes seven
# times as often as *I am sorry*. The hotter, the more alike are the chances of all *next words* that are possible at all, good
# and bad ones. (Sentences do not become alike: a long one needs many draws in its favour. The cell below has the exact
# numbers.) At temperature 1 each sentence comes as often as the model says: *I am
# sorry* in 29 % of all draws, in the long run.


# %% tags=["explore"]
def probability(words, temperature):
    """Compute how often a sentence comes at a temperature, exactly."""
    ids, result = [2, *(WORDS.index(word) for word in words.split()), 3], 1.0
    for place in range(1, len(ids)):
        odds = TABLE[ids[place - 1]] ** (1 / temperature)  # softmax(log p / temperature) is this, scaled to sum 1
        result *= odds[ids[place]] / odds.sum()
    return result


for words in ("it hurts me", "I am sorry", "sorry", "it does me sorry"):
    chances = [probability(words, temperature) for temperature in (0.1, 0.3, 1.0, 3.0)]
    print(f"{words:18s}" + "".join(f"{chance:8.3f}" for chance in chances), "  at temperature 0.1, 0.3, 1 and 3")

# %% [markdown]
# **Common mistakes**
#
# - Multiplying by the temperature, or dividing the *probabilities* by it: they are scaled back to the same numbers.
# - Top-k over the whole batch instead of row by row.
# - Not scaling up what is left after top-k. (NumPy complains. Not every library does.)
# - A new generator with the same seed for every row or every step: everybody then has the same luck.

# %% [markdown]
# ## 6. How good is a translation? Counting n-grams
#
# You changed the search, or the model. Is it better now? To ask people is slow and dear, so one compares with
# **references**, translations by people, on a test set of a thousand or more sentences. Our **hypotheses** are what the
# model wrote. But a hypothesis is almost never *equal* to its reference. So count what they have in common.
#
# An **n-gram** is a run of $n$ tokens. In "half past six" there are three 1-grams, two 2-grams (*half past*, *past
# six*) and one 3-gram. A sentence of $m$ tokens has $m - n + 1$ n-grams (none, if that is less than 1). The **n-gram
# precision** is the share of the n-grams of the hypotheses that occur in their references:

# %% tags=["explore"]
reference = "the train to the airport leaves at half past six"
hypothesis = "the train leaves the airport at half past six"
plots.ngram_matches(hypothesis, reference)

# %% [markdown]
# All nine words are right, $p_1 = 9/9$. Of the runs of two, five occur in the reference: $p_2 = 5/8$. Then $p_3 = 2/7$
# and $p_4 = 1/6$. The longer runs notice that the order is wrong.
#
# Two rules make it a fair count (Papineni et al., 2002):
#
# - **Clipping.** The hypothesis "the the the the" has four words, and all of them occur in the reference above. Four of
#   four? No: the reference has *the* only twice, so two of the four are counted and two are not. An n-gram is counted
#   as often as it occurs in the hypothesis, but at most as often as it occurs in *its* reference. The smaller of the
#   two counts decides.
# - **One fraction for all.** Do not average over sentences. Add up the matches of the whole test set, add up the
#   n-grams of all hypotheses, and divide once:
#
# $$
# p_n = \frac
# {\sum_{\text{sentences}} \;\sum_{g} \min\bigl(\text{count}_{\text{hyp}}(g),\; \text{count}_{\text{ref}}(g)\bigr)}
# {\sum_{\text{sentences}} \;\sum_{g} \text{count}_{\text{hyp}}(g)}
# \qquad g \text{ runs over the n-grams of the hypothesis}
# $$
#
# A sentence of three tokens has no 4-gram and simply does not take part in $p_4$.
#
# ### Exercise 5: n-gram precisions
#
# `collections.Counter(items)` counts equal items. `c["x"]` is the count of "x", and 0 if there is none; `c & d` is a
# Counter with the smaller count of each item; `c.total()` is the sum of all counts. Items can be tuples of words, such
# as `tuple(tokens[0:3])`. Split sentences with `sentence.split()`, at any white space, and change nothing in the
# tokens: *May* and *may* are two different ones, and so are *six* and *six!*.


# %% exercise="ngram_precisions" forbid=["llmcourse.steps.decoding.ngram_precisions", "llmcourse.steps.decoding.ngrams", "sacrebleu.corpus_bleu", "sacrebleu.sentence_bleu", "sacrebleu.metrics.BLEU", "sacrebleu.metrics.helpers.extract_all_word_ngrams", "sacrebleu.metrics.helpers.extract_word_ngrams", "nltk.translate.bleu_score.modified_precision", "nltk.translate.bleu_score.corpus_bleu"]
def ngram_precisions(hypotheses, references, max_n):
    """Compute which share of the n-grams of the hypotheses occurs in their references, for n from 1 to max_n.

    Args:
        hypotheses: list of strings, tokens separated by white space.
        references: list of strings, one for each hypothesis.
        max_n: integer, the longest n-grams to count.

    Returns:
        List of max_n floats from 0 to 1: p_1, p_2, ..., clipped and counted over all sentences together; 0.0 where the
        hypotheses have no such n-gram at all.
    """
    ### BEGIN SOLUTION
    from collections import Counter

    def ngrams(sentence, n):
        tokens = sentence.split()
        return Counter(tuple(tokens[start : start + n]) for start in range(len(tokens) - n + 1))

    precisions = []
    for n in range(1, max_n + 1):
        matches = total = 0
        for hypothesis, reference in zip(hypotheses, references, strict=True):
            found = ngrams(hypothesis, n)
            matches += (found & ngrams(reference, n)).total()
            total += found.total()
        precisions.append(matches / total if total else 0.0)
    return precisions
    ### END SOLUTION


# %% check="ngram_precisions"
check("ngram_precisions")

# %% [markdown]
# **Common mistakes**
#
# - Dividing by the n-grams of the reference: that is *recall*.
# - The set of all n-grams instead of their counts: then a word that is repeated is counted once, in both.
# - `range(len(tokens) - n)`: the last n-gram is missing.
# - One pot for all sentences. A word of sentence 1 must not be found in the reference of sentence 2.

# %% [markdown]
# ## 7. BLEU
#
# **BLEU** (bilingual evaluation understudy) puts four precisions into one number, by their **geometric mean**
# $(p_1\, p_2\, p_3\, p_4)^{1/4}$. The geometric mean is strict: if one of the four is 0, it is 0.
#
# Precision alone can be cheated. The hypothesis "at half past six" has $p_1 = p_2 = p_3 = p_4 = 1$, because it dares
# to say hardly anything. So whoever writes too little pays the **brevity penalty**. With $c$ the number of tokens in
# *all* hypotheses and $r$ the number in *all* references:
#
# $$
# \text{BP} = \begin{cases} 1 & c \ge r \\ e^{\,1 - r/c} & c < r \end{cases}
# \qquad\qquad
# \boxed{\;\text{BLEU} = 100 \cdot \text{BP} \cdot \Bigl(\prod_{n=1}^{4} p_n\Bigr)^{1/4}
# = 100 \cdot \text{BP} \cdot \exp\Bigl(\frac14 \sum_{n=1}^{4} \log p_n\Bigr)\;}
# $$
#
# There is no reward for writing too much; but then the precisions suffer by themselves.
#
# For our train: $(1 \cdot \tfrac58 \cdot \tfrac27 \cdot \tfrac16)^{1/4} = 0.415$; nine tokens against ten give
# $\text{BP} = e^{1 - 10/9} = 0.895$; BLEU is 37.2. (Good systems reach 25 to 45 on news, depending on the languages. A
# second human translator is far from 100, too.)
#
# ### Exercise 6: BLEU
#
# You may use your `ngram_precisions` or `steps.ngram_precisions`. Do not take the logarithm of 0: if one of the four
# precisions is 0, BLEU is 0. If there are not as many references as hypotheses, raise a `ValueError`: somebody has lost
# a line, and every score from there on would compare a sentence with its neighbour.


# %% exercise="corpus_bleu" forbid=["llmcourse.steps.decoding.corpus_bleu", "sacrebleu.corpus_bleu", "sacrebleu.compat.corpus_bleu", "sacrebleu.metrics.BLEU", "sacrebleu.metrics.bleu.BLEU", "nltk.translate.bleu_score.corpus_bleu"]
def corpus_bleu(hypotheses, references):
    """Compute BLEU of a whole test set: n-grams up to 4, no smoothing.

    Args:
        hypotheses: list of strings, tokens separated by white space.
        references: list of strings, one for each hypothesis.

    Returns:
        Float from 0 to 100.

    Raises:
        ValueError: there are not as many references as hypotheses.
    """
    ### BEGIN SOLUTION
    if len(hypotheses) != len(references):
        raise ValueError(f"Give one reference for each hypothesis. Received: {len(hypotheses)} and {len(references)}.")
    precisions = np.array(steps.ngram_precisions(hypotheses, references, 4))
    if precisions.min() == 0:
        return 0.0
    written = sum(len(hypothesis.split()) for hypothesis in hypotheses)
    wanted = sum(len(reference.split()) for reference in references)
    brevity = 1.0 if written >= wanted else np.exp(1 - wanted / written)
    return float(100 * brevity * np.exp(np.log(precisions).mean()))
    ### END SOLUTION


# %% check="corpus_bleu"
check("corpus_bleu")

# %% [markdown]
# ### A look at what it did: the same as the standard tool
#
# Papers compute BLEU with `sacrebleu` (Post, 2018). Here is a small test set. `tokenize="none"` tells sacrebleu to
# leave the tokens as they are, `smooth_method="none"` to leave a precision of 0 as it is.

# %% tags=["explore"]
references = [
    "the train to the airport leaves at half past six",
    "there is a small bakery behind the old church",
    "could you tell me where the nearest pharmacy is ?",
    "my brother has been learning chinese for two years",
    "it was so cold that the lake froze",
    "thank you very much",
]
hypotheses = [
    "the train leaves the airport at half past six",
    "there is a small bakery behind the old church",
    "can you tell me where is the next pharmacy ?",
    "my brother learns chinese since two years",
    "it was so cold that the sea froze over",
    "many thanks",
]
ours = steps.corpus_bleu(hypotheses, references)  # put your own corpus_bleu here
theirs = sacrebleu.BLEU(tokenize="none", smooth_method="none").corpus_score(hypotheses, [references]).score
print(f"ours {ours:.2f}, sacrebleu {theirs:.2f}")

# %% [markdown]
# ### The BLEU of a corpus is not the mean of its sentences

# %% tags=["explore"]
each = [steps.corpus_bleu([one], [other]) for one, other in zip(hypotheses, references, strict=True)]
print("sentence by sentence:", [round(score) for score in each])
print(f"mean of the sentences: {np.mean(each):.1f}   BLEU of the corpus: {ours:.1f}")

# %% [markdown]
# Two of the six sentences have no 4-gram right and score 0, although "many thanks" is a fine translation. A perfect
# translation scores 100 if it has at least four tokens, and 0 if it has fewer, since there is no 4-gram to be right.
# The mean of such numbers depends on luck with single words. The corpus score adds up the *counts* first: a sentence
# without a 4-gram just adds nothing to $p_4$, and long sentences weigh more than short ones. That is how the score was
# meant, and how all published numbers are made. For single sentences, one replaces the zeros by something small
# (*smoothing*), but a BLEU of one sentence means little in any case.

# %% [markdown]
# ## 8. What the scores do not see
#
# BLEU compares words, not meanings. **chrF** (Popović, 2015) is a younger score that counts runs of one to six
# *characters* and takes precision and recall together. So *learns* and *learning* have much in common, where BLEU sees
# two different words. It is also from 0 to 100. Look at five hypotheses:

# %% tags=["explore"]
cases = [
    ("paraphrase", "we begin tomorrow at 9 a.m.", "the meeting starts at nine o'clock tomorrow"),
    ("synonyms", "a tiny boat lay beside the pier", "a small boat was next to the jetty"),
    ("the opposite", "the shop is open on sunday afternoon", "the shop is not open on sunday afternoon"),
    ("wrong number", "take one pill four times a day with water", "take four pills one time a day with water"),
    (
        "who bit whom",
        "yesterday the dog of our neighbour bit the postman",
        "yesterday the postman bit the dog of our neighbour",
    ),
]
bleu, chrf = sacrebleu.BLEU(tokenize="none", smooth_method="none"), sacrebleu.CHRF()
print(f"{'':14s}BLEU  chrF")
for name, hypothesis, reference in cases:
    scores = [metric.corpus_score([hypothesis], [[reference]]).score for metric in (bleu, chrf)]
    print(f"{name:13s}{scores[0]:5.0f} {scores[1]:5.0f}   {hypothesis}  <-  {reference}")

# %% [markdown]
# The good translations get the low scores and the dangerous ones the high scores. A missing *not* costs
# one word. Over a thousand sentences such cases average out to some extent, and BLEU does tell a good system from a bad
# one. But it cannot tell two good systems apart, and it says nothing about a single sentence. Three habits follow:
#
# - **Read.** Twenty translations beside their sources, every time. Count additions, omissions, wrong numbers,
#   negations.
# - **Do not trust small differences.** On a thousand sentences, half a point is noise. Draw test sets from the test set
#   (*bootstrap*; Koehn, 2004) and see how far the score moves by itself; `sacrebleu --confidence` does it.
# - **Use a second, different score.** chrF for languages with rich endings or without spaces. Learned scores such as
#   COMET compare meanings with the help of a language model and agree better with people, but have blind spots too.
#
# ### Which BLEU?
#
# BLEU counts tokens; so it depends on what a token is. The same translation, the same reference, four ways of cutting
# text into tokens:

# %% tags=["explore"]
raw_references = [
    'She said: "It isn\'t far, about 3.5 km."',
    "Dr. Meier's well-known book (2nd edition) costs $20.",
    "Wait, don't open the door!",
]
raw_hypotheses = [
    'She said: "It\'s not far, about 3.5 km."',
    "The well-known book of Dr. Meier (2nd edition) costs $20!",
    "Wait, do not open the door!",
]
for tokenizer in ("none", "13a", "intl", "char"):
    metric = sacrebleu.BLEU(tokenize=tokenizer)
    score = metric.corpus_score(raw_hypotheses, [raw_references]).score
    signature = str(metric.get_signature()).rsplit("|version", 1)[0]  # the version is left out here, for brevity
    print(f"BLEU {score:.1f}   {signature}")

# %% [markdown]
# The *signature* on the right says how a score was made. Look at `tok`:
#
# - `none` cuts at white space only, so `km."` and `km` are different words. It is meant for text that has been cut into
#   tokens already, as in our exercise.
# - `13a` and `intl` cut off punctuation, each by rules of its own. `13a` is the standard for European languages.
# - `char` takes each character as a token. For Chinese, which writes no spaces, there is `zh`, which does this for
#   Chinese characters only. A Chinese sentence cut at white space is *one* token without a single 2-gram, and its BLEU
#   is 0, even for a perfect translation.
#
# None of these numbers is wrong, but they must not be compared with each other. For years papers did just that: each
# group cut, lower-cased and cleaned in its own way, and differences of up to 1.8 points, often larger than the progress
# that was claimed, came from the scissors and not from the model (Post, 2018). Since then one gives the **untokenised**
# output to sacrebleu and reports its **signature** with the score: number of references, case, tokenizer, smoothing,
# version. A BLEU without its signature is half a number.

# %% [markdown]
# ### Back to the beam
#
# Now we have all that is needed for the question of part 3, with a translator that is real.

# The package contains a small Transformer that was trained on sentences from Tatoeba, English to Chinese. We let it
# translate 150 sentences, with beams from 1 to 16, with and without a length penalty. The sentences are from `phrases`,
# so they are not of the kind that it was trained on, and the score is modest. That is no obstacle: we compare it with
# itself. The reference and all settings stay the same, and the tokenizer is `zh`.

# %% tags=["explore", "nbval-ignore-output"]
model, tokenizer, _ = load_translator()
translator = Translator(model, tokenizer)
test = load_pairs("phrases", target="zh").test
sources, targets = list(test.sources[:150]), list(test.targets[:150])
metric, sizes = sacrebleu.BLEU(tokenize="zh"), [1, 2, 4, 8, 16]
translations = {
    (alpha, size): translator.translate(sources, beam_size=size, alpha=alpha) for alpha in (0.0, 1.0) for size in sizes
}
scores = {
    f"alpha = {alpha:g}": [metric.corpus_score(translations[alpha, size], [targets]).score for size in sizes]
    for alpha in (0.0, 1.0)
}
plots.bleu_by_beam_size(sizes, scores, title="BLEU of the packaged translator on 150 sentences")

# %% tags=["explore", "nbval-ignore-output"]
for alpha in (0.0, 1.0):
    lengths = [np.mean([len(line) for line in translations[alpha, size]]) for size in sizes]
    print(
        f"alpha = {alpha:g}: mean characters for beams of", dict(zip(sizes, np.round(lengths, 1).tolist(), strict=True))
    )
print("the references:", np.round(np.mean([len(line) for line in targets]), 1))
changed_lines = [n for n in range(150) if translations[1.0, 1][n] != translations[1.0, 4][n]]
print("lines in which a beam of 4 differs from greedy decoding:", len(changed_lines))
for n in changed_lines[:5]:
    print(
        f"\n{sources[n]}\n  greedy   {translations[1.0, 1][n]}\n  beam 4   {translations[1.0, 4][n]}\n  reference {targets[n]}"
    )

# %% [markdown]
# > **Think first.** Read the lines above, even if you read no Chinese: are the two translations far apart, or do they
# > differ in a word? And how many of your lines would have to change before you believe a difference in BLEU?
#
# <details>
# <summary>Answer</summary>
#
# Some differ in a word or two; in some, more than half of the characters are others, because an early choice changes all
# that follows. The numbers are printed below. And 150 short sentences are few: a point of BLEU up or down is well within
# chance, as the next cell shows. So do not read a story into a small bend of a curve. Look at *which lines* have changed.
#
# </details>

# %% [markdown]
# ### Is it luck? Test sets drawn from the test set
#
# Greedy decoding and a beam of 4 differ by about a point of BLEU on 150 sentences. Would they on another 150? We have no others, but we can
# *draw* from those we have: 150 sentences at random, with repetition, and both scores on the **same** drawn sentences. Do
# this many times, and look at the differences. This is the **paired bootstrap** (Koehn, 2004). If nearly all differences
# have the same sign, it is hardly luck.
#
# > **Predict, then run.** In which share of the drawn test sets is the beam of 4 better than greedy decoding?


# %% tags=["explore", "nbval-ignore-output"]
def edit_distance(first, second):
    """Count the characters that must be put in, left out or exchanged (Levenshtein, 1966)."""
    row = np.arange(len(second) + 1)
    for place, letter in enumerate(first, start=1):
        exchanged = np.append(place, row[:-1] + (np.array(list(second)) != letter))
        row = np.minimum(np.append(place, row[1:] + 1), exchanged)
        row = np.minimum.accumulate(row - np.arange(len(row))) + np.arange(len(row))
    return int(row[-1])


greedy, beam = translations[1.0, 1], translations[1.0, 4]
changes = [(edit_distance(greedy[n], beam[n]), len(beam[n])) for n in changed_lines]
far = np.mean([changed > length / 2 for changed, length in changes])
middle, length = (int(np.median(column)) for column in zip(*changes, strict=True))
print(
    f"changed lines: a median of {middle} other characters in {length}; more than half are others in {far:.0%} of them"
)

rng, differences = np.random.default_rng(0), []
for _ in range(200):
    rows = rng.integers(150, size=150)
    wanted = [[targets[n] for n in rows]]
    of_both = [metric.corpus_score([lines[n] for n in rows], wanted).score for lines in (greedy, beam)]
    differences.append(of_both[1] - of_both[0])
low, high = np.percentile(differences, [2.5, 97.5])
print(f"the beam of 4 is better in {np.mean(np.array(differences) > 0):.0%} of 200 drawn test sets")
print(f"95 % of the differences lie between {low:+.1f} and {high:+.1f} points of BLEU")

# %% [markdown]
# If 0 lies between the two last numbers, you must not say that one search is better than the other, however nice the curve
# looks. This costs a few lines and some seconds, and would have saved many a paper.

# %% [markdown]
# ## What to take with you
#
# - A model gives probabilities; search or chance makes a sentence of them. Add logarithms.
# - Beam search keeps the $k$ best of *all* candidates, sets finished sentences aside, and compares lengths fairly:
#   $\log p / T^\alpha$. Beam 1 is greedy.
# - A wider beam finds likelier sentences, not better ones. The likeliest one may be empty.
# - Keys and values of earlier positions never change in a causal model. Remember them; reorder them with the beam.
# - Translate by search, chat by chance. Temperature divides the logits; top-k cuts off the tail.
# - BLEU: clipped n-gram precisions of the whole corpus, geometric mean, brevity penalty. Not the mean of sentences.
# - Scores compare words. Report the signature, distrust half a point, and read the translations.
#
# `check.progress()` shows your points. This was the last lesson. You began with a neuron, and every part between it and
# a translated sentence you have now written yourself.
#
# ### Further reading
#
# - A. Graves (2012): Sequence transduction with recurrent neural networks. arXiv:1211.3711. Section 2.5: beam search.
# - Y. Wu et al. (2016): Google's neural machine translation system. arXiv:1609.08144. Section 7: length and coverage.
# - P. Koehn (2004): Statistical significance tests for machine translation evaluation. *EMNLP*, 388–395. The paired
#   bootstrap.
# - P. Koehn and R. Knowles (2017): Six challenges for neural machine translation. *Workshop on Neural Machine
#   Translation*, 28–39. Section 3.6: wide beams make it worse.
# - F. Stahlberg and B. Byrne (2019): On NMT search errors and model errors: Cat got your tongue? *EMNLP*, 3356–3362.
#   The empty translation.
# - C. Meister, R. Cotterell and T. Vieira (2020): If beam search is the answer, what was the question? *EMNLP*,
#   2173–2185. Why a bad search is good.
# - A. Holtzman, J. Buys, L. Du, M. Forbes and Y. Choi (2020): The curious case of neural text degeneration. *ICLR*.
#   Loops, and nucleus sampling.
# - A. Fan, M. Lewis and Y. Dauphin (2018): Hierarchical neural story generation. *ACL*, 889–898. Top-k.
# - R. Pope et al. (2023): Efficiently scaling Transformer inference. *MLSys*. What the cache costs.
# - K. Papineni, S. Roukos, T. Ward and W.-J. Zhu (2002): BLEU: a method for automatic evaluation of machine
#   translation. *ACL*, 311–318.
# - M. Popović (2015): chrF: character n-gram F-score for automatic MT evaluation. *WMT*, 392–395.
# - M. Post (2018): A call for clarity in reporting BLEU scores. *WMT*, 186–191.
