"""One partition of a frame of labels or scores: its columns by name, its ids as text, its dtypes as promised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from limen.engines.dask_parts import Given, said_at
from limen.errors import InputError, UnsupportedError, count
from limen.names import match, unique
from limen.sources.frames import Frame

CARRIED = "limen "
"""What belongs to the items is moved with the scores in columns whose names begin so."""
TEXT = "string[pyarrow]"


@dataclass(frozen=True)
class Side:
    """What the partitions of a frame have in common.

    Attributes
    ----------
    name : {"y_true", "y_score"}
    labels : tuple of n_labels str
    dtypes : tuple of n_labels dtypes
        Those of the columns of labels.
    id : str or None
        The column of ids.
    """

    name: str
    labels: tuple[str, ...]
    dtypes: tuple[Any, ...]
    id: str | None = None

    def arranged(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the columns of a partition as the collection has them: ids as text, then the labels.

        Raises
        ------
        InputError
            If it lacks a column, has others, or scores of another dtype.
        """
        names = unique(map(str, frame.columns), self.name, "Every label needs one column.")
        wanted = [*([] if self.id is None else [self.id]), *self.labels]
        at = match(wanted, names, between=(f"the whole of {self.name}", "this partition"))
        frame = frame.iloc[:, at].set_axis(wanted, axis=1)
        if self.id is not None:
            frame = frame.assign(**{self.id: self._named(frame[self.id])})
        return self._as_promised(frame) if self.name == "y_score" else frame

    def _named(self, ids: pd.Series) -> pd.Series:
        """Return ids as text."""
        if missing := int(ids.isna().sum()):
            raise InputError(
                f"{self.name} has no id in {count(missing, 'row')} (first: row {int(ids.isna().argmax())}). Every "
                "row needs an id."
            )
        return as_text(ids)

    def _as_promised(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return scores in the dtypes of the collection, where that changes no value."""
        promised = dict(zip(self.labels, self.dtypes, strict=True))
        other = {name: dtype for name, dtype in promised.items() if frame[name].dtype != dtype}
        for name, dtype in other.items():
            found = frame[name].dtype
            if not (isinstance(found, np.dtype) and isinstance(dtype, np.dtype) and np.can_cast(found, dtype)):
                raise InputError(
                    f"y_score has {found} scores of {name!r}, and the collection says {dtype}. All partitions "
                    "need the same dtypes: use astype, or correct meta."
                )
        return frame.astype(other)


def side_of(frame: Any, name: str, of_ids: str | None = None) -> Side:
    """Return what is known of a Dask frame before it is computed.

    Parameters
    ----------
    frame : dask.dataframe.DataFrame
    name : {"y_true", "y_score"}
    of_ids : str, optional
        The column of ids; the one of text, if left out and there is one.

    Raises
    ------
    InputError
        If a column of labels is not of numbers.
    UnsupportedError
        If the table is long.
    """
    one_row = frame._meta_nonempty.iloc[:1]
    names = unique(map(str, one_row.columns), name, "Every label needs one column.")
    columns = Frame(one_row.set_axis(names, axis=1), name, "scores" if name == "y_score" else "labels")
    roles = columns.roles()
    if roles is not None:
        raise UnsupportedError(
            f"{name} is a {roles.layout} table, one row for each pair of item and label. Dask frames must be "
            "wide, one row for each item, one column for each label: pivot it, or count it with Spark or DuckDB."
        )
    item = columns.item_column()
    found = of_ids or (None if item is None else names[item])
    labels, _ = columns.matrix([column for column in names if column != found])
    dtypes = dict(zip(names, one_row.dtypes, strict=True))
    return Side(name, labels, tuple(dtypes[label] for label in labels), found)


@dataclass(frozen=True)
class InPlace:
    """Prepares partitions that hold the same items for limen's door, which joins them by id and by label name."""

    y_true: Side
    y_score: Side

    def __call__(self, y_true: Any, y_score: Any, of_items: dict[str, Any]) -> Given:
        """Return labels, scores and what belongs to the items of a part."""
        y_true, y_score = self.y_true.arranged(y_true), self.y_score.arranged(y_score)
        if self.y_score.id is None:
            y_true = _by_index(y_true, y_score)
        return y_true.reset_index(drop=True), y_score.reset_index(drop=True), of_items


@dataclass(frozen=True)
class Moved:
    """Prepares partitions into which Dask has moved the rows of the same ids."""

    items: tuple[str, ...]

    def __call__(self, y_true: Any, y_score: Any, of_items: dict[str, Any]) -> Given:
        """Return labels, scores and what belongs to the items of a part, in the order of their ids.

        Rows arrive in any order, which sums of weights would follow.
        """
        y_score = y_score.sort_values(y_score.columns[0], kind="stable", ignore_index=True)
        columns = {name: CARRIED + name for name in self.items}
        of_items = {name: y_score[column].to_numpy() for name, column in columns.items()}
        return y_true.reset_index(drop=True), y_score.drop(columns=list(columns.values())), of_items


def carrying(frame: pd.DataFrame, side: Side, items: Mapping[str, Any], place: str) -> pd.DataFrame:
    """Return a partition arranged, with columns of what belongs to its items, to be moved."""
    with said_at(place):
        frame = side.arranged(frame)
        if side.name == "y_true":
            return frame.astype(dict.fromkeys(side.labels, np.float64))
        for name, values in items.items():
            if len(values) != len(frame):
                raise InputError(
                    f"{name} has {count(len(values), 'row')} for {count(len(frame), 'item')}. Give one for each."
                )
            column = pd.Series(np.asarray(values), frame.index)
            frame[CARRIED + name] = column.astype(np.float64) if name == "sample_weight" else as_text(column)
    return frame


def as_text(ids: pd.Series) -> pd.Series:
    """Return names as text; an empty one stays empty."""
    return ids.astype(TEXT)


def _by_index(y_true: pd.DataFrame, y_score: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of labels that have the index values of the scores, in their order."""
    of_truth, of_scores = y_true.index, y_score.index
    if of_truth.equals(of_scores):
        return y_true
    if not (of_truth.is_unique and of_scores.is_unique) or len(of_truth.symmetric_difference(of_scores)):
        shared = len(of_truth.intersection(of_scores))
        raise InputError(
            f"the indexes of y_score and y_true share {shared} of {len(of_scores)} and {len(of_truth)} rows, or "
            "repeat some. Both frames need the same items: select them, or give both an id column."
        )
    return y_true.loc[of_scores]
