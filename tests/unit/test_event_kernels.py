"""Kernels of events on their own: ranks, medians of any width, filters that commute with thresholds."""

import numpy as np
import pytest

from limen._kernels.events import Frames, keys_of, median_scores, ranked
from limen._kernels.events.filters import close_gaps, keep_long, spread
from limen._kernels.events.ranking import rising
from limen.events import Events, FrameScores, Intersection, Setting, event_curves
from oracle import events as oracle


def random_frames(rng, most):
    sizes = rng.integers(0, most, 4)
    offsets = np.append(0, np.cumsum(sizes))
    return Frames(offsets, np.zeros(0, np.int64)), rng.integers(0, rng.integers(2, 50), offsets[-1]).astype(
        np.int32
    )


@pytest.mark.parametrize("width", [1, 3, 5, 9, 25, 31, 33, 61, 99, 999])
def test_medians_of_any_width(width):
    rng = np.random.default_rng(width)
    for most in (3, 40, 150, 700):
        frames, ranks = random_frames(rng, most)
        expected = []
        for a, b in zip(frames.offsets[:-1], frames.offsets[1:], strict=True):
            expected += oracle.filtered(ranks[a:b].tolist(), width)
        found = median_scores(frames, ranks, width)
        assert np.array_equal(found, np.maximum(expected, -1))


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
@pytest.mark.parametrize("size", [0, 1, 20, 3000])
def test_ranks_are_those_of_sorted_distinct_scores(dtype, size):
    rng = np.random.default_rng(size)
    values = np.where(rng.random(size) < 0.3, rng.integers(-2, 3, size), rng.normal(0, 1e3, size)).astype(dtype)
    values[: size // 10] = np.array([-0.0, 0.0, np.finfo(dtype).tiny, np.finfo(dtype).max, np.finfo(dtype).min])[
        np.arange(size // 10) % 5
    ]
    before = values.copy()
    ranks, first = ranked(keys_of(values))
    distinct, place = np.unique(values, return_inverse=True)
    assert np.array_equal(ranks, place)
    assert np.array_equal(values[first], distinct)
    assert np.array_equal(values.view("u1"), before.view("u1"))
    keys = rng.integers(0, 1 << 40, size)
    assert np.array_equal(rising(keys), np.argsort(keys, kind="stable"))


@pytest.mark.parametrize("seed", range(30))
def test_filters_leave_the_stretches_of_the_plain_way(seed):
    """Frames are not quite of one length, as after rounding to microseconds, and some lengths are met exactly."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 40))
    edges = np.append(0, np.cumsum(rng.integers(33, 36, n)))
    gap, shortest = (int(rng.integers(0, 5)) * 34 + int(rng.integers(-1, 2)) for _ in range(2))
    high, low = rng.integers(0, 6, n), rng.integers(0, 3, n)
    room = np.empty(n, np.int32), np.empty(n + 1, np.int64)
    codes = np.empty(n, np.int32)
    spread(high.astype(np.int32), (high + low).astype(np.int32), np.int32(-1), codes)
    if gap > 0:
        close_gaps(edges, codes, gap, room)
    if shortest > 0:
        keep_long(edges, codes, shortest, False, room)
    for code in range(9):
        inside = np.concatenate([[False], codes >= code, [False]])
        change = np.flatnonzero(np.diff(inside))
        found = list(zip(edges[change[::2]].tolist(), edges[change[1::2]].tolist(), strict=True))
        # The plain way knows one score a frame: 1 where it reaches a peak, else 0 where it belongs.
        score = np.where(high >= code, 1, np.where(high + low >= code, 0, -1))
        assert found == oracle.detected(score.tolist(), edges.tolist(), 1, 0, 1, max(gap, 0), shortest)


def test_a_share_of_nothing_is_a_microsecond():
    scores = FrameScores(("x",), {"a": np.array([[0.0], [2.0], [0.0], [1.0]])}, 0.1)
    events = Events.from_rows([("a", 0.35, 0.350001, "x")])
    curves = event_curves(scores, events, Setting(), Intersection(dtc=1e-6, gtc=1e-6))
    assert [curves.tp[0].tolist(), curves.pp[0].tolist()] == [[0, 0, 1, 1], [0, 1, 2, 1]]
    assert curves.cuts.tolist() == [np.inf, 2.0, 1.0, 0.0]
