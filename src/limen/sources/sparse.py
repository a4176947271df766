"""Sparse scores: a score that is not stored is below every cut."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.sources import blocks
from limen.sources.arrays import CSR, UNKNOWN, check_finite_entries, truth_codes, working_dtype
from limen.sources.blocks import Blocks, Entries, Rows, Totals
from limen.sources.dense import DenseSource, parts_at, weights_of
from limen.sources.tables import select_columns


@dataclass(frozen=True)
class SparseSource(Blocks):
    """Sparse scores: a score that is not stored is below every cut."""

    scores: CSR
    truth: NDArray[Any] | CSR
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
    def weighted(self) -> bool:
        """Whether the counts are sums of weights (float64) and not of items (int64)."""
        return self.weight is not None

    def blocks(self, *, check: bool = True) -> Iterator[Entries]:
        """Return the stored scores, in item order, in blocks of bounded size."""
        indptr = self.scores.indptr
        start = 0
        while start < self.n_items:
            limit = int(indptr[start]) + blocks.BLOCK_ELEMENTS
            stop = max(start + 1, int(np.searchsorted(indptr, limit, side="right")) - 1)
            stop = min(stop, self.n_items)
            yield self._entries(start, stop, check)
            start = stop

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

    def take(self, rows: NDArray[np.int64]) -> SparseSource:
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
        if isinstance(self.truth, CSR):
            truth = self.truth.rows(start, stop)
            keys = truth.row_of_entries() * len(self.labels) + truth.indices
            wanted = row * len(self.labels) + column
            at = np.minimum(np.searchsorted(keys, wanted), max(len(keys) - 1, 0))
            found = (keys[at] == wanted) if len(keys) else np.zeros(len(wanted), bool)
            codes = np.where(found, truth.data[at] if len(keys) else 0, 0).astype(np.int8)
        else:
            known = None if self.mask is None else self.mask[start:stop]
            codes = truth_codes(self.truth[start:stop], self.labels, self.first_row + start, known)[row, column]
        if isinstance(self.truth, CSR) and self.mask is not None:
            codes = np.where(self.mask[start:stop][row, column], codes, np.int8(UNKNOWN))
        weight = weights_of(self.weight, slice(start, stop))
        return Entries(values, column, codes, weight[row], row)

    def totals(self, before: Totals | None = None) -> Totals:
        """Return the weight of the positive and of the negative items of each label, added to ``before``."""
        if not isinstance(self.truth, CSR) or self.mask is not None:
            no_scores = np.broadcast_to(np.float32(0), self.scores.shape)
            dense = DenseSource(no_scores, self.truth, self.mask, self.weight, self.labels, self.first_row)
            return dense.totals(before)
        positive, negative = map(np.copy, before or Totals.none(len(self.labels), self.weighted))
        weight = weights_of(self.weight, slice(0, self.n_items))
        of_entry = weight[self.truth.row_of_entries()]
        stored = np.zeros_like(positive)
        np.add.at(stored, self.truth.indices[self.truth.data != 0], of_entry[self.truth.data != 0])
        np.add.at(positive, self.truth.indices[self.truth.data == 1], of_entry[self.truth.data == 1])
        negative += weight.sum() - stored
        return Totals(positive, negative)
