"""The default method: regularised cuts, averaged with the weights that cross-fitting gives them."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from limen.objectives import Objective
from limen.solvers.base import Problem
from limen.solvers.calibrated import Calibrated
from limen.solvers.fine import FineCurves
from limen.solvers.regularised import Bagged, LogOddsSolver, one_cut
from limen.solvers.solution import CrossFit, Solution

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
OWN = ("bagged", "balanced", "calibrated")


@dataclass(frozen=True)
class Auto(LogOddsSolver):
    """An average, in log odds, of mixtures of per-label cuts and the shared cut.

    Parameters
    ----------
    folds : int
        For cross-fitting.
    samples : int
        Bootstrap samples of the bagged cuts; a third as many in each fold.
    strength : float
        A label with this many positives takes its "balanced" cut halfway between the bagged and the
        calibrated one.
    temperature : float
        A mixture that is worse by this much, in standard errors of a proportion over all positives,
        weighs 1/e as much.
    min_positive : float
        Labels with fewer positives lean on the pool alone: the calibrated and the shared cut.

    Notes
    -----
    Three kinds of per-label cut (bagged; calibrated across labels; balanced between the two by the
    number of positives) are each mixed with the best shared cut, which takes 0, 1/4, 1/2, 3/4 or all of
    the mixture. Each of the 15 mixtures is tuned on all folds but one and measured on that one; their
    weights fall exponentially with the loss of the cross-fitted objective to the best, and the cuts tuned
    on all data are averaged with these weights. No per-label choice is made from a label's few
    positives, and a clear winner takes all. For what to expect on new data each fold is decided by the
    cuts tuned without it, averaged with weights in which its own result does not count.
    """

    name: ClassVar[str] = "auto"
    folds: int = 5
    samples: int = 30
    strength: float = 20.0
    temperature: float = 0.1
    min_positive: float = 0.0

    def solve(self, problem: Problem) -> Solution:
        """Return the averaged cuts, the weights in ``details``, and cross-fitted cuts of each fold."""
        objective = problem.objective
        folds = problem.split(self.folds)
        parts = FineCurves.of_folds(problem.sources, [source for _, source in folds])
        if problem.target_prevalence is not None:
            parts = [part.reweighted(problem.target_prevalence) for part in parts]
        whole = sum(parts[1:], start=parts[0])
        if len(parts) == 1:
            return Solution(values=whole.back(self._mixtures(whole, objective, problem.random_state)[0]))
        with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            fitting = [pool.submit(self._without_fold, number, parts, problem) for number in range(len(parts))]
            draws = Bagged(self.samples).draws(whole, objective, problem.random_state)
            cuts = self._mixtures(whole, objective, problem.random_state, draws)
            counts: list[NDArray[Any]] = []
            tuned: list[NDArray[np.float64]] = []
            for number, fitted in enumerate(fitting):
                counted, cuts_of_fold = fitted.result()
                counts.append(counted)
                tuned.append(cuts_of_fold)
                if problem.progress is not None:
                    problem.progress(number + 1, len(parts) + 1, float("nan"))
        by_fold = np.asarray(counts)  # (folds, mixtures, 2, labels)
        total = self._weights(by_fold, parts, objective)
        cross_fit = []
        for number, (rows, source) in enumerate(folds):
            weights = self._weights(np.delete(by_fold, number, axis=0), _without(parts, number), objective)
            cross_fit.append(CrossFit(rows, source, whole.back(weights @ tuned[number])))
        final = total @ cuts
        low, high = final + np.percentile(draws, [2.5, 97.5], axis=0) - draws.mean(axis=0)
        return Solution(
            values=whole.back(final),
            cross_fit=tuple(cross_fit),
            ranges=np.array([whole.back(np.minimum(low, final)), whole.back(np.maximum(high, final))]),
            details=self._explain(total, by_fold, parts, objective, whole),
        )

    def _without_fold(
        self, number: int, parts: list[FineCurves], problem: Problem
    ) -> tuple[NDArray[Any], NDArray[np.float64]]:
        """Return tp and pp of one fold under each mixture's cuts, tuned on the others, and the cuts."""
        held_out, others = parts[number], [part for other, part in enumerate(parts) if other != number]
        training = sum(others[1:], start=others[0]).without_foreign()
        cuts = self._mixtures(training, problem.objective, problem.random_state + 1 + number)
        index = [held_out.index(cut) for cut in cuts]
        return np.array([(held_out.curves.tp[at], held_out.curves.pp[at]) for at in index]), cuts

    def _mixtures(
        self,
        fine: FineCurves,
        objective: Objective,
        random_state: int,
        draws: NDArray[np.float64] | None = None,
    ) -> NDArray[np.float64]:
        """Return the cuts of every mixture, (mixtures, n_labels)."""
        if draws is None:
            draws = Bagged(max(1, self.samples // 3)).draws(fine, objective, random_state)
        bagged = draws.mean(axis=0)
        calibrated = Calibrated().cuts(fine, objective, random_state)
        positives = fine.raw.n_positive
        enough = positives >= self.min_positive
        own = positives / (positives + self.strength)
        bagged = np.where(enough & (positives > 0), bagged, calibrated)
        balanced = own * bagged + (1 - own) * calibrated
        shared = one_cut(fine, fine.points.x, objective)
        kinds = (bagged, balanced, calibrated)
        return np.array([(1 - share) * kind + share * shared for kind in kinds for share in SHARES])

    def _weights(
        self, counts: NDArray[np.float64], parts: list[FineCurves], objective: Objective
    ) -> NDArray[np.float64]:
        """Return the weight of each mixture by its cross-fitted objective."""
        values = _cross_fitted(counts, parts, objective)
        positives = float(sum(part.curves.n_positive.sum() for part in parts))
        scale = self.temperature / np.sqrt(max(positives, 1.0))
        weights = np.exp((values - values.max()) / scale)
        return np.asarray(weights / weights.sum())

    def _explain(
        self,
        weights: NDArray[np.float64],
        counts: NDArray[np.float64],
        parts: list[FineCurves],
        objective: Objective,
        whole: FineCurves,
    ) -> dict[str, object]:
        values = _cross_fitted(counts, parts, objective).reshape(len(OWN), len(SHARES))
        grid = weights.reshape(len(OWN), len(SHARES))
        shared = float(grid @ SHARES @ np.ones(len(OWN)))
        kinds = dict(zip(OWN, (grid @ (1 - np.array(SHARES))).tolist(), strict=True))
        positives = whole.raw.n_positive
        own = positives / (positives + self.strength)
        from_own = (kinds["bagged"] + kinds["balanced"] * own) * (
            (positives >= self.min_positive) & (positives > 0)
        )
        names = np.array(whole.curves.labels)
        return {
            "weights": {"shared": shared, **kinds},
            "cross_fitted": {kind: values[k].tolist() for k, kind in enumerate(OWN)},
            "shares_of_shared": list(SHARES),
            "folds": len(parts),
            "leaning_on_pool": names[from_own < 0.5].tolist(),
        }


def _cross_fitted(
    counts: NDArray[np.float64], parts: list[FineCurves], objective: Objective
) -> NDArray[np.float64]:
    """Return the objective of each mixture, its held-out counts summed over folds."""
    p = np.add.reduce([part.curves.n_positive for part in parts])
    n = np.add.reduce([part.curves.n_known for part in parts])
    return np.array([objective(tp, pp, p, n) for tp, pp in counts.sum(axis=0)])


def _without(parts: list[FineCurves], number: int) -> list[FineCurves]:
    return [part for other, part in enumerate(parts) if other != number]
