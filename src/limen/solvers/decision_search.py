"""Thresholds for a function of decisions: one label's cut after another, with a call for each cut tried."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from limen.curves import at_or_above
from limen.metrics import OfDecisions
from limen.solvers.base import Problem
from limen.sums import sums_of


def search(
    problem: Problem, starts: list[NDArray[np.int64]], most: int, calls: int
) -> tuple[NDArray[np.int64], int, bool]:
    """Return candidates (n_labels,), the calls made, and whether no cut that was tried improves them.

    From the best of the ``starts`` each label in turn, the most frequent first, tries ``most`` of its candidates,
    evenly by rank, the others held; until none helps, or about so many ``calls`` are made.
    """
    curves, metric = problem.curves, problem.objective.metric
    assert isinstance(metric, OfDecisions)
    values = [curves.thresholds(start, "score") for start in starts]
    truth, _ = sums_of(problem.objective, problem.sources, values[0])
    scores = np.concatenate([block.scores for source in problem.sources for block in source.dense_blocks()])
    decisions = [at_or_above(scores, one) & (scores > -np.inf) for one in values]
    found = [metric.of(truth, one) for one in decisions]
    best = int(np.argmax(found))
    index, given, value = starts[best].copy(), decisions[best], found[best]
    made, offsets, cuts = len(found), curves.offsets, curves.candidates.cuts
    still, order = 0, np.lexsort((problem.keys, -curves.n_positive))
    while still < len(order) and made < calls:
        for k in order:
            own = np.arange(offsets[k], offsets[k + 1])
            own = own[np.unique(np.linspace(0, len(own) - 1, min(len(own), most)).astype(np.int64))]
            column, still = given[:, k].copy(), still + 1
            for j in own[own != index[k]]:
                given[:, k] = scores[:, k] >= cuts[j]
                tried = metric.of(truth, given)
                if tried > value:
                    value, index[k], column, still = tried, j, given[:, k].copy(), 0
            made += len(own)
            given[:, k] = column
            if still >= len(order) or made >= calls:
                break
        if problem.progress is not None:
            problem.progress(min(made, calls), calls, value)
    return index, made, still >= len(order)
