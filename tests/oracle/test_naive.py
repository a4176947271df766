"""The oracle's counts, metrics and averages, against scikit-learn and hand-worked tables."""

import ast
import math
from fractions import Fraction
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics as sk

from oracle import naive
from oracle.problems import column, random_problem

F = Fraction
INF = math.inf
AVERAGES = ("micro", "macro", "weighted")

# By table (tp, pp, p, n); irrational metrics as signed squares; in "cost 2:5" a false positive costs 2.
HAND_WORKED = {
    (3, 5, 4, 10): {  # fp 2, fn 1, tn 4
        "precision": F(3, 5),
        "recall": F(3, 4),
        "f1": F(2, 3),
        "f0.5": F(5, 8),
        "f2": F(5, 7),
        "jaccard": F(1, 2),
        "accuracy": F(7, 10),
        "balanced_accuracy": F(17, 24),
        "youden_j": F(5, 12),
        "kappa": F(2, 5),
        "mcc": F(1, 6),  # 10 / sqrt(600)
        "fowlkes_mallows": F(9, 20),
        "g_mean": F(1, 2),
        "cost": F(-3, 10),
        "cost 2:5": F(-9, 10),
    },
    (0, 2, 1, 4): {  # fp 2, fn 1, tn 1: worse than chance
        "precision": 0,
        "recall": 0,
        "f1": 0,
        "f0.5": 0,
        "f2": 0,
        "jaccard": 0,
        "accuracy": F(1, 4),
        "balanced_accuracy": F(1, 6),
        "youden_j": F(-2, 3),
        "kappa": F(-1, 2),
        "mcc": F(-1, 3),  # -2 / sqrt(12)
        "fowlkes_mallows": 0,
        "g_mean": 0,
        "cost": F(-3, 4),
        "cost 2:5": F(-9, 4),
    },
    (2, 2, 2, 5): dict.fromkeys(naive.METRICS, 1) | {"cost": 0, "cost 2:5": 0},
}
ALL_METRICS = naive.METRICS | {"cost 2:5": naive.cost(fp_cost=2, fn_cost=5)}


@pytest.mark.parametrize("name", ALL_METRICS)
@pytest.mark.parametrize("table", HAND_WORKED)
def test_metric_equals_the_hand_worked_value(table, name):
    assert ALL_METRICS[name](*table) == HAND_WORKED[table][name]
    assert ALL_METRICS[name](*table, zero_division=1) == HAND_WORKED[table][name]
    assert isinstance(ALL_METRICS[name](*table), F)


def test_metric_names():
    expected = "f1 f0.5 f2 precision recall jaccard accuracy balanced_accuracy kappa mcc fowlkes_mallows g_mean"
    assert set(naive.METRICS) == {*expected.split(), "youden_j", "cost"}


@pytest.mark.parametrize("z", [0, 1, F(1, 3), -1])
def test_zero_division_by_hand(z):
    square = z * abs(z)
    ratios = {"precision", "recall", "f1", "f0.5", "f2", "jaccard", "kappa"}
    chance = {"mcc": square, "fowlkes_mallows": square}
    no_positives_none_kept = dict.fromkeys(ratios, z) | chance | {"accuracy": 1, "cost": 0}
    no_positives_none_kept |= {"balanced_accuracy": F(z + 1) / 2, "youden_j": z, "g_mean": z}
    no_positives_some_kept = {
        "recall": z,
        "precision": 0,
        "f1": 0,
        "f0.5": 0,
        "f2": 0,
        "jaccard": 0,
        "kappa": 0,
    }
    no_positives_some_kept |= chance | {"accuracy": F(2, 3), "cost": F(-1, 3), "g_mean": z * F(2, 3)}
    no_positives_some_kept |= {"balanced_accuracy": (z + F(2, 3)) / 2, "youden_j": z - F(1, 3)}
    all_positive_all_kept = dict.fromkeys(ratios | {"fowlkes_mallows", "accuracy"}, 1) | {"cost": 0}
    all_positive_all_kept |= {"kappa": z, "mcc": square, "g_mean": z}
    all_positive_all_kept |= {"balanced_accuracy": F(1 + z) / 2, "youden_j": z}
    no_items = dict.fromkeys(ratios | {"accuracy", "cost", "balanced_accuracy"}, z) | chance
    no_items |= {"youden_j": 2 * z - 1, "g_mean": z * z}
    expected = {
        (0, 0, 0, 3): no_positives_none_kept,
        (0, 1, 0, 3): no_positives_some_kept,
        (3, 3, 3, 3): all_positive_all_kept,
        (0, 0, 0, 0): no_items,
    }
    for table, values in expected.items():
        assert {name: metric(*table, z) for name, metric in naive.METRICS.items()} == values


# scikit-learn has no g-mean or Fowlkes-Mallows of a table: they are made of its precision and recalls.
# Not compared, as its convention is another one (what is expected is then zero_division, or made of recalls):
# balanced_accuracy_score drops a missing class; matthews_corrcoef is 0 when a class or a decision is missing;
# cohen_kappa_score is NaN for 0/0; weighted averages are unweighted means when no label has a positive.


def both_recalls(y, d, z, w):
    return [sk.recall_score(y, d, pos_label=c, sample_weight=w, zero_division=z) for c in (1, 0)]


def sk_balanced_accuracy(y, d, z, w, adjusted=False):
    if len(set(y)) == 2:
        return sk.balanced_accuracy_score(y, d, sample_weight=w, adjusted=adjusted)
    return sum(both_recalls(y, d, z, w)) - 1 if adjusted else sum(both_recalls(y, d, z, w)) / 2


def sk_fowlkes_mallows(y, d, z, w):
    if not any(y) or not any(d):
        return z
    return math.sqrt(sk.precision_score(y, d, sample_weight=w) * sk.recall_score(y, d, sample_weight=w))


BY_COLUMN = {
    "accuracy": lambda y, d, z, w: sk.accuracy_score(y, d, sample_weight=w),
    "balanced_accuracy": sk_balanced_accuracy,
    "youden_j": lambda y, d, z, w: sk_balanced_accuracy(y, d, z, w, adjusted=True),
    "g_mean": lambda y, d, z, w: math.sqrt(math.prod(both_recalls(y, d, z, w))),
    "fowlkes_mallows": sk_fowlkes_mallows,
    "cost": lambda y, d, z, w: -sk.zero_one_loss(y, d, sample_weight=w),
    "mcc": lambda y, d, z, w: (
        z if len(set(y)) == 1 or len(set(d)) == 1 else sk.matthews_corrcoef(y, d, sample_weight=w)
    ),
    "kappa": lambda y, d, z, w: z if len({*y, *d}) == 1 else sk.cohen_kappa_score(y, d, sample_weight=w),
}
WITH_AVERAGE = {
    "f1": sk.f1_score,
    "f0.5": lambda *args, **options: sk.fbeta_score(*args, beta=0.5, **options),
    "f2": lambda *args, **options: sk.fbeta_score(*args, beta=2, **options),
    "precision": sk.precision_score,
    "recall": sk.recall_score,
    "jaccard": sk.jaccard_score,
}


@pytest.mark.parametrize("zero_division", [0, 1])
@pytest.mark.parametrize("name", naive.METRICS)
def test_metric_equals_scikit_learn_on_every_small_table(name, zero_division):
    tables = [t for t in product(range(5), repeat=4) if 0 < sum(t) <= 4]  # tp, fp, fn, tn
    for tp, fp, fn, tn in tables:
        y, d = [1] * tp + [0] * fp + [1] * fn + [0] * tn, [1] * (tp + fp) + [0] * (fn + tn)
        ours = naive.METRICS[name](tp, tp + fp, tp + fn, tp + fp + fn + tn, zero_division)
        if name in BY_COLUMN:
            theirs = BY_COLUMN[name](y, d, zero_division, None)
        else:
            theirs = WITH_AVERAGE[name](y, d, zero_division=zero_division)
        assert naive.as_float(name, ours) == pytest.approx(theirs, abs=1e-12)
    assert len(tables) == 69


@pytest.mark.parametrize("zero_division", [0, 1])
@pytest.mark.parametrize("seed", range(16))
def test_averages_equal_scikit_learn(seed, zero_division):
    y_true, y_score, thresholds, w = random_problem(seed, n_labels=3)
    w = w if seed % 2 else None
    y = np.array(y_true)
    d = (np.array(y_score) >= np.array(thresholds)).astype(int)
    per_label = naive.counts(y_true, y_score, thresholds, w)
    flat_weight = None if w is None else np.repeat(w, 3)
    label_weight = [float(p) for _, _, p, _ in per_label]
    for name, average in product(naive.METRICS, AVERAGES):
        if average == "weighted" and not y.any():
            continue
        if name in WITH_AVERAGE:
            theirs = WITH_AVERAGE[name](y, d, average=average, sample_weight=w, zero_division=zero_division)
        elif average == "micro":
            theirs = BY_COLUMN[name](y.ravel(), d.ravel(), zero_division, flat_weight)
        else:
            columns = [BY_COLUMN[name](y[:, k], d[:, k], zero_division, w) for k in range(3)]
            theirs = np.average(columns, weights=label_weight if average == "weighted" else None)
        ours = naive.as_float(name, naive.value(name, average, per_label, zero_division))
        assert ours == pytest.approx(theirs, abs=1e-12), (name, average)


@pytest.mark.parametrize("seed", range(25))
def test_counts_equal_scikit_learn(seed):
    y_true, y_score, thresholds, w = random_problem(seed, n_labels=3)
    d = (np.array(y_score) >= np.array(thresholds)).astype(int)
    for weight in (None, w):
        matrices = sk.multilabel_confusion_matrix(np.array(y_true), d, sample_weight=weight)
        expected = [(tp, tp + fp, tp + fn, tp + fp + fn + tn) for ((tn, fp), (fn, tp)) in matrices.tolist()]
        assert naive.counts(y_true, y_score, thresholds, weight) == expected  # quarters are exact in floats


# Counts


def test_counts_by_hand_with_ties_and_never():
    y_true = [[1, 0, 1], [0, 1, 1], [1, 1, 0], [0, 0, 0]]
    y_score = [[0.5, 2, 1], [0.5, 3, 1], [0.5, 1, 1], [0.1, 0, 1]]
    assert naive.counts(y_true, y_score, [0.5, 2, INF]) == [(2, 3, 2, 4), (1, 2, 2, 4), (0, 0, 2, 4)]
    above = math.nextafter(0.5, 1)
    assert naive.counts(y_true, y_score, [above, -INF, 1]) == [(0, 0, 2, 4), (2, 4, 2, 4), (2, 4, 2, 4)]


@pytest.mark.parametrize(("zero", "other"), [(0.0, -0.0), (-0.0, 0.0), (0, -0.0)])
def test_minus_zero_is_zero(zero, other):
    assert naive.counts([[1], [0]], [[zero], [other]], [other]) == [(1, 2, 1, 2)]
    assert naive.all_cuts([1, 0], [zero, other]) == [INF, 0]
    assert naive.curve([1, 0], [zero, other]) == [(INF, 0, 0, 0), (0, 1, 1, None)]


@pytest.mark.parametrize(("truth", "threshold", "expected"), [
    (1, 0.5, (1, 1, 1, 1)), (1, 0.6, (0, 0, 1, 1)), (0, 0.5, (0, 1, 0, 1)), (0, 0.6, (0, 0, 0, 1)),
    (None, 0.5, (0, 0, 0, 0)), (True, 0.5, (1, 1, 1, 1)), (False, 0.5, (0, 1, 0, 1)),
])  # fmt: skip
def test_one_item_one_label(truth, threshold, expected):
    assert naive.counts([[truth]], [[0.5]], [threshold]) == [expected]


def test_unweighted_counts_are_ints_and_weighted_counts_exact_fractions():
    y_true, y_score = [[1], [1], [0]], [[3], [2], [1]]
    assert all(type(count) is int for count in naive.counts(y_true, y_score, [1])[0])
    tenth = F(0.1)  # what the float holds, not 1/10
    assert naive.counts(y_true, y_score, [2], [0.1, 0.1, 0.1]) == [(2 * tenth, 2 * tenth, 2 * tenth, 3 * tenth)]


@pytest.mark.parametrize("seed", range(25))
def test_unknown_labels_equal_dropped_items(seed):
    y_true, y_score, thresholds, w = random_problem(seed, n_labels=3, unknown=True)
    per_label = naive.counts(y_true, y_score, thresholds, w)
    for k in range(3):
        known = [i for i, row in enumerate(y_true) if row[k] in (0, 1)]
        y, s, v = [y_true[i][k] for i in known], [y_score[i][k] for i in known], [w[i] for i in known]
        if known:
            assert naive.counts([[t] for t in y], [[x] for x in s], [thresholds[k]], v) == [per_label[k]]
        else:
            assert per_label[k] == (0, 0, 0, 0)
        assert naive.all_cuts(column(y_true, k), column(y_score, k)) == naive.all_cuts(y, s)
        assert naive.curve(column(y_true, k), column(y_score, k), w) == naive.curve(y, s, v)


def test_unknown_labels_by_hand():
    y_true, y_score = [[1, None], [math.nan, 0], [0, 1]], [[3, 3], [2, 2], [1, 1]]
    assert naive.counts(y_true, y_score, [2, 2]) == [(1, 1, 1, 2), (0, 1, 1, 2)]
    assert naive.all_cuts(column(y_true, 0), column(y_score, 0)) == [INF, 3, 1]


@pytest.mark.parametrize(("truth", "score"), [(2, 0.5), (0.5, 0.5), (-1, 0.5), (1, math.nan), (1, INF), (0, -INF)])
def test_refuses_what_has_no_meaning(truth, score):
    with pytest.raises(ValueError, match="the oracle wants"):
        naive.counts([[truth]], [[score]], [0.5])


def test_refuses_shapes_that_do_not_match():
    for y_true, y_score, thresholds, weight in [
        ([[1], [0]], [[1]], [0], None),
        ([[1, 0]], [[1]], [0], None),
        ([[1]], [[1]], [0, 0], None),
        ([[1]], [[1]], [0], [1, 1]),
    ]:
        with pytest.raises(ValueError, match="argument"):
            naive.counts(y_true, y_score, thresholds, weight)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_arrays_equal_lists(dtype):
    y_true, y_score, thresholds, w = random_problem(3, n_items=6, n_labels=3, unknown=True)
    y_array = np.array(y_true, dtype=float)  # None becomes NaN
    s_array, t_array, w_array = np.array(y_score, dtype), np.array(thresholds, dtype), np.array(w)
    s_list, t_list = s_array.tolist(), t_array.tolist()
    assert naive.counts(y_array, s_array, t_array, w_array) == naive.counts(y_true, s_list, t_list, w)
    assert naive.counts(list(y_array), list(s_array), t_array, w) == naive.counts(y_true, s_list, t_list, w)
    assert naive.best("f1", "micro", y_array, s_array, w_array) == naive.best("f1", "micro", y_true, s_list, w)
    assert naive.curve(y_array[:, 0], s_array[:, 0], w_array) == naive.curve(
        column(y_true, 0), column(s_list, 0), w
    )


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_array_neighbours_stay_apart(dtype):
    half, one = np.array([0.5, 1], dtype)
    above = np.nextafter(half, one)
    assert naive.counts(np.array([[1], [0]]), np.array([[above], [half]]), np.array([above])) == [(1, 1, 1, 2)]


def test_the_oracle_stands_alone():
    tree = ast.parse(Path(naive.__file__).read_text(encoding="utf-8"))
    plain = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    origins = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert plain | origins == {"math", "fractions", "itertools"}


# Averages

TWO_LABELS = [(3, 5, 4, 10), (0, 2, 1, 4)]


@pytest.mark.parametrize(("metric", "average", "expected"), [
    ("f1", "micro", F(1, 2)),  # (3, 7, 5, 14): 6 / 12
    ("f1", "macro", F(1, 3)),
    ("f1", "weighted", F(8, 15)),
    ("kappa", "macro", F(-1, 20)),
    ("kappa", "weighted", F(11, 50)),  # (4 * 2/5 - 1/2) / 5
    ("cost", "micro", F(-6, 14)),
    ("mcc", "micro", F(49, 2205)),  # 7 / sqrt(5 * 7 * 9 * 7)
    ("mcc", "macro", (math.sqrt(1 / 6) - math.sqrt(1 / 3)) / 2),
    ("mcc", "weighted", (4 * math.sqrt(1 / 6) - math.sqrt(1 / 3)) / 5),
])  # fmt: skip
def test_value_by_hand(metric, average, expected):
    value = naive.value(metric, average, TWO_LABELS)
    assert value == (pytest.approx(expected, abs=1e-15) if isinstance(expected, float) else expected)
    assert type(value) is type(expected)
    assert naive.value(naive.METRICS[metric], average, TWO_LABELS) == value


def test_weighted_average_without_positives_is_zero_division():
    for metric, z in product(naive.METRICS, [0, 1, F(1, 2)]):
        assert naive.value(metric, "weighted", [(0, 1, 0, 3), (0, 0, 0, 2)], z) == z


def test_unknown_average_is_refused():
    with pytest.raises(ValueError, match="average='samples'"):
        naive.value("f1", "samples", TWO_LABELS)


def test_as_float():
    assert naive.as_float("mcc", F(-1, 4)) == naive.as_float(naive.mcc, F(-1, 4)) == -0.5
    assert naive.as_float("mcc", -0.25) == naive.as_float("kappa", F(-1, 4)) == -0.25
    assert naive.as_float("g_mean", F(9, 4)) == 1.5
    assert isinstance(naive.as_float(naive.fbeta(3), F(1)), float)
