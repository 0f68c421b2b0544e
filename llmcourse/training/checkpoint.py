"""Everything that the rest of a run depends on, in one file, and the measurements so far as a table for people."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from llmcourse.files import write_atomically
from llmcourse.training.run import CHECKPOINT, HISTORY, RunError, writing

_HISTORY_KEY, _METER_KEY = "history", "meter"


@dataclass(frozen=True)
class Checkpoint:
    """Hold everything that the rest of a run depends on, after an epoch or within one.

    Random numbers need no place here when each epoch draws its own from the seed and its number.

    Args:
        arrays: all changing numbers by name, such as weights, statistics and the optimiser's moments.
        history: one row of measurements for each finished epoch.
        meter: what was counted since the last whole epoch.
    """

    arrays: Mapping[str, np.ndarray]
    history: Sequence[Mapping[str, float]] = field(default_factory=tuple)
    meter: Mapping[str, float] = field(default_factory=dict)

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


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Replace the checkpoint of a run and its history in one step each; whoever is killed here loses neither.

    Args:
        folder: of the run.
        checkpoint: the new state.

    Raises:
        RunError: the folder cannot be written, or the disk is full.
    """
    stream = io.BytesIO()
    facts = {_HISTORY_KEY: list(checkpoint.history), _METER_KEY: dict(checkpoint.meter)}
    texts = {name: np.array(json.dumps(fact)) for name, fact in facts.items()}
    np.savez(stream, **texts, **checkpoint.arrays)  # type: ignore[arg-type]
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
        history, meter = (json.loads(str(arrays.pop(name))) for name in (_HISTORY_KEY, _METER_KEY))
        return Checkpoint(arrays, history, meter)
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
