"""Limits that hold on new recordings: smoothed counts, few settings for all labels, a reserve that folds tell."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen._kernels import events as kernels
from limen.constraints import Bound, MinPredictions
from limen.constraints.bound import Row
from limen.curves import Curves
from limen.errors import InfeasibleError
from limen.events.curves import EventCurves
from limen.events.regularised import Chosen, Grid, Tables, at_cuts
from limen.objectives import Objective
from limen.solvers import Solution
from limen.solvers.constrained.held import Cuts, Held, effect_of
from limen.solvers.constrained.reserved import MORE, RESERVES, is_stuck, least
from limen.solvers.constrained.solver import solve_curves
from limen.sources.candidates import Candidates

PARTS, MOST_SIZES = 8, 1 << 17
"""Candidates of a label within one ``PARTS``-th of an event given are compared by what is right alone."""
PLENTY = 1e9
"""Stands for what could be given wrongly, where nothing but events is counted: there is no end to it."""
HELD = 0.9


class Way(NamedTuple):
    """How counts are smoothed, and how far labels may differ.

    Attributes
    ----------
    settings : float
        Labels choose among so many settings that serve all best; inf: among all.
    cut : float
        So many events that count as those of all labels do stand beside a label's own; inf: one setting and one
        threshold.
    smoothing : float
        Width of the kernel over cuts, as a part of that without limits. Close to a strict limit few events are
        given, and much smoothing mixes in those below.
    """

    settings: float
    cut: float
    smoothing: float

    def __str__(self) -> str:
        if np.isinf(self.cut):
            return "one setting and threshold"
        which = "any setting" if np.isinf(self.settings) else f"the best {self.settings:g} settings"
        which = "one setting" if self.settings == 1 else which
        return f"{which}, {self.cut:g} events to thresholds, {100 * self.smoothing:g} % smoothing"


WAYS = (
    *(Way(1, np.inf, 1), Way(1, 30, 1), Way(3, 30, 1), Way(np.inf, 10, 1)),
    *(Way(1, 3, 0.2), Way(3, 3, 0.2), Way(np.inf, 3, 0.2), Way(np.inf, 0, 0.2)),
)
USUAL = Way(3, 3, 0.2)
"""Taken unless another is better on recordings left out by more than the standard error of the difference."""


@dataclass(frozen=True, eq=False)
class Drawn:
    """The counts of some recordings as candidates that solvers know: smoothed, each label drawn to all."""

    tables: Tables
    grid: Grid
    objective: Objective
    has_negatives: bool
    _smoothed: dict[float, tuple[NDArray[np.float64], ...]] = field(default_factory=dict, repr=False)

    @property
    def n(self) -> NDArray[np.float64]:
        """All that may be given, (n_labels,)."""
        return self.tables.n if self.has_negatives else self.tables.p + PLENTY

    def smooth(self, part: float) -> tuple[NDArray[np.float64], ...]:
        """Return tp and pp (n_labels, n_settings, n_cuts) smoothed."""
        if part not in self._smoothed:
            tables = (self.tables.tp, self.tables.pp)
            self._smoothed[part] = tuple(self.grid.smoothed(one, part).astype(np.float64) for one in tables)
        return self._smoothed[part]

    def counts(self, way: Way) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return tp and pp with events of all labels beside a label's own.

        What is found is drawn as a share of the events, what is wrong as that of a typical label.
        """
        tp, pp = self.smooth(way.smoothing)
        p = self.tables.p[:, np.newaxis, np.newaxis]
        wrong = np.maximum(pp - tp, 0.0)
        share = tp.sum(axis=0) / max(float(p.sum()), 1.0)
        right = p * (tp + way.cut * share) / np.maximum(p + way.cut, 1e-9)
        wrong = (p * wrong + way.cut * wrong.mean(axis=0)) / np.maximum(p + way.cut, 1e-9)
        return right, right + wrong

    def ranked(self, bound: Bound) -> NDArray[np.int64]:
        """Return the settings, those first with which all labels together do best under the limits."""
        values, counts = [], self.counts(USUAL)
        for s in range(self.tables.tp.shape[1]):
            curves, _ = self.curves(counts, np.array([s]), bound)
            found = solve_curves(curves, self.objective, replace(bound, infeasible="status"), closing=False)
            at = found.index
            value = self.objective(curves.tp[at], curves.pp[at], curves.n_positive, curves.n_known)
            values.append(value - bool(found.reason or is_stuck(curves, found, bound)) - len(found.short))
        return np.argsort(-np.array(values), kind="stable")

    def curves(
        self, counts: tuple[NDArray[np.float64], ...], settings: NDArray[np.int64], bound: Bound
    ) -> tuple[Curves, NDArray[np.int64]]:
        """Return limen's curves of these settings, and the setting and cut (2, n_candidates) of each candidate.

        The first of a label is "never", cut -1. Of about equal pp the one with most tp stays; and, unless a
        least number is asked for, only those with more tp than any with less pp.
        """
        n_cuts = self.tables.tp.shape[2]
        least_asked = any(isinstance(row.constraint, MinPredictions) for row in (*bound.rows, *bound.pooled))
        kept, parts = [], []
        for k in range(len(self.tables.p)):
            tp, pp = (c[k, settings].ravel() for c in counts)
            unit = min(float(PARTS), MOST_SIZES / max(float(pp.max(initial=0)), 1.0))
            size = np.rint(unit * pp).astype(np.int64)
            best = np.full(int(size.max(initial=0)) + 1, -1, np.int64)
            kernels.best_by_given((np.rint(1024 * tp).astype(np.int64), size), best)
            best = best[best >= 0]
            best = best[np.argsort(pp[best], kind="stable")]
            if not least_asked:
                before = np.maximum.accumulate(np.append(-1.0, tp[best]))[:-1]
                best = best[tp[best] > before]
            never = np.array([[0], [-1]])
            kept.append(np.concatenate([never, [settings[best // n_cuts], best % n_cuts]], axis=1))
            parts.append(np.concatenate([[[0.0], [0.0]], [tp[best], pp[best] - tp[best]]], axis=1))
        offsets = np.concatenate([[0], np.cumsum([part.shape[1] for part in parts])])
        tp, fp = np.concatenate(parts, axis=1)
        place = np.concatenate(kept, axis=1)
        cuts = np.where(place[1] < 0, np.inf, -(tp + fp))
        candidates = Candidates(tuple(map(str, range(len(parts)))), np.dtype(np.float64), offsets, cuts)
        candidates = replace(candidates, labels=bound.labels)
        beneath = np.full(len(tp), -np.inf)
        return Curves(candidates, tp, fp, beneath, self.tables.p, self.n, 1), place


@dataclass(frozen=True, eq=False)
class Choice:
    """A setting and a cut of the grid for each label, int64 (2, n_labels), cut -1 for never; how it came about."""

    at: NDArray[np.int64]
    cuts: Cuts

    @classmethod
    def of(cls, at: NDArray[np.int64], **known: Any) -> Choice:
        """Return a choice; what is known goes to `Cuts`."""
        nothing: dict[str, Any] = {"reason": "", "excused": (), "short": (), "stuck": False}
        return cls(at, Cuts(np.where(at[1] < 0, np.inf, at[1].astype(np.float64)), **(nothing | known)))


def best_drawn(drawn: Drawn, ranked: NDArray[np.int64], way: Way, bound: Bound) -> Choice:
    """Return what serves best under limits, with their reserves, in one way."""
    if np.isinf(way.cut):
        return _one_for_all(drawn, bound)
    some = ranked if np.isinf(way.settings) else np.sort(ranked[: int(way.settings)])
    curves, place = drawn.curves(drawn.counts(way), some, bound)
    found = solve_curves(curves, drawn.objective, bound, closing=False)
    return Choice.of(
        place[:, found.index],
        reason=found.reason,
        excused=found.excused,
        short=found.short,
        stuck=is_stuck(curves, found, bound),
    )


def _one_for_all(drawn: Drawn, bound: Bound) -> Choice:
    """Return the best one setting and cut; a label that breaks its own limits there is never given, if it may be.

    If none keeps the limits, that which misses least.
    """
    tp, pp = drawn.smooth(1.0)
    shape, p, n = tp.shape, drawn.tables.p, drawn.n
    label = np.repeat(np.arange(shape[0]), shape[1] * shape[2])
    keeps, missing = np.ones(shape, bool), np.zeros(shape[1:])
    for row in bound.rows:
        slack = row.slack(tp.ravel(), pp.ravel(), p, n, label).reshape(shape)
        keeps &= (slack >= 0) | ~row.applies[:, np.newaxis, np.newaxis]
    given = keeps if bound.infeasible == "never" else np.ones(shape, bool)
    if bound.infeasible != "never":
        missing += (~keeps).sum(axis=0)
    tp, pp = np.where(given, tp, 0.0), np.where(given, pp, 0.0)
    for row in bound.pooled:
        slack = np.asarray(row.slack(tp.sum(axis=0), pp.sum(axis=0), p.sum(), n.sum()), np.float64)
        missing += np.where(slack < 0, -slack / max(float(np.abs(slack).max()), 1e-300), 0.0)
    values = _values(drawn.objective, tp, pp, p, n)
    at = np.unravel_index(int(np.lexsort((-values.ravel(), missing.ravel()))[0]), missing.shape)
    chosen = np.array([np.full(shape[0], at[0]), np.where(given[:, *at], at[1], -1)])
    pooled = any(
        (row.slack(tp[:, *at].sum(), pp[:, *at].sum(), p.sum(), n.sum()) < 0).any() for row in bound.pooled
    )
    broken = tuple(np.flatnonzero(~keeps[:, *at]).tolist())
    known: dict[str, Any] = {"excused" if bound.infeasible == "never" else "short": broken}
    return Choice.of(chosen, stuck=pooled, **known)


def _values(objective: Objective, tp: Any, pp: Any, p: Any, n: Any) -> NDArray[np.float64]:
    """Return the objective of counts (n_labels, n_settings, n_cuts) at each setting and cut."""
    if objective.pooled:
        sums = (tp.sum(axis=0), pp.sum(axis=0), p.sum(), n.sum())
        return np.asarray(objective.metric(*sums, objective.zero_division), np.float64)
    flat = (part.reshape(len(p), -1).T for part in (tp, pp))
    by_label = objective.of_labels(*flat, p, n)
    weight = n / n.sum() if objective.average == "micro" else objective.label_weights(p)
    return np.asarray((by_label @ weight).reshape(tp.shape[1:]), np.float64)


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
    to the strict side by a number of standard errors of the count that it limits, larger by what the counts of units
    vary more than of independent events; the least number is taken with which the folds keep the limit by more
    than luck. Beside that it chooses how far labels may differ (`WAYS`).
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
    rankings = [
        other.ranked(bound.scaled(1 - share)) for other, share in zip(others, shares, strict=True)
    ]
    effects, given = np.ones(len(rows)), 0.0

    def held(way: Way, reserve: float) -> tuple[Held, list[Choice]]:
        found = [
            best_drawn(
                other, order, way, search.with_reserve(reserve * np.sqrt(effects), 1 - share, given)
            )
            for other, order, share in zip(others, rankings, shares, strict=True)
        ]
        counts = np.stack([search.counts(part, one.at) for part, one in zip(search.parts, found, strict=True)])
        return Held.counted(reserve, [one.cuts for one in found], counts, bound, effects, hold), found

    plain, choices = held(USUAL, 0.0)
    given = float(plain.counts[:, 1].sum())
    effects = _effects(rows, counted([search.chosen(one.at) for one in choices]), plain.counts)
    best = {way: least(lambda reserve, way=way: held(way, reserve)[0]) for way in WAYS}
    way = _best_way(best, objective)
    final = _final(search, whole, ranked, way, best[way], effects, given)
    folds = [search.chosen(one.at) for one in held(way, best[way].reserve)[1]]
    chosen, _, solution = _solved(search, final, best[way], way, cannot, best)
    return chosen, folds, solution


def _effects(
    rows: Sequence[Row], of_unit: NDArray[np.int64], counts: NDArray[np.float64]
) -> NDArray[np.float64]:
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
    by_part = [[objective(*part) for part in best[way].counts] for way in (top, USUAL)]
    gain = np.subtract(*by_part)
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
    told = {
        id(row.constraint): entry for row, entry in zip((*bound.rows, *bound.pooled), fared, strict=False)
    }
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
