"""Constraints that hold on new data: a method's own counts, with a reserve found by cross-fitting."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from limen.constraints import Bound
from limen.curves import Curves, prevalence_factors
from limen.decisions import Counts, count_decisions, in_dtype
from limen.errors import InfeasibleError, InputError
from limen.objectives import Objective
from limen.solvers.base import EVERYTHING, Problem
from limen.solvers.constrained.extended import in_range
from limen.solvers.constrained.held import Cuts, Held, design_effects, grid_of, on_scale
from limen.solvers.constrained.solver import Outcome, solve_curves
from limen.solvers.fine import FineCurves
from limen.solvers.log_odds import LogOddsSolver
from limen.solvers.places import MARGIN
from limen.solvers.regularised import Smoothed
from limen.solvers.solution import CrossFit, Solution
from limen.sources.blocks import Source

RESERVES = (*(-32, -16, -8, -6, -4, -3, -2, -1.5, -1, -0.75, -0.5, -0.25, 0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75),
            *(2, 2.5, 3, 4, 6, 8, 16, 32))  # fmt: skip
"""Standard errors of what is limited that are tried; below 0 where a method's counts are too strict."""
FOLDS = 5
TRIES = 5
"""Reserves that bisection tries, about."""
MORE = 6
"""Larger reserves that are tried, where the items tuned on do not keep a limit."""
TINY = 1e-9


@dataclass(frozen=True)
class Reserved:
    """The exact method under constraints on the counts of another method, with a reserve for new data.

    Parameters
    ----------
    counts : LogOddsSolver
        The method: of its smoothed, calibrated, shrunk or resampled counts the best is taken that keeps the
        constraints, instead of averaging cuts that keep none.
    folds : int
        For cross-fitting.
    hold : float
        How often each limit shall hold on new data: a limit over all labels after so many of all tunings, one for
        each label for so many of the labels.

    Notes
    -----
    Thresholds that just keep a constraint on the items they were tuned on break it on half of all new data,
    and more often, since they were chosen for it. So each limit is moved to the strict side by a number of
    standard errors of the count that it limits: the fewer positives a label has, the further. For each number,
    thresholds are tuned on all folds but one and counted on that one. The least is taken with which the counts
    of all folds together are so far on the right side of each limit that they are there by luck in at most
    ``1 - hold`` of all cases; found by bisection. Items of one group, or of different weight, vary more than as
    many alike, and their standard errors are larger by that.

    ``hold`` is a rate over tunings, as estimated from the folds, for as many new items as one likes: on few new
    items chance alone may break a limit. It is no promise with a stated confidence; that is `limen.guarantee`.
    A label whose limit no cut keeps with all of the reserve gets the cut that comes nearest, does not count for
    the rate, and is named in ``details["short_of_reserve"]``.
    """

    name: ClassVar[str] = "auto"
    needs: ClassVar[Literal["curves", "scores"]] = "scores"
    serves: ClassVar[tuple[str, ...]] = EVERYTHING
    constrains: ClassVar[bool] = True
    counts: LogOddsSolver = field(default_factory=Smoothed)
    folds: int = FOLDS
    hold: float = 0.9

    def __post_init__(self) -> None:
        if not (isinstance(self.hold, float | int) and 0.5 <= self.hold < 1):
            raise InputError(
                f"hold={self.hold!r} is no rate at which limits hold on new data. It must be from 0.5 and below 1."
            )

    def solve(self, problem: Problem) -> Solution:
        """Return the cuts, with the reserve in ``details`` and how each constraint fared out of sample."""
        bound, objective = problem.bound, problem.objective
        assert bound is not None
        folds = problem.split(self.folds)
        whole, parts = FineCurves.of_folds(problem.sources, [source for _, source in folds], problem.kind)
        unit = _unit(whole, problem.sources)
        whole = whole.reweighted(problem.target_prevalence)
        parts = [part.reweighted(problem.target_prevalence) for part in parts]
        grid, inside = grid_of(whole, bound.scaled(bound.share / unit), getattr(self.counts, "grid", 128))
        tuning = _Tuning(objective, inside, self.counts, grid, problem.keys)
        tables = tuning.tables(whole)
        cannot = tuning.solve(tables, inside)
        if cannot.reason and bound.infeasible == "error":
            raise InfeasibleError(cannot.reason)
        rows = (*inside.rows, *inside.pooled)
        if len(parts) == 1 or not rows:
            return self._solution(whole, bound, cannot, None, (), [])
        done, steps = 0, 2 * len(parts) + TRIES

        def tick() -> None:
            nonlocal done
            done = min(done + 1, steps - 1)
            if problem.progress is not None:
                problem.progress(done, steps, math.nan)

        trained = []
        for part in parts:
            trained.append(tuning.tables(whole.without(part)))
            tick()
        shares = [1 - len(own) / problem.n_items for own, _ in folds]

        def held(reserves: NDArray[np.float64], reserve: float) -> Held:
            tick()
            found = [
                tuning.solve(tables, tuning.with_reserve(reserves, share, given))
                for tables, share in zip(trained, shares, strict=True)
            ]
            return Held.of(reserve, found, parts, inside, effects, self.hold)

        effects, given = np.ones(len(rows)), 0.0
        plain = held(0 * effects, 0.0)
        given = float(plain.counts[:, 1].sum())
        effects = design_effects(problem, rows, folds, [on_scale(whole, c, bound) for c in plain.cuts], unit)
        chosen = least(lambda reserve: held(reserve * np.sqrt(effects), reserve))

        counted = Counted(problem, bound, whole)

        def final_at(step: float) -> Cuts:
            found = tuning.solve(tables, tuning.with_reserve(step * np.sqrt(effects), 1.0, given))
            return tuning.mended(replace(found, reason=cannot.reason), whole, counted)

        final = final_at(chosen.reserve)
        if final.stuck:  # With the reserve the whole may be just beyond what the folds could keep.
            for step in reversed([step for step in RESERVES if step < chosen.reserve]):
                final = final_at(step)
                if not final.stuck:
                    break
        elif final.broken:  # The method's counts are not those of the items: a little more may be needed.
            more = [step for step in RESERVES if step > chosen.reserve][:MORE]
            stricter = (found for found in map(final_at, more) if not found.broken and not found.stuck)
            final = next(stricter, final)
        if problem.progress is not None:
            problem.progress(steps, steps, math.nan)
        cross_fit = tuple(
            CrossFit(own, source, on_scale(whole, cut, bound))
            for (own, source), cut in zip(folds, chosen.cuts, strict=True)
        )
        return self._solution(whole, bound, final, chosen, cross_fit, chosen.fared)

    def _solution(
        self,
        whole: FineCurves,
        bound: Bound,
        found: Cuts,
        chosen: Held | None,
        cross_fit: tuple[CrossFit, ...],
        fared: list[dict[str, Any]],
    ) -> Solution:
        rows, labels = (*bound.rows, *bound.pooled), whole.curves.labels
        told = {id(row.constraint): entry for row, entry in zip(rows, fared, strict=False)}
        reserve = 0.0 if chosen is None else chosen.reserve
        details: dict[str, Any] = {"reserve": reserve, "hold": self.hold, "folds": len(cross_fit)}
        for key, some in (("never_by_constraint", found.excused), ("short_of_reserve", found.short)):
            if len(some):
                details[key] = [labels[k] for k in some]
        reason = found.reason
        if not reason and found.broken:
            reason = (
                f"no thresholds of the method's counts keep {' and '.join(found.broken)} on the items tuned on: "
                "these are near. method='exact' keeps them there, if any can"
            )
            found = replace(found, reason=reason)
        if not reason and chosen is not None and not chosen.enough and len(found.excused) < len(labels):
            reason = "no reserve made the constraints hold in the folds as often as asked: this is the nearest"
        return Solution(
            values=on_scale(whole, found.cuts, bound),
            status="infeasible" if found.reason else "local",
            reason=reason,
            rule=bound.rule,
            cross_fit=cross_fit,
            leans=False,
            details=details,
            constraints=tuple(told.get(id(constraint), {}) for constraint in bound.constraints),
        )


@dataclass(frozen=True, eq=False)
class _Tuning:
    """How cuts are chosen from some of the data: by the counts of a method, at the cuts of a grid."""

    objective: Objective
    bound: Bound
    counts: LogOddsSolver
    grid: NDArray[np.float64]
    keys: NDArray[np.uint64]

    def tables(self, fine: FineCurves) -> list[Curves]:
        """Return the method's counts at the grid."""
        return self.counts.tables(fine, self.grid, self.keys)

    def with_reserve(self, reserves: NDArray[np.float64], share: float, given: float) -> Bound:
        """Return the constraints with a reserve by row, for a share of the data."""
        scaled = self.bound.scaled(self.bound.share * share).reserved(reserves.tolist(), given * share)
        return scaled if self.bound.infeasible == "never" else replace(scaled, infeasible="status")

    def solve(self, tables: list[Curves], bound: Bound) -> Cuts:
        """Return the best cuts of each table that keep the constraints, averaged."""
        found = [solve_curves(curves, self.objective, bound, closing=False) for curves in tables]
        cuts = np.array([curves.candidates.cuts[one.index] for curves, one in zip(tables, found, strict=True)])
        never = np.isinf(cuts)
        mean = np.where(never, self.grid.max(axis=0) + MARGIN, cuts).mean(axis=0)
        n_labels = cuts.shape[1]
        excused, short = (
            np.flatnonzero(2 * sum(np.bincount(part, minlength=n_labels) for part in parts) >= len(found))
            for parts in (
                [np.array(one.excused, np.int64) for one in found],
                [np.array(one.short, np.int64) for one in found],
            )
        )
        mean[never.all(axis=0)] = np.inf
        mean[excused] = np.inf
        reasons = [one.reason for one in found if one.reason]
        stuck = [is_stuck(curves, one, bound) for curves, one in zip(tables, found, strict=True)]
        reason = reasons[0] if 2 * len(reasons) >= len(found) else ""
        return Cuts(mean, reason, tuple(excused.tolist()), tuple(short.tolist()), 2 * sum(stuck) >= len(found))

    def mended(self, found: Cuts, whole: FineCurves, counted: Counted) -> Cuts:
        """Return cuts that keep the limits of each label on the items as counted, and which limits are broken.

        A label whose cut does not gets the nearest at a positive item that does, if no other label depends on it.
        """
        cuts, bound = found.cuts.copy(), self.bound
        excused = np.isin(np.arange(len(cuts)), found.excused)

        def wrong(counts: Counts) -> list[NDArray[np.bool_]]:
            return [row.applies & ~excused & (row.slack(*counts) < 0) for row in counted.bound.rows]

        counts = counted.at(cuts)
        broken = wrong(counts)
        some = np.flatnonzero(np.logical_or.reduce([*broken, np.zeros(len(cuts), bool)]))
        if len(some) and not bound.linked:
            curves, at = whole.curves, whole.places.at
            for k in some.tolist():
                own = slice(curves.offsets[k], curves.offsets[k + 1])
                tp, pp, label = curves.tp[own], curves.pp[own], curves.label_of[own]
                kept = np.isfinite(at[own])
                for row in bound.rows:
                    if row.applies[k]:
                        kept &= row.slack(tp, pp, curves.n_positive, curves.n_known, label) >= 0
                if kept.any():
                    near = at[own][kept]
                    near = near[np.abs(near - np.clip(cuts[k], near.min(), near.max())).argmin()]
                    cuts[k] = near - TINY * max(1.0, abs(near))  # so that rounding does not pass the item
            counts = counted.at(cuts)
            broken = wrong(counts)
        said = [str(row.constraint) for row, part in zip(counted.bound.rows, broken, strict=True) if part.any()]
        summed = [part.sum() for part in counts]
        said += [str(row.constraint) for row in counted.bound.pooled if (row.slack(*summed) < 0).any()]
        return replace(found, cuts=cuts, broken=tuple(said))


@dataclass(frozen=True, eq=False)
class Counted:
    """What cuts give on the items tuned on: counts of decisions, not of smoothed curves."""

    problem: Problem
    bound: Bound
    whole: FineCurves

    def at(self, cuts: NDArray[np.float64]) -> Counts:
        """Return the counts at cuts in log odds."""
        problem = self.problem
        values = in_range(in_dtype(on_scale(self.whole, cuts, self.bound), problem.dtype), self.bound)
        found = count_decisions(problem.given, values, self.bound.rule, check=False)
        if problem.target_prevalence is None:
            return found
        up, down = prevalence_factors(found.p, found.n, problem.target_prevalence)
        tp = found.tp * up
        return Counts(tp, tp + (found.pp - found.tp) * down, found.p * up, found.n.astype(np.float64))


def is_stuck(curves: Curves, found: Outcome, bound: Bound) -> bool:
    """Return whether what was found breaks a limit over all labels."""
    at = found.index
    summed = [part.sum() for part in (curves.tp[at], curves.pp[at], curves.n_positive, curves.n_known)]
    return any((row.slack(*summed) < 0).any() for row in bound.pooled)


def least(held: Callable[[float], Held]) -> Held:
    """Return what came of the least reserve that is enough, by bisection; or what came nearest."""
    low, high, tried = -1, len(RESERVES), []
    while high - low > 1:
        middle = (low + high) // 2
        found = held(RESERVES[middle])
        tried.append(found)
        low, high = (low, middle) if found.enough or found.stuck else (middle, high)
    enough = [found for found in tried if found.enough]
    if enough:
        return min(enough, key=lambda found: found.reserve)
    return max(tried, key=lambda found: (found.least, -abs(found.reserve)))


def _unit(whole: FineCurves, sources: tuple[Source, ...]) -> float:
    """Return the weight that counts as one: fine curves count weights in units of their mean size."""
    known = float(sum(source.totals().known.sum() for source in sources))
    counted = float(whole.raw.n_known.sum())
    return known / counted if counted and math.isfinite(known) and known > 0 else 1.0
