"""Events found at every threshold of a recording, and how many of them are right.

Scores come as ranks: whole numbers that order the scores of a label over all recordings, -1 outside of a
recording
recording.
Two arrays turn a rank into codes: a frame belongs to an event at the thresholds with codes up to ``low[rank]``,
and makes it one up to ``high[rank]``. Times are int64 microseconds.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

COLLAR, INTERSECTION, SEGMENT = 0, 1, 2


class Frames(NamedTuple):
    """Frames of recordings, end to end; those of recording ``r`` lie at ``offsets[r]:offsets[r + 1]``.

    Each recording has one edge more than frames: ``edges[offsets[r] + r]`` is its first.
    """

    offsets: NDArray[np.int64]
    edges: NDArray[np.int64]


class References(NamedTuple):
    """Annotated events of one label, by recording, with what each needs to be found.

    ``needs`` is the tolerance of the offset (collars), or the time that must be found (intersections);
    ``active`` says of each segment of each recording whether a reference reaches into it.
    """

    offsets: NDArray[np.int64]
    onset: NDArray[np.int64]
    offset: NDArray[np.int64]
    needs: NDArray[np.int64]
    segments: NDArray[np.int64]
    active: NDArray[np.bool_]


class Rule(NamedTuple):
    """When an event is right: the kind, the onset collar or segment length, the share of a detection needed."""

    kind: int
    length: int
    share: float


class Room(NamedTuple):
    """Where events of one recording are put, and what was counted last for each of several ways."""

    start: NDArray[np.int64]
    end: NDArray[np.int64]
    peak: NDArray[np.int64]
    onset: NDArray[np.int64]
    offset: NDArray[np.int64]
    last: NDArray[np.int64]


@njit(cache=True, nogil=True)
def median(frames, ranks, width, out):
    """Write to ``out`` the running median of each recording's ranks; outside they are -1."""
    half = width // 2
    window = np.empty(width, np.int32)
    for r in range(frames.offsets.shape[0] - 1):
        first, last = frames.offsets[r], frames.offsets[r + 1]
        window[:] = -1
        for i in range(first, min(first + half, last)):
            _replace(window, np.int32(-1), ranks[i])
        for i in range(first, last):
            old = ranks[i - half - 1] if i - half - 1 >= first else np.int32(-1)
            new = ranks[i + half] if i + half < last else np.int32(-1)
            _replace(window, old, new)
            out[i] = window[half]


@njit(cache=True, nogil=True)
def _replace(window, old, new):
    """Take ``old`` out of a sorted window and put ``new`` in."""
    if old == new:
        return
    at = np.searchsorted(window, old)
    if new > old:
        while at + 1 < window.shape[0] and window[at + 1] < new:
            window[at] = window[at + 1]
            at += 1
    else:
        while at > 0 and window[at - 1] > new:
            window[at] = window[at - 1]
            at -= 1
    window[at] = new


@njit(cache=True, nogil=True)
def falling_order(frames, ranks, n_ranks, out):
    """Write to ``out`` each recording's frames by falling rank, as numbers within the recording."""
    place = np.zeros(n_ranks + 2, np.int64)
    for rank in ranks:
        place[n_ranks - rank] += 1
    for i in range(1, n_ranks + 2):
        place[i] += place[i - 1]
    by_rank = np.empty(ranks.shape[0], np.int32)
    recording = np.empty(ranks.shape[0], np.int32)
    for r in range(frames.offsets.shape[0] - 1):
        recording[frames.offsets[r] : frames.offsets[r + 1]] = r
    for i in range(ranks.shape[0] - 1, -1, -1):
        at = n_ranks - ranks[i]
        place[at] -= 1
        by_rank[place[at]] = i
    free = frames.offsets.copy()
    for i in by_rank:
        r = recording[i]
        out[free[r]] = i - frames.offsets[r]
        free[r] += 1


@njit(cache=True, nogil=True)
def right(rule, references, r, onset, offset, n_events):
    """Return tp and pp of ``n_events`` sorted events of recording ``r``."""
    first, last = references.offsets[r], references.offsets[r + 1]
    if rule.kind == SEGMENT:
        return _segments(rule, references, r, onset, offset, n_events)
    if first == last or n_events == 0:
        return 0, n_events
    if rule.kind == COLLAR:
        return _matched(rule, references, r, onset, offset, n_events), n_events
    return _intersected(rule, references, r, onset, offset, n_events)


@njit(cache=True, nogil=True)
def _segments(rule, references, r, onset, offset, n_events):
    begin, stop = references.segments[r], references.segments[r + 1]
    tp = pp = 0
    done = -1
    for e in range(n_events):
        s = max(onset[e] // rule.length, done + 1)
        until = min((offset[e] - 1) // rule.length, stop - begin - 1)
        while s <= until:
            pp += 1
            if references.active[begin + s]:
                tp += 1
            done = s
            s += 1
    return tp, pp


@njit(cache=True, nogil=True)
def _intersected(rule, references, r, onset, offset, n_events):
    first, last = references.offsets[r], references.offsets[r + 1]
    found = np.zeros(last - first, np.int64)
    fp = 0
    for e in range(n_events):
        total = 0
        for i in range(first, last):
            total += max(min(offset[e], references.offset[i]) - max(onset[e], references.onset[i]), 0)
        if total >= np.rint(rule.share * (offset[e] - onset[e])):
            for i in range(first, last):
                found[i - first] += max(
                    min(offset[e], references.offset[i]) - max(onset[e], references.onset[i]), 0
                )
        else:
            fp += 1
    tp = 0
    for i in range(first, last):
        if found[i - first] >= references.needs[i]:
            tp += 1
    return tp, tp + fp


@njit(cache=True, nogil=True)
def _hit(rule, references, i, onset, offset):
    return (
        abs(onset - references.onset[i]) <= rule.length
        and abs(offset - references.offset[i]) <= references.needs[i]
    )


@njit(cache=True, nogil=True)
def _matched(rule, references, r, onset, offset, n_events):
    """Return the size of a largest matching of events and references."""
    first, last = references.offsets[r], references.offsets[r + 1]
    n_hits = 0
    simple = True
    taken = np.int64(-1)
    for e in range(n_events):
        own = 0
        for i in range(first, last):
            if _hit(rule, references, i, onset[e], offset[e]):
                own += 1
                simple = simple and own == 1 and i > taken
                taken = max(taken, i)
        n_hits += own
    return n_hits if simple else _augmented(rule, references, r, onset, offset, n_events)


@njit(cache=True, nogil=True)
def _augmented(rule, references, r, onset, offset, n_events):
    """Return the size of a largest matching, by augmenting paths (Kuhn)."""
    first, last = references.offsets[r], references.offsets[r + 1]
    n = last - first
    owner = np.full(n, -1, np.int64)
    reached = np.empty(n, np.int64)
    queue = np.empty(n_events, np.int64)
    via = np.empty(n_events, np.int64)
    size = 0
    for e in range(n_events):
        reached[:] = -1
        queue[0], via[0] = e, -1
        head, tail, free = 0, 1, -1
        while head < tail and free < 0:
            d = queue[head]
            for i in range(n):
                if reached[i] < 0 and _hit(rule, references, first + i, onset[d], offset[d]):
                    reached[i] = head
                    if owner[i] < 0:
                        free = i
                        break
                    queue[tail], via[tail] = owner[i], i
                    tail += 1
            head += 1
        if free >= 0:
            size += 1
            while free >= 0:
                at = reached[free]
                owner[free] = queue[at]
                free = via[at]
    return size


@njit(cache=True, nogil=True)
def events_of(room, edges, first, n, code, way):
    """Write the events at a code to the room, with gaps closed and short ones dropped; return how many.

    ``edges[first]`` is the recording's beginning; ``n`` the number of components; ``way`` the longest gap that is
    closed and the shortest event that is kept.
    """
    size = 0
    for j in range(n):
        if room.peak[j] >= code:
            begins, ends = edges[first + room.start[j]], edges[first + room.end[j]]
            if size and begins - room.offset[size - 1] <= way[0]:
                room.offset[size - 1] = ends
            else:
                room.onset[size] = begins
                room.offset[size] = ends
                size += 1
    if way[1] > 0:
        kept = 0
        for j in range(size):
            if room.offset[j] - room.onset[j] >= way[1]:
                room.onset[kept] = room.onset[j]
                room.offset[kept] = room.offset[j]
                kept += 1
        size = kept
    return size


@njit(cache=True, nogil=True)
def _component(room, n, frame):
    """Return the number of components that begin at or before a frame."""
    low, high = 0, n
    while low < high:
        middle = (low + high) >> 1
        if room.start[middle] <= frame:
            low = middle + 1
        else:
            high = middle
    return low


@njit(cache=True, nogil=True)
def _enter(room, n, frame, high):
    """Add a frame to the components; return their number and the peak of its own."""
    j = _component(room, n, frame)
    joins_left = j > 0 and room.end[j - 1] == frame
    joins_right = j < n and room.start[j] == frame + 1
    if joins_left and joins_right:
        room.end[j - 1] = room.end[j]
        room.peak[j - 1] = max(room.peak[j - 1], room.peak[j], high)
        peak = room.peak[j - 1]
        for i in range(j, n - 1):
            room.start[i], room.end[i], room.peak[i] = room.start[i + 1], room.end[i + 1], room.peak[i + 1]
        return n - 1, peak
    if joins_left:
        room.end[j - 1] = frame + 1
        room.peak[j - 1] = max(room.peak[j - 1], high)
        return n, room.peak[j - 1]
    if joins_right:
        room.start[j] = frame
        room.peak[j] = max(room.peak[j], high)
        return n, room.peak[j]
    for i in range(n, j, -1):
        room.start[i], room.end[i], room.peak[i] = room.start[i - 1], room.end[i - 1], room.peak[i - 1]
    room.start[j], room.end[j], room.peak[j] = frame, frame + 1, high
    return n + 1, high


@njit(cache=True, nogil=True)
def _matters(rule, references, r, onset, offset):
    """Return whether an event, or a part of it, could be right."""
    for i in range(references.offsets[r], references.offsets[r + 1]):
        if rule.kind == COLLAR:
            near = references.onset[i] >= onset - rule.length
            if near and references.offset[i] <= offset + references.needs[i]:
                return True
        elif references.onset[i] < offset and references.offset[i] > onset:
            return True
    return False


@njit(cache=True, nogil=True)
def _alone(frames, ranks, high, r, changes, size):
    """Add the changes of a recording without references, where stretches are events: only peaks matter."""
    first, last = frames.offsets[r], frames.offsets[r + 1]
    for i in range(first, last):
        rank = ranks[i]
        before = ranks[i - 1] if i > first else np.int32(-1)
        after = ranks[i + 1] if i + 1 < last else np.int32(-1)
        delta = np.int32(rank > before) - np.int32(after > rank)
        if delta != 0 and rank >= 0:
            changes[size, 1], changes[size, 2] = r, high[rank]
            changes[size, 3], changes[size, 4] = 0, delta
            size += 1
    return size


@njit(cache=True, nogil=True)
def _by_segment(frames, ranks, high, r, length, references, changes, size):
    """Add the changes of a recording by segments, where stretches are events: only a segment's top matters."""
    begin, stop = references.segments[r], references.segments[r + 1]
    top = np.full(stop - begin, -1, np.int32)
    for i in range(frames.offsets[r], frames.offsets[r + 1]):
        onset, offset = frames.edges[i + r], frames.edges[i + r + 1]
        for s in range(onset // length, min((offset - 1) // length + 1, stop - begin)):
            top[s] = max(top[s], ranks[i])
    for s in range(stop - begin):
        if top[s] >= 0:
            changes[size, 1], changes[size, 2] = r, high[top[s]]
            changes[size, 3], changes[size, 4] = np.int32(references.active[begin + s]), 1
            size += 1
    return size


@njit(cache=True, nogil=True)
def _enlarged(changes, size, more):
    """Return the changes with room for some more."""
    if size + more <= changes.shape[0]:
        return changes
    larger = np.zeros((2 * (size + more), 5), np.int32)
    larger[:size] = changes[:size]
    return larger


@njit(cache=True, nogil=True)
def sweep(frames, ranked, codes, ways, references, rule):
    """Return every change of counts as the threshold falls: int32 (n, 5) of way, recording, code, tp and pp.

    Parameters
    ----------
    ranked : (ranks, order)
        Ranks of all frames, and each recording's frames by falling rank.
    codes : (high, low, same)
        By rank, the last code at which a frame makes an event, and at which it belongs to one; whether both are
        the same.
    ways : int64 (n_ways, 2)
        Longest gap closed and shortest event kept, microseconds; where ``same``, a way that does neither comes
        first.
    """
    ranks, order = ranked
    high, low, same = codes
    n_ways = ways.shape[0]
    plain = same and ways[0, 0] == 0 and ways[0, 1] == 0
    longest = np.diff(frames.offsets).max() + 1
    most_segments = np.diff(references.segments).max()
    room = Room(
        np.empty(longest, np.int64),
        np.empty(longest, np.int64),
        np.empty(longest, np.int64),
        np.empty(longest, np.int64),
        np.empty(longest, np.int64),
        np.empty(2 * n_ways, np.int64),
    )
    out = np.zeros((1024, 5), np.int32)
    size = 0
    for r in range(frames.offsets.shape[0] - 1):
        first, n_frames = frames.offsets[r], frames.offsets[r + 1] - frames.offsets[r]
        empty = references.offsets[r] == references.offsets[r + 1]
        first_way = 0
        if plain and (rule.kind == SEGMENT or empty):
            out = _enlarged(out, size, max(n_frames, most_segments))
            if rule.kind == SEGMENT:
                size = _by_segment(frames, ranks, high, r, rule.length, references, out, size)
            else:
                size = _alone(frames, ranks, high, r, out, size)
            first_way = 1
            if n_ways == 1:
                continue
        room.last[:] = 0
        n = a = b = 0
        while True:
            code = np.int64(-1)
            if a < n_frames and ranks[first + order[first + a]] >= 0:
                code = np.int64(low[ranks[first + order[first + a]]])
            if b < a and not same:
                code = max(code, np.int64(high[ranks[first + order[first + b]]]))
            if code < 0:
                break
            changed = matters = False
            n_before = n
            while a < n_frames:
                frame = order[first + a]
                rank = ranks[first + frame]
                if rank < 0 or low[rank] < code:
                    break
                n, peak = _enter(room, n, frame, np.int64(high[rank]))
                changed = changed or peak >= code
                if plain and not matters and first_way == 0:
                    j = _component(room, n, frame) - 1
                    onset, offset = frames.edges[first + r + room.start[j]], frames.edges[first + r + room.end[j]]
                    matters = _matters(rule, references, r, onset, offset)
                a += 1
            while b < a and not same:
                frame = order[first + b]
                own = high[ranks[first + frame]]
                if own < code:
                    break
                if not changed and room.peak[_component(room, n, frame) - 1] == own:
                    changed = True
                b += 1
            if not changed:
                continue
            for w in range(first_way, n_ways):
                if w == 0 and plain and not matters:
                    tp, pp = room.last[0], room.last[1] + n - n_before
                else:
                    n_events = events_of(room, frames.edges, first + r, n, code, ways[w])
                    tp, pp = right(rule, references, r, room.onset, room.offset, n_events)
                if tp != room.last[2 * w] or pp != room.last[2 * w + 1]:
                    out = _enlarged(out, size, 1)
                    out[size, 0], out[size, 1], out[size, 2] = w, r, code
                    out[size, 3], out[size, 4] = tp - room.last[2 * w], pp - room.last[2 * w + 1]
                    size += 1
                    room.last[2 * w], room.last[2 * w + 1] = tp, pp
    return out[:size].copy()


@njit(cache=True, nogil=True)
def detect(frames, scores, cuts, way):
    """Return the events of one label at one threshold: int64 (n, 3) of recording, onset and offset.

    ``scores`` are filtered already; ``cuts`` are the low and the high one.
    """
    low, high = cuts
    out = np.empty((scores.shape[0], 3), np.int64)
    size = 0
    for r in range(frames.offsets.shape[0] - 1):
        first, last = frames.offsets[r], frames.offsets[r + 1]
        begin = size
        i = first
        while i < last:
            if not scores[i] >= low:
                i += 1
                continue
            start = i
            peak = scores[i]
            while i < last and scores[i] >= low:
                peak = max(peak, scores[i])
                i += 1
            if peak >= high:
                onset, offset = frames.edges[start + r], frames.edges[i + r]
                if size > begin and onset - out[size - 1, 2] <= way[0]:
                    out[size - 1, 2] = offset
                else:
                    out[size, 0], out[size, 1], out[size, 2] = r, onset, offset
                    size += 1
        kept = begin
        for j in range(begin, size):
            if out[j, 2] - out[j, 1] >= way[1]:
                out[kept] = out[j]
                kept += 1
        size = kept
    return out[:size].copy()


@njit(cache=True, nogil=True)
def count_events(events, references, rule, out):
    """Write to ``out[:, r]`` tp and pp of each recording; ``events`` are offsets by recording, onsets, offsets."""
    offsets, onset, offset = events
    for r in range(offsets.shape[0] - 1):
        own = slice(offsets[r], offsets[r + 1])
        out[0, r], out[1, r] = right(rule, references, r, onset[own], offset[own], offsets[r + 1] - offsets[r])


@njit(cache=True, nogil=True)
def best_by_given(counts, out):
    """Write to ``out[pp]`` the first candidate with the most tp among those with ``pp``; it holds -1 before."""
    tp, pp = counts
    for j in range(tp.shape[0]):
        best = out[pp[j]]
        if best < 0 or tp[j] > tp[best]:
            out[pp[j]] = j


def median_scores(frames: Frames, ranks: NDArray[Any], width: int) -> NDArray[np.int32]:
    """Return the running median of ranks over ``width`` frames."""
    out = np.empty(len(ranks), np.int32)
    median(frames, ranks, width, out)
    return out
