"""What one file of scores or labels holds, and how two of them are joined: by name, never by luck."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from limen.errors import InputError, count, examples
from limen.names import beyond, match
from limen.sources.arrays import CSR
from limen.sources.matrix import Matrix
from limen.sources.scratch import in_rows

Kind = Literal["scores", "labels"]
Layout = Literal["matrix", "wide", "long", "tags"]


class NoItemsError(InputError):
    """A table has no rows; as one of many files that may be so."""


@dataclass(frozen=True, eq=False)
class Table:
    """Scores or labels as one file holds them.

    Attributes
    ----------
    values : ndarray (n_items, n_labels), Matrix or CSR of that shape
        A `Matrix` lies in the file, and is read when it is used. Scores keep the dtype of the file; what a CSR
        of scores does not store is below every cut. Labels are bool, or numbers with NaN for unknown; what a
        CSR of labels does not store is 0.
    source : str
        The file, as messages name it.
    layout : {"matrix", "wide", "long", "tags"}
        ``matrix`` (.npy, .npz) and ``wide`` have columns in an order that means something. ``tags``
        (tag lists, or pairs of id and label) names only the labels that some item has.
    ids : tuple of n_items str, or None
        None if the file names no items.
    labels : tuple of n_labels str, or None
        None if the file names no labels.
    shards : tuple of (str, int)
        Names and numbers of items of the files that it is made of, where these are many.
    """

    values: NDArray[Any] | Matrix | CSR
    source: str
    layout: Layout
    ids: tuple[str, ...] | None = None
    labels: tuple[str, ...] | None = None
    shards: tuple[tuple[str, int], ...] = ()

    @property
    def shape(self) -> tuple[int, int]:
        """``(n_items, n_labels)``."""
        n_items, n_labels = self.values.shape
        return int(n_items), int(n_labels)

    @property
    def n_unlisted(self) -> int:
        """Number of pairs of item and label that a long file of scores leaves out: below every cut."""
        if not isinstance(self.values, CSR) or self.layout != "long":
            return 0
        return self.shape[0] * self.shape[1] - len(self.values.data)


@dataclass(frozen=True, eq=False)
class Joined:
    """Labels and scores of the same items and labels, in the order of the scores file.

    Attributes
    ----------
    y_true : ndarray, Matrix or CSR (n_items, n_labels)
    y_score : ndarray, Matrix or CSR (n_items, n_labels)
        That of the scores file itself; what lies in the file stays there.
    ids : tuple of n_items str, or None
        None if neither file names items.
    labels : tuple of n_labels str, or None
        None if neither file names labels.
    """

    y_true: NDArray[Any] | Matrix | CSR
    y_score: NDArray[Any] | Matrix | CSR
    ids: tuple[str, ...] | None
    labels: tuple[str, ...] | None


def join(scores: Table, labels: Table) -> Joined:
    """Return scores and labels joined: columns by label name, rows by id.

    Position decides only where nothing else can: for rows if neither file has ids, and for columns if
    at least one file is a matrix (.npy, .npz) without names and the other has columns in an order
    (a matrix or a wide file). The sizes must then agree, and the names come from the file that has them.
    Labels that a tag list does not mention have no positives.

    Raises
    ------
    InputError
        If an item or a label stands on one side only, only one side has ids, sizes differ, or position
        would have to be trusted where it means nothing.
    """
    names, columns = _match_labels(scores, labels)
    ids, rows = _match_items(scores, labels)
    y_true = _rearrange(labels.values, rows, columns, n_labels=scores.shape[1])
    return Joined(y_true, scores.values, ids, names)


def csr_from_codes(codes: NDArray[np.int64], data: NDArray[Any], shape: tuple[int, int]) -> CSR:
    """Return entries as CSR, columns ascending within each row.

    Parameters
    ----------
    codes : int64 (n_entries,)
        ``row * n_labels + column`` of each entry, ascending, without repeats.
    data : ndarray (n_entries,)
    shape : (n_items, n_labels)
    """
    starts = np.arange(shape[0] + 1, dtype=np.int64) * shape[1]
    return CSR(data, codes % max(shape[1], 1), np.searchsorted(codes, starts), shape)


def _match_labels(scores: Table, labels: Table) -> tuple[tuple[str, ...] | None, NDArray[np.int64]]:
    """Return the label names and, for each column of ``labels``, its column among the scores."""
    if scores.labels is not None and labels.labels is not None:
        listed = labels.layout == "tags"
        if listed and (extra := beyond(labels.labels, scores.labels)):
            raise InputError(
                f"{labels.source} has {count(len(extra), 'tag')} without a score column in {scores.source}: "
                f"{examples(extra)}. Every tag must be a label with scores, spelled alike: rename it, drop "
                "it or add its scores. Tags in one cell are separated by ';' or '|'."
            )
        sides = (labels.source, scores.source)
        columns = match(labels.labels, scores.labels, between=sides, extra="ignore" if listed else "refuse")
        return scores.labels, np.array(columns, dtype=np.int64)
    named, unnamed = (scores, labels) if labels.labels is None else (labels, scores)
    if named.labels is not None and named.layout not in ("matrix", "wide"):
        raise InputError(
            f"{unnamed.source} has no label names, and the labels in {named.source} have no order of "
            "columns. Name the columns: use a wide file, or an .npz file with an array called names."
        )
    if scores.shape[1] != labels.shape[1]:
        raise InputError(
            f"{scores.source} has {count(scores.shape[1], 'label')} and {labels.source} {labels.shape[1]}, "
            f"and {unnamed.source} does not name them. Without names both need the same labels in the same "
            "order."
        )
    return named.labels, np.arange(scores.shape[1])


def _match_items(scores: Table, labels: Table) -> tuple[tuple[str, ...] | None, NDArray[np.int64] | None]:
    """Return the ids and, for each item of the scores, its row in ``labels`` (None: the same row)."""
    if scores.ids is None and labels.ids is None:
        _check_shards(scores, labels)
        if scores.shape[0] != labels.shape[0]:
            raise InputError(
                f"{scores.source} has {count(scores.shape[0], 'item')} and {labels.source} "
                f"{count(labels.shape[0], 'item')}. Neither has ids, so both need the same items in the same "
                "order."
            )
        return None, None
    if scores.ids is None or labels.ids is None:
        named, unnamed = (scores, labels) if labels.ids is None else (labels, scores)
        raise InputError(
            f"{named.source} has ids and {unnamed.source} has none. Rows are joined by id, never by "
            "position: add an id column (in .npz: an array called ids), or give both files without ids."
        )
    row_of = {name: row for row, name in enumerate(labels.ids)}
    unlabelled, unscored = beyond(scores.ids, row_of), beyond(labels.ids, scores.ids)
    if unlabelled or unscored:
        raise InputError(_unmatched(scores, labels, unlabelled, unscored))
    return scores.ids, np.array([row_of[name] for name in scores.ids], dtype=np.int64)


def _check_shards(scores: Table, labels: Table) -> None:
    """Raise `InputError` if shards of the same place have different numbers of items."""
    if not scores.shards or not labels.shards:
        return
    if len(scores.shards) != len(labels.shards):
        raise InputError(
            f"{scores.source} is {count(len(scores.shards), 'file')} and {labels.source} "
            f"{count(len(labels.shards), 'file')}. Without ids, files belong together by their place in the "
            "sorted list: both sides need as many."
        )
    for (one, n_scored), (other, n_labelled) in zip(scores.shards, labels.shards, strict=True):
        if n_scored != n_labelled:
            raise InputError(
                f"{one} has {count(n_scored, 'item')} and {other}, of the same place in the sorted list, "
                f"{count(n_labelled, 'item')}. Without ids, files of the same place need the same items in the "
                "same order."
            )


def _unmatched(scores: Table, labels: Table, unlabelled: list[str], unscored: list[str]) -> str:
    found, todo = [], []
    if unlabelled:
        found.append(
            f"{len(unlabelled)} of {count(scores.shape[0], 'item')} in {scores.source} have scores but no "
            f"labels ({examples(unlabelled)})"
        )
        todo.append(
            f"add a line with an empty tag list to {labels.source} for each item that has no tag"
            if labels.layout == "tags"
            else f"add these items to {labels.source}, or leave out their scores"
        )
    if unscored:
        found.append(
            f"{len(unscored)} of {count(labels.shape[0], 'item')} in {labels.source} have labels but no "
            f"scores ({examples(unscored)})"
        )
        todo.append(
            f"add a line with the id and two empty cells to {scores.source} for each item that got no score"
            if scores.layout == "long"
            else f"leave them out of {labels.source}, or add their scores"
        )
    return f"{'; '.join(found)}. Both files need the same items: {'; '.join(todo)}."


def _rearrange(
    values: NDArray[Any] | Matrix | CSR,
    rows: NDArray[np.int64] | None,
    columns: NDArray[np.int64],
    *,
    n_labels: int,
) -> NDArray[Any] | Matrix | CSR:
    """Return rows ``rows`` of ``values``, column k moved to ``columns[k]``; other columns are 0."""
    if rows is None:
        rows = np.arange(values.shape[0])
    in_order = np.array_equal(rows, np.arange(values.shape[0]))
    if in_order and np.array_equal(columns, np.arange(n_labels)):
        return values
    if isinstance(values, Matrix):
        origin = np.full(n_labels, -1)
        origin[columns] = np.arange(len(columns))
        return (values if in_order else in_rows(values, rows)).arranged(origin)
    if not isinstance(values, CSR):
        moved = np.zeros((len(rows), n_labels), dtype=values.dtype)
        moved[:, columns] = values if in_order else values[rows]
        return moved
    lengths = np.diff(values.indptr)[rows]
    ends = np.cumsum(lengths)
    taken = np.repeat(values.indptr[rows] - (ends - lengths), lengths) + np.arange(lengths.sum())
    codes = np.repeat(np.arange(len(rows)), lengths) * n_labels + columns[values.indices[taken]]
    order = np.argsort(codes)
    return csr_from_codes(codes[order], values.data[taken][order], (len(rows), n_labels))


@overload
def select_columns(values: NDArray[Any], names: tuple[str, ...], wanted: tuple[str, ...]) -> NDArray[Any]: ...
@overload
def select_columns(values: Matrix, names: tuple[str, ...], wanted: tuple[str, ...]) -> Matrix: ...
@overload
def select_columns(values: CSR, names: tuple[str, ...], wanted: tuple[str, ...]) -> CSR: ...
def select_columns(
    values: NDArray[Any] | Matrix | CSR, names: tuple[str, ...], wanted: tuple[str, ...]
) -> NDArray[Any] | Matrix | CSR:
    """Return the columns of these names, in the order wanted."""
    if names == wanted:
        return values
    if not isinstance(values, CSR):
        chosen = np.asarray(match(wanted, names, between=("the labels", "the columns"), extra="ignore"), np.int64)
        return values.arranged(chosen) if isinstance(values, Matrix) else values[:, chosen]
    target = {name: column for column, name in enumerate(wanted)}
    columns = np.array([target.get(name, -1) for name in names], dtype=np.int64)
    column = columns[values.indices]
    kept = column >= 0
    codes = values.row_of_entries()[kept] * len(wanted) + column[kept]
    order = np.argsort(codes)
    return csr_from_codes(codes[order], values.data[kept][order], (values.shape[0], len(wanted)))
