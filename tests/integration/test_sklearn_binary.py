"""Beside TunedThresholdClassifierCV: the exact method's optimum is the best there is."""

# ruff: noqa: N806 - X is what scikit-learn calls the items

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits, make_classification
from sklearn.metrics import (
    balanced_accuracy_score,
    f1_score,
    make_scorer,
    matthews_corrcoef,
)
from sklearn.model_selection import TunedThresholdClassifierCV, cross_val_predict, train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from limen.sklearn import ThresholdTuner


def made(**options):
    return make_classification(600, n_informative=4, random_state=0, **options)


DATA = {
    "cancer": lambda: load_breast_cancer(return_X_y=True),
    "digits": lambda: (load_digits().data[:900], (load_digits().target[:900] == 8).astype(int)),
    "rare": lambda: made(weights=[0.95], flip_y=0.02),
    "noisy": lambda: made(weights=[0.6], flip_y=0.4),
}
MODELS = {
    "bayes": GaussianNB(),
    "neighbours, with ties": KNeighborsClassifier(7),
    "tree, with many ties": DecisionTreeClassifier(max_depth=3, random_state=0),
}
METRICS = {
    "f1": f1_score,
    "balanced_accuracy": balanced_accuracy_score,
    "mcc": matthews_corrcoef,
}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("data", DATA)
def test_the_optimum_is_not_below_scikit_learns(data, model):
    X, y = DATA[data]()
    X_fit, X_tune, y_fit, y_tune = train_test_split(X, y, random_state=0, stratify=y)
    fitted = MODELS[model].fit(X_fit, y_fit)
    scores = fitted.predict_proba(X_tune)[:, 1]
    for metric, of in METRICS.items():
        ours = ThresholdTuner(fitted, metric=metric, method="exact", cv="prefit").fit(X_tune, y_tune)
        theirs = TunedThresholdClassifierCV(fitted, scoring=make_scorer(of), cv="prefit", refit=False).fit(
            X_tune, y_tune
        )
        value = of(y_tune, ours.predict(X_tune))
        assert value >= of(y_tune, theirs.predict(X_tune)) - 1e-12
        best = max(of(y_tune, scores >= cut) for cut in np.unique(scores))
        assert value == pytest.approx(best, abs=1e-12)
        assert ours.thresholds_.value == pytest.approx(best, abs=1e-12)


@pytest.mark.parametrize("data", DATA)
def test_the_optimum_of_five_folds_is_not_below_scikit_learns(data):
    X, y = DATA[data]()
    ours = ThresholdTuner(GaussianNB(), method="exact").fit(X, y)
    theirs = TunedThresholdClassifierCV(GaussianNB(), scoring="f1", cv=5).fit(X, y)
    scores = cross_val_predict(GaussianNB(), X, y, cv=5, method="predict_proba")[:, 1]
    best = f1_score(y, scores >= ours.thresholds_.values[0])
    assert best == pytest.approx(ours.thresholds_.value)
    assert best >= f1_score(y, scores >= theirs.best_threshold_)
    np.testing.assert_array_equal(ours.estimator_.predict_proba(X), theirs.estimator_.predict_proba(X))
