"""A promise for the tags of all labels together: a nested family of threshold vectors, walked on other data."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen.curves import Curves
from limen.data import Data
from limen.guarantees.betting import KINDS, NEARLY, Units, evidence, stakes_of, worst_of
from limen.solvers.frontier import Walk

MEMBERS = 64


class Family(NamedTuple):
    """Nested threshold vectors, strict to lenient, and how units fare.

    Attributes
    ----------
    values : ndarray (n_members, n_labels)
    given : float64 (n_members, 2, n_units)
        True and false positives of each unit at each member.
    totals : float64 (2, n_units)
        Its positives and negatives.
    """

    values: NDArray[np.float64]
    given: NDArray[np.float64]
    totals: NDArray[np.float64]


class Bets(NamedTuple):
    """Of each member (n_members,): the logarithm of an e-value, the largest unit that counts whole, the growth.

    The last is what the fitted part promises for each unit, less its doubt; -inf where it stakes nothing.
    """

    logs: NDArray[np.float64]
    largest: NDArray[np.float64]
    promised: NDArray[np.float64]


def members_of(data: Data, fitted: Units) -> NDArray[np.float64]:
    """Return some points of the frontier of the fitted units, and a last that gives every label to every item.

    Evenly by the logarithm of the number of tags given.
    """
    rows = np.flatnonzero(fitted.unit >= 0)
    curves = Curves.from_source(data.source.take(rows))
    walk = Walk.of(curves)
    wanted = np.geomspace(1, max(float(walk.pp[-1]), 1.0), MEMBERS)
    points = np.unique(np.minimum(np.searchsorted(walk.pp, wanted), len(walk.pp) - 1))
    values = [curves.thresholds(walk.index(curves, int(point))) for point in points]
    everything = np.full(curves.n_labels, np.finfo(curves.dtype).min)
    return np.stack([*values, everything]).astype(curves.candidates.cuts.dtype)


def family_on(data: Data, values: NDArray[np.float64], units: Units) -> Family:
    """Return a family, and how the units fare with each member: one pass over the data."""
    from limen._kernels import betting as kernels

    entered, totals = np.zeros((len(values) + 1, 2, units.number)), np.zeros((2, units.number))
    columns, row = np.ascontiguousarray(values.T), 0
    for block in data.source.dense_blocks():
        own = units.unit[row : row + len(block.scores)]
        weight = np.ascontiguousarray(block.weight, np.float64)
        kernels.entries(block.scores, block.truth, weight, own, columns, (entered, totals))
        row += len(block.scores)
    return Family(values, np.cumsum(entered[:-1], axis=0), totals)


def bets(fit: Family, test: Family, kind: str, share: float, *, roomy: bool = False) -> Bets:
    """Return what the units of ``test`` say of each member, with the stakes that those of ``fit`` choose.

    ``roomy``: units count whole up to the size at which the largest stake could lose everything, which may be
    more than any of the fitted part holds, and costs nothing.
    """
    from limen._kernels import betting as kernels

    code, n_members = KINDS.index(kind), len(fit.values)
    found = np.zeros((n_members, 5))
    for given, out in zip(fit.given, found, strict=True):
        kernels.moments(code, share, given, fit.totals, np.arange(fit.totals.shape[1]), out)
    stakes, largest, promised = stakes_of(kind, share, found, fit.totals.shape[1])
    if roomy:
        top = np.where(stakes.max(axis=1) > 0, stakes.max(axis=1), np.inf)
        largest = np.maximum(largest, np.floor(NEARLY / (worst_of(kind, share) * top)))
    logs, units = np.zeros(stakes.shape), np.arange(test.totals.shape[1])
    for given, stake, most, out in zip(test.given, stakes, largest, logs, strict=True):
        if most > 0:
            kernels.growth(code, share, given, test.totals, units, stake, most, out)
    return Bets(evidence(logs), largest, np.where(stakes.max(axis=1) > 0, promised, -np.inf))


def proven_members(
    fit: Family, test: Family, kind: str, share: float, level: float
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return the members that keep a promise, and for each the largest unit that counts whole (n_members,).

    Notes
    -----
    The family, the stakes and the first member come from the fitted part alone; on the others each member is
    tested once at the whole level, and the walk stops at the first that fails (a fixed sequence).
    """
    logs, largest, promised = bets(fit, test, kind, share)
    n_members, passes = len(fit.values), logs >= -np.log(level)
    kept = np.zeros(n_members, bool)
    if kind == "recall":
        path = np.arange(n_members)[::-1]
    elif kind == "false_positive_rate":
        path = np.arange(n_members)
    else:
        path = np.arange(int(promised.argmax()), n_members) if promised.max() > 0 else np.arange(0)
    kept[path] = np.logical_and.accumulate(passes[path])
    return kept, largest


def members_in_expectation(test: Family, kind: str, share: float) -> NDArray[np.bool_]:
    """Return the members whose recall (false-positive rate) of an item is kept in expectation over items.

    Conformal risk control: the loss of an item is the share of its labels that are missed (of its other labels
    that are given), between 0 and 1, and falls (rises) along the family. Items without any such label are left
    out.
    """
    row = 0 if kind == "recall" else 1
    some = test.totals[row] > 0
    parts = test.given[:, row, some] / test.totals[row, some]
    n = int(some.sum())
    if kind == "recall":
        return np.asarray((1 - parts).sum(axis=1) + 1 <= (1 - share) * (n + 1) + 1e-12)
    return np.asarray(parts.sum(axis=1) + 1 <= share * (n + 1) + 1e-12)
