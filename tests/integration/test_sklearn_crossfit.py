"""Every item is scored by a model fitted without it, and groups and weights are what they say."""

import numpy as np
import pandas
import pytest
from sklearn.base import clone
from sklearn.datasets import make_classification, make_multilabel_classification
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    LeaveOneGroupOut,
    RepeatedKFold,
    ShuffleSplit,
    StratifiedKFold,
    cross_val_predict,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

import limen
from limen.errors import InputError, LimenWarning
from limen.sklearn import ThresholdTuner

X, Y = make_multilabel_classification(150, n_features=8, n_classes=4, random_state=2)
X_BINARY, Y_BINARY = make_classification(200, weights=[0.8], flip_y=0.1, random_state=2)
BAYES = OneVsRestClassifier(GaussianNB())


def exact(estimator, **options):
    return ThresholdTuner(estimator, method="exact", **options)


def refused(tuner, *data, **arguments):
    with pytest.raises(InputError) as caught:
        tuner.fit(*(data or (X, Y)), **arguments)
    return str(caught.value)


SPLITTERS = {
    "KFold": KFold(4),
    "shuffled": KFold(3, shuffle=True, random_state=1),
    "pairs": list(KFold(4).split(X)),
}


@pytest.mark.parametrize("splitter", SPLITTERS)
@pytest.mark.parametrize(
    "estimator", [BAYES, MultiOutputClassifier(GaussianNB()), OneVsRestClassifier(LinearSVC())]
)
def test_scores_are_those_of_cross_val_predict(estimator, splitter):
    cv = SPLITTERS[splitter]
    tuner = exact(estimator, cv=cv).fit(X, Y)
    scores = cross_val_predict(estimator, X, Y, cv=cv, method=tuner.response_method_)
    scores = np.stack([one[:, 1] for one in scores], axis=1) if isinstance(scores, list) else scores
    by_hand = limen.tune(Y, scores, method="exact")
    assert tuner.thresholds_.digest == by_hand.digest
    np.testing.assert_array_equal(tuner.thresholds_.values, by_hand.values)
    half = scores >= (0.5 if tuner.response_method_ == "predict_proba" else 0)
    folds = [held_out for _, held_out in (cv if isinstance(cv, list) else cv.split(X))]
    for fold, default, test in zip(
        folds, tuner.cv_results_["default_score"], tuner.cv_results_["test_score"], strict=True
    ):
        assert default == pytest.approx(f1_score(Y[fold], half[fold], average="micro"))
        others = np.setdiff1d(np.arange(len(Y)), fold)
        tuned = limen.tune(Y[others], scores[others], method="exact")
        assert test == pytest.approx(f1_score(Y[fold], tuned.decide(scores[fold]), average="micro"))


@pytest.mark.parametrize("groups", [None, np.arange(150) % 25])
def test_held_out_results_are_those_of_tune(groups):
    """The method that cross-fits by itself too, with and without groups."""
    cv = GroupKFold(3) if groups is not None else KFold(3)
    tuner = ThresholdTuner(BAYES, cv=cv, average="macro").fit(X, Y, groups=groups)
    scores = cross_val_predict(BAYES, X, Y, cv=cv, method="predict_proba", groups=groups)
    for k, (others, fold) in enumerate(cv.split(X, groups=groups)):
        of_others = None if groups is None else groups[others]
        tuned = limen.tune(Y[others], scores[others], average="macro", groups=of_others)
        value = f1_score(Y[fold], tuned.decide(scores[fold]), average="macro")
        assert tuner.cv_results_["test_score"][k] == pytest.approx(value)


def test_binary_folds_are_those_of_scikit_learn():
    for cv in (4, None, StratifiedKFold(4, shuffle=True, random_state=0)):
        tuner = exact(GaussianNB(), cv=cv).fit(X_BINARY, Y_BINARY)
        scores = cross_val_predict(GaussianNB(), X_BINARY, Y_BINARY, cv=cv, method="predict_proba")[:, 1]
        assert tuner.thresholds_.digest == limen.tune(Y_BINARY, scores, labels=["1"], method="exact").digest
        assert len(tuner.cv_results_["test_score"]) == (5 if cv is None else 4)


def test_a_precomputed_kernel_is_split_both_ways():
    kernel = X_BINARY @ X_BINARY.T
    tuner = exact(SVC(kernel="precomputed"), cv=4).fit(kernel, Y_BINARY)
    linear = exact(SVC(kernel="linear"), cv=4).fit(X_BINARY, Y_BINARY)
    np.testing.assert_allclose(tuner.thresholds_.values, linear.thresholds_.values, atol=1e-3)


def test_items_scored_more_than_once_or_never():
    """Copies of an item stay together in the held-out results; an item never held out is not tuned on."""
    twice = exact(BAYES, cv=RepeatedKFold(n_splits=3, n_repeats=2, random_state=0)).fit(X, Y)
    assert twice.thresholds_.n_items == 300
    assert twice.cv_results_["n_items"].tolist() == [50] * 6
    some = exact(BAYES, cv=ShuffleSplit(1, test_size=30, random_state=0)).fit(X, Y)
    assert some.thresholds_.n_items == 30
    masks = [(np.arange(150) >= 40, np.arange(150) < 40), (np.arange(150) < 40, np.arange(150) >= 40)]
    rows = [(np.arange(40, 150), np.arange(40)), (np.arange(40), np.arange(40, 150))]
    by_mask, by_row = (exact(BAYES, cv=cv).fit(X, Y) for cv in (masks, rows))
    assert by_mask.thresholds_.digest == by_row.thresholds_.digest


def test_order_of_folds_does_not_matter():
    folds = list(KFold(4).split(X))
    forward, backward = (exact(BAYES, cv=cv).fit(X, Y) for cv in (folds, folds[::-1]))
    assert forward.thresholds_.digest == backward.thresholds_.digest
    np.testing.assert_array_equal(forward.cv_results_["test_score"], backward.cv_results_["test_score"][::-1])


def recordings():
    """Twins: pairs of equal items whose label is chance. A model that has seen the twin knows the label."""
    rng = np.random.default_rng(0)
    items, target = rng.normal(size=(60, 5)), rng.random((60, 2)) < 0.5
    groups = np.repeat([f"recording {k}" for k in range(60)], 2)
    order = rng.permutation(120)
    return items.repeat(2, axis=0)[order], target.repeat(2, axis=0)[order].astype(int), groups[order]


@pytest.mark.parametrize("cv", [5, 0.3, GroupKFold(5), LeaveOneGroupOut()])
@pytest.mark.parametrize("one_label", [False, True])
def test_groups_are_not_divided(cv, one_label):
    items, target, groups = recordings()
    target = target[:, 0] if one_label else target
    nearest = KNeighborsClassifier(1)
    tuner = exact(nearest, cv=cv, metric="accuracy").fit(items, target, groups=groups)
    assert tuner.thresholds_.value < 0.75
    assert np.mean(tuner.cv_results_["test_score"]) < 0.7
    if isinstance(cv, int):
        assert exact(nearest, cv=cv, metric="accuracy").fit(items, target).thresholds_.value > 0.85
        as_series = clone(tuner).fit(items, target, groups=pandas.Series(groups))
        assert as_series.thresholds_.digest == tuner.thresholds_.digest


def test_groups_reach_the_tuning():
    """Its own cross-fitting, which gives what to expect, does not divide them either."""
    items, target, groups = recordings()
    model = KNeighborsClassifier(3).fit(items[:60], target[:60])
    tuner = ThresholdTuner(model, cv="prefit").fit(items, target, groups=groups)
    scores = np.stack([one[:, 1] for one in model.predict_proba(items)], axis=1)
    assert tuner.thresholds_.expected == limen.tune(target, scores, groups=groups).expected
    assert tuner.thresholds_.expected != limen.tune(target, scores).expected


def test_weights_are_repetition():
    rng = np.random.default_rng(0)
    times = rng.integers(0, 4, len(X))
    fold = np.arange(len(X)) % 3
    pairs = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(3)]
    again = np.repeat(np.arange(len(X)), times)
    repeated_pairs = [(np.flatnonzero(fold[again] != k), np.flatnonzero(fold[again] == k)) for k in range(3)]
    tree = DecisionTreeClassifier(max_depth=3, random_state=0)
    weighted = exact(tree, cv=pairs, average="macro").fit(X, Y, sample_weight=times)
    repeated = exact(tree, cv=repeated_pairs, average="macro").fit(X[again], Y[again])
    np.testing.assert_array_equal(weighted.thresholds_.values, repeated.thresholds_.values)
    assert weighted.thresholds_.value == pytest.approx(repeated.thresholds_.value)
    np.testing.assert_allclose(weighted.cv_results_["test_score"], repeated.cv_results_["test_score"])
    np.testing.assert_allclose(weighted.cv_results_["default_score"], repeated.cv_results_["default_score"])
    np.testing.assert_array_equal(weighted.predict(X), repeated.predict(X))
    assert weighted.score(X, Y, sample_weight=times) == pytest.approx(weighted.score(X[again], Y[again]))
    assert weighted.score(X, Y, sample_weight=times) != weighted.score(X, Y)
    assert weighted.thresholds_.digest != exact(tree, cv=pairs, average="macro").fit(X, Y).thresholds_.digest


def test_folds_without_weight_have_no_result():
    weight = (np.arange(150) < 75).astype(float)
    tuner = exact(BAYES, cv=KFold(2), metric="accuracy")
    with pytest.warns(
        LimenWarning, match="OneVsRestClassifier.fit takes no sample_weight: the weights count in the"
    ):
        tuner.fit(X, Y, sample_weight=weight)
    first, second = tuner.cv_results_["test_score"]
    assert np.isnan(first)
    assert second == 0


def test_weights_to_a_step_of_a_pipeline():
    weight = np.linspace(0.1, 2, len(X_BINARY))
    pipeline = make_pipeline(StandardScaler(), GaussianNB())
    given_by_step = {"gaussiannb__sample_weight": weight}
    tuner = exact(pipeline, cv=4).fit(X_BINARY, Y_BINARY, sample_weight=weight, **given_by_step)
    scores = cross_val_predict(pipeline, X_BINARY, Y_BINARY, cv=4, method="predict_proba", params=given_by_step)[
        :, 1
    ]
    by_hand = limen.tune(Y_BINARY, scores, sample_weight=weight, labels=["1"], method="exact")
    assert tuner.thresholds_.digest == by_hand.digest


def test_a_label_that_a_fold_lacks():
    """OneVsRestClassifier and trees do without; MultiOutputClassifier's error says which label it was."""
    rare = Y.copy()
    rare[:, 2] = 0
    rare[7, 2] = 1
    tuner = exact(DecisionTreeClassifier(random_state=0, max_depth=2), cv=3, labels=list("abcd")).fit(X, rare)
    assert tuner.thresholds_.counts.p[2] == 1
    with pytest.warns(UserWarning, match="Label not 2 is present in all training examples"):
        exact(OneVsRestClassifier(LogisticRegression()), cv=3).fit(X, rare)
    with pytest.raises(ValueError, match="at least 2 classes") as caught:
        exact(MultiOutputClassifier(LogisticRegression()), cv=3, labels=list("abcd")).fit(X, rare)
    assert caught.value.__notes__ == [
        "The part that this fold is fitted on has one class only of 'c'. Use fewer folds, add annotated items, or "
        "take an estimator that can do with one class (OneVsRestClassifier can)."
    ]


def test_errors_of_splits():
    """Those of `limen.folds.splits`, whatever stratifies; the rest is tested there."""
    assert refused(exact(BAYES, cv=1)) == "cv=1 folds of 150 items. Use 2 to 150 folds."
    assert refused(exact(GaussianNB(), cv=1), X_BINARY, Y_BINARY) == "cv=1 folds of 200 items. Use 2 to 200 folds."
    groups = np.arange(150) % 3
    assert refused(exact(BAYES, cv=4), X, Y, groups=groups) == "cv=4 folds of 3 groups. Use 2 to 3 folds."
    for cv in ("folds", True, 7.5, []):
        refused(exact(BAYES, cv=cv))
    assert refused(exact(BAYES, cv=[(range(100), range(99, 150))])) == (
        "cv has the same 1 row (first: 99) in both parts of a pair. They must not overlap: nothing would be held "
        "out."
    )


def test_one_group_held_out_is_tuned_without_groups():
    x, y = make_multilabel_classification(200, n_features=6, n_classes=3, random_state=1)
    model = OneVsRestClassifier(LogisticRegression())
    tuner = ThresholdTuner(model, cv=0.25, method="exact").fit(x, y, groups=np.arange(200) // 50)
    assert tuner.thresholds_.counts.n.tolist() == [50, 50, 50]
    with pytest.raises(InputError, match="groups has one group"):
        ThresholdTuner(model.fit(x, y), cv="prefit").fit(x, y, groups=np.zeros(200))
