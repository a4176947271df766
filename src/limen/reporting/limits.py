"""Constraints as the page judges them after each move: coefficients of counts, ranges, groups and pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.constraints import Bound, Constraint, CountConstraint, SameThreshold, ThresholdRange, bind, of_spec
from limen.constraints.bound import Row, outcomes
from limen.decisions import CLOSED, THRESHOLD_RULE, Counts
from limen.errors import UnsupportedError
from limen.promises import Promise
from limen.reporting.encoding import packed
from limen.thresholds import Thresholds

SHARES = {
    "MinPrecision": ((1, 0, 0, 0), (0, 1, 0, 0), (0, 1), "wrong tag", "more"),
    "MinRecall": ((1, 0, 0, 0), (0, 0, 1, 0), (-1, -1), "right tag", "fewer"),
    "MaxFalsePositiveRate": ((-1, 1, 0, 0), (0, 0, -1, 1), (0, 1), "wrong tag", "more"),
    "MaxPredictions": ((0, 1, 0, 0), (0, 0, 0, 1), (0, 1), "tag", "more"),
    "MaxFalsePositives": ((-1, 1, 0, 0), (0, 0, 0, 1), (0, 1), "wrong tag", "more"),
    "MinPredictions": ((0, 1, 0, 0), (0, 0, 0, 1), (0, -1), "tag", "fewer"),
}
"""Of tp, pp, p, n: what is measured, a ratio; how one decision to the worse changes tp and pp; its name."""

TAGS = ("MaxPredictions", "MaxFalsePositives", "MinPredictions")
"""Those of which 1 % is meant where they are loosened, not a point."""


@dataclass(frozen=True, eq=False)
class Limits:
    """What the thresholds of a report must keep.

    Attributes
    ----------
    bound : Bound or None
        The constraints, put to the labels and the size of the report's data.
    entries : tuple of dict
        What is known of each besides, as `limen.Thresholds` has it; empty dicts if nothing is.
    excused : tuple of str
        Labels that are never given because they cannot keep them.
    own : bool
        Whether the thresholds were tuned under them; else the report was asked for them.
    """

    bound: Bound | None
    entries: tuple[dict[str, Any], ...] = ()
    excused: tuple[str, ...] = ()
    own: bool = True

    @classmethod
    def of(cls, thresholds: Thresholds, n_items: int, asked: Sequence[Constraint] | None) -> Limits:
        """Return the constraints that thresholds were tuned under, or those that the report is asked for instead.

        Raises
        ------
        UnsupportedError
            If decisions are asked to be closed, and those of the thresholds are not.
        """
        if asked is not None:
            if not asked:
                return cls(None, own=False)
            bound = bind(asked, thresholds.labels)
            if bound.closed and thresholds.rule == THRESHOLD_RULE:
                raise UnsupportedError(
                    "closed=True changes what items get, and these thresholds decide without it. Tune with the "
                    "closed hierarchy, or leave closed out to look at the thresholds alone."
                )
            return cls(bound, ({},) * len(bound.constraints), own=False)
        own = thresholds.bound()
        if own is None:
            return cls(None)
        excused = tuple(thresholds.details.get("never_by_constraint", []))
        return cls(own.scaled(n_items / thresholds.n_items), thresholds.constraints, excused)

    @property
    def constraints(self) -> list[Constraint]:
        """The constraints, with numbers of tags for the report's data."""
        bound = self.bound
        return [] if bound is None else [_resized(one, bound.share) for one in bound.constraints]

    def judged(self, counts: Counts, values: NDArray[Any]) -> list[dict[str, Any]]:
        """Return for each constraint whether it holds on the report's data, with all that is known of it."""
        if self.bound is None:
            return []
        found = outcomes(self.bound, counts, values, self.excused)
        return [known | new for known, new in zip(self.entries, found, strict=True)]

    def to_save(self) -> list[dict[str, Any]]:
        """Return what an edited file keeps of each; the page adds whether it holds."""
        return [{"constraint": str(one), "spec": one.spec, "holds": False} for one in self.constraints]

    def content(self, on_tuning_data: bool) -> dict[str, Any]:
        """Return what the page takes, as plain numbers, text and packed arrays.

        Parameters
        ----------
        on_tuning_data : bool
            Whether what a solver knew of the constraints is of these data.
        """
        if self.bound is None:
            return {"all": [], "excused": [], "groups": [], "own": self.own}
        number = {name: k for k, name in enumerate(self.bound.labels)}
        rows = {id(row.constraint): row for row in (*self.bound.rows, *self.bound.pooled)}
        found = []
        for constraint, entry in zip(self.bound.constraints, self.entries, strict=True):
            one: dict[str, Any] = {"said": str(constraint), "known": _known(entry) if on_tuning_data else None}
            if isinstance(constraint, CountConstraint):
                one |= _counted(rows[id(constraint)])
            elif isinstance(constraint, ThresholdRange):
                of = (
                    range(len(number))
                    if constraint.labels is None
                    else [number[name] for name in constraint.labels]
                )
                ends = (constraint.low, constraint.high)
                low, high = (end if np.isfinite(end) else None for end in ends)
                one |= {"kind": "range", "low": low, "high": high, "of": list(of)}
            elif isinstance(constraint, SameThreshold):
                one |= {"kind": "same", "of": [number[name] for name in constraint.labels]}
            else:
                edges = [(number[a], number[b]) for a, b in constraint.within(self.bound.labels)]
                one |= {"kind": "order", "edges": packed(np.array(edges, np.int64).ravel())}
            found.append(one)
        return {
            "all": found,
            "excused": [number[name] for name in self.excused if name in number],
            "groups": [list(group) for group in self.bound.groups],
            "own": self.own,
        }


def outlasts_edits(promise: Promise) -> bool:
    """Return whether a promise of a label stays when others are edited: it does if made for all labels at once.

    What is promised for all labels at once holds for any part of them; what holds for each by itself, for sums
    over labels or in expectation is of the thresholds as they were chosen, all of them.
    """
    return promise.per == "label" and promise.confidence is not None and promise.correction != "none"


def rule_for(thresholds: Thresholds | None, asked: Sequence[Constraint] | None, labels: Sequence[str]) -> str:
    """Return how thresholds decide: closed where theirs do, or where plain numbers are asked to."""
    if thresholds is not None:
        return thresholds.rule
    return bind(asked, labels).rule if asked else THRESHOLD_RULE


def is_shown(rule: str) -> bool:
    """Return whether each label has a cut under a rule: a closed hierarchy has, of raised scores."""
    return rule == THRESHOLD_RULE or rule.startswith(CLOSED)


def _counted(row: Row) -> dict[str, Any]:
    """Return a limit on counts: for each distinct value its terms, and which label has which."""
    constraint = row.constraint
    values, which = np.unique(row.limit, return_inverse=True)  # NaN, for none, is the last
    some = ~np.isnan(values)
    first = [int(np.flatnonzero(which == v)[0]) for v in np.flatnonzero(some)]
    above, below, one, noun, way = SHARES[constraint.name]
    constant = 0.0
    hours = getattr(constraint, "hours", None)
    if constraint.totals:
        below, constant = (0, 0, 0, 0), float(hours or 1) * row.share
    return {
        "kind": "pooled" if constraint.pooled else "counts",
        "noun": constraint.noun,
        "at_least": constraint.at_least,
        "percent": constraint.said(0.5).endswith("%"),
        "suffix": " an hour" if hours is not None else "",
        "values": values[some].tolist(),
        "terms": [[int(part[k]) for part in row.terms] for k in first],
        "which": packed(np.where(some[which], which + 1, 0)),
        "measured": [list(above), [*below, constant]],
        "scale": row.share if constraint.totals and hours is None else 1.0,
        "one": list(one),
        "decision": [noun, way],
    }


def _known(entry: dict[str, Any]) -> dict[str, Any] | None:
    """Return what a solver knew, as the page says it."""
    if "binds" not in entry:
        return None
    unit = "1 %" if entry["spec"]["name"] in TAGS else "1 point"
    price = f"{unit} looser gains {100 * entry.get('price', 0.0):.2g} points"
    return {"binds": bool(entry["binds"]), "for": len(entry.get("binds_for") or []), "price": price}


def _resized(constraint: Constraint, share: float) -> Constraint:
    """Return a constraint for data of a share of the size: numbers of tags shrink with it, or the hours."""
    if share == 1 or not isinstance(constraint, CountConstraint) or not constraint.totals:
        return constraint
    spec = dict(constraint.spec)
    if spec.get("hours") is not None:
        return of_spec(spec | {"hours": spec["hours"] * share})
    if isinstance(spec["per"], dict):
        spec["per"] = {name: value * share for name, value in spec["per"].items()}
    if spec.get("value") is not None:
        spec["value"] *= share
    return of_spec(spec)
