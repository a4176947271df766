"""Data frames of any library that narwhals knows: pandas, Polars, PyArrow and others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from limen.errors import InputError, examples

if TYPE_CHECKING:
    import narwhals as nw


def is_frame(data: Any) -> bool:
    """Return whether ``data`` is a table with named columns; imports nothing."""
    if type(data).__name__ in ("LazyFrame", "DuckDBPyRelation"):
        raise InputError(
            f"a {type(data).__name__} has no values yet. Collect it first: frame.collect(), or relation.df()."
        )
    return hasattr(data, "columns") and hasattr(data, "shape") and not isinstance(data, np.ndarray)


def is_series(data: Any) -> bool:
    """Return whether ``data`` is one column with an index, as pandas has."""
    return hasattr(data, "to_frame") and hasattr(data, "index") and not hasattr(data, "columns")


def open_frame(frame: Any, name: str) -> nw.DataFrame[Any]:
    """Return a frame of any library as narwhals sees it.

    Raises
    ------
    InputError
        If a column name is repeated.
    """
    import narwhals as nw

    try:
        table: nw.DataFrame[Any] = nw.from_native(frame, eager_only=True)
        repeats = len(set(map(str, table.columns))) < len(table.columns)
    except TypeError as error:
        raise InputError(
            f"{name} is a {type(frame).__name__}, which cannot be read as a frame. Give a pandas, Polars or "
            "PyArrow table; of record batches, pyarrow.Table.from_batches."
        ) from error
    except nw.exceptions.DuplicateError as error:
        raise InputError(f"{name} repeats a column name: {error}. Every label needs one column.") from error
    if repeats:
        raise InputError(f"{name} repeats a column name. Every label needs one column.")
    return table


def text_columns(table: nw.DataFrame[Any]) -> list[str]:
    """Return the columns that are neither numbers nor bool nor wholly empty, in order."""
    import narwhals as nw

    return [
        name
        for name, dtype in table.schema.items()
        if not (dtype.is_numeric() or dtype == nw.Boolean)
        and table.get_column(name).null_count() < max(len(table), 1)
    ]


def is_text(table: nw.DataFrame[Any], column: str) -> bool:
    """Return whether a column is of text, categories or dates: what ids can be by their type alone."""
    import narwhals as nw

    dtype = table.schema[column]
    return dtype.is_temporal() or dtype in (nw.String, nw.Categorical, nw.Enum, nw.Binary)


def stacked(table: nw.DataFrame[Any], columns: Iterable[str]) -> NDArray[Any]:
    """Return numeric columns as one array (n_rows, n_columns) of their common dtype; null becomes NaN."""
    import narwhals as nw

    arrays = []
    for column in columns:
        series = table.get_column(column)
        if series.null_count() == len(series):
            arrays.append(np.full(len(series), np.nan))
            continue
        if series.null_count() or series.dtype.is_decimal():
            series = series.cast(nw.Float64)
        arrays.append(np.asarray(series.to_numpy()))
    return np.column_stack(arrays) if arrays else np.empty((len(table), 0))


def frame_to_array(
    frame: Any, name: str, only: Iterable[str] | None = None
) -> tuple[tuple[str, ...], NDArray[Any]]:
    """Return the column names and the values (n_items, n_labels) of an eager frame.

    Null cells become NaN. The dtype is the common dtype of the columns. With ``only``, the columns of
    these names in this order.

    Raises
    ------
    InputError
        If a column is missing, or not numeric or boolean.
    """
    table = open_frame(frame, name)
    columns = {str(column): column for column in table.columns}
    if only is not None:
        missing = [column for column in only if column not in columns]
        if missing:
            raise InputError(
                f"{name} has no column for {examples(missing)}. Every label of the thresholds needs its column."
            )
        columns = {column: columns[column] for column in only}
    text = [column for column in text_columns(table) if column in columns.values()]
    if text:
        raise InputError(
            f"{name} has columns that are not numbers: {examples(text)}. Every column must be a label; set "
            "item ids aside first."
        )
    return tuple(columns), stacked(table, columns.values())
