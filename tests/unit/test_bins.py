"""Scales on which learners work, and the tables they look at."""

import math

import numpy as np
import pytest
from scipy.sparse import csr_array

from limen.errors import InputError
from limen.objectives import objective
from limen.scales import Logit, Probability, Rank, scale_of
from limen.solvers.base import Problem
from limen.solvers.bins import Bins
from limen.sources.door import as_source
from strategies import random_data, recounted, smooth_data


def scale_in(space, problem):
    return scale_of(space, problem.sources, problem.kind)


def problem_of(problem):
    return Problem(objective(), (as_source(problem.y_true, problem.y_score, sample_weight=problem.sample_weight),))


def scores_in(low, high):
    rng = np.random.default_rng(0)
    problem = smooth_data(0)
    return problem._replace(y_score=rng.uniform(low, high, problem.y_score.shape))


def test_scores_within_0_and_1_are_probabilities():
    for space, kind in (("probability", Probability), ("logit", Logit)):
        assert scale_in(space, problem_of(scores_in(0, 1))) == kind(False)
        assert scale_in(space, problem_of(scores_in(0, 1.1))) == kind(True)
        assert scale_in(space, problem_of(scores_in(-0.1, 1))) == kind(True)


def test_an_unknown_space():
    with pytest.raises(InputError, match=r"space='odds' is unknown\. Use 'probability', 'logit' or 'rank'\."):
        scale_in("odds", problem_of(smooth_data(0)))


@pytest.mark.parametrize("space", ["probability", "logit", "rank"])
@pytest.mark.parametrize("limits", [(0.01, 0.99), (-6, 6)])
def test_scales_are_increasing_and_lead_back(space, limits):
    problem = scores_in(*limits)
    scale = scale_in(space, problem_of(problem))
    for k in range(3):
        scores = np.sort(problem.y_score[:, k])
        forward = scale.forward(scores, np.full(len(scores), k))
        assert (np.diff(forward) > 0).all()
        for score, x in zip(scores, forward, strict=True):
            assert scale.back(np.full(3, x))[k] == pytest.approx(score, rel=1e-9)


def test_probabilities_of_logits():
    scale = Probability(True)
    assert scale.forward(np.array([0.0, math.log(3), -40.0]), np.zeros(3, int)) == pytest.approx(
        [0.5, 0.75, 0], abs=1e-15
    )
    assert scale.back(np.array([0.5, 0.75, 1.5, -0.5])).tolist() == [
        0,
        pytest.approx(math.log(3)),
        np.inf,
        -np.inf,
    ]
    plain = Probability(False)
    assert plain.back(np.array([-0.5, 2.0])).tolist() == [-0.5, 2.0]


def test_logits_of_probabilities_stay_finite():
    x = Logit(False).forward(np.array([0.0, 0.5, 1.0]), np.zeros(3, int))
    assert np.isfinite(x).all()
    assert x[1] == 0
    assert x[0] < -15 < 15 < x[2]


def test_ranks_by_hand():
    """Mean ranks of ties, each label by itself; beyond the highest: never."""
    problem = problem_of(smooth_data(0)._replace(
        y_true=np.array([[1, 1], [0, 0], [0, np.nan], [1, 0]]),
        y_score=np.array([[0.2, 5.0], [0.2, 7.0], [0.9, 6.0], [0.4, 9.0]]),
    ))  # fmt: skip
    rank = scale_in("rank", problem)
    assert rank.offsets.tolist() == [0, 3, 6]
    assert rank.scores.tolist() == [0.2, 0.4, 0.9, 5, 7, 9]
    assert rank.ranks == pytest.approx([0.25, 0.625, 0.875, 1 / 6, 0.5, 5 / 6])
    found = rank.forward(np.array([0.3, 6.0, 0.2]), np.array([0, 1, 0]))
    assert found == pytest.approx([(0.25 + 0.625) / 2, 1 / 3, 0.25])
    assert rank.back(np.array([0.9, 0.5])).tolist() == [np.inf, 7]
    assert rank.back(np.array([0.0, 0.0])).tolist() == [0.2, 5]


@pytest.mark.parametrize("seed", range(15))
def test_a_table_of_items_counts_as_the_oracle_does(seed):
    problem = random_data(seed, dtype="f8", n_labels=2)
    table = Bins.of(problem_of(problem), Probability(False), bins=len(problem.y_true))
    p, n = table.sums(np.ones(len(table.x)))
    for thresholds in ([0.25, 0.0], [0.5, np.nextafter(0.5, 1)], [2.0, -9.0], [100.0, 1.0]):
        expected = recounted(problem, thresholds)
        tp, pp = table.counts(np.array(thresholds))
        assert [tuple(label) for label in zip(tp, pp, p, n, strict=True)] == expected


def test_binned_tables_keep_weights_and_means():
    """No mass is lost, and each label's mean score of positives and of all stays what it was."""
    problem = smooth_data(0, n_items=500)
    problem = problem._replace(sample_weight=np.random.default_rng(0).integers(1, 9, 500) / 4)
    items = Bins.of(problem_of(problem), Probability(False), bins=500)
    binned = Bins.of(problem_of(problem), Probability(False), bins=16)
    assert np.diff(items.offsets).tolist() == [500] * 3
    assert (np.diff(binned.offsets) <= 32).all()
    for factor in (lambda table: np.ones(len(table.x)), lambda table: table.x):
        np.testing.assert_allclose(binned.sums(factor(binned)), items.sums(factor(items)), rtol=1e-12)
    for threshold in (0.2, 0.5, 0.8):
        counts, expected = (table.counts(np.full(3, threshold)) for table in (binned, items))
        np.testing.assert_allclose(counts, expected, atol=80)


def test_a_bin_edge_belongs_to_the_last_bin():
    """The highest score lies on the upper edge of the last bin; equal scores make one bin."""
    problem = smooth_data(0)._replace(
        y_true=np.array([[1, 0]] * 5),
        y_score=np.array([[0.0, 0.5], [0.25, 0.5], [0.5, 0.5], [0.75, 0.5], [1.0, 0.5]]),
    )
    table = Bins.of(problem_of(problem), Probability(False), bins=2)
    assert np.diff(table.offsets).tolist() == [2, 1]
    assert table.x.tolist() == [0.125, 0.75, 0.5]
    assert table.weight.tolist() == [2, 3, 5]
    assert table.positive.tolist() == [2, 3, 0]


@pytest.mark.parametrize("space", ["probability", "logit", "rank"])
def test_unknown_labels_and_missing_scores_do_not_move_bins(space):
    """Whatever the scores of unknown pairs; and entries, of which the unknown ones are left out, bin alike."""
    problem = smooth_data(0, n_items=300)
    unknown = np.random.default_rng(0).random(problem.y_true.shape) < 0.3
    unknown[:, 2] = True
    y_true = np.where(unknown, np.nan, problem.y_true)
    weight = np.random.default_rng(1).integers(0, 9, 300) / 4
    tables = []
    for score in (0.0, 0.5, 1.0):
        y_score = np.where(unknown, score, problem.y_score)
        of = problem_of(problem._replace(y_true=y_true, y_score=y_score, sample_weight=weight))
        tables.append(Bins.of(of, scale_in(space, of), bins=16))
    stored = csr_array(np.where(unknown, 0, problem.y_score))
    of = Problem(objective(), (as_source(y_true, stored, sample_weight=weight),))
    tables.append(Bins.of(of, scale_in(space, of), bins=16))
    for table in tables:
        assert np.diff(table.offsets)[:2].min() > 16
        assert np.diff(table.offsets)[2] == 0
        for name in ("offsets", "x", "positive", "weight", "totals"):
            np.testing.assert_array_equal(getattr(table, name), getattr(tables[0], name))


def test_bins_of_scores_that_hardly_differ():
    """So near that the number of bins a unit would overflow: one bin."""
    problem = smooth_data(0)._replace(y_true=np.array([[1.0], [0], [0], [0]]), sample_weight=None)
    for scores in ([0.0, 5e-324, 0.0, 1e-310], [0.0, 1e-300, 1e-310, 1e-301]):
        table = Bins.of(problem_of(problem._replace(y_score=np.array([scores]).T)), Probability(False), bins=2)
        assert (table.weight.tolist(), table.positive.tolist()) == ([3, 1], [0, 1])
        assert table.x == pytest.approx([np.mean(scores[1:]), 0], rel=1e-12, abs=0)


def test_ranks_of_a_matrix():
    problem = problem_of(smooth_data(0))
    scores = smooth_data(1).y_score
    rank = scale_in("rank", problem)
    flat = rank.forward(scores.ravel(), np.tile(np.arange(3), len(scores)))
    np.testing.assert_array_equal(rank.forward(scores, np.arange(3)), flat.reshape(scores.shape))


@pytest.mark.parametrize("space", ["probability", "logit", "rank"])
def test_a_label_of_which_nothing_is_known(space):
    y_true = np.array([[1, np.nan], [0, np.nan]])
    problem = problem_of(smooth_data(0)._replace(y_true=y_true, y_score=np.array([[0.5, 0.5], [0.25, 0.5]])))
    scale = scale_in(space, problem)
    table = Bins.of(problem, scale, bins=10)
    assert np.diff(table.offsets).tolist() == [2, 0]
    assert table.counts(scale.forward(np.array([0.3, 0.3]), np.arange(2))).tolist() == [[1, 0], [1, 0]]
    assert isinstance(Rank.of(problem.sources).back(np.array([0.5, 0.5]))[1], float)
