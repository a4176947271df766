"""How often 95 % intervals hold the truth, which the simulation knows.

The intervals are those of `limen.evaluate`, which `tests/unit/test_intervals.py` shows, but with fewer resamples.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

import limen
from limen.intervals import Bootstrap, Part, percentiles
from limen.metrics import get
from limen.objectives import objective
from limen.sources.door import as_source
from strategies import data, tuned

PREVALENCE = np.array([0.3, 0.2, 0.1, 0.15])
DISTANCE = np.array([1.0, 1.5, 2.0, 1.2])
CUTS, OTHER_CUTS = np.array([0.7, 1.0, 1.3, 0.9]), np.array([0.2, 0.6, 1.0, 1.6])
DATA_SETS = 220


def draw(seed, n_items=300):
    rng = np.random.default_rng([seed, n_items])
    y_true = rng.random((n_items, 4)) < PREVALENCE
    return data(y_true, rng.normal(DISTANCE * y_true, 1))


def truth(cuts, metric="f1", average="micro"):
    """The value on endlessly many items."""
    tp = PREVALENCE * norm.sf(cuts - DISTANCE)
    pp = tp + (1 - PREVALENCE) * norm.sf(cuts)
    counts = tp, pp, PREVALENCE, np.ones(4)
    return get(metric).pooled(*counts) if average == "micro" else float(np.mean(get(metric)(*counts)))


def covered(intervals, true):
    return float(np.mean([low <= true <= high for low, high in intervals]))


def measured(problem, metric="f1", average="micro", *, cuts=(CUTS,), groups=None, by_label=False):
    """For each vector of cuts: the value, its resamples, and its interval."""
    goal = objective(metric, average)
    source, rows = as_source(*problem[:2]), np.arange(len(problem.y_true))
    bootstrap = Bootstrap.over(len(rows), groups, 0, samples=250)
    found = []
    for values in cuts:
        kept, true = problem.y_score >= values, problem.y_true == 1
        counts = [flag.sum(axis=0) for flag in (kept & true, kept, true, kept | ~kept)]
        part = [Part(source, rows, values, ">=")]
        value = goal.of_labels(*counts) if by_label else goal(*counts)
        resampled = bootstrap.values_by_label(part, goal) if by_label else bootstrap.values(part, goal)
        found.append((value, resampled, percentiles(resampled, value, goal.average == "macro" and not by_label)))
    return found


def test_micro_f1_of_fixed_thresholds_and_paired_differences():
    """They hold the truth 95 times in 100, and are no wider than they need be for that.

    So do those of differences, which know more than two intervals apart.
    """
    results = [measured(draw(seed), cuts=(CUTS, OTHER_CUTS)) for seed in range(DATA_SETS)]
    intervals = [first[2] for first, _ in results]
    assert 0.90 <= covered(intervals, truth(CUTS)) <= 0.98
    spread = np.std([first[0] for first, _ in results])
    width = np.mean(np.diff(intervals, axis=1))
    assert width == pytest.approx(2 * 1.96 * spread, rel=0.15)
    paired = [percentiles(a[1] - b[1], a[0] - b[0]) for a, b in results]
    assert 0.90 <= covered(paired, truth(CUTS) - truth(OTHER_CUTS)) <= 0.98
    assert np.mean(np.diff(paired, axis=1)) < 0.8 * np.sqrt(2) * width


@pytest.mark.parametrize("n_items", [8, 15, 40])
def test_few_items(n_items):
    """Where the bootstrap of the items alone is too narrow, and a point if all is right."""
    intervals = [measured(draw(seed, n_items))[0][2] for seed in range(DATA_SETS)]
    assert covered(intervals, truth(CUTS)) >= 0.92
    widths = [high - low for low, high in intervals]
    values = [measured(draw(seed, n_items))[0][0] for seed in range(DATA_SETS)]
    assert min(widths) > 0.1
    assert np.mean(widths) < 1.5 * 2 * 1.96 * np.std(values)


@pytest.mark.parametrize("share", [0.01, 0.9])
@pytest.mark.parametrize("n_items", [3, 10, 100])
def test_shares_near_0_and_1(share, n_items):
    """The accuracy of one label: a binomial share, where often nothing, or everything, is wrong."""
    hits = []
    for seed in range(DATA_SETS):
        right = np.random.default_rng([seed, n_items]).random((n_items, 1)) < share
        problem = data(np.ones((n_items, 1), int), right * 1.0)
        low, high = measured(problem, "recall", cuts=(np.array([0.5]),))[0][2]
        hits.append(low <= share <= high)
        assert high - low > 0.2 / n_items
    assert np.mean(hits) >= 0.9


@pytest.mark.parametrize(("metric", "average"), [("f1", "macro"), ("mcc", "micro"), ("accuracy", "micro")])
def test_other_objectives(metric, average):
    intervals = [measured(draw(seed), metric, average)[0][2] for seed in range(150)]
    assert 0.89 <= covered(intervals, truth(CUTS, metric, average)) <= 0.99


def test_the_f1_of_each_label():
    hits = []
    for seed in range(150):
        low, high = measured(draw(seed), "f1", "macro", by_label=True)[0][2]
        tp = PREVALENCE * norm.sf(CUTS - DISTANCE)
        true = 2 * tp / (tp + (1 - PREVALENCE) * norm.sf(CUTS) + PREVALENCE)
        hits.append((low <= true) & (true <= high))
    by_label = np.mean(hits, axis=0)
    assert (by_label >= 0.87).all()
    assert 0.90 <= by_label.mean() <= 0.98


def draw_groups(seed, n_groups=60, in_group=6):
    """Items of a group have the same labels, and scores that differ little."""
    rng = np.random.default_rng([seed, 7])
    y_true = rng.random((n_groups, 4)) < PREVALENCE
    common = rng.normal(0, np.sqrt(0.9), (n_groups, 4))
    groups = np.repeat(np.arange(n_groups), in_group)
    own = rng.normal(0, np.sqrt(0.1), (n_groups * in_group, 4))
    return data(y_true[groups], (DISTANCE * y_true + common)[groups] + own), groups


def test_items_in_groups():
    """Intervals over groups hold the truth; intervals over their items are far too narrow."""
    by_group, by_item = [], []
    for seed in range(200):
        problem, groups = draw_groups(seed)
        by_group.append(measured(problem, groups=groups)[0][2])
        by_item.append(measured(problem)[0][2])
    assert 0.89 <= covered(by_group, truth(CUTS)) <= 0.98
    assert covered(by_item, truth(CUTS)) <= 0.75


@pytest.mark.parametrize("method", ["exact", "shared"])
def test_the_interval_of_a_comparison_of_what_does_not_differ(method):
    """Two names of one method: the paired interval is 0 to 0 for both, whichever comes first."""
    problem = draw(0)
    compared = limen.compare(*problem[:2], methods={"a": method, "b": method}, cv=3)
    for row in compared.rows:
        assert tuple(row.difference) == (0.0, 0.0, 0.0)


def test_the_expectation_of_auto_on_new_data():
    """Each data set has thresholds, and so a truth, of its own. They vary less than the estimate."""
    hits = []
    for seed in range(32):
        t = tuned(draw(1000 + seed), method="auto")
        hits.append(t.expected.low <= truth(t.values) <= t.expected.high)
    assert np.mean(hits) >= 0.82
