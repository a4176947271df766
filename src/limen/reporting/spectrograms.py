"""Small pictures of recordings: loudness by time and frequency, as bytes that the page colours."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.errors import require

MOST_PICTURED = 200
"""Recordings; each picture takes 10 kB of the page."""
BANDS = 48
FRAMES = 160
SECONDS = 60.0
"""Of a longer recording, the beginning is pictured."""
WINDOW_S = 0.03
LOWEST_HZ = 50.0
RANGE_DB = 70.0


def pictured(
    files: Mapping[int, Path], progress: Callable[[float], None] = lambda share: None
) -> tuple[dict[int, Any], list[int]]:
    """Return the pictures of recordings, by the same keys, and the keys of those that cannot be read.

    Raises
    ------
    MissingDependencyError
        If there are recordings, and soundfile is not installed.
    """
    if not files:
        return {}, []
    soundfile = require("soundfile", extra="audio", user="drawing spectrograms")
    pictures, damaged = {}, []
    for number, (key, file) in enumerate(files.items(), 1):
        try:
            with soundfile.SoundFile(file) as opened:
                rate, total = opened.samplerate, opened.frames
                pcm = opened.read(int(SECONDS * rate), dtype="float32", always_2d=True)
            bands = bands_of(pcm.mean(axis=1), rate)
        except (soundfile.SoundFileError, OSError, RuntimeError, ValueError):
            damaged.append(key)
        else:
            pictures[key] = {
                "frames": bands.shape[1],
                "pixels": base64.b64encode(bands.tobytes()).decode(),
                "seconds": len(pcm) / rate,
                "whole": total <= len(pcm),
                "low": LOWEST_HZ,
                "high": rate / 2,
            }
        progress(number / len(files))
    return pictures, damaged


def bands_of(pcm: NDArray[np.float32], rate: int) -> NDArray[np.uint8]:
    """Return loudness in `BANDS` mel bands, highest first, and at most `FRAMES` frames: uint8 (bands, frames).

    Parameters
    ----------
    pcm : float32 (n_samples,)
        At least one.
    rate : int
        Samples a second.

    Raises
    ------
    ValueError
        If there is no sample, or one is no number.

    Notes
    -----
    0 is `RANGE_DB` below the loudest band of the recording, 255 the loudest. A frame holds the loudest of the
    short windows that begin in it, so that a click in a long recording is seen. Silence is all 0.
    """
    if not len(pcm) or not np.isfinite(pcm).all():
        raise ValueError("no samples, or some that are no numbers")
    size = max(16, 2 ** round(np.log2(rate * WINDOW_S)))
    hop = size // 2
    padded = np.zeros(size + hop * -(-max(len(pcm) - size, 0) // hop), np.float32)
    padded[: len(pcm)] = pcm[: len(padded)]
    windows = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop]
    shape = np.hanning(size).astype(np.float32)
    edges = _edges(rate) * size / rate
    power = np.concatenate(
        [
            _in_bands(np.abs(np.fft.rfft(part * shape)) ** 2, edges)
            for part in np.array_split(windows, -(-len(windows) // 256))
        ]
    )
    frame = np.arange(len(power)) * min(FRAMES, len(power)) // len(power)
    loudest = np.maximum.reduceat(power, np.flatnonzero(np.diff(frame, prepend=-1)), axis=0)
    top = loudest.max()
    if top <= 0:
        return np.zeros((BANDS, len(loudest)), np.uint8)
    decibels = 10 * np.log10(np.maximum(loudest / top, 10 ** (-RANGE_DB / 10)))
    return np.ascontiguousarray(np.round(255 * (1 + decibels / RANGE_DB)).astype(np.uint8).T[::-1])


def _edges(rate: int) -> NDArray[np.float64]:
    """Return the ends of the bands in Hz, evenly on the mel scale (O'Shaughnessy 1987): 2595 log10(1 + f/700)."""
    low, high = (np.log1p(hertz / 700) for hertz in (min(LOWEST_HZ, rate / 8), rate / 2))
    return np.asarray(700 * np.expm1(np.linspace(low, high, BANDS + 1)))


def _in_bands(power: NDArray[Any], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return mean power between edges in bins, also where a band is narrower than a bin: (windows, bands)."""
    total = np.concatenate([np.zeros((len(power), 1)), np.cumsum(power, axis=1, dtype=np.float64)], axis=1)
    at = np.clip(edges + 0.5, 0, power.shape[1])
    whole = np.minimum(at.astype(int), power.shape[1] - 1)
    below = total[:, whole] + power[:, whole] * (at - whole)
    return np.asarray(np.diff(below, axis=1) / np.diff(at))
