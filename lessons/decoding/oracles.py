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
    """Draw a hypothesis and a reference that differ in capital letters and punctuation marks only."""
    words = draw_words(rng, count)
    hypothesis, reference = list(words), list(words)
    places = [int(place) for place in rng.choice(6, size=4, replace=False)]
    for number, (place, side) in enumerate(zip(places, (hypothesis, reference) * 2, strict=True)):
        side[place] = words[place].capitalize() if number < 2 else words[place] + str(rng.choice([*".,!?"]))
    return " ".join(hypothesis), " ".join(reference)


def widen(rng, lines):
    """Put tabs and several spaces between the tokens, and spaces at both ends."""
    return [f" {line} ".replace(" ", str(rng.choice(["  ", "\t", " \t "]))) for line in lines]


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
