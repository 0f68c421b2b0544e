"""What a run on digits does, in numbers: the recipes by name, each chosen on digits held out from training."""

from dataclasses import dataclass, field
from typing import Literal

from llmcourse.tasks.digits.augmentation import Deformation
from llmcourse.training.task import RunConfig

DataSize = Literal["small", "full"]
RecipeName = Literal["fast", "best"]
HELD_OUT = {"small": 500, "full": 5_000}  # the last training digits: never trained on, they choose recipe and weights


@dataclass(frozen=True)
class Recipe:
    """State how a network is built and trained.

    Args:
        filters: of each block of `build_small_cnn`.
        strides: of each block.
        dropout: share of the last features set to zero in training.
        batch_size: digits in a step.
        peak_rate: the highest learning rate of Adam, reached after the share `warmup` of all steps.
        warmup: share of the steps in which the rate rises.
        label_smoothing: probability that is taken from the true class and given to all classes alike.
        shift: how many pixels a digit may move in training, where there is no deformation.
        deformation: how far a digit may be bent in training; None only moves it, at a fiftieth of the cost.
        averaged_epochs: over how many epochs at the end the weights are averaged; 1 keeps the last ones.
    """

    filters: tuple[int, ...] = (16, 32, 64)
    strides: tuple[int, ...] = (2, 2, 2)
    dropout: float = 0.0
    batch_size: int = 128
    peak_rate: float = 0.01
    warmup: float = 0.2
    label_smoothing: float = 0.05
    shift: int = 1
    deformation: Deformation | None = None
    averaged_epochs: int = 1

    def __post_init__(self) -> None:
        counts = (self.batch_size, self.averaged_epochs)
        if min(counts) < 1:
            raise ValueError(f"batch_size and averaged_epochs must be 1 or more. Received: {counts}.")


@dataclass(frozen=True, kw_only=True)
class DigitsConfig(RunConfig):
    """State everything that decides which weights come out of a run.

    Args:
        data: which digits, "small" or "full".
        recipe: its name.
        settings: the numbers of the recipe.
    """

    data: str = "small"
    recipe: str = "fast"
    settings: Recipe = field(default_factory=Recipe)


# With 3,500 digits the network would learn each by heart, so they are bent further than 55,000 need to be.
FEW_DIGITS = Deformation(rotation=12, stretch=0.12, slant=0.12, shift=2, wobble=1.5)
BEST_OF_FULL = Recipe(
    filters=(32, 64, 64, 64, 128),
    strides=(2, 1, 2, 1, 2),
    dropout=0.3,
    warmup=0.2,
    label_smoothing=0.1,
    averaged_epochs=4,
    deformation=Deformation(),
)
BEST_OF_SMALL = Recipe(batch_size=64, warmup=0.3, label_smoothing=0.1, averaged_epochs=3, deformation=FEW_DIGITS)
RECIPES: dict[tuple[str, str], tuple[Recipe, int]] = {  # and how many epochs
    ("full", "fast"): (Recipe(), 7),
    ("full", "best"): (BEST_OF_FULL, 40),
    ("small", "fast"): (Recipe(batch_size=64, deformation=FEW_DIGITS), 15),
    ("small", "best"): (BEST_OF_SMALL, 50),
}
