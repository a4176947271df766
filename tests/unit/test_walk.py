"""The walk along the frontier, and the coordinate steps after it; limen.frontier is in tests/contract."""

import numpy as np
import pytest

from limen.objectives import objective
from limen.solvers.base import Problem
from limen.solvers.coordinate import improve
from limen.solvers.frontier import FrontierWalk, Walk
from strategies import curves_of, data, random_data, smooth_data


def value(of, curves, index):
    return of(curves.tp[index], curves.pp[index], curves.n_positive, curves.n_known)


def test_the_best_point():
    """MCC of the points (0, 0), (1, 1), (3, 2), (5, 3) of 3 positives among 9."""
    problem = data([[1, 0, 0], [0, 1, 0], [1, 0, 0]], [[0.9, 0.8, 0], [0.8, 0.7, 0], [0.7, 0.1, 0]])
    solution = FrontierWalk().solve(Problem(objective("mcc"), counted=curves_of(problem)))
    by_hand = [0, 6 / np.sqrt(3 * 1 * 6 * 8), 9 / np.sqrt(3 * 3 * 6 * 6), 12 / np.sqrt(3 * 5 * 6 * 4)]
    assert solution.upper_bound == pytest.approx(max(by_hand))
    assert solution.index.tolist() == [2, 4, 5]
    assert solution.status == "optimal"


@pytest.mark.parametrize("metric", ["g_mean", "f1", "mcc"])
@pytest.mark.parametrize("seed", range(15))
def test_coordinate_steps_end_where_no_label_alone_gains(seed, metric):
    problem = random_data(seed, n_labels=3)
    curves, of = curves_of(problem), objective(metric)
    start = curves.offsets[:-1].copy()
    index = improve(curves, of, start)
    assert start.tolist() == curves.offsets[:-1].tolist(), "the start is as it was"
    assert value(of, curves, index) >= value(of, curves, start)
    for k in range(3):
        for candidate in range(curves.offsets[k], curves.offsets[k + 1]):
            moved = np.where(np.arange(3) == k, candidate, index)
            assert value(of, curves, moved) <= value(of, curves, index) + 1e-15


def test_coordinate_steps_improve_on_the_best_vertex_somewhere():
    """The optimum of the G-mean may lie between vertices of the hull; then the walk alone is not enough."""
    better = 0
    for seed in range(60):
        curves, of = curves_of(smooth_data(seed, n_items=12)), objective("g_mean")
        walk = Walk.of(curves)
        vertex = max(value(of, curves, walk.index(curves, point)) for point in range(len(walk.tp)))
        solution = FrontierWalk().solve(Problem(of, counted=curves))
        assert vertex <= value(of, curves, solution.index) <= solution.upper_bound
        better += value(of, curves, solution.index) > vertex
    assert better > 0
