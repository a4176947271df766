"""Enumeration and Dinkelbach's steps; that they find the best is asked in tests/property."""

import numpy as np
import pytest

from limen.metrics import Cost
from limen.objectives import Objective
from limen.solvers.base import Problem
from limen.solvers.exact import Dinkelbach, Enumeration, first_best, maximise_gain
from oracle import naive
from strategies import best_value, curves_of, data, exactly, random_data, smooth_data, tuned


def two_peaks():
    """F1 of 2/3 at 0.9 and at 0.3; 1/2 and 2/5 between them."""
    return data([[1], [0], [0], [1]], [[0.9], [0.5], [0.4], [0.3]])


def test_the_first_of_each_labels_best():
    curves = curves_of(data([[1, 1], [1, 0], [1, 0]], [[3.0, 3], [2, 2], [1, 1]]))
    assert curves.offsets.tolist() == [0, 4, 6]
    assert first_best(curves, np.array([0, 2, 1, 2, 5, 5])).tolist() == [1, 4]
    assert first_best(curves, np.array([0, -1, 0, -1, -5, -4])).tolist() == [0, 5]


def test_steps_rise_to_the_best_and_are_few():
    for seed in range(30):
        problem = smooth_data(seed, n_items=200)
        history = tuned(problem, metric="f1").history
        assert list(history) == sorted(history)
        assert 1 <= len(history) <= 10
        assert history[-1] == pytest.approx(tuned(problem, metric="f1").value, abs=1e-15)


def test_gains():
    curves = curves_of(two_peaks())
    assert maximise_gain(curves, 1, 0).tolist() == [2]
    assert maximise_gain(curves, 2, 1).tolist() == [1]
    assert maximise_gain(curves, 0, 1).tolist() == [0]
    assert maximise_gain(curves, np.array([2.0]), np.array([1.0])).tolist() == [1]
    for reward, price in ((3, 1), (30, 10), (3 << 70, 1 << 70), (3.0, 1.0)):
        assert maximise_gain(curves, reward, price).tolist() == [1]


@pytest.mark.parametrize("times", [1, 10**6, 10**12, 10**15])
def test_counts_too_large_for_whole_numbers(times):
    """Weights make the same problem larger, beyond what products in 63 bits can hold."""
    for seed in range(20):
        problem = random_data(seed, weighted=False)
        large = problem._replace(sample_weight=np.full(len(problem.y_true), float(times)))
        t = tuned(large, metric="f0.5")
        best = best_value("f0.5", "micro", problem)
        assert naive.value("f0.5", "micro", exactly(t.counts)) == best


def test_costs_of_nothing():
    """Mistakes that cost nothing leave every choice equal: nothing is given."""
    for average, solver in (("macro", Enumeration()), ("micro", Dinkelbach())):
        solution = solver.solve(Problem(Objective(Cost(0, 0), average), counted=curves_of(two_peaks())))
        assert solution.index.tolist() == [0]
        assert solution.upper_bound == 0


def test_missed_tags_that_cost_nothing_are_all_missed():
    t = tuned(smooth_data(0), metric={"name": "cost", "fp": 1, "fn": 0})
    assert t.values.tolist() == [np.inf] * 3
    t = tuned(smooth_data(0), metric={"name": "cost", "fp": 0, "fn": 1})
    assert t.counts.tp.tolist() == t.counts.p.tolist()
