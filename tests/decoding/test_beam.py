import doctest
import gc
import weakref
from itertools import product

import keras
import numpy as np
import pytest
from keras import ops

from llmcourse.decoding import END, START, Hypothesis, beam, beam_search, greedy_decode
from llmcourse.models.translator import Transformer

V, D, H = 17, 14, 7
SOURCE = np.array([[5, 7, 11, 3, 0], [13, 3, 0, 0, 0], [4, 6, 9, 14, 3]], dtype="int32")
LONG = 19  # more positions than one block of the cache has


def make(end=0.0, pad=-9.0, **settings):
    """Make a model with clear preferences, whose targets end early or late as the bias of END says."""
    options = {"num_layers": 2, "d_model": D, "num_heads": H, "d_ff": 11, **settings}
    model = Transformer(V, V, **options)
    rng = np.random.default_rng(3)
    model.set_weights([rng.normal(scale=0.5, size=w.shape) if w.ndim > 1 else w for w in model.get_weights()])
    if model.to_logits is not None:
        bias = np.zeros(V)
        bias[[0, END]] = pad, end
        model.to_logits.bias.assign(bias)
    return model


def log_softmax(logits):
    logits = np.asarray(logits, dtype="float64")
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def toy(source, target):
    """A model of five tokens whose scores depend on the source and on everything written so far."""
    pairs = zip(np.asarray(source), np.asarray(target), strict=True)
    return np.array([[draw(words, row[: place + 1]) for place in range(len(row))] for words, row in pairs])


def draw(words, written):
    return 3 * np.random.default_rng([*words, *written]).normal(size=5)


def brute_force(words, alpha, max_length):
    """All targets with their scores, best first, from the definition."""
    found = []
    for length in range(1, max_length + 1):
        for ids in product(range(5), repeat=length):
            if END in ids[:-1] or (ids[-1] != END and length < max_length):
                continue
            written = np.array([[START, *ids[:-1]]])
            log_probs = log_softmax(toy(words[None], written))[0]
            found.append(Hypothesis(ids, log_probs[np.arange(length), ids].sum() / length**alpha))
    return sorted(found, key=lambda one: -one.score)


def test_the_example_of_the_docstring_is_right():
    assert doctest.testmod(beam, extraglobs={"np": np}) == doctest.TestResults(failed=0, attempted=3)


@pytest.mark.parametrize("alpha", [0.0, 0.6, 1.0, 1.7])
def test_a_beam_of_full_width_equals_brute_force(alpha):
    source = np.array([[3, 4, 0], [4, 4, 3]])
    received = beam_search(toy, source, 4, beam_size=5**4, alpha=alpha, n_best=23)
    for words, hypotheses in zip(source, received, strict=True):
        expected = brute_force(words, alpha, 4)[:23]
        assert [one.ids for one in hypotheses] == [one.ids for one in expected]
        assert [one.score for one in hypotheses] == pytest.approx([one.score for one in expected], abs=1e-5)


@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_a_beam_of_full_width_finds_what_greedy_search_misses(alpha):
    source = np.random.default_rng(0).integers(3, 5, (7, 7))
    greedy, wide = (beam_search(toy, source, 3, beam_size=size, alpha=alpha) for size in (1, 5**3))
    gains = np.array([best.score - one.score for [one], [best] in zip(greedy, wide, strict=True)])
    assert (gains > -1e-5).all() and (gains > 0.01).any()


def trimmed(row):
    return tuple(row[: row.index(END) + 1]) if END in row else tuple(row)


@pytest.mark.backends
@pytest.mark.parametrize("use_cache", [False, True])
@pytest.mark.parametrize("end", [-9.0, 1.0, 3.0])
def test_a_beam_of_one_is_greedy_search(end, use_cache):
    model = make(end)
    expected = greedy_decode(model, SOURCE, LONG, use_cache=use_cache)
    received = beam_search(model, SOURCE, LONG, beam_size=1, use_cache=use_cache)
    assert [one.ids for [one] in received] == [trimmed(row) for row in expected.tolist()]


@pytest.mark.parametrize(
    "settings", [{}, {"end": 2.5}, {"pre_norm": False}, {"tied_embeddings": True}, {"pad": 3.0, "end": -9.0}], ids=str
)
@pytest.mark.parametrize("beam_size", [1, 3])
def test_the_cache_changes_nothing(settings, beam_size):
    model = make(**settings)
    options = {"beam_size": beam_size, "n_best": beam_size}
    cached, plain = (beam_search(model, SOURCE, LONG, **options, use_cache=use_cache) for use_cache in (True, False))
    if settings.get("pad"):  # a model may even write padding
        assert any(0 in one.ids for hypotheses in cached for one in hypotheses)
    for ours, others in zip(cached, plain, strict=True):
        assert [one.ids for one in ours] == [one.ids for one in others]
        assert [one.score for one in ours] == pytest.approx([one.score for one in others], abs=1e-4)
    np.testing.assert_array_equal(
        greedy_decode(model, SOURCE, LONG), greedy_decode(model, SOURCE, LONG, use_cache=False)
    )


@pytest.mark.parametrize("use_cache", [False, True])
@pytest.mark.parametrize("alpha", [0.0, 0.7, 1.0])
def test_a_score_is_the_log_probability_of_the_ids_over_their_number(alpha, use_cache):
    model, lengths = make(end=2.0), set()
    received = beam_search(model, SOURCE, 5, beam_size=3, alpha=alpha, n_best=3, use_cache=use_cache)
    for words, hypotheses in zip(SOURCE, received, strict=True):
        for one in hypotheses:
            written = np.array([[START, *one.ids[:-1]]], dtype="int32")
            log_probs = log_softmax(ops.convert_to_numpy(model(words[None], written)))[0]
            total = log_probs[np.arange(len(one.ids)), one.ids].sum()
            assert one.score == pytest.approx(total / len(one.ids) ** alpha, abs=1e-4)
            assert one.ids[-1] == END or len(one.ids) == 5
            lengths.add(len(one.ids))
    assert len(lengths) > 1


@pytest.mark.parametrize("end", [0.0, 2.0])
def test_the_best_are_sorted_and_distinct(end):
    for hypotheses in beam_search(make(end), SOURCE, 7, beam_size=5, n_best=5):
        scores = [one.score for one in hypotheses]
        assert scores == sorted(scores, reverse=True)
        assert len({one.ids for one in hypotheses}) == len(hypotheses) == 5
        assert not any(END in one.ids[:-1] for one in hypotheses)


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_stopping_early_loses_none_of_the_best(alpha):
    source = np.random.default_rng(1).integers(3, 5, (31, 7))
    all_of_them = beam_search(toy, source, 6, beam_size=4, alpha=alpha, n_best=4)
    for count in (1, 2):
        assert beam_search(toy, source, 6, beam_size=4, alpha=alpha, n_best=count) == [
            hypotheses[:count] for hypotheses in all_of_them
        ]


def test_a_finished_sentence_costs_no_more_steps():
    calls = []

    def ends_at_once(source, target):
        calls.append(target.shape)
        return np.tile(np.where(np.arange(V) == END, 50.0, 0.0), (*target.shape, 1))

    beam_search(ends_at_once, SOURCE, 11, beam_size=3, alpha=0.0)
    assert calls == [(9, 1)]


def test_sentences_of_a_batch_do_not_see_one_another():
    model = make(end=2.0)
    together = beam_search(model, SOURCE, LONG, beam_size=3, n_best=2)
    assert len({len(one.ids) for hypotheses in together for one in hypotheses}) > 1
    for source, expected in zip(SOURCE, together, strict=True):
        [alone] = beam_search(model, source[None, : np.count_nonzero(source)], LONG, beam_size=3, n_best=2)
        assert [one.ids for one in alone] == [one.ids for one in expected]
        assert [one.score for one in alone] == pytest.approx([one.score for one in expected], abs=1e-4)


def test_an_empty_batch_gives_no_targets():
    nothing = np.zeros((0, 5), dtype="int32")
    assert beam_search(make(), nothing, 7) == [] and greedy_decode(make(), nothing, 7).shape == (0, 7)


def test_fewer_targets_than_asked_for_are_all_that_exist():
    only = beam_search(lambda source, target: np.zeros((*target.shape, 4)), SOURCE[:1], 1, beam_size=7, n_best=7)[0]
    assert sorted(one.ids for one in only) == [(0,), (1,), (2,), (3,)]


@pytest.mark.parametrize(
    "settings",
    [{"beam_size": 0}, {"alpha": -0.1}, {"alpha": float("nan")}, {"n_best": 5}, {"n_best": 0}, {"alpha": float("inf")}],
    ids=str,
)
def test_impossible_settings_are_refused(settings):
    [(name, value)] = settings.items()
    with pytest.raises(ValueError, match=rf"beam_size must be at least 1.*Received: .*{name} {value}"):
        beam_search(toy, SOURCE, 4, **settings)


def test_a_length_of_zero_is_refused():
    with pytest.raises(ValueError, match=r"max_length must be at least 1. Received: shape \(3, 5\) and 0"):
        beam_search(toy, SOURCE, 0)


def test_logits_that_are_no_numbers_are_refused():
    with pytest.raises(ValueError, match="must be numbers. Received: NaN"):
        beam_search(lambda source, target: np.full((*target.shape, V), np.nan), SOURCE, 4)


def test_a_search_sees_what_the_model_has_learned_since():
    model = make(end=-9.0)
    assert END not in beam_search(model, SOURCE[:1], 5)[0][0].ids
    bias = np.zeros(V)
    bias[END] = 50.0
    model.to_logits.bias.assign(bias)
    assert beam_search(model, SOURCE[:1], 5)[0][0].ids == (END,)


def test_a_search_does_not_keep_the_model_alive():
    model = make(num_layers=1)
    beam_search(model, SOURCE, 3)
    reference = weakref.ref(model)
    del model
    keras.backend.clear_session()
    gc.collect()
    assert reference() is None


def test_half_precision_searches_too():
    model = make(end=1.0, dtype="mixed_bfloat16")
    for hypotheses in beam_search(model, SOURCE, 7, beam_size=3, n_best=3):
        assert len(hypotheses) == 3 and all(np.isfinite(one.score) for one in hypotheses)
