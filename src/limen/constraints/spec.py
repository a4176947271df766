"""Constraints as plain text and numbers: of a thresholds file, and of a file that people write."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from limen.constraints.bound import Constraint
from limen.constraints.counts import (
    MaxFalsePositiveRate,
    MaxFalsePositives,
    MaxPredictions,
    MinPrecision,
    MinPredictions,
    MinRecall,
)
from limen.constraints.shapes import AtMost, Hierarchy, SameThreshold, ThresholdRange
from limen.errors import InputError, UnreadableError, examples

KINDS: dict[str, type[Any]] = {
    "min_precision": MinPrecision,
    "min_recall": MinRecall,
    "max_false_positive_rate": MaxFalsePositiveRate,
    "max_false_positives": MaxFalsePositives,
    "max_predictions": MaxPredictions,
    "min_predictions": MinPredictions,
    "threshold_range": ThresholdRange,
    "same_threshold": SameThreshold,
    "at_most": AtMost,
    "hierarchy": Hierarchy,
}
"""What each kind is called in a file."""


def of_spec(spec: Any) -> Constraint:
    """Return the constraint of what its ``spec`` gave.

    Raises
    ------
    InputError
        If it is none.

    Examples
    --------
    >>> of_spec({"name": "MinPrecision", "value": 0.9, "per": "all"})
    MinPrecision(value=0.9, per='all')
    """
    named = {kind.name: kind for kind in KINDS.values()}
    if not isinstance(spec, Mapping) or spec.get("name") not in named:
        raise InputError(f"{str(spec)[:60]!r} is no constraint. It needs a 'name', one of {', '.join(named)}.")
    return _made(named[spec["name"]], {key: value for key, value in spec.items() if key != "name"}, spec["name"])


def read_constraints(path: str | Path) -> list[Constraint]:
    """Return the constraints of a TOML file.

    A table for each kind: its limit (``value``, or ``rate``; ``per_hour`` and ``hours``), ``per = "all"`` for all
    labels together, or ``labels`` with a value for each; a list of tables where there are several. ``hierarchy``
    has a ``file``, next to this one, or ``edges``.

    Raises
    ------
    UnreadableError
        If the file cannot be read.
    InputError
        If it is not TOML, or says something else.
    """
    try:
        content = tomllib.loads(Path(path).read_bytes().decode())
    except OSError as error:
        raise UnreadableError(f"cannot read {path}: {error.strerror}. Check the path.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not TOML: {error}.") from error
    if unknown := [key for key in content if key not in KINDS]:
        raise InputError(f"{path} has {examples(unknown)}. Its tables are {', '.join(KINDS)}.")
    if not content:
        raise InputError(f"{path} has no constraint. Its tables are {', '.join(KINDS)}.")
    found = []
    for key, tables in content.items():
        for table in tables if isinstance(tables, list) else [tables]:
            if not isinstance(table, dict):
                raise InputError(f"{key!r} of {path} is {table!r}. It must be a table, like [{key}].")
            given, where = dict(table), f"{key!r} of {path}"
            if key == "hierarchy" and "file" in given:
                tree = Path(path).parent / str(given.pop("file"))
                found.append(_made(Hierarchy.from_json, {"path": tree, **given}, where))
                continue
            if isinstance(given.get("labels"), dict):
                given["per"] = given.pop("labels")
            found.append(_made(KINDS[key], given, where))
    return found


def _made(kind: Any, given: dict[str, Any], where: str) -> Constraint:
    try:
        made: Constraint = kind(**given)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    except (TypeError, ValueError) as error:
        why = str(error).removeprefix(f"{kind.__name__}.__init__() ")
        raise InputError(f"{where} is not understood: {why}.") from error
    return made
