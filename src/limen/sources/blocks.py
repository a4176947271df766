"""What is counted: blocks of scores and labels, and the sources that yield them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from limen.sources.arrays import UNKNOWN
from limen.sources.candidates import Candidates, by_label, joined

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


def flatten(block: Rows | Entries, *, known_only: bool = True) -> Entries:
    """Return a block with one element for each pair (whose label is known)."""
    if isinstance(block, Rows):
        n_items, n_labels = block.scores.shape
        row, label = np.repeat(np.arange(n_items), n_labels), np.tile(np.arange(n_labels), n_items)
        block = Entries(block.scores.ravel(), label, block.truth.ravel(), block.weight[row], row)
    known = block.truth != UNKNOWN
    return block if not known_only or known.all() else Entries(*(part[known] for part in block))


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
    """Scores and labels that can be read, block by block, more than once."""

    def blocks(self, *, check: bool = True) -> Iterator[Rows | Entries]:
        """Return the blocks, in item order; a repeated pass may leave out the check for NaN."""
        ...

    def to_count(self) -> Iterator[Rows | Entries]:
        """Return the blocks for counting, as large as they are without a copy; scores are not checked."""
        ...

    def dense_blocks(self) -> Iterator[Rows]:
        """Return the blocks as rows, in item order; a score that is not stored is -inf."""
        ...

    def take(self, rows: NDArray[np.int64]) -> Source:
        """Return a source of the rows of these ascending numbers only."""
        ...

    def select(self, labels: tuple[str, ...]) -> Source:
        """Return a source of the columns of these labels, in this order."""
        ...


class Blocks:
    """Counting by blocks: the base of every source that yields them."""

    def to_count(self: Source) -> Iterator[Rows | Entries]:
        """Return the blocks for counting, as large as they are without a copy; scores are not checked."""
        return self.blocks(check=False)

    def candidates(self: Source) -> Candidates:
        """Return the distinct scores of the positive items of each label: one pass, which checks every score."""
        n_labels = len(self.labels)
        parts = []
        for block in self.to_count():
            found = _positive_scores(block, n_labels)
            if found is None:
                for _ in self.blocks(check=True):
                    pass  # says which score is not finite
                raise AssertionError("the scores change while they are read")
            parts.append(found)
        return Candidates.end_to_end(self.labels, self.dtype, *joined(parts))

    def counts(self: Source, candidates: Candidates) -> Tallies:
        """Return the counts at each candidate: one pass."""
        from limen import _kernels

        size, exact = len(candidates.cuts), np.float64 if self.weighted else np.int64
        below = np.full(size, -np.inf, candidates.cuts.dtype)
        tallies = Tallies(np.zeros(size, exact), np.zeros(size, exact), below)
        grid = _kernels.Grid(candidates.offsets, candidates.cuts)
        for block in self.to_count():
            _kernels.count_block(block, grid, tallies)
        _kernels.complete(candidates.offsets, tallies)
        return tallies


def _positive_scores(block: Rows | Entries, n_labels: int) -> tuple[NDArray[np.int64], NDArray[Any]] | None:
    """Return each label's number of positive pairs, and their scores end to end; None if a score is not finite."""
    from limen import _kernels

    if isinstance(block, Rows):
        return _kernels.positive_scores(block.scores, block.truth)
    if not np.isfinite(block.scores).all():
        return None
    positive = np.flatnonzero(block.truth == 1)
    return by_label(block.label[positive], block.scores[positive], n_labels)
