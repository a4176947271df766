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
_TILE_ROWS, _TILE_LABELS = 128, 32
_MOST_ROWS, _FEW_CUTS = 1 << 19, 1 << 12
_BUCKETS_A_CUT, _FEWEST_BUCKETS, _COARSE = 8, 64, 512
_DIGIT, _FEW_KEYS = 11, 48


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
def _count_rows(block, grid, tallies, span):
    """Count a span of rows and labels: of a tile of labels, some rows at a time stay in the nearest cache."""
    scores, truth, weight = block
    offsets, cuts, keys = grid
    tp, fp, beneath = tallies
    top, bottom, left, last = span
    longest = 0
    for k in range(left, last):
        longest = max(longest, offsets[k + 1] - offsets[k] - 1)
    size = min(max(_TILE_ROWS, longest), _MOST_ROWS, bottom - top)
    values = np.empty((3, size + 1), cuts.dtype)
    amounts = np.empty((2, size + 1 if len(weight) else 0), weight.dtype)
    table = np.empty(0, np.int32)
    maps = np.full((_TILE_LABELS, 3), bottom - top)
    scales = np.empty(_TILE_LABELS, cuts.dtype)
    while left < last:
        # Labels with many cuts are gone through one by one, and with many rows at once.
        right, longest = left, 0
        while right < min(left + _TILE_LABELS, last):
            own_longest = max(longest, offsets[right + 1] - offsets[right] - 1)
            if own_longest > _FEW_CUTS and right > left:
                break
            right, longest = right + 1, own_longest
            if longest > _FEW_CUTS:
                break
        buckets = min(_BUCKETS_A_CUT * longest, bottom - top) + _FEWEST_BUCKETS
        if len(table) < (right - left) * buckets:
            table = np.empty((right - left) * buckets, np.int32)
        for k in range(left, right):
            if offsets[k + 1] - offsets[k] > 1:
                c, own = k - left, slice(offsets[k] + 1, offsets[k + 1])
                room = table[c * buckets : (c + 1) * buckets]
                scales[c] = _fill_table(cuts[own], keys[own], room, maps[c])
        rows = max(_TILE_ROWS, min(longest, size))
        for start in range(top, bottom, rows):
            stop = min(start + rows, bottom)
            for k in range(left, right):
                never, end, c = offsets[k], offsets[k + 1], k - left
                column = scores[start:stop, k], truth[start:stop, k], weight[start:stop]
                bounds = cuts[end - 1], beneath[end - 1]
                negative, positive, beneath[end - 1] = _sift(column, bounds, values, amounts)
                if end - never > 1:
                    room = table[c * buckets : (c + 1) * buckets]
                    own = cuts[never + 1 : end], keys[end - 1], room, maps[c], scales[c]
                    below = beneath[never : end - 1]
                    for n, which, counts in ((negative, 0, fp), (positive, 1, tp)):
                        some = values[which, : np.int64(n)]
                        if end - never > _FEW_CUTS and len(weight) == 0:
                            some = _gathered(some, keys, own, values[2])
                        _tally(some, some.view(keys.dtype), amounts[which], own, (counts[never + 1 : end], below))
        left = right


@njit(cache=True, nogil=True)
def _sift(column, bounds, values, amounts):
    """Write the scores at or above the lowest cut to ``values``; return how many, and the highest score below.

    Negatives are written to ``values[0]``, positives to ``values[1]``, their weights alike to ``amounts``. All are
    written to both, and stay where they are to: a branch would be mispredicted.
    """
    scores, truth, weight = column
    lowest, below = bounds
    negatives, positives, nothing = values[0], values[1], values.dtype.type(-np.inf)
    negative, positive = np.uint64(0), np.uint64(0)
    for i in range(len(scores)):
        score, code = scores[i], truth[i]
        negatives[negative] = positives[positive] = score
        if len(weight):
            amounts[0, negative] = amounts[1, positive] = weight[i]
        lower = score if (score < lowest) & (code >= 0) else nothing
        below = lower if lower > below else below
        negative += np.uint64((score >= lowest) & (code == 0))
        positive += np.uint64((score >= lowest) & (code == 1))
    return negative, positive, below


@njit(cache=True, nogil=True)
def _gathered(values, keys, own, spare):
    """Return the values with those near together that are alike, so that many cuts need not be at hand at once."""
    cuts, lowest_key, _, map_, scale = own
    value_keys = values.view(keys.dtype)
    lowest, shift, last = cuts[len(cuts) - 1], map_[0], map_[1]
    coarse = np.uint64(0)
    while np.uint64(last) >> coarse >= _COARSE:
        coarse += np.uint64(1)
    place = np.zeros(_COARSE + 1, np.int64)
    for i in range(len(values)):
        b = _bucket(values[i], value_keys[i], lowest, lowest_key, shift, scale, last)
        place[np.uint64(1) + (b >> coarse)] += 1
    place = np.cumsum(place)
    for i in range(len(values)):
        b = _bucket(values[i], value_keys[i], lowest, lowest_key, shift, scale, last) >> coarse
        spare[place[b]] = values[i]
        place[b] += 1
    return spare[: len(values)]


@njit(cache=True, nogil=True, inline="always")
def _bucket(score, key, lowest, lowest_key, shift, scale, last):
    """Return a bucket that never falls as the score rises: of its bits if ``shift`` is not negative."""
    if shift >= 0:
        return np.uint64(min(np.int64(key - lowest_key) >> shift, last))
    place = (score - lowest) * scale
    return np.uint64(np.int64(place) if place < last else last)


@njit(cache=True, nogil=True)
def _fill_table(cuts, keys, table, map_):
    """Write to ``table[1 + b]`` how many of the falling cuts lie in buckets above ``b``.

    Positive scores are divided by their bits, so finer the nearer to 0, and others evenly. Writes the shift of the
    bits (-1 without) and the last bucket to ``map_``, and returns the number of buckets a unit.
    """
    n_cuts, last = len(cuts), len(table) - 2
    lowest, width = cuts[n_cuts - 1], cuts[0] - cuts[n_cuts - 1]
    scale, shift = cuts.dtype.type(last / width if width > 0 else 0), -1
    if lowest > 0:
        shift = 0
        while np.int64(keys[0] - keys[n_cuts - 1]) >> shift > last:
            shift += 1
    map_[0], map_[1] = shift, last
    b = last
    for j in range(n_cuts):
        own = _bucket(cuts[j], keys[j], lowest, keys[n_cuts - 1], shift, scale, last)
        while b >= np.int64(own):
            table[1 + b] = j
            b -= 1
    for rest in range(b + 2):
        table[rest] = n_cuts
    return scale


@njit(cache=True, nogil=True)
def _tally(values, value_keys, amounts, own, tallies):
    """Add scores of one label, all at or above its lowest cut, to its counts.

    ``own`` and ``counts`` begin after "never", but ``beneath`` begins with it: a score in the interval of a cut
    lies beneath the next higher cut. Few cuts share a bucket: two are compared without a branch.
    """
    cuts, lowest_key, table, map_, scale = own
    counts, beneath = tallies
    lowest, shift, last = cuts[len(cuts) - 1], map_[0], map_[1]
    # Where an interval gets many scores, few of them are its highest: a branch is foreseen, and spares a store.
    rare = map_[2] > 16 * len(cuts)
    for i in range(len(values)):
        score = values[i]
        b = _bucket(score, value_keys[i], lowest, lowest_key, shift, scale, last)
        j = np.uint64(table[b + np.uint64(1)])
        j += np.uint64(cuts[j] > score)
        j += np.uint64(cuts[j] > score)
        if cuts[j] > score:
            j = np.uint64(_place(score, cuts, np.int64(j), np.int64(table[b]) + 1))
        if len(amounts) == 0:
            counts[j] += 1
        else:
            counts[j] += amounts[i]
        if rare:
            if score > beneath[j]:
                beneath[j] = score
        else:
            beneath[j] = max(beneath[j], score)


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
def _survey(scores, truth, positive, span):
    """Add the positive items of each label; return whether all scores are finite."""
    top, bottom = span
    odd = 0
    for i in range(top, bottom):
        row, codes = scores[i], truth[i]
        for k in range(len(row)):
            odd |= row[k] - row[k] != 0
            positive[k] += codes[k] == 1
    return odd == 0


@njit(cache=True, nogil=True)
def _count_truth(truth, known, positive, span):
    """Add the known and the positive items of each label."""
    top, bottom = span
    for i in range(top, bottom):
        codes = truth[i]
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
def _distinct(bits, offsets, size, span):
    """Replace each label's scores by their distinct ones, falling, and write to ``size`` how many those are.

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
        n = 0
        for i in range(len(own)):
            if i == 0 or ordered[i] != ordered[i - 1]:
                raw = np.uint64(ordered[i])
                own[n] = raw if raw & sign else ~raw ^ sign
                n += 1
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
def _pack(values, starts, cuts, offsets):
    """Write "never" and the first values of each segment as the label's cuts."""
    for k in range(len(offsets) - 1):
        cuts[offsets[k]] = np.inf
        for j in range(offsets[k + 1] - offsets[k] - 1):
            cuts[offsets[k] + 1 + j] = values[starts[k] + j]


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
    dense, weighted, n_labels = len(block) == 3, tallies[0].dtype == np.float64, len(grid.offsets) - 1
    part = tuple(block[:4]) if not dense or weighted else (*block[:2], np.empty(0, np.int64))
    whole = (*grid, grid.cuts.view(np.int32 if grid.cuts.itemsize == 4 else np.int64))
    kernel, size, n_rows = _count_rows if dense else _count_entries, block[0].size, len(block[0])
    if not dense or weighted or n_labels >= 4 * _processors(size):
        spans = _spans(n_labels, size)
        _share(kernel, [(part, whole, tuple(tallies), (0, n_rows, *span)) for span in spans])
        return
    spans = _spans(n_rows, size, max(1, size // len(grid.cuts)))
    more = [
        (np.zeros_like(tallies[0]), np.zeros_like(tallies[1]), np.full_like(tallies[2], -np.inf))
        for _ in spans[1:]
    ]
    owns = [tuple(tallies), *more]
    _share(kernel, [(part, whole, own, (*span, 0, n_labels)) for own, span in zip(owns, spans, strict=True)])
    for own in more:
        for into, add, extra in zip(tallies, (np.add, np.add, np.maximum), own, strict=True):
            add(into, extra, out=into)


def complete(offsets: NDArray[np.int64], tallies: tuple[NDArray[Any], ...]) -> None:
    """Replace the tallies of each interval by those at or above each cut, and the highest score of all below."""
    tp, fp, beneath = tallies
    parts = [offsets[first : last + 1] for first, last in _spans(len(offsets) - 1, len(tp))]
    for kernel, of_intervals in ((cumulate, tp), (cumulate, fp), (highest_below, beneath)):
        _share(kernel, [(part, of_intervals) for part in parts])


def known_and_positive(truth: NDArray[np.int8]) -> NDArray[np.int64]:
    """Return each label's number of known and of positive items, (2, n_labels)."""
    spans = _spans(len(truth), truth.size)
    found = np.zeros((len(spans), 2, truth.shape[1]), np.int64)
    _share(_count_truth, [(truth, *own, span) for own, span in zip(found, spans, strict=True)])
    return np.asarray(found.sum(axis=0))


def positive_scores(
    scores: NDArray[Any], truth: NDArray[np.int8]
) -> tuple[NDArray[np.int64], NDArray[Any]] | None:
    """Return each label's number of positive items, and their scores end to end; None if a score is not finite."""
    spans = _spans(len(scores), scores.size)
    positive = np.zeros((len(spans), scores.shape[1]), np.int64)
    if not all(_share(_survey, [(scores, truth, *one) for one in zip(positive, spans, strict=True)])):
        return None
    size = positive.sum(axis=0)
    place = np.cumsum(positive, axis=0) - positive + (np.cumsum(size) - size)
    out = np.empty(size.sum(), scores.dtype)
    _share(_collect, [(scores, truth, own, out, span) for own, span in zip(place, spans, strict=True)])
    return size, out


def distinct_falling(size: NDArray[np.int64], scores: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Return offsets and cuts of labels: "never", and the distinct of the ``size[k]`` scores of label ``k``.

    ``scores`` lie end to end by label, and are overwritten.
    """
    starts = np.concatenate([[0], np.cumsum(size)])
    parts = _processors(len(scores))
    edges = np.unique(np.searchsorted(starts, np.linspace(0, len(scores), parts + 1)[1:-1]))
    edges = np.unique([0, *edges.tolist(), len(size)])
    found = np.zeros(len(size), np.int64)
    bits = scores.view(np.uint32 if scores.itemsize == 4 else np.uint64)
    _share(
        _distinct,
        [(bits, starts, found, span) for span in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)],
    )
    offsets = np.concatenate([[0], np.cumsum(found + 1)])
    cuts = np.empty(offsets[-1], scores.dtype)
    _pack(scores, starts, cuts, offsets)
    return offsets, cuts


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
