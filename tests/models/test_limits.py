import doctest
from dataclasses import replace

import pytest

from llmcourse.data.tokenizer import Tokenizer
from llmcourse.models import limits
from llmcourse.models.limits import SourceLimits
from llmcourse.models.saved import find_model, read_config

SOURCES = ["the train leaves at seven", "the station is near the river", "where is the old station"] * 11
TARGETS = ["der zug geht um sieben", "der bahnhof ist nahe am fluss", "wo ist der alte bahnhof"] * 11


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.train(SOURCES + TARGETS, 307)


@pytest.fixture(scope="module")
def measured(tokenizer):
    return SourceLimits.measure(SOURCES, map(tokenizer.encode, SOURCES), max_length=23)


def test_the_example_of_the_docstring_is_right():
    assert doctest.testmod(limits).failed == 0


def test_text_like_the_training_sources_is_fine(measured, tokenizer):
    for text in [*SOURCES[:3], "is the train near", "old", ""]:
        assert measured.complaint(text, tokenizer) == ""


def test_the_limits_come_back_from_a_card(measured):
    import json

    card = {"limits": measured.to_card()}
    assert SourceLimits.from_card(json.loads(json.dumps(card))) == measured
    assert SourceLimits.from_card({}) is None


def test_the_numbers_are_those_of_the_sources(measured, tokenizer):
    ids = [token for text in SOURCES for token in tokenizer.encode(text)]
    assert measured.density == pytest.approx(sum(map(len, SOURCES)) / len(ids), abs=1e-3)
    assert {bit for bit in range(307) if int(measured.seen, 16) >> bit & 1} == set(ids)


@pytest.mark.parametrize("text", ["der bahnhof ist nahe", "火车站在哪里", "☃☃", "где вокзал"])
def test_another_language_and_unknown_characters_are_named(measured, tokenizer, text):
    assert "another language, or unknown characters" in measured.complaint(text, tokenizer)


def test_text_in_crumbs_is_named():
    class Letters:
        def encode(self, text):
            return [ord(letter) for letter in text]

    everything_seen = f"{(1 << 128) - 1:x}"
    assert "falls into 11 small pieces" in SourceLimits(53, 4.0, everything_seen).complaint("ou est elle", Letters())
    assert SourceLimits(53, 1.2, everything_seen).complaint("ou est elle", Letters()) == ""
    assert SourceLimits(53, 4.0, everything_seen).complaint("elle", Letters()) == ""


def test_a_text_that_is_too_long_says_what_is_read(measured, tokenizer):
    words = " ".join(["the"] * 10_000)
    count = len(tokenizer.encode(words))
    message = measured.complaint(words, tokenizer)
    assert message == f"It has {count:,} tokens; the model reads the first 22 and leaves out the rest."


def test_the_first_complaint_does_not_hide_the_second(measured, tokenizer):
    for text, second in (
        ("火车站在哪里" * 7, "another language, or unknown characters"),
        ("ab cde fgh " * 7, "small pieces"),
    ):
        message = replace(measured, seen=measured.seen if "火" in text else "f" * 77).complaint(text, tokenizer)
        assert "the model reads the first 22" in message
        assert second in message


@pytest.fixture(scope="module")
def packaged():
    folder = find_model(None)
    limits = SourceLimits.from_card(read_config(folder)["card"])
    tokenizer = Tokenizer.load(folder / "tokenizer.json")
    return lambda text: limits.complaint(text, tokenizer)


FOREIGN = [
    "Je voudrais aller au marché avec mes amis demain matin.",
    "Où est la gare ?",
    "Le train part à neuf heures du quai numéro trois.",
    "Wo ist der Bahnhof?",
    "Der Hund läuft durch den Park.",
    "Quisiera ir al mercado con mis amigos mañana por la mañana.",
    "El perro corre por el parque.",
    "Vorrei andare al mercato con i miei amici domani mattina.",
    "Eu gostaria de ir ao mercado amanhã.",
    "Ik wil morgen met mijn vrienden naar de markt gaan.",
    "Chciałbym pójść jutro na targ.",
    "Yarın pazara gitmek istiyorum.",
    "Saya ingin pergi ke pasar besok pagi.",
    "Где находится вокзал?",
    "駅はどこですか。",
    "我明天早上想去市场。",
]
ENGLISH = [
    "Where is the station?",
    "I would like to go to the market with my friends tomorrow morning.",
    "My name is Giovanni Kowalczyk.",
    "The train to Frankfurt leaves at 7:45 from platform 12.",
    "She studied mathematics in Copenhagen.",
    "Tom and Mary went to Boston last Monday.",
    "what time is it",
    "Don't worry, be happy.",
    "I drink coffee without sugar.",
    "Please reset your password.",
]


@pytest.mark.parametrize("text", FOREIGN)
def test_the_packaged_model_warns_of_other_languages(packaged, text):
    assert "another language" in packaged(text)


@pytest.mark.parametrize("text", ENGLISH)
def test_the_packaged_model_does_not_warn_of_english(packaged, text):
    assert packaged(text) == ""
