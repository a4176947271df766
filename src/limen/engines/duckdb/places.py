"""Where a long table lies: Parquet files, or a table or query of DuckDB, SQLite or PostgreSQL."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from limen.errors import InputError, UnreadableError
from limen.files.queries import Query, as_query
from limen.files.stored import quoted

SERVERS = ("postgresql:", "postgres:")
SQLITE = "sqlite:"
_ASKS = re.compile(r"[?&](query|table)=")


class Files(NamedTuple):
    """Parquet files that are read as one table, in this order."""

    paths: tuple[str, ...]

    def __str__(self) -> str:
        return self.paths[0] if len(self.paths) == 1 else f"{self.paths[0]} and {len(self.paths) - 1} more"


class Asked(NamedTuple):
    """A query in the words of the database itself: ``kind`` is "sqlite" or "postgresql"."""

    kind: str
    database: str
    sql: str

    def __str__(self) -> str:
        shown = re.sub(r"(//[^/@:]*):[^/@]*@", r"\1:***@", self.database)
        return shown if self.kind == "postgresql" else f"{SQLITE}{shown}"


Place = Files | Query | Asked


def place_of(given: Any) -> Place | None:
    """Return where a long table lies; None for what is no such place.

    Parameters
    ----------
    given : path, pattern or sequence of them, or str
        Parquet files; ``duckdb:FILE?table=NAME`` or ``?query=SELECT ...``; ``sqlite:FILE`` or
        ``postgresql://USER@HOST/DATABASE`` with the same.

    Raises
    ------
    InputError
        If a database is named without a table or query.
    UnreadableError
        If a file is missing, or no file fits the pattern.

    Examples
    --------
    >>> place_of("sqlite:app.db?table=scores")
    Asked(kind='sqlite', database='app.db', sql='SELECT * FROM "scores"')
    >>> place_of("scores.npy")
    """
    if isinstance(given, (list, tuple)) and given and all(isinstance(one, (str, os.PathLike)) for one in given):
        return _files([os.fspath(one) for one in given])
    if not isinstance(given, (str, os.PathLike)):
        return None
    text = os.fspath(given)
    lower = text.lower()
    if lower.startswith((SQLITE, *SERVERS)):
        return _asked(text)
    query = as_query(text)
    if query is not None:
        return query
    return _files([text]) if lower.endswith(".parquet") else None


def _asked(text: str) -> Asked:
    found = _ASKS.search(text)
    if found is None or not text[found.end() :].strip():
        raise InputError(
            f"{text!r} has no query. Write ?query=SELECT ... or ?table=NAME after the database, in quotes for the "
            "shell."
        )
    rest = text[found.end() :]
    sql = rest if found[1] == "query" else f"SELECT * FROM {'.'.join(map(quoted, rest.split('.')))}"
    if text.lower().startswith(SQLITE):
        return Asked("sqlite", text[len(SQLITE) : found.start()], sql)
    return Asked("postgresql", text[: found.start()], sql)


def _files(given: Sequence[str]) -> Files | None:
    if not all(one.lower().endswith(".parquet") for one in given):
        return None
    paths: list[str] = []
    for one in given:
        found = [one] if Path(one).exists() else sorted(glob.glob(one, recursive=True))  # noqa: PTH207 (patterns may be absolute)
        if not found:
            raise UnreadableError(f"{one} does not exist. Check the path or pattern, and the folder you are in.")
        paths += found
    if twice := [path for path in dict.fromkeys(paths) if paths.count(path) > 1]:
        raise InputError(f"{twice[0]} is named twice: its rows would count twice. Name each file once.")
    return Files(tuple(paths))
