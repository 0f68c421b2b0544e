"""The command as a whole: help, version, errors in one line, letters that the terminal does not know."""

import os
import subprocess
import sys

import pytest

from llmcourse.commands.app import COMMANDS, run


def test_every_command_has_a_help_text(call):
    for command in COMMANDS:
        result = call(command.__name__, "--help")
        assert result.exit_code == 0
        assert "Usage:" in result.output
    listed = call("--help").output
    assert all(command.__name__ in listed for command in COMMANDS) and "train" in listed


def test_version(call):
    import llmcourse

    assert call("--version").output.strip() == llmcourse.__version__


def test_an_unknown_lesson_is_one_line_without_a_traceback(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("sys.argv", ["llmcourse", "demo", "--lesson", "rnn", "--out", str(tmp_path)])
    with pytest.raises(SystemExit) as caught:
        run()
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert "Received: 'rnn'" in error
    assert "Traceback" not in error


def test_importing_the_commands_loads_no_framework():
    heavy = "('keras', 'tensorflow', 'tokenizers', 'matplotlib', 'sklearn', 'nbformat')"
    code = f"import sys, llmcourse.commands.app; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_translation_imports_nothing_that_it_does_not_need_and_uses_one_thread():
    heavy = "keras tensorflow jax torch matplotlib sklearn sacrebleu nbformat pooch requests"
    code = f"""
import sys
sys.argv = ["llmcourse", "translate", "Where is the station?"]
from llmcourse.commands.app import run
try:
    run()
except SystemExit as end:
    assert end.code == 0
from threadpoolctl import threadpool_info
assert [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"] in ([1], [])
print([name for name in {heavy.split()} if name in sys.modules])
"""
    inherited = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, env=inherited, check=True)
    assert result.stdout.decode().split("\n") == ["车站在哪里？", "[]", ""]


TERMINALS = [{"PYTHONIOENCODING": "latin-1"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}]


@pytest.mark.parametrize("terminal", TERMINALS, ids=["latin-1", "C"])
@pytest.mark.parametrize("arguments", [("progress",), ("start", "ü 课", "--no-browser"), ("demo", "--lesson", "课")])
def test_no_terminal_stops_a_command(program, home, terminal, arguments):
    status, output, error = program(*arguments, **terminal)
    assert status == (2 if arguments[0] == "demo" else 0)
    assert b"codec" not in output + error and b"Traceback" not in error
    (output + error).decode("latin-1" if "PYTHONIOENCODING" in terminal else "utf-8")


@pytest.mark.parametrize("terminal", TERMINALS, ids=["latin-1", "C"])
def test_letters_are_utf8_or_replaced(terminal):
    code = "from llmcourse.commands.console import *; write_any_letter(); text = '\\u7ad9 \\xe9'; "
    code += "print(text); errors.print(text)"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG"))}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, env=inherited | terminal, check=True)
    assert result.stdout == result.stderr == ("? é\n".encode("latin-1") if len(terminal) == 1 else "站 é\n".encode())
