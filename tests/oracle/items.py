"""The independent oracle of averages over items: what limen computes, the slow and obvious way.

Pure Python on fractions, as `oracle.naive`; it imports neither limen nor numpy. An item's counts are those of its
labels whose truth is known.
"""

import math
from fractions import Fraction
from itertools import product

from oracle import naive


def item_counts(truths, decisions):
    """The tuple (tp, pp, p, n) of one item."""
    known = [(t, d) for t, d in zip(truths, decisions, strict=True) if t is not None and t == t]
    return (
        sum(1 for t, d in known if t and d),
        sum(1 for _, d in known if d),
        sum(1 for t, _ in known if t),
        len(known),
    )


def value(metric, y_true, decisions, sample_weight=None, zero_division=0):
    """The average over items of a metric of `naive.METRICS`, or "subset_accuracy" or "segment_error_rate"."""
    rows = naive._plain(y_true), naive._plain(decisions)
    weights = [1] * len(rows[0]) if sample_weight is None else [Fraction(w) for w in naive._plain(sample_weight)]
    above = below = Fraction(0)
    for truths, given, weight in zip(*rows, weights, strict=True):
        tp, pp, p, n = item_counts(truths, given)
        if metric == "subset_accuracy":
            one, per = Fraction(tp == p == pp), 1
        elif metric == "segment_error_rate":
            fn, fp = p - tp, pp - tp
            one, per = Fraction(-(min(fn, fp) + max(0, fn - fp) + max(0, fp - fn))), p
        else:
            one, per = Fraction(naive.METRICS[metric](tp, pp, p, n, Fraction(zero_division))), 1
        above, below = above + weight * one, below + weight * per
    return above / below if below else Fraction(zero_division)


def decided(y_score, thresholds):
    """Decisions of thresholds, bool (n_items, n_labels)."""
    return [[s >= t for s, t in zip(row, thresholds, strict=True)] for row in naive._plain(y_score)]


def best(metric, y_true, y_score, sample_weight=None, zero_division=0):
    """The best value over all vectors of thresholds."""
    cuts = [[math.inf, *sorted(set(column))] for column in zip(*naive._plain(y_score), strict=True)]
    return max(
        value(metric, y_true, decided(y_score, vector), sample_weight, zero_division) for vector in product(*cuts)
    )


def expected_f(probabilities, subset, beta, zero_division=0.0):
    """The expected F-beta (float) of giving an item a set of labels, over all sets that may be true."""
    total = 0.0
    for truth in product((0, 1), repeat=len(probabilities)):
        chance = math.prod(p if t else 1 - p for p, t in zip(probabilities, truth, strict=True))
        tp = sum(1 for t, d in zip(truth, subset, strict=True) if t and d)
        below = sum(subset) + beta**2 * sum(truth)
        total += chance * ((1 + beta**2) * tp / below if below else zero_division)
    return total
