"""What code under check shares with the check: the libraries' functions and settings, random states, the folder.

Learners change these, on purpose or by a slip such as `np.random.seed = 42`. A check must not depend on that, and must
leave everything as it was. References to the libraries' functions are taken when this file is imported, which is before
learners' code runs.
"""

import os
import random
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from operator import is_
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

from llmcourse import settings

_LIBRARIES = (
    *("builtins", "copy", "functools", "itertools", "json", "math", "operator", "random", "statistics", "time"),
    *("numpy", "numpy.fft", "numpy.linalg", "numpy.random", "keras", "tensorflow"),
)
_PARTS = {  # of these large libraries, what lessons use
    "keras": ("config", "initializers", "layers", "losses", "metrics", "ops", "optimizers", "random", "utils"),
    "tensorflow": ("math", "nn", "random"),
}
_SHORT = {"builtins": "", "numpy": "np", "tensorflow": "tf"}
_OF_NOTEBOOKS = frozenset(("display", "exit", "get_ipython", "input", "open", "quit"))  # a kernel puts its own in place
_ABSENT = object()

_originals: dict[str, tuple[ModuleType, dict[str, Any]]] = {}
_overwritten: dict[str, None] = {}  # names found in this check, in the order in which they were found
_folder: str | None = None  # where this check began


def remember() -> None:
    """Take references to the public functions and constants of the libraries that are loaded by now."""
    for name in _LIBRARIES:
        _remember(name, sys.modules.get(name))


def _remember(name: str, module: Any) -> None:
    if name in _originals or type(module) is not ModuleType:
        return
    public = {key: value for key, value in vars(module).items() if not key.startswith("_")}
    kept = {key: value for key, value in public.items() if _stays(value) and key not in _OF_NOTEBOOKS}
    _originals[name] = (module, kept)
    for part in _PARTS.get(name, ()):
        _remember(f"{name}.{part}", kept.get(part))


def _stays(value: Any) -> bool:
    """Tell whether a library itself never exchanges a value: not so `time.tzname`, nor what TensorFlow loads late."""
    return type(value) in (ModuleType, float) or (callable(value) and not issubclass(type(value), ModuleType))


def put_originals() -> list[tuple[ModuleType, str, Any]]:
    """Undo assignments to the libraries' own names.

    Returns:
        For each the module, the name in it, and what was assigned.
    """
    found = []
    for library, (module, originals) in _originals.items():
        now = vars(module)
        if all(map(is_, map(now.get, originals), originals.values())):  # the usual case, in a fraction of the time
            continue
        for name, value in originals.items():
            if now.get(name, _ABSENT) is not value:
                found.append((module, name, now.get(name, _ABSENT)))
                setattr(module, name, value)
                first, *rest = library.split(".")
                _overwritten[".".join(filter(None, (_SHORT.get(first, first), *rest, name)))] = None
    return found


def prepare(namespace: Mapping[str, Any]) -> dict[str, list[str]]:
    """Make the surroundings those of the course, before each criterion.

    Args:
        namespace: the learner's names.

    Returns:
        `overwritten`: names of the libraries that were assigned to, such as "np.random.seed"; the originals are back.
        `hidden`: names of Python's own functions that the learner's functions use, and that stand for something else.
    """
    global _folder
    remember()
    put_originals()
    settings.write()
    if any(action == "error" for action, *_ in warnings.filters):
        warnings.simplefilter("default")
    with suppress(OSError):  # the folder is gone
        if _folder is None:
            _folder = os.getcwd()  # noqa: PTH109  (a text, also after the code under check changed pathlib)
        os.chdir(_folder)
    return {"overwritten": list(_overwritten), "hidden": _hidden_and_used(namespace)}


@contextmanager
def kept() -> Iterator[None]:
    """Put everything back that the block changes: functions, settings, random states of Python and NumPy, the folder.

    Inside, NumPy computes on one thread: on small matrices a second one brings nothing, and on a busy machine it can
    cost thirty times the time.
    """
    global _folder
    from threadpoolctl import threadpool_limits

    remember()
    _overwritten.clear()
    theirs = put_originals()
    _folder = None
    with suppress(OSError):
        _folder = os.getcwd()  # noqa: PTH109
    before = settings.read()
    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        with warnings.catch_warnings(), threadpool_limits(1, user_api="blas"):
            settings.write()
            yield
    finally:
        put_originals()
        random.setstate(python_state)
        np.random.set_state(numpy_state)  # noqa: NPY002
        settings.write(before)
        with suppress(OSError):
            os.chdir(_folder or ".")
        _folder = None
        for module, name, value in theirs:
            if value is _ABSENT:
                delattr(module, name)
            else:
                setattr(module, name, value)


def without_hidden(namespace: Mapping[str, Any]) -> dict[str, Any]:
    """Return the names but those that stand in the way of Python's own functions, such as `sum` after `sum = 0`."""
    return {name: value for name, value in namespace.items() if not _hides(name, value)}


def _hides(name: str, value: Any) -> bool:
    own = _originals["builtins"][1].get(name)
    return callable(own) and not callable(value) and name not in _OF_NOTEBOOKS


def _hidden_and_used(namespace: Mapping[str, Any]) -> list[str]:
    hidden = {name for name, value in namespace.items() if _hides(name, value)}
    if not hidden:
        return []
    used: set[str] = set()
    for value in list(namespace.values()):
        for function in (value, *(vars(value).values() if type(value) is type else ())):
            if type(function) is FunctionType and function.__globals__ is namespace:
                used |= _names(function.__code__)
    return sorted(hidden & used)


def _names(code: CodeType) -> set[str]:
    """List the global names and attributes in a function's code, also in functions inside it."""
    inner = [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return set(code.co_names).union(*map(_names, inner))


def describe(found: Any) -> tuple[str, str]:
    """Put what `prepare` found into words.

    Args:
        found: its value, which may come from a worker: anything that is no such value says nothing.

    Returns:
        A sentence on what was overwritten, and one on what is hidden; "" where there is nothing to say.
    """
    overwritten, hidden = (_plain_names(found, key) for key in ("overwritten", "hidden"))
    return (
        f"The notebook assigned to {overwritten}; the check used the original." if overwritten else "",
        f"In the notebook {hidden} is a value of its own, which hides Python's function." if hidden else "",
    )


def _plain_names(found: Any, key: str) -> str:
    names = found.get(key) if isinstance(found, dict) else None
    names = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
    names = [name for name in names if len(name) < 80 and all(part.isidentifier() for part in name.split("."))]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


remember()
