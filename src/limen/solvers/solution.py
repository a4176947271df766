"""What a solver found, and what it can prove."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen.curves import Curves
from limen.sources.blocks import Source

Status = Literal["optimal", "bounded", "local", "infeasible"]


class CrossFit(NamedTuple):
    """Items, and thresholds (n_labels,) for them that were tuned without them.

    Attributes
    ----------
    rows : int64 (n_rows,)
        Numbers of the items among all.
    source : Source
        Their scores and labels.
    values : float64 (n_labels,)
    rule : str
        How they decide.
    """

    rows: NDArray[np.int64]
    source: Source
    values: NDArray[np.float64]
    rule: str = ">="


class CrossCounts(NamedTuple):
    """Counts of parts of the items, by thresholds that were tuned without them, and by 0.5.

    Attributes
    ----------
    own, half : float64 (n_parts, 4, n_labels)
        tp, pp, p and n.
    """

    own: NDArray[np.float64]
    half: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Solution:
    """Thresholds as a solver found them, and what it can prove.

    Attributes
    ----------
    index : int64 (n_labels,), optional
        The chosen candidates of the problem's curves; or else
    values : float64 (n_labels,), optional
        the thresholds themselves.
    status : {"optimal", "bounded", "local", "infeasible"}
        Proven best; within ``upper_bound``; neither; or nothing meets what was asked.
    reason : str
        Why the status is no better, in a sentence; empty where there is nothing to say.
    upper_bound : float, optional
        No thresholds reach more on the tuning data.
    rule : str
        ``">="``, or a rule by item: ``"top-k:3"``, ``"mcut"``, ``"argmax"``, ``"expected-f:1"``.
    history : tuple of float
        The objective after each step of an iterative solver, as the solver saw it.
    cross_fit : tuple of CrossFit
        For each fold, thresholds tuned on the others; empty if the solver does not cross-fit.
    cross_counts : CrossCounts, optional
        What is known instead where only counts by fold are at hand.
    leans : bool
        Whether labels without a positive take what the others have in common.
    ranges : float64 (2, n_labels), optional
        Where the thresholds of other data of the same size lie, about.
    details : dict
        What was chosen, and why; plain numbers, text and lists.
    constraints : tuple of dict
        Of each constraint, what the solver knows of how it fared; plain numbers, text and lists.
    """

    index: NDArray[np.int64] | None = None
    values: NDArray[np.float64] | None = None
    status: Status = "local"
    reason: str = ""
    upper_bound: float | None = None
    rule: str = ">="
    history: tuple[float, ...] = ()
    cross_fit: tuple[CrossFit, ...] = ()
    cross_counts: CrossCounts | None = None
    leans: bool = False
    ranges: NDArray[np.float64] | None = None
    details: dict[str, Any] = field(default_factory=dict)
    constraints: tuple[dict[str, Any], ...] = ()


def proven(curves: Curves, index: NDArray[np.int64], value: float, history: tuple[float, ...] = ()) -> Solution:
    """Return the best candidates as optimal; as local if a better cut may lie between the candidates."""
    if not curves.conclusive:
        return Solution(index=index, history=history)
    return Solution(index=index, status="optimal", upper_bound=value, history=history)
