"""Scores and labels in data frames: wide or long, with or without ids, joined by name."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from limen.errors import InputError, LimenWarning, count, examples
from limen.names import repeated
from limen.sources.frames import frame_to_array, is_frame, is_text, open_frame, text_columns
from limen.sources.layouts import ID_NAMES, Roles, roles_of
from limen.sources.listed import as_labels, table_of_entries
from limen.sources.tables import Kind, Table, join

if TYPE_CHECKING:
    import narwhals as nw


def unframed(
    y_true: Any, y_score: Any, labels: tuple[str, ...] | None, name: str = "y_true"
) -> tuple[Any, Any, tuple[str, ...] | None, tuple[str, ...] | None]:
    """Return labels and scores as arrays, the label names and the ids, where either is a frame.

    Two frames are joined: columns by label name, rows by id where both have ids (a column of them, or
    pandas indexes with the same values), in the order of the scores. A frame beside an array must be wide,
    and its rows are the array's.

    Raises
    ------
    InputError
        If names or ids do not match, or a frame beside an array has ids.
    """
    if is_frame(y_true) and is_frame(y_score):
        scores, truth = _table(y_score, "y_score", "scores"), _table(y_true, name, "labels")
        if scores.ids is None and truth.ids is None:
            scores, truth = _with_index(scores, y_score, truth, y_true)
        joined = join(scores, truth)
        _check_given(labels, joined.labels)
        return joined.y_true, joined.y_score, joined.labels, joined.ids
    if is_frame(y_score):
        names, values = frame_to_array(y_score, "y_score")
        _check_given(labels, names)
        return y_true, values, names, None
    names, values = frame_to_array(y_true, name)
    if labels is None:
        return values, y_score, names, None
    missing, extra = [x for x in labels if x not in set(names)], [x for x in names if x not in set(labels)]
    if missing or extra:
        raise InputError(
            f"y_true and y_score name different labels: y_true lacks {examples(missing) or 'none'}, "
            f"and has {examples(extra) or 'none'} beyond those of y_score. Columns are joined by name."
        )
    return values[:, [names.index(name) for name in labels]], y_score, labels, None


def _check_given(labels: tuple[str, ...] | None, names: tuple[str, ...] | None) -> None:
    if labels is not None and labels != names:
        raise InputError(
            "labels differs from the column names of y_score. Leave labels out, or select the columns in that "
            "order."
        )


def _table(frame: Any, name: str, kind: Kind) -> Table:
    """Return a frame as a table; its layout is told from the names of its columns, as in a file."""
    table = open_frame(frame, name)
    columns = [str(column) for column in table.columns]
    roles = roles_of(columns, kind)
    if roles is not None and (roles.value is not None or text_columns(table)):
        return _listed(table, roles, name, kind)
    item = _item_column(table)
    ids = None if item is None else _distinct(_cells(table, item), item, name)
    wide = table if item is None else table.drop(item)
    labels, values = frame_to_array(wide.to_native(), name)
    return Table(values if kind == "scores" else as_labels(values), name, "wide", ids, labels)


def _item_column(table: nw.DataFrame[Any]) -> str | None:
    """Return the id column of a wide frame: text or dates, or whole numbers under a name of ids, none twice."""
    text = text_columns(table)
    named = [column for column in table.columns if str(column).strip().casefold() in ID_NAMES]
    if text:
        ids = [column for column in text if column in named]
        return ids[0] if ids else text[0] if len(text) == 1 and is_text(table, text[0]) else None
    for column in named:
        series = table.get_column(column)
        if series.dtype.is_integer() and len(series) > 1 and series.n_unique() == len(series):
            return column
    return None


def _cells(table: nw.DataFrame[Any], column: str) -> list[Any]:
    """Return the cells of a column; one that is empty, or NaN, is None."""
    cells = table.get_column(column).to_list()
    return [None if cell is None or (isinstance(cell, float) and np.isnan(cell)) else cell for cell in cells]


def _distinct(values: list[Any], item: str, name: str) -> tuple[str, ...]:
    if None in values:
        raise InputError(f"{name} has no id in row {values.index(None)} of {item!r}. Every row needs an id.")
    ids = tuple(str(value) for value in values)
    if twice := repeated(ids):
        raise InputError(
            f"{name} repeats {count(len(twice), 'id')} in {item!r}: {examples(twice)}. Every item needs one row."
        )
    return ids


def _listed(table: nw.DataFrame[Any], roles: Roles, name: str, kind: Kind) -> Table:
    """Return a frame with one row for each pair of item and label, or one tag list for each item."""
    item, label = (_cells(table, table.columns[k]) for k in (roles.item, roles.label))
    value = None if roles.value is None else frame_to_array(table, name, [table.columns[roles.value]])[1][:, 0]
    if None in item:
        raise InputError(f"{name} has no id in row {item.index(None)}. Every row needs an id.")
    if roles.layout == "lists":
        _distinct(item, str(table.columns[roles.item]), name)
        separator = ";" if any(isinstance(cell, str) and ";" in cell for cell in label) else "|"
        tags: list[list[Any]] = [_split(cell, separator) or [None] for cell in label]
        item = [one for one, several in zip(item, tags, strict=True) for _ in several]
        label = [tag for several in tags for tag in several]
    ids, item_code = _coded([str(one) for one in item])
    listed = np.array([one is not None and str(one).strip() != "" for one in label], bool)
    if value is not None and not listed.all():
        row = int(np.flatnonzero(~listed)[0])
        raise InputError(f"{name} has a value and no label in row {row}. Name the label, or drop the row.")
    labels, label_code = _coded([str(one) for one, given in zip(label, listed, strict=True) if given])
    return table_of_entries(ids, labels, item_code[listed], label_code, value, kind, name)


def _split(cell: Any, separator: str) -> list[str]:
    if cell is None:
        return []
    if isinstance(cell, str):
        return [tag.strip() for tag in cell.split(separator) if tag.strip()]
    return [str(tag) for tag in cell] if isinstance(cell, Iterable) else [str(cell)]


def _coded(names: list[str]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Return the distinct names by first appearance, and the number of each name."""
    number: dict[str, int] = {}
    codes = np.fromiter((number.setdefault(name, len(number)) for name in names), np.int64, len(names))
    return tuple(number), codes


def _with_index(scores: Table, y_score: Any, truth: Table, y_true: Any) -> tuple[Table, Table]:
    """Return the tables with their pandas indexes as ids, unless the indexes are alike or mere row numbers."""
    of_scores, of_truth = _index(y_score), _index(y_true)
    if of_scores is None or of_truth is None:
        one = of_scores or of_truth
        if one is not None and one != list(range(len(one))) and set(one) == set(range(len(one))):
            warnings.warn(
                "one frame has row numbers for its index, and the other the same numbers in another order. Rows "
                "are taken by position: if that is right, reset_index(drop=True) says so; if not, sort both.",
                LimenWarning,
                stacklevel=2,
            )
        return scores, truth
    if of_scores == of_truth:
        return scores, truth
    shared = set(of_scores) & set(of_truth)
    if any(len(shared) != len(index) for index in (set(of_scores), set(of_truth), of_scores, of_truth)):
        raise InputError(
            f"the indexes of y_score and y_true share {len(shared)} of {len(of_scores)} and {len(of_truth)} rows, "
            "or repeat some. Both frames need the same items, and indexes of one type: select them, or drop "
            "indexes that mean nothing with reset_index(drop=True)."
        )
    number = {value: str(row) for row, value in enumerate(of_scores)}
    return tuple(  # type: ignore[return-value]
        replace(table, ids=tuple(number[value] for value in index))
        for table, index in ((scores, of_scores), (truth, of_truth))
    )


def _index(frame: Any) -> list[Any] | None:
    """Return the index of a pandas frame, unless it is the default one: row numbers without a name."""
    index = getattr(frame, "index", None)
    if index is None or not hasattr(index, "tolist"):
        return None
    default = type(index).__name__ == "RangeIndex" and index.name is None and (index.start, index.step) == (0, 1)
    return None if default else index.tolist()
