"""Sentence pairs: what they are, how they are read from a file, and how they are divided without a leak."""

import gzip
import hashlib
import unicodedata
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from llmcourse.data.store import DataError

MAX_CHARACTERS = 5_000  # a longer "sentence" is a sign of the wrong file, and attention's cost grows with its square
GZIP_START = b"\x1f\x8b"

Pair = tuple[str, str]


@dataclass(frozen=True, repr=False)
class Split:
    """Hold sentences and their translations, side by side: `targets[i]` translates `sources[i]`.

    Args:
        sources: the sentences to translate.
        targets: their translations, as many.

    Raises:
        ValueError: the two differ in length.
    """

    sources: tuple[str, ...]
    targets: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.sources) != len(self.targets):
            received = f"{len(self.sources)} sources and {len(self.targets)} targets"
            raise ValueError(f"sources and targets must be equally many. Received: {received}.")

    def __len__(self) -> int:
        return len(self.sources)

    def __repr__(self) -> str:
        return f"Split({len(self):,} pairs)"


@dataclass(frozen=True, repr=False)
class SentencePairs:
    """Hold a data set for translation: what to learn from, what to choose by and what to report.

    Args:
        name: which data set: "phrases-zh", "multi30k-de", "tatoeba-cmn", or the name of a file.
        source_language: "en"; "" where it is not known.
        target_language: "zh", "de" or "fr"; "" where it is not known.
        train: pairs to learn from.
        validation: pairs to watch the training by and to choose settings with.
        test: pairs for the figures that are reported.
        combinations: held-out combinations of known words, in `phrases` only.
    """

    name: str
    source_language: str
    target_language: str
    train: Split
    validation: Split
    test: Split
    combinations: Split | None = None

    def __repr__(self) -> str:
        parts = {"training": self.train, "validation": self.validation, "test": self.test}
        counts = [f"{len(split):,} {name}" for name, split in parts.items()]
        if self.combinations is not None:
            counts.append(f"{len(self.combinations):,} held-out combination")
        return f"SentencePairs({self.name}: {', '.join(counts[:-1])} and {counts[-1]} pairs)"


def make_split(pairs: Iterable[Pair]) -> Split:
    """Turn (source, target) pairs into a `Split`."""
    listed = list(pairs)
    return Split(tuple(source for source, _ in listed), tuple(target for _, target in listed))


def read_lines(path: Path, name: str, remedy: str) -> list[str]:
    """Read a UTF-8 text file, plain or gzipped, and say clearly why where that is impossible.

    Lines end with LF or CR LF; other characters that Python's `splitlines` breaks at belong to a sentence. A byte
    order mark, which some editors write, is left out.

    Args:
        path: the file.
        name: what the error calls it.
        remedy: what the error advises.

    Returns:
        The lines without their ends; at least one.

    Raises:
        DataError: the file cannot be read, is a damaged gzip file, is empty or is not UTF-8.
    """
    try:
        content = path.read_bytes()
        if content.startswith(GZIP_START):
            content = gzip.decompress(content)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(name, "a whole gzip file", f"{type(error).__name__}: {error}", remedy) from None
    except OSError as error:
        raise DataError(name, "a file that can be read", error.strerror or str(error), remedy) from None
    if not content.strip():
        received = f"an empty file ({len(content)} bytes)"
        raise DataError(name, "a file of sentences", received, remedy)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        received = f"byte 0x{content[error.start]:02x} in line {line:,}, which no UTF-8 text has there"
        raise DataError(name, "a text in UTF-8", received, f"save it as UTF-8, or {remedy}") from None
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        received = f"a zero byte in line {line:,}, as in UTF-16 or in a file that is no text"
        raise DataError(name, "a text in UTF-8", received, f"save it as UTF-8, or {remedy}")
    return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]


def read_table(path: Path, name: str, remedy: str) -> list[Pair]:
    """Read a file of two columns with a tab between them: a sentence and its translation on each line.

    Args:
        path: the file, plain or gzipped.
        name: what the error calls it.
        remedy: what the error advises where nothing better fits.

    Returns:
        The pairs in the order of the file, without spaces around the sentences.

    Raises:
        DataError: the file cannot be read, or a line is empty, has no tab or several, lacks one of the two sentences,
            or holds a sentence of more than 5,000 characters. The number of the line is named.
    """
    return [_read_row(line, number, name, remedy) for number, line in enumerate(read_lines(path, name, remedy), 1)]


def _read_row(line: str, number: int, name: str, remedy: str) -> Pair:
    required = "on each line a sentence, one tab and its translation"
    if not line.strip():
        raise DataError(name, required, f"line {number:,}, which is empty", "remove empty lines")
    columns = [column.strip() for column in line.split("\t")]
    if len(columns) == 1:
        received = f"line {number:,} without a tab: {shorten(line)}"
        raise DataError(name, required, received, f"write a tab between the two sentences, or {remedy}")
    if len(columns) > 2:
        received = f"line {number:,} with {len(columns) - 1} tabs: {shorten(line)}"
        raise DataError(name, required, received, "keep two columns only: cut -f1,2 FILE > TWO_COLUMNS")
    for side, column in zip(("before", "after"), columns, strict=True):
        if not column:
            received = f"line {number:,} with nothing {side} the tab"
            raise DataError(name, required, received, "write the sentence or remove the line")
        if len(column) > MAX_CHARACTERS:
            received = f"line {number:,} with {len(column.split()):,} words ({len(column):,} characters) in one of them"
            limit = f"sentences of at most {MAX_CHARACTERS:,} characters"
            raise DataError(name, limit, received, "break the text into sentences, one pair on each line")
    return columns[0], columns[1]


def shorten(line: str) -> str:
    """Show the beginning of a text in an error, in quotation marks."""
    return repr(line if len(line) <= 60 else f"{line[:60]}...")


def sentence_key(text: str) -> str:
    """Fold what does not make a sentence another one: capital letters, punctuation and spacing.

    Two sentences with the same key never stand on two sides of a split: "Are you Tom?" and "are you, Tom" are one.

    Args:
        text: any text.

    Returns:
        The text in lower case without punctuation, spaces and invisible characters; a text of nothing else as it is.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    kept = "".join(letter for letter in folded if unicodedata.category(letter)[0] not in "PZC")
    return kept or text


def rank_of_text(text: str) -> bytes:
    """Give a text its place in an order that looks like chance and is the same everywhere and for ever: its SHA-256."""
    return hashlib.sha256(text.encode("utf-8")).digest()


def divide(pairs: Sequence[Pair], *, validation: int, test: int, by_target: bool = False) -> tuple[Split, Split, Split]:
    """Divide pairs into three splits that share no source sentence, the same way everywhere and for ever.

    Pairs that belong together (the same source but for capital letters, punctuation and spacing; with `by_target` also
    the same translation, and so on in a chain) go into the same split. Chance is replaced by SHA-256 of the source, so
    the division depends neither on the order of the pairs nor on a random generator. In validation and test each source
    stands once, with its first translation; its other translations are left out, since training on them would leak.

    Args:
        pairs: (source, target) pairs without repetition.
        validation: number of validation pairs.
        test: number of test pairs.
        by_target: whether pairs with the same translation belong together too.

    Returns:
        The splits train, validation and test, each in a mixed order.

    Raises:
        ValueError: there are too few pairs for splits of these sizes.
    """
    test_pairs: list[Pair] = []
    validation_pairs: list[Pair] = []
    train_pairs: list[Pair] = []
    for group in _mix(_group(pairs, by_target)):
        first: dict[str, Pair] = {}  # one pair for each source sentence
        for source, target in group:
            first.setdefault(sentence_key(source), (source, target))
        if len(test_pairs) + len(first) <= test:
            test_pairs.extend(first.values())
        elif len(validation_pairs) + len(first) <= validation:
            validation_pairs.extend(first.values())
        else:
            train_pairs.extend(group)
    if len(test_pairs) < test or len(validation_pairs) < validation or not train_pairs:
        required = f"pairs must be enough for {test} test, {validation} validation and some training pairs"
        raise ValueError(f"{required}. Received: {len(pairs)}.")
    return make_split(train_pairs), make_split(validation_pairs), make_split(test_pairs)


def _group(pairs: Sequence[Pair], by_target: bool) -> list[list[Pair]]:
    """Put pairs together that share a key, directly or through others (connected components, by union-find)."""
    parents = list(range(len(pairs)))

    def find(index: int) -> int:
        while parents[index] != index:
            parents[index] = parents[parents[index]]  # halves the path, so that the next search is shorter
            index = parents[index]
        return index

    seen: dict[tuple[int, str], int] = {}
    for index, pair in enumerate(pairs):
        for side, text in enumerate(pair if by_target else pair[:1]):
            earlier = seen.setdefault((side, sentence_key(text)), index)
            parents[find(index)] = find(earlier)
    groups: dict[int, list[Pair]] = {}
    for index, pair in enumerate(pairs):
        groups.setdefault(find(index), []).append(pair)
    return list(groups.values())


def _mix(groups: list[list[Pair]]) -> list[list[Pair]]:
    """Order groups by SHA-256 of their first source in the alphabet, which looks like chance and never changes."""

    def rank(group: list[Pair]) -> bytes:
        return rank_of_text(min(sentence_key(source) for source, _ in group))

    return sorted(groups, key=rank)
