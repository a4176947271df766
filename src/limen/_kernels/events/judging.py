"""Which of given events are right: by collars in a largest matching, by intersections, by segments."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

COLLAR, INTERSECTION, SEGMENT = 0, 1, 2


class References(NamedTuple):
    """Annotated events of one label, by recording and onset, with what each needs to be found; none overlap.

    ``needs`` is the tolerance of the offset (collars), or the time from 1 that must be found (intersections);
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


class Pairs(NamedTuple):
    """Who can be paired with whom: a graph of detections, then references, and who is paired now.

    The neighbours of vertex ``v`` are ``neighbours[offsets[v]:offsets[v + 1]]``; ``mate`` is -1 for who is free.
    Only ``live`` vertices count. The rest is room for a search.
    """

    offsets: NDArray[np.int64]
    neighbours: NDArray[np.int64]
    mate: NDArray[np.int64]
    live: NDArray[np.bool_]
    queue: NDArray[np.int64]
    via: NDArray[np.int64]
    reached: NDArray[np.int64]


@njit(cache=True, nogil=True)
def pairs_of(hits, n_detections, n_references):
    """Return the graph of ``hits``, int64 (n_hits, 2) of detection and reference; nobody is paired."""
    n = n_detections + n_references
    offsets = np.zeros(n + 2, np.int64)
    for hit in hits:
        offsets[hit[0] + 2] += 1
        offsets[n_detections + hit[1] + 2] += 1
    for v in range(n):
        offsets[v + 2] += offsets[v + 1]
    neighbours = np.empty(2 * hits.shape[0], np.int64)
    for hit in hits:
        detection, reference = hit[0], n_detections + hit[1]
        for one, other in ((detection, reference), (reference, detection)):
            neighbours[offsets[one + 1]] = other
            offsets[one + 1] += 1
    return Pairs(
        offsets[: n + 1],
        neighbours,
        np.full(n, -1),
        np.ones(n, np.bool_),
        np.empty(n + 1, np.int64),
        np.empty(n + 1, np.int64),
        np.full(n, -1),
    )


@njit(cache=True, nogil=True)
def paired(pairs, start):
    """Pair a free vertex, re-pairing others where that makes room (Kuhn); return whether it could be done.

    A matching that was largest without the vertex is largest with it after this.
    """
    queue, via, reached, mate = pairs.queue, pairs.via, pairs.reached, pairs.mate
    queue[0] = start
    head, tail, free = 0, 1, -1
    while head < tail and free < 0:
        vertex = queue[head]
        for j in range(pairs.offsets[vertex], pairs.offsets[vertex + 1]):
            other = pairs.neighbours[j]
            if pairs.live[other] and reached[other] < 0:
                reached[other] = head
                if mate[other] < 0:
                    free = other
                    break
                queue[tail], via[tail] = mate[other], other
                tail += 1
        head += 1
    other = free
    while other >= 0:
        at = reached[other]
        reached[other] = -1
        mate[other], mate[queue[at]] = queue[at], other
        other = via[at] if at > 0 else -1
    for i in range(1, tail):
        reached[via[i]] = -1
    return free >= 0


@njit(cache=True, nogil=True)
def first_from(times, first, last, time):
    """Return the first place from ``first`` to ``last`` of rising times where they are at least ``time``."""
    while first < last:
        middle = (first + last) >> 1
        if times[middle] < time:
            first = middle + 1
        else:
            last = middle
    return first


@njit(cache=True, nogil=True)
def enlarged(rows, size):
    """Return rows with room for one more."""
    if size < rows.shape[0]:
        return rows
    larger = np.empty((2 * size + 64, rows.shape[1]), rows.dtype)
    larger[:size] = rows[:size]
    return larger


@njit(cache=True, nogil=True)
def hits_of(rule, references, r, event, found):
    """Add which references of a recording an event (number, onset, offset) hits to rows and their number."""
    number, onset, offset = event
    hits, size = found
    last = references.offsets[r + 1]
    i = first_from(references.onset, references.offsets[r], last, onset - rule.length)
    while i < last and references.onset[i] <= onset + rule.length:
        if abs(offset - references.offset[i]) <= references.needs[i]:
            hits = enlarged(hits, size)
            hits[size, 0], hits[size, 1] = number, i
            size += 1
        i += 1
    return hits, size


@njit(cache=True, nogil=True)
def needed(rule, length):
    """Return how much of a detection of this length must lie in references: at least a microsecond."""
    return max(np.int64(np.rint(rule.share * length)), 1)


@njit(cache=True, nogil=True)
def reach(recording, times, segments, length, active):
    """Mark in ``active`` the segments that events reach into; return how many of each recording."""
    n = np.zeros(segments.shape[0] - 1, np.int64)
    onset, offset = times
    for e in range(onset.shape[0]):
        r = recording[e]
        for s in range(onset[e] // length, min((offset[e] - 1) // length + 1, segments[r + 1] - segments[r])):
            n[r] += not active[segments[r] + s]
            active[segments[r] + s] = True
    return n


@njit(cache=True, nogil=True)
def count_events(events, references, rule, out):
    """Write to ``out[:, r]`` tp and pp of each recording; ``events`` are offsets by recording, onsets, offsets."""
    if rule.kind == COLLAR:
        _matched(events, references, rule, out)
    for r in range(events[0].shape[0] - 1):
        if rule.kind == INTERSECTION:
            _intersected(events, references, rule, r, out)
        elif rule.kind == SEGMENT:
            _segments(events, references, rule, r, out)


@njit(cache=True, nogil=True)
def _matched(events, references, rule, out):
    offsets, onset, offset = events
    found = np.empty((64, 2), np.int64), 0
    for r in range(offsets.shape[0] - 1):
        for e in range(offsets[r], offsets[r + 1]):
            found = hits_of(rule, references, r, (e, onset[e], offset[e]), found)
    hits, size = found
    pairs = pairs_of(hits[:size], onset.shape[0], references.onset.shape[0])
    for r in range(offsets.shape[0] - 1):
        out[0, r], out[1, r] = 0, offsets[r + 1] - offsets[r]
        for e in range(offsets[r], offsets[r + 1]):
            out[0, r] += paired(pairs, e)


@njit(cache=True, nogil=True)
def _intersected(events, references, rule, r, out):
    offsets, onset, offset = events
    first, last = references.offsets[r], references.offsets[r + 1]
    found = np.zeros(last - first, np.int64)
    wrong = 0
    for e in range(offsets[r], offsets[r + 1]):
        begin = first_from(references.offset, first, last, onset[e] + 1)
        total, end = 0, begin
        while end < last and references.onset[end] < offset[e]:
            total += min(offset[e], references.offset[end]) - max(onset[e], references.onset[end])
            end += 1
        if total < needed(rule, offset[e] - onset[e]):
            wrong += 1
            continue
        for i in range(begin, end):
            found[i - first] += min(offset[e], references.offset[i]) - max(onset[e], references.onset[i])
    out[0, r] = (found >= references.needs[first:last]).sum()
    out[1, r] = out[0, r] + wrong


@njit(cache=True, nogil=True)
def _segments(events, references, rule, r, out):
    offsets, onset, offset = events
    begin, stop = references.segments[r], references.segments[r + 1]
    out[:, r] = 0
    done = -1
    for e in range(offsets[r], offsets[r + 1]):
        s = max(onset[e] // rule.length, done + 1)
        until = min((offset[e] - 1) // rule.length, stop - begin - 1)
        while s <= until:
            out[1, r] += 1
            out[0, r] += references.active[begin + s]
            done = s
            s += 1
