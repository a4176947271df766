"""The compiled loops that no other test asks alone."""

from __future__ import annotations

import numpy as np
import pytest

from limen import _kernels
from limen._kernels import Points, threads
from limen.sources.blocks import Tallies


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


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("stored", [False, True])
def test_any_number_of_processors_counts_alike(monkeypatch, stored, weighted):
    """By rows where there are no weights, and by labels."""
    rng = np.random.default_rng(0)
    n_items = 300
    monkeypatch.setattr(threads, "WORTH_THREADS", 100)
    scores, truth = rng.integers(0, 9, (n_items, 5)) / 8, rng.integers(-1, 2, (n_items, 5)).astype(np.int8)
    weight = rng.random(n_items) if weighted else np.ones(n_items, np.int64)
    grid = _kernels.Grid(np.arange(0, 20, 3), np.tile([np.inf, 0.75, 0.25], 5))
    row, label = np.divmod(np.arange(n_items * 5), 5)
    entries = scores.ravel(), label, truth.ravel(), weight[row], row

    def counted(processors):
        name = "process_cpu_count" if hasattr(threads.os, "process_cpu_count") else "cpu_count"
        monkeypatch.setattr(threads.os, name, lambda: processors)
        tallies = Tallies(*np.zeros((2, 15), weight.dtype), np.full(15, -np.inf))
        block = entries if stored else (scores, truth, weight)
        _kernels.count_block(block, grid._replace(offsets=grid.offsets[:6]), tallies)
        return tallies

    alone = counted(1)
    for processors in (2, 3, 64):
        for first, second in zip(alone, counted(processors), strict=True):
            np.testing.assert_array_equal(first, second)
    assert alone.tp.sum() == pytest.approx((weight[:, np.newaxis] * ((truth == 1) & (scores >= 0.25))).sum())


def random_block(seed, n_items, n_labels, dtype, *, weighted):
    """Labels with 0 to 200 finite cuts, and scores that are cuts, their neighbours, zeros, or below all."""
    rng = np.random.default_rng(seed)
    columns, cuts = [], []
    for k in range(n_labels):
        ladder = np.unique(rng.normal(0, 1, SIZES[(seed + k) % len(SIZES)]).astype(dtype))[::-1]
        cuts.append(np.concatenate([np.array([np.inf], dtype), ladder]))
        lowest = ladder[-1:] if len(ladder) else np.zeros(1, dtype)
        near = [np.nextafter(ladder, dtype(to)) for to in (-np.inf, np.inf)]
        pool = np.concatenate([ladder, *near, lowest - dtype(1), np.array([0.0, -0.0], dtype)])
        columns.append(rng.choice(pool, n_items))
    truth = rng.choice(np.array([-1, 0, 1], np.int8), (n_items, n_labels), p=[0.1, 0.6, 0.3])
    weight = rng.random(n_items) if weighted else np.ones(n_items, np.int64)
    grid = _kernels.Grid(np.cumsum([0, *map(len, cuts)]), np.concatenate(cuts))
    return (np.ascontiguousarray(np.transpose(columns)), truth, weight), grid


SIZES = (0, 1, 2, 63, 64, 65, 127, 128, 129, 200)
RUNS_AND_TILES = [(1, 17), (255, 33), (511, 16), (512, 15), (513, 1), (513, 32), (1025, 17)]


def empty(grid, weight):
    counts = np.zeros((2, len(grid.cuts)), weight.dtype)
    return Tallies(*counts, np.full(len(grid.cuts), -np.inf, grid.cuts.dtype))


def compared_with_every_cut(block, grid):
    scores, truth, weight = block
    tallies = empty(grid, weight)
    for k in range(scores.shape[1]):
        known = truth[:, k] >= 0
        own, first = grid.cuts[grid.offsets[k] : grid.offsets[k + 1]], grid.offsets[k]
        place = (own[:, np.newaxis] > scores[known, k]).sum(axis=0)
        for counts, code in ((tallies.tp, 1), (tallies.fp, 0)):
            some = (truth[known, k] == code) & (place < len(own))
            np.add.at(counts, first + place[some], weight[known][some])
        np.maximum.at(tallies.beneath, first + place - 1, scores[known, k])
    return tallies


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("n_items", "n_labels"), RUNS_AND_TILES)
def test_counts_at_the_edges_of_runs_and_tiles(n_items, n_labels, dtype, weighted):
    """In one block, in two, or as entries: the same to the last bit."""
    for seed in range(len(SIZES)):
        block, grid = random_block(seed, n_items, n_labels, dtype, weighted=weighted)
        expected = compared_with_every_cut(block, grid)
        row, label = np.divmod(np.arange(n_items * n_labels), n_labels)
        half = n_items // 2
        entries = block[0].ravel(), label, block[1].ravel(), block[2][row], row
        for parts in ([block], [tuple(p[:half] for p in block), tuple(p[half:] for p in block)], [entries]):
            tallies = empty(grid, block[2])
            for part in parts:
                _kernels.count_block(part, grid, tallies)
            for found, wanted in zip(tallies, expected, strict=True):
                np.testing.assert_array_equal(found, wanted)


SHAPES = {
    "even": lambda x: x,
    "all below 0": lambda x: x - 9,
    "near 0": lambda x: np.exp(8 * x - 30),
    "near 1": lambda x: 1 / (1 + np.exp(-4 * x - 9)),
    "on both sides of a wide gap": lambda x: np.where(x > 0, x + 1e30, -x * 1e-30),
    "as far apart as can be": lambda x: np.where(
        x > 1, np.finfo(np.float32).max, np.finfo(np.float32).min * (x < 0)
    ),
    "next to each other": lambda x: 1 + np.floor(50 * x) * 2.0**-52,
    "few": lambda x: np.round(2 * x),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES)
def test_many_cuts_however_they_lie(monkeypatch, shape, dtype):
    """Labels with many cuts among labels with few, by rows and by labels."""
    monkeypatch.setattr(threads, "WORTH_THREADS", 1000)
    name = "process_cpu_count" if hasattr(threads.os, "process_cpu_count") else "cpu_count"
    rng = np.random.default_rng(0)
    n_items, n_labels = 20000, 9
    scores = SHAPES[shape](rng.normal(0, 1, (n_items, n_labels))).astype(dtype)
    truth = (rng.random((n_items, n_labels)) < np.array([0.5, 0, 0.9, 0.001, 0.3, 0.5, 1, 0, 0.4])).astype(np.int8)
    truth[rng.random(truth.shape) < 0.05] = -1
    wanted = [np.unique(scores[truth[:, k] == 1, k])[::-1] for k in range(n_labels)]
    for processors in (1, 2, 4):
        monkeypatch.setattr(threads.os, name, lambda n=processors: n)
        offsets, cuts, _ = _kernels.distinct_falling(*_kernels.positive_scores(scores, truth)[:2])
        grid = _kernels.Grid(offsets, cuts)
        for k, own in enumerate(wanted):
            np.testing.assert_array_equal(cuts[offsets[k] : offsets[k + 1]], [np.inf, *own])
        for weight in (np.ones(n_items, np.int64), np.arange(n_items) / 4):
            tallies = empty(grid, weight)
            _kernels.count_block((scores, truth, weight), grid, tallies)
            for found, expected in zip(tallies, by_sorting(scores, truth, weight, grid), strict=True):
                np.testing.assert_array_equal(found, expected)


def by_sorting(scores, truth, weight, grid):
    tallies = empty(grid, weight)
    for k in range(scores.shape[1]):
        first, end = grid.offsets[k], grid.offsets[k + 1]
        known = truth[:, k] >= 0
        own, x, code = grid.cuts[first:end], scores[known, k], truth[known, k]
        place = end - first - np.searchsorted(own[::-1], x, side="right")
        for counts, wanted in ((tallies.tp, 1), (tallies.fp, 0)):
            some = (code == wanted) & (place < end - first)
            np.add.at(counts, first + place[some], weight[known][some])
        np.maximum.at(tallies.beneath, first + place - 1, x)
    return tallies


def test_an_infinite_score_stays_within_its_label():
    """Scores are checked in the first pass only: a file that changes after it must not reach other memory."""
    grid = _kernels.Grid(np.array([0, 1, 4, 5]), np.array([np.inf, np.inf, 0.5, 0.25, np.inf]))
    block = np.full((300, 3), np.inf), np.ones((300, 3), np.int8), np.ones(300, np.int64)
    tallies = empty(grid, block[2])
    _kernels.count_block(block, grid, tallies)
    assert tallies.tp.tolist() == [0, 0, 300, 0, 0]
    assert tallies.fp.tolist() == [0] * 5
    assert tallies.beneath.tolist() == [-np.inf, np.inf, -np.inf, -np.inf, -np.inf]


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize(("n_items", "n_labels"), [(3, 1), (300, 15), (300, 16), (300, 33)])
def test_weights_and_moments_of_bins(n_items, n_labels, stored):
    rng = np.random.default_rng(0)
    x, truth = rng.integers(0, 65, (n_items, n_labels)) / 64, rng.integers(-1, 2, (n_items, n_labels))
    weight = rng.integers(0, 9, n_items) / 4
    x[0], truth = 5.0, truth.astype(np.int8)  # beyond the last bin
    x[1] = -5.0
    expected = np.zeros((n_labels, 8, 2, 2))
    for i, k in zip(*np.nonzero(truth >= 0), strict=True):
        cell = expected[k, min(max(int(x[i, k] * 8), 0), 7), truth[i, k]]
        cell += weight[i] * np.array([1, x[i, k]])
    row, label = np.divmod(np.arange(x.size), n_labels)
    entries = x.ravel(), label, truth.ravel(), weight[row], row
    sums = np.zeros_like(expected)
    _kernels.bin_block(
        entries if stored else (x, truth, weight), (np.zeros(n_labels), np.full(n_labels, 8.0)), sums
    )
    np.testing.assert_array_equal(sums, expected)
