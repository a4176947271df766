"""The default method for averages over items: local optima and calmer cuts, averaged as cross-fitting advises."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen.curves import Curves
from limen.decisions import in_dtype
from limen.folds import content_keys, outside
from limen.metrics import ratio
from limen.scales import Logit
from limen.solvers.base import Problem
from limen.solvers.calibrated import Calibration
from limen.solvers.fine import FineCurves
from limen.solvers.item_ascent import Ascent
from limen.solvers.item_table import ItemTable, along_path
from limen.solvers.places import MARGIN, Places
from limen.solvers.rules import best_shared
from limen.solvers.solution import CrossFit
from limen.sources.blocks import Source
from limen.sums import decided, of_items

PATH = 256
"""Cuts on the calibrated scale that are tried."""
RESTARTS = 10


class ItemKinds(NamedTuple):
    """What some of the data say, in log odds.

    Attributes
    ----------
    cuts : float64 (mixtures, n_labels)
    draws : float64 (samples, n_labels)
        Local optima of bootstrap samples of items.
    own : float64 (3, n_labels)
        Cuts of the kinds themselves: bagged, balanced, calibrated.
    shared : float
    """

    cuts: NDArray[np.float64]
    draws: NDArray[np.float64]
    own: NDArray[np.float64]
    shared: float


class ItemsHeldOut(NamedTuple):
    """What items add above (n_items, mixtures) and below the line (n_items,), by cuts tuned without them."""

    above: NDArray[np.float64]
    below: NDArray[np.float64]


def kinds_of(
    problem: Problem,
    fine: FineCurves,
    shares: tuple[float, ...],
    *,
    samples: int,
    strength: float,
    start: Calibration | None = None,
) -> tuple[ItemKinds, Calibration]:
    """Return the cuts of every mixture of an own kind with the shared cut, and the calibration.

    ``fine`` are the problem's curves on a finer grid; ``start`` is the calibration of more data.
    """
    scale, objective = fine.places.scale, problem.objective
    curves = problem.curves
    table = ItemTable.of(objective, problem.sources, curves.candidates, curves)
    index = Ascent(RESTARTS).climb(problem, table)
    places = Places.of(curves, scale, np.zeros(curves.n_labels, bool))
    draws = np.array([places.cut[one] for one in _of_samples(problem, table, index, samples)])
    fitted = Calibration.fit(fine) if start is None else Calibration.fit(fine, 2, start)
    calibrated = _calibrated(problem, fine, fitted)
    bagged, positives = draws.mean(axis=0), fine.positives
    bagged = np.where(positives > 0, bagged, calibrated)
    share = positives / (positives + strength)
    own = np.array([bagged, share * bagged + (1 - share) * calibrated, calibrated])
    shared = best_shared(problem, PATH)
    highest = float(fine.span[1].max()) + MARGIN
    at = highest if not np.isfinite(shared) else float(scale.forward(np.array([shared]), np.array([0]))[0])
    cuts = np.array([(1 - s) * kind + s * at for kind in own for s in shares])
    return ItemKinds(cuts, draws, own, at), fitted


def _of_samples(
    problem: Problem, table: ItemTable, index: NDArray[np.int64], samples: int
) -> list[NDArray[np.int64]]:
    """Return local optima of bootstrap samples, each climbed to from the best cuts of all items.

    An item weighs a Poisson(1) number, drawn by the rank of its content, so that the order of items does not
    matter.
    """
    rank = np.concatenate([content_keys(source, problem.keys) for source in problem.sources]).argsort(
        kind="stable"
    )
    draw = np.random.default_rng([problem.random_state, 7])
    found = []
    for _ in range(samples):
        weight = np.empty(len(rank))
        weight[rank] = draw.poisson(1.0, len(rank))
        found += table.weighing(table.weight * weight).ascend([index], Ascent.order(problem, table))
    return found


def _calibrated(problem: Problem, fine: FineCurves, fitted: Calibration) -> NDArray[np.float64]:
    """Return the cuts (n_labels,), in log odds, at the best one cut on the calibrated scale."""
    points, (low, high) = fine.points, fine.span
    z = np.sort(fitted.log_odds(points.x, points.label)[points.positive > 0])[::-1]
    if not len(z):
        return high + MARGIN
    z = z[np.unique(np.linspace(0, len(z) - 1, min(len(z), PATH)).astype(np.int64))]
    cuts = (z[:, np.newaxis] - fitted.offset) / fitted.slope
    # Clipped scores share one calibrated score: all are kept, or none.
    cuts = np.where(cuts > fitted.high, high + MARGIN, np.where(cuts <= fitted.low, low - MARGIN, cuts))
    path = np.array([in_dtype(fine.back(one), problem.dtype) for one in cuts], np.float64)
    return np.asarray(cuts[int(np.argmax(along_path(problem.objective, problem.sources, path)))])


def trained_on_others(problem: Problem, folds: list[tuple[NDArray[np.int64], Source]]) -> list[Problem]:
    """Return, for each fold, the problem of the items outside it."""
    parts: list[tuple[Source, ...]]
    if len(problem.sources) == 1:
        source = problem.sources[0]
        parts = [(source.take(outside(rows, source.n_items)),) for rows, _ in folds]
    else:
        parts = [tuple(s for other, (_, s) in enumerate(folds) if other != k) for k in range(len(folds))]
    found = []
    for sources in parts:
        counted = [Curves.from_source(source) for source in sources]
        found.append(
            replace(
                problem,
                sources=sources,
                counted=sum(counted[1:], start=counted[0]),
                groups=None,
                progress=None,
                known_kind=problem.kind,
            )
        )
    return found


def held_out(problem: Problem, source: Source, scale: Logit, cuts: NDArray[np.float64]) -> ItemsHeldOut:
    """Return what the items of a source add, by cuts (mixtures, n_labels) in log odds."""
    values = [in_dtype(scale.back(one), problem.dtype) for one in cuts]
    above, below = [], []
    for block in source.dense_blocks():
        parts = [of_items(problem.objective, block, decided(block, one, ">=")) for one in values]
        above.append(np.stack([one for one, _ in parts], axis=1))
        below.append(parts[0][1])
    return ItemsHeldOut(np.concatenate(above), np.concatenate(below))


def weights_of(
    problem: Problem, parts: list[ItemsHeldOut], positives: float, resamples: int, temperature: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the weight of each mixture by what it adds on held-out items, and its value.

    Items are resampled with exponential weights; in each resample the weights fall exponentially with the loss to
    the best, and their mean is taken.
    """
    above, below = (np.concatenate(part) for part in zip(*parts, strict=True))
    values = ratio(above.sum(axis=0), below.sum(), problem.objective.zero_division)
    # By falling sums, so that the order of items does not matter.
    order = np.lexsort((*above.T, below))
    draw = np.random.default_rng([problem.random_state, 8])
    total = np.zeros((resamples, above.shape[1] + 1))
    joined = np.column_stack([above, below])[order]
    for start in range(0, len(order), 1 << 12):
        some = joined[start : start + (1 << 12)]
        total += draw.standard_exponential((resamples, len(some))) @ some
    resampled = ratio(total[:, :-1], total[:, -1:], problem.objective.zero_division)
    scale = temperature / np.sqrt(max(positives, 1.0))
    weights = np.exp((resampled - resampled.max(axis=1, keepdims=True)) / scale)
    return (weights / weights.sum(axis=1, keepdims=True)).mean(axis=0), np.asarray(values)


def cross_fits(
    folds: list[tuple[NDArray[np.int64], Source]],
    kinds: list[ItemKinds],
    weights: list[NDArray[np.float64]],
    scale: Logit,
) -> tuple[CrossFit, ...]:
    """Return the thresholds of each fold, mixed with weights in which its own items do not count."""
    return tuple(
        CrossFit(rows, source, scale.back(weight @ kind.cuts))
        for (rows, source), kind, weight in zip(folds, kinds, weights, strict=True)
    )
