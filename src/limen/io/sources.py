"""From whatever a user holds to blocks of rows: the only door to the counting kernels.

A `Source` yields blocks that are ready for the kernels and can be read as often as needed. Dense
data is cut into row blocks of bounded size (views where the dtype allows it, so nothing large is
copied); sparse scores stay sparse.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from limen.errors import InputError, count, examples
from limen.io.arrays import (
    CSR,
    UNKNOWN,
    as_scores,
    as_truth,
    as_weight,
    check_finite,
    check_finite_entries,
    truth_codes,
    working_dtype,
)
from limen.io.frame_tables import unframed
from limen.io.frames import is_frame, is_series

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


class Source(Protocol):
    """Scores and labels that can be read, block by block, more than once."""

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

    def blocks(self, *, check: bool = True) -> Iterator[Rows | Entries]:
        """Return the blocks, in item order; a repeated pass may leave out the check for NaN."""
        ...

    def totals(self, before: Totals | None = None) -> Totals:
        """Return the weight of the positive and of the negative items of each label, added to ``before``."""
        ...

    def dense_blocks(self) -> Iterator[Rows]:
        """Return the blocks as rows, in item order; a score that is not stored is -inf."""
        ...

    def take(self, rows: NDArray[np.int64]) -> Source:
        """Return a source of the rows of these ascending numbers only."""
        ...


@dataclass(frozen=True)
class DenseSource:
    """Dense scores, with labels dense or sparse."""

    scores: NDArray[Any]
    truth: NDArray[Any] | CSR
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
        working = working_dtype(self.dtype)
        for rows in self._spans():
            scores = np.ascontiguousarray(self.scores[rows], dtype=working)
            if check:
                check_finite(scores, self.labels, self.first_row + rows.start)
            yield Rows(scores, self._codes(rows), _weights(self.weight, rows))

    def totals(self, before: Totals | None = None) -> Totals:
        """Return the weight of the positive and of the negative items of each label, added to ``before``."""
        positive, negative = map(np.copy, before or Totals.none(len(self.labels), self.weighted))
        for rows in self._spans():
            truth, weight = self._codes(rows), _weights(self.weight, rows)
            if self.weighted:
                _add_by_label(truth == 1, weight, positive)
                _add_by_label(truth == 0, weight, negative)
                continue
            ones, unknown = (
                np.bincount(np.flatnonzero(chosen) % truth.shape[1], minlength=truth.shape[1])
                for chosen in (truth == 1, truth < 0)
            )
            positive += ones
            negative += len(truth) - ones - unknown
        return Totals(positive, negative)

    def dense_blocks(self) -> Iterator[Rows]:
        """Return the blocks as rows, in item order."""
        return self.blocks(check=False)

    def take(self, rows: NDArray[np.int64]) -> DenseSource:
        """Return a source of these rows only, in this order (copied)."""
        return DenseSource(self.scores[rows], *_take(self, rows), self.labels)

    def _spans(self) -> Iterator[slice]:
        step = max(1, BLOCK_ELEMENTS // max(1, len(self.labels)))
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


@dataclass(frozen=True)
class SparseSource:
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
            limit = int(indptr[start]) + BLOCK_ELEMENTS
            stop = max(start + 1, int(np.searchsorted(indptr, limit, side="right")) - 1)
            stop = min(stop, self.n_items)
            yield self._entries(start, stop, check)
            start = stop

    def dense_blocks(self) -> Iterator[Rows]:
        """Return the blocks as rows, in item order; a score that is not stored is -inf."""
        step = max(1, BLOCK_ELEMENTS // len(self.labels))
        for start in range(0, self.n_items, step):
            rows = np.arange(start, min(start + step, self.n_items))
            part = self.scores.rows(start, rows[-1] + 1)
            scores = np.full(part.shape, -np.inf, working_dtype(self.dtype))
            scores[part.row_of_entries(), part.indices] = part.data
            yield from DenseSource(scores, *_take(self, rows), self.labels).dense_blocks()

    def take(self, rows: NDArray[np.int64]) -> SparseSource:
        """Return a source of these rows only, in this order (copied)."""
        return SparseSource(self.scores.take(rows), *_take(self, rows), self.labels)

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
        weight = _weights(self.weight, slice(start, stop))
        return Entries(values, column, codes, weight[row], row)

    def totals(self, before: Totals | None = None) -> Totals:
        """Return the weight of the positive and of the negative items of each label, added to ``before``."""
        if not isinstance(self.truth, CSR) or self.mask is not None:
            no_scores = np.broadcast_to(np.float32(0), self.scores.shape)
            dense = DenseSource(no_scores, self.truth, self.mask, self.weight, self.labels, self.first_row)
            return dense.totals(before)
        positive, negative = map(np.copy, before or Totals.none(len(self.labels), self.weighted))
        weight = _weights(self.weight, slice(0, self.n_items))
        of_entry = weight[self.truth.row_of_entries()]
        stored = np.zeros_like(positive)
        np.add.at(stored, self.truth.indices[self.truth.data != 0], of_entry[self.truth.data != 0])
        np.add.at(positive, self.truth.indices[self.truth.data == 1], of_entry[self.truth.data == 1])
        negative += weight.sum() - stored
        return Totals(positive, negative)


def as_source(
    y_true: Any,
    y_score: Any,
    *,
    labels: Sequence[str] | None = None,
    sample_weight: Any = None,
    mask: Any = None,
    first_row: int = 0,
    part: bool = False,
) -> DenseSource | SparseSource:
    """Return scores and labels as a source, after checking that they fit together.

    Parameters
    ----------
    y_true : array-like (n_items, n_labels) of 0/1, bool or float with NaN for unknown; masked array;
        scipy sparse; or a list of n_items collections of label names
    y_score : array-like (n_items, n_labels), scipy sparse, tensor or frame (columns are labels)
    labels : sequence of n_labels str, optional
    sample_weight : array-like (n_items,), optional
    mask : bool array-like (n_items, n_labels), optional
        True where the label of an item is known.
    first_row : int
        Number of the first row, for messages.
    part : bool
        Whether this is part of the data, so that all its weights may be 0.

    Raises
    ------
    InputError
        If shapes, names or values do not fit; the message says which.
    """
    if isinstance(labels, str):
        raise InputError(f"labels is the text {labels!r}. Give a sequence of label names.")
    names = None if labels is None else tuple(str(name) for name in labels)
    if is_series(y_true) and is_series(y_score):
        y_true, y_score = (data.to_frame(names[0] if names else "0") for data in (y_true, y_score))
    if mask is not None and is_frame(mask):
        mask = unframed(mask, y_score, names, "mask")[0]
    if is_frame(y_true) or is_frame(y_score):
        y_true, y_score, names = unframed(y_true, y_score, names)
    scores = as_scores(y_score)
    if scores.shape[0] == 0 or scores.shape[1] == 0:
        raise InputError(
            f"y_score is empty: shape {tuple(scores.shape)}. At least one item and one label are needed."
        )
    label_names = names if names is not None else tuple(str(k) for k in range(scores.shape[1]))
    if len(label_names) != scores.shape[1]:
        raise InputError(
            f"labels has {count(len(label_names), 'name')}, y_score has {count(scores.shape[1], 'column')}. "
            "Give one name for each column."
        )
    _check_repeats(label_names)
    truth = as_truth(y_true, label_names, first_row)
    if truth.shape != scores.shape:
        raise InputError(
            f"y_true has shape {tuple(truth.shape)}, y_score {tuple(scores.shape)}. Both must be "
            "(n_items, n_labels) with the same items and labels in the same order."
        )
    if isinstance(y_true, np.ma.MaskedArray):
        known = ~np.ma.getmaskarray(y_true).reshape(truth.shape)
        mask = known if mask is None else known & np.asarray(mask, bool)
    if mask is not None:
        mask = np.asarray(mask)
        mask = mask[:, np.newaxis] if mask.ndim == 1 else mask
        if mask.dtype != np.bool_ or mask.shape != tuple(scores.shape):
            raise InputError(
                f"mask has dtype {mask.dtype} and shape {mask.shape}. It must be bool of shape "
                f"{tuple(scores.shape)}, True where the label of an item is known."
            )
    weight = None if sample_weight is None else as_weight(sample_weight, scores.shape[0], part=part)
    if isinstance(scores, CSR):
        return SparseSource(scores, truth, mask, weight, label_names, first_row)
    return DenseSource(scores, truth, mask, weight, label_names, first_row)


def _check_repeats(labels: Sequence[str]) -> None:
    if len(set(labels)) < len(labels):
        seen: set[str] = set()
        repeated = [name for name in labels if name in seen or seen.add(name)]  # type: ignore[func-returns-value]
        raise InputError(
            f"labels repeats {examples(dict.fromkeys(repeated))}. Every label needs a name of its own."
        )


def _take(
    source: DenseSource | SparseSource, rows: NDArray[np.int64]
) -> tuple[NDArray[Any] | CSR, NDArray[np.bool_] | None, NDArray[Any] | None]:
    truth = source.truth.take(rows) if isinstance(source.truth, CSR) else source.truth[rows]
    mask = None if source.mask is None else source.mask[rows]
    return truth, mask, None if source.weight is None else source.weight[rows]


def _add_by_label(chosen: NDArray[np.bool_], weight: NDArray[Any], total: NDArray[Any]) -> None:
    """Add the weight of the chosen pairs of a block to the total of their label, in the order of items.

    The order makes sums of weights the same, however the items are cut into blocks.
    """
    row, label = np.divmod(np.flatnonzero(chosen), chosen.shape[1])
    np.add.at(total, label, weight[row])


def _weights(weight: NDArray[Any] | None, rows: slice) -> NDArray[Any]:
    if weight is None:
        return np.ones(rows.stop - rows.start, np.int64)
    return weight[rows]
