import numpy as np
import pytest
from keras import ops

from llmcourse.data.tokenizer import Tokenizer
from llmcourse.decoding import END, START, Translator
from llmcourse.models.translator import Transformer

TEXTS = ["the cat sat", "", "we saw the small dog in the old town hall", "a", "  ", "the dog ran", "Grüße, 世界!"]
V = 262


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.train(["the cat the dog", "the hat the tree"], V)


class Copier:
    """A model that repeats the source; it notes the shapes that it was called with."""

    def __init__(self):
        self.shapes = []

    def __call__(self, source, target):
        if target.shape[1] == 1:
            self.shapes.append(source.shape)
        logits = np.zeros((*target.shape, V), dtype="float32")
        length = min(source.shape[1], target.shape[1])
        rows, places = np.indices((len(source), length))
        logits[rows, places, source[:, :length]] = 30
        return logits


@pytest.fixture(scope="module")
def model():
    return Transformer(V, V, num_layers=2, d_model=14, num_heads=7, d_ff=11)


@pytest.mark.parametrize("beam_size", [1, 3])
@pytest.mark.parametrize("batch_size", [1, 2, 64])
def test_translations_come_in_the_order_of_the_texts(tokenizer, beam_size, batch_size):
    translator = Translator(Copier(), tokenizer)
    expected = [text if text.strip() else "" for text in TEXTS]
    assert translator.translate(TEXTS, beam_size=beam_size, batch_size=batch_size) == expected


def test_texts_of_similar_length_are_translated_together(tokenizer):
    copier = Copier()
    texts = ["a", "the small dog"] * 5
    Translator(copier, tokenizer).translate(texts, beam_size=1, batch_size=3)
    assert copier.shapes == [(3, 16), (2, 16), (3, 8), (2, 8)]


def test_a_text_is_translated_the_same_alone_and_among_others(tokenizer, model):
    translator = Translator(model, tokenizer, max_length=23)
    together = translator.translate(TEXTS, beam_size=3)
    assert together == [translator.translate([text], beam_size=3)[0] for text in TEXTS]
    assert len(set(together)) > 2


def test_progress_is_reported_up_to_the_last_text(tokenizer):
    seen = []
    Translator(Copier(), tokenizer).translate(TEXTS, batch_size=2, on_progress=lambda *counts: seen.append(counts))
    assert seen[-1] == (7, 7) and sorted(seen) == seen and len(seen) > 2


def test_no_text_at_all(tokenizer):
    assert Translator(Copier(), tokenizer).translate([]) == []
    assert Translator(Copier(), tokenizer).translate(["", " "]) == ["", ""]


def test_a_line_of_ten_thousand_words_is_cut(tokenizer):
    copier = Copier()
    [translation] = Translator(copier, tokenizer, max_length=13).translate(["a " * 10_000], beam_size=2)
    assert translation == "a " * 6 and copier.shapes == [(2, 16)]


def test_a_single_text_in_place_of_a_list_is_refused(tokenizer):
    with pytest.raises(TypeError, match="list of texts. Received: one text, 'the cat'"):
        Translator(Copier(), tokenizer).translate("the cat")


def test_impossible_sizes_are_refused(tokenizer):
    with pytest.raises(ValueError, match="max_length must be at least 2, a token and END. Received: 1"):
        Translator(Copier(), tokenizer, max_length=1)
    with pytest.raises(ValueError, match="batch_size must be at least 1. Received: 0"):
        Translator(Copier(), tokenizer).translate(["a"], batch_size=0)
    with pytest.raises(ValueError, match="Received: beam_size 0"):
        Translator(Copier(), tokenizer).translate(["a"], beam_size=0)


def test_the_n_best_begin_with_the_translation_and_differ(tokenizer, model):
    translator = Translator(model, tokenizer, max_length=11)
    best = translator.n_best("the cat", 5)
    texts, scores = zip(*best, strict=True)
    assert texts[0] == translator.translate(["the cat"], beam_size=5)[0]
    assert len(set(texts)) == len(texts) <= 5 and list(scores) == sorted(scores, reverse=True)
    assert len(translator.n_best("the cat", 1)) == 1
    assert translator.n_best(" ", 3) == [("", 0.0)]
    with pytest.raises(ValueError, match="Received: beam_size 2, n_best 3"):
        translator.n_best("the cat", 3, beam_size=2)


def test_one_text_in_two_spellings_of_tokens_counts_once(tokenizer):
    pieces = {piece: index for piece in ("the", "t", "h", "e") for index in [tokenizer.encode(piece)[0]]}
    assert len(tokenizer.encode("the")) == 1 and len(set(pieces.values())) == 4

    def undecided(source, target):  # "the" in one token, or, less probable, in three
        logits = np.full((*target.shape, V), -30.0)
        after = {2: {"the": 2.0, "t": 1.0}, pieces["t"]: {"h": 0.0}, pieces["h"]: {"e": 0.0}}
        for place in np.ndindex(target.shape):
            for piece, logit in after.get(int(target[place]), {}).items():
                logits[(*place, pieces[piece])] = logit
            if int(target[place]) in (pieces["the"], pieces["e"]):
                logits[(*place, END)] = 0.0
        return logits

    [(text, score)] = Translator(undecided, tokenizer).n_best("x", 2, beam_size=2)
    assert text == "the" and score == pytest.approx(np.log(1 / (1 + np.exp(-1))) / 2, abs=1e-4)


def test_attention_is_that_of_the_model_for_this_translation(tokenizer, model):
    source, target, weights = Translator(model, tokenizer).attention("the cat", "a dog")
    assert source == [*tokenizer.tokens("the cat"), "END"] and target == [*tokenizer.tokens("a dog"), "END"]
    assert weights.shape == (2, 7, len(target), len(source)) and weights.dtype == np.float32
    np.testing.assert_allclose(weights.sum(axis=-1), 1, atol=1e-5)
    ids = (np.array([[*tokenizer.encode("the cat"), END]]), np.array([[START, *tokenizer.encode("a dog")]]))
    _, scores = model(*ids, return_scores=True)
    np.testing.assert_allclose(weights[1], ops.convert_to_numpy(scores["cross"][1])[0], atol=1e-5)


def test_attention_looks_at_the_models_own_translation_and_cuts_what_is_too_long(tokenizer, model):
    translator = Translator(model, tokenizer, max_length=5)
    source, target, weights = translator.attention("the small dog in the town")
    assert len(source) == 5 and source[-1] == target[-1] == "END" and len(target) <= 5
    assert weights.shape == (2, 7, len(target), len(source))
    with pytest.raises(ValueError, match="at least one word. Received: ' '"):
        translator.attention(" ")
