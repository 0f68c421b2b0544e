"""What the exercises of the lesson `decoding` share: drawn inputs, and oracles in plain NumPy in float64."""

import numpy as np


def distinct_sizes(rng, count, low=2, high=9):
    """Draw sizes that all differ, so that a swapped axis cannot go unnoticed."""
    return [int(size) for size in rng.choice(np.arange(low, high), size=count, replace=False)]


def is_sequence(value):
    return isinstance(value, tuple | list)


SYLLABLES = ["ka", "lo", "mi", "ne", "ru", "sa", "ti", "vo", "be", "du"]


def draw_words(rng, count):
    """Draw different words, so that no real sentence can be known by heart."""
    words: set[str] = set()
    while len(words) < count:
        words.add("".join(rng.choice(SYLLABLES, size=int(rng.integers(1, 4)))))
    return [str(word) for word in rng.permutation(sorted(words))]


def counts_of(hypothesis, reference, n):
    """Count in one sentence the clipped matches and the n-grams of the hypothesis, by crossing out what is found."""

    def grams(sentence):
        tokens = sentence.split()
        return [tokens[start : start + n] for start in range(len(tokens)) if start + n <= len(tokens)]

    left, matches = grams(reference), 0
    for gram in grams(hypothesis):
        if gram in left:
            left.remove(gram)
            matches += 1
    return matches, len(grams(hypothesis))


def alike_but_different(rng, count):
    """Draw a hypothesis and a reference: ten pairs of tokens that are nearly the same, and count words that are.

    The pairs differ in a capital letter, a mark in front, inside or behind, a digit, an accent, or in how Unicode
    spells a letter; most pairs are exchanged at random. The words that are the same stand side by side.
    """
    words = draw_words(rng, count + 9)
    mark = str(rng.choice([*".,!?:;"]))
    near = [
        (f'"{words[0]}', words[0]),
        (words[1] + "'s", words[1] + "s"),
        (words[2][:1] + "-" + words[2][1:], words[2]),
        (words[3] + "3", words[3] + "7"),
        (words[4] + "\u00e9", words[4] + "e"),  # an accent
        (words[5] + "\u00e9", words[5] + "e\u0301"),  # the same letter as one sign and as two
        (words[6] + "\u00df", words[6]),
        ("-", ","),
    ]
    near = [pair[:: int(rng.choice([1, -1]))] for pair in (near[int(place)] for place in rng.permutation(len(near)))]
    cut = int(rng.integers(1, len(near)))
    first, last = (words[7].capitalize(), words[7]), (words[8] + mark, words[8])
    pairs = [first, *near[:cut], *((word, word) for word in words[9:]), *near[cut:], last]
    hypothesis, reference = zip(*pairs, strict=True)
    return " ".join(hypothesis), " ".join(reference)


def widen(rng, lines):
    """Put white space of several kinds between the tokens, and at both ends."""
    return [f" {line} ".replace(" ", str(rng.choice(["  ", "\t", " \t ", "\n", "\u3000"]))) for line in lines]


def precisions_of(hypotheses, references, max_n):
    result = []
    for n in range(1, max_n + 1):
        pairs = [counts_of(one, other, n) for one, other in zip(hypotheses, references, strict=True)]
        matches, total = sum(pair[0] for pair in pairs), sum(pair[1] for pair in pairs)
        result.append(matches / total if total else 0.0)
    return result


def spoil(rng, tokens, words, dropped=0.12, replaced=0.12, doubled=0.12):
    """Make a hypothesis of a reference: drop, replace and double some tokens."""
    result = []
    for token in tokens:
        luck = rng.uniform()
        if luck < dropped:
            continue
        result.append(str(rng.choice(words)) if luck < dropped + replaced else token)
        if luck > 1 - doubled:
            result.append(token)
    return result


def draw_corpus(rng, sentences=6, low=6, high=14, **faults):
    """Draw hypotheses and references that have many n-grams in common; few words, so that they repeat."""
    words = draw_words(rng, 12)
    while True:
        tokens = [list(rng.choice(words, size=int(rng.integers(low, high)))) for _ in range(sentences)]
        references = [" ".join(sentence) for sentence in tokens]
        hypotheses = [" ".join(spoil(rng, sentence, words, **faults)) for sentence in tokens]
        shares = precisions_of(hypotheses, references, 4)
        if min(shares) > 0.05 and max(shares) < 0.98:
            return hypotheses, references
