"""Joining scores and labels: by name and id where there are any, and a clear refusal where not."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limen.errors import InputError
from limen.sources.arrays import CSR
from limen.sources.tables import Table, csr_from_codes, join


def table(values, ids=None, labels=None, layout="wide", source="file"):
    return Table(
        values if isinstance(values, CSR) else np.asarray(values),
        source,
        layout,
        None if ids is None else tuple(ids),
        None if labels is None else tuple(labels),
    )


def scores(values, ids=None, labels=None, layout="wide"):
    return table(values, ids, labels, layout, "s.csv")


def truth(values, ids=None, labels=None, layout="wide"):
    return table(values, ids, labels, layout, "l.csv")


def as_csr(dense):
    dense = np.asarray(dense)
    codes = np.flatnonzero(dense)
    return csr_from_codes(codes, dense.ravel()[codes], dense.shape)


def as_dense(csr):
    dense = np.zeros(csr.shape, csr.data.dtype)
    dense[csr.row_of_entries(), csr.indices] = csr.data
    return dense


def refused(y_score, y_true):
    with pytest.raises(InputError) as caught:
        join(y_score, y_true)
    return str(caught.value)


class TestByName:
    def test_labels_take_the_order_of_the_scores(self):
        y_score = np.arange(6.0).reshape(3, 2)
        y_true = np.array([[1, 0], [0, 1], [np.nan, 1]])
        joined = join(scores(y_score, "abc", "xy"), truth(y_true, "cab", "yx"))
        assert joined.y_score is y_score
        assert (joined.ids, joined.labels) == (("a", "b", "c"), ("x", "y"))
        np.testing.assert_array_equal(joined.y_true, [[1, 0], [1, np.nan], [0, 1]])
        np.testing.assert_array_equal(y_true, [[1, 0], [0, 1], [np.nan, 1]])

    def test_nothing_is_copied_if_nothing_moves(self):
        y_true = np.eye(2)
        assert join(scores(np.ones((2, 2)), "ab", "xy"), truth(y_true, "ab", "xy")).y_true is y_true

    def test_tags_leave_out_labels_that_nobody_has(self):
        joined = join(scores(np.ones((2, 3)), "ab", "xyz"), truth(np.array([[True], [False]]), "ba", "y", "tags"))
        assert joined.y_true.dtype == np.bool_
        np.testing.assert_array_equal(joined.y_true, [[0, 0, 0], [0, 1, 0]])

    def test_tags_that_nobody_has_at_all(self):
        joined = join(scores(np.ones((2, 3)), "ab", "xyz"), truth(np.zeros((2, 0), bool), "ba", "", "tags"))
        np.testing.assert_array_equal(joined.y_true, np.zeros((2, 3), bool))

    @given(st.integers(0, 2**12 - 1), st.permutations(range(4)), st.permutations(range(3)))
    def test_sparse_labels_like_dense_ones(self, bits, rows, columns):
        dense = np.array([bits >> k & 1 for k in range(12)], dtype=np.uint8).reshape(4, 3)
        ids, labels = [f"i{row}" for row in rows], [f"l{column}" for column in columns]
        left = scores(np.ones((4, 4)), ["i0", "i1", "i2", "i3"], ["l2", "l0", "new", "l1"])
        expected = join(left, truth(dense, ids, labels, "tags")).y_true
        found = join(left, truth(as_csr(dense), ids, labels, "tags")).y_true
        assert isinstance(found, CSR)
        assert all(np.all(np.diff(found.indices[a:b]) > 0) for a, b in itertools.pairwise(found.indptr))
        np.testing.assert_array_equal(as_dense(found), expected)


class TestByPosition:
    def test_matrices_without_names(self):
        joined = join(scores(np.ones((2, 2)), layout="matrix"), truth(np.eye(2), layout="matrix"))
        assert (joined.ids, joined.labels) == (None, None)
        np.testing.assert_array_equal(joined.y_true, np.eye(2))

    @pytest.mark.parametrize("named", ["scores", "labels"])
    @pytest.mark.parametrize("layout", ["wide", "matrix"])
    def test_names_come_from_the_side_that_has_them(self, named, layout):
        left = scores(np.ones((2, 2)), labels="xy" if named == "scores" else None, layout=layout)
        right = truth(np.eye(2), labels="xy" if named == "labels" else None, layout=layout)
        assert join(left, right).labels == ("x", "y")

    @pytest.mark.parametrize("layout", ["long", "tags"])
    def test_never_where_columns_have_no_order(self, layout):
        named = truth(np.eye(2), "ab", "xy", layout)
        message = refused(scores(np.ones((2, 2)), "ab", layout="matrix"), named)
        assert "s.csv has no label names, and the labels in l.csv have no order of columns" in message
        other = scores(np.ones((2, 2)), "ab", "xy", "long")
        assert "l.csv has no label names" in refused(other, truth(np.eye(2), "ab", layout="matrix"))

    def test_sizes(self):
        message = refused(scores(np.ones((2, 3)), layout="matrix"), truth(np.eye(2), layout="matrix"))
        assert "s.csv has 3 labels and l.csv 2, and l.csv does not name them" in message
        message = refused(scores(np.ones((3, 2)), layout="matrix"), truth(np.eye(2), layout="matrix"))
        assert "s.csv has 3 items and l.csv 2 items. Neither has ids" in message


class TestRefused:
    def test_ids_on_one_side(self):
        message = refused(scores(np.ones((2, 2)), "ab", "xy"), truth(np.eye(2), None, "xy"))
        assert "s.csv has ids and l.csv has none. Rows are joined by id, never by position" in message
        message = refused(scores(np.ones((2, 2)), None, "xy"), truth(np.eye(2), "ab", "xy"))
        assert "l.csv has ids and s.csv has none" in message

    def test_unmatched_items(self):
        left = scores(np.ones((9, 1)), [f"s{k}" for k in range(7)] + ["a", "b"], "x")
        message = refused(left, truth(np.ones((3, 1)), ["b", "l", "a"], "x"))
        assert (
            "7 of 9 items in s.csv have scores but no labels ('s0', 's1', 's2', 's3', 's4' and 2 more)" in message
        )
        assert "1 of 3 items in l.csv have labels but no scores ('l')" in message
        assert "add these items to l.csv, or leave out their scores" in message
        assert "leave them out of l.csv, or add their scores" in message

    def test_items_without_tags_need_a_line(self):
        message = refused(scores(np.ones((2, 1)), "ab", "x"), truth(np.ones((1, 1)), "a", "x", "tags"))
        assert "add a line with an empty tag list to l.csv for each item that has no tag" in message

    def test_items_without_scores_need_a_line(self):
        left = scores(as_csr([[0.5]]), "a", "x", "long")
        message = refused(left, truth(np.ones((2, 1)), "ab", "x"))
        assert "add a line with the id and two empty cells to s.csv" in message

    def test_unmatched_labels(self):
        message = refused(scores(np.ones((1, 2)), "a", "xy"), truth(np.ones((1, 2)), "a", "yz"))
        assert "'z' only in l.csv, 'x' only in s.csv. Columns are joined by name" in message
        message = refused(scores(np.ones((1, 2)), "a", "xy"), truth(np.ones((1, 1)), "a", "y"))
        assert "l.csv and s.csv name different labels: 'x' only in s.csv. Columns" in message

    def test_unknown_tags(self):
        right = truth(np.ones((1, 8)), "a", "xbcdefgh", "tags")
        message = refused(scores(np.ones((1, 1)), "a", "x"), right)
        assert "l.csv has 7 tags without a score column in s.csv: 'b', 'c', 'd', 'e', 'f' and 2 more" in message
        assert "Every tag must be a label with scores" in message
