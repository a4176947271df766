"""Tails of the binomial distribution, and the walks along the cuts of a label that test them."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

SLACK = 1e-9
"""Tails are computed to about this share of themselves, and taken that much larger."""


@njit(cache=True, nogil=True)
def binomial_tail(k, n, q):
    """Return the probability of ``k`` or more of ``n`` when each has probability ``q``.

    It is the incomplete beta function I_q(k, n - k + 1), by Lentz's continued fraction (Press et al.,
    Numerical Recipes, 6.4).
    """
    if k <= 0:
        return 1.0
    if k > n or q <= 0:
        return 0.0
    if q >= 1:
        return 1.0
    a, b = float(k), float(n - k + 1)
    if a == 1.0:
        return -math.expm1(n * math.log1p(-q))
    front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(q) + b * math.log1p(-q)
    if q > (a + 1) / (a + b + 2):
        return 1.0 - math.exp(front) * _fraction(b, a, 1 - q) / b
    return math.exp(front) * _fraction(a, b, q) / a


@njit(cache=True, nogil=True)
def _fraction(a, b, x):
    tiny = 1e-300
    c, d = 1.0, 1.0 - (a + b) * x / (a + 1.0)
    d = 1.0 / (d if abs(d) > tiny else tiny)
    h = d
    for m in range(1, 100_000):
        for step in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1.0 + step * d
            d = 1.0 / (d if abs(d) > tiny else tiny)
            c = 1.0 + step / c
            c = c if abs(c) > tiny else tiny
            h *= d * c
        if abs(d * c - 1.0) < 1e-15:
            break
    return h


@njit(cache=True, nogil=True)
def binomial_tails(k, n, q, out):
    """Write the tail of each ``k`` of ``n`` at the shares ``q`` (all of one length) to ``out``."""
    for i in range(len(k)):
        out[i] = binomial_tail(k[i], n[i], q) * (1 + SLACK)


@njit(cache=True, nogil=True)
def walk_down(counts, share, level, begin, kept):
    """Mark the cuts of one label at which a share of right ones among those kept is proven.

    Parameters
    ----------
    counts : int64 (3, n_cuts + 1)
        By falling cut, each at a positive's score: positives at or above it, negatives above it, negatives at
        or above it. First "never", last all items.
    share : float
        What is promised.
    level : float
        Error allowed to this label.
    begin : (int64 (n_starts,), float64 (n_starts,))
        Ranks, rising, and the parts of the level that begin to walk there; the parts add up to 1.
    kept : bool (n_cuts,)
        What is proven.

    Returns
    -------
    bool
        Whether all items together pass too, so that the level is not used up.

    Notes
    -----
    `docs/theory/guarantees.md` has the proof. A part of the level that begins inside a tie must first pass
    there with the tie's negatives taken first. It goes on as long as each cut, just above each positive and at it,
    has a tail within the sum of the parts that walk.
    """
    tp, above, fp = counts
    starts, parts = begin
    walking, begun = 0.0, 0
    last = len(tp) - 1
    for j in range(1, last + 1):
        kept_before = tp[j - 1]
        # down the negatives, to just above this positive
        reached = kept_before + above[j]
        while begun < len(starts) and starts[begun] <= reached:
            # what walks already must pass without the part that now begins
            if walking > 0 and binomial_tail(kept_before, starts[begun] - 1, share) * (1 + SLACK) > walking:
                walking = 0.0
            if binomial_tail(kept_before, starts[begun], share) * (1 + SLACK) <= level * parts[begun]:
                walking += level * parts[begun]
            begun += 1
        if walking > 0 and binomial_tail(kept_before, reached, share) * (1 + SLACK) > walking:
            walking = 0.0
        if j == last:
            break
        # through the tie of this positive, its negatives first
        tied = fp[j] - above[j]
        reached = tp[j] + fp[j]
        while begun < len(starts) and starts[begun] <= reached:
            right = kept_before + max(0, starts[begun] - kept_before - above[j] - tied)
            if binomial_tail(right, starts[begun], share) * (1 + SLACK) <= level * parts[begun]:
                walking += level * parts[begun]
            begun += 1
        if walking > 0 and binomial_tail(tp[j], reached, share) * (1 + SLACK) > walking:
            walking = 0.0
        kept[j] = walking > 0
    return walking > 0


@njit(cache=True, nogil=True)
def walk_labels(offsets, counts, share, begin, levels, kept):
    """Do `walk_down` for each label, at its level if that is above 0; return which passed to the end."""
    through = np.zeros(len(levels), np.bool_)
    for k in range(len(offsets) - 1):
        if levels[k] > 0:
            span = slice(offsets[k], offsets[k + 1])
            through[k] = walk_down(counts[:, span], share, levels[k], begin, kept[span])
    return through


@njit(cache=True, nogil=True)
def smallest(share, seen, level, most):
    """Return the smallest number, at most ``most``, of which the part ``seen`` proves a share at a level.

    With f mistakes a number m(f) is the smallest that proves it; it is enough where no more than f are to be
    expected. Both searches halve.
    """
    low, high = 0, 1
    while not _enough(share, seen, level, high, most) and high < most:
        high *= 2
    while low < high:
        middle = (low + high) // 2
        if _enough(share, seen, level, middle, most):
            high = middle
        else:
            low = middle + 1
    return min(_proving(share, level, low, most), most)


@njit(cache=True, nogil=True)
def _enough(share, seen, level, wrong, most):
    number = _proving(share, level, wrong, most)
    return number >= most or math.floor((1 - seen) * number + 1e-9) <= wrong


@njit(cache=True, nogil=True)
def _proving(share, level, wrong, most):
    low, high = wrong + 1, 2 * wrong + 2
    while high < most and binomial_tail(high - wrong, high, share) > level:
        high *= 2
    while low < high:
        middle = (low + high) // 2
        if binomial_tail(middle - wrong, middle, share) > level:
            low = middle + 1
        else:
            high = middle
    return low
