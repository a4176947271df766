"""How far a threshold may lie elsewhere on other data of the same size."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FEW_LABELS = 5
"""With fewer labels their spreads say nothing of each other."""


def spread(
    final: NDArray[np.float64],
    kinds: NDArray[np.float64],
    of_folds: NDArray[np.float64],
    draws: NDArray[np.float64],
    positives: NDArray[np.float64],
    common: float,
) -> NDArray[np.float64]:
    """Return the lowest and the highest cut to reckon with for each label, (2, n_labels), in log odds.

    Parameters
    ----------
    final : float64 (n_labels,)
        The cuts chosen.
    kinds : float64 (kinds, n_labels)
        Each kind of cut by itself.
    of_folds : float64 (folds, n_labels)
        The cuts without each fold.
    draws : float64 (samples, n_labels)
        Exact cuts of bootstrap samples.
    positives : float64 (n_labels,)
    common : float
        Standard deviation of what all cuts share, which folds alone tell little of.

    Notes
    -----
    Two standard deviations to each side, and no less than from the lowest to the highest kind. The variance is
    the mean of the label's jackknife over folds and of what labels with as many positives have (a line in 1 /
    (positives + 1) through all labels; for few labels that of the bootstrap samples), and what cuts differ
    between labels, over the number of positives and one: a label with none may have some on other data, and then
    a cut of its own.
    """
    number = len(of_folds)
    own = (number - 1) / number * ((of_folds - of_folds.mean(axis=0)) ** 2).sum(axis=0)
    rarity = 1 / (positives + 1)
    if len(final) < FEW_LABELS:
        typical = (0.75 * draws.std(axis=0)) ** 2
    else:
        terms = np.stack([np.ones(len(final)), rarity], axis=1)
        typical = np.maximum(terms @ np.linalg.lstsq(terms, own, rcond=None)[0], own.mean() / 4)
    reach = 2 * np.sqrt((own + typical) / 2 + final.var() * rarity + common**2)
    return np.array([np.minimum(final - reach, kinds.min(axis=0)), np.maximum(final + reach, kinds.max(axis=0))])
