"""Exercise `encode_batch`: what a right answer must do, and typical wrong ones."""

import numpy as np

from llmcourse.checking import accepted, criterion, expect, expect_equal, expect_unchanged, mutant, mutants

from ..oracles import END, IMPORT, UNK, distinct_sizes, draw_words


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
    long = "".join(rng.choice(list("abcdefghij"), size=40))
    vocabulary |= {long: 1001, long + "a": 1002, long[:-1]: 1003}
    expect_ids(student, [f"{long}a {long[:-1]}", f"{long} {long}a"], vocabulary, 20)
    expect_ids(student, [f"{word} {sentences[0]}"], vocabulary, 20)


@criterion(
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
    sentences = [draw_sentence(rng, vocabulary, length) for length in lengths]
    expect_ids(student, sentences, vocabulary, 15)
    expect_ids(student, [*sentences[:2], *sentences], vocabulary, 15)  # some sentences occur twice


@criterion(
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
    unknown += [known[5].upper(), *(known[int(rng.integers(len(known)))] + end for end in ".?!,:;")]
    word, other = (str(word) for word in rng.choice(known, size=2, replace=False))
    unknown += [f'"{word}', f"{word}'s", word[:1] + "-" + word[1:], word + "\u00e9", word + "7", other + "e\u0301"]
    unknown += [word for word in (known[2][:-1], known[3][1:]) if word and word not in vocabulary]
    # What would be known if marks, accents and digits were changed; é as one character is not é as two.
    vocabulary |= {word + "3": 40, word + "0": 41, other + "\u00e9": 42, other + "e": 43, word + "s": 44}
    unknown.append(other + "\u00e9")  # this one is known
    sentences = []
    for word in unknown:
        words = list(rng.choice(known, size=3))
        words.insert(int(rng.integers(4)), word)
        sentences.append(" ".join(words))
    expect_ids(student, sentences, vocabulary, 12)


@criterion(
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
    longer = [draw_sentence(rng, vocabulary, length) for length in (int(rng.integers(300, 400)), 600)]
    expect_ids(student, longer, vocabulary, int(rng.integers(520, 580)))


@criterion(
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
    vocabulary[sentences[0].split()[0]] = int(rng.integers(110_000, 200_000))
    ids, mask = call_encode(student, sentences, vocabulary, 20)
    _, real = encoded(sentences, vocabulary, 20)
    expect(mask.dtype == bool, required="a mask of booleans", received=f"dtype {mask.dtype}")
    expect_equal(mask, real, what=f"the mask of {sentences!r}")
    expect(ids.dtype.kind in "iu", required="ids that are integers", received=f"dtype {ids.dtype}")


@criterion(
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


# --- typical wrong answers, each with the criterion that must catch it ------------------------------------------------

ENCODE = """
def encode_batch(sentences, vocabulary, max_length):
    rows = []
    for sentence in sentences:
        words = sentence.split()[: max_length - 1]
        rows.append([vocabulary.get(word, 1) for word in words] + [3])
    width = max(len(row) for row in rows)
    ids = np.zeros((len(rows), width), dtype="int32")
    for number, row in enumerate(rows):
        ids[number, : len(row)] = row
    mask = ids != 0
    return ids, mask
"""
WORDS, ROW = (
    "words = sentence.split()[: max_length - 1]",
    "rows.append([vocabulary.get(word, 1) for word in words] + [3])",
)
FILL, WIDTH, MASK = "ids[number, : len(row)] = row", "width = max(len(row) for row in rows)", "mask = ids != 0"
mutant(fails="*", why="imports the answer", source=f"{IMPORT}encode_batch\n")
mutants(
    ENCODE,
    "each_row_has_the_ids_of_the_words_and_end",
    [
        ("no END", ROW, "rows.append([vocabulary.get(word, 1) for word in words])"),
        ("START in front", ROW, "rows.append([2] + [vocabulary.get(word, 1) for word in words] + [3])"),
        ("START instead of END", ROW, "rows.append([vocabulary.get(word, 1) for word in words] + [2])"),
        ("counts the reserved ids twice", ROW, "rows.append([vocabulary.get(word, -3) + 4 for word in words] + [3])"),
        ("characters instead of words", WORDS, "words = list(sentence)[: max_length - 1]"),
        (
            "numbers the words itself",
            ROW,
            "known = list(vocabulary); rows.append([known.index(w) + 4 if w in known else 1 for w in words] + [3])",
        ),
        ("back to front", ROW, "rows.append([vocabulary.get(word, 1) for word in words][::-1] + [3])"),
        ("END in front", ROW, "rows.append([3] + [vocabulary.get(word, 1) for word in words])"),
        ("returns the ids alone", "return ids, mask", "return ids"),
        ("returns lists", "return ids, mask", "return ids.tolist(), mask.tolist()"),
        (
            "thirty letters of each word",
            "vocabulary.get(word, 1)",
            "{w[:30]: vocabulary[w] for w in vocabulary}.get(word[:30], 1)",
        ),
        ("each word once", WORDS, "words = list(dict.fromkeys(sentence.split()))[: max_length - 1]"),
        ("ids of one byte", 'dtype="int32"', 'dtype="uint8"'),
        ("ids of two bytes", 'dtype="int32"', 'dtype="uint16"', FILL, "ids[number, : len(row)] = np.array(row)"),
    ],
)
mutants(
    ENCODE,
    "short_rows_are_filled_up_to_the_longest",
    [
        ("always as wide as max_length", WIDTH, "width = max_length"),
        ("padding in front", FILL, "ids[number, width - len(row) :] = row"),
        (
            "filled up with END",
            'ids = np.zeros((len(rows), width), dtype="int32")',
            "ids = np.full((len(rows), width), 3)",
        ),
        (
            "filled up with UNK",
            'ids = np.zeros((len(rows), width), dtype="int32")',
            "ids = np.ones((len(rows), width), int)",
        ),
        ("cut to the shortest", WIDTH, "width = min(len(row) for row in rows)", FILL, "ids[number] = row[:width]"),
        (
            "END behind the padding",
            ROW,
            "rows.append([vocabulary.get(word, 1) for word in words])",
            WIDTH,
            "width = max(len(row) for row in rows) + 1",
            FILL,
            "ids[number, : len(row)] = row; ids[number, -1] = 3",
        ),
        ("one column too many", WIDTH, "width = max(len(row) for row in rows) + 1"),
        (
            "equal sentences only once",
            "    rows = []\n",
            "    rows = []\n    sentences = list(dict.fromkeys(sentences))\n",
        ),
        (
            "sorted by length",
            FILL,
            FILL,
            "    for number, row in enumerate(rows):",
            "    for number, row in enumerate(sorted(rows, key=len)):",
        ),
    ],
)
mutants(
    ENCODE,
    "unknown_words_become_unk",
    [
        ("fails at unknown words", "vocabulary.get(word, 1)", "vocabulary[word]"),
        ("leaves unknown words out", "for word in words]", "for word in words if word in vocabulary]"),
        ("unknown words become padding", "vocabulary.get(word, 1)", "vocabulary.get(word, 0)"),
        ("unknown words become START", "vocabulary.get(word, 1)", "vocabulary.get(word, 2)"),
        ("gives unknown words new ids", "vocabulary.get(word, 1)", "vocabulary.get(word, 4 + len(vocabulary))"),
        (
            "does not care about upper and lower case",
            "vocabulary.get(word, 1)",
            "{k.lower(): v for k, v in vocabulary.items()}.get(word.lower(), 1)",
        ),
        (
            "looks unknown words up without their comma",
            "vocabulary.get(word, 1)",
            'vocabulary.get(word, vocabulary.get(word.strip(",;:"), 1))',
        ),
        (
            "takes the first word that begins so",
            "vocabulary.get(word, 1)",
            "vocabulary.get(word, next((i for known, i in vocabulary.items() if known.startswith(word)), 1))",
        ),
        (
            "spells Unicode in one way",
            "sentence.split()",
            '__import__("unicodedata").normalize("NFC", sentence).split()',
        ),
        (
            "removes accents",
            "sentence.split()",
            '"".join(c for c in __import__("unicodedata").normalize("NFD", sentence) if c != "\\u0301").split()',
        ),
        ("removes apostrophes", "sentence.split()", """sentence.replace("'", "").split()"""),
        ("keeps plain letters only", "sentence.split()", 'sentence.encode("ascii", "ignore").decode().split()'),
        ("cuts words at hyphens", "sentence.split()", 'sentence.replace("-", " ").split()'),
        ("all digits are alike", "sentence.split()", '__import__("re").sub("[0-9]", "0", sentence).split()'),
        ("looks words up without their full stop", "vocabulary.get(word, 1)", 'vocabulary.get(word.strip(".?!"), 1)'),
    ],
)
mutants(
    ENCODE,
    "a_sentence_that_is_cut_keeps_its_end",
    [
        (
            "cut after END was appended",
            WORDS,
            "words = sentence.split()",
            ROW,
            "rows.append(([vocabulary.get(word, 1) for word in words] + [3])[:max_length])",
        ),
        ("never cut", WORDS, "words = sentence.split()"),
        ("max_length words, and END on top", WORDS, "words = sentence.split()[:max_length]"),
        ("one word too few", WORDS, "words = sentence.split()[: max_length - 2]"),
        (
            "keeps the end of the sentence instead of the beginning",
            WORDS,
            "words = sentence.split()[-(max_length - 1) :]",
        ),
        (
            "never more than 256 ids",
            WORDS,
            "words = sentence.split()[: min(max_length, 256) - 1]",
        ),
        ("cuts characters", WORDS, "words = sentence[: max_length - 1].split()"),
        (
            "END only if there is room",
            WORDS,
            "words = sentence.split()[:max_length]",
            ROW,
            "rows.append([vocabulary.get(word, 1) for word in words] + [3] * (len(words) < max_length))",
        ),
        (
            "replaces the last word of a sentence that just fits",
            WORDS,
            "words = sentence.split()[:max_length]",
            ROW,
            "if len(words) == max_length - 1:\n            words = words[:-1]\n        "
            "rows.append([vocabulary.get(word, 1) for word in words[: max_length - 1]] + [3])",
        ),
        ("leaves long sentences out", WORDS, "words = [] if len(sentence.split()) >= max_length else sentence.split()"),
    ],
)
mutants(
    ENCODE,
    "the_mask_is_true_at_real_tokens",
    [
        ("the mask the other way round", MASK, "mask = ids == 0"),
        ("a mask of numbers", MASK, 'mask = (ids != 0).astype("float32")'),
        ("UNK is no real token", MASK, "mask = ids > 1"),
        ("END is no real token", MASK, "mask = (ids != 0) & (ids != 3)"),
        ("only words are real tokens", MASK, "mask = ids > 3"),
        ("a mask with four axes", MASK, "mask = (ids != 0)[:, None, None, :]"),
        ("the mask of one sentence for all", MASK, "mask = np.broadcast_to(ids[:1] != 0, ids.shape).copy()"),
        ("ids above 65,535 are no real tokens", MASK, "mask = (ids != 0) & (ids < 65_536)"),
        ("all True", MASK, "mask = np.ones(ids.shape, dtype=bool)"),
        ("ids as floats", 'dtype="int32"', 'dtype="float32"'),
    ],
)
mutants(
    ENCODE,
    "any_white_space_separates_words",
    [
        ("cuts at single spaces", "sentence.split()", 'sentence.split(" ")'),
        ("cuts at single spaces, outer ones removed", "sentence.split()", 'sentence.strip().split(" ")'),
        ("an empty sentence is padding", FILL, "ids[number, : len(row)] = row if len(row) > 1 else 0"),
        ("an empty sentence is UNK", WORDS, 'words = (sentence.split() or [""])[: max_length - 1]'),
        (
            "leaves empty sentences out",
            ROW,
            "rows += [[vocabulary.get(word, 1) for word in words] + [3]] if words else []",
        ),
    ],
)
mutants(
    ENCODE,
    "vocabulary_and_sentences_stay_as_they_are",
    [
        ("setdefault teaches the vocabulary new words", "vocabulary.get(word, 1)", "vocabulary.setdefault(word, 1)"),
        ("adds the special tokens to the vocabulary", "    rows = []\n", '    rows = []\n    vocabulary["UNK"] = 1\n'),
        (
            "sorts the caller's sentences",
            "    rows = []\n",
            "    rows = []\n    sentences.append(sentences.pop() + ' ')\n",
        ),
        ("empties the list of sentences", "    return ids, mask", "    sentences.clear()\n    return ids, mask"),
        ("np.squeeze on a batch of one", "return ids, mask", "return np.squeeze(ids), np.squeeze(mask)"),
    ],
)

# --- right answers written otherwise ----------------------------------------------------------------------------------

accepted(
    "lists filled up and turned into an array at the end",
    """
def encode_batch(sentences, vocabulary, max_length):
    rows = []
    for sentence in sentences:
        row = [vocabulary[word] if word in vocabulary else 1 for word in sentence.split()]
        row = row[: max_length - 1]
        row.append(3)
        rows.append(row)
    width = max(map(len, rows))
    ids = np.array([row + [0] * (width - len(row)) for row in rows], dtype=np.int32)
    mask = np.array([[True] * len(row) + [False] * (width - len(row)) for row in rows])
    return ids, mask
""",
)
accepted(
    "a ragged tensor of TensorFlow, and a regular expression for the words",
    """
def encode_batch(sentences, vocabulary, max_length):
    import re

    import tensorflow as tf

    rows = []
    for sentence in sentences:
        rows.append([vocabulary.get(word, 1) for word in re.findall(r"\\S+", sentence)])
    ids = tf.ragged.constant([[*row[: max_length - 1], 3] for row in rows], dtype=tf.int32).to_tensor()
    return ids, ids > 0
""",
)
accepted(
    "Keras' own padding, and the mask from the lengths",
    """
def encode_batch(sentences, vocabulary, max_length):
    rows = [[vocabulary.get(w, 1) for w in s.split()][: max_length - 1] + [3] for s in sentences]
    ids = keras.utils.pad_sequences(rows, padding="post", dtype="int32")
    lengths = np.array([len(row) for row in rows])
    return ids, np.arange(ids.shape[1])[None, :] < lengths[:, None]
""",
)
accepted(
    "a wide array that is cut to the longest row",
    """
def encode_batch(sentences, vocabulary, max_length):
    ids = np.zeros((len(sentences), max_length), dtype=np.int64)
    longest = 0
    for row, sentence in zip(ids, sentences):
        count = 0
        for word in sentence.split():
            if count == max_length - 1:
                break
            row[count] = vocabulary.get(word, 1)
            count += 1
        row[count] = 3
        longest = max(longest, count + 1)
    ids = ids[:, :longest].copy()
    return [ids, ids > 0]
""",
)
