"""What runs in a task of Spark: rows of whole items become limen's data, and those a summary."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from limen.curves import Curves
from limen.data import Data
from limen.engines.spark_blocks import MOST_EXAMPLES, Notes, block_count, blocks_of, merge, packed
from limen.folds import numbered_groups
from limen.shards import Cuts, count_shard
from limen.sources.arrays import CSR
from limen.sources.candidates import Candidates
from limen.sources.door import as_source
from limen.sources.tables import csr_from_codes

SUMMARIES = "block int, part int, summary binary"
_SCHEMA = pa.schema([("block", pa.int32()), ("part", pa.int32()), ("summary", pa.binary())])


class Plan(NamedTuple):
    """How rows are to be read.

    Attributes
    ----------
    labels : tuple of n_labels str
    scores : {"array", "long"}
        Whether a row has an item's scores of all labels, or one score.
    truth : {"array", "long", "tags"}
        Whether a row has an item's labels, one label with its value, or one positive label.
    weighted, grouped : bool
    """

    labels: tuple[str, ...]
    scores: str
    truth: str
    weighted: bool
    grouped: bool


class _Rows:
    """The rows of a part: its items by ascending id, and the rules that rows break."""

    def __init__(self, table: pa.Table, labels: tuple[str, ...]) -> None:
        self.labels, self.wrong = labels, dict[str, tuple[int, tuple[str, ...]]]()
        of_scores = table["of_scores"]
        self.of_scores, self.of_truth = table.filter(of_scores), table.filter(pc.invert(of_scores))
        ids = pc.unique(self.of_scores["id"].combine_chunks()).drop_null()
        self.items = ids.take(pc.array_sort_indices(ids))
        self.n_items = len(self.items)
        self.of_scores, self.score_row = self._numbered(self.of_scores, "no id of scores", "no id of scores")
        self.of_truth, self.truth_row = self._numbered(self.of_truth, "no id of labels", "unscored")
        labelled = np.bincount(self.truth_row, minlength=self.n_items) > 0
        self.found("unlabelled", np.flatnonzero(~labelled))

    def _numbered(self, table: pa.Table, no_id: str, unknown: str) -> tuple[pa.Table, NDArray[np.int64]]:
        """Return the rows of known items, and the number of each row's item."""
        ids = table["id"].combine_chunks()
        if ids.null_count:
            self.wrong[no_id] = ids.null_count, ()
        others = pc.unique(ids.filter(pc.invert(pc.is_in(ids, value_set=self.items)))).drop_null()
        if len(others):
            self.wrong[unknown] = len(others), tuple(sorted(others.to_pylist())[:MOST_EXAMPLES])
        number = pc.index_in(ids, value_set=self.items)
        return table.filter(number.is_valid()), number.drop_null().to_numpy().astype(np.int64)

    def found(self, rule: str, items: NDArray[np.int64], labels: NDArray[np.int64] | None = None) -> None:
        """Note that items, or pairs of item and label, break a rule."""
        if not len(items):
            return
        order = np.argsort(items, kind="stable")[:MOST_EXAMPLES]
        names = self.items.take(pa.array(items[order])).to_pylist()
        if labels is not None:
            names = [f"{name}, {self.labels[k]}" for name, k in zip(names, labels[order].tolist(), strict=True)]
        number, before = self.wrong.get(rule, (0, ()))
        self.wrong[rule] = number + len(items), tuple(sorted([*before, *names])[:MOST_EXAMPLES])

    def matrix(self, table: pa.Table, row: NDArray[np.int64], side: str) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Return the arrays of items as a matrix (n_items, n_labels), and which of its cells are null."""
        column = table[side].combine_chunks()
        n_labels = len(self.labels)
        times = np.bincount(row, minlength=self.n_items)
        self.found(f"{side}: twice", np.flatnonzero(times > 1))
        right = pc.fill_null(pc.equal(pc.list_value_length(column), n_labels), False).to_numpy(
            zero_copy_only=False
        )
        self.found(f"{side}: length", row[~right])
        if not right.all() or (times != 1).any():
            return np.zeros((0, n_labels)), np.zeros((0, n_labels), bool)
        cells = column.flatten()
        null = np.zeros(len(cells), bool)
        if cells.null_count:
            null = pc.is_null(cells).to_numpy(zero_copy_only=False)
            cells = pc.fill_null(cells, False if pa.types.is_boolean(cells.type) else 0)
        order = np.argsort(row)
        shape = (self.n_items, n_labels)
        return cells.to_numpy(zero_copy_only=False).reshape(shape)[order], null.reshape(shape)[order]

    def entries(
        self, table: pa.Table, row: NDArray[np.int64], side: str
    ) -> tuple[NDArray[np.int64], NDArray[Any], NDArray[np.bool_]]:
        """Return ascending ``row * n_labels + label`` of the pairs listed, their values, and which are null."""
        label, value = table["label"].combine_chunks(), table[side].combine_chunks()
        null = pc.is_null(value).to_numpy(zero_copy_only=False)
        nameless = pc.is_null(label).to_numpy(zero_copy_only=False)
        self.found(f"{side}: no label", row[nameless & ~null])
        listed = ~nameless
        number = pc.fill_null(label, 0).to_numpy()[listed].astype(np.int64)
        codes = row[listed] * len(self.labels) + number
        order = np.argsort(codes, kind="stable")
        codes = codes[order]
        again = np.unique(codes[1:][np.diff(codes) == 0])
        self.found(f"{side}: pair twice", again // len(self.labels), again % len(self.labels))
        values = pc.fill_null(value, False if pa.types.is_boolean(value.type) else 0)
        return codes, values.to_numpy(zero_copy_only=False)[listed][order], null[listed][order]

    def shared(self, column: str, dtype: pa.DataType, rule: str) -> pa.Array:
        """Return what each item has in a column, the same in all its rows; null if it is nowhere."""
        values, rows = [], []
        for table, row in ((self.of_scores, self.score_row), (self.of_truth, self.truth_row)):
            there = pc.is_valid(table[column]).to_numpy()
            values.append(table[column].cast(dtype).drop_null().combine_chunks())
            rows.append(row[there])
        value, row = pa.concat_arrays(values), np.concatenate(rows)
        at = np.full(self.n_items, -1)
        at[row[::-1]] = np.arange(len(row))[::-1]
        found = value.take(pa.array(at, mask=at < 0))
        alike = pc.equal(value, found.take(pa.array(row))).to_numpy(zero_copy_only=False)
        self.found(rule, np.unique(row[~alike]))
        return found

    def cells(self, rule: str, wrong: NDArray[np.bool_], codes: NDArray[np.int64] | None = None) -> None:
        """Note cells of a matrix, or entries with these codes, that break a rule."""
        at = np.flatnonzero(wrong)
        at = at if codes is None else codes[at]
        self.found(rule, at // len(self.labels), at % len(self.labels))


def _scores(rows: _Rows, layout: str) -> NDArray[Any] | CSR:
    """Return the scores of the items; a score that a long table does not list is not stored."""
    if layout == "array":
        values, null = rows.matrix(rows.of_scores, rows.score_row, "scores")
        rows.cells("no score", null)
        rows.cells("not finite", ~np.isfinite(values))
        return values
    codes, values, null = rows.entries(rows.of_scores, rows.score_row, "score")
    rows.cells("no score", null, codes)
    rows.cells("not finite", ~np.isfinite(values), codes)
    shape = (rows.n_items, len(rows.labels))
    return (
        values.reshape(shape)
        if len(codes) == shape[0] * shape[1] and not rows.wrong
        else csr_from_codes(codes, values, shape)
    )


def _truth(rows: _Rows, layout: str) -> tuple[NDArray[Any] | CSR, NDArray[np.bool_] | None, Notes]:
    """Return the labels of the items, which of them are known, and how many are listed and 1."""
    shape = (rows.n_items, len(rows.labels))
    if layout == "tags":
        codes, _, _ = rows.entries(rows.of_truth, rows.truth_row, "value")
        return csr_from_codes(codes, np.ones(len(codes), bool), shape), None, Notes()
    if layout == "array":
        values, null = (part.ravel() for part in rows.matrix(rows.of_truth, rows.truth_row, "truth"))
        codes = np.arange(len(values))
    else:
        codes, values, null = rows.entries(rows.of_truth, rows.truth_row, "value")
    unknown = null | np.isnan(values) if values.dtype.kind == "f" else null
    one = (values == 1) & ~unknown
    rows.cells("no label value", ~(one | (values == 0) | unknown), codes)
    listed = Notes(n_listed=int((~unknown).sum()), n_ones=int(one.sum()))
    if layout == "long":
        dense = np.zeros((2, shape[0] * shape[1]), bool)
        dense[0, codes], dense[1, codes] = one, ~unknown
        one, unknown = dense[0], ~dense[1]
    known = ~unknown.reshape(-1, shape[1]) if unknown.any() else None
    return one.reshape(-1, shape[1]), known, listed


def _weight(rows: _Rows) -> NDArray[np.float64]:
    """Return the weight of each item; all its rows must have the same."""
    weight: NDArray[np.float64] = rows.shared("weight", pa.float64(), "weights differ").to_numpy(
        zero_copy_only=False
    )
    rows.found("no weight", np.flatnonzero(~(np.isfinite(weight) & (weight >= 0))))
    return weight


def _groups(rows: _Rows) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Return the number of each item's group, and the names of the groups."""
    groups = rows.shared("group", pa.string(), "groups differ")
    rows.found("no group", np.flatnonzero(pc.is_null(groups).to_numpy(zero_copy_only=False)))
    return numbered_groups(groups.fill_null("").to_numpy(zero_copy_only=False).astype(str), rows.n_items)


def read(table: pa.Table, plan: Plan) -> tuple[Data | None, Notes]:
    """Return the data of the rows of whole items, items by ascending id; None if a rule is broken."""
    rows = _Rows(table, plan.labels)
    scores = _scores(rows, plan.scores)
    truth, known, listed = _truth(rows, plan.truth)
    weight = _weight(rows) if plan.weighted else None
    groups, names = _groups(rows) if plan.grouped else (None, ())
    largest = 0.0 if weight is None else float(weight.max(initial=0.0))
    notes = listed | Notes(rows.n_items, weight=largest, wrong=rows.wrong)
    if rows.wrong or not rows.n_items:
        return None, notes
    source = as_source(truth, scores, labels=plan.labels, sample_weight=weight, mask=known, part=True)
    return Data(source, tuple(rows.items.to_pylist()), groups, group_names=names), notes


def summaries(
    plan: Plan, cuts: Cuts | Candidates | None, batches: Iterable[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """Return the packed summary of a part, a row for each block of labels.

    Parameters
    ----------
    plan : Plan
    cuts : Cuts, Candidates or None
        Where to count all that tuning needs; or only the items above. Without them, the part's own cuts are
        returned, and its notes as one block more.
    batches : iterable of RecordBatch
        The rows of the part.
    """
    from pyspark import TaskContext

    found = list(batches)
    if not found:
        return
    data, notes = read(pa.Table.from_batches(found), plan)
    del found
    context = TaskContext.get()
    part = 0 if context is None else context.partitionId()
    if cuts is None:
        yield _batch([(block_count(len(plan.labels)), part, packed(notes))])
    if data is not None:
        for number, block in blocks_of(_summary(data, cuts)):
            yield _batch([(number, part, packed(block))])


def _summary(data: Data, cuts: Cuts | Candidates | None) -> Cuts | Curves:
    if cuts is None:
        return Cuts.of(data)
    return count_shard(data, cuts) if isinstance(cuts, Cuts) else Curves.from_source(data.source, cuts)


def merge_group(table: pa.Table) -> pa.Table:
    """Return the packed summaries of parts of one block as one, merged in the order of the parts."""
    order = pc.sort_indices(table["part"])
    content = merge(table["summary"].take(order).to_pylist())
    return pa.Table.from_batches([_batch([(table["block"][0].as_py(), table["parent"][0].as_py(), content)])])


def _batch(rows: list[tuple[int, int, bytes]]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(
        [pa.array(column, kind.type) for column, kind in zip(zip(*rows, strict=True), _SCHEMA, strict=True)],
        schema=_SCHEMA,
    )
