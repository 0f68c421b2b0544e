"""What a translation run does, in numbers: the recipes by data set."""

import math
from dataclasses import dataclass, field

from llmcourse.data.tokenizer import SMALLEST
from llmcourse.models.saved import Storage
from llmcourse.training.task import RunConfig

MOST_TOKENS = 32_000  # of the vocabulary: the logits of a batch are that many numbers for each of its positions


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
        bpe_dropout: share of merges that are passed over when training sentences are cut, anew in each epoch.
        label_smoothing: probability that is taken from the true token and given to all alike.
        peak_rate: the highest learning rate of Adam.
        warmup: share of the run in which the rate rises; it falls in the rest.
        batch_tokens: about how many target positions a batch has, fewer where an epoch would have few steps.
        max_length: tokens of the longest sentence, END included; longer pairs are not trained with.
        average_steps: over about how many steps the weights are averaged.
        phrases: how many pairs of our own phrases, in the same languages, are learned from besides the data.
        storage: how the weights are kept in the model folder.
        vocab_may_shrink: whether data that cannot give that many tokens get half as many, and so on.
    """

    vocab_size: int = 4_000
    num_layers: int = 3
    d_model: int = 160
    num_heads: int = 4
    d_ff: int = 640
    dropout: float = 0.2
    bpe_dropout: float = 0.0
    label_smoothing: float = 0.1
    peak_rate: float = 2e-3
    warmup: float = 0.1
    batch_tokens: int = 3_000
    max_length: int = 64
    average_steps: int = 200
    phrases: int = 0
    storage: Storage = "float16"
    vocab_may_shrink: bool = False

    def __post_init__(self) -> None:
        counts = (self.num_layers, self.num_heads, self.d_ff, self.batch_tokens, self.average_steps)
        if min(counts) < 1 or self.max_length < 2:
            raise ValueError(
                "num_layers, num_heads, d_ff, batch_tokens and average_steps must be at least 1, max_length at least "
                f"2. Received: {counts} and {self.max_length}."
            )
        if not SMALLEST <= self.vocab_size <= MOST_TOKENS:
            required = f"vocab_size must be from {SMALLEST} (the bytes) to {MOST_TOKENS:,}"
            raise ValueError(f"{required}. Received: {self.vocab_size:,}.")
        if not 0 <= self.bpe_dropout <= 1 or self.phrases < 0:
            raise ValueError(
                "bpe_dropout must be from 0 to 1 and phrases at least 0. "
                f"Received: {self.bpe_dropout} and {self.phrases}."
            )
        if not (0 < self.peak_rate < math.inf and 0 < self.warmup < 1):
            raise ValueError(
                f"peak_rate must be above 0 and warmup between 0 and 1. Received: {self.peak_rate}, {self.warmup}."
            )


@dataclass(frozen=True, kw_only=True)
class TranslationConfig(RunConfig):
    """State everything that decides which weights come out of a run.

    Args:
        data: "phrases", "multi30k", "tatoeba-cmn", or the path of a file of pairs.
        target: the target language, or None for the usual one of the data.
        tokenized: whether to use lower-cased, tokenised text, which Multi30k has.
        settings: the numbers of the recipe.
    """

    data: str = "phrases"
    target: str | None = None
    tokenized: bool = False
    settings: Recipe = field(default_factory=Recipe)


RECIPES: dict[str, tuple[Recipe, int]] = {  # and how many epochs, where nobody says how long
    "phrases": (
        Recipe(vocab_size=1_000, num_layers=2, d_model=128, d_ff=512, dropout=0.1, batch_tokens=1_500, max_length=48),
        4,
    ),
    "multi30k": (  # half an hour of one core
        Recipe(vocab_size=6_000, num_layers=4, d_model=128, d_ff=512, dropout=0.15, batch_tokens=1_280),
        15,
    ),
    "tatoeba-cmn": (
        Recipe(d_model=192, d_ff=768, dropout=0.3, batch_tokens=1_500, max_length=48, storage="int8"),
        36,
    ),
}
OWN_DATA = (Recipe(vocab_size=8_000, vocab_may_shrink=True), 20)
