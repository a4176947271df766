"""Data in pieces: chunks and sums of curves equal the curves of the whole, bit for bit."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

import limen
from limen.curves import Curves
from limen.errors import InputError, MergeError, UnsupportedError
from limen.sources import blocks
from limen.sources.door import as_source
from strategies import PATIENT, Data, curves_of, data, problems, random_data, smooth_data, tuned

SEEDS = range(12)


def chunk(problem):
    return tuple(part for part in problem if part is not None)


def cut_up(problem, edges):
    return [problem.taken(slice(*span)) for span in zip([0, *edges], [*edges, len(problem.y_true)], strict=True)]


def without_light_ends(problem, edges):
    """Edges at which every piece has some weight: a piece of weight 0 has a test of its own."""
    weight = np.ones(len(problem.y_true)) if problem.sample_weight is None else problem.sample_weight
    kept: list[int] = []
    for edge in edges:
        if weight[(kept[-1] if kept else 0) : edge].any() and weight[edge:].any():
            kept.append(edge)
    return kept


def assert_same_bits(curves, whole):
    assert curves == whole
    assert curves.digest() == whole.digest()
    for name in ("tp", "fp", "beneath", "n_positive", "n_known"):
        first, second = getattr(curves, name), getattr(whole, name)
        assert first.dtype == second.dtype
        np.testing.assert_array_equal(first, second)


@settings(PATIENT, max_examples=60)
@given(problems(most_items=10), st.data())
def test_chunks_and_sums_are_the_whole(problem, draw):
    n_items = len(problem.y_true)
    drawn = draw.draw(st.sets(st.integers(1, n_items - 1)) if n_items > 1 else st.just(set()))
    pieces = cut_up(problem, without_light_ends(problem, sorted(drawn)))
    whole = curves_of(problem)
    assert_same_bits(Curves.from_chunks([chunk(piece) for piece in pieces]), whole)
    summed = curves_of(pieces[0])
    for piece in pieces[1:]:
        summed = summed + curves_of(piece)
    assert_same_bits(summed, whole)


@settings(PATIENT, max_examples=60)
@given(problems(most_items=10, weighted=False), st.data())
def test_sums_do_not_depend_on_order_or_grouping(problem, draw):
    n_items = len(problem.y_true)
    first, second = sorted(draw.draw(st.lists(st.integers(0, n_items - 1), min_size=2, max_size=2)))
    a, b, c = (
        curves_of(problem.taken(slice(*span))) for span in [(0, first + 1), (first, second + 1), (second, n_items)]
    )
    assert (a + b) + c == a + (b + c) == (c + a) + b
    assert a + b == b + a


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("edges", [[150], [1], [299], [100, 200], list(range(1, 300))])
def test_many_items_in_chunks(edges, weighted):
    """Enough items for several threads in the whole and in some of the chunks."""
    rng = np.random.default_rng(0)
    y_score = rng.integers(0, 40, (300, 5)) / 64
    weight = rng.integers(1, 9, 300) / 8 if weighted else None
    problem = data(rng.random((300, 5)) < 0.2, y_score, weight)
    assert_same_bits(Curves.from_chunks([chunk(piece) for piece in cut_up(problem, edges)]), curves_of(problem))


def test_weights_that_are_no_binary_fractions():
    """Sums of tenths depend on their order in the last bit; the docstring promises the bits of the whole."""
    for seed in range(20):
        rng = np.random.default_rng(seed)
        problem = data(rng.integers(0, 2, (9, 2)), rng.integers(0, 4, (9, 2)) / 4, rng.integers(1, 10, 9) / 10)
        assert_same_bits(Curves.from_chunks([chunk(piece) for piece in cut_up(problem, [4])]), curves_of(problem))


def test_dense_data_is_read_in_blocks(monkeypatch):
    """Blocks of two rows: the same counts, and errors name the row in the whole."""
    problem = random_data(3, n_items=9, n_labels=2, unknown=True, weighted=True)
    whole = curves_of(problem)
    scattered = sparse.csr_array(problem.y_score.astype(float))
    sparse_whole = Curves.from_arrays(problem.y_true, scattered)
    monkeypatch.setattr(blocks, "BLOCK_ELEMENTS", 4)
    assert len(list(as_source(*problem[:2]).blocks())) == 5
    assert_same_bits(curves_of(problem), whole)
    assert_same_bits(Curves.from_arrays(problem.y_true, scattered), sparse_whole)
    bad = problem.y_score.copy()
    bad[7, 1] = np.inf
    with pytest.raises(InputError, match=r"an infinite value in 1 of 2 labels \(first: '1', row 7\)"):
        Curves.from_arrays(problem.y_true, bad)


@pytest.mark.parametrize("seed", SEEDS)
def test_chunks_may_be_of_different_backends(seed):
    problem = random_data(seed, n_items=9, n_labels=2, unknown=False, weighted=False, dtype="f8")
    pieces = cut_up(problem, [3, 6])
    tags = [["01"[k] for k in np.flatnonzero(row)] for row in pieces[2].y_true]
    chunks = [
        (pieces[0].y_true.astype(bool), pieces[0].y_score.tolist()),
        (sparse.csr_array(pieces[1].y_true), np.asfortranarray(pieces[1].y_score)),
        (tags, pieces[2].y_score),
    ]
    assert_same_bits(Curves.from_chunks(chunks), curves_of(problem))
    assert_same_bits(Curves.from_chunks(lambda: iter(chunks)), curves_of(problem))


@pytest.mark.parametrize("seed", SEEDS)
def test_sparse_chunks(seed):
    problem = random_data(seed, n_items=9, n_labels=2, weighted=False, dtype="f8")
    whole = Curves.from_arrays(problem.y_true, sparse.csr_array(problem.y_score))
    chunks = [(piece.y_true, sparse.csr_array(piece.y_score)) for piece in cut_up(problem, [2, 5])]
    assert_same_bits(Curves.from_chunks(chunks), whole)
    assert_same_bits(
        sum([Curves.from_arrays(*part) for part in chunks[1:]], Curves.from_arrays(*chunks[0])), whole
    )


@pytest.mark.parametrize("method", ["exact", "sgl", "numerical", "shared", "top-k", "pcut", "mcut", "fixed:0.4"])
@pytest.mark.parametrize("average", ["micro", "macro"])
def test_methods_on_chunks_and_sums(method, average):
    problem = smooth_data(0, n_items=20)
    expected = tuned(problem, method=method, average=average)
    pieces = cut_up(problem, [7, 13])
    for curves in (
        Curves.from_chunks([chunk(piece) for piece in pieces]),
        curves_of(pieces[0]) + curves_of(pieces[1]) + curves_of(pieces[2]),
    ):
        t = tuned(curves, method=method, average=average)
        np.testing.assert_array_equal(t.values, expected.values)
        assert (t.value, t.status, t.rule, t.n_items) == (expected.value, expected.status, expected.rule, 20)
        assert t.digest == expected.digest


def test_mini_batches_need_the_data_in_memory():
    problem = smooth_data(0, n_items=20)
    method = limen.solvers.SurrogateGradient(epochs=1, batch_size=5)
    for curves in (Curves.from_chunks([chunk(problem)]), curves_of(problem) + curves_of(problem)):
        with pytest.raises(UnsupportedError, match="mini-batches need scores and labels in memory"):
            tuned(curves, method=method)


@pytest.mark.parametrize("seed", SEEDS)
def test_machines_agree_on_candidates_first(seed):
    """As docstrings advise: unite the candidates, count at them, send the curves, add."""
    problem = random_data(seed, n_items=9, n_labels=2, weighted=False)
    pieces = cut_up(problem, [4])
    united = curves_of(pieces[0]).candidates | curves_of(pieces[1]).candidates
    sent = [pickle.loads(pickle.dumps(curves_of(piece, candidates=united))) for piece in pieces]
    assert all(curves.sources == () for curves in sent)
    assert_same_bits(sent[0] + sent[1], curves_of(problem))


def different_pieces():
    return curves_of(data([[1], [0]], [[0.5], [0.25]])), curves_of(data([[1], [1]], [[0.5], [0.75]]))


def test_curves_of_different_candidates_give_bounds_when_their_data_are_gone():
    a, b = different_pieces()
    assert (a + b).tp.tolist() == [0, 1, 3]
    gone = pickle.loads(pickle.dumps(a))
    assert gone == a
    for added in (gone + b, b + gone):
        assert added.tp.tolist() == [0, 1, 3]
        assert added == a + b, "at the cuts of either part the other has no negatives in doubt"
    some = curves_of(data([[1], [0]], [[0.5], [0.25]]), candidates=b.candidates)
    part = pickle.loads(pickle.dumps(some.at(np.array([True, False, True]))))
    with pytest.raises(MergeError, match="different candidates, their data are gone, and not every positive"):
        part + b
    with pytest.raises(MergeError, match="Build all parts with from_arrays"):
        b + part


def test_unpickled_curves_of_the_same_candidates_can():
    a, b = different_pieces()
    gone = pickle.loads(pickle.dumps(b))
    assert (gone + gone).tp.tolist() == [0, 2, 4]
    narrow = curves_of(data([[1], [0]], [[0.5], [0.25]]), candidates=b.candidates)
    assert (pickle.loads(pickle.dumps(narrow)) + gone) == a + b
    assert (narrow + gone).sources == (), "half of the data is gone, so the sum has none to count again"


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (Data(np.array([[1, 0]]), np.array([[0.5, 0.25]])), "1 labels of float64 scores against 2 of float64"),
        (Data(np.array([[1]]), np.array([[0.5]], np.float32)), "1 labels of float64 scores against 1 of float32"),
    ],
)
def test_curves_of_different_problems_cannot_be_added(other, words):
    with pytest.raises(MergeError) as caught:
        different_pieces()[0] + curves_of(other)
    assert words in str(caught.value)


def test_curves_of_other_labels_cannot_be_added():
    a, b = different_pieces()
    with pytest.raises(MergeError, match="different problems"):
        curves_of(data([[1]], [[0.5]]), labels=["dog"]) + b
    with pytest.raises(TypeError):
        a + 1


def test_weighted_and_unweighted_curves_add_to_weighted():
    weighted = curves_of(data([[1], [0]], [[0.5], [0.25]], [0.5, 0.25]))
    both = weighted + curves_of(data([[1], [0]], [[0.5], [0.25]]))
    assert both.tp.tolist() == [0, 1.5]
    assert both.n_known.tolist() == [2.75]
    assert both.beneath.tolist() == [0.5, 0.25]


class TestRefused:
    good = (np.array([[1], [0]]), np.array([[0.5], [0.25]]))

    def message(self, chunks, **options):
        with pytest.raises(InputError) as caught:
            Curves.from_chunks(chunks, **options)
        return str(caught.value)

    def test_a_generator(self):
        assert "chunks is a generator, which can be read only once" in self.message(self.good for _ in range(2))

    def test_a_function_that_returns_the_same_iterator(self):
        once = iter([self.good] * 3)
        assert "fresh iterator" in self.message(lambda: once)

    def test_what_is_not_iterable(self):
        assert "chunks" in self.message(3)

    def test_nothing(self):
        assert "chunks is empty" in self.message([])

    @pytest.mark.parametrize("bad", [np.zeros((2, 1)), (1,), (1, 2, 3, 4), "ab"])
    def test_what_is_no_chunk(self, bad):
        assert "Each chunk must be (y_true, y_score) or (y_true, y_score, sample_weight)" in self.message([bad])

    def test_another_dtype(self):
        other = (self.good[0], self.good[1].astype(np.float32))
        words = "chunk 1 has float32 scores; the first chunk has float64 scores. All chunks need one dtype"
        assert words in self.message([self.good, other])

    def test_weights_in_some(self):
        words = "chunk 1 has float64 scores and weights; the first chunk has float64 scores"
        assert words in self.message([self.good, (*self.good, [1.0, 2])])

    def test_another_number_of_labels(self):
        wide = np.zeros((2, 2), int), np.zeros((2, 2))
        assert "labels has 1 name, y_score has 2 columns" in self.message([self.good, wide])

    def test_a_score_that_is_not_finite_is_named_by_its_row_in_the_whole(self):
        bad = self.good[0], np.array([[0.5], [np.nan]])
        assert "y_score has NaN in 1 of 1 label (first: 'dog', row 3)" in self.message(
            [self.good, bad], labels=["dog"]
        )

    def test_a_label_that_is_none_is_named_by_its_row_in_the_whole(self):
        bad = np.array([[0], [2]]), self.good[1]
        assert "y_true has 2 in label '0', row 3" in self.message([self.good, bad])

    def test_an_unknown_tag_is_named_by_its_row_in_the_whole(self):
        bad = [["dog"], ["cat"]], self.good[1]
        words = "y_true has tags that are no label: 'cat' (first in row 3)"
        assert words in self.message([self.good, bad], labels=["dog"])


def test_a_chunk_may_have_no_weight():
    """The weights of the whole are not all zero; those of one of its chunks may be."""
    problem = data([[1], [0], [1], [0]], [[0.5], [0.25], [0.75], [0.125]], [1.0, 2.0, 0.0, 0.0])
    assert_same_bits(Curves.from_chunks([chunk(piece) for piece in cut_up(problem, [2])]), curves_of(problem))
