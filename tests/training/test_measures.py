import doctest

import numpy as np
import pytest

from llmcourse.training import measures
from llmcourse.training.measures import classification_scores, loss_and_accuracy


def test_examples_in_the_docstrings():
    assert doctest.testmod(measures).failed == 0


def test_the_measures_follow_their_definitions():
    rng = np.random.default_rng(3)
    logits, labels = rng.normal(size=(101, 5)), rng.integers(5, size=101)
    found, predictions = classification_scores(logits, labels), logits.argmax(axis=1)
    probability = np.exp(logits)[np.arange(101), labels] / np.exp(logits).sum(axis=1)
    assert found["test_loss"] == pytest.approx(-np.log(probability).mean())
    assert found["test_accuracy"] == np.mean(predictions == labels)
    assert (found["wrong"], found["tested"]) == (np.sum(predictions != labels), 101)
    for label in range(5):
        hits = np.sum((predictions == label) & (labels == label))
        assert sum(found["confusion"][label]) == found["support"][label] == np.sum(labels == label)
        assert found["confusion"][label][label] == hits
        named = np.sum(predictions == label)
        assert found["precision"][label] == pytest.approx(hits / named, abs=1e-6)
        assert found["recall"][label] == pytest.approx(hits / np.sum(labels == label), abs=1e-6)
        assert found["f1"][label] == pytest.approx(2 * hits / (named + np.sum(labels == label)), abs=1e-6)


def test_a_class_that_nobody_names_scores_zero_without_a_warning():
    found = classification_scores(np.eye(3)[[0, 0, 1, 1]], np.array([0, 1, 1, 1]))
    assert found["precision"][2] == found["recall"][2] == found["f1"][2] == 0
    assert found["support"] == [1, 3, 0]


def test_scores_can_be_written_as_json():
    import json

    scores = json.loads(json.dumps(classification_scores(np.eye(3)[[0, 0, 1]], np.array([0, 1, 1]))))
    assert scores["wrong"] == 1
    assert scores["tested"] == 3
    assert scores["confusion"] == [[1, 0, 0], [1, 1, 0], [0, 0, 0]]


def test_large_logits_do_not_overflow():
    loss, accuracy = loss_and_accuracy(np.array([[1e4, 0.0], [-1e4, 0.0]], np.float32), np.array([0, 0]))
    assert loss == pytest.approx(5e3)
    assert accuracy == 0.5


@pytest.mark.parametrize(("logits", "labels"), [((5, 2), (3,)), ((5,), (5,)), ((0, 2), (0,)), ((5, 2), (5, 2))])
def test_shapes_that_do_not_fit_are_refused(logits, labels):
    with pytest.raises(ValueError, match="Received: "):
        classification_scores(np.zeros(logits), np.zeros(labels, int))
