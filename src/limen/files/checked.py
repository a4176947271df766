"""Files of checked detections, as `limen sample` writes them and people fill them in."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from limen.errors import InputError, UnreadableError, examples

COLUMNS = ("id", "label", "score", "drawn", "weight", "value")
RIGHT = dict.fromkeys(("1", "1.0", "yes", "y", "true"), 1.0) | dict.fromkeys(("0", "0.0", "no", "n", "false"), 0.0)


def is_checked(path: str) -> bool:
    """Return whether a file is one of checked detections, by its first line."""
    if not path.lower().endswith(".csv"):
        return False
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            return tuple(name.strip() for name in next(csv.reader(file), [])) == COLUMNS
    except (OSError, UnicodeDecodeError):
        return False


def read_checked(path: str) -> dict[str, list[Any]]:
    """Return the columns of a file of checked detections; an empty ``value`` is NaN.

    Raises
    ------
    UnreadableError
        If it cannot be read.
    InputError
        If a row is cut short, a number is none, or an answer is neither 1 nor 0.
    """
    from limen.files.text import unspelled

    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            first, *rows = list(csv.reader(file)) or [[]]
    except OSError as error:
        raise UnreadableError(f"cannot read {path}: {error.strerror}. Check the path.") from error
    except UnicodeDecodeError:
        first, rows = [], []  # no text at all
    if tuple(name.strip() for name in first) != COLUMNS:
        raise InputError(
            f"{path} is no file of checked detections: its first line must be {','.join(COLUMNS)!r}. Give the CSV "
            "file that limen sample wrote, with 1 or 0 in its column value."
        )
    short = [number for number, row in enumerate(rows, 2) if row and len(row) != len(COLUMNS)]
    if short:
        raise InputError(f"{path} has rows without {len(COLUMNS)} cells (first: line {short[0]}).")
    columns: dict[str, list[Any]] = {name: [row[k] for row in rows if row] for k, name in enumerate(COLUMNS)}
    for name in ("score", "weight"):
        try:
            columns[name] = [float(cell) for cell in columns[name]]
        except ValueError as error:
            raise InputError(f"{path}: column {name!r}: {error}. These must stay as they were written.") from error
    said = [cell.strip().casefold() for cell in columns["value"]]
    odd = sorted({cell for cell in said if cell and cell not in RIGHT})
    if odd:
        raise InputError(f"{path} has the answers {examples(odd)}. Write 1 (right), 0 (wrong) or nothing.")
    columns["value"] = [RIGHT.get(cell, float("nan")) for cell in said]
    columns["label"] = [unspelled(cell) for cell in columns["label"]]
    return columns
