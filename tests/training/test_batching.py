import doctest

import numpy as np
import pytest

from llmcourse.data.tokenizer import END, PAD, START
from llmcourse.training import batching
from llmcourse.training.batching import BucketedBatches

TOKENS, LIMIT, BUCKETS = 53, 19, 3


@pytest.fixture(scope="module")
def pairs():
    """Sources of 1 to 17 tokens; each pair carries its own number, so that it can be found again."""
    rng = np.random.default_rng(5)
    lengths = rng.integers(1, 18, size=(211, 2))
    sources = [[1000 + index, *rng.integers(4, 99, size=length).tolist()] for index, (length, _) in enumerate(lengths)]
    targets = [[1000 + index, *rng.integers(4, 99, size=length).tolist()] for index, (_, length) in enumerate(lengths)]
    return sources, targets


@pytest.fixture
def batches(pairs):
    return BucketedBatches(*pairs, batch_tokens=TOKENS, max_length=LIMIT, buckets=BUCKETS)


def words(row):
    return [int(token) for token in row if token not in (PAD, START, END)]


def test_the_example_of_the_docstring_is_right():
    assert doctest.testmod(batching) == doctest.TestResults(failed=0, attempted=2)


def test_every_batch_has_one_of_few_shapes_and_about_as_many_tokens(batches):
    shapes = {(*batch.sources.shape, batch.labels.shape[1]) for batch in batches.epoch(3, 0)}
    assert shapes == set(batches.shapes)
    assert len(shapes) == BUCKETS
    for size, source_length, target_length in shapes:
        assert TOKENS / 2 < size * max(source_length, target_length) <= TOKENS


def test_an_epoch_has_every_pair_in_rows_for_teacher_forcing(batches, pairs):
    seen = set()
    for batch in batches.epoch(3, 0):
        for source, read, said in zip(batch.sources, batch.inputs, batch.labels, strict=True):
            index = int(source[0]) - 1000
            seen.add(index)
            assert words(source) == pairs[0][index]
            assert source[len(pairs[0][index])] == END
            assert read[0] == START
            assert words(read) == words(said) == pairs[1][index]
            assert said[len(pairs[1][index])] == END
            assert (said != PAD).sum() == (read != PAD).sum() == len(pairs[1][index]) + 1
    assert seen == set(range(211))


def test_few_pairs_come_twice(batches):
    rows = sum(len(batch.sources) for batch in batches.epoch(3, 0))
    assert 211 <= rows < 211 + sum(size for size, _, _ in batches.shapes)
    assert len(list(batches.epoch(3, 0))) == len(batches)


def test_the_order_depends_on_the_seed_and_the_epoch_alone(batches):
    def first(seed, number):
        return next(batches.epoch(seed, number)).sources.tolist()

    assert first(3, 0) == first(3, 0)
    assert first(3, 0) != first(3, 1)
    assert first(3, 0) != first(5, 0)


def test_a_run_goes_on_within_an_epoch(batches):
    whole = list(batches.epoch(3, 2))
    rest = list(batches.epoch(3, 2, first=7))
    assert len(rest) == len(whole) - 7
    for one, other in zip(whole[7:], rest, strict=True):
        np.testing.assert_array_equal(one.labels, other.labels)


def test_buckets_save_padding(batches, pairs):
    def share(found):
        rows = [batch.labels for batch in found.epoch(3, 0)]
        return sum((row != PAD).sum() for row in rows) / sum(row.size for row in rows)

    alone = BucketedBatches(*pairs, batch_tokens=TOKENS, max_length=LIMIT, buckets=1)
    assert share(batches) > share(alone) + 0.1


def test_long_pairs_are_left_out_and_counted(pairs):
    batches = BucketedBatches(*pairs, batch_tokens=TOKENS, max_length=11)
    longer = sum(max(len(source), len(target)) + 1 > 11 for source, target in zip(*pairs, strict=True))
    assert batches.left_out == longer > 0
    assert max(max(shape[1:]) for shape in batches.shapes) == 11


def test_a_batch_counts_the_tokens_to_say(batches):
    batch = next(batches.epoch(3, 0))
    assert batch.tokens == sum(len(words(row)) + 1 for row in batch.labels)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"targets": [[5]]}, "equally many.*Received: 2 and 1"),
        ({"batch_tokens": 0}, "batch_tokens and buckets at least 1"),
        ({"buckets": 0}, "batch_tokens and buckets at least 1"),
        ({"max_length": 1}, "max_length at least 2"),
        ({"max_length": 2}, "at most 2 tokens is required.*2 pairs, the shortest with 3"),
        ({"sources": [], "targets": []}, "Received: 0 pairs"),
    ],
)
def test_what_cannot_be_batched_is_refused(changes, message):
    options = {"sources": [[5, 6], [7, 8]], "targets": [[5], [7]], "batch_tokens": 11, "max_length": 7, **changes}
    sources, targets = options.pop("sources"), options.pop("targets")
    with pytest.raises(ValueError, match=message):
        BucketedBatches(sources, targets, **options)


@pytest.mark.parametrize(("count", "batch_tokens"), [(65, 64 * 4), (130, 129 * 4), (7, 3 * 4), (12, 4 * 4)])
def test_fewer_pairs_come_twice_than_there_are_batches(count, batch_tokens):
    sequences = [[number + 4] * 3 for number in range(count)]
    batches = BucketedBatches(sequences, sequences, batch_tokens=batch_tokens, max_length=9, buckets=1)
    seen = [int(row[0]) for batch in batches.epoch(0, 0) for row in batch.sources]
    assert set(seen) == {number + 4 for number in range(count)}
    assert len(seen) - count < len(batches)
