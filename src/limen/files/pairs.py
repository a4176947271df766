"""Files of two columns: a name and what belongs to it."""

from __future__ import annotations

import os
from pathlib import Path

from limen.errors import InputError, UnreadableError, examples
from limen.files.cells import open_cells
from limen.names import repeated


def read_pairs(path: str | os.PathLike[str], names: tuple[str, ...], what: str) -> dict[str, str]:
    """Return the second column by the first, of a .csv, .tsv or .parquet file with a header.

    Parameters
    ----------
    path : path-like
    names : tuple of str
        What the first column may name.
    what : str
        What the second column holds, for messages.

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
    with open_cells(file, kind="labels") as cells:
        if len(cells.names) != 2:
            raise InputError(
                f"{file} has {len(cells.names)} columns. A file of {what} has two: a name and its {what}."
            )
        rows = cells.rows(f"SELECT {cells.text(0)}, {cells.text(1)} FROM cells")
    empty = [number for number, row in enumerate(rows, 1) if None in row]
    if empty:
        raise InputError(f"{file} has an empty cell in row {empty[0]}. Every row needs a name and its {what}.")
    if twice := repeated(name for name, _ in rows):
        raise InputError(f"{file} repeats {examples(twice)}. Every name needs one {what}.")
    known = set(names)
    unknown = [name for name, _ in rows if name not in known]
    if unknown:
        raise InputError(f"{file} names {examples(unknown)}, which the scores do not have. Check the spelling.")
    return dict(rows)
