"""Decoding and its score in plain NumPy, each idea as one short function.

The lesson `decoding` writes them one by one. `llmcourse.decoding` itself decodes batches of sentences with a
`Transformer`, and reports are made with sacrebleu. The tests hold the scores here against sacrebleu's, and the search,
with a beam that is wide enough for all, against a list of all sentences.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from llmcourse.data.token_ids import END, PAD, START

StepFunction = Callable[[np.ndarray], np.ndarray]
ReadSource = Callable[[np.ndarray], Any]
ScoreNext = Callable[[np.ndarray, int, Any], tuple[Any, Any]]
OnStep = Callable[[np.ndarray, np.ndarray, np.ndarray], Any]


def beam_search(
    step_fn: StepFunction, beam_size: int, alpha: float, max_length: int, on_step: OnStep | None = None
) -> list[tuple[list[int], float]]:
    """Search for likely sentences, keeping the `beam_size` best beginnings of each length.

    Greedy search can be lured away by one likely token; a beam keeps the runners-up until more is known. The search
    stops as soon as no open prefix can still end among the best.

    A finished sentence leaves its place to another beginning: each step keeps `beam_size` open or newly finished ones.
    In `llmcourse.decoding.beam_search` it keeps its place, so the two may return different sentences.

    Args:
        step_fn: function of prefixes, integers (P, L) that begin with START, that returns the log-probabilities (P, V)
            of the next token.
        beam_size: int, how many beginnings are kept; at least 1.
        alpha: float, 0 or more; a sentence's score is its log-probability / length**alpha.
        max_length: int, the largest number of tokens after START, END included; at least 1.
        on_step: called after each step with the prefixes (P, L), the log-probability of every continuation (P, V) and
            which of them were kept (P, V); or None.

    Returns:
        At most `beam_size` pairs of ids and score, best first: the tokens after START, with END where it was reached.

    Raises:
        ValueError: `beam_size` or `max_length` is below 1, or `alpha` is negative.

    Source: Graves (2012), Sequence Transduction with Recurrent Neural Networks, section 2.5; the length penalty is a
        simple form of that of Wu et al. (2016), Google's Neural Machine Translation System, section 7.

    Example:
        >>> coin = lambda prefixes: np.log([[0, 0, 0, 0.75, 0.25]] * len(prefixes) + np.full(5, 1e-99))
        >>> [(ids, round(score, 2)) for ids, score in beam_search(coin, beam_size=2, alpha=0, max_length=9)]
        [([3], -0.29), ([4, 3], -1.67)]
    """
    if beam_size < 1 or max_length < 1 or not alpha >= 0:
        raise ValueError(
            "beam_size and max_length must be at least 1, and alpha 0 or more. "
            f"Received: {beam_size}, {max_length} and {alpha}."
        )
    prefixes, totals = np.array([[START]]), np.zeros(1)  # (P, L) and (P,)
    finished: list[tuple[list[int], float]] = []
    for length in range(1, max_length + 1):
        candidates = totals[:, None] + np.asarray(step_fn(prefixes), dtype=np.float64)  # (P, V)
        kept = np.argsort(-candidates, axis=None, kind="stable")[:beam_size]
        rows, tokens = np.unravel_index(kept[np.isfinite(candidates.flat[kept])], candidates.shape)
        if on_step is not None:
            mask = np.zeros(candidates.shape, dtype=bool)
            mask[rows, tokens] = True
            on_step(prefixes, candidates, mask)
        prefixes, totals = np.column_stack([prefixes[rows], tokens]), candidates[rows, tokens]
        closed = (tokens == END) | (length == max_length)
        for ids, total in zip(prefixes[closed], totals[closed], strict=True):
            finished.append((ids[1:].tolist(), float(total / length**alpha)))
        finished = sorted(finished, key=lambda pair: -pair[1])[:beam_size]
        prefixes, totals = prefixes[~closed], totals[~closed]
        if not len(prefixes):
            break
        # A log-probability only falls, so no open prefix can end with a better score than this.
        if len(finished) == beam_size and totals.max() / max_length**alpha <= finished[-1][1]:
            break
    return finished


class KeyValueCache:
    """Remember the keys and values of all positions that one attention layer has seen.

    In a causal model they never change once they are computed, so each step adds one position and repeats none.

    Source: Pope et al. (2023), Efficiently Scaling Transformer Inference, section 2.

    Example:
        >>> cache = KeyValueCache()
        >>> for step in range(3):
        ...     keys, values = cache.update(np.ones((1, 2, 1, 5)), np.ones((1, 2, 1, 5)))
        >>> keys.shape
        (1, 2, 3, 5)
    """

    def __init__(self) -> None:
        self._keys: np.ndarray | None = None
        self._values: np.ndarray | None = None

    def update(self, key: np.ndarray, value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Add the keys and values of new positions behind those that are there.

        Args:
            key: float array (B, H, new, K); one new token, or several, such as the beginning of a text.
            value: float array (B, H, new, E).

        Returns:
            The keys (B, H, T, K) and the values (B, H, T, E) of all T positions so far.
        """
        if self._keys is None or self._values is None:
            self._keys, self._values = np.array(key), np.array(value)  # copies: the caller may use its arrays again
        else:
            self._keys = np.concatenate([self._keys, key], axis=2)
            self._values = np.concatenate([self._values, value], axis=2)
        return self._keys, self._values

    def reorder(self, rows: Sequence[int] | np.ndarray) -> None:
        """Let row b of the batch go on from what was row rows[b]; a beam search needs this after each step.

        Args:
            rows: integers (new B,), each from 0 to B-1; a row may occur several times, or never.
        """
        if self._keys is not None and self._values is not None:
            self._keys, self._values = self._keys[np.asarray(rows)], self._values[np.asarray(rows)]


def greedy_decode_cached(
    read_source: ReadSource, score_next: ScoreNext, source: np.ndarray, max_length: int
) -> np.ndarray:
    """Write each target token by token, giving the model nothing but the newest token of each sentence.

    All that the model knows of earlier tokens is in the caches, so each step costs the same however much is written.

    Args:
        read_source: function of the source, integers (B, S), that reads it once and returns fresh caches for it.
        score_next: function of the newest tokens, integers (B, 1), their position, an int that is 0 for START, and the
            caches; it returns the logits of the token that comes next, (B, V), and the caches with the new position.
        source: integers (B, S), 0 is padding.
        max_length: int, at least 1, the largest number of tokens to write, END included.

    Returns:
        int32 (B, max_length): the tokens after START, up to and with END, then PAD.

    Raises:
        ValueError: `max_length` is below 1.

    Source: Pope et al. (2023), Efficiently Scaling Transformer Inference, section 2.

    Example:
        >>> counts_on = lambda tokens, position, caches: (np.eye(9)[tokens[:, 0] + 1], caches)
        >>> greedy_decode_cached(lambda source: None, counts_on, np.array([[5, 6]]), max_length=4).tolist()
        [[3, 0, 0, 0]]
    """
    if max_length < 1:
        raise ValueError(f"max_length must be at least 1. Received: {max_length}.")
    target = np.full((len(source), max_length + 1), PAD, dtype="int32")
    target[:, 0] = START
    finished = np.zeros(len(source), dtype=bool)
    caches = read_source(source)
    for position in range(max_length):
        newest = target[:, position, None]  # (B, 1)
        logits, caches = score_next(newest, position, caches)  # (B, V)
        target[:, position + 1] = np.where(finished, PAD, np.argmax(logits, axis=-1))
        finished |= target[:, position + 1] == END
        if finished.all():
            break
    return target[:, 1:]


def sample(logits: np.ndarray, temperature: float, top_k: int | None, seed: int) -> np.ndarray:
    """Draw one token for each row of logits.

    The most likely text is often dull; drawing gives variety, and temperature and top_k keep it from going astray.

    Args:
        logits: float array (B, V); -inf means impossible, and at least one of each row is finite.
        temperature: float, 0 or more: the logits are divided by it; 0 always takes the most likely token.
        top_k: int, only this many of the most likely tokens of a row may be drawn; None for all.
        seed: int, equal seeds give equal tokens.

    Returns:
        Integer array (B,).

    Raises:
        ValueError: `temperature` is negative or not a number, or `top_k` is below 1.

    Source: Fan, Lewis & Dauphin (2018), Hierarchical Neural Story Generation, section 5.4, for top_k.

    Example:
        >>> sample(np.array([[0.0, 9.0, 1.0]]), temperature=0, top_k=None, seed=0).tolist()
        [1]
    """
    if not temperature >= 0 or (top_k is not None and top_k < 1):
        raise ValueError(f"temperature must be 0 or more, and top_k 1 or more. Received: {temperature} and {top_k}.")
    if temperature == 0:
        return logits.argmax(axis=1)
    probabilities = distribution(logits, temperature, top_k)
    rng = np.random.default_rng(seed)
    return np.array([rng.choice(len(row), p=row) for row in probabilities], dtype=int)


def distribution(logits: np.ndarray, temperature: float, top_k: int | None = None) -> np.ndarray:
    """Turn logits (..., V) into the probabilities (..., V) that `sample` draws from; temperature must be above 0."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    if top_k is not None and top_k < logits.shape[-1]:
        least = np.sort(shifted, axis=-1)[..., -top_k, None]  # the smallest logit that may still be drawn
        shifted = np.where(shifted >= least, shifted, -np.inf)
    odds = np.exp(shifted / temperature)
    return odds / odds.sum(axis=-1, keepdims=True)


def ngram_precisions(hypotheses: Sequence[str], references: Sequence[str], max_n: int = 4) -> list[float]:
    """Compute for n = 1, ..., max_n which share of the n-grams of the hypotheses occurs in their references.

    An n-gram that the hypothesis has more often than the reference counts only as often as the reference has it.

    Args:
        hypotheses: list of strings, tokens separated by white space.
        references: list of strings, one for each hypothesis.
        max_n: int, the longest n-grams.

    Returns:
        List of max_n floats from 0 to 1; counted over all sentences together. 0 where there is no n-gram at all.

    Raises:
        ValueError: the lists differ in length.

    Source: Papineni et al. (2002), BLEU: a Method for Automatic Evaluation of Machine Translation, section 2.1.

    Example:
        >>> ngram_precisions(["the the cat"], ["the cat sleeps"], max_n=2)
        [0.6666666666666666, 0.5]
    """
    if len(hypotheses) != len(references):
        raise ValueError(
            f"There must be one reference for each hypothesis. Received: {len(hypotheses)} and {len(references)}."
        )
    matches, totals = [0] * max_n, [0] * max_n
    for hypothesis, reference in zip(hypotheses, references, strict=True):
        for n in range(1, max_n + 1):
            found, wanted = ngrams(hypothesis, n), ngrams(reference, n)
            matches[n - 1] += (found & wanted).total()  # & takes the smaller count of each n-gram
            totals[n - 1] += found.total()
    return [match / total if total else 0.0 for match, total in zip(matches, totals, strict=True)]


def ngrams(sentence: str, n: int) -> Counter[tuple[str, ...]]:
    """Count the runs of n tokens in a sentence."""
    tokens = sentence.split()
    return Counter(tuple(tokens[start : start + n]) for start in range(len(tokens) - n + 1))


def corpus_bleu(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """Compute BLEU over a whole test set: 4-grams, no smoothing.

    Args:
        hypotheses: list of strings, tokens separated by white space.
        references: list of strings, one for each hypothesis.

    Returns:
        Float from 0 to 100; the same as sacrebleu's with tokenize="none" and smooth_method="none".

    Raises:
        ValueError: the lists differ in length.

    Source: Papineni et al. (2002), BLEU: a Method for Automatic Evaluation of Machine Translation, section 2.3.

    Example:
        >>> round(corpus_bleu(["a b c d e"], ["a b c d e f"]), 1)
        81.9
    """
    precisions = ngram_precisions(hypotheses, references)
    if min(precisions) == 0:
        return 0.0
    written = sum(len(hypothesis.split()) for hypothesis in hypotheses)
    wanted = sum(len(reference.split()) for reference in references)
    brevity = min(1.0, math.exp(1 - wanted / written))
    return 100 * brevity * math.exp(sum(math.log(precision) for precision in precisions) / 4)
