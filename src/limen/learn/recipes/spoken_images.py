"""Spoken digits with pictures of digits, and descriptions of the ten classes: two real data sets paired by class.

Sounds are of the Free Spoken Digit Dataset, pictures are scikit-learn's digits (8 x 8, from the UCI repository).
They were not recorded together: each sound gets a picture of its class at random.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen.errors import require
from limen.learn.features import LogMel
from limen.learn.recipes import fsdd

require("torch", extra="learn", user="limen.learn")

import torch  # noqa: E402
from torch import nn  # noqa: E402

SECONDS = 0.8

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
WORDS = {  # sounds at the beginning (two), of the vowel, and after it (two)
    "zero": ("z", "", "iy", "r", "ow"),
    "one": ("w", "", "ah", "n", ""),
    "two": ("t", "", "uw", "", ""),
    "three": ("th", "r", "iy", "", ""),
    "four": ("f", "", "ao", "r", ""),
    "five": ("f", "", "ay", "v", ""),
    "six": ("s", "", "ih", "k", "s"),
    "seven": ("s", "", "eh", "v", "n"),
    "eight": ("", "", "ey", "t", ""),
    "nine": ("n", "", "ay", "n", ""),
}
SOUNDS = {
    "z": "consonant voiced fricative coronal",
    "s": "consonant fricative coronal",
    "th": "consonant fricative dental",
    "f": "consonant fricative labial",
    "v": "consonant voiced fricative labial",
    "t": "consonant stop coronal",
    "k": "consonant stop velar",
    "n": "consonant voiced nasal coronal",
    "w": "consonant voiced approximant labial velar",
    "r": "consonant voiced approximant coronal",
    "iy": "vowel voiced high front",
    "ih": "vowel voiced high front lax",
    "ey": "vowel voiced front glide",
    "eh": "vowel voiced front lax",
    "ah": "vowel voiced back lax",
    "ay": "vowel voiced low front glide",
    "ao": "vowel voiced low back round",
    "ow": "vowel voiced back round glide",
    "uw": "vowel voiced high back round",
}
STROKES = ("abcdef", "bc", "abdeg", "abcdg", "bcfg", "acdfg", "acdefg", "abc", "abcdefg", "abcdfg")
"""Of a seven-segment display, from the top clockwise, the middle one last."""


class Spectra(nn.Module):
    """Log-mel energies of waves, in 24 bands and ten parts of the time: (n, n_samples) to (n, 240)."""

    def __init__(self) -> None:
        super().__init__()
        self.front = LogMel(fsdd.RATE, 24, 256, 80)
        self.pool = nn.AvgPool2d((1, round(SECONDS * fsdd.RATE / 800)))

    def forward(self, waves: torch.Tensor) -> torch.Tensor:
        """Return the features of waves of `SECONDS`."""
        found: torch.Tensor = self.pool(self.front(waves)).flatten(1)
        return found


class Pairs(NamedTuple):
    """Sounds and pictures of the same classes.

    Attributes
    ----------
    audio : float32 ndarray (n_items, n_audio)
    video : float32 ndarray (n_items, 64)
    digit : int64 ndarray (n_items,)
    """

    audio: NDArray[np.float32]
    video: NDArray[np.float32]
    digit: NDArray[np.int64]

    def where(self, chosen: NDArray[np.bool_]) -> Pairs:
        """Return the items for which ``chosen`` holds."""
        return Pairs(self.audio[chosen], self.video[chosen], self.digit[chosen])


def class_text() -> NDArray[np.float32]:
    """Return the descriptions (10, n_text) of the digits: how each is spoken, and how it is drawn.

    Articulatory features of the sounds of its word, in five places, and the strokes of a seven-segment display;
    both parts have length 1.
    """
    kinds = sorted({kind for sound in SOUNDS.values() for kind in sound.split()})
    spoken = np.array(
        [[kind in SOUNDS.get(sound, "").split() for sound in WORDS[name] for kind in kinds] for name in NAMES],
        np.float32,
    )
    drawn = np.array([[stroke in strokes for stroke in "abcdefg"] for strokes in STROKES], np.float32)
    return np.concatenate([part / np.linalg.norm(part, axis=1, keepdims=True) for part in (spoken, drawn)], axis=1)


def load(folder: Path, seed: int = 0, share: float = 0.5) -> tuple[Pairs, Pairs]:
    """Return pairs to train on and to measure on, which share neither a sound nor a picture.

    Parameters
    ----------
    folder : Path
        Has `limen.learn.recipes.fsdd.FILE`.
    seed : int
        Of the pairs; the parts are the same for every seed, so that what was chosen on one is not measured on it.
    share : float
        Of sounds and of pictures that are to train on.
    """
    from sklearn.datasets import load_digits

    spoken = fsdd.load(folder)
    drawn = load_digits()
    parted, rng = np.random.default_rng(0), np.random.default_rng([seed, 1])
    waves = torch.tensor(spoken.padded(SECONDS))
    with torch.no_grad():
        audio = torch.cat([Spectra()(some) for some in torch.split(waves, 256)]).numpy()
    parts = []
    first, second = (_split(digit, share, parted) for digit in (spoken.digit, drawn.target))
    for sounds, pictures in zip(first, second, strict=True):
        mate = np.empty(len(sounds), np.int64)
        for digit in range(10):
            own = np.flatnonzero(spoken.digit[sounds] == digit)
            mate[own] = rng.choice(pictures[drawn.target[pictures] == digit], len(own))
        parts.append(Pairs(audio[sounds], drawn.data[mate].astype(np.float32) / 16, spoken.digit[sounds]))
    return parts[0], parts[1]


def _split(
    digit: NDArray[np.int64], share: float, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the numbers of two parts with the same share of each digit."""
    taken = np.zeros(len(digit), bool)
    for one in range(10):
        own = rng.permutation(np.flatnonzero(digit == one))
        taken[own[: round(share * len(own))]] = True
    return np.flatnonzero(taken), np.flatnonzero(~taken)
