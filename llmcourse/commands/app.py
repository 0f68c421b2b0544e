"""The command `llmcourse`: where it starts, and the end of every error.

typer reads the command line, but importing it takes longer than translating a sentence. So a plain `llmcourse translate
TEXT` is read here; typer reads everything else, that is also help and all that is wrong.
"""

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmcourse.commands.basics import write_any_letter

if TYPE_CHECKING:
    from llmcourse.commands.tree import COMMANDS, app

__all__ = ["COMMANDS", "app", "run"]


def __getattr__(name: str) -> Any:
    if name not in ("COMMANDS", "app"):
        raise AttributeError(f"module 'llmcourse.commands.app' has no attribute {name!r}")
    return getattr(import_module("llmcourse.commands.tree"), name)


def run() -> None:
    """Start the command; an error that names its cause is shown without a traceback."""
    write_any_letter()
    if sys.argv[1:2] in (["translate"], ["train"], ["evaluate"]):
        # The engine's products are small: on a busy machine two threads take five times the time. Before NumPy.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    options = read_translate(sys.argv[1:])
    try:
        if options is None:
            __getattr__("app")()
        else:
            from llmcourse.commands.translate import translate

            translate(**options)
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except BrokenPipeError:  # who read our output has gone, and Python would complain once more at the end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except MemoryError:
        _say("this takes more memory than there is. Take fewer or shorter lines at a time, or a smaller model or beam.")
        raise SystemExit(2) from None
    except (ValueError, OSError, RuntimeError) as error:
        _say(str(error))
        raise SystemExit(2) from None


def _say(text: str) -> None:
    from rich.markup import escape

    from llmcourse.commands.console import errors

    errors.print("[red]Error:[/] " + escape(text), soft_wrap=True)


def read_translate(words: Sequence[str]) -> dict[str, Any] | None:
    """Read `translate TEXT` and options that are written out, each with its value.

    Args:
        words: those after the name of the program.

    Returns:
        The arguments of `llmcourse.commands.translate.translate`, as typer would read them; None for anything else,
        such as another command, standard input, help or a mistake.
    """
    found: dict[str, Any] = {}
    rest = iter(words[1:])
    for word in rest:
        value = next(rest, "") if word.startswith("--") else word
        if word in ("--beam", "--n-best") and value.isascii() and value.isdigit() and len(value) < 9:
            found[word[2:].replace("-", "_")] = int(value)
        elif word == "--engine" and value in ("numpy", "keras"):
            found["engine"] = value
        elif word == "--model" and value and not value.startswith("-"):
            found["model"] = Path(value)
        elif value is word and not word.startswith("-") and "text" not in found:
            found["text"] = word
        else:
            return None
    return found if words[:1] == ["translate"] and "text" in found else None
