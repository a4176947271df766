"""Constraints that hold on new data: smoothed cuts, with a reserve found by cross-fitting."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from limen.constraints import Bound, Infeasible
from limen.constraints.bound import Row
from limen.curves import Curves
from limen.errors import InfeasibleError
from limen.solvers.base import EVERYTHING, Problem
from limen.solvers.constrained.solver import Outcome, solve_curves
from limen.solvers.fine import FineCurves
from limen.solvers.regularised import Smoothed
from limen.solvers.solution import CrossFit, Solution

RESERVES = (0.0, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.14, 0.2, 0.3, 0.5)
"""Shares of the way to the strictest limit that are tried,"""
LOOSER = (-0.7, -0.5, -0.4, -0.3, -0.25, -0.2, -0.15, -0.1, -0.07, -0.05, -0.03, -0.02, -0.01)
"""and before them, for limits over all labels: smoothed counts see less precision than there is."""


@dataclass(frozen=True)
class Reserved:
    """The exact method under constraints on smoothed counts, with the least reserve that held out of sample.

    Parameters
    ----------
    folds : int
        For cross-fitting.
    smoothed : Smoothed
        How counts are smoothed.

    Notes
    -----
    Thresholds that just keep a constraint on the items they were tuned on break it on half of all new data,
    and more often, since they were chosen for it. So each limit is moved to the strict side by a share of the way
    to the strictest one, the same for all. For each reserve, thresholds are tuned on all folds but one and counted
    on that one. The least reserve is taken with which the counts of all folds together keep each constraint; one
    for each label is looked at as a sum over its labels, for a label alone has too few positives in a fold. On
    average it then holds on new data; how often it did, in folds or for labels, is told.
    """

    name: ClassVar[str] = "auto"
    needs: ClassVar[Literal["curves", "scores"]] = "scores"
    serves: ClassVar[tuple[str, ...]] = EVERYTHING
    constrains: ClassVar[bool] = True
    folds: int = 5
    smoothed: Smoothed = field(default_factory=Smoothed)

    def solve(self, problem: Problem) -> Solution:
        """Return the cuts, with the reserve in ``details`` and how each constraint fared out of sample."""
        bound, objective = problem.bound, problem.objective
        assert bound is not None
        folds = problem.split(self.folds)
        whole, parts = FineCurves.of_folds(problem.sources, [source for _, source in folds], problem.kind)
        whole = whole.reweighted(problem.target_prevalence)
        parts = [part.reweighted(problem.target_prevalence) for part in parts]
        grid, inside = _grid(whole, bound, self.smoothed.grid)
        smooth = self.smoothed.curves(whole, grid)
        cannot = solve_curves(smooth, objective, inside)
        if cannot.reason and bound.infeasible == "error":
            raise InfeasibleError(cannot.reason)
        rows = (*bound.rows, *bound.pooled)
        if len(parts) == 1 or not rows:
            return self._solution(whole, smooth, cannot, bound, 0.0, [], ())
        trained = [self.smoothed.curves(whole.without(part), grid) for part in parts]
        shares = [1 - len(own) / problem.n_items for own, _ in folds]
        held_out: list[_HeldOut] = []
        for reserve in RESERVES if bound.rows else LOOSER + RESERVES:
            cuts = []
            for curves, share in zip(trained, shares, strict=True):
                stricter = replace(inside.moved(reserve, share), infeasible="never")
                cuts.append(_cuts(curves, solve_curves(curves, objective, stricter, closing=False)))
            held_out.append(_HeldOut.of(reserve, cuts, parts, rows, bound))
            if not held_out[-1].short:
                break
        chosen = min(held_out, key=lambda found: (found.short, found.reserve))
        mode: Infeasible = "status" if bound.infeasible == "status" else "never"
        final = solve_curves(smooth, objective, replace(inside.moved(chosen.reserve), infeasible=mode))
        cross_fit = tuple(
            CrossFit(own, source, _on_scale(whole, cut, bound))
            for (own, source), cut in zip(folds, chosen.cuts, strict=True)
        )
        return self._solution(whole, smooth, final, bound, chosen.short, chosen.fared, cross_fit, chosen.reserve)

    def _solution(
        self,
        whole: FineCurves,
        smooth: Curves,
        found: Outcome,
        bound: Bound,
        short: float,
        fared: list[dict[str, Any]],
        cross_fit: tuple[CrossFit, ...],
        reserve: float = 0.0,
    ) -> Solution:
        rows = (*bound.rows, *bound.pooled)
        told = {id(row.constraint): entry for row, entry in zip(rows, fared, strict=False)}
        details: dict[str, Any] = {"reserve": reserve, "folds": len(cross_fit)}
        if found.excused:
            details["never_by_constraint"] = [whole.curves.labels[k] for k in found.excused]
        why = "no reserve made the constraints hold in the folds: this is the nearest" if short else ""
        return Solution(
            values=_on_scale(whole, _cuts(smooth, found), bound),
            status="infeasible" if found.reason else "local",
            reason=found.reason or why,
            rule=bound.rule,
            cross_fit=cross_fit,
            leans=False,
            details=details,
            constraints=tuple(told.get(id(constraint), {}) for constraint in bound.constraints),
        )


@dataclass(frozen=True, eq=False)
class _HeldOut:
    """How a reserve fared: the cuts of each fold, by how much any constraint is missed, and each one's report."""

    reserve: float
    cuts: list[NDArray[np.float64]]
    short: float
    fared: list[dict[str, Any]]

    @classmethod
    def of(
        cls,
        reserve: float,
        cuts: list[NDArray[np.float64]],
        parts: list[FineCurves],
        rows: tuple[Row, ...],
        bound: Bound,
    ) -> _HeldOut:
        """Return how cuts of each fold, tuned without it, do on it."""
        counts = np.array(
            [
                [*part.counts(cut[np.newaxis])[:, 0], part.curves.n_positive, part.curves.n_known]
                for part, cut in zip(parts, cuts, strict=True)
            ],
            np.float64,
        )
        never = np.all([np.isinf(cut) for cut in cuts], axis=0)
        short, fared = 0.0, []
        for row in rows:
            missed, entry = _fared(row, counts, never, 1 / len(parts), bound)
            short = max(short, missed)
            fared.append({"out_of_sample": entry, "reserve": reserve})
        return cls(reserve, cuts, short, fared)


def _fared(
    row: Row, counts: NDArray[np.float64], never: NDArray[np.bool_], share: float, bound: Bound
) -> tuple[float, dict[str, Any]]:
    """Return by how much a row is missed on counts (folds, 4, n_labels), and what is told of it."""
    total = counts.sum(axis=0)
    if row.constraint.pooled:
        of_fold = Row.of(row.constraint, row.limit, 0.0, share)
        rate = np.mean([(of_fold.slack(*fold.sum(axis=1)) >= 0).all() for fold in counts])
        summed = total.sum(axis=1)
        slack = float(row.slack(*summed)[0])
        measured = float(row.constraint.measured(*summed))
        entry = {"measured": None if np.isnan(measured) else measured, "held_in_folds": float(rate)}
    else:
        some = row.applies & ~never
        by_label = np.where(some, row.slack(*total), 0.0) / np.maximum(np.abs(row.terms.of_pp), 1)
        slack = float(by_label.sum())
        held = (by_label >= 0)[some]
        entry = {"held_for_labels": float(held.mean()) if some.any() else 1.0, "labels": int(some.sum())}
    size = max(float(np.abs(total[:2]).sum()), 1e-300)
    return max(-slack / size, 0.0), {**entry, "holds": slack >= 0}


def _grid(whole: FineCurves, bound: Bound, size: int) -> tuple[NDArray[np.float64], Bound]:
    """Return cuts in log odds (size, n_labels), the same for labels that depend on each other and within ranges.

    And the constraints for them: of the ranges is left that a finite upper end rules out "never".
    """
    low, high = (end.copy() for end in whole.span)
    for own in _components(bound, whole.n_labels):
        low[own], high[own] = low[own].min(), high[own].max()
    at = high - (high - low) * np.linspace(0, 1, size)[:, np.newaxis]
    numbers = np.arange(whole.n_labels)
    ends = []
    for end in (bound.low, bound.high):
        finite = np.isfinite(end)
        ends.append(np.where(finite, whole.places.scale.forward(np.where(finite, end, 0.5), numbers), end))
    highest = np.where(np.isfinite(bound.high), np.finfo(np.float64).max, np.inf)
    if bound.ranged and bound.linked:
        extra = [np.broadcast_to(end[np.isfinite(end)], (whole.n_labels, np.isfinite(end).sum())) for end in ends]
        at = -np.sort(-np.concatenate([at, *(part.T for part in extra)]), axis=0)
        return at, replace(bound, low=ends[0], high=np.minimum(ends[1], highest))
    at = np.clip(at, *ends)
    return at, replace(bound, low=np.full(whole.n_labels, -np.inf), high=highest)


def _components(bound: Bound, n_labels: int) -> list[NDArray[np.int64]]:
    """Return the labels that depend on each other by groups and edges."""
    root = np.arange(n_labels)
    pairs = [(group[0], other) for group in bound.groups for other in group[1:]] + list(bound.edges)
    for a, b in pairs:
        root[root == root[b]] = root[a]
    names, size = np.unique(root, return_counts=True)
    return [np.flatnonzero(root == name) for name in names[size > 1]]


def _cuts(curves: Curves, found: Outcome) -> NDArray[np.float64]:
    return np.asarray(curves.candidates.cuts[found.index], np.float64)


def _on_scale(whole: FineCurves, cuts: NDArray[np.float64], bound: Bound) -> NDArray[np.float64]:
    """Return cuts in log odds on the scale of the scores, within their ranges."""
    finite = np.isfinite(cuts)
    values = np.where(finite, whole.back(np.where(finite, cuts, 0.0)), cuts)
    return np.where(finite, np.clip(values, bound.low, bound.high), values)
