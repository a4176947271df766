"""Evaluation against scikit-learn, by hand, and what it refuses."""

import numpy as np
import pytest
from sklearn import metrics as sk

import limen
from limen.errors import InputError
from strategies import AVERAGES, data, smooth_data, tuned

SK = {
    "f1": sk.f1_score,
    "precision": sk.precision_score,
    "recall": sk.recall_score,
    "jaccard": sk.jaccard_score,
    "f2": lambda y, d, **options: sk.fbeta_score(y, d, beta=2, **options),
    "f0.5": lambda y, d, **options: sk.fbeta_score(y, d, beta=0.5, **options),
}
POOLED = {
    "mcc": sk.matthews_corrcoef,
    "kappa": sk.cohen_kappa_score,
    "accuracy": sk.accuracy_score,
    "balanced_accuracy": sk.balanced_accuracy_score,
    "fowlkes_mallows": lambda y, d, sample_weight: np.sqrt(
        sk.precision_score(y, d, sample_weight=sample_weight) * sk.recall_score(y, d, sample_weight=sample_weight)
    ),
    "youden_j": lambda y, d, sample_weight: 2 * sk.balanced_accuracy_score(y, d, sample_weight=sample_weight) - 1,
    "cost": lambda y, d, sample_weight: -sk.zero_one_loss(y, d, sample_weight=sample_weight),
}
CUTS = np.array([0.3, 0.5, 0.6])


def case(seed):
    problem = smooth_data(seed, n_items=40)
    weight = np.random.default_rng(seed).integers(1, 5, 40) / 2
    return problem.y_true.astype(int), problem.y_score, weight


@pytest.mark.parametrize("zero_division", [0, 1])
@pytest.mark.parametrize("average", [*AVERAGES, "none"])
@pytest.mark.parametrize("metric", SK)
def test_averages_are_those_of_scikit_learn(metric, average, zero_division):
    for seed in range(4):
        y_true, y_score, weight = case(seed)
        y_true[:, seed % 3] = seed == 1
        for w in (None, weight):
            measured = limen.evaluate(
                y_true, y_score, CUTS, metric=metric, average=average, sample_weight=w, zero_division=zero_division
            )
            options = {"average": None if average == "none" else average, "zero_division": float(zero_division)}
            expected = SK[metric](y_true, y_score >= CUTS, sample_weight=w, **options)
            np.testing.assert_allclose(measured.value, expected, rtol=1e-12)


@pytest.mark.parametrize("metric", POOLED)
def test_pooled_values_are_those_of_scikit_learn(metric):
    for seed in range(4):
        y_true, y_score, weight = case(seed)
        measured = limen.evaluate(y_true, y_score, CUTS, metric=metric, sample_weight=weight)
        flat = y_true.ravel(), (y_score >= CUTS).ravel()
        expected = POOLED[metric](*flat, sample_weight=np.repeat(weight, 3))
        assert measured.value == pytest.approx(expected, rel=1e-12)


def test_a_small_case_by_hand():
    y_true, y_score = [[1, 0], [0, 0], [1, np.nan]], [[0.9, 0.1], [0.6, 0.2], [0.4, 0.8]]
    measured = limen.evaluate(y_true, y_score, [0.5, np.inf], labels=["dog", "cat"])
    assert measured.value == 0.5
    dog = {"support": 2, "tp": 1, "fp": 1, "fn": 1, "precision": 0.5, "recall": 0.5, "f1": 0.5}
    assert measured.table[0] == {"label": "dog", "state": "too few positives", "threshold": 0.5, **dog}
    assert measured.table[1]["threshold"] == np.inf
    assert [measured.table[1][key] for key in ("support", "tp", "fp", "fn", "precision", "f1")] == [0] * 6
    assert measured.states == ("few", "no_tags")
    assert measured.gains[0].tolist() == [0, 0]
    assert measured.counts.n.tolist() == [3, 2]
    assert not measured.on_tuning_data


def test_the_default_is_what_was_tuned_for():
    problem, other = smooth_data(0), smooth_data(1)
    t = tuned(problem, metric="f2", average="macro", zero_division=1)
    measured = limen.evaluate(*other[:2], t)
    assert (str(measured.metric), measured.average, measured.zero_division) == ("F2", "macro", 1)
    assert (
        measured.value == limen.evaluate(*other[:2], t.values, metric="f2", average="macro", zero_division=1).value
    )
    assert limen.evaluate(*other[:2], t, metric="mcc", average="micro").value != measured.value


@pytest.mark.parametrize("method", ["exact", "top-k:2", "mcut", "shared"])
def test_on_the_tuning_data_it_says_so(method):
    problem = smooth_data(0)
    t = tuned(problem, method=method)
    measured = limen.evaluate(*problem[:2], t)
    assert measured.value == t.value
    assert measured.on_tuning_data
    assert "60 items tuned on: new data will give less" in measured.summary()
    elsewhere = limen.evaluate(*smooth_data(1)[:2], t)
    assert not elsewhere.on_tuning_data
    assert "tuned on" not in elsewhere.summary()


def test_unknown_labels_and_a_mask_are_left_out():
    y_true, y_score, _ = case(0)
    known = np.random.default_rng(0).random(y_true.shape) < 0.5
    masked = limen.evaluate(y_true, y_score, 0.5, mask=known)
    with_nan = limen.evaluate(np.where(known, y_true, np.nan), y_score, 0.5)
    assert masked.value == with_nan.value
    assert masked.counts.n.tolist() == known.sum(axis=0).tolist()


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_a_plain_threshold_is_compared_in_the_dtype_of_the_scores(dtype):
    y_score = np.array([[0.3], [0.2]], dtype)
    assert limen.evaluate([[1], [0]], y_score, 0.3).value == 1


def test_lists_of_label_names():
    measured = limen.evaluate(
        [["dog"], [], ["cat", "dog"]], CUTS[[[0, 1], [1, 0], [2, 2]]], 0.5, labels=["dog", "cat"]
    )
    assert measured.counts.p.tolist() == [2, 1]
    t = limen.tune([[1, 0], [0, 1]], [[0.5, 0.1], [0.2, 0.6]], labels=["dog", "cat"], method="exact")
    assert limen.evaluate([["dog"], ["cat"]], [[0.5, 0.1], [0.2, 0.6]], t).value == 1


@pytest.mark.parametrize(
    ("thresholds", "options", "words"),
    [
        ([0.5], {}, "thresholds have shape (1,) for 2 labels"),
        (np.nan, {}, "thresholds have shape () for 2 labels"),
        (0.5, {"average": "binary"}, "average='binary' cannot be optimised"),
        (0.5, {"metric": "auc"}, "metric='auc' is unknown"),
        (0.5, {"metric": {"name": "cost", "fp": [1, 2, 3]}}, "the cost fp has 3 values for 2 labels"),
        (0.5, {"zero_division": -1}, "zero_division=-1 is not usable"),
        (0.5, {"labels": ["a"]}, "labels has 1 name, y_score has 2 columns"),
    ],
)
def test_refused(thresholds, options, words):
    with pytest.raises(InputError) as caught:
        limen.evaluate([[1, 0]], [[0.5, 0.5]], thresholds, **options)
    assert words in str(caught.value)


def test_thresholds_of_other_labels():
    t = tuned(data([[1, 1]], [[0.5, 0.5]]), labels=["dog", "cat"])
    with pytest.raises(
        InputError, match="different labels: 'dog' only in the thresholds, 'bird' only in the data"
    ):
        limen.evaluate([[1, 1]], [[0.5, 0.5]], t, labels=["cat", "bird"])
    assert limen.evaluate([[1, 0]], [[0.5, 0.4]], t, labels=["cat", "dog"]).table[0]["label"] == "dog"
    with pytest.raises(InputError):
        limen.evaluate([[1]], [[0.5]], t)


class TestShown:
    hostile = ("<script>alert(1)</script>", "[bold]dog[/bold]")

    def measured(self, **options):
        return limen.evaluate(
            [[1, 0], [0, 1]], [[0.5, 0.1], [0.2, 0.6]], [0.5, np.inf], labels=self.hostile, **options
        )

    def test_in_one_line(self):
        assert repr(self.measured()).startswith("Evaluation(2 labels; micro F1 66.7 %")
        assert "measured on 2 items" in repr(self.measured())
        assert "micro F1 by label" not in repr(self.measured(average="none"))
        assert "F1 by label, measured on 2 items" in repr(self.measured(average="none"))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_rule_by_item_has_no_number_as_its_threshold(dtype: type) -> None:
    truth = np.array([[1, 0], [0, 1], [1, 1], [0, 0]] * 5)
    score = np.array([[0.9, 0.2], [0.3, 0.7]] * 10, dtype)
    t = limen.tune(truth, score, average="samples", method="expected-f")
    assert [row[2] for row in limen.evaluate(truth, score, t).shown().rows] == ["any", "any"]
