import doctest

import numpy as np
import pytest

from llmcourse.decoding import END, START, greedy_decode, search
from llmcourse.models.translator import Transformer

V = 17
SOURCE = np.array([[5, 7, 11, 0], [13, 0, 0, 0], [4, 6, 0, 0]])


def test_the_example_of_the_docstring_is_right():
    assert doctest.testmod(search, extraglobs={"np": np}) == doctest.TestResults(failed=0, attempted=2)


class Copier:
    """A model that repeats the source and ends; it notes how it was called."""

    def __init__(self, ends=True):
        self.ends = ends
        self.lengths = []

    def __call__(self, source, target):
        assert source.dtype == target.dtype == np.int32
        assert (target[:, 0] == START).all()
        self.lengths.append(target.shape[1])
        logits = np.zeros((*target.shape, V))
        for row, position in np.ndindex(target.shape):
            word = source[row, position] if position < source.shape[1] else 0
            logits[row, position, word or (END if self.ends else 8)] = 1
        return logits


def test_each_sentence_stops_at_its_own_end():
    received = greedy_decode(Copier(), SOURCE, max_length=6)
    assert received.tolist() == [[5, 7, 11, 3, 0, 0], [13, 3, 0, 0, 0, 0], [4, 6, 3, 0, 0, 0]]
    assert received.dtype == np.int32


def test_the_search_ends_with_the_last_sentence():
    model = Copier()
    greedy_decode(model, SOURCE, max_length=50)
    assert model.lengths == [1, 2, 3, 4]


def test_without_an_end_the_search_stops_at_the_longest_length():
    assert greedy_decode(Copier(ends=False), SOURCE, max_length=3).tolist() == [[5, 7, 11], [13, 8, 8], [4, 6, 8]]


def test_each_token_is_the_best_one_after_those_already_written():
    def model(source, target):
        logits = np.zeros((*target.shape, V))
        logits[np.arange(len(target)), -1, target.sum(axis=1) % V] = 1  # depends on the whole prefix
        return logits

    assert greedy_decode(model, SOURCE[:1], max_length=6).tolist() == [[2, 4, 8, 16, 15, 13]]


def test_a_batch_decodes_as_its_sentences_do_alone():
    model = Transformer(V, V, num_layers=1, d_model=14, num_heads=7, d_ff=11)
    together = greedy_decode(model, SOURCE, max_length=7)
    for row, source in enumerate(SOURCE):
        alone = greedy_decode(model, source[None, : np.count_nonzero(source)], max_length=7)
        np.testing.assert_array_equal(together[row], alone[0])


def test_a_transformer_reads_the_source_once_and_decodes_as_its_plain_call_does():
    model = Transformer(V, V, num_layers=1, d_model=14, num_heads=7, d_ff=11)
    reads = []
    encode = model.encode
    model.encode = lambda source: reads.append(source) or encode(source)
    received = greedy_decode(model, SOURCE, max_length=5)
    model.encode = encode
    assert len(reads) == 1
    np.testing.assert_array_equal(received, greedy_decode(lambda s, t: model(s, t), SOURCE, max_length=5))


@pytest.mark.parametrize(("source", "max_length"), [(SOURCE[0], 5), (SOURCE, 0)])
def test_other_shapes_and_lengths_are_refused(source, max_length):
    with pytest.raises(ValueError, match=rf"Received: shape \(.*\) and {max_length}"):
        greedy_decode(Copier(), source, max_length)
