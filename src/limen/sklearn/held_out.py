"""Thresholds measured on items that they were not tuned on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.parallel import Parallel, delayed

from limen import objectives, solvers
from limen.decisions import Counts, count_decisions, values_by_label
from limen.folds import as_groups, unit_count
from limen.objectives import Objective
from limen.sklearn.responses import DEFAULT_CUT, check_response_method
from limen.sklearn.splitting import deal
from limen.solvers import Solver
from limen.solvers.base import Problem
from limen.sources.blocks import Source
from limen.sources.door import as_source
from limen.thresholds import Thresholds
from limen.tuning import solved, tune

if TYPE_CHECKING:
    from limen.sklearn.crossfit import CrossFitted

PARTS = 5


@dataclass(frozen=True)
class Tuning:
    """What to tune for, and how."""

    objective: Objective
    method: str | Solver
    random_state: int

    @classmethod
    def of(cls, asked: Any, random_state: int) -> Tuning:
        """Return what an object's parameters ask for, checked before anything is fitted.

        Raises
        ------
        InputError
            If the metric, the average, the method or the response method is unknown.
        """
        objective = objectives.objective(asked.metric, asked.average, asked.zero_division)
        solvers.choose(objective.metric, objective.average, asked.method)
        check_response_method(asked.response_method)
        return cls(objective, asked.method, random_state)


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

    def take(self, rows: NDArray[np.int64]) -> Scored:
        """Return the items of these numbers."""
        scores, weight, groups = (
            None if part is None else part[rows] for part in (self.scores, self.weight, self.groups)
        )
        return Scored(self.names, self.truth[rows], scores, weight, groups)

    def tune(self, tuning: Tuning) -> Thresholds:
        """Return the thresholds of `limen.tune` on the items that have weight; a single group is left out."""
        items = self.weighty
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
            groups=items.groups if items.several_groups else None,
        )

    def count(self, thresholds: Thresholds) -> Counts:
        """Return the counts of decisions."""
        return count_decisions((self.source,), thresholds.values, thresholds.rule)

    def count_at(self, cut: float) -> Counts:
        """Return the counts of decisions by one number for all labels."""
        source = self.source
        return count_decisions((source,), values_by_label(cut, self.names, source.dtype))

    @property
    def source(self) -> Source:
        """The items as limen reads them."""
        return as_source(self.truth, self.scores, labels=self.names, sample_weight=self.weight, part=True)

    @property
    def several_groups(self) -> bool:
        """Whether there are groups, and items of more than one."""
        return self.groups is not None and len(np.unique(self.groups)) > 1

    @property
    def weighty(self) -> Scored:
        """The items that have weight: the others would still say where cuts can be."""
        if self.weight is None or self.weight.ndim > 1 or self.weight.all() or not self.weight.any():
            return self
        return self.take(np.flatnonzero(self.weight))


def held_out_counts(
    scored: Scored, parts: Iterable[NDArray[np.int64]], tuning: Tuning, n_jobs: int | None = None
) -> list[Counts | None]:
    """Return the counts on each part by thresholds tuned on the items of no group in it.

    None where nothing is left to tune on.
    """
    return list(Parallel(n_jobs=n_jobs)(delayed(_tune_and_count)(scored, part, tuning) for part in parts))


def pooled_value(counts: Iterable[Counts | None], objective: Objective) -> float:
    """Return the objective of counts summed over parts; NaN if there are none."""
    some = [part for part in counts if part is not None]
    if not some:
        return float("nan")
    return objective(*(np.add.reduce(column) for column in zip(*some, strict=True)))


def cv_results(fitted: CrossFitted, tuning: Tuning, *, held_out: bool, n_jobs: int | None) -> dict[str, Any]:
    """Return a tuner's ``cv_results_``; the held-out metric only if asked for."""
    scored, parts, objective = fitted.scored, fitted.parts, tuning.objective
    default = [scored.take(part).count_at(DEFAULT_CUT[fitted.method]) for part in parts]
    results = {
        "fit_time": np.array(fitted.fit_s),
        "score_time": np.array(fitted.score_s),
        "n_items": np.array([len(part) for part in parts]),
        "default_score": np.array([objective(*counts) for counts in default]),
    }
    if held_out:
        if len(parts) > 1:
            counts = held_out_counts(scored, parts, tuning, n_jobs)
            values = [pooled_value([one], objective) for one in counts]
        else:
            inner = _parts_of(scored, tuning.random_state)
            values = [pooled_value(held_out_counts(scored, inner, tuning, n_jobs), objective)]
        results["test_score"] = np.array(values)
    return results


def _parts_of(scored: Scored, random_state: int) -> list[NDArray[np.int64]]:
    """Return at most `PARTS` parts that share out each label's rarer value and divide no group."""
    member = None if scored.groups is None else np.unique(scored.groups, return_inverse=True)[1]
    number = min(PARTS, unit_count(len(scored.scores), member))
    fold = deal(scored.truth, [1 / number] * number, member, random_state)
    return [np.flatnonzero(fold == k) for k in range(number)]


def _tune_and_count(scored: Scored, part: NDArray[np.int64], tuning: Tuning) -> Counts | None:
    other = np.ones(len(scored.scores), bool)
    other[part] = False
    if scored.groups is not None:
        other &= ~np.isin(scored.groups, scored.groups[part])
    others = np.flatnonzero(other)
    if not len(others) or (scored.weight is not None and not scored.weight[others].any()):
        return None
    training = scored.take(others).weighty
    groups = as_groups(training.groups, len(training.scores)) if training.several_groups else None
    problem = Problem(tuning.objective, (training.source,), random_state=tuning.random_state, groups=groups)
    solver = solvers.choose(tuning.objective.metric, tuning.objective.average, tuning.method)
    values, solution = solved(problem, solver)
    return count_decisions((scored.take(part).source,), values, solution.rule)
