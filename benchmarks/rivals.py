"""Other packages at the same task: per-label thresholds from a score matrix and a label matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
from autoth.core import HyperParamsOptimizer
from numpy.typing import NDArray
from optimal_cutoffs import get_optimal_threshold
from sklearn.metrics import precision_recall_curve

from audioset import Data, micro_f1
from report import seconds


def sklearn_macro(data: Data) -> NDArray[np.float32]:
    """Return each label's threshold with the best F1 on scikit-learn's precision-recall curve."""
    thresholds = []
    for truth, scores in zip(data.y_true.T, data.y_score.T, strict=True):
        precision, recall, cuts = precision_recall_curve(truth, scores)
        both = precision + recall
        f1 = np.divide(2 * precision * recall, both, out=np.zeros_like(both), where=both > 0)
        thresholds.append(cuts[f1[:-1].argmax()])
    return np.array(thresholds)


def cutoffs_macro(data: Data) -> tuple[NDArray[np.float64], float]:
    """Return optimal-classification-cutoffs' thresholds, and the macro-F1 it says they have."""
    found = [
        get_optimal_threshold(truth, scores, metric="f1", comparison=">=")
        for truth, scores in zip(data.y_true.T, data.y_score.T, strict=True)
    ]
    return np.array([f.threshold for f in found]), float(np.mean([f.scores[0] for f in found]))


def cutoffs_shared(data: Data) -> float:
    """Return optimal-classification-cutoffs' best single threshold, from all scores in one column."""
    found = get_optimal_threshold(data.y_true.ravel(), data.y_score.ravel(), metric="f1", comparison=">=")
    return float(found.threshold)


def autoth_epoch_seconds(data: Data, n_labels: int, start: float = 0.3) -> float:
    """Return the seconds of one epoch of autoth, extrapolated from the gradient of ``n_labels`` labels.

    Its score function counts all scores with numpy, which is what a user of autoth would give it.
    """
    own = np.linspace(0, data.y_true.shape[1] - 1, n_labels).astype(np.int64)

    def score(values: Any) -> float:
        thresholds = np.full(data.y_true.shape[1], start, np.float32)
        thresholds[own] = values
        return micro_f1(data, thresholds)

    optimizer = HyperParamsOptimizer(score, epochs=1)
    at = [start] * n_labels
    once = min(seconds(lambda: score(at)) for _ in range(5))
    spent = seconds(lambda: optimizer.calculate_gradients(list(at)))
    return once + (spent - once) * data.y_true.shape[1] / n_labels
