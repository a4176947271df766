"""Bagged, smoothed and shrunk cuts against naive twins, and what must not change them."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

import limen
from limen.draws import name_keys
from limen.metrics import Cost
from limen.objectives import objective
from limen.scales import kind_of
from limen.solvers import Bagged, Calibrated, Shrunk, Smoothed
from limen.solvers.fine import FineCurves
from limen.solvers.one_cut import one_cut
from limen.solvers.places import MARGIN, Points
from limen.solvers.regularised import LogOddsSolver, weighted_quantile
from limen.sources.door import as_source
from strategies import data, random_data, smooth_data, tuned

EXPECTED_F1 = objective("f1", "macro")
OBJECTIVES = [("f1", "micro"), ("f2", "macro"), ("mcc", "micro"), ("kappa", "micro"), ("g_mean", "weighted")]


def fine_of(problem, sample_weight=None):
    source = as_source(*problem[:2], sample_weight=sample_weight)
    return FineCurves.of([source], kind_of([source]))


def gaussian(seed, n_items=400, prevalence=(0.3, 0.1, 0.05), distance=2.0):
    """Logits with items of a label ``distance`` higher."""
    rng = np.random.default_rng(seed)
    y_true = (rng.random((n_items, len(prevalence))) < np.array(prevalence)).astype(float)
    return data(y_true, rng.normal(distance * y_true - 2, 1))


def tied(seed, n_items=60, n_labels=3):
    """Scores in tenths, so that most are ties."""
    rng = np.random.default_rng(seed)
    y_true = (rng.random((n_items, n_labels)) < 0.3).astype(float)
    return data(y_true, np.clip(np.round(rng.normal(0.3 * y_true + 0.4, 0.2), 1), 0.1, 0.9))


class TestOneCut:
    """The best cut on a scale that all labels share."""

    @staticmethod
    def best(problem, metric, average):
        """The highest value of any shared threshold, by trying them all."""
        fine = fine_of(problem)
        goal = objective(metric, average)
        positive, known = fine.curves.n_positive, fine.curves.n_known
        values = []
        for threshold in np.unique(problem.y_score[problem.y_true == 1]):
            kept = problem.y_score >= threshold
            values.append(goal((kept & (problem.y_true == 1)).sum(axis=0), kept.sum(axis=0), positive, known))
        return max(values)

    @pytest.mark.parametrize(("metric", "average"), OBJECTIVES)
    @pytest.mark.parametrize("seed", range(6))
    def test_no_shared_threshold_is_much_better(self, seed, metric, average):
        """Negatives stand in groups, so it may miss by a little, but not by more than a grid step's items."""
        problem = smooth_data(seed)
        fine = fine_of(problem)
        cut = fine.back(np.full(3, one_cut(fine, None, objective(metric, average))))
        value = limen.evaluate(*problem[:2], cut, metric=metric, average=average).value
        best = self.best(problem, metric, average)
        assert best - 0.04 <= value <= best + 1e-12

    @pytest.mark.parametrize(("metric", "average"), OBJECTIVES)
    @pytest.mark.parametrize("seed", range(6))
    def test_ties_are_kept_or_left_together(self, seed, metric, average):
        """Every score lies on a candidate or in a group by itself, so nothing may be missed."""
        problem = tied(seed)
        fine = fine_of(problem)
        cut = fine.back(np.full(3, one_cut(fine, None, objective(metric, average))))
        value = limen.evaluate(*problem[:2], cut, metric=metric, average=average).value
        assert value == pytest.approx(self.best(problem, metric, average), abs=1e-12)

    def test_a_tie_of_few_positives_and_many_negatives_is_not_split(self):
        """At 0.9: 10 of 11 right. At 0.5 5 more positives, and 200 negatives with the same score."""
        y_true = np.array([1] * 10 + [0] + [1] * 5 + [0] * 200)[:, np.newaxis]
        y_score = np.array([0.9] * 11 + [0.5] * 205)[:, np.newaxis]
        for method in (Shrunk(strength=1e12), Calibrated(), "auto"):
            assert tuned(data(y_true, y_score), method=method).value == pytest.approx(20 / 26)

    def test_costs_by_label_are_not_pooled(self):
        """A missed first label costs nothing, so the cut follows the second."""
        y_true = np.array([[1, 0], [1, 0], [0, 1], [0, 0]])
        y_score = np.array([[0.1, 0.2], [0.2, 0.3], [0.3, 0.8], [0.4, 0.6]])
        fine = fine_of(data(y_true, y_score))
        cost = objective(Cost(fp=(1.0, 1.0), fn=(0.0, 1.0)), "micro")
        cut = one_cut(fine, None, cost)
        assert 0.6 < fine.back(np.full(2, cut))[0] <= 0.8

    def test_above_everything_where_no_label_has_a_positive(self):
        fine = fine_of(data(np.zeros((5, 2)), np.random.default_rng(0).random((5, 2))))
        assert one_cut(fine, None, EXPECTED_F1) > fine.span[1].max()


@pytest.mark.parametrize("share", [0.05, 0.25, 0.5, 0.75, 1.0])
@pytest.mark.parametrize("seed", range(10))
def test_weighted_quantile_is_that_of_repeated_points(seed, share):
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 3, 30)
    label[label == 1] = 2
    x, weight = rng.integers(-5, 5, 30) / 2, rng.integers(0, 4, 30).astype(float)
    order = np.lexsort((-x, label))  # as points are
    label, x = label[order], x[order]
    found = weighted_quantile(Points(x, label, weight, weight), weight, share, 4)
    for k in range(4):
        repeated = np.sort(np.repeat(x[label == k], weight[label == k].astype(int)))
        wanted = repeated[math.ceil(share * len(repeated) - 1e-9) - 1] if len(repeated) else 0.0
        assert found[k] == wanted


class TestBagged:
    def test_the_cut_is_the_mean_of_the_draws(self):
        fine = fine_of(gaussian(0))
        draws = Bagged(samples=7).draws(fine, EXPECTED_F1, name_keys(fine.raw.labels, 3))
        assert draws.shape == (7, 3)
        np.testing.assert_array_equal(Bagged(samples=7).cuts(fine, EXPECTED_F1, 3), draws.mean(axis=0))

    def test_draws_follow_the_seed(self):
        fine = fine_of(gaussian(0))
        draws = [Bagged(5).draws(fine, EXPECTED_F1, name_keys(fine.raw.labels, seed)) for seed in (0, 0, 1)]
        np.testing.assert_array_equal(draws[0], draws[1])
        assert (draws[0] != draws[2]).any()

    def test_draws_differ_from_each_other(self):
        draws = Bagged(20).draws(fine_of(gaussian(0)), EXPECTED_F1, name_keys("012", 0))
        assert (draws.std(axis=0) > 0).all()

    @staticmethod
    def drawn_by_hand(problem, weight, samples=250):
        """Spread of the exact cuts when the items themselves are resampled."""
        rng = np.random.default_rng(0)
        cuts = []
        for _ in range(samples):
            times = rng.poisson(1, len(problem.y_true))
            cuts.append(tuned(problem._replace(sample_weight=weight * times), average="macro").values)
        return np.array(cuts)

    @pytest.mark.parametrize(
        "weight",
        [
            lambda problem: np.ones(len(problem.y_true)),
            lambda problem: np.full(len(problem.y_true), 0.01),
            lambda problem: np.where(problem.y_true[:, 0] == 1, 25.0, 1.0),
            lambda problem: np.exp(np.random.default_rng(1).normal(0, 1.2, len(problem.y_true))),
        ],
        ids=["ones", "hundredths", "heavy positives", "uneven"],
    )
    def test_draws_spread_like_resampled_items(self, weight):
        """Also where weights are uneven: an item of weight 25 comes or goes as one."""
        problem = gaussian(3, prevalence=(0.2, 0.1))
        weights = weight(problem)
        draws = Bagged(250).draws(fine_of(problem, weights), EXPECTED_F1, name_keys("01", 0))
        by_hand = self.drawn_by_hand(problem, weights)
        ratio = draws.std(axis=0) / by_hand.std(axis=0)
        assert (ratio > 0.6).all(), ratio
        assert (ratio < 3.5).all(), ratio

    def test_draws_spread_the_same_for_another_prevalence(self):
        """Positives that count 10 times are no more positives than before."""
        problem = gaussian(3, prevalence=(0.05,))
        target = np.array([0.35])
        draws = Bagged(250).draws(fine_of(problem).reweighted(target), EXPECTED_F1, name_keys("0", 0))
        rng = np.random.default_rng(0)
        cuts = []
        for _ in range(250):
            times = rng.poisson(1, len(problem.y_true))
            drawn = problem._replace(sample_weight=times.astype(float))
            cuts.append(tuned(drawn, average="macro", target_prevalence=target).values)
        ratio = float(draws.std() / np.std(cuts))
        assert 0.7 < ratio < 1.4

    @pytest.mark.parametrize("unknown", [0.0, 0.5, 0.9])
    def test_weights_of_1_are_no_weights(self, unknown):
        problem = gaussian(0)
        y_true = np.where(np.random.default_rng(9).random(problem.y_true.shape) < unknown, np.nan, problem.y_true)
        plain = limen.tune(y_true, problem.y_score, method="bagged")
        weighted = limen.tune(y_true, problem.y_score, method="bagged", sample_weight=np.ones(400))
        np.testing.assert_allclose(weighted.values, plain.values, rtol=1e-12)


def naive_smoothed(fine, width, grid):
    """The cut (n_labels,) with the best macro F1 of smoothed counts, by plain loops; F1 needs tp, pp, p."""
    points = fine.points
    cuts = []
    for k in range(fine.n_labels):
        own = [j for j in range(len(points.x)) if points.label[j] == k]
        low, high = fine.span[0][k], fine.span[1][k]
        best, at = 0.0, high + MARGIN
        for g in range(grid):
            t = high - (high - low) * g / (grid - 1)
            kept = [1 / (1 + math.exp(-(points.x[j] - t) / width[k])) for j in own]
            tp = sum(kept[i] * points.positive[j] for i, j in enumerate(own))
            fp = sum(kept[i] * points.negative[j] for i, j in enumerate(own))
            f1 = 2 * tp / (tp + fp + fine.curves.n_positive[k])
            if f1 > best + 1e-12:
                best, at = f1, t
        cuts.append(at)
    return cuts


class TestSmoothed:
    @pytest.mark.parametrize("seed", range(5))
    def test_the_best_smoothed_cut_of_a_grid(self, seed):
        problem = gaussian(seed, n_items=120, prevalence=(0.4, 0.2))
        fine = fine_of(problem)
        positives = np.array([(problem.y_true[:, k] == 1).sum() for k in range(2)])
        spread = []
        for k in range(2):
            x = np.sort(problem.y_score[problem.y_true[:, k] == 1, k])
            quarter, three = (x[math.ceil(share * len(x)) - 1] for share in (0.25, 0.75))
            spread.append((three - quarter) / 1.35)
        width = 0.3 * (np.array(spread) + np.median(spread)) / 2 * (positives / 50) ** -0.2
        found = Smoothed(bandwidth=0.3, grid=40).cuts(fine, EXPECTED_F1, 0)
        np.testing.assert_allclose(found, naive_smoothed(fine, width, 40), atol=1e-9)

    def test_a_narrow_kernel_finds_the_exact_value(self):
        problem = smooth_data(2, n_items=200)
        narrow = tuned(problem, method=Smoothed(bandwidth=1e-6, grid=4000)).value
        assert narrow == pytest.approx(tuned(problem).value, abs=0.01)

    def test_no_seed_matters(self):
        problem = gaussian(0)
        values = [limen.tune(*problem[:2], method="smoothed", random_state=seed).values for seed in (0, 1)]
        np.testing.assert_array_equal(*values)

    def test_never_pays_where_no_cut_does(self):
        """Accuracy, and every positive below nine negatives."""
        y_true = np.zeros((40, 1))
        y_true[0] = 1
        y_score = np.linspace(-3, 3, 40)[:, np.newaxis]
        assert not tuned(data(y_true, y_score), method="smoothed", metric="accuracy").decide(y_score).any()


class TestShrunk:
    def cuts(self, strength, average="micro"):
        problem = gaussian(1)
        return problem, limen.tune(*problem[:2], method=Shrunk(strength=strength), average=average).values

    @pytest.mark.parametrize("average", ["micro", "macro", "weighted"])
    def test_without_strength_the_exact_cuts(self, average):
        problem, values = self.cuts(0.0, average)
        np.testing.assert_allclose(
            problem.y_score >= values, problem.y_score >= tuned(problem, average=average).values
        )

    @pytest.mark.parametrize("average", ["micro", "macro", "weighted"])
    def test_with_endless_strength_one_cut(self, average):
        _, values = self.cuts(1e15, average)
        np.testing.assert_allclose(values, values[0], rtol=1e-9)

    @pytest.mark.parametrize("target", [None, [0.5, 0.5, 0.5]])
    def test_half_way_at_as_many_positives(self, target):
        """A label with 20 positives and strength 20 lies halfway between its exact and the shared cut.

        Also if it is to be more frequent: that adds no positives to learn from.
        """
        rng = np.random.default_rng(0)
        y_true = np.zeros((200, 3))
        for k, positives in enumerate((5, 20, 60)):
            y_true[rng.permutation(200)[:positives], k] = 1
        problem = data(y_true, rng.normal(2 * y_true - 2, 1))
        exact, half, shared = (
            tuned(problem, method=Shrunk(strength), target_prevalence=target).values
            for strength in (0.0, 20.0, 1e15)
        )
        own = (half - shared) / (exact - shared)
        np.testing.assert_allclose(own, [5 / 25, 20 / 40, 60 / 80], rtol=1e-6)


DETERMINISTIC = ("smoothed", "shrunk", "calibrated")


class TestInvariance:
    @pytest.mark.parametrize(("metric", "average"), OBJECTIVES)
    @pytest.mark.parametrize("method", DETERMINISTIC)
    def test_items_in_another_order(self, method, metric, average):
        problem = gaussian(2)
        order = np.random.default_rng(0).permutation(400)
        options = {"method": method, "metric": metric, "average": average}
        first, second = (limen.tune(*part[:2], **options).values for part in (problem, problem.taken(order)))
        np.testing.assert_allclose(second, first, rtol=1e-9, atol=1e-9)

    @pytest.mark.parametrize(("metric", "average"), OBJECTIVES)
    @pytest.mark.parametrize("method", DETERMINISTIC)
    def test_labels_in_another_order(self, method, metric, average):
        problem = gaussian(2)
        order = [2, 0, 1]
        options = {"method": method, "metric": metric, "average": average}
        first = limen.tune(*problem[:2], **options).values
        second = limen.tune(problem.y_true[:, order], problem.y_score[:, order], **options).values
        np.testing.assert_allclose(second, first[order], rtol=1e-7, atol=1e-7)

    def test_items_in_another_order_for_bagged(self):
        """Its draws are by interval between candidates, and these do not know the order of items."""
        problem = gaussian(2)
        order = np.random.default_rng(0).permutation(400)
        first, second = (limen.tune(*part[:2], method="bagged").values for part in (problem, problem.taken(order)))
        np.testing.assert_allclose(second, first, rtol=1e-12)

    def test_labels_in_another_order_for_bagged(self):
        """What a label draws follows from its name."""
        problem, order = gaussian(2), [2, 0, 1]
        first = limen.tune(*problem[:2], labels=list("abc"), method="bagged").values
        turned = problem.y_true[:, order], problem.y_score[:, order]
        second = limen.tune(*turned, labels=list("cab"), method="bagged").values
        np.testing.assert_allclose(second, first[order], rtol=1e-12)

    @pytest.mark.parametrize("method", ["smoothed", "shrunk", "bagged"])
    @pytest.mark.parametrize(
        ("scale", "shift"), [(4.0, 0.0), (0.5, 0.0), (2.0**-12, 0.0), (3.0, 1.7), (0.4, -5.0)]
    )
    def test_cuts_follow_an_affine_map_of_logits(self, method, scale, shift):
        """Bagged draws by interval; a rounded grid end may add one, so it follows exactly only powers of 2."""
        problem = gaussian(4)
        first = limen.tune(*problem[:2], method=method).values
        second = limen.tune(problem.y_true, scale * problem.y_score + shift, method=method).values
        close = 1e-4 if method != "bagged" or not shift else 0.25
        np.testing.assert_allclose((second - shift) / scale, first, atol=close)

    @pytest.mark.parametrize("average", ["micro", "macro"])
    @pytest.mark.parametrize("method", ["smoothed", "calibrated"])
    def test_probabilities_or_their_logits(self, method, average):
        problem = gaussian(5)
        of_logits = limen.tune(*problem[:2], method=method, average=average).values
        p = 1 / (1 + np.exp(-problem.y_score))
        of_probabilities = limen.tune(problem.y_true, p, method=method, average=average).values
        np.testing.assert_allclose(of_probabilities, 1 / (1 + np.exp(-of_logits)), rtol=1e-6)

    @pytest.mark.parametrize("average", ["micro", "macro"])
    @pytest.mark.parametrize("method", ["shrunk", "bagged"])
    def test_probabilities_or_their_logits_where_cuts_lie_halfway(self, method, average):
        """Halfway between two scores is another place on the other scale, if a near one."""
        problem = gaussian(5)
        of_logits = limen.tune(*problem[:2], method=method, average=average).values
        p = 1 / (1 + np.exp(-problem.y_score))
        of_probabilities = limen.tune(problem.y_true, p, method=method, average=average).values
        np.testing.assert_allclose(of_probabilities, 1 / (1 + np.exp(-of_logits)), atol=0.03)

    def test_the_exact_method_needs_only_the_order(self):
        problem = gaussian(6)
        for mapped in (np.exp(problem.y_score), problem.y_score**3, 5 * problem.y_score - 40):
            turned = problem._replace(y_score=mapped)
            np.testing.assert_array_equal(tuned(turned).decide(mapped), tuned(problem).decide(problem.y_score))

    def test_other_cuts_than_those_of_the_order_alone(self):
        """The log odds methods do look at distances: cubes of logits get other decisions."""
        problem = gaussian(6)
        cubed = problem._replace(y_score=problem.y_score**3)
        decided = [tuned(part, method="smoothed").decide(part.y_score) for part in (problem, cubed)]
        assert (decided[0] != decided[1]).any()


@pytest.mark.parametrize("method", ["bagged", "smoothed", "shrunk", "calibrated"])
class TestEveryKindOfData:
    def test_weights_are_about_repeated_items(self, method):
        """Not quite: weights count in units of their mean, and say no more if all are doubled."""
        problem = gaussian(0)
        times = np.random.default_rng(0).integers(1, 4, 400)
        weighted = limen.tune(*problem[:2], method=method, sample_weight=times).values
        rows = np.repeat(np.arange(400), times)
        repeated = limen.tune(*problem.taken(rows)[:2], method=method).values
        np.testing.assert_allclose(weighted, repeated, atol=0.3)

    def test_chunks_and_sums_are_the_whole(self, method):
        problem = gaussian(0)
        whole = limen.tune(*problem[:2], method=method).values
        parts = [problem.taken(slice(start, start + 150))[:2] for start in range(0, 400, 150)]
        chunked = limen.tune(limen.Curves.from_chunks(parts), method=method).values
        a, b, c = (limen.Curves.from_arrays(*part) for part in parts)
        np.testing.assert_array_equal(chunked, whole)
        np.testing.assert_array_equal(limen.tune(a + b + c, method=method).values, whole)

    def test_half_precision(self, method):
        problem = gaussian(0)
        half = limen.tune(problem.y_true, problem.y_score.astype(np.float16), method=method).values
        assert half.dtype == np.float16
        whole = limen.tune(*problem[:2], method=method).values
        np.testing.assert_allclose(half.astype(float), whole, atol=0.35 if method == "bagged" else 0.1)

    def test_items_of_unknown_labels_change_nothing(self, method):
        problem = gaussian(0)
        y_true = np.vstack([problem.y_true, np.full((1, 3), np.nan)])
        y_score = np.vstack([problem.y_score, np.zeros((1, 3))])
        more = limen.tune(y_true, y_score, method=method).values
        np.testing.assert_array_equal(more, limen.tune(*problem[:2], method=method).values)

    def test_another_prevalence_moves_the_cuts(self, method):
        """More positives, lower cuts: in the theory of F1 and for every one of these methods."""
        problem = gaussian(0, n_items=2000)
        few, many = (
            limen.tune(*problem[:2], method=method, average="macro", target_prevalence=[p] * 3).values
            for p in (0.05, 0.5)
        )
        assert (many < few - 0.5).all()

    def test_it_says_it_is_not_proven_best(self, method):
        problem = gaussian(0)
        t = limen.tune(*problem[:2], method=method)
        assert (t.status, t.upper_bound, t.expected, t.ranges, t.method) == ("local", None, None, None, method)
        assert t.value <= tuned(problem).value

    def test_counts_alone_come_near(self, method):
        import pickle

        problem = gaussian(0)
        curves = pickle.loads(pickle.dumps(limen.Curves.from_arrays(*problem[:2])))
        found, whole = limen.tune(curves, method=method), limen.tune(*problem[:2], method=method)
        assert found.status == "local"
        again = limen.evaluate(*problem[:2], found, metric="f1").value
        assert found.value == again, "its counts are known, not guessed"
        assert abs(found.value - whole.value) < 0.02


def test_a_method_without_cuts_is_not_one():
    with pytest.raises(NotImplementedError):
        LogOddsSolver().cuts(fine_of(smooth_data(0)), EXPECTED_F1, 0)


SMALL = [
    ([[1]], [[0.5]]),
    ([[0]], [[0.5]]),
    ([[1], [0]], [[0.5], [0.5]]),
    ([[1], [1]], [[0.2], [0.7]]),
    ([[0], [0]], [[0.2], [0.7]]),
    ([[np.nan], [np.nan]], [[0.2], [0.7]]),
    ([[np.nan, 1], [np.nan, 0]], [[0.2, 3.0], [0.7, -2.0]]),
    ([[1, 0], [0, 0]], [[0.0, 1.0], [1.0, 0.0]]),
]


@pytest.mark.parametrize("average", ["micro", "macro", "weighted"])
@pytest.mark.parametrize("method", ["bagged", "smoothed", "shrunk", "calibrated"])
@pytest.mark.parametrize("case", range(len(SMALL)))
def test_the_smallest_problems(case, method, average):
    for metric in ("f1", "mcc", "g_mean", "accuracy"):
        t = tuned(data(*SMALL[case]), method=method, metric=metric, average=average)
        assert not np.isnan(t.values).any()
        assert -1 <= t.value <= 1


@pytest.mark.parametrize("method", ["bagged", "smoothed", "shrunk", "calibrated"])
def test_sparse_scores_of_which_none_is_stored(method):
    from scipy.sparse import csr_array

    for average in ("micro", "macro", "weighted"):
        t = tuned(
            data(np.eye(4, 2), np.zeros(0))._replace(y_score=csr_array((4, 2))), method=method, average=average
        )
        assert not np.isnan(t.values).any()


@pytest.mark.parametrize("constant", [0.0, 0.3, 1.0, -2.0])
@pytest.mark.parametrize("method", ["bagged", "smoothed", "shrunk", "calibrated"])
def test_a_constant_score_gives_all_or_nothing(method, constant):
    """Five of six items have the label, so all must get it: F1 is 10 / 11, not 0."""
    problem = data([[1], [1], [0], [1], [1], [1]], np.full((6, 1), constant))
    assert tuned(problem, method=method).value == pytest.approx(10 / 11)


@pytest.mark.parametrize("method", ["bagged", "smoothed"])
def test_never_holds_for_probabilities_of_1(method):
    """Five negatives score 1, the positive less: by accuracy the label is best never given."""
    y_true = np.array([0] * 5 + [1] + [0] * 5)[:, np.newaxis]
    y_score = np.array([1.0] * 5 + [0.5] + [0.3] * 5)[:, np.newaxis]
    t = tuned(data(y_true, y_score), method=method, metric="accuracy")
    assert t.value == pytest.approx(10 / 11)


@pytest.mark.parametrize("method", ["bagged", "smoothed", "shrunk", "calibrated"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_scores_at_the_ends_of_the_range(method, dtype):
    limits = np.finfo(dtype)
    scores = np.array([limits.max, limits.min, 0, 0.5, limits.max, limits.smallest_subnormal], dtype)
    problem = data([[1], [1], [0], [1], [0], [1]], scores[:, np.newaxis])
    for average in ("micro", "macro"):
        t = tuned(problem, method=method, average=average)
        assert t.values.dtype == dtype
        assert not np.isnan(t.values).any()


@pytest.mark.parametrize("seed", range(25))
def test_ties_unknown_labels_and_weights(seed):
    problem = random_data(seed, most_items=12)
    exact = {average: tuned(problem, average=average).value for average in ("micro", "macro")}
    for method, average in itertools.product(("bagged", "smoothed", "shrunk", "calibrated"), exact):
        t = tuned(problem, method=method, average=average)
        assert t.values.dtype == problem.y_score.dtype
        assert not np.isnan(t.values).any()
        assert t.value <= exact[average] + 1e-12
