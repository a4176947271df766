"""Front ends: waves (n, samples) to log spectra (n, 1, bands, frames), as torch modules that export to ONNX."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from limen.errors import InputError, require

require("torch", extra="learn", user="limen.learn")

import torch  # noqa: E402
from torch import nn  # noqa: E402

FLOOR = 1e-6
"""Added to an energy before the logarithm: silence is finite."""


class _Spectrum(nn.Module):
    """Energies of frequency bands, by a convolution with windowed cosines and sines: part of the graph.

    A frame's window of ``window`` samples is centred on its ``hop`` samples, zeros beyond the ends.
    """

    def __init__(self, rate: int, n_bands: int, window: int, hop: int, edges: NDArray[np.float64]) -> None:
        super().__init__()
        if not 1 <= hop <= window:
            raise InputError(f"hop={hop}, window={window}: a hop is 1 sample or more, and at most the window.")
        if not 1 <= n_bands <= window // 2:
            raise InputError(f"n_bands={n_bands}: a window of {window} samples has 1 to {window // 2} bands.")
        self.rate, self.n_bands, self.window, self.hop = rate, n_bands, window, hop
        hertz = np.arange(1, window // 2 + 1) * rate / window
        angle = 2 * np.pi * np.outer(hertz / rate, np.arange(window))
        shape = np.hanning(window + 2)[1:-1]
        waves = np.concatenate([np.cos(angle), np.sin(angle)]) * shape / np.sqrt(np.square(shape).sum())
        self.waves: torch.Tensor
        self.bands: torch.Tensor
        self.register_buffer("waves", torch.tensor(waves, dtype=torch.float32)[:, None], persistent=False)
        self.register_buffer(
            "bands", torch.tensor(_triangles(hertz, edges), dtype=torch.float32), persistent=False
        )

    def energies(self, waves: torch.Tensor) -> torch.Tensor:
        """Return the log energies (n, n_bands, n_frames) of waves (n, n_samples); n_samples // hop frames."""
        before = (self.window - self.hop) // 2
        padded = nn.functional.pad(waves[:, None], (before, self.window - self.hop - before))
        cosine, sine = nn.functional.conv1d(padded, self.waves, stride=self.hop).chunk(2, dim=1)
        return torch.log(self.bands @ (cosine.square() + sine.square()) + FLOOR)

    def forward(self, waves: torch.Tensor) -> torch.Tensor:
        """Return (n, 1, n_bands, n_frames) from waves (n, n_samples)."""
        return self.energies(waves)[:, None]


class LogSTFT(_Spectrum):
    """Log energies of bands equally wide in hertz.

    Parameters
    ----------
    rate : int
        Samples a second.
    n_bands : int
    window, hop : int
        Samples of a frame's window, and from one frame to the next.
    """

    def __init__(self, rate: int, n_bands: int = 40, window: int = 512, hop: int = 160) -> None:
        super().__init__(rate, n_bands, window, hop, np.linspace(0, rate / 2, n_bands + 2))


class LogMel(_Spectrum):
    """Log energies of bands equally wide in mel, ``2595 log10(1 + f / 700)``.

    Parameters
    ----------
    rate : int
        Samples a second.
    n_bands : int
    window, hop : int
        Samples of a frame's window, and from one frame to the next.
    low : float
        Hertz, where the first band begins.
    """

    def __init__(self, rate: int, n_bands: int = 40, window: int = 512, hop: int = 160, low: float = 50.0) -> None:
        top = 2595 * np.log10(1 + rate / 2 / 700)
        bottom = 2595 * np.log10(1 + low / 700)
        edges = 700 * (10 ** (np.linspace(bottom, top, n_bands + 2) / 2595) - 1)
        super().__init__(rate, n_bands, window, hop, edges)


class MFCC(LogMel):
    """The first cosine coefficients of log-mel energies.

    Parameters
    ----------
    rate : int
        Samples a second.
    n_coefficients : int
        At most ``n_bands``.
    n_bands, window, hop : int
        As `LogMel` has them.
    lifter : float
        Coefficient k is weighted by ``1 + lifter / 2 sin(pi k / lifter)``: the first few are much larger than the
        others. With 0, by 1. It is at least ``n_coefficients``.
    """

    def __init__(
        self,
        rate: int,
        n_coefficients: int = 32,
        n_bands: int = 40,
        window: int = 512,
        hop: int = 160,
        lifter: float = 0.0,
    ) -> None:
        super().__init__(rate, n_bands, window, hop)
        if not 1 <= n_coefficients <= n_bands:
            raise InputError(f"n_coefficients={n_coefficients}: {n_bands} bands have 1 to {n_bands}.")
        if lifter and lifter < n_coefficients:
            raise InputError(f"lifter={lifter!r}: it is 0, or at least n_coefficients, {n_coefficients}.")
        turns = np.pi / n_bands * np.outer(np.arange(n_coefficients), np.arange(n_bands) + 0.5)
        cosines = np.cos(turns) * np.sqrt(2 / n_bands)
        cosines[0] /= np.sqrt(2)
        if lifter:
            cosines *= 1 + lifter / 2 * np.sin(np.pi / lifter * np.arange(n_coefficients))[:, None]
        self.cosines: torch.Tensor
        self.register_buffer("cosines", torch.tensor(cosines, dtype=torch.float32), persistent=False)

    def forward(self, waves: torch.Tensor) -> torch.Tensor:
        """Return (n, 1, n_coefficients, n_frames) from waves (n, n_samples)."""
        return (self.cosines @ self.energies(waves))[:, None]


def _triangles(hertz: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weights (n_bands, n_bins) of triangular bands, each summing to 1.

    A band narrower than a bin takes the bin nearest to its middle.
    """
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    weights = np.maximum(0, np.minimum((hertz - low) / (middle - low), (high - hertz) / (high - middle)))
    nearest = np.abs(hertz - middle).argmin(axis=1)
    weights[np.arange(len(weights)), nearest] += weights.sum(axis=1) == 0
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))
