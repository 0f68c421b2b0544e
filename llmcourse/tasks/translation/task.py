"""The task `translation`: a Transformer that translates between two languages.

train(Translation.configure(data="phrases", target="zh", minutes=3), Path("runs/phrases"))
"""

import random
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from llmcourse.data import SentencePairs, Split, load_pairs
from llmcourse.data.sentences import sentence_key
from llmcourse.data.tokenizer import SMALLEST, Tokenizer
from llmcourse.models.limits import SourceLimits
from llmcourse.models.saved import load_translator, save_translator
from llmcourse.tasks.translation.recipes import OWN_DATA, RECIPES, Recipe, TranslationConfig
from llmcourse.tasks.translation.report import about_translator, report_scores
from llmcourse.tasks.translation.scores import Measuring, score_splits, validate
from llmcourse.training.averaging import Averaging
from llmcourse.training.card import About, Report
from llmcourse.training.packing import PackedBatch, PackedBatches
from llmcourse.training.run import DATA, hash_data
from llmcourse.training.schedules import rise_and_fall
from llmcourse.training.task import RunConfig, Task, Tell

if TYPE_CHECKING:
    import keras

    from llmcourse.models.translator import Transformer

TOKENIZER = "tokenizer.json"
STEPS_PER_EPOCH, SMALLEST_BATCH = 100, 256  # little data get smaller batches, in tokens, so that an epoch has steps


class Translation(Task):
    """Train a Transformer that translates.

    Args:
        config: what to do.
    """

    name = "translation"
    unit = "tokens"
    monitor = "val_bleu"
    mode = "max"
    dynamic_shapes = True  # one compiled step for the batches of short and of long pairs
    data_options = ("data", "target", "tokenized")
    packages = ("tokenizers", "sacrebleu")

    config: TranslationConfig

    def __init__(self, config: TranslationConfig):
        self.config = config
        self.averaging = Averaging(steps=config.settings.average_steps)

    @classmethod
    def configure(
        cls,
        *,
        data: Annotated[
            str, "phrases, multi30k, tatoeba-cmn, or a file with two columns and a tab between them."
        ] = "phrases",
        target: Annotated[str | None, "The language to translate into: zh, de or fr."] = None,
        minutes: Annotated[float | None, "How long to train, by the clock."] = None,
        epochs: Annotated[int | None, "How often each pair is seen, in place of --minutes."] = None,
        seed: Annotated[int, "Another seed gives other first weights and another order."] = 0,
        vocab_size: Annotated[int | None, "More or fewer tokens than usual for the data."] = None,
        tokenized: Annotated[bool, "Multi30k in lower case and tokenised, as papers report it."] = False,
    ) -> "Translation":
        """Look up the recipe for the data, with its usual number of epochs unless another length is given.

        Raises:
            ValueError: a number is out of range.
        """
        settings, usual = RECIPES.get(data, OWN_DATA)
        if minutes is None and epochs is None:
            epochs = usual
        if vocab_size is not None:
            settings = replace(settings, vocab_size=vocab_size, vocab_may_shrink=False)
        length = RunConfig(minutes=minutes, epochs=epochs, seed=seed)
        return cls(TranslationConfig(data=data, target=target, tokenized=tokenized, settings=settings, **vars(length)))

    @cached_property
    def pairs(self) -> SentencePairs:
        """Hold the sentence pairs; those for the test are scored once."""
        pairs = load_pairs(self.config.data, self.config.target, tokenized=self.config.tokenized)
        return add_phrases(pairs, self.config.settings.phrases)

    def fingerprints(self) -> Mapping[str, str]:
        """Hash the pairs of each split."""
        names = {"training": "train", "validation": "validation", "test": "test", "combinations": "combinations"}
        splits = {name: getattr(self.pairs, attribute) for name, attribute in names.items()}
        return {name: hash_data(split.sources, split.targets) for name, split in splits.items() if split is not None}

    def prepare(self, folder: Path) -> None:
        """Learn the vocabulary, or read that of a run that goes on, and cut the pairs into batches."""
        path, train, limit = folder / TOKENIZER, self.pairs.train, self.config.settings.max_length
        self.tokenizer = Tokenizer.load(path) if path.exists() else train_tokenizer(self.pairs, self.config.settings)
        sources, targets = ([self.tokenizer.encode(text) for text in side] for side in (train.sources, train.targets))
        few = sum(map(len, targets)) // STEPS_PER_EPOCH
        batch_tokens = min(self.config.settings.batch_tokens, max(few, SMALLEST_BATCH))
        self._plain = PackedBatches(sources, targets, batch_tokens=batch_tokens, max_length=limit)
        self._batches = self._cut_at_random(0) if self.config.settings.bpe_dropout else self._plain
        self._limits = SourceLimits.measure(train.sources, sources, limit)
        self._measuring = self._measure_with(self.tokenizer, limit)

    def save_inputs(self, folder: Path) -> None:
        """Write the tokenizer."""
        self.tokenizer.save(folder / TOKENIZER)

    def build_model(self) -> "Transformer":
        """Build the Transformer of the recipe, for the joint vocabulary."""
        from llmcourse.models.translator import Transformer

        settings = self.config.settings
        return Transformer(
            self.tokenizer.vocab_size,
            self.tokenizer.vocab_size,
            num_layers=settings.num_layers,
            d_model=settings.d_model,
            num_heads=settings.num_heads,
            d_ff=settings.d_ff,
            dropout=settings.dropout,
            tied_embeddings=True,
            shared_embeddings=True,
        )

    def build_optimizer(self) -> "keras.Optimizer":
        """Build Adam with the settings of Vaswani et al. (2017), and clipped gradients."""
        import keras

        return keras.optimizers.Adam(beta_2=0.98, epsilon=1e-9, global_clipnorm=1.0)

    def learning_rate(self, step: int, progress: float) -> float:
        """Rise to the peak and fall, by how far the run is."""
        return rise_and_fall(progress, self.config.settings.peak_rate, self.config.settings.warmup)

    @property
    def steps_per_epoch(self) -> int:
        """Count the batches."""
        return len(self._batches)

    def batches(self, epoch: int, first: int) -> Iterator[PackedBatch]:
        """Return the batches of an epoch, several pairs in a row."""
        batches = self._batches
        if self.config.settings.bpe_dropout and epoch:
            batches = self._cut_at_random(epoch, self._batches)
        return batches.epoch(self.config.seed, epoch, first)

    def _cut_at_random(self, epoch: int, steps: PackedBatches | None = None) -> PackedBatches:
        """Cut the training sentences into tokens with BPE-dropout, as the seed and the epoch decide."""
        rng, rate = random.Random(f"{self.config.seed} {epoch}"), self.config.settings.bpe_dropout
        sources = [self.tokenizer.encode_at_random(text, rate, rng) for text in self.pairs.train.sources]
        targets = [self.tokenizer.encode_at_random(text, rate, rng) for text in self.pairs.train.targets]
        return self._plain.repack(sources, targets, steps)

    def count(self, batch: Any) -> int:
        """Count the tokens that the decoder must say."""
        return batch.tokens

    def loss(self, model: "keras.Model", batch: Any) -> Mapping[str, Any]:
        """Compute the cross-entropy with smoothed labels."""
        from llmcourse.training.losses import loss_from_states

        sides = (batch.sources, batch.inputs, batch.source_segments, batch.target_segments)
        states, table = model.read(*sides, training=True), model.target_embedding.embeddings
        return {"loss": loss_from_states(batch.labels, states, table, self.config.settings.label_smoothing)}

    def validate(self, model: "keras.Model") -> Mapping[str, float]:
        """Measure cross-entropy and BLEU, translated greedily, on the validation pairs."""
        loss, bleu = validate(self._measuring, model)
        return {"val_loss": loss, "val_bleu": bleu}

    def save(self, model: "keras.Model", path: Path) -> Path:
        """Write a model folder."""
        return self._save(model, path, self._facts())

    def load(self, path: Path) -> "keras.Model":
        """Read a model folder, with its tokenizer and its longest sentence."""
        model, tokenizer, card = load_translator(path)
        limits = SourceLimits.from_card(card)
        self._measuring = self._measure_with(tokenizer, limits.max_length if limits else Recipe.max_length)
        return model

    def score(self, model: "keras.Model", tell: Tell) -> Mapping[str, Any]:
        """Translate the test pairs with beam search, and compare with their references."""
        return score_splits(model, self._measuring, self.pairs, tell)

    @classmethod
    def report(cls, scores: Mapping[str, Any]) -> Report:
        """Lay out BLEU, chrF and exact matches of each split."""
        return report_scores(scores)

    def about(self, scores: Mapping[str, Any]) -> About:
        """Say where the pairs come from, how to use the model, and what it is not for."""
        phrases = self.config.settings.phrases
        return about_translator(self.config.data, self.pairs, self._batches.left_out, phrases)

    def describe(self, model: "keras.Model", path: Path, scores: Mapping[str, Any], card: str) -> None:
        """Write scores and card into the model folder."""
        self._save(model, path, {**self._facts(), "scores": dict(scores)}, card)

    def try_it(self, folder: Path) -> list[str]:
        """Name the command that translates with the model."""
        return ["llmcourse", "translate", "--model", str(folder), "a sentence"]

    def _measure_with(self, tokenizer: Tokenizer, max_length: int) -> Measuring:
        return Measuring.of(self.pairs, tokenizer, tokenized=self.config.tokenized, max_length=max_length)

    def _save(self, model: Any, path: Path, facts: Mapping[str, Any], card: str = "") -> Path:
        storage = self.config.settings.storage
        return save_translator(path, model, self.tokenizer, facts, text=card, storage=storage)

    def _facts(self) -> dict[str, Any]:
        return {
            "name": self.pairs.name,
            "source_language": self.pairs.source_language,
            "target_language": self.pairs.target_language,
            "data": self.config.data,
            "target": self.config.target,
            "tokenized": self.config.tokenized,
            "limits": self._limits.to_card(),
            DATA: dict(self.fingerprints()),
        }


def add_phrases(pairs: SentencePairs, count: int) -> SentencePairs:
    """Add some of our own phrases to the training pairs, spread evenly over their kinds, none that is asked later.

    Args:
        pairs: the data.
        count: how many at most.

    Returns:
        The data with a longer training part; as they are for a count of 0.
    """
    if not count:
        return pairs
    asked = {sentence_key(text) for split in (pairs.validation, pairs.test) for text in split.sources}
    phrases = load_pairs("phrases", pairs.target_language).train
    free = [place for place, source in enumerate(phrases.sources) if sentence_key(source) not in asked]
    chosen = [free[place] for place in np.unique(np.linspace(0, len(free) - 1, min(count, len(free))).astype(int))]
    more = [(phrases.sources[place], phrases.targets[place]) for place in chosen]
    sources, targets = zip(*more, strict=True)
    return replace(pairs, train=Split((*pairs.train.sources, *sources), (*pairs.train.targets, *targets)))


def train_tokenizer(pairs: SentencePairs, settings: Recipe) -> Tokenizer:
    """Learn the vocabulary; a reader's own small file gets half as many pieces, and half again, until it has enough."""
    texts = [*pairs.train.sources, *pairs.train.targets]
    pieces = settings.vocab_size - SMALLEST
    while settings.vocab_may_shrink and pieces > 0:
        try:
            return Tokenizer.train(texts, SMALLEST + pieces)
        except ValueError:
            pieces //= 2
    return Tokenizer.train(texts, SMALLEST + pieces)
