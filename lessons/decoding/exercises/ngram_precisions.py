"""Exercise `ngram_precisions`: what a right answer must do, and typical wrong ones."""

import numpy as np

from llmcourse.checking import accepted, criterion, expect, expect_close, expect_unchanged, mutants

from ..oracles import alike_but_different, draw_corpus, draw_words, is_sequence, precisions_of, spoil, widen


def call_precisions(student, hypotheses, references, max_n):
    """Call the learner's function and require max_n numbers."""
    received = student.ngram_precisions(hypotheses, references, max_n)
    shares = np.asarray(received if is_sequence(received) or isinstance(received, np.ndarray) else [])
    fits = shares.shape == (max_n,) and shares.dtype.kind in "fiu"
    expect(fits, required=f"a list of {max_n} numbers", received=received)
    return shares.astype(np.float64)


def expect_precisions(student, hypotheses, references, max_n, what):
    shares = call_precisions(student, hypotheses, references, max_n)
    for n, (share, expected) in enumerate(zip(shares, precisions_of(hypotheses, references, max_n), strict=True), 1):
        expect_close(share, expected, what=f"p_{n} of {what}")


@criterion(
    hints=[
        "How many numbers should come back for max_n = 3?",
        "A list of three: p_1, p_2, p_3. The result is a share between 0 and 1, not a percentage.",
        "Begin with an empty list and append one number for each n in `range(1, max_n + 1)`.",
    ],
)
def there_is_one_share_for_each_n(student, rng):
    """The result is a list of max_n shares from 0 to 1; they are all 1 where hypotheses and references are equal."""
    for max_n in (int(rng.integers(2, 4)), int(rng.integers(5, 7))):
        hypotheses, references = draw_corpus(rng, low=9)
        shares = call_precisions(student, hypotheses, references, max_n)
        expect(shares.min() >= 0 and shares.max() <= 1, required="shares from 0 to 1", received=shares)
        same = call_precisions(student, references, references, max_n)
        expect_close(same, np.ones(max_n), what="ngram_precisions(references, references, max_n)")


@criterion(
    hints=[
        "By what do you divide: by the number of words of the hypothesis, or of the reference?",
        "Precision asks: of what was *written*, how much is right? Divide by the n-grams of the hypothesis.",
        "p_1 = (words of the hypothesis that occur in the reference) / (words of the hypothesis). Change no word.",
    ],
)
def p_1_is_the_share_of_right_words(student, rng):
    """p_1 is the share of the hypothesis's words that the reference has, in any order; May is not may, nor six six!"""
    words = draw_words(rng, 15)
    right, wrong = words[:7], words[7:10]
    for missing in (words[10 : 10 + int(rng.integers(1, 3))], words[10 : 14 + int(rng.integers(0, 2))]):
        hypothesis = " ".join(str(word) for word in rng.permutation(right + wrong))
        reference = " ".join(str(word) for word in rng.permutation(right + missing))
        shares = call_precisions(student, [hypothesis], [reference], 1)
        expect_close(shares[0], 0.7, what=f"p_1 of {hypothesis!r} with the reference {reference!r}")
    for _ in range(2):
        hypothesis, reference = alike_but_different(rng, int(rng.integers(5, 9)))
        expect_precisions(student, [hypothesis], [reference], 1, f"{hypothesis!r} with the reference {reference!r}")


@criterion(
    points=2,
    hints=[
        "How many runs of 3 tokens are there in a sentence of 5 tokens? Where does the last one begin?",
        "m - n + 1: here three, beginning at 0, 1 and 2. Is the last one among yours?",
        "`[tuple(tokens[start : start + n]) for start in range(len(tokens) - n + 1)]`; glued together, the runs "
        "*ab c* and *a bc* could not be told apart.",
    ],
)
def runs_of_n_tokens_are_compared(student, rng):
    """p_n is the share of the hypothesis's runs of n neighbouring tokens that the reference has as neighbours too."""
    for max_n in (4, int(rng.integers(5, 8)), int(rng.integers(8, 11))):
        words = draw_words(rng, int(rng.integers(9, 14)))  # no word occurs twice: nothing to clip
        cut, other = sorted(int(place) for place in rng.choice(np.arange(2, len(words) - 1), size=2, replace=False))
        moved = words[cut:other] + words[:cut] + words[other:]
        moved = moved if rng.uniform() < 0.5 else [*moved, *draw_words(rng, 40)[:1]]
        expect_precisions(student, [" ".join(moved)], [" ".join(words)], max_n, "a sentence with its parts exchanged")
        place = int(rng.integers(1, len(words) - 2))
        turned = [*words[:place], words[place + 1], words[place], *words[place + 2 :]]
        expect_precisions(student, [" ".join(turned)], [" ".join(words)], 4, "a sentence with two neighbours exchanged")
        one, two, three = draw_words(rng, 3)
        hypothesis, reference = (" ".join([*pair, *words[:4]]) for pair in ((one + two, three), (one, two + three)))
        expect_precisions(student, [hypothesis], [reference], 4, f"{hypothesis!r} with the reference {reference!r}")


@criterion(
    points=2,
    hints=[
        "The reference has a word twice, the hypothesis four times. How many of the four count as right?",
        "Two: the smaller one of the two counts. And if the hypothesis has it once and the reference twice: one.",
        "With two Counters, `(found & wanted).total()` adds up the smaller counts; the total is `found.total()`.",
    ],
)
def repeated_ngrams_are_clipped(student, rng):
    """An n-gram counts as often as the hypothesis has it, but at most as often as its reference has it."""
    for _ in range(3):
        words = draw_words(rng, 4)
        reference = [str(word) for word in rng.choice(words, size=12)]
        hypothesis = [words[0]] * int(rng.integers(5, 8)) + reference[:5] + words[:2] * 2 + reference[3:7]
        expect_precisions(student, [" ".join(hypothesis)], [" ".join(reference)], 3, "a sentence that repeats itself")


@criterion(
    points=2,
    hints=[
        "One sentence has 2 of 2 right, the other 0 of 8. Is that 0.5, or 0.2?",
        "0.2: add up matches and n-grams over all sentences first, and divide once at the end.",
        "Two running sums, `matches` and `total`, that grow from sentence to sentence.",
    ],
)
def counts_are_added_up_over_the_corpus(student, rng):
    """The matches of all sentences are divided by the n-grams of all hypotheses; it is no mean over sentences."""
    for _ in range(3):
        words = draw_words(rng, 30)
        short, long = words[: int(rng.integers(4, 6))], words[6 : int(rng.integers(18, 22))]
        hypotheses = [" ".join(short), " ".join(spoil(rng, long, words, dropped=0.2, replaced=0.3))]
        references = [" ".join(short), " ".join(long)]
        expect_precisions(student, hypotheses, references, 4, "a short perfect sentence and a long bad one")
    hypotheses, references = draw_corpus(rng)
    rows = rng.integers(len(hypotheses), size=200)
    many = [[lines[row] for row in rows] for lines in (hypotheses, references)]
    expect_precisions(student, *many, 4, "a corpus of 200 lines, in which lines occur several times")


@criterion(
    hints=[
        "In which reference may the n-grams of hypothesis 2 be found?",
        "In reference 2 alone. Clip sentence by sentence, then add up.",
    ],
)
def each_hypothesis_has_its_own_reference(student, rng):
    """N-grams are looked up in the reference of their own sentence only."""
    hypotheses, references = draw_corpus(rng)
    swapped = [*references[1:], references[0]]
    mixed = [one if rng.uniform() < 0.5 else other for one, other in zip(hypotheses, swapped, strict=True)]
    mixed[0], mixed[1] = swapped[0], hypotheses[1]
    expect_precisions(student, mixed, references, 3, "a corpus in which some lines are exchanged")


@criterion(
    hints=[
        "How many 4-grams has a sentence of two tokens? And an empty one?",
        "None. `range(len(tokens) - n + 1)` is then empty. If the whole corpus has none, p_n is 0. Skip no sentence: "
        "the n-grams of a hypothesis count, also if its reference has none.",
        "`matches / total if total else 0.0`",
    ],
)
def short_and_empty_sentences_are_welcome(student, rng):
    """A hypothesis without n-grams adds none, one with a short or empty reference its own; without any, p_n is 0."""
    words = draw_words(rng, 8)
    long = " ".join(words[:6])
    cases = [([words[0], "", long], [" ".join(words[:2]), words[3], long]), (["", words[1]], [words[0], words[1]])]
    cases.append(([" ".join(words[:2])], [" ".join(words[:3])]))
    middle = " ".join(words[: int(rng.integers(4, 6))])
    cases += [([middle, long], [words[0], long]), ([middle, long], ["", long]), ([middle], [""])]
    for hypotheses, references in cases:
        what = f"{hypotheses} with the references {references}"
        expect_precisions(student, hypotheses, references, 4, what)


@criterion(
    hints=[
        "What does your code take for a token if there are two spaces between two words?",
        "`sentence.split(' ')` makes an empty word of it; `sentence.split()` splits at any white space.",
    ],
)
def any_white_space_separates_tokens(student, rng):
    """Several spaces, tabs and spaces at the ends separate tokens like a single space; the lists stay unchanged."""
    hypotheses, references = draw_corpus(rng, sentences=3)
    expected = precisions_of(hypotheses, references, 3)
    shares = call_precisions(student, widen(rng, hypotheses), widen(rng, references), 3)
    expect_unchanged(student)
    expect_close(shares, np.array(expected), what="ngram_precisions with wide gaps between the tokens")


# --- typical wrong answers, each with the criterion that must catch it ------------------------------------------------

NGRAMS = """
def ngram_precisions(hypotheses, references, max_n):
    from collections import Counter

    def ngrams(sentence, n):
        tokens = sentence.split()
        return Counter(tuple(tokens[start : start + n]) for start in range(len(tokens) - n + 1))

    precisions = []
    for n in range(1, max_n + 1):
        matches = total = 0
        for hypothesis, reference in zip(hypotheses, references):
            found, wanted = ngrams(hypothesis, n), ngrams(reference, n)
            matches += (found & wanted).total()
            total += found.total()
        precisions.append(matches / total if total else 0.0)
    return precisions
"""
SHARE = "precisions.append(matches / total if total else 0.0)"
MATCH = "matches += (found & wanted).total()"
TOTAL = "            total += found.total()\n"
PAIR = "found, wanted = ngrams(hypothesis, n), ngrams(reference, n)"
mutants(
    NGRAMS,
    "*",
    [
        (
            "imports the answer",
            "    from collections",
            "    return steps.ngram_precisions(hypotheses, references, max_n)\n    from collections",
        ),
        (
            "lets sacrebleu do it",
            "    from collections",
            "    import sacrebleu\n\n"
            "    metric = sacrebleu.BLEU(tokenize='none', smooth_method='none', max_ngram_order=max_n)\n"
            "    return [p / 100 for p in metric.corpus_score(hypotheses, [references]).precisions]\n"
            "    from collections",
        ),
    ],
)
mutants(
    NGRAMS,
    "there_is_one_share_for_each_n",
    [
        ("one n too few", "range(1, max_n + 1)", "range(1, max_n)"),
        ("begins with n = 0", "range(1, max_n + 1)", "range(max_n + 1)"),
        ("always four", "range(1, max_n + 1)", "range(1, 5)"),
        ("percent", SHARE, "precisions.append(100 * matches / total if total else 0.0)"),
        ("the last one only", "return precisions", "return precisions[-1]"),
        ("the counts instead of the shares", SHARE, "precisions.append((matches, total))"),
        ("a dict", "return precisions", "return {str(n): p for n, p in enumerate(precisions, 1)}"),
        ("returns after the first n", "    return precisions", "        return precisions"),
    ],
)
mutants(
    NGRAMS,
    "p_1_is_the_share_of_right_words",
    [
        ("recall: divides by the reference", TOTAL, "            total += wanted.total()\n"),
        ("divides by the longer one", TOTAL, "            total += max(found.total(), wanted.total())\n"),
        ("F1: the mean of precision and recall", TOTAL, "            total += (found.total() + wanted.total()) / 2\n"),
        ("divides by the words of both", TOTAL, "            total += (found | wanted).total()\n"),
        ("counts characters", "tokens = sentence.split()", "tokens = sentence"),
        (
            "words at the same place only",
            MATCH,
            "matches += sum(a == b for a, b in zip(hypothesis.split(), reference.split()))",
        ),
        ("the share of wrong words", MATCH, "matches += (found - wanted).total()"),
        ("adds one to everything", SHARE, "precisions.append((matches + 1) / (total + 1))"),
        ("small letters only", "sentence.split()", "sentence.lower().split()"),
        ("cuts off punctuation", "sentence.split()", "[word.rstrip('.,!?') for word in sentence.split()]"),
        ("cuts off the mark at the end of the sentence", "sentence.split()", "sentence.rstrip(' .,:;!?').split()"),
        (
            "begins the sentence with a small letter",
            "sentence.split()",
            "(sentence[:1].lower() + sentence[1:]).split()",
        ),
        ("words of letters only", "sentence.split()", "__import__('re').findall(r'[^\\W\\d]+[.,:;!?]?', sentence)"),
        ("cuts words at hyphens", "sentence.split()", "sentence.replace('-', ' ').split()"),
        ("keeps plain letters only", "sentence.split()", "sentence.encode('ascii', 'ignore').decode().split()"),
        (
            "spells Unicode in one way",
            "sentence.split()",
            "__import__('unicodedata').normalize('NFC', sentence).split()",
        ),
        ("all digits are alike", "sentence.split()", "__import__('re').sub('[0-9]', '0', sentence).split()"),
    ],
)
mutants(
    NGRAMS,
    "runs_of_n_tokens_are_compared",
    [
        ("the last n-gram is missing", "range(len(tokens) - n + 1)", "range(len(tokens) - n)"),
        ("pieces that do not overlap", "range(len(tokens) - n + 1)", "range(0, len(tokens) - n + 1, n)"),
        ("n-grams without order", "tuple(tokens[start : start + n])", "tuple(sorted(tokens[start : start + n]))"),
        ("single tokens for every n", "tokens[start : start + n]", "tokens[start : start + 1]"),
        ("runs of four at most", "tokens[start : start + n]", "tokens[start : start + min(n, 4)]"),
        ("no more than six numbers", "range(1, max_n + 1)", "range(1, min(max_n, 6) + 1)"),
        ("runs of two at most", "tokens[start : start + n]", "tokens[start : start + min(n, 2)]"),
        ("shorter runs at the end", "range(len(tokens) - n + 1)", "range(len(tokens))"),
        ("every n-th token", "tokens[start : start + n]", "tokens[start : start + 2 * n : 2]"),
        ("divides by the number of tokens", TOTAL, "            total += len(hypothesis.split())\n"),
        (
            "all runs up to n together",
            "for start in range(len(tokens) - n + 1))",
            "for start in range(len(tokens) - n + 1)) + (ngrams(sentence, n - 1) if n > 1 else Counter())",
        ),
        ("glues the tokens together", "tuple(tokens[start : start + n])", "''.join(tokens[start : start + n])"),
    ],
)
mutants(
    NGRAMS,
    "repeated_ngrams_are_clipped",
    [
        ("no clipping", MATCH, "matches += sum(count for gram, count in found.items() if gram in wanted)"),
        ("sets instead of counts", MATCH, "matches += len(found & wanted)", TOTAL, "            total += len(found)\n"),
        ("different n-grams over all n-grams", MATCH, "matches += len(found & wanted)"),
        ("all n-grams over different ones", TOTAL, "            total += len(found)\n"),
        ("the count in the reference", MATCH, "matches += sum(wanted[gram] for gram in found)"),
        ("the larger count", MATCH, "matches += sum(max(found[gram], wanted[gram]) for gram in found & wanted)"),
        ("each n-gram once at most", MATCH, "matches += sum(1 for gram in found if gram in wanted)"),
        (
            "clips the total too",
            TOTAL,
            "            total += sum(min(count, max(1, wanted[gram])) for gram, count in found.items())\n",
        ),
    ],
)
mutants(
    NGRAMS,
    "counts_are_added_up_over_the_corpus",
    [
        (
            "the mean over the sentences",
            "        matches = total = 0\n",
            "        matches, total = 0, len(hypotheses)\n",
            MATCH,
            "matches += (found & wanted).total() / max(1, found.total())",
            TOTAL,
            "",
        ),
        (
            "the last sentence only",
            "        for hypothesis,",
            "        for hypothesis, reference in zip(hypotheses[-1:], references[-1:]):\n"
            "            pass\n        for hypothesis,",
            "zip(hypotheses, references)",
            "[(hypothesis, reference)]",
        ),
        ("the first sentence only", "zip(hypotheses, references)", "[(hypotheses[0], references[0])]"),
        (
            "the best sentence",
            MATCH,
            "best = matches / total if total else 0\n"
            "            now = (found & wanted).total() / max(1, found.total())",
            TOTAL,
            "            if now >= best:\n                matches, total = (found & wanted).total(), found.total()\n",
        ),
        (
            "forgets to begin at 0 for each n",
            "        matches = total = 0\n",
            "",
            "    precisions = []",
            "    precisions, matches, total = [], 0, 0",
        ),
        (
            "lines that occur twice count once",
            "zip(hypotheses, references)",
            "dict.fromkeys(zip(hypotheses, references))",
        ),
        (
            "counts in a byte",
            MATCH,
            "matches = np.uint8((int(matches) + (found & wanted).total()) % 256)",
            TOTAL,
            "            total = np.uint8((int(total) + found.total()) % 256)\n",
        ),
        ("skips perfect sentences", MATCH, "matches += (found & wanted).total() if hypothesis != reference else 0"),
    ],
)
mutants(
    NGRAMS,
    "each_hypothesis_has_its_own_reference",
    [
        (
            "one pot for all references",
            PAIR,
            "found, wanted = ngrams(hypothesis, n), sum((ngrams(one, n) for one in references), Counter())",
        ),
        ("all references as one text", PAIR, "found, wanted = ngrams(hypothesis, n), ngrams(' '.join(references), n)"),
        ("both sides as one text", "zip(hypotheses, references)", "[(' '.join(hypotheses), ' '.join(references))]"),
        ("the best of all references", MATCH, "matches += max((found & ngrams(one, n)).total() for one in references)"),
        ("the first reference for all", PAIR, "found, wanted = ngrams(hypothesis, n), ngrams(references[0], n)"),
        ("sorts both lists", "zip(hypotheses, references)", "zip(sorted(hypotheses), sorted(references))"),
    ],
)
mutants(
    NGRAMS,
    "short_and_empty_sentences_are_welcome",
    [
        ("divides by zero", SHARE, "precisions.append(matches / total)"),
        ("1 where there is nothing", "else 0.0", "else 1.0"),
        ("NaN where there is nothing", "else 0.0", "else float('nan')"),
        ("leaves n out where there is nothing", SHARE, "if total:\n            precisions.append(matches / total)"),
        ("counts at least one n-gram for each sentence", TOTAL, "            total += max(1, found.total())\n"),
        (
            "skips sentences with fewer than max_n tokens",
            PAIR,
            f"if len(hypothesis.split()) < max_n:\n                continue\n            {PAIR}",
        ),
        (
            "skips sentences with a short reference",
            PAIR,
            f"{PAIR}\n            if not wanted:\n                continue",
        ),
        (
            "skips sentences with an empty reference",
            PAIR,
            f"if not hypothesis or not reference:\n                continue\n            {PAIR}",
        ),
    ],
)
mutants(
    NGRAMS,
    "any_white_space_separates_tokens",
    [
        ("splits at single spaces", "sentence.split()", "sentence.split(' ')"),
        ("strips, then splits at single spaces", "sentence.split()", "sentence.strip().split(' ')"),
        ("splits at spaces and tabs", "sentence.split()", "__import__('re').findall('[^ \\t]+', sentence)"),
        ("splits at spaces only", "sentence.split()", "[word for word in sentence.split(' ') if word]"),
        (
            "cleans the lists in place",
            "    from collections",
            "    hypotheses[:] = [' '.join(one.split()) for one in hypotheses]\n    from collections",
        ),
    ],
)

# --- right answers written otherwise ----------------------------------------------------------------------------------

accepted(
    "dicts and loops",
    """
def count(sentence, n):
    words, table = sentence.split(), {}
    for i in range(max(0, len(words) - n + 1)):
        gram = " ".join(words[i : i + n])
        table[gram] = table.get(gram, 0) + 1
    return table


def ngram_precisions(hypotheses, references, max_n):
    found, total = [0] * max_n, [0] * max_n
    for i in range(len(hypotheses)):
        for n in range(1, max_n + 1):
            mine, theirs = count(hypotheses[i], n), count(references[i], n)
            found[n - 1] += sum(min(times, theirs.get(gram, 0)) for gram, times in mine.items())
            total[n - 1] += sum(mine.values())
    return [f / t if t > 0 else 0.0 for f, t in zip(found, total)]
""",
)
accepted(
    "a regular expression for the tokens, an array as result",
    """
import re


def ngram_precisions(hypotheses, references, max_n):
    hits, seen = np.zeros(max_n), np.zeros(max_n)
    for pair in zip(hypotheses, references):
        mine, theirs = (re.findall(r"\\S+", text) for text in pair)
        for n in range(1, max_n + 1):
            grams, wanted = ([words[i : i + n] for i in range(len(words) - n + 1)] for words in (mine, theirs))
            different = {tuple(gram) for gram in grams}
            hits[n - 1] += sum(min(grams.count(list(g)), wanted.count(list(g))) for g in different)
            seen[n - 1] += len(grams)
    return np.divide(hits, seen, out=np.zeros(max_n), where=seen > 0)
""",
)
accepted(
    "zip of shifted lists",
    """
from collections import Counter


def ngram_precisions(hypotheses, references, max_n):
    result = []
    for n in range(1, max_n + 1):
        pairs = []
        for texts in zip(hypotheses, references):
            pairs.append([Counter(zip(*(words[k:] for k in range(n)))) for words in map(str.split, texts)])
        total = sum(sum(mine.values()) for mine, _ in pairs)
        matches = sum(sum((mine & theirs).values()) for mine, theirs in pairs)
        result.append(matches / max(total, 1))
    return result
""",
)
accepted(
    "each n-gram of the reference is crossed out once it was used",
    """
def ngram_precisions(hypotheses, references, max_n):
    precisions = []
    for n in range(1, max_n + 1):
        hits, grams = 0, 0
        for hypothesis, reference in zip(hypotheses, references):
            left = reference.split()
            left = [left[i : i + n] for i in range(len(left) - n + 1)]
            mine = hypothesis.split()
            for i in range(len(mine) - n + 1):
                grams += 1
                if mine[i : i + n] in left:
                    left.remove(mine[i : i + n])
                    hits += 1
        precisions.append(float(hits) / grams if grams else 0.0)
    return precisions
""",
)
