"""The secret seed of a class: drawn once, kept in a file that only its owner can read, never on a command line."""

import os
import secrets
import shlex
import stat
from pathlib import Path


def class_seed(path: Path) -> str:
    """Read the seed of a class, or draw it and make the file.

    With the same file the same submission always gets the same questions.

    Args:
        path: the seed file.

    Returns:
        64 hexadecimal digits.

    Raises:
        PermissionError: others may read the file.
        ValueError: the file holds something else.
        OSError: it cannot be read or made.
    """
    try:
        with path.open(encoding="ascii", errors="replace") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            seed = file.read(200).strip()
    except FileNotFoundError:
        return _draw(path)
    if mode & 0o077:
        raise PermissionError(
            f"A seed file that only you can read is required. Received: {path}, mode {mode:03o}. "
            f"Run: chmod 600 {shlex.quote(str(path))}"
        )
    if len(seed) != 64 or set(seed) - set("0123456789abcdef"):
        raise ValueError(
            f"A seed file holds 64 hexadecimal digits; remove it to draw a new seed. Received: {path} with other text."
        )
    return seed


def _draw(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    seed = secrets.token_hex(32)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        with open(temporary, "x", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(seed + "\n")
        try:
            os.link(temporary, path)  # fails where another run made the file meanwhile; that one counts
        except FileExistsError:
            return class_seed(path)
    finally:
        temporary.unlink(missing_ok=True)
    return seed
