"""How each constraint fared: whether it holds and binds, and what loosening it would gain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.constraints import Bound, CountConstraint, MaxFalsePositives, MaxPredictions, MinPredictions
from limen.constraints.bound import Row
from limen.curves import Curves
from limen.objectives import Objective

STEP = 0.01
"""A share is loosened by one point, and a number of tags by one per cent, to see what it costs."""


def explained(
    curves: Curves,
    objective: Objective,
    bound: Bound,
    index: NDArray[np.int64],
    solve: Callable[[Curves, Objective, Bound], Any],
) -> tuple[dict[str, Any], ...]:
    """Return, for each constraint on counts, whether it binds and what loosening it gains, in plain numbers.

    Notes
    -----
    ``price`` is what the objective gains when the limit is loosened by ``step``, found by solving again: above 0
    where the constraint binds. It is an exact difference of two optima where both are proven.
    """
    counts = (curves.tp[index], curves.pp[index], curves.n_positive, curves.n_known)
    value = objective(*counts)
    found: list[dict[str, Any]] = []
    rows = {id(row.constraint): row for row in (*bound.rows, *bound.pooled)}
    for constraint in bound.constraints:
        if not isinstance(constraint, CountConstraint):
            found.append({})
            continue
        row = rows[id(constraint)]
        step, looser = loosened(bound, row)
        freed = solve(curves, objective, replace(looser, infeasible="never"))
        gain = objective(curves.tp[freed.index], curves.pp[freed.index], curves.n_positive, curves.n_known) - value
        entry: dict[str, Any] = {"step": step, "price": 0.0 if freed.reason else max(gain, 0.0)}
        entry["binds"] = entry["price"] > 1e-12
        if not constraint.pooled:
            moved = (curves.pp[freed.index] != curves.pp[index]) & row.applies
            entry["binds_for"] = [curves.labels[k] for k in np.flatnonzero(moved)] if entry["binds"] else []
        found.append(entry)
    return tuple(found)


def loosened(bound: Bound, row: Row, step: float = STEP) -> tuple[float, Bound]:
    """Return how far a limit is loosened, and the constraints with it."""
    total = isinstance(row.constraint, MinPredictions | MaxPredictions | MaxFalsePositives)
    away = -1.0 if row.constraint.at_least else 1.0
    limit = row.limit * (1 + away * step) if total else np.clip(row.limit + away * step, 0, 1)
    looser = Row.of(row.constraint, limit, row.reserve, bound.share, row.given)
    rows, pooled = (tuple(looser if each is row else each for each in part) for part in (bound.rows, bound.pooled))
    return step, replace(bound, rows=rows, pooled=pooled)
