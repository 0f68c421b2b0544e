"""Find the file that a reader names instead of a data set, or say at once why there is none."""

from collections.abc import Iterable
from pathlib import Path

from llmcourse.data.sentences import shorten
from llmcourse.data.store import DataError


def find_own_file(name: str | Path, known: Iterable[str], remedy: str) -> Path:
    """Return the path of a reader's own file, or say that `name` is neither a data set nor a file.

    Args:
        name: what the reader wrote.
        known: the names of the data sets that could have been meant.
        remedy: what the error advises where nothing better fits.

    Returns:
        The path, with "~" for the home folder resolved.

    Raises:
        DataError: there is no such file, or it is a folder.
    """
    required = f"{', '.join(map(repr, known))} or the path of a file"
    if not isinstance(name, str | Path) or not str(name):
        raise DataError("name", required, repr(name), remedy)
    try:
        path = Path(name).expanduser()
        is_folder, exists = path.is_dir(), path.exists()
    except (OSError, RuntimeError) as error:  # a name that is too long, or the home folder of nobody
        raise DataError("name", required, f"{shorten(str(name))}: {error.args[-1]}", remedy) from None
    if is_folder:
        raise DataError("name", required, f"{str(name)!r}, which is a folder", remedy)
    if not exists:
        advice = "look for a spelling mistake, and in which folder the program runs"
        raise DataError("name", required, f"{shorten(str(name))}, which does not exist", advice)
    return path
