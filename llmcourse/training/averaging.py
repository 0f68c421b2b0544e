"""Averages of weights, and which weights a run chooses in the end.

Late in training the weights wander around a good place; their mean is often nearer to it than where they stop.
Source: Polyak & Juditsky (1992), Acceleration of Stochastic Approximation by Averaging; Izmailov et al. (2018),
Averaging Weights Leads to Wider Optima and Better Generalization.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

EVERY = 10  # steps: a hundredth of the cost, and no difference for an average over hundreds of steps


@dataclass(frozen=True)
class Averaging:
    """State which weights a run measures and chooses from.

    Without a number, the weights are measured after each epoch, and those of the best epoch are chosen.

    Args:
        steps: measure in their place, after each epoch, their mean over about so many steps; the best is chosen.
        epochs: choose between the last weights and the mean of those after the last so many epochs. No earlier epoch
            is chosen, for schedules whose rate falls to zero at a known end.

    Raises:
        ValueError: both are given, or a number is below 1.
    """

    steps: int | None = None
    epochs: int | None = None

    def __post_init__(self) -> None:
        numbers = [number for number in (self.steps, self.epochs) if number is not None]
        if len(numbers) > 1 or min(numbers, default=1) < 1:
            raise ValueError(
                f"One of steps and epochs, at least 1, or none is required. Received: {self.steps} and {self.epochs}."
            )

    def share_after_steps(self, steps: int, every: int) -> float:
        """Compute how much of the average stays when it moves after a number of steps, once in `every` steps.

        It moves fast at first, so that the random beginning is soon forgotten.
        """
        moves = steps // every
        return min(1 - every / max(every, self.steps or 0), moves / (moves + 9))

    def share_after_epoch(self, epoch: int, epochs: int) -> float:
        """Compute how much of the average stays after an epoch, counted from 1, of a run of so many epochs."""
        earlier = max(0, epoch - 1 - max(0, epochs - (self.epochs or 1)))  # epochs that are in the mean already
        return earlier / (earlier + 1)


def mix(old: Sequence[np.ndarray], new: Sequence[np.ndarray], share: float) -> list[np.ndarray]:
    """Compute share * old + (1 - share) * new for each pair of arrays of equal shapes, as new arrays."""
    return [one * share + other * (1 - share) for one, other in zip(old, new, strict=True)]
