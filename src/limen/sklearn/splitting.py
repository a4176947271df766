"""How items are split, so that each is scored, and decided, by what was fitted without it."""

# ruff: noqa: N803 - X is what scikit-learn calls the items

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold, check_cv

from limen.errors import InputError, count
from limen.folds import as_groups, refuse_overlap, unit_count

Split = tuple[NDArray[np.int64], NDArray[np.int64]]
DEFAULT_FOLDS = 5


def splits_of(
    cv: Any,
    X: Any,
    y: Any,
    truth: Any,
    *,
    stratified: bool = False,
    groups: Any = None,
    for_splitter: dict[str, Any] | None = None,
    random_state: int = 0,
) -> list[Split]:
    """Return the (fit, score) pairs of row numbers.

    Parameters
    ----------
    cv : int, float, splitter, iterable of pairs, or None
        A number of folds (None: 5), the share of items to hold out, or what scikit-learn takes.
    X, y
        For the splitter.
    truth : ndarray or sparse (n_items, n_labels)
    stratified : bool
        Whether a number of folds without groups makes scikit-learn's, stratified by the classes ``y``.
    groups : array-like (n_items,), optional
        Not divided by folds that are made here.
    for_splitter : dict, optional
        Further arguments of the splitter's ``split``, such as groups.

    Raises
    ------
    InputError
        If ``cv`` is no way to split these items.
    """
    n_items = truth.shape[0]
    if cv is None:
        cv = DEFAULT_FOLDS
    if isinstance(cv, int | np.integer) and not isinstance(cv, bool):
        member = as_groups(groups, n_items)
        n_units = unit_count(n_items, member)
        if not 2 <= cv <= n_units:
            raise InputError(
                f"cv={cv} folds of {count(n_units, 'item' if member is None else 'group')}. At least 2 folds are "
                "needed, and an item or group for each."
            )
        if stratified and member is None:
            return list(StratifiedKFold(cv).split(X, y))
        fold = deal(truth, [1 / cv] * int(cv), member, random_state)
        return [_pair(fold == k) for k in range(cv) if (fold == k).any()]
    if isinstance(cv, float | np.floating):
        if not 0 < cv < 1:
            raise InputError(f"cv={cv} is no share of the items to hold out. It must be between 0 and 1.")
        fold = deal(truth, [1 - float(cv), float(cv)], as_groups(groups, n_items), random_state)
        pair = _pair(fold == 1)
        if not (len(pair[0]) and len(pair[1])):
            raise InputError(f"cv={cv} of {count(n_items, 'item')} leaves none on one side. Give more items.")
        return [pair]
    if isinstance(cv, str) or not (hasattr(cv, "split") or isinstance(cv, Iterable)):
        raise InputError(
            f"cv={cv!r} is no way to split. Give a number of folds, a share to hold out, a splitter, pairs of row "
            "numbers, or 'prefit'."
        )
    given = check_cv(cv).split(X, y, **(for_splitter or {}))
    pairs = [(_rows(fit, n_items), _rows(score, n_items)) for fit, score in given]
    if not pairs:
        raise InputError("cv is empty. Give at least one pair of row numbers.")
    refuse_overlap(pairs, "fits and scores", "scores")
    return pairs


def deal(
    truth: Any, shares: Sequence[float], groups: NDArray[np.int64] | None, random_state: int
) -> NDArray[np.int64]:
    """Return the fold of each item (n_items,): each label's rarer value is shared out, the rarest first.

    Parameters
    ----------
    truth : ndarray or sparse (n_items, n_labels) of 0, 1 or NaN
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
    truth = truth.tocsc() if hasattr(truth, "tocsc") else truth
    n_items = truth.shape[0]
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

    for rows in sorted((_rarer(truth, k) for k in range(truth.shape[1])), key=len):
        units, held = np.unique(member[rows], return_counts=True)
        waits = fold[units] < 0
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


def _rarer(truth: Any, label: int) -> NDArray[np.int64]:
    """Return the rows that hold the rarer value of a label."""
    column = truth[:, [label]].toarray().ravel() if hasattr(truth, "tocsc") else truth[:, label]
    ones, zeros = np.flatnonzero(column == 1), np.flatnonzero(column == 0)
    return ones if len(ones) <= len(zeros) else zeros


def _pair(held_out: NDArray[np.bool_]) -> Split:
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def _rows(rows: Any, n_items: int) -> NDArray[np.int64]:
    rows = np.asarray(rows)
    if rows.dtype == np.bool_:
        rows = np.flatnonzero(rows)
    if not len(rows):
        raise InputError("cv has an empty part. Each part needs at least one row.")
    return np.asarray(np.arange(n_items)[rows])
