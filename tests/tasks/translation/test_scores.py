import doctest

import numpy as np
import pytest

from llmcourse.data.parallel import SentencePairs, Split
from llmcourse.tasks.translation import scores as translation_scores
from llmcourse.tasks.translation.scores import Measuring, bleu_tokenizer, score_texts


def test_the_example_of_the_docstring_is_right():
    assert doctest.testmod(translation_scores).failed == 0


@pytest.mark.parametrize(
    ("language", "tokenized", "name"),
    [("zh", False, "zh"), ("de", False, "13a"), ("de", True, "none"), ("", False, "13a")],
)
def test_the_signature_says_how_words_were_cut(language, tokenized, name):
    tokenize = bleu_tokenizer(language, tokenized)
    assert tokenize == name
    scores = score_texts(["a b c d"], ["a b c e"], tokenize)
    assert f"tok:{name}" in scores["bleu_signature"]
    assert "case:mixed" in scores["bleu_signature"]
    assert "nc:6" in scores["chrf_signature"]


def test_scores_are_those_of_sacrebleu():
    import sacrebleu

    hypotheses = ["the cat sat on the mat .", "a dog is here today", "yes"]
    references = ["the cat sat on a mat .", "a dog was here today", "yes"]
    scores = score_texts(hypotheses, references, "13a")
    assert scores["bleu"] == pytest.approx(sacrebleu.corpus_bleu(hypotheses, [references]).score, abs=0.01)
    assert scores["chrf"] == pytest.approx(sacrebleu.corpus_chrf(hypotheses, [references]).score, abs=0.01)
    assert scores["exact_match"] == pytest.approx(1 / 3, abs=1e-4)
    assert scores["sentences"] == 3


def test_chinese_is_compared_by_characters():
    scores = score_texts(["我今天不去学校"], ["我今天不去商店"], "zh")
    assert scores["bleu"] > 50
    assert score_texts(["我今天不去学校"], ["我今天不去商店"], "13a")["bleu"] < 1


@pytest.mark.parametrize(("hypotheses", "references"), [(["a"], ["a", "b"]), ([], [])])
def test_unequal_numbers_are_refused(hypotheses, references):
    with pytest.raises(ValueError, match=f"Received: {len(hypotheses)} and {len(references)}"):
        score_texts(hypotheses, references, "13a")


def test_validation_takes_at_most_500_pairs_from_the_whole_length():
    texts = tuple(map(str, range(1013)))
    one = Split(("a",), ("b",))
    measuring = Measuring.of(
        SentencePairs("x", "en", "zh", one, Split(texts, texts), one), None, tokenized=False, max_length=7
    )
    chosen = np.array([int(text) for text in measuring.validation.sources])
    assert len(chosen) == len(set(chosen)) == 500
    assert (chosen[0], chosen[-1]) == (0, 1012)
    assert np.diff(chosen).max() <= 3
    assert measuring.tokenize == "zh"
    assert (
        len(Measuring.of(SentencePairs("x", "", "", one, one, one), None, tokenized=True, max_length=7).validation) == 1
    )
