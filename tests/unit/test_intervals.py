"""Bootstrap intervals: every resample is the oracle's value with weights."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

import limen
from limen.errors import InputError
from limen.intervals import Bootstrap, Part, as_groups, measure, percentiles
from limen.io.sources import as_source
from limen.objectives import objective
from oracle import naive
from strategies import AVERAGES, data, random_data, recounted, smooth_data, tuned


def part_of(problem, thresholds, rule=">=", rows=None):
    source = as_source(problem.y_true, problem.y_score, sample_weight=problem.sample_weight)
    rows = np.arange(source.n_items) if rows is None else rows
    return Part(source, rows, np.asarray(thresholds, problem.y_score.dtype), rule)


@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize("metric", ["f1", "accuracy", "mcc"])
def test_a_resample_is_a_weighted_count(metric, average):
    for seed in range(4):
        problem = random_data(seed, n_items=7, n_labels=2)
        bootstrap = Bootstrap.over(7, None, seed, samples=10)
        values = bootstrap.values([part_of(problem, [0.25, 0.0])], objective(metric, average))
        for weights, value in zip(bootstrap.weights.tolist(), values, strict=True):
            own = np.ones(7) if problem.sample_weight is None else problem.sample_weight
            counts = recounted(problem._replace(sample_weight=own * weights), [0.25, 0.0])
            assert value == pytest.approx(naive.as_float(metric, naive.value(metric, average, counts)), abs=1e-12)


def test_parts_add_up_to_the_whole():
    problem = smooth_data(0, n_items=20)
    bootstrap, of = Bootstrap.over(20, None, 0, samples=30), objective()
    rows = np.random.default_rng(0).permutation(20)
    pieces = [np.sort(rows[:8]), np.sort(rows[8:])]
    parts = [part_of(problem.taken(piece), [0.3, 0.4, 0.5], rows=piece) for piece in pieces]
    whole = bootstrap.values([part_of(problem, [0.3, 0.4, 0.5])], of)
    np.testing.assert_allclose(bootstrap.values(parts, of), whole, rtol=1e-12)


def test_values_by_label():
    problem = smooth_data(0, n_items=20)
    bootstrap, of = Bootstrap.over(20, None, 0, samples=5), objective("f1", "macro")
    part = [part_of(problem, [0.3, 0.4, 0.5])]
    by_label = bootstrap.values_by_label(part, of)
    assert by_label.shape == (5, 3)
    np.testing.assert_allclose(by_label.mean(axis=1), bootstrap.values(part, of), rtol=1e-12)


def test_sparse_scores_and_rules_by_item():
    y_true, y_score = np.array([[1, 0], [0, 1], [1, 1]]), np.array([[0.5, 0.25], [0.0, 0.5], [0.75, 0.0]])
    bootstrap, of = Bootstrap.over(3, None, 0, samples=20), objective()
    lowest = np.full(2, np.finfo(float).min)
    dense = Part(as_source(y_true, np.where(y_score, y_score, -9.0)), np.arange(3), lowest, "top-k:1")
    stored = dense._replace(source=as_source(y_true, sparse.csr_array(y_score)))
    np.testing.assert_array_equal(bootstrap.values([dense], of), bootstrap.values([stored], of))


def test_groups_are_drawn_whole():
    groups = as_groups(["a", "b", "a", "c", "b"], 5)
    assert groups.tolist() == [0, 1, 0, 2, 1]
    bootstrap = Bootstrap.over(5, groups, 0, samples=50)
    assert bootstrap.weights.shape == (50, 3)
    problem = random_data(0, n_items=5, n_labels=2, weighted=False, unknown=False)
    values = bootstrap.values([part_of(problem, [0.25, 0.0])], objective())
    for weights, value in zip(bootstrap.weights[:, groups].tolist(), values, strict=True):
        counts = recounted(problem._replace(sample_weight=np.array(weights)), [0.25, 0.0])
        assert value == pytest.approx(float(naive.value("f1", "micro", counts)), abs=1e-12)


def test_weights_are_poisson_and_never_all_0():
    weights = Bootstrap.over(1000, None, 0, samples=400).weights
    assert weights.mean() == pytest.approx(1, abs=0.01)
    assert weights.var() == pytest.approx(1, abs=0.02)
    assert (weights == 0).mean() == pytest.approx(np.exp(-1), abs=0.005)
    assert (Bootstrap.over(1, None, 0).weights > 0).all()


def test_draws_depend_on_the_seed_alone():
    first, again, other = (Bootstrap.over(9, None, seed, samples=5).weights for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_percentiles_surround_the_value():
    resampled = np.random.default_rng(0).normal(0.4, 0.1, 4000)
    low, high = percentiles(resampled, 0.5)
    assert low == pytest.approx(0.5 - 1.96 * 0.1, abs=0.02)
    assert high == pytest.approx(0.5 + 1.96 * 0.1, abs=0.02)
    assert percentiles(np.full(10, 0.5), 0.5) == (0.5, 0.5)
    low, high = percentiles(np.ones(10), 1.0)
    assert (low, high) == (1, 1)


def test_an_interval_covers_the_truth_about_as_often_as_it_says():
    """100 data sets of 60 items from one law, whose micro F1 at 0.5 is known from 200 000 items."""
    many = smooth_data(99, n_items=200_000)
    given = many.y_score >= 0.5
    truth = 2 * (given * many.y_true).sum() / (given.sum() + many.y_true.sum())
    of, covered = objective(), 0
    for seed in range(100):
        interval = measure([part_of(smooth_data(seed), [0.5] * 3)], of, 60, None, seed)
        covered += interval.low <= truth <= interval.high
    assert covered >= 85  # 95 are expected, give or take 2.2


def test_one_item_has_no_interval():
    assert measure([part_of(data([[1]], [[0.5]]), [0.5])], objective(), 1, None, 0) is None
    assert limen.evaluate([[1]], [[0.5]], 0.5).interval is None


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        ([1, 2], "groups has shape (2,). It must be (3,): the group of each item, such as its recording."),
        ([["a"], ["b"], ["c"]], "groups has shape (3, 1)"),
        (["a", "a", "a"], "groups has one group. At least two are needed"),
    ],
)
def test_no_groups(groups, words):
    with pytest.raises(InputError) as caught:
        as_groups(groups, 3)
    assert words in str(caught.value)


class TestEvaluate:
    def test_the_interval_holds_the_value_and_shrinks(self):
        widths = []
        for n_items in (50, 5000):
            problem = smooth_data(0, n_items=n_items)
            measured = limen.evaluate(*problem[:2], 0.5)
            low, high = measured.interval
            assert 0 <= low < measured.value < high <= 1
            widths.append(high - low)
        assert widths[1] < widths[0] / 5
        assert f"(95 % {low:.4f} to {high:.4f})" in measured.summary()

    def test_intervals_by_label(self):
        low, high = limen.evaluate(*smooth_data(0)[:2], 0.5, average="none").interval
        assert low.shape == high.shape == (3,)
        assert (low <= high).all()

    def test_a_difference_to_itself_is_nothing(self):
        t = tuned(smooth_data(0))
        measured = limen.evaluate(*smooth_data(1)[:2], t, baseline=t)
        assert measured.difference == (0, 0, 0)

    def test_a_paired_difference(self):
        """Fewer than three in a hundred of the same resamples give the better thresholds less."""
        problem = smooth_data(0, n_items=2000)
        measured = limen.evaluate(*problem[:2], 0.4, baseline=0.95)
        alone = [limen.evaluate(*problem[:2], threshold).value for threshold in (0.4, 0.95)]
        assert measured.difference.value == pytest.approx(alone[0] - alone[1])
        assert 0 < measured.difference.low < measured.difference.value < measured.difference.high
        assert "to the baseline" in measured.summary()

    def test_groups_widen_the_interval(self):
        """Every item ten times: as groups of ten they say no more than once."""
        once = smooth_data(0, n_items=60)
        ten = once.taken(np.repeat(np.arange(60), 10))
        groups = np.repeat(np.arange(60), 10)
        widths = [np.subtract(*limen.evaluate(*ten[:2], 0.5, groups=g).interval[::-1]) for g in (None, groups)]
        assert widths[1] == pytest.approx(np.subtract(*limen.evaluate(*once[:2], 0.5).interval[::-1]))
        assert widths[0] < widths[1] / 2
