"""Find a data file in the user's folder or download it once, and never hand out a file that was not checked.

Two environment variables say where files live:

    LLMCOURSE_DATA     a folder with copies of the data files; what lies there is used before anything is downloaded
    LLMCOURSE_CACHE    the folder that downloads are kept in; without it the user's cache folder of the system
"""

import errno
import hashlib
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CHUNK = 64 * 1024  # bytes read from the network at a time


class DataError(RuntimeError):
    """Say which data cannot be used, what was required, what was received and what to do about it.

    One class for every failure, so that a notebook or a command can catch it and show its text as it is.

    Args:
        name: name of the file, or of the argument that was wrong.
        required: what it had to be.
        received: what was found instead.
        remedy: what the user can do.
    """

    def __init__(self, name: str, required: str, received: str, remedy: str) -> None:
        super().__init__(name, required, received, remedy)  # all four, so that the error survives pickling
        self.name, self.required, self.received, self.remedy = name, required, received, remedy

    def __str__(self) -> str:
        return f"{self.name}: required {self.required}. Received: {self.received}.\nWhat to do: {self.remedy}."


@dataclass(frozen=True)
class DataFile:
    """Describe one file of a data set: its name, its address and the hash that proves it is the right one.

    Args:
        name: path relative to LLMCOURSE_DATA and to the cache, with "/" between folders.
        url: where it is downloaded from.
        sha256: hexadecimal SHA-256 of the file at `url`.
        exact_copy: whether a copy in LLMCOURSE_DATA must have that hash too. False for an archive that may have been
            packed differently and whose content the caller checks itself.
    """

    name: str
    url: str
    sha256: str
    exact_copy: bool = True

    @property
    def remedy(self) -> str:
        """Say how to get the file; this is the last line of every error about it."""
        folder = os.environ.get("LLMCOURSE_DATA")
        if folder:
            place = f"to {Path(folder) / self.name}"
        else:
            place = f"to a folder as {self.name} and set the environment variable LLMCOURSE_DATA to that folder"
        return f"go online and try again, or copy {self.url} {place}"


@dataclass(frozen=True)
class Patience:
    """Say how long a download may take before it fails, so that no notebook waits for ever.

    Args:
        timeout: seconds without a byte from the server before an attempt fails.
        attempts: how often a download is tried. A missing file (404) or a wrong hash is never tried again.
        pause: seconds before the second attempt; each further pause is twice as long.
        limit: seconds for all attempts together, looked at after each 64 KiB and before each new attempt.
    """

    timeout: float = 20.0
    attempts: int = 3
    pause: float = 1.0
    limit: float = 900.0


PATIENCE = Patience()


def locate(name: str) -> Path | None:
    """Find a file in the folder that LLMCOURSE_DATA names.

    A user's own copy wins over every download: it needs no network and is the same for a whole class.

    Args:
        name: path relative to the folder.

    Returns:
        The path, or None where the variable is not set or the folder does not hold the file.

    Raises:
        DataError: the variable is set, but not to a folder.
    """
    setting = os.environ.get("LLMCOURSE_DATA")
    if not setting:
        return None
    folder = Path(setting).expanduser()
    if not folder.is_dir():
        received = f"{setting}, which {'is a file' if folder.exists() else 'does not exist'}"
        remedy = f"set LLMCOURSE_DATA to the folder that holds {name}, or unset it to download the file"
        raise DataError(name, "the environment variable LLMCOURSE_DATA to name a folder", received, remedy)
    return folder / name if (folder / name).exists() else None


def cache_folder() -> Path:
    """Name the folder that downloads are kept in: LLMCOURSE_CACHE, or the user's cache folder of the system.

    Raises:
        DataError: there is neither.
    """
    setting = os.environ.get("LLMCOURSE_CACHE")
    if setting:
        return Path(setting).expanduser()
    import pooch  # here and below: loaded only where it is needed, so that importing llmcourse.data stays cheap

    folder = Path(pooch.os_cache("llmcourse"))
    if not folder.is_absolute():  # "~" stays where the system knows no home folder, and would be made where we stand
        remedy = "set the environment variable LLMCOURSE_CACHE to a folder that you may write to"
        raise DataError("a download", "a folder to keep it in", "a user without a home folder", remedy)
    return folder


def fetch(file: DataFile, patience: Patience = PATIENCE) -> Path:
    """Return the path of a data file: the user's copy, the copy downloaded earlier, or a new download.

    The hash is checked on every call, so a file that was damaged after its download is found too; it is removed
    from the cache and downloaded again. A file in the user's own folder is never removed.

    Args:
        file: which file.
        patience: how long a download may take.

    Returns:
        Path of a file with the right hash (or of the user's repacked copy, see `DataFile.exact_copy`).

    Raises:
        DataError: no right copy could be had. Nothing wrong is left in the cache.
    """
    try:
        local = locate(file.name)
        if local is not None:
            if file.exact_copy:
                check_hash(local, file)
            return local
        cached = cache_folder() / file.name
        if cached.is_file():
            if hash_file(cached) == file.sha256:
                return cached
            cached.unlink(missing_ok=True)  # missing_ok: another process may have been quicker
        return _download(file, patience)
    except OSError as error:
        raise _disk_error(file, error) from None  # from None, here and below: the text already names the cause


def hash_file(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file, read in pieces so that its size does not matter."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def check_hash(path: Path, file: DataFile) -> None:
    """Raise DataError unless the file at `path` has the hash of `file`, saying what is there instead."""
    received = hash_file(path)
    if received != file.sha256:
        with path.open("rb") as stream:
            start = stream.read(16)
        # A page that asks for a sign-in answers every address with HTML, and with status 200.
        page = ", which look like a web page" if start.lstrip().startswith(b"<") else ""
        received = f"{path.stat().st_size:,} bytes with SHA-256 {received}{page}"
        raise DataError(file.name, f"SHA-256 {file.sha256}", received, file.remedy)


def _download(file: DataFile, patience: Patience) -> Path:
    """Download into the cache with pooch, which writes to a temporary name and renames when the hash is right."""
    import pooch
    import requests

    deadline = time.monotonic() + patience.limit
    folder = cache_folder()
    # Made here, because pooch fails where another process makes the same folder at the same time.
    (folder / file.name).parent.mkdir(parents=True, exist_ok=True)

    def stream(url: str, output: str, _: object) -> None:
        _stream(file, Path(output), patience, deadline)

    for attempt in range(1, patience.attempts + 1):
        try:
            with _quiet(pooch.get_logger()):
                return Path(pooch.retrieve(file.url, file.sha256, fname=file.name, path=folder, downloader=stream))
        except requests.RequestException as error:
            pause = patience.pause * 2 ** (attempt - 1)
            late = time.monotonic() + pause > deadline
            if attempt == patience.attempts or late or not _is_worth_another_attempt(error):
                received = f"{_describe(error, patience)} (attempt {attempt} of {patience.attempts})"
                raise DataError(file.name, f"a download from {file.url}", received, file.remedy) from None
            time.sleep(pause)
    raise ValueError(f"Patience.attempts must be at least 1. Received: {patience.attempts}")


def _stream(file: DataFile, output: Path, patience: Patience, deadline: float) -> None:
    """Write what the server sends to `output` and check it; a terminal shows a progress bar, a notebook one line."""
    import requests
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

    console = Console(stderr=True)
    console.print(f"Downloading {file.name} to {cache_folder()}", soft_wrap=True, highlight=False, markup=False)
    columns = (BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with (
        # identity: with a compressed transfer the length that the server announces is not the length of the file.
        requests.get(file.url, stream=True, timeout=patience.timeout, headers={"Accept-Encoding": "identity"}) as reply,
        output.open("wb") as target,
        Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress,
    ):
        reply.raise_for_status()
        length = reply.headers.get("Content-Length", "")
        task = progress.add_task(file.name, total=int(length) if length.isdecimal() else None)
        for chunk in reply.iter_content(CHUNK):
            target.write(chunk)
            progress.advance(task, len(chunk))
            if time.monotonic() > deadline:
                received = f"{target.tell():,} bytes in that time"
                raise DataError(file.name, f"a download within {patience.limit:g} s", received, file.remedy)
    check_hash(output, file)
    output.chmod(0o644)  # temporary files are private, but a cache may serve a whole class


@contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    """Silence pooch's own report on stderr, which tells a learner nothing that `_stream` does not say."""
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


def _is_worth_another_attempt(error: Exception) -> bool:
    """Tell a passing trouble (no connection, a cut one, an overloaded server) from one that stays, such as 404."""
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return error.response.status_code == 429 or error.response.status_code >= 500
    return isinstance(error, requests.ConnectionError | requests.Timeout | requests.exceptions.ChunkedEncodingError)


def _describe(error: Exception, patience: Patience) -> str:
    """Put a failed request into words, without the addresses of objects that the libraries put into theirs."""
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"HTTP status {error.response.status_code} ({error.response.reason})"
    if isinstance(error, requests.Timeout) or "timed out" in str(error):
        return f"no answer within {patience.timeout:g} s"
    cause: BaseException = error
    while cause.__cause__ or cause.__context__:  # the first error of the chain is the one of the system
        cause = cause.__cause__ or cause.__context__ or cause
    return f"{'a connection that was cut: ' if 'broken' in str(error) else 'no connection: '}{cause}"


def _disk_error(file: DataFile, error: OSError) -> DataError:
    """Say what the file system refused."""
    if error.errno == errno.ENOSPC:
        remedy = "free some space, or set the environment variable LLMCOURSE_CACHE to a folder on a larger disk"
        return DataError(file.name, f"space for the file in {cache_folder()}", f"{error.strerror}", remedy)
    remedy = f"set the environment variable LLMCOURSE_CACHE to a folder you may write to, or {file.remedy}"
    return DataError(file.name, "a file and a folder that can be read and written", f"{error}", remedy)
