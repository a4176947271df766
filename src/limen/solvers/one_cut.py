"""The best cut that all labels share."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.objectives import Objective
from limen.solvers.fine import FineCurves
from limen.solvers.places import MARGIN

COARSE = 1 << 10
"""Shared cuts that are tried before those about the best of them."""


def one_cut(fine: FineCurves, z: NDArray[np.float64] | None, objective: Objective, most: int = 256) -> float:
    """Return the best cut on a scale ``z`` of the points that all labels share; None: their log odds.

    Micro averages try ``COARSE`` of the points with a positive, evenly by rank, and then every one about the best;
    others, and costs by label, ``most`` of them (fewer where labels are many). Giving no label to any item is
    tried too.
    """
    points, curves = fine.points, fine.curves
    z = points.x if z is None else z
    p, n = curves.n_positive, curves.n_known
    some = points.positive > 0
    own = z[some]
    if not len(own):
        return float(z.max(initial=0.0)) + 1
    most = COARSE if objective.pooled else max(32, min(most, (1 << 20) // fine.n_labels))
    tried = _evenly(own, points.label[some], most)

    def values_at(cuts: NDArray[np.float64]) -> NDArray[np.float64]:
        tp, fp = _kept(fine, z, cuts, 1 if objective.pooled else fine.n_labels)
        if objective.pooled:
            tp, fp = tp[:, 0], fp[:, 0]
            return np.asarray(objective.metric(tp, tp + fp, p.sum(), n.sum(), objective.zero_division))
        return averaged(objective, tp, tp + fp, p, n)

    values = values_at(tried)
    best = int(np.argmax(values))
    cut, value = tried[best], values[best]
    if objective.pooled and len(tried) < len(own):
        high, _, low = np.concatenate([[np.inf], tried, [-np.inf]])[best : best + 3]
        near = _distinct(own[(own >= low) & (own <= high)])
        values = values_at(near)
        cut, value = near[int(np.argmax(values))], values.max()
    if objective(0 * p, 0 * p, p, n) > value:
        return float(z.max()) + MARGIN
    below = float(z.max(initial=-np.inf, where=z < cut))
    return float(cut) - MARGIN if below == -np.inf else float(cut / 2 + below / 2)


def resampled_cuts(
    fine: FineCurves, objective: Objective, keys: NDArray[np.uint64], samples: int
) -> NDArray[np.float64]:
    """Return the best shared cut of bootstrap samples, (samples,); for micro averages.

    The items between two cuts weigh a Poisson number in all, whatever their labels: a few counts are drawn.
    """
    from limen._kernels import sampling as kernels

    points = fine.points
    some = points.positive > 0
    own = _evenly(points.x[some], points.label[some], COARSE)
    if not len(own):
        return np.zeros(samples)
    cells = np.diff(_kept(fine, points.x, own, 1)[:, :, 0], axis=1, prepend=0)
    total = np.array([fine.curves.n_positive.sum(), (fine.curves.n_known - fine.curves.n_positive).sum()])
    of_labels = np.array([fine.raw.n_positive, fine.raw.n_known - fine.raw.n_positive])
    units = (fine.units * of_labels).sum(axis=1) / np.maximum(of_labels.sum(axis=1), 1e-300)
    drawn = np.empty((samples, 2, len(own)))
    totals = np.tile(np.maximum(total - cells.sum(axis=1), 0)[:, np.newaxis], (samples, 1, 1))
    offsets, key = np.array([0, len(own)]), keys.sum(keepdims=True)
    kernels.resample(offsets, cells, np.maximum(units, 1e-300)[:, np.newaxis], key, 1 << 30, drawn, totals)
    tp, fp, p, n = drawn[:, 0], drawn[:, 1], totals[:, 0], totals.sum(axis=1)
    best = np.asarray(objective.metric(tp, tp + fp, p, n, objective.zero_division)).argmax(axis=1)
    return np.asarray(own[best])


def averaged(objective: Objective, tp: Any, pp: Any, p: Any, n: Any) -> NDArray[np.float64]:
    """Return the objective of counts (..., cuts, n_labels) with totals (..., n_labels)."""
    if objective.average == "micro" and objective.metric.by_label:
        p, n = (np.broadcast_to(part[..., np.newaxis, :], tp.shape) for part in (p, n))
        flat = [np.reshape(part, (-1, tp.shape[-1])) for part in (tp, pp, p, n)]
        return np.array([objective(*counts) for counts in zip(*flat, strict=True)]).reshape(tp.shape[:-1])
    zero = objective.zero_division
    if objective.average == "micro":
        summed = tp.sum(axis=-1), pp.sum(axis=-1)
        p, n = (part.sum(axis=-1)[..., np.newaxis] for part in (p, n))
        return np.asarray(objective.metric(*summed, p, n, zero))
    values = objective.metric(tp, pp, p[..., np.newaxis, :], n[..., np.newaxis, :], zero)
    if objective.average == "macro":
        return np.asarray(np.minimum(values.mean(axis=-1), 1.0))
    total = p.sum(axis=-1, keepdims=True)
    weight = np.where(total > 0, p / np.where(total > 0, total, 1), 0.0)
    mean = np.einsum("...ml,...l->...m", values, weight)
    return np.asarray(np.where(total > 0, np.minimum(mean, 1.0), zero))


def _distinct(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return distinct values, falling."""
    ordered = np.sort(values)[::-1]
    new = np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)]
    return np.asarray(ordered[new])


def _evenly(values: NDArray[np.float64], label: NDArray[np.int64], most: int) -> NDArray[np.float64]:
    """Return at most so many of the distinct values, falling, evenly by rank.

    Of very many only each label's first, and every so many-th from there on, are ranked.
    """
    each = len(values) >> 14
    if each > 1:
        first = np.flatnonzero(np.diff(label, prepend=-1))
        rank = np.arange(len(label)) - np.repeat(first, np.diff(first, append=len(label)))
        values = values[rank % each == 0]
    distinct = _distinct(values)
    if len(distinct) <= most:
        return distinct
    return distinct[np.linspace(0, len(distinct) - 1, most).astype(np.int64)]


def _kept(
    fine: FineCurves, z: NDArray[np.float64], cuts: NDArray[np.float64], columns: int
) -> NDArray[np.float64]:
    """Return the positives and the negatives at or above falling cuts, (2, cuts, columns)."""
    from limen._kernels import sampling as kernels

    kept = np.zeros((2, len(cuts), columns))
    kernels.count_kept((z, *fine.points[1:]), cuts, kept)
    return kept.cumsum(axis=1)
