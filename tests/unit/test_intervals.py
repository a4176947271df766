"""The bootstrap: its weights, its values against repeated items, and what is compared over it."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

import limen
from limen import intervals
from limen.errors import InputError
from limen.folds import as_groups
from limen.intervals import SAMPLES, Bootstrap, Interval, Part, measure, percentiles, values_of
from limen.objectives import objective
from limen.solvers import Solution
from limen.sources.chunks import as_chunk_source
from limen.sources.door import as_source
from strategies import AVERAGES, Data, data, random_data, smooth_data, tuned

CUTS = np.array([0.3, 0.5, 0.6])
_kinds_or_none = intervals._kinds


def weights_of(bootstrap):
    """All weights, (samples, n_units)."""
    return bootstrap.weights(np.arange(bootstrap.n_units)).T


def values_seen(bootstrap, parts, goal):
    """The objective of each resample of the items alone."""
    return values_of(goal, bootstrap.seen(parts, goal.pooled))


class TestWeights:
    def test_mean_and_variance_are_about_1(self):
        weights = weights_of(Bootstrap.over(400, None, 0))
        assert weights.shape == (SAMPLES, 400)
        assert weights.mean() == pytest.approx(1, abs=0.01)
        assert weights.var() == pytest.approx(1, abs=0.015)

    def test_they_are_poisson(self):
        """Shares of 0, 1, 2, ... are exp(-1) / k!."""
        weights = weights_of(Bootstrap.over(1000, None, 1))
        share, factorial = np.exp(-1), 1
        for k in range(6):
            factorial *= max(k, 1)
            assert (weights == k).mean() == pytest.approx(share / factorial, abs=0.002)
        assert weights.max() < 13
        np.testing.assert_array_equal(weights, np.round(weights))

    def test_items_and_samples_are_independent(self):
        weights = weights_of(Bootstrap.over(60, None, 0))
        between_items = np.corrcoef(weights.T) - np.eye(60)
        between_samples = np.corrcoef(weights[:100]) - np.eye(100)
        assert np.abs(between_items).mean() < 0.04
        assert np.abs(between_samples).mean() < 0.13

    def test_units_are_items_or_groups(self):
        groups = np.random.default_rng(0).integers(0, 9, 50)
        assert Bootstrap.over(50, groups, 0).n_units == 9
        assert Bootstrap.over(50, None, 0).n_units == 50

    def test_the_seed_decides(self):
        a, b, c = (weights_of(Bootstrap.over(30, None, seed, samples=20)) for seed in (5, 5, 6))
        np.testing.assert_array_equal(a, b)
        assert (a != c).any()

    @pytest.mark.parametrize("held", [0, 1 << 30])
    def test_a_unit_weighs_the_same_whatever_it_is_asked_with(self, monkeypatch, held):
        everything = weights_of(Bootstrap.over(3000, None, 0, samples=20))
        monkeypatch.setattr(intervals, "HELD", held)
        for units in ([2999, 0, 1024, 1023, 0], [7]):
            some = Bootstrap.over(3000, None, 0, samples=20).weights(np.array(units, np.int64))
            np.testing.assert_array_equal(some, everything[:, units].T)

    def test_of_many_units_fewer_samples_and_no_more_memory(self, monkeypatch):
        monkeypatch.setattr(intervals, "HELD", 1 << 12)
        monkeypatch.setattr(intervals, "DRAWS", 1 << 20)
        bootstrap = Bootstrap.over(4000, None, 0)
        assert bootstrap.samples == 262
        bootstrap.weights(np.arange(10))
        assert "_all" not in vars(bootstrap)
        assert Bootstrap.over(1 << 30, None, 0).samples == intervals.FEWEST


def by_repeating(problem, rows, weights, unit, thresholds, goal):
    """The objective of each resample, its items written out as often as they were drawn."""
    values, of_labels = [], []
    for weight in weights:
        repeated = np.repeat(rows, weight[unit[rows]].astype(int))
        part = problem.taken(repeated)
        measured = (
            limen.evaluate(part.y_true, part.y_score, thresholds, sample_weight=part.sample_weight).counts
            if len(repeated)
            else None
        )
        values.append(goal(*measured))
        of_labels.append(goal.of_labels(*measured))
    return np.array(values), np.array(of_labels)


class TestValues:
    @pytest.mark.parametrize(("metric", "average"), [*itertools.product(["f1", "mcc", "g_mean"], AVERAGES)])
    @pytest.mark.parametrize("grouped", [False, True])
    def test_they_are_those_of_repeated_items(self, metric, average, grouped):
        problem = smooth_data(0, n_items=25)
        unit = np.arange(25) % 6 if grouped else np.arange(25)
        bootstrap = Bootstrap.over(25, unit if grouped else None, 0, samples=25)
        goal = objective(metric, average)
        part = Part(as_source(*problem[:2]), np.arange(25), CUTS, ">=")
        values, of_labels = by_repeating(problem, np.arange(25), weights_of(bootstrap), unit, CUTS, goal)
        np.testing.assert_allclose(values_seen(bootstrap, [part], goal), values, rtol=1e-6)
        found = goal.of_labels(*bootstrap.seen([part], pooled=False))
        np.testing.assert_allclose(found, of_labels, rtol=1e-6, atol=1e-9)

    @pytest.mark.parametrize("seed", range(12))
    def test_unknown_labels_and_weights(self, seed):
        problem = random_data(seed, n_items=30, n_labels=3)
        bootstrap = Bootstrap.over(30, None, seed, samples=10)
        source = as_source(*problem[:2], sample_weight=problem.sample_weight)
        part = Part(source, np.arange(30), CUTS.astype(problem.y_score.dtype), ">=")
        weight = np.ones(30) if problem.sample_weight is None else problem.sample_weight
        known, true = ~np.isnan(problem.y_true), problem.y_true == 1
        kept = problem.y_score >= part.values
        for average in AVERAGES:
            goal = objective("f1", average)
            wanted = []
            for drawn in weights_of(bootstrap):
                w = (drawn * weight)[:, np.newaxis]
                wanted.append(goal(*((w * flag).sum(axis=0) for flag in (kept & true, kept & known, true, known))))
            np.testing.assert_allclose(values_seen(bootstrap, [part], goal), wanted, rtol=1e-5, atol=1e-7)

    def test_parts_are_summed_before_the_metric(self):
        """Two folds with thresholds of their own: each item by those of its part."""
        problem = smooth_data(1, n_items=40)
        rows = np.random.default_rng(0).permutation(40)
        folds = [np.sort(rows[:15]), np.sort(rows[15:])]
        cuts = [CUTS, CUTS[::-1].copy()]
        source = as_source(*problem[:2])
        parts = [Part(source.take(fold), fold, cut, ">=") for fold, cut in zip(folds, cuts, strict=True)]
        bootstrap = Bootstrap.over(40, None, 0, samples=15)
        values_of = np.empty((40, 3))
        for fold, cut in zip(folds, cuts, strict=True):
            values_of[fold] = cut
        kept, true = problem.y_score >= values_of, problem.y_true == 1
        for average in AVERAGES:
            goal = objective("f1", average)
            wanted = [
                goal(*((w[:, np.newaxis] * flag).sum(axis=0) for flag in (kept & true, kept, true, kept | ~kept)))
                for w in weights_of(bootstrap)
            ]
            np.testing.assert_allclose(values_seen(bootstrap, parts, goal), wanted, rtol=1e-6)

    @pytest.mark.parametrize("rule", ["mcut", "top-k:2"])
    def test_rules_by_item(self, rule):
        from limen.decisions import decide_rows

        problem = smooth_data(2, n_items=30)
        lowest = np.full(3, np.finfo(float).min)
        bootstrap = Bootstrap.over(30, None, 0, samples=10)
        part = Part(as_source(*problem[:2]), np.arange(30), lowest, rule)
        kept, true = decide_rows(problem.y_score, lowest, rule), problem.y_true == 1
        wanted = [2 * (w @ (kept & true)).sum() / (w @ kept + w @ true).sum() for w in weights_of(bootstrap)]
        np.testing.assert_allclose(values_seen(bootstrap, [part], objective("f1", "micro")), wanted, rtol=1e-6)

    def test_sparse_scores_and_chunks(self):
        from scipy.sparse import csr_array

        problem = smooth_data(3, n_items=30)
        stored = np.where(problem.y_score > 0.3, problem.y_score, 0)
        goal = objective("f1", "macro")
        bootstrap = Bootstrap.over(30, None, 0, samples=10)
        chunks = [(problem.y_true[k : k + 7], stored[k : k + 7]) for k in range(0, 30, 7)]
        sources = [
            as_source(problem.y_true, stored),
            as_source(problem.y_true, csr_array(stored)),
            as_chunk_source(chunks),
        ]
        dense, sparse, chunked = (
            bootstrap.values([Part(source, np.arange(30), CUTS + 0.05, ">=")], goal) for source in sources
        )
        np.testing.assert_allclose(sparse, dense, rtol=1e-12)
        np.testing.assert_allclose(chunked, dense, rtol=1e-12)

    def test_several_blocks(self, monkeypatch):
        problem = smooth_data(4, n_items=50)
        goal = objective("f1", "micro")
        bootstrap = Bootstrap.over(50, None, 0, samples=10)
        part = Part(as_source(*problem[:2]), np.arange(50), CUTS, ">=")
        whole = bootstrap.values([part], goal)
        monkeypatch.setattr("limen.sources.blocks.BLOCK_ELEMENTS", 24)
        np.testing.assert_allclose(bootstrap.values([part], goal), whole, rtol=1e-6)


class TestMeasure:
    def test_the_value_is_counted_and_not_resampled(self):
        problem = smooth_data(0)
        part = Part(as_source(*problem[:2]), np.arange(60), CUTS, ">=")
        for average in AVERAGES:
            interval = measure([part], objective("f1", average), 60, None, 0)
            assert interval.value == limen.evaluate(*problem[:2], CUTS, average=average).value
            assert interval.low < interval.value < interval.high

    def test_nothing_varies_in_a_single_item(self):
        part = Part(as_source([[1, 0, 0]], [[0.5, 0.5, 0.5]]), np.arange(1), CUTS, ">=")
        assert measure([part], objective("f1"), 1, None, 0) is None

    def test_it_is_that_of_evaluate(self):
        problem = smooth_data(0)
        groups = np.arange(60) % 13
        part = Part(as_source(*problem[:2]), np.arange(60), CUTS, ">=")
        for unit in (None, groups):
            measured = limen.evaluate(*problem[:2], CUTS, groups=unit, random_state=3)
            assert measured.interval == measure([part], objective("f1"), 60, unit, 3)[1:]

    @pytest.mark.parametrize("average", ["micro", "macro"])
    @pytest.mark.parametrize("n_labels", [1, 3])
    @pytest.mark.parametrize("kind", ["items", "groups", "weighted", "unknown", "two parts"])
    def test_units_that_count_alike_vary_as_if_drawn_one_by_one(self, monkeypatch, average, n_labels, kind):
        rng = np.random.default_rng(5)
        truth = (rng.random((600, n_labels)) < 0.3).astype(float)
        scores = rng.normal(0.4, 0.2, (600, n_labels)) + 0.2 * truth
        if kind == "unknown":
            truth[rng.random(truth.shape) < 0.2] = np.nan
        weight = rng.random(600) * 2 if kind == "weighted" else None
        groups = np.arange(600) // 4 if kind == "groups" else None
        source, rows = as_source(truth, scores, sample_weight=weight), np.arange(600)
        parts = [Part(source, rows, CUTS[:n_labels], ">=")]
        if kind == "two parts":
            parts = [
                Part(source.take(half), half, CUTS[:n_labels] + shift, ">=")
                for half, shift in ((rows[::2], 0), (rows[1::2], 0.1))
            ]
        monkeypatch.setattr(intervals, "_kinds", lambda of_unit: None)
        one_by_one = measure(parts, objective("f1", average), 600, groups, 0)
        monkeypatch.setattr(intervals, "_kinds", _kinds_or_none)
        together = measure(parts, objective("f1", average), 600, groups, 0)
        assert together.value == one_by_one.value
        width = one_by_one.high - one_by_one.low
        assert together.low == pytest.approx(one_by_one.low, abs=0.15 * width)
        assert together.high == pytest.approx(one_by_one.high, abs=0.15 * width)


class TestUnseen:
    """Nothing measured on few units is certain, and what is known well stays as it is."""

    @pytest.mark.parametrize("n_items", [2, 5, 20, 100, 1000])
    @pytest.mark.parametrize("right", [False, True])
    @pytest.mark.parametrize("metric", ["f1", "recall", "precision", "accuracy", "jaccard"])
    def test_the_rule_of_three(self, n_items, right, metric):
        """Where none of n units erred, about 3 / n may (2.5 to 3.7 by the tail), and 1 - 3 / n where all did."""
        y_true = np.ones((n_items, 1), int)
        measured = limen.evaluate(y_true if right else 1 - y_true, np.ones((n_items, 1)), 0.5, metric=metric)
        low, high = measured.interval
        off = 1 - low if right else high
        assert (low if right else high) not in (0, 1)
        if metric == "f1":  # of a pair a wrong one counts half
            off = 2 * off / (1 + off) if right else off / (2 - off)
        most = 6.2 if metric == "accuracy" and not right else 4.2  # two ways to be right
        if right or metric != "recall":  # without positives recall is unknown
            assert 1.5 / (n_items + 2) < off < most / (n_items + 2) * (1 + 2 / n_items)

    @pytest.mark.parametrize("average", [*AVERAGES, "none"])
    @pytest.mark.parametrize("n_items", [2, 3, 50])
    @pytest.mark.parametrize("right", [False, True])
    def test_no_interval_is_a_point(self, average, n_items, right):
        y_true = np.random.default_rng(0).random((n_items, 3)) < 0.6
        y_true[:2] = [[1, 0, 1], [0, 1, 1]]
        measured = limen.evaluate(y_true == right, y_true * 1.0, 0.5, average=average)
        low, high = measured.interval
        assert (low < high).all() if average == "none" else low < high
        assert (low <= measured.value).all() if average == "none" else low <= measured.value <= high

    @pytest.mark.parametrize("average", AVERAGES)
    def test_little_where_much_is_seen(self, average):
        problem = smooth_data(0, n_items=2000)
        part = [Part(as_source(*problem[:2]), np.arange(2000), CUTS, ">=")]
        goal, bootstrap = objective("f1", average), Bootstrap.over(2000, None, 0)
        items, more = values_seen(bootstrap, part, goal), bootstrap.values(part, goal)
        assert more.mean() == pytest.approx(items.mean(), abs=0.1 * items.std())
        assert more.std() == pytest.approx(items.std(), rel=0.05)

    def test_of_a_group_all_items_may_be_wrong(self):
        """Copies tell nothing: items in groups of k leave as much unknown as one item of each group."""
        y = np.ones((5, 1), int)
        low, _ = limen.evaluate(y, y * 0.9, 0.5).interval
        copies = np.ones((50, 1), int)
        of_groups, _ = limen.evaluate(copies, copies * 0.9, 0.5, groups=np.arange(50) // 10).interval
        of_items, _ = limen.evaluate(copies, copies * 0.9, 0.5).interval
        assert of_groups == pytest.approx(low, abs=0.02)
        assert of_items > low + 0.2

    def test_equal_decisions_by_other_thresholds_may_differ_on_new_items(self):
        y = np.ones((30, 1), int)
        same = limen.evaluate(y, y * 0.9, 0.5, baseline=0.5).difference
        alike = limen.evaluate(y, y * 0.9, 0.5, baseline=0.4).difference
        assert same == Interval(0.0, 0.0, 0.0)
        assert alike.value == 0
        assert -0.15 < alike.low < -0.01 < 0.01 < alike.high < 0.15

    def test_weights_of_any_size(self):
        problem = smooth_data(0)
        weight = np.random.default_rng(0).random(60) + 0.1
        found = [
            measure(
                [Part(as_source(*problem[:2], sample_weight=weight * unit), np.arange(60), CUTS, ">=")],
                objective("f1", average),
                60,
                None,
                0,
            )
            for average in AVERAGES
            for unit in (1.0, 2.0**150)
        ]
        for one, other in zip(found[::2], found[1::2], strict=True):
            assert other == pytest.approx(one, rel=1e-6)


class TestPercentiles:
    def test_they_hold_95_percent(self):
        rng = np.random.default_rng(0)
        resampled = 0.5 + 0.05 * rng.normal(size=20000)
        low, high = percentiles(resampled, 0.5)
        assert ((resampled >= low) & (resampled <= high)).mean() == pytest.approx(0.95, abs=0.005)

    @pytest.mark.parametrize(
        ("resampled", "value"),
        [
            ([1.0] * 994 + [0.0] * 6, 1.0),
            ([0.0] * 994 + [1.0] * 6, 0.0),
            ([0.2] * 10, 0.2),
            ([0.1, 0.1, 0.1, 0.9], 0.1),
            ([0.9, 0.9, 0.9, 0.1], 0.9),
        ],
    )
    def test_the_value_lies_within(self, resampled, value):
        low, high = percentiles(np.array(resampled), value, centre=True)
        assert low <= value <= high
        assert min(*resampled, value) <= low
        assert high <= max(*resampled, value)

    def test_where_the_resamples_are_biased_they_are_moved_on_request(self):
        resampled = np.random.default_rng(0).normal(0.5, 0.01, 5000)
        assert percentiles(resampled, 0.51, centre=True) == pytest.approx((0.4904, 0.5296), abs=1e-3)
        assert percentiles(resampled, 0.51) == pytest.approx((0.4804, 0.5196), abs=1e-3)
        assert percentiles(resampled, 0.6)[1] == 0.6

    def test_one_for_each_label(self):
        resampled = np.random.default_rng(0).random((500, 4))
        low, high = percentiles(resampled, resampled.mean(axis=0))
        assert low.shape == high.shape == (4,)
        for k in range(4):
            assert (low[k], high[k]) == percentiles(resampled[:, k], resampled[:, k].mean())


class TestGroups:
    def test_numbers_from_0(self):
        np.testing.assert_array_equal(as_groups(["b", "a", "b", "c"], 4), [1, 0, 1, 2])
        np.testing.assert_array_equal(as_groups(np.array([7, -1, 7]), 3), [1, 0, 1])
        assert as_groups(["a", "b"], 2).dtype == np.int64
        assert as_groups(None, 5) is None

    @pytest.mark.parametrize(
        ("groups", "words"),
        [
            ([0, 1], "groups has shape (2,). It must be (3,): the group of each item, such as its recording."),
            ([[0], [1], [2]], "groups has shape (3, 1)"),
            ("abc", "groups has shape ()"),
            ([1, 1, 1], "groups has one group. At least two are needed to tell how results vary."),
        ],
    )
    def test_refused(self, groups, words):
        with pytest.raises(InputError) as caught:
            as_groups(groups, 3)
        assert words in str(caught.value)

    @pytest.mark.parametrize("groups", [[None, "a", "b"], ["a", 1, None]])
    def test_what_has_no_order_is_refused_in_words(self, groups):
        with pytest.raises(InputError, match="groups"):
            as_groups(np.array(groups, object), 3)

    @pytest.mark.parametrize(
        "call",
        [
            lambda y, s, g: limen.evaluate(y, s, 0.5, groups=g),
            lambda y, s, g: limen.compare(y, s, methods=["exact"], cv=2, groups=g),
            lambda y, s, g: limen.tune(y, s, groups=g),
        ],
        ids=["evaluate", "compare", "tune"],
    )
    def test_every_call_checks_them(self, call):
        problem = smooth_data(0, n_items=20)
        with pytest.raises(InputError, match="groups has one group"):
            call(*problem[:2], np.zeros(20))
        with pytest.raises(InputError, match=r"It must be \(20,\)"):
            call(*problem[:2], np.zeros(19))


class TestEvaluated:
    def test_one_interval_for_each_label(self):
        problem = smooth_data(0, n_items=200)
        measured = limen.evaluate(*problem[:2], CUTS, average="none", baseline=0.5)
        low, high = measured.interval
        assert low.shape == high.shape == (3,)
        assert ((low < measured.value) & (measured.value < high)).all()
        assert measured.difference is None
        for k in range(3):
            alone = limen.evaluate(problem.y_true[:, [k]], problem.y_score[:, [k]], CUTS[k])
            assert alone.interval == pytest.approx((low[k], high[k]), abs=0.02)

    def test_no_interval_for_a_single_item(self):
        measured = limen.evaluate([[1, 0]], [[0.7, 0.2]], 0.5, baseline=0.4)
        assert (measured.interval, measured.difference) == (None, None)

    def test_no_difference_to_itself(self):
        problem = smooth_data(0)
        measured = limen.evaluate(*problem[:2], CUTS, baseline=CUTS)
        assert measured.difference == Interval(0.0, 0.0, 0.0)

    def test_differences_are_paired(self):
        """Of two thresholds that differ for few items, the difference is known better than either value."""
        problem = smooth_data(0, n_items=300)
        measured = limen.evaluate(*problem[:2], CUTS, baseline=CUTS + 0.01)
        value, low, high = measured.difference
        assert low <= value <= high
        assert high - low < 0.6 * (measured.interval[1] - measured.interval[0])
        turned = limen.evaluate(*problem[:2], CUTS + 0.01, baseline=CUTS)
        assert turned.difference == pytest.approx((-value, -high, -low), abs=1e-12)

    def test_differences_are_those_of_the_same_resamples(self):
        problem = smooth_data(0)
        source = as_source(*problem[:2])
        bootstrap = Bootstrap.over(60, None, 4)
        a, b = (Part(source, np.arange(60), cuts, ">=") for cuts in (CUTS, CUTS + 0.2))
        gap = bootstrap.values([a], objective("f1")) - bootstrap.values([b], objective("f1"))
        measured = limen.evaluate(*problem[:2], CUTS, baseline=CUTS + 0.2, random_state=4)
        value = measured.value - limen.evaluate(*problem[:2], CUTS + 0.2).value
        assert measured.difference == pytest.approx((value, *percentiles(gap, value)), abs=1e-12)

    def test_groups_of_one_are_items(self):
        problem = smooth_data(0)
        names = [f"item {k:02}" for k in range(60)]
        a, b = (limen.evaluate(*problem[:2], CUTS, groups=groups).interval for groups in (None, names))
        assert a == b

    def test_copies_of_items_are_no_news(self):
        problem = smooth_data(0)
        rows = np.repeat(np.arange(60), 4)
        once = limen.evaluate(*problem[:2], CUTS).interval
        copied = limen.evaluate(*problem.taken(rows)[:2], CUTS, groups=rows).interval
        assert copied == pytest.approx(once, abs=1e-6)

    @pytest.mark.parametrize("unit", [2.0**-200, 2.0**200])
    def test_the_unit_of_weights_does_not_matter(self, unit):
        """Powers of 2, so that not one bit of the shares changes."""
        problem = smooth_data(0)
        weight = 1.0 + np.arange(60) % 3
        measured, scaled = (limen.evaluate(*problem[:2], CUTS, sample_weight=weight * u) for u in (1.0, unit))
        assert scaled.value == measured.value
        assert scaled.interval == pytest.approx(measured.interval, rel=1e-6)

    def test_the_seed_decides(self):
        problem = smooth_data(0)
        a, b, c = (limen.evaluate(*problem[:2], CUTS, random_state=seed).interval for seed in (0, 0, 1))
        assert a == b != c

    def test_all_samples_are_used(self, monkeypatch):
        """`SAMPLES` is the default, so that fewer can be asked for."""
        assert weights_of(Bootstrap.over(5, None, 0, samples=3)).shape == (3, 5)
        assert intervals.SAMPLES == 1000


class Spy:
    """A solver that remembers the scores and the groups it was tuned on."""

    name, needs, serves = "spy", "scores", ("separable", "linear-ratio", "quasi-convex", "counts")

    def __init__(self, cut=0.5):
        self.seen, self.cut = [], cut

    def solve(self, problem):
        (block,) = problem.blocks()
        self.seen.append((block.scores[:, 0].astype(int), problem.groups))
        return Solution(values=np.full(len(problem.labels), self.cut))


def numbered(n_items):
    y_score = np.column_stack([np.arange(n_items, dtype=float), np.ones(n_items)])
    return np.tile([[1, 0], [0, 1]], (n_items, 1))[:n_items], y_score


class TestCompared:
    def test_folds_keep_groups_whole(self):
        spy = Spy()
        groups = np.array(list("abcdefgh"))[np.random.default_rng(0).integers(0, 8, 50)]
        limen.compare(*numbered(50), methods=[spy], cv=4, groups=groups, repeats=3)
        assert len(spy.seen) == 12
        for rows, inner in spy.seen:
            inside = set(groups[rows])
            outside = set(groups[np.setdiff1d(np.arange(50), rows)])
            assert not inside & outside
            assert len(set(inner)) == len(inside)
            np.testing.assert_array_equal(np.unique(groups[rows], return_inverse=True)[1],
                                          np.unique(inner, return_inverse=True)[1])  # fmt: skip

    def test_repeats_draw_folds_anew(self):
        spy = Spy()
        limen.compare(*numbered(20), methods=[spy], cv=2, repeats=3)
        parts = [tuple(rows) for rows, _ in spy.seen]
        assert len(parts) == len(set(parts)) == 6
        for k in range(3):
            assert sorted(parts[2 * k] + parts[2 * k + 1]) == list(range(20))

    def test_repeats_are_averaged(self):
        """The first repeat is that of one alone; values are means over repeats."""
        problem = smooth_data(0)
        options = {"methods": ["exact", "shared"], "cv": 3}
        several = limen.compare(*problem[:2], repeats=3, **options)
        for method in ("exact", "shared"):
            values = []
            for repeat in range(3):
                one = limen.compare(*problem[:2], random_state=repeat, **options)
                values.append(one[method].held_out)
            assert several[method].held_out == pytest.approx(np.mean(values), abs=1e-12)
        assert several.design == "3 folds of 60 items, drawn 3 times: each tuned on the others"

    def test_ranks_are_means_over_folds_and_ties_share(self):
        """Two methods that always tie, and one that is always worse: 1.5, 1.5, 3."""
        problem = smooth_data(0)
        methods = {"a": "fixed:0.5", "b": "fixed:0.5", "worse": "fixed:0.999999"}
        compared = limen.compare(*problem[:2], methods=methods, cv=3, repeats=2)
        assert [compared[name].rank for name in methods] == [1.5, 1.5, 3.0]

    def test_ranks_by_hand(self):
        problem = smooth_data(3)
        methods = ["exact", "shared", "fixed:0.5"]
        rows = np.arange(60)
        pairs = [(np.setdiff1d(rows, rows[k::3]), rows[k::3]) for k in range(3)]
        compared = limen.compare(*problem[:2], methods=methods, cv=pairs)
        ranks = []
        for tune, measured in pairs:
            part = problem.taken(measured)
            values = np.array(
                [limen.evaluate(*part[:2], tuned(problem.taken(tune), method=method)).value for method in methods]
            )
            ranks.append([(values > v).sum() + ((values == v).sum() + 1) / 2 for v in values])
        assert [compared[m].rank for m in methods] == pytest.approx(np.mean(ranks, axis=0).tolist())
        assert sum(compared[m].rank for m in methods) == pytest.approx(6)

    def test_the_best_is_no_better_than_itself(self):
        compared = limen.compare(*smooth_data(0)[:2], methods=["exact", "shared", "fixed:0.5"], cv=3)
        best = compared.rows[0]
        assert best.difference == Interval(0.0, 0.0, 0.0)
        for row in compared.rows[1:]:
            assert row.difference.value == pytest.approx(row.held_out - best.held_out)
            assert row.difference.value <= 0
            assert row.difference.low <= row.difference.value <= row.difference.high

    def test_intervals_hold_the_value(self):
        compared = limen.compare(*smooth_data(0)[:2], methods=["exact", "shared"], cv=3, repeats=2)
        for row in compared.rows:
            assert row.low < row.held_out < row.high

    def test_a_fixed_threshold_has_the_interval_of_evaluate(self):
        """Nothing is tuned, so folds do not matter; also in groups."""
        problem = smooth_data(0)
        for groups in (None, np.arange(60) // 3):
            row = limen.compare(*problem[:2], methods=["fixed:0.5"], cv=4, groups=groups, random_state=2).rows[0]
            measured = limen.evaluate(*problem[:2], 0.5, groups=groups, random_state=2)
            assert row.held_out == measured.value
            assert (row.low, row.high) == pytest.approx(measured.interval, abs=1e-6)

    def test_threads_change_nothing(self):
        problem = smooth_data(0)
        options = {"methods": ["exact", "bagged", "auto", "shared"], "cv": 3}
        one, two = (limen.compare(*problem[:2], n_jobs=n, **options) for n in (1, 2))
        untimed = [[dataclasses.replace(row, seconds=0.0) for row in part.rows] for part in (one, two)]
        assert untimed[0] == untimed[1]

    def test_chunked_labels_that_are_unknown_in_a_fold(self):
        """A fold in which nothing is known adds nothing, and stops nothing."""
        problem = smooth_data(0, n_items=20)
        y_true = problem.y_true.copy()
        y_true[:10] = np.nan
        compared = limen.compare(
            Data(y_true, problem.y_score).y_true,
            problem.y_score,
            methods=["exact", "auto"],
            cv=[(np.arange(10, 20), np.arange(10))],
        )
        assert all(row.held_out == 0.0 for row in compared.rows)

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"repeats": 0}, "repeats=0 is not usable. It must be at least 1."),
            ({"cv": [([0], [1])], "repeats": 2}, "repeats draws folds anew, and cv gives the splits."),
            ({"cv": 4, "groups": [0, 1, 2] * 2}, "cv=4 folds of 3 groups. Use 2 to 3 folds."),
            (
                {"cv": [([0, 1], [2, 3])], "groups": [0, 1, 1, 2, 3, 4]},
                "cv has items of the same group in both parts of a pair. Keep groups whole.",
            ),
        ],
    )
    def test_refused(self, options, words):
        with pytest.raises(InputError) as caught:
            limen.compare(*smooth_data(0, n_items=6)[:2], methods=["exact"], **{"cv": 2, **options})
        assert words in str(caught.value)


def test_inputs_are_left_alone():
    problem = data(*smooth_data(0, n_items=20)[:2])
    groups = np.arange(20) // 2
    groups.setflags(write=False)
    limen.evaluate(*problem[:2], CUTS, groups=groups, baseline=0.5)
    limen.compare(*problem[:2], methods=["auto"], cv=2, groups=groups)
    np.testing.assert_array_equal(groups, np.arange(20) // 2)
