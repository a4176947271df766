"""Names as numbers: scores and labels joined by name, checked, and sorted by item and label.

A pair of item and label is one number, ``item * n_labels + label``: its code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from limen.engines.duckdb.annotations import Annotated
from limen.engines.duckdb.rows import Items, Rows, read_here, roles_in
from limen.engines.duckdb.workplace import Workplace
from limen.errors import InputError, count, examples
from limen.sources.layouts import Roles


def code_labels(work: Workplace, rows: Rows, labels: Sequence[str] | None) -> tuple[str, ...]:
    """Check the scores, and return the names of the labels: by first appearance, or those given.

    Raises
    ------
    InputError
        If an id, a label or a score is missing, a score is not finite, or a label is not among those given.
    """
    roles = roles_in(rows, "scores")
    with read_here(rows.source):
        _check_scores(work, rows, roles)
        found = work.ask(
            f"""SELECT {rows.text(roles.label)} AS name FROM {rows.sql}
            WHERE name IS NOT NULL GROUP BY name ORDER BY min({rows.order})"""
        )
    names = tuple(str(row[0]) for row in found)
    if not names:
        raise InputError(f"{rows.source} lists no score. Write one line for each id and label.")
    if labels is not None:
        given = set(labels)
        if extra := [name for name in names if name not in given]:
            raise InputError(
                f"{rows.source} has scores of {examples(extra)}, not among the {count(len(given), 'label')} "
                "given. Name all labels, or leave these scores out."
            )
        names = tuple(labels)
    work.con.execute("CREATE TABLE labels (label BIGINT, name VARCHAR)")
    work.add("labels", label=np.arange(len(names)), name=np.array(names, object))
    return names


def code_items(work: Workplace, rows: Rows, annotated: Annotated, items: Items | None) -> int:
    """Make the table ``items`` in the order of first appearance among the scores; return how many there are.

    They are those in the table of all items; without one, those in both scores and labels, which then must be the
    same.

    Raises
    ------
    InputError
        If an item is missing on one side, or a table of all items repeats one.
    """
    with read_here(rows.source):
        work.con.execute(
            f"""CREATE TABLE scored_ids AS
            SELECT {rows.text(roles_in(rows, "scores").item)} AS id, min({rows.order}) AS first
            FROM {rows.sql} GROUP BY ALL"""
        )
    if items is None:
        work.con.execute("CREATE TABLE ids AS SELECT DISTINCT id, 1.0::DOUBLE AS weight FROM annotated")
        _check_same_items(work, rows.source, annotated)
    else:
        table = items.rows
        weight = "1.0" if items.weight is None else table.number(items.weight)
        with read_here(table.source):
            work.con.execute(
                f"""CREATE TABLE ids AS
                SELECT {table.text(items.id)} AS id, {weight}::DOUBLE AS weight FROM {table.sql}"""
            )
        _check_all_items(work, rows.source, annotated.source, table.source)
    work.con.execute(
        """CREATE TABLE items AS
        SELECT row_number() OVER (ORDER BY first, id) - 1 AS item, id, weight
        FROM ids LEFT JOIN scored_ids USING (id)"""
    )
    n_items = work.number("SELECT count(*) FROM items")
    for table_ in ("ids", "scored_ids"):
        work.con.execute(f"DROP TABLE {table_}")
    return n_items


def code_scores(work: Workplace, rows: Rows, floor: float | None, n_labels: int) -> None:
    """Make the table ``scored`` of code and score, by code: those from the floor on.

    Raises
    ------
    InputError
        If a pair of id and label stands there more than once, or no score reaches the floor.
    """
    roles = roles_in(rows, "scores")
    assert roles.value is not None
    score = rows.number(roles.value)
    kept = (
        ""
        if floor is None
        else f"WHERE score >= CAST(? AS {'FLOAT' if score.endswith('AS FLOAT)') else 'DOUBLE'})"
    )
    with read_here(rows.source):
        work.con.execute(
            f"""CREATE TABLE scored AS
            SELECT item * {n_labels} + label AS code, score
            FROM (
                SELECT {rows.text(roles.item)} AS id, {rows.text(roles.label)} AS name, {score} AS score
                FROM {rows.sql}
            ) AS found
            JOIN items USING (id)
            JOIN labels USING (name) {kept}
            ORDER BY code""",
            None if floor is None else [floor],
        )
    if not work.number("SELECT count(*) FROM scored"):
        raise InputError(f"{rows.source} has no score of {floor} or more. Give a lower floor.")
    _check_once(work, "scored", rows.source, n_labels)


def code_truth(work: Workplace, annotated: Annotated, source: str, n_labels: int, *, given: bool) -> None:
    """Make the table ``truth`` of code and value, by code; ``given`` tells that the labels were named.

    Raises
    ------
    InputError
        If labels stand on one side only, or a pair stands there more than once.
    """
    extra = _found(
        work,
        "SELECT DISTINCT label FROM annotated WHERE label IS NOT NULL AND label NOT IN (SELECT name FROM labels)",
    )
    missing = _found(
        work, "SELECT name FROM labels WHERE name NOT IN (SELECT label FROM annotated WHERE label IS NOT NULL)"
    )
    if extra.number:
        raise InputError(
            f"{annotated.source} has {count(extra.number, 'label')} without a score in {source}: {extra.shown}. "
            "Every label must have scores, spelled alike: rename it or drop it. If all its scores are below the "
            "floor, name all labels (labels=)."
        )
    if missing.number and annotated.every and not given:
        raise InputError(
            f"{source} and {annotated.source} name different labels: {missing.shown} only in {source}. Labels are "
            "joined by name: rename them or drop what is not shared."
        )
    work.con.execute(
        f"""CREATE TABLE truth AS
        SELECT item * {n_labels} + label AS code, value
        FROM (SELECT id, label AS name, value FROM annotated) AS found
        JOIN items USING (id)
        JOIN labels USING (name)
        ORDER BY code"""
    )
    work.con.execute("DROP TABLE annotated")
    _check_once(work, "truth", annotated.source, n_labels)


def _check_scores(work: Workplace, rows: Rows, roles: Roles) -> None:
    assert roles.value is not None
    item, label, score = rows.text(roles.item), rows.text(roles.label), rows.number(roles.value)
    cells = f"(SELECT {item} AS id, {label} AS label, {score} AS score FROM {rows.sql})"
    broken = {
        "id IS NULL": ("no id", "Every row needs an id."),
        "label IS NULL AND score IS NOT NULL": (
            "a value and no label",
            "Name the label; leave both cells empty only for an item that has nothing to list.",
        ),
        "label IS NOT NULL AND score IS NULL": (
            "no score",
            "Give a score or drop the row: a pair that is not listed is below every cut.",
        ),
        "NOT isfinite(score)": (
            "NaN or an infinite score",
            "Scores must be finite: drop those rows or fix the model.",
        ),
    }
    counts = work.ask(
        f"SELECT {', '.join(f'count(*) FILTER ({rule})' for rule in broken)}, count(*) FROM {cells}"
    )[0]
    if not counts[-1]:
        raise InputError(f"{rows.source} has no rows. At least one item is needed.")
    for (rule, (what, advice)), n_rows in zip(broken.items(), counts, strict=False):
        if n_rows:
            first = work.ask(f"SELECT id, label FROM {cells} WHERE {rule} LIMIT 1")[0]
            raise InputError(
                f"{rows.source} has {what} in {count(int(str(n_rows)), 'row')} (first: id {first[0]!r}, label "
                f"{first[1]!r}). {advice}"
            )


def _check_same_items(work: Workplace, source: str, annotated: Annotated) -> None:
    unlabelled = _found(work, "SELECT id FROM scored_ids ANTI JOIN ids USING (id)")
    unscored = _found(work, "SELECT id FROM ids ANTI JOIN scored_ids USING (id)")
    if not unlabelled.number and not unscored.number:
        return
    found, todo = [], ["give a table of all items (items=)"]
    if unlabelled.number:
        found.append(
            f"{count(unlabelled.number, 'item')} in {source} have scores but no labels ({unlabelled.shown})"
        )
        todo.append(
            f"add a line with an empty tag list to {annotated.source} for each item that has no tag"
            if not annotated.every
            else f"add these items to {annotated.source}, or leave out their scores"
        )
    if unscored.number:
        found.append(
            f"{count(unscored.number, 'item')} in {annotated.source} have labels but no scores ({unscored.shown})"
        )
        todo.append(f"add a line with the id and two empty cells to {source} for each item that got no score")
    raise InputError(f"{'; '.join(found)}. Both need the same items: {', or '.join(todo)}.")


def _check_all_items(work: Workplace, scores: str, labels: str, items: str) -> None:
    twice = work.ask("SELECT id FROM ids GROUP BY id HAVING count(*) > 1 OR id IS NULL ORDER BY id LIMIT 5")
    if twice:
        raise InputError(
            f"{items} repeats or lacks an id: {examples(row[0] or '' for row in twice)}. Every item has one row."
        )
    for source, table in ((scores, "scored_ids"), (labels, "annotated")):
        unknown = _found(work, f"SELECT DISTINCT id FROM {table} ANTI JOIN ids USING (id)")
        if unknown.number:
            raise InputError(
                f"{source} has {count(unknown.number, 'item')} that {items} does not list: {unknown.shown}. The "
                "table of all items must name every item."
            )


def _check_once(work: Workplace, table: str, source: str, n_labels: int) -> None:
    """Raise `InputError` if a code stands more than once in a table that is in their order."""
    n_rows = work.number(f"SELECT count(*) FROM {table}")
    again: list[int] = []
    for start in range(0, n_rows, work.rows_at_once):
        within = f"rowid BETWEEN {max(0, start - 1)} AND {start + work.rows_at_once - 1}"
        codes = work.columns(f"SELECT code FROM {table} WHERE {within}")[0].astype(np.int64)
        again += np.unique(codes[1:][np.diff(codes) == 0]).tolist()
    if again:
        item, label = divmod(again[0], n_labels)
        found = work.ask("SELECT id, name FROM items, labels WHERE item = ? AND label = ?", [item, label])[0]
        raise InputError(
            f"{source} lists {count(len(again), 'pair')} of id and label more than once (first: '{found[0]}, "
            f"{found[1]}'). Keep one line for each pair."
        )


class Found(NamedTuple):
    """How many names a query finds, and the first of them as messages show them."""

    number: int
    shown: str


def _found(work: Workplace, sql: str) -> Found:
    number = work.number(f"SELECT count(*) FROM ({sql})")
    few = examples(row[0] for row in work.ask(f"SELECT * FROM ({sql}) ORDER BY 1 LIMIT 5")) if number else ""
    return Found(number, few + (f" and {number - 5} more" if number > 5 else ""))
