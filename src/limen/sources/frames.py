"""Data frames of any library that narwhals knows: pandas, Polars, PyArrow and others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from limen.errors import InputError, examples
from limen.names import match
from limen.sources.columns import Columns, id_columns
from limen.sources.layouts import Roles
from limen.sources.tables import Kind

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


class Frame(Columns):
    """The columns of an eager frame; rows are numbered from 0, as its library does.

    Raises
    ------
    InputError
        If a column name is repeated, or narwhals cannot read it.
    """

    first_row = 0

    def __init__(self, frame: Any, source: str, kind: Kind) -> None:
        import narwhals as nw

        try:
            self.table: nw.DataFrame[Any] = nw.from_native(frame, eager_only=True)
            names = tuple(map(str, self.table.columns))
        except TypeError as error:
            raise InputError(
                f"{source} is a {type(frame).__name__}, which cannot be read as a frame. Give a pandas, Polars or "
                "PyArrow table; of record batches, pyarrow.Table.from_batches."
            ) from error
        except nw.exceptions.DuplicateError as error:
            raise InputError(f"{source} repeats a column name: {error}. Every label needs one column.") from error
        if len(set(names)) < len(names):
            raise InputError(f"{source} repeats a column name. Every label needs one column.")
        super().__init__(source, names, kind)
        self._dtypes = list(self.table.schema.values())
        self.texts = [
            column
            for column, dtype in enumerate(self._dtypes)
            if not (dtype.is_numeric() or dtype == nw.Boolean or self._unnamed_float(column))
            and self._series(column).null_count() < max(len(self.table), 1)
        ]

    def __len__(self) -> int:
        return len(self.table)

    def _series(self, column: int) -> nw.Series[Any]:
        return self.table.get_column(self.table.columns[column])

    def _unnamed_float(self, column: int) -> bool:
        """Return whether a column is of floats that narwhals has no name for: float16 before its version 2.23."""
        import narwhals as nw

        return self._dtypes[column] == nw.Unknown and self._series(column).to_numpy().dtype.kind == "f"

    def cells(self, column: int) -> list[Any]:
        """Return a column as text, or as lists; an empty cell is None."""
        return [_text(cell) for cell in self._series(column).to_list()]

    def array(self, column: int) -> NDArray[Any]:
        """Return a column of numbers (n_rows,); null becomes NaN."""
        import narwhals as nw

        series = self._series(column)
        if series.null_count() == len(series):
            return np.full(len(series), np.nan)
        if series.null_count() or series.dtype.is_decimal():
            series = series.cast(nw.Float64)
        return np.asarray(series.to_numpy())

    def roles(self) -> Roles | None:
        """Return the roles of the columns; two columns of numbers are labels, whatever they are called."""
        roles = super().roles()
        return roles if roles is not None and (roles.value is not None or self.texts) else None

    def item_column(self) -> int | None:
        """Return the id column: text or dates, or whole numbers under a name of ids, none twice."""
        import narwhals as nw

        named = id_columns(self.names)
        if self.texts:
            ids = [column for column in self.texts if column in named]
            column, dtype = (ids or self.texts)[0], self._dtypes[self.texts[0]]
            of_text = dtype.is_temporal() or dtype in (nw.String, nw.Categorical, nw.Enum, nw.Binary)
            return column if ids or (len(self.texts) == 1 and of_text) else None
        for column in named:
            series = self._series(column)
            if series.dtype.is_integer() and len(series) > 1 and series.n_unique() == len(series):
                return column
        return None

    def matrix(self, only: Sequence[str] | None = None) -> tuple[tuple[str, ...], NDArray[Any]]:
        """Return the names and the values (n_rows, n_columns) of a frame whose columns are all labels.

        With ``only``, the columns of these names in this order.

        Raises
        ------
        InputError
            If a column is missing, or not numeric or boolean.
        """
        columns: Sequence[int] = range(len(self.names))
        if only is not None:
            columns = match(only, self.names, between=("the thresholds", self.source), extra="ignore")
        wanted = frozenset(columns)
        if text := [self.names[column] for column in self.texts if column in wanted]:
            raise InputError(
                f"{self.source} has columns that are not numbers: {examples(text)}. Every column must be a label; "
                "set item ids aside first."
            )
        return tuple(self.names[column] for column in columns), np.asanyarray(self.numbers(columns))


def frame_to_array(
    frame: Any, name: str, only: Iterable[str] | None = None
) -> tuple[tuple[str, ...], NDArray[Any]]:
    """Return the column names and the values (n_items, n_labels) of an eager frame, as `Frame.matrix`."""
    return Frame(frame, name, "scores").matrix(None if only is None else tuple(only))


def _text(cell: Any) -> Any:
    """Return a cell as text or as a list; None if it is empty or NaN."""
    if isinstance(cell, str):
        return cell or None
    if cell is None or (isinstance(cell, float) and np.isnan(cell)):
        return None
    return cell if isinstance(cell, Iterable) and not isinstance(cell, bytes) else str(cell)
