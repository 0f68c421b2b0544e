import os
import re
import subprocess
import sys

import pytest

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


def test_setup_makes_operations_deterministic_and_sets_the_precision():
    out, _ = run(
        "from llmcourse import setup\nsetup(precision='mixed_bfloat16')\nimport keras, tensorflow as tf\n"
        "print(keras.config.dtype_policy().name, tf.config.experimental.tensor_float_32_execution_enabled())\n"
        "from tensorflow.python.framework import config; print(config.is_op_determinism_enabled())"
    )
    assert out.splitlines()[1:] == ["mixed_bfloat16 False", "True"]


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
