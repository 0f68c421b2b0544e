"""From a model that scores the next token to a whole sentence."""

from llmcourse.decoding.search import END, START, greedy_decode

__all__ = ["END", "START", "greedy_decode"]
