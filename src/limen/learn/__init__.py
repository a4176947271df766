"""Training methods whose scores go on to thresholds.

Each is an estimator in the manner of scikit-learn that gives scores (n_items, n_labels) for `limen.tune`; it uses
limen's public names only.

===========================  =======================================================================
`SketchedBinaryRelevance`    a linear score for every label, fitted on a random sketch of the items
`DistilledTagger`            a small network that also learns which frames a larger one finds alike
===========================  =======================================================================
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from limen.learn.distillation import DistilledTagger
    from limen.learn.lessons import LogitLoss
    from limen.learn.similarity import IntraUtteranceSimilarityLoss, SimilarityPreservingLoss
    from limen.learn.sketch import SketchedBinaryRelevance

_HOME = {
    "DistilledTagger": "distillation",
    "IntraUtteranceSimilarityLoss": "similarity",
    "LogitLoss": "lessons",
    "SimilarityPreservingLoss": "similarity",
    "SketchedBinaryRelevance": "sketch",
}

__all__ = [
    "DistilledTagger",
    "IntraUtteranceSimilarityLoss",
    "LogitLoss",
    "SimilarityPreservingLoss",
    "SketchedBinaryRelevance",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'limen.learn' has no attribute {name!r}")
    found = getattr(importlib.import_module(f"limen.learn.{_HOME[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
