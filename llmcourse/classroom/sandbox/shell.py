"""A notebook's surroundings in the worker: cells run as IPython runs them, and `get_ipython()` has an answer.

Part of the worker; the trusted side never calls this.
"""

import __future__

import ast
import asyncio
import builtins
import inspect
import linecache
import re
from types import CodeType
from typing import Any

from llmcourse.checking.host import Host
from llmcourse.classroom.sandbox.magics import LINE_MAGICS, Magics

_FUTURE = [getattr(__future__, name).compiler_flag for name in __future__.all_feature_names]
# One line that begins with a magic's name, as in `pwd` or `ls -l`, and assigns nothing to it.
_AUTOMAGIC = re.compile(r"(\w+)(?:[ \t]+(?![=,:]).*)?")


class Idle:
    """Takes any call and has any attribute, and does nothing."""

    def __getattr__(self, name: str) -> "Idle":
        if name.startswith("__"):
            raise AttributeError(name)
        return Idle()

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing."""


class Shell(Idle):
    """Stands for `get_ipython()`: runs cells, with top-level `await`, `_`, `In` and `Out`; the rest does nothing.

    Args:
        namespace: the notebook's names.
    """

    def __init__(self, namespace: dict[str, Any]):
        self.user_ns, self.config, self.execution_count = namespace, {}, 0  # type: ignore[var-annotated]
        self._flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        self._loop: asyncio.AbstractEventLoop | None = None
        self._magics = Magics(namespace, self.run)
        self._last: Any = ""
        self._inputs, self._outputs = [""], {}  # type: ignore[var-annotated]
        namespace.update(In=self._inputs, Out=self._outputs, _="", __="", ___="")
        self.run_line_magic = self._magics.run_line
        self.run_cell_magic = self._magics.run_cell
        self.system, self.getoutput = self._magics.system, self._magics.getoutput

    def run_notebook_cell(self, source: str, name: str) -> None:
        """Run a cell and remember its value, as a notebook does."""
        self.execution_count += 1
        self._inputs.append(source)
        self._remember(self.run(source, name))

    def run(self, source: str, name: str) -> Any:
        """Run a cell, or what stands under a magic.

        Args:
            source: Python with IPython's notation.
            name: stands for its file, so that errors can quote the line.

        Returns:
            The value of its last line, None where that is no expression or ends with a semicolon.
        """
        python, tree = self._parse(source, name)
        shown = source if source.count("\n") == python.count("\n") else python
        linecache.cache[name] = (len(shown), None, shown.splitlines(keepends=True), name)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        self._evaluate(self._compile(tree, name, "exec"))
        if last is None:
            return None
        value = self._evaluate(self._compile(ast.Expression(last.value), name, "eval"))  # type: ignore[attr-defined]
        return None if python.rstrip().endswith(";") else value

    def magic(self, line: str) -> Any:
        """Run a line magic that is given as one text."""
        name, _, rest = line.lstrip("%").partition(" ")
        return self.run_line_magic(name, rest)

    def run_cell(self, raw_cell: str, *args: Any, **kwargs: Any) -> Idle:
        """Run a cell."""
        self.run(raw_cell, f"<cell in cell {self.execution_count}>")
        return Idle()

    def ex(self, command: str) -> None:
        """Run a statement."""
        exec(command, self.user_ns)

    def ev(self, expression: str) -> Any:
        """Evaluate an expression."""
        return eval(expression, self.user_ns)

    def push(self, names: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        """Define names."""
        self.user_ns.update(names)

    def _parse(self, source: str, name: str) -> tuple[str, ast.Module]:
        """Parse a cell; IPython's notation is translated first in one that is not Python as it stands.

        Raises:
            SyntaxError: it is neither; the error is Python's own.
        """
        magic = _AUTOMAGIC.fullmatch(source.strip())
        if magic and magic[1] in LINE_MAGICS and magic[1] not in self.user_ns and not hasattr(builtins, magic[1]):
            source = f"%{source.strip()}\n"
        flags = self._flags | ast.PyCF_ONLY_AST
        try:
            return source, compile(source, name, "exec", flags, dont_inherit=True)
        except SyntaxError:
            from IPython.core.inputtransformer2 import TransformerManager  # few cells need it

            python = TransformerManager().transform_cell(source)
            return python, compile(python, name, "exec", flags, dont_inherit=True)

    def _compile(self, tree: Any, name: str, mode: str) -> CodeType:
        code = compile(tree, name, mode, self._flags, dont_inherit=True)
        self._flags |= sum(flag for flag in _FUTURE if code.co_flags & flag and not self._flags & flag)
        return code

    def _evaluate(self, code: CodeType) -> Any:
        value = eval(code, self.user_ns)
        if not code.co_flags & inspect.CO_COROUTINE:
            return value
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self._loop)
        return self._loop.run_until_complete(value)

    def _remember(self, value: Any) -> None:
        if value is None:
            return
        names = self.user_ns
        self._outputs[self.execution_count] = names[f"_{self.execution_count}"] = value
        if names.get("_") is self._last:  # otherwise the learner uses the name for something else
            names["___"], names["__"], names["_"] = names.get("__"), self._last, value
            self._last = value


class NotebookHost(Host):
    """Runs cells as a notebook would, with `display`, `get_ipython` and IPython's notation."""

    def __init__(self, namespace: dict[str, Any]):
        super().__init__(namespace)
        self._shell = Shell(namespace)
        _install(self._shell)

    def execute(self, source: str, name: str) -> None:
        """Run a cell."""
        self._shell.run_notebook_cell(source, name)


def _install(shell: Shell) -> None:
    """Let everyone who asks for the shell, or displays something, find this one."""
    import IPython
    import IPython.display
    from IPython.core import display_functions, getipython

    def display(*args: Any, display_id: Any = None, **kwargs: Any) -> Idle | None:
        return Idle() if display_id else None

    for place in (builtins, IPython, getipython):
        place.get_ipython = lambda: shell  # type: ignore[attr-defined]
    for place in (builtins, IPython.display, display_functions):
        place.display = display  # type: ignore[attr-defined]
