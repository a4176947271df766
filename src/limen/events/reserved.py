"""Limits that hold on new recordings: a reserve that folds tell, for each way to smooth counts."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.constraints import Bound
from limen.constraints.bound import Row
from limen.errors import InfeasibleError
from limen.events.curves import EventCurves
from limen.events.drawn import PLENTY, USUAL, WAYS, Choice, Drawn, Way, best_drawn
from limen.events.regularised import Chosen, Grid, Tables, at_cuts
from limen.objectives import Objective
from limen.solvers import Solution
from limen.solvers.constrained.held import Held, effect_of
from limen.solvers.constrained.reserved import MORE, RESERVES, least

HELD = 0.9

Counted = Callable[[list[Chosen]], NDArray[np.int64]]
"""What the choices of all folds give on the recordings left out: tp, pp, p, n of each unit and label."""


@dataclass(frozen=True, eq=False)
class Reserving:
    """The search for a way and a reserve.

    Attributes
    ----------
    curves : EventCurves
        Their parts are the folds.
    bound : Bound
        For all recordings.
    shares : float64 (n_parts,)
        Part of the hours that each fold has.
    hold : float
    """

    curves: EventCurves
    objective: Objective
    bound: Bound
    shares: NDArray[np.float64]
    hold: float

    @cached_property
    def grid(self) -> Grid:
        """The common cuts."""
        return Grid.of(self.curves)

    @cached_property
    def parts(self) -> list[Tables]:
        """The counts of each fold."""
        return [self.grid.tables(self.curves, part) for part in range(self.curves.n_parts)]

    @cached_property
    def whole(self) -> Tables:
        """The counts of all recordings."""
        return self.grid.tables(self.curves)

    def drawn(self, tables: Tables) -> Drawn:
        """Return the counts of some recordings as solvers take them."""
        return Drawn(tables, self.grid, self.objective, self.curves.criterion.has_negatives)

    def with_reserve(self, reserves: NDArray[np.float64], share: float, given: float) -> Bound:
        """Return the limits with a reserve by row, for a share of the hours."""
        found = self.bound.scaled(share).reserved(reserves.tolist(), given * share)
        return found if self.bound.infeasible == "never" else replace(found, infeasible="status")

    def counts(self, tables: Tables, at: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return tp, pp, p and n by label (4, n_labels) of a choice, as counted."""
        tp, pp, p, n = tables.counts(np.maximum(at, 0))
        never = at[1] < 0
        n = n if self.curves.criterion.has_negatives else p + PLENTY
        return np.stack([np.where(never, 0, tp), np.where(never, 0, pp), p, n])

    def chosen(self, at: NDArray[np.int64]) -> Chosen:
        """Return the settings and thresholds of a choice."""
        found = at_cuts(self.curves, self.grid, np.maximum(at, 0))
        return Chosen(found.settings, np.where(at[1] < 0, np.inf, found.thresholds))


def automatic_within(
    curves: EventCurves,
    objective: Objective,
    bound: Bound,
    shares: NDArray[np.float64],
    hold: float,
    counted: Counted,
) -> tuple[Chosen, list[Chosen], Solution]:
    """Return settings and thresholds under limits, with a reserve; what folds choose; and what is told.

    Parameters
    ----------
    curves : EventCurves
        Counted apart by fold.
    bound : Bound
    shares : float64 (n_parts,)
        Part of the hours that each fold has.
    hold : float
        How often limits shall hold on new recordings.
    counted : callable
        Counts by unit of what the folds choose, on the recordings left out.

    Raises
    ------
    InfeasibleError
        If the smoothed counts keep the limits nowhere, and ``bound.infeasible`` is "error".

    Notes
    -----
    As `limen.solvers.constrained.reserved.Reserved` does it for tags, of whose pieces it is made: each limit moves
    to the strict side by a number of standard errors of the count that it limits, larger by what the counts of
    units vary more than of independent events; the least number is taken with which the folds keep the limit by
    more than luck. Beside that it chooses how far labels may differ (`WAYS`).
    """
    search = Reserving(curves, objective, bound, shares, hold)
    whole, rows = search.drawn(search.whole), (*bound.rows, *bound.pooled)
    ranked = whole.ranked(bound)
    cannot = best_drawn(whole, ranked, Way(np.inf, 0, 0.2), bound).cuts.reason
    if cannot and bound.infeasible == "error":
        raise InfeasibleError(f"{cannot} (By smoothed counts; method='exact' looks at them as they are.)")
    if curves.n_parts < 2:
        final = best_drawn(whole, ranked, USUAL, search.with_reserve(np.zeros(len(rows)), 1.0, 0.0))
        return _solved(search, final, None, USUAL, cannot, {})
    others = [search.drawn(search.whole.without(part)) for part in search.parts]
    rankings = [other.ranked(bound.scaled(1 - share)) for other, share in zip(others, shares, strict=True)]
    effects, given = np.ones(len(rows)), 0.0

    def held(way: Way, reserve: float) -> tuple[Held, list[Choice]]:
        found = [
            best_drawn(other, order, way, search.with_reserve(reserve * np.sqrt(effects), 1 - share, given))
            for other, order, share in zip(others, rankings, shares, strict=True)
        ]
        counts = np.stack([search.counts(part, one.at) for part, one in zip(search.parts, found, strict=True)])
        return Held.counted(reserve, [one.cuts for one in found], counts, bound, effects, hold), found

    plain, choices = held(USUAL, 0.0)
    given = float(plain.counts[:, 1].sum())
    effects = _effects(rows, counted([search.chosen(one.at) for one in choices]), plain.counts)

    def least_of(way: Way) -> Held:
        return least(lambda reserve: held(way, reserve)[0])

    best = {way: least_of(way) for way in WAYS}
    way = _best_way(best, objective)
    final = _final(search, whole, ranked, way, best[way], effects, given)
    folds = [search.chosen(one.at) for one in held(way, best[way].reserve)[1]]
    chosen, _, solution = _solved(search, final, best[way], way, cannot, best)
    return chosen, folds, solution


def _effects(rows: Sequence[Row], of_unit: NDArray[np.int64], counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return, for each row, how much more what it limits varies over units than over independent events."""
    total, found = counts.sum(axis=0), []
    tp, pp, p, n = of_unit.astype(np.float64)
    for row in rows:
        of = row.terms
        if row.constraint.pooled:
            each = [part.sum(axis=1, keepdims=True) for part in (tp, pp, p, n)]
            sums: NDArray[np.float64] = total.sum(axis=1)
        else:
            each, sums = [tp, pp, p, n], total
        slack = of.of_tp * each[0] + of.of_pp * each[1] + of.of_p * each[2] + of.of_n * each[3]
        found.append(effect_of(row, slack if row.constraint.pooled else np.where(row.applies, slack, 0), sums))
    return np.array(found)


def _best_way(best: dict[Way, Held], objective: Objective) -> Way:
    """Return the way that does best on what was left out, of those that keep the limits as often as asked.

    The usual one stays unless another is better by more than the standard error; if none keeps them, that which
    keeps them most often.
    """
    can = [way for way, found in best.items() if found.enough]
    if not can:
        return max(best, key=lambda way: (best[way].least, way == USUAL))
    values = {way: objective(*best[way].counts.sum(axis=0)) for way in can}
    top = max(can, key=lambda way: values[way])
    if USUAL not in can or top == USUAL:
        return top
    by_part = np.array([[objective(*part) for part in best[way].counts] for way in (top, USUAL)])
    gain = by_part[0] - by_part[1]
    return top if gain.mean() > gain.std(ddof=1) / math.sqrt(len(gain)) else USUAL


def _final(
    search: Reserving,
    whole: Drawn,
    ranked: NDArray[np.int64],
    way: Way,
    found: Held,
    effects: NDArray[np.float64],
    given: float,
) -> Choice:
    """Return the choice on all recordings: with the reserve, and with as much more as their own counts need."""

    def at(step: float) -> Choice:
        limits = search.with_reserve(step * np.sqrt(effects), 1.0, given)
        return _mended(search, best_drawn(whole, ranked, way, limits))

    final = at(found.reserve)
    if final.cuts.stuck:  # With the reserve the whole may be just beyond what the folds could keep.
        for step in reversed([step for step in RESERVES if step < found.reserve]):
            final = at(step)
            if not final.cuts.stuck:
                break
    elif final.cuts.broken:
        more = (at(step) for step in [step for step in RESERVES if step > found.reserve][:MORE])
        final = next((one for one in more if not one.cuts.broken and not one.cuts.stuck), final)
    return final


def _mended(search: Reserving, found: Choice) -> Choice:
    """Return a choice whose labels keep their own limits as counted, and which limits stay broken.

    A label that does not gets the nearest cut of its setting that does.
    """
    at, bound = found.at.copy(), search.bound
    excused = np.isin(np.arange(at.shape[1]), found.cuts.excused)
    tables, n_cuts = search.whole, search.whole.tp.shape[2]

    def broken() -> list[NDArray[np.bool_]]:
        counts = search.counts(tables, at)
        return [row.applies & ~excused & (row.slack(*counts) < 0) for row in bound.rows]

    n = np.full(len(excused), PLENTY) if not search.curves.criterion.has_negatives else tables.n
    for k in np.flatnonzero(np.logical_or.reduce([*broken(), np.zeros(len(excused), bool)])).tolist():
        tp, pp = (table[k, at[0, k]].astype(np.float64) for table in (tables.tp, tables.pp))
        label = np.full(n_cuts, k)
        kept = np.ones(n_cuts, bool)
        for row in bound.rows:
            if row.applies[k]:
                kept &= row.slack(tp, pp, tables.p, n, label) >= 0
        if kept.any():
            near = np.flatnonzero(kept)
            at[1, k] = near[np.abs(near - at[1, k]).argmin()]
    counts = search.counts(tables, at)
    said = [str(row.constraint) for row, part in zip(bound.rows, broken(), strict=True) if part.any()]
    summed = counts.sum(axis=1)
    said += [str(row.constraint) for row in bound.pooled if (row.slack(*summed) < 0).any()]
    moved = np.where(at[1] < 0, np.inf, at[1].astype(np.float64))
    return Choice(at, replace(found.cuts, cuts=moved, broken=tuple(said)))


def _solved(
    search: Reserving, final: Choice, held: Held | None, way: Way, cannot: str, best: dict[Way, Held]
) -> tuple[Chosen, list[Chosen], Solution]:
    """Return the choice and what is told of it."""
    bound, labels = search.bound, search.curves.labels
    final = final if held is not None else _mended(search, final)
    fared = [] if held is None else held.fared
    told = {id(row.constraint): entry for row, entry in zip((*bound.rows, *bound.pooled), fared, strict=False)}
    details: dict[str, Any] = {
        "strength": str(way),
        "reserve": 0.0 if held is None else held.reserve,
        "hold": search.hold,
        "folds": search.curves.n_parts if held is not None else 0,
    }
    if best:
        values = {str(one): search.objective(*found.counts.sum(axis=0)) for one, found in best.items()}
        details["left_out"] = values
    for key, some in (("never_by_constraint", final.cuts.excused), ("short_of_reserve", final.cuts.short)):
        if len(some):
            details[key] = [labels[k] for k in some]
    reason = cannot
    if not reason and final.cuts.broken:
        reason = (
            f"no smoothed counts keep {' and '.join(final.cuts.broken)} on the recordings tuned on: this is near. "
            "method='exact' keeps it there, if anything can"
        )
    infeasible = bool(reason)
    if not reason and held is not None and not held.enough and len(final.cuts.excused) < len(labels):
        reason = "no reserve made the limits hold in the folds as often as asked: this is the nearest"
    chosen = search.chosen(final.at)
    solution = Solution(
        values=chosen.thresholds,
        status="infeasible" if infeasible else "local",
        reason=reason,
        details=details,
        constraints=tuple(told.get(id(constraint), {}) for constraint in bound.constraints),
    )
    return chosen, [], solution
