"""Columns of Parquet files and of the rows of a query, as DuckDB gives them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from limen.files.archives import damaged
from limen.sources.columns import Columns, check_names, number_of
from limen.sources.tables import Kind

if TYPE_CHECKING:
    import duckdb


class StoredColumns(Columns):
    """The columns of ``rows``, a table of DuckDB or a call of one of its readers.

    Text whose every cell is a number is a column of numbers, as in a text file.
    """

    def __init__(
        self, con: duckdb.DuckDBPyConnection, rows: str, names: list[str], source: str, kind: Kind
    ) -> None:
        check_names(names, source)
        super().__init__(source, names, kind)
        self._con, self._rows = con, rows
        roles = self.roles()
        result = con.execute(f"SELECT * FROM {rows}" + (" LIMIT 0" if roles else ""))
        self._types = [(quoted(column[0]), str(column[1])) for column in result.description]
        self._arrays: dict[int, NDArray[Any]] = dict(enumerate(result.fetchnumpy().values()))
        if roles is not None:  # names that stand in many rows are better read one by one
            needed = 0 if roles.value is None else roles.value
            of_value = con.execute(f"SELECT {self._types[needed][0]} FROM {rows}").fetchnumpy()
            self._arrays = {needed: next(iter(of_value.values()))}
        self._n_rows = len(next(iter(self._arrays.values())))
        self.texts = [column for column in self._arrays if not self._as_numbers(column)]

    def __len__(self) -> int:
        return self._n_rows

    def cells(self, column: int) -> list[Any]:
        """Return a column as text, or as lists; an empty cell is None."""
        return text_cells(self._con, self._rows, *self._types[column])

    def array(self, column: int) -> NDArray[Any]:
        """Return a column of numbers (n_rows,), masked where a cell is empty."""
        return self._arrays[column]

    def _as_numbers(self, column: int) -> bool:
        """Make a column an array of float32, float64 (or bool, of labels); return whether it is one of numbers."""
        array = self._arrays[column]
        if array.dtype.kind == "f" or (array.dtype.kind == "b" and self.kind == "labels"):
            return True
        if array.dtype.kind in "biu":
            self._arrays[column] = array.astype(np.float64)
            return True
        numbers, empty = np.full(len(array), np.nan), np.ones(len(array), np.bool_)
        for row in np.flatnonzero(~np.ma.getmaskarray(array)).tolist():
            cell = array[row]
            number = number_of(cell, self.kind) if isinstance(cell, str) else None
            if number is not None:
                numbers[row], empty[row] = number, False
            elif not isinstance(cell, str) or cell:
                return False
        self._arrays[column] = np.ma.MaskedArray(numbers, empty)
        return True


def text_cells(con: duckdb.DuckDBPyConnection, rows: str, name: str, form: str) -> list[Any]:
    """Return a column of rows, of a type, as text, or as lists; an empty cell is None."""
    lists = form.endswith("]") or form == "list"  # all that DuckDB before 1.2 says of it
    result = con.execute(f"SELECT CAST({name} AS VARCHAR{'[]' * lists}) FROM {rows}")
    cells: list[Any] = []
    pool: dict[str, str] = {}
    while some := result.fetchmany(1 << 16):
        if lists:
            cells += [[tag for tag in row[0] if tag] if row[0] else None for row in some]
        else:
            cells += [pool.setdefault(row[0], row[0]) if row[0] else None for row in some]
    return cells


def without_bar(con: duckdb.DuckDBPyConnection) -> None:
    """Turn the progress bar off; in a notebook without widgets it has none, and refuses to be told so."""
    import duckdb

    with suppress(duckdb.InvalidInputException):
        con.execute("SET enable_progress_bar = false")


def connect(file: str = "") -> duckdb.DuckDBPyConnection:
    """Return a connection to a database file, for reading, or to a new one in memory; it draws no progress bar."""
    import duckdb

    con = duckdb.connect(file or ":memory:", read_only=bool(file))
    without_bar(con)
    return con


@contextmanager
def parquet_columns(path: Path, kind: Kind) -> Iterator[StoredColumns]:
    """Give the columns of a Parquet file, with the names that it has: duckdb renames repeated ones.

    Columns are read while they are used, so damage is found then too.
    """
    with as_parquet(str(path)), connect() as con:
        yield StoredColumns(con, parquet_rows(path), parquet_names(con, path), str(path), kind)


@contextmanager
def as_parquet(source: str) -> Iterator[None]:
    """Turn what DuckDB says of a file's bytes into `UnreadableError`."""
    import duckdb

    try:
        yield
    except (duckdb.Error, UnicodeDecodeError) as error:
        raise damaged(source, "Parquet", "the program that made it", first_line(error)) from error


def parquet_names(con: duckdb.DuckDBPyConnection, path: Path) -> list[str]:
    """Return the names of the columns that a Parquet file has, as it has them."""
    tree = con.execute(f"SELECT name, coalesce(num_children, 0) FROM parquet_schema({parquet_file(path)})")
    names, depth = [], 0
    for name, n_children in tree.fetchall()[1:]:
        if depth == 0:
            names.append(str(name))
            depth = 1
        depth += n_children - 1
    return names


def parquet_file(path: Path) -> str:
    """Return a path as DuckDB reads it: as one file, not as a pattern of several."""
    return quoted(re.sub(r"([*?\[])", r"[\1]", str(path.absolute())), "'")


def parquet_rows(path: Path, *, numbered: bool = False) -> str:
    """Return the call that reads the rows of a Parquet file; ``numbered`` adds the column file_row_number."""
    more = ", file_row_number=true" if numbered else ""
    return f"read_parquet({parquet_file(path)}, hive_partitioning=false{more})"


def quoted(text: str | Path, quote: str = '"') -> str:
    """Return text as SQL writes a name, or with ``quote="'"`` a string."""
    return quote + str(text).replace(quote, 2 * quote) + quote


def first_line(error: Exception) -> str:
    """Return what duckdb says, without the query that it shows below."""
    return str(error).splitlines()[0]
