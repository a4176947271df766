"""Losses that compare which items, or which frames of an item, two networks find alike."""

from __future__ import annotations

from limen.errors import InputError, require

require("torch", extra="learn", user="limen.learn.similarity")

import torch  # noqa: E402
from torch import nn  # noqa: E402

SILENT = 1e-12
"""A row of products whose norm is no larger a share of the largest row's is one of zeros: it has no direction."""


class SimilarityPreservingLoss(nn.Module):
    """How differently two networks find the items of a batch alike.

    For activations of b items, each flattened to a row of Q, the Gram matrix ``Q Qᵀ`` (b, b) has its rows brought
    to norm 1; the loss is the mean squared difference of the student's and the teacher's. Only items must agree.

    Notes
    -----
    After Tung and Mori (ICCV 2019), in its usual form. Invariant to the scale of a batch's activations.

    Examples
    --------
    >>> import torch
    >>> loss = SimilarityPreservingLoss()
    >>> alike, apart = torch.ones(2, 3, 4, 5), torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> float(loss(alike, alike)), round(float(loss(apart, alike)), 4)
    (0.0, 0.2929)
    """

    def gram(self, activations: torch.Tensor) -> torch.Tensor:
        """Return the Gram matrix (b, b) of activations (b, ...), rows of norm 1 or 0."""
        if activations.ndim < 2:
            raise InputError(
                f"activations of shape {tuple(activations.shape)}: give (items, ...), two axes or more."
            )
        return rows_to_one(products(activations.flatten(1)))

    def loss(self, gram_s: torch.Tensor, gram_t: torch.Tensor) -> torch.Tensor:
        """Return the mean squared difference of two Gram matrices (b, b)."""
        _alike(gram_s, gram_t)
        return (gram_s - gram_t).square().mean()

    def forward(self, student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
        """Return the loss of activations (b, ...) of two networks."""
        return self.loss(self.gram(student), self.gram(teacher))


class IntraUtteranceSimilarityLoss(nn.Module):
    """How differently two networks find the frames within each item alike.

    For activations of an item at t frames, each flattened to a row of Q, the Gram matrix ``Q Qᵀ`` (t, t) has its
    rows brought to norm 1; the loss is the mean squared difference of the student's and the teacher's, on average
    over items. Only items and frames must agree: channels and bands may differ.

    Parameters
    ----------
    time_dim : int
        The axis of the frames; axis 0 is that of the items.
    resample : {"mean", None}
        Where one network has more frames, they are averaged to the fewer of the other; or refused.

    Notes
    -----
    After Chang, Kao, Sun and Wang (Interspeech 2020); its abstract leaves open the norm of the rows
    and what is done about other numbers of frames: both are our choice. Invariant to orthogonal maps of what a
    frame holds (the order of channels, say), and to the scale of each item. A frame of zeros has a row and a
    column of zeros, and no gradient.

    Examples
    --------
    >>> import torch
    >>> loss = IntraUtteranceSimilarityLoss()
    >>> teacher, student = torch.rand(2, 16, 8, 31), torch.rand(2, 4, 20, 62)
    >>> loss.gram(student).shape, bool(loss(student, teacher) > 0)
    (torch.Size([2, 62, 62]), True)
    """

    def __init__(self, time_dim: int = -1, resample: str | None = "mean") -> None:
        super().__init__()
        if resample not in ("mean", None):
            raise InputError(f"resample={resample!r}: use 'mean', or None to refuse frames that differ in number.")
        self.time_dim, self.resample = time_dim, resample

    def n_frames(self, activations: torch.Tensor) -> int:
        """Return the number of frames of activations.

        Raises
        ------
        InputError
            If there is no axis of frames beside those of items and of what a frame holds.
        """
        axis = self.time_dim + activations.ndim if self.time_dim < 0 else self.time_dim
        if activations.ndim < 3 or not 1 <= axis < activations.ndim:
            raise InputError(
                f"activations of shape {tuple(activations.shape)} with time_dim={self.time_dim}: give (items, "
                "..., frames), one axis or more between, of a layer before frames are pooled."
            )
        return activations.shape[axis]

    def gram(
        self, activations: torch.Tensor, mask: torch.Tensor | None = None, n_frames: int | None = None
    ) -> torch.Tensor:
        """Return the Gram matrices (b, t, t) of activations, rows of norm 1 or 0.

        Parameters
        ----------
        activations : tensor (b, ..., t)
        mask : bool tensor (b, t), optional
            Which frames are real; the rows and columns of the others are zeros.
        n_frames : int, optional
            Averages to so many frames first, over real ones.
        """
        given = self.n_frames(activations)
        frames = activations.movedim(self.time_dim, 1).flatten(2)
        if mask is not None:
            _fits(mask, frames)
            frames = frames.where(mask[..., None], torch.zeros((), dtype=frames.dtype, device=frames.device))
        if n_frames is not None and n_frames != given:
            frames = _averaged(frames, n_frames)
            if mask is not None:
                frames = frames / _averaged(mask[..., None].to(frames), n_frames).clamp_min(1 / (2 * given))
        return rows_to_one(products(frames))

    def loss(self, gram_s: torch.Tensor, gram_t: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Return the mean over items of the mean squared difference of Gram matrices (b, t, t), of real frames."""
        _alike(gram_s, gram_t)
        apart = (gram_s - gram_t).square()
        if mask is None:
            return apart.mean()
        _fits(mask, gram_s)
        pairs = mask[:, :, None] & mask[:, None, :]
        return (apart * pairs).sum(dim=(1, 2)).div(pairs.sum(dim=(1, 2)).clamp_min(1)).mean()

    def forward(
        self, student: torch.Tensor, teacher: torch.Tensor, mask: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return the loss of activations of two networks.

        Parameters
        ----------
        student, teacher : tensors (b, ..., t)
        mask : bool tensor (b, t), optional
            Which frames are real, at the frames of the network that has more.
        """
        ours, theirs = self.n_frames(student), self.n_frames(teacher)
        if ours != theirs and self.resample is None:
            raise InputError(f'student has {ours} frames, teacher {theirs}. Use resample="mean", or like layers.')
        few = min(ours, theirs)
        of_student, of_teacher, of_both = (mask if mask is None else real_at(mask, n) for n in (ours, theirs, few))
        grams = self.gram(student, of_student, few), self.gram(teacher, of_teacher, few)
        return self.loss(*grams, mask=of_both)


def products(rows: torch.Tensor) -> torch.Tensor:
    """Return the products (..., n, n) of each two of rows (..., n, d)."""
    return rows @ rows.transpose(-1, -2)


def rows_to_one(products: torch.Tensor) -> torch.Tensor:
    """Return products (..., n, n) with rows of norm 1; rows of (nearly) nothing are zeros, without a gradient."""
    norms = torch.linalg.vector_norm(products.detach(), dim=-1, keepdim=True)
    there = norms > SILENT * norms.amax(dim=-2, keepdim=True)
    safe = products.where(there, torch.ones_like(products))
    norm: torch.Tensor = torch.linalg.vector_norm(safe, dim=-1, keepdim=True)
    return (safe / norm).where(there, torch.zeros_like(products))


def real_at(mask: torch.Tensor, n_frames: int) -> torch.Tensor:
    """Return which of ``n_frames`` frames (b, n_frames) average at least one real one, from a mask (b, t)."""
    found: torch.Tensor = _averaged(mask[..., None].to(torch.float32), n_frames)[..., 0] > 0
    return found


def _averaged(frames: torch.Tensor, n_frames: int) -> torch.Tensor:
    """Return frames (b, t, d) as means (b, n_frames, d) of neighbours."""
    return nn.functional.adaptive_avg_pool1d(frames.transpose(1, 2), n_frames).transpose(1, 2)


def _alike(gram_s: torch.Tensor, gram_t: torch.Tensor) -> None:
    if gram_s.shape != gram_t.shape:
        raise InputError(
            f"Gram matrices of shapes {tuple(gram_s.shape)} and {tuple(gram_t.shape)}: items and frames must "
            "agree. Give both networks the same items, and gram(..., n_frames=) the same number."
        )


def _fits(mask: torch.Tensor, frames: torch.Tensor) -> None:
    if mask.dtype != torch.bool or mask.shape != frames.shape[:2]:
        raise InputError(
            f"mask is {mask.dtype} of shape {tuple(mask.shape)}; it must be bool of (items, frames), "
            f"{tuple(frames.shape[:2])} here: True where a frame is real."
        )
