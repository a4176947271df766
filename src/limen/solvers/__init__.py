"""The ways to choose thresholds, and the table that says which is used when.

==================  =======================================================  ===================
structure           examples                                                 ``"exact"`` uses
==================  =======================================================  ===================
separable           macro or weighted averages of any metric                 `Enumeration`
linear-ratio        micro F-beta, Jaccard, kappa, accuracy, costs, ...       `Dinkelbach`
quasi-convex        micro MCC, Fowlkes-Mallows                               `FrontierWalk`
counts              micro G-mean (bounded, not always proven best)           `FrontierWalk`
items               averages over items, subset accuracy, error rates        none; see `Ascent`
==================  =======================================================  ===================
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from limen import objectives
from limen.errors import InputError, UnsupportedError
from limen.metrics import Metric
from limen.solvers.auto import Auto
from limen.solvers.base import Problem, Solver, check_fit, refuse_items
from limen.solvers.calibrated import Calibrated
from limen.solvers.constrained.reserved import FOLDS, Reserved
from limen.solvers.constrained.solver import Constrained
from limen.solvers.exact import EXACT, Dinkelbach, Enumeration, between_bounds
from limen.solvers.expected import ExpectedFSets
from limen.solvers.frontier import FrontierWalk
from limen.solvers.group_offset import GroupOffset
from limen.solvers.item_ascent import Ascent
from limen.solvers.log_odds import LogOddsSolver
from limen.solvers.numerical import Numerical
from limen.solvers.random_search import RandomSearch
from limen.solvers.regularised import Bagged, Shrunk, Smoothed
from limen.solvers.rules import Fixed, MCut, PCut, Shared, TopK
from limen.solvers.solution import Solution
from limen.solvers.surrogate import SurrogateGradient

__all__ = [
    "EXACT",
    "METHODS",
    "Ascent",
    "Auto",
    "Bagged",
    "Calibrated",
    "Constrained",
    "Dinkelbach",
    "Enumeration",
    "ExpectedFSets",
    "Fixed",
    "FrontierWalk",
    "GroupOffset",
    "MCut",
    "Numerical",
    "PCut",
    "Problem",
    "RandomSearch",
    "Reserved",
    "Shared",
    "Shrunk",
    "Smoothed",
    "Solution",
    "Solver",
    "SurrogateGradient",
    "TopK",
    "between_bounds",
    "check_fit",
    "choose",
    "constrained",
    "takes_constraints",
]

METHODS: dict[str, tuple[Callable[..., Solver] | None, str]] = {
    "auto": (Auto, "per-label cuts regularised and averaged as cross-fitting advises (default)"),
    "bagged": (Bagged, "the mean of exact cuts over bootstrap samples"),
    "smoothed": (Smoothed, "the exact optimum of counts smoothed by a kernel"),
    "shrunk": (Shrunk, "exact cuts drawn to the shared one, where positives are few"),
    "calibrated": (Calibrated, "one cut on scores calibrated across labels"),
    "exact": (None, "the exact joint optimum, by the solver that the objective allows"),
    "ascent": (Ascent, "for averages over items: each label's exact best in turn, a local optimum"),
    "sgl": (SurrogateGradient, "SGL-Thresh: surrogate gradients, as published"),
    "numerical": (Numerical, "forward differences and Adam (Kong et al.)"),
    "random-search": (RandomSearch, "the paper's heuristic search"),
    "shared": (Shared, "the best single threshold for all labels"),
    "fixed": (Fixed, "a given threshold: fixed:0.5"),
    "top-k": (TopK, "the k best labels of each item: top-k:3, or top-k to choose k"),
    "pcut": (PCut, "as many items as the label has positives"),
    "mcut": (MCut, "labels above the largest gap of each item"),
    "expected-f": (ExpectedFSets, "the set of labels with the largest expected F-beta of each item"),
}
"""Each method's solver (None: chosen by the objective) and what it does."""

_PARAMETER: dict[str, Callable[[str], Any]] = {"fixed": float, "top-k": int}


def takes_constraints(solver: Solver) -> bool:
    """Return whether `constrained` has a solver for this one."""
    exact = isinstance(solver, Enumeration | Dinkelbach | FrontierWalk)
    return exact or isinstance(solver, LogOddsSolver) or getattr(solver, "constrains", False)


def constrained(solver: Solver, hold: float | None = None) -> Solver:
    """Return the solver that does under constraints what this one does without.

    Parameters
    ----------
    solver : Solver
    hold : float, optional
        How often limits shall hold on new data; see `Reserved`.

    Raises
    ------
    UnsupportedError
        If there is none; the message names the methods that take constraints.
    """
    if not takes_constraints(solver):
        raise UnsupportedError(
            f"{solver.name} takes no constraints. Use method='exact', which keeps them on the tuning data, or "
            "'auto', 'smoothed', 'bagged', 'shrunk' or 'calibrated', which keep them with a reserve for new data."
        )
    if isinstance(solver, LogOddsSolver):
        solver = Reserved(solver, getattr(solver, "folds", FOLDS))
    elif not getattr(solver, "constrains", False):
        solver = Constrained()
    if hold is None:
        return solver
    if not isinstance(solver, Reserved):
        raise UnsupportedError(
            "method='exact' keeps constraints on the data tuned on, with nothing to spare: hold is of methods "
            "with a reserve, such as 'auto'. Leave it out, or use one of these."
        )
    return replace(solver, hold=hold)


def choose(
    metric: str | dict[str, Any] | Metric = "f1",
    average: str = "micro",
    method: str | Solver = "auto",
) -> Solver:
    """Return the solver that `limen.tune` would use.

    Parameters
    ----------
    metric, average
        As in `limen.tune`.
    method : str or Solver
        A name of `METHODS`, with a parameter after a colon where it takes one; a solver is
        returned as it is.

    Raises
    ------
    InputError
        If the method, or its parameter, is unknown.

    Examples
    --------
    >>> choose("f1", "micro", "exact").name, choose("mcc", "micro", "exact").name
    ('dinkelbach', 'frontier')
    >>> choose(method="fixed:0.5")
    Fixed(threshold=0.5)
    """
    if not isinstance(method, str):
        if isinstance(method, Solver) and not isinstance(method, type):
            return method
        raise InputError(
            f"method is a {type(method).__name__}. Use a name ({', '.join(METHODS)}) or a solver object."
        )
    name, colon, text = method.partition(":")
    if name not in METHODS or (colon and name not in _PARAMETER):
        raise InputError(f"method={method!r} is unknown. The methods are: {', '.join(METHODS)}.")
    maker = METHODS[name][0]
    if maker is None:
        objective = objectives.objective(metric, average)
        if objective.needs_items:
            refuse_items(name, objective)
        return EXACT[objective.structure]()
    if not colon:
        return maker()
    try:
        parameter = _PARAMETER[name](text)
    except ValueError as error:
        raise InputError(f"method={method!r}: {text!r} is not a number. Write it like {name}:3.") from error
    return maker(parameter)
