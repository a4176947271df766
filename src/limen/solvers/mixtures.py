"""What `limen.solvers.auto` finds on the way: kinds of cuts, their held-out counts, and what labels share."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen.decisions import HALF
from limen.solvers.base import Problem
from limen.solvers.calibrated import Calibration, State
from limen.solvers.fine import FineCurves
from limen.solvers.solution import CrossCounts


class Shared(NamedTuple):
    """What the cuts of labels share, as some of the data say.

    Attributes
    ----------
    cut : float
        The best shared cut, in log odds.
    calibrated : float or None
        For a micro average, the calibrated log odds at which all labels are cut.
    value : float or None
        For a ratio of sums, that of bootstrap samples.
    prior : State
        Of the calibration: the mean and the precision of its offsets and slopes.
    """

    cut: float
    calibrated: float | None
    value: float | None
    prior: State


class Kinds(NamedTuple):
    """What some of the data say, in log odds.

    Attributes
    ----------
    cuts : float64 (mixtures, n_labels)
        Of each own kind with each share of the shared cut.
    draws : float64 (samples, n_labels)
        Exact cuts of bootstrap samples.
    calibration : Calibration
    shared : Shared
    """

    cuts: NDArray[np.float64]
    draws: NDArray[np.float64]
    calibration: Calibration
    shared: Shared


class HeldOut(NamedTuple):
    """What each part says of the cuts tuned without it.

    Attributes
    ----------
    counts : list of float64 (2, mixtures, n_labels)
        Its tp and pp.
    totals : list of float64 (2, n_labels)
        Its positives and known items.
    positives : list of float
        Number of positives, of as many alike as would say as much.
    """

    counts: list[NDArray[np.float64]]
    totals: list[NDArray[np.float64]]
    positives: list[float]

    @classmethod
    def of(cls, parts: list[FineCurves], tuned: list[Kinds]) -> HeldOut:
        """Return the counts of parts at cuts tuned without them."""
        return cls(
            [part.counts(kind.cuts) for part, kind in zip(parts, tuned, strict=True)],
            [np.array([part.curves.n_positive, part.curves.n_known], np.float64) for part in parts],
            [float(part.positives.sum()) for part in parts],
        )

    def without(self, number: int) -> HeldOut:
        """Return what the other parts say."""
        others = [k for k in range(len(self.counts)) if k != number]
        return HeldOut(
            [self.counts[k] for k in others], [self.totals[k] for k in others], [self.positives[k] for k in others]
        )


class Pool(NamedTuple):
    """What labels share.

    Attributes
    ----------
    shared : list of Shared
        Of all data, and of those without each of the parts: of parts dealt by label, then of those by item.
    weights, values : float64 (mixtures,)
        The weight of each mixture, and its cross-fitted objective.
    of_folds : list of float64 (mixtures,)
        The weights in which the result of each part by item does not count.
    common : float
        The standard deviation that the cuts of all labels have in common.
    parts : int
        How many parts were dealt by label.
    """

    shared: list[Shared]
    weights: NDArray[np.float64]
    values: NDArray[np.float64]
    of_folds: list[NDArray[np.float64]]
    common: float
    parts: int


class Tuned(NamedTuple):
    """Cuts in log odds: of all data, where they may lie, and those for each fold; and what labels share."""

    whole: FineCurves
    final: NDArray[np.float64]
    ends: NDArray[np.float64] | None
    of_folds: list[NDArray[np.float64]]
    pool: Pool


def cross_counts(problem: Problem, cuts: list[NDArray[np.float64]], number: int) -> CrossCounts:
    """Return the counts of each fold that was counted, at the cuts in log odds of the set that it is in."""
    counted = problem.counted_alone
    assert counted is not None
    assert counted.folds is not None
    sets = counted.folds.sets(number)
    whole, parts = FineCurves.of_counts(counted.folds, problem.kind)
    half = whole.places.scale.forward(np.full(whole.n_labels, HALF), np.arange(whole.n_labels))
    own, at_half = [], []
    for own_cuts, members in zip(cuts, sets, strict=True):
        for k in members:
            if counted.folds.n_items[k]:
                totals = np.array([parts[k].raw.n_positive, parts[k].raw.n_known], np.float64)
                counts = parts[k].counts(np.array([own_cuts, half]))
                own.append(np.concatenate([counts[:, 0], totals]))
                at_half.append(np.concatenate([counts[:, 1], totals]))
    return CrossCounts(np.array(own), np.array(at_half))
