"""What stands between frames and events, as filters of ranks or codes: whole numbers that order the scores.

Each commutes with thresholds: to filter the frames at or above a threshold (as 0 and 1) is to take those whose
filtered number is at or above it. So after all of them, with any setting, the events at a threshold are the
stretches of frames at or above it. A number of -1 is below every threshold.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from limen._kernels.events.ranking import by_recording, rising

ABOVE, BELOW = np.int32(2**31 - 1), np.int32(1 - 2**31)


def median_scores(frames, ranks, width):
    """Return the running median of each recording's int32 ranks over ``width`` frames; outside they are -1."""
    out = np.empty(len(ranks), np.int32)
    median(frames, ranks, by_recording(frames, rising(ranks.astype(np.int64))), width, out)
    return out


@njit(cache=True, nogil=True)
def median(frames, ranks, order, width, out):
    """Write to ``out`` the running median of each recording's ranks; outside of it they are -1.

    Parameters
    ----------
    order : int32 (n_frames,)
        The frames of each recording by rising rank.

    Notes
    -----
    The recording is cut into blocks as long as the window, and each is sorted once. As the window leaves a block
    for the next, frames are taken out of a linked list of the one and put back into one of the other, which was
    taken apart in the opposite order: a step costs the same at any width (Suomela 2014, arXiv:1406.1717).
    """
    half = width // 2
    longest = 0
    for r in range(frames.offsets.shape[0] - 1):
        longest = max(longest, frames.offsets[r + 1] - frames.offsets[r])
    width = min(width, 2 * longest + 1)  # wider ones find nothing but what lies outside
    in_blocks = np.empty(longest + 3 * width, np.int32)
    filled = np.empty(longest // width + 4, np.int32)
    side = (np.empty((2, width + 1), np.int32), np.empty((2, width + 1), np.int32))
    links = np.empty((2, 2, width + 1), np.uint32)  # unsigned: no index is taken from the end
    for r in range(frames.offsets.shape[0] - 1):
        begin, end = frames.offsets[r], frames.offsets[r + 1]
        if half >= end - begin:
            out[begin:end] = -1
            continue
        _deal(order[begin:end], width, in_blocks, filled)
        _slide(ranks[begin:end], in_blocks, side, links, out[begin:end])


@njit(cache=True, nogil=True)
def _deal(order, width, in_blocks, filled):
    """Deal the frames of a recording to blocks, each in rising order, as places in the block; outside first."""
    n, half = order.shape[0], width // 2
    n_blocks = (n + 2 * half + width - 1) // width
    filled[:n_blocks] = 0
    for place in range(half):
        in_blocks[place] = place
    filled[0] = half
    for outside in range(n + half, n_blocks * width):
        block = outside // width
        in_blocks[block * width + filled[block]] = outside - block * width
        filled[block] += 1
    for frame in order:
        block = (frame + half) // width
        in_blocks[block * width + filled[block]] = frame + half - block * width
        filled[block] += 1


@njit(cache=True, nogil=True)
def _slide(ranks, in_blocks, side, links, out):
    """Slide the window from block to block; ``side`` has the ranks of two blocks, and their places when sorted.

    Of each block the window is to know its lowest frames, in all half of a window; ``at`` is the first one
    above them (the end, if there is none), ``known`` how many they are.
    """
    value, place = side
    n, width = ranks.shape[0], value.shape[1] - 1
    half = width // 2
    at, known = np.empty(2, np.uint32), np.empty(2, np.int64)
    old = 0
    _load(ranks, in_blocks, 0, value[0], place[0], links[0])
    at[0], known[0] = in_blocks[half], half
    out[0] = value[0, at[0]]
    t = 1
    block = 1
    while t < n:
        new = 1 - old
        _load(ranks, in_blocks, block, value[new], place[new], links[new])
        before, after = links[new, 0], links[new, 1]
        for i in range(width - 1, -1, -1):
            after[before[i]], before[after[i]] = after[i], before[i]
        at[new], known[new] = width, 0
        before_old, after_old = links[old, 0], links[old, 1]
        value_old, value_new, place_old, place_new = value[old], value[new], place[old], place[new]
        a, b, known_a, known_b = at[old], at[new], known[old], known[new]
        for i in range(min(width, n - t)):
            after_old[before_old[i]], before_old[after_old[i]] = after_old[i], before_old[i]
            # Without branches, which would be guessed wrongly half of the time.
            lost = place_old[i] < place_old[a]
            moved = after_old[a] if a == i else a
            back = before_old[moved] if known_a > 0 else moved
            a = a if lost else back
            known_a -= np.int64(known_a > 0)
            after[before[i]] = i
            before[after[i]] = i
            b = before[b] if place_new[i] < place_new[b] else b
            short = known_a + known_b < half
            from_old = short & (value_old[a] <= value_new[b])
            from_new = short & ~from_old
            a = after_old[a] if from_old else a
            known_a += np.int64(from_old)
            b = after[b] if from_new else b
            known_b += np.int64(from_new)
            out[t] = min(value_old[a], value_new[b])
            t += 1
        at[new], known[new] = b, known_b
        old = new
        block += 1


@njit(cache=True, nogil=True)
def _load(ranks, in_blocks, block, value, place, links):
    """Load a block: ranks, places when sorted, and a list of both ways in that order, closed by the end."""
    width = value.shape[0] - 1
    first = block * width - width // 2
    before = width
    for i in range(width):
        own = in_blocks[block * width + i]
        place[own] = i
        links[1, before], links[0, own] = own, before
        before = own
        frame = first + own
        value[own] = ranks[frame] if 0 <= frame < ranks.shape[0] else -1
    links[1, before], links[0, width] = width, before
    place[width], value[width] = width, ABOVE


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
