"""Give the columns of CSV, TSV and Parquet files a meaning: wide, long, pairs or tag lists."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from limen.errors import InputError, count, examples
from limen.files.cells import Cells, open_cells
from limen.names import repeated
from limen.sources.layouts import ID_NAMES, LAYOUTS, Roles, look_like_data, roles_of
from limen.sources.listed import as_labels, table_of_entries
from limen.sources.tables import Kind, Table


def read_columns(path: Path, *, kind: Kind) -> Table:
    """Return the table in a .csv, .tsv, .csv.gz, .tsv.gz or .parquet file.

    Raises
    ------
    InputError
        If the columns cannot be understood or a cell breaks a rule.
    UnreadableError
        If the file is damaged.
    """
    with open_cells(path, kind=kind) as cells:
        return read_cells(cells)


def read_cells(cells: Cells) -> Table:
    """Return the table in open cells, whatever their layout."""
    roles = roles_of(cells.names, cells.kind)
    return _read_wide(cells) if roles is None else _read_listed(cells, roles)


def _read_wide(cells: Cells) -> Table:
    source, every = cells.source, range(len(cells.names))
    filled = [f"count({cells.text(column)})" for column in every]
    numeric = [f"count({cells.number(column)})" for column in every]
    n_items, *counts = cells.rows(f"SELECT count(*), {', '.join(filled + numeric)} FROM cells")[0]
    if n_items == 0:
        raise InputError(_no_rows(source))
    n_filled, n_numeric = counts[: len(every)], counts[len(every) :]
    texts = [column for column in every if n_numeric[column] < n_filled[column]]
    item = _item_column(cells, texts)
    wrong = [column for column in texts if column != item]
    columns = [column for column in every if column != item]
    labels = tuple(cells.names[column] for column in columns)
    if cells.kind == "labels" and len(columns) == 1 and columns == wrong and item is not None:
        return _read_listed(cells, Roles("lists", item, columns[0]))
    if wrong:
        raise InputError(_text_found(cells, wrong, item))
    if not labels:
        raise InputError(
            f"{source} has one column, {cells.names[0]!r}, and no label. {LAYOUTS[cells.kind]} Commas "
            "separate the columns of .csv files, tabs those of .tsv files."
        )
    if look_like_data(labels):
        raise InputError(
            f"{source} has numbers for column names: {examples(labels)}. The first line must name the columns."
        )
    ids = None if item is None else _read_ids(cells, item)
    empty = [column for column in columns if n_filled[column] < n_items]
    if cells.kind == "scores" and empty:
        missing = sum(n_items - n_filled[column] for column in empty)
        label, where = cells.names[empty[0]], cells.place(f"{cells.text(empty[0])} IS NULL", item)
        raise InputError(
            f"{source} has no score in {count(missing, 'cell')} (first: label {label!r}, {where}). Every "
            "item needs a score for every label: fill the cell or drop the row."
        )
    numbers = ", ".join(f"{cells.number(column)} AS c{column}" for column in columns)
    fetched = cells.con.execute(f"SELECT {numbers} FROM cells").fetchnumpy()
    values = _stack([fetched.pop(f"c{column}") for column in columns], n_items)
    return Table(values if cells.kind == "scores" else as_labels(values), source, "wide", ids, labels)


def _item_column(cells: Cells, texts: list[int]) -> int | None:
    """Return the id column of a wide file: by its name, else the only column of text, else None."""
    named = [column for column, name in enumerate(cells.names) if name.strip().casefold() in ID_NAMES]
    if 0 in named:
        return 0
    if len(named) > 1:
        raise InputError(
            f"{cells.source} has {count(len(named), 'column')} that could be the id: "
            f"{examples(cells.names[column] for column in named)}. Put the id column first."
        )
    if named:
        return named[0]
    return texts[0] if len(texts) == 1 else None


def _read_ids(cells: Cells, item: int) -> tuple[str, ...]:
    ids = tuple(row[0] for row in cells.rows(f"SELECT {cells.text(item)} FROM cells"))
    if None in ids:
        raise InputError(_no_id(cells, ids.count(None), ids.index(None) + 1))
    if twice := repeated(ids):
        raise InputError(
            f"{cells.source} repeats {count(len(twice), 'id')}: {examples(twice)}. Every item needs one row "
            "and an id of its own."
        )
    return ids


def _read_listed(cells: Cells, roles: Roles) -> Table:
    """Return a long file, pairs of id and label, or tag lists: one entry a line or tag."""
    _list_entries(cells, roles)
    _check_entries(cells, roles)
    ids, labels = _number_names(cells, "item"), _number_names(cells, "label")
    if not ids:
        raise InputError(_no_rows(cells.source))
    if cells.kind == "scores" and not labels:
        raise InputError(f"{cells.source} lists no score. Write one line for each id and label.")
    entries = cells.con.execute(
        "SELECT items.code AS item, labels.code AS label, value FROM entries JOIN items USING (item) "
        "JOIN labels USING (label)"
    ).fetchnumpy()
    value = None if roles.layout != "long" else _stack([entries["value"]], len(entries["value"]))[:, 0]
    return table_of_entries(ids, labels, entries["item"], entries["label"], value, cells.kind, cells.source)


def _list_entries(cells: Cells, roles: Roles) -> None:
    """Make the table ``entries`` (item, label, value, filled, row); a line without tags has label NULL."""
    item, label = cells.text(roles.item), cells.text(roles.label)
    number = "row_number() OVER () AS row"
    if roles.layout == "lists":
        if cells.types[roles.label].endswith("[]"):
            none = "[CAST(NULL AS VARCHAR)]"
            tags = f"CASE WHEN len(c{roles.label}) > 0 THEN CAST(c{roles.label} AS VARCHAR[]) ELSE {none} END"
        else:
            several = cells.rows(f"SELECT bool_or(contains({label}, ';')) FROM cells")[0][0]
            tags = f"string_split(coalesce({label}, ''), '{';' if several else '|'}')"
        query = (
            "SELECT item, nullif(trim(tag), '') AS label, true AS value, true AS filled, row FROM "
            f"(SELECT item, unnest(tags) AS tag, row FROM (SELECT {item} AS item, {tags} AS tags, {number} "
            "FROM cells))"
        )
    elif roles.value is None:
        query = f"SELECT {item} AS item, {label} AS label, true AS value, true AS filled, {number} FROM cells"
    else:
        query = (
            f"SELECT {item} AS item, {label} AS label, {cells.number(roles.value)} AS value, "
            f"{cells.text(roles.value)} IS NOT NULL AS filled, {number} FROM cells"
        )
    cells.con.execute(f"CREATE TEMP TABLE entries AS {query}")


def _check_entries(cells: Cells, roles: Roles) -> None:
    def find(condition: str) -> tuple[int, int, str]:
        """Return how many rows have ``condition``, the first of them, and its place for a message."""
        n_rows, row, item, label = cells.rows(
            f"SELECT count(*), min(row), arg_min(item, row), arg_min(label, row) FROM entries WHERE {condition}"
        )[0]
        return n_rows, row, f"row {row}, id {item!r}" + ("" if label is None else f", label {label!r}")

    n_rows, row, _ = find("item IS NULL")
    if n_rows:
        raise InputError(_no_id(cells, n_rows, row))
    if roles.layout == "lists":
        query = "SELECT item FROM entries GROUP BY item HAVING min(row) < max(row) ORDER BY min(row)"
        if twice := cells.rows(query):
            raise InputError(
                f"{cells.source} repeats {count(len(twice), 'id')}: {examples(row[0] for row in twice)}. A "
                "tag list has one line for each item; for one line a tag, call the second column label."
            )
    if roles.value is None:
        return
    if find("filled AND value IS NULL")[0]:
        raise InputError(_text_found(cells, [roles.value], roles.item))
    n_rows, _, where = find("label IS NULL AND filled")
    if n_rows:
        raise InputError(
            f"{cells.source} has a value and no label in {count(n_rows, 'row')} (first: {where}). Name "
            "the label; leave both cells empty only for an item that has nothing to list."
        )
    n_rows, _, where = find("label IS NOT NULL AND NOT filled")
    if n_rows and cells.kind == "scores":
        raise InputError(
            f"{cells.source} has no score in {count(n_rows, 'row')} (first: {where}). Give a score or drop "
            "the row: a pair that is not listed is below every cut."
        )


def _number_names(cells: Cells, name: Literal["item", "label"]) -> tuple[str, ...]:
    """Return the distinct items or labels by first appearance; number them in a table (name, code)."""
    cells.con.execute(
        f"CREATE TEMP TABLE {name}s AS SELECT {name}, "
        f"row_number() OVER (ORDER BY min(row), {name}) - 1 AS code "
        f"FROM entries WHERE {name} IS NOT NULL GROUP BY {name}"
    )
    return tuple(row[0] for row in cells.rows(f"SELECT {name} FROM {name}s ORDER BY code"))


def _stack(columns: list[NDArray[Any]], n_items: int) -> NDArray[Any]:
    """Return columns as one array (n_items, n_columns), with NaN where a column is masked."""
    dtype = np.result_type(*(column.dtype for column in columns))
    if any(np.ma.is_masked(column) for column in columns):
        dtype = np.result_type(dtype, np.float32)
    values = np.empty((n_items, len(columns)), dtype=dtype)
    for position, column in enumerate(columns):
        masked = np.ma.is_masked(column)
        values[:, position] = np.ma.filled(column.astype(dtype), np.nan) if masked else column
    return values


def _text_found(cells: Cells, columns: list[int], item: int | None) -> str:
    column = columns[0]
    hit = f"{cells.text(column)} IS NOT NULL AND {cells.number(column)} IS NULL"
    cell = cells.rows(f"SELECT {cells.text(column)} FROM cells WHERE {hit} LIMIT 1")[0][0]
    shown = cell if len(cell) <= 40 else cell[:40] + "…"
    names = examples(cells.names[column] for column in columns)
    return (
        f"{cells.source} has text where numbers belong, in {count(len(columns), 'column')} ({names}; first: "
        f"{shown!r} in {cells.place(hit, item)}). "
        f"{LAYOUTS[cells.kind]} Correct the cell or the names of the columns."
    )


def _no_rows(source: str) -> str:
    return f"{source} has a header and no rows. At least one item is needed."


def _no_id(cells: Cells, n_rows: int, first: int) -> str:
    return f"{cells.source} has no id in {count(n_rows, 'row')} (first: row {first}). Every row needs an id."
