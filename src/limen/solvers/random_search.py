"""Random search: the heuristic baseline of the SGL-Thresh paper."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from limen.scales import scale_of
from limen.solvers.ascent import Start, starting_point
from limen.solvers.base import OF_COUNTS, Problem
from limen.solvers.bins import Bins
from limen.solvers.solution import Solution


@dataclass(frozen=True)
class RandomSearch:
    """Proposals ``t + ratio * normal(t, 0.6)`` of whole vectors, taken when the objective rises.

    Parameters
    ----------
    start : float, sequence of n_labels floats, or "shared"
    rounds, proposals : int
        In each round ``ratio`` falls from ``ratio`` by ``decay`` a proposal.
    bins : int
        With more items than this, each label's scores are binned.

    Notes
    -----
    The authors' script calls it a dichotomic search; it is a random one. It needs tens of
    thousands of evaluations, each a binary search for each label here.
    """

    name: ClassVar[str] = "random-search"
    needs: ClassVar[Literal["curves", "scores"]] = "scores"
    serves: ClassVar[tuple[str, ...]] = OF_COUNTS
    start: Start = 0.3
    rounds: int = 80
    proposals: int = 400
    ratio: float = 0.2
    decay: float = 1e-3
    bins: int = 1 << 15

    def solve(self, problem: Problem) -> Solution:
        """Return the best thresholds met."""
        objective = problem.objective
        scale = scale_of("probability", problem.sources, problem.kind)
        table = Bins.of(problem, scale, self.bins)
        t = starting_point(self.start, problem, scale)
        p, n = table.totals
        draw = np.random.default_rng(problem.random_state)

        def value_at(thresholds: NDArray[np.float64]) -> float:
            tp, pp = table.counts(thresholds)
            return objective(tp, pp, p, n)

        history = [value_at(t)]
        for number in range(self.rounds):
            best = history[-1]
            for proposal in range(self.proposals):
                tried = t + (self.ratio - self.decay * proposal) * draw.normal(t, 0.6)
                value = value_at(tried)
                if value > best:
                    t, best = tried, value
            history.append(best)
            if problem.progress is not None:
                problem.progress(number + 1, self.rounds, best)
        return Solution(values=scale.back(t), history=tuple(history))
