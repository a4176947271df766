"""The independent oracle: what limen computes, the slow and obvious way.

Pure Python on integers and fractions; it imports neither limen nor numpy (arrays are read with ``tolist()``).
Everything is exact unless a docstring says float.

An item is kept when ``score >= threshold``; ``math.inf`` keeps nothing. A truth of None or NaN is unknown:
the item is left out of that label. An item of weight 0 is still an item, so its score is still a cut.

A metric is a function of ``(tp, pp, p, n, zero_division=0)``: the weight of kept positives, of kept items, of
positives and of items. Every 0/0 is `zero_division`, and no other zero denominator occurs. `mcc`,
`fowlkes_mallows` and `g_mean` are irrational: they return their signed square, which is rational and orders
as they do. `as_float` turns either kind into a float.
"""

import math
from fractions import Fraction
from itertools import product


def _plain(values):
    if hasattr(values, "tolist"):
        return values.tolist()
    return [_plain(value) for value in values] if isinstance(values, (list, tuple)) else values


def _columns(y_true, y_score):
    """One pair (truths, scores) for each label."""
    y_true, y_score = _plain(y_true), _plain(y_score)
    return list(zip(zip(*y_true, strict=True), zip(*y_score, strict=True), strict=True))


def _items(truths, scores, sample_weight=None):
    """The triples (truth, score, weight) of the items whose truth is known; all ints without weights."""
    truths, scores = _plain(truths), _plain(scores)
    weights = [1] * len(truths) if sample_weight is None else [Fraction(w) for w in _plain(sample_weight)]
    triples = zip(truths, scores, weights, strict=True)
    items = [item for item in triples if item[0] is not None and item[0] == item[0]]  # NaN is not itself
    if any(truth not in (0, 1) or not math.isfinite(score) for truth, score, _ in items):
        raise ValueError("the oracle wants truths of 0, 1, None or NaN and finite scores")
    return items


def _count(items, threshold):
    tp = sum(weight for truth, score, weight in items if score >= threshold and truth)
    pp = sum(weight for _, score, weight in items if score >= threshold)
    p = sum(weight for truth, _, weight in items if truth)
    n = sum(weight for _, _, weight in items)
    return tp, pp, p, n


def counts(y_true, y_score, thresholds, sample_weight=None):
    """Counts of each label when its items with ``score >= threshold`` are kept.

    Parameters
    ----------
    y_true : matrix (n_items, n_labels) of 0, 1, bool, None or NaN
    y_score : matrix (n_items, n_labels) of finite numbers
    thresholds : sequence (n_labels,)
    sample_weight : sequence (n_items,), optional; read exactly, as fractions

    Returns
    -------
    list of (tp, pp, p, n)
        One a label: ints, or fractions with weights.
    """
    pairs = zip(_columns(y_true, y_score), _plain(thresholds), strict=True)
    return [_count(_items(*column, sample_weight), threshold) for column, threshold in pairs]


def _ratio(numerator, denominator, zero_division):
    return Fraction(numerator) / Fraction(denominator) if denominator else Fraction(zero_division)


def _signed_square(number):
    return Fraction(number) * abs(Fraction(number))


def precision(tp, pp, p, n, zero_division=0):
    """tp / pp."""
    return _ratio(tp, pp, zero_division)


def recall(tp, pp, p, n, zero_division=0):
    """tp / p."""
    return _ratio(tp, p, zero_division)


def specificity(tp, pp, p, n, zero_division=0):
    """tn / (n - p)."""
    return _ratio(n - pp - p + tp, n - p, zero_division)


def fbeta(beta):
    """The metric (1 + b^2) tp / (pp + b^2 p)."""
    square = Fraction(beta) ** 2
    return lambda tp, pp, p, n, zero_division=0: _ratio((1 + square) * tp, pp + square * p, zero_division)


def jaccard(tp, pp, p, n, zero_division=0):
    """tp / (pp + p - tp)."""
    return _ratio(tp, pp + p - tp, zero_division)


def accuracy(tp, pp, p, n, zero_division=0):
    """(tp + tn) / n."""
    return _ratio(tp + (n - pp - p + tp), n, zero_division)


def balanced_accuracy(tp, pp, p, n, zero_division=0):
    """Mean of recall and specificity, each `zero_division` on its own when its class is missing."""
    return (recall(tp, pp, p, n, zero_division) + specificity(tp, pp, p, n, zero_division)) / 2


def youden_j(tp, pp, p, n, zero_division=0):
    """Recall + specificity - 1, each `zero_division` on its own as above."""
    return recall(tp, pp, p, n, zero_division) + specificity(tp, pp, p, n, zero_division) - 1


def kappa(tp, pp, p, n, zero_division=0):
    """Cohen's 2 (n tp - p pp) / (pp (n - p) + p (n - pp))."""
    return _ratio(2 * (n * tp - p * pp), pp * (n - p) + p * (n - pp), zero_division)


def cost(fp_cost=1, fn_cost=1):
    """The metric -(fp_cost fp + fn_cost fn) / n."""
    fp_cost, fn_cost = Fraction(fp_cost), Fraction(fn_cost)
    return lambda tp, pp, p, n, zero_division=0: _ratio(
        -(fp_cost * (pp - tp) + fn_cost * (p - tp)), n, zero_division
    )


def mcc(tp, pp, p, n, zero_division=0):
    """Signed square of (n tp - p pp) / sqrt(p pp (n - p) (n - pp))."""
    return _ratio(_signed_square(n * tp - p * pp), p * pp * (n - p) * (n - pp), _signed_square(zero_division))


def fowlkes_mallows(tp, pp, p, n, zero_division=0):
    """Signed square of tp / sqrt(p pp)."""
    return _ratio(tp**2, p * pp, _signed_square(zero_division))


def g_mean(tp, pp, p, n, zero_division=0):
    """Signed square of sqrt(recall * specificity), each `zero_division` on its own as above."""
    return recall(tp, pp, p, n, zero_division) * specificity(tp, pp, p, n, zero_division)


RATIONAL = (precision, recall, jaccard, accuracy, balanced_accuracy, kappa, youden_j)
SQUARED = (mcc, fowlkes_mallows, g_mean)
METRICS = {"f1": fbeta(1), "f0.5": fbeta(Fraction(1, 2)), "f2": fbeta(2), "cost": cost()}
METRICS |= {function.__name__: function for function in (*RATIONAL, *SQUARED)}


def as_float(metric, exact):
    """Float of what `metric`, `value` or `best` gave: the signed square root where that was a signed square.

    A float, as macro and weighted give for irrational metrics, is returned as it is.
    """
    if METRICS.get(metric, metric) in SQUARED and not isinstance(exact, float):
        return math.copysign(math.sqrt(abs(exact)), exact)
    return float(exact)


def value(metric, average, per_label_counts, zero_division=0):
    """Value of a metric averaged over labels.

    Parameters
    ----------
    metric : name in METRICS or metric function
    average : {"micro", "macro", "weighted"}
        The metric of the summed counts; its mean over labels; its mean weighted by each label's p
        (`zero_division` when every p is 0).
    per_label_counts : list of (tp, pp, p, n)
    zero_division : number

    Returns
    -------
    Fraction or float
        For an irrational metric, micro is its signed square; macro and weighted are sums of square roots, so
        they are floats, good to some 1e-15. All else is a Fraction.
    """
    function = METRICS.get(metric, metric)
    if average == "micro":
        return function(*(sum(column) for column in zip(*per_label_counts, strict=True)), zero_division)
    if average not in ("macro", "weighted"):
        raise ValueError(f"average={average!r}")
    weights = [p if average == "weighted" else 1 for _, _, p, _ in per_label_counts]
    values = [function(*label, zero_division) for label in per_label_counts]
    if function in SQUARED:
        values = [Fraction(as_float(function, square)) for square in values]
    summed = sum(weight * each for weight, each in zip(weights, values, strict=True))
    mean = _ratio(summed, sum(weights), zero_division)
    return float(mean) if function in SQUARED else mean


def all_cuts(y_true_column, y_score_column):
    """Every threshold that decides one label differently: inf, then its distinct known scores descending."""
    return [math.inf, *sorted({score for _, score, _ in _items(y_true_column, y_score_column)}, reverse=True)]


def best(metric, average, y_true, y_score, sample_weight=None, zero_division=0):
    """Highest value over all threshold vectors, and every vector of `all_cuts` that reaches it.

    Micro tries the whole product of cuts: small problems only. Macro and weighted are means whose weights (1,
    or p) do not depend on the thresholds, so each label is maximised alone, by its exact value even where the
    mean is a float, and the vectors are the product of the best cuts of the labels: any cut at weight 0.

    Returns
    -------
    value : Fraction or float
        As from `value`.
    thresholds : list of tuple
        In the order of the product of `all_cuts`.
    """
    function = METRICS.get(metric, metric)
    tables = []  # for each label, the counts at each cut
    for truths, scores in _columns(y_true, y_score):
        items = _items(truths, scores, sample_weight)
        tables.append({cut: _count(items, cut) for cut in all_cuts(truths, scores)})

    def reach(thresholds):
        reached = [table[cut] for table, cut in zip(tables, thresholds, strict=True)]
        return value(function, average, reached, zero_division)

    if average == "micro":
        values = {thresholds: reach(thresholds) for thresholds in product(*tables)}
        top = max(values.values())
        return top, [thresholds for thresholds, reached in values.items() if reached == top]
    best_cuts = []
    for table in tables:
        weight = max(p for _, _, p, _ in table.values()) if average == "weighted" else 1
        values = {cut: weight * function(*label, zero_division) for cut, label in table.items()}
        best_cuts.append([cut for cut in table if values[cut] == max(values.values())])
    vectors = list(product(*best_cuts))
    return reach(vectors[0]), vectors


def curve(y_true_column, y_score_column, sample_weight=None):
    """What limen's Curves must hold of one label.

    Returns
    -------
    list of (kept_score, tp, fp, highest_below)
        ``(inf, 0, 0, highest score or None)``, then a row for each distinct score of a positive, descending:
        counts at and above it, and the highest score of any known item below it or None.
    """
    items = _items(y_true_column, y_score_column, sample_weight)
    rows = []
    for cut in [math.inf, *sorted({score for truth, score, _ in items if truth}, reverse=True)]:
        tp, pp, _, _ = _count(items, cut)
        rows.append((cut, tp, pp - tp, max((score for _, score, _ in items if score < cut), default=None)))
    return rows


def f1_partials(tp, pp, p, n):
    """Partial derivatives (d F1 / d tp, d F1 / d pp) as floats; zeros when F1 is 0/0."""
    return (float(2 / Fraction(pp + p)), -float(2 * tp / Fraction(pp + p) ** 2)) if pp + p else (0.0, 0.0)


def surrogate_gradient(y_true, y_score, thresholds, slope, partials=f1_partials, sample_weight=None):
    """SGL-Thresh's gradient of a micro metric with respect to each threshold, as a list of floats.

    Counts are hard (``>=``); the derivative of each decision is replaced by ``h(x) = slope s (1 - s)`` where
    ``s = sigmoid(slope x)`` and ``x = score - threshold``. With F = 2 TP / (PP + P) this is
    ``dF/dt_k = -(1 / (PP + P)) sum_i h(s_ik - t_k) (2 y_ik - F)``.
    """
    per_label = counts(y_true, y_score, thresholds, sample_weight)
    d_tp, d_pp = partials(*(sum(column) for column in zip(*per_label, strict=True)))
    gradient = []
    for column, threshold in zip(_columns(y_true, y_score), _plain(thresholds), strict=True):
        total = 0.0
        for truth, score, weight in _items(*column, sample_weight):
            tail = math.exp(-abs(slope * (score - threshold)))  # h is even; this form cannot overflow
            total += weight * slope * tail / (1 + tail) ** 2 * (truth * d_tp + d_pp)
        gradient.append(-total)
    return gradient


def frontier(y_true, y_score, sample_weight=None):
    """Every pair (pp, tp) of summed counts that some threshold vector reaches, and their upper concave hull.

    Returns
    -------
    points : list of (pp, tp)
        Sorted; found by adding each label's choices to every sum so far.
    hull : list of (pp, tp)
        From (0, 0) to (n, p), each step the steepest there is and as long as it can be. The last edge is flat
        when the lowest score of a label belongs to negatives only.
    """
    points = {(0, 0)}
    for truths, scores in _columns(y_true, y_score):
        items = _items(truths, scores, sample_weight)
        steps = {_count(items, cut)[:2] for cut in all_cuts(truths, scores)}
        points = {(pp + more_pp, tp + more_tp) for pp, tp in points for more_tp, more_pp in steps}
    hull = [(0, 0)]
    while hull[-1] != max(points):
        pp_0, tp_0 = hull[-1]
        steepest = max((Fraction(tp - tp_0, pp - pp_0), pp, tp) for pp, tp in points if pp > pp_0)
        hull.append(steepest[1:])
    return sorted(points), hull
