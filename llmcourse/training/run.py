"""The folder of a training run: what was asked for, how far it came, and what came out.

    config.json       what was asked for, and hashes of the data; another configuration and other data are refused
    checkpoint.npz    all numbers at some step, so that a killed run goes on
    history.csv       one row for each epoch
    scores.json       written last: a folder that has it holds a finished run

Nothing here knows what is being trained.
"""

import errno
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from llmcourse.files import write_atomically

CONFIG, CHECKPOINT, HISTORY, SCORES = "config.json", "checkpoint.npz", "history.csv", "scores.json"
FORMAT = 2  # of the folder; the first one had no number
DATA = "data_sha256"  # in config.json: a hash of each part of the data


class RunError(RuntimeError):
    """A run that cannot begin, go on or be read; the message says what was required and what was there."""


def hash_data(*parts: np.ndarray | Sequence[str]) -> str:
    """Hash data, so that a change of it is noticed.

    Args:
        parts: arrays of numbers, or sequences of texts.

    Returns:
        Sixteen hexadecimal digits, which differ for other values, another order or another type.

    Example:
        >>> hash_data(["one", "two"]) == hash_data(["two", "one"])
        False
    """
    found = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            found.update(f"{part.dtype} {part.shape}".encode())
            found.update(np.ascontiguousarray(part).data)
        else:
            found.update(json.dumps(list(part)).encode())
    return found.hexdigest()[:16]


def open_run(folder: Path, config: Mapping[str, Any]) -> bool:
    """Claim a folder for a run, or find the run of the same configuration that began in it.

    Args:
        folder: made where it is missing.
        config: what decides the outcome, as JSON can hold it; tuples become lists. Its entry `data_sha256`, if it has
            one, holds a hash of each part of the data by name.

    Returns:
        Whether the run in it is finished.

    Raises:
        RunError: the folder holds something else, a run of another configuration or with other data, or cannot be
            written.
    """
    wanted = json.loads(json.dumps({"format": FORMAT, **config}))
    if folder.exists() and not folder.is_dir():
        raise RunError(f"A folder is required. Received: the file {folder}.")
    if not (folder / CONFIG).exists():
        visible = sorted(path.name for path in folder.glob("*") if not path.name.startswith("."))
        if visible:
            raise RunError(
                f"An empty folder, or one with a run in it, is required. Received: {folder} with {visible[0]}"
                f"{f' and {len(visible) - 1} more' if visible[1:] else ''}. Choose another one with --out."
            )
        with writing(folder):
            write_atomically(folder / CONFIG, json.dumps(wanted, indent=2) + "\n")
        return False
    present = read_config(folder)
    require_format(folder, present)
    marks, recorded = wanted.pop(DATA, {}), present.pop(DATA, {})
    differences = list(_differences(wanted, present))
    if differences:
        raise RunError(
            f"{folder} holds another run. Required: {'; '.join(differences)}. Choose another folder with --out, "
            "or give the same settings to go on with that run."
        )
    require_same_data(folder, marks, recorded)
    return (folder / SCORES).exists()


def require_format(folder: Path, config: Mapping[str, Any]) -> None:
    """Make sure that this version of llmcourse wrote the folder of a run.

    Raises:
        RunError: another version did.
    """
    found = config.get("format", 0)
    if found != FORMAT:
        version = "an older" if isinstance(found, int) and found < FORMAT else "a newer"
        raise RunError(
            f"A run of this version of llmcourse (format {FORMAT}) is required. Received: {folder}, which {version} "
            "version made. Train anew in another folder, or use the version that made it."
        )


def require_same_data(folder: Path, marks: Mapping[str, str], recorded: Mapping[str, str]) -> None:
    """Make sure that the data are those that a run began with: else it would be tested with what it was trained with.

    Args:
        folder: of the run.
        marks: a hash of each part of the data, as they are now.
        recorded: the hashes in the folder.

    Raises:
        RunError: a part has changed.
    """
    changed = [name for name in sorted(marks.keys() | recorded.keys()) if marks.get(name) != recorded.get(name)]
    if changed:
        raise RunError(
            f"The data that the run in {folder} began with are required. Received: other data, which differ in "
            f"{' and in '.join(changed)}. Bring back the data as they were, or train anew in another folder."
        )


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Put what the file system refuses into words: a full disk, a folder without permission.

    Args:
        folder: of the run.

    Raises:
        RunError: in place of an OSError in the block; what was written before stays as it is.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno == errno.ENOSPC:
            raise RunError(
                f"Space on the disk is required. Received: {reason}, while writing to {folder}. What was saved before "
                "is kept: free some space, and the same command goes on from there."
            ) from None
        raise RunError(
            f"A folder that can be written to is required. Received: {folder}, {reason}. Choose another one with --out."
        ) from None


def read_config(folder: Path) -> dict[str, Any]:
    """Read what the run in a folder was asked to do.

    Raises:
        RunError: there is no run, or its file is damaged.
    """
    return _read_json(folder / CONFIG, "a folder that `llmcourse train` has made")


def read_task(folder: Path) -> str:
    """Read the name of the task of a run or of a model folder.

    Raises:
        RunError: there is neither, its file is damaged, or another version made it.
    """
    config = read_config(folder)
    if "card" not in config:  # a model folder has one, and a format of its own
        require_format(folder, config)
    return str(config.get("task"))


def read_scores(folder: Path) -> dict[str, Any]:
    """Read what came out of a finished run.

    Raises:
        RunError: there is no finished run, or its file is damaged.
    """
    return _read_json(folder / SCORES, "a finished run")


def finish_run(folder: Path, scores: Mapping[str, Any]) -> None:
    """Mark a run as finished, after everything else has been written.

    Args:
        folder: of the run.
        scores: what came out, as JSON can hold it.

    Raises:
        RunError: the folder cannot be written, or the disk is full.
    """
    with writing(folder):
        write_atomically(folder / SCORES, json.dumps(scores, indent=2) + "\n")


def _read_json(path: Path, required: str) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise RunError(f"Required: {required}. Received: {path.parent} without {path.name}.") from None
    except (ValueError, OSError) as error:
        raise RunError(f"Required: a readable {path.name}. Received: {path}, {type(error).__name__}.") from None


def _differences(wanted: Mapping[str, Any], present: Mapping[str, Any], prefix: str = "") -> Any:
    """Say each setting that differs, in words for the person who typed the command."""
    for name in sorted(wanted.keys() | present.keys()):
        asked, found = wanted.get(name, "nothing"), present.get(name, "nothing")
        if isinstance(asked, dict) and isinstance(found, dict):
            yield from _differences(asked, found, f"{prefix}{name}.")
        elif asked != found:
            yield f"{prefix}{name} {asked!r} (the folder has {found!r})"
