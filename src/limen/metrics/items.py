"""Metrics of whole items: not functions of the counts of each label."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from limen.errors import InputError
from limen.metrics.base import Counts, Metric, floats, ratio


@dataclass(frozen=True)
class SubsetAccuracy(Metric):
    """Share of the items whose known labels are all decided rightly; 1 minus the subset 0/1 loss."""

    name: ClassVar[str] = "subset_accuracy"
    title: ClassVar[str] = "subset accuracy"
    of_whole_items: ClassVar[bool] = True

    def __call__(self, tp: Counts, pp: Counts, p: Counts, n: Counts, zero_division: float = 0.0) -> Any:
        """Return 1 for each item without an error, else 0, as float64."""
        tp, pp, p = floats(tp, pp, p)
        return np.where((tp == p) & (pp == p), 1.0, 0.0)


@dataclass(frozen=True)
class SegmentErrorRate(Metric):
    """Negated error rate of segments: -(substitutions + deletions + insertions) / positives.

    An item is a segment; with fn labels missed and fp given wrongly min(fn, fp) are substituted and the rest
    deleted or inserted, in all max(fn, fp) (Mesaros, Heittola & Virtanen 2016). Errors and positives are summed
    over items before they are divided; ``zero_division`` if no item has a positive. It may be below -1.
    """

    name: ClassVar[str] = "segment_error_rate"
    title: ClassVar[str] = "negated segment error rate"
    of_whole_items: ClassVar[bool] = True

    def __call__(self, tp: Counts, pp: Counts, p: Counts, n: Counts, zero_division: float = 0.0) -> Any:
        """Return the negated error rate of each item alone, as float64."""
        return ratio(*self.of_items(tp, pp, p, n), zero_division)

    def of_items(
        self, tp: Counts, pp: Counts, p: Counts, n: Counts, zero_division: float = 0.0
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the negated errors and the positives of each item."""
        tp, pp, p = floats(tp, pp, p)
        return -np.maximum(p - tp, pp - tp), p

    def gradient(
        self, tp: Counts, pp: Counts, p: Counts, n: Counts, zero_division: float = 0.0
    ) -> tuple[Any, Any]:
        """Return the partial derivatives of an item's negated errors by tp and pp; of the misses, at a kink."""
        tp, pp, p = floats(tp, pp, p)
        return np.ones_like(tp), np.where(pp > p, -1.0, 0.0)

    def said(self, value: float, *, signed: bool = False) -> str:
        """Return the error rate, of which less is better."""
        return f"{0.0 - value:{'+' if signed else ''}.3f}"

    def said_span(self, low: float, high: float, *, signed: bool = False) -> str:
        """Return the ends of a 95 % interval, the lower rate first."""
        sign = "+" if signed else ""
        return f"95 % {0.0 - high:{sign}.3f} to {0.0 - low:{sign}.3f}"


@dataclass(frozen=True)
class OfDecisions(Metric):
    """A function of all decisions, of which nothing else is known.

    Parameters
    ----------
    function : callable ``(y_true, y_pred)``
        Takes two bool arrays (n_items, n_labels) and returns a number up to 1 that is to be made large.

    Notes
    -----
    Thresholds for it are searched with one call for each cut that is tried, so a call should be quick. All labels
    must be known, and items weigh alike. A file cannot hold it.
    """

    name: ClassVar[str] = "of_decisions"
    of_whole_items: ClassVar[bool] = True
    function: Callable[[NDArray[np.bool_], NDArray[np.bool_]], float]

    def __call__(self, tp: Counts, pp: Counts, p: Counts, n: Counts, zero_division: float = 0.0) -> Any:
        """Raise `InputError`: counts do not say what the decisions are."""
        raise InputError(f"{self} is a function of decisions; counts do not say what they are.")

    def of(self, y_true: NDArray[np.bool_], y_pred: NDArray[np.bool_]) -> float:
        """Return the value of decisions.

        Raises
        ------
        InputError
            If the function returns no finite number up to 1.
        """
        try:
            value = float(self.function(y_true, y_pred))
        except (TypeError, ValueError) as error:
            raise InputError(f"{self} returned no number: {error}. It must return one, at most 1.") from error
        if not (np.isfinite(value) and value <= 1 + 1e-9):
            raise InputError(f"{self} returned {value}. It must be finite and at most 1: divide by the largest.")
        return value

    def said(self, value: float, *, signed: bool = False) -> str:
        """Return the value as a number: nothing says that it is a share."""
        return f"{value:{'+' if signed else ''}.4g}"

    def said_span(self, low: float, high: float, *, signed: bool = False) -> str:
        """Return the ends of a 95 % interval."""
        sign = "+" if signed else ""
        return f"95 % {low:{sign}.4g} to {high:{sign}.4g}"

    @property
    def spec(self) -> dict[str, Any]:
        """The name, and that of the function: enough to tell, but not to make the metric again."""
        return {"name": self.name, "function": str(self)}

    def __str__(self) -> str:
        return str(getattr(self.function, "__name__", type(self.function).__name__))
