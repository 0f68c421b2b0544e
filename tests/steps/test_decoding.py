from itertools import product

import keras
import numpy as np
import pytest
import sacrebleu

from llmcourse.decoding.search import END, START, greedy_decode
from llmcourse.layers import padding_mask
from llmcourse.models.translator import Transformer
from llmcourse.steps import decoding as plain

V = 5


def random_model(seed, impossible=(0, 1, 2)):
    """Make a step function whose log-probabilities depend on the whole prefix."""

    def step_fn(prefixes):
        logits = np.stack([np.random.default_rng([seed, *row]).normal(scale=2, size=V) for row in prefixes])
        logits[:, list(impossible)] = -np.inf
        return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))

    return step_fn


def brute_force(step_fn, alpha, max_length):
    found = []
    for length in range(1, max_length + 1):
        for ids in product(range(V), repeat=length):
            if END in ids[:-1] or (ids[-1] != END and length < max_length):
                continue
            prefix, total = [START], 0.0
            for token in ids:
                total += step_fn(np.array([prefix]))[0, token]
                prefix.append(token)
            if np.isfinite(total):
                found.append((list(ids), total / length**alpha))
    return sorted(found, key=lambda pair: -pair[1])


@pytest.mark.parametrize("alpha", [0.0, 0.7, 1.0])
def test_a_beam_of_full_width_equals_brute_force(alpha):
    step_fn = random_model(7, impossible=(0, 1))
    found, best = plain.beam_search(step_fn, 3**5, alpha, 4), brute_force(step_fn, alpha, 4)
    assert [ids for ids, _ in found] == [ids for ids, _ in best]
    assert [score for _, score in found] == pytest.approx([score for _, score in best])


def test_a_beam_of_one_is_greedy_search():
    for seed in range(11):
        step_fn, prefix = random_model(seed), [START]
        while prefix[-1] != END and len(prefix) < 8:
            prefix.append(int(step_fn(np.array([prefix])).argmax()))
        assert plain.beam_search(step_fn, 1, 1.0, 7)[0][0] == prefix[1:]


def test_the_search_stops_when_nothing_better_can_come():
    calls, chances = [], np.log([[1e-99, 1e-99, 1e-99, 0.6, 0.4]])

    def step_fn(prefixes):
        calls.append(len(prefixes))
        return chances.repeat(len(prefixes), axis=0)

    assert [ids for ids, _ in plain.beam_search(step_fn, 2, 0.0, 50)] == [[3], [4, 3]]
    assert calls == [1, 1]  # 0.4 * 0.4 is less than 0.4 * 0.6


def test_beam_search_reports_each_step():
    seen = []
    plain.beam_search(random_model(3, impossible=(0, 1, 2, 3)), 3, 1.0, 5, on_step=lambda *step: seen.append(step))
    assert len(seen) == 5
    for prefixes, candidates, kept in seen:
        assert candidates.shape == kept.shape == (len(prefixes), V)
        assert candidates[kept].min() > candidates[~kept].max()


@pytest.mark.parametrize("settings", [(0, 1.0, 5), (2, -0.5, 5), (2, float("nan"), 5), (2, 1.0, 0)])
def test_beam_search_refuses_impossible_settings(settings):
    with pytest.raises(ValueError, match=r"beam_size and max_length must be at least 1.*Received"):
        plain.beam_search(random_model(0), *settings)


def attend(query, key, value):
    scores = query @ key.swapaxes(-1, -2) / np.sqrt(key.shape[-1])
    length, total = scores.shape[-2:]
    scores = np.where(np.tri(length, total, total - length, dtype=bool), scores, -np.inf)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True) @ value


def test_attention_with_the_cache_equals_full_attention():
    rng = np.random.default_rng(0)
    query, key, value = rng.normal(size=(3, 2, 3, 7, 5))
    cache, outputs = plain.KeyValueCache(), []
    for start, stop in ((0, 3), *((t, t + 1) for t in range(3, 7))):
        keys, values = cache.update(key[:, :, start:stop], value[:, :, start:stop])
        outputs.append(attend(query[:, :, start:stop], keys, values))
    np.testing.assert_allclose(np.concatenate(outputs, axis=2), attend(query, key, value))


def test_the_cache_follows_the_beam():
    key = np.random.default_rng(0).normal(size=(2, 3, 4, 5))
    cache = plain.KeyValueCache()
    cache.reorder([0])  # nothing there yet
    cache.update(key[:, :, :3], -key[:, :, :3])
    cache.reorder([1, 1, 0])
    keys, values = cache.update(key[[1, 0, 0], :, 3:], key[[1, 0, 0], :, 3:])
    np.testing.assert_array_equal(keys[:, :, :3], key[[1, 1, 0], :, :3])
    np.testing.assert_array_equal(values[:, :, :3], -key[[1, 1, 0], :, :3])
    np.testing.assert_array_equal(keys[:, :, 3:], key[[1, 0, 0], :, 3:])


def test_decoding_with_the_cache_writes_what_the_transformer_writes_without():
    keras.utils.set_random_seed(0)
    model = Transformer(23, 23, num_layers=2, d_model=8, num_heads=2, d_ff=11)
    source = np.random.default_rng(0).integers(4, 23, size=(5, 7)).astype("int32")
    source[2:, 5:] = 0
    given = []

    def read_source(source):
        memory = model.decoder.project_memory(model.encode(source))
        return memory, padding_mask(source), [plain.KeyValueCache() for _ in memory]

    def score_next(tokens, position, caches):
        given.append((tokens.shape, position))
        memory, memory_mask, layers = caches
        logits = model.decode_next(tokens, position, memory, layers, mask=None, memory_mask=memory_mask)
        return logits[:, 0], caches

    for count, max_length in ((5, 13), (2, 3), (1, 1)):
        given.clear()
        written = plain.greedy_decode_cached(read_source, score_next, source[:count], max_length)
        expected = greedy_decode(model, source[:count], max_length, use_cache=False)
        np.testing.assert_array_equal(written, expected)
        assert given == [((count, 1), position) for position in range(len(given))]


def test_decoding_with_the_cache_needs_room():
    with pytest.raises(ValueError, match=r"at least 1\. Received: 0"):
        plain.greedy_decode_cached(lambda source: None, lambda *asked: asked, np.ones((2, 3), int), 0)


@pytest.mark.parametrize(("temperature", "top_k"), [(1.0, None), (0.5, 3), (2.0, 2), (1.0, 11)])
def test_samples_have_the_frequencies_of_the_distribution(temperature, top_k):
    logits = np.array([0.3, -1.0, 1.2, 0.9, -3.0])
    weights = np.exp(logits / temperature)
    weights[np.argsort(-logits)[top_k:] if top_k else []] = 0
    drawn = plain.sample(np.tile(logits, (4001, 1)), temperature, top_k, seed=3)
    np.testing.assert_allclose(np.bincount(drawn, minlength=V) / 4001, weights / weights.sum(), atol=0.03)


def test_the_seed_decides_the_sample_and_temperature_zero_is_greedy():
    logits = np.random.default_rng(0).normal(size=(101, 7))
    first, again, other = (plain.sample(logits, 1.0, None, seed) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()
    assert (plain.sample(logits, 0, None, 1) == logits.argmax(axis=1)).all()
    assert (plain.sample(logits * 1e6, 0.01, None, 1) == logits.argmax(axis=1)).all()


@pytest.mark.parametrize(("temperature", "top_k"), [(0, None), (0.01, None), (3.0, None), (3.0, 2), (3.0, 4)])
def test_a_token_with_the_logit_minus_infinity_is_never_drawn(temperature, top_k):
    logits = np.tile([-np.inf, 0.2, -np.inf, 0.1, -np.inf], (101, 1))
    drawn = plain.sample(logits, temperature, top_k, seed=3)
    assert set(drawn.tolist()) == ({1, 3} if temperature > 1 else {1})


@pytest.mark.parametrize("settings", [(-1.0, None), (float("nan"), None), (1.0, 0)])
def test_sample_refuses_impossible_settings(settings):
    with pytest.raises(ValueError, match=r"temperature must be 0 or more.*Received"):
        plain.sample(np.zeros((1, 3)), *settings, seed=0)


def corpus(seed, sentences=13):
    rng = np.random.default_rng(seed)
    references = [list(rng.choice(list("abcde"), size=rng.integers(1, 12))) for _ in range(sentences)]
    hypotheses = []
    for tokens in references:
        changed = [token for token in tokens if rng.random() > 0.15]
        hypotheses.append(changed + ["a"] * int(rng.integers(0, 3)))
    return [" ".join(tokens) for tokens in hypotheses], [" ".join(tokens) for tokens in references]


def test_bleu_and_its_precisions_equal_those_of_sacrebleu():
    metric = sacrebleu.BLEU(tokenize="none", smooth_method="none")
    for seed in range(11):
        hypotheses, references = corpus(seed)
        theirs = metric.corpus_score(hypotheses, [references])
        assert plain.corpus_bleu(hypotheses, references) == pytest.approx(theirs.score)
        ours = [100 * share for share in plain.ngram_precisions(hypotheses, references)]
        assert ours == pytest.approx(theirs.precisions)


def test_bleu_without_any_matching_4_gram_is_zero():
    assert plain.corpus_bleu(["a b c x d e f"], ["a b c d e f"]) == 0
    assert plain.corpus_bleu(["a b", ""], ["a b", "c"]) == 0


def test_each_hypothesis_needs_a_reference():
    with pytest.raises(ValueError, match=r"one reference for each hypothesis.*Received: 2 and 1"):
        plain.corpus_bleu(["a", "b"], ["a"])
