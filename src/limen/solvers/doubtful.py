"""Which candidates of curves with bounds may still be better than the best that is certain."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.curves import Curves
from limen.metrics import Linear, LinearRatio
from limen.objectives import Objective
from limen.solvers.base import Problem
from limen.solvers.exact import EXACT
from limen.solvers.frontier import Walk

SLACK = 1e-12


def doubtful(curves: Curves, objective: Objective) -> NDArray[np.bool_]:
    """Return which candidates (n_candidates,), with the fewest false positives, may belong to a better optimum.

    Where none does, the optimum is that of the certain counts. For averages over labels those are the candidates
    better than the best certain one of their label; for a ratio of sums, those whose gain is larger at some price
    between the certain value and the bound; else, those above the hull of their label.
    """
    if curves.fp_least is None:
        return np.zeros(len(curves.tp), bool)
    unsure = np.asarray(curves.fp_least < curves.fp)
    if objective.structure == "separable":
        return unsure & _better(curves, *(_values(part, objective) for part in (curves, curves.optimistic)))
    if objective.structure == "linear-ratio":
        return unsure & _worth_more(curves, objective)
    return unsure & _above_hull(curves)


def _values(curves: Curves, objective: Objective) -> NDArray[np.float64]:
    return objective.of_labels(curves.tp, curves.pp, curves.n_positive, curves.n_known, curves.label_of)


def _better(curves: Curves, certain: NDArray[np.float64], hoped: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which hoped-for values are above the largest certain one of their label."""
    best = np.maximum.reduceat(certain, curves.offsets[:-1])[curves.label_of]
    return np.asarray(hoped > best - SLACK * np.abs(best))


def _worth_more(curves: Curves, objective: Objective) -> NDArray[np.bool_]:
    """Return which candidates may gain more than the best certain one at a price from the value to the bound.

    At a price the gain is linear in it, so what never beats the best certain candidate of one end, at either end,
    does not beat it between.
    """
    assert isinstance(objective.metric, LinearRatio)
    terms = objective.metric.pooled_terms(curves.n_positive, curves.n_known, objective.zero_division)
    optimistic, first = curves.optimistic, curves.offsets[:-1]
    low, high = (_value(part, objective) for part in (curves, optimistic))
    gains = [[_gain(part, terms, price) for price in (low, high)] for part in (curves, optimistic)]
    found = np.ones(len(curves.tp), bool)
    for end in range(2):
        best = np.maximum.reduceat(gains[0][end], first)[curves.label_of]
        hits = np.flatnonzero(gains[0][end] == best)
        rival = hits[np.unique(curves.label_of[hits], return_index=True)[1]][curves.label_of]
        beats = np.zeros(len(found), bool)
        for mine, its in zip(gains[1], gains[0], strict=True):
            beats |= mine > its[rival] - SLACK * (np.abs(mine) + np.abs(its[rival]))
        found &= beats
    return found


def _value(curves: Curves, objective: Objective) -> float:
    index = EXACT[objective.structure]().solve(Problem(objective, (), curves)).index
    assert index is not None
    return objective(curves.tp[index], curves.pp[index], curves.n_positive, curves.n_known)


def _gain(curves: Curves, terms: tuple[Linear, Linear], price: float) -> NDArray[np.float64]:
    """Return numerator less price times denominator of each candidate, constants left out."""
    label_of = curves.label_of

    def of(coefficient: Any) -> Any:
        return coefficient[label_of] if np.ndim(coefficient) else coefficient

    above, below = terms
    of_tp = of(above.of_tp) - price * of(below.of_tp)
    of_pp = of(above.of_pp) - price * of(below.of_pp)
    return np.asarray(of_tp * curves.tp + of_pp * curves.pp, np.float64)


def _above_hull(curves: Curves) -> NDArray[np.bool_]:
    """Return which candidates, with the fewest false positives, lie above the certain hull of their label."""
    found, optimistic = np.zeros(len(curves.tp), bool), curves.optimistic
    walk = Walk.of(curves)
    order = np.lexsort((walk.candidate, walk.label))
    edges = np.searchsorted(walk.label[order], np.arange(curves.n_labels + 1))
    for k in range(curves.n_labels):
        own = slice(curves.offsets[k], curves.offsets[k + 1])
        hull = np.concatenate([[own.start], walk.candidate[order[edges[k] : edges[k + 1]]]])
        line = np.interp(optimistic.pp[own], curves.pp[hull], curves.tp[hull])
        found[own] = curves.tp[own] > line * (1 - SLACK)
    return found
