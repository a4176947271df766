"""Running medians of ranks: of narrow windows by comparing many at once, of wide ones step by step."""

from __future__ import annotations

import numpy as np
from numba import njit

from limen._kernels.events.filters import ABOVE
from limen._kernels.events.ranking import by_recording, rising

NARROW, TOGETHER = 31, 512
"""Windows of at most so many frames are sorted, those of so many frames together; found by timing."""


@njit(cache=True, nogil=True)
def median_scores(frames, ranks, width):
    """Return the running median of each recording's int32 ranks over ``width`` frames; outside they are -1."""
    out = np.empty_like(ranks)
    if width <= NARROW:
        _narrow(frames, ranks, width, out)
    else:
        _wide(frames, ranks, width, out)
    return out


@njit(cache=True, nogil=True)
def _comparisons(width):
    """Return the comparisons (n, 2) that bring the median of so many rows to the middle one.

    Batcher's odd-even merging, without what does not reach the middle.
    """
    found = [(0, 0) for _ in range(0)]
    size = 1
    while size < width:
        step = size
        while step >= 1:
            for j in range(step % size, width - step, 2 * step):
                for i in range(j, min(j + step, width - step)):
                    if i // (2 * size) == (i + step) // (2 * size):
                        found.append((i, i + step))
            step //= 2
        size *= 2
    needed = np.zeros(width, np.bool_)
    needed[width // 2] = True
    kept = np.empty((len(found), 2), np.int64)
    first = len(found)
    for low, high in found[::-1]:
        if needed[low] or needed[high]:
            needed[low] = needed[high] = True
            first -= 1
            kept[first, 0], kept[first, 1] = low, high
    return kept[first:]


@njit(cache=True, nogil=True)
def _compare(low, high):
    for i in range(low.shape[0]):
        a, b = low[i], high[i]
        low[i], high[i] = min(a, b), max(a, b)


@njit(cache=True, nogil=True)
def _narrow(frames, ranks, width, out):
    """Sort the windows of many frames at once, row by row: each comparison is one pass over them."""
    half, comparisons = width // 2, _comparisons(width)
    rows = np.empty((width, TOGETHER), np.int32)
    for r in range(frames.offsets.shape[0] - 1):
        first, last = frames.offsets[r], frames.offsets[r + 1]
        for begin in range(first, last, TOGETHER):
            n = min(TOGETHER, last - begin)
            for j in range(width):
                shift = begin + j - half
                inside, stop = min(max(first - shift, 0), n), min(max(last - shift, 0), n)
                rows[j, :inside] = -1
                rows[j, inside:stop] = ranks[shift + inside : shift + stop]
                rows[j, stop:n] = -1
            for c in range(comparisons.shape[0]):
                _compare(rows[comparisons[c, 0], :n], rows[comparisons[c, 1], :n])
            out[begin : begin + n] = rows[half, :n]


@njit(cache=True, nogil=True)
def _wide(frames, ranks, width, out):
    """Slide the window, so that a step costs the same at any width.

    Notes
    -----
    The recording is cut into blocks as long as the window, and each is sorted once. As the window leaves a block
    for the next, frames are taken out of a linked list of the one and put back into one of the other, which was
    taken apart in the opposite order: a step costs the same at any width (Suomela 2014, arXiv:1406.1717).
    """
    half = width // 2
    order = by_recording(frames, rising(ranks.astype(np.int64)))
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
