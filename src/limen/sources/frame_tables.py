"""Scores, labels and masks of which some are data frames, joined by name and put into arrays."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any, NamedTuple

from limen.errors import InputError, LimenWarning
from limen.names import match, repeated
from limen.sources.columns import table_of
from limen.sources.frames import Frame, is_frame
from limen.sources.tables import Table, join, select_columns


class Unframed(NamedTuple):
    """Labels, scores and mask, none a frame; the names and ids that the frames gave, None if they gave none."""

    y_true: Any
    y_score: Any
    mask: Any
    labels: tuple[str, ...] | None
    ids: tuple[str, ...] | None


def unframed(y_true: Any, y_score: Any, labels: tuple[str, ...] | None, mask: Any = None) -> Unframed:
    """Return labels, scores and mask as arrays, with the label names and item ids of the frames among them.

    Two frames are joined: columns by label name, rows by id where both have ids (a column of them, or
    pandas indexes with the same values), in the order of the scores. A frame beside an array must be wide,
    and its rows are the array's.

    Raises
    ------
    InputError
        If names or ids do not match, or a frame beside an array has ids.
    """
    ids = None
    scores: Table | None = None
    if is_frame(y_score):
        beside = [part for part in (y_true, mask) if is_frame(part)]
        scores = _table(y_score, "y_score", joined=bool(beside))
        if labels is not None and labels != scores.labels:
            raise InputError(
                "labels differs from the column names of y_score. Leave labels out, or select the columns in that "
                "order."
            )
        of_scores, frame = scores, y_score
        y_score, labels, ids = scores.values, scores.labels, scores.ids or index_ids(frame)
        if is_frame(y_true):
            y_true = _joined(of_scores, frame, y_true, "y_true")
        if is_frame(mask):
            mask = _joined(of_scores, frame, mask, "mask")
        return Unframed(y_true, y_score, mask, labels, ids)
    if is_frame(y_true):
        ids = index_ids(y_true)
        y_true, labels = _in_order(y_true, labels, "y_true")
    if is_frame(mask):
        mask, labels = _in_order(mask, labels, "mask")
    return Unframed(y_true, y_score, mask, labels, ids)


def _table(frame: Any, name: str, *, joined: bool) -> Table:
    """Return a frame of scores as a table; without another frame to join, all its columns are labels."""
    if joined:
        return table_of(Frame(frame, name, "scores"))
    labels, values = Frame(frame, name, "scores").matrix()
    return Table(values, name, "wide", None, labels)


def _joined(scores: Table, y_score: Any, other: Any, name: str) -> Any:
    """Return the labels or the mask in a frame, in the rows and columns of the scores."""
    truth = table_of(Frame(other, name, "labels"))
    if scores.ids is None and truth.ids is None:
        scores, truth = _with_index(scores, y_score, truth, other)
    return join(scores, truth).y_true


def _in_order(frame: Any, labels: tuple[str, ...] | None, name: str) -> tuple[Any, tuple[str, ...]]:
    """Return the values of a frame beside an array of scores, and the labels in whose order they are."""
    names, values = Frame(frame, name, "labels").matrix()
    if labels is None:
        return values, names
    match(labels, names, between=("labels", name))
    return select_columns(values, names, labels), labels


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
    with_ids = [
        replace(table, ids=tuple(map(number.__getitem__, index)))
        for table, index in ((scores, of_scores), (truth, of_truth))
    ]
    return with_ids[0], with_ids[1]


def index_ids(frame: Any) -> tuple[str, ...] | None:
    """Return the index of a pandas frame as ids, unless it is the default one or repeats some."""
    index = _index(frame)
    ids = None if index is None else tuple(map(str, index))
    return None if ids is None or repeated(ids) else ids


def _index(frame: Any) -> list[Any] | None:
    """Return the index of a pandas frame, unless it is the default one: row numbers without a name."""
    index = getattr(frame, "index", None)
    if index is None or not hasattr(index, "tolist"):
        return None
    default = type(index).__name__ == "RangeIndex" and index.name is None and (index.start, index.step) == (0, 1)
    return None if default else index.tolist()
