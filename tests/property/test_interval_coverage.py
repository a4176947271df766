"""How often 95 % intervals hold the truth, which the simulation knows."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy.stats import norm

import limen
from limen.metrics import get
from strategies import data, tuned

PREVALENCE = np.array([0.3, 0.2, 0.1, 0.15])
DISTANCE = np.array([1.0, 1.5, 2.0, 1.2])
CUTS, OTHER_CUTS = np.array([0.7, 1.0, 1.3, 0.9]), np.array([0.2, 0.6, 1.0, 1.6])
DATA_SETS = 240


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


@cache
def evaluations():
    """Each data set at fixed thresholds, with the difference to others."""
    return [limen.evaluate(*draw(seed)[:2], CUTS, baseline=OTHER_CUTS) for seed in range(DATA_SETS)]


def test_micro_f1_of_fixed_thresholds():
    assert 0.90 <= covered([measured.interval for measured in evaluations()], truth(CUTS)) <= 0.98


def test_intervals_are_no_wider_than_they_need_be():
    """About 4 standard deviations of the value itself, as it varies from one data set to the next."""
    widths = [high - low for low, high in (measured.interval for measured in evaluations())]
    spread = np.std([measured.value for measured in evaluations()])
    assert np.mean(widths) == pytest.approx(2 * 1.96 * spread, rel=0.15)


def test_the_paired_difference():
    differences = [measured.difference for measured in evaluations()]
    gap = truth(CUTS) - truth(OTHER_CUTS)
    assert 0.90 <= covered([d[1:] for d in differences], gap) <= 0.98


def test_the_paired_difference_is_known_better_than_unpaired_ones():
    paired = np.mean([m.difference.high - m.difference.low for m in evaluations()])
    alone = np.mean([m.interval[1] - m.interval[0] for m in evaluations()])
    assert paired < 0.8 * np.sqrt(2) * alone


@pytest.mark.parametrize(("metric", "average"), [("f1", "macro"), ("mcc", "micro"), ("accuracy", "micro")])
def test_other_objectives(metric, average):
    intervals = [
        limen.evaluate(*draw(seed)[:2], CUTS, metric=metric, average=average).interval for seed in range(150)
    ]
    assert 0.89 <= covered(intervals, truth(CUTS, metric, average)) <= 0.99


def test_the_f1_of_each_label():
    """For "none" each label has its own interval."""
    hits = []
    for seed in range(100):
        low, high = limen.evaluate(*draw(seed)[:2], CUTS, average="none").interval
        tp = PREVALENCE * norm.sf(CUTS - DISTANCE)
        true = 2 * tp / (tp + (1 - PREVALENCE) * norm.sf(CUTS) + PREVALENCE)
        hits.append((low <= true) & (true <= high))
    by_label = np.mean(hits, axis=0)
    assert (by_label >= 0.85).all()
    assert 0.89 <= by_label.mean() <= 0.98


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
        by_group.append(limen.evaluate(*problem[:2], CUTS, groups=groups).interval)
        by_item.append(limen.evaluate(*problem[:2], CUTS).interval)
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
    for seed in range(60):
        t = tuned(draw(1000 + seed), method="auto")
        hits.append(t.expected.low <= truth(t.values) <= t.expected.high)
    assert np.mean(hits) >= 0.85
