"""The loss of branches that learn at once, from labels and from each other.

Online distillation: from the mean of all branches (ensemble), or between each two of them (mutual).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from limen.errors import InputError, examples, require

require("torch", extra="learn", user="limen.learn.online")

import torch  # noqa: E402
from torch import nn  # noqa: E402

TASKS = ("multilabel", "multiclass")
TEACHERS = ("ensemble", "mutual")


class OnlineDistillationLoss(nn.Module):
    """The loss of branches that learn the labels, and from each other.

    Parameters
    ----------
    task : {"multilabel", "multiclass"}
        Probabilities are sigmoids, each label for itself, or a softmax.
    teacher : {"ensemble", "mutual"}
        From whom a branch learns: from the mean of all branches' logits, or from each other branch in turn.
    temperature : float
        Logits are divided by it before branches are compared; above 1, small probabilities count for more.

    Notes
    -----
    With logits ``z_r`` of R branches, ``p_r`` their probabilities at the temperature T and ``q`` the teacher's, no
    gradient flowing into ``q``::

        sum_r own(y, z_r) + weight T² sum_r KL(q || p_r)

    ``own`` is the cross-entropy, of each label or of the classes; both terms are means over items (and labels).
    The ensemble's ``q`` is that of ``mean_r z_r``; the mutual term is the mean of ``KL(p_s || p_r)`` over the
    others s. The gradient of the second term for ``z_r`` is ``weight T (p_r - q)`` over the number of items (and
    labels): T² keeps its size.
    """

    def __init__(self, task: str = "multilabel", teacher: str = "ensemble", temperature: float = 4.0) -> None:
        super().__init__()
        one_of("task", task, TASKS)
        one_of("teacher", teacher, TEACHERS)
        if not 0 < temperature < np.inf:
            raise InputError(f"temperature={temperature!r}: it is above 0. From 2 to 8 is usual.")
        self.task, self.teacher, self.temperature = task, teacher, float(temperature)

    def forward(
        self, logits: Mapping[str, torch.Tensor], target: torch.Tensor, weight: float = 1.0
    ) -> torch.Tensor:
        """Return the loss ().

        Parameters
        ----------
        logits : dict of float tensors (n_items, n_labels)
            Of each branch, by name.
        target : float tensor (n_items, n_labels) of 0 and 1, or int64 tensor (n_items,) of classes
        weight : float
            Of what branches learn from each other; at 0 they learn as if each were alone.
        """
        own = self.own(logits, target)
        return own + weight * self.distillation(logits) if weight else own

    def own(self, logits: Mapping[str, torch.Tensor], target: torch.Tensor) -> torch.Tensor:
        """Return the sum over branches of the loss of the labels."""
        loss = (
            nn.functional.binary_cross_entropy_with_logits
            if self.task == "multilabel"
            else nn.functional.cross_entropy
        )
        return torch.stack([loss(found, target) for found in _alike(logits)]).sum()

    def distillation(self, logits: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return the sum over branches of T² times how far they are from their teachers; 0 for one branch."""
        found = _alike(logits)
        students = self._logs(found)
        if self.teacher == "ensemble":
            teachers = self._logs(found.detach().mean(dim=0, keepdim=True))[None]
            n_teachers = 1
        else:
            teachers, n_teachers = students.detach()[:, None], max(len(found) - 1, 1)
        # A branch is not apart from itself: that term of the mutual teachers is 0, with no gradient.
        apart = (teachers.exp() * (teachers - students[None])).sum(dim=-1)
        return self.temperature**2 * apart.flatten(2).mean(dim=2).sum() / n_teachers

    def _logs(self, logits: torch.Tensor) -> torch.Tensor:
        """Return log probabilities at the temperature, whose last dimension is a distribution."""
        softened = logits / self.temperature
        if self.task == "multiclass":
            return torch.log_softmax(softened, dim=-1)
        return nn.functional.logsigmoid(torch.stack([softened, -softened], dim=-1))


def _alike(logits: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Return logits (n_branches, n_items, n_labels)."""
    shapes = {name: tuple(found.shape) for name, found in logits.items()}
    if not shapes:
        raise InputError("there are logits of no branch. Give a dict of names and tensors.")
    if len(set(shapes.values())) != 1:
        raise InputError(
            f"the branches' logits have shapes {examples(shapes.items())}. Give one shape, of two or more."
        )
    return torch.stack(list(logits.values()))


def one_of(what: str, given: object, known: tuple[str, ...]) -> None:
    """Raise an `InputError` if a setting is none of those known."""
    if given not in known:
        raise InputError(f"{what}={given!r} is not known. Choose one of {examples(known)}.")
