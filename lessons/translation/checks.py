"""What right answers of the lesson `translation` must do. The oracles are plain Python and NumPy in float64."""

from itertools import pairwise

import numpy as np

from llmcourse.checking import (
    criterion,
    expect,
    expect_close,
    expect_equal,
    expect_shape,
    expect_unchanged,
)

PAD, UNK, START, END = 0, 1, 2, 3
MARK = "</w>"

# --- drawing inputs ---------------------------------------------------------------------------------------------------

CONSONANTS, VOWELS = "bdfgklmnprstvz", "aeiou"


def distinct_sizes(rng, count, low=2, high=9):
    """Draw sizes that all differ, so that a swapped axis cannot go unnoticed."""
    return [int(size) for size in rng.choice(np.arange(low, high), size=count, replace=False)]


def draw_words(rng, count, letters=VOWELS + CONSONANTS, shortest=2, longest=7):
    """Draw different words, in the order in which they were drawn."""
    words = {}
    while len(words) < count:
        length = int(rng.integers(shortest, longest + 1))
        words["".join(rng.choice(list(letters), size=length))] = True
    return list(words)


# --- exercise 1: bpe_merges -------------------------------------------------------------------------------------------


def join_pair(symbols, pair):
    joined, place = [], 0
    while place < len(symbols):
        found = tuple(symbols[place : place + 2]) == pair
        joined.append("".join(pair) if found else symbols[place])
        place += 2 if found else 1
    return joined


def pair_counts(words, word_counts):
    counts = {}
    for word, symbols in words.items():
        for pair in pairwise(symbols):
            counts[pair] = counts.get(pair, 0) + word_counts[word]
    return counts


def merges_of(word_counts, num_merges):
    """Learn the merges; of equally frequent pairs the smallest comes first."""
    words, merges = {word: [*word, MARK] for word in word_counts}, []
    for _ in range(num_merges):
        counts = pair_counts(words, word_counts)
        if not counts:
            break
        merges.append(min(counts, key=lambda pair: (-counts[pair], pair)))
        words = {word: join_pair(symbols, merges[-1]) for word, symbols in words.items()}
    return merges


def call_merges(student, word_counts, num_merges):
    """Call the learner's function; require a list of pairs of texts, and return them as tuples."""
    result = student.bpe_merges(word_counts, num_merges)
    expect(isinstance(result, list | tuple), required="bpe_merges(...) returns a list of pairs", received=result)
    for pair in result:
        fits = isinstance(pair, list | tuple) and len(pair) == 2 and all(isinstance(part, str) for part in pair)
        expect(fits, required="each merge is a pair of two texts, such as ('l', 'o')", received=pair)
    return [tuple(pair) for pair in result]


def expect_best_pairs(student, word_counts, num_merges):
    """Require of each pair that no other was more frequent when it was joined; any of equally frequent ones will do."""
    call = f"bpe_merges({word_counts}, {num_merges})"
    received = call_merges(student, word_counts, num_merges)
    words = {word: [*word, MARK] for word in word_counts}
    for number, pair in enumerate(received, start=1):
        counts = pair_counts(words, word_counts)
        expect(counts, required=f"{number - 1} pairs from {call}: then each word is one symbol", received=received)
        best = max(counts, key=counts.get)
        if counts.get(pair, 0) < counts[best]:
            required = f"pair {number} of {call} is {best}, which occurs {counts[best]} times"
            expect(False, required=required, received=f"{pair}, which occurs {counts.get(pair, 0)} times")
        words = {word: join_pair(symbols, pair) for word, symbols in words.items()}
    required = f"{num_merges} pairs from {call}"
    expect(len(received) == num_merges, required=required, received=f"{len(received)}: {received}")


@criterion(
    "bpe_merges",
    points=2,
    hints=[
        "How often does a pair occur in a text in which a word stands 500 times?",
        "Each place of the pair in a word counts as often as the word occurs: `counts[pair] += word_counts[word]`.",
        "`zip(symbols, symbols[1:])` gives the neighbours within one word.",
    ],
)
def the_first_merge_is_the_most_frequent_pair(student, rng):
    """The first pair is the one that occurs most often, where each word counts as often as the text has it."""

    for _ in range(3):
        words = draw_words(rng, 8, letters="abcdef", shortest=3)
        expect_best_pairs(student, {word: int(rng.integers(1, 200)) for word in words}, 1)


@criterion(
    "bpe_merges",
    points=3,
    hints=[
        "After ('l', 'o') was joined, what are the symbols of 'low', and which pairs do they make?",
        "Join the pair in all words, then count anew: now 'lo' is one symbol and can be part of the next pair.",
        "Count, take the best, join, and begin again, `num_merges` times.",
    ],
)
def later_merges_build_on_earlier_ones(student, rng):
    """After each merge the pairs are counted anew, and joined symbols can be joined again."""

    words = draw_words(rng, 9, letters="abcde", shortest=4, longest=8)
    word_counts = {word: int(rng.integers(1, 2000)) for word in words}
    expect_best_pairs(student, word_counts, int(rng.integers(8, 12)))


@criterion(
    "bpe_merges",
    hints=[
        "What are the symbols of the word 'we' at the beginning? There are three. And those of 'I'? There are two.",
        "'w', 'e' and '</w>', one symbol: `[*word, '</w>']`.",
    ],
)
def the_end_of_a_word_is_a_symbol(student, rng):
    """Each word ends with the symbol </w>, which is joined like any other, also in words of one letter."""
    letters = rng.permutation(list("abcdefghij"))
    last, others = letters[0], letters[1:]
    word_counts = {f"{other}{last}": int(rng.integers(3, 9)) for other in others[:5]}  # each ends with the same letter
    expect_equal(call_merges(student, word_counts, 1), [(str(last), MARK)], what=f"bpe_merges({word_counts}, 1)")
    # Without the word of one letter the last pair of the last word would be more frequent.
    word_counts = {f"{others[0]}{last}": 3, str(last): 10, f"{others[1]}{last}": 3, f"{others[2]}{others[3]}": 12}
    expect_equal(call_merges(student, word_counts, 1), [(str(last), MARK)], what=f"bpe_merges({word_counts}, 1)")


@criterion(
    "bpe_merges",
    hints=[
        "If two pairs are equally frequent, which one does your code take?",
        "The smallest pair, as Python compares tuples: ('a', 'd') is smaller than ('ab', 'a'), since 'a' < 'ab'.",
        "`min(counts, key=lambda pair: (-counts[pair], pair))`",
    ],
)
def the_smallest_of_equal_pairs_is_taken(student, rng):
    """Of equally frequent pairs the smallest comes first, in whatever order the words are given."""
    for _ in range(3):
        count = int(rng.integers(1, 6))
        words = ["".join(rng.permutation(list("abcdefghijkl"))[:4]) for _ in range(4)]
        word_counts = dict.fromkeys(words, count)
        expected = merges_of(word_counts, 5)
        expect_equal(call_merges(student, word_counts, 5), expected, what=f"bpe_merges({word_counts}, 5)")
    a, b, c = sorted(str(letter) for letter in rng.permutation(list("abcdefghijkl"))[:3])
    # First a and b are joined; then (a, c) is smaller than (ab, a), although "aba" comes before "ac".
    word_counts = {a + b + a + c: count}
    expected = merges_of(word_counts, 3)
    expect_equal(call_merges(student, word_counts, 3), expected, what=f"bpe_merges({word_counts}, 3)")


@criterion(
    "bpe_merges",
    hints=[
        "What becomes of 'x', 'a', 'b' when the pair is ('a', 'b')? And of 'xa', 'b'?",
        "A pair fits only where both symbols are equal to its parts. 'xa' is not 'a'. Compare symbols, not text.",
        "Walk through the list of symbols: two that fit are joined and passed over, others are kept.",
    ],
)
def only_whole_symbols_are_joined(student, rng):
    """A pair is joined only where its two symbols stand side by side, never where they are parts of longer symbols."""
    a, b, x, y, z = (str(letter) for letter in rng.permutation(list("abcdefghij"))[:5])
    # First x and a are joined in "xa" and "xab", then a and b elsewhere: "xa b" must stay as it is.
    word_counts = {f"{x}{a}": 97, f"{x}{a}{b}{y}": 11, f"{a}{b}{z}": 31, f"{z}{a}{b}": 29}
    expect_best_pairs(student, word_counts, 10)


@criterion(
    "bpe_merges",
    hints=[
        "How many pairs ('a', 'a') does 'aaaa' have, and what is left after joining them?",
        "Count all three neighbours; join from left to right without using a symbol twice: 'aa', 'aa'.",
        "After a join, go on two places further, not one.",
    ],
)
def runs_of_one_letter_are_joined_from_the_left(student, rng):
    """In 'aaa' the pair ('a', 'a') is counted twice and joined once, from the left: 'aa', 'a'."""
    letter, other, third = (str(item) for item in rng.permutation(list("abcde"))[:3])
    # The run has 48 pairs, 26 if none may overlap; another pair stands between the two.
    word_counts = {letter * 5: 7, letter * 3 + other: 5, other + letter * 4: 3, letter * 2: 1, other + third: 37}
    expect_best_pairs(student, word_counts, 6)


@criterion(
    "bpe_merges",
    hints=[
        "What is the most frequent pair if every word is a single symbol already?",
        "A pair that occurs once is joined too. Only when there is no pair at all, the loop ends.",
        "`if not counts: break`",
    ],
)
def it_stops_where_nothing_is_left_to_join(student, rng):
    """With more merges than pairs the list ends when each word is one symbol; no merges and no words give []."""
    word_counts = {word: int(rng.integers(1, 9)) for word in draw_words(rng, 3)}
    word_counts["".join(rng.permutation(list("chjqwxy"))[:3])] = 1  # letters of its own: all its pairs occur once
    received = call_merges(student, word_counts, 100)
    enough = len(merges_of(word_counts, 100))
    required = f"{enough} pairs from bpe_merges({word_counts}, 100)"
    expect(len(received) == enough, required=required, received=f"{len(received)}")
    expect_equal(call_merges(student, word_counts, 0), [], what="bpe_merges(..., 0)")
    expect_equal(call_merges(student, {}, 5), [], what="bpe_merges({}, 5)")


@criterion(
    "bpe_merges",
    hints=[
        "What are the symbols of 'Ab.'? Is the first one 'A' or 'a', and does the full stop belong to them?",
        "Take all characters as they are: no lower(), no strip(), and no regular expression, where '.' fits anything.",
        "`[*word, '</w>']`, and then compare symbols with `==` alone.",
    ],
)
def every_character_stays_as_it_is(student, rng):
    """Capital letters stay capital, and characters such as . or * are letters like others."""
    small, other, *rest = (str(letter) for letter in rng.permutation(list("abcdefghij")))
    capital = small.upper()
    # The capital's pair is the most frequent one; without the difference it would be another pair of texts.
    word_counts = dict.fromkeys([*(f"{capital}{other}{end}" for end in rest[:3]), f"{small}{other}{rest[3]}"], 1)
    expect_best_pairs(student, word_counts, 4)
    expect_best_pairs(student, dict.fromkeys(draw_words(rng, 6, letters="a.*+(\\|[é你"), 1), 7)


@criterion(
    "bpe_merges",
    hints=["Is word_counts the same after the call?", "Keep the symbols of each word in a dict of your own."],
)
def word_counts_stay_as_they_are(student, rng):
    """The dict with the counts is not changed."""
    word_counts = {word: int(rng.integers(1, 50)) for word in draw_words(rng, 6)}
    merges = call_merges(student, word_counts, 7)
    expect_unchanged(student)
    expect(merges, required=f"pairs from bpe_merges({word_counts}, 7)", received="none")


# --- exercise 2: encode_batch -----------------------------------------------------------------------------------------


def draw_vocabulary(rng, count=12):
    """Draw words, some of which only differ in case, with ids that are not in the order of the words."""
    words = draw_words(rng, count - 2)
    words += [word.capitalize() for word in words[:2]]
    ids = 4 + rng.permutation(count + 5)[:count]
    return {word: int(index) for word, index in zip(words, ids, strict=True)}


def draw_sentence(rng, vocabulary, length):
    return " ".join(rng.choice(list(vocabulary), size=length)) if length else ""


def encoded(sentences, vocabulary, max_length):
    rows = [[*[vocabulary.get(word, UNK) for word in text.split()][: max_length - 1], END] for text in sentences]
    ids = np.zeros((len(rows), max(map(len, rows))), dtype=int)
    for row, values in zip(ids, rows, strict=True):
        row[: len(values)] = values
    return ids, np.arange(ids.shape[1]) < np.array([[len(row)] for row in rows])


def call_encode(student, sentences, vocabulary, max_length):
    """Call the learner's function and require a pair of arrays with two axes."""
    result = student.encode_batch(sentences, vocabulary, max_length)
    fits = isinstance(result, tuple | list) and len(result) == 2
    expect(fits, required="encode_batch(...) returns a pair: ids and mask", received=result)
    for name, array in zip(("ids", "mask"), result, strict=True):
        is_array = isinstance(array, np.ndarray) and array.ndim == 2
        received = f"shape {array.shape}" if isinstance(array, np.ndarray) else array
        expect(is_array, required=f"{name} is an array (B, T)", received=received)
    return result


def expect_ids(student, sentences, vocabulary, max_length):
    ids, _ = call_encode(student, sentences, vocabulary, max_length)
    what = f"the ids of {sentences!r} with max_length {max_length}"
    expect_equal(ids, encoded(sentences, vocabulary, max_length)[0], what=what)


@criterion(
    "encode_batch",
    points=2,
    hints=[
        "What is the row of a sentence with three known words?",
        "Three ids from the vocabulary, then 3, which is END: four numbers. START does not belong to it.",
        "`[vocabulary[word] for word in sentence.split()] + [3]`, in an array of int32: uint8 would end at 255.",
    ],
)
def each_row_has_the_ids_of_the_words_and_end(student, rng):
    """Each row holds the ids of the sentence's words in their order, large ids too, and then END (3)."""
    vocabulary, (count, length) = draw_vocabulary(rng), distinct_sizes(rng, 2, low=3)
    sentences = [draw_sentence(rng, vocabulary, length) for _ in range(count)]
    expect_ids(student, sentences, vocabulary, 20)
    word = str(rng.choice(list(vocabulary)))
    vocabulary[word] = int(rng.integers(70_000, 200_000))
    expect_ids(student, [f"{word} {sentences[0]}"], vocabulary, 20)


@criterion(
    "encode_batch",
    points=2,
    hints=[
        "What stands in the array behind the END of a short sentence? And how many columns are there?",
        "PAD (0). There are as many columns as the longest row of this batch needs, not max_length.",
        "`np.zeros((len(rows), max(len(row) for row in rows)), dtype='int32')`, then fill in row after row.",
    ],
)
def short_rows_are_filled_up_to_the_longest(student, rng):
    """Rows are filled up with PAD (0) at the end, up to the length of the longest row of this batch."""
    vocabulary = draw_vocabulary(rng)
    lengths = rng.permutation([1, 2, 4, int(rng.integers(5, 8)), 3])
    expect_ids(student, [draw_sentence(rng, vocabulary, length) for length in lengths], vocabulary, 15)


@criterion(
    "encode_batch",
    hints=[
        "What does `vocabulary[word]` do with a word that it does not know?",
        "Unknown words become 1, UNK: `vocabulary.get(word, 1)`. Compare each word as it is, with case and full stop.",
    ],
)
def unknown_words_become_unk(student, rng):
    """A word that the vocabulary lacks becomes UNK (1), also where only upper and lower case or a full stop differ."""
    vocabulary = draw_vocabulary(rng)
    known = list(vocabulary)
    unknown = [word for word in draw_words(rng, 30) if word not in vocabulary][:3]
    unknown += [known[5].upper(), *(known[int(rng.integers(len(known)))] + end for end in ".?!")]
    sentences = []
    for word in unknown:
        words = list(rng.choice(known, size=3))
        words.insert(int(rng.integers(4)), word)
        sentences.append(" ".join(words))
    expect_ids(student, sentences, vocabulary, 12)


@criterion(
    "encode_batch",
    points=2,
    hints=[
        "A sentence has ten words and max_length is 6. What are its six ids?",
        "Five words and END. A row without END says that the sentence goes on.",
        "Cut the words first, `[: max_length - 1]`, then append END.",
    ],
)
def a_sentence_that_is_cut_keeps_its_end(student, rng):
    """A longer sentence is cut to max_length ids, of which the last is END; one that just fits is not cut."""
    vocabulary, max_length = draw_vocabulary(rng), int(rng.integers(4, 8))
    for lengths in ((max_length + 4, 2), (max_length, max_length + 1), (max_length - 1, max_length - 2), (1, 3)):
        sentences = [draw_sentence(rng, vocabulary, length) for length in lengths]
        expect_ids(student, sentences, vocabulary, max_length)
    expect_ids(student, [draw_sentence(rng, vocabulary, 2)], vocabulary, 1)


@criterion(
    "encode_batch",
    points=2,
    hints=[
        "Of which dtype is your mask, and where is it True?",
        "Booleans: True at every id that is not PAD. END and UNK are real tokens.",
        "`mask = ids != 0`",
    ],
)
def the_mask_is_true_at_real_tokens(student, rng):
    """The mask is boolean, has the shape of the ids, and is True at words, UNK and END, False at PAD."""
    vocabulary = draw_vocabulary(rng)
    sentences = [draw_sentence(rng, vocabulary, length) for length in rng.permutation([2, 5, 3, 7])]
    sentences[int(rng.integers(4))] += " ????"
    ids, mask = call_encode(student, sentences, vocabulary, 20)
    _, real = encoded(sentences, vocabulary, 20)
    expect(mask.dtype == bool, required="a mask of booleans", received=f"dtype {mask.dtype}")
    expect_equal(mask, real, what=f"the mask of {sentences!r}")
    expect(ids.dtype.kind in "iu", required="ids that are integers", received=f"dtype {ids.dtype}")


@criterion(
    "encode_batch",
    hints=[
        "What does `'a  b'.split(' ')` give, with two spaces between a and b?",
        "An empty word. `split()` without an argument cuts at any white space and never gives an empty word.",
    ],
)
def any_white_space_separates_words(student, rng):
    """Several spaces, tabs and line ends separate words just like one space; an empty sentence is END alone."""
    vocabulary = draw_vocabulary(rng)
    words = rng.choice(list(vocabulary), size=4)
    spaced = f"  {words[0]}   {words[1]}\t{words[2]}\n{words[3]} "
    expect_ids(student, [spaced, draw_sentence(rng, vocabulary, 2), "", "   "], vocabulary, 9)


@criterion(
    "encode_batch",
    hints=[
        "Are vocabulary and sentences the same after the call?",
        "`setdefault` writes unknown words into the vocabulary; `get` does not.",
    ],
)
def vocabulary_and_sentences_stay_as_they_are(student, rng):
    """The vocabulary learns nothing, the list of sentences is not changed, and a batch of one sentence works."""
    vocabulary = draw_vocabulary(rng)
    sentences = [f"{draw_sentence(rng, vocabulary, 1)} unknown {draw_sentence(rng, vocabulary, 4)}"]
    ids, _ = call_encode(student, sentences, vocabulary, 4)
    expect_unchanged(student)
    expect_equal(ids, encoded(sentences, vocabulary, 4)[0], what=f"the ids of {sentences!r} with max_length 4")


# --- exercise 3: token_accuracy ---------------------------------------------------------------------------------------


def draw_predictions(rng, share=0.6, lengths=None):
    """Draw targets (B, T) with padding and logits (B, T, V), of which about a share are right at real tokens."""
    count, length, size = distinct_sizes(rng, 3, low=4, high=11)
    lengths = rng.integers(1, length + 1, size=count) if lengths is None else np.array(lengths)
    length = max(length, int(lengths.max()))
    targets = rng.integers(1, size, size=(len(lengths), length)).astype(np.int32)
    targets[np.arange(length) >= lengths[:, None]] = PAD
    logits = rng.normal(size=(*targets.shape, size)).astype(np.float32)
    np.put_along_axis(logits, targets[..., None], -9.0, axis=-1)
    second = rng.uniform(size=targets.shape) < 0.5  # where the target is not the best it may be the second best
    values = np.where(second, logits.max(axis=-1) - 0.01, -9.0)
    values = np.where(rng.uniform(size=targets.shape) < share, 9.0, values).astype(np.float32)
    np.put_along_axis(logits, targets[..., None], values[..., None], axis=-1)
    return targets, logits


def share_right(targets, logits):
    real = targets != PAD
    return float((logits.argmax(axis=-1) == targets)[real].mean()) if real.any() else 0.0


def expect_accuracy(student, targets, logits, what):
    result = student.token_accuracy(targets, logits)
    expect_close(expect_shape(result, (), what=what), share_right(targets, logits), what=what)


@criterion(
    "token_accuracy",
    points=2,
    hints=[
        "Which token does the model choose at each position?",
        "The one with the largest logit: argmax over the last axis, (B, T, V) to (B, T). Compare it with the targets.",
        "`ops.equal(ops.cast(ops.argmax(logits, axis=-1), 'int32'), targets)`, then the mean as a float.",
    ],
)
def it_is_the_share_of_right_tokens(student, rng):
    """Without padding the result is the share of positions whose largest logit is that of the target."""
    for share in (0.7, 0.2):
        count, length = distinct_sizes(rng, 2, low=4, high=11)
        targets, logits = draw_predictions(rng, share, [length] * count)
        targets, logits = targets[:, :length], logits[:, :length]
        expect_accuracy(student, targets, logits, "token_accuracy without padding")


@criterion(
    "token_accuracy",
    points=3,
    hints=[
        "What happens to your number if you append a hundred columns of padding?",
        "Nothing may happen: positions whose target is 0 count neither as right nor in the number of tokens.",
        "`ops.sum(right and real) / ops.sum(real)`, with `real = ops.not_equal(targets, 0)` cast to float32.",
    ],
)
def padding_does_not_count(student, rng):
    """Positions with target PAD (0) have no part in it, whatever the model says there and however many there are."""
    targets, logits = draw_predictions(rng)
    extra = int(rng.integers(3, 7))
    wider = np.pad(targets, ((0, 0), (0, extra)))
    for at_padding in (-9, 9):  # the model says something else there, or PAD
        longer = np.pad(logits, ((0, 0), (0, extra), (0, 0)))
        longer[wider == PAD, PAD] = at_padding
        expect_accuracy(student, wider, longer, "token_accuracy with padding")


@criterion(
    "token_accuracy",
    points=2,
    hints=[
        "Is your result a mean over tokens, or a mean of the sentences' means?",
        "A sentence of nine tokens counts nine times as much as one of a single token: sum over the whole batch.",
    ],
)
def every_token_weighs_the_same(student, rng):
    """The mean is taken over all real tokens of the batch, not over sentences."""
    long = int(rng.integers(8, 12))
    targets, logits = draw_predictions(rng, 1.0, [long, 1, 2])
    for row in (1, 2):
        logits[row, :, PAD] = 20  # the short ones are wrong
    expect_accuracy(student, targets, logits, "token_accuracy of one long and two short sentences")


@criterion(
    "token_accuracy",
    hints=[
        "Is a prediction of PAD at a real token right, wrong, or left out?",
        "Wrong. Only the target says which positions are real; never look at the prediction for it.",
    ],
)
def only_the_targets_say_what_is_padding(student, rng):
    """A model that says PAD where a word is wanted is wrong there; END and UNK are tokens like others."""
    for special in (UNK, END, UNK, END):  # twice, lest a wrong way of counting gives the right share by chance
        targets, logits = draw_predictions(rng, 0.8)
        real = np.argwhere(targets != PAD)[1:]  # without the very first token, which is right
        for row, place in real[rng.permutation(len(real))[: max(1, len(real) // 3)]]:
            logits[row, place, PAD] = 30
        targets[0, 0] = special
        logits[0, 0] = 0
        logits[0, 0, special] = 40
        expect_accuracy(student, targets, logits, f"token_accuracy where a target is {special}")


@criterion(
    "token_accuracy",
    hints=[
        "How many real tokens does a batch of nothing but padding have?",
        "0 / 0 is nan. `ops.maximum(ops.sum(real), 1.0)` never is 0.",
    ],
)
def a_batch_of_padding_gives_zero(student, rng):
    """If all targets are padding the result is 0 and not nan."""
    targets, logits = draw_predictions(rng)
    expect_accuracy(student, 0 * targets, logits, "token_accuracy of nothing but padding")


COMPILED = """
import keras as _keras


def describe_compiled(length, vocabulary):
    try:
        result = token_accuracy(_keras.Input((length,)), _keras.Input((length, vocabulary)))
        return f"a result of shape {tuple(result.shape)}"
    except Exception as error:
        return f"{type(error).__name__}: {str(error).strip()[:200]}"
"""


@criterion(
    "token_accuracy",
    hints=[
        "Keras hands the targets over as floats, and compiles your function. What does 7.0 == 7 give in your code?",
        "Cast first, `targets = ops.cast(targets, 'int32')`, and use functions of `ops` instead of NumPy's throughout.",
    ],
)
def it_works_as_a_metric_of_fit(student, rng):
    """Targets may be floats such as 7.0, and Keras can compile the function, as `metrics=[token_accuracy]` requires."""
    targets, logits = draw_predictions(rng)
    own = np.asarray(student.token_accuracy(targets, logits))  # right or wrong, it must be the same for floats
    what = "token_accuracy for targets as floats, the same as for integers"
    expect_close(student.token_accuracy(targets.astype(np.float32), logits), own, what=what)
    student.define(COMPILED)
    received = student.describe_compiled(*logits.shape[1:])
    required = "token_accuracy can be compiled: it gives one number also for tensors whose values come later"
    expect(received == "a result of shape ()", required=required, received=received)


# --- exercise 4: build_translator -------------------------------------------------------------------------------------

WEIGHTS = """
def weights_of(model):
    parts = ("source_embedding", "target_embedding", "encoder", "decoder", "to_logits")
    missing = [name for name in parts if not hasattr(model, name)]
    return {"missing": missing} if missing else {name: getattr(model, name).get_weights() for name in parts}


def logits_of(model, source_ids, target_ids, training=False):
    return model((source_ids, target_ids), training=training)
"""


class DrawnModel:
    """A small model of the learner with drawn weights, and ids that all its tests use."""

    def __init__(self, student, rng, dropout=0.0, num_layers=1, redraw=True):
        student.define(WEIGHTS)
        sentences, target, source = distinct_sizes(rng, 3, low=2, high=7)
        heads, key_dim = int(rng.integers(2, 4)), 2 * int(rng.integers(2, 4))
        source_vocab, target_vocab = (int(size) for size in rng.choice(np.arange(11, 24), size=2, replace=False))
        self.student, self.heads, self.width = student, heads, heads * key_dim
        self.num_layers = num_layers
        self.vocabularies, self.hidden = (source_vocab, target_vocab), self.width + int(rng.integers(3, 9))
        self.sizes = {
            "source_vocab_size": source_vocab,
            "target_vocab_size": target_vocab,
            "num_layers": self.num_layers,
            "d_model": self.width,
            "num_heads": heads,
            "d_ff": self.hidden,
            "dropout": dropout,
        }
        self.model = student.build_translator(**self.sizes)
        self.source = rng.integers(4, source_vocab, size=(sentences, source + 2)).astype(np.int32)
        self.target = rng.integers(4, target_vocab, size=(sentences, target + 2)).astype(np.int32)
        self.target[:, 0] = START
        if redraw:  # all weights at random, biases and norms too
            values = [np.asarray(value) for value in self.model.get_weights()]
            moved = [value + rng.normal(scale=0.3, size=value.shape).astype(np.float32) for value in values]
            self.model.set_weights(moved)

    def logits(self, source=None, target=None, training=False):
        """Ask the model; require (B, T, V)."""
        source = self.source if source is None else source
        target = self.target if target is None else target
        result = self.student.logits_of(self.model, source, target, training)
        shape = (*target.shape, self.vocabularies[1])
        what = f"model((source_ids {source.shape}, target_ids {target.shape}))"
        return np.asarray(expect_shape(result, shape, what=what), dtype=np.float64)

    def weights(self):
        """Return the weights of each part; require that the model has the parts."""
        weights = self.student.weights_of(self.model)
        if "missing" in weights:
            required = "the model has the attributes that the text names"
            expect(False, required=required, received=f"no {' and no '.join(weights['missing'])}")
        return weights

    def count(self):
        """Count the parameters that such a model has."""
        width, hidden = self.width, self.hidden
        attention, norm = 4 * (width * width + width), 2 * width
        feed_forward = width * hidden + hidden + hidden * width + width
        encoder = self.num_layers * (attention + feed_forward + 2 * norm) + norm
        decoder = self.num_layers * (2 * attention + feed_forward + 3 * norm) + norm
        return sum(self.vocabularies) * width + encoder + decoder + (width + 1) * self.vocabularies[1]


def other_token(ids, place, vocabulary, rng):
    """Return ids with another word at one place of each row."""
    changed = ids.copy()
    changed[:, place] = 4 + (ids[:, place] - 4 + int(rng.integers(1, vocabulary - 4))) % (vocabulary - 4)
    return changed


def moved_by(before, after):
    """Measure how far each position's logits moved, in the sentence where they moved least and most: (T,) each."""
    moves = np.abs(after - before).max(axis=-1)
    return moves.min(axis=0), moves.max(axis=0)


def normalise(x, gamma, beta):
    return gamma * (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(x.var(axis=-1, keepdims=True) + 1e-5) + beta


def attend(query, value, weights, mask):
    """Compute multi-head attention of query (B, T, D) over value (B, S, D); the mask broadcasts to (B, H, T, S)."""
    wq, bq, wk, bk, wv, bv, wo, bo = weights
    q = np.einsum("btd,dhk->bhtk", query, wq) + bq[:, None, :]
    k = np.einsum("bsd,dhk->bhsk", value, wk) + bk[:, None, :]
    v = np.einsum("bsd,dhk->bhsk", value, wv) + bv[:, None, :]
    scores = np.where(mask, np.einsum("bhtk,bhsk->bhts", q, k) / np.sqrt(wq.shape[-1]), -np.inf)
    exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return np.einsum("bhts,bhsk,hkd->btd", shares, v, wo) + bo


def embed(ids, table):
    """Look up, scale and add the positions."""
    width = table.shape[1]
    angles = np.arange(ids.shape[1])[:, None] / 10000 ** (np.arange(0, width, 2) / width)
    positions = np.zeros((ids.shape[1], width))
    positions[:, ::2], positions[:, 1::2] = np.sin(angles), np.cos(angles)
    return table[ids] * np.sqrt(width) + positions


class Reader:
    """Hand out the weights of a stack one after the other."""

    def __init__(self, values):
        self.values = [np.asarray(value, dtype=np.float64) for value in values]

    def take(self, count):
        taken, self.values = self.values[:count], self.values[count:]
        return taken


def sub_layers(kind, weights):
    """Sort the weights of one layer, each sub-layer with its norm, as the package's layers list them."""
    names = ("self",) if kind == "encoder" else ("self", "cross")
    attentions = [(name, weights.take(8), weights.take(2)) for name in names]
    return attentions, weights.take(4), weights.take(2)


def run_stack(kind, x, weights, num_layers, mask, memory=None, memory_mask=None):
    weights = Reader(weights)
    for _ in range(num_layers):
        attentions, (first, first_bias, second, second_bias), norm = sub_layers(kind, weights)
        for name, attention, attention_norm in attentions:
            y = normalise(x, *attention_norm)
            x = x + (attend(y, y, attention, mask) if name == "self" else attend(y, memory, attention, memory_mask))
        x = x + np.maximum(normalise(x, *norm) @ first + first_bias, 0) @ second + second_bias
    return normalise(x, *weights.take(2))


def oracle(weights, source, target, num_layers):
    """Compute the logits (B, T, V) of the whole model in float64."""
    tables = {name: np.asarray(weights[name][0], dtype=np.float64) for name in ("source_embedding", "target_embedding")}
    source_mask = (source != PAD)[:, None, None, :]
    length = target.shape[1]
    mask = (target != PAD)[:, None, None, :] & np.tril(np.ones((length, length), dtype=bool))
    memory = run_stack(
        "encoder", embed(source, tables["source_embedding"]), weights["encoder"], num_layers, source_mask
    )
    x = embed(target, tables["target_embedding"])
    x = run_stack("decoder", x, weights["decoder"], num_layers, mask, memory, source_mask)
    kernel, bias = (np.asarray(value, dtype=np.float64) for value in weights["to_logits"])
    return x @ kernel + bias


@criterion(
    "build_translator",
    hints=[
        "With which two numbers of tokens do the two embeddings and the last layer work?",
        "The source has its own vocabulary. The logits are for the words of the target: target_vocab_size of them.",
        "`return self.to_logits(y)` with `self.to_logits = keras.layers.Dense(target_vocab_size)`",
    ],
)
def the_logits_have_a_place_for_each_target_word(student, rng):
    """model((source_ids (B, S), target_ids (B, T))) has the shape (B, T, target_vocab_size), for any B, S and T."""
    drawn = DrawnModel(student, rng, redraw=False)
    drawn.logits()
    source_vocab, target_vocab = drawn.vocabularies
    highest = np.full((1, 2), source_vocab - 1, dtype=np.int32), np.full((1, 3), target_vocab - 1, dtype=np.int32)
    logits = drawn.logits(*highest)
    expect(np.isfinite(logits).all(), required="finite logits for the last ids of both vocabularies", received=logits)


@criterion(
    "build_translator",
    points=2,
    hints=[
        "How many weights has the model as soon as it is built, and which part of it is missing or too large?",
        "Two embeddings, an Encoder and a Decoder of num_layers layers each, and one Dense layer with a bias.",
        "`layers.Encoder(num_layers, d_model, num_heads, d_ff, dropout)`, and the same for the decoder.",
    ],
)
def it_has_the_parameters_of_its_parts(student, rng):
    """Right after it is built the model has exactly the parameters of its five parts, whatever the sizes."""
    drawn = DrawnModel(student, rng, num_layers=2, redraw=False)
    words = ", ".join(f"{name} {value}" for name, value in drawn.sizes.items() if name != "dropout")
    expect_equal(drawn.model.count_params(), drawn.count(), what=f"parameters for {words}")


@criterion(
    "build_translator",
    points=2,
    hints=[
        "Change the last target token: which logits may move?",
        "Only those of the last position. Which mask hides the future from the self-attention of the decoder?",
        "`layers.combine_masks(layers.causal_mask(target_ids.shape[1]), layers.padding_mask(target_ids))`",
    ],
)
def no_position_sees_the_future(student, rng):
    """The leak test: when a target token changes, the logits before it stay, and those at and after it move."""
    drawn = DrawnModel(student, rng)
    before, length = drawn.logits(), drawn.target.shape[1]
    place = int(rng.integers(1, length - 1))
    least, most = moved_by(before, drawn.logits(target=other_token(drawn.target, place, drawn.vocabularies[1], rng)))
    required = f"logits before position {place} that stay when the token at {place} changes"
    expect(most[:place].max() < 1e-4, required=required, received=f"they move by {most[:place].max():.2g}")
    required = f"logits from position {place} on that move when the token at {place} changes"
    expect(least[place:].min() > 1e-4, required=required, received="some stay as they are")


@criterion(
    "build_translator",
    points=2,
    hints=[
        "Append two columns of PAD to the source: which attention may now see them?",
        "None. The encoder's self-attention and the cross-attention both need the padding mask of the source.",
        "`self.encoder(x, mask=source_mask)` and `self.decoder(..., memory_mask=source_mask)`",
    ],
)
def padding_changes_nothing(student, rng):
    """The padding test: with more PAD at the end of source and target the logits of the real positions stay."""
    drawn = DrawnModel(student, rng)
    before, length = drawn.logits(), drawn.target.shape[1]
    extra = int(rng.integers(1, 4))
    source, target = (np.pad(ids, ((0, 0), (0, extra))) for ids in (drawn.source, drawn.target))
    after = drawn.logits(source, target)[:, :length]
    expect_close(after, before, what=f"the logits after {extra} PAD were appended to both sides", tolerance=1e-4)


@criterion(
    "build_translator",
    points=2,
    hints=[
        "Change one word of the source: which logits should move?",
        "All of them: the decoder attends to the memory, which the encoder makes of the source.",
        "`memory = self.encoder(...)`, then `self.decoder(y, memory, mask=mask, memory_mask=source_mask)`.",
    ],
)
def every_source_word_and_its_place_matter(student, rng):
    """All logits depend on each word of the source, on the words' order, and on nothing in other sentences."""
    drawn = DrawnModel(student, rng)
    before, length = drawn.logits(), drawn.source.shape[1]
    place = int(rng.integers(2, length))
    least, _ = moved_by(before, drawn.logits(other_token(drawn.source, place, drawn.vocabularies[0], rng)))
    required = f"logits that move at every position when source token {place} changes"
    expect(least.min() > 1e-4, required=required, received="some stay as they are")
    _, most = moved_by(before[:1], drawn.logits(drawn.source[:, ::-1].copy())[:1])
    expect(most.min() > 1e-4, required="other logits for the source in another order", received="the same ones")
    alone = drawn.logits(drawn.source[:1], drawn.target[:1])
    expect_close(alone, before[:1], what="the logits of the first sentence alone", tolerance=1e-4)


@criterion(
    "build_translator",
    points=2,
    hints=[
        "Is there a softmax at the end, or a relu? Are both embeddings scaled and given their positions?",
        "Embedding times sqrt(d_model), plus positions, encoder; the same for the decoder; then Dense alone.",
        "`self.positions(self.source_embedding(source_ids) * self.scale)`, and the same with the target's.",
    ],
)
def the_logits_are_those_of_the_formula(student, rng):
    """With any weights the logits are those of embedding, positions, encoder, decoder and Dense, without a softmax."""
    drawn = DrawnModel(student, rng)
    weights = drawn.weights()
    drawn.source[0, -2:] = PAD
    drawn.target[-1, -1:] = PAD
    expected = oracle(weights, drawn.source, drawn.target, drawn.num_layers)
    real = drawn.target != PAD
    expect_close(drawn.logits()[real], expected[real], what="the logits of the real positions", tolerance=1e-3)


@criterion(
    "build_translator",
    hints=[
        "What should training=True change with dropout=0.4, and what with dropout=0?",
        "`training` reaches inner layers by itself, unless you write another value. The rate is `dropout`.",
        "`self.dropout = keras.layers.Dropout(dropout)`, and `x = self.dropout(x, training=training)`.",
    ],
)
def dropout_is_on_in_training_only(student, rng):
    """With dropout, training=True gives other logits at each call; training=False and dropout=0 always the same."""
    drawn = DrawnModel(student, rng, dropout=0.4)
    expect_close(drawn.logits(), drawn.logits(), what="the logits of a second call, training=False", tolerance=1e-6)
    apart = np.abs(drawn.logits(training=True) - drawn.logits(training=True)).max()
    expect(apart > 1e-3, required="other logits in each call with training=True", received="the same ones")
    drawn = DrawnModel(student, rng, dropout=0.0)
    expect_close(drawn.logits(training=True), drawn.logits(), what="the logits with dropout=0 and training=True")


RECORDED = """
def record(part):
    call, seen = part.call, {}

    def recording(x, *args, **kwargs):
        seen["given"] = x
        seen["returned"] = call(x, *args, **kwargs)
        return seen["returned"]

    part.call = recording
    return seen


def recorded(model, source_ids, target_ids):
    seen = {"encoder": record(model.encoder), "decoder": record(model.decoder)}
    model((source_ids, target_ids), training=True)
    return seen
"""


@criterion(
    "build_translator",
    points=2,
    hints=[
        "At which four places does dropout act: twice in `call`, and where else?",
        "On both sums of embedding and positions, and within Encoder and Decoder, which take it as an argument.",
        "`x = self.dropout(self.positions(...), training=training)`, twice; `layers.Encoder(..., d_ff, dropout)`, and "
        "`layers.Decoder` too.",
    ],
)
def dropout_acts_at_all_four_places(student, rng):
    """In training, dropout acts on both sums of embedding and positions, and within the encoder and the decoder."""
    rate = 0.9999  # nearly nothing passes a dropout, so that whatever passes has not met one
    drawn = DrawnModel(student, rng, dropout=rate)
    weights = drawn.weights()
    student.define(RECORDED)
    recorded = student.recorded(drawn.model, drawn.source, drawn.target)
    asked = f"with dropout={rate} and training=True"
    for part, language in (("encoder", "source"), ("decoder", "target")):
        expect(recorded[part], required=f"`call` uses self.{part}", received="it does not")
        passed = float(np.mean(np.asarray(recorded[part]["given"]) != 0))
        required = f"dropout on the {language}'s embedding plus positions: {asked} hardly an entry that is not 0"
        expect(passed < 0.2, required=required, received=f"{passed:.0%} are not 0")
    for part in recorded:
        # Where the short cuts carry 0 and nothing is added to them, the final norm returns its beta everywhere.
        moved = np.abs(np.asarray(recorded[part]["returned"]) - np.asarray(weights[part][-1]))  # (B, S or T, D)
        passed = float(np.mean(moved.max(axis=-1) > 1e-3))
        required = f"dropout within the {part}: {asked} its layers add nothing at nearly all positions"
        expect(passed < 0.4, required=required, received=f"they add something at {passed:.0%} of the positions")


# --- exercise 5: train_translator -------------------------------------------------------------------------------------

NOUNS = ("cat", "dog", "fox", "horse", "child", "king", "queen", "bird")
ADJECTIVES = ("small", "old", "red", "happy", "quiet", "wise")
VERBS = ("sees", "likes", "helps", "follows", "hears", "calls")
TIMES = ("today", "yesterday", "often")


class SmallLanguage:
    """A language of the grader's: the order is another one, articles agree with nouns, and each word has a new name.

    "today the small cat sees a dog" becomes: object noun, adjective, article; subject noun, adjective, article; time;
    the verb at the end, and "never" in front of it.
    """

    def __init__(self, rng):
        self.rng = rng
        self.gender = dict(zip(NOUNS, rng.permutation(np.arange(len(NOUNS)) % 2).tolist(), strict=True))
        names = [*NOUNS, *ADJECTIVES, *VERBS, *TIMES, "never", "the 0", "the 1", "a 0", "a 1"]
        self.words = dict(zip(names, rng.permutation(self._syllables(len(names))).tolist(), strict=True))

    def _syllables(self, count):
        words = {}
        while len(words) < count:
            letters = [self.rng.choice(list(kind)) for _ in range(2) for kind in (CONSONANTS, VOWELS)]
            words["".join(letters)] = True
        return list(words)

    def draw(self, count, known=()):
        """Draw different pairs of sentences; none of them is in `known`."""
        pairs, known = {}, set(known)
        while len(pairs) < count:
            source, target = self.pair()
            if source not in known:
                pairs[source] = target
        return list(pairs), list(pairs.values())

    def pair(self):
        choose = self.rng.choice
        time, never = choose(["", *TIMES]), bool(self.rng.integers(3) == 0)
        verb = str(choose(VERBS))
        subject, asubject = self.phrase()
        thing, athing = self.phrase()
        source = [time, *subject, "never" if never else "", verb, *thing]
        target = [*athing, *asubject, time, "never" if never else "", verb]
        return " ".join(word for word in source if word), " ".join(self.words[word] for word in target if word)

    def phrase(self):
        """Draw article, adjective or none, and noun; return the source's words and the names of the target's."""
        article, noun = str(self.rng.choice(["the", "a"])), str(self.rng.choice(NOUNS))
        adjective = str(self.rng.choice(ADJECTIVES)) if self.rng.integers(2) else ""
        return (article, adjective, noun), (noun, adjective, f"{article} {self.gender[noun]}")


TRANSLATE = """
def translate_all(sources, targets, seed, questions):
    translate = train_translator(sources, targets, seed)
    if not callable(translate):
        return f"{type(translate).__name__}"
    return [translate(list(sentences)) for sentences in questions]
"""


def call_train(student, sources, targets, rng, questions):
    """Train, ask several lists of sentences, and require a list of as many texts for each."""
    student.define(TRANSLATE)
    answers = student.translate_all(sources, targets, int(rng.integers(2**31)), questions)
    expect_unchanged(student)
    expect(not isinstance(answers, str), required="train_translator(...) returns a function", received=f"a {answers}")
    for sentences, received in zip(questions, answers, strict=True):
        fits = isinstance(received, list | tuple) and all(isinstance(text, str) for text in received)
        expect(fits, required="the function returns a list of sentences, each a str", received=received)
        required = f"{len(sentences)} translations of {len(sentences)} sentences"
        expect(len(received) == len(sentences), required=required, received=f"{len(received)}")
    return [list(received) for received in answers]


def share_equal(received, expected):
    return sum(a == b for a, b in zip(received, expected, strict=True)) / len(expected)


@criterion(
    "train_translator",
    points=2,
    slow=True,
    hints=[
        "Print what your function gives for a training sentence. Does it end where it should? Is START in it?",
        "Inputs begin with START, labels end with END; when you write, stop at END and join the words before it.",
        "Each sentence is translated by itself: row i of the result belongs to sentence i.",
    ],
)
def a_tiny_language_is_learned_by_heart(student, rng):
    """Sentences of one or two words are translated right, alone and among others; no sentences give an empty list."""
    names = [str(word) for word in rng.permutation(draw_words(rng, 12, shortest=4))]
    words = dict(zip(names[:6], names[6:], strict=True))
    sentences = [[first] for first in words] + [[first, second] for first in words for second in words]
    pairs = [(" ".join(words_), " ".join(words[word] for word in reversed(words_))) for words_ in sentences]
    shuffled = [pairs[place] for place in rng.permutation(np.repeat(np.arange(len(pairs)), 30))]
    sources, targets = [source for source, _ in shuffled], [target for _, target in shuffled]
    asked = [pairs[place] for place in rng.permutation(len(pairs))]
    questions = [[source for source, _ in asked], [asked[0][0]], [], [f"{names[0]} unknown"]]
    answers = call_train(student, sources, targets, rng, questions)
    share = share_equal(answers[0], [target for _, target in asked])
    expect(share >= 0.9, required="at least 90 % of the tiny language right", received=f"{share:.0%}")
    expect_equal(answers[1], answers[0][:1], what="the translation of a sentence alone, after others")


@criterion(
    "train_translator",
    points=4,
    slow=True,
    hints=[
        "What share of the hidden sentences is right: none, half, or nearly all?",
        "None: look at what comes out. Half: more epochs. Are the labels one token ahead of the inputs?",
        "One layer of width 64, batches of 64, Adam with learning rate 0.003 and 7 epochs reach nearly all of them.",
    ],
)
def at_least_90_percent_of_hidden_sentences(student, rng):
    """After training on 2,000 pairs of an unknown language, at least 90 % of 200 new sentences are exactly right."""
    language = SmallLanguage(rng)
    sources, targets = language.draw(2_000)
    hidden, expected = language.draw(200, known=sources)
    [received] = call_train(student, sources, targets, rng, [hidden])
    share = share_equal(received, expected)
    expect(share >= 0.9, required="at least 90 % of 200 hidden sentences exactly right", received=f"{share:.1%}")
