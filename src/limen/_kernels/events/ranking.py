"""Scores of a label as ranks: whole numbers that order them over all recordings, found by one sort."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

DIGIT, FEW = 11, 32
SIGN = np.int64(-(2**63))


class Frames(NamedTuple):
    """Frames of recordings, end to end; those of recording ``r`` lie at ``offsets[r]:offsets[r + 1]``.

    Each recording has one edge more than frames: ``edges[offsets[r] + r]`` is its first. Times are int64
    microseconds.
    """

    offsets: NDArray[np.int64]
    edges: NDArray[np.int64]


def keys_of(values):
    """Return int64 numbers that rise as floats do; -0 is 0. Read as unsigned they have no more bits than these."""
    bits = 8 * values.dtype.itemsize
    keys = (values + values.dtype.type(0)).view(f"i{bits // 8}").astype(np.int64)
    keys ^= (keys >> 63) & ((1 << (bits - 1)) - 1)
    if bits == 64:
        keys ^= SIGN
    else:
        keys += 1 << (bits - 1)
    return keys


@njit(cache=True, nogil=True)
def rising(keys):
    """Return an order (int32) in which int64 keys, read as unsigned, rise; equal ones stay in their order."""
    n = keys.shape[0]
    order = np.arange(n).astype(np.int32)
    if n <= FEW:
        for i in range(1, n):
            own, j = order[i], i
            while j > 0 and (keys[order[j - 1]] ^ SIGN) > (keys[own] ^ SIGN):
                order[j] = order[j - 1]
                j -= 1
            order[j] = own
        return order
    varies = np.int64(0)
    for key in keys:
        varies |= key ^ keys[0]
    sorted_keys, other_keys = keys.copy(), np.empty_like(keys)
    other = np.empty_like(order)
    place = np.empty(1 << DIGIT, np.int64)
    mask = (1 << DIGIT) - 1
    for shift in range(0, 64, DIGIT):
        if ((varies >> shift) & mask) == 0:
            continue
        place[:] = 0
        for key in sorted_keys:
            place[(key >> shift) & mask] += 1
        before = 0
        for digit in range(mask + 1):
            before, place[digit] = before + place[digit], before
        for i in range(n):
            digit = (sorted_keys[i] >> shift) & mask
            at = place[digit]
            place[digit] += 1
            other_keys[at], other[at] = sorted_keys[i], order[i]
        sorted_keys, other_keys = other_keys, sorted_keys
        order, other = other, order
    return order


@njit(cache=True, nogil=True)
def ranked(frames, keys):
    """Return the ranks of frames by keys, each recording's frames by rising rank, and a frame of each rank.

    Returns
    -------
    ranks : int32 (n_frames,)
    order : int32 (n_frames,)
        Numbers within the recording.
    first : int32 (n_ranks,)
    """
    n = keys.shape[0]
    ranks = np.empty(n, np.int32)
    order = np.empty(n, np.int32)
    first = np.empty(n, np.int32)
    recording = np.empty(n, np.int32)
    for r in range(frames.offsets.shape[0] - 1):
        recording[frames.offsets[r] : frames.offsets[r + 1]] = r
    free = frames.offsets.copy()
    rank = -1
    for i in rising(keys):
        if rank < 0 or keys[i] != keys[first[rank]]:
            rank += 1
            first[rank] = i
        ranks[i] = rank
        r = recording[i]
        order[free[r]] = i - frames.offsets[r]
        free[r] += 1
    return ranks, order, first[: rank + 1].copy()
