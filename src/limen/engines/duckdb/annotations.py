"""Labels of every form as one table ``annotated`` of id, label and code; without a label, of an item only."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from limen.engines.duckdb.rows import Rows, read_here, roles_in
from limen.engines.duckdb.workplace import Workplace
from limen.errors import InputError, count, examples
from limen.sources.arrays import CSR, UNKNOWN, truth_codes
from limen.sources.layouts import Roles
from limen.sources.tables import Table

BLOCK = 1 << 20


class Annotated(NamedTuple):
    """What is known of the labels: their source, whether all are named there, and what a pair not listed is.

    ``absent`` is 0, or -1 for unknown. ``every`` is False for tags: labels that no item has are not named.
    """

    source: str
    every: bool
    absent: int
    lists: bool = False


def annotate_rows(work: Workplace, rows: Rows) -> Annotated:
    """Make the table of labels that lie in a long table, as pairs or as tag lists.

    Raises
    ------
    InputError
        If an id is missing, a value is none of a label, a tag list repeats an id, or labels are all 1 with most
        pairs missing.
    """
    roles = roles_in(rows, "labels")
    with read_here(rows.source):
        if roles.layout == "lists":
            _unnest(work, rows, roles)
        else:
            value = "1" if roles.value is None else rows.number(roles.value)
            work.con.execute(
                f"""CREATE TABLE annotated AS
                SELECT {rows.text(roles.item)} AS id, {rows.text(roles.label)} AS label, {value} AS value
                FROM {rows.sql}"""
            )
    _check(work, rows.source, with_values=roles.value is not None)
    work.con.execute(
        f"""CREATE TABLE codes AS
        SELECT id, label, (CASE WHEN value = 1 THEN 1 WHEN value = 0 THEN 0 ELSE {UNKNOWN} END)::TINYINT AS value
        FROM annotated"""
    )
    work.con.execute("DROP TABLE annotated")
    work.con.execute("ALTER TABLE codes RENAME TO annotated")
    return Annotated(
        rows.source, roles.value is not None, 0 if roles.value is None else UNKNOWN, roles.layout == "lists"
    )


def annotate_table(work: Workplace, table: Table) -> Annotated:
    """Make the table of labels that are in memory already.

    Raises
    ------
    InputError
        If they have no ids or no names, or a value is none of a label.
    """
    if table.ids is None or table.labels is None:
        what = "ids" if table.ids is None else "label names"
        raise InputError(
            f"{table.source} has no {what}. A long table of scores names items and labels: name them in the "
            "labels too."
        )
    ids, names = (np.array(found, object) for found in (table.ids, table.labels))
    work.con.execute("CREATE TABLE annotated (id VARCHAR, label VARCHAR, value TINYINT)")
    work.add("annotated", id=ids, label=np.full(len(ids), None, object), value=np.zeros(len(ids), np.int8))
    absent = UNKNOWN if table.layout == "long" else 0
    step = max(1, BLOCK // max(1, len(names)))
    for start in range(0, len(ids), step):
        if isinstance(table.values, CSR):
            part = table.values.rows(start, min(start + step, len(ids)))
            row, label, codes = part.row_of_entries(), part.indices, part.data.astype(np.int8)
        else:
            dense = truth_codes(table.values[start : start + step], table.labels, start)
            row, label = np.nonzero(dense != absent)
            codes = dense[row, label]
        work.add("annotated", id=ids[start + row], label=names[label], value=codes)
    return Annotated(table.source, table.layout != "tags", absent)


def _unnest(work: Workplace, rows: Rows, roles: Roles) -> None:
    """Make one row a tag; an item without tags has one row without a label."""
    name, form = rows.text(roles.label), rows.types[roles.label]
    item, column = rows.text(roles.item), f'"{rows.names[roles.label]}"'
    if form.endswith("]"):
        tags = f"CAST({column} AS VARCHAR[])"
    else:
        many = work.number(f"SELECT count(*) FROM {rows.sql} WHERE contains({name}, ';')")
        tags = f"string_split({name}, '{';' if many else '|'}')"
    twice = work.ask(f"SELECT {item} FROM {rows.sql} GROUP BY 1 HAVING count(*) > 1 ORDER BY 1 LIMIT 5")
    if twice:
        raise InputError(
            f"{rows.source} repeats ids: {examples(row[0] for row in twice)}. A tag list has one line for each "
            "item; for one line a tag, call the second column label."
        )
    work.con.execute(
        f"""CREATE TABLE annotated AS
        WITH lists AS (
            SELECT
                {item} AS id,
                list_filter(list_transform({tags}, lambda tag: trim(tag)), lambda tag: tag <> '') AS tags
            FROM {rows.sql}
        )
        SELECT id, unnest(CASE WHEN len(tags) > 0 THEN tags ELSE [NULL] END) AS label, 1 AS value FROM lists"""
    )


def _check(work: Workplace, source: str, *, with_values: bool) -> None:
    """Raise `InputError` if an id is missing, or a value stands alone, is none of a label, or never 0."""
    nameless, alone, wrong, listed, ones = work.ask(
        """SELECT count(*) FILTER (id IS NULL),
            count(*) FILTER (label IS NULL AND value IS NOT NULL),
            count(*) FILTER (value NOT IN (0, 1) AND NOT isnan(value::DOUBLE)),
            count(label), count(*) FILTER (label IS NOT NULL AND value = 1)
        FROM annotated"""
    )[0]
    if nameless:
        raise InputError(f"{source} has no id in {count(int(str(nameless)), 'row')}. Every row needs an id.")
    if not with_values:
        return
    if alone:
        raise InputError(
            f"{source} has a value and no label in {count(int(str(alone)), 'row')}. Name the label; leave both "
            "cells empty only for an item that has nothing to list."
        )
    if wrong:
        item, label, value = work.ask(
            "SELECT id, label, value FROM annotated WHERE value NOT IN (0, 1) AND NOT isnan(value::DOUBLE) LIMIT 1"
        )[0]
        raise InputError(
            f"{source} has {value} for label {label!r}, id {item!r} ({count(int(str(wrong)), 'such value')}). "
            "Labels must be 0, 1, True, False, or NULL or NaN for unknown."
        )
    pairs = work.number("SELECT count(DISTINCT id) * count(DISTINCT label) FROM annotated")
    if listed and listed == ones and int(str(listed)) < pairs:
        raise InputError(
            f"{source} lists {listed} of {count(pairs, 'pair')}, all with value 1, so the others could be 0 or "
            "unknown. If they are 0, drop the value column; if they are unknown, list the pairs that are 0."
        )
