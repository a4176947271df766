"""The oracle's best thresholds, curves, gradient and frontier, by hand and against plainer definitions."""

import math
import random
from fractions import Fraction
from itertools import combinations, product

import pytest

from oracle import naive
from oracle.problems import column, random_problem, repeated

F = Fraction
INF = math.inf
AVERAGES = ("micro", "macro", "weighted")
ABOVE_HALF = math.nextafter(0.5, 1)


@pytest.mark.parametrize("seed", range(25))
def test_weights_equal_repeated_items(seed):
    y_true, y_score, thresholds, _ = random_problem(seed, n_items=5, n_labels=2, unknown=True)
    times = [random.Random(seed).randint(1, 3) for _ in y_true]
    y_more, score_more = repeated(y_true, times), repeated(y_score, times)
    assert naive.counts(y_true, y_score, thresholds, times) == naive.counts(y_more, score_more, thresholds)
    assert naive.frontier(y_true, y_score, times) == naive.frontier(y_more, score_more)
    assert naive.surrogate_gradient(y_true, y_score, [0.2, 0.4], 7, sample_weight=times) == pytest.approx(
        naive.surrogate_gradient(y_more, score_more, [0.2, 0.4], 7)
    )
    for k in range(2):
        expected = naive.curve(column(y_more, k), column(score_more, k))
        assert naive.curve(column(y_true, k), column(y_score, k), times) == expected
    for metric, average in product(["f1", "mcc", "accuracy"], AVERAGES):
        expected = naive.best(metric, average, y_more, score_more)
        assert naive.best(metric, average, y_true, y_score, times) == expected


def test_best_by_hand():
    y_true = [[1, 0], [0, 1], [1, 0], [0, 0]]
    y_score = [[0.9, 0.6], [0.8, 0.5], [0.7, 0.4], [0.2, 0.1]]
    assert naive.all_cuts(column(y_true, 0), column(y_score, 0)) == [INF, 0.9, 0.8, 0.7, 0.2]
    # alone: first label .9 -> 2/3, .7 -> 4/5; second label .5 -> 2/3. Together (3, 5, 3, 8) -> 6/8.
    assert naive.best("f1", "micro", y_true, y_score) == (F(3, 4), [(0.7, 0.5)])
    assert naive.best("f1", "macro", y_true, y_score) == (F(11, 15), [(0.7, 0.5)])
    assert naive.best("f1", "weighted", y_true, y_score) == (F(34, 45), [(0.7, 0.5)])
    # one error in four: the first label at .9 or .7, the second at never or .5
    four_ways = [(0.9, INF), (0.9, 0.5), (0.7, INF), (0.7, 0.5)]
    assert naive.best("accuracy", "micro", y_true, y_score) == (F(3, 4), four_ways)
    assert naive.best("accuracy", "macro", y_true, y_score) == (F(3, 4), four_ways)
    # only positives kept
    assert naive.best("precision", "micro", y_true, y_score) == (1, [(0.9, INF)])


def test_best_lists_every_tie_and_weight_zero_labels_take_any_cut():
    y_true, y_score = [[1, 0], [0, 0], [0, 0], [1, 0]], [[9, 1], [5, 1], [4, 2], [3, 2]]
    first, second = [9, 3], [INF, 2, 1]  # 2 / (1 + 2) = 4 / (4 + 2)
    assert naive.best("f1", "weighted", y_true, y_score) == (F(2, 3), list(product(first, second)))
    assert naive.best("f1", "macro", y_true, y_score) == (F(1, 3), list(product(first, second)))
    assert naive.best("f1", "macro", y_true, y_score, zero_division=1) == (F(5, 6), [(9, INF), (3, INF)])
    assert naive.best("f1", "micro", y_true, y_score) == (F(2, 3), [(9, INF), (3, INF)])
    nothing = [[0, 0] for _ in y_true]
    assert len(naive.best("mcc", "weighted", nothing, y_score)[1]) == 5 * 3


def test_best_of_an_irrational_metric_by_hand():
    y_true, y_score = [[1], [0], [1], [0]], [[4], [3], [2], [1]]
    # mcc at 4: (4 - 2) / sqrt(2*1*2*3) = 2 / sqrt(12), and at 2: (8 - 6) / sqrt(2*3*2*1), the same
    assert naive.best("mcc", "micro", y_true, y_score) == (F(1, 3), [(4,), (2,)])
    value, vectors = naive.best("mcc", "macro", y_true, y_score)
    assert value == pytest.approx(math.sqrt(1 / 3), abs=1e-15)
    assert vectors == [(4,), (2,)]


@pytest.mark.parametrize("zero_division", [0, 1])
@pytest.mark.parametrize("seed", range(12))
def test_best_equals_trying_every_vector(seed, zero_division):
    y_true, y_score, _, w = random_problem(seed, n_items=5, n_labels=2, unknown=seed % 2)
    cuts = [naive.all_cuts(column(y_true, k), column(y_score, k)) for k in range(2)]
    tables = {vector: naive.counts(y_true, y_score, vector, w) for vector in product(*cuts)}
    for metric, average in product(naive.METRICS, AVERAGES):
        values = {vector: naive.value(metric, average, table, zero_division) for vector, table in tables.items()}
        top = max(values.values())
        slack = 1e-12 if isinstance(top, float) else 0
        value, vectors = naive.best(metric, average, y_true, y_score, w, zero_division)
        assert abs(value - top) <= slack
        assert vectors == [vector for vector in values if top - values[vector] <= slack], (metric, average)


@pytest.mark.parametrize("seed", range(12))
def test_all_cuts_reach_every_decision(seed):
    y_true, y_score, _, _ = random_problem(seed, n_labels=1)
    truths, scores = column(y_true, 0), column(y_score, 0)
    reached = {tuple(score >= cut for score in scores) for cut in naive.all_cuts(truths, scores)}
    grid = {INF, -INF, *scores, *(score + nudge for score in scores for nudge in (-1e-9, 1e-9))}
    assert reached == {tuple(score >= cut for score in scores) for cut in grid}
    assert len(reached) == len(naive.all_cuts(truths, scores))


# Curves


@pytest.mark.parametrize(("truths", "scores", "expected"), [
    ([1, 0, 1, 0, 1, 0], [9, 9, 7, 5, 3, 1], [(INF, 0, 0, 9), (9, 1, 1, 7), (7, 2, 1, 5), (3, 3, 2, 1)]),
    ([1, 1, 0], [2, 2, 3], [(INF, 0, 0, 3), (2, 2, 1, None)]),
    ([0, 0], [2, 1], [(INF, 0, 0, 2)]),
    ([1, 1], [2, 1], [(INF, 0, 0, 2), (2, 1, 0, 1), (1, 2, 0, None)]),
    ([1, None, 0], [2, 1.5, 1], [(INF, 0, 0, 2), (2, 1, 0, 1)]),
    ([1, 0], [ABOVE_HALF, 0.5], [(INF, 0, 0, ABOVE_HALF), (ABOVE_HALF, 1, 0, 0.5)]),
    ([None], [2], [(INF, 0, 0, None)]),
    ([], [], [(INF, 0, 0, None)]),
])  # fmt: skip
def test_curve_by_hand(truths, scores, expected):
    assert naive.curve(truths, scores) == expected


def test_an_item_of_weight_zero_is_still_an_item():
    assert naive.curve([1, 0, 1], [3, 2, 1], [1, 0, 0]) == [(INF, 0, 0, 3), (3, 1, 0, 2), (1, 1, 0, None)]
    assert naive.all_cuts([1, 0, 1], [3, 2, 1]) == [INF, 3, 2, 1]


# SGL-Thresh


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def test_surrogate_gradient_by_hand():
    # one positive and one negative kept: F = 2 / (2 + 2); only the first is near, where h(0) = slope / 4
    y_true, y_score = [[1], [0], [1], [0]], [[0.5], [900.0], [-900.0], [-901.0]]
    assert naive.surrogate_gradient(y_true, y_score, [0.5], 8) == [-0.25 * 2 * (2 - 0.5)]
    # the same item as a negative: F = 0
    assert naive.surrogate_gradient([[0], [0], [1], [0]], y_score, [0.5], 8) == [0]
    assert naive.surrogate_gradient([[0]], [[0.5]], [0.6], 8) == [0]  # 0/0
    assert naive.surrogate_gradient(y_true, y_score, [INF], 8) == [0]


@pytest.mark.parametrize("seed", range(12))
def test_surrogate_gradient_is_the_closed_form_and_the_slope_of_the_smoothed_sum(seed):
    rng = random.Random(seed)
    n_items, n_labels, slope = 8, 3, rng.choice([1, 5, 20])
    y_true = [[1, *(rng.randint(0, 1) for _ in range(n_labels - 1))] for _ in range(n_items)]
    y_score = [[rng.random() for _ in range(n_labels)] for _ in range(n_items)]
    thresholds = [rng.random() for _ in range(n_labels)]
    gradient = naive.surrogate_gradient(y_true, y_score, thresholds, slope)

    tp, pp, p, _ = (sum(c) for c in zip(*naive.counts(y_true, y_score, thresholds), strict=True))
    f1 = 2 * tp / (pp + p)

    def h(x):
        return slope * sigmoid(slope * x) * (1 - sigmoid(slope * x))

    def smoothed(moved):
        kept = [[sigmoid(slope * (s - t)) for s, t in zip(row, moved, strict=True)] for row in y_score]
        soft_pp = sum(map(sum, kept))
        soft_tp = sum(k * y for ks, ys in zip(kept, y_true, strict=True) for k, y in zip(ks, ys, strict=True))
        return soft_tp, soft_pp

    for k in range(n_labels):
        closed = [h(s[k] - thresholds[k]) * (2 * y[k] - f1) for y, s in zip(y_true, y_score, strict=True)]
        assert gradient[k] == pytest.approx(-sum(closed) / (pp + p), rel=1e-9, abs=1e-15)
        step = 1e-5
        up, down = ([t + (j == k) * e for j, t in enumerate(thresholds)] for e in (step, -step))
        d_tp, d_pp = ((a - b) / (2 * step) for a, b in zip(smoothed(up), smoothed(down), strict=True))
        assert gradient[k] == pytest.approx((2 * d_tp - f1 * d_pp) / (pp + p), rel=1e-5, abs=1e-9)


def test_surrogate_gradient_takes_other_partials():
    y_true, y_score = [[1, None], [0, 1], [0, 0]], [[0.5, 0.1], [0.7, 0.9], [0.2, 0.4]]
    thresholds, w = [0.4, 0.6], [1, 2.5, 3]
    only_tp = naive.surrogate_gradient(y_true, y_score, thresholds, 5, lambda *c: (1, 0), w)
    only_pp = naive.surrogate_gradient(y_true, y_score, thresholds, 5, lambda *c: (0, 1), w)
    both = naive.surrogate_gradient(y_true, y_score, thresholds, 5, lambda *c: (3, -2), w)
    assert both == pytest.approx([3 * a - 2 * b for a, b in zip(only_tp, only_pp, strict=True)])
    assert all(only_tp)
    assert only_tp != only_pp


def test_f1_partials_are_the_slopes_of_f1():
    step = F(1, 10**6)
    f1 = naive.METRICS["f1"]
    for tp, pp, p, n in [(3, 5, 4, 10), (0, 2, 1, 4), (2, 2, 2, 5)]:
        d_tp = (f1(tp + step, pp, p, n) - f1(tp - step, pp, p, n)) / (2 * step)
        d_pp = (f1(tp, pp + step, p, n) - f1(tp, pp - step, p, n)) / (2 * step)
        assert naive.f1_partials(tp, pp, p, n) == pytest.approx((float(d_tp), float(d_pp)), abs=1e-9)
    assert naive.f1_partials(0, 0, 0, 4) == (0, 0)


# The frontier


def test_frontier_by_hand():
    y_true, y_score = [[1, 0], [0, 1], [1, 0]], [[3, 3], [2, 2], [1, 1]]
    # label 0 reaches (0,0) (1,1) (2,1) (3,2); label 1 reaches (0,0) (1,0) (2,1) (3,1)
    points = [(0, 0), (1, 0), (1, 1), (2, 1), (3, 1), (3, 2), (4, 2), (5, 2), (5, 3), (6, 3)]
    assert naive.frontier(y_true, y_score) == (points, [(0, 0), (1, 1), (5, 3), (6, 3)])
    assert naive.frontier([[0], [0]], [[1], [2]]) == ([(0, 0), (1, 0), (2, 0)], [(0, 0), (2, 0)])
    assert naive.frontier([[1], [1]], [[1], [1]]) == ([(0, 0), (2, 2)], [(0, 0), (2, 2)])
    assert naive.frontier([[None]], [[1]]) == ([(0, 0)], [(0, 0)])


@pytest.mark.parametrize("seed", range(25))
def test_frontier_equals_its_definitions(seed):
    y_true, y_score, _, w = random_problem(seed, n_items=5, n_labels=3, unknown=seed % 2)
    w = w if seed % 3 == 0 else None
    cuts = [naive.all_cuts(column(y_true, k), column(y_score, k)) for k in range(3)]
    tables = [naive.counts(y_true, y_score, vector, w) for vector in product(*cuts)]
    reachable = {(sum(label[1] for label in table), sum(label[0] for label in table)) for table in tables}
    points, hull = naive.frontier(y_true, y_score, w)
    assert points == sorted(reachable)

    def is_vertex(pp, tp):
        if any(x == pp and y > tp for x, y in points):
            return False
        chords = ((a, b) for a, b in combinations(points, 2) if a[0] < pp < b[0])
        return all((tp - a[1]) * (b[0] - a[0]) > (b[1] - a[1]) * (pp - a[0]) for a, b in chords)

    assert hull == [point for point in points if is_vertex(*point)]
