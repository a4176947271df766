"""Labels that somebody looked at or listened to: marks that take the place of what the labels say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen.errors import InputError, count, examples
from limen.names import beyond, repeated
from limen.sources.arrays import CSR, UNKNOWN, truth_codes
from limen.sources.columns import table_of
from limen.sources.dense import DenseSource
from limen.sources.frame_tables import index_ids
from limen.sources.frames import Frame, is_frame
from limen.sources.matrix import Marked, Matrix
from limen.sources.sparse import SparseSource
from limen.sources.tables import Table, csr_from_codes


@dataclass(frozen=True)
class Corrected:
    """What corrections did to the labels, counted in pairs of item and label.

    Attributes
    ----------
    source : str
        The file of corrections, or what they are called.
    changed : int
        Pairs that had the other label.
    confirmed : int
        Pairs that had the same label.
    filled : int
        Pairs whose label was unknown.
    """

    source: str
    changed: int
    confirmed: int
    filled: int

    def __str__(self) -> str:
        """Return a sentence.

        Examples
        --------
        >>> print(Corrected("marks.csv", changed=2, confirmed=3, filled=1))
        marks.csv marks 6 pairs of item and label: 2 changed, 3 confirmed, 1 filled in where unknown
        """
        return (
            f"{self.source} marks {count(self.changed + self.confirmed + self.filled, 'pair')} of item and label: "
            f"{self.changed} changed, {self.confirmed} confirmed, {self.filled} filled in where unknown"
        )


def corrected(
    source: DenseSource | SparseSource, ids: Sequence[str] | None, corrections: Any
) -> tuple[DenseSource | SparseSource, Corrected]:
    """Return a source with the labels of the corrections, and what they changed; nothing given is altered.

    Parameters
    ----------
    source : DenseSource or SparseSource
    ids : sequence of n_items str, or None
        None: the items are called "row 0", "row 1", ..., as in a report.
    corrections : data frame, or Table
        Labels with ids and label names, of some items and labels: wide, where an empty cell (NaN) changes
        nothing, or long, ``id, label, value``. A Table is what `limen.files.reading.read_table` gives.

    Raises
    ------
    InputError
        If they name an item or a label that the data lack, an id that several items have, or hold anything
        but 0, 1 and nothing; or if they are lists of tags, which do not say what was looked at.
    """
    table = _table(corrections)
    row, label, positive = _cells(table, ids, source.labels, source.n_items)
    truth, mask = source.truth, source.mask
    if isinstance(truth, CSR):
        before, truth = _in_entries(truth, row, label, positive)
        if mask is not None:
            before = np.where(mask[row, label], before, np.int8(UNKNOWN))
            mask = mask.copy()
            mask[row, label] = True
    elif isinstance(truth, Matrix):
        rows, place = np.unique(row, return_inverse=True)
        known = None if mask is None else mask[rows]
        before = truth_codes(truth[rows], source.labels, source.first_row, known)[place, label]
        truth = Marked(truth, row, label, positive)
        if mask is not None:
            mask = mask.copy()
            mask[row, label] = True
    else:
        codes = np.array(truth_codes(truth, source.labels, source.first_row, mask))
        before = codes[row, label]
        codes[row, label] = positive
        known = codes != UNKNOWN
        truth, mask = codes == 1, None if known.all() else known
    filled = before == UNKNOWN
    same = before == positive
    tally = Corrected(table.source, int((~filled & ~same).sum()), int(same.sum()), int(filled.sum()))
    return replace(source, truth=truth, mask=mask), tally


class _Cells(NamedTuple):
    """Which cells of the labels are marked, and as what: (n_cells,) each."""

    row: NDArray[np.int64]
    label: NDArray[np.int64]
    positive: NDArray[np.int8]


def _table(corrections: Any) -> Table:
    if is_frame(corrections):
        table = table_of(Frame(corrections, "corrections", "labels"))
        return table if table.ids is not None else replace(table, ids=index_ids(corrections))
    if not isinstance(corrections, Table):
        raise InputError(
            f"corrections is a {type(corrections).__name__}. Give a data frame with ids; of a file, what "
            "pandas.read_csv or limen.files.reading.read_table returns."
        )
    return corrections


def _cells(table: Table, ids: Sequence[str] | None, labels: tuple[str, ...], n_items: int) -> _Cells:
    """Return the cells of a table that hold a label, as places among the items and labels of the data."""
    if table.layout == "tags":
        raise InputError(
            f"{table.source} is a list of tags, which does not say which other labels were looked at. Give "
            "corrections as a wide file with an empty cell for whatever was not marked, or as id, label, value."
        )
    if table.ids is None or table.labels is None or isinstance(table.values, CSR):
        raise InputError(
            f"{table.source} has no ids or no label names. Corrections are joined by both: an id column, and a "
            "column named after each label."
        )
    if unknown := beyond(table.labels, labels):
        raise InputError(
            f"{table.source} has {count(len(unknown), 'label')} that the data lack: {examples(unknown)}. "
            "Corrections are joined by name: spell labels as in the data, or drop their columns."
        )
    names = [f"row {number}" for number in range(n_items)] if ids is None else ids
    if unknown := beyond(table.ids, names):
        raise InputError(
            f"{table.source} has {count(len(unknown), 'id')} that the data lack: {examples(unknown)}. "
            f"Corrections are joined by id, and the data have {examples(names, most=2)}: give those of these data."
        )
    marked = frozenset(table.ids)
    if twice := repeated(name for name in names if name in marked):
        raise InputError(
            f"{table.source} corrects {examples(twice)}, an id of several items. Corrections are joined by id: "
            "give each item its own."
        )
    values = np.asarray(table.values, np.float64)
    known = ~np.isnan(values)
    bad = known & (values != 0) & (values != 1)
    if bad.any():
        at, column = (int(place) for place in np.argwhere(bad)[0])
        raise InputError(
            f"{table.source} has {values[at, column]:g} for {table.ids[at]!r} and the label "
            f"{table.labels[column]!r}. A correction is 1 (has it), 0 (has it not) or an empty cell."
        )
    row_of, label_of = ({name: place for place, name in enumerate(all_)} for all_ in (names, labels))
    rows = np.array([row_of[name] for name in table.ids], np.int64)
    columns = np.array([label_of[name] for name in table.labels], np.int64)
    item, label = np.nonzero(known)
    return _Cells(rows[item], columns[label], values[item, label].astype(np.int8))


def _in_entries(
    truth: CSR, row: NDArray[np.int64], label: NDArray[np.int64], positive: NDArray[np.int8]
) -> tuple[NDArray[np.int8], CSR]:
    """Return what sparse labels said of cells, and the labels with these cells as marked."""
    n_labels = truth.shape[1]
    codes, wanted = truth.row_of_entries() * n_labels + truth.indices, row * n_labels + label
    at = np.minimum(np.searchsorted(codes, wanted), max(len(codes) - 1, 0))
    before = np.zeros(len(wanted), np.int8)
    if len(codes):
        before = np.where(codes[at] == wanted, truth.data[at], 0).astype(np.int8)
    kept = ~np.isin(codes, wanted)
    codes = np.concatenate([codes[kept], wanted])
    data = np.concatenate([truth.data[kept].astype(np.int8), positive])
    order = np.argsort(codes)
    return before, csr_from_codes(codes[order], data[order], truth.shape)
