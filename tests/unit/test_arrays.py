"""Scores, labels and weights of every kind, checked; and each message."""

import numpy as np
import pytest

from limen.errors import InputError
from limen.sources.arrays import (
    CSR,
    as_scores,
    as_truth,
    as_weight,
    check_finite,
    is_csr,
    truth_codes,
    working_dtype,
)


def refused(function, *args):
    with pytest.raises(InputError) as caught:
        function(*args)
    return str(caught.value)


ROWS = CSR(np.array([5, 6, 7, 8]), np.array([0, 2, 1, 0]), np.array([0, 2, 2, 3, 4]), (4, 3))
DENSE = np.array([[5, 0, 6], [0, 0, 0], [0, 7, 0], [8, 0, 0]])


def dense(csr):
    out = np.zeros(csr.shape, int)
    out[csr.row_of_entries(), csr.indices] = csr.data
    return out


def test_compressed_rows():
    assert ROWS.row_of_entries().tolist() == [0, 0, 2, 3]
    for start in range(4):
        for stop in range(start, 5):
            np.testing.assert_array_equal(dense(ROWS.rows(start, stop)), DENSE[start:stop])
    for rows in ([3, 0], [1], [], [2, 2, 0]):
        np.testing.assert_array_equal(dense(ROWS.take(np.array(rows, int))), DENSE[rows].reshape(-1, 3))
    assert np.shares_memory(ROWS.rows(0, 2).data, ROWS.data)
    assert is_csr(ROWS)
    assert not is_csr(DENSE)


@pytest.mark.parametrize(("dtype", "working"), [("f2", "f4"), ("f4", "f4"), ("f8", "f8")])
def test_the_kernels_compare_in_a_dtype_that_holds_every_score(dtype, working):
    assert working_dtype(np.dtype(dtype)) == np.dtype(working)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_floats_are_taken_as_they_are(dtype):
    scores = np.array([[0.5, 1], [2, 3]], dtype)
    assert as_scores(scores) is scores
    assert as_scores(scores[:, 0]).shape == (2, 1)
    assert np.shares_memory(as_scores(scores[:, 0]), scores)


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        (np.zeros((2, 2, 2)), "y_score has 3 dimensions. It must have two: (n_items, n_labels)."),
        (0.5, "y_score has 0 dimensions"),
        ([[1.0], [1.0, 2.0]], "y_score is not a matrix: its rows differ in length."),
        (["a", "b"], "y_score has dtype <U1. Scores must be float16, float32, float64 or integers."),
        ([[1j]], "y_score has dtype complex128"),
        (np.zeros((1, 1), np.longdouble), f"y_score has dtype {np.dtype(np.longdouble)}"),
        (np.array([[0.5, None]], object), "y_score has dtype object"),
    ],
)
def test_no_scores(scores, words):
    assert words in refused(as_scores, scores)


@pytest.mark.parametrize(
    ("column", "what", "words"),
    [
        (
            1,
            np.nan,
            "y_score has NaN in 1 of 3 labels (first: 'cat', row 12). Scores must be finite: drop those rows",
        ),
        (0, np.inf, "y_score has an infinite value in 1 of 3 labels (first: 'dog', row 12)"),
        (0, -np.inf, "y_score has an infinite value in 1 of 3 labels (first: 'dog', row 12)"),
        ([0, 2], np.nan, "y_score has NaN in 2 of 3 labels (first: 'dog', row 12)"),
    ],
)
def test_scores_must_be_finite(column, what, words):
    scores = np.zeros((4, 3))
    check_finite(scores, ["dog", "cat", "bird"], 10)
    scores[2:, column] = what
    assert words in refused(check_finite, scores, ["dog", "cat", "bird"], 10)


@pytest.mark.parametrize("dtype", ["?", "i1", "u1", "i8", "u8", "f2", "f4", "f8"])
def test_codes(dtype):
    truth = np.array([[1, 0], [0, 1]], dtype)
    codes = truth_codes(truth, ["a", "b"])
    assert codes.dtype == np.int8
    assert codes.tolist() == [[1, 0], [0, 1]]


def test_nan_is_unknown():
    assert truth_codes(np.array([[1.0, np.nan, -0.0]]), ["a", "b", "c"]).tolist() == [[1, -1, 0]]


@pytest.mark.parametrize(
    ("truth", "words"),
    [
        ([[0, 1], [2, 0]], "y_true has 2 in label 'dog', row 6 (1 such value in this block). Labels must be 0, 1"),
        ([[0, 1], [0, -1]], "y_true has -1 in label 'cat', row 6"),
        ([[0.5, np.nan], [0.25, 0]], "y_true has 0.5 in label 'dog', row 5 (2 such values in this block)"),
        ([[0, np.inf], [0, 0]], "y_true has inf in label 'cat', row 5"),
    ],
)
def test_labels_must_be_0_or_1(truth, words):
    assert words in refused(truth_codes, np.array(truth), ["dog", "cat"], 5)


def tags(y_true, labels=("dog", "cat", "bird"), first_row=0):
    return as_truth(y_true, labels, first_row)


@pytest.mark.parametrize(
    ("y_true", "words"),
    [
        (
            [["dog"], ["cow", "cat"], ["cow", "hen"]],
            "y_true has tags that are no label: 'cow', 'hen' (first in row 8). Tags must be among the",
        ),
        ([["Dog"]], "y_true has tags that are no label: 'Dog' (first in row 7)"),
        (["dog", "cat"], "y_true has dtype <U3. Labels must be 0/1, bool, float with NaN for unknown, or lists"),
        ([["dog"], [1]], "y_true has dtype"),
        (np.zeros((2, 2, 2)), "y_true has 3 dimensions"),
        ([[1], [1, 0]], "y_true is not a matrix"),
    ],
)
def test_no_labels(y_true, words):
    assert words in refused(tags, y_true, ("dog", "cat", "bird"), 7)


def test_weights():
    assert as_weight([1, 2], 2).tolist() == [1.0, 2.0]
    assert as_weight([0, 2], 2).tolist() == [0.0, 2.0]


@pytest.mark.parametrize("unit", [2.0**-1000, 2.0**-300, 2.0**300, 2.0**1000])
def test_absurd_weights_are_scaled_by_a_power_of_two(unit):
    weight = np.array([0.0, 1.0, 3.0, 0.7])
    np.testing.assert_array_equal(as_weight(weight * unit, 4), weight / 4)
    with pytest.raises(InputError, match="sample_weight lies from"):
        as_weight(weight * unit, 4, part=True)


@pytest.mark.parametrize("unit", [1e-60, 1e-20, 1.0, 3.0, 1e59])
def test_other_weights_stay_as_they_are(unit):
    weight = np.array([0.0, 1.0, 3.0, 2.0]) * unit
    np.testing.assert_array_equal(as_weight(weight, 4), weight)
    np.testing.assert_array_equal(as_weight(weight, 4, part=True), weight)


@pytest.mark.parametrize(
    ("weight", "words"),
    [
        ([1, 2, 3], "sample_weight has shape (3,). It must be (2,): one weight for each item."),
        ([[1], [2]], "sample_weight has shape (2, 1)"),
        (1.0, "sample_weight has shape ()"),
        ([1, -1], "sample_weight has -1.0 in row 1. Weights must be finite and not negative."),
        ([np.nan, 1], "sample_weight has nan in row 0"),
        ([1, np.inf], "sample_weight has inf in row 1"),
        ([0, 0], "sample_weight is zero for every item. At least one weight must be positive."),
        ([1e-61, 1], "sample_weight lies from 1e-61 to 1. Weights must be 0, or from 1e-60 to 1e+60: multiply"),
        ([1e-200, 1e200], "sample_weight lies from 1e-200 to 1e+200. Weights must be 0, or"),
        (["a", "b"], "sample_weight"),
        ([[1], [2, 3]], "sample_weight"),
    ],
)
def test_no_weights(weight, words):
    assert words in refused(as_weight, weight, 2)
