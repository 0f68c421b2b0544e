"""Batches of one shape without waste: several sentence pairs in a row, kept apart by segment ids.

Sentences differ in length: where 64 of Multi30k share a batch, filled up to the longest, half of all positions are
padding. Here a row holds as many pairs as fit. Its segment ids, 1 for the first pair, 2 for the second, 0 for
what is left over, tell the model who may attend to whom (`llmcourse.layers.segment_mask`) and where positions begin
anew, so each pair is computed as if it stood alone. Batches have one shape, and another one for long pairs only.

Source: Krell, Kosec, Perez & Fitzgibbon (2021), Efficient Sequence Packing without Cross-contamination.
"""

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from llmcourse.data.tokenizer import END, PAD, START

ROW = 32  # tokens in a row of short pairs: a few sentences; in rows twice as long, attention makes a step 10 % slower


class PackedBatch(NamedTuple):
    """Hold one batch for teacher forcing.

    Args:
        sources: int32 (B, S), sentences with END one after another, PAD in what is left of a row.
        source_segments: int32 (B, S), which sentence of its row a token belongs to, from 1; 0 is padding.
        inputs: int32 (B, T), what the decoder reads: START and the target, for each sentence.
        labels: int32 (B, T), what it must say: the target and END.
        target_segments: int32 (B, T), as `source_segments`; a target has the number of its source.
    """

    sources: np.ndarray
    source_segments: np.ndarray
    inputs: np.ndarray
    labels: np.ndarray
    target_segments: np.ndarray

    @property
    def tokens(self) -> int:
        """Count the tokens that the decoder must say."""
        return int((self.labels != PAD).sum())


class PackedBatches:
    """Pack sentence pairs into rows once, and cut the rows into batches, in another order in each epoch.

    Short pairs share rows of 32 tokens, the longer ones rows as long as the longest.

    An epoch is a function of the seed and its number alone, so a run that was killed finds the batches that are still
    missing. Each pair comes once in an epoch; where the last batch is not full, a few rows come twice, since a smaller
    batch would be another shape.

    Args:
        sources: token ids of each source, without START and END.
        targets: token ids of each target, without START and END.
        batch_tokens: about how many positions the longer side of a batch has.
        max_length: pairs with a longer side, END included, are left out.
        row: tokens in a row of short pairs.

    Raises:
        ValueError: the two differ in number, a number is out of range, or no pair is short enough.

    Example:
        >>> batches = PackedBatches([[4], [5], [6, 7]], [[8], [9], [10]], batch_tokens=7, max_length=9)
        >>> batch = next(batches.epoch(seed=0, number=0))
        >>> batch.sources.tolist(), batch.source_segments.tolist()
        ([[6, 7, 3, 5, 3, 4, 3]], [[1, 1, 1, 2, 2, 3, 3]])
        >>> batch.inputs.tolist()
        [[2, 10, 2, 9, 2, 8]]
    """

    def __init__(
        self,
        sources: Sequence[Sequence[int]],
        targets: Sequence[Sequence[int]],
        *,
        batch_tokens: int,
        max_length: int,
        row: int = ROW,
    ):
        if len(sources) != len(targets) or batch_tokens < 1 or max_length < 2:
            raise ValueError(
                "sources and targets must be equally many, batch_tokens at least 1, max_length at least 2. "
                f"Received: {len(sources)} and {len(targets)}, {batch_tokens} and {max_length}."
            )
        self._sources, self._targets = sources, targets
        lengths = _lengths(sources, targets)
        longest = lengths.max(axis=1, initial=0)
        kept = np.flatnonzero(longest <= max_length)
        if not kept.size:
            raise ValueError(
                f"At least one pair of at most {max_length} tokens is required. Received: {len(sources)} pairs"
                f"{f', the shortest with {longest.min()}' if longest.size else ''}."
            )
        self.left_out = len(sources) - kept.size
        short = longest[kept] <= row
        groups = [group for group in (kept[short], kept[~short]) if group.size]
        self._groups = [_Rows.of(group, lengths[group], batch_tokens, row) for group in groups]

    def repack(
        self, sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]], steps: "PackedBatches | None" = None
    ) -> "PackedBatches":
        """Pack the same pairs, cut into other tokens, into rows of the same shapes.

        Args:
            sources: token ids of each source; one that no longer fits a row keeps its former ids, and so its target.
            targets: token ids of each target.
            steps: batches whose number is kept: a few rows are left out or come twice. None makes as many as it takes.

        Returns:
            The batches.

        Raises:
            ValueError: there are more or fewer pairs than before.
        """
        if not len(sources) == len(targets) == len(self._sources):
            received = f"{len(sources)} and {len(targets)}"
            raise ValueError(
                f"As many sources and targets as before, {len(self._sources)}, are required. Received: {received}."
            )
        other = copy(self)
        other._sources, other._targets, other._groups = list(self._sources), list(self._targets), []
        for group in self._groups:
            for pair in group.pairs:
                source, target = sources[pair], targets[pair]
                if len(source) < group.shape[1] and len(target) < group.shape[2]:
                    other._sources[pair], other._targets[pair] = source, target
        lengths = _lengths(other._sources, other._targets)
        for place, group in enumerate(self._groups):
            batches = steps._groups[place].batches if steps else None
            other._groups.append(group.repack(lengths[group.pairs], batches))
        return other

    @property
    def shapes(self) -> list[tuple[int, int, int]]:
        """List (B, S, T) of short and of long pairs, as far as there are any."""
        return [group.shape for group in self._groups]

    def __len__(self) -> int:
        return sum(group.batches for group in self._groups)

    def epoch(self, seed: int, number: int, first: int = 0) -> Iterator[PackedBatch]:
        """Yield the batches of an epoch, from the one with index `first` on.

        Args:
            seed: of the run.
            number: of the epoch.
            first: how many batches to pass over, for a run that goes on within an epoch.

        Yields:
            The batches.
        """
        rng = np.random.default_rng([seed, number])
        plan = []
        for group in self._groups:
            order = rng.permutation(len(group.rows))
            rows = np.resize(order, (group.batches, group.shape[0]))  # the last batch repeats the first rows
            plan += [(group, batch) for batch in rows]
        for index in rng.permutation(len(plan))[first:]:
            group, batch = plan[index]
            yield self._fill(group.shape, [group.rows[row] for row in batch])

    def _fill(self, shape: tuple[int, int, int], rows: Sequence[np.ndarray]) -> PackedBatch:
        _, source_length, target_length = shape
        sources, source_segments = (np.full((len(rows), source_length), PAD, np.int32) for _ in range(2))
        inputs, labels, target_segments = (np.full((len(rows), target_length), PAD, np.int32) for _ in range(3))
        for place, row in enumerate(rows):
            s = t = 0  # where the next sentence begins
            for segment, pair in enumerate(row, start=1):
                source, target = self._sources[pair], self._targets[pair]
                s_end, t_end = s + len(source) + 1, t + len(target) + 1
                sources[place, s:s_end], source_segments[place, s:s_end] = [*source, END], segment
                inputs[place, t:t_end], target_segments[place, t:t_end] = [START, *target], segment
                labels[place, t:t_end] = [*target, END]
                s, t = s_end, t_end
        return PackedBatch(sources, source_segments, inputs, labels, target_segments)


@dataclass(frozen=True, eq=False)
class _Rows:
    """Rows of one length: the indices of all pairs, those in each row, (B, S, T) and the number of the batches."""

    pairs: np.ndarray
    rows: list[np.ndarray]
    shape: tuple[int, int, int]
    batches: int

    @classmethod
    def of(cls, pairs: np.ndarray, lengths: np.ndarray, batch_tokens: int, row: int) -> "_Rows":
        sides = [int(length) for length in row_lengths(lengths, row)]
        rows = [pairs[chosen] for chosen in pack(lengths, sides)]
        batches = -(-len(rows) // max(1, batch_tokens // max(sides)))
        size = -(-len(rows) // batches)  # as equal as can be: fewer rows come twice than there are batches
        return cls(pairs, rows, (size, sides[0], sides[1]), -(-len(rows) // size))

    def repack(self, lengths: np.ndarray, batches: int | None) -> "_Rows":
        rows = [self.pairs[row] for row in pack(lengths, self.shape[1:])]
        return replace(self, rows=rows, batches=batches or -(-len(rows) // self.shape[0]))


def _lengths(sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]]) -> np.ndarray:
    """Count the tokens of each pair, END included: (N, 2)."""
    return np.array([[len(s) + 1, len(t) + 1] for s, t in zip(sources, targets, strict=True)]).reshape(-1, 2)


def row_lengths(lengths: np.ndarray, longest: int = ROW) -> np.ndarray:
    """Choose how long rows are: both sides in the proportion of their tokens, so that they are full at the same time.

    Args:
        lengths: integers (N, sides), at least one row.
        longest: what the longer side of a row should have.

    Returns:
        Integers (sides,): the larger is `longest`, or fewer where all tokens need less; none is below the longest
            sequence.
    """
    totals = lengths.sum(axis=0)
    wanted = min(longest, totals.max()) * totals / totals.max()
    return np.maximum(np.ceil(wanted).astype(int), lengths.max(axis=0))


def pack(lengths: np.ndarray, capacity: Sequence[int]) -> list[list[int]]:
    """Share out samples among as few rows as a quick search finds: the longest that still fits, row after row.

    Args:
        lengths: integers (N, sides), of each sample on each of its sides, such as source and target.
        capacity: of a row on each side.

    Returns:
        For each row the indices of its samples; each index comes once.

    Raises:
        ValueError: a sample is longer than a row.

    Example:
        >>> pack(np.array([[2], [5], [3], [4]]), [7])
        [[1, 0], [3, 2]]
    """
    if (lengths > np.asarray(capacity)).any():
        raise ValueError(f"A row must hold the longest sample, {lengths.max(axis=0)}. Received: rows of {capacity}.")
    kinds, kind_of = np.unique(lengths, axis=0, return_inverse=True)  # equal lengths are equally good: search once
    waiting: list[list[int]] = [[] for _ in kinds]
    for index, kind in enumerate(kind_of.ravel().tolist()):
        waiting[kind].append(index)
    longest_first = np.argsort(-kinds.sum(axis=1), kind="stable")
    waiting, kinds = [waiting[kind] for kind in longest_first], kinds[longest_first]
    left = np.array([len(samples) for samples in waiting])
    rows: list[list[int]] = []
    while left.any():
        room, row = np.array(capacity), []
        while (fits := (left > 0) & (kinds <= room).all(axis=1)).any():
            longest = int(fits.argmax())  # the first one that fits
            row.append(waiting[longest].pop())
            left[longest] -= 1
            room = room - kinds[longest]
        rows.append(row)
    return rows
