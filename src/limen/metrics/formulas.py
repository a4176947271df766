"""The formulas of limen's metrics; they stand nowhere else."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np

from limen.errors import InputError
from limen.metrics.base import (
    Counts,
    Linear,
    LinearRatio,
    Metric,
    at_least,
    at_most,
    fill,
    floats,
    namespace,
    or_one,
    ratio,
)


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

    def said(self, value: float, *, signed: bool = False) -> str:
        """Return the mean cost of a decision, of which less is better."""
        return f"{0.0 - value:{'+' if signed else ''}.4g} a decision"

    def said_points(self, value: float) -> str:
        """Return a difference of mean costs, of which less is better."""
        return f"{0.0 - value:+.4g}"

    def said_span(self, low: float, high: float, *, signed: bool = False) -> str:
        """Return the ends of a 95 % interval, the lower cost first."""
        sign = "+" if signed else ""
        return f"95 % {0.0 - high:{sign}.4g} to {0.0 - low:{sign}.4g}"


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
        tp, pp, p, n = floats(tp, pp, p, n)
        xp, excess = namespace(tp), n * tp - p * pp
        square = ratio(excess * excess, p * pp * at_least(n - p, 0) * at_least(n - pp, 0), np.nan)
        return fill(xp.sign(excess) * xp.sqrt(at_most(square, 1.0)), zero_division)

    def gradient(
        self, tp: Counts, pp: Counts, p: Counts, n: Counts, zero_division: float = 0.0
    ) -> tuple[Any, Any]:
        """Return the partial derivatives by tp and by pp, elementwise; 0 where the metric is 0/0."""
        tp, pp, p, n = floats(tp, pp, p, n)
        xp = namespace(tp)
        root = xp.sqrt(p * pp * at_least(n - p, 0) * at_least(n - pp, 0))
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
        tp, pp, p, n = floats(tp, pp, p, n)
        xp = namespace(tp)
        return fill(xp.sqrt(at_most(ratio(tp * tp, p * pp, np.nan), 1.0)), zero_division)

    def gradient(
        self, tp: Counts, pp: Counts, p: Counts, n: Counts, zero_division: float = 0.0
    ) -> tuple[Any, Any]:
        """Return the partial derivatives by tp and by pp, elementwise; 0 where the metric is 0/0."""
        tp, pp, p, n = floats(tp, pp, p, n)
        root = namespace(tp).sqrt(p * pp)
        return ratio(1.0, root, 0.0), ratio(-tp, 2 * root * pp, 0.0)


@dataclass(frozen=True)
class GMean(Metric):
    """G-mean: the square root of sensitivity tp / p times specificity tn / (n - p)."""

    name: ClassVar[str] = "g_mean"
    title: ClassVar[str] = "G-mean"

    def __call__(self, tp: Counts, pp: Counts, p: Counts, n: Counts, zero_division: float = 0.0) -> Any:
        """Return the metric, elementwise, as float64."""
        tp, pp, p, n = floats(tp, pp, p, n)
        xp = namespace(tp)
        sensitivity = ratio(at_least(tp, 0), p, zero_division)
        specificity = ratio(at_least(n - p - (pp - tp), 0), n - p, zero_division)
        return xp.sqrt(at_most(sensitivity * specificity, 1.0))

    def gradient(
        self, tp: Counts, pp: Counts, p: Counts, n: Counts, zero_division: float = 0.0
    ) -> tuple[Any, Any]:
        """Return the partial derivatives by tp and by pp, elementwise; 0 where the metric is 0."""
        tp, pp, p, n = floats(tp, pp, p, n)
        sensitivity, specificity = ratio(tp, p, zero_division), ratio(n - p - (pp - tp), n - p, zero_division)
        xp = namespace(tp)
        value = xp.sqrt(at_least(sensitivity * specificity, 0))
        by_negative = ratio(sensitivity * ratio(1.0, n - p, 0.0), 2 * value, 0.0)
        return ratio(specificity * ratio(1.0, p, 0.0), 2 * value, 0.0) + by_negative, -by_negative

    def on_edges(self, tp: Counts, pp: Counts, p: Counts, n: Counts, zero_division: float = 0.0) -> float:
        """Return the largest value on the straight lines between neighbouring points (tp, pp)."""
        tp, pp, p, n = floats(tp, pp, p, n)
        sensitivity = ratio(tp, p, zero_division)
        specificity = ratio(np.maximum(n - p - (pp - tp), 0), n - p, zero_division)
        up, down = np.diff(sensitivity), np.diff(specificity)
        s, c = sensitivity[:-1], specificity[:-1]
        at = np.clip(-ratio(s * down + c * up, 2 * up * down, 0.0), 0, 1)
        square = np.maximum((s + at * up) * (c + at * down), 0)
        return float(np.sqrt(square.max(initial=0.0)))


def _common_denominator(p: Counts, n: Counts) -> Any:
    """Return p (n - p), with a class that is absent counted as 1."""
    return or_one(p) * or_one(n - p)


def _rates(p: Counts, n: Counts, zero_division: float) -> Linear:
    """Return sensitivity + specificity, times their common denominator."""
    q = n - p
    some, others = or_one(p), or_one(q)
    zero = int(zero_division) if zero_division == int(zero_division) else zero_division

    def instead(absent: Any, share: Any) -> Any:
        # A plain number stays whole where nothing is absent, so that the exact solver can compare in integers.
        return 0 if absent is False else absent * share * zero

    return Linear(others + some, -some, q * some + instead(p == 0, others) + instead(q == 0, some))
