"""The rule that gives each item the set of labels with the largest expected F-beta."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen.errors import InputError
from limen.scales import Kind, Logit, sigmoid

NAME = "expected-f"
ROWS = 1 << 12
"""Items that are decided at a time."""


class Calibration(NamedTuple):
    """How scores become probabilities: sig(offset + slope * x), x the log odds clipped to ``low`` and ``high``.

    Attributes
    ----------
    kind : {"probability", "logit", "real"}
        What the scores are; those that are no probabilities are taken for log odds.
    numbers : float64 (4, n_labels)
        Offset, slope, low and high of each label.
    """

    kind: Kind
    numbers: NDArray[np.float64]

    def probabilities(self, scores: NDArray[Any]) -> NDArray[np.float64]:
        """Return the probability of each label (n_items, n_labels)."""
        offset, slope, low, high = self.numbers
        x = Logit(self.kind != "probability").forward(scores, np.arange(len(offset)))
        return sigmoid(offset + slope * np.clip(x, low, high))


class ExpectedF(str):
    """The rule ``"expected-f:BETA"``, with the calibration that it needs: a text that goes wherever rules go.

    Attributes
    ----------
    beta : float
    zero_division : float
        The F-beta of an item without labels that is given none.
    calibration : Calibration
    """

    beta: float
    zero_division: float
    calibration: Calibration

    def __new__(cls, beta: float, zero_division: float, calibration: Calibration) -> ExpectedF:
        """Return the rule of a beta, with its calibration."""
        rule = super().__new__(cls, f"{NAME}:{beta:.15g}")
        rule.beta, rule.zero_division, rule.calibration = beta, zero_division, calibration
        return rule

    def __getnewargs__(self) -> tuple[Any, ...]:
        """Return what makes the rule again after pickling."""
        return self.beta, self.zero_division, self.calibration

    def of_labels(self, order: NDArray[np.int64]) -> ExpectedF:
        """Return the rule for the labels of these numbers, in this order."""
        kind, numbers = self.calibration
        return ExpectedF(self.beta, self.zero_division, Calibration(kind, numbers[:, order]))

    def decide(self, scores: NDArray[Any]) -> NDArray[np.bool_]:
        """Return the decisions (n_items, n_labels) for dense scores."""
        decisions = np.zeros(scores.shape, bool)
        for start in range(0, len(scores), ROWS):
            some = slice(start, start + ROWS)
            probabilities = self.calibration.probabilities(scores[some])
            decisions[some] = best_sets(probabilities, self.beta, self.zero_division)
        return decisions


def best_sets(
    probabilities: NDArray[np.float64], beta: float = 1.0, zero_division: float = 0.0
) -> NDArray[np.bool_]:
    """Return, for each item, the set of labels with the largest expected F-beta, bool (n_items, n_labels).

    Parameters
    ----------
    probabilities : float array-like (n_items, n_labels) in [0, 1]
        That each label is true of each item; labels are taken to be independent.
    beta : float above 0
    zero_division : float
        The F-beta of an item without labels that is given none.

    Raises
    ------
    InputError
        If they are no probabilities.

    Notes
    -----
    For each number of labels the most probable ones are best (Lewis 1995); of equally probable ones the first. The
    expected F-beta of each number is that of Jansche (2007) and Ye et al. (2012), as the integral of a polynomial
    (for whole squares of beta), to about 1e-11: O(n_labels^1.5) an item. Where one number is not better than a
    smaller one, the smaller one is taken.

    Examples
    --------
    >>> best_sets(np.array([[0.9, 0.4, 0.1], [0.3, 0.3, 0.3]])).astype(int)
    array([[1, 0, 0],
           [1, 1, 1]])
    """
    from limen._kernels import expected as kernels

    probabilities = np.ascontiguousarray(probabilities, np.float64)
    lowest, highest = float(probabilities.min(initial=0)), float(probabilities.max(initial=0))
    if probabilities.ndim != 2 or not (lowest >= 0 and highest <= 1):
        raise InputError(
            f"probabilities of shape {probabilities.shape} reach from {lowest:.9g} to {highest:.9g}. They must be "
            "(n_items, n_labels), and lie from 0 to 1."
        )
    order = np.argsort(-probabilities, axis=1, kind="stable")
    size = kernels.sizes(probabilities, order, beta * beta, zero_division)
    decisions = np.zeros(probabilities.shape, bool)
    np.put_along_axis(decisions, order, np.arange(probabilities.shape[1]) < size[:, np.newaxis], axis=1)
    return decisions
