"""A calibration that labels share: against logistic regression, and against naive twins."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

import limen
from limen.objectives import objective
from limen.scales import kind_of
from limen.solvers import Calibrated
from limen.solvers.calibrated import Calibration
from limen.solvers.fine import FineCurves
from limen.sources.door import as_source
from strategies import Data, data, tuned


def fine_of(problem):
    source = as_source(*problem[:2])
    return FineCurves.of([source], kind_of([source]))


def gaussian(seed, n_items, prevalence, distance=2.0, offset=0.0, slope=1.0):
    """Labels whose log odds are ``offset + slope * score``; every argument may differ by label."""
    rng = np.random.default_rng(seed)
    prevalence = np.asarray(prevalence, float)
    y_true = (rng.random((n_items, len(prevalence))) < prevalence).astype(float)
    log_odds = np.log(prevalence / (1 - prevalence)) - distance**2 / 2
    log_odds = log_odds + distance * rng.normal(distance * y_true, 1)
    return data(y_true, (log_odds - offset) / slope)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


class TestFit:
    @pytest.mark.parametrize(("offset", "slope"), [(0.0, 1.0), (1.0, 2.0), (-3.0, 0.5), (-4.2, 2.0), (-6.0, 4.0)])
    def test_one_label_gets_the_maximum_of_its_likelihood(self, offset, slope):
        """With no other label there is nothing to borrow: Platt scaling, up to the clipped ends."""
        problem = gaussian(0, 20000, [0.1], offset=offset, slope=slope)
        fitted = Calibration.fit(fine_of(problem))
        platt = LogisticRegression(C=1e9).fit(problem.y_score, problem.y_true[:, 0])
        assert fitted.slope[0] == pytest.approx(platt.coef_[0, 0], rel=0.05)
        assert fitted.offset[0] == pytest.approx(platt.intercept_[0], abs=0.15)

    @pytest.mark.parametrize("offset", [1.0, -4.0])
    def test_labels_with_one_calibration_get_it(self, offset):
        """Eight labels of different prevalence, all with the log odds ``offset + 2 x``."""
        prevalence = np.geomspace(0.02, 0.3, 8)
        fitted = Calibration.fit(fine_of(gaussian(1, 4000, prevalence, offset=offset, slope=2.0)))
        np.testing.assert_allclose(fitted.slope, 2.0, rtol=0.1)
        np.testing.assert_allclose(fitted.offset, offset, atol=0.3)

    def test_labels_with_many_positives_keep_their_own(self):
        offset, slope = np.array([-2.0, 0.0, 2.0, 1.0]), np.array([0.5, 1.0, 2.0, 1.5])
        fitted = Calibration.fit(fine_of(gaussian(2, 8000, [0.2] * 4, offset=offset, slope=slope)))
        np.testing.assert_allclose(fitted.offset, offset, atol=0.25)
        np.testing.assert_allclose(fitted.slope, slope, rtol=0.12)

    def test_a_label_without_positives_gets_about_the_mean(self):
        problem = gaussian(3, 4000, [0.2, 0.1, 0.15, 0.1], offset=1.0)
        y_true = problem.y_true.copy()
        y_true[:, 3] = np.nan
        fitted = Calibration.fit(fine_of(problem._replace(y_true=y_true)))
        assert fitted.offset[3] == pytest.approx(fitted.offset[:3].mean(), abs=0.05)
        assert fitted.slope[3] == pytest.approx(fitted.slope[:3].mean(), abs=0.05)

    def test_few_positives_borrow(self):
        """Over many draws, offsets of a label with about 4 positives lie nearer the truth than Platt's."""
        errors = []
        for seed in range(12):
            problem = gaussian(seed, 400, [0.2] * 8 + [0.01], offset=1.0)
            if problem.y_true[:, 8].sum() < 2:
                continue
            fitted = Calibration.fit(fine_of(problem))
            platt = LogisticRegression(C=1e9).fit(problem.y_score[:, 8:], problem.y_true[:, 8])
            errors.append([abs(fitted.slope[8] - 1), abs(platt.coef_[0, 0] - 1)])
        borrowed, alone = np.mean(errors, axis=0)
        assert len(errors) >= 8
        assert borrowed < 0.7 * alone

    def test_slopes_never_turn_scores_around(self):
        """Scores that rank the wrong way still rise with the calibrated ones."""
        problem = gaussian(4, 500, [0.3, 0.3])
        fitted = Calibration.fit(fine_of(problem._replace(y_score=-problem.y_score)))
        assert (fitted.slope > 0).all()

    def test_outlying_scores_do_not_decide_the_slope(self):
        problem = gaussian(5, 4000, [0.1])
        y_score = problem.y_score.copy()
        y_score[y_score[:, 0].argmin()] = -1000.0
        plain, outlying = (Calibration.fit(fine_of(problem._replace(y_score=s))) for s in (problem[1], y_score))
        assert outlying.slope[0] == pytest.approx(plain.slope[0], rel=0.05)

    def test_separated_classes_give_finite_numbers(self):
        y_true = np.repeat([[1.0], [0.0]], 20, axis=0)
        fitted = Calibration.fit(fine_of(data(y_true, np.where(y_true == 1, 3.0, -3.0))))
        assert np.isfinite([*fitted.offset, *fitted.slope]).all()

    def test_log_odds_are_those_of_clipped_scores(self):
        fitted = Calibration(np.array([1.0]), np.array([2.0]), np.array([-1.0]), np.array([1.5]))
        label = np.zeros(3, np.int64)
        assert fitted.log_odds(np.array([-9.0, 0.5, 9.0]), label).tolist() == [-1.0, 2.0, 4.0]


def test_micro_cuts_lie_at_one_calibrated_value():
    offset, slope = np.array([-1.0, 0.0, 1.0, 0.5]), np.array([0.5, 1.0, 2.0, 1.0])
    problem = gaussian(0, 3000, [0.2, 0.1, 0.1, 0.05], offset=offset, slope=slope)
    fine = fine_of(problem)
    fitted = Calibration.fit(fine)
    z = fitted.offset + fitted.slope * Calibrated().cuts(fine, objective("f1", "micro"), 0)
    np.testing.assert_allclose(z, z[0], atol=1e-9)


def test_the_micro_cut_lies_near_half_of_the_best_value():
    """Lipton et al. (2014): the calibrated probability at the best cut is half of the best F1."""
    problem = gaussian(1, 20000, [0.2, 0.1, 0.1, 0.05])
    t = limen.tune(*problem[:2], method="calibrated")
    np.testing.assert_allclose(sigmoid(t.values), t.value / 2, atol=0.04)


def best_expected_by_hand(problem, metric, fitted, fine):
    """The best value of expected counts, over "never" and all cuts, item by item."""
    goal = objective(metric, "macro")
    points = fine.points
    values = []
    for k in range(fine.n_labels):
        own = points.label == k
        x, weight = points.x[own], (points.positive + points.negative)[own]
        p = sigmoid(fitted.offset[k] + fitted.slope[k] * np.clip(x, fitted.low[k], fitted.high[k]))
        of_cut = {np.inf: (0.0, 0.0)} | {
            cut: (float((weight * p)[x >= cut].sum()), float(weight[x >= cut].sum())) for cut in x
        }
        total = np.array([(weight * p).sum()]), np.array([weight.sum()])
        cuts = list(of_cut)
        of_each = [goal(np.array([of_cut[c][0]]), np.array([of_cut[c][1]]), *total) for c in cuts]
        values.append((max(of_each), dict(zip(cuts, of_each, strict=True))))
    return values


@pytest.mark.parametrize("metric", ["f1", "f2", "mcc", "accuracy", "jaccard", "g_mean"])
@pytest.mark.parametrize("seed", range(3))
def test_macro_cuts_have_the_best_expected_counts(seed, metric):
    problem = gaussian(seed, 150, [0.3, 0.2, 0.4])
    fine = fine_of(problem)
    fitted = Calibration.fit(fine)
    cuts = Calibrated().cuts(fine, objective(metric, "macro"), 0)
    by_hand = best_expected_by_hand(problem, metric, fitted, fine)
    for k, (best, of_cut) in enumerate(by_hand):
        above = [cut for cut in of_cut if cut >= cuts[k]]
        assert of_cut[min(above)] == pytest.approx(best, abs=1e-9)


def useless():
    """A tenth positive, by chance: each tag given costs more than it saves."""
    rng = np.random.default_rng(0)
    return data((rng.random((2000, 3)) < 0.1).astype(float), rng.normal(size=(2000, 3)))


@pytest.mark.parametrize(("metric", "average"), [("accuracy", "macro"), ("cost", "weighted")])
def test_never_where_the_expected_counts_say_so(metric, average):
    problem = useless()
    t = tuned(problem, method="calibrated", metric=metric, average=average)
    assert not t.decide(problem.y_score).any()


@pytest.mark.parametrize("metric", ["accuracy", "cost"])
def test_one_cut_for_all_may_be_never(metric):
    """A cut is only taken if the tuning data are better off with it than with no tag at all."""
    problem = useless()
    none_given = limen.evaluate(*problem[:2], np.inf, metric=metric).value
    assert tuned(problem, method="calibrated", metric=metric).value >= none_given


@pytest.mark.parametrize("average", ["macro", "weighted"])
def test_never_also_where_scores_have_long_tails(average):
    """Scores in the hundreds that say nothing: no slope is small enough to be rounded up."""
    rng = np.random.default_rng(0)
    problem = data((rng.random((5000, 3)) < 0.1).astype(float), rng.standard_cauchy((5000, 3)))
    t = tuned(problem, method="calibrated", metric="accuracy", average=average)
    none_given = limen.evaluate(*problem[:2], np.inf, metric="accuracy", average=average).value
    assert t.value >= none_given - 0.005


@pytest.mark.parametrize("prevalence", [0.9, 0.5, 0.1])
@pytest.mark.parametrize("seed", range(3))
def test_one_label_and_one_cut_is_the_shared_cut(seed, prevalence):
    """Calibration keeps the order, so nothing is gained or lost; also where most items must be kept."""
    rng = np.random.default_rng(seed)
    y_true = (rng.random((1500, 1)) < prevalence).astype(float)
    problem = data(y_true, rng.normal(0.5 * y_true, 1))
    assert tuned(problem, method="calibrated").value == pytest.approx(tuned(problem).value, abs=0.003)


@pytest.mark.parametrize("average", ["micro", "macro"])
@pytest.mark.parametrize("n_labels", [1, 4])
@pytest.mark.parametrize("unit", [0.001, 0.01, 10.0, 100.0, 1e6])
def test_the_unit_of_scores_does_not_matter(unit, n_labels, average):
    """Margins of a support vector machine, or percents, are no log odds, but rise with them all the same."""
    problem = gaussian(0, 3000, [0.2, 0.1, 0.1, 0.05][:n_labels])
    values = tuned(problem, method="calibrated", average=average).values
    scaled = problem._replace(y_score=unit * problem.y_score)
    np.testing.assert_allclose(
        tuned(scaled, method="calibrated", average=average).values / unit, values, atol=0.25
    )


def test_cuts_stay_within_reach_of_the_scores():
    """Where the calibrated cut lies far outside, it stops just beyond the label's scores."""
    problem = gaussian(0, 1000, [0.3, 0.3])
    y_score = problem.y_score * [1, 1e-3]
    fine = fine_of(problem._replace(y_score=y_score))
    low, high = fine.span
    for average in ("micro", "macro"):
        cuts = Calibrated().cuts(fine, objective("f1", average), 0)
        assert (cuts >= low - 0.1 - 1e-12).all()
        assert (cuts <= high + 0.1 + 1e-12).all()


@pytest.mark.parametrize("average", ["micro", "macro"])
def test_labels_without_positives_get_the_cut_of_labels_like_them(average):
    """Three positives would be usual, so none says little: the label shares the others' calibration."""
    problem = gaussian(6, 1500, [0.05, 0.02, 0.01, 0.005, 0.02, 0.002], offset=1.0)
    y_true = problem.y_true.copy()
    y_true[:, 5] = 0
    values = tuned(Data(y_true, problem.y_score), method="calibrated", average=average).values
    assert np.isfinite(values).all()
    assert values[5] == pytest.approx(values[:5].mean(), abs=1.0)


def test_no_seed_matters():
    problem = gaussian(0, 500, [0.1, 0.2])
    values = [limen.tune(*problem[:2], method="calibrated", random_state=seed).values for seed in (0, 1)]
    np.testing.assert_array_equal(*values)
