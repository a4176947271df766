"""The counts of one label at every threshold, for all settings that share a median."""

from __future__ import annotations

import numpy as np
from numba import njit

from limen._kernels.events.counting import changes_of
from limen._kernels.events.filters import close_gaps, keep_long, spread
from limen._kernels.events.ranking import rising


@njit(cache=True, nogil=True)
def curves_of(frames, ranks, settings, tables, judged, parts):
    """Return the codes at which counts change, falling, and the counts; for each setting, "never" (-1) first.

    Parameters
    ----------
    ranks : int32 (n_frames,)
        After the median.
    settings : int64 (n_settings, 3)
        The row of the tables, rising (-1: the codes are the ranks); the longest gap closed and the shortest event kept, microseconds.
    tables : int32 (n_tables, 2, n_ranks + 1)
        The last code at which a frame makes an event, and at which it belongs to one, by rank; last those of -1.
    judged : (References, Rule)
    parts : (int64 (n_recordings,), int)
        The part that each recording is counted in, and how many there are.

    Returns
    -------
    sizes : int64 (n_settings,)
    codes : int32 (n,)
    counts : int32 (2, n_parts, n)
    """
    sizes = np.empty(settings.shape[0], np.int64)
    found, size = (np.empty(64, np.int32), np.empty((2, parts[1], 64), np.int32)), 0
    room = np.empty(ranks.shape[0], np.int32), np.empty(ranks.shape[0] + 1, np.int64)
    joined, codes, n_codes, row = ranks, np.empty_like(ranks), tables.shape[2] - 1, -1
    for s in range(settings.shape[0]):
        if settings[s, 0] != row:
            row = settings[s, 0]
            joined = _joined(frames, ranks, tables[row])
            n_codes = np.int64(tables[row].max()) + 1
        used = joined
        if settings[s, 1] > 0 or settings[s, 2] > 0:
            used = codes
            used[:] = joined
            _lengthened(frames, used, settings[s, 1], settings[s, 2], room)
        changes = changes_of(frames, used, n_codes, judged[0], judged[1])
        found, until = _cumulated(changes, n_codes, parts, found, size)
        sizes[s] = until - size
        size = until
    return sizes, found[0][:size].copy(), found[1][:, :, :size].copy()


@njit(cache=True, nogil=True)
def _joined(frames, ranks, table):
    """Return the codes up to which frames are in a stretch that reaches its own peak."""
    codes, low = np.empty_like(ranks), np.empty_like(ranks)
    for i, rank in enumerate(ranks):
        codes[i], low[i] = table[0, rank], table[1, rank]
    for r in range(frames.offsets.shape[0] - 1):
        begin, end = frames.offsets[r], frames.offsets[r + 1]
        spread(codes[begin:end], low[begin:end], np.int32(-1), codes[begin:end])
    return codes


@njit(cache=True, nogil=True)
def _lengthened(frames, codes, gap, shortest, room):
    """Close gaps and drop what is short, in place."""
    for r in range(frames.offsets.shape[0] - 1):
        begin, end = frames.offsets[r], frames.offsets[r + 1]
        edges = frames.edges[begin + r : end + r + 1]
        if gap > 0:
            close_gaps(edges, codes[begin:end], gap, room)
        if shortest > 0:
            keep_long(edges, codes[begin:end], shortest, False, room)


@njit(cache=True, nogil=True)
def _cumulated(changes, n_codes, parts, found, size):
    """Write the codes of one setting at which counts of a part change, and the counts, from place ``size``."""
    part_of, n_parts = parts
    keys = np.empty(changes.shape[0], np.int64)
    for j in range(changes.shape[0]):
        keys[j] = n_codes - changes[j, 0]
    order = rising(keys)
    now, kept = np.zeros((2, n_parts), np.int32), np.zeros((2, n_parts), np.int32)
    found = _written(found, size, -1, kept)
    size += 1
    for j in range(order.shape[0]):
        change = changes[order[j]]
        part = part_of[change[1]]
        now[0, part] += change[2]
        now[1, part] += change[3]
        if j + 1 < order.shape[0] and changes[order[j + 1], 0] == change[0]:
            continue
        for part in range(n_parts):
            if now[0, part] != kept[0, part] or now[1, part] != kept[1, part]:
                found = _written(found, size, change[0], now)
                size += 1
                kept[:] = now
                break
    return found, size


@njit(cache=True, nogil=True)
def _written(found, size, code, counts):
    codes, given = found
    if size == codes.shape[0]:
        codes, given = np.empty(2 * size, np.int32), np.empty((2, given.shape[1], 2 * size), np.int32)
        codes[:size], given[:, :, :size] = found[0], found[1]
    codes[size] = code
    for part in range(given.shape[1]):
        given[0, part, size], given[1, part, size] = counts[0, part], counts[1, part]
    return codes, given
