"""Train a Transformer that translates, in a folder that a killed run goes on from.

config = translation_config("phrases", "zh", minutes=3)
scores = train_translation(config, Path("runs/phrases"))
"""

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmcourse.data import load_pairs
from llmcourse.data.parallel import SentencePairs
from llmcourse.data.tokenizer import SMALLEST, Tokenizer
from llmcourse.models.limits import SourceLimits
from llmcourse.models.saved import INSIDE_RUN, Storage, load_translator, save_translator
from llmcourse.training import runs
from llmcourse.training.batching import BucketedBatches
from llmcourse.training.loop import TrainingDivergedError, require_tensorflow
from llmcourse.training.translation_loop import Moment, fit
from llmcourse.training.translation_report import model_card, write_curves
from llmcourse.training.translation_scores import Measuring, score_splits, validate

if TYPE_CHECKING:
    from llmcourse.models.translator import Transformer

__all__ = ["Recipe", "TrainingDivergedError", "TranslationConfig", "train_translation", "translation_config"]

TASK = "translation"
TOKENIZER = "tokenizer.json"
LAST_GOOD = "last_good"
STEPS_PER_EPOCH, SMALLEST_BATCH = 100, 256  # little data get smaller batches, in tokens, so that an epoch has steps


@dataclass(frozen=True)
class Recipe:
    """State how a translator is built and trained.

    Args:
        vocab_size: tokens of the joint vocabulary of both languages.
        num_layers: of the encoder, and as many of the decoder.
        d_model: width of the model.
        num_heads: attention heads.
        d_ff: hidden units of the feed-forward sub-layers.
        dropout: share of entries that training sets to zero.
        label_smoothing: probability that is taken from the true token and given to all alike.
        peak_rate: the highest learning rate of Adam.
        warmup: share of the run in which the rate rises; it falls in the rest.
        batch_tokens: about how many target positions a batch has, fewer where an epoch would have few steps.
        max_length: tokens of the longest sentence, END included; longer pairs are not trained with.
        average_steps: over about how many steps the weights are averaged.
        storage: how the weights are kept in the model folder.
        vocab_may_shrink: whether data that cannot give that many tokens get half as many, and so on.
    """

    vocab_size: int = 4_000
    num_layers: int = 3
    d_model: int = 160
    num_heads: int = 4
    d_ff: int = 640
    dropout: float = 0.2
    label_smoothing: float = 0.1
    peak_rate: float = 2e-3
    warmup: float = 0.1
    batch_tokens: int = 3_000
    max_length: int = 64
    average_steps: int = 200
    storage: Storage = "float16"
    vocab_may_shrink: bool = False

    def __post_init__(self) -> None:
        counts = (self.num_layers, self.num_heads, self.d_ff, self.batch_tokens, self.average_steps)
        if min(counts) < 1 or self.max_length < 2 or self.vocab_size < 5:
            raise ValueError(
                "num_layers, num_heads, d_ff, batch_tokens and average_steps must be at least 1, max_length at least 2 "
                f"and vocab_size at least 5. Received: {counts}, {self.max_length} and {self.vocab_size}."
            )
        if not (0 < self.peak_rate < math.inf and 0 < self.warmup < 1):
            raise ValueError(
                f"peak_rate must be above 0 and warmup between 0 and 1. Received: {self.peak_rate}, {self.warmup}."
            )


@dataclass(frozen=True)
class TranslationConfig:
    """State everything that decides which weights come out of a run.

    A run by `epochs` gives the same weights every time; a run by `minutes` depends on how fast the machine is.

    Args:
        data: "phrases", "multi30k", "tatoeba-cmn", or the path of a file of pairs.
        target: the target language, or None for the usual one of the data.
        tokenized: whether to use lower-cased, tokenised text, which Multi30k has.
        minutes: how long to train, measured by the clock, or None.
        epochs: how often each pair is seen, or None; one of the two is given.
        seed: for the first weights, the order of the batches and the dropout.
        settings: the numbers of the recipe.

    Raises:
        ValueError: not exactly one of minutes and epochs, or a number out of range.
    """

    data: str = "phrases"
    target: str | None = None
    tokenized: bool = False
    minutes: float | None = None
    epochs: int | None = None
    seed: int = 0
    settings: Recipe = field(default_factory=Recipe)

    def __post_init__(self) -> None:
        if (self.minutes is None) == (self.epochs is None):
            raise ValueError(
                "One of minutes and epochs is required, not both. "
                f"Received: minutes {self.minutes}, epochs {self.epochs}."
            )
        if self.minutes is not None and not 0 < self.minutes < math.inf:
            raise ValueError(f"minutes must be above 0. Received: {self.minutes:g}.")
        if self.epochs is not None and self.epochs < 1:
            raise ValueError(f"epochs must be at least 1. Received: {self.epochs}.")
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"seed must be from 0 to 2**32 - 1. Received: {self.seed}.")


RECIPES: dict[str, tuple[Recipe, int]] = {  # and how many epochs, where nobody says how long
    "phrases": (
        Recipe(vocab_size=1_000, num_layers=2, d_model=128, d_ff=512, dropout=0.1, batch_tokens=1_500, max_length=48),
        4,
    ),
    "multi30k": (Recipe(vocab_size=6_000), 20),
    "tatoeba-cmn": (
        Recipe(d_model=192, d_ff=768, dropout=0.3, batch_tokens=1_500, max_length=48, storage="int8"),
        36,
    ),
}
OWN_DATA = (Recipe(vocab_size=8_000, vocab_may_shrink=True), 20)


def translation_config(
    data: str = "phrases",
    target: str | None = None,
    *,
    tokenized: bool = False,
    minutes: float | None = None,
    epochs: int | None = None,
    seed: int = 0,
    **changes: Any,
) -> TranslationConfig:
    """Look up the recipe for a data set.

    Args:
        data: as in `TranslationConfig`.
        target: as in `TranslationConfig`.
        tokenized: as in `TranslationConfig`.
        minutes: how long to train; without it and `epochs`, as many epochs as suit the data.
        epochs: how often each pair is seen.
        seed: from 0 to 2**32 - 1.
        changes: of single numbers of the recipe.

    Returns:
        The configuration of the run.

    Raises:
        ValueError: a number is out of range.
    """
    recipe, usual = RECIPES.get(data, OWN_DATA)
    if minutes is None and epochs is None:
        epochs = usual
    return TranslationConfig(data, target, tokenized, minutes, epochs, seed, replace(recipe, **changes))


def train_translation(
    config: TranslationConfig,
    folder: Path,
    *,
    on_progress: Callable[[Moment], object] | None = None,
    command: str = "",
) -> Mapping[str, Any]:
    """Train as configured, or go on where a killed run stopped, and write model, scores, curves and model card.

    The state is saved every few minutes and after each epoch. The test pairs are read once, when training is over and
    the weights are chosen.

    Args:
        config: what to do.
        folder: of the run; a folder that holds anything else is refused.
        on_progress: called after every few steps.
        command: what a reader of the model card types to repeat the run.

    Returns:
        The scores, as in scores.json; at once if the run is finished.

    Raises:
        DataError: the data cannot be used.
        RunError: the folder holds something else, cannot be written, or its files are damaged.
        TrainingDivergedError: the loss or a weight is not a finite number any more.
    """
    require_tensorflow()
    pairs = load_pairs(config.data, config.target, tokenized=config.tokenized)
    wanted = {"task": TASK, **asdict(config), "pairs": _mark(pairs)}
    if (folder / runs.CONFIG).exists() and runs.open_run(folder, wanted):
        return runs.read_scores(folder)
    tokenizer = _tokenizer(config.settings, pairs, folder)
    sources, targets = (
        [tokenizer.encode(text) for text in side] for side in (pairs.train.sources, pairs.train.targets)
    )
    limit = config.settings.max_length
    few = sum(map(len, targets)) // STEPS_PER_EPOCH
    batch_tokens = min(config.settings.batch_tokens, max(few, SMALLEST_BATCH))
    batches = BucketedBatches(sources, targets, batch_tokens=batch_tokens, max_length=limit)
    limits = SourceLimits.measure(pairs.train.sources, sources, limit)
    runs.open_run(folder, wanted)  # only now: settings that the data cannot serve leave no trace
    with runs.writing(folder):
        tokenizer.save(folder / TOKENIZER)
    facts = _facts(config, pairs, limits)
    measuring = Measuring.of(pairs, tokenizer, tokenized=config.tokenized, max_length=limit)

    def keep(model: "Transformer", place: Path) -> Path:
        return save_translator(place, model, tokenizer, facts, storage=config.settings.storage)

    model = build_model(config, tokenizer.vocab_size)
    try:
        history = fit(config, model, batches, partial(validate, measuring), folder, on_progress)
    except TrainingDivergedError as error:
        if not (folder / runs.CHECKPOINT).exists():
            raise
        raise TrainingDivergedError(f"{error} Those weights are kept in {keep(model, folder / LAST_GOOD)}.") from None
    stored, _, _ = load_translator(keep(model, folder / INSIDE_RUN))  # rounded as it will be used, so scored as it is
    scores = {**score_splits(stored, measuring, pairs), **_how_it_went(history), "parameters": model.count_params()}
    facts["scores"] = scores
    write_curves(folder, history)
    text = model_card(config, pairs, scores, batches.left_out, command)
    save_translator(folder / INSIDE_RUN, model, tokenizer, facts, text=text, storage=config.settings.storage)
    runs.finish_run(folder, scores)
    return scores


def build_model(config: TranslationConfig, vocab_size: int) -> "Transformer":
    """Build the network of a run, with first weights drawn from its seed."""
    from llmcourse.runtime import make_reproducible

    make_reproducible(config.seed)
    from llmcourse.models.translator import Transformer

    settings = config.settings
    return Transformer(
        vocab_size,
        vocab_size,
        num_layers=settings.num_layers,
        d_model=settings.d_model,
        num_heads=settings.num_heads,
        d_ff=settings.d_ff,
        dropout=settings.dropout,
        tied_embeddings=True,
        shared_embeddings=True,
    )


def _mark(pairs: SentencePairs) -> str:
    """Hash what is trained and validated with: a run does not go on with a file that has changed."""
    sides = (side for split in (pairs.train, pairs.validation) for side in (split.sources, split.targets))
    return hashlib.sha256("\0".join(text for side in sides for text in side).encode()).hexdigest()[:16]


def _tokenizer(settings: Recipe, pairs: SentencePairs, folder: Path) -> Tokenizer:
    """Read the tokenizer of a run that goes on, or train it on both sides of the training pairs."""
    path = folder / TOKENIZER
    return Tokenizer.load(path) if path.exists() else _train_tokenizer(pairs, settings)


def _facts(config: TranslationConfig, pairs: SentencePairs, limits: SourceLimits) -> dict[str, Any]:
    return {
        "name": pairs.name,
        "source_language": pairs.source_language,
        "target_language": pairs.target_language,
        "data": config.data,
        "target": config.target,
        "tokenized": config.tokenized,
        "limits": limits.to_card(),
    }


def _how_it_went(rows: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    best = max(range(len(rows)), key=lambda index: (rows[index]["val_bleu"], index))
    return {
        "validation_bleu": round(rows[best]["val_bleu"], 2),
        "validation_loss": round(rows[best]["val_loss"], 4),
        "best_epoch": best + 1,
        "epochs": len(rows),
        "steps": int(sum(row["steps"] for row in rows)),
        "seconds": round(sum(row["seconds"] for row in rows), 1),
        "cpu_seconds": round(sum(row["cpu_seconds"] for row in rows), 1),
    }


def _train_tokenizer(pairs: SentencePairs, settings: Recipe) -> Tokenizer:
    """Learn the vocabulary; a reader's own small file gets half as many pieces, and half again, until it has enough."""
    texts = [*pairs.train.sources, *pairs.train.targets]
    pieces = settings.vocab_size - SMALLEST
    while settings.vocab_may_shrink and pieces > 0:
        try:
            return Tokenizer.train(texts, SMALLEST + pieces)
        except ValueError:
            pieces //= 2
    return Tokenizer.train(texts, SMALLEST + pieces)
