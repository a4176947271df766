"""Arrays that lie in a file as they are: rows end to end (.npy, contiguous HDF5), or columns."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from limen.errors import UnreadableError
from limen.sources.matrix import Matrix, Pieces, even_edges


class Filling(Protocol):
    """What arrays can be filled from."""

    def into(self, array: NDArray[Any], offset: int) -> None:
        """Fill an array, which lies in one piece, with the bytes from an offset on."""
        ...


class Bytes:
    """The bytes of a file, which must stay as it was when it was first looked at.

    It is opened anew for every read, so that any number of them can be at hand.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._as_it_was = _state(path)

    def into(self, array: NDArray[Any], offset: int) -> None:
        """Fill an array, which lies in one piece, with the bytes from an offset on."""
        with self._opened() as file:
            fill(file, array, offset, str(self.path))

    def check(self) -> None:
        """Raise `UnreadableError` if the file is not as it was."""
        with self._opened():
            pass

    @contextmanager
    def _opened(self) -> Iterator[IO[bytes]]:
        try:
            with self.path.open("rb", buffering=0) as file:
                if _state(file.fileno()) != self._as_it_was:
                    raise UnreadableError(
                        f"{self.path} was changed while it was read. Start again when it is whole."
                    )
                yield file
        except OSError as error:
            raise UnreadableError(f"{self.path} cannot be read: {error.strerror}. Check the disk.") from error


class PlainRows(Matrix):
    """Rows that lie end to end in a file."""

    def __init__(self, file: Filling, shape: tuple[int, int], dtype: Any, offset: int = 0) -> None:
        super().__init__(shape, dtype)
        self._file, self._stored, self._offset = file, np.dtype(dtype), offset

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Return the rows ``start`` to ``stop``."""
        rows = np.empty((stop - start, self.shape[1]), self._stored)
        self._file.into(rows, self._offset + start * self.shape[1] * self._stored.itemsize)
        return rows.astype(self.dtype, copy=False)


class PlainColumns(Pieces):
    """Columns that lie end to end in a file (Fortran order)."""

    def __init__(self, file: Filling, shape: tuple[int, int], dtype: Any, offset: int = 0) -> None:
        super().__init__(shape, dtype, even_edges(shape, np.dtype(dtype).itemsize))
        self._file, self._stored, self._offset = file, np.dtype(dtype), offset

    def load(self, piece: int) -> NDArray[Any]:
        """Return the rows of a piece."""
        start, stop = self.edges[piece : piece + 2].tolist()
        columns = np.empty((self.shape[1], stop - start), self._stored)
        for k, column in enumerate(columns):
            self._file.into(column, self._offset + (k * self.shape[0] + start) * self._stored.itemsize)
        return np.ascontiguousarray(columns.T, self.dtype)


def mapped(array: np.memmap[Any, Any]) -> Matrix | None:
    """Return a read-only memory map of rows as a matrix that is read, and takes no room; None for others."""
    root = array
    while isinstance(root.base, np.memmap):
        root = root.base
    if array.mode != "r" or array.ndim != 2 or not array.flags.c_contiguous or not array.filename:
        return None
    at = [part.__array_interface__["data"][0] for part in (array, root)]
    return PlainRows(Bytes(Path(array.filename)), array.shape, array.dtype, root.offset + at[0] - at[1])


def _state(file: Path | int) -> tuple[int, ...]:
    about = os.stat(file)  # noqa: PTH116 - of open files too
    return about.st_ino, about.st_size, about.st_mtime_ns


def fill(file: IO[bytes], array: NDArray[Any], offset: int, name: str) -> None:
    """Fill an array with what a file, called ``name``, holds from an offset on."""
    if not array.size:
        return
    file.seek(offset)
    view = memoryview(array.view(np.uint8).reshape(-1).data)
    while len(view):
        n_read = file.readinto(view)  # type: ignore[attr-defined]
        if not n_read:
            raise UnreadableError(f"{name} was cut short while it was read. Start again when it is whole.")
        view = view[n_read:]
