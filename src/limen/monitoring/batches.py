"""Items as they come: checks in order of time, units that are independent, and items that were counted before."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen.errors import InputError, count, examples
from limen.monitoring.state import SKETCH
from limen.sources.arrays import CSR


class Batch(NamedTuple):
    """The items of one check.

    ``rows`` are int64 numbers, ``unit`` the number of each item's group, from 0, or None; ``digest`` tells these
    items from others, and ``sketch`` has digests of some ids, if items have ids.
    """

    when: str
    rows: NDArray[np.int64]
    unit: NDArray[np.int64] | None
    digest: str
    sketch: list[str]


def batches(
    scores: NDArray[Any] | CSR,
    ids: Sequence[str] | None,
    groups: Any,
    time: Any,
    every: int | None,
) -> Iterator[Batch]:
    """Return the checks that rows of scores make, in order.

    Parameters
    ----------
    scores : (n_items, n_labels)
    ids : n_items names, optional
    groups : array-like (n_items,), optional
    time : array-like (n_items,), optional
        Items of one time are one check, by rising time.
    every : int, optional
        So many rows are one check, in their order.

    Raises
    ------
    InputError
        If a group is in two checks, or these are no times or groups of these items.
    """
    n_items = scores.shape[0]
    number = None if groups is None else _numbers(_column(groups, n_items, "groups"))
    if time is not None and every is not None:
        raise InputError("time and every both say which items are one check. Give one of them.")
    if every is not None and every < 1:
        raise InputError(f"every={every} is not usable. Give a number of items from 1.")
    of_check, names = _checks(n_items, time, every)
    if number is not None:
        first = np.full(number.max() + 1, len(names))
        np.minimum.at(first, number, of_check)
        if (torn := np.flatnonzero(first[number] != of_check)).size:
            raise InputError(
                f"{count(len(np.unique(number[torn])), 'group')} have items in two checks (first: row {torn[0]}). "
                "A group counts once: give its items one time, or check more seldom."
            )
    order = np.argsort(of_check, kind="stable")
    ends = np.cumsum(np.bincount(of_check, minlength=len(names)))
    for name, start, end in zip(names, [0, *ends[:-1].tolist()], ends.tolist(), strict=True):
        rows = order[start:end]
        unit = None if number is None else _numbers(number[rows])
        yield Batch(name, rows, unit, *_digests(scores, ids, rows, name))


def _checks(n_items: int, time: Any, every: int | None) -> tuple[NDArray[np.int64], list[str]]:
    """Return the number of the check of each item, and what the checks are called."""
    if time is None:
        if every is None:
            return np.zeros(n_items, np.int64), [""]
        of_check = np.arange(n_items) // every
        return of_check, [""] * int(of_check[-1] + 1)
    times = _column(time, n_items, "time")
    if times.dtype.kind in "fmM" and bool((np.isnan(times) if times.dtype.kind == "f" else np.isnat(times)).any()):
        raise InputError("time has values that are no time. Every item needs one.")
    found, of_check = np.unique(times, return_inverse=True)
    return of_check.astype(np.int64), [str(one) for one in found]


def _column(values: Any, n_items: int, name: str) -> NDArray[Any]:
    column = np.asarray(values)
    if column.dtype.kind in "OT":
        column = column.astype(np.str_)
    if column.shape != (n_items,):
        raise InputError(f"{name} has shape {column.shape} for {count(n_items, 'item')}. Give one for each.")
    return column


def _numbers(values: NDArray[Any]) -> NDArray[np.int64]:
    return np.unique(values, return_inverse=True)[1].astype(np.int64)


def _digests(
    scores: NDArray[Any] | CSR, ids: Sequence[str] | None, rows: NDArray[np.int64], when: str
) -> tuple[str, list[str]]:
    """Return a digest of the items, by ids in any order, or else by time and scores; and a sketch of ids."""
    if ids is None:
        part = scores.take(rows) if isinstance(scores, CSR) else (scores[rows],)
        state = hashlib.sha256(repr((scores.shape[1], when)).encode())
        for array in part:
            state.update(np.ascontiguousarray(array).tobytes())
        return state.hexdigest()[:24], []
    each = sorted(_digest_of_id(ids[row]) for row in rows.tolist())
    return hashlib.sha256("".join(each).encode()).hexdigest()[:24], each[:SKETCH]


def refuse_shared(batch: Batch, ids: Sequence[str] | None, sketch: Sequence[str]) -> None:
    """Raise `InputError` if a new check shares items with the last one, of which ``sketch`` is."""
    if ids is None or not sketch:
        return
    known = set(sketch)
    twice = [ids[row] for row in batch.rows.tolist() if _digest_of_id(ids[row]) in known]
    if twice:
        raise InputError(
            f"items of the last check come again, with others: {examples(twice)}. Each item counts once: leave "
            "them out."
        )


def _digest_of_id(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:12]
