"""What a submission may take, and what is left of its time."""

import time
from dataclasses import dataclass

from llmcourse.checking.time_limit import PATIENCE

_COUNTERS_LAG = 0.02  # seconds: the system counts computing in ticks


@dataclass(frozen=True)
class Limits:
    """What one submission may take: seconds of computing for a cell and altogether, bytes of memory.

    By the clock it may take `PATIENCE` times as many seconds, since other programs may need the machine, too.
    """

    cell_seconds: float = 60.0
    seconds: float = 600.0
    memory: int = 4 * 2**30


class Budget:
    """Counts what is left of a submission's time, from the moment when its first worker stands ready."""

    def __init__(self, seconds: float):
        self._seconds, self.computing = seconds, seconds
        self._deadline = time.monotonic() + PATIENCE * seconds

    @property
    def by_clock(self) -> float:
        """Give the seconds left by the clock."""
        return self._deadline - time.monotonic()

    @property
    def over(self) -> bool:
        """Tell whether no time is left."""
        return self.computing <= _COUNTERS_LAG or self.by_clock <= 0

    def charge(self, seconds: float) -> None:
        """Take off what was used for computing."""
        self.computing -= seconds

    def __str__(self) -> str:
        if self.computing <= _COUNTERS_LAG:
            return f"the whole submission took more than {self._seconds:g} seconds of computing"
        return f"the whole submission took longer than {PATIENCE * self._seconds:g} seconds by the clock"
