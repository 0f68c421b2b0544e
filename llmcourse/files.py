"""Files that are complete or absent."""

import os
from pathlib import Path


def write_atomically(path: Path, content: str | bytes) -> Path:
    """Write a file under a temporary name beside it and rename it, so that nobody ever reads half of it.

    Args:
        path: the file; missing folders above it are made.
        content: text (written as UTF-8) or bytes.

    Returns:
        The path.

    Raises:
        OSError: the place cannot be written; the file is then as it was before.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path
