"""Groups of labels, and what they are worth together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen.errors import InputError, examples
from limen.names import beyond, unique
from limen.objectives import Objective
from limen.solvers.base import Problem

OTHERS = "others"
"""The group of the labels that no group names."""


class Group(NamedTuple):
    """A group: its name, the columns of its labels, and of those with a positive item."""

    name: str
    columns: NDArray[np.int64]
    labelled: NDArray[np.int64]

    def of(self, objective: Objective) -> Objective:
        """Return an objective for the labels of the group that have a positive item."""
        return replace(objective, metric=objective.metric.with_labels(lambda each: each[self.labelled]))

    def totals(self, problem: Problem) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return p and n of the labels that have a positive item."""
        found = [source.totals() for source in problem.sources]
        p, n = (np.add.reduce(part) for part in ([t.positive for t in found], [t.known for t in found]))
        return p[self.labelled], n[self.labelled]


def groups_of(problem: Problem, named: Mapping[str, Sequence[str]]) -> list[Group]:
    """Return the groups of a problem's labels; those that none names are one more.

    Raises
    ------
    InputError
        If a label is in two groups, or there is no such label, or no label has a positive item.
    """
    names = {str(name): [str(label) for label in labels] for name, labels in named.items()}
    taken = unique((label for labels in names.values() for label in labels), "groups", "A label has one group.")
    if unknown := beyond(taken, problem.labels):
        raise InputError(
            f"groups name {examples(unknown)}, which are no labels of these data. The labels are "
            f"{examples(problem.labels)}."
        )
    if rest := beyond(problem.labels, taken):
        names[OTHERS] = [*names.get(OTHERS, []), *rest]
    positive = np.add.reduce([source.totals().positive for source in problem.sources])
    if not positive.any():
        raise InputError("no label has a positive item, so there is nothing to tune on. Add annotated items.")
    place = {label: k for k, label in enumerate(problem.labels)}
    columns = {name: np.sort([place[label] for label in labels]) for name, labels in names.items()}
    return [Group(name, own, own[positive[own] > 0]) for name, own in columns.items()]


def harmonic_mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the harmonic mean over the first axis; 0 where a value is 0 or less.

    Examples
    --------
    >>> harmonic_mean(np.array([[0.5, 0.5], [1.0, 0.0]])).round(4)
    array([0.6667, 0.    ])
    """
    some = values.min(axis=0) > 0
    return np.asarray(np.where(some, len(values) / (1 / np.where(some, values, 1.0)).sum(axis=0), 0.0))
