"""A translation run: what it learns, what it leaves behind, and that no interruption changes its outcome."""

import itertools
import json
import shutil
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from llmcourse.data import Split, load_pairs
from llmcourse.data.tokenizer import Tokenizer
from llmcourse.models.saved import load_translator
from llmcourse.runtime import load_keras
from llmcourse.tasks.translation.recipes import Recipe, TranslationConfig
from llmcourse.tasks.translation.report import about_translator
from llmcourse.tasks.translation.task import Translation, add_phrases, train_tokenizer
from llmcourse.training import engine, loop
from llmcourse.training.checkpoint import load_checkpoint
from llmcourse.training.loop import TrainingDivergedError
from llmcourse.training.packing import PackedBatches
from llmcourse.training.run import RunError
from llmcourse.training.steps import TrainSteps

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


def task_for(table, epochs=2, **changes):
    settings = replace(TINY, **changes)
    return Translation(TranslationConfig(data=str(table), target="de", epochs=epochs, seed=3, settings=settings))


@pytest.fixture(scope="module")
def short(table, tmp_path_factory):
    """Two epochs that nothing interrupts."""
    folder, moments = tmp_path_factory.mktemp("runs") / "short", []
    scores = engine.train(task_for(table), folder, on_progress=moments.append, command="llmcourse train --test")
    return folder, scores, moments


def test_a_run_leaves_everything_that_a_reader_needs(short, table):
    folder, scores, moments = short
    names = "config.json checkpoint.npz history.csv scores.json tokenizer.json model model_card.md loss.png bleu.png"
    assert sorted(path.name for path in folder.iterdir()) == sorted(names.split())
    assert json.loads((folder / "scores.json").read_text()) == scores
    card = (folder / "model" / "model_card.md").read_text()
    assert card == (folder / "model_card.md").read_text()
    bleu = f"| test | 25 | {scores['test']['bleu']:.1f} |"
    for words in ("llmcourse train --test", "seed 3", bleu, "tok:13a", "keras 3", "sacrebleu", "toy.tsv"):
        assert words in card
    facts = json.loads((folder / "model" / "config.json").read_text())["card"]
    assert (facts["target_language"], facts["data"], facts["limits"]["max_length"]) == ("de", str(table), 29)
    assert facts["scores"] == scores
    assert set(facts["data_sha256"]) == {"training", "validation", "test"}
    assert set(scores["validation"]) == {"val_loss", "val_bleu"}
    assert moments[-1].share == 1
    assert all(moment.unit == "tokens" and moment.speed > 0 for moment in moments)
    assert moments[0].validation == {} or moments[0].epoch_ended


def test_evaluating_the_run_or_its_model_gives_the_scores_of_the_run(short, tmp_path):
    folder, scores, _ = short
    alone = shutil.copytree(folder / "model", tmp_path / "alone")
    for place in (folder, folder / "model", alone):
        told = []
        found = engine.evaluate(Translation, place, lambda *words, told=told: told.append(words))
        assert found["test"] == scores["test"]  # the stored weights were scored, rounded as they are
        assert found["data_checked"]
        assert told[0] == ("test", 0, 25) and told[-1] == ("test", 25, 25)


def test_a_model_that_does_not_say_with_which_data_it_was_trained_is_evaluated_and_says_so(short, tmp_path):
    alone = shutil.copytree(short[0] / "model", tmp_path / "alone")
    config = json.loads((alone / "config.json").read_text())
    del config["card"]["data_sha256"]
    (alone / "config.json").write_text(json.dumps(config))
    found = engine.evaluate(Translation, alone)
    assert found["test"] == short[1]["test"]
    assert not found["data_checked"]


def test_a_model_without_a_word_about_its_data_is_one_clear_error(short, tmp_path):
    alone = shutil.copytree(short[0] / "model", tmp_path / "alone")
    config = json.loads((alone / "config.json").read_text())
    config["card"] = {"data": "phrases"}
    (alone / "config.json").write_text(json.dumps(config))
    with pytest.raises(RunError, match="names its data is required. Received: .* without target, tokenized"):
        engine.evaluate(Translation, alone)


def test_a_file_that_has_changed_is_refused_by_training_and_by_evaluation(short, table, monkeypatch):
    folder, _, _ = short
    text = table.read_text(encoding="utf-8")
    pairs = load_pairs(table, "de")
    held_out = {*pairs.test.sources, *pairs.validation.sources}
    lines = [line for line in text.splitlines() if line.split("\t")[0] not in held_out]
    try:
        for changed, parts in (
            ("\n".join(lines), "test and in training and in validation"),
            (text.replace(pairs.test.targets[0], "nie"), "test"),
            (text.replace(pairs.validation.targets[0], "nie"), "validation"),
        ):
            table.write_text(changed, encoding="utf-8")
            for use in (
                lambda: engine.train(task_for(table), folder),
                lambda: engine.evaluate(Translation, folder),
                lambda: engine.evaluate(Translation, folder / "model"),
            ):
                with pytest.raises(RunError, match=f"other data, which differ in {parts}\\."):
                    use()
    finally:
        table.write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def learnt(table, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "learnt"
    return folder, engine.train(task_for(table, epochs=25), folder)


@slow
def test_a_small_language_is_learnt_to_the_word(learnt):
    folder, scores = learnt
    assert scores["test"]["exact_match"] >= 0.95, scores
    assert scores["test"]["bleu"] > 95
    assert scores["test"]["sentences"] == 25
    from llmcourse.decoding.translate import Translator

    model, tokenizer, _ = load_translator(folder)
    assert Translator(model, tokenizer).translate(["he draws the moon now"]) == ["er malt jetzt den mond"]


KILLED = """
import os, signal
from pathlib import Path
from llmcourse.tasks.translation.recipes import Recipe, TranslationConfig
from llmcourse.tasks.translation.task import Translation
from llmcourse.training import engine, loop

loop.REPORT_SECONDS = loop.CHECKPOINT_SECONDS = 0.0
def kill(moment):
    if moment.epoch == 2 and moment.share > 0.6:
        os.kill(os.getpid(), signal.SIGKILL)

engine.train(Translation({config!r}), Path({folder!r}), on_progress=kill)
"""


@slow
def test_a_run_killed_within_an_epoch_ends_with_the_same_weights(short, table, tmp_path):
    code = KILLED.format(config=task_for(table).config, folder=str(tmp_path / "run"))
    killed = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    left = load_checkpoint(tmp_path / "run")
    assert left.epoch == 1 and left.meter["steps"] > 0
    assert not (tmp_path / "run" / "model").exists()
    engine.train(task_for(table), tmp_path / "run")
    ends = [load_checkpoint(place).arrays for place in (short[0], tmp_path / "run")]
    for name, array in ends[0].items():
        np.testing.assert_array_equal(array, ends[1][name], err_msg=name)


@slow
def test_a_run_that_diverges_keeps_the_last_good_weights(table, tmp_path, monkeypatch):
    monkeypatch.setattr(Translation, "learning_rate", lambda self, step, share: 1e-3 if share < 0.6 else 1e30)
    with pytest.raises(TrainingDivergedError, match=r"in epoch 2, step \d+\. .*Those weights are kept in .*last_good"):
        engine.train(task_for(table, storage="float32"), tmp_path)
    model, _, _ = load_translator(tmp_path / "last_good")
    kept = load_checkpoint(tmp_path).numbered(loop.AVERAGE)
    np.testing.assert_array_equal(model.get_weights()[0], kept[0])


def test_one_trace_serves_batches_of_every_shape(table):
    keras = load_keras()
    rng = np.random.default_rng(5)
    sides = [[rng.integers(4, 300, size=length).tolist() for length in rng.integers(1, 45, size=101)] for _ in range(2)]
    task = task_for(table)
    task.prepare(table.parent)
    batches = PackedBatches(*sides, batch_tokens=101, max_length=49)
    shapes = {batch.labels.shape for batch in batches.epoch(3, 0)}
    assert len(shapes) == 2
    steps = TrainSteps(task, engine.build_model(task), keras.optimizers.Adam())
    rate = np.array([1e-3], np.float32)
    compiled = []
    for batch in itertools.islice(batches.epoch(3, 0), 5):
        compiled.append(steps.compile(batch))
        assert np.isfinite(steps([batch], rate)["loss"])
    assert compiled == [True, False, False, False, False]


def test_a_run_that_goes_on_reads_its_tokenizer(table, tmp_path):
    task = task_for(table)
    Tokenizer.train(["other words, other words"], vocab_size=261).save(tmp_path / "tokenizer.json")
    task.prepare(tmp_path)
    assert task.tokenizer.vocab_size == 261
    task.prepare(tmp_path / "elsewhere")
    assert task.tokenizer.vocab_size == 331


def test_a_vocabulary_larger_than_the_data_can_give_leaves_no_trace(table, tmp_path):
    with pytest.raises(ValueError, match=r"vocab_size must be at most \d+.*Received: 5,003"):
        engine.train(task_for(table, vocab_size=5003), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_readers_own_small_file_gets_the_vocabulary_it_can_give(table):
    config = Translation.configure(data=str(table), target="de").config
    tokenizer = train_tokenizer(load_pairs(table, "de"), config.settings)
    assert isinstance(tokenizer, Tokenizer)
    assert 280 < tokenizer.vocab_size < config.settings.vocab_size


@pytest.mark.parametrize("data", ["phrases", "multi30k", "tatoeba-cmn", "mine.tsv"])
def test_every_data_set_has_a_recipe(data):
    config = Translation.configure(data=data).config
    assert config.epochs and config.minutes is None
    assert Translation.configure(data=data, minutes=3).config.epochs is None
    changed = Translation.configure(data=data, vocab_size=300, seed=5).config
    assert replace(changed.settings, vocab_size=1000) == replace(
        config.settings, vocab_size=1000, vocab_may_shrink=False
    )
    assert (changed.seed, changed.epochs) == (5, config.epochs)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"minutes": -1}, "minutes must be above 0 .* Received: -1"),
        ({"epochs": 0}, "epochs must be from 1 to 10,000. Received: 0"),
        ({"minutes": 2, "epochs": 3}, "One of minutes and epochs is required"),
        ({"seed": -1}, "seed must be from 0"),
        ({"vocab_size": 3}, "vocab_size must be from 260 .* to 32,000. Received: 3"),
        ({"vocab_size": 10**9}, "vocab_size must be from 260 .* to 32,000. Received: 1,000,000,000"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Translation.configure(**options)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"num_layers": 0}, "num_layers, .* at least 1"),
        ({"peak_rate": 0.0}, "peak_rate must be above 0"),
        ({"warmup": 1.0}, "warmup between 0 and 1"),
        ({"bpe_dropout": 1.5}, "bpe_dropout must be from 0 to 1.*Received: 1.5 and 0"),
        ({"phrases": -1}, "phrases at least 0.*Received: 0.0 and -1"),
    ],
)
def test_numbers_that_no_recipe_may_have_are_refused(numbers, message):
    with pytest.raises(ValueError, match=message):
        Recipe(**numbers)


def test_phrases_are_added_to_the_training_part_alone():
    phrases = load_pairs("phrases", "zh")
    asked = Split((phrases.train.sources[0].upper(), *phrases.train.sources[1:40]), phrases.train.targets[:40])
    pairs = replace(phrases, train=phrases.test, validation=asked)
    more = add_phrases(pairs, 300)
    assert more.validation is asked and more.test is pairs.test
    added = more.train.sources[len(pairs.train) :]
    assert len(added) == len(set(added)) == 300
    assert set(added) <= set(phrases.train.sources) and not set(added) & set(phrases.train.sources[:40])
    translations = dict(zip(phrases.train.sources, phrases.train.targets, strict=True))
    assert [translations[source] for source in added] == list(more.train.targets[len(pairs.train) :])
    assert add_phrases(pairs, 0) is pairs
    assert "Up to 300 of its training pairs are `phrases`" in about_translator("mine.tsv", more, 0, 300).data
    assert "Up to" not in about_translator("mine.tsv", pairs, 0).data
    assert len(add_phrases(pairs, 10**6).train) == len(pairs.train) + len(phrases.train) - 40


def test_bpe_dropout_cuts_sentences_anew_in_each_epoch_and_always_the_same_way(table, tmp_path):
    task, again = task_for(table, bpe_dropout=0.2), task_for(table, bpe_dropout=0.2)
    task.prepare(tmp_path)
    again.prepare(tmp_path)

    def ids(task, epoch, first=0):
        return [batch.sources.tolist() for batch in task.batches(epoch, first)]

    epochs = [ids(task, epoch) for epoch in range(3)]
    assert [len(epoch) for epoch in epochs] == [task.steps_per_epoch] * 3
    assert epochs[0] != epochs[1] != epochs[2]
    assert ids(again, 2) == epochs[2] and ids(again, 1, 1) == epochs[1][1:]
    plain = task_for(table)
    plain.prepare(tmp_path)
    texts = {tuple(task.tokenizer.encode(text)) for text in task.pairs.train.sources}
    whole = [tuple(ids[:-1]) for batch in plain.batches(1, 0) for ids in sentences(batch)]
    cut = [tuple(ids[:-1]) for batch in task.batches(1, 0) for ids in sentences(batch)]
    assert set(whole) <= texts
    assert 0 < sum(ids in texts for ids in cut) < 0.9 * len(cut)
    assert {task.tokenizer.decode(ids) for ids in cut} <= {task.tokenizer.decode(ids) for ids in texts}


def sentences(batch):
    for ids, segments in zip(batch.sources, batch.source_segments, strict=True):
        for number in range(1, segments.max() + 1):
            yield ids[segments == number].tolist()
