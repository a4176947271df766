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


class Starts(NamedTuple):
    """Where to look for a score: the first interval that each bucket of bit patterns reaches, by label.

    Bit patterns of floats, with those of negative numbers turned round, are whole numbers in the order of
    the floats, and nearly even in their logarithm, as the scores of rare labels are.
    """

    base: NDArray[np.int64]
    shift: NDArray[np.int64]
    first: NDArray[np.int32]
    mask: int
    drop: int


class Grid(NamedTuple):
    """Candidate cuts of all labels, and where to look among them."""

    offsets: NDArray[np.int64]
    cuts: NDArray[Any]
    starts: Starts | None = None


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


_BUCKETS = 256


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


@njit(cache=True, nogil=True, inline="always")
def _key(bits, mask, drop):
    """Return a whole number that never falls as the float of these bits rises (but -0.0 is below 0.0)."""
    wide = np.int64(bits)
    return (wide ^ ((wide >> 63) & mask)) >> drop


@njit(cache=True, nogil=True)
def _find_starts(offsets, bits, starts):
    base, shift, first, mask, drop = starts
    for k in range(offsets.shape[0] - 1):
        low, high = offsets[k], offsets[k + 1]
        if high - low < 2:
            continue
        base[k] = _key(bits[high - 1], mask, drop)
        span = _key(bits[low + 1], mask, drop) - base[k]
        while (span >> shift[k]) >= _BUCKETS:
            shift[k] += 1
        j = high - 1
        for bucket in range(_BUCKETS + 1):
            least = base[k] + (np.int64(bucket) << shift[k])
            while j > low + 1 and _key(bits[j - 1], mask, drop) < least:
                j -= 1
            first[k, bucket] = j - low


def with_starts(offsets: NDArray[np.int64], cuts: NDArray[Any]) -> Grid:
    """Return the grid of these cuts, ready for counting."""
    n_labels = len(offsets) - 1
    narrow = cuts.dtype == np.float32
    starts = Starts(
        np.zeros(n_labels, np.int64),
        np.zeros(n_labels, np.int64),
        np.zeros((n_labels, _BUCKETS + 1), np.int32),
        mask=0x7FFFFFFF if narrow else 0x7FFFFFFFFFFFFFFF,
        drop=0 if narrow else 16,
    )
    _find_starts(offsets, _bits(cuts), starts)
    return Grid(offsets, cuts, starts)


def _bits(floats: NDArray[Any]) -> NDArray[Any]:
    return floats.view(np.int32 if floats.dtype == np.float32 else np.int64)


@njit(cache=True, nogil=True)
def _count_rows(block, grid, tallies, first, last):
    scores, bits, truth, weight = block
    offsets, cuts, starts = grid
    base, shift, begin, mask, drop = starts
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
                label = first + k
                key = _key(bits[i, label], mask, drop) if score != 0 else 0
                bucket = (key - base[label]) >> shift[label]
                bucket = min(max(bucket, 0), _BUCKETS - 1)
                j = offsets[label] + begin[label, bucket]
                low = offsets[label] + begin[label, bucket + 1]
                if bucket == _BUCKETS - 1:
                    low = offsets[label] + 1
                while low < j:
                    middle = (low + j) >> 1
                    if score >= cuts[middle]:
                        j = middle
                    else:
                        low = middle + 1
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
    offsets, cuts, _ = grid
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
def add_to_bins(entries, edges, bins, sums):
    """Add each entry's weight, and weight times x, to its bin; positives and negatives apart.

    ``edges`` are the low end and the bins per unit of each label; a label has ``2 * bins`` sums.
    """
    x, label, truth, weight = entries
    low, per_unit = edges
    total, moment = sums
    for e in range(x.shape[0]):
        k = label[e]
        place = min(int((x[e] - low[k]) * per_unit[k]), bins - 1)
        cell = (k * bins + place) * 2 + (truth[e] == 1)
        total[cell] += weight[e]
        moment[cell] += weight[e] * x[e]


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
    if grid.starts is None:
        grid = with_starts(grid.offsets, grid.cuts)
    if len(block) == 3:
        kernel, block = _count_rows, (block[0], _bits(block[0]), *block[1:])
    else:
        kernel, block = _count_entries, tuple(block[:4])
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
