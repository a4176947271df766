"""Scored items, what thresholds are tuned for on them, and counts on items that were not tuned on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.parallel import Parallel, delayed

from limen import objectives, solvers
from limen.constraints import Infeasible, bind
from limen.data import Data
from limen.decisions import values_by_label
from limen.errors import InputError
from limen.folds import dealt_folds, outside, unit_count
from limen.holdout import hold_out
from limen.objectives import Objective
from limen.sklearn.responses import check_response_method
from limen.solvers import Solver
from limen.sources.blocks import Source
from limen.sources.door import as_source
from limen.sums import Sums, sums_of
from limen.thresholds import Thresholds
from limen.tuning import tune

PARTS = 5


@dataclass(frozen=True)
class Tuning:
    """What to tune for, and how."""

    objective: Objective
    method: str | Solver
    random_state: int
    constraints: Sequence[Any] = ()
    infeasible: Infeasible = "error"
    hold: float | None = None

    @classmethod
    def of(cls, asked: Any, random_state: int = 0) -> Tuning:
        """Return what an object's parameters ask for, checked before anything is fitted.

        Raises
        ------
        InputError
            If the metric, the average, the method or the response method is unknown.
        """
        objective = objectives.objective(asked.metric, asked.average, asked.zero_division)
        solver = solvers.choose(objective.metric, objective.average, asked.method)
        check_response_method(asked.response_method)
        hold = getattr(asked, "hold", None)
        constraints = tuple(getattr(asked, "constraints", ()) or ())
        if constraints:
            solvers.constrained(solver, hold)
        elif hold is not None:
            raise InputError("hold goes with constraints: how often they shall hold on new data. Leave it out.")
        infeasible: Infeasible = getattr(asked, "infeasible", "error")
        return cls(objective, asked.method, random_state, constraints, infeasible, hold)


@dataclass(frozen=True, eq=False)
class Scored:
    """Items with the scores that thresholds are tuned on.

    Attributes
    ----------
    names : tuple of n_labels str
    truth : ndarray or sparse (n_items, n_labels)
    scores : ndarray (n_items, n_labels)
        None as long as there are none.
    weight : ndarray (n_items,), optional
    groups : ndarray (n_items,), optional
        What stays together: the user's groups, or the copies of an item that was scored more than once.
    """

    names: tuple[str, ...]
    truth: Any
    scores: Any
    weight: NDArray[Any] | None = None
    groups: NDArray[Any] | None = None

    @property
    def unknown(self) -> bool:
        """Whether labels of some items are not known."""
        return not hasattr(self.truth, "tocsr") and bool(np.isnan(self.truth).any())

    @property
    def source(self) -> Source:
        """The items as limen reads them; where they have no scores yet, with zeros."""
        scores = np.broadcast_to(np.float32(0), self.truth.shape) if self.scores is None else self.scores
        return as_source(self.truth, scores, labels=self.names, sample_weight=self.weight, part=True)

    def take(self, rows: NDArray[np.int64]) -> Scored:
        """Return the items of these numbers."""
        scores, weight, groups = (
            None if part is None else part[rows] for part in (self.scores, self.weight, self.groups)
        )
        return Scored(self.names, self.truth[rows], scores, weight, groups)

    def tune(self, tuning: Tuning) -> Thresholds:
        """Return the thresholds of `limen.tune` on the items that have weight; a single group is left out."""
        items = self.take(self._weighty(np.arange(self.truth.shape[0])))
        return tune(
            items.truth,
            items.scores,
            metric=tuning.objective.metric,
            average=tuning.objective.average,
            zero_division=tuning.objective.zero_division,
            method=tuning.method,
            random_state=tuning.random_state,
            labels=items.names,
            sample_weight=items.weight,
            groups=None if items.groups is None or len(np.unique(items.groups)) < 2 else items.groups,
            constraints=tuning.constraints,
            infeasible=tuning.infeasible,
            hold=tuning.hold,
        )

    def value_at(self, cut: float, objective: Objective) -> float:
        """Return the objective of decisions by one number for all labels."""
        source = self.source
        return objective(*sums_of(objective, (source,), values_by_label(cut, self.names, source.dtype)))

    def held_out(
        self, parts: Iterable[NDArray[np.int64]], tuning: Tuning, n_jobs: int | None = None
    ) -> list[Sums | None]:
        """Return the sums of each part's decisions, by thresholds tuned on the items of no group in it.

        None where nothing is left to tune on.
        """
        names = () if self.groups is None else tuple(map(str, np.unique(self.groups).tolist()))
        data = Data(self.source, groups=self._member, group_names=names)
        return list(Parallel(n_jobs=n_jobs)(delayed(self._sums)(data, part, tuning) for part in parts))

    def parts(self, random_state: int) -> list[NDArray[np.int64]]:
        """Return at most `PARTS` parts that share out each label's rarer value and divide no group."""
        number = min(PARTS, unit_count(self.truth.shape[0], self._member))
        if number < 2:
            return [np.arange(self.truth.shape[0])]
        return dealt_folds(number, self.source, self._member, random_state)

    def _sums(self, data: Data, part: NDArray[np.int64], tuning: Tuning) -> Sums | None:
        others = self._weighty(outside(part, data.n_items, data.groups))
        if not len(others) or (self.weight is not None and not self.weight[others].any()):
            return None
        solver = solvers.choose(tuning.objective.metric, tuning.objective.average, tuning.method)
        bound = None
        if tuning.constraints:
            bound, solver = bind(tuning.constraints, self.names, "never"), solvers.constrained(solver, tuning.hold)
        return hold_out(tuning.objective, data, (others, part), solver, tuning.random_state, bound).sums

    @property
    def _member(self) -> NDArray[np.int64] | None:
        return None if self.groups is None else np.unique(self.groups, return_inverse=True)[1]

    def _weighty(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return those of some items that have weight: the others would still say where cuts can be."""
        if self.weight is None or self.weight.ndim > 1 or not self.weight[rows].any():
            return rows
        return np.asarray(rows[self.weight[rows] != 0])
