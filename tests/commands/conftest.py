"""A command called as a user calls it, in this process or in one of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from llmcourse.commands.app import app


@pytest.fixture
def call():
    """Call a command; what it raises reaches the test."""

    def run(*arguments, stdin=b""):
        words = [str(item) for item in arguments]
        result = CliRunner().invoke(app, words, input=stdin, env={"COLUMNS": "200", "NO_COLOR": "1"})
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture
def program():
    """Start the installed program and return its exit status and the bytes on both streams."""

    def run(*arguments, stdin=b"", **environment):
        code = "import sys; from llmcourse.commands.app import run; run()"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG"))}
        changed = {name: value for name, value in (inherited | environment).items() if value is not None}
        words = [sys.executable, "-c", code, *map(os.fsencode, map(str, arguments))]
        result = subprocess.run(words, input=stdin, capture_output=True, env=changed, timeout=300, check=False)
        return result.returncode, result.stdout, result.stderr

    return run


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty home folder, and we stand in an empty folder."""
    for name in ("home", "here"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "here")
    return Path(tmp_path / "home")
