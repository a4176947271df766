"""Parts of data that divide no group."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.errors import InputError, count


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
    if len(names) < 2:
        raise InputError("groups has one group. At least two are needed to tell how results vary.")
    return np.asarray(number, np.int64)


def fold_rows(
    n_items: int, number: int, groups: NDArray[np.int64] | None, random_state: int
) -> list[NDArray[np.int64]]:
    """Return the ascending row numbers of each of ``number`` random folds that divide no group."""
    if groups is None:
        groups = np.arange(n_items)
    _, member = np.unique(groups, return_inverse=True)
    n_groups = int(member.max()) + 1
    order = np.random.default_rng(random_state).permutation(n_groups)
    fold_of_group = np.empty(n_groups, np.int64)
    fold_of_group[order] = np.arange(n_groups) % min(number, n_groups)
    return [np.flatnonzero(fold_of_group[member] == k) for k in range(min(number, n_groups))]


def refuse_overlap(
    pairs: Iterable[tuple[NDArray[np.int64], NDArray[np.int64]]], doing: str, held_out: str
) -> None:
    """Raise `InputError` if the two parts of a pair, row numbers each, share a row."""
    for one, other in pairs:
        overlap = np.intersect1d(one, other)
        if len(overlap):
            raise InputError(
                f"cv {doing} the same {count(len(overlap), 'row')} (first: {overlap[0]}). The parts must not "
                f"overlap: the {held_out} would not be held out."
            )
