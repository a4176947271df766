"""Data that an engine holds: which leaf of limen counts them there, told by their type; imports no engine."""

from __future__ import annotations

import importlib
from typing import Any, Protocol

LEAVES = {"dask": "limen.engines.dask", "dask_expr": "limen.engines.dask", "pyspark": "limen.engines.spark"}
"""The leaf for each package whose types hold data elsewhere."""


class Engine(Protocol):
    """What a leaf of `limen.engines` has."""

    def curves_of(self, y_true: Any, y_score: Any, **given: Any) -> Any:
        """Return the `limen.Curves` of labels and scores; ``given`` are the arguments of `limen.tune` for data."""
        ...

    def decide(self, y_score: Any, labels: tuple[str, ...], values: Any, rule: str) -> Any:
        """Return decisions that the engine makes when they are asked for; as `limen.Thresholds.decide`."""
        ...


def engine_of(*data: Any) -> Engine | None:
    """Return the leaf that counts the data where they lie, or None if none of them lies in an engine.

    Examples
    --------
    >>> engine_of([[0], [1]], [[0.1], [0.8]]) is None
    True
    """
    for one in data:
        package = type(one).__module__.partition(".")[0]
        if package in LEAVES:
            leaf: Engine = importlib.import_module(LEAVES[package])
            return leaf
    return None


def curves_of(y_true: Any, y_score: Any, **given: Any) -> Any:
    """Return the `limen.Curves` of data that an engine holds, counted there; None if the data are at hand.

    Parameters
    ----------
    y_true, y_score
        As in `limen.tune`; scores or labels may lie in an engine.
    **given
        ``labels``, ``sample_weight``, ``mask`` and ``groups``, as in `limen.tune`.
    """
    engine = engine_of(y_score, y_true)
    return None if engine is None else engine.curves_of(y_true, y_score, **given)
