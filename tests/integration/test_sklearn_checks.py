"""scikit-learn's own checks of estimators."""

import pytest
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import estimator_checks_generator

from limen.sklearn import FixedThresholds, ThresholdTuner

LOGISTIC = LogisticRegression(solver="liblinear")
TREE = DecisionTreeClassifier(max_depth=3, random_state=0)
# These two gave the weighted and the repeated rows different labels, until scikit-learn 1.7.
MISTAKEN = {
    f"check_sample_weight_equivalence_on_{kind}_data": "this scikit-learn gives the two fits different labels"
    for kind in ("dense", "sparse")
    if sklearn.__version__.startswith("1.6.")
}
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
        for parameters in estimator_checks_generator(tuner, expected_failed_checks=MISTAKEN, mark="xfail"):
            estimator, check = getattr(parameters, "values", parameters)
            marks = getattr(parameters, "marks", ())
            said = str(check.func.__name__)
            if "array_api" in said or ("decision_function" in said and not hasattr(tuner, "decision_function")):
                continue
            yield pytest.param(estimator, check, id=f"{name}-{said}", marks=marks)


@pytest.mark.filterwarnings("ignore")  # the checks give data as small as one item, of which estimators warn
@pytest.mark.parametrize(("estimator", "check"), list(checks()))
def test_scikit_learns_checks(estimator, check):
    check(estimator)
