"""What people read about a translator: its scores as a table, where it comes from, and what it is not for."""

from collections.abc import Mapping
from typing import Any

from llmcourse.data import SentencePairs
from llmcourse.training.card import About, Report, Table

LANGUAGES = {"en": "English", "zh": "Chinese", "de": "German", "fr": "French"}
DATA = {
    "phrases": "`phrases`, sentence pairs from the grammar and lexicon of llmcourse (Apache-2.0)",
    "multi30k": "Multi30k (Elliott, Frank, Sima'an and Specia 2016), descriptions of photographs; its images are "
    "limited to research and education",
    "tatoeba-cmn": "English-Chinese sentence pairs from Tatoeba (https://tatoeba.org), by its contributors, "
    "CC BY 2.0 FR (https://creativecommons.org/licenses/by/2.0/fr/), turned into simplified characters with OpenCC",
}
SPLITS = {"test": "test", "combinations": "held-out combinations"}
USAGE = """```
llmcourse translate --model DIR "a sentence"
```"""
LIMITS = """It knows the words and topics of its training pairs and little else, and it answers every input with a
fluent sentence, also where it understood nothing: names, numbers and rare words are often wrong. Read what it writes
before you use it, and use it for nothing that matters."""


def report_scores(scores: Mapping[str, Any]) -> Report:
    """Lay out the scores of each split.

    Args:
        scores: from `score_splits`.

    Returns:
        A table of sentences, BLEU, chrF and share of exact matches, and the signatures that make them comparable.
    """
    rows = []
    for name, words in SPLITS.items():
        if name in scores:
            found = scores[name]
            numbers = (f"{found['bleu']:.1f}", f"{found['chrf']:.1f}", f"{found['exact_match']:.1%}")
            rows.append((words, f"{found['sentences']:,}", *numbers))
    title = f"Beam search with {scores['beam_size']} beams"
    table = Table(title, ("pairs", "sentences", "BLEU", "chrF", "exact match"), rows)
    test = scores["test"]
    return Report(f"Signatures: BLEU {test['bleu_signature']}, chrF {test['chrf_signature']}.", [table])


def about_translator(data: str, pairs: SentencePairs, left_out: int, phrases: int = 0) -> About:
    """Say what a reader should know before using a translator.

    Args:
        data: as the reader named it.
        pairs: the data.
        left_out: how many training pairs were too long.
        phrases: how many training pairs at most are our own phrases, added to the data.

    Returns:
        The texts of the model card.
    """
    source, target = (LANGUAGES.get(code, code) for code in (pairs.source_language, pairs.target_language))
    direction = f"from {source or 'the first language'} to {target or 'the second language'} of `{pairs.name}`"
    added = f" Up to {phrases:,} of its training pairs are {DATA['phrases']}." if phrases else ""
    return About(
        title=f"A translator {direction}",
        summary="An encoder-decoder Transformer, trained from nothing on the pairs below.",
        data=f"""{DATA.get(data, f"the reader's own file `{pairs.name}`")}.{added}
  {len(pairs.train):,} training pairs, of which {left_out:,} were too long and left out; {len(pairs.validation):,}
  validation pairs chose the epoch, translated greedily; the {len(pairs.test):,} test pairs were scored once, after
  that.""",
        usage=USAGE,
        limits=LIMITS,
    )
