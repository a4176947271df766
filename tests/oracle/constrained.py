"""Constraints, the slow and obvious way: every vector of thresholds on one grid is tried.

A constraint is a tuple: ``("precision", value, scope)``, ``("recall", ...)``, ``("fpr", ...)``, ``("at_most", m,
...)``, ``("at_least", m, ...)``, the scope being "all", or a list of label numbers; ``("range", low, high,
numbers)``, ``("same", numbers)`` and ``("above", parent, child)``. Values are fractions.
"""

import math
from fractions import Fraction
from itertools import product

from oracle import naive


def keeps(constraint, tp, pp, p, n):
    """Whether counts keep a constraint on counts; a ratio that is 0/0 breaks nothing."""
    kind, value = constraint[:2]
    return {
        "precision": lambda: tp >= value * pp,
        "recall": lambda: tp >= value * p,
        "fpr": lambda: pp - tp <= value * (n - p),
        "at_most": lambda: pp <= value,
        "at_least": lambda: pp >= value,
    }[kind]()


def of_counts(constraints):
    return [constraint for constraint in constraints if constraint[0] not in ("range", "same", "above")]


def of_label(constraints, k):
    """The constraints on the counts of label ``k`` alone."""
    return [c for c in of_counts(constraints) if c[2] != "all" and k in c[2]]


def ordered(constraints, thresholds):
    """Whether thresholds keep ranges, and are equal or in order where that is asked for."""
    for constraint in constraints:
        if constraint[0] == "range":
            _, low, high, numbers = constraint
            if not all(low <= thresholds[k] <= high for k in numbers):
                return False
        elif (constraint[0] == "same" and len({thresholds[k] for k in constraint[1]}) > 1) or (
            constraint[0] == "above" and thresholds[constraint[1]] > thresholds[constraint[2]]
        ):
            return False
    return True


def holds(constraints, thresholds, counts):
    """Whether thresholds and the counts they give keep all constraints."""
    summed = [sum(column) for column in zip(*counts, strict=True)]
    return (
        ordered(constraints, thresholds)
        and all(keeps(c, *counts[k]) for k in range(len(counts)) for c in of_label(constraints, k))
        and all(keeps(c, *summed) for c in of_counts(constraints) if c[2] == "all")
    )


def grid_of(constraints, y_score):
    """Thresholds enough for every decision under constraints: all scores, never, and the ends of ranges.

    Any others, each raised to the next of these, decide the same, and stay equal or in order.
    """
    scores = {float(score) for row in naive._plain(y_score) for score in row}
    ends = {float(c[2]) for c in constraints if c[0] == "range"}
    return sorted(scores | ends | {math.inf}, reverse=True)


def unmet(constraints, y_true, y_score, sample_weight=None):
    """Numbers of labels that cannot keep their own constraints.

    One is a label that could be given (some threshold gives it and keeps its other constraints), but has no
    threshold that does with the precision asked for.
    """
    grid, labels = grid_of(constraints, y_score), []
    for k in range(len(naive._plain(y_score)[0])):
        column = [[row[k]] for row in naive._plain(y_true)], [[row[k]] for row in naive._plain(y_score)]
        ranges = [c for c in constraints if c[0] == "range" and k in c[3]]
        inside = [t for t in grid if all(low <= t <= high for _, low, high, _ in ranges)]
        table = {t: naive.counts(*column, [t], sample_weight)[0] for t in inside}
        own = of_label(constraints, k)
        every = [t for t in inside if all(keeps(c, *table[t]) for c in own)]
        missing = not every
        for c in own:
            if c[0] == "precision":
                others = [t for t in inside if all(keeps(o, *table[t]) for o in own if o is not c)]
                given = [t for t in others if table[t][1] > 0]
                positive = any(table[t][2] > 0 for t in inside)
                missing |= bool(given) and positive and not any(keeps(c, *table[t]) for t in given)
        if missing:
            labels.append(k)
    return labels


def best(metric, average, constraints, y_true, y_score, sample_weight=None, zero_division=0, never=()):
    """Highest value over all threshold vectors that keep the constraints (None if none does), and their number.

    Labels in ``never`` are never given, and need not keep any constraint of their own.
    """
    constraints = [c if c[0] in ("same", "above") or c[2] == "all" else _without(c, never) for c in constraints]
    grid, n_labels = grid_of(constraints, y_score), len(naive._plain(y_score)[0])
    tables = []
    for k in range(n_labels):
        column = [[row[k]] for row in naive._plain(y_true)], [[row[k]] for row in naive._plain(y_score)]
        tables.append({t: naive.counts(*column, [t], sample_weight)[0] for t in grid})
    top, number, given = None, 0, False
    kept = []
    for k, table in enumerate(tables):
        inside = [t for t in grid if all(c[1] <= t <= c[2] for c in constraints if c[0] == "range" and k in c[3])]
        own = of_label(constraints, k)
        kept.append([math.inf] if k in never else [t for t in inside if all(keeps(c, *table[t]) for c in own)])
    for thresholds in product(*kept):
        counts = [table[t] for table, t in zip(tables, thresholds, strict=True)]
        if holds(constraints, thresholds, counts):
            reached = naive.value(metric, average, counts, zero_division)
            top = reached if top is None else max(top, reached)
            number += 1
            given |= any(pp > 0 for _, pp, _, _ in counts)
    return top, number, given


def _without(constraint, never):
    numbers = [k for k in constraint[-1] if k not in never]
    return (*constraint[:-1], numbers)


def raised(y_score, edges):
    """Scores with each parent's the highest of its own and those of all its descendants."""
    rows = [list(map(float, row)) for row in naive._plain(y_score)]
    for _ in edges:
        for row in rows:
            for parent, child in edges:
                row[parent] = max(row[parent], row[child])
    return rows


def decimal(value):
    """The fraction that a decimal number is written as."""
    return Fraction(str(value))
