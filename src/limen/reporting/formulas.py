"""Metrics as the page takes them: the terms of a ratio, the name of one of its formulas, or values at its cuts.

And what an item more of each kind changes, from which the page computes how sure a difference is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.curves import Curves
from limen.decisions import Counts
from limen.metrics import MCC, Cost, FBeta, FowlkesMallows, GMean, Linear, LinearRatio, Metric, ratio
from limen.objectives import Objective
from limen.reporting.encoding import packed
from limen.reporting.positions import Positions
from limen.states import influences

IN_PAGE = (MCC, FowlkesMallows, GMean)
"""Those that the page computes by formulas of its own; a test in a browser compares them with these."""


def shown(metric: Metric, zero_division: float, curves: Curves, positions: Positions) -> dict[str, Any]:
    """Return what the page needs to compute a metric at its positions, as plain numbers and packed arrays.

    Of a user's own metric that is no ratio of linear terms it gets the values of each label at its positions,
    which give the macro and weighted averages of any choice of them; the micro average it cannot know.
    """
    p, n = curves.n_positive, curves.n_known
    content = told(metric, zero_division, p, n)
    if isinstance(metric, LinearRatio):
        content["more"] = _more(metric, zero_division, p, n)
    elif "formula" not in content:
        label_of = np.repeat(np.arange(curves.n_labels), np.diff(positions.offsets))
        at_each = Objective(metric.with_labels(lambda parameter: parameter[label_of]), "macro", zero_division)
        counts = Counts(positions.tp, positions.tp + positions.fp, p[label_of], n[label_of])
        content["values"] = packed(at_each.of_labels(*counts))
        # Of each pair of cells of the same decision one, in the order of the page.
        given, missed, wrong, rejected = influences(at_each, counts, counts)[1][::2]
        content["influence"] = packed(np.array([given, missed, wrong, rejected], np.float32).ravel())
    return content


def told(metric: Metric, zero_division: float, p: NDArray[Any], n: NDArray[Any]) -> dict[str, Any]:
    """Return the terms of a ratio, or the name of one of the page's formulas, for labels of these p and n.

    Of a user's own metric that is neither, only what it is called.
    """
    content: dict[str, Any] = {
        "name": metric.name,
        "title": "cost" if isinstance(metric, Cost) else str(metric),
        "is_f1": isinstance(metric, FBeta) and metric.beta == 1,
    }
    if isinstance(metric, LinearRatio):
        pools = isinstance(metric, Cost) or not metric.by_label
        content["terms"] = [_terms(part) for part in metric.terms(p, n, zero_division)]
        content["pooled"] = [_terms(part) for part in metric.pooled_terms(p, n, zero_division)] if pools else None
    elif type(metric) in IN_PAGE:
        content["formula"] = metric.name
    return content


def _more(metric: LinearRatio, zero_division: float, p: Any, n: Any) -> list[list[list[Any]]]:
    """Return what one positive item more, and one negative, adds to the coefficients: numerator, denominator.

    By differences to both sides of the counts, which are exact for the terms of limen's metrics: these are of
    the second degree at most. 0 where there is no such item.
    """
    p, n = np.asarray(p, np.float64), np.asarray(n, np.float64)
    found = []
    for kind, positive in ((p, 1), (n - p, 0)):
        step = np.minimum(1.0, np.maximum(kind, 0.0) / 2)
        up, down = (metric.terms(p + sign * positive * step, n + sign * step, zero_division) for sign in (1, -1))
        found.append(
            [
                [_coefficient(_alike(ratio(np.subtract(a, b), 2 * step, 0.0))) for a, b in zip(*ends, strict=True)]
                for ends in zip(up, down, strict=True)
            ]
        )
    return found


def _alike(values: Any) -> Any:
    """Return one number in place of an array that repeats it."""
    return values.flat[0] if (values == values.flat[0]).all() else values


def _terms(linear: Linear) -> list[Any]:
    return [_coefficient(part) for part in linear]


def _coefficient(part: Any) -> Any:
    """Return a number, or an array as whole numbers from 0 if they are, else as float64."""
    if np.ndim(part) == 0:
        return part.item() if isinstance(part, np.ndarray | np.generic) else part
    whole = part.dtype.kind in "iu" and part.min() >= 0
    return packed(part if whole else part.astype(np.float64))
