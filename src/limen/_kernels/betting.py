"""Bets against a broken promise, unit by unit: what units of a label, or of all labels, give at each cut."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

PRECISION, RECALL, FALSE_POSITIVE_RATE = 0, 1, 2


@njit(cache=True, nogil=True)
def outcome(kind, share, tp, fp, positive, negative):
    """Return what a unit gives towards the promise, and how much of what it is about the unit holds.

    The first is above 0 in the mean exactly if the promise is kept.
    """
    if kind == PRECISION:
        return (1 - share) * tp - share * fp, tp + fp
    if kind == RECALL:
        return tp - share * positive, positive
    return share * negative - fp, negative


@njit(cache=True, nogil=True)
def moments(kind, share, sums, totals, out):
    """Add the outcomes of units at one cut to ``out``: their sum, the sum of squares, of sizes, the largest size.

    Parameters
    ----------
    sums : float64 (2, n_units)
        True and false positives at the cut.
    totals : float64 (2, n_units)
        Positives and negatives.
    out : float64 (5,)
        The last is the number of units that hold anything.
    """
    for u in range(sums.shape[1]):
        value, size = outcome(kind, share, sums[0, u], sums[1, u], totals[0, u], totals[1, u])
        out[0] += value
        out[1] += value * value
        out[2] += size
        out[3] = max(out[3], size)
        out[4] += size > 0


@njit(cache=True, nogil=True)
def growth(kind, share, sums, totals, stakes, largest, out):
    """Add the logarithm of what each stake (n_stakes,) grows to over the units to ``out``.

    The outcome of a unit that holds more than ``largest`` is scaled down to that.
    """
    for u in range(sums.shape[1]):
        value, size = outcome(kind, share, sums[0, u], sums[1, u], totals[0, u], totals[1, u])
        if value == 0:
            continue
        if size > largest:
            value *= largest / size
        for s in range(len(stakes)):
            out[s] += math.log1p(stakes[s] * value)


@njit(cache=True, nogil=True)
def label_moments(kind, share, items, cuts, n_units, out):
    """Do `moments` at each falling cut of one label; ``out`` (n_cuts, 5).

    ``items`` are (score, truth, weight, unit) of the known items of the label, by falling score; units outside
    0 to n_units are left out.
    """
    sums, totals = _begin(items, n_units)
    at = 0
    for c in range(len(cuts)):
        at = _advance(items, at, cuts[c], sums)
        moments(kind, share, sums, totals, out[c])


@njit(cache=True, nogil=True)
def label_growth(kind, share, items, cuts, n_units, bets, out):
    """Do `growth` at each falling cut of one label.

    ``bets`` are the stakes (n_cuts, n_stakes) and the largest sizes (n_cuts,); ``out`` is (n_cuts, n_stakes).
    """
    stakes, largest = bets
    sums, totals = _begin(items, n_units)
    at = 0
    for c in range(len(cuts)):
        at = _advance(items, at, cuts[c], sums)
        if largest[c] > 0:
            growth(kind, share, sums, totals, stakes[c], largest[c], out[c])


@njit(cache=True, nogil=True)
def _begin(items, n_units):
    _, truth, weight, unit = items
    totals = np.zeros((2, n_units))
    for i in range(len(truth)):
        if unit[i] >= 0:
            totals[0 if truth[i] == 1 else 1, unit[i]] += weight[i]
    return np.zeros((2, n_units)), totals


@njit(cache=True, nogil=True)
def _advance(items, at, cut, sums):
    score, truth, weight, unit = items
    while at < len(score) and score[at] >= cut:
        if unit[at] >= 0:
            sums[0 if truth[at] == 1 else 1, unit[at]] += weight[at]
        at += 1
    return at


@njit(cache=True, nogil=True)
def entries(scores, truth, weight, unit, family, out):
    """Add each pair of a block to the first member of a nested family that gives it.

    Parameters
    ----------
    scores, truth, weight
        Of the block, as in `limen.sources.blocks.Rows`.
    unit : int64 (n_rows,)
    family : float (n_labels, n_members)
        Thresholds of each label, never rising.
    out : (float64 (n_members + 1, 2, n_units), float64 (2, n_units))
        True and false positives by the member at which they enter (the last: never given), and totals as in
        `moments`.
    """
    given, totals = out
    n_members = family.shape[1]
    for i in range(scores.shape[0]):
        u = unit[i]
        if u < 0:
            continue
        for k in range(scores.shape[1]):
            if truth[i, k] < 0:
                continue
            row = 0 if truth[i, k] == 1 else 1
            totals[row, u] += weight[i]
            low, high = 0, n_members
            while low < high:
                middle = (low + high) // 2
                if scores[i, k] >= family[k, middle]:
                    high = middle
                else:
                    low = middle + 1
            given[low, row, u] += weight[i]
