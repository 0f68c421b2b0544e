"""Typical wrong answers of the lesson `translation`; each must fail the criterion that it names.

Most are a right answer with one piece changed, as people do it.
"""

from llmcourse.checking import mutant, mutants

# --- exercise 1: bpe_merges -------------------------------------------------------------------------------------------

MERGES = """
def bpe_merges(word_counts, num_merges):
    words = {word: [*word, "</w>"] for word in word_counts}
    merges = []
    for _ in range(num_merges):
        counts = {}
        for word, symbols in words.items():
            for pair in zip(symbols, symbols[1:]):
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
"""
COUNT = "counts[pair] = counts.get(pair, 0) + word_counts[word]"
BEST = "best = min(counts, key=lambda pair: (-counts[pair], pair))"
PAIRS = "for pair in zip(symbols, symbols[1:]):"
STOP = "        if not counts:\n            break\n"
START_OF_LOOP = 'words = {word: [*word, "</w>"] for word in word_counts}'
JOIN = MERGES[MERGES.index("            joined, place = [], 0") : MERGES.index("    return merges")]
IMPORT = "from llmcourse.steps.translation import "
mutant("bpe_merges", fails="*", why="imports the answer", source=f"{IMPORT}bpe_merges\n")
mutant(
    "bpe_merges",
    fails="*",
    why="imports the answer and wraps it",
    source="""
def bpe_merges(word_counts, num_merges):
    return list(steps.bpe_merges(dict(word_counts), num_merges))
""",
)
mutants(
    "bpe_merges",
    MERGES,
    "the_first_merge_is_the_most_frequent_pair",
    [
        ("each word counts once, however often it occurs", COUNT, "counts[pair] = counts.get(pair, 0) + 1"),
        ("the last word's count only", COUNT, "counts[pair] = word_counts[word]"),
        ("takes the rarest pair", BEST, "best = min(counts, key=lambda pair: (counts[pair], pair))"),
        ("pairs of any two letters of a word", PAIRS, "for pair in ((a, b) for a in symbols for b in symbols):"),
        ("takes the most frequent pair of the largest word", COUNT, "counts[pair] = len(word)"),
        ("pairs side by side without overlap", PAIRS, "for pair in zip(symbols[::2], symbols[1::2]):"),
        ("returns joined symbols instead of pairs", "merges.append(best)", 'merges.append("".join(best))'),
        ("the pair the wrong way round", "merges.append(best)", "merges.append(best[::-1])"),
    ],
)
mutants(
    "bpe_merges",
    MERGES,
    "later_merges_build_on_earlier_ones",
    [
        ("counts once, and takes the best pairs of the first count", JOIN, "            pass\n"),
        (
            "joins in the first word only",
            "            words[word] = joined\n",
            "            words[word] = joined\n            break\n",
        ),
        ("one merge too few", "for _ in range(num_merges):", "for _ in range(num_merges - 1):"),
        ("one merge too many", "for _ in range(num_merges):", "for _ in range(num_merges + 1):"),
        ("forgets the symbols that do not fit", "                    joined.append(symbols[place])\n", ""),
        ("joins with a space", "joined.append(best[0] + best[1])", 'joined.append(best[0] + " " + best[1])'),
        (
            "keeps adding to the old counts",
            "        counts = {}\n",
            "        counts = dict(counts) if merges else {}\n",
        ),
    ],
)
mutants(
    "bpe_merges",
    MERGES,
    "the_end_of_a_word_is_a_symbol",
    [
        ("no end-of-word mark", START_OF_LOOP, "words = {word: [*word] for word in word_counts}"),
        ("another mark", START_OF_LOOP, 'words = {word: [*word, "_"] for word in word_counts}'),
        ("the mark is four letters", START_OF_LOOP, 'words = {word: list(word + "</w>") for word in word_counts}'),
        (
            "the mark belongs to the last letter",
            START_OF_LOOP,
            'words = {w: [*w[:-1], w[-1] + "</w>"] for w in word_counts}',
        ),
        ("the mark at the beginning", START_OF_LOOP, 'words = {word: ["</w>", *word] for word in word_counts}'),
        ("the mark takes no part", PAIRS, "for pair in zip(symbols[:-1], symbols[1:-1]):"),
        (
            "words of one letter are left out",
            START_OF_LOOP,
            'words = {word: [*word, "</w>"] for word in word_counts if len(word) > 1}',
        ),
    ],
)
mutants(
    "bpe_merges",
    MERGES,
    "the_smallest_of_equal_pairs_is_taken",
    [
        ("of equal pairs the first one met", BEST, "best = max(counts, key=counts.get)"),
        ("of equal pairs the largest", BEST, "best = max(counts, key=lambda pair: (counts[pair], pair))"),
        ("of equal pairs the last one met", BEST, "best = max(reversed(list(counts)), key=counts.get)"),
        (
            "of equal pairs the shortest",
            BEST,
            'best = min(counts, key=lambda pair: (-counts[pair], len("".join(pair))))',
        ),
        (
            "of equal pairs the smallest joined text",
            BEST,
            'best = min(counts, key=lambda pair: (-counts[pair], "".join(pair)))',
        ),
    ],
)
mutant(
    "bpe_merges",
    fails="only_whole_symbols_are_joined",
    why="joins in a text with spaces, so that parts of symbols fit as well",
    source="""
def bpe_merges(word_counts, num_merges):
    words = {word: " ".join([*word, "</w>"]) for word in word_counts}
    merges = []
    for _ in range(num_merges):
        counts = {}
        for word, text in words.items():
            symbols = text.split(" ")
            for pair in zip(symbols, symbols[1:]):
                counts[pair] = counts.get(pair, 0) + word_counts[word]
        if not counts:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        merges.append(best)
        words = {word: text.replace(" ".join(best), "".join(best)) for word, text in words.items()}
    return merges
""",
)
mutants(
    "bpe_merges",
    MERGES,
    "only_whole_symbols_are_joined",
    [
        (
            "compares the ends of symbols",
            "if tuple(symbols[place : place + 2]) == best:",
            "if place + 1 < len(symbols) and symbols[place].endswith(best[0]) and symbols[place + 1] == best[1]:",
            "joined.append(best[0] + best[1])",
            "joined.append(symbols[place] + symbols[place + 1])",
        ),
        (
            "compares the joined text, wherever it is cut",
            "if tuple(symbols[place : place + 2]) == best:",
            'if "".join(symbols[place : place + 2]).endswith(best[0] + best[1]):',
            "joined.append(best[0] + best[1])",
            'joined.append("".join(symbols[place : place + 2]))',
        ),
    ],
)
mutants(
    "bpe_merges",
    MERGES,
    "runs_of_one_letter_are_joined_from_the_left",
    [
        ("each pair counts once in a word", PAIRS, "for pair in set(zip(symbols, symbols[1:])):"),
        (
            "pairs in a run are counted without overlap",
            PAIRS,
            "last = None\n            for pair in zip(symbols, symbols[1:]):\n                if pair == last:\n"
            "                    last = None\n                    continue\n                last = pair",
        ),
        (
            "joins from the right",
            JOIN,
            JOIN.replace("joined, place = [], 0", "joined, place, symbols = [], 0, symbols[::-1]")
            .replace("== best", "== best[::-1]")
            .replace("words[word] = joined", "words[word] = joined[::-1]"),
        ),
        ("goes on one place further after joining", "place += 2", "place += 1"),
        (
            "joins only the first place of the pair",
            "if tuple(symbols[place : place + 2]) == best:",
            'if tuple(symbols[place : place + 2]) == best and "".join(best) not in joined:',
        ),
    ],
)
mutants(
    "bpe_merges",
    MERGES,
    "it_stops_where_nothing_is_left_to_join",
    [
        ("does not stop when nothing is left", STOP, ""),
        ("stops when no pair occurs twice", "if not counts:", "if not counts or max(counts.values()) < 2:"),
        ("joins at least once", "for _ in range(num_merges):", "for _ in range(max(num_merges, 1)):"),
        ("returns None when nothing is left", "            break\n", "            return None\n"),
    ],
)
mutants(
    "bpe_merges",
    MERGES,
    "word_counts_stay_as_they_are",
    [
        ("empties the dict of counts", "    return merges", "    word_counts.clear()\n    return merges"),
        (
            "adds the new symbols to the counts",
            "merges.append(best)",
            'merges.append(best); word_counts["".join(best)] = 1',
        ),
        ("joins nothing", "for _ in range(num_merges):", "for _ in range(0):"),
    ],
)
mutants(
    "bpe_merges",
    MERGES,
    "every_character_stays_as_it_is",
    [
        ("small letters only", START_OF_LOOP, 'words = {word: [*word.lower(), "</w>"] for word in word_counts}'),
        (
            "letters and digits only",
            START_OF_LOOP,
            'words = {w: [*filter(str.isalnum, w), "</w>"] for w in word_counts}',
        ),
        (
            "the pair as a pattern of a regular expression",
            MERGES,
            """
import re

def bpe_merges(word_counts, num_merges):
    words = {word: " ".join([*word, "</w>"]) for word in word_counts}
    merges = []
    for _ in range(num_merges):
        counts = {}
        for word, text in words.items():
            symbols = text.split(" ")
            for pair in zip(symbols, symbols[1:]):
                counts[pair] = counts.get(pair, 0) + word_counts[word]
        if not counts:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        merges.append(best)
        pattern = r"(?<!\\\\S)" + " ".join(best) + r"(?!\\\\S)"
        words = {word: re.sub(pattern, "".join(best), text) for word, text in words.items()}
    return merges
""".replace("\\\\\\\\", "\\\\"),
        ),
    ],
)

# --- exercise 2: encode_batch -----------------------------------------------------------------------------------------

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
mutant("encode_batch", fails="*", why="imports the answer", source=f"{IMPORT}encode_batch\n")
mutants(
    "encode_batch",
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
        ("each word once", WORDS, "words = list(dict.fromkeys(sentence.split()))[: max_length - 1]"),
        ("ids of one byte", 'dtype="int32"', 'dtype="uint8"'),
        ("ids of two bytes", 'dtype="int32"', 'dtype="uint16"', FILL, "ids[number, : len(row)] = np.array(row)"),
    ],
)
mutants(
    "encode_batch",
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
            "sorted by length",
            FILL,
            FILL,
            "    for number, row in enumerate(rows):",
            "    for number, row in enumerate(sorted(rows, key=len)):",
        ),
    ],
)
mutants(
    "encode_batch",
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
        ("looks words up without their full stop", "vocabulary.get(word, 1)", 'vocabulary.get(word.strip(".?!"), 1)'),
    ],
)
mutants(
    "encode_batch",
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
    "encode_batch",
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
        ("all True", MASK, "mask = np.ones(ids.shape, dtype=bool)"),
        ("ids as floats", 'dtype="int32"', 'dtype="float32"'),
    ],
)
mutants(
    "encode_batch",
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
    "encode_batch",
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

# --- exercise 3: token_accuracy ---------------------------------------------------------------------------------------

ACCURACY = """
def token_accuracy(targets, logits):
    targets = ops.cast(targets, "int32")
    guesses = ops.cast(ops.argmax(logits, axis=-1), "int32")
    real = ops.not_equal(targets, 0)
    right = ops.logical_and(real, ops.equal(guesses, targets))
    return ops.sum(ops.cast(right, "float32")) / ops.maximum(ops.sum(ops.cast(real, "float32")), 1.0)
"""
REAL, RIGHT = "real = ops.not_equal(targets, 0)", "right = ops.logical_and(real, ops.equal(guesses, targets))"
RATIO = 'ops.sum(ops.cast(right, "float32")) / ops.maximum(ops.sum(ops.cast(real, "float32")), 1.0)'
mutant("token_accuracy", fails="*", why="imports the answer", source=f"{IMPORT}token_accuracy\n")
mutants(
    "token_accuracy",
    ACCURACY,
    "it_is_the_share_of_right_tokens",
    [
        ("the number of right tokens", f"return {RATIO}", 'return ops.sum(ops.cast(right, "float32"))'),
        ("one number for each sentence", f"return {RATIO}", 'return ops.mean(ops.cast(right, "float32"), axis=-1)'),
        ("the share of wrong tokens", f"return {RATIO}", f"return 1.0 - {RATIO}"),
        (
            "argmax over the positions",
            "ops.argmax(logits, axis=-1)",
            "ops.argmax(logits, axis=1)[:, : targets.shape[1]]",
        ),
        ("in percent", f"return {RATIO}", f"return 100.0 * {RATIO}"),
        (
            "the share of sentences that are all right",
            f"return {RATIO}",
            'return ops.mean(ops.cast(ops.all(ops.equal(right, real), axis=1), "float32"))',
        ),
        ("the smallest logit", "ops.argmax(logits, axis=-1)", "ops.argmin(logits, axis=-1)"),
        (
            "the probability of the right token",
            f"return {RATIO}",
            "p = ops.take_along_axis(ops.softmax(logits), targets[:, :, None], axis=-1)[:, :, 0]\n"
            '    real = ops.cast(real, "float32")\n    return ops.sum(p * real) / ops.sum(real)',
        ),
        (
            "right if among the best two",
            "ops.equal(guesses, targets)",
            "ops.any(ops.equal(ops.top_k(logits, 2)[1], targets[:, :, None]), axis=-1)",
        ),
        (
            "shifts the targets once more",
            "ops.equal(guesses, targets)",
            "ops.equal(guesses, ops.roll(targets, -1, axis=1))",
        ),
    ],
)
mutants(
    "token_accuracy",
    ACCURACY,
    "padding_does_not_count",
    [
        ("padding counts like any token", REAL, "real = ops.ones_like(targets) > 0"),
        ("right padding counts as right", RIGHT, "right = ops.equal(guesses, targets)"),
        ("padding stays in the number of tokens", f"return {RATIO}", 'return ops.mean(ops.cast(right, "float32"))'),
        ("END is taken for padding", REAL, "real = ops.not_equal(targets, 3)"),
        (
            "padding counts as right in both sums",
            RIGHT,
            "right = ops.logical_or(ops.logical_not(real), ops.equal(guesses, targets))",
        ),
        (
            "zeroes the logits at padding",
            REAL,
            "real = ops.ones_like(targets) > 0\n    guesses = guesses * ops.cast(ops.not_equal(targets, 0), 'int32')",
        ),
    ],
)
PER_SENTENCE = (
    """ops.sum(ops.cast(right, "float32"), axis=1) / ops.maximum(ops.sum(ops.cast(real, "float32"), axis=1), 1.0)"""
)
mutants(
    "token_accuracy",
    ACCURACY,
    "every_token_weighs_the_same",
    [
        ("the mean of the sentences' means", f"return {RATIO}", f"return ops.mean({PER_SENTENCE})"),
        ("the first sentence only", f"return {RATIO}", f"return ({PER_SENTENCE})[0]"),
        ("the median of the sentences", f"return {RATIO}", f"return ops.median({PER_SENTENCE})"),
        (
            "the mean of the positions' means",
            f"return {RATIO}",
            "return ops.mean(" + PER_SENTENCE.replace("axis=1", "axis=0") + ")",
        ),
    ],
)
mutants(
    "token_accuracy",
    ACCURACY,
    "only_the_targets_say_what_is_padding",
    [
        ("asks the guesses what is padding", REAL, "real = ops.not_equal(guesses, 0)"),
        (
            "leaves out positions where either is PAD",
            REAL,
            "real = ops.logical_and(ops.not_equal(targets, 0), ops.not_equal(guesses, 0))",
        ),
        ("reserved tokens do not count", REAL, "real = ops.greater(targets, 3)"),
        ("UNK does not count", REAL, "real = ops.greater(targets, 1)"),
        ("END does not count", REAL, "real = ops.logical_and(ops.not_equal(targets, 0), ops.not_equal(targets, 3))"),
        (
            "never looks at PAD among the logits",
            "ops.argmax(logits, axis=-1)",
            "ops.argmax(logits[:, :, 1:], axis=-1) + 1",
        ),
    ],
)
mutants(
    "token_accuracy",
    ACCURACY,
    "a_batch_of_padding_gives_zero",
    [
        (
            "0 divided by 0",
            'ops.maximum(ops.sum(ops.cast(real, "float32")), 1.0)',
            'ops.sum(ops.cast(real, "float32"))',
        ),
        (
            "1 for nothing but padding",
            f"return {RATIO}",
            'count = ops.sum(ops.cast(real, "float32"))\n'
            '    return ops.where(count > 0, ops.sum(ops.cast(right, "float32")) / ops.maximum(count, 1.0), 1.0)',
        ),
    ],
)
mutants(
    "token_accuracy",
    ACCURACY,
    "it_works_as_a_metric_of_fit",
    [
        (
            "NumPy inside",
            ACCURACY,
            """
def token_accuracy(targets, logits):
    targets, logits = np.asarray(targets).astype(int), np.asarray(logits)
    real = targets != 0
    return float((logits.argmax(axis=-1) == targets)[real].sum()) / max(1, int(real.sum()))
""",
        ),
        (
            "targets are not cast",
            '    targets = ops.cast(targets, "int32")\n',
            "    targets = ops.convert_to_tensor(targets)\n    assert 'int' in str(targets.dtype)\n",
        ),
        (
            "an if on a tensor",
            f"    return {RATIO}",
            f"    if float(ops.sum(ops.cast(real, 'float32'))) == 0:\n        return 0.0\n    return {RATIO}",
        ),
        ("a Python float", f"return {RATIO}", f"return float({RATIO})"),
    ],
)

# --- exercise 4: build_translator -------------------------------------------------------------------------------------

MODEL = """
class TranslationModel(keras.Model):
    def __init__(self, source_vocab_size, target_vocab_size, num_layers, d_model, num_heads, d_ff, dropout):
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

    def build(self, input_shape=None):
        width = (None, None, self.d_model)
        self.source_embedding.build((None, None))
        self.target_embedding.build((None, None))
        self.encoder.build(width)
        self.decoder.build(width, width)
        self.to_logits.build(width)

    def call(self, inputs, training=None):
        source_ids, target_ids = inputs
        source_mask = layers.padding_mask(source_ids)
        target_mask = layers.combine_masks(layers.causal_mask(target_ids.shape[1]), layers.padding_mask(target_ids))
        x = self.positions(self.source_embedding(source_ids) * self.scale)
        x = self.dropout(x, training=training)
        memory = self.encoder(x, mask=source_mask, training=training)
        y = self.positions(self.target_embedding(target_ids) * self.scale)
        y = self.dropout(y, training=training)
        y = self.decoder(y, memory, mask=target_mask, memory_mask=source_mask, training=training)
        return self.to_logits(y)


def build_translator(source_vocab_size, target_vocab_size, num_layers, d_model, num_heads, d_ff, dropout):
    model = TranslationModel(source_vocab_size, target_vocab_size, num_layers, d_model, num_heads, d_ff, dropout)
    model.build()
    return model
"""
ENCODER = "self.encoder = layers.Encoder(num_layers, d_model, num_heads, d_ff, dropout)"
DECODER = "self.decoder = layers.Decoder(num_layers, d_model, num_heads, d_ff, dropout)"
DENSE = "self.to_logits = keras.layers.Dense(target_vocab_size)"
SOURCE_TABLE = "self.source_embedding = keras.layers.Embedding(source_vocab_size, d_model)"
TARGET_TABLE = "self.target_embedding = keras.layers.Embedding(target_vocab_size, d_model)"
BOTH_MASKS = "layers.combine_masks(layers.causal_mask(target_ids.shape[1]), layers.padding_mask(target_ids))"
ENCODE_X = "self.encoder(x, mask=source_mask, training=training)"
DECODE_Y = "self.decoder(y, memory, mask=target_mask, memory_mask=source_mask, training=training)"
EMBED_X = "self.positions(self.source_embedding(source_ids) * self.scale)"
EMBED_Y = "self.positions(self.target_embedding(target_ids) * self.scale)"
CALL = "    model.build()\n"
ARGUMENTS = "source_vocab_size, target_vocab_size, num_layers, d_model, num_heads, d_ff, dropout"
mutant("build_translator", fails="*", why="imports the answer", source=f"{IMPORT}TranslationModel, build_translator\n")
mutant(
    "build_translator",
    fails="*",
    why="imports the package's Transformer",
    source=f"""
class TranslationModel(Transformer):
    def call(self, inputs, training=None):
        return super().call(inputs[0], inputs[1], training=training)


def build_translator({ARGUMENTS}):
    return TranslationModel(source_vocab_size, target_vocab_size, num_layers=num_layers, d_model=d_model,
                            num_heads=num_heads, d_ff=d_ff, dropout=dropout)
""",
)
mutants(
    "build_translator",
    MODEL,
    "the_logits_have_a_place_for_each_target_word",
    [
        ("logits for the source vocabulary", DENSE, DENSE.replace("target", "source")),
        (
            "vocabularies exchanged",
            SOURCE_TABLE,
            SOURCE_TABLE.replace("source_vocab", "target_vocab"),
            TARGET_TABLE,
            TARGET_TABLE.replace("target_vocab", "source_vocab"),
        ),
        ("no last layer", "return self.to_logits(y)", "return y"),
        ("ids of the two languages exchanged", "source_ids, target_ids = inputs", "target_ids, source_ids = inputs"),
        ("returns the memory too", "return self.to_logits(y)", "return self.to_logits(y), memory"),
    ],
)
mutants(
    "build_translator",
    MODEL,
    "it_has_the_parameters_of_its_parts",
    [
        ("not built", CALL, ""),
    ],
)
mutants(
    "build_translator",
    MODEL,
    "no_position_sees_the_future",
    [
        ("no causal mask", BOTH_MASKS, "layers.padding_mask(target_ids)"),
        (
            "the encoder reads the target",
            ENCODE_X,
            "self.encoder(ops.concatenate([x, self.target_embedding(target_ids)], axis=1), training=training)",
            "memory_mask=source_mask, ",
            "",
        ),
        (
            "the causal mask turned round",
            "layers.causal_mask(target_ids.shape[1])",
            "ops.swapaxes(layers.causal_mask(target_ids.shape[1]), 2, 3)",
        ),
        (
            "the causal mask hides the token itself too",
            "layers.causal_mask(target_ids.shape[1])",
            "ops.roll(layers.causal_mask(target_ids.shape[1]), 1, axis=3)",
        ),
    ],
)
mutants(
    "build_translator",
    MODEL,
    "padding_changes_nothing",
    [
        ("no mask in the encoder", ENCODE_X, "self.encoder(x, training=training)"),
        ("no mask in the cross-attention", "memory_mask=source_mask, ", ""),
        (
            "the padding mask turned round",
            "source_mask = layers.padding_mask(source_ids)",
            "source_mask = ops.logical_not(layers.padding_mask(source_ids))",
        ),
        (
            "the mean over all positions is added",
            "return self.to_logits(y)",
            "return self.to_logits(y + ops.mean(x, axis=1, keepdims=True))",
        ),
    ],
)
mutants(
    "build_translator",
    MODEL,
    "every_source_word_and_its_place_matter",
    [
        (
            "the decoder attends to itself",
            "self.decoder(y, memory, mask",
            "self.decoder(y, y, mask",
            "memory_mask=source_mask, ",
            "memory_mask=target_mask, ",
        ),
        ("no positions in the source", EMBED_X, "self.source_embedding(source_ids) * self.scale"),
        (
            "the first sentence's source for all",
            ENCODE_X,
            ENCODE_X + "\n        memory = memory * 0 + ops.mean(memory, axis=0, keepdims=True)",
        ),
    ],
)
mutants(
    "build_translator",
    MODEL,
    "the_logits_are_those_of_the_formula",
    [
        (
            "a norm more than needed",
            DENSE,
            DENSE + "\n        self.extra = keras.layers.LayerNormalization()",
            "return self.to_logits(y)",
            "return self.to_logits(self.extra(y))",
        ),
        ("sees the first source token only", ENCODE_X, ENCODE_X + "[:, :1]", "memory_mask=source_mask, ", ""),
        ("softmax at the end", "return self.to_logits(y)", "return ops.softmax(self.to_logits(y))"),
        ("embeddings are not scaled", "self.scale = d_model**0.5", "self.scale = 1.0"),
        ("no positions in the target", EMBED_Y, "self.target_embedding(target_ids) * self.scale"),
        ("the encoder's input goes to the decoder", "self.decoder(y, memory, mask", "self.decoder(y, x, mask"),
        (
            "a causal mask in the encoder",
            ENCODE_X,
            "self.encoder(x, mask=layers.combine_masks(source_mask, layers.causal_mask(source_ids.shape[1])))",
        ),
        (
            "another name for the encoder",
            ENCODER,
            ENCODER.replace("self.encoder", "self.reader"),
            ENCODE_X,
            ENCODE_X.replace("self.encoder", "self.reader"),
        ),
        ("another activation", DECODER, DECODER.replace("dropout)", 'dropout, activation="gelu")')),
    ],
)
mutants(
    "build_translator",
    MODEL,
    "dropout_is_on_in_training_only",
    [
        (
            "training=False for every part",
            ENCODE_X,
            "self.encoder(x, mask=source_mask, training=False)",
            DECODE_Y,
            DECODE_Y.replace("training=training", "training=False"),
            "x = self.dropout(x, training=training)",
            "x = x + 0",
            "y = self.dropout(y, training=training)",
            "y = y + 0",
        ),
        ("dropout always on", "y = self.dropout(y, training=training)", "y = self.dropout(y, training=True)"),
        (
            "no dropout anywhere",
            ENCODER,
            ENCODER.replace("dropout)", "0.0)"),
            DECODER,
            DECODER.replace("dropout)", "0.0)"),
            "keras.layers.Dropout(dropout)",
            "keras.layers.Dropout(0.0)",
        ),
        ("a dropout of 0.1, whatever is asked", "keras.layers.Dropout(dropout)", "keras.layers.Dropout(0.1)"),
        ("the default dropout of the encoder", ENCODER, ENCODER.replace(", dropout)", ")")),
    ],
)
DROP_X, DROP_Y = "        x = self.dropout(x, training=training)\n", "        y = self.dropout(y, training=training)\n"
mutants(
    "build_translator",
    MODEL,
    "dropout_acts_at_all_four_places",
    [
        ("no dropout after the embeddings", DROP_X, "", DROP_Y, ""),
        ("dropout after the source's embedding only", DROP_Y, ""),
        ("dropout after the target's embedding only", DROP_X, ""),
        (
            "no dropout within encoder and decoder",
            ENCODER,
            ENCODER.replace("dropout)", "0.0)"),
            DECODER,
            DECODER.replace("dropout)", "0.0)"),
        ),
        ("no dropout within the encoder", ENCODER, ENCODER.replace("dropout)", "0.0)")),
        ("no dropout within the decoder", DECODER, DECODER.replace("dropout)", "0.0)")),
        ("training=False for the encoder", ENCODE_X, ENCODE_X.replace("=training", "=False")),
        ("training=False for the decoder", DECODE_Y, DECODE_Y.replace("=training", "=False")),
        (
            "dropout before the positions are added",
            EMBED_X,
            "self.positions(self.dropout(self.source_embedding(source_ids) * self.scale))",
            DROP_X,
            "",
            EMBED_Y,
            "self.positions(self.dropout(self.target_embedding(target_ids) * self.scale))",
            DROP_Y,
            "",
        ),
        ("dropout on the memory instead of the source", DROP_X, "", ENCODE_X, f"self.dropout({ENCODE_X})"),
    ],
)

# --- exercise 5: train_translator -------------------------------------------------------------------------------------

TRAIN = """
def train_translator(sources, targets, seed):
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
"""
INPUTS = "inputs = np.pad(labels[:, :-1], ((0, 0), (1, 0)), constant_values=2)"
FIT = "    model.fit((source_ids, inputs), labels, batch_size=64, epochs=7, verbose=0)\n"
JOINED = 'return [" ".join(word_of[index] for index in row if index in word_of) for row in written.tolist()]'
mutant("train_translator", fails="*", why="imports the answer", source=f"{IMPORT}train_translator\n")
mutants(
    "train_translator",
    TRAIN,
    "a_tiny_language_is_learned_by_heart",
    [
        ("inputs are not shifted", INPUTS, "inputs = labels"),
        ("never trains", FIT, ""),
        ("returns the model", FIT, "", "    return translate\n", "    return model\n"),
        ("the letters instead of the words", '" ".join', '"".join'),
        ("fails without a sentence", FIT, "", "        if not sentences:\n            return []\n", ""),
        (
            "fails at unknown words",
            FIT,
            "",
            "ids, _ = steps.encode_batch(sentences, source_words, longest)",
            "[source_words[word] for sentence in sentences for word in sentence.split()]\n"
            "        ids, _ = steps.encode_batch(sentences, source_words, longest)",
        ),
    ],
)
mutant(
    "train_translator",
    fails="a_tiny_language_is_learned_by_heart",
    why="looks sentences up among those it has seen, and knows no other",
    source="""
def train_translator(sources, targets, seed):
    known = dict(zip(sources, targets))
    return lambda sentences: [known[sentence] for sentence in sentences]
""",
)
mutant(
    "train_translator",
    fails="at_least_90_percent_of_hidden_sentences",
    why="answers with the translation of the most similar training sentence",
    source="""
def train_translator(sources, targets, seed):
    known = [set(source.split()) for source in sources]

    def translate(sentences):
        nearest = [max(range(len(known)), key=lambda i: len(known[i] & set(s.split()))) for s in sentences]
        return [targets[i] for i in nearest]

    return translate
""",
)
mutant(
    "train_translator",
    fails="at_least_90_percent_of_hidden_sentences",
    why="a dictionary from word to the word that stands beside it most often, in the source's order",
    source="""
def train_translator(sources, targets, seed):
    together, alone = {}, {}
    for source, target in zip(sources, targets):
        for b in set(target.split()):
            alone[b] = alone.get(b, 0) + 1
        for a in set(source.split()):
            for b in set(target.split()):
                together.setdefault(a, {}).setdefault(b, 0)
                together[a][b] += 1
    best = {a: max(row, key=lambda b: row[b] / alone[b] ** 0.5) for a, row in together.items()}
    return lambda sentences: [" ".join(best.get(w, w) for w in s.split()) for s in sentences]
""",
)
mutants(
    "train_translator",
    TRAIN,
    "at_least_90_percent_of_hidden_sentences",
    [
        ("one epoch", "epochs=7", "epochs=1"),
    ],
)
