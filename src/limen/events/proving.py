"""Which members of the paths keep a promise, by bets of units that had no part in choosing them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from limen.decisions import Counts
from limen.errors import percent
from limen.events.paths import Counted
from limen.guarantees.betting import Tested, walked
from limen.guarantees.pooled import bets
from limen.guarantees.sharing import Kept, shared_by, walked_all
from limen.promises import NOUNS, numbers, said_limit

SURE = 0.5
"""A walk begins where the growth that the fitted units promise is this part of the largest: several promises then
have more members in common."""


@dataclass(frozen=True, eq=False)
class Proven:
    """What was proven of each row (a label, or all).

    Attributes
    ----------
    kept : bool (n_rows, n_members)
        Which members keep all that is promised.
    tested : dict
        By kind, what was found for each row.
    why : dict
        For each row without one, why, and what would do.
    """

    kept: NDArray[np.bool_]
    tested: dict[str, list[Tested]]
    why: dict[str, str]

    def largest(self, at: NDArray[np.int64]) -> dict[str, tuple[float, ...]]:
        """Return, for each kind and each row with a member ``at``, the largest unit that counts whole."""
        return {
            kind: tuple(float(one.largest[j]) for one, j in zip(rows, at.tolist(), strict=True) if j >= 0)
            for kind, rows in self.tested.items()
        }


def proven(
    counted: Counted,
    size: NDArray[np.int64],
    names: tuple[str, ...],
    asked: dict[str, float],
    confidence: float,
    correction: str | Mapping[str, float],
) -> Proven:
    """Return which members of each row keep all that is promised.

    Notes
    -----
    The walk begins at the strictest member of which the fitted units promise nearly as much as of any, and goes to
    more lenient ones; for recall at the most lenient, and to stricter ones. Each is tested at the whole level of
    its row until one fails: a fixed sequence, since members, their order, the beginning and the stakes come from
    the fitted units alone. Rows of which these promise nothing are not tested, and have no part of the error.
    """
    n_rows, n_members = len(names), counted.tp.shape[1]
    tested = {kind: [_tested(counted, k, int(size[k]), kind, share) for k in range(n_rows)]
              for kind, share in asked.items()}  # fmt: skip
    hopeful = np.logical_and.reduce([[one.begin >= 0 for one in rows] for rows in tested.values()])
    kept, levels = np.zeros((n_rows, n_members), bool), np.zeros(n_rows)
    shared = shared_by(correction, names, np.ones(n_rows, bool), confidence)
    shared.weight = shared.weight * hopeful

    def test(level: NDArray[np.float64]) -> list[Kept]:
        found = []
        for kind, rows in tested.items():
            part, ends = np.zeros((n_rows, n_members), bool), np.zeros(n_rows, bool)
            for k, one in enumerate(rows):
                part[k, : len(one.cuts)], ends[k] = walked(one, kind, level[k])
            found.append((part, ends))
        return found

    if hopeful.any():
        kept, levels = walked_all(shared, len(asked), test)
    short = np.flatnonzero(~kept.any(axis=1)).tolist()
    why = {
        names[k]: _reason(counted, k, {kind: rows[k] for kind, rows in tested.items()}, asked, levels[k])
        for k in short
    }
    return Proven(kept, tested, why)


def _tested(counted: Counted, row: int, size: int, kind: str, share: float) -> Tested:
    if not size:
        return Tested(np.zeros(0), np.zeros(0), np.zeros(0), -1)
    fit, test = counted.families(row, size)
    found = bets(fit, test, kind, share, roomy=True)
    staked = np.isfinite(found.promised)
    if not staked.any():
        return Tested(np.arange(size), found.logs, found.largest, -1)
    top = found.promised.max()
    sure = np.flatnonzero(found.promised >= (top * SURE if top > 0 else top))
    return Tested(np.arange(size), found.logs, found.largest, int(sure[-1] if kind == "recall" else sure[0]))


def _reason(counted: Counted, row: int, tested: dict[str, Tested], asked: dict[str, float], level: float) -> str:
    """Return why nothing can be promised of a row, and what would do."""
    said = []
    for kind, one in tested.items():
        if not len(one.cuts):
            return "the recordings that choose the cuts have no event of it: annotate more"
        if one.begin < 0:
            reached = _reached(counted, row, kind, counted.fitted, len(one.cuts))
            said.append(
                f"the recordings that choose the cuts give no hope of {said_limit(kind, asked[kind])}: {reached}"
            )
        elif level > 0 and one.logs[one.begin] < -math.log(level):
            log, n_units = float(one.logs[one.begin]), len(counted.fitted)
            if log > 0:
                times = -math.log(level) / log
                what = f"about {math.ceil(times * n_units)} like these {n_units} would do"
            else:
                what = _reached(counted, row, kind, ~counted.fitted, one.begin + 1, one.begin)
            said.append(f"{said_limit(kind, asked[kind])} is not proven: {what}")
    return "; ".join(said) or "no cut keeps all that is promised at once"


def _reached(counted: Counted, row: int, kind: str, units: NDArray[np.bool_], size: int, first: int = 0) -> str:
    """Return the best that units reach at some members of a row."""
    tp, pp = (part[row, first:size][:, units].sum(axis=1).astype(np.float64) for part in (counted.tp, counted.pp))
    if kind == "false_per_hour":
        hours = float(counted.hours[units].sum())
        return f"{(pp - tp).min():g} {NOUNS[kind].replace(' an hour', '')} in {hours:.3g} h at best"
    p = np.full(len(tp), counted.p[row, units].sum(), np.float64)
    right, of = numbers(kind, Counts(tp, pp, p, p))
    some = np.flatnonzero(of > 0)
    if not len(some):
        return f"nothing says anything about its {NOUNS[kind]}"
    best = some[(right[some] / of[some]).argmax()]
    return f"{NOUNS[kind]} reaches {percent(right[best] / of[best])} ({right[best]:g} of {of[best]:g})"
