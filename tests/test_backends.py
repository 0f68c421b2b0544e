"""What can differ between the backends of Keras is tested once more on the others: the tests marked `backends`."""

import importlib.util
import os
import subprocess
import sys

import pytest

FOLDERS = ("tests/layers", "tests/steps/test_attention.py", "tests/training/test_losses.py")
FILES = ("tests/models/test_translator.py", "tests/decoding/test_cache.py")
SEARCH = "tests/decoding/test_beam.py::test_a_beam_of_one_is_greedy_search[1.0-True]"


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_the_same_tests_pass_on_another_backend(backend, root):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    # Keras hands its variables to NumPy in a way that NumPy 2 warns about.
    options = ["-q", "-p", "no:cacheprovider", "-W", "ignore:__array__ implementation:DeprecationWarning"]
    command = [sys.executable, "-m", "pytest", "-m", "backends", *options, *FOLDERS, *FILES, SEARCH]
    environment = os.environ | {"KERAS_BACKEND": backend}
    run = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout[-4000:]
    assert " passed" in run.stdout
