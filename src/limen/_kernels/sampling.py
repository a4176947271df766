"""Compiled loops that draw, deal and search the counts of `limen.solvers.fine`.

Numbers that look random are hashes of a label's key, the number of the draw and the place in the label, so a
label's draws depend on nothing but these: not on other labels, nor on the order of items or labels. Arrays by
candidate are laid out as in the rest of `limen._kernels`.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from statistics import NormalDist
from typing import Any

import numpy as np
from numba import njit

BALANCED = 4096
"""Labels with at most so many positives have them dealt in equal numbers."""
FEW, PARTS = 12, 1 << 12
"""Poisson numbers of whole means up to ``FEW`` are drawn by a table of so many equal parts of 0 to 1."""


@njit(cache=True, nogil=True, inline="always")
def _mix(x):
    """Return a hash of 64 bits: the finaliser of splitmix64 (Steele, Lea & Flood 2014)."""
    x ^= x >> np.uint64(30)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@njit(cache=True, nogil=True, inline="always")
def _hashed(key, a, b):
    return _mix(
        _mix(key + np.uint64(a) * np.uint64(0x9E3779B97F4A7C15)) + np.uint64(b) * np.uint64(0xD1B54A32D192ED03)
    )


def _poisson_table():
    """Return quantiles of Poisson numbers of whole means up to ``FEW``, at the middles of parts of 0 to 1."""
    table, u = np.empty((FEW + 1, PARTS), np.uint8), (np.arange(PARTS) + 0.5) / PARTS
    for mean in range(FEW + 1):
        reached = np.cumsum([math.exp(-mean) * mean**k / math.factorial(k) for k in range(50)])
        table[mean] = np.searchsorted(reached, u)
    return table


_POISSON = _poisson_table()
_NORMAL = np.array([NormalDist().inv_cdf((part + 0.5) / PARTS) for part in range(PARTS)])


@njit(cache=True, nogil=True)
def _poisson_quantile(mean, u):
    share = math.exp(-mean)
    reached, k = share, 0.0
    while u > reached and k < 60.0:
        k += 1.0
        share *= mean / k
        reached += share
    return k


@njit(cache=True, nogil=True, inline="always")
def _add_poisson(mean, unit, hashed, lanes, reached):
    """Add ``unit`` times a Poisson number for each lane, of 16 bits of ``hashed``; large ones are continuous."""
    whole = np.rint(mean)
    known = whole <= FEW and abs(mean - whole) < 1e-9
    root = math.sqrt(mean)
    for lane in range(lanes[0], lanes[1]):
        part = np.int64((hashed >> np.uint64(16 * lane + 4)) & np.uint64(PARTS - 1))
        if known:
            reached[lane] += unit * _POISSON[np.int64(whole), part]
        elif mean > FEW:  # by Cornish and Fisher
            z = _NORMAL[part]
            reached[lane] += unit * max(mean + root * z + (z * z - 1.0) / 6.0, 0.0)
        else:
            reached[lane] += unit * _poisson_quantile(mean, (part + 0.5) / PARTS)


@njit(cache=True, nogil=True)
def resample(offsets, counts, units, keys, first_draw, cumulated, totals):
    """Write bootstrap samples: counts at or above each candidate (draws, 2, candidates), and in all.

    ``counts`` and ``units`` hold the increments and the mean size of weights, of positives and of negatives;
    ``totals`` (draws, 2, labels) holds on entry what lies below all candidates. One hash serves four draws.
    """
    reached, end = np.empty(4), first_draw + len(cumulated)
    for four in range(first_draw >> 2, (end + 3) >> 2):
        base = 4 * four
        lanes = max(first_draw - base, 0), min(end - base, 4)
        d = base - first_draw
        for k in range(len(offsets) - 1):
            start, stop = offsets[k], offsets[k + 1]
            for truth in range(2):
                unit = units[truth, k]
                reached[:] = 0.0
                for j in range(start, stop):
                    if counts[truth, j] > 0.0:
                        hashed = _hashed(keys[k], four, 2 * (j - start) + truth)
                        _add_poisson(counts[truth, j] / unit, unit, hashed, lanes, reached)
                    for lane in range(lanes[0], lanes[1]):
                        cumulated[d + lane, truth, j] = reached[lane]
                below = totals[d + lanes[0], truth, k]
                if below > 0.0:
                    hashed = _hashed(keys[k], four, 2 * (stop - start) + truth)
                    _add_poisson(below / unit, unit, hashed, lanes, reached)
                for lane in range(lanes[0], lanes[1]):
                    totals[d + lane, truth, k] = reached[lane]


@njit(cache=True, nogil=True)
def count_kept(points, cuts, kept):
    """Add each point's counts to ``kept`` (2, cuts, labels), at the first of the falling cuts that keeps it.

    ``points`` holds the place, which falls within a label, the label, and the positives and negatives of each
    point. All labels are one if ``kept`` has one column.
    """
    z, label, positive, negative = points
    number, last, j = len(cuts), -1, 0
    for i in range(len(z)):
        if label[i] != last:
            last, j = label[i], 0
        if j < number and cuts[j] > z[i]:
            step = 1
            while j + step < number and cuts[j + step] > z[i]:
                j += step
                step += step
            high = min(j + step, number)
            while j + 1 < high:
                middle = (j + high) >> 1
                if cuts[middle] > z[i]:
                    j = middle
                else:
                    high = middle
            j = high
        if j < number:
            column = last if kept.shape[2] > 1 else 0
            kept[0, j, column] += positive[i]
            kept[1, j, column] += negative[i]


@njit(cache=True, nogil=True)
def deal(offsets, counts, keys, parts):
    """Deal the items of each label at random, positives in numbers as equal as can be.

    ``parts`` (parts, 2, candidates) receives the increments. Each item is told by its rank among the positives or
    the negatives of its label.
    """
    number = len(parts)
    for k in range(len(offsets) - 1):
        start, stop = offsets[k], offsets[k + 1]
        for truth in range(2):
            n = 0
            for j in range(start, stop):
                n += counts[truth, j]
            balanced = n <= BALANCED and truth == 0
            turn = np.empty(n if balanced else 0, np.int64)
            if balanced:
                hashes = np.empty(n, np.uint64)
                for rank in range(n):
                    hashes[rank] = _hashed(keys[k], 1 << 40, rank)
                offset = np.int64(_hashed(keys[k], 1 << 41, 0) % np.uint64(number))
                for place, rank in enumerate(np.argsort(hashes)):
                    turn[rank] = (place + offset) % number
            rank = 0
            for j in range(start, stop):
                for _ in range(counts[truth, j]):
                    if balanced:
                        part = turn[rank]
                    else:
                        part = np.int64(_hashed(keys[k], (1 << 42) + truth, rank) % np.uint64(number))
                    parts[part, truth, j] += 1.0
                    rank += 1


@njit(cache=True, nogil=True)
def exponential_weights(keys, weights):
    """Write weights (parts, samples, labels) of mean 1, those of a label by its key."""
    scale = 1.0 / 9007199254740992.0
    for part in range(weights.shape[0]):
        for sample in range(weights.shape[1]):
            for k in range(weights.shape[2]):
                u = (float(_hashed(keys[k], (1 << 44) + sample, part) >> np.uint64(11)) + 0.5) * scale
                weights[part, sample, k] = -math.log(u)


@njit(cache=True, nogil=True)
def best_of_gains(offsets, counts, reward, price, out):
    """Write each label's first candidate with the largest ``reward * tp - price * fp``, for each sample.

    ``counts`` is (samples, 2, candidates); ``reward``, ``price`` and ``out`` are (samples, labels).
    """
    for d in range(len(counts)):
        for k in range(len(offsets) - 1):
            best, most = offsets[k], -np.inf
            for j in range(offsets[k], offsets[k + 1]):
                gain = reward[d, k] * counts[d, 0, j] - price[d, k] * counts[d, 1, j]
                if gain > most:
                    best, most = j, gain
            out[d, k] = best


@njit(cache=True, nogil=True)
def best_of_values(offsets, values, out):
    """Write each label's first candidate with the largest value (samples, candidates)."""
    for d in range(len(values)):
        for k in range(len(offsets) - 1):
            best, most = offsets[k], -np.inf
            for j in range(offsets[k], offsets[k + 1]):
                if values[d, j] > most:
                    best, most = j, values[d, j]
            out[d, k] = best


@njit(cache=True, nogil=True)
def lowest_at_or_above(offsets, falling, cuts, out):
    """Write, for cuts (mixtures, labels), each label's last candidate at or above; its first if there is none."""
    for m in range(len(cuts)):
        for k in range(len(offsets) - 1):
            low, high = offsets[k], offsets[k + 1]
            while low + 1 < high:
                middle = (low + high) >> 1
                if falling[middle] >= cuts[m, k]:
                    low = middle
                else:
                    high = middle
            out[m, k] = low


@njit(cache=True, nogil=True)
def logistic_sums(points, offset, slope, out):
    """Write to ``out`` (5, labels) the sums of Newton's step for each label's logistic regression.

    ``points`` holds x, label, positive weight and weight of each point; the sums are those of the residual,
    residual times x, and the curvature times 1, x and x squared.
    """
    x, label, positive, weight = points
    out[:] = 0.0
    for i in range(len(x)):
        k = label[i]
        p = 1.0 / (1.0 + math.exp(-(offset[k] + slope[k] * x[i])))
        residual, curvature = positive[i] - weight[i] * p, weight[i] * p * (1.0 - p)
        out[0, k] += residual
        out[1, k] += residual * x[i]
        out[2, k] += curvature
        out[3, k] += curvature * x[i]
        out[4, k] += curvature * x[i] * x[i]


@njit(cache=True, nogil=True)
def quantiles(x, label, weight, share, out):
    """Write each label's weighted quantile of ``x``, which falls within a label; nothing if there is no weight."""
    stop = len(x)
    while stop > 0:
        start, k, total = stop, label[stop - 1], 0.0
        while start > 0 and label[start - 1] == k:
            start -= 1
            total += weight[start]
        i, reached = stop, 0.0
        while i > start and reached < share * total * (1 - 1e-12):
            i -= 1
            reached += weight[i]
            if weight[i] > 0.0:
                out[k] = x[i]
        stop = start


@njit(cache=True, nogil=True)
def group(points, cells, sums):
    """Add points, as in `logistic_sums` and falling within a label, to equal cells of their label's range.

    ``sums`` (3, labels * cells) holds sums of weight times x, positive weight and weight.
    """
    x, label, positive, weight = points
    stop = len(x)
    while stop > 0:
        start, k = stop, label[stop - 1]
        while start > 0 and label[start - 1] == k:
            start -= 1
        low, width = x[stop - 1], x[start] - x[stop - 1]
        per_unit = (cells - 1e-6) / width if width > 0 else 0.0
        for i in range(start, stop):
            cell = k * cells + np.int64((x[i] - low) * per_unit)
            sums[0, cell] += weight[i] * x[i]
            sums[1, cell] += positive[i]
            sums[2, cell] += weight[i]
        stop = start


@njit(cache=True, nogil=True)
def hash_rows(block, keys, out):
    """Add to ``out`` (rows,) a hash of each pair of a row: label, score and truth, in whatever order."""
    bits, truth = block
    for i in range(len(bits)):
        total = np.uint64(0)
        for k in range(bits.shape[1]):
            total += _hashed(keys[k], bits[i, k], truth[i, k] + 2)
        out[i] += total


@njit(cache=True, nogil=True)
def hash_entries(entries, absent, keys, out):
    """Add to ``out`` (rows,) what `hash_rows` adds for rows of which only these entries are not ``absent``.

    ``absent`` are the bits of the score of a pair that is not among the entries, and that is negative.
    """
    bits, label, truth, row = entries
    base = np.uint64(0)
    for k in range(len(keys)):
        base += _hashed(keys[k], absent, 2)
    for i in range(len(out)):
        out[i] += base
    for e in range(len(bits)):
        k = label[e]
        out[row[e]] += _hashed(keys[k], bits[e], truth[e] + 2) - _hashed(keys[k], absent, 2)


@njit(cache=True, nogil=True)
def lowest_of_ties(offsets, falling, noise, most, keep):
    """Mark candidates further apart than the label's ``noise``, the lowest of each group that is not.

    Of more than ``most`` of a label, so many, evenly by rank. "Never" is left out.
    """
    for k in range(len(offsets) - 1):
        kept, lower = 0, -np.inf
        for j in range(offsets[k + 1] - 1, offsets[k], -1):
            if falling[j] - lower > noise[k] or lower == -np.inf:
                keep[j] = True
                lower = falling[j]
                kept += 1
        if kept > most:
            rank, taken = 0, 0
            for j in range(offsets[k + 1] - 1, offsets[k], -1):
                if keep[j]:
                    if rank * (most - 1) >= taken * (kept - 1):
                        taken += 1
                    else:
                        keep[j] = False
                    rank += 1


def in_threads(work: int, tasks: list[Callable[[], Any]]) -> list[Any]:
    """Return the results of the tasks, run at once where ``work``, in elements, is worth it."""
    if work < 1 << 20 or len(tasks) == 1:
        return [task() for task in tasks]
    with ThreadPoolExecutor(min(len(tasks), os.cpu_count() or 1)) as pool:
        return [done.result() for done in [pool.submit(task) for task in tasks]]
