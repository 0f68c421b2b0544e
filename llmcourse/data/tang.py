"""Poems of the Tang dynasty: cleaned, simplified if wanted, and divided so that no line of seven characters leaks.

The first 10,008 poems of the Complete Tang Poems (全唐诗, compiled in 1705) in the collection chinese-poetry
(github.com/chinese-poetry/chinese-poetry, MIT).
"""

import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from llmcourse.data.chinese import load_simplifier
from llmcourse.data.sentences import rank_of_text
from llmcourse.data.store import DataFile, fetch

# The folder is 全唐诗, written as an address has it.
ADDRESS = (
    "https://raw.githubusercontent.com/chinese-poetry/chinese-poetry/99ebbef7e1345c0985c44b9fd96a3f9e776f117b/"
    "%E5%85%A8%E5%94%90%E8%AF%97"
)
SHA256 = {
    "poet.tang.0.json": "4f88f429938082523cdc72a1612bd7a7c3e3f7a33f8192c61ae51340efc3c92d",
    "poet.tang.1000.json": "6e703b8d8dcedbd6110f6d48d043665ca2131db2035a5bfcef5e59a19aeb6d75",
    "poet.tang.2000.json": "ec28efa7e2ae9cdbbba09f0ed186e32ccae47a325ad1e5816b7ad56071c1665a",
    "poet.tang.3000.json": "9e4ba2323752b6b9fbdba875cdbc6a26636fe0cabc85fd066370d4915952001f",
    "poet.tang.4000.json": "b8a7946c879b9658a6c667a4c55f776fae7e5e00a17789ab06b274c1429afc66",
    "poet.tang.5000.json": "a0306e6962cff01639ad9a00b042a201b8dec1f30fa5d768a7b112589887861e",
    "poet.tang.6000.json": "982a21d2b15922b406911f1c825785054314c686da86b2155d7aebb362d22771",
    "poet.tang.7000.json": "a6fb69d7b4343c904dc56ae5aae34facc2478d196b51c37ceba9d1e2f171b342",
    "poet.tang.8000.json": "ac3848e95b02736168003863795de4474838c2d6a71a24ca2a4a280ea5177773",
    "poet.tang.9000.json": "b99d6596e3a1fe1a661652383083f92d196b8baf4e461d087081d5e1e1b7a51f",
}
VALIDATION = 500
TEST = 500
SHARED = 7  # characters: the longer of the two usual lengths of a line
POEM_END = "\n\n"

MISSING = re.compile(r"□|\{[^}]*\}")  # a character that is lost, or only described by its parts: {臨/手}
NOTE = re.compile(r"（[^）]*）")  # an editor's: （一作「叉」）
STRAY = re.compile(r"[\[\]/”]")  # [ ] around what editors restored, and slips of the pen
DOUBLE = re.compile(r"(?<=[，。？！])[，。]")
UNTITLED = "無題"


@dataclass(frozen=True)
class Poem:
    """Hold one poem.

    Args:
        title: its title; "無題" (untitled) where the source has none.
        author: who wrote it.
        lines: its couplets with their punctuation.
    """

    title: str
    author: str
    lines: tuple[str, ...]

    @property
    def key(self) -> str:
        """The characters of the lines without punctuation: two poems with the same are one."""
        return "".join(letter for letter in "".join(self.lines) if unicodedata.category(letter)[0] == "L")

    def write(self, headings: bool) -> str:
        """Write the poem as it stands in a running text: one couplet a line, and an empty line after the last."""
        heading = [self.title, self.author] if headings else []
        return "\n".join([*heading, *self.lines]) + POEM_END


def describe_file(name: str) -> DataFile:
    """Name one of the ten files, its address at the pinned commit and its hash."""
    return DataFile(f"tang/{name}", f"{ADDRESS}/{name}", SHA256[name])


def load_tang(simplified: bool, headings: bool) -> tuple[str, str, str]:
    """Load the poems as three running texts, the same poems in each whatever the arguments are.

    Args:
        simplified: whether to turn the traditional characters of the source into simplified ones.
        headings: whether each poem begins with a line of its title and one of its author.

    Returns:
        The texts for training, validation (500 poems) and test (500 poems).

    Raises:
        DataError: a file is missing or damaged, or OpenCC is wanted and not installed.
    """
    convert = load_simplifier("tang, simplified") if simplified else str
    parts = divide_poems(read_poems(), validation=VALIDATION, test=TEST)
    train, validation, test = (convert("".join(poem.write(headings) for poem in part)) for part in parts)
    return train, validation, test


def read_poems() -> list[Poem]:
    """Read all poems that are whole, each once, cleaned by the rules of `clean_poem`.

    Returns:
        The poems in the order of the source, with traditional characters.

    Raises:
        DataError: a file is missing, damaged or not the expected one.
    """
    poems: dict[str, Poem] = {}
    for name in SHA256:
        for entry in json.loads(fetch(describe_file(name)).read_bytes()):
            poem = clean_poem(Poem(entry["title"], entry["author"], tuple(entry["paragraphs"])))
            if poem is not None:
                poems.setdefault(poem.key, poem)
    return list(poems.values())


def clean_poem(poem: Poem) -> Poem | None:
    """Remove from a poem what editors put into it, or leave it out if a character is missing.

    Notes in round brackets go with their brackets; characters that were restored in square brackets stay without them;
    slashes and a single closing quotation mark go; of two marks in a row the first stays. A poem with a missing
    character, □ or described by its parts as in {臨/手}, in a line or in the title is None: a model would learn it.

    Args:
        poem: as the source has it.
    """
    if any(MISSING.search(text) for text in (poem.title, *poem.lines)):
        return None
    lines = tuple(DOUBLE.sub("", _strip_marks(line)) for line in poem.lines)
    return Poem(_strip_marks(poem.title) or UNTITLED, _strip_marks(poem.author), lines)


def _strip_marks(text: str) -> str:
    return STRAY.sub("", NOTE.sub("", text)).strip()


def divide_poems(
    poems: Sequence[Poem], *, validation: int, test: int, shared: int = SHARED
) -> tuple[list[Poem], list[Poem], list[Poem]]:
    """Divide poems so that no seven characters in a row stand in two splits, the same way for ever.

    Many poems stand in the source twice, with another title and some other characters, and poets took lines from each
    other. Poems that share `shared` characters in a row (punctuation does not count) go into the same split, and so on
    in a chain. Chance is replaced by SHA-256 of the poem, so the division does not depend on the order of the poems.

    Args:
        poems: different poems, with traditional characters.
        validation: number of poems for validation.
        test: number of poems for test.
        shared: how many characters in a row make two poems belong together.

    Returns:
        The poems for training, validation and test, each in a mixed order.

    Raises:
        ValueError: there are too few poems for splits of these sizes.
    """
    parts: tuple[list[Poem], list[Poem], list[Poem]] = ([], [], [])
    train_part, validation_part, test_part = parts
    groups = _group([poem.key for poem in poems], shared)
    for group in sorted(groups, key=lambda group: min(rank_of_text(poems[index].key) for index in group)):
        if len(test_part) + len(group) <= test:
            chosen = test_part
        elif len(validation_part) + len(group) <= validation:
            chosen = validation_part
        else:
            chosen = train_part
        chosen.extend(poems[index] for index in sorted(group, key=lambda index: rank_of_text(poems[index].key)))
    if len(test_part) < test or len(validation_part) < validation or not train_part:
        required = f"poems must be enough for {test} test, {validation} validation and some training poems"
        raise ValueError(f"{required}. Received: {len(poems)}.")
    return parts


def _group(keys: Sequence[str], shared: int) -> Iterable[list[int]]:
    """Put the indices of texts together that share `shared` letters in a row, directly or through others."""
    home = list(range(len(keys)))  # the name of the group that each text is in
    members = {index: [index] for index in home}
    seen: dict[str, int] = {}
    for index, key in enumerate(keys):
        for start in range(max(1, len(key) - shared + 1)):
            small, large = home[index], home[seen.setdefault(key[start : start + shared], index)]
            if small == large:
                continue
            if len(members[small]) > len(members[large]):
                small, large = large, small
            for member in members[small]:
                home[member] = large
            members[large] += members.pop(small)
    return members.values()
