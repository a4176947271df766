"""Read score and label matrices from HDF5 files, as PANNs and other PyTorch projects write them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from limen.errors import require
from limen.files.archives import as_text, check_claim, native, reading, table_of
from limen.sources.matrix import Matrix, Pieces, even_edges
from limen.sources.plain import Bytes, PlainRows
from limen.sources.tables import Kind, Table

if TYPE_CHECKING:
    import h5py


def read_hdf5(path: Path, key: str | None, *, kind: Kind) -> Table:
    """Return a matrix of an HDF5 file with the names and ids beside it.

    Which one is chosen as in `limen.files.archives.table_of`; ``key`` may lie in a group (``eval/scores``).
    Label names may also be an attribute ``names`` of the file. The matrix stays in the file, compressed or not,
    and is read when it is used, whole chunks at a time.

    Raises
    ------
    InputError
        If no array or more than one could be meant, or the arrays do not fit together.
    UnreadableError
        If the file is damaged.
    MissingDependencyError
        If h5py is not installed.
    """
    h5py = require("h5py", extra="hdf5", user=f"reading {path.name}")
    source = str(path) if key is None else f"{path}:{key}"
    with reading(source, "HDF5", "h5py"), h5py.File(path, "r") as file:
        return table_of(_Hdf5(file, path), key, kind, path)


class _Hdf5:
    """The arrays of an open HDF5 file, by their path in it."""

    def __init__(self, file: h5py.File, path: Path) -> None:
        self._path, self._file = path, file
        self.keys: list[str] = []
        file.visititems(lambda name, part: self.keys.append(name) if hasattr(part, "shape") else None)
        self._attributes = {name: file.attrs[name] for name in ("names", "label_names") if name in file.attrs}
        self.keys += [name for name in self._attributes if name not in self.keys]

    def header(self, key: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
        part = self._part(key)
        check_claim(part.nbytes, self._path.stat().st_size)
        return tuple(part.shape or ()), part.dtype

    def values(self, key: str, kind: Kind) -> Matrix:
        dataset = self._file[key]
        offset, shape = dataset.id.get_offset(), (dataset.shape[0], dataset.shape[1])
        if dataset.chunks is None and dataset.external is None and offset is not None:
            return PlainRows(Bytes(self._path), shape, dataset.dtype, offset)
        return _Chunks(self._path, dataset)

    def text(self, key: str) -> list[str] | None:
        shape, _ = self.header(key)
        if key in self._file:
            self._check_heap(self._file[key])
        return as_text(np.asarray(self._part(key)[()])) if len(shape) == 1 else None

    def _check_heap(self, dataset: Any) -> None:
        """Raise `ValueError` if a heap of texts has an object without an end: HDF5 would go on for ever."""
        offset, sizes = dataset.id.get_offset(), self._file.id.get_create_plist().get_sizes()
        if offset is None or dataset.dtype.kind != "O" or sizes != (8, 8):
            return
        with self._path.open("rb") as file:
            file.seek(offset)
            raw = file.read(16 * dataset.size)  # of each text: length, address of its heap, number in it
            for address in {int.from_bytes(raw[at + 4 : at + 12], "little") for at in range(0, len(raw), 16)}:
                file.seek(min(address, self._path.stat().st_size))
                signature, size = (head := file.read(16))[:4], int.from_bytes(head[8:], "little")
                heap, at = file.read(size - 16) if signature == b"GCOL" and size > 16 else b"", 0
                while at + 16 <= len(heap):
                    number, length = (
                        int.from_bytes(heap[at + k : at + k + n], "little") for k, n in ((0, 2), (8, 8))
                    )
                    # Free space, number 0, counts its own head.
                    at += length if number == 0 else 16 + (length + 7) // 8 * 8
                    if number == 0 and length < 16:
                        raise ValueError("a heap of texts has no end")

    def _part(self, key: str) -> Any:
        return self._file[key] if key in self._file else np.asarray(self._attributes[key])


class _Chunks(Pieces):
    """A dataset that is read whole chunks of rows at a time."""

    def __init__(self, path: Path, dataset: h5py.Dataset) -> None:
        chunk = (dataset.chunks or (1, 1))[0]
        shape = (dataset.shape[0], dataset.shape[1])
        super().__init__(shape, dataset.dtype, even_edges(shape, dataset.dtype.itemsize, chunk))
        self._path, self._name, self._bytes = path, dataset.name, Bytes(path)

    def load(self, piece: int) -> NDArray[Any]:
        """Return the rows of a piece."""
        start, stop = self.edges[piece : piece + 2].tolist()
        h5py = require("h5py", extra="hdf5")
        self._bytes.check()
        with reading(f"{self._path}, rows {start} to {stop}", "HDF5", "h5py"), h5py.File(self._path, "r") as file:
            return native(file[self._name][start:stop])
