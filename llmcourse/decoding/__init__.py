"""From a model that scores the next token to a whole sentence."""

from llmcourse.decoding.beam import Hypothesis, beam_search
from llmcourse.decoding.cache import KeyValueCache
from llmcourse.decoding.sampling import sample_decode
from llmcourse.decoding.search import END, START, greedy_decode
from llmcourse.decoding.translate import Translator

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
