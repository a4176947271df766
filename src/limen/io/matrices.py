"""Read score and label matrices from .npy and .npz files; nothing is ever unpickled."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from limen.errors import InputError, UnreadableError, count, examples
from limen.io.arrays import CSR
from limen.io.joining import Kind, Table, csr_from_codes, repeated

VALUES_KEYS: dict[Kind, tuple[str, ...]] = {"scores": ("scores", "y_score"), "labels": ("labels", "y_true")}
NAMES_KEYS = ("names", "label_names")
IDS_KEYS = ("ids", "item_ids")
CSR_KEYS = frozenset({"indptr", "indices", "data", "shape", "format"})
DAMAGE = (ValueError, EOFError, KeyError, NotImplementedError, zipfile.BadZipFile, zlib.error, OSError)


def read_npy(path: Path, *, kind: Kind) -> Table:
    """Return the matrix of a .npy file; scores stay on disk as a read-only memory map.

    Raises
    ------
    InputError
        If the array is not a matrix of numbers, or was pickled.
    UnreadableError
        If the file is damaged.
    """
    source = str(path)
    try:
        with path.open("rb") as file:
            shape, dtype = _read_header(file)
        _check_matrix(shape, dtype, source)
        values = np.load(path, mmap_mode="r" if kind == "scores" else None, allow_pickle=False)
    except InputError:
        raise
    except DAMAGE as error:
        raise _damaged(source, ".npy", error) from error
    return Table(_native(values), source, "matrix")


def read_npz(path: Path, key: str | None, *, kind: Kind) -> Table:
    """Return a matrix of a .npz file with the names and ids beside it.

    The matrix is the array called ``key``; without a key the one called scores or y_score (labels or
    y_true), or the only matrix that is not called like the other kind, or the sparse matrix that
    `scipy.sparse.save_npz` wrote. Label names are in names or label_names, ids in ids or item_ids; for a
    key with a prefix (val_scores) the ids are those with that prefix (val_ids), and so are the names if
    there are any.

    Raises
    ------
    InputError
        If no array or more than one could be meant, or the arrays do not fit together.
    UnreadableError
        If the file is damaged.
    """
    source = str(path) if key is None else f"{path}:{key}"
    try:
        with path.open("rb") as file:
            arrays = np.load(file, allow_pickle=False)
            if not isinstance(arrays, np.lib.npyio.NpzFile):
                raise InputError(f"{path} is not an .npz file but a single array. Call it .npy.")
            values: NDArray[Any] | CSR
            if key is None and set(arrays.files) >= CSR_KEYS:
                prefix, values = "", _read_csr(arrays, source)
            else:
                key = _choose_key(arrays, key, path, kind)
                prefix = _prefix(key)
                _check_matrix(*_member_header(arrays, key), source)
                values = _native(arrays[key])
            names = _read_names(arrays, [prefix + "names", *NAMES_KEYS], values.shape[1], "column", path)
            ids = _read_names(arrays, [prefix + name for name in IDS_KEYS], values.shape[0], "row", path)
    except InputError:
        raise
    except DAMAGE as error:
        raise _damaged(source, ".npz", error) from error
    return Table(values, source, "matrix", ids, names)


def _choose_key(arrays: np.lib.npyio.NpzFile, key: str | None, path: Path, kind: Kind) -> str:
    found = examples(arrays.files, most=12)
    if key is not None:
        if key not in arrays.files:
            raise InputError(f"{path} has no array {key!r}. It holds {found}: choose one of them.")
        return key
    usual = [name for name in VALUES_KEYS[kind] if name in arrays.files]
    if len(usual) == 1:
        return usual[0]
    others = VALUES_KEYS["labels" if kind == "scores" else "scores"]
    matrices = [name for name in arrays.files if not name.endswith(others) and _is_matrix(arrays, name)]
    if len(matrices) == 1:
        return matrices[0]
    raise InputError(
        f"{path} has {count(len(matrices), 'array')} that could be the {kind}; it holds {found}. "
        f"Choose one with {path}:KEY, or call it {VALUES_KEYS[kind][0]!r}."
    )


def _is_matrix(arrays: np.lib.npyio.NpzFile, name: str) -> bool:
    shape, dtype = _member_header(arrays, name)
    return len(shape) == 2 and dtype.kind in "biuf"


def _prefix(key: str) -> str:
    for name in (*VALUES_KEYS["scores"], *VALUES_KEYS["labels"]):
        if key.endswith(name):
            return key.removesuffix(name)
    return ""


def _read_names(
    arrays: np.lib.npyio.NpzFile, keys: list[str], size: int, axis: str, path: Path
) -> tuple[str, ...] | None:
    key = next((key for key in keys if key in arrays.files), None)
    if key is None:
        return None
    shape, dtype = _member_header(arrays, key)
    if dtype.kind not in "USiu" or len(shape) != 1:
        raise InputError(
            f"{path}: {key} has dtype {dtype} and shape {shape}. Names must be a 1-d array of text: save "
            "np.array(names, dtype=str)."
        )
    array = arrays[key]
    names = tuple(str(name) for name in (np.char.decode(array, "utf-8") if dtype.kind == "S" else array).tolist())
    if len(names) != size:
        raise InputError(
            f"{path}: {key} has {count(len(names), 'name')} for {count(size, axis)}. Save one name for each "
            f"{axis}."
        )
    if twice := repeated(names):
        raise InputError(f"{path}: {key} repeats {examples(twice)}. Every {axis} needs a name of its own.")
    return names


def _read_csr(arrays: np.lib.npyio.NpzFile, source: str) -> CSR:
    form = arrays["format"].item()
    form = form.decode() if isinstance(form, bytes) else str(form)
    if form != "csr":
        raise InputError(f"{source} is a sparse matrix in {form} format. Save it as CSR: matrix.tocsr().")
    data, indices, indptr = (arrays[name] for name in ("data", "indices", "indptr"))
    shape = tuple(int(size) for size in arrays["shape"])
    _check_matrix(shape, data.dtype, source)
    n_items, n_labels = shape
    fits = (
        data.shape == indices.shape == (int(indptr[-1]),)
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
    return csr_from_codes(codes, _native(data[order]), (n_items, n_labels))


def _member_header(arrays: np.lib.npyio.NpzFile, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    assert arrays.zip is not None  # numpy sets it to None only when the file is closed
    with arrays.zip.open(f"{name}.npy") as file:
        return _read_header(file)


def _read_header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Return shape and dtype of an array in .npy format, without reading its data."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    return shape, dtype


def _check_matrix(shape: tuple[int, ...], dtype: np.dtype[Any], source: str) -> None:
    if dtype.hasobject:
        raise InputError(
            f"{source} holds pickled Python objects (dtype {dtype}), which could run code when read. Save "
            "numbers: np.asarray(values, dtype=np.float32)."
        )
    if dtype.kind not in "biuf":
        raise InputError(f"{source} has dtype {dtype}. Scores and labels must be real numbers or bool.")
    if len(shape) != 2:
        raise InputError(
            f"{source} has shape {shape}. It must be 2-d, (n_items, n_labels)"
            + ("; for one label save values.reshape(-1, 1)." if len(shape) == 1 else ".")
        )
    if 0 in shape:
        raise InputError(f"{source} has shape {shape}. At least one item and one label are needed.")


def _native(values: NDArray[Any]) -> NDArray[Any]:
    """Return ``values`` in the byte order of this machine, which the compiled loops need."""
    return values if values.dtype.isnative else values.astype(values.dtype.newbyteorder("="))


def _damaged(source: str, form: str, error: Exception) -> UnreadableError:
    return UnreadableError(
        f"{source} cannot be read as {form} ({error}). It is damaged, cut short or of another format: write "
        "it again with numpy."
    )
