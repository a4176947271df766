"""Metrics of per-label counts, and the structure that decides how each can be optimised.

Every metric is a function of ``tp`` (true positives), ``pp`` (predicted positives), ``p``
(positives) and ``n`` (items with a known label); none falls when a false positive is dropped.
Each ratio that is 0/0 takes the value ``zero_division``, never an epsilon.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from fractions import Fraction
from functools import partial
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen.errors import InputError

Counts = Any


class Linear(NamedTuple):
    """``tp * of_tp + pp * of_pp + constant``; arrays where the coefficients differ by label."""

    of_tp: Any
    of_pp: Any
    constant: Any

    def __call__(self, tp: Counts, pp: Counts) -> Any:
        """Return the value at the counts, elementwise."""
        return self.of_tp * tp + self.of_pp * pp + self.constant


@dataclass(frozen=True)
class Metric(ABC):
    """A function of counts that is to be made large.

    ``structure`` is ``"linear"`` (a ratio of sums that are linear in tp and pp), ``"quasiconvex"``
    (so, where it is not negative, as a function of tp and pp) or ``"other"``.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    structure: ClassVar[str] = "other"

    @abstractmethod
    def __call__(self, tp: Counts, pp: Counts, p: Counts, n: Counts, zero_division: float = 0.0) -> Any:
        """Return the metric, elementwise, as float64."""

    @abstractmethod
    def gradient(
        self, tp: Counts, pp: Counts, p: Counts, n: Counts, zero_division: float = 0.0
    ) -> tuple[Any, Any]:
        """Return the partial derivatives by tp and by pp, elementwise; 0 where the metric is 0/0."""

    def pooled(self, tp: Counts, pp: Counts, p: Counts, n: Counts, zero_division: float = 0.0) -> float:
        """Return the micro average: the metric of the counts (n_labels,) summed over labels."""
        return float(self(tp.sum(), pp.sum(), p.sum(), n.sum(), zero_division))

    def pooled_gradient(
        self, tp: Counts, pp: Counts, p: Counts, n: Counts, zero_division: float = 0.0
    ) -> tuple[Any, Any]:
        """Return the partial derivatives of the micro average by each label's tp and pp."""
        return self.gradient(tp.sum(), pp.sum(), p.sum(), n.sum(), zero_division)

    @property
    def by_label(self) -> bool:
        """Whether a parameter differs by label."""
        return any(np.ndim(getattr(self, f.name)) for f in fields(self))

    @property
    def spec(self) -> str | dict[str, Any]:
        """The name, or a dict of name and parameters, from which `get` makes the metric again."""
        parameters = {f.name: getattr(self, f.name) for f in fields(self)}
        plain = {
            key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in parameters.items()
        }
        return {"name": self.name, **plain} if plain else self.name

    def __str__(self) -> str:
        return self.title


@dataclass(frozen=True)
class LinearRatio(Metric):
    """A ratio of two linear functions of tp and pp."""

    structure: ClassVar[str] = "linear"

    @abstractmethod
    def terms(self, p: Counts, n: Counts, zero_division: float = 0.0) -> tuple[Linear, Linear]:
        """Return numerator and denominator; whole numbers where the metric allows."""

    def pooled_terms(self, p: Counts, n: Counts, zero_division: float = 0.0) -> tuple[Linear, Linear]:
        """Return numerator and denominator of the micro average, to be summed over labels."""
        return self.terms(p.sum().item(), n.sum().item(), zero_division)

    def __call__(self, tp: Counts, pp: Counts, p: Counts, n: Counts, zero_division: float = 0.0) -> Any:
        """Return the metric, elementwise, as float64."""
        numerator, denominator = self.terms(p, n, zero_division)
        # Sums of weights are rounded, and a ratio of them could pass the metrics' greatest value.
        return np.minimum(ratio(numerator(tp, pp), denominator(tp, pp), zero_division), 1.0)

    def gradient(
        self, tp: Counts, pp: Counts, p: Counts, n: Counts, zero_division: float = 0.0
    ) -> tuple[Any, Any]:
        """Return the partial derivatives by tp and by pp, elementwise; 0 where the metric is 0/0."""
        numerator, denominator = self.terms(p, n, zero_division)
        return _gradient_of_ratio(numerator, denominator, numerator(tp, pp), denominator(tp, pp))


@dataclass(frozen=True)
class FBeta(LinearRatio):
    """F-beta: (1 + beta^2) tp / (pp + beta^2 p); beta above 1 favours recall (van Rijsbergen 1979)."""

    name: ClassVar[str] = "fbeta"
    title: ClassVar[str] = "F-beta"
    beta: float = 1.0

    def __post_init__(self) -> None:
        if not (isinstance(self.beta, int | float) and math.isfinite(self.beta) and self.beta > 0):
            raise InputError(f"beta={self.beta} is not a weight. It must be a finite number above 0.")

    def terms(self, p: Counts, n: Counts, zero_division: float = 0.0) -> tuple[Linear, Linear]:
        """Return numerator and denominator, in whole numbers if beta squared is a simple fraction."""
        square = Fraction(self.beta) ** 2
        a, b = (square.numerator, square.denominator) if square.denominator <= 1 << 20 else (self.beta**2, 1.0)
        return Linear(a + b, 0, 0), Linear(0, b, a * p)

    @property
    def spec(self) -> str | dict[str, Any]:
        """The name f1, or a dict with beta."""
        return "f1" if self.beta == 1 else {"name": self.name, "beta": self.beta}

    def __str__(self) -> str:
        return f"F{self.beta:g}"


@dataclass(frozen=True)
class Precision(LinearRatio):
    """Precision: tp / pp."""

    name: ClassVar[str] = "precision"
    title: ClassVar[str] = "precision"

    def terms(self, p: Counts, n: Counts, zero_division: float = 0.0) -> tuple[Linear, Linear]:
        """Return numerator and denominator."""
        return Linear(1, 0, 0), Linear(0, 1, 0)


@dataclass(frozen=True)
class Recall(LinearRatio):
    """Recall: tp / p."""

    name: ClassVar[str] = "recall"
    title: ClassVar[str] = "recall"

    def terms(self, p: Counts, n: Counts, zero_division: float = 0.0) -> tuple[Linear, Linear]:
        """Return numerator and denominator."""
        return Linear(1, 0, 0), Linear(0, 0, p)


@dataclass(frozen=True)
class Jaccard(LinearRatio):
    """Jaccard index (intersection over union): tp / (pp + p - tp)."""

    name: ClassVar[str] = "jaccard"
    title: ClassVar[str] = "Jaccard"

    def terms(self, p: Counts, n: Counts, zero_division: float = 0.0) -> tuple[Linear, Linear]:
        """Return numerator and denominator."""
        return Linear(1, 0, 0), Linear(-1, 1, p)


@dataclass(frozen=True)
class Accuracy(LinearRatio):
    """Accuracy of single decisions, 1 minus the Hamming loss: (tp + tn) / n."""

    name: ClassVar[str] = "accuracy"
    title: ClassVar[str] = "accuracy"

    def terms(self, p: Counts, n: Counts, zero_division: float = 0.0) -> tuple[Linear, Linear]:
        """Return numerator and denominator."""
        return Linear(2, -1, n - p), Linear(0, 0, n)


@dataclass(frozen=True)
class BalancedAccuracy(LinearRatio):
    """Mean of sensitivity tp / p and specificity tn / (n - p)."""

    name: ClassVar[str] = "balanced_accuracy"
    title: ClassVar[str] = "balanced accuracy"

    def terms(self, p: Counts, n: Counts, zero_division: float = 0.0) -> tuple[Linear, Linear]:
        """Return numerator and denominator over the common denominator."""
        rates = _rates(p, n, zero_division)
        return rates, Linear(0, 0, 2 * _common_denominator(p, n))


@dataclass(frozen=True)
class YoudenJ(LinearRatio):
    """Youden's J: sensitivity tp / p plus specificity tn / (n - p), minus 1."""

    name: ClassVar[str] = "youden_j"
    title: ClassVar[str] = "Youden J"

    def terms(self, p: Counts, n: Counts, zero_division: float = 0.0) -> tuple[Linear, Linear]:
        """Return numerator and denominator over the common denominator."""
        rates, common = _rates(p, n, zero_division), _common_denominator(p, n)
        return rates._replace(constant=rates.constant - common), Linear(0, 0, common)


@dataclass(frozen=True)
class Kappa(LinearRatio):
    """Cohen's kappa: 2 (n tp - p pp) / (pp (n - p) + p (n - pp))."""

    name: ClassVar[str] = "kappa"
    title: ClassVar[str] = "Cohen's kappa"

    def terms(self, p: Counts, n: Counts, zero_division: float = 0.0) -> tuple[Linear, Linear]:
        """Return numerator and denominator."""
        return Linear(2 * n, -2 * p, 0), Linear(0, n - 2 * p, p * n)


@dataclass(frozen=True, eq=False)
class Cost(LinearRatio):
    """Negated mean cost of a decision: -(fp_cost fp + fn_cost fn) / n.

    Parameters
    ----------
    fp, fn : float, or sequence of n_labels floats
        Cost of one false positive and of one false negative; not negative.
    """

    name: ClassVar[str] = "cost"
    title: ClassVar[str] = "negated cost"
    fp: Any = 1.0
    fn: Any = 1.0

    def __post_init__(self) -> None:
        for name in ("fp", "fn"):
            try:
                cost = np.asarray(getattr(self, name), dtype=np.float64)
            except (TypeError, ValueError):
                cost = np.full(1, np.nan)
            if cost.ndim > 1 or not np.isfinite(cost).all() or (cost < 0).any():
                raise InputError(
                    f"the cost {name}={getattr(self, name)!r} is not usable. Costs must be finite and not "
                    "negative: one number, or one for each label."
                )
            object.__setattr__(self, name, cost if cost.ndim else float(cost))

    def for_labels(self, label_of: NDArray[np.int64]) -> Cost:
        """Return the cost with its parameters repeated as ``label_of`` says, for arrays by candidate."""
        fp, fn = (cost[label_of] if np.ndim(cost) else cost for cost in (self.fp, self.fn))
        return Cost(fp, fn)

    def terms(self, p: Counts, n: Counts, zero_division: float = 0.0) -> tuple[Linear, Linear]:
        """Return numerator and denominator."""
        return Linear(self.fp + self.fn, -self.fp, -self.fn * p), Linear(0, 0, n)

    def pooled_terms(self, p: Counts, n: Counts, zero_division: float = 0.0) -> tuple[Linear, Linear]:
        """Return numerator and denominator of the micro average, to be summed over labels."""
        return (
            Linear(self.fp + self.fn, -self.fp, -float(np.sum(self.fn * p))),
            Linear(0, 0, n.sum().item()),
        )

    def pooled(self, tp: Counts, pp: Counts, p: Counts, n: Counts, zero_division: float = 0.0) -> float:
        """Return the negated mean cost over all decisions."""
        cost = np.sum(self.fp * (pp - tp) + self.fn * (p - tp))
        return float(ratio(-cost, n.sum(), zero_division))

    def pooled_gradient(
        self, tp: Counts, pp: Counts, p: Counts, n: Counts, zero_division: float = 0.0
    ) -> tuple[Any, Any]:
        """Return the partial derivatives of the micro average by each label's tp and pp."""
        total = n.sum()
        return (self.fp + self.fn) / total, -self.fp / total


@dataclass(frozen=True)
class MCC(Metric):
    """Matthews correlation: (n tp - p pp) / sqrt(p pp (n - p) (n - pp)).

    Quasi-convex in (tp, pp) where it is not negative: {MCC <= c} lies under a concave curve of pp.
    """

    name: ClassVar[str] = "mcc"
    title: ClassVar[str] = "MCC"
    structure: ClassVar[str] = "quasiconvex"

    def __call__(self, tp: Counts, pp: Counts, p: Counts, n: Counts, zero_division: float = 0.0) -> Any:
        """Return the metric, elementwise, as float64."""
        tp, pp, p, n = _floats(tp, pp, p, n)
        excess = n * tp - p * pp
        square = ratio(excess * excess, p * pp * np.maximum(n - p, 0) * np.maximum(n - pp, 0), np.nan)
        return _fill(np.sign(excess) * np.sqrt(np.minimum(square, 1.0)), zero_division)

    def gradient(
        self, tp: Counts, pp: Counts, p: Counts, n: Counts, zero_division: float = 0.0
    ) -> tuple[Any, Any]:
        """Return the partial derivatives by tp and by pp, elementwise; 0 where the metric is 0/0."""
        tp, pp, p, n = _floats(tp, pp, p, n)
        root = np.sqrt(p * pp * np.maximum(n - p, 0) * np.maximum(n - pp, 0))
        value = self(tp, pp, p, n, 0.0)
        by_tp = ratio(n, root, 0.0)
        by_pp = ratio(-p, root, 0.0) - value * ratio(n - 2 * pp, 2 * pp * (n - pp), 0.0)
        return by_tp, by_pp


@dataclass(frozen=True)
class FowlkesMallows(Metric):
    """Fowlkes-Mallows index, the geometric mean of precision and recall: tp / sqrt(p pp)."""

    name: ClassVar[str] = "fowlkes_mallows"
    title: ClassVar[str] = "Fowlkes-Mallows"
    structure: ClassVar[str] = "quasiconvex"

    def __call__(self, tp: Counts, pp: Counts, p: Counts, n: Counts, zero_division: float = 0.0) -> Any:
        """Return the metric, elementwise, as float64."""
        tp, pp, p, n = _floats(tp, pp, p, n)
        return _fill(np.sqrt(np.minimum(ratio(tp * tp, p * pp, np.nan), 1.0)), zero_division)

    def gradient(
        self, tp: Counts, pp: Counts, p: Counts, n: Counts, zero_division: float = 0.0
    ) -> tuple[Any, Any]:
        """Return the partial derivatives by tp and by pp, elementwise; 0 where the metric is 0/0."""
        tp, pp, p, n = _floats(tp, pp, p, n)
        root = np.sqrt(p * pp)
        return ratio(1.0, root, 0.0), ratio(-tp, 2 * root * pp, 0.0)


@dataclass(frozen=True)
class GMean(Metric):
    """G-mean: the square root of sensitivity tp / p times specificity tn / (n - p)."""

    name: ClassVar[str] = "g_mean"
    title: ClassVar[str] = "G-mean"

    def __call__(self, tp: Counts, pp: Counts, p: Counts, n: Counts, zero_division: float = 0.0) -> Any:
        """Return the metric, elementwise, as float64."""
        tp, pp, p, n = _floats(tp, pp, p, n)
        sensitivity = ratio(np.maximum(tp, 0), p, zero_division)
        specificity = ratio(np.maximum(n - p - (pp - tp), 0), n - p, zero_division)
        return np.sqrt(np.minimum(sensitivity * specificity, 1.0))

    def gradient(
        self, tp: Counts, pp: Counts, p: Counts, n: Counts, zero_division: float = 0.0
    ) -> tuple[Any, Any]:
        """Return the partial derivatives by tp and by pp, elementwise; 0 where the metric is 0."""
        tp, pp, p, n = _floats(tp, pp, p, n)
        sensitivity, specificity = ratio(tp, p, zero_division), ratio(n - p - (pp - tp), n - p, zero_division)
        value = np.sqrt(np.maximum(sensitivity * specificity, 0))
        by_negative = ratio(sensitivity * ratio(1.0, n - p, 0.0), 2 * value, 0.0)
        return ratio(specificity * ratio(1.0, p, 0.0), 2 * value, 0.0) + by_negative, -by_negative

    def on_edges(self, tp: Counts, pp: Counts, p: Counts, n: Counts, zero_division: float = 0.0) -> float:
        """Return the largest value on the straight lines between neighbouring points (tp, pp)."""
        tp, pp, p, n = _floats(tp, pp, p, n)
        sensitivity = ratio(tp, p, zero_division)
        specificity = ratio(np.maximum(n - p - (pp - tp), 0), n - p, zero_division)
        up, down = np.diff(sensitivity), np.diff(specificity)
        s, c = sensitivity[:-1], specificity[:-1]
        at = np.clip(-ratio(s * down + c * up, 2 * up * down, 0.0), 0, 1)
        square = np.maximum((s + at * up) * (c + at * down), 0)
        return float(np.sqrt(square.max(initial=0.0)))


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
        )
    },
}


def get(metric: str | dict[str, Any] | Metric) -> Metric:
    """Return the metric of a name, of a dict with ``name`` and parameters, or the metric itself.

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
        return metric
    name, parameters = metric, {}
    if isinstance(metric, dict):
        parameters = dict(metric)
        name = parameters.pop("name", None)
    if not isinstance(name, str) or name not in METRICS:
        raise InputError(f"metric={metric!r} is unknown. The metrics are: {', '.join(METRICS)}.")
    try:
        made = METRICS[name](**parameters)
    except TypeError as error:
        raise InputError(
            f"metric {name!r} does not take {', '.join(map(repr, parameters))}. See limen.metrics for its "
            "parameters."
        ) from error
    assert isinstance(made, Metric)
    return made


def ratio(numerator: Any, denominator: Any, zero_division: float) -> Any:
    """Return the float64 quotient, elementwise, with ``zero_division`` where the denominator is 0."""
    numerator, denominator = np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)
    empty = denominator == 0
    return np.where(empty, zero_division, numerator / np.where(empty, 1.0, denominator))


def _gradient_of_ratio(numerator: Linear, denominator: Linear, above: Any, below: Any) -> tuple[Any, Any]:
    value = ratio(above, below, 0.0)
    return (
        ratio(numerator.of_tp - value * denominator.of_tp, below, 0.0),
        ratio(numerator.of_pp - value * denominator.of_pp, below, 0.0),
    )


def _common_denominator(p: Counts, n: Counts) -> Any:
    """Return p (n - p), with a class that is absent counted as 1."""
    return _or_one(p) * _or_one(n - p)


def _rates(p: Counts, n: Counts, zero_division: float) -> Linear:
    """Return sensitivity + specificity, times their common denominator."""
    q = n - p
    some, others = _or_one(p), _or_one(q)
    no_positive, no_negative = _where(p == 0, zero_division), _where(q == 0, zero_division)
    return Linear(others + some, -some, q * some + no_positive * others + no_negative * some)


def _where(condition: Any, value: float) -> Any:
    number = int(value) if value == int(value) else value
    return np.where(condition, number, 0) if np.ndim(condition) else (number if condition else 0)


def _or_one(count: Counts) -> Any:
    return np.where(count == 0, 1, count) if np.ndim(count) else (count or 1)


def _floats(*counts: Counts) -> tuple[Any, ...]:
    return tuple(np.asarray(count, np.float64) for count in counts)


def _fill(value: Any, zero_division: float) -> Any:
    return np.where(np.isnan(value), zero_division, value)
