"""A small convolutional network, from log spectra to a logit for each label."""

from __future__ import annotations

from limen.errors import InputError, require

require("torch", extra="learn", user="limen.learn")

import torch  # noqa: E402
from torch import nn  # noqa: E402


class SmallCNN(nn.Module):
    """Three convolutions, the mean and maximum over bands and frames, one linear layer.

    Parameters
    ----------
    n_outputs : int
    channels : int
        Of the first convolution; the others have two and four times as many. The parameters are about
        ``90 channels² + 8 channels n_outputs``.

    Attributes
    ----------
    features : torch.nn.Sequential
        From spectra to activations (n, 4 * channels, n_bands // 4, n_frames // 2).
    """

    def __init__(self, n_outputs: int, channels: int = 8) -> None:
        super().__init__()
        if channels < 1 or n_outputs < 1:
            raise InputError(f"channels={channels}, n_outputs={n_outputs}: both are 1 or more.")
        self.features = nn.Sequential(
            nn.BatchNorm2d(1),
            *_block(1, channels),
            nn.AvgPool2d(2),
            *_block(channels, 2 * channels),
            nn.AvgPool2d((2, 1)),
            *_block(2 * channels, 4 * channels),
        )
        self.head = nn.Linear(8 * channels, n_outputs)

    def logits(self, features: torch.Tensor) -> torch.Tensor:
        """Return logits (n, n_outputs) of what `features` gives."""
        found: torch.Tensor = self.head(torch.cat([features.mean(dim=(2, 3)), features.amax(dim=(2, 3))], dim=1))
        return found

    def forward(self, spectra: torch.Tensor) -> torch.Tensor:
        """Return logits (n, n_outputs) of spectra (n, 1, n_bands, n_frames)."""
        return self.logits(self.features(spectra))


def n_parameters(module: nn.Module) -> int:
    """Return the number of a module's parameters."""
    return sum(parameter.numel() for parameter in module.parameters())


def _block(before: int, after: int) -> list[nn.Module]:
    return [nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
