"""The front door: what tune refuses, warns of and writes down."""

import pickle
import warnings

import numpy as np
import pytest

import limen
from limen.curves import Curves
from limen.decisions import values_by_label
from limen.errors import InputError, LimenError
from limen.solvers import Fixed, RandomSearch, SurrogateGradient
from strategies import AVERAGES, METRICS, SCORE_DTYPES, random_data, smooth_data, tuned

Y_TRUE = [[0, 1], [1, 0], [1, 1], [0, 0]]
Y_SCORE = [[0.2, 0.9], [0.6, 0.3], [0.8, 0.7], [0.4, 0.8]]


def exact(*args, **options):
    return limen.tune(*args, method="exact", **options)


def refused(*args, error=InputError, **options):
    with pytest.raises(error) as caught:
        limen.tune(*args, **options)
    return str(caught.value)


def test_a_small_case_by_hand():
    """Both labels at their second cut: 4 right of 5 given, 4 positives; 2 * 4 / 9."""
    t = exact(Y_TRUE, Y_SCORE, labels=["dog", "cat"])
    assert t.values.tolist() == [0.5, 0.5]
    assert t.value == t.upper_bound == 8 / 9
    assert (t.status, t.rule, t.method, t.average, t.metric.spec) == ("optimal", ">=", "exact", "micro", "f1")
    assert [part.tolist() for part in t.counts] == [[2, 2], [2, 3], [2, 2], [4, 4]]
    assert (t.labels, t.n_items, t.never) == (("dog", "cat"), 4, ())
    assert exact(Y_TRUE, Y_SCORE, placement="score").values.tolist() == [0.6, 0.7]


class TestLabelsWithoutPositives:
    def test_one_warning_names_them(self):
        with pytest.warns(limen.LimenWarning) as caught:
            exact([[0, 1, 0]], [[0.5, 0.5, 0.5]], labels=["dog", "cat", "<b>"])
        assert len(caught) == 1
        message = str(caught[0].message)
        assert message.startswith(
            "2 labels without a positive item: 'dog', '<b>'. Never given: nothing can be learned"
        )
        assert caught[0].filename == __file__

    @pytest.mark.parametrize("average", AVERAGES)
    @pytest.mark.parametrize("metric", METRICS)
    def test_once_whatever_the_objective(self, metric, average):
        with pytest.warns(limen.LimenWarning) as caught:
            t = exact([[0, 1], [0, 0]], [[0.5, 0.5], [0.1, 0.1]], metric=metric, average=average)
        assert len(caught) == 1
        assert t.never[:1] == ("0",)

    def test_no_warning_where_every_label_has_one(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            exact(Y_TRUE, Y_SCORE)

    def test_no_warning_where_the_label_is_given_all_the_same(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            limen.tune([[0, 1]], [[0.5, 0.5]], method="fixed:0.1")

    def test_no_warning_for_labels_that_never_pays_to_give(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            t = exact([[1], [0], [0]], [[0.1], [0.5], [0.9]], metric="accuracy")
        assert t.never == ("0",)


@pytest.mark.parametrize(
    ("y_true", "y_score"),
    [
        ([[1]], [[0.5]]),
        ([[0]], [[0.5]]),
        ([[1], [1]], [[0.5], [0.5]]),
        ([[0], [0]], [[0.5], [0.5]]),
        ([[np.nan]], [[0.5]]),
        ([[np.nan, 1]], [[0.5, 0.5]]),
        ([[1], [0]], [[0.5], [0.5]]),
    ],
)
@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize("zero_division", [0, 1])
def test_the_smallest_problems(y_true, y_score, average, zero_division):
    """One item, one class, nothing known: a value within its range, and no other warning."""
    for metric in METRICS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", limen.LimenWarning)
            t = exact(y_true, y_score, metric=metric, average=average, zero_division=zero_division)
        assert -1 <= t.value <= 1
        assert t.value <= t.upper_bound
        assert t.decide(y_score).shape == np.shape(y_score)


@pytest.mark.parametrize("average", ["micro", "macro"])
@pytest.mark.parametrize("metric", ["f1", "kappa", "mcc", "g_mean"])
def test_only_the_ratios_of_weights_matter(metric, average):
    """Sums of absurd weights would overflow, or vanish, and a wrong value be called optimal."""
    problem = smooth_data(0)
    weight = np.random.default_rng(0).random(len(problem.y_true)) + 0.1
    options = {"metric": metric, "average": average, "method": "exact"}
    wanted = limen.tune(*problem[:2], sample_weight=weight, **options)
    for unit in (2.0**-1000, 2.0**-190, 2.0**190, 2.0**500, 2.0**1000):
        found = limen.tune(*problem[:2], sample_weight=weight * unit, **options)
        np.testing.assert_array_equal(found.values, wanted.values)
        assert found.value == pytest.approx(wanted.value, rel=1e-9)


class TestRefused:
    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"metric": "auc"}, "metric='auc' is unknown"),
            ({"average": "binary"}, "average='binary' cannot be optimised"),
            ({"method": "magic"}, "method='magic' is unknown"),
            ({"zero_division": 3}, "zero_division=3 is not usable"),
            ({"placement": "low", "method": "exact"}, "placement='low' is unknown"),
            ({"labels": ["a"]}, "labels has 1 name, y_score has 2 columns"),
            ({"sample_weight": [0, 0, 0, 0]}, "sample_weight is zero for every item"),
            ({"mask": np.ones((4, 1), bool)}, "mask has dtype bool and shape (4, 1)"),
            ({"metric": {"name": "cost", "fp": [1, 2, 3]}}, "the cost fp has 3 values for 2 labels"),
        ],
    )
    def test_arguments(self, options, words):
        assert words in refused(Y_TRUE, Y_SCORE, **options)

    def test_constraints(self):
        message = refused(Y_TRUE, Y_SCORE, constraints=["precision >= 0.9"])
        assert "constraints has a str ('precision >= 0.9'). Use the classes of limen.constraints" in message

    def test_scores_are_missing(self):
        assert "y_score is missing. Give labels and scores." in refused(Y_TRUE)

    @pytest.mark.parametrize(
        "more",
        [
            {"y_score": Y_SCORE},
            {"labels": ["a", "b"]},
            {"sample_weight": [1] * 4},
            {"mask": np.ones((4, 2), bool)},
        ],
    )
    def test_curves_hold_the_data_already(self, more):
        curves = Curves.from_arrays(Y_TRUE, Y_SCORE)
        assert "curves hold scores, labels and weights already. Give them alone." in refused(curves, **more)

    @pytest.mark.parametrize(("row", "value"), [(0, np.nan), (3, np.inf)])
    def test_scores_that_are_not_finite(self, row, value):
        y_score = np.array(Y_SCORE)
        y_score[row, 1] = value
        for method in ("exact", "sgl", "shared", "numerical", "pcut", "top-k", "fixed:0.5"):
            assert f"(first: 'cat', row {row})" in refused(Y_TRUE, y_score, method=method, labels=["dog", "cat"])

    @pytest.mark.parametrize("value", [2, -1, 0.5])
    def test_labels_that_are_none(self, value):
        y_true = np.array(Y_TRUE, float)
        y_true[2, 0] = value
        for method in ("exact", "sgl", "shared", "numerical", "pcut", "top-k", "fixed:0.5"):
            message = refused(y_true, Y_SCORE, method=method, labels=["dog", "cat"])
            assert "in label 'dog', row 2" in message

    def test_every_refusal_is_a_limen_error(self):
        for bad in ({"metric": 3}, {"average": 3}, {"method": 3}, {"placement": 3, "method": "exact"}):
            refused(Y_TRUE, Y_SCORE, error=LimenError, **bad)


def test_methods_are_named_as_they_were_asked_for():
    assert exact(Y_TRUE, Y_SCORE).method == "exact"
    assert tuned(random_data(0), method="fixed:0.50").method == "fixed:0.50"
    assert tuned(random_data(0), method=Fixed(0.25)).method == "Fixed(threshold=0.25)"


def test_draws_are_repeated_by_their_seed():
    problem = smooth_data(0)
    for method in (RandomSearch(rounds=2, proposals=20), SurrogateGradient(epochs=3, batch_size=10)):
        first, again, other = (tuned(problem, method=method, random_state=seed).values for seed in (1, 1, 2))
        np.testing.assert_array_equal(first, again)
        assert not np.array_equal(first, other)


@pytest.mark.parametrize("dtype", SCORE_DTYPES)
@pytest.mark.parametrize("method", ["exact", "sgl", "shared", "fixed:0.3", "top-k:1", "pcut"])
def test_thresholds_are_of_the_dtype_of_the_scores(dtype, method):
    assert tuned(smooth_data(0, dtype=dtype), method=method).values.dtype == dtype


def test_a_threshold_beyond_the_range_of_the_dtype():
    problem = smooth_data(0, dtype=np.float16)
    assert tuned(problem, method="fixed:1e6").values.tolist() == [np.inf] * 3
    assert tuned(problem, method="fixed:-1e6").values.tolist() == [float(np.finfo(np.float16).min)] * 3


class TestPlainThresholds:
    def test_one_number_or_one_for_each_label(self):
        assert values_by_label(0.3, "ab", np.float32).tolist() == [np.float32(0.3)] * 2
        assert values_by_label([0.5, np.inf], "ab", np.float64).tolist() == [0.5, np.inf]
        assert values_by_label(-np.inf, "ab", np.float32).tolist() == [np.finfo(np.float32).min] * 2
        assert values_by_label(1e300, "ab", np.float32).dtype == np.float32

    @pytest.mark.parametrize(
        ("values", "words"),
        [
            (
                [0.5],
                "thresholds have shape (1,) for 2 labels. Give one number, or one for each label (+inf: never).",
            ),
            ([[0.5, 0.5]], "thresholds have shape (1, 2) for 2 labels"),
            (np.nan, "thresholds have shape () for 2 labels"),
            ([0.5, np.nan], "thresholds have shape (2,) for 2 labels"),
        ],
    )
    def test_refused(self, values, words):
        with pytest.raises(InputError) as caught:
            values_by_label(values, "ab", np.float64)
        assert words in str(caught.value)


@pytest.mark.parametrize("average", AVERAGES)
def test_what_half_gives_is_kept(average):
    """The objective at 0.5 on the items tuned on, and by label what is gained over it."""
    problem = random_data(5, n_items=40, n_labels=3, weighted=True)
    y_true, y_score, sample_weight = problem
    t = tuned(problem, average=average)
    weighed = {"sample_weight": sample_weight, "metric": "f1"}
    assert t.half == pytest.approx(limen.evaluate(y_true, y_score, 0.5, average=average, **weighed).value)
    of_labels = [limen.evaluate(y_true, y_score, cut, average="none", **weighed).value for cut in (t.values, 0.5)]
    np.testing.assert_allclose(t.gains[0], of_labels[0] - of_labels[1], atol=1e-12)
    assert (t.gains[1] <= t.gains[0]).all()


def test_without_the_scores_nothing_is_said_of_half():
    curves = pickle.loads(pickle.dumps(Curves.from_arrays(*smooth_data(0)[:2])))
    t = limen.tune(curves, method="exact")
    assert (t.half, t.gains, t.expected_gain) == (None, None, None)
    assert "worse" not in t.states()


def test_half_at_other_frequencies():
    """What the items would give if the labels were as frequent as that; which label is worse there is not said."""
    problem = smooth_data(0)
    t = tuned(problem, target_prevalence=[0.9, 0.1, np.nan])
    assert t.gains is None
    p, n = problem.y_true.sum(axis=0), len(problem.y_true)
    target = np.array([0.9, 0.1, p[2] / n])
    weights = np.where(problem.y_true == 1, n * target / p, n * (1 - target) / (n - p))
    kept = problem.y_score >= 0.5
    tp, pp = (weights * (kept & (problem.y_true == 1))).sum(), (weights * kept).sum()
    assert t.half == pytest.approx(2 * tp / (pp + n * target.sum()))
