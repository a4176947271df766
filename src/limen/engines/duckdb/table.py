"""A long table as data in blocks: DuckDB joins, checks and sorts it once, and limen counts what it hands out."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from limen.data import Data
from limen.engines.duckdb.annotations import Annotated, annotate_rows, annotate_table
from limen.engines.duckdb.coding import code_items, code_labels, code_scores, code_truth
from limen.engines.duckdb.places import place_of
from limen.engines.duckdb.rows import items_in, rows_of
from limen.engines.duckdb.workplace import Workplace, workplace
from limen.errors import InputError
from limen.names import unique
from limen.sources import blocks
from limen.sources.arrays import UNKNOWN, as_weight
from limen.sources.blocks import Totals
from limen.sources.candidates import Candidates
from limen.sources.chunks import ChunkSource
from limen.sources.tables import Table, csr_from_codes


@dataclass(frozen=True)
class LongSource(ChunkSource):
    """Blocks out of DuckDB, which itself finds the positive scores, and how many items have a label."""

    work: Workplace | None = None
    absent: int = 0

    @property
    def _whole(self) -> bool:
        return self.rows is None and self.read_as is None

    def candidates(self) -> Candidates:
        """Return the distinct scores of the positive items of each label."""
        if self.work is None or not self._whole:
            return super().candidates()
        label, scores = self.work.columns(
            f"""SELECT code % {len(self.labels)} AS label, score
            FROM scored JOIN (FROM truth WHERE value = 1) USING (code) GROUP BY ALL"""
        )
        return Candidates.distinct(self.labels, self.dtype, label.astype(np.int64), scores)

    def totals(self, before: Totals | None = None) -> Totals:
        """Return the weight of the positive and of the negative items of each label, added to ``before``."""
        if self.work is None or self.weighted or not self._whole:
            return super().totals(before)
        label, positive, known, unknown = self.work.columns(
            f"""SELECT
                code % {len(self.labels)} AS label,
                count(*) FILTER (value = 1),
                count(*) FILTER (value >= 0),
                count(*) FILTER (value < 0)
            FROM truth GROUP BY label"""
        )
        found = Totals.none(len(self.labels), False)
        found.positive[label] = positive
        if self.absent == UNKNOWN:
            found.negative[label] = known - positive
        else:
            found.negative[:] = self.n_items
            found.negative[label] -= positive + unknown
        return found if before is None else Totals(*(a + b for a, b in zip(before, found, strict=True)))


@contextmanager
def opened(
    y_true: Any,
    y_score: Any,
    *,
    labels: Sequence[str] | None = None,
    items: Any = None,
    floor: float | None = None,
    memory_mb: int = 1000,
    temp_directory: str | os.PathLike[str] | None = None,
) -> Iterator[Data]:
    """Give a long table of scores and labels as data that every function of limen takes, block by block.

    The data can be used while the context is open: they lie in a database in a temporary folder, sorted by item,
    which is removed at the end. Parameters and errors are those of `curves`.

    Yields
    ------
    Data
        Its items are in the order of their first appearance among the scores, and have no ids.

    Examples
    --------
    >>> import duckdb, limen, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     scores = f"{folder}/scores.parquet"
    ...     rows = "('a', 'dog', 0.9), ('b', 'dog', 0.4), ('c', 'dog', 0.2)"
    ...     _ = duckdb.sql(f"COPY (FROM (VALUES {rows}) t(id, label, score)) TO '{scores}'")
    ...     tags = "SELECT * FROM (VALUES ('a', 'dog'), ('b', NULL), ('c', NULL)) t(id, label)"
    ...     with opened(f"duckdb:?query={tags}", scores) as data:
    ...         thresholds = limen.tune(data, method="exact")
    >>> thresholds.values
    array([0.65])
    """
    place, of_items = place_of(y_score), None if items is None else place_of(items)
    if place is None or (items is not None and of_items is None):
        wrong = y_score if place is None else items
        raise InputError(
            f"{wrong if isinstance(wrong, str) else type(wrong).__name__} is no long table. Give Parquet files, "
            "or duckdb:FILE?table=NAME, sqlite:FILE?table=NAME or postgresql://USER@HOST/DATABASE?table=NAME."
        )
    names = None if labels is None else unique(labels, "labels")
    with workplace(memory_mb, temp_directory) as work:
        rows = rows_of(work, place, "score_rows", "scores")
        found = code_labels(work, rows, names)
        annotated = _annotated(work, y_true)
        all_items = None if of_items is None else items_in(rows_of(work, of_items, "item_rows", "labels"))
        n_items = code_items(work, rows, annotated, all_items)
        code_scores(work, rows, floor, len(found))
        code_truth(work, annotated, rows.source, len(found), given=names is not None)
        for table in ("score_rows", "label_rows", "item_rows"):
            work.con.execute(f"DROP TABLE IF EXISTS {table}")
        weighted = all_items is not None and all_items.weight is not None
        yield Data(_source(work, found, n_items, annotated.absent, weighted))


def _annotated(work: Workplace, y_true: Any) -> Annotated:
    if isinstance(y_true, Table):
        return annotate_table(work, y_true)
    place = place_of(y_true)
    if place is None:
        raise InputError(
            f"the labels are a {type(y_true).__name__}. Give a place as for the scores, or what "
            "limen.files.reading.read_table returns."
        )
    return annotate_rows(work, rows_of(work, place, "label_rows", "labels"))


def _source(work: Workplace, labels: tuple[str, ...], n_items: int, absent: int, weighted: bool) -> LongSource:
    """Return the source that reads blocks of whole items; what is not known and not 0 is unknown."""
    kind = work.ask("SELECT typeof(score) FROM scored LIMIT 1")[0][0]
    dtype = np.dtype(np.float32 if kind == "FLOAT" else np.float64)
    n_scores, n_labels = work.number("SELECT count(*) FROM scored"), len(labels)
    # Scores of every pair are a matrix, as in memory.
    full = n_scores == n_items * n_labels
    step = blocks.BLOCK_ELEMENTS
    begins = work.columns(f"SELECT code // {n_labels} FROM scored WHERE rowid % {step} = 0 ORDER BY rowid")[0]
    # Labels that are unknown unless they are listed make a matrix too: few rows of many labels.
    widest = max(1, step // n_labels) if absent == UNKNOWN else step
    bounds = np.unique(np.concatenate([begins[1:], np.arange(0, n_items, widest), [0, n_items]])).tolist()
    if weighted:
        as_weight(work.columns("SELECT weight FROM items")[0], n_items)

    def read() -> Iterator[tuple[Any, ...]]:
        for first, beyond in pairwise(bounds):
            shape = (beyond - first, n_labels)
            codes, scores = _between(work, "scored", "score", first * n_labels, beyond * n_labels)
            y_score = scores.reshape(shape) if full else csr_from_codes(codes, scores, shape)
            codes, values = _between(work, "truth", "value", first * n_labels, beyond * n_labels)
            known = np.where(values == UNKNOWN, np.float32(np.nan), values.astype(np.float32))
            y_true: Any = csr_from_codes(codes, known, shape)
            if absent == UNKNOWN:
                y_true = np.full(shape, np.nan, np.float32)
                y_true.reshape(-1)[codes] = known
            if weighted:
                own = f"SELECT weight FROM items WHERE item >= {first} AND item < {beyond} ORDER BY item"
                yield y_true, y_score, work.columns(own)[0]
            else:
                yield y_true, y_score

    return LongSource(read, labels, dtype, weighted, n_items, work=work, absent=absent)


def _between(work: Workplace, table: str, value: str, first: int, beyond: int) -> list[Any]:
    """Return the codes, from 0, and the values of a run of pairs, in order."""
    codes, values = work.columns(
        f"SELECT code, {value} FROM {table} WHERE code >= {first} AND code < {beyond} ORDER BY code"
    )
    return [codes.astype(np.int64) - first, values]
