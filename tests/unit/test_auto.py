"""The default method: what it weighs, what it says, and that it runs on everything."""

from __future__ import annotations

import pickle
import warnings
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings

import limen
from limen.curves import Curves
from limen.errors import percent, span
from limen.objectives import objective
from limen.solvers import Auto, Problem
from limen.solvers.auto import OWN, SHARES
from limen.sources.door import as_source
from limen.thresholds import Thresholds
from strategies import AVERAGES, METRICS, PATIENT, Data, data, problems, random_data, tuned


def world(seed, n_items, prevalence, offset=0.0, slope=1.0, distance=2.0):
    """Labels whose log odds are ``offset + slope * score``: calibrated logits if these are 0 and 1."""
    rng = np.random.default_rng(seed)
    prevalence = np.asarray(prevalence, float)
    y_true = (rng.random((n_items, len(prevalence))) < prevalence).astype(float)
    log_odds = np.log(prevalence / (1 - prevalence)) - distance**2 / 2
    log_odds = log_odds + distance * rng.normal(distance * y_true, 1)
    return data(y_true, (log_odds - offset) / slope)


def bent(seed, n_items, prevalence):
    """Scores that no logistic curve calibrates: squeezed above a kink and stretched below."""
    problem = world(seed, n_items, prevalence)
    beyond = problem.y_score - np.linspace(-3, 1, len(prevalence))
    return problem._replace(y_score=np.where(beyond > 0, 0.05, 20) * beyond + np.linspace(-3, 1, len(prevalence)))


def on(fresh, thresholds, average="micro"):
    """The value on other data, without the interval that `limen.evaluate` adds."""
    kept = fresh.y_score >= thresholds.values
    tp = (kept & (fresh.y_true == 1)).sum(axis=0)
    n = np.full(len(tp), len(kept))
    return objective("f1", average)(tp, kept.sum(axis=0), (fresh.y_true == 1).sum(axis=0), n)


def mixed(seed=0, n_items=400):
    return world(seed, n_items, [0.3, 0.1, 0.05, 0.02, 0.01], offset=np.array([0, 1, -1, 0.5, 0]))


@cache
def once(**options):
    """The thresholds of `mixed`, tuned once for the tests that look at the same ones."""
    return limen.tune(*mixed()[:2], **options)


def auto(problem, **options):
    return tuned(problem, method="auto", **options)


class TestDetails:
    def test_weights_are_shares(self):
        details = once().details
        weights = details["weights"]
        assert set(weights) == {"shared", *OWN}
        assert sum(weights.values()) == pytest.approx(1.0, abs=1e-12)
        assert min(weights.values()) >= 0
        assert details["folds"] == 5
        assert details["shares_of_shared"] == list(SHARES)

    def test_cross_fitted_values_of_every_mixture(self):
        """Higher values weigh more: the best mixture's kind is no small part of the whole."""
        cross_fitted = once().details["cross_fitted"]
        assert set(cross_fitted) == set(OWN)
        assert {len(values) for values in cross_fitted.values()} == {len(SHARES)}
        values = np.array(list(cross_fitted.values()))
        assert ((values > 0) & (values < 1)).all()
        np.testing.assert_allclose(values[:, -1], values[0, -1])

    def test_a_high_temperature_weighs_all_alike_and_a_low_one_takes_the_best_of_each_resample(self):
        hot, cold = (once(method=Auto(temperature=heat)).details["weights"] for heat in (1e9, 1e-9))
        assert hot["shared"] == pytest.approx(0.5, abs=1e-6)
        assert {round(hot[kind], 6) for kind in OWN} == {round(0.5 / 3, 6)}
        times = np.array(list(cold.values())) * 4 * Auto().resamples
        np.testing.assert_allclose(times, np.round(times), atol=1e-6)

    def test_what_is_saved_is_read_again(self, tmp_path):
        t = once()
        t.save(tmp_path / "t.json")
        back = Thresholds.load(tmp_path / "t.json")
        assert back == t
        assert (back.expected, back.details) == (t.expected, t.details)
        np.testing.assert_array_equal(back.ranges, t.ranges)
        assert back.ranges.dtype == t.ranges.dtype

    def test_the_expectation_is_said(self):
        t = once()
        assert (
            f"expect {percent(t.expected.value)}, the mean over new data ({span(*t.expected[1:])})" in t.summary()
        )

    def test_progress_is_told(self):
        steps = []
        limen.tune(*mixed()[:2], progress=lambda *step: steps.append(step[:2]))
        assert steps == [(k + 1, 11) for k in range(10)]


class TestRanges:
    def test_every_threshold_lies_within_its_range(self):
        t = once()
        assert t.ranges.shape == (2, 5)
        assert (t.ranges[0] <= t.values).all()
        assert (t.values <= t.ranges[1]).all()

    @pytest.mark.parametrize("average", ["micro", "macro"])
    def test_they_hold_the_thresholds_of_other_data(self, average):
        """In every band of positives: also labels without any, which have some in the other data."""
        prevalence = np.repeat([0.2, 0.05, 0.015, 0.004], 5)
        found = {band: [] for band in ("none", "few", "many")}
        for seed in range(6):
            problem, other = (world(number, 200, prevalence) for number in (seed, 100 + seed))
            low, high = auto(problem, average=average).ranges
            values = auto(other, average=average).values
            positives = problem.y_true.sum(axis=0)
            for band, chosen in (
                ("none", positives == 0),
                ("few", (positives > 0) & (positives < 5)),
                ("many", positives > 4),
            ):
                found[band].extend(((low <= values) & (values <= high))[chosen])
        assert {band: np.mean(held) >= 0.8 for band, held in found.items()} == dict.fromkeys(found, True)

    def test_more_items_are_known_better(self):
        few, many = (auto(world(1, n, [0.3, 0.2, 0.2]), average="macro").ranges for n in (200, 5000))
        assert np.diff(many, axis=0).mean() < 0.7 * np.diff(few, axis=0).mean()


class TestExpected:
    def test_the_interval_holds_the_value(self):
        value, low, high = once().expected
        assert low < value < high

    def test_it_is_that_of_each_item_decided_without_it(self):
        """The thresholds of each fold measured on that fold, and the counts summed."""
        problem = mixed()
        goal = objective("f1", "micro")
        source = as_source(*problem[:2])
        solution = Auto().solve(Problem(goal, (source,)))
        rows = np.sort(np.concatenate([fit.rows for fit in solution.cross_fit]))
        np.testing.assert_array_equal(rows, np.arange(400))
        for fit in solution.cross_fit:
            np.testing.assert_array_equal(fit.source.scores, problem.y_score[fit.rows])
            np.testing.assert_array_equal(fit.source.truth, problem.y_true[fit.rows])
        counts = [
            limen.evaluate(problem.y_true[fit.rows], problem.y_score[fit.rows], fit.values).counts
            for fit in solution.cross_fit
        ]
        summed = [np.sum(part, axis=0) for part in zip(*counts, strict=True)]
        assert once().expected.value == pytest.approx(goal(*summed), abs=1e-12)

    @pytest.mark.parametrize("average", ["micro", "macro"])
    def test_it_is_below_the_fitted_value_and_near_that_of_new_data(self, average):
        prevalence = np.geomspace(0.2, 0.03, 8)
        fresh = world(99, 20000, prevalence)
        rows = []
        for seed in range(8):
            t = auto(world(seed, 400, prevalence), average=average)
            rows.append([t.value, t.expected.value, on(fresh, t, average)])
        fitted, expected, true = np.mean(rows, axis=0)
        assert expected < fitted - 0.005
        assert expected == pytest.approx(true, abs=0.02)
        assert fitted > true + 0.01

    def test_no_expectation_for_another_prevalence(self):
        t = limen.tune(*mixed()[:2], target_prevalence=[0.2] * 5)
        assert t.expected is None
        assert np.isfinite(t.values).all()

    def test_no_expectation_for_a_single_item(self):
        t = auto(data([[1, 0]], [[0.7, 0.2]]))
        assert t.expected is None
        assert t.ranges is None


def excess(true_labels, n_items, offset, *, average="micro", seeds=4):
    """Mean over draws: value on new data of auto, shared, exact, and bagged cuts."""
    rows = []
    fresh = world(1000, 20000, true_labels, offset)
    for seed in range(seeds):
        problem = world(seed, n_items, true_labels, offset)
        methods = ("auto", "shared", "exact", "bagged")
        rows.append([on(fresh, tuned(problem, method=m, average=average), average) for m in methods])
    return np.mean(rows, axis=0)


@pytest.mark.parametrize("average", ["micro", "macro"])
def test_what_is_left_out_does_not_tell_of_itself(average):
    """Scores that say nothing, of labels most of which have no positive: what to expect is what is found."""
    rng, prevalence = np.random.default_rng(0), np.repeat([0.3, 0.02], [3, 40])
    fresh = data((rng.random((5000, 43)) < prevalence).astype(float), rng.normal(size=(5000, 43)))
    expected, found = [], []
    for _ in range(4):
        t = auto(
            data((rng.random((60, 43)) < prevalence).astype(float), rng.normal(size=(60, 43))), average=average
        )
        expected.append(t.details["cross_fitted"]["calibrated"][0])
        found.append(on(fresh, t, average))
    assert np.mean(expected) < np.mean(found) + 0.05


class TestNewData:
    @pytest.mark.parametrize("average", ["micro", "macro"])
    def test_close_to_the_shared_cut_where_that_is_right(self, average):
        """Calibrated scores, rare labels: one cut for all; per-label cuts chase noise."""
        prevalence = np.geomspace(0.03, 0.005, 20)
        by_auto, shared, exact, _ = excess(prevalence, 1000, 0.0, average=average)
        assert by_auto > exact + 0.01
        assert by_auto > shared - 0.012

    @pytest.mark.parametrize("average", ["micro", "macro"])
    def test_close_to_per_label_cuts_where_those_are_right(self, average):
        """Scores of every label shifted by its own amount, and positives enough to see it."""
        offset = np.random.default_rng(5).normal(0, 3, 10)
        by_auto, shared, exact, bagged = excess([0.1] * 10, 1000, offset, average=average)
        assert by_auto > shared + 0.05
        assert by_auto > max(exact, bagged) - 0.01

    def test_the_shared_cut_gets_the_weight_where_it_is_right(self):
        right = auto(world(0, 1500, np.geomspace(0.03, 0.005, 20))).details["weights"]["shared"]
        wrong = auto(world(0, 1500, [0.1] * 10, np.linspace(-4, 4, 10))).details["weights"]["shared"]
        assert right > wrong + 0.1
        assert wrong < 0.05


class TestPool:
    def with_an_empty_label(self):
        problem = world(3, 1000, [0.05, 0.03, 0.02, 0.04, 0.02, 0.003])
        y_true = problem.y_true.copy()
        y_true[:, 5] = 0
        return y_true, problem.y_score

    def test_a_label_without_positives_gets_a_cut_like_the_others(self):
        y_true, y_score = self.with_an_empty_label()
        with pytest.warns(limen.LimenWarning) as caught:
            t = limen.tune(y_true, y_score, labels=list("abcdef"))
        assert np.isfinite(t.values).all()
        assert t.values[5] == pytest.approx(np.median(t.values[:5]), abs=1.0)
        assert "f" in t.details["leaning_on_pool"]
        assert t.never == ()
        (warning,) = caught
        assert str(warning.message) == (
            "1 label without a positive item: 'f'. What the other labels have in common decides there. "
            "Add annotated items, or leave the labels out."
        )
        assert warning.filename == __file__

    @pytest.mark.parametrize("n_items", [1, 2, 50])
    def test_a_label_without_positives_that_is_alone_is_told_of(self, n_items):
        said = "1 label without a positive item: 'a'. Nothing can be learned there. Add annotated items"
        with pytest.warns(limen.LimenWarning, match=said):
            limen.tune(np.zeros((n_items, 1)), np.linspace(0.2, 0.7, n_items)[:, np.newaxis], labels=["a"])

    def test_labels_with_positives_do_not_lean_where_their_own_cuts_do_better(self):
        t = auto(bent(0, 1000, [0.2, 0.2, 0.1, 0.1, 0.1, 0.02]))
        assert t.details["weights"]["bagged"] > 0.9
        assert t.details["leaning_on_pool"] == []

    def test_min_positive_makes_labels_lean(self):
        problem = bent(0, 1000, [0.2, 0.2, 0.1, 0.1, 0.1, 0.02])
        positives = problem.y_true.sum(axis=0)
        assert auto(problem, min_positive=positives[5]).details["leaning_on_pool"] == []
        plain, some = (auto(problem, min_positive=least) for least in (0, positives[5] + 1))
        assert some.details["leaning_on_pool"] == ["5"]
        assert some.values[5] != plain.values[5]
        every = auto(problem, min_positive=1e6)
        assert every.details["leaning_on_pool"] == ["0", "1", "2", "3", "4", "5"]
        assert every.details["cross_fitted"]["bagged"] == every.details["cross_fitted"]["calibrated"]

    def test_min_positive_counts_the_positives_there_are(self):
        """A label of 20 positives that is to become frequent still has 20."""
        problem = bent(0, 1000, [0.2, 0.2, 0.1, 0.1, 0.1, 0.02])
        t = auto(problem, min_positive=50, target_prevalence=[np.nan] * 5 + [0.3])
        assert "5" in t.details["leaning_on_pool"]

    def test_min_positive_as_an_option_of_the_solver(self):
        problem = mixed()
        a, b = auto(problem, min_positive=30), tuned(problem, method=Auto(min_positive=30))
        np.testing.assert_array_equal(a.values, b.values)

    @pytest.mark.parametrize("wrong", [np.nan, -1])
    def test_min_positive_is_a_number_of_positives(self, wrong):
        with pytest.raises(limen.InputError, match=r"min_positive is .* 0 or more"):
            limen.tune(*mixed()[:2], min_positive=wrong)

    @pytest.mark.parametrize("method", ["exact", "bagged"])
    def test_min_positive_goes_with_auto(self, method):
        with pytest.raises(limen.InputError, match=f"goes with method='auto', not with '{method}'"):
            limen.tune(*mixed()[:2], method=method, min_positive=3)

    def test_curves_without_scores_lean_as_well(self):
        curves = pickle.loads(pickle.dumps(Curves.from_arrays(*mixed()[:2])))
        few, all_lean = (limen.tune(curves, min_positive=least) for least in (0, 10**6))
        assert (few.values != all_lean.values).any()
        assert all_lean.details["leaning_on_pool"] == list(curves.labels)


class TestGroups:
    def folds_of(self, sources, groups):
        solution = Auto().solve(Problem(objective("f1", "micro"), sources, groups=groups))
        return solution.cross_fit

    def test_folds_keep_groups_whole(self):
        problem = mixed()
        groups = np.random.default_rng(0).integers(0, 30, 400)
        folds = self.folds_of((as_source(*problem[:2]),), groups)
        assert len(folds) == 5
        members = [set(groups[fit.rows]) for fit in folds]
        assert sum(map(len, members)) == len(set(groups))

    def test_fewer_groups_than_folds(self):
        problem = mixed()
        t = limen.tune(*problem[:2], groups=np.arange(400) % 3)
        assert t.details["folds"] == 3
        assert t.expected.low < t.expected.value < t.expected.high

    def test_correlated_items_widen_the_interval(self):
        """Every item ten times: the interval is that of the items, and not of copies."""
        problem = world(1, 150, [0.3, 0.2, 0.1])
        rows = np.repeat(np.arange(150), 10)
        copied = problem.taken(rows)
        plain, grouped = (limen.tune(*copied[:2], groups=groups).expected for groups in (None, rows))
        assert grouped.high - grouped.low > 2 * (plain.high - plain.low)

    def test_groups_are_dealt_by_their_name(self):
        problem = mixed()
        numbers = np.arange(400) % 7
        a, b = (limen.tune(*problem[:2], groups=groups) for groups in (numbers, list(map(str, numbers))))
        np.testing.assert_array_equal(a.values, b.values)
        assert a.expected == b.expected

    def test_added_curves_do_not_divide_groups(self):
        """Parts are folds; a group with items in two parts must join them, or be refused."""
        problem = mixed()
        parts = [as_source(problem.y_true[rows], problem.y_score[rows]) for rows in (slice(200), slice(200, 400))]
        groups = np.arange(400) % 20
        try:
            folds = self.folds_of(tuple(parts), groups)
        except limen.InputError:
            return
        members = [set(groups[fit.rows]) for fit in folds]
        assert sum(map(len, members)) == len(set(groups))

    @pytest.mark.parametrize(
        ("groups", "words"),
        [
            (np.zeros(400), "groups has one group. At least two are needed to tell how results vary."),
            (np.arange(399), "groups has shape (399,). It must be (400,): the group of each item"),
            (np.zeros((400, 1)), "groups has shape (400, 1)"),
        ],
    )
    def test_refused(self, groups, words):
        with pytest.raises(limen.InputError) as caught:
            limen.tune(*mixed()[:2], groups=groups)
        assert words in str(caught.value)


class TestSameData:
    def test_the_same_seed_gives_the_same_thresholds(self):
        problem = mixed()
        a, b, c = (limen.tune(*problem[:2], random_state=seed) for seed in (3, 3, 4))
        assert a.values.tobytes() == b.values.tobytes()
        assert (a.expected, a.details) == (b.expected, b.details)
        assert (a.values != c.values).any()
        assert a.expected != c.expected

    def test_single_precision_decides_alike(self):
        problem = mixed()
        single = problem._replace(y_score=problem.y_score.astype(np.float32))
        t = limen.tune(*single[:2])
        assert t.values.dtype == np.float32
        decided = t.decide(single.y_score), once().decide(problem.y_score)
        assert (decided[0] != decided[1]).mean() < 0.005

    def test_chunks_are_the_whole(self):
        problem = mixed()
        parts = [problem.taken(slice(start, start + 90))[:2] for start in range(0, 400, 90)]
        chunked = limen.tune(Curves.from_chunks(parts))
        np.testing.assert_array_equal(chunked.values, once().values)
        assert chunked.expected == once().expected
        assert chunked.details == once().details

    def test_curves_with_their_data_are_the_arrays(self):
        t = limen.tune(Curves.from_arrays(*mixed()[:2]))
        np.testing.assert_array_equal(t.values, once().values)
        assert t.expected == once().expected

    def test_added_curves_take_their_parts_as_folds(self):
        problem = mixed()
        a, b, c = (Curves.from_arrays(*problem.taken(slice(k, None, 3))[:2]) for k in range(3))
        t = limen.tune(a + b + c)
        assert t.details["folds"] == 3
        assert t.method == "auto"
        np.testing.assert_allclose(t.values, once().values, atol=0.6)

    def test_curves_without_their_data_get_cuts_next_to_its_own(self):
        curves = pickle.loads(pickle.dumps(Curves.from_arrays(*mixed()[:2])))
        t = limen.tune(curves)
        assert (t.method, t.status, t.expected) == ("auto", "local", None)
        assert t.details["folds"] == 5
        assert tuned(mixed()).value - 0.02 < t.value <= tuned(mixed()).value
        assert t.value == limen.evaluate(*mixed()[:2], t, metric="f1").value

    def test_probabilities_and_their_logits(self):
        """Cuts halfway between scores lie elsewhere on the other scale, so decisions may differ a little."""
        problem = mixed()
        p = 1 / (1 + np.exp(-problem.y_score))
        t = limen.tune(problem.y_true, p)
        np.testing.assert_allclose(t.values, 1 / (1 + np.exp(-once().values)), atol=0.03)
        assert (t.decide(p) != once().decide(problem.y_score)).mean() < 0.005

    @pytest.mark.parametrize("average", ["micro", "macro"])
    def test_items_or_labels_in_another_order(self, average):
        """What is drawn and dealt follows from names and contents, never from places."""
        problem, rng = mixed(), np.random.default_rng(0)
        items, labels = rng.permutation(400), rng.permutation(5)
        plain = limen.tune(*problem[:2], labels=list("abcde"), average=average)
        turned = limen.tune(
            problem.y_true[items][:, labels],
            problem.y_score[items][:, labels],
            labels=list(np.array(list("abcde"))[labels]),
            average=average,
        )
        np.testing.assert_allclose(turned.values, plain.values[labels], rtol=1e-12)
        np.testing.assert_allclose(turned.ranges, plain.ranges[:, labels], rtol=1e-9)
        assert turned.expected.value == pytest.approx(plain.expected.value, abs=1e-12)

    def test_items_in_another_order_with_weights_and_with_groups(self):
        problem, rng = mixed(), np.random.default_rng(0)
        items, weight, groups = rng.permutation(400), rng.exponential(size=400), np.arange(400) // 4
        for options in ({"sample_weight": weight}, {"groups": groups}):
            plain = limen.tune(*problem[:2], **options)
            turned = {name: part[items] for name, part in options.items()}
            values = limen.tune(problem.y_true[items], problem.y_score[items], **turned).values
            np.testing.assert_allclose(values, plain.values, rtol=1e-9)

    @pytest.mark.parametrize("average", ["micro", "macro"])
    def test_twice_all_weights_are_the_same(self, average):
        weight = np.random.default_rng(0).exponential(size=400)
        a, b = (limen.tune(*mixed()[:2], sample_weight=w, average=average) for w in (weight, 2 * weight))
        np.testing.assert_array_equal(a.values, b.values)
        np.testing.assert_array_equal(a.ranges, b.ranges)

    @pytest.mark.parametrize("average", ["micro", "macro"])
    @pytest.mark.parametrize("tied", [False, True])
    def test_noise_in_the_scores_moves_no_cut(self, average, tied):
        problem, rng = mixed(), np.random.default_rng(0)
        p = 1 / (1 + np.exp(-np.maximum(problem.y_score, -6)))
        p = np.clip(np.round(p, 2), 0.01, 0.99) if tied else p
        noisy = p + 3e-8 * rng.choice([-1, 1], p.shape)
        one = p.copy()
        one[0, 0] += 3e-8
        values = limen.tune(problem.y_true, p, average=average).values
        for other in (noisy, one):
            np.testing.assert_allclose(
                limen.tune(problem.y_true, other, average=average).values, values, atol=0.005
            )

    def test_weights_of_1_are_no_weights(self):
        t = limen.tune(*mixed()[:2], sample_weight=np.ones(400))
        np.testing.assert_allclose(t.values, once().values, rtol=1e-9)
        np.testing.assert_allclose(t.expected, once().expected, rtol=1e-5)

    def test_weights_of_1_are_no_weights_where_labels_are_unknown(self):
        problem = mixed()
        y_true = np.where(np.random.default_rng(1).random((400, 5)) < 0.5, np.nan, problem.y_true)
        plain = limen.tune(y_true, problem.y_score)
        weighted = limen.tune(y_true, problem.y_score, sample_weight=np.ones(400))
        np.testing.assert_allclose(weighted.values, plain.values, rtol=1e-9)


COSTS = {"name": "cost", "fp": [1, 2, 1, 1, 3], "fn": [5, 1, 2, 20, 4]}


@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize("metric", [*METRICS, COSTS], ids=lambda m: m if isinstance(m, str) else "costs by label")
def test_every_objective(metric, average):
    t = limen.tune(*mixed(0, 150)[:2], metric=metric, average=average, method=Auto(samples=6))
    assert t.status == "local"
    assert t.upper_bound is None
    assert np.isfinite(t.values).all()
    assert t.expected.low <= t.expected.value <= t.expected.high
    assert sum(t.details["weights"].values()) == pytest.approx(1)
    assert t.value <= tuned(mixed(0, 150), metric=metric, average=average).upper_bound + 1e-12


@pytest.mark.parametrize(
    ("metric", "average", "worst"), [("f1", "macro", 0.05), ("f1", "weighted", 0.05), ("mcc", "micro", 0.05)]
)
def test_not_far_below_the_exact_value_on_the_tuning_data(metric, average, worst):
    problem = world(0, 2000, [0.2, 0.1, 0.1])
    by_auto, exact = (tuned(problem, metric=metric, average=average, method=m).value for m in ("auto", "exact"))
    assert exact - worst < by_auto <= exact


def test_costs_by_label_move_their_cuts():
    problem = world(0, 2000, [0.2, 0.2])
    values = auto(problem, metric={"name": "cost", "fp": [1, 10], "fn": [10, 1]}).values
    assert values[0] < values[1] - 2


def test_two_items_two_folds():
    t = auto(data([[1], [0]], [[0.7], [0.2]]))
    assert t.details["folds"] == 2
    assert 0.0 < t.values[0] < 1.0


SMALL = [
    ([[1]], [[0.5]]),
    ([[0]], [[0.5]]),
    ([[1], [0]], [[0.5], [0.5]]),
    ([[1], [1]], [[0.2], [0.7]]),
    ([[0], [0]], [[0.2], [0.7]]),
    ([[np.nan], [np.nan]], [[0.2], [0.7]]),
    ([[np.nan, 1], [np.nan, 0]], [[0.2, 3.0], [0.7, -2.0]]),
    ([[1, 0], [0, 0]], [[0.0, 1.0], [1.0, 0.0]]),
    ([[1, 0]] * 9, [[0.5, 0.5]] * 9),
]


@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize("case", range(len(SMALL)))
def test_the_smallest_problems(case, average):
    for metric in ("f1", "mcc", "g_mean", "accuracy"):
        t = auto(data(*SMALL[case]), metric=metric, average=average)
        assert not np.isnan(t.values).any()
        assert t.status in ("optimal", "bounded", "local")


@pytest.mark.parametrize("constant", [0.0, 0.3, 1.0, -2.0])
def test_a_constant_score_gives_all_or_nothing(constant):
    problem = data([[1], [1], [0], [1], [1], [1]], np.full((6, 1), constant))
    assert auto(problem).value == pytest.approx(10 / 11)


def test_all_positive_and_all_negative_labels():
    problem = world(0, 200, [0.3, 0.1, 0.1])
    y_true = problem.y_true.copy()
    y_true[:, 1], y_true[:, 2] = 1, 0
    t = auto(Data(y_true, problem.y_score))
    assert np.isfinite(t.values).all()
    assert t.counts.tp[1] > 150


@pytest.mark.parametrize("average", AVERAGES)
def test_sparse_scores(average):
    from scipy.sparse import csr_array

    problem = mixed()
    stored = np.where(problem.y_score > -4, 1 / (1 + np.exp(-problem.y_score)), 0)
    sparse = limen.tune(problem.y_true, csr_array(stored), average=average)
    dense = limen.tune(problem.y_true, stored, average=average)
    assert sparse.values.dtype == np.float64
    assert sparse.value == pytest.approx(dense.value, abs=0.03)
    assert sparse.expected.value == pytest.approx(dense.expected.value, abs=0.04)


@pytest.mark.parametrize("average", AVERAGES)
def test_sparse_scores_of_which_none_is_stored(average):
    from scipy.sparse import csr_array

    t = limen.tune(np.eye(6, 2), csr_array((6, 2)), average=average)
    assert not np.isnan(t.values).any()
    assert t.counts.pp.tolist() == [0, 0]


def test_weights_that_leave_folds_empty():
    weight = np.zeros(60)
    weight[:3] = 1
    problem = world(0, 60, [0.5, 0.5])
    t = auto(problem._replace(sample_weight=weight))
    assert not np.isnan(t.values).any()
    assert t.expected.low <= t.expected.value <= t.expected.high


@settings(PATIENT, max_examples=15)
@given(problems(dtypes=[np.float16, np.float32]))
def test_ties_unknown_labels_weights_and_the_ends_of_the_range(problem):
    for average in ("micro", "macro"):
        t = auto(problem, average=average)
        assert t.values.dtype == problem.y_score.dtype
        assert not np.isnan(t.values).any()
        assert t.value <= tuned(problem, average=average).value + 1e-12
        if t.expected is not None:
            assert t.expected.low <= t.expected.value <= t.expected.high


def test_weights_of_which_rounding_leaves_something():
    """Taking away a part with all of a label's weight once left some of the weight and none of its squares."""
    problem = data([[0, 0, 0], [0, 0, 1]], np.zeros((2, 3), np.float16), sample_weight=np.array([0.25, 0.75]))
    for average in ("micro", "macro"):
        assert not np.isnan(auto(problem, average=average).values).any()


def test_the_ends_of_the_range_of_double_precision():
    limits = np.finfo(np.float64)
    scores = [limits.max, limits.min, 0, 0.5, limits.max, limits.smallest_subnormal]
    problem = data([[1], [1], [0], [1], [0], [1]], np.array(scores)[:, np.newaxis])
    for average in ("micro", "macro"):
        assert not np.isnan(auto(problem, average=average).values).any()


@pytest.mark.parametrize("seed", range(15))
def test_double_precision_with_ties(seed):
    problem = random_data(seed, dtype=np.float64)
    t = auto(problem)
    assert not np.isnan(t.values).any()
    assert t.value <= tuned(problem).value + 1e-12


def test_inputs_are_left_alone():
    problem = mixed()
    groups = np.arange(400) % 9
    target = np.full(5, 0.1)
    for array in (groups, target):
        array.setflags(write=False)
    before = [part.copy() for part in (problem.y_true, problem.y_score, groups, target)]
    limen.tune(*problem[:2], groups=groups, target_prevalence=target)
    for part, copy in zip((problem.y_true, problem.y_score, groups, target), before, strict=True):
        np.testing.assert_array_equal(part, copy)


def test_no_warning_where_every_label_has_a_positive():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        limen.tune(*world(0, 100, [0.3, 0.3])[:2])
