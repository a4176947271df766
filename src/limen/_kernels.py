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
_TILE_ROWS, _TILE_LABELS = 512, 16
_RUN = 64


class Grid(NamedTuple):
    """Candidate cuts of all labels."""

    offsets: NDArray[np.int64]
    cuts: NDArray[Any]


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
    """Count tile by tile, each small enough to stay in the nearest cache while its labels are gone through."""
    scores, truth, weight = block
    offsets, cuts = grid
    tp, fp, beneath = tallies
    hits = np.empty((_TILE_LABELS, _TILE_ROWS), np.uint64)
    found = np.empty(_TILE_LABELS, np.uint64)
    lowest = np.empty(_TILE_LABELS, cuts.dtype)
    below = np.empty(_TILE_LABELS, cuts.dtype)
    filled_up = np.empty((_TILE_LABELS, _RUN), cuts.dtype)
    for left in range(first, last, _TILE_LABELS):
        right = min(left + _TILE_LABELS, last)
        for c in range(right - left):
            never, stop = offsets[left + c], offsets[left + c + 1]
            lowest[c], below[c] = cuts[stop - 1], beneath[stop - 1]
            # A label with few cuts has them filled up to a run by -inf, which no score is below.
            for s in range(_RUN):
                filled_up[c, s] = cuts[never + 1 + s] if never + 1 + s < stop else -np.inf
        for top in range(0, len(scores), _TILE_ROWS):
            tile = top, min(top + _TILE_ROWS, len(scores)), left, right
            _sift(block, tile, (lowest, below), hits, found)
            for c in range(right - left):
                k = left + c
                never, stop = offsets[k], offsets[k + 1]
                if stop - never > 1:
                    own = cuts[never + 1 : stop] if stop - never > _RUN else filled_up[c]
                    counts = tp[never + 1 : stop], fp[never + 1 : stop], beneath[never : stop - 1]
                    _tally((scores[:, k], truth[:, k], weight), hits[c, : found[c]], own, counts)
        for c in range(right - left):
            beneath[offsets[left + c + 1] - 1] = below[c]


@njit(cache=True, nogil=True)
def _sift(block, tile, bounds, hits, found):
    """Write to ``hits[c, : found[c]]`` the rows whose known score is at or above the label's lowest cut.

    ``bounds`` holds the lowest cut of each label, and the highest known score below it, which is raised.
    Rows are written whether they hit or not, and stay if they do: a branch would be mispredicted.
    """
    scores, truth = block[0], block[1]
    lowest, beneath = bounds
    top, bottom, left, right = tile
    for c in range(right - left):
        found[c] = 0
    for i in range(top, bottom):
        row = scores[i, left:right]
        codes = truth[i, left:right]
        for c in range(right - left):
            score = row[c]
            highest = beneath[c]
            beneath[c] = score if score < lowest[c] and score > highest and codes[c] >= 0 else highest
        for c in range(right - left):
            hits[c, found[c]] = i
            found[c] += (row[c] >= lowest[c]) & (codes[c] >= 0)


@njit(cache=True, nogil=True)
def _tally(column, hits, cuts, tallies):
    """Add the rows ``hits`` of one label, all at or above its lowest cut, to its tallies.

    ``cuts`` and ``tallies`` begin after "never", but ``beneath`` begins with it: a score in the interval of
    a cut lies beneath the next higher cut.
    """
    scores, truth, weight = column
    tp, fp, beneath = tallies
    for i in hits:
        score = scores[i]
        j = _place_in_runs(score, cuts)
        if truth[i] == 1:
            tp[j] += weight[i]
        else:
            fp[j] += weight[i]
        beneath[j] = max(beneath[j], score)


@njit(cache=True, nogil=True, inline="always")
def _place_in_runs(score, cuts):
    """Return the interval of a score at or above the lowest of at least ``_RUN`` falling cuts.

    A binary search for the run of cuts, then a count within it: the count has no branch that depends
    on the score, and is done on many cuts at once. Unsigned numbers spare the check for negative indices.
    """
    run, one = np.uint64(_RUN), np.uint64(1)
    low, high = np.uint64(0), np.uint64(len(cuts) // _RUN + 1)
    while low + one < high:
        middle = (low + high) >> one
        if cuts[middle * run - one] > score:
            low = middle
        else:
            high = middle
    start = min(low * run, np.uint64(len(cuts) - _RUN))
    above = np.int32(0)
    for step in range(_RUN):
        above = np.int32(above + (cuts[start + np.uint64(step)] > score))
    return start + np.uint64(above)


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
def _bin_rows(block, grid, sums, first, last):
    x, truth, weight = block
    for left in range(first, last, _TILE_LABELS):
        right = min(left + _TILE_LABELS, last)
        for i in range(len(x)):
            for k in range(left, right):
                if truth[i, k] >= 0:
                    _add_to_bin(x[i, k], weight[i], grid, k, sums[k, :, truth[i, k]])


@njit(cache=True, nogil=True)
def _bin_entries(block, grid, sums, first, last):
    x, label, truth, weight = block
    for e in range(len(x)):
        k = label[e]
        if first <= k < last and truth[e] >= 0:
            _add_to_bin(x[e], weight[e], grid, k, sums[k, :, truth[e]])


@njit(cache=True, nogil=True, inline="always")
def _add_to_bin(x, weight, grid, k, sums):
    low, per_unit = grid
    place = np.uint64(min(max(int((x - low[k]) * per_unit[k]), 0), len(sums) - 1))
    sums[place, 0] += weight
    sums[place, 1] += weight * x


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


def count_block(block: tuple[Any, ...], grid: Grid, tallies: tuple[NDArray[Any], ...]) -> None:
    """Add one block's known pairs to the tallies: tp, fp and the highest score beneath, by candidate.

    Each is of the interval at or above a cut and below the next higher one; ``beneath[j]`` is the highest known
    score strictly below cut ``j``.

    Within a label, items are counted in their order, so the sums of weights do not depend on the
    number of processors.
    """
    kernel = _count_rows if len(block) == 3 else _count_entries
    _share_labels(kernel, len(grid.offsets) - 1, tuple(block[:4]), grid, tallies)


def bin_block(block: tuple[Any, ...], grid: tuple[Any, Any], sums: NDArray[np.float64]) -> None:
    """Add one block's weights, and weights times x, to ``sums`` (n_labels, bins, truth, 2).

    ``grid`` holds each label's lowest x, and its number of bins a unit.
    """
    kernel = _bin_rows if len(block) == 3 else _bin_entries
    _share_labels(kernel, len(sums), tuple(block[:4]), grid, sums)


def _share_labels(kernel: Any, n_labels: int, block: tuple[Any, ...], grid: Any, out: Any) -> None:
    """Run a kernel on a block, each processor taking a range of labels."""
    parts = min(n_labels, os.process_cpu_count() if hasattr(os, "process_cpu_count") else os.cpu_count() or 1)
    edges = np.linspace(0, n_labels, parts + 1).astype(np.int64)
    ranges = list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))
    if parts == 1 or len(block[0]) < _WORTH_THREADS:
        kernel(block, grid, out, 0, n_labels)
        return
    with ThreadPoolExecutor(parts) as pool:
        for done in [pool.submit(kernel, block, grid, out, *span) for span in ranges]:
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
