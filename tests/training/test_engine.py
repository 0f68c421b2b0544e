"""The engine trains a task that it has never heard of: a line fitted to points."""

import json
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
import pytest

from llmcourse.runtime import load_keras
from llmcourse.training import engine, loop
from llmcourse.training.averaging import Averaging
from llmcourse.training.checkpoint import load_checkpoint
from llmcourse.training.loop import TrainingDivergedError
from llmcourse.training.run import RunError, hash_data, read_scores
from llmcourse.training.task import RunConfig, Task

# Keras converts its variables for NumPy 2 in the old way while it saves a model.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

POINTS, SIZE, STEPS = 97, 7, 13  # six points are left over in each epoch
SLOPE, HEIGHT = 3.0, -2.0


@dataclass(frozen=True, kw_only=True)
class LineConfig(RunConfig):
    noise: float = 0.1


class Line(Task):
    name, unit, data_options, steps_per_epoch = "line", "points", ("noise",), STEPS

    def __init__(self, config):
        self.config = config
        rng = np.random.default_rng(5)
        self.x, noise = rng.uniform(-1, 1, (POINTS, 1)).astype("float32"), rng.normal(size=(POINTS, 1))
        self.y = (SLOPE * self.x + HEIGHT + config.noise * noise).astype("float32")

    @classmethod
    def configure(cls, *, noise: Annotated[float, "How far the points are from the line."] = 0.1):
        return cls(LineConfig(epochs=5, noise=noise))

    def fingerprints(self):
        return {"points": hash_data(self.x, self.y)}

    def build_model(self):
        import keras

        return keras.Sequential([keras.Input((1,)), keras.layers.GaussianNoise(0.1), keras.layers.Dense(1)])

    def learning_rate(self, step, progress):
        return 0.1 * (1 - progress) + 0.01

    def batches(self, epoch, first):
        order = np.random.default_rng([self.config.seed, epoch]).permutation(POINTS)
        for step in range(first, STEPS):
            rows = order[step * SIZE :][:SIZE]
            yield {"x": self.x[rows], "y": self.y[rows]}

    def loss(self, model, batch):
        import tensorflow as tf

        error = model(batch["x"], training=True) - batch["y"]
        return {"loss": tf.reduce_mean(error**2), "distance": tf.reduce_mean(tf.abs(error))}

    def validate(self, model):
        return {"val_loss": float(np.mean((np.asarray(model(self.x)) - self.y) ** 2))}

    def score(self, model, tell):
        tell("the line", 1, 1)
        kernel, bias = model.get_weights()
        return {"slope": float(kernel[0, 0]), "height": float(bias[0])}


class SeveralSteps(Line):
    steps_per_call = 5


class Averaged(Line):
    averaging = Averaging(steps=20)


class LastEpochs(SeveralSteps):
    averaging = Averaging(epochs=3)


class ByDistance(Line):
    monitor, mode = "val_score", "max"

    def validate(self, model):
        loss = super().validate(model)["val_loss"]
        return {"val_loss": loss, "val_score": -loss}


class Calm(Line):
    def build_model(self):
        import keras

        return keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])


class Compiled(Calm):
    jit_compile = True  # it draws other random numbers


KINDS = {kind.__name__: kind for kind in (Line, SeveralSteps, Averaged, LastEpochs, ByDistance)}
CONFIG = LineConfig(epochs=5, seed=3)


def slope(saved, prefix="model"):
    """Find the slope among the arrays of a checkpoint."""
    return next(array.item() for name, array in saved.arrays.items() if name.startswith(prefix) and array.ndim == 2)


@pytest.fixture(scope="module", autouse=True)
def _keras():
    load_keras()


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Runs that nothing interrupts, made when they are asked for."""
    runs = {}

    def run(name):
        if name not in runs:
            folder, moments = tmp_path_factory.mktemp("runs") / name, []
            scores = engine.train(KINDS[name](CONFIG), folder, on_progress=moments.append, command="make line")
            runs[name] = folder, scores, moments
        return runs[name]

    return run


@pytest.mark.parametrize("name", KINDS)
def test_a_line_is_found(finished, name):
    _, scores, _ = finished(name)
    assert scores["slope"] == pytest.approx(SLOPE, abs=0.2)
    assert scores["height"] == pytest.approx(HEIGHT, abs=0.2)


def test_a_run_leaves_everything_that_a_reader_needs(finished):
    folder, scores, _ = finished("Line")
    names = "config.json checkpoint.npz history.csv scores.json model.keras model_card.md loss.png"
    assert sorted(path.name for path in folder.iterdir()) == sorted(names.split())
    assert json.loads((folder / "scores.json").read_text()) == scores
    card = (folder / "model_card.md").read_text()
    for words in ("make line", "seed 3", "slope 3", "loss.png", "keras 3", "Data: points", "Parameters: 2"):
        assert words in card
    header, *rows = (folder / "history.csv").read_text().splitlines()
    assert header == "epoch,steps,loss,distance,val_loss,learning_rate,points_per_second,seconds,cpu_seconds"
    assert [row.split(",")[:2] for row in rows] == [[str(number), str(STEPS)] for number in range(1, 6)]
    assert (scores["epochs"], scores["steps"], scores["parameters"]) == (5, 5 * STEPS, 2)


def test_progress_tells_how_far_how_fast_and_how_long_still(finished):
    _, _, moments = finished("Line")
    ends = [moment for moment in moments if moment.epoch_ended]
    assert [moment.epoch for moment in ends] == [1, 2, 3, 4, 5]
    assert [moment.share for moment in ends] == [0.2, 0.4, 0.6, 0.8, 1.0]
    assert [moment.seconds_left > 0 for moment in ends] == [True] * 4 + [False]
    for moment in moments:
        assert (moment.epochs, moment.unit) == (5, "points")
        assert moment.speed > 0
        assert set(moment.means) == {"loss", "distance"}
    assert all(set(moment.validation) == {"val_loss"} for moment in ends)


KILLED = """
import importlib.util, os, signal
from pathlib import Path
spec = importlib.util.spec_from_file_location("line", {file!r})
line = importlib.util.module_from_spec(spec)
spec.loader.exec_module(line)
line.loop.REPORT_SECONDS = line.loop.CHECKPOINT_SECONDS = 0.0
calls = []
def kill(moment):
    calls.append(moment)
    if len(calls) == {calls}:
        os.kill(os.getpid(), signal.SIGKILL)
line.engine.train(line.KINDS[{name!r}](line.CONFIG), Path({folder!r}), on_progress=kill)
"""


@pytest.mark.parametrize(("name", "calls"), [("Line", 35), ("Averaged", 35), ("LastEpochs", 13)])
def test_a_run_killed_within_an_epoch_ends_with_the_same_weights(finished, tmp_path, name, calls):
    folder, scores, _ = finished(name)
    code = KILLED.format(file=__file__, name=name, folder=str(tmp_path / "run"), calls=calls)
    killed = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    left = load_checkpoint(tmp_path / "run")
    assert left.epoch in (2, 3) and 0 < left.meter["steps"] < STEPS
    assert not (tmp_path / "run" / "scores.json").exists()
    moments = []
    again = engine.train(KINDS[name](CONFIG), tmp_path / "run", on_progress=moments.append)
    assert min(moment.share for moment in moments) > 0.4
    ends = [load_checkpoint(place) for place in (folder, tmp_path / "run")]
    for array, whole in ends[0].arrays.items():
        np.testing.assert_array_equal(ends[1].arrays[array], whole, err_msg=array)
    np.testing.assert_allclose(*[[row["loss"] for row in end.history] for end in ends], rtol=1e-12)
    measured = {name for name in scores if "seconds" not in name}
    assert {name: again[name] for name in measured} == {name: scores[name] for name in measured}


def test_a_finished_run_is_read_and_not_repeated(finished, monkeypatch):
    folder, scores, _ = finished("Line")
    monkeypatch.setattr(engine, "fit", None)
    assert engine.train(Line(CONFIG), folder) == scores


def test_another_run_in_the_folder_is_refused(finished):
    folder, _, _ = finished("Line")
    with pytest.raises(RunError, match=r"seed 5 \(the folder has 3\)"):
        engine.train(Line(replace(CONFIG, seed=5)), folder)


def test_a_foreign_folder_is_refused_and_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(RunError, match=r"Received: .* with thesis\.tex"):
        engine.train(Line(CONFIG), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("config", [{"task": "cnn", "data": "small"}, {"task": "translation", "pairs": "0123"}])
def test_a_folder_of_an_older_version_is_refused_in_words(tmp_path, config):
    (tmp_path / "config.json").write_text(json.dumps(config))
    for use in (lambda: engine.train(Line(CONFIG), tmp_path), lambda: engine.evaluate(Line, tmp_path)):
        with pytest.raises(RunError, match=r"which an older version made\. Train anew in another folder"):
            use()
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


def test_changed_data_are_refused_by_training_and_by_evaluation(finished, monkeypatch):
    folder, _, _ = finished("Line")
    monkeypatch.setattr(Line, "fingerprints", lambda self: {"points": "other", "new": "part"})
    for use in (lambda: engine.train(Line(CONFIG), folder), lambda: engine.evaluate(Line, folder)):
        with pytest.raises(RunError, match=r"began with are required\. Received: other data, .* in new and in points"):
            use()


def test_evaluating_gives_the_scores_of_the_run(finished):
    folder, scores, _ = finished("Line")
    told = []
    found = engine.evaluate(Line, folder, lambda *words: told.append(words))
    assert (found["slope"], found["height"]) == (scores["slope"], scores["height"])
    assert found["data_checked"]
    assert told == [("the line", 1, 1)]


def test_a_folder_that_does_not_name_its_data_is_one_clear_error(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"task": "line", "format": 2}))
    with pytest.raises(RunError, match=r"A model that names its data is required\. Received: .* without noise"):
        engine.evaluate(Line, tmp_path)


@pytest.mark.parametrize("name", ["Line", "Averaged"])
def test_a_run_that_diverges_keeps_the_last_good_weights(tmp_path, monkeypatch, name):
    import keras

    def explode(self, step, progress):
        return 0.01 if progress < 0.5 else 1e30

    monkeypatch.setattr(Line, "learning_rate", explode)
    with pytest.raises(TrainingDivergedError, match=r"in epoch 3, step \d+\. A lower .*1e\+30.* kept in .*last_good"):
        engine.train(KINDS[name](CONFIG), tmp_path)
    left = load_checkpoint(tmp_path)
    assert left.epoch == 2
    kept = keras.models.load_model(tmp_path / "last_good.keras").get_weights()
    assert kept[0].item() == slope(left, "average" if name == "Averaged" else "model")
    assert not (tmp_path / "scores.json").exists()


def test_a_run_that_diverges_before_the_first_checkpoint_keeps_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(Line, "learning_rate", lambda self, step, progress: 1e30)
    with pytest.raises(TrainingDivergedError, match=r"in epoch 1, step \d+\. .*before the first checkpoint\.$"):
        engine.train(Line(CONFIG), tmp_path)
    assert not (tmp_path / "last_good.keras").exists()


def test_a_monitor_that_is_no_number_stops_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr(Line, "validate", lambda self, model: {"val_loss": float("nan")})
    with pytest.raises(TrainingDivergedError, match=r"Received: val_loss nan in epoch 1, step 14"):
        engine.train(Line(CONFIG), tmp_path)


def test_the_best_epoch_is_chosen_and_of_equals_the_later_one(tmp_path, monkeypatch):
    values = iter([5.0, 1.0, 2.0, 1.0, 3.0])
    monkeypatch.setattr(Line, "validate", lambda self, model: {"val_loss": next(values)})
    seen = []
    monkeypatch.setattr(loop.checkpoint, "save_checkpoint", lambda folder, saved: seen.append(saved))
    scores = engine.train(Line(CONFIG), tmp_path)
    assert (scores["weights"], scores["validation"]) == ("epoch 4", {"val_loss": 1.0})
    assert scores["slope"] == slope(seen[3])


def test_where_more_is_better_the_highest_is_chosen(tmp_path, monkeypatch):
    values = iter([5.0, 1.0, 2.0, 1.0, 3.0])
    monkeypatch.setattr(ByDistance, "validate", lambda self, model: {"val_score": next(values)})
    assert engine.train(ByDistance(CONFIG), tmp_path)["weights"] == "epoch 1"


@pytest.mark.parametrize(("last", "averaged", "chosen"), [(2.0, 1.0, "averaged"), (1.0, 2.0, "last"), (1, 1, "last")])
def test_at_the_end_the_last_weights_and_their_mean_compete(tmp_path, monkeypatch, last, averaged, chosen):
    values, seen = iter([0.5] * 5 + [last, averaged]), []
    monkeypatch.setattr(LastEpochs, "validate", lambda self, model: {"val_loss": next(values)})
    monkeypatch.setattr(loop.checkpoint, "save_checkpoint", lambda folder, saved: seen.append(saved))
    scores = engine.train(LastEpochs(CONFIG), tmp_path)
    assert scores["weights"] == chosen
    mean = np.mean([slope(saved) for saved in seen[2:]])
    assert slope(seen[-1], "average") == pytest.approx(mean, abs=1e-6)
    assert scores["slope"] == pytest.approx(mean if chosen == "averaged" else slope(seen[-1]), abs=1e-6)
    assert abs(mean - slope(seen[-1])) > 1e-4


def test_several_steps_in_a_call_are_the_steps_one_by_one(finished):
    one, several = (load_checkpoint(finished(name)[0]).arrays for name in ("Line", "SeveralSteps"))
    for name, array in one.items():
        np.testing.assert_array_equal(several[name], array, err_msg=name)


def test_xla_computes_the_same(tmp_path):
    found = [engine.train(kind(CONFIG), tmp_path / kind.__name__)["slope"] for kind in (Calm, Compiled)]
    assert found[0] == pytest.approx(found[1], abs=1e-4)


def test_the_clock_ends_a_run_by_minutes(tmp_path, monkeypatch):
    now = iter(range(10**6))
    monkeypatch.setattr("llmcourse.training.progress.time.perf_counter", lambda: float(next(now)))
    moments = []
    config = LineConfig(minutes=1.0, seed=3)
    scores = engine.train(Line(config), tmp_path, on_progress=moments.append)
    rows = load_checkpoint(tmp_path).history
    assert sum(row["seconds"] for row in rows[:-1]) < 60 <= sum(row["seconds"] for row in rows)
    assert scores["epochs"] == len(rows) > 1
    lefts = [moment.seconds_left for moment in moments]
    assert lefts == sorted(lefts, reverse=True) and lefts[-1] == 0
    assert moments[0].epochs is None
    assert read_scores(tmp_path) == engine.train(Line(config), tmp_path)


def test_an_average_over_the_last_epochs_needs_a_run_by_epochs(tmp_path):
    with pytest.raises(ValueError, match="needs a run by epochs"):
        engine.train(LastEpochs(LineConfig(minutes=1.0)), tmp_path)


def test_another_backend_is_refused_before_the_folder_is_claimed(tmp_path, monkeypatch):
    import keras

    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(RunError, match=r"TensorFlow backend.*Received: the jax backend"):
        engine.train(Line(CONFIG), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_full_disk_is_one_clear_error_and_the_run_goes_on_later(tmp_path, monkeypatch):
    import errno

    with monkeypatch.context() as patch:

        def full(path, content):
            raise OSError(errno.ENOSPC, "No space left on device")

        patch.setattr(loop.checkpoint, "write_atomically", full)
        with pytest.raises(RunError, match=r"Space on the disk is required.*the same command goes on"):
            engine.train(Line(CONFIG), tmp_path)
    assert engine.train(Line(CONFIG), tmp_path)["epochs"] == 5


def test_settings_that_the_data_cannot_serve_leave_no_trace(tmp_path, monkeypatch):
    def refuse(self, folder):
        raise ValueError("no")

    monkeypatch.setattr(Line, "prepare", refuse)
    with pytest.raises(ValueError, match="no"):
        engine.train(Line(CONFIG), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_a_model_that_is_not_whole_is_one_clear_error(finished, tmp_path, damage):
    if damage == "cut":
        (tmp_path / "model.keras").write_bytes((finished("Line")[0] / "model.keras").read_bytes()[:500])
    required = "A finished run is required" if damage == "missing" else "A whole model is required"
    with pytest.raises(RunError, match=required):
        Line(CONFIG).load(tmp_path / "model")


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"minutes": -1}, "minutes must be above 0 .* Received: -1"),
        ({"minutes": 0}, "minutes must be above 0 .* Received: 0"),
        ({"minutes": float("nan")}, "minutes must be above 0 .* Received: nan"),
        ({"minutes": float("inf")}, "at most 43,200. Received: inf"),
        ({"epochs": 0}, "epochs must be from 1 to 10,000. Received: 0"),
        ({"epochs": 10**12}, "epochs must be from 1 to 10,000. Received: 1,000,000,000,000"),
        ({"minutes": 2, "epochs": 3}, "One of minutes and epochs is required"),
        ({}, "One of minutes and epochs is required"),
        ({"epochs": 1, "seed": -1}, "seed must be from 0"),
        ({"epochs": 1, "seed": 2**32}, "seed must be from 0"),
    ],
)
def test_numbers_out_of_range_are_refused(numbers, message):
    with pytest.raises(ValueError, match=message):
        RunConfig(**numbers)
