"""Long tables (id, label, score) counted by DuckDB: larger than memory, from Parquet files and databases."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from limen.curves import Curves
from limen.engines.duckdb.table import opened
from limen.shards import Cuts, count_shard

__all__ = ["curves", "cuts", "opened"]


def curves(
    y_true: Any,
    y_score: Any,
    *,
    labels: Sequence[str] | None = None,
    items: Any = None,
    floor: float | None = None,
    cuts: Cuts | None = None,
    memory_mb: int = 1000,
    temp_directory: str | os.PathLike[str] | None = None,
) -> Curves:
    """Return the curves of a long table of scores, counted by DuckDB where it lies.

    Parameters
    ----------
    y_true : path, pattern, sequence of paths, or str
        Labels: pairs (id, label) of the positives, or with values (id, label, value), or tag lists (id, tags).
        A place as for ``y_score``; or what `limen.files.reading.read_table` returns for any file.
    y_score : path, pattern, sequence of paths, or str
        Scores (id, label, score): Parquet files; ``duckdb:FILE?table=NAME`` or ``duckdb:FILE?query=SELECT ...``;
        ``sqlite:FILE?table=NAME`` or ``postgresql://USER@HOST/DATABASE?table=NAME``, or with ``query=``.
    labels : sequence of n_labels str, optional
        Names of all labels, in this order; those with scores, by first appearance, if left out.
    items : as y_score, optional
        A table of all items (id, or id, weight), for scores and labels that do not name each. If left out, both
        must name the same items.
    floor : float, optional
        Count only scores from here on. What is not stored counts as below it in any case.
    cuts : limen.shards.Cuts, optional
        Those of all parts together, where this table is one part; see `limen.shards.count_shard`.
    memory_mb : int
        What DuckDB may hold in memory, in megabytes.
    temp_directory : path, optional
        Where there is room for what does not fit, 12 bytes a score and more; the system's (TMPDIR), if left out.

    Returns
    -------
    Curves
        Those that `Curves.from_arrays` counts on the same table in memory, bit for bit, at the cuts that serve all
        methods. Positive items without a score are in ``n_positive``, so that recall counts them as missed:
        `limen.unscored.unscored` tells how many.

    Raises
    ------
    InputError
        If names stand on one side only, a pair is listed twice, a score is not finite, or columns are not those
        of a long table.
    UnreadableError
        If a file or database cannot be read.
    FileError
        If memory or the disk does not suffice.

    Examples
    --------
    >>> import duckdb, limen, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     scores, tags = f"{folder}/scores.parquet", f"{folder}/tags.parquet"
    ...     rows = "('a', 'dog', 0.9), ('b', 'dog', 0.4), ('c', 'dog', 0.2)"
    ...     _ = duckdb.sql(f"COPY (FROM (VALUES {rows}) t(id, label, score)) TO '{scores}'")
    ...     pairs = "('a', 'dog'), ('b', 'dog'), ('c', NULL)"
    ...     _ = duckdb.sql(f"COPY (FROM (VALUES {pairs}) t(id, label)) TO '{tags}'")
    ...     found = curves(tags, scores)
    >>> limen.tune(found, method="exact").values
    array([0.3])
    """
    given = labels if cuts is None else cuts.positive.labels
    with opened(
        y_true,
        y_score,
        labels=given,
        items=items,
        floor=floor,
        memory_mb=memory_mb,
        temp_directory=temp_directory,
    ) as data:
        return replace(count_shard(data, cuts), sources=())


def cuts(y_true: Any, y_score: Any, **given: Any) -> Cuts:
    """Return where to count a long table that is one part of the data; parameters are those of `curves`."""
    with opened(y_true, y_score, **given) as data:
        return Cuts.of(data)
