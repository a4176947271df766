"""Matrices whose rows are read when they are asked for: what a file, or many files, are to a source."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

PIECE_BYTES = 1 << 25
"""About as much is read at a time."""


class Matrix(ABC):
    """Numbers (n_items, n_labels) that lie elsewhere: a slice, or row numbers, give an array of these rows.

    ``numpy.asarray`` reads all.

    Attributes
    ----------
    shape : (int, int)
    dtype : dtype
        That of the rows, in the byte order of this machine.
    """

    ndim = 2

    def __init__(self, shape: tuple[int, int], dtype: Any) -> None:
        self.shape = (int(shape[0]), int(shape[1]))
        self.dtype = np.dtype(dtype).newbyteorder("=")

    @abstractmethod
    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Return the rows ``start`` to ``stop``, an array that nobody writes to."""

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.shape[0]

    def __getitem__(self, rows: slice | NDArray[np.int64]) -> NDArray[Any]:
        """Return the rows of a slice without step, or of these numbers."""
        if isinstance(rows, slice):
            start, stop, step = rows.indices(len(self))
            if step != 1:
                raise IndexError("a stored matrix gives rows that follow each other")
            return self.read(start, max(start, stop))
        rows = np.asarray(rows, np.int64)
        taken = np.empty((len(rows), self.shape[1]), self.dtype)
        # Rows that lie near to each other are read together.
        edges = np.flatnonzero(np.diff(rows // rows_a_piece(self))) + 1
        for first, last in pairwise([0, *edges.tolist(), len(rows)]):
            if last > first:
                own = rows[first:last]
                low = int(own.min())
                taken[first:last] = self.read(low, int(own.max()) + 1)[own - low]
        return taken

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Return all rows."""
        whole = self.read(0, len(self))
        return np.array(whole, dtype=dtype, copy=True) if copy else np.asarray(whole, dtype)

    def arranged(self, columns: NDArray[np.int64]) -> Matrix:
        """Return the matrix whose column k is this one's ``columns[k]``; of 0 where that is -1."""
        same = len(columns) == self.shape[1] and np.array_equal(columns, np.arange(self.shape[1]))
        return self if same else Arranged(self, columns)

    def converted(self, dtype: Any) -> Matrix:
        """Return the matrix in another dtype."""
        return self if self.dtype == dtype else Converted(self, dtype)


class Converted(Matrix):
    """A matrix in another dtype."""

    def __init__(self, base: Matrix, dtype: Any) -> None:
        super().__init__(base.shape, dtype)
        self._base = base

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Return the rows ``start`` to ``stop``."""
        return self._base.read(start, stop).astype(self.dtype)


class Arranged(Matrix):
    """A matrix with its columns in another order, some left out, or 0."""

    def __init__(self, base: Matrix, columns: NDArray[np.int64]) -> None:
        super().__init__((base.shape[0], len(columns)), base.dtype)
        self._base, self._columns, self._absent = base, columns, columns < 0

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Return the rows ``start`` to ``stop``."""
        rows = self._base.read(start, stop).take(self._columns, axis=1)
        rows[:, self._absent] = 0
        return rows


class Pieces(Matrix):
    """A matrix that can be read only some rows at a time, of which the last are kept.

    ``edges`` are where pieces begin, from 0, and the number of rows.
    """

    def __init__(self, shape: tuple[int, int], dtype: Any, edges: Sequence[int]) -> None:
        super().__init__(shape, dtype)
        self.edges = np.asarray(edges, np.int64)
        self._lock = threading.Lock()
        self._kept: tuple[int, Any] | None = None

    @abstractmethod
    def load(self, piece: int) -> NDArray[Any] | Matrix:
        """Return the rows of a piece."""

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Return the rows ``start`` to ``stop``."""
        first = int(np.searchsorted(self.edges, start, side="right")) - 1
        if start < stop <= self.edges[first + 1]:
            return self._rows(first, start, stop)
        rows = np.empty((stop - start, self.shape[1]), self.dtype)
        at = start
        while at < stop:
            piece = int(np.searchsorted(self.edges, at, side="right")) - 1
            end = min(stop, int(self.edges[piece + 1]))
            rows[at - start : end - start] = self._rows(piece, at, end)
            at = end
        return rows

    def _rows(self, piece: int, start: int, stop: int) -> NDArray[Any]:
        with self._lock:
            if self._kept is None or self._kept[0] != piece:
                self._kept = None  # its room is free before the next is made
                self._kept = (piece, self.load(piece))
            values, first = self._kept[1], int(self.edges[piece])
        return np.asarray(values[start - first : stop - first])

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_lock": None, "_kept": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _lock=threading.Lock())


class Stacked(Matrix):
    """Matrices one below the other, of the same columns."""

    def __init__(self, parts: Sequence[Matrix]) -> None:
        dtypes = dict.fromkeys(part.dtype for part in parts)
        super().__init__((sum(map(len, parts)), parts[0].shape[1]), np.result_type(*dtypes))
        self.parts = list(parts)
        self._edges = np.cumsum([0, *map(len, parts)])

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Return the rows ``start`` to ``stop``."""
        first = int(np.searchsorted(self._edges, start, side="right")) - 1
        if start < stop <= self._edges[first + 1]:
            low = int(self._edges[first])
            rows = np.asarray(self.parts[first][start - low : stop - low])
            return rows.astype(self.dtype, copy=False)
        rows, at = np.empty((stop - start, self.shape[1]), self.dtype), start
        while at < stop:
            part = int(np.searchsorted(self._edges, at, side="right")) - 1
            low, end = int(self._edges[part]), min(stop, int(self._edges[part + 1]))
            rows[at - start : end - start] = self.parts[part][at - low : end - low]
            at = end
        return rows


class Marked(Matrix):
    """A matrix in which some cells have other values."""

    def __init__(
        self, base: Matrix, row: NDArray[np.int64], column: NDArray[np.int64], value: NDArray[Any]
    ) -> None:
        super().__init__(base.shape, base.dtype)
        order = np.argsort(row, kind="stable")
        self._base, self._row, self._column, self._value = base, row[order], column[order], value[order]

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Return the rows ``start`` to ``stop``."""
        rows = self._base.read(start, stop).copy()
        own = slice(*np.searchsorted(self._row, [start, stop]).tolist())
        rows[self._row[own] - start, self._column[own]] = self._value[own]
        return rows


class Watched(Matrix):
    """A matrix that says how far it has been read."""

    def __init__(self, base: NDArray[Any] | Matrix, said: Callable[[int, int], None]) -> None:
        super().__init__((base.shape[0], base.shape[1]), base.dtype)
        self._base, self._said = base, said

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Return the rows ``start`` to ``stop``."""
        self._said(start, len(self))
        return np.asarray(self._base[start:stop])


def rows_a_piece(matrix: Matrix) -> int:
    """Return how many rows of a matrix are read at a time."""
    return int(max(1, PIECE_BYTES // max(1, matrix.shape[1] * matrix.dtype.itemsize)))


def even_edges(matrix_shape: tuple[int, int], itemsize: int, multiple: int = 1) -> list[int]:
    """Return where pieces of bounded size begin, and the number of rows; each but the last of ``multiple`` rows.

    Examples
    --------
    >>> even_edges((10, 1), PIECE_BYTES // 4)
    [0, 4, 8, 10]
    >>> even_edges((10, 1), PIECE_BYTES // 4, multiple=3)
    [0, 3, 6, 9, 10]
    """
    n_rows, n_columns = matrix_shape
    step = max(1, PIECE_BYTES // max(1, n_columns * itemsize))
    step = max(multiple, step // multiple * multiple)
    return [*range(0, max(n_rows, 1), step), n_rows]
