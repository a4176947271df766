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

_WORTH_THREADS = 1 << 15
_TILE_ROWS, _TILE_LABELS, _TILE_SCORES, _ROWS_A_CUT = 4096, 264, 1 << 17, 8
_FEW_CUTS, _COARSE, _LANES = 512, 1024, 16
_BUCKETS_A_CUT, _FEWEST_BUCKETS, _FEW_A_CUT = 8, 16, 16
_DIGIT, _FEW_KEYS = 11, 48


class Grid(NamedTuple):
    """Candidate cuts of all labels."""

    offsets: NDArray[np.int64]
    cuts: NDArray[Any]


class Positive(NamedTuple):
    """Each label's number of positive items, their scores end to end, and the range of all scores."""

    size: NDArray[np.int64]
    scores: NDArray[Any]
    ends: tuple[float, float]


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
def _count_rows(block, grid, tallies, span):
    """Count all known scores of a span of rows and labels, or weigh the positive and the negative ones apart.

    Tiles are turned, so that the scores of a label lie side by side. ``truth`` has no rows if all labels are known
    and weights do not matter.
    """
    scores, truth, weight = block
    offsets, cuts, keys = grid
    tp, fp, beneath = tallies
    top, bottom, left, last = span
    longest = 0
    for k in range(left, last):
        longest = max(longest, offsets[k + 1] - offsets[k] - 1)
    rows = max(1, min(bottom - top, max(_TILE_ROWS, _ROWS_A_CUT * longest)))
    width = min(_TILE_LABELS, max(1, max(_TILE_SCORES, scores.size >> 3) // rows), last - left)
    # The rows of a tile are set apart by no power of 2, which would crowd the cache.
    tile = np.empty((width, rows + 16), cuts.dtype)
    room = _room(cuts, rows, longest)
    for first in range(left, last, width):
        beyond = min(first + width, last)
        for start in range(top, bottom, rows):
            stop = min(start + rows, bottom)
            _turn(scores, truth, (start, stop, first, beyond), tile)
            for k in range(first, beyond):
                values, own = tile[k - first, : stop - start], slice(offsets[k], offsets[k + 1])
                if len(weight):
                    codes = truth[start:stop, k], weight[start:stop]
                    _weigh(values, codes, (cuts[own], keys[own]), (tp[own], fp[own], beneath[own]), room)
                else:
                    _count(values, (cuts[own], keys[own]), (fp[own], beneath[own]), room)


@njit(cache=True, nogil=True)
def _room(cuts, rows, longest):
    """Return room for scores, their buckets, a table of buckets, and numbers and highest scores by bucket."""
    fine = _BUCKETS_A_CUT * longest + _FEWEST_BUCKETS + 2
    few = _BUCKETS_A_CUT * min(longest, _FEW_CUTS) + _FEWEST_BUCKETS + 2
    return (
        np.empty((2, rows + 1), cuts.dtype),
        np.empty(max(rows, longest) + 1, np.int32),
        np.empty(fine, np.int32),
        np.empty((3, max(few, rows, _COARSE + 2)), np.int32),
        np.empty(few, cuts.dtype),
    )


@njit(cache=True, nogil=True)
def _turn(scores, truth, part, tile):
    """Copy a part of the scores so that a label's lie side by side, with -inf where it is unknown."""
    start, stop, first, beyond = part
    for low in range(start, stop, 8):
        high = min(low + 8, stop)
        for k in range(first, beyond):
            for i in range(low, high):
                tile[k - first, i - start] = scores[i, k]
    if len(truth):
        for i in range(start, stop):
            for k in range(first, beyond):
                if truth[i, k] < 0:
                    tile[k - first, i - start] = -np.inf


@njit(cache=True, nogil=True)
def _count(values, grid, tallies, room):
    """Add the scores of one label to its counts; ``grid`` and ``tallies`` begin with "never"."""
    cuts, keys = grid[0][1:], grid[1][1:]
    counts, beneath = tallies[0][1:], tallies[1]
    n_cuts, spare = len(cuts), room[0]
    kept, below = _sift(values, grid[0][n_cuts], spare[0])
    beneath[n_cuts] = max(beneath[n_cuts], below)
    if n_cuts == 0 or kept == 0:
        return
    if kept >= _FEW_A_CUT * n_cuts and n_cuts <= _FEW_CUTS:
        _count_in_buckets(spare[0, :kept], (cuts, keys), (counts, beneath), room)
        return
    # Where a cut gets few scores, all are compared: buckets would cost more.
    if n_cuts > _FEW_CUTS:
        _gather(kept, (cuts, keys), room)
    _count_compared(spare[0 if n_cuts <= _FEW_CUTS else 1, :kept], (cuts, keys), (counts, beneath), room)


@njit(cache=True, nogil=True)
def _gather(n, grid, room):
    """Put scores that are near together side by side, so that many cuts need not be at hand at once."""
    cuts, keys = grid
    spare, buckets, _, place, _ = room
    ruler = _ruler(cuts, keys, _COARSE)
    values, gathered, place = spare[0, :n], spare[1], place[0, : _COARSE + 2]
    place[:] = 0
    _to_buckets(values, values.view(keys.dtype), ruler, buckets)
    for i in range(n):
        place[np.uint32(buckets[i]) + np.uint32(1)] += 1
    for b in range(_COARSE + 1):
        place[b + 1] += place[b]
    for i in range(n):
        b = np.uint32(buckets[i])
        gathered[place[b]] = values[i]
        place[b] += 1


@njit(cache=True, nogil=True)
def _sift(values, lowest, out):
    """Write the scores at or above the lowest cut to ``out``; return how many, and the highest score below it.

    All are written, and stay where they are to: a branch would be mispredicted.
    """
    kept, nothing = np.uint64(0), values.dtype.type(-np.inf)
    for i in range(len(values)):
        out[kept] = values[i]
        kept += np.uint64(values[i] >= lowest)
    below = np.full(_LANES, nothing)
    whole = len(values) // _LANES * _LANES
    for start in range(0, whole, _LANES):
        for lane in range(_LANES):
            score = values[start + lane]
            score = score if score < lowest else nothing
            below[lane] = score if score > below[lane] else below[lane]
    for i in range(whole, len(values)):
        if values[i] < lowest:
            below[0] = max(below[0], values[i])
    return np.int64(kept), below.max()


@njit(cache=True, nogil=True)
def _ruler(cuts, keys, last):
    """Return how scores are divided into buckets 0 (below the lowest cut) and 1 to ``last``: see `_to_buckets`.

    Positive scores are divided by their bits, so finer the nearer to 0, and others evenly.
    """
    last = min(last, 1 << 23)  # float32 holds it
    lowest, key, width = cuts[len(cuts) - 1], np.int64(keys[len(cuts) - 1]), cuts[0] - cuts[len(cuts) - 1]
    # Neither 0 nor infinite: a distance times the scale is a number.
    scale, shift = cuts.dtype.type(min(max((last - 1) / width if width > 0 else 1, 1e-37), 1e37)), -1
    if lowest > 0:
        shift = 0
        while ((np.int64(keys[0]) - key) >> shift) + 1 > last:
            shift += 1
    return lowest, key, shift, scale, last


@njit(cache=True, nogil=True)
def _to_buckets(values, keys, ruler, buckets):
    """Write a bucket for each score that never falls as the score rises."""
    lowest, lowest_key, shift, scale, last = ruler
    if shift >= 0:
        for i in range(len(values)):
            key = max(np.int64(keys[i]), 0) - lowest_key
            buckets[i] = np.int32(min(max((key >> shift) + 1, 0), last))
    else:
        one, nothing, most = values.dtype.type(1), values.dtype.type(0), values.dtype.type(last)
        for i in range(len(values)):
            place = (values[i] - lowest) * scale + one
            place = place if place < most else most
            buckets[i] = np.int32(place if place > nothing else nothing)


@njit(cache=True, nogil=True)
def _fill_table(cuts, keys, ruler, buckets, table):
    """Write to ``table[1 + b]`` how many falling cuts lie in buckets above ``b``; return the last bucket."""
    last = ruler[4]
    _to_buckets(cuts, keys, ruler, buckets)
    b = last
    for j in range(len(cuts)):
        while b >= buckets[j]:
            table[1 + b] = j
            b -= 1
    for rest in range(b + 2):
        table[rest] = len(cuts)
    return last


@njit(cache=True, nogil=True)
def _count_compared(values, grid, tallies, room):
    """Add scores of one label, all at or above its lowest cut, to its counts.

    A score in the interval of a cut lies beneath the next higher one: ``beneath`` begins one cut earlier.
    """
    cuts, keys = grid
    counts, beneath = tallies
    buckets, table = room[1], room[2]
    ruler = _ruler(cuts, keys, _BUCKETS_A_CUT * len(cuts) + _FEWEST_BUCKETS)
    _fill_table(cuts, keys, ruler, buckets, table)
    _to_buckets(values, values.view(keys.dtype), ruler, buckets)
    for i in range(len(values)):
        b, score = np.uint64(buckets[i]), values[i]
        # Few cuts share a bucket: two are compared without a branch, which would be mispredicted.
        j = np.uint64(table[b + np.uint64(1)])
        j += np.uint64(cuts[j] > score)
        j += np.uint64(cuts[j] > score)
        if cuts[j] > score:
            j = np.uint64(_place(score, cuts, np.int64(j), np.int64(table[b]) + 1))
        counts[j] += 1
        beneath[j] = max(beneath[j], score)


@njit(cache=True, nogil=True)
def _count_in_buckets(values, grid, tallies, room):
    """Do what `_count_compared` does, by buckets: a score is compared only where a cut lies in its bucket."""
    cuts, keys = grid
    counts, beneath = tallies
    _, buckets, table, numbers, highest = room
    number, odd, mixed = numbers[0], numbers[1], numbers[2]
    ruler = _ruler(cuts, keys, _BUCKETS_A_CUT * len(cuts) + _FEWEST_BUCKETS)
    last = _fill_table(cuts, keys, ruler, buckets, table)
    _to_buckets(values, values.view(keys.dtype), ruler, buckets)
    for b in range(last + 1):
        number[b], highest[b] = 0, -np.inf
        mixed[b] = table[b] > table[b + 1]
    n_odd = np.uint64(0)
    for i in range(len(values)):
        b, score = np.uint32(buckets[i]), values[i]
        number[b] += 1
        highest[b] = max(highest[b], score)
        odd[n_odd] = i
        n_odd += np.uint64(mixed[b])
    for o in range(np.int64(n_odd)):
        b, score = np.uint64(buckets[odd[o]]), values[odd[o]]
        j = np.uint64(table[b + np.uint64(1)])
        j += np.uint64(cuts[j] > score)
        j += np.uint64(cuts[j] > score)
        if cuts[j] > score:
            j = np.uint64(_place(score, cuts, np.int64(j), np.int64(table[b]) + 1))
        counts[j] += 1
        beneath[j] = max(beneath[j], score)
    total, top = np.int32(0), cuts.dtype.type(-np.inf)
    for b in range(last, 0, -1):
        if mixed[b]:
            j = np.uint64(table[b + 1])
            counts[j] += total
            beneath[j] = max(beneath[j], top)
            total, top = np.int32(0), cuts.dtype.type(-np.inf)
        else:
            total += number[b]
            top = max(top, highest[b])


@njit(cache=True, nogil=True)
def _weigh(values, items, grid, tallies, room):
    """Add the weights of one label's items, in their order; ``grid`` and ``tallies`` begin with "never"."""
    truth, weight = items
    cuts, keys = grid[0][1:], grid[1][1:]
    tp, fp, beneath = tallies[0][1:], tallies[1][1:], tallies[2]
    n_cuts, buckets, table = len(cuts), room[1], room[2]
    if n_cuts == 0:
        for i in range(len(values)):
            if values[i] < np.inf:
                beneath[0] = max(beneath[0], values[i])
        return
    ruler = _ruler(cuts, keys, _BUCKETS_A_CUT * n_cuts + _FEWEST_BUCKETS)
    _fill_table(cuts, keys, ruler, buckets, table)
    _to_buckets(values, values.view(keys.dtype), ruler, buckets)
    for i in range(len(values)):
        score, b, j = values[i], np.uint64(buckets[i]), np.uint64(n_cuts)
        if score >= cuts[n_cuts - 1]:
            j = np.uint64(table[b + np.uint64(1)])
            j += np.uint64(cuts[j] > score)
            j += np.uint64(cuts[j] > score)
            if cuts[j] > score:
                j = np.uint64(_place(score, cuts, np.int64(j), np.int64(table[b]) + 1))
        beneath[j] = max(beneath[j], score)
        if j < n_cuts:
            if truth[i] == 1:
                tp[j] += weight[i]
            else:
                fp[j] += weight[i]


@njit(cache=True, nogil=True)
def _count_columns(values, starts, grid, tallies, span):
    """Add scores that lie label by label to the counts of a span of labels."""
    offsets, cuts, keys = grid
    counts, beneath = tallies
    first, last = span
    rows, longest = 0, 0
    for k in range(first, last):
        rows, longest = max(rows, starts[k + 1] - starts[k]), max(longest, offsets[k + 1] - offsets[k] - 1)
    room = _room(cuts, rows, longest)
    for k in range(first, last):
        own = slice(offsets[k], offsets[k + 1])
        some = values[starts[k] : starts[k + 1]]
        _count(some, (cuts[own], keys[own]), (counts[own], beneath[own]), room)


@njit(cache=True, nogil=True)
def _count_entries(block, grid, tallies, span):
    scores, label, truth, weight = block
    offsets, cuts, _ = grid
    tp, fp, beneath = tallies
    top, bottom, first, last = span
    for e in range(top, bottom):
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
def _count_truth(truth, known, positive):
    """Add the known and the positive items of each column."""
    for codes in truth:
        for k in range(len(codes)):
            known[k] += codes[k] >= 0
            positive[k] += codes[k] == 1


@njit(cache=True, nogil=True)
def _collect(scores, truth, place, out, span):
    """Write the scores of the positive items of label ``k`` from ``out[place[k]]`` on."""
    top, bottom = span
    for i in range(top, bottom):
        row, codes = scores[i], truth[i]
        for k in range(len(row)):
            if codes[k] == 1:
                out[place[k]] = row[k]
                place[k] += 1


@njit(cache=True, nogil=True)
def _distinct(bits, offsets, size, times, span):
    """Replace each label's scores by their distinct ones, falling, and write to ``size`` how many those are.

    To ``times`` is written how often each occurs.

    ``bits`` are those of the scores, as whole numbers without sign.
    """
    first, last = span
    top = 8 * bits.itemsize - 1
    sign = np.uint64(1) << np.uint64(top)
    longest = 0
    for k in range(first, last):
        longest = max(longest, offsets[k + 1] - offsets[k])
    keys, spare = np.empty(longest, bits.dtype), np.empty(longest, bits.dtype)
    room = np.empty(1 << _DIGIT, np.int64)
    for k in range(first, last):
        own = bits[offsets[k] : offsets[k + 1]]
        for i in range(len(own)):
            raw = np.uint64(own[i])
            if raw == sign:
                raw = np.uint64(0)  # -0.0 is the same number
            # Falling as the score rises.
            keys[i] = raw if raw & sign else ~raw ^ sign
        ordered = _sort(keys[: len(own)], spare[: len(own)], room, top + 1)
        n, often = 0, times[offsets[k] : offsets[k + 1]]
        for i in range(len(own)):
            if i == 0 or ordered[i] != ordered[i - 1]:
                raw = np.uint64(ordered[i])
                own[n], often[n] = raw if raw & sign else ~raw ^ sign, 0
                n += 1
            often[n - 1] += 1
        size[k] = n


@njit(cache=True, nogil=True)
def _sort(keys, spare, room, n_bits):
    """Return the keys in ascending order: one of the two arrays, which are both overwritten."""
    n = len(keys)
    if n <= _FEW_KEYS:
        for i in range(1, n):
            key, j = keys[i], i
            while j > 0 and keys[j - 1] > key:
                keys[j] = keys[j - 1]
                j -= 1
            keys[j] = key
        return keys
    digit = _DIGIT if n > 1 << _DIGIT else 8
    mask = np.uint64((1 << digit) - 1)
    for low in range(0, n_bits, digit):
        shift = np.uint64(low)
        count = room[: 1 << digit]
        count[:] = 0
        for i in range(n):
            count[(np.uint64(keys[i]) >> shift) & mask] += 1
        if count[(np.uint64(keys[0]) >> shift) & mask] == n:
            continue
        place = 0
        for d in range(len(count)):
            own = count[d]
            count[d] = place
            place += own
        for i in range(n):
            d = (np.uint64(keys[i]) >> shift) & mask
            spare[count[d]] = keys[i]
            count[d] += 1
        keys, spare = spare, keys
    return keys


@njit(cache=True, nogil=True)
def _pack(segments, starts, packed, offsets):
    """Write "never" and the first values of each segment as the label's cuts, with how often they occur."""
    values, often = segments
    cuts, times = packed
    for k in range(len(offsets) - 1):
        cuts[offsets[k]], times[offsets[k]] = np.inf, 0
        for j in range(offsets[k + 1] - offsets[k] - 1):
            cuts[offsets[k] + 1 + j], times[offsets[k] + 1 + j] = values[starts[k] + j], often[starts[k] + j]


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

    Within a label, items are added in their order where they have weights, so the sums do not depend on the
    number of processors.
    """
    if len(block[0]) == 0:
        return
    whole, tallies, n_labels = _with_keys(grid), tuple(tallies), len(grid.offsets) - 1
    kernel, size, n_rows = _count_rows if len(block) == 3 else _count_entries, block[0].size, len(block[0])
    if kernel is _count_entries or tallies[0].dtype == np.float64:
        _share(kernel, [(tuple(block[:4]), whole, tallies, (0, n_rows, *span)) for span in _spans(n_labels, size)])
        return
    tp, fp, beneath = tallies
    count_known(block, grid, (fp, beneath))
    found = positive_scores(*block[:2], check=False)
    assert found is not None
    positive, starts = np.zeros_like(tp), np.concatenate([[0], np.cumsum(found.size)])
    parts = [
        (found.scores, starts, whole, (positive, beneath), span) for span in _spans(n_labels, len(found.scores))
    ]
    _share(_count_columns, parts)
    tp += positive
    fp -= positive


def count_known(block: tuple[Any, ...], grid: Grid, tallies: tuple[NDArray[Any], ...]) -> None:
    """Add all known pairs of a dense block to their number by candidate, and the highest score beneath."""
    scores, truth, _ = block
    every, beneath = tallies
    n_rows, n_labels = scores.shape
    part = scores, truth if truth.size and truth.min() < 0 else truth[:0], np.empty(0, np.int64)
    whole, nothing = _with_keys(grid), np.empty(0, np.int64)
    if n_labels >= 4 * _processors(scores.size):
        spans = _spans(n_labels, scores.size)
        _share(_count_rows, [(part, whole, (nothing, every, beneath), (0, n_rows, *span)) for span in spans])
        return
    spans = _spans(n_rows, scores.size, max(1, scores.size // len(grid.cuts)))
    more = [(nothing, np.zeros_like(every), np.full_like(beneath, -np.inf)) for _ in spans[1:]]
    owns = [(nothing, every, beneath), *more]
    _share(_count_rows, [(part, whole, own, (*span, 0, n_labels)) for own, span in zip(owns, spans, strict=True)])
    for _, counts, highest in more:
        every += counts
        np.maximum(beneath, highest, out=beneath)


def _with_keys(grid: Grid) -> tuple[NDArray[Any], ...]:
    """Return the grid with the bits of its cuts as whole numbers."""
    return (*grid, grid.cuts.view(np.int32 if grid.cuts.itemsize == 4 else np.int64))


def complete(offsets: NDArray[np.int64], tallies: tuple[NDArray[Any], ...]) -> None:
    """Replace the tallies of each interval by those at or above each cut, and the highest score of all below."""
    tp, fp, beneath = tallies
    parts = [offsets[first : last + 1] for first, last in _spans(len(offsets) - 1, len(tp))]
    for kernel, of_intervals in ((cumulate, tp), (cumulate, fp), (highest_below, beneath)):
        _share(kernel, [(part, of_intervals) for part in parts])


def known_and_positive(truth: NDArray[np.int8]) -> NDArray[np.int64]:
    """Return each label's number of known and of positive items, (2, n_labels)."""
    return np.asarray(_known_and_positive(truth, _spans(len(truth), truth.size)).sum(axis=0))


def _known_and_positive(truth: NDArray[np.int8], spans: list[tuple[int, int]]) -> NDArray[np.int64]:
    """Return each label's number of known and of positive items by span of rows, (n_spans, 2, n_labels)."""
    return np.array(_share(_of_rows, [(truth[first:last],) for first, last in spans]))


def _of_rows(truth: NDArray[np.int8]) -> NDArray[np.int64]:
    n_labels = truth.shape[1]
    # Several short rows are taken for one long one.
    fold = max(1, _LANES * 4 // max(1, n_labels))
    whole = len(truth) // fold * fold
    found = np.zeros((2, fold * n_labels), np.int64)
    _count_truth(truth[:whole].reshape(whole // fold, fold * n_labels), *found)
    rest = truth[whole:]
    beyond = np.stack([(rest >= 0).sum(axis=0), (rest == 1).sum(axis=0)])
    return np.asarray(found.reshape(2, fold, n_labels).sum(axis=1) + beyond)


def positive_scores(scores: NDArray[Any], truth: NDArray[np.int8], *, check: bool = True) -> Positive | None:
    """Return the scores of each label's positive items, and the range of all; None if a score is not finite.

    Without ``check`` scores may be infinite.
    """
    spans = _spans(len(scores), scores.size)
    lowest, highest = np.transpose(_share(_ends, [(scores[first:last],) for first, last in spans]))
    ends = float(lowest.min()), float(highest.max())
    if check and (np.isnan(ends).any() or ends[0] == -np.inf or ends[1] == np.inf):
        return None
    if scores.shape[1] == 1:
        columns = [(truth[first:last, 0] == 1, scores[first:last, 0]) for first, last in spans]
        one = np.concatenate(_share(np.compress, columns))
        return Positive(np.array([len(one)]), one, ends)
    positive = _known_and_positive(truth, spans)[:, 1]
    size = positive.sum(axis=0)
    place = np.cumsum(positive, axis=0) - positive + (np.cumsum(size) - size)
    out = np.empty(size.sum(), scores.dtype)
    _share(_collect, [(scores, truth, own, out, span) for own, span in zip(place, spans, strict=True)])
    return Positive(size, out, ends)


def _ends(scores: NDArray[Any]) -> tuple[float, float]:
    return float(scores.min(initial=np.inf)), float(scores.max(initial=-np.inf))


def distinct_falling(
    size: NDArray[np.int64], scores: NDArray[Any]
) -> tuple[NDArray[np.int64], NDArray[Any], NDArray[np.int64]]:
    """Return offsets and cuts of labels: "never", and the distinct of the ``size[k]`` scores of label ``k``.

    ``scores`` lie end to end by label, and are overwritten. The third array says how often each cut is among them.
    """
    starts = np.concatenate([[0], np.cumsum(size)])
    parts = _processors(len(scores))
    edges = np.unique(np.searchsorted(starts, np.linspace(0, len(scores), parts + 1)[1:-1]))
    edges = np.unique([0, *edges.tolist(), len(size)])
    found, often = np.zeros(len(size), np.int64), np.empty(len(scores), np.int32)
    bits = scores.view(np.uint32 if scores.itemsize == 4 else np.uint64)
    spans = zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
    _share(_distinct, [(bits, starts, found, often, span) for span in spans])
    offsets = np.concatenate([[0], np.cumsum(found + 1)])
    cuts, times = np.empty(offsets[-1], scores.dtype), np.empty(offsets[-1], np.int64)
    _pack((scores, often), starts, (cuts, times), offsets)
    return offsets, cuts, times


def bin_block(block: tuple[Any, ...], grid: tuple[Any, Any], sums: NDArray[np.float64]) -> None:
    """Add one block's weights, and weights times x, to ``sums`` (n_labels, bins, truth, 2).

    ``grid`` holds each label's lowest x, and its number of bins a unit.
    """
    kernel = _bin_rows if len(block) == 3 else _bin_entries
    _share(kernel, [(block[:4], grid, sums, *span) for span in _spans(len(sums), block[0].size)])


def _processors(work: int) -> int:
    """Return how many processors to use for so many scores."""
    if work < _WORTH_THREADS:
        return 1
    return os.process_cpu_count() if hasattr(os, "process_cpu_count") else os.cpu_count() or 1


def _spans(n: int, work: int, most: int = 1 << 30) -> list[tuple[int, int]]:
    """Divide ``n`` rows or labels among the processors."""
    parts = min(n, _processors(work), most)
    return [(n * part // parts, n * (part + 1) // parts) for part in range(parts)]


def _share(kernel: Any, tasks: list[tuple[Any, ...]]) -> list[Any]:
    """Return what a kernel returns for each of its arguments, each on a processor of its own."""
    if len(tasks) == 1:
        return [kernel(*tasks[0])]
    with ThreadPoolExecutor(len(tasks)) as pool:
        return [done.result() for done in [pool.submit(kernel, *task) for task in tasks]]


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
