"""Exercise `bpe_merges`: what a right answer must do, and typical wrong ones."""

from itertools import pairwise

from llmcourse.checking import accepted, criterion, expect, expect_equal, expect_unchanged, mutant, mutants

from ..oracles import IMPORT, draw_words

MARK = "</w>"


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
    points=2,
    hints=[
        "How often does a pair occur in a text in which a word stands 500 times?",
        "Each place of the pair in a word counts as often as the word occurs: `counts[pair] += word_counts[word]`.",
        "`zip(symbols, symbols[1:])` gives the neighbours within one word.",
    ],
)
def the_first_merge_is_the_most_frequent_pair(student, rng):
    """The first pair is the one that occurs most often, where each word counts as often as the text has it."""

    for largest in (200, 200, 200, 10**11):  # large texts have frequent words
        words = draw_words(rng, 8, letters="abcdef", shortest=3)
        expect_best_pairs(student, {word: int(rng.integers(1, largest)) for word in words}, 1)


@criterion(
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
    long = draw_words(rng, 1, letters="abcde", shortest=40, longest=50)[0] + "fg" * 12
    expect_best_pairs(student, {long: int(rng.integers(1, 9))}, 3)
    words = draw_words(rng, 60, shortest=5, longest=9)
    expect_best_pairs(student, {word: int(rng.integers(1, 2000)) for word in words}, 150)


@criterion(
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
    words = ["".join(rng.permutation(list("abcdABCD"))[:4]) for _ in range(4)]  # 'B' is smaller than 'a'
    word_counts = dict.fromkeys(words, count)
    expect_equal(call_merges(student, word_counts, 6), merges_of(word_counts, 6), what=f"bpe_merges({word_counts}, 6)")
    a, b, c = sorted(str(letter) for letter in rng.permutation(list("abcdefghijkl"))[:3])
    for end in (b, str(rng.integers(10))):  # '</w>' is smaller than a letter and larger than a digit
        word_counts = {c + a: count, a + end: count}
        expected = merges_of(word_counts, 4)
        expect_equal(call_merges(student, word_counts, 4), expected, what=f"bpe_merges({word_counts}, 4)")
    # First a and b are joined; then (a, c) is smaller than (ab, a), although "aba" comes before "ac".
    word_counts = {a + b + a + c: count}
    expected = merges_of(word_counts, 3)
    expect_equal(call_merges(student, word_counts, 3), expected, what=f"bpe_merges({word_counts}, 3)")


@criterion(
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
    hints=[
        "What are the symbols of 'Ab.'? Is the first one 'A' or 'a', and does the full stop belong to them?",
        "Take all characters as they are: no lower(), no strip(), and no regular expression, where '.' fits anything.",
        "`[*word, '</w>']`, and then compare symbols with `==` alone.",
    ],
)
def every_character_stays_as_it_is(student, rng):
    """Capital letters stay capital; characters such as . or * or 你 are letters like others, however Unicode spells é."""
    small, other, *rest = (str(letter) for letter in rng.permutation(list("abcdefghij")))
    capital = small.upper()
    # The capital's pair is the most frequent one; without the difference it would be another pair of texts.
    word_counts = dict.fromkeys([*(f"{capital}{other}{end}" for end in rest[:3]), f"{small}{other}{rest[3]}"], 1)
    expect_best_pairs(student, word_counts, 4)
    expect_best_pairs(student, dict.fromkeys(draw_words(rng, 6, letters="a.*+(\\|[é你"), 1), 7)
    mark = str(rng.choice([*".,!?:;-'"]))
    for end in (".", mark, "e\u0301", "\u00e9", str(rng.integers(10))):  # é as two characters, and as one
        expect_best_pairs(student, {f"{start}{end}": int(rng.integers(1, 9)) for start in [small, other, *rest]}, 3)


@criterion(
    hints=["Is word_counts the same after the call?", "Keep the symbols of each word in a dict of your own."],
)
def word_counts_stay_as_they_are(student, rng):
    """The dict with the counts is not changed."""
    word_counts = {word: int(rng.integers(1, 50)) for word in draw_words(rng, 6)}
    merges = call_merges(student, word_counts, 7)
    expect_unchanged(student)
    expect(merges, required=f"pairs from bpe_merges({word_counts}, 7)", received="none")


# --- typical wrong answers, each with the criterion that must catch it ------------------------------------------------

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
mutant(fails="*", why="imports the answer", source=f"{IMPORT}bpe_merges\n")
mutant(
    fails="*",
    why="imports the answer and wraps it",
    source="""
def bpe_merges(word_counts, num_merges):
    return list(steps.bpe_merges(dict(word_counts), num_merges))
""",
)
mutants(
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
        ("the first thirty letters of each word", START_OF_LOOP, START_OF_LOOP.replace("*word,", "*word[:30],")),
        ("joins with a space", "joined.append(best[0] + best[1])", 'joined.append(best[0] + " " + best[1])'),
        (
            "keeps adding to the old counts",
            "        counts = {}\n",
            "        counts = dict(counts) if merges else {}\n",
        ),
    ],
)
mutants(
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
    MERGES,
    "the_smallest_of_equal_pairs_is_taken",
    [
        ("of equal pairs the first one met", BEST, "best = max(counts, key=counts.get)"),
        *(
            (
                f"of equal pairs the smallest, with the mark spelled {mark!r}",
                "(-counts[pair], pair)",
                f"(-counts[pair], [part.replace('</w>', {mark!r}) for part in pair])",
            )
            for mark in ("\u2581", "\t")
        ),
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

SYMBOLS = '[*word, "</w>"]'
mutants(
    MERGES,
    "every_character_stays_as_it_is",
    [
        ("cuts off marks at the end", SYMBOLS, '[*word.rstrip(__import__("string").punctuation), "</w>"]'),
        ("spells Unicode in one way", SYMBOLS, '[*__import__("unicodedata").normalize("NFC", word), "</w>"]'),
        (
            "takes accents for letters of their own",
            SYMBOLS,
            '[*__import__("unicodedata").normalize("NFD", word), "</w>"]',
        ),
        ("keeps plain letters only", SYMBOLS, '[*word.encode("ascii", "ignore").decode(), "</w>"]'),
        ("all digits are alike", SYMBOLS, '[*__import__("re").sub("[0-9]", "0", word), "</w>"]'),
    ],
)
mutants(
    MERGES,
    "the_first_merge_is_the_most_frequent_pair",
    [
        ("counts in 32 bits", COUNT, f"{COUNT}\n                counts[pair] %= 2**31"),
        ("counts in half precision", COUNT, f"{COUNT}\n                counts[pair] = float(np.float16(counts[pair]))"),
    ],
)
mutants(
    MERGES,
    "later_merges_build_on_earlier_ones",
    [("at most a hundred merges", "range(num_merges)", "range(min(100, num_merges))")],
)
mutants(
    MERGES,
    "the_smallest_of_equal_pairs_is_taken",
    [("capital and small letters are equal", BEST, BEST.replace(", pair))", ", [part.lower() for part in pair]))"))],
)

# --- right answers written otherwise ----------------------------------------------------------------------------------

accepted(
    "Counter, and a text with spaces between the symbols",
    """
from collections import Counter


def joined(symbols, pair):
    result = []
    for symbol in symbols:
        if result and (result[-1], symbol) == pair and not result[-1] is None:
            result[-1] = result[-1] + symbol
            result.append(None)
        else:
            result.append(symbol)
    return [symbol for symbol in result if symbol is not None]


def bpe_merges(word_counts, num_merges):
    words = [(list(word) + ["</w>"], count) for word, count in word_counts.items()]
    merges = []
    while len(merges) < num_merges:
        pairs = Counter()
        for symbols, count in words:
            for pair in zip(symbols, symbols[1:]):
                pairs[pair] += count
        if not pairs:
            return merges
        most = max(pairs.values())
        best = min(pair for pair, count in pairs.items() if count == most)
        merges.append(best)
        words = [(joined(symbols, best), count) for symbols, count in words]
    return merges
""",
)
accepted(
    "sorted pairs, and a while loop that deletes the second symbol",
    """
def bpe_merges(word_counts, num_merges):
    words = {word: list(word) + ["</w>"] for word in word_counts}
    merges = []
    for step in range(num_merges):
        counts = {}
        for word, symbols in words.items():
            for first, second in zip(symbols[:-1], symbols[1:]):
                counts.setdefault((first, second), 0)
                counts[first, second] += word_counts[word]
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        if len(ranked) == 0:
            break
        pair = ranked[0][0]
        merges.append(pair)
        for symbols in words.values():
            place = 0
            while place + 1 < len(symbols):
                if (symbols[place], symbols[place + 1]) == pair:
                    symbols[place] += symbols.pop(place + 1)
                place += 1
    return merges
""",
)
accepted(
    "functions that call one another, tuples as words",
    """
def count(words):
    table = {}
    for symbols, times in words:
        for pair in zip(symbols, symbols[1:]):
            table[pair] = table.get(pair, 0) + times
    return table


def merge(symbols, pair):
    if len(symbols) < 2:
        return symbols
    if symbols[:2] == pair:
        return (pair[0] + pair[1], *merge(symbols[2:], pair))
    return (symbols[0], *merge(symbols[1:], pair))


def bpe_merges(word_counts, num_merges):
    words = [((*word, "</w>"), times) for word, times in word_counts.items()]
    found = []
    for _ in range(num_merges):
        table = count(words)
        if not table:
            break
        top = max(table.values())
        pair = sorted(p for p in table if table[p] == top)[0]
        found.append(pair)
        words = [(merge(symbols, pair), times) for symbols, times in words]
    return found
""",
)
