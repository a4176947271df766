"""What bins of scores say of cuts: how many items lie above them, between bounds, and which bins lie together."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from limen._kernels.streams import Bins, Windows


class Cuts(NamedTuple):
    """Keys of candidates by label, falling, and the highest key of the positives that each stands for."""

    offsets: NDArray[np.int64]
    low: NDArray[Any]
    high: NDArray[Any]


class Found(NamedTuple):
    """What bins say of each candidate.

    ``beneath`` is the key of the highest score below, 0 for none; ``unsure`` tells where it is known only that one
    lies below, in the bin of the cut.
    """

    tp: NDArray[Any]
    least: NDArray[Any]
    most: NDArray[Any]
    beneath: NDArray[Any]
    unsure: NDArray[np.bool_]


@njit(cache=True, nogil=True)
def _bound(bins, cuts, one, found):
    """Write what bins say of candidates to ``found``; ``one`` is what an item weighs at least.

    Below the next higher candidate, no cut keeps more positives, nor fewer negatives than ``least``.
    """
    offsets, low, high, n = bins
    starts, cut_low, cut_high = cuts
    tp, least, most, beneath, unsure = found
    for k in range(len(starts) - 1):
        p, p_end, a, end = offsets[2 * k + 1], offsets[2 * k + 2], offsets[2 * k], offsets[2 * k + 1]
        b, given, certain, possible = a, n.dtype.type(0), n.dtype.type(0), n.dtype.type(0)
        for j in range(starts[k], starts[k + 1]):
            cut, top = cut_low[j], cut_high[j]
            while p < p_end and low[p] >= cut:
                given += n[p]
                p += 1
            while a < end and low[a] >= cut:
                possible += n[a]
                a += 1
            while b < end and low[b] >= top:
                certain += n[b]
                b += 1
            inside = a < end and high[a] >= cut
            tp[j], most[j] = given, possible + (n[a] - one if inside else 0)
            least[j] = certain + (one if b < end and high[b] >= top else 0)
            below = high[p] if p < p_end else low.dtype.type(0)
            if inside:
                unsure[j], beneath[j] = True, max(below, low[a])
            else:
                beneath[j] = max(below, high[a]) if a < end else below


@njit(cache=True, nogil=True)
def _spans(bins, wanted, low, high):
    """Write the spans of bins that overlap, falling by label, in which a wanted cut lies; return offsets.

    ``wanted`` holds, by label, the keys of cuts, falling, each that of a bin of positives.
    """
    offsets, bin_low, bin_high, _ = bins
    starts, cuts = wanted
    n_labels, size = len(starts) - 1, 0
    ends = np.zeros(n_labels + 1, np.int64)
    for k in range(n_labels):
        a, a_end, p, p_end = offsets[2 * k], offsets[2 * k + 1], offsets[2 * k + 1], offsets[2 * k + 2]
        j = starts[k]
        while j < starts[k + 1] and (a < a_end or p < p_end):
            if p >= p_end or (a < a_end and bin_high[a] >= bin_high[p]):
                top, bottom = bin_high[a], bin_low[a]
                a += 1
            else:
                top, bottom = bin_high[p], bin_low[p]
                p += 1
            while True:
                if a < a_end and bin_high[a] >= bottom:
                    bottom = min(bottom, bin_low[a])
                    a += 1
                elif p < p_end and bin_high[p] >= bottom:
                    bottom = min(bottom, bin_low[p])
                    p += 1
                else:
                    break
            if cuts[j] >= bottom:
                low[size], high[size] = bottom, top
                while j < starts[k + 1] and cuts[j] >= bottom:
                    j += 1
                size += 1
        ends[k + 1] = size
    return ends


def bound(bins: Bins, cuts: Cuts, one: int) -> Found:
    """Return what bins say of candidates, which lie strictly inside no bin of positives but as its lowest key."""
    size, number, key = len(cuts.low), bins.n.dtype, bins.low.dtype
    found = Found(
        np.zeros(size, number),
        np.zeros(size, number),
        np.zeros(size, number),
        np.zeros(size, key),
        np.zeros(size, bool),
    )
    _bound(tuple(bins), tuple(cuts), number.type(one), tuple(found))
    return found


def spans(bins: Bins, starts: NDArray[np.int64], cuts: NDArray[Any]) -> Windows:
    """Return the spans of overlapping bins in which some cuts (by label, falling) lie; no bin crosses an end."""
    low, high = np.empty((2, len(cuts)), bins.low.dtype)
    offsets = _spans(tuple(bins), (starts, cuts), low, high)
    return Windows(offsets, low[: offsets[-1]], high[: offsets[-1]])
