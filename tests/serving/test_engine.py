"""The engine in NumPy answers as the Keras model does, without Keras."""

import json
import subprocess
import sys

import numpy as np
import pytest

from llmcourse.data import load_pairs
from llmcourse.data.tokenizer import Tokenizer
from llmcourse.decoding import Translator, beam_search, greedy_decode, sample_decode
from llmcourse.models.saved import ModelFolderError, load_translator, save_translator
from llmcourse.runtime import load_keras
from llmcourse.serving.engine import NumpyTransformer, best_next, load_engine

SIZES = {"num_layers": 2, "d_model": 24, "num_heads": 3, "d_ff": 40, "activation": "relu", "dropout": 0.2}
KINDS = {
    "as packaged": {"pre_norm": True, "tied_embeddings": True, "shared_embeddings": True},
    "two tables, a matrix of its own": {"pre_norm": True, "tied_embeddings": False, "shared_embeddings": False},
    "post-norm, tied": {"pre_norm": False, "tied_embeddings": True, "shared_embeddings": False},
}


def make_pair(kind):
    """Make a Keras model whose weights are all drawn, and the engine with the same weights."""
    vocabularies = (37, 37) if KINDS[kind]["shared_embeddings"] else (37, 41)
    return draw_pair(np.random.default_rng(3), vocabularies, SIZES | KINDS[kind])


def draw_pair(rng, vocabularies, settings):
    model = draw_model(rng, vocabularies, settings)
    return model, NumpyTransformer.of(model)


def draw_model(rng, vocabularies, settings):
    keras = load_keras()
    from llmcourse.models.translator import Transformer

    model = Transformer(*vocabularies, **settings)
    for weight in model.weights:  # norms and biases, too
        weight.assign(weight.numpy() + 0.3 * rng.normal(size=weight.shape))
    assert keras.backend.floatx() == "float32"
    return model


def draw_ids(rng, sentences, length, vocabulary, first):
    """Draw sentences of different lengths, with padding at the end."""
    ids = rng.integers(3, vocabulary, size=(sentences, length)).astype("int32")
    ids[np.arange(length) >= rng.integers(1, length + 1, size=(sentences, 1))] = 0
    ids[:, 0] = first
    return ids


@pytest.mark.parametrize("seed", range(8))
def test_logits_are_those_of_the_keras_model(seed):
    """Eight models drawn at random, one for each way to build it, and 125 inputs for each: 1,000."""
    pre_norm, tied, shared = (bool(seed & bit) for bit in (1, 2, 4))
    rng = np.random.default_rng(seed)
    heads = int(rng.choice([1, 2, 3, 5]))
    settings = {
        "num_layers": int(rng.integers(1, 4)),
        "d_model": 2 * heads * int(rng.choice([2, 3, 5])),
        "num_heads": heads,
        "d_ff": int(rng.choice([7, 13, 29])),
        "dropout": 0.2,
        "pre_norm": pre_norm,
        "tied_embeddings": tied,
        "shared_embeddings": shared,
    }
    model, engine = draw_pair(rng, (37, 37) if shared else (37, 41), settings)
    for _ in range(25):
        source = draw_ids(rng, 5, rng.integers(1, 24), 37, first=5)
        target = draw_ids(rng, 5, rng.integers(1, 24), 37, first=2)
        np.testing.assert_allclose(engine(source, target), np.asarray(model(source, target)), atol=1e-4, rtol=0)


def test_the_engine_keeps_the_weights_that_it_was_made_of():
    model, engine = make_pair("as packaged")
    source, target = np.array([[5, 6, 3]]), np.array([[2, 7]])
    before = engine(source, target)
    model.set_weights([weight + 1 for weight in model.get_weights()])
    np.testing.assert_array_equal(engine(source, target), before)


@pytest.mark.parametrize("storage", ["int8", "float16", "float32"])
def test_a_folder_gives_the_same_logits_however_it_is_stored(tmp_path, storage):
    tokenizer = Tokenizer.train(["the train leaves at seven"] * 9, 270)
    rng = np.random.default_rng(5)
    drawn = draw_model(rng, (270, 270), SIZES | KINDS["as packaged"])
    folder = save_translator(tmp_path / "model", drawn, tokenizer, {}, storage=storage)
    (engine, *_), (model, *_) = load_engine(folder), load_translator(folder)
    source, target = draw_ids(rng, 11, 13, 270, first=5), draw_ids(rng, 11, 7, 270, first=2)
    expected = np.asarray(model(source, target))
    np.testing.assert_allclose(engine(source, target), expected, atol=1e-4, rtol=0)
    assert np.array_equal(np.asarray(drawn(source, target)), expected) == (storage == "float32")


@pytest.mark.parametrize("kind", KINDS)
def test_searches_find_the_same(kind):
    model, engine = make_pair(kind)
    source = draw_ids(np.random.default_rng(2), 9, 7, 37, first=5)
    assert np.array_equal(greedy_decode(engine, source, 12), greedy_decode(model, source, 12))
    assert np.array_equal(sample_decode(engine, source, 12, top_k=5), sample_decode(model, source, 12, top_k=5))
    for options in ({"beam_size": 3, "n_best": 3}, {"beam_size": 5, "alpha": 0.0}):
        found, expected = (beam_search(one, source, 12, **options) for one in (engine, model))
        for mine, theirs in zip(found, expected, strict=True):
            assert [one.ids for one in mine] == [one.ids for one in theirs]
            np.testing.assert_allclose([one.score for one in mine], [one.score for one in theirs], atol=1e-4)


def test_the_packaged_model_translates_as_with_keras():
    engine, tokenizer, card = load_engine()
    model, _, expected_card = load_translator()
    assert card == expected_card
    texts = [*load_pairs("phrases", target="zh").test.sources[:40], "", "Fine."]
    for beam in (1, 4):
        mine, theirs = (Translator(one, tokenizer, 48).translate(texts, beam_size=beam) for one in (engine, model))
        assert mine == theirs


def test_neither_keras_nor_tensorflow_is_imported():
    code = """
import json, sys
from llmcourse.decoding import Translator
from llmcourse.serving.engine import load_engine
model, tokenizer, _ = load_engine()
text = Translator(model, tokenizer).translate(["Where is the station?"])[0]
print(json.dumps([text, [name for name in ("keras", "tensorflow", "jax", "torch") if name in sys.modules]]))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert json.loads(run.stdout) == ["车站在哪里？", []]


def test_no_sentence_at_all():
    engine, tokenizer, _ = load_engine()
    none = np.zeros((0, 5), dtype="int32")
    assert greedy_decode(engine, none, 7).shape == (0, 7)
    assert beam_search(engine, none, 7) == [] == Translator(engine, tokenizer).translate([])


def test_best_next_sorts_and_normalises():
    logits = np.random.default_rng(0).normal(size=(4, 97)).astype("float32")
    for count in (1, 3, 64, 65, 97, 200):
        log_probs, tokens = best_next(logits, count)
        assert np.array_equal(tokens, np.argsort(-logits, axis=1)[:, :count])
        every = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        np.testing.assert_allclose(log_probs, np.take_along_axis(every, tokens.astype(int), axis=1), atol=1e-6)
    with pytest.raises(ValueError, match="must be numbers"):
        best_next(np.full((1, 3), np.nan), 2)


def test_a_folder_with_other_weights_is_refused(tmp_path):
    load_keras()
    from llmcourse.models.translator import Transformer

    tokenizer = Tokenizer.train(["the train leaves at seven"] * 9, 270)
    model = Transformer(270, 270, num_layers=1, d_model=8, num_heads=2, d_ff=9)
    folder = save_translator(tmp_path / "model", model, tokenizer, {})
    load_engine(folder)
    config = json.loads((folder / "config.json").read_text())
    for key, value in (("d_ff", 10), ("num_layers", 2), ("activation", "selu"), ("tied_embeddings", True)):
        changed = config | {"model": config["model"] | {key: value}}
        (folder / "config.json").write_text(json.dumps(changed))
        with pytest.raises(ModelFolderError, match="fit are required"):
            load_engine(folder)
