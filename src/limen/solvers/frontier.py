"""The micro precision-recall frontier over all threshold vectors, and the solver that walks it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from limen.curves import Curves
from limen.metrics import GMean
from limen.solvers.base import Problem
from limen.solvers.coordinate import improve
from limen.solvers.solution import Solution, proven


@dataclass(frozen=True, eq=False)
class Walk:
    """The upper concave hull of the summed counts (pp, tp) over all threshold vectors.

    Point 0 gives no label to any item, or as few as the candidates allow; step ``i`` moves the cut of
    ``label[i]`` down to ``candidate[i]``.

    Attributes
    ----------
    slope : float64 (n_steps,)
        True positives gained for each item added, falling: the price at which each step is worth it.
    label, candidate : int64 (n_steps,)
    tp, pp : int64 or float64 (n_steps + 1,)
        Summed counts at each point.
    """

    slope: NDArray[np.float64]
    label: NDArray[np.int64]
    candidate: NDArray[np.int64]
    tp: NDArray[np.float64]
    pp: NDArray[np.float64]

    @classmethod
    def of(cls, curves: Curves) -> Walk:
        """Return the walk: each label's hull, and all their edges merged by slope.

        The sum of convex sets has the edges of all of them in order of slope, so every vertex of
        the joint hull is found; O(P log P) for P candidates.
        """
        from limen import _kernels

        keep = np.zeros(len(curves.tp), bool)
        stack = np.empty(np.diff(curves.offsets).max(), np.int64)
        _kernels.upper_hull(_kernels.Points(curves.offsets, curves.tp, curves.pp), stack, keep)
        vertex = np.flatnonzero(keep)
        label = curves.label_of[vertex]
        tp, pp = curves.tp[vertex], curves.pp[vertex]
        edge = np.flatnonzero(label[1:] == label[:-1]) + 1
        gained, added = tp[edge] - tp[edge - 1], pp[edge] - pp[edge - 1]
        slope = gained / added
        order = np.argsort(-slope, kind="stable")
        first = curves.offsets[:-1]
        starts = [count[first].sum(keepdims=True) for count in (curves.tp, curves.pp)]
        return cls(
            slope[order],
            label[edge][order],
            vertex[edge][order],
            *(
                np.concatenate([start, start + np.cumsum(change[order])])
                for start, change in zip(starts, (gained, added), strict=True)
            ),
        )

    def index(self, curves: Curves, point: int) -> NDArray[np.int64]:
        """Return the candidate of each label at a point."""
        index = curves.offsets[:-1].copy()
        np.maximum.at(index, self.label[:point], self.candidate[:point])
        return index


@dataclass(frozen=True)
class FrontierWalk:
    """The best point of the frontier: optimal for micro MCC and Fowlkes-Mallows.

    Notes
    -----
    A quasi-convex function of (tp, pp) is largest at a vertex of the convex hull of what can be
    reached, and every vertex is reached. Micro G-mean is not quasi-convex: the largest value on
    the edges is an upper bound, and coordinate ascent from the best vertex gives the thresholds. Of
    a user's own metric with another structure nothing is known: the same ascent, and no bound.
    """

    name: ClassVar[str] = "frontier"
    needs: ClassVar[Literal["curves", "scores"]] = "curves"
    serves: ClassVar[tuple[str, ...]] = ("quasi-convex", "counts")

    def solve(self, problem: Problem) -> Solution:
        """Return the best point and what it proves."""
        curves, objective = problem.curves, problem.objective
        walk = Walk.of(curves)
        p, n = curves.n_positive.sum(), curves.n_known.sum()
        values = np.asarray(objective.metric(walk.tp, walk.pp, p, n, objective.zero_division))
        index = walk.index(curves, int(values.argmax()))

        def value(at: NDArray[np.int64]) -> float:
            return objective(curves.tp[at], curves.pp[at], curves.n_positive, curves.n_known)

        # Where every item is given a metric may be 0/0, and more than beside it.
        every = curves.offsets[1:] - 1
        index = every if value(every) > value(index) else index
        if objective.structure != "counts":
            return proven(curves, index, value(index))
        best = value(index)
        index = improve(curves, objective, index)
        if not isinstance(objective.metric, GMean):
            return Solution(index=index)
        bound = max(best, objective.metric.on_edges(walk.tp, walk.pp, p, n, objective.zero_division))
        if value(index) >= bound or not curves.conclusive:
            return proven(curves, index, value(index))
        return Solution(index=index, status="bounded", upper_bound=bound)
