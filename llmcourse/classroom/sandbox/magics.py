"""What magics and shell commands do to a notebook: the names and files that they define; what they show is left out.

Part of the worker; the trusted side never calls this.
"""

import argparse
import contextlib
import io
import os
import re
import runpy
import shlex
import subprocess
import sys
import timeit
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

# These change the installation of whoever runs the worker, and that is the teacher.
_INSTALLERS = re.compile(
    r"\b(pip3?|pipx|uv|conda|mamba|micromamba|poetry|apt|apt-get|brew|npm)\b.*\b(\w*install|update|upgrade|remove|add)\b"
)
_COMMANDS = ("ls", "cat", "cp", "mv", "rm", "mkdir", "rmdir", "ln", "ll")  # magics that run the command of that name
_PROGRAMS = {"bash": "bash", "sh": "sh", "python": sys.executable, "python3": sys.executable, "script": ""}
# Begin a line without the per cent sign, too.
LINE_MAGICS = {
    *_COMMANDS,
    *("autoreload", "cd", "colors", "conda", "config", "env", "history", "load_ext", "lsmagic", "matplotlib", "mamba"),
    *("pinfo", "pip", "precision", "prun", "pwd", "pylab", "reset", "run", "set_env", "sx", "system", "time", "timeit"),
    *("who", "who_ls", "whos", "writefile", "xmode"),
}


class Magics:
    """Runs magics and shell commands for a notebook; those that define nothing are not run.

    Args:
        namespace: the notebook's names.
        run: runs a cell, given its source and what stands for its file, and returns its value.
    """

    def __init__(self, namespace: dict[str, Any], run: Callable[[str, str], Any]):
        self._names, self._run, self._count = namespace, run, 0
        self._line: dict[str, Callable[[str], Any]] = {
            **dict.fromkeys(("time", "prun"), self._run_python),
            **dict.fromkeys(("sx", "system"), self.getoutput),
            **{name: partial(self._command, name) for name in _COMMANDS},
            **dict.fromkeys(("env", "set_env"), self._env),
            "cd": self._cd,
            "pwd": self._folder,
            "run": self._run_file,
            "timeit": self._timeit,
            "pylab": self._pylab,
            "who_ls": self._own_names,
        }
        self._cell: dict[str, Callable[[str, str], Any]] = {
            **dict.fromkeys(("time", "prun"), self._run_cell),
            **dict.fromkeys(("writefile", "file"), self._write_file),
            **dict.fromkeys(("sx", "system", "!"), self._commands),
            **{name: partial(self._script, program) for name, program in _PROGRAMS.items()},
            "capture": self._capture,
            "timeit": self._timeit,
        }

    def run_line(self, name: str, line: str, *args: Any, **kwargs: Any) -> Any:
        """Do what `%name line` does to the notebook's names."""
        return self._line.get(name, _nothing)(line)

    def run_cell(self, name: str, line: str, cell: str) -> Any:
        """Do what a cell under `%%name line` does to the notebook's names."""
        return self._cell.get(name, _nothing)(line, cell)

    def system(self, command: str, *args: Any, **kwargs: Any) -> None:
        """Run `!command`."""
        self._names["_exit_code"] = self._shell(command, subprocess.DEVNULL).returncode

    def getoutput(self, command: str, split: bool = True, **kwargs: Any) -> Any:
        """Run `x = !command` and return its lines, or all of it in one text."""
        from IPython.utils.text import LSString, SList

        text = self._shell(command, subprocess.PIPE).stdout or ""
        return SList(text.splitlines()) if split else LSString(text)

    def _shell(self, command: str, out: int) -> subprocess.CompletedProcess:
        command = self._expanded(command)
        if _INSTALLERS.search(command):
            return subprocess.CompletedProcess(command, 0, "")
        return subprocess.run(
            command,
            shell=True,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )

    def _expanded(self, text: str) -> str:
        """Put the values of names in the places of {name} and $name."""
        from IPython.utils.text import DollarFormatter

        try:
            return DollarFormatter().vformat(text, (), self._names)
        except Exception:  # as IPython: a text that is no template stays as it is
            return text

    def _run_python(self, source: str) -> Any:
        self._count += 1
        return self._run(source, f"<magic {self._count}>")

    def _run_cell(self, line: str, cell: str) -> Any:
        return self._run_python(cell)

    def _command(self, name: str, line: str) -> None:
        self.system(f"{name} {line}")

    def _commands(self, line: str, cell: str) -> Any:
        return self.getoutput(f"{line}\n{cell}")

    def _folder(self, line: str) -> str:
        return str(Path.cwd())

    def _capture(self, line: str, cell: str) -> None:
        from IPython.utils.capture import CapturedIO

        name = next((word for word in line.split() if not word.startswith("-")), "")
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            self._run_python(cell)
        if name:
            self._names[name] = CapturedIO(out, err, [])

    def _timeit(self, line: str, cell: str = "") -> Any:
        """Run the code once where its time is asked for as a value; otherwise the magic defines nothing."""
        from IPython.core.magics.execution import TimeitResult

        options, statement = re.fullmatch(r"((?:\s*-\w+(?:\s+\d+)?)*)(.*)", line, re.DOTALL).groups()  # type: ignore[union-attr]
        if not any("o" in letters for letters in re.findall(r"-([a-z]+)", options)):
            return None
        seconds = timeit.timeit(cell or statement.strip(), globals=self._names, number=1)
        return TimeitResult(1, 1, seconds, seconds, [seconds], 0.0, 3)

    def _cd(self, line: str) -> None:
        with contextlib.suppress(OSError):
            os.chdir(Path(self._expanded(line).strip().strip("\"'") or "~").expanduser())

    def _env(self, line: str) -> Any:
        name, equals, value = self._expanded(line).strip().partition("=" if "=" in line else " ")
        if equals:
            os.environ[name.strip()] = value.strip()
            return None
        return os.environ.get(name) if name else dict(os.environ)

    def _run_file(self, line: str) -> None:
        path = next(word for word in shlex.split(self._expanded(line)) if not word.startswith("-"))
        found = runpy.run_path(path if Path(path).exists() else f"{path}.py", run_name="__main__")
        self._names.update({name: value for name, value in found.items() if not name.startswith("__")})

    def _pylab(self, line: str) -> None:
        from IPython.core.pylabtools import import_pylab

        import_pylab(self._names)

    def _own_names(self, line: str) -> list[str]:
        return sorted(name for name in self._names if not name.startswith("_") and name not in ("In", "Out"))

    def _write_file(self, line: str, cell: str) -> None:
        *options, name = shlex.split(self._expanded(line))
        with Path(name).expanduser().open("a" if {"-a", "--append"} & {*options} else "w", encoding="utf-8") as file:
            file.write(cell)

    def _script(self, program: str, line: str, cell: str) -> None:
        """Let a program read the cell; the names given with --out and --err get what it writes."""
        if _INSTALLERS.search(cell):
            return
        parser = argparse.ArgumentParser(exit_on_error=False, add_help=False)
        for option in ("--out", "--err", "--proc"):
            parser.add_argument(option)
        for option in ("--bg", "--no-raise-error"):
            parser.add_argument(option, action="store_true")
        options, command = parser.parse_known_args([*shlex.split(self._expanded(line)), *program.split()])
        done = subprocess.run(command, input=cell, capture_output=True, text=True, errors="replace", check=False)
        for name, text in ((options.out, done.stdout), (options.err, done.stderr)):
            if name:
                self._names[name] = text


def _nothing(*args: Any) -> None:
    pass
