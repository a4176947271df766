"""Sparse scores: a score that is not stored is below every cut."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.sources import blocks
from limen.sources.arrays import CSR, UNKNOWN, check_finite_entries, truth_codes, working_dtype
from limen.sources.blocks import Blocks, Entries, OfBase, Pairs, Rows, Totals
from limen.sources.by_label import ByLabel
from limen.sources.dense import DenseSource, parts_at, weights_of
from limen.sources.matrix import Matrix
from limen.sources.tables import select_columns


@dataclass(frozen=True)
class SparseSource(Blocks):
    """Sparse scores: a score that is not stored is below every cut."""

    scores: CSR
    truth: NDArray[Any] | Matrix | CSR
    mask: NDArray[np.bool_] | None
    weight: NDArray[Any] | None
    labels: tuple[str, ...]
    first_row: int = 0

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of the stored scores as the user gave them."""
        return self.scores.data.dtype.newbyteorder("=")

    @property
    def n_items(self) -> int:
        """Number of rows."""
        return self.scores.shape[0]

    @property
    def n_scores(self) -> int:
        """Number of scores that are stored."""
        return len(self.scores.data)

    @property
    def weighted(self) -> bool:
        """Whether the counts are sums of weights (float64) and not of items (int64)."""
        return self.weight is not None

    def blocks(self, *, check: bool = True) -> Iterator[Entries]:
        """Return the stored scores, in item order, in blocks of bounded size."""
        for rows in self._spans():
            yield self._entries(rows.start, rows.stop, check)

    def _spans(self) -> Iterator[slice]:
        """Return spans of items with few stored scores, or, if labels are dense, few pairs."""
        indptr, start = self.scores.indptr, 0
        most = self.n_items if self._truth_is_sparse else max(1, blocks.BLOCK_ELEMENTS // len(self.labels))
        while start < self.n_items:
            limit = int(indptr[start]) + blocks.BLOCK_ELEMENTS
            stop = max(start + 1, int(np.searchsorted(indptr, limit, side="right")) - 1)
            stop = min(stop, start + most, self.n_items)
            yield slice(start, stop)
            start = stop

    @property
    def _truth_is_sparse(self) -> bool:
        return isinstance(self.truth, CSR) and self.mask is None

    def pairs(self) -> Iterator[Pairs]:
        """Return all pairs that have a score or a label, in item order; scores are not checked."""
        for rows in self._spans():
            scored = self._entries(rows.start, rows.stop, check=False)
            yield Pairs(rows, self._with_unscored(scored, rows), weights_of(self.weight, rows))

    def _with_unscored(self, scored: Entries, rows: slice) -> Entries:
        """Return a block with the pairs besides whose label is positive or unknown."""
        n_labels = len(self.labels)
        if self._truth_is_sparse:
            assert isinstance(self.truth, CSR)
            part = self.truth.rows(rows.start, rows.stop)
            some = np.flatnonzero(part.data)
            row, label, codes = part.row_of_entries()[some], part.indices[some].astype(np.int64), part.data[some]
        else:
            every = self._codes(rows)
            row, label = np.nonzero(every)
            codes = every[row, label]
        key, known = row * n_labels + label, scored.row * n_labels + scored.label
        at = np.minimum(np.searchsorted(known, key), max(len(known) - 1, 0))
        new = known[at] != key if len(known) else np.ones(len(key), bool)
        if not new.any():
            return scored
        weight = weights_of(self.weight, rows)[row[new]]
        scores = np.full(len(weight), -np.inf, scored.scores.dtype)
        unscored = Entries(scores, label[new], codes[new], weight, row[new])
        return scored.with_more(unscored)

    def by_label(self) -> ByLabel:
        """Return a source of the same data from which a few of very many labels are selected quickly."""
        return ByLabel.of(self)

    def _codes(self, rows: slice) -> NDArray[np.int8]:
        """Return the truth of all pairs of some items, where it or the mask is dense."""
        known = None if self.mask is None else self.mask[rows]
        if not isinstance(self.truth, CSR):
            return truth_codes(self.truth[rows], self.labels, self.first_row + rows.start, known)
        part = self.truth.rows(rows.start, rows.stop)
        codes = np.zeros(part.shape, np.int8)
        codes[part.row_of_entries(), part.indices] = part.data
        return codes if known is None else np.where(known, codes, np.int8(UNKNOWN))

    def dense_blocks(self) -> Iterator[Rows]:
        """Return the blocks as rows, in item order; a score that is not stored is -inf."""
        step = max(1, blocks.BLOCK_ELEMENTS // len(self.labels))
        for start in range(0, self.n_items, step):
            rows = np.arange(start, min(start + step, self.n_items))
            part = self.scores.rows(start, rows[-1] + 1)
            scores = np.full(part.shape, -np.inf, working_dtype(self.dtype))
            scores[part.row_of_entries(), part.indices] = part.data
            yield from DenseSource(
                scores, *parts_at(rows, self.truth, self.mask, self.weight), self.labels
            ).dense_blocks()

    def take(self, rows: NDArray[np.int64]) -> SparseSource | SparseRows:
        """Return a source of these rows only, in this order: copied if they are few, else on each pass."""
        length = self.scores.indptr[rows + 1] - self.scores.indptr[rows]
        return SparseRows(self, rows) if length.sum() > blocks.BLOCK_ELEMENTS else self.copied(rows)

    def copied(self, rows: NDArray[np.int64]) -> SparseSource:
        """Return a source of these rows only, in this order (copied)."""
        return SparseSource(
            self.scores.take(rows), *parts_at(rows, self.truth, self.mask, self.weight), self.labels
        )

    def select(self, labels: tuple[str, ...]) -> SparseSource:
        """Return a source of the columns of these labels, in this order (copied)."""
        scores = select_columns(self.scores, self.labels, labels)
        truth = select_columns(self.truth, self.labels, labels)
        mask = None if self.mask is None else select_columns(self.mask, self.labels, labels)
        return SparseSource(scores, truth, mask, self.weight, labels, self.first_row)

    def _entries(self, start: int, stop: int, check: bool) -> Entries:
        part = self.scores.rows(start, stop)
        values = np.ascontiguousarray(part.data, dtype=working_dtype(self.dtype))
        row = part.row_of_entries()
        column = part.indices.astype(np.int64)
        if check:
            check_finite_entries(part, self.labels, self.first_row + start)
        if self._truth_is_sparse:
            assert isinstance(self.truth, CSR)
            truth = self.truth.rows(start, stop)
            keys = truth.row_of_entries() * len(self.labels) + truth.indices
            wanted = row * len(self.labels) + column
            at = np.minimum(np.searchsorted(keys, wanted), max(len(keys) - 1, 0))
            found = (keys[at] == wanted) if len(keys) else np.zeros(len(wanted), bool)
            codes = np.where(found, truth.data[at] if len(keys) else 0, 0).astype(np.int8)
        else:
            codes = self._codes(slice(start, stop))[row, column]
        weight = weights_of(self.weight, slice(start, stop))
        return Entries(values, column, codes, weight[row], row)

    def totals(self, before: Totals | None = None) -> Totals:
        """Return the weight of the positive and of the negative items of each label, added to ``before``."""
        if not self._truth_is_sparse:
            no_scores = np.broadcast_to(np.float32(0), self.scores.shape)
            dense = DenseSource(no_scores, self.truth, self.mask, self.weight, self.labels, self.first_row)
            return dense.totals(before)
        positive, negative = map(np.copy, before or Totals.none(len(self.labels), self.weighted))
        assert isinstance(self.truth, CSR)
        weight, labelled = weights_of(self.weight, slice(0, self.n_items)), np.zeros_like(positive)
        for rows in self._spans():
            part = self.truth.rows(rows.start, rows.stop)
            of_entry = weight[rows][part.row_of_entries()]
            for chosen, total in ((part.data != 0, labelled), (part.data == 1, positive)):
                np.add.at(total, part.indices[chosen], of_entry[chosen])
        negative += weight.sum() - labelled
        return Totals(positive, negative)


@dataclass(frozen=True, eq=False)
class SparseRows(OfBase):
    """Rows of a sparse source, by their numbers; they are copied block by block, on each pass."""

    base: SparseSource
    rows: NDArray[np.int64]

    @property
    def n_items(self) -> int:
        """Number of rows."""
        return len(self.rows)

    @property
    def n_scores(self) -> int:
        """Number of scores that are stored."""
        return int(np.diff(self.base.scores.indptr)[self.rows].sum())

    def _pieces(self) -> Iterator[SparseSource]:
        step = max(1, len(self.rows) * blocks.BLOCK_ELEMENTS // self.n_scores)
        for start in range(0, len(self.rows), step):
            yield self.base.copied(self.rows[start : start + step])

    def blocks(self, *, check: bool = True) -> Iterator[Entries]:
        """Return the stored scores, in item order, in blocks of bounded size."""
        for piece in self._pieces():
            yield from piece.blocks(check=check)

    def pairs(self) -> Iterator[Pairs]:
        """Return all pairs that have a score or a label, in item order; scores are not checked."""
        start = 0
        for piece in self._pieces():
            for part in piece.pairs():
                yield part._replace(rows=slice(start + part.rows.start, start + part.rows.stop))
            start += piece.n_items

    def dense_blocks(self) -> Iterator[Rows]:
        """Return the blocks as rows, in item order; a score that is not stored is -inf."""
        for piece in self._pieces():
            yield from piece.dense_blocks()

    def totals(self, before: Totals | None = None) -> Totals:
        """Return the weight of the positive and of the negative items of each label, added to ``before``."""
        totals = before or Totals.none(len(self.labels), self.weighted)
        for piece in self._pieces():
            totals = piece.totals(totals)
        return totals

    def by_label(self) -> ByLabel:
        """Return a source of the same data from which a few of very many labels are selected quickly."""
        return ByLabel.of(self)

    def take(self, rows: NDArray[np.int64]) -> SparseSource | SparseRows:
        """Return a source of these of the rows only, in this order."""
        return self.base.take(self.rows[rows])

    def select(self, labels: tuple[str, ...]) -> SparseRows:
        """Return a source of the columns of these labels, in this order."""
        return SparseRows(self.base.select(labels), self.rows)
