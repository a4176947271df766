"""The tagger as an ONNX file that limen runs, checked against PyTorch."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

import limen.audio
from crnn import FRAME_S, WINDOW_S, Crnn
from sources import Sources

OPSET = 17
AGREES = 5e-6
"""In a probability: single precision leaves 1e-6 to 2e-6 in the worst of a hundred thousand, 1e-8 in most."""


def export(model: Crnn, sources: Sources, path: Path, trial: NDArray[np.float32]) -> float:
    """Write the tagger with all that limen needs to know of it; return its largest difference from PyTorch.

    Parameters
    ----------
    trial : float32 (n, window)
        Samples on which both are run, in probabilities.

    Raises
    ------
    SystemExit
        If they differ by more than `AGREES`.
    """
    with warnings.catch_warnings():
        # This exporter needs no package but torch; it warns that there is a newer one.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            (torch.from_numpy(trial[:2]),),
            str(path),
            input_names=["samples"],
            output_names=["logits"],
            dynamic_axes={"samples": {0: "n"}, "logits": {0: "n"}},
            opset_version=OPSET,
            dynamo=False,
        )
    window = round(WINDOW_S * sources.rate)
    limen.audio.describe(
        path,
        rate=sources.rate,
        window=window,
        hop=window // 2,
        frame_seconds=FRAME_S,
        labels=sources.labels,
        activation="logit",
    )
    with torch.no_grad():
        by_torch = torch.sigmoid(model(torch.from_numpy(trial))).numpy()
    by_onnx = 1 / (1 + np.exp(-limen.audio.OnnxScorer(path)(trial)))
    apart = float(np.abs(by_torch - by_onnx).max())
    if apart > AGREES:
        raise SystemExit(f"{path} differs from PyTorch by {apart:.1e} in a probability; {AGREES:g} is allowed.")
    return apart
