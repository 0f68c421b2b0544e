"""How good translations are: BLEU and chrF as sacrebleu computes them, with signatures that make them comparable."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from llmcourse.data.parallel import SentencePairs, Split
from llmcourse.data.tokenizer import PAD, Tokenizer
from llmcourse.training.task import Tell

if TYPE_CHECKING:
    from llmcourse.models.translator import Transformer

VALIDATION_PAIRS = 500
BATCH = 100
BEAM = 4


def bleu_tokenizer(target_language: str, tokenized: bool) -> str:
    """Name how sacrebleu cuts text into words: Chinese by characters, tokenised text at its spaces.

    Args:
        target_language: "zh", "de", ...
        tokenized: whether the text is lower-cased and tokenised already.

    Returns:
        "none", "zh" or "13a".

    Source: Post (2018), A Call for Clarity in Reporting BLEU Scores.
    """
    return "none" if tokenized else "zh" if target_language == "zh" else "13a"


def score_texts(hypotheses: Sequence[str], references: Sequence[str], tokenize: str) -> dict[str, Any]:
    """Compare translations with one reference each.

    Args:
        hypotheses: what the model wrote.
        references: what a person wrote, as many.
        tokenize: from `bleu_tokenizer`.

    Returns:
        "bleu" and "chrf" from 0 to 100, "exact_match" from 0 to 1, "bleu_signature", "chrf_signature" and "sentences".

    Raises:
        ValueError: the two differ in number, or there are none.

    Example:
        >>> scores = score_texts(["a b c d e"], ["a b c d e"], "13a")
        >>> round(scores["bleu"]), scores["exact_match"]
        (100, 1.0)
    """
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    if len(hypotheses) != len(references) or not references:
        raise ValueError(
            "As many translations as references are required, at least one. "
            f"Received: {len(hypotheses)} and {len(references)}."
        )
    bleu, chrf = BLEU(tokenize=tokenize, force=tokenize == "none"), CHRF()  # force: no warning that it is tokenised
    values = {
        "bleu": round(bleu.corpus_score(hypotheses, [references]).score, 2),
        "chrf": round(chrf.corpus_score(hypotheses, [references]).score, 2),
        "exact_match": round(float(np.mean([a == b for a, b in zip(hypotheses, references, strict=True)])), 4),
    }
    signatures = {"bleu_signature": str(bleu.get_signature()), "chrf_signature": str(chrf.get_signature())}
    return {**values, "sentences": len(references), **signatures}


@dataclass(frozen=True, eq=False)
class Measuring:
    """Hold what validation needs besides the model: pairs, tokenizer, how BLEU cuts words, the longest translation."""

    validation: Split
    tokenizer: Tokenizer
    tokenize: str
    max_length: int

    @classmethod
    def of(cls, pairs: SentencePairs, tokenizer: Tokenizer, *, tokenized: bool, max_length: int) -> "Measuring":
        """Choose at most 500 validation pairs, evenly spread, since some files are sorted by length."""
        count = len(pairs.validation)
        chosen = np.unique(np.linspace(0, count - 1, min(count, VALIDATION_PAIRS)).astype(int))
        some = Split(*(tuple(side[i] for i in chosen) for side in (pairs.validation.sources, pairs.validation.targets)))
        return cls(some, tokenizer, bleu_tokenizer(pairs.target_language, tokenized), max_length)


def validate(measuring: Measuring, model: "Transformer") -> tuple[float, float]:
    """Compute loss and BLEU, translated greedily, on the validation pairs.

    Args:
        measuring: the pairs and how to measure.
        model: a Transformer.

    Returns:
        The mean cross-entropy of a target token, and BLEU from 0 to 100.
    """
    from llmcourse.decoding.translate import Translator
    from llmcourse.serving.engine import NumpyTransformer
    from llmcourse.training.losses import label_smoothed_loss

    split, tokenizer, limit = measuring.validation, measuring.tokenizer, measuring.max_length
    loss, tokens = 0.0, 0
    order = np.argsort([len(text) for text in split.sources], kind="stable")
    for rows in np.array_split(order, -(-len(order) // BATCH)):
        sources = tokenizer.encode_batch([split.sources[row] for row in rows], limit)
        targets = tokenizer.encode_batch([split.targets[row] for row in rows], limit, start=True)
        inputs, labels = targets[:, :-1], targets[:, 1:]  # (B, T)
        count = int((labels != PAD).sum())
        loss += count * float(label_smoothed_loss(labels, model((sources, inputs)), epsilon=0.0))
        tokens += count
    translator = Translator(NumpyTransformer.of(model), tokenizer, max_length=limit)
    hypotheses = translator.translate(split.sources, beam_size=1, batch_size=BATCH)
    scores = score_texts(hypotheses, split.targets, measuring.tokenize)
    return loss / max(1, tokens), float(scores["bleu"])


def score_splits(
    model: "Transformer",
    measuring: Measuring,
    pairs: SentencePairs,
    tell: Tell,
) -> dict[str, Any]:
    """Translate the test pairs with beam search and compare them with their references.

    Args:
        model: a Transformer.
        measuring: tokenizer, longest translation, and how BLEU cuts words.
        pairs: the data; held-out combinations are measured where it has them.
        tell: called as tell(name of the split, done, total).

    Returns:
        For "test" and, where they exist, "combinations", what `score_texts` returns, and the beam size.
    """
    from llmcourse.decoding.translate import Translator
    from llmcourse.serving.engine import NumpyTransformer

    translator = Translator(NumpyTransformer.of(model), measuring.tokenizer, max_length=measuring.max_length)
    splits = {"test": pairs.test, "combinations": pairs.combinations}
    scores: dict[str, Any] = {"beam_size": BEAM}
    for name, split in splits.items():
        if split is None or not len(split):
            continue
        tell(name, 0, len(split))
        hypotheses = translator.translate(split.sources, beam_size=BEAM, on_progress=partial(tell, name))
        scores[name] = score_texts(hypotheses, split.targets, measuring.tokenize)
    return scores
