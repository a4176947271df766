"""Metrics of counts: values against the oracle, gradients against differences, messages."""

import math
from fractions import Fraction

import numpy as np
import pytest

from limen.errors import InputError
from limen.metrics import MCC, Accuracy, Cost, FBeta, GMean, Precision, get, ratio
from oracle import naive
from strategies import METRICS

TABLES = [
    (tp, tp + fp, p, n)
    for n in range(1, 6)
    for p in range(n + 1)
    for tp in range(p + 1)
    for fp in range(n - p + 1)
]
ASYMMETRIC = Cost(2.0, 5.0)
ALL = {name: (get(name), naive.METRICS[name]) for name in METRICS} | {
    "cost 2:5": (ASYMMETRIC, naive.cost(2, 5)),
    "f1/3": (FBeta(1 / 3), naive.fbeta(Fraction(1 / 3))),
}
every_metric = pytest.mark.parametrize("name", ALL)


@every_metric
@pytest.mark.parametrize("zero_division", [0, 1, 0.25])
def test_values_are_the_oracles(name, zero_division):
    """Every table of up to 5 items, at once and one by one."""
    metric, exact = ALL[name]
    expected = [naive.as_float(exact, exact(*table, Fraction(zero_division))) for table in TABLES]
    columns = np.array(TABLES).T
    np.testing.assert_allclose(metric(*columns, zero_division), expected, rtol=0, atol=1e-15)
    np.testing.assert_allclose(metric(*columns * 0.25, zero_division), expected, rtol=0, atol=1e-15)
    alone = [float(metric(*map(np.int64, table), zero_division)) for table in TABLES]
    np.testing.assert_allclose(alone, expected, rtol=0, atol=1e-15)


@every_metric
def test_no_metric_falls_when_a_false_positive_is_dropped(name):
    """The reason why the scores of positives are all the candidates there are."""
    metric = ALL[name][1]
    for tp, pp, p, n in TABLES:
        if pp > tp:
            assert metric(tp, pp - 1, p, n) >= metric(tp, pp, p, n)


@every_metric
def test_pooled_is_the_metric_of_the_sums(name):
    metric, exact = ALL[name]
    columns = np.array([(1, 2, 3, 6), (0, 0, 0, 5), (2, 2, 2, 4)]).T
    expected = naive.as_float(exact, exact(*columns.sum(axis=1).tolist()))
    assert metric.pooled(*columns) == pytest.approx(expected, abs=1e-15)


def interior_tables():
    rng = np.random.default_rng(0)
    for _ in range(50):
        p, q = rng.uniform(2, 30, 2)
        tp, fp = rng.uniform(0.2, 0.8) * p, rng.uniform(0.2, 0.8) * q
        yield tp, tp + fp, p, p + q


@every_metric
def test_gradients_are_the_limits_of_differences(name):
    metric, step = ALL[name][0], 1e-5
    for tp, pp, p, n in interior_tables():
        by_tp, by_pp = metric.gradient(tp, pp, p, n)
        rise = metric(tp + step, pp, p, n) - metric(tp - step, pp, p, n)
        assert float(by_tp) == pytest.approx(float(rise) / (2 * step), rel=1e-5, abs=1e-8)
        rise = metric(tp, pp + step, p, n) - metric(tp, pp - step, p, n)
        assert float(by_pp) == pytest.approx(float(rise) / (2 * step), rel=1e-5, abs=1e-8)


@every_metric
def test_pooled_gradients_are_the_limits_of_differences(name):
    metric, step = ALL[name][0], 1e-5
    tp, pp, p, n = (np.array(column) for column in zip(*list(interior_tables())[:3], strict=True))
    by_tp, by_pp = (np.broadcast_to(part, 3) for part in metric.pooled_gradient(tp, pp, p, n))
    for k in range(3):
        one = step * (np.arange(3) == k)
        rise = metric.pooled(tp + one, pp, p, n) - metric.pooled(tp - one, pp, p, n)
        assert by_tp[k] == pytest.approx(rise / (2 * step), rel=1e-5, abs=1e-8)
        rise = metric.pooled(tp, pp + one, p, n) - metric.pooled(tp, pp - one, p, n)
        assert by_pp[k] == pytest.approx(rise / (2 * step), rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("name", ["f1", "precision", "mcc", "fowlkes_mallows", "g_mean", "kappa", "jaccard"])
def test_the_gradient_of_nothing_over_nothing_is_0(name):
    assert [float(part) for part in get(name).gradient(0, 0, 0, 0)] == [0, 0]
    assert all(np.isfinite(part) for part in get(name).gradient(0, 0, 3, 9))


def test_costs_by_label():
    by_label = Cost([1, 0], [2, 3])
    counts = np.array([(1, 2, 3, 6), (0, 1, 2, 5)]).T
    assert by_label(*counts).tolist() == [-(1 * 1 + 2 * 2) / 6, -(0 * 1 + 3 * 2) / 5]
    assert by_label.pooled(*counts) == -(5 + 6) / 11
    assert by_label.by_label
    assert not ASYMMETRIC.by_label
    assert by_label.with_labels(lambda cost: cost[[1, 1, 0]]).fp.tolist() == [0, 0, 1]
    step = 1e-4
    by_tp, by_pp = by_label.pooled_gradient(*counts)
    tp, pp, p, n = counts.astype(float)
    for k in range(2):
        one = step * (np.arange(2) == k)
        assert by_tp[k] == pytest.approx(
            (by_label.pooled(tp + one, pp, p, n) - by_label.pooled(tp, pp, p, n)) / step
        )
        assert by_pp[k] == pytest.approx(
            (by_label.pooled(tp, pp + one, p, n) - by_label.pooled(tp, pp, p, n)) / step
        )


@pytest.mark.parametrize("beta", [1, 2, 0.5, 3.0, 0.25])
def test_terms_of_simple_betas_are_whole_numbers(beta):
    """So that the exact solver can compare in integers."""
    for terms in FBeta(beta).terms(7, 20):
        assert all(isinstance(number, int) for number in terms)


@pytest.mark.parametrize("name", [*METRICS, "fbeta"])
def test_the_spec_makes_the_metric_again(name):
    metric = get(name)
    assert type(get(metric.spec)) is type(metric)
    assert get(metric.spec).spec == metric.spec


def test_specs():
    assert get("f1").spec == "f1"
    assert get({"name": "fbeta", "beta": 2}).spec == {"name": "fbeta", "beta": 2}
    assert get("f0.5") == FBeta(0.5)
    assert get("mcc").spec == "mcc"
    assert Cost([1, 2], 3).spec == {"name": "cost", "fp": [1.0, 2.0], "fn": 3.0}
    own = MCC()
    assert get(own) is own


@pytest.mark.parametrize(
    ("metric", "text"),
    [
        (FBeta(), "F1"),
        (FBeta(0.5), "F0.5"),
        (FBeta(2.0), "F2"),
        (GMean(), "G-mean"),
        (Accuracy(), "accuracy"),
        (Precision(), "precision"),
    ],
)
def test_names_for_people(metric, text):
    assert str(metric) == text


def test_edges_hold_the_largest_value_between_points():
    """Against a fine grid on every edge."""
    rng = np.random.default_rng(1)
    for _ in range(30):
        p, q = rng.integers(1, 9, 2)
        tp = np.sort(np.append(rng.integers(0, p + 1, 3), [0, p]))
        fp = np.sort(np.append(rng.integers(0, q + 1, 3), [0, q]))
        at = np.linspace(0, 4, 4001)
        dense = (np.interp(at, range(5), counts) for counts in (tp, tp + fp))
        largest = GMean()(*dense, p, p + q).max()
        found = GMean().on_edges(tp, tp + fp, p, p + q)
        assert found == pytest.approx(largest, abs=1e-5)
        assert found >= largest - 1e-7


def test_ratios():
    assert ratio([1, 0, 0], [2, 0, 3], 7.0).tolist() == [0.5, 7, 0]
    assert math.isnan(ratio(1, 0, np.nan))


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        ("F1", "metric='F1' is unknown. The metrics are: f1, fbeta, f0.5, f2, precision"),
        (None, "metric=None is unknown"),
        (["f1"], "metric=['f1'] is unknown"),
        ({"beta": 2}, "metric={'beta': 2} is unknown"),
        ({"name": "nothing"}, "metric={'name': 'nothing'} is unknown"),
        ({"name": "mcc", "beta": 2}, "metric 'mcc' does not take 'beta'. See limen.metrics for its parameters"),
        ({"name": "fbeta", "gamma": 2}, "metric 'fbeta' does not take 'gamma'"),
        ({"name": "fbeta", "beta": 0}, "beta=0 is not a weight. It must be a finite number above 0"),
        ({"name": "fbeta", "beta": -1}, "beta=-1 is not a weight"),
        ({"name": "fbeta", "beta": math.inf}, "beta=inf is not a weight"),
        ({"name": "fbeta", "beta": math.nan}, "beta=nan is not a weight"),
        ({"name": "cost", "fp": -1}, "the cost fp=-1 is not usable. Costs must be finite and not negative"),
        ({"name": "cost", "fn": math.nan}, "the cost fn=nan is not usable"),
        ({"name": "cost", "fn": [[1]]}, "the cost fn=[[1]] is not usable"),
        ({"name": "cost", "fp": "dear"}, "fp='dear'"),
        ({"name": "cost", "fp": [[1], [1, 2]]}, "fp=[[1], [1, 2]]"),
        ({"name": "fbeta", "beta": "two"}, "two"),
    ],
)  # fmt: skip
def test_refused(metric, words):
    with pytest.raises(InputError) as caught:
        get(metric)
    assert words in str(caught.value)
