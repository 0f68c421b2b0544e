"""Batches of sentence pairs in a few fixed shapes, so that little padding is computed and few shapes are compiled.

Pairs of similar length share a bucket. Every batch of a bucket has the same shape, and each bucket takes as many pairs
into a batch as make about the same number of tokens: a step costs about the same, whatever it holds.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from llmcourse.data.tokenizer import END, PAD, START

BUCKETS = 8


class Batch(NamedTuple):
    """Hold one batch for teacher forcing.

    Args:
        sources: int32 (B, S), each sentence with END, filled up with PAD.
        inputs: int32 (B, T), what the decoder reads: START and the target.
        labels: int32 (B, T), what it must say: the target and END.
    """

    sources: np.ndarray
    inputs: np.ndarray
    labels: np.ndarray

    @property
    def tokens(self) -> int:
        """Count the tokens that the decoder must say."""
        return int((self.labels != PAD).sum())


class BucketedBatches:
    """Cut sentence pairs into batches of few shapes, in another order in each epoch.

    An epoch is a function of the seed and its number alone, so a run that was killed finds the batches that are still
    missing. Each pair comes once in an epoch; where the last batch of a bucket is not full, a few come twice, since a
    smaller batch would be one more shape.

    Args:
        sources: token ids of each source, without START and END.
        targets: token ids of each target, without START and END.
        batch_tokens: about how many positions, padding included, the longer side of a batch has.
        max_length: pairs with a longer side, END included, are left out.
        buckets: the largest number of shapes.

    Raises:
        ValueError: the two differ in number, a number is out of range, or no pair is short enough.

    Example:
        >>> batches = BucketedBatches([[4], [5], [6, 7]], [[8], [9], [10]], batch_tokens=4, max_length=9, buckets=2)
        >>> sorted(batches.shapes)
        [(1, 3, 2), (2, 2, 2)]
    """

    def __init__(
        self,
        sources: Sequence[Sequence[int]],
        targets: Sequence[Sequence[int]],
        *,
        batch_tokens: int,
        max_length: int,
        buckets: int = BUCKETS,
    ):
        if len(sources) != len(targets) or min(batch_tokens, buckets) < 1 or max_length < 2:
            raise ValueError(
                "sources and targets must be equally many, batch_tokens and buckets at least 1, max_length at least 2. "
                f"Received: {len(sources)} and {len(targets)}, {batch_tokens}, {buckets} and {max_length}."
            )
        self._sources, self._targets = sources, targets
        lengths = np.array([[len(s) + 1, len(t) + 1] for s, t in zip(sources, targets, strict=True)]).reshape(-1, 2)
        longest = lengths.max(axis=1, initial=0)
        kept = np.flatnonzero(longest <= max_length)
        if not kept.size:
            raise ValueError(
                f"At least one pair of at most {max_length} tokens is required. Received: {len(sources)} pairs"
                f"{f', the shortest with {longest.min()}' if longest.size else ''}."
            )
        self.left_out = len(sources) - kept.size
        order = kept[np.argsort(longest[kept], kind="stable")]
        groups = _split(order, longest[order], buckets)
        self._buckets = [_Bucket.of(pairs, lengths[pairs], batch_tokens) for pairs in groups]

    @property
    def shapes(self) -> list[tuple[int, int, int]]:
        """List (B, S, T) of each bucket."""
        return [bucket.shape for bucket in self._buckets]

    def __len__(self) -> int:
        return sum(bucket.batches for bucket in self._buckets)

    def epoch(self, seed: int, number: int, first: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch, from the one with index `first` on.

        Args:
            seed: of the run.
            number: of the epoch.
            first: how many batches to pass over, for a run that goes on within an epoch.

        Yields:
            The batches; those of different buckets are mixed.
        """
        rng = np.random.default_rng([seed, number])
        plan = []
        for bucket in self._buckets:
            pairs = np.resize(rng.permutation(bucket.pairs), (bucket.batches, bucket.shape[0]))  # repeats the first
            plan += [(bucket, batch) for batch in pairs]
        for index in rng.permutation(len(plan))[first:]:
            yield self._fill(*plan[index])

    def _fill(self, bucket: "_Bucket", pairs: np.ndarray) -> Batch:
        size, source_length, target_length = bucket.shape
        sources = np.full((size, source_length), PAD, np.int32)
        inputs, labels = (np.full((size, target_length), PAD, np.int32) for _ in range(2))
        for row, pair in enumerate(pairs):
            source, target = self._sources[pair], self._targets[pair]
            sources[row, : len(source) + 1] = [*source, END]
            inputs[row, : len(target) + 1] = [START, *target]
            labels[row, : len(target) + 1] = [*target, END]
        return Batch(sources, inputs, labels)


@dataclass(frozen=True, eq=False)
class _Bucket:
    """The pairs of one shape: indices (N,), and (B, S, T) of every batch."""

    pairs: np.ndarray
    shape: tuple[int, int, int]

    @classmethod
    def of(cls, pairs: np.ndarray, lengths: np.ndarray, batch_tokens: int) -> "_Bucket":
        source_length, target_length = (int(length) for length in lengths.max(axis=0))
        most = max(1, batch_tokens // max(source_length, target_length))
        batches = -(-len(pairs) // most)
        size = -(-len(pairs) // batches)  # as equal as can be: fewer pairs come twice than there are batches
        return cls(pairs, (size, source_length, target_length))

    @property
    def batches(self) -> int:
        return -(-len(self.pairs) // self.shape[0])


def _split(order: np.ndarray, longest: np.ndarray, buckets: int) -> list[np.ndarray]:
    """Cut pairs sorted by length into groups with about equally many tokens; equal lengths stay together."""
    share = np.cumsum(longest) * buckets / longest.sum()  # (N,), rises from 0 to the number of buckets
    ends = {int(np.searchsorted(longest, longest[np.searchsorted(share, edge)], "right")) for edge in range(1, buckets)}
    return [group for group in np.split(order, sorted(ends)) if group.size]
