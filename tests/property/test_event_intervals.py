"""Intervals of events hold the truth, on few groups too; the simulation knows it."""

import numpy as np
import pytest

from limen.events import Collar
from limen.events.evaluation import interval_of_counts
from limen.objectives import objective


def drawn(rng, n, n_labels=3):
    """Counts (4, n, n_labels) of recordings: what is found of one goes together."""
    p = rng.poisson(rng.gamma(3, 2, (n, n_labels)))
    tp = rng.binomial(p, np.broadcast_to(rng.beta(6, 3, (n, 1)), p.shape))
    return np.stack([tp, tp + rng.poisson(rng.gamma(2, 1, p.shape)), p, 0 * p])


@pytest.mark.parametrize("average", ["micro", "macro"])
@pytest.mark.parametrize("n", [2, 3, 5, 12])
def test_they_hold_the_truth_as_often_as_they_say(average, n):
    rng, goal = np.random.default_rng(n), objective("f1", average)
    true = goal(*drawn(rng, 100_000).sum(axis=1))
    found = [interval_of_counts(goal, drawn(rng, n), None, seed, Collar()) for seed in range(80)]
    assert np.mean([low <= true <= high for _, low, high in found]) > 0.87
    assert min(low for _, low, _ in found) > 0
    assert np.mean([high - low for _, low, high in found]) < 1.05 / np.sqrt(n)


def test_few_groups_of_many_recordings_are_few():
    rng, goal = np.random.default_rng(0), objective("f1", "micro")
    counts, groups = np.repeat(drawn(rng, 3), 20, axis=1), np.repeat(np.arange(3), 20)
    apart = interval_of_counts(goal, counts, None, 0, Collar())
    together = interval_of_counts(goal, counts, groups, 0, Collar())
    assert together.high - together.low > 2 * (apart.high - apart.low)
    assert together.low > 0
    assert interval_of_counts(goal, counts[:, :1], None, 0, Collar()) is None


def test_nothing_given_is_no_certainty():
    counts = np.zeros((4, 4, 2), int)
    counts[2] = 3
    found = interval_of_counts(objective("f1", "micro"), counts, None, 0, Collar())
    assert found.value == found.low == 0
    assert 0.1 < found.high < 1
