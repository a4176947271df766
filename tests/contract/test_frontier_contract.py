"""The micro precision-recall frontier against the oracle's hull of all threshold vectors."""

import warnings
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given

import limen
from limen.curves import Curves
from limen.errors import InputError
from oracle import naive
from strategies import PATIENT, data, exactly, problems, recounted, smooth_data


def frontier_of(problem):
    return limen.frontier(problem.y_true, problem.y_score, sample_weight=problem.sample_weight)


def points_of(frontier):
    return list(zip(map(Fraction, frontier.pp.tolist()), map(Fraction, frontier.tp.tolist()), strict=True))


def height(hull, pp):
    """The tp of a hull at pp, or None beyond its last vertex."""
    for (pp_0, tp_0), (pp_1, tp_1) in pairwise(hull):
        if pp_0 <= pp <= pp_1:
            return tp_0 + Fraction(tp_1 - tp_0) * Fraction(pp - pp_0) / Fraction(pp_1 - pp_0)
    return hull[0][1] if pp == hull[0][0] else None


def thresholds_at(frontier, point, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", limen.LimenWarning)
        return frontier.thresholds(point, **options)


@PATIENT
@given(problems(most_items=9))
def test_the_points_are_the_vertices_of_the_hull(problem):
    """limen stops where no positive is left; and keeps the ends of parallel edges of two labels."""
    frontier, hull = frontier_of(problem), naive.frontier(*problem)[1]
    if len(hull) > 1 and hull[-1][1] == hull[-2][1]:
        hull = hull[:-1]
    points = points_of(frontier)
    assert points[0] == (0, 0)
    assert points[-1] == hull[-1]
    assert set(hull) <= set(points)
    assert all(height(hull, pp) == tp for pp, tp in points)
    assert all(pp_0 < pp_1 and tp_0 < tp_1 for (pp_0, tp_0), (pp_1, tp_1) in pairwise(points))


@PATIENT
@given(problems(most_items=9))
def test_every_point_is_reached_by_its_thresholds(problem):
    frontier = frontier_of(problem)
    assert len(frontier) == len(frontier.tp) == len(frontier.slope) + 1
    before = np.zeros(problem.y_score.shape, bool)
    for point in range(len(frontier)):
        t = thresholds_at(frontier, point)
        assert exactly(t.counts) == recounted(problem, t.values)
        assert (sum(t.counts.pp), sum(t.counts.tp)) == (frontier.pp[point], frontier.tp[point])
        assert t.value == pytest.approx(float(naive.value("f1", "micro", exactly(t.counts))), abs=1e-15)
        decisions = t.decide(problem.y_score)
        assert (decisions >= before).all(), "decisions are nested"
        before = decisions


@PATIENT
@given(problems(most_items=9))
def test_ratios_are_those_of_the_counts(problem):
    frontier = frontier_of(problem)
    total = sum(label[2] for label in recounted(problem, np.zeros(problem.y_score.shape[1])))
    for point, (pp, tp) in enumerate(points_of(frontier)):
        assert frontier.precision[point] == pytest.approx(float(tp / pp) if pp else 1)
        assert frontier.recall[point] == pytest.approx(float(tp / total) if total else 0)
    assert (np.diff(frontier.recall) > 0).all()
    assert (np.diff(frontier.precision) <= 1e-15).all()
    assert (np.diff(frontier.slope) <= 0).all()
    gained, added = np.diff(frontier.tp), np.diff(frontier.pp)
    np.testing.assert_allclose(frontier.slope * added, gained)


def test_the_points_of_a_small_case():
    """First label: 1 of 1, then 2 of 3. Second: 1 of 2. Slopes 1, 1/2, 1/2: parallel edges of two labels."""
    problem = data([[1, 0], [0, 1], [1, 0]], [[0.9, 0.8], [0.8, 0.7], [0.7, 0.1]])
    frontier = frontier_of(problem)
    assert frontier.pp.tolist() == [0, 1, 3, 5]
    assert frontier.tp.tolist() == [0, 1, 2, 3]
    assert frontier.slope.tolist() == [1, 0.5, 0.5]
    assert frontier.precision.tolist() == [1, 1, 2 / 3, 0.6]
    assert frontier.recall.tolist() == [0, 1 / 3, 2 / 3, 1]
    t = frontier.thresholds(-1, placement="score")
    assert t.values.tolist() == [0.7, 0.7]
    assert (t.method, t.status, t.upper_bound) == ("frontier point 3", "local", None)
    assert frontier.thresholds(1, metric="precision").value == 1
    assert repr(frontier) == (
        "Frontier(4 points from no tags to precision 60.0 % at recall 100.0 %, on 3 tuning items)"
    )


def test_curves_make_the_same_frontier():
    problem = smooth_data(3)
    curves = Curves.from_arrays(problem.y_true, problem.y_score)
    first, second = limen.frontier(curves), frontier_of(problem)
    np.testing.assert_array_equal(first.tp, second.tp)
    np.testing.assert_array_equal(first.thresholds(2).values, second.thresholds(2).values)


@pytest.mark.parametrize("point", [4, -5, 100])
def test_no_such_point(point):
    frontier = frontier_of(data([[1, 0], [0, 1], [1, 0]], [[0.9, 0.8], [0.8, 0.7], [0.7, 0.1]]))
    with pytest.raises(InputError, match=f"point {point} is not on the frontier, which has 4 points"):
        frontier.thresholds(point)


def test_without_positives_there_is_one_point():
    frontier = frontier_of(data([[0], [0]], [[0.5], [0.25]]))
    assert (frontier.tp.tolist(), frontier.precision.tolist(), frontier.recall.tolist()) == ([0], [1], [0])
    with pytest.warns(limen.LimenWarning, match="without a positive item"):
        assert frontier.thresholds(0).values.tolist() == [np.inf]


def test_weights_of_very_different_size():
    """1e20 + 1 is 1e20 in float64: the two light positives seem to be added for nothing."""
    frontier = frontier_of(data([[0], [1], [1]], [[0.9], [0.5], [0.4]], [1e20, 1.0, 1.0]))
    assert frontier.tp.tolist() == [0, 2]
    assert np.isfinite(frontier.slope).all()
