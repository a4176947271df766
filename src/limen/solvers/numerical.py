"""Numerical gradients: forward differences and Adam (Kong et al. 2020, IEEE/ACM TASLP)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from limen.scales import scale_of
from limen.solvers.ascent import Adam, Start, starting_point
from limen.solvers.base import OF_COUNTS, Problem
from limen.solvers.bins import Bins
from limen.solvers.solution import Solution


@dataclass(frozen=True)
class Numerical:
    """Gradient ascent by forward differences of the hard objective.

    Parameters
    ----------
    start : float, sequence of n_labels floats, or "shared"
    step : float
        Width of a difference, on the probability scale.
    max_search : int
        A label's difference is taken over the first of 1 to ``max_search`` steps upward at which
        the objective changes.
    learning_rate, epochs
        Adam's step and how many; the last iterate is returned.
    bins : int
        With more items than this, each label's scores are binned.

    Notes
    -----
    A local method that looks only upwards. Kong et al. pay one evaluation of all scores for each
    label and difference; on cumulated counts a difference is a binary search.
    """

    name: ClassVar[str] = "numerical"
    needs: ClassVar[Literal["curves", "scores"]] = "scores"
    serves: ClassVar[tuple[str, ...]] = OF_COUNTS
    start: Start = 0.3
    step: float = 0.01
    max_search: int = 10
    learning_rate: float = 0.01
    epochs: int = 100
    bins: int = 1 << 15

    def solve(self, problem: Problem) -> Solution:
        """Return the thresholds after the last epoch."""
        objective = problem.objective
        scale = scale_of("probability", problem.sources, problem.kind)
        table = Bins.of(problem, scale, self.bins)
        t = starting_point(self.start, problem, scale).copy()
        p, n = table.totals
        adam = Adam(self.learning_rate, len(t))
        tp, pp = table.counts(t)
        history = [objective(tp, pp, p, n)]
        for epoch in range(self.epochs):
            gradient, searching = np.zeros(len(t)), np.ones(len(t), bool)
            for steps in range(1, self.max_search + 1):
                moved = table.counts(t + steps * self.step)
                change = objective.with_one_changed(tp, pp, p, n, moved[0], moved[1]) - history[-1]
                found = searching & (change != 0)
                gradient[found] = change[found] / (steps * self.step)
                searching &= ~found
                if not searching.any():
                    break
            t += adam.step(gradient)
            tp, pp = table.counts(t)
            history.append(objective(tp, pp, p, n))
            if problem.progress is not None:
                problem.progress(epoch + 1, self.epochs, history[-1])
        return Solution(values=scale.back(t), history=tuple(history))
