"""ThresholdTuner with every kind of classifier, and what it leaves behind."""

# ruff: noqa: N803, N806 - X is what scikit-learn calls the items

import numpy as np
import pandas
import pytest
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.datasets import make_classification, make_multilabel_classification
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics import f1_score
from sklearn.model_selection import GridSearchCV, ShuffleSplit, train_test_split
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.naive_bayes import BernoulliNB, GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

import limen
from limen.errors import InputError, LimenWarning, UnsupportedError
from limen.sklearn import ThresholdTuner

X, Y = make_multilabel_classification(160, n_features=8, n_classes=4, random_state=0)
X_BINARY, Y_BINARY = make_classification(200, weights=[0.8], flip_y=0.1, random_state=0)
MODEL = OneVsRestClassifier(GaussianNB()).fit(X, Y)
WORDS = np.where(Y_BINARY == 1, "rain", "dry")
KINDS = {
    "one vs rest": (OneVsRestClassifier(GaussianNB()), "predict_proba"),
    "one vs rest of decision functions": (OneVsRestClassifier(LinearSVC()), "decision_function"),
    "multi-output": (MultiOutputClassifier(GaussianNB()), "predict_proba"),
    "chain": (ClassifierChain(GaussianNB()), "predict_proba"),
    "chain of decision functions": (ClassifierChain(LinearSVC()), "decision_function"),
    "perceptron": (MLPClassifier((8,), solver="lbfgs", max_iter=50, random_state=0), "predict_proba"),
    "forest": (RandomForestClassifier(5, random_state=0), "predict_proba"),
    "neighbours": (KNeighborsClassifier(), "predict_proba"),
    "ridge": (RidgeClassifier(), "decision_function"),
    "pipeline": (make_pipeline(StandardScaler(), MultiOutputClassifier(GaussianNB())), "predict_proba"),
    "search": (GridSearchCV(OneVsRestClassifier(GaussianNB()), {"n_jobs": [None]}, cv=2), "predict_proba"),
}


def exact(estimator, **options):
    return ThresholdTuner(estimator, method="exact", **options)


def refused(tuner, *data, error=InputError, **arguments):
    with pytest.raises(error) as caught:
        tuner.fit(*(data or (X, Y)), **arguments)
    return str(caught.value)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_classifier(kind):
    estimator, response_method = KINDS[kind]
    inputs = X.copy(), Y.copy()
    tuner = exact(estimator, cv=3).fit(X, Y)
    np.testing.assert_array_equal([X, Y][0], inputs[0])
    np.testing.assert_array_equal(Y, inputs[1])
    assert tuner.response_method_ == response_method
    assert tuner.thresholds_.values.shape == (4,)
    assert tuner.thresholds_.labels == tuner.labels_ == ("0", "1", "2", "3")
    assert [one.tolist() for one in tuner.classes_] == [[0, 1]] * 4
    predicted = tuner.predict(X)
    assert predicted.dtype == Y.dtype
    scores = getattr(tuner, response_method)(X)
    if isinstance(scores, list):
        scores = np.stack([one[:, 1] for one in scores], axis=1)
    np.testing.assert_array_equal(predicted, scores >= tuner.thresholds_.values)
    assert tuner.score(X, Y) == pytest.approx(f1_score(Y, predicted, average="micro"))
    assert tuner.thresholds_.status == "optimal"


@pytest.mark.parametrize("response_method", ["predict_proba", "decision_function"])
def test_binary_targets_keep_their_classes(response_method):
    codes = {"ints": Y_BINARY, "words": WORDS, "objects": WORDS.astype(object), "signs": 2 * Y_BINARY - 1}
    tuners = {
        name: exact(LogisticRegression(), response_method=response_method).fit(X_BINARY, y)
        for name, y in {**codes, "bools": Y_BINARY == 1, "list": WORDS.tolist()}.items()
    }
    decided = tuners["ints"].predict(X_BINARY) == 1
    assert 0 < decided.sum() < len(decided)
    for name, tuner in tuners.items():
        assert tuner.thresholds_.values == tuners["ints"].thresholds_.values
        np.testing.assert_array_equal(tuner.predict(X_BINARY) == tuner.classes_[1], decided)
        assert tuner.labels_ == (str(tuner.classes_[1]),), name
    assert tuners["words"].classes_.tolist() == ["dry", "rain"]
    assert tuners["bools"].predict(X_BINARY).dtype == bool
    assert tuners["signs"].predict(X_BINARY).tolist() == np.where(decided, 1, -1).tolist()
    assert tuners["ints"].score(X_BINARY, Y_BINARY) == pytest.approx(f1_score(Y_BINARY, decided))


def test_a_score_at_the_threshold_is_given():
    """The tree's scores are few; each of them, taken as the threshold, decides its items."""
    tree = DecisionTreeClassifier(max_depth=2, random_state=0).fit(X_BINARY, Y_BINARY)
    scores = tree.predict_proba(X_BINARY)[:, 1]
    for cut in np.unique(scores):
        tuner = ThresholdTuner(tree, method=f"fixed:{float(cut)!r}", cv="prefit").fit(X_BINARY, Y_BINARY)
        np.testing.assert_array_equal(tuner.predict(X_BINARY), scores >= cut)


def test_what_is_chosen_is_what_limen_chooses():
    model = OneVsRestClassifier(GaussianNB()).fit(X, Y)
    for options in (
        {"metric": "mcc", "average": "macro"},
        {"metric": {"name": "cost", "fp": [1, 2, 1, 1], "fn": 3}, "method": "exact"},
        {"method": "top-k:2"},
        {"method": limen.solvers.Shared(), "metric": "jaccard", "zero_division": 1.0},
    ):
        tuner = ThresholdTuner(model, cv="prefit", **options).fit(X, Y)
        tuned = limen.tune(Y, model.predict_proba(X), **options)
        np.testing.assert_array_equal(tuner.thresholds_.values, tuned.values)
        np.testing.assert_array_equal(tuner.predict(X), tuned.decide(model.predict_proba(X)))
        assert tuner.score(X, Y) == tuned.value
        assert tuner.thresholds_.expected == tuned.expected


def test_random_states():
    """As scikit-learn takes them: a number is a seed; what draws goes on drawing; None is never twice the same."""

    def bagged(random_state):
        return ThresholdTuner(MODEL, method="bagged", cv="prefit", random_state=random_state).fit(X, Y)

    three, four = (bagged(seed).thresholds_.values for seed in (3, 4))
    np.testing.assert_array_equal(three, bagged(np.int64(3)).thresholds_.values)
    assert (three != four).any()
    for kind in (np.random.RandomState, np.random.default_rng):
        again = [bagged(kind(5)).thresholds_.values for _ in range(2)]
        np.testing.assert_array_equal(*again)
        one = kind(5)
        assert (bagged(one).thresholds_.values != bagged(one).thresholds_.values).any()
    assert (bagged(None).thresholds_.values != bagged(None).thresholds_.values).any()


def test_pos_label():
    """The other class is a label of its own: scores of it, its threshold, and the classes as they were."""
    for model, response in ((GaussianNB(), "predict_proba"), (LinearSVC(), "decision_function")):
        fitted = model.fit(X_BINARY, WORDS)
        tuner = exact(fitted, cv="prefit", pos_label="dry").fit(X_BINARY, WORDS)
        scores = (
            fitted.predict_proba(X_BINARY)[:, 0]
            if response == "predict_proba"
            else -fitted.decision_function(X_BINARY)
        )
        by_hand = limen.tune(WORDS == "dry", scores, labels=["dry"], method="exact")
        assert tuner.best_threshold_ == by_hand.values[0]
        assert tuner.thresholds_.digest == by_hand.digest
        assert tuner.labels_ == ("dry",)
        assert tuner.classes_.tolist() == ["dry", "rain"]
        np.testing.assert_array_equal(tuner.predict(X_BINARY), np.where(by_hand.decide(scores), "dry", "rain"))
        assert tuner.score(X_BINARY, WORDS) == by_hand.value
    crossed = exact(GaussianNB(), pos_label=0).fit(X_BINARY, Y_BINARY)
    assert crossed.best_threshold_ == exact(GaussianNB()).fit(X_BINARY, 1 - Y_BINARY).best_threshold_
    alone = exact(Answers(lambda X: column(X)), pos_label=0, cv=2).fit(X_BINARY, Y_BINARY)
    pair = exact(Answers(lambda X: np.stack([1 - column(X), column(X)], 1)), pos_label=0, cv=2)
    assert alone.best_threshold_ == pair.fit(X_BINARY, Y_BINARY).best_threshold_
    assert refused(exact(GaussianNB(), pos_label="snow"), X_BINARY, WORDS) == (
        "pos_label='snow' is no class of y: 'dry', 'rain'. Give one of them."
    )
    assert refused(exact(GaussianNB(), pos_label=0), X, Y).startswith("pos_label=0 goes with one column of two")


def test_best_threshold():
    tuner = exact(GaussianNB().fit(X_BINARY, Y_BINARY), cv="prefit")
    assert not hasattr(tuner, "best_threshold_")
    assert tuner.fit(X_BINARY, Y_BINARY).best_threshold_ == tuner.thresholds_.values[0]
    assert not hasattr(exact(MODEL, cv="prefit").fit(X, Y), "best_threshold_")


def test_scores_that_are_all_the_same_are_told_of():
    """On all items, or in each fold, as where a model always gives the share of positives."""
    with pytest.warns(LimenWarning, match=r"2 labels whose scores are all the same: '0', '1'\. No threshold"):
        exact(Answers(lambda X: np.stack([np.full(len(X), 0.3)] * 2, 1)), cv=2).fit(X, Y[:, :2])
    with pytest.warns(LimenWarning, match="1 label whose scores are all the same: '1'"):
        exact(DummyClassifier()).fit(X_BINARY, Y_BINARY)


@pytest.mark.parametrize(
    "wrapper",
    [OneVsRestClassifier, CalibratedClassifierCV, lambda tuner: ThresholdTuner(OneVsRestClassifier(tuner), cv=2)],
)
def test_cuts_that_a_wrapper_will_not_ask_for_are_told_of(wrapper):
    tuner = exact(GaussianNB(), cv=2, store_cv_results=False)
    with pytest.warns(LimenWarning, match="takes its scores and not its decisions: the thresholds will not count"):
        wrapper(tuner).fit(X_BINARY, Y_BINARY)
    heard = MultiOutputClassifier(tuner).fit(X, Y)
    np.testing.assert_array_equal(heard.predict(X)[:, 1], heard.estimators_[1].predict(X))


def test_a_fitted_estimator_is_only_tuned():
    X_fit, X_tune, y_fit, y_tune = train_test_split(X, Y, random_state=0)
    model = MultiOutputClassifier(GaussianNB()).fit(X_fit, y_fit)
    tuner = exact(model, cv="prefit").fit(X_tune, y_tune)
    assert tuner.estimator_ is model
    assert tuner.thresholds_.n_items == len(X_tune)
    assert np.isnan(tuner.cv_results_["fit_time"]).all()
    assert tuner.cv_results_["n_items"].tolist() == [len(X_tune)]
    frozen = exact(FrozenEstimator(model)).fit(X_tune, y_tune)
    np.testing.assert_array_equal(frozen.thresholds_.values, tuner.thresholds_.values)


def test_a_fitted_estimator_is_tuned_on_what_is_known():
    model = OneVsRestClassifier(GaussianNB()).fit(X, Y)
    unknown = Y.astype(float)
    unknown[::3, 1] = np.nan
    tuner = exact(model, cv="prefit").fit(X, unknown)
    assert tuner.thresholds_.counts.n.tolist() == [160, 106, 160, 160]
    assert tuner.score(X, unknown) == tuner.thresholds_.value
    assert refused(exact(model), X, unknown).startswith(
        "y has unknown labels (NaN), and the estimator is to be fitted"
    )


def test_a_fitted_estimator_says_the_classes():
    """The items tuned on may all be of one class, whose name alone would not say which it is."""
    model = LogisticRegression().fit(X_BINARY, WORDS)
    wet = WORDS == "rain"
    tuner = exact(model, cv="prefit").fit(X_BINARY[wet], WORDS[wet])
    assert tuner.classes_.tolist() == ["dry", "rain"]
    assert tuner.thresholds_.counts.p.tolist() == [wet.sum()]
    assert refused(exact(model, cv="prefit"), X_BINARY, np.where(wet, "rain", "snow")) == (
        "y has the class snow in its column (row 1), which was not there when fitted: dry and rain."
    )


def test_errors_of_fitted_estimators():
    tuner = exact(GaussianNB(), cv="prefit")
    assert refused(tuner, X_BINARY, Y_BINARY, error=NotFittedError).startswith(
        "cv='prefit' needs a fitted estimator, and this GaussianNB is not. Fit it on other data"
    )
    assert refused(exact(GaussianNB().fit(X_BINARY, Y_BINARY), cv="prefit"), X_BINARY, Y_BINARY, step__a=1) == (
        "cv='prefit' fits nothing. Leave step__a out."
    )


def test_without_refit_the_estimator_of_the_split_is_kept():
    tuner = exact(OneVsRestClassifier(GaussianNB()), cv=0.25, refit=False).fit(X, Y)
    assert tuner.thresholds_.n_items == 40
    split = ShuffleSplit(1, test_size=0.25, random_state=0)
    tuner.set_params(cv=split).fit(X, Y)
    rows, _ = next(split.split(X))
    by_hand = OneVsRestClassifier(GaussianNB()).fit(X[rows], Y[rows])
    np.testing.assert_array_equal(tuner.predict_proba(X), by_hand.predict_proba(X))
    refitted = clone(tuner).set_params(refit=True).fit(X, Y)
    np.testing.assert_array_equal(refitted.thresholds_.values, tuner.thresholds_.values)
    whole = OneVsRestClassifier(GaussianNB()).fit(X, Y)
    np.testing.assert_array_equal(refitted.predict_proba(X), whole.predict_proba(X))
    assert refused(exact(GaussianNB(), refit=False), X_BINARY, Y_BINARY) == (
        "refit=False with 5 splits leaves no estimator: each was fitted on a part. Use a single split, such as "
        "cv=0.2, or refit=True."
    )


def test_cv_results():
    tuner = exact(OneVsRestClassifier(GaussianNB()), cv=4, average="macro").fit(X, Y)
    results = tuner.cv_results_
    assert set(results) == {"fit_time", "score_time", "n_items", "default_score", "test_score"}
    assert all(len(column) == 4 for column in results.values())
    assert results["n_items"].sum() == 160
    assert (results["fit_time"] > 0).all()
    assert (results["score_time"] > 0).all()
    quick = clone(tuner).set_params(store_cv_results=False).fit(X, Y)
    assert "test_score" not in quick.cv_results_
    np.testing.assert_array_equal(quick.cv_results_["default_score"], results["default_score"])


def test_cv_results_of_one_fold_are_of_its_parts():
    model = OneVsRestClassifier(GaussianNB()).fit(X, Y)
    tuner = exact(model, cv="prefit").fit(X, Y)
    assert tuner.cv_results_["default_score"] == pytest.approx(f1_score(Y, model.predict(X), average="micro"))
    assert tuner.cv_results_["test_score"].shape == (1,)
    assert 0 < tuner.cv_results_["test_score"][0] < tuner.thresholds_.value


def test_attributes_of_the_estimator():
    frame = pandas.DataFrame(X, columns=[f"f{k}" for k in range(8)])
    tuner = exact(OneVsRestClassifier(GaussianNB())).fit(frame, Y)
    assert tuner.n_features_in_ == 8
    assert tuner.feature_names_in_.tolist() == frame.columns.tolist()
    assert not hasattr(tuner, "decision_function")
    assert not hasattr(exact(LinearSVC()), "predict_proba")
    assert hasattr(exact(LogisticRegression()), "predict_log_proba")
    tuner = exact(LogisticRegression()).fit(X_BINARY, Y_BINARY)
    np.testing.assert_array_equal(tuner.predict_log_proba(X_BINARY), tuner.estimator_.predict_log_proba(X_BINARY))


def test_items_of_any_kind():
    """The items are the estimator's business: texts in a list, a frame of mixed columns."""
    texts = ["bark " * int(one[0]) + "meow " * int(one[1]) + f"sound{k % 7}" for k, one in enumerate(Y)]
    words = exact(make_pipeline(CountVectorizer(), OneVsRestClassifier(BernoulliNB()))).fit(texts, Y[:, :2])
    assert words.score(texts, Y[:, :2]) == 1
    frame = pandas.DataFrame({"sound": np.where(Y_BINARY == 1, "drip", "hush"), "level": X_BINARY[:, 0]})
    columns = make_column_transformer((OneHotEncoder(), ["sound"]), remainder="passthrough")
    assert exact(make_pipeline(columns, GaussianNB())).fit(frame, Y_BINARY).score(frame, Y_BINARY) == 1


def test_sparse_items():
    """To those estimators that take them."""
    dense = exact(MultiOutputClassifier(DecisionTreeClassifier(random_state=0, max_depth=3))).fit(X, Y)
    tuner = clone(dense).fit(sparse.csr_array(X), Y)
    np.testing.assert_array_equal(tuner.predict(sparse.csr_array(X)), dense.predict(X))


class Answers(ClassifierMixin, BaseEstimator):
    """A classifier that gives what it is told to."""

    def __init__(self, answer=None, classes=None):
        self.answer = answer
        self.classes = classes

    def fit(self, X, y):
        self.fitted_ = True
        if self.classes is not None:
            self.classes_ = self.classes
        return self

    def predict_proba(self, X):
        return self.answer(X)


def column(X):
    return 1 / (1 + np.exp(-X[:, 0]))


SHAPES = {
    "pairs in three dimensions": lambda X: np.stack([np.stack([1 - column(X), column(X)], 1)] * 2),
    "list of pairs": lambda X: [np.stack([1 - column(X), column(X)], 1)] * 2,
    "list of columns": lambda X: [column(X)] * 2,
    "array": lambda X: np.stack([column(X)] * 2, 1),
    "sparse": lambda X: sparse.csr_array(np.stack([column(X)] * 2, 1)),
    "frame": lambda X: pandas.DataFrame({"a": column(X), "b": column(X)}),
    "float32": lambda X: np.stack([column(X)] * 2, 1).astype(np.float32),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_probabilities(shape):
    tuner = exact(Answers(SHAPES[shape])).fit(X, Y[:, :2])
    wanted = limen.tune(Y[:, :2], np.stack([column(X)] * 2, 1), method="exact")
    np.testing.assert_array_equal(tuner.predict(X), wanted.decide(np.stack([column(X)] * 2, 1)))
    assert tuner.thresholds_.values.dtype == (np.float32 if shape == "float32" else np.float64)


def test_every_shape_of_binary_probabilities():
    """Where the estimator says its classes, the column is that of the class; else the last."""
    both = {
        "alone": (lambda X: column(X), None),
        "one column": (lambda X: column(X)[:, None], None),
        "pair": (lambda X: np.stack([1 - column(X), column(X)], 1), None),
        "other order": (lambda X: np.stack([column(X), 1 - column(X)], 1), np.array([1, 0])),
    }
    values = [exact(Answers(*one)).fit(X_BINARY, Y_BINARY).thresholds_.values[0] for one in both.values()]
    assert len(set(values)) == 1
    with pytest.warns(LimenWarning, match="1 label whose scores are all the same: '1'"):
        unseen = exact(Answers(lambda X: np.ones((len(X), 1)), np.array([0])), cv=2).fit(X_BINARY, Y_BINARY)
    assert (unseen.thresholds_.counts.pp == len(Y_BINARY)).all()
    assert (unseen.predict_proba(X_BINARY) == 1).all()
    assert unseen.thresholds_.values[0] <= 0


def test_errors_of_responses():
    class Silent(ClassifierMixin, BaseEstimator):
        def fit(self, X, y):
            self.fitted_ = True
            return self

    assert refused(exact(Silent()), error=UnsupportedError) == (
        "Silent has neither predict_proba nor decision_function: there are no scores to put a threshold on. Use "
        "an estimator that has one, such as OneVsRestClassifier around one."
    )
    tuner = exact(GaussianNB(), response_method="decision_function")
    assert "GaussianNB has no decision_function: there" in refused(
        tuner, X_BINARY, Y_BINARY, error=UnsupportedError
    )
    assert refused(exact(GaussianNB(), response_method="predict")) == (
        "response_method='predict' is unknown. Use 'auto', 'predict_proba' or 'decision_function'."
    )
    assert refused(exact(Answers(lambda X: np.zeros((len(X), 3))))) == (
        "Answers.predict_proba gave (32, 3) for 4 labels. It must give one column for each label, or for each "
        "label an array (n_items, 2)."
    )
    three = refused(exact(Answers(lambda X: [np.zeros((len(X), 3))] * 4)))
    assert three.startswith("Answers.predict_proba gave [(32, 3), (32, 3), (32, 3), (32, 3)] for 4 labels.")
    assert refused(exact(Answers(lambda X: [column(X)])), X_BINARY, Y_BINARY).startswith(
        "Answers.predict_proba gave [(40,)] for 1 label."
    )
    assert (
        refused(exact(Answers(lambda X: np.zeros((7, 4)))))
        == "Answers.predict_proba gave scores of 7 items for 32."
    )
    assert refused(exact(Answers(lambda X: np.full((len(X), 4), np.nan)), labels=list("abcd"))) == (
        "y_score has NaN in 4 of 4 labels (first: 'a', row 0). Scores must be finite: drop those rows or fix "
        "the model."
    )


def test_errors_come_before_anything_is_fitted():
    class Never(GaussianNB):
        def fit(self, X, y):
            raise AssertionError

    for options in (
        {"metric": "f7"},
        {"average": "binary"},
        {"method": "best"},
        {"zero_division": 2},
        {"cv": "k"},
    ):
        refused(ThresholdTuner(Never(), **options), X_BINARY, Y_BINARY)
    message = refused(ThresholdTuner(Never(), metric={"name": "cost", "fp": [1, 2, 3]}))
    assert "the cost fp has 3 values for 4 labels" in message
    tuner = exact(GaussianNB())
    with pytest.raises(NotFittedError):
        tuner.predict(X)
    with pytest.raises(NotFittedError):
        tuner.score(X, Y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        tuner.fit(X, Y[:-1])


@pytest.mark.parametrize("method", ["ascent", "expected-f"])
def test_averages_over_items(method):
    tuner = ThresholdTuner(OneVsRestClassifier(GaussianNB()), average="samples", method=method).fit(X, Y)
    decided = np.asarray(tuner.predict(X))
    known = f1_score(Y, decided, average="samples", zero_division=0)
    assert tuner.score(X, Y) == pytest.approx(known)
    assert len(tuner.cv_results_["default_score"]) == 5
