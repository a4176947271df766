"""Scores and labels as sources of blocks: what must fit together, and what comes out."""

import warnings

import numpy as np
import pytest
from scipy import sparse

from limen.errors import InputError
from limen.scales import kind_of
from limen.sources.arrays import CSR
from limen.sources.blocks import Entries, Rows, flatten
from limen.sources.chunks import as_chunk_source
from limen.sources.dense import DenseSource
from limen.sources.door import as_source
from limen.sources.sparse import SparseSource

Y_TRUE = np.array([[1.0, 0.0], [np.nan, 1.0], [0.0, np.nan]])
Y_SCORE = np.array([[0.5, 0.25], [0.75, 0.5], [0.125, 0.0]])


def refused(*args, **options):
    with pytest.raises(InputError) as caught:
        as_source(*args, **options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("args", "options", "words"),
    [
        (([[1]], [[0.5, 0.5]]), {}, "y_true has shape (1, 1), y_score (1, 2). Both must be (n_items, n_labels)"),
        (([[1], [0]], [[0.5]]), {}, "y_true has shape (2, 1), y_score (1, 1)"),
        (([], []), {}, "y_score is empty: shape (0, 1). At least one item and one label are needed."),
        ((np.zeros((3, 0)), np.zeros((3, 0))), {}, "y_score is empty: shape (3, 0)"),
        (
            ([[1]], [[0.5]]),
            {"labels": ["a", "b"]},
            "labels has 2 names, y_score has 1 column. Give one name for each",
        ),
        (([[1]], [[0.5]]), {"labels": "a"}, "labels is the text 'a'. Give a sequence of label names."),
        (
            ([[1, 0]], [[0.5, 0.5]]),
            {"labels": ["a", "a"]},
            "labels repeats 'a'. Every label needs a name of its own.",
        ),
        (([[1, 0]], [[0.5, 0.5]]), {"labels": [1, "1"]}, "labels repeats '1'"),
        (
            ([[1]], [[0.5]]),
            {"mask": [[1]]},
            "mask has dtype int64 and shape (1, 1). It must be bool of shape (1, 1)",
        ),
        (([[1, 0]], [[0.5, 0.2]]), {"mask": [True]}, "mask has dtype bool and shape (1, 1)"),
        (([[1]], [[0.5]]), {"sample_weight": [1, 2]}, "sample_weight has shape (2,). It must be (1,)"),
        ((sparse.csr_array([[1, 0]]), [[0.5]]), {}, "y_true has shape (1, 2), y_score (1, 1)"),
        (([["a"], []], [[0.5]]), {"labels": ["a"]}, "y_true has shape (2, 1), y_score (1, 1)"),
    ],
)
def test_what_does_not_fit(args, options, words):
    assert words in refused(*args, **options)


def test_labels_are_numbered_where_they_have_no_names():
    assert as_source(Y_TRUE, Y_SCORE).labels == ("0", "1")
    assert as_source(Y_TRUE, Y_SCORE, labels=(name for name in ("a", "b"))).labels == ("a", "b")
    assert as_source(Y_TRUE, Y_SCORE, labels=np.array([7, 8])).labels == ("7", "8")


def test_dense_blocks():
    source = as_source(Y_TRUE, Y_SCORE, sample_weight=[1, 2, 4])
    assert isinstance(source, DenseSource)
    (block,) = source.blocks()
    assert isinstance(block, Rows)
    assert block.truth.tolist() == [[1, 0], [-1, 1], [0, -1]]
    np.testing.assert_array_equal(block.scores, Y_SCORE)
    assert block.weight.tolist() == [1, 2, 4]
    totals = source.totals()
    assert (totals.positive.tolist(), totals.known.tolist()) == ([1, 2], [5, 3])
    assert (source.n_items, source.weighted, source.dtype) == (3, True, np.float64)


def test_sparse_blocks():
    scores = sparse.csr_array(np.array([[0.5, 0.0], [0.75, 0.5], [0.0, 0.0]]))
    source = as_source(Y_TRUE, scores)
    assert isinstance(source, SparseSource)
    (block,) = source.blocks()
    assert isinstance(block, Entries)
    columns = zip(
        block.row.tolist(), block.label.tolist(), block.scores.tolist(), block.truth.tolist(), strict=True
    )
    assert list(columns) == [(0, 0, 0.5, 1), (1, 0, 0.75, -1), (1, 1, 0.5, 1)]
    assert block.weight.dtype == np.int64
    totals = source.totals()
    assert (totals.positive.tolist(), totals.known.tolist()) == ([1, 1], [2, 2])
    assert not source.weighted


def test_flat_blocks_leave_out_what_is_unknown():
    (block,) = as_source(Y_TRUE, Y_SCORE, sample_weight=[1, 2, 4]).blocks()
    flat = flatten(block)
    columns = (flat.row, flat.label, flat.scores, flat.truth, flat.weight)
    assert list(zip(*(column.tolist() for column in columns), strict=True)) == [
        (0, 0, 0.5, 1, 1),
        (0, 1, 0.25, 0, 1),
        (1, 1, 0.5, 1, 2),
        (2, 0, 0.125, 0, 4),
    ]
    assert len(flatten(block, known_only=False).row) == 6
    assert flatten(flat) is flat


@pytest.mark.parametrize("rows", [[0], [2, 1], [0, 1, 2]])
@pytest.mark.parametrize("kind", ["dense", "sparse scores", "sparse labels", "tags"])
def test_taking_rows(rows, kind):
    y_true, y_score, options = np.nan_to_num(Y_TRUE), Y_SCORE, {"labels": ["a", "b"], "sample_weight": [1, 2, 4]}
    known = ~np.isnan(Y_TRUE)
    whole = {
        "dense": (y_true, y_score),
        "sparse scores": (y_true, sparse.csr_array(y_score)),
        "sparse labels": (sparse.csr_array(y_true), y_score),
        "tags": ([["a"], ["b"], []], y_score),
    }[kind]
    part = as_source(*whole, mask=known, **options).take(np.array(rows))
    expected = as_source(y_true[rows], y_score[rows], mask=known[rows], sample_weight=np.array([1, 2, 4])[rows])
    assert part.n_items == len(rows)
    for first, second in zip(part.totals(), expected.totals(), strict=True):
        assert first.tolist() == second.tolist()
    seen, wanted = (flatten(next(source.blocks())) for source in (part, expected))
    if kind == "sparse scores":
        wanted = Entries(*(column[wanted.scores != 0] for column in wanted))
    for first, second in zip(seen, wanted, strict=True):
        assert first.tolist() == second.tolist()


def test_limens_own_compressed_rows():
    own = CSR(np.array([0.5, 0.25]), np.array([0, 1]), np.array([0, 1, 2]), (2, 2))
    source = as_source([[1, 0], [0, 1]], own)
    assert isinstance(source, SparseSource)
    assert [column.tolist() for column in next(source.blocks())[:3]] == [[0.5, 0.25], [0, 1], [1, 1]]


@pytest.mark.parametrize("outside", [1.5, 1.0005, -0.0005, 0.5])
@pytest.mark.parametrize("kind", ["dense", "sparse", "chunks"])
def test_the_range_is_that_of_all_scores_once_candidates_were_looked_for(kind, outside):
    """Of unknown and negative pairs too; what barely leaves 0 to 1 is warned of once either way."""
    scores = np.array([[0.25, outside], [0.5, 0.125], [0.75, 0.5]])
    source = {
        "dense": lambda: as_source(Y_TRUE, scores),
        "sparse": lambda: as_source(Y_TRUE, sparse.csr_array(scores)),
        "chunks": lambda: as_chunk_source([(Y_TRUE[:1], scores[:1]), (Y_TRUE[1:], scores[1:])]),
    }[kind]()
    found = []
    for _ in range(2):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found.append((kind_of((source,)), [str(warning.message) for warning in caught]))
        source.candidates()
    assert (source.seen.lowest, source.seen.highest) == (scores.min(), scores.max())
    assert found[0] == found[1]
    assert len(found[0][1]) == (outside in (1.0005, -0.0005))
