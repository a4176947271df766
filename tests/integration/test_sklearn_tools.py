"""ThresholdTuner inside scikit-learn's tools: clones, searches, pipelines, routing, frames, notebooks."""

import pickle

import joblib
import numpy as np
import pandas
import polars
import pytest
from sklearn import config_context
from sklearn.base import clone, is_classifier
from sklearn.datasets import make_classification, make_multilabel_classification
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, cross_val_score, cross_validate
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils import estimator_html_repr, get_tags

import limen
from limen.errors import InputError
from limen.sklearn import ThresholdTuner

X, Y = make_multilabel_classification(120, n_features=6, n_classes=3, random_state=3)
X_BINARY, Y_BINARY = make_classification(160, weights=[0.7], flip_y=0.1, random_state=3)
NAMES = ["dog", "cat", "<bird>"]
BAYES = OneVsRestClassifier(GaussianNB())


def exact(estimator=BAYES, **options):
    return ThresholdTuner(estimator, method="exact", cv=3, **options)


def test_clones_and_copies(tmp_path):
    tuner = exact(metric={"name": "fbeta", "beta": 2}, labels=NAMES).fit(X, Y)
    copy = clone(tuner)
    assert not hasattr(copy, "thresholds_")
    assert copy.get_params()["metric"] == {"name": "fbeta", "beta": 2}
    assert copy.fit(X, Y).thresholds_.digest == tuner.thresholds_.digest
    joblib.dump(tuner, tmp_path / "tuner.joblib")
    for again in (pickle.loads(pickle.dumps(tuner)), joblib.load(tmp_path / "tuner.joblib")):
        np.testing.assert_array_equal(again.predict(X), tuner.predict(X))
        assert again.thresholds_ == tuner.thresholds_
    tuner.thresholds_.save(tmp_path / "thresholds.json")
    saved = limen.Thresholds.load(tmp_path / "thresholds.json")
    np.testing.assert_array_equal(saved.decide(tuner.predict_proba(X)), tuner.predict(X) == 1)


def test_jobs_change_nothing():
    alone, two = exact().fit(X, Y), exact(n_jobs=2).fit(X, Y)
    assert two.thresholds_.digest == alone.thresholds_.digest
    np.testing.assert_array_equal(two.cv_results_["test_score"], alone.cv_results_["test_score"])
    with joblib.parallel_backend("threading", n_jobs=2):
        assert exact().fit(X, Y).thresholds_.digest == alone.thresholds_.digest


def test_a_search_over_the_model_and_the_tuning():
    search = GridSearchCV(
        exact(),
        {
            "estimator__estimator__var_smoothing": [1e-9, 0.1],
            "average": ["micro", "macro"],
            "metric": ["f1", "mcc"],
        },
        cv=2,
        n_jobs=2,
        scoring="f1_micro",
        error_score="raise",
    ).fit(X, Y)
    assert len(search.cv_results_["mean_test_score"]) == 8
    assert search.best_estimator_.thresholds_.values.shape == (3,)
    np.testing.assert_array_equal(search.predict(X), search.best_estimator_.predict(X))


def test_cross_validation():
    result = cross_validate(exact(), X, Y, cv=KFold(3), return_estimator=True, error_score="raise")
    folds = list(KFold(3).split(X))
    for (train, test), tuner, value in zip(folds, result["estimator"], result["test_score"], strict=True):
        assert value == exact().fit(X[train], Y[train]).score(X[test], Y[test])
        assert tuner.thresholds_.n_items == len(train)


@pytest.mark.parametrize("scoring", ["f1_micro", "roc_auc", "average_precision", "accuracy"])
def test_scikit_learns_scorers(scoring):
    """Of probabilities and of decisions; of two labels too, which OneVsRestClassifier's own classes_ hide."""
    for model in (BAYES, MultiOutputClassifier(GaussianNB())):
        for target in (Y, Y[:, :2]):
            assert (
                cross_val_score(exact(model), X, target, scoring=scoring, cv=2, error_score="raise") > 0.3
            ).all()
    binary = cross_val_score(exact(GaussianNB()), X_BINARY, Y_BINARY, scoring="roc_auc", error_score="raise")
    plain = cross_val_score(GaussianNB(), X_BINARY, Y_BINARY, scoring="roc_auc")
    np.testing.assert_array_equal(binary, plain)


def test_pipelines_inside_and_outside():
    inside = exact(make_pipeline(StandardScaler(), GaussianNB())).fit(X_BINARY, Y_BINARY)
    outside = make_pipeline(StandardScaler(), exact(GaussianNB())).fit(X_BINARY, Y_BINARY)
    assert outside.score(X_BINARY, Y_BINARY) > 0.5
    assert inside.score(X_BINARY, Y_BINARY) > 0.5
    assert is_classifier(outside)
    assert is_classifier(inside)
    several = MultiOutputClassifier(exact(GaussianNB())).fit(X, Y, sample_weight=np.ones(120))
    assert several.predict(X).shape == Y.shape


def test_tags():
    tags = get_tags(exact())
    assert not tags.classifier_tags.multi_class
    assert tags.classifier_tags.multi_label
    assert tags.target_tags.single_output
    assert not get_tags(exact(GaussianNB())).classifier_tags.multi_label
    columns = get_tags(exact(MultiOutputClassifier(GaussianNB())))
    assert columns.classifier_tags.multi_label
    assert columns.target_tags.multi_output
    assert not columns.target_tags.single_output
    assert get_tags(exact(estimator=None)).classifier_tags is not None


def test_routing():
    weight, groups = np.linspace(0.5, 2, len(X_BINARY)), np.arange(len(X_BINARY)) % 40
    plain = exact(GaussianNB()).fit(X_BINARY, Y_BINARY, sample_weight=weight, groups=groups)
    with config_context(enable_metadata_routing=True):
        asking = GaussianNB().set_fit_request(sample_weight=True)
        routed = exact(asking).fit(X_BINARY, Y_BINARY, sample_weight=weight, groups=groups)
        assert routed.thresholds_.digest == plain.thresholds_.digest
        with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
            exact(GaussianNB()).fit(X_BINARY, Y_BINARY, sample_weight=weight)
        only_tuning = exact(GaussianNB().set_fit_request(sample_weight=False))
        only_tuning.fit(X_BINARY, Y_BINARY, sample_weight=weight, groups=groups)
        np.testing.assert_array_equal(
            only_tuning.predict_proba(X_BINARY), GaussianNB().fit(X_BINARY, Y_BINARY).predict_proba(X_BINARY)
        )
        by_splitter = exact(asking).set_params(cv=GroupKFold(3)).fit(X_BINARY, Y_BINARY, groups=groups)
        assert by_splitter.thresholds_.n_items == len(X_BINARY)
        with pytest.raises(TypeError, match="unexpected argument"):
            exact(asking).fit(X_BINARY, Y_BINARY, colour="red")
    without = exact(GaussianNB()).set_params(cv=GroupKFold(3)).fit(X_BINARY, Y_BINARY, groups=groups)
    assert by_splitter.thresholds_.digest == without.thresholds_.digest


def test_routing_through_other_tools():
    weight, groups = np.linspace(0.5, 2, len(X)), np.arange(len(X)) % 30
    with config_context(enable_metadata_routing=True):
        model = OneVsRestClassifier(GaussianNB().set_fit_request(sample_weight=True))
        tuner = exact(model).set_fit_request(sample_weight=True, groups=True).set_score_request(sample_weight=True)
        given = {"sample_weight": weight, "groups": groups}
        result = cross_validate(tuner, X, Y, cv=GroupKFold(2), params=given, error_score="raise")
        assert (result["test_score"] > 0.3).all()
        pipeline = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), tuner)
        fitted = pipeline.fit(X, Y, **given)[-1]
        scaled = StandardScaler().fit_transform(X)
        assert fitted.thresholds_.digest == clone(tuner).fit(scaled, Y, **given).thresholds_.digest
        unweighted = clone(tuner).fit(scaled, Y, groups=groups)
        assert (fitted.estimator_.predict_proba(scaled) != unweighted.estimator_.predict_proba(scaled)).any()


def test_output_as_frames():
    frame = pandas.DataFrame(X, index=[f"clip {k}" for k in range(120)])
    tuner = exact(MultiOutputClassifier(LogisticRegression()), labels=NAMES).fit(frame, Y)
    plain = tuner.predict(frame)
    probabilities = np.stack([one[:, 1] for one in tuner.predict_proba(frame)], axis=1)
    assert isinstance(plain, np.ndarray)
    assert tuner.set_output(transform="pandas") is tuner
    assert tuner.set_output() is tuner
    for output, wanted in ((tuner.predict(frame), plain), (tuner.predict_proba(frame), probabilities)):
        assert output.columns.tolist() == NAMES
        assert output.index.tolist() == frame.index.tolist()
        np.testing.assert_allclose(output.to_numpy(), wanted)
    assert tuner.predict(X).index.tolist() == list(range(120))
    assert isinstance(clone(tuner).fit(X, Y).predict(X), pandas.DataFrame)
    assert tuner.score(frame, Y) == exact(tuner.estimator).fit(X, Y).score(X, Y)
    tuner.set_output(transform="polars")
    assert tuner.predict(X).equals(polars.DataFrame(plain, schema=NAMES))
    np.testing.assert_allclose(tuner.predict_proba(X).to_numpy(), probabilities)
    np.testing.assert_array_equal(tuner.set_output(transform="default").predict(frame), plain)
    with pytest.raises(InputError) as caught:
        tuner.set_output(transform="excel")
    assert str(caught.value) == "transform='excel' is unknown. Use 'default', 'pandas', 'polars'."


def test_output_of_other_classes_as_frames():
    words = np.stack([np.where(column == 1, "yes", "no") for column in Y.T], axis=1)
    tuner = exact(OneVsRestClassifier(LogisticRegression()), labels=NAMES).fit(X, Y)
    scores = tuner.decision_function(X)
    tuner.set_output(transform="pandas")
    np.testing.assert_array_equal(tuner.decision_function(X).to_numpy(), scores)
    for y in (words, words.astype(object)):
        tuner = exact(MultiOutputClassifier(GaussianNB()), labels=NAMES).fit(X, y).set_output(transform="polars")
        assert set(tuner.predict(X)["dog"].to_list()) == {"yes", "no"}


def test_output_of_steps_is_theirs():
    """A step that gives sparse matrices refuses frames, and what the tuner gives is no business of its steps."""
    frame = pandas.DataFrame({"sound": np.where(Y[:, 0] == 1, "drip", "hush")})
    words = exact(make_pipeline(OneHotEncoder(), OneVsRestClassifier(LogisticRegression()))).set_output(
        transform="pandas"
    )
    assert isinstance(words.fit(frame, Y).predict(frame), pandas.DataFrame)
    binary = exact(make_pipeline(StandardScaler(), GaussianNB())).set_output(transform="pandas")
    assert isinstance(binary.fit(X_BINARY, Y_BINARY).predict(X_BINARY), np.ndarray)
    assert isinstance(binary.predict_proba(X_BINARY), np.ndarray)
    assert isinstance(binary.estimator_[:-1].transform(X_BINARY), np.ndarray)


def test_in_a_notebook():
    tuner = exact(labels=NAMES)
    assert "sk-top-container" in tuner._repr_html_()
    assert "<th>threshold</th>" not in tuner._repr_html_()
    tuner.fit(X, Y)
    for html in (tuner._repr_html_(), tuner._repr_mimebundle_()["text/html"]):
        assert "sk-top-container" in html
        assert "OneVsRestClassifier" in html
        assert "<th>threshold</th>" in html
        assert "<td>&lt;bird&gt;</td>" in html
        assert "micro F1" in html
    assert "ThresholdTuner" in estimator_html_repr(make_pipeline(StandardScaler(), tuner))
    with config_context(display="text"):
        assert set(tuner._repr_mimebundle_()) == {"text/plain"}
        assert not hasattr(tuner, "_repr_html_")
    assert repr(exact()).startswith("ThresholdTuner(cv=3, estimator=OneVsRestClassifier(")
