"""Compiled loops that draw, deal and search the counts of `limen.solvers.fine`.

Numbers that look random are hashes of a label's key, the number of the draw and the place in the label, so a
label's draws depend on nothing but these: not on other labels, nor on the order of items or labels. Arrays by
candidate are laid out as in `limen._kernels`.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numba import njit

from limen import _kernels as _kernels  # its import tells the user once that something is compiled

BALANCED = 4096
"""Labels with at most so many positives have them dealt in equal numbers."""


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


@njit(cache=True, nogil=True)
def normal_quantile(u):
    """Return the standard normal quantile of ``u``, off by less than 5e-4 (Hastings 1955)."""
    tail = u if u < 0.5 else 1.0 - u
    t = math.sqrt(-2.0 * math.log(tail))
    z = t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1.0 + t * (1.432788 + t * (0.189269 + t * 0.001308)))
    return -z if u < 0.5 else z


@njit(cache=True, nogil=True)
def poisson_quantile(mean, u):
    """Return the Poisson quantile of ``u``; from a mean of 12 on, a continuous one by Cornish and Fisher."""
    if mean >= 12.0:
        z = normal_quantile(u)
        return max(mean + math.sqrt(mean) * z + (z * z - 1.0) / 6.0, 0.0)
    share = math.exp(-mean)
    reached, k = share, 0.0
    while u > reached and k < 60.0:
        k += 1.0
        share *= mean / k
        reached += share
    return k


@njit(cache=True, nogil=True)
def resample(offsets, counts, units, keys, first_draw, cumulated, totals):
    """Write bootstrap samples: counts at or above each candidate (draws, 2, candidates), and in all.

    ``counts`` and ``units`` hold the increments and the mean size of weights, of positives and of negatives;
    ``totals`` (draws, 2, labels) holds on entry what lies below all candidates.
    """
    scale = 1.0 / 9007199254740992.0
    for d in range(len(cumulated)):
        for k in range(len(offsets) - 1):
            start, stop = offsets[k], offsets[k + 1]
            for truth in range(2):
                unit, reached = units[truth, k], 0.0
                for j in range(start, stop):
                    if counts[truth, j] > 0.0:
                        place = 2 * (j - start) + truth
                        u = (float(_hashed(keys[k], first_draw + d, place) >> np.uint64(11)) + 0.5) * scale
                        reached += unit * poisson_quantile(counts[truth, j] / unit, u)
                    cumulated[d, truth, j] = reached
                below = totals[d, truth, k]
                if below > 0.0:
                    u = (
                        float(_hashed(keys[k], first_draw + d, 2 * (stop - start) + truth) >> np.uint64(11)) + 0.5
                    ) * scale
                    reached += unit * poisson_quantile(below / unit, u)
                totals[d, truth, k] = reached


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
    """Write weights (samples, parts, labels) of mean 1, those of a label by its key."""
    scale = 1.0 / 9007199254740992.0
    for sample in range(weights.shape[0]):
        for part in range(weights.shape[1]):
            for k in range(weights.shape[2]):
                u = (float(_hashed(keys[k], (1 << 44) + sample, part) >> np.uint64(11)) + 0.5) * scale
                weights[sample, part, k] = -math.log(u)


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
def hash_rows(block, keys, out):
    """Add to ``out`` (rows,) a hash of each pair of a row: label, score and truth, in whatever order."""
    bits, truth = block
    for i in range(len(bits)):
        total = np.uint64(0)
        for k in range(bits.shape[1]):
            total += _hashed(keys[k], bits[i, k], truth[i, k] + 2)
        out[i] += total


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
