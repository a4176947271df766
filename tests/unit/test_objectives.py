"""A metric, an average, and what 0/0 counts as."""

from fractions import Fraction

import numpy as np
import pytest

from limen.errors import InputError
from limen.metrics import Cost
from limen.objectives import Objective, objective
from oracle import naive
from strategies import AVERAGES, METRICS

COUNTS = tuple(np.array([(3, 5, 4, 10), (1, 1, 2, 9), (0, 2, 1, 8), (2, 3, 2, 8)]).T)
WITH_EMPTY = tuple(np.array([(3, 5, 4, 10), (0, 0, 0, 10), (0, 0, 2, 10), (0, 3, 0, 10)]).T)
OBJECTIVES = [
    *(objective(metric, average) for metric in METRICS for average in AVERAGES),
    *(Objective(Cost([1.0, 2, 0, 4], [3.0, 0, 1, 2]), average) for average in AVERAGES),
]
every_objective = pytest.mark.parametrize("of", OBJECTIVES, ids=str)


@pytest.mark.parametrize("zero_division", [0, 1, 0.5])
@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize("metric", METRICS)
def test_values_are_the_oracles(metric, average, zero_division):
    for counts in (COUNTS, WITH_EMPTY):
        per_label = list(zip(*(part.tolist() for part in counts), strict=True))
        exact = naive.value(metric, average, per_label, Fraction(zero_division))
        of = objective(metric, average, zero_division)
        assert of(*counts) == pytest.approx(naive.as_float(metric, exact), abs=1e-15)


@pytest.mark.parametrize("zero_division", [0, 1])
@pytest.mark.parametrize("metric", ["f1", "accuracy", "mcc"])
def test_the_weighted_mean_without_positives_is_0_over_0(metric, zero_division):
    tp, pp, p, n = COUNTS
    assert objective(metric, "weighted", zero_division)(tp * 0, pp, p * 0, n) == zero_division


@every_objective
def test_one_change_is_the_objective_worked_out_again(of):
    tp, pp, p, n = (part.astype(float) for part in COUNTS)
    new_tp, new_pp = np.array([4, 0, 1, 1]), np.array([6, 0, 1, 1])
    changed = of.with_one_changed(tp, pp, p, n, new_tp, new_pp)
    assert changed.shape == (4,)
    for k in range(4):
        only = np.arange(4) == k
        assert changed[k] == pytest.approx(
            of(np.where(only, new_tp, tp), np.where(only, new_pp, pp), p, n), abs=1e-14
        )


@every_objective
def test_gradients_are_the_limits_of_differences(of):
    step = 1e-5
    tp, pp, p, n = np.array([(3, 5, 4, 10), (1, 1.5, 2, 9), (0.25, 2, 1, 8), (1.5, 3, 2, 8)]).T
    by_tp, by_pp = of.gradient(tp, pp, p, n)
    assert by_tp.shape == by_pp.shape == (4,)
    for k in range(4):
        one = step * (np.arange(4) == k)
        rise = of(tp + one, pp, p, n) - of(tp - one, pp, p, n)
        assert by_tp[k] == pytest.approx(rise / (2 * step), rel=1e-5, abs=1e-8)
        rise = of(tp, pp + one, p, n) - of(tp, pp - one, p, n)
        assert by_pp[k] == pytest.approx(rise / (2 * step), rel=1e-5, abs=1e-8)


@every_objective
def test_values_of_labels_by_element(of):
    """Elements in any order, each with the number of its label: costs and totals go with the number."""
    tp, pp, p, n = COUNTS
    label_of = np.array([2, 0, 0, 3, 1])
    found = of.of_labels(tp[label_of], pp[label_of], p, n, label_of)
    np.testing.assert_array_equal(found, of.of_labels(tp, pp, p, n)[label_of])


def test_weights_of_labels():
    p = np.array([1, 0, 3])
    assert objective("f1", "macro").label_weights(p).tolist() == [1 / 3, 1 / 3, 1 / 3]
    assert objective("f1", "weighted").label_weights(p).tolist() == [0.25, 0, 0.75]
    assert objective("f1", "weighted").label_weights(p * 0).tolist() == [0, 0, 0]


def test_structures():
    assert objective("f1", "macro").structure == objective("mcc", "weighted").structure == "separable"
    assert objective("f1").structure == "linear-ratio"
    assert objective("mcc").structure == "quasi-convex"
    assert objective("g_mean").structure == "counts"


def test_names_for_people():
    assert str(objective()) == "micro F1"
    assert str(objective({"name": "fbeta", "beta": 2}, "macro")) == "macro F2"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"average": "binary"},
            "average='binary' cannot be optimised. Use 'micro', 'macro', 'weighted', 'samples'.",
        ),
        ({"average": None}, "average=None cannot be optimised"),
        ({"average": "none"}, "Each label by itself is what 'macro' tunes."),
        ({"zero_division": 2}, "zero_division=2 is not usable. It must be a number from 0 to 1."),
        ({"zero_division": -0.5}, "zero_division=-0.5 is not usable"),
        ({"zero_division": float("nan")}, "zero_division=nan is not usable"),
        ({"zero_division": "warn"}, "zero_division"),
    ],
)
def test_refused(options, words):
    with pytest.raises(InputError) as caught:
        objective(**options)
    assert words in str(caught.value)


def test_costs_must_be_one_for_each_label():
    of = Objective(Cost([1, 2], 3))
    of.check_labels(2)
    Objective(Cost(1, 2)).check_labels(5)
    with pytest.raises(
        InputError, match=r"the cost fp has 2 values for 3 labels\. Give one number, or one for each"
    ):
        of.check_labels(3)
