"""The target in every form that it comes in, and how decisions come back."""

import warnings

import numpy as np
import pandas
import polars
import pytest
from scipy import sparse
from sklearn.datasets import make_multilabel_classification
from sklearn.exceptions import DataConversionWarning
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from limen.errors import InputError
from limen.sklearn import ThresholdTuner

X, Y = make_multilabel_classification(120, n_features=6, n_classes=3, random_state=1)
NAMES = ["dog", "cat", "bird"]
TREE = DecisionTreeClassifier(max_depth=3, random_state=0)


def exact(estimator=TREE, **options):
    return ThresholdTuner(estimator, method="exact", cv=3, **options)


def refused(y, estimator=TREE, **options):
    with pytest.raises(InputError) as caught:
        exact(estimator, **options).fit(X, y)
    return str(caught.value)


REFERENCE = exact().fit(X, Y)
FORMS = {
    "lists": Y.tolist(),
    "bool": Y == 1,
    "float": Y.astype(float),
    "pandas": pandas.DataFrame(Y, columns=NAMES),
    "pandas nullable": pandas.DataFrame(Y, columns=NAMES).astype("Int64"),
    "polars": polars.DataFrame(Y, schema=NAMES),
    "csr array": sparse.csr_array(Y),
    "csc matrix": sparse.csc_matrix(Y),
}


@pytest.mark.parametrize("form", FORMS)
def test_labels_in_every_form(form):
    y = FORMS[form]
    # Trees take no sparse target; OneVsRestClassifier takes nothing else in.
    is_sparse = sparse.issparse(y)
    estimator = OneVsRestClassifier(GaussianNB()) if is_sparse else TREE
    tuner = exact(estimator).fit(X, y)
    reference = exact(estimator).fit(X, Y) if is_sparse else REFERENCE
    np.testing.assert_array_equal(tuner.thresholds_.values, reference.thresholds_.values)
    predicted = tuner.predict(X)
    assert sparse.issparse(predicted) == is_sparse
    if is_sparse:
        assert isinstance(predicted, sparse.sparray) == isinstance(y, sparse.sparray)
        predicted = predicted.toarray()
    np.testing.assert_array_equal(predicted, reference.predict(X))
    assert predicted.dtype == np.asarray(y.toarray() if is_sparse else y).dtype or "nullable" in form
    assert tuner.score(X, y) == reference.score(X, Y)
    assert tuner.labels_ == (tuple(NAMES) if form in ("pandas", "pandas nullable", "polars") else ("0", "1", "2"))


def test_outputs_of_two_classes_each():
    signs = 2 * Y - 1
    words = np.stack([np.where(column == 1, "yes", "no") for column in Y.T], axis=1)
    own = pandas.DataFrame({"dog": words[:, 0], "cat": words[:, 1], "bird": np.where(Y[:, 2] == 1, "wet", "dry")})
    for y in (signs, words, words.astype(object)):
        tuner = exact().fit(X, y)
        np.testing.assert_array_equal(tuner.thresholds_.values, REFERENCE.thresholds_.values)
        predicted = tuner.predict(X)
        assert predicted.dtype == y.dtype
        np.testing.assert_array_equal(predicted == tuner.classes_[0][1], REFERENCE.predict(X) == 1)
        assert tuner.score(X, y) == REFERENCE.score(X, Y)
    tuner = exact(MultiOutputClassifier(TREE)).fit(X, own)
    assert [one.tolist() for one in tuner.classes_] == [["no", "yes"], ["no", "yes"], ["dry", "wet"]]
    coded = exact(MultiOutputClassifier(TREE)).fit(X, Y)
    np.testing.assert_array_equal(tuner.predict(X)[:, 2] == "wet", coded.predict(X)[:, 2] == 1)


def test_names():
    assert exact(labels=NAMES).fit(X, Y).labels_ == tuple(NAMES)
    assert exact(labels=("a", "b", "c")).fit(X, pandas.DataFrame(Y, columns=NAMES)).labels_ == ("a", "b", "c")
    assert exact().fit(X, Y[:, 0]).labels_ == ("1",)
    assert exact().fit(X, pandas.Series(Y[:, 0], name="dog")).labels_ == ("dog",)
    assert exact().fit(X, pandas.Series(Y[:, 0])).labels_ == ("1",)
    assert exact().fit(X, polars.Series("dog", Y[:, 0])).labels_ == ("dog",)
    assert exact().fit(X, polars.Series(Y[:, 0])).labels_ == ("1",)
    assert exact(labels=["dog"]).fit(X, Y[:, 0]).labels_ == ("dog",)
    assert refused(Y, labels=["a"]) == "labels has 1 name, y has 3 labels. Give one name for each."
    assert refused(Y, labels="abc") == "labels is the text 'abc'. Give a sequence of label names."


def test_frames_are_joined_by_name_when_scored():
    tuner = exact().fit(X, pandas.DataFrame(Y, columns=NAMES))
    other_order = pandas.DataFrame(Y, columns=NAMES)[["bird", "dog", "cat"]]
    assert tuner.score(X, other_order) == tuner.score(X, Y)
    assert exact().fit(X, Y).score(X, pandas.DataFrame(Y)) == tuner.score(X, Y)
    renamed = exact(labels=["a", "b", "c"]).fit(X, pandas.DataFrame(Y, columns=NAMES))
    assert renamed.score(X, other_order) == tuner.score(X, Y)
    assert renamed.score(X, pandas.DataFrame(Y, columns=["a", "b", "c"])) == tuner.score(X, Y)
    assert renamed.score(X, polars.DataFrame(Y, schema=NAMES)) == tuner.score(X, Y)
    with pytest.raises(InputError) as caught:
        tuner.score(X, other_order.rename(columns={"cat": "cow"}))
    assert ("'cat' only in the y fitted on, 'cow' only in this y. Columns are joined by name") in str(caught.value)
    with pytest.raises(InputError) as caught:
        tuner.score(X, Y[:, :2])
    assert str(caught.value) == (
        "y has shape (120, 2). It must have 3 columns: one for each label ('dog', 'cat', 'bird')."
    )


def test_one_column():
    """It is a binary target, with scikit-learn's warning; but to an estimator that takes only columns, a label."""
    flat = exact().fit(X, Y[:, 0])
    with pytest.warns(DataConversionWarning, match="column-vector y was passed"):
        column = exact().fit(X, Y[:, [0]])
    np.testing.assert_array_equal(column.predict(X), flat.predict(X))
    assert column.classes_.tolist() == [0, 1]
    with pytest.warns(DataConversionWarning, match="column-vector y was passed"):
        assert exact().fit(X, pandas.DataFrame({"dog": Y[:, 0]})).labels_ == ("dog",)
    outputs = MultiOutputClassifier(TREE)
    for estimator in (outputs, make_pipeline(StandardScaler(), outputs)):
        tuner = exact(estimator).fit(X, Y[:, [0]])
        assert tuner.predict(X).shape == (120, 1)
        assert tuner.score(X, Y[:, [0]]) > 0
    assert exact(OneVsRestClassifier(TREE)).fit(X, Y[:, 0]).predict(X).shape == (120,)


def test_a_label_without_positives_is_never_given():
    nothing = Y.copy()
    nothing[:, 1] = 0
    with pytest.warns(UserWarning, match=r"1 label without a positive item: 'cat'\. Never given"):
        tuner = exact(labels=NAMES).fit(X, nothing)
    assert tuner.thresholds_.never == ("cat",)
    assert not tuner.predict(X)[:, 1].any()


def test_errors_of_one_dimension():
    assert refused(None) == (
        "limen.sklearn requires y to be passed, but the target y is None. Give the labels of the items."
    )
    assert refused(Y.sum(axis=1)) == (
        "y has one column and is multiclass. Only binary classification is supported. Unknown label type: "
        "multiclass. Give two classes, or a column of 0 and 1 for each label."
    )
    assert "Unknown label type: continuous. Give" in refused(X[:, 0] / 7)
    assert refused(np.full(120, "dry")) == (
        "y has one class: 'dry'. Only binary classification is supported: give two classes, or a column of 0 and "
        "1 for each label."
    )
    with pytest.raises(ValueError, match="Input y contains NaN"):
        exact().fit(X, np.where(Y[:, 0] == 1, 1, np.nan))
    with pytest.raises(InputError, match="the fitted estimator has 3 classes: '0', '1', '2'"):
        ThresholdTuner(GaussianNB().fit(X, np.arange(120) % 3), cv="prefit").fit(X, Y[:, 0])


def test_errors_of_two_dimensions():
    three = Y.copy()
    three[0, 1] = 2
    assert refused(three, labels=NAMES) == (
        "y has 3 classes in label 'cat' ('0', '1', '2'). Only binary classification is supported in each column: "
        "give a column of 0 and 1 for each class."
    )
    alone = pandas.DataFrame(Y, columns=NAMES)
    alone["cat"] = "no"
    assert refused(alone) == (
        "y has one class in label 'cat': no. Which of two classes it is cannot be told: code labels as 0 and 1, "
        "or leave the label out."
    )
    mixed = Y.astype(object)
    mixed[::2, 1] = "no"
    assert refused(mixed).startswith("y mixes kinds of classes in label '1': '<' not supported between")
    assert refused(np.zeros((120, 2, 2))) == (
        "y has 3 dimensions. It must have one (two classes) or two (one column for each label)."
    )
    assert refused(np.zeros((120, 0))) == (
        "y is empty: shape (120, 0). At least one item and one label are needed."
    )
    tags = [["dog"] if one else ["cat", "dog"] for one in Y[:, 0]]
    message = refused(tags)
    assert message.startswith("y is no array of classes: ")
    assert message.endswith("(scikit-learn's MultiLabelBinarizer makes them from lists of tags).")
    odd = sparse.csr_array(Y)
    odd.data[0] = 2
    name = NAMES[odd.indices[0]]
    message = refused(odd, OneVsRestClassifier(GaussianNB()), labels=NAMES)
    assert message == f"y has 2 in label {name!r}. A sparse y must hold 0 and 1."


def test_classes_that_were_not_there():
    words = np.where(Y == 1, "yes", "no")
    tuner = exact(labels=NAMES).fit(X, words)
    words = words.astype("<U5")
    words[4, 1] = "maybe"
    with pytest.raises(InputError) as caught:
        tuner.score(X, words)
    assert str(caught.value) == (
        "y has the class maybe in label 'cat' (row 4), which was not there when fitted: no and yes."
    )


def test_nothing_is_warned_of_in_an_ordinary_fit():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ThresholdTuner(OneVsRestClassifier(LogisticRegression())).fit(X, Y)


class TestMissingClasses:
    WORDS = np.where(Y[:, 0] == 1, "yes", "no").astype(object)

    @pytest.mark.parametrize("missing", [None, np.nan, pandas.NA])
    def test_in_one_column_of_text(self, missing):
        words = self.WORDS.copy()
        words[7] = missing
        words[9] = missing
        assert refused(words).startswith("y has no class in its column (row 7). Leave items of unknown class out")
        assert refused(pandas.Series(words, name="dog")).startswith("y has no class in label 'dog' (row 7).")
        assert "'dog' (row 7)" in refused(pandas.Series(words, name="dog", dtype="str"))

    def test_in_several_columns_of_text(self):
        words = np.stack([self.WORDS, self.WORDS[::-1]], axis=1)
        words[7, 1] = None
        said = refused(pandas.DataFrame(words, columns=["dog", "cat"]))
        assert "The first is in label 'cat', row 7." in said

    def test_is_unknown_with_prefit(self):
        words = self.WORDS.copy()
        model = DecisionTreeClassifier(max_depth=2, random_state=0).fit(X, words)
        words[[0, 7, 9]] = None, np.nan, pandas.NA
        tuner = ThresholdTuner(model, method="exact", cv="prefit").fit(X, words)
        assert tuner.thresholds_.counts.n.tolist() == [len(X) - 3]
        known = np.delete(np.arange(len(X)), [0, 7, 9])
        same = ThresholdTuner(model, method="exact", cv="prefit").fit(X[known], self.WORDS[known])
        assert tuner.thresholds_.values == same.thresholds_.values
        numbers = np.where(np.isin(np.arange(len(X)), known), Y[:, 0], np.nan)
        model = DecisionTreeClassifier(max_depth=2, random_state=0).fit(X, Y[:, 0])
        tuner = ThresholdTuner(model, method="exact", cv="prefit").fit(X, numbers)
        assert tuner.thresholds_.values == same.thresholds_.values
