"""What is drawn and counted for the regularised methods, against naive twins and known moments."""

from __future__ import annotations

import numpy as np
import pytest

from limen._kernels import sampling as kernels
from limen.draws import name_keys
from limen.objectives import objective
from limen.scales import kind_of
from limen.solvers.calibrated import CELLS, Calibration
from limen.solvers.fine import FineCurves
from limen.solvers.one_cut import COARSE, one_cut, resampled_cuts
from limen.solvers.resampled import _dinkelbach
from limen.sources.door import as_source
from strategies import smooth_data


def resampled(counts, unit, draws, first=0, below=0.0):
    """Counts at each of the intervals, of one label, (draws, 2, intervals), and the totals."""
    counts = np.asarray([counts, counts], float)
    drawn, totals = np.empty((draws, *counts.shape)), np.full((draws, 2, 1), below)
    units, keys = np.full((2, 1), unit), name_keys(["a"], 0)
    kernels.resample(np.array([0, counts.shape[1]]), counts, units, keys, first, drawn, totals)
    return np.diff(drawn, axis=2, prepend=0), totals


@pytest.mark.parametrize("unit", [1.0, 2.5])
@pytest.mark.parametrize("mean", [1, 2, 5, 12, 3.7, 13, 200, 1e6])
def test_counts_are_poisson_numbers_of_units(mean, unit):
    drawn, totals = resampled([mean * unit] * 10, unit, 2000, below=mean * unit)
    for found in (drawn / unit, totals / unit / 11):
        assert found.mean() == pytest.approx(mean, rel=0.05 / mean**0.5)
    assert (drawn / unit).var() == pytest.approx(mean, rel=0.05)
    corner = np.corrcoef(drawn.reshape(2000, -1).T) - np.eye(20)
    assert np.abs(corner).max() < 0.1


def test_few_are_whole_and_none_stay_none():
    drawn, totals = resampled([1, 0, 3, 12], 1.0, 500)
    np.testing.assert_array_equal(drawn, np.rint(drawn))
    assert not drawn[:, :, 1].any()
    np.testing.assert_array_equal(totals[:, :, 0], drawn.sum(axis=2))


def test_a_draw_is_told_by_its_number():
    whole, _ = resampled([1, 4, 30], 1.0, 23)
    for first, number in ((0, 5), (5, 2), (7, 16)):
        np.testing.assert_array_equal(resampled([1, 4, 30], 1.0, number, first)[0], whole[first : first + number])
    assert len({row.tobytes() for row in whole}) > 20


def points_of(seed, n_labels=4, n_points=50):
    rng = np.random.default_rng(seed)
    label = np.repeat(np.arange(n_labels), n_points)
    z = np.round(-np.sort(-rng.normal(size=(n_labels, n_points)), axis=1), 1).ravel()
    return z, label, rng.integers(0, 3, len(z)).astype(float), rng.integers(0, 9, len(z)).astype(float)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("number", [1, 2, 7, 40])
def test_points_are_counted_at_every_cut_that_keeps_them(seed, number):
    z, label, positive, negative = points_of(seed)
    cuts = np.unique(np.random.default_rng(seed).choice(z, number))[::-1]
    by_label, together = np.zeros((2, len(cuts), 4)), np.zeros((2, len(cuts), 1))
    for kept in (by_label, together):
        kernels.count_kept((z, label, positive, negative), cuts, kept)
    for j, cut in enumerate(cuts):
        for k in range(4):
            own = (z >= cut) & (label == k)
            found = by_label[:, : j + 1, k].sum(axis=1)
            np.testing.assert_array_equal(found, [positive[own].sum(), negative[own].sum()])
    np.testing.assert_array_equal(together[:, :, 0], by_label.sum(axis=2))


def test_grouped_points_keep_their_sums_and_lie_in_their_label():
    z, label, positive, negative = points_of(0, n_points=200)
    sums = np.zeros((3, 4 * 8))
    weight = positive + negative
    kernels.group((z, label, positive, weight), 8, sums)
    for found, values in zip(sums, (weight * z, positive, weight), strict=True):
        np.testing.assert_allclose(found.reshape(4, 8).sum(axis=1), np.bincount(label, values))
    mean = (sums[0] / np.maximum(sums[2], 1)).reshape(4, 8)
    for k in range(4):
        some = sums[2].reshape(4, 8)[k] > 0
        assert (np.diff(mean[k, some]) > 0).all()
        assert z[label == k].min() <= mean[k, some].min()
        assert mean[k, some].max() <= z[label == k].max()


def many(seed=0, n_items=3000, n_labels=40):
    rng = np.random.default_rng(seed)
    y_true = (rng.random((n_items, n_labels)) < 0.4).astype(float)
    source = as_source(y_true, rng.normal(1.5 * y_true, 1))
    return FineCurves.of([source], kind_of([source]))


def test_of_very_many_shared_cuts_the_best_is_found():
    """Against every place of a positive: more than are tried at first, and more than are ranked."""
    fine, goal = many(), objective("f1", "micro")
    points = fine.points
    own = points.positive > 0
    assert own.sum() > 2 << 14 > COARSE
    order = np.argsort(-points.x, kind="stable")
    tp, fp = np.cumsum(points.positive[order]), np.cumsum(points.negative[order])
    values = 2 * tp / (tp + fp + points.positive.sum())
    cut = one_cut(fine, None, goal)
    kept = points.x >= cut
    found = (
        2
        * points.positive[kept].sum()
        / (points.positive[kept].sum() + points.negative[kept].sum() + points.positive.sum())
    )
    assert found == pytest.approx(values.max(), abs=2e-6)
    drawn = resampled_cuts(fine, goal, name_keys(fine.raw.labels, 0), 20)
    assert 0 < drawn.std() < 0.1
    assert drawn.mean() == pytest.approx(cut, abs=0.1)


def test_calibration_of_grouped_points_is_that_of_all(monkeypatch):
    fine = many()
    assert len(fine.points.x) > max(1 << 15, 2 * CELLS * fine.n_labels)
    grouped = Calibration.fit(fine)
    monkeypatch.setattr("limen.solvers.calibrated.MANY", 1 << 30)
    whole = Calibration.fit(fine)
    np.testing.assert_allclose(grouped.offset, whole.offset, atol=0.01)
    np.testing.assert_allclose(grouped.slope, whole.slope, atol=0.01)


@pytest.mark.parametrize("guess", [0.0, 0.3, 0.99, 1.0])
def test_where_a_ratio_is_searched_from_does_not_matter(guess):
    problem = smooth_data(1, n_items=200)
    source = as_source(*problem[:2])
    fine = FineCurves.of([source], kind_of([source]))
    drawn, totals = np.empty((9, *fine.increments.shape), np.float32), np.zeros((9, 2, 3))
    kernels.resample(
        fine.raw.offsets, fine.increments, fine.units, name_keys(fine.raw.labels, 0), 0, drawn, totals
    )
    of_all = totals[:, 0], totals.sum(axis=1)
    goal = objective("f1", "micro")
    (cold, value), (warm, again) = (
        _dinkelbach(fine.raw.offsets, goal, drawn, of_all, start) for start in (None, guess)
    )
    assert again == pytest.approx(value, abs=1e-12)
    np.testing.assert_array_equal(warm, cold)
