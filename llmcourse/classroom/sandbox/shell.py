"""A notebook's surroundings without IPython's machine: magics parse, and do nothing or run the Python they hold.

Part of the worker; the trusted side never calls this.
"""

import builtins
from typing import Any

from llmcourse.checking.host import Host, execute

_HOLD_PYTHON = ("time", "prun", "capture")  # what runs under these magics stays defined in the notebook


class Shell:
    """Stands for `get_ipython()`: every method and magic that could show something does nothing.

    Args:
        namespace: the notebook's names.
    """

    def __init__(self, namespace: dict[str, Any]):
        self.user_ns = namespace

    def run_line_magic(self, name: str, line: str, *rest: Any) -> None:
        """Do what `%name line` does to the notebook's names."""
        if name in _HOLD_PYTHON:
            execute(line, self.user_ns, f"<%{name}>")

    def run_cell_magic(self, name: str, line: str, cell: str) -> None:
        """Do what a cell under `%%name` does to the notebook's names."""
        if name in _HOLD_PYTHON:
            execute(cell, self.user_ns, f"<%%{name}>")

    def getoutput(self, *args: Any, **kwargs: Any) -> list[str]:
        """Answer `x = !command` with no lines."""
        return []

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **kwargs: None


class NotebookHost(Host):
    """Runs cells as a notebook would, with `display`, `get_ipython` and IPython's notation."""

    def __init__(self, namespace: dict[str, Any]):
        super().__init__(namespace)
        shell = Shell(namespace)
        builtins.get_ipython = lambda: shell  # type: ignore[attr-defined]
        builtins.display = lambda *args, **kwargs: None  # type: ignore[attr-defined]

    def execute(self, source: str, name: str) -> None:
        """Run a cell."""
        super().execute(to_python(source, name), name)


def to_python(source: str, name: str) -> str:
    """Translate IPython's notation in a cell that is not Python as it stands.

    Raises:
        SyntaxError: it is neither; the error is Python's own.
    """
    try:
        compile(source, name, "exec")
    except SyntaxError as error:
        from IPython.core.inputtransformer2 import TransformerManager  # takes a while, and few cells need it

        try:
            translated = TransformerManager().transform_cell(source)
            compile(translated, name, "exec")
        except SyntaxError:
            raise error from None
        return translated
    return source
