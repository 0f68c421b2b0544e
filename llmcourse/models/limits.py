"""What a translator can read: how long a sentence may be, and which text is unlike everything it was trained with."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llmcourse.data.tokenizer import Tokenizer

STRANGE_TOKENS = 0.25  # share of tokens that no source had, from which on a text is called strange
# Text in another language falls into crumbs: fewer characters in a token than in training, and few words that are one
# token. A rare name does that, too, but the words around it stay whole. With the packaged English-Chinese model these
# numbers warn of 100 % of the German and 95 % of the French sentences of Multi30k's validation part and of 1.3 % of the
# English ones; of their first five words 100, 86 and 4 %. A few words of a related language still pass as English.
STRANGE_DENSITY, STRANGE_WORDS, FEWEST_WORDS = 0.7, 0.5, 3
HOPELESS_DENSITY, FEWEST_TOKENS = 0.5, 6  # so low that the words need not be looked at
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")


def too_long(tokens: int, max_length: int) -> str:
    """Say that a text of so many tokens, without END, is cut; "" for one that fits."""
    if tokens < max_length:
        return ""
    return f"It has {tokens:,} tokens; the model reads the first {max_length - 1} and leaves out the rest."


@dataclass(frozen=True)
class SourceLimits:
    """Remember the sources that a model was trained with, in a few numbers, to say when a text is unlike them.

    A model translates everything, also what it cannot read; only a warning tells a reader that the result is a guess.

    Args:
        max_length: tokens that the model reads, END included.
        density: mean number of characters in a token.
        seen: the tokens that occurred, as one hexadecimal number: bit i is token i.
    """

    max_length: int
    density: float
    seen: str

    @classmethod
    def measure(cls, sources: Sequence[str], encoded: Iterable[Sequence[int]], max_length: int) -> "SourceLimits":
        """Collect the limits from the training sources and their token ids.

        Args:
            sources: the texts, at least one that is not empty.
            encoded: their ids, without START and END.
            max_length: tokens that the model reads.

        Returns:
            The limits.
        """
        counted, bits = 0, 0
        for ids in encoded:
            counted += len(ids)
            for token in set(ids):
                bits |= 1 << token
        return cls(max_length, round(sum(map(len, sources)) / max(1, counted), 3), f"{bits:x}")

    @classmethod
    def from_card(cls, card: dict[str, Any]) -> "SourceLimits | None":
        """Read the limits from a model's card; None where it has none."""
        return cls(**card["limits"]) if "limits" in card else None

    def to_card(self) -> dict[str, Any]:
        """Return the entry `limits` of a model's card."""
        return asdict(self)

    def complaint(self, text: str, tokenizer: "Tokenizer") -> str:
        """Say in what a text is unlike the training sources.

        Args:
            text: one line.
            tokenizer: the model's.

        Returns:
            All that is to be said to the user, or "" for a text like those.

        Example:
            >>> class Letters:
            ...     encode = staticmethod(lambda text: [ord(letter) for letter in text])
            >>> SourceLimits(9, 1.0, f"{1 << 97:x}").complaint("a" * 18, Letters())
            'It has 18 tokens; the model reads the first 8 and leaves out the rest.'
        """
        ids = tokenizer.encode(text)
        said = []
        if cut := too_long(len(ids), self.max_length):
            said.append(cut)
        bits = int(self.seen, 16)
        strange = sum(not bits >> token & 1 for token in ids)
        if strange > STRANGE_TOKENS * len(ids) and strange > 1:
            said.append(
                f"{strange} of its {len(ids)} tokens occurred in no sentence that the model learned to read: "
                "another language, or unknown characters. The translation is a guess."
            )
        elif self._falls_apart(text, len(ids), tokenizer):
            said.append(
                f"It falls into {len(ids)} small pieces, unlike the sentences that the model learned to read: "
                "another language, perhaps. The translation is a guess."
            )
        return " ".join(said)

    def _falls_apart(self, text: str, count: int, tokenizer: "Tokenizer") -> bool:
        density = len(text) / max(1, count) / self.density
        if density < HOPELESS_DENSITY:
            return count >= FEWEST_TOKENS
        words = _WORD.findall(text)
        if density >= STRANGE_DENSITY or len(words) < FEWEST_WORDS:
            return False
        whole = sum(min(len(tokenizer.encode(word)), len(tokenizer.encode(f" {word}"))) == 1 for word in words)
        return whole < STRANGE_WORDS * len(words)
