"""Data sets: small real ones inside the installation, larger ones from a folder or downloaded once.

Importing this package costs no more than NumPy: whatever is heavier is imported when a data set is loaded or, for the
tokenizer, when its name is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from llmcourse.data.mnist import Mnist, load_mnist
from llmcourse.data.parallel import SentencePairs, Split, load_pairs
from llmcourse.data.store import DataError

if TYPE_CHECKING:
    from llmcourse.data.tokenizer import Tokenizer

__all__ = ["DataError", "Mnist", "SentencePairs", "Split", "Tokenizer", "load_mnist", "load_pairs"]


def __getattr__(name: str) -> Any:
    if name != "Tokenizer":
        raise AttributeError(f"module 'llmcourse.data' has no attribute {name!r}")
    return import_module("llmcourse.data.tokenizer").Tokenizer


def __dir__() -> list[str]:
    return sorted(__all__)
