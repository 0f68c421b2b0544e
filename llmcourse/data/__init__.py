"""Data sets: small real ones inside the installation, larger ones from a folder or downloaded once.

Importing this package costs nothing: what a name needs is imported when the name is first used, and what is heavier
when a data set is loaded.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llmcourse.data.mnist import Mnist, load_mnist
    from llmcourse.data.parallel import SentencePairs, Split, load_pairs
    from llmcourse.data.store import DataError
    from llmcourse.data.tokenizer import Tokenizer

__all__ = ["DataError", "Mnist", "SentencePairs", "Split", "Tokenizer", "load_mnist", "load_pairs"]

_HOMES = {
    "DataError": "store",
    "Mnist": "mnist",
    "SentencePairs": "parallel",
    "Split": "parallel",
    "Tokenizer": "tokenizer",
    "load_mnist": "mnist",
    "load_pairs": "parallel",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'llmcourse.data' has no attribute {name!r}")
    return getattr(import_module(f"llmcourse.data.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
