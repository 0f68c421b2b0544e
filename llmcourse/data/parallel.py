"""Sentence pairs for translation: one function for our own phrases, two public data sets and a reader's own file."""

import re
from pathlib import Path

from llmcourse.data.own_file import find_own_file
from llmcourse.data.sentences import SentencePairs, Split, divide, make_split, read_table, sentence_key
from llmcourse.data.store import DataError

__all__ = ["SentencePairs", "Split", "load_pairs"]

TARGETS = {"phrases": ("zh", "de"), "multi30k": ("de", "fr"), "tatoeba-cmn": ("zh",)}  # the first is the default
FILE_REMEDY = "give a text file (or .gz) in UTF-8 with a sentence, a tab and its translation on each line"
FILE_SHARE = 20  # of a reader's own file, every twentieth source sentence is for validation and as many for test
FILE_MOST = 1_000


def load_pairs(name: str | Path = "phrases", target: str | None = None, *, tokenized: bool = False) -> SentencePairs:
    """Load sentence pairs, divided into training, validation and test pairs that share no source sentence.

    The default needs no network; the public data sets come from the folder LLMCOURSE_DATA or are downloaded once.

    Args:
        name: "phrases" (our own grammar: English to Chinese or German), "multi30k" (descriptions of photographs:
            English to German or French), "tatoeba-cmn" (everyday English to Chinese; needs OpenCC:
            `pip install 'llmcourse[chinese]'`), or the path of a file, plain or gzipped, with two columns and a tab
            between them. A file named like a data set is loaded with `Path("phrases")`.
        target: the language to translate into: "zh" (default) or "de" for phrases, "de" (default) or "fr" for
            multi30k, "zh" for tatoeba-cmn; the code of any language, such as "it", for a file, None if it does not
            matter.
        tokenized: multi30k only: the lower-cased, normalised, tokenised sentences that papers report scores on.

    Returns:
        A `SentencePairs`. A file gives one source sentence in twenty to validation and as many to test (at least one,
        at most 1,000), always the same ones.

    Raises:
        DataError: the name or the target is unknown, or the data is missing, damaged or not what it should be.

    Example:
        >>> load_pairs("phrases", target="de").source_language
        'en'
    """
    if isinstance(name, str) and name in TARGETS:
        return _load_named(name, _choose_target(name, target), tokenized)
    if tokenized:
        raise _refuse_tokenized(str(name))
    return _load_file(find_own_file(name, TARGETS, FILE_REMEDY), target)


def _load_named(name: str, target: str, tokenized: bool) -> SentencePairs:
    if name == "multi30k":
        from llmcourse.data.multi30k import load_multi30k  # here and below: only the chosen data set is imported

        return load_multi30k(target, tokenized)
    if tokenized:
        raise _refuse_tokenized(name)
    if name == "tatoeba-cmn":
        from llmcourse.data.tatoeba import load_tatoeba

        return load_tatoeba()
    from llmcourse.data.phrases import phrase_splits

    splits = {part: make_split(pairs) for part, pairs in phrase_splits(target).items()}
    return SentencePairs(f"phrases-{target}", "en", target, **splits)


def _choose_target(name: str, target: str | None) -> str:
    known = TARGETS[name]
    if target is None:
        return known[0]
    if not isinstance(target, str) or target not in known:
        required = f"one of the target languages of {name}, {' or '.join(map(repr, known))}"
        raise DataError("target", required, repr(target), f'call load_pairs("{name}", target="{known[0]}")')
    return target


def _refuse_tokenized(name: str) -> DataError:
    remedy = "leave tokenized out, or load multi30k"
    return DataError("tokenized", "False, since only multi30k has a tokenised version", f"True for {name!r}", remedy)


def _load_file(path: Path, target: str | None) -> SentencePairs:
    if target is not None and not (isinstance(target, str) and re.fullmatch("[a-z]{2,3}", target)):
        required = 'the code of a language in two or three small letters, such as "zh", or None'
        raise DataError("target", required, repr(target), "leave target out where the language does not matter")
    pairs = list(dict.fromkeys(read_table(path, str(path), FILE_REMEDY)))
    count = len({sentence_key(source) for source, _ in pairs})
    if count < 3:
        required = "at least 3 different source sentences, to train, to validate and to test with"
        received = f"{count} in {len(pairs)} {'pair' if len(pairs) == 1 else 'pairs'}"
        raise DataError(str(path), required, received, "add more pairs")
    size = min(FILE_MOST, max(1, count // FILE_SHARE))
    train, validation, test = divide(pairs, validation=size, test=size)
    return SentencePairs(path.name, "", target or "", train, validation, test)
