"""What is counted: blocks of scores and labels, and the sources that yield them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from limen.sources.arrays import UNKNOWN
from limen.sources.candidates import Candidates, by_label, joined

if TYPE_CHECKING:
    from limen._kernels import Positive

BLOCK_ELEMENTS = 1 << 20


class Rows(NamedTuple):
    """A dense block: scores (rows, labels), truth codes 1 / 0 / -1 (unknown), a weight for each row."""

    scores: NDArray[Any]
    truth: NDArray[np.int8]
    weight: NDArray[Any]


class Entries(NamedTuple):
    """A sparse block: one element for each stored score."""

    scores: NDArray[Any]
    label: NDArray[np.int64]
    truth: NDArray[np.int8]
    weight: NDArray[Any]
    row: NDArray[np.int64]

    def at(self, chosen: NDArray[np.bool_]) -> Entries:
        """Return the elements that are chosen."""
        return Entries(*(part[chosen] for part in self))  # type: ignore[arg-type]

    def with_more(self, other: Entries) -> Entries:
        """Return the elements of both."""
        parts: Any = zip(self, other, strict=True)
        return Entries(*map(np.concatenate, parts))


class Pairs(NamedTuple):
    """All pairs of some items that have a score or a label: the rows' numbers, the pairs, each row's weight.

    In a sparse block a pair that is not there is known to be negative, and one with a label and no score has the
    score -inf.
    """

    rows: slice
    block: Rows | Entries
    weight: NDArray[Any]


def flatten(block: Rows | Entries, *, known_only: bool = True) -> Entries:
    """Return a block with one element for each pair (whose label is known)."""
    if isinstance(block, Rows):
        n_items, n_labels = block.scores.shape
        row, label = np.repeat(np.arange(n_items), n_labels), np.tile(np.arange(n_labels), n_items)
        block = Entries(block.scores.ravel(), label, block.truth.ravel(), block.weight[row], row)
    known = block.truth != UNKNOWN
    return block if not known_only or known.all() else block.at(known)


class Totals(NamedTuple):
    """Weight of the positive and of the negative items of each label, shape (n_labels,)."""

    positive: NDArray[Any]
    negative: NDArray[Any]

    @property
    def known(self) -> NDArray[Any]:
        """Weight of all items whose label is known."""
        return np.asarray(self.positive + self.negative)

    @classmethod
    def none(cls, n_labels: int, weighted: bool) -> Totals:
        """Return totals of no items."""
        return cls(*np.zeros((2, n_labels), np.float64 if weighted else np.int64))


class Tallies(NamedTuple):
    """Counts at each candidate, int64 or (with weights) float64 (n_candidates,).

    ``tp`` and ``fp`` are the positive and negative items at or above each cut; ``beneath`` is the highest known
    score strictly below it, -inf if there is none.
    """

    tp: NDArray[Any]
    fp: NDArray[Any]
    beneath: NDArray[Any]


class Seen(NamedTuple):
    """What the pass for the candidates leaves: its result, and what need not be counted or read again.

    ``times`` is how many positive items have each cut as their score, int32 (n_candidates,); ``lowest`` and
    ``highest`` are the ends of all scores.
    """

    candidates: Candidates
    times: NDArray[np.int32]
    lowest: float
    highest: float


class Countable(Protocol):
    """All that `limen.Curves` needs of data: what an engine implements."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the labels."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of the scores as the user gave them."""
        ...

    @property
    def n_items(self) -> int:
        """Number of items."""
        ...

    @property
    def weighted(self) -> bool:
        """Whether counts are sums of weights (float64) and not of items (int64)."""
        ...

    def totals(self, before: Totals | None = None) -> Totals:
        """Return the weight of the positive and of the negative items of each label, added to ``before``."""
        ...

    def candidates(self) -> Candidates:
        """Return the distinct scores of the positive items of each label, after checking every score."""
        ...

    def counts(self, candidates: Candidates) -> Tallies:
        """Return the counts at each candidate."""
        ...


@runtime_checkable
class Source(Countable, Protocol):
    """Scores and labels that can be read, block by block, more than once.

    ``seen`` is what the last pass for the candidates found, if there was one.
    """

    seen: Seen | None

    @property
    def n_scores(self) -> int:
        """Number of scores, at most: in sparse data of those that are stored."""
        ...

    def blocks(self, *, check: bool = True) -> Iterator[Rows | Entries]:
        """Return the blocks, in item order; a repeated pass may leave out the check for NaN."""
        ...

    def to_count(self) -> Iterator[Rows | Entries]:
        """Return the blocks for counting, as large as they are without a copy; scores are not checked."""
        ...

    def dense_blocks(self) -> Iterator[Rows]:
        """Return the blocks as rows, in item order; a score that is not stored is -inf."""
        ...

    def pairs(self) -> Iterator[Pairs]:
        """Return all pairs that have a score or a label, in item order; scores are not checked."""
        ...

    def take(self, rows: NDArray[np.int64]) -> Source:
        """Return a source of the rows of these ascending numbers only."""
        ...

    def by_label(self) -> Source:
        """Return a source of the same data from which a few of very many labels are selected quickly."""
        ...

    def select(self, labels: tuple[str, ...]) -> Source:
        """Return a source of the columns of these labels, in this order."""
        ...


class Blocks:
    """Counting by blocks: the base of every source that yields them."""

    seen: Seen | None = None
    summed: Totals | None = None

    @property
    def n_scores(self: Source) -> int:
        """Number of scores, at most: in sparse data of those that are stored."""
        return self.n_items * len(self.labels)

    def to_count(self: Source) -> Iterator[Rows | Entries]:
        """Return the blocks for counting, as large as they are without a copy; scores are not checked."""
        return self.blocks(check=False)

    def pairs(self: Source) -> Iterator[Pairs]:
        """Return all pairs that have a score or a label, in item order; scores are not checked."""
        start = 0
        for block in self.dense_blocks():
            yield Pairs(slice(start, start + len(block.scores)), block, block.weight)
            start += len(block.scores)

    def by_label(self: Source) -> Source:
        """Return a source of the same data from which a few of very many labels are selected quickly."""
        return self

    def candidates(self: Source) -> Candidates:
        """Return the distinct scores of the positive items of each label: one pass, which checks every score."""
        from limen import _kernels

        n_labels = len(self.labels)
        parts, ends = [], [(np.inf, -np.inf)]
        for block in self.to_count():
            found = _positive_scores(block, n_labels)
            if found is None:
                for _ in self.blocks(check=True):
                    pass  # says which score is not finite
                raise AssertionError("the scores change while they are read")
            parts.append((found.size, found.scores))
            ends.append(found.ends)
        offsets, cuts, times = _kernels.distinct_falling(*joined(parts))
        candidates = Candidates(self.labels, self.dtype, offsets, cuts)
        lowest, highest = min(low for low, _ in ends), max(high for _, high in ends)
        vars(self)["seen"] = Seen(candidates, times, lowest, highest)  # sources are frozen
        return candidates

    def counts(self: Source, candidates: Candidates) -> Tallies:
        """Return the counts at each candidate: one pass."""
        from limen import _kernels

        size, exact = len(candidates.cuts), np.float64 if self.weighted else np.int64
        below = np.full(size, -np.inf, candidates.cuts.dtype)
        tallies = Tallies(np.zeros(size, exact), np.zeros(size, exact), below)
        grid = _kernels.Grid(candidates.offsets, candidates.cuts)
        seen = None if self.weighted or self.seen is None or self.seen.candidates is not candidates else self.seen
        for block in self.to_count():
            if seen is not None and isinstance(block, Rows):
                _kernels.count_known(block, grid, (tallies.fp, below))
            else:
                _kernels.count_block(block, grid, tallies)
        if seen is not None:
            # Of rows all known pairs have been counted as negative.
            tallies.fp[:] -= seen.times - tallies.tp
            tallies.tp[:] = seen.times
        _kernels.complete(candidates.offsets, tallies)
        return tallies


class OfBase(Blocks):
    """What a source has of the one that it is made from: the base of sources of some rows, or of other scores."""

    base: Source

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the labels."""
        return self.base.labels

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of the scores as the user gave them."""
        return self.base.dtype

    @property
    def n_items(self) -> int:
        """Number of items."""
        return self.base.n_items

    @property
    def weighted(self) -> bool:
        """Whether counts are sums of weights (float64) and not of items (int64)."""
        return self.base.weighted


def _positive_scores(block: Rows | Entries, n_labels: int) -> Positive | None:
    """Return the scores of each label's positive pairs, and the range of all; None if a score is not finite."""
    from limen import _kernels

    if isinstance(block, Rows):
        return _kernels.positive_scores(block.scores, block.truth)
    if not np.isfinite(block.scores).all():
        return None
    positive = np.flatnonzero(block.truth == 1)
    size, scores = by_label(block.label[positive], block.scores[positive], n_labels)
    ends = float(block.scores.min(initial=np.inf)), float(block.scores.max(initial=-np.inf))
    return _kernels.Positive(size, scores, ends)
