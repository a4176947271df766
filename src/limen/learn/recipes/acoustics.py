"""Two streams of an utterance as rows of statistics: cepstra, and what the voice does (pitch, energy, voicing)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from limen.learn.features import MFCC

HOP_S = 0.01
PITCH_HZ = (60.0, 400.0)
VOICED = 0.45
"""Correlation of a frame with itself a period later, of 1, from which it is taken as voiced."""
QUIET_DB = 35.0
"""Frames that are this much below the loudest are not voiced."""


def cepstra(waves: Sequence[NDArray[np.float32]], rate: int, n_coefficients: int = 20) -> NDArray[np.float32]:
    """Return float32 (n_waves, 4 * n_coefficients): of each coefficient what `_movement` gives."""
    hop = round(HOP_S * rate)
    front = MFCC(rate, n_coefficients, 40, round(0.032 * rate), hop)
    rows = []
    for wave in waves:
        padded = np.pad(wave, (0, max(0, 2 * hop - len(wave))))
        with torch.no_grad():
            rows.append(_movement(front(torch.from_numpy(padded)[None])[0, 0].numpy()).ravel())
    return np.array(rows, np.float32)


def prosody(waves: Sequence[NDArray[np.float32]], rate: int) -> NDArray[np.float32]:
    """Return float32 (n_waves, 29).

    Eight figures each of the pitch where there is a voice (log2 of hertz), of the energy (dB), and of the voicing:
    those of `_movement`, three quantiles, and the range. Then the share of voiced frames, voiced runs a second,
    their mean length in seconds, the longest pause in seconds, and the length in seconds.
    """
    return np.array([_prosody(wave, rate) for wave in waves], np.float32)


def pitch(
    wave: NDArray[np.float32], rate: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Return hertz, voicing from 0 to 1, and whether there is a voice, of each frame of 40 ms.

    The autocorrelation of the windowed frame over that of the window (Boersma, 1993); of its peaks the earliest
    that comes near the highest.
    """
    window = round(0.04 * rate)
    frames = _framed(wave, window, round(HOP_S * rate))
    frames = frames - frames.mean(axis=1, keepdims=True)
    low, high = round(rate / PITCH_HZ[1]), round(rate / PITCH_HZ[0])
    shape = np.hanning(window + 2)[1:-1]
    own = _autocorrelation(shape[None])[0]
    found = _autocorrelation(frames * shape)
    energy = np.square(frames).mean(axis=1)
    of_lag = found[:, : high + 2] / np.maximum(found[:, :1], 1e-12) * own[0] / own[: high + 2]
    peaks = of_lag[:, low : high + 1]
    is_peak = (peaks >= of_lag[:, low - 1 : high]) & (peaks >= of_lag[:, low + 1 : high + 2])
    heights = np.where(is_peak, peaks, 0.0)
    best = heights.max(axis=1)
    lag = (heights >= 0.9 * best[:, None]).argmax(axis=1) + low
    rows = np.arange(len(frames))
    before, at, after = (of_lag[rows, lag + k] for k in (-1, 0, 1))
    bend = before - 2 * at + after
    shift = np.where(bend < 0, 0.5 * (before - after) / np.where(bend < 0, bend, 1.0), 0.0)
    voicing = np.clip(best, 0.0, 1.0)
    loud = energy > max(energy.max() * 10 ** (-QUIET_DB / 10), 1e-9)
    return rate / (lag + np.clip(shift, -0.5, 0.5)), voicing, loud & (voicing >= VOICED)


def _prosody(wave: NDArray[np.float32], rate: int) -> NDArray[np.float64]:
    hertz, voicing, voiced = pitch(wave, rate)
    frames = _framed(wave, round(0.04 * rate), round(HOP_S * rate))
    energy = 10 * np.log10(np.square(frames).mean(axis=1) + 1e-7)
    octaves = np.log2(hertz[voiced]) if voiced.any() else np.full(1, np.log2(np.sqrt(np.prod(PITCH_HZ))))
    edges = np.flatnonzero(np.diff(np.concatenate([[False], voiced, [False]])))
    runs, pauses = edges[1::2] - edges[::2], edges[2::2] - edges[1:-1:2]
    seconds = len(wave) / rate
    rhythm = [
        voiced.mean(),
        len(runs) / max(seconds, HOP_S),
        HOP_S * (runs.mean() if len(runs) else 0.0),
        HOP_S * (pauses.max() if len(pauses) else 0.0),
        seconds,
    ]
    return np.concatenate([*(_figures(track) for track in (octaves, energy, voicing)), rhythm])


def _figures(track: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate(
        [_movement(track[None])[0], np.quantile(track, [0.1, 0.5, 0.9]), [track.max() - track.min()]]
    )


def _movement(tracks: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return (n_tracks, 4) of tracks over frames: mean, spread, second half less first, spread of the steps."""
    half = tracks.shape[1] // 2
    rise = tracks[:, half:].mean(axis=1) - tracks[:, : half or 1].mean(axis=1)
    steps = np.diff(tracks, axis=1).std(axis=1) if tracks.shape[1] > 1 else np.zeros(len(tracks))
    return np.stack([tracks.mean(axis=1), tracks.std(axis=1), rise, steps], axis=1)


def _framed(wave: NDArray[np.float32], window: int, hop: int) -> NDArray[np.float64]:
    padded = np.pad(wave.astype(np.float64), (0, max(0, window - len(wave))))
    return np.lib.stride_tricks.sliding_window_view(padded, window)[::hop]


def _autocorrelation(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    n = rows.shape[1]
    return np.asarray(np.fft.irfft(np.square(np.abs(np.fft.rfft(rows, 2 * n, axis=1))), axis=1)[:, :n])
