"""The hard step on tensors: how scores are compared, and what stands in for its derivative."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from limen.errors import InputError

FARTHEST = 1e30
"""Distances beyond are taken for this where a slope is learned, so that 0 times infinity is no NaN."""


class Shape(NamedTuple):
    """A smooth step from 0 to 1 at slope 1, and its derivative; both elementwise."""

    step: Callable[[Tensor], Tensor]
    derivative: Callable[[Tensor], Tensor]


def _sigmoid_derivative(u: Tensor) -> Tensor:
    tail = torch.sigmoid(-u.abs())
    return tail * (1 - tail)


def _fast_sigmoid_step(u: Tensor) -> Tensor:
    tail = 0.5 / (1 + u.abs())
    return torch.where(u >= 0, 1 - tail, tail)


def _triangle_step(u: Tensor) -> Tensor:
    inside = u.clamp(-1, 1)
    return 0.5 + inside - inside * inside.abs() / 2


def _truncated_cosine(u: Tensor) -> Tensor:
    return torch.where(u.abs() <= 1, math.pi / 4 * torch.cos(math.pi / 2 * u.clamp(-1, 1)), 0.0)


SHAPES: dict[str, Shape] = {
    "sigmoid": Shape(torch.sigmoid, _sigmoid_derivative),
    "fast-sigmoid": Shape(_fast_sigmoid_step, lambda u: 0.5 / (1 + u.abs()).square()),
    "arctan": Shape(lambda u: 0.5 + u.atan() / math.pi, lambda u: 1 / (math.pi * (1 + u.square()))),
    "triangle": Shape(_triangle_step, lambda u: (1 - u.abs()).clamp(min=0)),
    "truncated-cosine": Shape(
        lambda u: 0.5 + 0.5 * torch.sin(math.pi / 2 * u.clamp(-1, 1)),
        _truncated_cosine,
    ),
}
"""The smooth steps; their derivatives are those of `limen.solvers.surrogate.SURROGATES`."""


class _Step(torch.autograd.Function):
    """Forward, the decisions (or the smooth step where they are None); backward, the shape's derivative."""

    generate_vmap_rule = True

    @staticmethod
    def forward(u: Tensor, decided: Tensor | None, surrogate: str) -> Tensor:
        return SHAPES[surrogate].step(u) if decided is None else decided.to(u.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor | None, str], output: Tensor) -> None:
        ctx.save_for_backward(inputs[0])
        ctx.surrogate = inputs[2]

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, None, None]:
        (u,) = ctx.saved_tensors
        return upstream[0] * SHAPES[ctx.surrogate].derivative(u), None, None


def decide(scores: Tensor, thresholds: Tensor) -> Tensor:
    """Return the decisions, bool: whether each score is at or above its threshold.

    Parameters
    ----------
    scores : floating-point tensor (..., n_labels)
    thresholds : floating-point tensor (n_labels,), or any shape that broadcasts
        +inf: never, whatever the score.

    Notes
    -----
    Both are widened, exactly, to a dtype that holds both, so a threshold is never rounded to the
    scores' precision. NaN decides False. Nothing depends on values, so nothing waits for the device.
    """
    wide = torch.promote_types(scores.dtype, thresholds.dtype)
    return (scores.to(wide) >= thresholds.to(wide)) & (thresholds < math.inf)


def threshold(
    scores: Tensor,
    thresholds: Tensor,
    *,
    surrogate: str = "sigmoid",
    slope: float | Tensor = 50.0,
    smooth: bool = False,
) -> Tensor:
    """Return decisions, 0.0 or 1.0, through which gradients flow to scores, thresholds and slope.

    Parameters
    ----------
    scores : floating-point tensor (..., n_labels)
    thresholds : floating-point tensor (n_labels,), or any shape that broadcasts
    surrogate : {"sigmoid", "fast-sigmoid", "arctan", "triangle", "truncated-cosine"}
        The smooth step whose derivative stands in.
    slope : float, or tensor (n_labels,)
        1 / width, on the scale of the scores: 50 suits probabilities, 2 logits.
    smooth : bool
        Return the smooth step itself, whose true gradient the same backward pass is.

    Returns
    -------
    Tensor (..., n_labels)
        float32, or float64 if scores or thresholds are.

    Raises
    ------
    InputError
        If the surrogate is unknown.

    Notes
    -----
    Forward: ``score >= threshold``, limen's rule (the paper has ``>``, which differs at a tie only).
    Backward, with x = score - threshold and slope b: b f(b x) to the score, its negative to the
    threshold, x f(b x) to the slope, where f has unit mass (Pellegrini & Masquelier 2021 for the
    sigmoid's). A threshold or score that is infinite gets no gradient. Half precision is widened to
    float32, where the small gradients of counts do not vanish.

    Examples
    --------
    >>> import torch
    >>> thresholds = torch.tensor([0.5, 0.5], requires_grad=True)
    >>> decisions = threshold(torch.tensor([[0.5, 0.4]]), thresholds, slope=10.0)
    >>> decisions.detach()
    tensor([[1., 0.]])
    >>> decisions.sum().backward()
    >>> thresholds.grad
    tensor([-2.5000, -1.9661])
    """
    check_surrogate(surrogate)
    wide = torch.promote_types(torch.promote_types(scores.dtype, thresholds.dtype), torch.float32)
    distance = scores.to(wide) - thresholds.to(wide)
    if isinstance(slope, Tensor):
        distance, slope = distance.clamp(-FARTHEST, FARTHEST), slope.to(wide)
    stepped: Tensor = _Step.apply(slope * distance, None if smooth else decide(scores, thresholds), surrogate)  # type: ignore[no-untyped-call]
    return stepped


def check_surrogate(surrogate: str) -> None:
    """Raise `InputError` unless ``surrogate`` is a shape's name."""
    if surrogate not in SHAPES:
        raise InputError(f"surrogate={surrogate!r} is unknown. Use {', '.join(SHAPES)}.")
