"""Compiled loops over the counts of each item: one label's cut moves, and all items' values follow.

An item has counts tp and pp of the labels it is given; what it is worth is decided by those, its class and the
form:

* ``RATIO``: ``(c0 tp + c1 pp + c2) / (c3 tp + c4 pp + c5)``, at most 1, and c6 for 0/0; c are those of the class;
* ``SUBSET``: 1 if tp and pp are both c2, else 0;
* ``SEGMENT``: ``-max(c2 - tp, pp - tp)``.

Candidates are laid out as in the rest of `limen._kernels`. Candidate ``j`` of all adds the items from ``starts[2
j]`` to ``starts[2 j + 1]``, for which the label is true, and those from there to ``starts[2 j + 2]``, for which it
is not.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from limen._kernels.threads import divided, share

RATIO, SUBSET, SEGMENT = 0, 1, 2
_LABELS = 16
"""Labels whose cuts are searched in turn, and stay in a near cache."""


class Worth(NamedTuple):
    """What items are worth: the form, coefficients by class (n_classes, 7), and the class of each item."""

    form: int
    coefficients: NDArray[np.float64]
    class_of: NDArray[np.int32]


class Flips(NamedTuple):
    """The items that each candidate adds to those of the candidates above it."""

    offsets: NDArray[np.int64]
    starts: NDArray[np.int64]
    items: NDArray[np.int32]


@njit(cache=True, nogil=True, inline="always")
def _value(form, c, tp, pp):
    if form == 1:
        return 1.0 if tp == c[2] and pp == c[2] else 0.0
    if form == 2:
        return -max(c[2] - tp, pp - tp)
    below = c[3] * tp + c[4] * pp + c[5]
    if below == 0:
        return c[6]
    return min((c[0] * tp + c[1] * pp + c[2]) / below, 1.0)


@njit(cache=True, nogil=True)
def _scatter(block, grid, place, items, span):
    """Put each known pair into its candidate's place; with no ``items``, count the pairs of each only."""
    scores, truth, row = block
    offsets, cuts = grid
    for left in range(span[0], span[1], _LABELS):
        for i in range(scores.shape[0]):
            for k in range(left, min(left + _LABELS, span[1])):
                score, code = scores[i, k], truth[i, k]
                if code < 0 or score < cuts[offsets[k + 1] - 1]:
                    continue
                low, high = offsets[k], offsets[k + 1] - 1
                while low < high:
                    middle = (low + high) >> 1
                    if cuts[middle] <= score:
                        high = middle
                    else:
                        low = middle + 1
                at = 2 * low + (code != 1)
                if len(items):
                    items[place[at]] = row + i
                place[at] += 1


def scatter(block: tuple[Any, ...], grid: tuple[Any, ...], place: NDArray[Any], items: NDArray[Any]) -> None:
    """Put the known pairs of a block (scores, truth, first row) into their candidates' places, or count them.

    Pairs are in row order within a place. Without ``items`` they are only counted.
    """
    n_labels = len(grid[0]) - 1
    share(_scatter, [(block, grid, place, items, span) for span in divided(n_labels, block[0].size)])


@njit(cache=True, nogil=True)
def give(flips, index, tp, pp):
    """Add to the counts (n_items,) what the labels give that are cut at candidates ``index``."""
    offsets, starts, items = flips
    for k in range(len(index)):
        for j in range(offsets[k], index[k] + 1):
            for e in range(starts[2 * j], starts[2 * j + 2]):
                tp[items[e]] += e < starts[2 * j + 1]
                pp[items[e]] += 1


@njit(cache=True, nogil=True)
def worth_of(worth, weight, tp, pp, values):
    """Write the value of each item to ``values``; return their weighted sum."""
    form, coefficients, class_of = worth
    total = 0.0
    for i in range(len(tp)):
        values[i] = _value(form, coefficients[class_of[i]], tp[i], pp[i])
        total += weight[i] * values[i]
    return total


@njit(cache=True, nogil=True)
def _change(flips, j, by, worth, state):
    """Give (1) or take (-1) a label to or from the items of a candidate, and value them anew."""
    _, starts, items = flips
    form, coefficients, class_of = worth
    tp, pp, values = state
    for e in range(starts[2 * j], starts[2 * j + 2]):
        i = items[e]
        tp[i] += by * (e < starts[2 * j + 1])
        pp[i] += by
        values[i] = _value(form, coefficients[class_of[i]], tp[i], pp[i])


@njit(cache=True, nogil=True)
def ascend(flips, worth, weight, order, index, least, most_sweeps):
    """Move one label's cut after another to where all items are worth most, until none moves; return how often.

    ``index`` holds each label's candidate, and is changed. A move must gain more than ``least``; of moves that
    gain alike the highest cut is taken. Items of weight 0 are as if they were not there.
    """
    offsets, starts, items = flips
    form, coefficients, class_of = worth
    n_items = len(weight)
    tp, pp = np.zeros(n_items, np.int32), np.zeros(n_items, np.int32)
    values = np.empty(n_items)
    give(flips, index, tp, pp)
    worth_of(worth, weight, tp, pp, values)
    moves, still = 0, 0
    for _ in range(most_sweeps):
        for o in range(len(order)):
            if still >= len(order):
                return moves
            k = order[o]
            first, last, now = offsets[k], offsets[k + 1], index[k]
            for j in range(first, now + 1):
                _change(flips, j, -1, worth, (tp, pp, values))
            # What the positives add at most: they alone can gain, so the search ends where too little is left.
            left = 0.0
            for j in range(first, last):
                for e in range(starts[2 * j], starts[2 * j + 1]):
                    i = items[e]
                    if weight[i] > 0:
                        left += weight[i] * (
                            _value(form, coefficients[class_of[i]], tp[i] + 1, pp[i] + 1) - values[i]
                        )
            gain, best, at, here = 0.0, 0.0, first, 0.0
            for j in range(first + 1, last):
                if j > now and gain + left <= best:
                    break
                for e in range(starts[2 * j], starts[2 * j + 2]):
                    i = items[e]
                    if weight[i] > 0:
                        right = e < starts[2 * j + 1]
                        more = weight[i] * (
                            _value(form, coefficients[class_of[i]], tp[i] + right, pp[i] + 1) - values[i]
                        )
                        gain += more
                        if right:
                            left -= more
                if gain > best:
                    best, at = gain, j
                if j == now:
                    here = gain
            if best <= here + least:
                at = now
            if at != now:
                moves += 1
                still = 0
            still += 1
            index[k] = at
            for j in range(first, at + 1):
                _change(flips, j, 1, worth, (tp, pp, values))
    return moves


@njit(cache=True, nogil=True)
def along(flips, worth, weight, totals):
    """Write to ``totals`` what items are worth where all labels are cut at their first, second, ... candidate.

    All labels have as many candidates.
    """
    offsets, starts, items = flips
    form, coefficients, class_of = worth
    n_items = len(weight)
    tp, pp = np.zeros(n_items, np.int32), np.zeros(n_items, np.int32)
    values = np.empty(n_items)
    total = worth_of(worth, weight, tp, pp, values)
    for step in range(len(totals)):
        for k in range(len(offsets) - 1):
            j = offsets[k] + step
            for e in range(starts[2 * j], starts[2 * j + 2]):
                i = items[e]
                tp[i] += e < starts[2 * j + 1]
                pp[i] += 1
                value = _value(form, coefficients[class_of[i]], tp[i], pp[i])
                total += weight[i] * (value - values[i])
                values[i] = value
        totals[step] = total
