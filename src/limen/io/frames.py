"""Data frames of any library that narwhals knows: pandas, Polars, PyArrow and others."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.errors import InputError, examples


def is_frame(data: Any) -> bool:
    """Return whether ``data`` is a table with named columns; imports nothing."""
    return hasattr(data, "columns") and hasattr(data, "shape") and not isinstance(data, np.ndarray)


def frame_to_array(frame: Any, name: str) -> tuple[tuple[str, ...], NDArray[Any]]:
    """Return the column names and the values (n_items, n_labels) of an eager frame.

    Null cells become NaN. The dtype is the common dtype of the columns.

    Raises
    ------
    InputError
        If a column is not numeric or boolean.
    """
    import narwhals as nw

    table = nw.from_native(frame, eager_only=True)
    text = [column for column, dtype in table.schema.items() if not (dtype.is_numeric() or dtype == nw.Boolean)]
    if text:
        raise InputError(
            f"{name} has columns that are not numbers: {examples(text)}. Every column must be a label; set "
            "item ids aside first."
        )
    columns = tuple(str(column) for column in table.columns)
    arrays = []
    for column in table.columns:
        series = table[column]
        if series.null_count():
            series = series.cast(nw.Float64)
        arrays.append(np.asarray(series.to_numpy()))
    values = np.column_stack(arrays) if arrays else np.empty((len(table), 0))
    return columns, values
