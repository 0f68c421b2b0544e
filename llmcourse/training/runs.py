"""The folder of a training run: what was asked for, how far it came, and what came out.

    config.json       what was asked for; another configuration is refused
    checkpoint.npz    all numbers after the last whole epoch (or since then), so that a killed run goes on
    history.csv       one row for each epoch
    scores.json       written last: a folder that has it holds a finished run

Nothing here knows what is being trained.
"""

import csv
import errno
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from llmcourse.files import write_atomically

CONFIG, CHECKPOINT, HISTORY, SCORES = "config.json", "checkpoint.npz", "history.csv", "scores.json"
_HISTORY_KEY = "history"


class RunError(RuntimeError):
    """A run that cannot begin, go on or be read; the message says what was required and what was there."""


@dataclass(frozen=True)
class Checkpoint:
    """Hold everything that the rest of a run depends on, after an epoch or within one.

    Random numbers need no place here when each epoch draws its own from the seed and its number.

    Args:
        arrays: all changing numbers by name, such as weights, statistics and the optimiser's moments.
        history: one row of measurements for each finished epoch.
    """

    arrays: Mapping[str, np.ndarray]
    history: Sequence[Mapping[str, float]] = field(default_factory=tuple)

    @property
    def epoch(self) -> int:
        """Count the finished epochs."""
        return len(self.history)

    def numbered(self, prefix: str) -> list[np.ndarray]:
        """List the arrays that `numbered` gave names with this prefix, in their order."""
        return [self.arrays[name] for name in sorted(self.arrays) if name.startswith(f"{prefix}/")]


def numbered(prefix: str, arrays: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Give the arrays of a list names for a checkpoint.

    Args:
        prefix: what they are, such as "average".
        arrays: at most 1,000, of any shapes.

    Returns:
        The arrays by name, "average/000", "average/001" and so on.
    """
    return {f"{prefix}/{index:03d}": array for index, array in enumerate(arrays)}


def open_run(folder: Path, config: Mapping[str, Any]) -> bool:
    """Claim a folder for a run, or find the run of the same configuration that began in it.

    Args:
        folder: made where it is missing.
        config: what decides the outcome, as JSON can hold it; tuples become lists.

    Returns:
        Whether the run in it is finished.

    Raises:
        RunError: the folder holds something else or a run of another configuration, or cannot be written.
    """
    wanted = json.loads(json.dumps(config))
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
    differences = list(_differences(wanted, present))
    if differences:
        raise RunError(
            f"{folder} holds another run. Required: {'; '.join(differences)}. Choose another folder with --out, "
            "or give the same settings to go on with that run."
        )
    return (folder / SCORES).exists()


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


def read_scores(folder: Path) -> dict[str, Any]:
    """Read what came out of a finished run.

    Raises:
        RunError: there is no finished run, or its file is damaged.
    """
    return _read_json(folder / SCORES, "a finished run")


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Replace the checkpoint of a run and its history in one step each; whoever is killed here loses neither.

    Args:
        folder: of the run.
        checkpoint: the new state.

    Raises:
        RunError: the folder cannot be written, or the disk is full.
    """
    stream = io.BytesIO()
    history = np.array(json.dumps(list(checkpoint.history)))
    np.savez(stream, **{_HISTORY_KEY: history}, **checkpoint.arrays)  # type: ignore[arg-type]
    with writing(folder):
        write_atomically(folder / CHECKPOINT, stream.getvalue())
        _write_history(folder, checkpoint.history)


def load_checkpoint(folder: Path) -> Checkpoint | None:
    """Read the last checkpoint of a run; pickled objects are refused, so no code in a file can run.

    Returns:
        The last state that was saved, or None before the first one.

    Raises:
        RunError: the file is damaged.
    """
    path = folder / CHECKPOINT
    if not path.exists():
        return None
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        return Checkpoint(arrays, json.loads(str(arrays.pop(_HISTORY_KEY))))
    except Exception as error:  # zipfile, zlib, json and NumPy raise many unrelated types for a damaged file
        raise RunError(
            f"A whole checkpoint is required. Received: {path}, {type(error).__name__}. Delete that file to start anew."
        ) from None


def _write_history(folder: Path, history: Sequence[Mapping[str, float]]) -> None:
    """Write the measurements as a table that people and spreadsheets can read."""
    if not history:
        return
    stream = io.StringIO()
    table = csv.DictWriter(stream, fieldnames=list(history[0]), lineterminator="\n")
    table.writeheader()
    table.writerows({name: f"{value:.6g}" for name, value in row.items()} for row in history)
    write_atomically(folder / HISTORY, stream.getvalue())


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
