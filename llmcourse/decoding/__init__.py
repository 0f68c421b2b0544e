"""From a model that scores the next token to a whole sentence.

Importing this package imports no Keras: a model in NumPy is searched in the same way.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from llmcourse.decoding.beam import Hypothesis, beam_search
from llmcourse.decoding.sampling import sample_decode
from llmcourse.decoding.search import END, START, greedy_decode
from llmcourse.decoding.translate import Translator

if TYPE_CHECKING:
    from llmcourse.decoding.cache import KeyValueCache

__all__ = [
    "END",
    "START",
    "Hypothesis",
    "KeyValueCache",
    "Translator",
    "beam_search",
    "greedy_decode",
    "sample_decode",
]


def __getattr__(name: str) -> Any:
    if name != "KeyValueCache":
        raise AttributeError(f"module 'llmcourse.decoding' has no attribute {name!r}")
    return import_module("llmcourse.decoding.cache").KeyValueCache


def __dir__() -> list[str]:
    return sorted(__all__)
