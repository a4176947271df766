"""Training methods whose scores go on to thresholds.

Each is an estimator in the manner of scikit-learn that gives scores (n_items, n_labels) for `limen.tune`; it uses
limen's public names only.

===============================  ======================================================================
`SketchedBinaryRelevance`        a linear score for every label, fitted on a random sketch of the items
`DistilledTagger`                a small network that also learns which frames a larger one finds alike
`MultiRepresentationClassifier`  networks on several representations of a sound that teach each other
`DisentangledClassifier`         classes from an embedding that tells little of who speaks
`AudioVisualZeroShotClassifier`  classes from sound and pictures, also such that were only described
===============================  ======================================================================
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from limen.learn.adversaries import ConfusionLoss, GradientReversal
    from limen.learn.backbones import SmallCNN
    from limen.learn.disentanglement import DisentangledClassifier
    from limen.learn.distillation import DistilledTagger
    from limen.learn.features import MFCC, LogMel, LogSTFT
    from limen.learn.lessons import LogitLoss
    from limen.learn.online import OnlineDistillationLoss
    from limen.learn.probes import probe_report
    from limen.learn.representations import MultiRepresentationClassifier, RandomShift
    from limen.learn.similarity import IntraUtteranceSimilarityLoss, SimilarityPreservingLoss
    from limen.learn.sketch import SketchedBinaryRelevance
    from limen.learn.streams import TwoStreamEncoder
    from limen.learn.zeroshot import AudioVisualZeroShotClassifier
    from limen.learn.zeroshot_networks import AVGZSLNet, CompositeTripletLoss, CrossModalDecoderLoss
    from limen.learn.zeroshot_report import generalized_zero_shot_report

_HOME = {
    "AVGZSLNet": "zeroshot_networks",
    "AudioVisualZeroShotClassifier": "zeroshot",
    "CompositeTripletLoss": "zeroshot_networks",
    "ConfusionLoss": "adversaries",
    "CrossModalDecoderLoss": "zeroshot_networks",
    "DisentangledClassifier": "disentanglement",
    "DistilledTagger": "distillation",
    "GradientReversal": "adversaries",
    "IntraUtteranceSimilarityLoss": "similarity",
    "LogMel": "features",
    "LogSTFT": "features",
    "LogitLoss": "lessons",
    "MFCC": "features",
    "MultiRepresentationClassifier": "representations",
    "OnlineDistillationLoss": "online",
    "RandomShift": "representations",
    "SimilarityPreservingLoss": "similarity",
    "SketchedBinaryRelevance": "sketch",
    "SmallCNN": "backbones",
    "TwoStreamEncoder": "streams",
    "generalized_zero_shot_report": "zeroshot_report",
    "probe_report": "probes",
}

__all__ = [
    "MFCC",
    "AVGZSLNet",
    "AudioVisualZeroShotClassifier",
    "CompositeTripletLoss",
    "ConfusionLoss",
    "CrossModalDecoderLoss",
    "DisentangledClassifier",
    "DistilledTagger",
    "GradientReversal",
    "IntraUtteranceSimilarityLoss",
    "LogMel",
    "LogSTFT",
    "LogitLoss",
    "MultiRepresentationClassifier",
    "OnlineDistillationLoss",
    "RandomShift",
    "SimilarityPreservingLoss",
    "SketchedBinaryRelevance",
    "SmallCNN",
    "TwoStreamEncoder",
    "generalized_zero_shot_report",
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
