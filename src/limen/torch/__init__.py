"""PyTorch: decide in a model, train thresholds, and gather exact curves in a training loop.

==========================  ============================================================
`ThresholdLayer`            decisions as the last layer of a model; trainable on request
`threshold`                 the hard step with a smooth one's derivative, as a function
`MetricLoss`                1 minus a metric of counts
`CurveAccumulator`          `update` by batch, `compute` exact `limen.Curves`; many processes
`fit_thresholds`            SGL-Thresh on all scores at once, on the device they are on
==========================  ============================================================
"""

from __future__ import annotations

from limen.errors import require

require("torch", extra="torch")

from limen.torch.accumulator import CurveAccumulator  # noqa: E402
from limen.torch.fitting import Fit, fit_thresholds  # noqa: E402
from limen.torch.layer import ThresholdLayer  # noqa: E402
from limen.torch.loss import MetricLoss  # noqa: E402
from limen.torch.step import SHAPES, decide, threshold  # noqa: E402

__all__ = [
    "SHAPES",
    "CurveAccumulator",
    "Fit",
    "MetricLoss",
    "ThresholdLayer",
    "decide",
    "fit_thresholds",
    "threshold",
]
