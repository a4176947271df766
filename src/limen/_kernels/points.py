"""Counts at or above each candidate: added up, searched, and their hulls."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from limen._kernels.threads import divided, share


class Points(NamedTuple):
    """Counts at or above each candidate."""

    offsets: NDArray[np.int64]
    tp: NDArray[Any]
    pp: NDArray[Any]


@njit(cache=True, nogil=True)
def cumulate(offsets, counts):
    """Replace the counts of each interval by the counts at or above each cut."""
    for k in range(offsets.shape[0] - 1):
        for j in range(offsets[k] + 1, offsets[k + 1]):
            counts[j] += counts[j - 1]


@njit(cache=True, nogil=True)
def highest_below(offsets, beneath):
    """Replace the highest score of each interval by the highest of it and all below it."""
    for k in range(offsets.shape[0] - 1):
        for j in range(offsets[k + 1] - 2, offsets[k] - 1, -1):
            beneath[j] = max(beneath[j], beneath[j + 1])


@njit(cache=True, nogil=True)
def best_points(points, reward, price, out):
    """Write to ``out`` each label's first candidate with the largest ``reward * tp - price * pp``."""
    offsets, tp, pp = points
    for k in range(offsets.shape[0] - 1):
        best = offsets[k]
        most = reward[k] * tp[best] - price[k] * pp[best]
        for j in range(offsets[k] + 1, offsets[k + 1]):
            gain = reward[k] * tp[j] - price[k] * pp[j]
            if gain > most:
                most = gain
                best = j
        out[k] = best


@njit(cache=True, nogil=True)
def best_of(offsets, values, out):
    """Write to ``out`` the first largest value's place of each label."""
    for k in range(offsets.shape[0] - 1):
        best = offsets[k]
        for j in range(offsets[k] + 1, offsets[k + 1]):
            if values[j] > values[best]:
                best = j
        out[k] = best


@njit(cache=True, nogil=True)
def upper_hull(points, stack, keep):
    """Mark in ``keep`` the vertices of each label's upper concave hull of tp over pp.

    ``stack`` is room for as many numbers as a label has candidates.
    """
    offsets, tp, pp = points
    for k in range(offsets.shape[0] - 1):
        size = 0
        for j in range(offsets[k], offsets[k + 1]):
            if size and tp[j] <= tp[stack[size - 1]]:
                continue
            while size > 1:
                a, b = stack[size - 2], stack[size - 1]
                if (tp[b] - tp[a]) * (pp[j] - pp[b]) > (tp[j] - tp[b]) * (pp[b] - pp[a]):
                    break
                size -= 1
            stack[size] = j
            size += 1
        for s in range(size):
            keep[stack[s]] = True


@njit(cache=True, nogil=True)
def counts_at(points, ascending, thresholds, out):
    """Write to ``out[:, k]`` the tp and pp of label ``k`` at its threshold.

    ``ascending`` holds each label's scores, and ``points`` the counts at or above each of them.
    """
    offsets, tp, pp = points
    for k in range(offsets.shape[0] - 1):
        low, high = offsets[k], offsets[k + 1]
        while low < high:
            middle = (low + high) >> 1
            if ascending[middle] >= thresholds[k]:
                high = middle
            else:
                low = middle + 1
        inside = low < offsets[k + 1]
        out[0, k] = tp[low] if inside else 0
        out[1, k] = pp[low] if inside else 0


def complete(offsets: NDArray[np.int64], tallies: tuple[NDArray[Any], ...]) -> None:
    """Replace the tallies of each interval by those at or above each cut, and the highest score of all below."""
    tp, fp, beneath = tallies
    parts = [offsets[first : last + 1] for first, last in divided(len(offsets) - 1, len(tp))]
    for kernel, of_intervals in ((cumulate, tp), (cumulate, fp), (highest_below, beneath)):
        share(kernel, [(part, of_intervals) for part in parts])
