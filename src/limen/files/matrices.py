"""Read score and label matrices from .npy and .npz files; nothing is ever unpickled."""

from __future__ import annotations

import math
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from limen.errors import InputError, count
from limen.files.archives import (
    as_text,
    check_claim,
    check_matrix,
    names_beside,
    native,
    reading,
    table_of,
)
from limen.sources.arrays import CSR
from limen.sources.plain import Bytes, PlainColumns, PlainRows
from limen.sources.tables import Kind, Table, csr_from_codes

CSR_KEYS = frozenset({"indptr", "indices", "data", "shape", "format"})


def read_npy(path: Path, *, kind: Kind) -> Table:
    """Return the matrix of a .npy file, which stays there and is read when it is used.

    Raises
    ------
    InputError
        If the array is not a matrix of numbers, or was pickled.
    UnreadableError
        If the file is damaged.
    """
    source = str(path)
    with reading(source, ".npy", "numpy"):
        with path.open("rb") as file:
            shape, fortran, dtype = _read_header(file, path.stat().st_size)
            offset = file.tell()
        check_matrix(shape, dtype, source)
        form = PlainColumns if fortran else PlainRows
        return Table(form(Bytes(path), (shape[0], shape[1]), dtype, offset), source, "matrix")


def read_npz(path: Path, key: str | None, *, kind: Kind) -> Table:
    """Return a matrix of a .npz file with the names and ids beside it.

    The matrix is the array called ``key``; without a key as `limen.files.archives.table_of` finds it, or the
    sparse matrix that `scipy.sparse.save_npz` wrote.

    Raises
    ------
    InputError
        If no array or more than one could be meant, or the arrays do not fit together.
    UnreadableError
        If the file is damaged.
    """
    source = str(path) if key is None else f"{path}:{key}"
    with reading(source, ".npz", "numpy"), path.open("rb") as file:
        if file.read(6) == np.lib.format.MAGIC_PREFIX:
            raise InputError(f"{path} is not an .npz file but a single array. Call it .npy.")
        file.seek(0)
        arrays = np.load(file, allow_pickle=False)
        if key is None and set(arrays.files) >= CSR_KEYS:
            values = _read_csr(_Npz(arrays), source)
            return Table(values, source, "matrix", *names_beside(_Npz(arrays), "", values.shape, path))
        return table_of(_Npz(arrays), key, kind, path)


class _Npz:
    """The arrays of an .npz file, by name."""

    def __init__(self, arrays: np.lib.npyio.NpzFile) -> None:
        self._arrays = arrays

    @property
    def keys(self) -> list[str]:
        return list(self._arrays.files)

    def header(self, key: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
        assert self._arrays.zip is not None  # numpy sets it to None only when the file is closed
        member = self._arrays.zip.getinfo(f"{key}.npy")
        check_claim(member.file_size, member.compress_size)
        with self._arrays.zip.open(member) as file:
            shape, _, dtype = _read_header(file, member.file_size)
        return shape, dtype

    def values(self, key: str, kind: Kind | None = None) -> NDArray[Any]:
        self.header(key)
        return native(self._arrays[key])

    def text(self, key: str) -> list[str] | None:
        shape, dtype = self.header(key)
        return None if dtype.hasobject or len(shape) != 1 else as_text(self._arrays[key])


def _read_csr(arrays: _Npz, source: str) -> CSR:
    form = arrays.values("format").item()
    form = form.decode() if isinstance(form, bytes) else str(form)
    if form != "csr":
        raise InputError(f"{source} is a sparse matrix in {form} format. Save it as CSR: matrix.tocsr().")
    data, indices, indptr = map(arrays.values, ("data", "indices", "indptr"))
    shape = tuple(int(size) for size in arrays.values("shape"))
    check_matrix(shape, data.dtype, source)
    check_claim(shape[1], data.nbytes + indptr.nbytes)
    n_items, n_labels = shape
    fits = (
        indices.dtype.kind in "iu"
        and indptr.dtype.kind in "iu"
        and data.shape == indices.shape == (int(indptr[-1]),)
        and indptr.shape == (n_items + 1,)
        and indptr[0] == 0
        and (np.diff(indptr) >= 0).all()
        and (not len(indices) or (indices.min() >= 0 and indices.max() < n_labels))
    )
    if not fits:
        raise InputError(
            f"{source} is not a valid CSR matrix: indptr, indices, data and shape do not fit together. "
            "Write it with scipy.sparse.save_npz."
        )
    codes = np.repeat(np.arange(n_items), np.diff(indptr)) * n_labels + indices
    order = np.argsort(codes, kind="stable")
    codes = codes[order]
    if twice := int(np.count_nonzero(np.diff(codes) == 0)):
        raise InputError(
            f"{source} stores {count(twice, 'cell')} more than once. Call matrix.sum_duplicates() before saving."
        )
    return csr_from_codes(codes, native(data[order]), (n_items, n_labels))


def _read_header(file: IO[bytes], size: int) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return shape, whether columns lie end to end, and dtype of an array in .npy format of ``size`` bytes."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(file)
    claimed = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or (not dtype.hasobject and claimed > size - file.tell()):
        raise ValueError(f"its header has the shape {shape}, {claimed} bytes, and {size - file.tell()} follow")
    return shape, fortran, dtype
