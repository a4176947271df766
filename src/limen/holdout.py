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
from limen.folds import Split
from limen.intervals import Part
from limen.objectives import Objective
from limen.solvers.base import Problem, Solver
from limen.solvers.solution import Solution
from limen.sums import Sums, joined, sums_of
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
    def sums(self) -> Sums:
        """What the objective is a function of, of the decisions on the items."""
        return sums_of(self.tuned_on.objective, (self.part.source,), self.part.values, self.part.rule)

    @property
    def fitted(self) -> float:
        """The objective on the items tuned on."""
        objective, (_, _, values, rule) = self.tuned_on.objective, self.part
        return objective(*sums_of(objective, self.tuned_on.given, values, rule, check=False))


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
    tuned_on = Problem.of(objective, _several(part), random_state)
    if bound is not None:
        tuned_on = tuned_on.constrained(bound.scaled(len(others) / data.n_items))
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


def pooled_value(sums: Iterable[Sums | None], objective: Objective) -> float:
    """Return the objective of parts together, leaving out those of None; NaN if there are no others."""
    some = [part for part in sums if part is not None]
    return objective(*joined(objective, some)) if some else float("nan")


def _several(part: Data) -> Data:
    """Return data with the groups of its items numbered from 0; without them where there is one."""
    if part.groups is None:
        return part
    numbers, own = np.unique(part.groups, return_inverse=True)
    if len(numbers) < 2:
        return replace(part, groups=None, group_names=())
    names = tuple(part.group_names[number] for number in numbers) if part.group_names else ()
    return replace(part, groups=np.asarray(own, np.int64), group_names=names)
