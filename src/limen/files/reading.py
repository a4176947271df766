"""Read score and label files of every format: the one door that picks the reader by the ending."""

from __future__ import annotations

import os
from collections.abc import Sequence

from limen.errors import InputError, UnreadableError
from limen.files.archives import split_key
from limen.files.hdf5 import read_hdf5
from limen.files.matrices import read_npy, read_npz
from limen.files.parquet import read_parquet
from limen.files.queries import as_query, read_query
from limen.files.shards import Damaged, read_shards, shards_of, undamaged
from limen.files.text import TextColumns
from limen.sources.columns import table_of
from limen.sources.tables import Joined, Kind, Table, join

__all__ = ["Joined", "Kind", "Table", "join", "read_files", "read_table", "readable_files"]

ENDINGS = ".npy, .npz, .csv, .tsv (also .csv.gz, .tsv.gz), .parquet and .h5 (.hdf5)"


def read_table(path: str | os.PathLike[str], *, kind: Kind) -> Table:
    """Return the scores or the labels in a file, with the ids and label names it gives.

    Parameters
    ----------
    path : path-like
        A .npy, .npz, .csv, .tsv, .csv.gz, .tsv.gz, .parquet or .h5 (.hdf5) file. ``file.npz:key`` and
        ``file.h5:group/key`` pick one array. Or the rows of a query: ``duckdb:FILE?query=SELECT ...``. Or
        many files that are one table: a folder, or a pattern such as ``scores/*.npy``.
    kind : {"scores", "labels"}

    Returns
    -------
    Table

    Raises
    ------
    InputError
        If the content breaks a rule; the message names the column, row, id or key.
    UnreadableError
        If the file is missing, unreadable or damaged.

    Notes
    -----
    Text files, Parquet and queries come in three layouts, recognised by the names of the columns:

    * wide: an id column (by its name, or the only column of text; may be absent) and one column of numbers
      for each label. An empty cell among labels is unknown.
    * long: exactly ``id, label, score``, or for labels ``id, label, value``. Scores that are not listed
      are below every cut and make the result CSR; labels that are not listed are unknown.
    * tags: ``id, tags`` with tags joined by ``;`` (or ``|`` where no cell has a ``;``), or one line
      ``id, label`` for each positive. Items without a tag need a line with an empty cell.

    Many files are read in natural order (2 before 10), their rows one below the other; columns are joined by
    label name. One without rows is an empty part.

    NaN and infinite scores, and labels that are not 0, 1 or NaN, are left to the checks of the arrays.
    """
    query = as_query(os.fspath(path))
    if query is not None:
        return read_query(query, kind=kind)
    names = shards_of(os.fspath(path))
    if names is not None:
        return read_files(names, os.fspath(path), kind=kind)
    file, key = split_key(os.fspath(path))
    name = file.name.lower()
    try:
        if not file.exists():
            raise UnreadableError(f"{file} does not exist. Check the path, and the folder you are in.")
        if not file.is_file():
            raise UnreadableError(f"{file} is no regular file. Give a file.")
        with file.open("rb") as opened:
            empty = not opened.read(1)
    except OSError as error:
        raise UnreadableError(
            f"{file} cannot be opened: {error.strerror}. Check its name and permissions."
        ) from error
    if empty:
        raise InputError(f"{file} is empty (0 bytes). Write the {kind} again.")
    if name.endswith(".npy"):
        return read_npy(file, kind=kind)
    if name.endswith(".npz"):
        return read_npz(file, key, kind=kind)
    if name.endswith((".h5", ".hdf5")):
        return read_hdf5(file, key, kind=kind)
    if name.endswith(".parquet"):
        return read_parquet(file, kind=kind)
    if name.endswith((".csv", ".tsv", ".csv.gz", ".tsv.gz")):
        return table_of(TextColumns(file, kind))
    raise InputError(f"{file} has the ending {file.suffix!r}. limen reads {ENDINGS}.")


def read_files(names: Sequence[str], source: str, *, kind: Kind) -> Table:
    """Return files, in this order, as one table that messages call ``source``; see `read_table`."""
    return read_shards(names, source, kind=kind, read=lambda name, kind: read_table(name, kind=kind))


def readable_files(scores: str, labels: str) -> tuple[list[str], list[str], list[Damaged]]:
    """Return the shards of scores and of labels that can be read, and the pairs of the same place that cannot.

    `limen.files.shards.undamaged` explains.
    """
    return undamaged(scores, labels, lambda name, kind: read_table(name, kind=kind))
