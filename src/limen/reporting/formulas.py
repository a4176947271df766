"""Metrics as the page takes them: the terms of a ratio, the name of one of its formulas, or values at its cuts."""

from __future__ import annotations

from typing import Any

import numpy as np

from limen.curves import Curves
from limen.metrics import MCC, Cost, FBeta, FowlkesMallows, GMean, Linear, LinearRatio, Metric
from limen.objectives import Objective
from limen.reporting.encoding import packed
from limen.reporting.positions import Positions

IN_PAGE = (MCC, FowlkesMallows, GMean)
"""Those that the page computes by formulas of its own; a test in a browser compares them with these."""


def shown(metric: Metric, zero_division: float, curves: Curves, positions: Positions) -> dict[str, Any]:
    """Return what the page needs to compute a metric at its positions, as plain numbers and packed arrays.

    Of a user's own metric that is no ratio of linear terms it gets the values of each label at its positions,
    which give the macro and weighted averages of any choice of them; the micro average it cannot know.
    """
    content: dict[str, Any] = {
        "name": metric.name,
        "title": str(metric),
        "is_f1": isinstance(metric, FBeta) and metric.beta == 1,
    }
    p, n = curves.n_positive, curves.n_known
    if isinstance(metric, LinearRatio):
        pools = isinstance(metric, Cost) or not metric.by_label
        content["terms"] = [_terms(part) for part in metric.terms(p, n, zero_division)]
        content["pooled"] = [_terms(part) for part in metric.pooled_terms(p, n, zero_division)] if pools else None
    elif type(metric) in IN_PAGE:
        content["formula"] = metric.name
    else:
        label_of = np.repeat(np.arange(curves.n_labels), np.diff(positions.offsets))
        of_labels = Objective(metric, "macro", zero_division).of_labels
        content["values"] = packed(of_labels(positions.tp, positions.tp + positions.fp, p, n, label_of))
    return content


def _terms(linear: Linear) -> list[Any]:
    return [_coefficient(part) for part in linear]


def _coefficient(part: Any) -> Any:
    """Return a number, or an array as whole numbers from 0 if they are, else as float64."""
    if np.ndim(part) == 0:
        return part.item() if isinstance(part, np.ndarray | np.generic) else part
    whole = part.dtype.kind in "iu" and part.min() >= 0
    return packed(part if whole else part.astype(np.float64))
