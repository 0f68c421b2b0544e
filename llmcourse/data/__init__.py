"""Data sets: small real ones inside the installation, larger ones from a folder or downloaded once.

Importing this package costs nothing: what a name needs is imported when the name is first used, and what is heavier
when a data set is loaded.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llmcourse.data.labelled import LabelledSentences, LabelledSplit, load_labelled
    from llmcourse.data.mnist import Mnist, load_mnist
    from llmcourse.data.parallel import SentencePairs, Split, load_pairs
    from llmcourse.data.running_text import RunningText, load_text
    from llmcourse.data.store import DataError
    from llmcourse.data.tokenizer import Tokenizer

__all__ = [
    "DataError",
    "LabelledSentences",
    "LabelledSplit",
    "Mnist",
    "RunningText",
    "SentencePairs",
    "Split",
    "Tokenizer",
    "load_labelled",
    "load_mnist",
    "load_pairs",
    "load_text",
]

_HOMES = {
    "DataError": "store",
    "LabelledSentences": "labelled",
    "LabelledSplit": "labelled",
    "Mnist": "mnist",
    "RunningText": "running_text",
    "SentencePairs": "parallel",
    "Split": "parallel",
    "Tokenizer": "tokenizer",
    "load_labelled": "labelled",
    "load_mnist": "mnist",
    "load_pairs": "parallel",
    "load_text": "running_text",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'llmcourse.data' has no attribute {name!r}")
    return getattr(import_module(f"llmcourse.data.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
