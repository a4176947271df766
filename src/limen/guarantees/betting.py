"""Bets against a broken promise: bounds for weighted items, and for groups or items as units."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen.data import Data
from limen.sources.candidates import Candidates

KINDS = ("precision", "recall", "false_positive_rate", "false_per_hour")
"""In the order of the kernels' numbers."""
MOST_CUTS = 48
"""So many cuts of a label are tested at most, evenly by the logarithm of the number given."""
STAKES = np.array([0.4, 0.8, 1.2])
"""Stakes, as parts of the one that the fitted part would like best; their mean is what counts."""


NEARLY = 0.99
"""No stake may lose more than this part on one unit."""


class Units(NamedTuple):
    """The unit of each item, int64 (n_items,), or -1 if it is in the other part, and how many there are."""

    unit: NDArray[np.int64]
    number: int


def dealt(data: Data, fit: float, random_state: int) -> tuple[Units, Units]:
    """Return a random part of the units, which chooses what is tested, and the others, which test."""
    unit = np.arange(data.n_items) if data.groups is None else data.groups
    return dealt_units(unit, data.n_units, fit, random_state)


def dealt_units(unit: NDArray[np.int64], n_units: int, fit: float, random_state: int) -> tuple[Units, Units]:
    """Return the same for items whose units are known, int64 (n_items,)."""
    order = np.random.default_rng([random_state, 7]).permutation(n_units)
    n_fitted = min(max(1, round(fit * n_units)), n_units - 1) if n_units > 1 else 0
    parts = []
    for members in (order[:n_fitted], order[n_fitted:]):
        number = np.full(n_units, -1)
        number[members] = np.arange(len(members))
        parts.append(Units(number[unit], len(members)))
    return parts[0], parts[1]


def worst_of(kind: str, share: float) -> float:
    """Return what a unit loses at most for each that it holds of what it is scaled down by."""
    return {"false_positive_rate": 1 - share, "false_per_hour": 1.0}.get(kind, share)


def stakes_of(kind: str, share: float, found: NDArray[np.float64], n_units: int) -> tuple[Any, Any, Any]:
    """Return the stakes (n, n_stakes), the largest sizes (n,) and the growth a unit that they promise (n,).

    Parameters
    ----------
    found : float64 (n, 5)
        Moments of a fitted part, as `limen._kernels.betting.moments` adds them up.
    n_units : int
        Units of that part.

    Notes
    -----
    One more unit, of mean size and all wrong, is added to the moments, so that few units promise little. The
    growth of a stake b is about b * mean - b^2 / 2 * mean square; the best is mean / mean square, and no stake may
    lose everything on a unit of the largest size.
    """
    total, squares, sizes, largest, some = found.T
    worst = worst_of(kind, share)
    typical = sizes / np.maximum(some, 1)
    if kind == "false_per_hour":  # units without a false event say as much of the hours
        typical = np.maximum(typical, 1.0)
        largest = np.maximum(largest, 1.0)
    mean = (total - worst * typical) / (n_units + 1)
    square = (squares + (worst * typical) ** 2) / (n_units + 1)
    best = np.maximum(mean, 0) / np.where(square > 0, square, 1)
    most = NEARLY / np.where(largest > 0, worst * largest, np.inf)
    staked = np.minimum(best, most)
    promised = staked * mean - staked**2 / 2 * square
    doubt = staked * np.sqrt(square / (n_units + 1))
    return np.minimum(best[:, np.newaxis] * STAKES, most[:, np.newaxis]), largest, promised - doubt


def evidence(logs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the logarithm of the mean of what the stakes grew to (n,): an e-value."""
    top = logs.max(axis=1)
    return np.asarray(top + np.log(np.exp(logs - top[:, np.newaxis]).mean(axis=1)))


class Tested(NamedTuple):
    """Cuts of one label by falling score, what was found at each, and the one to begin with (-1: none).

    ``largest`` is the size beyond which a unit counts as if it held so much.
    """

    cuts: NDArray[Any]
    logs: NDArray[np.float64]
    largest: NDArray[np.float64]
    begin: int


def walked(tested: Tested, kind: str, level: float) -> tuple[NDArray[np.bool_], bool]:
    """Return the cuts at which the promise is proven, and whether that is all of them."""
    kept = np.zeros(len(tested.cuts), bool)
    if tested.begin < 0 or level <= 0:
        return kept, False
    passes = tested.logs >= -math.log(level)
    path = np.arange(tested.begin + 1)[::-1] if kind == "recall" else np.arange(tested.begin, len(kept))
    kept[path] = np.logical_and.accumulate(passes[path])
    return kept, bool(kept[path].all())


class Columns(NamedTuple):
    """Scores and truth (n_labels, n_items), -1 where unknown, and the weights of the items, float64 (n_items,)."""

    scores: NDArray[Any]
    truth: NDArray[np.int8]
    weight: NDArray[np.float64]


def columns_of(data: Data) -> Columns:
    """Return the items label by label: one pass over the data, which are copied."""
    blocks, labels = list(data.source.dense_blocks()), len(data.labels)
    scores = np.empty((labels, data.n_items), blocks[0].scores.dtype)
    truth, row = np.empty((labels, data.n_items), np.int8), 0
    for block in blocks:
        span = slice(row, row + len(block.scores))
        scores[:, span], truth[:, span] = block.scores.T, block.truth.T
        row = span.stop
    return Columns(scores, truth, np.concatenate([block.weight for block in blocks]).astype(np.float64))


def tested_all(columns: Columns, parts: tuple[Units, Units], kind: str, share: float) -> list[Tested]:
    """Return what the units say of a promise for each label, at the cuts that its fitted units choose."""
    from limen._kernels import threads

    def some(span: tuple[int, int]) -> list[Tested]:
        return [_tested(columns, k, parts, kind, share) for k in range(*span)]

    spans = threads.divided(len(columns.scores), columns.scores.size)
    return [one for found in threads.share(some, [(span,) for span in spans]) for one in found]


def _tested(columns: Columns, k: int, parts: tuple[Units, Units], kind: str, share: float) -> Tested:
    from limen._kernels import betting as kernels

    fitted, others = parts
    score, truth = columns.scores[k], columns.truth[k]
    cuts = _chosen_cuts(score[(truth == 1) & (fitted.unit >= 0)])
    if kind == "recall" and len(cuts):
        cuts = np.append(cuts, np.finfo(cuts.dtype).min)  # every item
    found, code = np.zeros((len(cuts), 5)), KINDS.index(kind)
    if not len(cuts):
        return Tested(cuts, np.zeros(0), np.zeros(0), -1)
    entered = kernels.entering(score, truth, cuts)
    kernels.label_moments(code, share, (truth, columns.weight, fitted.unit), entered, fitted.number, found)
    stakes, largest, promised = stakes_of(kind, share, found, fitted.number)
    logs, bets = np.zeros(stakes.shape), (stakes, largest)
    kernels.label_growth(code, share, (truth, columns.weight, others.unit), entered, others.number, bets, logs)
    begin = {
        "precision": int(promised.argmax()) if promised.max() > 0 else -1,
        "recall": len(cuts) - 1,
        "false_positive_rate": 0,
    }[kind]
    return Tested(cuts, evidence(logs), largest, begin)


def _chosen_cuts(positive: NDArray[Any]) -> NDArray[Any]:
    """Return some of the scores of positives, falling, evenly by the logarithm of their rank."""
    scores, number = np.unique(positive, return_counts=True)
    scores, rank = scores[::-1], np.cumsum(number[::-1])
    if len(scores) <= MOST_CUTS:
        return scores.copy()
    wanted = np.geomspace(rank[0], rank[-1], MOST_CUTS)
    return np.asarray(scores[np.unique(np.minimum(np.searchsorted(rank, wanted), len(scores) - 1))])


def candidates_of(labels: tuple[str, ...], dtype: Any, tested: list[list[Tested]]) -> Candidates:
    """Return the cuts that any promise tested, by label."""
    some = [np.concatenate([one.cuts for one in of_label]) for of_label in zip(*tested, strict=True)]
    number = np.repeat(np.arange(len(labels)), [len(cuts) for cuts in some])
    return Candidates.distinct(labels, dtype, number, np.concatenate(some))
