"""scikit-learn's own checks of estimators."""

import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import estimator_checks_generator

from limen.sklearn import FixedThresholds, ThresholdTuner

LOGISTIC = LogisticRegression(solver="liblinear")
TREE = DecisionTreeClassifier(max_depth=3, random_state=0)
TUNERS = {
    "at half": ThresholdTuner(LOGISTIC, method="fixed:0.5"),
    "several labels": ThresholdTuner(TREE, method="exact"),
    "auto": ThresholdTuner(TREE, store_cv_results=False),
    "decision function": ThresholdTuner(LinearSVC(), method="exact"),
    "fixed": FixedThresholds(LOGISTIC),
    "fixed, several labels": FixedThresholds(TREE),
}


def checks():
    """Every check that applies: those of array libraries are no claim of ours, nor a method that is not there."""
    for name, tuner in TUNERS.items():
        for estimator, check in estimator_checks_generator(tuner):
            said = str(check.func.__name__)
            if "array_api" in said or ("decision_function" in said and not hasattr(tuner, "decision_function")):
                continue
            yield pytest.param(estimator, check, id=f"{name}-{said}")


@pytest.mark.filterwarnings("ignore")  # the checks give data as small as one item, of which estimators warn
@pytest.mark.parametrize(("estimator", "check"), list(checks()))
def test_scikit_learns_checks(estimator, check):
    check(estimator)
