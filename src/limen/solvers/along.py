"""An objective along a path of decisions that change one pair of item and label at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen.metrics import ratio
from limen.objectives import Objective

NEAR = 1e-9
"""Sums of many small changes are this near at least; values as near to the best are computed anew."""


class Changes(NamedTuple):
    """What each step changes, in order: the label (n_steps,), and what is added to its tp and pp."""

    label: NDArray[Any]
    tp: NDArray[Any]
    pp: NDArray[Any]

    def counts(self, start: tuple[NDArray[Any], NDArray[Any]], steps: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return tp and pp of each label (n_labels,) after so many steps."""
        tp, pp = (
            begin + np.bincount(self.label[:steps], part[:steps], len(begin)).astype(begin.dtype)
            for begin, part in zip(start, (self.tp, self.pp), strict=True)
        )
        return tp, pp


def values_along(objective: Objective, start: tuple[NDArray[Any], ...], changes: Changes) -> NDArray[np.float64]:
    """Return the objective after each number of steps, from none on, (n_steps + 1,).

    ``start`` are tp, pp, p and n of each label before the first step. O(n_steps log n_steps); where the objective
    is a sum over labels, changes of it are summed, which rounds.
    """
    tp, pp, p, n = start
    if objective.pooled:
        hits = tp.sum() + np.append(0, np.cumsum(changes.tp))
        given = pp.sum() + np.append(0, np.cumsum(changes.pp))
        return np.asarray(objective.metric(hits, given, p.sum(), n.sum(), objective.zero_division), np.float64)
    order = np.argsort(changes.label, kind="stable")
    label = changes.label[order].astype(np.int64)
    size = np.bincount(label, minlength=len(p))
    first = np.append(0, np.cumsum(size)[:-1])
    after, before = [], []
    for begin, part in ((tp, changes.tp), (pp, changes.pp)):
        total = np.append(0, np.cumsum(part[order]))
        own = (begin - total[first])[label]
        after.append(own + total[1:])
        before.append(own + total[:-1])
    weight = ratio(n, n.sum(), 0.0) if objective.average == "micro" else objective.label_weights(p)
    now, then = (objective.of_labels(hits, given, p, n, label) for hits, given in (after, before))
    by_step = now - then
    step = np.empty(len(order))
    step[order] = by_step * weight[label]
    return np.asarray(objective(*start) + np.append(0, np.cumsum(step)))


def near_best(values: NDArray[np.float64], exactly: Callable[[int], float]) -> int:
    """Return the first place of the largest value, where values are sums that round; ``exactly`` computes one."""
    top = values.max()
    near = np.flatnonzero(values >= top - NEAR * max(1.0, abs(top)))
    _, first = np.unique(values[near], return_index=True)
    places = np.sort(near[first])
    if len(places) == 1:
        return int(places[0])
    return int(places[int(np.argmax([exactly(int(place)) for place in places]))])
