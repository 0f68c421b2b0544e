"""JupyterLab is started so that a learner's own files cannot stand in for its modules."""

import subprocess
import sys

from llmcourse.commands.start import open_lab, shadows


def test_jupyterlab_and_its_kernels_do_not_import_from_where_they_start(tmp_path, monkeypatch):
    """What the command starts is exchanged for a program that imports as JupyterLab and a kernel do."""
    for name in ("random", "json", "jupyterlab"):
        (tmp_path / f"{name}.py").write_text(f"raise SystemExit('the learner\\'s {name}')")
    monkeypatch.chdir(tmp_path)
    seen = {}
    real = subprocess.call
    monkeypatch.setattr(subprocess, "call", lambda command, env: _probe(real, command, env, seen))
    assert open_lab(tmp_path / "my course") == 0
    assert seen["command"][0] == sys.executable
    assert seen["command"][-2:] == ["--notebook-dir", str((tmp_path / "my course").resolve())]


def _probe(real, command, env, seen):
    seen["command"] = command
    code = (
        "import random, json, subprocess, sys; sys.exit(subprocess.call([sys.executable, '-c', 'import random, json']))"
    )
    return real([*command[: command.index("-m")], "-c", code], env=env)


def test_only_names_of_modules_are_named(tmp_path):
    assert shadows(tmp_path) == []
    (tmp_path / "helpers.py").write_text("")
    (tmp_path / "tensorflow.py").write_text("")
    (tmp_path / "statistics").mkdir()  # without __init__.py a folder hides nothing
    assert shadows(tmp_path) == [(tmp_path / "tensorflow.py", "tensorflow")]
