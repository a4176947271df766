"""Data frames to arrays; the libraries side by side are in tests/backends."""

import numpy as np
import pytest

from limen.sources.frames import frame_to_array, is_frame

pandas = pytest.importorskip("pandas")
polars = pytest.importorskip("polars")


def test_what_is_a_frame():
    assert is_frame(pandas.DataFrame({"a": [1]}))
    assert is_frame(polars.DataFrame({"a": [1]}))
    for other in (np.zeros((1, 1)), [[1]], pandas.Series([1]), polars.Series([1]), {"a": [1]}, "a", None):
        assert not is_frame(other)


@pytest.mark.parametrize(
    ("columns", "dtype"),
    [
        ({"a": np.float32([1]), "b": np.float32([2])}, np.float32),
        ({"a": np.float32([1]), "b": np.float64([2])}, np.float64),
        ({"a": np.int8([1]), "b": np.float32([2])}, np.float32),
        ({"a": [True], "b": [False]}, bool),
        ({"a": [1], "b": [2]}, np.int64),
    ],
)
@pytest.mark.parametrize("make", [pandas.DataFrame, polars.DataFrame])
def test_values_and_their_common_dtype(make, columns, dtype):
    names, values = frame_to_array(make(columns), "y")
    assert names == ("a", "b")
    assert values.dtype == dtype
    assert values.tolist() == [[columns["a"][0], columns["b"][0]]]


def test_a_frame_without_columns():
    names, values = frame_to_array(polars.DataFrame(), "y")
    assert names == ()
    assert values.shape == (0, 0)
