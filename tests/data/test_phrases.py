"""The phrases are many, distinct and fixed for ever, and what is held out is really held out."""

import doctest
import hashlib
import re
import time
from collections import Counter
from itertools import combinations

import pytest

from llmcourse.data import phrases
from llmcourse.data.phrases import activities, people, phrase_splits, splits, things
from llmcourse.data.phrases.template import TEMPLATES

PARTS = ["train", "validation", "test", "combinations"]
# Everybody's results depend on every character of the set: a new value here is a decision, never an accident.
SHA256 = {
    "zh": "a6c5bed4bb868b05aeecb30c0e8e044e659c825a374730e866ef84008ffd3431",
    "de": "c1aaa56414345fcf4d27dbd8e6888df91b51fa7f14dc5fad91dc9cc78646602b",
}


@pytest.fixture(scope="module")
def pairs() -> dict[str, list[tuple[str, str]]]:
    """All pairs of each target, the splits one after the other."""
    return {target: [pair for part in PARTS for pair in phrase_splits(target)[part]] for target in phrases.TARGETS}


@pytest.fixture(scope="module")
def sentences() -> tuple[splits.Sentence, ...]:
    return splits.all_sentences()


def words(sentence: str) -> list[str]:
    return re.findall(r"[\w'-]+", sentence.lower())


def digest(target: str) -> str:
    hashed = hashlib.sha256()
    for part in PARTS:
        for source, translation in phrase_splits(target)[part]:
            hashed.update(f"{part}\t{source}\t{translation}\n".encode())
    return hashed.hexdigest()


@pytest.mark.parametrize("target", ["zh", "de"])
def test_no_character_has_changed(target):
    assert digest(target) == SHA256[target]


@pytest.mark.parametrize("target", ["zh", "de"])
def test_there_are_enough_pairs_and_all_are_distinct(target, pairs):
    found = phrase_splits(target)
    assert list(found) == PARTS
    assert len(pairs[target]) >= 40_000
    assert len(found["validation"]) == len(found["test"]) == 1_000
    assert 1_000 <= len(found["combinations"]) <= 2_000
    # One English sentence has one translation and is in one split only, so no split leaks into another.
    assert len({source for source, _ in pairs[target]}) == len(pairs[target])


def test_both_targets_have_the_same_english():
    chinese, german = phrase_splits("zh"), phrase_splits("de")
    assert all([en for en, _ in chinese[part]] == [en for en, _ in german[part]] for part in PARTS)


@pytest.mark.parametrize("target", ["fr", "", "ZH", None, 5])
def test_another_target_is_refused(target):
    with pytest.raises(ValueError, match=r'must be "zh" or "de". Received: '):
        phrase_splits(target)


def test_the_lists_belong_to_the_caller():
    phrase_splits("zh")["train"].clear()
    assert len(phrase_splits("zh")["train"]) > 40_000


def test_a_first_call_is_fast():
    for cached in (splits.all_sentences, splits.held_out_pairs, splits.split_sentences, phrases._pairs):
        cached.cache_clear()
    start = time.process_time()
    phrase_splits("de")
    assert time.process_time() - start < 2  # about half a second; the limit allows for a busy machine


def test_sentences_are_short_and_no_template_dominates(sentences):
    lengths = [len(sentence.en.split()) for sentence in sentences]
    assert (min(lengths), max(lengths)) == (3, 15)
    shares = Counter(sentence.template for sentence in sentences)
    assert set(shares) == set(TEMPLATES)
    assert max(shares.values()) <= 0.08 * len(sentences)


def test_english_is_learnable_word_by_word():
    found = phrase_splits("zh")
    counts = Counter(word for source, _ in found["train"] for word in words(source))
    assert len(counts) < 500
    assert min(counts.values()) >= 15
    for part in PARTS[1:]:
        assert not {word for source, _ in found[part] for word in words(source)} - set(counts)


@pytest.mark.parametrize("target", ["zh", "de"])
def test_every_word_to_be_written_was_seen_in_training(target):
    found = phrase_splits(target)
    units = {"zh": list, "de": words}[target]
    seen = {unit for _, translation in found["train"] for unit in units(translation)}
    for part in PARTS[1:]:
        assert not {unit for _, translation in found[part] for unit in units(translation)} - seen


def surface_forms() -> dict[str, set[str]]:
    """Return all the ways in which an entry appears in English."""
    forms: dict[str, set[str]] = {}
    for activity in (*activities.SKILLS, *activities.ACTIVITIES, *activities.DAILY):
        forms[activity.en] = {activity.en, activity.third, activity.past, activity.ing}
    for thing in things.THINGS:
        forms[thing.en] = {thing.en, thing.plural}
    for person in people.KIN:
        forms[person.en] = {person.en}
    return forms


def test_held_out_pairs_never_meet_in_training():
    parts = splits.split_sentences()
    held_out = splits.held_out_pairs()
    assert len(held_out) > 100
    in_training = {entry for sentence in parts["train"] for entry in sentence.entries}
    assert all(pair <= in_training for pair in held_out)

    def held_out_in(sentence):
        return {pair for pair in map(frozenset, combinations(sentence.entries, 2)) if pair in held_out}

    for name in PARTS[:3]:
        assert not any(held_out_in(sentence) for sentence in parts[name])
    found = [held_out_in(sentence) for sentence in parts["combinations"]]
    assert all(found)
    assert set.union(*found) == held_out


def test_held_out_pairs_are_not_in_the_english_text_of_training_either():
    """The same from the text alone, for the pairs whose forms can be told from it."""
    forms = surface_forms()
    wanted = [pair for pair in splits.held_out_pairs() if all(entry in forms for entry in pair)]
    assert len(wanted) > 20
    found: dict[str, set[int]] = {}
    training = [f" {source.lower().rstrip('.?').replace(',', '')} " for source, _ in phrase_splits("zh")["train"]]
    for entry in {entry for pair in wanted for entry in pair}:
        spellings = [f" {form.lower()} " for form in forms[entry]]
        found[entry] = {i for i, text in enumerate(training) if any(form in text for form in spellings)}
        assert len(found[entry]) >= 15
    for first, second in map(tuple, wanted):
        assert not found[first] & found[second]


def test_the_docstring_runs():
    assert doctest.testmod(phrases).attempted == 2
    assert doctest.testmod(phrases).failed == 0
