"""A run on digits: what it leaves behind, and that no interruption changes its outcome."""

import json
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from llmcourse.training import cnn
from llmcourse.training.augmentation import Deformation
from llmcourse.training.cnn import TrainingDivergedError, load_digits, train_cnn
from llmcourse.training.recipes import CnnConfig, Recipe, cnn_config
from llmcourse.training.runs import RunError, load_checkpoint

# Keras converts its variables for NumPy 2 in the old way while it saves a model.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

# Every random part is on: dropout, deformation, order; and the average reaches over the moment of the kill.
TINY = CnnConfig("small", "tiny", 3, Recipe((2, 3), (2, 2), 0.3, 4, 128, averaged_epochs=3, deformation=Deformation()))

KILLED = """
import os, signal, sys
from pathlib import Path
from llmcourse.training.augmentation import Deformation
from llmcourse.training.cnn import train_cnn
from llmcourse.training.recipes import CnnConfig, Recipe

def kill(moment):
    if moment.epoch == 3:
        os.kill(os.getpid(), signal.SIGKILL)

train_cnn({config!r}, Path({folder!r}), on_steps=kill)
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """One run that nothing interrupts."""
    folder, moments = tmp_path_factory.mktemp("runs") / "whole", []
    scores = train_cnn(TINY, folder, on_steps=moments.append, command="llmcourse train cnn --test")
    return folder, scores, moments


def weights_of(folder):
    import keras

    return keras.models.load_model(folder / "model.keras").get_weights()


def test_a_run_killed_at_once_ends_with_the_same_weights(finished, tmp_path):
    folder, scores, _ = finished
    code = KILLED.format(config=TINY, folder=str(tmp_path / "run"))
    killed = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert load_checkpoint(tmp_path / "run").epoch == 2
    assert not (tmp_path / "run" / "model.keras").exists()
    moments = []
    again = train_cnn(TINY, tmp_path / "run", on_steps=moments.append)
    assert [moment.epoch for moment in moments] == [3, 4]
    for whole, resumed in zip(weights_of(folder), weights_of(tmp_path / "run"), strict=True):
        np.testing.assert_array_equal(whole, resumed)
    measured = {name for name in scores if "seconds" not in name}
    assert {name: again[name] for name in measured} == {name: scores[name] for name in measured}


def test_a_run_leaves_everything_that_a_reader_needs(finished):
    folder, scores, moments = finished
    names = "config.json checkpoint.npz history.csv scores.json model.keras model_card.md curves.png confusion.png"
    assert sorted(path.name for path in folder.iterdir()) == sorted(names.split())
    card = (folder / "model_card.md").read_text()
    for words in ("llmcourse train cnn --test", "Seed: 3", f"{scores['test_accuracy']:.2%}", "wobble", "keras 3"):
        assert words in card
    assert len((folder / "history.csv").read_text().splitlines()) == 1 + 4
    assert json.loads((folder / "scores.json").read_text()) == scores
    assert [(moment.step, moment.steps) for moment in moments] == [(27, 108), (54, 108), (81, 108), (108, 108)]
    assert np.sum(scores["confusion"]) == scores["tested"] == 1000


def test_a_finished_run_is_read_and_not_repeated(finished, monkeypatch):
    folder, scores, _ = finished
    monkeypatch.setattr(cnn, "fit_cnn", None)
    assert train_cnn(TINY, folder) == scores


def test_another_run_in_the_folder_is_refused(finished):
    with pytest.raises(RunError, match=r"seed 5 \(the folder has 3\)"):
        train_cnn(replace(TINY, seed=5), finished[0])


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_last_good_weights(tmp_path, monkeypatch):
    import keras

    def explode(steps, peak, warmup):
        return np.repeat(np.array([1e-3, 1e30, 1e-3, 1e-3], np.float32), steps // 4)

    monkeypatch.setattr(cnn, "one_cycle", explode)
    with pytest.raises(TrainingDivergedError, match=r"in epoch 2\. The weights after epoch 1 are kept in"):
        train_cnn(TINY, tmp_path)
    checkpoint = load_checkpoint(tmp_path)
    assert checkpoint.epoch == 1
    kept = keras.models.load_model(tmp_path / "last_good.keras")
    np.testing.assert_array_equal(kept.get_weights()[0], checkpoint.arrays["model/000"])
    assert not (tmp_path / "scores.json").exists()


def test_the_test_digits_are_read_after_training_only(tmp_path, monkeypatch):
    order = []
    load, fit = cnn.load_mnist, cnn.fit_cnn

    class Watched:
        def __init__(self, digits):
            self.digits = digits

        def __getattr__(self, name):
            order.append(name)
            return getattr(self.digits, name)

    def watched_fit(*args, **kwargs):
        result = fit(*args, **kwargs)
        order.append("trained")
        return result

    monkeypatch.setattr(cnn, "load_mnist", lambda size: Watched(load(size)))
    monkeypatch.setattr(cnn, "fit_cnn", watched_fit)
    train_cnn(replace(TINY, settings=replace(TINY.settings, epochs=1, averaged_epochs=1)), tmp_path)
    assert order == ["x_train", "y_train", "trained", "x_test", "y_test"]


def test_the_last_digits_are_held_out():
    from llmcourse.data import load_mnist

    digits, whole = load_digits("small"), load_mnist("small")
    assert (digits.x_train == whole.x_train[:3500]).all()
    assert (digits.x_val == whole.x_train[3500:]).all()
    assert (digits.y_val == whole.y_train[3500:]).all()
    assert len(digits.y_train) == 3500


def test_recipes_are_found_by_name_only():
    assert cnn_config("full", "best", 5).seed == 5
    for wrong in (("medium", "fast", 0), ("full", "slow", 0), ("full", "fast", -1), ("full", "fast", 2**32)):
        with pytest.raises(ValueError, match="Received: "):
            cnn_config(*wrong)


def test_numbers_that_cannot_be_trained_with_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"Received: \(0, 128, 1\)"):
        Recipe(epochs=0)
    with pytest.raises(ValueError, match="must be at most 3500"):
        train_cnn(replace(TINY, settings=replace(TINY.settings, batch_size=3501)), tmp_path)


@pytest.mark.parametrize(("over", "first"), [(2, 1), (5, 0)])
def test_the_averaged_weights_are_the_mean_over_the_last_epochs(tmp_path, monkeypatch, over, first):
    seen, save = [], cnn.runs.save_checkpoint

    def saved(folder, checkpoint):
        seen.append(checkpoint.arrays)
        save(folder, checkpoint)

    monkeypatch.setattr(cnn.runs, "save_checkpoint", saved)
    train_cnn(replace(TINY, settings=replace(TINY.settings, epochs=3, averaged_epochs=over)), tmp_path)
    expected = np.mean([arrays["model/000"] for arrays in seen[first:]], axis=0)
    np.testing.assert_allclose(seen[-1]["average/000"], expected, atol=1e-6)
    assert np.abs(expected - seen[-1]["model/000"]).max() > 1e-4
    assert not any(name.startswith("average") for arrays in seen[:first] for name in arrays)


@pytest.mark.slow
def test_the_recipe_for_the_small_set_is_accurate(tmp_path):
    scores = train_cnn(cnn_config("small", "best", seed=1), tmp_path)
    assert scores["test_accuracy"] >= 0.975
