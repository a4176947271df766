"""The network and the losses of AVGZSLNet: sound, pictures and class texts in one space.

After Mazumder et al. (arXiv 2005.13402); the losses are as the public code of a later paper (AVCA-GZSL) has them.
"""

from __future__ import annotations

from typing import NamedTuple

from limen.errors import InputError, require

require("torch", extra="learn", user="limen.learn")

import torch  # noqa: E402
from torch import nn  # noqa: E402

LEAST = 1e-12
"""Squared distances are no smaller: the root has a slope there."""


class Views(NamedTuple):
    """Items as their class text, sound and picture have them, (n, dim) each: embedded, or decoded."""

    text: torch.Tensor
    audio: torch.Tensor
    video: torch.Tensor


class AVGZSLNet(nn.Module):
    """Three branches into one space, and one decoder that gives the class text back from each.

    A branch is Linear, BatchNorm, ReLU, Dropout, Linear. Sound and pictures are first put to mean 0 and spread 1,
    by what `standardise` was given.

    Parameters
    ----------
    audio_dim, video_dim, text_dim : int
        Numbers of features.
    embed_dim, hidden_dim : int
        Of the common space, and within the branches of sound and pictures (the text's has at most 300).
    dropout : float
        In the branches; half of it in the decoder.
    """

    def __init__(
        self,
        audio_dim: int,
        video_dim: int,
        text_dim: int,
        embed_dim: int = 64,
        hidden_dim: int = 1024,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        sizes = (audio_dim, video_dim, text_dim, embed_dim, hidden_dim)
        if min(sizes) < 1 or not 0 <= dropout < 1:
            raise InputError(
                f"sizes {sizes}, dropout {dropout}: sizes are 1 or more, a dropout from 0 and below 1."
            )
        self.audio = _branch(audio_dim, hidden_dim, embed_dim, dropout)
        self.video = _branch(video_dim, hidden_dim, embed_dim, dropout)
        self.text = _branch(text_dim, min(hidden_dim, 300), embed_dim, dropout)
        self.decoder = _branch(embed_dim, embed_dim, text_dim, dropout / 2)
        self.audio_mean: torch.Tensor
        self.audio_scale: torch.Tensor
        self.video_mean: torch.Tensor
        self.video_scale: torch.Tensor
        for name, size in (("audio", audio_dim), ("video", video_dim)):
            self.register_buffer(f"{name}_mean", torch.zeros(size))
            self.register_buffer(f"{name}_scale", torch.ones(size))

    def standardise(self, audio: torch.Tensor, video: torch.Tensor) -> None:
        """Keep the mean and spread of training items, to which all items are put."""
        for name, items in (("audio", audio), ("video", video)):
            spread = items.std(dim=0, correction=0)
            getattr(self, f"{name}_mean").copy_(items.mean(dim=0))
            getattr(self, f"{name}_scale").copy_(torch.where(spread > 1e-6, spread, torch.ones_like(spread)))

    def embed_audio(self, audio: torch.Tensor) -> torch.Tensor:
        """Return sounds (n, audio_dim) in the common space, (n, embed_dim)."""
        found: torch.Tensor = self.audio((audio - self.audio_mean) / self.audio_scale)
        return found

    def embed_video(self, video: torch.Tensor) -> torch.Tensor:
        """Return pictures (n, video_dim) in the common space, (n, embed_dim)."""
        found: torch.Tensor = self.video((video - self.video_mean) / self.video_scale)
        return found

    def embed_text(self, text: torch.Tensor) -> torch.Tensor:
        """Return class texts (n, text_dim) in the common space, (n, embed_dim)."""
        found: torch.Tensor = self.text(text)
        return found

    def decode(self, embedded: torch.Tensor) -> torch.Tensor:
        """Return the class texts (n, text_dim) of length 1 that points of the space stand for."""
        return nn.functional.normalize(self.decoder(embedded), dim=-1)

    def forward(self, text: torch.Tensor, audio: torch.Tensor, video: torch.Tensor) -> Views:
        """Return items, and the text of each one's class, in the common space."""
        return Views(self.embed_text(text), self.embed_audio(audio), self.embed_video(video))


class CompositeTripletLoss(nn.Module):
    """Sounds and pictures shall lie nearer to the text of their class than others do, and the texts to them.

    ``tri(x, y, z) = max(0, |x - y| - |x - z| + margin)``, summed over (t, a, a'), (a, t, t'), (t, v, v') and
    (v, t, t'), the mean over pairs.

    Parameters
    ----------
    margin : float
    """

    def __init__(self, margin: float = 1.0) -> None:
        super().__init__()
        self.margin = margin

    def forward(self, own: Views, other: Views) -> torch.Tensor:
        """Return the loss of items and, row by row, items of other classes, all embedded."""
        return (
            triplet(own.text, own.audio, other.audio, self.margin)
            + triplet(own.audio, own.text, other.text, self.margin)
            + triplet(own.text, own.video, other.video, self.margin)
            + triplet(own.video, own.text, other.text, self.margin)
        )


class CrossModalDecoderLoss(nn.Module):
    """All three views of an item give the text of its class, and sound and picture more so than those of others.

    ``|t^ - x| + |a^ - x| + |v^ - x| + tri(t^, a^, a'^) + tri(t^, v^, v'^)``, the mean over pairs; a hat is what
    the decoder gives, x the class text.

    Parameters
    ----------
    margin : float
    """

    def __init__(self, margin: float = 1.0) -> None:
        super().__init__()
        self.margin = margin

    def forward(self, own: Views, other: Views, text: torch.Tensor) -> torch.Tensor:
        """Return the loss of items, of this class text, and, row by row, of other classes' items, all decoded."""
        rebuilt = sum((distance(view, text).mean() for view in own), start=torch.zeros((), device=text.device))
        return (
            rebuilt
            + triplet(own.text, own.audio, other.audio, self.margin)
            + triplet(own.text, own.video, other.video, self.margin)
        )


class Scores(nn.Module):
    """The negative distances (n, n_classes) of items to class texts: what is exported.

    Parameters
    ----------
    network : AVGZSLNet
    text : tensor (n_classes, text_dim)
    views : sequence of {"audio", "video"}
        Which are given: their features, side by side.
    """

    def __init__(self, network: AVGZSLNet, text: torch.Tensor, views: tuple[str, ...]) -> None:
        super().__init__()
        self.network, self.views = network, views
        self.points: torch.Tensor
        with torch.no_grad():
            self.register_buffer("points", network.eval().embed_text(text))

    def forward(self, items: torch.Tensor) -> torch.Tensor:
        """Return scores, 0 or less, larger for nearer classes."""
        n_audio = self.network.audio_mean.shape[0] if "audio" in self.views else 0
        found = []
        if "audio" in self.views:
            found.append(self.network.embed_audio(items[:, :n_audio]))
        if "video" in self.views:
            found.append(self.network.embed_video(items[:, n_audio:]))
        apart = [distance(one[:, None], self.points[None]) for one in found]
        return -sum(apart[1:], start=apart[0])


def distance(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Return Euclidean distances over the last axis, with a finite slope at 0."""
    return (one - other).square().sum(dim=-1).clamp_min(LEAST).sqrt()


def triplet(anchor: torch.Tensor, near: torch.Tensor, far: torch.Tensor, margin: float) -> torch.Tensor:
    """Return the mean of ``max(0, |anchor - near| - |anchor - far| + margin)`` over rows."""
    return (distance(anchor, near) - distance(anchor, far) + margin).clamp_min(0).mean()


def _branch(before: int, hidden: int, after: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(before, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, after)
    )
