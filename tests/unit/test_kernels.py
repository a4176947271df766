"""The compiled loops that no other test asks alone."""

from __future__ import annotations

import numpy as np
import pytest

from limen import _kernels
from limen._kernels import Points


def points(*labels):
    """Counts of labels, each a list of (pp, tp)."""
    offsets = np.append(0, np.cumsum([len(label) for label in labels]))
    pp, tp = np.array([point for label in labels for point in label]).T
    return Points(offsets, np.ascontiguousarray(tp), np.ascontiguousarray(pp))


def hull(*labels):
    of = points(*labels)
    keep = np.zeros(len(of.tp), bool)
    _kernels.upper_hull(of, np.empty(len(of.tp), np.int64), keep)
    return [keep[a:b].tolist() for a, b in zip(of.offsets[:-1], of.offsets[1:], strict=True)]


def test_cumulated_counts_stay_within_their_label():
    counts = np.array([0, 1, 2, 5, 0, 3])
    _kernels.cumulate(np.array([0, 3, 4, 6]), counts)
    assert counts.tolist() == [0, 1, 3, 5, 0, 3]


def test_the_first_of_the_best_points():
    of = points([(0, 0), (1, 1), (3, 2), (5, 3)], [(0, 0), (4, 1)], [(0, 0)])
    out = np.empty(3, np.int64)
    _kernels.best_points(of, np.array([2, 3, 1]), np.array([1, 1, 0]), out)
    assert out.tolist() == [1, 4, 6]  # 0 1 1 1; 0 -1; 0
    _kernels.best_points(of, np.array([2.5, 5.0, 1.0]), np.array([1.0, 1, 0]), out)
    assert out.tolist() == [3, 5, 6]


@pytest.mark.parametrize(
    ("label", "kept"),
    [
        ([(0, 0)], [1]),
        ([(0, 0), (1, 1)], [1, 1]),
        ([(0, 0), (1, 1), (2, 2)], [1, 0, 1]),  # on one line
        ([(0, 0), (3, 1), (4, 2)], [1, 0, 1]),  # below the line
        ([(0, 0), (1, 1), (3, 2)], [1, 1, 1]),
        ([(0, 0), (1, 0), (2, 2)], [1, 0, 1]),
        ([(0, 0), (2, 1), (3, 1)], [1, 1, 0]),  # nothing gained at the end
        ([(0, 0), (2, 0), (3, 0)], [1, 0, 0]),
    ],
)
def test_hulls(label, kept):
    assert hull(label) == [kept]
    assert hull([(0, 0), (1, 1)], label, [(0, 0), (1, 1)]) == [[1, 1], kept, [1, 1]]


def test_counts_at_thresholds():
    ascending = np.array([0.2, 0.5, 0.5, 0.9, 0.1])
    of = Points(np.array([0, 4, 5, 5]), np.array([3.0, 2, 2, 1, 1]), np.array([4.0, 3, 3, 1, 1]))
    for threshold, expected in [
        (0.0, (3, 4)),
        (0.2, (3, 4)),
        (0.5, (2, 3)),
        (0.6, (1, 1)),
        (0.9, (1, 1)),
        (1, (0, 0)),
    ]:
        out = np.empty((2, 3))
        _kernels.counts_at(of, ascending, np.array([threshold, 0.1, 0.0]), out)
        assert out.T.tolist() == [list(expected), [1, 1], [0, 0]]


@pytest.mark.parametrize("n_items", [_kernels._WORTH_THREADS - 1, _kernels._WORTH_THREADS])
@pytest.mark.parametrize("stored", [False, True])
def test_any_number_of_processors_counts_alike(monkeypatch, n_items, stored):
    rng = np.random.default_rng(0)
    scores, truth = rng.integers(0, 9, (n_items, 5)) / 8, rng.integers(-1, 2, (n_items, 5)).astype(np.int8)
    weight = rng.random(n_items)
    grid = _kernels.Grid(np.arange(0, 20, 3), np.tile([np.inf, 0.75, 0.25], 5))
    row, label = np.divmod(np.arange(n_items * 5), 5)
    entries = scores.ravel(), label, truth.ravel(), weight[row], row

    def counted(processors):
        name = "process_cpu_count" if hasattr(_kernels.os, "process_cpu_count") else "cpu_count"
        monkeypatch.setattr(_kernels.os, name, lambda: processors)
        tallies = _kernels.Tallies(np.zeros(15), np.zeros(15), np.full(15, -np.inf))
        _kernels.count_block(
            entries if stored else (scores, truth, weight), grid._replace(offsets=grid.offsets[:6]), tallies
        )
        return tallies

    alone = counted(1)
    for processors in (2, 3, 64):
        for first, second in zip(alone, counted(processors), strict=True):
            np.testing.assert_array_equal(first, second)
    assert alone.tp.sum() == pytest.approx((weight[:, np.newaxis] * ((truth == 1) & (scores >= 0.25))).sum())
