import json
import os
import re
import subprocess
import sys

import pytest

from llmcourse import runtime
from llmcourse.runtime import available_cores, only_errors_on_stderr, setup


def run(code, **environment):
    """Run code in a fresh Python and return what it printed on both streams."""
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | environment,
        check=True,
        timeout=120,
    )
    return result.stdout, result.stderr


def test_importing_the_package_imports_neither_keras_nor_tensorflow():
    out, _ = run(
        "import sys, llmcourse, llmcourse.checking, llmcourse.classroom.grading.results\n"
        "import llmcourse.commands.app, llmcourse.data, llmcourse.models, llmcourse.plots\n"
        "heavy = ('keras', 'tensorflow', 'sklearn', 'pandas', 'matplotlib.pyplot')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    assert out == "[]\n"


def test_setup_says_one_line_and_nothing_on_standard_error():
    out, err = run("from llmcourse import setup; setup(seed=7)", TF_CPP_MIN_LOG_LEVEL="0")
    assert re.fullmatch(r"llmcourse \S+ \| Keras \S+ with tensorflow \S+ \| .*(CPU|GPU).* \| float32 \| seed 7\n", out)
    assert err == ""


@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_equal_seeds_give_equal_numbers_in_every_library(backend):
    code = (
        "from llmcourse import setup\nsetup(seed=3)\nimport random, numpy as np, keras\n"
        "d = keras.layers.Dense(2); d.build((None, 3))\n"
        "print(random.random(), np.random.rand(), np.asarray(keras.random.normal((2,))).tolist())\n"
        "print(d.get_weights()[0].tolist())"
    )
    first, _ = run(code, KERAS_BACKEND=backend)
    second, _ = run(code, KERAS_BACKEND=backend)
    assert first == second
    assert f"with {backend}" in first


@pytest.mark.parametrize("level", [{}, {"TF_CPP_MIN_LOG_LEVEL": "1"}], ids=["alone", "where JAX set the level"])
def test_setup_makes_operations_deterministic_sets_the_precision_and_lets_blas_use_one_thread(monkeypatch, level):
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)  # importing JAX in this process sets it
    code = """
import os
from llmcourse import setup
before = dict(os.environ)
setup(precision="mixed_bfloat16")
import keras, numpy as np, tensorflow as tf
from tensorflow.python.framework import config
from threadpoolctl import threadpool_info
print(keras.config.dtype_policy().name, tf.config.experimental.tensor_float_32_execution_enabled())
print(config.is_op_determinism_enabled(), {e["num_threads"] for e in threadpool_info() if e["user_api"] == "blas"})
print({"TF_CPP_MIN_LOG_LEVEL", "KERAS_BACKEND"} & set(os.environ) - set(before))
model = keras.Sequential([keras.Input((5,)), keras.layers.Dropout(0.1), keras.layers.Dense(3)])
model.compile("sgd", "mse")
model.fit(np.ones((7, 5)), np.ones((7, 3)), verbose=0)  # where TensorFlow writes a false alarm
"""
    out, err = run(code, OPENBLAS_NUM_THREADS="2", **level)
    assert out.splitlines()[1:] == ["mixed_bfloat16 False", "True {1}", "set()"]
    assert err == ""


NO_SIDE_EFFECT = """
import logging, os, random, sys, warnings
import keras, numpy as np, tensorflow as tf
from tensorflow.python.framework import config
from threadpoolctl import threadpool_info

def state():
    return {
        "environment": dict(os.environ), "warnings": list(warnings.filters), "numpy": np.geterr(),
        "printing": str(np.get_printoptions()), "random": random.getstate(), "numpy random": str(np.random.get_state()),
        "logging": {name: logging.getLogger(name).level for name in ("", "tensorflow", "matplotlib", "absl", "pooch")},
        "keras": [keras.config.floatx(), keras.config.dtype_policy().name, keras.config.image_data_format()],
        "tensorflow": [config.is_op_determinism_enabled(), config.tensor_float_32_execution_enabled()],
        "threads": [entry["num_threads"] for entry in threadpool_info()], "path": list(sys.path), "folder": os.getcwd(),
    }

before = state()
"""


def test_loading_a_translator_changes_nothing_else():
    code = f"""{NO_SIDE_EFFECT}
keras.config.set_image_data_format("channels_first")
before = state()
from llmcourse.decoding.translate import Translator
from llmcourse.models.saved import load_translator
model, tokenizer, _ = load_translator()
Translator(model, tokenizer).translate(["Where is the station?"], beam_size=2)
after = state()
print([name for name in before if after[name] != before[name]])
model = keras.Sequential([keras.Input((5,)), keras.layers.Dropout(0.1), keras.layers.Dense(3)])
model.compile("sgd", "mse")
model.fit(np.ones((7, 5)), np.ones((7, 3)), verbose=0)
keras.config.set_floatx("float64")
try:
    load_translator()
except RuntimeError as error:
    print(error)
"""
    changed, refused = run(code, OPENBLAS_NUM_THREADS="2")[0].splitlines()
    assert changed == "[]"
    assert "A translator computes in float32. Received: floatx 'float64'" in refused


def test_data_tokenizers_and_pictures_change_nothing_else():
    code = f"""{NO_SIDE_EFFECT}
import matplotlib
settings = dict(matplotlib.rcParams)
from llmcourse.data import load_mnist, load_pairs
from llmcourse.data.tokenizer import Tokenizer
from llmcourse.plots import digits, learning_curves
data, pairs = load_mnist("small"), load_pairs("phrases", "de")
Tokenizer.train(pairs.train.sources[:211], 307).encode("Where is the station?")
digits(data.x_test[:3], data.y_test[:3]).to_png()
learning_curves({{"loss": [3.0, 2.0]}}).to_png()
after = state()
print([name for name in before if after[name] != before[name]])
print([name for name in settings if matplotlib.rcParams[name] != settings[name]])
"""
    assert run(code, OPENBLAS_NUM_THREADS="2")[0].splitlines() == ["[]", "[]"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            {"floatx": "float64", "image_data_format": "channels_first", "epsilon": 0.001, "backend": "tensorflow"},
            "Keras is set to floatx float32 in place of float64, image_data_format channels_last in place of "
            "channels_first, epsilon 1e-07 in place of 0.001 here, as the course needs it.",
        ),
        ({"backend": "theano"}, "Keras is set to backend tensorflow in place of theano here, as the course needs it."),
    ],
)
def test_a_users_settings_of_keras_give_way_and_that_is_said(tmp_path, content, said):
    (tmp_path / "keras.json").write_text(json.dumps(content))
    code = (
        "from llmcourse.runtime import load_keras\nconfig = load_keras().config\n"
        "print(config.backend(), config.floatx(), config.image_data_format(), config.epsilon())"
    )
    out, err = run(code, KERAS_HOME=str(tmp_path))
    assert out == "tensorflow float32 channels_last 1e-07\n"
    assert err == said + "\n"
    assert json.loads((tmp_path / "keras.json").read_text()) == content


def test_setup_says_what_gave_way_below_its_line(tmp_path):
    (tmp_path / "keras.json").write_text('{"max_epochs": 3, "floatx": "float16"}')
    out, err = run("from llmcourse import setup; setup()", KERAS_HOME=str(tmp_path), KERAS_MAX_EPOCHS="2")
    first, second = out.splitlines()
    assert "float32 | seed 0" in first
    assert "floatx float32 in place of float16, max_epochs None in place of 2" in second
    assert err == ""


@pytest.mark.parametrize("content", ["{", "[]", "{}", None])
def test_no_or_damaged_settings_mean_tensorflow(tmp_path, monkeypatch, content):
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    if content is not None:
        (tmp_path / "keras.json").write_text(content)
    assert runtime._choose_backend() == []
    assert "KERAS_BACKEND" not in os.environ


@pytest.mark.parametrize("name", ["theano", "torch", ""])
def test_a_backend_that_is_asked_for_and_cannot_be_had_is_one_clear_error(monkeypatch, name):
    monkeypatch.setenv("KERAS_BACKEND", name)
    monkeypatch.setattr(runtime, "find_spec", lambda name: None)
    with pytest.raises(RuntimeError, match=rf"of tensorflow, jax, torch. Received: '{name}'. Unset it"):
        runtime._choose_backend()


def test_settings_that_keras_refuses_are_one_clear_error(tmp_path):
    (tmp_path / "keras.json").write_text('{"floatx": "float7"}')
    code = "from llmcourse.runtime import load_keras\ntry: load_keras()\nexcept RuntimeError as error: print(error)"
    out, _ = run(code, KERAS_HOME=str(tmp_path))
    assert "with settings that Keras knows. Received: " in out and "float7" in out
    assert str(tmp_path / "keras.json") in out


@pytest.mark.gpu
def test_setup_finds_the_gpu_and_lets_its_memory_grow():
    out, _ = run(
        "from llmcourse import setup\nsetup()\nimport tensorflow as tf\n"
        "print([tf.config.experimental.get_memory_growth(g) for g in tf.config.list_physical_devices('GPU')])"
    )
    assert "GPU: " in out
    assert "False" not in out.splitlines()[1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"seed": -1}, "seed must be"),
        ({"seed": "a"}, "Received: 'a'"),
        ({"precision": "float8"}, "float32, mixed_bfloat16"),
    ],
)
def test_wrong_arguments_are_named(arguments, words):
    with pytest.raises(ValueError, match=words):
        setup(**arguments)


def test_only_errors_pass_to_standard_error(capfd):
    with only_errors_on_stderr():
        os.write(2, b"I0000 00:00:1.0 1 port.cc:153] greetings\n2026-01-01 00:00:00.1: W file] warning\n")
        os.write(2, b"E0000 00:00:1.0 1 thing.cc:1] real trouble\n")
    assert capfd.readouterr().err == "E0000 00:00:1.0 1 thing.cc:1] real trouble\n"


def test_cores_are_counted():
    assert 1 <= available_cores() <= (os.cpu_count() or 1)
