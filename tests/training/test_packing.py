import doctest
import itertools

import keras
import numpy as np
import pytest
from keras import ops

from llmcourse.data.tokenizer import END, PAD, START
from llmcourse.models.translator import Transformer
from llmcourse.training import packing
from llmcourse.training.losses import label_smoothed_loss, loss_from_states
from llmcourse.training.packing import ROW, PackedBatches, pack, row_lengths

TOKENS, LIMIT, V = 130, 45, 97


def draw_pairs(count, longest, seed=5):
    """Draw pairs that begin with their own number, so that they can be found again."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, longest, size=(count, 2))
    sides = []
    for side in range(2):
        sides.append([[4 + index, *rng.integers(4, V, size=lengths[index, side]).tolist()] for index in range(count)])
    return sides


@pytest.fixture(scope="module")
def pairs():
    """Sources and targets of 2 to 42 tokens: some are longer than a short row."""
    return draw_pairs(211, 42)


@pytest.fixture
def batches(pairs):
    return PackedBatches(*pairs, batch_tokens=TOKENS, max_length=LIMIT)


def unpack(batch):
    """Take a batch apart again: for each pair its source, what is read and what is said, without padding."""
    sides = ((batch.sources, batch.source_segments), (batch.inputs, batch.target_segments))
    for row in range(len(batch.sources)):
        for segment in range(1, batch.source_segments[row].max() + 1):
            source, read = (ids[row][segments[row] == segment].tolist() for ids, segments in sides)
            yield source, read, batch.labels[row][batch.target_segments[row] == segment].tolist()


def test_the_examples_of_the_docstrings_are_right():
    found = doctest.testmod(packing, extraglobs={"np": np})
    assert found == doctest.TestResults(failed=0, attempted=5)


def test_every_batch_has_one_of_two_shapes_and_about_as_many_tokens(batches):
    shapes = [(*batch.sources.shape, batch.labels.shape[1]) for batch in batches.epoch(3, 0)]
    assert len(shapes) == len(batches)
    assert set(shapes) == set(batches.shapes)
    (_, *short), (_, *long) = batches.shapes
    assert max(short) == ROW and max(long) == 42 + 1
    for size, source_length, target_length in shapes:
        assert TOKENS / 2 < size * max(source_length, target_length) <= TOKENS


def test_an_epoch_has_every_pair_ready_for_teacher_forcing(batches, pairs):
    seen = set()
    for source, read, said in itertools.chain.from_iterable(map(unpack, batches.epoch(3, 0))):
        index = source[0] - 4
        seen.add(index)
        assert source == [*pairs[0][index], END]
        assert read == [START, *pairs[1][index]]
        assert said == [*pairs[1][index], END]
    assert seen == set(range(211))


def test_what_is_left_of_a_row_is_padding_without_a_segment(batches):
    for batch in batches.epoch(3, 0):
        np.testing.assert_array_equal(batch.sources == PAD, batch.source_segments == 0)
        np.testing.assert_array_equal(batch.inputs == PAD, batch.target_segments == 0)
        np.testing.assert_array_equal(batch.labels == PAD, batch.target_segments == 0)


def test_few_rows_come_twice(batches):
    count = sum(1 for batch in batches.epoch(3, 0) for _ in unpack(batch))
    assert 211 <= count < 211 + 20


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


def test_rows_of_short_pairs_are_nearly_full():
    batches = PackedBatches(*draw_pairs(93, 15), batch_tokens=TOKENS, max_length=LIMIT)
    rows = [batch.labels for batch in batches.epoch(3, 0)]
    assert sum((row != PAD).sum() for row in rows) / sum(row.size for row in rows) > 0.9


def test_long_pairs_are_left_out_and_counted(pairs):
    batches = PackedBatches(*pairs, batch_tokens=TOKENS, max_length=21)
    longer = sum(max(len(source), len(target)) + 1 > 21 for source, target in zip(*pairs, strict=True))
    assert batches.left_out == longer > 0
    count = len({source[0] for batch in batches.epoch(0, 0) for source, _, _ in unpack(batch)})
    assert count == 211 - longer


def test_a_batch_counts_the_tokens_to_say(batches):
    batch = next(batches.epoch(3, 0))
    assert batch.tokens == sum(len(said) for _, _, said in unpack(batch))


def longer(ids):
    """Cut a sentence into more tokens than before, its number still in front."""
    return [ids[0], *(token for old in ids[1:] for token in (old, old))] if ids[0] % 3 else ids


def test_other_tokens_of_the_same_pairs_fill_rows_of_the_same_shapes(batches, pairs):
    others = [[longer(ids) for ids in side] for side in pairs]
    packed = batches.repack(*others)
    assert [shape[1:] for shape in packed.shapes] == [shape[1:] for shape in batches.shapes]
    assert len(packed) > len(batches)
    seen, doubled = set(), 0
    limits = {index: batches.shapes[0 if short(pairs, index) else 1][1:] for index in range(211)}
    for source, read, said in itertools.chain.from_iterable(map(unpack, packed.epoch(3, 0))):
        index = source[0] - 4
        seen.add(index)
        fits = all(len(side[index]) + 1 <= limit for side, limit in zip(others, limits[index], strict=True))
        expected = [side[index] for side in (others if fits else pairs)]
        assert source == [*expected[0], END] and said == [*expected[1], END] and read == [START, *expected[1]]
        doubled += fits and others[0][index] != pairs[0][index]
    assert seen == set(range(211)) and doubled > 10


def short(pairs, index):
    return max(len(side[index]) + 1 for side in pairs) <= ROW


def test_the_number_of_steps_can_be_kept(batches, pairs):
    more = batches.repack(*[[longer(ids) for ids in side] for side in pairs])
    kept = batches.repack(*pairs, more)
    assert len(kept) == len(more) == len(list(kept.epoch(0, 0)))
    assert len(batches.repack(*pairs)) == len(batches)


def test_other_pairs_than_before_are_refused(batches, pairs):
    with pytest.raises(
        ValueError, match="As many sources and targets as before, 211, are required. Received: 210 and 211"
    ):
        batches.repack(pairs[0][1:], pairs[1])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"targets": [[5]]}, "equally many.*Received: 2 and 1"),
        ({"batch_tokens": 0}, "batch_tokens at least 1"),
        ({"max_length": 1}, "max_length at least 2"),
        ({"max_length": 2}, "at most 2 tokens is required.*2 pairs, the shortest with 3"),
        ({"sources": [], "targets": []}, "Received: 0 pairs"),
    ],
)
def test_what_cannot_be_packed_is_refused(changes, message):
    options = {"sources": [[5, 6], [7, 8]], "targets": [[5], [7]], "batch_tokens": 11, "max_length": 7, **changes}
    sources, targets = options.pop("sources"), options.pop("targets")
    with pytest.raises(ValueError, match=message):
        PackedBatches(sources, targets, **options)


def test_rows_can_be_longer():
    batches = PackedBatches(*draw_pairs(93, 15), batch_tokens=TOKENS, max_length=LIMIT, row=64)
    assert [max(shape[1:]) for shape in batches.shapes] == [64]


def test_one_pair_makes_a_batch_however_small_it_should_be():
    batches = PackedBatches([[5, 6, 7]], [[8]], batch_tokens=1, max_length=9)
    assert batches.shapes == [(1, 4, 2)]
    assert next(batches.epoch(0, 0)).sources.tolist() == [[5, 6, 7, END]]


@pytest.mark.parametrize("sides", [1, 2, 3])
def test_packing_puts_each_sample_into_one_row_that_holds_it(sides):
    lengths = np.random.default_rng(sides).integers(1, 20, size=(311, sides))
    capacity = [20, 23, 29][:sides]
    rows = pack(lengths, capacity)
    assert sorted(itertools.chain.from_iterable(rows)) == list(range(311))
    for row in rows:
        assert (lengths[row].sum(axis=0) <= capacity).all()
    needed = (lengths.sum(axis=0) / capacity).max()
    assert len(rows) < 1.25 * needed


def test_a_sample_longer_than_a_row_is_refused():
    with pytest.raises(ValueError, match="must hold the longest sample"):
        pack(np.array([[3], [8]]), [7])


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [
        ([[8, 4]] * 40, [32, 16]),  # in the proportion of their tokens
        ([[3, 3]], [3, 3]),  # no longer than all there is
        ([[2, 20]] * 3 + [[30, 2]], [30, 32]),  # never below the longest
        ([[50, 25]] * 3, [50, 25]),
    ],
)
def test_both_sides_of_a_row_are_full_at_the_same_time(lengths, expected):
    assert row_lengths(np.array(lengths)).tolist() == expected


def make_model(**changes):
    keras.utils.set_random_seed(3)
    settings = {"num_layers": 2, "d_model": 12, "num_heads": 3, "d_ff": 17, "dropout": 0.0, **changes}
    return Transformer(V + 100, V + 100, tied_embeddings=True, shared_embeddings=True, **settings)


def alone(parts):
    """Give each pair a row of its own, filled up to the longest."""
    longest = [max(map(len, side)) for side in zip(*parts, strict=True)]
    return [
        np.array([sentence + [PAD] * (length - len(sentence)) for sentence in side], dtype="int32")
        for side, length in zip(zip(*parts, strict=True), longest, strict=True)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("pre_norm", [True, False])
def test_packing_changes_neither_the_loss_nor_the_gradients(batches, pre_norm):
    import tensorflow as tf

    model = make_model(pre_norm=pre_norm)
    rng = np.random.default_rng(7)
    model.set_weights([w + 0.1 * rng.normal(size=w.shape) for w in model.get_weights()])  # biases too must count
    for batch in itertools.islice(batches.epoch(3, 0), 3):
        sources, inputs, labels = alone(list(unpack(batch)))
        assert len(sources) > len(batch.sources) or len(batch.sources[0]) > ROW
        segments = (batch.source_segments, batch.target_segments)
        with tf.GradientTape() as tape:
            unpacked = label_smoothed_loss(labels, model((sources, inputs), training=True))
        expected = tape.gradient(unpacked, model.trainable_variables)
        with tf.GradientTape() as tape:
            states = model.read(batch.sources, batch.inputs, *segments, training=True)
            packed = loss_from_states(batch.labels, states, model.target_embedding.embeddings)
        received = tape.gradient(packed, model.trainable_variables)
        assert float(packed) == pytest.approx(float(unpacked), abs=1e-5)
        for weight, mine, theirs in zip(model.trainable_variables, received, expected, strict=True):
            mine, theirs = (ops.convert_to_numpy(tf.convert_to_tensor(gradient)) for gradient in (mine, theirs))
            np.testing.assert_allclose(mine, theirs, atol=1e-5, err_msg=weight.path)


@pytest.mark.slow
def test_a_sentence_of_a_row_sees_nothing_of_its_neighbours(batches):
    model = make_model()
    batch = next(batch for batch in batches.epoch(3, 0) if batch.source_segments.max() >= 2)
    row = int(np.argmax(batch.source_segments.max(axis=1)))

    def logits(batch):
        sides = (batch.sources, batch.inputs, batch.source_segments, batch.target_segments)
        return ops.convert_to_numpy(model(*sides))[row]

    before, second = logits(batch), batch.target_segments[row] == 2
    sources, inputs = batch.sources.copy(), batch.inputs.copy()
    sources[row][batch.source_segments[row] == 1] += 50
    inputs[row][batch.target_segments[row] == 1] += 50
    after = logits(batch._replace(sources=sources, inputs=inputs))
    np.testing.assert_array_equal(after[second], before[second])
    assert np.abs(after - before)[batch.target_segments[row] == 1].max() > 0.01
