"""Recordings in, frame scores, tags and timed events out.

`read` gives a recording in blocks, `score` and `iter_scores` the scores of its frames by a model: an `OnnxScorer`,
which `describe` tells what it needs, a `HuggingFaceScorer`, or any function in a `CallableScorer`.
"""

from limen.audio.description import describe
from limen.audio.hugging_face import HuggingFaceScorer
from limen.audio.onnx_models import OnnxScorer
from limen.audio.reading import Info, Reading, info, read
from limen.audio.scorers import CallableScorer, Scorer
from limen.audio.scoring import iter_scores, score

__all__ = [
    "CallableScorer",
    "HuggingFaceScorer",
    "Info",
    "OnnxScorer",
    "Reading",
    "Scorer",
    "describe",
    "info",
    "iter_scores",
    "read",
    "score",
]
