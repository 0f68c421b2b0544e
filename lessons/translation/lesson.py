# %% [markdown]
# # Translation: a Transformer that speaks
#
# In the lesson `transformer` you built a Transformer and let it sort digits. Now it learns a language. Here you go the
# whole way from a text file to a translator: you cut words into pieces, make batches of sentences, build the model from
# the layers you know, train it until it translates sentences that it has never seen, look over its shoulder while it
# writes, and read its mistakes one by one. At the end you write a function that learns *any* small language.
#
# **What you will be able to do**
#
# - turn text into ids and back without losing anything, and say why translators work with pieces of words;
# - make a batch of sentences of different lengths, with its mask, so that padding changes nothing;
# - explain teacher forcing, and why a model with 99 % of all tokens right may still write bad sentences;
# - build and train a translator, with our attention layer or with Keras';
# - read a map of cross-attention, and know what it does not tell you;
# - read a translator's errors and say where each comes from.
#
# **What you need:** the lesson *The Transformer*: encoder, decoder, masks, the shift by one, the smoothed loss, greedy
# decoding.
#
# | part | | minutes | exercise |
# | --- | --- | ---: | --- |
# | 1 | Pairs of sentences | 10 | |
# | 2 | Words, characters, or something between | 45 | 1 `bpe_merges` |
# | 3 | Batches: many sentences in one array | 15 | 2 `encode_batch` |
# | 4 | Teacher forcing, and what its numbers hide | 20 | 3 `token_accuracy` |
# | 5 | The model | 30 | 4 `build_translator` |
# | 6 | Training | 20 | |
# | 7 | Looking over its shoulder: cross-attention | 10 | |
# | 8 | Reading errors | 10 | |
# | 9 | Any language | 25 | 5 `train_translator` |
#
# As always: replace `raise NotImplementedError` by your code, run the cell, then run the `check` below it. **If you are
# stuck, go on.** All later cells use the tested versions from the package: `steps.bpe_merges`, `steps.encode_batch` and
# so on.
#
# **Letters.** `B` sentences in a batch, `S` tokens of the source, `T` tokens of the target, `V` tokens in the
# vocabulary, `D` the width of the model (`d_model` in the code), `H` heads, `K = D / H` the width of one head.

# %% tags=["nbval-ignore-output"]
import numpy as np

from llmcourse import lesson, plots, setup

setup(seed=0)
check = lesson("translation")

import keras
from keras import ops

from llmcourse import layers
from llmcourse.data import Tokenizer, load_pairs
from llmcourse.decoding import Translator, greedy_decode
from llmcourse.models.saved import load_translator
from llmcourse.models.translator import Transformer
from llmcourse.training import losses, packing, schedules
from llmcourse import steps

# %% [markdown]
# ## 1. Pairs of sentences
#
# A translator learns from nothing but pairs: a sentence, the **source**, and its translation, the **target**. No
# grammar, no dictionary. Public collections have millions of pairs; ours comes with the course and has about fifty
# thousand, made by a grammar of our own, in three languages. They talk about families, trains, prices and the weather.

# %% tags=["explore"]
german, chinese = load_pairs("phrases", "de"), load_pairs("phrases", "zh")
for row in (0, 3, 5):
    print(f"{german.train.sources[row]}\n    {german.train.targets[row]}\n    {chinese.train.targets[row]}")
print()
for part in ("train", "validation", "test", "combinations"):
    print(f"{part:13s}{len(getattr(german, part)):7,d} pairs")

# %% [markdown]
# The last part, `combinations`, is special. Its sentences hold pairs of words, such as a certain person and a certain
# activity, that **never** meet in the training part, although each of the words alone is common there. A model that
# only remembers sentences must fail on them.
#
# > **Think first.** Why is it not enough to hold back sentences at random?
#
# <details>
# <summary>Answer</summary>
#
# If "My sister plays tennis on Sunday" is held back, but "My sister plays tennis on Monday" and "My brother plays
# tennis on Sunday" are not, the model can answer by changing one word of a sentence it knows. Held-out sentences at
# random ask whether it remembers; held-out combinations ask whether it has understood how sentences are made.
#
# </details>

# %% [markdown]
# ## 2. Words, characters, or something between
#
# A network computes with numbers, so each sentence must become a list of ids. What should get an id of its own?
#
# **Words.** Cut at white space and number the different words; the list with their numbers is the **vocabulary**.
# Simple, and we use it in the exercises. But a text always has words that the vocabulary lacks. They all become the
# same id, UNK, and their meaning is gone. How often does this happen? We build vocabularies from more and more German
# training sentences and count the words of the test sentences that are unknown.

# %% tags=["explore"]
for count in (100, 1_000, 10_000, len(german.train)):
    vocabulary = steps.build_vocabulary(german.train.targets[:count])
    words = [word for sentence in german.test.targets for word in sentence.split()]
    unknown = sum(word not in vocabulary for word in words) / len(words)
    print(f"{count:7,d} sentences: {len(vocabulary):6,d} different words; unknown in the test: {unknown:6.2%}")
print("some of them:", *list(vocabulary)[200:1200:140])

# %% [markdown]
# This is the friendliest text there is, without one rare word. Even so the vocabulary knows `Abend`, `Abend?` and
# `Abend.` as three different words, with nothing in common, because the full stop sticks to the word. In real text, new
# words never end: names, compounds, typing errors. And Chinese does not put spaces between words at all; a sentence
# would be one "word".
#
# **Characters.** No character is ever unknown (almost). But the sentence becomes five times as long, attention costs
# $T \cdot S$, and the model must first learn to spell.
#
# **Subwords**, something between, are what all large models use. Frequent words are one token; rare ones are cut into
# pieces that are frequent themselves, such as the ending `ig` of `geduldig` (patient). The most common recipe is
# **byte-pair encoding**, BPE (Sennrich et al., 2016). It is short:
#
# 1. Write each word as its characters, and put a mark `</w>` for the end of the word behind them.
# 2. Count how often each pair of neighbours occurs in the whole text.
# 3. Join the most frequent pair, wherever it occurs: it is one symbol from now on.
# 4. Go on with 2, as many times as you want new symbols.
#
# An example, with the number of times that each word occurs in the text:
#
# | word | count | at the start | after merge 1: `l d` | after merge 2: `o ld` |
# | --- | ---: | --- | --- | --- |
# | old | 6 | `o l d </w>` | `o ld </w>` | `old </w>` |
# | older | 3 | `o l d e r </w>` | `o ld e r </w>` | `old e r </w>` |
# | cold | 4 | `c o l d </w>` | `c o ld </w>` | `c old </w>` |
# | colder | 2 | `c o l d e r </w>` | `c o ld e r </w>` | `c old e r </w>` |
#
# At the start `o l` and `l d` occur in all words, $6 + 3 + 4 + 2 = 15$ times. When several pairs are equally frequent,
# we take the smallest, in the order in which Python compares tuples: `('l', 'd') < ('o', 'l')`. Then `o ld` occurs 15
# times. The end-of-word mark takes part like a letter: `old </w>` comes next, with $6 + 4 = 10$. That is why the mark
# is there: `er` at the end of a word is another piece than `er` within one.
#
# Two details, about words with a run of one letter. The pair `('a', 'a')` occurs **twice** in `a a a` (places 1-2 and
# 2-3), and both count. But when it is joined, we go from left to right, and no symbol is used twice: `aa a`.
#
# ### Exercise 1: byte-pair encoding
#
# Return the list of joined pairs, in their order. Keep for each word the list of its symbols. Each round counts pairs,
# chooses one, and rebuilds the lists. Compare whole symbols, never pieces of text: `('a', 'b')` must not be joined in
# `xa b`.


# %% exercise="bpe_merges" forbid=["llmcourse.steps.translation.bpe_merges", "llmcourse.steps.translation.join_pair", "llmcourse.data.tokenizer.Tokenizer"]
def bpe_merges(word_counts, num_merges):
    """Learn the merges of byte-pair encoding.

    Args:
        word_counts: dict from word to how often it occurs in the text; it stays as it is.
        num_merges: integer, how many pairs to join; fewer if no word has two symbols left.

    Returns:
        List of the joined pairs, such as [('l', 'd'), ('o', 'ld')], the first one first.
    """
    ### BEGIN SOLUTION
    words = {word: [*word, "</w>"] for word in word_counts}
    merges = []
    for _ in range(num_merges):
        counts = {}
        for word, symbols in words.items():
            for place in range(len(symbols) - 1):
                pair = symbols[place], symbols[place + 1]
                counts[pair] = counts.get(pair, 0) + word_counts[word]
        if not counts:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        merges.append(best)
        for word, symbols in words.items():
            joined, place = [], 0
            while place < len(symbols):
                if tuple(symbols[place : place + 2]) == best:
                    joined.append(best[0] + best[1])
                    place += 2
                else:
                    joined.append(symbols[place])
                    place += 1
            words[word] = joined
    return merges
    ### END SOLUTION


# %% check="bpe_merges"
check("bpe_merges")

# %% [markdown]
# ### A look at what it did
#
# We learn merges from the German words of the training sentences and cut some words with them: the learned pairs are
# joined again, in their order. The last word does not occur in the training part.

# %% tags=["explore"]
counts = {}
for sentence in german.train.targets:
    for word in sentence.rstrip(".?").split():
        counts[word] = counts.get(word, 0) + 1
merges = steps.bpe_merges(counts, 600)
print("the first ten:", *("+".join(pair) for pair in merges[:10]))
for word in ("nicht", "Schwester", "freundlicher", "Geburtstagskuchen"):
    for number in (50, 200, 600):
        pieces = " ".join(steps.split_word(word, merges[:number]))
        print(f"{word if number == 50 else '':18s} after {number:3d} merges:  {pieces}")
assert "Geburtstagskuchen" not in counts

# %% [markdown]
# Frequent words have become one token; the word for a birthday cake, which nobody has ever seen, is spelled with pieces
# that the model knows. Nothing is unknown.
#
# The package's `Tokenizer` does the same, faster (it uses the library `tokenizers`), with three changes that all
# modern systems share. It starts from the 256 **bytes** instead of characters, so that any text in any script, emoji
# included, can be written. The space belongs to the word behind it (` Hund`), instead of a mark at the end, so that
# joining the pieces gives back the text **exactly**. And both languages share one vocabulary, since names and numbers
# look alike in both. Note what becomes of Chinese: pieces are words and even phrases, although nobody has said where a
# word ends. (A character that is rare in the data may be cut into its bytes, written like `\xe8` here.)

# %% tags=["explore"]
sentences = "Meine Mutter ist nicht so geduldig wie sein jüngerer Bruder.", "我妈妈没有他弟弟有耐心。"
for pairs, sentence in zip((german, chinese), sentences, strict=True):
    tokenizer = Tokenizer.train([*pairs.train.sources, *pairs.train.targets], vocab_size=1_600)
    print(" | ".join(tokenizer.tokens(sentence)))
    lossless = all(tokenizer.decode(tokenizer.encode(text)) == text for text in (sentence, "Grüße, 世界 :-)"))
    print("text -> ids -> text gives the same text:", lossless)

# %% [markdown]
# **Common mistakes**
#
# - The tokenizer is trained on the test data too. Then no test word is ever cut into unusual pieces, and the score is
#   better than it will be in use. Training data only.
# - Another tokenizer at use than in training. Same text, other ids: the model sees nonsense, and nothing raises an
#   error. Save the tokenizer with the model.
# - Two vocabularies, mixed up: target ids looked up among the source words.

# %% [markdown]
# ## 3. Batches: many sentences in one array
#
# Sentences differ in length, an array does not. So the rows are filled up with PAD (0), up to the longest sentence **of
# this batch**. Here are four sentences as words, each with END:

# %% tags=["explore"]
examples = ["we see the old house", "you sleep", "the house is cold", "who sleeps ?"]
rows = [[*sentence.split(), "END"] for sentence in examples]
widest = max(map(len, rows))
plots.token_table(
    [row + ["PAD"] * (widest - len(row)) for row in rows], title="A batch, B = 4 sentences, T = 6 tokens wide"
)

# %% [markdown]
# Along with the ids goes a **mask**, a boolean array of the same shape `(B, T)`, True at real tokens. Everything that
# comes later must respect it:
#
# | where | what would happen without the mask |
# | --- | --- |
# | attention | real tokens attend to padding; a sentence gets other results in other batches |
# | loss | the model learns to predict PAD, which is easy, and the loss looks better than it is |
# | accuracy | the same: many of the "right" tokens are padding |
#
# For attention, the mask gets four axes, `(B, 1, 1, S)`, as in the last lessons; `layers.padding_mask(ids)` makes it.
#
# What if a sentence is longer than we have room for? It is cut, but it **keeps its END**. A row without END says "this
# sentence goes on", and a model that is trained on such rows learns not to stop.
#
# ### Exercise 2: encode a batch
#
# Use NumPy. `sentence.split()` cuts at white space of any kind. UNK is 1, END is 3, PAD is 0. START does not belong to
# these rows: the source has none, and the decoder's START is put in front later. A large vocabulary has large ids, so
# the array should hold `int32`.


# %% exercise="encode_batch" forbid=["llmcourse.steps.translation.encode_batch", "llmcourse.data.tokenizer.Tokenizer", "keras.layers.TextVectorization"]
def encode_batch(sentences, vocabulary, max_length):
    """Turn sentences into ids and say which of them are real tokens.

    Args:
        sentences: list of B strings, at least one.
        vocabulary: dict from word to id; it stays as it is. Other words become UNK (1).
        max_length: integer, the largest number of ids in a row, END included; at least 1.

    Returns:
        The ids, integer array (B, T), each row ending with END (3) and then PAD (0), where T is the length of the
        longest row; and the mask, boolean array (B, T), True at real tokens.
    """
    ### BEGIN SOLUTION
    rows = []
    for sentence in sentences:
        words = sentence.split()[: max_length - 1]
        rows.append([vocabulary.get(word, 1) for word in words] + [3])
    ids = np.zeros((len(rows), max(len(row) for row in rows)), dtype="int32")
    for number, row in enumerate(rows):
        ids[number, : len(row)] = row
    return ids, ids != 0
    ### END SOLUTION


# %% check="encode_batch"
check("encode_batch")

# %% [markdown]
# ### A look at what padding costs
#
# The network computes PAD like any other token, only to throw the result away. How much of the work is that? It depends
# on which sentences share a batch.

# %% tags=["explore"]
lengths = np.array([len(sentence.split()) + 1 for sentence in german.train.sources])


def padded_share(order, batch_size=128):
    """Compute which share of all places is padding when sentences go into batches in this order."""
    batches = [lengths[order[start : start + batch_size]] for start in range(0, len(order), batch_size)]
    return 1 - lengths.sum() / sum(len(batch) * batch.max() for batch in batches)


at_random = np.random.default_rng(0).permutation(len(lengths))
print(f"all sentences as wide as the longest: {1 - lengths.mean() / lengths.max():.0%} padding")
print(f"batches at random:                    {padded_share(at_random):.0%} padding")
print(f"sentences of similar length together: {padded_share(np.argsort(lengths, kind='stable')):.0%} padding")
rows = packing.pack(lengths[:, None], [32])  # for each row of 32 places the sentences that stand in it
print(f"several sentences in each row of 32:  {1 - lengths.sum() / (32 * len(rows)):.0%} padding")

# %% [markdown]
# Sentences of similar length together save nearly all of it; but each batch then has a width of its own, and long sentences
# never meet short ones. The last line stands for **packing**, as large projects do it: several sentences, one after another,
# in each row. All batches have one shape, and each of them mixes short sentences with long ones. Two things keep the
# sentences of a row apart. Each token carries the number of its sentence in the row, its **segment**, and the mask lets a
# token attend only within its own segment; and positions begin anew with each segment. So every sentence is computed as if it
# stood alone, as a row of your `encode_batch` does. Part 6 trains that way.

# %% [markdown]
# ## 4. Teacher forcing, and what its numbers hide
#
# The decoder is given the *true* beginning of the target, and must name the next token; all positions at once, thanks
# to the causal mask. It is like dictating to a pupil who has to guess each next word, while the teacher goes on with
# the right one, whatever the guess was. Hence the name, **teacher forcing**.

# %% tags=["explore"]
plots.target_shift(["START", "Meine", "Mutter", "schläft", "END"])

# %% [markdown]
# So inputs and labels are the same sentence, one place apart. If `labels` are rows such as those of `encode_batch`, the
# inputs are START and then the labels without their last column:
#
# `inputs = np.pad(labels[:, :-1], ((0, 0), (1, 0)), constant_values=2)` — both `(B, T)`.
#
# A number to watch during training is the **token accuracy**: at which share of the real tokens does the largest logit
# belong to the right one?
#
# $$
# \text{accuracy} = \frac{\text{number of real tokens with } \operatorname{argmax}_v \text{logits}_v = \text{target}}
# {\text{number of real tokens}}
# $$
#
# Both numbers are counted over the **whole batch**. "Real" means: the *target* is not PAD. What the model says at
# padding does not matter.
#
# ### Exercise 3: token accuracy
#
# Write it with functions of `ops`, so that Keras can compile it and show it during training: `model.compile(...,
# metrics=[token_accuracy])`. Useful: `ops.argmax(x, axis=-1)`, `ops.equal`, `ops.not_equal`, `ops.logical_and`,
# `ops.cast(x, "float32")`, `ops.sum`, `ops.maximum`. `fit` hands the targets over as floats (7.0) to a loss, and as
# they are to a metric. Your function should not mind: cast them to `"int32"` first. `ops.argmax` gives integers of another
# width; cast them too.


# %% exercise="token_accuracy" forbid=["llmcourse.steps.translation.token_accuracy"]
def token_accuracy(targets, logits):
    """Compute the share of real tokens whose largest logit is the right one.

    Args:
        targets: tensor (B, T), token ids, perhaps as floats; 0 is padding.
        logits: float tensor (B, T, V).

    Returns:
        One number from 0 to 1; 0 if all targets are padding.
    """
    ### BEGIN SOLUTION
    targets = ops.cast(targets, "int32")
    guesses = ops.cast(ops.argmax(logits, axis=-1), "int32")  # (B, T)
    real = ops.not_equal(targets, 0)
    right = ops.logical_and(real, ops.equal(guesses, targets))
    return ops.sum(ops.cast(right, "float32")) / ops.maximum(ops.sum(ops.cast(real, "float32")), 1.0)
    ### END SOLUTION


# %% check="token_accuracy"
check("token_accuracy")

# %% [markdown]
# Be careful with this number. It flatters, for two reasons.
#
# **A sentence has many tokens.** With 99 % of the tokens right and twelve tokens in a sentence, $0.99^{12} \approx 89$
# % of the sentences are right from START to END, if errors fall at random. With 95 % it is $0.95^{12} \approx 54$ %.
#
# **In use there is no teacher.** The decoder goes on from what it has written *itself*. After its first error it stands
# before a beginning that no training sentence had, and may lose its way. This is called **exposure bias**: in training
# the model was exposed to true beginnings only. There are remedies (mixing the model's own words into the inputs,
# larger models, more data), but the first is to **measure what you will use**: let the model write whole sentences and
# compare those.
#
# > **Think first.** A model is trained with targets that are *not* shifted: position t gets token t as input and as
# > label. What is its token accuracy after an epoch? What does it write?
#
# <details>
# <summary>Answer</summary>
#
# Close to 100 %: each position sees the answer. Asked to write, it gets START and was trained to answer with the token
# that it is given, so it says START, for ever. Two warnings follow. A token accuracy that is perfect after an epoch is
# a leak and no miracle. And teacher forcing cannot show it: let the model write.
#
# </details>

# %% [markdown]
# ## 5. The model
#
# All parts are in the package, and you have written each of them in the last lessons:
#
# | part | call | result |
# | --- | --- | --- |
# | `keras.layers.Embedding(vocab_size, d_model)` | `embedding(ids)` | `(B, S)` to `(B, S, D)` |
# | `layers.PositionalEncoding()` | `positions(x)` | adds the codes of the places to `x`, `(B, S, D)` |
# | `layers.Encoder(num_layers, d_model, num_heads, d_ff, dropout)` | `encoder(x, mask=..., training=...)` | the memory `(B, S, D)` |
# | `layers.Decoder(num_layers, d_model, num_heads, d_ff, dropout)` | `decoder(y, memory, mask=..., memory_mask=..., training=...)` | `(B, T, D)` |
# | `keras.layers.Dense(target_vocab_size)` | `to_logits(y)` | `(B, T, target_vocab_size)` |
#
# Encoder and decoder are pre-norm and end with a norm, so nothing more is needed behind them. Both embeddings are
# multiplied with $\sqrt{D}$ before the positions are added, and dropout follows the sum. Three masks, from the ids:
#
# | mask | shape | |
# | --- | --- | --- |
# | encoder's `mask` | `(B, 1, 1, S)` | no padding of the source |
# | decoder's `mask` | `(B, 1, T, T)` | no future, and no padding of the target: `layers.combine_masks(layers.causal_mask(T), layers.padding_mask(target_ids))` |
# | decoder's `memory_mask` | `(B, 1, 1, S)` | no padding of the source |
#
# In the decoder's mask, the second half changes no real position as long as the padding stands at the end: behind the
# causal mask it lies in the future anyway.
#
# ### Which attention layer?
#
# Inside the encoder and the decoder works our own `layers.MultiHeadAttention`. Keras has a layer of the same name. Is
# there a difference? Copy the weights from one into the other, and compare the numbers.

# %% tags=["explore"]
ours, theirs = layers.MultiHeadAttention(4, 8), keras.layers.MultiHeadAttention(4, 8)
query, memory = keras.random.normal((2, 5, 32), seed=1), keras.random.normal((2, 7, 32), seed=2)
source_ids = np.array([[8, 9, 5, 6, 3, 0, 0], [4, 7, 7, 9, 5, 6, 3]])
mask = layers.padding_mask(source_ids)  # (B, 1, 1, S); Keras wants (B, T, S), or something that broadcasts to it
their_output, their_weights = theirs(query, memory, attention_mask=mask[:, 0], return_attention_scores=True)
ours(query, memory)  # the first call makes the weights
ours.set_weights(theirs.get_weights())
our_output, our_weights = ours(query, memory, mask=mask, return_scores=True)
for name, one, other in (("outputs", our_output, their_output), ("weights", our_weights, their_weights)):
    print(f"{name}: {tuple(one.shape)}, equal to 1e-5:", float(ops.max(ops.abs(one - other))) < 1e-5)

# %% [markdown]
# The same numbers, since it is the same formula; so the gradients are the same too, and it does not matter for training
# which of the two you take.

# %% [markdown]
# ### Exercise 4: build the translator
#
# Write the model as a class, in the style of the last lesson. `build` is given; it makes the weights of the five parts
# with these names: `source_embedding`, `target_embedding`, `encoder`, `decoder`, `to_logits`. You write `__init__`,
# which makes these parts (and what else you need), and `call`. The model gets **one** argument, the pair of source ids
# and target ids, since this is the form in which `fit((source_ids, inputs), labels)` passes them. No softmax at the
# end: the loss takes logits.


# %% exercise="build_translator" names=["TranslationModel", "build_translator"] forbid=["llmcourse.models.translator.Transformer", "llmcourse.steps.translation.TranslationModel", "llmcourse.steps.translation.build_translator"]
class TranslationModel(keras.Model):
    """Map a source and the beginning of its target to the logits of each next token."""

    def __init__(self, source_vocab_size, target_vocab_size, num_layers, d_model, num_heads, d_ff, dropout):
        super().__init__()
        self.d_model = d_model
        ### BEGIN SOLUTION
        self.source_embedding = keras.layers.Embedding(source_vocab_size, d_model)
        self.target_embedding = keras.layers.Embedding(target_vocab_size, d_model)
        self.positions = layers.PositionalEncoding()
        self.scale = d_model**0.5
        self.dropout = keras.layers.Dropout(dropout)
        self.encoder = layers.Encoder(num_layers, d_model, num_heads, d_ff, dropout)
        self.decoder = layers.Decoder(num_layers, d_model, num_heads, d_ff, dropout)
        self.to_logits = keras.layers.Dense(target_vocab_size)
        ### END SOLUTION

    def build(self, input_shape=None):
        """Make all weights; they do not depend on how long the sentences are."""
        width = (None, None, self.d_model)
        self.source_embedding.build((None, None))
        self.target_embedding.build((None, None))
        self.encoder.build(width)
        self.decoder.build(width, width)
        self.to_logits.build(width)

    def call(self, inputs, training=None):
        """Encode the source, decode the target.

        Args:
            inputs: the pair of source ids, integer tensor (B, S), and target ids, integer tensor (B, T); 0 is padding.
                While Keras compiles, T may be open: ops.shape(target_ids)[1] is the length in any case.
            training: whether dropout is on.

        Returns:
            The logits, float tensor (B, T, target_vocab_size).
        """
        source_ids, target_ids = inputs
        ### BEGIN SOLUTION
        source_mask = layers.padding_mask(source_ids)  # (B, 1, 1, S)
        causal = layers.causal_mask(ops.shape(target_ids)[1])
        target_mask = layers.combine_masks(causal, layers.padding_mask(target_ids))  # (B, 1, T, T)

        x = self.positions(self.source_embedding(source_ids) * self.scale)  # (B, S, D)
        x = self.dropout(x, training=training)
        memory = self.encoder(x, mask=source_mask, training=training)

        y = self.positions(self.target_embedding(target_ids) * self.scale)  # (B, T, D)
        y = self.dropout(y, training=training)
        y = self.decoder(y, memory, mask=target_mask, memory_mask=source_mask, training=training)
        return self.to_logits(y)  # (B, T, V)
        ### END SOLUTION


def build_translator(source_vocab_size, target_vocab_size, num_layers, d_model, num_heads, d_ff, dropout):
    """Make the model with all its weights."""
    model = TranslationModel(source_vocab_size, target_vocab_size, num_layers, d_model, num_heads, d_ff, dropout)
    model.build()
    return model


# %% check="build_translator"
check("build_translator")

# %% [markdown]
# **Common mistakes**
#
# - Probing with sentences of equal length and equal vocabularies: swapped embeddings and swapped masks stay unnoticed.
# - The encoder's *input* is given to the decoder instead of its *output*. Training works, a little worse, and nobody
#   sees why.
# - `dropout` is not handed on to encoder and decoder: nothing fails, the model only overfits more. (`training` reaches
#   inner layers by itself in Keras 3; we write it out so that it can be seen.)
# - Wrong direction: sources and targets exchanged somewhere on the way. Print one pair of what goes **into** `fit`, as
#   text, each time.

# %% [markdown]
# ## 6. Training
#
# Everything together, on German: a joint vocabulary of 1,600 subwords; two encoder layers and two decoder layers of
# width 96, with four heads. For this we take the package's `Transformer`. It is your model with three extras: source and
# target share one table of embeddings, which also serves as the last layer (a joint vocabulary makes this possible); the
# table is drawn with the variance $1/D$; and the model can return its attention weights.
#
# The learning rate follows `one_cycle`: it rises in a straight line to its peak over the first 15 % of the steps, and falls
# in a straight line to zero at the last one. Where the number of steps is known in advance, this suits a short training
# better than the schedule of the last lesson, which never ends. The loss is that of the last lesson with
# $\varepsilon = 0.1$, the usual choice.
#
# Sentences of more than 16 tokens are left out of the training; they are few. The others are packed: rows of 32 places, 24
# of them in a batch, about 60 sentences. The whole training is a single epoch, so each pair is seen **once**. After each
# third of it, a *callback* lets the model translate 300 held-out combinations **by itself**, and keeps the translations, so
# that we can read them later.
#
# First, as always, one look at what goes in:


# %% tags=["explore"]
def prepare(pairs, tokenizer, longest=16):
    """Pack the training pairs that are short enough."""
    sources = [tokenizer.encode(text) for text in pairs.train.sources]
    targets = [tokenizer.encode(text) for text in pairs.train.targets]
    return packing.PackedBatches(sources, targets, batch_tokens=24 * 32, max_length=longest + 1)  # one more for END


tokenizer = Tokenizer.train([*german.train.sources, *german.train.targets], vocab_size=1_600)
packed = prepare(german, tokenizer)
batch = next(packed.epoch(seed=0, number=0))
share = 1 - packed.left_out / len(german.train)
print(f"{share:.0%} of the pairs; {len(packed)} batches of (B, S, T) = {packed.shapes[0]}")
for name in ("sources", "inputs", "labels"):
    ids = getattr(batch, name)[0]
    print(f"{name:9s}{ids.tolist()}\n         {tokenizer.decode(ids)!r}")
print("source segments:", batch.source_segments[0].tolist())
print("target segments:", batch.target_segments[0].tolist())

# %% [markdown]
# A 3 is END and a 2 START. (`decode` stops at the first END, so of sources and labels you see the first sentence only.)
# Which tokens may a token of the decoder attend to? Those that the causal mask allows *and* that belong to its own
# segment. Here is a short row with two sentences and one place that is left over:

# %% tags=["explore"]
words = ["START", "Ich", "singe", "START", "Du", "wartest", "PAD"]
segments = np.array([[1, 1, 1, 2, 2, 2, 0]])
masks = {"causal": layers.causal_mask(len(words)), "segments": layers.segment_mask(segments)}
masks["both: the decoder's"] = layers.combine_masks(*masks.values())
plots.mask_grids({name: np.asarray(mask)[0, 0] for name, mask in masks.items()}, words, words)


# %% tags=["explore"]
class Watch(keras.callbacks.Callback):
    """Set the learning rate of each step; after each third, translate some held-out combinations and keep the result."""

    def __init__(self, rates, pairs, tokenizer, count=300):
        super().__init__()
        self.rates, self.step, self.losses, self.total = rates, 0, [], 0.0
        self.sources, self.targets = pairs.combinations.sources[:count], pairs.combinations.targets[:count]
        self.tokenizer, self.translations = tokenizer, []

    def on_train_batch_begin(self, batch, logs=None):
        self.model.optimizer.learning_rate = float(self.rates[self.step])
        self.step += 1

    def on_train_batch_end(self, batch, logs=None):
        total = (batch + 1) * logs["loss"]  # Keras reports the mean since the epoch began
        self.losses.append(total - (self.total if batch else 0.0))
        self.total = total

    def on_epoch_end(self, epoch, logs=None):
        ids = self.tokenizer.encode_batch(self.sources, 64)
        written = greedy_decode(self.model, ids, 40)
        self.translations.append([self.tokenizer.decode(row) for row in written])


def train(pairs, tokenizer, seed=0):
    """Train a translator on pairs, each seen once; return the model and what the callback has kept."""
    packed = prepare(pairs, tokenizer)
    keras.utils.set_random_seed(seed)
    # One vocabulary for both languages: source and target share one table, which, turned round, also makes the logits.
    model = Transformer(
        tokenizer.vocab_size,
        tokenizer.vocab_size,
        num_layers=2,
        d_model=96,
        num_heads=4,
        d_ff=256,
        dropout=0.0,  # no pair comes twice, so none can be learned by heart
        tied_embeddings=True,
        shared_embeddings=True,
    )
    third = len(packed) // 3
    watch = Watch(schedules.one_cycle(3 * third, peak=5e-3, warmup=0.15), pairs, tokenizer)
    metrics = [steps.token_accuracy]  # your token_accuracy does the same
    # With beta_2=0.98, Adam's mean of squared gradients looks back 50 steps instead of 1,000, which suits a short run.
    model.compile(optimizer=keras.optimizers.Adam(beta_2=0.98), loss=losses.label_smoothed_loss, metrics=metrics)
    model.optimizer.build(model.trainable_variables)
    batches = (
        ((batch.sources, batch.inputs, batch.source_segments, batch.target_segments), batch.labels)
        for batch in packed.epoch(seed, number=0)
    )
    # What Keras calls an epoch is a third of ours here: after each one it calls `on_epoch_end`.
    history = model.fit(batches, steps_per_epoch=third, epochs=3, shuffle=False, verbose=0, callbacks=[watch])
    watch.accuracies = history.history["token_accuracy"]
    return model, watch


def share_right(written, targets):
    """Compute the share of sentences that are exactly right."""
    return float(np.mean([a == b for a, b in zip(written, targets, strict=True)]))


# %% [markdown]
# Now it learns German. That takes one to three minutes, depending on your machine. (`losses.label_smoothed_loss` has an epsilon
# of 0.1 if none is given. With `beam_size=1` the translator decodes greedily; the next lesson explains the name.)
#
# > **Predict, then run.** After the first third: what share of the *tokens* will be right with the teacher, and what share of whole
# > *sentences* without? And in the end, will sentences held out at random be easier than combinations that never
# > occurred?

# %% tags=["explore"]
model, watch = train(german, tokenizer)
translator = Translator(model, tokenizer, max_length=40)
written = translator.translate(german.combinations.sources, beam_size=1, batch_size=256)
exact = share_right(written, german.combinations.targets)
print(f"parameters: {model.count_params():,}")
print(f"held-out combinations: {len(written):,}; at least 95 % exactly right:", exact >= 0.95)

# %% tags=["explore", "nbval-ignore-output"]
shares = [share_right(texts, watch.targets) for texts in watch.translations]
for third, (accuracy, share) in enumerate(zip(watch.accuracies, shares, strict=True), start=1):
    print(f"third {third}: token accuracy with the teacher {accuracy:.1%}; whole sentences without {share:.1%}")
print(f"all {len(written):,} held-out combinations: {exact:.1%} exactly right")
some = german.validation.sources[:300]
at_random = share_right(translator.translate(some, beam_size=1, batch_size=256), german.validation.targets[:300])
print(f"300 sentences of the validation part, held out at random: {at_random:.1%} exactly right")
size, right = tokenizer.vocab_size, 1 - 0.1 + 0.1 / tokenizer.vocab_size
floor = -(right * np.log(right) + (size - 1) * 0.1 / size * np.log(0.1 / size))
print(f"the loss of a perfect model, with epsilon 0.1 and {size:,} tokens: {floor:.2f}")
curve = np.reshape(watch.losses[: len(watch.losses) // 20 * 20], (-1, 20)).mean(axis=1)
plots.learning_curves({"training": curve}, xlabel="20 steps", title="The smoothed loss of German, mean over 20 steps")

# %% [markdown]
# The loss does not fall to 0: with smoothed labels, even a perfect model has the loss of the smoothing itself. It gives the
# right token the probability $1 - \varepsilon + \varepsilon/V$ and each other one $\varepsilon/V$, and pays the entropy of
# that, which the cell has printed as the floor. (The token accuracy of a third is the mean over that third, in the first one
# with its clumsy beginning.)
#
# More than 95 % of the held-out combinations, whole sentences, every word, ending and full stop. No rule of German
# was ever told to it. And in this run the combinations were no harder than sentences held out at random. A likely reason: in a
# combination only the pair of words is new, and its kind of sentence was seen many times; the sentences held out at random are
# of all kinds, rare ones included. Ask it something:

# %% tags=["explore", "nbval-ignore-output"]
questions = [
    "My older sister will play tennis tomorrow.",
    "Is your mother cooking right now?",
    "The train to Berlin leaves at half past nine.",
    "It was not as cold in Berlin as in Rome yesterday.",
]
for question, answer in zip(questions, translator.translate(questions, beam_size=1), strict=True):
    print(f"{question:52s} {answer}")

# %% [markdown]
# ## 7. Looking over its shoulder: cross-attention
#
# While the decoder writes, its cross-attention says at each step how much it draws on each source token: an array `(H,
# T, S)` for each layer. `translator.attention(text)` returns the source tokens, the written tokens, and these weights.
# We show the mean over layers and heads. Read it row by row: *to write this token, where did it look?*


# %% tags=["explore", "nbval-ignore-output"]
text = "My older sister will play tennis tomorrow evening."
source_tokens, target_tokens, weights = translator.attention(text)
print("weights:", weights.shape, "(layers, H, T, S)")
plots.cross_attention(
    {"": weights.mean(axis=(0, 1))},
    target_tokens,
    source_tokens,
    title="German puts the verb at the end, and the time before it",
)

# %% [markdown]
# Where one word stands for one word, a row is dark at its partner. Where the order differs, the dark cells leave the
# diagonal: German writes the time before the verb, so near the end the rows jump to the right and back. Not every row
# is neat. Some weight often lies on a word's neighbours, on the full stop or on END, and a row may be spread out: the
# encoder has already mixed the words, so the memory at "play" knows about "tennis" too.
#
# **What a map does not tell you.** Weights say where values were taken from, not why, and not what was done with them
# afterwards; other weights can lead to the same output (Jain & Wallace, 2019). Take a map as a hint, and test it:
# change the word, and see whether the translation changes where the map says.

# %% tags=["explore", "nbval-ignore-output"]
for person in ("father was", "mother was", "parents were"):
    text = f"Her {person} not tired yesterday."
    print(f"{text:38s}{translator.translate([text], beam_size=1)[0]}")

# %% [markdown]
# From the first to the second, one word of the source changed, and **two** of the target: `Ihr` became `Ihre`, since it
# depends on the gender of the word behind it. So to write it, the decoder must know of "father" or "mother", and not
# only of "Her". In the map, see how much weight the row of `Meine` gives to "sister": its ending depends on it.
#
# ### And Chinese?
#
# The package carries a larger translator, three layers of width 192. We trained it for half an hour on 19,516 pairs of
# Tatoeba, English and Chinese sentences that people wrote and translated for each other. It is the one that answers
# `llmcourse translate "Where is the station?"`. (The figure needs a font with Chinese characters. Most computers have
# one; where there is none, the cell prints for each written token the source token with the largest weight.)

# %% tags=["explore", "nbval-ignore-output"]
packaged, packaged_tokenizer, card = load_translator()
text = "My older sister will play tennis tomorrow evening."
source_tokens, target_tokens, weights = Translator(packaged, packaged_tokenizer).attention(text)
print(text, "->", "".join(target_tokens[:-1]))
picture = None
if plots.chinese_font("".join(target_tokens[:-1])) is None:
    for token, row in zip(target_tokens, weights.mean(axis=(0, 1)), strict=True):
        print(f"{token}  <-  {source_tokens[row.argmax()]}")
else:
    title = "Chinese names the time right after the person"
    picture = plots.cross_attention({"": weights.mean(axis=(0, 1))}, target_tokens, source_tokens, title=title)
picture

# %% [markdown]
# The time, 明天 (tomorrow) 晚上 (evening), comes right after the person, so the second and the third row jump to the end
# of the source, and 打网球 draws on both "play" and "tennis". And there is an error in it. 我妹妹 is my *younger* sister;
# the older one would be 我姐姐. The first row gives a hint: it looks at "My" and "sister", and hardly at "older". In the
# data few sisters are called older or younger, and "my sister" is 妹妹 about three times as often as 姐姐. The model has
# learned to guess.

# %% [markdown]
# ## 8. Reading errors
#
# A score says how many; only reading says *what*. Take an hour for it in each project. Here are sentences that the
# German model had wrong after the **first** third, when there still were enough of them.

# %% tags=["explore", "nbval-ignore-output"]
early = [
    (source, text, target)
    for source, text, target in zip(watch.sources, watch.translations[0], watch.targets, strict=True)
    if text != target
]
print(f"after the first third: {len(early)} of {len(watch.sources)} wrong\n")
for source, text, target in early[:8]:
    print(f"source  {source}\nmodel   {text}\nright   {target}\n")

# %% [markdown]
# Yours will be others than ours, and yet of the same kinds. For each one, ask: which word is wrong? Is it wrong in
# itself, or does it only not fit another one? Did the model have what it needed?
#
# Some of those of our own run, and what we read in them:
#
# | source | model | what went wrong |
# | --- | --- | --- |
# | What time does the restaurant close on Thursday? | Um wie viel Uhr macht **der** Restaurant am Donnerstag zu? | all words right, the article wrong: the gender of its noun (*das* Restaurant) |
# | My husband bought a white cup last week. | Mein Mann hat letzte Woche einen weißen **Hut** gekauft. | a hat in place of a cup. Article and adjective agree with it: good German for another sentence |
# | The library opens at twenty past nine and closes at quarter past seven. | … und um Viertel nach **neun** zu. | the second hour is the first one again: the decoder looked at the wrong place |
# | Her mother needs two dresses and a hat. | … zwei Kleider und einen älteren **Bruder**. | what often comes after *einen älteren*: the decoder went on from its own words and forgot the source |
# | Is there a school near the café? | Gibt es in der Nähe der **Bibliothek ein Café**? | the café in the wrong role, and a library that nobody had mentioned in its place |
# | Her mother needs a hat and two dresses. | Ihre Mutter braucht einen **jüngeren** und zwei Kleider. | the noun is missing after an adjective that nobody asked for |
# | Your older sister comes home at quarter to seven every evening. | … um Viertel vor sieben nach Hause **fern**. | "every evening" is lost, and at the end stands a piece of another verb (*fernsehen*) |
#
# Most of them read well and say something else. The decoder has learned early which German words *like to follow each other*,
# and later where in the source to look. These errors fall when training goes on; in the end few are left.
#
# Now some sentences that are *meant* to be hard: unknown words, other spelling, other languages, and a sentence longer
# than all others.
#
# > **Predict, then run.** For each of the five: what will the model make of it? Then write two sentences of your own into the
# > list, one that you think it knows and one that it cannot know.

# %% tags=["explore", "nbval-ignore-output"]
hard = [
    "My sister will play tennis tomorrow evening.",
    "my older sister will play tennis tomorrow evening",
    "My giraffe will play tennis tomorrow evening.",
    "Meine Schwester spielt Tennis.",
    "My mother and her mother and his father and my older brother will play tennis in Berlin tomorrow evening.",
]
for text, answer in zip(hard, translator.translate(hard, beam_size=1), strict=True):
    print(f"{text}\n    {answer}")

# %% [markdown]
# Some of the answers are fluent German, others are not even that, and most are wrong. A translator **always answers**. It has no way to say "I do
# not know this word"; it writes what is likely, and what it has read is all that it holds likely. Where it is fluent,
# that is no sign of being right. This is the most important thing to know about language models of any size.
#
# The first sentence looks harmless, and yet our model makes the sister an *older* one (or a younger one). Search the
# training part for a sister who is neither: there is none, because Chinese has no word that leaves it open (姐姐, 妹妹),
# and the grammar that wrote our pairs serves both languages. A model knows its data, not the world.
#
# ### What happens after an error?
#
# We force the first words on the decoder, wrong ones, and let it go on by itself: what exposure bias looks like.


# %% tags=["explore", "nbval-ignore-output"]
def go_on_from(text, beginning, max_length=30):
    """Let the model go on from a beginning that we choose."""
    source = tokenizer.encode_batch([text], 40)
    ids = [2, *tokenizer.encode(beginning)]
    while ids[-1] != 3 and len(ids) < max_length:
        logits = np.asarray(model(source, np.array([ids], dtype="int32")))  # (1, T, V)
        ids.append(int(logits[0, -1].argmax()))
    return tokenizer.decode(ids[1:])


text = "My older sister will play tennis tomorrow evening."
for beginning in ("", "Mein", "Deine Eltern", "Gestern", "Wie"):
    print(f"{beginning or '(nothing)':14s}-> {go_on_from(text, beginning)}")

# %% [markdown]
# In our run, `Deine Eltern` went on with the plural *werden*: the verb agrees with *what stands there*, though the
# source speaks of one sister. `Mein` went on with *ältere Schwester*, which does not fit it. After `Gestern`
# (yesterday) the sentence lost its subject and its finite verb, and only *spielen* is left: no training sentence begins so
# for such a source, and it was on its own. It does not go back; what is written is written. The next lesson, on decoding, keeps several beginnings
# open for this reason.

# %% [markdown]
# ## 9. Any language
#
# You have all the parts. Now put them together, for a language that you do not know.
#
# ### Exercise 5: train a translator
#
# The check makes up a small language. Its sources are English sentences, about a cat, a queen and other people; its
# targets are in words that exist nowhere else, in another order, with articles that depend on the noun. Your function
# gets 2,000 pairs and must translate 200 new sentences; 90 % or more must be exactly right. It has about two minutes,
# but half a minute suffices.
#
# What to do:
#
# 1. `keras.utils.set_random_seed(seed)`.
# 2. Two vocabularies, one for each language: `steps.build_vocabulary(sentences)` gives a dict from word to id; the ids
#    start at 4, so V is the number of words **plus 4**.
# 3. Source ids and labels with `steps.encode_batch` (or yours), where `max_length` fits the longest sentence; then the
#    inputs, shifted, with START.
# 4. `steps.build_translator(source_vocab_size, target_vocab_size, num_layers=1, d_model=64, num_heads=4, d_ff=128,
#    dropout=0.0)` (or yours), Adam with a learning rate of about 0.003, `losses.label_smoothed_loss` (or
#    yours, with an epsilon of 0.1), and `fit` with batches of 64, for 7 or 8 epochs.
# 5. Return a **function** `translate(sentences)`: it encodes the sentences, writes ids with `greedy_decode(function,
#    source_ids, max_length)`, where `function(source_ids, target_ids)` returns logits, and turns each row of ids into
#    words with a space between them, without END and PAD. `greedy_decode` returns integers `(B, max_length)`: the ids
#    after START, up to END, then PAD; `max_length` counts END. For an empty list `translate` returns an empty list.
#
# Words that the vocabulary does not know may come; the function must not fail then.


# %% exercise="train_translator" forbid=["llmcourse.steps.translation.train_translator", "llmcourse.training.engine.train", "llmcourse.training.loop.fit"]
def train_translator(sources, targets, seed):
    """Train a translator and return it as a function.

    Args:
        sources: list of N sentences, words with spaces between them.
        targets: list of N sentences, their translations.
        seed: integer; everything random depends on it.

    Returns:
        A function from a list of sentences to the list of their translations.
    """
    ### BEGIN SOLUTION
    keras.utils.set_random_seed(seed)
    source_words, target_words = steps.build_vocabulary(sources), steps.build_vocabulary(targets)
    longest = max(len(sentence.split()) for sentence in [*sources, *targets]) + 1
    source_ids, _ = steps.encode_batch(sources, source_words, longest)
    labels, _ = steps.encode_batch(targets, target_words, longest)
    inputs = np.pad(labels[:, :-1], ((0, 0), (1, 0)), constant_values=2)
    model = steps.build_translator(len(source_words) + 4, len(target_words) + 4, 1, 64, 4, 128, dropout=0.0)
    model.compile(optimizer=keras.optimizers.Adam(0.003), loss=losses.label_smoothed_loss)
    model.optimizer.build(model.trainable_variables)
    model.fit((source_ids, inputs), labels, batch_size=64, epochs=7, verbose=0)
    word_of = {index: word for word, index in target_words.items()}

    def translate(sentences):
        if not sentences:
            return []
        ids, _ = steps.encode_batch(sentences, source_words, longest)
        written = greedy_decode(lambda source, target: model((source, target)), ids, longest)
        return [" ".join(word_of[index] for index in row if index in word_of) for row in written.tolist()]

    return translate
    ### END SOLUTION


# %% check="train_translator"
check("train_translator")

# %% [markdown]
# **Common mistakes**, all of which we have met:
#
# | mistake | how you notice |
# | --- | --- |
# | targets not shifted | token accuracy of 100 % after an epoch; it writes START, or one word for ever |
# | padding counted in the loss or in the accuracy | both look wonderful; longer padding makes them better |
# | START forgotten | the first word is often wrong |
# | END forgotten, or cut off | it does not stop, and repeats itself until `max_length` |
# | tokenizer or vocabulary made with the test data | better scores in the test than in use |
# | the two vocabularies mixed up | an error about ids out of range, if you are lucky; otherwise nonsense |
# | wrong direction | fluent sentences, in the language you came from |
# | evaluated with teacher forcing | 99 % on paper, half of the sentences wrong in use |
#
# ## What to take with you
#
# - Text becomes ids through a vocabulary learned from the **training** data. Subwords leave nothing unknown.
# - Padding makes sentences one array; masks make it harmless in attention, loss and every number you report.
# - Teacher forcing trains all positions at once. Judge by whole sentences that the model wrote by itself, on inputs
#   that are really new.
# - Our attention layer and Keras' compute the same numbers.
# - Cross-attention shows where the decoder looked. It is a hint, no proof.
# - Read errors. A translator always answers, and fluently.
#
# `check.progress()` shows your points. To train on real data, with a progress bar and scores: `llmcourse train
# translation --data multi30k --target de --out run`. The next lesson, *Decoding*, makes better sentences of the same
# model, and asks how good they are.
#
# ### Further reading
#
# - R. Sennrich, B. Haddow and A. Birch (2016): Neural machine translation of rare words with subword units. *ACL*,
#   1715–1725. Byte-pair encoding; its algorithm is your exercise 1.
# - A. Vaswani, N. Shazeer, N. Parmar, J. Uszkoreit, L. Jones, A. N. Gomez, Ł. Kaiser and I. Polosukhin (2017):
#   Attention is all you need. *NeurIPS* 30. Sections 3.4 (shared embeddings) and 5.
# - R. J. Williams and D. Zipser (1989): A learning algorithm for continually running fully recurrent neural networks.
#   *Neural Computation* 1(2), 270–280. Teacher forcing.
# - S. Bengio, O. Vinyals, N. Jaitly and N. Shazeer (2015): Scheduled sampling for sequence prediction with recurrent
#   neural networks. *NeurIPS* 28. Exposure bias, and mixing the model's own words into its inputs.
# - D. Bahdanau, K. Cho and Y. Bengio (2015): Neural machine translation by jointly learning to align and translate.
#   *ICLR*. The first maps of cross-attention; figure 3.
# - S. Jain and B. C. Wallace (2019): Attention is not explanation. *NAACL*, 3543–3556.
# - O. Press and L. Wolf (2017): Using the output embedding to improve language models. *EACL*, 157–163. One table for
#   the embedding and the last layer.
