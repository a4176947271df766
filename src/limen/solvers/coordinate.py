"""Coordinate ascent over labels: a last improvement where nothing better is proven."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from limen.curves import Curves
from limen.objectives import Objective


def improve(curves: Curves, objective: Objective, index: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return candidates that no change of a single label improves, starting from ``index``.

    For a micro average of any metric of counts. Each step tries all candidates of one label, the
    others fixed, so the objective never falls.
    """
    index = index.copy()
    tp, pp = curves.tp, curves.pp
    p, n = curves.n_positive.sum(), curves.n_known.sum()

    def value(at_tp: object, at_pp: object) -> NDArray[np.float64]:
        return np.asarray(objective.metric(at_tp, at_pp, p, n, objective.zero_division))

    current, improved = float(value(tp[index].sum(), pp[index].sum())), True
    while improved:
        improved = False
        for k in range(curves.n_labels):
            own = slice(curves.offsets[k], curves.offsets[k + 1])
            others_tp, others_pp = (np.delete(count[index], k).sum() for count in (tp, pp))
            values = value(others_tp + tp[own], others_pp + pp[own])
            best = int(values.argmax())
            if values[best] > current:
                current, improved = float(values[best]), True
                index[k] = own.start + best
    return index
