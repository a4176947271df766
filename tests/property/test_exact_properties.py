"""The exact methods against the oracle, without tolerance: values are compared as fractions of counts."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from oracle import naive
from strategies import AVERAGES, METRICS, best_value, data, exactly, random_data, recounted, tuned

BETAS = {"f1": 1, "f0.5": Fraction(1, 2), "f2": 2}
BATCH = 100


@pytest.mark.parametrize("batch", range(10))
def test_fbeta_is_the_best_of_all_threshold_vectors(batch):
    """1000 problems in 10 batches: each with one beta, for all three averages."""
    for seed in range(batch * BATCH, (batch + 1) * BATCH):
        problem = random_data(seed)
        metric = list(BETAS)[seed % 3]
        for average in AVERAGES:
            t = tuned(problem, metric=metric, average=average, method="exact")
            assert exactly(t.counts) == recounted(problem, t.values), (seed, average)
            reached = naive.value(metric, average, exactly(t.counts))
            assert reached == best_value(metric, average, problem), (seed, average)
            assert t.status == "optimal"
            assert t.value == t.upper_bound == pytest.approx(float(reached), abs=1e-15)


@pytest.mark.parametrize("zero_division", [0, 1])
@pytest.mark.parametrize(("metric", "average"), list(product(METRICS, AVERAGES)))
def test_every_metric_is_the_best_of_all_threshold_vectors(metric, average, zero_division):
    for seed in range(5000, 5025):
        problem = random_data(seed, most_items=7)
        t = tuned(problem, metric=metric, average=average, zero_division=zero_division)
        assert exactly(t.counts) == recounted(problem, t.values), seed
        reached = naive.value(metric, average, exactly(t.counts), zero_division)
        best = best_value(metric, average, problem, zero_division)
        assert t.value == pytest.approx(naive.as_float(metric, reached), abs=1e-14)
        if t.status == "optimal":
            assert reached == best, seed
            assert t.upper_bound == t.value
        else:
            assert (metric, average, t.status) == ("g_mean", "micro", "bounded"), seed
            assert t.value <= naive.as_float(metric, best) + 1e-14 <= t.upper_bound + 2e-14, seed


@pytest.mark.parametrize("beta", [0.1, 0.3, 1 / 3, 1.7, 3, 1e-3, 1e3])
def test_any_beta(beta):
    """Betas whose squares are no short fractions are worked in floats: best within rounding."""
    metric = naive.fbeta(Fraction(beta))
    for seed in range(7000, 7040):
        problem = random_data(seed)
        t = tuned(problem, metric={"name": "fbeta", "beta": beta})
        best = best_value(metric, "micro", problem)
        assert float(naive.value(metric, "micro", exactly(t.counts))) == pytest.approx(float(best), abs=1e-14)


@pytest.mark.parametrize("average", AVERAGES)
def test_costs_by_label(average):
    """Each label adds to the sum by itself, so the best of the sum is the best of each label."""
    for seed in range(8000, 8100):
        problem = random_data(seed, n_labels=3)
        rng = np.random.default_rng(seed)
        fp, fn = rng.integers(0, 9, (2, 3)) / 4
        t = tuned(problem, metric={"name": "cost", "fp": fp.tolist(), "fn": fn.tolist()}, average=average)
        best, weight = Fraction(0), Fraction(0)
        reached = Fraction(0)
        for k, counts in enumerate(exactly(t.counts)):
            metric = naive.cost(Fraction(fp[k]), Fraction(fn[k]))
            column = problem._replace(y_true=problem.y_true[:, [k]], y_score=problem.y_score[:, [k]])
            of_label = {"micro": counts[3], "macro": 1, "weighted": counts[2]}[average]
            best += of_label * best_value(metric, "macro", column)
            reached += of_label * metric(*counts)
            weight += of_label
        assert reached == best, seed
        assert exactly(t.counts) == recounted(problem, t.values), seed
        assert t.value == pytest.approx(float(best / weight) if weight else 0, abs=1e-14)


def test_among_equals_the_highest_threshold_is_taken():
    """0.9 and 0.3 give the same F1 (2/3); so do never and 0.9 for the accuracy."""
    two_peaks = data([[1], [0], [0], [1]], [[0.9], [0.5], [0.4], [0.3]])
    no_gain = data([[1], [0], [0], [0]], [[0.3], [0.3], [0.1], [0.2]])
    for average in AVERAGES:
        t = tuned(two_peaks, metric="f1", average=average)
        assert t.values.tolist() == [0.7]
        t = tuned(no_gain, metric="accuracy", average=average)
        assert t.values.tolist() == [np.inf]


@pytest.mark.parametrize("metric", METRICS)
def test_weights_that_are_no_binary_fractions(metric):
    """Sums of tenths are rounded: a value stays in its range, and is the best within rounding."""
    for seed in range(9000, 9060):
        rng = np.random.default_rng(seed)
        n_items, n_labels = int(rng.integers(1, 8)), int(rng.integers(1, 3))
        weight = rng.integers(1, 10, n_items) / 10
        problem = data(
            rng.integers(0, 2, (n_items, n_labels)), rng.integers(0, 4, (n_items, n_labels)) / 4, weight
        )
        for average in AVERAGES:
            t = tuned(problem, metric=metric, average=average)
            assert t.value <= 1, (seed, average)
            best = naive.as_float(metric, best_value(metric, average, problem))
            assert t.upper_bound == pytest.approx(best, abs=1e-6) or t.status == "bounded", (seed, average)
            assert t.value - 1e-6 <= best <= t.upper_bound + 1e-6, (seed, average)


@pytest.mark.parametrize(
    ("metric", "average", "y_true", "y_score", "weight"),
    [
        ("mcc", "micro", [[1], [0]], [[0.75], [0.0]], [0.9, 0.3]),
        (
            "recall",
            "weighted",
            [[1, 0], [1, 1], [0, 1], [1, 1], [0, 1], [0, 1]],
            [[0.75, 0.5], [0.5, 0.25], [0.75, 0.5], [0.25, 0], [0, 0.25], [0, 0.5]],
            [0.5, 0.2, 0.9, 0.9, 0.2, 0.3],
        ),
        (
            "g_mean",
            "micro",
            [[0, 0], [1, 0], [1, 0], [0, 1]],
            [[0, 0.75], [0.5, 0.25], [0, 0], [0, 0.75]],
            [0.5, 0.3, 0.7, 0.4],
        ),
    ],
)
def test_rounded_weights_leave_no_value_out_of_its_range(metric, average, y_true, y_score, weight):
    """Cases where 0.9 * 1.2 - 0.9 * 0.9 over its root, shares that add to 1 + 2e-16, or 1.4 - 1 - 0.4 did."""
    t = tuned(data(y_true, y_score, weight), metric=metric, average=average)
    assert 0 <= t.value <= t.upper_bound <= 1
