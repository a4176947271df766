"""The exact optimum where the objective is a sum over labels, or a ratio of such sums."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from limen.curves import Curves
from limen.errors import UnsupportedError
from limen.metrics import GMean, Linear, LinearRatio
from limen.objectives import Objective
from limen.solvers.base import Problem, Solver
from limen.solvers.frontier import FrontierWalk
from limen.solvers.solution import Solution, Status, proven
from limen.sources.by_label import MANY_LABELS

UNSURE = (
    "these curves were counted at different cuts or in bins, so that false positives are known between bounds "
    "only. Count all parts at the same candidates (limen candidates, then limen curves --candidates), or read "
    "what is in bins again (limen.streams.certified), for exact counts."
)


@dataclass(frozen=True)
class Enumeration:
    """Each label's best candidate by itself: optimal for macro and weighted averages.

    Notes
    -----
    O(number of candidates). Among equal values the highest threshold is taken.
    """

    name: ClassVar[str] = "enumeration"
    needs: ClassVar[Literal["curves", "scores"]] = "curves"
    serves: ClassVar[tuple[str, ...]] = ("separable",)

    def solve(self, problem: Problem) -> Solution:
        """Return the optimum."""
        curves, objective = problem.curves, problem.objective
        index = best_of_labels(curves, objective)
        tp = curves.tp[index]
        value = objective(tp, tp + curves.fp[index], curves.n_positive, curves.n_known)
        return proven(curves, index, value)


@dataclass(frozen=True)
class Dinkelbach:
    """The joint optimum of a ratio of sums over labels (micro F-beta, Jaccard, kappa, costs, ...).

    Notes
    -----
    Dinkelbach (1967): with N / D the best ratio so far, let every label maximise its share of
    numerator * D - denominator * N; a better ratio exists if and only if that finds one, so the
    last step is the proof. 3 to 8 steps of O(number of candidates). Whole counts are compared in
    exact integers as long as they fit 63 bits, in float64 otherwise. Among equal gains the
    highest threshold is taken.
    """

    name: ClassVar[str] = "dinkelbach"
    needs: ClassVar[Literal["curves", "scores"]] = "curves"
    serves: ClassVar[tuple[str, ...]] = ("linear-ratio",)

    def solve(self, problem: Problem) -> Solution:
        """Return the optimum."""
        curves, objective = problem.curves, problem.objective
        assert isinstance(objective.metric, LinearRatio)
        numerator, denominator = objective.metric.pooled_terms(
            curves.n_positive, curves.n_known, objective.zero_division
        )
        never = curves.offsets[:-1].copy()
        history = []
        index = maximise_gain(curves, 1, 0)
        above, below = _total(numerator, curves, index), _total(denominator, curves, index)
        while below > 0:
            history.append(float(above / below))
            better = maximise_gain(
                curves,
                numerator.of_tp * below - denominator.of_tp * above,
                denominator.of_pp * above - numerator.of_pp * below,
            )
            new_above, new_below = _total(numerator, curves, better), _total(denominator, curves, better)
            if new_above * below <= above * new_below:
                if new_below > 0 and new_above * below == above * new_below:
                    index = better
                break
            index, above, below = better, new_above, new_below

        def value(at: NDArray[np.int64]) -> float:
            return objective(curves.tp[at], curves.pp[at], curves.n_positive, curves.n_known)

        every = curves.offsets[1:] - 1
        index = every if value(every) > value(index) else index
        index = never if value(never) >= value(index) else index
        return proven(curves, index, value(index), tuple(history))


def best_of_labels(curves: Curves, objective: Objective) -> NDArray[np.int64]:
    """Return each label's highest candidate with the largest metric of its own, for so many labels at a time."""
    from limen import _kernels

    index, n_labels = np.empty(curves.n_labels, np.int64), curves.n_labels
    for start in range(0, n_labels, MANY_LABELS):
        offsets = curves.offsets[start : start + MANY_LABELS + 1]
        own = slice(int(offsets[0]), int(offsets[-1]))
        label = np.repeat(np.arange(start, start + len(offsets) - 1), np.diff(offsets))
        tp = curves.tp[own]
        values = objective.of_labels(tp, tp + curves.fp[own], curves.n_positive, curves.n_known, label)
        _kernels.best_of(offsets - own.start, values, index[start : start + len(offsets) - 1])
        index[start : start + len(offsets) - 1] += own.start
    return index


def first_best(curves: Curves, values: NDArray[Any]) -> NDArray[np.int64]:
    """Return each label's highest candidate with its largest value; ``values`` is by candidate."""
    label_of = curves.label_of
    best = np.maximum.reduceat(values, curves.offsets[:-1])
    hits = np.flatnonzero(values == best[label_of])
    _, first = np.unique(label_of[hits], return_index=True)
    return hits[first]


def maximise_gain(curves: Curves, reward: Any, price: Any) -> NDArray[np.int64]:
    """Return each label's highest candidate with the largest ``reward * tp - price * pp``.

    ``reward`` and ``price`` are numbers, or arrays by label.
    """
    from limen import _kernels

    if isinstance(reward, int) and isinstance(price, int):
        divisor = math.gcd(reward, price) or 1
        reward, price = reward // divisor, price // divisor
        largest = max(abs(reward), abs(price)) * max(int(curves.pp[curves.offsets[1:] - 1].max()), 1)
        if curves.tp.dtype != np.int64 or largest >= 1 << 61:
            scale = max(abs(reward), abs(price)) or 1
            reward, price = reward / scale, price / scale
    exact = np.int64 if isinstance(reward, int) else np.float64
    reward, price = (np.full(curves.n_labels, x, exact) for x in (reward, price))
    index = np.empty(curves.n_labels, np.int64)
    _kernels.best_points(_kernels.Points(curves.offsets, curves.tp, curves.pp), reward, price, index)
    return index


def _total(terms: Linear, curves: Curves, index: NDArray[np.int64]) -> Any:
    """Return the terms summed over labels, as a Python number."""
    tp, pp = curves.tp[index], curves.pp[index]
    if np.ndim(terms.of_tp) or np.ndim(terms.of_pp):
        return float(np.sum(terms.of_tp * tp) + np.sum(terms.of_pp * pp) + terms.constant)
    return terms(tp.sum().item(), pp.sum().item())


EXACT: dict[str, Callable[..., Solver]] = {
    "separable": Enumeration,
    "linear-ratio": Dinkelbach,
    "quasi-convex": FrontierWalk,
    "counts": FrontierWalk,
}
"""The exact solver for each structure of objective."""


def exact_index(curves: Curves, objective: Objective) -> NDArray[np.int64]:
    """Return the candidates that the exact solver chooses."""
    index = EXACT[objective.structure]().solve(Problem(objective, (), curves)).index
    assert index is not None
    return index


def between_bounds(problem: Problem, solution: Solution) -> Solution:
    """Return a solution with what holds for it if false positives are known between bounds only.

    Its value, from the most false positives that there may be, is reached for certain; the optimum with the fewest
    is the upper bound. Where positive scores lie between candidates, that holds for metrics which are best at an
    end of a line of true positives; of a user's own with another structure nothing is known.

    Raises
    ------
    UnsupportedError
        If there are constraints: which cuts keep them is not known.
    """
    alone, objective = problem.counted_alone, problem.objective
    if alone is None or alone.fp_least is None:
        return solution
    if problem.bound is not None:
        raise UnsupportedError(f"constraints need exact counts, and {UNSURE}")
    own, at = problem.curves, solution.index
    if not own.complete and objective.metric.structure == "other" and not isinstance(objective.metric, GMean):
        return replace(solution, status="local", upper_bound=None, reason=f"a true tag may cost: {UNSURE}")
    bound = EXACT[objective.structure]().solve(Problem(objective, (), own.optimistic)).upper_bound
    assert at is not None, "without data every solver chooses candidates"
    if bound is not None and objective(own.tp[at], own.pp[at], own.n_positive, own.n_known) >= bound:
        return replace(solution, status="optimal", upper_bound=bound, reason="")
    unsure: Status = "local" if solution.status == "local" else "bounded"
    reason = f"the value is certain to be reached: {UNSURE}"
    return replace(solution, status=unsure, upper_bound=bound, reason=reason)
