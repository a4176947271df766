"""Files that are parts of one table: a folder of them, or a pattern; what is wrong names the file."""

from __future__ import annotations

import glob
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from limen.errors import InputError, UnreadableError, count
from limen.files.archives import split_key
from limen.names import match, unique
from limen.sources.arrays import CSR
from limen.sources.matrix import Matrix, Stacked, rows_a_piece
from limen.sources.scratch import Scratch
from limen.sources.tables import Kind, NoItemsError, Table, csr_from_codes, select_columns

ENDINGS = (".npy", ".npz", ".csv", ".tsv", ".csv.gz", ".tsv.gz", ".parquet", ".h5", ".hdf5")
Read = Callable[[str, Kind], Table]


class Damaged(NamedTuple):
    """A pair of shards of which one cannot be read: why, and how many items the other has, if it can be read."""

    names: tuple[str, str]
    why: str
    n_items: int | None


def shards_of(path: str) -> list[str] | None:
    """Return the files of a folder or of a pattern, in natural order (2 before 10); None if it is one file.

    Raises
    ------
    UnreadableError
        If there is none.
    InputError
        If a folder has files of several formats.
    """
    pattern, key = split_key(path)
    try:
        is_folder, is_file = pattern.is_dir(), pattern.exists()
    except OSError:  # such as a name that is too long: the reader of one file says so
        return None
    if is_folder:
        files = [file for file in pattern.iterdir() if file.is_file() and not file.name.startswith((".", "_"))]
        found = [str(file) for file in files if file.name.lower().endswith(ENDINGS)]
        endings = sorted({Path(name).suffix.lower() for name in found})
        if len(endings) > 1:
            raise InputError(
                f"{path} has files of several formats ({', '.join(endings)}). Name those that are meant: "
                f"'{pattern}/*{endings[0]}'."
            )
        if not found:
            raise UnreadableError(f"{path} is a folder without files of scores or labels ({', '.join(ENDINGS)}).")
    elif re.search(r"[*?\[]", str(pattern)) and not is_file:
        found = [name for name in glob.glob(str(pattern), recursive=True) if Path(name).is_file()]  # noqa: PTH207
        if not found:
            raise UnreadableError(f"{path} matches no file. Check the pattern, and the folder you are in.")
    else:
        return None
    return [name if key is None else f"{name}:{key}" for name in sorted(found, key=_natural)]


def _natural(name: str) -> list[tuple[int, int, str]]:
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"([0-9]+)", name) if part]


def read_shards(names: Sequence[str], source: str, *, kind: Kind, read: Read) -> Table:
    """Return the shards of these names as one table: rows one below the other, columns by label name.

    Raises
    ------
    InputError
        If a shard has other labels, or another dtype, than the first, or only some have ids.
    UnreadableError
        If a shard is damaged.
    """
    tables = [_one(name, kind, read) for name in names]
    some = [table for table in tables if table is not None]
    if not some:
        raise NoItemsError(
            f"{source}: none of its {count(len(names), 'file')} has an item. At least one is needed."
        )
    shards = tuple(
        (name, 0 if table is None else table.shape[0]) for name, table in zip(names, tables, strict=True)
    )
    ids = _ids_of(some, source)
    if any(isinstance(table.values, CSR) or table.layout in ("tags", "long") for table in some):
        labels, values = _sparse(some, kind)
        return Table(values, source, some[0].layout, ids, labels, shards)
    ordered: list[Any] = [_in_order_of(some[0], table, kind) for table in some]
    scratch = None if all(isinstance(part, Matrix) for part in ordered) else Scratch()
    parts = [part if scratch is None or isinstance(part, Matrix) else scratch.keep(part) for part in ordered]
    return Table(Stacked(parts), source, some[0].layout, ids, some[0].labels, shards)


def undamaged(scores: str, labels: str, read: Read) -> tuple[list[str], list[str], list[Damaged]]:
    """Return the shards of scores and of labels that can be read, and the pairs of the same place that cannot.

    Every shard is read once for that.

    Raises
    ------
    InputError
        If scores and labels are not in as many shards.
    UnreadableError
        If no pair can be read.
    """
    sides = [shards_of(path) or [path] for path in (scores, labels)]
    if len(sides[0]) != len(sides[1]):
        numbers = [count(len(side), "file") for side in sides]
        raise InputError(
            f"{scores} is {numbers[0]} and {labels} {numbers[1]}. Damaged shards can be left out where scores and "
            "labels are in as many files, whose items are the same, in folders or patterns of both."
        )
    whole, damaged = list[tuple[str, str]](), list[Damaged]()
    for pair in zip(*sides, strict=True):
        found = [_readable(pair[0], "scores", read), _readable(pair[1], "labels", read)]
        why = [str(part) for part in found if isinstance(part, UnreadableError)]
        n_items = next((part for part in found if isinstance(part, int)), None)
        if why:
            damaged.append(Damaged(pair, why[0], n_items))
        else:
            whole.append(pair)
    if not whole:
        raise UnreadableError(f"none of the {count(len(damaged), 'shard')} can be read (first: {damaged[0].why})")
    return [pair[0] for pair in whole], [pair[1] for pair in whole], damaged


def _one(name: str, kind: Kind, read: Read) -> Table | None:
    """Return the table of a shard; None if it has no items."""
    try:
        return read(name, kind)
    except NoItemsError:
        return None


def _readable(name: str, kind: Kind, read: Read) -> int | UnreadableError:
    """Return how many items a shard has, once all of it was read, or why it cannot be."""
    try:
        table = _one(name, kind, read)
        if table is None:
            return 0
        if isinstance(table.values, Matrix):
            step = rows_a_piece(table.values)
            for start in range(0, len(table.values), step):
                table.values[start : start + step]
        return table.shape[0]
    except UnreadableError as error:
        return error


def _ids_of(tables: Sequence[Table], source: str) -> tuple[str, ...] | None:
    """Return the ids of all tables; None if none has any."""
    named = [table for table in tables if table.ids is not None]
    if not named:
        return None
    if len(named) < len(tables):
        other = next(table for table in tables if table.ids is None)
        raise InputError(
            f"{other.source} has no ids, and {named[0].source} has. All shards need an id column, or none."
        )
    ids = (name for table in tables for name in table.ids or ())
    return unique(ids, source, "Every item needs one row in one of the shards, and an id of its own.")


def _in_order_of(first: Table, table: Table, kind: Kind) -> Any:
    """Return the values of a shard with the columns of the first."""
    if kind == "scores" and _dtype(table) != _dtype(first):
        raise InputError(
            f"{table.source} has {_dtype(table)} scores, and {first.source} {_dtype(first)}. All shards "
            "need one dtype: convert one of them."
        )
    if first.labels is None or table.labels is None:
        if (first.labels is None) != (table.labels is None) or table.shape[1] != first.shape[1]:
            raise InputError(
                f"{table.source} has {_columns(table)}, and {first.source} {_columns(first)}. All shards need the "
                "same labels."
            )
        return table.values
    match(first.labels, table.labels, between=(first.source, table.source))
    return select_columns(table.values, table.labels, first.labels)


def _dtype(table: Table) -> np.dtype[Any]:
    return table.values.data.dtype if isinstance(table.values, CSR) else table.values.dtype


def _columns(table: Table) -> str:
    return f"{count(table.shape[1], 'column')} {'without' if table.labels is None else 'with'} names"


def _sparse(tables: Sequence[Table], kind: Kind) -> tuple[tuple[str, ...] | None, CSR]:
    """Return the labels and the values of tables of pairs; labels that one does not mention have no positives."""
    first = tables[0]
    odd = next((table for table in tables if table.layout != first.layout), None)
    if odd is not None or first.layout in ("wide", "long"):
        about = f"{first.source} and {odd.source} have other layouts" if odd else f"{first.source} lists pairs"
        query = f"SELECT * FROM '{Path(first.source).parent}/*{Path(first.source).suffix}'"
        raise InputError(
            f"{about}. Shards are matrices, wide tables or tag lists, all of one layout; of long tables read all "
            f'at once: "duckdb:?query={query}".'
        )
    names: dict[str, int] = {}
    rows, columns, data, start = [], [], [], 0
    for table in tables:
        values = table.values if isinstance(table.values, CSR) else _as_entries(np.asarray(table.values))
        if first.layout == "tags":
            order = np.array([names.setdefault(name, len(names)) for name in table.labels or ()], np.int64)
        else:
            wanted = _in_order_of(first, replace(table, values=values), kind)
            values, order = wanted, np.arange(wanted.shape[1])
        rows.append(values.row_of_entries() + start)
        columns.append(order[values.indices])
        data.append(values.data)
        start += values.shape[0]
    shape = (start, len(names) if first.layout == "tags" else first.shape[1])
    codes = np.concatenate(rows) * max(shape[1], 1) + np.concatenate(columns)
    by_code = np.argsort(codes, kind="stable")
    labels = tuple(names) if first.layout == "tags" else first.labels
    return labels, csr_from_codes(codes[by_code], np.concatenate(data)[by_code], shape)


def _as_entries(values: Any) -> CSR:
    """Return a matrix of labels as CSR of those that are not 0."""
    codes = np.flatnonzero(values)
    return csr_from_codes(codes, values.reshape(-1)[codes], values.shape)
