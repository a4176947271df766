"""What methods that choose cuts in log odds share: their base, and counts at cuts of a grid."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from limen.curves import Curves
from limen.objectives import Objective
from limen.scales import Logit
from limen.solvers.base import OF_COUNTS, Problem
from limen.solvers.fine import FineCurves
from limen.solvers.grid import placed_at
from limen.solvers.places import Points
from limen.solvers.solution import Solution
from limen.sources.candidates import Candidates


@dataclass(frozen=True)
class LogOddsSolver:
    """Base of the methods that choose cuts in log odds from `FineCurves`."""

    name: ClassVar[str]
    needs: ClassVar[Literal["curves", "scores"]] = "curves"
    serves: ClassVar[tuple[str, ...]] = OF_COUNTS

    def solve(self, problem: Problem) -> Solution:
        """Return the cuts, on the scale of the scores."""
        counted = problem.counted_alone
        if counted is None:
            fine = FineCurves.of(problem.sources, problem.kind)
        elif counted.folds is not None:
            fine = FineCurves.of_counts(counted.folds, problem.kind)[0]
        else:
            fine = FineCurves.of_curves(counted, problem.kind)
        fine = fine.reweighted(problem.target_prevalence)
        return self._found(problem, fine, self.cuts(fine, problem.objective, problem.random_state), leans=False)

    @staticmethod
    def _found(
        problem: Problem, fine: FineCurves, cuts: NDArray[np.float64], leans: bool = True, **what: Any
    ) -> Solution:
        """Return the solution of cuts in log odds; of the candidates nearest, where no others can be counted."""
        counted = problem.counted_alone
        if counted is None or counted.sources:
            return Solution(values=fine.back(cuts), leans=leans, **what)
        return Solution(index=nearest(counted, cuts, fine.places.scale), leans=leans, **what)

    def cuts(self, fine: FineCurves, objective: Objective, random_state: int) -> NDArray[np.float64]:
        """Return the cut of each label, in log odds (n_labels,)."""
        raise NotImplementedError

    def tables(self, fine: FineCurves, at: NDArray[np.float64], keys: NDArray[np.uint64]) -> list[Curves]:
        """Return the counts that the method works with, at cuts in log odds (n_cuts, n_labels), falling.

        Under constraints the exact solver chooses from them; from several, as of bootstrap samples, the cuts are
        averaged. ``keys`` (n_labels,) decide what is drawn.
        """
        raise NotImplementedError


def nearest(curves: Curves, cuts: NDArray[np.float64], scale: Logit) -> NDArray[np.int64]:
    """Return the candidates (n_labels,) of curves that are nearest to cuts in log odds.

    A candidate cuts alike from its score down to just above the highest score beneath; between that and the next
    candidate the counts are not known.
    """
    from limen._kernels import sampling as kernels

    at = placed_at(curves.candidates, scale)
    index = np.empty((1, curves.n_labels), np.int64)
    kernels.lowest_at_or_above(curves.offsets, at, cuts[np.newaxis], index)
    above = index[0]
    below = np.minimum(above + 1, curves.offsets[1:] - 1)
    beneath = curves.beneath[above]
    some, label = np.isfinite(beneath), np.arange(curves.n_labels)
    ends = np.where(some, scale.forward(np.where(some, beneath, 0.5), label), -np.inf)
    return np.asarray(np.where(cuts - at[below] < ends - cuts, below, above))


def blended(own: Curves, pool: Curves, positives: NDArray[np.float64], strength: float) -> Curves:
    """Return curves at the same cuts, drawn from those of each label to the pool's; halfway at the strength."""
    share = positives / np.maximum(positives + strength, 1e-300)
    by_candidate = share[own.label_of]
    return replace(
        own,
        tp=by_candidate * own.tp + (1 - by_candidate) * pool.tp,
        fp=by_candidate * own.fp + (1 - by_candidate) * pool.fp,
        n_positive=share * own.n_positive + (1 - share) * pool.n_positive,
    )


def on_grid(
    fine: FineCurves,
    at: NDArray[np.float64],
    counts: NDArray[np.float64],
    n_positive: NDArray[np.float64] | None = None,
) -> Curves:
    """Return curves of counts (2, grid, n_labels) at cuts (grid, n_labels), with "never" before them.

    ``n_positive`` (n_labels,) is that of the data, if left out.
    """
    n_labels, size = fine.n_labels, len(at) + 1
    n_positive = fine.curves.n_positive if n_positive is None else n_positive
    never = np.full((1, n_labels), np.inf)
    cuts = np.concatenate([never, at]).T.ravel()
    tp, fp = (np.concatenate([np.zeros((1, n_labels)), part]).T.ravel() for part in counts)
    candidates = Candidates(fine.curves.labels, np.dtype(np.float64), np.arange(n_labels + 1) * size, cuts)
    return Curves(
        candidates,
        tp,
        fp,
        np.full(len(cuts), -np.inf),
        n_positive.astype(np.float64),
        fine.curves.n_known.astype(np.float64),
        fine.curves.n_items,
    )


def weighted_quantile(
    points: Points, weight: NDArray[np.float64], share: float, n_labels: int
) -> NDArray[np.float64]:
    """Return each label's weighted quantile of the points' log odds; 0 where there is no weight."""
    from limen._kernels import sampling as kernels

    quantile = np.zeros(n_labels)
    kernels.quantiles(points.x, points.label, weight, share, quantile)
    return quantile
