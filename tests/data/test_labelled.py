"""Labelled sentences: the real sets have the published sizes, no sentence leaks, and the division never changes."""

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from llmcourse.data import DataError, LabelledSplit, load_labelled
from llmcourse.data.labelled import folds
from llmcourse.data.sentences import sentence_key

DATA = Path(os.environ.get("LLMCOURSE_DATA") or Path(__file__).parents[3] / "shared" / "data")
needs_polarity = pytest.mark.skipif(not (DATA / "polarity").is_dir(), reason="needs polarity in LLMCOURSE_DATA")
needs_trec = pytest.mark.skipif(not (DATA / "trec").is_dir(), reason="needs trec in LLMCOURSE_DATA")
# Figures of lessons were measured on these splits: they change only if somebody changes them.
SHA256 = {
    "polarity": "96be5d80da4137c68504af3bc50dcba408f303350f019e060ec070900a652c5b",
    "trec": "aec99da792ad1d97fd839a2194aac651c9fc9ac60c285348c4c032c84c7dcd15",
}


@pytest.fixture(autouse=True)
def data_folder(monkeypatch):
    monkeypatch.setenv("LLMCOURSE_DATA", str(DATA))


def keys(split):
    return {sentence_key(text) for text in split.texts}


def splits(data):
    return data.train, data.validation, data.test


def test_folds_are_even_in_each_class_and_keep_equal_sentences_together():
    rows = [(f"sentence {number}", "ab"[number % 3 == 0]) for number in range(101)]
    rows += [(f"Sentence {number}!", label) for number, (_, label) in enumerate(rows[:11])]
    received = folds(rows, 5)
    assert received.dtype == np.int64
    assert received[:11].tolist() == received[101:].tolist()
    for label, total in (("a", 67), ("b", 34)):
        counts = np.bincount([fold for fold, row in zip(received[:101], rows, strict=False) if row[1] == label])
        assert counts.sum() == total
        assert counts.max() - counts.min() <= 1
    assert folds(rows[::-1], 5).tolist() == received[::-1].tolist()


def test_a_sentence_with_two_labels_stands_in_one_fold():
    rows = [(f"sentence {number}", label) for number in range(31) for label in "ab"]
    rows += [(f"other {number}", "a") for number in range(31)]
    received = folds(rows, 3)
    assert received[:62:2].tolist() == received[1:62:2].tolist()
    assert folds(rows[::-1], 3).tolist() == received[::-1].tolist()


def test_labels_are_read_only_and_as_many_as_texts():
    split = LabelledSplit(("a", "b"), np.array([1, 0]))
    assert len(split) == 2
    assert repr(split) == "LabelledSplit(2 sentences)"
    with pytest.raises(ValueError, match="read-only"):
        split.labels[0] = 0
    with pytest.raises(ValueError, match=r"one for each text\. Received: 2 texts and labels of shape \(3,\)"):
        LabelledSplit(("a", "b"), np.zeros(3, np.int64))


@needs_polarity
def test_polarity_has_all_its_sentences_in_each_fold_without_a_leak():
    tests = []
    for fold in range(10):
        data = load_labelled("polarity", fold=fold)
        assert data.name == f"polarity-fold-{fold}"
        assert data.classes == ("negative", "positive")
        assert sum(map(len, splits(data))) == 10_662
        assert sum(np.count_nonzero(split.labels) for split in splits(data)) == 5_331
        assert {len(data.validation), len(data.test)} <= {1_066, 1_067}
        train, validation, test = map(keys, splits(data))
        assert not test & train
        assert not test & validation
        assert not validation & train
        tests.append(test)
    assert len(set.union(*tests)) == sum(map(len, tests)) == 10_660  # two differ from another one in punctuation only


@needs_polarity
def test_polarity_is_clean_text():
    data = load_labelled()
    assert data.name == "polarity-fold-0"
    assert repr(data) == (
        "LabelledSentences(polarity-fold-0: 8,530 training, 1,066 validation and 1,066 test sentences in 2 classes)"
    )
    texts = [text for split in splits(data) for text in split.texts]
    assert all(text and text == text.strip() and text.isprintable() for text in texts)
    assert sum("cliché" in text for text in texts) > 30
    assert not [text for text in texts if "Ã" in text]
    labels = dict(zip(texts, (label for split in splits(data) for label in split.labels), strict=True))
    assert labels["simplistic , silly and tedious ."] == 0
    assert labels["if you sometimes like to go to the movies to have fun , wasabi is a good place to start ."] == 1


@needs_trec
def test_trec_has_the_published_test_and_no_leak():
    data = load_labelled("trec")
    assert (data.name, data.classes) == ("trec", ("ABBR", "DESC", "ENTY", "HUM", "LOC", "NUM"))
    assert tuple(map(len, splits(data))) == (4_826, 540, 500)
    assert np.bincount(data.test.labels).tolist() == [9, 138, 94, 65, 81, 113]
    assert np.bincount(data.validation.labels).tolist() == [9, 115, 125, 122, 83, 86]
    assert (data.test.texts[0], data.test.labels[0]) == ("How far is it from Denver to Aspen ?", 5)
    train, validation, test = map(keys, splits(data))
    assert len(train) + len(validation) + len(test) == len(train | validation | test) == 5_866
    texts = [text for split in splits(data) for text in split.texts]
    assert all(text and text.isascii() and text.isprintable() for text in texts)


@pytest.mark.parametrize(
    "name", [pytest.param("polarity", marks=needs_polarity), pytest.param("trec", marks=needs_trec)]
)
def test_real_splits_are_the_same_for_ever(name):
    digest = hashlib.sha256()
    for split in splits(load_labelled(name)):
        for text, label in zip(split.texts, split.labels, strict=True):
            digest.update(f"{label}\t{text}\n".encode())
    assert digest.hexdigest() == SHA256[name]


@pytest.mark.parametrize("fold", [10, -1, 1.5, "0", True])
def test_unknown_folds_are_refused(fold):
    with pytest.raises(DataError, match=r"fold: required a fold of polarity, 0 to 9\. Received: ") as caught:
        load_labelled("polarity", fold=fold)
    assert caught.value.received == repr(fold)


@pytest.mark.parametrize("name", ["trec", "own.csv", Path("polarity")])
def test_only_polarity_has_folds(name):
    with pytest.raises(DataError, match=rf"None, since only polarity has folds\. Received: 0 for '{name}'"):
        load_labelled(name, fold=0)


@pytest.mark.parametrize(
    ("name", "received"),
    [("Trec", "'Trec', which does not exist"), (None, "None"), ("", "''"), (["trec"], r"\['trec'\]")],
)
def test_unknown_names_are_refused(tmp_path, monkeypatch, name, received):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        DataError, match=rf"name: required 'polarity', 'trec' or the path of a file\. Received: {received}"
    ):
        load_labelled(name)
