"""Scores of a label as ranks: whole numbers that order them over all recordings, found by one sort."""

from __future__ import annotations

from typing import Any, NamedTuple

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


def keys_of(values: NDArray[Any]) -> NDArray[np.int64]:
    """Return int64 numbers from 0 that rise as floats do; -0 is 0. Those of float64 are to be read as unsigned."""
    bits = 8 * values.dtype.itemsize
    keys = values.view(f"i{bits // 8}")
    lowest = keys.dtype.type(-(1 << (bits - 1)))
    keys = np.where(keys == lowest, keys.dtype.type(0), keys)
    keys ^= (keys >> (bits - 1)) & ~lowest
    keys ^= lowest
    return keys.view(f"u{bits // 8}").astype(np.int64)


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
    bits = 1
    while bits < 64 and (varies >> bits) != 0:
        bits += 1
    n_digits = (bits + DIGIT - 1) // DIGIT
    digit_bits = (bits + n_digits - 1) // n_digits
    mask = (1 << digit_bits) - 1
    other, place = np.empty_like(order), np.empty(mask + 1, np.int64)
    for shift in range(0, bits, digit_bits):
        if ((varies >> shift) & mask) == 0:
            continue
        place[:] = 0
        for key in keys:
            place[(key >> shift) & mask] += 1
        before = 0
        for digit in range(mask + 1):
            before, place[digit] = before + place[digit], before
        for i in order:
            digit = (keys[i] >> shift) & mask
            other[place[digit]] = i
            place[digit] += 1
        order, other = other, order
    return order


@njit(cache=True, nogil=True)
def ranked(keys):
    """Return the rank of each frame by keys, and one frame of each rank, int32."""
    n = keys.shape[0]
    ranks, first = np.empty(n, np.int32), np.empty(n, np.int32)
    rank, last = -1, np.int64(0)
    for i in rising(keys):
        key = keys[i]
        if rank < 0 or key != last:
            rank += 1
            first[rank] = i
            last = key
        ranks[i] = rank
    return ranks, first[: rank + 1].copy()


@njit(cache=True, nogil=True)
def by_recording(frames, order):
    """Return the order of each recording's own frames, as numbers within the recording."""
    recording = np.empty(order.shape[0], np.int32)
    for r in range(frames.offsets.shape[0] - 1):
        recording[frames.offsets[r] : frames.offsets[r + 1]] = r
    free = frames.offsets.copy()
    out = np.empty_like(order)
    for i in order:
        r = recording[i]
        out[free[r]] = i - frames.offsets[r]
        free[r] += 1
    return out
