"""What is chosen for: labels, groups of labels with one threshold, and trees of these."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.constraints import Bound
from limen.curves import Curves


@dataclass(frozen=True, eq=False)
class Link:
    """A parent and its child: the child's last candidate that is no lower than each of the parent's (-1: none)."""

    parent: int
    child: int
    last: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Units:
    """Labels, or groups of labels that share a threshold, and the candidates that constraints by label leave.

    Arrays by candidate lie end to end: those of unit ``u`` at ``offsets[u]:offsets[u + 1]``, by falling cut.

    Attributes
    ----------
    members : tuple of int64 arrays
        Label numbers of each unit.
    offsets : int64 (n_units + 1,)
    at : int64 (n_candidates,)
        Each candidate's place among the curves' candidates, for the first label of its unit.
    cuts : float (n_candidates,)
    links : tuple of Link
        Each child has one parent; children come before their parents.
    edges : tuple of (parent, child)
        All of the hierarchy, by unit.
    exact : bool
        Whether the links say all that the hierarchy does; a label with several parents is linked to one of them.
    """

    curves: Curves
    members: tuple[NDArray[np.int64], ...]
    offsets: NDArray[np.int64]
    at: NDArray[np.int64]
    cuts: NDArray[Any]
    links: tuple[Link, ...]
    edges: tuple[tuple[int, int], ...]
    exact: bool

    @classmethod
    def of(cls, curves: Curves, bound: Bound, allowed: NDArray[np.bool_]) -> Units:
        """Return the units of curves; ``allowed`` is by candidate of a label."""
        in_group = {k for group in bound.groups for k in group}
        singles = [(k,) for k in range(curves.n_labels) if k not in in_group]
        members = tuple(np.array(own, np.int64) for own in [*singles, *bound.groups])
        if bound.groups:
            kept = []
            for own in members:
                first, size = curves.offsets[own], curves.offsets[own[0] + 1] - curves.offsets[own[0]]
                every = [allowed[start : start + size] for start in first]
                kept.append(first[0] + np.flatnonzero(np.logical_and.reduce(every)))
            offsets = np.concatenate([[0], np.cumsum([len(some) for some in kept])])
            at = np.concatenate(kept)
        else:
            size = np.add.reduceat(allowed.astype(np.int64), curves.offsets[:-1])
            offsets = np.concatenate([[0], np.cumsum(size)])
            at = np.flatnonzero(allowed)
        cuts = curves.candidates.cuts[at]
        unit_of = {int(k): unit for unit, own in enumerate(members) for k in own}
        edges = {(unit_of[a], unit_of[b]) for a, b in bound.edges if unit_of[a] != unit_of[b]}
        tree, exact = _tree(sorted(edges))
        links = []
        for parent, child in tree:
            up, down = (-cuts[offsets[u] : offsets[u + 1]] for u in (parent, child))
            links.append(Link(parent, child, np.searchsorted(down, up, side="right") - 1))
        return cls(curves, members, offsets, at, cuts, tuple(links), tuple(sorted(edges)), exact)

    @property
    def n_units(self) -> int:
        """Number of units."""
        return len(self.members)

    @property
    def empty(self) -> NDArray[np.int64]:
        """Units without a candidate."""
        return np.flatnonzero(np.diff(self.offsets) == 0)

    @cached_property
    def unit_of(self) -> NDArray[np.int64]:
        """Unit of each candidate."""
        return np.repeat(np.arange(self.n_units), np.diff(self.offsets))

    @cached_property
    def free(self) -> NDArray[np.bool_]:
        """Which units are in no hierarchy."""
        free = np.ones(self.n_units, bool)
        free[[unit for link in self.links for unit in (link.parent, link.child)]] = False
        return free

    def summed(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return what is by candidate of a label, summed over the labels of each unit's candidates."""
        found = values[self.at]
        for unit, own in self._groups:
            some = slice(self.offsets[unit], self.offsets[unit + 1])
            for k in own[1:]:
                found[some] += values[self.at[some] + self.curves.offsets[k] - self.curves.offsets[own[0]]]
        return np.asarray(found)

    def index(self, choice: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return each label's candidate of the curves, (n_labels,), of a candidate for each unit."""
        index, at = np.empty(self.curves.n_labels, np.int64), self.at[choice]
        index[[own[0] for own in self.members]] = at
        for unit, own in self._groups:
            index[own] = at[unit] + self.curves.offsets[own] - self.curves.offsets[own[0]]
        return index

    @property
    def _groups(self) -> list[tuple[int, NDArray[np.int64]]]:
        return [(unit, own) for unit, own in enumerate(self.members) if len(own) > 1]

    def best(self, values: NDArray[Any]) -> NDArray[np.int64] | None:
        """Return the candidates (n_units,) with the largest sum of values that keep the links; None if none do.

        A tree is solved from its leaves up: what a label's subtree can add is, for each of its cuts, its own value
        and the best of each child no lower. Among equals the highest cuts are taken. O(number of candidates).
        """
        from limen import _kernels

        choice = np.empty(self.n_units, np.int64)
        if not self.links:
            _kernels.best_of(self.offsets, values, choice)
            return choice
        worst = np.iinfo(np.int64).min // 4 if values.dtype.kind == "i" else -np.inf
        values = values.copy()
        best: dict[int, NDArray[np.int64]] = {}
        for link in self.links:
            some = slice(self.offsets[link.parent], self.offsets[link.parent + 1])
            own = values[self.offsets[link.child] : self.offsets[link.child + 1]]
            most = np.maximum.accumulate(own)
            new = np.append(True, own[1:] > most[:-1])
            best[link.child] = np.maximum.accumulate(np.where(new, np.arange(len(own)), 0))
            added = np.where(link.last >= 0, most[link.last], worst)
            values[some] = np.where((added <= worst) | (values[some] <= worst), worst, values[some] + added)
        _kernels.best_of(self.offsets, values, choice)
        for link in reversed(self.links):
            at = choice[link.parent] - self.offsets[link.parent]
            if values[choice[link.parent]] <= worst:
                return None
            choice[link.child] = self.offsets[link.child] + best[link.child][link.last[at]]
        return choice

    def raised(self, choice: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
        """Return a choice that keeps all edges: each child raised to its parents; -1 for those without such a cut.

        What stands below a unit without one must be never given, or has none either. Without a choice, it is of
        the lowest candidates: if these can't be raised, none can.
        """
        if choice is None:
            choice = np.where(np.diff(self.offsets) > 0, self.offsets[1:] - 1, -1)
        choice, open_ = choice.copy(), list(self.edges)
        while open_:
            waiting = {child for _, child in open_}
            for parent, child in [edge for edge in open_ if edge[0] not in waiting]:
                own = slice(self.offsets[child], choice[child] + 1)
                high = np.flatnonzero(
                    self.cuts[own] >= (self.cuts[choice[parent]] if choice[parent] >= 0 else np.inf)
                )
                choice[child] = own.start + high[-1] if len(high) else -1
                open_.remove((parent, child))
        return choice


def _tree(edges: list[tuple[int, int]]) -> tuple[list[tuple[int, int]], bool]:
    """Return one (parent, child) for each child, children before parents, and whether the others follow.

    A parent above another parent of the same child says nothing new.
    """
    parents: dict[int, list[int]] = {}
    for parent, child in edges:
        parents.setdefault(child, []).append(parent)

    def above(unit: int) -> Iterator[int]:
        for parent in parents.get(unit, ()):
            yield parent
            yield from above(parent)

    chosen, exact = {}, True
    for child, own in parents.items():
        nearest = [parent for parent in own if not any(parent in above(other) for other in own if other != parent)]
        chosen[child], exact = nearest[0], exact and len(nearest) == 1

    def depth(unit: int) -> int:
        return 0 if unit not in chosen else 1 + depth(chosen[unit])

    return sorted(((chosen[child], child) for child in chosen), key=lambda edge: -depth(edge[1])), exact
