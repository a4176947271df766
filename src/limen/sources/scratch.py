"""Scratch files: room on the disk for what was decoded or sorted, and does not fit memory."""

from __future__ import annotations

import tempfile
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from limen.errors import FileError
from limen.sources.matrix import Matrix, rows_a_piece
from limen.sources.plain import PlainRows, fill


class Scratch:
    """A file without a name, where the system has its temporary ones; it goes with the object or the process."""

    def __init__(self) -> None:
        with _on_disk():
            self._file: IO[bytes] = tempfile.TemporaryFile(prefix="limen-", buffering=0)  # noqa: SIM115
        weakref.finalize(self, self._file.close)
        self._lock = threading.Lock()
        self.size = 0

    def put(self, array: NDArray[Any], offset: int) -> None:
        """Write an array from an offset on."""
        if not array.size:
            return
        view = memoryview(np.ascontiguousarray(array).view(np.uint8).reshape(-1).data)
        self.size = max(self.size, offset + len(view))
        with self._lock, _on_disk():
            self._file.seek(offset)
            while len(view):
                view = view[self._file.write(view) :]

    def into(self, array: NDArray[Any], offset: int) -> None:
        """Fill an array, which lies in one piece, with the bytes from an offset on."""
        with self._lock:
            fill(self._file, array, offset, "a temporary file")

    def keep(self, array: NDArray[Any]) -> PlainRows:
        """Return an array (n_rows, n_columns) as a matrix that lies here, after all that was written before."""
        offset = self.size
        self.put(array, offset)
        return PlainRows(self, array.shape, array.dtype, offset)


def in_rows(matrix: Matrix, rows: NDArray[np.int64]) -> Matrix:
    """Return a matrix with its rows in another order, on scratch: row k is ``rows[k]`` of the given one.

    The matrix is read once; ``rows`` has each number once.
    """
    scratch, place = Scratch(), np.empty(len(rows), np.int64)
    place[rows] = np.arange(len(rows))
    width, step = matrix.shape[1] * matrix.dtype.itemsize, rows_a_piece(matrix)
    for start in range(0, len(matrix), step):
        block = matrix.read(start, min(start + step, len(matrix)))
        own = place[start : start + len(block)]
        order = np.argsort(own)
        # Rows that come to lie end to end are written at once.
        ends = np.flatnonzero(np.diff(own[order]) != 1) + 1
        for run in np.split(order, ends):
            scratch.put(block[run], int(own[run[0]]) * width)
    return PlainRows(scratch, matrix.shape, matrix.dtype)


@contextmanager
def _on_disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FileError(
            f"cannot write a temporary file in {tempfile.gettempdir()}: {error.strerror}. Free some space there, "
            "or name another folder in TMPDIR."
        ) from error
