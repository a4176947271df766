"""Bets that a share is above a limit: they may be looked at after every check, for ever."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

STEPS = 0.1 * 2.0 ** np.arange(7)
"""How far above the limit, in log odds, the shares lie that stakes are best for."""
NEVER_LOG = 300.0
"""No e-value is taken for more than e to this."""


def favoured(limit: Any) -> NDArray[np.float64]:
    """Return, for limits (...), the shares above them that stakes are best for (..., n_stakes)."""
    odds = np.log(np.asarray(limit, np.float64)) - np.log1p(-np.asarray(limit, np.float64))
    return np.asarray(1 / (1 + np.exp(-(odds[..., np.newaxis] + STEPS))))


def stakes(limit: Any) -> NDArray[np.float64]:
    """Return the stake of each share that is favoured, (..., n_stakes): no unit takes more than all."""
    of = np.asarray(limit, np.float64)[..., np.newaxis]
    return np.asarray((favoured(limit) - of) / (of * (1 - of)))


def growth_of_counts(bad: Any, size: Any, limit: Any) -> NDArray[np.float64]:
    """Return the logarithm of what each stake grows to over single pairs, (..., n_stakes).

    Parameters
    ----------
    bad, size : int or float (...)
        Of ``size`` pairs, so many are bad. A pair multiplies a stake by share / limit if it is bad, and by
        (1 - share) / (1 - limit) if not: the likelihood ratio of the share to the limit.
    limit : float (...), between 0 and 1
    """
    share, of = favoured(limit), np.asarray(limit, np.float64)[..., np.newaxis]
    good = np.asarray(size, np.float64) - bad
    return np.asarray(
        np.asarray(bad, np.float64)[..., np.newaxis] * (np.log(share) - np.log(of))
        + good[..., np.newaxis] * (np.log1p(-share) - np.log1p(-of))
    )


def growth_of_units(
    bad: NDArray[Any], size: NDArray[Any], limit: NDArray[np.float64], largest: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the logarithm of what each stake grows to over units that hold several pairs, (n_checks, n_stakes).

    Parameters
    ----------
    bad, size : float (n_units, n_checks)
    limit, largest : float64 (n_checks,)
        A unit that holds more than ``largest`` counts as if it held so many.

    Notes
    -----
    A unit multiplies a stake b by 1 + b * (bad - limit * size) / largest, whose mean is at most 1 while the share
    of bad pairs is at most the limit, however pairs of a unit depend on each other: the kernel of the promises,
    which bets on precision, with the roles of right and wrong exchanged.
    """
    from limen._kernels import betting as kernels

    found = np.zeros((bad.shape[1], len(STEPS)))
    staked = stakes(limit) / largest[:, np.newaxis]
    for k in range(bad.shape[1]):
        units = np.flatnonzero(size[:, k] > 0)
        sums = np.ascontiguousarray([bad[:, k], size[:, k] - bad[:, k]], np.float64)
        args = (float(limit[k]), sums, sums, units, staked[k], float(largest[k]), found[k])
        kernels.growth(kernels.PRECISION, *args)
    return found


def begun(number: Any) -> Any:
    """Return the part of the money that is put in at check ``number``, from 1; all parts make 1.

    It falls as the number to the power 1.5: a drift that begins at check t costs 1.5 log t of evidence. Money all
    put in at the first check would have to win back what it lost until then.
    """
    return number**-0.5 - (number + 1) ** -0.5


def grown(logs: NDArray[np.float64], growth: NDArray[np.float64], number: int) -> NDArray[np.float64]:
    """Return the logarithm of the money at each stake after check ``number``; ``logs`` (..., n_stakes): before."""
    return np.asarray(np.logaddexp(logs, np.log(begun(number) / len(STEPS))) + growth)


def evidence(logs: NDArray[np.float64], number: int) -> NDArray[np.float64]:
    """Return the logarithm of all money after ``number`` checks (...), put in or not yet: an e-value."""
    top = np.maximum(logs.max(axis=-1), 0.0)
    total = np.exp(logs - top[..., np.newaxis]).sum(axis=-1) + (number + 1) ** -0.5 * np.exp(-top)
    return np.asarray(np.minimum(top + np.log(total), NEVER_LOG))


def together(log_e: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the logarithm of the weighted mean of e-values (..., n): an e-value of "all of them hold"."""
    top = log_e.max(axis=-1)
    return np.asarray(top + np.log((weight * np.exp(log_e - top[..., np.newaxis])).sum(axis=-1)))


def each_by_itself(log_e: NDArray[np.float64], weight: NDArray[np.float64], level: float) -> NDArray[np.float64]:
    """Return the logarithm of the e-value of each, adjusted for there being so many (n,), by closed testing.

    Parameters
    ----------
    log_e, weight : float64 (n,)
    level : float
        Only those that reach 1 / level by themselves are looked at; the others keep -inf.

    Notes
    -----
    The least weighted mean over all sets that hold it (Vovk & Wang 2021, section 5, with weights): among the
    others those with the lowest e-values. That any check which keeps its limit reaches 1 / level, at any time, has
    a chance of at most ``level``.
    """
    found = np.full(len(log_e), -np.inf)
    order = np.argsort(log_e, kind="stable")
    e, w = np.exp(log_e[order]), weight[order]
    weights, sums = np.concatenate([[0], np.cumsum(w)]), np.concatenate([[0], np.cumsum(w * e)])
    for place in np.flatnonzero(log_e[order] >= -np.log(level)):
        means = (w[place] * e[place] + sums[: place + 1]) / (w[place] + weights[: place + 1])
        found[order[place]] = np.log(means.min())
    return found
