"""Bets against a broken promise, unit by unit: what units of a label, or of all labels, give at each cut."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

PRECISION, RECALL, FALSE_POSITIVE_RATE, FALSE_PER_HOUR = 0, 1, 2, 3


@njit(cache=True, nogil=True)
def outcome(kind, share, tp, fp, positive, negative):
    """Return what a unit gives towards the promise, and how much of what it is about the unit holds.

    The first is above 0 in the mean exactly if the promise is kept. For false events an hour ``negative`` holds
    hours.
    """
    if kind == PRECISION:
        return (1 - share) * tp - share * fp, tp + fp
    if kind == RECALL:
        return tp - share * positive, positive
    if kind == FALSE_PER_HOUR:
        return share * negative - fp, fp
    return share * negative - fp, negative


@njit(cache=True, nogil=True)
def moments(kind, share, sums, totals, units, out):
    """Add the outcomes of units at one cut to ``out``: their sum, the sum of squares, of sizes, the largest size.

    Parameters
    ----------
    sums : float64 (2, n_units)
        True and false positives at the cut.
    totals : float64 (2, n_units)
        Positives and negatives.
    units : int64 (n,)
        Which to look at: all that hold anything, once each.
    out : float64 (5,)
        The last is the number of units that hold anything.
    """
    for u in units:
        value, size = outcome(kind, share, sums[0, u], sums[1, u], totals[0, u], totals[1, u])
        out[0] += value
        out[1] += value * value
        out[2] += size
        out[3] = max(out[3], size)
        out[4] += size > 0


@njit(cache=True, nogil=True)
def growth(kind, share, sums, totals, units, stakes, largest, out):
    """Add the logarithm of what each stake (n_stakes,) grows to over the units to ``out``.

    The outcome of a unit that holds more than ``largest`` is scaled down to that. So many factors are multiplied
    before a logarithm is taken as cannot leave the range of floats: each lies from 0.01 to 1 + stake * largest, or
    times what the longest unit may have of false events.
    """
    top = largest
    if kind == FALSE_PER_HOUR and len(units) > 0:
        top = max(top, share * totals[1].max())
    farthest = max(2.0, math.log10(1 + stakes.max() * top))
    at_once = max(1, int(200 / farthest))
    product, held = np.ones(len(stakes)), 0
    for u in units:
        value, size = outcome(kind, share, sums[0, u], sums[1, u], totals[0, u], totals[1, u])
        if value == 0:
            continue
        if size > largest:
            value *= largest / size
        for s in range(len(stakes)):
            product[s] *= 1 + stakes[s] * value
        held += 1
        if held == at_once:
            for s in range(len(stakes)):
                out[s] += math.log(product[s])
                product[s] = 1.0
            held = 0
    for s in range(len(stakes)):
        out[s] += math.log(product[s])


@njit(cache=True, nogil=True)
def entering(score, truth, cuts):
    """Return the known items that falling cuts give, by the cut at which they enter, and where each cut's end."""
    n_cuts = len(cuts)
    place, ends = np.empty(len(score), np.int64), np.zeros(n_cuts + 1, np.int64)
    for i in range(len(score)):
        place[i] = n_cuts
        if truth[i] < 0 or score[i] < cuts[-1]:
            continue
        low, high = 0, n_cuts - 1
        while low < high:
            middle = (low + high) // 2
            if score[i] >= cuts[middle]:
                high = middle
            else:
                low = middle + 1
        place[i] = low
        ends[low + 1] += 1
    ends = np.cumsum(ends)
    at, items = ends[:-1].copy(), np.empty(ends[-1], np.int64)
    for i in range(len(score)):
        if place[i] < n_cuts:
            items[at[place[i]]] = i
            at[place[i]] += 1
    return items, ends[1:]


@njit(cache=True, nogil=True)
def label_moments(kind, share, label, entered, n_units, out):
    """Do `moments` at each falling cut of one label; ``out`` (n_cuts, 5).

    ``label`` is (truth, weight, unit) of all items; units outside 0 to n_units are left out, and unknown items.
    ``entered`` is what `entering` returned.
    """
    items, ends = entered
    sums, totals, units, n = _begin(kind, label, n_units)
    at = 0
    for c in range(len(ends)):
        n = _advance(kind, label, items[at : ends[c]], sums, units, n)
        at = ends[c]
        moments(kind, share, sums, totals, units[:n], out[c])


@njit(cache=True, nogil=True)
def label_growth(kind, share, label, entered, n_units, bets, out):
    """Do `growth` at each falling cut of one label, as `label_moments` does its part.

    ``bets`` are the stakes (n_cuts, n_stakes) and the largest sizes (n_cuts,); ``out`` is (n_cuts, n_stakes).
    """
    items, ends = entered
    stakes, largest = bets
    sums, totals, units, n = _begin(kind, label, n_units)
    at = 0
    for c in range(len(ends)):
        n = _advance(kind, label, items[at : ends[c]], sums, units, n)
        at = ends[c]
        if largest[c] > 0:
            growth(kind, share, sums, totals, units[:n], stakes[c], largest[c], out[c])


@njit(cache=True, nogil=True)
def _begin(kind, label, n_units):
    """Return sums of nothing, totals, and room for the units that hold anything, with how many there are."""
    truth, weight, unit = label
    totals, units, n = np.zeros((2, n_units)), np.empty(n_units, np.int64), 0
    if kind == PRECISION:  # then units hold what is given, and totals do not matter
        return np.zeros((2, n_units)), totals, units, n
    for i in range(len(truth)):
        if unit[i] >= 0 and truth[i] >= 0:
            totals[0 if truth[i] == 1 else 1, unit[i]] += weight[i]
    row = 0 if kind == RECALL else 1
    for u in range(n_units):
        if totals[row, u] > 0:
            units[n] = u
            n += 1
    return np.zeros((2, n_units)), totals, units, n


@njit(cache=True, nogil=True)
def _advance(kind, label, items, sums, units, n):
    """Add items to the sums, and to the units those that begin to hold something; return how many do then."""
    truth, weight, unit = label
    for i in items:
        u = unit[i]
        if u < 0 or weight[i] == 0:
            continue
        if kind == PRECISION and sums[0, u] == 0 and sums[1, u] == 0:
            units[n] = u
            n += 1
        sums[0 if truth[i] == 1 else 1, u] += weight[i]
    return n


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
