"""Text to token ids and back: byte-level byte-pair encoding, trained on both languages together.

The first 4 ids are reserved, the next 256 stand for single bytes, and each further one for a piece of text that is
frequent in the training data. Since every text is a sequence of bytes, none is unknown and nothing is lost.

Sennrich, Haddow and Birch (2016), Neural Machine Translation of Rare Words with Subword Units; on bytes: Radford et al.
(2019), Language Models are Unsupervised Multitask Learners.
"""

import hashlib
import json
import operator
import os
import random
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
import tokenizers
from tokenizers import models, pre_tokenizers, trainers

from llmcourse.data.store import DataError
from llmcourse.data.token_ids import END, PAD, START
from llmcourse.files import write_atomically

# What stands in the vocabulary for the ids below `token_ids.FIRST_WORD`. No text can become one of these: letters and
# other characters are cut apart before pieces are looked for.
RESERVED = ("<pad>", "<unk>", "<start>", "<end>")
SMALLEST = len(RESERVED) + 256
SEEN_AT_LEAST = 2  # a piece that occurs once teaches nothing
REMEDY = "give the tokenizer.json that was saved with the model, or train again"


def _byte_letters() -> dict[str, int]:
    """Map the letters in which the library writes bytes to the bytes: printable ones stand for themselves."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = {chr(byte): byte for byte in printable}
    return letters | {chr(256 + place): byte for place, byte in enumerate(others)}


BYTE_LETTERS = _byte_letters()


class Tokenizer:
    """Turn text into token ids and back without loss, the same ids for both languages.

    One vocabulary for source and target lets names and numbers, which look the same in both, share their pieces. Digits
    are always single tokens, so that a number that was never seen is still spelled with tokens that were.

    Args:
        pieces: the vocabulary in the order of the ids, written in the library's letters for bytes.
        merges: the pairs of pieces that are joined, the first ones first.

    Raises:
        ValueError: the vocabulary does not begin with the reserved pieces and the 256 bytes, or does not fit the
            merges.

    Example:
        >>> tokenizer = Tokenizer.train(["the cat sat", "the cat ran", "the hat"], vocab_size=264)
        >>> tokenizer.tokens("the bat")
        ['the', ' ', 'b', 'at']
        >>> tokenizer.decode(tokenizer.encode("Grüße, 世界!"))
        'Grüße, 世界!'
    """

    def __init__(self, pieces: Sequence[str], merges: Iterable[tuple[str, str]]) -> None:
        self._merges = [(left, right) for left, right in merges]
        if tuple(pieces[: len(RESERVED)]) != RESERVED or set(pieces[len(RESERVED) : SMALLEST]) != set(BYTE_LETTERS):
            raise ValueError(f"pieces must begin with {', '.join(RESERVED)} and the 256 bytes. Received: others.")
        if list(pieces[SMALLEST:]) != list(dict.fromkeys(left + right for left, right in self._merges)):
            raise ValueError("pieces after the bytes must be what the merges make, in that order. Received: others.")
        ids = {piece: index for index, piece in enumerate(pieces)}
        if unknown := [part for merge in self._merges for part in merge if part not in ids]:
            raise ValueError(f"merges must join pieces of the vocabulary. Received: {unknown[0]!r}.")
        self._tokenizer = _assemble(models.BPE(vocab=ids, merges=self._merges))
        reserved = [b""] * len(RESERVED)
        self._bytes = reserved + [bytes(BYTE_LETTERS[letter] for letter in piece) for piece in pieces[len(RESERVED) :]]
        content = json.dumps([list(pieces), self._merges])
        self._fingerprint = hashlib.sha256(content.encode("utf-8")).hexdigest()[:16]

    @classmethod
    def train(cls, texts: Iterable[str], vocab_size: int) -> "Tokenizer":
        """Learn the pieces that occur most often in texts of both languages.

        The same texts give the same tokenizer. Pieces never reach across a space, a digit or a punctuation mark, and
        occur at least twice.

        Args:
            texts: sentences of the training data.
            vocab_size: int, V: 4 reserved ids, 256 bytes and V - 260 pieces.

        Returns:
            The `Tokenizer`.

        Raises:
            TypeError: a text is no str, or `texts` is a single one.
            ValueError: `vocab_size` is below 260 or more than the texts can give; a text is no valid Unicode.
        """
        if isinstance(texts, str):
            raise TypeError(f"texts must be several texts. Received: one, {texts[:30]!r}.")
        if vocab_size < SMALLEST:
            required = f"vocab_size must be at least {SMALLEST} (4 reserved ids and 256 bytes)"
            raise ValueError(f"{required}. Received: {vocab_size}.")
        tokenizer = _assemble(models.BPE())
        trainer = trainers.BpeTrainer(
            vocab_size=vocab_size,
            min_frequency=SEEN_AT_LEAST,
            special_tokens=list(RESERVED),
            initial_alphabet=sorted(BYTE_LETTERS),
            show_progress=False,
        )
        with _one_thread():
            tokenizer.train_from_iterator((_check_text(text) for text in texts), trainer)
        reached = tokenizer.get_vocab_size()
        if reached < vocab_size:
            required = f"vocab_size must be at most {reached:,}, which is all that these texts can give"
            raise ValueError(f"{required}. Received: {vocab_size:,}.")
        return cls(*_take_apart(json.loads(tokenizer.to_str())))

    @property
    def vocab_size(self) -> int:
        """The number of different ids, V."""
        return len(self._bytes)

    @property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that differ for another vocabulary: a model is of no use with another one."""
        return self._fingerprint

    def encode(self, text: str) -> list[int]:
        """Turn a text into token ids, without START and END.

        Args:
            text: any text; an empty one gives no ids.

        Returns:
            The ids, from 4 to V - 1.

        Raises:
            TypeError: the text is no str.
            ValueError: the text is no valid Unicode (it holds half of a surrogate pair).
        """
        return self._tokenizer.encode(_check_text(text)).ids

    def encode_at_random(self, text: str, dropout: float, rng: random.Random) -> list[int]:
        """Turn a text into other token ids each time, which decode to the same text: BPE-dropout, for training only.

        At each step every merge that is possible is passed over with the probability `dropout`, so a word comes now as
        one piece and now as several. The model learns what pieces have in common, and has seen most spellings of a rare
        word before it meets one in use.

        Args:
            text: any text.
            dropout: float, from 0 (the same as `encode`) to 1 (single bytes); 0.1 is usual.
            rng: decides which merges are passed over.

        Returns:
            The ids, from 4 to V - 1.

        Raises:
            ValueError: `dropout` is out of range, or the text is no valid Unicode.

        Source: Provilkov, Emelianenko & Voita (2020), BPE-Dropout: Simple and Effective Subword Regularization.

        Example:
            >>> tokenizer = Tokenizer.train(["the cat sat", "the cat ran"], vocab_size=264)
            >>> [len(tokenizer.encode_at_random("the cat", dropout, random.Random(0))) for dropout in (0, 0.3, 1)]
            [3, 4, 7]
        """
        if not 0 <= dropout <= 1:
            raise ValueError(f"dropout must be from 0 to 1. Received: {dropout}.")
        words = self._tokenizer.pre_tokenizer.pre_tokenize_str(_check_text(text))  # in the library's letters for bytes
        return [self._ids[piece] for word, _ in words for piece in self._merge_at_random(list(word), dropout, rng)]

    def _merge_at_random(self, parts: list[str], dropout: float, rng: random.Random) -> list[str]:
        ranks = self._ranks
        while True:
            found = (
                (rank, place)
                for place, pair in enumerate(pairwise(parts))
                if (rank := ranks.get(pair)) is not None and rng.random() >= dropout
            )
            _, place = min(found, default=(0, None))
            if place is None:
                return parts
            parts[place : place + 2] = [parts[place] + parts[place + 1]]

    @cached_property
    def _ranks(self) -> dict[tuple[str, str], int]:
        """Say how early each merge was learned."""
        return {pair: rank for rank, pair in reversed(list(enumerate(self._merges)))}

    @cached_property
    def _ids(self) -> dict[str, int]:
        return self._tokenizer.get_vocab()

    def tokens(self, text: str) -> list[str]:
        r"""Cut a text into its pieces, as many as ids: the labels on the axes of an attention map.

        Args:
            text: any text.

        Returns:
            The pieces, which join to the text unless a rare character is cut into bytes; those are written as `\xe7`.

        Raises:
            ValueError: the text is no valid Unicode.
        """
        return [self._bytes[index].decode("utf-8", errors="backslashreplace") for index in self.encode(text)]

    def decode(self, ids: Iterable[int]) -> str:
        """Turn token ids into text. Reserved ids are left out, and nothing after the first END counts.

        Args:
            ids: integers from 0 to V - 1.

        Returns:
            The text. Bytes that are no character, as a model may write, become the replacement character U+FFFD.

        Raises:
            ValueError: an id is outside the vocabulary.
        """
        pieces = []
        for index in map(operator.index, ids):
            if not 0 <= index < self.vocab_size:
                raise ValueError(f"ids must lie between 0 and {self.vocab_size - 1}. Received: {index}.")
            if index == END:
                break
            pieces.append(self._bytes[index])
        return b"".join(pieces).decode("utf-8", errors="replace")

    def encode_batch(
        self, texts: Sequence[str], max_length: int, *, start: bool = False, end: bool = True
    ) -> np.ndarray:
        """Turn texts into one array of ids, padded with PAD up to the longest.

        Args:
            texts: B texts.
            max_length: int, the greatest L, START and END included; longer texts are cut and keep their END.
            start: bool, whether each row begins with START.
            end: bool, whether each row ends with END.

        Returns:
            int32 (B, L), where L is the length of the longest row; (0, 0) without texts.

        Raises:
            TypeError: `texts` is a single text.
            ValueError: `max_length` leaves no room for a token, or a text is no valid Unicode.
        """
        if isinstance(texts, str):
            raise TypeError(f"texts must be a sequence of texts. Received: one text, {texts[:30]!r}.")
        room = max_length - start - end
        if room < 1:
            required = f"max_length must be at least {1 + start + end}, one token besides START and END"
            raise ValueError(f"{required}. Received: {max_length}.")
        rows = [[START] * start + self.encode(text)[:room] + [END] * end for text in texts]
        batch = np.full((len(rows), max(map(len, rows), default=0)), PAD, np.int32)  # (B, L)
        for row, ids in zip(batch, rows, strict=True):
            row[: len(ids)] = ids
        return batch

    def save(self, path: Path) -> None:
        """Write the tokenizer to a file in the library's own format, `tokenizer.json`.

        Args:
            path: the file; missing folders above it are made.

        Raises:
            OSError: the place cannot be written; the file is then as it was before.
        """
        write_atomically(Path(path), self._tokenizer.to_str())

    @classmethod
    def load(cls, path: Path) -> "Tokenizer":
        """Read a tokenizer that `save` wrote.

        Args:
            path: the file.

        Returns:
            The `Tokenizer`, with the same fingerprint.

        Raises:
            DataError: the file is missing, damaged or another program's tokenizer.
        """
        try:
            return cls(*_take_apart(json.loads(Path(path).read_text(encoding="utf-8"))))
        except OSError as error:
            received = error.strerror or str(error)
            raise DataError(str(path), "a saved tokenizer", received, REMEDY) from None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:  # of damaged JSON, too
            received = f"something else ({type(error).__name__}: {error})"
            required = "a whole tokenizer that llmcourse saved"
            raise DataError(str(path), required, received, REMEDY) from None


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let the library train on one thread, unless the user said otherwise; it takes about a second.

    With several it warns on standard error, or hangs, in a process that is forked afterwards.
    """
    named = "TOKENIZERS_PARALLELISM"
    if named in os.environ:
        yield
        return
    os.environ[named] = "false"
    try:
        yield
    finally:
        os.environ.pop(named, None)


def _assemble(model: models.BPE) -> tokenizers.Tokenizer:
    tokenizer = tokenizers.Tokenizer(model)
    digits = pre_tokenizers.Digits(individual_digits=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    return tokenizer


def _take_apart(content: dict) -> tuple[list[str], list[tuple[str, str]]]:
    """Return the pieces in the order of their ids, and the merges, of the library's description of a tokenizer."""
    vocabulary, merges = content["model"]["vocab"], content["model"]["merges"]
    pieces = sorted(vocabulary, key=vocabulary.__getitem__)
    if [vocabulary[piece] for piece in pieces] != list(range(len(pieces))):
        raise ValueError("the ids of a vocabulary must be 0, 1, 2 and so on without a gap")
    return pieces, [(left, right) for left, right in merges]


def _check_text(text: str) -> str:
    """Refuse half of a surrogate pair, which stands for no character and which the library cannot take."""
    if not isinstance(text, str):
        raise TypeError(f"text must be a str. Received: {type(text).__name__}.")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        received = f"{text[error.start]!r} at place {error.start}"
        raise ValueError(f"text must be valid Unicode. Received: {received}.") from None
    return text
