"""Fine curves: nothing is lost or counted twice between cuts, and log odds there and back."""

from __future__ import annotations

import numpy as np
import pytest

from limen.curves import Curves
from limen.solvers.fine import GRID, MARGIN, FineCurves
from limen.sources.door import as_source
from strategies import random_data, smooth_data


def fine_of(problem, parts=1):
    """The fine curves of each of ``parts`` folds, counted at common candidates."""
    source = as_source(*problem[:2], sample_weight=problem.sample_weight)
    numbers = np.array_split(np.arange(source.n_items), parts)
    folds = [source.take(rows) for rows in numbers if len(rows)]
    return FineCurves.of_folds([source], folds)


def logit(p):
    return np.log(p) - np.log1p(-p)


def items(problem, k):
    """Log odds (of probabilities inside 0 to 1), truth and weight of the known items of a label."""
    y_true, y_score = problem.y_true[:, k].astype(float), problem.y_score[:, k].astype(float)
    weight = np.ones(len(y_true)) if problem.sample_weight is None else problem.sample_weight
    known = ~np.isnan(y_true)
    return logit(y_score[known]), y_true[known], weight[known]


@pytest.mark.parametrize("seed", range(30))
def test_counts_are_those_of_the_items_at_every_candidate(seed):
    problem = random_data(seed, most_items=30)
    (fine,) = fine_of(problem)
    curves = fine.curves
    weight = np.ones(len(problem.y_true)) if problem.sample_weight is None else problem.sample_weight
    scores = problem.y_score.astype(curves.candidates.cuts.dtype)
    for cut, label, tp, fp in zip(curves.candidates.cuts, curves.label_of, curves.tp, curves.fp, strict=True):
        kept = scores[:, label] >= cut
        assert tp == weight[kept & (problem.y_true[:, label] == 1)].sum()
        assert fp == weight[kept & (problem.y_true[:, label] == 0)].sum()


@pytest.mark.parametrize("seed", range(30))
def test_folds_add_up_to_the_whole(seed):
    problem = random_data(seed, most_items=30)
    (whole,) = fine_of(problem)
    parts = fine_of(problem, 3)
    summed = sum(parts[1:], start=parts[0])
    assert summed.curves == whole.curves
    assert summed.scale == whole.scale
    assert {part.curves.candidates is parts[0].curves.candidates for part in parts} == {True}


@pytest.mark.parametrize("seed", range(30))
def test_candidates_are_the_positive_scores_and_a_grid(seed):
    """So no exact cut is lost, and labels with few positives have cuts to choose from."""
    problem = random_data(seed, most_items=30)
    (fine,) = fine_of(problem)
    own = as_source(*problem[:2], sample_weight=problem.sample_weight).candidates()
    assert own | fine.curves.candidates == fine.curves.candidates
    for k in range(fine.n_labels):
        of_label = fine.curves.candidates.cuts[slice(*fine.curves.offsets[k : k + 2])]
        assert of_label[0] == np.inf
        assert problem.y_score[:, k].min() in of_label


def test_the_grid_is_even_in_log_odds():
    rng = np.random.default_rng(0)
    y_score = 1 / (1 + np.exp(-rng.normal(size=(500, 2))))
    source = as_source(np.zeros((500, 2)), y_score)
    (fine,) = FineCurves.of_folds([source], [source])
    for k in range(2):
        cuts = fine.curves.candidates.cuts[slice(*fine.curves.offsets[k : k + 2])]
        assert len(cuts) == GRID + 1
        x = logit(cuts[1:])
        np.testing.assert_allclose(np.diff(x), -np.ptp(logit(y_score[:, k])) / (GRID - 1), rtol=1e-6)


@pytest.mark.parametrize("seed", range(30))
def test_every_known_item_lies_in_one_interval(seed):
    problem = random_data(seed, most_items=30)
    (fine,) = fine_of(problem)
    positive, negative = fine.increments
    assert (positive >= 0).all()
    assert (negative >= 0).all()
    assert not positive[fine.curves.offsets[:-1]].any()
    np.testing.assert_allclose(fine.sums(fine.points.positive), fine.curves.n_positive, rtol=1e-12)
    known = fine.sums(fine.points.positive + fine.points.negative)
    np.testing.assert_allclose(known, fine.curves.n_known, rtol=1e-12)


def test_increments_do_not_run_from_one_label_into_the_next():
    problem = smooth_data(1, n_items=40, n_labels=4)
    (fine,) = fine_of(problem)
    for k in range(4):
        span = slice(*fine.curves.offsets[k : k + 2])
        for summed, change in zip((fine.curves.tp, fine.curves.fp), fine.increments, strict=True):
            np.testing.assert_array_equal(np.cumsum(change[span]), summed[span])


@pytest.mark.parametrize("seed", range(10))
def test_points_lie_where_the_items_are(seed):
    """Positives at their own scores; negatives no farther than a grid step from where they stand."""
    problem = smooth_data(seed, n_items=80)
    (fine,) = fine_of(problem)
    points = fine.points
    for k in range(fine.n_labels):
        x, truth, _ = items(problem, k)
        own = points.label == k
        of_positive = np.repeat(points.x[own], points.positive[own].astype(int))
        np.testing.assert_allclose(np.sort(of_positive), np.sort(x[truth == 1]), atol=1e-9)
        of_negative = np.repeat(points.x[own], points.negative[own].astype(int))
        step = np.ptp(x) / (GRID - 1)
        assert np.abs(np.sort(of_negative) - np.sort(x[truth == 0])).max() < step


def test_the_span_is_from_the_lowest_to_the_highest_point():
    problem = smooth_data(3, n_items=80)
    (fine,) = fine_of(problem)
    low, high = fine.span
    for k in range(fine.n_labels):
        own = fine.points.x[fine.points.label == k]
        assert (low[k], high[k]) == (own.min(), own.max())
    np.testing.assert_allclose(low, logit(problem.y_score).min(axis=0), atol=0.2)
    np.testing.assert_allclose(high, logit(problem.y_score).max(axis=0), atol=0.2)


def test_a_label_without_known_items_has_no_points_and_a_span_of_0():
    source = as_source([[1, np.nan], [0, np.nan]], [[0.8, 0.7], [0.2, 0.1]])
    (fine,) = FineCurves.of_folds([source], [source])
    assert set(fine.points.label) == {0}
    assert [end[1] for end in fine.span] == [0.0, 0.0]


def test_thresholds_as_log_odds_and_back():
    (fine,) = fine_of(smooth_data(0))
    thresholds = np.array([0.2, 0.5, 0.9])
    np.testing.assert_allclose(fine.log_odds(thresholds), logit(thresholds), rtol=1e-12)
    np.testing.assert_allclose(fine.back(fine.log_odds(thresholds)), thresholds, rtol=1e-12)


def test_never_lies_just_above_the_highest_score():
    problem = smooth_data(0)
    (fine,) = fine_of(problem)
    x = fine.log_odds(np.full(3, np.inf))
    np.testing.assert_array_equal(x, fine.span[1] + MARGIN)
    (block,) = as_source(*problem[:2]).blocks()
    assert not (block.scores >= fine.back(x)).any()


class TestScale:
    def test_scores_outside_0_to_1_are_logits(self):
        source = as_source([[1], [0]], [[0.7], [-0.2]])
        (fine,) = FineCurves.of_folds([source], [source])
        assert fine.scale.from_logits
        assert fine.back(np.array([-3.5])).tolist() == [-3.5]

    @pytest.mark.parametrize("outside", [1.0000001, -1e-9])
    def test_one_score_outside_is_enough_whatever_its_label(self, outside):
        source = as_source(np.eye(3, 2), [[0.5, 0.5], [0.5, outside], [0.5, 0.5]])
        (fine,) = FineCurves.of_folds([source], [source])
        assert fine.scale.from_logits

    def test_zeros_and_ones_keep_away_from_infinity(self):
        """Half of the lowest above 0, and half of the way from the highest below 1."""
        source = as_source([[1], [0], [0], [1]], [[1.0], [0.0], [0.02], [0.9]])
        (fine,) = FineCurves.of_folds([source], [source])
        assert (fine.scale.above_0, fine.scale.below_1) == (0.01, pytest.approx(0.05))
        assert np.isfinite(fine.points.x).all()
        assert fine.points.x.min() == pytest.approx(logit(0.01))
        assert fine.points.x.max() == pytest.approx(logit(0.95))

    @pytest.mark.parametrize("scores", [[0.0, 1.0], [0.0, 0.0], [1.0, 1.0]])
    def test_nothing_but_zeros_and_ones(self, scores):
        source = as_source([[1], [0]], [[scores[0]], [scores[1]]])
        (fine,) = FineCurves.of_folds([source], [source])
        assert (fine.scale.above_0, fine.scale.below_1) == (0.25, 0.25)
        assert np.isfinite(fine.points.x).all()

    def test_the_scale_is_that_of_all_folds(self):
        sources = [as_source([[1]], [[0.5]]), as_source([[0]], [[-4.0]])]
        fine = FineCurves.of_folds(sources, sources)
        assert [part.scale.from_logits for part in fine] == [True, True]


@pytest.mark.parametrize("seed", range(10))
def test_index_is_the_lowest_candidate_at_or_above(seed):
    problem = smooth_data(seed)
    (fine,) = fine_of(problem)
    low, high = fine.span
    rng = np.random.default_rng(seed)
    cuts = low - 0.5 + rng.random((20, 3)) * (high - low + 1)
    for cut in cuts:
        index = fine.index(cut)
        thresholds = fine.back(cut)
        for k in range(3):
            start, stop = fine.curves.offsets[k : k + 2]
            own = fine.curves.candidates.cuts[start:stop]
            assert index[k] == start + np.flatnonzero(own >= thresholds[k])[-1]


def test_a_cut_above_everything_is_never_and_below_everything_the_lowest():
    (fine,) = fine_of(smooth_data(0))
    np.testing.assert_array_equal(fine.index(np.full(3, 99.0)), fine.curves.offsets[:-1])
    np.testing.assert_array_equal(fine.index(np.full(3, -99.0)), fine.curves.offsets[1:] - 1)


def test_reweighting_changes_counts_and_not_cuts():
    problem = smooth_data(0)
    (fine,) = fine_of(problem)
    target = np.array([0.1, 0.5, 0.9])
    turned = fine.reweighted(target)
    np.testing.assert_allclose(turned.curves.n_positive / turned.curves.n_known, target)
    np.testing.assert_array_equal(turned.curves.candidates.cuts, fine.curves.candidates.cuts)
    np.testing.assert_array_equal(turned.points.x, fine.points.x)
    assert turned.scale == fine.scale


def test_sparse_scores_have_points_only_where_they_are_stored():
    from scipy.sparse import csr_array

    stored = csr_array(np.array([[0.0, 0.6], [0.3, 0.0], [0.8, 0.2]]))
    source = as_source([[1, 0], [0, 1], [1, 1]], stored)
    (fine,) = FineCurves.of_folds([source], [source])
    assert fine.sums(fine.points.positive + fine.points.negative).tolist() == [2, 2]
    assert fine.curves.n_positive.tolist() == [2, 2]
    assert fine.curves.n_known.tolist() == [3, 3]


def test_it_agrees_with_plain_curves_at_the_same_candidates():
    problem = random_data(5, n_items=30, n_labels=3)
    (fine,) = fine_of(problem)
    plain = Curves.from_arrays(
        *problem[:2], sample_weight=problem.sample_weight, candidates=fine.curves.candidates
    )
    assert plain == fine.curves
