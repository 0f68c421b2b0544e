"""A template makes sentences: it draws words for its slots by a hash and writes each sentence in three languages."""

import hashlib
import math
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from llmcourse.data.phrases import numbers

MAX_WORDS = 15
Lines = tuple[str, str, str]  # English, Chinese, German


@dataclass(frozen=True, slots=True)
class Sentence:
    """Hold one sentence in three languages.

    Args:
        template: name of the template that made it.
        entries: English names of the words and phrases that filled its slots.
        bond: the two of them whose combination may be held out.
        en, zh, de: the sentence.
    """

    template: str
    entries: tuple[str, ...]
    bond: frozenset[str]
    en: str
    zh: str
    de: str


@dataclass(frozen=True)
class Template:
    """Make at most `count` sentences from the words that fit each slot.

    The choice is made by SHA-256 of the template's name and a number, so it is the same on every machine and in every
    version of Python, and words of one slot meet all words of another.

    Args:
        name: name of the function that writes the sentence.
        slots: for each argument of `build` the words that it may take; a word may be a tuple of words.
        bond: positions, among all words, of the two whose combination may be held out.
        count: sentences wanted.
        build: writes the sentence, or returns None where the words do not go together.
    """

    name: str
    slots: tuple[Sequence[Any], ...]
    bond: tuple[int, int]
    count: int
    build: Callable[..., Lines | None]

    def sentences(self) -> Iterator[Sentence]:
        """Yield distinct sentences, at most `count`, and fewer where the words give no more."""
        english: set[str] = set()
        for index in _mixed(self.name, math.prod(map(len, self.slots))):
            if len(english) == self.count:
                return
            choice = self._choose(index)
            lines = self.build(*choice)
            if lines is None or lines[0] in english or lines[0].count(" ") >= MAX_WORDS:
                continue
            english.add(lines[0])
            entries = _names(choice)
            first, second = self.bond
            yield Sentence(self.name, entries, frozenset((entries[first], entries[second])), *lines)

    def _choose(self, index: int) -> list[Any]:
        choice = []
        for slot in self.slots:
            index, position = divmod(index, len(slot))
            choice.append(slot[position])
        return choice


TEMPLATES: dict[str, Template] = {}


def template(*slots: Sequence[Any], bond: tuple[int, int], count: int = 800) -> Callable:
    """Register the decorated function as a template; the arguments are those of `Template`."""

    def register(build: Callable[..., Lines | None]) -> Callable[..., Lines | None]:
        name = getattr(build, "__name__", "")
        TEMPLATES[name] = Template(name, slots, bond, count, build)
        return build

    return register


def statement(en: str, zh: str, de: str) -> Lines:
    """Return the three sentences with a capital letter and a full stop."""
    return en[0].upper() + en[1:] + ".", zh + "。", de[0].upper() + de[1:] + "."


def question(en: str, zh: str, de: str) -> Lines:
    """Return the three sentences with a capital letter and a question mark."""
    return en[0].upper() + en[1:] + "?", zh + "？", de[0].upper() + de[1:] + "?"


def _names(choice: Sequence[Any]) -> tuple[str, ...]:
    names: list[str] = []
    for word in choice:
        if isinstance(word, tuple):
            names.extend(_names(word))
        elif isinstance(word, int):
            names.append(numbers.english(word))
        elif isinstance(word, str):
            names.append(word)
        else:
            names.append(word.en)
    return tuple(names)


def _mixed(name: str, size: int) -> Iterator[int]:
    """Yield each number below `size` at most once, in an order that depends on the name alone."""
    seen: set[int] = set()
    block = 0
    while block < size and len(seen) < size:  # 4 numbers per block: all but a fiftieth of a small range is met
        for value in struct.unpack(">4Q", hashlib.sha256(f"{name}:{block}".encode()).digest()):
            index = value % size
            if index not in seen:
                seen.add(index)
                yield index
        block += 1
