"""What is expected of new data: its value, what widens its interval, and when nothing is said."""

import math

import numpy as np
import pytest

import limen
from limen.decisions import Counts
from limen.errors import InputError
from limen.expectation import expect, on_new_items, within_range
from limen.intervals import Interval, Part, measure
from limen.objectives import objective
from limen.rare_labels import shape_of_frequencies
from limen.sources.door import as_source
from strategies import AVERAGES, smooth_data


def decided(tp, fp, fn, n_items):
    """One part of items with these counts by label, spread over the items."""
    truth, kept = np.zeros((2, n_items, len(tp)))
    for k, (a, b, c) in enumerate(zip(tp, fp, fn, strict=True)):
        order = np.random.default_rng(k).permutation(n_items)
        truth[order[: a + c], k] = 1
        kept[order[:a], k] = 1
        kept[order[a + c : a + c + b], k] = 1
    source = as_source(truth, kept)
    return [Part(source, np.arange(n_items), np.full(len(tp), 0.5), ">=")]


@pytest.mark.parametrize("average", AVERAGES)
def test_it_is_the_measured_value_a_little_wider(average):
    problem, goal = smooth_data(0, n_items=200), objective("f1", average)
    part = [Part(as_source(*problem[:2]), np.arange(200), np.full(3, 0.5), ">=")]
    measured = measure(part, goal, 200, None, 0)
    (value, low, high), _, why_not = expect(part, goal, 200, None, 0)
    assert (value, why_not) == (measured.value, "")
    p = problem.y_true.sum(axis=0)
    weight = {"micro": p / p.sum(), "weighted": p / p.sum(), "macro": np.full(3, 1 / 3)}[average]
    luck = math.sqrt(1 + (1 if average == "micro" else 2) * (weight / (1 + p)).sum())
    assert value - low == pytest.approx(luck * (value - measured.low), rel=0.05)
    assert high - value == pytest.approx(luck * (measured.high - value), rel=0.05)


def test_a_label_without_positives_counts_about_as_one_with_a_single_positive():
    """20 labels with many positives; two with one each, found among 2 false ones; one with none and 2 false."""
    tp, fp, fn = [30] * 20 + [1, 1, 0], [20] * 20 + [2, 2, 2], [10] * 20 + [0, 0, 0]
    goal = objective("f1", "macro")
    expected, *_ = expect(decided(tp, fp, fn, 200), goal, 200, None, 0)
    present = (20 * 60 / 90 + 2 * 2 / 4) / 23
    of_absent = 23 * (expected.value - present)
    assert 0.05 < of_absent < 0.6
    assert expected.low < expected.value < expected.high
    nothing_found, *_ = expect(decided([*tp[:20], 0, 0, 0], fp, [*fn[:20], 1, 1, 0], 200), goal, 200, None, 0)
    assert 23 * (nothing_found.value - 20 * 60 / 90 / 23) < of_absent
    weighted, *_ = expect(decided(tp, fp, fn, 200), objective("f1", "weighted"), 200, None, 0)
    assert weighted.value == pytest.approx((800 * 60 / 90 + 2 * 0.5) / 802)


@pytest.mark.parametrize("average", ["macro", "weighted", "micro"])
def test_what_too_many_rare_labels_decide_is_not_estimable(average):
    tp, fp, fn = [30, 30, 30, 1, 0, 0], [20, 20, 20, 2, 2, 1], [10, 10, 10, 1, 0, 0]
    expected, _, why_not = expect(decided(tp, fp, fn, 200), objective("f1", average), 200, None, 0)
    if average == "macro":
        assert (expected, why_not) == (None, "3 of 6 labels have fewer than 3 positives (2 have none)")
    else:  # few positives weigh little
        assert expected.low < expected.value < expected.high
        assert why_not == ""


def test_rare_labels_do_not_matter_where_they_cannot_move_the_value():
    tp, fp, fn = [30, 30, 30, 1, 0, 0], [20, 20, 20, 2, 2, 1], [10, 10, 10, 1, 0, 0]
    expected, *_ = expect(decided(tp, fp, fn, 2000), objective("accuracy", "macro"), 2000, None, 0)
    assert expected.value == pytest.approx(1 - (30 * 3 + 3 + 2 + 1) / 12000, abs=2e-3)


@pytest.mark.parametrize("average", AVERAGES)
def test_nothing_is_said_without_positives(average):
    parts = decided([0, 0], [3, 1], [0, 0], 50)
    assert expect(parts, objective("f1", average), 50, None, 0) == (None, None, "no label has positives")


@pytest.mark.parametrize("seed", range(5))
def test_the_shape_leaves_as_many_labels_without_positives_as_were_seen(seed):
    rng = np.random.default_rng(seed)
    shape, mean = rng.uniform(0.3, 5), rng.uniform(0.5, 20)
    none = (1 + mean / shape) ** -shape
    assert shape_of_frequencies(mean, none) == pytest.approx(shape, rel=1e-6)
    drawn = rng.poisson(rng.gamma(shape, mean / shape, 40_000))
    assert (drawn == 0).mean() == pytest.approx(none, abs=0.01)


def test_no_end_lies_beyond_what_is_possible():
    counts = Counts(*(np.array([number]) for number in (5, 6, 7, 20)))
    assert within_range(objective("f1"), counts, Interval(0.7, -0.2, 1.3)) == Interval(0.7, 0.0, 1.0)
    assert within_range(objective("mcc"), counts, Interval(0.7, -1.2, 1.3)) == Interval(0.7, -1.0, 1.0)
    assert within_range(objective("accuracy"), counts, Interval(0.7, 0.6, 0.8)) == Interval(0.7, 0.6, 0.8)


class TestOnNewItems:
    COUNTS = Counts(*(np.array(numbers) for numbers in ([40, 300, 3], [60, 400, 5], [50, 350, 5], [1000] * 3)))

    def test_it_widens_as_samples_do(self):
        goal, expected = objective("f1", "micro"), Interval(0.7, 0.66, 0.73)
        same, many, few = (on_new_items(goal, self.COUNTS, expected, share) for share in (1.0, 1e9, 0.25))
        assert same == pytest.approx((0.7, 0.7 - 0.04 * 2**0.5, 0.7 + 0.03 * 2**0.5))
        assert many == pytest.approx(expected)
        assert few == pytest.approx((0.7, 0.7 - 0.04 * 5**0.5, 0.7 + 0.03 * 5**0.5))

    def test_labels_that_do_not_occur_count_nothing_among_few_items(self):
        goal, expected = objective("f1", "macro"), Interval(0.7, 0.66, 0.73)
        few, many = (on_new_items(goal, self.COUNTS, expected, share) for share in (0.1, 1e4))
        assert many == pytest.approx(expected, abs=2e-3)
        assert few.value < 0.65

    def test_the_artefact_says_it(self):
        t = limen.tune(*smooth_data(0, n_items=300)[:2])
        on_150 = t.expected_on(150)
        assert on_150 == on_new_items(t.objective, t.counts, t.expected, 0.5)
        assert on_150.low < t.expected.low < t.expected.high < on_150.high
        assert limen.tune(*smooth_data(0)[:2], method="exact").expected_on(10) is None
        with pytest.raises(InputError) as caught:
            t.expected_on(0)
        assert str(caught.value) == "n_items=0 is not usable. Give the number of new items, from 1."


def test_the_artefact_knows_what_was_not_estimable_and_what_was_reweighted(tmp_path):
    rng = np.random.default_rng(0)
    y_true = np.zeros((60, 4), int)
    y_true[:25, 0], y_true[[3, 4], 1], y_true[7, 2], y_true[9, 3] = 1, 1, 1, 1
    y_score = rng.normal(y_true * 2.0, 1)
    rare = limen.tune(y_true, y_score, average="macro")
    assert rare.expected is None
    assert rare.expected_reason == "3 of 4 labels have fewer than 3 positives"
    assert rare.summary().endswith("; new data: not estimable: 3 of 4 labels have fewer than 3 positives")
    moved = limen.tune(y_true, y_score, target_prevalence=[0.1, 0.1, 0.1, 0.1])
    assert moved.value_measured_on == "tuning data, reweighted to target_prevalence"
    assert "on the 60 items tuned on, reweighted to the target shares (" in moved.summary()
    for thresholds in (rare, moved):
        thresholds.save(tmp_path / "t.json")
        loaded = limen.Thresholds.load(tmp_path / "t.json")
        assert loaded == thresholds
        assert loaded.summary() == thresholds.summary()


@pytest.mark.parametrize("average", AVERAGES)
def test_the_gain_is_over_half_on_the_same_items(average):
    """It knows more than two intervals apart, for it is paired; nothing is gained where nothing is changed."""
    problem, goal = smooth_data(0, n_items=400), objective("f1", average)
    source = as_source(*problem[:2])

    def at(cut):
        return Part(source, np.arange(400), np.full(3, cut), ">=")

    found, half = expect([at(0.45)], goal, 400, None, 0), expect([at(0.5)], goal, 400, None, 0)
    value, low, high = found.gain
    assert value == pytest.approx(found.value.value - half.value.value)
    assert low < value < high
    assert high - low < 0.8 * math.hypot(*(given.value.high - given.value.low for given in (found, half)))
    assert half.gain.value == 0
    assert half.gain.low < 0 < half.gain.high  # the luck of cuts that were tuned to be 0.5


def test_the_gain_counts_labels_without_positives_as_what_is_expected_does():
    parts = decided([30] * 20 + [1, 1, 0], [20] * 20 + [2, 2, 2], [10] * 20 + [0, 0, 0], 200)
    goal = objective("f1", "macro")
    found = expect(parts, goal, 200, None, 0)
    assert found.gain.value == 0  # the parts are decided at 0.5
    lower = expect([part._replace(values=np.full(23, -1.0)) for part in parts], goal, 200, None, 0)
    assert lower.gain.value == pytest.approx(lower.value.value - found.value.value)
