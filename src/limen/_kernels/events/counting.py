"""Changes of counts as the threshold falls through the codes of a label's frames, after all filters.

A code is a whole number that falls with the threshold; the events at a code are the stretches of frames whose
own code is at least that. Changes are noted in a `Book`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from limen._kernels.events.judging import COLLAR, SEGMENT, enlarged, first_from, hits_of, needed, paired, pairs_of
from limen._kernels.events.ranking import rising


class Book(NamedTuple):
    """What is added to counts at each code: ``tp`` and ``pp``, int32 (n_codes, n_parts), where it was ``touched``.

    ``part_of`` has the part of each recording.
    """

    part_of: NDArray[np.int64]
    tp: NDArray[np.int32]
    pp: NDArray[np.int32]
    touched: NDArray[np.bool_]


@njit(cache=True, nogil=True)
def note(book, frames, codes, references, rule):
    """Note every change of counts of a label."""
    for r in range(frames.offsets.shape[0] - 1):
        if rule.kind == SEGMENT:
            _by_segment(book, frames, codes, r, (references, rule))
        else:
            _given(book, codes[frames.offsets[r] : frames.offsets[r + 1]], book.part_of[r])
    if rule.kind == COLLAR:
        _by_collar(book, frames, codes, references, rule)
    elif rule.kind != SEGMENT:
        _by_intersection(book, frames, codes, references, rule)


@njit(cache=True, nogil=True)
def _add(book, code, r, tp, pp):
    part = book.part_of[r]
    book.tp[code, part] += tp
    book.pp[code, part] += pp
    book.touched[code] = True


@njit(cache=True, nogil=True)
def _given(book, codes, part):
    """Note how many events there are in a recording: one more from where a frame is above the one before it."""
    before = np.int32(-1)
    for code in codes:
        if code > before:
            book.pp[code, part] += 1
            book.touched[code] = True
            if before >= 0:
                book.pp[before, part] -= 1
                book.touched[before] = True
        before = code


@njit(cache=True, nogil=True)
def _by_segment(book, frames, codes, r, judged):
    """Note the segments that are reached: each at the highest code of a frame in it."""
    references, rule = judged
    begin, stop = references.segments[r], references.segments[r + 1]
    top = np.full(stop - begin, -1, np.int32)
    segment = 0
    for i in range(frames.offsets[r], frames.offsets[r + 1]):
        onset, offset = frames.edges[i + r], frames.edges[i + r + 1]
        while onset - segment * rule.length >= rule.length:
            segment += 1
        s = segment
        while s < top.shape[0] and s * rule.length < offset:
            top[s] = max(top[s], codes[i])
            s += 1
    for s in range(stop - begin):
        if top[s] >= 0:
            _add(book, top[s], r, references.active[begin + s], 1)


@njit(cache=True, nogil=True)
def _stretches(codes, nodes, waiting):
    """Write each stretch there is at any code to ``nodes``, those within before those around; return their number.

    A row is its first frame, the one after its last, and the codes at which it comes and at which it is part of
    a longer one (-1: never). They are the nodes of the component tree, found with a stack in one pass.
    """
    size = top = 0
    for i in range(codes.shape[0] + 1):
        code = codes[i] if i < codes.shape[0] else np.int32(-1)
        start = i
        while top > 0 and waiting[top - 1, 1] > code:
            top -= 1
            start = waiting[top, 0]
            below = waiting[top - 1, 1] if top > 0 else np.int32(-1)
            nodes[size, 0], nodes[size, 1] = start, i
            nodes[size, 2], nodes[size, 3] = waiting[top, 1], max(code, below)
            size += 1
        if code >= 0 and (top == 0 or waiting[top - 1, 1] < code):
            waiting[top, 0], waiting[top, 1] = start, code
            top += 1
    return size


@njit(cache=True, nogil=True)
def _room(frames, references):
    """Return room for the stretches of the longest recording that has references."""
    longest = 0
    for r in range(frames.offsets.shape[0] - 1):
        if references.offsets[r + 1] > references.offsets[r]:
            longest = max(longest, frames.offsets[r + 1] - frames.offsets[r])
    return np.empty((longest, 4), np.int32), np.empty((longest, 3), np.int32)


@njit(cache=True, nogil=True)
def _by_collar(book, frames, codes, references, rule):
    """Note how many references are found: a largest matching is kept up as events come and go."""
    n_codes = book.touched.shape[0]
    nodes, waiting = _room(frames, references)
    lives = np.empty((64, 3), np.int32)
    n = 0
    hits = np.empty((64, 2), np.int64), 0
    for r in range(frames.offsets.shape[0] - 1):
        if references.offsets[r + 1] == references.offsets[r]:
            continue
        first = frames.offsets[r]
        for node in nodes[: _stretches(codes[first : frames.offsets[r + 1]], nodes, waiting)]:
            onset, offset = frames.edges[first + r + node[0]], frames.edges[first + r + node[1]]
            n_hits = hits[1]
            hits = hits_of(rule, references, r, (n, onset, offset), hits)
            if hits[1] > n_hits:
                lives = enlarged(lives, n)
                lives[n, 0], lives[n, 1], lives[n, 2] = r, node[2], node[3]
                n += 1
    pairs = pairs_of(hits[0][: hits[1]], n, references.onset.shape[0])
    pairs.live[:n] = False
    keys = np.empty(2 * n, np.int64)
    for event in range(n):
        keys[2 * event], keys[2 * event + 1] = n_codes - lives[event, 1], n_codes - lives[event, 2]
    for at in rising(keys):
        event, goes = at >> 1, at & 1
        code = lives[event, 1 + goes]
        if code < 0:
            break
        tp = 0
        pairs.live[event] = not goes
        if not goes:
            tp = np.int64(paired(pairs, event))
        elif pairs.mate[event] >= 0:
            left = pairs.mate[event]
            pairs.mate[event] = pairs.mate[left] = -1
            tp = np.int64(paired(pairs, left)) - 1
        if tp != 0:
            _add(book, code, lives[event, 0], tp, 0)


@njit(cache=True, nogil=True)
def _by_intersection(book, frames, codes, references, rule):
    """Note which references are found, and which events are right: these count where they find something."""
    n_codes = book.touched.shape[0]
    nodes, waiting = _room(frames, references)
    within = np.empty(nodes.shape[0] + 1, np.int64)
    covers = np.empty((64, 2), np.int64), 0
    for r in range(frames.offsets.shape[0] - 1):
        if references.offsets[r + 1] == references.offsets[r]:
            continue
        first, n_frames = frames.offsets[r], frames.offsets[r + 1] - frames.offsets[r]
        edges = frames.edges[first + r : first + r + n_frames + 1]
        _time_within(edges, references, r, within)
        n = _stretches(codes[first : first + n_frames], nodes, waiting)
        # ``waiting`` now holds the stretches that are part of no other yet: first frame, end, right.
        top = 0
        for node in nodes[:n]:
            start, end, code = node[0], node[1], node[2]
            right = np.int64(within[end] - within[start] >= needed(rule, edges[end] - edges[start]))
            delta = -right
            until = end
            while top > 0 and waiting[top - 1, 0] >= start:
                top -= 1
                begins, ends, was_right = waiting[top, 0], waiting[top, 1], waiting[top, 2]
                delta += was_right
                key = n_codes - code
                if right and ends < until:
                    covers = _cover(references, r, (edges[ends], edges[until]), (key, n_codes, 1), covers)
                if right != was_right:
                    sign = 1 if right else -1
                    covers = _cover(references, r, (edges[begins], edges[ends]), (key, n_codes, sign), covers)
                until = begins
            if right and start < until:
                covers = _cover(references, r, (edges[start], edges[until]), (n_codes - code, n_codes, 1), covers)
            if delta != 0:
                _add(book, code, r, 0, delta)
            waiting[top, 0], waiting[top, 1], waiting[top, 2] = start, end, right
            top += 1
    _found(book, references, covers)


@njit(cache=True, nogil=True)
def _time_within(edges, references, r, out):
    """Write to ``out`` how much of the time before each edge lies in references of a recording."""
    i, last = references.offsets[r], references.offsets[r + 1]
    before = 0
    for e in range(edges.shape[0]):
        while i < last and references.offset[i] <= edges[e]:
            before += references.offset[i] - references.onset[i]
            i += 1
        out[e] = before + (max(edges[e] - references.onset[i], 0) if i < last else 0)


@njit(cache=True, nogil=True)
def _cover(references, r, span, how, covers):
    """Add what a span of time adds to the time found of references; rows are of a key and microseconds.

    The key orders by reference and falling code; ``how`` is the code from the top, the number of codes, the sign.
    """
    (onset, offset), (key, n_codes, sign) = span, how
    rows, size = covers
    last = references.offsets[r + 1]
    i = first_from(references.offset, references.offsets[r], last, onset + 1)
    while i < last and references.onset[i] < offset:
        rows = enlarged(rows, size)
        rows[size, 0] = i * (n_codes + 1) + key
        rows[size, 1] = sign * (min(offset, references.offset[i]) - max(onset, references.onset[i]))
        size += 1
        i += 1
    return rows, size


@njit(cache=True, nogil=True)
def _found(book, references, covers):
    """Note where references come to be found and are lost again; each is given too."""
    rows, size = covers
    n_codes = book.touched.shape[0]
    order = rising(rows[:size, 0].copy())
    r, time, was = 0, 0, False
    for j in range(size):
        key, more = rows[order[j], 0], rows[order[j], 1]
        i = key // (n_codes + 1)
        if j == 0 or rows[order[j - 1], 0] // (n_codes + 1) != i:
            time, was = 0, False
            while references.offsets[r + 1] <= i:
                r += 1
        time += more
        if j + 1 < size and rows[order[j + 1], 0] == key:
            continue
        now = time >= references.needs[i]
        if now != was:
            delta = np.int64(now) - np.int64(was)
            _add(book, n_codes - (key - i * (n_codes + 1)), r, delta, delta)
            was = now
