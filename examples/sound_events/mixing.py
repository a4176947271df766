"""Soundscapes: real sounds at random times and levels over noise, with exact onsets and offsets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sources import Sound, Sources

FADE_S = 0.01


@dataclass(frozen=True)
class Soundscape:
    """A mixture: float32 samples within -1 and 1, and rows of label, onset and offset in samples."""

    pcm: NDArray[np.float32]
    events: NDArray[np.int64]
    sources: tuple[str, ...]


def mix(
    sources: Sources, sounds: Sequence[Sound], seconds: float, rng: np.random.Generator, *, vary: bool = False
) -> Soundscape:
    """Return one soundscape of ``seconds`` from these sounds.

    Events of one label never overlap; others may. ``vary`` plays sounds up to 6 % faster or slower, for training.
    """
    rate = sources.rate
    n_samples = round(seconds * rate)
    pcm = _noise(n_samples, rng)
    most = sources.events[1] * seconds / 10
    wanted = round(rng.uniform(sources.events[0] * seconds / 10, most))
    events: list[tuple[int, int, int]] = []
    used: list[str] = []
    for number in rng.permutation(len(sounds))[: max(wanted, 1)]:
        sound = sounds[number]
        heard = _faster(sound.pcm, rng.uniform(0.94, 1.06)) if vary else sound.pcm
        longest = min(round(sources.longest_s * rate), n_samples)
        if len(heard) > longest:
            cut = rng.integers(longest // 4, longest + 1)
            start = rng.integers(0, len(heard) - cut + 1)
            heard = heard[start : start + cut]
        onset = _place(len(heard), n_samples, sound.labels, events, rng)
        if onset is None:
            continue
        gain = 10 ** (rng.uniform(0, 25) / 20)
        pcm[onset : onset + len(heard)] += gain * _faded(heard, rate)
        events += [(label, onset, onset + len(heard)) for label in sound.labels]
        used.append(sound.source)
    level = 10 ** (rng.uniform(-36, -16) / 20)
    pcm *= level / np.sqrt(np.mean(pcm**2))
    pcm *= min(1.0, 0.98 / float(np.abs(pcm).max()))
    return Soundscape(pcm, np.array(sorted(events), np.int64).reshape(-1, 3), tuple(used))


def targets(events: NDArray[np.int64], n_labels: int, n_frames: int, frame: int) -> NDArray[np.float32]:
    """Return 1 for the frames that an event fills by half or more, else 0: float32 (n_frames, n_labels)."""
    active = np.zeros((n_frames, n_labels), np.float32)
    for label, onset, offset in events:
        active[round(onset / frame) : round(offset / frame), label] = 1
    return active


def _noise(n_samples: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return noise of power 1, of a random colour from white to brown."""
    spectrum = np.fft.rfft(rng.standard_normal(n_samples))
    spectrum *= np.maximum(np.arange(len(spectrum)), 20) ** -rng.uniform(0, 1)
    noise = np.fft.irfft(spectrum, n_samples)
    return np.asarray(noise / np.sqrt(np.mean(noise**2)), np.float32)


def _place(
    size: int, n_samples: int, labels: Sequence[int], events: list[tuple[int, int, int]], rng: np.random.Generator
) -> int | None:
    """Return an onset at which no event of these labels is near, or None after ten tries."""
    for _ in range(10):
        onset = int(rng.integers(0, n_samples - size + 1))
        apart = n_samples // 50
        if all(
            label not in labels or offset + apart <= onset or onset + size + apart <= start
            for label, start, offset in events
        ):
            return onset
    return None


def _faded(pcm: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    ramp = np.linspace(0, 1, min(round(FADE_S * rate), len(pcm) // 2), dtype=np.float32)
    shape = np.ones(len(pcm), np.float32)
    shape[: len(ramp)], shape[len(pcm) - len(ramp) :] = ramp, ramp[::-1]
    return pcm * shape


def _faster(pcm: NDArray[np.float32], speed: float) -> NDArray[np.float32]:
    places = np.arange(0, len(pcm) - 1, speed)
    return np.interp(places, np.arange(len(pcm)), pcm).astype(np.float32)
