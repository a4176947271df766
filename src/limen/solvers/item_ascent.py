"""Thresholds for metrics of whole items: one label's cut after another, each to its exact best."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from limen import metrics
from limen.curves import Curves
from limen.objectives import Average, Objective
from limen.solvers.base import Problem
from limen.solvers.decision_search import search
from limen.solvers.exact import exact_index
from limen.solvers.item_table import ItemTable
from limen.solvers.rules import Shared
from limen.solvers.solution import Solution

FEW_PAIRS = 1 << 16
"""Of more pairs of item and candidate there are fewer random starts."""
LOCAL = "no change of one label's cut helps, which does not prove that no change of several does"


@dataclass(frozen=True)
class Ascent:
    """Coordinate ascent over labels, from several starts: for averages over items.

    Parameters
    ----------
    restarts : int
        Random changes of the best cuts, from each of which is climbed again; fewer where data are large.
    tried, calls : int
        For a function of decisions: of how many cuts of a label it is called for each, and about how often in all.

    Notes
    -----
    How many labels an item has, and is given rightly, is kept; as a label's cut moves down along its sorted
    scores, one item after the other changes. So one pass measures every cut of a label exactly, the others held.
    It ends where what the label's positives still add cannot help. Labels take turns, the most frequent first,
    until no change of one helps. That is a local optimum, and for one label the optimum. Starts: the exact cuts of
    the micro and of the macro average of the metric (of F1 and accuracy, for metrics of whole items), the micro
    average's best shared cut, 0.5, and "never", from which the first turn is greedy.
    """

    name: ClassVar[str] = "ascent"
    needs: ClassVar[Literal["curves", "scores"]] = "scores"
    serves: ClassVar[tuple[str, ...]] = ("items",)
    restarts: int = 40
    tried: int = 16
    calls: int = 20000

    def solve(self, problem: Problem) -> Solution:
        """Return the best local optimum found."""
        curves, objective = problem.curves, problem.objective
        if not objective.additive:
            index, made, still = search(problem, self.starts(problem), self.tried, self.calls)
            none = "none of the cuts tried helps alone" if still else "the calls were used up"
            return Solution(index=index, reason=f"local search with {made} calls of {objective}: {none}")
        table = ItemTable.of(objective, problem.sources, curves.candidates, curves)
        index = self.climb(problem, table)
        value = table.value(index)
        if len(problem.labels) == 1 and curves.complete:
            return Solution(index=index, status="optimal", upper_bound=value)
        return Solution(index=index, reason=LOCAL)

    def climb(self, problem: Problem, table: ItemTable) -> NDArray[np.int64]:
        """Return the best candidates found for a table of the problem's candidates."""
        found = table.ascend(self.starts(problem), self.order(problem, table))
        values = [table.value(index) for index in found]
        best, value = found[int(np.argmax(values))], max(values)
        draw = np.random.default_rng([problem.random_state, 6])
        n_labels, offsets = problem.curves.n_labels, problem.curves.offsets
        fewer = self.restarts * FEW_PAIRS // max(len(table.flips.items), 1)
        named = np.argsort(problem.keys)  # what is drawn depends on the names of labels, not on their order
        for _ in range(min(self.restarts, fewer) if n_labels > 1 else 0):
            moved = best.copy()
            some = named[draw.permutation(n_labels)[: max(1 + int(draw.integers(3)), n_labels // 8)]]
            moved[some] = draw.integers(offsets[some], offsets[some + 1])
            (moved,) = table.ascend([moved], named[draw.permutation(n_labels)])
            other = table.value(moved)
            if other > value:
                best, value = moved, other
        return best

    @staticmethod
    def order(problem: Problem, table: ItemTable) -> NDArray[np.int64]:
        """Return the labels in the order of their turns: the most frequent first, and equals by name."""
        return np.lexsort((problem.keys, -table.positives))

    @staticmethod
    def starts(problem: Problem) -> list[NDArray[np.int64]]:
        """Return the candidates (n_labels,) to start from, no two alike."""
        curves, objective = problem.curves, problem.objective
        metric = objective.metric
        kinds: list[tuple[metrics.Metric, Average]] = (
            [(metrics.FBeta(), "micro"), (metrics.FBeta(), "macro"), (metrics.Accuracy(), "micro")]
            if metric.of_whole_items
            else [(metric, "micro"), (metric, "macro")]
        )
        zero = objective.zero_division
        found = [exact_index(curves, Objective(kind, average, zero)) for kind, average in kinds]
        micro = replace(problem, objective=Objective(kinds[0][0], "micro", zero))
        half = 0.5 if problem.kind == "probability" else 0.0
        for cuts in (Shared().solve(micro).values, np.full(curves.n_labels, half)):
            assert cuts is not None
            found.append(lowest_at_or_above(curves, cuts))
        found.append(curves.offsets[:-1].copy())
        return list({index.tobytes(): index for index in found}.values())


def lowest_at_or_above(curves: Curves, thresholds: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return each label's lowest candidate at or above a threshold (n_labels,), "never" if there is none."""
    kept = curves.candidates.cuts >= thresholds[curves.label_of]
    return np.asarray(curves.offsets[:-1] + np.add.reduceat(kept.astype(np.int64), curves.offsets[:-1]) - 1)
