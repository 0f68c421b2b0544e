"""What a finished translation run leaves behind for people: curves, and a card that tells the model's origin."""

import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmcourse import __version__
from llmcourse.data.parallel import SentencePairs
from llmcourse.plots import learning_curves
from llmcourse.runtime import describe_device
from llmcourse.training import runs

if TYPE_CHECKING:
    from llmcourse.training.translation import TranslationConfig

LOSS_CURVES, BLEU_CURVE = "curves.png", "bleu.png"
LANGUAGES = {"en": "English", "zh": "Chinese", "de": "German", "fr": "French"}
DATA = {
    "phrases": "`phrases`, sentence pairs from the grammar and lexicon of llmcourse (Apache-2.0)",
    "multi30k": "Multi30k (Elliott, Frank, Sima'an and Specia 2016), descriptions of photographs; its images are "
    "limited to research and education",
    "tatoeba-cmn": "English-Chinese sentence pairs from Tatoeba (https://tatoeba.org), by its contributors, "
    "CC BY 2.0 FR (https://creativecommons.org/licenses/by/2.0/fr/), turned into simplified characters with OpenCC",
}


def write_curves(folder: Path, history: Sequence[Mapping[str, float]]) -> None:
    """Draw loss and validation BLEU by epoch.

    Args:
        folder: of the run.
        history: one row for each epoch.
    """
    losses = {"training": [row["loss"] for row in history], "validation": [row["val_loss"] for row in history]}
    bleu = {"validation": [row["val_bleu"] for row in history]}
    with runs.writing(folder):
        learning_curves(losses, ylabel="cross-entropy of a token", title="Loss in training").save(folder / LOSS_CURVES)
        learning_curves(bleu, ylabel="BLEU, greedy", title="Quality in training").save(folder / BLEU_CURVE)


def score_rows(scores: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str, str]]:
    """Lay out the scores of each split as text: name, sentences, BLEU, chrF, share of exact matches."""
    for name, words in (("test", "test"), ("combinations", "held-out combinations")):
        if name in scores:
            found = scores[name]
            numbers = (f"{found['bleu']:.1f}", f"{found['chrf']:.1f}", f"{found['exact_match']:.1%}")
            yield (words, f"{found['sentences']:,}", *numbers)


def model_card(
    config: "TranslationConfig", pairs: SentencePairs, scores: Mapping[str, Any], left_out: int, command: str
) -> str:
    """Write what a person should know about a model before using it, as Markdown.

    Args:
        config: what was asked for.
        pairs: the data.
        scores: as in scores.json.
        left_out: how many training pairs were too long.
        command: what repeats the run.

    Returns:
        The text.
    """
    source, target = (LANGUAGES.get(code, code) for code in (pairs.source_language, pairs.target_language))
    direction = f"from {source or 'the first language'} to {target or 'the second language'} of `{pairs.name}`"
    packages = ", ".join(f"{name} {version(name)}" for name in ("keras", "tensorflow", "tokenizers", "sacrebleu"))
    settings = ", ".join(f"{name} {value}" for name, value in asdict(config.settings).items())
    rows = "\n".join(f"| {' | '.join(row)} |" for row in score_rows(scores))
    return f"""# A translator {direction}

An encoder-decoder Transformer with {scores["parameters"]:,} parameters, trained from nothing on the pairs below.

| pairs | sentences | BLEU | chrF | exact match |
| --- | --- | --- | --- | --- |
{rows}

Beam search with {scores["beam_size"]} beams. Signatures: BLEU `{scores["test"]["bleu_signature"]}`,
chrF `{scores["test"]["chrf_signature"]}`. Validation BLEU {scores["validation_bleu"]} (greedy, epoch
{scores["best_epoch"]} of {scores["epochs"]}, which was kept).

## How it was made

- Command: `{command or "train_translation in Python"}`
- Data: {DATA.get(config.data, f"the reader's own file `{pairs.name}`")}.
  {len(pairs.train):,} training pairs, of which {left_out:,} were too long and left out; {len(pairs.validation):,}
  validation pairs chose the epoch; the {len(pairs.test):,} test pairs were read once, after that.
- Time: {scores["seconds"]:,} s, {scores["cpu_seconds"]:,} s of processor time, {scores["steps"]:,} steps
- Seed: {config.seed}
- Settings: {settings}
- Versions: llmcourse {__version__}, Python {platform.python_version()}, {packages}; {describe_device()}
- Date: {datetime.now(UTC):%Y-%m-%d}

## How to use it

```
llmcourse translate --model DIR "a sentence"
```

## What it is not for

It knows the words and topics of its training pairs and little else, and it answers every input with a fluent sentence,
also where it understood nothing: names, numbers and rare words are often wrong. Read what it writes before you use it,
and use it for nothing that matters.
"""
