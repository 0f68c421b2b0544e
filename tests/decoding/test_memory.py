"""A search that the memory cannot hold is refused before it begins, and a batch that is too large is cut."""

import numpy as np
import pytest

from llmcourse.decoding import Translator, beam_search, greedy_decode, memory, sample_decode
from llmcourse.decoding.memory import fitting, search_memory
from llmcourse.serving.engine import load_engine

SIZES = {"num_layers": 4, "d_model": 128, "num_heads": 4, "target_vocab_size": 8_000}


class Sized:
    """What a model says of itself, and no model."""

    settings = SIZES


def test_the_estimate_grows_as_the_arrays_do():
    small = search_memory(SIZES, 2, 3, beam_size=5, max_length=7)
    assert search_memory(SIZES, 4, 3, beam_size=5, max_length=7) == 2 * small
    logits = 3 * 10 * 8_000 * 4
    assert search_memory(SIZES | {"target_vocab_size": 16_000}, 2, 3, beam_size=5, max_length=7) == small + logits
    cache = 2 * 2 * 4 * 10 * 7 * 128 * 4
    assert search_memory(SIZES, 2, 3, beam_size=5, max_length=14) - small >= cache


@pytest.mark.parametrize("search", [greedy_decode, sample_decode, beam_search])
def test_a_search_beyond_the_memory_is_refused_before_it_begins(monkeypatch, search):
    monkeypatch.setattr(memory, "available_memory", lambda: 2 * 2**30)
    source = np.full((5_000, 11), 7)
    with pytest.raises(ValueError, match=r"must fit into .* 2.0 GiB. Received: sources of shape \(5000, 11\), beam"):
        search(Sized(), source, 1_000)


def test_a_search_of_which_nothing_is_known_is_not_refused(monkeypatch):
    monkeypatch.setattr(memory, "available_memory", lambda: None)
    memory.require_memory(Sized(), (10**9, 5), 7, 11)  # the system does not say what is free
    monkeypatch.setattr(memory, "available_memory", lambda: 0)
    memory.require_memory(object(), (10**9, 5), 7, 11)  # the model does not say how large it is
    memory.require_memory(Sized(), (2, 5), 7, 11)  # so little is not worth the question


def test_a_batch_is_cut_to_what_fits(monkeypatch):
    model, tokenizer, _ = load_engine()
    texts = ["Where is the station?", "Thank you very much.", "I like tea.", "He is old."]
    translator = Translator(model, tokenizer, max_length=48)
    expected = translator.translate(texts, beam_size=2)
    assert fitting(model, 8, 64, 24) < fitting(model, 8, 2, 24) < fitting(model, 8, 1, 24)
    monkeypatch.setattr(memory, "ROOM", 3 * search_memory(model.settings, 1, 8, 2, 24))
    seen = []
    search = translator._search

    def watched(source, *rest):
        seen.append(len(source))
        return search(source, *rest)

    monkeypatch.setattr(translator, "_search", watched)
    assert translator.translate(texts, beam_size=2) == expected
    assert seen == [3, 1]


def test_not_even_one_sentence_fits(monkeypatch):
    model, tokenizer, _ = load_engine()
    monkeypatch.setattr(memory, "ROOM", 1)
    monkeypatch.setattr(memory, "available_memory", lambda: 2**20)
    with pytest.raises(ValueError, match=r"Received: sources of shape \(1, 8\), beam_size 64 and max_length 24"):
        Translator(model, tokenizer, max_length=48).translate(["Thank you."], beam_size=64)


@pytest.mark.parametrize("beam", [0, -3, 65, 5_000])
def test_a_translator_has_a_largest_beam(beam):
    model, tokenizer, _ = load_engine()
    translator = Translator(model, tokenizer)
    with pytest.raises(ValueError, match=f"beam_size must be from 1 to 64. Received: beam_size {beam}"):
        translator.translate(["Thank you."], beam_size=beam)
    with pytest.raises(ValueError, match=f"from 1 to 64. Received: beam_size {beam}"):
        translator.n_best("Thank you.", 1, beam_size=beam)
