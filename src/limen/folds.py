"""Parts of data: dealt at random, evenly over labels, or by the hash of an id, and dividing no group."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.errors import InputError, count
from limen.sources.blocks import Entries, Rows, Source

Split = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Row numbers of a part to tune (or fit) on, and of a part to measure (or score)."""


FEW = 100
"""So few units are dealt in numbers as equal as can be."""
BUCKETS = 10
"""Parts of the items that saved counts keep apart: twice the folds of the default method, and enough to tell how
much its value varies."""


def unit_count(n_items: int, groups: NDArray[np.int64] | None) -> int:
    """Return how many things can be drawn or dealt: the items, or the groups that stay together."""
    return n_items if groups is None else int(groups.max()) + 1


def as_groups(groups: Any, n_items: int) -> NDArray[np.int64] | None:
    """Return a number from 0 for the group of each item (n_items,), or None.

    Raises
    ------
    InputError
        If there is not one group for each item, or only one group in all.
    """
    if groups is None:
        return None
    numbers, names = numbered_groups(groups, n_items)
    check_groups(names, groups)
    return numbers


def check_groups(names: Sequence[str], groups: Any) -> None:
    """Raise `InputError` if groups were given and there is only one."""
    if groups is not None and len(names) < 2:
        raise InputError("groups has one group. At least two are needed to tell how results vary.")


def numbered_groups(groups: Any, n_items: int) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Return a number from 0 for the group of each item (n_items,), and the name of each group.

    Raises
    ------
    InputError
        If there is not one group for each item.
    """
    groups = np.asarray(groups)
    if groups.shape != (n_items,):
        raise InputError(
            f"groups has shape {groups.shape}. It must be ({n_items},): the group of each item, such as its "
            "recording."
        )
    try:
        names, number = np.unique(groups, return_inverse=True)
    except TypeError as error:
        raise InputError(
            f"groups mixes kinds of names: {error}. Make all of them text, or all numbers."
        ) from error
    return np.asarray(number, np.int64), tuple(map(str, names.tolist()))


def outside(rows: NDArray[np.int64], n_items: int, groups: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
    """Return the ascending numbers of the items that are not in a part, nor of a group that is."""
    if groups is None:
        return np.setdiff1d(np.arange(n_items), rows)
    return np.flatnonzero(~np.isin(groups, groups[rows]))


def splits(
    cv: Any, source: Source, groups: NDArray[np.int64] | None, random_state: int, *, copies: bool = False
) -> list[Split]:
    """Return the pairs of parts that ``cv`` asks for.

    Parameters
    ----------
    cv : int, float, or iterable of pairs
        A number of folds, each beside the others; the share of items to hold out, once; or pairs of row
        numbers or masks. What is dealt here is dealt evenly over labels, see `deal`.
    source : Source
    groups : int64 (n_items,), optional
        Neither folds nor pairs may divide them.
    copies : bool
        Whether a given part may name a row more than once.

    Raises
    ------
    InputError
        If ``cv`` is no way to split these items.
    """
    n_items = source.n_items
    if isinstance(cv, int | np.integer) and not isinstance(cv, bool):
        return [(outside(fold, n_items), fold) for fold in dealt_folds(cv, source, groups, random_state)]
    if isinstance(cv, float | np.floating):
        if not 0 < cv < 1:
            raise InputError(f"cv={cv} is no share of the items to hold out. It must be between 0 and 1.")
        fold = deal(source, [1 - float(cv), float(cv)], groups, random_state)
        if len(np.unique(fold)) < 2:
            raise InputError(f"cv={cv} of {count(n_items, 'item')} leaves none on one side. Give more items.")
        return [(np.flatnonzero(fold == 0), np.flatnonzero(fold == 1))]
    if isinstance(cv, str | bool) or not isinstance(cv, Iterable):
        raise InputError(
            f"cv={cv!r} is no way to split. Give a number of folds, a share to hold out, or pairs of row numbers."
        )
    pairs = [(_rows(one, n_items, copies), _rows(other, n_items, copies)) for one, other in cv]
    if not pairs:
        raise InputError("cv is empty. Give a number of folds, or pairs of row numbers.")
    for one, other in pairs:
        shared = np.intersect1d(one, other)
        if len(shared):
            raise InputError(
                f"cv has the same {count(len(shared), 'row')} (first: {shared[0]}) in both parts of a pair. They "
                "must not overlap: nothing would be held out."
            )
        if groups is not None and len(np.intersect1d(groups[one], groups[other])):
            raise InputError("cv has items of the same group in both parts of a pair. Keep groups whole.")
    return pairs


def dealt_folds(
    number: Any, source: Source, groups: NDArray[np.int64] | None, random_state: int
) -> list[NDArray[np.int64]]:
    """Return the ascending row numbers of each of ``number`` folds that share out every label evenly.

    Raises
    ------
    InputError
        If it is no number from 2 to that of the items, or groups.
    """
    n_units = unit_count(source.n_items, groups)
    if not isinstance(number, int | np.integer) or not 2 <= number <= n_units:
        units = count(n_units, "item" if groups is None else "group")
        raise InputError(f"cv={number} folds of {units}. Use 2 to {n_units} folds.")
    return fold_parts(deal(source, [1 / number] * int(number), groups, random_state))


def fold_parts(fold: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Return the ascending row numbers of each fold, given the fold of each item (n_items,)."""
    return [np.flatnonzero(fold == k) for k in np.unique(fold)]


def hashed(ids: Iterable[Any], number: int, random_state: int = 0) -> NDArray[np.int64]:
    """Return the fold, from 0, of each item (n_items,) by the hash of its id, or of its group's.

    An id falls into the same fold whatever other items there are, on any machine, in SQL too: parts that were
    saved, and shards of data, agree. Folds are even by chance only.

    Examples
    --------
    >>> hashed(["clip 1", "clip 2", "clip 3"], 5), hashed(["clip 3"], 5)
    (array([1, 4, 2]), array([2]))
    """
    return (name_hashes(ids, random_state) % np.uint64(number)).astype(np.int64)


def name_hashes(names: Iterable[Any], random_state: int = 0) -> NDArray[np.uint64]:
    """Return a number below 2^32 for each name and seed: the first eight digits of the MD5 of ``"seed:name"``."""
    digests = (hashlib.md5(f"{random_state}:{name}".encode(), usedforsecurity=False) for name in names)
    return np.array([int.from_bytes(digest.digest()[:4]) for digest in digests], np.uint64)


def deal(
    source: Source, shares: Sequence[float], groups: NDArray[np.int64] | None, random_state: int
) -> NDArray[np.int64]:
    """Return the fold of each item (n_items,): each label's rarer value is shared out, the rarest first.

    Parameters
    ----------
    source : Source
    shares : sequence of n_folds floats
        Of the items of each fold; their sum is 1.
    groups : int64 (n_items,), optional
        Number of each item's group; groups are not divided.
    random_state : int

    Notes
    -----
    Iterative stratification (Sechidis, Tsoumakas & Vlahavas, ECML PKDD 2011), with the order of the labels
    fixed at the start: an item, or group, goes to the fold that lacks most of the label, and among these
    to the one that lacks most items. A label with two items or more of its rarer value has some of
    them outside of every fold, if the shares are equal and no group holds them all.
    """
    n_items = source.n_items
    member = np.arange(n_items) if groups is None else groups
    size = np.bincount(member)
    shuffled = np.random.default_rng(random_state).permutation(len(size))
    place = np.empty_like(shuffled)
    place[shuffled[np.argsort(-size[shuffled], kind="stable")]] = np.arange(len(size))
    share = np.asarray(shares, np.float64)
    room = share * n_items
    fold = np.full(len(size), -1)

    def give(units: NDArray[np.int64], held: NDArray[np.int64], wanted: NDArray[np.float64]) -> None:
        order = np.argsort(place[units])
        fold[units[order]] = to = _in_turn(held[order], size[units[order]], wanted, room)
        room[:] -= np.bincount(to, size[units[order]], len(room))

    left = len(size)
    for rows in sorted(_rarer(source), key=len):
        if not left:
            break
        units, held = (rows, size[rows]) if groups is None else np.unique(member[rows], return_counts=True)
        waits = fold[units] < 0
        if not waits.any():
            continue
        left -= int(waits.sum())
        dealt = np.bincount(fold[units[~waits]], held[~waits], len(room))
        give(units[waits], held[waits], share * len(rows) - dealt)
    rest = np.flatnonzero(fold < 0)
    give(rest, size[rest], room.copy())
    return fold[member]


def _in_turn(
    held: NDArray[np.int64], size: NDArray[np.int64], wanted: NDArray[np.float64], room: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Return the fold of each unit, in turn: the one that wants most of what they hold, then with most room."""
    number = len(held)
    if (held == 1).all() and (size == 1).all():
        # Each fold wants one less with each item it gets, so the turns are the falling numbers of all, merged.
        most = min(number, int(number / len(room) + np.ptp(wanted)) + 2)
        step = np.arange(most)
        keys = np.subtract.outer(room, step).ravel(), np.subtract.outer(wanted, step).ravel()
        return np.asarray(np.lexsort((-keys[0], -keys[1]))[:number] // max(most, 1))
    to = np.empty(number, np.int64)
    wants, free = wanted.tolist(), room.tolist()
    for at, (one, items) in enumerate(zip(held.tolist(), size.tolist(), strict=True)):
        to[at] = chosen = max(range(len(free)), key=lambda k: (wants[k], free[k]))
        wants[chosen] -= one
        free[chosen] -= items
    return to


def _rarer(source: Source) -> list[NDArray[np.int64]]:
    """Return the ascending rows that hold the rarer value of each label."""
    n_labels, n_items = len(source.labels), source.n_items
    ones, unknown = np.zeros((2, n_labels), np.int64)
    for _, block, _ in source.pairs():
        ones += _number(block, block.truth == 1, n_labels)
        unknown += _number(block, block.truth < 0, n_labels)
    zeros = n_items - unknown - ones
    rarer = (ones <= zeros).astype(np.int8)
    rows, labels = [], []
    not_zero: dict[int, list[NDArray[np.int64]]] = {k: [] for k in np.flatnonzero(rarer == 0).tolist()}
    for span, block, _ in source.pairs():
        if isinstance(block, Rows):
            row, label = np.nonzero(block.truth == rarer)
        else:
            order = np.lexsort((block.label, block.row))
            truth, label, row = block.truth[order], block.label[order], block.row[order]
            for k, found in not_zero.items():
                found.append(row[(label == k) & (truth != 0)] + span.start)
            some = (truth == 1) & (rarer[label] == 1)
            row, label = row[some], label[some]
        rows.append(row + span.start)
        labels.append(label)
    for k, found in not_zero.items():
        if found:  # in a sparse block a negative pair need not be there
            rows.append(np.setdiff1d(np.arange(n_items), np.concatenate(found)))
            labels.append(np.full(len(rows[-1]), k))
    order = np.argsort(np.concatenate(labels), kind="stable")
    return np.split(np.concatenate(rows)[order], np.cumsum(np.minimum(ones, zeros))[:-1])


def _number(block: Rows | Entries, chosen: NDArray[np.bool_], n_labels: int) -> NDArray[np.int64]:
    """Return how many pairs of each label are chosen, (n_labels,)."""
    if isinstance(block, Rows):
        return np.asarray(np.count_nonzero(chosen, axis=0))
    return np.bincount(block.label[chosen], minlength=n_labels)


def _rows(rows: Any, n_items: int, copies: bool) -> NDArray[np.int64]:
    rows = np.asarray(rows)
    if rows.dtype == np.bool_:
        if rows.shape != (n_items,):
            raise InputError(f"cv has a mask of shape {rows.shape}. A mask must be ({n_items},).")
        rows = np.flatnonzero(rows)
    rows = rows.astype(np.int64)
    if not len(rows) or rows.min() < 0 or rows.max() >= n_items:
        raise InputError(f"cv has a part that is empty or has row numbers outside 0 to {n_items - 1}.")
    if not copies and len(np.unique(rows)) < len(rows):
        raise InputError("cv has a part that names a row twice. Each row can be in a part once.")
    return np.asarray(rows)


def content_keys(source: Source, names: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return a number for each item (n_items,), from its scores and its labels.

    The sum, modulo 2^64, of a hash of each pair's label, told by its key in ``names``, score and truth, so that
    the order of the labels does not matter.
    """
    from limen._kernels import sampling as kernels

    keys = np.zeros(source.n_items, np.uint64)
    for rows, block, _ in source.pairs():
        bits = (block.scores.astype(np.float64) + 0.0).view(np.uint64)
        if isinstance(block, Rows):
            kernels.hash_rows((bits, block.truth), names, keys[rows])
        else:
            absent = np.array(-np.inf).view(np.uint64)[()]
            kernels.hash_entries((bits, block.label, block.truth, block.row), absent, names, keys[rows])
    return keys


def keyed_folds(keys: NDArray[np.uint64], number: int) -> list[NDArray[np.int64]]:
    """Return the ascending row numbers of each of at most ``number`` folds, none empty, by `keyed_fold`."""
    fold = keyed_fold(keys, number, np.sort(keys) if len(keys) <= FEW else None)
    folds = [np.flatnonzero(fold == k) for k in range(number)]
    return [rows for rows in folds if len(rows)]


def keyed_fold(
    keys: NDArray[np.uint64], number: int, every: NDArray[np.uint64] | None = None
) -> NDArray[np.int64]:
    """Return the fold, from 0, of each of the rows (n_rows,), by their keys.

    A row's fold depends on its key alone, so parts of the data that are dealt by themselves agree; or, with the
    ascending keys of ``every`` row, of which there are at most ``FEW``, on its place among these: they are dealt
    in turn. Only of rows with one key, which are alike, does it matter which comes first.
    """
    order = np.argsort(keys, kind="stable")
    start = np.flatnonzero(np.append(True, keys[order][1:] != keys[order][:-1]))
    occurrence = np.empty(len(keys), np.int64)
    occurrence[order] = np.arange(len(keys)) - np.repeat(start, np.diff(np.append(start, len(keys))))
    place = keys % np.uint64(number) if every is None else np.searchsorted(every, keys)
    return np.asarray((place.astype(np.int64) + occurrence) % number, np.int64)
