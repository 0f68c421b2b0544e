"""What the exercises of the lesson `translation` share: drawn inputs, and oracles in plain NumPy in float64."""

import numpy as np

PAD, UNK, START, END = 0, 1, 2, 3


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


IMPORT = "from llmcourse.steps.translation import "
