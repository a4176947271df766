"""Averages over items wherever limen measures, saves or says something."""

from re import escape

import numpy as np
import pytest

import limen
from limen.data import as_data
from limen.errors import UnsupportedError
from limen.intervals import Bootstrap, Part
from limen.learning_curve import learning_curve
from limen.objectives import Objective, objective
from limen.scales import scale_of
from limen.solvers import Auto, SurrogateGradient
from limen.solvers.base import Problem
from limen.solvers.item_surrogate import Items
from limen.solvers.item_table import ItemTable, along_path
from limen.solvers.surrogate import SURROGATES
from oracle import items
from strategies import data, random_data, smooth_data, tuned

METRICS = ("f1", "jaccard", "precision", "subset_accuracy", "segment_error_rate")


def several(seed, n_items=150, n_labels=4):
    rng = np.random.default_rng(seed)
    y_true = (rng.random((n_items, n_labels)) < [0.5, 0.3, 0.2, 0.1][:n_labels]).astype(int)
    return data(y_true, 1 / (1 + np.exp(-rng.normal(1.6 * y_true - 1, 1))))


class TestObjective:
    def test_words(self):
        assert str(objective("f1", "samples")) == "samples F1"
        assert objective("f1", "samples").said(0.5) == "samples F1 50.0 %"
        assert str(objective("subset_accuracy")) == "subset accuracy"
        assert objective("segment_error_rate").said(-0.25) == "segment error rate 0.250"
        assert objective("segment_error_rate").noun == "segment error rate"

    def test_whole_items_have_one_average(self):
        assert objective("subset_accuracy", "micro") == objective("subset_accuracy", "samples")
        assert objective("subset_accuracy").average == "samples"
        assert objective("f1", "micro") != objective("f1", "samples")

    def test_structure(self):
        assert (objective("f1", "samples").structure, objective("f1", "samples").needs_items) == ("items", True)
        assert not objective("f1", "samples").pooled
        assert not objective("f1", "micro").needs_items


class TestTable:
    @pytest.mark.parametrize("metric", METRICS)
    def test_the_kernel_values_are_the_metrics(self, metric):
        """The compiled formulas against limen's, at all counts."""
        for seed in range(30):
            problem = random_data(seed, n_labels=3)
            zero = (0.0, 0.5, 1.0)[seed % 3]
            goal = objective(metric, "samples", zero)
            whole = Problem.of(goal, as_data(problem.y_true, problem.y_score, sample_weight=problem.sample_weight))
            table = ItemTable.of(goal, whole.sources, whole.curves.candidates)
            rng = np.random.default_rng(seed)
            index = rng.integers(whole.curves.offsets[:-1], whole.curves.offsets[1:])
            decided = items.decided(problem.y_score, whole.curves.candidates.cuts[index].tolist())
            known = items.value(metric, problem.y_true, decided, problem.sample_weight, zero)
            assert table.value(index) == pytest.approx(float(known), abs=1e-12)

    def test_one_pass_or_two(self):
        problem = several(0)
        whole = Problem.of(objective("f1", "samples"), as_data(*problem[:2]))
        one, two = (
            ItemTable.of(whole.objective, whole.sources, whole.curves.candidates, curves)
            for curves in (whole.curves, None)
        )
        np.testing.assert_array_equal(one.flips.starts, two.flips.starts)
        np.testing.assert_array_equal(one.flips.items, two.flips.items)

    @pytest.mark.parametrize("metric", METRICS)
    def test_along_a_path(self, metric):
        problem = several(1, 40)
        path = np.repeat(np.array([np.inf, 0.9, 0.5, 0.2, 0.0])[:, np.newaxis], 4, axis=1)
        source = as_data(*problem[:2]).source
        found = along_path(objective(metric, "samples"), (source,), path)
        for step, thresholds in enumerate(path):
            known = items.value(metric, problem.y_true, items.decided(problem.y_score, thresholds.tolist()))
            assert found[step] == pytest.approx(float(known), abs=1e-12)

    def test_items_of_weight_0_are_not_there(self):
        problem = several(2)
        weight = np.random.default_rng(0).integers(0, 2, len(problem.y_true)).astype(float)
        all_, some = (
            limen.tune(*part, average="samples", method="ascent")
            for part in (problem[:2], problem.taken(weight > 0)[:2])
        )
        weighed = limen.tune(*problem[:2], sample_weight=weight, average="samples", method="ascent")
        assert weighed.value == pytest.approx(some.value, abs=1e-12)
        assert weighed.value != all_.value


class TestSurrogate:
    @pytest.mark.parametrize("metric", ["f1", "jaccard", "segment_error_rate"])
    def test_the_gradient_is_that_of_soft_steps(self, metric):
        """With decisions by a wide sigmoid, sums of item values change by what the surrogate says of each pair."""
        problem = smooth_data(0, 25)
        whole = Problem.of(objective(metric, "samples"), as_data(*problem[:2]))
        table = Items.of(whole, scale_of("probability", whole.sources, whole.kind))
        t, slope = np.full(3, 0.45), np.full(3, 8.0)
        by_t, _ = table.gradient(t, slope, SURROGATES["sigmoid"])
        known = np.zeros(3)
        true = problem.y_true == 1
        counts = table.counts(problem.y_score >= t)
        by_tp, by_pp = whole.objective.metric.gradient(*counts, 0.0)
        below = whole.objective.of_items(*counts)[1].sum()
        for i in range(25):
            for k in range(3):
                soft = 1 / (1 + np.exp(-slope[k] * (problem.y_score[i, k] - t[k])))
                known[k] -= (by_tp[i] * true[i, k] + by_pp[i]) * slope[k] * soft * (1 - soft) / below
        np.testing.assert_allclose(by_t, known, atol=1e-12)

    def test_it_climbs(self):
        problem = several(3, 400)
        t = limen.tune(*problem[:2], average="samples", method=SurrogateGradient(start=0.9, keep="best"))
        assert t.history[-1] > t.history[0] + 0.1
        assert t.value == pytest.approx(max(t.history), abs=1e-12)
        batches = SurrogateGradient(start=0.9, batch_size=50, epochs=20, learn_slope=True, space="logit")
        assert limen.tune(*problem[:2], average="samples", method=batches).value > t.history[0]


class TestMeasured:
    @pytest.mark.parametrize("metric", METRICS)
    def test_evaluate(self, metric):
        problem = several(4)
        t = limen.tune(*problem[:2], metric=metric, average="samples", method="ascent")
        found = limen.evaluate(*problem[:2], t, baseline=0.5)
        assert found.value == t.value
        assert found.on_tuning_data
        assert found.interval[0] <= found.value <= found.interval[1]
        assert found.difference.value == pytest.approx(found.value - t.half)
        assert found.difference.low <= found.difference.value <= found.difference.high

    def test_the_interval_covers(self):
        """Of means over 60 items: the truth is that of 20 000."""
        truth = limen.evaluate(*several(5, 20000)[:2], 0.5, average="samples").value
        found = [limen.evaluate(*several(6 + seed, 60)[:2], 0.5, average="samples").interval for seed in range(60)]
        assert sum(low <= truth <= high for low, high in found) >= 52
        assert np.mean([high - low for low, high in found]) < 0.3

    def test_groups_make_it_wider(self):
        problem = several(7)
        copies = data(*(np.repeat(part, 4, axis=0) for part in problem[:2]))
        groups = np.repeat(np.arange(150), 4)
        alone = limen.evaluate(*problem[:2], 0.5, average="samples").interval
        grouped, apart = (
            limen.evaluate(*copies[:2], 0.5, average="samples", groups=some).interval for some in (groups, None)
        )
        assert np.ptp(grouped) == pytest.approx(np.ptp(alone), rel=0.05)
        assert np.ptp(apart) < 0.7 * np.ptp(grouped)

    def test_nothing_is_certain_of_few_items(self):
        problem = data([[1, 0], [0, 1], [1, 1]], [[0.9, 0.1], [0.1, 0.9], [0.9, 0.9]])
        found = limen.evaluate(*problem[:2], 0.5, average="samples")
        assert found.value == 1
        assert found.interval[0] < 0.8

    def test_the_resamples_are_of_items(self):
        problem = several(8, 30)
        source = as_data(*problem[:2]).source
        part = Part(source, np.arange(30), np.full(4, 0.5), ">=")
        goal = objective("f1", "samples")
        bootstrap = Bootstrap.over(30, None, 0)
        found = bootstrap.values([part], goal)
        assert found.shape == (bootstrap.samples,)
        of_items = [items_f1(*pair) for pair in zip(problem.y_true, problem.y_score >= 0.5, strict=True)]
        assert found.std() == pytest.approx(np.std(of_items) / np.sqrt(30), rel=0.2)

    def test_compare_and_learning_curve(self):
        problem = several(9)
        compared = limen.compare(
            *problem[:2], average="samples", methods=["fixed:0.5", "ascent", "expected-f"], cv=3
        )
        assert compared["fixed:0.5"].held_out == pytest.approx(
            limen.evaluate(*problem[:2], 0.5, average="samples").value
        )
        assert compared["ascent"].gain.low <= compared["ascent"].gain.value
        curve = learning_curve(*problem[:2], average="samples", method="ascent", shares=(0.5, 1.0), cv=3)
        assert curve.held_out[1].value == pytest.approx(compared["ascent"].held_out, abs=0.05)

    def test_the_report_refuses(self):
        with pytest.raises(UnsupportedError, match="the report is drawn from counts by label; samples F1 needs"):
            limen.report(*several(10)[:2], average="samples")


def items_f1(truth, given):
    return 2 * (truth & given).sum() / (truth.sum() + given.sum()) if truth.sum() + given.sum() else 0.0


class TestAuto:
    @pytest.mark.parametrize("metric", METRICS)
    def test_it_says_what_to_expect(self, metric):
        t = limen.tune(*several(11)[:2], metric=metric, average="samples", method=Auto(samples=6))
        assert t.expected.low < t.expected.value < t.expected.high
        assert t.expected.value <= t.value + 0.05
        assert t.expected_gain.low <= t.expected_gain.value <= t.expected_gain.high
        assert sum(t.details["weights"].values()) == pytest.approx(1)
        assert ((t.ranges[0] <= t.values) & (t.values <= t.ranges[1])).all()

    def test_what_is_expected_is_near_the_truth(self):
        new = several(100, 5000)
        off = []
        for seed in range(4):
            t = limen.tune(*several(20 + seed, 200)[:2], average="samples", method=Auto(samples=6))
            off.append(limen.evaluate(*new[:2], t).value - t.expected.value)
        assert abs(np.mean(off)) < 0.02

    def test_the_order_does_not_matter(self):
        problem = several(12)
        t = limen.tune(*problem[:2], average="samples", labels=list("abcd"))
        order, columns = np.random.default_rng(0).permutation(150), [2, 0, 3, 1]
        turned = limen.tune(
            problem.y_true[order][:, columns],
            problem.y_score[order][:, columns],
            average="samples",
            labels=[list("abcd")[k] for k in columns],
        )
        np.testing.assert_allclose(turned.values, t.values[columns], atol=1e-6)

    def test_any_data(self):
        """One item, one label, unknown labels, weights, labels without positives."""
        for seed in range(12):
            problem = random_data(seed, most_items=6)
            t = tuned(problem, average="samples", method=Auto(samples=3))
            known = items.value("f1", problem.y_true, t.decide(problem.y_score), problem.sample_weight)
            assert t.value == pytest.approx(float(known), abs=1e-12)

    def test_curves_of_parts(self):
        problem = several(13)
        parts = [limen.Curves.from_arrays(*problem.taken(rows)[:2]) for rows in (slice(0, 70), slice(70, None))]
        t = limen.tune(parts[0] + parts[1], average="samples", method=Auto(samples=3))
        assert t.value == pytest.approx(
            float(items.value("f1", problem.y_true, t.decide(problem.y_score))), abs=1e-12
        )
        assert t.expected is not None

    def test_groups(self):
        problem = several(14)
        t = limen.tune(*problem[:2], average="samples", groups=np.arange(150) // 5, method=Auto(samples=3))
        assert t.expected.low < t.expected.high


def test_a_file_is_checked(tmp_path):
    t = limen.tune(*several(15)[:2], average="samples", method="ascent")
    assert limen.Thresholds.from_dict(t.to_dict()) == t
    with pytest.raises(limen.InputError, match=escape("'value' is 1.5")):
        limen.Thresholds.from_dict({**t.to_dict(), "value": 1.5})
    assert isinstance(t.objective, Objective)
    assert t.expected_on(10) is None
