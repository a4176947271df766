"""Rows of SQLite and PostgreSQL, asked once and copied in blocks."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen.engines.duckdb.places import Asked
from limen.engines.duckdb.workplace import Workplace
from limen.errors import InputError, UnreadableError, require
from limen.files.stored import first_line, quoted
from limen.sources.columns import check_names
from limen.sources.layouts import roles_of
from limen.sources.tables import Kind

BLOCK = 100_000
"""Rows that are held at once."""
_FLOAT4 = 700
"""The number that PostgreSQL gives the type of float32."""


class Answer(NamedTuple):
    """The columns of a query, those that are float32, and its rows in blocks."""

    names: tuple[str, ...]
    single: tuple[bool, ...]
    blocks: Iterator[Sequence[tuple[Any, ...]]]


def streamed(work: Workplace, asked: Asked, table: str, kind: Kind) -> None:
    """Copy the rows of a query to a table, a block at a time: numbers in the column of values, else text.

    Raises
    ------
    InputError
        If the query fails, or a value is no number.
    UnreadableError
        If the database is missing or cannot be reached.
    MissingDependencyError
        If psycopg, which speaks to PostgreSQL, is not installed.
    """
    with (_sqlite if asked.kind == "sqlite" else _postgresql)(asked) as answer:
        check_names(answer.names, str(asked))
        roles = roles_of(answer.names, kind)
        value = None if roles is None else roles.value
        types = ["VARCHAR"] * len(answer.names)
        if value is not None:
            types[value] = "FLOAT" if answer.single[value] else "DOUBLE"
        columns = ", ".join(f"{quoted(name)} {form}" for name, form in zip(answer.names, types, strict=True))
        work.con.execute(f"CREATE TABLE {table} ({columns})")
        for block in answer.blocks:
            cells = zip(*block, strict=True)
            arrays = {
                f"c{column}": _numbers(own, f"{asked} has", answer.names[column])
                if column == value
                else _texts(own)
                for column, own in enumerate(cells)
            }
            work.add(table, **arrays)


@contextmanager
def _sqlite(asked: Asked) -> Iterator[Answer]:
    file = Path(asked.database)
    if not file.is_file():
        raise UnreadableError(f"{file} does not exist. Check the path of the database, and the folder you are in.")
    with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as con:
        try:
            cursor = con.execute(asked.sql)
            names = tuple(str(column[0]) for column in cursor.description or ())
            yield Answer(names, (False,) * len(names), iter(lambda: cursor.fetchmany(BLOCK), []))
        except sqlite3.OperationalError as error:
            raise InputError(f"{asked}: the query fails ({error}). Correct it.") from error
        except sqlite3.DatabaseError as error:
            raise UnreadableError(f"{file} cannot be read as an SQLite database ({error}). Check it.") from error


@contextmanager
def _postgresql(asked: Asked) -> Iterator[Answer]:
    psycopg = require("psycopg", extra="postgresql", user="reading from PostgreSQL")
    try:
        con = psycopg.connect(asked.database)
    except psycopg.Error as error:
        raise UnreadableError(
            f"{asked} cannot be reached ({first_line(error)}). Check host, name of the database and password."
        ) from error
    with con:
        con.read_only = True
        try:
            with con.cursor(name="limen") as cursor:  # kept by the server, read in blocks
                cursor.execute(asked.sql)
                names = tuple(str(column.name) for column in cursor.description or ())
                single = tuple(column.type_code == _FLOAT4 for column in cursor.description or ())
                yield Answer(names, single, iter(lambda: cursor.fetchmany(BLOCK), []))
        except psycopg.Error as error:
            raise InputError(f"{asked}: the query fails ({first_line(error)}). Correct it.") from error


def _texts(cells: Sequence[Any]) -> NDArray[Any]:
    return np.array([None if cell is None else str(cell) for cell in cells], object)


def _numbers(cells: Sequence[Any], found: str, name: str) -> NDArray[Any]:
    """Return cells of numbers as an array that DuckDB reads, masked where they are NULL."""
    wrong = [cell for cell in cells if isinstance(cell, (str, bytes, list))]
    if wrong:
        raise InputError(
            f"{found} {wrong[0]!r} in the column {name!r}, where numbers belong. Write CAST in the query."
        )
    empty = [cell is None for cell in cells]
    return np.ma.MaskedArray([0.0 if cell is None else float(cell) for cell in cells], empty)
