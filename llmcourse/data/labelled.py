"""Labelled sentences for classification: one function for two public data sets and a reader's own file."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from llmcourse.data.labelled_table import REMEDY, read_labelled_table
from llmcourse.data.own_file import find_own_file
from llmcourse.data.sentences import rank_of_text, sentence_key
from llmcourse.data.store import DataError

NAMES = ("polarity", "trec")
FOLDS = 10
FEWEST = 3  # different sentences of each class: one to learn from, one to validate and one to test with

Row = tuple[str, str]


@dataclass(frozen=True, eq=False, repr=False)
class LabelledSplit:
    """Hold sentences and their labels, side by side: `labels[i]` is the class of `texts[i]`.

    Args:
        texts: the sentences.
        labels: int64 (N,), for each sentence the index of its class; made read-only here.

    Raises:
        ValueError: the two differ in length.
    """

    texts: tuple[str, ...]
    labels: np.ndarray

    def __post_init__(self) -> None:
        if self.labels.shape != (len(self.texts),):
            received = f"{len(self.texts)} texts and labels of shape {self.labels.shape}"
            raise ValueError(f"labels must be one for each text. Received: {received}.")
        self.labels.setflags(write=False)

    def __len__(self) -> int:
        return len(self.texts)

    def __repr__(self) -> str:
        return f"LabelledSplit({len(self):,} sentences)"


@dataclass(frozen=True, eq=False, repr=False)
class LabelledSentences:
    """Hold a data set for classification: what to learn from, what to choose by and what to report.

    Args:
        name: which data set: "polarity-fold-0", "trec", or the name of a file.
        classes: the names of the classes, sorted; label `c` means `classes[c]`.
        train: sentences to learn from.
        validation: sentences to watch the training by and to choose settings with.
        test: sentences for the figures that are reported.
    """

    name: str
    classes: tuple[str, ...]
    train: LabelledSplit
    validation: LabelledSplit
    test: LabelledSplit

    def __repr__(self) -> str:
        counts = f"{len(self.train):,} training, {len(self.validation):,} validation and {len(self.test):,} test"
        return f"LabelledSentences({self.name}: {counts} sentences in {len(self.classes)} classes)"


def load_labelled(name: str | Path = "polarity", fold: int | None = None) -> LabelledSentences:
    """Load sentences with labels, divided so that no sentence stands in two splits.

    Two sentences are the same here if they differ in capital letters, punctuation and spacing only. The public data
    sets come from the folder LLMCOURSE_DATA or are downloaded once.

    Args:
        name: "polarity" (sentences of film reviews, negative or positive: Pang and Lee 2005), "trec" (questions in six
            classes: Li and Roth 2002), or the path of a CSV or TSV file with a sentence and its label in each row. A
            file named like a data set is loaded with `Path("trec")`.
        fold: polarity only: which tenth is the test, 0 (default) to 9. The set has no official split, so papers report
            the mean over ten folds.

    Returns:
        A `LabelledSentences`, always the same one. All 10,662 sentences of polarity are kept: one tenth of each class
        for test, the next tenth for validation. The test of trec is the published one, 500 questions in their order;
        of the 5,452 training questions, 86 are left out because they repeat another one or stand in the test (11 do;
        papers keep them), and a tenth of the others is for validation. A file gives a tenth of each class to
        validation and as many to test; repeated rows count once; its classes are sorted, as numbers if all are.

    Raises:
        DataError: the name or the fold is unknown, or the data is missing, damaged or not what it should be.

    Example:
        >>> load_labelled("trec").classes                                   # doctest: +SKIP
        ('ABBR', 'DESC', 'ENTY', 'HUM', 'LOC', 'NUM')
    """
    if fold is not None and name != "polarity":
        remedy = "leave fold out, or load polarity"
        raise DataError("fold", "None, since only polarity has folds", f"{fold!r} for {str(name)!r}", remedy)
    if name == "polarity":
        return _load_polarity(0 if fold is None else fold)
    if name == "trec":
        return _load_trec()
    return _load_file(find_own_file(name, NAMES, REMEDY))


def folds(rows: Sequence[Row], count: int = FOLDS) -> np.ndarray:
    """Give each sentence one of `count` folds: all of the same size, each class in each, the same ones for ever.

    Sentences that differ in capital letters, punctuation and spacing only go into the same fold. Chance is replaced by
    SHA-256 of the sentence, so the folds depend neither on the order of the rows nor on a random generator.

    Args:
        rows: (sentence, class) rows.
        count: number of folds.

    Returns:
        int64 (N,): the fold of each row, 0 to count - 1.
    """
    groups: dict[str, list[int]] = {}
    for index, (text, _) in enumerate(rows):
        groups.setdefault(sentence_key(text), []).append(index)
    dealt: Counter[str] = Counter()
    result = np.zeros(len(rows), dtype=np.int64)
    for key in sorted(groups, key=rank_of_text):
        label = min(rows[index][1] for index in groups[key])
        result[groups[key]] = dealt[label] % count
        dealt[label] += 1
    return result


def _load_polarity(fold: int) -> LabelledSentences:
    from llmcourse.data.polarity import read_polarity  # here and below: only the chosen data set is imported

    if not isinstance(fold, int) or isinstance(fold, bool) or fold not in range(FOLDS):
        required = f"a fold of polarity, 0 to {FOLDS - 1}"
        raise DataError("fold", required, repr(fold), 'call load_labelled("polarity", fold=0)')
    return _divide(f"polarity-fold-{fold}", read_polarity(), fold)


def _load_trec() -> LabelledSentences:
    from llmcourse.data.trec import read_trec

    test = read_trec("test")
    seen = {sentence_key(text) for text, _ in test}
    different: dict[str, Row] = {}
    for text, label in read_trec("train"):
        key = sentence_key(text)
        if key not in seen:
            different.setdefault(key, (text, label))
    rows = _mix(different.values())
    classes = _sort_classes([*rows, *test])
    is_validation = folds(rows) == 0
    train, validation = _select(rows, ~is_validation, classes), _select(rows, is_validation, classes)
    return LabelledSentences("trec", classes, train, validation, _make_split(test, classes))


def _load_file(path: Path) -> LabelledSentences:
    rows = read_labelled_table(path)
    different = Counter(label for _, label in {(sentence_key(text), label) for text, label in rows})
    if len(different) < 2:
        received = f"one class, {next(iter(different))!r}" if different else "a heading and no rows"
        raise DataError(str(path), "at least two classes", received, "add sentences with another label")
    rare = min(sorted(different), key=different.__getitem__)
    if different[rare] < FEWEST:
        required = f"at least {FEWEST} different sentences of each class, to train, to validate and to test with"
        remedy = "add sentences or remove that class, and look whether the label stands in the second column"
        raise DataError(str(path), required, f"{different[rare]} of class {rare!r}", remedy)
    return _divide(path.name, rows, fold=0)


def _divide(name: str, rows: Iterable[Row], fold: int) -> LabelledSentences:
    mixed = _mix(rows)
    classes, of_row = _sort_classes(mixed), folds(mixed)
    is_test, is_validation = of_row == fold, of_row == (fold + 1) % FOLDS
    parts = (~is_test & ~is_validation, is_validation, is_test)
    return LabelledSentences(name, classes, *(_select(mixed, part, classes) for part in parts))


def _mix(rows: Iterable[Row]) -> list[Row]:
    """Order rows in a way that looks like chance and never changes: sources are sorted by class."""
    return sorted(rows, key=lambda row: (rank_of_text(sentence_key(row[0])), row))


def _sort_classes(rows: Iterable[Row]) -> tuple[str, ...]:
    classes = {label for _, label in rows}
    if all(label.removeprefix("-").isdecimal() for label in classes):
        return tuple(sorted(classes, key=lambda label: (int(label), label)))  # "2" before "10"
    return tuple(sorted(classes))


def _select(rows: Sequence[Row], chosen: np.ndarray, classes: tuple[str, ...]) -> LabelledSplit:
    return _make_split([row for row, is_chosen in zip(rows, chosen, strict=True) if is_chosen], classes)


def _make_split(rows: Sequence[Row], classes: tuple[str, ...]) -> LabelledSplit:
    number = {label: place for place, label in enumerate(classes)}
    return LabelledSplit(tuple(text for text, _ in rows), np.array([number[label] for _, label in rows], np.int64))
