"""Settings and thresholds as one problem that limen's solvers know: one candidate a label, a function of sums."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen._kernels import events as kernels
from limen.constraints import Bound, CountConstraint, MaxFalsePositiveRate
from limen.constraints.counts import Predictions
from limen.curves import Curves
from limen.errors import InputError, UnsupportedError
from limen.events.curves import LOWER, EventCurves, size_of
from limen.metrics import Metric
from limen.objectives import Objective
from limen.solvers import EXACT, Solution
from limen.solvers.base import Problem
from limen.solvers.constrained.solver import Constrained
from limen.sources.candidates import Candidates


@dataclass(frozen=True)
class EventProblem(Problem):
    """A problem whose curves hold all candidates there are, so that constraints need no others."""

    @cached_property
    def curves(self) -> Curves:
        """The curves as they were given."""
        assert self.counted is not None
        return self.counted


@dataclass(frozen=True, eq=False)
class Choice:
    """A candidate of the event curves for each label (n_labels,), and what is proven of it."""

    index: NDArray[np.int64]
    solution: Solution


def check_objective(objective: Objective, curves: EventCurves) -> None:
    """Raise an error if the counts of events do not decide the objective."""
    if objective.needs_items:
        raise UnsupportedError(
            f"{objective} is of whole items, and events are counted by label. Use the average 'micro' or 'macro'."
        )
    objective.check_labels(curves.n_labels)
    if not curves.criterion.has_negatives and uses_negatives(objective.metric):
        raise UnsupportedError(
            f"{objective.metric} counts what is rightly not given, and by {curves.criterion} "
            f"nothing is: there are "
            "events, and no non-events. Use f1, fbeta, jaccard, precision or recall, or the criterion 'segment'."
        )


def check_constraints(bound: Bound, curves: EventCurves) -> None:
    """Raise `UnsupportedError` for constraints that counts of events do not decide."""
    for constraint in bound.constraints:
        if not isinstance(constraint, CountConstraint):
            raise UnsupportedError(
                f"{constraint} limits thresholds, and those of different settings cannot be compared. Constraints "
                "on events limit counts: MinPrecision, MinRecall, MaxPredictions, MinPredictions, "
                "MaxFalsePositives."
            )
        if curves.criterion.has_negatives:
            continue
        if isinstance(constraint, MaxFalsePositiveRate):
            raise UnsupportedError(
                f"{constraint} needs to count what is rightly not given, and by {curves.criterion} nothing is. "
                "Use MaxFalsePositives(per_hour=...), or the criterion 'segment'."
            )
        if isinstance(constraint, Predictions) and constraint.rate is not None:
            raise UnsupportedError(
                f"{constraint} is a share of all that could be given, and by {curves.criterion} there is no end "
                f"to that. Use {constraint.name}(per_hour=..., hours=scores.hours), or the criterion 'segment'."
            )


def uses_negatives(metric: Metric) -> bool:
    """Return whether a metric depends on how many are rightly not given."""
    tp, pp, p = np.array([3.0, 2.0]), np.array([5.0, 7.0]), np.array([6.0, 4.0])
    few, many = (np.asarray(metric(tp, pp, p, np.full(2, n))) for n in (20.0, 1000.0))
    return not metric.by_label and not np.allclose(few, many)


def as_curves(curves: EventCurves) -> tuple[Curves, NDArray[np.int64]]:
    """Return limen's curves of all labels, and the event candidate of each of their candidates.

    Of candidates of a label with the same pp the one with most tp is kept, which no metric likes less; among
    equals the first setting and the highest threshold. They are ordered by pp; tp need not rise.
    """
    tp, pp = (np.asarray(counts.sum(axis=0), np.int64) for counts in (curves.tp, curves.pp))
    ends = curves.offsets[:: len(curves.settings)]
    kept = []
    for first, last in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True):
        best = np.full(int(pp[first:last].max()) + 1, -1, np.int64)
        kernels.best_by_given((tp[first:last], pp[first:last]), best)
        kept.append(first + best[best >= 0])
    index = np.concatenate(kept)
    offsets = np.concatenate([[0], np.cumsum([len(own) for own in kept])])
    p, n = curves.p.sum(axis=0), curves.n.sum(axis=0)
    if not curves.criterion.has_negatives:
        n = p + np.maximum.reduceat(pp[index], offsets[:-1])
    cuts = np.where(pp[index] > 0, -pp[index].astype(np.float64), np.inf)
    candidates = Candidates(curves.labels, np.dtype(np.float64), offsets, cuts)
    fp = pp[index] - tp[index]
    beneath = np.full(len(index), -np.inf)
    return Curves(candidates, tp[index], fp, beneath, p, n, max(curves.n_recordings, 1)), index


def best(curves: EventCurves, objective: Objective, bound: Bound | None = None) -> Choice:
    """Return the best setting and threshold of each label for the objective, under constraints on counts.

    Notes
    -----
    Counts of a label depend on no other label, so that choosing among (setting, threshold) is the problem that
    limen's solvers know, and their proofs hold: of micro-F1 Dinkelbach's, of macro averages enumeration.
    """
    reduced, candidate = as_curves(curves)
    problem = EventProblem(objective, (), reduced, bound=bound)
    solver: Any = EXACT[objective.structure]() if bound is None else Constrained()
    solution = solver.solve(problem)
    return Choice(candidate[solution.index], solution)


def counts_at(curves: EventCurves, index: NDArray[np.int64]) -> tuple[NDArray[np.int64], ...]:
    """Return tp, pp, p and n (n_labels,) of candidates, of all parts together."""
    tp, pp = (counts[:, index].sum(axis=0).astype(np.int64) for counts in (curves.tp, curves.pp))
    p, n = curves.p.sum(axis=0), curves.n.sum(axis=0)
    return tp, pp, p, n if curves.criterion.has_negatives else np.maximum(n, p + pp)


def best_shared(curves: EventCurves, objective: Objective, settings: Sequence[int] | None = None) -> Choice:
    """Return the best choice with one setting and one threshold for all labels."""
    top, chosen, threshold = -np.inf, 0, np.inf
    for s in range(len(curves.settings)) if settings is None else settings:
        cuts, values = _shared_values(curves, objective, s)
        at = int(values.argmax())
        if values[at] > top:
            top, chosen = float(values[at]), s
            below = cuts[at + 1] if at + 1 < len(cuts) else -np.inf
            threshold = cuts[at] / 2 + below / 2 if np.isfinite(cuts[at]) and np.isfinite(below) else cuts[at]
            threshold = threshold if below < threshold <= cuts[at] else cuts[at]
            if curves.settings[s].hysteresis and np.isfinite(cuts[at]) and not np.isfinite(below):
                threshold = cuts[at] - LOWER * size_of(cuts[at : at + 1], curves.kind)[0]
    index = np.array([curves.at(k, chosen, threshold) for k in range(curves.n_labels)])
    return Choice(index, Solution(index=index, details={"shared": float(threshold)}))


def _shared_values(
    curves: EventCurves, objective: Objective, setting: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the falling cuts of all labels under a setting, +inf first, and the objective at each."""
    p, n = curves.p.sum(axis=0), curves.n.sum(axis=0)
    parts = [curves.where(k, setting) for k in range(curves.n_labels)]
    cuts = np.concatenate([curves.cuts[own] for own in parts])
    label = np.repeat(np.arange(curves.n_labels), [own.stop - own.start for own in parts])
    counts = [
        np.concatenate([total[:, own].sum(axis=0) for own in parts]).astype(np.float64)
        for total in (curves.tp, curves.pp)
    ]
    first = np.concatenate([[True], label[1:] != label[:-1]])
    if objective.pooled:
        shares = counts
    elif objective.average == "micro":
        raise UnsupportedError(f"method 'shared' does not know {objective}. Use method='exact'.")
    else:
        shares = [objective.of_labels(counts[0], counts[1], p, n, label) * objective.label_weights(p)[label]]
    order = np.argsort(-cuts, kind="stable")
    sums = []
    for share in shares:
        change = np.where(first, share, share - np.concatenate([[0.0], share[:-1]]))
        sums.append(np.cumsum(change[order]))
    falling = cuts[order]
    last = np.concatenate([falling[1:] != falling[:-1], [True]])
    if not objective.pooled:
        return falling[last], sums[0][last]
    total_n = n.sum() if curves.criterion.has_negatives else p.sum() + sums[1].max()
    values = objective.metric(sums[0][last], sums[1][last], p.sum(), total_n, objective.zero_division)
    return falling[last], np.asarray(values)


def check_positive(p: NDArray[np.int64]) -> None:
    """Raise `InputError` if there is nothing to find: no reference in any part or label."""
    if not p.sum():
        raise InputError(
            "there are no events in the annotations of these recordings. At least one is needed to tune: check "
            "that names of recordings and labels agree."
        )
