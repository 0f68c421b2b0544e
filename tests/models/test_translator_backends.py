"""The tests of layers, model, search and loss once more, on the other backends of Keras."""

import importlib.util
import os
import subprocess
import sys

import pytest

FILES = {
    "layers": [
        *(
            f"tests/layers/test_{name}.py"
            for name in ("attention", "masks", "positional", "steps", "torch", "transformer")
        ),
        "tests/training/test_losses.py",
    ],
    "model": [
        "tests/models/test_translator.py",
        "tests/decoding/test_search.py",
        "tests/decoding/test_cache.py",
        "tests/decoding/test_beam.py::test_a_beam_of_full_width_equals_brute_force[1.0]",
        "tests/decoding/test_beam.py::test_the_cache_changes_nothing[3-{'end': 2.5}]",
    ],
}


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
@pytest.mark.parametrize("part", FILES)
def test_the_same_tests_pass_on_another_backend(part, backend, root):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    # Keras hands its variables to NumPy in a way that NumPy 2 warns about.
    options = ["-q", "-p", "no:cacheprovider", "-W", "ignore:__array__ implementation:DeprecationWarning"]
    command = [sys.executable, "-m", "pytest", *options, *FILES[part]]
    environment = os.environ | {"KERAS_BACKEND": backend}
    run = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout[-4000:]
    assert " passed" in run.stdout
