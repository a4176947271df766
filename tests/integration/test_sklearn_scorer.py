"""The scorer: the metric after tuning, on items not tuned on."""

# ruff: noqa: N803 - X is what scikit-learn calls the items

import pickle

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import make_classification, make_multilabel_classification
from sklearn.metrics import f1_score
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score, cross_validate
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import LinearSVC

import limen
from limen.errors import InputError
from limen.sklearn import ThresholdTuner, tuned_scorer

X, Y = make_multilabel_classification(200, n_features=8, n_classes=4, random_state=4)
X_BINARY, Y_BINARY = make_classification(300, weights=[0.8], flip_y=0.1, random_state=4)
MODEL = OneVsRestClassifier(GaussianNB()).fit(X[:100], Y[:100])


def exact(**options):
    return tuned_scorer(method="exact", **options)


def test_by_hand():
    """Each part is decided by the thresholds of the others; the counts are summed, then comes the metric."""
    cv = KFold(4)
    scores = MODEL.predict_proba(X)
    decided = np.empty(Y.shape, bool)
    for others, part in cv.split(X):
        decided[part] = limen.tune(Y[others], scores[others], method="exact").decide(scores[part])
    assert exact(cv=cv)(MODEL, X, Y) == pytest.approx(f1_score(Y, decided, average="micro"))
    macro = exact(cv=cv, average="macro", zero_division=1.0)(MODEL, X, Y)
    assert 0 < macro < 1


def test_estimators_and_targets():
    outputs = MultiOutputClassifier(GaussianNB()).fit(X[:100], Y[:100])
    assert exact()(outputs, X, Y) == exact()(MODEL, X, Y)
    assert exact()(OneVsRestClassifier(LinearSVC()).fit(X, Y), X, Y) > 0.5
    words = np.where(Y_BINARY == 1, "rain", "dry")
    values = [exact()(GaussianNB().fit(X_BINARY, y), X_BINARY, y) for y in (Y_BINARY, words, 2 * Y_BINARY - 1)]
    assert values[0] == values[1] == values[2]
    dry = exact(pos_label="dry", cv=KFold(3))(GaussianNB().fit(X_BINARY, words), X_BINARY, words)
    assert dry == exact(cv=KFold(3))(GaussianNB().fit(X_BINARY, 1 - Y_BINARY), X_BINARY, 1 - Y_BINARY)
    yes_no = np.where(Y == 1, "yes", "no")
    assert exact()(MultiOutputClassifier(GaussianNB()).fit(X[:100], yes_no[:100]), X, yes_no) == exact()(
        MODEL, X, Y
    )
    tuner = ThresholdTuner(OneVsRestClassifier(GaussianNB()), method="exact").fit(X[:100], Y[:100])
    assert exact()(tuner, X, Y) == exact()(MODEL, X, Y)


def test_greater_is_better_for_costs():
    costs = exact(metric={"name": "cost", "fp": 1.0, "fn": 2.0})
    assert costs(MODEL, X, Y) < 0
    guessing = OneVsRestClassifier(GaussianNB()).fit(X[:100], Y[100:])
    assert costs(guessing, X, Y) < costs(MODEL, X, Y)


def test_weights_and_groups():
    rng = np.random.default_rng(0)
    times = rng.integers(0, 4, len(X))
    fold = np.arange(len(X)) % 3
    again = np.repeat(np.arange(len(X)), times)

    def pairs(fold):
        return [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(3)]

    weighted = exact(cv=pairs(fold))(MODEL, X, Y, sample_weight=times)
    assert weighted == pytest.approx(exact(cv=pairs(fold[again]))(MODEL, X[again], Y[again]))
    twins = np.repeat(np.arange(100), 2)
    nearest = KNeighborsClassifier(1).fit(X, Y)
    assert exact()(nearest, X, Y, groups=twins) == exact()(nearest, X, Y, groups=twins.astype(str))


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_model_selection(n_jobs):
    search = GridSearchCV(
        KNeighborsClassifier(), {"n_neighbors": [1, 15]}, scoring=exact(), cv=3, n_jobs=n_jobs, error_score="raise"
    ).fit(X, Y)
    by_hand = []
    for train, test in KFold(3).split(X):
        by_hand.append(exact()(KNeighborsClassifier(15).fit(X[train], Y[train]), X[test], Y[test]))
    assert search.cv_results_["mean_test_score"][1] == pytest.approx(np.mean(by_hand))
    several = {"tuned": exact(), "default": "f1_micro"}
    result = cross_validate(KNeighborsClassifier(), X, Y, scoring=several, cv=2, error_score="raise")
    assert {"test_tuned", "test_default"} < set(result)
    assert (cross_val_score(GaussianNB(), X_BINARY, Y_BINARY, scoring=tuned_scorer(method="shared")) > 0.3).all()


def test_it_ranks_by_what_tuning_makes_of_a_model():
    """At 0.5 the model with better scores gives nothing; tuned, it wins."""

    class Timid(GaussianNB):
        """Probabilities in the same order, and all of them small."""

        def predict_proba(self, X):
            given = super().predict_proba(X)[:, 1] / 10
            return np.stack([1 - given, given], axis=1)

    timid, blunt = Timid().fit(X_BINARY, Y_BINARY), GaussianNB(var_smoothing=1e3).fit(X_BINARY, Y_BINARY)
    assert exact()(timid, X_BINARY, Y_BINARY) > exact()(blunt, X_BINARY, Y_BINARY) + 0.05


def test_copies_and_repr():
    scorer = exact(cv=3, average="macro")
    assert pickle.loads(pickle.dumps(scorer))(MODEL, X, Y) == scorer(MODEL, X, Y)
    assert repr(scorer).startswith("TunedScorer(metric='f1', average='macro', method='exact', cv=3, ")
    assert clone(GridSearchCV(GaussianNB(), {}, scoring=scorer)).scoring.average == "macro"


def test_routing():
    weight, groups = np.linspace(0.1, 3, len(X_BINARY)), np.arange(len(X_BINARY)) % 50
    model = GaussianNB()
    with config_context(enable_metadata_routing=True):
        asking = model.set_fit_request(sample_weight=False)
        scorer = exact().set_score_request(sample_weight=True, groups=True)
        given = {"sample_weight": weight, "groups": groups}
        result = cross_validate(
            asking, X_BINARY, Y_BINARY, scoring=scorer, cv=KFold(2), params=given, error_score="raise"
        )
        for k, (train, test) in enumerate(KFold(2).split(X_BINARY)):
            fitted = clone(model).fit(X_BINARY[train], Y_BINARY[train])
            data = X_BINARY[test], Y_BINARY[test]
            assert result["test_score"][k] == scorer(
                fitted, *data, sample_weight=weight[test], groups=groups[test]
            )
        with pytest.raises(ValueError, match="sample_weight"):
            cross_validate(asking, X_BINARY, Y_BINARY, scoring=exact(), params={"sample_weight": weight})
        with pytest.raises(TypeError) as caught:
            scorer.set_score_request(colour=True)
    assert str(caught.value) == "set_score_request takes sample_weight and groups; got colour."


def test_weights_without_routing():
    weight = np.linspace(0.1, 3, len(X_BINARY))
    scoring = {"tuned": exact(), "f1": "f1"}
    search = GridSearchCV(GaussianNB(), {}, scoring=scoring, refit="tuned", cv=2, error_score="raise")
    search.fit(X_BINARY, Y_BINARY, sample_weight=weight)
    weighted = search.cv_results_["mean_test_tuned"][0]
    assert weighted != search.fit(X_BINARY, Y_BINARY).cv_results_["mean_test_tuned"][0]


def test_errors():
    with pytest.raises(InputError, match="metric='f7' is unknown"):
        tuned_scorer(metric="f7")
    with pytest.raises(InputError, match="response_method='x' is unknown"):
        tuned_scorer(response_method="x")
    with pytest.raises(InputError, match="cv=5 folds of 4 items"):
        exact()(MODEL, X[:4], Y[:4])
    with pytest.raises(InputError, match="cv='prefit' is no way to split"):
        exact(cv="prefit")(MODEL, X, Y)
    with pytest.raises(InputError, match="the fitted estimator has 3 classes"):
        exact()(GaussianNB().fit(X, np.arange(200) % 3), X, np.arange(200) % 3)
