"""Dask arrays, cut into blocks of whole rows that belong together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dask
import dask.array as da
import numpy as np

from limen.engines.dask_parts import Part
from limen.errors import InputError, count

MATRICES = ("y_score", "y_true", "mask")


def array_parts(given: Mapping[str, Any]) -> list[Part]:
    """Return the blocks of scores, labels and what belongs to the items, some of them Dask arrays.

    Blocks are those of ``y_score``, or of the first Dask array if it is none. Where it is not known how many rows
    they have, messages name the block, else the row.

    Raises
    ------
    InputError
        If lengths differ, or columns are of unknown number.
    """
    held = {name: whole_rows(data, name) for name, data in given.items() if isinstance(data, da.Array)}
    if not _alike(held):
        held = {name: _measured(array) for name, array in held.items()}
        leader = held.get("y_score", next(iter(held.values())))
        for name, array in held.items():
            _check_length(name, array.shape[0], leader.shape[0])
        rows = leader.chunks[0]
        held = {name: array.rechunk((rows, *array.chunks[1:])) for name, array in held.items()}
    lengths = next((array.chunks[0] for array in held.values() if _is_known(array)), None)
    columns = {name: _delayed(array) for name, array in held.items()}
    rest = {name: data for name, data in given.items() if name not in held}
    if rest:
        lengths = lengths or lengths_of(next(iter(columns.values())))
        columns |= {name: sliced(name, data, lengths) for name, data in rest.items()}
    starts = [0] * len(columns["y_score"]) if lengths is None else np.cumsum([0, *lengths]).tolist()
    of_items = [name for name in given if name not in ("y_true", "y_score")]
    return [
        Part(
            columns["y_true"][k],
            columns["y_score"][k],
            {name: columns[name][k] for name in of_items},
            "" if lengths is not None else f"block {k}",
            starts[k],
        )
        for k in range(len(columns["y_score"]))
    ]


def lengths_of(parts: list[Any]) -> tuple[int, ...]:
    """Return the number of rows of each part: one pass over them."""
    return tuple(map(int, dask.compute(*[dask.delayed(len)(part) for part in parts])))


def sliced(name: str, data: Any, lengths: tuple[int, ...]) -> list[Any]:
    """Return data that are at hand, cut into parts of these lengths."""
    _check_length(name, data.shape[0] if hasattr(data, "shape") else len(data), sum(lengths))
    stops = np.cumsum(lengths).tolist()
    rows = data.iloc if hasattr(data, "iloc") else data
    pieces = (rows[stop - length : stop] for stop, length in zip(stops, lengths, strict=True))
    return [dask.delayed(piece, traverse=False, pure=False) for piece in pieces]


def whole_rows(array: da.Array, name: str) -> da.Array:
    """Return an array whose blocks hold all columns; of one dimension, one column if it is a matrix."""
    if array.ndim == 1:
        return array[:, np.newaxis] if name in MATRICES else array
    if array.ndim != 2 or name not in MATRICES:
        wanted = "two: (n_items, n_labels)" if name in MATRICES else "one: (n_items,)"
        raise InputError(f"{name} has {array.ndim} dimensions. It must have {wanted}.")
    if np.isnan(array.shape[1]):
        raise InputError(f"{name} has an unknown number of columns. Call its compute_chunk_sizes() first.")
    return array if array.numblocks[1] == 1 else array.rechunk({1: -1})


def _is_known(array: da.Array) -> bool:
    return not np.isnan(array.chunks[0]).any()


def _alike(held: Mapping[str, da.Array]) -> bool:
    """Return whether arrays are of as many blocks, and of the same rows as far as is known."""
    numbers = {array.numblocks[0] for array in held.values()}
    return len(numbers) == 1 and len({array.chunks[0] for array in held.values() if _is_known(array)}) < 2


def _measured(array: da.Array) -> da.Array:
    """Return the array with known chunks; the user's own stays as it is."""
    if _is_known(array):
        return array
    copy = da.Array(array.dask, array.name, array.chunks, array.dtype, meta=array._meta)
    return copy.compute_chunk_sizes()


def _check_length(name: str, length: int, wanted: int) -> None:
    if length != wanted:
        raise InputError(
            f"{name} has {count(length, 'row')} and y_score {count(wanted, 'row')}. Both must be of the same "
            "items in the same order."
        )


def _delayed(array: da.Array) -> list[Any]:
    return list(array.to_delayed().ravel())
