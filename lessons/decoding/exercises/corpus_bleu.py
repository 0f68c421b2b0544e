"""Exercise `corpus_bleu`: what a right answer must do, and typical wrong ones."""

import math

from llmcourse.checking import accepted, criterion, expect_close, expect_raises, expect_unchanged, mutants

from ..oracles import alike_but_different, draw_corpus, draw_words, precisions_of, widen

SINGLE = 3e-6  # everything may be computed in single precision


def bleu_of(hypotheses, references):
    precisions = precisions_of(hypotheses, references, 4)
    if min(precisions) == 0:
        return 0.0
    written, wanted = (sum(len(sentence.split()) for sentence in group) for group in (hypotheses, references))
    return 100 * min(1.0, math.exp(1 - wanted / written)) * math.prod(precisions) ** 0.25


def expect_bleu(student, hypotheses, references, what):
    received = student.corpus_bleu(hypotheses, references)
    expect_close(received, bleu_of(hypotheses, references), what=f"BLEU of {what}", tolerance=SINGLE)


def lengths_of(group):
    return sum(len(sentence.split()) for sentence in group)


def equal_in_length(rng, hypotheses, references):
    """Append wrong words to the shorter side until both sides have the same number of tokens."""
    fill = draw_words(rng, 60)
    hypotheses, references = list(hypotheses), list(references)
    while (missing := lengths_of(references) - lengths_of(hypotheses)) != 0:
        group = hypotheses if missing > 0 else references
        group[int(rng.integers(len(group)))] += f" {fill.pop()}{'x' if missing > 0 else 'y'}"
    return hypotheses, references


@criterion(
    hints=[
        "What are the four precisions if every hypothesis equals its reference, and their geometric mean?",
        "All are 1, and so is the brevity penalty: BLEU is 100, not 1.",
    ],
)
def equal_sentences_score_100(student, rng):
    """BLEU is 100 where every hypothesis equals its reference, if one of them at least has four tokens or more."""
    _, references = draw_corpus(rng, sentences=int(rng.integers(1, 5)))
    expect_close(student.corpus_bleu(references, references), 100.0, what="corpus_bleu(references, references)")


@criterion(
    points=2,
    hints=[
        "Is your mean of the four precisions the geometric one?",
        "The fourth root of their product, or the exponential of the mean of their logarithms.",
        "`np.exp(np.log(precisions).mean())`, times 100; here the brevity penalty is 1.",
    ],
)
def the_four_precisions_are_joined_by_their_geometric_mean(student, rng):
    """With as many tokens in the hypotheses as in the references, BLEU is 100 (p_1 p_2 p_3 p_4)**(1/4)."""
    for _ in range(3):
        pair = equal_in_length(rng, *draw_corpus(rng))
        expect_bleu(student, *pair, "a corpus with as many tokens as its references")


@criterion(
    points=2,
    hints=[
        "What is the penalty for 9 tokens with a reference of 10? Is it smaller than 1 in your code?",
        "exp(1 - r/c); r counts the tokens of all references and c those of all hypotheses: exp(1 - 10/9) = 0.895.",
        "`brevity = 1.0 if written >= wanted else np.exp(1 - wanted / written)`",
    ],
)
def who_writes_too_little_pays(student, rng):
    """With fewer tokens in the hypotheses than in the references, BLEU is multiplied by exp(1 - r/c)."""
    for _ in range(3):
        hypotheses, references = draw_corpus(rng, dropped=0.25, doubled=0.0)
        expect_bleu(student, hypotheses, references, "a corpus with fewer tokens than its references")


@criterion(
    hints=[
        "What is exp(1 - r/c) if the hypotheses are longer than the references?",
        "Larger than 1: a reward, and there is none. The brevity penalty is never above 1.",
    ],
)
def who_writes_too_much_gets_no_reward(student, rng):
    """With more tokens in the hypotheses than in the references, the brevity penalty is exactly 1."""
    for _ in range(3):
        hypotheses, references = draw_corpus(rng, dropped=0.0, doubled=0.35)
        expect_bleu(student, hypotheses, references, "a corpus with more tokens than its references")


@criterion(
    points=2,
    hints=[
        "Do you compute something for each sentence and take a mean?",
        "Counts and lengths are added up over all sentences, empty ones and their references too; only then come "
        "fractions, logarithms and the penalty.",
        "`written = sum(len(hypothesis.split()) for hypothesis in hypotheses)`, and `wanted` from the references.",
    ],
)
def the_corpus_counts_as_one(student, rng):
    """Lengths and precisions are those of the whole corpus: long hypotheses make up for short and for empty ones."""
    words = draw_words(rng, 40)
    long, short = words[:14], words[14 : 14 + int(rng.integers(6, 9))]
    extra = words[25 : 25 + int(rng.integers(2, 5))]
    corpora = [
        ([" ".join(long[:9]), " ".join(short + extra)], [" ".join(long), " ".join(short)]),
        ([" ".join(short[:2]), " ".join(long)], [" ".join(short[:3]), " ".join(long[:-1])]),
        (["", " ".join(long)], [" ".join(short), " ".join(long)]),
        ([" ".join(long), " ".join(extra)], [" ".join(long[:-1]), ""]),
    ]
    for hypotheses, references in corpora:
        numbers = [len(line.split()) for line in hypotheses]
        expect_bleu(student, hypotheses, references, f"a corpus whose hypotheses have {numbers} tokens")
    hypotheses, references = draw_corpus(rng)
    rows = rng.integers(len(hypotheses), size=150)
    many = [[lines[row] for row in rows] for lines in (hypotheses, references)]
    expect_bleu(student, *many, "a corpus of 150 lines, in which lines occur several times")


@criterion(
    hints=[
        "What is a token in your lengths: the same as in your precisions?",
        "What stands between white space of any kind, unchanged. `split(' ')` finds empty words between two spaces.",
        "`len(sentence.split())`, and no `lower()`: May and may are two different tokens.",
    ],
)
def tokens_are_taken_as_they_are(student, rng):
    """Tokens are what stands between white space of any kind, unchanged, as are the lists; May is not may, nor six six!"""
    hypotheses, references = draw_corpus(rng, dropped=0.25, doubled=0.0)
    for wide in (widen(rng, hypotheses), references), (hypotheses, widen(rng, references)):
        expect_bleu(student, *wide, "a corpus with wide gaps between its tokens")
        expect_unchanged(student)
    for _ in range(2):
        pairs = [alike_but_different(rng, int(rng.integers(9, 14))) for _ in range(2)]
        hypotheses, references = ([pair[side] for pair in pairs] for side in (0, 1))
        references[1] += " " + " ".join(draw_words(rng, 3))  # the hypotheses are shorter
        expect_bleu(student, hypotheses, references, f"{hypotheses} with the references {references}")


@criterion(
    hints=[
        "What is the geometric mean if no 4-gram is right? And np.log(0)?",
        "0. Ask for it before you take logarithms: if one of the precisions is 0, BLEU is 0. No smoothing.",
        "`if min(precisions) == 0: return 0.0`",
    ],
)
def without_a_right_4_gram_it_is_zero(student, rng):
    """BLEU is 0 if one of the four precisions is 0, also for empty and for very short hypotheses."""
    words = draw_words(rng, 9)
    no_4_gram = " ".join([*words[:3], words[8], *words[4:7]])
    cases = [([no_4_gram], [" ".join(words[:7])]), ([words[0], ""], [" ".join(words[:2]), words[3]])]
    cases += [([""], [" ".join(words[:5])]), ([" ".join(words[:3])], [" ".join(words[:3])])]
    for hypotheses, references in cases:
        expect_close(student.corpus_bleu(hypotheses, references), 0.0, what=f"corpus_bleu({hypotheses}, {references})")


@criterion(
    hints=[
        "What happens if there are three hypotheses and two references?",
        "`zip` stops silently at the shorter list, so a lost line would go unnoticed. Compare the lengths first.",
        "`raise ValueError(...)`, with both numbers in the message. (`zip(..., strict=True)` raises one too.)",
    ],
)
def a_lost_line_is_an_error(student, rng):
    """If there are not as many references as hypotheses, a ValueError is raised."""
    hypotheses, references = draw_corpus(rng)
    with expect_raises("ValueError", what="corpus_bleu with a reference too few"):
        student.corpus_bleu(hypotheses, references[:-1])
    with expect_raises("ValueError", what="corpus_bleu with a hypothesis too few"):
        student.corpus_bleu(hypotheses[:-1], references)


# --- typical wrong answers, each with the criterion that must catch it ------------------------------------------------

BLEU = """
def corpus_bleu(hypotheses, references):
    if len(hypotheses) != len(references):
        raise ValueError("not as many references as hypotheses")
    precisions = np.array(steps.ngram_precisions(hypotheses, references, 4))
    if precisions.min() == 0:
        return 0.0
    written = sum(len(hypothesis.split()) for hypothesis in hypotheses)
    wanted = sum(len(reference.split()) for reference in references)
    brevity = 1.0 if written >= wanted else np.exp(1 - wanted / written)
    return float(100 * brevity * np.exp(np.log(precisions).mean()))
"""
SCORE = "float(100 * brevity * np.exp(np.log(precisions).mean()))"
BREVITY = "brevity = 1.0 if written >= wanted else np.exp(1 - wanted / written)"
ZERO = "    if precisions.min() == 0:\n        return 0.0\n"
PRECISIONS = "precisions = np.array(steps.ngram_precisions(hypotheses, references, 4))"
LENGTHS = (
    '    if len(hypotheses) != len(references):\n        raise ValueError("not as many references as hypotheses")\n'
)
mutants(
    BLEU,
    "*",
    [
        ("imports the answer", LENGTHS, "    return steps.corpus_bleu(hypotheses, references)\n"),
        (
            "lets sacrebleu do it",
            LENGTHS,
            LENGTHS + "    import sacrebleu\n\n    metric = sacrebleu.BLEU(tokenize='none', smooth_method='none')\n"
            "    return metric.corpus_score(hypotheses, [references]).score\n",
        ),
    ],
)
mutants(
    BLEU,
    "equal_sentences_score_100",
    [
        ("from 0 to 1", "100 * brevity", "brevity"),
        (
            "forgets the root of the sum of the logarithms: no exponential",
            "np.exp(np.log(precisions).mean())",
            "np.log(precisions).mean()",
        ),
        (
            "a penalty without the 1",
            "np.exp(1 - wanted / written)",
            "np.exp(-wanted / written)",
            "written >= wanted",
            "written > wanted",
        ),
        (
            "the share of equal sentences",
            f"return {SCORE}",
            "return float(np.mean([a == b for a, b in zip(hypotheses, references)]))",
        ),
        ("a tuple of score and penalty", SCORE, f"{SCORE}, brevity"),
        ("adds the four precisions", "np.exp(np.log(precisions).mean())", "precisions.sum()"),
        ("a percentage of a percentage", "100 * brevity", "100 * 100 * brevity"),
    ],
)
mutants(
    BLEU,
    "the_four_precisions_are_joined_by_their_geometric_mean",
    [
        ("the arithmetic mean", "np.exp(np.log(precisions).mean())", "precisions.mean()"),
        ("the product without the root", "np.exp(np.log(precisions).mean())", "precisions.prod()"),
        ("the harmonic mean", "np.exp(np.log(precisions).mean())", "(4 / (1 / precisions).sum())"),
        ("logarithms to the base of 2", "np.log(precisions)", "np.log2(precisions)"),
        ("only 1-grams and 2-grams", "references, 4))", "references, 2))"),
        ("up to 5-grams", "references, 4))", "references, 5))"),
        ("only 4-grams", "np.log(precisions).mean()", "np.log(precisions[-1])"),
        ("the square root", "np.log(precisions).mean()", "np.log(precisions).sum() / 2"),
        ("the smallest of the four", "np.exp(np.log(precisions).mean())", "precisions.min()"),
        (
            "adds one to the counts of longer n-grams",
            PRECISIONS,
            PRECISIONS + "\n    precisions[1:] = (precisions[1:] * 50 + 1) / 51",
        ),
    ],
)
mutants(
    BLEU,
    "who_writes_too_little_pays",
    [
        ("no brevity penalty", BREVITY, "brevity = 1.0"),
        ("the fraction the other way round", "1 - wanted / written", "1 - written / wanted"),
        ("the plain quotient of the lengths", "np.exp(1 - wanted / written)", "written / wanted"),
        ("punishes the long ones instead", "written >= wanted", "written <= wanted"),
        ("counts characters", "len(hypothesis.split())", "len(hypothesis)", "len(reference.split())", "len(reference)"),
        ("counts sentences", "len(hypothesis.split())", "1", "len(reference.split())", "1"),
        ("takes the root of the penalty too", "100 * brevity", "100 * brevity**0.25"),
        ("the penalty squared", "100 * brevity", "100 * brevity**2"),
        (
            "counts different words",
            "len(hypothesis.split())",
            "len(set(hypothesis.split()))",
            "len(reference.split())",
            "len(set(reference.split()))",
        ),
    ],
)
mutants(
    BLEU,
    "who_writes_too_much_gets_no_reward",
    [
        ("a reward for long ones", BREVITY, "brevity = np.exp(1 - wanted / written)"),
        ("punishes long ones as well", BREVITY, "brevity = np.exp(-abs(1 - wanted / written))"),
        ("a quotient as penalty for long ones", "1.0 if", "wanted / written if"),
    ],
)
mutants(
    BLEU,
    "the_corpus_counts_as_one",
    [
        (
            "the mean of the sentences",
            LENGTHS,
            LENGTHS + "    if len(hypotheses) > 1:\n"
            "        return float(np.mean([corpus_bleu([a], [b]) for a, b in zip(hypotheses, references)]))\n",
        ),
        (
            "the penalty of each sentence, averaged",
            BREVITY,
            "brevity = np.mean([min(1.0, np.exp(1 - len(b.split()) / "
            "len(a.split()))) for a, b in zip(hypotheses, references)])",
        ),
        (
            "missing words of each sentence add up",
            "wanted = sum(len(reference.split()) for reference in references)",
            "wanted = sum(max(len(a.split()), len(b.split())) for a, b in zip(hypotheses, references))",
        ),
        (
            "precisions of each sentence, averaged",
            PRECISIONS,
            "precisions = np.mean([steps.ngram_precisions([a], [b], 4) "
            "for a, b in zip(hypotheses, references)], axis=0)",
        ),
        (
            "the lengths of the last sentence",
            BREVITY,
            "written, wanted = len(hypotheses[-1].split()), len(references[-1].split())\n    " + BREVITY,
        ),
        (
            "the lengths of the first sentence",
            BREVITY,
            "written, wanted = len(hypotheses[0].split()), len(references[0].split())\n    " + BREVITY,
        ),
        (
            "all sentences as one text",
            PRECISIONS,
            PRECISIONS.replace("hypotheses, references", "[' '.join(hypotheses)], [' '.join(references)]"),
        ),
        (
            "lines that occur twice count once",
            PRECISIONS,
            "hypotheses, references = zip(*dict.fromkeys(zip(hypotheses, references)))\n    " + PRECISIONS,
        ),
        (
            "leaves out the references of empty hypotheses",
            "for reference in references)",
            "for one, reference in zip(hypotheses, references) if one.strip())",
        ),
        (
            "leaves out the hypotheses with empty references",
            PRECISIONS,
            "hypotheses = [one for one, other in zip(hypotheses, references) if other]\n"
            "    references = [other for other in references if other]\n    " + PRECISIONS,
        ),
    ],
)
mutants(
    BLEU,
    "tokens_are_taken_as_they_are",
    [
        ("splits hypotheses at single spaces", "hypothesis.split()", "hypothesis.split(' ')"),
        ("splits references at single spaces", "reference.split()", "reference.split(' ')"),
        (
            "counts spaces",
            "len(hypothesis.split())",
            "hypothesis.count(' ') + 1",
            "len(reference.split())",
            "reference.count(' ') + 1",
        ),
        (
            "small letters only",
            PRECISIONS,
            "hypotheses, references = [one.lower() for one in hypotheses], [one.lower() for one in references]\n    "
            + PRECISIONS,
        ),
        (
            "keeps plain letters only",
            PRECISIONS,
            "hypotheses, references = ([one.encode('ascii', 'ignore').decode() for one in group] "
            "for group in (hypotheses, references))\n    " + PRECISIONS,
        ),
        (
            "spells Unicode in one way",
            PRECISIONS,
            "from unicodedata import normalize\n"
            "    hypotheses, references = ([normalize('NFC', one) for one in group] "
            "for group in (hypotheses, references))\n    " + PRECISIONS,
        ),
        (
            "counts punctuation marks as tokens in the lengths",
            "hypothesis.split()",
            "__import__('re').findall(r'\\w+|[^\\w\\s]', hypothesis)",
            "reference.split()",
            "__import__('re').findall(r'\\w+|[^\\w\\s]', reference)",
        ),
        (
            "cleans the lists in place",
            PRECISIONS,
            "hypotheses[:] = [' '.join(one.split()) for one in hypotheses]\n    " + PRECISIONS,
        ),
        (
            "cuts off punctuation",
            PRECISIONS,
            "import re\n"
            "    hypotheses, references = ([re.sub('[^ \\t\\\\w]', '', one) for one in group] "
            "for group in (hypotheses, references))\n    " + PRECISIONS,
        ),
    ],
)
mutants(
    BLEU,
    "without_a_right_4_gram_it_is_zero",
    [
        ("takes the logarithm of 0", ZERO, ""),
        ("a small number in place of 0", ZERO, "    precisions = np.maximum(precisions, 0.001)\n"),
        (
            "leaves the zeros out of the mean",
            ZERO,
            "    precisions = precisions[precisions > 0]\n    if len(precisions) == 0:\n        return 0.0\n",
        ),
        (
            "zero only if no word is right",
            "precisions.min() == 0",
            "precisions.max() == 0",
            "np.log(precisions)",
            "np.log(np.maximum(precisions, 1e-3))",
        ),
        (
            "fewer n-grams for short sentences",
            PRECISIONS,
            "longest = min(4, max(1, max(len(one.split()) for one in hypotheses)))\n    "
            + PRECISIONS.replace("4", "longest"),
        ),
        ("None instead of 0", "return 0.0", "return None"),
    ],
)
mutants(
    BLEU,
    "a_lost_line_is_an_error",
    [
        (
            "stops silently at the shorter list",
            LENGTHS,
            "    shorter = min(len(hypotheses), len(references))\n"
            "    hypotheses, references = hypotheses[:shorter], references[:shorter]\n",
        ),
        ("0 instead of an error", 'raise ValueError("not as many references as hypotheses")', "return 0.0"),
        ("an assertion", LENGTHS, "    assert len(hypotheses) == len(references)\n"),
        (
            "notices missing references only",
            "!= len(references)",
            "> len(references)",
            PRECISIONS,
            PRECISIONS.replace("references,", "references[: len(hypotheses)],"),
        ),
    ],
)

# --- right answers written otherwise ----------------------------------------------------------------------------------

accepted(
    "the fourth root of the product",
    """
def corpus_bleu(hypotheses, references):
    if len(hypotheses) != len(references):
        raise ValueError(f"{len(hypotheses)} hypotheses and {len(references)} references")
    product = np.prod(steps.ngram_precisions(hypotheses, references, 4))
    c = sum(len(line.split()) for line in hypotheses)
    r = sum(len(line.split()) for line in references)
    penalty = 1.0 if c >= r or c == 0 else np.exp(1 - r / c)
    return float(100 * penalty * product**0.25)
""",
)
accepted(
    "logarithms in NumPy, everything counted here",
    """
from collections import Counter


def corpus_bleu(hypotheses, references):
    if len(references) - len(hypotheses):
        raise ValueError("as many references as hypotheses, please")
    matches, totals, c, r = np.zeros(4), np.zeros(4), 0, 0
    for hypothesis, reference in zip(hypotheses, references):
        mine, theirs = hypothesis.split(), reference.split()
        c, r = c + len(mine), r + len(theirs)
        for n in range(4):
            a = Counter(tuple(mine[i : i + n + 1]) for i in range(len(mine) - n))
            b = Counter(tuple(theirs[i : i + n + 1]) for i in range(len(theirs) - n))
            matches[n] += (a & b).total()
            totals[n] += a.total()
    if not matches.all():
        return 0.0
    return 100 * np.exp(min(0.0, 1 - r / c) + np.log(matches / totals).mean())
""",
)
accepted(
    "Python's statistics",
    """
import statistics


def words(lines):
    return sum(map(len, map(str.split, lines)))


def corpus_bleu(hypotheses, references):
    if len(hypotheses) != len(references):
        raise ValueError("a line is missing")
    shares = steps.ngram_precisions(hypotheses, references, 4)
    if min(shares) <= 0:
        return 0.0
    short = words(references) / words(hypotheses)
    return 100 * min(1.0, np.exp(1 - short)) * statistics.geometric_mean(shares)
""",
)
accepted(
    "functions of Keras, in single precision",
    """
def corpus_bleu(hypotheses, references):
    from keras import ops

    if len(hypotheses) != len(references):
        raise ValueError("a line is missing")
    precisions = ops.convert_to_tensor(np.float32(steps.ngram_precisions(hypotheses, references, 4)))
    if float(ops.min(precisions)) == 0:
        return 0.0
    c, r = (len(" ".join(lines).split()) for lines in (hypotheses, references))
    return 100 * float(ops.exp(ops.mean(ops.log(precisions)) + min(0.0, 1 - r / c)))
""",
)
