"""From sentences to splits: which combinations are held out, and which sentence goes where."""

import hashlib
from functools import cache

from llmcourse.data.phrases import (
    grammar_activities,
    grammar_people,
    grammar_shopping,
    grammar_time,
    grammar_travel,
    grammar_weather,
)
from llmcourse.data.phrases.template import TEMPLATES, Sentence

GRAMMAR = (
    grammar_activities,
    grammar_people,
    grammar_shopping,
    grammar_time,
    grammar_travel,
    grammar_weather,
)
TEST_SIZE = 1_000  # and as many for validation
HELD_OUT_ONE_IN = 43


def fraction(text: str) -> int:
    """Return a number of 64 bits that depends on the text alone, whatever the machine and the version of Python."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


@cache
def all_sentences() -> tuple[Sentence, ...]:
    """Return every sentence once, in the order of a hash of its English, so that any part of them is a fair sample.

    Returns:
        Sentences of which no two share their English.
    """
    distinct: dict[str, Sentence] = {}
    for template in TEMPLATES.values():
        for sentence in template.sentences():
            distinct.setdefault(sentence.en, sentence)
    return tuple(sorted(distinct.values(), key=lambda sentence: fraction(sentence.en)))


@cache
def held_out_pairs() -> frozenset[frozenset[str]]:
    """Return the pairs of words or phrases that never meet in a sentence of train, validation and test.

    Each template names two of its slots, such as subject and activity or adjective and noun. Of the pairs that fill
    them, one in `HELD_OUT_ONE_IN` is held out, by a hash of both. A pair is held out of every template, also of those
    that name other slots. "One" is left out of this, since a sentence shows it as a or an.

    Returns:
        Pairs of English names, as in `Sentence.entries`.
    """
    pairs = {sentence.bond for sentence in all_sentences()}
    return frozenset(
        pair for pair in pairs if "one" not in pair and fraction("|".join(sorted(pair))) % HELD_OUT_ONE_IN == 0
    )


@cache
def split_sentences() -> dict[str, tuple[Sentence, ...]]:
    """Return the sentences of each split."""
    partners: dict[str, set[str]] = {}
    for first, second in map(tuple, held_out_pairs()):
        partners.setdefault(first, set()).add(second)
        partners.setdefault(second, set()).add(first)

    def meets_held_out_pair(sentence: Sentence) -> bool:
        return any(not partners[entry].isdisjoint(sentence.entries) for entry in sentence.entries if entry in partners)

    combinations: list[Sentence] = []
    others: list[Sentence] = []
    for sentence in all_sentences():
        (combinations if meets_held_out_pair(sentence) else others).append(sentence)
    return {
        "train": tuple(others[2 * TEST_SIZE :]),
        "validation": tuple(others[TEST_SIZE : 2 * TEST_SIZE]),
        "test": tuple(others[:TEST_SIZE]),
        "combinations": tuple(combinations),
    }
