"""What a metric is, and the arithmetic that numbers, arrays and tensors have in common."""

from __future__ import annotations

import copy
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen.errors import percent, span

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

    ``structure`` is ``"linear"`` (a ratio of sums that are linear in tp and pp: a `LinearRatio`),
    ``"quasiconvex"`` (so, where it is not negative, as a function of tp and pp) or ``"other"``.

    Notes
    -----
    A metric of your own is a subclass with a ``name`` and ``__call__`` (of a `LinearRatio`:
    ``terms``); parameters are dataclass fields. Every door takes its objects; what it declares is checked
    by numbers when it is first used. `register` makes it known by its name, as files and the command line
    need. Without a ``gradient`` it gets differences.
    """

    name: ClassVar[str]
    title: ClassVar[str] = ""
    structure: ClassVar[str] = "other"
    of_whole_items: ClassVar[bool] = False
    """Whether it is of each item's counts, or decisions, and of no label's."""

    @abstractmethod
    def __call__(self, tp: Counts, pp: Counts, p: Counts, n: Counts, zero_division: float = 0.0) -> Any:
        """Return the metric, elementwise, as float64."""

    def of_items(
        self, tp: Counts, pp: Counts, p: Counts, n: Counts, zero_division: float = 0.0
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return what each item adds above and below the line of its average over items, (n_items,) each.

        The counts are those of an item over its known labels. A mean over items: its metric, and 1.
        """
        value = np.asarray(self(tp, pp, p, n, zero_division), np.float64)
        return value, np.ones_like(value)

    def gradient(
        self, tp: Counts, pp: Counts, p: Counts, n: Counts, zero_division: float = 0.0
    ) -> tuple[Any, Any]:
        """Return the partial derivatives by tp and by pp, elementwise; 0 where the metric is 0/0.

        By differences over a ten-thousandth of the positives, within what counts can be.
        """
        tp, pp, p, n = floats(tp, pp, p, n)
        xp, step = namespace(tp), 1e-4 * or_one(p)

        def slope(low: Any, high: Any, at: Callable[[Any], tuple[Any, Any]]) -> Any:
            ends = [[self(*at(end), p, n, zero) for end in (low, high)] for zero in (zero_division, np.nan)]
            jump = xp.isnan(ends[1][0]) != xp.isnan(ends[1][1])
            return ratio(xp.where(jump, 0.0, ends[0][1] - ends[0][0]), high - low, 0.0)

        return (
            slope(
                xp.maximum(tp - step, at_least(pp - (n - p), 0)),
                xp.minimum(tp + step, xp.minimum(p, pp)),
                lambda end: (end, pp),
            ),
            slope(
                xp.maximum(pp - step, tp),
                xp.minimum(pp + step, n - p + tp),
                lambda end: (tp, end),
            ),
        )

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

    def with_labels(self, change: Callable[[NDArray[Any]], Any]) -> Metric:
        """Return the metric with each parameter that differs by label (n_labels,) changed."""
        changed = copy.copy(self)
        for f in fields(self):
            value = getattr(self, f.name)
            if np.ndim(value):
                object.__setattr__(changed, f.name, change(np.asarray(value)))
        return changed

    @property
    def spec(self) -> str | dict[str, Any]:
        """The name, or a dict of name and parameters, from which `get` makes the metric again."""
        parameters = {f.name: getattr(self, f.name) for f in fields(self)}
        plain = {
            key: value.tolist() if isinstance(value, np.ndarray | np.generic) else value
            for key, value in parameters.items()
        }
        return {"name": self.name, **plain} if plain else self.name

    def said(self, value: float, *, signed: bool = False) -> str:
        """Return a value, or with a sign a difference of two, as people read it."""
        return percent(value, signed=signed)

    def said_span(self, low: float, high: float, *, signed: bool = False) -> str:
        """Return the ends of a 95 % interval as people read it."""
        return span(low, high, signed=signed)

    def said_gain(self, value: float, low: float, high: float) -> str:
        """Return a difference and the ends of its 95 % interval: "+3.6, 95 % +2.7 to +4.5", in points."""
        return f"{self.said_points(value)}, {self.said_span(low, high, signed=True)}"

    def said_points(self, value: float) -> str:
        """Return a difference of two values as people read it: "+3.6", in points."""
        return self.said(value, signed=True).removesuffix(" %")

    def __str__(self) -> str:
        return self.title or self.name


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
        value = ratio(numerator(tp, pp), denominator(tp, pp), zero_division)
        # Sums of weights are rounded, and a ratio of them could pass the metrics' greatest value.
        return at_most(value, 1.0)

    def gradient(
        self, tp: Counts, pp: Counts, p: Counts, n: Counts, zero_division: float = 0.0
    ) -> tuple[Any, Any]:
        """Return the partial derivatives by tp and by pp, elementwise; 0 where the metric is 0/0."""
        numerator, denominator = self.terms(p, n, zero_division)
        below = denominator(tp, pp)
        value = ratio(numerator(tp, pp), below, 0.0)
        return (
            ratio(numerator.of_tp - value * denominator.of_tp, below, 0.0),
            ratio(numerator.of_pp - value * denominator.of_pp, below, 0.0),
        )


def ratio(numerator: Any, denominator: Any, zero_division: float) -> Any:
    """Return the float64 quotient, elementwise, with ``zero_division`` where the denominator is 0."""
    numerator, denominator = floats(numerator, denominator)
    xp, empty = namespace(denominator), denominator == 0
    return xp.where(empty, zero_division, numerator / xp.where(empty, 1.0, denominator))


def or_one(count: Counts) -> Any:
    """Return the counts, elementwise, with 1 for 0."""
    return count + (count == 0)


def at_most(value: Any, most: float) -> Any:
    """Return the values, elementwise, with those above ``most`` lowered to it."""
    return np.minimum(value, most) if namespace(value) is np else value.clip(max=most)


def at_least(value: Any, least: float) -> Any:
    """Return the values, elementwise, with those below ``least`` raised to it."""
    return np.maximum(value, least) if namespace(value) is np else value.clip(min=least)


def namespace(value: Any) -> Any:
    """Return the module whose functions take the value: torch for a tensor, else numpy."""
    return sys.modules["torch"] if type(value).__module__[:5] == "torch" else np


def floats(*counts: Counts) -> tuple[Any, ...]:
    """Return the counts as float64 arrays; all as they are if any is a tensor."""
    for count in counts:
        if namespace(count) is not np:
            return counts
    return tuple([np.asarray(count, np.float64) for count in counts])


def fill(value: Any, zero_division: float) -> Any:
    """Return the values, elementwise, with ``zero_division`` for NaN."""
    xp = namespace(value)
    return xp.where(xp.isnan(value), zero_division, value)
