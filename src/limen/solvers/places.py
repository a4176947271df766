"""Where candidates and items lie, on the scale of log odds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen.curves import Curves, halfway
from limen.scales import Logit

MARGIN = 0.1
"""How far above a label's highest score "never" lies, in log odds, where cuts are averaged."""


class Points(NamedTuple):
    """Where the items of each label lie, on the scale of log odds; one element for each group of items.

    Groups are the positives, or the negatives, between two candidates; by label and falling.
    """

    x: NDArray[np.float64]
    label: NDArray[np.int64]
    positive: NDArray[np.float64]
    negative: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Places:
    """Where candidates and items lie, in log odds.

    Attributes
    ----------
    scale : Logit
    label : int64 (n_candidates,)
    at : float64 (n_candidates,)
        Each candidate; "never" is +inf.
    cut : float64 (n_candidates,)
        Halfway to the highest score below. "Never" lies just above the label's highest score, and a cut at its
        lowest just below, so that a mean of cuts is on the side of most of them.
    middle : float64 (n_candidates,)
        Where the negatives of the candidate's interval lie: halfway up to the highest score of it.
    top : float64 (n_candidates,)
        The highest score of the candidate's interval.
    fixed : bool (n_candidates,)
        Which candidates are there whatever the labels of the items.
    span : float64 (2, n_labels)
        Lowest and highest log odds of each label; 0 where a label has no item.
    """

    scale: Logit
    label: NDArray[np.int64]
    at: NDArray[np.float64]
    cut: NDArray[np.float64]
    middle: NDArray[np.float64]
    top: NDArray[np.float64]
    fixed: NDArray[np.bool_]
    span: tuple[NDArray[np.float64], NDArray[np.float64]]

    @classmethod
    def of(cls, curves: Curves, scale: Logit, few: NDArray[np.bool_]) -> Places:
        """Return the places of curves of all data; ``few`` tells the labels all of whose scores are candidates."""
        label, cuts, first = curves.label_of, curves.candidates.cuts, curves.offsets[:-1]
        never = ~np.isfinite(cuts)
        at = np.where(never, np.inf, scale.forward(np.where(never, 0.5, cuts), label))
        highest, lowest = curves.beneath[first], cuts[curves.offsets[1:] - 1]
        some = np.isfinite(highest) & np.isfinite(lowest)
        numbers = np.arange(curves.n_labels)
        low, high = (
            np.where(some, scale.forward(np.where(some, end, 0.5), numbers), 0.0) for end in (lowest, highest)
        )
        high = np.maximum(low, high)
        halved = halfway(cuts, curves.beneath, curves.dtype)
        cut = scale.forward(np.where(never, 0.5, halved), label)
        cut = np.where(never, high[label] + MARGIN, np.where(cut <= low[label], low[label] - MARGIN, cut))
        top = np.concatenate([[-np.inf], curves.beneath[:-1]])
        top = np.where(np.isfinite(top) & (top > cuts), top, cuts)
        upper = np.where(never, 0.0, scale.forward(np.where(never, 0.5, top), label))
        middle = np.where(never, 0.0, at) / 2 + upper / 2
        fixed = never | few[label] | (increments(curves)[0] == 0)
        fixed[curves.offsets[1:] - 1] = True
        return cls(scale, label, at, cut, middle, upper, fixed, (low, high))

    def kept(self, keep: NDArray[np.bool_], positive: NDArray[Any], negative: NDArray[Any]) -> Places:
        """Return the places of some of the candidates, for some of the items.

        The negatives of an interval move to their mean, and "never" to just above the highest of the items.
        """
        # The place of the next candidate that is kept, at or below.
        joined: NDArray[np.int64] = np.cumsum(keep) - keep.astype(np.int64)
        size = int(keep.sum())
        total = np.bincount(joined, negative, size)
        mean = np.bincount(joined, negative * self.middle, size) / np.where(total > 0, total, 1)
        middle = np.where(total > 0, mean, self.middle[keep])
        low, high = self.span[0], self.span[0].copy()
        some = np.flatnonzero((positive > 0) | (negative > 0))
        np.maximum.at(high, self.label[some], self.top[some])
        cut = np.where(np.isfinite(self.at), self.cut, (high + MARGIN)[self.label])[keep]
        return replace(
            self,
            label=self.label[keep],
            at=self.at[keep],
            cut=cut,
            middle=middle,
            top=self.top[keep],
            fixed=self.fixed[keep],
            span=(low, high),
        )


def increments(curves: Curves) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the positives and the negatives of each interval: at or above a cut and below the next higher."""
    first, parts = curves.offsets[:-1], []
    for cumulated in (curves.tp, curves.fp):
        change = np.diff(cumulated, prepend=cumulated[:1])
        change[first] = 0
        parts.append(change)
    return parts[0], parts[1]
