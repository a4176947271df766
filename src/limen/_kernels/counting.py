"""Counting at each cut: how many scores lie at or above it, and the highest below."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from limen._kernels.positives import positive_scores
from limen._kernels.threads import divided, processors, share

_TILE_ROWS, _TILE_LABELS, _TILE_SCORES, _ROWS_A_CUT = 4096, 264, 1 << 17, 8
_TILE_MOST, _TILE_LINE = 1 << 23, 16


_FEW_CUTS, _COARSE, _LANES = 512, 1024, 16


_BUCKETS_A_CUT, _FEWEST_BUCKETS, _FEW_A_CUT = 8, 16, 16


class Grid(NamedTuple):
    """Candidate cuts of all labels."""

    offsets: NDArray[np.int64]
    cuts: NDArray[Any]


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

    Tiles are turned, so that the scores of a label lie side by side; they are at most ``_TILE_MOST`` scores large,
    and wide enough that whole lines of memory are read. ``truth`` has no rows if all labels are known and weights
    do not matter.
    """
    scores, truth, weight = block
    offsets, cuts, keys = grid
    tp, fp, beneath = tallies
    top, bottom, left, last = span
    longest = 0
    for k in range(left, last):
        longest = max(longest, offsets[k + 1] - offsets[k] - 1)
    rows = max(1, min(bottom - top, max(_TILE_ROWS, min(_ROWS_A_CUT * longest, _TILE_MOST // _TILE_LINE))))
    width = min(_TILE_LABELS, max(1, min(_TILE_MOST, max(_TILE_SCORES, scores.size >> 3)) // rows), last - left)
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
        share(kernel, [(tuple(block[:4]), whole, tallies, (0, n_rows, *span)) for span in divided(n_labels, size)])
        return
    tp, fp, beneath = tallies
    count_known(block, grid, (fp, beneath))
    found = positive_scores(*block[:2], check=False)
    assert found is not None
    positive, starts = np.zeros_like(tp), np.concatenate([[0], np.cumsum(found.size)])
    parts = [
        (found.scores, starts, whole, (positive, beneath), span) for span in divided(n_labels, len(found.scores))
    ]
    share(_count_columns, parts)
    tp += positive
    fp -= positive


def count_known(block: tuple[Any, ...], grid: Grid, tallies: tuple[NDArray[Any], ...]) -> None:
    """Add all known pairs of a dense block to their number by candidate, and the highest score beneath."""
    scores, truth, _ = block
    every, beneath = tallies
    n_rows, n_labels = scores.shape
    part = scores, truth if truth.size and truth.min() < 0 else truth[:0], np.empty(0, np.int64)
    whole, nothing = _with_keys(grid), np.empty(0, np.int64)
    if n_labels >= 4 * processors(scores.size):
        spans = divided(n_labels, scores.size)
        share(_count_rows, [(part, whole, (nothing, every, beneath), (0, n_rows, *span)) for span in spans])
        return
    spans = divided(n_rows, scores.size, max(1, scores.size // len(grid.cuts)))
    more = [(nothing, np.zeros_like(every), np.full_like(beneath, -np.inf)) for _ in spans[1:]]
    owns = [(nothing, every, beneath), *more]
    share(_count_rows, [(part, whole, own, (*span, 0, n_labels)) for own, span in zip(owns, spans, strict=True)])
    for _, counts, highest in more:
        every += counts
        np.maximum(beneath, highest, out=beneath)


def _with_keys(grid: Grid) -> tuple[NDArray[Any], ...]:
    """Return the grid with the bits of its cuts as whole numbers."""
    return (*grid, grid.cuts.view(np.int32 if grid.cuts.itemsize == 4 else np.int64))
