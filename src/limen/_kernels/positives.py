"""The scores of positive items: collected, sorted by their bits, and each kept once."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from limen._kernels.threads import divided, processors, share

_DIGIT, _FEW_KEYS, _LANES = 11, 48, 16


class Positive(NamedTuple):
    """Each label's number of positive items, their scores end to end, and the range of all scores."""

    size: NDArray[np.int64]
    scores: NDArray[Any]
    ends: tuple[float, float]


@njit(cache=True, nogil=True)
def _count_truth(truth, known, positive):
    """Add the known and the positive items of each column."""
    for codes in truth:
        for k in range(len(codes)):
            known[k] += codes[k] >= 0
            positive[k] += codes[k] == 1


@njit(cache=True, nogil=True)
def _collect(scores, truth, place, out, span):
    """Write the scores of the positive items of label ``k`` from ``out[place[k]]`` on."""
    top, bottom = span
    for i in range(top, bottom):
        row, codes = scores[i], truth[i]
        for k in range(len(row)):
            if codes[k] == 1:
                out[place[k]] = row[k]
                place[k] += 1


@njit(cache=True, nogil=True)
def _distinct(bits, offsets, size, times, span):
    """Replace each label's scores by their distinct ones, falling, and write to ``size`` how many those are.

    To ``times`` is written how often each occurs.

    ``bits`` are those of the scores, as whole numbers without sign.
    """
    first, last = span
    top = 8 * bits.itemsize - 1
    sign = np.uint64(1) << np.uint64(top)
    longest = 0
    for k in range(first, last):
        longest = max(longest, offsets[k + 1] - offsets[k])
    keys, spare = np.empty(longest, bits.dtype), np.empty(longest, bits.dtype)
    room = np.empty(1 << _DIGIT, np.int64)
    for k in range(first, last):
        own = bits[offsets[k] : offsets[k + 1]]
        for i in range(len(own)):
            raw = np.uint64(own[i])
            if raw == sign:
                raw = np.uint64(0)  # -0.0 is the same number
            # Falling as the score rises.
            keys[i] = raw if raw & sign else ~raw ^ sign
        ordered = _sort(keys[: len(own)], spare[: len(own)], room, top + 1)
        n, often = 0, times[offsets[k] : offsets[k + 1]]
        for i in range(len(own)):
            if i == 0 or ordered[i] != ordered[i - 1]:
                raw = np.uint64(ordered[i])
                own[n], often[n] = raw if raw & sign else ~raw ^ sign, 0
                n += 1
            often[n - 1] += 1
        size[k] = n


@njit(cache=True, nogil=True)
def _sort(keys, spare, room, n_bits):
    """Return the keys in ascending order: one of the two arrays, which are both overwritten."""
    n = len(keys)
    if n <= _FEW_KEYS:
        for i in range(1, n):
            key, j = keys[i], i
            while j > 0 and keys[j - 1] > key:
                keys[j] = keys[j - 1]
                j -= 1
            keys[j] = key
        return keys
    digit = _DIGIT if n > 1 << _DIGIT else 8
    mask = np.uint64((1 << digit) - 1)
    for low in range(0, n_bits, digit):
        shift = np.uint64(low)
        count = room[: 1 << digit]
        count[:] = 0
        for i in range(n):
            count[(np.uint64(keys[i]) >> shift) & mask] += 1
        if count[(np.uint64(keys[0]) >> shift) & mask] == n:
            continue
        place = 0
        for d in range(len(count)):
            own = count[d]
            count[d] = place
            place += own
        for i in range(n):
            d = (np.uint64(keys[i]) >> shift) & mask
            spare[count[d]] = keys[i]
            count[d] += 1
        keys, spare = spare, keys
    return keys


@njit(cache=True, nogil=True)
def _pack(segments, starts, packed, offsets):
    """Write "never" and the first values of each segment as the label's cuts, with how often they occur."""
    values, often = segments
    cuts, times = packed
    for k in range(len(offsets) - 1):
        cuts[offsets[k]], times[offsets[k]] = np.inf, 0
        for j in range(offsets[k + 1] - offsets[k] - 1):
            cuts[offsets[k] + 1 + j], times[offsets[k] + 1 + j] = values[starts[k] + j], often[starts[k] + j]


def known_and_positive(truth: NDArray[np.int8]) -> NDArray[np.int64]:
    """Return each label's number of known and of positive items, (2, n_labels)."""
    return np.asarray(_known_and_positive(truth, divided(len(truth), truth.size)).sum(axis=0))


def _known_and_positive(truth: NDArray[np.int8], spans: list[tuple[int, int]]) -> NDArray[np.int64]:
    """Return each label's number of known and of positive items by span of rows, (n_spans, 2, n_labels)."""
    return np.array(share(_of_rows, [(truth[first:last],) for first, last in spans]))


def _of_rows(truth: NDArray[np.int8]) -> NDArray[np.int64]:
    n_labels = truth.shape[1]
    # Several short rows are taken for one long one.
    fold = max(1, _LANES * 4 // max(1, n_labels))
    whole = len(truth) // fold * fold
    found = np.zeros((2, fold * n_labels), np.int64)
    _count_truth(truth[:whole].reshape(whole // fold, fold * n_labels), *found)
    rest = truth[whole:]
    beyond = np.stack([(rest >= 0).sum(axis=0), (rest == 1).sum(axis=0)])
    return np.asarray(found.reshape(2, fold, n_labels).sum(axis=1) + beyond)


def positive_scores(scores: NDArray[Any], truth: NDArray[np.int8], *, check: bool = True) -> Positive | None:
    """Return the scores of each label's positive items, and the range of all; None if a score is not finite.

    Without ``check`` scores may be infinite.
    """
    spans = divided(len(scores), scores.size)
    lowest, highest = np.transpose(share(_ends, [(scores[first:last],) for first, last in spans]))
    ends = float(lowest.min()), float(highest.max())
    if check and (np.isnan(ends).any() or ends[0] == -np.inf or ends[1] == np.inf):
        return None
    if scores.shape[1] == 1:
        columns = [(truth[first:last, 0] == 1, scores[first:last, 0]) for first, last in spans]
        one = np.concatenate(share(np.compress, columns))
        return Positive(np.array([len(one)]), one, ends)
    positive = _known_and_positive(truth, spans)[:, 1]
    size = positive.sum(axis=0)
    place = np.cumsum(positive, axis=0) - positive + (np.cumsum(size) - size)
    out = np.empty(size.sum(), scores.dtype)
    share(_collect, [(scores, truth, own, out, span) for own, span in zip(place, spans, strict=True)])
    return Positive(size, out, ends)


def _ends(scores: NDArray[Any]) -> tuple[float, float]:
    return float(scores.min(initial=np.inf)), float(scores.max(initial=-np.inf))


def distinct_falling(
    size: NDArray[np.int64], scores: NDArray[Any]
) -> tuple[NDArray[np.int64], NDArray[Any], NDArray[np.int32]]:
    """Return offsets and cuts of labels: "never", and the distinct of the ``size[k]`` scores of label ``k``.

    ``scores`` lie end to end by label, and are overwritten. The third array says how often each cut is among them.
    """
    starts = np.concatenate([[0], np.cumsum(size)])
    parts = processors(len(scores))
    edges = np.unique(np.searchsorted(starts, np.linspace(0, len(scores), parts + 1)[1:-1]))
    edges = np.unique([0, *edges.tolist(), len(size)])
    found, often = np.zeros(len(size), np.int64), np.empty(len(scores), np.int32)
    bits = scores.view(np.uint32 if scores.itemsize == 4 else np.uint64)
    spans = zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
    share(_distinct, [(bits, starts, found, often, span) for span in spans])
    offsets = np.concatenate([[0], np.cumsum(found + 1)])
    cuts, times = np.empty(offsets[-1], scores.dtype), np.empty(offsets[-1], np.int32)
    _pack((scores, often), starts, (cuts, times), offsets)
    return offsets, cuts, times
