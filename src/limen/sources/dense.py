"""Dense scores, cut into row blocks of bounded size: views where the dtype allows it, or read when needed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.sources import blocks
from limen.sources.arrays import CSR, UNKNOWN, check_finite, truth_codes, working_dtype
from limen.sources.blocks import Blocks, Rows, Source, Totals
from limen.sources.matrix import Matrix
from limen.sources.tables import select_columns
from limen.sources.taken import Taken, totals_of

COPIED = 1 << 24
"""Up to so many scores are copied when some rows are taken; more are read where they lie."""

READ_ELEMENTS = 1 << 24
"""Scores a block where they are read to be counted: counting sets up a table a label anew for each block."""


@dataclass(frozen=True)
class DenseSource(Blocks):
    """Dense scores, with labels dense or sparse; a `Matrix` stays where it is, and is read block by block."""

    scores: NDArray[Any] | Matrix
    truth: NDArray[Any] | Matrix | CSR
    mask: NDArray[np.bool_] | None
    weight: NDArray[Any] | None
    labels: tuple[str, ...]
    first_row: int = 0

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of the scores as the user gave them."""
        return self.scores.dtype.newbyteorder("=")

    @property
    def n_items(self) -> int:
        """Number of rows."""
        return int(self.scores.shape[0])

    @property
    def weighted(self) -> bool:
        """Whether the counts are sums of weights (float64) and not of items (int64)."""
        return self.weight is not None

    def blocks(self, *, check: bool = True) -> Iterator[Rows]:
        """Return the blocks, in item order."""
        return self._read(blocks.BLOCK_ELEMENTS, check)

    def _read(self, size: int, check: bool) -> Iterator[Rows]:
        """Return blocks of about ``size`` scores."""
        working = working_dtype(self.dtype)
        for rows in self._spans(size):
            scores = np.ascontiguousarray(self.scores[rows], dtype=working)
            if check:
                check_finite(scores, self.labels, self.first_row + rows.start)
            yield Rows(scores, self._codes(rows), weights_of(self.weight, rows))

    def to_count(self) -> Iterator[Rows]:
        """Return all as one block where nothing need be copied for that."""
        truth, scores = self.truth, self.scores
        if isinstance(scores, Matrix):
            yield from self._read(READ_ELEMENTS, check=False)
            return
        as_it_is = scores.flags.c_contiguous and scores.dtype == working_dtype(self.dtype) and self.mask is None
        if as_it_is and isinstance(truth, np.ndarray) and truth.flags.c_contiguous and truth.dtype.itemsize == 1:
            whole = slice(0, self.n_items)
            yield Rows(scores, self._codes(whole), weights_of(self.weight, whole))
        else:
            yield from self.blocks(check=False)

    def totals(self, before: Totals | None = None) -> Totals:
        """Return the weight of the positive and of the negative items of each label, added to ``before``."""
        if before is None and self.summed is not None:
            return self.summed
        spans = ((self._codes(rows), weights_of(self.weight, rows)) for rows in self._spans(blocks.BLOCK_ELEMENTS))
        totals = totals_of(spans, len(self.labels), self.weighted, before)
        if before is None:
            vars(self)["summed"] = totals  # sources are frozen
        return totals

    def dense_blocks(self) -> Iterator[Rows]:
        """Return the blocks as rows, in item order."""
        return self.blocks(check=False)

    def take(self, rows: NDArray[np.int64]) -> Source:
        """Return a source of these rows only, in this order: copied, or if they are many, as they lie."""
        if len(rows) * len(self.labels) > COPIED and (np.diff(rows) > 0).all():
            return Taken(self, rows)
        return DenseSource(self.scores[rows], *parts_at(rows, self.truth, self.mask, self.weight), self.labels)

    def select(self, labels: tuple[str, ...]) -> DenseSource:
        """Return a source of the columns of these labels, in this order (copied)."""
        scores = select_columns(self.scores, self.labels, labels)
        truth = select_columns(self.truth, self.labels, labels)
        mask = None if self.mask is None else select_columns(self.mask, self.labels, labels)
        return DenseSource(scores, truth, mask, self.weight, labels, self.first_row)

    def _spans(self, size: int) -> Iterator[slice]:
        step = max(1, size // max(1, len(self.labels)))
        for start in range(0, self.n_items, step):
            yield slice(start, min(start + step, self.n_items))

    def _codes(self, rows: slice) -> NDArray[np.int8]:
        if isinstance(self.truth, CSR):
            part = self.truth.rows(rows.start, rows.stop)
            codes = np.zeros(part.shape, np.int8)
            codes[part.row_of_entries(), part.indices] = part.data
        else:
            known = None if self.mask is None else self.mask[rows]
            return truth_codes(self.truth[rows], self.labels, self.first_row + rows.start, known)
        return codes if self.mask is None else np.where(self.mask[rows], codes, np.int8(UNKNOWN))


def parts_at(
    rows: NDArray[np.int64],
    truth: NDArray[Any] | Matrix | CSR,
    mask: NDArray[np.bool_] | None,
    weight: NDArray[Any] | None,
) -> tuple[NDArray[Any] | Matrix | CSR, NDArray[np.bool_] | None, NDArray[Any] | None]:
    """Return labels, mask and weights of the rows of these numbers."""
    found = truth.take(rows) if isinstance(truth, CSR) else truth[rows]
    return found, None if mask is None else mask[rows], None if weight is None else weight[rows]


def weights_of(weight: NDArray[Any] | None, rows: slice) -> NDArray[Any]:
    """Return the weight of each row of a span; whole ones where there are no weights."""
    if weight is None:
        return np.broadcast_to(np.int64(1), rows.stop - rows.start)
    return weight[rows]
