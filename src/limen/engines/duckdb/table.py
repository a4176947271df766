"""A long table that is counted where it lies: what `limen.Curves` needs of data, asked in SQL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.engines.duckdb.annotations import annotate_rows, annotate_table
from limen.engines.duckdb.coding import code_items, code_labels, code_scores, code_truth
from limen.engines.duckdb.places import place_of
from limen.engines.duckdb.rows import id_in, rows_of
from limen.engines.duckdb.workplace import Workplace, workplace
from limen.errors import InputError
from limen.names import unique
from limen.shards import Cuts
from limen.solvers.grid import Extent
from limen.sources.arrays import UNKNOWN
from limen.sources.blocks import Tallies, Totals
from limen.sources.candidates import Candidates
from limen.sources.tables import Table

# Each score falls to the highest cut that is not above it; below all cuts, ``number`` is NULL.
_AT_CUTS = """
SELECT coalesce(cuts.number, -1) AS number, found.label, CAST(sum({times}) AS BIGINT) AS n, max(score) AS highest
FROM (SELECT * FROM {table} WHERE label BETWEEN {first} AND {last}) AS found
ASOF LEFT JOIN (SELECT * FROM cuts WHERE label BETWEEN {first} AND {last}) AS cuts
    ON found.label = cuts.label AND found.score >= cuts.cut
GROUP BY cuts.number, found.label
"""


@dataclass(frozen=True, eq=False)
class LongTable:
    """Scores (item, label, score) and labels of the same items, as numbers in a database to work in.

    It is a `limen.sources.blocks.Countable`. A pair that has no score is below every cut.

    Attributes
    ----------
    labels : tuple of n_labels str
    dtype : float32 or float64
    n_items : int
    """

    labels: tuple[str, ...]
    dtype: np.dtype[Any]
    n_items: int
    work: Workplace
    absent: int
    weighted: bool = False

    def totals(self, before: Totals | None = None) -> Totals:
        """Return the number of positive and of negative items of each label, added to ``before``."""
        label, positive, negative, unknown = self.work.columns(
            """SELECT label, count(*) FILTER (value = 1), count(*) FILTER (value = 0), count(*) FILTER (value < 0)
            FROM truth GROUP BY label"""
        )
        found = Totals.none(len(self.labels), False)
        found.positive[label] = positive
        found.negative[label] = negative
        if self.absent != UNKNOWN:
            found.negative[:] = self.n_items - found.positive
            found.negative[label] -= unknown
        return found if before is None else Totals(*(a + b for a, b in zip(before, found, strict=True)))

    def candidates(self) -> Candidates:
        """Return the distinct scores of the positive items of each label."""
        label, scores = self.work.columns("SELECT label, score FROM positives")
        return Candidates.distinct(self.labels, self.dtype, label.astype(np.int64), scores)

    def counts(self, candidates: Candidates) -> Tallies:
        """Return the counts at each candidate: each score falls to a cut in SQL, and what fell is added up."""
        from limen import _kernels

        size, offsets, cuts = len(candidates.cuts), candidates.offsets, candidates.cuts
        tallies = Tallies(np.zeros(size, np.int64), np.zeros(size, np.int64), np.full(size, -np.inf, cuts.dtype))
        finite = np.flatnonzero(cuts < np.inf)
        label_of = np.repeat(np.arange(len(self.labels)), np.diff(offsets))
        self.work.con.execute("DROP TABLE IF EXISTS cuts")
        self.work.keep("cuts", label=label_of[finite].astype(np.uint32), number=finite, cut=cuts[finite])
        for number, _, times, _ in self._at_cuts("positives", "times"):
            some = number >= 0
            tallies.tp[number[some]] += times[some]
        for number, label, times, highest in self._at_cuts("known", "1"):
            some = number >= 0
            tallies.fp[number[some]] += times[some]
            # A score at a cut lies beneath the next higher one, and one below all cuts beneath the last.
            above = np.where(some, number, offsets[label.astype(np.int64) + 1]) - 1
            np.maximum.at(tallies.beneath, above, highest)
        tallies.fp[:] -= tallies.tp
        _kernels.complete(offsets, tallies)
        return tallies

    def extent(self) -> Extent:
        """Return where the scores lie."""
        low, high = np.full(len(self.labels), np.inf), np.full(len(self.labels), -np.inf)
        n_scores = self.work.ask("SELECT count(*) FROM scored")[0][0]
        # Of scores of all pairs those with unknown labels are seen too, as in memory, where these are no CSR.
        table = "scored" if n_scores == self.n_items * len(self.labels) else "known"
        label, lowest, highest = self.work.columns(
            f"SELECT label, min(score), max(score) FROM {table} GROUP BY label"
        )
        low[label], high[label] = lowest, highest
        ends = self.work.ask(
            "SELECT min(score) FILTER (score > 0), max(score) FILTER (score < 1) FROM scored"
        )[0]
        tiny, nearly = (other if end is None else float(str(end)) for end, other in zip(ends, (np.inf, -np.inf), strict=True))
        return Extent(low, high, tiny, nearly)

    def cuts(self) -> Cuts:
        """Return where to count: the candidates, and where all scores lie."""
        return Cuts(self.candidates(), self.extent())

    def _at_cuts(self, table: str, times: str) -> Iterator[list[NDArray[Any]]]:
        for first, last in self.work.parts(table):
            yield self.work.columns(_AT_CUTS.format(table=table, times=times, first=first, last=last))


@contextmanager
def opened(
    y_true: Any,
    y_score: Any,
    *,
    labels: Sequence[str] | None = None,
    items: Any = None,
    floor: float | None = None,
    memory_mb: int = 1000,
    temp_directory: Any = None,
) -> Iterator[LongTable]:
    """Give a long table, joined by name and checked, while it is worked with; parameters are those of `curves`."""
    place, of_items = place_of(y_score), None if items is None else place_of(items)
    if place is None or (items is not None and of_items is None):
        wrong = y_score if place is None else items
        raise InputError(
            f"{wrong if isinstance(wrong, str) else type(wrong).__name__} is no long table. Give Parquet files, or "
            "duckdb:FILE?table=NAME, sqlite:FILE?table=NAME or postgresql://USER@HOST/DATABASE?table=NAME."
        )
    names = None if labels is None else unique(labels, "labels")
    with workplace(memory_mb, temp_directory) as work:
        rows = rows_of(work, place, "score_rows", "scores")
        found = code_labels(work, rows, names)
        if isinstance(y_true, Table):
            annotated = annotate_table(work, y_true)
        else:
            of_labels = place_of(y_true)
            if of_labels is None:
                raise InputError(
                    f"the labels are a {type(y_true).__name__}. Give a place as for the scores, or what "
                    "limen.files.reading.read_table returns."
                )
            annotated = annotate_rows(work, rows_of(work, of_labels, "label_rows", "labels"))
        every = None if of_items is None else rows_of(work, of_items, "item_rows", "labels")
        n_items = code_items(work, rows, annotated, None if every is None else (every, id_in(every)))
        code_scores(work, rows, floor)
        code_truth(work, annotated, rows.source, given=names is not None)
        work.con.execute("DROP TABLE IF EXISTS score_rows")
        _keep_known(work, annotated.absent)
        kind = work.ask("SELECT typeof(score) FROM scored LIMIT 1")[0][0]
        dtype = np.dtype(np.float32 if kind == "FLOAT" else np.float64)
        yield LongTable(found, dtype, n_items, work, annotated.absent)


def _keep_known(work: Workplace, absent: int) -> None:
    """Make ``known``, the scores of pairs whose label is known, and ``positives``, how often each has which score."""
    if absent == UNKNOWN:
        kept = "CREATE TABLE known AS SELECT scored.* FROM scored SEMI JOIN (FROM truth WHERE value >= 0) USING (item, label)"
    elif work.ask("SELECT count(*) FROM truth WHERE value < 0")[0][0]:
        kept = "CREATE TABLE known AS SELECT scored.* FROM scored ANTI JOIN (FROM truth WHERE value < 0) USING (item, label)"
    else:
        kept = "CREATE VIEW known AS FROM scored"
    work.con.execute(kept)
    work.con.execute("CREATE TABLE positives (label UINTEGER, score " + _score_type(work) + ", times BIGINT)")
    for first, last in work.parts("known"):
        work.con.execute(
            f"""INSERT INTO positives SELECT label, score, count(*)
            FROM (FROM known WHERE label BETWEEN {first} AND {last}) AS known
            SEMI JOIN (FROM truth WHERE value = 1 AND label BETWEEN {first} AND {last}) AS truth USING (item, label)
            GROUP BY label, score"""
        )


def _score_type(work: Workplace) -> str:
    return str(work.ask("SELECT typeof(score) FROM scored LIMIT 1")[0][0])
