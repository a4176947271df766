"""The tagger: a small convolutional recurrent network, from samples to a logit for each frame and label."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mixing import mix, targets
from sources import Sound, Sources

STEP_S = 0.02
FRAME_S = 0.04
WINDOW_S = 4.0
BATCH = 16


class LogMel(nn.Module):
    """Log-mel energies as a convolution with windowed cosines and sines, so that they are part of the graph."""

    def __init__(self, rate: int, n_bands: int) -> None:
        super().__init__()
        self.step = round(STEP_S * rate)
        self.size = 2 ** int(np.ceil(np.log2(1.5 * self.step)))
        low, high = 50.0, rate / 2
        edges = 700 * np.expm1(np.linspace(np.log1p(low / 700), np.log1p(high / 700), n_bands + 2))
        hertz = np.arange(1, self.size // 2) * rate / self.size
        rising = (hertz - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
        falling = (edges[2:, None] - hertz) / (edges[2:] - edges[1:-1])[:, None]
        mel = np.maximum(0, np.minimum(rising, falling))
        # A band that is narrower than a bin takes the bin nearest to its middle.
        nearest = np.abs(hertz - edges[1:-1, None]).argmin(axis=1)
        mel[np.arange(n_bands), nearest] += mel.sum(axis=1) == 0
        mel /= mel.sum(axis=1, keepdims=True)
        angle = 2 * np.pi * np.outer(hertz / rate, np.arange(self.size))
        window = np.hanning(self.size) / np.sqrt(self.size)
        waves = np.concatenate([np.cos(angle), np.sin(angle)]) * window
        self.register_buffer("waves", torch.tensor(waves, dtype=torch.float32)[:, None])
        self.register_buffer("mel", torch.tensor(mel.T, dtype=torch.float32))

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        """Return (n, frames, bands) from (n, samples); a frame's window is centred on the frame."""
        around = (self.size - self.step) // 2
        padded = nn.functional.pad(samples[:, None], (around, around))
        parts = nn.functional.conv1d(padded, self.waves, stride=self.step)
        cosine, sine = parts.chunk(2, dim=1)
        return torch.log((cosine**2 + sine**2).transpose(1, 2) @ self.mel + 1e-6)


class Crnn(nn.Module):
    """Three convolutions, one recurrent layer in both directions, one logit for each label and frame of 40 ms."""

    def __init__(self, rate: int, n_labels: int, n_bands: int = 40, width: int = 16, memory: int = 48) -> None:
        super().__init__()
        self.log_mel = LogMel(rate, n_bands)
        self.scale = nn.BatchNorm1d(n_bands)
        self.convolutions = nn.Sequential(
            *_convolution(1, width, size=5, stride=(2, 2)),
            *_convolution(width, 2 * width),
            nn.AvgPool2d((1, 2)),
            *_convolution(2 * width, 2 * width),
            nn.AvgPool2d((1, 2)),
        )
        self.recurrent = nn.GRU(2 * width * (n_bands // 8), memory, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * memory, n_labels)
        nn.init.constant_(self.head.bias, -3.0)

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        """Return logits (n, frames, labels) from float32 samples (n, window)."""
        mel = self.scale(self.log_mel(samples).transpose(1, 2)).transpose(1, 2)
        seen = self.convolutions(mel[:, None]).transpose(1, 2).flatten(2)
        memory, _ = self.recurrent(seen)
        return self.head(nn.functional.dropout(memory, 0.2, self.training))


def _convolution(before: int, after: int, size: int = 3, stride: tuple[int, int] = (1, 1)) -> list[nn.Module]:
    return [
        nn.Conv2d(before, after, size, stride, padding=size // 2, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(),
    ]


def train(
    sources: Sources, sounds: list[Sound], seconds: float, seed: int, progress: Callable[[float, float], None]
) -> Crnn:
    """Return a tagger trained for ``seconds`` of one core on ever new mixtures of these sounds.

    The seconds are those that this process computes, so that a busy machine takes longer, not less.
    """
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    rng = np.random.default_rng(seed)
    model = Crnn(sources.rate, len(sources.labels)).train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1e-2)
    start, done, smooth = time.process_time(), 0.0, 1.0
    while done < 1:
        for group in optimiser.param_groups:
            group["lr"] = 4e-3 * min(done / 0.1 + 0.05, (1 - done) / 0.9 + 0.01, 1.0)
        samples, active = _batch(sources, sounds, rng)
        loss = nn.functional.binary_cross_entropy_with_logits(model(samples), active)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        smooth += 0.02 * (loss.item() - smooth)
        done = (time.process_time() - start) / seconds
        progress(min(done, 1.0), smooth)
    return model.eval()


def _batch(sources: Sources, sounds: list[Sound], rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    frame = round(FRAME_S * sources.rate)
    n_frames = round(WINDOW_S / FRAME_S)
    made = [mix(sources, sounds, WINDOW_S, rng, vary=True) for _ in range(BATCH)]
    active: list[NDArray[np.float32]] = [targets(one.events, len(sources.labels), n_frames, frame) for one in made]
    return torch.from_numpy(np.stack([one.pcm for one in made])), torch.from_numpy(np.stack(active))
