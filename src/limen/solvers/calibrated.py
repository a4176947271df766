"""Cuts from a calibration model that labels share: few positives borrow from many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen.curves import Curves
from limen.objectives import Objective
from limen.scales import sigmoid
from limen.solvers.fine import FineCurves
from limen.solvers.log_odds import LogOddsSolver, on_grid, weighted_quantile
from limen.solvers.one_cut import one_cut
from limen.solvers.places import MARGIN

MANY, CELLS = 1 << 15, 64
"""Of many points those of a label in one of so many cells are one, at their mean, if that makes them few."""


class State(NamedTuple):
    """A fit on the scale of (x - center) / scale: offsets and slopes, and mean and precision of their prior."""

    center: float
    scale: float
    offset: NDArray[np.float64]
    slope: NDArray[np.float64]
    mean: NDArray[np.float64]
    precision: NDArray[np.float64]


@dataclass(frozen=True)
class Calibration:
    """``P(label | x) = sig(offset + slope * x)`` for each label, x clipped to ``low`` and ``high``.

    Attributes
    ----------
    offset, slope, low, high : float64 (n_labels,)
    state : State, optional
        Where the fit ended, for another one to begin.
    """

    offset: NDArray[np.float64]
    slope: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    state: State | None = None

    @classmethod
    def fit(
        cls, fine: FineCurves, rounds: int = 8, start: Calibration | None = None, prior: State | None = None
    ) -> Calibration:
        """Return a Platt scaling for each label, with a normal prior across labels.

        Offsets and slopes are drawn from normal distributions whose means and variances are estimated
        too (Laplace and EM), so a label without positives gets the typical calibration. Log odds are
        clipped to each label's 5 % and 99.95 % quantiles: a few outlying scores would else decide the
        slope. ``start`` is the calibration of more data, of which these are part: few rounds then do. With a
        ``prior``, that of other labels, its means and variances are taken as they are.
        """
        from limen._kernels import sampling as kernels

        points, n_labels = fine.points, fine.n_labels
        weight, state = points.positive + points.negative, None if start is None else start.state
        low, high = (weighted_quantile(points, weight, share, n_labels) for share in (0.05, 0.9995))
        x = np.clip(points.x, low[points.label], high[points.label])
        known = prior if state is None else state
        center, scale = _center_and_scale(x, weight) if known is None else known[:2]
        x = (x - center) / scale
        if state is None and prior is not None:
            mean, precision = prior.mean, prior.precision
            offset, slope = np.full(n_labels, mean[0]), np.full(n_labels, mean[1])
        elif state is None or n_labels == 1:
            begin = None if state is None else state.mean
            mean, precision = _platt(x, points.positive, weight, begin), np.array([1.0, 1.0])
            offset, slope = np.full(n_labels, mean[0]), np.full(n_labels, mean[1])
        else:
            _, _, offset, slope, mean, precision = state
            if prior is not None:
                mean, precision = prior.mean, prior.precision
        held = (x, points.label, points.positive, weight)
        if len(x) > max(MANY, 2 * CELLS * n_labels):
            held = _grouped(held, n_labels)
        sums = np.empty((5, n_labels))
        for _ in range(rounds if n_labels > 1 else 0):
            for _ in range(3):
                kernels.logistic_sums(held, offset, slope, sums)
                by_offset = sums[0] - precision[0] * (offset - mean[0])
                by_slope = sums[1] - precision[1] * (slope - mean[1])
                a, b, c = sums[2] + precision[0], sums[3], sums[4] + precision[1]
                determinant = a * c - b * b
                up = (c * by_offset - b * by_slope) / determinant
                along = (a * by_slope - b * by_offset) / determinant
                short = np.minimum(1, 2 / np.maximum(np.abs(up) + np.abs(along), 1e-9))
                offset, slope = offset + short * up, slope + short * along
            if prior is not None:
                continue
            mean = np.array([offset.mean(), slope.mean()])
            spread = [((offset - mean[0]) ** 2 + c / determinant).mean()]
            spread.append(((slope - mean[1]) ** 2 + a / determinant).mean())
            precision = 1 / np.maximum(spread, 1e-4)
        state = State(center, scale, offset, slope, mean, precision)
        least = 0.05 / np.where(high > low, high - low, 1.0)
        slope = slope / scale
        return cls(offset - slope * center, np.maximum(slope, least), low, high, state)

    def log_odds(self, x: NDArray[np.float64], label: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the calibrated log odds of scores ``x`` of the given labels."""
        return self.offset[label] + self.slope[label] * np.clip(x, self.low[label], self.high[label])


@dataclass(frozen=True)
class Calibrated(LogOddsSolver):
    """Calibrate the labels together, then cut calibrated scores.

    Notes
    -----
    For a micro average one cut on the calibrated scores serves all labels: the best for micro-F is
    at half of its value (Lipton et al. 2014), and the one taken here is the best on the tuning data. For
    other averages each label takes the cut with the best expected counts under its calibration.
    Parametric: best where its shape holds; `auto` guards it with methods that assume less.
    """

    name: ClassVar[str] = "calibrated"

    def cuts(self, fine: FineCurves, objective: Objective, random_state: int) -> NDArray[np.float64]:
        """Return the cut of each label, in log odds (n_labels,)."""
        return self.cuts_of(Calibration.fit(fine), fine, objective)

    def tables(self, fine: FineCurves, at: NDArray[np.float64], keys: NDArray[np.uint64]) -> list[Curves]:
        """Return the counts that the calibration expects."""
        points, fitted = fine.points, Calibration.fit(fine)
        p = sigmoid(fitted.log_odds(points.x, points.label))
        weight = points.positive + points.negative
        counts = np.empty((2, *at.shape))
        for g in range(len(at)):
            kept = weight * (points.x >= at[g, points.label])
            counts[0, g], counts[1, g] = fine.sums(kept * p), fine.sums(kept * (1 - p))
        return [on_grid(fine, at, counts, np.minimum(fine.sums(weight * p) + fine.below[0], fine.curves.n_known))]

    @staticmethod
    def shared_cut(fitted: Calibration, fine: FineCurves, objective: Objective) -> float:
        """Return the calibrated log odds at which all labels are best cut."""
        return one_cut(fine, fitted.log_odds(fine.points.x, fine.points.label), objective)

    @staticmethod
    def cuts_of(
        fitted: Calibration, fine: FineCurves, objective: Objective, at: float | None = None
    ) -> NDArray[np.float64]:
        """Return the cuts for a calibration; a micro average cuts ``at`` this log odds, or the best."""
        low, high = fine.span
        if not objective.pooled:
            z = fitted.log_odds(fine.points.x, fine.points.label)
            return np.clip(_best_expected(fine, sigmoid(z), objective), low - MARGIN, high + MARGIN)
        at = Calibrated.shared_cut(fitted, fine, objective) if at is None else at
        cuts = (at - fitted.offset) / fitted.slope
        # Clipped scores share one calibrated score: all are kept, or none.
        cuts = np.where(cuts > fitted.high, high + MARGIN, cuts)
        return np.where(cuts <= fitted.low, low - MARGIN, cuts)


def _center_and_scale(x: NDArray[np.float64], weight: NDArray[np.float64]) -> tuple[float, float]:
    """Return the median and the robust standard deviation of all points; 0 and 1 where there is no spread."""
    if not len(x):
        return 0.0, 1.0
    order = np.argsort(x)
    share = np.cumsum(weight[order]) / max(weight.sum(), 1e-300)
    at = np.minimum(np.searchsorted(share, [0.25, 0.5, 0.75]), len(x) - 1)
    low, middle, high = map(float, x[order[at]])
    spread = max((high - low) / 1.35, 0.0)
    spread = spread if spread > 1e-9 * abs(middle) else float(np.ptp(x))
    return middle, spread if spread > 1e-9 * abs(middle) else 1.0


def _grouped(
    points: tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]], n_labels: int
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Return points (x, label, positive weight, weight) with those of a label that lie close together as one."""
    from limen._kernels import sampling as kernels

    sums = np.zeros((3, n_labels * CELLS))
    kernels.group(points, CELLS, sums)
    some = np.flatnonzero(sums[2] > 0)
    moment, positive, weight = sums[:, some]
    return moment / weight, some // CELLS, positive, weight


def _platt(
    x: NDArray[np.float64],
    positive: NDArray[np.float64],
    weight: NDArray[np.float64],
    begin: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Return offset and slope of one logistic regression for all points, held a little towards 0 and 1."""
    share = np.clip(positive.sum() / max(weight.sum(), 1e-300), 1e-6, 1 - 1e-6)
    fitted = np.array([np.log(share / (1 - share)), 0.0]) if begin is None else begin
    for _ in range(30):
        p = sigmoid(fitted[0] + fitted[1] * x)
        curvature, residual = weight * p * (1 - p), positive - weight * p
        gradient = np.array([residual.sum(), (residual * x).sum()]) - 1e-3 * (fitted - [0.0, 1.0])
        off = (curvature * x).sum()
        a, c = curvature.sum(), (curvature * x * x).sum()
        ridge = 1e-3 + 1e-9 * (a + c)
        step = np.linalg.solve(np.array([[a + ridge, off], [off, c + ridge]]), gradient)
        fitted = fitted + step * min(1.0, 2 / max(np.abs(step).sum(), 1e-9))
        if np.abs(step).max() < 1e-3:
            break
    return fitted


def _best_expected(fine: FineCurves, p: NDArray[np.float64], objective: Objective) -> NDArray[np.float64]:
    """Return each label's cut with the best metric of its expected counts; ``p`` is by point."""
    points = fine.points
    if not len(points.x):
        return np.zeros(fine.n_labels)
    label, x, weight = points.label, points.x, points.positive + points.negative
    tp, pp = (_cumulated(part, label, fine.n_labels) for part in (weight * p, weight))
    last = np.searchsorted(label, np.arange(fine.n_labels), side="right") - 1
    some = np.bincount(label, minlength=fine.n_labels) > 0
    p_total, n_total = np.where(some, tp[last], 0.0), np.where(some, pp[last], 0.0)
    values = objective.of_labels(tp, pp, p_total, n_total, label)
    none = objective.of_labels(0 * p_total, 0 * p_total, p_total, n_total)
    best = np.full(fine.n_labels, -np.inf)
    np.maximum.at(best, label, values)
    hits = np.flatnonzero(values == best[label])
    of_label, first = np.unique(label[hits], return_index=True)
    at = hits[first]
    beyond = np.minimum(at + 1, last[of_label])
    cuts = np.zeros(fine.n_labels)
    cuts[of_label] = x[at] / 2 + x[beyond] / 2
    return np.where(none > best, fine.span[1] + MARGIN, cuts)


def _cumulated(values: NDArray[np.float64], label: NDArray[np.int64], n_labels: int) -> NDArray[np.float64]:
    total = np.cumsum(values)
    before = np.concatenate([[0.0], np.cumsum(np.bincount(label, values, n_labels))])
    return np.asarray(total - before[label])
