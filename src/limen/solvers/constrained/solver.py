"""The solver: the best thresholds that keep constraints, with a proof or a bound."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from limen.constraints import Bound, MinPrecision
from limen.curves import Curves
from limen.errors import InfeasibleError, examples
from limen.metrics import FBeta
from limen.objectives import Objective
from limen.solvers.base import EVERYTHING, Problem
from limen.solvers.constrained.permitted import kept_or_never, nearest, never_given, permitted, said
from limen.solvers.constrained.pooled import Found, best_pooled
from limen.solvers.constrained.prices import explained
from limen.solvers.constrained.separable import best_separable
from limen.solvers.constrained.target import Pooled, Separable
from limen.solvers.constrained.units import Units
from limen.solvers.solution import Solution


@dataclass(frozen=True)
class Constrained:
    """The exact optimum among the thresholds that keep the problem's constraints.

    Notes
    -----
    Constraints by label leave some of each label's candidates. Labels with one threshold are one unit; a hierarchy
    of units is solved from its leaves up. Constraints over all labels get prices. The result is ``"optimal"``
    where no other can be better, by the bound that prices give or by looking at every choice that they leave; else
    ``"bounded"``, with the bound.
    """

    name: ClassVar[str] = "constrained"
    needs: ClassVar[Literal["curves", "scores"]] = "curves"
    serves: ClassVar[tuple[str, ...]] = EVERYTHING
    constrains: ClassVar[bool] = True

    def solve(self, problem: Problem) -> Solution:
        """Return the best thresholds; how constraints fared is in ``constraints``."""
        bound = problem.bound
        assert bound is not None
        curves, objective = problem.curves, problem.objective
        outcome = solve_curves(curves, objective, bound)
        if outcome.reason and bound.infeasible == "error":
            raise InfeasibleError(outcome.reason)
        value = _value(curves, objective, outcome.index)
        excused = [curves.labels[k] for k in outcome.excused]
        return Solution(
            index=outcome.index,
            details={"never_by_constraint": excused} if excused else {},
            constraints=explained(curves, objective, bound, outcome.index, solve_curves),
            rule=bound.rule,
            **_status(curves, outcome, value),
        )


@dataclass(frozen=True, eq=False)
class Outcome:
    """The chosen candidates, what no choice passes, and why constraints are broken, if they are.

    Attributes
    ----------
    index : int64 (n_labels,)
    bound : float
        NaN if nothing is known.
    reason : str
        What cannot be met; empty if all is.
    excused, short : tuple of label numbers
        Labels never given, for they cannot keep their constraints; and those that get what is nearest.
    """

    index: NDArray[np.int64]
    bound: float
    reason: str = ""
    excused: tuple[int, ...] = ()
    short: tuple[int, ...] = ()


def solve_curves(curves: Curves, objective: Objective, bound: Bound, closing: bool = True) -> Outcome:
    """Return the best candidates that keep the constraints; or, with a reason, the nearest to keeping them.

    Without ``closing`` a gap is left: less than one step of one label for each constraint over all labels.
    """
    kept = permitted(curves, bound)
    allowed, labels, reason = kept.allowed, list(kept.unmet), ""
    excused: tuple[int, ...] = ()
    reserved = any(row.reserve for row in bound.rows)
    if labels and bound.infeasible == "never":
        # A label that can keep its constraints, but not with all of the reserve, gets what is nearest.
        plain = permitted(curves, bound.reserved([0.0] * len(bound.rows + bound.pooled))) if reserved else kept
        excused = tuple(plain.unmet)
        allowed = kept_or_never(curves, bound, replace(kept, unmet=plain.unmet))
        labels = [k for k in labels if k not in plain.unmet]
    if labels:
        reason = "" if reserved else said(kept.why(curves, bound), curves)
        if bound.infeasible == "error":
            return Outcome(curves.offsets[:-1].copy(), np.nan, reason)
        allowed = np.where(np.isin(curves.label_of, labels), nearest(curves, bound, labels), allowed)
    units = Units.of(curves, bound, allowed)
    if len(lost := np.flatnonzero(units.raised() < 0)):
        if bound.infeasible != "never":
            return _apart(curves, objective, bound, units, lost, reason)
        excused = tuple(sorted({*excused, *(int(k) for u in lost for k in units.members[u])}))
        units = Units.of(curves, bound, never_given(curves, excused, allowed))
    found = _best(units, objective, bound, closing)
    if found.choice is None:
        why = _why_pooled(units, objective, bound, proven=found.bound == -np.inf)
        free = replace(bound, pooled=())
        return replace(solve_curves(curves, objective, free), reason=f"{reason} {why}".strip(), bound=np.nan)
    index = units.index(found.choice)
    if not excused and not reason and any(isinstance(row.constraint, MinPrecision) for row in bound.pooled):
        reason, nearest_one = _nothing_given(units, found.choice, bound)
        if reason and bound.infeasible == "never":
            reason, excused = "", tuple(range(curves.n_labels))
        elif reason:
            index = units.index(nearest_one)
    return Outcome(index, found.bound, reason, excused, tuple(labels))


def _best(units: Units, objective: Objective, bound: Bound, closing: bool = True) -> Found:
    if objective.pooled:
        found = best_pooled(Pooled.of_units(units, objective, bound.pooled, closing))
    else:
        of_sums = Pooled.of_units(units, Objective(FBeta(), "micro"), bound.pooled)
        found = best_separable(Separable.of_units(units, objective, bound.pooled, closing), of_sums)
    if units.exact or found.choice is None:
        return found
    choice = units.raised(found.choice)
    if (choice < 0).any():
        choice = units.raised()
    target = Pooled.of_units(units, Objective(FBeta(), "micro"), bound.pooled)
    return Found(choice if target.value(choice) > -np.inf else None, np.nan, found.bound)


def _apart(
    curves: Curves, objective: Objective, bound: Bound, units: Units, lost: NDArray[np.int64], reason: str
) -> Outcome:
    """Return what is done where labels that share a threshold, or stand above each other, cannot together."""
    apart = units.empty if len(units.empty) else {*lost, *(a for a, b in units.edges if b in lost)}
    labels = sorted({int(k) for u in apart for k in units.members[u]})
    why = (
        f"the labels {examples([curves.labels[k] for k in labels], most=3)} have no thresholds that keep their "
        "constraints together. Loosen these, or take the labels apart."
    )
    reason = f"{reason} {why}".strip()
    if bound.infeasible == "error":
        return Outcome(curves.offsets[:-1].copy(), np.nan, reason)
    free = replace(bound, groups=(), edges=(), closed=())
    return replace(solve_curves(curves, objective, free), reason=reason, bound=np.nan)


def _why_pooled(units: Units, objective: Objective, bound: Bound, *, proven: bool) -> str:
    """Return which constraints over all labels cannot be met, and what each reaches by itself."""
    curves, parts = units.curves, []
    p, n = curves.n_positive.sum(), curves.n_known.sum()
    tp, pp = units.summed(curves.tp), units.summed(curves.pp)
    for row in bound.pooled:
        of_tp, of_pp = row.terms.of_tp[0], row.terms.of_pp[0]
        choice = units.best(of_tp * tp + of_pp * pp)
        assert choice is not None
        reached = row.constraint.measured(tp[choice].sum(), pp[choice].sum(), p, n)
        end = "at most" if row.constraint.at_least else "at least"
        if (row.slack(tp[choice].sum(), pp[choice].sum(), p, n) < 0).any():
            parts.append(f"{row.constraint}: it reaches {row.constraint.said(float(reached))} {end}")
    if parts:
        return f"no thresholds keep {'; '.join(parts)}. Loosen it."
    names = " and ".join(str(row.constraint) for row in bound.pooled)
    if proven:
        return f"no thresholds keep {names} together, though each alone can be kept. Loosen one of them."
    return f"no thresholds were found that keep {names}, though none is ruled out. Loosen one of them."


def _nothing_given(units: Units, choice: NDArray[np.int64], bound: Bound) -> tuple[str, NDArray[np.int64]]:
    """Return why a precision over all labels cannot be had, if all that keeps it is to give no tags.

    And the choice that comes nearest: the one cut that has most of it.
    """
    curves = units.curves
    if curves.pp[units.index(choice)].sum() > 0:
        return "", choice
    tp, pp = units.summed(curves.tp), units.summed(curves.pp)
    some = pp > 0
    shares = np.where(some, tp / np.where(some, pp, 1), 0.0)
    best = float(shares.max(initial=0.0))
    if not units.links and len(shares):
        choice, at = choice.copy(), int(np.lexsort((-tp, -shares))[0])
        choice[units.unit_of[at]] = at
    for row in bound.pooled:
        if isinstance(row.constraint, MinPrecision) and best < row.limit[0] and some.any() and tp.any():
            return (
                f"no thresholds keep {row.constraint} and give any tag: precision reaches "
                f"{row.constraint.said(best)} at most. Loosen it."
            ), choice
    return "", choice


def _status(curves: Curves, outcome: Outcome, value: float) -> dict[str, Any]:
    if outcome.reason:
        return {"status": "infeasible", "reason": outcome.reason}
    if np.isnan(outcome.bound):
        return {"status": "local", "reason": "of this metric nothing is known that would prove a best choice"}
    if not curves.complete:
        return {"status": "local", "reason": "a better cut may lie between the candidates"}
    gap = outcome.bound - value
    if gap <= 1e-12 * max(1.0, abs(value)):
        return {"status": "optimal", "upper_bound": value}
    return {
        "status": "bounded",
        "upper_bound": max(outcome.bound, value),
        "reason": f"the gap of {gap:.2g} was not closed within the budget of choices looked at",
    }


def _value(curves: Curves, objective: Objective, index: NDArray[np.int64]) -> float:
    return objective(curves.tp[index], curves.pp[index], curves.n_positive, curves.n_known)
