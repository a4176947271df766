"""Where an engine works: a database of its own in a folder for the time being, with bounded memory."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from limen.errors import FileError, InputError
from limen.files.stored import first_line, without_bar

if TYPE_CHECKING:
    import duckdb

LEAST_MB = 100
"""Less than this, DuckDB cannot even read a Parquet file."""
THREAD_MB = 250
"""What a thread needs to sort and to group without waiting for the disk."""
ROW_BYTES = 100
"""What a row may take in memory while it is looked at."""


@contextmanager
def workplace(memory_mb: int = 1000, folder: str | os.PathLike[str] | None = None) -> Iterator[Workplace]:
    """Give a database on disk that holds what is made on the way; it is removed at the end, whatever happens.

    Parameters
    ----------
    memory_mb : int
        What DuckDB may hold in memory, in megabytes; what does not fit goes to the folder.
    folder : path, optional
        Where there is room; the system's folder for temporary files (TMPDIR), if left out.

    Raises
    ------
    InputError
        If it is too little memory, or the folder is none.
    FileError
        If the disk is full, or memory does not suffice.
    """
    import duckdb

    if memory_mb < LEAST_MB:
        raise InputError(f"memory_mb={memory_mb} is too little for DuckDB. Give {LEAST_MB} or more.")
    if folder is not None and not Path(folder).is_dir():
        raise InputError(f"{os.fspath(folder)} is no folder. What does not fit memory needs one: make it.")
    place = tempfile.mkdtemp(prefix="limen-", dir=folder)
    try:
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": f"{memory_mb}MB",
            "threads": max(1, min(os.cpu_count() or 1, memory_mb // THREAD_MB)),
            "temp_directory": str(Path(place) / "spilled"),
        }
        with duckdb.connect(str(Path(place) / "limen_work.duckdb"), config=config) as con:
            without_bar(con)
            yield Workplace(con, memory_mb)
    except duckdb.OutOfMemoryException as error:
        raise FileError(
            f"DuckDB cannot go on with {memory_mb} MB of memory ({first_line(error)}). Give more (memory_mb), and "
            "a folder with room for what does not fit (temp_directory, or TMPDIR)."
        ) from error
    except duckdb.IOException as error:
        raise FileError(f"DuckDB cannot read or write ({first_line(error)}). Check the disk's room.") from error
    finally:
        shutil.rmtree(place, ignore_errors=True)


class Workplace:
    """A connection to the database to work in, and how many rows are worked on at once."""

    def __init__(self, con: duckdb.DuckDBPyConnection, memory_mb: int) -> None:
        self.con, self.rows_at_once = con, memory_mb * 1_000_000 // ROW_BYTES

    def number(self, sql: str) -> int:
        """Return the one number that a statement gives."""
        return int(str(self.ask(sql)[0][0]))

    def ask(self, sql: str, given: list[object] | None = None) -> list[tuple[object, ...]]:
        """Return all rows of a statement, few as they are."""
        return list(self.con.execute(sql, given).fetchall())

    def columns(self, sql: str, given: list[object] | None = None) -> list[NDArray[Any]]:
        """Return the columns of a statement; cells may not be NULL."""
        return [np.ma.getdata(array) for array in self.con.execute(sql, given).fetchnumpy().values()]

    def add(self, table: str, **arrays: NDArray[Any]) -> None:
        """Add arrays of one length to a table, as rows."""
        self.con.register("arrays", arrays)
        self.con.execute(f"INSERT INTO {table} FROM arrays")
        self.con.unregister("arrays")
