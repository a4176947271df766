"""The counts of one label at every threshold, for all settings that share a median."""

from __future__ import annotations

import numpy as np
from numba import njit

from limen._kernels.events.counting import Book, note
from limen._kernels.events.filters import close_gaps, keep_long, spread


@njit(cache=True, nogil=True)
def curves_of(frames, ranks, settings, tables, judged, parts):
    """Return the codes at which counts change, falling, and the counts; for each setting, "never" (-1) first.

    Parameters
    ----------
    ranks : int32 (n_frames,)
        After the median.
    settings : int64 (n_settings, 3)
        The row of the tables, rising (-1: the codes are the ranks); the longest gap closed and the shortest
        event kept, microseconds.
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
    part_of, n_parts = parts
    n_codes = tables.shape[2] - 1
    if tables.shape[0]:
        n_codes = max(n_codes, np.int64(tables.max()) + 1)
    tp, pp = np.zeros((n_codes, n_parts), np.int32), np.zeros((n_codes, n_parts), np.int32)
    book = Book(part_of, tp, pp, np.zeros(n_codes, np.bool_))
    sizes = np.empty(settings.shape[0], np.int64)
    found, size = (np.empty(64, np.int32), np.empty((2, n_parts, 64), np.int32)), 0
    room = np.empty(ranks.shape[0], np.int32), np.empty(ranks.shape[0] + 1, np.int64)
    joined, codes, row = ranks, np.empty_like(ranks), -1
    for s in range(settings.shape[0]):
        if settings[s, 0] != row:
            row = settings[s, 0]
            joined = _joined(frames, ranks, tables[row])
        used = joined
        if settings[s, 1] > 0 or settings[s, 2] > 0:
            used = codes
            used[:] = joined
            _lengthened(frames, used, settings[s, 1], settings[s, 2], room)
        note(book, frames, used, judged[0], judged[1])
        found, until = _summed(book, found, size)
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
def _summed(book, found, size):
    """Write the codes at which counts of a part change, and the counts, from ``size``; empty the book."""
    n_parts = book.tp.shape[1]
    now = np.zeros((2, n_parts), np.int32)
    found = _written(found, size, -1, now)
    for code in range(book.touched.shape[0] - 1, -1, -1):
        if not book.touched[code]:
            continue
        book.touched[code] = False
        changed = False
        for part in range(n_parts):
            tp, pp = book.tp[code, part], book.pp[code, part]
            if tp != 0 or pp != 0:
                changed = True
                now[0, part] += tp
                now[1, part] += pp
                book.tp[code, part] = book.pp[code, part] = 0
        if changed:
            size += 1
            found = _written(found, size, code, now)
    return found, size + 1


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
