"""Exact binomial tests, and the walks along a label's cuts that they guide."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen.curves import Curves
from limen.decisions import Counts

FIRST, FALLING, FURTHER = 0.5, 0.75, 1.6
"""Of a label's error, this part begins to walk where it can first prove anything; the rest at ranks each so many
times that of the one before, in parts that fall by this factor."""


def tails(right: NDArray[np.int64], of: NDArray[np.int64], share: float) -> NDArray[np.float64]:
    """Return the probability of so many right ones or more when each has this probability: the p-values.

    One at most a level means that the one-sided bound of Clopper and Pearson at that level is at least ``share``.

    Examples
    --------
    >>> tails(np.array([2, 3]), np.array([3, 3]), 0.5).round(6)
    array([0.5  , 0.125])
    """
    from limen._kernels import bounds

    shape = np.broadcast_shapes(np.shape(right), np.shape(of))
    k, n = (np.ascontiguousarray(np.broadcast_to(x, shape), np.int64).ravel() for x in (right, of))
    out = np.empty(len(k))
    bounds.binomial_tails(k, n, share, out)
    return np.minimum(out.reshape(shape), 1.0)


class Cuts(NamedTuple):
    """Curves at the positive scores, and the negatives strictly above each cut, int64 (n_candidates,)."""

    curves: Curves
    above: NDArray[np.int64]

    @classmethod
    def of(cls, curves: Curves) -> Cuts:
        """Return the cuts of curves whose data are at hand: one more pass over these."""
        from dataclasses import replace

        candidates = curves.candidates
        just_above = replace(candidates, cuts=np.nextafter(candidates.cuts, candidates.cuts.dtype.type(np.inf)))
        return cls(curves, np.sum([source.counts(just_above).fp for source in curves.sources], axis=0))


def starts(share: float, level: float, n_items: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the ranks, up to the number of items, at which parts of a level begin to walk, and these parts.

    Examples
    --------
    >>> ranks, parts = starts(0.9, 0.05, 300)
    >>> ranks, parts.round(3)
    (array([ 36,  58,  93, 148, 236]), array([0.5  , 0.183, 0.137, 0.103, 0.077]))
    """
    first = math.ceil(math.log(level * FIRST) / math.log(share))
    more = max(0, math.floor(math.log(n_items / first) / math.log(FURTHER))) if n_items > first else 0
    falling = FALLING ** np.arange(more)
    parts = np.append(FIRST, (1 - FIRST) * falling / falling.sum()) if more else np.ones(1)
    ranks = np.ceil(first * FURTHER ** np.arange(more + 1)).astype(np.int64)
    return np.maximum(ranks, np.ceil(np.log(level * parts) / math.log(share)).astype(np.int64)), parts


def proven_precision(
    cuts: Cuts, share: float, levels: NDArray[np.float64], first_levels: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return where precision is proven (n_candidates,), and the labels that pass to the end (n_labels,).

    ``levels`` is the error of each label; its walks begin where those at its ``first_levels`` would.
    """
    from limen._kernels import bounds

    curves = cuts.curves
    ends = curves.offsets[1:]
    counts = np.stack([curves.tp, cuts.above, curves.fp])
    last = np.stack([curves.n_positive, curves.n_known - curves.n_positive, curves.n_known - curves.n_positive])
    counts = np.insert(counts, ends, last, axis=1)
    kept = np.zeros(counts.shape[1], bool)
    offsets, through = curves.offsets + np.arange(len(ends) + 1), np.zeros(len(ends), bool)
    for first in np.unique(first_levels[first_levels > 0]):
        begin = starts(share, float(first), int(curves.n_known.max()))
        own = np.where(first_levels == first, levels, 0.0)
        through |= bounds.walk_labels(offsets, counts, share, begin, own, kept)
    return np.delete(kept, ends + np.arange(len(ends))), through


def proven_monotone(
    curves: Curves, kind: str, share: float, levels: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return where recall, or the false-positive rate, is proven, and the labels that pass to the end.

    Both fall as the cut rises, so that each cut tested at the whole level is a fixed sequence.
    """
    label_of = curves.label_of
    positive, negative = curves.n_positive[label_of], (curves.n_known - curves.n_positive)[label_of]
    if kind == "recall":
        found = tails(curves.tp, positive, share) <= levels[label_of]
        return found, np.zeros(curves.n_labels, bool)
    found = tails(negative - curves.fp, negative, 1 - share) <= levels[label_of]
    found[curves.offsets[:-1]] = True  # never given, never wrong
    everything = curves.n_known - curves.n_positive
    return found, tails(0 * everything, everything, 1 - share) <= levels


def kept_in_expectation(curves: Curves, kind: str, share: float) -> NDArray[np.bool_]:
    """Return where recall, or the false-positive rate, keeps its share in expectation (n_candidates,).

    Conformal risk control (Angelopoulos et al. 2024) for the loss of one more item, which counts as a loss.
    """
    label_of = curves.label_of
    positive, negative = curves.n_positive[label_of], (curves.n_known - curves.n_positive)[label_of]
    slack = 1e-12
    if kind == "recall":
        return np.asarray(positive - curves.tp + 1 <= (1 - share) * (positive + 1) + slack)
    kept = curves.fp + 1 <= share * (negative + 1) + slack
    kept[curves.offsets[:-1]] = True
    return np.asarray(kept)


def counts_at(curves: Curves) -> Counts:
    """Return the counts at every candidate, with the totals of its label."""
    label_of = curves.label_of
    return Counts(curves.tp, curves.pp, curves.n_positive[label_of], curves.n_known[label_of])
