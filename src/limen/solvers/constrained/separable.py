"""The best choice for a sum over labels, under constraints on summed counts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from limen.solvers.constrained.nearby import nearby
from limen.solvers.constrained.pooled import TIGHT, Found, best_pooled
from limen.solvers.constrained.target import Pooled, Separable, improved

ROUNDS = 3
STEPS = 60


def best_separable(target: Separable, of_sums: Pooled) -> Found:
    """Return the best choice of a sum over labels that keeps the constraints, and a bound.

    ``of_sums`` looks for any choice that keeps them, where the prices find none.

    Notes
    -----
    Without constraints over all labels each unit (or tree) takes its best. Else each constraint gets a price; the
    sum of value and priced slack, made largest, is a bound at any prices, and the least such bound is
    sought: for one constraint by the crossing of the lines on both sides, exactly; for several, one price at a
    time. `improved` and `nearby` then close the gap from below and above.
    """
    n_prices = len(target.constants)
    prices = np.zeros(n_prices)
    first = target.units.best(target.adds[0])
    if first is None:
        return Found(None, -np.inf, -np.inf)
    if not n_prices or (target.slack(target.of(first)) >= 0).all():
        value = float(target.values(target.of(first)))
        return Found(first, value, value)
    choices, bound = [], np.inf
    for _ in range(1 if n_prices == 1 else ROUNDS):
        for k in range(n_prices):
            prices, bound, found = _priced(target, prices, k)
            choices += found
    best = max((improved(target, choice) for choice in choices[:-3:-1]), key=target.value)
    value = target.value(best)
    if value == -np.inf:
        start = best_pooled(of_sums)
        if start.choice is None:
            return start
        best = improved(target, start.choice)
        value = target.value(best)
    depth = bound - value
    share = 1.0
    while not target.enough(depth - TIGHT) and share > 1e-2 and not target.units.links:
        gains = target.adds[0] + prices @ target.adds[1:]
        deep = share * depth * (1 + 1e-9) + TIGHT
        near = nearby(target.units, target.adds, gains, deep, (1, 1) if n_prices == 1 else ())
        if near is None:
            share /= 32
            continue
        kept = np.flatnonzero((target.slack(near.sums) >= 0).all(axis=0))
        if len(kept):
            at = int(target.values(near.sums[:, kept]).argmax())
            choice = near.choice(int(kept[at]))
            if target.value(choice) > value:
                best, value = choice, target.value(choice)
        bound = bound - share * depth
        break
    return Found(best, value, bound if bound > value + TIGHT else value)


def _priced(
    target: Separable, prices: NDArray[np.float64], k: int
) -> tuple[NDArray[np.float64], float, list[NDArray[np.int64]]]:
    """Return the prices with the best one of constraint ``k``, the bound, and the choices on both sides of it."""
    prices = prices.copy()

    def at(price: float) -> tuple[NDArray[np.int64], float, float]:
        """Return the choice, and its bound as a line of the price: value at 0, and slope."""
        prices[k] = price
        choice = target.units.best(target.adds[0] + prices @ target.adds[1:])
        assert choice is not None
        sums, others = target.of(choice), np.delete(prices, k)
        slack = target.slack(sums)
        return choice, float(sums[0] + others @ np.delete(slack, k)), float(slack[k])

    low, high = 0.0, 0.0
    below = at(0.0)
    if below[2] >= 0:
        return _with(prices, k, 0.0), below[1], [below[0]]
    high = 1e-6
    above = at(high)
    while above[2] < 0 and high < 1e12:
        low, below, high = high, above, high * 16
        above = at(high)
    if above[2] < 0:
        return _with(prices, k, high), above[1] + high * above[2], [above[0]]
    bound, price = np.inf, high
    for _ in range(STEPS):
        if above[2] - below[2] <= 0:
            break
        crossing = min(max((below[1] - above[1]) / (above[2] - below[2]), low), high)
        reached = below[1] + crossing * below[2]
        new = at(crossing)
        value = new[1] + crossing * new[2]
        if value < bound:
            bound, price = value, crossing
        if value <= reached + TIGHT or crossing in (low, high):
            break
        if new[2] < 0:
            low, below = crossing, new
        else:
            high, above = crossing, new
    return _with(prices, k, price), bound, [below[0], above[0]]


def _with(prices: NDArray[np.float64], k: int, price: float) -> NDArray[np.float64]:
    changed = prices.copy()
    changed[k] = price
    return changed
