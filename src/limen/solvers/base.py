"""What every solver takes and gives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from limen.curves import Curves
from limen.errors import InputError, UnsupportedError, count
from limen.io.sources import Entries, Rows, Source
from limen.objectives import Objective

Status = Literal["optimal", "bounded", "local"]
Progress = Callable[[int, int, float], None]


@dataclass(frozen=True)
class Problem:
    """Data and objective.

    Attributes
    ----------
    objective : Objective
    sources : tuple of Source
        The scores and labels; empty when only the counts are left.
    counted : Curves, optional
        The curves, if they exist already.
    random_state : int
        Seed of whatever a solver draws.
    groups : int64 (n_items,), optional
        Group of each item; folds do not divide groups.
    target_prevalence : float64 (n_labels,), optional
        Share of positives to tune for, where it is not that of the data.
    progress : callable ``(step, steps, value)``, optional
        Called by iterative solvers after each step.
    """

    objective: Objective
    sources: tuple[Source, ...] = ()
    counted: Curves | None = None
    random_state: int = 0
    groups: NDArray[np.int64] | None = None
    target_prevalence: NDArray[np.float64] | None = None
    progress: Progress | None = field(default=None, repr=False)

    @cached_property
    def curves(self) -> Curves:
        """The exact curves, counted on first use."""
        curves = self.counted if self.counted is not None else Curves.from_source(self.sources[0])
        return curves if self.target_prevalence is None else curves.reweighted(self.target_prevalence)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the labels."""
        return self.counted.labels if self.counted is not None else self.sources[0].labels

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of the scores."""
        return self.counted.dtype if self.counted is not None else self.sources[0].dtype

    @property
    def n_items(self) -> int:
        """Number of items."""
        return self.counted.n_items if self.counted is not None else sum(s.n_items for s in self.sources)

    @property
    def weighted(self) -> bool:
        """Whether counts are sums of weights."""
        return self.sources[0].weighted

    def split(self, number: int) -> list[tuple[NDArray[np.int64], Source]]:
        """Return the row numbers and the data of each of ``number`` random folds that divide no group.

        Curves that were added keep their parts as folds, unless groups say otherwise.
        """
        if len(self.sources) > 1:
            if self.groups is not None:
                raise InputError(
                    "groups need the data in one piece; these curves were added from parts, which are the folds. "
                    "Leave groups out, or give scores and labels."
                )
            ends = np.cumsum([source.n_items for source in self.sources])
            return [(np.arange(e - s.n_items, e), s) for e, s in zip(ends, self.sources, strict=True)]
        source = self.sources[0]
        folds = fold_rows(source.n_items, number, self.groups, self.random_state)
        return [(rows, source.take(rows)) for rows in folds]

    def blocks(self, *, check: bool = True) -> Iterator[Rows | Entries]:
        """Return the blocks of all sources."""
        for source in self.sources:
            yield from source.blocks(check=check)


class CrossFit(NamedTuple):
    """Items, and thresholds (n_labels,) for them that were tuned without them.

    Attributes
    ----------
    rows : int64 (n_rows,)
        Numbers of the items among all.
    source : Source
        Their scores and labels.
    values : float64 (n_labels,)
    """

    rows: NDArray[np.int64]
    source: Source
    values: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Solution:
    """Thresholds as a solver found them, and what it can prove.

    Attributes
    ----------
    index : int64 (n_labels,), optional
        The chosen candidates of the problem's curves; or else
    values : float64 (n_labels,), optional
        the thresholds themselves.
    status : {"optimal", "bounded", "local"}
        Proven best; within ``upper_bound``; or neither.
    upper_bound : float, optional
        No thresholds reach more on the tuning data.
    rule : str
        ``">="``, or a rule by item: ``"top-k:3"``, ``"mcut"``.
    history : tuple of float
        The objective after each step of an iterative solver, as the solver saw it.
    cross_fit : tuple of CrossFit
        For each fold, thresholds tuned on the others; empty if the solver does not cross-fit.
    ranges : float64 (2, n_labels), optional
        How far the exact thresholds of bootstrap samples spread, set about the chosen ones.
    details : dict
        What was chosen, and why; plain numbers, text and lists.
    """

    index: NDArray[np.int64] | None = None
    values: NDArray[np.float64] | None = None
    status: Status = "local"
    upper_bound: float | None = None
    rule: str = ">="
    history: tuple[float, ...] = ()
    cross_fit: tuple[CrossFit, ...] = ()
    ranges: NDArray[np.float64] | None = None
    details: dict[str, Any] = field(default_factory=dict)


def proven(curves: Curves, index: NDArray[np.int64], value: float, history: tuple[float, ...] = ()) -> Solution:
    """Return the best candidates as optimal; as local if a better cut may lie between the candidates."""
    if not curves.complete:
        return Solution(index=index, history=history)
    return Solution(index=index, status="optimal", upper_bound=value, history=history)


@runtime_checkable
class Solver(Protocol):
    """A way to choose thresholds.

    ``needs`` is ``"curves"`` if the counts at the candidates suffice, ``"scores"`` if the data
    must be at hand; ``serves`` names the structures of objective it can work on.
    """

    @property
    def name(self) -> str:
        """Short name, for messages."""
        ...

    @property
    def needs(self) -> Literal["curves", "scores"]:
        """What must be at hand."""
        ...

    @property
    def serves(self) -> tuple[str, ...]:
        """Structures of objective it can work on."""
        ...

    def solve(self, problem: Problem) -> Solution:
        """Return the solution; the problem has what `needs` and `serves` promise."""
        ...


def fold_rows(
    n_items: int, number: int, groups: NDArray[np.int64] | None, random_state: int
) -> list[NDArray[np.int64]]:
    """Return the ascending row numbers of each of ``number`` random folds that divide no group."""
    if groups is None:
        groups = np.arange(n_items)
    _, member = np.unique(groups, return_inverse=True)
    n_groups = int(member.max()) + 1
    order = np.random.default_rng(random_state).permutation(n_groups)
    fold_of_group = np.empty(n_groups, np.int64)
    fold_of_group[order] = np.arange(n_groups) % min(number, n_groups)
    return [np.flatnonzero(fold_of_group[member] == k) for k in range(min(number, n_groups))]


def refuse_overlap(
    pairs: Iterable[tuple[NDArray[np.int64], NDArray[np.int64]]], doing: str, held_out: str
) -> None:
    """Raise `InputError` if the two parts of a pair, row numbers each, share a row."""
    for one, other in pairs:
        overlap = np.intersect1d(one, other)
        if len(overlap):
            raise InputError(
                f"cv {doing} the same {count(len(overlap), 'row')} (first: {overlap[0]}). The parts must not "
                f"overlap: the {held_out} would not be held out."
            )


EVERYTHING = ("separable", "linear-ratio", "quasi-convex", "counts")


def check_fit(solver: Solver, problem: Problem) -> None:
    """Raise `UnsupportedError` if the solver cannot work on the problem; the message names both sides."""
    structure = problem.objective.structure
    if structure not in solver.serves:
        raise UnsupportedError(
            f"{solver.name} needs an objective that is {' or '.join(solver.serves)}; {problem.objective} is "
            f"{structure}. Use method='exact', which chooses the solver by the objective."
        )
    if solver.needs == "scores" and not problem.sources:
        raise UnsupportedError(
            f"{solver.name} needs the scores; these curves hold only counts at the positive items. Use "
            "method='exact', or give the scores and labels."
        )
