"""What tuning data leave open: where the rate of a cut may lie, whichever of all cuts was chosen."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Range(NamedTuple):
    """Where rates may lie, float64 (n,) each."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]


def range_of(given: Any, number: Any, error: float, group_size: float = 1.0) -> Range:
    """Return the range of the rate with which items lie at or above a cut that was chosen on them.

    Parameters
    ----------
    given : int (n,)
        So many of the items lie at or above the cut.
    number : int (n,)
        Items that it was chosen on.
    error : float
        The chance that the true rate lies below the range, and the chance that it lies above, for each of the n
        by itself; however the cut was chosen.
    group_size : float
        The most items of one group, if items of a group depend on each other.

    Notes
    -----
    For a cut fixed beforehand the bound is that of Chernoff: n * kl(found, rate) = log(1 / error), with
    n / group_size for n. A chosen cut has one of n + 1 ranks, and rank r has its own part of the error, in
    proportion to 1 / (r + 1). That is enough for all cuts at once: if a cut of rank r has a rate above the bound,
    then the fixed cut whose rate is the bound has at most r items, which has the chance of rank r.
    """
    r, n = np.asarray(given, np.float64), np.asarray(number, np.float64)
    harmonic = np.log(n + 1) + 1  # at least 1 + 1/2 + ... + 1/(n + 1)
    evidence = (np.log(harmonic * (r + 1)) - np.log(error)) * group_size
    found = np.divide(r, n, out=np.zeros_like(r + n), where=n > 0)
    per_item = np.divide(evidence, n, out=np.full_like(found, np.inf), where=n > 0)
    low = _reached(found, per_item, np.zeros_like(found))
    high = _reached(found, per_item, np.ones_like(found))
    return Range(low, high)


def _reached(
    found: NDArray[np.float64], evidence: NDArray[np.float64], end: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the rate between ``found`` and ``end`` that is so much evidence away: by bisection."""
    near, far = found.copy(), end.copy()
    for _ in range(60):
        middle = (near + far) / 2
        beyond = _divergence(found, middle) >= evidence
        near, far = np.where(beyond, near, middle), np.where(beyond, middle, far)
    return far


def _divergence(p: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the divergence of Bernoulli variables, kl(p, q)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        right = np.where(p > 0, p * (np.log(p) - np.log(q)), 0.0)
        wrong = np.where(p < 1, (1 - p) * (np.log1p(-p) - np.log1p(-q)), 0.0)
    return np.asarray(right + wrong)
