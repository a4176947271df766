"""ESC-10 frames: log-mel frames with context of mixed environmental sounds, a quarter of a million to train on.

Clips of folds 1 to 3 are mixed to train on, fold 4 to tune thresholds on, fold 5 to measure: clips of one source
recording share a fold. A frame has the labels of its mix. Each clip is CC BY 3.0 or CC0; README.txt of the archive
credits their authors.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen.errors import InputError, require

FILE = "esc10.zip"
RATE = 22050
SECONDS = 5
WINDOW, HOP = 1024, 441
BANDS, CONTEXT = 40, 4
FRAMES = 1 + SECONDS * RATE // HOP


class Frames(NamedTuple):
    """Features (frames, 360) float32 of the mixes to train on, their labels by mix, and what is decided by mix.

    ``tune`` and ``test`` hold each mix's mean frame: the mean of linear scores is the score of the mean.
    """

    train: NDArray[np.float32]
    train_labels: NDArray[np.int8]
    tune: tuple[NDArray[np.float32], NDArray[np.int8]]
    test: tuple[NDArray[np.float32], NDArray[np.int8]]
    names: list[str]

    @property
    def frame_labels(self) -> NDArray[np.int8]:
        """Labels (frames, 10) of the frames to train on."""
        return np.repeat(self.train_labels, FRAMES, axis=0)


def load(folder: Path, n_mixes: int = 1000, seed: int = 0) -> Frames:
    """Return frames of ``n_mixes`` mixes to train on, and a quarter as many of each of the other parts.

    Raises
    ------
    InputError
        If the archive is none of ESC-10.
    """
    waves, label, fold, names = clips(folder)
    rng = np.random.default_rng(seed)
    wanted = {"train": (fold <= 3, n_mixes), "tune": (fold == 4, n_mixes // 4), "test": (fold == 5, n_mixes // 4)}
    features, labels = {}, {}
    for part, (among, number) in wanted.items():
        made = np.empty((number, FRAMES, BANDS), np.float32)
        labels[part] = np.zeros((number, len(names)), np.int8)
        for k in range(number):
            wave, given = _mix(waves, np.where(among, label, -1), rng)
            made[k] = log_mel(wave)
            labels[part][k, given] = 1
        features[part] = made
    centre, spread = features["train"].mean(axis=(0, 1)), features["train"].std(axis=(0, 1))
    for made in features.values():
        made -= centre
        made /= spread
    train = with_context(features.pop("train")).reshape(-1, BANDS * (2 * CONTEXT + 1))
    means = {part: with_context(made).mean(axis=1) for part, made in features.items()}
    return Frames(train, labels["train"], (means["tune"], labels["tune"]), (means["test"], labels["test"]), names)


def clips(folder: Path) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64], list[str]]:
    """Return the waves (400, samples) at 22 050 Hz, their classes and folds, and the names of the classes."""
    soundfile = require("soundfile", extra="learn", user="the recipe of ESC-10")
    signal = require("scipy.signal", extra="learn", user="limen.learn")
    waves, classes, folds = [], [], []
    try:
        with zipfile.ZipFile(folder / FILE) as archive:
            for name in sorted(name for name in archive.namelist() if name.endswith(".ogg")):
                wave, rate = soundfile.read(io.BytesIO(archive.read(name)), dtype="float32")
                wave = signal.resample_poly(wave, 1, 2) if rate == 2 * RATE else wave
                fitted = np.zeros(SECONDS * RATE, np.float32)
                fitted[: len(wave)] = wave[: SECONDS * RATE]
                waves.append(fitted)
                classes.append(name.split("/")[-2])
                folds.append(int(name.split("/")[-1].split("-")[0]))
    except (OSError, ValueError, IndexError, RuntimeError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{folder / FILE} is no archive of ESC-10: {error}. Give the folder that has it."
        ) from error
    names, label = np.unique(classes, return_inverse=True)
    return np.array(waves), label, np.array(folds), [str(name) for name in names]


def log_mel(wave: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the log energies (frames, 40) of mel bands, 20 ms apart; the wave is at 22 050 Hz."""
    padded = np.pad(wave, WINDOW // 2)
    framed = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    spectra = np.fft.rfft(framed * np.hanning(WINDOW).astype(np.float32), axis=1)
    return np.log(np.square(np.abs(spectra)) @ _bands() + 1e-6).astype(np.float32)


def with_context(frames: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return frames (mixes, frames, bands) beside the four before and after: (mixes, frames, 9 * bands)."""
    padded = np.pad(frames, ((0, 0), (CONTEXT, CONTEXT), (0, 0)), mode="edge")
    n = frames.shape[1]
    return np.concatenate([padded[:, k : k + n] for k in range(2 * CONTEXT + 1)], axis=2)


def _mix(
    waves: NDArray[Any], label: NDArray[np.int64], rng: np.random.Generator
) -> tuple[NDArray[Any], list[int]]:
    """Return the sum of one to three clips of different classes, shifted in time, within 6 dB; and the classes."""
    given = rng.choice(label.max() + 1, rng.integers(1, 4), replace=False)
    total = np.zeros(waves.shape[1], np.float32)
    for one in given:
        wave = np.roll(waves[rng.choice(np.flatnonzero(label == one))], rng.integers(waves.shape[1]))
        loudness = np.sqrt(np.mean(np.square(wave))) + 1e-4
        total += wave * np.float32(0.1 / loudness * 10 ** rng.uniform(-0.3, 0.3))
    return total, [int(one) for one in given]


def _bands() -> NDArray[np.float64]:
    """Return the weights (513, 40) of triangular bands, equally wide in mel (2595 log10(1 + f / 700))."""
    frequency = np.linspace(0, RATE / 2, WINDOW // 2 + 1)
    edges = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + RATE / 2 / 700), BANDS + 2) / 2595) - 1)
    low, mid, high = edges[:-2], edges[1:-1], edges[2:]
    rising = (frequency[:, np.newaxis] - low) / (mid - low)
    falling = (high - frequency[:, np.newaxis]) / (high - mid)
    return np.clip(np.minimum(rising, falling), 0, None)
