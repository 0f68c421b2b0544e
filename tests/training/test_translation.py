"""A translation run: what it learns, what it leaves behind, and that no interruption changes its outcome."""

import itertools
import json
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from llmcourse.data.tokenizer import Tokenizer
from llmcourse.models.saved import ModelFolderError, load_translator, save_translator
from llmcourse.training import runs, translation, translation_loop
from llmcourse.training.batching import BucketedBatches
from llmcourse.training.runs import RunError, load_checkpoint
from llmcourse.training.translation import (
    Recipe,
    TrainingDivergedError,
    TranslationConfig,
    build_model,
    train_translation,
    translation_config,
)
from llmcourse.training.translation_scores import evaluate_translation

slow = pytest.mark.slow

WORDS = (
    {"the cat": "die katze", "the dog": "der hund", "a bird": "ein vogel", "my friend": "mein freund", "he": "er"},
    {"sees": "sieht", "hears": "hört", "likes": "mag", "finds": "findet", "draws": "malt"},
    {"the house": "das haus", "the tree": "den baum", "a river": "einen fluss", "the moon": "den mond"},
    {"today": "heute", "often": "oft", "never": "nie", "here": "hier", "now": "jetzt"},
)
TINY = Recipe(
    vocab_size=331,
    num_layers=1,
    d_model=44,
    num_heads=2,
    d_ff=131,
    dropout=0.1,
    peak_rate=1e-2,
    warmup=0.1,
    batch_tokens=509,
    max_length=29,
    average_steps=50,
)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A small language in which the adverb moves in front of the object: 500 sentences, a tenth held out."""
    lines = []
    for phrase in itertools.product(*WORDS):
        subject, verb, thing, adverb = (words[english] for words, english in zip(WORDS, phrase, strict=True))
        lines.append(f"{' '.join(phrase)}\t{subject} {verb} {adverb} {thing}")
    path = tmp_path_factory.mktemp("data") / "toy.tsv"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def config_for(table, epochs=2, **changes):
    return TranslationConfig(str(table), "de", epochs=epochs, seed=3, settings=replace(TINY, **changes))


@pytest.fixture(scope="module")
def finished(table, tmp_path_factory):
    """One run that nothing interrupts."""
    folder, moments = tmp_path_factory.mktemp("runs") / "whole", []
    config = config_for(table, epochs=25)
    scores = train_translation(config, folder, on_progress=moments.append, command="llmcourse train --test")
    return config, folder, scores, moments


@slow
def test_a_small_language_is_learnt_to_the_word(finished):
    _, folder, scores, _ = finished
    assert scores["test"]["exact_match"] >= 0.95, scores
    assert scores["test"]["bleu"] > 95
    assert scores["test"]["sentences"] == 25
    from llmcourse.decoding.translate import Translator

    model, tokenizer, _ = load_translator(folder)
    assert Translator(model, tokenizer).translate(["he draws the moon now"]) == ["er malt jetzt den mond"]


@slow
def test_a_run_leaves_everything_that_a_reader_needs(finished):
    config, folder, scores, moments = finished
    names = "config.json checkpoint.npz history.csv scores.json tokenizer.json model curves.png bleu.png"
    assert sorted(path.name for path in folder.iterdir()) == sorted(names.split())
    assert json.loads((folder / "scores.json").read_text()) == scores
    card = (folder / "model" / "model_card.md").read_text()
    for words in (
        "llmcourse train --test",
        "Seed: 3",
        f"{scores['test']['bleu']:.1f}",
        "tok:13a",
        "keras 3",
        "toy.tsv",
    ):
        assert words in card
    facts = json.loads((folder / "model" / "config.json").read_text())["card"]
    assert (facts["target_language"], facts["data"], facts["limits"]["max_length"]) == ("de", config.data, 29)
    assert len((folder / "history.csv").read_text().splitlines()) == 1 + 25
    assert moments[-1].progress == 1
    assert [moment.progress for moment in moments] == sorted(moment.progress for moment in moments)
    assert all(np.isfinite(moment.loss) and moment.tokens_per_second > 0 for moment in moments)
    assert moments[0].bleu is None and moments[-1].bleu > 50


@slow
def test_a_finished_run_is_read_and_not_repeated(finished, monkeypatch):
    config, folder, scores, _ = finished
    monkeypatch.setattr(translation, "fit", None)
    assert train_translation(config, folder) == scores


@slow
def test_evaluating_again_gives_the_scores_of_the_run(finished):
    from typer.testing import CliRunner

    from llmcourse.commands.app import app

    _, folder, scores, _ = finished
    measured = evaluate_translation(folder)
    assert measured["test"] == scores["test"]  # the stored weights were scored, rounded as they are
    result = CliRunner().invoke(app, ["evaluate", "--model", str(folder / "model")], env={"COLUMNS": "200"})
    assert f"{measured['test']['bleu']:.1f}" in result.output
    assert measured["test"]["bleu_signature"] in result.output


def test_a_model_without_a_word_about_its_data_is_one_clear_error(tmp_path):
    tokenizer = Tokenizer.train(["a b c"], vocab_size=260)
    config = TranslationConfig("phrases", epochs=1, settings=replace(TINY, vocab_size=260))
    save_translator(tmp_path, build_model(config, 260), tokenizer, {"data": "phrases"})
    with pytest.raises(ModelFolderError, match="Received: none with limits, target, tokenized"):
        evaluate_translation(tmp_path)


@slow
def test_another_run_in_the_folder_is_refused(finished):
    config, folder, _, _ = finished
    with pytest.raises(RunError, match=r"seed 5 \(the folder has 3\)"):
        train_translation(replace(config, seed=5), folder)


KILLED = """
import os, signal
from pathlib import Path
from llmcourse.training import translation_loop
from llmcourse.training.translation import Recipe, TranslationConfig, train_translation

translation_loop.REPORT_SECONDS = translation_loop.CHECKPOINT_SECONDS = 0.0
def kill(moment):
    if moment.epoch == 2 and moment.progress > 0.6:
        os.kill(os.getpid(), signal.SIGKILL)

train_translation({config!r}, Path({folder!r}), on_progress=kill)
"""


@slow
def test_a_run_killed_within_an_epoch_ends_with_the_same_weights(table, tmp_path):
    config = config_for(table)
    train_translation(config, tmp_path / "whole")
    code = KILLED.format(config=config, folder=str(tmp_path / "run"))
    killed = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    checkpoint = load_checkpoint(tmp_path / "run")
    assert checkpoint.epoch == 1
    assert checkpoint.arrays["meter/step"] > 0
    assert not (tmp_path / "run" / "model").exists()
    moments = []
    train_translation(config, tmp_path / "run", on_progress=moments.append)
    assert min(moment.progress for moment in moments) > 0.6
    ends = [load_checkpoint(tmp_path / name).arrays for name in ("whole", "run")]
    for name, array in ends[0].items():
        if not name.startswith("meter"):
            np.testing.assert_array_equal(array, ends[1][name], err_msg=name)
    losses = [[row["loss"] for row in load_checkpoint(tmp_path / name).history] for name in ("whole", "run")]
    np.testing.assert_allclose(*losses, rtol=1e-12)


@slow
def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_last_good_weights(table, tmp_path, monkeypatch):
    monkeypatch.setattr(translation_loop, "rise_and_fall", lambda progress, *_: 1e-3 if progress < 0.6 else 1e30)
    with pytest.raises(TrainingDivergedError, match=r"in epoch 2, step \d+\. .*Those weights are kept in .*last_good"):
        train_translation(config_for(table, storage="float32"), tmp_path)
    checkpoint = load_checkpoint(tmp_path)
    assert checkpoint.epoch == 1
    model, _, _ = load_translator(tmp_path / "last_good")
    np.testing.assert_array_equal(model.get_weights()[0], checkpoint.arrays["average/000"])
    assert not (tmp_path / "scores.json").exists()


@slow
def test_a_run_that_diverges_before_the_first_checkpoint_keeps_nothing(table, tmp_path, monkeypatch):
    monkeypatch.setattr(translation_loop, "rise_and_fall", lambda progress, *_: 1e30)
    with pytest.raises(TrainingDivergedError, match=r"in epoch 1, step \d+\. .*before the first checkpoint\.$"):
        train_translation(config_for(table), tmp_path)
    assert not (tmp_path / "last_good").exists()


@slow
def test_a_run_does_not_go_on_with_a_file_that_has_changed(table, tmp_path):
    own = tmp_path / "own.tsv"
    own.write_text(table.read_text(encoding="utf-8"), encoding="utf-8")
    train_translation(config_for(own, epochs=1), tmp_path / "run")
    own.write_text(own.read_text(encoding="utf-8").replace("katze", "maus"), encoding="utf-8")
    with pytest.raises(RunError, match="holds another run. Required: pairs"):
        train_translation(config_for(own, epochs=1), tmp_path / "run")


def test_another_backend_is_refused_before_the_folder_is_claimed(table, tmp_path, monkeypatch):
    import keras

    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(RunError, match=r"TensorFlow backend.*Received: the jax backend"):
        train_translation(config_for(table), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@slow
def test_the_clock_ends_a_run_by_minutes(table, tmp_path):
    config = TranslationConfig(str(table), "de", minutes=0.05, seed=3, settings=TINY)
    scores = train_translation(config, tmp_path)
    seconds = [row["seconds"] for row in load_checkpoint(tmp_path).history]
    assert sum(seconds[:-1]) < 3
    assert scores["epochs"] == len(seconds)
    assert train_translation(config, tmp_path) == scores


@slow
def test_a_full_disk_is_one_clear_error_and_the_run_goes_on_later(table, tmp_path, monkeypatch):
    import errno

    config = config_for(table, epochs=1)
    with monkeypatch.context() as patch:

        def full(path, content):
            raise OSError(errno.ENOSPC, "No space left on device")

        patch.setattr(runs, "write_atomically", full)
        with pytest.raises(RunError, match=r"Space on the disk is required.*the same command goes on"):
            train_translation(config, tmp_path)
    assert train_translation(config, tmp_path)["epochs"] == 1


@slow
def test_one_trace_serves_batches_of_every_shape(table):
    import keras

    rng = np.random.default_rng(5)
    sides = [[rng.integers(4, 300, size=length).tolist() for length in rng.integers(1, 27, size=101)] for _ in range(2)]
    batches = BucketedBatches(*sides, batch_tokens=101, max_length=29)
    model = build_model(config_for(table), 331)
    step = translation_loop.make_train_step(model, keras.optimizers.Adam(), 0.1)
    losses = [float(step(b.sources, b.inputs, b.labels, np.float32(1e-3))) for b in batches.epoch(3, 0)]
    assert len({b.labels.shape for b in batches.epoch(3, 0)}) > 3
    assert np.isfinite(losses).all()
    assert step.experimental_get_tracing_count() == 1


def test_a_vocabulary_larger_than_the_data_can_give_leaves_no_trace(table, tmp_path):
    with pytest.raises(ValueError, match=r"vocab_size must be at most \d+.*Received: 5,003"):
        train_translation(config_for(table, vocab_size=5003), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_readers_own_small_file_gets_the_vocabulary_it_can_give(table):
    from llmcourse.data import load_pairs

    config = translation_config(str(table), "de")
    tokenizer = translation._train_tokenizer(load_pairs(table, "de"), config.settings)
    assert isinstance(tokenizer, Tokenizer)
    assert 280 < tokenizer.vocab_size < config.settings.vocab_size


@pytest.mark.parametrize("data", ["phrases", "multi30k", "tatoeba-cmn", "mine.tsv"])
def test_every_data_set_has_a_recipe(data):
    config = translation_config(data)
    assert config.epochs and config.minutes is None
    assert translation_config(data, minutes=3).epochs is None
    assert translation_config(data, dropout=0.4).settings.dropout == 0.4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"minutes": -1}, "minutes must be above 0. Received: -1"),
        ({"minutes": 0}, "minutes must be above 0. Received: 0"),
        ({"minutes": float("nan")}, "minutes must be above 0. Received: nan"),
        ({"minutes": float("inf")}, "minutes must be above 0. Received: inf"),
        ({"epochs": 0}, "epochs must be at least 1. Received: 0"),
        ({"minutes": 2, "epochs": 3}, "One of minutes and epochs is required"),
        ({"seed": -1}, "seed must be from 0"),
        ({"vocab_size": 3}, "vocab_size at least 5. Received: .* and 3"),
        ({"num_layers": 0}, "num_layers, .* at least 1"),
        ({"peak_rate": 0.0}, "peak_rate must be above 0"),
        ({"warmup": 1.0}, "warmup between 0 and 1"),
    ],
)
def test_numbers_out_of_range_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        translation_config("phrases", **changes)
