"""Scores and labels in data frames: wide or long, with or without ids, joined by name."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from limen.errors import InputError, count, examples
from limen.io.frames import frame_to_array, is_frame, open_frame, stacked, text_columns
from limen.io.joining import Kind, Table, join, repeated
from limen.io.layouts import ID_NAMES, Roles, roles_of
from limen.io.listed import as_labels, table_of_entries

if TYPE_CHECKING:
    import narwhals as nw


def unframed(y_true: Any, y_score: Any, labels: tuple[str, ...] | None) -> tuple[Any, Any, tuple[str, ...] | None]:
    """Return labels and scores as arrays, and the label names, where either is a frame.

    Two frames are joined: columns by label name, rows by id where both have ids (a column of them, or
    pandas indexes with the same values), in the order of the scores. A frame beside an array must be wide,
    and its rows are the array's.

    Raises
    ------
    InputError
        If names or ids do not match, or a frame beside an array has ids.
    """
    if is_frame(y_true) and is_frame(y_score):
        scores, truth = _table(y_score, "y_score", "scores"), _table(y_true, "y_true", "labels")
        if scores.ids is None and truth.ids is None:
            scores, truth = _with_index(scores, y_score, truth, y_true)
        joined = join(scores, truth)
        _check_given(labels, joined.labels)
        return joined.y_true, joined.y_score, joined.labels
    if is_frame(y_score):
        names, values = frame_to_array(y_score, "y_score")
        _check_given(labels, names)
        return y_true, values, names
    names, values = frame_to_array(y_true, "y_true")
    if labels is None or set(names) != set(labels):
        _check_names(names, labels)
        return values, y_score, names
    return values[:, [names.index(name) for name in labels]], y_score, labels


def _check_given(labels: tuple[str, ...] | None, names: tuple[str, ...] | None) -> None:
    if labels is not None and labels != names:
        raise InputError(
            "labels differs from the column names of y_score. Leave labels out, or select the columns in that "
            "order."
        )


def _check_names(names: tuple[str, ...], labels: tuple[str, ...] | None) -> None:
    if labels is not None:
        missing, extra = [x for x in labels if x not in set(names)], [x for x in names if x not in set(labels)]
        raise InputError(
            f"y_true and y_score name different labels: y_true lacks {examples(missing) or 'none'}, "
            f"and has {examples(extra) or 'none'} beyond those of y_score. Columns are joined by name."
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
    """Return the id column of a wide frame: text, or whole numbers with a name of ids and no value twice."""
    text = text_columns(table)
    if len(text) == 1:
        return text[0]
    named = [column for column in table.columns if str(column).strip().casefold() in ID_NAMES]
    if text:
        return next((column for column in named if column in text), None)
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
    value = None if roles.value is None else stacked(table, [table.columns[roles.value]])[:, 0]
    if None in item:
        raise InputError(f"{name} has no id in row {item.index(None)}. Every row needs an id.")
    if roles.layout == "lists":
        _distinct(item, str(table.columns[roles.item]), name)
        tags: list[list[Any]] = [_split(cell, label) or [None] for cell in label]
        item = [one for one, several in zip(item, tags, strict=True) for _ in several]
        label = [tag for several in tags for tag in several]
    ids, item_code = _coded([str(one) for one in item])
    listed = np.array([one is not None and str(one).strip() != "" for one in label], bool)
    if value is not None and not listed.all():
        row = int(np.flatnonzero(~listed)[0])
        raise InputError(f"{name} has a value and no label in row {row}. Name the label, or drop the row.")
    labels, label_code = _coded([str(one) for one, given in zip(label, listed, strict=True) if given])
    return table_of_entries(ids, labels, item_code[listed], label_code, value, kind, name)


def _split(cell: Any, cells: list[Any]) -> list[str]:
    if cell is None:
        return []
    if not isinstance(cell, str):
        return [str(tag) for tag in cell]
    separator = ";" if any(isinstance(other, str) and ";" in other for other in cells) else "|"
    return [tag.strip() for tag in cell.split(separator) if tag.strip()]


def _coded(names: list[str]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Return the distinct names by first appearance, and the number of each name."""
    number: dict[str, int] = {}
    codes = np.fromiter((number.setdefault(name, len(number)) for name in names), np.int64, len(names))
    return tuple(number), codes


def _with_index(scores: Table, y_score: Any, truth: Table, y_true: Any) -> tuple[Table, Table]:
    """Return the tables with their pandas indexes as ids, if both name the same items in another order."""
    of_scores, of_truth = _index(y_score), _index(y_true)
    if of_scores is None or of_truth is None or of_scores == of_truth:
        return scores, truth
    shared = set(of_scores) & set(of_truth)
    if not shared:
        return scores, truth
    if shared != set(of_scores) or shared != set(of_truth) or repeated(of_scores) or repeated(of_truth):
        raise InputError(
            f"the indexes of y_score and y_true share {len(shared)} of {len(of_scores)} and {len(of_truth)} rows, "
            "or repeat some. Both frames need the same items: select them, or drop the indexes with reset_index."
        )
    return _identified(scores, of_scores), _identified(truth, of_truth)


def _index(frame: Any) -> tuple[str, ...] | None:
    """Return the index of a pandas frame that is more than row numbers."""
    index = getattr(frame, "index", None)
    if index is None or type(index).__name__ == "RangeIndex" or not hasattr(index, "tolist"):
        return None
    return tuple(str(value) for value in index.tolist())


def _identified(table: Table, ids: tuple[str, ...]) -> Table:
    return replace(table, ids=ids)
