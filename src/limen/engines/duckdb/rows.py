"""The rows of a long table where DuckDB can read them: Parquet in place, databases copied once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

from limen.engines.duckdb.places import Asked, Files, Place, place_of
from limen.engines.duckdb.streams import streamed
from limen.engines.duckdb.workplace import Workplace
from limen.errors import InputError, UnreadableError, examples
from limen.files.queries import Query, select_of
from limen.files.stored import connect, first_line, quoted
from limen.sources.columns import check_names, id_columns
from limen.sources.layouts import LAYOUTS, Roles, roles_of
from limen.sources.tables import Kind

_WHOLE = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"}
_TAKEN = ("limen_work", "system", "temp")
_NUMBERS = {"FLOAT", "DOUBLE", *_WHOLE, *(f"U{name}" for name in _WHOLE)}


class Rows(NamedTuple):
    """Rows: what follows FROM, what messages call them, their columns, and an expression of their order."""

    sql: str
    source: str
    names: tuple[str, ...]
    types: tuple[str, ...]
    order: str = "rowid"

    def text(self, column: int) -> str:
        """Return a column of names as SQL: text, NULL where the cell is empty."""
        return f"nullif(CAST({quoted(self.names[column])} AS VARCHAR), '')"

    def number(self, column: int) -> str:
        """Return a column of numbers as SQL, FLOAT where it is that and else DOUBLE.

        Raises
        ------
        InputError
            If it is none.
        """
        name, form = self.names[column], self.types[column]
        if not _is_number(form):
            raise InputError(
                f"{self.source} has {form} in the column {name!r}, where numbers belong. Give numbers: in a "
                f"query, CAST({name} AS DOUBLE)."
            )
        return f"CAST({quoted(name)} AS {'FLOAT' if form == 'FLOAT' else 'DOUBLE'})"


def rows_of(work: Workplace, place: Place, name: str, kind: Kind) -> Rows:
    """Return the rows that lie at a place; those of a database are copied to the table ``name``, read once.

    Raises
    ------
    InputError
        If a query fails, or columns have no names of their own.
    UnreadableError
        If a file or database cannot be read.
    """
    if isinstance(place, Files):
        return _in_files(work, place)
    if isinstance(place, Query):
        _copy(work, place, name)
    else:
        assert isinstance(place, Asked)
        streamed(work, place, name, kind)
    return _described(work, name, str(place))


def roles_in(rows: Rows, kind: Kind) -> Roles:
    """Return what the columns of a long table mean, by their names.

    Raises
    ------
    InputError
        If they are not those of a long table (or, for labels, of pairs or tag lists).
    """
    roles = roles_of(rows.names, kind)
    if roles is None:
        raise InputError(
            f"{rows.source} has the columns {examples(rows.names)}: no long table. {LAYOUTS[kind]} Rename columns "
            "in a query, or read a wide table with limen.tune or limen curves."
        )
    return roles


class Items(NamedTuple):
    """A table of all items: its rows, and the columns of ids and, if there is one, of weights."""

    rows: Rows
    id: int
    weight: int | None


def items_in(rows: Rows) -> Items:
    """Return what the columns of a table of all items mean: one is the id, and one may be called weight.

    Raises
    ------
    InputError
        If none is the id, or several could be.
    """
    folded = [name.strip().casefold() for name in rows.names]
    found = [0] if len(folded) == 1 else id_columns(rows.names)
    if len(found) != 1:
        raise InputError(
            f"{rows.source} has the columns {examples(rows.names)}, and {len(found)} of them could be the id. A "
            "table of all items has one column of ids, called id, and may have one of weights, called weight."
        )
    return Items(rows, found[0], folded.index("weight") if "weight" in folded else None)


def is_long(given: Any, kind: Kind) -> bool:
    """Return whether a text names a long table (for labels: or pairs, or tag lists) that DuckDB can read.

    What cannot be read is none: whoever reads it says why.
    """
    place = place_of(given)
    if place is None or isinstance(place, Asked):
        return place is not None
    try:
        with connect(place.file if isinstance(place, Query) else "") as con:
            if isinstance(place, Query):
                sql = f"({select_of(con, place)}\n)"
            else:
                sql = f"read_parquet({quoted(str(Path(place.paths[0]).absolute()), chr(39))})"
            described = con.execute(f"DESCRIBE SELECT * FROM {sql}").fetchall()
    except (duckdb.Error, InputError, UnicodeDecodeError):
        return False
    roles = roles_of([str(column[0]) for column in described], kind)
    return roles is not None and (roles.value is None or _is_number(str(described[roles.value][1])))


def _is_number(form: str) -> bool:
    return form in _NUMBERS or form.startswith("DECIMAL") or form == "BOOLEAN"


@contextmanager
def read_here(source: str) -> Iterator[None]:
    """Say of a source that it cannot be read, where DuckDB says that of it."""
    try:
        yield
    except duckdb.OutOfMemoryException:
        raise
    except (duckdb.Error, UnicodeDecodeError) as error:
        if isinstance(error, duckdb.IOException) and "write" in str(error).lower():
            raise  # that is the folder to work in
        raise UnreadableError(
            f"{source} cannot be read ({first_line(error)}). Write it again with the program that made it."
        ) from error


def _in_files(work: Workplace, files: Files) -> Rows:
    paths = ", ".join(quoted(str(Path(path).absolute()), "'") for path in files.paths)
    # One type for all files: the wider one, where they differ.
    options = "hive_partitioning = false, union_by_name = true"
    with read_here(str(files)):
        plain = _described(work, f"read_parquet([{paths}], {options})", str(files))
        if len(files.paths) == 1:
            return plain._replace(
                sql=f"read_parquet([{paths}], {options}, file_row_number = true)", order="file_row_number"
            )
        named = f"read_parquet([{paths}], {options}, file_row_number = true, filename = 'limen file')"
        # Files have no numbers in older versions of DuckDB; their names do for an order.
        return plain._replace(sql=named, order='row("limen file", file_row_number)')


def _described(work: Workplace, sql: str, source: str) -> Rows:
    described = work.ask(f"DESCRIBE FROM {sql}")
    names = tuple(str(column[0]) for column in described)
    check_names(names, source)
    return Rows(sql, source, names, tuple(str(column[1]) for column in described))


def _copy(work: Workplace, query: Query, name: str) -> None:
    """Ask a query of a DuckDB database once, and keep its rows in their order."""
    con, home, alias = work.con, "limen_work.main", Path(query.file).stem
    if alias.lower() in _TAKEN:
        alias += "_file"
    if query.file:
        file = Path(query.file)
        if not file.is_file():
            raise UnreadableError(
                f"{file} does not exist. Check the path of the database, and the folder you are in."
            )
        with read_here(str(file)):
            con.execute(f"ATTACH {quoted(str(file.absolute()), chr(39))} AS {quoted(alias)} (READ_ONLY)")
            con.execute(f"USE {quoted(alias)}")
    try:
        con.execute(f"CREATE TABLE {home}.{name} AS SELECT * FROM ({select_of(con, query)}\n)")
    except duckdb.OutOfMemoryException:
        raise
    except duckdb.Error as error:
        raise InputError(f"{query}: the query fails ({first_line(error)}). Correct it.") from error
    finally:
        con.execute(f"USE {home}")
        if query.file:
            con.execute(f"DETACH {quoted(alias)}")
