"""Thresholds as SQL text, which decides in the database exactly as `Thresholds.decide` does.

Tested in DuckDB, SQLite and PostgreSQL: `case_sql` and `long_sql` give one text that all three read.
A score that is NULL, NaN, infinite or (in SQLite) no number gives no decision: NULL, or no row.

Numbers have an exponent, which makes them doubles, and 17 digits, which read back to the same double.
(SQLite up to 3.42 reads numbers below 1e-290 only to the last place.)
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from limen.decisions import counted_for
from limen.errors import InputError, examples
from limen.exports.plain_thresholds import plain_thresholds

if TYPE_CHECKING:
    from limen.thresholds import Thresholds

# Comparing with a CAST makes SQLite read numbers in TEXT columns as numbers, and everything else as too large.
_FINITE = """CROSS JOIN (
  SELECT CAST(-1.7976931348623157e308 AS DOUBLE PRECISION) AS lowest,
         CAST(1.7976931348623157e308 AS DOUBLE PRECISION) AS highest
) AS finite"""


def case_sql(thresholds: Thresholds, *, table: str | Sequence[str] = "scores", id: str | None = "id") -> str:
    """Return a query for a wide table: its id column, and a boolean column for each label.

    Parameters
    ----------
    thresholds : Thresholds
    table : str or sequence of str
        Its name, as one name (``"my.scores"`` is a table with a dot in its name) or in parts:
        ``("my", "scores")``. It needs a column of scores for each label, called like it.
    id : str or None
        The column that is passed on; None for none.

    Returns
    -------
    str
        A ``SELECT`` of two lines a label. TRUE where ``score >= threshold``, FALSE elsewhere and for a label
        that is never given, NULL where the score is NULL, NaN or infinite. Under a closed hierarchy a label has
        the decision on its own score and those of the labels below it.

    Raises
    ------
    UnsupportedError
        If the rule of the thresholds is neither ``">="`` nor closed under a hierarchy.
    InputError
        If a name cannot be that of a column: names may not be empty, have a NUL, or differ only in the case
        of ASCII letters.

    Examples
    --------
    >>> import sqlite3
    >>> import limen
    >>> t = limen.tune([[1], [0]], [[0.75], [0.25]], labels=["dog"], method="exact")
    >>> con = sqlite3.connect(":memory:")
    >>> _ = con.execute("CREATE TABLE scores (id TEXT, dog REAL)")
    >>> _ = con.execute("INSERT INTO scores VALUES ('a', 0.5), ('b', 0.4)")
    >>> con.execute(case_sql(t)).fetchall()
    [('a', 1), ('b', 0)]
    """
    cuts = plain_thresholds(thresholds, to="SQL", closed=True)
    _check_columns([*([] if id is None else [id]), *cuts])
    columns = [] if id is None else [_column(id)]
    counted = counted_for(thresholds.rule, len(cuts))
    for (name, cut), others in zip(cuts.items(), counted, strict=True):
        scores = [_column(thresholds.labels[k]) for k in others]
        decision = "FALSE" if cut == math.inf else " OR ".join(f"{score} >= {_double(cut)}" for score in scores)
        finite = " AND ".join(f"{score} BETWEEN finite.lowest AND finite.highest" for score in scores)
        columns.append(f"CASE WHEN {finite}\n    THEN {decision} END AS {_identifier(name)}")
    return "\n".join(
        [
            _comment(thresholds),
            "SELECT",
            ",\n".join(f"  {column}" for column in columns),
            f"FROM {_table(table)} AS s",
            f"{_FINITE};\n",
        ]
    )


def long_sql(
    thresholds: Thresholds,
    *,
    table: str | Sequence[str] = "scores",
    id: str = "id",
    label: str = "label",
    score: str = "score",
    only_given: bool = True,
) -> str:
    """Return a query for a long table: the rows whose label is given, by a join with the thresholds.

    Parameters
    ----------
    thresholds : Thresholds
    table : str or sequence of str
        Its name, as one name or in parts; a row holds one score.
    id, label, score : str
        Its columns.
    only_given : bool
        False returns every row, with a column ``given``: TRUE, FALSE, or NULL where nothing is decided
        because the score is NULL, NaN or infinite, or the thresholds do not have the label.

    Returns
    -------
    str
        A ``SELECT`` of id, label and score.

    Raises
    ------
    UnsupportedError
        If the rule of the thresholds is not ``">="``.
    InputError
        If a name is empty, has a NUL, or is no Unicode text.
    """
    cuts = plain_thresholds(thresholds, to="SQL")
    names = [table] if isinstance(table, str) else list(table)
    # A table of the same name would be hidden by the thresholds.
    joined = "limen_thresholds"
    while joined in {name.lower() for name in names}:
        joined += "_"
    label_column, score_column = _column(label), _column(score)
    columns = f"{_column(id)}, {label_column}, {score_column}"
    finite = f"{score_column} BETWEEN finite.lowest AND finite.highest"
    at_or_above = f"{score_column} >= CAST({joined}.threshold AS DOUBLE PRECISION)"
    join = f"JOIN {joined} ON {joined}.label = {label_column}"
    if only_given:
        query = [f"SELECT {columns}", f"FROM {_table(table)} AS s", join, _FINITE, f"WHERE {finite}"]
        query.append(f"  AND {at_or_above};\n")
    else:
        query = [
            f"SELECT {columns},",
            f"  CASE WHEN {joined}.label IS NOT NULL AND {finite}",
            f"  THEN coalesce({at_or_above}, FALSE) END AS given",
            f"FROM {_table(table)} AS s",
            f"LEFT {join}",
            f"{_FINITE};\n",
        ]
    values = _values(cuts, never="CAST(NULL AS DOUBLE PRECISION)", indent=4)
    values = f"WITH {joined} (label, threshold) AS (\n  VALUES\n{values}\n)"
    return "\n".join([_comment(thresholds), values, *query])


def duckdb_macros(
    thresholds: Thresholds, *, name: str = "limen", label: str = "label", score: str = "score"
) -> str:
    """Return the text that makes two DuckDB macros, ``limen_decide`` and ``limen_tags``.

    Parameters
    ----------
    thresholds : Thresholds
    name : str
        What the names of the macros begin with.
    label, score : str
        The columns of the long tables that ``limen_tags`` reads.

    Returns
    -------
    str
        Two statements. ``limen_decide(label, score)`` is the decision on one score, for use anywhere;
        ``FROM limen_tags('scores')`` gives the rows of a long table whose label is given, and is much
        faster for many labels. Both stop with an error at a label that the thresholds do not have.

    Raises
    ------
    UnsupportedError
        If the rule of the thresholds is not ``">="``.
    InputError
        If a name is empty, has a NUL, or is no Unicode text.

    Examples
    --------
    >>> import duckdb
    >>> import limen
    >>> t = limen.tune([[1], [0]], [[0.75], [0.25]], labels=["dog"], method="exact")
    >>> con = duckdb.connect()
    >>> _ = con.execute(duckdb_macros(t))
    >>> con.sql("SELECT limen_decide('dog', 0.5), limen_decide('dog', 0.4)").fetchall()
    [(True, False)]
    """
    cuts = plain_thresholds(thresholds, to="a DuckDB macro")
    never = "CAST('Infinity' AS DOUBLE PRECISION)"
    branches = "\n".join(f"      WHEN {_text(key)} THEN {_double(cut, never)}" for key, cut in cuts.items())
    label_column, score_column = _column(label), _column(score)
    unknown = "error('the thresholds do not have the label ' || {})"
    # DuckDB 1.1 loses an alias given to query_table itself.
    return f"""{_comment(thresholds)}
CREATE OR REPLACE MACRO {_identifier(f"{name}_decide")}(label, score) AS
  CASE WHEN isfinite(CAST(score AS DOUBLE PRECISION)) THEN
    CAST(score AS DOUBLE PRECISION) >= CASE label
{branches}
      ELSE {unknown.format("label")}
    END
  END;

CREATE OR REPLACE MACRO {_identifier(f"{name}_tags")}(table_name) AS TABLE
  SELECT s.*
  FROM (SELECT * FROM query_table(table_name)) AS s
  LEFT JOIN (
    VALUES
{_values(cuts, never=never, indent=6)}
  ) AS thresholds (label, threshold) ON thresholds.label = {label_column}
  WHERE CASE
    WHEN thresholds.label IS NULL THEN {unknown.format(label_column)}
    ELSE isfinite(CAST({score_column} AS DOUBLE PRECISION))
      AND CAST({score_column} AS DOUBLE PRECISION) >= thresholds.threshold
  END;
"""


def _values(cuts: dict[str, float], *, never: str, indent: int) -> str:
    rows = (f"({_text(name)}, {_double(cut, never)})" for name, cut in cuts.items())
    return ",\n".join(" " * indent + row for row in rows)


def _double(number: float, never: str = "") -> str:
    if number == math.inf:
        return never
    digits = format(number, ".17g")
    return f"CAST({digits if 'e' in digits else digits + 'e0'} AS DOUBLE PRECISION)"


def _comment(thresholds: Thresholds) -> str:
    text = (
        f"limen: {thresholds.objective}, method {thresholds.method}. A label is given when score >= threshold; "
        "NULL means undecided."
    )
    # The method comes from a file that anybody may have written: nothing in it may end the comment.
    return "-- " + "".join(letter if letter.isprintable() else " " for letter in text)


def _table(name: str | Sequence[str]) -> str:
    return ".".join(map(_identifier, [name] if isinstance(name, str) else name))


def _identifier(name: str) -> str:
    if not name:
        raise InputError("a name of a table, column or label is empty. SQL has no empty names; give it one.")
    return '"' + _checked(name).replace('"', '""') + '"'


def _column(name: str) -> str:
    return f"s.{_identifier(name)}"


def _text(name: str) -> str:
    return "'" + _checked(name).replace("'", "''") + "'"


def _checked(name: str) -> str:
    try:
        name.encode()
    except UnicodeEncodeError:
        name_is_text = False
    else:
        name_is_text = "\0" not in name
    if not name_is_text:
        raise InputError(f"the name {name!r} has a NUL or is no Unicode text. SQL cannot hold it; rename it.")
    return name


def _check_columns(names: Iterable[str]) -> None:
    """Refuse names that DuckDB and SQLite take as the same column."""
    seen: dict[bytes, str] = {}
    for name in names:
        folded = _checked(name).encode().lower()
        if folded in seen:
            raise InputError(
                f"the columns {examples([seen[folded], name])} would be the same: SQL does not tell upper from "
                "lower case. Rename one, or use a long table."
            )
        seen[folded] = name
