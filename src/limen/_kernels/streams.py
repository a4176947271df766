"""Bins of scores read once: finest for the highest scores, and the same whatever the order of the data.

A score's key is a whole number without sign that rises with the score: its bits, those of negative scores turned
over. A column holds the positive or the negative items of a label: ``2 * label + truth``. The bins of a column
fall and do not overlap: the ``i``-th holds all its items with one ``key >> shifts[i // most]``, and knows the
lowest and the highest key of them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from limen._kernels.positives import _sort, known_and_positive
from limen._kernels.threads import divided, share

_TILE_LABELS, _DIGIT = 16, 11


class Bins(NamedTuple):
    """Bins by column: those of column ``c`` lie at ``offsets[c]:offsets[c + 1]``, falling.

    ``low`` and ``high`` are keys, uint32 or uint64; ``n`` counts items (int64) or sums weights (float64).
    """

    offsets: NDArray[np.int64]
    low: NDArray[Any]
    high: NDArray[Any]
    n: NDArray[Any]


class Items(NamedTuple):
    """Items by column: the keys of column ``c`` lie at ``starts[c]:ends[c]``; ``weight`` may be empty."""

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    keys: NDArray[Any]
    weight: NDArray[np.float64]


class Windows(NamedTuple):
    """Spans of keys, ends included: those of label ``k`` lie at ``offsets[k]:offsets[k + 1]``, falling."""

    offsets: NDArray[np.int64]
    low: NDArray[Any]
    high: NDArray[Any]


@njit(cache=True, nogil=True)
def _collect(block, items, windows, odd, span):
    """Write the keys of a block of rows to their columns from ``ends`` on, which moves; those in windows only.

    Sets ``odd`` if a score is not finite.
    """
    bits, truth, weight = block
    _, ends, keys, weights = items
    offsets, low, high = windows
    sign = np.uint64(1) << np.uint64(8 * bits.itemsize - 1)
    every = sign - np.uint64(1) + sign
    exponents = np.uint64(0x7F800000) if bits.itemsize == 4 else np.uint64(0x7FF0000000000000)
    for left in range(span[0], span[1], _TILE_LABELS):
        right = min(left + _TILE_LABELS, span[1])
        for i in range(len(bits)):
            for k in range(left, right):
                raw = np.uint64(bits[i, k])
                odd[left] |= raw & exponents == exponents
                if truth[i, k] < 0:
                    continue
                raw = np.uint64(0) if raw == sign else raw
                key = raw ^ (every if raw & sign else sign)
                if len(offsets) and not _inside(
                    key, low[offsets[k] : offsets[k + 1]], high[offsets[k] : offsets[k + 1]]
                ):
                    continue
                column = 2 * k + truth[i, k]
                place = ends[column]
                keys[place] = key
                if len(weights):
                    weights[place] = weight[i]
                ends[column] = place + 1


@njit(cache=True, nogil=True)
def _inside(key, low, high):
    """Return whether a key lies in one of some falling spans."""
    first, last = 0, len(low)
    while first < last:
        middle = (first + last) >> 1
        if key < np.uint64(low[middle]):
            first = middle + 1
        else:
            last = middle
    return first < len(low) and key <= np.uint64(high[first])


@njit(cache=True, nogil=True)
def _ordered(keys, weight, room):
    """Return the keys of a column, falling, twice, and what each item weighs: those of one key in their order."""
    pair, digits, number = room
    n = len(keys)
    for i in range(n):
        pair[0, i] = ~keys[i]
    if len(weight):
        order = np.argsort(pair[0, :n], kind="mergesort")
        falling = keys[order]
        for i in range(n):
            number[i] = weight[order[i]]
        return falling, falling, number[:n]
    falling = _sort(pair[0, :n], pair[1, :n], digits, 8 * keys.itemsize)
    for i in range(n):
        falling[i] = ~falling[i]
    return falling, falling, number[:n]


@njit(cache=True, nogil=True)
def _merge(a, b, shifts, most, out):
    """Write the bins of two parts of a column's data together to ``out``; return how many.

    Where a part has bins of some fineness, it has ``most`` finer ones above them; so have both parts together, and
    what was lost to coarser bins there is not asked for.
    """
    a_low, a_high, a_n = a
    b_low, b_high, b_n = b
    low, high, number = out
    i, j, size, level, inside = 0, 0, 0, 0, 0
    shift = np.uint64(shifts[0])
    while i < len(a_low) or j < len(b_low):
        if j >= len(b_low) or (i < len(a_low) and a_low[i] >= b_low[j]):
            bottom, top = a_low[i], a_high[i]
        else:
            bottom, top = b_low[j], b_high[j]
        if inside == most:
            level, inside = level + 1, 0
            shift = np.uint64(shifts[level])
        prefix, n = np.uint64(bottom) >> shift, number.dtype.type(0)
        while i < len(a_low) and np.uint64(a_low[i]) >> shift == prefix:
            bottom, top, n = min(bottom, a_low[i]), max(top, a_high[i]), n + a_n[i]
            i += 1
        while j < len(b_low) and np.uint64(b_low[j]) >> shift == prefix:
            bottom, top, n = min(bottom, b_low[j]), max(top, b_high[j]), n + b_n[j]
            j += 1
        low[size], high[size], number[size] = bottom, top, n
        size, inside = size + 1, inside + 1
    return size


@njit(cache=True, nogil=True)
def _absorb(items, bins, ladder, out, span):
    """Write the bins of a span of columns, with new items, to ``out``."""
    starts, ends, keys, weight = items
    offsets, low, high, n = bins
    shifts, most = ladder
    places, sizes, out_low, out_high, out_n = out
    longest = 1
    for c in range(span[0], span[1]):
        longest = max(longest, ends[c] - starts[c])
    pair, digits = np.empty((2, longest), keys.dtype), np.empty(1 << _DIGIT, np.int64)
    number = np.ones(longest, n.dtype)
    for c in range(span[0], span[1]):
        own = keys[starts[c] : ends[c]]
        weights = weight[starts[c] : ends[c]] if len(weight) else weight
        new = _ordered(own, weights, (pair, digits, number))
        old = slice(offsets[c], offsets[c + 1])
        to = slice(places[c], places[c + 1])
        whole = (out_low[to], out_high[to], out_n[to])
        sizes[c] = _merge((low[old], high[old], n[old]), new, shifts, most, whole)


@njit(cache=True, nogil=True)
def _unite(a, b, ladder, out, span):
    """Write the bins of two parts together, for a span of columns, to ``out``."""
    places, sizes, out_low, out_high, out_n = out
    for c in range(span[0], span[1]):
        x, y = slice(a[0][c], a[0][c + 1]), slice(b[0][c], b[0][c + 1])
        to = slice(places[c], places[c + 1])
        parts = (a[1][x], a[2][x], a[3][x]), (b[1][y], b[2][y], b[3][y])
        sizes[c] = _merge(parts[0], parts[1], ladder[0], ladder[1], (out_low[to], out_high[to], out_n[to]))


@njit(cache=True, nogil=True)
def _pack(places, values, offsets, packed):
    """Write the first values of each column's room one after the other."""
    for c in range(len(offsets) - 1):
        size = offsets[c + 1] - offsets[c]
        packed[offsets[c] : offsets[c + 1]] = values[places[c] : places[c] + size]


def no_bins(n_columns: int, key: Any, number: Any) -> Bins:
    """Return the bins of no items."""
    return Bins(np.zeros(n_columns + 1, np.int64), np.empty(0, key), np.empty(0, key), np.empty(0, number))


def collect(block: tuple[Any, ...], weighted: bool, windows: Windows | None = None) -> Items | None:
    """Return the items of a block of rows by column, those in windows only; None if a score is not finite."""
    scores, truth, weight = block
    known, positive = known_and_positive(truth)
    size = np.stack([known - positive, positive], axis=1).ravel()
    starts = np.cumsum(size) - size
    bits = scores.view(np.uint32 if scores.itemsize == 4 else np.uint64)
    total = int(size.sum())
    given = np.asarray(weight, np.float64) if weighted else np.empty(0)
    items = Items(starts, starts.copy(), np.empty(total, bits.dtype), np.empty(total if weighted else 0))
    inside = Windows(np.empty(0, np.int64), *np.empty((2, 0), bits.dtype)) if windows is None else windows
    odd = np.zeros(max(1, truth.shape[1]), bool)
    spans = divided(truth.shape[1], truth.size)
    share(_collect, [((bits, truth, given), tuple(items), tuple(inside), odd, span) for span in spans])
    return None if odd.any() else items


def absorb(items: Items, bins: Bins, shifts: NDArray[np.int64], most: int) -> Bins:
    """Return bins with new items: of each fineness ``most`` bins at most, the finest first."""
    rooms = np.minimum(np.diff(bins.offsets) + items.ends - items.starts, most * len(shifts))
    columns = divided(len(rooms), len(items.keys))
    return _written(
        rooms,
        bins,
        lambda out: share(_absorb, [(tuple(items), tuple(bins), (shifts, most), out, span) for span in columns]),
    )


def unite(a: Bins, b: Bins, shifts: NDArray[np.int64], most: int) -> Bins:
    """Return the bins of two parts of the data together."""
    rooms = np.minimum(np.diff(a.offsets) + np.diff(b.offsets), most * len(shifts))
    columns = divided(len(rooms), len(a.low) + len(b.low))
    return _written(
        rooms, a, lambda out: share(_unite, [(tuple(a), tuple(b), (shifts, most), out, span) for span in columns])
    )


def _written(rooms: NDArray[np.int64], like: Bins, write: Any) -> Bins:
    """Return bins of which a kernel writes so many at most for each column."""
    places = np.concatenate([[0], np.cumsum(rooms)])
    sizes = np.zeros(len(rooms), np.int64)
    parts = tuple(np.empty(places[-1], part.dtype) for part in like[1:])
    write((places, sizes, *parts))
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    packed = tuple(np.empty(offsets[-1], part.dtype) for part in like[1:])
    for values, out in zip(parts, packed, strict=True):
        _pack(places, values, offsets, out)
    return Bins(offsets, *packed)
