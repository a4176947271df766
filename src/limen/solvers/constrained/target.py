"""What is made large over units, as a function of sums, and what the sums must keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.constraints.bound import ROUNDING, Row
from limen.metrics import Metric
from limen.objectives import Objective
from limen.solvers.constrained.units import Units


@dataclass(frozen=True, eq=False)
class Target:
    """An objective and constraints of sums over units of what each candidate adds.

    Attributes
    ----------
    units : Units
    adds : int64 or float64 (n_sums, n_candidates)
        For a pooled objective tp and pp; else the value, and what each constraint over all labels gains.
    closing : bool
        Whether the gap between the best choice and the bound is worth closing.
    """

    units: Units
    adds: NDArray[Any]
    closing: bool = field(default=True, kw_only=True)

    def values(self, sums: NDArray[Any]) -> NDArray[np.float64]:
        """Return the objective of sums (n_sums, ...)."""
        raise NotImplementedError

    def slack(self, sums: NDArray[Any]) -> NDArray[Any]:
        """Return what must not be negative, (n_constraints, ...)."""
        raise NotImplementedError

    def of(self, choice: NDArray[np.int64]) -> NDArray[Any]:
        """Return the sums of a candidate for each unit."""
        return np.asarray(self.adds[:, choice].sum(axis=1))

    def value(self, choice: NDArray[np.int64]) -> float:
        """Return the objective of a candidate for each unit; -inf if they break a constraint."""
        sums = self.of(choice)
        return float(self.values(sums)) if (self.slack(sums) >= 0).all() else -np.inf

    def enough(self, gap: float) -> bool:
        """Return whether a gap is small enough: none in small problems, and `GAP` where candidates are many."""
        return not self.closing or gap <= (GAP if self.adds.shape[1] > MANY else 0.0)

    def missing(self, sums: NDArray[Any]) -> NDArray[np.float64]:
        """Return how much is missing to keep all constraints; 0 where they are kept."""
        slack = self.slack(sums)
        scale = np.maximum(np.abs(slack).max(axis=tuple(range(1, slack.ndim)), initial=0), 1e-300)
        short = np.maximum(-slack / scale.reshape(-1, *[1] * (slack.ndim - 1)), 0)
        return np.asarray(short.sum(axis=0))


@dataclass(frozen=True, eq=False)
class Pooled(Target):
    """A metric of the counts summed over labels."""

    metric: Metric
    zero_division: float
    p: Any
    n: Any
    rows: Sequence[Row]

    @classmethod
    def of_units(cls, units: Units, objective: Objective, rows: Sequence[Row], closing: bool = True) -> Pooled:
        """Return the target of a pooled objective."""
        curves = units.curves
        adds = np.stack([units.summed(curves.tp), units.summed(curves.pp)])
        p, n = curves.n_positive.sum(), curves.n_known.sum()
        return cls(units, adds, objective.metric, objective.zero_division, p, n, rows, closing=closing)

    def values(self, sums: NDArray[Any]) -> NDArray[np.float64]:
        """Return the metric of summed tp and pp."""
        return np.asarray(self.metric(sums[0], sums[1], self.p, self.n, self.zero_division))

    def slack(self, sums: NDArray[Any]) -> NDArray[Any]:
        """Return what must not be negative of summed tp and pp."""
        found = [row.slack(sums[0], sums[1], self.p, self.n) for row in self.rows]
        shape = np.shape(sums[0])
        return np.array([np.reshape(each, shape) for each in found]).reshape(len(found), *shape)


@dataclass(frozen=True, eq=False)
class Separable(Target):
    """A sum over labels of a value of each, and constraints over all labels."""

    constants: NDArray[np.float64]

    @classmethod
    def of_units(cls, units: Units, objective: Objective, rows: Sequence[Row], closing: bool = True) -> Separable:
        """Return the target of an objective that is a mean over labels, or a sum of costs."""
        curves = units.curves
        p, n, label = curves.n_positive, curves.n_known, curves.label_of
        # Costs by label add up over all decisions: each label's mean cost weighs as its items.
        weight = n / max(n.sum(), 1e-300) if objective.average == "micro" else objective.label_weights(p)
        values = objective.of_labels(curves.tp, curves.pp, p, n, label) * weight[label]
        adds, constants = [units.summed(values)], []
        for row in rows:
            of_tp, of_pp, of_p, of_n, constant = (float(part[0]) for part in row.terms)
            if row.reserve:
                without, of_one = (float(row.error(pp, p.sum(), n.sum())[0]) for pp in (0.0, 1.0))
                of_pp, constant = of_pp - row.reserve * (of_one - without), constant - row.reserve * without
            scale = max(abs(of_tp), abs(of_pp), 1e-300)
            gains = units.summed(of_tp * curves.tp + of_pp * curves.pp)
            total = of_p * float(p.sum()) + of_n * float(n.sum()) + constant
            size = abs(of_tp) * float(p.sum()) + abs(of_pp) * float(n.sum()) + abs(total)
            whole = curves.tp.dtype.kind == "i"
            adds.append(gains / scale)
            constants.append((total + (0.5 if whole else ROUNDING * size)) / scale)
        return cls(units, np.array(adds), np.array(constants), closing=closing)

    def values(self, sums: NDArray[Any]) -> NDArray[np.float64]:
        """Return the value."""
        return np.asarray(sums[0])

    def slack(self, sums: NDArray[Any]) -> NDArray[Any]:
        """Return what must not be negative."""
        return np.asarray(sums[1:] + self.constants.reshape(-1, *[1] * (sums.ndim - 1)))


def improved(target: Target, choice: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return a choice that keeps the constraints, or comes closer, and that no change of a unit improves.

    Of all changes of a single unit the best is made, up to `MOST` times (less often, where there are many
    candidates): first until nothing is missing, then as long as the value rises. Units of a hierarchy stay.
    """
    size = target.adds.shape[1]
    most = min(MOST, max(4, (1 << 18) // size)) if target.closing else max(1, min(4, (1 << 19) // size))
    units, unit_of = target.units, target.units.unit_of
    able = units.free[unit_of]
    choice = choice.copy()
    for _ in range(most):
        sums = target.of(choice)[:, np.newaxis]
        tried = (sums - target.adds[:, choice])[:, unit_of] + target.adds
        every = np.concatenate([sums, tried], axis=1)
        short = target.missing(every)
        now, short = short[0], np.where(able, short[1:], np.inf)
        least = short.min()
        if not np.isfinite(least) or (now > 0 and not least < now):
            return choice
        near = np.flatnonzero(short == least)
        values = target.values(tried[:, near])
        at = int(values.argmax())
        if now == 0 and not values[at] > float(target.values(sums[:, 0])) + RISE:
            return choice
        choice[unit_of[near[at]]] = near[at]
    return choice


MOST = 64
GAP, MANY = 5e-5, 1 << 15
"""With so many candidates a gap of so much is left: it is told, and costs more to close than it is worth."""
RISE = 1e-14
"""Less is rounding."""
