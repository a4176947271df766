"""Files of named arrays (.npz, .h5): which one is meant, and the names and ids beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from limen.errors import InputError, LimenError, UnreadableError, count, examples
from limen.names import unique
from limen.sources.matrix import Matrix
from limen.sources.tables import Kind, NoItemsError, Table

# clipwise_output, target and audio_name are what PANNs, the audio taggers, call them.
VALUES_KEYS: dict[Kind, tuple[str, ...]] = {
    "scores": ("scores", "y_score", "clipwise_output"),
    "labels": ("labels", "y_true", "target"),
}
NAMES_KEYS = ("names", "label_names")
IDS_KEYS = ("ids", "item_ids", "audio_name")
MOST_PACKED = 1100
"""Bytes that one byte of a compressed file can stand for (deflate: 1032)."""


class Archive(Protocol):
    """An open file of named arrays."""

    @property
    def keys(self) -> list[str]:
        """The names of all arrays."""
        ...

    def header(self, key: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
        """Return shape and dtype of an array, without reading its data."""
        ...

    def values(self, key: str, kind: Kind) -> NDArray[Any] | Matrix:
        """Return a matrix of numbers, in the byte order of this machine; it may stay in the file."""
        ...

    def text(self, key: str) -> list[str] | None:
        """Return an array of names (whole numbers are names too), or None if it is not 1-d text."""
        ...


def table_of(archive: Archive, key: str | None, kind: Kind, path: Path) -> Table:
    """Return a matrix of an archive with the names and ids beside it.

    The matrix is the array called ``key``; without a key the one called scores or y_score (labels or
    y_true), or the only matrix that is not called like the other kind. Label names are in names or
    label_names, ids in ids or item_ids; for a key with a prefix (val_scores, or eval/scores) the ids are
    those with that prefix (val_ids), and so are the names if there are any.

    Raises
    ------
    InputError
        If no array or more than one could be meant, or the arrays do not fit together.
    """
    source = str(path) if key is None else f"{path}:{key}"
    key = _choose_key(archive, key, path, kind)
    shape, dtype = archive.header(key)
    check_matrix(shape, dtype, source)
    ids, names = names_beside(archive, _prefix(key), (shape[0], shape[1]), path)
    return Table(archive.values(key, kind), source, "matrix", ids, names)


def names_beside(
    archive: Archive, prefix: str, shape: tuple[int, int], path: Path
) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
    """Return the ids and the label names that an archive has for a matrix, None where it has none."""
    ids = _read_names(archive, [prefix + name for name in IDS_KEYS], shape[0], "row", path)
    names = _read_names(archive, [prefix + "names", *NAMES_KEYS], shape[1], "column", path)
    return ids, names


def check_matrix(shape: tuple[int, ...], dtype: np.dtype[Any], source: str) -> None:
    """Raise `InputError` unless an array can be scores or labels."""
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
        raise (NoItemsError if shape[1] else InputError)(
            f"{source} has shape {shape}. At least one item and one label are needed."
        )


@contextmanager
def reading(source: str, form: str, writer: str) -> Iterator[None]:
    """Turn whatever a library says of a file's bytes into `UnreadableError`; limen's own errors pass."""
    try:
        yield
    except LimenError:
        raise
    except MemoryError as error:
        raise UnreadableError(
            f"{source} needs more memory than there is ({error}). Save scores as .npy: they stay on the disk."
        ) from error
    except Exception as error:  # hostile bytes bring out errors of every kind
        raise damaged(source, form, writer, error) from error


def split_key(path: str) -> tuple[Path, str | None]:
    """Return the file, and the key of an array in it, in ``file.npz:key`` or ``file.h5:key``."""
    match = re.fullmatch(r"(.+\.(?:npz|h5|hdf5)):([^\\]+)", path, flags=re.IGNORECASE | re.DOTALL)
    if match is None or Path(path).exists():
        return Path(path), None
    return Path(match[1]), match[2]


def check_claim(claimed: int, stored: int) -> None:
    """Raise `ValueError` if a header claims more bytes than can be packed into those that are stored."""
    if claimed > MOST_PACKED * stored + (1 << 20):
        raise ValueError(f"it claims {claimed} bytes and has {stored}")


def as_text(values: NDArray[Any]) -> list[str] | None:
    """Return an array of names, or None if it is not 1-d text (whole numbers are names too)."""
    if values.ndim != 1 or values.dtype.kind not in "OSUiu":
        return None
    return [value.decode() if isinstance(value, bytes) else str(value) for value in values.tolist()]


def native(values: NDArray[Any]) -> NDArray[Any]:
    """Return ``values`` in the byte order of this machine, which the compiled loops need."""
    return values if values.dtype.isnative else values.astype(values.dtype.newbyteorder("="))


def damaged(source: str, form: str, writer: str, error: object) -> UnreadableError:
    """Return the error for a file that its library cannot read."""
    return UnreadableError(
        f"{source} cannot be read as {form} ({error}). It is damaged, cut short or of another format: write "
        f"it again with {writer}."
    )


def _choose_key(archive: Archive, key: str | None, path: Path, kind: Kind) -> str:
    found = examples(archive.keys, most=12)
    if key is not None:
        if key not in archive.keys:
            raise InputError(f"{path} has no array {key!r}. It holds {found}: choose one of them.")
        return key
    usual = [name for name in VALUES_KEYS[kind] if name in archive.keys]
    if len(usual) == 1:
        return usual[0]
    others = VALUES_KEYS["labels" if kind == "scores" else "scores"]
    matrices = [name for name in archive.keys if not name.endswith(others) and _is_matrix(archive, name)]
    if len(matrices) == 1:
        return matrices[0]
    raise InputError(
        f"{path} has {count(len(matrices), 'array')} that could be the {kind}; it holds {found}. "
        f"Choose one with {path}:KEY, or call it {VALUES_KEYS[kind][0]!r}."
    )


def _is_matrix(archive: Archive, name: str) -> bool:
    shape, dtype = archive.header(name)
    return len(shape) == 2 and dtype.kind in "biuf"


def _prefix(key: str) -> str:
    for name in (*VALUES_KEYS["scores"], *VALUES_KEYS["labels"]):
        if key.endswith(name):
            return key.removesuffix(name)
    return ""


def _read_names(archive: Archive, keys: list[str], size: int, axis: str, path: Path) -> tuple[str, ...] | None:
    key = next((key for key in keys if key in archive.keys), None)
    if key is None:
        return None
    names = archive.text(key)
    if names is None:
        shape, dtype = archive.header(key)
        raise InputError(
            f"{path}: {key} has dtype {dtype} and shape {shape}. Names must be a 1-d array of text: save "
            "np.array(names, dtype=str)."
        )
    if len(names) != size:
        raise InputError(
            f"{path}: {key} has {count(len(names), 'name')} for {count(size, axis)}. Save one name for each "
            f"{axis}."
        )
    if "" in names:
        raise InputError(
            f"{path}: {key} has an empty name ({axis} {names.index('') + 1}). Every {axis} needs one."
        )
    return unique(names, f"{path}: {key}", f"Every {axis} needs a name of its own.")
