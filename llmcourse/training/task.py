"""What a task must say, so that the engine can train it: a Protocol, with answers that suit most tasks.

A task is a class that inherits from `Task`; one instance is one run. The engine asks in this order: `configure`,
`fingerprints`, `prepare`, `build_model`, then `batches`, `loss` and `validate` in each epoch, and at the end `save`,
`load`, `score`, `report` and `about`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from llmcourse.training.averaging import Averaging
from llmcourse.training.card import About, Report
from llmcourse.training.run import RunError, writing
from llmcourse.training.schedules import rise_and_fall

if TYPE_CHECKING:
    import keras

MOST_EPOCHS, MOST_MINUTES = 10_000, 60 * 24 * 30  # a month
SEEDS = 2**32
Tell = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """State how long a run trains and from which random numbers; the configuration of a task adds its own entries.

    A run by `epochs` gives the same weights every time; a run by `minutes` depends on how fast the machine is.

    Args:
        epochs: how often each sample is seen, or None.
        minutes: how long to train, measured by the clock, or None; one of the two is given.
        seed: for the first weights, the order of the batches and the dropout.

    Raises:
        ValueError: not exactly one of minutes and epochs, or a number out of range.
    """

    epochs: int | None = None
    minutes: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if (self.minutes is None) == (self.epochs is None):
            raise ValueError(
                "One of minutes and epochs is required, not both. "
                f"Received: minutes {self.minutes}, epochs {self.epochs}."
            )
        if self.minutes is not None and not 0 < self.minutes <= MOST_MINUTES:
            raise ValueError(f"minutes must be above 0 and at most {MOST_MINUTES:,}. Received: {self.minutes:g}.")
        if self.epochs is not None and not 1 <= self.epochs <= MOST_EPOCHS:
            raise ValueError(f"epochs must be from 1 to {MOST_EPOCHS:,}. Received: {self.epochs:,}.")
        if not 0 <= self.seed < SEEDS:
            raise ValueError(f"seed must be from 0 to 2**32 - 1. Received: {self.seed:,}.")


class Task(Protocol):
    """Say what is trained: the data, the model, its loss, how good it is, and what a reader should know."""

    name: ClassVar[str]
    unit: ClassVar[str] = "samples"
    """What the speed counts."""
    monitor: ClassVar[str] = "val_loss"
    """The entry of `validate` that chooses the weights."""
    mode: ClassVar[Literal["min", "max"]] = "min"
    """Whether the lowest or the highest value of the monitor is the best."""
    data_options: ClassVar[tuple[str, ...]] = ()
    """The options of `configure` that name the data; `evaluate` finds them in the folder of a run."""
    steps_per_call: ClassVar[int] = 1
    """How many steps TensorFlow takes in one call: more where a step takes a few milliseconds only."""
    dynamic_shapes: ClassVar[bool] = False
    """Whether one compiled step serves batches of all shapes; otherwise each shape is compiled."""
    jit_compile: ClassVar[bool] = False
    """Whether XLA compiles the steps, which pays where shapes are few and the network is deep."""
    packages: ClassVar[tuple[str, ...]] = ()
    """Packages whose versions the model card names, besides Keras, TensorFlow and NumPy."""
    averaging: Averaging = Averaging()

    config: RunConfig

    @classmethod
    def configure(cls, *args: Any, **options: Any) -> "Task":
        """Make the task from the options of `llmcourse train NAME`.

        Subclasses have keyword parameters here, each annotated as `Annotated[type, "help"]` and with a default: they
        become the options of the command.
        """
        raise NotImplementedError(f"{cls.__name__} has no options; make it with its own configuration.")

    def fingerprints(self) -> Mapping[str, str]:
        """Hash each part of the data by name, the test part too: a run goes on and is evaluated with the same only."""
        ...

    def prepare(self, folder: Path) -> None:
        """Make what training needs, or find it in the folder of a run that goes on; refuse what cannot be trained."""

    def save_inputs(self, folder: Path) -> None:
        """Write what `prepare` will find there when the run goes on."""

    def build_model(self) -> "keras.Model":
        """Build the network; its first weights come from Keras' seed, which the engine has set."""
        ...

    def build_optimizer(self) -> "keras.Optimizer":
        """Build the optimiser; its rate is set before each step."""
        import keras

        return keras.optimizers.Adam()

    def learning_rate(self, step: int, progress: float) -> float:
        """Compute the rate of a step, counted from 0, at a progress from 0 to 1."""
        return rise_and_fall(progress, peak=1e-3, warmup=0.1)

    @property
    def steps_per_epoch(self) -> int:
        """Count the batches of an epoch."""
        ...

    def batches(self, epoch: int, first: int) -> Iterator[Any]:
        """Yield the batches of an epoch, counted from 0, from the one with index `first` on.

        A batch is an array, or a tuple or dict of arrays. The batches are a function of the seed and the number of the
        epoch alone, so that a run that was killed finds those that are missing.
        """
        ...

    def count(self, batch: Any) -> int:
        """Count the units of a batch: by default the length of its first array."""
        while not hasattr(batch, "shape"):
            batch = next(iter(batch.values() if isinstance(batch, Mapping) else batch))
        return len(batch)

    def loss(self, model: "keras.Model", batch: Any) -> Mapping[str, Any]:
        """Compute "loss", which training makes small, from a batch of tensors, and any other scalars to be shown."""
        ...

    def validate(self, model: "keras.Model") -> Mapping[str, float]:
        """Measure a model on data that it is not trained with: the monitor, and others whose names begin with val_."""
        ...

    def save(self, model: "keras.Model", path: Path) -> Path:
        """Write a model completely or not at all, and return where it is: the path, perhaps with a suffix."""
        path = path.with_suffix(".keras")
        partial = path.with_name(f".partial.{path.name}")
        with writing(path.parent):
            try:
                model.save(partial)
                partial.replace(path)
            finally:
                partial.unlink(missing_ok=True)
        return path

    def load(self, path: Path) -> "keras.Model":
        """Read what `save` wrote, given the same path.

        Raises:
            RunError: there is no model, or its file is damaged.
        """
        import keras

        path = path.with_suffix(".keras")
        if not path.exists():
            raise RunError(f"A finished run is required. Received: {path.parent} without {path.name}.")
        try:
            return keras.models.load_model(path)
        except Exception as error:  # zipfile, h5py and Keras raise many unrelated types for a damaged file
            raise RunError(f"A whole model is required. Received: {path}, {type(error).__name__}: {error}") from None

    def score(self, model: "keras.Model", tell: Tell) -> Mapping[str, Any]:
        """Measure a model on the test data, as JSON can hold it.

        Args:
            model: from `load`.
            tell: called as tell(what, done, total) while it takes long.
        """
        ...

    @classmethod
    def report(cls, scores: Mapping[str, Any]) -> Report:
        """Lay out what `score` found for a reader."""
        numbers = {name: value for name, value in scores.items() if isinstance(value, int | float)}
        return Report(", ".join(f"{name} {value:.6g}" for name, value in numbers.items()))

    def about(self, scores: Mapping[str, Any]) -> About:
        """Say what a reader should know before using the model."""
        return About(title=self.name, summary="", data=", ".join(self.fingerprints()))

    def describe(self, model: "keras.Model", path: Path, scores: Mapping[str, Any], card: str) -> None:
        """Give a model that travels without its run its scores and its card."""

    def try_it(self, folder: Path) -> Sequence[str]:
        """List the words of a command that uses the model of a run; none where there is no such command."""
        return ()
