"""A run on digits: what it trains with, what it leaves behind, and how it is named."""

import doctest
import json
from dataclasses import replace

import numpy as np
import pytest

from llmcourse.data import load_mnist
from llmcourse.models.cnn import build_small_cnn
from llmcourse.runtime import load_keras
from llmcourse.tasks.digits import task as digits_task
from llmcourse.tasks.digits.augmentation import Deformation
from llmcourse.tasks.digits.recipes import DigitsConfig, Recipe
from llmcourse.tasks.digits.task import Digits
from llmcourse.training import engine
from llmcourse.training.checkpoint import load_checkpoint
from llmcourse.training.run import RunError

# Keras converts its variables for NumPy 2 in the old way while it saves a model.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

# Every random part is on: dropout, deformation, order.
TINY = DigitsConfig(
    data="small",
    recipe="tiny",
    epochs=2,
    seed=3,
    settings=Recipe((2, 3), (2, 2), 0.3, 128, averaged_epochs=2, deformation=Deformation()),
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "whole"
    return folder, engine.train(Digits(TINY), folder, command="llmcourse train digits --test")


def test_a_run_leaves_everything_that_a_reader_needs(finished):
    folder, scores = finished
    names = "config.json checkpoint.npz history.csv scores.json model.keras model_card.md loss.png accuracy.png"
    assert sorted(path.name for path in folder.iterdir()) == sorted([*names.split(), "confusion.png"])
    card = (folder / "model_card.md").read_text()
    accuracy = f"Test accuracy {scores['test_accuracy']:.2%}"
    for words in ("llmcourse train digits --test", "seed 3", accuracy, "wobble", "scikit-learn", "census workers"):
        assert words in card
    assert json.loads((folder / "scores.json").read_text()) == scores
    assert np.sum(scores["confusion"]) == scores["tested"] == 1000
    assert scores["weights"] in ("last", "averaged")
    assert set(scores["validation"]) == {"val_loss", "val_accuracy"}
    assert {"average", "model", "optimizer"} == {name.split("/")[0] for name in load_checkpoint(folder).arrays}


def test_evaluating_gives_the_scores_of_the_run_and_draws_the_confusions(finished):
    folder, scores = finished
    (folder / "confusion.png").unlink()
    found = engine.evaluate(Digits, folder)
    assert {name: scores[name] for name in found if name in scores} == {
        name: value for name, value in found.items() if name != "data_checked"
    }
    assert found["data_checked"]
    assert (folder / "confusion.png").stat().st_size > 10_000


@pytest.mark.parametrize("part", ["x_train", "y_train", "x_test", "y_test"])
def test_digits_that_have_changed_are_refused(finished, monkeypatch, part):
    changed = {name: getattr(load_mnist("small"), name).copy() for name in ("x_train", "y_train", "x_test", "y_test")}
    changed[part][0] = 9 - changed[part][0]
    monkeypatch.setattr(digits_task, "load_mnist", lambda size: digits_task.Mnist(**changed))
    named = "test" if "test" in part else "training"
    for use in (lambda: engine.evaluate(Digits, finished[0]), lambda: engine.train(Digits(TINY), finished[0])):
        with pytest.raises(RunError, match=f"other data, which differ in {named}"):
            use()


def test_the_last_digits_are_held_out():
    digits, whole = Digits(TINY), load_mnist("small")
    for name, part in (("training", slice(0, 3500)), ("validation", slice(3500, 4000))):
        images, labels = getattr(digits, name)
        assert (images == whole.x_train[part]).all()
        assert (labels == whole.y_train[part]).all()


@pytest.mark.parametrize("deformation", [None, Deformation()])
def test_an_epoch_shows_each_digit_once_and_goes_on_anywhere(deformation):
    digits = Digits(replace(TINY, settings=replace(TINY.settings, deformation=deformation)))
    whole = list(digits.batches(epoch=1, first=0))
    assert len(whole) == digits.steps_per_epoch == 27
    assert {(images.shape, labels.shape) for images, labels in whole} == {((128, 28, 28), (128,))}
    every = np.concatenate([labels for _, labels in whole])
    assert (np.bincount(every) <= np.bincount(digits.training[1])).all()
    for images, labels in digits.batches(epoch=1, first=25):
        again = whole[25]
        np.testing.assert_array_equal(images, again[0])
        np.testing.assert_array_equal(labels, again[1])
        break
    assert (next(digits.batches(epoch=2, first=0))[1] != whole[0][1]).any()


def test_the_loss_is_the_cross_entropy_of_smoothed_labels():
    load_keras()
    height, width, classes = 11, 13, 7
    model = build_small_cnn((2, 3), strides=(2, 1), input_shape=(height, width, 1), classes=classes)
    rng = np.random.default_rng(5)
    images = rng.integers(0, 256, (5, height, width), dtype=np.uint8)
    labels = rng.integers(classes, size=5)
    digits = Digits(replace(TINY, settings=replace(TINY.settings, label_smoothing=0.2)))
    found = digits.loss(model, (images, labels))
    logits = np.asarray(model(images[..., None].astype(np.float32) / 255, training=True)).astype(np.float64)
    log_probability = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    targets = np.full((5, classes), 0.2 / classes)
    targets[np.arange(5), labels] += 0.8
    np.testing.assert_allclose(found["loss"], -(targets * log_probability).sum(axis=1).mean(), rtol=1e-5)
    np.testing.assert_allclose(found["accuracy"], np.mean(logits.argmax(axis=1) == labels))


def test_predictions_do_not_depend_on_the_batches(monkeypatch):
    load_keras()
    model = build_small_cnn((2, 3), strides=(2, 1), input_shape=(11, 13, 1), classes=7)
    images = np.random.default_rng(3).integers(0, 256, (11, 11, 13), dtype=np.uint8)
    expected = np.asarray(model(images[..., None].astype(np.float32) / 255))
    monkeypatch.setattr(digits_task, "PREDICT_BATCH", 3)
    digits = Digits(TINY)
    np.testing.assert_allclose(digits.predict(model, images), expected, atol=1e-5)
    assert digits.predict(model, images[:0]).shape == (0, 7)


def test_recipes_are_found_by_name_only():
    config = Digits.configure(data="full", recipe="best", seed=5).config
    assert (config.seed, config.epochs, config.settings.averaged_epochs) == (5, 40, 4)
    assert Digits.configure(epochs=2).config.epochs == 2
    for wrong in ({"data": "medium"}, {"recipe": "slow"}, {"seed": -1}, {"seed": 2**32}, {"epochs": 0}):
        with pytest.raises(ValueError, match="Received: "):
            Digits.configure(**wrong)


def test_numbers_that_cannot_be_trained_with_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"Received: \(0, 1\)"):
        Recipe(batch_size=0)
    with pytest.raises(ValueError, match="must be at most 3500"):
        engine.train(Digits(replace(TINY, settings=replace(TINY.settings, batch_size=3501))), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_examples_of_the_docstrings_are_right():
    assert doctest.testmod(digits_task).failed == 0


@pytest.mark.slow
def test_the_recipe_for_the_small_set_is_accurate(tmp_path):
    scores = engine.train(Digits.configure(data="small", recipe="best", seed=1), tmp_path)
    assert scores["test_accuracy"] >= 0.975
