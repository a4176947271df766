"""Smoothed counts as candidates under limits: labels drawn to all, and to few settings that serve all."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen._kernels import events as kernels
from limen.constraints import Bound, MinPredictions
from limen.curves import Curves
from limen.events.regularised import Grid, Tables
from limen.objectives import Objective
from limen.solvers.constrained.held import Cuts
from limen.solvers.constrained.reserved import is_stuck
from limen.solvers.constrained.solver import solve_curves
from limen.sources.candidates import Candidates

PARTS, MOST_SIZES = 8, 1 << 17
"""Candidates of a label within one ``PARTS``-th of an event given are compared by what is right alone."""
PLENTY = 1e9
"""Stands for what could be given wrongly, where nothing but events is counted: there is no end to it."""


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
    s, t = divmod(int(np.lexsort((-values.ravel(), missing.ravel()))[0]), shape[2])
    chosen = np.array([np.full(shape[0], s), np.where(given[:, s, t], t, -1)])
    summed = tp[:, s, t].sum(), pp[:, s, t].sum(), p.sum(), n.sum()
    pooled = any((row.slack(*summed) < 0).any() for row in bound.pooled)
    broken = tuple(np.flatnonzero(~keeps[:, s, t]).tolist())
    known: dict[str, Any] = {"excused" if bound.infeasible == "never" else "short": broken}
    return Choice.of(chosen, stuck=pooled, **known)


def _values(objective: Objective, tp: Any, pp: Any, p: Any, n: Any) -> NDArray[np.float64]:
    """Return the objective of counts (n_labels, n_settings, n_cuts) at each setting and cut."""
    if objective.pooled:
        sums = (tp.sum(axis=0), pp.sum(axis=0), p.sum(), n.sum())
        return np.asarray(objective.metric(*sums, objective.zero_division), np.float64)
    by_label = objective.of_labels(tp.reshape(len(p), -1).T, pp.reshape(len(p), -1).T, p, n)
    weight = n / n.sum() if objective.average == "micro" else objective.label_weights(p)
    return np.asarray((by_label @ weight).reshape(tp.shape[1:]), np.float64)
