"""Training methods whose scores go on to thresholds.

Each is an estimator in the manner of scikit-learn that gives scores (n_items, n_labels) for `limen.tune`; it uses
limen's public names only.

===============================  =======================================================================
`SketchedBinaryRelevance`        a linear score for every label, fitted on a random sketch of the items
`MultiRepresentationClassifier`  networks on several representations of a sound that teach each other
===============================  =======================================================================
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from limen.learn.backbones import SmallCNN
    from limen.learn.features import MFCC, LogMel, LogSTFT
    from limen.learn.online import OnlineDistillationLoss
    from limen.learn.representations import MultiRepresentationClassifier, RandomShift
    from limen.learn.sketch import SketchedBinaryRelevance

_HOME = {
    "LogMel": "features",
    "LogSTFT": "features",
    "MFCC": "features",
    "MultiRepresentationClassifier": "representations",
    "OnlineDistillationLoss": "online",
    "RandomShift": "representations",
    "SmallCNN": "backbones",
    "SketchedBinaryRelevance": "sketch",
}

__all__ = [
    "MFCC",
    "LogMel",
    "LogSTFT",
    "MultiRepresentationClassifier",
    "OnlineDistillationLoss",
    "RandomShift",
    "SketchedBinaryRelevance",
    "SmallCNN",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'limen.learn' has no attribute {name!r}")
    found = getattr(importlib.import_module(f"limen.learn.{_HOME[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
