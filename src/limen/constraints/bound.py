"""Constraints put to the labels of some data: rows of coefficients, ranges, groups, trees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from limen.constraints.counts import EXACT, CountConstraint, MaxPredictions, MinPredictions, Terms
from limen.constraints.shapes import AtMost, Hierarchy, SameThreshold, ThresholdRange, circle_of
from limen.errors import InputError, count, examples
from limen.names import beyond

Infeasible = Literal["error", "never", "status"]
Constraint = CountConstraint | ThresholdRange | SameThreshold | AtMost | Hierarchy
ROUNDING = 1e-12
"""Sums of weights are rounded: so much of what is compared may be missing."""


@dataclass(frozen=True, eq=False)
class Row:
    """One constraint on counts with its coefficients.

    Attributes
    ----------
    constraint : CountConstraint
    limit : float64 (n_labels,)
        The value for each label; NaN where it has none. For all labels together (1,).
    terms : Terms of int64 (n_labels,), or (1,)
    reserve : float
        How far, in standard errors of what is limited, the limit was moved to the strict side.
    share : float
        Size of the data, of those that numbers of tags are meant for.
    given : float, optional
        Tags by which that of a precision is reckoned, so that the limit stays linear; if left out, by those of the
        counts in hand.
    """

    constraint: CountConstraint
    limit: NDArray[np.float64]
    terms: Terms
    reserve: float = 0.0
    share: float = 1.0
    given: float | None = None

    @classmethod
    def of(
        cls,
        constraint: CountConstraint,
        limit: NDArray[np.float64],
        reserve: float = 0.0,
        share: float = 1.0,
        given: float | None = None,
    ) -> Row:
        """Return the row of limits; ``share`` is the size of the data, of those that totals are meant for."""
        some = np.flatnonzero(~np.isnan(limit))
        columns: NDArray[Any] = np.zeros((5, len(limit)), np.int64)
        values, which = np.unique(limit[some], return_inverse=True)
        for k, value in enumerate(values.tolist()):
            terms = constraint.terms(value)
            if share != 1 and terms.constant:
                # Tags for so much of the data: of_pp * pp + constant * share, in whole numbers.
                ratio = (Fraction(share) * terms.constant / abs(terms.of_pp)).limit_denominator(EXACT)
                sign = 1 if terms.of_pp > 0 else -1
                of_tp = sign * ratio.denominator if terms.of_tp else 0
                terms = Terms(-of_tp, sign * ratio.denominator, 0, 0, ratio.numerator)
            columns[:, some[which == k]] = np.array(terms)[:, np.newaxis]
        return cls(constraint, limit, Terms(*columns), reserve, share, given)

    def measured(self, *counts: Any) -> Any:
        """Return what is limited, of tp, pp, p and n, as float64; numbers of tags as on all of the data."""
        found = self.constraint.measured(*counts)
        return found / self.share if self.constraint.totals else found

    @property
    def applies(self) -> NDArray[np.bool_]:
        """Which labels it limits, (n_labels,)."""
        return ~np.isnan(self.limit)

    def error(self, pp: Any, p: Any, n: Any, label_of: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
        """Return the standard error of the slack of independent items, elementwise, where it is 0."""
        limit, unit = self.limit, np.maximum(np.abs(self.terms.of_tp), np.abs(self.terms.of_pp))
        if label_of is not None and len(limit) > 1:
            limit, unit, p, n = limit[label_of], unit[label_of], p[label_of], n[label_of]
        by = pp if self.given is None else self.given
        error = unit * np.sqrt(np.nan_to_num(np.maximum(self.constraint.variance(limit, by, p, n, self.share), 0)))
        return np.asarray(error * pp / self.given if self.given and self.constraint.of_given else error)

    def slack(self, tp: Any, pp: Any, p: Any, n: Any, label_of: NDArray[np.int64] | None = None) -> NDArray[Any]:
        """Return what must not be negative, elementwise; ``label_of`` says the label of each element of tp.

        Whole counts give whole numbers. Sums of weights get what rounding may have taken.
        """
        of_tp, of_pp, of_p, of_n, constant = self.terms
        totals = of_p * p + of_n * n + constant
        same = all((part == part[0]).all() for part in (of_tp, of_pp))
        if same:
            of_tp, of_pp = of_tp[0], of_pp[0]
        if label_of is not None and len(self.limit) > 1:
            totals = totals[label_of]
            if not same:
                of_tp, of_pp = of_tp[label_of], of_pp[label_of]
        if self.reserve:
            totals = totals - self.reserve * self.error(pp, p, n, label_of)
        found = of_tp * tp + of_pp * pp + totals
        if np.asarray(found).dtype.kind != "f":
            return np.asarray(found)
        size = abs(of_tp) * np.abs(tp) + abs(of_pp) * np.abs(pp) + np.abs(totals)
        return np.asarray(found + ROUNDING * size)


@dataclass(frozen=True, eq=False)
class Bound:
    """Constraints, for the labels of some data.

    Attributes
    ----------
    labels : tuple of n_labels str
    constraints : tuple of constraints
    rows, pooled : tuple of Row
        Limits on the counts of each label, and on those of all together.
    low, high : float64 (n_labels,)
        Range of each threshold.
    groups : tuple of tuples of label numbers
        Labels that share a threshold; disjoint.
    edges : tuple of (parent, child)
        Label numbers.
    closed : tuple of (parent, child)
        Those that decisions must keep too.
    infeasible : {"error", "never", "status"}
        What becomes of what cannot be met.
    share : float
        Size of the data, of those that totals are for.
    """

    labels: tuple[str, ...]
    constraints: tuple[Constraint, ...]
    rows: tuple[Row, ...]
    pooled: tuple[Row, ...]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    groups: tuple[tuple[int, ...], ...]
    edges: tuple[tuple[int, int], ...]
    closed: tuple[tuple[int, int], ...]
    infeasible: Infeasible = "error"
    share: float = 1.0

    @property
    def ranged(self) -> bool:
        """Whether any threshold has a range."""
        return bool(np.isfinite(self.low).any() or np.isfinite(self.high).any())

    @property
    def linked(self) -> bool:
        """Whether thresholds of several labels depend on each other."""
        return bool(self.groups or self.edges)

    @cached_property
    def rule(self) -> str:
        """How decisions are made: by thresholds, or with the closure of a hierarchy."""
        return ">=" if not self.closed else closed_rule(self.closed)

    def scaled(self, share: float) -> Bound:
        """Return the constraints for data of a share of the size."""
        by_label, pooled = (
            tuple(Row.of(row.constraint, row.limit, row.reserve, share, row.given) for row in rows)
            for rows in (self.rows, self.pooled)
        )
        return replace(self, rows=by_label, pooled=pooled, share=share)

    def reserved(self, reserves: Sequence[float], given: float | None = None) -> Bound:
        """Return the constraints with a reserve for each row, those over all labels for so many tags ``given``."""
        by_row = iter(reserves)
        by_label = tuple(replace(row, reserve=next(by_row)) for row in self.rows)
        pooled = tuple(replace(row, reserve=next(by_row), given=given) for row in self.pooled)
        return replace(self, rows=by_label, pooled=pooled)

    def without(self, constraint: Constraint) -> Bound | None:
        """Return the other constraints; None if there are none."""
        others = [other for other in self.constraints if other is not constraint]
        return bind(others, self.labels, self.infeasible).scaled(self.share) if others else None


def bind(constraints: Sequence[Any], labels: Sequence[str], infeasible: Any = "error") -> Bound:
    """Return the constraints put to these labels.

    Raises
    ------
    InputError
        If one is no constraint, names a label that there is not, or contradicts another.
    """
    if infeasible not in ("error", "never", "status"):
        raise InputError(f"infeasible={infeasible!r} is unknown. Use 'error', 'never' or 'status'.")
    if isinstance(constraints, Constraint):
        constraints = [constraints]
    labels, n_labels = tuple(labels), len(labels)
    number = {name: k for k, name in enumerate(labels)}
    rows, pooled = [], []
    low, high = np.full(n_labels, -np.inf), np.full(n_labels, np.inf)
    same: list[set[int]] = []
    edges: dict[tuple[int, int], bool] = {}
    for constraint in constraints:
        if not isinstance(constraint, Constraint):
            raise InputError(
                f"constraints has a {type(constraint).__name__} ({str(constraint)[:60]!r}). Use the classes of "
                "limen.constraints, like MinPrecision(0.9)."
            )
        if isinstance(constraint, CountConstraint):
            if constraint.pooled:
                pooled.append(Row.of(constraint, np.array([constraint.value], np.float64)))
                continue
            named = constraint.named
            _known(named, number, constraint)
            limit = np.full(n_labels, np.nan if constraint.value is None else constraint.value, np.float64)
            limit[[number[name] for name in named]] = list(named.values())
            rows.append(Row.of(constraint, limit))
        elif isinstance(constraint, ThresholdRange):
            _known(constraint.labels or (), number, constraint)
            own = [number[name] for name in constraint.labels or labels]
            low[own], high[own] = np.maximum(low[own], constraint.low), np.minimum(high[own], constraint.high)
        elif isinstance(constraint, SameThreshold):
            _known(constraint.labels, number, constraint)
            group = {number[name] for name in constraint.labels}
            apart = [other for other in same if not other & group]
            same = [*apart, group.union(*(other for other in same if other & group))]
        else:
            for pair in constraint.within(labels):
                edge = number[pair[0]], number[pair[1]]
                edges[edge] = edges.get(edge, False) or constraint.closed
    _check_ranges(labels, low, high)
    _check_counts(labels, rows, pooled)
    leader = {k: min(group) for group in same for k in group}
    between = [(leader.get(a, a), leader.get(b, b)) for a, b in edges]
    if circle := circle_of((a, b) for a, b in between if a != b):
        raise InputError(
            f"the hierarchy of labels runs in a circle: {' > '.join(repr(labels[k]) for k in circle)}. Leave one "
            "of its pairs out, or give these labels one threshold (SameThreshold)."
        )
    closed = tuple(edge for edge, both in edges.items() if both)
    if circle := circle_of(closed):
        raise InputError(
            f"{' > '.join(repr(labels[k]) for k in circle)} is closed in a circle. Leave one pair out."
        )
    return Bound(
        labels,
        tuple(constraints),
        tuple(rows),
        tuple(pooled),
        low,
        high,
        tuple(tuple(sorted(group)) for group in sorted(same, key=min)),
        tuple(edges),
        closed,
        infeasible,
    )


def outcomes(
    bound: Bound, counts: Sequence[Any], values: NDArray[Any], excused: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Return, for each constraint, what it is and whether it holds, in plain numbers and text.

    Parameters
    ----------
    bound : Bound
    counts : tp, pp, p and n by label
    values : array (n_labels,)
        The thresholds.
    excused : sequence of str
        Labels that are never given because they cannot keep their constraints; they need not. Each constraint
        names in ``excused`` those that would break it.
    """
    rows = {id(row.constraint): row for row in (*bound.rows, *bound.pooled)}
    found = []
    for constraint in bound.constraints:
        entry: dict[str, Any] = {"constraint": str(constraint), "spec": constraint.spec}
        if isinstance(constraint, CountConstraint):
            entry |= outcome(rows[id(constraint)], counts, bound.labels, excused)
        else:
            entry["holds"] = shaped(constraint, bound.labels, values, excused)
            if others := _excused_shape(constraint, bound.labels, values, excused):
                entry["excused"] = others
        found.append(entry)
    return found


def outcome(row: Row, counts: Sequence[Any], labels: Sequence[str], excused: Sequence[str] = ()) -> dict[str, Any]:
    """Return whether a constraint holds for counts by label, what was measured, and the labels that break it.

    Labels that are ``excused`` need not keep it. ``nearest`` is the label closest to its limit, or furthest
    beyond.
    """
    if row.constraint.pooled:
        summed = [part.sum() for part in counts]
        value = float(row.measured(*summed))
        return {
            "holds": bool((row.slack(*summed) >= 0).all()),
            "measured": None if np.isnan(value) else value,
            "said": "" if np.isnan(value) else row.constraint.said(value),
        }
    broken = row.applies & (row.slack(*counts) < 0)
    free = np.isin(labels, list(excused))
    spared, broken = broken & free, broken & ~free
    measured = np.asarray(row.measured(*counts), np.float64)
    some = row.applies & ~np.isnan(measured) & ~free
    room = (measured - row.limit) * (1 if row.constraint.at_least else -1)
    at = int(np.where(some, room, np.inf).argmin())
    return {
        "holds": not bool(broken.any()),
        "broken_by": [labels[k] for k in np.flatnonzero(broken).tolist()],
        "nearest": None if not some.any() else [labels[at], float(measured[at])],
    } | ({"excused": [labels[k] for k in np.flatnonzero(spared).tolist()]} if spared.any() else {})


def shaped(
    constraint: Constraint, labels: Sequence[str], values: NDArray[Any], excused: Sequence[str] = ()
) -> bool:
    """Return whether thresholds (n_labels,) keep a constraint on themselves; labels ``excused`` need not."""
    of = dict(zip(labels, values.tolist(), strict=True))
    if isinstance(constraint, ThresholdRange):
        own = [of[name] for name in constraint.labels or labels if name not in excused]
        return all(constraint.low <= value <= constraint.high for value in own)
    if isinstance(constraint, SameThreshold):
        return len({of[name] for name in constraint.labels if name not in excused}) <= 1
    assert isinstance(constraint, AtMost | Hierarchy)
    return all(of[parent] <= of[child] for parent, child in constraint.within(labels))


def _excused_shape(
    constraint: Constraint, labels: Sequence[str], values: NDArray[Any], excused: Sequence[str]
) -> list[str]:
    """Return the labels, excused of a constraint on thresholds, without which it would not hold."""
    if shaped(constraint, labels, values) or isinstance(constraint, AtMost | Hierarchy | CountConstraint):
        return []
    own = set(constraint.labels or labels)
    return [name for name in excused if name in own]


def closed_rule(edges: Sequence[tuple[int, int]]) -> str:
    """Return the rule by which a child, by its number, given means the parent given: "closed:child>parent,..."."""
    return "closed:" + ",".join(f"{child}>{parent}" for parent, child in edges)


def _known(names: Any, number: dict[str, int], constraint: Constraint) -> None:
    if unknown := beyond(names, number):
        raise InputError(
            f"{constraint.name} names {examples(unknown)}, and the data have no such label. They have "
            f"{examples(number, most=3)}."
        )


def _check_ranges(labels: tuple[str, ...], low: NDArray[np.float64], high: NDArray[np.float64]) -> None:
    if len(empty := np.flatnonzero(low > high)):
        k = int(empty[0])
        raise InputError(
            f"the threshold ranges leave nothing for {count(len(empty), 'label')}: {labels[k]!r} must be from "
            f"{low[k]:g} and up to {high[k]:g}. Widen one of them."
        )


def _check_counts(labels: tuple[str, ...], rows: list[Row], pooled: list[Row]) -> None:
    """Refuse a least number of tags above the greatest, in the same unit."""
    for group, whose in ((rows, labels), (pooled, ("all labels",))):
        for least in group:
            for most in group:
                pair = least.constraint, most.constraint
                if not (isinstance(pair[0], MinPredictions) and isinstance(pair[1], MaxPredictions)):
                    continue
                if (pair[0].rate is None, pair[0].hours) != (pair[1].rate is None, pair[1].hours):
                    continue
                if len(wrong := np.flatnonzero(least.limit > most.limit)):
                    k = int(wrong[0])
                    raise InputError(
                        f"{whose[k]!r} must get at least {pair[0].said(least.limit[k])} tags and at most "
                        f"{pair[1].said(most.limit[k])}. Change one of them."
                    )
