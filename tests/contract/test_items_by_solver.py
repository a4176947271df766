"""Averages over items with every method: values are the oracle's, local optima never above the best."""

import pickle
from fractions import Fraction
from itertools import product
from re import escape

import numpy as np
import pytest
from sklearn import metrics as sk

import limen
from limen import solvers
from limen.errors import InputError, UnsupportedError
from limen.solvers.base import OF_COUNTS
from oracle import items
from strategies import data, random_data, tuned

METRICS = ("f1", "f2", "jaccard", "precision", "recall", "subset_accuracy", "segment_error_rate")
SERVING = {
    "auto": solvers.Auto(folds=2, samples=3),
    "ascent": "ascent",
    "sgl": solvers.SurrogateGradient(epochs=5),
    "shared": "shared",
    "fixed": "fixed:0.5",
    "top-k": "top-k",
    "pcut": "pcut",
    "mcut": "mcut",
    "expected-f": "expected-f",
}
REFUSING = ("bagged", "smoothed", "shrunk", "calibrated", "exact", "numerical", "random-search")
BY_ITEM = ("top-k", "mcut", "expected-f")
ROUNDING = 1e-12


def some_problems():
    """Ties, unknown labels, weights, items without labels, labels without positives."""
    for seed in range(8):
        yield (
            seed,
            random_data(seed, n_labels=2 + seed % 2, most_items=7, unknown=seed % 4 == 3, weighted=seed % 2),
        )


def test_every_method_serves_or_refuses():
    assert {*SERVING, *REFUSING} == set(solvers.METHODS)


@pytest.mark.parametrize(
    ("method", "metric"), [pair for pair in product(SERVING, METRICS) if pair != ("sgl", "subset_accuracy")]
)
def test_the_value_is_that_of_the_decisions(method, metric):
    for seed, problem in some_problems():
        zero = (0.0, 1.0, 0.5)[seed % 3]
        t = tuned(problem, metric=metric, average="samples", method=SERVING[method], zero_division=zero)
        known = items.value(metric, problem.y_true, t.decide(problem.y_score), problem.sample_weight, zero)
        assert t.value == pytest.approx(float(known), abs=ROUNDING), seed
        assert t.average == "samples"
        assert (t.status, t.upper_bound) == ("local", None)
        best = items.best(metric, problem.y_true, problem.y_score, problem.sample_weight, zero)
        assert method in BY_ITEM or t.value <= float(best) + ROUNDING, seed


@pytest.mark.parametrize("metric", METRICS)
def test_ascent_is_the_best_of_small_problems(metric):
    """At least 95 of 100; never above, which would be a wrong count."""
    hits = 0
    for seed in range(100):
        problem = random_data(seed, most_items=8, most_labels=3)
        zero = (0.0, 1.0, 0.5)[seed % 3]
        t = tuned(problem, metric=metric, average="samples", method="ascent", zero_division=zero)
        best = float(items.best(metric, problem.y_true, problem.y_score, problem.sample_weight, zero))
        assert t.value <= best + ROUNDING, seed
        hits += t.value >= best - ROUNDING
        assert t.status == ("optimal" if problem.y_true.shape[1] == 1 else "local")
    assert hits >= 95


def test_ascent_of_more_labels_is_mostly_the_best():
    """Five labels and few items, where a change of one label often cannot help."""
    hits = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        problem = data(rng.integers(0, 2, (5, 5)), rng.integers(1, 4, (5, 5)) / 4)
        t = tuned(problem, average="samples", method="ascent")
        best = float(items.best("f1", *problem[:2]))
        assert t.value <= best + ROUNDING
        hits += t.value >= best - ROUNDING
    assert hits >= 19


@pytest.mark.parametrize("metric", METRICS)
def test_no_change_of_one_label_helps(metric):
    rng = np.random.default_rng(0)
    y_true = (rng.random((20, 4)) < 0.3).astype(int)
    problem = data(y_true, np.round(rng.normal(y_true, 1), 1))
    t = tuned(problem, metric=metric, average="samples", method="ascent")
    for k in range(4):
        for cut in [np.inf, *np.unique(problem.y_score[:, k])]:
            moved = t.values.copy()
            moved[k] = cut
            other = items.value(metric, y_true, items.decided(problem.y_score, moved))
            assert float(other) <= t.value + ROUNDING


@pytest.mark.parametrize("method", REFUSING)
def test_methods_of_counts_refuse(method):
    words = f"method='{method}' needs a metric of per-label counts; got samples F1. Use method='auto', or 'ascent'"
    with pytest.raises(UnsupportedError, match=escape(words)):
        tuned(random_data(0, n_labels=2), average="samples", method=method)


def test_ascent_is_for_items_alone():
    with pytest.raises(
        UnsupportedError, match="ascent needs an objective that is items; micro F1 is linear-ratio"
    ):
        tuned(random_data(0, n_labels=2), method="ascent")
    assert "items" not in OF_COUNTS


def test_curves_do_not_do():
    problem = random_data(0, n_labels=2, weighted=False)
    curves = pickle.loads(pickle.dumps(limen.Curves.from_arrays(*problem[:2])))
    for method in ("auto", "ascent", "sgl", "pcut"):
        with pytest.raises(UnsupportedError, match="Give the scores and labels"):
            limen.tune(curves, average="samples", method=method)
    with pytest.raises(UnsupportedError, match="the frontier holds counts by label; subset accuracy needs whole"):
        limen.frontier(curves).thresholds(0, metric="subset_accuracy")


def test_other_shares_of_positives_do_not_do():
    with pytest.raises(UnsupportedError, match="samples F1 cannot be tuned for other shares of positives"):
        tuned(random_data(0, n_labels=2), average="samples", method="auto", target_prevalence=[0.1, 0.2])


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"metric": "mcc", "average": "samples"}, UnsupportedError, "a samples average of MCC is not known"),
        (
            {"metric": {"name": "cost", "fp": [1, 2]}, "average": "samples"},
            UnsupportedError,
            "a samples average of negated cost is not known",
        ),
        ({"metric": "subset_accuracy", "average": "macro"}, InputError, "has no value by label to average"),
        ({"metric": "subset_accuracy", "method": "sgl"}, UnsupportedError, "subset accuracy has none"),
    ],
)
def test_what_is_not_known_is_refused(options, kind, words):
    with pytest.raises(kind, match=escape(words)):
        tuned(random_data(0, n_labels=2), **options)


@pytest.mark.parametrize("zero_division", [0.0, 1.0])
def test_values_are_those_of_scikit_learn(zero_division):
    rng = np.random.default_rng(1)
    for _ in range(20):
        y_true, y_score = rng.integers(0, 2, (12, 4)), rng.integers(0, 5, (12, 4)) / 4
        weight = rng.integers(1, 4, 12).astype(float)
        y_pred = y_score >= 0.5
        more = {"sample_weight": weight, "zero_division": zero_division}
        theirs = {
            "f1": sk.f1_score(y_true, y_pred, average="samples", **more),
            "f2": sk.fbeta_score(y_true, y_pred, beta=2, average="samples", **more),
            "jaccard": sk.jaccard_score(y_true, y_pred, average="samples", **more),
            "precision": sk.precision_score(y_true, y_pred, average="samples", **more),
            "recall": sk.recall_score(y_true, y_pred, average="samples", **more),
            "subset_accuracy": sk.accuracy_score(y_true, y_pred, sample_weight=weight),
        }
        for metric, known in theirs.items():
            found = limen.evaluate(
                y_true,
                y_score,
                0.5,
                metric=metric,
                average="samples",
                sample_weight=weight,
                zero_division=zero_division,
            )
            assert found.value == pytest.approx(known, abs=1e-14), metric


def test_segment_error_rate_by_hand():
    """Two segments with 3 labels: one substituted and one deleted; one inserted. (1 + 1 + 1) / 3."""
    y_true, y_score = [[1, 1, 0, 0], [1, 0, 0, 0]], [[0, 0, 1, 0], [1, 1, 0, 0]]
    found = limen.evaluate(y_true, y_score, 0.5, metric="segment_error_rate")
    assert found.value == -1
    assert "segment error rate 1.000" in repr(found)
    assert float(items.value("segment_error_rate", y_true, y_score)) == Fraction(-1)


class TestFunctionOfDecisions:
    """A callable: every cut is tried by a call."""

    @staticmethod
    def hamming(y_true, y_pred):
        return 1 - float(np.mean(y_true != y_pred))

    def test_it_finds_the_best_of_what_is_separable(self):
        for seed in range(20):
            problem = random_data(seed, unknown=False, weighted=False)
            t = tuned(problem, metric=self.hamming, method="auto")
            assert t.value == pytest.approx(tuned(problem, metric="accuracy", method="exact").value, abs=1e-12)
            assert t.reason.startswith("local search with ")
            assert t.status == "local"

    def test_it_is_never_above_the_best(self):
        def samples_f1(y_true, y_pred):
            return float(items.value("f1", y_true, y_pred))

        for seed in range(20):
            problem = random_data(seed, unknown=False, weighted=False)
            t = tuned(problem, metric=samples_f1, method="auto")
            assert t.value <= float(items.best("f1", *problem[:2])) + ROUNDING
            assert t.value == pytest.approx(samples_f1(problem.y_true, t.decide(problem.y_score)))

    def test_it_is_measured_and_compared(self):
        problem = random_data(3, n_items=30, n_labels=2, unknown=False, weighted=False)
        found = limen.evaluate(*problem[:2], 0.5, metric=self.hamming, baseline=0.25)
        by_counts = limen.evaluate(*problem[:2], 0.5, metric="accuracy")
        assert found.value == pytest.approx(by_counts.value)
        assert found.interval[0] <= found.value <= found.interval[1]
        assert found.difference.low <= found.difference.value <= found.difference.high
        compared = limen.compare(*problem[:2], metric=self.hamming, methods=["fixed:0.5", "auto"], cv=3)
        assert compared["fixed:0.5"].held_out == pytest.approx(by_counts.value)

    def test_the_calls_are_counted_and_end(self):
        calls = []

        def count(y_true, y_pred):
            calls.append(1)
            return self.hamming(y_true, y_pred)

        problem = random_data(5, n_items=40, n_labels=3, unknown=False, weighted=False)
        t = tuned(problem, metric=count, method=solvers.Ascent(calls=1))
        assert "the calls were used up" in t.reason
        assert len(calls) < 100

    @pytest.mark.parametrize(
        ("function", "words"),
        [
            (lambda y_true, y_pred: 2.0, "returned 2.0. It must be finite and at most 1"),
            (lambda y_true, y_pred: float("nan"), "returned nan"),
            (lambda y_true, y_pred: None, "returned no number"),
        ],
    )
    def test_no_number(self, function, words):
        with pytest.raises(InputError, match=escape(words)):
            tuned(random_data(0, n_labels=2, unknown=False, weighted=False), metric=function, method="auto")

    def test_what_it_cannot_know_is_refused(self, tmp_path):
        problem = random_data(1, n_labels=2, n_items=5, unknown=False, weighted=False)
        with pytest.raises(UnsupportedError, match="knows of no weights and no unknown labels"):
            tuned(problem._replace(sample_weight=np.arange(1.0, 6.0)), metric=self.hamming, method="auto")
        t = tuned(problem, metric=self.hamming, method="auto")
        with pytest.raises(UnsupportedError, match="is a function of decisions, which a file cannot hold"):
            t.save(tmp_path / "t.json")
        with pytest.raises(UnsupportedError, match="needs a metric with a gradient"):
            tuned(problem, metric=self.hamming, method="sgl")
