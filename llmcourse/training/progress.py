"""What a run counts while it goes on, and what it tells about that: how far, how fast, how long still."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

COUNTS = ("steps", "units", "seconds", "cpu_seconds")


@dataclass(frozen=True)
class Progress:
    """Say how far a run is.

    Args:
        share: from 0 to 1.
        epoch: the current epoch, from 1, or the one that has just ended.
        epochs: of the whole run, or None where the clock ends it.
        means: what the loss of the task returned, over the last steps.
        speed: units in a second, over the last steps.
        unit: what the speed counts.
        seconds_left: an estimate from the time that the run has taken so far, or None.
        validation: what was measured after the last whole epoch; empty before.
        epoch_ended: whether an epoch has just ended.
    """

    share: float
    epoch: int
    epochs: int | None
    means: Mapping[str, float]
    speed: float
    unit: str
    seconds_left: float | None
    validation: Mapping[str, float]
    epoch_ended: bool


OnProgress = Callable[[Progress], object]


@dataclass
class Meter:
    """Count within an epoch, or since the last report.

    Args:
        totals: steps, units, seconds of both clocks, and the sums over the steps of what the loss returned.
    """

    totals: dict[str, float] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0.0))

    @property
    def steps(self) -> int:
        """Count the steps."""
        return int(self.totals["steps"])

    @property
    def means(self) -> dict[str, float]:
        """Compute the means over the steps of what the loss returned."""
        return {name: total / self.steps for name, total in self.totals.items() if name not in COUNTS}

    @property
    def speed(self) -> float:
        """Compute the units in a second."""
        return self.totals["units"] / max(self.totals["seconds"], 1e-9)

    def add(self, amounts: Mapping[str, float]) -> None:
        """Add to the totals."""
        for name, amount in amounts.items():
            self.totals[name] = self.totals.get(name, 0.0) + amount


class Clock:
    """Measure the time between two moments, by the clock and of the processor."""

    def __init__(self) -> None:
        self.lap()

    def lap(self) -> dict[str, float]:
        """Return the seconds since the last call, and begin anew."""
        before = getattr(self, "_marks", (0.0, 0.0))
        self._marks = (time.perf_counter(), time.process_time())
        return {"seconds": self._marks[0] - before[0], "cpu_seconds": self._marks[1] - before[1]}
