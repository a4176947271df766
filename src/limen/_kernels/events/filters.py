"""What stands between frames and events, as filters of ranks or codes: whole numbers that order the scores.

Each commutes with thresholds: to filter the frames at or above a threshold (as 0 and 1) is to take those whose
filtered number is at or above it. So after all of them, with any setting, the events at a threshold are the
stretches of frames at or above it. A number of -1 is below every threshold.
"""

from __future__ import annotations

import numpy as np
from numba import njit

ABOVE, BELOW = np.int32(2**31 - 1), np.int32(1 - 2**31)


@njit(cache=True, nogil=True)
def spread(peaks, within, outside, out):
    """Write to ``out`` the highest number from which each frame is joined to a peak by frames at or above it.

    Parameters
    ----------
    peaks, within, out : int32
        Of one recording; a frame is part of a stretch up to ``within``. ``peaks`` may be ``out``.
    outside : int32
        The number up to which what lies before and after is a peak.

    Notes
    -----
    With hysteresis, codes at which frames make an event (``peaks``) and belong to one (``within``) differ: a
    stretch is an event while its highest peak lasts. That is morphological reconstruction, two passes in one
    dimension.
    """
    n = within.shape[0]
    carried = outside
    for i in range(n):
        carried = min(within[i], max(peaks[i], carried))
        out[i] = carried
    carried = outside
    for i in range(n - 1, -1, -1):
        carried = min(within[i], max(out[i], carried))
        out[i] = carried


@njit(cache=True, nogil=True)
def keep_long(edges, codes, shortest, ends_count, room):
    """Leave in ``codes`` of one recording only stretches of at least ``shortest`` microseconds.

    Where ``ends_count``, stretches at the beginning or the end are kept however short.
    """
    n = codes.shape[0]
    lowest, waiting = room
    # The least number of each window that is just long enough, by a queue of those that can still be the least.
    head, tail, stop = 0, 0, 0
    for i in range(n):
        while stop < n and (stop <= i or edges[stop] - edges[i] < shortest):
            while tail > head and codes[waiting[tail - 1]] >= codes[stop]:
                tail -= 1
            waiting[tail] = stop
            tail += 1
            stop += 1
        if waiting[head] < i:
            head += 1
        lowest[i] = codes[waiting[head]] if edges[stop] - edges[i] >= shortest else BELOW
    spread(lowest, codes, ABOVE if ends_count else BELOW, lowest)
    codes[:] = lowest[:n]


@njit(cache=True, nogil=True)
def close_gaps(edges, codes, gap, room):
    """Close in ``codes`` of one recording pauses of at most ``gap`` microseconds between two stretches."""
    for i in range(codes.shape[0]):
        codes[i] = -codes[i]
    keep_long(edges, codes, gap + 1, True, room)
    for i in range(codes.shape[0]):
        codes[i] = -codes[i]
