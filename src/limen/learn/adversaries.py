"""How an embedding is kept from telling a nuisance: a second classifier, the adversary, and four ways to meet it.

In all, z is the embedding, s the nuisance, ``L_s`` the cross-entropy of the adversary's guess of s from z, and
``w`` the weight, which rises over training (`risen`).

============ ======================================== ========================================================
method       the adversary                            the encoder, beside its own task
============ ======================================== ========================================================
multitask    helps: min ``L_s``                       min ``w L_s``, w as it is: the entangled baseline
grl          same step: min ``L_s``                   min ``-w L_s``, by a reversed gradient
alternate    steps of its own: min ``L_s``, z held    then one step: min ``-w L_s``, adversary held
confusion    as alternate                             then one step: min ``w`` cross-entropy of the uniform
                                                      distribution and the guess, adversary held
============ ======================================== ========================================================
"""

from __future__ import annotations

import math
from typing import Any

from limen.errors import require

require("torch", extra="learn", user="limen.learn")

import torch  # noqa: E402
from torch import nn  # noqa: E402


class GradientReversal(nn.Module):
    """Its input, whose gradient is multiplied by ``-weight`` on the way back.

    Parameters
    ----------
    weight : float
        From 0.

    Examples
    --------
    >>> z = torch.ones(2, requires_grad=True)
    >>> GradientReversal(0.5)(z).sum().backward()
    >>> z.grad
    tensor([-0.5000, -0.5000])
    """

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Return z."""
        found: torch.Tensor = _Reversed.apply(z, self.weight)  # type: ignore[no-untyped-call]
        return found


class ConfusionLoss(nn.Module):
    """Cross-entropy of the uniform distribution and the softmax of logits, less its least: 0 exactly at uniform.

    Which is the Kullback-Leibler divergence of the uniform distribution from the softmax.

    Examples
    --------
    >>> loss = ConfusionLoss()
    >>> round(float(loss(torch.zeros(4, 5))), 6), round(float(loss(torch.tensor([[2.0, 0.0]]))), 4)
    (0.0, 0.4338)
    """

    def forward(self, logits: torch.Tensor) -> torch.Tensor:
        """Return the mean over the rows of logits (n, n_classes)."""
        return (torch.logsumexp(logits, dim=1) - logits.mean(dim=1)).mean() - math.log(logits.shape[1])


def risen(weight: float, done: float) -> float:
    """Return ``weight (2 / (1 + exp(-10 done)) - 1)``: from 0, at half of the training 0.99 of the weight."""
    return weight * (2 / (1 + math.exp(-10 * done)) - 1)


class Adversary(nn.Module):
    """A classifier of the nuisance from the embedding: one hidden layer.

    No dropout and no batch norm: it draws nothing and keeps nothing, so that it cannot touch what is trained
    beside it.
    """

    def __init__(self, embed_dim: int, n_classes: int, hidden: int = 128) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(embed_dim, hidden), nn.ReLU(), nn.Linear(hidden, n_classes))
        self.cross_entropy = nn.CrossEntropyLoss()

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Return logits (n, n_classes)."""
        found: torch.Tensor = self.layers(z)
        return found

    def loss(self, z: torch.Tensor, s: torch.Tensor) -> torch.Tensor:
        """Return the cross-entropy of the guess of s (n,) from z (n, embed_dim)."""
        found: torch.Tensor = self.cross_entropy(self(z), s)
        return found


class Multitask:
    """The nuisance as a second task: no adversary but an ally. The baseline that the others are held against.

    Parameters
    ----------
    adversary : Adversary
    weight : float
        Of the second task.
    steps : int
        Of the adversary on its own, for each of the encoder.
    learning_rate, weight_decay : float
        Of these steps.
    """

    joint = True
    """Whether the adversary is fitted in the same step as the encoder."""

    def __init__(
        self,
        adversary: Adversary,
        weight: float,
        steps: int = 0,
        learning_rate: float = 0.0,
        weight_decay: float = 0.0,
    ) -> None:
        self.adversary, self.weight, self.steps = adversary, weight, steps
        if not self.joint:
            own = adversary.parameters()
            self.optimiser = torch.optim.AdamW(own, learning_rate, weight_decay=weight_decay, fused=True)

    def loss(self, z: torch.Tensor, s: torch.Tensor, done: float) -> torch.Tensor:
        """Return what the encoder's loss gains; ``done`` is the share of the training that is done."""
        return self.weight * self.adversary.loss(z, s)


class Reversal(Multitask):
    """One step for both, with a reversed gradient between adversary and encoder."""

    def loss(self, z: torch.Tensor, s: torch.Tensor, done: float) -> torch.Tensor:
        """Return the adversary's loss; the encoder gets its gradient reversed."""
        return self.adversary.loss(GradientReversal(risen(self.weight, done))(z), s)


class Alternation(Multitask):
    """Steps of the adversary with the embedding held, then the encoder against the adversary as it stands."""

    joint = False

    def loss(self, z: torch.Tensor, s: torch.Tensor, done: float) -> torch.Tensor:
        """Return the term of the encoder's step, after the adversary took its steps."""
        self.adversary.requires_grad_(True)
        for _ in range(self.steps):
            self.optimiser.zero_grad(set_to_none=True)
            self.adversary.loss(z.detach(), s).backward()  # type: ignore[no-untyped-call]
            self.optimiser.step()
        self.adversary.requires_grad_(False)
        return risen(self.weight, done) * self.term(z, s)

    def term(self, z: torch.Tensor, s: torch.Tensor) -> torch.Tensor:
        """Return the adversary's gain."""
        return -self.adversary.loss(z, s)


class Confusion(Alternation):
    """As alternation, but the encoder makes the adversary's guess uniform instead of wrong."""

    confusion = ConfusionLoss()

    def term(self, z: torch.Tensor, s: torch.Tensor) -> torch.Tensor:
        """Return how far the guess is from uniform."""
        found: torch.Tensor = self.confusion(self.adversary(z))
        return found


METHODS: dict[str, type[Multitask]] = {
    "multitask": Multitask,
    "grl": Reversal,
    "alternate": Alternation,
    "confusion": Confusion,
}


class _Reversed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: torch.Tensor, weight: float) -> torch.Tensor:
        ctx.weight = weight
        return z.view_as(z)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return gradient * -ctx.weight, None
