"""Load the files of a lesson's exercises: `exercises/<id>.py`, and `oracles.py`, which they share.

The files are run from their text as modules of a package of their own, so that `from ..oracles import draw` means the
oracles of the same lesson, nothing is written beside them, and a changed file counts at once.
"""

import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from llmcourse.checking.criteria import Declarations

FOLDER, ORACLES = "exercises", "oracles.py"
_one_lesson_at_a_time = threading.RLock()  # the grader loads lessons from several threads


def exercise_files(folder: Path) -> list[Path]:
    """List the files of a lesson's exercises, sorted by name, and its oracles where it has them."""
    oracles = folder / ORACLES
    return [*sorted((folder / FOLDER).glob("[!_.]*.py")), *([oracles] if oracles.is_file() else [])]


def load_exercises(folder: Path, exercises: Iterable[str]) -> dict[str, Declarations]:
    """Run the files of some exercises of a lesson and return what they declare.

    Args:
        folder: of the lesson.
        exercises: their ids.

    Raises:
        ValueError: a file is missing, does not run, or holds no criterion.
    """
    package = f"llmcourse.lessons.{folder.name}"
    with _one_lesson_at_a_time:
        try:
            for name in (package, f"{package}.{FOLDER}"):
                sys.modules[name] = ModuleType(name)
            if (folder / ORACLES).is_file():
                _run(folder / ORACLES, f"{package}.{Path(ORACLES).stem}")
            return {id: _declarations(folder / FOLDER / f"{id}.py", f"{package}.{FOLDER}.{id}") for id in exercises}
        finally:  # a second lesson of this name, in another folder, must not find the files of the first
            for name in [name for name in sys.modules if name == package or name.startswith(f"{package}.")]:
                del sys.modules[name]


def _declarations(path: Path, name: str) -> Declarations:
    """Run the file of an exercise and collect what it declares."""
    previous, declared = Declarations.current, Declarations(path.stem)
    Declarations.current = declared
    try:
        _run(path, name)
    finally:
        Declarations.current = previous
    if not declared.criteria:
        raise ValueError(f"{path} must declare at least one criterion. Received: none.")
    return declared


def _run(path: Path, name: str) -> None:
    """Run a file as the module `name`."""
    module = ModuleType(name)
    module.__file__ = str(path)
    module.__package__ = name.rpartition(".")[0]
    sys.modules[name] = module
    try:
        exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), vars(module))
    except FileNotFoundError:
        raise ValueError(f"{path} is required. Received: no such file.") from None
    except Exception as error:
        raise ValueError(f"{path} must run without an error. Received: {type(error).__name__}: {error}") from error
