"""Where theory gives the best cut: how far the methods are from it, and that they get there.

One label, scores of negatives normal with mean 0, of positives with mean 2, a tenth positive. Then several
labels with one calibration. All draws have fixed seeds; bounds leave room for several standard errors.
"""

from functools import cache

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import norm

import limen
from limen.objectives import objective
from strategies import Data, data, tuned

PREVALENCE, DISTANCE = 0.1, 2.0
SIZES = {250: 60, 500: 60, 2000: 30, 8000: 24, 32000: 8}
"""Numbers of items, and how often each is drawn."""


def f1(cut):
    """F1 of a cut on endlessly many items."""
    tp = PREVALENCE * norm.sf(cut - DISTANCE)
    return 2 * tp / (tp + (1 - PREVALENCE) * norm.sf(cut) + PREVALENCE)


@cache
def best():
    return minimize_scalar(lambda cut: -f1(cut), bounds=(0, 3), method="bounded", options={"xatol": 1e-10}).x


@cache
def cuts(method, n_items, repeats=None):
    """The cuts that a method finds on each of the data sets of this size."""
    found = []
    for repeat in range(repeats or SIZES[n_items]):
        rng = np.random.default_rng([n_items, repeat])
        y_true = rng.random((n_items, 1)) < PREVALENCE
        problem = data(y_true, rng.normal(DISTANCE * y_true, 1))
        found.append(float(tuned(problem, method=method, average="macro").values[0]))
    return np.array(found)


def excess(method, n_items, repeats=None):
    """What is lost to the best cut, on average."""
    return float(np.mean(f1(best()) - f1(cuts(method, n_items, repeats))))


def error(method, n_items):
    """Root mean square distance to the best cut."""
    return float(np.sqrt(np.mean((cuts(method, n_items) - best()) ** 2)))


def rate(values):
    """Slope in logarithms of values by size, by least squares."""
    x, y = np.log(list(values)), np.log(list(values.values()))
    return float(np.polyfit(x, y, 1)[0])


def test_the_reference_is_half_of_the_best_value():
    """Lipton et al. (2014): at the best cut, the probability of the label is half of the best F1."""
    density = PREVALENCE * norm.pdf(best() - DISTANCE)
    probability = density / (density + (1 - PREVALENCE) * norm.pdf(best()))
    assert probability == pytest.approx(f1(best()) / 2, rel=1e-5)


@pytest.mark.parametrize("method", ["exact", "bagged", "smoothed", "calibrated"])
def test_more_items_bring_the_cut_nearer(method):
    """From 50 positives to 800; even n^(-1/3), the rate of the exact cut, is 0.4 then."""
    assert error(method, 8000) < 0.6 * error(method, 500)
    assert excess(method, 8000) < 0.4 * excess(method, 500)


@pytest.mark.parametrize("n_items", [250, 500])
@pytest.mark.parametrize(("method", "most"), [("bagged", 0.9), ("smoothed", 0.9), ("calibrated", 0.6)])
def test_better_than_exact_with_25_to_50_positives(method, most, n_items):
    """On the same data sets."""
    assert excess(method, n_items) < most * excess("exact", n_items)


def test_auto_is_better_than_exact_with_50_positives():
    assert excess("auto", 500, 25) < 0.8 * excess("exact", 500, 25)


def test_calibrated_loses_about_one_over_n():
    """The model holds here, so its cut is off by n^(-1/2) and the loss is the square of that."""
    loss = {n: excess("calibrated", n) for n in (500, 2000, 8000, 32000)}
    assert rate(loss) < -0.7, loss
    assert loss[32000] < 0.0002


def test_calibrated_is_off_to_no_side():
    """Its mean over data sets is the best cut, but for what chance explains."""
    found = cuts("calibrated", 8000)
    assert abs(found.mean() - best()) < 4 * found.std() / np.sqrt(len(found)) + 0.01


def test_smoothed_is_no_slower_than_exact():
    """Horowitz (1992): n^(-2/5) for the cut against n^(-1/3)."""
    by_method = {
        method: rate({n: error(method, n) for n in (500, 2000, 8000)}) for method in ("exact", "smoothed")
    }
    assert by_method["exact"] == pytest.approx(-1 / 3, abs=0.15)
    assert by_method["smoothed"] == pytest.approx(-2 / 5, abs=0.15)


@pytest.mark.parametrize("method", ["bagged", "smoothed"])
def test_they_lie_between_exact_and_calibrated(method):
    """Less noise than the exact cut, at every size."""
    for n_items in (500, 2000, 8000):
        assert cuts(method, n_items).std() < 0.9 * cuts("exact", n_items).std()


def world(seed, n_items, prevalence, offset=0.0):
    """Logits with log odds ``offset`` + score for every label."""
    rng = np.random.default_rng(seed)
    prevalence = np.asarray(prevalence)
    y_true = (rng.random((n_items, len(prevalence))) < prevalence).astype(float)
    log_odds = np.log(prevalence / (1 - prevalence)) - DISTANCE**2 / 2
    return data(y_true, log_odds + DISTANCE * rng.normal(DISTANCE * y_true, 1) - offset)


def on(fresh, thresholds, average):
    kept = fresh.y_score >= thresholds.values
    tp = (kept & (fresh.y_true == 1)).sum(axis=0)
    n = np.full(len(tp), len(kept))
    return objective("f1", average)(tp, kept.sum(axis=0), (fresh.y_true == 1).sum(axis=0), n)


RARE = np.geomspace(0.004, 0.03, 20)


@cache
def on_new_data(method, average):
    """Mean value on new data of cuts tuned on 800 items, of which 3 to 24 have each label."""
    fresh = world(99, 30000, RARE, offset=0.7)
    draws = [world(seed, 800, RARE, offset=0.7) for seed in range(5)]
    return float(np.mean([on(fresh, tuned(part, method=method, average=average), average) for part in draws]))


@pytest.mark.parametrize("average", ["micro", "macro"])
@pytest.mark.parametrize("method", ["calibrated", "auto"])
def test_rare_labels_with_a_common_calibration_borrow(method, average):
    assert on_new_data(method, average) > on_new_data("exact", average) + 0.015


def test_the_one_micro_cut_is_half_of_the_best_value():
    """All labels have calibrated scores: one cut is best, and theory says which."""

    def best_on(fresh):
        scores, true = fresh.y_score.ravel(), fresh.y_true.ravel() == 1
        order = np.argsort(-scores)
        tp = np.cumsum(true[order])
        values = 2 * tp / (np.arange(1, len(tp) + 1) + true.sum())
        return values.max()

    fresh = world(99, 100000, RARE)
    wanted = best_on(fresh) / 2
    for method in ("calibrated", "shared", "auto"):
        found = [tuned(world(seed, 1500, RARE), method=method).values for seed in range(4)]
        probability = 1 / (1 + np.exp(-np.mean(found, axis=0)))
        assert np.median(probability) == pytest.approx(wanted, abs=0.07)


@pytest.mark.parametrize("average", ["micro", "macro"])
def test_labels_without_positives_get_the_cut_of_labels_like_them(average):
    """The exact method says never; what the labels share says when."""
    problem = world(3, 1000, [0.05, 0.03, 0.02, 0.04, 0.02, 0.003, 0.003])
    y_true = problem.y_true.copy()
    y_true[:, 5:] = 0
    without = Data(y_true, problem.y_score)
    assert tuned(without, average=average).values[5] == np.inf
    t = tuned(without, method="auto", average=average)
    assert np.isfinite(t.values).all()
    assert np.abs(t.values[5:] - np.median(t.values[:5])).max() < 1.2
    assert {"5", "6"} <= set(t.details["leaning_on_pool"])


def test_each_label_gets_its_own_cut_where_there_is_data_for_it():
    """Log odds moved by label: the cuts move with them, for every method that looks at labels."""
    offset = np.array([-3.0, 0.0, 3.0, 1.0])
    problem = world(7, 6000, [0.1] * 4, offset=offset)
    best_cut = DISTANCE * best() + np.log(PREVALENCE / (1 - PREVALENCE)) - DISTANCE**2 / 2
    for method in ("bagged", "smoothed", "calibrated", "auto"):
        for average in ("micro", "macro"):
            values = limen.tune(*problem[:2], method=method, average=average).values
            np.testing.assert_allclose(values + offset, best_cut, atol=0.45)
