"""Which candidates of each label keep its constraints, and what is said where none does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.constraints import Bound, CountConstraint, MinPrecision
from limen.constraints.bound import Row
from limen.curves import Curves
from limen.errors import count
from limen.solvers.constrained.extended import in_dtype_above, in_dtype_below

ADVICE = 'loosen it, leave these labels out of it, or use infeasible="never", which gives such labels no tags'
MOST = 3


@dataclass(frozen=True)
class Unmet:
    """A label that cannot keep a constraint, and what it can reach at best.

    Attributes
    ----------
    label : int
    constraint : CountConstraint, or None for the range
    asked, reached : float
        The value, and the nearest to it that any cut has that keeps the label's other constraints.
    given : float
        Tags given by that cut.
    """

    label: int
    constraint: CountConstraint | None
    asked: float = np.nan
    reached: float = np.nan
    given: float = 0.0


@dataclass(frozen=True, eq=False)
class Permitted:
    """Which candidates keep the constraints of their label, and the labels that have none.

    Attributes
    ----------
    allowed, ranged : bool (n_candidates,)
        Whether all are kept, and the range of thresholds.
    kept : list of bool (n_candidates,)
        Whether each row of the constraints is.
    unmet : dict
        The labels that have no candidate, with the number of the row that leaves them none; -1: it is not known.
    """

    allowed: NDArray[np.bool_]
    ranged: NDArray[np.bool_]
    kept: list[NDArray[np.bool_]]
    unmet: dict[int, int]

    def why(self, curves: Curves, bound: Bound) -> list[Unmet]:
        """Return what each label cannot keep."""
        return [_why(curves, bound, k, number, self.ranged, self.kept) for k, number in self.unmet.items()]


def permitted(curves: Curves, bound: Bound) -> Permitted:
    """Return which candidates keep the constraints of their label, and the labels that have none.

    A label that is never given has no wrong tag. But where a precision is asked for and every other cut breaks
    it, while other constraints leave some, the label cannot have it: that is said, not passed over.
    """
    counts = (curves.tp, curves.pp, curves.n_positive, curves.n_known)
    label = curves.label_of
    ranged = _in_range(curves, bound, label)
    kept = [row.slack(*counts, label) >= 0 for row in bound.rows]
    allowed = np.logical_and.reduce([ranged, *kept])
    unmet = {int(k): -1 for k in np.flatnonzero(~_any(curves, allowed))}
    for number, row in enumerate(bound.rows):
        if isinstance(row.constraint, MinPrecision):
            others = [part for k, part in enumerate(kept) if k != number]
            tags = np.logical_and.reduce([ranged, *others, curves.pp > 0, row.applies[label]])
            without = _any(curves, tags) & ~_any(curves, tags & kept[number])
            unmet |= {int(k): number for k in np.flatnonzero(without & (curves.n_positive > 0))}
    return Permitted(allowed, ranged, kept, dict(sorted(unmet.items())))


def kept_or_never(curves: Curves, bound: Bound, kept: Permitted | None = None) -> NDArray[np.bool_]:
    """Return which candidates keep the constraints of their label; "never" for labels that have none."""
    kept = permitted(curves, bound) if kept is None else kept
    return never_given(curves, list(kept.unmet), kept.allowed)


def never_given(curves: Curves, labels: Sequence[int], allowed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which candidates are allowed if of some labels only "never" is."""
    never = np.zeros(len(curves.tp), bool)
    never[curves.offsets[list(labels)]] = True
    return np.asarray(np.where(np.isin(curves.label_of, list(labels)), never, allowed))


def nearest(curves: Curves, bound: Bound, labels: list[int]) -> NDArray[np.bool_]:
    """Return, for labels that cannot keep their constraints, the candidate that misses least, as a mask.

    Where there is a reserve, it misses by standard errors, and to give nothing is no precision.
    """
    from limen import _kernels

    label = curves.label_of
    p, n = curves.n_positive, curves.n_known
    missing: NDArray[np.float64] = np.where(_in_range(curves, bound, label), 0.0, 1e6)
    for row in bound.rows:
        limit = row.limit[label]
        found = np.asarray(row.measured(curves.tp, curves.pp, p[label], n[label]), np.float64)
        if row.reserve:
            error = row.error(curves.pp, p, n, label)
            by = -row.slack(curves.tp, curves.pp, p, n, label) / np.where(error > 0, error, np.inf)
            by = np.where(np.isnan(found), 1e3, np.where(error > 0, by, 0.0))
        else:
            by = limit - found if row.constraint.at_least else found - limit
            by = by / np.where(row.constraint.totals, np.maximum(np.abs(limit), 1e-9), 1.0)
        missing = missing + np.where(row.applies[label], np.nan_to_num(np.maximum(by, 0), nan=1.0), 0.0)
    choice = np.empty(curves.n_labels, np.int64)
    _kernels.best_of(curves.offsets, -missing, choice)
    chosen = np.zeros(len(curves.tp), bool)
    chosen[choice[labels]] = True
    return chosen


def said(unmet: list[Unmet], curves: Curves) -> str:
    """Return the message that names constraints, labels, what they can reach, and what would do."""
    sentences = []
    for constraint in dict.fromkeys(id(each.constraint) for each in unmet):
        own = [each for each in unmet if id(each.constraint) == constraint]
        shown = "; ".join(_of_label(each, curves) for each in own[:MOST])
        more = "" if len(own) <= MOST else f"; and {len(own) - MOST} more"
        what = "the threshold range" if own[0].constraint is None else str(own[0].constraint)
        sentences.append(f"{count(len(own), 'label')} cannot keep {what}: {shown}{more}.")
    advice = ADVICE if len(sentences) == 1 else ADVICE.replace("it,", "them,").replace("of it", "of them")
    return " ".join(sentences) + f" {advice[0].upper()}{advice[1:]}."


def _of_label(unmet: Unmet, curves: Curves) -> str:
    name = repr(curves.labels[unmet.label])
    if unmet.constraint is None:
        return f"{name} has no cut in it"
    constraint, end = unmet.constraint, "at most" if unmet.constraint.at_least else "at least"
    if np.isnan(unmet.reached):
        return f"{name} has no cut that keeps the others"
    tags = f", with {unmet.given:g} tag{'s' * (unmet.given != 1)}"
    limit = "" if not constraint.named else f", not {constraint.said(unmet.asked)}"
    return f"{name} reaches {constraint.noun} {constraint.said(unmet.reached)} {end}{tags}{limit}"


def _why(
    curves: Curves,
    bound: Bound,
    k: int,
    number: int,
    ranged: NDArray[np.bool_],
    kept: list[NDArray[np.bool_]],
) -> Unmet:
    """Return what label ``k`` cannot keep: a constraint by its number, or else the first that leaves nothing."""
    own = slice(curves.offsets[k], curves.offsets[k + 1])
    if not ranged[own].any():
        return Unmet(k, None)
    if number < 0:
        left = ranged[own]
        number = 0
        while (left & kept[number][own]).any():
            left, number = left & kept[number][own], number + 1
    row = bound.rows[number]
    others = np.logical_and.reduce([ranged[own], *(part[own] for j, part in enumerate(kept) if j != number)])
    others = others & ((curves.pp[own] > 0) | (row.constraint.noun != "precision"))
    found = _measured(row, curves, k)
    found = np.where(others if others.any() else ranged[own], found, np.nan)
    if np.isnan(found).all():
        return Unmet(k, row.constraint, float(row.limit[k]))
    at = int(np.nanargmax(found) if row.constraint.at_least else np.nanargmin(found))
    return Unmet(k, row.constraint, float(row.limit[k]), float(found[at]), float(curves.pp[own][at]))


def _measured(row: Row, curves: Curves, k: int) -> NDArray[np.float64]:
    own = slice(curves.offsets[k], curves.offsets[k + 1])
    p, n = curves.n_positive[k], curves.n_known[k]
    return np.asarray(row.constraint.measured(curves.tp[own], curves.pp[own], p, n), np.float64)


def _in_range(curves: Curves, bound: Bound, label: NDArray[np.int64]) -> NDArray[Any]:
    if not bound.ranged:
        return np.ones(len(label), bool)
    cuts = curves.candidates.cuts
    low, high = in_dtype_above(bound.low, curves.dtype), in_dtype_below(bound.high, curves.dtype)
    return np.asarray((cuts >= low[label]) & (cuts <= high[label]))


def _any(curves: Curves, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.asarray(np.logical_or.reduceat(mask, curves.offsets[:-1]))
