"""Audio classifiers of Hugging Face as models that score sound."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.audio.description import Description
from limen.audio.scorers import Described
from limen.errors import InputError, require


class HuggingFaceScorer(Described):
    """An audio classifier of Hugging Face's transformers: each window is one frame, or each of its frames.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        For audio classification, with logits (n, labels), one for a window, or for audio frame classification,
        with logits (n, frames, labels). Its labels are those of ``model.config.id2label``. It is
        put into evaluation mode.
    extractor : transformers.FeatureExtractionMixin
        Makes the inputs of the model of waveforms; its ``sampling_rate`` is the rate.
    window_seconds : float
        Of a window.
    hop_seconds : float, optional
        From one window to the next; a window if left out.
    frame_seconds : float, optional
        Of a frame, for logits (n, frames, labels); there it is needed.

    Raises
    ------
    InputError
        If a value is not allowed or contradicts the model.
    MissingDependencyError
        If torch is not installed.

    Notes
    -----
    The scores are the logits, and those of softmax models, which choose one label, are logits minus the log of
    the sum of exp of the others: log odds. ``model.config.problem_type`` decides, as in transformers:
    ``"multi_label_classification"`` has a sigmoid for each label, everything else a softmax.
    """

    def __init__(
        self,
        model: Any,
        extractor: Any,
        *,
        window_seconds: float,
        hop_seconds: float | None = None,
        frame_seconds: float | None = None,
    ) -> None:
        self._torch = require("torch", extra="torch", user="limen.audio.HuggingFaceScorer")
        rate = getattr(extractor, "sampling_rate", None)
        if not isinstance(rate, int):
            raise InputError(f"the extractor {type(extractor).__name__} has no sampling_rate. Give one for sound.")
        names = getattr(getattr(model, "config", None), "id2label", None)
        if not isinstance(names, Mapping) or not names:
            raise InputError(
                f"the model {type(model).__name__} has no config.id2label. Give a classifier of sound."
            )
        hop_seconds = window_seconds if hop_seconds is None else hop_seconds
        window, hop = _samples("window_seconds", window_seconds, rate), _samples("hop_seconds", hop_seconds, rate)
        self._model, self._extractor, self._by_window = model.eval(), extractor, frame_seconds is None
        self._sigmoid = getattr(model.config, "problem_type", None) == "multi_label_classification"
        super().__init__(
            Description(
                rate,
                window,
                hop,
                window / rate if frame_seconds is None else frame_seconds,
                tuple(str(names[key]) for key in sorted(names, key=int)),
                "logit",
            )
        )

    def __call__(self, windows: NDArray[np.float32], /) -> NDArray[Any]:
        """Return log odds (n, frames, labels) or (n, labels) of float32 windows (n, window)."""
        torch = self._torch
        inputs = self._extractor(list(windows), sampling_rate=self.rate, return_tensors="pt")
        with torch.inference_mode():
            found = self._model(**{key: value.to(self._model.device) for key, value in inputs.items()}).logits
            if found.ndim != (2 if self._by_window else 3):
                raise InputError(
                    f"the model gives logits {tuple(found.shape)}. Give frame_seconds where they are "
                    "(windows, frames, labels), and leave it out where they are (windows, labels)."
                )
            logits = found.detach().cpu().double().numpy()
        if not self._sigmoid:
            logits = _log_odds(logits)
        return np.asarray(logits, np.float32)


def _log_odds(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the log odds of each label in a softmax over the last axis."""
    n = logits.shape[-1]
    if n == 1:
        raise InputError(
            "a softmax over one label is always 1. Set model.config.problem_type = 'multi_label_classification'."
        )
    odds = np.empty_like(logits)
    for k in range(n):
        odds[..., k] = logits[..., k] - np.logaddexp.reduce(np.delete(logits, k, axis=-1), axis=-1)
    return odds


def _samples(name: str, seconds: float, rate: int) -> int:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < math.inf:
        raise InputError(f"{name}={seconds!r}: it must be a number of seconds above 0.")
    return max(1, round(seconds * rate))
