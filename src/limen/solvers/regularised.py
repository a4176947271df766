"""Methods that trade a little of the fit for more on new data, and what they share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from limen.curves import Curves, prevalence_factors
from limen.draws import name_keys
from limen.objectives import Objective
from limen.solvers.calibrated import Calibrated
from limen.solvers.exact import exact_index
from limen.solvers.fine import FineCurves
from limen.solvers.log_odds import LogOddsSolver, blended, on_grid, weighted_quantile
from limen.solvers.one_cut import one_cut
from limen.solvers.places import MARGIN, increments
from limen.solvers.resampled import exact_cuts_of


@dataclass(frozen=True)
class Bagged(LogOddsSolver):
    """Mean, in log odds, of the exact cuts of bootstrap samples.

    Parameters
    ----------
    samples : int

    Notes
    -----
    A bootstrap sample gives each item a Poisson(1) weight, so each interval's count becomes a Poisson
    number around it: no pass over the scores. Weights of items count in units of their mean size, so that
    few heavy items vary more. Labels are resampled independently. Averaging lowers the
    variance of a cut that is otherwise decided by a few items (Breiman 1996; Buhlmann & Yu 2002).
    """

    name: ClassVar[str] = "bagged"
    samples: int = 30

    def cuts(self, fine: FineCurves, objective: Objective, random_state: int) -> NDArray[np.float64]:
        """Return the cut of each label, in log odds (n_labels,)."""
        keys = name_keys(fine.raw.labels, random_state)
        return np.asarray(self.draws(fine, objective, keys).mean(axis=0))

    def draws(
        self, fine: FineCurves, objective: Objective, keys: NDArray[np.uint64], first: int = 0
    ) -> NDArray[np.float64]:
        """Return the exact cuts of each bootstrap sample, (samples, n_labels).

        ``keys`` (n_labels,), and the number of the ``first`` sample, decide what is drawn.
        """
        return exact_cuts_of(fine, objective, keys, first, self.samples)[0]

    def tables(self, fine: FineCurves, at: NDArray[np.float64], keys: NDArray[np.uint64]) -> list[Curves]:
        """Return the counts of bootstrap samples, a third as many."""
        from limen._kernels import sampling as kernels

        whole, samples = on_grid(fine, at, _counted(fine, at)), max(1, self.samples // 3)
        last = whole.offsets[1:] - 1
        cells = np.array(increments(whole), np.float64)
        drawn = np.empty((samples, *cells.shape))
        below = np.array([whole.n_positive - whole.tp[last], whole.n_known - whole.n_positive - whole.fp[last]])
        totals = np.repeat(np.maximum(below, 0)[np.newaxis], samples, axis=0)
        factors = np.ones((2, fine.n_labels))
        if fine.target is not None:
            factors = np.array(prevalence_factors(fine.raw.n_positive, fine.raw.n_known, fine.target))
        units = np.maximum(fine.units * factors, 1e-300)
        kernels.resample(whole.offsets, np.maximum(cells, 0), units, keys, 0, drawn, totals)
        return [
            replace(whole, tp=tp, fp=fp, n_positive=positive, n_known=positive + negative)
            for (tp, fp), (positive, negative) in zip(drawn, totals, strict=True)
        ]


@dataclass(frozen=True)
class Smoothed(LogOddsSolver):
    """The exact optimum of counts smoothed by a logistic kernel in log odds.

    Parameters
    ----------
    bandwidth : float
        In robust standard deviations of the positives' log odds, for a label with 50 positives; it falls
        with the fifth root of their number.
    grid : int
        Number of cuts tried for each label.

    Notes
    -----
    What surrogate gradients descend, solved globally: ``TP_h(t) = sum_i y_i sig((x_i - t) / h)``, and the
    same for all items; then the exact solver. A smoothed step criterion has the faster rate
    n^(-2/5) for the cut, against n^(-1/3) (Horowitz 1992).
    """

    name: ClassVar[str] = "smoothed"
    bandwidth: float = 0.2
    grid: int = 128

    def cuts(self, fine: FineCurves, objective: Objective, random_state: int) -> NDArray[np.float64]:
        """Return the cut of each label, in log odds (n_labels,)."""
        low, high = fine.span
        smooth = self.curves(fine, high - (high - low) * np.linspace(0, 1, self.grid)[:, np.newaxis])
        cuts = smooth.candidates.cuts[exact_index(smooth, objective)]
        return np.where(np.isfinite(cuts), cuts, high + MARGIN)

    def curves(self, fine: FineCurves, at: NDArray[np.float64]) -> Curves:
        """Return the smoothed counts at cuts in log odds (n_cuts, n_labels), falling, and "never" before them."""
        points, width = fine.points, self._widths(fine)
        counts = np.empty((2, *at.shape))
        for g in range(len(at)):
            kept = 0.5 * (1 + np.tanh((points.x - at[g, points.label]) / (2 * width[points.label])))
            counts[0, g] = fine.sums(kept * points.positive)
            counts[1, g] = fine.sums(kept * points.negative)
        return on_grid(fine, at, counts)

    def tables(self, fine: FineCurves, at: NDArray[np.float64], keys: NDArray[np.uint64]) -> list[Curves]:
        """Return the smoothed counts."""
        return [self.curves(fine, at)]

    def _widths(self, fine: FineCurves) -> NDArray[np.float64]:
        """Return the kernel's width for each label: its positives' spread, half drawn to the median label's."""
        points = fine.points
        positives = np.maximum(fine.positives, 1)
        spread = weighted_quantile(points, points.positive, 0.75, fine.n_labels)
        spread = (spread - weighted_quantile(points, points.positive, 0.25, fine.n_labels)) / 1.35
        usual = positives >= 4
        typical = float(np.median(spread[usual])) if usual.any() else 1.0
        spread = np.where(usual, (spread + typical) / 2, typical)
        low, high = fine.span
        least = 1e-3 * np.where(high > low, high - low, 1.0)
        return np.maximum(self.bandwidth * spread * (positives / 50) ** -0.2, least)


@dataclass(frozen=True)
class Shrunk(LogOddsSolver):
    """Exact cuts drawn towards the best shared cut, in log odds; the more, the fewer positives.

    Parameters
    ----------
    strength : float
        A label with this many positives goes half the way.
    """

    name: ClassVar[str] = "shrunk"
    strength: float = 20.0

    def cuts(self, fine: FineCurves, objective: Objective, random_state: int) -> NDArray[np.float64]:
        """Return the cut of each label, in log odds (n_labels,)."""
        exact = fine.places.cut[exact_index(fine.curves, objective)]
        own = fine.positives / (fine.positives + self.strength)
        return np.asarray(own * exact + (1 - own) * one_cut(fine, fine.points.x, objective))

    def tables(self, fine: FineCurves, at: NDArray[np.float64], keys: NDArray[np.uint64]) -> list[Curves]:
        """Return the counts, drawn to those that calibration across labels expects, as cuts are without limits."""
        own = on_grid(fine, at, _counted(fine, at))
        (pool,) = Calibrated().tables(fine, at, keys)
        return [blended(own, pool, fine.positives, self.strength)]


def _counted(fine: FineCurves, at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return tp and fp (2, grid, n_labels) at cuts (grid, n_labels)."""
    tp, pp = fine.counts(at)
    return np.array([tp, pp - tp])
