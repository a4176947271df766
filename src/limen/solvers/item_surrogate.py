"""Surrogate gradients of averages over items: what `SurrogateGradient` climbs where counts by label do not do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.errors import UnsupportedError
from limen.metrics import ratio
from limen.metrics.items import OfDecisions, SubsetAccuracy
from limen.objectives import Objective
from limen.scales import Scale
from limen.solvers.base import Problem

ROWS = 1 << 18
"""Pairs of item and label that are looked at together."""


@dataclass(frozen=True, eq=False)
class Items:
    """Scores on a learner's scale, labels and weights of all items.

    Attributes
    ----------
    x : float64 (n_items, n_labels)
    truth : int8 (n_items, n_labels)
    weight : float64 (n_items,)
    """

    objective: Objective
    x: NDArray[np.float64]
    truth: NDArray[np.int8]
    weight: NDArray[np.float64]

    @classmethod
    def of(cls, problem: Problem, scale: Scale) -> Items:
        """Return the items of a problem.

        Raises
        ------
        UnsupportedError
            If the objective has no gradient.
        """
        objective = problem.objective
        if isinstance(objective.metric, OfDecisions | SubsetAccuracy):
            raise UnsupportedError(
                f"method='sgl' needs a metric with a gradient; {objective} has none. Use method='auto' or "
                "'ascent'."
            )
        blocks = [block for source in problem.sources for block in source.dense_blocks()]
        label = np.arange(len(problem.labels))
        scores = [np.maximum(block.scores, np.finfo(problem.dtype).min) for block in blocks]
        return cls(
            objective,
            np.concatenate([scale.forward(part, label) for part in scores]),
            np.concatenate([block.truth for block in blocks]),
            np.concatenate([np.asarray(block.weight, np.float64) for block in blocks]),
        )

    def take(self, rows: NDArray[np.int64]) -> Items:
        """Return some of the items."""
        return Items(self.objective, self.x[rows], self.truth[rows], self.weight[rows])

    def value(self, t: NDArray[np.float64]) -> float:
        """Return the objective at thresholds (n_labels,)."""
        above: Any = 0.0
        below: Any = 0.0
        for part in self._parts():
            one, other = self.objective.of_items(*part.counts(part.x >= t))
            above, below = above + part.weight @ one, below + part.weight @ other
        return self.objective(above, below)

    def counts(self, given: NDArray[np.bool_]) -> tuple[NDArray[np.int64], ...]:
        """Return tp, pp, p and n of each item."""
        true, known = self.truth == 1, self.truth >= 0
        return tuple(np.count_nonzero(some, axis=1) for some in (given & true, given & known, true, known))

    def gradient(
        self,
        t: NDArray[np.float64],
        slope: NDArray[np.float64],
        derivative: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the surrogate gradient by threshold and by slope, (n_labels,) each."""
        by_t, by_slope, below = np.zeros(len(t)), np.zeros(len(t)), 0.0
        metric, zero = self.objective.metric, self.objective.zero_division
        for part in self._parts():
            distance = part.x - t
            tp, pp, p, n = part.counts(distance >= 0)
            below += float(part.weight @ self.objective.of_items(tp, pp, p, n)[1])
            by_tp, by_pp = (part.weight * one for one in metric.gradient(tp, pp, p, n, zero))
            of_pair: Any = np.where(part.truth == 1, by_tp[:, np.newaxis], 0.0)
            of_pair = (of_pair + by_pp[:, np.newaxis]) * (part.truth >= 0) * derivative(slope * distance)
            by_t -= slope * of_pair.sum(axis=0)
            by_slope += (of_pair * distance).sum(axis=0)
        return np.asarray(ratio(by_t, below, 0.0)), np.asarray(ratio(by_slope, below, 0.0))

    def _parts(self) -> Iterator[Items]:
        step = max(1, ROWS // self.x.shape[1])
        for start in range(0, len(self.x), step):
            some = slice(start, start + step)
            yield Items(self.objective, self.x[some], self.truth[some], self.weight[some])
