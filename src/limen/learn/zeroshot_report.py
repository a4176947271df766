"""What generalized zero-shot scores are worth, and the balance of seen and unseen classes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

import limen
from limen.errors import InputError, count, require
from limen.solvers import GroupOffset

require("sklearn", extra="learn", user="limen.learn")

from sklearn.metrics import average_precision_score  # noqa: E402


class ZeroShotReport(NamedTuple):
    """How well seen and unseen classes are told apart, all from 0 to 1.

    Attributes
    ----------
    seen, unseen : float
        Mean per-class recall of both groups, all classes being candidates.
    harmonic_mean : float
    zero_shot : float
        Mean per-class recall of unseen classes where only these are candidates.
    seen_map, unseen_map : float
        Mean over classes of the average precision with which items are ranked for them.
    """

    seen: float
    unseen: float
    harmonic_mean: float
    zero_shot: float
    seen_map: float
    unseen_map: float


def generalized_zero_shot_report(
    y: ArrayLike, scores: ArrayLike, seen: ArrayLike, seen_penalty: float = 0.0
) -> ZeroShotReport:
    """Return how well seen and unseen classes are told.

    Parameters
    ----------
    y : int array-like (n_items,)
        Columns of ``scores``.
    scores : float array-like (n_items, n_classes)
    seen : bool array-like (n_classes,)
    seen_penalty : float
        Taken from the scores of seen classes; not for the ranking of items, which it would not change.

    Notes
    -----
    Classes without an item are left out of the means; a group of which no class has one is nan.

    Examples
    --------
    >>> scores = [[1, 0, 0], [0, 1, 0], [2, 0, 1]]
    >>> generalized_zero_shot_report([0, 1, 2], scores, [True, True, False])[:4]
    (1.0, 0.0, 0.0, 1.0)
    """
    found, mask = np.asarray(scores, np.float64), np.asarray(seen, bool)
    if found.ndim != 2 or mask.shape != (found.shape[1],) or not np.isfinite(found).all():
        raise InputError(
            f"scores have shape {found.shape}, seen {mask.shape}. Give finite scores (n_items, n_classes), and "
            "whether each class is seen."
        )
    y = classes_of(y, len(mask))
    if len(y) != len(found):
        raise InputError(f"y has {count(len(y), 'item')}, scores have {len(found)}. Give one for each.")
    decided = (found - seen_penalty * mask).argmax(axis=1)
    among = np.flatnonzero(~mask)[found[:, ~mask].argmax(axis=1)] if not mask.all() else decided
    present = np.unique(y)

    def recall(chosen: NDArray[np.int64], group: NDArray[np.bool_]) -> float:
        own = present[group[present]]
        return float(np.mean([(chosen[y == one] == one).mean() for one in own])) if len(own) else float("nan")

    def precision(group: NDArray[np.bool_]) -> float:
        own = present[group[present]]
        every = [average_precision_score(y == one, found[:, one]) for one in own]
        return float(np.mean(every)) if every else float("nan")

    both = recall(decided, mask), recall(decided, ~mask)
    mean = 2 * both[0] * both[1] / sum(both) if sum(both) != 0 else 0.0
    return ZeroShotReport(*both, mean, recall(among, ~mask), precision(mask), precision(~mask))


def balanced(y: NDArray[np.int64], scores: NDArray[np.float32], seen: NDArray[np.bool_]) -> limen.Thresholds:
    """Return thresholds with which seen and unseen classes have the best harmonic mean of mean per-class recalls.

    A class without an item follows its group.
    """
    names = [str(k) for k in range(scores.shape[1])]
    truth = (y[:, np.newaxis] == np.arange(len(names))).astype(np.int8)
    groups = {"seen": np.flatnonzero(seen).astype(str), "unseen": np.flatnonzero(~seen).astype(str)}
    method = GroupOffset({name: own.tolist() for name, own in groups.items()}, decide="argmax")
    return limen.tune(truth, scores, labels=names, method=method, metric="recall", average="macro")


def classes_of(values: Any, n_classes: int, name: str = "y") -> NDArray[np.int64]:
    """Return numbers of classes, checked."""
    found = np.asarray(values)
    if found.ndim != 1 or not len(found) or found.dtype.kind not in "iu":
        raise InputError(
            f"{name} has shape {found.shape} of {found.dtype}. Give whole numbers: rows of class_text."
        )
    if found.min() < 0 or found.max() >= n_classes:
        raise InputError(f"{name} has {found.min()} to {found.max()}; there are classes 0 to {n_classes - 1}.")
    return found.astype(np.int64)
