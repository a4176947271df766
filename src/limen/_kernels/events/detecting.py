"""Events of one label at one threshold, frame by frame; and the best of candidates."""

from __future__ import annotations

import numpy as np
from numba import njit


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
def best_by_given(counts, out):
    """Write to ``out[pp]`` the first candidate with the most tp among those with ``pp``; it holds -1 before."""
    tp, pp = counts
    for j in range(tp.shape[0]):
        best = out[pp[j]]
        if best < 0 or tp[j] > tp[best]:
            out[pp[j]] = j
