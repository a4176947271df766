"""How the error is shared among labels and promises, and handed on by those that do not need it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.errors import InputError, examples
from limen.names import beyond

Kept = tuple[NDArray[np.bool_], NDArray[np.bool_]]
"""Which cuts keep a promise, and which labels pass to the end."""


@dataclass
class Shared:
    """How the error is shared: among labels, and evenly among what is promised of each.

    Attributes
    ----------
    error : float
        One minus the confidence.
    weight : float64 (n_labels,)
        Part of each label; 0 where no item says anything about it.
    again : bool
        Whether what labels do not need goes to the others (Holm), each by its weight.
    alone : bool
        Whether each label has the whole error.
    """

    error: float
    weight: NDArray[np.float64]
    again: bool
    alone: bool = False

    def levels(self, through: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return the error of each label (n_labels,), where some have passed through all their cuts."""
        if self.alone:
            return np.where(self.weight > 0, self.error, 0.0)
        left = self.weight[~through].sum() if self.again else self.weight.sum()
        return np.asarray(self.error * self.weight / max(left, 1e-300))


def shared_by(
    correction: Any, labels: tuple[str, ...], known: NDArray[np.bool_], confidence: float | None
) -> Shared:
    """Return how a correction shares the error among labels of which some item says something (``known``)."""
    weight = known.astype(np.float64)
    if isinstance(correction, Mapping):
        if unknown := beyond(correction, labels):
            raise InputError(f"correction names {examples(unknown)}, which are no labels of these data.")
        shares = np.array([float(correction.get(name, 1.0)) for name in labels])
        if not (np.isfinite(shares).all() and (shares >= 0).all() and (shares * weight).sum() > 0):
            raise InputError("correction has shares that are negative or all 0. Give numbers from 0.")
        weight, correction = weight * shares, "holm"
    if correction not in ("holm", "bonferroni", "none"):
        raise InputError(
            f"correction={correction!r} is unknown. Use 'holm', 'bonferroni', 'none', or a share for each label."
        )
    error = 0.0 if confidence is None else 1 - float(confidence)
    return Shared(error, weight, correction == "holm", correction == "none")


def walked_all(
    shared: Shared, n_promises: int, test: Callable[[NDArray[np.float64]], list[Kept]]
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return the cuts that keep everything, with the error of labels that pass through handed on.

    ``test(levels)`` returns, for each promise, what is kept, and the labels that pass to the end.
    """
    through = np.zeros(len(shared.weight), bool)
    while True:
        levels = shared.levels(through) / n_promises
        kept, ends = zip(*test(levels), strict=True)
        done = through | np.logical_and.reduce(ends)
        if not shared.again or (done == through).all():
            return np.logical_and.reduce(kept), levels
        through = done
