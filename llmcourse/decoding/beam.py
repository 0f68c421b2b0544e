"""Beam search: follow several beginnings side by side, since the best sentence may not begin with the best word."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from llmcourse.data.token_ids import END, START
from llmcourse.decoding.memory import require_memory
from llmcourse.decoding.search import check_source, drop_finished, start_steps


@dataclass(frozen=True)
class Hypothesis:
    """Hold one target that a search has found.

    Args:
        ids: the tokens after START, with END where it was reached.
        score: the log-probability of all these tokens, divided by their number to the power of alpha.
    """

    ids: tuple[int, ...]
    score: float


def beam_search(
    model: Any,
    source: Any,
    max_length: int,
    *,
    beam_size: int = 4,
    alpha: float = 1.0,
    n_best: int = 1,
    use_cache: bool = True,
) -> list[list[Hypothesis]]:
    """Find targets with a high score by following the `beam_size` most probable beginnings at a time.

    The sum of log-probabilities falls with every token, so by itself it prefers short targets. The score is therefore
    divided by length**alpha: 0 changes nothing, 1 gives the mean log-probability of a token. END counts.

    A hypothesis that reaches END keeps its place in the beam, so a sentence begins with `beam_size` places for open
    hypotheses and ends with none; with one place this is greedy search. A sentence is also finished when no open
    hypothesis can beat its n-th best finished one any more: log-probabilities only fall, so an open one of sum s will
    never score more than s / max_length**alpha.

    `llmcourse.steps.decoding.beam_search` follows another rule: it fills the places of finished hypotheses again, so it
    looks at more of them, and the two may return different targets.

    Args:
        model: a `Transformer`, or any callable that maps source ids (B, S) and target ids (B, T), both int32, to logits
            (B, T, V). Only a `Transformer` can use the cache.
        source: integers (B, S), 0 is padding.
        max_length: int, the largest number of tokens to write, END included.
        beam_size: int, how many hypotheses each sentence has.
        alpha: float, at least 0.
        n_best: int, how many hypotheses to return for each sentence, at most `beam_size`.
        use_cache: bool, whether a `Transformer` keeps the keys and values of the tokens written so far.

    Returns:
        For each sentence its best hypotheses, best first: `n_best` of them, or all where there are fewer. One that
        reached `max_length` without END counts as it is.

    Raises:
        ValueError: a number is out of range; `source` does not have two axes; the model's logits are not numbers; the
            memory is too small.

    Source: Sutskever, Vinyals & Le (2014), Sequence to Sequence Learning with Neural Networks, section 3.2; the length
        penalty is that of Koehn & Knowles (2017), Six Challenges for Neural Machine Translation, section 3.6, with a
        power.

    Example:
        >>> counts_on = lambda source, target: 9 * np.eye(9)[np.asarray(target) + 1]
        >>> [[best]] = beam_search(counts_on, np.array([[5, 6]]), max_length=4)
        >>> best.ids, round(best.score, 3)
        ((3,), -0.001)
    """
    source = check_source(source, max_length)
    if not (1 <= n_best <= beam_size and 0 <= alpha < math.inf):
        raise ValueError(
            "beam_size must be at least 1, n_best from 1 to beam_size, and alpha at least 0. "
            f"Received: beam_size {beam_size}, n_best {n_best}, alpha {alpha}."
        )
    found: list[list[Hypothesis]] = [[] for _ in source]
    if not len(source):
        return found
    require_memory(model, source.shape, beam_size, max_length)
    steps = start_steps(model, source, beam_size, beam_size, use_cache)
    beam = _Beam(found, beam_size, alpha, n_best, max_length)
    while beam.length < max_length and beam.is_open().any():
        beam.extend(*steps.advance(beam.newest, beam.parents))
        beam.drop_finished(steps)
    beam.finish_all()
    return [sorted(hypotheses, key=lambda one: -one.score)[:n_best] for hypotheses in found]


class _Beam:
    """The open hypotheses of a batch, W places for each sentence, and the finished ones."""

    def __init__(self, found: list[list[Hypothesis]], width: int, alpha: float, n_best: int, max_length: int):
        self.found, self.width, self.alpha, self.n_best, self.max_length = found, width, alpha, n_best, max_length
        self.running = np.arange(len(found))  # the sentences that still go through the model
        self.totals = np.full((len(found), width), -np.inf)  # log-probabilities; -inf: no hypothesis in this place
        self.totals[:, 0] = 0.0  # all places begin with the same START, which must count once
        self.newest = np.full((len(found), width), START, dtype="int32")
        self.parents = np.zeros((len(found), width), dtype="int64")  # the place that each hypothesis continues
        self.written = np.zeros((len(found), width, 0), dtype="int32")

    @property
    def length(self) -> int:
        return self.written.shape[2]

    def is_open(self) -> np.ndarray:
        """Return which sentences have an open hypothesis, booleans (B,)."""
        return np.isfinite(self.totals).any(axis=1)

    def extend(self, log_probs: np.ndarray, tokens: np.ndarray) -> None:
        """Continue the open hypotheses, given the best next tokens of each and their log-probabilities, (B, W, C)."""
        batch, _, count = tokens.shape
        candidates = (self.totals[:, :, None] + log_probs).reshape(batch, -1)  # (B, W*C)
        best = np.argsort(-candidates, axis=1, kind="stable")[:, : self.width]
        self.parents = best // count
        self.newest = np.take_along_axis(tokens.reshape(batch, -1), best, axis=1)
        former = np.take_along_axis(self.written, self.parents[:, :, None], axis=1)
        self.written = np.concatenate([former, self.newest[:, :, None]], axis=2)
        places = self.width - np.array([len(self.found[sentence]) for sentence in self.running])
        has_place = np.arange(self.width) < places[:, None]
        self.totals = np.where(has_place, np.take_along_axis(candidates, best, axis=1), -np.inf)
        self._finish(self.newest == END)
        for row in np.flatnonzero(self.is_open()).tolist():
            if self._cannot_improve(row):
                self.totals[row] = -np.inf

    def _finish(self, which: np.ndarray) -> None:
        """Move hypotheses to the finished ones, those of the open ones that are marked in the booleans (B, W)."""
        for row, place in np.argwhere(which & np.isfinite(self.totals)):
            score = float(self.totals[row, place]) / self.length**self.alpha
            hypothesis = Hypothesis(tuple(self.written[row, place].tolist()), score)
            self.found[self.running[row]].append(hypothesis)
            self.totals[row, place] = -np.inf

    def _cannot_improve(self, row: int) -> bool:
        """Whether no open hypothesis of the sentence can come before its n-th best finished one."""
        scores = sorted((one.score for one in self.found[self.running[row]]), reverse=True)
        highest_possible = self.totals[row].max() / self.max_length**self.alpha
        return len(scores) >= self.n_best and scores[self.n_best - 1] >= highest_possible

    def drop_finished(self, steps: Any) -> None:
        """Take finished sentences out of the batch once they are half of it."""
        kept = drop_finished(steps, self.running, ~self.is_open())
        if len(kept) < len(self.running):
            stay = np.isin(self.running, kept)
            self.running, self.totals, self.written = kept, self.totals[stay], self.written[stay]
            self.newest, self.parents = self.newest[stay], self.parents[stay]

    def finish_all(self) -> None:
        """Take the open hypotheses as they are: there is no room for an END."""
        self._finish(np.ones_like(self.totals, dtype=bool))
