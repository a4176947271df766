"""Constraints against brute force, without tolerance: all metrics, averages and constraints on tied problems."""

from itertools import product

import numpy as np
import pytest

from limen import constraints as limits
from oracle import constrained, naive
from oracle.constrained import decimal
from strategies import AVERAGES, METRICS, exactly, random_data, recounted, tuned

PROBLEMS = 2
LABELS = ("a", "b", "c")


def on_labels(kind, make, value):
    def both(n_labels, rng):
        return [make(value)], [(kind, decimal(value), list(range(n_labels)))]

    return both


def pooled(kind, make, value):
    def both(n_labels, rng):
        return [make(value, per="all")], [(kind, decimal(value), "all")]

    return both


def named(n_labels, rng):
    return [limits.MinPrecision(0.4, per={"a": 0.6})], [
        ("precision", decimal(0.6), [0]),
        ("precision", decimal(0.4), list(range(1, n_labels))),
    ]


def ranged(n_labels, rng):
    low, high = sorted(rng.choice([-0.1, 0.0, 0.25, 0.3, 0.5, 0.7, 1.0], 2, replace=False).tolist())
    return [limits.ThresholdRange(low, high)], [("range", low, high, list(range(n_labels)))]


def same(n_labels, rng):
    own = list(range(min(n_labels, 2)))
    if len(own) < 2:
        return [], []
    return [limits.SameThreshold([LABELS[k] for k in own])], [("same", own)]


def above(n_labels, rng):
    edges = [(a, b) for a, b in ((0, 1), (1, 2)) if b < n_labels]
    edges = [(0, b) for _, b in edges] if rng.random() < 0.5 else edges
    return [limits.AtMost(LABELS[a], LABELS[b]) for a, b in edges], [("above", a, b) for a, b in edges]


def several_parents(n_labels, rng):
    edges = [(0, 2), (1, 2)] if n_labels == 3 else []
    return [limits.AtMost(LABELS[a], LABELS[b]) for a, b in edges], [("above", a, b) for a, b in edges]


def together(*parts):
    def every(n_labels, rng):
        made = [part(n_labels, rng) for part in parts]
        return [c for some, _ in made for c in some], [c for _, some in made for c in some]

    return every


CONSTRAINTS = {
    "precision": on_labels("precision", limits.MinPrecision, 0.6),
    "recall": on_labels("recall", limits.MinRecall, 0.7),
    "fpr": on_labels("fpr", limits.MaxFalsePositiveRate, 0.3),
    "at most": on_labels("at_most", limits.MaxPredictions, 2),
    "at least": on_labels("at_least", limits.MinPredictions, 2.5),
    "precision of all": pooled("precision", limits.MinPrecision, 0.7),
    "recall of all": pooled("recall", limits.MinRecall, 0.6),
    "fpr of all": pooled("fpr", limits.MaxFalsePositiveRate, 0.1),
    "at most of all": pooled("at_most", limits.MaxPredictions, 5),
    "at least of all": pooled("at_least", limits.MinPredictions, 9),
    "named": named,
    "range": ranged,
    "same": same,
    "above": above,
    "several parents": several_parents,
    "precision and recall": together(
        on_labels("precision", limits.MinPrecision, 0.4), on_labels("recall", limits.MinRecall, 0.4)
    ),
    "two of all": together(
        pooled("precision", limits.MinPrecision, 0.5), pooled("at_most", limits.MaxPredictions, 6)
    ),
    "label and all": together(
        on_labels("recall", limits.MinRecall, 0.3), pooled("fpr", limits.MaxFalsePositiveRate, 0.4)
    ),
    "same and all": together(same, pooled("precision", limits.MinPrecision, 0.6)),
    "above and range": together(above, ranged),
    "above and all": together(above, pooled("at_most", limits.MaxPredictions, 6)),
    "same and above": together(same, above, on_labels("at_least", limits.MinPredictions, 1)),
}


def cases(name, first, number=PROBLEMS):
    """Problems with what limen gets and what the oracle gets."""
    for seed in range(first, first + number):
        problem = random_data(seed, most_items=6, most_labels=3)
        rng = np.random.default_rng(seed)
        mine, oracle = CONSTRAINTS[name](problem.y_true.shape[1], rng)
        if mine:
            yield problem, mine, oracle, seed


def check(t, problem, oracle, metric, average):
    """What a result says is so: the counts, the constraints, the best value."""
    counts = recounted(problem, t.values)
    assert exactly(t.counts) == counts
    excused = [t.labels.index(name) for name in t.details.get("never_by_constraint", [])]
    own = [c if c[0] in ("same", "above") or c[2] == "all" else constrained._without(c, excused) for c in oracle]
    assert constrained.holds(own, t.values.tolist(), counts)
    top, _, _ = constrained.best(metric, average, oracle, *problem, never=excused)
    reached = naive.value(metric, average, counts)
    if t.status == "optimal":
        assert reached == top or abs(naive.as_float(metric, reached) - naive.as_float(metric, top)) < 1e-13
    elif t.status == "bounded":
        assert t.value - 1e-13 <= naive.as_float(metric, top) <= t.upper_bound + 1e-13
    else:
        assert t.status == "local"
        assert reached <= top
    return t.status


@pytest.mark.parametrize("name", CONSTRAINTS)
@pytest.mark.parametrize("average", AVERAGES)
def test_every_metric_is_the_best_of_all_vectors_that_keep_the_constraints(average, name):
    proven = 0
    for metric in METRICS:
        for problem, mine, oracle, seed in cases(name, 3 * METRICS.index(metric)):
            options = {"metric": metric, "average": average, "constraints": mine, "labels": LABELS}
            options["labels"] = LABELS[: problem.y_true.shape[1]]
            t = tuned(problem, infeasible="status", **options)
            unmet = constrained.unmet(oracle, *problem)
            _, number, given = constrained.best(metric, average, oracle, *problem)
            if unmet or not number:
                assert t.status == "infeasible", seed
                assert t.reason
                assert exactly(t.counts) == recounted(problem, t.values)
            elif t.status == "infeasible":
                assert not given, (seed, metric, t.reason)
            else:
                proven += check(t, problem, oracle, metric, average) == "optimal"
    assert proven > 5


@pytest.mark.parametrize("name", ["precision", "at least", "precision and recall"])
def test_labels_that_cannot_are_never_given(name):
    """And the others are the best that there is beside them."""
    excused = 0
    for (problem, mine, oracle, seed), metric in product(cases(name, 600, 24), ("f1",)):
        labels = LABELS[: problem.y_true.shape[1]]
        for average in AVERAGES:
            unmet = constrained.unmet(oracle, *problem)
            _, number, _ = constrained.best(metric, average, oracle, *problem, never=unmet)
            if not number:
                continue
            t = tuned(problem, constraints=mine, infeasible="never", metric=metric, average=average, labels=labels)
            if t.status == "infeasible":
                continue
            assert t.details.get("never_by_constraint", []) == [labels[k] for k in unmet], seed
            assert np.isinf(t.values[unmet]).all()
            check(t, problem, oracle, metric, average)
            excused += len(unmet)
    assert excused


@pytest.mark.parametrize("placement", ["midpoint", "score"])
@pytest.mark.parametrize("name", CONSTRAINTS)
def test_placed_thresholds_keep_them(name, placement):
    """Where thresholds lie between scores, or at one: the promise is about decisions, in the scores' dtype."""
    for problem, mine, oracle, _ in cases(name, 900, 6):
        labels = LABELS[: problem.y_true.shape[1]]
        t = tuned(problem, constraints=mine, infeasible="status", placement=placement, labels=labels)
        assert t.values.dtype == problem.y_score.dtype
        if t.status != "infeasible":
            check(t, problem, oracle, "f1", "micro")


@pytest.mark.parametrize("average", AVERAGES)
def test_no_proof_is_wrong_whatever_0_0_counts_as(average):
    """Where nothing is given, or everything, a metric may be 0/0, and more than beside it: MCC is, at both."""
    wanted = ("recall", "at least", "range", "recall of all", "same and above", "precision and recall")
    proven = 0
    for number, metric in enumerate([*METRICS, *["mcc"] * 12]):
        problem = random_data(5000 + number, most_items=6, most_labels=3)
        labels = LABELS[: problem.y_true.shape[1]]
        for zero in (0.5, 1):
            options = {"metric": metric, "average": average, "zero_division": zero, "labels": labels}
            for name in (None, *wanted[number % 2 :: 2]):
                mine, oracle = (
                    ([], []) if name is None else CONSTRAINTS[name](len(labels), np.random.default_rng(number))
                )
                t = tuned(problem, infeasible="status", constraints=mine, **options)
                top, _, _ = constrained.best(metric, average, oracle, *problem, zero_division=zero)
                reached = naive.as_float(metric, naive.value(metric, average, recounted(problem, t.values), zero))
                if t.status == "infeasible":
                    continue
                assert t.status in ("optimal", "bounded")
                highest = naive.as_float(metric, top)
                assert reached <= highest + 1e-13, (metric, zero, name, number)
                assert highest <= t.upper_bound + 1e-13, (metric, zero, name, number)
                proven += t.status == "optimal"
    assert proven > 150
