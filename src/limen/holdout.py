"""Tuning on one part of the data and counting on another."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen import solvers
from limen.constraints import Bound
from limen.data import Data
from limen.decisions import Counts, count_decisions
from limen.folds import Split
from limen.intervals import Part
from limen.objectives import Objective
from limen.solvers.base import Problem, Solver
from limen.solvers.solution import Solution
from limen.tuning import thresholds_of


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Items decided by thresholds that were tuned on others.

    Attributes
    ----------
    part : Part
        The items, and their thresholds.
    tuned_on : Problem
        The others.
    status : str
        What the tuning proved.
    seconds : float
        Time that it took.
    """

    part: Part
    tuned_on: Problem
    status: str
    seconds: float

    @property
    def counts(self) -> Counts:
        """Counts of the decisions on the items."""
        return count_decisions((self.part.source,), self.part.values, self.part.rule)

    @property
    def fitted(self) -> float:
        """The objective on the items tuned on."""
        counts = count_decisions(self.tuned_on.given, self.part.values, self.part.rule, check=False)
        return self.tuned_on.objective(*counts)


def hold_out(
    objective: Objective,
    data: Data,
    split: Split,
    solver: Solver,
    random_state: int = 0,
    bound: Bound | None = None,
) -> HeldOut:
    """Return a part of the data, decided by thresholds tuned on another part.

    Parameters
    ----------
    objective : Objective
    data : Data
    split : pair of int64 arrays
        Row numbers of the items to tune on, and of those to decide.
    solver : Solver
    random_state : int
    bound : Bound, optional
        Constraints, for all of the data; the solver takes them.
    """
    others, rows = split
    part = data.take(others)
    tuned_on = Problem.of(objective, replace(part, groups=_several(part.groups)), random_state)
    if bound is not None:
        tuned_on = tuned_on.constrained(bound.moved(0.0, len(others) / data.n_items))
    start = time.perf_counter()
    values, solution = solved(tuned_on, solver)
    seconds = time.perf_counter() - start
    return HeldOut(Part(data.source.take(rows), rows, values, solution.rule), tuned_on, solution.status, seconds)


def solved(problem: Problem, solver: Solver) -> tuple[NDArray[Any], Solution]:
    """Return a solver's thresholds, halfway between scores, and its solution: `tune` without what it reports.

    The interval on new data takes most of the time of `tune`, and who measures on other items needs none.
    """
    solvers.check_fit(solver, problem)
    solution = solver.solve(problem)
    return thresholds_of(problem, solution, "midpoint"), solution


def pooled_value(counts: Iterable[Counts | None], objective: Objective) -> float:
    """Return the objective of counts summed over parts, leaving out those of None; NaN if there are no others."""
    some = [part for part in counts if part is not None]
    if not some:
        return float("nan")
    return objective(*(np.add.reduce(column) for column in zip(*some, strict=True)))


def _several(groups: NDArray[np.int64] | None) -> NDArray[np.int64] | None:
    """Return the groups of some items, numbered from 0; None where one is all, which leaves none to hold out."""
    if groups is None:
        return None
    names, number = np.unique(groups, return_inverse=True)
    return np.asarray(number, np.int64) if len(names) > 1 else None
