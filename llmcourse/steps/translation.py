"""The steps from sentences to a translator, as short as they can be read aloud: the functions of lesson `translation`.

Words stand between white space here and each has its own id. `llmcourse.data.Tokenizer` and `train_translation` do the
same on subwords of real text, faster and with more care.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import keras
import numpy as np
from keras import ops

from llmcourse import layers
from llmcourse.data.token_ids import END, FIRST_WORD, PAD, START, UNK
from llmcourse.decoding import greedy_decode
from llmcourse.training.losses import label_smoothed_loss

END_OF_WORD = "</w>"  # the last symbol of each word, so that "est" at the end of a word is another piece than within
Pair = tuple[str, str]


def bpe_merges(word_counts: Mapping[str, int], num_merges: int) -> list[Pair]:
    """Learn which pairs of symbols byte-pair encoding joins, the most frequent pair first.

    Frequent words become one symbol, rare ones stay cut into pieces, and a new word is still made of known pieces.

    Args:
        word_counts: from each word to how often it occurs, at least once.
        num_merges: int, how many pairs to join; fewer where each word has become one symbol.

    Returns:
        The pairs in the order in which they are joined. Of equally frequent pairs the smallest in the order of tuples
        comes first.

    Raises:
        ValueError: `num_merges` is below 0.

    Source: Sennrich, Haddow & Birch (2016), Neural Machine Translation of Rare Words with Subword Units, section 3.2.

    Example:
        >>> bpe_merges({"low": 5, "lower": 4}, 3)
        [('l', 'o'), ('lo', 'w'), ('low', '</w>')]
    """
    if num_merges < 0:
        raise ValueError(f"num_merges must be at least 0. Received: {num_merges}.")
    words = {word: [*word, END_OF_WORD] for word in word_counts}
    merges: list[Pair] = []
    for _ in range(num_merges):
        counts: dict[Pair, int] = {}
        for word, symbols in words.items():
            for pair in pairwise(symbols):
                counts[pair] = counts.get(pair, 0) + word_counts[word]
        if not counts:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        merges.append(best)
        words = {word: join_pair(symbols, best) for word, symbols in words.items()}
    return merges


def join_pair(symbols: Sequence[str], pair: Pair) -> list[str]:
    """Join a pair wherever it stands in a word, from left to right.

    Args:
        symbols: the symbols of a word.
        pair: two symbols.

    Returns:
        The symbols of the same word, fewer where the pair stands in it.

    Example:
        >>> join_pair(["a", "a", "a", "b"], ("a", "a"))
        ['aa', 'a', 'b']
    """
    joined: list[str] = []
    place = 0
    while place < len(symbols):
        found = tuple(symbols[place : place + 2]) == pair
        joined.append("".join(pair) if found else symbols[place])
        place += 2 if found else 1
    return joined


def split_word(word: str, merges: Iterable[Pair]) -> list[str]:
    """Cut a word into pieces, known or not, by joining the learned pairs in their order.

    Args:
        word: any word.
        merges: what `bpe_merges` learned.

    Returns:
        The pieces, of which the last one ends with the end-of-word mark.

    Example:
        >>> split_word("lowest", [("l", "o"), ("lo", "w"), ("e", "s")])
        ['low', 'es', 't', '</w>']
    """
    symbols = [*word, END_OF_WORD]
    for pair in merges:
        symbols = join_pair(symbols, pair)
    return symbols


def build_vocabulary(sentences: Iterable[str]) -> dict[str, int]:
    """Give each word of the training sentences an id, in the order of the alphabet.

    Args:
        sentences: words with white space between them.

    Returns:
        From word to id; the first id is 4, after PAD, UNK, START and END.

    Example:
        >>> build_vocabulary(["we see", "we hear"])
        {'hear': 4, 'see': 5, 'we': 6}
    """
    words = sorted({word for sentence in sentences for word in sentence.split()})
    return {word: place + FIRST_WORD for place, word in enumerate(words)}


def encode_batch(
    sentences: Sequence[str], vocabulary: Mapping[str, int], max_length: int
) -> tuple[np.ndarray, np.ndarray]:
    """Turn sentences into one array of ids, each with END, filled up with PAD, and say which ids are real.

    Args:
        sentences: B sentences, at least one, with white space between the words.
        vocabulary: from word to id; other words become UNK.
        max_length: int, the largest number of ids in a row, END included; at least 1. A longer sentence is cut and
            keeps its END.

    Returns:
        The ids, int32 (B, T), where T is the length of the longest row, and a boolean (B, T), True at real tokens.

    Raises:
        ValueError: there is no sentence, or `max_length` is below 1.

    Example:
        >>> ids, mask = encode_batch(["we see", "we"], {"see": 5, "we": 6}, max_length=9)
        >>> ids.tolist()
        [[6, 5, 3], [6, 3, 0]]
    """
    if not sentences or max_length < 1:
        raise ValueError(
            "There must be at least one sentence, and max_length must be at least 1. "
            f"Received: {len(sentences)} sentences and {max_length}."
        )
    rows = [[vocabulary.get(word, UNK) for word in sentence.split()][: max_length - 1] for sentence in sentences]
    ids = np.full((len(rows), 1 + max(map(len, rows))), PAD, dtype=np.int32)  # (B, T)
    for number, row in enumerate(rows):
        ids[number, : len(row) + 1] = [*row, END]
    return ids, ids != PAD


def token_accuracy(targets: Any, logits: Any) -> Any:
    """Compute the share of real tokens that get the highest score, each given the true tokens before it.

    It can be handed to `compile(metrics=[token_accuracy])`. It says little about whole sentences that a model writes by
    itself.

    Args:
        targets: integers (B, T), the tokens to predict; 0 is padding. Floats such as 7.0 count as 7.
        logits: float (B, T, V).

    Returns:
        Float32, one number from 0 to 1; 0 if there is no real token.

    Example:
        >>> float(token_accuracy(np.array([[1, 2, 0]]), np.eye(3, dtype="float32")[[[1, 1, 1]]]))
        0.5
    """
    targets = ops.cast(targets, "int32")
    right = ops.equal(ops.cast(ops.argmax(logits, axis=-1), "int32"), targets)  # (B, T)
    real = ops.not_equal(targets, PAD)
    count = ops.sum(ops.cast(real, "float32"))
    return ops.sum(ops.cast(ops.logical_and(right, real), "float32")) / ops.maximum(count, 1.0)


class TranslationModel(keras.Model):
    """Map a source and the beginning of its target to logits, as `llmcourse.models.translator.Transformer` does.

    Args:
        source_vocab_size, target_vocab_size: ints, V of each language.
        num_layers: int, layers in the encoder, and as many in the decoder.
        d_model: int, even, the width D.
        num_heads: int, H; divides `d_model`.
        d_ff: int, the hidden units of each feed-forward network.
        dropout: float, the share of entries that training sets to zero.

    Call arguments:
        inputs: the pair of source ids, integers (B, S), and target ids, integers (B, T), START first; 0 is padding.
        training: bool, whether dropout is on.

    Returns:
        The logits, float (B, T, V).
    """

    def __init__(
        self,
        source_vocab_size: int,
        target_vocab_size: int,
        num_layers: int,
        d_model: int,
        num_heads: int,
        d_ff: int,
        dropout: float,
    ):
        super().__init__()
        self.d_model = d_model
        self.source_embedding = keras.layers.Embedding(source_vocab_size, d_model)
        self.target_embedding = keras.layers.Embedding(target_vocab_size, d_model)
        self.positions = layers.PositionalEncoding()
        self.scale = d_model**0.5
        self.dropout = keras.layers.Dropout(dropout)
        self.encoder = layers.Encoder(num_layers, d_model, num_heads, d_ff, dropout)
        self.decoder = layers.Decoder(num_layers, d_model, num_heads, d_ff, dropout)
        self.to_logits = keras.layers.Dense(target_vocab_size)

    def build(self, input_shape: Any = None) -> None:
        """Make all weights; they do not depend on how long the sentences are."""
        width = (None, None, self.d_model)
        self.source_embedding.build((None, None))
        self.target_embedding.build((None, None))
        self.encoder.build(width)
        self.decoder.build(width, width)
        self.to_logits.build(width)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Encode the source, decode the target."""
        source_ids, target_ids = inputs
        source_mask = layers.padding_mask(source_ids)  # (B, 1, 1, S)
        mask = layers.combine_masks(layers.causal_mask(ops.shape(target_ids)[1]), layers.padding_mask(target_ids))
        x = self.positions(self.source_embedding(source_ids) * self.scale)  # (B, S, D)
        memory = self.encoder(self.dropout(x, training=training), mask=source_mask, training=training)
        y = self.positions(self.target_embedding(target_ids) * self.scale)  # (B, T, D)
        y = self.dropout(y, training=training)
        y = self.decoder(y, memory, mask=mask, memory_mask=source_mask, training=training)
        return self.to_logits(y)  # (B, T, V)


def build_translator(
    source_vocab_size: int,
    target_vocab_size: int,
    num_layers: int = 2,
    d_model: int = 64,
    num_heads: int = 4,
    d_ff: int = 128,
    dropout: float = 0.1,
) -> TranslationModel:
    """Build a model with all its weights, ready for `compile` and `fit((source_ids, inputs), labels)`.

    Args:
        source_vocab_size, target_vocab_size, num_layers, d_model, num_heads, d_ff, dropout: see `TranslationModel`.

    Returns:
        The model; its weights exist.

    Example:
        >>> model = build_translator(11, 13, num_layers=1, d_model=8, num_heads=2, d_ff=16)
        >>> tuple(model((np.array([[5, 7, 3]]), np.array([[2, 6]]))).shape)
        (1, 2, 13)
    """
    model = TranslationModel(source_vocab_size, target_vocab_size, num_layers, d_model, num_heads, d_ff, dropout)
    model.build()
    return model


def train_translator(sources: Sequence[str], targets: Sequence[str], seed: int) -> Callable[[Sequence[str]], list[str]]:
    """Train a translator of a small language and return it as a function from sentences to sentences.

    Args:
        sources: the sentences to learn from, with white space between the words.
        targets: their translations, as many.
        seed: int, for the first weights, the order of the batches and the dropout.

    Returns:
        A function that translates a list of sentences into a list of sentences.

    Raises:
        ValueError: there is no pair, or the two differ in number.
    """
    if not sources or len(sources) != len(targets):
        raise ValueError(f"sources and targets must be equally many. Received: {len(sources)} and {len(targets)}.")
    keras.utils.set_random_seed(seed)
    source_words, target_words = build_vocabulary(sources), build_vocabulary(targets)
    longest = 1 + max(len(sentence.split()) for sentence in [*sources, *targets])
    source_ids, _ = encode_batch(sources, source_words, longest)
    labels, _ = encode_batch(targets, target_words, longest)
    inputs = np.pad(labels[:, :-1], ((0, 0), (1, 0)), constant_values=START)
    sizes = (len(source_words) + FIRST_WORD, len(target_words) + FIRST_WORD)
    model = build_translator(*sizes, num_layers=1, d_model=64, num_heads=4, d_ff=128, dropout=0.0)
    model.compile(optimizer=keras.optimizers.Adam(3e-3), loss=label_smoothed_loss)
    model.optimizer.build(model.trainable_variables)
    model.fit((source_ids, inputs), labels, batch_size=64, epochs=7, verbose=0)
    words = {index: word for word, index in target_words.items()}

    def translate(sentences: Sequence[str]) -> list[str]:
        if not sentences:
            return []
        ids, _ = encode_batch(sentences, source_words, longest)
        written = greedy_decode(lambda source, target: model((source, target)), ids, longest)
        return [" ".join(words[index] for index in row if index in words) for row in written.tolist()]

    return translate
