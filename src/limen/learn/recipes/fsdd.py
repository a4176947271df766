"""The Free Spoken Digit Dataset: 3 000 recordings of ten digits by six speakers, and mixtures of them.

By Zohar Jackson and others, CC BY-SA 4.0.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen.learn.recipes.recorded import reading, stored

FILE = "fsdd_recordings.npz"
RATE = 8000


class Recordings(NamedTuple):
    """Recordings of spoken digits at 8 000 Hz.

    Attributes
    ----------
    waves : list of float32 ndarray
        One a recording, in -1 to 1.
    digit : int64 ndarray (n_recordings,)
    speaker : str ndarray (n_recordings,)
    take : int64 ndarray (n_recordings,)
        Counts a speaker's recordings of a digit.
    """

    waves: list[NDArray[np.float32]]
    digit: NDArray[np.int64]
    speaker: NDArray[np.str_]
    take: NDArray[np.int64]

    @property
    def speakers(self) -> list[str]:
        """Names, sorted."""
        return sorted(set(self.speaker.tolist()))

    def where(self, chosen: NDArray[np.bool_]) -> Recordings:
        """Return the recordings for which ``chosen`` holds."""
        waves = [wave for wave, taken in zip(self.waves, chosen, strict=True) if taken]
        return Recordings(waves, self.digit[chosen], self.speaker[chosen], self.take[chosen])

    def of(self, speakers: Sequence[str], takes: int | None = None) -> Recordings:
        """Return the recordings of these speakers: the first ``takes`` of each digit, or all."""
        chosen = np.isin(self.speaker, speakers)
        for speaker in speakers if takes is not None else ():
            for digit in range(10):
                own = np.flatnonzero((self.speaker == speaker) & (self.digit == digit))
                chosen[own[np.argsort(self.take[own], kind="stable")][takes:]] = False
        return self.where(chosen)

    def padded(self, seconds: float) -> NDArray[np.float32]:
        """Return the waves (n_recordings, n_samples), cut or padded with zeros at the end."""
        found = np.zeros((len(self.waves), round(seconds * RATE)), np.float32)
        for row, wave in zip(found, self.waves, strict=True):
            row[: len(wave)] = wave[: len(row)]
        return found


def load(folder: Path) -> Recordings:
    """Return the recordings in ``folder / FILE``.

    Raises
    ------
    InputError
        If the file does not hold them.
    """
    path = Path(folder) / FILE
    with reading(path, "spoken digits (pcm, offsets, names 'digit_speaker_take')"):
        waves, names = stored(path)
        digit, speaker, take = zip(*(name.split("_") for name in names), strict=True)
        return Recordings(waves, np.array(digit, np.int64), np.array(speaker), np.array(take, np.int64))


def mixtures(
    among: Recordings, n_mixtures: int, seconds: float = 2.5, seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """Return mixtures of one to four digits, each spoken once or twice by any speaker, in noise; and their tags.

    Parameters
    ----------
    among : Recordings
    n_mixtures : int
    seconds : float
        Of each.
    seed : int

    Returns
    -------
    float32 ndarray (n_mixtures, n_samples)
    int8 ndarray (n_mixtures, 10)
        Which digits are spoken.
    """
    rng = np.random.default_rng(seed)
    n_samples = round(seconds * RATE)
    waves = np.empty((n_mixtures, n_samples), np.float32)
    tags = np.zeros((n_mixtures, 10), np.int8)
    own = [np.flatnonzero(among.digit == digit) for digit in range(10)]
    there = [digit for digit in range(10) if len(own[digit])]
    for row, given in zip(waves, tags, strict=True):
        row[:] = rng.standard_normal(n_samples) * 10 ** rng.uniform(-3.0, -2.0)
        for digit in rng.choice(there, min(int(rng.integers(1, 5)), len(there)), replace=False):
            given[digit] = 1
            for _ in range(rng.integers(1, 3)):
                wave = among.waves[rng.choice(own[digit])][:n_samples]
                loudness = float(np.sqrt(np.mean(np.square(wave)))) + 1e-4
                said = wave * np.float32(0.05 / loudness * 10 ** rng.uniform(-0.3, 0.3))
                start = rng.integers(n_samples - len(said) + 1)
                row[start : start + len(said)] += said
    return waves, tags
