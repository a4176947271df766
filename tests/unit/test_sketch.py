"""Sketches of rows, and least squares on them: identities, theory, messages."""

# ruff: noqa: N803, N806 - X, Y, S and W are what the equations call them

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="limen.learn needs scikit-learn: pip install 'limen[learn]'")

from scipy import sparse
from scipy.linalg import hadamard as hadamard_matrix
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_val_predict

import limen
from limen.learn import SketchedBinaryRelevance
from limen.learn.projections import PROJECTIONS, walsh_hadamard
from limen.learn.sketch import expected_cost_ratio
from limen.sklearn import ThresholdTuner

KINDS = ("gaussian", "hadamard", "count")


@pytest.fixture(scope="module")
def problem():
    """Features (n_items, n_features), a third of them 0, and labels; the last label is rare."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((3000, 15)) * (rng.random((3000, 15)) > 0.3)
    scores = X @ rng.standard_normal((15, 4)) + 2 * rng.standard_normal((3000, 4))
    return X, (scores > [0, 1, 2, 7]).astype(np.int8)


def with_ones(X):
    return np.column_stack([X, np.ones(len(X))])


def test_the_transform_is_that_of_the_matrix():
    for n in (1, 2, 4, 8, 16, 32, 64, 128, 8192):
        H = hadamard_matrix(min(n, 128), float)
        if n <= 128:
            assert np.array_equal(walsh_hadamard(np.eye(n)), H)
            assert np.array_equal(walsh_hadamard(H), n * np.eye(n))
    x = np.random.default_rng(0).integers(-9, 9, (8192, 3)).astype(np.float32)
    twice = walsh_hadamard(walsh_hadamard(x))
    assert twice.dtype == np.float32
    assert np.array_equal(twice, 8192 * x)
    assert np.array_equal(walsh_hadamard(x[:4096, 0]), hadamard_matrix(4096) @ x[:4096, 0])
    with pytest.raises(limen.InputError, match=r"of 12 rows. It takes 1, 2, 4, 8"):
        walsh_hadamard(np.ones(12))


@pytest.mark.parametrize("kind", KINDS)
def test_squared_lengths_are_kept_on_average(kind):
    n_items, n_rows, draws = 11, 6, 3000
    total = np.zeros((2, n_items, n_items))
    for seed in range(draws):
        (S,) = PROJECTIONS[kind]([np.eye(n_items)], n_rows, np.random.default_rng(seed))
        assert S.shape == (n_rows, n_items)
        total += [S.T @ S, np.square(S.T @ S)]
    mean, spread = total[0] / draws, np.sqrt(np.maximum(total[1] / draws - np.square(total[0] / draws), 0) / draws)
    assert (np.abs(mean - np.eye(n_items)) <= 5 * spread + 1e-12).all()
    assert spread[0, 1] > 0  # it was drawn: an S that is always the same would pass otherwise


@pytest.mark.parametrize("kind", KINDS)
def test_one_sketch_serves_all_matrices_dense_and_sparse(kind, problem):
    X, Y = problem
    parts = [X[:700], sparse.csr_array(X[:700]), Y[:700].astype(float)]
    dense, thin, labels = PROJECTIONS[kind](parts, 40, np.random.default_rng(3))
    assert np.allclose(dense, thin, rtol=0, atol=1e-12)
    (S,) = PROJECTIONS[kind]([np.eye(700)], 40, np.random.default_rng(3))
    assert np.allclose(S @ Y[:700], labels, rtol=0, atol=1e-12)


def test_gaussian_rows_do_not_depend_on_how_many_are_held(problem, monkeypatch):
    from limen.learn import projections

    whole = projections.gaussian([problem[0]], 20, np.random.default_rng(0))[0]
    monkeypatch.setattr(projections, "BLOCK", 20 * 7)
    assert np.allclose(projections.gaussian([problem[0]], 20, np.random.default_rng(0))[0], whole)


def test_without_a_sketch_it_is_exact_binary_relevance(problem):
    X, Y = problem
    W = np.linalg.lstsq(with_ones(X), Y.astype(float))[0]
    model = SketchedBinaryRelevance("identity", alpha=0).fit(X, Y)
    assert np.allclose(model.coef_, W[:-1].T, atol=1e-12)
    assert np.allclose(model.decision_function(X), with_ones(X) @ W, atol=1e-12)
    assert (model.sketch_size_, model.n_features_in_, model.coef_.shape) == (3000, 15, (4, 15))
    assert np.allclose(model.suboptimality(X, Y), 0, atol=1e-12)
    ridge = Ridge(30.0, solver="cholesky").fit(X, Y)
    penalised = SketchedBinaryRelevance("identity", alpha=30).fit(X, Y)
    assert np.allclose(penalised.coef_, ridge.coef_)
    assert np.allclose(penalised.intercept_, ridge.intercept_)
    plain = SketchedBinaryRelevance("identity", alpha=0, fit_intercept=False).fit(X, Y)
    assert np.allclose(plain.coef_, np.linalg.lstsq(X, Y.astype(float))[0].T)
    assert not plain.intercept_.any()
    # As many rows as items: no sketch is drawn, and nothing lost.
    assert np.array_equal(SketchedBinaryRelevance("count", 3000, alpha=0).fit(X, Y).coef_, model.coef_)


@pytest.mark.parametrize("kind", KINDS)
def test_a_fit_is_least_squares_on_the_sketch(kind, problem):
    X, Y = problem
    model = SketchedBinaryRelevance(kind, 10.0, alpha=0, random_state=5).fit(X, Y)
    seed = np.random.RandomState(5).randint(1 << 31)
    SX, SY = PROJECTIONS[kind]([with_ones(X), Y.astype(float)], 160, np.random.default_rng(seed))
    assert model.sketch_size_ == 160
    W = np.linalg.lstsq(SX, SY)[0]
    assert np.allclose(np.column_stack([model.coef_, model.intercept_]), W.T)


@pytest.mark.parametrize("kind", KINDS)
def test_labels_decouple_storage_does_not_matter_and_seeds_decide(kind, problem):
    X, Y = problem
    model = SketchedBinaryRelevance(kind, 6.0, random_state=1)
    whole = clone(model).fit(X, Y)
    for k in (0, 3):
        assert np.allclose(clone(model).fit(X, Y[:, [k]]).coef_, whole.coef_[[k]], atol=1e-12)
    for x, y in ((sparse.csr_array(X), Y), (X, sparse.csr_array(Y)), (sparse.csr_array(X), sparse.csr_array(Y))):
        thin = clone(model).fit(x, y)
        assert np.allclose(thin.coef_, whole.coef_, atol=1e-12)
        assert np.allclose(thin.suboptimality(x, y), whole.suboptimality(X, Y), atol=1e-10)
        assert np.allclose(thin.decision_function(x), whole.decision_function(X), atol=1e-10)
    single = clone(model).fit(X.astype(np.float32), Y)
    assert np.allclose(single.coef_, whole.coef_, atol=1e-5)
    assert single.decision_function(X.astype(np.float32)).dtype == np.float32
    assert np.array_equal(clone(model).fit(X, Y).coef_, whole.coef_)
    assert not np.allclose(clone(model).set_params(random_state=2).fit(X, Y).coef_, whole.coef_)


@pytest.mark.parametrize("kind", KINDS)
def test_the_cost_is_what_theory_says(kind):
    rng = np.random.default_rng(1)
    X = rng.standard_normal((4000, 19))
    Y = (X[:, :6] + 2 * rng.standard_normal((4000, 6)) > 1).astype(np.int8)
    for size in (4, 8):
        delta = [
            SketchedBinaryRelevance(kind, size * 20, alpha=0, random_state=seed).fit(X, Y).suboptimality(X, Y)
            for seed in range(30)
        ]
        assert np.mean(np.square(1 + np.array(delta))) == pytest.approx(
            expected_cost_ratio(20, size * 20), rel=0.03
        )


def test_suboptimality_is_of_the_root_and_of_each_label(problem):
    X, Y = problem
    model = SketchedBinaryRelevance("count", 4.0, alpha=0, random_state=0).fit(X, Y)
    exact = np.linalg.lstsq(with_ones(X), Y.astype(float))[0]
    least, cost = (
        np.linalg.norm(Y - scores, axis=0) for scores in (with_ones(X) @ exact, model.decision_function(X))
    )
    assert np.allclose(model.suboptimality(X, Y), cost / least - 1)
    empty = np.zeros_like(Y)
    assert np.array_equal(SketchedBinaryRelevance("count").fit(X, empty).suboptimality(X, empty), [0, 0, 0, 0])
    assert np.array_equal(model.suboptimality(X, empty), [np.inf] * 4)


def test_columns_that_depend_on_each_other_and_large_units(problem):
    X, Y = problem
    twice = np.column_stack([X, X[:, :3], np.ones(len(X)), np.zeros(len(X))])
    for x in (twice, twice.astype(np.float32), sparse.csr_array(twice)):
        model = SketchedBinaryRelevance("identity", alpha=0).fit(x, Y)
        reference = SketchedBinaryRelevance("identity", alpha=0).fit(X, Y)
        assert np.allclose(model.decision_function(x), reference.decision_function(X), atol=1e-4)
        assert np.abs(model.coef_).max() <= np.abs(reference.coef_).max() + 1e-4
    units = 10.0 ** np.arange(-7, 8)
    scaled = SketchedBinaryRelevance("identity", alpha=0).fit(X * units, Y)
    assert np.allclose(scaled.coef_ * units, SketchedBinaryRelevance("identity", alpha=0).fit(X, Y).coef_)
    # Columns nearly alike, more than float32 sums can tell: they are summed anew as float64.
    alike = np.column_stack([X[:, 0], X[:, 0] + 1e-4 * X[:, 1]]).astype(np.float32)
    wide = SketchedBinaryRelevance("identity", alpha=0).fit(alike.astype(float), Y)
    assert np.allclose(SketchedBinaryRelevance("identity", alpha=0).fit(alike, Y).coef_, wide.coef_, rtol=1e-6)


def test_fewer_rows_than_columns_need_a_penalty(problem):
    X, Y = problem
    said = "the sketch has 8 rows for 16 columns"
    with pytest.raises(limen.InputError, match=rf"{said}, so many solutions fit it\. Give sketch_size"):
        SketchedBinaryRelevance(sketch_size=0.5, alpha=0).fit(X, Y)
    with pytest.warns(limen.LimenWarning, match=rf"{said}: only the penalty \(alpha=0\.1\)"):
        model = SketchedBinaryRelevance(sketch_size=8, alpha=0.1, random_state=0).fit(X, Y)
    assert np.isfinite(model.coef_).all()
    assert model.sketch_size_ == 8
    assert expected_cost_ratio(16, 17) == np.inf


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"sketch": "fft"},
            r"sketch='fft' is not known. Choose one of 'gaussian', 'hadamard', 'count', 'identity'",
        ),
        ({"sketch_size": 0}, r"sketch_size=0 is not usable. Give a number above 0"),
        ({"sketch_size": True}, r"sketch_size=True is not usable"),
        ({"alpha": -1}, r"alpha=-1 is not usable. Give a penalty from 0"),
        ({"alpha": "much"}, r"alpha='much' is no number"),
    ],
)
def test_options_that_are_not_usable(options, message, problem):
    with pytest.raises(limen.InputError, match=message):
        SketchedBinaryRelevance(**options).fit(*problem)


def test_labels_that_do_not_fit(problem):
    X, Y = problem
    model = SketchedBinaryRelevance("count", random_state=0)
    for y in (Y * 2, sparse.csr_array(Y * 2), Y - 1):
        with pytest.raises(limen.InputError, match="y has 2 dimensions and values beyond 0 and 1"):
            model.fit(X, y)
    with pytest.raises(limen.InputError, match="X has 3000 items, y has 10: inconsistent"):
        model.fit(X, Y[:10])
    with pytest.raises(ValueError, match="NaN"):
        model.fit(X, np.where(Y == 1, np.nan, 0.0))
    model.fit(X, Y)
    with pytest.raises(limen.InputError, match="y has 2 labels, 4 were fitted"):
        model.suboptimality(X, Y[:, :2])
    with pytest.raises(limen.InputError, match="y has one dimension; it was fitted on a column for each label"):
        model.suboptimality(X, Y[:, 0])


def test_nothing_given_is_changed(problem):
    X, Y = (part.copy() for part in problem)
    for kind in (*KINDS, "identity"):
        SketchedBinaryRelevance(kind, 4.0, random_state=0).fit(X, Y).suboptimality(X, Y)
    assert np.array_equal(X, problem[0])
    assert np.array_equal(Y, problem[1])


def test_scores_go_on_to_thresholds(problem):
    X, Y = problem
    model = SketchedBinaryRelevance("count", 8.0, random_state=0)
    fitted = clone(model).fit(X[:2000], Y[:2000])
    scores = fitted.decision_function(X)
    t = limen.tune(Y[:2000], scores[:2000], average="macro")
    tuned, half = (limen.evaluate(Y[2000:], scores[2000:], cut, average="macro").value for cut in (t, 0.5))
    assert tuned > half + 0.05
    assert np.array_equal(fitted.predict(X), scores >= 0.5)
    assert cross_val_predict(model, X, Y, method="decision_function", cv=3).shape == Y.shape
    assert ThresholdTuner(model, method="exact", cv=3).fit(X, Y).predict(X).shape == Y.shape


def test_one_dimension_of_classes_is_as_in_scikit_learn(problem):
    X, Y = problem
    words = np.array(["no", "yes"])[Y[:, 0].astype(int)]
    model, column = (SketchedBinaryRelevance("count", random_state=0).fit(X, y) for y in (words, Y[:, [0]]))
    assert np.allclose(model.decision_function(X), column.decision_function(X)[:, 0] - 0.5)
    assert np.array_equal(model.predict(X) == "yes", model.decision_function(X) > 0)
    three = SketchedBinaryRelevance("count", random_state=0).fit(X, Y[:, 0] + Y[:, 1])
    assert three.decision_function(X).shape == (3000, 3)
    assert np.mean(three.predict(X) == Y[:, 0] + Y[:, 1]) > 0.5
