"""Sparse scores and labels against dense ones; a score that is not stored is below every cut."""

from itertools import product

import numpy as np
import pytest
from scipy import sparse

import limen
from limen.curves import Curves
from limen.errors import InputError
from limen.sources.arrays import CSR
from oracle import naive
from strategies import AVERAGES, Data, exactly, random_data, tuned

SEEDS = range(20)
BELOW_ALL = -1e4
LEARNERS = [
    limen.solvers.SurrogateGradient(epochs=3),
    limen.solvers.SurrogateGradient(epochs=3, bins=2),
    limen.solvers.SurrogateGradient(epochs=3, batch_size=3, space="rank"),
    limen.solvers.Numerical(epochs=3),
    limen.solvers.RandomSearch(rounds=2, proposals=10),
]
FORMATS = {
    "csr_array": sparse.csr_array,
    "csr_matrix": sparse.csr_matrix,
    "csc_array": sparse.csc_array,
    "coo_array": sparse.coo_array,
    "lil_array": sparse.lil_array,
    "dok_array": sparse.dok_array,
}


def stored(scores, keep, kind=sparse.csr_array):
    """Sparse scores that store zeros too where ``keep`` says so."""
    row, column = np.nonzero(keep)
    return kind(sparse.coo_array((scores[row, column], (row, column)), shape=scores.shape))


def case(seed, **options) -> tuple[Data, np.ndarray]:
    """A problem and which of its scores are stored; scipy knows no float16."""
    problem = random_data(seed, n_items=7, n_labels=2, **{"dtype": ("f4", "f8")[seed % 2], **options})
    return problem, np.random.default_rng(seed).random(problem.y_score.shape) < 0.6


def filled(problem, keep) -> Data:
    """The dense twin: what is not stored has a score below all others."""
    return problem._replace(y_score=np.where(keep, problem.y_score, problem.y_score.dtype.type(BELOW_ALL)))


@pytest.mark.parametrize("seed", SEEDS)
def test_scores_that_are_not_stored_are_below_every_cut(seed):
    problem, keep = case(seed)
    curves = Curves.from_arrays(problem.y_true, stored(problem.y_score, keep), sample_weight=problem.sample_weight)
    twin = filled(problem, keep)
    for k in range(curves.n_labels):
        own = slice(curves.offsets[k], curves.offsets[k + 1])
        rows = zip(*(x[own].tolist() for x in (curves.candidates.cuts, curves.tp, curves.fp)), strict=True)
        expected = [row for row in naive.curve(*twin.column(k)) if row[0] != BELOW_ALL]
        assert list(rows) == [row[:3] for row in expected]
        below = [-np.inf if row[3] in (None, BELOW_ALL) else row[3] for row in expected]
        assert curves.beneath[own].tolist() == below
    totals = [label[2:] for label in naive.counts(twin.y_true, twin.y_score, [0, 0], twin.sample_weight)]
    assert list(zip(curves.n_positive.tolist(), curves.n_known.tolist(), strict=True)) == totals


@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize("metric", ["f1", "accuracy", "mcc", "g_mean"])
def test_the_best_of_all_vectors_that_can_choose_only_what_is_stored(metric, average):
    for seed in SEEDS:
        problem, keep = case(seed)
        twin = filled(problem, keep)
        t = tuned(
            Data(problem.y_true, stored(problem.y_score, keep), problem.sample_weight),
            metric=metric,
            average=average,
        )
        counts = naive.counts(*twin[:2], t.values, twin.sample_weight)
        assert exactly(t.counts) == counts
        cuts = [
            [cut for cut in naive.all_cuts(twin.y_true[:, k], twin.y_score[:, k]) if cut != BELOW_ALL]
            for k in range(2)
        ]
        best = max(
            naive.value(metric, average, naive.counts(*twin[:2], vector, twin.sample_weight))
            for vector in product(*cuts)
        )
        reached = naive.value(metric, average, counts)
        if t.status == "optimal":
            assert reached == best
        else:
            assert metric == "g_mean"
            assert reached <= best
            assert naive.as_float(metric, best) <= t.upper_bound + 1e-14


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("seed", range(4))
def test_formats_of_scores(seed, kind):
    problem, keep = case(seed, dtype="f8")
    keep &= problem.y_score != 0  # dok and lil store no zeros
    one = Curves.from_arrays(problem.y_true, stored(problem.y_score, keep))
    assert Curves.from_arrays(problem.y_true, stored(problem.y_score, keep, FORMATS[kind])) == one


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("dtype", [bool, np.int8, np.int64, np.float32])
def test_formats_of_labels(seed, kind, dtype):
    problem, keep = case(seed, unknown=False, dtype="f8")
    y_true = FORMATS[kind](problem.y_true.astype(dtype))
    dense, scattered = problem.y_score, stored(problem.y_score, keep)
    for y_score in (dense, scattered):
        expected = Curves.from_arrays(problem.y_true, y_score, sample_weight=problem.sample_weight)
        assert Curves.from_arrays(y_true, y_score, sample_weight=problem.sample_weight) == expected


@pytest.mark.parametrize("seed", SEEDS)
def test_unknown_labels_may_be_stored(seed):
    """A stored NaN is unknown; what is not stored is 0."""
    problem, keep = case(seed, unknown=True)
    y_true = sparse.csr_array(problem.y_true)
    for y_score in (problem.y_score, stored(problem.y_score, keep)):
        expected = Curves.from_arrays(problem.y_true, y_score, sample_weight=problem.sample_weight)
        assert Curves.from_arrays(y_true, y_score, sample_weight=problem.sample_weight) == expected


@pytest.mark.parametrize("seed", SEEDS)
def test_a_mask_hides_stored_and_absent_pairs(seed):
    problem, keep = case(seed, unknown=False)
    known = np.random.default_rng(seed).random(keep.shape) < 0.7
    y_score = stored(problem.y_score, keep)
    expected = Curves.from_arrays(np.where(known, problem.y_true, np.nan), y_score)
    assert Curves.from_arrays(problem.y_true, y_score, mask=known) == expected
    assert Curves.from_arrays(sparse.csr_array(problem.y_true), y_score, mask=known) == expected


@pytest.mark.parametrize("seed", SEEDS)
def test_tag_lists_are_sparse_labels(seed):
    problem, keep = case(seed, unknown=False)
    labels = ["dog", "cat"]
    tags = [[labels[k] for k in np.flatnonzero(row)] for row in problem.y_true]
    for y_score in (problem.y_score, stored(problem.y_score, keep)):
        expected = Curves.from_arrays(problem.y_true, y_score, labels=labels)
        assert Curves.from_arrays(tags, y_score, labels=labels) == expected
        assert Curves.from_arrays([set(row) for row in tags], y_score, labels=labels) == expected
        assert Curves.from_arrays(tuple(map(tuple, tags)), y_score, labels=labels) == expected


def test_duplicates_and_unsorted_indices_are_put_in_order():
    scores = CSR(np.array([0.5, 0.25, 0.75]), np.array([1, 0, 1]), np.array([0, 2, 3]), (2, 2))
    unsorted = sparse.csr_array((scores.data, scores.indices, scores.indptr), shape=(2, 2))
    expected = Curves.from_arrays([[0, 1], [0, 1]], np.array([[0.25, 0.5], [0, 0.75]]))
    tidy = Curves.from_arrays([[0, 1], [0, 1]], unsorted)
    assert tidy.candidates == expected.candidates
    np.testing.assert_array_equal(tidy.tp, expected.tp)
    assert unsorted.indices.tolist() == [1, 0, 1], "the caller's matrix is as it was"
    y_true = sparse.coo_array((np.array([1, 1]), ([0, 0], [1, 1])), shape=(2, 2))
    with pytest.raises(InputError, match="y_true has 2"):
        Curves.from_arrays(y_true, np.zeros((2, 2)))


@pytest.mark.parametrize("seed", SEEDS)
def test_decisions_on_sparse_scores_are_sparse(seed):
    problem, keep = case(seed, dtype="f8")
    y_score = stored(problem.y_score, keep)
    t = tuned(Data(problem.y_true, y_score, problem.sample_weight))
    decisions = t.decide(y_score)
    assert sparse.issparse(decisions)
    assert decisions.dtype == bool
    np.testing.assert_array_equal(decisions.toarray(), t.decide(filled(problem, keep).y_score))
    own = y_score.tocsr()
    raw = t.decide(CSR(own.data, own.indices, own.indptr, own.shape))
    assert isinstance(raw, CSR)
    rebuilt = sparse.csr_array((raw.data, raw.indices, raw.indptr), shape=raw.shape)
    np.testing.assert_array_equal(rebuilt.toarray(), decisions.toarray())


@pytest.mark.parametrize("average", ["micro", "macro"])
@pytest.mark.parametrize(
    "method", [*LEARNERS, "top-k:1", "top-k", "shared", "pcut", "fixed:0.3", "exact"], ids=str
)
def test_methods_where_every_score_is_stored(method, average):
    for seed in range(6):
        problem, keep = case(seed)
        y_score = stored(problem.y_score, np.ones_like(keep))
        t = tuned(problem._replace(y_score=y_score), method=method, average=average)
        dense = tuned(problem, method=method, average=average)
        np.testing.assert_array_equal(t.values, dense.values)
        assert (t.rule, t.value, t.history) == (dense.rule, dense.value, dense.history)
        np.testing.assert_array_equal(t.decide(y_score).toarray(), dense.decide(problem.y_score))


def test_the_highest_stored_scores_of_an_item():
    y_score = np.array([[0.9, 0.0, 0.5], [0.0, 0.0, 0.0], [0.2, 0.2, 0.2], [-1.0, 0.0, -2.0]])
    scores = sparse.csr_array(y_score)
    top = tuned(Data(np.ones((4, 3)), scores), method="top-k:2").decide(scores).toarray()
    assert top.tolist() == [[1, 0, 1], [0, 0, 0], [1, 1, 0], [1, 0, 1]]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_best_shared_threshold_among_what_is_stored(seed):
    problem, keep = case(seed)
    twin = filled(problem, keep)
    t = tuned(problem._replace(y_score=stored(problem.y_score, keep)), method="shared")
    cuts = [np.inf, *np.unique(problem.y_score[keep]).tolist()]
    best = max(naive.value("f1", "micro", naive.counts(*twin[:2], [cut, cut], twin.sample_weight)) for cut in cuts)
    assert naive.value("f1", "micro", exactly(t.counts)) == best


@pytest.mark.parametrize("seed", range(6))
def test_half_precision_scores_in_limens_own_rows(seed):
    problem, keep = case(seed, dtype="f2")
    row, column = np.nonzero(keep)
    indptr = np.searchsorted(row, np.arange(len(keep) + 1))
    own = CSR(problem.y_score[row, column], column, indptr, keep.shape)
    curves = Curves.from_arrays(problem.y_true, own, sample_weight=problem.sample_weight)
    as_single = stored(problem.y_score.astype(np.float32), keep)
    single = Curves.from_arrays(problem.y_true, as_single, sample_weight=problem.sample_weight)
    assert curves.dtype == np.float16
    for name in ("offsets", "tp", "fp", "beneath", "n_positive", "n_known"):
        np.testing.assert_array_equal(getattr(curves, name), getattr(single, name))


def test_learners_see_the_positives_that_are_not_stored():
    """A positive without a score is a miss: it counts in what the learner sees as in what it returns."""
    rng = np.random.default_rng(0)
    y_true, scores = rng.integers(0, 2, (40, 2)), rng.random((40, 2))
    problem = Data(y_true, stored(scores, rng.random((40, 2)) < 0.5))
    for method in LEARNERS:
        t = tuned(problem, method=method)
        binned = getattr(method, "bins", None) == 2
        assert t.history[-1] == pytest.approx(t.value, abs=0.1 if binned else 1e-12), method.name


def test_nothing_stored_at_all():
    empty = sparse.csr_array((3, 2))
    t = limen.tune([[1, 0], [0, 1], [1, 1]], empty, method="exact")
    assert t.values.tolist() == [np.inf, np.inf]
    assert (t.value, t.status) == (0.0, "optimal")
    assert t.counts.p.tolist() == [2, 2]
    assert t.decide(empty).nnz == 0


def test_a_stored_score_that_is_not_finite_is_named():
    scores = sparse.csr_array(np.array([[0.5, 0.0], [0.0, np.nan]]))
    with pytest.raises(InputError, match=r"y_score has NaN in 1 of 2 labels \(first: 'cat', row 1\)"):
        Curves.from_arrays([[1, 0], [0, 1]], scores, labels=["dog", "cat"])


def test_a_stored_label_that_is_none_is_named():
    y_true = sparse.csr_array(np.array([[1, 0], [0, 3]]))
    with pytest.raises(InputError, match=r"y_true has 3 in label 'cat', row 1"):
        Curves.from_arrays(y_true, [[0.5, 0.1], [0.2, 0.3]], labels=["dog", "cat"])


def test_one_dimensional_sparse_scores_are_one_label_or_refused():
    scores = sparse.coo_array(np.array([0.5, 0.25, 0.75]))
    try:
        curves = Curves.from_arrays([1, 0, 1], scores)
    except InputError:
        return
    assert curves == Curves.from_arrays([1, 0, 1], np.array([0.5, 0.25, 0.75]))
