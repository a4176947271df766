"""SGL-Thresh in plain PyTorch: the baseline that `limen.tune(method="sgl")` is compared with.

As the paper has it: every step looks at all scores; the forward pass is the hard decision, and the
backward pass puts the derivative of a sigmoid in place of the step's; Adam; the last iterate.
"""

from __future__ import annotations

from typing import Any

import torch


class HardStep(torch.autograd.Function):
    """1 where the distance is above 0; backward, the derivative of ``sigmoid(slope * distance)``."""

    @staticmethod
    def forward(ctx: Any, distance: torch.Tensor, slope: float) -> torch.Tensor:
        """Return the decisions."""
        ctx.save_for_backward(distance)
        ctx.slope = slope
        return (distance > 0).to(distance.dtype)

    @staticmethod
    def backward(ctx: Any, *upstream: torch.Tensor) -> tuple[torch.Tensor, None]:
        """Return the surrogate gradient by distance."""
        (distance,) = ctx.saved_tensors
        smooth = torch.sigmoid(ctx.slope * distance)
        return upstream[0] * (ctx.slope * smooth * (1 - smooth)), None


def micro_f1(decisions: torch.Tensor, y_true: torch.Tensor) -> torch.Tensor:
    return 2 * (decisions * y_true).sum() / (decisions.sum() + y_true.sum())


def learn(
    y_true: Any,
    y_score: Any,
    *,
    epochs: int = 100,
    start: float = 0.3,
    slope: float = 50.0,
    learning_rate: float = 0.01,
    dtype: torch.dtype = torch.float32,
) -> Any:
    """Return thresholds (n_labels,) as a float64 array after ``epochs`` full-batch steps."""
    scores = torch.as_tensor(y_score, dtype=dtype)
    truth = torch.as_tensor(y_true, dtype=dtype)
    thresholds = torch.full((scores.shape[1],), start, dtype=dtype, requires_grad=True)
    adam = torch.optim.Adam([thresholds], lr=learning_rate)
    for _ in range(epochs):
        adam.zero_grad()
        loss = -micro_f1(HardStep.apply(scores - thresholds, slope), truth)
        loss.backward()
        adam.step()
    return thresholds.detach().double().numpy()
