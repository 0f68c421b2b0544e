"""The functions of the lesson `translation`: against definitions, against Hugging Face's BPE, against the package."""

import doctest
import json

import keras
import numpy as np
import pytest

from llmcourse.models.translator import Transformer
from llmcourse.steps import translation as steps


def test_doctests_pass() -> None:
    assert doctest.testmod(steps).failed == 0


COUNTS = {"old": 6, "older": 3, "cold": 4, "colder": 2}


def test_merges_of_the_example_in_the_lesson() -> None:
    assert steps.bpe_merges(COUNTS, 3) == [("l", "d"), ("o", "ld"), ("old", "</w>")]
    assert steps.split_word("bold", steps.bpe_merges(COUNTS, 3)) == ["b", "old</w>"]


def test_merges_end_where_each_word_is_one_symbol() -> None:
    merges = steps.bpe_merges(COUNTS, 99)
    assert [steps.split_word(word, merges) for word in COUNTS] == [[f"{word}</w>"] for word in COUNTS]
    assert steps.bpe_merges(COUNTS, 0) == steps.bpe_merges({}, 3) == []
    with pytest.raises(ValueError, match="num_merges.*Received: -1"):
        steps.bpe_merges(COUNTS, -1)


def test_merges_are_those_of_hugging_face_where_no_pairs_are_equally_frequent() -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    counts = {"abab": 101, "abc": 53, "cab": 29, "bca": 17}
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    trainer = trainers.BpeTrainer(vocab_size=7, show_progress=False)  # four letters and three merges
    text = " ".join(f"{word}_" for word, count in counts.items() for _ in range(count))
    tokenizer.train_from_iterator([text], trainer)
    theirs = [tuple(pair) for pair in json.loads(tokenizer.to_str())["model"]["merges"]]
    ours = [tuple(part.replace("</w>", "_") for part in pair) for pair in steps.bpe_merges(counts, 3)]
    assert ours == theirs == [("a", "b"), ("ab", "_"), ("ab", "ab_")]


def test_a_batch_is_cut_padded_and_masked() -> None:
    vocabulary = {"b": 4, "a": 9}
    ids, mask = steps.encode_batch(["a b a b a", "  ", "b ?"], vocabulary, max_length=4)
    assert ids.tolist() == [[9, 4, 9, 3], [3, 0, 0, 0], [4, 1, 3, 0]]
    assert mask.tolist() == (ids != 0).tolist() and mask.dtype == bool and ids.dtype == np.int32


@pytest.mark.parametrize(("sentences", "length"), [([], 5), (["a"], 0)])
def test_a_batch_needs_a_sentence_and_room_for_end(sentences: list[str], length: int) -> None:
    with pytest.raises(ValueError, match="at least one sentence.*Received"):
        steps.encode_batch(sentences, {}, length)


def test_accuracy_counts_real_tokens_alone() -> None:
    targets = np.array([[5, 2, 3], [6, 0, 0]])
    logits = np.zeros((2, 3, 7), dtype="float32")
    logits[0, [0, 1, 2], [5, 1, 3]] = logits[1, 0, 6] = 1
    assert float(steps.token_accuracy(targets.astype("float32"), logits)) == 0.75
    assert float(steps.token_accuracy(0 * targets, logits)) == 0


def test_the_model_is_the_packages_transformer() -> None:
    sizes = {"num_layers": 2, "d_model": 12, "num_heads": 3, "d_ff": 20, "dropout": 0.0}
    ours, theirs = steps.build_translator(11, 13, **sizes), Transformer(11, 13, **sizes)
    assert ours.count_params() == theirs.count_params()
    for part in ("source_embedding", "target_embedding", "encoder", "decoder", "to_logits"):
        getattr(ours, part).set_weights(getattr(theirs, part).get_weights())
    source, target = np.array([[5, 7, 3, 0], [4, 3, 0, 0]]), np.array([[2, 6, 8], [2, 9, 0]])
    np.testing.assert_allclose(ours((source, target)), theirs(source, target), atol=1e-5)


@pytest.mark.slow
def test_a_small_language_is_learned() -> None:
    rng = np.random.default_rng(3)
    words = ["one", "two", "three", "four", "five"]
    drawn = [rng.choice(words, size=int(rng.integers(1, 4))).tolist() for _ in range(1_500)]
    sources = [" ".join(sentence) for sentence in drawn]
    targets = [" ".join(word[::-1] for word in reversed(sentence)) for sentence in drawn]
    translate = steps.train_translator(sources, targets, seed=1)
    assert translate(["one two", "five four three"]) == ["owt eno", "eerht ruof evif"]
    assert translate([]) == [] and len(translate(["six"])) == 1


def test_training_needs_as_many_targets_as_sources() -> None:
    with pytest.raises(ValueError, match="equally many.*Received: 1 and 0"):
        steps.train_translator(["a"], [], seed=0)
    assert issubclass(steps.TranslationModel, keras.Model)
