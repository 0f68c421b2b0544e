"""The wheel carries lessons and notebooks, and works in an empty environment."""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile

import pytest


@pytest.mark.slow
def test_the_wheel_starts_a_course_in_an_empty_environment(tmp_path, root):
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=root, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "llmcourse/lessons/mlp/exercises/relu.py" in names
    assert "llmcourse/notebooks/student/01_mlp.ipynb" in names
    assert not [name for name in names if name.startswith(("tests", "benchmarks", "notebooks", "lessons"))]

    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    install = [python, "-m", "pip", "install", "--no-index", "--no-deps", "--quiet", wheel]
    subprocess.run(install, check=True, capture_output=True)
    # The dependencies are borrowed from this environment; our own editable install there is not seen through
    # PYTHONPATH.
    environment = os.environ | {"PYTHONPATH": sysconfig.get_path("purelib")}
    where = [python, "-c", "import llmcourse; print(llmcourse.__file__)"]
    found = subprocess.run(where, env=environment, check=True, capture_output=True, text=True, cwd=tmp_path).stdout
    assert found.startswith(str(tmp_path))
    start = [tmp_path / "venv" / "bin" / "llmcourse", "start", "work", "--no-browser"]
    subprocess.run(start, env=environment, check=True, capture_output=True, cwd=tmp_path)
    assert (tmp_path / "work" / "01_mlp.ipynb").is_file()
    check = [python, "-c", "from llmcourse import lesson; print(lesson('mlp'))"]
    out = subprocess.run(check, env=environment, check=True, capture_output=True, text=True, cwd=tmp_path).stdout
    assert "dense_forward" in out
