"""Training methods whose scores go on to thresholds.

Each is an estimator in the manner of scikit-learn that gives scores (n_items, n_labels) for `limen.tune`; it uses
limen's public names only.

===============================  ================================================================`SketchedBinaryRelevance`        a linear score for every label, fitted on a random sketch of the items
`MultiRepresentationClassifier`  networks on several representations of a sound that teach each other
===============================  =======================================================================
================================  =======================================================================
`SketchedBinaryRelevance`         a linear score for every label, fitted on a random sketch of the items
`AudioVisualZeroShotClassifier`   scores of classes from sound and pictures, also of classes never shown
================================  =======================================================================
=======
===========================  =======================================================================
`SketchedBinaryRelevance`    a linear score for every label, fitted on a random sketch of the items
`DistilledTagger`            a small network that also learns which frames a larger one finds alike
===========================  =======================================================================
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from limen.learn.backbones import SmallCNN
    from limen.learn.features import MFCC, LogMel, LogSTFT
    from limen.learn.online import OnlineDistillationLoss
    from limen.learn.representations import MultiRepresentationClassifier, RandomShift
    from limen.learn.distillation import DistilledTagger
    from limen.learn.lessons import LogitLoss
    from limen.learn.similarity import IntraUtteranceSimilarityLoss, SimilarityPreservingLoss
    from limen.learn.sketch import SketchedBinaryRelevance
    from limen.learn.zeroshot import AudioVisualZeroShotClassifier
    from limen.learn.zeroshot_networks import AVGZSLNet, CompositeTripletLoss, CrossModalDecoderLoss
    from limen.learn.zeroshot_report import generalized_zero_shot_report

_HOME = {
    "LogMel": "features",
    "LogSTFT": "features",
    "MFCC": "features",
    "MultiRepresentationClassifier": "representations",
    "OnlineDistillationLoss": "online",
    "RandomShift": "representations",
    "SmallCNN": "backbones",
    "AVGZSLNet": "zeroshot_networks",
    "AudioVisualZeroShotClassifier": "zeroshot",
    "CompositeTripletLoss": "zeroshot_networks",
    "CrossModalDecoderLoss": "zeroshot_networks",
    "DistilledTagger": "distillation",
    "IntraUtteranceSimilarityLoss": "similarity",
    "LogitLoss": "lessons",
    "SimilarityPreservingLoss": "similarity",
    "SketchedBinaryRelevance": "sketch",
    "generalized_zero_shot_report": "zeroshot_report",
}

__all__ = [
    "MFCC",
    "LogMel",
    "LogSTFT",
    "MultiRepresentationClassifier",
    "OnlineDistillationLoss",
    "RandomShift",
    "DistilledTagger",
    "IntraUtteranceSimilarityLoss",
    "LogitLoss",
    "SimilarityPreservingLoss",
    "SketchedBinaryRelevance",
    "SmallCNN",
    "AVGZSLNet",
    "AudioVisualZeroShotClassifier",
    "CompositeTripletLoss",
    "CrossModalDecoderLoss",
    "SketchedBinaryRelevance",
    "generalized_zero_shot_report",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'limen.learn' has no attribute {name!r}")
    found = getattr(importlib.import_module(f"limen.learn.{_HOME[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
