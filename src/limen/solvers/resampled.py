"""Exact cuts of bootstrap samples, many samples at once."""

from __future__ import annotations

from dataclasses import replace
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from limen.curves import prevalence_factors
from limen.metrics import Linear, LinearRatio, ratio
from limen.objectives import Objective
from limen.solvers.exact import exact_index
from limen.solvers.fine import FineCurves


def exact_cuts_of(
    fine: FineCurves,
    objective: Objective,
    keys: NDArray[np.uint64],
    first: int,
    samples: int,
    value: float | None = None,
) -> tuple[NDArray[np.float64], float | None]:
    """Return the exact cuts (samples, n_labels), in log odds, of bootstrap samples from number ``first`` on.

    And the value of a ratio of sums there; one that is given, that of more labels, decides what a tag may cost.

    Each item weighs Poisson(1), so the count of an interval is a Poisson number: no pass over the scores.
    """
    step = min(samples, max(1, CELLS // len(fine.raw.tp) // 4) * 4)
    room = np.empty((step, *fine.increments.shape), np.float32)
    found, guess = [], value
    for start in range(0, samples, step):
        index, guess = _exact_of(fine, objective, keys, first + start, room[: samples - start], guess, value)
        found.append(fine.places.cut[index])
    return np.concatenate(found), guess


def _exact_of(
    fine: FineCurves,
    objective: Objective,
    keys: NDArray[np.uint64],
    first: int,
    drawn: NDArray[np.float32],
    guess: float | None,
    value: float | None,
) -> tuple[NDArray[np.int64], float | None]:
    """Return the optima (samples, n_labels) of as many samples as ``drawn`` has room for and a value to expect."""
    from limen._kernels import sampling as kernels

    curves, places, samples = fine.raw, fine.places, len(drawn)
    totals = np.repeat(np.stack(fine.below)[np.newaxis].astype(np.float64), samples, axis=0)
    kernels.resample(curves.offsets, fine.increments, fine.units, keys, first, drawn, totals)
    if fine.target is not None:
        positive, known = totals[:, 0], totals.sum(axis=1)
        factors = np.stack(prevalence_factors(positive, known, fine.target), axis=1)
        drawn *= factors[:, :, places.label]
        totals *= factors
    positive, known = totals[:, 0], totals.sum(axis=1)
    index = np.empty((samples, fine.n_labels), np.int64)
    if objective.structure == "separable":
        values = _of_labels(objective, drawn, positive, known, places.label)
        kernels.best_of_values(curves.offsets, values, index)
    elif isinstance(objective.metric, LinearRatio):
        return _dinkelbach(curves.offsets, objective, drawn, (positive, known), guess, value)
    else:
        for row, counts, p, n in zip(index, drawn, positive, known, strict=True):
            tp, fp = counts.astype(np.float64)
            sample = replace(curves, tp=tp, fp=fp, n_positive=p, n_known=n, sources=())
            row[:] = exact_index(sample, objective)
    return index, None


def _of_labels(
    objective: Objective,
    drawn: NDArray[np.float32],
    positive: NDArray[np.float64],
    known: NDArray[np.float64],
    label: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return the metric of each label alone at each candidate, (samples, n_candidates)."""
    values = np.empty((len(drawn), len(label)))
    for start in range(0, len(label), BLOCK):
        some = slice(start, start + BLOCK)
        own = label[some]
        metric = objective.metric.with_labels(itemgetter(own))
        tp, fp = drawn[:, :, some].swapaxes(0, 1)
        values[:, some] = metric(tp, tp + fp, positive[:, own], known[:, own], objective.zero_division)
    return values


def _dinkelbach(
    offsets: NDArray[np.int64],
    objective: Objective,
    drawn: NDArray[np.float32],
    of_all: tuple[NDArray[np.float64], NDArray[np.float64]],
    guess: float | None,
    value: float | None = None,
) -> tuple[NDArray[np.int64], float]:
    """Return the optimum (samples, n_labels) of a ratio of sums over labels, and the mean of the values.

    See `Dinkelbach`, which proves it. From a ``guess`` that is too high the first step leads below the optimum,
    from where values rise. With a ``value``, that of more labels than these, one step finds what is best there.
    """
    from limen._kernels import sampling as kernels

    assert isinstance(objective.metric, LinearRatio)
    positive, known = of_all
    shape = positive.shape
    if objective.metric.by_label:
        pairs = [
            objective.metric.pooled_terms(p, n, objective.zero_division)
            for p, n in zip(positive, known, strict=True)
        ]
        above, below = (_stacked([pair[side] for pair in pairs], shape) for side in (0, 1))
    else:
        terms = objective.metric.terms(positive.sum(axis=1), known.sum(axis=1), objective.zero_division)
        above, below = (_spread_out(side, shape) for side in terms)
    never = np.broadcast_to(offsets[:-1], shape)

    def totals(index: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        tp = np.take_along_axis(drawn[:, 0], index, axis=1)
        pp = tp + np.take_along_axis(drawn[:, 1], index, axis=1)
        return tuple((side.of_tp * tp + side.of_pp * pp).sum(axis=1) + side.constant for side in (above, below))

    none = ratio(*totals(never), objective.zero_division)
    best, most = np.array(never), np.full(len(positive), -np.inf)
    first = guess is not None
    now = none if guess is None else np.maximum(none, guess)
    if value is not None:
        now = np.full(len(positive), value)
    for _ in range(STEPS):
        # tp and fp: a tag costs what it adds to pp, and a right one gives what it adds to tp besides.
        of_tp = above.of_tp - now[:, np.newaxis] * below.of_tp
        of_pp = above.of_pp - now[:, np.newaxis] * below.of_pp
        index = np.empty(shape, np.int64)
        kernels.best_of_gains(offsets, drawn, of_tp + of_pp, -of_pp, index)
        if value is not None:
            return index, value
        found = np.asarray(ratio(*totals(index), objective.zero_division))
        better = found > most
        best[better], most[better] = index[better], found[better]
        if not ((found > now + 1e-12) | (found < now - 1e-12) & first).any():
            break
        now, first = np.maximum(none, found) if first else np.maximum(now, found), False
    best[none >= most] = offsets[:-1]
    return best, float(np.maximum(none, most).mean())


def _spread_out(terms: Linear, shape: tuple[int, ...]) -> Linear:
    """Return terms by sample with coefficients (samples, n_labels) and constants (samples,)."""
    of_tp, of_pp = (np.broadcast_to(np.asarray(x, np.float64).reshape(-1, 1), shape) for x in terms[:2])
    return Linear(of_tp, of_pp, np.broadcast_to(np.asarray(terms.constant, np.float64), shape[:1]))


def _stacked(terms: list[Linear], shape: tuple[int, ...]) -> Linear:
    """Return the terms of all samples: coefficients (samples, n_labels), constants (samples,)."""
    of_tp, of_pp = (
        np.stack([np.broadcast_to(np.asarray(term[side], np.float64), shape[1:]) for term in terms])
        for side in (0, 1)
    )
    return Linear(of_tp, of_pp, np.array([float(term.constant) for term in terms]))


CELLS = 1 << 18
"""Resampled counts kept at one time, about: those of a few samples stay in a near cache."""
BLOCK = 1 << 13
"""Candidates whose metric is reckoned at one time, so that what it takes stays in a near cache."""
STEPS = 30
"""More than Dinkelbach's steps ever are: they close in faster than linearly."""
