"""SGL-Thresh on all scores at once: no graph, the gradient in closed form."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from limen import objectives
from limen.errors import InputError
from limen.metrics import Metric
from limen.objectives import Objective
from limen.scales import kind_in
from limen.solvers.surrogate import SurrogateGradient
from limen.torch.exact import count_dtype
from limen.torch.loss import LABELS, averaged, known_labels, refuse, refuse_items
from limen.torch.step import SHAPES

BLOCK_ELEMENTS = {"cpu": 1 << 17}
"""Scores looked at together: on a processor, what its cache holds; elsewhere `LARGE_BLOCK`."""
LARGE_BLOCK = 1 << 26


class Fit(NamedTuple):
    """Learned thresholds (n_labels,), and the objective at every iterate (epochs + 1,); on the scores' device."""

    thresholds: Tensor
    history: Tensor


def fit_thresholds(
    y_true: Tensor,
    y_score: Tensor,
    *,
    metric: str | dict[str, Any] | Metric = "f1",
    average: str = "micro",
    sample_weight: Tensor | None = None,
    mask: Tensor | None = None,
    zero_division: float = 0.0,
    surrogate: str = "sigmoid",
    slope: float = 50.0,
    start: float | Tensor | Literal["paper"] = "paper",
    learning_rate: float = 0.01,
    epochs: int = 100,
    keep: Literal["last", "best"] = "last",
) -> Fit:
    """Return thresholds learned with surrogate gradients, each step on all scores, where the scores are.

    Parameters
    ----------
    y_true : Tensor (n_items, n_labels)
        0 and 1, and NaN for unknown.
    y_score : floating-point Tensor (n_items, n_labels)
        Finite; on any device.
    metric, average, zero_division
        As in `limen.tune`.
    sample_weight : Tensor (n_items,), optional
        Not negative.
    mask : bool Tensor (n_items, n_labels), optional
        True where the label of an item is known.
    surrogate, slope, learning_rate, epochs, keep
        As in `limen.solvers.SurrogateGradient`; for logits take slope 2 and learning rate 0.1.
    start : float, Tensor (n_labels,) or "paper"
        Where to begin, on the scale of the scores; "paper" as in `limen.solvers.SurrogateGradient`.

    Returns
    -------
    Fit
        ``thresholds`` are float32, or float64 if the scores are; ``history`` belongs to exactly them.

    Raises
    ------
    InputError
        If shapes, values or options are not usable.

    Notes
    -----
    The method of ``limen.tune(..., method="sgl")`` without its binning, which on a processor is the
    faster way to the same thresholds; this is for scores that are on a GPU already. A step reads every
    score once; the device is never waited for between steps.

    Examples
    --------
    >>> import torch
    >>> y_score = torch.tensor([[0.9], [0.6], [0.4], [0.1]])
    >>> fit = fit_thresholds(torch.tensor([[1], [1], [0], [0]]), y_score, start=0.3)
    >>> fit.history[0].item(), fit.history[-1].item()
    (0.8, 1.0)
    """
    SurrogateGradient(surrogate, slope, learning_rate=learning_rate, epochs=epochs, keep=keep)
    objective = objectives.objective(metric, average, zero_division)
    refuse_items(objective, "This fit")
    # Plain tensors even within inference mode, whose own could not be differentiated by.
    with torch.inference_mode(False), torch.no_grad():
        data = _Data.of(y_true, y_score, sample_weight, mask)
        objective.check_labels(data.n_labels)
        t = _of_paper(data, objective, surrogate, slope) if start == "paper" else _start(start, data)
        adam = torch.optim.Adam([t], lr=learning_rate, maximize=True)
        value, t.grad = data.look(objective, t, surrogate, slope)
        history, best, kept = [value], value, t.clone()
        for _ in range(epochs):
            adam.step()
            value, t.grad = data.look(objective, t, surrogate, slope)
            history.append(value)
            better = value > best
            best, kept = torch.where(better, value, best), torch.where(better, t, kept)
        return Fit((kept if keep == "best" else t).to(data.scores.dtype), torch.stack(history))


class _Data(NamedTuple):
    """Scores (n_items, n_labels), -inf where the label is unknown; and those of the positives, end to end."""

    scores: Tensor
    weight: Tensor | None
    positive: Tensor
    positive_weight: Tensor
    label: Tensor
    p: Tensor
    n: Tensor

    @property
    def n_labels(self) -> int:
        return self.scores.shape[1]

    @classmethod
    def of(cls, y_true: Tensor, y_score: Tensor, sample_weight: Tensor | None, mask: Tensor | None) -> _Data:
        """Return the data, after checking that they are usable."""
        scores = torch.as_tensor(y_score)
        truth = torch.as_tensor(y_true, device=scores.device)
        if (
            scores.ndim != 2
            or scores.shape != truth.shape
            or scores.numel() == 0
            or not scores.is_floating_point()
        ):
            raise InputError(
                f"y_true has shape {tuple(truth.shape)}, y_score {tuple(scores.shape)} and dtype {scores.dtype}. "
                "Both must be (n_items, n_labels) with at least one of each, and scores floating-point."
            )
        scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
        known = known_labels(truth, None if mask is None else torch.as_tensor(mask, device=scores.device))
        positive = truth if truth.dtype == torch.bool else truth == 1
        refuse(~scores.isfinite(), scores, "y_score", "Scores must be finite.")
        if truth.dtype != torch.bool:
            wrong = ~positive & (truth != 0)
            refuse(wrong if known is None else wrong & known, truth, "y_true", LABELS)
        weight = torch.ones(len(scores), dtype=count_dtype(scores), device=scores.device)
        if sample_weight is not None:
            weight = torch.as_tensor(sample_weight, device=scores.device).to(weight.dtype)
            if weight.shape != scores.shape[:1] or not bool((weight.isfinite() & (weight >= 0)).all()):
                raise InputError(
                    f"sample_weight has shape {tuple(weight.shape)} and must be ({len(scores)},): one finite "
                    "weight for each item, not negative."
                )
        n = weight.sum().repeat(scores.shape[1])
        if known is not None:
            positive, n = positive & known, (known * weight.unsqueeze(-1)).sum(dim=0)
            scores = torch.where(known, scores, -torch.inf)
        row, label = positive.nonzero(as_tuple=True)
        return cls(
            scores=scores,
            weight=None if sample_weight is None else weight.to(scores.dtype).unsqueeze(-1),
            positive=scores[row, label],
            positive_weight=weight[row],
            label=label,
            p=torch.zeros_like(n).index_add_(0, label, weight[row]),
            n=n,
        )

    def look(self, objective: Objective, t: Tensor, surrogate: str, slope: float) -> tuple[Tensor, Tensor]:
        """Return the objective at thresholds (n_labels,), and its surrogate gradient."""
        derivative, at = SHAPES[surrogate].derivative, t.to(self.scores.dtype)
        pp, of_all, tp, of_positive = torch.zeros((4, *t.shape), dtype=t.dtype, device=t.device)
        for scores, weight in self._blocks():
            near = derivative(slope * (scores - at))
            kept = (scores >= at).to(scores.dtype)
            of_all += (near if weight is None else near * weight).sum(dim=0)
            pp += (kept if weight is None else kept * weight).sum(dim=0)
        here = at[self.label]
        near = derivative(slope * (self.positive - here))
        of_positive.index_add_(0, self.label, near * self.positive_weight)
        tp.index_add_(0, self.label, (self.positive >= here) * self.positive_weight)
        with torch.enable_grad():
            counts = tp.requires_grad_(), pp.requires_grad_()
            value = averaged(objective, *counts, self.p, self.n)
            by_tp, by_pp = torch.autograd.grad(value, counts)
        return value.detach(), -slope * (by_tp * of_positive + by_pp * of_all)

    def _blocks(self) -> Iterator[tuple[Tensor, Tensor | None]]:
        step = max(1, BLOCK_ELEMENTS.get(self.scores.device.type, LARGE_BLOCK) // self.n_labels)
        for first in range(0, len(self.scores), step):
            rows = slice(first, first + step)
            yield self.scores[rows], None if self.weight is None else self.weight[rows]


def _start(start: float | Tensor, data: _Data) -> Tensor:
    t = torch.as_tensor(start, dtype=data.n.dtype, device=data.n.device).detach()
    if t.ndim > 1 or (t.ndim and len(t) != data.n_labels) or not bool(t.isfinite().all()):
        raise InputError(
            f"start has shape {tuple(t.shape)} for {data.n_labels} labels. Give one finite number, or one for "
            "each label."
        )
    return t.expand(data.n_labels).clone()


def _of_paper(data: _Data, objective: Objective, surrogate: str, slope: float) -> Tensor:
    """Return the better of the paper's two starts, 0.3 and 0.5, on the scale of the scores."""
    known = data.scores[data.scores.isfinite()]
    ends = np.array([known.amin().item(), known.amax().item()]) if known.numel() else np.array([0.5])
    probabilities = kind_in(ends) == "probability"
    low, high = (_start(p if probabilities else math.log(p / (1 - p)), data) for p in (0.3, 0.5))
    (at_low, _), (at_high, _) = (data.look(objective, t, surrogate, slope) for t in (low, high))
    return torch.where(at_high > at_low, high, low)
