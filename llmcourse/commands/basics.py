"""What commands share and what needs no library: streams that take every letter, bounds of numbers, numbers in words.

It is apart from `console`, so that a command that draws nothing does not wait for what draws.
"""

import os
import sys


def write_any_letter() -> None:
    """Let both streams take every letter: in UTF-8, or with ? for what PYTHONIOENCODING's encoding does not have.

    A translation is worth nothing in ASCII, which is what some containers and old terminals declare by default.
    """
    encoding = None if os.environ.get("PYTHONIOENCODING", "").split(":")[0] else "utf-8"
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a stream in its place, such as a test's, may not have it
            stream.reconfigure(encoding=encoding, errors="replace")


def require_within(option: str, value: float | None, lowest: float, highest: float, why: str = "") -> None:
    """Refuse a number out of bounds, also one that is none; None is an option that was not given.

    Raises:
        ValueError: names the option, its bounds and what was received.
    """
    if value is not None and not lowest <= value <= highest:
        reason = f" ({why})" if why else ""
        raise ValueError(f"{option} must be from {lowest:,g} to {highest:,g}{reason}. Received: {value}.")


def count(number: int, word: str) -> str:
    """Say a number with its noun."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
