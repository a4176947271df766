"""Training methods whose scores go on to thresholds.

Each is an estimator in the manner of scikit-learn that gives scores (n_items, n_labels) for `limen.tune`; it uses
limen's public names only.

===========================  =======================================================================
`SketchedBinaryRelevance`    a linear score for every label, fitted on a random sketch of the items
`DisentangledClassifier`     a network whose embedding tells little of a nuisance, such as who speaks
`TwoStreamEncoder`           the embedding of items that have two streams of numbers, or more
`GradientReversal`           a layer that passes values on and gradients back reversed
`ConfusionLoss`              how far a classifier's guess is from uniform
`probe_report`               what fresh classifiers tell of a nuisance from embeddings
===========================  =======================================================================
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from limen.learn.adversaries import ConfusionLoss, GradientReversal
    from limen.learn.disentanglement import DisentangledClassifier
    from limen.learn.probes import probe_report
    from limen.learn.sketch import SketchedBinaryRelevance
    from limen.learn.streams import TwoStreamEncoder

_HOME = {
    "ConfusionLoss": "adversaries",
    "DisentangledClassifier": "disentanglement",
    "GradientReversal": "adversaries",
    "SketchedBinaryRelevance": "sketch",
    "TwoStreamEncoder": "streams",
    "probe_report": "probes",
}

__all__ = [
    "ConfusionLoss",
    "DisentangledClassifier",
    "GradientReversal",
    "SketchedBinaryRelevance",
    "TwoStreamEncoder",
    "probe_report",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'limen.learn' has no attribute {name!r}")
    found = getattr(importlib.import_module(f"limen.learn.{_HOME[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
