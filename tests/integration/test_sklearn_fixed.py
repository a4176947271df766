"""FixedThresholds: given cuts on a fitted estimator, for one label or many, from numbers or a file."""

# ruff: noqa: N803 - X is what scikit-learn calls the items

import numpy as np
import pandas
import pytest
from sklearn import config_context
from sklearn.base import BaseEstimator
from sklearn.datasets import make_classification, make_multilabel_classification
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

import limen
from limen.errors import InputError
from limen.sklearn import FixedThresholds, ThresholdTuner

X, Y = make_multilabel_classification(160, n_features=8, n_classes=3, random_state=0)
X_BINARY, Y_BINARY = make_classification(200, weights=[0.8], flip_y=0.1, random_state=0)
WORDS = np.where(Y_BINARY == 1, "rain", "dry")
NAMES = ["dog", "cat", "bird"]
MODELS = {
    "one vs rest": OneVsRestClassifier(GaussianNB()),
    "multi-output": MultiOutputClassifier(GaussianNB()),
    "decision function": OneVsRestClassifier(LinearSVC()),
    "pipeline": make_pipeline(StandardScaler(), OneVsRestClassifier(GaussianNB())),
    "search": GridSearchCV(OneVsRestClassifier(GaussianNB()), {"n_jobs": [None]}, cv=2),
}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("columns", [3, 2])
def test_it_decides_as_the_tuner_does(model, columns, tmp_path):
    """Of two labels too, which look like two classes."""
    y = Y[:, :columns]
    fitted = MODELS[model].fit(X, y)
    tuner = ThresholdTuner(fitted, cv="prefit", average="macro").fit(X, y)
    path = tmp_path / "thresholds.json"
    tuner.thresholds_.save(path)
    for thresholds in (tuner.thresholds_, path, str(path), tuner.thresholds_.values):
        fixed = FixedThresholds(fitted, thresholds)
        np.testing.assert_array_equal(fixed.predict(X), tuner.predict(X))
        assert fixed.labels_ == tuner.labels_
        np.testing.assert_array_equal(fixed.classes_, tuner.classes_)
    assert FixedThresholds(fitted, path).score(X, y) == tuner.score(X, y) == tuner.thresholds_.value
    half = 0.0 if model == "decision function" else 0.5
    np.testing.assert_array_equal(
        FixedThresholds(fitted, half, labels=NAMES[:columns]).predict(X), fitted.predict(X)
    )


@pytest.mark.parametrize("pos_label", [None, "dry"])
@pytest.mark.parametrize("estimator", [GaussianNB(), LinearSVC()])
def test_binary_is_as_scikit_learns(estimator, pos_label):
    """But for a score at the threshold, which both give."""
    fitted = estimator.fit(X_BINARY, WORDS)
    for cut in (-0.3, 0.2, 0.5):
        ours = FixedThresholds(fitted, cut, pos_label=pos_label)
        theirs = FixedThresholdClassifier(fitted, threshold=cut, pos_label=pos_label or "rain")
        np.testing.assert_array_equal(ours.predict(X_BINARY), theirs.fit(X_BINARY, WORDS).predict(X_BINARY))
        assert ours.classes_.tolist() == ["dry", "rain"]
        np.testing.assert_array_equal(ours.fit(X_BINARY, WORDS).predict(X_BINARY), theirs.predict(X_BINARY))
        assert ours.estimator_ is not fitted


def test_rules_by_item():
    fitted = MODELS["one vs rest"].fit(X, Y)
    t = limen.tune(Y, fitted.predict_proba(X), method="top-k:1")
    np.testing.assert_array_equal(FixedThresholds(fitted, t).predict(X), t.decide(fitted.predict_proba(X)))


def test_labels_are_matched_by_name():
    fitted = MODELS["one vs rest"].fit(X, Y)
    scores = fitted.predict_proba(X)
    order = [2, 0, 1]
    t = limen.tune(
        Y[:, order], scores[:, order], labels=[NAMES[k] for k in order], average="macro", method="exact"
    )
    wanted = np.empty(Y.shape, int)
    wanted[:, order] = t.decide(scores[:, order])
    frame = pandas.DataFrame(Y, columns=NAMES)
    for fixed in (
        FixedThresholds(fitted, t, labels=NAMES),
        FixedThresholds(MODELS["one vs rest"], t).fit(X, frame),
    ):
        np.testing.assert_array_equal(fixed.predict(X), wanted)
        assert fixed.labels_ == tuple(NAMES)
    by_place = FixedThresholds(fitted, t)
    assert by_place.labels_ == t.labels
    np.testing.assert_array_equal(by_place.predict(X), t.decide(scores))
    with pytest.raises(
        InputError, match=r"thresholds lack 1 label of the estimator: 'cow'\. They are matched by name"
    ):
        FixedThresholds(fitted, t, labels=["dog", "cat", "cow"]).predict(X)
    with pytest.raises(
        InputError, match=r"are for 3 labels \('bird', 'dog', 'cat'\), the estimator has 2 \('0', '1'\)"
    ):
        FixedThresholds(MODELS["one vs rest"], t).fit(X, Y[:, :2])


def test_outputs_and_weights():
    fixed = FixedThresholds(MODELS["multi-output"].fit(X, Y), 0.3, labels=NAMES).set_output(transform="pandas")
    assert fixed.predict(X).columns.tolist() == NAMES
    times = np.arange(160) % 3
    repeated = fixed.score(np.repeat(X, times, axis=0), np.repeat(Y, times, axis=0))
    assert fixed.score(X, Y, sample_weight=times) == pytest.approx(repeated)
    weight = np.linspace(0.1, 2, 200)
    by_hand = GaussianNB().fit(X_BINARY, Y_BINARY, sample_weight=weight).predict_proba(X_BINARY)
    plain = FixedThresholds(GaussianNB()).fit(X_BINARY, Y_BINARY, sample_weight=weight)
    with config_context(enable_metadata_routing=True):
        asking = GaussianNB().set_fit_request(sample_weight=True)
        routed = FixedThresholds(asking).fit(X_BINARY, Y_BINARY, sample_weight=weight)
    for fixed in (plain, routed):
        np.testing.assert_array_equal(fixed.predict_proba(X_BINARY), by_hand)


def test_errors():
    with pytest.raises(NotFittedError):
        FixedThresholds(GaussianNB()).predict(X)
    for thresholds, words in (
        ([0.1, 0.2], r"thresholds have shape \(2,\) for 3 labels"),
        (None, "thresholds have shape"),
    ):
        with pytest.raises(InputError, match=words):
            FixedThresholds(LogisticRegression(), thresholds).fit(X, Y)
    fitted = MODELS["multi-output"].fit(X, Y)
    with pytest.raises(InputError, match="the estimator has 3 labels, and 2 names are given"):
        FixedThresholds(fitted, labels=["a", "b"]).predict(X)

    class Silent(BaseEstimator):
        def predict_proba(self, X):
            return np.full((len(X), 2), 0.6)

        def fit(self, X, y):
            raise AssertionError

        def __sklearn_is_fitted__(self):
            return True

    with pytest.raises(InputError, match="Silent does not say its labels"):
        FixedThresholds(Silent()).predict(X)
    assert FixedThresholds(Silent(), [0.7, 0.5]).predict(X[:1]).tolist() == [[0, 1]]
