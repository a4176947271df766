"""Decisions by item: calibrate the labels, then give each item the set with the largest expected F-beta."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from limen import metrics
from limen.expected_f import Calibration, ExpectedF
from limen.solvers import calibrated
from limen.solvers.base import EVERYTHING, Problem
from limen.solvers.fine import FineCurves
from limen.solvers.solution import CrossFit, Solution


@dataclass(frozen=True)
class ExpectedFSets:
    """The rule "expected-f", with a calibration that labels share.

    Parameters
    ----------
    calibrate : bool
        False takes the scores for calibrated probabilities, or their log odds.
    folds : int
        For what to expect on new data.

    Notes
    -----
    Best for the samples average of F-beta if the labels of an item were independent given its scores, and
    calibrated; beta is that of the objective, and 1 for other metrics. The calibration is a Platt scaling of each
    label, drawn to what the labels have in common (`Calibrated`), and goes with the thresholds, whose numbers let
    everything pass.
    """

    name: ClassVar[str] = "expected-f"
    needs: ClassVar[Literal["curves", "scores"]] = "scores"
    serves: ClassVar[tuple[str, ...]] = EVERYTHING
    calibrate: bool = True
    folds: int = 5

    def solve(self, problem: Problem) -> Solution:
        """Return the rule, and that of each fold, calibrated on the others."""
        cross_fit = []
        everything = np.full(len(problem.labels), float(np.finfo(problem.dtype).min))
        if not self.calibrate:
            return Solution(values=everything, rule=self._rule(problem, None))
        parts = problem.split(self.folds)
        whole, fine = FineCurves.of_folds(problem.sources, [source for _, source in parts], problem.kind)
        fitted = calibrated.Calibration.fit(whole)
        if len(parts) > 1:
            for (rows, source), part in zip(parts, fine, strict=True):
                others = calibrated.Calibration.fit(whole.without(part), 2, fitted)
                cross_fit.append(CrossFit(rows, source, everything, self._rule(problem, others)))
        return Solution(
            values=everything, rule=self._rule(problem, fitted), cross_fit=tuple(cross_fit), leans=True
        )

    @staticmethod
    def _rule(problem: Problem, fitted: calibrated.Calibration | None) -> ExpectedF:
        metric, n_labels = problem.objective.metric, len(problem.labels)
        numbers = np.repeat([[0.0], [1.0], [-700.0], [700.0]], n_labels, axis=1)
        if fitted is not None:
            numbers = np.array([fitted.offset, fitted.slope, fitted.low, fitted.high])
        beta = metric.beta if isinstance(metric, metrics.FBeta) else 1.0
        return ExpectedF(beta, problem.objective.zero_division, Calibration(problem.kind, numbers))
