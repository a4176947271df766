"""Fine curves: nothing is lost or counted twice between cuts, and log odds there and back."""

from __future__ import annotations

import numpy as np
import pytest

from limen.curves import Curves
from limen.draws import name_keys
from limen.scales import kind_of
from limen.solvers.fine import FineCurves
from limen.solvers.grid import GRID, MOST
from limen.solvers.places import MARGIN
from limen.sources.door import as_source
from strategies import random_data, smooth_data


def fine_of(problem, parts=1):
    """The fine curves of each of ``parts`` folds, counted at common candidates."""
    source = as_source(*problem[:2], sample_weight=problem.sample_weight)
    numbers = np.array_split(np.arange(source.n_items), parts)
    folds = [source.take(rows) for rows in numbers if len(rows)]
    whole, counted = FineCurves.of_folds([source], folds, kind_of([source]))
    return [whole] if parts == 1 else counted


def logit(p):
    return np.log(p) - np.log1p(-p)


def items(problem, k):
    """Log odds (of probabilities inside 0 to 1), truth and weight of the known items of a label."""
    y_true, y_score = problem.y_true[:, k].astype(float), problem.y_score[:, k].astype(float)
    weight = np.ones(len(y_true)) if problem.sample_weight is None else problem.sample_weight
    known = ~np.isnan(y_true)
    return logit(y_score[known]), y_true[known], weight[known]


def weight_of(problem):
    """The weights in units of their mean size, by weight and by known pairs."""
    if problem.sample_weight is None:
        return np.ones(len(problem.y_true))
    known = (~np.isnan(problem.y_true.astype(float))).sum(axis=1)
    weight = problem.sample_weight
    unit = (weight**2 @ known) / (weight @ known) if weight @ known else 1.0
    return weight / unit


@pytest.mark.parametrize("seed", range(30))
def test_counts_are_those_of_the_items_at_every_candidate(seed):
    problem = random_data(seed, most_items=30)
    (fine,) = fine_of(problem)
    curves, weight = fine.curves, weight_of(problem)
    scores = problem.y_score.astype(curves.candidates.cuts.dtype)
    for cut, label, tp, fp in zip(curves.candidates.cuts, curves.label_of, curves.tp, curves.fp, strict=True):
        kept = scores[:, label] >= cut
        assert tp == pytest.approx(weight[kept & (problem.y_true[:, label] == 1)].sum(), rel=1e-12)
        assert fp == pytest.approx(weight[kept & (problem.y_true[:, label] == 0)].sum(), rel=1e-12)


@pytest.mark.parametrize("seed", range(30))
def test_folds_add_up_to_the_whole(seed):
    """And all but one fold are the others, at candidates that do not tell of its labels."""
    problem = random_data(seed, most_items=30)
    (whole,) = fine_of(problem)
    parts = fine_of(problem, 3)
    summed = np.add.reduce([(part.raw.tp, part.raw.fp) for part in parts])
    np.testing.assert_allclose(summed, [whole.raw.tp, whole.raw.fp], rtol=1e-12)
    for k, part in enumerate(parts):
        rest = whole.without(part)
        others = np.add.reduce(
            [p.raw.n_positive for j, p in enumerate(parts) if j != k] + [0 * part.raw.n_positive]
        )
        np.testing.assert_allclose(rest.raw.n_positive, others, rtol=1e-9, atol=1e-9)
        lost = np.setdiff1d(np.arange(len(whole.raw.tp)), np.flatnonzero(np.isin(whole.places.at, rest.places.at)))
        assert whole.increments[0][lost].all()
        assert len(rest.places.at) == len(rest.raw.tp) == len(rest.places.middle)


def test_a_candidate_that_only_the_left_out_made_is_gone():
    """Its negatives count with the next candidate below, and lie at their mean."""
    y_score = np.linspace(0.01, 0.99, 400)[:, np.newaxis]
    y_true = np.zeros((400, 1))
    y_true[[200, 300, 380]] = 1
    source = as_source(y_true, y_score)
    rows = np.array([300])
    whole, (part, _) = FineCurves.of_folds(
        [source], [source.take(rows), source.take(np.setdiff1d(np.arange(400), rows))], "probability"
    )
    rest = whole.without(part)
    assert len(rest.raw.tp) == len(whole.raw.tp) - 1
    assert np.abs(rest.places.at - logit(y_score[300])).min() > 1e-3
    np.testing.assert_allclose(rest.sums(rest.points.negative), 397)


@pytest.mark.parametrize("seed", range(10))
def test_exact_cuts_are_not_lost(seed):
    """Positives' scores are candidates, but for a hair below, and labels with few positives have a grid."""
    problem = smooth_data(seed, n_items=80)
    (fine,) = fine_of(problem)
    for k in range(fine.n_labels):
        x, truth, _ = items(problem, k)
        own = fine.places.at[slice(*fine.curves.offsets[k : k + 2])]
        assert own[0] == np.inf
        distance = np.abs(own[1:] - x[truth == 1][:, np.newaxis]).min(axis=1)
        assert (distance < 1e-4).all()
        assert len(own) >= min(GRID, len(x))


def test_of_many_positives_some_are_candidates_evenly_by_rank():
    rng = np.random.default_rng(0)
    y_score = rng.random((20 * MOST, 1))
    source = as_source(np.ones((20 * MOST, 1)), y_score)
    fine = FineCurves.of([source], "probability")
    assert MOST <= len(fine.raw.tp) <= MOST + GRID + 1
    assert fine.raw.tp[-1] == 20 * MOST
    assert np.diff(fine.raw.tp).max() <= 30


@pytest.mark.parametrize("noise", [0.0, 3e-8])
def test_scores_that_differ_by_noise_are_one(noise):
    rng = np.random.default_rng(0)
    tenths = rng.integers(1, 10, (500, 1)) / 10
    source = as_source(rng.random((500, 1)) < tenths, tenths + noise * rng.choice([-1, 1], (500, 1)))
    fine = FineCurves.of([source], "probability")
    assert len(fine.raw.tp) == 10
    assert fine.raw.tp.tolist() == FineCurves.of([as_source(source.truth, tenths)], "probability").raw.tp.tolist()


@pytest.mark.parametrize("seed", range(5))
def test_parts_that_are_dealt_add_up_and_are_even(seed):
    problem = smooth_data(seed, n_items=90)
    (fine,) = fine_of(problem)
    parts = fine.dealt(5, name_keys("abc", seed))
    np.testing.assert_array_equal(np.add.reduce([part.raw.tp for part in parts]), fine.raw.tp)
    np.testing.assert_array_equal(np.add.reduce([part.raw.fp for part in parts]), fine.raw.fp)
    positives = np.array([part.raw.n_positive for part in parts])
    assert np.ptp(positives, axis=0).max() <= 1
    again = fine.dealt(5, name_keys("abc", seed + 1))
    assert any((a.raw.tp != b.raw.tp).any() for a, b in zip(parts, again, strict=True))


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
        np.testing.assert_allclose(np.sort(of_positive), np.sort(x[truth == 1]), atol=1e-4)
        of_negative = np.repeat(points.x[own], points.negative[own].astype(int))
        step = 4 * np.ptp(x) / GRID
        assert np.abs(np.sort(of_negative) - np.sort(x[truth == 0])).max() < step


def test_the_span_is_from_the_lowest_to_the_highest_point():
    problem = smooth_data(3, n_items=80)
    (fine,) = fine_of(problem)
    low, high = fine.span
    for k in range(fine.n_labels):
        own = fine.points.x[fine.points.label == k]
        assert low[k] <= own.min() + 1e-9
        assert own.max() <= high[k] + 1e-9
    np.testing.assert_allclose(low, logit(problem.y_score).min(axis=0), atol=0.2)
    np.testing.assert_allclose(high, logit(problem.y_score).max(axis=0), atol=0.2)


def test_a_label_without_known_items_has_no_points_and_a_span_of_0():
    source = as_source([[1, np.nan], [0, np.nan]], [[0.8, 0.7], [0.2, 0.1]])
    fine = FineCurves.of([source], kind_of([source]))
    assert set(fine.points.label) == {0}
    assert [end[1] for end in fine.span] == [0.0, 0.0]


def test_never_lies_just_above_the_highest_score():
    problem = smooth_data(0)
    (fine,) = fine_of(problem)
    never = fine.places.cut[fine.curves.offsets[:-1]]
    np.testing.assert_array_equal(never, fine.span[1] + MARGIN)
    (block,) = as_source(*problem[:2]).blocks()
    assert not (block.scores >= fine.back(never)).any()


class TestScale:
    def test_scores_outside_0_to_1_are_logits(self):
        source = as_source([[1], [0]], [[0.7], [-0.2]])
        fine = FineCurves.of([source], kind_of([source]))
        assert fine.places.scale.from_logits
        assert fine.back(np.array([-3.5])).tolist() == [-3.5]

    def test_zeros_and_ones_keep_away_from_infinity(self):
        """Half of the lowest above 0, and half of the way from the highest below 1."""
        source = as_source([[1], [0], [0], [1]], [[1.0], [0.0], [0.02], [0.9]])
        fine = FineCurves.of([source], kind_of([source]))
        assert (fine.places.scale.above_0, fine.places.scale.below_1) == (0.01, pytest.approx(0.05))
        assert np.isfinite(fine.points.x).all()
        assert fine.points.x.min() == pytest.approx(logit(0.01))
        assert fine.points.x.max() == pytest.approx(logit(0.95), abs=1e-4)

    @pytest.mark.parametrize("scores", [[0.0, 1.0], [0.0, 0.0], [1.0, 1.0]])
    def test_nothing_but_zeros_and_ones(self, scores):
        source = as_source([[1], [0]], [[scores[0]], [scores[1]]])
        fine = FineCurves.of([source], kind_of([source]))
        assert (fine.places.scale.above_0, fine.places.scale.below_1) == (0.25, 0.25)
        assert np.isfinite(fine.points.x).all()

    def test_the_scale_is_that_of_all_folds(self):
        sources = [as_source([[1]], [[0.5]]), as_source([[0]], [[-4.0]])]
        _, parts = FineCurves.of_folds(sources, sources, kind_of(sources))
        assert [part.places.scale.from_logits for part in parts] == [True, True]


@pytest.mark.parametrize("seed", range(10))
def test_counts_at_cuts_are_those_of_the_items_and_nearly_of_the_negatives(seed):
    """Negatives between two candidates are taken to lie evenly."""
    problem = smooth_data(seed, n_items=300)
    (fine,) = fine_of(problem)
    low, high = fine.span
    cuts = low - 0.5 + np.random.default_rng(seed).random((20, 3)) * (high - low + 1)
    tp, pp = fine.counts(cuts)
    for k in range(3):
        x, truth, _ = items(problem, k)
        kept = x >= cuts[:, k : k + 1]
        np.testing.assert_array_equal(tp[:, k], (kept & (truth == 1)).sum(axis=1))
        np.testing.assert_allclose(pp[:, k] - tp[:, k], (kept & (truth == 0)).sum(axis=1), atol=6)
    extreme = fine.counts(np.array([[99.0] * 3, [-99.0] * 3]))
    assert not extreme[:, 0].any()
    np.testing.assert_array_equal(extreme[1, 1], fine.curves.n_known)


def test_reweighting_changes_counts_and_not_cuts():
    problem = smooth_data(0)
    (fine,) = fine_of(problem)
    target = np.array([0.1, 0.5, 0.9])
    turned = fine.reweighted(target)
    np.testing.assert_allclose(turned.curves.n_positive / turned.curves.n_known, target)
    np.testing.assert_array_equal(turned.curves.candidates.cuts, fine.curves.candidates.cuts)
    np.testing.assert_array_equal(turned.points.x, fine.points.x)
    assert turned.places.scale == fine.places.scale


def test_sparse_scores_have_points_only_where_they_are_stored():
    from scipy.sparse import csr_array

    stored = csr_array(np.array([[0.0, 0.6], [0.3, 0.0], [0.8, 0.2]]))
    source = as_source([[1, 0], [0, 1], [1, 1]], stored)
    fine = FineCurves.of([source], kind_of([source]))
    assert fine.sums(fine.points.positive + fine.points.negative).tolist() == [2, 2]
    assert fine.curves.n_positive.tolist() == [2, 2]
    assert fine.curves.n_known.tolist() == [3, 3]


def test_it_agrees_with_plain_curves_at_the_same_candidates():
    problem = smooth_data(5)
    (fine,) = fine_of(problem)
    plain = Curves.from_arrays(
        *problem[:2], sample_weight=problem.sample_weight, candidates=fine.curves.candidates
    )
    assert plain == fine.curves
