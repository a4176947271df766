"""Scores and labels kept label by label: of very many labels a few are selected without a look at the others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from limen.names import match
from limen.sources import blocks
from limen.sources.arrays import CSR, working_dtype
from limen.sources.blocks import Blocks, Entries, Pairs, Rows, Source, Totals, flatten
from limen.sources.dense import weights_of

if TYPE_CHECKING:
    from limen.sources.sparse import SparseSource

MANY_LABELS = 1 << 13
"""Of more labels, what takes much memory for each is done for so many at a time, about."""


@dataclass(frozen=True, eq=False)
class ByLabel(Blocks):
    """Every pair that has a score or a label, end to end by label, and within a label in the order of items.

    Attributes
    ----------
    offsets : int64 (n_labels + 1,)
    scores : float32 or float64 (n_pairs,)
        -inf where there is no score.
    truth : int8 (n_pairs,)
    row : int32 or int64 (n_pairs,)
    weight : float64 (n_items,), optional
    """

    labels: tuple[str, ...]
    dtype: np.dtype[Any]
    n_items: int
    offsets: NDArray[np.int64]
    scores: NDArray[Any]
    truth: NDArray[np.int8]
    row: NDArray[Any]
    weight: NDArray[Any] | None

    @classmethod
    def of(cls, source: Source) -> ByLabel:
        """Return the pairs of a source turned: two passes."""
        from limen._kernels.turning import turn_block

        n_labels, weights = len(source.labels), []
        size = np.zeros(n_labels, np.int64)
        for _, block, weight in source.pairs():
            size += np.bincount(flatten(block, known_only=False).label, minlength=n_labels)
            weights.append(weight)
        offsets = np.concatenate([[0], np.cumsum(size)])
        scores = np.empty(offsets[-1], working_dtype(source.dtype))
        truth, row = np.empty(len(scores), np.int8), np.empty(len(scores), _short(source.n_items))
        place = offsets[:-1].copy()
        for rows, block, _ in source.pairs():
            part = flatten(block, known_only=False)
            numbers = (part.row + rows.start).astype(row.dtype)
            turn_block((part.scores, part.label, part.truth, numbers), place, (scores, truth, row))
        of_items = np.concatenate(weights) if source.weighted else None
        return cls(source.labels, source.dtype, source.n_items, offsets, scores, truth, row, of_items)

    @property
    def n_scores(self) -> int:
        """Number of scores, at most."""
        return len(self.scores)

    @property
    def weighted(self) -> bool:
        """Whether the counts are sums of weights (float64) and not of items (int64)."""
        return self.weight is not None

    @property
    def label(self) -> NDArray[np.int64]:
        """Label number of each pair."""
        return np.repeat(np.arange(len(self.labels)), np.diff(self.offsets))

    def blocks(self, *, check: bool = True) -> Iterator[Entries]:
        """Return the pairs with a score, in the order of labels; they were checked before."""
        start, n_labels = 0, len(self.labels)
        while start < n_labels:
            limit = int(self.offsets[start]) + blocks.BLOCK_ELEMENTS
            stop = min(max(start + 1, int(np.searchsorted(self.offsets, limit, side="right")) - 1), n_labels)
            every = self.between(start, stop)
            scored = every.scores > -np.inf
            yield every.at(scored)
            start = stop

    def between(self, start: int, stop: int) -> Entries:
        """Return all pairs of the labels from number ``start`` to ``stop``, label by label."""
        own = slice(int(self.offsets[start]), int(self.offsets[stop]))
        row = self.row[own].astype(np.int64)
        label = np.repeat(np.arange(start, stop), np.diff(self.offsets[start : stop + 1]))
        weight = weights_of(self.weight, slice(0, self.n_items))[row]
        return Entries(self.scores[own], label, self.truth[own], weight, row)

    def pairs(self) -> Iterator[Pairs]:
        """Return all pairs that have a score or a label, in item order; scores are not checked."""
        return self.by_item().pairs()

    def dense_blocks(self) -> Iterator[Rows]:
        """Return the blocks as rows, in item order; a score that is not stored is -inf."""
        return self.by_item().dense_blocks()

    def by_item(self) -> SparseSource:
        """Return the same data in the order of items."""
        from limen.sources.sparse import SparseSource

        order, label = np.argsort(self.row, kind="stable"), self.label
        parts = []
        for chosen, data in ((self.scores > -np.inf, self.scores), (self.truth != 0, self.truth)):
            own = order[chosen[order]]
            indptr = np.concatenate([[0], np.cumsum(np.bincount(self.row[own], minlength=self.n_items))])
            parts.append(CSR(data[own], label[own], indptr, (self.n_items, len(self.labels))))
        scores = parts[0]._replace(data=parts[0].data.astype(self.dtype))
        return SparseSource(scores, parts[1], None, self.weight, self.labels)

    def totals(self, before: Totals | None = None) -> Totals:
        """Return the weight of the positive and of the negative items of each label, added to ``before``."""
        positive, negative = map(np.copy, before or Totals.none(len(self.labels), self.weighted))
        weight, label = weights_of(self.weight, slice(0, self.n_items)), self.label
        labelled = np.zeros_like(positive)
        for codes, total in ((self.truth != 0, labelled), (self.truth == 1, positive)):
            np.add.at(total, label[codes], weight[self.row[codes]])
        return Totals(positive, negative + (weight.sum() - labelled))

    def take(self, rows: NDArray[np.int64]) -> ByLabel:
        """Return a source of the rows of these ascending numbers only (copied)."""
        number = np.full(self.n_items, -1, self.row.dtype)
        number[rows] = np.arange(len(rows))
        row = number[self.row]
        kept = row >= 0
        before = np.concatenate([[0], np.cumsum(kept)])
        return replace(
            self,
            n_items=len(rows),
            offsets=before[self.offsets],
            scores=self.scores[kept],
            truth=self.truth[kept],
            row=row[kept],
            weight=None if self.weight is None else self.weight[rows],
        )

    def select(self, labels: tuple[str, ...]) -> ByLabel:
        """Return a source of these labels, in this order (copied)."""
        return self.at(np.array(match(labels, self.labels, between=("the labels", "the data"), extra="ignore")))

    def at(self, numbers: NDArray[np.int64]) -> ByLabel:
        """Return a source of the labels of these numbers, in this order (copied)."""
        size = np.diff(self.offsets)[numbers]
        offsets = np.concatenate([[0], np.cumsum(size)])
        of = np.repeat(self.offsets[numbers] - offsets[:-1], size) + np.arange(offsets[-1])
        labels = tuple(self.labels[k] for k in numbers.tolist())
        parts = {"scores": self.scores[of], "truth": self.truth[of], "row": self.row[of]}
        return replace(self, labels=labels, offsets=offsets, **parts)


def _short(n_items: int) -> Any:
    """Return a type of whole numbers that holds the numbers of so many items."""
    return np.int32 if n_items < 1 << 31 else np.int64
