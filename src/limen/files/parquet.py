"""Wide Parquet files, read a few row groups at a time, and of those only the columns that are needed."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from limen.errors import UnreadableError
from limen.files.stored import (
    as_parquet,
    connect,
    parquet_columns,
    parquet_file,
    parquet_names,
    parquet_rows,
    quoted,
    text_cells,
)
from limen.sources.arrays import truth_codes
from limen.sources.columns import Columns, check_names, table_of, without_score
from limen.sources.listed import as_labels
from limen.sources.matrix import PIECE_BYTES, Matrix, Pieces
from limen.sources.plain import Bytes, PlainColumns
from limen.sources.scratch import Scratch
from limen.sources.tables import Kind, Table

if TYPE_CHECKING:
    import duckdb

TYPES = {"FLOAT": np.float32, "DOUBLE": np.float64, "BOOLEAN": np.bool_}
WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
BATCH_BYTES = 1 << 24
"""Columns are decoded in batches of about this size: DuckDB holds all that it is asked for at once."""
MOST_IN_MEMORY = 2 * PIECE_BYTES
"""A row group that is larger is decoded to a scratch file."""


def read_parquet(path: Path, *, kind: Kind) -> Table:
    """Return the table in a Parquet file. The numbers of a wide one stay there, and are read when they are used.

    Raises
    ------
    InputError
        If the columns cannot be understood or a cell breaks a rule.
    UnreadableError
        If the file is damaged.
    """
    with as_parquet(str(path)):
        columns = _WideColumns(path, kind)
        if columns.are_numbers:
            return table_of(columns)
    with parquet_columns(path, kind) as stored:
        return table_of(stored)


class _WideColumns(Columns):
    """The columns of a Parquet file, of which those of numbers stay there."""

    def __init__(self, path: Path, kind: Kind) -> None:
        con = _connection()
        names = parquet_names(con, path)
        check_names(names, str(path))
        super().__init__(str(path), names, kind)
        self.path = path
        described = con.execute(f"SELECT * FROM {parquet_rows(path)} LIMIT 0").description
        self.types = [(quoted(column[0]), str(column[1])) for column in described]
        self.texts = [column for column, (_, form) in enumerate(self.types) if _dtype(form) is None]
        sizes = con.execute(
            f"SELECT row_group_id, any_value(row_group_num_rows) FROM parquet_metadata({parquet_file(path)}) "
            "GROUP BY row_group_id ORDER BY row_group_id"
        ).fetchall()
        self.groups = np.cumsum([0, *(size for _, size in sizes)])

    @property
    def are_numbers(self) -> bool:
        """Whether the file is wide, and all its columns but that of the ids are of numbers."""
        return self.roles() is None and set(self.texts) <= {self.item_column()}

    def __len__(self) -> int:
        return int(self.groups[-1])

    def cells(self, column: int) -> list[Any]:
        """Return a column as text; an empty cell is None."""
        return text_cells(_connection(), parquet_rows(self.path), *self.types[column])

    def array(self, column: int) -> NDArray[Any]:
        """Return a column of numbers (n_rows,)."""
        return np.asarray(self.numbers([column]))[:, 0]

    def numbers(self, columns: Sequence[int]) -> Matrix:
        """Return columns of numbers as a matrix that is read when it is used."""
        unsure, without = self._nulls(columns)
        dtypes = [_dtype(self.types[column][1]) for column in columns]
        if self.kind == "scores":
            if without:
                self._refuse(without)
            return _RowGroups(
                self, columns, np.result_type(*(_of_score(dtype) for dtype in dict.fromkeys(dtypes)))
            )
        unsure = unsure or any(np.dtype(dtype).kind == "f" for dtype in dtypes)
        return _RowGroups(self, columns, np.float32 if unsure else np.bool_)

    def _nulls(self, columns: Sequence[int]) -> tuple[bool, dict[int, int]]:
        """Return whether cells may be empty, and the columns of which it is known, with how many are."""
        found = _connection().execute(
            "SELECT column_id, sum(stats_null_count), count(stats_null_count) = count(*) "
            f"FROM parquet_metadata({parquet_file(self.path)}) GROUP BY column_id"
        )
        wanted = set(columns)
        sums = {column: (empty or 0, whole) for column, empty, whole in found.fetchall() if column in wanted}
        without = {column: int(sums[column][0]) for column in columns if column in sums and sums[column][0]}
        return bool(without) or not all(whole for _, whole in sums.values()), without

    def _refuse(self, without: dict[int, int]) -> None:
        """Raise `InputError` for scores that are not there."""
        column, item = next(iter(without)), self.item_column()
        rows = parquet_rows(self.path, numbered=True)
        sql = f"SELECT min(file_row_number) FROM {rows} WHERE {self.types[column][0]} IS NULL"
        (row,) = _connection().execute(sql).fetchone() or (0,)
        raise without_score(self.source, sum(without.values()), self.names[column], self.place(row, item))


class _RowGroups(Pieces):
    """Columns of a Parquet file; a piece is one row group, or several small ones."""

    def __init__(self, of: _WideColumns, columns: Sequence[int], dtype: Any) -> None:
        self._groups = of.groups
        shape = (len(of), len(columns))
        most = max(1, PIECE_BYTES // max(1, len(columns) * np.dtype(dtype).itemsize))
        edges = [0]
        for start, stop in zip(of.groups[:-1].tolist(), of.groups[1:].tolist(), strict=True):
            if stop - edges[-1] > most and start > edges[-1]:
                edges.append(start)
        super().__init__(shape, dtype, [*edges, len(of)])
        self._bytes, self._kind = Bytes(of.path), of.kind
        self._names = [of.types[column][0] for column in columns]
        self._labels = [of.names[column] for column in columns]

    def load(self, piece: int) -> NDArray[Any] | Matrix:
        """Return the rows of a piece."""
        self._bytes.check()
        start, stop = self.edges[piece : piece + 2].tolist()
        try:
            return self._decoded(start, stop)
        except UnreadableError:
            for group, (first, last) in enumerate(zip(self._groups[:-1], self._groups[1:], strict=True)):
                if start <= first < stop:  # says which one it is
                    with as_parquet(f"{self._bytes.path}, row group {group} (rows {first + 1} to {last})"):
                        for k in range(self.shape[1]):
                            self._ask([k], int(first), int(last))
            raise

    def _decoded(self, start: int, stop: int) -> NDArray[Any] | Matrix:
        """Return rows: in memory, or, where they are many, on scratch."""
        n_rows, itemsize = stop - start, self.dtype.itemsize
        step = max(1, BATCH_BYTES // (8 * n_rows))
        batches = [range(k, min(k + step, self.shape[1])) for k in range(0, self.shape[1], step)]
        scratch = Scratch() if n_rows * self.shape[1] * itemsize > MOST_IN_MEMORY else None
        rows = np.empty((0 if scratch else n_rows, self.shape[1]), self.dtype)

        def decode(batch: range) -> None:
            for k, column in zip(batch, self._ask(batch, start, stop), strict=True):
                values = self._checked(k, column, start)
                if scratch is None:
                    rows[:, k] = values
                else:
                    scratch.put(values, k * n_rows * itemsize)

        with as_parquet(str(self._bytes.path)), ThreadPoolExecutor(2) as pool:
            for done in [pool.submit(decode, batch) for batch in batches]:
                done.result()
        return rows if scratch is None else PlainColumns(scratch, (n_rows, self.shape[1]), self.dtype)

    def _ask(self, batch: Sequence[int], start: int, stop: int) -> list[NDArray[Any]]:
        """Return columns of some rows, masked where cells are empty."""
        names = ", ".join(f"{self._names[k]} AS c{k}" for k in batch)
        rows = parquet_rows(self._bytes.path, numbered=True)
        asked = _connection().execute(
            f"SELECT {names} FROM {rows} WHERE file_row_number >= {start} AND file_row_number < {stop}"
        )
        return list(asked.fetchnumpy().values())

    def _checked(self, k: int, column: NDArray[Any], start: int) -> NDArray[Any]:
        """Return a column in the dtype of the matrix."""
        empty = np.ma.getmaskarray(column) if np.ma.is_masked(column) else None
        values = np.ma.getdata(column)
        if self._kind == "scores":
            if empty is not None:
                row = f"row {start + int(empty.argmax()) + 1}"
                raise without_score(str(self._bytes.path), int(empty.sum()), self._labels[k], row)
            return values.astype(self.dtype, copy=False)
        if empty is not None:
            values = np.where(empty, np.nan, values)
        labels = as_labels(values)
        if labels.dtype not in (np.bool_, np.float32) or labels.dtype.itemsize > self.dtype.itemsize:
            truth_codes(values[:, np.newaxis], (self._labels[k],), start + 1)  # says which value is no label
        return labels.astype(self.dtype, copy=False)


@cache
def _shared() -> duckdb.DuckDBPyConnection:
    con = connect()
    con.execute("SET parquet_metadata_cache = true")
    return con


def _connection() -> duckdb.DuckDBPyConnection:
    """Return a connection of one's own to the database that all share."""
    return _shared().cursor()


def _dtype(form: str) -> Any:
    """Return the dtype in which DuckDB gives a column of a type; None if that is no number."""
    if form.startswith("DECIMAL") or form.removeprefix("U") in WHOLE:
        return np.float64 if form.startswith("DECIMAL") or form.endswith("HUGEINT") else np.int64
    return TYPES.get(form)


def _of_score(dtype: Any) -> Any:
    return np.float32 if dtype == np.float32 else np.float64
