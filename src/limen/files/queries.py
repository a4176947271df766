"""Read scores and labels from the rows of a DuckDB query."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from limen.errors import InputError, UnreadableError
from limen.files.stored import StoredColumns, connect, first_line, quoted
from limen.sources.columns import table_of
from limen.sources.tables import Kind, Table

if TYPE_CHECKING:
    import duckdb

SCHEME = "duckdb:"


class Query(NamedTuple):
    """A SELECT, and the database file it is asked of ("" for none)."""

    file: str
    sql: str

    def __str__(self) -> str:
        return f"{SCHEME}{self.file}" if self.file else "the query"


def as_query(text: str) -> Query | None:
    """Return the query in ``duckdb:FILE?query=SELECT ...`` or ``duckdb:FILE?table=NAME``; None for other text.

    What follows the equals sign is taken as it is. Without a file, the query reads from files itself:
    ``duckdb:?query=SELECT * FROM 'scores/*.parquet'``.

    Raises
    ------
    InputError
        If the text has the scheme and neither a query nor a table.

    Examples
    --------
    >>> as_query("duckdb:scores.db?query=SELECT * FROM scores")
    Query(file='scores.db', sql='SELECT * FROM scores')
    >>> as_query("duckdb:scores.db?table=clip scores").sql
    'SELECT * FROM "clip scores"'
    >>> as_query("scores.csv")
    """
    if not text.lower().startswith(SCHEME):
        return None
    rest = text[len(SCHEME) :]
    file, _, sql = rest.partition("?query=")
    if sql.strip():
        return Query(file, sql)
    file, _, table = rest.partition("?table=")
    if file and table:
        return Query(file, f"SELECT * FROM {quoted(table)}")
    raise InputError(
        f"{text!r} has no query. Write duckdb:FILE?query=SELECT ... or duckdb:FILE?table=NAME, in quotes for the "
        "shell."
    )


def read_query(query: Query, *, kind: Kind) -> Table:
    """Return the rows of a query, in the layouts of `limen.files.reading.read_table`.

    The database is opened read-only, and the query asked once. The rows of a query have no order of their
    own, so a wide result needs an id column.

    Raises
    ------
    InputError
        If it is not one SELECT, fails, has no rows or no ids, or its columns cannot be understood.
    UnreadableError
        If the database cannot be opened.
    """
    import duckdb

    source = str(query)
    file = Path(query.file)
    if query.file and not file.is_file():
        raise UnreadableError(f"{file} does not exist. Check the path of the database, and the folder you are in.")
    try:
        con = connect(query.file)
    except duckdb.Error as error:
        raise UnreadableError(
            f"{file} cannot be opened as a DuckDB database ({first_line(error)}). Check that no other program "
            "has it open for writing."
        ) from error
    with con:
        try:
            columns = _ask(con, query, kind)
        except duckdb.Error as error:
            raise InputError(f"{source}: the query fails ({first_line(error)}). Correct it.") from error
        table = table_of(columns)
    if table.ids is None:
        raise InputError(
            f"{source}: the query gives no ids ({', '.join(columns.names[:3])}, ...). Rows of a query have no "
            "order of their own: select an id column too."
        )
    return table


def _ask(con: duckdb.DuckDBPyConnection, query: Query, kind: Kind) -> StoredColumns:
    """Ask the query, keep its rows, and return their columns."""
    sql = select_of(con, query)
    names = [str(name) for name in con.sql(sql).columns]
    con.execute(f"CREATE TEMP TABLE cells AS SELECT * FROM ({sql}\n)")
    return StoredColumns(con, "cells", names, str(query), kind)


def select_of(con: duckdb.DuckDBPyConnection, query: Query) -> str:
    """Return the one SELECT that a query is, without what may follow it.

    Raises
    ------
    InputError
        If it is anything else.
    """
    statements = con.extract_statements(query.sql)
    kinds = [statement.type.name for statement in statements]
    # A PIVOT is several statements: it asks for the names of its columns first.
    pivot = kinds == ["MULTI"] and re.match(r"[\s(]*(WITH|SELECT|FROM|PIVOT)\b", query.sql, re.IGNORECASE)
    if kinds != ["SELECT"] and not pivot:
        raise InputError(f"{query}: the query holds {', '.join(kinds) or 'nothing'}. It must be one SELECT.")
    return re.sub(
        r";\s*(?:(?:--[^\n]*(?:\n|$)|/\*.*?\*/)\s*)*$", "", statements[0].query.rstrip(), flags=re.DOTALL
    )
