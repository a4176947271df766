"""Very many labels, dealt into panels: what each takes in memory is taken for those of one panel at a time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from limen import influence
from limen.solvers.base import Problem
from limen.sources.blocks import Source
from limen.sources.by_label import MANY_LABELS, ByLabel


def panels_of(problem: Problem) -> list[NDArray[np.int64]]:
    """Return the ascending numbers of the labels of each panel; all are one panel if they are not very many.

    Labels are dealt in turn by their number of positives (equal ones by a hash of their names), so that each panel
    has as many frequent and rare ones as the others. The one in the middle is the first: it stands for all.
    """
    n_labels = len(problem.labels)
    if n_labels <= MANY_LABELS or not problem.sources:
        return [np.arange(n_labels)]
    number = -(-2 * n_labels // MANY_LABELS)
    positives = np.add.reduce([source.totals().positive for source in problem.sources])
    order = np.lexsort((problem.keys, -positives))
    panels = [np.sort(order[start::number]) for start in range(number)]
    return [panels.pop(number // 2), *panels]


def of_panel(problem: Problem, turned: tuple[Source, ...], labels: NDArray[np.int64]) -> Problem:
    """Return the problem for the labels of these numbers; ``turned`` are its sources, label by label."""
    target = problem.target_prevalence
    return replace(
        problem,
        objective=influence.of_labels(problem.objective, labels),
        sources=tuple(_at(source, labels) for source in turned),
        counted=None,
        target_prevalence=None if target is None else target[labels],
        known_kind=problem.kind,
        progress=None,
    )


def _at(source: Source, labels: NDArray[np.int64]) -> Source:
    """Return a source of the labels of these numbers."""
    if isinstance(source, ByLabel):
        return source.at(labels)
    return source.select(tuple(source.labels[k] for k in labels.tolist()))
