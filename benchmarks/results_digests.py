"""Results by name, as digests of exact bits, and how two sets of them are compared."""

from __future__ import annotations

import hashlib
import time
import warnings
from collections.abc import Callable, Iterator
from functools import singledispatch
from typing import Any

import numpy as np

import limen
from limen.learning_curve import LearningCurve

LEFT_OUT = {"created", "versions", "seconds", "schema_version", "time", "fit_time", "score_time"}
"""Fields that change from run to run, or with a release."""


class Results(dict[str, dict[str, Any]]):
    """Digests by name; ``only`` is what the names that are computed begin with."""

    def __init__(self, only: str = "") -> None:
        super().__init__()
        self.only, self.seconds = only, dict[str, float]()

    def keep(self, name: str, make: Callable[..., Any], *arguments: Any, **options: Any) -> None:
        """Store what ``make`` returns; of an error its type, since messages are not results."""
        if name in self:
            raise ValueError(f"{name} is computed twice. Every result needs a name of its own.")
        if not name.startswith(self.only):
            return
        start = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                found = make(*arguments, **options)
            except Exception as error:
                found = {"raises": type(error).__name__}
        found = dict(fields(found))
        self[name] = {"value": brief(found), "digests": {key: digest(value) for key, value in found.items()}}
        self.seconds[name] = time.perf_counter() - start


@singledispatch
def content(result: Any) -> Any:
    """Return a result as dicts, lists, arrays, numbers and text."""
    if type(result).__module__.startswith("torch"):
        return result.detach().cpu().numpy()
    if hasattr(result, "tocsr"):
        csr = result.tocsr()
        return {name: getattr(csr, name) for name in ("data", "indices", "indptr", "shape")}
    return result._asdict() if hasattr(result, "_asdict") else result


@content.register
def _(result: limen.Thresholds) -> Any:
    more = {"values": result.values, "history": list(result.history), "summary": result.summary()}
    return {**result.to_dict(), **more}


@content.register
def _(result: limen.Curves) -> Any:
    names = ("offsets", "tp", "fp", "beneath", "n_positive", "n_known", "n_items", "complete", "labels")
    return {
        **{name: getattr(result, name) for name in names},
        "cuts": result.candidates.cuts,
        "dtype": str(result.dtype),
        "digest": result.digest(),
    }


@content.register
def _(result: limen.Evaluation) -> Any:
    names = ("value", "average", "zero_division", "labels", "values", "n_items", "on_tuning_data", "interval")
    return {
        **{name: getattr(result, name) for name in names},
        "metric": result.metric.spec,
        "difference": result.difference,
        "counts": tuple(result.counts),
        "table": result.table,
        "summary": result.summary(),
    }


@content.register
def _(result: limen.Comparison) -> Any:
    names = ("method", "held_out", "low", "high", "rank", "fitted", "status")
    rows = [{**{name: getattr(row, name) for name in names}, "gap": tuple(row.difference)} for row in result.rows]
    return {"rows": rows, "summary": result.summary()}


@content.register
def _(result: limen.Frontier) -> Any:
    names = ("tp", "pp", "slope", "precision", "recall")
    picture = result._repr_html_()
    return {**{name: getattr(result, name) for name in names}, "columns": result.columns(), "picture": picture}


@content.register
def _(result: LearningCurve) -> Any:
    names = ("sizes", "n_items", "folds")
    held_out = [tuple(interval) for interval in result.held_out]
    return {**{name: getattr(result, name) for name in names}, "held_out": held_out, "cells": result.cells()}


def fields(result: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Give the fields of a result, however deep; a list of dicts by columns, so that new ones stand alone."""
    result = content(result)
    if isinstance(result, list | tuple) and result and all(isinstance(row, dict) for row in result):
        result = {key: [row.get(key) for row in result] for key in dict.fromkeys(k for row in result for k in row)}
    if isinstance(result, dict) and (result or name):
        for key, value in result.items():
            if key not in LEFT_OUT:
                yield from fields(value, f"{name}.{key}" if name else str(key))
    else:
        yield name or "result", result


def exact(value: Any) -> str:
    """Return text that is the same for the same bits, and only for them."""
    value = content(value)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, np.ndarray):
        if value.dtype.kind in "OUT":
            return f"array {value.shape} {exact(value.tolist())}"
        return f"array {value.dtype.str} {value.shape} {hashlib.sha256(value.tobytes()).hexdigest()}"
    if isinstance(value, dict):
        return "{" + ",".join(f"{exact(key)}:{exact(value[key])}" for key in sorted(value, key=str)) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(exact, value)) + "]"
    if isinstance(value, float):
        return value.hex()
    if value is None or isinstance(value, bool | int | str | bytes):
        return repr(value)
    raise TypeError(f"a {type(value).__name__} has no digest. Give it as numbers, text, arrays, lists and dicts.")


def digest(value: Any) -> str:
    return hashlib.sha256(exact(value).encode()).hexdigest()[:20]


def brief(found: dict[str, Any]) -> str:
    """Return what a person knows a result by."""
    first = [found[key] for key in ("summary", "value", "raises") if key in found]
    return " ".join(str(first[0] if first else next(iter(found.values()), "")).split())[:100]


def differences(stored: dict[str, Any], found: Results) -> tuple[list[str], list[str]]:
    """Return lines for the results that differ or are missing, and for those that are new."""
    wrong = []
    for name, before in sorted(stored.items()):
        if not name.startswith(found.only):
            continue
        if name not in found:
            wrong.append(f"missing  {name}")
            continue
        after = found[name]
        changed = [key for key, value in before["digests"].items() if after["digests"].get(key) != value]
        if changed:
            shown = f"{before['value']!r}" + (
                f" -> {after['value']!r}" if after["value"] != before["value"] else ""
            )
            wrong.append(f"differs  {name}: {', '.join(changed)}  {shown}")
    return wrong, [f"new      {name}" for name in sorted(found) if name not in stored]
