"""The items of one run, checked at the door: scores as the thresholds have them, and labels if any."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen.data import Data, as_data
from limen.errors import InputError, count
from limen.names import match, unique
from limen.sources.arrays import CSR, as_scores, check_finite, check_finite_entries
from limen.sources.dense import DenseSource
from limen.sources.frame_tables import index_ids
from limen.sources.frames import frame_to_array, is_frame
from limen.sources.matrix import Matrix
from limen.sources.sparse import SparseSource
from limen.sources.tables import select_columns
from limen.thresholds import Thresholds


class Items(NamedTuple):
    """Scores (n_items, n_labels), and what is known of the items."""

    scores: NDArray[Any] | CSR
    data: Data | None
    ids: tuple[str, ...] | None
    groups: NDArray[np.int64] | None

    def rows(self, rows: NDArray[np.int64]) -> NDArray[Any] | CSR:
        """Return the scores of some items."""
        return self.scores.take(rows) if isinstance(self.scores, CSR) else self.scores[rows]


def items_of(
    thresholds: Thresholds,
    y_score: Any,
    y_true: Any,
    labels: Sequence[str] | None,
    mask: Any,
    ids: Sequence[Any] | None,
    extra: Literal["refuse", "ignore"],
) -> Items:
    """Return the items that `monitor` is given.

    Raises
    ------
    InputError
        If scores and labels do not fit together, or not the thresholds, or a score is not finite.
    """
    if isinstance(y_score, Data):
        given = {"y_true": y_true, "labels": labels, "mask": mask, "ids": ids}
        if twice := [name for name, value in given.items() if value is not None]:
            raise InputError(f"these Data hold all that belongs to the items. Leave {', '.join(twice)} out.")
        return _of_data(y_score, thresholds, extra)
    if y_true is not None:
        named = labels is not None or is_frame(y_score)
        data = as_data(y_true, y_score, labels=labels if named else thresholds.labels, mask=mask, ids=ids)
        return _of_data(data, thresholds, extra)
    if mask is not None:
        raise InputError("mask says which labels are known, and there are none. Give y_true, or leave mask out.")
    found = None
    if is_frame(y_score):
        found, (labels, y_score) = index_ids(y_score), frame_to_array(y_score, "y_score")
    scores = as_scores(y_score)
    names = thresholds.labels if labels is None else unique(map(str, labels), "labels")
    if scores.shape[0] == 0 or scores.shape[1] != len(names):
        raise InputError(
            f"y_score has shape {tuple(scores.shape)} for {count(len(names), 'label')}. It must be (n_items, "
            f"{len(names)}), with at least one item."
        )
    _check(scores, names)
    match(thresholds.labels, names, between=("the thresholds", "y_score"), extra=extra)
    names_of_items = found if ids is None else tuple(map(str, ids))
    if names_of_items is not None and len(names_of_items) != scores.shape[0]:
        raise InputError(
            f"ids has {count(len(names_of_items), 'name')} for {count(scores.shape[0], 'item')}. Give one for "
            "each."
        )
    return Items(select_columns(scores, names, thresholds.labels), None, names_of_items, None)


def _of_data(data: Data, thresholds: Thresholds, extra: Literal["refuse", "ignore"]) -> Items:
    data = data.in_order(thresholds.labels, extra=extra)
    source = data.source
    if not isinstance(source, DenseSource | SparseSource) or source.weighted:
        what = "weights" if isinstance(source, DenseSource | SparseSource) else "data in chunks"
        raise InputError(f"{what} cannot be monitored: every item bets once. Give scores and labels in arrays.")
    scores = np.asarray(source.scores) if isinstance(source.scores, Matrix) else source.scores
    _check(scores, data.labels)
    return Items(scores, data, data.ids, data.groups)


def _check(scores: NDArray[Any] | CSR, labels: Sequence[str]) -> None:
    """Raise `InputError` if a score is not finite."""
    if isinstance(scores, CSR):
        check_finite_entries(scores, labels)
    else:
        check_finite(scores, labels)
