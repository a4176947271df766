"""Metrics of counts, and the structure that decides how each can be optimised.

Every metric but the function of decisions is a function of ``tp`` (true positives), ``pp`` (predicted positives),
``p`` (positives) and ``n`` (items with a known label); none falls when a false positive is dropped, and none is
above 1. Each ratio that is 0/0 takes the value ``zero_division``, never an epsilon.

The formulas here are the only ones: they take numbers, numpy arrays and torch tensors alike, and
the report's page gets the terms of the linear ratios.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from limen.errors import InputError, UnsupportedError
from limen.metrics.base import Linear, LinearRatio, Metric, ratio
from limen.metrics.formulas import (
    MCC,
    Accuracy,
    BalancedAccuracy,
    Cost,
    FBeta,
    FowlkesMallows,
    GMean,
    Jaccard,
    Kappa,
    Precision,
    Recall,
    YoudenJ,
)
from limen.metrics.items import OfDecisions, SegmentErrorRate, SubsetAccuracy

__all__ = [
    "MCC",
    "METRICS",
    "Accuracy",
    "BalancedAccuracy",
    "Cost",
    "FBeta",
    "FowlkesMallows",
    "GMean",
    "Jaccard",
    "Kappa",
    "Linear",
    "LinearRatio",
    "Metric",
    "OfDecisions",
    "Precision",
    "Recall",
    "SegmentErrorRate",
    "SubsetAccuracy",
    "YoudenJ",
    "get",
    "ratio",
    "register",
    "spec_to_save",
]

METRICS: dict[str, Any] = {
    "f1": FBeta,
    "fbeta": FBeta,
    "f0.5": partial(FBeta, 0.5),
    "f2": partial(FBeta, 2.0),
    **{
        kind.name: kind
        for kind in (
            Precision,
            Recall,
            Jaccard,
            Accuracy,
            BalancedAccuracy,
            YoudenJ,
            Kappa,
            Cost,
            MCC,
            FowlkesMallows,
            GMean,
            SubsetAccuracy,
            SegmentErrorRate,
        )
    },
}


_LIMENS = dict(METRICS)


def get(metric: str | dict[str, Any] | Metric | Callable[..., float]) -> Metric:
    """Return the metric of a name, of a dict with ``name`` and parameters, or the metric itself.

    A function ``(y_true, y_pred)`` of decisions becomes `OfDecisions`.

    Raises
    ------
    InputError
        If the name or a parameter is unknown.

    Examples
    --------
    >>> get("f1"), get({"name": "fbeta", "beta": 2})
    (FBeta(beta=1.0), FBeta(beta=2))
    """
    if isinstance(metric, Metric):
        check_name(type(metric))
        return metric
    if callable(metric) and not isinstance(metric, type):
        return OfDecisions(metric)
    name, parameters = metric, {}
    if isinstance(metric, dict):
        parameters = dict(metric)
        name = parameters.pop("name", None)
    if not isinstance(name, str) or name not in METRICS:
        raise InputError(
            f"metric={metric!r} is unknown. The metrics are: {', '.join(METRICS)}. One of your own is known by "
            "its name after limen.metrics.register(ItsClass)."
        )
    try:
        made = METRICS[name](**parameters)
    except TypeError as error:
        raise InputError(
            f"metric {name!r} does not take {', '.join(map(repr, parameters))}. See limen.metrics for its "
            "parameters."
        ) from error
    assert isinstance(made, Metric)
    return made


def register(kind: type[Metric]) -> type[Metric]:
    """Make a metric of your own known by its name, to files and the command line too; return its class.

    Raises
    ------
    InputError
        If it is no class of metrics, or its name is that of one of limen's.

    Examples
    --------
    >>> @register
    ... class Markedness(Metric):
    ...     name = "markedness"
    ...     def __call__(self, tp, pp, p, n, zero_division=0.0):
    ...         return ratio(tp, pp, zero_division) - ratio(p - tp, n - pp, zero_division)
    >>> str(get("markedness"))
    'markedness'
    >>> del METRICS["markedness"]
    """
    if not (isinstance(kind, type) and issubclass(kind, Metric)):
        raise InputError(f"{kind!r} is no class of metrics. Register a subclass of limen.metrics.Metric.")
    check_name(kind)
    METRICS[kind.name] = kind
    return kind


def check_name(kind: type[Metric]) -> None:
    """Raise `InputError` if a metric has no name, or the name of another of limen's."""
    name, known = getattr(kind, "name", None), _LIMENS.get(getattr(kind, "name", ""), kind)
    if not (isinstance(name, str) and name) or known is not kind:
        raise InputError(
            f"the metric {kind.__name__} has the name {name!r}{', as one of limen has' if name else ''}. Give the "
            "class a name of its own: name = 'my_metric'."
        )


def spec_to_save(metric: Metric) -> str | dict[str, Any]:
    """Return the metric's spec, if a file with it can be read back.

    Raises
    ------
    UnsupportedError
        If the metric is the user's own and not registered, or its parameters are not plain.
    """
    if isinstance(metric, OfDecisions):
        raise UnsupportedError(
            f"{metric} is a function of decisions, which a file cannot hold. Keep the thresholds' values, or tune "
            "for a metric that has a name."
        )
    if METRICS.get(metric.name) is not type(metric):
        raise UnsupportedError(
            f"the metric {metric} is not registered, so a file that names it could not be read back. Call "
            f"limen.metrics.register({type(metric).__name__}) first, and again wherever the file is read."
        )
    try:
        spec: str | dict[str, Any] = json.loads(json.dumps(metric.spec, allow_nan=False))
        same = get(spec).spec == metric.spec
    except (TypeError, ValueError):
        same = False
    if not same:
        raise UnsupportedError(
            f"the metric {metric} is not the same again after it was written as {metric.spec!r}. Its parameters "
            "must be dataclass fields that are numbers, text or lists."
        )
    return spec
