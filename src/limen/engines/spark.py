"""Spark: each partition is counted by limen where it lies, and the counts are merged as a tree.

`limen.tune` and `limen.Thresholds.decide` take DataFrames of Spark as they take arrays; this is what they call.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from limen.curves import Curves
from limen.errors import InputError, require
from limen.folds import check_groups
from limen.shards import Cuts
from limen.sources.blocks import Tallies, Totals
from limen.sources.candidates import Candidates

require("pyspark", extra="spark", user="limen.engines.spark")

from pyspark import StorageLevel  # noqa: E402
from pyspark.sql import DataFrame, functions  # noqa: E402

from limen.engines.spark_blocks import Notes, block_count, joined, unpacked  # noqa: E402
from limen.engines.spark_decisions import decide  # noqa: E402
from limen.engines.spark_frames import Side, matched, quoted, rows_of, side_of  # noqa: E402
from limen.engines.spark_parts import SUMMARIES, Plan, merge_group, summaries  # noqa: E402
from limen.engines.spark_rules import check_notes  # noqa: E402

__all__ = ["curves_of", "decide"]

PART = 1 << 23
"""So many scores are counted at a time by one task."""
MOST_PARTS = 20_000
FAN_IN = 16
"""So many summaries are merged at a time by one task."""


def curves_of(
    y_true: Any,
    y_score: Any,
    *,
    labels: Sequence[str] | None = None,
    sample_weight: Any = None,
    mask: Any = None,
    groups: Any = None,
) -> Curves:
    """Return the curves of labels and scores that lie in Spark, counted there.

    Parameters
    ----------
    y_true, y_score : DataFrame
        Joined by id. Scores: the columns id, label, score; or an id column and one of arrays of n_labels numbers;
        or an id column and a column of numbers for each label. Labels: one of the same, with 0/1, boolean, or null
        for unknown; or id and label, or id and tags (arrays of names). An item that has nothing to list has one
        row with nulls. A score that a long frame does not list is below every cut.
    labels : sequence of n_labels str, optional
        Names of what arrays hold, and the order of the labels of the result; else they are in the order of
        columns, or of names.
    sample_weight : str, optional
        The column of weights, in either frame; the same in all rows of an item.
    groups : str, optional
        The column of the group of each item, likewise: the folds that are counted apart keep groups whole.
    mask
        Not taken: unknown labels are null.

    Returns
    -------
    Curves
        Bit for bit those that one machine counts. Sums of weights, which depend on their order, are made by
        ascending id, in parts whose number depends on the size of the data alone: not on how Spark divides them.

    Raises
    ------
    InputError
        If the frames do not fit together, or a row breaks a rule; the message names items and labels.

    Notes
    -----
    Both frames are moved once, so that an item lies in one partition, and kept on the disks of the executors for
    the two passes, and for one at other cuts, until the curves are gone. Each pass makes one summary a partition,
    in blocks of labels, which tasks merge, ``FAN_IN`` at a time: the driver gets one summary of each block.
    """
    if mask is not None:
        raise InputError("mask cannot be given with DataFrames of Spark. Make unknown labels null.")
    beside = {}
    for name, what, column in (("sample_weight", "weight", sample_weight), ("groups", "group", groups)):
        if column is not None:
            if not isinstance(column, str):
                raise InputError(f"{name} is no column name. With DataFrames of Spark, name a column.")
            beside[column] = what
    scores, truth = side_of(y_score, "y_score", "scores", beside), side_of(y_true, "y_true", "labels", beside)
    for column, what in beside.items():
        if (column, what) not in scores.beside + truth.beside:
            raise InputError(f"neither frame has the column {column!r}, the {what}. Name a column of one of them.")
    names = matched(scores, truth, None if labels is None else tuple(map(str, labels)))
    plan = Plan(names, _read_as(scores), _read_as(truth), sample_weight is not None, groups is not None)
    n_parts = part_count(scores, truth, len(names))
    rows = rows_of(scores, names).unionByName(rows_of(truth, names), allowMissingColumns=True)
    rows = rows.repartition(n_parts, "id").persist(StorageLevel.DISK_ONLY)
    counted = SparkSource(rows, plan, n_parts)
    weakref.finalize(counted, _let_go, rows).atexit = False
    cuts = counted.summary(None)
    if plan.grouped and cuts.units is not None:
        check_groups(cuts.units.tolist(), groups)
    curves: Curves = counted.summary(cuts)
    counted.curves = replace(curves, folds=None)
    return replace(curves, sources=(counted,))


def _let_go(rows: DataFrame) -> None:
    with suppress(Exception):  # the session may have ended
        rows.unpersist()


def _read_as(side: Side) -> str:
    return "array" if side.layout == "columns" else side.layout


def part_count(scores: Side, truth: Side, n_labels: int) -> int:
    """Return how many parts the data make: by their size alone, so that sums of weights are always the same."""
    size = 0
    for side in (scores, truth):
        if side.layout in ("array", "columns"):
            cells = side.frame.count() * n_labels
        elif side.layout == "long" and side.kind == "labels":
            # Labels that are not listed are unknown, and take room as well. The sketch behind this number is
            # the same whatever the order of the rows.
            n_items = side.frame.select(functions.approx_count_distinct(quoted(side.id)).alias("n")).first()
            cells = (0 if n_items is None else n_items.n) * n_labels
        else:
            cells = side.frame.count()
        size = max(size, cells)
    return min(max(1, -(-size // PART)), MOST_PARTS)


class SparkSource:
    """Rows that Spark keeps, to be counted as often as it takes; see `limen.sources.blocks.Countable`."""

    curves: Curves

    def __init__(self, rows: DataFrame, plan: Plan, n_parts: int) -> None:
        self.rows, self.plan, self.n_parts = rows, plan, n_parts

    def summary(self, cuts: Cuts | Candidates | None) -> Any:
        """Return the cuts of all parts, after checking their rows; or, at given cuts, their curves."""
        # A function that is large, by the cuts in it, is sent as a broadcast.
        found = self.rows.mapInArrow(partial(summaries, self.plan, cuts), SUMMARIES)
        n_blocks, n_parts = block_count(len(self.plan.labels)), self.n_parts
        while n_parts > 1:
            n_parts = -(-n_parts // FAN_IN)
            found = found.withColumn("parent", functions.expr(f"CAST(part DIV {FAN_IN} AS INT)"))
            found = found.repartition(min(n_parts * (n_blocks + 1), MOST_PARTS), "block", "parent")
            found = found.groupBy("block", "parent").applyInArrow(merge_group, SUMMARIES)
        blocks: dict[int, Any] = {row.block: unpacked(row.summary) for row in found.collect()}
        if cuts is None:
            check_notes(blocks.get(n_blocks, Notes()), self.plan)
        return joined([blocks[number] for number in range(n_blocks)])

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the labels."""
        return self.plan.labels

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of the scores."""
        return self.curves.dtype

    @property
    def n_items(self) -> int:
        """Number of items."""
        return self.curves.n_items

    @property
    def weighted(self) -> bool:
        """Whether the counts are sums of weights (float64) and not of items (int64)."""
        return self.plan.weighted

    def totals(self, before: Totals | None = None) -> Totals:
        """Return the weight of the positive and of the negative items of each label, added to ``before``."""
        before = before or Totals.none(len(self.labels), self.weighted)
        positive, known = self.curves.n_positive, self.curves.n_known
        return Totals(before.positive + positive, before.negative + (known - positive))

    def candidates(self) -> Candidates:
        """Return the distinct scores of the positive items of each label."""
        return self.curves.candidates

    def counts(self, candidates: Candidates) -> Tallies:
        """Return the counts at each candidate: one pass."""
        found = self.summary(candidates)
        return Tallies(found.tp, found.fp, found.beneath)
