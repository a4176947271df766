"""Files of two columns: a name and what belongs to it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from limen.errors import InputError, UnreadableError, examples
from limen.files.stored import parquet_columns
from limen.files.text import TextColumns
from limen.names import beyond, unique
from limen.sources.columns import Columns


def read_pairs(
    path: str | os.PathLike[str],
    names: tuple[str, ...],
    what: str,
    *,
    extra: Literal["refuse", "ignore"] = "refuse",
) -> dict[str, str]:
    """Return the second column by the first, of a .csv, .tsv or .parquet file with a header.

    Parameters
    ----------
    path : path-like
    names : tuple of str
        What the first column may name.
    what : str
        What the second column holds, for messages.
    extra : {"refuse", "ignore"}
        Whether the first column may name others too.

    Raises
    ------
    InputError
        If there are not two columns, or the first repeats or names something unknown.
    """
    file = Path(path)
    if not file.is_file():
        raise UnreadableError(f"{file} does not exist. Check the path; it is relative to {Path.cwd()}.")
    if not file.name.lower().endswith((".csv", ".tsv", ".csv.gz", ".tsv.gz", ".parquet")):
        raise InputError(f"{file} has the ending {file.suffix!r}. A file of {what} is .csv, .tsv or .parquet.")
    if file.suffix.lower() == ".parquet":
        with parquet_columns(file, "labels") as columns:
            rows = _pairs(columns, what)
    else:
        rows = _pairs(TextColumns(file, "labels", every=True), what)
    empty = [number for number, row in enumerate(rows, 1) if None in row]
    if empty:
        raise InputError(f"{file} has an empty cell in row {empty[0]}. Every row needs a name and its {what}.")
    given = unique((name for name, _ in rows), str(file), f"Every name needs one {what}.")
    if extra == "refuse" and (unknown := beyond(given, names)):
        raise InputError(f"{file} names {examples(unknown)}, which the scores do not have. Check the spelling.")
    return dict(rows)


def _pairs(columns: Columns, what: str) -> list[tuple[str, str]]:
    if len(columns.names) != 2:
        raise InputError(
            f"{columns.source} has {len(columns.names)} columns. A file of {what} has two: a name and its {what}."
        )
    return list(zip(columns.cells(0), columns.cells(1), strict=True))
