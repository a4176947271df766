"""Data frames of any library that narwhals knows: pandas, Polars, PyArrow and others."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.errors import InputError, examples


def is_frame(data: Any) -> bool:
    """Return whether ``data`` is a table with named columns; imports nothing."""
    if type(data).__name__ == "LazyFrame":
        raise InputError("a lazy frame has no values yet. Collect it first: frame.collect().")
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

    try:
        table = nw.from_native(frame, eager_only=True)
        columns = tuple(str(column) for column in table.columns)
    except nw.exceptions.DuplicateError as error:
        raise InputError(f"{name} repeats a column name: {error}. Every label needs one column.") from error
    text = [column for column, dtype in table.schema.items() if not (dtype.is_numeric() or dtype == nw.Boolean)]
    if text:
        raise InputError(
            f"{name} has columns that are not numbers: {examples(text)}. Every column must be a label; set "
            "item ids aside first."
        )
    arrays = []
    for series in table.iter_columns():
        if series.null_count():
            series = series.cast(nw.Float64)
        arrays.append(np.asarray(series.to_numpy()))
    values = np.column_stack(arrays) if arrays else np.empty((len(table), 0))
    return columns, values
