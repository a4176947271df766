"""Networks as ONNX models that give what PyTorch gives, and that `limen.audio` runs."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from limen.errors import InputError, require

require("torch", extra="learn", user="limen.learn")

import torch  # noqa: E402
from torch import nn  # noqa: E402

OPSET = 17
AGREES = 1e-4
"""In a logit, of logits around 10: single precision leaves 1e-6 to 1e-5."""


class _OneFrame(nn.Module):
    """A network whose scores are those of the whole window: one frame."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, items: Any) -> Any:
        return self.network(items)[:, None]


def export(
    network: nn.Module,
    path: str | os.PathLike[str],
    item_shape: Sequence[int] | Mapping[str, Sequence[int]],
    *,
    rate: int | None = None,
    labels: Sequence[str] | None = None,
) -> None:
    """Write a network as an ONNX model, whole or not at all.

    Parameters
    ----------
    network : torch.nn.Module
        Float32 items (n, *item_shape) in, logits (n, n_labels) out.
    path : path
    item_shape : sequence of int, or dict of str to it
        Of one item; by name where the network takes several inputs, in their order.
    rate : int, optional
        Samples a second, if items are windows of sound: the model then gives (n, 1, n_labels), is described for
        `limen.audio.OnnxScorer`, and runs in ``limen tag``. The windows then follow each other without a gap.
    labels : sequence of str, optional
        Names of the scores; needed with ``rate``.

    Raises
    ------
    InputError
        If only one of ``rate`` and ``labels`` is given, or onnxruntime's scores are not PyTorch's.
    MissingDependencyError
        If onnx or onnxruntime is not installed.
    """
    if (rate is None) != (labels is None):
        raise InputError("rate and labels go together: give both, for a model of sound, or neither.")
    shapes = dict(item_shape) if isinstance(item_shape, Mapping) else {"items": item_shape}
    if rate is not None and len(shapes) > 1:
        raise InputError(f"a model of sound has one input, not {len(shapes)}. Leave rate and labels out.")
    require("onnx", extra="onnx", user="limen.learn")
    runtime = require("onnxruntime", extra="audio", user="limen.learn")
    target = Path(path)
    device = next(network.parameters()).device
    whole = (network if rate is None else _OneFrame(network)).cpu().eval()
    drawn = torch.Generator().manual_seed(0)
    items = {name: torch.randn((3, *shape), generator=drawn) * 0.1 for name, shape in shapes.items()}
    try:
        with tempfile.TemporaryDirectory(dir=target.parent or None) as folder:
            made = Path(folder) / target.name
            with warnings.catch_warnings():
                # This exporter needs no package but torch and onnx; it warns that there is a newer one.
                warnings.simplefilter("ignore")
                torch.onnx.export(
                    whole,
                    tuple(items.values()),
                    str(made),
                    input_names=list(items),
                    output_names=["logits"],
                    dynamic_axes={name: {0: "n"} for name in (*items, "logits")},
                    opset_version=OPSET,
                    dynamo=False,
                )
            if rate is not None and labels is not None:
                from limen.audio import describe

                window = int(next(iter(shapes.values()))[0])
                seconds = window / rate
                describe(
                    made,
                    rate=rate,
                    window=window,
                    hop=window,
                    frame_seconds=seconds,
                    labels=labels,
                    activation="logit",
                )
            session = runtime.InferenceSession(str(made), providers=["CPUExecutionProvider"])
            (found,) = session.run(None, {name: values.numpy() for name, values in items.items()})
            with torch.no_grad():
                apart = float(np.abs(found - whole(*items.values()).numpy()).max())
            if not apart <= AGREES * max(1.0, float(np.abs(found).max())):
                raise InputError(
                    f"{target} would differ from PyTorch by {apart:.1e} in a logit; {AGREES:g} is allowed. Use "
                    "layers that ONNX has."
                )
            made.replace(target)
    finally:
        network.to(device)
