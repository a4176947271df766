"""Every choice that loses little against a price: what closes the gap that prices leave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.solvers.constrained.units import Units

MOST = 1 << 15
"""Sums kept at one time,"""
TRIED = 1 << 20
"""and tried for one unit,"""
WORK = 1 << 22
"""and tried in all: the stated budget. What is not closed then is a bound."""


@dataclass(frozen=True, eq=False)
class Nearby:
    """Sums (n_sums, n_found) of choices that lose at most a depth, and the choices.

    Of choices with the same sums, or of which one is as good in every respect, one is kept.
    """

    sums: NDArray[Any]
    base: NDArray[np.int64]
    steps: list[tuple[int, NDArray[np.int64], NDArray[np.int64]]]

    def choice(self, number: int) -> NDArray[np.int64]:
        """Return the candidates (n_units,) of a sum."""
        choice = self.base.copy()
        for unit, candidate, before in reversed(self.steps):
            choice[unit] = candidate[number]
            number = int(before[number])
        return choice


def nearby(
    units: Units, adds: NDArray[Any], gains: NDArray[Any], depth: float, falling: tuple[int, ...]
) -> Nearby | None:
    """Return all choices whose gains are within ``depth`` of the largest; None if they are too many.

    Parameters
    ----------
    units : Units
        Without links.
    adds : array (n_sums, n_candidates)
    gains : array (n_candidates,)
        A weighted sum of ``adds``.
    depth : float
    falling : tuple of int, one for each of the first two sums
        1 where more is better, -1 where less is, and 0 where only equal sums compare: a choice as good as another
        in both is kept alone. Empty: all are kept.

    Notes
    -----
    A dynamic programme over the units that have a second candidate within the depth: sums so far, of which those
    that have lost more are dropped. If no choice beyond is better than a bound that falls with the depth, the
    best choice found is the best of all (reduced costs; Pisinger 1995 for the knapsack with choices).
    """
    most = np.maximum.reduceat(gains, units.offsets[:-1])
    unit_of = units.unit_of
    lost_by = most[unit_of] - gains
    within = np.flatnonzero(lost_by <= depth)
    size = np.bincount(unit_of[within], minlength=units.n_units)
    ends = np.cumsum(size)
    chosen = within[lost_by[within] <= 0]
    base = chosen[np.unique(unit_of[chosen], return_index=True)[1]]
    sums, lost = adds[:, base].sum(axis=1)[:, np.newaxis], np.zeros(1, gains.dtype)
    steps, work = [], 0
    for unit in np.flatnonzero(size > 1)[np.argsort(size[size > 1], kind="stable")].tolist():
        own = within[ends[unit] - size[unit] : ends[unit]]
        tried = len(lost) * len(own)
        work += tried
        if tried > TRIED or work > WORK:
            return None
        total = (lost[:, np.newaxis] + lost_by[own]).ravel()
        some = np.flatnonzero(total <= depth)
        before, which = np.divmod(some, len(own))
        change = adds[:, own] - adds[:, base[unit]][:, np.newaxis]
        found = sums[:, before] + change[:, which]
        kept = _undominated(found, falling)
        if len(kept) > MOST:
            return None
        sums, lost = found[:, kept], total[some[kept]]
        steps.append((unit, own[which[kept]], before[kept]))
    return Nearby(sums, base, steps)


def _undominated(sums: NDArray[Any], falling: tuple[int, ...]) -> NDArray[np.int64]:
    """Return which sums to keep: the first of those as good as others."""
    if not falling:
        return np.arange(sums.shape[1])
    first, second = falling
    if second == 0:  # equal in the second, most of the first
        order = np.lexsort((-first * sums[0], sums[1]))
        new = np.append(True, np.diff(sums[1][order]) != 0)[: len(order)]
        return np.asarray(order[new])
    order = np.lexsort((-first * sums[0], -second * sums[1]))
    value = first * sums[0][order]
    highest = np.maximum.accumulate(value)
    return np.asarray(order[np.append(True, value[1:] > highest[:-1])[: len(order)]])
