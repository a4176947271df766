"""Compiled loops over plain arrays. Nothing else in limen imports numba.

Arrays by label are stored end to end: those of label ``k`` lie at ``offsets[k]:offsets[k + 1]``.
Candidates fall within a label, and the first of each label is +inf ("never").
A score is kept by a cut when ``score >= cut``: the rule of `limen.curves.at_or_above`.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numba.core import event
from numpy.typing import NDArray

_WORTH_THREADS = 256


class Grid(NamedTuple):
    """Candidate cuts of all labels."""

    offsets: NDArray[np.int64]
    cuts: NDArray[Any]


class Tallies(NamedTuple):
    """What lies in the interval at or above each cut and below the next higher one.

    ``beneath[j]`` is the highest known score strictly below cut ``j``.
    """

    tp: NDArray[Any]
    fp: NDArray[Any]
    beneath: NDArray[Any]


class Points(NamedTuple):
    """Counts at or above each candidate."""

    offsets: NDArray[np.int64]
    tp: NDArray[Any]
    pp: NDArray[Any]


@njit(cache=True, nogil=True, inline="always")
def _place(score, cuts, low, high):
    """Return the interval of a score that is at or above the lowest cut ``cuts[high - 1]``."""
    high -= 1
    while low + 1 < high:
        middle = (low + high) >> 1
        if score >= cuts[middle]:
            high = middle
        else:
            low = middle
    return high


@njit(cache=True, nogil=True)
def _count_rows(block, grid, tallies, first, last):
    scores, truth, weight = block
    offsets, cuts = grid
    tp, fp, beneath = tallies
    lowest = np.empty(last - first, cuts.dtype)
    remainder = np.empty(last - first, cuts.dtype)
    for k in range(first, last):
        lowest[k - first] = cuts[offsets[k + 1] - 1]
        remainder[k - first] = beneath[offsets[k + 1] - 1]
    for i in range(scores.shape[0]):
        row = scores[i, first:last]
        codes = truth[i, first:last]
        for k in range(last - first):
            score = row[k]
            below = score < lowest[k]
            highest = remainder[k]
            remainder[k] = score if below and score > highest and codes[k] >= 0 else highest
        for k in range(last - first):
            score = row[k]
            if score >= lowest[k] and codes[k] >= 0:
                j = _place(score, cuts, offsets[first + k], offsets[first + k + 1])
                if codes[k] == 1:
                    tp[j] += weight[i]
                else:
                    fp[j] += weight[i]
                beneath[j - 1] = max(beneath[j - 1], score)
    for k in range(first, last):
        beneath[offsets[k + 1] - 1] = remainder[k - first]


@njit(cache=True, nogil=True)
def _count_entries(block, grid, tallies, first, last):
    scores, label, truth, weight = block
    offsets, cuts = grid
    tp, fp, beneath = tallies
    for e in range(scores.shape[0]):
        k = label[e]
        if k < first or k >= last or truth[e] < 0:
            continue
        score = scores[e]
        j = offsets[k + 1] - 1
        if score >= cuts[j]:
            j = _place(score, cuts, offsets[k], offsets[k + 1])
            if truth[e] == 1:
                tp[j] += weight[e]
            else:
                fp[j] += weight[e]
            j -= 1
        beneath[j] = max(beneath[j], score)


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


def count_block(block: tuple[Any, ...], grid: Grid, tallies: Tallies) -> None:
    """Add one block's known pairs to the tallies, each processor taking a range of labels.

    Within a label, items are counted in their order, so the sums of weights do not depend on the
    number of processors.
    """
    dense = len(block) == 3
    kernel = _count_rows if dense else _count_entries
    block = tuple(block[:4])
    n_labels = len(grid.offsets) - 1
    parts = min(n_labels, os.process_cpu_count() if hasattr(os, "process_cpu_count") else os.cpu_count() or 1)
    edges = np.linspace(0, n_labels, parts + 1).astype(np.int64)
    ranges = list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))
    if parts == 1 or len(block[0]) < _WORTH_THREADS:
        kernel(block, grid, tallies, 0, n_labels)
        return
    with ThreadPoolExecutor(parts) as pool:
        for done in [pool.submit(kernel, block, grid, tallies, *span) for span in ranges]:
            done.result()


class _SayCompiling(event.Listener):
    """Say once, on stderr, that the first use compiles; loading from the disk cache says nothing."""

    def __init__(self) -> None:
        self.said = False

    def on_start(self, _event: Any) -> None:
        if not self.said:
            self.said = True
            print(
                "limen: compiling its counting loops (a few seconds, first use only; kept on disk)",
                file=sys.stderr,
                flush=True,
            )

    def on_end(self, _event: Any) -> None:
        pass


event.register("numba:compile", _SayCompiling())
